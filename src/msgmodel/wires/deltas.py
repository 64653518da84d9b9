"""What every provider's stream is made of, in the order in which it arrives. Data only.

A wire's parser turns events into these; `reply.panel` turns these into events. `Finish` or `Failure` is the last one of
a response, or `Continue`, which only the end of a body can say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias

from ..events import ErrorCode, Source, Status, Usage
from ..messages import JSON


class ResponseStarted(NamedTuple):
    """The provider names the model that answers and its id of the reply; None where it doesn't."""

    model: str | None
    request_id: str | None


class TextDelta(NamedTuple):
    text: str


class ReasoningDelta(NamedTuple):
    text: str


class RefusalDelta(NamedTuple):
    text: str


class ToolFragment(NamedTuple):
    """A piece of a tool call. `key` tells the calls of one reply apart; `arguments` is JSON text to be appended."""

    key: str
    id: str
    name: str
    arguments: str


class ToolEnd(NamedTuple):
    """No more of this call comes. `arguments`, unless None, replaces what was collected."""

    key: str
    arguments: str | None = None
    whole: bool = True
    """False where the provider itself says that the call was cut."""


class OpaqueData(NamedTuple):
    """The open part of this kind ends here, with what the provider wants back unchanged.

    Where none is open, it makes a part without text. `key`: which call, for `tool_call`.
    """

    kind: Literal["text", "reasoning", "tool_call", "opaque"]
    data: JSON
    key: str = ""


class NewPart(NamedTuple):
    """What comes now is a part of its own, though it may be of the same kind."""


class SourceCited(NamedTuple):
    source: Source


class UsageSoFar(NamedTuple):
    """The usage of this response so far: it replaces what was said before."""

    usage: Usage


class Finish(NamedTuple):
    """The reply ended by the rule of its wire."""

    reason: str | None
    status: Status


class Continue(NamedTuple):
    """The reply goes on in another request, which must carry this token."""

    token: str
    reason: str | None = None
    """The finish reason that says so; None at a cut after a checkpoint."""


class Failure(NamedTuple):
    """The reply did not end by the rule of its wire."""

    code: ErrorCode
    message: str
    status_code: int | None = None
    retry_after: float | None = None
    retryable: bool = False
    answered: bool = False
    """Whether the provider itself said so (then it is an APIError)."""
    request_id: str | None = None


CUT = Failure("interrupted", "the stream ended before the reply did", retryable=True)
"""The verdict on a body that ended before its wire's rule of success was kept."""

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
    """A source, unless nothing of it is known."""
    if url or title or text:
        yield SourceCited({"url": url or None, "title": title or None, "text": text or None})


def usage_delta(
    *, input: int | None, output: int | None, reasoning: int | None, cached: int | None, cache_write: int | None
) -> UsageSoFar:
    """The numbers of one wire under the names that all share."""
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
