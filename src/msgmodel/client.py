"""Clients: the six functions over a connection pool of your own.

The bare functions share one pool in each process (blocking) or event loop (async). Use a client to decide when the pool
is closed, or to pass your own HTTP client once.
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
    """Return the function as a method with the same signature, over the client's pool."""

    @wraps(function)
    def method(client: Any, /, *args: P.args, **kwargs: P.kwargs) -> R:
        if "http_client" not in kwargs:
            kwargs["http_client"] = client._http_client()
        return function(*args, **kwargs)

    # `wraps` copies a signature without `self`, but binding a method removes its first parameter.
    signature = inspect.signature(function)
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    method.__signature__ = signature.replace(parameters=[itself, *signature.parameters.values()])  # type: ignore[attr-defined]
    return cast(Callable[Concatenate[Any, P], R], method)


class Client:
    """`stream_panels`, `stream` and `query` over one connection pool, for blocking code. Threads may share it.

    Args:
        http_client: Your own `httpx2.Client`, which stays open. Default: a pool of the client's own, which `close()`
            or the end of a `with` closes.
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
        """Close the pool, unless you passed it. The client can't be used after that."""
        self._closed = True
        self._own.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _http_client(self) -> httpx2.Client | ConnectionPool:
        if self._closed:
            raise ConfigurationError("the client is closed: make a new one")
        return self._own if self._given is None else self._given


class AsyncClient:
    """`Client` for asyncio: its `stream_panels` and `stream` return async iterators, its `query` is awaited.

    Args:
        http_client: Your own `httpx2.AsyncClient`, which stays open. Default: a pool of the client's own, which
            `aclose()` or the end of an `async with` closes.
    """

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
        """Close the pool, unless you passed it. The client can't be used after that."""
        self._closed = True
        await self._own.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    def _http_client(self) -> httpx2.AsyncClient | AsyncPool:
        if self._closed:
            raise ConfigurationError("the client is closed: make a new one")
        return self._own if self._given is None else self._given
