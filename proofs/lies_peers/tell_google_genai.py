"""The google-genai package, by the iterator that its README shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google import genai
from google.genai import types
from run import TOOL, as_text

DISTRIBUTION = "google-genai"
WIRES = ("gemini",)


class Asker:
    def __init__(self, url: str, key: str, models: dict[str, str]) -> None:
        self._model = models["gemini"]
        self._client = genai.Client(api_key=key, http_options=types.HttpOptions(base_url=url))

    def ask(self, wire: str, prompt: str, question: dict[str, Any]) -> Iterator[str]:
        more: Any = {"service_tier": question["tier"]} if "tier" in question else {}
        if question.get("tool"):
            more["tools"] = [{"function_declarations": [TOOL]}]
            more["tool_config"] = {"function_calling_config": {"mode": "ANY"}}
        if "stop" in question:
            more["stop_sequences"] = [question["stop"]]
        if "max_tokens" in question:
            more["max_output_tokens"] = question["max_tokens"]
        config = types.GenerateContentConfig(**more)
        chunks = self._client.models.generate_content_stream(model=self._model, contents=prompt, config=config)
        yield from map(as_text, chunks)
