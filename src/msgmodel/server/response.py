"""A stream of bytes as an ASGI response that knows when nobody reads it any more.

Rule: whoever leaves (closes, cancels, vanishes) ends the iteration at once, also before the first event, and that is
what closes the connection to the provider. What is slow to read is slow to be asked for more.
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
from .safe_traceback import traceback_without_messages
from .transcript import Transcript

_log = logging.getLogger("msgmodel.server")

HEARTBEAT_SECONDS = 15.0
DEAD_SECONDS = 2.0

DIRECT = "msgmodel.send"
"""In the scope of a request: the `send` for the pieces of a body, past what only looks at how a response begins."""

MAX_DIGITS = 16
"""Of the number of an event."""

Piece = bytes | tuple[bytes, ...]
"""Of a body. A tuple is said as one, and never joined: its parts may be large, and other readers' too."""

T = TypeVar("T")
Events = AsyncIterable[BatchEvent] | Iterable[BatchEvent]


class StreamResponse(Response):
    """Sends pieces of bytes as they come. `opening`: is sent at once; `comment`: where nothing was for a while."""

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
        """Whether something is being sent: there is no room for a comment."""
        self._beating: asyncio.Task[None] | None = None
        self._receive: Receive | None = None
        """Of the request, while it is answered."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._send: Send = scope.get(DIRECT, send)
        if scope["method"] == "HEAD":
            await self._pieces.aclose()
            await self._begin(send)
            await send({"type": "http.response.body", "body": b""})
            return
        self._receive = receive
        pulse = heartbeat.pulse()
        self._left = asyncio.ensure_future(_left(receive))
        sending = asyncio.ensure_future(self._send_all(send))
        pulse.add(self, self._heartbeat_seconds, heartbeat.peer(receive, self._dead_seconds))
        try:
            await asyncio.wait((self._left, sending), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._receive = None
            pulse.remove(self)
            heartbeat.release(receive)
            self._left.cancel()
            if not sending.done():
                sending.cancel()
            with suppress(asyncio.CancelledError, OSError):  # the client went while we were writing
                await sending

    def beat(self) -> None:
        """Sends a comment."""
        if not self._saying:  # else it is not taken: no reason to add to it
            self._beating = asyncio.ensure_future(self._say(self._comment))

    def gone(self) -> None:
        """Nobody is there any more, or nobody who reads: what was not sent is dropped."""
        if self._receive is not None and not heartbeat.abort(self._receive):
            self._left.cancel()

    async def _begin(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})

    async def _send_all(self, send: Send) -> None:
        try:
            await self._begin(send)
            await self._say(self._opening)
            async for piece in self._pieces:
                if self._beating is not None:
                    await self._beaten(self._beating)
                await self._say(piece)
            if self._beating is not None:
                await self._beaten(self._beating)
            self._saying = True
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            await self._pieces.aclose()

    async def _beaten(self, beating: asyncio.Task[None]) -> None:
        await asyncio.wait((beating,))
        self._beating = None

    async def _say(self, piece: Piece) -> None:
        """Sends a piece, no more than a page before the reader has taken what came before it."""
        self._saying = True
        try:
            if isinstance(piece, bytes) and len(piece) <= PAGE_BYTES:
                await self._send({"type": "http.response.body", "body": piece, "more_body": True})
            else:
                for page in _pages(piece):
                    await self._send({"type": "http.response.body", "body": page, "more_body": True})
        except OSError:
            pass
        self._saying = False
        self.last_sent = monotonic()


def _pages(piece: Piece) -> Iterator[bytes]:
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
    """The events of one or many panels as server-sent events; return it from an endpoint of FastAPI or Starlette.

    @app.post("/chat")
    async def chat(prompt: str):
        return panel_response(astream_panels("openai", prompt))

    events: what `astream_panels`, `astream_many` or a generator of your own gives; a blocking one runs in a thread.
    Each panel gets exactly one terminal event, also where your generator raises or forgets it. When the client leaves,
    the iteration is closed within half a second, and with it the connection to the provider.
    heartbeat_seconds: a comment is sent after so long a silence, at most 15. dead_seconds: a client that vanished
    without closing its connection is left after so long (Linux, uvicorn).

    An `EventSource` that lost its connection asks again by itself, with `Last-Event-ID`. Nothing is kept here to go on
    from, so it is told `interrupted`, and no second reply is begun (and paid for); `msgmodel serve`, or `create_app`
    mounted in your application, goes on.
    """
    return PanelResponse(events, headers=headers, heartbeat_seconds=heartbeat_seconds, dead_seconds=dead_seconds)


class PanelResponse(StreamResponse):
    """What `panel_response` returns."""

    def __init__(self, events: Events, *, heartbeat_seconds: float, **settings: Any) -> None:
        self._events = events
        super().__init__(framed(events), heartbeat_seconds=min(heartbeat_seconds, HEARTBEAT_SECONDS), **settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        position = HTTPConnection(scope).headers.get("last-event-id", "")
        if position:
            await close(self._events)
            known = position.isascii() and position.isdigit() and len(position) <= MAX_DIGITS
            self._pieces = _interrupted(int(position) if known else 0)
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
    """The events for `useChat` of the Vercel AI SDK. For the arguments see `msgmodel.adapters.ai_sdk.Chunks`."""
    chunks = ai_sdk.Chunks(target=target, message_id=message_id, call_ids=call_ids, panels=panels)
    return StreamResponse(encoded(with_terminal_events(events, checked), chunks), headers=AI_SDK_HEADERS)


def ag_ui_response(
    events: Events, thread_id: str, run_id: str, *, call_ids: Iterable[str] = (), panels: int = 1
) -> Response:
    """The events for a client of AG-UI. For the arguments see `msgmodel.adapters.ag_ui.Chunks`."""
    chunks = ag_ui.Chunks(thread_id, run_id, call_ids=call_ids, panels=panels)
    return StreamResponse(encoded(with_terminal_events(events, checked), chunks))


def openai_response(events: Events, *, id: str, created: int, model: str, include_usage: bool = False) -> Response:
    """The events of one panel as a streamed chat completion. See `msgmodel.adapters.openai_chat.Chunks`."""
    chunks = openai_chat.Chunks(id=id, created=created, model=model, include_usage=include_usage)
    return StreamResponse(encoded(with_terminal_events(events, checked), chunks))


async def encoded(events: AsyncGenerator[BatchEvent, None], chunks: Adapter) -> AsyncGenerator[bytes, None]:
    """An adapter's words for the events, and its end, whatever became of them."""
    async with aclosing(events):
        yield encode_chunks(chunks.start())
        async for event in events:
            piece = encode_chunks(chunks.feed(event))
            del event  # which may be large, while the piece is waiting to be read
            if piece:
                yield piece
    yield encode_chunks(chunks.end()) + chunks.last_frame


async def framed(events: Events) -> AsyncGenerator[bytes, None]:
    """The frames of a stream, held to the grammar."""
    number = 0
    async for said in with_terminal_events(events, encode_json_line):
        number += 1
        yield framing.frame(number, said)


async def with_terminal_events(events: Events, show: Callable[[BatchEvent], T]) -> AsyncGenerator[T, None]:
    """What `show` makes of the events, and of whatever terminal event is missing at their end, for whatever reason."""
    panels = Transcript()
    iterator = _asynchronous(events)
    summary: BatchEvent | None = None
    words = "the stream ended before the reply did"
    try:
        while True:
            try:
                event = await anext(iterator)
                if event["event"] == "batch_final":
                    summary = event  # comes last, also after what is missing
                    continue
                if not panels.open(event):
                    continue
                shown = show(event)
                panels.add(event)
            except StopAsyncIteration:
                break
            except MsgModelError as error:  # its message is made to be shown
                words = error.message
                _log.warning("a stream of events failed: %s", type(error).__name__)
                break
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                break  # a task of the application's own was cancelled, not we
            except (Exception, GeneratorExit) as error:  # not its message, which may quote anything
                words = "the application failed in the middle of the reply"
                _log.warning("a stream of events failed: %s", traceback_without_messages(error))
                break
            yield shown
            await asyncio.sleep(0)  # a generator that never waits would let nobody else run
    finally:
        await close(iterator)
    for end in panels.missing("interrupted", words):
        yield show(end)
    if summary is not None:
        yield show(summary)


def checked(event: BatchEvent) -> BatchEvent:
    """The event, if it can be written. Raises TypeError or ValueError."""
    encode_json_line(event)
    return event


def _asynchronous(events: Events) -> AsyncIterator[BatchEvent]:
    if isinstance(events, AsyncIterable):
        return events.__aiter__()
    return iterate_in_thread(events)


async def close(events: object) -> None:
    """Closes an iterator of either colour, if it can be closed."""
    aclose: Callable[[], Any] | None = getattr(events, "aclose", None)
    if aclose is not None:
        with suppress(Exception):
            await aclose()
        return
    shut: Callable[[], Any] | None = getattr(events, "close", None)
    if shut is not None:
        with suppress(Exception):
            shut()


async def _interrupted(position: int) -> AsyncGenerator[bytes, None]:
    panels = Transcript()
    for end in panels.missing("interrupted", "the connection broke in the middle of the reply"):
        yield framing.frame(position + 1, encode_json_line(end))


async def _left(receive: Receive) -> None:
    """Returns when the client has left."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
