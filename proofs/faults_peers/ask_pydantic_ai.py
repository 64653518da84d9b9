"""pydantic-ai, by `Agent.run_stream`. Where it names no finish reason, its `state` is its word for the end."""

from __future__ import annotations

from typing import Any

from pydantic_ai import Agent
from pydantic_ai.exceptions import AgentRunError, UserError
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.openai import OpenAIProvider

DISTRIBUTION = "pydantic-ai-slim"
OWN = (AgentRunError, UserError)
WIRES = ("openai_chat", "openai_responses", "anthropic", "gemini")


class Asker:
    def __init__(self, url: str, key: str, models: dict[str, str], timeout: float) -> None:
        self._url, self._key, self._models = url, key, models
        self._settings: Any = {"timeout": timeout, "max_retries": 0}

    def _agent(self, wire: str) -> Agent:
        name = self._models[wire]
        model: Any
        if wire == "anthropic":
            model = AnthropicModel(name, provider=AnthropicProvider(base_url=self._url, api_key=self._key))
        elif wire == "gemini":
            model = GoogleModel(name, provider=GoogleProvider(base_url=self._url, api_key=self._key))
        else:
            kind = OpenAIChatModel if wire == "openai_chat" else OpenAIResponsesModel
            model = kind(name, provider=OpenAIProvider(base_url=f"{self._url}/v1", api_key=self._key))
        return Agent(model, model_settings=self._settings)

    def ask(self, wire: str, prompt: str, told: Any) -> None:
        with self._agent(wire).run_stream_sync(prompt) as result:
            for piece in result.stream_text(delta=True, debounce_by=None):
                told.text(piece)
            told.finish(_word(result.response))

    async def aask(self, wire: str, prompt: str, told: Any) -> None:
        async with self._agent(wire).run_stream(prompt) as result:
            async for piece in result.stream_text(delta=True, debounce_by=None):
                told.text(piece)
            told.finish(_word(result.response))


def _word(response: Any) -> str:
    if response.finish_reason is not None and response.state == "complete":
        return str(response.finish_reason)
    return str(response.state)
