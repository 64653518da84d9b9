"""A stream of bytes as an ASGI response that knows when nobody reads it any more.

Rule: whoever leaves (closes, cancels, vanishes) ends the iteration at once, also before the first event, and that is
what closes the connection to the provider. What is slow to read is slow to be asked for more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from contextlib import suppress
from time import monotonic
from typing import Any

from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from .._sse import line
from ..errors import MsgModelError
from ..events import BatchEvent
from . import framing, liveness
from .panels import Panels
from .threads import off_the_loop

_log = logging.getLogger("msgmodel.server")

HEARTBEAT_SECONDS = 15.0
DEAD_SECONDS = 2.0

Events = AsyncIterable[BatchEvent] | Iterable[BatchEvent]


class StreamResponse(Response):
    """Sends pieces of bytes as they come. `opening`: is sent at once; `comment`: where nothing was for a while."""

    def __init__(
        self,
        pieces: AsyncGenerator[bytes, None],
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
        self._pieces = pieces
        self._opening = opening
        self._comment = comment
        self._heartbeat_seconds = heartbeat_seconds
        self._dead_seconds = dead_seconds
        self._sending = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._send = send
        pulse = liveness.pulse()
        self._left = asyncio.ensure_future(_left(receive))
        sending = asyncio.ensure_future(self._send_all())
        pulse.add(self, self._heartbeat_seconds, liveness.peer(receive, self._dead_seconds))
        try:
            await asyncio.wait((self._left, sending), return_when=asyncio.FIRST_COMPLETED)
        finally:
            pulse.remove(self)
            liveness.release(receive)
            self._left.cancel()
            if not sending.done():
                sending.cancel()
            with suppress(asyncio.CancelledError, OSError):  # the client went while we were writing
                await sending

    def beat(self) -> None:
        """Sends a comment."""
        if not self._sending.locked():  # else something is being sent, and not taken: no reason to add to it
            self._beating = asyncio.ensure_future(self._say(self._comment))

    def gone(self) -> None:
        """Nobody is there any more."""
        self._left.cancel()

    async def _send_all(self) -> None:
        try:
            await self._send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await self._say(self._opening)
            async for piece in self._pieces:
                await self._say(piece)
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            await self._pieces.aclose()

    async def _say(self, piece: bytes) -> None:
        async with self._sending:
            with suppress(OSError):
                await self._send({"type": "http.response.body", "body": piece, "more_body": True})
            self.last_sent = monotonic()


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
            self._pieces = _interrupted(int(position) if position.isascii() and position.isdigit() else 0)
        await super().__call__(scope, receive, send)


async def framed(events: Events, first: int = 1) -> AsyncGenerator[bytes, None]:
    """The frames of a stream, held to the grammar; `first`: the number of the first one."""
    number = first
    async for event in kept(events):
        yield framing.frame(number, line(event))
        number += 1


async def kept(events: Events) -> AsyncGenerator[BatchEvent, None]:
    """The events, and whatever terminal event is missing at their end, for whatever reason."""
    panels = Panels()
    iterator = _asynchronous(events)
    summary: BatchEvent | None = None
    code, words = "interrupted", "the stream ended before the reply did"
    try:
        async for event in iterator:
            if event["event"] == "batch_final":
                summary = event  # comes last, also after what is missing
            elif panels.add(event):
                yield event
    except MsgModelError as error:  # its message is made to be shown
        words = error.message
        _log.warning("a stream of events failed: %s", type(error).__name__)
    except Exception as error:  # not its message, which may quote anything
        words = "the application failed in the middle of the reply"
        _log.warning("a stream of events failed: %s", type(error).__name__, exc_info=True)
    finally:
        await close(iterator)
    for end in panels.missing(code, words):  # type: ignore[arg-type]
        yield end
    if summary is not None:
        yield summary


def _asynchronous(events: Events) -> AsyncIterator[BatchEvent]:
    if isinstance(events, AsyncIterable):
        return events.__aiter__()
    return off_the_loop(events)


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
    panels = Panels()
    for end in panels.missing("interrupted", "the connection broke in the middle of the reply"):
        yield framing.frame(position + 1, line(end))


async def _left(receive: Receive) -> None:
    """Returns when the client has left."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
