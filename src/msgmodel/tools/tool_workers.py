"""Runs the functions of a run: plain ones in threads, async ones as tasks of an event loop.

Rules: a function is called at most once for a call, and only after the journal has noted that it begins. What it says
goes to `post`, which any thread may call. A function in a thread can't be ended from outside: it may look at
`current_call().cancelled`. The threads are daemons, so that none of them keeps the program from ending.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from contextvars import copy_context
from typing import Any, Protocol, TypeVar

from ..errors import MsgModelError
from ..events import PendingCall
from ..question.result_content import json_text
from . import call_words
from .call_context import CURRENT_CALL, CallContext
from .call_journal import CallJournal
from .run_steps import Report, RunCall
from .runnable_tool import result_as_json

T = TypeVar("T")

_log = logging.getLogger("msgmodel")


class _Task(Protocol):
    """A task of a loop, or the future of one on another thread."""

    def cancel(self) -> object: ...


class ToolWorkers:
    """The functions that run now.

    Args:
        run_id: The id of the run.
        post: Takes the reports.
        create_task: Runs a coroutine on an event loop.
        safe_words: Removes secrets from the words of an error.
        journal: The journal; None for none.
        ask: Asks the caller a question of a running function; None if that can't be done.
    """

    def __init__(
        self,
        run_id: str,
        post: Callable[[Report], object],
        create_task: Callable[[Coroutine[Any, Any, Any]], _Task],
        safe_words: Callable[[str], str],
        journal: CallJournal | None,
        ask: Callable[[PendingCall], Awaitable[object]] | None = None,
    ) -> None:
        self._ask = ask
        self._run_id, self._post, self._create_task = run_id, post, create_task
        self._safe_words, self._journal = safe_words, journal
        self._running: dict[str, tuple[CallContext, _Task | None]] = {}

    def start(self, calls: Sequence[RunCall]) -> None:
        """Start the functions of these calls, all at the same time."""
        for call in calls:
            assert call.tool is not None
            context = CallContext(
                call.id, call.name, f"{self._run_id}/{call.key}", report=self._reporter(call), ask=self._ask
            )
            task = None
            if call.tool.is_async:
                task = self._create_task(self._run_task(call, context))
            else:
                # No executor: its threads are joined before the interpreter exits (ThreadPoolExecutor), and a function
                # that hangs would hold up the end of the program.
                work = copy_context().run, (self._run_in_thread, call, context)
                threading.Thread(target=work[0], args=work[1], name=f"msgmodel tool {call.name}", daemon=True).start()
            self._running[call.key] = context, task

    def _reporter(self, call: RunCall) -> Callable[[str], object]:
        return lambda piece: self._post(Report(call.key, "progress", piece))

    def cancel(self, calls: Sequence[RunCall]) -> None:
        """Ask the functions of these calls to end."""
        for call in calls:
            context, task = self._running[call.key]
            context.cancelled.set()
            if task is not None:
                task.cancel()

    # --- plain functions, each in its thread ---

    def _run_in_thread(self, call: RunCall, context: CallContext) -> None:
        CURRENT_CALL.set(context)
        recorded = self._begin(call)
        if recorded is not None:
            self._post(recorded)
            return
        try:
            assert call.tool is not None
            value = call.tool.function(**call.passed)
            if inspect.isgenerator(value):
                value = self._read_pieces(call, context, value)
            elif inspect.isawaitable(value):
                raise TypeError("the function is plain and returned something to await: make it an async function")
            report = Report(call.key, "returned", result_as_json(value))
        except _Cancelled:
            report = Report(call.key, "cancelled", None)
        except BaseException as error:  # a function that calls sys.exit must not end a thread without a report
            report = _failed(call, error)
        self._post(self._end(report))

    def _read_pieces(self, call: RunCall, context: CallContext, pieces: Generator[Any, Any, Any]) -> Any:
        """Report what a generator yields. Return its result, or else all pieces joined."""
        texts: list[str] = []
        while True:
            try:
                piece = next(pieces)
            except StopIteration as end:
                return "".join(texts) if end.value is None else end.value
            texts.append(text := _text_of_piece(piece))
            self._post(Report(call.key, "progress", text))
            if context.cancelled.is_set():
                pieces.close()
                raise _Cancelled

    # --- async functions, each a task ---

    async def _run_task(self, call: RunCall, context: CallContext) -> None:
        CURRENT_CALL.set(context)
        recorded = await self._off_the_loop(self._begin, call)
        if recorded is not None:
            self._post(recorded)
            return
        try:
            report = Report(call.key, "returned", result_as_json(await self._await_result(call)))
        except asyncio.CancelledError as error:
            report = Report(call.key, "cancelled", None) if context.cancelled.is_set() else _failed(call, error)
        except BaseException as error:
            report = _failed(call, error)
        with suppress(asyncio.CancelledError):  # the thread writes to the end
            await self._off_the_loop(self._end, report)
        self._post(report)

    async def _off_the_loop(self, write: Callable[[Any], Any], about: Any) -> Any:
        return write(about) if self._journal is None else await asyncio.to_thread(write, about)

    async def _await_result(self, call: RunCall) -> Any:
        assert call.tool is not None
        value = call.tool.function(**call.passed)
        if not inspect.isasyncgen(value):
            return await value
        texts: list[str] = []
        async for piece in value:
            texts.append(text := _text_of_piece(piece))
            self._post(Report(call.key, "progress", text))
        return "".join(texts)

    # --- the journal ---

    def _begin(self, call: RunCall) -> Report | None:
        """Note that the call begins. Return the report of a call that must not run: it has begun before."""
        if self._journal is None:
            return None
        try:
            record = self._journal.begin_call(call.key, call.name, json_text(call.changed_arguments or call.arguments))
        except sqlite3.Error as error:
            return Report(call.key, "raised", call_words.no_journal(error))
        return None if record is None else Report(call.key, "recorded", record)

    def _end(self, report: Report) -> Report:
        """Note how the call ended, and return its report."""
        if self._journal is None:
            return report
        status, result, error = "done", report.value, None
        if report.kind != "returned":
            status, result = "failed", None
            error = self._safe_words(report.value or call_words.CANCELLED_ITSELF)
        try:
            self._journal.end_call(report.call_key, status, result, error)  # type: ignore[arg-type]
        except sqlite3.Error as fault:  # it stays a call that began and did not end
            _log.warning("the journal can't be written: %s", type(fault).__name__)
        return report


class _Cancelled(Exception):
    """A generator was asked to end."""


def _failed(call: RunCall, error: BaseException) -> Report:
    if isinstance(error, MsgModelError):
        return Report(call.key, "raised", error.message)
    return Report(call.key, "raised", call_words.words_of_error(error))


def _text_of_piece(piece: Any) -> str:
    return piece if isinstance(piece, str) else json_text(result_as_json(piece)) + "\n"


class ToolLoop:
    """An event loop in a thread, on which a blocking run executes async functions. It starts with the first one."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._started = threading.Event()
        self._stop: asyncio.Event | None = None

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine, and return its result."""
        return self.create_task(coroutine).result()

    def create_task(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Start a coroutine."""
        if self._loop is None:
            threading.Thread(target=self._run, name="msgmodel tools", daemon=True).start()
            self._started.wait()
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def close(self) -> None:
        """Cancel what runs, and end the thread. Do not wait for it."""
        if self._loop is not None and self._stop is not None:
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._stop.set)

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            runner.run(self._until_stopped())

    async def _until_stopped(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._started.set()
        await self._stop.wait()
