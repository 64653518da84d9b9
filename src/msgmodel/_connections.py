"""Blocking HTTP straight to a server, by the standard library: `http.client` takes a third of httpx2's CPU a chunk.

Rule: a connection has one reply at a time. Idle ones are kept, newest first, and looked at before they are used again.
"""

from __future__ import annotations

import selectors
import socket
import threading
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead, RemoteDisconnected
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from . import _transport, _watchdog
from ._ask import Broken, Request
from ._chunked import Dechunker
from ._transport import CONNECT_SECONDS, DRAIN_SECONDS, HEADERS, IDLE_CONNECTIONS, IDLE_SECONDS, USER_AGENT
from ._watchdog import Alarm
from .events import ErrorCode

READ_BYTES = 64 * 1024
INFLATED_BYTES = 1024 * 1024
"""Of a body that came compressed, at a time: a bomb must not unfold at once."""

_FAULTS = (
    HTTPException,
    OSError,  # and so TimeoutError
    UnicodeError,  # a host name that no resolver takes
    zlib.error,
    ValueError,  # a socket that was closed meanwhile
    AttributeError,  # http.client's own, when a connection is closed by another thread in the middle of a reply
)


class Pool(_transport.Pool):
    """A transport over connections of its own. Safe to share by threads."""

    def __init__(self) -> None:
        self.is_closed = False
        self._lock = threading.Lock()
        self._idle: list[tuple[float, HTTPConnection]] = []
        self._busy: set[HTTPConnection] = set()

    def close(self) -> None:
        """Closes all connections, also those that a reply is being read from."""
        with self._lock:
            self.is_closed = True
            connections = [*self._busy, *(connection for _, connection in self._idle)]
            self._idle.clear()
        for connection in connections:
            _shut(connection)

    @contextmanager
    def open(self, request: Request, patience: float, silence: float) -> Iterator[_Body]:
        """Sends the request; leaves the response open within the context."""
        with _watchdog.alarm() as alarm:
            if alarm.stopped:
                raise _transport.stopped()
            connection = self._take(request)
            reusable = False
            try:
                with _asked(connection, request, alarm, patience, silence) as response:  # closes what it reads from
                    body = _Body(request, response, alarm)
                    yield body
                    body.drain()
                    reusable = body.reusable
            finally:
                self._give_back(connection, reusable)

    def _take(self, request: Request) -> HTTPConnection:
        """An idle connection that the server has not closed meanwhile, or a new one, not connected yet."""
        parts = urlsplit(request.url)
        kind = _TLSConnection if parts.scheme == "https" else _PlainConnection
        new = kind(parts.hostname or "", parts.port)
        with self._lock:
            if self.is_closed:
                raise _transport.closed()
            now = monotonic()
            self._idle, old = [], self._idle
            found = None
            for since, connection in reversed(old):
                same = type(connection) is kind and (connection.host, connection.port) == (new.host, new.port)
                if now - since > IDLE_SECONDS or (same and found is None and _readable(connection)):
                    connection.close()
                elif same and found is None:
                    found = connection
                else:
                    self._idle.insert(0, (since, connection))
            self._busy.add(found or new)
        return found or new

    def _give_back(self, connection: HTTPConnection, reusable: bool) -> None:
        with self._lock:
            self._busy.discard(connection)
            if not reusable or self.is_closed:
                connection.close()
                return
            self._idle.append((monotonic(), connection))
            for _, oldest in self._idle[:-IDLE_CONNECTIONS]:
                oldest.close()
            del self._idle[:-IDLE_CONNECTIONS]


class _Response(HTTPResponse):
    """Passes over what a server says before its answer, such as 103 Early Hints (RFC 9110, section 15.2)."""

    def begin(self) -> None:
        super().begin()
        while 100 <= self.status < 200 and self.status != 101:
            self.headers = self.msg = None  # type: ignore[assignment]  # so that `begin` reads again
            super().begin()


class _PlainConnection(HTTPConnection):
    response_class = _Response


class _TLSConnection(HTTPSConnection):
    response_class = _Response

    def __init__(self, host: str, port: int | None) -> None:
        super().__init__(host, port, context=_transport.tls())


def _asked(connection: HTTPConnection, request: Request, alarm: Alarm, patience: float, silence: float) -> HTTPResponse:
    """The response, when it has begun."""
    alarm.begin(patience)
    try:
        if connection.sock is None:
            _connect(connection, request, patience)
        channel: socket.socket = connection.sock
        alarm.watch(channel)
        channel.settimeout(patience)
        parts = urlsplit(request.url)
        path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        connection.request("POST", path, request.body, {**USER_AGENT, **HEADERS, **request.headers})
        response = connection.getresponse()
        channel.settimeout(silence)  # where the watchdog has no thread, this must do
        return response
    except _FAULTS as error:
        raise _fault(request, error, alarm, "network") from None
    finally:
        alarm.end()


def _connect(connection: HTTPConnection, request: Request, patience: float) -> None:
    connection.timeout = min(CONNECT_SECONDS, patience)
    try:
        connection.connect()
    except TimeoutError:
        raise _transport.no_connection_in_time(request) from None
    except _FAULTS as error:
        raise _transport.unreachable(request, str(error)) from None


class _Body:
    def __init__(self, request: Request, response: HTTPResponse, alarm: Alarm) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.getheaders()}
        self._request = request
        self._response = response
        self._alarm = alarm
        # `http.client` reads a chunk at a time, which costs several calls and waits for all of it.
        self._chunks = Dechunker() if response.chunked else None
        self._read1 = response.fp.read1 if response.chunked else response.read1
        self._inflate = _inflater(self.headers.get("content-encoding", ""))
        self._ended = False

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
            while not self._ended and monotonic() < until:
                self._next()
        self._alarm.end()

    @property
    def reusable(self) -> bool:
        """Whether the connection can be asked for something else, which it can after a whole body."""
        return self._ended and not self._response.will_close and not self._alarm.rang

    def _next(self) -> bytes:
        return self._raw() if self._inflate is None else self._inflated()

    def _raw(self) -> bytes:
        """Bytes of the body as it came, without the chunks; b"" at its end. Raises IncompleteRead where it has none."""
        while not self._ended:
            data = self._read1(READ_BYTES)
            if self._chunks is not None:
                found = self._chunks.feed(data)
                self._ended = self._chunks.ended
                if not data and not self._ended:
                    raise IncompleteRead(b"")
            else:
                found = data
                self._ended = not data
                if not data and self._response.length:
                    raise IncompleteRead(b"", self._response.length)
            if self._ended and self._alarm.rang:
                raise TimeoutError
            if found:
                return found
        return b""

    def _inflated(self) -> bytes:
        """From a server that compressed its answer though it was asked not to."""
        found: bytes = self._inflate.decompress(self._inflate.unconsumed_tail, INFLATED_BYTES)
        while not found and not self._ended:
            found = self._inflate.decompress(self._raw(), INFLATED_BYTES)
        return found


def _inflater(encoding: str) -> Any:
    if encoding in ("", "identity"):
        return None
    if encoding in ("gzip", "x-gzip", "deflate"):
        return zlib.decompressobj(zlib.MAX_WBITS | 32)  # either, by its first bytes
    raise Broken("protocol", f"the server compressed its answer ({encoding}), which it was asked not to do")


def _fault(request: Request, error: Exception, alarm: Alarm, code: ErrorCode) -> Broken:
    """`code`: "network" until the response began, then "interrupted"."""
    if alarm.stopped:
        return _transport.stopped()
    if alarm.rang or isinstance(error, TimeoutError):
        return _transport.nothing_in_time(request)
    if isinstance(error, RemoteDisconnected):
        reason = "the server closed the connection"
    elif isinstance(error, IncompleteRead):
        reason = "the body ended before it was whole"
    elif isinstance(error, OSError):
        reason = str(error)
    else:  # what http.client says of it quotes what the server sent
        reason = f"that is no HTTP ({type(error).__name__})"
    return _transport.broken(request, code, reason)


def _readable(connection: HTTPConnection) -> bool:
    """Whether there is something to read on an idle connection: its end."""
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(connection.sock, selectors.EVENT_READ)
            return bool(selector.select(0))
    except (OSError, ValueError):
        return True


def _shut(connection: HTTPConnection) -> None:
    """Ends what another thread may be reading, which a close alone does not."""
    channel = connection.sock
    if channel is not None:
        with suppress(OSError):
            socket.socket.shutdown(channel, socket.SHUT_RDWR)
    connection.close()
