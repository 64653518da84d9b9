"""The google-genai package, by the iterators that its README shows."""

from __future__ import annotations

from typing import Any

from google import genai
from google.genai import errors, types

DISTRIBUTION = "google-genai"
OWN = (errors.APIError, errors.UnknownApiResponseError)
WIRES = ("gemini",)


class Asker:
    def __init__(self, url: str, key: str, models: dict[str, str], timeout: float) -> None:
        self._model = models["gemini"]
        options = types.HttpOptions(base_url=url, timeout=round(1000 * timeout))
        self._client = genai.Client(api_key=key, http_options=options)

    def ask(self, wire: str, prompt: str, told: Any) -> None:
        for chunk in self._client.models.generate_content_stream(model=self._model, contents=prompt):
            _read(told, chunk)

    async def aask(self, wire: str, prompt: str, told: Any) -> None:
        async for chunk in await self._client.aio.models.generate_content_stream(model=self._model, contents=prompt):
            _read(told, chunk)


def _read(told: Any, chunk: types.GenerateContentResponse) -> None:
    told.text(chunk.text)
    for candidate in chunk.candidates or ():
        told.finish(candidate.finish_reason)
    if chunk.prompt_feedback and chunk.prompt_feedback.block_reason:
        told.finish(chunk.prompt_feedback.block_reason)
