"""pydantic-ai, by `Agent.run_stream_sync`: the messages, with the details that it keeps of the provider."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic_ai import Agent, ToolOutput
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.openai import OpenAIProvider
from run import TOOL

DISTRIBUTION = "pydantic-ai-slim"
WIRES = ("openai_chat", "openai_responses", "anthropic", "gemini")


class Weather(BaseModel):
    """The weather somewhere. As the type of the output it makes pydantic-ai require a call of its tool."""

    place: str


class Asker:
    def __init__(self, url: str, key: str, models: dict[str, str]) -> None:
        self._url, self._key, self._models = url, key, models

    def ask(self, wire: str, prompt: str, question: dict[str, Any]) -> Iterator[str]:
        settings: Any = {"max_tokens": question.get("max_tokens", 10_000)}
        if "stop" in question:
            settings["stop_sequences"] = [question["stop"]]
        if "tier" in question:
            body = {"serviceTier" if wire == "gemini" else "service_tier": question["tier"]}
            settings |= {"openai_service_tier": question["tier"]} if wire.startswith("openai") else {"extra_body": body}
        output: Any = ToolOutput(Weather, name=TOOL["name"]) if question.get("tool") else str
        agent: Any = Agent(self._model(wire), model_settings=settings, output_type=output, retries=0)
        with agent.run_stream_sync(prompt) as result:
            result.get_output()
            yield result.all_messages_json().decode()
            yield repr(result.response)
            yield repr(result.usage)

    def _model(self, wire: str) -> Any:
        name = self._models[wire]
        if wire == "anthropic":
            return AnthropicModel(name, provider=AnthropicProvider(base_url=self._url, api_key=self._key))
        if wire == "gemini":
            return GoogleModel(name, provider=GoogleProvider(base_url=self._url, api_key=self._key))
        kind: Any = OpenAIChatModel if wire == "openai_chat" else OpenAIResponsesModel
        return kind(name, provider=OpenAIProvider(base_url=f"{self._url}/v1", api_key=self._key))
