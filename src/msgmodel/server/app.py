"""The application that `msgmodel serve` runs; also to be mounted in one of your own.

Rules: every answer that is no stream is JSON, `{"error": {"code", "message"}}` where something is wrong. What was asked
for is asked once: who lost the stream comes back for the rest.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, suppress
from hashlib import sha256
from typing import Any, TypeVar
from urllib.parse import quote
from weakref import WeakSet

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..http import pools
from ..many import AsyncBatch
from ..reply import cost
from . import framing, openapi
from .adapter_endpoints import AdapterEndpoints
from .directory import Directory
from .guard import Guard
from .log import PAGE_BYTES, Lines, Log, MemoryLog, StoreFull, StoreLost, StreamExpired, StreamHeader, StreamInfo
from .page import page
from .positions import new_id, read_position, slot_of, stream_name
from .readers import ADMITTED, Readers
from .request_bodies import PanelRequest, PanelsRequest, RequestRefused, batch_for_request, convert, decode
from .response import DIRECT, Piece, StreamResponse
from .safe_traceback import traceback_without_messages
from .settings import Settings
from .shutdown import end_on_signals
from .snapshots import Snapshots
from .streams import Streams, grace

T = TypeVar("T")

SMALL_BODY = 16 * 1024
"""Bytes of a body of which questions are made at once: that takes a few milliseconds."""

_OPEN = ("/healthz", "/readyz")
"""Asked by load balancers, by whatever name, without a token."""


def create_app(settings: Settings | None = None, log: Log | None = None) -> Starlette:
    """The application. settings: limits and tokens. log: where streams are kept, in this process without.

    Raises ConfigurationError for settings that make no sense.
    """
    return Application(settings or Settings(), log).asgi()


def mounted_lifespan(app: Starlette) -> Callable[[Any], AbstractAsyncContextManager[Any]]:
    """The lifespan of an application by `create_app`, for the one that it is mounted in: nothing else runs it.

    llm = create_app()
    app = FastAPI(lifespan=mounted_lifespan(llm))
    app.mount("/llm", llm)

    It ends the running streams, each with a terminal event, when the server is told to end. In a lifespan of your own:
    `async with mounted_lifespan(llm)(app): yield`.
    """
    return lambda parent: app.router.lifespan_context(app)


_log = logging.getLogger("msgmodel.server")


class Application:
    """The endpoints, and what they share."""

    def __init__(self, settings: Settings, log: Log | None = None) -> None:
        self.settings = settings
        self.log = log or MemoryLog(ttl_seconds=settings.ttl_seconds)
        self.streams = Streams(self.log, grace_seconds=grace(settings.on_disconnect))
        self.readers = Readers(settings)
        self.snapshots = Snapshots(self.log)
        self.directory = Directory(settings)
        self.guard = Guard(settings)
        self._open: WeakSet[StreamResponse] = WeakSet()
        self._closing: asyncio.Future[None] | None = None
        self._in_lifespan = False
        self._preparing = asyncio.Lock()

    def asgi(self) -> Starlette:
        """As an ASGI application. `app.state.msgmodel` is this object."""
        app = Starlette(
            routes=self._routes(),
            middleware=[Middleware(_Guarded, guard=self.guard, readers=self.readers)],
            exception_handlers={
                **dict.fromkeys((RequestRefused, StreamExpired, StoreLost, RecursionError), _failed),
                HTTPException: _error,
            },
            lifespan=self._lifespan,
        )
        app.state.msgmodel = self
        return app

    def _routes(self) -> list[BaseRoute]:
        return [
            Route("/v1/panels", self.panels, methods=["POST"]),
            Route("/v1/streams/{id}", self.stream, methods=["GET", "DELETE"]),
            Route("/v1/providers", self.providers, methods=["GET"]),
            Route("/v1/models", self.models, methods=["GET"]),
            Route("/chat/stream", self.chat, methods=["GET", "POST"]),
            *AdapterEndpoints(self).routes(),
            Route("/healthz", self.health, methods=["GET"]),
            Route("/readyz", self.ready, methods=["GET"]),
            Route("/openapi.json", self.document, methods=["GET"]),
            *page(),
        ]

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        await asyncio.to_thread(cost.load_prices)  # else the first stream that ends holds up all others
        for sentence in await asyncio.to_thread(pools.unusable):
            _log.warning("%s", sentence)
        self._in_lifespan = True
        await self.log.ready()  # if it is not, the log says why
        with end_on_signals(self.close):
            yield
            await self.close()

    async def close(self, seconds: float | None = None) -> None:
        """Takes no new streams; those that run get so long (the settings' grace), then a terminal event.

        A second call with 0 ends those at once which the first one left some time.
        """
        if seconds == 0:
            self.streams.end_now()
        if self._closing is None:
            grace = self.settings.grace_seconds if seconds is None else seconds
            self._closing = asyncio.ensure_future(self._close(grace))
        await asyncio.shield(self._closing)

    async def _close(self, grace: float) -> None:
        await self.streams.close(grace)
        for response in tuple(self._open):  # who has still not read its end would hold up the server's
            response.gone()

    def response(self, pieces: AsyncGenerator[Piece, None], **how: Any) -> StreamResponse:
        """A response that this application ends."""
        made = StreamResponse(pieces, heartbeat_seconds=self.settings.heartbeat_seconds, **how)
        self._open.add(made)
        return made

    async def panels(self, request: Request) -> Response:
        """`POST /v1/panels`: asks, and streams."""
        owner = self.guard.owner(request)
        if "idempotency-key" not in request.headers:  # with one it may join a stream
            self.check_room(request, owner)
        body = await self.guard.body(request)
        question = await self.prepared(len(body), lambda: decode(body, PanelsRequest))
        return await self.ask(request, owner, question, body)

    async def prepared(self, size: int, make: Callable[[], T]) -> T:
        """Return what `make` makes of a body of so many bytes.

        What takes long is made beside the event loop, one at a time: nothing else waits for it, and the memory that it
        takes for a moment is taken once.
        """
        if size <= SMALL_BODY:
            return make()
        async with self._preparing:
            return await asyncio.to_thread(make)

    async def ask(self, request: Request, owner: str, question: PanelsRequest, body: bytes) -> Response:
        """Starts a stream, or joins the one that the request's `Idempotency-Key` names, and follows it."""
        key = request.headers.get("idempotency-key")
        if key is not None and not (0 < len(key) <= 200 and key.isascii() and key.isprintable()):
            raise RequestRefused(400, "invalid_request", "idempotency-key must be 1 to 200 printable ASCII characters")
        position = read_position(request)
        size = len(body)
        digest = await self.prepared(size, lambda: _digest(body.decode("utf-8", "replace")))
        if key is not None:
            slot = _digest(owner, key)[:24]
            name = await self._joined(slot, owner, digest)
            if position is not None and position.stream != name:
                raise _misplaced() if not position.stream else StreamExpired(owner)  # never the tail of another reply
            if name is None:
                panels = await self.prepared(size, lambda: batch_for_request(question, self.directory, self.settings))
                name = await self._begin_keyed(request, slot, owner, panels, digest)
        elif position is not None:
            raise _misplaced()
        else:
            panels = await self.prepared(size, lambda: batch_for_request(question, self.directory, self.settings))
            name = await self.begin(request, owner, panels, digest)
        return self.following(request, owner, name, 0 if position is None else position.number)

    async def begin(self, request: Request, owner: str, panels: AsyncBatch, digest: str = "") -> str:
        """Begins a stream; returns its name. Raises Refused if there is no room, and Lost."""
        name = new_id()
        if not await self._begin(request, name, StreamHeader(owner, tuple(panels.panel_ids), digest), panels):
            raise RequestRefused(503, "unavailable", "the stream could not be begun: ask again", {"retry-after": "1"})
        return name

    async def _begin_keyed(self, request: Request, slot: str, owner: str, panels: AsyncBatch, digest: str) -> str:
        """Begins the stream of an `Idempotency-Key`, or joins the one of a request that was faster."""
        head = StreamHeader(owner, tuple(panels.panel_ids), digest, instance=new_id())
        if await self._begin(request, slot, head, panels):
            return stream_name(slot, head)
        name = await self._joined(slot, owner, digest)
        if name is None:  # it is there, and is not this owner's, or was lost at this moment
            raise RequestRefused(503, "unavailable", "the stream could not be begun: ask again", {"retry-after": "1"})
        return name

    async def _joined(self, slot: str, owner: str, digest: str) -> str | None:
        """The name of the stream that an `Idempotency-Key` has begun. Raises Refused if it was asked something else."""
        found = await self._kept(slot, owner)
        if found is None:
            return None
        if found.head.question != digest:
            raise RequestRefused(409, "conflict", "this idempotency-key was used for another request")
        return stream_name(slot, found.head)

    async def _begin(self, request: Request, slot: str, head: StreamHeader, panels: AsyncBatch) -> bool:
        """Begins a stream; False if something is kept there already. Raises Refused if there is no room, and Lost."""
        if not self._in_lifespan:
            self._in_lifespan = True  # said once
            _log.warning(
                "this application is mounted and its lifespan does not run: see msgmodel.server.mounted_lifespan"
            )
        self.check_room(request, head.owner)
        client = _client(request, head.owner)
        self.readers.admit(request.scope, slot, client)
        try:
            return await self.streams.start(slot, head, client, panels)
        except StoreFull:
            raise RequestRefused(503, "busy", "the server keeps no more streams now", {"retry-after": "5"}) from None

    async def stream(self, request: Request) -> Response:
        """`GET /v1/streams/{id}`: what comes after a position, or a snapshot and the tail."""
        if request.method == "DELETE":
            return await self.stop(request)
        owner = self.guard.owner(request)
        id = request.path_params["id"]
        found = await self._known(id, owner)
        position = read_position(request)
        if position is None:
            self.admit(request, owner, id)
            return self.response(self._snapshot(owner, id), headers=_named(request, id))
        if position.stream not in ("", id):
            raise RequestRefused(400, "invalid_request", "this last-event-id was read from another stream")
        if found.ended and position.number >= found.last:
            return Response(status_code=204)
        return self.following(request, owner, id, position.number)

    async def stop(self, request: Request) -> Response:
        """`DELETE /v1/streams/{id}`: ends all panels, or the one that `panel_id` names."""
        owner = self.guard.owner(request)
        id = request.path_params["id"]
        found = await self._known(id, owner)
        panel_id = request.query_params.get("panel_id")
        if panel_id is not None and panel_id not in found.head.panel_ids:
            raise RequestRefused(404, "not_found", "there is no such panel in this stream")
        if not found.ended:
            await self.streams.stop(slot_of(id)[0], panel_id)
        return Response(status_code=204)

    async def chat(self, request: Request) -> Response:
        """`/chat/stream?prompt=`, as in the guide.

        An `EventSource` knows no address but the one that it asked. The ids of its events therefore name the stream
        before the number, so that the position which it comes back with names the stream, too.
        """
        owner = self.guard.owner(request)
        if request.method == "HEAD":
            raise RequestRefused(405, "method_not_allowed", "a HEAD would ask for a reply", {"allow": "GET, POST"})
        query = request.query_params
        chosen = convert({name: query[name] for name in ("provider", "model") if name in query}, PanelRequest)
        question = PanelsRequest(prompt=query.get("prompt", ""), panels=[chosen])
        digest = _digest("chat", *(query.get(name, "") for name in ("prompt", "provider", "model")))
        position = read_position(request)
        if position is not None and request.method == "POST":
            raise _misplaced()
        if position is not None:
            try:
                found = await self._find(position.stream, owner)
            except StreamExpired:
                found = None
            asked_here = found is not None and found.head.question == digest
            if found is None or not asked_here or (found.ended and position.number >= found.last):
                return Response(status_code=204)  # an EventSource gives up at that; it never asks a second time
            return self.following(request, owner, position.stream, position.number, named=True)
        name = await self.begin(request, owner, batch_for_request(question, self.directory, self.settings), digest)
        return self.following(request, owner, name, 0, named=request.method == "GET")

    async def providers(self, request: Request) -> Response:
        """`GET /v1/providers`: who can be asked, and the limits."""
        self.guard.owner(request)
        settings = self.settings
        return JSONResponse(
            {
                "providers": self.directory.listed(),
                "default": self.directory.default().name,
                "models": list(settings.models) or None,
                "limits": {
                    "max_panels": settings.max_panels,
                    "max_prompt_chars": settings.max_prompt_chars,
                    "max_body_bytes": settings.max_body_bytes,
                    "max_tokens": settings.max_tokens,
                },
            }
        )

    async def models(self, request: Request) -> Response:
        """`GET /v1/models`: the default model of each provider that is ready, for clients of OpenAI's API, which let
        their user choose among what is listed. Others can be named all the same."""
        self.guard.owner(request)
        ready = [row for row in self.directory.listed() if row["ready"] and self.settings.allows(row["default_model"])]
        models = [
            {"id": f"{row['name']}/{row['default_model']}", "object": "model", "created": 0, "owned_by": row["name"]}
            for row in ready
            if row["default_model"]
        ]
        return JSONResponse({"object": "list", "data": models})

    async def health(self, request: Request) -> Response:
        """`GET /healthz`: the process lives."""
        return JSONResponse({"status": "ok", "streams": len(self.streams)})

    async def ready(self, request: Request) -> Response:
        """`GET /readyz`: it can take streams."""
        ready = not self.streams.closing and await self.log.ready()
        return JSONResponse({"status": "ok" if ready else "unavailable"}, status_code=200 if ready else 503)

    async def document(self, request: Request) -> Response:
        """`GET /openapi.json`."""
        return JSONResponse(openapi.document())

    def following(self, request: Request, owner: str, name: str, after: int, *, named: bool = False) -> Response:
        """A response with the events after that number. named: their ids name the stream, too. Raises Refused."""
        self.admit(request, owner, name)
        prefix = b"%b:" % name.encode() if named else b""
        opening = framing.OPENING
        if named:  # so that a connection that is lost before the first event can be taken up, too
            opening = b": msgmodel\nid: %b%d\n\n" % (prefix, after)
        return self.response(self._frames(owner, name, after, prefix), headers=_named(request, name), opening=opening)

    def admit(self, request: Request, owner: str, name: str) -> None:
        """Counts the request as a reader of the stream until it is over. Raises Refused if there are too many."""
        self.readers.admit(request.scope, slot_of(name)[0], _client(request, owner))

    @asynccontextmanager
    async def reading(self, owner: str, name: str, after: int) -> AsyncIterator[AsyncGenerator[Lines, None]]:
        """The lines of a stream after that number, for its owner alone. Raises Lost."""
        await self._own(owner, name)
        slot, _ = slot_of(name)
        with self.streams.reading(slot):
            async with aclosing(self.log.read(slot, after)) as lines:
                yield lines

    async def _own(self, owner: str, name: str) -> StreamInfo:
        """The stream, for its owner alone: there is no other way to what it says. Raises Lost."""
        try:
            found = await self._find(name, owner)
        except StreamExpired:
            found = None
        if found is None:
            raise StoreLost
        return found

    async def _frames(self, owner: str, name: str, after: int, prefix: bytes) -> AsyncGenerator[Piece, None]:
        # If it is lost, the body ends without a terminal event: the client asks again, and is told.
        with suppress(StoreLost):
            async with self.reading(owner, name, after) as pages:
                async for first, lines in pages:
                    yield _framed(first, lines, prefix)

    async def _snapshot(self, owner: str, name: str) -> AsyncGenerator[Piece, None]:
        """What was said so far as one event, then the rest."""
        slot, _ = slot_of(name)
        with suppress(StoreLost):
            found = await self._own(owner, name)
            with self.streams.reading(slot):
                snapshot = await self.snapshots.take(name, slot, found)
                after = snapshot.last
                yield framing.parts(after, *snapshot.parts)
                del snapshot
                async with aclosing(self.log.read(slot, after)) as pages:
                    async for first, lines in pages:
                        yield _framed(first, lines)

    def check_room(self, request: Request, owner: str) -> None:
        """Raises Refused where there is no room for another stream."""
        if self.streams.closing:
            raise RequestRefused(503, "shutting_down", "the server is about to end", {"retry-after": "5"})
        if len(self.streams) >= self.settings.max_streams:
            raise RequestRefused(503, "busy", "the server carries no more streams now", {"retry-after": "5"})
        most = self.settings.streams_per_client
        if most is not None and self.streams.of(_client(request, owner)) >= most:
            raise RequestRefused(429, "too_many_streams", f"at most {most} streams at a time", {"retry-after": "5"})

    async def _known(self, id: str, owner: str) -> StreamInfo:
        """The stream of that id. Raises Refused where there is none, or it is somebody else's; Expired; Lost."""
        found = await self._find(id, owner)
        if found is None:
            raise RequestRefused(404, "not_found", "there is no such stream")
        return found

    async def _find(self, name: str, owner: str) -> StreamInfo | None:
        """The stream of that name, if it is this owner's. Raises Expired."""
        slot, instance = slot_of(name)
        found = await self._kept(slot, owner)
        return found if found is not None and found.head.instance == instance else None

    async def _kept(self, slot: str, owner: str) -> StreamInfo | None:
        """What is kept there, if it is this owner's. Raises Expired."""
        try:
            found = await self.log.find(slot)
        except StreamExpired as expired:
            if expired.owner == owner:
                raise
            return None
        return found if found is not None and found.head.owner == owner else None


def _misplaced() -> RequestRefused:
    """A new one each time: one that is kept would keep every request that it was raised for."""
    return RequestRefused(
        400,
        "invalid_request",
        "a POST begins another stream: what comes after last-event-id is at /v1/streams/{id}; with an idempotency-key, "
        "last-event-id must name the stream: STREAM:NUMBER, by x-stream-id",
    )


class _Guarded:
    """Checks the host and the origin before anything else, and says on every answer how it may be used."""

    def __init__(self, app: ASGIApp, guard: Guard, readers: Readers) -> None:
        self._app, self._guard, self._readers = app, guard, readers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["headers"] = list(scope["headers"])  # a server may add the trailers of the body to its own list
        request = Request(scope)
        begun = False

        async def say(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                self._guard.bodies.leave(scope)
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        try:
            path = _own_path(scope)
            if path not in _OPEN:
                self._guard.single(request)
                self._guard.host(request)
                if path not in ("", "/"):  # a link to the page may come from anywhere
                    self._guard.origin(request)
        except RequestRefused as refused:
            await _refused(request, refused)(scope, receive, say)
            return

        scope[DIRECT] = send
        scope[ADMITTED] = []
        try:
            await self._app(scope, receive, say)
        except ClientDisconnect:  # in the middle of its body: there is nobody to answer, and nothing went wrong here
            pass
        except Exception as error:  # here, as the framework would hand it on to the log with its words
            response = await _failed(request, error)
            if begun:
                raise RuntimeError("a response broke off") from None
            await response(scope, receive, say)
        finally:
            self._readers.release(scope)
            self._guard.bodies.leave(scope)
            del scope[DIRECT]  # which leads back to the scope


_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


def _framed(first: int, lines: list[bytes], prefix: bytes = b"") -> Piece:
    if len(lines) > 1:
        return b"".join(framing.frame(number, said, prefix) for number, said in enumerate(lines, first))
    (said,) = lines
    return framing.frame(first, said, prefix) if len(said) <= PAGE_BYTES else framing.parts(first, said, prefix=prefix)


def _client(request: Request, owner: str) -> str:
    """Whose streams and readers are counted together."""
    return owner or (request.client.host if request.client else "")


def _named(request: Request, id: str) -> dict[str, str]:
    """Where the stream can be found again."""
    root = quote(request.scope.get("root_path", ""), safe="/!$&'()*+,;=:@~")  # it may be what the client wrote
    return {"x-stream-id": id, "location": f"{root}/v1/streams/{id}"}


def _own_path(scope: Scope) -> str:
    """The path within this application, wherever it is mounted."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if path == root or path.startswith(f"{root}/") else path


def _digest(*parts: str) -> str:
    return sha256("\0".join(parts).encode()).hexdigest()


def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestRefused)
    body = {"error": {"code": error.code, "message": error.message}}
    return JSONResponse(body, status_code=error.status, headers=error.headers)


async def _error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "invalid_request")
    body = {"error": {"code": code, "message": error.detail}}
    return JSONResponse(body, status_code=error.status_code, headers=error.headers)


async def _failed(request: Request, error: Exception) -> Response:
    refused = RequestRefused(500, "server", "the server failed")
    if isinstance(error, RequestRefused):
        refused = error
    elif isinstance(error, StreamExpired):
        refused = RequestRefused(410, "expired", "this stream has expired")
    elif isinstance(error, RecursionError):
        refused = RequestRefused(422, "invalid_request", "the body is nested too deeply")
    elif isinstance(error, StoreLost):
        refused = RequestRefused(503, "unavailable", "the log can't be reached", {"retry-after": "5"})
    else:  # where, not what: the words of an exception may quote anything
        _log.error("%s failed: %s", request.method, traceback_without_messages(error))
    return _refused(request, refused)
