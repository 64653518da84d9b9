"""A stream for asyncio that still reports how it ended if a wait for one of its events was cancelled.

An async generator is over once a wait for its next item is cancelled, and after that it looks as if it had ended well.
`asyncio.wait_for(anext(events), 15)` does that to it at each silence.

Rule: `async for` pays nothing for this: `__aiter__` returns the generator itself, and nothing can follow a cancelled
loop. Only `anext` by hand goes through this class. A cancellation still closes the connection at once.
"""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Any, TypeVar

from .exchange import Exchange
from .shells import Show

T = TypeVar("T")


class CancellableStream(AsyncGenerator[T, None]):
    """The stream of one panel.

    Args:
        events: The generator that runs the exchange.
        exchange: The exchange, which knows its terminal events.
        show: What the generator shows of events.
    """

    __slots__ = ("__weakref__", "_events", "_exchange", "_owed", "_show")

    def __init__(self, events: AsyncGenerator[T, None], exchange: Exchange, show: Show[T]) -> None:
        self._events = events
        self._exchange = exchange
        self._show = show
        self._owed: Iterator[T] | None = None

    def __aiter__(self) -> AsyncIterator[T]:
        return self._events if self._owed is None else self

    async def __anext__(self) -> T:
        if self._owed is not None:
            for shown in self._owed:
                return shown
            raise StopAsyncIteration
        try:
            return await anext(self._events)
        except CancelledError:
            self._exchange.cancel()
            self._owed = iter(self._show(self._exchange.terminal_events()))
            raise

    def asend(self, value: None) -> Any:
        return self._events.asend(value)

    def athrow(self, *error: Any) -> Any:
        return self._events.athrow(*error)

    async def aclose(self) -> None:
        self._owed = iter(())
        await self._events.aclose()
