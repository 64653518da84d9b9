"""The hostile provider of the attack program: each function is one flood, and its docstring says what it sends.

Prints its port; then it answers each line on standard input with the number of requests since the last one. The prompt
of a request names the flood, as "attack NAME end"; NAME may have an argument: "attack NAME:ARGUMENT end".

    python proofs/attack_provider.py
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from itertools import chain, count, repeat
from typing import Any, TypeAlias

import uvloop

NICE = 19
"""Loads get what the server and its other users leave of the processors."""
FLOOD_BYTES = 2_000_000_000
"""Of one answer: no flood is without an end for the machine that it runs on."""
BLOCK_BYTES = 64 * 1024
EVENT_BYTES = 30_000_000

LARGE_EVENTS = ("large-event", "broken-json", "error-event")
"""Floods that are one event of EVENT_BYTES, which is less than the limit of an event: to be kept until it is whole."""

_PROMPT = re.compile(rb"attack ([\w-]+)(?::(\d+))? end")
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)

Flood: TypeAlias = Callable[[], Iterator[bytes]]
FLOODS: dict[str, Flood] = {}


def flood(make: Flood) -> Flood:
    """Add a flood, by the name of its function."""
    FLOODS[make.__name__.replace("_", "-")] = make
    return make


def _head(status: str = "200 OK", media_type: str = "text/event-stream", *lines: str) -> bytes:
    """A response whose body ends with the connection."""
    return "\r\n".join([f"HTTP/1.1 {status}", f"content-type: {media_type}", *lines, "", ""]).encode()


_CHUNKED = _head("200 OK", "text/event-stream", "transfer-encoding: chunked")


def _event(**delta: Any) -> bytes:
    """An event of Chat Completions."""
    chunk = {"id": "x", "object": "chat.completion.chunk", "model": "gpt-6-luna"}
    return f"data: {json.dumps(chunk | {'choices': [{'index': 0, 'delta': delta}]})}\n\n".encode()


def _again(data: bytes) -> Iterator[bytes]:
    """The data again and again, in blocks."""
    return repeat(data * (BLOCK_BYTES // len(data) + 1))


def _each(make: Callable[[int], bytes]) -> Iterator[bytes]:
    """What is made of each number, in blocks."""
    numbers = count()
    while True:
        yield b"".join(make(next(numbers)) for _ in range(100))


@flood
def continues() -> Iterator[bytes]:
    """Send `100 Continue` without end, and never an answer."""
    return _again(b"HTTP/1.1 100 Continue\r\n\r\n")


@flood
def early_hints() -> Iterator[bytes]:
    """Send `103 Early Hints` of 30 headers each without end."""
    return _again(b"HTTP/1.1 103 Early Hints\r\n" + b"link: </style.css>; rel=preload\r\n" * 30 + b"\r\n")


@flood
def header_lines() -> Iterator[bytes]:
    """Send header lines without end."""
    return chain([b"HTTP/1.1 200 OK\r\n"], _each(lambda number: b"x-%d: %b\r\n" % (number, b"y" * 500)))


@cache
def _bomb() -> bytes:
    return gzip.compress(b"\n" * 15_000_000, 9)


@flood
def gzip_bombs() -> Iterator[bytes]:
    """Send 15 KB of gzip that unfold to 15 MB of empty lines, again and again."""
    return chain([_head("200 OK", "text/event-stream", "content-encoding: gzip")], repeat(_bomb()))


@flood
def deflate_bomb() -> Iterator[bytes]:
    """Send one deflate stream that unfolds a thousandfold, without end."""
    coder = zlib.compressobj(9)
    first = coder.compress(b"\n" * 1_000_000) + coder.flush(zlib.Z_FULL_FLUSH)
    more = coder.compress(b"\n" * 1_000_000) + coder.flush(zlib.Z_FULL_FLUSH)
    return chain([_head("200 OK", "text/event-stream", "content-encoding: deflate") + first], repeat(more))


@flood
def gentle_bomb() -> Iterator[bytes]:
    """Send gzip that unfolds fiftyfold, as text may, to empty comments without end."""
    coder = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    lines = b"".join(b": %d\n" % number + b":\n" * 400 for number in range(2000))
    first = coder.compress(lines) + coder.flush(zlib.Z_FULL_FLUSH)
    more = coder.compress(lines) + coder.flush(zlib.Z_FULL_FLUSH)
    return chain([_head("200 OK", "text/event-stream", "content-encoding: gzip") + first], repeat(more))


def _call(index: int, arguments: str, **more: str) -> bytes:
    function = {"arguments": arguments, **more}
    call = {"index": index, "type": "function", "function": function}
    return _event(tool_calls=[call | ({"id": f"call_{index}"} if more else {})])


@flood
def arguments() -> Iterator[bytes]:
    """Send the arguments of one tool call, without end."""
    return chain([_head() + _call(0, "", name="price")], _again(_call(0, "x" * 1000)))


@flood
def calls() -> Iterator[bytes]:
    """Send tool calls without end."""
    return chain([_head()], _each(lambda number: _call(number, "{}", name="price")))


@flood
def sources() -> Iterator[bytes]:
    """Send sources without end."""

    def source(number: int) -> bytes:
        cited = {"url": f"https://example.com/{number}", "title": "x" * 100, "start_index": 0, "end_index": 1}
        return _event(annotations=[{"type": "url_citation", "url_citation": cited}])

    return chain([_head()], _each(source))


@flood
def reasoning() -> Iterator[bytes]:
    """Send reasoning without end."""
    return chain([_head()], _again(_event(reasoning_content="thinking " * 100)))


@flood
def text() -> Iterator[bytes]:
    """Send text without end, in pieces of 1 KB."""
    return chain([_head()], _again(_event(content="so it is " * 110)))


@flood
def letters() -> Iterator[bytes]:
    """Send text without end, a letter at a time."""
    return chain([_head()], _again(_event(content="x")))


@flood
def emoji() -> Iterator[bytes]:
    """Send an emoji, which makes a string of Python four times as large, and text without end."""
    return chain([_head() + _event(content="\N{WATER WAVE}")], _again(_event(content="so it is " * 110)))


def _in_blocks(data: bytes) -> Iterator[bytes]:
    return (data[at : at + BLOCK_BYTES] for at in range(0, len(data), BLOCK_BYTES))


@flood
def large_event() -> Iterator[bytes]:
    """Send one event of 30 MB: half a surrogate pair, and a list of small values in a field that no parser reads."""
    values = "[1.5,{}]," * (EVENT_BYTES // 9)
    return _in_blocks(_head() + b'data: {"choices":[{"delta":{"content":"\\ud83d"}}],"x":[%b1]}\n\n' % values.encode())


@flood
def broken_json() -> Iterator[bytes]:
    """Send one event of 30 MB whose last byte makes it invalid JSON."""
    return _in_blocks(_head() + b'data: {"choices":[{"delta":{"content":"%b"}}]]\n\n' % (b"x" * EVENT_BYTES))


@flood
def pings() -> Iterator[bytes]:
    """Send comments without end, at full speed."""
    return chain([_head()], _again(b": ping\n\n"))


@flood
def data_lines() -> Iterator[bytes]:
    """Send lines of one event that never ends."""
    return chain([_head()], _again(b"data: x\n"))


@flood
def chunk_extensions() -> Iterator[bytes]:
    """Send chunks of one byte, each with another extension of 50 KB."""

    def chunk(number: int) -> bytes:
        return b"1;x%d=%b\r\n:\r\n" % (number, b"y" * 50_000)

    return chain([_CHUNKED], map(chunk, count()))


@flood
def small_chunks() -> Iterator[bytes]:
    """Send chunks of one byte."""
    return chain([_CHUNKED], _again(b"1\r\n:\r\n"))


@flood
def trailers() -> Iterator[bytes]:
    """Send trailers without end."""
    return chain([_CHUNKED + b"0\r\n"], _again(b"x-trailer: y\r\n"))


@flood
def error_body() -> Iterator[bytes]:
    """Send the body of an error, without end."""
    return chain([_head("400 Bad Request", "application/json") + b'{"error": {"message": "'], _again(b"no "))


@flood
def error_event() -> Iterator[bytes]:
    """Send an error event of 30 MB."""
    return _in_blocks(_head() + b'data: {"error": {"message": "%b"}}\n\n' % (b"no " * (EVENT_BYTES // 3)))


def _said(size: int) -> Iterator[bytes]:
    """A good reply of so many characters."""
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    yield _head() + b"".join(_event(content="so it is " * 110) for _ in range(size // 990 + 1))
    yield f"data: {json.dumps(last)}\n\ndata: [DONE]\n\n".encode()


_FAILED = b"HTTP/1.1 500 No\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"


class Provider:
    """Answers requests, and counts them."""

    def __init__(self) -> None:
        self.requests = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, and close."""
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            head = await reader.readuntil(b"\r\n\r\n")
            body = await _body(reader, int(found[1]) if (found := _LENGTH.search(head)) else 0)
            self.requests += 1
            await self._answer(_PROMPT.search(body), writer)
        writer.close()

    async def _answer(self, asked: re.Match[bytes] | None, writer: asyncio.StreamWriter) -> None:
        name, size = (asked[1].decode(), int(asked[2] or 0)) if asked else ("say", 100)
        if name == "fail":
            writer.write(_FAILED)
            await writer.drain()
            return
        sent = 0
        for block in _said(size) if name == "say" else FLOODS[name]():
            writer.write(block)
            await writer.drain()
            sent += len(block)
            if sent > FLOOD_BYTES or writer.is_closing():
                return


async def _body(reader: asyncio.StreamReader, length: int) -> bytes:
    """The first and the last of a body, with the prompt in it; the rest is not kept."""
    first = last = b""
    while length > 0:
        data = await reader.read(min(length, 1 << 18))
        if not data:
            break
        length -= len(data)
        first, last = first or data, (last + data)[-4096:]
    return first + last


async def main() -> None:
    _bomb()  # which takes longer than a request waits for its answer
    os.nice(NICE)
    provider = Provider()
    server = await asyncio.start_server(provider.serve, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps({"requests": provider.requests}), flush=True)
        provider.requests = 0


if __name__ == "__main__":
    uvloop.run(main())
