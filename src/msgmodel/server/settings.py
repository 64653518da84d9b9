"""The settings of the server. Each has a default that is safe on your own machine."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from ..errors import ConfigurationError
from ..providers import find_provider
from .log import TTL_SECONDS
from .response import HEARTBEAT_SECONDS
from .streams import grace_of

_WILDCARDS = frozenset("*?[")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(\[[0-9a-f:.]+\]|[^][/?#@*:\s]+)(:[0-9]{1,5})?", re.IGNORECASE)
"""An origin as a browser sends it: https://www.rfc-editor.org/rfc/rfc6454#section-6.1"""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of a server. A wrong value raises ConfigurationError."""

    tokens: tuple[str, ...] = ()
    """Bearer tokens. Each is a user who sees only its own streams. Without tokens, all clients are one user."""
    hosts: tuple[str, ...] = ()
    """Host names, without a port, that requests may name in addition to those of the loopback."""
    origins: tuple[str, ...] = ()
    """Origins of other sites whose pages may use the server, such as "https://chat.example.com" or "app://obsidian.md".
    Each is compared as a whole; there are no wildcards. A page still needs a token if there are tokens."""
    providers: tuple[str, ...] = ()
    """Providers that requests may use. Empty: all that have a key, and the embedded model."""
    models: tuple[str, ...] = ()
    """Patterns of models that requests may use, such as "gpt-6-*". Empty: all. A model file for the embedded engine
    must be listed by its path, without a wildcard."""
    default_provider: str = ""
    """The provider for requests that name none. Empty: the first that is ready."""
    on_disconnect: str = "grace:30"
    """What happens to a stream without readers: "cancel", "continue" or "grace:SECONDS"."""
    ttl_seconds: float = TTL_SECONDS
    """How long a stream can be read after its end."""
    grace_seconds: float = 10.0
    """How long running streams may continue when the server is told to end."""
    heartbeat_seconds: float = HEARTBEAT_SECONDS
    """A comment is sent after so long a silence, at most 15. Use less if a proxy has a shorter timeout."""
    max_body_bytes: int = 32 * 1024 * 1024
    """Bytes of a request's body, and of all large bodies of one client together."""
    max_prompt_chars: int = 1_000_000
    """Characters of all text in a request, and of all text that is sent to a provider for it, as JSON: messages, tools
    with their schemas, results, names, text files. `max_body_bytes` limits the other files."""
    max_panels: int = 8
    """Panels of one request."""
    max_streams: int = 2_000
    """Streams that run at a time, in one worker."""
    max_streams_per_client: int | None = None
    """Streams of one client that run at a time. A client is a token or, without tokens, an address. None: 64 for a
    token, and no limit for an address, which may belong to a proxy."""
    max_readers_per_stream: int = 16
    """Readers of one stream at a time, in one worker. The request that started the stream counts, too."""
    max_readers_per_client: int | None = None
    """Streams that one client reads at a time, in one worker. None: four times as many as it may start."""
    max_tokens: int | None = None
    """Tokens of one reply, with all its continuations: the most that a request may ask for, and the default."""
    max_cost: float | None = None
    """US dollars that all replies to one request may cost together: a request may ask for less. A reply ends at the
    limit as `truncated`, with `truncated_by: "budget"`. The price of each model must be known (extra `[cost]`)."""
    max_provider_requests: int = 100
    """Requests to providers that one request may cause: those of all panels with their retries, fallbacks and
    continuations. A request that could cause more is refused with 422."""
    max_reply_bytes: int = 32 * 1024 * 1024
    """Bytes of memory that the reply of one panel may take, with everything kept of it. A larger reply ends with the
    code `reply_too_large`, and so do the replies of a stream with more than 16 MiB of events."""
    max_memory_bytes: int = 256 * 1024 * 1024
    """Bytes of memory that all replies together may take, in one worker: those that run and, without Redis, those that
    are kept after their end. Above it, kept replies are dropped first; then large running ones end as `interrupted`."""
    max_seconds: float = 3600.0
    """The longest time that a panel may take."""
    tools: tuple[Any, ...] = ()
    """Functions, and connections by `mcp_tools`, which the server runs when a model calls them. A request names those
    that its model may call; nothing else can run."""
    tool_approval: str | tuple[str, ...] = "ask"
    """Which calls of the tools the user must approve: "ask" for all, or the names of tools."""
    max_rounds: int = 10
    """Requests to the model in one run of tools. A request may ask for less."""
    max_tool_calls: int = 100
    """Calls in one run of tools. A request may ask for less."""
    tool_timeout: float = 60.0
    """Seconds for each call of a tool."""
    state_secret: str = field(default="", repr=False)
    """The secret of at least 16 characters that signs the states of runs which wait. Workers that share a Redis need
    the same. Empty: a random one, so that a restart forgets the runs which wait."""

    def __post_init__(self) -> None:
        for name in ("tokens", "hosts", "origins", "providers", "models"):
            found = getattr(self, name)
            if isinstance(found, str) or not all(isinstance(each, str) for each in found):  # so is a string
                raise ConfigurationError(f"{name} must be a tuple of strings")
        for origin in self.origins:
            if not _ORIGIN.fullmatch(origin):
                raise ConfigurationError(
                    f"{origin!r} in origins must be a scheme, a host and perhaps a port, without a path or a wildcard: "
                    "https://chat.example.com"
                )
        grace_of(self.on_disconnect)
        for name in ("ttl_seconds", "max_body_bytes", "max_prompt_chars", "max_panels", "max_streams",
                     "max_readers_per_stream", "max_seconds", "heartbeat_seconds", "max_rounds", "max_tool_calls",
                     "tool_timeout"):  # fmt: skip
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigurationError(f"{name} must be a number above 0")
        if self.heartbeat_seconds > HEARTBEAT_SECONDS:
            raise ConfigurationError(f"heartbeat_seconds must be at most {HEARTBEAT_SECONDS:g}")
        if not 0 <= self.grace_seconds < math.inf:
            raise ConfigurationError("grace_seconds must be a number of at least 0")
        for name in ("max_tokens", "max_provider_requests", "max_streams_per_client", "max_readers_per_client"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise ConfigurationError(f"{name} must be at least 1")
        if self.max_cost is not None and not 0 < self.max_cost < math.inf:
            raise ConfigurationError("max_cost must be a number of US dollars above 0")
        if not isinstance(self.max_reply_bytes, int) or self.max_reply_bytes < 1024:
            raise ConfigurationError("max_reply_bytes must be a whole number of at least 1024")
        if not isinstance(self.max_memory_bytes, int) or self.max_memory_bytes < 1024 * 1024:
            raise ConfigurationError("max_memory_bytes must be a whole number of at least 1048576")
        for token in self.tokens:
            if len(token) < 16 or not token.isascii() or not token.isprintable() or " " in token:
                raise ConfigurationError("a token must have at least 16 printable ASCII characters, and no space")
        if not isinstance(self.tools, tuple | list):
            raise ConfigurationError("tools must be a list of functions")
        if isinstance(self.tool_approval, str) and self.tool_approval != "ask":
            raise ConfigurationError('tool_approval must be "ask", or a tuple of the names of tools')
        if 0 < len(self.state_secret) < 16:
            raise ConfigurationError("state_secret must have at least 16 characters")
        allowed = {find_provider(name).name for name in self.providers}
        if self.default_provider:
            name = find_provider(self.default_provider).name
            if allowed and name not in allowed:
                raise ConfigurationError(f"default_provider {name} is not in providers")

    @property
    def streams_per_client(self) -> int | None:
        """The limit on streams of one client; None if there is none."""
        if self.max_streams_per_client is not None:
            return self.max_streams_per_client
        return 64 if self.tokens else None

    @property
    def readers_per_client(self) -> int | None:
        """The limit on streams that one client reads; None if there is none."""
        if self.max_readers_per_client is not None or self.streams_per_client is None:
            return self.max_readers_per_client
        return 4 * self.streams_per_client

    def allows(self, model: str) -> bool:
        """Return whether requests may use this model."""
        return not self.models or self.names(model) or any(fnmatchcase(model, pattern) for pattern in self.models)

    def names(self, model: str) -> bool:
        """Return whether the settings list this model by its name, not by a pattern."""
        return model in self.models and _WILDCARDS.isdisjoint(model)
