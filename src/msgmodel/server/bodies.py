"""Limits the bytes of large bodies that the server holds for one client at a time.

Rule: a body counts from before it is read until its response begins. A body that waits for its turn is not read, so it
costs only its socket.
"""

from __future__ import annotations

import asyncio
from collections import Counter

from starlette.types import Scope

from .request_bodies import RequestRefused

SMALL_BYTES = 64 * 1024
"""A body up to this size does not count, because uvicorn reads as much on its own."""

MAX_WAITING = 16
"""Bodies of one client that may wait."""

BODY_TURN_SECONDS = 30.0
"""How long a body may wait."""

COUNTED_BODY = "msgmodel.body"
"""The key in a request's scope for the client and the bytes that its body counts."""


class LargeBodies:
    """Counts the bytes of bodies by client.

    Args:
        limit: Bytes of all bodies of one client at a time. A single body may be larger.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken: Counter[str] = Counter()
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}

    async def wait_for_turn(self, scope: Scope, client: str, size: int) -> None:
        """Wait until a body of `size` bytes may be read. Raise RequestRefused if too many wait, or for too long."""
        if size <= SMALL_BYTES:
            return
        try:
            async with asyncio.timeout(BODY_TURN_SECONDS):
                while self._taken[client] and self._taken[client] + size > self._limit:
                    await self._wait_for_release(client)
        except TimeoutError:
            raise _too_many() from None
        self._taken[client] += size
        scope[COUNTED_BODY] = client, size

    def release_body(self, scope: Scope) -> None:
        """Stop counting the body of the request, if it has one."""
        client, size = scope.pop(COUNTED_BODY, ("", 0))
        if size:
            self._taken[client] -= size
            if not self._taken[client]:
                del self._taken[client]
            for news in self._waiting.pop(client, ()):
                if not news.done():
                    news.set_result(None)

    async def _wait_for_release(self, client: str) -> None:
        """Wait until the client has one body less. Raise RequestRefused if too many wait."""
        waiting = self._waiting.setdefault(client, [])
        if len(waiting) >= MAX_WAITING:
            raise _too_many()
        news = asyncio.get_running_loop().create_future()
        waiting.append(news)
        try:
            await news
        finally:
            if news in waiting:
                waiting.remove(news)
            if not waiting and self._waiting.get(client) is waiting:
                del self._waiting[client]


def _too_many() -> RequestRefused:
    words = "too many large requests at a time: wait for the responses to the earlier ones"
    return RequestRefused(429, "too_many_bodies", words, {"retry-after": "5", "connection": "close"})
