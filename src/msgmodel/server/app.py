"""The application that `msgmodel serve` runs, and that you can mount in your own application.

Rules: every response that is not a stream is JSON; an error is `{"error": {"code", "message"}}`. A provider is asked
once for each request: a client that lost its stream comes back for the rest.
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

from . import cors, framing, openapi
from .adapter_endpoints import AdapterEndpoints
from .directory import list_file_limits
from .guard import Guard
from .log import PAGE_BYTES, Log, StoreLost, StreamExpired, StreamInfo
from .model_list import ModelEndpoints
from .page import page_routes
from .panel_source import PanelSource
from .positions import read_position, slot_of, stream_name
from .provider_models import provider_models_endpoint
from .readers import ADMITTED_READERS, StreamReaders
from .request_batches import OwnedRuns, batch_for_request
from .request_bodies import PanelRequest, PanelsRequest, RequestRefused, convert_query, decode_body
from .response import DIRECT_SEND, Piece, StreamResponse
from .safe_traceback import traceback_without_messages
from .service import KEY_USED, Service
from .settings import Settings
from .tool_runs import STATE_USED, digest_of_state

_OPEN_PATHS = ("/healthz", "/readyz")
"""Paths for load balancers, which use any host name and no token."""


def create_app(settings: Settings | None = None, log: Log | None = None) -> Starlette:
    """Return the application.

    Args:
        settings: Limits and tokens. Default: `Settings()`.
        log: Where streams are kept. Default: in the memory of this process.
    """
    return Application(Service(settings or Settings(), log)).asgi_app()


def mounted_lifespan(app: Starlette) -> Callable[[Any], AbstractAsyncContextManager[Any]]:
    """Return the lifespan of an application by `create_app`, for the application that mounts it.

    ```python
    llm = create_app()
    app = FastAPI(lifespan=mounted_lifespan(llm))
    app.mount("/llm", llm)
    ```

    Frameworks do not run the lifespan of a mounted application. This one ends the running streams, each with a terminal
    event, when the server shuts down. In your own lifespan: `async with mounted_lifespan(llm)(app): yield`.

    Args:
        app: The application by `create_app`.
    """
    return lambda parent: app.router.lifespan_context(app)


_log = logging.getLogger("msgmodel.server")


class Application:
    """The routes of one service and their endpoints."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def asgi_app(self) -> Starlette:
        """Return the ASGI application. Its `state.msgmodel` is the service."""
        service = self._service
        app = Starlette(
            routes=self._all_routes(),
            middleware=[Middleware(_GuardedApp, guard=service.guard, readers=service.readers)],
            exception_handlers={
                **dict.fromkeys((RequestRefused, StreamExpired, StoreLost, RecursionError), _answer_failure),
                HTTPException: _answer_http_exception,
            },
            lifespan=service.run_lifespan,
        )
        app.state.msgmodel = service
        return app

    def _all_routes(self) -> list[BaseRoute]:
        models = ModelEndpoints(self._service)
        return [
            Route("/v1/panels", self.post_panels, methods=["POST"]),
            Route("/v1/streams", self.list_streams, methods=["GET"]),
            Route("/v1/streams/{id}", self.get_or_delete_stream, methods=["GET", "DELETE"]),
            Route("/v1/providers", self.list_providers, methods=["GET"]),
            Route("/v1/providers/{name}/models", provider_models_endpoint(self._service), methods=["GET"]),
            Route("/v1/models", models.list_models, methods=["GET"]),
            Route("/v1/models/{id:path}", models.get_model, methods=["GET"]),
            Route("/chat/stream", self.chat_stream, methods=["GET", "POST"]),
            *AdapterEndpoints(self._service).routes(),
            Route("/healthz", self.report_health, methods=["GET"]),
            Route("/readyz", self.report_readiness, methods=["GET"]),
            Route("/openapi.json", self.get_openapi, methods=["GET"]),
            *page_routes(),
        ]

    async def post_panels(self, request: Request) -> Response:
        """Answer `POST /v1/panels`: begin a stream, or join the one of the `Idempotency-Key`, and send its events."""
        service = self._service
        owner = service.guard.find_owner(request)
        if "idempotency-key" not in request.headers:  # a request with a key may join a stream
            service.check_stream_room(request, owner)
        question, digest, size = await self._read_question(request)
        slot, used = _slot_of_key(request, owner), KEY_USED
        if question.resume is not None:
            slot, used = digest_of_state(owner, question.resume)[:24], STATE_USED
        position = read_position(request)
        name = None
        if slot is not None:
            name = await service.join_keyed_stream(owner, slot, digest, used)
            if position is not None and position.stream != name:
                # Never send the tail of another reply.
                raise _misplaced_position() if not position.stream else StreamExpired(owner)
        elif position is not None:
            raise _misplaced_position()
        if name is None:
            panels = await service.convert_body(size, partial(self._make_batch, question, owner))
            del question  # its files may be large, and the panels have them
            if slot is None:
                name = await service.begin_stream(request, owner, panels, digest)
            else:
                name = await service.begin_keyed_stream(request, owner, slot, panels, digest)
        return self._follow_stream(request, owner, name, 0 if position is None else position.number)

    async def _read_question(self, request: Request) -> tuple[PanelsRequest, str, int]:
        """Return the question in the body, a digest of the body, and its size in bytes. The body itself is released."""
        body = await self._service.guard.read_body(request)
        question, digest = await self._service.convert_body(
            len(body), lambda: (decode_body(body, PanelsRequest), sha256(body).hexdigest())
        )
        return question, digest, len(body)

    def _make_batch(self, question: PanelsRequest, owner: str) -> PanelSource:
        runs = OwnedRuns(self._service.tools, owner)
        return batch_for_request(question, self._service.directory, self._service.settings, runs)

    async def get_or_delete_stream(self, request: Request) -> Response:
        """Answer `GET /v1/streams/{id}` with the events after a position, or with a snapshot and the rest."""
        if request.method == "DELETE":
            return await self._delete_stream(request)
        owner = self._service.guard.find_owner(request)
        id = request.path_params["id"]
        found = await self._require_or_404(owner, id)
        position = read_position(request)
        if position is None:
            self._service.admit_reader(request, owner, id)
            return self._readable_response(request, id, self._frame_snapshot(owner, id))
        if position.stream not in ("", id):
            raise RequestRefused(400, "invalid_request", "this last-event-id was read from another stream")
        if found.ended and position.number >= found.last:
            return Response(status_code=204)
        return self._follow_stream(request, owner, id, position.number)

    async def list_streams(self, request: Request) -> Response:
        """Answer `GET /v1/streams` with the running streams of the owner, in any worker."""
        owner = self._service.guard.find_owner(request)
        found = [
            {"id": stream_name(slot, head), "panels": list(head.panel_ids)}
            for slot, head in await self._service.streams.log.running(owner)
        ]
        return JSONResponse({"streams": found})

    async def _delete_stream(self, request: Request) -> Response:
        """Answer `DELETE /v1/streams/{id}`: end all panels, or the one that `panel_id` names."""
        owner = self._service.guard.find_owner(request)
        id = request.path_params["id"]
        found = await self._require_or_404(owner, id)
        panel_id = request.query_params.get("panel_id")
        if panel_id is not None and panel_id not in found.head.panel_ids:
            raise RequestRefused(404, "not_found", "there is no such panel in this stream")
        if not found.ended:
            await self._service.streams.stop_stream(slot_of(id)[0], panel_id)
        return Response(status_code=204)

    async def chat_stream(self, request: Request) -> Response:
        """Answer `/chat/stream?prompt=`, as in the guide.

        An `EventSource` always uses the same address. So the ids of its events name the stream before the number, and
        the position that it sends after a lost connection names the stream, too.
        """
        owner = self._service.guard.find_owner(request)
        if request.method == "HEAD":
            raise RequestRefused(405, "method_not_allowed", "a HEAD would start a reply", {"allow": "GET, POST"})
        query = request.query_params
        chosen = convert_query({name: query[name] for name in ("provider", "model") if name in query}, PanelRequest)
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
                return Response(status_code=204)  # at this status, an EventSource stops reconnecting
            return self._follow_stream(request, owner, position.stream, position.number, named=True)
        name = await self._service.begin_stream(request, owner, self._make_batch(question, owner), digest)
        return self._follow_stream(request, owner, name, 0, named=request.method == "GET")

    async def list_providers(self, request: Request) -> Response:
        """Answer `GET /v1/providers` with the providers that requests may use, and the limits."""
        self._service.guard.find_owner(request)
        settings = self._service.settings
        return JSONResponse(
            {
                "providers": self._service.directory.list_providers(),
                "files": list_file_limits(),
                "default": self._service.directory.default_provider().name,
                "models": list(settings.models) or None,
                "tools": self._service.tools.list_tools(),
                "limits": {
                    "max_panels": settings.max_panels,
                    "max_prompt_chars": settings.max_prompt_chars,
                    "max_body_bytes": settings.max_body_bytes,
                    "max_tokens": settings.max_tokens,
                },
            }
        )

    async def report_health(self, request: Request) -> Response:
        """Answer `GET /healthz`: the process runs."""
        return JSONResponse({"status": "ok", "streams": len(self._service.streams)})

    async def report_readiness(self, request: Request) -> Response:
        """Answer `GET /readyz`: whether the server can take streams."""
        ready = not self._service.streams.closing and await self._service.log.ready()
        return JSONResponse({"status": "ok" if ready else "unavailable"}, status_code=200 if ready else 503)

    async def get_openapi(self, request: Request) -> Response:
        """Answer `GET /openapi.json`."""
        return JSONResponse(openapi.openapi_document())

    def _follow_stream(self, request: Request, owner: str, name: str, after: int, *, named: bool = False) -> Response:
        """Return a response with the events after a position.

        Args:
            request: The request, which becomes a reader.
            owner: Whose stream it is.
            name: The name of the stream.
            after: The number of the last event that the client has.
            named: Whether the ids of the events name the stream, too.

        Raises:
            RequestRefused: The stream or the client has too many readers.
        """
        self._service.admit_reader(request, owner, name)
        prefix = b"%b:" % name.encode() if named else b""
        opening = framing.OPENING
        if named:  # so that the client can come back even before the first event
            opening = b": msgmodel\nid: %b%d\n\n" % (prefix, after)
        pieces = self._frame_stream(owner, name, after, prefix)
        return self._readable_response(request, name, pieces, opening=opening)

    def _readable_response(
        self, request: Request, name: str, pieces: AsyncGenerator[Piece, None], **how: Any
    ) -> StreamResponse:
        """Return a response with the events of a stream, and with its progress if there is any."""
        response = self._service.stream_response(pieces, headers=_stream_headers(request, name), **how)
        self._service.streams.show_progress(slot_of(name)[0], response)
        return response

    async def _frame_stream(self, owner: str, name: str, after: int, prefix: bytes) -> AsyncGenerator[Piece, None]:
        # If the stream is lost, the body ends without a terminal event, and the client comes back for an answer.
        with suppress(StoreLost):
            async with self._service.read_lines(owner, name, after) as pages:
                async for first, lines in pages:
                    yield _frame_page(first, lines, prefix)

    async def _frame_snapshot(self, owner: str, name: str) -> AsyncGenerator[Piece, None]:
        """Yield the contents so far as one event, and then the rest."""
        slot, _ = slot_of(name)
        with suppress(StoreLost):
            found = await self._service.require_stream(owner, name)
            with self._service.streams.count_reader(slot):
                snapshot = await self._service.snapshots.take_snapshot(name, slot, found)
                after = snapshot.last
                yield framing.sse_frame_parts(after, *snapshot.parts)
                del snapshot
                async with aclosing(self._service.log.read(slot, after)) as pages:
                    async for first, lines in pages:
                        yield _frame_page(first, lines)

    async def _require_or_404(self, owner: str, name: str) -> StreamInfo:
        """Return the stream of that name. Raise RequestRefused if this owner has none; StreamExpired or StoreLost."""
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
    """Return a new exception: a shared one would keep every request that it was raised for."""
    return RequestRefused(
        400,
        "invalid_request",
        "a POST starts another stream: read the events after last-event-id at /v1/streams/{id}; with an "
        "idempotency-key, last-event-id must name the stream: STREAM:NUMBER, from x-stream-id",
    )


class _GuardedApp:
    """Checks the host and the origin of every request, and adds security headers to every response."""

    def __init__(self, app: ASGIApp, guard: Guard, readers: StreamReaders) -> None:
        self._app, self._guard, self._readers = app, guard, readers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["headers"] = list(scope["headers"])  # the server may add the trailers of the body to its own list
        request = Request(scope)
        begun = False

        async def say(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                self._guard.bodies.release_body(scope)
                message["headers"] = [*message["headers"], *_SECURITY_HEADERS, *shared]
            await send(message)

        shared = cors.headers_for_origin(self._guard.allowed_origin(request))
        try:
            path = _path_in_application(scope)
            if path not in _OPEN_PATHS:
                self._guard.check_single_headers(request)
                self._guard.check_host(request)
                if path not in ("", "/"):  # a page of any site may link to our page
                    self._guard.check_origin(request)
                if self._guard.allowed_origin(request) and cors.is_preflight(request):
                    await cors.answer_preflight(request)(scope, receive, say)
                    return
        except RequestRefused as refused:
            await _answer_refusal(request, refused)(scope, receive, say)
            return

        scope[DIRECT_SEND] = send
        scope[ADMITTED_READERS] = []
        try:
            await self._app(scope, receive, say)
        except ClientDisconnect:  # in the middle of its body: no client is left, and nothing is wrong
            pass
        except Exception as error:  # the framework would log its message
            response = await _answer_failure(request, error)
            if begun:
                raise RuntimeError("a response broke off") from None
            await response(scope, receive, say)
        finally:
            self._readers.release_reader(scope)
            self._guard.bodies.release_body(scope)
            del scope[DIRECT_SEND]  # it refers to the scope: a cycle


_SECURITY_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]


def _frame_page(first: int, lines: list[bytes], prefix: bytes = b"") -> Piece:
    if len(lines) > 1:
        return b"".join(framing.sse_frame(number, said, prefix) for number, said in enumerate(lines, first))
    (said,) = lines
    return (
        framing.sse_frame(first, said, prefix)
        if len(said) <= PAGE_BYTES
        else framing.sse_frame_parts(first, said, prefix=prefix)
    )


def _stream_headers(request: Request, id: str) -> dict[str, str]:
    """Return the headers that name the stream and its address."""
    root = quote(request.scope.get("root_path", ""), safe="/!$&'()*+,;=:@~")  # it may contain what the client wrote
    return {"x-stream-id": id, "location": f"{root}/v1/streams/{id}"}


def _path_in_application(scope: Scope) -> str:
    """Return the path within this application, which may be mounted."""
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
        refused = RequestRefused(
            503, "unavailable", "the stream store cannot be reached; try again later", {"retry-after": "5"}
        )
    else:  # without the message of the exception, which may quote anything
        _log.error("%s failed: %s", request.method, traceback_without_messages(error))
    return _answer_refusal(request, refused)
