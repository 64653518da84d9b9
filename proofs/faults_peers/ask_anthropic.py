"""The anthropic package, by the iterators that its README shows."""

from __future__ import annotations

from typing import Any

import anthropic

DISTRIBUTION = "anthropic"
OWN = (anthropic.AnthropicError,)
WIRES = ("anthropic",)


class Asker:
    def __init__(self, url: str, key: str, models: dict[str, str], timeout: float) -> None:
        self._model = models["anthropic"]
        options: Any = {"base_url": url, "api_key": key, "timeout": timeout, "max_retries": 0}
        self._client = anthropic.Anthropic(**options)
        self._aclient = anthropic.AsyncAnthropic(**options)

    def ask(self, wire: str, prompt: str, told: Any) -> None:
        for event in self._client.messages.create(**self._question(prompt)):
            told.message(event)

    async def aask(self, wire: str, prompt: str, told: Any) -> None:
        async for event in await self._aclient.messages.create(**self._question(prompt)):
            told.message(event)

    def _question(self, prompt: str) -> Any:
        messages = [{"role": "user", "content": prompt}]
        return {"model": self._model, "max_tokens": 1000, "messages": messages, "stream": True}
