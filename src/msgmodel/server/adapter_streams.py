"""What the endpoints of other protocols share: how they read a request, and the events of the stream behind it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

import msgspec
from starlette.requests import Request

from ..events import BatchEvent
from .log import StoreLost
from .service import Service

T = TypeVar("T")


async def read_posted(service: Service, request: Request, read: Callable[[bytearray], T]) -> tuple[str, int, T]:
    """Return the owner of a request, the size of its body, and what `read` makes of the body, which is released."""
    owner = service.guard.find_owner(request)
    service.check_stream_room(request, owner)
    body = await service.guard.read_body(request)
    return owner, len(body), await service.convert_body(len(body), partial(read, body))


async def stream_events(
    service: Service, owner: str, id: str, *, stop: bool = False
) -> AsyncGenerator[BatchEvent, None]:
    """Yield the events of a stream.

    Args:
        service: The service of the application.
        owner: Whose stream it is.
        id: The name of the stream.
        stop: Whether to end the stream if the client leaves, because it cannot come back.
    """
    ended = False
    try:
        with suppress(StoreLost):
            async with service.read_lines(owner, id, 0) as pages:
                async for page in pages:
                    for said in page.lines:
                        yield msgspec.json.decode(said)
            ended = True
    finally:
        if stop and not ended:
            await service.streams.stop_stream(id, None)


async def client_left(request: Request) -> None:
    """Wait until the client has left."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
