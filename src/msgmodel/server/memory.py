"""How much memory all replies of a server take together, and which reply ends if that is too much.

Rules: all counts that a reply makes this process keep: what its panels hold, what it takes to join and encode the reply
at its end, and its lines in a log in memory. If there is too much, streams that have ended are dropped first. Then the
reply that wants to grow waits, and ends after a while; a reply below an equal share of the limit never does. So a flood
ends itself, and not the replies of other users.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import Protocol

from .log import MemoryLog, StoreFull

ROOM_SECONDS = 1.0
"""How long a reply waits for room before it ends. Its provider waits as long, because nothing reads the connection."""

ROOM_CHECK_SECONDS = 0.05

STALLED_READER_SECONDS = 5.0
"""A reader that took nothing for so long does not keep a stream that has ended; one that reads gets all of it."""

JOINED_FACTOR = 2
"""Bytes that a reply may take at its end for each byte that its panels hold: they hold every text in pieces and
joined, and the terminal event, encoded, contains it twice."""


class MemoryShort(StoreFull):
    """The replies of this server take all memory that they may."""


class CountedReply(Protocol):
    """A running stream, as the budget sees it."""

    panel_bytes: int
    """What its panels hold."""
    line_bytes: int
    """Its lines in the log."""


class MemoryBudget:
    """Counts the memory of all replies in this process.

    Args:
        limit: Bytes for all of them together.
        log: The log that keeps the lines in this process; None if they are kept elsewhere.
    """

    def __init__(self, limit: int, log: MemoryLog | None = None) -> None:
        self.limit = limit
        self._log = log
        self._bytes_by_reply: dict[CountedReply, int] = {}
        self._running_bytes = 0
        self._next_end_at = 0.0
        """The loop's time from which the next reply may be ended."""

    @property
    def used_bytes(self) -> int:
        """Bytes that all replies take now."""
        return self._running_bytes + (self._log.size if self._log is not None else 0)

    def count_reply(self, reply: CountedReply) -> None:
        """Count a reply, or count it again after it has grown."""
        counted = JOINED_FACTOR * reply.panel_bytes
        self._running_bytes += counted - self._bytes_by_reply.get(reply, 0)
        self._bytes_by_reply[reply] = counted

    def forget_reply(self, reply: CountedReply) -> None:
        """Count a reply no more. Its lines stay in the log."""
        self._running_bytes -= self._bytes_by_reply.pop(reply, 0)

    def has_room(self, reply: CountedReply) -> bool:
        """Return whether a reply may grow. If memory is short, drop streams that have ended first."""
        if self._is_within_limit() or self._drop_ended(inf):
            return True
        if JOINED_FACTOR * reply.panel_bytes + reply.line_bytes > self.limit // len(self._bytes_by_reply):
            return False
        self._drop_ended(STALLED_READER_SECONDS)
        return True

    async def wait_for_room(self, reply: CountedReply) -> None:
        """Wait until a reply may grow. Raise MemoryShort if that takes too long."""
        if self.has_room(reply):
            return
        loop = asyncio.get_running_loop()
        until = loop.time() + ROOM_SECONDS
        while True:
            await asyncio.sleep(ROOM_CHECK_SECONDS)
            if self.has_room(reply):
                return
            if loop.time() >= until and self.may_end_one():
                raise MemoryShort

    def may_end_one(self) -> bool:
        """Return whether a reply may be ended now, and count it.

        The end of a large reply takes the event loop for some milliseconds, and it may free enough for the others. So
        they end one after the other, and other streams have their turn in between.
        """
        now = asyncio.get_running_loop().time()
        if now < self._next_end_at:
            return False
        self._next_end_at = now + ROOM_CHECK_SECONDS
        return True

    def _is_within_limit(self) -> bool:
        return self.used_bytes <= self.limit

    def _drop_ended(self, reader_idle_seconds: float) -> bool:
        """Drop streams that have ended, oldest first; return whether that was enough."""
        if self._log is not None:
            self._log.drop_ended(self.used_bytes - self.limit, reader_idle_seconds=reader_idle_seconds)
        return self._is_within_limit()
