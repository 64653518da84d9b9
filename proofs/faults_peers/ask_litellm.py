"""LiteLLM. It maps every provider's errors to its own, which are subclasses of OpenAI's."""

from __future__ import annotations

import os
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it asks the internet for prices

import litellm
import openai

DISTRIBUTION = "litellm"
OWN = (openai.OpenAIError,)
WIRES = ("openai_chat", "openai_responses", "anthropic", "gemini")
PREFIX = {"openai_chat": "openai", "openai_responses": "openai", "anthropic": "anthropic", "gemini": "gemini"}


class Asker:
    def __init__(self, url: str, key: str, models: dict[str, str], timeout: float) -> None:
        self._url, self._models = url, models
        self._options: Any = {"api_key": key, "timeout": timeout, "stream_timeout": timeout, "max_retries": 0}

    def _question(self, wire: str, prompt: str) -> Any:
        base = self._url + ("/v1" if wire.startswith("openai") else "")
        said: Any = {"model": f"{PREFIX[wire]}/{self._models[wire]}", "api_base": base, "stream": True}
        if wire == "openai_responses":
            said["input"] = prompt
        else:
            said["messages"] = [{"role": "user", "content": prompt}]
        return self._options | said

    def ask(self, wire: str, prompt: str, told: Any) -> None:
        if wire == "openai_responses":
            for event in litellm.responses(**self._question(wire, prompt)):
                told.response(event)
        else:
            for chunk in litellm.completion(**self._question(wire, prompt)):
                told.chat(chunk)

    async def aask(self, wire: str, prompt: str, told: Any) -> None:
        if wire == "openai_responses":
            async for event in await litellm.aresponses(**self._question(wire, prompt)):
                told.response(event)
        else:
            async for chunk in await litellm.acompletion(**self._question(wire, prompt)):
                told.chat(chunk)
