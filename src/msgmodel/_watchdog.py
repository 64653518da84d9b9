"""Ends blocking waits that take too long, by shutting their connection: nothing else ends one from outside.

Rule: one thread for all, which lives as long as anybody waits. The limits of an HTTP library are no help here: they
start anew with every byte, also with those of a ping, or of a header that never ends.
"""

from __future__ import annotations

import math
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any


class Alarm:
    """Shuts one connection when a wait on it takes too long, or when the thread that waits shall stop."""

    def __init__(self, watchdog: Watchdog, thread: int) -> None:
        self.due = math.inf
        self.rang = False
        self.stopped = False
        """Whether it rang because its thread shall stop."""
        self.thread = thread
        self._watchdog = watchdog
        self._socket: socket.socket | None = None

    def connected(self, name: str, info: Mapping[str, Any]) -> None:
        """Takes the socket from what the pool tells of a connection that it made."""
        get_extra_info = getattr(info.get("return_value"), "get_extra_info", None)
        found = get_extra_info("socket") if get_extra_info is not None else None
        if isinstance(found, socket.socket):
            self._socket = found
            if self.rang:
                self.ring()

    @contextmanager
    def after(self, seconds: float) -> Iterator[None]:
        """Rings when the context takes longer."""
        self._watchdog.set(self, monotonic() + seconds)
        try:
            yield
        finally:
            self.due = math.inf

    def ring(self) -> None:
        self.rang, self.due = True, math.inf
        if self._socket is not None:
            with suppress(OSError):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def stop(self) -> None:
        self.stopped = True
        self.ring()

    def reason(self, error: Exception) -> Exception:
        """What ended a wait: the alarm, or else the error that came of it."""
        return TimeoutError() if self.rang else error


class Watchdog:
    """Rings the alarms that are due. One thread, which lives as long as there are any."""

    def __init__(self) -> None:
        self._alarms: set[Alarm] = set()
        self._stopped: set[int] = set()
        self._changed = threading.Condition()
        self._wakes = math.inf
        self._running = False

    @contextmanager
    def alarm(self) -> Iterator[Alarm]:
        """A new alarm, watched within the context."""
        alarm = Alarm(self, threading.get_ident())
        with self._changed:
            self._alarms.add(alarm)
            if alarm.thread in self._stopped:
                alarm.stop()
        try:
            yield alarm
        finally:
            with self._changed:
                self._alarms.discard(alarm)
                if not self._alarms:
                    self._changed.notify_all()

    def stop(self, thread: int) -> None:
        """Ends what a thread waits for, and all that it would wait for until `release`."""
        with self._changed:
            self._stopped.add(thread)
            for alarm in self._alarms:
                if alarm.thread == thread:
                    alarm.stop()

    def release(self, thread: int) -> None:
        """The thread may wait again, or has ended."""
        with self._changed:
            self._stopped.discard(thread)

    def set(self, alarm: Alarm, due: float) -> None:
        with self._changed:
            alarm.due = due
            if not self._running:
                thread = threading.Thread(target=self._watch, name="msgmodel-watchdog", daemon=True)
                with suppress(RuntimeError):  # no more threads: then the pool's own limits must do
                    thread.start()
                    self._running = True
            if due < self._wakes:
                self._changed.notify_all()

    def _watch(self) -> None:
        with self._changed:
            while self._alarms:
                now = monotonic()
                alarms = tuple(self._alarms)  # the garbage collector may take one away at any point
                for alarm in alarms:
                    if alarm.due <= now:
                        alarm.ring()
                self._wakes = min(alarm.due for alarm in alarms)
                self._changed.wait(None if self._wakes == math.inf else max(0.0, self._wakes - now))
            self._wakes, self._running = math.inf, False
