"""The anthropic package, by the iterator that its README shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
from run import TOOL, as_text

DISTRIBUTION = "anthropic"
WIRES = ("anthropic",)


class Asker:
    def __init__(self, url: str, key: str, models: dict[str, str]) -> None:
        self._model = models["anthropic"]
        self._client = anthropic.Anthropic(base_url=url, api_key=key, max_retries=0)

    def ask(self, wire: str, prompt: str, question: dict[str, Any]) -> Iterator[str]:
        more: Any = {"service_tier": question["tier"]} if "tier" in question else {}
        if question.get("tool"):
            schema = {"name": TOOL["name"], "description": TOOL["description"], "input_schema": TOOL["parameters"]}
            more |= {"tools": [schema], "tool_choice": {"type": "any"}}
        if "stop" in question:
            more["stop_sequences"] = [question["stop"]]
        events = self._client.messages.create(
            model=self._model,
            max_tokens=question.get("max_tokens", 10_000),
            messages=[{"role": "user", "content": prompt}],
            stream=True,
            **more,
        )
        yield from map(as_text, events)
