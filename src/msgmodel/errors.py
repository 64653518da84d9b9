"""The exceptions of this library. They have one root; a class exists only if a caller would catch it separately.

Rule: no message, attribute or repr ever holds a key, a URL with a query, or a raw response of a provider.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from .events import ErrorCode, PanelError

TRANSIENT_STATUSES: Final = frozenset({408, 429, 500, 502, 503, 504, 529})
"""HTTP statuses after which the same request may succeed a little later."""

QUOTED_CHARACTERS = 200
MESSAGE_CHARACTERS = 4000


class _Quotes(reprlib.Repr):
    """A repr that reads no more of a value than it shows, because a value may have many megabytes."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 2
        self.maxstring = self.maxother = 100

    repr_bytes = reprlib.Repr.repr_str

    def repr_int(self, x: int, level: int) -> str:
        return super().repr_int(x, level) if x.bit_length() < 1000 else f"<a number of {x.bit_length()} bits>"


_quotes = _Quotes()


def quoted(value: object) -> str:
    """Return the repr of what a caller or a client sent, shortened."""
    return shortened(_quotes.repr(value), QUOTED_CHARACTERS)


def shortened(text: str, characters: int = MESSAGE_CHARACTERS) -> str:
    """Return a text without its middle if it is too long. The end is kept, because it often says what to do."""
    if len(text) <= characters:
        return text
    half = characters // 2
    return f"{text[:half]} ... {text[-half:]}"


class MsgModelError(Exception):
    """Root of everything that this library raises. `message` is the text of `str`; `cause` becomes `__cause__`."""

    def __init__(self, message: str, *, cause: Exception | None = None) -> None:
        message = shortened(message)
        super().__init__(message)
        self.message = message
        if cause is not None:
            self.__cause__ = cause


class ConfigurationError(MsgModelError, ValueError):
    """An argument, a config or an installation is wrong. Raised at the call, before anything is sent."""

    def __init__(self, message: str, *, key_name: str | None = None, cause: Exception | None = None) -> None:
        super().__init__(message, cause=cause)
        self.key_name = key_name


class ValidationError(MsgModelError, ValueError):
    """One of the `validate_*` functions refuses a value. `field` is the name of the argument."""

    def __init__(self, message: str, *, field: str | None = None, cause: Exception | None = None) -> None:
        super().__init__(message, cause=cause)
        self.field = field


class AuthenticationError(MsgModelError):
    """There is no usable key. Raised at the call; the message names every place where we looked."""

    def __init__(self, message: str, *, provider: str | None = None, cause: Exception | None = None) -> None:
        super().__init__(message, cause=cause)
        self.provider = provider


class FileError(MsgModelError):
    """A file can't be read, or the provider does not accept its type or size. Raised at the call."""

    def __init__(self, message: str, *, filename: str | None = None, cause: Exception | None = None) -> None:
        super().__init__(message, cause=cause)
        self.filename = filename


class ReplyError(MsgModelError):
    """A reply is incomplete: a `panel_error` event as an exception.

    Attributes:
        code: The reason, see `msgmodel.events.ErrorCode`.
        content: The text that had arrived.
        status_code: The HTTP status of the provider's response, or None.
        provider: The name of the provider.
        retryable: Whether the same request may succeed a little later.
        retry_after: Seconds that the provider asks to wait, or None.
        request_id: The provider's id of the request, or None.
        event: The complete `panel_error`; None if other code than this library raised the exception.
    """

    code: ErrorCode = "server"
    content: str = ""
    status_code: int | None = None
    provider: str | None = None
    retryable: bool = False
    retry_after: float | None = None
    request_id: str | None = None
    event: PanelError = None  # type: ignore[assignment]


class APIError(ReplyError):
    """The provider reported an error. `response_text` is always None, because a response may quote the request."""

    def __init__(
        self,
        message: str,
        status_code: int | None = None,
        response_text: str | None = None,
        *,
        provider: str | None = None,
        cause: Exception | None = None,
    ) -> None:
        super().__init__(message, cause=cause)
        self.status_code, self.response_text, self.provider = status_code, response_text, provider
        self.retryable = status_code in TRANSIENT_STATUSES


class ProviderError(APIError):
    """A provider's error with a class of its own."""

    def __init__(
        self,
        message: str,
        *,
        provider: str | None = None,
        status_code: int | None = None,
        cause: Exception | None = None,
    ) -> None:
        super().__init__(message, status_code, provider=provider, cause=cause)


class RateLimitError(ProviderError):
    """Code `rate_limit`: too many requests or tokens at a time. Wait `retry_after` seconds, if it is not None."""

    code = "rate_limit"

    def __init__(
        self,
        message: str = "too many requests",
        *,
        provider: str | None = None,
        retry_after: float | None = None,
        cause: Exception | None = None,
    ) -> None:
        super().__init__(message, provider=provider, status_code=429, cause=cause)
        self.retry_after = retry_after


class ContextLengthError(ProviderError):
    """Code `context_length`: the question is longer than the model's context."""

    code = "context_length"

    def __init__(
        self,
        message: str = "the question is longer than the model's context",
        *,
        provider: str | None = None,
        max_tokens: int | None = None,
        prompt_tokens: int | None = None,
        cause: Exception | None = None,
    ) -> None:
        super().__init__(message, provider=provider, status_code=400, cause=cause)
        self.max_tokens, self.prompt_tokens = max_tokens, prompt_tokens


class ServiceUnavailableError(ProviderError):
    """Code `overloaded`: the provider has no capacity now."""

    code = "overloaded"

    def __init__(
        self,
        message: str = "the provider has no capacity now",
        *,
        provider: str | None = None,
        cause: Exception | None = None,
    ) -> None:
        super().__init__(message, provider=provider, status_code=503, cause=cause)


class StreamingError(ReplyError):
    """The stream broke: a network fault, a timeout, a body that ended too early, or an invalid response."""

    code: ErrorCode = "interrupted"

    def __init__(
        self,
        message: str,
        *,
        chunks_received: int | None = None,
        sample_chunks: list[Any] | None = None,
        cause: Exception | None = None,
    ) -> None:
        super().__init__(message, cause=cause)
        self.chunks_received, self.sample_chunks = chunks_received, sample_chunks or []

    @staticmethod
    def detect_error_in_chunk(chunk: Any) -> dict[str, Any] | None:
        """Return the error object in a chunk of a provider's stream; None if there is none."""
        error = chunk.get("error") if isinstance(chunk, dict) else None
        return error if isinstance(error, dict) else None

    @staticmethod
    def is_rate_limit_error(error_obj: Any) -> bool:
        """Return whether an error object of a provider says that there were too many requests."""
        if not isinstance(error_obj, dict):
            return False
        message = f"{error_obj.get('message') or ''}".lower()
        return (
            error_obj.get("type") == "rate_limit_error"
            or error_obj.get("status") == "RESOURCE_EXHAUSTED"
            or any(word in message for word in ("rate", "quota", "limit", "exhausted"))
        )


class NetworkError(StreamingError, APIError):
    """No text arrived: there was no connection, or it broke or stayed silent before the first text.

    Codes `network` and `timeout`. It is also an APIError, because msgmodel 4 raised that.
    """

    code: ErrorCode = "network"


_BY_CODE: Final[Mapping[ErrorCode, type[APIError]]] = MappingProxyType(
    {error.code: error for error in (RateLimitError, ContextLengthError, ServiceUnavailableError)}
)


def exception(event: PanelError) -> ReplyError:
    """Return a `panel_error` event as an exception."""
    kind: type[ReplyError] = StreamingError
    if event["error_type"] == "APIError":
        kind = _BY_CODE.get(event["code"], APIError)
    elif event["code"] == "network" or (event["code"] == "timeout" and event["timing"]["first_delta_seconds"] is None):
        kind = NetworkError
    error = kind(event["error"])
    error.event = event
    error.code = event["code"]
    error.content = event["content"]
    error.status_code = event["status_code"]
    error.provider = event["provider"]
    error.retryable = event["retryable"]
    error.retry_after = event["retry_after"]
    error.request_id = event["request_id"]
    return error
