"""HTTP for asyncio straight to a server, over the event loop's own transports: the pool, and a response of it.

An HTTP library for asyncio costs several times as much for each chunk: here bytes go from the socket to the reader of
the response as they come, and from there to the decoder.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from time import monotonic

from ..question.transport import AsyncOpenResponse, ConnectionBroken, HttpRequest
from . import connection_limits, faults, forks, request_head
from .connection_limits import CONNECT_SECONDS, DRAIN_SECONDS, IDLE_CONNECTIONS, IDLE_SECONDS
from .faults import FAULTS
from .loop_alarm import LoopAlarm, WaitLimit
from .loop_connection import READ_BYTES, LoopConnection, new_connection
from .request_head import Origin
from .response_reader import ResponseReader


class LoopConnections:
    """A pool without a limit on live streams, for the running event loop."""

    def __init__(self) -> None:
        self._idle: list[tuple[float, Origin, LoopConnection]] = []
        self._busy: set[LoopConnection] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._buffer = memoryview(bytearray(READ_BYTES))
        forks.register(self)

    def forget(self) -> None:
        """Drop the connections of the process that this one was forked from. Replies under way end as broken.

        Without the event loop: it passes what it hears about a socket to the kernel's epoll, which the parent shares.
        """
        for connection in (*self._busy, *(connection for _, _, connection in self._idle)):
            forks.cut_off(connection.socket)
            with suppress(RuntimeError):  # the loop is closed, or another thread's
                connection.fail(ConnectionAbortedError(forks.INHERITED))

    async def aclose(self) -> None:
        """Close all connections, also those from which a reply is being read."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for connection in (*self._busy, *(connection for _, _, connection in self._idle)):
            connection.close()
        self._idle.clear()
        for _ in range(2):  # a transport is closed by the loop, one with TLS a step later
            await asyncio.sleep(0)

    def open(self, request: HttpRequest, seconds_to_wait: float, longest_wait: float) -> _Open:
        """Send the request, and leave the response open within the context."""
        return _Open(self, request, seconds_to_wait)

    async def take(self, origin: Origin) -> LoopConnection:
        """Return an idle connection that the server has not closed meanwhile, or a new one. Raises OSError."""
        now = monotonic()
        found = None
        for entry in reversed(self._idle):
            since, whose, connection = entry
            is_fit = connection.is_idle and now - since <= IDLE_SECONDS
            if is_fit and (whose != origin or found is not None):
                continue
            self._idle.remove(entry)
            # The loop may not have run since the server closed it.
            if is_fit and not connection_limits.has_input(connection.socket):
                found = connection
            else:
                connection.close()
        connection = found or await new_connection(origin, self._buffer)
        if self._closed:  # meanwhile
            connection.close()
            raise faults.client_closed()
        self._busy.add(connection)
        return connection

    def give_back(self, connection: LoopConnection, origin: Origin, reusable: bool) -> None:
        """Keep the connection of a reply that is over, or close it at once if it can't be used again."""
        self._busy.discard(connection)
        if not reusable:
            connection.close()
            return
        self._idle.append((monotonic(), origin, connection))
        for _, _, oldest in self._idle[:-IDLE_CONNECTIONS]:
            oldest.close()
        del self._idle[:-IDLE_CONNECTIONS]
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._expire)

    def _expire(self) -> None:
        """Close connections that have been idle too long."""
        self._timer, now = None, monotonic()
        while self._idle and now - self._idle[0][0] >= IDLE_SECONDS:
            self._idle.pop(0)[2].close()
        if self._idle:
            wait = self._idle[0][0] + IDLE_SECONDS - now
            self._timer = asyncio.get_running_loop().call_later(wait, self._expire)


class _Open:
    """A class, not a generator: a loop that ends closes all generators at once, so one must not wait for another."""

    def __init__(self, pool: LoopConnections, request: HttpRequest, seconds_to_wait: float) -> None:
        self._pool = pool
        self._request = request
        self._wait = seconds_to_wait

    async def __aenter__(self) -> AsyncOpenResponse:
        self._origin = request_head.origin_of(self._request)
        until = monotonic() + self._wait
        limit = WaitLimit()
        try:
            self._connection = await self._connect(limit)
            self._response = _Response(self._request, self._connection)
            try:
                with limit.of(max(0.001, until - monotonic())):
                    await self._response.send_and_read_head()
            except BaseException:
                self._leave(False)
                raise
        except FAULTS as error:
            raise faults.broken_by(self._request, error, "network") from None
        finally:
            limit.close()
        return self._response

    async def __aexit__(self, kind: object, *exc_info: object) -> None:
        try:
            if kind is None and self._response.keeps_alive:
                await self._response.drain()
        finally:
            self._leave(kind is None and self._response.reusable)

    def _leave(self, reusable: bool) -> None:
        self._response.close()
        self._pool.give_back(self._connection, self._origin, reusable)

    async def _connect(self, limit: WaitLimit) -> LoopConnection:
        try:
            with limit.of(min(CONNECT_SECONDS, self._wait)):
                return await self._pool.take(self._origin)
        except TimeoutError:
            raise faults.no_connection_in_time(self._request) from None
        except FAULTS as error:
            raise faults.cannot_connect(self._request, str(error)) from None


class _Response:
    """A response on a connection of asyncio."""

    __slots__ = ("_alarm", "_connection", "_reader", "_request", "headers", "status")

    def __init__(self, request: HttpRequest, connection: LoopConnection) -> None:
        self._request = request
        self._connection = connection
        self._reader = ResponseReader()
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self._alarm = LoopAlarm(self._too_late)

    @property
    def keeps_alive(self) -> bool:
        """Whether the connection outlives the response."""
        return self._reader.keeps_alive

    @property
    def reusable(self) -> bool:
        """Whether the connection can take another request."""
        return self._reader.reusable and self._connection.all_sent

    async def send_and_read_head(self) -> None:
        """Send the request, and wait for the head of the answer. Raises one of FAULTS."""
        # No variable holds the pieces: tools that show the variables of a traceback would show the key.
        self._connection.write(request_head.pieces_to_send(self._request))
        reader = self._reader
        while not reader.status:
            reader.feed(await self._connection.read())
        self.status, self.headers = reader.status, reader.headers

    async def read(self, seconds_to_wait: float) -> bytes:
        """Return what comes next of the body; b"" at its end. Raises ConnectionBroken."""
        self._alarm.begin(seconds_to_wait)
        try:
            reader, connection = self._reader, self._connection
            while not reader.ended:
                if reader.has_more:
                    await asyncio.sleep(0)  # other tasks, and the alarm
                    found = reader.read_more()
                else:
                    found = reader.feed(await connection.read())
                if found:
                    return found
                if connection.failed:
                    raise TimeoutError
            return b""
        except FAULTS as error:
            raise faults.broken_by(self._request, error, "interrupted") from None
        finally:
            self._alarm.end()

    async def drain(self) -> None:
        """Read the rest of a body whose last event has been read; give up soon, and on any fault."""
        until = monotonic() + DRAIN_SECONDS
        with suppress(ConnectionBroken):
            while not self._reader.ended and (left := until - monotonic()) > 0:
                await self.read(left)

    def close(self) -> None:
        """Let go of what refers back to this object."""
        self._alarm.close()
        self._reader.close()

    def _too_late(self) -> None:
        self._connection.fail(TimeoutError())
