"""Turns an exception of a connection into a `ConnectionBroken`: its code, and a message that names the host alone.

Rule: no message shows the path or the query of a URL, because either may hold a key.
"""

from __future__ import annotations

from http.client import HTTPException, RemoteDisconnected
from urllib.parse import urlsplit

from ..events import ErrorCode
from ..question.transport import ConnectionBroken, HttpRequest
from . import forks
from .connection_limits import HEAD_BYTES, INTERIM_ANSWERS
from .response_body import Truncated, Unreadable
from .tls_and_proxies import Proxy

FAULTS = (
    HTTPException,
    OSError,  # and so TimeoutError
    UnicodeError,  # a host name that no resolver takes
    Truncated,
    Unreadable,
)
"""What the standard library, and the reading of a body, raise of a connection."""


def broken_by(request: HttpRequest, error: BaseException, code: ErrorCode) -> ConnectionBroken:
    """One of these as ours. `code`: "network" until the response began, then "interrupted"."""
    if isinstance(error, TimeoutError):
        return nothing_in_time(request)
    if isinstance(error, RemoteDisconnected):
        reason = "the server closed the connection"
    elif isinstance(error, Truncated):
        reason = "the body ended before it was whole"
    elif isinstance(error, OSError | Unreadable):
        reason = str(error)
    else:  # what http.client says of it quotes what the server sent
        reason = f"that is no HTTP ({type(error).__name__})"
    return broken_connection(request, code, reason)


def head_too_long() -> Unreadable:
    return Unreadable(f"the head of the answer is longer than {HEAD_BYTES // 1024} KB")


def too_many_interim_answers() -> Unreadable:
    return Unreadable(f"more than {INTERIM_ANSWERS} interim answers (1xx)")


def broken_connection(request: HttpRequest, code: ErrorCode, reason: str) -> ConnectionBroken:
    """A fault of a connection. `code`: "network" until the response began, then "interrupted"."""
    when = "before an answer" if code == "network" else "in the middle of the reply"
    return ConnectionBroken(code, f"the connection to {shown_host(request)} broke {when}: {reason}")


def inherited_over_fork(request: HttpRequest, code: ErrorCode) -> ConnectionBroken:
    return broken_connection(request, code, forks.INHERITED)


def cannot_connect(request: HttpRequest, reason: str, proxy: Proxy | None = None) -> ConnectionBroken:
    return ConnectionBroken("network", f"can't connect to {shown_host(request)}{_by_way_of(proxy)}: {reason}")


def no_connection_in_time(request: HttpRequest, proxy: Proxy | None = None) -> ConnectionBroken:
    return ConnectionBroken("timeout", f"can't connect to {shown_host(request)}{_by_way_of(proxy)}: no answer in time")


def _by_way_of(proxy: Proxy | None) -> str:
    return f" through {proxy}" if proxy else ""


def nothing_in_time(request: HttpRequest) -> ConnectionBroken:
    return ConnectionBroken("timeout", f"no text from {shown_host(request)} within the time limit")


def client_closed() -> ConnectionBroken:
    return ConnectionBroken("network", "the client was closed")


def cancelled_reply() -> ConnectionBroken:
    return ConnectionBroken("cancelled", "cancelled before the reply had ended")


def shown_host(request: HttpRequest) -> str:
    return urlsplit(request.url).netloc.rpartition("@")[2]
