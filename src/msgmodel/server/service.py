"""What the routes and the endpoints of the adapters share: the streams, their readers, the limits, and the shutdown.

Rule: each application has one service. Every way to the lines of a stream goes through `read_lines` or `find_stream`,
which check its owner.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeVar
from weakref import WeakSet

from starlette.applications import Starlette
from starlette.requests import Request

from ..http import pools
from ..reply import cost
from .directory import Directory
from .guard import Guard
from .log import Lines, Log, MemoryLog, StoreFull, StoreLost, StreamExpired, StreamHeader, StreamInfo
from .memory import MemoryBudget
from .panel_source import PanelSource
from .positions import new_id, slot_of, stream_name
from .readers import StreamReaders
from .request_bodies import RequestRefused
from .response import Piece, StreamResponse
from .settings import Settings
from .shutdown import end_on_signals
from .snapshots import Snapshots
from .streams import RunningStreams, grace_of
from .tool_runs import ToolRuns

T = TypeVar("T")

SMALL_BODY = 16 * 1024
"""Bytes of a body up to which it is converted on the event loop, in a few milliseconds at most."""

KEY_USED = "this idempotency-key was used for another request"

_RETRY_LATER = {"retry-after": "5"}

_log = logging.getLogger("msgmodel.server")


class Service:
    """Holds the streams of one application, and everything that decides who may start and read them.

    Args:
        settings: Limits and tokens.
        log: Where streams are kept. Default: in the memory of this process.
    """

    def __init__(self, settings: Settings, log: Log | None = None) -> None:
        self.settings = settings
        self.log = log or MemoryLog(ttl_seconds=settings.ttl_seconds, max_bytes=settings.max_memory_bytes)
        memory = MemoryBudget(settings.max_memory_bytes, self.log if isinstance(self.log, MemoryLog) else None)
        self.streams = RunningStreams(self.log, memory, grace_seconds=grace_of(settings.on_disconnect))
        self.readers = StreamReaders(settings)
        self.snapshots = Snapshots(self.log)
        self.directory = Directory(settings)
        self.guard = Guard(settings)
        self.tools = ToolRuns(settings)
        self._responses: WeakSet[StreamResponse] = WeakSet()
        self._closing: asyncio.Future[None] | None = None
        self._in_lifespan = False
        self._preparing = asyncio.Lock()

    @asynccontextmanager
    async def run_lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """Get ready before the first request, and close after the last one or at a signal."""
        await asyncio.to_thread(cost.load_prices)  # otherwise the first stream that ends would block all others
        for sentence in await asyncio.to_thread(pools.unusable):
            _log.warning("%s", sentence)
        self._in_lifespan = True
        await self.log.ready()  # if it is not, the log says why
        await self.tools.open_servers()
        try:
            with end_on_signals(self.close):
                yield
                await self.close()
        finally:
            await self.tools.close_servers()

    async def close(self, seconds: float | None = None) -> None:
        """Take no new streams, and end the running ones with a terminal event each.

        A second call with 0 ends the streams at once to which the first call gave more time.

        Args:
            seconds: How long the streams may continue. Default: `grace_seconds` of the settings.
        """
        if seconds == 0:
            self.streams.end_grace()
        if self._closing is None:
            grace = self.settings.grace_seconds if seconds is None else seconds
            self._closing = asyncio.ensure_future(self._close_streams(grace))
        await asyncio.shield(self._closing)

    async def _close_streams(self, grace: float) -> None:
        await self.streams.close(grace)
        for response in tuple(self._responses):  # a client that has not read its end by now would delay the server's
            response.drop_client()

    def stream_response(self, pieces: AsyncGenerator[Piece, None], **how: Any) -> StreamResponse:
        """Return a response that ends when this service closes."""
        response = StreamResponse(pieces, heartbeat_seconds=self.settings.heartbeat_seconds, **how)
        self._responses.add(response)
        return response

    async def convert_body(self, size: int, make: Callable[[], T]) -> T:
        """Return what `make` makes of a body of `size` bytes.

        A large body is converted in a thread, one body at a time. So other requests do not wait for it, and the memory
        of a conversion is needed once at a time.
        """
        if size <= SMALL_BODY:
            return make()
        async with self._preparing:
            return await asyncio.to_thread(make)

    def check_stream_room(self, request: Request, owner: str) -> None:
        """Raise RequestRefused if there is no room for another stream."""
        if self.streams.closing:
            raise RequestRefused(503, "shutting_down", "the server is shutting down", _RETRY_LATER)
        if len(self.streams) >= self.settings.max_streams:
            raise RequestRefused(
                503, "busy", "the server runs as many streams as it may; try again later", _RETRY_LATER
            )
        most = self.settings.streams_per_client
        if most is not None and self.streams.count_of_client(_client_of(request, owner)) >= most:
            raise RequestRefused(
                429, "too_many_streams", f"a client may run at most {most} streams at a time", _RETRY_LATER
            )

    def admit_reader(self, request: Request, owner: str, name: str) -> None:
        """Count the request as a reader of the stream until it is over. Raise RequestRefused for one too many."""
        self.readers.admit_reader(request.scope, slot_of(name)[0], _client_of(request, owner))

    async def begin_stream(self, request: Request, owner: str, panels: PanelSource, digest: str = "") -> str:
        """Begin a stream and return its name.

        Args:
            request: The request, which becomes a reader of the stream.
            owner: Whose stream it is.
            panels: The panels, which have not started.
            digest: A digest of the request.

        Raises:
            RequestRefused: There is no room for the stream.
            StoreLost: The log cannot be written.
        """
        name = new_id()
        if not await self._start_stream(request, name, StreamHeader(owner, tuple(panels.panel_ids), digest), panels):
            raise RequestRefused(503, "unavailable", "the stream could not be started: try again", {"retry-after": "1"})
        return name

    async def begin_keyed_stream(
        self, request: Request, owner: str, slot: str, panels: PanelSource, digest: str
    ) -> str:
        """Begin the stream of an `Idempotency-Key`, or join the one of a faster request; return its name."""
        head = StreamHeader(owner, tuple(panels.panel_ids), digest, instance=new_id())
        if await self._start_stream(request, slot, head, panels):
            return stream_name(slot, head)
        name = await self.join_keyed_stream(owner, slot, digest)
        if name is None:  # the slot belongs to another owner, or its stream was lost at this moment
            raise RequestRefused(503, "unavailable", "the stream could not be started: try again", {"retry-after": "1"})
        return name

    async def join_keyed_stream(self, owner: str, slot: str, digest: str, conflict: str = KEY_USED) -> str | None:
        """Return the name of the stream that an `Idempotency-Key` has begun, None if there is none.

        Raises RequestRefused with the words of `conflict` if the key was used for another request.
        """
        found = await self._find_in_slot(owner, slot)
        if found is None:
            return None
        if found.head.question != digest:
            raise RequestRefused(409, "conflict", conflict)
        return stream_name(slot, found.head)

    async def _start_stream(self, request: Request, slot: str, head: StreamHeader, panels: PanelSource) -> bool:
        """Start a stream; return False if the slot is taken. Raises RequestRefused if there is no room, and StoreLost.

        The request counts as a reader of the stream from now on.
        """
        if not self._in_lifespan:
            self._in_lifespan = True  # to warn once
            _log.warning(
                "this application is mounted and its lifespan does not run: see msgmodel.server.mounted_lifespan"
            )
        self.check_stream_room(request, head.owner)
        client = _client_of(request, head.owner)
        self.readers.admit_reader(request.scope, slot, client)
        try:
            return await self.streams.start_stream(slot, head, client, panels)
        except StoreFull:
            raise RequestRefused(503, "busy", "the stream store is full; try again later", _RETRY_LATER) from None

    async def find_stream(self, owner: str, name: str) -> StreamInfo | None:
        """Return the stream of that name if it is this owner's, else None. Raises StreamExpired and StoreLost."""
        slot, instance = slot_of(name)
        found = await self._find_in_slot(owner, slot)
        return found if found is not None and found.head.instance == instance else None

    async def require_stream(self, owner: str, name: str) -> StreamInfo:
        """Return the stream of that name if it is this owner's. Raise StoreLost if there is none, or none any more."""
        try:
            found = await self.find_stream(owner, name)
        except StreamExpired:
            found = None
        if found is None:
            raise StoreLost
        return found

    async def _find_in_slot(self, owner: str, slot: str) -> StreamInfo | None:
        """Return the stream that is kept in the slot if it is this owner's, else None. Raises StreamExpired."""
        try:
            found = await self.log.find(slot)
        except StreamExpired as expired:
            if expired.owner == owner:
                raise
            return None
        return found if found is not None and found.head.owner == owner else None

    @asynccontextmanager
    async def read_lines(self, owner: str, name: str, after: int) -> AsyncIterator[AsyncGenerator[Lines, None]]:
        """Open a stream of this owner; the iterator yields its lines after that number. Raises StoreLost."""
        await self.require_stream(owner, name)
        slot, _ = slot_of(name)
        with self.streams.count_reader(slot):
            async with aclosing(self.log.read(slot, after)) as lines:
                yield lines


def _client_of(request: Request, owner: str) -> str:
    """Return the client whose streams and readers are counted together: the owner of a token, or an address."""
    return owner or (request.client.host if request.client else "")
