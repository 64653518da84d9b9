"""The OpenAI Agents SDK, by `Runner.run_streamed`."""

from __future__ import annotations

import asyncio
from typing import Any

from agents import Agent, OpenAIChatCompletionsModel, Runner, function_tool, set_tracing_disabled
from openai import AsyncOpenAI
from run import KEY

DISTRIBUTION = "openai-agents"
set_tracing_disabled(True)


def run_agent(url: str, model: str, prompt: str, tool: Any) -> None:
    """Ask, and let the tool run."""

    async def stream() -> None:
        client = AsyncOpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0)
        asked = OpenAIChatCompletionsModel(model=model, openai_client=client)
        result = Runner.run_streamed(Agent(name="writer", tools=[function_tool(tool)], model=asked), prompt)
        async for _ in result.stream_events():
            pass

    asyncio.run(stream())
