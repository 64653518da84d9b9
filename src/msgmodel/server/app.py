"""The application that `msgmodel serve` runs; also to be mounted in one of your own.

Rules: every answer that is no stream is JSON, `{"error": {"code", "message"}}` where something is wrong. What was asked
for is asked once: who lost the stream comes back for the rest.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from hashlib import sha256
from secrets import randbelow

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .. import _cost
from .._sse import line
from ..many import AsyncBatch
from . import framing, openapi
from .adapted import Adapted, new_id
from .directory import Directory
from .guard import Guard
from .log import Expired, Found, Full, Head, Log, Lost, MemoryLog
from .page import page
from .panels import Panels
from .question import PanelRequest, PanelsRequest, Refused, batch, convert, decode
from .reports import where
from .response import DIRECT, MAX_DIGITS, StreamResponse
from .settings import Settings
from .streams import Streams, grace

_OPEN = ("/healthz", "/readyz")
"""Asked by load balancers, by whatever name, without a token."""


def create_app(settings: Settings | None = None, log: Log | None = None) -> Starlette:
    """The application. settings: limits and tokens. log: where streams are kept, in this process without.

    Raises ConfigurationError for settings that make no sense.
    """
    return Application(settings or Settings(), log).asgi()


_log = logging.getLogger("msgmodel.server")


class Application:
    """The endpoints, and what they share."""

    def __init__(self, settings: Settings, log: Log | None = None) -> None:
        self.settings = settings
        self.log = log or MemoryLog(ttl_seconds=settings.ttl_seconds)
        self.streams = Streams(self.log, grace_seconds=grace(settings.on_disconnect))
        self.directory = Directory(settings)
        self.guard = Guard(settings)
        self.response = partial(StreamResponse, heartbeat_seconds=settings.heartbeat_seconds)
        self._closing: asyncio.Future[None] | None = None

    def asgi(self) -> Starlette:
        """As an ASGI application. `app.state.msgmodel` is this object."""
        app = Starlette(
            routes=self._routes(),
            middleware=[Middleware(_Guarded, guard=self.guard)],
            exception_handlers={
                **dict.fromkeys((Refused, Expired, Lost, RecursionError), _failed),
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
            *Adapted(self).routes(),
            Route("/healthz", self.health, methods=["GET"]),
            Route("/readyz", self.ready, methods=["GET"]),
            Route("/openapi.json", self.document, methods=["GET"]),
            *page(),
        ]

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        await asyncio.to_thread(_cost.load)  # else the first stream that ends holds up all others
        yield
        await self.close()

    async def close(self, seconds: float | None = None) -> None:
        """Takes no new streams; those that run get so long (the settings' grace), then a terminal event."""
        if self._closing is None:
            grace = self.settings.grace_seconds if seconds is None else seconds
            self._closing = asyncio.ensure_future(self.streams.close(grace))
        await self._closing

    async def panels(self, request: Request) -> Response:
        """`POST /v1/panels`: asks, and streams."""
        owner = self.guard.owner(request)
        body = await self.guard.body(request)
        return await self.ask(request, owner, decode(body, PanelsRequest), body)

    async def ask(self, request: Request, owner: str, question: PanelsRequest, body: bytes) -> Response:
        """Starts a stream, or joins the one that the request's `Idempotency-Key` names, and follows it."""
        key = request.headers.get("idempotency-key")
        if key is not None and not (0 < len(key) <= 200 and key.isascii() and key.isprintable()):
            raise Refused(400, "invalid_request", "idempotency-key must be 1 to 200 printable ASCII characters")
        if key is None and _position(request) is not None:
            raise _misplaced()
        id = new_id() if key is None else _digest(owner, key)[:24]
        await self.start(request, id, owner, question, _digest(body.decode("utf-8", "replace")))
        return self.following(request, id, _position(request) or 0)

    async def start(self, request: Request, id: str, owner: str, question: PanelsRequest, digest: str) -> None:
        """Begins a stream, unless there is one of that id which was asked the same. Raises Refused."""
        found = await self._find(id, owner)
        if found is None:
            made = batch(question, self.directory, self.settings)
            if await self.begin(request, id, Head(owner, tuple(made.panel_ids), digest), made):
                return
            found = await self._find(id, owner)  # somebody was faster with the same key
        if found is not None and found.head.question != digest:
            raise Refused(409, "conflict", "this idempotency-key was used for another request")

    async def begin(self, request: Request, id: str, head: Head, panels: AsyncBatch) -> bool:
        """Begins a stream; False where there is one of that id. Raises Refused where there is no room, and Lost."""
        client = head.owner or (request.client.host if request.client else "")
        self._room(client)
        try:
            return await self.streams.start(id, head, client, panels)
        except Full:
            raise Refused(503, "busy", "the server keeps no more streams now", {"retry-after": "5"}) from None

    async def stream(self, request: Request) -> Response:
        """`GET /v1/streams/{id}`: what comes after a position, or a snapshot and the tail."""
        if request.method == "DELETE":
            return await self.stop(request)
        owner = self.guard.owner(request)
        id = request.path_params["id"]
        found = await self._known(id, owner)
        after = _position(request)
        if after is None:
            return self.response(self._snapshot(id, found), headers=_named(request, id))
        if found.ended and after >= found.last:
            return Response(status_code=204)
        return self.following(request, id, after)

    async def stop(self, request: Request) -> Response:
        """`DELETE /v1/streams/{id}`: ends all panels, or the one that `panel_id` names."""
        owner = self.guard.owner(request)
        id = request.path_params["id"]
        found = await self._known(id, owner)
        panel_id = request.query_params.get("panel_id")
        if panel_id is not None and panel_id not in found.head.panel_ids:
            raise Refused(404, "not_found", "there is no such panel in this stream")
        if not found.ended:
            await self.streams.stop(id, panel_id)
        return Response(status_code=204)

    async def chat(self, request: Request) -> Response:
        """`/chat/stream?prompt=`, as in the guide.

        An `EventSource` knows no address but the one that it asked. The numbers of its events are therefore counted
        from a number of the stream's own, so that the position which it comes back with names the stream too.
        """
        owner = self.guard.owner(request)
        if request.method == "HEAD":
            raise Refused(405, "method_not_allowed", "a HEAD would ask for a reply", {"allow": "GET, POST"})
        query = request.query_params
        chosen = convert({name: query[name] for name in ("provider", "model") if name in query}, PanelRequest)
        question = PanelsRequest(prompt=query.get("prompt", ""), panels=[chosen])
        position = _position(request)
        if position is not None and request.method == "POST":
            raise _misplaced()
        if position is not None:
            number, after = divmod(position, 1 << 20)
            id = _event_source(number)
            try:
                found = await self._find(id, owner)
            except Expired:
                found = None
            if found is None or (found.ended and after >= found.last):
                return Response(status_code=204)  # an EventSource gives up at that; it never asks a second time
            return self.following(request, id, after, number << 20)
        number = randbelow(1 << 32) + 1 if request.method == "GET" else 0
        id = _event_source(number) if number else new_id()
        await self.start(request, id, owner, question, "")
        opening = b": msgmodel\nid: %d\n\n" % (number << 20)  # so that a loss before the first event is one, too
        return self.following(request, id, 0, number << 20, opening if number else framing.OPENING)

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

    def following(
        self, request: Request, id: str, after: int, base: int = 0, opening: bytes = framing.OPENING
    ) -> Response:
        """A response with the events after that number. `base`: is added to the numbers."""
        return self.response(self._frames(id, after, base), headers=_named(request, id), opening=opening)

    async def _frames(self, id: str, after: int, base: int = 0) -> AsyncGenerator[bytes, None]:
        # Where it is lost, the body ends without a terminal event: the client asks again, and is told.
        with suppress(Lost), self.streams.reading(id):
            async for first, lines in self.log.read(id, after):
                yield _framed(base + first, lines)

    async def _snapshot(self, id: str, found: Found) -> AsyncGenerator[bytes, None]:
        """What was said so far as one event, then the rest."""
        panels = Panels(found.head.panel_ids)
        if not found.last:
            yield framing.frame(0, line(panels.snapshot()))
        with suppress(Lost), self.streams.reading(id):
            async for first, lines in self.log.read(id, 0):
                for said in lines[: max(0, found.last + 1 - first)]:
                    panels.add(msgspec.json.decode(said))
                tail = lines[max(0, found.last + 1 - first) :]
                if first <= found.last < first + len(lines):
                    yield framing.frame(found.last, line(panels.snapshot()))
                yield _framed(first + len(lines) - len(tail), tail)

    def _room(self, client: str) -> None:
        """Raises Refused where there is no room for another stream."""
        if self.streams.closing:
            raise Refused(503, "shutting_down", "the server is about to end", {"retry-after": "5"})
        if len(self.streams) >= self.settings.max_streams:
            raise Refused(503, "busy", "the server carries no more streams now", {"retry-after": "5"})
        most = self.settings.streams_per_client
        if most is not None and self.streams.of(client) >= most:
            raise Refused(429, "too_many_streams", f"at most {most} streams at a time", {"retry-after": "5"})

    async def _known(self, id: str, owner: str) -> Found:
        """The stream of that id. Raises Refused where there is none, or it is somebody else's; Expired; Lost."""
        found = await self._find(id, owner)
        if found is None:
            raise Refused(404, "not_found", "there is no such stream")
        return found

    async def _find(self, id: str, owner: str) -> Found | None:
        try:
            found = await self.log.find(id)
        except Expired as expired:
            if expired.owner == owner:
                raise
            return None
        return found if found is not None and found.head.owner == owner else None


def _misplaced() -> Refused:
    """A new one each time: one that is kept would keep every request that it was raised for."""
    return Refused(
        400, "invalid_request", "a POST begins another stream: what comes after last-event-id is at /v1/streams/{id}"
    )


class _Guarded:
    """Checks the host and the origin before anything else, and says on every answer how it may be used."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self._app, self._guard = app, guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        try:
            if scope["path"] not in _OPEN:
                self._guard.host(request)
                if scope["path"] != "/":  # a link to the page may come from anywhere
                    self._guard.origin(request)
        except Refused as refused:
            await _refused(request, refused)(scope, receive, send)
            return

        begun = False

        async def say(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        scope[DIRECT] = send
        try:
            await self._app(scope, receive, say)
        except Exception as error:  # here, as the framework would hand it on to the log with its words
            response = await _failed(request, error)
            if begun:
                raise RuntimeError("a response broke off") from None
            await response(scope, receive, say)
        finally:
            del scope[DIRECT]  # which leads back to the scope


_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


def _framed(first: int, lines: list[bytes]) -> bytes:
    if len(lines) == 1:
        return framing.frame(first, lines[0])
    return b"".join(framing.frame(number, said) for number, said in enumerate(lines, first))


def _named(request: Request, id: str) -> dict[str, str]:
    """Where the stream can be found again."""
    return {"x-stream-id": id, "location": f"{request.scope.get('root_path', '')}/v1/streams/{id}"}


def _position(request: Request) -> int | None:
    """The number of the last event that the client has; None where it has none. Raises Refused."""
    said = request.headers.get("last-event-id") or request.query_params.get("last_event_id")
    if not said:
        return None
    if not (said.isascii() and said.isdigit() and len(said) <= MAX_DIGITS):
        raise Refused(400, "invalid_request", "last-event-id must be the number of an event")
    return int(said)


def _digest(*parts: str) -> str:
    return sha256("\0".join(parts).encode()).hexdigest()


def _event_source(number: int) -> str:
    return f"es-{number:x}"


def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refused)
    body = {"error": {"code": error.code, "message": error.message}}
    return JSONResponse(body, status_code=error.status, headers=error.headers)


async def _error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "invalid_request")
    body = {"error": {"code": code, "message": error.detail}}
    return JSONResponse(body, status_code=error.status_code, headers=error.headers)


async def _failed(request: Request, error: Exception) -> Response:
    refused = Refused(500, "server", "the server failed")
    if isinstance(error, Refused):
        refused = error
    elif isinstance(error, Expired):
        refused = Refused(410, "expired", "this stream has expired")
    elif isinstance(error, RecursionError):
        refused = Refused(422, "invalid_request", "the body is nested too deeply")
    elif isinstance(error, Lost):
        refused = Refused(503, "unavailable", "the log can't be reached", {"retry-after": "5"})
    else:  # where, not what: the words of an exception may quote anything
        _log.error("%s failed: %s", request.method, where(error))
    return _refused(request, refused)
