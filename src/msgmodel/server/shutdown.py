"""Ends the streams when a signal tells the process to end.

Why: a server such as uvicorn waits for open responses before it ends the application's lifespan. So a running stream
would delay the end for as long as the reply takes, and would then be cut.

Rules: the server gets the first signal at once, and streams get their grace period (none after Ctrl-C). A second signal
ends them at once, each with its terminal event; the server gets it afterwards, and may cut what is left. The server
gets a third signal at once.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

END_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def end_on_signals(close: Callable[[float | None], Coroutine[Any, Any, None]]) -> Iterator[None]:
    """Call `close` when a signal arrives within the context. Outside the main thread, this does nothing.

    Args:
        close: Ends the streams. Its argument is the grace period in seconds; None means that of the settings.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    hearing = _SignalListener(close)
    hearing.start_listening()
    try:
        yield
    finally:
        hearing.stop_listening()


class _SignalListener:
    """Receives the signals before the server does."""

    def __init__(self, close: Callable[[float | None], Coroutine[Any, Any, None]]) -> None:
        self._close = close
        self._loop = asyncio.get_running_loop()
        self._count = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._server: dict[int, Callable[[int, FrameType | None], Any]] = {}
        """The handlers that were there before. They still get each signal."""

    def start_listening(self) -> None:
        for number in END_SIGNALS:
            server = signal.getsignal(number)
            if callable(server):  # otherwise no server listens, and the signal keeps its meaning
                self._server[number] = server
                signal.signal(number, self._receive_signal)

    def stop_listening(self) -> None:
        for number, server in self._server.items():
            if signal.getsignal(number) == self._receive_signal:
                signal.signal(number, server)

    def _receive_signal(self, number: int, frame: FrameType | None) -> None:
        self._count += 1
        second = self._count == 2
        seconds = 0.0 if second or number == signal.SIGINT else None  # after Ctrl-C nothing should be waited for
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
