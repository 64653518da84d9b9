"""Many panels at once: one merged stream of events, one terminal event a panel, one summary at the end.

Rules: what happens to one panel never disturbs another. No panel has more than `BUFFER` events waiting for a slow
reader: its connection is not read until there is room. Leaving the batch closes all connections at once. However the
work on a panel ended, its terminal event comes: see `_Merged._done`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias, Unpack, cast

from . import _api, _files, _question, providers
from ._exchange import Exchange
from ._forks import INHERITED
from .conversation import AsyncSettings
from .errors import ConfigurationError, MsgModelError, quoted
from .events import BatchEvent, BatchFinal, ErrorCode, PanelEnd, PanelEvent, PanelSummary

if TYPE_CHECKING:
    from ._files import FileLike

BUFFER = 64
"""Events of one panel that may wait for the reader."""

_log = logging.getLogger("msgmodel")
_OWN = ("api_key", "config", "model", "panel_id")


class Panel:
    """What is asked of one provider in a batch, where it differs from the rest: any keyword of `stream_panels`.

    panel_id: made from the provider's name where it is not given. prompt: in the place of the batch's. Its repr shows
    neither a key nor a prompt.
    """

    def __init__(
        self,
        provider: str,
        *,
        panel_id: str | None = None,
        prompt: str | None = None,
        **settings: Unpack[AsyncSettings],
    ) -> None:
        self.provider = provider
        self.panel_id = panel_id
        self.prompt = prompt
        self.settings = settings

    def __repr__(self) -> str:
        return f"Panel({self.provider!r}, panel_id={self.panel_id!r}, model={self.settings.get('model')!r})"


PanelLike: TypeAlias = Panel | str | tuple[str, str]
"""A panel, or a provider, or a provider and a model."""


def stream_many(
    panels: Sequence[PanelLike],
    prompt: str = "",
    file_like: FileLike | None = None,
    filename: str | None = None,
    **settings: Unpack[AsyncSettings],
) -> Batch:
    """Asks all panels at once; returns one iterator over the events of all of them, then a `batch_final`.

    settings: any keyword of `stream_panels` that is the same for all; `api_key`, `config` and `model` belong to a
    Panel. Files are read once, at the call. The work is done on an event loop in a thread of its own, with its own
    connections: for an HTTP client of yours use `astream_many`.

    Raises ConfigurationError, AuthenticationError or FileError at the call, for the panel that is wrong by its number.
    """
    if "http_client" in settings:
        raise ConfigurationError("stream_many makes its own connections: use astream_many with a client of yours")
    return Batch(_Merged(_prepared(panels, prompt, file_like, filename, settings)))


def astream_many(
    panels: Sequence[PanelLike],
    prompt: str = "",
    file_like: FileLike | None = None,
    filename: str | None = None,
    **settings: Unpack[AsyncSettings],
) -> AsyncBatch:
    """`stream_many` for asyncio, on the running event loop."""
    return AsyncBatch(_Merged(_prepared(panels, prompt, file_like, filename, settings)))


class Batch:
    """A running batch: iterate over it, in a `with` or not. It can be cancelled from any thread."""

    def __init__(self, merged: _Merged) -> None:
        self._merged = merged
        self._ready: deque[BatchEvent] = deque()
        self._loop: _Loop | None = None
        self._closed = False

    @property
    def panel_ids(self) -> list[str]:
        """Of all panels, in the order in which they were given."""
        return [job.panel_id for job in self._merged.jobs]

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> BatchEvent:
        try:
            if self._loop is None and not self._closed:
                self._loop = _Loop(self._merged)
                self._loop.start()
            while not self._closed:  # another thread may close it at any moment, and empty what is ready
                with suppress(IndexError):
                    return self._ready.popleft()
                assert self._loop is not None
                taken = self._loop.take()
                if not taken:
                    break
                self._ready += taken
        except BaseException:  # Ctrl-C too
            self.close()
            raise
        self.close()  # also where another thread did so before there was a loop to be closed
        if self._loop is not None and self._loop.fault is not None:
            fault, self._loop.fault = self._loop.fault, None
            raise fault
        raise StopIteration

    def cancel(self, panel_id: str | None = None) -> None:
        """Ends a panel, or all, with a `panel_error` of code `cancelled` that holds the text so far.

        Raises ConfigurationError for a panel that there is not; one that has ended is left as it is.
        """
        self._merged.cancel(panel_id)

    def close(self) -> None:
        """Closes all connections and the thread; no more events come. From any thread: the iteration ends."""
        self._closed = True
        self._ready.clear()
        if self._loop is not None:
            self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()  # also if it was closed: a second Ctrl-C may have interrupted that


class AsyncBatch:
    """A running batch for asyncio: iterate over it, in an `async with` or not.

    Waiting for an event can be cancelled, as by `asyncio.wait_for(anext(batch), 1)`: that loses none, and the panels go
    on. They end when the `async with` is left, by `aclose`, or when nobody has the batch any more.
    """

    def __init__(self, merged: _Merged) -> None:
        self._merged = merged
        self._ready: deque[BatchEvent] = deque()

    @property
    def panel_ids(self) -> list[str]:
        """Of all panels, in the order in which they were given."""
        return [job.panel_id for job in self._merged.jobs]

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> BatchEvent:
        if not self._ready:
            self._ready += await self._merged.take()
            if not self._ready:
                raise StopAsyncIteration
        return self._ready.popleft()

    async def for_each(
        self, take: Callable[[PanelEvent], Awaitable[None]], *, together: bool = False
    ) -> BatchFinal | None:
        """Awaits `take` with every event of the panels, and returns the summary; None where the batch was closed.

        In the place of iterating, which costs more: `take` is called in each panel's own task, so what it waits for
        holds up that panel alone. What it raises ends the batch, and is raised here; to be cancelled ends it too.
        together: text that arrived at once may come as one delta, which costs less where `take` is often late.
        """
        for job in self._merged.jobs:
            job.exchange.together = together
        return await self._merged.for_each(take)

    def text_characters(self) -> int:
        """Count the characters of text in the longest request that a panel may send, of a fallback too: all that the
        caller has put into its body, but for the data of files that are no text. Before the batch is begun.

        Raises ConfigurationError for a fallback that can't be asked.
        """
        return max(job.exchange.text_characters() for job in self._merged.jobs)

    def limit_requests(self, most: int) -> None:
        """Let the panels send no more requests together, with all retries, fallbacks and continuations.

        Raises ConfigurationError where they may want more.
        """
        jobs = self._merged.jobs
        wanted = [job.exchange.most_requests for job in jobs]
        if sum(wanted) > most:
            raise ConfigurationError(
                f"up to {sum(wanted)} requests to providers could come of this, and {most} are allowed: ask fewer "
                "panels, or lower max_retries, fallbacks or continue_truncated"
            )
        for job, own in zip(jobs, wanted, strict=True):
            job.exchange.max_requests = own + (most - sum(wanted)) // len(jobs)

    def cancel(self, panel_id: str | None = None) -> None:
        """Ends a panel, or all, with a `panel_error` of code `cancelled` that holds the text so far.

        Raises ConfigurationError for a panel that there is not; one that has ended is left as it is.
        """
        self._merged.cancel(panel_id)

    async def aclose(self) -> None:
        """Closes all connections; no more events come."""
        self._ready.clear()
        await self._merged.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        self._merged.abandon()


class _Job:
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
    def ended(self) -> PanelEnd | None:
        """The terminal event, once it was handed on."""
        last = self.last
        return last if last is not None and (last["event"] == "panel_final" or last["event"] == "panel_error") else None


def _stop(jobs: Iterable[_Job]) -> None:
    """Cancels their tasks, each once: a second time would tear it out of closing its connection."""
    for job in jobs:
        if job.task is not None and not job.stopped:
            job.stopped = True
            job.task.cancel()


class _Merged:
    """The panels on one event loop. The tasks know this, not the batch: so a batch that is let go of can end them."""

    def __init__(self, jobs: list[_Job]) -> None:
        self.jobs = jobs
        self._begin = monotonic()
        self._events: deque[tuple[_Job, PanelEvent]] = deque()
        self._news = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over = False
        self._running = 0
        self._taker: Callable[[PanelEvent], Awaitable[None]] | None = None
        self._fault: Exception | None = None
        """What the taker raised."""

    async def for_each(self, take: Callable[[PanelEvent], Awaitable[None]]) -> BatchFinal | None:
        """Hands all events to `take`, and returns the summary; None once nobody wants it. Raises what `take` raises."""
        self._taker = take
        try:
            if not self._over:
                self._start()
            # Not until the tasks are done: what they leave behind comes after that, in `_done`.
            while self._running and self._fault is None:
                self._news.clear()
                await self._news.wait()
                while self._events and not self._over:
                    await take(self._events.popleft()[1])
            if self._fault is not None:
                raise self._fault
            return None if self._over else self._summary()
        finally:
            self.stop()
            self._taker = None  # it may well have the batch

    async def take(self) -> list[BatchEvent]:
        """The events that are there, after waiting for the first one; none after the summary."""
        if self._over:
            return []
        if self._loop is None:
            self._start()
        while not self._events and not self._over and any(job.ended is None for job in self.jobs):
            self._news.clear()
            await self._news.wait()
        return [] if self._over else self._taken()

    def inherited(self) -> list[BatchEvent]:
        """The same in a process forked from the one that runs the panels: what it had, and an end of each panel."""
        if self._over:
            return []
        for job in self.jobs:
            if job.ended is None:
                self._end(job, "interrupted", INHERITED)
        return self._taken()

    def _taken(self) -> list[BatchEvent]:
        taken: list[BatchEvent] = []
        while self._events:
            job, event = self._events.popleft()
            taken.append(event)
            job.waiting -= 1
            if not job.room.is_set():
                job.room.set()
        if (last := self._summary()) is not None:
            self._over = True
            self._news.set()
            taken.append(last)
        return taken

    def _start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._running = len(self.jobs)
        for job in self.jobs:
            job.task = self._loop.create_task(self._run(job))
            job.task.add_done_callback(partial(self._done, job))

    def _summary(self) -> BatchFinal | None:
        """Once all panels have ended."""
        ends = [(job.panel_id, job.ended) for job in self.jobs if job.ended is not None]
        return summary(ends, monotonic() - self._begin) if len(ends) == len(self.jobs) else None

    def cancel(self, panel_id: str | None) -> None:
        chosen = [job for job in self.jobs if panel_id is None or job.panel_id == panel_id]
        if not chosen:
            known = ", ".join(job.panel_id for job in self.jobs)
            raise ConfigurationError(f"there is no panel {quoted(panel_id)}; there are {known}")
        for job in chosen:
            job.cancelled = True
        self._on_the_loop(lambda: _stop(job for job in chosen if job.ended is None))

    def abandon(self) -> None:
        """Nobody reads any more. Callable from anywhere, also while the interpreter ends."""
        if self._over:  # a callback would keep for a while what the garbage collector wants to free
            return
        self._over = True
        self._on_the_loop(lambda: _stop(self.jobs))

    def stop(self) -> None:
        """Nobody wants more. On the loop's own thread."""
        self._over = True
        self._news.set()
        _stop(self.jobs)

    async def aclose(self) -> None:
        self.stop()
        tasks = [job.task for job in self.jobs if job.task is not None and not job.task.done()]
        if tasks:
            await asyncio.wait(tasks)  # a gather that is cancelled would cancel them again

    def _on_the_loop(self, work: Callable[[], None]) -> None:
        if self._loop is not None:
            try:
                self._loop.call_soon_threadsafe(work)
            except RuntimeError:  # the loop is closed, and with it all that ran on it
                pass

    async def _run(self, job: _Job) -> None:
        try:
            if not job.cancelled:
                if self._taker is not None:
                    await self._hand_on(job, self._taker)
                    return
                async for event in job.events:
                    self._append(job, event)
                    while job.waiting >= BUFFER:
                        job.room.clear()
                        await job.room.wait()
        finally:
            await job.events.aclose()

    async def _hand_on(self, job: _Job, take: Callable[[PanelEvent], Awaitable[None]]) -> None:
        async for event in job.events:
            job.last = event
            try:
                await take(event)
            except Exception as error:  # it is no fault of the panel's
                self._fault, self._over = self._fault or error, True
                raise

    def _done(self, job: _Job, task: asyncio.Task[None]) -> None:
        """Hands on what is missing of a panel whose task has ended: also one that was cancelled before it had begun, or
        by somebody else, or that an error ended which nobody foresaw."""
        error = None if task.cancelled() else task.exception()
        job.task = None  # how it was cancelled leads back to the job
        self._running -= 1
        self._news.set()
        if self._over or job.ended is not None:
            return
        fault = f"unexpected {type(error).__name__}" if isinstance(error, Exception) else ""
        if fault:  # not its message, nor where it was raised: either may quote what was said
            _log.error("panel %s: %s", job.panel_id, fault)
        self._end(job, "protocol", fault)

    def _end(self, job: _Job, code: ErrorCode, fault: str) -> None:
        """Appends what is missing of a panel. `code` and `fault` say why, in the place of that it was cancelled."""
        try:
            job.exchange.cancel()
        finally:  # an on_end may exit
            rest = list(job.exchange.ending())
            begun = next((number for number, event in enumerate(rest) if event is job.last), -1)
            for event in rest[begun + 1 :]:
                if fault and event["event"] == "panel_error":
                    event["code"], event["error"] = code, fault
                self._append(job, event)

    def _append(self, job: _Job, event: PanelEvent) -> None:
        job.last = event
        job.waiting += 1
        self._events.append((job, event))
        if not self._news.is_set():
            self._news.set()


def summary(ends: Sequence[tuple[str, PanelEnd]], total_seconds: float) -> BatchFinal:
    """The last event of a batch, from the id and the terminal event of each panel in the order of the batch."""
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


class _Lookups(ThreadPoolExecutor):
    """Threads that look names up, which may take long and can't be stopped: the end of a loop doesn't wait for them."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait=False, cancel_futures=True)


class _Loop:
    """An event loop in a thread, for as long as one batch lives."""

    def __init__(self, merged: _Merged) -> None:
        self._merged = merged
        self._process = os.getpid()
        self._started = threading.Event()
        self._over = False
        self._news: SimpleQueue[object] = SimpleQueue()
        """Wakes the reader. `concurrent.futures.wait` would do, but an interrupt in it may leave its locks taken."""
        self.fault: BaseException | None = None
        """What ended the thread, where that was no `close`."""
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="msgmodel batch", daemon=True)

    def start(self) -> None:
        """Begin. Apart from the constructor, so that `close` ends what an interrupt (Ctrl-C) leaves half begun."""
        self._thread.start()
        self._started.wait()
        if self.fault is not None:  # no loop could be made
            raise self.fault

    def take(self) -> list[BatchEvent]:
        """The events that are there, after waiting for the first one; none when they or the loop have ended."""
        if self._process != os.getpid():  # the thread is not here
            return self._merged.inherited()
        coming = self._merged.take()
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

    def _serve(self) -> None:
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
        self._runs.set_default_executor(_Lookups())
        self._stop = asyncio.Event()
        self._started.set()
        if not self._closed:
            await self._stop.wait()
        await self._merged.aclose()


def _prepared(
    panels: Sequence[PanelLike],
    prompt: str,
    file_like: FileLike | None,
    filename: str | None,
    settings: AsyncSettings,
) -> list[_Job]:
    if not isinstance(panels, Sequence) or isinstance(panels, (str, bytes)) or not panels:
        raise ConfigurationError("panels must be a list of panels, with at least one")
    common = cast(dict[str, Any], dict(settings))
    for name in _OWN:
        if name in common:
            raise ConfigurationError(f"{name} belongs to one panel: Panel(provider, {name}=...)")
    # Read once: the second panel would find a pipe empty.
    files: list[Any] = [*_files.attachments(file_like, filename, common.pop("files", ()))]
    common["filename"], common["file_like"] = None, None if file_like is None else files.pop(0)
    common["files"] = files
    readings = _question.Readings()
    chosen = [_panel(number, panel) for number, panel in enumerate(panels)]
    jobs = []
    for number, (panel, panel_id) in enumerate(zip(chosen, _ids(chosen), strict=True)):
        arguments: dict[str, Any] = common | dict(panel.settings)
        arguments |= {"provider": panel.provider, "prompt": prompt if panel.prompt is None else panel.prompt}
        try:
            asks, exchange = _api.begin_by_name(panel_id, arguments, readings)
            events = _api.async_panels(asks, exchange, arguments.get("http_client"))
            jobs.append(_Job(panel_id, exchange, events))
        except MsgModelError as error:
            raise type(error)(f"panels[{number}]: {error.message}") from None
    return jobs


def _panel(number: int, panel: PanelLike) -> Panel:
    if isinstance(panel, Panel):
        return panel
    if isinstance(panel, str):
        return Panel(panel)
    if isinstance(panel, tuple) and len(panel) == 2:
        return Panel(panel[0], model=panel[1])
    raise ConfigurationError(f"panels[{number}] must be a Panel, a provider, or a tuple of provider and model")


def _ids(panels: list[Panel]) -> list[str]:
    """The ids given, and for the rest the provider's name, with a number where that is taken."""
    taken: set[str] = set()
    for number, panel in enumerate(panels):
        if panel.panel_id is not None:
            if not isinstance(panel.panel_id, str) or not panel.panel_id or panel.panel_id in taken:
                raise ConfigurationError(
                    f"panels[{number}]: panel_id must be a string of its own, and not empty: {quoted(panel.panel_id)}"
                )
            taken.add(panel.panel_id)
    ids = []
    for number, panel in enumerate(panels):
        id = panel.panel_id
        if id is None:
            try:
                name = id = providers.find(panel.provider).name
            except MsgModelError as error:
                raise type(error)(f"panels[{number}]: {error.message}") from None
            count = 2
            while id in taken:
                id, count = f"{name}-{count}", count + 1
            taken.add(id)
        ids.append(id)
    return ids
