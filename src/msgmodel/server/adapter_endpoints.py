"""The endpoints for other people's clients: the Vercel AI SDK, AG-UI, and everything that speaks OpenAI's chat API.

Rule: behind each is a stream like any other; only the words differ. Who is asked, and how, comes in fields of ours
beside those of the protocol: `provider`, `model`, `panels`, `options`.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from functools import partial
from hashlib import sha256
from time import time
from typing import Any, TypeVar, get_args

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from ..adapters import ag_ui, ai_sdk, openai_chat, read_body
from ..errors import MsgModelError
from ..events import BatchEvent, PanelError
from ..many import AsyncBatch
from ..messages import Message
from .log import StoreLost
from .request_bodies import Choice, RequestRefused, batch_for_choice, batch_for_single, check_number, decode
from .response import AI_SDK_HEADERS, encoded
from .service import Service

T = TypeVar("T")

FIRST_SECONDS = 10.0
"""How long the answer to OpenAI's clients waits for a first event, so that an error can still be an HTTP status."""

MAX_KEPT = 16_384
"""Characters that are kept of a chat for a day, so that its reply can be resumed: the ids of 400 calls."""


class _Resumable(msgspec.Struct):
    """What it takes to say the same stream again to the AI SDK."""

    id: str
    target: str
    message_id: str | None
    call_ids: list[str]
    panels: int


class AdapterEndpoints:
    """The endpoints of the adapters, on one service."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/adapters/ai-sdk/chat", self.ai_sdk, methods=["POST"]),
            Route("/adapters/ai-sdk/chat/{chat}/stream", self.resume, methods=["GET"]),
            Route("/adapters/ag-ui", self.ag_ui, methods=["POST"]),
            Route("/v1/chat/completions", self.completions, methods=["POST"]),
        ]

    async def ai_sdk(self, request: Request) -> Response:
        """`useChat`. `?target=v5`, `v6` or `v7`: the major version of the package `ai` in the browser."""
        owner, size, (choice, fields) = await self._read_posted(request, _read_choice)
        target = request.query_params.get("target", "v7")
        if target not in get_args(ai_sdk.Target):
            raise RequestRefused(422, "invalid_request", f"target must be one of {', '.join(get_args(ai_sdk.Target))}")

        def made() -> tuple[ai_sdk.Request, AsyncBatch]:
            read = _read(ai_sdk.read, fields)
            return read, self._batch(ai_sdk.read, fields, choice, read.messages)

        read, batch = await self._service.prepare(size, made)
        id = await self._service.begin_stream(request, owner, batch)
        kept = _Resumable(id, target, read.message_id or id, sorted(read.call_ids), len(batch.panel_ids))
        alias, said = _alias(owner, read.chat_id), msgspec.json.encode(kept).decode()
        await self._service.log.name(alias, said if len(said) <= MAX_KEPT else "")
        return self._ai_sdk(owner, alias, kept)

    async def resume(self, request: Request) -> Response:
        """The reply of a chat from its first chunk, as long as nobody has had all of it."""
        owner = self._service.guard.owner(request)
        alias = _alias(owner, request.path_params["chat"])
        kept = await self._service.log.named(alias)
        if not kept:
            return Response(status_code=204)
        resumed = msgspec.json.decode(kept, type=_Resumable)
        self._service.admit_reader(request, owner, resumed.id)
        return self._ai_sdk(owner, alias, resumed)

    def _ai_sdk(self, owner: str, alias: str, kept: _Resumable) -> Response:
        chunks = ai_sdk.Chunks(
            target=kept.target,  # type: ignore[arg-type]
            message_id=kept.message_id,
            call_ids=kept.call_ids,
            panels=kept.panels,
        )

        async def pieces() -> AsyncGenerator[bytes, None]:
            async with aclosing(self._pieces(owner, kept.id, chunks)) as made:
                async for piece in made:
                    yield piece
            with suppress(StoreLost):  # it was read to the end: there is nothing to resume
                if await self._service.log.named(alias) == msgspec.json.encode(kept).decode():
                    await self._service.log.name(alias, "")

        return self._service.stream_response(pieces(), headers={"x-stream-id": kept.id, **AI_SDK_HEADERS})

    async def ag_ui(self, request: Request) -> Response:
        """AG-UI 1.0. Who is asked, and how, is in `forwardedProps`."""
        owner, size, (choice, fields) = await self._read_posted(request, _read_forwarded_choice)

        def made() -> tuple[ag_ui.Request, AsyncBatch]:
            read = _read(ag_ui.read, fields)
            if read.tools and choice.options.tools is msgspec.UNSET:
                choice.options.tools = read.tools
            return read, self._batch(ag_ui.read, fields, choice, read.messages)

        read, batch = await self._service.prepare(size, made)
        id = await self._service.begin_stream(request, owner, batch)
        panels = len(batch.panel_ids)
        chunks = ag_ui.Chunks(read.thread_id, read.run_id, call_ids=read.call_ids, panels=panels)
        return self._service.stream_response(self._pieces(owner, id, chunks), headers={"x-stream-id": id})

    async def completions(self, request: Request) -> Response:
        """OpenAI's chat completions, streamed or not; the model is `provider/model`."""
        try:
            owner, size, fields = await self._read_posted(request, read_body)
            read, batch = await self._service.prepare(size, partial(self._read_completion, fields))
        except MsgModelError as error:
            return JSONResponse(openai_chat.bad_request(error), status_code=400)
        id = await self._service.begin_stream(request, owner, batch)
        about: dict[str, Any] = {"id": f"chatcmpl-{id}", "created": int(time()), "model": read.model}
        is_streamed, include_usage = read.stream, read.include_usage
        del fields, read, batch  # which may hold large files, while the reply is awaited below
        events = self._events(owner, id, stop=True)
        if not is_streamed:
            return await self._completion(request, events, about)
        return await self._streamed(request, events, openai_chat.Chunks(**about, include_usage=include_usage))

    def _read_completion(self, fields: Any) -> tuple[openai_chat.Request, AsyncBatch]:
        service = self._service
        read = openai_chat.read(fields, provider=service.directory.default().name)
        return read, batch_for_single(read.provider, read.arguments, service.directory, service.settings)

    async def _completion(
        self, request: Request, events: AsyncGenerator[BatchEvent, None], about: dict[str, Any]
    ) -> Response:
        """The whole reply; the upstream is stopped where the client leaves before."""

        async def read() -> Any:
            last = None
            async with aclosing(events):
                async for event in events:
                    last = event
            return last

        reading = asyncio.create_task(read())
        left = asyncio.create_task(_left(request))
        await asyncio.wait((reading, left), return_when=asyncio.FIRST_COMPLETED)
        left.cancel()
        if not reading.done():
            reading.cancel()
            await asyncio.wait((reading,))
            return Response(status_code=499)
        last = reading.result()
        if last is None:
            raise StoreLost
        if last["event"] == "panel_error":
            return _openai_error(last)
        return JSONResponse(openai_chat.completion(last, **about))

    async def _streamed(
        self, request: Request, events: AsyncGenerator[BatchEvent, None], chunks: openai_chat.Chunks
    ) -> Response:
        """A stream; but what fails before its first event is an HTTP status, as with OpenAI itself."""
        first = asyncio.create_task(anext(events, None))
        left = asyncio.create_task(_left(request))
        await asyncio.wait((first, left), timeout=FIRST_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if left.done():
            first.cancel()
            await asyncio.wait((first,))
            await events.aclose()
            return Response(status_code=499)
        left.cancel()
        if first.done():
            event = first.result()
            if event is not None and event["event"] == "panel_error":
                await events.aclose()
                return _openai_error(event)

        async def rest() -> AsyncGenerator[BatchEvent, None]:
            try:
                event = await first
                if event is not None:
                    yield event
                    async for event in events:
                        yield event
            finally:
                first.cancel()
                await asyncio.wait((first,))
                await events.aclose()

        return self._service.stream_response(encoded(rest(), chunks))

    async def _read_posted(self, request: Request, read: Callable[[bytearray], T]) -> tuple[str, int, T]:
        """Return the owner of a request, the size of its body, and what `read` makes of the body, which is released."""
        owner = self._service.guard.owner(request)
        self._service.check_room(request, owner)
        body = await self._service.guard.body(request)
        return owner, len(body), await self._service.prepare(len(body), partial(read, body))

    def _batch(self, read: Any, fields: Any, choice: Choice, messages: list[Message]) -> AsyncBatch:
        """The panels that were chosen, each with its own parts of the messages that several panels wrote."""
        settings = self._service.settings
        check_number(choice.panels, settings)  # before all is read for each of them
        named = [panel.panel_id for panel in choice.panels if panel.panel_id]
        by_panel = {name: _read(read, fields, panel_id=name).messages for name in named}
        return batch_for_choice(choice, {"": messages} | by_panel, self._service.directory, settings)

    def _pieces(self, owner: str, id: str, chunks: Any) -> AsyncGenerator[bytes, None]:
        return encoded(self._events(owner, id), chunks)

    async def _events(self, owner: str, id: str, *, stop: bool = False) -> AsyncGenerator[BatchEvent, None]:
        """The events of a stream; `stop`: whoever leaves ends it, as this client can't come back."""
        ended = False
        try:
            with suppress(StoreLost):
                async with self._service.read_lines(owner, id, 0) as pages:
                    async for page in pages:
                        for said in page.lines:
                            yield msgspec.json.decode(said)
                ended = True
        finally:
            if stop and not ended:
                await self._service.streams.stop(id, None)


class _Forwarded(msgspec.Struct):
    forwardedProps: Choice | None = None  # noqa: N815 (the protocol's own name)


def _openai_error(error: PanelError) -> Response:
    """The answer to a client that tries again by itself where the status says so."""
    waits = {} if error["retry_after"] is None else {"retry-after": f"{math.ceil(error['retry_after'])}"}
    return JSONResponse(openai_chat.error(error), status_code=openai_chat.status_of(error), headers=waits)


def _read_choice(body: bytearray) -> tuple[Choice, Any]:
    """Return who is asked, and the fields of the protocol, which stand beside that."""
    return decode(body, Choice), _read(read_body, body)


def _read_forwarded_choice(body: bytearray) -> tuple[Choice, Any]:
    """Return who is asked, by `forwardedProps`, and the fields of the protocol."""
    fields = _read(read_body, body)
    return decode(body, _Forwarded).forwardedProps or Choice(), fields


def _read(read: Any, body: Any, **how: Any) -> Any:
    try:
        return read(body, **how)
    except MsgModelError as error:
        raise RequestRefused(422, "invalid_request", error.message) from None


def _alias(owner: str, chat: str) -> str:
    digest = sha256(chat.encode("utf-8", "surrogatepass")).hexdigest()  # an id may be as long as its request
    return f"ai-sdk\0{owner}\0{digest}"


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
