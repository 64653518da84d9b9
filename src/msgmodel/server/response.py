"""A stream of bytes as an ASGI response that notices when its client leaves.

Rule: when a client leaves (it closes, cancels or disappears), the iteration ends at once, even before the first event.
That closes the connection to the provider. A response asks for more only when its client has taken the previous data.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing, suppress
from time import monotonic
from typing import Any, TypeVar

from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..adapters import ag_ui, ai_sdk, openai_chat
from ..adapters.framing import Adapter, encode_chunks
from ..errors import MsgModelError
from ..events import BatchEvent
from ..wires.sse import encode_json_line
from . import framing, heartbeat
from .blocking_iterator import iterate_in_thread
from .log import PAGE_BYTES
from .public_events import event_for_client, message_for_client
from .safe_traceback import traceback_without_messages
from .transcript import Transcript

_log = logging.getLogger("msgmodel.server")

HEARTBEAT_SECONDS = 15.0
DEAD_SECONDS = 2.0

DIRECT_SEND = "msgmodel.send"
"""The key in a request's scope for a `send` that bypasses what only looks at the head of a response."""

MAX_POSITION_DIGITS = 16
"""Digits in the number of an event."""

Piece = bytes | tuple[bytes, ...]
"""A piece of a body. The parts of a tuple are never joined, because they may be large and shared with other readers."""

T = TypeVar("T")
Events = AsyncIterable[BatchEvent] | Iterable[BatchEvent]


class StreamResponse(Response):
    """Sends pieces of bytes as they arrive.

    Args:
        pieces: The pieces; the response closes them.
        status_code: The HTTP status.
        headers: More headers.
        media_type: The value of `content-type`.
        opening: The first bytes, sent at once.
        comment: The bytes of a heartbeat.
        heartbeat_seconds: A heartbeat is sent after so long a silence.
        dead_seconds: A client that acknowledges nothing for so long is dropped.
    """

    def __init__(
        self,
        pieces: AsyncGenerator[Piece, None],
        *,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str = framing.MEDIA_TYPE,
        opening: bytes = framing.OPENING,
        comment: bytes = framing.COMMENT,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        dead_seconds: float = DEAD_SECONDS,
    ) -> None:
        self.status_code = status_code
        self.media_type = media_type
        self.background = None
        self.init_headers({**framing.HEADERS, **(headers or {})})
        self.last_sent = 0.0
        self._pieces: AsyncGenerator[Piece, None] = pieces
        self._opening = opening
        self._comment = comment
        self._heartbeat_seconds = heartbeat_seconds
        self._dead_seconds = dead_seconds
        self._saying = True
        """Whether a piece is being sent, so that no heartbeat is needed."""
        self._beating: asyncio.Task[None] | None = None
        self._receive: Receive | None = None
        """The `receive` of the request, while the response runs."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._send: Send = scope.get(DIRECT_SEND, send)
        if scope["method"] == "HEAD":
            await self._pieces.aclose()
            await self._send_head(send)
            await send({"type": "http.response.body", "body": b""})
            return
        self._receive = receive
        pulse = heartbeat.loop_pulse()
        self._left = asyncio.ensure_future(_client_disconnected(receive))
        sending = asyncio.ensure_future(self._send_all(send))
        pulse.add_response(self, self._heartbeat_seconds, heartbeat.find_peer(receive, self._dead_seconds))
        try:
            await asyncio.wait((self._left, sending), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._receive = None
            pulse.remove_response(self)
            heartbeat.release_connection(receive)
            self._left.cancel()
            if not sending.done():
                sending.cancel()
            with suppress(asyncio.CancelledError, OSError):  # the client left while we were writing
                await sending

    def send_heartbeat(self) -> None:
        """Send a heartbeat."""
        if not self._saying:  # otherwise the client does not take it, and more would pile up
            self._beating = asyncio.ensure_future(self._send_piece(self._comment))

    def send_aside(self, frame: bytes) -> None:
        """Send a complete frame that is no piece of the stream, unless the client is still taking the last piece."""
        if self._receive is not None and not self._saying:
            self._saying = True  # the next heartbeat or frame would wait for this one
            self._beating = asyncio.ensure_future(self._send_piece(frame))

    def drop_client(self) -> None:
        """Drop a client that has disappeared or does not read, and what was not sent."""
        if self._receive is not None and not heartbeat.abort_connection(self._receive):
            self._left.cancel()

    async def _send_head(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})

    async def _send_all(self, send: Send) -> None:
        try:
            await self._send_head(send)
            await self._send_piece(self._opening)
            async for piece in self._pieces:
                if self._beating is not None:
                    await self._finish_heartbeat(self._beating)
                await self._send_piece(piece)
            if self._beating is not None:
                await self._finish_heartbeat(self._beating)
            self._saying = True
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            await self._pieces.aclose()

    async def _finish_heartbeat(self, beating: asyncio.Task[None]) -> None:
        await asyncio.wait((beating,))
        self._beating = None

    async def _send_piece(self, piece: Piece) -> None:
        """Send a piece, at most a page at a time before the client has taken the previous one."""
        self._saying = True
        try:
            if isinstance(piece, bytes) and len(piece) <= PAGE_BYTES:
                await self._send({"type": "http.response.body", "body": piece, "more_body": True})
            else:
                for page in _split_in_pages(piece):
                    await self._send({"type": "http.response.body", "body": page, "more_body": True})
        except OSError:
            pass
        self._saying = False
        self.last_sent = monotonic()


def _split_in_pages(piece: Piece) -> Iterator[bytes]:
    for part in (piece,) if isinstance(piece, bytes) else piece:
        for begin in range(0, len(part), PAGE_BYTES):
            yield part[begin : begin + PAGE_BYTES]


def panel_response(
    events: Events,
    *,
    headers: Mapping[str, str] | None = None,
    heartbeat_seconds: float = HEARTBEAT_SECONDS,
    dead_seconds: float = DEAD_SECONDS,
) -> Response:
    """Return the events of one or many panels as server-sent events, for an endpoint of FastAPI or Starlette.

    ```python
    @app.post("/chat")
    async def chat(prompt: str):
        return panel_response(astream_panels("openai", prompt))
    ```

    Each panel gets exactly one terminal event, even if your generator raises or stops early. When the client leaves,
    the iteration is closed within half a second, and with it the connection to the provider. The browser sees no
    internal host in an event or in an error; the logger `msgmodel.server` gets the complete text.

    An `EventSource` that lost its connection sends the request again, with `Last-Event-ID`. This response keeps
    nothing, so the `EventSource` gets `interrupted`, and no second reply is started and paid for. `msgmodel serve`, or
    `create_app` mounted in your application, continues the stream.

    Args:
        events: From `astream_panels`, `astream_many` or your own generator. A blocking iterator runs in a thread.
        headers: More headers.
        heartbeat_seconds: A comment is sent after so long a silence; at most 15.
        dead_seconds: A client that disappears without closing its connection is dropped after so long (on Linux, with
            uvicorn).
    """
    return PanelResponse(events, headers=headers, heartbeat_seconds=heartbeat_seconds, dead_seconds=dead_seconds)


class PanelResponse(StreamResponse):
    """The response of `panel_response`."""

    def __init__(self, events: Events, *, heartbeat_seconds: float, **settings: Any) -> None:
        self._events = events
        super().__init__(frame_events(events), heartbeat_seconds=min(heartbeat_seconds, HEARTBEAT_SECONDS), **settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        position = HTTPConnection(scope).headers.get("last-event-id", "")
        if position:
            await close_iterator(self._events)
            known = position.isascii() and position.isdigit() and len(position) <= MAX_POSITION_DIGITS
            self._pieces = _interrupted_frames(int(position) if known else 0)
        await super().__call__(scope, receive, send)


AI_SDK_HEADERS = {"x-vercel-ai-ui-message-stream": "v1"}


def ai_sdk_response(
    events: Events,
    *,
    target: ai_sdk.Target = "v7",
    message_id: str | None = None,
    call_ids: Iterable[str] = (),
    panels: int = 1,
) -> Response:
    """Return the events for `useChat` of the Vercel AI SDK.

    Args:
        events: As for `panel_response`.
        target: The major version of the SDK.
        message_id: The id of the message.
        call_ids: Ids of the tool calls in the request.
        panels: How many panels there are. See `msgmodel.adapters.ai_sdk.Chunks`.
    """
    chunks = ai_sdk.Chunks(target=target, message_id=message_id, call_ids=call_ids, panels=panels)
    return StreamResponse(
        encode_for_adapter(with_terminal_events(events, checked_event), chunks), headers=AI_SDK_HEADERS
    )


def ag_ui_response(
    events: Events, thread_id: str, run_id: str, *, call_ids: Iterable[str] = (), panels: int = 1
) -> Response:
    """Return the events for a client of AG-UI.

    Args:
        events: As for `panel_response`.
        thread_id: The id of the thread, from the request.
        run_id: The id of the run, from the request.
        call_ids: Ids of the tool calls in the request.
        panels: How many panels there are. See `msgmodel.adapters.ag_ui.Chunks`.
    """
    chunks = ag_ui.Chunks(thread_id, run_id, call_ids=call_ids, panels=panels)
    return StreamResponse(encode_for_adapter(with_terminal_events(events, checked_event), chunks))


def openai_response(events: Events, *, id: str, created: int, model: str, include_usage: bool = False) -> Response:
    """Return the events of one panel as a streamed chat completion.

    Args:
        events: As for `panel_response`.
        id: The id of the completion.
        created: The time of its creation, in seconds since 1970.
        model: The model that the completion names.
        include_usage: Whether the last chunk has the usage. See `msgmodel.adapters.openai_chat.Chunks`.
    """
    chunks = openai_chat.Chunks(id=id, created=created, model=model, include_usage=include_usage)
    return StreamResponse(encode_for_adapter(with_terminal_events(events, checked_event), chunks))


async def encode_for_adapter(events: AsyncGenerator[BatchEvent, None], chunks: Adapter) -> AsyncGenerator[bytes, None]:
    """Yield the events in an adapter's protocol, and its end, however the events ended."""
    async with aclosing(events):
        yield encode_chunks(chunks.start())
        async for event in events:
            piece = encode_chunks(chunks.feed(event))
            del event  # it may be large, and the piece may wait for its reader
            if piece:
                yield piece
    yield encode_chunks(chunks.end()) + chunks.last_frame


async def frame_events(events: Events) -> AsyncGenerator[bytes, None]:
    """Yield the frames of a stream that follows the grammar of events."""
    number = 0
    async for said in with_terminal_events(events, encode_json_line):
        number += 1
        yield framing.sse_frame(number, said)


async def with_terminal_events(events: Events, show: Callable[[BatchEvent], T]) -> AsyncGenerator[T, None]:
    """Yield what `show` makes of the events, and of the terminal events that are missing at their end.

    Args:
        events: The events of an application. Anything may go wrong with them.
        show: Converts one event. If it raises, the stream ends.
    """
    panels = Transcript()
    iterator = _async_events(events)
    summary: BatchEvent | None = None
    words = "the stream ended before the reply did"
    try:
        while True:
            try:
                event = await anext(iterator)
                if event["event"] == "batch_final":
                    summary = event  # comes last, after the missing terminal events
                    continue
                if not panels.is_open(event):
                    continue
                event = event_for_client(event)
                shown = show(event)
                panels.add_event(event)
            except StopAsyncIteration:
                break
            except MsgModelError as error:  # its message may be shown, without internal names
                words = message_for_client(error)
                _log.warning("a stream of events failed: %s", type(error).__name__)
                break
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                break  # the application cancelled a task of its own, not this one
            except (Exception, GeneratorExit) as error:  # without its message, which may quote anything
                words = "the application failed in the middle of the reply"
                _log.warning("a stream of events failed: %s", traceback_without_messages(error))
                break
            yield shown
            await asyncio.sleep(0)  # otherwise a generator that never waits would block the event loop
    finally:
        await close_iterator(iterator)
    for end in panels.missing_ends("interrupted", words):
        yield show(end)
    if summary is not None:
        yield show(summary)


def checked_event(event: BatchEvent) -> BatchEvent:
    """Return the event if it can be encoded. Raise TypeError or ValueError otherwise."""
    encode_json_line(event)
    return event


def _async_events(events: Events) -> AsyncIterator[BatchEvent]:
    if isinstance(events, AsyncIterable):
        return events.__aiter__()
    return iterate_in_thread(events)


async def close_iterator(events: object) -> None:
    """Close a blocking or async iterator, if it can be closed."""
    aclose: Callable[[], Any] | None = getattr(events, "aclose", None)
    if aclose is not None:
        with suppress(Exception):
            await aclose()
        return
    shut: Callable[[], Any] | None = getattr(events, "close", None)
    if shut is not None:
        with suppress(Exception):
            shut()


async def _interrupted_frames(position: int) -> AsyncGenerator[bytes, None]:
    panels = Transcript()
    for end in panels.missing_ends("interrupted", "the connection broke in the middle of the reply"):
        yield framing.sse_frame(position + 1, encode_json_line(end))


async def _client_disconnected(receive: Receive) -> None:
    """Return when the client has left."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
