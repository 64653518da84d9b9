"""What the shells need of the I/O, and what every HTTP transport shares: headers, trust, and faults told as ours.

Rules: what breaks comes out as `Broken`, with a message that names the host and nothing else of the URL. A response
that is left with its body unfinished is closed at once, and with it the connection; one that ended goes back to the
pool. Redirects are not followed: they would carry the key to another host. A pool takes no cookies, as it serves many
users.
"""

from __future__ import annotations

import selectors
import ssl
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from http.client import HTTPException, RemoteDisconnected
from ipaddress import ip_address, ip_network
from typing import Any, Protocol
from urllib.parse import SplitResult, urlsplit

from . import _forks
from ._ask import Broken, Request
from ._body import Truncated, Unreadable
from ._verdict import presentable
from ._version import __version__
from .events import ErrorCode

CONNECT_SECONDS = 10.0
EYEBALLS_SECONDS = 0.25
"""When the next address of a host is tried beside one that does not answer (RFC 8305, section 8)."""
DRAIN_SECONDS = 0.1
"""How long to wait for the end of a body whose last event has been read, so that the connection can be used again."""
IDLE_SECONDS = 30.0
"""How long a connection that nobody uses is kept."""
IDLE_CONNECTIONS = 100
HEAD_BYTES = 256 * 1024
"""What the head of an answer may have, with all interim answers before it."""
INTERIM_ANSWERS = 100
"""How many 1xx answers may come before the answer. Some servers send one every few seconds while they work."""

USER_AGENT = {"user-agent": f"msgmodel/{__version__}"}
HEADERS = {
    "content-type": "application/json",
    "accept": "text/event-stream",
    "accept-encoding": "identity",  # compression would hold events back
}


class Response(Protocol):
    """An open response. `read` waits at most so many seconds for bytes; b"" is the end of the body."""

    status: int
    headers: Mapping[str, str]

    def read(self, patience: float) -> bytes: ...


class AsyncResponse(Protocol):
    """The same for asyncio."""

    status: int
    headers: Mapping[str, str]

    async def read(self, patience: float) -> bytes: ...


class Transport(Protocol):
    """`patience`: seconds until the response must begin; `silence`: the longest that any later read may be asked to
    wait. Raises Broken, also from `read`."""

    def open(self, request: Request, patience: float, silence: float) -> AbstractContextManager[Response]: ...


class AsyncTransport(Protocol):
    """The same for asyncio."""

    def open(self, request: Request, patience: float, silence: float) -> AbstractAsyncContextManager[AsyncResponse]: ...


class Pool(Transport):
    """Connections for blocking calls that are ours to close."""

    def close(self) -> None:
        """Closes all of them, also those that a reply is being read from."""


FAULTS = (
    HTTPException,
    OSError,  # and so TimeoutError
    UnicodeError,  # a host name that no resolver takes
    Truncated,
    Unreadable,
)
"""What the standard library, and the reading of a body, raise of a connection."""


def fault(request: Request, error: BaseException, code: ErrorCode) -> Broken:
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
    return broken(request, code, reason)


def head_too_long() -> Unreadable:
    return Unreadable(f"the head of the answer is longer than {HEAD_BYTES // 1024} KB")


def too_many_interim_answers() -> Unreadable:
    return Unreadable(f"more than {INTERIM_ANSWERS} interim answers (1xx)")


def written(request: Request) -> tuple[str, dict[str, str]]:
    """Its path, and its headers with ours."""
    parts = urlsplit(request.url)
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    return path, {**USER_AGENT, **HEADERS, **request.headers, **length(request)}


def length(request: Request) -> dict[str, str]:
    """The header that says how long a body in pieces is."""
    return {"Content-Length": str(sum(map(len, request.pieces)))}


def broken(request: Request, code: ErrorCode, reason: str) -> Broken:
    """A fault of a connection. `code`: "network" until the response began, then "interrupted"."""
    when = "before an answer" if code == "network" else "in the middle of the reply"
    return Broken(code, f"the connection to {host(request)} broke {when}: {reason}")


def inherited(request: Request, code: ErrorCode) -> Broken:
    return broken(request, code, _forks.INHERITED)


def unreachable(request: Request, reason: str, proxy: Proxy | None = None) -> Broken:
    return Broken("network", f"can't connect to {host(request)}{_by_way_of(proxy)}: {reason}")


def no_connection_in_time(request: Request, proxy: Proxy | None = None) -> Broken:
    return Broken("timeout", f"can't connect to {host(request)}{_by_way_of(proxy)}: no answer in time")


def _by_way_of(proxy: Proxy | None) -> str:
    return f" through {proxy}" if proxy else ""


def nothing_in_time(request: Request) -> Broken:
    return Broken("timeout", f"no text from {host(request)} within the time limit")


def closed() -> Broken:
    return Broken("network", "the client was closed")


def stopped() -> Broken:
    return Broken("cancelled", "cancelled before the reply had ended")


def host(request: Request) -> str:
    return urlsplit(request.url).netloc.rpartition("@")[2]


def readable(channel: Any) -> bool:
    """Whether there is something to read on the socket of an idle connection: its end."""
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(channel, selectors.EVENT_READ)
            return bool(selector.select(0))
    except (OSError, ValueError):
        return True


@cache
def tls() -> ssl.SSLContext:
    """One for all pools: making one takes as long as all else, and a fork in the middle of it blocks the child."""
    import httpx2

    with environment("the certificates that SSL_CERT_FILE or SSL_CERT_DIR names"):
        context = httpx2.create_ssl_context()
    context.hostname_checks_common_name = False  # no authority vouches for it (RFC 9525, section 2)
    return context


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, with the password that may be in its URL, and the environment variable that names it."""

    variable: str
    url: str = field(repr=False)

    def __str__(self) -> str:
        """Say which one it is, without a user, a password or a query."""
        place = self.url.partition("://")[2].partition("?")[0].rpartition("@")[2].partition("/")[0]
        return f"the proxy {presentable(place)} ({self.variable})"


class Proxies:
    """The proxies that the environment, or the system, names, and the hosts that are asked past them.

    Read once, as going through the whole environment takes longer than all else that is done for a request.
    """

    def __init__(self) -> None:
        from urllib.request import getproxies

        found = getproxies()
        self._by_scheme: dict[str, Proxy] = {}
        for scheme in ("http", "https", "all"):
            if url := found.get(scheme):
                self._by_scheme[scheme] = Proxy(f"{scheme.upper()}_PROXY", url if "://" in url else f"http://{url}")
        self._past = found.get("no", "").replace(",", " ").lower().split()

    def all(self) -> list[Proxy]:
        """Return all that are named."""
        return list(self._by_scheme.values())

    def of(self, url: str) -> Proxy | None:
        """Return the proxy for this URL, or None for a direct connection."""
        if not self._by_scheme:
            return None
        parts = urlsplit(url)
        proxy = self._by_scheme.get(parts.scheme) or self._by_scheme.get("all")
        if proxy is None or any(_is_named(parts, entry) for entry in self._past):
            return None
        return proxy


def _is_named(parts: SplitResult, entry: str) -> bool:
    """Whether an entry of NO_PROXY names this host.

    There is no standard. Taken are the forms that curl, Go and Python's `urllib` take between them: a name with its
    subdomains (also as `.name` or `*.name`), an address, a network such as 127.0.0.0/8, a port, and `*`.
    """
    if entry == "*":
        return True
    scheme, separator, rest = entry.partition("://")
    if separator:
        if scheme not in (parts.scheme, "all"):
            return False
        entry = rest
    host = (parts.hostname or "").rstrip(".")
    address = None
    with suppress(ValueError):
        address = ip_address(host)
    with suppress(ValueError):  # it is no address and no network
        network = ip_network(entry.strip("[]"), strict=False)
        return address is not None and address in network
    name, _, port = entry.rpartition(":")
    if name and port.isdigit():
        if int(port) != (parts.port or (443 if parts.scheme == "https" else 80)):
            return False
        entry = name
    entry = entry.strip("[]").removeprefix("*").strip(".")
    return bool(entry) and (host == entry or (address is None and host.endswith("." + entry)))


@contextmanager
def environment(what: str) -> Iterator[None]:
    """Raise Broken if something that the environment names can't be used. To try again would not help."""
    try:
        yield
    except (ValueError, OSError) as error:
        raise Broken("network", f"{what} can't be used: {presentable(str(error))}", retryable=False) from None
