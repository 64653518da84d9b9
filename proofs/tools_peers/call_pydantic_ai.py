"""pydantic-ai, by `Agent.run_stream_sync`."""

from __future__ import annotations

from typing import Any

from openai import AsyncOpenAI
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from run import KEY

DISTRIBUTION = "pydantic-ai-slim"


def run_agent(url: str, model: str, prompt: str, tool: Any) -> None:
    """Ask, and let the tool run."""
    client = AsyncOpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0)
    asked = OpenAIChatModel(model, provider=OpenAIProvider(openai_client=client))
    with Agent(asked, tools=[tool], retries=0).run_stream_sync(prompt) as result:
        result.get_output()
