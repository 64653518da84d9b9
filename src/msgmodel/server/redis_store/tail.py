"""One connection to Redis that waits for the news of everything that this process reads.

Rule: no entry is lost between two waits, because each wait asks for the entries after the readers' positions. A reader
that is behind, because it arrived late or is slow, reads on its own until it has caught up. So what waits for it is
bounded, and no other reader waits for it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ...http.loop_alarm import LoopAlarm
from ..log import PAGE_BYTES, Lines
from ..redis_faults import REDIS_FAULTS, FaultLog

COALESCE_SECONDS = 0.03
"""Lines of so long a time become one entry."""
KEY_SECONDS = 0.00005
"""Pause between two waits, for each stream: a wait for many streams costs more, and finds more at once."""
BLOCK_SECONDS = 1.0
"""The longest wait."""
UNBLOCK_SECONDS = 0.005
"""Pause before Redis is asked again to end a wait that it had not yet seen."""
HEARD_SECONDS = 2.0
"""How long to wait until a command has been received."""
MAX_WAITING_ENTRIES = 64
"""Entries of one stream that may wait for a slow reader."""
MAX_PAGE_ENTRIES = 2 * MAX_WAITING_ENTRIES
"""Entries that a reader that is behind reads at once, if they are small."""
MAX_WAITING_BYTES = 4 * PAGE_BYTES
"""Bytes of one stream that may wait for a slow reader."""
# A script, as XRANGE bounds the number of entries by COUNT, but not their bytes: one entry can be megabytes.
_PAGE_SCRIPT = """
local found, size, from = {}, 0, ARGV[1]
while #found < tonumber(ARGV[2]) and size < tonumber(ARGV[3]) do
  local entry = redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', 1)[1]
  if not entry then return {found, 0} end
  found[#found + 1] = {entry[1], entry[2][2]}
  size = size + #entry[2][2]
  from = '(' .. entry[1]
end
return {found, 1}
"""


class Subscription:
    """One reader's position in one stream, and the entries that wait for it.

    Args:
        tail: The connection that waits for news.
        key: The key of the stream's log.
        after: The number of the last line that the reader has.
        behind: Whether there are more lines already.
    """

    def __init__(self, tail: Tail, key: str, after: int, behind: bool) -> None:
        self.key = key
        self.after = after
        self.ready: deque[Lines] = deque()
        self._size = 0
        self._tail = tail
        self._behind = behind
        self._news = asyncio.Event()
        self._alarm = LoopAlarm(self._news.set)
        if not behind:
            tail.add_subscription(self)

    @property
    def wants_entries(self) -> bool:
        return len(self.ready) < MAX_WAITING_ENTRIES and self._size < MAX_WAITING_BYTES

    def put_entry(self, last: int, packed: bytes) -> None:
        """Take an entry, or the part of it that the reader does not have yet."""
        lines = packed.split(b"\n")
        first = last - len(lines) + 1
        if last <= self.after or first > self.after + 1:
            return  # read for another reader: the entries before it come first
        if first <= self.after:
            lines, first = lines[self.after + 1 - first :], self.after + 1
        self.after = last
        self._size += len(packed)
        self.ready.append(Lines(first, lines))
        self._news.set()

    def end_wait(self) -> None:
        """End the wait without news."""
        self._news.set()

    async def take_entries(self, seconds: float) -> list[Lines]:
        """Return the entries that have arrived; none after `seconds` of silence."""
        if self._behind and not self.ready:
            await self._catch_up()
        if not self.ready:
            self._news.clear()
            self._alarm.begin(seconds)
            await self._news.wait()
            self._alarm.end()
        wanted = self.wants_entries
        taken = list(self.ready)
        self.ready.clear()
        self._size = 0
        if not wanted and not self._behind:
            self._tail.remove_subscription(self)
            self._behind = True
        return taken

    async def _catch_up(self) -> None:
        """Read one page on its own. If that was the last one, or Redis does not answer, wait with the others again."""
        entries, more = await self._tail.read_page(self.key, self.after)
        for last, packed in entries:
            self.put_entry(last, packed)
        if not more:
            self._behind = False
            self._tail.add_subscription(self)

    def close(self) -> None:
        self._alarm.close()
        self._tail.remove_subscription(self)


class Tail:
    """Waits for the news of all streams that this process reads, and for commands to its producers.

    Args:
        client: The client for commands.
        waiting: The client of the connection that waits.
        commands: The key of the commands for this process.
        command: Is called with the fields of each command.
        faults: The log for faults of Redis.
    """

    def __init__(
        self, client: Any, waiting: Any, commands: str, command: Callable[[dict[bytes, bytes]], None], faults: FaultLog
    ) -> None:
        self._faults = faults
        self.task: asyncio.Task[None] | None = None
        self._client, self._waiting = client, waiting
        self._page = client.register_script(_PAGE_SCRIPT)
        self._commands, self._command = commands, command
        self._told = "0"
        self._commanded = asyncio.Event()
        self._listening = False
        self._subscriptions: dict[str, set[Subscription]] = {}
        self._connection: int | None = None
        self._blocked = False
        self._waits = 0
        """The number of waits that have ended."""

    def listen_for_commands(self) -> None:
        """Wait for commands, too, because this process has a producer now."""
        if not self._listening:
            self._listening = True
            self.restart_wait()
        self._start_following()

    async def wait_for_command(self, place: bytes) -> None:
        """Wait until all commands up to that entry have been received."""
        with suppress(TimeoutError):
            async with asyncio.timeout(HEARD_SECONDS):
                while _place_numbers(self._told) < _place_numbers(place.decode()):
                    self._commanded.clear()
                    await self._commanded.wait()

    async def read_page(self, key: str, after: int) -> tuple[list[tuple[int, bytes]], bool]:
        """Return the next entries of a stream with the numbers of their last lines, and whether there may be more."""
        try:
            entries, more = await self._page(keys=[key], args=[after + 1, MAX_PAGE_ENTRIES, PAGE_BYTES])
        except REDIS_FAULTS:
            return [], False
        return [(_last_number(place), packed) for place, packed in entries], bool(more)

    def add_subscription(self, subscription: Subscription) -> None:
        self._subscriptions.setdefault(subscription.key, set()).add(subscription)
        self._start_following()
        self.restart_wait()

    def remove_subscription(self, subscription: Subscription) -> None:
        others = self._subscriptions.get(subscription.key, set())
        others.discard(subscription)
        if not others:
            self._subscriptions.pop(subscription.key, None)

    def end_all_waits(self) -> None:
        """End the waits of all readers."""
        for subscriptions in self._subscriptions.values():
            for subscription in subscriptions:
                subscription.end_wait()

    def restart_wait(self) -> None:
        """End the wait in Redis and begin a new one, because the streams to wait for have changed."""
        if self._blocked and self._connection is not None:
            self._blocked = False
            # Kept in an attribute: the loop refers to its tasks only weakly (asyncio, `create_task`).
            self._waking = asyncio.create_task(self._unblock_connection(self._connection, self._waits))

    async def _unblock_connection(self, connection: int, wait: int) -> None:
        with suppress(*REDIS_FAULTS):
            # This may reach Redis before the wait does, and then there is nothing to end.
            while not await self._client.client_unblock(connection):
                await asyncio.sleep(UNBLOCK_SECONDS)
                if self._waits != wait:
                    return

    def _start_following(self) -> None:
        if self.task is None or self.task.done():
            self.task = asyncio.create_task(self._follow_streams())

    async def _follow_streams(self) -> None:
        while True:
            try:
                if self._connection is None:
                    self._connection = await self._waiting.client_id()
                await self._wait_once()
            except REDIS_FAULTS as error:
                task = asyncio.current_task()
                if task is not None and task.cancelling():  # the client may have turned the cancellation into a timeout
                    return
                self._connection = None
                self._faults.log_fault(error)
                await asyncio.sleep(0.5)

    async def _wait_once(self) -> None:
        wanted: dict[str, str] = {}
        for key, subscriptions in self._subscriptions.items():
            places = [each.after for each in subscriptions if each.wants_entries]
            if places:
                wanted[key] = f"{min(places)}-0"
        wanted[self._commands] = self._told
        self._blocked = True
        try:
            found = await self._waiting.xread(wanted, count=MAX_WAITING_ENTRIES, block=int(BLOCK_SECONDS * 1000))
        finally:
            self._blocked = False
            self._waits += 1
        for key, entries in _by_key(found):
            if key == self._commands:
                for place, fields in entries:
                    self._told = place.decode()
                    self._command(fields)
                self._commanded.set()
                continue
            for place, fields in entries:
                for subscription in self._subscriptions.get(key, ()):
                    if subscription.wants_entries:
                        subscription.put_entry(_last_number(place), fields[b"lines"])
        if found:
            await asyncio.sleep(max(COALESCE_SECONDS / 3, len(wanted) * KEY_SECONDS))


def _last_number(place: bytes) -> int:
    """Return the number of the last line of an entry, which is the first part of its id."""
    return int(place.partition(b"-")[0])


def _place_numbers(place: str) -> tuple[int, ...]:
    """Return the id of an entry as numbers, which can be compared."""
    return tuple(map(int, place.split("-")))


def _by_key(found: Any) -> list[tuple[str, Any]]:
    """Return the entries by key from an answer of XREAD: a list of pairs (RESP2), or a map of lists (RESP3)."""
    if isinstance(found, dict):
        return [(key.decode(), [each for part in parts for each in part]) for key, parts in found.items()]
    return [(key.decode(), entries) for key, entries in found or ()]
