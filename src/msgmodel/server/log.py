"""The events of streams, kept for a while, so that a reader that lost its connection can continue where it was.

Rules: a stream consists of lines of JSON, numbered from 1 without gaps. One producer writes it. Any number of readers
read it, each from any line on. It is dropped some time after its end. A log knows nothing about panels or HTTP.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from math import inf
from time import monotonic
from typing import NamedTuple, Protocol

MAX_LINES = 1 << 20
"""Lines of one stream."""

MAX_STREAM_BYTES = 16 * 1024 * 1024
"""Bytes of the lines of one stream, without its terminal events."""

TTL_SECONDS = 300.0
"""How long a stream is kept after its end."""

TOMBSTONE_SECONDS = 24 * 3600.0
"""How long a log knows, after a stream was dropped, that it existed and whose it was. The lines are gone."""

PAGE_BYTES = 64 * 1024
"""Bytes that a reader gets at a time, and so the cost of a reader that does not read. A single line may be larger."""

MAX_KNOWN = 100_000
"""Maximum number of remembered streams that were dropped, and of aliases."""


class StreamHeader(NamedTuple):
    """What is known about a stream from its start."""

    owner: str
    """The only one who may read it."""
    panel_ids: tuple[str, ...]
    question: str = ""
    """A digest of the request."""
    instance: str = ""
    """Distinguishes the streams that are kept under one id, one after the other."""


class StreamInfo(NamedTuple):
    """A stream that exists."""

    head: StreamHeader
    last: int
    """The number of its last line so far."""
    ended: bool


class Lines(NamedTuple):
    """Consecutive lines, at most a page."""

    first: int
    """The number of the first line."""
    lines: list[bytes]


def page_after(lines: list[bytes], after: int) -> list[bytes]:
    """Return the lines from index `after` on that fit in a page, but at least one."""
    end, size, count = after, 0, len(lines)
    while end < count and (size := size + len(lines[end])) <= PAGE_BYTES:
        end += 1
    return lines[after : max(end, after + 1)]


class StopCommand(NamedTuple):
    """A command for a producer: `stop` ends this panel, or all; `left` says that a reader has left."""

    kind: str
    panel_id: str | None = None


class StreamExpired(Exception):
    """The stream existed and was dropped. `owner` is whose it was."""

    def __init__(self, owner: str) -> None:
        super().__init__()
        self.owner = owner


class StoreLost(Exception):
    """A stream can no longer be written or read: its store lost it, or another producer took it over."""


class StoreFull(Exception):
    """The log has no room for more."""


class StreamFull(StoreFull):
    """The stream has reached the maximum size of one stream."""


class StreamWriter(Protocol):
    """Writes one stream."""

    commands: asyncio.Queue[StopCommand]
    late: float
    """Seconds that a write takes, a moving average."""

    async def append(self, line: bytes, *, owed: bool = False, at_once: bool = False) -> None:
        """Write the next line, perhaps a moment later, together with those that follow.

        Args:
            line: JSON without a line break.
            owed: Whether it is a terminal event, for which there is always room.
            at_once: Whether no line follows soon.

        Raises:
            StoreFull: There is no room.
            StoreLost: The stream can no longer be written.
        """

    async def end(self, lines: list[bytes]) -> None:
        """Write the last lines and the end in one step, so that a reader of them waits for nothing more.

        Args:
            lines: Terminal events and the summary, for which there is always room.

        Raises:
            StoreFull: There is no room even for them.
            StoreLost: The stream can no longer be written.
        """


class Log(Protocol):
    """Keeps streams: `MemoryLog` in this process, `msgmodel.server.redis_log.RedisLog` in Redis."""

    async def begin(self, id: str, head: StreamHeader) -> StreamWriter | None:
        """Begin a stream; return None if the id is taken. Raise StoreFull or StoreLost."""

    async def find(self, id: str) -> StreamInfo | None:
        """Return the stream of this id, None if there is none. Raise StreamExpired or StoreLost."""

    async def running(self, owner: str) -> list[tuple[str, StreamHeader]]:
        """Return the ids and the headers of an owner's streams that run, in any process. Raise StoreLost."""

    def read(self, id: str, after: int) -> AsyncGenerator[Lines, None]:
        """Yield the lines after number `after`, page by page as they arrive, until the stream ends. Raise StoreLost."""

    async def read_elsewhere(self, id: str) -> bool:
        """Return whether the stream has readers in another process."""

    async def tell(self, id: str, command: StopCommand) -> None:
        """Send a command to the producer of the stream, in any process. Raise StoreLost."""

    async def name(self, alias: str, id: str) -> None:
        """Give a stream an alias, and take it from another stream that has it. Raise StoreLost."""

    async def named(self, alias: str) -> str | None:
        """Return the id of the stream with this alias, None if there is none. Raise StoreLost."""

    async def ready(self) -> bool:
        """Return whether streams can be kept now."""

    async def close(self) -> None:
        """Release everything. Readers get StoreLost."""


@dataclass(eq=False)
class _KeptStream:
    head: StreamHeader
    lines: list[bytes] = field(default_factory=list)
    size: int = 0
    ended: bool = False
    expires: float = float("inf")
    forgotten: int | None = None
    """The number of its lines, once they were dropped."""
    readers: int = 0
    last_read: float = 0.0
    """When a reader last asked for a page."""
    waiting: set[asyncio.Future[None]] = field(default_factory=set)
    """The waits of readers that have read all lines so far."""
    commands: asyncio.Queue[StopCommand] = field(default_factory=asyncio.Queue)

    def wake_readers(self) -> None:
        """End the waits of readers."""
        for news in self.waiting:
            if not news.done():
                news.set_result(None)


class MemoryLog:
    """Keeps streams in this process.

    Args:
        ttl_seconds: How long a stream is kept after its end.
        max_bytes: Bytes of all lines. Above it, streams that have ended are dropped, oldest first.
        max_stream_bytes: Bytes of the lines of one stream, without its terminal events.
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
        self._streams: dict[str, _KeptStream] = {}
        self._ended: OrderedDict[str, _KeptStream] = OrderedDict()
        self._tombstones: OrderedDict[str, tuple[float, str]] = OrderedDict()
        self._names: OrderedDict[str, tuple[float, str]] = OrderedDict()

    async def begin(self, id: str, head: StreamHeader) -> _MemoryWriter | None:
        self.sweep_streams()
        if id in self._streams:
            return None
        if self.size >= self.max_bytes:
            raise StoreFull
        stream = self._streams[id] = _KeptStream(head)
        return _MemoryWriter(self, id, stream)

    async def find(self, id: str) -> StreamInfo | None:
        self.sweep_streams()
        stream = self._streams.get(id)
        if stream is None:
            if id in self._tombstones:
                raise StreamExpired(self._tombstones[id][1])
            return None
        return StreamInfo(stream.head, len(stream.lines), stream.ended)

    async def running(self, owner: str) -> list[tuple[str, StreamHeader]]:
        kept = self._streams.items()
        return [(id, stream.head) for id, stream in kept if stream.head.owner == owner and not stream.ended]

    async def read(self, id: str, after: int) -> AsyncGenerator[Lines, None]:
        stream = self._streams.get(id)
        if stream is None:
            raise StoreLost
        loop = asyncio.get_running_loop()
        stream.readers += 1
        try:
            while True:
                stream.last_read = monotonic()
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
        finally:
            stream.readers -= 1

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

    def keep_ended(self, id: str, stream: _KeptStream) -> None:
        stream.ended = True
        stream.expires = monotonic() + self.ttl_seconds
        self._ended[id] = stream
        stream.wake_readers()
        asyncio.get_running_loop().call_later(self.ttl_seconds + 0.1, self.sweep_streams)

    def sweep_streams(self) -> None:
        """Drop what is too old, and what there is no room for."""
        now = monotonic()
        while self._ended:
            id, stream = next(iter(self._ended.items()))
            if stream.expires > now:
                break
            self._drop(id, stream)
        for seconds in (inf, 0.0):
            self.drop_ended(self.size - self.max_bytes, reader_idle_seconds=seconds)
        for known in (self._tombstones, self._names):
            while known and (len(known) > MAX_KNOWN or next(iter(known.values()))[0] <= now):
                known.popitem(last=False)

    def drop_ended(self, size: int, *, reader_idle_seconds: float) -> None:
        """Drop streams that have ended, oldest first, until at least `size` bytes are free.

        Args:
            size: How many bytes to free; nothing is dropped for 0 or less.
            reader_idle_seconds: A stream that is being read is dropped only if its readers took nothing for so long.
        """
        until, now = self.size - size, monotonic()
        for id, stream in [*self._ended.items()] if size > 0 else ():
            if self.size <= until:
                break
            if not stream.readers or now - stream.last_read >= reader_idle_seconds:
                self._drop(id, stream)

    def _drop(self, id: str, stream: _KeptStream) -> None:
        del self._ended[id], self._streams[id]
        self.size -= stream.size
        stream.forgotten = len(stream.lines)
        stream.lines.clear()  # so that a reader that does not read keeps none of them
        self._tombstones[id] = monotonic() + TOMBSTONE_SECONDS, stream.head.owner


class _MemoryWriter:
    late = 0.0

    def __init__(self, log: MemoryLog, id: str, stream: _KeptStream) -> None:
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
            stream.wake_readers()
        if log.size > log.max_bytes:
            log.sweep_streams()

    async def end(self, lines: list[bytes]) -> None:
        for each in lines:
            await self.append(each, owed=True)
        self._log.keep_ended(self._id, self._stream)
