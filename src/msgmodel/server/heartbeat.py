"""Keeps open responses alive, and finds clients that disappeared without closing the connection.

Rule: twice a second, one walk visits all responses of an event loop; no response has its own timer. A response that has
sent nothing for a while sends a comment. If a client disappears (a phone without a signal, a pulled cable), nothing
arrives on its connection. So we ask the kernel whether the client has acknowledged our data, or the kernel's probe.
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

WALK_SECONDS = 0.5
"""Between two walks."""

UNSENT_BYTES = 128 * 1024
"""Bytes that the kernel takes before the network does: more than a reader at 100 Mbit/s needs for 10 ms."""

_SOCKET_FAULTS = (OSError, ValueError)  # of a closed socket; uvloop raises ValueError


class WatchedResponse(Protocol):
    """An open response."""

    last_sent: float
    """When the last bytes were sent, by `time.monotonic`."""

    def send_heartbeat(self) -> None:
        """Send a comment."""

    def drop_client(self) -> None:
        """Drop the client, which has disappeared."""


class LoopPulse:
    """The walk over the responses of one event loop, as long as there are any."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._watched: dict[WatchedResponse, tuple[float, TcpPeer | None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self.seconds_late = 0.0
        """Seconds by which the loop was late recently; the value halves with each walk."""

    def add_response(self, watched: WatchedResponse, heartbeat_seconds: float, peer: TcpPeer | None) -> None:
        self._watched[watched] = heartbeat_seconds, peer
        if self._timer is None:
            self._schedule_walk()

    def remove_response(self, watched: WatchedResponse) -> None:
        self._watched.pop(watched, None)

    def _schedule_walk(self) -> None:
        self._timer = self._loop.call_later(WALK_SECONDS, self._walk_responses)
        self._due = self._loop.time() + WALK_SECONDS

    def _walk_responses(self) -> None:
        self.seconds_late = max(self._loop.time() - self._due, self.seconds_late / 2)
        now = monotonic()
        for watched, (heartbeat, peer) in tuple(self._watched.items()):
            if peer is not None and peer.is_dead(now):
                watched.drop_client()
            elif now - watched.last_sent >= heartbeat - WALK_SECONDS:
                watched.send_heartbeat()
        self._timer = None
        if self._watched:
            self._schedule_walk()
        else:
            self.seconds_late = 0.0


_pulse_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, LoopPulse] = WeakKeyDictionary()


def loop_pulse() -> LoopPulse:
    """Return the walk of the running event loop."""
    loop = asyncio.get_running_loop()
    found = _pulse_by_loop.get(loop)
    if found is None:
        found = _pulse_by_loop[loop] = LoopPulse(loop)
    return found


_TCP_INFO: int | None = getattr(socket, "TCP_INFO", None)
_UNACKED, _LAST_ACK_RECEIVED = 24, 56
"""Offsets in the kernel's struct tcp_info (linux/tcp.h): a number of segments, and milliseconds since the last one."""


class TcpPeer:
    """The client of one TCP connection."""

    def __init__(self, connection: Any, patience: float) -> None:
        self._connection = connection
        self._patience = patience
        self._since: float | None = None

    def is_dead(self, now: float) -> bool:
        """Return whether data has waited for its acknowledgement too long, and nothing arrived meanwhile."""
        assert _TCP_INFO is not None
        try:
            info = self._connection.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, 64)
        except _SOCKET_FAULTS:
            return True
        (unacked,) = struct.unpack_from("I", info, _UNACKED)
        (heard_ms,) = struct.unpack_from("I", info, _LAST_ACK_RECEIVED)
        if not unacked:
            self._since = None
        elif self._since is None or now - heard_ms / 1000 > self._since:
            self._since = now
        return self._since is not None and now - self._since >= self._patience


def find_peer(receive: Callable[..., Any], seconds: float) -> TcpPeer | None:
    """Return the client of a request, None if the kernel cannot be asked about it.

    Args:
        receive: The `receive` of the request.
        seconds: After how many seconds without an acknowledgement the client counts as dead.
    """
    connection = _socket_of(receive)
    if connection is None or _TCP_INFO is None or connection.family not in (socket.AF_INET, socket.AF_INET6):
        return None
    with suppress(*_SOCKET_FAULTS):  # otherwise the kernel buffers megabytes for a reader that does not read
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
    with suppress(*_SOCKET_FAULTS):  # on an idle connection only the kernel's probes are acknowledged
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT"):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), 1)
    return TcpPeer(connection, max(WALK_SECONDS, seconds - 2 * WALK_SECONDS))


def release_connection(receive: Callable[..., Any]) -> None:
    """Stop the probes of a connection that waits for its next request."""
    connection = _socket_of(receive)
    if connection is not None:
        with suppress(*_SOCKET_FAULTS):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0)


def abort_connection(receive: Callable[..., Any]) -> bool:
    """Cut the connection of a request, and drop what waits to be sent. Return False if it cannot be found."""
    cut = getattr(_transport_of(receive), "abort", None)
    if not callable(cut):
        return False
    cut()
    return True


def _socket_of(receive: Callable[..., Any]) -> Any:
    get_extra_info = getattr(_transport_of(receive), "get_extra_info", None)
    return get_extra_info("socket") if callable(get_extra_info) else None


def _transport_of(receive: Callable[..., Any]) -> Any:
    """Return the connection of a request, None if it cannot be found.

    ASGI does not offer it. In uvicorn, `receive` is a method of an object that has the transport. Other servers work
    without this.
    """
    return getattr(getattr(receive, "__self__", None), "transport", None)
