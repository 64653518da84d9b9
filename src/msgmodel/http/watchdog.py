"""Ends blocking waits that take too long, by shutting their connection: nothing else ends one from outside.

Rule: one thread for all, which lives as long as there is a wait. The limits of an HTTP library do not help: they start
anew with every byte, also with those of a ping, or of a header that never ends.
"""

from __future__ import annotations

import math
import socket
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from time import monotonic

from . import forks

LOOK_SECONDS = 1.0
"""How often the thread looks, at least."""


class ThreadAlarm:
    """Shuts one connection when a wait on it takes too long, or when the thread that waits has to stop."""

    def __init__(self, watchdog: Watchdog, thread: int) -> None:
        self.due = math.inf
        self.rang = False
        self.stopped = False
        """Whether it rang because its thread has to stop."""
        self.inherited = False
        """Whether the process was forked during the wait, so that the connection is the parent's."""
        self.thread = thread
        self._watchdog = watchdog
        self._socket: socket.socket | None = None

    def watch(self, channel: socket.socket) -> None:
        """Take the socket of the connection."""
        self._socket = channel
        if self.rang:
            self.ring()

    def begin(self, seconds: float) -> None:
        """Ring after so many seconds, unless `end` is called before."""
        self.due = due = monotonic() + seconds
        if due < self._watchdog.wakes:
            self._watchdog.look_at(self)

    def end(self) -> None:
        """End the wait."""
        self.due = math.inf

    def ring(self) -> None:
        """Shut the connection."""
        self.rang, self.due = True, math.inf
        if self._socket is not None:
            with suppress(OSError):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def stop(self) -> None:
        """Ring because the thread has to stop."""
        self.stopped = True
        self.ring()

    def forget(self) -> None:
        """Drop this process's copy of the connection."""
        self.inherited = True
        forks.cut_off(self._socket)


class Watchdog:
    """Rings the alarms that are due, from one thread, which lives as long as there are any.

    The garbage collector ends abandoned streams, and so their alarms, at any point of any thread, and at the exit of
    the process, when a thread that is no more may hold the lock. So the lock is for waking the thread only: nothing
    that ends an alarm waits for it, and what is shared changes in single steps of the interpreter.
    """

    def __init__(self) -> None:
        self._begin()
        forks.register(self)

    def _begin(self) -> None:
        self._alarms: set[ThreadAlarm] = set()
        self._stopped: set[int] = set()
        self._changed = threading.Condition()
        self.wakes = math.inf
        """When the thread looks next; not before an alarm is due that was set in time."""
        self._running = False

    def forget(self) -> None:
        """Begin anew in a forked process: the thread is not there, and it may have held the lock."""
        alarms = self._alarms
        self._begin()
        for alarm in alarms:
            alarm.forget()

    @contextmanager
    def alarm(self) -> Iterator[ThreadAlarm]:
        """Return a new alarm, watched within the context."""
        alarm = ThreadAlarm(self, threading.get_ident())
        self._alarms.add(alarm)
        if alarm.thread in self._stopped:  # looked at after the alarm is there for `stop` to find
            alarm.stop()
        try:
            yield alarm
        finally:
            self._alarms.discard(alarm)
            if not self._alarms and self._changed.acquire(blocking=False):  # if it is taken, the thread is awake
                self._changed.notify_all()
                self._changed.release()

    def stop(self, thread: int) -> None:
        """End what a thread waits for, and all that it begins to wait for until `release`."""
        self._stopped.add(thread)
        for alarm in self._alarms.copy():
            if alarm.thread == thread:
                alarm.stop()

    def release(self, thread: int) -> None:
        """Let the thread wait again, or forget it because it has ended."""
        self._stopped.discard(thread)

    def look_at(self, alarm: ThreadAlarm) -> None:
        """Wake the thread for an alarm that is due before `wakes`, and start it if it does not run."""
        with self._changed:
            if not self._running:
                thread = threading.Thread(target=self._watch, name="msgmodel-watchdog", daemon=True)
                with suppress(RuntimeError):  # no more threads: then the limits of the sockets must do
                    thread.start()
                    self._running = True
            if alarm.due < self.wakes:
                self._changed.notify_all()

    def _watch(self) -> None:
        with self._changed:
            while True:
                self.wakes = math.inf  # until its time is known, a thread that sets an alarm waits here
                alarms = self._alarms.copy()
                if not alarms:
                    self._running = False
                    return
                now = monotonic()
                for alarm in alarms:
                    if alarm.due <= now:
                        alarm.ring()
                self.wakes = min(alarm.due for alarm in alarms)
                # An alarm that ends while this runs can't wake it, and is seen at the next look.
                self._changed.wait(min(LOOK_SECONDS, max(0.0, self.wakes - now)))


_watchdog = Watchdog()


def alarm() -> AbstractContextManager[ThreadAlarm]:
    """Return a new alarm for the calling thread, watched within the context."""
    return _watchdog.alarm()


def stop_thread(thread: int) -> None:
    """End the reply that a thread waits for, as cancelled, and each that it requests until `release_thread`."""
    _watchdog.stop(thread)


def release_thread(thread: int) -> None:
    """Take that back: the number of a thread that has ended may be used again."""
    _watchdog.release(thread)
