"""HTTP for asyncio straight to a server, over the event loop's own transports.

Heads are written and read by `http.client`, as in the blocking colour. Beside an HTTP library for asyncio this saves
what it does for each chunk: bytes go from the socket to the body as they come, and from there to the decoder.

Rule: what arrived before a connection broke is handed on before its fault.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPResponse, RemoteDisconnected
from io import BytesIO
from socket import AI_NUMERICHOST, SOCK_STREAM, gaierror, getaddrinfo, socket
from time import monotonic
from typing import Any, cast
from urllib.parse import urlsplit

from ..question.transport import AsyncOpenResponse, ConnectionBroken, HttpRequest
from . import connection_limits, faults, forks, request_head, tls_and_proxies
from .connection_limits import (
    CONNECT_SECONDS,
    DRAIN_SECONDS,
    EYEBALLS_SECONDS,
    HEAD_BYTES,
    IDLE_CONNECTIONS,
    IDLE_SECONDS,
    INTERIM_ANSWERS,
)
from .faults import FAULTS
from .loop_alarm import LoopAlarm, WaitLimit
from .response_body import BodyReader

READ_BYTES = 32 * 1024
"""One read. What it brings is handled in one turn of the loop, while all other streams wait: 64 KB took twice as long
and cost no less CPU a chunk."""
WAITING_BYTES = 32 * 1024
"""What may wait for a slow reader before the socket is left alone; one read of it more can come."""

_Address = tuple[str, str, int]
_BLANK_LINE = re.compile(rb"\n\r?\n")


class LoopConnections:
    """A pool without a limit on live streams, for the running event loop."""

    def __init__(self) -> None:
        self._idle: list[tuple[float, _Address, _Connection]] = []
        self._busy: set[_Connection] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._buffer = memoryview(bytearray(READ_BYTES))
        forks.register(self)

    def forget(self) -> None:
        """Drop the connections of the process that this one was forked from. Replies under way end as broken.

        Without the event loop: what it is told of a socket it tells the kernel's epoll, which the parent shares.
        """
        for connection in (*self._busy, *(connection for _, _, connection in self._idle)):
            forks.cut_off(connection.socket)
            with suppress(RuntimeError):  # the loop is closed, or another thread's
                connection.fail(ConnectionAbortedError(forks.INHERITED))

    async def aclose(self) -> None:
        """Closes all connections, also those that a reply is being read from."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for connection in (*self._busy, *(connection for _, _, connection in self._idle)):
            connection.close()
        self._idle.clear()
        for _ in range(2):  # a transport is closed by the loop, one with TLS a step later
            await asyncio.sleep(0)

    def open(self, request: HttpRequest, patience: float, silence: float) -> _Open:
        """Sends the request; leaves the response open within the context."""
        return _Open(self, request, patience)

    async def take(self, address: _Address) -> _Connection:
        """An idle connection that the server has not closed meanwhile, or a new one. Raises OSError."""
        now = monotonic()
        found = None
        for entry in reversed(self._idle):
            since, whose, connection = entry
            lives = connection.lives and now - since <= IDLE_SECONDS
            if lives and (whose != address or found is not None):
                continue
            self._idle.remove(entry)
            # The loop may not have run since the server closed it.
            if lives and not connection_limits.has_input(connection.socket):
                found = connection
            else:
                connection.close()
        connection = found or await _connected(address, self._buffer)
        if self._closed:  # meanwhile
            connection.close()
            raise faults.client_closed()
        self._busy.add(connection)
        return connection

    def give_back(self, connection: _Connection, address: _Address, reusable: bool) -> None:
        """The reply is over. A connection that is not to be used again is closed at once."""
        self._busy.discard(connection)
        if not reusable:
            connection.close()
            return
        self._idle.append((monotonic(), address, connection))
        for _, _, oldest in self._idle[:-IDLE_CONNECTIONS]:
            oldest.close()
        del self._idle[:-IDLE_CONNECTIONS]
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._expire)

    def _expire(self) -> None:
        """Closes those that nobody wanted for so long."""
        self._timer, now = None, monotonic()
        while self._idle and now - self._idle[0][0] >= IDLE_SECONDS:
            self._idle.pop(0)[2].close()
        if self._idle:
            wait = self._idle[0][0] + IDLE_SECONDS - now
            self._timer = asyncio.get_running_loop().call_later(wait, self._expire)


class _Connection(asyncio.BufferedProtocol):
    """What has come of a connection and was not read.

    All of a session are read into one buffer, whose bytes are taken out before the loop does anything else. Without it
    the loop allocates 256 KB for each read, which costs more than the read.
    """

    __slots__ = ("_buffer", "_ended", "_fault", "_loop", "_paused", "_pieces", "_transport", "_waiter", "_waiting")

    def __init__(self, buffer: memoryview) -> None:
        self._buffer = buffer
        self._loop = asyncio.get_running_loop()
        self._pieces: list[bytes] = []
        self._waiting = 0
        self._paused = self._ended = False
        self._fault: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def lives(self) -> bool:
        """Whether it is open as far as the loop knows, with nothing that waits to be read."""
        return not (self._ended or self._fault or self._pieces or self._transport.is_closing())

    @property
    def sent(self) -> bool:
        """Whether all that was written has left: a server may answer before it has read a long request."""
        return self._transport.get_write_buffer_size() == 0

    @property
    def socket(self) -> Any:
        return self._transport.get_extra_info("socket")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._pieces.append(bytes(self._buffer[:nbytes]))
        self._waiting += nbytes
        if self._waiting > WAITING_BYTES and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        self._ended = True
        self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        self._ended = True
        self._fault = self._fault or error
        self._wake()

    def fail(self, error: Exception) -> None:
        """Ends a read that waits."""
        self._fault = error
        self._wake()

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    def close(self) -> None:
        """At once: what was written and not sent yet is dropped."""
        self._fault = None  # where it was raised leads back to this
        with suppress(RuntimeError):  # the loop is closed, and its sockets with it
            self._transport.abort()

    async def read(self) -> bytes:
        """What has come; b"" at the end. Raises OSError where the connection broke."""
        while not self._pieces:
            if self._fault is not None:
                raise self._fault
            if self._ended:
                return b""
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        if len(self._pieces) == 1:
            (data,) = self._pieces
        else:
            data = b"".join(self._pieces)
        self._pieces.clear()
        self._waiting = 0
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        return data

    @property
    def failed(self) -> bool:
        """Whether `fail` was called. A server that never stops sending would keep `read` from raising it."""
        return self._fault is not None and not self._ended

    async def head(self) -> HTTPResponse:
        """The response, its headers read. Raises HTTPException, Unreadable, OSError."""
        data = bytearray()
        searched = 0  # up to where there is no blank line, so that no byte is searched twice
        left = HEAD_BYTES
        interim = 0
        while True:
            blank = _BLANK_LINE.search(data, searched)
            size = len(data) if blank is None else blank.end()
            if size > left:
                raise faults.head_too_long()
            if blank is None:
                searched = max(0, size - 2)
                more = await self.read()
                if not more:
                    raise RemoteDisconnected if not data else HTTPException
                data += more
                continue
            if size < 12 or data[9:10] != b"1" or data[9:12] == b"101":
                if rest := bytes(data[size:]):
                    self._pieces.insert(0, rest)
                response = HTTPResponse(_Head(bytes(data[:size])), method="POST")  # type: ignore[arg-type]
                response.begin()
                return response
            # 100 Continue, 103 Early Hints: no answer yet (RFC 9110, section 15.2)
            interim += 1
            if interim > INTERIM_ANSWERS:
                raise faults.too_many_interim_answers()
            left -= size
            del data[:size]
            searched = 0

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class _Head:
    """What `http.client` needs of a socket to read a head from."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, mode: str) -> BytesIO:
        return BytesIO(self._data)


class _Request(HTTPConnection):
    """Writes a request, and keeps what is written."""

    auto_open = 0
    debuglevel = 0  # a switch for all connections of a process, which prints what they send

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self.sent: list[bytes] = []

    def send(self, data: Any) -> None:
        """Keep a small piece with the one before it, so that they go together; a large one is not copied."""
        if self.sent and len(self.sent[-1]) + len(data) <= READ_BYTES:
            self.sent[-1] += data
        else:
            self.sent.append(data)


def _address(request: HttpRequest) -> _Address:
    parts = urlsplit(request.url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


async def _connected(address: _Address, buffer: memoryview) -> _Connection:
    scheme, host, port = address
    loop = asyncio.get_running_loop()
    options: dict[str, Any] = (
        {"ssl": tls_and_proxies.shared_tls_context(), "server_hostname": host} if scheme == "https" else {}
    )
    channel = await _first(host, port)
    # From here on the loop closes it, also if this is cancelled.
    _, connection = await loop.create_connection(lambda: _Connection(buffer), sock=channel, **options)
    return connection


async def _first(host: str, port: int) -> socket:
    """Return a connection to the first address of a host that takes one (RFC 8305). Raises OSError.

    uvloop would try one address after the other, and asyncio forgets an open socket if it is cancelled as one connects.
    """
    loop = asyncio.get_running_loop()
    try:
        places = getaddrinfo(host, port, type=SOCK_STREAM, flags=AI_NUMERICHOST)  # of an address, without a thread
    except gaierror:
        places = await loop.getaddrinfo(host, port, type=SOCK_STREAM)
    fault: OSError | None = None
    trying: dict[asyncio.Task[OSError | None], socket] = {}
    try:
        while places or trying:
            if places:
                family, kind, protocol, _, place = places.pop(0)
                try:
                    channel = socket(family, kind, protocol)
                except OSError as error:  # no such family here
                    fault = error
                    continue
                channel.setblocking(False)
                trying[loop.create_task(_fault_of_connecting(channel, place))] = channel
            wait = EYEBALLS_SECONDS if places else None
            done, _ = await asyncio.wait(trying, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                fault = task.result()
                channel = trying.pop(task)
                if fault is None:
                    return channel
                channel.close()
    finally:
        for task, channel in trying.items():
            task.add_done_callback(partial(_close_socket, channel))
            task.cancel()
    raise fault or OSError("the host has no address")


async def _fault_of_connecting(channel: socket, place: Any) -> OSError | None:
    try:
        await asyncio.get_running_loop().sock_connect(channel, place)
    except OSError as error:
        return error
    return None


def _close_socket(channel: socket, _: object) -> None:
    channel.close()


class _Open:
    """A class, not a generator: a loop that ends closes all generators at once, so one must not wait for another."""

    def __init__(self, session: LoopConnections, request: HttpRequest, patience: float) -> None:
        self._session = session
        self._request = request
        self._wait = patience

    async def __aenter__(self) -> AsyncOpenResponse:
        self._address = _address(self._request)
        until = monotonic() + self._wait
        patience = WaitLimit()
        try:
            self._connection = await self._connect(patience)
            try:
                with patience.of(max(0.001, until - monotonic())):
                    self._reply = await self._ask()
            except BaseException:
                self._session.give_back(self._connection, self._address, False)
                raise
        except FAULTS as error:
            raise faults.broken_by(self._request, error, "network") from None
        finally:
            patience.close()
        return self._reply

    async def __aexit__(self, kind: object, *exc_info: object) -> None:
        reply = self._reply
        try:
            if kind is None and reply.stays:
                await reply.drain()
        finally:
            reply.close()
            self._session.give_back(self._connection, self._address, kind is None and reply.reusable)

    async def _connect(self, patience: WaitLimit) -> _Connection:
        try:
            with patience.of(min(CONNECT_SECONDS, self._wait)):
                return await self._session.take(self._address)
        except TimeoutError:
            raise faults.no_connection_in_time(self._request) from None
        except FAULTS as error:
            raise faults.cannot_connect(self._request, str(error)) from None

    async def _ask(self) -> _Reply:
        _, host, port = self._address
        writing = _Request(host, port)
        path, headers = request_head.path_and_headers(self._request)
        writing.request("POST", path, self._request.pieces, headers)
        for piece in writing.sent:
            self._connection.write(piece)
        return _Reply(self._request, await self._connection.head(), self._connection)


class _Reply:
    __slots__ = ("_alarm", "_body", "_connection", "_request", "headers", "status", "stays")

    def __init__(self, request: HttpRequest, response: HTTPResponse, connection: _Connection) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.getheaders()}
        self._request = request
        self.stays = not response.will_close
        self._connection = connection
        self._body = BodyReader(response)
        self._alarm = LoopAlarm(self._too_late)

    @property
    def reusable(self) -> bool:
        """Whether the connection can be asked for something else."""
        return self._body.ended and self.stays and not self._body.excess and self._connection.sent

    async def read(self, patience: float) -> bytes:
        self._alarm.begin(patience)
        try:
            body, connection = self._body, self._connection
            while not body.ended:
                if body.holds:
                    await asyncio.sleep(0)  # other tasks, and the alarm
                    found = body.more()
                else:
                    found = body.feed(await connection.read())
                if found:
                    return found
                if connection.failed:
                    raise TimeoutError
            return b""
        except FAULTS as error:
            raise self._fault(error) from None
        finally:
            self._alarm.end()

    async def drain(self) -> None:
        """Reads the rest of a body whose last event has been read; gives up soon, and on any fault."""
        until = monotonic() + DRAIN_SECONDS
        with suppress(ConnectionBroken):
            while not self._body.ended and (left := until - monotonic()) > 0:
                await self.read(left)

    def close(self) -> None:
        self._alarm.close()

    def _too_late(self) -> None:
        self._connection.fail(TimeoutError())

    def _fault(self, error: Exception) -> ConnectionBroken:
        return faults.broken_by(self._request, error, "interrupted")
