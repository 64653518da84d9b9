"""A blocking iterator of events as an async one: it runs in a thread of its own, and never on the event loop.

Rules: it is read no further than `BUFFER` items ahead of the reader. When the reader leaves, a reply that the thread
waits for is ended at once, also before its first text, and the iterator is closed on its own thread.
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

BUFFER = 64

CLOSING_SECONDS = 0.5
"""How long a reader that leaves waits for the iterator to be closed. Code that blocks elsewhere is left behind."""


async def iterate_in_thread(items: Iterable[T]) -> AsyncGenerator[T, None]:
    """The items as they come; raises what the iterator raises."""
    pump = _Pump(items)
    try:
        while True:
            batch = await pump.take()
            for item in batch:
                yield item
            if not batch:
                break
    finally:
        await pump.close()


class _Pump(Generic[T]):
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
        self._room = threading.Semaphore(BUFFER)
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._run,), name="msgmodel reply", daemon=True
        )
        self._thread.start()

    async def take(self) -> list[T]:
        """What is there, after waiting for the first; nothing at the end."""
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
                if shut is not None and not isgenerator(self._items):  # a batch can be closed from any thread
                    await asyncio.to_thread(shut)
                await self._ended.wait()

    def _run(self) -> None:
        iterator = iter(self._items)
        try:
            for item in iterator:
                self._room.acquire()
                if self._left:
                    break
                self._ready.append(item)
                self._tell(self._news.set)
        except Exception as error:
            self._error = error
        except BaseException as error:  # SystemExit and its kind would end the event loop, and all that runs on it
            self._error = RuntimeError(f"the iterator ended itself: {type(error).__name__}")
        finally:
            close: Any = getattr(iterator, "close", None)
            try:
                if close is not None:
                    close()
            except Exception as error:
                self._error = self._error or error
            finally:
                with self._over:  # from here on the thread's number may be another's
                    self._thread_ended = True
                    watchdog.release_thread(threading.get_ident())
                self._tell(self._ended.set, self._news.set)

    def _tell(self, *what: Any) -> None:
        try:
            for each in what:
                self._loop.call_soon_threadsafe(each)
        except RuntimeError:  # the loop is closed: nobody reads any more
            self._left = True
