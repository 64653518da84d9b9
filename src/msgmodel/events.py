"""The events of a panel: plain dicts, safe for `json.dumps`.

Rule: a stream is any number of events, then exactly one `panel_final` or `panel_error`, and nothing after it. The
text of all `panel_delta` events joined is the `content` of that last event.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

from .messages import Message

Status: TypeAlias = Literal["complete", "truncated", "filtered", "tool_calls", "paused", "unknown"]
"""Our verdict on a reply that ended by the rules of its wire.

`complete`: the model finished. `truncated`: a limit or a fault at the provider cut the reply short. `filtered`: the
reply was refused or filtered. `tool_calls`: the model waits for the results of tools. `paused`: not finished, the
provider expects a request to continue. `unknown`: the provider's reason means none of these, or announced tool calls
that are not there.
"""

ErrorCode: TypeAlias = Literal[
    "authentication",
    "permission",
    "not_found",
    "rate_limit",
    "quota",
    "context_length",
    "too_large",
    "invalid_request",
    "content_policy",
    "overloaded",
    "server",
    "network",
    "timeout",
    "interrupted",
    "protocol",
    "reply_too_large",
    "cancelled",
]
"""What went wrong. The provider reported the first eleven; `network` to `cancelled` are faults of the stream."""


class Usage(TypedDict):
    """Tokens of one reply, over all its requests. None if unknown."""

    input_tokens: int | None
    """All tokens of the input, cached tokens included."""
    output_tokens: int | None
    """All tokens of the output, reasoning included."""
    reasoning_tokens: int | None
    """The part of `output_tokens` that was reasoning."""
    cached_tokens: int | None
    """The part of `input_tokens` that was read from the provider's cache."""
    cache_write_tokens: int | None
    """The part of `input_tokens` that was written to the provider's cache."""
    source: Literal["provider", "estimated"]
    """`estimated` if the provider did not report all counts, as after a cut: then four bytes count as one token."""


class Privacy(TypedDict):
    """What happens to the data of this one request, computed from the request that was sent."""

    provider: str
    training_retention: bool | None
    """Whether the provider may train on the data; None if that depends on the account, or on an unknown server."""
    data_retention: str
    stored: bool | None
    """The value of the storage switch as sent; None if none was sent."""
    endpoint: str
    """The host that the request was sent to, or `in-process`."""
    inline_file: bool
    """Whether the request contained the bytes of a file."""
    local: bool
    """Whether no data left this machine."""
    enforcement_level: Literal["in_process", "request", "policy", "unknown"]
    """What guarantees it: nothing was sent, a switch in the request, the provider's policy, or nothing known."""
    provider_policy: str
    special_conditions: str
    reference: str
    """URL of the policy."""
    checked: str
    """ISO date on which the policy was read."""


class Timing(TypedDict):
    """Seconds since the call began."""

    first_delta_seconds: float | None
    total_seconds: float
    attempts: int
    """Requests sent, retries and continuations included."""


class ToolCall(TypedDict):
    """A tool call that the model requests.

    A complete call is in `message` and waits for its result, even if its arguments are not valid JSON: the model made a
    mistake, and a result with `is_error` lets it try again.
    """

    id: str
    """The provider's id, or one made here if it sent none or the same twice; unique in a conversation."""
    name: str
    """Never empty."""
    arguments: str
    """The text as the model wrote it."""
    arguments_json: Any
    """The parsed text: an object in a correct call. None if the call is incomplete or the text is not valid JSON."""
    complete: bool
    """Whether all of the call is proven to have arrived: by what followed it, or by a reply that ended well. The last
    call of a reply that hit a limit or broke off is never complete, nor is an earlier one whose end was not reported
    and whose arguments are not a JSON object. Never execute an incomplete call."""


class Segment(TypedDict):
    """One of the responses that make up a reply which was continued, resumed, or begun by another provider.

    A provider that failed after it had shown reasoning has no `characters`, only `usage`.
    """

    provider: str
    model: str
    characters: int
    """Number of characters of `content` in this segment."""
    overlap: int
    """Number of characters that repeated the end of the segment before, and were left out."""
    status: Status | ErrorCode
    """How it ended."""
    finish_reason: str | None
    request_id: str | None
    usage: Usage | None


class Source(TypedDict):
    """A source that the reply cites."""

    url: str | None
    title: str | None
    text: str | None


class PanelDelta(TypedDict):
    """A piece of the reply's text."""

    event: Literal["panel_delta"]
    panel_id: str
    delta: str


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


class PanelToolDelta(TypedDict):
    """A piece of a tool call's arguments, sent if `tool_deltas` is set. Never execute it."""

    event: Literal["panel_tool_delta"]
    panel_id: str
    id: str
    name: str
    delta: str


class PanelRetry(TypedDict):
    """A new request after a failure, to another provider or after some text was shown.

    `fallback`: another provider answers from the start; discard the reasoning that was shown.
    `resume`: the stream broke, and the same provider continues; the text that was shown stands.
    """

    event: Literal["panel_retry"]
    panel_id: str
    reason: Literal["fallback", "resume"]
    provider: str
    """The provider of the new request."""
    model: str
    code: ErrorCode
    """The code of the failure before."""
    error: str


class PanelSource(TypedDict):
    """A citation or a search result that the reply is based on."""

    event: Literal["panel_source"]
    panel_id: str
    url: str | None
    title: str | None
    text: str | None


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
    """US dollars by the provider's price list; None if the price is unknown or the extra `[cost]` is missing."""
    timing: Timing
    request_id: str | None
    message: Message
    """The assistant's turn, to append to `messages`."""
    segments: NotRequired[list[Segment]]
    reasoning: NotRequired[str]
    refusal: NotRequired[str]
    tool_calls: NotRequired[list[ToolCall]]
    sources: NotRequired[list[Source]]


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
    timing: Timing
    request_id: str | None
    message: Message
    """The assistant's turn as far as it arrived, with `partial` set."""
    segments: NotRequired[list[Segment]]
    reasoning: NotRequired[str]
    refusal: NotRequired[str]
    tool_calls: NotRequired[list[ToolCall]]
    sources: NotRequired[list[Source]]


PanelEnd: TypeAlias = PanelFinal | PanelError
PanelEvent: TypeAlias = (
    PanelDelta | PanelReasoning | PanelRefusal | PanelToolDelta | PanelToolCall | PanelSource | PanelRetry | PanelEnd
)


class PanelSummary(TypedDict):
    """How one panel of a batch ended."""

    panel_id: str
    provider: str
    model: str
    status: Status | None
    """The status of a `panel_final`; None after a `panel_error`."""
    code: ErrorCode | None
    """The code of a `panel_error`; None after a `panel_final`."""
    first_delta_seconds: float | None
    total_seconds: float
    usage: Usage
    cost: float | None


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
