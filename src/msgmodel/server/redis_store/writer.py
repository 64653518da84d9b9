"""The producer's side of a stream in Redis: collects lines for a moment and writes them as one entry.

Rule: an entry is never written twice, and an end is written even if Redis was full before it.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from time import monotonic
from typing import Protocol

from redis.exceptions import OutOfMemoryError

from ..log import MAX_LINES, MAX_STREAM_BYTES, StopCommand, StoreFull, StoreLost, StreamFull
from ..redis_faults import REDIS_FAULTS, FaultLog, is_transient_fault
from . import timing
from .tail import COALESCE_SECONDS

MAX_WAITING_LINES = 4096
MAX_WAITING_BYTES = 1024 * 1024
"""Lines, and their bytes, that may wait to be written. With more, the producer waits: Redis is slower than it."""

END_LINES = 64
"""Lines that are reserved for the end of a stream."""


class EntryStore(Protocol):
    """What a writer needs of the log."""

    faults: FaultLog

    async def write_entry(self, keys: list[bytes], token: bytes, last: int, lines: list[bytes], ended: bool) -> None:
        """Write an entry, or only renew the lease if there are no lines."""

    def forget_writer(self, id: str, writer: RedisWriter) -> None:
        """Drop a writer that has ended."""

    async def unlist(self, id: str, owner: str) -> None:
        """List a stream no longer among those of its owner that run."""


class RedisWriter:
    """Writes one stream; see `StreamWriter`.

    Args:
        log: The log that writes the entries.
        id: The id of the stream.
        keys: The keys of the stream.
        token: Proves to Redis that this is the producer of the stream.
        owner: Whose stream it is.
    """

    def __init__(self, log: EntryStore, id: str, keys: list[str], token: bytes, owner: str) -> None:
        self.commands: asyncio.Queue[StopCommand] = asyncio.Queue()
        self.late = 0.0
        self._log, self._id, self._token, self._owner = log, id, token, owner
        self._keys = [key.encode() for key in keys]
        self._lines: list[bytes] = []
        self._size = 0
        self._waiting_bytes = 0
        self._count = 0
        self._written_count = 0
        self._flushing: asyncio.Task[None] | None = None
        self._is_ending = False
        self._pause: asyncio.Future[None] | None = None
        self._failure: Exception | None = None
        self._renewed_at = monotonic()

    async def append(self, line: bytes, *, owed: bool = False, at_once: bool = False) -> None:
        """Take the next line, to be written with those that follow within a moment."""
        if self._failure is not None and not (owed and isinstance(self._failure, StoreFull)):
            raise self._failure
        if not owed and (self._size + len(line) > MAX_STREAM_BYTES or self._count + END_LINES >= MAX_LINES):
            raise StreamFull
        self._size += len(line)
        self._count += 1
        self._waiting_bytes += len(line)
        self._lines.append(line)
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush_soon(0.0 if at_once else COALESCE_SECONDS))
        elif len(self._lines) > MAX_WAITING_LINES or self._waiting_bytes > MAX_WAITING_BYTES:
            # `await self._flushing` would cancel the write along with this wait (asyncio, "Task cancellation").
            await asyncio.wait((self._flushing,))

    async def end(self, lines: list[bytes]) -> None:
        """Write the last lines and the end as one entry."""
        try:
            self._is_ending = True
            if self._pause is not None:
                _finish_future(self._pause)
            if self._flushing is not None:
                await asyncio.wait((self._flushing,))
            if isinstance(self._failure, StoreLost):
                raise self._failure
            self._lines += lines
            self._waiting_bytes += sum(map(len, lines))
            await self._flush_lines(ended=True)
        finally:
            self._log.forget_writer(self._id, self)
        await self._log.unlist(self._id, self._owner)

    def renew_when_idle(self) -> None:
        """Renew the lease if nothing was written for a while."""
        is_idle = self._flushing is None or self._flushing.done()
        if is_idle and monotonic() - self._renewed_at >= timing.LEASE_SECONDS / 3:
            self._flushing = asyncio.create_task(self._flush_soon(0))

    async def _flush_soon(self, seconds: float) -> None:
        try:
            while True:
                await self._wait_for_more(seconds)
                if self._is_ending:
                    return  # the end writes the rest
                await self._flush_lines(ended=False)
                if not self._lines:
                    return
                seconds = COALESCE_SECONDS
        except StoreFull as error:
            self._failure = error  # the next line raises it, and the stream ends with what it has
        except StoreLost as error:
            self._failure = error
            self.commands.put_nowait(StopCommand("stop"))

    async def _wait_for_more(self, seconds: float) -> None:
        """Wait for more lines, but not longer than until the end of the stream."""
        if seconds and not self._is_ending:
            loop = asyncio.get_running_loop()
            self._pause = loop.create_future()
            timer = loop.call_later(seconds, _finish_future, self._pause)
            try:
                await self._pause
            finally:
                timer.cancel()

    async def _flush_lines(self, *, ended: bool) -> None:
        """Write the collected lines, again and again while Redis cannot be reached."""
        until = monotonic() + timing.PATIENCE_SECONDS
        lines = self._lines[:]
        last = self._written_count + len(lines)
        begun_at = monotonic()
        while True:
            try:
                await self._log.write_entry(self._keys, self._token, last, lines, ended)
                break
            except OutOfMemoryError as error:
                self._log.faults.log_fault(error)
                if self._is_ending and not ended:
                    return  # the lines go with the end, for which there is always room
                if monotonic() >= until:
                    raise StoreFull from None
                await self._renew_lease()
                await asyncio.sleep(0.5)
            except REDIS_FAULTS as error:
                self._log.faults.log_fault(error)
                if not is_transient_fault(error) or monotonic() >= until:
                    raise StoreLost from None
                await asyncio.sleep(0.2)
        del self._lines[: len(lines)]
        self._waiting_bytes -= sum(map(len, lines))
        self._written_count = last
        self._renewed_at = monotonic()
        self.late += 0.2 * (self._renewed_at - begun_at - self.late)

    async def _renew_lease(self) -> None:
        with suppress(*REDIS_FAULTS):
            await self._log.write_entry(self._keys, self._token, self._written_count, [], False)


def _finish_future(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
