"""Blocking HTTP straight to a server, by the standard library: `http.client` takes a third of httpx2's CPU a chunk.

Rule: a connection has one reply at a time. Idle ones are kept, newest first, and looked at before they are used again.
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from io import BufferedIOBase
from time import monotonic
from typing import Any, cast
from urllib.parse import urlsplit

from ..events import ErrorCode
from ..question import transport
from ..question.transport import ConnectionBroken, HttpRequest
from . import connection_limits, faults, forks, request_head, tls_and_proxies, watchdog
from .connection_limits import (
    CONNECT_SECONDS,
    DRAIN_SECONDS,
    EYEBALLS_SECONDS,
    HEAD_BYTES,
    IDLE_CONNECTIONS,
    IDLE_SECONDS,
    INTERIM_ANSWERS,
)
from .response_body import BodyReader
from .watchdog import ThreadAlarm

READ_BYTES = 64 * 1024
_UNDER_WAY = (0, errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EINTR)

_FAULTS = (
    *faults.FAULTS,
    ValueError,  # a socket that was closed meanwhile
    AttributeError,  # http.client's own, when a connection is closed by another thread in the middle of a reply
)


class BlockingPool(transport.ConnectionPool):
    """A transport over connections of its own. Safe to share by threads."""

    def __init__(self) -> None:
        self.is_closed = False
        self._lock = threading.Lock()
        self._idle: list[tuple[float, HTTPConnection]] = []
        self._busy: set[HTTPConnection] = set()
        forks.register(self)

    def forget(self) -> None:
        """Drop the connections of the process that this one was forked from. Replies under way end as broken."""
        self._lock = threading.Lock()
        idle, self._idle = self._idle, []
        busy, self._busy = self._busy, set()
        for connection in (*busy, *(connection for _, connection in idle)):
            forks.cut_off(connection.sock)
        for _, connection in idle:
            connection.close()

    def close(self) -> None:
        """Closes all connections, also those that a reply is being read from."""
        with self._lock:
            self.is_closed = True
            connections = [*self._busy.copy(), *(connection for _, connection in self._idle)]
            self._idle.clear()
        for connection in connections:
            _shut(connection)

    @contextmanager
    def open(self, request: HttpRequest, patience: float, silence: float) -> Iterator[_Reply]:
        """Sends the request; leaves the response open within the context."""
        with watchdog.alarm() as alarm:
            if alarm.stopped:
                raise faults.cancelled_reply()
            connection = self._take(request)
            reusable = False
            try:
                response, channel = _asked(connection, request, alarm, patience)
                connection.sock = channel  # `http.client` lets go of one that will close, and `close` must find it
                if self.is_closed:
                    raise faults.client_closed()
                with response:  # closes what it reads from
                    reply = _Reply(request, response, channel, alarm, silence)
                    yield reply
                    if not response.will_close:
                        reply.drain()
                    reusable = reply.reusable and not response.will_close and not alarm.rang
            finally:
                self._give_back(connection, reusable)

    def _take(self, request: HttpRequest) -> HTTPConnection:
        """An idle connection that the server has not closed meanwhile, or a new one, not connected yet."""
        new = _new(request)
        with self._lock:
            if self.is_closed:
                raise faults.client_closed()
            now = monotonic()
            self._idle, old = [], self._idle
            found = None
            for since, connection in reversed(old):
                same = type(connection) is type(new) and (connection.host, connection.port) == (new.host, new.port)
                if now - since > IDLE_SECONDS or (
                    same and found is None and connection_limits.has_input(connection.sock)
                ):
                    connection.close()
                elif same and found is None:
                    found = connection
                else:
                    self._idle.insert(0, (since, connection))
            self._busy.add(found or new)
        return found or new

    def _give_back(self, connection: HTTPConnection, reusable: bool) -> None:
        self._busy.discard(connection)
        if not reusable:
            # Without the lock: the garbage collector ends abandoned streams here, at a point where this thread may hold
            # it, or at the exit of the process, where a thread that is no more may.
            connection.close()
            return
        with self._lock:
            if self.is_closed:
                connection.close()
                return
            self._idle.append((monotonic(), connection))
            while len(self._idle) > IDLE_CONNECTIONS:
                self._idle.pop(0)[1].close()


class _Response(HTTPResponse):
    """Passes over what a server says before its answer, such as 103 Early Hints (RFC 9110, section 15.2)."""

    def begin(self) -> None:
        file = self.fp
        self.fp = cast(Any, _HeadFile(file))
        try:
            super().begin()
            while 100 <= self.status < 200 and self.status != 101:
                self.headers = self.msg = None  # type: ignore[assignment]  # so that `begin` reads again
                super().begin()
        finally:
            self.fp = file


class _HeadFile:
    """The lines of a head, and of what comes before it: `http.client` reads any number of `100 Continue`."""

    def __init__(self, file: BufferedIOBase) -> None:
        self._file = file
        self._left = HEAD_BYTES
        self._answers = 0

    def readline(self, limit: int) -> bytes:
        line = self._file.readline(limit)
        self._left -= len(line)
        if self._left < 0:
            raise faults.head_too_long()
        if line in (b"\r\n", b"\n"):
            self._answers += 1
            if self._answers > INTERIM_ANSWERS + 1:
                raise faults.too_many_interim_answers()
        return line

    def close(self) -> None:
        self._file.close()


class _Plain(HTTPConnection):
    response_class = _Response
    debuglevel = 0  # a switch for all connections of a process, which prints what they send


class _TLS(HTTPSConnection):
    response_class = _Response
    debuglevel = 0


def _new(request: HttpRequest) -> HTTPConnection:
    parts = urlsplit(request.url)
    connection: HTTPConnection
    if parts.scheme == "https":
        connection = _TLS(parts.hostname or "", parts.port, context=tls_and_proxies.shared_tls_context())
    else:
        connection = _Plain(parts.hostname or "", parts.port)
    cast(Any, connection)._create_connection = _first
    return connection


def _first(address: tuple[str, int], seconds: float, source: None = None) -> socket.socket:
    """A connection to the first address of a host that takes one (RFC 8305), no later than that. Raises OSError.

    `socket.create_connection` gives the whole time to each of them, one after the other.
    """
    until = monotonic() + seconds
    places = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)
    fault: OSError | None = None
    with selectors.DefaultSelector() as trying:
        try:
            while places or trying.get_map():
                if places:
                    family, kind, protocol, _, place = places.pop(0)
                    try:
                        channel = socket.socket(family, kind, protocol)
                    except OSError as error:  # no such family here
                        fault = error
                        continue
                    trying.register(channel, selectors.EVENT_WRITE)
                    channel.setblocking(False)
                    number = channel.connect_ex(place)
                    if number not in _UNDER_WAY:
                        trying.unregister(channel)
                        channel.close()
                        fault = OSError(number, os.strerror(number))
                        continue
                left = until - monotonic()
                if left <= 0:
                    raise TimeoutError
                for key, _ in trying.select(min(left, EYEBALLS_SECONDS) if places else left):
                    channel = cast(socket.socket, key.fileobj)
                    trying.unregister(channel)
                    if number := channel.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                        channel.close()
                        fault = OSError(number, os.strerror(number))
                        continue
                    channel.settimeout(max(0.001, until - monotonic()))
                    return channel
        finally:
            for key in list(trying.get_map().values()):
                cast(socket.socket, key.fileobj).close()
    raise fault or OSError("the host has no address")


def _asked(
    connection: HTTPConnection, request: HttpRequest, alarm: ThreadAlarm, patience: float
) -> tuple[HTTPResponse, socket.socket]:
    """The response, when it has begun, and the socket that it comes from."""
    alarm.begin(patience)
    try:
        if connection.sock is None:
            _connect(connection, request, patience)
        channel: socket.socket = connection.sock
        alarm.watch(channel)
        channel.settimeout(patience)
        path, headers = request_head.path_and_headers(request)
        sent = False
        try:
            connection.request("POST", path, request.pieces, headers)
            sent = True
        except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
            if alarm.rang:
                raise
            # A server that refuses a long request may answer, and close, before it has read it.
        response = connection.getresponse()
        response.will_close = response.will_close or not sent
        return response, channel
    except _FAULTS as error:
        raise _fault(request, error, alarm, "network") from None
    finally:
        alarm.end()


def _connect(connection: HTTPConnection, request: HttpRequest, patience: float) -> None:
    connection.timeout = min(CONNECT_SECONDS, patience)
    try:
        connection.connect()
    except TimeoutError:
        raise faults.no_connection_in_time(request) from None
    except _FAULTS as error:
        raise faults.cannot_connect(request, str(error)) from None


class _Reply:
    def __init__(
        self, request: HttpRequest, response: HTTPResponse, channel: socket.socket, alarm: ThreadAlarm, silence: float
    ) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.getheaders()}
        self._request = request
        self._alarm = alarm
        try:
            self._body = BodyReader(response)
            first = _came_along(response, channel)
            self._body.excess = self._body.ended and bool(first)
            _limit(channel, silence)  # where the watchdog has no thread, this must do
            self._pieces = _pieces(first, channel)
        except _FAULTS as error:
            raise _fault(request, error, alarm, "network") from None

    @property
    def reusable(self) -> bool:
        """Whether the connection can be asked for something else, as far as the body goes."""
        return self._body.ended and not self._body.excess

    def read(self, patience: float) -> bytes:
        self._alarm.begin(patience)
        try:
            return self._next()
        except _FAULTS as error:
            raise _fault(self._request, error, self._alarm, "interrupted") from None
        finally:
            self._alarm.end()

    def drain(self) -> None:
        """Reads the rest of a body whose last event has been read; gives up soon, and on any fault."""
        until = monotonic() + DRAIN_SECONDS
        self._alarm.begin(DRAIN_SECONDS)
        with suppress(*_FAULTS):
            while not self._body.ended and monotonic() < until:
                self._next()
        self._alarm.end()

    def _next(self) -> bytes:
        body = self._body
        while not body.ended:
            found = body.more() if body.holds else body.feed(next(self._pieces, b""))
            if body.ended and (self._alarm.rang or self._alarm.inherited):
                raise TimeoutError  # it was ended here, not by the server
            if found:
                return found
            if monotonic() >= self._alarm.due:
                raise TimeoutError
        return b""


def _came_along(response: HTTPResponse, channel: socket.socket) -> bytes:
    """What came along with the head."""
    channel.settimeout(0)
    with suppress(ssl.SSLWantReadError):
        return response.fp.read1() or b""
    return b""


def _pieces(first: bytes, channel: socket.socket) -> Iterator[bytes]:
    """What comes after the head, read from the socket itself: what `http.client` reads with takes twice as long."""
    if first:
        yield first
    while data := _received(channel):
        yield data


def _limit(channel: socket.socket, seconds: float) -> None:
    """How long one read may take, by the kernel where that is possible: else Python asks it twice for each."""
    if isinstance(channel, ssl.SSLSocket) or sys.platform == "win32":
        channel.settimeout(seconds)
        return
    channel.settimeout(None)
    whole, part = divmod(seconds, 1)
    limit = struct.pack("ll", int(whole), max(1, int(part * 1e6)))  # microseconds; 0 of both is none at all
    channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)


def _received(channel: socket.socket) -> bytes:
    try:
        return channel.recv(READ_BYTES)
    except BlockingIOError:  # the kernel's limit
        raise TimeoutError from None


def _fault(request: HttpRequest, error: Exception, alarm: ThreadAlarm, code: ErrorCode) -> ConnectionBroken:
    if alarm.stopped:
        return faults.cancelled_reply()
    if alarm.inherited:
        return faults.inherited_over_fork(request, code)
    return faults.broken_by(request, TimeoutError() if alarm.rang else error, code)


def _shut(connection: HTTPConnection) -> None:
    """Ends what another thread may be reading, which a close alone does not."""
    channel = connection.sock
    if channel is not None:
        with suppress(OSError):
            socket.socket.shutdown(channel, socket.SHUT_RDWR)
    connection.close()
