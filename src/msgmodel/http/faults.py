"""Turns an exception of a connection into a `ConnectionBroken`: its code, and a message that names the host alone.

Rule: no message shows the path or the query of a URL, because either may hold a key.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from ..events import ErrorCode
from ..question.transport import ConnectionBroken, HttpRequest
from . import forks
from .tls_and_proxies import Proxy


class UnreadableResponse(Exception):
    """The answer is not HTTP, breaks off, or exceeds a limit. The text is safe to show."""


FAULTS = (
    OSError,  # and so TimeoutError
    UnicodeError,  # a host name that no resolver takes
    UnreadableResponse,
)
"""What a socket, and the reading of a response, raise."""


def broken_by(request: HttpRequest, error: BaseException, code: ErrorCode) -> ConnectionBroken:
    """Return the fault of a connection for one of FAULTS.

    Args:
        request: The request that was sent.
        error: What was raised.
        code: "network" until the response began, then "interrupted".
    """
    if isinstance(error, TimeoutError):
        return nothing_in_time(request)
    is_safe = isinstance(error, OSError | UnreadableResponse)
    return broken_connection(request, code, str(error) if is_safe else type(error).__name__)


def broken_connection(
    request: HttpRequest, code: ErrorCode, reason: str, proxy: Proxy | None = None
) -> ConnectionBroken:
    """Return the fault of a connection for a reason that is safe to show; `code` as for `broken_by`."""
    when = "before an answer" if code == "network" else "in the middle of the reply"
    host = f"{shown_host(request)}{_by_way_of(proxy)}"
    return ConnectionBroken(code, f"the connection to {host} broke {when}: {_without_number(reason)}")


def inherited_over_fork(request: HttpRequest, code: ErrorCode) -> ConnectionBroken:
    """Return the fault of a connection that belongs to the parent process; `code` as for `broken_by`."""
    return broken_connection(request, code, forks.INHERITED)


def cannot_connect(request: HttpRequest, reason: str, proxy: Proxy | None = None) -> ConnectionBroken:
    """Return the fault of a connection that was refused."""
    place = f"{shown_host(request)}{_by_way_of(proxy)}"
    return ConnectionBroken("network", f"can't connect to {place}: {_without_number(reason)}")


def _without_number(reason: str) -> str:
    """Return the words of an error of the system without its number, which differs between systems."""
    return re.sub(r"^\[Errno -?\d+\] ", "", reason)


def no_connection_in_time(request: HttpRequest, proxy: Proxy | None = None) -> ConnectionBroken:
    """Return the fault of a connection that took too long to be made."""
    return ConnectionBroken("timeout", f"can't connect to {shown_host(request)}{_by_way_of(proxy)}: no answer in time")


def _by_way_of(proxy: Proxy | None) -> str:
    return f" through {proxy}" if proxy else ""


def nothing_in_time(request: HttpRequest, proxy: Proxy | None = None) -> ConnectionBroken:
    """Return the fault of a wait that took too long."""
    return ConnectionBroken("timeout", f"no text from {shown_host(request)}{_by_way_of(proxy)} within the time limit")


def client_closed() -> ConnectionBroken:
    """Return the fault of a pool that its owner has closed."""
    return ConnectionBroken("network", "the client was closed")


def cancelled_reply() -> ConnectionBroken:
    """Return the fault of a reply whose thread was asked to stop."""
    return ConnectionBroken("cancelled", "cancelled before the reply had ended")


def shown_host(request: HttpRequest) -> str:
    """Return the host and the port of the URL, without a user or a password."""
    return urlsplit(request.url).netloc.rpartition("@")[2]
