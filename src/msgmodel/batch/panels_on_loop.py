"""Runs the panels of a batch as tasks of one event loop, and merges their events.

Rule: every task ends with a terminal event of its panel, unless the batch was closed.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from functools import partial
from time import monotonic

from ..errors import ConfigurationError, quoted
from ..events import BatchEvent, BatchFinal, ErrorCode, PanelEnd, PanelEvent, PanelSummary
from ..http.forks import INHERITED
from ..reply.exchange import Exchange

BUFFER = 64
"""Maximum events of one panel that wait for the reader."""

_log = logging.getLogger("msgmodel")


class RunningPanel:
    """One panel of a batch."""

    def __init__(self, panel_id: str, exchange: Exchange, events: AsyncGenerator[PanelEvent, None]) -> None:
        self.panel_id = panel_id
        self.exchange = exchange
        self.events = events
        self.task: asyncio.Task[None] | None = None
        self.cancelled = False
        self.stopped = False
        self.last: PanelEvent | None = None
        self.waiting = 0
        self.room = asyncio.Event()

    @property
    def terminal_event(self) -> PanelEnd | None:
        """The terminal event, once it was delivered."""
        last = self.last
        return last if last is not None and (last["event"] == "panel_final" or last["event"] == "panel_error") else None


def stop_panels(jobs: Iterable[RunningPanel]) -> None:
    """Cancel the tasks, each once: a second cancel would interrupt the closing of a connection."""
    for job in jobs:
        if job.task is not None and not job.stopped:
            job.stopped = True
            job.task.cancel()


class PanelsOnLoop:
    """The panels on one event loop. Tasks refer to this object, so that the batch itself can be freed."""

    def __init__(self, jobs: list[RunningPanel]) -> None:
        self.jobs = jobs
        self._begin = monotonic()
        self._events: deque[tuple[RunningPanel, PanelEvent]] = deque()
        self._news = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over = False
        self._running = 0
        self._taker: Callable[[PanelEvent], Awaitable[None]] | None = None
        self._fault: Exception | None = None
        """The exception that the taker raised."""

    async def for_each(self, take: Callable[[PanelEvent], Awaitable[None]]) -> BatchFinal | None:
        """Await `take` with all events, and return the summary; None if the batch was closed. Its errors are raised."""
        self._taker = take
        try:
            if not self._over:
                self._start_tasks()
            # Tasks that end without a terminal event leave it to `_finish_panel`, so wait for that.
            while self._running and self._fault is None:
                self._news.clear()
                await self._news.wait()
                while self._events and not self._over:
                    await take(self._events.popleft()[1])
            if self._fault is not None:
                raise self._fault
            return None if self._over else self._summary_at_end()
        finally:
            self.stop()
            self._taker = None  # it may refer to the batch, which would never be freed

    async def next_events(self) -> list[BatchEvent]:
        """Wait for an event, and return all that are ready. Return none after the summary."""
        if self._over:
            return []
        if self._loop is None:
            self._start_tasks()
        while not self._events and not self._over and any(job.terminal_event is None for job in self.jobs):
            self._news.clear()
            await self._news.wait()
        return [] if self._over else self._take_ready_events()

    def events_after_fork(self) -> list[BatchEvent]:
        """Return the ready events and an end of each panel, in a process forked from the one that runs the panels."""
        if self._over:
            return []
        for job in self.jobs:
            if job.terminal_event is None:
                self._append_terminal_events(job, "interrupted", INHERITED)
        return self._take_ready_events()

    def _take_ready_events(self) -> list[BatchEvent]:
        taken: list[BatchEvent] = []
        while self._events:
            job, event = self._events.popleft()
            taken.append(event)
            job.waiting -= 1
            if not job.room.is_set():
                job.room.set()
        if (last := self._summary_at_end()) is not None:
            self._over = True
            self._news.set()
            taken.append(last)
        return taken

    def _start_tasks(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._running = len(self.jobs)
        for job in self.jobs:
            job.task = self._loop.create_task(self._run_panel(job))
            job.task.add_done_callback(partial(self._finish_panel, job))

    def _summary_at_end(self) -> BatchFinal | None:
        """Return the summary if all panels have ended."""
        ends = [(job.panel_id, job.terminal_event) for job in self.jobs if job.terminal_event is not None]
        return batch_summary(ends, monotonic() - self._begin) if len(ends) == len(self.jobs) else None

    def cancel_panels(self, panel_id: str | None) -> None:
        chosen = [job for job in self.jobs if panel_id is None or job.panel_id == panel_id]
        if not chosen:
            known = ", ".join(job.panel_id for job in self.jobs)
            raise ConfigurationError(f"there is no panel {quoted(panel_id)} (panels: {known})")
        for job in chosen:
            job.cancelled = True
        self._call_on_loop(lambda: stop_panels(job for job in chosen if job.terminal_event is None))

    def abandon(self) -> None:
        """End the panels without a reader. Any thread may call this, even while the interpreter exits."""
        if self._over:  # a callback would keep this object alive for longer
            return
        self._over = True
        self._call_on_loop(lambda: stop_panels(self.jobs))

    def stop(self) -> None:
        """End the panels. Call this on the loop's own thread."""
        self._over = True
        self._news.set()
        stop_panels(self.jobs)

    async def aclose(self) -> None:
        self.stop()
        tasks = [job.task for job in self.jobs if job.task is not None and not job.task.done()]
        if tasks:
            await asyncio.wait(tasks)  # not gather, which cancels the tasks again if it is canceled

    def _call_on_loop(self, work: Callable[[], None]) -> None:
        if self._loop is not None:
            try:
                self._loop.call_soon_threadsafe(work)
            except RuntimeError:  # the loop is closed, and its tasks have ended
                pass

    async def _run_panel(self, job: RunningPanel) -> None:
        try:
            if not job.cancelled:
                if self._taker is not None:
                    await self._deliver_in_task(job, self._taker)
                    return
                async for event in job.events:
                    self._append_event(job, event)
                    while job.waiting >= BUFFER:
                        job.room.clear()
                        await job.room.wait()
        finally:
            await job.events.aclose()

    async def _deliver_in_task(self, job: RunningPanel, take: Callable[[PanelEvent], Awaitable[None]]) -> None:
        async for event in job.events:
            job.last = event
            try:
                await take(event)
            except Exception as error:  # the taker's fault, not the panel's
                self._fault, self._over = self._fault or error, True
                raise

    def _finish_panel(self, job: RunningPanel, task: asyncio.Task[None]) -> None:
        """Append the missing events of a panel whose task has ended.

        The task may have been canceled before it began, or by other code, or ended by an unexpected error.
        """
        error = None if task.cancelled() else task.exception()
        job.task = None  # the traceback of its error refers to the job: a cycle
        self._running -= 1
        self._news.set()
        if self._over or job.terminal_event is not None:
            return
        fault = f"unexpected {type(error).__name__}" if isinstance(error, Exception) else ""
        if fault:  # no message and no traceback: they may quote the reply
            _log.error("panel %s: %s", job.panel_id, fault)
        self._append_terminal_events(job, "protocol", fault)

    def _append_terminal_events(self, job: RunningPanel, code: ErrorCode, fault: str) -> None:
        """Append the missing events of a panel. `code` and `fault` replace those of a cancellation."""
        try:
            job.exchange.cancel()
        finally:  # on_end may raise SystemExit
            missing = list(job.exchange.terminal_events())
            delivered = next((number for number, event in enumerate(missing) if event is job.last), -1)
            for event in missing[delivered + 1 :]:
                if fault and event["event"] == "panel_error":
                    event["code"], event["error"] = code, fault
                self._append_event(job, event)

    def _append_event(self, job: RunningPanel, event: PanelEvent) -> None:
        job.last = event
        job.waiting += 1
        self._events.append((job, event))
        if not self._news.is_set():
            self._news.set()


def batch_summary(ends: Sequence[tuple[str, PanelEnd]], total_seconds: float) -> BatchFinal:
    """Return the last event of a batch.

    Args:
        ends: The id and the terminal event of each panel, in the order of the batch.
        total_seconds: Seconds from the start of the batch to its end.
    """
    panels: list[PanelSummary] = [
        {
            "panel_id": panel_id,
            "provider": end["provider"],
            "model": end["model"],
            "status": end["status"] if end["event"] == "panel_final" else None,
            "code": end["code"] if end["event"] == "panel_error" else None,
            "first_delta_seconds": end["timing"]["first_delta_seconds"],
            "total_seconds": end["timing"]["total_seconds"],
            "usage": end["usage"],
            "cost": end["cost"],
            **({"has_object": not end.get("errors")} if "object" in end else {}),  # type: ignore[typeddict-item]
        }
        for panel_id, end in ends
    ]
    costs = [panel["cost"] for panel in panels]
    return {
        "event": "batch_final",
        "panel_id": None,
        "panels": panels,
        "total_seconds": total_seconds,
        "cost": None if None in costs else sum(cost for cost in costs if cost is not None),
    }
