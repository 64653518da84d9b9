"""The four wires: the APIs that providers speak. Each folder writes the request and reads the response. Pure.

A wire's `request(question, token)` returns the HTTP request; its `parser(question, token)` turns events of the wire
into deltas: `feed(data)` for each event and, at the end of the body, `eof(clean)`, which returns the verdict. With a
`token`, which only Gemini has, the response continues an earlier one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any, NamedTuple, Protocol

from ..question.question import Question
from ..question.transport import HttpRequest
from .deltas import Checkpoint, Delta, Failure, Finish

__all__ = ["WIRES", "Wire", "WireParser"]


class WireParser(Protocol):
    """Turns the events of one response into deltas."""

    @property
    def held_bytes(self) -> int:
        """Bytes of memory for data that no delta has brought yet, so that the panel does not count it."""

    def feed(self, data: bytes, whole: bool = True) -> Iterable[Delta]:
        """Yield the deltas of one event.

        Args:
            data: The data of the event.
            whole: Whether its blank line arrived; without it, the body may have ended within the event.

        Raises:
            MalformedJson: The event is not the JSON that the API promises.
        """

    def plain_text(self, data: bytes) -> str:
        """Return the text of an event that has only text, after an event that had only text.

        This is a part of the fast lane: see `reply/attempt.py`. "" means that `feed` must read the event, as if this
        method had not been called.
        """

    def deferred_deltas(self) -> Iterable[Delta]:
        """Return the deltas that the fast lane put off. Call it before the next `feed`, and at the end."""

    def eof(self, clean: bool) -> Finish | Failure | Checkpoint:
        """Return the verdict at the end of the body. `clean`: whether the body ended by the rules of HTTP."""


class Wire(NamedTuple):
    """One wire in both directions. Its code is imported when it is first used, as few programs use all of them."""

    folder: str
    request_function: str
    parser_class: str

    @property
    def request(self) -> Callable[[Question, str | None], HttpRequest]:
        request: Callable[[Question, str | None], HttpRequest] = self._load(self.request_function)
        return request

    @property
    def parser(self) -> Callable[[Question, str | None], WireParser]:
        parser: Callable[[Question, str | None], WireParser] = self._load(self.parser_class)
        return parser

    def _load(self, name: str) -> Any:
        return getattr(import_module(f"{__name__}.{self.folder}"), name)


WIRES: dict[str, Wire] = {
    "openai_chat": Wire("openai_chat", "chat_request", "ChatParser"),
    "openai_responses": Wire("openai_responses", "responses_request", "ResponsesParser"),
    "anthropic": Wire("anthropic", "anthropic_request", "AnthropicParser"),
    "gemini": Wire("gemini", "gemini_request", "GeminiParser"),
}
