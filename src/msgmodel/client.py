"""Clients: the six functions over a connection pool of one's own.

The bare functions share a pool a process (blocking) or an event loop (async); a client is for who wants the pool's
life in their own hands, or an HTTP client of their own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar, cast

from . import _functions
from .errors import ConfigurationError

if TYPE_CHECKING:
    import httpx2

    from .http.pools import AsyncPool
    from .question.transport import ConnectionPool

P = ParamSpec("P")
R = TypeVar("R")


def _as_method(function: Callable[P, R]) -> Callable[Concatenate[Any, P], R]:
    """The function as a method: the same signature, over the client's pool."""

    @wraps(function)
    def method(client: Any, /, *args: P.args, **kwargs: P.kwargs) -> R:
        if "http_client" not in kwargs:
            kwargs["http_client"] = client._http_client()
        return function(*args, **kwargs)

    # What `wraps` says of the parameters lacks `self`, which binding takes away.
    signature = inspect.signature(function)
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    method.__signature__ = signature.replace(parameters=[itself, *signature.parameters.values()])  # type: ignore[attr-defined]
    return cast(Callable[Concatenate[Any, P], R], method)


class Client:
    """`stream_panels`, `stream` and `query` over one connection pool, for blocking code. Safe to share by threads.

    http_client: an httpx2.Client of your own; it is used and left open. Without one the client makes its own with the
    first call and closes it in `close()`, or at the end of a `with`.
    """

    stream_panels = _as_method(_functions.stream_panels)
    """`msgmodel.stream_panels` over this pool."""
    stream = _as_method(_functions.stream)
    """`msgmodel.stream` over this pool."""
    query = _as_method(_functions.query)
    """`msgmodel.query` over this pool."""

    def __init__(self, http_client: httpx2.Client | None = None) -> None:
        from .http.pools import OwnPool

        self._given = http_client
        self._own = OwnPool()
        self._closed = False

    def close(self) -> None:
        """Closes the pool, unless it was handed in. The client can't be used any more."""
        self._closed = True
        self._own.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _http_client(self) -> httpx2.Client | ConnectionPool:
        if self._closed:
            raise ConfigurationError("the client is closed")
        return self._own if self._given is None else self._given


class AsyncClient:
    """`Client` for asyncio: its `stream_panels` and `stream` return async iterators, its `query` is awaited."""

    stream_panels = _as_method(_functions.astream_panels)
    """`msgmodel.astream_panels` over this pool."""
    stream = _as_method(_functions.astream)
    """`msgmodel.astream` over this pool."""
    query = _as_method(_functions.aquery)
    """`msgmodel.aquery` over this pool."""

    def __init__(self, http_client: httpx2.AsyncClient | None = None) -> None:
        from .http.pools import AsyncPool

        self._given = http_client
        self._own = AsyncPool()
        self._closed = False

    async def aclose(self) -> None:
        """Closes the pool, unless it was handed in. The client can't be used any more."""
        self._closed = True
        await self._own.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    def _http_client(self) -> httpx2.AsyncClient | AsyncPool:
        if self._closed:
            raise ConfigurationError("the client is closed")
        return self._own if self._given is None else self._given
