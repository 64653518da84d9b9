"""The endpoints for clients of other protocols: the Vercel AI SDK, AG-UI, and OpenAI's chat completions.

Rule: each endpoint has a stream like any other behind it; only the protocol differs. Our own fields `provider`,
`model`, `panels` and `options`, beside those of the protocol, choose whom to ask and how.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from hashlib import sha256
from typing import Any, get_args

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ..adapters import ag_ui, ai_sdk, read_body
from ..errors import MsgModelError
from ..messages import Message
from .adapter_streams import read_posted, stream_events
from .completions import CompletionEndpoints
from .log import StoreLost
from .panel_source import PanelSource
from .request_batches import batch_for_choice, check_panel_count
from .request_bodies import Choice, RequestRefused, decode_body
from .response import AI_SDK_HEADERS, encode_for_adapter
from .service import Service

MAX_CHAT_CHARS = 16_384
"""Characters kept of a chat for a day, so that its reply can be resumed: the ids of 400 calls."""


class _ResumableChat(msgspec.Struct):
    """What is needed to send the same stream to the AI SDK again."""

    id: str
    target: str
    message_id: str | None
    call_ids: list[str]
    panels: int


class AdapterEndpoints:
    """The endpoints of the adapters.

    Args:
        service: The service of the application.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> list[BaseRoute]:
        """Return the routes of all adapters."""
        return [
            Route("/adapters/ai-sdk/chat", self.answer_ai_sdk, methods=["POST"]),
            Route("/adapters/ai-sdk/chat/{chat}/stream", self.resume_ai_sdk, methods=["GET"]),
            Route("/adapters/ai-sdk/chat/{chat}/stream", self.stop_ai_sdk, methods=["DELETE"]),
            Route("/adapters/ag-ui", self.answer_ag_ui, methods=["POST"]),
            Route("/v1/chat/completions", CompletionEndpoints(self._service).answer_completions, methods=["POST"]),
        ]

    async def answer_ai_sdk(self, request: Request) -> Response:
        """Answer `useChat`.

        `?target=v5`, `v6` or `v7` is the major version of the package `ai` in the browser. `?resume=false`: a client
        that leaves stops the reply, because it will not come back.
        """
        owner, size, (choice, fields) = await read_posted(self._service, request, _read_choice)
        target = request.query_params.get("target", "v7")
        if target not in get_args(ai_sdk.Target):
            raise RequestRefused(422, "invalid_request", f"target must be one of {', '.join(get_args(ai_sdk.Target))}")

        resume = request.query_params.get("resume", "true")
        if resume not in ("true", "false"):
            raise RequestRefused(422, "invalid_request", "resume must be true or false")

        def make_batch() -> tuple[ai_sdk.Request, PanelSource]:
            read = _read_protocol(ai_sdk.read, fields)
            if read.tools and choice.options.tools is msgspec.UNSET:
                choice.options.tools = read.tools
            return read, self._make_batch(ai_sdk.read, fields, choice, read.messages)

        read, batch = await self._service.convert_body(size, make_batch)
        id = await self._service.begin_stream(request, owner, batch)
        kept = _ResumableChat(id, target, read.message_id or id, sorted(read.call_ids), len(batch.panel_ids))
        alias, said = _chat_alias(owner, read.chat_id), msgspec.json.encode(kept).decode()
        may_resume = resume == "true" and len(said) <= MAX_CHAT_CHARS
        await self._service.log.name(alias, said if may_resume else "")
        return self._ai_sdk_response(owner, alias, kept, stop=resume == "false")

    async def resume_ai_sdk(self, request: Request) -> Response:
        """Answer with the reply of a chat from its first chunk, unless a client has read it to the end."""
        owner = self._service.guard.find_owner(request)
        alias = _chat_alias(owner, request.path_params["chat"])
        kept = await self._service.log.named(alias)
        if not kept:
            return Response(status_code=204)
        resumed = msgspec.json.decode(kept, type=_ResumableChat)
        self._service.admit_reader(request, owner, resumed.id)
        return self._ai_sdk_response(owner, alias, resumed)

    async def stop_ai_sdk(self, request: Request) -> Response:
        """Stop the reply of a chat. It can't be resumed after that, so a reload of the page does not bring it back."""
        owner = self._service.guard.find_owner(request)
        alias = _chat_alias(owner, request.path_params["chat"])
        kept = await self._service.log.named(alias)
        if kept:
            await self._service.log.name(alias, "")
            await self._service.streams.stop_stream(msgspec.json.decode(kept, type=_ResumableChat).id, None)
        return Response(status_code=204)

    def _ai_sdk_response(self, owner: str, alias: str, kept: _ResumableChat, *, stop: bool = False) -> Response:
        chunks = ai_sdk.Chunks(
            target=kept.target,  # type: ignore[arg-type]
            message_id=kept.message_id,
            call_ids=kept.call_ids,
            panels=kept.panels,
        )

        async def pieces() -> AsyncGenerator[bytes, None]:
            async with aclosing(self._encoded_events(owner, kept.id, chunks, stop=stop)) as made:
                async for piece in made:
                    yield piece
            with suppress(StoreLost):  # it was read to its end, so there is nothing to resume
                if await self._service.log.named(alias) == msgspec.json.encode(kept).decode():
                    await self._service.log.name(alias, "")

        return self._service.stream_response(pieces(), headers={"x-stream-id": kept.id, **AI_SDK_HEADERS})

    async def answer_ag_ui(self, request: Request) -> Response:
        """Answer a client of AG-UI 1.0. `forwardedProps` chooses whom to ask and how."""
        owner, size, (choice, fields) = await read_posted(self._service, request, _read_forwarded_choice)

        def make_batch() -> tuple[ag_ui.Request, PanelSource]:
            read = _read_protocol(ag_ui.read, fields)
            if read.tools and choice.options.tools is msgspec.UNSET:
                choice.options.tools = read.tools
            return read, self._make_batch(ag_ui.read, fields, choice, read.messages)

        read, batch = await self._service.convert_body(size, make_batch)
        id = await self._service.begin_stream(request, owner, batch)
        panels = len(batch.panel_ids)
        chunks = ag_ui.Chunks(read.thread_id, read.run_id, call_ids=read.call_ids, panels=panels)
        return self._service.stream_response(self._encoded_events(owner, id, chunks), headers={"x-stream-id": id})

    def _make_batch(self, read: Any, fields: Any, choice: Choice, messages: list[Message]) -> PanelSource:
        """Return the chosen panels. Each gets its own parts of messages that several panels have written."""
        settings = self._service.settings
        check_panel_count(choice.panels, settings)  # before the messages are read for each of them
        named = [panel.panel_id for panel in choice.panels if panel.panel_id]
        by_panel = {name: _read_protocol(read, fields, panel_id=name).messages for name in named}
        return batch_for_choice(choice, {"": messages} | by_panel, self._service.directory, settings)

    def _encoded_events(self, owner: str, id: str, chunks: Any, *, stop: bool = False) -> AsyncGenerator[bytes, None]:
        return encode_for_adapter(stream_events(self._service, owner, id, stop=stop), chunks)


class _ForwardedFields(msgspec.Struct):
    forwardedProps: Choice | None = None  # noqa: N815 (the protocol's own name)


def _read_choice(body: bytearray) -> tuple[Choice, Any]:
    """Return the choice of panels, and the fields of the protocol beside it."""
    return decode_body(body, Choice), _read_protocol(read_body, body)


def _read_forwarded_choice(body: bytearray) -> tuple[Choice, Any]:
    """Return the choice of panels in `forwardedProps`, and the fields of the protocol."""
    fields = _read_protocol(read_body, body)
    return decode_body(body, _ForwardedFields).forwardedProps or Choice(), fields


def _read_protocol(read: Any, body: Any, **how: Any) -> Any:
    try:
        return read(body, **how)
    except MsgModelError as error:
        raise RequestRefused(422, "invalid_request", error.message) from None


def _chat_alias(owner: str, chat: str) -> str:
    digest = sha256(chat.encode("utf-8", "surrogatepass")).hexdigest()  # an id may be as long as its request
    return f"ai-sdk\0{owner}\0{digest}"
