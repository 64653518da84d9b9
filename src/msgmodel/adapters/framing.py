"""Server-sent events that every client can parse, and the one loop that encodes a stream for any adapter.

Each event is LF-terminated, has one line of JSON, and holds no character at which some client breaks lines.

Rule: the last bytes are the adapter's end, whatever happens to the source of the events.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from typing import Any, Final, ParamSpec, Protocol, TypeAlias

from ..events import BatchEvent
from ..wires.sse import encode_json_line

P = ParamSpec("P")

Chunk: TypeAlias = dict[str, Any]
"""One object for the client: a plain dict, safe for `json.dumps`."""

DONE = b"data: [DONE]\n\n"

HEADERS: Final = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",  # nginx: else it keeps chunks back until its buffer is full
}
"""The response headers of an encoded stream."""


class Adapter(Protocol):
    """Turns events into chunks."""

    @property
    def last_frame(self) -> bytes:
        """The bytes after the last chunk."""
        ...

    def start(self) -> list[Chunk]: ...

    def feed(self, event: BatchEvent) -> list[Chunk]: ...

    def end(self) -> list[Chunk]: ...


def encode_chunk(chunk: object) -> bytes:
    """Return one server-sent event."""
    return b"data: " + encode_json_line(chunk) + b"\n\n"


def encode_chunks(chunks: list[Chunk]) -> bytes:
    """Return the server-sent events of several chunks."""
    return b"".join(map(encode_chunk, chunks))


def encode_events(adapter: Adapter, events: Iterable[BatchEvent]) -> Iterator[bytes]:
    """Yield the bytes of a response as events arrive.

    If `events` raises, the bytes end as an interrupted stream does, and then the exception is raised.
    """
    yield encode_chunks(adapter.start())
    try:
        for event in events:
            if piece := encode_chunks(adapter.feed(event)):
                yield piece
    except Exception:
        yield encode_chunks(adapter.end()) + adapter.last_frame
        raise
    finally:
        # A `for` loop does not close its generator when the reader leaves, and an open one keeps its connection.
        close = getattr(events, "close", None)
        if close is not None:
            close()
    yield encode_chunks(adapter.end()) + adapter.last_frame


async def async_encode_events(adapter: Adapter, events: AsyncIterable[BatchEvent]) -> AsyncIterator[bytes]:
    """Yield the same bytes under asyncio."""
    yield encode_chunks(adapter.start())
    try:
        async for event in events:
            if piece := encode_chunks(adapter.feed(event)):
                yield piece
    except Exception:
        yield encode_chunks(adapter.end()) + adapter.last_frame
        raise
    finally:
        close = getattr(events, "aclose", None)
        if close is not None:
            await close()
    yield encode_chunks(adapter.end()) + adapter.last_frame


class Encode(Protocol[P]):
    """`encode` of a protocol. A `Callable` would lose the name of the parameter `events`."""

    def __call__(self, events: Iterable[BatchEvent], *args: P.args, **kwargs: P.kwargs) -> Iterator[bytes]: ...


class AsyncEncode(Protocol[P]):
    """`async_encode` of a protocol."""

    def __call__(
        self, events: AsyncIterable[BatchEvent], *args: P.args, **kwargs: P.kwargs
    ) -> AsyncIterator[bytes]: ...


def make_encoders(make_adapter: Callable[P, Adapter]) -> tuple[Encode[P], AsyncEncode[P]]:
    """Return `encode` and `async_encode` of a protocol: they take the events, then the arguments of its adapter."""

    def encode(events: Iterable[BatchEvent], *args: P.args, **kwargs: P.kwargs) -> Iterator[bytes]:
        """Return the body of a streamed response. The arguments after `events` are those of `Chunks`."""
        return encode_events(make_adapter(*args, **kwargs), events)

    def async_encode(events: AsyncIterable[BatchEvent], *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[bytes]:
        """Return the same body for asyncio."""
        return async_encode_events(make_adapter(*args, **kwargs), events)

    return encode, async_encode
