"""What the events of a panel say of a reply: its verdict, its usage, its calls, its sources, its receipt."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

from .messages import JSON, ToolCallKind

Status: TypeAlias = Literal["complete", "truncated", "filtered", "tool_calls", "waiting", "paused", "unknown"]
"""Our verdict on a reply that ended by the rules of its wire.

`complete`: the model finished. `truncated`: a limit or a fault at the provider cut the reply short. `filtered`: the
reply was refused or filtered. `tool_calls`: the model waits for the results of tools. `waiting`: a run
of tools waits for a decision on a call, or for a result that only the application can give. `paused`: not finished, the
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


CostSource: TypeAlias = Literal["provider", "price_list"] | None
"""Who says what a reply costs: its provider, as routers do, or a price list, which the extra `[cost]` installs. None if
the price is unknown. `price_list` also if only some of the responses of a reply came with a price."""


ProgressPhase: TypeAlias = Literal["queued", "connecting", "prompt", "thinking", "tool", "text", "silent"]
"""What a panel waits for."""


class OutputError(TypedDict):
    """One place in which the JSON of a reply does not fit the `output` that was asked for."""

    path: str
    """The JSON pointer (RFC 6901) of the value; empty for the value as a whole."""
    message: str
    """What is there, in words."""
    wanted: str
    """What was wanted there, in words."""


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
    """`estimated` if the provider did not report all counts, as after a cut. Half of the estimates are within 23 %
    of the true count, those of text alone within 16 %."""


class Spent(TypedDict):
    """What several replies took together, those that broke included."""

    usage: Usage
    cost: float | None
    """US dollars; None if the price of one of them is unknown."""


class Privacy(TypedDict):
    """What happens to the data of this one request, computed from the request that was sent."""

    provider: str
    training_retention: bool | None
    """Whether the provider may train on the data; None if that depends on the account, or on an unknown server."""
    data_retention: str
    stored: bool | None
    """The value of the storage switch as sent; None if none was sent."""
    endpoint: str
    """The host of the request, or `in-process`. Clients of a server see `private server` if it is not public."""
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
    kind: NotRequired[ToolCallKind]
    """What the application must do, if it is not to run a function. `arguments_json` has the action in the provider's
    words."""


class ToolRun(TypedDict):
    """A tool that the provider ran itself: a search, code, a file search, a remote server's tool."""

    id: str
    """Unique in the reply."""
    name: str
    """The provider's name of the tool, such as web_search."""
    status: Literal["started", "done", "failed"]
    """`started` in a terminal event: the reply ended before the tool did."""
    input: JSON
    """What the tool was asked, such as the queries of a search or the code; None if the provider does not show it."""
    output: str | None
    """The start of the result, at most 2,000 characters; None if the provider does not show it."""


class ReplyDetails(TypedDict, total=False):
    """What else a provider reported of a reply, each key only if it did."""

    stop_sequence: str
    """The text of `stop=` that ended the reply."""
    refusal_category: str
    filter_results: JSON
    """The scores of the provider's content filter, in its own words."""
    moderation: JSON
    logprobs: list[JSON]
    """The log probabilities of the tokens, in the provider's own words, if they were asked for."""
    related_questions: list[JSON]
    """What a user may ask next, by Perplexity."""
    search_suggestions: str
    """HTML that Google wants shown beside a reply that used its search. Treat it as untrusted."""
    finish_message: str
    """What the provider says about the finish reason."""
    failed_generation: str
    """What the model wrote, if the provider refused it as no valid call of a tool."""
    other_requests: list[JSON]
    """What the provider asked a model besides the reply, as for a compaction or an advisor: the `type` and the `model`
    in its words, and the `usage`. The `usage` and the `cost` of the event include it."""


WarningCode: TypeAlias = Literal[
    "model_substituted",
    "tier_changed",
    "context_cut",
    "context_edited",
    "parameter_ignored",
    "choice_dropped",
    "reasoning_hidden",
    "count_disagrees",
    "cached",
    "part_dropped",
    "text_replaced",
]
"""What differs from what was asked for, as far as the reply itself proves it."""


class ReplyWarning(TypedDict):
    """Something that was changed on the way, and that the reply does not say."""

    code: WarningCode
    message: str


class RequestRecord(TypedDict):
    """One request of a panel."""

    provider: str
    model: str
    code: ErrorCode | None
    """How it failed; None if it did not."""
    seconds_waited: float
    """The pause before it."""


OutputMethod: TypeAlias = Literal["native", "json_object", "prompt"]
"""How a provider is asked for the format of `output=`.

`native`: in the field that its API has for a schema. `json_object`: the API promises JSON, and the system instruction
has the schema. `prompt`: the system instruction alone asks for it.
"""


class OutputReceipt(TypedDict):
    """How the format of `output=` was asked for. The reply itself is checked in any case."""

    method: OutputMethod
    """In the latest request: the rest of a reply that a limit cut is asked for by `prompt`."""
    unenforced: list[str]
    """What the provider does not enforce: the place of each keyword in the schema, as a JSON pointer."""


class Receipt(TypedDict):
    """What was asked for, and who answered."""

    provider_asked: str
    """The provider of the last request."""
    provider_served: str | None
    """The provider that a router chose; None if it names none."""
    model_asked: str
    """The model of the last request."""
    model_served: str
    """The model that answered, as the provider names it; the requested one if it names none."""
    service_tier_asked: str | None
    """The service tier that the request names; None if it names none."""
    service_tier: str | None
    """The service tier that was used; None if the provider names none."""
    host: str
    """The host that the request was sent to, or `in-process`."""
    fields: list[str]
    """The names of the fields of the last request."""
    requests: list[RequestRecord]
    """All requests of the panel, in their order."""
    estimated_input_tokens: int | None
    """Our own estimate of the tokens of the question; None if it has a file without text."""
    input_tokens: int | None
    """The provider's count; None if it reported none."""
    stated_cost: float | None
    """US dollars that the provider states; None if it states none."""
    output: NotRequired[OutputReceipt]
    """Only with `output=`: how the format was asked for."""


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
    """The words of the source that are cited."""
    start: NotRequired[int]
    end: NotRequired[int]
    """The citation stands at `content[start:end]`, if the provider reports a place. Both in characters."""
    date: NotRequired[str]
    score: NotRequired[float]
    """How well the source fits, as the provider rates it."""
    metadata: NotRequired[dict[str, Any]]
    """What else the provider says of the source, in its own words: the store of a file, the fields that you gave it."""


ToolOutcome: TypeAlias = Literal["done", "failed", "refused", "not_run", "unknown"]
"""How a call in a run of tools ended.

`done`: the function returned. `failed`: it raised an error, or it took too long and was canceled. `refused`: the call
was not approved. `not_run`: the reply was cut, the arguments were wrong, or a limit was reached. `unknown`: the
function began, and whether it ended is not known: the process ended, or the function can't be canceled.
"""


class ToolResult(TypedDict):
    """The end of one call in a run of tools."""

    id: str
    name: str
    status: ToolOutcome
    result: JSON
    """What the function returned, as JSON; None unless the status is `done`."""
    error: str | None
    """What the model receives instead of a result, on one line; None if the status is `done`."""
    seconds: float
    """How long the function ran."""


class PendingCall(TypedDict):
    """A call in a run of tools that waits for a decision, or for a result of the application."""

    id: str
    name: str
    arguments: str
    """The text as the model wrote it."""
    arguments_json: Any
    """The parsed text."""
    reason: Literal["approval", "application", "question"]
    """`approval`: decide whether it may run. `application`: no function of the run has this name; pass its result.
    `question`: the function asks the user while it runs, as MCP servers do; `approve` answers."""
    kind: NotRequired[ToolCallKind]
    """What the application must do, if it is not to run a function."""
    message: NotRequired[str]
    """With `question`: what is asked."""
    answer_schema: NotRequired[dict[str, Any]]
    """With `question`: the JSON schema of the answer, which `{"arguments": {...}}` gives."""
    url: NotRequired[str]
    """With `question`: a page that the user is asked to open."""


class RunRecord(TypedDict):
    """What a run of tools did."""

    id: str
    """The id of the run, under which the journal keeps its calls."""
    rounds: int
    """The number of requests to the model."""
    calls: list[ToolResult]
    """The ends of all calls, in the order of the calls."""
    pending: list[PendingCall]
    """The calls that wait."""
    state: dict[str, Any] | None
    """Plain JSON from which `resume_tools` continues; None if there is nothing to continue."""


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
    has_object: NotRequired[bool]
    """Only with `output=`: whether the reply is complete and has the format."""
