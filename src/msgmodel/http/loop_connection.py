"""A connection of asyncio: bytes go from the loop's buffer to the reader of a response as they come.

Rule: what arrived before a connection broke is returned before its fault.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, cast

from . import tls_and_proxies
from .connecting import connect_first_answering_on_loop
from .request_head import Origin

READ_BYTES = 32 * 1024
"""One read. What it brings is handled in one turn of the loop, while all other streams wait: 64 KB took twice as long
and cost no less CPU a chunk."""
WAITING_BYTES = 32 * 1024
"""What may wait for a slow reader before the socket is left alone; one read of it more can come."""


class LoopConnection(asyncio.BufferedProtocol):
    """What has arrived on a connection and was not read.

    All connections of a pool are read into one buffer, whose bytes are taken out before the loop does anything else.
    Without it the loop allocates 256 KB for each read, which costs more than the read.
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
    def is_idle(self) -> bool:
        """Whether it is open as far as the loop knows, with nothing that waits to be read."""
        return not (self._ended or self._fault or self._pieces or self._transport.is_closing())

    @property
    def all_sent(self) -> bool:
        """Whether all that was written has left: a server may answer before it has read a long request."""
        return self._transport.get_write_buffer_size() == 0

    @property
    def failed(self) -> bool:
        """Whether `fail` was called. A server that never stops sending would keep `read` from raising it."""
        return self._fault is not None and not self._ended

    @property
    def socket(self) -> Any:
        """The socket, or what the loop has in its place."""
        return self._transport.get_extra_info("socket")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return the buffer of the pool."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take out what was read, and stop reading if it waits too long."""
        self._pieces.append(bytes(self._buffer[:nbytes]))
        self._waiting += nbytes
        if self._waiting > WAITING_BYTES and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """Note that the server has sent all."""
        self._ended = True
        self._wake()  # returning None lets the transport close itself (asyncio, `Protocol.eof_received`)

    def connection_lost(self, error: Exception | None) -> None:
        """Note the end of the connection."""
        self._ended = True
        self._fault = self._fault or error
        self._wake()

    def fail(self, error: Exception) -> None:
        """End a read that waits."""
        self._fault = error
        self._wake()

    def write(self, pieces: list[bytes]) -> None:
        """Send, as soon as the server takes it. (`writelines` would copy all pieces into one.)"""
        for piece in pieces:
            self._transport.write(piece)

    def close(self) -> None:
        """Close at once: what was written and not sent yet is dropped."""
        self._fault = None  # its traceback leads back to this object
        with suppress(RuntimeError):  # the loop is closed, and its sockets with it
            self._transport.abort()

    async def read(self) -> bytes:
        """Return what has arrived; b"" at the end.

        Raises:
            OSError: The connection broke.
        """
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

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


async def new_connection(origin: Origin, buffer: memoryview) -> LoopConnection:
    """Return a new connection, with TLS for https.

    Args:
        origin: Where it goes.
        buffer: What it reads into, as all connections of its pool.

    Raises:
        OSError: No address of the host takes it, or the TLS handshake fails.
    """
    scheme, host, port = origin
    loop = asyncio.get_running_loop()
    options: dict[str, Any] = (
        {"ssl": tls_and_proxies.shared_tls_context(), "server_hostname": host} if scheme == "https" else {}
    )
    channel = await connect_first_answering_on_loop(host, port)
    # From here on the loop closes it, also if this is cancelled.
    _, connection = await loop.create_connection(lambda: LoopConnection(buffer), sock=channel, **options)
    return connection
