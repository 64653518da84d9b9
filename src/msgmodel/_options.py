"""What a caller passes to the six functions, as types: the arguments in their signatures, and the keyword options.

Rule: this module checks nothing. `_arguments` turns these values into a `Question`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypedDict

from .events import PanelEnd
from .messages import Message
from .question.config import ProviderConfig
from .question.files import FileLike
from .question.question import Effort
from .question.tools import ToolLike

if TYPE_CHECKING:
    import httpx2


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """The first ten arguments of each function.

    A class, not a tuple: it is passed by name, and a traceback that prints local variables does not print the key.
    """

    provider: str
    prompt: str = field(repr=False)
    api_key: str | None = field(default=None, repr=False)
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
    api_key: str | None
    config: ProviderConfig | None


class Options(TypedDict, total=False):
    """The keyword options of every function, besides the arguments in its signature."""

    messages: Sequence[Message]
    """The conversation so far, which `prompt` continues."""
    files: Sequence[FileLike | tuple[str, FileLike]]
    """More attachments; use (name, file) if a file has no name of its own."""
    tools: Sequence[ToolLike]
    """Functions that the model may call: dicts with a JSON schema, or Python functions (extra `[tools]`)."""
    tool_choice: str | None
    """"auto", "none", "required" or the name of a tool; by default, the provider decides."""
    tool_deltas: bool
    """Whether to show the arguments of tool calls while they arrive, as `panel_tool_delta`; False by default."""
    reasoning: Effort | None
    """How much the model reasons: "none", "low", "medium" or "high"; by default, the model decides."""
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
    max_reply_bytes: int
    """Maximum bytes of memory for a reply, with its reasoning, tool calls and sources; 64 MiB by default. A larger
    reply ends with the code `reply_too_large` and the text so far."""
    on_end: Callable[[PanelEnd], object] | None
    """Called with the terminal event, also if you stop reading early: then it is a `panel_error` with code `cancelled`.

    If it raises an exception, we log the exception's type and the stream goes on; SystemExit and KeyboardInterrupt
    are not caught."""


class SyncOptions(Options, total=False):
    """`Options`, and for the blocking functions:"""

    http_client: httpx2.Client
    """Your own client, for a proxy, certificates or tracing. We do not close it."""


class AsyncOptions(Options, total=False):
    """`Options`, and for the async functions:"""

    http_client: httpx2.AsyncClient
    """Your own client, for a proxy, certificates or tracing. We do not close it."""
