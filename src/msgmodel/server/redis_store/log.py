"""The log in Redis Streams: any worker on any machine reads any stream.

Rules: an entry holds the lines of at most 30 ms, and its id is the number of its last line, so no line is written twice
and none is out of order. A stream has one producer: its token is compared at every write, in Redis. A producer that is
dead lets its lease run out; whoever reads then ends the stream, with all the text that had arrived. All keys of one
stream have one hash tag. Each process has one connection that waits for news, for all that it reads.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator
from contextlib import suppress
from hashlib import sha256
from time import monotonic
from typing import Any, cast
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

import msgspec
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ClusterCrossSlotError, NoPermissionError, OutOfMemoryError

from ...errors import ConfigurationError
from ..log import (
    MAX_LINES,
    MAX_STREAM_BYTES,
    TOMBSTONE_SECONDS,
    TTL_SECONDS,
    Lines,
    StopCommand,
    StoreFull,
    StoreLost,
    StreamExpired,
    StreamFull,
    StreamHeader,
    StreamInfo,
    page_after,
)
from ..redis_faults import FAULTS, FaultLog, may_pass
from .lua import ALSO_IF_FULL, APPEND_LINES, BEGIN_STREAM, FIND_STREAM, TAKE_OVER_STREAM
from .script import Script
from .shared_lines import SharedLines, is_terminal, missing_ends
from .tail import BLOCK_SECONDS, COALESCE_SECONDS, Subscription, Tail

_log = logging.getLogger("msgmodel.server")

LEASE_SECONDS = 5.0
"""A producer that says nothing for so long is dead; less would end one whose machine only held its breath."""
PATIENCE_SECONDS = 20.0
"""How long a producer tries to write, and a reader waits, while Redis can't be reached."""


class RedisLog:
    """Keeps streams in Redis (7 or later). url: `redis://`, `rediss://` or `unix://`.

    ttl_seconds: how long a stream is kept after its end, or after the last sign of its producer. prefix: of all keys.
    Raises ConfigurationError for an address that is none.
    """

    def __init__(self, url: str, *, ttl_seconds: float = TTL_SECONDS, prefix: str = "msgmodel") -> None:
        if urlsplit(url).scheme not in ("redis", "rediss", "unix"):
            raise ConfigurationError("the address of Redis must begin with redis://, rediss:// or unix://")
        try:
            pool = redis.asyncio.BlockingConnectionPool.from_url(
                url,
                retry=Retry(ExponentialBackoff(cap=0.2, base=0.01), 2),
                socket_timeout=5.0,
                max_connections=64,  # where all are out, the next one waits
                timeout=5.0,
            )
            self.redis = redis.asyncio.Redis.from_pool(pool)
            # Of one connection, so that it never becomes another, whose id is not known, without an error.
            self._waiting = redis.asyncio.Redis.from_url(
                url, socket_timeout=BLOCK_SECONDS + 5, single_connection_client=True
            )
        except ValueError:
            raise ConfigurationError("the address of Redis can't be read") from None
        where = pool.connection_kwargs
        self.faults = FaultLog(where.get("path") or f"{where.get('host', 'localhost')}:{where.get('port', 6379)}")
        self._is_cluster: bool | None = None
        self.process = secrets.token_hex(8)
        self.ttl_ms = int(ttl_seconds * 1000)
        self.meta_ms = self.ttl_ms + int(TOMBSTONE_SECONDS * 1000)
        # As bytes, which a client for asyncio has not to make of them at each write.
        self._times = [b"%d" % each for each in (LEASE_SECONDS * 1000, self.ttl_ms, self.meta_ms)]
        self._prefix = prefix
        self._begin = Script(self.redis, BEGIN_STREAM, keys=3)
        self._find = Script(self.redis, FIND_STREAM, keys=2)
        self._append = Script(self.redis, APPEND_LINES, keys=3)
        self._owed = Script(self.redis, ALSO_IF_FULL + APPEND_LINES, keys=3)
        self._take_over = self.redis.register_script(TAKE_OVER_STREAM)
        self._writers: dict[str, _RedisWriter] = {}
        self._reading: dict[str, int] = {}
        self._shared: WeakValueDictionary[tuple[str, str], SharedLines] = WeakValueDictionary()
        self._tail = Tail(self.redis, self._waiting, self._commands(self.process), self._command, self.faults)
        self._keeper: asyncio.Task[None] | None = None
        self._closed = False

    async def begin(self, id: str, head: StreamHeader) -> _RedisWriter | None:
        token = secrets.token_hex(8).encode()
        known = head if head.instance else head[:3]  # which workers of version 5.0 can read, too
        fields: list[Any] = [token, msgspec.json.encode(known), self.process, int(LEASE_SECONDS * 1000), self.meta_ms]
        try:
            begun = await self._begin.run([*self.keys(id, head.instance), *fields])
        except FAULTS as error:
            self.faults.say(error)
            raise (StoreFull if isinstance(error, OutOfMemoryError) else StoreLost) from None
        if not begun:
            return None
        writer = self._writers[id] = _RedisWriter(self, id, head.instance, token)
        self._keep()
        self._tail.listen()
        return writer

    async def find(self, id: str) -> StreamInfo | None:
        try:
            (head, last, ended), kept = await self._find.run(self.keys(id)[:2])
        except FAULTS:
            raise StoreLost from None
        if head is None:
            return None
        found = StreamInfo(msgspec.json.decode(head, type=StreamHeader), int(last), ended == b"1")
        if found.last and not kept:
            raise StreamExpired(found.head.owner)
        return found

    async def read(self, id: str, after: int) -> AsyncGenerator[Lines, None]:
        found = await self.find(id)
        if found is None:
            raise StoreLost
        if found.ended and after >= found.last:
            return
        instance = found.head.instance
        self._reading[id] = self._reading.get(id, 0) + 1
        self._keep()
        subscription = Subscription(self._tail, self.keys(id, instance)[1], after, found.last > after)
        shared = self._shared.setdefault((id, instance), SharedLines())
        whole = after == 0
        missed = 0
        heard = monotonic()
        ended = found.ended
        try:
            if not ended:
                await self._say_what_is_read([id])  # now: its producer may be about to give it up
            while True:
                silent, is_end = True, False
                entries = [] if self._closed else await subscription.take(LEASE_SECONDS / 2)
                if self._closed:  # the reader goes on at another process
                    raise StoreLost
                if entries:  # together: who reads waits between two of them where the event loop runs behind
                    is_end = is_terminal(entries[-1])
                    silent = False
                    lines = [each for entry in entries for each in entry.lines]
                    kept = shared.share(after + 1, lines, whole)
                    if kept is not shared:
                        shared = self._shared[id, instance] = kept
                    entries.clear()
                    missed = 0
                    place = 0
                    while place < len(lines):
                        page = page_after(lines, place)
                        place += len(page)
                        yield Lines(after + 1 + place - len(page), page)
                    after += len(lines)
                # Asked of Redis after each silence, and after what may have been the end.
                if silent or is_end:
                    state, last = await self._state(id, instance)
                    if state != "away":
                        heard = monotonic()
                    elif monotonic() - heard > PATIENCE_SECONDS:
                        raise StoreLost
                    if state == "gone" or (whole and last < after):
                        break
                    ended = state == "ended"
                    if ended and not subscription.ready and last <= after:
                        return
                    missed = missed + 1 if state == "dead" else 0
                    if missed >= 2:  # after a pause of Redis, a producer that lives has had time to say so
                        await self._end_for_another(id, instance)
                        missed = 0
        finally:
            subscription.close()
            await self._left(id, ended)
        if not whole:
            raise StoreLost
        # The store lost it: said by who has seen all of it.
        yield Lines(after + 1, missing_ends(shared.first(after), found.head.panel_ids))

    async def read_elsewhere(self, id: str) -> bool:
        try:
            now = await self._time()
            async with self.redis.pipeline(transaction=False) as pipe:
                pipe.zcount(self._readers(id), now, "+inf")
                pipe.xrevrange(self._commands(self.process), count=1)
                count, told = await pipe.execute()
        except FAULTS:
            return True  # nobody is given up because Redis can't be asked
        if not count and told:  # whoever has just left has said so, which is to be heard first
            await self._tail.heard(told[0][0])
        return bool(count)

    async def tell(self, id: str, command: StopCommand) -> None:
        try:
            process = await cast(Any, self.redis.hget(self.keys(id)[0], "process"))
            if not process:
                return
            key = self._commands(process.decode())
            said = {"id": id, "kind": command.kind, "panel": command.panel_id or ""}
            async with self.redis.pipeline(transaction=False) as pipe:
                pipe.xadd(key, cast(Any, said), maxlen=1000)
                pipe.expire(key, 60)
                if command.kind == "left":  # at once: whoever hears it counts those who still read
                    pipe.zrem(self._readers(id), self.process)
                await pipe.execute()
        except FAULTS:
            raise StoreLost from None

    async def name(self, alias: str, id: str) -> None:
        try:
            await self.redis.set(self._alias(alias), id, px=self.meta_ms)
        except FAULTS:
            raise StoreLost from None

    async def named(self, alias: str) -> str | None:
        try:
            id = cast(bytes | None, await self.redis.get(self._alias(alias)))
        except FAULTS:
            raise StoreLost from None
        return id.decode() if id else None

    async def ready(self) -> bool:
        """Whether streams can be kept now. If not, the log says why."""
        try:
            async with asyncio.timeout(2.0):
                if self._is_cluster is None:
                    self._is_cluster = await self._cluster()
                # As a stream is written: an answer alone would not tell that it can't be, as on a replica.
                await self.redis.set(f"{self._prefix}:ready:{self.process}", b"", px=int(LEASE_SECONDS * 1000))
                if self._is_cluster:
                    raise ClusterCrossSlotError("", status_code="CROSSSLOT")
        except FAULTS as error:
            self.faults.say(error)
            return False
        self.faults.over()
        return True

    async def _cluster(self) -> bool:
        """Whether it is a cluster, even of one, which refuses what concerns several streams at once."""
        try:
            return bool((await cast(Any, self.redis.info("cluster"))).get("cluster_enabled"))
        except NoPermissionError:
            return False  # what it refuses will show

    async def close(self) -> None:
        self._closed = True
        self._tail.let_go()
        for task in (self._keeper, self._tail.task):
            if task is not None:
                task.cancel()
                await asyncio.wait((task,), timeout=BLOCK_SECONDS * 2)
        with suppress(*FAULTS):
            await self.redis.delete(self._commands(self.process))
        await self.redis.aclose()
        await self._waiting.aclose()

    def keys(self, id: str, instance: str = "") -> list[str]:
        """Of its meta, its log and its lease. Who reads one instance sees nothing of another that has the same id."""
        log = f"log:{instance}" if instance else "log"
        return [f"{self._prefix}:{{{id}}}:{what}" for what in ("meta", log, "lease")]

    async def write(self, keys: list[bytes], token: bytes, last: int, lines: list[bytes], ended: bool) -> None:
        """Writes an entry, or only renews the lease. Raises Lost, also where the store went back to what it had before;
        what fails otherwise may be tried again."""
        first = b"%d" % (last - len(lines))
        args = [token, b"%d" % last, b"\n".join(lines), b"%d" % ended, *self._times, first]
        script = self._owed if ended or not lines else self._append
        if not await script.run([*keys, *args]):
            raise StoreLost

    def forget(self, id: str, writer: _RedisWriter) -> None:
        if self._writers.get(id) is writer:
            del self._writers[id]

    async def _time(self) -> float:
        """Of the clock that all processes share: Redis' own."""
        seconds, microseconds = await cast(Any, self.redis.time())
        return float(seconds + microseconds / 1e6)

    def _readers(self, id: str) -> str:
        return f"{self._prefix}:{{{id}}}:readers"

    def _commands(self, process: str) -> str:
        return f"{self._prefix}:commands:{process}"

    def _alias(self, alias: str) -> str:
        return f"{self._prefix}:alias:{sha256(alias.encode()).hexdigest()}"

    def _command(self, fields: dict[bytes, bytes]) -> None:
        writer = self._writers.get(fields[b"id"].decode())
        if writer is not None:
            writer.commands.put_nowait(StopCommand(fields[b"kind"].decode(), fields[b"panel"].decode() or None))

    async def _state(self, id: str, instance: str) -> tuple[str, int]:
        """Of a stream: running, ended, dead (its producer), gone, or away where Redis can't be asked; and the number of
        its last line."""
        meta, log, lease = self.keys(id, instance)
        try:
            async with self.redis.pipeline(transaction=False) as pipe:
                cast(Any, pipe).hmget(meta, "ended", "last").exists(lease).exists(log)
                (ended, last), leased, kept = await pipe.execute()
        except FAULTS:
            return "away", MAX_LINES
        if ended is None or (last != b"0" and not kept):
            return "gone", 0
        return ("ended" if ended == b"1" else "running" if leased else "dead"), int(last)

    async def _end_for_another(self, id: str, instance: str) -> None:
        """Writes the terminal events that a dead producer owes; of many readers who try, one does."""
        keys = self.keys(id, instance)
        meta, log, _ = keys
        token = secrets.token_hex(8).encode()
        try:
            entries = await cast(Any, self.redis.xrange(log))
            lines = [each for _, fields in entries for each in fields[b"lines"].split(b"\n")]
            head = msgspec.json.decode(await cast(Any, self.redis.hget(meta, "head")), type=StreamHeader)
            if head.instance == instance and await self._take_over(keys=keys, args=[token, len(lines)]):
                ends = missing_ends(lines, head.panel_ids)
                await self.write([key.encode() for key in keys], token, len(lines) + len(ends), ends, True)
                _log.warning("stream %s: its producer is gone, it is ended as interrupted", id)
        except (*FAULTS, StoreLost, TypeError, msgspec.DecodeError):
            pass  # the next silence tries again

    async def _left(self, id: str, ended: bool) -> None:
        self._reading[id] -= 1
        if self._reading[id]:
            return
        del self._reading[id]
        if id not in self._writers and not ended:
            with suppress(StoreLost):
                await self.tell(id, StopCommand("left"))

    def _keep(self) -> None:
        if self._keeper is None or self._keeper.done():
            self._keeper = asyncio.create_task(self._keep_alive())

    async def _keep_alive(self) -> None:
        """Renews the leases of what is produced here, and says what is read here of other processes'."""
        while self._writers or self._reading:
            for writer in list(self._writers.values()):
                writer.renew()
            await self._say_what_is_read(list(self._reading))
            await asyncio.sleep(LEASE_SECONDS / 3)

    async def _say_what_is_read(self, ids: list[str]) -> None:
        elsewhere = [id for id in ids if id not in self._writers]
        if not elsewhere:
            return
        with suppress(*FAULTS):
            until = await self._time() + LEASE_SECONDS
            async with self.redis.pipeline(transaction=False) as pipe:
                for id in elsewhere:
                    pipe.zadd(self._readers(id), {self.process: until})
                    pipe.expire(self._readers(id), int(LEASE_SECONDS * 4))
                await pipe.execute()


class _RedisWriter:
    """Collects lines for a moment and writes them as one entry."""

    def __init__(self, log: RedisLog, id: str, instance: str, token: bytes) -> None:
        self.commands: asyncio.Queue[StopCommand] = asyncio.Queue()
        self._log, self._id, self._token = log, id, token
        self._keys = [key.encode() for key in log.keys(id, instance)]
        self._lines: list[bytes] = []
        self._size = 0
        self._count = 0
        self._written = 0
        self._flushing: asyncio.Task[None] | None = None
        self._ending = False
        self._waiting: asyncio.Future[None] | None = None
        self._failed: Exception | None = None
        self._renewed = monotonic()
        self.late = 0.0

    async def append(self, line: bytes, *, owed: bool = False, at_once: bool = False) -> None:
        if self._failed is not None and not (owed and isinstance(self._failed, StoreFull)):
            raise self._failed
        if not owed and (self._size + len(line) > MAX_STREAM_BYTES or self._count + 64 >= MAX_LINES):
            raise StreamFull
        self._size += len(line)
        self._count += 1
        self._lines.append(line)
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush_soon(0.0 if at_once else COALESCE_SECONDS))
        elif len(self._lines) > 4096:  # Redis is slower than the provider
            await asyncio.wait((self._flushing,))

    async def end(self, lines: list[bytes]) -> None:
        try:
            self._ending = True
            if self._waiting is not None:
                _set(self._waiting)
            if self._flushing is not None:
                await asyncio.wait((self._flushing,))
            if isinstance(self._failed, StoreLost):
                raise self._failed
            self._lines += lines
            await self._flush(ended=True)
        finally:
            self._log.forget(self._id, self)

    def renew(self) -> None:
        """Says that the producer lives, where it has written nothing for a while."""
        if monotonic() - self._renewed >= LEASE_SECONDS / 3 and (self._flushing is None or self._flushing.done()):
            self._flushing = asyncio.create_task(self._flush_soon(0))

    async def _flush_soon(self, seconds: float = COALESCE_SECONDS) -> None:
        try:
            while True:
                await self._moment(seconds)
                if self._ending:
                    return  # what is left goes with the end
                await self._flush(ended=False)
                if not self._lines:
                    return
                seconds = COALESCE_SECONDS
        except StoreFull as error:
            self._failed = error  # said at the next line: the stream ends with what there is
        except StoreLost as error:
            self._failed = error
            self.commands.put_nowait(StopCommand("stop"))

    async def _moment(self, seconds: float) -> None:
        """Waits, but not once there are no more lines."""
        if seconds and not self._ending:
            loop = asyncio.get_running_loop()
            self._waiting = loop.create_future()
            timer = loop.call_later(seconds, _set, self._waiting)
            try:
                await self._waiting
            finally:
                timer.cancel()

    async def _flush(self, *, ended: bool) -> None:
        """Writes what has collected, again and again while Redis can't be reached; an entry is never written twice."""
        until = monotonic() + PATIENCE_SECONDS
        lines = self._lines[:]
        last = self._written + len(lines)
        begun = monotonic()
        while True:
            try:
                await self._log.write(self._keys, self._token, last, lines, ended)
                break
            except OutOfMemoryError as error:
                self._log.faults.say(error)
                if self._ending and not ended:
                    return  # they go with the end, for which there is room
                if monotonic() >= until:
                    raise StoreFull from None
                await self._renew_lease()
                await asyncio.sleep(0.5)
            except FAULTS as error:
                self._log.faults.say(error)
                if not may_pass(error) or monotonic() >= until:
                    raise StoreLost from None
                await asyncio.sleep(0.2)
        del self._lines[: len(lines)]
        self._written = last
        self._renewed = monotonic()
        self.late += 0.2 * (self._renewed - begun - self.late)

    async def _renew_lease(self) -> None:
        with suppress(*FAULTS):
            await self._log.write(self._keys, self._token, self._written, [], False)


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
