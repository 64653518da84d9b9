"""This library. The terminal event has all of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from run import TOOL, as_text

import msgmodel
from msgmodel import AnthropicConfig, GeminiConfig, OpenAIConfig

DISTRIBUTION = "msgmodel"
WIRES = ("openai_chat", "openai_responses", "anthropic", "gemini")
PROVIDER = {"openai_chat": "openai", "openai_responses": "openai", "anthropic": "anthropic", "gemini": "gemini"}


class Asker:
    def __init__(self, url: str, key: str, models: dict[str, str]) -> None:
        self._url, self._key, self._models = url, key, models

    def ask(self, wire: str, prompt: str, question: dict[str, Any]) -> Iterator[str]:
        more: Any = {"max_tokens": question.get("max_tokens", 10_000)}
        if question.get("tool"):
            more |= {"tools": [TOOL], "tool_choice": "required"}
        events: Any = msgmodel.stream_panels(
            PROVIDER[wire],
            prompt,
            self._key,
            model=self._models[wire],
            config=self._config(wire, question),
            max_retries=0,
            **more,
        )
        yield from map(as_text, events)

    def _config(self, wire: str, question: dict[str, Any]) -> Any:
        fields: Any = {"stop": (question["stop"],)} if "stop" in question else {}
        if "tier" in question:
            fields["body"] = {"serviceTier" if wire == "gemini" else "service_tier": question["tier"]}
        if wire == "anthropic":
            return AnthropicConfig(base_url=self._url, **fields)
        if wire == "gemini":
            return GeminiConfig(base_url=self._url, **fields)
        return OpenAIConfig(base_url=f"{self._url}/v1", api=wire.removeprefix("openai_"), **fields)
