"""What a stream has said so far as one event: made once, and shared by all who read it at the time.

Rule: of each stream at most one snapshot is in memory, however many read it and however slowly. Who comes while one is
being sent gets the same, and the events after it.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any
from weakref import WeakValueDictionary

import msgspec

from ..wires.sse import encode_json_line
from .log import PAGE_BYTES, Log, StoreLost, StreamInfo
from .positions import new_id
from .streams import ENDS
from .transcript import Transcript

LARGE_BYTES = 1024 * 1024
"""What is larger is written in a thread."""


class Snapshot:
    """All that was said up to an event, as the parts of a line. `last`: the number of that event."""

    def __init__(self, last: int, parts: tuple[bytes, ...]) -> None:
        self.last = last
        self.parts = parts


class _End(msgspec.Struct):
    """What is read of a large terminal event: all else is taken over as it is."""

    event: str
    panel_id: str | None = None
    provider: str | None = None
    model: str | None = None


class Snapshots:
    """The snapshots that are being sent."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._sent: WeakValueDictionary[str, Snapshot] = WeakValueDictionary()
        self._made: dict[str, asyncio.Task[Snapshot]] = {}

    async def take(self, name: str, slot: str, found: StreamInfo) -> Snapshot:
        """Return a snapshot of the stream of this name, which is kept under `slot`. Raises Lost."""
        sent = self._sent.get(name)
        if sent is not None:
            return sent
        making = self._made.get(name)
        if making is None:
            making = self._made[name] = asyncio.create_task(self._make(name, slot, found))
            making.add_done_callback(lambda made: self._forget(name, made))
        return await asyncio.shield(making)  # who leaves does not end it for the others

    async def _make(self, name: str, slot: str, found: StreamInfo) -> Snapshot:
        panels = Transcript(found.head.panel_ids)
        ends: dict[str | None, bytes] = {}
        count = size = 0
        async with aclosing(self._log.read(slot, 0)) as pages:
            while count < found.last:
                page = await anext(pages, None)
                if page is None:
                    raise StoreLost
                for each in page.lines[: found.last - count]:
                    size += len(each)
                    if len(each) > PAGE_BYTES and (end := _end(each)) is not None:
                        ends[end["panel_id"]] = each
                        panels.add(end)
                    else:
                        panels.add(msgspec.json.decode(each))
                count += len(page.lines)
                await asyncio.sleep(0)  # others have their turn after each page
        said = panels.snapshot()
        mark = new_id()  # in the place of a large terminal event, whose line is a part as it is
        large = []
        for panel in said["panels"]:
            if panel["panel_id"] in ends:
                large.append(ends[panel["panel_id"]])
                panel["end"] = mark  # type: ignore[typeddict-item]
        written = await asyncio.to_thread(encode_json_line, said) if size > LARGE_BYTES else encode_json_line(said)
        first, *others = written.split(b'"%b"' % mark.encode())
        parts = [first]
        for end, other in zip(large, others, strict=True):
            parts += end, other
        snapshot = self._sent[name] = Snapshot(found.last, tuple(parts))
        return snapshot

    def _forget(self, name: str, made: asyncio.Task[Snapshot]) -> None:
        self._made.pop(name, None)
        if not made.cancelled():
            made.exception()  # those who wait for it are told; if all have left, it is nobody's


def _end(said: bytes) -> Any:
    """A terminal event, without what makes it large; None if it is another event."""
    end = msgspec.json.decode(said, type=_End)
    return msgspec.structs.asdict(end) if end.event in ENDS else None
