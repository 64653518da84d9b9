"""The contents of a stream so far as one event, made once and shared by all of its readers.

Rule: each stream has at most one snapshot in memory, however many readers it has and however slow they are. A reader
that arrives while a snapshot is being sent gets the same one, and then the events after it.
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
from .streams import TERMINAL_EVENTS
from .transcript import Transcript

LARGE_BYTES = 1024 * 1024
"""Bytes of lines from which a snapshot is encoded in a thread."""


class Snapshot:
    """The contents up to an event, as the parts of a line.

    Args:
        last: The number of that event.
        parts: The line in parts, because the terminal events in it are large and belong to the log, too.
    """

    def __init__(self, last: int, parts: tuple[bytes, ...]) -> None:
        self.last = last
        self.parts = parts


class _TerminalFields(msgspec.Struct):
    """The fields that we read from a large terminal event. The rest is copied as it is."""

    event: str
    panel_id: str | None = None
    provider: str | None = None
    model: str | None = None


class Snapshots:
    """Makes snapshots, and keeps those that are being sent."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._sent: WeakValueDictionary[str, Snapshot] = WeakValueDictionary()
        self._made: dict[str, asyncio.Task[Snapshot]] = {}

    async def take_snapshot(self, name: str, slot: str, found: StreamInfo) -> Snapshot:
        """Return a snapshot of a stream.

        Args:
            name: The name of the stream.
            slot: The id under which the log keeps it.
            found: What the log knows about it now.

        Raises:
            StoreLost: The log dropped the stream.
        """
        sent = self._sent.get(name)
        if sent is not None:
            return sent
        making = self._made.get(name)
        if making is None:
            making = self._made[name] = asyncio.create_task(self._make_snapshot(name, slot, found))
            making.add_done_callback(lambda made: self._forget_task(name, made))
        return await asyncio.shield(making)  # a reader that leaves does not end it for the others

    async def _make_snapshot(self, name: str, slot: str, found: StreamInfo) -> Snapshot:
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
                    if len(each) > PAGE_BYTES and (end := _terminal_fields(each)) is not None:
                        ends[end["panel_id"]] = each
                        panels.add_event(end)
                    else:
                        panels.add_event(msgspec.json.decode(each))
                count += len(page.lines)
                await asyncio.sleep(0)  # other tasks have their turn after each page
        said = panels.make_snapshot()
        mark = new_id()  # stands for a large terminal event, whose line becomes a part
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

    def _forget_task(self, name: str, made: asyncio.Task[Snapshot]) -> None:
        self._made.pop(name, None)
        if not made.cancelled():
            made.exception()  # the waiting readers get it; if all have left, it is dropped


def _terminal_fields(said: bytes) -> Any:
    """Return the small fields of a terminal event, None for another event."""
    end = msgspec.json.decode(said, type=_TerminalFields)
    return msgspec.structs.asdict(end) if end.event in TERMINAL_EVENTS else None
