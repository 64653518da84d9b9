"""pydantic-ai, with `NativeOutput`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from openai import AsyncOpenAI
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from run import KEY, kind_of

DISTRIBUTION = "pydantic-ai-slim"


def ways(url: str, model: str) -> dict[str, Callable[[str], Any]]:
    """Return the ways of asking."""

    def agent(prompt: str) -> Any:
        client = AsyncOpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0)
        asked = OpenAIChatModel(model, provider=OpenAIProvider(openai_client=client))
        return Agent(asked, output_type=NativeOutput(kind_of(prompt)), retries=0)

    def stream(prompt: str) -> Any:
        with agent(prompt).run_stream_sync(prompt) as result:
            return result.get_output()

    return {"run": lambda prompt: agent(prompt).run_sync(prompt).output, "run_stream": stream}
