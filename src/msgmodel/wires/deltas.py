"""Deltas: what every provider's stream consists of, in the order of its arrival. Data only.

A wire's parser turns the events of the wire into deltas; `reply.panel` turns deltas into the events of a panel. The
last one of a response is `Finish`, `Failure`, or `Continue`, which only the end of a body can bring.

NamedTuples, because one is made for each chunk and they are cheaper to make than dataclasses.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias

from ..events import ErrorCode, Source, Status, Usage
from ..messages import JSON


class ResponseStarted(NamedTuple):
    """The provider named the model that answers and its id of the reply; None for what it did not name."""

    model: str | None
    request_id: str | None


class TextDelta(NamedTuple):
    text: str


class ReasoningDelta(NamedTuple):
    text: str


class RefusalDelta(NamedTuple):
    text: str


class ToolFragment(NamedTuple):
    """A piece of a tool call. `key` identifies the call within the reply; `arguments` is JSON text to append."""

    key: str
    id: str
    name: str
    arguments: str


class ToolEnd(NamedTuple):
    """The end of a tool call. `arguments`, unless None, replaces the collected text."""

    key: str
    arguments: str | None = None
    complete: bool = True
    """False if the provider itself reports that the call was cut."""


class OpaqueData(NamedTuple):
    """Data that the next request must send back unchanged. It ends the open part of this kind.

    If no such part is open, it makes a part without text. `key` identifies the call for `tool_call`.
    """

    kind: Literal["text", "reasoning", "tool_call", "opaque"]
    data: JSON
    key: str = ""


class NewPart(NamedTuple):
    """The next delta begins a new part, even if it is of the same kind."""


class SourceCited(NamedTuple):
    source: Source


class UsageSoFar(NamedTuple):
    """The usage of this response so far. It replaces the earlier one."""

    usage: Usage


class Finish(NamedTuple):
    """The reply ended by the rule of its wire."""

    reason: str | None
    status: Status


class Continue(NamedTuple):
    """Another request, which must carry this token, continues the reply."""

    token: str
    reason: str | None = None
    """The finish reason that asks for it; None after a cut behind a checkpoint."""


class Failure(NamedTuple):
    """The reply did not end by the rule of its wire."""

    code: ErrorCode
    message: str
    status_code: int | None = None
    retry_after: float | None = None
    retryable: bool = False
    answered: bool = False
    """Whether the provider itself reported the error; then it is an APIError."""
    request_id: str | None = None


CUT = Failure("interrupted", "the stream ended before the reply did", retryable=True)
"""The verdict on a body that ended before its wire's rule of success was met."""

Delta: TypeAlias = (
    ResponseStarted
    | TextDelta
    | ReasoningDelta
    | RefusalDelta
    | ToolFragment
    | ToolEnd
    | OpaqueData
    | NewPart
    | SourceCited
    | UsageSoFar
    | Finish
    | Failure
)


def source_delta(url: str, title: str = "", text: str = "") -> Iterator[SourceCited]:
    """Yield a source, unless all its fields are empty."""
    if url or title or text:
        yield SourceCited({"url": url or None, "title": title or None, "text": text or None})


def usage_delta(
    *, input: int | None, output: int | None, reasoning: int | None, cached: int | None, cache_write: int | None
) -> UsageSoFar:
    """Return the usage of one wire under the names that all wires share; None for a count that is unknown."""
    return UsageSoFar(
        {
            "input_tokens": input,
            "output_tokens": output,
            "reasoning_tokens": reasoning,
            "cached_tokens": cached,
            "cache_write_tokens": cache_write,
            "source": "provider",
        }
    )
