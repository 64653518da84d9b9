"""The openai package, by the iterators that its README shows."""

from __future__ import annotations

from typing import Any

import openai

DISTRIBUTION = "openai"
OWN = (openai.OpenAIError,)
WIRES = ("openai_chat", "openai_responses")


class Asker:
    def __init__(self, url: str, key: str, models: dict[str, str], timeout: float) -> None:
        self._models = models
        options: Any = {"base_url": f"{url}/v1", "api_key": key, "timeout": timeout, "max_retries": 0}
        self._client = openai.OpenAI(**options)
        self._aclient = openai.AsyncOpenAI(**options)

    def ask(self, wire: str, prompt: str, told: Any) -> None:
        if wire == "openai_chat":
            for chunk in self._client.chat.completions.create(**self._chat(prompt)):
                told.chat(chunk)
        else:
            for event in self._client.responses.create(**self._response(prompt)):
                told.response(event)

    async def aask(self, wire: str, prompt: str, told: Any) -> None:
        if wire == "openai_chat":
            async for chunk in await self._aclient.chat.completions.create(**self._chat(prompt)):
                told.chat(chunk)
        else:
            async for event in await self._aclient.responses.create(**self._response(prompt)):
                told.response(event)

    def _chat(self, prompt: str) -> Any:
        messages = [{"role": "user", "content": prompt}]
        return {"model": self._models["openai_chat"], "messages": messages, "stream": True}

    def _response(self, prompt: str) -> Any:
        return {"model": self._models["openai_responses"], "input": prompt, "stream": True}
