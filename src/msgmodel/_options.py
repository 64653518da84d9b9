"""What a caller passes to the six functions, as types: the arguments in their signatures, and the keyword options.

Rule: this module checks nothing. `_arguments` turns these values into a `Question`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict

from .events import PanelEnd
from .messages import Message
from .question.config import KeyLike, ProviderConfig
from .question.files import FileLike
from .question.question import Effort
from .question.tools import ToolLike

if TYPE_CHECKING:
    import httpx2
    from typing_extensions import TypeVar

    Wanted = TypeVar("Wanted", default=Any)
    """The caller's class, which the object of a reply is an instance of."""

OutputLike: TypeAlias = type[Any] | Mapping[str, Any] | Literal["json"] | None
"""What `output=` takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """The first ten arguments of each function.

    A class, not a tuple: it is passed by name, and a traceback that prints local variables does not print the key.
    """

    provider: str
    prompt: str = field(repr=False)
    api_key: KeyLike | None = field(default=None, repr=False)
    system_instruction: str | None = field(default=None, repr=False)
    file_like: FileLike | None = field(default=None, repr=False)
    filename: str | None = None
    config: ProviderConfig | None = None
    max_tokens: int | None = None
    model: str | None = None
    temperature: float | None = None


class Fallback(TypedDict, total=False):
    """A fallback provider if the first one fails before any text. Missing fields are read from the environment."""

    provider: str
    model: str | None
    api_key: KeyLike | None
    config: ProviderConfig | None


class QuestionOptions(TypedDict, total=False):
    """`Options` without `output`, which `query` and `aquery` have in their signature, so that their reply is typed."""

    repair: int
    """Maximum times that a complete reply is asked for again, with its errors, because it does not have the format of
    `output`; 0 by default."""

    messages: Sequence[Message]
    """The conversation so far, which `prompt` continues."""
    files: Sequence[FileLike | tuple[str, FileLike]]
    """More attachments; use (name, file) if a file has no name of its own."""
    tools: Sequence[ToolLike]
    """Functions that the model may call: Python functions (extra `[tools]`), classes, or dicts with a JSON schema; and
    tools that the provider runs: "web_search", "code_execution", "url_context", or dicts as its API has them."""
    tool_choice: str | Mapping[str, Any] | None
    """"auto", "none", "required" or the name of a tool, also as a dict in a provider's form; by default, the provider
    decides."""
    tool_deltas: bool
    """Whether to show the arguments of tool calls while they arrive, as `panel_tool_delta`; False by default."""
    part_deltas: bool
    """Whether to show audio while it arrives, as `panel_part_delta`; False by default."""
    progress: bool
    """Whether to send a `panel_progress` after each second without another event; False by default. It needs a thread
    in blocking code. Functions that return text alone ignore it."""
    reasoning: Effort | None
    """How much the model reasons: "none", "low", "medium" or "high"; by default, the model decides."""
    cache_prompt: bool | Literal["5m", "1h"]
    """Whether the provider should cache the prompt for the next question that begins alike; False by default.

    Anthropic caches only if asked to, for 5 minutes unless you say otherwise; OpenRouter passes the wish on. The other
    providers cache by themselves, so True sends them nothing, and a duration is refused."""
    max_retries: int
    """Maximum retries after a transient failure before the first text, of each request; 2 by default."""
    continue_truncated: int
    """Maximum automatic continuations after a token limit or a pause; 0 by default. If one fails, the earlier status
    stands: truncated or paused."""
    resume_interrupted: bool
    """Whether to ask the same provider for the rest after a stream broke, at most `max_retries` times; False by
    default."""
    fallbacks: Sequence[str | tuple[str, str] | Fallback]
    """Providers, or providers and models, to ask in turn if the one before fails before its first text."""
    first_token_timeout: float | None
    """Maximum seconds until the first text, for each provider; `timeout` by default."""
    idle_timeout: float | None
    """Maximum seconds of a silence after the first text; `timeout` by default."""
    deadline: float | None
    """Maximum seconds for the complete reply, retries included; no limit by default."""
    max_cost: float | None
    """Maximum US dollars for the reply, with its retries, continuations and fallbacks; no limit by default. It needs
    the price of the model (extra `[cost]`). Then the reply ends as `truncated`, with `truncated_by: "budget"`."""
    max_total_tokens: int | None
    """Maximum tokens of input and output, reasoning and all requests included; no limit by default. It ends a reply as
    `max_cost` does."""
    max_reply_bytes: int
    """Maximum bytes of memory for a reply, with its reasoning, tool calls and sources; 64 MiB by default. A larger
    reply ends with the code `reply_too_large` and the text so far."""
    on_end: Callable[[PanelEnd], object] | None
    """Called with the terminal event, also if you stop reading early: then it is a `panel_error` with code `cancelled`.

    If it raises an exception, we log the exception's type and the stream goes on; SystemExit and KeyboardInterrupt
    are not caught."""


class Options(QuestionOptions, total=False):
    """The keyword options of every function, besides the arguments in its signature."""

    output: OutputLike
    """The format of the reply: a class (msgspec Struct, dataclass, TypedDict, pydantic model), a list of one, such as
    `list[Person]`, a dict with a JSON schema, or "json" for any JSON. `object` of the last event then holds the value,
    if the reply is complete and has the format."""


class SyncOptions(Options, total=False):
    """`Options`, and for the blocking functions:"""

    http_client: httpx2.Client
    """Your own client, for a proxy, certificates or tracing. We do not close it."""


class AsyncOptions(Options, total=False):
    """`Options`, and for the async functions:"""

    http_client: httpx2.AsyncClient
    """Your own client, for a proxy, certificates or tracing. We do not close it."""


class SyncQueryOptions(QuestionOptions, total=False):
    """`SyncOptions` without `output`."""

    http_client: httpx2.Client


class AsyncQueryOptions(QuestionOptions, total=False):
    """`AsyncOptions` without `output`."""

    http_client: httpx2.AsyncClient


class OwnSettings(TypedDict, total=False):
    """The arguments of a function that one call of a conversation may change."""

    api_key: KeyLike | None
    config: ProviderConfig | None
    max_tokens: int | None
    model: str | None
    temperature: float | None
    timeout: float
    system_instruction: str | None


class SyncSettings(SyncOptions, OwnSettings, total=False):
    """The settings that one call may change, for blocking functions."""


class AsyncSettings(AsyncOptions, OwnSettings, total=False):
    """The settings that one call may change, for async functions."""


class SyncQuerySettings(SyncQueryOptions, OwnSettings, total=False):
    """`SyncSettings` without `output`."""


class AsyncQuerySettings(AsyncQueryOptions, OwnSettings, total=False):
    """`AsyncSettings` without `output`."""
