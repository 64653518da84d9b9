"""HTTP by httpx2: through proxies, and by a client that the caller handed in. The only file that knows httpx2's API."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.util import find_spec
from time import monotonic
from typing import Any
from weakref import WeakSet

import httpx2

from ..events import ErrorCode
from ..question import transport
from ..question.transport import AsyncOpenResponse, ConnectionBroken, HttpRequest
from . import faults, forks, request_head, tls_and_proxies, watchdog
from .connection_limits import CONNECT_SECONDS, DRAIN_SECONDS, IDLE_CONNECTIONS, IDLE_SECONDS
from .content_coding import Inflater, inflater_for
from .faults import UnreadableResponse
from .loop_alarm import WaitLimit
from .request_head import REQUEST_HEADERS, USER_AGENT
from .tls_and_proxies import Proxy
from .watchdog import ThreadAlarm

_LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=IDLE_CONNECTIONS, keepalive_expiry=IDLE_SECONDS)

_FAULTS = (
    httpx2.HTTPError,
    httpx2.StreamError,
    httpx2.InvalidURL,
    OSError,  # and so TimeoutError
    UnicodeError,  # a host name that no resolver takes
    UnreadableResponse,
)

TURN_SECONDS = 0.01
"""How long the chunks of one stream may keep a loop from other tasks: httpx2 may have thousands of one read."""
READ_BYTES = 64 * 1024


class Httpx2Transport(transport.ConnectionPool):
    """Blocking HTTP over a client's pool."""

    def __init__(self, client: httpx2.Client, proxy: Proxy | None = None, *, is_ours: bool = False) -> None:
        """Args:
        client: The client, a caller's or ours.
        proxy: What all requests of a client of ours go through.
        is_ours: Whether a forked process must drop the connections. Those of a caller's client are the caller's.
        """
        self._client = client
        self._proxy = proxy
        self._inherits = _Inherits(is_ours)

    def close(self) -> None:
        """Close the client."""
        self._client.close()

    @contextmanager
    def open(self, request: HttpRequest, seconds_to_wait: float, longest_wait: float) -> Iterator[_Body]:
        """Send the request, and leave the response open within the context."""
        client = self._client
        if client.is_closed:
            raise faults.client_closed()
        with watchdog.alarm() as alarm:
            if alarm.stopped:
                raise faults.cancelled_reply()
            try:
                message = client.build_request(
                    request.method,
                    request.url,
                    content=request.pieces or None,
                    headers=REQUEST_HEADERS | dict(request.headers) | request_head.content_length(request),
                    timeout=_timeout(seconds_to_wait, seconds_to_wait),
                    extensions={"trace": _watching(alarm)},
                )
                with _after(alarm, seconds_to_wait):
                    response = client.send(message, stream=True, follow_redirects=False)
            except _FAULTS as error:
                reason = TimeoutError() if alarm.rang else error
                raise _ended_from_outside(alarm, request) or _broken(request, reason, "network", self._proxy) from None
            self._inherits.note(response)
            try:
                # The pool reads this limit once more when the body begins.
                message.extensions["timeout"]["read"] = longest_wait
                _watching(alarm)("", {"return_value": response.extensions.get("network_stream")})
                try:
                    body = _Body(request, response, alarm, self._proxy)
                except UnreadableResponse as error:
                    raise _broken(request, error, "network", self._proxy) from None
                yield body
                body.drain()
            finally:
                response.close()


class _Body:
    def __init__(
        self, request: HttpRequest, response: httpx2.Response, alarm: ThreadAlarm, proxy: Proxy | None
    ) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = dict(response.headers)
        self._request = request
        self._alarm = alarm
        self._proxy = proxy
        self._inflater = _inflater(response)
        self._chunks = response.iter_bytes(READ_BYTES) if response.is_stream_consumed else response.iter_raw()
        self._ended = False

    def read(self, seconds_to_wait: float) -> bytes:
        try:
            with _after(self._alarm, seconds_to_wait):
                chunk = self._next()
        except _FAULTS as error:
            raise self._rang() or _broken(self._request, error, "interrupted", self._proxy) from None
        if not chunk and (rang := self._rang()):
            raise rang
        return chunk

    def _rang(self) -> ConnectionBroken | None:
        if told := _ended_from_outside(self._alarm, self._request, "interrupted"):
            return told
        return _broken(self._request, TimeoutError(), "interrupted", self._proxy) if self._alarm.rang else None

    def drain(self) -> None:
        """Read the rest of a body whose last event has been read; give up soon, and on any fault."""
        until = monotonic() + DRAIN_SECONDS
        with suppress(*_FAULTS), _after(self._alarm, DRAIN_SECONDS):
            while not self._ended and monotonic() < until:
                self._next()

    def _next(self) -> bytes:
        inflater = self._inflater
        while not self._ended:
            if inflater is not None and inflater.has_more:
                chunk = inflater.feed(b"")
            elif chunk := next(self._chunks, b""):
                chunk = chunk if inflater is None else inflater.feed(chunk)
            else:
                self._ended = True
            if chunk:
                return chunk
            if monotonic() >= self._alarm.due:
                raise TimeoutError
        return b""


class AsyncHttpx2Transport:
    """HTTP for asyncio over a client's pool. The arguments are those of `Httpx2Transport`."""

    def __init__(self, client: httpx2.AsyncClient, proxy: Proxy | None = None, *, is_ours: bool = False) -> None:
        self._client = client
        self.proxy = proxy
        self.inherits = _Inherits(is_ours)

    async def aclose(self) -> None:
        """Close the client."""
        await self._client.aclose()

    def open(self, request: HttpRequest, seconds_to_wait: float, longest_wait: float) -> _AsyncOpen:
        """Send the request, and leave the response open within the context."""
        return _AsyncOpen(self, request, seconds_to_wait)

    async def send(self, request: HttpRequest, seconds_to_wait: float, limit: WaitLimit) -> httpx2.Response:
        """Send the request, and return the response when it has begun. Raise ConnectionBroken."""
        client = self._client
        if client.is_closed:
            raise faults.client_closed()
        try:
            message = client.build_request(
                request.method,
                request.url,
                content=_Pieces(request.pieces) if request.pieces else None,
                headers=REQUEST_HEADERS | dict(request.headers) | request_head.content_length(request),
                timeout=_timeout(seconds_to_wait, None),
            )
            with limit.of(seconds_to_wait):
                response = await client.send(message, stream=True, follow_redirects=False)
        except _FAULTS as error:
            raise _broken(request, error, "network", self.proxy) from None
        self.inherits.note(response)
        return response


class _Pieces:
    """A body for asyncio. It can be sent again, as a client with an `auth` of its own may want."""

    def __init__(self, pieces: tuple[bytes, ...]) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


class _AsyncOpen:
    """A class, not a generator: a loop that ends closes all generators at once, so one must not wait for another."""

    def __init__(self, pool: AsyncHttpx2Transport, request: HttpRequest, seconds_to_wait: float) -> None:
        self._pool = pool
        self._request = request
        self._seconds_to_wait = seconds_to_wait

    async def __aenter__(self) -> AsyncOpenResponse:
        self._limit = WaitLimit()
        self._response = await self._pool.send(self._request, self._seconds_to_wait, self._limit)
        try:
            self._body = _AsyncBody(self._request, self._response, self._limit, self._pool)
        except UnreadableResponse as error:
            await self._response.aclose()
            raise _broken(self._request, error, "network", self._pool.proxy) from None
        return self._body

    async def __aexit__(self, kind: object, *exc_info: object) -> None:
        try:
            if kind is None:
                await self._body.drain()
        finally:
            self._limit.close()
            await self._response.aclose()


class _AsyncBody:
    def __init__(
        self, request: HttpRequest, response: httpx2.Response, limit: WaitLimit, pool: AsyncHttpx2Transport
    ) -> None:
        self._pool = pool
        self.status = response.status_code
        self.headers: Mapping[str, str] = dict(response.headers)
        self._request = request
        self._limit = limit
        self._inflater = _inflater(response)
        self._chunks = response.aiter_bytes(READ_BYTES) if response.is_stream_consumed else response.aiter_raw()
        self._ended = False
        self._turn = monotonic()

    async def read(self, seconds_to_wait: float) -> bytes:
        try:
            with self._limit.of(seconds_to_wait):
                return await self._next()
        except _FAULTS as error:
            if self._pool.inherits.forgotten:
                raise faults.inherited_over_fork(self._request, "interrupted") from None
            raise _broken(self._request, error, "interrupted", self._pool.proxy) from None

    async def drain(self) -> None:
        """Read the rest of a body whose last event has been read; give up soon, and on any fault."""
        until = monotonic() + DRAIN_SECONDS
        with suppress(*_FAULTS), self._limit.of(DRAIN_SECONDS):
            while not self._ended and monotonic() < until:
                await self._next()

    async def _next(self) -> bytes:
        inflater = self._inflater
        while not self._ended:
            if monotonic() - self._turn > TURN_SECONDS:
                await asyncio.sleep(0)
                self._turn = monotonic()
            if inflater is not None and inflater.has_more:
                chunk = inflater.feed(b"")
            elif chunk := await anext(self._chunks, b""):
                chunk = chunk if inflater is None else inflater.feed(chunk)
            else:
                self._ended = True
            if chunk:
                return chunk
        return b""


def _inflater(response: httpx2.Response) -> Inflater | None:
    """Return what unpacks its body; None if that is not packed, or if a hook of the client's has read it already."""
    if response.is_stream_consumed:
        return None
    return inflater_for(response.headers.get("content-encoding", ""), response.status_code)


class _Inherits:
    """The connections that a pool of ours has made, for a forked process to drop."""

    def __init__(self, is_ours: bool) -> None:
        self._streams: WeakSet[Any] = WeakSet()
        self.forgotten = False
        """Whether this process was forked from the one that made them."""
        self._ours = is_ours
        if self._ours:
            forks.register(self)

    def note(self, response: httpx2.Response) -> None:
        """Remember the connection that a response comes over."""
        if self._ours:
            self._streams.add(response.extensions["network_stream"])

    def forget(self) -> None:
        """Drop them."""
        self.forgotten = True
        for stream in list(self._streams):
            forks.cut_off(stream.get_extra_info("socket"))


def _ended_from_outside(
    alarm: ThreadAlarm, request: HttpRequest, code: ErrorCode = "network"
) -> ConnectionBroken | None:
    """Return what ended a wait from outside, if it was no limit of time."""
    if alarm.stopped:
        return faults.cancelled_reply()
    return faults.inherited_over_fork(request, code) if alarm.inherited else None


def _watching(alarm: ThreadAlarm) -> Callable[[str, Mapping[str, Any]], None]:
    """Return a function that takes the socket from what the pool reports about a new connection."""

    def trace(name: str, info: Mapping[str, Any]) -> None:
        get_extra_info = getattr(info.get("return_value"), "get_extra_info", None)
        channel = get_extra_info("socket") if get_extra_info is not None else None
        if isinstance(channel, socket.socket):
            alarm.watch(channel)

    return trace


@contextmanager
def _after(alarm: ThreadAlarm, seconds: float) -> Iterator[None]:
    """Ring when the context takes longer."""
    alarm.begin(seconds)
    try:
        yield
    finally:
        alarm.end()


def _timeout(seconds_to_wait: float, read: float | None) -> httpx2.Timeout:
    return httpx2.Timeout(
        connect=min(CONNECT_SECONDS, seconds_to_wait), read=read, write=seconds_to_wait, pool=seconds_to_wait
    )


def _broken(request: HttpRequest, error: Exception, code: ErrorCode, proxy: Proxy | None = None) -> ConnectionBroken:
    """Return the library's exception as ours. `code`: "network" until the response began, then "interrupted"."""
    if isinstance(error, httpx2.ConnectTimeout):
        return faults.no_connection_in_time(request, proxy)
    if isinstance(error, httpx2.TimeoutException | TimeoutError):
        return faults.nothing_in_time(request, proxy)
    # A bytearray is what a server sent instead of HTTP, and brackets hold inner exceptions: neither is safe to show.
    reason = str(error).partition(": bytearray(")[0].partition(": <")[0] or type(error).__name__
    if isinstance(error, httpx2.ConnectError | httpx2.ProxyError):
        return faults.cannot_connect(request, reason, proxy)
    return faults.broken_connection(request, code, reason, proxy)


def no_cookies() -> CookieJar:
    """Return a jar that stays empty: a pool serves many users, and must not send the cookie of one for another."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=[]))


def new_client(proxy: Proxy | None) -> httpx2.Client:
    """Return a pool without a limit on live streams: each of a thousand users has one open. Raise ConnectionBroken."""
    return httpx2.Client(**_options(proxy))


def new_async_client(proxy: Proxy | None) -> httpx2.AsyncClient:
    """Do the same for asyncio."""
    return httpx2.AsyncClient(**_options(proxy))


def _options(proxy: Proxy | None) -> dict[str, Any]:
    return {
        "proxy": None if proxy is None else proxy_of(proxy),
        "trust_env": False,  # we have read it, and another proxy that can't be used must not break this one
        "verify": tls_and_proxies.shared_tls_context(),
        "cookies": no_cookies(),
        "limits": _LIMITS,
        "headers": USER_AGENT,
    }


def proxy_of(proxy: Proxy) -> httpx2.Proxy:
    """Return the proxy as httpx2 takes it. Raise ConnectionBroken if it can't be used."""
    kind = proxy.url.partition("://")[0].lower()
    with tls_and_proxies.environment_errors(str(proxy)):
        if kind not in ("http", "https", "socks5", "socks5h"):
            raise ValueError(f"its URL begins with {kind}://, not with http://, https://, socks5:// or socks5h://")
        if kind.startswith("socks") and find_spec("socksio") is None:
            raise ValueError("a SOCKS proxy needs the package socksio: pip install socksio")
        try:
            made = httpx2.Proxy(
                proxy.url, ssl_context=tls_and_proxies.shared_tls_context() if kind == "https" else None
            )
        except (httpx2.InvalidURL, ValueError):  # their texts may quote a password
            made = None
        if made is None or not made.url.host:
            raise ValueError("its URL is not valid")
        return made
