"""langchain-openai. It lets the openai package's exceptions through, so they count as its own."""

from __future__ import annotations

from typing import Any

import openai
from langchain_core.exceptions import LangChainException
from langchain_openai import ChatOpenAI, StreamChunkTimeoutError

DISTRIBUTION = "langchain-openai"
OWN = (openai.OpenAIError, LangChainException, StreamChunkTimeoutError)
WIRES = ("openai_chat", "openai_responses")


class Asker:
    def __init__(self, url: str, key: str, models: dict[str, str], timeout: float) -> None:
        self._options: Any = {"base_url": f"{url}/v1", "api_key": key, "timeout": timeout, "max_retries": 0}
        self._options["stream_chunk_timeout"] = timeout
        self._models = models

    def _model(self, wire: str) -> ChatOpenAI:
        return ChatOpenAI(model=self._models[wire], use_responses_api=wire == "openai_responses", **self._options)

    def ask(self, wire: str, prompt: str, told: Any) -> None:
        for chunk in self._model(wire).stream(prompt):
            _read(told, chunk)

    async def aask(self, wire: str, prompt: str, told: Any) -> None:
        async for chunk in self._model(wire).astream(prompt):
            _read(told, chunk)


def _read(told: Any, chunk: Any) -> None:
    told.text(chunk.text)
    said = chunk.response_metadata
    details = said.get("incomplete_details") or {}
    told.finish(said.get("finish_reason") or details.get("reason") or said.get("status"))
