"""The log in Redis Streams: any worker on any machine reads any stream.

Rules: an entry holds the lines of at most 30 ms, and its id is the number of its last line. So no line is written twice
or out of order. A stream has one producer, and Redis compares the producer's token at every write. A producer that is
dead stops renewing its lease; a reader then ends the stream, with all the text that had arrived. All keys of a stream
share one hash tag. Each process has one connection that waits for the news of everything that it reads.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator
from contextlib import suppress
from hashlib import sha256
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
    TOMBSTONE_SECONDS,
    TTL_SECONDS,
    Lines,
    StopCommand,
    StoreFull,
    StoreLost,
    StreamExpired,
    StreamHeader,
    StreamInfo,
)
from ..redis_faults import REDIS_FAULTS, FaultLog
from . import timing
from .lua import ALSO_IF_FULL, APPEND_LINES, BEGIN_STREAM, FIND_STREAM, TAKE_OVER_STREAM
from .reader import RedisReader, StreamState
from .script import BatchedScript
from .shared_lines import SharedLines, missing_ends
from .tail import BLOCK_SECONDS, Subscription, Tail
from .writer import RedisWriter

_log = logging.getLogger("msgmodel.server")


class RedisLog:
    """Keeps streams in Redis (7 or later); see `Log`.

    Args:
        url: An address that begins with `redis://`, `rediss://` or `unix://`.
        ttl_seconds: How long a stream is kept after its end, or after its producer's last write.
        prefix: The beginning of all keys.

    Raises:
        ConfigurationError: The address is not valid.
    """

    def __init__(self, url: str, *, ttl_seconds: float = TTL_SECONDS, prefix: str = "msgmodel") -> None:
        if urlsplit(url).scheme not in ("redis", "rediss", "unix"):
            raise ConfigurationError("the address of Redis must begin with redis://, rediss:// or unix://")
        try:
            pool = redis.asyncio.BlockingConnectionPool.from_url(
                url,
                retry=Retry(ExponentialBackoff(cap=0.2, base=0.01), 2),
                socket_timeout=5.0,
                max_connections=64,  # if all are in use, the next command waits
                timeout=5.0,
            )
            self.redis = redis.asyncio.Redis.from_pool(pool)
            # A single connection, so that it is never replaced without an error by one whose id is not known.
            self._waiting_client = redis.asyncio.Redis.from_url(
                url, socket_timeout=BLOCK_SECONDS + 5, single_connection_client=True
            )
        except ValueError:
            raise ConfigurationError("the address of Redis can't be read") from None
        address = pool.connection_kwargs
        host, port = address.get("host", "localhost"), address.get("port", 6379)
        self.faults = FaultLog(address.get("path") or f"{host}:{port}")
        self.closed = False
        self._is_cluster: bool | None = None
        self.process = secrets.token_hex(8)
        self.ttl_ms = int(ttl_seconds * 1000)
        self.meta_ms = self.ttl_ms + int(TOMBSTONE_SECONDS * 1000)
        # Encoded once, because the client would encode them at each write.
        self._times = [b"%d" % ms for ms in (_lease_ms(), self.ttl_ms, self.meta_ms)]
        self._prefix = prefix
        self._begin_script = BatchedScript(self.redis, BEGIN_STREAM, keys=4)
        self._find_script = BatchedScript(self.redis, FIND_STREAM, keys=2)
        self._append_script = BatchedScript(self.redis, APPEND_LINES, keys=3)
        self._owed_script = BatchedScript(self.redis, ALSO_IF_FULL + APPEND_LINES, keys=3)
        self._take_over_script = self.redis.register_script(TAKE_OVER_STREAM)
        self._writers: dict[str, RedisWriter] = {}
        self._reader_counts: dict[str, int] = {}
        self._shared_lines: WeakValueDictionary[tuple[str, str], SharedLines] = WeakValueDictionary()
        commands_key = self._commands_key(self.process)
        self._tail = Tail(self.redis, self._waiting_client, commands_key, self._receive_command, self.faults)
        self._keeper_task: asyncio.Task[None] | None = None

    async def begin(self, id: str, head: StreamHeader) -> RedisWriter | None:
        token = secrets.token_hex(8).encode()
        known = head if head.instance else head[:3]  # workers of version 5.0 can read these three
        fields: list[Any] = [token, msgspec.json.encode(known), self.process, _lease_ms(), self.meta_ms]
        try:
            keys = [*self.keys_of_stream(id, head.instance), self._running_key(head.owner)]
            begun = await self._begin_script.run([*keys, *fields, id])
        except REDIS_FAULTS as error:
            self.faults.log_fault(error)
            raise (StoreFull if isinstance(error, OutOfMemoryError) else StoreLost) from None
        if not begun:
            return None
        writer = self._writers[id] = RedisWriter(self, id, keys[:3], token, head.owner)
        self._start_keeper()
        self._tail.listen_for_commands()
        return writer

    async def find(self, id: str) -> StreamInfo | None:
        try:
            (head, last, ended), kept = await self._find_script.run(self.keys_of_stream(id)[:2])
        except REDIS_FAULTS:
            raise StoreLost from None
        if head is None:
            return None
        found = StreamInfo(msgspec.json.decode(head, type=StreamHeader), int(last), ended == b"1")
        if found.last and not kept:
            raise StreamExpired(found.head.owner)
        return found

    async def running(self, owner: str) -> list[tuple[str, StreamHeader]]:
        try:
            listed: list[bytes] = await cast(Any, self.redis.zrange(self._running_key(owner), 0, -1))
        except REDIS_FAULTS:
            raise StoreLost from None
        ids = [id.decode() for id in listed]
        running = []
        for id, head in zip(ids, await asyncio.gather(*map(self._find_running, ids)), strict=True):
            if head is not None:
                running.append((id, head))
            else:  # its producer died, or could not reach Redis at the end
                await self.unlist(id, owner)
        return running

    async def _find_running(self, id: str) -> StreamHeader | None:
        with suppress(StreamExpired):
            found = await self.find(id)
            if found is not None and (await self.find_state(id, found.head.instance))[0] in ("running", "away"):
                return found.head
        return None

    async def unlist(self, id: str, owner: str) -> None:
        """List a stream no longer among those of its owner that run."""
        with suppress(*REDIS_FAULTS):
            await self.redis.zrem(self._running_key(owner), id)

    async def read(self, id: str, after: int) -> AsyncGenerator[Lines, None]:
        found = await self.find(id)
        if found is None:
            raise StoreLost
        if found.ended and after >= found.last:
            return
        self._reader_counts[id] = self._reader_counts.get(id, 0) + 1
        self._start_keeper()
        log_key = self.keys_of_stream(id, found.head.instance)[1]
        subscription = Subscription(self._tail, log_key, after, found.last > after)
        reader = RedisReader(self, id, found, subscription, self._shared_lines)
        try:
            if not found.ended:
                await self._announce_readers([id])  # now, because its producer may be about to give it up
            while (pages := await reader.next_pages()) is not None:
                for page in pages:
                    yield page
        finally:
            reader.close()
            await self._leave_stream(id, reader.ended)
        if (last_page := reader.last_page()) is not None:
            yield last_page

    async def read_elsewhere(self, id: str) -> bool:
        try:
            now = await self._redis_time()
            async with self.redis.pipeline(transaction=False) as pipe:
                pipe.zcount(self._readers_key(id), now, "+inf")
                pipe.xrevrange(self._commands_key(self.process), count=1)
                count, told = await pipe.execute()
        except REDIS_FAULTS:
            return True  # no stream is given up because Redis does not answer
        if not count and told:  # a reader that has just left has sent a command, which comes first
            await self._tail.wait_for_command(told[0][0])
        return bool(count)

    async def tell(self, id: str, command: StopCommand) -> None:
        try:
            process = await cast(Any, self.redis.hget(self.keys_of_stream(id)[0], "process"))
            if not process:
                return
            key = self._commands_key(process.decode())
            fields = {"id": id, "kind": command.kind, "panel": command.panel_id or ""}
            async with self.redis.pipeline(transaction=False) as pipe:
                pipe.xadd(key, cast(Any, fields), maxlen=1000)
                pipe.expire(key, 60)
                if command.kind == "left":  # in the same step: the receiver counts the remaining readers
                    pipe.zrem(self._readers_key(id), self.process)
                await pipe.execute()
        except REDIS_FAULTS:
            raise StoreLost from None

    async def name(self, alias: str, id: str) -> None:
        try:
            await self.redis.set(self._alias_key(alias), id, px=self.meta_ms)
        except REDIS_FAULTS:
            raise StoreLost from None

    async def named(self, alias: str) -> str | None:
        try:
            id = cast(bytes | None, await self.redis.get(self._alias_key(alias)))
        except REDIS_FAULTS:
            raise StoreLost from None
        return id.decode() if id else None

    async def ready(self) -> bool:
        """Return whether streams can be kept now. If not, the log says why."""
        try:
            async with asyncio.timeout(2.0):
                if self._is_cluster is None:
                    self._is_cluster = await self._find_cluster()
                # Write a key, as a stream does: a replica answers too, but refuses writes.
                await self.redis.set(f"{self._prefix}:ready:{self.process}", b"", px=_lease_ms())
                if self._is_cluster:
                    raise ClusterCrossSlotError("", status_code="CROSSSLOT")
        except REDIS_FAULTS as error:
            self.faults.log_fault(error)
            return False
        self.faults.note_recovery()
        return True

    async def _find_cluster(self) -> bool:
        """Return whether Redis is a cluster, which refuses commands that concern several streams."""
        try:
            return bool((await cast(Any, self.redis.info("cluster"))).get("cluster_enabled"))
        except NoPermissionError:
            return False  # a refused command will show it

    async def close(self) -> None:
        self.closed = True
        self._tail.end_all_waits()
        for task in (self._keeper_task, self._tail.task):
            if task is not None:
                task.cancel()
                await asyncio.wait((task,), timeout=BLOCK_SECONDS * 2)
        with suppress(*REDIS_FAULTS):
            await self.redis.delete(self._commands_key(self.process))
        await self.redis.aclose()
        await self._waiting_client.aclose()

    def keys_of_stream(self, id: str, instance: str = "") -> list[str]:
        """Return the keys of the metadata, the log and the lease. Each instance of an id has its own log."""
        log = f"log:{instance}" if instance else "log"
        return [f"{self._prefix}:{{{id}}}:{name}" for name in ("meta", log, "lease")]

    async def write_entry(self, keys: list[bytes], token: bytes, last: int, lines: list[bytes], ended: bool) -> None:
        """Write an entry, or only renew the lease if there are no lines. Any error but StoreLost may be retried.

        Raises:
            StoreLost: Another producer has the stream, or Redis went back to an older state.
        """
        first = b"%d" % (last - len(lines))
        args = [token, b"%d" % last, b"\n".join(lines), b"%d" % ended, *self._times, first]
        script = self._owed_script if ended or not lines else self._append_script
        if not await script.run([*keys, *args]):
            raise StoreLost

    def forget_writer(self, id: str, writer: RedisWriter) -> None:
        if self._writers.get(id) is writer:
            del self._writers[id]

    async def _redis_time(self) -> float:
        """Return the seconds of the clock that all processes share, the one of Redis."""
        seconds, microseconds = await cast(Any, self.redis.time())
        return float(seconds + microseconds / 1e6)

    def _readers_key(self, id: str) -> str:
        return f"{self._prefix}:{{{id}}}:readers"

    def _running_key(self, owner: str) -> str:
        return f"{self._prefix}:running:{sha256(owner.encode()).hexdigest()}"

    def _commands_key(self, process: str) -> str:
        return f"{self._prefix}:commands:{process}"

    def _alias_key(self, alias: str) -> str:
        return f"{self._prefix}:alias:{sha256(alias.encode()).hexdigest()}"

    def _receive_command(self, fields: dict[bytes, bytes]) -> None:
        writer = self._writers.get(fields[b"id"].decode())
        if writer is not None:
            writer.commands.put_nowait(StopCommand(fields[b"kind"].decode(), fields[b"panel"].decode() or None))

    async def find_state(self, id: str, instance: str) -> tuple[StreamState, int]:
        """Return the state of a stream, and the number of its last line."""
        meta, log, lease = self.keys_of_stream(id, instance)
        try:
            async with self.redis.pipeline(transaction=False) as pipe:
                cast(Any, pipe).hmget(meta, "ended", "last").exists(lease).exists(log)
                (ended, last), leased, kept = await pipe.execute()
        except REDIS_FAULTS:
            return "away", MAX_LINES
        if ended is None or (last != b"0" and not kept):
            return "gone", 0
        return ("ended" if ended == b"1" else "running" if leased else "dead"), int(last)

    async def end_for_dead_producer(self, id: str, instance: str) -> None:
        """Write the terminal events that a dead producer owes. If several readers try, one succeeds."""
        keys = self.keys_of_stream(id, instance)
        meta, log, _ = keys
        token = secrets.token_hex(8).encode()
        try:
            entries = await cast(Any, self.redis.xrange(log))
            lines = [line for _, fields in entries for line in fields[b"lines"].split(b"\n")]
            head = msgspec.json.decode(await cast(Any, self.redis.hget(meta, "head")), type=StreamHeader)
            if head.instance == instance and await self._take_over_script(keys=keys, args=[token, len(lines)]):
                ends = missing_ends(lines, head.panel_ids)
                await self.write_entry([key.encode() for key in keys], token, len(lines) + len(ends), ends, True)
                _log.warning("stream %s: its producer is gone, it is ended as interrupted", id)
        except (*REDIS_FAULTS, StoreLost, TypeError, msgspec.DecodeError):
            pass  # the reader tries again after the next silence

    async def _leave_stream(self, id: str, ended: bool) -> None:
        """Count a reader no more, and tell the producer if it was the last one here."""
        self._reader_counts[id] -= 1
        if self._reader_counts[id]:
            return
        del self._reader_counts[id]
        if id not in self._writers and not ended:
            with suppress(StoreLost):
                await self.tell(id, StopCommand("left"))

    def _start_keeper(self) -> None:
        if self._keeper_task is None or self._keeper_task.done():
            self._keeper_task = asyncio.create_task(self._keep_alive())

    async def _keep_alive(self) -> None:
        """Renew the leases of this process, and announce what it reads of other processes."""
        while self._writers or self._reader_counts:
            for writer in list(self._writers.values()):
                writer.renew_when_idle()
            await self._announce_readers(list(self._reader_counts))
            await asyncio.sleep(timing.LEASE_SECONDS / 3)

    async def _announce_readers(self, ids: list[str]) -> None:
        """Tell the producers in other processes that these streams have readers here."""
        elsewhere = [id for id in ids if id not in self._writers]
        if not elsewhere:
            return
        with suppress(*REDIS_FAULTS):
            until = await self._redis_time() + timing.LEASE_SECONDS
            async with self.redis.pipeline(transaction=False) as pipe:
                for id in elsewhere:
                    pipe.zadd(self._readers_key(id), {self.process: until})
                    pipe.expire(self._readers_key(id), int(timing.LEASE_SECONDS * 4))
                await pipe.execute()


def _lease_ms() -> int:
    return int(timing.LEASE_SECONDS * 1000)
