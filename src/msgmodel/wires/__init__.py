"""The four ways in which providers speak. One file a wire: how to ask, and how to read the answer.

A wire's `request(ask, token)` writes the HTTP request; its `Parser(ask, token)` turns events into deltas:
`feed(data)` and, when the body has ended, `eof(clean)`, whose one delta is the verdict. With `token`, which only
Gemini has, it goes on where another response stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from .._ask import Ask, Request
from .._deltas import Continue, Delta, Failure, Finish
from . import anthropic, gemini, openai_chat, openai_responses

__all__ = ["WIRES", "Parser", "Wire"]


class Parser(Protocol):
    """Reads one response."""

    @property
    def held(self) -> int:
        """Bytes of memory for what came and is not handed on as a delta, so that no panel counts it."""

    def feed(self, data: bytes, whole: bool = True) -> Iterable[Delta]:
        """The deltas in one event. `whole`: whether its blank line came."""

    def plain(self, data: bytes) -> str:
        """The short way for an event that follows one which brought text alone: its text, if it brings text alone too
        and changes nothing else; "" if it is to be fed."""

    def put_off(self) -> Iterable[Delta]:
        """What the short way left for later: asked for before the next event is fed, and at the end."""

    def eof(self, clean: bool) -> Finish | Failure | Continue: ...


class Wire(NamedTuple):
    """One wire, both directions."""

    request: Callable[[Ask, str | None], Request]
    parser: Callable[[Ask, str | None], Parser]


WIRES: dict[str, Wire] = {
    "openai_chat": Wire(openai_chat.request, openai_chat.Parser),
    "openai_responses": Wire(openai_responses.request, openai_responses.Parser),
    "anthropic": Wire(anthropic.request, anthropic.Parser),
    "gemini": Wire(gemini.request, gemini.Parser),
}
