"""How many bytes of large bodies each client may have in the server's hands at a time.

Rule: a body counts from before it is read until its answer begins. What waits for its turn is not read meanwhile, so
that it costs no more than its socket, however many there are.
"""

from __future__ import annotations

import asyncio
from collections import Counter

from starlette.types import Scope

from .request_bodies import RequestRefused

SMALL_BYTES = 64 * 1024
"""A body that is no larger does not count: uvicorn reads as much by itself."""
MAX_WAITING = 16
WAIT_SECONDS = 30.0
TAKEN = "msgmodel.body"
"""In the scope of a request: for whom its body counts, and with how many bytes."""


class Bodies:
    """Counts the bytes of bodies by client. `limit`: in all at a time, or one body, if it is larger alone."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken: Counter[str] = Counter()
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}

    async def enter(self, scope: Scope, client: str, size: int) -> None:
        """Wait until a body of so many bytes may be read. Raises Refused."""
        if size <= SMALL_BYTES:
            return
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while self._taken[client] and self._taken[client] + size > self._limit:
                    await self._news(client)
        except TimeoutError:
            raise _too_many() from None
        self._taken[client] += size
        scope[TAKEN] = client, size

    def leave(self, scope: Scope) -> None:
        """Count the body of the request no more, if there is one."""
        client, size = scope.pop(TAKEN, ("", 0))
        if size:
            self._taken[client] -= size
            if not self._taken[client]:
                del self._taken[client]
            for news in self._waiting.pop(client, ()):
                if not news.done():
                    news.set_result(None)

    async def _news(self, client: str) -> None:
        """Wait until a body of the client's counts no more. Raises Refused."""
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
    words = "too many large requests at a time: wait until the ones before are answered"
    return RequestRefused(429, "too_many_bodies", words, {"retry-after": "5", "connection": "close"})
