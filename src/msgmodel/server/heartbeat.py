"""Keeps open responses alive, and finds those whose other end is gone without a word.

Rule: one walk over all of an event loop's responses, twice a second; none has a timer of its own. Where nothing was
sent for a while, a comment is. A TCP connection whose peer has vanished (a phone without a signal, a pulled cable) says
nothing: the kernel is asked whether what was sent, or its own probe, has been acknowledged.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any, Protocol
from weakref import WeakKeyDictionary

EVERY_SECONDS = 0.5

UNSENT_BYTES = 128 * 1024
"""What the kernel takes of a stream before the network has: more than a reader at 100 Mbit/s needs in 10 ms."""

_FAULTS = (OSError, ValueError)  # of a socket that is closed: ValueError is uvloop's


class Watched(Protocol):
    """An open response."""

    last_sent: float
    """When the last bytes were sent, by `time.monotonic`."""

    def beat(self) -> None:
        """Sends a comment."""

    def gone(self) -> None:
        """The other end is not there any more."""


class _Pulse:
    """The walk over the responses of one event loop, for as long as there are any."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._watched: dict[Watched, tuple[float, _Peer | None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self.late = 0.0
        """By how many seconds the loop has lately run behind; it fades."""

    def add(self, watched: Watched, heartbeat_seconds: float, peer: _Peer | None) -> None:
        self._watched[watched] = heartbeat_seconds, peer
        if self._timer is None:
            self._wait()

    def remove(self, watched: Watched) -> None:
        self._watched.pop(watched, None)

    def _wait(self) -> None:
        self._timer = self._loop.call_later(EVERY_SECONDS, self._walk)
        self._due = self._loop.time() + EVERY_SECONDS

    def _walk(self) -> None:
        self.late = max(self._loop.time() - self._due, self.late / 2)
        now = monotonic()
        for watched, (heartbeat, peer) in tuple(self._watched.items()):
            if peer is not None and peer.dead(now):
                watched.gone()
            elif now - watched.last_sent >= heartbeat - EVERY_SECONDS:
                watched.beat()
        self._timer = None
        if self._watched:
            self._wait()
        else:
            self.late = 0.0


_pulses: WeakKeyDictionary[asyncio.AbstractEventLoop, _Pulse] = WeakKeyDictionary()


def pulse() -> _Pulse:
    """The running event loop's."""
    loop = asyncio.get_running_loop()
    found = _pulses.get(loop)
    if found is None:
        found = _pulses[loop] = _Pulse(loop)
    return found


_TCP_INFO: int | None = getattr(socket, "TCP_INFO", None)
_UNACKED, _LAST_ACK_RECEIVED = 24, 56
"""Offsets in the kernel's struct tcp_info (linux/tcp.h): segments, and milliseconds ago."""


class _Peer:
    """The other end of one TCP connection."""

    def __init__(self, connection: Any, patience: float) -> None:
        self._connection = connection
        self._patience = patience
        self._since: float | None = None

    def dead(self, now: float) -> bool:
        """Whether something has waited for its acknowledgement for too long, and nothing came meanwhile."""
        assert _TCP_INFO is not None
        try:
            info = self._connection.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, 64)
        except _FAULTS:
            return True
        (unacked,) = struct.unpack_from("I", info, _UNACKED)
        (heard_ms,) = struct.unpack_from("I", info, _LAST_ACK_RECEIVED)
        if not unacked:
            self._since = None
        elif self._since is None or now - heard_ms / 1000 > self._since:
            self._since = now
        return self._since is not None and now - self._since >= self._patience


def peer(receive: Callable[..., Any], seconds: float) -> _Peer | None:
    """The other end of a request; None where it can't be asked."""
    connection = _socket(receive)
    if connection is None or _TCP_INFO is None or connection.family not in (socket.AF_INET, socket.AF_INET6):
        return None
    with suppress(*_FAULTS):  # else the kernel keeps megabytes for a reader that does not read
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
    with suppress(*_FAULTS):  # an idle connection has nothing to be acknowledged but the kernel's own probes
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT"):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), 1)
    return _Peer(connection, max(EVERY_SECONDS, seconds - 2 * EVERY_SECONDS))


def release(receive: Callable[..., Any]) -> None:
    """Takes the probes off a connection that goes back to wait for its next request."""
    connection = _socket(receive)
    if connection is not None:
        with suppress(*_FAULTS):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0)


def abort(receive: Callable[..., Any]) -> bool:
    """Cuts the connection of a request, with what waits to be sent on it. False where it can't be found."""
    cut = getattr(_transport(receive), "abort", None)
    if not callable(cut):
        return False
    cut()
    return True


def _socket(receive: Callable[..., Any]) -> Any:
    get_extra_info = getattr(_transport(receive), "get_extra_info", None)
    return get_extra_info("socket") if callable(get_extra_info) else None


def _transport(receive: Callable[..., Any]) -> Any:
    """The connection of a request.

    ASGI has no word for it. uvicorn's `receive` is a method of an object that has the transport; servers where that is
    otherwise are left alone.
    """
    return getattr(getattr(receive, "__self__", None), "transport", None)
