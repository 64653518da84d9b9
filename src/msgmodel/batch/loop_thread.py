"""An event loop in a thread, on which `Batch` and `map_prompts` run for blocking code."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Generic, Protocol, TypeVar

T = TypeVar("T")


class LoopWork(Protocol[T]):
    """What runs on the loop."""

    async def next_events(self) -> list[T]:
        """Wait for an event, and return all that are ready. Return none at the end."""

    def events_after_fork(self) -> list[T]:
        """Return what is left in a process forked from the one with the loop."""

    async def aclose(self) -> None:
        """End what runs."""


class AbandoningExecutor(ThreadPoolExecutor):
    """Threads for host name lookups, which can't be stopped. The end of a loop does not wait for them."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait=False, cancel_futures=True)


class LoopThread(Generic[T]):
    """An event loop in a thread, for the lifetime of one batch."""

    def __init__(self, merged: LoopWork[T]) -> None:
        self._merged = merged
        self._process = os.getpid()
        self._started = threading.Event()
        self._over = False
        self._news: SimpleQueue[object] = SimpleQueue()
        """Wakes the reader. Not `concurrent.futures.wait`: an interrupt (Ctrl-C) in it may leave its locks taken."""
        self.fault: BaseException | None = None
        """The exception that ended the thread, if it was not `close`."""
        self._closed = False
        self._thread = threading.Thread(target=self._run_loop, name="msgmodel batch", daemon=True)

    def start(self) -> None:
        """Start the thread. Not in the constructor: after an interrupt (Ctrl-C), `close` must find the object."""
        self._thread.start()
        self._started.wait()
        if self.fault is not None:  # the loop could not be created
            raise self.fault

    def next_events(self) -> list[T]:
        """Wait for an event, and return all that are ready. Return none at the end of the events or of the loop."""
        if self._process != os.getpid():  # after a fork: the thread runs in the parent only
            return self._merged.events_after_fork()
        coming = self._merged.next_events()
        taken: Future[Any] = Future()
        with suppress(RuntimeError):  # the loop was closed meanwhile
            taken = asyncio.run_coroutine_threadsafe(coming, self._runs)
        taken.add_done_callback(self._news.put)
        while not taken.done() and not self._over:
            self._news.get()
        if taken.done() and not taken.cancelled():
            events: list[T] = taken.result()
            return events
        coming.close()
        return []

    def close(self) -> None:
        self._closed = True  # for a thread that has not started its loop yet
        if self._thread.is_alive():
            self._started.wait()
            if not self._over:  # the thread may still end after a loop that could not be made
                with suppress(RuntimeError):  # the loop was closed meanwhile
                    self._runs.call_soon_threadsafe(self._stop.set)
            if threading.current_thread() is not self._thread:
                self._thread.join()

    def _run_loop(self) -> None:
        try:
            with asyncio.Runner() as runner:
                runner.run(self._until_closed())
        except BaseException as error:  # SystemExit of a callback, too: the reader raises it
            self.fault = error
        finally:
            self._over = True
            self._news.put(None)
            self._started.set()

    async def _until_closed(self) -> None:
        self._runs = asyncio.get_running_loop()
        self._runs.set_default_executor(AbandoningExecutor())
        self._stop = asyncio.Event()
        self._started.set()
        if not self._closed:
            await self._stop.wait()
        await self._merged.aclose()
