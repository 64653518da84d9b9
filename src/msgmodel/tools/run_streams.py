"""The two shells of a run of tools: iterators over its events. They do what `ToolRunState` says, and decide nothing.

Rule: when the caller leaves, by `close`, `break`, an exception or a cancellation, the running functions are asked to
end, and the connection closes.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextlib import aclosing, closing, suppress
from inspect import isawaitable, iscoroutinefunction
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, Self

from ..events import PanelEvent, PendingCall
from ..http import watchdog
from . import call_words
from .run_base import CLOSING_SECONDS, BaseRun
from .run_steps import (
    AskApproval,
    AskModel,
    AwaitReport,
    CancelCalls,
    EndRun,
    Report,
    RunCall,
    StartCalls,
)
from .tool_workers import ToolLoop, ToolWorkers


class RunStream(BaseRun, Iterator[PanelEvent]):
    """A run of tools in blocking code: an iterator over its events, with one terminal event, the last one.

    `close` or the end of a `with` ends the run early. `say` and `stop` may be called from any thread.
    """

    _is_async = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lock = threading.Lock()
        self._reader: int | None = None
        """The thread that waits for the provider."""
        self._reports: SimpleQueue[Report | None] = SimpleQueue()
        self._loop = ToolLoop()
        self._workers = ToolWorkers(
            self.run_id, self._reports.put, self._loop.create_task, self._safe_words, self._journal
        )
        self._events = self._run()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> PanelEvent:
        return next(self._events)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """End the run now. Functions that run are asked to end."""
        self._events.close()
        self._close_journal()  # if nothing was read, the iterator has not begun, and closes nothing

    def stop(self) -> None:
        """End the run: read its last events, of which the terminal one is a `panel_error` with the code `cancelled`."""
        with self._lock:
            self._state.halt = self._state.halt or "cancelled"
            if self._reader is not None:
                watchdog.stop_thread(self._reader)
        self._reports.put(None)

    def _run(self) -> Generator[PanelEvent, None, None]:
        state = self._state
        try:
            if self._replayed:
                self._has_ended = True
                yield from self._replayed
                return
            while True:
                step = state.next_step()
                for event in map(self._delivered, state.take_events()):
                    self._write_end(event)
                    yield event
                if isinstance(step, EndRun):
                    return
                if isinstance(step, AskModel):
                    yield from self._read_round(step)
                elif isinstance(step, AskApproval):
                    state.add_decision(step.call, self._ask_approval(step.call))
                elif isinstance(step, StartCalls):
                    self._workers.start(step.calls)
                elif isinstance(step, CancelCalls):
                    self._workers.cancel(step.calls)
                elif isinstance(step, AwaitReport):
                    state.add_report(self._next_report(step.seconds))
                else:
                    self._keep(step)
        finally:
            self._leave()

    def _read_round(self, step: AskModel) -> Generator[PanelEvent, None, None]:
        with closing(self._stream_for(step)) as stream:
            while (event := self._next_event(stream)) is not None:
                is_last = self._add_round_event(event)
                yield from self._state.take_events()
                if is_last:
                    return
                if self._state.halt == "cancelled":
                    break
        self._add_cut_round()

    def _next_event(self, stream: Generator[PanelEvent, None, None]) -> PanelEvent | None:
        """Return the next event of a round; None at its end. `stop` ends the wait for it."""
        thread = threading.get_ident()
        with self._lock:
            self._reader = thread
            if self._state.halt == "cancelled":
                watchdog.stop_thread(thread)
        try:
            return next(stream, None)
        finally:
            with self._lock:
                self._reader = None
                watchdog.release_thread(thread)

    def _next_report(self, seconds: float) -> Report | None:
        try:
            return self._reports.get(timeout=seconds)
        except Empty:
            return None

    def _ask_approval(self, call: RunCall) -> object:
        try:
            return self._plan.approve(call.as_pending())
        except Exception as error:
            return call_words.failed_approval(error)

    def _leave(self) -> None:
        """End what runs. The caller has left, or the run has ended."""
        self._workers.cancel(self._state.halt_calls())
        until = monotonic() + CLOSING_SECONDS
        while self._state.running_calls and (left := until - monotonic()) > 0:
            self._state.add_report(self._next_report(left))
        for _ in self._events_after_leaving():
            pass
        self._loop.close()
        self._close_journal()


class AsyncRunStream(BaseRun, AsyncIterator[PanelEvent]):
    """A run of tools with asyncio: an async iterator over its events, with one terminal event, the last one.

    `aclose` or the end of an `async with` ends the run early. `say` and `stop` may be called from any thread.
    """

    _is_async = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reports: asyncio.Queue[Report | None] = asyncio.Queue()
        self._wait: asyncio.Timeout | None = None
        """The limit of the wait for the provider, which `stop` ends."""
        self._workers = ToolWorkers(
            self.run_id,
            self._post,
            asyncio.ensure_future,
            self._safe_words,
            self._journal,
            None if self._plan.approve is None else self._ask,
        )
        self._unread: deque[PanelEvent] = deque()
        """The events after a wait by hand that was canceled."""
        self._events = self._run()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> PanelEvent:
        try:
            return await anext(self._events)
        except StopAsyncIteration:
            if self._unread:
                return self._unread.popleft()
            raise

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the run now. Functions that run are asked to end."""
        await self._events.aclose()
        self._unread.clear()
        self._close_journal()

    def stop(self) -> None:
        """End the run: read its last events, of which the terminal one is a `panel_error` with the code `cancelled`."""
        self._state.halt = self._state.halt or "cancelled"
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        if self._wait is not None:
            self._wait.reschedule(0)
        self._reports.put_nowait(None)

    def _post(self, report: Report) -> None:
        assert self._loop is not None
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._reports.put_nowait, report)

    async def _run(self) -> AsyncGenerator[PanelEvent, None]:
        state = self._state
        self._loop = asyncio.get_running_loop()
        try:
            if self._replayed:
                self._has_ended = True
                for event in self._replayed:
                    yield event
                return
            while True:
                step = state.next_step()
                for event in map(self._delivered, state.take_events()):
                    await self._off_the_loop(self._write_end, event)
                    yield event
                if isinstance(step, EndRun):
                    return
                if isinstance(step, AskModel):
                    async with aclosing(self._read_round(step)) as events:
                        async for event in events:
                            yield event
                elif isinstance(step, AskApproval):
                    state.add_decision(step.call, await self._ask(step.call.as_pending()))
                elif isinstance(step, StartCalls):
                    self._workers.start(step.calls)
                elif isinstance(step, CancelCalls):
                    self._workers.cancel(step.calls)
                elif isinstance(step, AwaitReport):
                    state.add_report(await self._next_report(step.seconds))
                else:
                    await self._off_the_loop(self._keep, step)
        finally:
            await self._leave()

    async def _read_round(self, step: AskModel) -> AsyncGenerator[PanelEvent, None]:
        async with aclosing(self._stream_for(step)) as stream:
            while (event := await self._next_event(stream)) is not None:
                is_last = self._add_round_event(event)
                for shown in self._state.take_events():
                    yield shown
                if is_last:
                    return
                if self._state.halt == "cancelled":
                    break
        self._add_cut_round()

    async def _next_event(self, stream: AsyncGenerator[PanelEvent, None]) -> PanelEvent | None:
        """Return the next event of a round; None at its end. `stop` ends the wait for it."""
        while True:
            try:
                async with asyncio.timeout(0 if self._state.halt == "cancelled" else None) as self._wait:
                    return await anext(stream, None)
            except TimeoutError:
                continue  # the stream owes its terminal event now
            finally:
                self._wait = None

    async def _next_report(self, seconds: float) -> Report | None:
        try:
            return await asyncio.wait_for(self._reports.get(), seconds)
        except TimeoutError:
            return None

    async def _ask(self, pending: PendingCall) -> object:
        try:
            if iscoroutinefunction(self._plan.approve):
                return await self._plan.approve(pending)
            decision = await asyncio.to_thread(self._plan.approve, pending)
            return await decision if isawaitable(decision) else decision
        except Exception as error:
            return call_words.failed_approval(error)

    async def _off_the_loop(self, write: Callable[[Any], None], about: Any) -> None:
        """Do what may write to the journal in a thread."""
        if self._journal is None:
            write(about)
        else:
            await asyncio.to_thread(write, about)

    async def _leave(self) -> None:
        """End what runs. The caller has left, or the run has ended."""
        self._workers.cancel(self._state.halt_calls())
        until = monotonic() + CLOSING_SECONDS
        try:
            while self._state.running_calls and (left := until - monotonic()) > 0:
                self._state.add_report(await self._next_report(left))
        finally:
            self._unread.extend(self._events_after_leaving())
            self._close_journal()
