"""One connection to Redis that waits for news of everything that this process reads. See `redis_log`.

Rule: nothing is lost between two waits, as each reader's place is part of what is asked. A reader who is behind, as it
comes late or is slow, reads for itself until it is there: what waits for it is bounded, and nobody waits for it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ...http.loop_alarm import LoopAlarm
from ..log import PAGE_BYTES, Lines
from ..redis_faults import FAULTS, FaultLog

COALESCE_SECONDS = 0.03
KEY_SECONDS = 0.00005
"""Between two waits, for each stream that is waited for: to ask for many costs more, and finds more at once."""
BLOCK_SECONDS = 1.0
UNBLOCK_SECONDS = 0.005
"""After which it is told once more to end a wait that it did not know of."""
HEARD_SECONDS = 2.0
"""How long it is waited for that what was told is heard."""
AHEAD = 64
"""Entries of one stream that may wait for a slow reader."""
PAGE = 2 * AHEAD
"""Entries that one who is behind reads at once, if they are small."""
AHEAD_BYTES = 4 * PAGE_BYTES
"""As much as may wait for a slow reader."""
_PAGE = """
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
    """One reader's place in one stream."""

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
            tail.add(self)

    @property
    def wants(self) -> bool:
        return len(self.ready) < AHEAD and self._size < AHEAD_BYTES

    def put(self, last: int, packed: bytes) -> None:
        """An entry; one that was had is passed over, and of one that was had in part, the rest is taken."""
        lines = packed.split(b"\n")
        first = last - len(lines) + 1
        if last <= self.after or first > self.after + 1:
            return  # asked for at another reader's place: what comes before it comes first
        if first <= self.after:
            lines, first = lines[self.after + 1 - first :], self.after + 1
        self.after = last
        self._size += len(packed)
        self.ready.append(Lines(first, lines))
        self._news.set()

    def let_go(self) -> None:
        """Ends the wait, though there is no news."""
        self._news.set()

    async def take(self, seconds: float) -> list[Lines]:
        """What is there; after so long a silence nothing."""
        if self._behind and not self.ready:
            await self._catch_up()
        if not self.ready:
            self._news.clear()
            self._alarm.begin(seconds)
            await self._news.wait()
            self._alarm.end()
        wanted = self.wants
        taken = list(self.ready)
        self.ready.clear()
        self._size = 0
        if not wanted and not self._behind:
            self._tail.remove(self)
            self._behind = True
        return taken

    async def _catch_up(self) -> None:
        """What it has not had, one page of it. With little, or where Redis can't be asked, it waits with the others."""
        entries, more = await self._tail.page(self.key, self.after)
        for last, packed in entries:
            self.put(last, packed)
        if not more:
            self._behind = False
            self._tail.add(self)

    def close(self) -> None:
        self._alarm.close()
        self._tail.remove(self)


class Tail:
    """Waits for news of all streams that this process reads, and for what its producers are told."""

    def __init__(
        self, client: Any, waiting: Any, commands: str, command: Callable[[dict[bytes, bytes]], None], faults: FaultLog
    ) -> None:
        self._faults = faults
        self.task: asyncio.Task[None] | None = None
        self._client, self._waiting = client, waiting
        self._page = client.register_script(_PAGE)
        self._commands, self._command = commands, command
        self._told = "0"
        self._commanded = asyncio.Event()
        self._listening = False
        self._subscriptions: dict[str, set[Subscription]] = {}
        self._connection: int | None = None
        self._blocked = False
        self._waits = 0
        """How many waits have ended."""

    def listen(self) -> None:
        """There is a producer here, which may be told something."""
        if not self._listening:
            self._listening = True
            self.wake()
        self._run()

    async def heard(self, place: bytes) -> None:
        """Waits until what was told up to that entry has been handed on."""
        with suppress(TimeoutError):
            async with asyncio.timeout(HEARD_SECONDS):
                while _numbers(self._told) < _numbers(place.decode()):
                    self._commanded.clear()
                    await self._commanded.wait()

    async def page(self, key: str, after: int) -> tuple[list[tuple[int, bytes]], bool]:
        """The next entries of a stream, each with the number of its last line, and whether there may be more."""
        try:
            entries, more = await self._page(keys=[key], args=[after + 1, PAGE, PAGE_BYTES])
        except FAULTS:
            return [], False
        return [(_last(place), packed) for place, packed in entries], bool(more)

    def add(self, subscription: Subscription) -> None:
        self._subscriptions.setdefault(subscription.key, set()).add(subscription)
        self._run()
        self.wake()

    def remove(self, subscription: Subscription) -> None:
        others = self._subscriptions.get(subscription.key, set())
        others.discard(subscription)
        if not others:
            self._subscriptions.pop(subscription.key, None)

    def let_go(self) -> None:
        """Ends the wait of all readers."""
        for subscriptions in self._subscriptions.values():
            for subscription in subscriptions:
                subscription.let_go()

    def wake(self) -> None:
        """What is waited for has changed."""
        if self._blocked and self._connection is not None:
            self._blocked = False
            self._waking = asyncio.create_task(self._unblock(self._connection, self._waits))

    async def _unblock(self, connection: int, wait: int) -> None:
        with suppress(*FAULTS):
            # Redis may hear of it before it hears of the wait, and then knows of nothing to end.
            while not await self._client.client_unblock(connection):
                await asyncio.sleep(UNBLOCK_SECONDS)
                if self._waits != wait:
                    return

    def _run(self) -> None:
        if self.task is None or self.task.done():
            self.task = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        while True:
            try:
                if self._connection is None:
                    self._connection = await self._waiting.client_id()
                await self._once()
            except FAULTS as error:
                task = asyncio.current_task()
                if task is not None and task.cancelling():  # which the library may have made a timeout of
                    return
                self._connection = None
                self._faults.say(error)
                await asyncio.sleep(0.5)

    async def _once(self) -> None:
        wanted: dict[str, str] = {}
        for key, subscriptions in self._subscriptions.items():
            places = [each.after for each in subscriptions if each.wants]
            if places:
                wanted[key] = f"{min(places)}-0"
        wanted[self._commands] = self._told
        self._blocked = True
        try:
            found = await self._waiting.xread(wanted, count=AHEAD, block=int(BLOCK_SECONDS * 1000))
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
                    if subscription.wants:
                        subscription.put(_last(place), fields[b"lines"])
        if found:
            await asyncio.sleep(max(COALESCE_SECONDS / 3, len(wanted) * KEY_SECONDS))


def _last(place: bytes) -> int:
    """The number of the last line of an entry, which its id is made of."""
    return int(place.partition(b"-")[0])


def _numbers(place: str) -> tuple[int, ...]:
    """The id of an entry, to be compared."""
    return tuple(map(int, place.split("-")))


def _by_key(found: Any) -> list[tuple[str, Any]]:
    """The answer of XREAD in either protocol: a list of pairs, or a map whose entries are in one more list."""
    if isinstance(found, dict):
        return [(key.decode(), [each for part in parts for each in part]) for key, parts in found.items()]
    return [(key.decode(), entries) for key, entries in found or ()]
