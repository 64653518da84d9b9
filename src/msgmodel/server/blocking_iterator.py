"""Reads a blocking iterator of events from asyncio, in a thread of its own.

Rules: the thread reads at most `BUFFER` items ahead of the reader. When the reader leaves, the reply that the thread
waits for ends at once, even before its first text, and the iterator is closed on its own thread.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from contextlib import suppress
from contextvars import copy_context
from inspect import isgenerator
from typing import Any, Generic, TypeVar

from ..http import watchdog

T = TypeVar("T")

MAX_ITEMS_AHEAD = 64
"""Items that may wait for the reader."""

CLOSING_SECONDS = 0.5
"""How long a reader that leaves waits until the iterator is closed. A thread that blocks elsewhere is abandoned."""


async def iterate_in_thread(items: Iterable[T]) -> AsyncGenerator[T, None]:
    """Yield the items as they arrive. Raise what the iterator raises."""
    pump = _IteratorThread(items)
    try:
        while True:
            batch = await pump.next_items()
            for item in batch:
                yield item
            if not batch:
                break
    finally:
        await pump.close()


class _IteratorThread(Generic[T]):
    def __init__(self, items: Iterable[T]) -> None:
        self._items = items
        self._loop = asyncio.get_running_loop()
        self._ready: deque[T] = deque()
        self._news = asyncio.Event()
        self._ended = asyncio.Event()
        self._error: Exception | None = None
        self._over = threading.Lock()
        self._thread_ended = False
        self._left = False
        self._room = threading.Semaphore(MAX_ITEMS_AHEAD)
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._read_items,), name="msgmodel reply", daemon=True
        )
        self._thread.start()

    async def next_items(self) -> list[T]:
        """Wait for an item, and return all that are ready; none at the end. Raise what the iterator raised."""
        while not self._ready and not self._ended.is_set():
            self._news.clear()
            await self._news.wait()
        batch = list(self._ready)
        for _ in batch:
            self._ready.popleft()
            self._room.release()
        if not batch and self._error is not None:
            raise self._error
        return batch

    async def close(self) -> None:
        self._left = True
        self._room.release()
        with self._over:
            if not self._thread_ended and self._thread.ident is not None:
                watchdog.stop_thread(self._thread.ident)
        shut = getattr(self._items, "close", None)
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSING_SECONDS):
                if shut is not None and not isgenerator(self._items):  # a batch, which any thread may close
                    await asyncio.to_thread(shut)
                await self._ended.wait()

    def _read_items(self) -> None:
        iterator = iter(self._items)
        try:
            for item in iterator:
                self._room.acquire()
                if self._left:
                    break
                self._ready.append(item)
                self._call_on_loop(self._news.set)
        except Exception as error:
            self._error = error
        except BaseException as error:  # SystemExit, for example, would end the event loop and everything on it
            self._error = RuntimeError(f"the iterator ended itself: {type(error).__name__}")
        finally:
            close: Any = getattr(iterator, "close", None)
            try:
                if close is not None:
                    close()
            except Exception as error:
                self._error = self._error or error
            finally:
                with self._over:  # from now on another thread may get this number
                    self._thread_ended = True
                    watchdog.release_thread(threading.get_ident())
                self._call_on_loop(self._ended.set, self._news.set)

    def _call_on_loop(self, *what: Any) -> None:
        try:
            for each in what:
                self._loop.call_soon_threadsafe(each)
        except RuntimeError:  # the loop is closed, so there is no reader
            self._left = True
