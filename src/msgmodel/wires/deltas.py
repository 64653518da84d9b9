"""Deltas: what every provider's stream consists of, in the order of its arrival. Data only.

A wire's parser turns the events of the wire into deltas; `reply.panel` turns deltas into the events of a panel. The
last one of a response is `Finish`, `Failure`, or `Checkpoint`, which only the end of a body can bring.

NamedTuples, because one is made for each chunk and they are cheaper to make than dataclasses.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from ..events import ErrorCode, Source, Status, ToolRun, Usage, WarningCode
from ..messages import JSON, MediaKind, ToolCallKind


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
    kind: ToolCallKind = "function"
    may_be_run: bool = False
    """Whether the provider may still run it itself. Then only a reply that ends well proves that it is the caller's."""


class OpaqueData(NamedTuple):
    """Data that the next request must send back unchanged. It ends the open part of this kind.

    If no such part is open, it makes a part without text. `key` identifies the call for `tool_call`.
    """

    kind: Literal["text", "reasoning", "tool_call", "opaque"]
    data: JSON
    key: str = ""


class NewPart(NamedTuple):
    """The next delta begins a new part, even if it is of the same kind."""

    is_block: bool = False
    """Whether the provider keeps the next words apart from those before, so that they must not be joined to one word.
    Not so for Anthropic's parts of one sentence, which differ in their citations."""
    key: str = ""
    """Names the part for citations of its text."""


class MediaPiece(NamedTuple):
    """A piece of a part that is not text. `data` is base64 text that is whole groups of four; `text` a transcript."""

    key: str
    kind: MediaKind
    media_type: str | None
    data: str = ""
    text: str = ""


class MediaReceived(NamedTuple):
    """A part that is not text. It replaces the pieces and the previews with its key; "" keeps what the pieces brought.

    `complete`: False for a preview. `opaque`: what the provider wants back in its place.
    """

    key: str
    kind: MediaKind
    media_type: str | None
    data: str = ""
    url: str = ""
    file_id: str = ""
    name: str = ""
    text: str = ""
    complete: bool = True
    opaque: JSON = None


class ToolRunChanged(NamedTuple):
    """A tool of the provider began, ended or failed. It replaces the earlier one with its id."""

    run: ToolRun


class CallWasRun(NamedTuple):
    """A tool of the provider ran the call with this key: it is not for the caller.

    `opaque`: what the provider wants back in the place of the call.
    """

    key: str
    opaque: JSON


DetailName: TypeAlias = Literal[
    "stop_sequence",
    "refusal_category",
    "filter_results",
    "moderation",
    "logprobs",
    "related_questions",
    "search_suggestions",
    "finish_message",
    "failed_generation",
]
"""The keys of `ReplyDetails`."""


class DetailFound(NamedTuple):
    """Something that belongs in `details` of the terminal event. A list is appended to the earlier one."""

    name: DetailName
    value: JSON


class ReceiptFact(NamedTuple):
    """What the response says of who answered, for the receipt. It replaces the earlier one."""

    name: Literal["provider_served", "service_tier"]
    value: str


class WarningFound(NamedTuple):
    """What was changed on the way, in the response's own words. Each code is told once."""

    code: WarningCode
    message: str


class Untold(NamedTuple):
    """The reply holds something of a kind that no event shows."""

    kind: str
    in_text: bool = False
    """Whether it is a piece of the text or of a call itself, so that the reply has a hole and is not complete."""


class SourceCited(NamedTuple):
    """A source. `start` and `end`, if it has them, count in the text of the part that `part` names; "" for all text of
    this response.

    `in_bytes`: whether they count the bytes of UTF-8, not characters. `quote`: the words of the reply that stand there,
    to verify the place; "" if the provider does not say.
    """

    source: Source
    part: str = ""
    in_bytes: bool = False
    quote: str = ""


class OtherRequest(NamedTuple):
    """What the provider asked a model besides the reply, and bills beside it."""

    type: str
    """The provider's word, such as `compaction`."""
    model: str | None
    """None for the model that answers."""
    usage: Usage


class UsageSoFar(NamedTuple):
    """The usage of this response so far. It replaces the earlier one."""

    usage: Usage
    others: tuple[OtherRequest, ...] = ()
    """What `usage` leaves out."""


class CostStated(NamedTuple):
    """What the provider says that this response costs. It replaces the earlier one."""

    dollars: float


class PromptProgress(NamedTuple):
    """How much of the prompt the server has read, 0 to 100. It replaces the earlier one."""

    percent: float


class Finish(NamedTuple):
    """The reply ended by the rule of its wire."""

    reason: str | None
    status: Status
    calls_are_whole: bool = False
    """Whether the calls that have not ended are complete although the status does not show it."""
    by_budget: bool = False
    """Whether the caller's budget cut the reply. Then there is no `reason`, unless the provider stopped at the limit
    that the budget sets."""


class Checkpoint(NamedTuple):
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
    provider_served: str | None = None
    """The provider that a router chose, and that failed."""
    failed_generation: str | None = None
    """What the model wrote, if the provider refused that."""


CHOICE_DROPPED = WarningFound("choice_dropped", "the provider sent more replies than the one that is shown")

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
    | MediaPiece
    | MediaReceived
    | ToolRunChanged
    | CallWasRun
    | DetailFound
    | Untold
    | ReceiptFact
    | WarningFound
    | SourceCited
    | UsageSoFar
    | CostStated
    | PromptProgress
    | Finish
    | Failure
)


def source_delta(url: str, title: str = "", text: str = "") -> Iterator[SourceCited]:
    """Yield a source, unless all its fields are empty."""
    if url or title or text:
        yield SourceCited({"url": url or None, "title": title or None, "text": text or None})


def word_deltas(
    kind: type[TextDelta] | type[ReasoningDelta] | type[RefusalDelta], value: object, field: str
) -> Iterator[TextDelta | ReasoningDelta | RefusalDelta | Untold]:
    """Yield the words in a field that should hold a text; the name of the field if it holds something else.

    A number counts as its text: a server between the model and us may have decoded a text that looks like one.

    Args:
        kind: The delta of these words.
        value: What is in the field.
        field: The name of the field.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str):
        if value:
            yield kind(value)
    elif value:
        yield Untold(field, kind is TextDelta)


def argument_text(value: object) -> str:
    """Return the arguments of a call, or a piece of them, as JSON text, whatever type a server gave them.

    Null, and PHP's `[]` for an empty object, are "". All else stays, because "" means that there are no arguments.
    """
    if isinstance(value, str):
        return value
    return "" if value is None or value == [] else msgspec.json.encode(value).decode()


def usage_delta(
    *,
    input: int | None,
    output: int | None,
    reasoning: int | None,
    cached: int | None,
    cache_write: int | None,
    others: tuple[OtherRequest, ...] = (),
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
        },
        others,
    )
