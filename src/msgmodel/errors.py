"""The exceptions of this library. One root; a class exists only where a caller would catch it apart.

Rule: no message, attribute or repr ever holds a key, a URL with a query, or a raw answer of a provider.
"""

from __future__ import annotations

from .events import ErrorCode, PanelError


class MsgModelError(Exception):
    """Root of everything that this library raises."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ConfigurationError(MsgModelError, ValueError):
    """An argument, a config or an installation is wrong. Raised at the call, before anything is sent."""


class AuthenticationError(MsgModelError):
    """No usable key. Raised at the call; the message names every place that was looked at."""


class FileError(MsgModelError):
    """A file can't be sent to this provider: its type, its size, or it can't be read. Raised at the call."""


class ReplyError(MsgModelError):
    """A reply that did not come whole; what the `panel_error` event says, as an exception.

    Attributes: `code` (see `msgmodel.events.ErrorCode`), `content` (the text that had arrived), `status_code` (HTTP,
    or None), `retryable`, `retry_after` (seconds, or None), `request_id`, `event` (the whole `panel_error`).
    """

    def __init__(self, event: PanelError) -> None:
        super().__init__(event["error"])
        self.event = event
        self.code: ErrorCode = event["code"]
        self.content = event["content"]
        self.status_code = event["status_code"]
        self.retryable = event["retryable"]
        self.retry_after = event["retry_after"]
        self.request_id = event["request_id"]

    def __reduce__(self) -> tuple[type[ReplyError], tuple[PanelError]]:
        return type(self), (self.event,)


class APIError(ReplyError):
    """The provider answered with an error."""


class StreamingError(ReplyError):
    """The stream broke: network, timeout, a body that ended too early, or bytes that make no sense."""


def exception(event: PanelError) -> ReplyError:
    """The exception that says the same as a `panel_error` event."""
    return APIError(event) if event["error_type"] == "APIError" else StreamingError(event)
