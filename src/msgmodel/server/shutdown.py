"""Tells the streams that the process is about to end, when it is told so by a signal.

Why: a server such as uvicorn waits for open answers before it ends the application's lifespan, so that a running stream
would hold it up for as long as the reply takes, and would then be cut.

Rules: the first signal goes on to the server at once, and streams get their grace (none after Ctrl-C). A second one
ends them now, each with its terminal event, and then goes on to the server, which may cut what is left. A third goes on
at once.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def end_on_signals(close: Callable[[float | None], Coroutine[Any, Any, None]]) -> Iterator[None]:
    """Call `close` within the context when the process is told to end. It does nothing outside the main thread.

    close: takes the seconds that streams may go on; None is the settings' grace.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    hearing = _Hearing(close)
    hearing.begin()
    try:
        yield
    finally:
        hearing.end()


class _Hearing:
    """What hears the signals before the server does."""

    def __init__(self, close: Callable[[float | None], Coroutine[Any, Any, None]]) -> None:
        self._close = close
        self._loop = asyncio.get_running_loop()
        self._count = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._server: dict[int, Callable[[int, FrameType | None], Any]] = {}
        """What was there before us: it still hears of each signal."""

    def begin(self) -> None:
        for number in SIGNALS:
            server = signal.getsignal(number)
            if callable(server):  # else no server listens, and the signal keeps its meaning
                self._server[number] = server
                signal.signal(number, self._heard)

    def end(self) -> None:
        for number, server in self._server.items():
            if signal.getsignal(number) == self._heard:
                signal.signal(number, server)

    def _heard(self, number: int, frame: FrameType | None) -> None:
        self._count += 1
        second = self._count == 2
        seconds = 0.0 if second or number == signal.SIGINT else None  # who types Ctrl-C is not waiting for anybody
        self._loop.call_soon_threadsafe(self._begin_close, seconds, number if second else None)
        if not second:
            self._server[number](number, frame)

    def _begin_close(self, seconds: float | None, then: int | None) -> None:
        self._tasks.append(self._loop.create_task(self._close_all(seconds, then)))

    async def _close_all(self, seconds: float | None, then: int | None) -> None:
        try:
            await self._close(seconds)
        finally:
            if then is not None:
                self._server[then](then, None)
