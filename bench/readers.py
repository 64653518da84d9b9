"""Many readers of `msgmodel serve` in one process. Prints what they saw as one line of JSON.

Each checks that the pieces come in order, none twice, none missing, and that they make up the content of the terminal
event; the delay of a piece is from when `upstream.py` wrote it to when it was read here.

    python bench/readers.py HOST PORT STREAMS PIECES RAMP_SECONDS DEADLINE_SECONDS
"""

from __future__ import annotations

import asyncio
import json
import sys
from array import array
from time import monotonic
from typing import Any

import msgspec
import uvloop

_BODY = b'{"prompt":"go","panels":[{"provider":"openai"}]}'


class _Event(msgspec.Struct):
    event: str
    delta: str = ""
    content: str = ""
    error: str = ""


_decode = msgspec.json.Decoder(_Event).decode


class _Reader(asyncio.Protocol):
    def __init__(self, host: str, port: int, pieces: int, heads: array[float], delays: array[float]) -> None:
        self.done = asyncio.get_running_loop().create_future()
        self.why = "did not end"
        self._request = (
            b"POST /v1/panels HTTP/1.1\r\nhost: %b:%d\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
            % (host.encode(), port, len(_BODY), _BODY)
        )
        self._pieces, self._heads, self._delays = pieces, heads, delays
        self._raw = self._text = b""
        self._left = -1  # of the chunk that is read; -1 before the headers
        self._next = 0
        self.events = 0
        self._said: list[str] = []

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write(self._request)
        self._asked = monotonic()

    def data_received(self, data: bytes) -> None:
        now = monotonic()
        self._raw += data
        if self._left < 0:
            head, blank, rest = self._raw.partition(b"\r\n\r\n")
            if not blank:
                return
            if not head.startswith(b"HTTP/1.1 200"):
                self._end(head.partition(b"\r\n")[0].decode())
                return
            self._raw, self._left = rest, 0
            self._heads.append(now - self._asked)
        self._text += self._chunks()
        *frames, self._text = self._text.split(b"\n\n")
        for frame in frames:
            if frame[:1] != b":" and not self.done.done():
                self._frame(frame, now)

    def connection_lost(self, error: Exception | None) -> None:
        self._end("the connection was closed")

    def _chunks(self) -> bytes:
        """What the chunked body says; `_left` counts the two bytes after a chunk too."""
        found = []
        while self._raw:
            if self._left:
                left, taken = self._left, self._raw[: self._left]
                self._raw, self._left = self._raw[len(taken) :], left - len(taken)
                found.append(taken[: max(0, left - 2)])
            else:
                size, end, rest = self._raw.partition(b"\r\n")
                if not end:
                    break
                self._raw, self._left = rest, int(size, 16) + 2
        return b"".join(found)

    def _frame(self, frame: bytes, now: float) -> None:
        id, _, data = frame.partition(b"\n")
        self.events += 1
        event = _decode(data[6:])
        if id != b"id: %d" % self.events:
            self._end(f"{id.decode()} in the place of {self.events}")
        elif event.event == "panel_delta":
            self._said.append(event.delta)
            for piece in event.delta.split():  # more than one where a server joins deltas
                number, _, at = piece.partition("@")
                if int(number) != self._next:
                    self._end(f"piece {number} in the place of {self._next}")
                    return
                self._next += 1
                self._delays.append(now - float(at))
        elif event.event != "panel_final":
            self._end(event.error or event.event)
        elif event.content != "".join(self._said):
            self._end("the content is not what was said")
        elif self._next != self._pieces:
            self._end(f"{self._next} pieces of {self._pieces}")
        else:
            self._end("")

    def _end(self, why: str) -> None:
        if not self.done.done():
            self.why = why
            self.done.set_result(None)
            self._transport.close()


async def main(host: str, port: int, streams: int, pieces: int, ramp: float, deadline: float) -> None:
    loop = asyncio.get_running_loop()
    heads, delays = array("d"), array("d")
    readers = []
    begin = monotonic()
    for number in range(streams):
        await asyncio.sleep(max(0.0, begin + ramp * number / streams - monotonic()))
        _, reader = await loop.create_connection(lambda: _Reader(host, port, pieces, heads, delays), host, port)
        readers.append(reader)
    print(json.dumps({"started": monotonic() - begin}), flush=True)
    await asyncio.wait([reader.done for reader in readers], timeout=deadline)
    bad = [reader.why for reader in readers if reader.why]
    seconds = monotonic() - begin
    seen = {"heads": [round(each, 5) for each in heads], "delays": [round(each, 5) for each in delays]}
    events = sum(reader.events for reader in readers)
    print(json.dumps({"bad": bad, "seconds": seconds, "events": events, **seen}), flush=True)
    sys.stdin.readline()  # until what we have used was read


if __name__ == "__main__":
    _host, _port, _streams, _pieces, _ramp, _deadline = sys.argv[1:]
    uvloop.run(main(_host, int(_port), int(_streams), int(_pieces), float(_ramp), float(_deadline)))
