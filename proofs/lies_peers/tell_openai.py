"""The openai package, by the iterators that its README shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
from run import TOOL, as_text

DISTRIBUTION = "openai"
WIRES = ("openai_chat", "openai_responses")


class Asker:
    def __init__(self, url: str, key: str, models: dict[str, str]) -> None:
        self._models = models
        self._client = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)

    def ask(self, wire: str, prompt: str, question: dict[str, Any]) -> Iterator[str]:
        more: Any = {"service_tier": question["tier"]} if "tier" in question else {}
        chat = wire == "openai_chat"
        if question.get("tool"):
            tool = {"type": "function", "function": TOOL} if chat else {"type": "function", **TOOL, "strict": False}
            more |= {"tools": [tool], "tool_choice": "required"}
        if "max_tokens" in question:
            more["max_completion_tokens" if chat else "max_output_tokens"] = question["max_tokens"]
        if "stop" in question:
            more["stop"] = question["stop"]
        more |= {"model": self._models[wire], "stream": True}
        events: Any = (
            self._client.chat.completions.create(messages=[{"role": "user", "content": prompt}], **more)
            if chat
            else self._client.responses.create(input=prompt, **more)
        )
        yield from map(as_text, events)
