"""Which connections a question goes over: a caller's own, a client's pool, or those that the bare functions share.

Rule: straight to the server by the standard library, which costs least; by httpx2 through a proxy, and over a client
that was handed in.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakKeyDictionary

from . import _forks, _transport
from ._ask import Broken, Request
from ._transport import AsyncResponse, AsyncTransport, Pool, Proxies, Proxy, Response, Transport
from .errors import ConfigurationError

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

    import httpx2

    from . import _async_connections, _httpx

    Session: TypeAlias = _async_connections.Session | _httpx.AsyncHTTP


class OwnPool(Pool):
    """Connections for blocking calls, without a limit on live streams: each of a thousand users has one open.

    Made when they are needed, and anew in a forked process.
    """

    def __init__(self) -> None:
        self.is_closed = False
        self._lock = threading.Lock()
        self._proxies: Proxies | None = None
        self._pools: dict[Proxy | None, Pool] = {}
        _forks.register(self)

    def open(self, request: Request, patience: float, silence: float) -> AbstractContextManager[Response]:
        """Sends the request; leaves the response open within the context."""
        _forks.forget_inherited()
        return self._pool(request).open(request, patience, silence)

    def close(self) -> None:
        """Closes all connections, also those that a reply is being read from."""
        _forks.forget_inherited()
        self.is_closed = True
        with self._lock:
            pools = list(self._pools.values())
        for pool in pools:
            pool.close()

    def forget(self) -> None:
        self._lock = threading.Lock()  # a thread of the parent may have held it, or one within the pools
        _inherited.append(self._pools)
        self._pools = {}

    def _pool(self, request: Request) -> Pool:
        with self._lock:
            if self.is_closed:
                raise _transport.closed()
            if self._proxies is None:
                self._proxies = Proxies()
            proxy = self._proxies.of(request.url)
            pool = self._pools.get(proxy)
            if pool is None:
                pool = self._pools[proxy] = _new_pool(proxy)
            return pool


def _new_pool(proxy: Proxy | None) -> Pool:
    if proxy is None:
        from . import _connections

        return _connections.Pool()
    from . import _httpx

    return _httpx.HTTP(_httpx.new_client(proxy), proxy)


class _LoopSessions:
    """The sessions of one event loop, one for each proxy and one for what goes straight to a server."""

    def __init__(self) -> None:
        self._proxies = Proxies()
        self._sessions: dict[Proxy | None, Session] = {}

    def session(self, request: Request) -> Session:
        proxy = self._proxies.of(request.url)
        session = self._sessions.get(proxy)
        if session is None:
            session = self._sessions[proxy] = _new_session(proxy)
        return session

    async def aclose(self) -> None:
        for session in list(self._sessions.values()):
            await session.aclose()


def _new_session(proxy: Proxy | None) -> Session:
    if proxy is None:
        from . import _async_connections

        return _async_connections.Session()
    from . import _httpx

    return _httpx.AsyncHTTP(_httpx.new_async_client(proxy), proxy)


class AsyncPool:
    """Connections for asyncio: sessions for each event loop that uses it, closed at the latest with the loop."""

    def __init__(self) -> None:
        self.is_closed = False
        self._by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[_LoopSessions, AsyncGenerator[None, None]]]
        self._by_loop = WeakKeyDictionary()
        _forks.register(self)

    def open(self, request: Request, patience: float, silence: float) -> _AsyncOpen:
        """Sends the request; leaves the response open within the context."""
        return _AsyncOpen(self, request, patience, silence)

    async def aclose(self) -> None:
        """Closes the sessions of the running loop, also where a reply is being read from one."""
        _forks.forget_inherited()
        self.is_closed = True
        kept = self._by_loop.get(asyncio.get_running_loop())
        if kept is not None:
            await kept[1].aclose()

    def forget(self) -> None:
        _inherited.append(self._by_loop)
        self._by_loop = WeakKeyDictionary()

    async def session(self, request: Request) -> Session:
        """That of the running loop for this request. Raises Broken."""
        _forks.forget_inherited()
        if self.is_closed:
            raise _transport.closed()
        loop = asyncio.get_running_loop()
        kept = self._by_loop.get(loop)
        if kept is None:
            sessions = _LoopSessions()
            closer = self._closing(loop, sessions)
            await anext(closer)
            kept = self._by_loop[loop] = sessions, closer
        return kept[0].session(request)

    async def _closing(self, loop: asyncio.AbstractEventLoop, sessions: _LoopSessions) -> AsyncGenerator[None, None]:
        """Suspended as long as the loop lives: `asyncio.run` closes what generators are left, and so the sessions."""
        try:
            yield
        finally:
            self._by_loop.pop(loop, None)  # the generator holds the loop, which would live for ever otherwise
            await sessions.aclose()


class _AsyncOpen:
    """A class, not a generator: a loop that ends closes all generators at once, so one must not wait for another."""

    def __init__(self, pool: AsyncPool, request: Request, patience: float, silence: float) -> None:
        self._pool = pool
        self._arguments = request, patience, silence

    async def __aenter__(self) -> AsyncResponse:
        session = await self._pool.session(self._arguments[0])
        self._opened: AbstractAsyncContextManager[AsyncResponse] = session.open(*self._arguments)
        return await self._opened.__aenter__()

    async def __aexit__(self, *exc_info: Any) -> None:
        await self._opened.__aexit__(*exc_info)


# --- the pools of the bare functions ---

_inherited: list[object] = []
"""What a forked process does not use. Its destructors might speak to the parent's event loop, or take a lock of it."""

_pool = OwnPool()
_async_pool = AsyncPool()
atexit.register(_pool.close)


def unusable() -> list[str]:
    """Return, as sentences, what the environment says of proxies and certificates and can't be used."""
    from . import _httpx

    sentences = []
    checks: list[Callable[[], object]] = [_transport.tls]
    checks += [partial(_httpx.proxy_of, proxy) for proxy in Proxies().all()]
    for check in checks:
        try:
            check()
        except Broken as broken:
            sentences.append(broken.message)
    return sentences


def transport(client: httpx2.Client | Pool | None) -> Transport:
    """The transport over a client that was handed in, a pool of ours, or the process's own.

    Raises ConfigurationError for a client of the other colour, or one that is closed.
    """
    if client is None:
        return _pool
    return client if isinstance(client, Pool) else _handed_in(client, "Client", "HTTP")


def async_transport(client: httpx2.AsyncClient | AsyncPool | None) -> AsyncTransport:
    """The same for asyncio."""
    if client is None:
        return _async_pool
    return client if isinstance(client, AsyncPool) else _handed_in(client, "AsyncClient", "AsyncHTTP")


def _handed_in(client: Any, name: str, transport: str) -> Any:
    import httpx2

    from . import _httpx

    if not isinstance(client, getattr(httpx2, name)):
        raise ConfigurationError(f"http_client must be an httpx2.{name}, not {type(client).__name__}")
    if client.is_closed:
        raise ConfigurationError("the client is closed")
    make: Callable[[Any], Any] = getattr(_httpx, transport)
    return make(client)
