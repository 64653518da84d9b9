"""Streams of panel events with a `panel_progress` after each second without an event.

The events are read by a task, or for blocking code by a thread, because a generator that waits can't yield.

Rules: the next event is read only when the caller asks for it, so that a slow caller makes no silence. No progress
event follows the terminal event. When the caller leaves, the connection closes at once.
"""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, closing
from contextvars import copy_context
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from .events import PanelEvent
from .http import watchdog
from .http.forks import INHERITED
from .reply.progress import WatchedExchange

if TYPE_CHECKING:
    import asyncio

PROGRESS_SECONDS = 1.0
"""How long a wait takes until there is a progress event, and between two of them."""

CLOSING_SECONDS = 0.5
"""How long a caller that leaves waits for the thread. One that sleeps before a retry ends by itself, later."""

_TERMINAL_EVENTS = ("panel_final", "panel_error")


def stream_with_progress(
    events: Generator[PanelEvent, None, None], exchange: WatchedExchange
) -> Generator[PanelEvent, None, None]:
    """Yield the events of an exchange, and what it waits for.

    Args:
        events: The generator that runs the exchange.
        exchange: The exchange.
    """
    reader = _EventThread(events)
    seconds: float | None = PROGRESS_SECONDS
    try:
        reader.start()
        while True:
            try:
                event = reader.next_event(seconds)
            except Empty:
                if reader.was_forked:
                    yield from _events_after_fork(exchange)
                    return
                yield exchange.progress_event()
                continue
            if event is None:
                return
            exchange.note_shown(event)
            if event["event"] in _TERMINAL_EVENTS:
                seconds = None
            yield event
            reader.ask_for_event()
    finally:
        reader.close(exchange)


class _EventThread:
    """A thread that reads one event at a time."""

    def __init__(self, events: Generator[PanelEvent, None, None]) -> None:
        self._events = events
        self._process = os.getpid()
        self._wanted: SimpleQueue[bool] = SimpleQueue()
        self._ready: SimpleQueue[PanelEvent | None] = SimpleQueue()
        self._ended = threading.Event()
        self._fault: BaseException | None = None
        self._over = threading.RLock()  # the garbage collector may call `close` on any thread, also on this one
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._read_events,), name="msgmodel progress", daemon=True
        )

    @property
    def was_forked(self) -> bool:
        """Whether the thread runs in the parent only."""
        return self._process != os.getpid()

    def start(self) -> None:
        self._thread.start()

    def ask_for_event(self) -> None:
        self._wanted.put(True)

    def next_event(self, seconds: float | None) -> PanelEvent | None:
        """Wait for the event; None at the end. Raise Empty after so many seconds, or what the events raise."""
        event = self._ready.get(timeout=0 if self.was_forked else seconds)
        if event is None and self._fault is not None:
            raise self._fault
        return event

    def close(self, exchange: WatchedExchange) -> None:
        """End the thread, and the exchange if the thread can't be ended in time."""
        if self.was_forked or self._thread.ident is None:
            return
        self._wanted.put(False)
        with self._over:
            if not self._ended.is_set():
                watchdog.stop_thread(self._thread.ident)
        if threading.current_thread() is not self._thread and not self._ended.wait(CLOSING_SECONDS):
            exchange.close()

    def _read_events(self) -> None:
        try:
            with closing(self._events):
                for event in self._events:
                    self._ready.put(event)
                    if not self._wanted.get():
                        break
        except BaseException as error:  # SystemExit of a callback, too: the caller raises it
            self._fault = error
        finally:
            with self._over:  # from now on another thread may get this number
                self._ended.set()
                watchdog.release_thread(threading.get_ident())
            self._ready.put(None)


def _events_after_fork(exchange: WatchedExchange) -> Generator[PanelEvent, None, None]:
    """Yield the end of the panel in a forked process, where nothing reads its connection."""
    exchange.cancel()
    exchange.leave_unshown(())
    for event in exchange.terminal_events():
        if event["event"] == "panel_error" and event["code"] == "cancelled":
            event["code"], event["error"] = "interrupted", INHERITED
        yield event


async def async_stream_with_progress(
    events: AsyncGenerator[PanelEvent, None], exchange: WatchedExchange
) -> AsyncGenerator[PanelEvent, None]:
    """Do the same as `stream_with_progress` on asyncio."""
    reader = _EventTask(events)
    seconds: float | None = PROGRESS_SECONDS
    try:
        while True:
            event = await reader.next_event(seconds)
            if event is not None:
                exchange.note_shown(event)
                if event["event"] in _TERMINAL_EVENTS:
                    seconds = None
                yield event
            elif reader.has_ended:
                return
            else:
                yield exchange.progress_event()
    finally:
        await reader.close(exchange)


class _EventTask:
    """A task that reads one event at a time. One for all, because a time limit must begin and end in the same task."""

    def __init__(self, events: AsyncGenerator[PanelEvent, None]) -> None:
        import asyncio

        self._events = events
        self._wanted = asyncio.Event()
        self._slot: asyncio.Future[PanelEvent] | None = None
        """Holds the event that was asked for."""
        self._task = asyncio.get_running_loop().create_task(self._read_events())

    @property
    def has_ended(self) -> bool:
        """Whether there are no more events. Raise what they raised."""
        if self._task.done():
            self._task.result()
        return self._task.done()

    async def next_event(self, seconds: float | None) -> PanelEvent | None:
        """Wait for the event; None at the end, and after so many seconds."""
        import asyncio

        if self._slot is None:
            self._slot = asyncio.get_running_loop().create_future()
            self._wanted.set()
        awaited: set[asyncio.Future[Any]] = {self._slot, self._task}
        await asyncio.wait(awaited, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return self._take_event()

    def _take_event(self) -> PanelEvent | None:
        slot = self._slot
        if slot is None or not slot.done():
            return None
        self._slot = None
        return slot.result()

    async def close(self, exchange: WatchedExchange) -> None:
        """End the task, which closes the connection."""
        import asyncio

        self._task.cancel()
        try:
            await asyncio.wait({self._task})
        finally:
            event = self._take_event()
            exchange.leave_unshown(() if event is None else (event,))
            if self._task.done() and not self._task.cancelled():
                self._task.exception()  # it was raised, or the caller has left

    async def _read_events(self) -> None:
        async with aclosing(self._events):
            while True:
                await self._wanted.wait()
                self._wanted.clear()
                try:
                    event = await anext(self._events)
                except StopAsyncIteration:
                    return
                assert self._slot is not None, "wanted without a place for it"
                self._slot.set_result(event)
