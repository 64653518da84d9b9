"""The memory that all replies of a server take together, and what ends if it is short."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

import serving
from msgmodel.server import MemoryLog, Settings, create_app
from msgmodel.server.large_events import encode_large_event
from msgmodel.server.log import StoreLost, StreamExpired, StreamHeader
from msgmodel.server.memory import JOINED_FACTOR, MemoryBudget, MemoryShort
from msgmodel.server.streams import MEMORY_TEXT
from msgmodel.testing import ScriptedProvider
from msgmodel.testing.server import Flood, Pause, Received, Script, Send
from msgmodel.wires.sse import encode_json_line
from serving import Redis, Uvicorn, joined, opened

module_provider, provider = serving.module_provider, serving.provider  # fixtures
own_redis, redis_server = serving.own_redis, serving.redis_server  # fixtures

MB = 1024 * 1024


def chunk(finish: str | None = None, **delta: Any) -> bytes:
    body = {"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def fragment(arguments: str, **more: str) -> bytes:
    return chunk(tool_calls=[{"index": 0, "function": {"arguments": arguments, **more}, "id": "c1"}])


SLOW_REPLY = Script(
    steps=(
        *[step for _ in range(30) for step in (Send(chunk(content="Hello ")), Pause(0.05))],
        Send(chunk("stop") + b"data: [DONE]\n\n"),
    )
)
FLOODS = {
    "text": Script(steps=(Flood(chunk(content="so it is " * 50)),)),
    "reasoning": Script(steps=(Flood(chunk(reasoning="because " * 50)),)),
    "arguments": Script(steps=(Send(fragment("{", name="f")), Flood(fragment("abc " * 100)))),
}


@pytest.mark.parametrize("flood", FLOODS)
def test_floods_end_and_other_replies_go_on(provider: ScriptedProvider, flood: str) -> None:
    """Each flood stays far below the limit of one reply; arguments grow without a single event."""

    def answer(received: Received) -> Script:
        return FLOODS[flood] if b"a flood" in received.body else SLOW_REPLY

    provider.say(answer)
    app = create_app(Settings(max_memory_bytes=4 * MB))
    with Uvicorn(app) as server, ThreadPoolExecutor(7) as threads:

        def ask(prompt: str) -> list[serving.Event]:
            body = {"prompt": prompt, "panels": [{"provider": "openai"}]}
            with opened("POST", f"{server.url}/v1/panels", json=body) as stream:
                return stream.rest()

        small = threads.submit(ask, "a small reply")
        floods = [*threads.map(ask, ["a flood"] * 6)]
        ends = [events[-1].data for events in floods]
        # On a slow machine they need not all be there at once; one that ends by itself is whole.
        cut = [end for end in ends if end["event"] == "panel_error"]
        assert {(end["code"], end["error"]) for end in cut} == {("interrupted", MEMORY_TEXT)}
        assert [end["content"] for end in ends] == [joined(events) for events in floods]
        assert small.result()[-1].data["status"] == "complete"
        memory = app.state.msgmodel.streams.memory
        assert memory.used_bytes <= 2 * memory.limit


# --- the log ---


def test_a_stream_that_is_being_read_is_kept() -> None:
    """A reader that is behind gets the terminal event, too; one that took nothing for a while does not keep it."""

    async def main() -> None:
        log = MemoryLog()
        writer = await log.begin("a", StreamHeader("", ("p",)))
        assert writer is not None
        for number in range(3):
            await writer.append(b"x" * 60_000 + b"%d" % number)
        await writer.end([b"end"])
        reader = log.read("a", 0)
        first = await anext(reader)
        log.drop_ended(1, reader_idle_seconds=60)
        assert log.size
        rest = [line for page in [page async for page in reader] for line in page.lines]
        assert [len(first.lines), len(rest), rest[-1]] == [1, 3, b"end"]

        reader = log.read("a", 0)
        await anext(reader)
        log.drop_ended(1, reader_idle_seconds=0)
        assert not log.size
        with pytest.raises(StoreLost):
            await anext(reader)

    asyncio.run(main())


# --- the budget ---


@dataclass(eq=False)
class Reply:
    panel_bytes: int
    line_bytes: int = 0


def test_a_reply_below_its_share_goes_on() -> None:
    budget = MemoryBudget(900)
    large, small = Reply(500), Reply(100)
    for reply in (large, small):
        budget.count_reply(reply)
    assert budget.used_bytes == JOINED_FACTOR * 600
    assert not budget.has_room(large)
    assert budget.has_room(small)
    budget.forget_reply(large)
    assert budget.used_bytes == JOINED_FACTOR * 100
    assert budget.has_room(small)


def test_a_reply_waits_for_room() -> None:
    async def run() -> None:
        budget = MemoryBudget(100)
        replies = [Reply(100), Reply(100)]
        for reply in replies:
            budget.count_reply(reply)
        waiting = asyncio.ensure_future(budget.wait_for_room(replies[0]))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        budget.forget_reply(replies[1])
        replies[0].panel_bytes = 10
        budget.count_reply(replies[0])
        await waiting
        replies[0].panel_bytes = 100
        budget.count_reply(replies[0])
        with pytest.raises(MemoryShort):
            await budget.wait_for_room(replies[0])

    asyncio.run(run())


async def kept_stream(log: MemoryLog, id: str, size: int = 100) -> None:
    writer = await log.begin(id, StreamHeader("", ("a",)))
    assert writer is not None
    await writer.append(b"x" * size)
    await writer.end([])


def test_ended_streams_are_dropped_before_a_reply_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest goes first; one whose reader stands still goes only for a reply that is below its share."""

    async def run() -> None:
        log = MemoryLog()
        budget = MemoryBudget(1000, log)
        for id in ("read", "old", "new"):
            await kept_stream(log, id)
        reader = log.read("read", 0)
        await anext(reader)
        reply = Reply(0, 950)
        budget.count_reply(reply)
        assert await log.begin("running", StreamHeader("", ("a",))) is not None
        log.size += 750  # the lines of the running one
        assert budget.has_room(reply)
        assert [await is_kept(log, id) for id in ("read", "old", "new")] == [True, False, True]
        log.size += 100
        assert budget.has_room(reply)
        assert [await is_kept(log, id) for id in ("read", "new")] == [True, False]
        log.size += 100
        assert budget.has_room(reply)
        assert await is_kept(log, "read")
        monkeypatch.setattr("msgmodel.server.memory.STALLED_READER_SECONDS", 0.0)
        assert budget.has_room(reply)
        assert not await is_kept(log, "read")
        reply.line_bytes = 1100
        log.size += 100
        assert not budget.has_room(reply)
        await reader.aclose()

    asyncio.run(run())


async def is_kept(log: MemoryLog, id: str) -> bool:
    try:
        return await log.find(id) is not None
    except StreamExpired:
        return False


# --- what waits for Redis ---


def test_what_waits_for_redis_is_bounded(own_redis: Redis) -> None:
    from msgmodel.server.redis_log import RedisLog

    async def run() -> None:
        log = RedisLog(own_redis.url)
        writer = await log.begin("x", StreamHeader("", ("a",)))
        assert writer is not None
        await writer.append(b"first")
        await asyncio.sleep(0.3)
        own_redis.ask("CLIENT", "PAUSE", "1500", "WRITE")
        taken = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                for _ in range(100):
                    await writer.append(b"x" * 64 * 1024)
                    taken += 1
        assert 16 <= taken <= 32
        await writer.end([])
        found = await log.find("x")
        assert found is not None
        assert found.ended
        assert found.last >= taken
        await log.close()

    asyncio.run(run())


# --- large events ---


def large_values(seed: int) -> Iterator[Any]:
    letters = random.Random(seed)
    alphabet = 'ab"\\/\n\x00\x85\u2028\u2029\xe9\u4e2d\U0001f642'
    for size in (0, 10, 64 * 1024 - 1, 64 * 1024, 300_000):
        yield "".join(letters.choices(alphabet, k=size))
    yield [1, 2.5, None, True, "x" * 70_000]
    yield {str(number): "y" * 70_000 for number in range(1001)} if seed == 0 else {}
    yield [{"text": "z" * 70_000}] * 3


@pytest.mark.parametrize("seed", range(4))
def test_a_large_event_is_encoded_as_any_other(seed: int) -> None:
    values = [*large_values(seed)]
    event: Any = {"event": "panel_error", "content": values[4], "message": {"content": values[4]}, "values": values}
    assert asyncio.run(encode_large_event(event)) == encode_json_line(event)


def test_others_have_their_turn_while_a_large_event_is_encoded() -> None:
    async def run() -> int:
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.ensure_future(count())
        await encode_large_event({"event": "panel_error", "content": "x" * 10_000_000})  # type: ignore[typeddict-item]
        counting.cancel()
        return turns

    assert asyncio.run(run()) >= 30
