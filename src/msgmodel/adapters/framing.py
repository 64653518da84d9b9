"""Server-sent events that every client takes: LF, one line of JSON, and no character at which some client breaks lines.

Rule: the last bytes are the adapter's end, whatever happens to the source of the events.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import Any, Protocol, TypeAlias

from ..events import BatchEvent
from ..wires.sse import encode_json_line

Chunk: TypeAlias = dict[str, Any]
"""What a client reads: a plain dict, safe for `json.dumps`."""

DONE = b"data: [DONE]\n\n"


class Adapter(Protocol):
    """Events to chunks."""

    @property
    def last_frame(self) -> bytes:
        """What follows the last chunk."""
        ...

    def start(self) -> list[Chunk]: ...

    def feed(self, event: BatchEvent) -> list[Chunk]: ...

    def end(self) -> list[Chunk]: ...


def data(obj: object) -> bytes:
    """One server-sent event."""
    return b"data: " + encode_json_line(obj) + b"\n\n"


def frames(chunks: list[Chunk]) -> bytes:
    return b"".join(map(data, chunks))


def encode(adapter: Adapter, events: Iterable[BatchEvent]) -> Iterator[bytes]:
    """The bytes of a response, as they come. Where `events` raises, they end as a stream that broke, then it raises."""
    yield frames(adapter.start())
    try:
        for event in events:
            if piece := frames(adapter.feed(event)):
                yield piece
    except Exception:
        yield frames(adapter.end()) + adapter.last_frame
        raise
    finally:
        close = getattr(events, "close", None)
        if close is not None:
            close()
    yield frames(adapter.end()) + adapter.last_frame


async def async_encode(adapter: Adapter, events: AsyncIterable[BatchEvent]) -> AsyncIterator[bytes]:
    """The same from asyncio."""
    yield frames(adapter.start())
    try:
        async for event in events:
            if piece := frames(adapter.feed(event)):
                yield piece
    except Exception:
        yield frames(adapter.end()) + adapter.last_frame
        raise
    finally:
        close = getattr(events, "aclose", None)
        if close is not None:
            await close()
    yield frames(adapter.end()) + adapter.last_frame
