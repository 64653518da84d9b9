"""Readers of a relay, in one process, each with a connection of its own. Takes orders and answers as lines of JSON.

An order is `{"port", "path", "body", "streams", "ramp", "warm", "window"}`. The readers ask, one after the other over
`ramp` seconds; `warm` seconds later the window begins, and `{"begun": ...}` is printed; at its end what was read in it,
and the readers leave. Each reader checks that no piece is missing, twice, or out of order.

The pieces are those of bench/upstream.py: their number, and when they were said. They are found in the events of
`msgmodel serve` and in the chunks of OpenAI's API alike.
"""

from __future__ import annotations

import asyncio
import json
import sys
from array import array
from time import monotonic
from typing import Any

import httptools
import msgspec
import uvloop

LEAVING_SECONDS = 1.0
"""Over which the readers leave: a server can close only so many connections at once."""


class _Said(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Said


class _Event(msgspec.Struct):
    event: str = ""
    delta: str = ""
    choices: list[_Choice] = []
    error: Any = None


_decode = msgspec.json.Decoder(_Event).decode


class _Run:
    """What the readers of one order have received in its window."""

    def __init__(self) -> None:
        self.open = False
        self.delays = array("d")
        self.bad: dict[str, int] = {}

    def fail(self, why: str) -> None:
        self.bad[why] = self.bad.get(why, 0) + 1


class _Reader(asyncio.Protocol):
    """One stream. The HTTP parser calls the methods `on_...`."""

    def __init__(self, run: _Run, request: bytes) -> None:
        self._run, self._request = run, request
        self._http = httptools.HttpResponseParser(self)
        self._text = b""
        self._next = 0
        self._failed = False
        self.left = False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._now = monotonic()
        self._http.feed_data(data)

    def on_headers_complete(self) -> None:
        if (status := self._http.get_status_code()) != 200:
            self._fail(f"HTTP {status}")

    def on_body(self, data: bytes) -> None:
        *frames, self._text = (self._text + data).split(b"\n\n")
        for frame in frames:
            start = frame.find(b"data: ")
            if start >= 0 and not self._failed:
                self._frame(frame[start + 6 :])

    def connection_lost(self, error: Exception | None) -> None:
        if not self.left:
            self._fail("the connection was closed")

    def _frame(self, data: bytes) -> None:
        event = _decode(data)
        if event.error is not None:
            self._fail(f"error: {event.error}"[:200])
        text = event.delta or "".join(choice.delta.content or "" for choice in event.choices)
        for piece in text.split():  # more than one where a server joins deltas
            number, _, at = piece.partition("@")
            if int(number) != self._next:
                self._fail(f"piece {number} in the place of {self._next}")
                return
            self._next += 1
            if self._run.open:
                self._run.delays.append(self._now - float(at))

    def _fail(self, why: str) -> None:
        if not self._failed:
            self._failed = True
            self._run.fail(why)


def _say(**what: Any) -> None:
    print(json.dumps(what), flush=True)


async def _read(order: dict[str, Any]) -> None:
    loop, run = asyncio.get_running_loop(), _Run()
    body, streams = order["body"].encode(), order["streams"]
    request = (
        b"POST %b HTTP/1.1\r\nhost: 127.0.0.1:%d\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
        % (order["path"].encode(), order["port"], len(body), body)
    )
    readers, begin = [], monotonic()
    for number in range(streams):
        await asyncio.sleep(max(0.0, begin + order["ramp"] * number / streams - monotonic()))
        _, reader = await loop.create_connection(lambda: _Reader(run, request), "127.0.0.1", order["port"])
        readers.append(reader)
    await asyncio.sleep(order["warm"])
    run.open = True
    _say(begun=monotonic() - begin)
    opened = monotonic()
    await asyncio.sleep(order["window"])
    run.open = False
    seconds = monotonic() - opened
    delays = sorted(run.delays)
    shares = {name: delays[int(share * (len(delays) - 1))] if delays else None for name, share in SHARES.items()}
    _say(seconds=seconds, pieces=len(delays), bad=run.bad, **shares)
    for reader in readers:
        reader.left = True
        reader.transport.close()
        await asyncio.sleep(LEAVING_SECONDS / streams)


SHARES = {"p50": 0.5, "p99": 0.99}


async def main() -> None:
    while order := await asyncio.to_thread(sys.stdin.readline):
        await _read(json.loads(order))
        _say(left=True)


if __name__ == "__main__":
    uvloop.run(main())
