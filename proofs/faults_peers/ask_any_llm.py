"""any-llm, with the unified exceptions that its documentation recommends."""

from __future__ import annotations

from typing import Any

from any_llm import AnyLLM
from any_llm.exceptions import AnyLLMError

DISTRIBUTION = "any-llm-sdk"
OWN = (AnyLLMError,)
WIRES = ("openai_chat", "openai_responses", "anthropic", "gemini")
PROVIDER = {"openai_chat": "openai", "openai_responses": "openai", "anthropic": "anthropic", "gemini": "gemini"}


class Asker:
    def __init__(self, url: str, key: str, models: dict[str, str], timeout: float) -> None:
        self._models, self._timeout = models, timeout
        self._clients = {}
        for wire, provider in PROVIDER.items():
            base = url + ("/v1" if provider == "openai" else "")
            self._clients[wire] = AnyLLM.create(
                provider, api_key=key, api_base=base, unified_exceptions=True, max_retries=0
            )

    def ask(self, wire: str, prompt: str, told: Any) -> None:
        client = self._clients[wire]
        if wire == "openai_responses":
            for event in client.responses(**self._response(prompt)):
                told.response(event)
        else:
            for chunk in client.completion(**self._chat(wire, prompt)):
                told.chat(chunk)

    async def aask(self, wire: str, prompt: str, told: Any) -> None:
        client = self._clients[wire]
        if wire == "openai_responses":
            async for event in await client.aresponses(**self._response(prompt)):
                told.response(event)
        else:
            async for chunk in await client.acompletion(**self._chat(wire, prompt)):
                told.chat(chunk)

    def _chat(self, wire: str, prompt: str) -> Any:
        messages = [{"role": "user", "content": prompt}]
        return {"model": self._models[wire], "messages": messages, "stream": True, "timeout": self._timeout}

    def _response(self, prompt: str) -> Any:
        model = self._models["openai_responses"]
        return {"model": model, "input_data": prompt, "stream": True, "timeout": self._timeout}
