"""This library. The last event is held to its contract: there is one, and its content is the text of the deltas."""

from __future__ import annotations

from typing import Any

import msgmodel
from msgmodel import AnthropicConfig, GeminiConfig, OpenAIConfig

DISTRIBUTION = "msgmodel"
OWN = (msgmodel.MsgModelError,)
WIRES = ("openai_chat", "openai_responses", "anthropic", "gemini")
PROVIDER = {"openai_chat": "openai", "openai_responses": "openai", "anthropic": "anthropic", "gemini": "gemini"}


class Asker:
    def __init__(self, url: str, key: str, models: dict[str, str], timeout: float) -> None:
        self._configs: Any = {
            "openai_chat": OpenAIConfig(base_url=f"{url}/v1"),
            "openai_responses": OpenAIConfig(base_url=f"{url}/v1", api="responses"),
            "anthropic": AnthropicConfig(base_url=url),
            "gemini": GeminiConfig(base_url=url),
        }
        self._models = models
        self._options: Any = {"api_key": key, "timeout": timeout, "max_retries": 0}

    def _question(self, wire: str, prompt: str) -> Any:
        said = {"provider": PROVIDER[wire], "prompt": prompt, "config": self._configs[wire]}
        return self._options | said | {"model": self._models[wire]}

    def ask(self, wire: str, prompt: str, told: Any) -> None:
        for event in msgmodel.stream_panels(**self._question(wire, prompt)):
            _read(told, event)

    async def aask(self, wire: str, prompt: str, told: Any) -> None:
        async for event in msgmodel.astream_panels(**self._question(wire, prompt)):
            _read(told, event)


def _read(told: Any, event: Any) -> None:
    assert told.word is None, "there was a last event"
    assert told.error is None, "there was a last event"
    if event["event"] == "panel_delta":
        told.text(event["delta"])
    elif event["event"] in ("panel_final", "panel_error"):
        assert event["content"] == "".join(told.pieces)
        if event["event"] == "panel_final":
            told.finish(event["status"])
        else:
            told.fails(f"{event['code']}: {event['error']}")
