"""Which connections a question goes over: a caller's own, a client's pool, or those that the bare functions share.

Rule: straight to the server over our own connections, which cost least; by httpx2 through a proxy, over a client that
was handed in, and if httptools is not installed.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import AsyncGenerator, Callable
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakKeyDictionary

from ..errors import ConfigurationError
from ..question.transport import (
    AsyncOpenResponse,
    AsyncTransport,
    ConnectionBroken,
    ConnectionPool,
    HttpRequest,
    OpenResponse,
    Transport,
)
from . import faults, forks, tls_and_proxies
from .tls_and_proxies import Proxies, Proxy

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

    import httpx2

    from . import asynchronous, by_httpx2

    Session: TypeAlias = asynchronous.LoopConnections | by_httpx2.AsyncHttpx2Transport


class OwnPool(ConnectionPool):
    """Connections for blocking calls, without a limit on live streams: each of a thousand users has one open.

    They are made when they are needed, and anew in a forked process.
    """

    def __init__(self) -> None:
        self.is_closed = False
        self._lock = threading.Lock()
        self._proxies: Proxies | None = None
        self._pools: dict[Proxy | None, ConnectionPool] = {}
        forks.register(self)

    def open(
        self, request: HttpRequest, seconds_to_wait: float, longest_wait: float
    ) -> AbstractContextManager[OpenResponse]:
        """Send the request, and leave the response open within the context."""
        forks.forget_inherited()
        return self._pool(request).open(request, seconds_to_wait, longest_wait)

    def close(self) -> None:
        """Close all connections, also those from which a reply is being read."""
        forks.forget_inherited()
        self.is_closed = True
        with self._lock:
            pools = list(self._pools.values())
        for pool in pools:
            pool.close()

    def forget(self) -> None:
        """Drop what was inherited."""
        self._lock = threading.Lock()  # a thread of the parent may have held it, or one within the pools
        _inherited.append(self._pools)
        self._pools = {}

    def _pool(self, request: HttpRequest) -> ConnectionPool:
        with self._lock:
            if self.is_closed:
                raise faults.client_closed()
            if self._proxies is None:
                self._proxies = Proxies()
            proxy = self._proxies.of(request.url)
            pool = self._pools.get(proxy)
            if pool is None:
                pool = self._pools[proxy] = _new_pool(proxy)
            return pool


def _new_pool(proxy: Proxy | None) -> ConnectionPool:
    if _goes_straight(proxy):
        from . import blocking

        return blocking.BlockingPool()
    from . import by_httpx2

    return by_httpx2.Httpx2Transport(by_httpx2.new_client(proxy), proxy, is_ours=True)


def _goes_straight(proxy: Proxy | None) -> bool:
    """Return whether our own connections can be used. Without httptools, httpx2 does all, and costs more."""
    return proxy is None and find_spec("httptools") is not None


class _LoopSessions:
    """The pools of one event loop: one for each proxy, and one for what goes straight to a server."""

    def __init__(self) -> None:
        self._proxies = Proxies()
        self._sessions: dict[Proxy | None, Session] = {}

    def session(self, request: HttpRequest) -> Session:
        """Return the pool for a request, which may be new."""
        proxy = self._proxies.of(request.url)
        session = self._sessions.get(proxy)
        if session is None:
            session = self._sessions[proxy] = _new_session(proxy)
        return session

    async def aclose(self) -> None:
        """Close all of them."""
        for session in list(self._sessions.values()):
            await session.aclose()


def _new_session(proxy: Proxy | None) -> Session:
    if _goes_straight(proxy):
        from . import asynchronous

        return asynchronous.LoopConnections()
    from . import by_httpx2

    return by_httpx2.AsyncHttpx2Transport(by_httpx2.new_async_client(proxy), proxy, is_ours=True)


class AsyncPool:
    """Connections for asyncio: sessions for each event loop that uses it, closed at the latest with the loop."""

    def __init__(self) -> None:
        self.is_closed = False
        self._by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[_LoopSessions, AsyncGenerator[None, None]]]
        self._by_loop = WeakKeyDictionary()
        forks.register(self)

    def open(self, request: HttpRequest, seconds_to_wait: float, longest_wait: float) -> _AsyncOpen:
        """Send the request, and leave the response open within the context."""
        return _AsyncOpen(self, request, seconds_to_wait, longest_wait)

    async def aclose(self) -> None:
        """Close the connections of the running loop, also those from which a reply is being read."""
        forks.forget_inherited()
        self.is_closed = True
        kept = self._by_loop.get(asyncio.get_running_loop())
        if kept is not None:
            await kept[1].aclose()

    def forget(self) -> None:
        """Drop what was inherited."""
        _inherited.append(self._by_loop)
        self._by_loop = WeakKeyDictionary()

    async def session(self, request: HttpRequest) -> Session:
        """Return the pool of the running loop for this request. Raise ConnectionBroken if the client is closed."""
        forks.forget_inherited()
        if self.is_closed:
            raise faults.client_closed()
        loop = asyncio.get_running_loop()
        kept = self._by_loop.get(loop)
        if kept is None:
            sessions = _LoopSessions()
            closer = self._closing(loop, sessions)
            await anext(closer)
            kept = self._by_loop[loop] = sessions, closer
        return kept[0].session(request)

    async def _closing(self, loop: asyncio.AbstractEventLoop, sessions: _LoopSessions) -> AsyncGenerator[None, None]:
        """Wait as long as the loop lives: `asyncio.run` closes the generators that are left, and so the connections."""
        try:
            yield
        finally:
            self._by_loop.pop(loop, None)  # the generator holds the loop, which would live forever otherwise
            await sessions.aclose()


class _AsyncOpen:
    """A class, not a generator: a loop that ends closes all generators at once, so one must not wait for another."""

    def __init__(self, pool: AsyncPool, request: HttpRequest, seconds_to_wait: float, longest_wait: float) -> None:
        self._pool = pool
        self._arguments = request, seconds_to_wait, longest_wait

    async def __aenter__(self) -> AsyncOpenResponse:
        session = await self._pool.session(self._arguments[0])
        self._opened: AbstractAsyncContextManager[AsyncOpenResponse] = session.open(*self._arguments)
        return await self._opened.__aenter__()

    async def __aexit__(self, *exc_info: Any) -> None:
        await self._opened.__aexit__(*exc_info)


# --- the pools of the bare functions ---

_inherited: list[object] = []
"""What a forked process keeps unused: its destructors might speak to the parent's event loop, or wait for a lock."""

_pool = OwnPool()
_async_pool = AsyncPool()
atexit.register(_pool.close)


def unusable() -> list[str]:
    """Return, as sentences, what the environment says of proxies and certificates and can't be used."""
    from . import by_httpx2

    sentences = []
    checks: list[Callable[[], object]] = [tls_and_proxies.shared_tls_context]
    checks += [partial(by_httpx2.proxy_of, proxy) for proxy in Proxies().all()]
    for check in checks:
        try:
            check()
        except ConnectionBroken as broken:
            sentences.append(broken.message)
    return sentences


def transport_for_client(client: httpx2.Client | ConnectionPool | None) -> Transport:
    """Return the transport for blocking calls.

    Args:
        client: A caller's own client, the pool of a `Client`, or None for the pool that the bare functions share.

    Raises:
        ConfigurationError: The client is asynchronous, or closed.
    """
    if client is None:
        return _pool
    return client if isinstance(client, ConnectionPool) else _handed_in(client, "Client", "Httpx2Transport")


def async_transport_for_client(client: httpx2.AsyncClient | AsyncPool | None) -> AsyncTransport:
    """Return the transport for asyncio; arguments and errors as for `transport_for_client`."""
    if client is None:
        return _async_pool
    return client if isinstance(client, AsyncPool) else _handed_in(client, "AsyncClient", "AsyncHttpx2Transport")


def _handed_in(client: Any, name: str, transport: str) -> Any:
    import httpx2

    from . import by_httpx2

    if not isinstance(client, getattr(httpx2, name)):
        raise ConfigurationError(f"http_client must be an httpx2.{name}, not {type(client).__name__}")
    if client.is_closed:
        raise ConfigurationError("the client is closed")
    make: Callable[[Any], Any] = getattr(by_httpx2, transport)
    return make(client)
