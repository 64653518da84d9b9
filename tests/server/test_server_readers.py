"""Readers that do not read, or that are too many: what one costs, and how many there may be. With both logs."""

from __future__ import annotations

import asyncio
import gc
import json
import re
import socket
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import ExitStack, aclosing, contextmanager
from pathlib import Path
from typing import Any

import pytest

import serving
from msgmodel import ConfigurationError
from msgmodel.server import MemoryLog, Settings
from msgmodel.server.log import PAGE_BYTES, Lines, Log, StoreLost, StreamHeader
from msgmodel.server.response import StreamResponse
from msgmodel.server.snapshots import Snapshots
from msgmodel.server.transcript import Transcript
from msgmodel.testing import Reply, ScriptedProvider
from serving import TOKENS, Redis, Serving, bearer, joined, kinds, numbers, opened, request, wait_for

module_provider, provider = serving.module_provider, serving.provider  # fixtures
redis_server, serve = serving.redis_server, serving.serve

ALICE, BOB = map(bearer, TOKENS)
SAID = {"id": "1", "role": "user", "parts": [{"type": "text", "text": "hi"}]}
CHAT = {"id": "c", "trigger": "submit-message", "messages": [SAID]}


def ask(server: Any, **how: Any) -> Any:
    return opened("POST", f"{server.url}/v1/panels", json={"prompt": "hi"}, **how)


def code(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


# --- what one costs ---


@contextmanager
def silent(port: int, path: str, headers: str = "", count: int = 16) -> Iterator[list[socket.socket]]:
    """Connections that ask and read nothing."""
    with ExitStack() as stack:
        connections = []
        for _ in range(count):
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", port))
            connection.sendall(f"GET {path} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n".encode())
            connections.append(connection)
        yield connections


def megabytes(pid: int, kind: str) -> float:
    found = re.search(rf"{kind}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) / 1024


@pytest.mark.parametrize("log", ["memory", "redis"])
@pytest.mark.parametrize("headers", ["last-event-id: 0\r\n", ""], ids=["events", "snapshot"])
def test_readers_that_do_not_read_cost_a_page_each(
    tmp_path: Path, provider: ScriptedProvider, request: pytest.FixtureRequest, log: str, headers: str
) -> None:
    """Not a copy of the stream, which has 42 MB."""
    if not Path("/proc/self/status").exists():
        pytest.skip("the memory of a process is read from /proc")
    options = ["--on-disconnect", "continue"]
    if log == "redis":
        options += ["--redis", request.getfixturevalue("redis_server").url]
    provider.say(Reply("x" * 14_000_000, pieces=["x" * 14_000] * 1000))
    with Serving(tmp_path, provider, *options) as server:
        with ask(server, timeout=60.0) as stream:
            assert sum(map(len, stream.response.iter_raw())) > 40_000_000
            path = stream.response.headers["location"]
        pid = server.process.pid
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak is counted from here
        before = megabytes(pid, "VmRSS")
        with silent(server.port, path, headers) as connections:
            for connection in connections:
                connection.settimeout(60)
                assert connection.recv(12) == b"HTTP/1.1 200"
            time.sleep(1.0)
            assert serving.request("GET", f"{server.url}/healthz", timeout=10.0).status_code == 200
            # One copy of the longest event for all (28 MB), and what it takes to make a snapshot.
            assert megabytes(pid, "VmHWM") - before < 200
            wait_for(lambda: megabytes(pid, "VmRSS") - before < 100)


def test_no_copy_of_a_page_is_larger(redis_server: Redis) -> None:
    """Many small lines, lines as large as a page, one that is larger."""
    from msgmodel.server.redis_log import RedisLog

    lines = [b'{"n":%d}' % number for number in range(20_000)]
    lines += [b'"%b"' % (b"y" * (PAGE_BYTES - 2))] * 3 + [b'"%b"' % (b"z" * 3_000_000)] + lines[:500]

    async def run(log: Log) -> None:
        writer = await log.begin("x", StreamHeader("", ("a",)))
        assert writer is not None
        for each in lines:
            await writer.append(each)
        await writer.end([b'{"event":"panel_final"}'])
        for after in (0, 7, 20_002, 20_003):
            got: list[bytes] = []
            page: Lines
            async for page in log.read("x", after):
                assert page.first == after + len(got) + 1
                assert sum(map(len, page.lines)) <= PAGE_BYTES or len(page.lines) == 1
                got += page.lines
            assert got == [*lines, b'{"event":"panel_final"}'][after:]
        await log.close()

    asyncio.run(run(MemoryLog()))
    asyncio.run(run(RedisLog(redis_server.url, prefix=f"pages{time.monotonic_ns()}")))


def test_a_stream_that_is_forgotten_is_not_kept_for_a_reader() -> None:
    """One that does not read would keep it as long as it likes, past the limit of what is kept."""

    async def run() -> None:
        log = MemoryLog(max_bytes=400_000)
        for name in ("x", "y"):
            writer = await log.begin(name, StreamHeader("", ("a",)))
            assert writer is not None
            for _ in range(3):
                await writer.append(b'"%b"' % (b"x" * PAGE_BYTES))
            if name == "x":
                await writer.end([b'{"event":"panel_final"}'])
                stream = log._streams["x"]
                readers = [log.read("x", after) for after in (0, 3)]
                for reader in readers:
                    await anext(reader)
        for _ in range(2):
            await writer.append(b'"%b"' % (b"x" * PAGE_BYTES))
        assert "x" not in log._streams
        assert not stream.lines
        with pytest.raises(StoreLost):
            await anext(readers[0])
        with pytest.raises(StopAsyncIteration):  # it had all
            await anext(readers[1])

    asyncio.run(run())


# --- snapshots ---


def written(*events: dict[str, Any]) -> list[bytes]:
    return [json.dumps({"panel_id": "a"} | event).encode() for event in events]


@pytest.mark.parametrize("size", [10, 100_000, 1_000_000])
def test_a_snapshot_says_what_the_events_said(size: int) -> None:
    """However large the terminal events are, whose lines it takes over as they are."""
    lines = []
    for name in ("a", "b", "c"):
        lines += written({"event": "panel_delta", "panel_id": name, "delta": "é\u2028x" * (size // 4)})
    lines += written({"event": "panel_error", "panel_id": "b", "provider": "p", "model": None, "error": "z" * size})
    lines += written({"event": "panel_final", "provider": "p", "model": "m", "content": '"end": null' + "y" * size})
    panels = Transcript(("a", "b", "c"))
    for each in lines:
        panels.add_event(json.loads(each))

    async def run() -> None:
        log = MemoryLog()
        writer = await log.begin("x", StreamHeader("", ("a", "b", "c")))
        assert writer is not None
        for each in lines:
            await writer.append(each)
        found = await log.find("x")
        assert found is not None
        snapshots = Snapshots(log)
        taken = await asyncio.gather(*(snapshots.take_snapshot("x", "x", found) for _ in range(20)))
        assert json.loads(b"".join(taken[0].parts)) == panels.make_snapshot()
        await writer.append(written({"event": "panel_delta", "panel_id": "c", "delta": "more"})[0])
        taken.append(await snapshots.take_snapshot("x", "x", found))  # while it is being sent
        assert len(set(map(id, taken))) == 1
        del taken
        await asyncio.sleep(0)  # the event loop lets go of what it has just handed over
        gc.collect()
        assert not len(snapshots._sent)

    asyncio.run(run())


def test_who_makes_a_snapshot_leaves() -> None:
    """The others wait for it all the same."""

    async def run() -> None:
        log = MemoryLog()
        writer = await log.begin("x", StreamHeader("", ("a",)))
        assert writer is not None
        for each in written(*[{"event": "panel_delta", "delta": "x" * PAGE_BYTES}] * 20):
            await writer.append(each)
        found = await log.find("x")
        assert found is not None
        snapshots = Snapshots(log)
        first, second = (asyncio.create_task(snapshots.take_snapshot("x", "x", found)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert (await second).last == 20
        assert first.cancelled()

    asyncio.run(run())


def test_a_snapshot_that_is_shared_while_the_stream_goes_on(serve: Any, provider: ScriptedProvider) -> None:
    """The second reader gets that of the first one, which has not read it, and the events after it."""
    pieces = ["x" * 4_000_000, *["word "] * 8]
    provider.say(Reply("".join(pieces), pieces=pieces, speed=3.0))
    server = serve(on_disconnect="continue")
    with ask(server) as stream:
        stream.take(1)
        path = stream.response.headers["location"]
        with silent(server.port, path, count=1):
            time.sleep(0.3)
            with opened("GET", server.url + path) as other:
                snapshot, *rest = other.rest()
        got = stream.rest()
    assert snapshot.kind == "stream_snapshot"
    assert numbers(rest) == list(range(snapshot.id + 1, got[-1].id + 1))
    assert rest[-1] == got[-1]
    (panel,) = snapshot.data["panels"]
    assert panel["content"] + joined(rest) == got[-1].data["content"]


# --- how many there may be ---


def test_readers_of_one_stream(serve: Any, provider: ScriptedProvider) -> None:
    """By every way to it; a place is free as soon as one has left."""
    provider.say(Reply("Hello there", stall_after=1))
    server = serve(max_readers_per_stream=3, tokens=TOKENS, on_disconnect="continue")
    key = {"idempotency-key": f"k{time.monotonic_ns()}"}
    with ask(server, headers=ALICE | key) as stream:
        url = server.url + stream.response.headers["location"]
        stream.take(1)
        places = ALICE | {"last-event-id": "0"}
        with opened("GET", url, headers=ALICE) as one, opened("GET", url, headers=places) as two:
            one.take(1), two.take(1)
            for headers in (ALICE, places):
                response = request("GET", url, headers=headers)
                assert code(response) == (429, "too_many_readers")
                assert int(response.headers["retry-after"]) > 0
            assert request("GET", url, headers=BOB).status_code == 404
            assert request("HEAD", url, headers=ALICE).status_code == 429
            joining = request("POST", f"{server.url}/v1/panels", json={"prompt": "hi"}, headers=ALICE | key)
            assert code(joining) == (429, "too_many_readers")

        def again() -> bool:
            with opened("GET", url, headers=ALICE) as other:
                return other.response.status_code == 200

        wait_for(again)
        assert request("DELETE", url, headers=ALICE).status_code == 204
        stream.rest()


def test_readers_of_one_chat(serve: Any, provider: ScriptedProvider) -> None:
    """`useChat`, and an `EventSource`."""
    provider.say(Reply("Hello there", stall_after=1))
    server = serve(max_readers_per_stream=1)
    chat = f"c{time.monotonic_ns()}"
    with opened("POST", f"{server.url}/adapters/ai-sdk/chat", json=CHAT | {"id": chat}) as stream:
        stream.frame(), stream.frame()
        again = f"{server.url}/adapters/ai-sdk/chat/{chat}/stream"
        assert code(request("GET", again)) == (429, "too_many_readers")
    wait_for(lambda: opened_status(again) == 200)
    url = f"{server.url}/chat/stream?prompt=hi"
    with opened("GET", url) as stream:
        stream.take(1)
        place = {"last-event-id": f"{stream.response.headers['x-stream-id']}:1"}
        assert code(request("GET", url, headers=place)) == (429, "too_many_readers")


def opened_status(url: str) -> int:
    with opened("GET", url) as stream:
        return stream.response.status_code


def test_readers_of_one_client(serve: Any, provider: ScriptedProvider) -> None:
    """A client that may read no more streams begins none, and pays for none."""
    provider.say(Reply("Hello there", stall_after=1))
    server = serve(max_readers_per_client=2, tokens=TOKENS)
    with ask(server, headers=ALICE) as one, ask(server, headers=ALICE) as two:
        one.take(1), two.take(1)
        before = len(provider.requests)
        for method, path, body in (
            ("POST", "/v1/panels", {"prompt": "hi"}),
            ("GET", "/chat/stream?prompt=hi", None),
            ("GET", one.response.headers["location"], None),
            ("POST", "/adapters/ai-sdk/chat", CHAT),
            ("POST", "/v1/chat/completions", {"model": "openai/m", "messages": [{"role": "user", "content": "hi"}]}),
        ):
            response = request(method, server.url + path, json=body, headers=ALICE)
            assert code(response) == (429, "too_many_readers"), path
        assert len(provider.requests) == before
        with ask(server, headers=BOB) as other:
            assert other.take(1)

    def free() -> bool:
        with ask(server, headers=ALICE) as stream:
            return stream.response.status_code == 200

    wait_for(free)


def test_readers_that_were_refused_or_failed_do_not_count(serve: Any, provider: ScriptedProvider) -> None:
    provider.say("Hello")
    server = serve(max_readers_per_client=1, max_readers_per_stream=1, max_streams_per_client=100)
    for _ in range(5):
        with ask(server) as stream:
            assert kinds(stream.rest())[-1] == "panel_final"
        url = server.url + stream.response.headers["location"]

        def read(url: str = url) -> bool:
            return request("GET", url).status_code == 200

        wait_for(read)
        assert request("GET", f"{url}x").status_code == 404
        assert request("POST", f"{server.url}/v1/panels", json={"prompt": "hi", "x": 1}).status_code == 422


@pytest.mark.parametrize(
    ("given", "most"),
    [
        ({}, None),
        ({"tokens": TOKENS}, 256),
        ({"max_streams_per_client": 3}, 12),
        ({"tokens": TOKENS, "max_readers_per_client": 5}, 5),
        ({"max_readers_per_client": 5}, 5),
    ],
)
def test_how_many_a_client_may_read(given: dict[str, Any], most: int | None) -> None:
    assert Settings(**given).readers_per_client == most


@pytest.mark.parametrize("name", ["max_readers_per_stream", "max_readers_per_client"])
def test_limits_that_make_no_sense(name: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        Settings(**{name: 0})


# --- what is sent ---


def test_a_large_event_is_sent_whole_to_a_slow_reader(serve: Any, provider: ScriptedProvider) -> None:
    """In pages, and no comment comes in between."""
    text = "é\n" * 500_000
    provider.say(Reply(text, pieces=[text]))
    server = serve(heartbeat_seconds=0.5)
    with ask(server) as stream:
        pause: Callable[[], None] = lambda: time.sleep(0.01)  # noqa: E731
        chunks = stream._chunks

        def slowly() -> Iterator[bytes]:
            for chunk in chunks:
                pause()
                yield chunk

        stream._chunks = slowly()
        got = stream.rest()
    assert joined(got) == got[-1].data["content"] == text


def test_comments_do_not_pile_up() -> None:
    """For one who does not read there is one at most, after what it has not taken."""
    sent: list[dict[str, Any]] = []

    async def run() -> None:
        full = asyncio.Event()

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)
            if message.get("body") == b"a" * PAGE_BYTES:
                await full.wait()

        async def receive() -> dict[str, Any]:
            await asyncio.sleep(3)
            return {"type": "http.disconnect"}

        async def pieces() -> AsyncGenerator[bytes, None]:
            yield b"a" * (10 * PAGE_BYTES)
            await asyncio.sleep(60)

        async with aclosing(pieces()) as made:
            response = StreamResponse(made, heartbeat_seconds=0.5)
            await response({"type": "http", "method": "GET"}, receive, send)  # type: ignore[arg-type]

    asyncio.run(run())
    assert [len(each["body"]) for each in sent[2:]] == [PAGE_BYTES]
