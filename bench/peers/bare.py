"""The least that a client can do: split the bytes of a transport into lines, and decode each with msgspec.

Nothing here checks how a reply ended, applies a timeout, retries, or distinguishes failures.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from urllib.parse import urlsplit

import msgspec

from .asking import Ask, AsyncAsk, Take

PATHS = {
    "openai": "/v1/chat/completions",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/{}:streamGenerateContent?alt=sse",
}
_END = b"0\r\n\r\n"
"""Of a body in chunks."""


class _Content(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Content


class _Completion(msgspec.Struct):
    choices: list[_Choice] = []


class _TextDelta(msgspec.Struct):
    text: str = ""


class _Event(msgspec.Struct):
    delta: _TextDelta | None = None


class _Parts(msgspec.Struct):
    parts: list[_TextDelta] = []


class _Candidate(msgspec.Struct):
    content: _Parts


class _Generated(msgspec.Struct):
    candidates: list[_Candidate] = []


class Lines:
    """Turn bytes into texts, on one wire."""

    def __init__(self, wire: str, take: Take) -> None:
        self._take = take
        self._rest = b""
        kinds = {"openai": _Completion, "anthropic": _Event, "gemini": _Generated}
        self._decode = msgspec.json.Decoder(kinds[wire]).decode
        self.feed = {"openai": self._openai, "anthropic": self._anthropic, "gemini": self._gemini}[wire]

    def _lines(self, data: bytes) -> list[bytes]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [line[6:] for line in lines if line.startswith(b"data: {")]

    def _openai(self, data: bytes) -> None:
        for line in self._lines(data):
            chunk = self._decode(line)
            if chunk.choices and (text := chunk.choices[0].delta.content):
                self._take(text)

    def _anthropic(self, data: bytes) -> None:
        for line in self._lines(data):
            event = self._decode(line)
            if event.delta is not None and event.delta.text:
                self._take(event.delta.text)

    def _gemini(self, data: bytes) -> None:
        for line in self._lines(data):
            for part in self._decode(line).candidates[0].content.parts:
                if part.text:
                    self._take(part.text)


def _body(model: str) -> bytes:
    return json.dumps({"model": model, "stream": True, "messages": [{"role": "user", "content": "hi"}]}).encode()


def _request(base: str, wire: str, model: str) -> bytes:
    body, path = _body(model), PATHS[wire].format(model)
    return (
        f"POST {path} HTTP/1.1\r\nhost: {urlsplit(base).netloc}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body
    )


def floor_async(base: str, wire: str) -> AsyncAsk:
    """Read with the streams of asyncio."""
    parts = urlsplit(base)
    tls = ssl.create_default_context() if parts.scheme == "https" else None
    idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(model: str, take: Take) -> None:
        reader, writer = idle.pop() if idle else await asyncio.open_connection(parts.hostname, parts.port, ssl=tls)
        writer.write(_request(base, wire, model))
        feed, data = Lines(wire, take).feed, b""
        while not data.endswith(_END):
            if not (data := await reader.read(65536)):
                raise ConnectionError("cut")
            feed(data)
        idle.append((reader, writer))

    return ask


def floor(base: str, wire: str) -> Ask:
    """Read from a blocking socket."""
    parts = urlsplit(base)
    idle: list[socket.socket] = []

    def ask(model: str, take: Take) -> None:
        connection = idle.pop() if idle else socket.create_connection((parts.hostname, parts.port))
        connection.sendall(_request(base, wire, model))
        feed, data = Lines(wire, take).feed, b""
        while not data.endswith(_END):
            if not (data := connection.recv(65536)):
                raise ConnectionError("cut")
            feed(data)
        idle.append(connection)

    return ask


def aiohttp_async(base: str, wire: str) -> AsyncAsk:
    """Read with aiohttp and one session, and take the bytes as they arrive."""
    import aiohttp

    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))

    async def ask(model: str, take: Take) -> None:
        feed = Lines(wire, take).feed
        async with session.post(base + PATHS[wire].format(model), data=_body(model)) as response:
            async for data in response.content.iter_any():
                feed(data)

    return ask
