"""`/v1/chat/completions` for clients of OpenAI's API: each choice is a panel, and every answer is in this API's words.

Rule: the provider is asked again here, so a failure says `x-should-retry: false`: OpenAI's clients would ask again too.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from functools import partial, wraps
from time import time
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..adapters import openai_chat, read_body
from ..errors import MsgModelError
from ..events import BatchEvent, PanelEnd, PanelError
from ..many import AsyncBatch
from .adapter_streams import client_left, read_posted, stream_events
from .log import StoreLost
from .public_events import message_for_client
from .request_batches import batch_for_choices
from .request_bodies import RequestOptions, RequestRefused
from .response import encode_for_adapter
from .service import Service

FIRST_EVENT_SECONDS = 10.0
"""How long a response to OpenAI's clients waits for a first event, so that an error can still be an HTTP status."""

_TYPES_BY_STATUS = {
    401: "authentication_error",
    403: "permission_error",
    429: "rate_limit_error",
}


def in_words_of_openai(
    answer: Callable[[Any, Request], Awaitable[Response]],
) -> Callable[[Any, Request], Awaitable[Response]]:
    """Return an endpoint whose refusals have the shape and the statuses of OpenAI's API."""

    @wraps(answer)
    async def worded(self: Any, request: Request) -> Response:
        try:
            return await answer(self, request)
        except RequestRefused as refused:
            status = 400 if refused.status == 422 else refused.status
            kind = _TYPES_BY_STATUS.get(status, "server_error" if status >= 500 else "invalid_request_error")
            words = openai_chat.words_of_api(refused.message)
            return JSONResponse(openai_chat.error_body(words, kind, refused.code), status, refused.headers)

    return worded


class CompletionEndpoints:
    """The endpoint of chat completions.

    Args:
        service: The service of the application.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    @in_words_of_openai
    async def answer_completions(self, request: Request) -> Response:
        """Answer with OpenAI's chat completions, streamed or not. The model is `provider/model`."""
        try:
            owner, size, fields = await read_posted(self._service, request, read_body)
            read, batch, retries = await self._service.convert_body(size, partial(self._read_completion, fields))
        except MsgModelError as error:
            public_error = MsgModelError(message_for_client(error))
            return JSONResponse(openai_chat.bad_request(public_error), status_code=400)
        panel_ids = batch.panel_ids
        id = await self._service.begin_stream(request, owner, batch)
        about: dict[str, Any] = {
            "id": f"chatcmpl-{id}",
            "created": int(time()),
            "model": read.model,
            "one_call": read.one_call,
        }
        is_streamed, include_usage = read.stream, read.include_usage
        del fields, read, batch  # they may hold large files, and the reply takes a while
        events = stream_events(self._service, owner, id, stop=True)
        headers = {"x-request-id": id}
        failure_headers = headers | ({"x-should-retry": "false"} if retries else {})
        if not is_streamed:
            return await self._whole_completion(request, events, panel_ids, about, headers, failure_headers)
        chunks = openai_chat.Chunks(**about, include_usage=include_usage, panels=len(panel_ids))
        return await self._streamed_completion(request, events, chunks, headers, failure_headers)

    def _read_completion(self, fields: Any) -> tuple[openai_chat.Request, AsyncBatch, int]:
        """Return the request, its panels, and how often the server asks again after a failure."""
        service = self._service
        read = openai_chat.read(fields, provider=service.directory.default_provider().name)
        _check_options(fields)
        batch = batch_for_choices(read.provider, read.arguments, read.n, service.directory, service.settings)
        return read, batch, read.arguments.get("max_retries", 2)

    async def _whole_completion(
        self,
        request: Request,
        events: AsyncGenerator[BatchEvent, None],
        panel_ids: list[str],
        about: dict[str, Any],
        headers: dict[str, str],
        failure_headers: dict[str, str],
    ) -> Response:
        """Return the complete reply. If the client leaves before, stop the stream."""
        reading = asyncio.create_task(_read_ends(events))
        left = asyncio.create_task(client_left(request))
        await asyncio.wait((reading, left), return_when=asyncio.FIRST_COMPLETED)
        left.cancel()
        if not reading.done():
            reading.cancel()
            await asyncio.wait((reading,))
            return Response(status_code=499)
        found = reading.result()
        if len(found) < len(panel_ids):
            raise StoreLost
        finals = []
        for panel_id in panel_ids:
            end = found[panel_id]
            if end["event"] == "panel_error":
                return _openai_error(end, failure_headers)
            finals.append(end)
        return JSONResponse(openai_chat.completion(finals, **about), headers=headers)

    async def _streamed_completion(
        self,
        request: Request,
        events: AsyncGenerator[BatchEvent, None],
        chunks: openai_chat.Chunks,
        headers: dict[str, str],
        failure_headers: dict[str, str],
    ) -> Response:
        """Return a stream; a failure before its first event becomes an HTTP status, as at OpenAI."""
        first = asyncio.create_task(_read_first(events))
        left = asyncio.create_task(client_left(request))
        await asyncio.wait((first, left), timeout=FIRST_EVENT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
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
                return _openai_error(event, failure_headers)

        async def rest() -> AsyncGenerator[BatchEvent, None]:
            try:
                if (event := await first) is not None:
                    yield event
                    async for event in events:
                        yield event
            finally:
                first.cancel()
                await asyncio.wait((first,))
                await events.aclose()

        return self._service.stream_response(encode_for_adapter(rest(), chunks), headers=headers)


def _check_options(fields: Any) -> None:
    """Raise RequestRefused if an option has a value that no request may set."""
    options = fields.values.get("options")
    if isinstance(options, dict):
        plain = {name: value for name, value in options.items() if value is not None}
        try:
            msgspec.convert(plain, RequestOptions)
        except msgspec.ValidationError as error:
            raise RequestRefused(422, "invalid_request", f"options: {error}") from None


async def _read_first(events: AsyncGenerator[BatchEvent, None]) -> BatchEvent | None:
    """Return the first event that the client gets something of: before it, the provider may be asked again."""
    async for event in events:
        if event["event"] != "panel_retry":
            return event
    return None


async def _read_ends(events: AsyncGenerator[BatchEvent, None]) -> dict[str, PanelEnd]:
    """Return the terminal event of each panel."""
    ends: dict[str, PanelEnd] = {}
    async with aclosing(events):
        async for event in events:
            if event["event"] in ("panel_final", "panel_error"):
                ends[event["panel_id"]] = event
    return ends


def _openai_error(error: PanelError, headers: dict[str, str]) -> Response:
    """Return the response for an error. The client repeats the request on its own if the headers allow it."""
    waits = {} if error["retry_after"] is None else {"retry-after": f"{math.ceil(error['retry_after'])}"}
    return JSONResponse(
        openai_chat.error(error), status_code=openai_chat.status_of(error), headers={**headers, **waits}
    )
