"""TODO"""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from ..events import BatchEvent
from .panels_on_loop import PanelsOnLoop

if TYPE_CHECKING:
    pass


class AbandoningExecutor(ThreadPoolExecutor):
    """Threads that look names up, which may take long and can't be stopped: the end of a loop doesn't wait for them."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait=False, cancel_futures=True)


class LoopThread:
    """An event loop in a thread, for as long as one batch lives."""

    def __init__(self, merged: PanelsOnLoop) -> None:
        self._merged = merged
        self._process = os.getpid()
        self._started = threading.Event()
        self._over = False
        self._news: SimpleQueue[object] = SimpleQueue()
        """Wakes the reader. `concurrent.futures.wait` would do, but an interrupt in it may leave its locks taken."""
        self.fault: BaseException | None = None
        """What ended the thread, where that was no `close`."""
        self._closed = False
        self._thread = threading.Thread(target=self._run_loop, name="msgmodel batch", daemon=True)

    def start(self) -> None:
        """Begin. Apart from the constructor, so that `close` ends what an interrupt (Ctrl-C) leaves half begun."""
        self._thread.start()
        self._started.wait()
        if self.fault is not None:  # no loop could be made
            raise self.fault

    def next_events(self) -> list[BatchEvent]:
        """The events that are there, after waiting for the first one; none when they or the loop have ended."""
        if self._process != os.getpid():  # the thread is not here
            return self._merged.events_after_fork()
        coming = self._merged.next_events()
        taken: Future[Any] = Future()
        with suppress(RuntimeError):  # closed meanwhile
            taken = asyncio.run_coroutine_threadsafe(coming, self._runs)
        taken.add_done_callback(self._news.put)
        while not taken.done() and not self._over:
            self._news.get()
        if taken.done() and not taken.cancelled():
            events: list[BatchEvent] = taken.result()
            return events
        coming.close()
        return []

    def close(self) -> None:
        self._closed = True  # seen by a thread that has not begun yet
        if self._thread.is_alive():
            self._started.wait()
            with suppress(RuntimeError):  # closed meanwhile
                self._runs.call_soon_threadsafe(self._stop.set)
            if threading.current_thread() is not self._thread:
                self._thread.join()

    def _run_loop(self) -> None:
        try:
            with asyncio.Runner() as runner:
                runner.run(self._until_closed())
        except BaseException as error:  # sys.exit in a callback too: it ends whoever reads
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
