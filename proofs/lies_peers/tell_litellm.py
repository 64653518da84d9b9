"""LiteLLM, by its iterators: the chunks, and what it hides in them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it asks the internet for prices

import litellm
from run import TOOL, as_text

DISTRIBUTION = "litellm"
WIRES = ("openai_chat", "openai_responses", "anthropic", "gemini")
PREFIX = {"openai_chat": "openai", "openai_responses": "openai", "anthropic": "anthropic", "gemini": "gemini"}


class Asker:
    def __init__(self, url: str, key: str, models: dict[str, str]) -> None:
        self._url, self._key, self._models = url, key, models

    def ask(self, wire: str, prompt: str, question: dict[str, Any]) -> Iterator[str]:
        said: Any = {
            "model": f"{PREFIX[wire]}/{self._models[wire]}",
            "api_base": self._url + ("/v1" if wire.startswith("openai") else ""),
            "api_key": self._key,
            "stream": True,
            "max_retries": 0,
        }
        responses = wire == "openai_responses"
        if "tier" in question:
            said["service_tier"] = question["tier"]
        if question.get("tool"):
            tool = {"type": "function", **TOOL} if responses else {"type": "function", "function": TOOL}
            said |= {"tools": [tool], "tool_choice": "required"}
        if "max_tokens" in question:
            said["max_output_tokens" if responses else "max_tokens"] = question["max_tokens"]
        if "stop" in question:
            said["stop"] = question["stop"]
        if responses:
            events: Any = litellm.responses(input=prompt, **said)
        else:
            said["stream_options"] = {"include_usage": True}
            events = litellm.completion(messages=[{"role": "user", "content": prompt}], **said)
        for event in events:
            yield as_text(event)
            yield as_text(getattr(event, "_hidden_params", {}))
        yield as_text(getattr(events, "_hidden_params", {}))
