"""Which connections a question goes over: a caller's own, a client's pool, or those that the bare functions share.

Rule: straight to the server by the standard library, which costs least; by httpx2 through a proxy, and over a client
that was handed in.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakKeyDictionary

from . import _transport
from ._ask import Request
from ._transport import AsyncResponse, AsyncTransport, Pool, Response, Transport
from .errors import ConfigurationError

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

    import httpx2

    from . import _async_connections, _httpx

    Session: TypeAlias = _async_connections.Session | _httpx.AsyncHTTP


def new_pool() -> Pool:
    """Connections for blocking calls, without a limit on live streams: each of a thousand users has one open."""
    if _transport.direct():
        from . import _connections

        return _connections.Pool()
    from . import _httpx

    return _httpx.HTTP(_httpx.new_client())


def _new_session() -> Session:
    """The same for the running event loop."""
    if _transport.direct():
        from . import _async_connections

        return _async_connections.Session()
    from . import _httpx

    return _httpx.AsyncHTTP(_httpx.new_async_client())


class AsyncPool:
    """Connections for asyncio: a session for each event loop that uses it, closed at the latest with the loop."""

    def __init__(self) -> None:
        self.is_closed = False
        self._sessions: WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[Session, AsyncGenerator[None, None]]]
        self._sessions = WeakKeyDictionary()

    def open(self, request: Request, patience: float, silence: float) -> _AsyncOpen:
        """Sends the request; leaves the response open within the context."""
        return _AsyncOpen(self, request, patience, silence)

    async def aclose(self) -> None:
        """Closes the session of the running loop, also where a reply is being read from it."""
        self.is_closed = True
        kept = self._sessions.get(asyncio.get_running_loop())
        if kept is not None:
            await kept[1].aclose()

    async def session(self) -> Session:
        """That of the running loop."""
        if self.is_closed:
            raise _transport.closed()
        loop = asyncio.get_running_loop()
        kept = self._sessions.get(loop)
        if kept is None:
            session = _new_session()
            closer = self._closing(loop, session)
            await anext(closer)
            kept = self._sessions[loop] = session, closer
        return kept[0]

    async def _closing(self, loop: asyncio.AbstractEventLoop, session: Session) -> AsyncGenerator[None, None]:
        """Suspended as long as the loop lives: `asyncio.run` closes what generators it has left, and so the session."""
        try:
            yield
        finally:
            self._sessions.pop(loop, None)  # the generator holds the loop, which would live for ever otherwise
            await session.aclose()


class _AsyncOpen:
    """A class, not a generator: a loop that ends closes all generators at once, so one must not wait for another."""

    def __init__(self, pool: AsyncPool, *arguments: Any) -> None:
        self._pool = pool
        self._arguments = arguments

    async def __aenter__(self) -> AsyncResponse:
        session = await self._pool.session()
        self._opened: AbstractAsyncContextManager[AsyncResponse] = session.open(*self._arguments)
        return await self._opened.__aenter__()

    async def __aexit__(self, *exc_info: Any) -> None:
        await self._opened.__aexit__(*exc_info)


# --- the pools of the bare functions ---

_lock = threading.Lock()
_pool: Pool | None = None
_async_pool = AsyncPool()
_inherited: list[object] = []


class _Shared:
    """The pool of the process, looked up when it is needed: there may be a fork before."""

    def open(self, *arguments: Any) -> AbstractContextManager[Response]:
        global _pool
        with _lock:
            if _pool is None:
                _pool = new_pool()
        return _pool.open(*arguments)


class _AsyncShared:
    def open(self, *arguments: Any) -> AbstractAsyncContextManager[AsyncResponse]:
        return _async_pool.open(*arguments)


def transport(client: httpx2.Client | Pool | None) -> Transport:
    """The transport over a client that was handed in, a pool of ours, or the process's own.

    Raises ConfigurationError for a client of the other colour, or one that is closed.
    """
    if client is None:
        return _Shared()
    return client if isinstance(client, Pool) else _handed_in(client, "Client", "HTTP")


def async_transport(client: httpx2.AsyncClient | AsyncPool | None) -> AsyncTransport:
    """The same for asyncio."""
    if client is None:
        return _AsyncShared()
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


def _close_default_pool() -> None:
    if _pool is not None:
        _pool.close()


def _forget_after_fork() -> None:
    """The sockets belong to the parent; a lock may have been held by a thread that does not exist here."""
    global _pool, _lock, _async_pool
    _inherited.extend((_pool, _async_pool))
    _pool, _lock, _async_pool = None, threading.Lock(), AsyncPool()


atexit.register(_close_default_pool)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
