"""The events that a panel consists of: plain dicts, safe for `json.dumps`.

Rule: a stream is any number of events, then exactly one `panel_final` or `panel_error`, and nothing after it. The
text of all `panel_delta` events joined is the `content` of that last event.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

from .messages import Message

Status: TypeAlias = Literal["complete", "truncated", "filtered", "tool_calls", "paused", "unknown"]
"""Our verdict on a reply that ended by the rules of its wire.

`complete`: the model said all it wanted. `truncated`: a limit or a fault at the provider cut it short.
`filtered`: refused or filtered. `tool_calls`: the model waits for results of tools. `paused`: not finished, the
provider wants to be asked to go on. `unknown`: the provider gave a reason that says none of these, or named calls and
made none.
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
"""What went wrong. The first eleven are answers of the provider; `network` to `cancelled` are about the stream."""


class Usage(TypedDict):
    """Tokens of one reply, over all the requests that it took. None where nobody knows."""

    input_tokens: int | None
    """Everything that went in, cached tokens included."""
    output_tokens: int | None
    """Everything that came out, reasoning included."""
    reasoning_tokens: int | None
    """The part of `output_tokens` that was reasoning."""
    cached_tokens: int | None
    """The part of `input_tokens` that was read from the provider's cache."""
    cache_write_tokens: int | None
    """The part of `input_tokens` that was written to the provider's cache."""
    source: Literal["provider", "estimated"]
    """`estimated` when the provider did not say all of it, as after a cut: then a token is counted for four bytes."""


class Privacy(TypedDict):
    """What happens to the data of this one request, computed from the request that was sent."""

    provider: str
    training_retention: bool | None
    """Whether the provider may train on it; None where that depends on the account or on somebody else's server."""
    data_retention: str
    stored: bool | None
    """The value of the storage switch as sent; None where none was sent."""
    endpoint: str
    """Host that the request went to, or `in-process`."""
    inline_file: bool
    """Whether the bytes of a file were in the request."""
    local: bool
    """Whether nothing left this machine."""
    enforcement_level: Literal["in_process", "request", "policy", "unknown"]
    """What makes it so: nothing was sent, a switch in the request, the provider's policy, or nothing that is known."""
    provider_policy: str
    special_conditions: str
    reference: str
    """URL of the policy."""
    checked: str
    """ISO date on which the policy was read."""


class Timing(TypedDict):
    """Seconds since the question was asked."""

    first_delta_seconds: float | None
    total_seconds: float
    attempts: int
    """Requests sent, retries and continuations included."""


class ToolCall(TypedDict):
    """A call that the model wants made.

    A call that is complete stands in `message` and waits for its result, also where its arguments are no JSON: then
    the model made a mistake, and a result with `is_error` lets it try again.
    """

    id: str
    """The provider's, or one made here where it gave none or the same twice; no two calls of a conversation share it.
    """
    name: str
    """Never empty."""
    arguments: str
    """The text as it came."""
    arguments_json: Any
    """What the text means: an object of a correct call. None where the call is not complete, or its text no JSON."""
    complete: bool
    """Whether the provider proved that all of it came: by what came after it, or by a reply that ended well. The last
    call of a reply that hit a limit or broke off is never complete, and nor is one before it whose end was not said
    and whose arguments are no JSON object. Nothing to execute."""


class Segment(TypedDict):
    """One of the responses that make up a reply which was continued, resumed, or begun by somebody else.

    Of a provider that was given up after it had shown reasoning there are no `characters`, only what it used.
    """

    provider: str
    model: str
    characters: int
    """How many characters of `content` are this segment's."""
    overlap: int
    """How many more it said that repeated the end of the segment before, and were left out."""
    status: Status | ErrorCode
    """How it ended."""
    finish_reason: str | None
    request_id: str | None
    usage: Usage | None


class Source(TypedDict):
    """Something that the reply cites."""

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
    """A piece of the model's own words for refusing. Never part of `content`; the final event is `filtered`."""

    event: Literal["panel_refusal"]
    panel_id: str
    delta: str


class PanelToolCall(TypedDict):
    """A call to a tool, once it is sure to be whole: when something comes after it, or the reply ends well. With
    `complete` false, one that was cut; no verdict takes `complete` back."""

    event: Literal["panel_tool_call"]
    panel_id: str
    id: str
    name: str
    arguments: str
    arguments_json: Any
    complete: bool


class PanelToolDelta(TypedDict):
    """A piece of a tool call's arguments, for who asked for `tool_deltas`. Nothing to execute."""

    event: Literal["panel_tool_delta"]
    panel_id: str
    id: str
    name: str
    delta: str


class PanelRetry(TypedDict):
    """The question is asked again, after something was shown or elsewhere.

    `fallback`: another provider is asked from the start; reasoning that was shown does not count any more.
    `resume`: the stream broke, and the same provider is asked to go on; the text that was shown stands.
    """

    event: Literal["panel_retry"]
    panel_id: str
    reason: Literal["fallback", "resume"]
    provider: str
    """Who is asked now."""
    model: str
    code: ErrorCode
    """What happened before."""
    error: str


class PanelSource(TypedDict):
    """A citation or a search result that the reply rests on."""

    event: Literal["panel_source"]
    panel_id: str
    url: str | None
    title: str | None
    text: str | None


class PanelFinal(TypedDict):
    """The last event of a stream that ended by the rules of its wire. Read `status` before you call it whole."""

    event: Literal["panel_final"]
    panel_id: str
    content: str
    privacy: Privacy
    finish_reason: str | None
    """The provider's own word, untouched."""
    status: Status
    truncated: bool
    truncated_in: Literal["reasoning", "text", "tool_call"] | None
    """What the model was at when it was truncated."""
    provider: str
    wire: str
    """The API that was spoken: openai_chat, openai_responses, anthropic or gemini."""
    model: str
    """The model that answered, as the provider names it; the one asked for where it does not say."""
    usage: Usage
    cost: float | None
    """US dollars by the provider's price list; None where the price is unknown or the extra `[cost]` is missing."""
    timing: Timing
    request_id: str | None
    message: Message
    """The assistant's turn, to be appended to `messages`."""
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
    """The assistant's turn as far as it came, with `partial` set."""
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
    """Of a `panel_final`; None where it was a `panel_error`."""
    code: ErrorCode | None
    """Of a `panel_error`; None where it was a `panel_final`."""
    first_delta_seconds: float | None
    total_seconds: float
    usage: Usage
    cost: float | None


class BatchFinal(TypedDict):
    """The last event of `stream_many`, after the terminal events of all panels."""

    event: Literal["batch_final"]
    panel_id: None
    panels: list[PanelSummary]
    """In the order in which they were asked."""
    total_seconds: float
    """Until the last one had ended."""
    cost: float | None
    """The sum; None where a panel's is unknown."""


BatchEvent: TypeAlias = PanelEvent | BatchFinal
