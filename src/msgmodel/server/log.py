"""What was said, kept for a while, so that a reader who lost its connection goes on where it was.

Rules: a stream is lines of JSON numbered from 1, without gaps; one producer writes it, any number of readers read it,
each from where it likes; it is gone some time after its end. A log knows nothing of panels or HTTP.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from time import monotonic
from typing import NamedTuple, Protocol

MAX_LINES = 1 << 20
"""Of one stream: so the numbers of different streams can't meet where one numbering holds several."""

MAX_STREAM_BYTES = 16 * 1024 * 1024
TTL_SECONDS = 300.0
TOMBSTONE_SECONDS = 24 * 3600.0
"""How long it is known, after that, that there was such a stream, and whose it was; nothing of what it said."""


PAGE_BYTES = 64 * 1024
"""What a reader is given at a time, and what one that does not read can cost: more only if a single line is larger."""

MAX_KNOWN = 100_000
"""Of streams that are gone, and of second names."""


class StreamHeader(NamedTuple):
    """What is known of a stream from the start. `owner`: who may read it. `question`: a digest of what was asked.
    `instance`: which it is of the streams that are kept under this id, one after the other."""

    owner: str
    panel_ids: tuple[str, ...]
    question: str = ""
    instance: str = ""


class StreamInfo(NamedTuple):
    """A stream that there is. `last`: the number of its last line so far."""

    head: StreamHeader
    last: int
    ended: bool


class Lines(NamedTuple):
    """Some lines in a row, a page at most; `first`: the number of the first."""

    first: int
    lines: list[bytes]


def page_after(lines: list[bytes], after: int) -> list[bytes]:
    """Return the lines from that index on that make up a page: one at least."""
    end, size, count = after, 0, len(lines)
    while end < count and (size := size + len(lines[end])) <= PAGE_BYTES:
        end += 1
    return lines[after : max(end, after + 1)]


class StopCommand(NamedTuple):
    """What a producer is told. `stop`: end this panel, or all; `left`: a reader has left."""

    kind: str
    panel_id: str | None = None


class StreamExpired(Exception):
    """There was such a stream, of this owner."""

    def __init__(self, owner: str) -> None:
        super().__init__()
        self.owner = owner


class StoreLost(Exception):
    """The log can't be written, or read, any more: its store lost it, or another producer took it over."""


class StoreFull(Exception):
    """The stream, or the log, has no room for more."""


class StreamFull(StoreFull):
    """The stream has as much as is kept of one."""


class StreamWriter(Protocol):
    """Writes one stream. Raises Lost or Full."""

    commands: asyncio.Queue[StopCommand]
    late: float
    """How many seconds it takes to write, on an average of the last times."""

    async def append(self, line: bytes, *, owed: bool = False, at_once: bool = False) -> None:
        """The next line. It may be held back for a moment, to be written with those that follow.

        owed: it is a terminal event, for which there is always room. at_once: none follows soon.
        """

    async def end(self, lines: list[bytes]) -> None:
        """The last lines, which are owed. They and the end are one write: who reads them waits for nothing more."""


class Log(Protocol):
    """Keeps streams."""

    async def begin(self, id: str, head: StreamHeader) -> StreamWriter | None:
        """A new stream; None where there is one of that id."""

    async def find(self, id: str) -> StreamInfo | None:
        """A stream by its id. Raises Expired."""

    def read(self, id: str, after: int) -> AsyncGenerator[Lines, None]:
        """The lines after that number, page by page as they come, until the stream's end. Raises Lost."""

    async def read_elsewhere(self, id: str) -> bool:
        """Whether somebody reads the stream in another process."""

    async def tell(self, id: str, command: StopCommand) -> None:
        """Tells the stream's producer, wherever it is."""

    async def name(self, alias: str, id: str) -> None:
        """Gives a stream a second name, which may be another's before."""

    async def named(self, alias: str) -> str | None:
        """The id of a stream by its second name."""

    async def ready(self) -> bool:
        """Whether streams can be kept now."""

    async def close(self) -> None:
        """Lets go of everything."""


@dataclass(eq=False)
class _Stream:
    head: StreamHeader
    lines: list[bytes] = field(default_factory=list)
    size: int = 0
    ended: bool = False
    expires: float = float("inf")
    forgotten: int | None = None
    """How many lines it had, once they are gone."""
    waiting: set[asyncio.Future[None]] = field(default_factory=set)
    """Readers who have read all there is."""
    commands: asyncio.Queue[StopCommand] = field(default_factory=asyncio.Queue)

    def wake(self) -> None:
        """There is news for those who wait."""
        for news in self.waiting:
            if not news.done():
                news.set_result(None)


class MemoryLog:
    """Keeps streams in this process. Where there are more than `max_bytes`, the oldest that ended go first.

    ttl_seconds: from a stream's end. max_stream_bytes: a reply may be no larger.
    """

    def __init__(
        self,
        *,
        ttl_seconds: float = TTL_SECONDS,
        max_bytes: int = 256 * 1024 * 1024,
        max_stream_bytes: int = MAX_STREAM_BYTES,
    ) -> None:
        self.ttl_seconds = ttl_seconds
        self.max_bytes = max_bytes
        self.max_stream_bytes = max_stream_bytes
        self.size = 0
        self._streams: dict[str, _Stream] = {}
        self._ended: OrderedDict[str, _Stream] = OrderedDict()
        self._tombstones: OrderedDict[str, tuple[float, str]] = OrderedDict()
        self._names: OrderedDict[str, tuple[float, str]] = OrderedDict()

    async def begin(self, id: str, head: StreamHeader) -> _MemoryWriter | None:
        self.sweep()
        if id in self._streams:
            return None
        if self.size >= self.max_bytes:
            raise StoreFull
        stream = self._streams[id] = _Stream(head)
        return _MemoryWriter(self, id, stream)

    async def find(self, id: str) -> StreamInfo | None:
        self.sweep()
        stream = self._streams.get(id)
        if stream is None:
            if id in self._tombstones:
                raise StreamExpired(self._tombstones[id][1])
            return None
        return StreamInfo(stream.head, len(stream.lines), stream.ended)

    async def read(self, id: str, after: int) -> AsyncGenerator[Lines, None]:
        stream = self._streams.get(id)
        if stream is None:
            raise StoreLost
        loop = asyncio.get_running_loop()
        while True:
            if stream.forgotten is not None and after < stream.forgotten:
                raise StoreLost
            count = len(stream.lines)
            if after < count:
                page = stream.lines[after:] if after + 1 == count else page_after(stream.lines, after)
                yield Lines(after + 1, page)
                after += len(page)
            elif stream.ended:
                return
            else:
                news = loop.create_future()
                stream.waiting.add(news)
                try:
                    await news
                finally:
                    stream.waiting.discard(news)

    async def read_elsewhere(self, id: str) -> bool:
        return False

    async def tell(self, id: str, command: StopCommand) -> None:
        stream = self._streams.get(id)
        if stream is not None:
            stream.commands.put_nowait(command)

    async def name(self, alias: str, id: str) -> None:
        self._names[alias] = monotonic() + TOMBSTONE_SECONDS, id
        self._names.move_to_end(alias)

    async def named(self, alias: str) -> str | None:
        return self._names.get(alias, (0.0, None))[1]

    async def ready(self) -> bool:
        return True

    async def close(self) -> None:
        self._streams.clear()
        self._ended.clear()
        self._names.clear()

    def ended(self, id: str, stream: _Stream) -> None:
        stream.ended = True
        stream.expires = monotonic() + self.ttl_seconds
        self._ended[id] = stream
        stream.wake()
        asyncio.get_running_loop().call_later(self.ttl_seconds + 0.1, self.sweep)

    def sweep(self) -> None:
        """Forgets what is too old, and what there is no room for."""
        now = monotonic()
        while self._ended:
            id, stream = next(iter(self._ended.items()))
            if stream.expires > now and self.size <= self.max_bytes:
                break
            del self._ended[id], self._streams[id]
            self.size -= stream.size
            stream.forgotten = len(stream.lines)
            stream.lines.clear()  # a reader that does not read keeps none of it
            self._tombstones[id] = now + TOMBSTONE_SECONDS, stream.head.owner
        for known in (self._tombstones, self._names):
            while known and (len(known) > MAX_KNOWN or next(iter(known.values()))[0] <= now):
                known.popitem(last=False)


class _MemoryWriter:
    late = 0.0

    def __init__(self, log: MemoryLog, id: str, stream: _Stream) -> None:
        self.commands = stream.commands
        self._log, self._id, self._stream = log, id, stream

    async def append(self, line: bytes, *, owed: bool = False, at_once: bool = False) -> None:
        log, stream, size = self._log, self._stream, len(line)
        if not owed and (stream.size + size > log.max_stream_bytes or len(stream.lines) + 64 >= MAX_LINES):
            raise StreamFull
        stream.lines.append(line)
        stream.size += size
        log.size += size
        if stream.waiting:
            stream.wake()
        if log.size > log.max_bytes:
            log.sweep()

    async def end(self, lines: list[bytes]) -> None:
        for each in lines:
            await self.append(each, owed=True)
        self._log.ended(self._id, self._stream)
