"""LangChain, by `create_agent`, whose messages are streamed."""

from __future__ import annotations

from typing import Any

from langchain.agents import create_agent
from langchain_openai import ChatOpenAI
from run import KEY

DISTRIBUTION = "langchain"


def run_agent(url: str, model: str, prompt: str, tool: Any) -> None:
    """Ask, and let the tool run."""
    asked: Any = ChatOpenAI(model=model, base_url=f"{url}/v1", api_key=KEY, max_retries=0)
    agent: Any = create_agent(asked, [tool])
    for _ in agent.stream({"messages": [{"role": "user", "content": prompt}]}, stream_mode="messages"):
        pass
