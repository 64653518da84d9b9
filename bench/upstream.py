"""A provider that sends its number and the time in every piece of text.

Speaks the wire of OpenAI's chat completions to any number of readers, at one speed, on one thread. Prints its port.
Pieces go out on a clock of a few milliseconds, the readers spread over it, so that not all speak at once.

    python bench/upstream.py RATE SECONDS
"""

from __future__ import annotations

import asyncio
import socket
import sys
from time import monotonic
from typing import Any

import uvloop

TICKS_A_SECOND = 200
ACCEPTS = 8
"""New connections a turn of the event loop; libuv takes one for each listening socket."""

_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_CHUNK = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1795000000,"model":"gpt-6-luna",'
    b'"service_tier":"default","system_fingerprint":null,"choices":[{"index":0,"delta":{%b},"logprobs":null,'
    b'"finish_reason":%b}],"usage":null,"obfuscation":"k3Yw9QzT"}\n\n'
)
_END = (
    _CHUNK
    % (b"", b'"stop"')
    + b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1795000000,"model":"gpt-6-luna",'
    b'"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":34,"total_tokens":46}}\n\ndata: [DONE]\n\n'
)
_PIECE = _CHUNK.replace(b"%b", b'"content":"%d@%.6f "', 1).replace(b"%b", b"null")


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class _Reader(asyncio.Protocol):
    """One connection. A request is complete when its body is: it ends with a brace."""

    def __init__(self, clock: _Clock) -> None:
        self._clock = clock
        self._heard = b""
        self._said = 0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._heard += data
        head, blank, body = self._heard.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if blank and len(body) >= int(length):
            self._heard, self._said = b"", 0
            self._transport.write(_HEAD + _framed(_CHUNK % (b'"role":"assistant","content":""', b"null")))
            self._clock.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._clock.remove(self)

    def speak(self) -> None:
        if self._said < self._clock.pieces:
            self._transport.write(_framed(_PIECE % (self._said, monotonic())))
            self._said += 1
        else:
            self._clock.remove(self)
            self._transport.write(_framed(_END) + b"0\r\n\r\n")


class _Clock:
    """At each tick, send to some of the readers."""

    def __init__(self, rate: float, seconds: float) -> None:
        self.pieces = round(rate * seconds)
        self._turns: list[set[_Reader]] = [set() for _ in range(max(1, round(TICKS_A_SECOND / rate)))]
        self._tick = 1.0 / rate / len(self._turns)

    def add(self, reader: _Reader) -> None:
        min(self._turns, key=len).add(reader)

    def remove(self, reader: _Reader) -> None:
        for turn in self._turns:
            turn.discard(reader)

    async def run(self) -> None:
        due, number = monotonic(), 0
        while True:
            due += self._tick
            await asyncio.sleep(max(0.0, due - monotonic()))
            for reader in tuple(self._turns[number]):
                reader.speak()
            number = (number + 1) % len(self._turns)


async def main(rate: float, seconds: float) -> None:
    clock = _Clock(rate, seconds)
    listening = socket.create_server(("127.0.0.1", 0), backlog=4096)
    for _ in range(ACCEPTS):
        await asyncio.get_running_loop().create_server(lambda: _Reader(clock), sock=listening.dup())
    print(listening.getsockname()[1], flush=True)
    await clock.run()


if __name__ == "__main__":
    uvloop.run(main(float(sys.argv[1]), float(sys.argv[2])))
