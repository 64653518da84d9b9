"""msgmodel 4.1.1. Its documentation calls `panel_final` "stream complete", so that event is a word for the end."""

from __future__ import annotations

from typing import Any

import msgmodel
from msgmodel import async_core
from msgmodel.providers import anthropic, gemini, openai

DISTRIBUTION = "msgmodel"
OWN = (msgmodel.MsgModelError,)
WIRES = ("openai_chat", "anthropic", "gemini")
PROVIDER = {"openai_chat": "openai", "anthropic": "anthropic", "gemini": "gemini"}


class Asker:
    def __init__(self, url: str, key: str, models: dict[str, str], timeout: float) -> None:
        self._models = models
        self._options: Any = {"api_key": key, "timeout": timeout}
        # The addresses are constants there.
        openai.OPENAI_URL = async_core.OPENAI_URL = f"{url}/v1/chat/completions"
        anthropic.ANTHROPIC_URL = async_core.ANTHROPIC_URL = f"{url}/v1/messages"
        gemini.GEMINI_URL = async_core.GEMINI_URL = url

    def ask(self, wire: str, prompt: str, told: Any) -> None:
        for event in msgmodel.stream_panels(PROVIDER[wire], prompt, model=self._models[wire], **self._options):
            _read(told, event)

    async def aask(self, wire: str, prompt: str, told: Any) -> None:
        async for event in async_core.astream_panels(PROVIDER[wire], prompt, model=self._models[wire], **self._options):
            _read(told, event)


def _read(told: Any, event: dict[str, Any]) -> None:
    if event["event"] == "panel_delta":
        told.text(event["delta"])
    elif event["event"] == "panel_final":
        told.finish(event["finish_reason"] or "panel_final")
    else:
        told.fails(f"{event['error_type']}: {event['error']}")
