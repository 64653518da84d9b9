"""The exceptions of this library as answers of your own endpoints: a status, and words that a browser may show.

Rule: a client is told what it can change. What only the operator can change, such as a missing key or the host of a
provider, goes to the log.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Protocol

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket

from ..errors import AuthenticationError, MsgModelError, ReplyError
from ..events import ErrorCode
from .public_events import message_for_client

_log = logging.getLogger("msgmodel.server")

CALL_STATUS: Final = 422
"""The status for an error in the arguments of a call, as in the application that `create_app` returns."""
NO_KEY_STATUS: Final = 503

STATUS_BY_ERROR_CODE: Final[Mapping[ErrorCode, int]] = MappingProxyType(
    {
        # The provider refuses the server, not the client: a 401 or a 403 would ask the client to log in.
        "authentication": 502,
        "permission": 502,
        "quota": 503,
        "not_found": 400,
        "rate_limit": 429,
        "context_length": 413,
        "too_large": 413,
        "invalid_request": 400,
        "content_policy": 400,
        "overloaded": 503,
        "server": 502,
        "network": 502,
        "timeout": 504,
        "interrupted": 502,
        "protocol": 502,
        "reply_too_large": 502,
        "cancelled": 499,
    }
)
"""The status of a response for the error of a reply, by its code."""

_INTERNAL_ERROR: Final = 1011
_MOST_REASON_BYTES: Final = 123
"""RFC 6455, 5.5 and 7.4.1: a websocket is closed with a code and at most so much text."""


class TakesHandlers(Protocol):
    """An application of Starlette or FastAPI."""

    def add_exception_handler(self, exc_class_or_status_code: Any, handler: Any) -> None: ...


def install_error_handlers(app: TakesHandlers) -> None:
    """Let an application of Starlette or FastAPI answer the exceptions of this library with a fitting status.

    The body is `{"error": {"code": ..., "message": ...}}`. An error in the arguments, such as an unknown provider, has
    the status 422. The error of a reply has the status of its code, see `STATUS_BY_ERROR_CODE`, and a `Retry-After`
    header if the provider names a time. A missing key is a 503, and the places that were searched are in the log.

    Call the library before the response begins, as `panel_response(astream_panels(...))` does: it checks arguments at
    the call. After the first byte of a response nothing can change its status.

    Args:
        app: The application whose endpoints call this library.
    """
    app.add_exception_handler(MsgModelError, answer_library_error)


async def answer_library_error(connection: HTTPConnection, error: Exception) -> Response | None:
    """Answer one of this library's exceptions; for a websocket, close it and return None.

    Args:
        connection: The request, or the websocket.
        error: The exception.
    """
    assert isinstance(error, MsgModelError)
    status, code, message = _describe_for_client(error)
    if isinstance(connection, WebSocket):
        reason = message.encode()[:_MOST_REASON_BYTES].decode(errors="ignore")
        await connection.close(_INTERNAL_ERROR, reason)
        return None
    wait = getattr(error, "retry_after", None)
    headers = {} if wait is None else {"retry-after": f"{math.ceil(wait)}"}
    return JSONResponse({"error": {"code": code, "message": message}}, status_code=status, headers=headers)


def _describe_for_client(error: MsgModelError) -> tuple[int, str, str]:
    """Return the status, the code and the message for a client. The log has what the client is not told."""
    message = message_for_client(error)
    if isinstance(error, AuthenticationError):
        return NO_KEY_STATUS, "unavailable", message
    if isinstance(error, ReplyError):
        return STATUS_BY_ERROR_CODE[error.code], error.code, message
    return CALL_STATUS, "invalid_request", message
