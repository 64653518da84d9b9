"""A limit on waits of asyncio: `asyncio.timeout` for many in a row, with one timer for all of them.

Rule: the time in which the loop could not run does not count. After somebody blocked it, what has arrived by now is
read before anything is called too late.
"""

from __future__ import annotations

import asyncio
import math
from types import TracebackType

LATE_SECONDS = 0.05
"""How late a timer is that the loop could not run in time, as somebody blocked it."""


class Patience:
    """Bounds one wait at a time: `with patience.of(seconds): await ...` raises TimeoutError."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._due = math.inf
        self._seconds = 0.0
        self._over = False

    def of(self, seconds: float) -> Patience:
        """Itself, for a wait of so many seconds."""
        self._seconds = seconds
        return self

    def __enter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("this must be awaited by a task")
        self._task, self._cancelling = task, task.cancelling()
        self._due = due = self._loop.time() + self._seconds
        if self._timer is None or due < self._timer.when():
            self._set(due)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._due = math.inf
        if self._over:
            self._over = False
            if self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
                raise TimeoutError from error

    def close(self) -> None:
        """No more waits: takes the timer away."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self, when: float) -> None:
        self.close()
        self._timer = self._loop.call_at(when, self._look, when)

    def _look(self, when: float) -> None:
        self._timer = None
        now = self._loop.time()
        if self._due == math.inf:
            return  # nobody waits, and who does next sets it again
        if self._due > now:
            self._set(self._due)
        elif now - when > LATE_SECONDS:
            self._due = now + min(now - when, self._seconds)
            self._set(self._due)
        else:
            self._over = True
            self._task.cancel()
