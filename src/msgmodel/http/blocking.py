"""Blocking HTTP straight to a server, over sockets of the standard library: the pool, and a response of it.

Rule: a connection has one reply at a time. Idle ones are kept, newest first, and looked at before they are used again.
"""

from __future__ import annotations

import socket
import ssl
import struct
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from time import monotonic

from ..events import ErrorCode
from ..question import transport
from ..question.transport import ConnectionBroken, HttpRequest
from . import connection_limits, faults, forks, request_head, tls_and_proxies, watchdog
from .connecting import connect_first_answering
from .connection_limits import CONNECT_SECONDS, DRAIN_SECONDS, IDLE_CONNECTIONS, IDLE_SECONDS
from .request_head import Origin
from .response_reader import ResponseReader
from .watchdog import ThreadAlarm

_READ_BYTES = 64 * 1024
_FAULTS = (
    *faults.FAULTS,
    ValueError,  # a socket with TLS that another thread has closed
)


class BlockingPool(transport.ConnectionPool):
    """A transport over connections of its own. Safe to share by threads."""

    def __init__(self) -> None:
        self.is_closed = False
        self._lock = threading.Lock()
        self._idle: list[tuple[float, Origin, socket.socket]] = []
        self._busy: set[socket.socket] = set()
        forks.register(self)

    def forget(self) -> None:
        """Drop the connections of the process that this one was forked from. Replies under way end as broken."""
        self._lock = threading.Lock()
        idle, self._idle = self._idle, []
        busy, self._busy = self._busy, set()
        for channel in (*busy, *(channel for _, _, channel in idle)):
            forks.cut_off(channel)
        for _, _, channel in idle:
            channel.close()

    def close(self) -> None:
        """Close all connections, also those from which a reply is being read."""
        with self._lock:
            self.is_closed = True
            channels = [*self._busy.copy(), *(channel for _, _, channel in self._idle)]
            self._idle.clear()
        for channel in channels:
            _shut_down(channel)

    @contextmanager
    def open(self, request: HttpRequest, seconds_to_wait: float, longest_wait: float) -> Iterator[_Response]:
        """Send the request, and leave the response open within the context."""
        origin = request_head.origin_of(request)
        with watchdog.alarm() as alarm:
            if alarm.stopped:
                raise faults.cancelled_reply()
            until = monotonic() + seconds_to_wait
            channel = self._take(origin)
            response = None
            try:
                if channel is None:
                    channel = _connected(request, origin, alarm, seconds_to_wait)
                self._busy.add(channel)
                if self.is_closed:  # meanwhile, so `close` did not see this connection
                    raise faults.client_closed()
                response = _Response(request, channel, alarm)
                response.send_and_read_head(max(0.001, until - monotonic()))
                _limit_reads(channel, longest_wait)  # if the watchdog has no thread, this must do
                yield response
                if response.keeps_alive:
                    response.drain()
            except BaseException:
                reusable = False
                raise
            else:
                reusable = response.reusable
            finally:
                if response is not None:
                    response.close()
                if channel is not None:
                    self._give_back(channel, origin, reusable)

    def _take(self, origin: Origin) -> socket.socket | None:
        """Return an idle connection that the server has not closed meanwhile."""
        with self._lock:
            if self.is_closed:
                raise faults.client_closed()
            now = monotonic()
            self._idle, old = [], self._idle
            found = None
            for since, whose, channel in reversed(old):
                wanted = found is None and whose == origin
                if now - since > IDLE_SECONDS or (wanted and connection_limits.has_input(channel)):
                    channel.close()
                elif wanted:
                    found = channel
                else:
                    self._idle.insert(0, (since, whose, channel))
            return found

    def _give_back(self, channel: socket.socket, origin: Origin, reusable: bool) -> None:
        self._busy.discard(channel)
        if not reusable:
            # Without the lock: the garbage collector ends abandoned streams here, at a point where this thread may hold
            # it, or at the exit of the process, where a thread that is no more may.
            channel.close()
            return
        with self._lock:
            if self.is_closed:
                channel.close()
                return
            self._idle.append((monotonic(), origin, channel))
            while len(self._idle) > IDLE_CONNECTIONS:
                self._idle.pop(0)[2].close()


def _connected(request: HttpRequest, origin: Origin, alarm: ThreadAlarm, seconds_to_wait: float) -> socket.socket:
    """Return a new connection, with TLS for https. Raises ConnectionBroken."""
    scheme, host, port = origin
    seconds = min(CONNECT_SECONDS, seconds_to_wait)
    alarm.begin(seconds)
    channel = None
    try:
        # First, because without certificates no address is worth a look.
        tls_context = tls_and_proxies.shared_tls_context() if scheme == "https" else None
        channel = connect_first_answering(host, port, seconds)
        if tls_context is not None:
            # The handshake in a step of its own: the alarm needs the socket that it goes over.
            channel = tls_context.wrap_socket(channel, server_hostname=host, do_handshake_on_connect=False)
            alarm.watch(channel)
            channel.do_handshake()
    except BaseException as error:
        if channel is not None:
            channel.close()
        if not isinstance(error, _FAULTS):
            raise
        if alarm.stopped:
            raise faults.cancelled_reply() from None
        if alarm.inherited:
            raise faults.inherited_over_fork(request, "network") from None
        if alarm.rang or isinstance(error, TimeoutError):
            raise faults.no_connection_in_time(request) from None
        raise faults.cannot_connect(request, str(error)) from None
    finally:
        alarm.end()
    return channel


class _Response:
    """A response on a blocking connection."""

    def __init__(self, request: HttpRequest, channel: socket.socket, alarm: ThreadAlarm) -> None:
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self._request = request
        self._channel = channel
        self._alarm = alarm
        self._all_sent = False
        self._reader = ResponseReader()

    @property
    def keeps_alive(self) -> bool:
        """Whether the connection outlives the response."""
        return self._all_sent and self._reader.keeps_alive

    @property
    def reusable(self) -> bool:
        """Whether the connection can take another request."""
        return self._all_sent and self._reader.reusable and not self._alarm.rang

    def send_and_read_head(self, seconds_to_wait: float) -> None:
        """Send the request, and wait for the head of the answer. Raises ConnectionBroken."""
        alarm, reader, channel = self._alarm, self._reader, self._channel
        alarm.begin(seconds_to_wait)
        try:
            alarm.watch(channel)
            channel.settimeout(seconds_to_wait)
            with suppress(BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
                # A server that refuses a long request may answer, and close, before it has read it.
                # No variable holds a piece: tools that show the variables of a traceback would show the key.
                deque(map(channel.sendall, request_head.pieces_to_send(self._request)), maxlen=0)
                self._all_sent = True
            while not reader.status:
                reader.feed(channel.recv(_READ_BYTES))
                if monotonic() >= alarm.due:
                    raise TimeoutError
            self.status, self.headers = reader.status, reader.headers
        except _FAULTS as error:
            raise self._broken(error, "network") from None
        finally:
            alarm.end()

    def read(self, seconds_to_wait: float) -> bytes:
        """Return what comes next of the body; b"" at its end. Raises ConnectionBroken."""
        self._alarm.begin(seconds_to_wait)
        try:
            return self._next()
        except _FAULTS as error:
            raise self._broken(error, "interrupted") from None
        finally:
            self._alarm.end()

    def drain(self) -> None:
        """Read the rest of a body whose last event has been read; give up soon, and on any fault."""
        until = monotonic() + DRAIN_SECONDS
        self._alarm.begin(DRAIN_SECONDS)
        with suppress(*_FAULTS):
            while not self._reader.ended and monotonic() < until:
                self._next()
        self._alarm.end()

    def close(self) -> None:
        """Let go of what refers back to this object."""
        self._reader.close()

    def _next(self) -> bytes:
        reader, alarm = self._reader, self._alarm
        while not reader.ended:
            found = reader.read_more() if reader.has_more else reader.feed(_received(self._channel))
            if reader.ended and (alarm.rang or alarm.inherited):
                raise TimeoutError  # it was ended here, not by the server
            if found:
                return found
            if monotonic() >= alarm.due:
                raise TimeoutError
        return b""

    def _broken(self, error: Exception, code: ErrorCode) -> ConnectionBroken:
        if self._alarm.stopped:
            return faults.cancelled_reply()
        if self._alarm.inherited:
            return faults.inherited_over_fork(self._request, code)
        return faults.broken_by(self._request, TimeoutError() if self._alarm.rang else error, code)


def _limit_reads(channel: socket.socket, seconds: float) -> None:
    """Limit how long one read may take, by the kernel if that is possible: else Python asks it twice for each."""
    with suppress(OSError, ValueError):  # another thread has closed it: the next read says so
        if isinstance(channel, ssl.SSLSocket) or sys.platform == "win32":
            channel.settimeout(seconds)
            return
        channel.settimeout(None)
        whole, part = divmod(seconds, 1)
        limit = struct.pack("ll", int(whole), max(1, int(part * 1e6)))  # microseconds; 0 of both is none at all
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)


def _received(channel: socket.socket) -> bytes:
    try:
        return channel.recv(_READ_BYTES)
    except BlockingIOError:  # the kernel's limit
        raise TimeoutError from None


def _shut_down(channel: socket.socket) -> None:
    """End what another thread may be reading, which a close alone does not."""
    with suppress(OSError):
        socket.socket.shutdown(channel, socket.SHUT_RDWR)
    channel.close()
