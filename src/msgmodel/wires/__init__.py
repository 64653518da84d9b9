"""The four ways in which providers speak. One file a wire: how to ask, and how to read the answer.

A wire's `request(ask, token)` writes the HTTP request; its `Parser(ask, token)` turns events into deltas:
`feed(data)` and, when the body has ended, `eof(clean)`, whose one delta is the verdict. With `token`, which only
Gemini has, it goes on where another response stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from ..question.question import Question
from ..question.transport import HttpRequest
from . import anthropic, gemini, openai_chat, openai_responses
from .deltas import Continue, Delta, Failure, Finish

__all__ = ["WIRES", "Wire", "WireParser"]


class WireParser(Protocol):
    """Reads one response."""

    @property
    def held_bytes(self) -> int:
        """Bytes of memory for what came and is not handed on as a delta, so that no panel counts it."""

    def feed(self, data: bytes, whole: bool = True) -> Iterable[Delta]:
        """The deltas in one event. `whole`: whether its blank line came."""

    def plain_text(self, data: bytes) -> str:
        """The short way for an event that follows one which brought text alone: its text, if it brings text alone too
        and changes nothing else; "" if it is to be fed."""

    def deferred_deltas(self) -> Iterable[Delta]:
        """What the short way left for later: asked for before the next event is fed, and at the end."""

    def eof(self, clean: bool) -> Finish | Failure | Continue: ...


class Wire(NamedTuple):
    """One wire, both directions."""

    request: Callable[[Question, str | None], HttpRequest]
    parser: Callable[[Question, str | None], WireParser]


WIRES: dict[str, Wire] = {
    "openai_chat": Wire(openai_chat.chat_request, openai_chat.ChatParser),
    "openai_responses": Wire(openai_responses.responses_request, openai_responses.ResponsesParser),
    "anthropic": Wire(anthropic.anthropic_request, anthropic.AnthropicParser),
    "gemini": Wire(gemini.gemini_request, gemini.GeminiParser),
}
