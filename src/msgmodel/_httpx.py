"""HTTP. The only file that knows the HTTP library (httpx2): pools, timeouts, errors.

Rules: what breaks comes out as `Broken`, with a message that names the host and nothing else of the URL. A response
that is left with its body unfinished is closed at once, and with it the connection; one that ended goes back to the
pool. Redirects are not followed: they would carry the key to another host.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import ssl
import threading
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    contextmanager,
    suppress,
)
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from time import monotonic
from types import TracebackType
from typing import Protocol, TypeVar
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import httpx2

from ._ask import Broken, Request
from ._verdict import presentable
from ._version import __version__
from ._watchdog import Alarm, Watchdog
from .errors import ConfigurationError
from .events import ErrorCode

CONNECT_SECONDS = 10.0
LATE_SECONDS = 0.05
"""How late a timer is that the loop could not run in time, as somebody blocked it."""
DRAIN_SECONDS = 0.1
"""How long to wait for the end of a body whose last event has been read, so that the connection can be used again."""

_LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=30.0)
_USER_AGENT = {"user-agent": f"msgmodel/{__version__}"}
_HEADERS = {
    "content-type": "application/json",
    "accept": "text/event-stream",
    "accept-encoding": "identity",  # compression would hold events back
}

C = TypeVar("C", httpx2.Client, httpx2.AsyncClient)

_FAULTS = (
    httpx2.HTTPError,
    httpx2.StreamError,
    httpx2.InvalidURL,
    OSError,  # and so TimeoutError
    UnicodeError,  # a host name that no resolver takes
)


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
    """What the shells need of the I/O. `patience`: seconds until the response must begin; `silence`: the longest
    that any later read may be asked to wait. Raises Broken, also from `read`."""

    def open(self, request: Request, patience: float, silence: float) -> AbstractContextManager[Response]: ...


class AsyncTransport(Protocol):
    """The same for asyncio."""

    def open(self, request: Request, patience: float, silence: float) -> AbstractAsyncContextManager[AsyncResponse]: ...


class HTTP:
    """Blocking HTTP over one pool: the given client's, or the process's own."""

    def __init__(self, client: httpx2.Client | None = None) -> None:
        self._client = _usable(client, httpx2.Client)

    @contextmanager
    def open(self, request: Request, patience: float, silence: float) -> Iterator[Response]:
        """Sends the request; leaves the response open within the context."""
        client = _alive(self._client) or _default_client()
        with _watchdog.alarm() as alarm:
            if alarm.stopped:
                raise _stopped()
            try:
                message = client.build_request(
                    "POST",
                    request.url,
                    content=request.body,
                    headers=_HEADERS | dict(request.headers),
                    timeout=_timeout(patience, patience),
                    extensions={"trace": alarm.connected},
                )
                with alarm.after(patience):
                    response = client.send(message, stream=True, follow_redirects=False)
            except _FAULTS as error:
                raise _stopped() if alarm.stopped else _broken(request, alarm.reason(error), "network") from None
            try:
                # The pool reads this limit once more when the body begins.
                message.extensions["timeout"]["read"] = silence
                stream = response.extensions.get("network_stream")
                alarm.connected("", {"return_value": stream})
                body = _Body(request, response, alarm)
                yield body
                body.drain()
            finally:
                response.close()


class _Body:
    def __init__(self, request: Request, response: httpx2.Response, alarm: Alarm) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = dict(response.headers)
        self._request = request
        self._alarm = alarm
        self._chunks = response.iter_bytes() if _decoded(response) else response.iter_raw()
        self._ended = False

    def read(self, patience: float) -> bytes:
        try:
            with self._alarm.after(patience):
                chunk = self._next()
        except _FAULTS as error:
            raise self._rang() or _broken(self._request, error, "interrupted") from None
        if not chunk and (rang := self._rang()):
            raise rang
        return chunk

    def _rang(self) -> Broken | None:
        if self._alarm.stopped:
            return _stopped()
        return _broken(self._request, TimeoutError(), "interrupted") if self._alarm.rang else None

    def drain(self) -> None:
        """Reads the rest of a body whose last event has been read; gives up soon, and on any fault."""
        until = monotonic() + DRAIN_SECONDS
        with suppress(*_FAULTS), self._alarm.after(DRAIN_SECONDS):
            while not self._ended and monotonic() < until:
                self._next()

    def _next(self) -> bytes:
        for chunk in self._chunks:
            if chunk:
                return chunk
        self._ended = True
        return b""


class AsyncHTTP:
    """HTTP for asyncio over one pool: the given client's, or the running event loop's own."""

    def __init__(self, client: httpx2.AsyncClient | None = None) -> None:
        self._client = _usable(client, httpx2.AsyncClient)

    def open(self, request: Request, patience: float, silence: float) -> _AsyncOpen:
        """Sends the request; leaves the response open within the context."""
        return _AsyncOpen(self._client, request, patience)


class _AsyncOpen:
    """A class, not a generator: a loop that ends closes all generators at once, so one must not wait for another."""

    def __init__(self, client: httpx2.AsyncClient | None, request: Request, patience: float) -> None:
        self._client = client
        self._request = request
        self._patience = patience

    async def __aenter__(self) -> AsyncResponse:
        client = _alive(self._client) or await _default_async_client()
        try:
            message = client.build_request(
                "POST",
                self._request.url,
                content=self._request.body,
                headers=_HEADERS | dict(self._request.headers),
                timeout=_timeout(self._patience, None),
            )
            async with _Limit(self._patience):
                self._response = await client.send(message, stream=True, follow_redirects=False)
        except _FAULTS as error:
            raise _broken(self._request, error, "network") from None
        self._body = _AsyncBody(self._request, self._response)
        return self._body

    async def __aexit__(self, kind: object, *exc_info: object) -> None:
        try:
            if kind is None:
                await self._body.drain()
        finally:
            await self._response.aclose()


class _AsyncBody:
    def __init__(self, request: Request, response: httpx2.Response) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = dict(response.headers)
        self._request = request
        self._chunks = response.aiter_bytes() if _decoded(response) else response.aiter_raw()
        self._ended = False

    async def read(self, patience: float) -> bytes:
        try:
            async with _Limit(patience):
                return await self._next()
        except _FAULTS as error:
            raise _broken(self._request, error, "interrupted") from None

    async def drain(self) -> None:
        """Reads the rest of a body whose last event has been read; gives up soon, and on any fault."""
        with suppress(*_FAULTS):
            async with asyncio.timeout(DRAIN_SECONDS):
                while not self._ended:
                    await self._next()

    async def _next(self) -> bytes:
        async for chunk in self._chunks:
            if chunk:
                return chunk
        self._ended = True
        return b""


class _Limit:
    """`asyncio.timeout` that does not count the time in which the loop could not run.

    After somebody blocked it, what has arrived by now is read before anything is called too late.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timeout = asyncio.timeout(None)

    async def __aenter__(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._timeout.__aenter__()
        self._set(self._seconds)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        await self._timeout.__aexit__(kind, error, traceback)

    def _set(self, seconds: float) -> None:
        self._when = self._loop.time() + seconds
        self._timer = self._loop.call_at(self._when, self._over)

    def _over(self) -> None:
        late = self._loop.time() - self._when
        if late > LATE_SECONDS:
            self._set(min(late, self._seconds))
        else:
            self._timeout.reschedule(self._loop.time())


def _decoded(response: httpx2.Response) -> bool:
    """Whether its bytes must be asked for decoded: they are compressed, or somebody's hook has read them already."""
    return "content-encoding" in response.headers or response.is_stream_consumed


def _alive(client: C | None) -> C | None:
    if client is not None and client.is_closed:
        raise Broken("network", "the client was closed")
    return client


def _usable(client: C | None, kind: type[C]) -> C | None:
    if client is not None and not isinstance(client, kind):
        raise ConfigurationError(f"http_client must be an httpx2.{kind.__name__}, not {type(client).__name__}")
    if client is not None and client.is_closed:
        raise ConfigurationError("the client is closed")
    return client


def _timeout(patience: float, read: float | None) -> httpx2.Timeout:
    return httpx2.Timeout(connect=min(CONNECT_SECONDS, patience), read=read, write=patience, pool=patience)


def _broken(request: Request, error: Exception, code: ErrorCode) -> Broken:
    """The library's exception as ours. `code`: "network" until the response began, then "interrupted"."""
    host = _host(request)
    if isinstance(error, httpx2.ConnectTimeout):
        return Broken("timeout", f"can't connect to {host}: no answer in time")
    if isinstance(error, httpx2.TimeoutException | TimeoutError):
        return Broken("timeout", f"no text from {host} within the time limit")
    # What a server sent instead of HTTP is quoted as a bytearray, and inner exceptions in brackets: not for everybody.
    reason = str(error).partition(": bytearray(")[0].partition(": <")[0] or type(error).__name__
    if isinstance(error, httpx2.ConnectError):
        return Broken("network", f"can't connect to {host}: {reason}")
    when = "before an answer" if code == "network" else "in the middle of the reply"
    return Broken(code, f"the connection to {host} broke {when}: {reason}")


def _stopped() -> Broken:
    return Broken("cancelled", "cancelled before the reply had ended")


def _host(request: Request) -> str:
    parts = urlsplit(request.url)
    return parts.netloc.rpartition("@")[2]


# --- the pools of the bare functions: one a process for blocking calls, one an event loop for asyncio ---

_watchdog = Watchdog()
_lock = threading.Lock()
_client: httpx2.Client | None = None
_async_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[httpx2.AsyncClient, AsyncGenerator[None, None]]]
_async_clients = WeakKeyDictionary()
_inherited: list[object] = []


@cache
def _tls() -> ssl.SSLContext:
    """One for all pools: making one takes as long as all else, and a fork in the middle of it blocks the child."""
    return httpx2.create_ssl_context()


def _no_cookies() -> CookieJar:
    """One pool serves many users: what a server sets for one must not come back from another."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=[]))


@contextmanager
def _environment() -> Iterator[None]:
    try:
        yield
    except (ImportError, ValueError, OSError) as error:
        reason = presentable(str(error))
        raise ConfigurationError(
            f"the proxy or the certificates that the environment names can't be used: {reason}"
        ) from None


def stop_thread(thread: int) -> None:
    """Ends the reply that a thread waits for, as cancelled, and each that it asks for until `release_thread`."""
    _watchdog.stop(thread)


def release_thread(thread: int) -> None:
    """Takes that back, as the number of a thread that has ended may come again."""
    _watchdog.release(thread)


def new_client() -> httpx2.Client:
    """A pool without a limit on live streams: each of a thousand users has one open."""
    with _environment():
        return httpx2.Client(verify=_tls(), cookies=_no_cookies(), limits=_LIMITS, headers=_USER_AGENT)


def new_async_client() -> httpx2.AsyncClient:
    """The same for asyncio."""
    with _environment():
        return httpx2.AsyncClient(verify=_tls(), cookies=_no_cookies(), limits=_LIMITS, headers=_USER_AGENT)


def _default_client() -> httpx2.Client:
    global _client
    with _lock:
        if _client is None or _client.is_closed:
            _client = new_client()
        return _client


async def _default_async_client() -> httpx2.AsyncClient:
    loop = asyncio.get_running_loop()
    kept = _async_clients.get(loop)
    if kept is None:
        client = new_async_client()
        closer = _closing(loop, client)
        await anext(closer)
        kept = _async_clients[loop] = client, closer
    return kept[0]


async def _closing(loop: asyncio.AbstractEventLoop, client: httpx2.AsyncClient) -> AsyncGenerator[None, None]:
    """Suspended as long as the loop lives: `asyncio.run` closes what generators it has left, and so the pool."""
    try:
        yield
    finally:
        _async_clients.pop(loop, None)  # the generator holds the loop, which would live for ever otherwise
        await client.aclose()


def _close_default_client() -> None:
    if _client is not None:
        _client.close()


def _forget_after_fork() -> None:
    """The sockets belong to the parent; a lock may have been held by a thread that does not exist here."""
    global _client, _lock, _async_clients, _watchdog
    _watchdog = Watchdog()
    _inherited.extend((_client, _async_clients))
    _client, _lock, _async_clients = None, threading.Lock(), WeakKeyDictionary()


atexit.register(_close_default_client)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
