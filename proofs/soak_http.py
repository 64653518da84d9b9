"""One request over a connection of its own, and what comes back, read as strictly as the framing is promised."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import AsyncGenerator
from typing import Any, Self

import httptools

from msgmodel.testing.server import RESET_ON_CLOSE

_FRAME = re.compile(rb"id: (0|[1-9][0-9]*)\ndata: (\{[^\n]*\})")

SLOW_BYTES = 4096


class Wrong(Exception):
    """What must not be."""


class Answer:
    """An open response. Leaving the context closes the connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self._reader, self._writer = reader, writer
        self._parser = httptools.HttpResponseParser(self)
        self._begun = self._whole = False
        self._body = b""
        self.events = self._framed()
        """Each event's number and data, until the body's proper end; can be read in parts. Raises Wrong."""

    @classmethod
    async def to(cls, port: int, method: str, path: str, body: Any = None, slow: bool = False, **headers: str) -> Self:
        """Sends a request and waits for the head of its response. A body of bytes goes as it is.

        slow: what is not read yet stays with the server, but for some kilobytes. `_` in names of headers is `-`.
        """
        connection = socket.socket()
        if slow:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_BYTES)
        connection.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
            reader, writer = await asyncio.open_connection(sock=connection, limit=SLOW_BYTES if slow else 1 << 16)
        except BaseException:
            connection.close()
            raise
        answer = cls(reader, writer)
        try:
            data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
            lines = [f"{method} {path} HTTP/1.1", f"host: 127.0.0.1:{port}", f"content-length: {len(data)}"]
            lines += ["content-type: application/json", "connection: close"]
            lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
            writer.write("\r\n".join([*lines, "", ""]).encode() + data)
            while not answer._begun:
                await answer._more()
        except BaseException:
            writer.close()
            raise
        return answer

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.events.aclose()
        self._writer.close()

    def reset(self) -> None:
        """Ends the connection with a reset, where leaving the context would say good-bye."""
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self._writer.transport.abort()

    async def _framed(self) -> AsyncGenerator[tuple[int, bytes], None]:
        if self.status != 200:
            raise Wrong(f"status {self.status}: {(await self.text())[:200]}")
        pending = b""
        while True:
            *frames, pending = (pending + self._taken()).split(b"\n\n")
            for frame in frames:
                if frame.startswith(b":"):
                    continue
                found = _FRAME.fullmatch(frame)
                if found is None:
                    raise Wrong(f"a frame that is none: {frame[:80]!r}")
                yield int(found[1]), found[2]
            if self._whole:
                break
            await self._more()
        if pending:
            raise Wrong(f"the body ended in the middle of an event: {pending[:80]!r}")

    async def text(self) -> str:
        """The whole body."""
        return b"".join([piece async for piece in self.pieces()]).decode()

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Read the body as it comes."""
        while not self._whole:
            if taken := self._taken():
                yield taken
            await self._more()
        yield self._taken()

    async def _more(self) -> None:
        data = await self._reader.read(65536)
        if not data:
            raise Wrong("the connection was closed in the middle")
        self._parser.feed_data(data)

    def _taken(self) -> bytes:
        taken, self._body = self._body, b""
        return taken

    # What httptools calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode().lower()] = value.decode()

    def on_headers_complete(self) -> None:
        self.status, self._begun = self._parser.get_status_code(), True

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self._whole = True
