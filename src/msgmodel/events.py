"""The events of a panel: plain dicts, safe for `json.dumps`.

Rule: a stream is any number of events, then exactly one `panel_final` or `panel_error`, and nothing after it. The
text of all `panel_delta` events joined is the `content` of that last event.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

from .messages import JSON, MediaKind, Message, ToolCallKind
from .reply_facts import (
    CostSource,
    ErrorCode,
    OutputError,
    OutputMethod,
    OutputReceipt,
    PanelSummary,
    PendingCall,
    Privacy,
    ProgressPhase,
    Receipt,
    ReplyDetails,
    ReplyWarning,
    RequestRecord,
    RunRecord,
    Segment,
    Source,
    Spent,
    Status,
    Timing,
    ToolCall,
    ToolOutcome,
    ToolResult,
    ToolRun,
    Usage,
    WarningCode,
)

__all__ = [
    "BatchEvent",
    "BatchFinal",
    "CostSource",
    "ErrorCode",
    "OutputError",
    "OutputMethod",
    "OutputReceipt",
    "PanelDelta",
    "PanelEnd",
    "PanelError",
    "PanelEvent",
    "PanelFinal",
    "PanelItem",
    "PanelObject",
    "PanelPart",
    "PanelPartDelta",
    "PanelProgress",
    "PanelReasoning",
    "PanelRefusal",
    "PanelRetry",
    "PanelRound",
    "PanelSource",
    "PanelSummary",
    "PanelToolCall",
    "PanelToolDelta",
    "PanelToolProgress",
    "PanelToolResult",
    "PanelToolRun",
    "PendingCall",
    "Privacy",
    "ProgressPhase",
    "Receipt",
    "ReplyDetails",
    "ReplyWarning",
    "RequestRecord",
    "RunRecord",
    "Segment",
    "Source",
    "Spent",
    "Status",
    "Timing",
    "ToolCall",
    "ToolOutcome",
    "ToolResult",
    "ToolRun",
    "Usage",
    "WarningCode",
]


class PanelDelta(TypedDict):
    """A piece of the reply's text."""

    event: Literal["panel_delta"]
    panel_id: str
    delta: str
    block: NotRequired[int]
    """The number of the block of text, from 1, if the provider keeps several apart. The first piece of such a block
    begins with a blank line, unless the provider drew one."""


class PanelReasoning(TypedDict):
    """A piece of the model's reasoning (or its summary). Never part of `content`."""

    event: Literal["panel_reasoning"]
    panel_id: str
    delta: str


class PanelRefusal(TypedDict):
    """A piece of the model's own words for its refusal. Never part of `content`; the final status is `filtered`."""

    event: Literal["panel_refusal"]
    panel_id: str
    delta: str


class PanelToolCall(TypedDict):
    """A tool call, sent once it is proven complete: when something follows it, or the reply ends well. If `complete` is
    false, the call was cut. No later verdict takes `complete` back."""

    event: Literal["panel_tool_call"]
    panel_id: str
    id: str
    name: str
    arguments: str
    arguments_json: Any
    complete: bool
    kind: NotRequired[ToolCallKind]


class PanelToolDelta(TypedDict):
    """A piece of a tool call's arguments, sent if `tool_deltas` is set. Never execute it."""

    event: Literal["panel_tool_delta"]
    panel_id: str
    id: str
    name: str
    delta: str


class PanelRetry(TypedDict):
    """A new request after a failure, or after a reply that does not have the format of `output=`.

    `retry`: the same request is sent again after a pause; nothing of its response was shown.
    `fallback`: another provider answers from the start; discard the reasoning that was shown.
    `resume`: the stream broke, and the same provider continues; the text that was shown stands.
    `repair`: the complete reply does not have the format of `output=`, and the same provider answers again; discard the
    text, the values and the items that were shown. The text stays in `content`, as a segment of its own.
    """

    event: Literal["panel_retry"]
    panel_id: str
    reason: Literal["retry", "fallback", "resume", "repair"]
    provider: str
    """The provider of the new request."""
    model: str
    code: ErrorCode | Literal["invalid_output"]
    """The code of the failure before; `invalid_output` with `repair`."""
    error: str
    attempt: NotRequired[int]
    """With `retry`: the number of the new request within the panel; the first one has number 1."""
    seconds_to_wait: NotRequired[float]
    """With `retry`: seconds until the new request is sent."""


class PanelProgress(TypedDict):
    """What the panel waits for, sent after each second without another event if `progress` is set.

    `queued`: the request is not sent yet, as in the pause before a retry. `connecting`: it has no response yet.
    `prompt`: the response has begun, and nothing of the reply is here. `thinking`, `tool`, `text`: the kind of the
    latest part; the server sends something, but no more of it. `silent`: the server sends nothing, not even pings.
    """

    event: Literal["panel_progress"]
    panel_id: str
    phase: ProgressPhase
    seconds: float
    """How long the phase lasts. With `silent`: seconds since the last byte."""
    percent: NotRequired[float]
    """With `prompt`: how much of the prompt was read, 0 to 100, if the server says it, as llama.cpp does."""
    tokens: NotRequired[int]
    """With `thinking`: the tokens of the reasoning so far, if the provider counts them on the way."""
    tokens_per_second: NotRequired[float]
    """With `text`: the estimated speed since the text began."""


class PanelSource(TypedDict):
    """A citation or a search result that the reply is based on."""

    event: Literal["panel_source"]
    panel_id: str
    url: str | None
    title: str | None
    text: str | None
    start: NotRequired[int]
    end: NotRequired[int]
    date: NotRequired[str]
    score: NotRequired[float]
    metadata: NotRequired[dict[str, Any]]


class PanelPart(TypedDict):
    """A part of the reply that is not text. An event with the `id` of an earlier one replaces it."""

    event: Literal["panel_part"]
    panel_id: str
    id: str
    """Unique in the reply."""
    kind: MediaKind
    media_type: str | None
    size: int | None
    """Number of bytes of the data; None if the event has only an address."""
    complete: bool
    """False for a preview that a later event replaces, and for a part that broke off."""
    data: NotRequired[str]
    """The bytes as base64 text."""
    url: NotRequired[str]
    """The address that it can be fetched from, often for a short time only."""
    file_id: NotRequired[str]
    """The provider's name of a file that its own API delivers."""
    name: NotRequired[str]
    """The name of the file."""
    text: NotRequired[str]
    """The transcript of audio, or the prompt that the provider made an image of."""


class PanelPartDelta(TypedDict):
    """A piece of a part that is not text, sent if `part_deltas` is set: its data, its text, or both."""

    event: Literal["panel_part_delta"]
    panel_id: str
    id: str
    kind: MediaKind
    media_type: str | None
    data: str
    """Base64 text, to be decoded piece by piece."""
    text: str


class PanelToolRun(TypedDict):
    """A tool that the provider runs itself began, ended or failed. An event with the same `id` replaces the earlier."""

    event: Literal["panel_tool_run"]
    panel_id: str
    id: str
    """Unique in the reply."""
    name: str
    status: Literal["started", "done", "failed"]
    """Whether it began, ended, or failed."""
    input: JSON
    output: str | None


class PanelRound(TypedDict):
    """A run of tools asks the model again: sent before each request after the first."""

    event: Literal["panel_round"]
    panel_id: str
    round: int
    """The number of the request in the run; the first one has number 1."""


class PanelToolProgress(TypedDict):
    """A piece of what a function in a run of tools yields while it runs."""

    event: Literal["panel_tool_progress"]
    panel_id: str
    id: str
    name: str
    delta: str


class PanelToolResult(ToolResult):
    """A call in a run of tools ended. Each call has exactly one such event."""

    event: Literal["panel_tool_result"]
    panel_id: str


class PanelObject(TypedDict):
    """The value so far of a reply with `output=`, in the place of the one before. Only the last one is complete.

    It is sent when the text has grown by an eighth, and when the value is closed."""

    event: Literal["panel_object"]
    panel_id: str
    value: JSON
    """What has arrived: closed values, and the beginning of an open string. It is not checked before the end."""
    open: str | None
    """The JSON pointer of the value that is still being written, such as `/items/3/name`; None if all is closed."""


class PanelItem(TypedDict):
    """An element of a list that `output=` asks for. It is closed and valid; one that is not valid has no event."""

    event: Literal["panel_item"]
    panel_id: str
    index: int
    """Its place in the list, from 0."""
    item: JSON


class PanelFinal(TypedDict):
    """The last event of a stream that ended by the rules of its wire. Read `status` to know if it is complete."""

    event: Literal["panel_final"]
    panel_id: str
    content: str
    privacy: Privacy
    finish_reason: str | None
    """The provider's own word, untouched."""
    status: Status
    truncated: bool
    truncated_in: Literal["reasoning", "text", "tool_call"] | None
    """What was truncated."""
    provider: str
    wire: str
    """The API that was used: openai_chat, openai_responses, anthropic or gemini."""
    model: str
    """The model that answered, as the provider names it; the requested one if it names none."""
    usage: Usage
    cost: float | None
    """US dollars; None if the price is unknown."""
    cost_source: CostSource
    timing: Timing
    request_id: str | None
    message: Message
    """The assistant's turn, to append to `messages`."""
    segments: NotRequired[list[Segment]]
    reasoning: NotRequired[str]
    refusal: NotRequired[str]
    tool_calls: NotRequired[list[ToolCall]]
    sources: NotRequired[list[Source]]
    tool_runs: NotRequired[list[ToolRun]]
    details: NotRequired[ReplyDetails]
    empty: NotRequired[Literal[True]]
    """Set if nothing but reasoning arrived: no text, no part, no call, no refusal."""
    object: NotRequired[JSON]
    """Only with `output=`: the value, if it has the format and `status` is `complete`; else None."""
    partial: NotRequired[JSON]
    """Only with `output=`, if `object` is None: what arrived of the value."""
    errors: NotRequired[list[OutputError]]
    """Only with `output=`: why the reply does not have the format."""
    untold: list[str]
    """The kinds of what the reply held and no event shows, in the provider's words. Normally empty."""
    receipt: Receipt
    warnings: list[ReplyWarning]
    truncated_by: NotRequired[Literal["rounds", "budget"]]
    """The limit of ours that cut the reply. `rounds`: `max_rounds` of a run of tools. `budget`: `max_cost` or
    `max_total_tokens`."""
    run: NotRequired[RunRecord]
    """What a run of tools did."""


class PanelError(TypedDict):
    """The last event of a stream that broke or was refused. `error` is safe to show in a browser."""

    event: Literal["panel_error"]
    panel_id: str
    error: str
    error_type: Literal["APIError", "StreamingError"]
    code: ErrorCode
    content: str
    """The text that had arrived."""
    provider: str
    wire: str
    model: str
    status_code: int | None
    retryable: bool
    retry_after: float | None
    """Seconds that the provider asks to wait."""
    usage: Usage
    cost: float | None
    cost_source: CostSource
    timing: Timing
    request_id: str | None
    message: Message
    """The assistant's turn as far as it arrived, with `partial` set."""
    segments: NotRequired[list[Segment]]
    reasoning: NotRequired[str]
    refusal: NotRequired[str]
    tool_calls: NotRequired[list[ToolCall]]
    sources: NotRequired[list[Source]]
    tool_runs: NotRequired[list[ToolRun]]
    details: NotRequired[ReplyDetails]
    object: NotRequired[JSON]
    """Only with `output=`: None."""
    partial: NotRequired[JSON]
    """Only with `output=`: what arrived of the value."""
    errors: NotRequired[list[OutputError]]
    """Only with `output=`: why the reply does not have the format."""
    untold: list[str]
    """The kinds of what the reply held and no event shows, in the provider's words. Normally empty."""
    receipt: Receipt
    warnings: list[ReplyWarning]
    run: NotRequired[RunRecord]
    """What a run of tools did."""


PanelEnd: TypeAlias = PanelFinal | PanelError
PanelEvent: TypeAlias = (
    PanelDelta
    | PanelReasoning
    | PanelRefusal
    | PanelPart
    | PanelPartDelta
    | PanelToolDelta
    | PanelToolCall
    | PanelToolRun
    | PanelToolProgress
    | PanelToolResult
    | PanelRound
    | PanelSource
    | PanelObject
    | PanelItem
    | PanelRetry
    | PanelProgress
    | PanelEnd
)


class BatchFinal(TypedDict):
    """The last event of `stream_many`, after the terminal events of all panels."""

    event: Literal["batch_final"]
    panel_id: None
    panels: list[PanelSummary]
    """The panels, in the order of the call."""
    total_seconds: float
    """Seconds until the last panel ended."""
    cost: float | None
    """The sum of the panels; None if one of them is unknown."""


BatchEvent: TypeAlias = PanelEvent | BatchFinal
