"""The log in Redis: several workers, and every way in which one of them, or Redis, can fail. What any log must do is
in test_server.py."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import serving
from msgmodel import ConfigurationError
from msgmodel.server import Settings, create_app
from msgmodel.server.log import Lines, StopCommand, StoreLost, StreamExpired, StreamHeader
from msgmodel.testing import Reply, ScriptedProvider
from serving import Event, Redis, Serving, Uvicorn, joined, kinds, numbers, opened, request, wait_for

pytest.importorskip("redis")

from msgmodel.server.redis_log import RedisLog
from msgmodel.server.redis_store import tail, timing
from msgmodel.server.redis_store import writer as redis_writer

module_provider, provider = serving.module_provider, serving.provider  # fixtures
redis_server, own_redis = serving.redis_server, serving.own_redis

TEXT = "".join(f"word{number} " for number in range(120))
LEASE = 0.6


@pytest.fixture
def short_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the workers in this process."""
    monkeypatch.setattr(timing, "LEASE_SECONDS", LEASE)


@pytest.fixture
def worker(provider: ScriptedProvider) -> Iterator[Callable[..., Uvicorn]]:
    """Starts a worker: an event loop, and a connection to Redis, of its own."""
    with ExitStack() as stack:

        def start(redis: Redis, **settings: Any) -> Uvicorn:
            made = Settings(**{"grace_seconds": 1.0} | settings)  # at the end, streams that stall are not waited for
            log = RedisLog(redis.url, ttl_seconds=made.ttl_seconds)
            return stack.enter_context(Uvicorn(create_app(made, log)))

        yield start


def ask(server: Any, body: Any = None, **how: Any) -> Any:
    return opened("POST", f"{server.url}/v1/panels", json=body or {"prompt": "hi"}, **how)


def read(server: Any, id: str, after: int = 0, **how: Any) -> Any:
    return opened("GET", f"{server.url}/v1/streams/{id}", headers={"last-event-id": str(after)}, **how)


def read_all(server: Any, id: str, after: int = 0, **how: Any) -> list[Event]:
    with read(server, id, after, **how) as stream:
        return stream.rest()


def in_thread(work: Callable[[], Any]) -> Callable[[], Any]:
    """Begins the work; what is returned waits for what came of it."""
    result: list[Any] = []

    def run() -> None:
        try:
            result.append(work())
        except BaseException as error:
            result.append(error)

    thread = threading.Thread(target=run)
    thread.start()

    def wait() -> Any:
        thread.join(60)
        if isinstance(result[0], BaseException):
            raise result[0]
        return result[0]

    return wait


def complete(got: list[Event], text: str) -> None:
    """All of it is there, in order, and nothing twice."""
    assert numbers(got) == list(range(1, len(got) + 1))
    assert joined(got) == got[-1].data["content"] == text


# --- two workers ---


def test_two_workers(redis_server: Redis, worker: Any, provider: ScriptedProvider) -> None:
    provider.say(Reply(TEXT, speed=200.0))
    one, two = worker(redis_server), worker(redis_server)
    before = len(provider.requests)
    with ask(one, headers={"idempotency-key": f"k{time.time()}"}) as stream:
        id = stream.response.headers["x-stream-id"]
        first = stream.take(3)
        there = read_all(two, id)
        got = first + stream.rest()
    assert there == got
    complete(got, TEXT)
    with opened("GET", f"{two.url}/v1/streams/{id}") as stream:
        (snapshot,) = stream.rest()
    assert snapshot.data["panels"][0]["content"] == TEXT
    assert request("GET", f"{two.url}/v1/streams/{id}", headers={"last-event-id": str(len(got))}).status_code == 204
    assert len(provider.requests) == before + 1


def test_the_same_key_at_two_workers(redis_server: Redis, worker: Any, provider: ScriptedProvider) -> None:
    provider.say(Reply(TEXT, speed=300.0))
    workers = [worker(redis_server), worker(redis_server)]
    before = len(provider.requests)
    headers = {"idempotency-key": f"same{time.time()}"}

    def one(server: Any) -> list[Event]:
        with ask(server, headers=headers) as stream:
            return stream.rest()

    results = [wait() for wait in [in_thread(lambda server=server: one(server)) for server in workers * 3]]
    assert results == [results[0]] * 6
    complete(results[0], TEXT)
    assert len(provider.requests) == before + 1


@pytest.mark.parametrize("panel_id", [None, "b"])
def test_a_stop_from_another_worker(
    redis_server: Redis, worker: Any, provider: ScriptedProvider, panel_id: str | None
) -> None:
    provider.say(Reply("Hello there", stall_after=1))
    one, two = worker(redis_server), worker(redis_server)
    panels = [{"provider": "openai", "panel_id": name} for name in ("a", "b")]
    hangups = len(provider.server.hangups)
    with ask(one, {"prompt": "hi", "panels": panels}) as stream:
        stream.take(2)
        url = f"{two.url}/v1/streams/{stream.response.headers['x-stream-id']}"
        params = {"panel_id": panel_id} if panel_id else {}
        assert request("DELETE", url, params=params).status_code == 204
        ends = stream.take(1 if panel_id else 2)
        assert {event.data["panel_id"] for event in ends} == ({"b"} if panel_id else {"a", "b"})
        assert {event.data["code"] for event in ends} == {"cancelled"}
        provider.server.wait_hangup(count=hangups + len(ends))
        request("DELETE", url)
        assert kinds(stream.rest())[-1] == "batch_final"


def test_a_reader_elsewhere_is_a_reader(
    redis_server: Redis, worker: Any, provider: ScriptedProvider, short_lease: None
) -> None:
    provider.say(Reply(TEXT, speed=15.0))
    one, two = worker(redis_server, on_disconnect="grace:0.5"), worker(redis_server)
    hangups = len(provider.server.hangups)
    with ask(one) as stream:
        id = stream.response.headers["x-stream-id"]
        stream.take(1)
        other = read(two, id)
        there = other.__enter__()
        there.take(1)
        time.sleep(LEASE)  # it is said twice in the time of a lease
    there.take(30)
    assert len(provider.server.hangups) == hangups
    other.__exit__(None, None, None)
    provider.server.wait_hangup(count=hangups + 1)
    got = read_all(two, id)
    assert got[-1].data["code"] == "cancelled"
    complete(got, got[-1].data["content"])


def test_readers_at_different_places(redis_server: Redis, worker: Any, provider: ScriptedProvider) -> None:
    """They share one connection to Redis; none may get what comes after something that it has not."""
    provider.say(Reply(TEXT, speed=100.0))
    server = worker(redis_server, max_readers_per_stream=64)

    with ask(server) as stream:
        id = stream.response.headers["x-stream-id"]
        waiting = []
        got = []
        for _ in range(15):
            got += stream.take(3)
            waiting += [in_thread(lambda after=after: read_all(server, id, after)) for after in (0, got[-1].id)]
        got += stream.rest()
    complete(got, TEXT)
    for number, wait in enumerate(waiting):
        found = wait()
        assert found == got[0 if number % 2 == 0 else (number // 2 + 1) * 3 :]


# --- a worker that dies ---


def test_a_producer_that_is_killed(
    own_redis: Redis, worker: Any, provider: ScriptedProvider, tmp_path: Path, short_lease: None
) -> None:
    """kill -9: readers elsewhere get all that had arrived, in order, none of it twice, and are told."""
    provider.say(Reply(TEXT, speed=50.0))
    bodies = [
        {"prompt": "hi", "panels": [{"provider": "openai", "panel_id": f"p{number}"} for number in range(count)]}
        for count in (1, 2)
    ]
    survivor = worker(own_redis)
    with Serving(tmp_path, provider, "--redis", own_redis.url) as victim:
        with ask(victim, bodies[0]) as one, ask(victim, bodies[1]) as two:
            ids = [stream.response.headers["x-stream-id"] for stream in (one, two)]
            seen = [stream.take(10) for stream in (one, two)]
            readers = [in_thread(lambda id=id: read_all(survivor, id)) for id in ids * 2]
            seen = [before + stream.take(20) for before, stream in zip(seen, (one, two), strict=True)]
            victim.process.kill()
        victim.process.wait()
        results = [wait() for wait in readers]
    assert results[:2] == results[2:]
    for body, id, before, got in zip(bodies, ids, seen, results[:2], strict=True):
        assert numbers(got) == list(range(1, len(got) + 1))
        assert got[: len(before)] == before
        ends = [event for event in got if event.kind == "panel_error"]
        assert sorted(end.data["panel_id"] for end in ends) == [panel["panel_id"] for panel in body["panels"]]
        for end in ends:
            assert (end.data["code"], end.data["retryable"]) == ("interrupted", True)
            assert end.data["content"] == joined(got, end.data["panel_id"])
            assert TEXT.startswith(end.data["content"])
        assert kinds(got)[-1] == ("panel_error" if len(ends) == 1 else "batch_final")
        assert read_all(survivor, id) == got
    with ask(survivor) as stream:  # and life goes on
        stream.take(1)


def test_the_list_of_running_streams_is_of_all_workers(
    own_redis: Redis, worker: Any, provider: ScriptedProvider, tmp_path: Path, short_lease: None
) -> None:
    """Also of one that was killed: its stream is listed until its lease is over."""
    provider.say(Reply("Hello there", stall_after=1))
    asked, other = worker(own_redis), worker(own_redis)

    def listed() -> list[str]:
        return [found["id"] for found in request("GET", f"{other.url}/v1/streams").json()["streams"]]

    with Serving(tmp_path, provider, "--redis", own_redis.url) as victim, ask(victim) as lost, ask(asked) as stream:
        ids = [one.response.headers["x-stream-id"] for one in (lost, stream)]
        lost.take(1)
        stream.take(1)
        assert sorted(listed()) == sorted(ids)
        victim.process.kill()
        wait_for(lambda: listed() == ids[1:])
        assert request("DELETE", f"{other.url}/v1/streams/{ids[1]}").status_code == 204
        stream.rest()
        wait_for(lambda: listed() == [])
    running = [key for key in own_redis.ask("KEYS", "*") if b":running:" in key]
    assert running == []  # nothing is kept of what has ended


def test_a_producer_that_was_killed_long_ago(
    own_redis: Redis, worker: Any, provider: ScriptedProvider, tmp_path: Path, short_lease: None
) -> None:
    """It had no reader meanwhile, and its text is gone."""
    provider.say(Reply("Hello there", stall_after=1))
    with Serving(tmp_path, provider, "--redis", own_redis.url, "--ttl", "1") as victim:
        with ask(victim) as stream:
            id = stream.response.headers["x-stream-id"]
            stream.take(1)
            victim.process.kill()
        victim.process.wait()
    wait_for(lambda: not [key for key in own_redis.ask("KEYS", "*") if key.endswith(b":log")])
    survivor = worker(own_redis, ttl_seconds=1.0)
    for headers in ({}, {"last-event-id": "0"}, {"last-event-id": "1"}):
        assert request("GET", f"{survivor.url}/v1/streams/{id}", headers=headers, timeout=5.0).status_code == 410


@asynccontextmanager
async def logs(redis: Redis, count: int = 2) -> AsyncIterator[list[RedisLog]]:
    made = [RedisLog(redis.url, ttl_seconds=5.0, prefix=f"test{time.monotonic_ns()}") for _ in range(count)]
    for log in made[1:]:
        log._prefix = made[0]._prefix
    try:
        yield made
    finally:
        for log in made:
            await log.close()


def delta(text: str) -> bytes:
    return json.dumps({"event": "panel_delta", "panel_id": "a", "delta": text}).encode()


async def all_lines(log: RedisLog, id: str, after: int = 0) -> list[bytes]:
    found: list[bytes] = []
    expected = after + 1
    async for first, lines in log.read(id, after):
        assert first == expected
        expected += len(lines)
        found += lines
    return found


def test_a_producer_that_was_thought_dead(redis_server: Redis, short_lease: None) -> None:
    """It was only slow, and comes back: what it writes then belongs to no stream."""

    async def run() -> None:
        async with logs(redis_server) as (one, two):
            writer = await one.begin("x", StreamHeader("", ("a",)))
            assert writer is not None
            await writer.append(delta("Hello"))
            await asyncio.sleep(0.1)
            one._keeper_task.cancel()  # type: ignore[union-attr]
            lines = await asyncio.wait_for(all_lines(two, "x"), 10)
            assert [json.loads(line)["event"] for line in lines] == ["panel_delta", "panel_error"]
            assert json.loads(lines[1])["content"] == "Hello"
            with suppress(StoreLost):  # now, or at the next line
                await writer.append(delta("too late"))
            await asyncio.sleep(0.2)
            with pytest.raises(StoreLost):
                await writer.append(delta("too late"))
            with pytest.raises(StoreLost):
                await writer.end([])
            assert await asyncio.wait_for(all_lines(two, "x"), 10) == lines
            assert await two.begin("x", StreamHeader("", ("a",))) is None

    asyncio.run(run())


@pytest.mark.parametrize("panels", [1, 2])
def test_the_end_is_written_with_the_last_line(
    redis_server: Redis, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch, panels: int
) -> None:
    """So that a reader of that line waits for nothing more, even if each line is written as it comes."""
    monkeypatch.setattr(redis_writer, "COALESCE_SECONDS", 0.0)
    written: list[tuple[list[bytes], bool]] = []

    class Watched(RedisLog):
        async def write_entry(
            self, keys: list[bytes], token: bytes, last: int, lines: list[bytes], ended: bool
        ) -> None:
            written.append((lines, ended))
            await super().write_entry(keys, token, last, lines, ended)

    provider.say(Reply("One two three", speed=30.0))
    body = {"prompt": "hi", "panels": [{"provider": "openai", "panel_id": f"{each}"} for each in range(panels)]}
    with Uvicorn(create_app(Settings(), Watched(redis_server.url))) as server, ask(server, body) as stream:
        got = stream.rest()
    last = [json.loads(line)["event"] for line in written[-1][0]]
    assert last[-1] == got[-1].kind == ("panel_final" if panels == 1 else "batch_final")
    assert [ended for _, ended in written] == [False] * (len(written) - 1) + [True]


def test_redis_hears_of_a_wait_late(redis_server: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that comes before that is served at once, not when the wait ends by itself."""
    monkeypatch.setattr(tail, "BLOCK_SECONDS", 30.0)

    async def run() -> None:
        async with logs(redis_server, 1) as (log,):
            wait = log._waiting_client.xread

            async def late(*asked: Any, **how: Any) -> Any:
                await asyncio.sleep(0.1)
                return await wait(*asked, **how)

            monkeypatch.setattr(log._waiting_client, "xread", late)
            writer = await log.begin("x", StreamHeader("", ("a",)))
            assert writer is not None
            await writer.append(delta("Hello"), at_once=True)
            await asyncio.sleep(0.03)
            reading = log.read("x", 0)
            lines = await asyncio.wait_for(anext(reading), 5)
            assert lines == Lines(1, [delta("Hello")])
            await reading.aclose()

    asyncio.run(run())


def test_whoever_hears_that_a_reader_left_does_not_count_it(
    redis_server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        async with logs(redis_server) as (one, two):
            writer = await one.begin("x", StreamHeader("", ("a",)))
            assert writer is not None
            await writer.append(delta("Hello"))
            command = two.redis.execute_command

            async def slow(*said: Any, **how: Any) -> Any:
                await asyncio.sleep(0.05)
                return await command(*said, **how)

            monkeypatch.setattr(two.redis, "execute_command", slow)
            for _ in range(3):
                reading = two.read("x", 0)
                await anext(reading)
                leaving = asyncio.ensure_future(reading.aclose())
                assert await asyncio.wait_for(writer.commands.get(), 5) == StopCommand("left")
                assert not await one.read_elsewhere("x")
                await leaving
            await writer.end([])

    asyncio.run(run())


def test_the_connection_that_waits_is_lost_between_two_waits(
    redis_server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one is known by its own id, or nothing could end its waits."""
    monkeypatch.setattr(tail, "BLOCK_SECONDS", 30.0)
    monkeypatch.setattr(tail, "COALESCE_SECONDS", 1.0)  # a third of it passes between two waits

    async def run() -> None:
        log = RedisLog(f"{redis_server.url}?protocol=2", prefix=f"test{time.monotonic_ns()}")
        for id in ("x", "y"):
            writer = await log.begin(id, StreamHeader("", ("a",)))
            assert writer is not None
            await writer.append(delta("Hello"), at_once=True)
            reading = log.read(id, 0)
            assert await asyncio.wait_for(anext(reading), 5) == Lines(1, [delta("Hello")])
            redis_server.ask("CLIENT", "KILL", "ID", str(log._tail._connection))
            await reading.aclose()
            await asyncio.sleep(0.6)  # it waits again
        await log.close()

    asyncio.run(run())


def test_nobody_waits_for_what_is_known(redis_server: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of a stream that has ended, and of a log that is closed while a reader is busy."""
    monkeypatch.setattr(timing, "LEASE_SECONDS", 60.0)

    async def run() -> None:
        async with logs(redis_server) as (one, two):
            writer = await one.begin("x", StreamHeader("", ("a",)))
            assert writer is not None
            await writer.append(delta("Hello"))
            busy = two.read("x", 0)
            await anext(busy)
            await two.close()
            with pytest.raises(StoreLost):
                await asyncio.wait_for(anext(busy), 5)
            await writer.end([b'{"event":"panel_final","panel_id":"a"}'])
            assert await asyncio.wait_for(all_lines(one, "x", 2), 5) == []

    asyncio.run(run())


def test_an_end_waits_for_no_text_where_redis_is_full(own_redis: Redis) -> None:
    """There is room for it, and for what goes with it."""

    async def run() -> None:
        log = RedisLog(own_redis.url)
        writer = await log.begin("x", StreamHeader("", ("a",)))
        assert writer is not None
        await writer.append(delta("Hello"), at_once=True)
        await asyncio.sleep(0.1)
        own_redis.ask("CONFIG", "SET", "maxmemory", "1")
        await writer.append(delta(" you"), at_once=True)
        await asyncio.sleep(0.1)
        end = b'{"event":"panel_final","panel_id":"a"}'
        await asyncio.wait_for(writer.end([end]), 5)
        assert await asyncio.wait_for(all_lines(log, "x"), 5) == [delta("Hello"), delta(" you"), end]
        await log.close()

    asyncio.run(run())


def test_a_producer_that_only_waits_is_not_dead(redis_server: Redis, short_lease: None) -> None:
    async def run() -> None:
        async with logs(redis_server) as (one, two):
            writer = await one.begin("x", StreamHeader("", ("a",)))
            assert writer is not None
            reading = asyncio.create_task(all_lines(two, "x"))
            await asyncio.sleep(LEASE * 4)
            await writer.end([b'{"event":"panel_final","panel_id":"a"}'])
            assert await asyncio.wait_for(reading, 10) == [b'{"event":"panel_final","panel_id":"a"}']

    asyncio.run(run())


def test_many_readers_end_a_dead_stream_once(redis_server: Redis, short_lease: None) -> None:
    async def run() -> None:
        async with logs(redis_server, 4) as (one, *others):
            writer = await one.begin("x", StreamHeader("", ("a", "b")))
            assert writer is not None
            await writer.append(delta("Hello"))
            await asyncio.sleep(0.1)
            one._keeper_task.cancel()  # type: ignore[union-attr]
            results = await asyncio.wait_for(asyncio.gather(*(all_lines(log, "x") for log in others * 3)), 20)
            assert results == [results[0]] * 9
            found = [json.loads(line)["event"] for line in results[0]]
            assert found == ["panel_delta", "panel_error", "panel_error", "batch_final"]

    asyncio.run(run())


def test_what_is_in_redis(redis_server: Redis) -> None:
    """All keys of a stream are in one slot of a cluster, all go away by themselves, and lines come as they went."""
    said = [delta(f"{number}\u2028 {'x' * (number % 50)}") for number in range(500)]

    async def run() -> None:
        async with logs(redis_server) as (one, two):
            writer = await one.begin("x{y}", StreamHeader("owner", ("a",), "digest"))
            assert writer is not None
            for number, line in enumerate(said):
                await writer.append(line)
                if number % 100 == 0:
                    await asyncio.sleep(0.05)
            await writer.end([b'{"event":"panel_final","panel_id":"a"}'])
            assert (await all_lines(two, "x{y}"))[:-1] == said
            for after in (1, 17, 100, 499):
                assert (await all_lines(two, "x{y}", after))[:-1] == said[after:]
            found = await two.find("x{y}")
            assert found is not None
            assert (found.head, found.last, found.ended) == (StreamHeader("owner", ("a",), "digest"), 501, True)
            assert await two.find("y") is None
            for key in redis_server.ask("KEYS", f"{one._prefix}:*"):
                assert b"commands" in key or b":{x{y}:" in key or b"{x{y}}" in key
                if b"commands" not in key:
                    assert redis_server.ask("PTTL", key.decode()) > 0
            one.ttl_ms = 1
            redis_server.ask("PEXPIRE", one.keys_of_stream("x{y}")[1], "1")
            await asyncio.sleep(0.05)
            with pytest.raises(StreamExpired):
                await two.find("x{y}")

    asyncio.run(run())


def test_a_slow_reader_holds_nobody_up(redis_server: Redis) -> None:
    async def run() -> None:
        async with logs(redis_server) as (one, two):
            writer = await one.begin("x", StreamHeader("", ("a",)))
            assert writer is not None
            slow = two.read("x", 0)
            fast = asyncio.create_task(all_lines(two, "x"))
            for number in range(150):
                await writer.append(delta(f"{number} "))
                if number == 0:
                    first = await anext(slow)
                await asyncio.sleep(0.005)
            await writer.end([b'{"event":"panel_final","panel_id":"a"}'])
            assert len(await asyncio.wait_for(fast, 10)) == 151
            waiting = [len(each.ready) for every in two._tail._subscriptions.values() for each in every]
            assert max(waiting, default=0) <= tail.MAX_WAITING_ENTRIES + 1
            got: list[bytes] = [*first.lines]
            lines: Lines
            async for lines in slow:
                assert lines.first == len(got) + 1
                got += lines.lines
            assert len(got) == 151

    asyncio.run(run())


def test_who_comes_late_holds_nobody_up(redis_server: Redis) -> None:
    """It reads what it has missed for itself, not in the wait that all share."""

    async def run() -> None:
        async with logs(redis_server) as (one, two):
            writer = await one.begin("x", StreamHeader("", ("a",)))
            assert writer is not None
            for number in range(1000):
                await writer.append(delta(f"{number} "), at_once=True)
                await asyncio.sleep(0)
                await asyncio.wait((writer._flushing,))
            entries = await two.redis.xlen(two.keys_of_stream("x")[1])
            assert entries == 1000
            live = two.read("x", 1000)
            first = asyncio.create_task(anext(live))
            await asyncio.sleep(0.05)

            waits: list[str] = []
            waited = asyncio.Event()
            wait = two._waiting_client.xread

            async def watched(wanted: dict[str, str], **how: Any) -> Any:
                waits.append(wanted[two.keys_of_stream("x")[1]])
                waited.set()
                return await wait(wanted, **how)

            two._waiting_client.xread = watched
            late = asyncio.create_task(all_lines(two, "x"))
            await asyncio.wait_for(waited.wait(), 10)
            await writer.append(delta("live"), at_once=True)
            assert await first == Lines(1001, [delta("live")])
            await writer.end([b'{"event":"panel_final","panel_id":"a"}'])
            assert len(await late) == 1002
            assert set(waits) <= {"1000-0", "1001-0", "1002-0"}
            await live.aclose()

    asyncio.run(run())


@pytest.mark.parametrize("url", ["http://localhost", "localhost:6379", "", "redis://localhost:port/0"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(ConfigurationError, match="Redis"):
        RedisLog(url)


# --- Redis that fails ---


def test_redis_is_away(own_redis: Redis, worker: Any, provider: ScriptedProvider) -> None:
    provider.say("Hello")
    server = worker(own_redis)
    assert request("GET", f"{server.url}/readyz").status_code == 200
    own_redis.close()
    before = len(provider.requests)
    for method, path in (("POST", "/v1/panels"), ("GET", "/v1/streams/x"), ("DELETE", "/v1/streams/x")):
        response = request(method, server.url + path, json={"prompt": "hi"})
        assert response.status_code == 503
        assert response.json()["error"]["code"] == "unavailable"
        assert int(response.headers["retry-after"]) > 0
        assert str(own_redis.port) not in response.text
    assert request("GET", f"{server.url}/readyz").status_code == 503
    assert request("GET", f"{server.url}/healthz").status_code == 200
    assert len(provider.requests) == before
    own_redis.start()
    wait_for(lambda: request("GET", f"{server.url}/readyz").status_code == 200)
    with ask(server) as stream:
        complete(stream.rest(), "Hello")


def test_redis_is_silent_for_longer_than_a_lease(
    own_redis: Redis, worker: Any, provider: ScriptedProvider, short_lease: None
) -> None:
    """The readers wait, and then have all of it."""
    provider.say(Reply(TEXT, speed=40.0))
    one, two = worker(own_redis), worker(own_redis)
    before = len(provider.requests)
    with ask(one, timeout=40.0) as stream:
        id = stream.response.headers["x-stream-id"]
        got = stream.take(10)
        there = in_thread(lambda: read_all(two, id, timeout=40.0))
        got += stream.take(5)
        with own_redis.stopped():
            time.sleep(2.0)
        got += stream.rest()
    complete(got, TEXT)
    assert got[-1].kind == "panel_final"
    assert there() == got
    assert len(provider.requests) == before + 1


def test_redis_comes_back_with_what_it_had(own_redis: Redis, worker: Any, provider: ScriptedProvider) -> None:
    provider.say(Reply(TEXT, speed=40.0))
    server = worker(own_redis)
    with ask(server) as stream:
        got = stream.take(10)
        time.sleep(0.2)
        own_redis.restart(keep=True)
        got += stream.rest()
    # What was written after the copy was made is lost: then the stream is ended, and never silently short.
    assert numbers(got) == list(range(1, len(got) + 1))
    assert got[-1].kind in ("panel_final", "panel_error")
    assert got[-1].data["content"] == joined(got)
    with ask(server) as stream:
        stream.take(1)


def test_redis_comes_back_without_what_it_had(own_redis: Redis, worker: Any, provider: ScriptedProvider) -> None:
    provider.say(Reply(TEXT, speed=40.0))
    server = worker(own_redis)
    hangups = len(provider.server.hangups)
    with ask(server) as stream:
        id = stream.response.headers["x-stream-id"]
        got = stream.take(10)
        own_redis.restart(keep=False)
        got += stream.rest()
    assert numbers(got) == list(range(1, len(got) + 1))
    assert (got[-1].kind, got[-1].data["code"]) == ("panel_error", "interrupted")
    assert got[-1].data["content"] == joined(got)
    provider.server.wait_hangup(count=hangups + 1)  # it can't be read any more
    assert request("GET", f"{server.url}/v1/streams/{id}").status_code == 404
    provider.say("Hello")
    with ask(server) as stream:
        complete(stream.rest(), "Hello")


def test_the_connection_to_redis_breaks(own_redis: Redis, worker: Any, provider: ScriptedProvider) -> None:
    """Again and again; Redis itself is well."""
    provider.say(Reply(TEXT, speed=40.0))
    server = worker(own_redis)
    with ask(server) as stream:
        got = []
        for _ in range(8):
            got += stream.take(5)
            own_redis.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        got += stream.rest()
    complete(got, TEXT)
    assert got[-1].kind == "panel_final"
