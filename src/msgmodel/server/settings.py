"""What the server may do, and for whom. Everything has a default that is safe on one's own machine."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ..errors import ConfigurationError
from ..providers import find_provider
from .log import TTL_SECONDS
from .response import HEARTBEAT_SECONDS
from .streams import grace

_WILDCARDS = frozenset("*?[")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The limits of a server. Raises ConfigurationError for those that make no sense."""

    tokens: tuple[str, ...] = ()
    """Bearer tokens, each of them a user who sees only streams of its own; without, everybody is the same user."""
    hosts: tuple[str, ...] = ()
    """Host names (without a port) that requests may name, besides those of the loopback."""
    providers: tuple[str, ...] = ()
    """Providers that may be asked; without, all that have a key, and the embedded model."""
    models: tuple[str, ...] = ()
    """Patterns of models that may be asked for, such as "gpt-6-*"; without, all. A model file of the embedded engine
    can be asked for only if its path stands here, without a wildcard."""
    default_provider: str = ""
    """Who is asked where a request names nobody; without, the first that is ready."""
    on_disconnect: str = "grace:30"
    """What becomes of a stream that nobody reads: "cancel", "continue", or "grace:SECONDS"."""
    ttl_seconds: float = TTL_SECONDS
    """How long a stream can be read after its end."""
    grace_seconds: float = 10.0
    """How long running streams may go on when the server is told to end."""
    heartbeat_seconds: float = HEARTBEAT_SECONDS
    """A comment is sent after so long a silence, at most 15: less where a proxy is less patient."""
    max_body_bytes: int = 32 * 1024 * 1024
    max_prompt_chars: int = 1_000_000
    """Of all text that a request brings, and of all text in what is sent to a provider for it, as JSON: messages, tools
    with their schemas, results, names, text files. Files that are no text don't count: `max_body_bytes` limits them."""
    max_panels: int = 8
    max_streams: int = 2_000
    """That run at a time, in one worker."""
    max_streams_per_client: int | None = None
    """That run at a time for one token, or one address where there are no tokens. None: 64 for a token, and no limit of
    its own for an address, which may be that of a proxy."""
    max_readers_per_stream: int = 16
    """That read one stream at a time, in one worker; who asked for it counts too."""
    max_readers_per_client: int | None = None
    """Answers that one client reads at a time, in one worker. None: four times as many as it may have streams."""
    max_tokens: int | None = None
    """Of one reply, with all its continuations: the most a request may ask for, and what is asked for if it doesn't
    say."""
    max_provider_requests: int = 100
    """Requests to providers that one request may cause: those of all panels, with their retries, fallbacks and
    continuations. A request that could cause more is refused with 422."""
    max_reply_bytes: int = 32 * 1024 * 1024
    """Memory that one panel's reply may take, with all that is kept of it. A larger one ends with the code
    `reply_too_large`, and so do the replies of a stream of which the log would have to keep more than 16 MiB."""
    max_seconds: float = 3600.0
    """The longest that a panel may take."""

    def __post_init__(self) -> None:
        for name in ("tokens", "hosts", "providers", "models"):
            found = getattr(self, name)
            if isinstance(found, str) or not all(isinstance(each, str) for each in found):  # letters are names, too
                raise ConfigurationError(f"{name} must be a tuple of strings")
        grace(self.on_disconnect)
        for name in ("ttl_seconds", "max_body_bytes", "max_prompt_chars", "max_panels", "max_streams",
                     "max_readers_per_stream", "max_seconds", "heartbeat_seconds"):  # fmt: skip
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigurationError(f"{name} must be a number above 0")
        if self.heartbeat_seconds > HEARTBEAT_SECONDS:
            raise ConfigurationError(f"heartbeat_seconds must be at most {HEARTBEAT_SECONDS:g}")
        if not 0 <= self.grace_seconds < math.inf:
            raise ConfigurationError("grace_seconds must be a number of at least 0")
        for name in ("max_tokens", "max_provider_requests", "max_streams_per_client", "max_readers_per_client"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise ConfigurationError(f"{name} must be at least 1")
        if not isinstance(self.max_reply_bytes, int) or self.max_reply_bytes < 1024:
            raise ConfigurationError("max_reply_bytes must be a whole number of at least 1024")
        for token in self.tokens:
            if len(token) < 16 or not token.isascii() or not token.isprintable() or " " in token:
                raise ConfigurationError("a token must have at least 16 printable ASCII characters, and no blank")
        allowed = {find_provider(name).name for name in self.providers}
        if self.default_provider:
            name = find_provider(self.default_provider).name
            if allowed and name not in allowed:
                raise ConfigurationError(f"{name} is the default provider, but may not be asked")

    @property
    def streams_per_client(self) -> int | None:
        """The limit that holds; None where there is none."""
        if self.max_streams_per_client is not None:
            return self.max_streams_per_client
        return 64 if self.tokens else None

    @property
    def readers_per_client(self) -> int | None:
        """The limit that holds; None where there is none."""
        if self.max_readers_per_client is not None or self.streams_per_client is None:
            return self.max_readers_per_client
        return 4 * self.streams_per_client

    def allows(self, model: str) -> bool:
        """Whether this model may be asked for."""
        return not self.models or self.names(model) or any(fnmatchcase(model, pattern) for pattern in self.models)

    def names(self, model: str) -> bool:
        """Whether the operator listed this model by its name, not by a pattern."""
        return model in self.models and _WILDCARDS.isdisjoint(model)
