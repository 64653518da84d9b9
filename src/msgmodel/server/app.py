"""The application that `msgmodel serve` runs; also to be mounted in one of your own.

Rules: every answer that is no stream is JSON, `{"error": {"code", "message"}}` where something is wrong. What was asked
for is asked once: who lost the stream comes back for the rest.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, suppress
from functools import partial
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..many import AsyncBatch
from . import framing, openapi
from .adapter_endpoints import AdapterEndpoints
from .guard import Guard
from .log import PAGE_BYTES, Log, StoreLost, StreamExpired, StreamInfo
from .page import page
from .positions import read_position, slot_of
from .readers import ADMITTED, Readers
from .request_bodies import PanelRequest, PanelsRequest, RequestRefused, batch_for_request, convert, decode
from .response import DIRECT, Piece
from .safe_traceback import traceback_without_messages
from .service import Service
from .settings import Settings

_OPEN = ("/healthz", "/readyz")
"""Asked by load balancers, by whatever name, without a token."""


def create_app(settings: Settings | None = None, log: Log | None = None) -> Starlette:
    """The application. settings: limits and tokens. log: where streams are kept, in this process without.

    Raises ConfigurationError for settings that make no sense.
    """
    return Application(Service(settings or Settings(), log)).asgi()


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
    """The routes of one service, and how they answer."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def asgi(self) -> Starlette:
        """Return the ASGI application. Its `state.msgmodel` is the service."""
        service = self._service
        app = Starlette(
            routes=self._routes(),
            middleware=[Middleware(_Guarded, guard=service.guard, readers=service.readers)],
            exception_handlers={
                **dict.fromkeys((RequestRefused, StreamExpired, StoreLost, RecursionError), _answer_failure),
                HTTPException: _answer_http_exception,
            },
            lifespan=service.run_lifespan,
        )
        app.state.msgmodel = service
        return app

    def _routes(self) -> list[BaseRoute]:
        return [
            Route("/v1/panels", self.post_panels, methods=["POST"]),
            Route("/v1/streams/{id}", self.get_or_delete_stream, methods=["GET", "DELETE"]),
            Route("/v1/providers", self.list_providers, methods=["GET"]),
            Route("/v1/models", self.list_models, methods=["GET"]),
            Route("/chat/stream", self.chat_stream, methods=["GET", "POST"]),
            *AdapterEndpoints(self._service).routes(),
            Route("/healthz", self.report_health, methods=["GET"]),
            Route("/readyz", self.report_readiness, methods=["GET"]),
            Route("/openapi.json", self.get_openapi, methods=["GET"]),
            *page(),
        ]

    async def post_panels(self, request: Request) -> Response:
        """Answer `POST /v1/panels`: begin a stream, or join the one of the `Idempotency-Key`, and send its events."""
        service = self._service
        owner = service.guard.owner(request)
        if "idempotency-key" not in request.headers:  # with one it may join a stream
            service.check_room(request, owner)
        question, digest, size = await self._read_question(request)
        slot = _slot_of_key(request, owner)
        position = read_position(request)
        name = None
        if slot is not None:
            name = await service.join_keyed_stream(owner, slot, digest)
            if position is not None and position.stream != name:
                # Never the tail of another reply.
                raise _misplaced_position() if not position.stream else StreamExpired(owner)
        elif position is not None:
            raise _misplaced_position()
        if name is None:
            panels = await service.prepare(size, partial(self._make_batch, question))
            del question  # its files may be large, and the panels have them
            if slot is None:
                name = await service.begin_stream(request, owner, panels, digest)
            else:
                name = await service.begin_keyed_stream(request, owner, slot, panels, digest)
        return self._follow_stream(request, owner, name, 0 if position is None else position.number)

    async def _read_question(self, request: Request) -> tuple[PanelsRequest, str, int]:
        """Return what the body asks, a digest of the body, and its size in bytes. The body itself is released."""
        body = await self._service.guard.body(request)
        question, digest = await self._service.prepare(
            len(body), lambda: (decode(body, PanelsRequest), sha256(body).hexdigest())
        )
        return question, digest, len(body)

    def _make_batch(self, question: PanelsRequest) -> AsyncBatch:
        return batch_for_request(question, self._service.directory, self._service.settings)

    async def get_or_delete_stream(self, request: Request) -> Response:
        """`GET /v1/streams/{id}`: what comes after a position, or a snapshot and the tail."""
        if request.method == "DELETE":
            return await self._delete_stream(request)
        owner = self._service.guard.owner(request)
        id = request.path_params["id"]
        found = await self._require_or_404(owner, id)
        position = read_position(request)
        if position is None:
            self._service.admit_reader(request, owner, id)
            return self._service.stream_response(self._frame_snapshot(owner, id), headers=_stream_headers(request, id))
        if position.stream not in ("", id):
            raise RequestRefused(400, "invalid_request", "this last-event-id was read from another stream")
        if found.ended and position.number >= found.last:
            return Response(status_code=204)
        return self._follow_stream(request, owner, id, position.number)

    async def _delete_stream(self, request: Request) -> Response:
        """`DELETE /v1/streams/{id}`: ends all panels, or the one that `panel_id` names."""
        owner = self._service.guard.owner(request)
        id = request.path_params["id"]
        found = await self._require_or_404(owner, id)
        panel_id = request.query_params.get("panel_id")
        if panel_id is not None and panel_id not in found.head.panel_ids:
            raise RequestRefused(404, "not_found", "there is no such panel in this stream")
        if not found.ended:
            await self._service.streams.stop(slot_of(id)[0], panel_id)
        return Response(status_code=204)

    async def chat_stream(self, request: Request) -> Response:
        """`/chat/stream?prompt=`, as in the guide.

        An `EventSource` knows no address but the one that it asked. The ids of its events therefore name the stream
        before the number, so that the position which it comes back with names the stream, too.
        """
        owner = self._service.guard.owner(request)
        if request.method == "HEAD":
            raise RequestRefused(405, "method_not_allowed", "a HEAD would ask for a reply", {"allow": "GET, POST"})
        query = request.query_params
        chosen = convert({name: query[name] for name in ("provider", "model") if name in query}, PanelRequest)
        question = PanelsRequest(prompt=query.get("prompt", ""), panels=[chosen])
        digest = _digest_of("chat", *(query.get(name, "") for name in ("prompt", "provider", "model")))
        position = read_position(request)
        if position is not None and request.method == "POST":
            raise _misplaced_position()
        if position is not None:
            try:
                found = await self._service.find_stream(owner, position.stream)
            except StreamExpired:
                found = None
            asked_here = found is not None and found.head.question == digest
            if found is None or not asked_here or (found.ended and position.number >= found.last):
                return Response(status_code=204)  # an EventSource gives up at that; it never asks a second time
            return self._follow_stream(request, owner, position.stream, position.number, named=True)
        name = await self._service.begin_stream(request, owner, self._make_batch(question), digest)
        return self._follow_stream(request, owner, name, 0, named=request.method == "GET")

    async def list_providers(self, request: Request) -> Response:
        """`GET /v1/providers`: who can be asked, and the limits."""
        self._service.guard.owner(request)
        settings = self._service.settings
        return JSONResponse(
            {
                "providers": self._service.directory.listed(),
                "default": self._service.directory.default().name,
                "models": list(settings.models) or None,
                "limits": {
                    "max_panels": settings.max_panels,
                    "max_prompt_chars": settings.max_prompt_chars,
                    "max_body_bytes": settings.max_body_bytes,
                    "max_tokens": settings.max_tokens,
                },
            }
        )

    async def list_models(self, request: Request) -> Response:
        """`GET /v1/models`: the default model of each provider that is ready, for clients of OpenAI's API, which let
        their user choose among what is listed. Others can be named all the same."""
        self._service.guard.owner(request)
        allows = self._service.settings.allows
        ready = [row for row in self._service.directory.listed() if row["ready"] and allows(row["default_model"])]
        models = [
            {"id": f"{row['name']}/{row['default_model']}", "object": "model", "created": 0, "owned_by": row["name"]}
            for row in ready
            if row["default_model"]
        ]
        return JSONResponse({"object": "list", "data": models})

    async def report_health(self, request: Request) -> Response:
        """`GET /healthz`: the process lives."""
        return JSONResponse({"status": "ok", "streams": len(self._service.streams)})

    async def report_readiness(self, request: Request) -> Response:
        """`GET /readyz`: it can take streams."""
        ready = not self._service.streams.closing and await self._service.log.ready()
        return JSONResponse({"status": "ok" if ready else "unavailable"}, status_code=200 if ready else 503)

    async def get_openapi(self, request: Request) -> Response:
        """`GET /openapi.json`."""
        return JSONResponse(openapi.document())

    def _follow_stream(self, request: Request, owner: str, name: str, after: int, *, named: bool = False) -> Response:
        """A response with the events after that number. named: their ids name the stream, too. Raises Refused."""
        self._service.admit_reader(request, owner, name)
        prefix = b"%b:" % name.encode() if named else b""
        opening = framing.OPENING
        if named:  # so that a connection that is lost before the first event can be taken up, too
            opening = b": msgmodel\nid: %b%d\n\n" % (prefix, after)
        pieces = self._frame_stream(owner, name, after, prefix)
        return self._service.stream_response(pieces, headers=_stream_headers(request, name), opening=opening)

    async def _frame_stream(self, owner: str, name: str, after: int, prefix: bytes) -> AsyncGenerator[Piece, None]:
        # If it is lost, the body ends without a terminal event: the client asks again, and is told.
        with suppress(StoreLost):
            async with self._service.read_lines(owner, name, after) as pages:
                async for first, lines in pages:
                    yield _frame_page(first, lines, prefix)

    async def _frame_snapshot(self, owner: str, name: str) -> AsyncGenerator[Piece, None]:
        """What was said so far as one event, then the rest."""
        slot, _ = slot_of(name)
        with suppress(StoreLost):
            found = await self._service.require_stream(owner, name)
            with self._service.streams.reading(slot):
                snapshot = await self._service.snapshots.take(name, slot, found)
                after = snapshot.last
                yield framing.parts(after, *snapshot.parts)
                del snapshot
                async with aclosing(self._service.log.read(slot, after)) as pages:
                    async for first, lines in pages:
                        yield _frame_page(first, lines)

    async def _require_or_404(self, owner: str, name: str) -> StreamInfo:
        """Return the stream of that name. Raises RequestRefused if this owner has none, StreamExpired and StoreLost."""
        found = await self._service.find_stream(owner, name)
        if found is None:
            raise RequestRefused(404, "not_found", "there is no such stream")
        return found


def _slot_of_key(request: Request, owner: str) -> str | None:
    """Return the slot of the log that the request's `Idempotency-Key` names, None without one."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not (0 < len(key) <= 200 and key.isascii() and key.isprintable()):
        raise RequestRefused(400, "invalid_request", "idempotency-key must be 1 to 200 printable ASCII characters")
    return _digest_of(owner, key)[:24]


def _misplaced_position() -> RequestRefused:
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
            path = _path_in_application(scope)
            if path not in _OPEN:
                self._guard.single(request)
                self._guard.host(request)
                if path not in ("", "/"):  # a link to the page may come from anywhere
                    self._guard.origin(request)
        except RequestRefused as refused:
            await _answer_refusal(request, refused)(scope, receive, say)
            return

        scope[DIRECT] = send
        scope[ADMITTED] = []
        try:
            await self._app(scope, receive, say)
        except ClientDisconnect:  # in the middle of its body: there is nobody to answer, and nothing went wrong here
            pass
        except Exception as error:  # here, as the framework would hand it on to the log with its words
            response = await _answer_failure(request, error)
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


def _frame_page(first: int, lines: list[bytes], prefix: bytes = b"") -> Piece:
    if len(lines) > 1:
        return b"".join(framing.frame(number, said, prefix) for number, said in enumerate(lines, first))
    (said,) = lines
    return framing.frame(first, said, prefix) if len(said) <= PAGE_BYTES else framing.parts(first, said, prefix=prefix)


def _stream_headers(request: Request, id: str) -> dict[str, str]:
    """Where the stream can be found again."""
    root = quote(request.scope.get("root_path", ""), safe="/!$&'()*+,;=:@~")  # it may be what the client wrote
    return {"x-stream-id": id, "location": f"{root}/v1/streams/{id}"}


def _path_in_application(scope: Scope) -> str:
    """The path within this application, wherever it is mounted."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if path == root or path.startswith(f"{root}/") else path


def _digest_of(*parts: str) -> str:
    return sha256("\0".join(parts).encode()).hexdigest()


def _answer_refusal(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestRefused)
    body = {"error": {"code": error.code, "message": error.message}}
    return JSONResponse(body, status_code=error.status, headers=error.headers)


async def _answer_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "invalid_request")
    body = {"error": {"code": code, "message": error.detail}}
    return JSONResponse(body, status_code=error.status_code, headers=error.headers)


async def _answer_failure(request: Request, error: Exception) -> Response:
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
    return _answer_refusal(request, refused)
