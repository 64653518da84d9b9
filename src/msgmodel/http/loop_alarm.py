"""Limits on waits of asyncio, as `asyncio.timeout` sets them, but with one timer for all waits of a reply.

Rule: the time in which the loop could not run does not count. After a task blocked it, what has arrived by now is
read before a wait is called too late. A wait is extended like this once: a server that keeps the loop busy makes
every timer late, and must not extend its own wait again and again.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from types import TracebackType

LATE_SECONDS = 0.05
"""How late a timer is if a task blocked the loop."""


class LoopAlarm:
    """Calls a function when a wait takes too long."""

    __slots__ = ("_due", "_extended_to", "_looks", "_loop", "_ring", "_seconds", "_time", "_timer")

    def __init__(self, ring: Callable[[], object]) -> None:
        self._ring = ring
        self._loop = asyncio.get_running_loop()
        self._time = self._loop.time
        self._timer: asyncio.TimerHandle | None = None
        self._due = self._looks = self._extended_to = math.inf
        self._seconds = 0.0

    def begin(self, seconds: float) -> None:
        """Begin a wait of at most so many seconds."""
        self._seconds = seconds
        self._due = due = self._time() + seconds
        if due < self._looks:
            self._look_at(due)

    def end(self) -> None:
        """End the wait."""
        self._due = math.inf

    def close(self) -> None:
        """Let go of the timer and of the function: it nearly always refers back to this object."""
        self._unset()
        self._ring = _do_nothing

    def _unset(self) -> None:
        self._looks = math.inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_at(self, when: float) -> None:
        self._unset()
        self._looks = when
        self._timer = self._loop.call_at(when, self._look)

    def _look(self) -> None:
        now, late = self._time(), self._time() - self._looks
        self._timer, self._looks = None, math.inf
        if self._due == math.inf:
            return  # there is no wait, and the next one sets the timer
        if self._due > now:
            self._look_at(self._due)
        elif late > LATE_SECONDS and self._due != self._extended_to:
            self._due = self._extended_to = now + min(late, self._seconds)
            self._look_at(self._due)
        else:
            self._ring()


def _do_nothing() -> None:
    pass


class WaitLimit:
    """Bounds one wait at a time: `with limit.of(seconds): await ...` raises TimeoutError."""

    def __init__(self) -> None:
        self._alarm = LoopAlarm(self._cancel)
        self._seconds = 0.0
        self._over = False
        self.close = self._alarm.close

    def of(self, seconds: float) -> WaitLimit:
        """Return itself, for a wait of at most so many seconds."""
        self._seconds = seconds
        return self

    def __enter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("this must be awaited by a task")
        self._task, self._cancelling = task, task.cancelling()
        self._alarm.begin(self._seconds)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._alarm.end()
        if self._over:
            self._over = False
            if self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
                raise TimeoutError from error

    def _cancel(self) -> None:
        self._over = True
        self._task.cancel()
