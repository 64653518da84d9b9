"""One reader of a stream in Redis: its pages, and the decision when there are no more.

Rule: Redis is asked for the state of a stream only after a silence, and after a line that may be the last one.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from time import monotonic
from typing import Literal, Protocol, TypeAlias

from ..log import Lines, StoreLost, StreamInfo, page_after
from . import timing
from .shared_lines import SharedLines, is_terminal, missing_ends
from .tail import Subscription

StreamState: TypeAlias = Literal["running", "ended", "dead", "gone", "away"]
"""`dead`: its producer does not renew its lease. `gone`: Redis has lost it. `away`: Redis does not answer."""


class StateStore(Protocol):
    """What a reader needs of the log."""

    closed: bool

    async def find_state(self, id: str, instance: str) -> tuple[StreamState, int]:
        """Return the state of a stream, and the number of its last line."""

    async def end_for_dead_producer(self, id: str, instance: str) -> None:
        """Write the terminal events that a dead producer owes."""


class RedisReader:
    """Reads one stream from a position on.

    Args:
        log: The log that knows the state of the stream.
        id: The id of the stream.
        found: What is known of the stream at the start.
        subscription: Receives the entries after that position.
        shared_lines: The lines of all streams that this process reads, by id and instance.
    """

    def __init__(
        self,
        log: StateStore,
        id: str,
        found: StreamInfo,
        subscription: Subscription,
        shared_lines: MutableMapping[tuple[str, str], SharedLines],
    ) -> None:
        self.ended = found.ended
        self._log, self._id, self._head = log, id, found.head
        self._subscription = subscription
        self._after = subscription.after
        self._has_all = subscription.after == 0
        """Whether it has read the stream from its first line."""
        self._shared_lines = shared_lines
        self._shared_key = id, found.head.instance
        self._shared = shared_lines.setdefault(self._shared_key, SharedLines())
        self._asks_for_state = False
        self._is_lost = False
        self._dead_count = 0
        """How many times in a row the producer was found dead."""
        self._answered_at = monotonic()

    async def next_pages(self) -> list[Lines] | None:
        """Return the pages that have arrived, none after a silence, and None at the end. Raise StoreLost."""
        if self._asks_for_state and await self._is_over():
            return None
        entries = [] if self._log.closed else await self._subscription.take_entries(timing.LEASE_SECONDS / 2)
        if self._log.closed:  # the reader continues at another process
            raise StoreLost
        self._asks_for_state = not entries or is_terminal(entries[-1])
        return self._pages_of(entries) if entries else []

    def last_page(self) -> Lines | None:
        """Return the terminal events of a stream that Redis has lost, None of another. Raise StoreLost.

        Only a reader that has read all of the stream knows which events are missing.
        """
        if not self._is_lost:
            return None
        if not self._has_all:
            raise StoreLost
        return Lines(self._after + 1, missing_ends(self._shared.first_lines(self._after), self._head.panel_ids))

    def close(self) -> None:
        """Stop receiving entries."""
        self._subscription.close()

    def _pages_of(self, entries: list[Lines]) -> list[Lines]:
        """Return the pages of all entries together: a reader waits between two pages if the event loop is busy."""
        self._dead_count = 0
        lines = [line for entry in entries for line in entry.lines]
        entries.clear()
        shared = self._shared.share_lines(self._after + 1, lines, self._has_all)
        if shared is not self._shared:
            self._shared = self._shared_lines[self._shared_key] = shared
        pages, place = [], 0
        while place < len(lines):
            page = page_after(lines, place)
            pages.append(Lines(self._after + 1 + place, page))
            place += len(page)
        self._after += len(lines)
        return pages

    async def _is_over(self) -> bool:
        """Return whether the stream has no more lines. Raise StoreLost if Redis does not answer for too long."""
        state, last = await self._log.find_state(self._id, self._head.instance)
        if state != "away":
            self._answered_at = monotonic()
        elif monotonic() - self._answered_at > timing.PATIENCE_SECONDS:
            raise StoreLost
        if state == "gone" or (self._has_all and last < self._after):
            self._is_lost = True
            return True
        self.ended = state == "ended"
        if self.ended and not self._subscription.ready and last <= self._after:
            return True
        self._dead_count = self._dead_count + 1 if state == "dead" else 0
        if self._dead_count >= 2:  # after a pause of Redis, a living producer has had time to renew its lease
            await self._log.end_for_dead_producer(self._id, self._head.instance)
            self._dead_count = 0
        return False
