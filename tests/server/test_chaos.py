"""What breaks under several workers: all of them, Redis, nginx, the clock. Real processes, and readers who come back.

Each test holds the same: nothing hangs, a reader keeps what it has read, what can't go on is ended as `interrupted`
with all the text that had arrived, no reader is told that a broken stream is complete, and once the fault is over
new streams work. What is lost, and when, is in docs/reliability.md. One worker that dies, and single faults of Redis,
are in test_deploy.py and test_server_redis.py.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

import serving
from msgmodel.server import Settings, create_app
from msgmodel.testing import Reply, ScriptedProvider
from msgmodel.testing.server import Pause, Received, Script
from serving import Event, Redis, Serving, Uvicorn, joined, kinds, numbers, opened, request, wait_for

pytest.importorskip("redis")

from msgmodel.server.log import StopCommand, StreamHeader
from msgmodel.server.redis_log import RedisLog
from msgmodel.server.redis_store import timing

module_provider, provider = serving.module_provider, serving.provider  # fixtures
pytestmark = [
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="there is no redis-server"),
    pytest.mark.timeout(180),
]

HANGS = 40.0
"""Seconds after which a reader who still waits has been left hanging."""
ENDS = ("panel_final", "panel_error")


def text(pieces: int) -> str:
    return "".join(f"{number} " for number in range(pieces))


def answer(asked: Received) -> Script:
    """As the prompt says: pieces, pieces a second, and for how long the provider is silent in the middle."""
    pieces, speed, silence = map(float, asked.json["messages"][-1]["content"].split())
    said = [f"{number} " for number in range(int(pieces))]
    script = Reply("".join(said), pieces=said, speed=speed).script("openai_chat")
    half = len(script.steps) // 2
    return Script(steps=(*script.steps[:half], Pause(silence), *script.steps[half:]))


class Reader(threading.Thread):
    """A client as it should be: it asks, and comes back after its last event for as long as there is no terminal one.

    urls: of the servers, which it asks in turn. id, after: of a stream that another reader began.
    """

    def __init__(self, urls: Sequence[str], prompt: str = "", *, id: str = "", after: int = 0) -> None:
        super().__init__(daemon=True)
        self.id = id
        self.after = after
        self.found: list[Event] = []
        self.statuses: list[int] = []
        """Of all that it was answered."""
        self._urls, self._prompt = urls, prompt
        self.start()

    @property
    def last(self) -> int:
        return self.found[-1].id if self.found else self.after

    @property
    def ended(self) -> bool:
        return bool(self.found) and self.found[-1].kind in ENDS

    def run(self) -> None:
        until = time.monotonic() + HANGS
        for url in self._urls * 1000:
            with suppress(httpx2.HTTPError), self._ask(url) as stream:
                self.statuses.append(stream.response.status_code)
                if stream.response.status_code in (204, 404, 410):
                    return
                if stream.response.status_code == 200:
                    self.id = self.id or stream.response.headers["x-stream-id"]
                    for event in stream:
                        self.found.append(event)
            if self.ended or time.monotonic() > until:
                return
            time.sleep(0.1)

    def _ask(self, url: str) -> Any:
        if not self.id:
            body = {"panels": [{"provider": "openai"}], "prompt": self._prompt}
            return opened("POST", f"{url}/v1/panels", json=body, timeout=HANGS)
        place = {"last-event-id": str(self.last)}
        return opened("GET", f"{url}/v1/streams/{self.id}", headers=place, timeout=HANGS)

    def has(self, count: int) -> Reader:
        """Waits until it has so many events; itself."""
        wait_for(lambda: len(self.found) >= count, what=f"{len(self.found)} events of {count}: {self.statuses}")
        return self

    def all(self) -> list[Event]:
        """What it has in the end, which must be the right text, in order, without a gap."""
        self.join(HANGS + 5.0)
        assert not self.is_alive(), f"it hangs: {self.statuses}"
        assert numbers(self.found) == list(range(self.after + 1, self.after + 1 + len(self.found)))
        assert [kind for kind in kinds(self.found) if kind in ENDS] == kinds(self.found[-1:] if self.ended else [])
        return self.found

    def complete(self, pieces: int) -> list[Event]:
        """The same, where nothing may be missing."""
        found = self.all()
        assert kinds(found)[-1:] == ["panel_final"], (found[-1:], self.statuses)
        assert found[-1].data["content"] == text(pieces)
        assert text(pieces).endswith(joined(found))
        return found

    def interrupted(self, pieces: int) -> list[Event]:
        """The same, where it can't have gone on: with all the text that there was of it."""
        found = self.all()
        assert kinds(found)[-1:] == ["panel_error"], (found[-1:], self.statuses)
        assert (found[-1].data["code"], found[-1].data["retryable"]) == ("interrupted", True)
        content = found[-1].data["content"]
        assert text(pieces).startswith(content)
        assert content.endswith(joined(found))
        assert self.after or content == joined(found)
        return found


def replayed(url: str, id: str) -> list[Event]:
    """All that is kept of a stream that has ended."""
    with opened("GET", f"{url}/v1/streams/{id}", headers={"last-event-id": "0"}) as stream:
        assert stream.response.status_code == 200, stream.response.read()
        return stream.rest()


def refused(url: str, code: str, seconds: float = 20.0) -> None:
    """A new stream is refused, in time, in words for people."""
    begin = time.monotonic()
    body = {"panels": [{"provider": "openai"}], "prompt": "2 10 0"}
    response = request("POST", f"{url}/v1/panels", json=body, timeout=HANGS)
    assert time.monotonic() - begin < seconds
    assert response.status_code == 503, response.text
    assert response.json()["error"]["code"] == code
    assert " " in response.json()["error"]["message"]
    assert int(response.headers["retry-after"]) > 0


def works(*urls: str) -> None:
    """New streams begin, and end, everywhere."""
    for url in urls:
        wait_for(lambda url=url: request("GET", f"{url}/readyz").status_code == 200, what="it does not come back")
        Reader([url], "5 50 0").complete(5)


class Store(Redis):
    """A Redis that may write all it is told to disk, at once."""

    append_only = False

    def start(self, *, keep: bool = False) -> None:
        """keep: as with `Redis`."""
        if not self.append_only:
            super().start(keep=keep)
            return
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        command += ["--save", "", "--appendonly", "yes", "--appendfsync", "always"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self._answers, what="Redis did not start")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    found = Store(tmp_path)
    yield found
    found.close()


@pytest.fixture
def workers(store: Redis, provider: ScriptedProvider, tmp_path: Path) -> Iterator[Callable[..., list[Serving]]]:
    """Starts worker processes."""
    provider.say(answer)
    with ExitStack() as stack:

        def start(count: int = 2, **more: Any) -> list[Serving]:
            options = ("--redis", store.url, "--provider", "openai")
            return [stack.enter_context(Serving(tmp_path, provider, *options, **more)) for _ in range(count)]

        yield start


@pytest.fixture
def impatient(
    store: Redis, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Uvicorn, Uvicorn]]:
    """Two workers in this process, which wait for Redis for two seconds."""
    monkeypatch.setattr(timing, "PATIENCE_SECONDS", 2.0)
    provider.say(answer)
    with ExitStack() as stack:
        one, two = (stack.enter_context(Uvicorn(create_app(Settings(), RedisLog(store.url)))) for _ in range(2))
        yield one, two


# --- workers ---


@pytest.mark.long
def test_all_workers_are_killed(store: Redis, workers: Callable[..., list[Serving]]) -> None:
    """At the same instant, so that no worker is left to end their streams; a new one does when a reader asks it."""
    one, two = workers()
    whole = Reader([one.url], "10 100 0")
    whole.complete(10)
    readers = [Reader([server.url], "2000 40 0").has(20) for server in (one, two, one, two)]
    silent = Reader([one.url], "100 40 60").has(40)
    for server in (one, two):
        server.process.kill()
    for server in (one, two):
        server.process.wait()
    seen = [(reader, len(reader.found)) for reader in (*readers, silent)]
    (third,) = workers(1)
    again = [Reader([third.url], id=reader.id, after=count) for reader, count in seen]
    for (reader, count), after in zip(seen, again, strict=True):
        found = reader.found[:count] + after.interrupted(2000)
        assert found[-1].data["content"] == joined(found)
        assert replayed(third.url, reader.id) == found
    assert replayed(third.url, whole.id) == whole.found
    works(third.url)


# --- Redis ---


def test_redis_is_killed_and_has_written_all(store: Store, workers: Callable[..., list[Serving]]) -> None:
    """With an append-only file that is written at once, nothing is lost: every stream goes on to its end."""
    store.close()
    store.append_only = True
    store.start()
    one, two = workers()
    whole = Reader([one.url], "10 100 0")
    whole.complete(10)
    readers = [Reader([server.url], "240 40 0").has(20) for server in (one, two)]
    readers += [Reader([two.url], id=readers[0].id), Reader([one.url], id=readers[1].id, after=10)]
    for _ in range(2):
        store.close()
        time.sleep(0.5)
        store.start()
        time.sleep(1.0)
    for reader in readers:
        reader.complete(240)
    assert replayed(two.url, whole.id) == whole.found
    works(one.url, two.url)


def test_redis_goes_back_to_an_old_copy(store: Redis, workers: Callable[..., list[Serving]]) -> None:
    """What was written since the copy is gone. No reader waits for it, and no reader is told that less was all."""
    one, two = workers()
    kept, lost = Reader([one.url], "10 100 0"), Reader([one.url], "2000 40 0").has(20)
    kept.complete(10)
    store.ask("SAVE")
    copied = int(store.ask("HGET", f"msgmodel:{{{lost.id}}}:meta", "last"))
    told = Reader([two.url], "10 100 0")
    told.complete(10)
    lost.has(copied + 20)
    ahead = Reader([two.url], id=lost.id, after=copied + 10)
    ahead.has(5)
    store.close()
    store.start(keep=True)
    behind = [Reader([url], id=lost.id, after=after) for url in (one.url, two.url) for after in (0, 10)]
    late = Reader([two.url], id=lost.id, after=copied + 20)
    found = lost.interrupted(2000)
    assert len(found) > copied + 20  # it has seen them
    for reader in behind:
        assert len(reader.interrupted(2000)) + reader.after <= copied + 1  # with the event that ends it
    for reader in (ahead, late):  # who has more than there is now can't be told by a number that is another's
        assert reader.all() == found[reader.after : reader.after + len(reader.found)]
        assert reader.statuses[-1] == 204
    assert replayed(two.url, kept.id) == kept.found
    assert request("GET", f"{one.url}/v1/streams/{told.id}", headers={"last-event-id": "0"}).status_code == 404
    works(one.url, two.url)


def test_redis_comes_back_empty(store: Redis, workers: Callable[..., list[Serving]]) -> None:
    """All streams are gone: who has read one from its beginning is told by the server, the others by a 404."""
    one, two = workers()
    told = Reader([one.url], "10 100 0")
    told.complete(10)
    readers = [Reader([server.url], "2000 40 0").has(20) for server in (one, two)]
    elsewhere = Reader([two.url], id=readers[0].id).has(20)
    midway = Reader([two.url], id=readers[0].id, after=10).has(10)
    store.restart(keep=False)
    for reader in (*readers, elsewhere):
        reader.interrupted(2000)
    assert joined(midway.all()) == text(2000)[len(text(10)) :][: len(joined(midway.found))]
    assert midway.statuses[-1] == 404
    assert request("GET", f"{one.url}/v1/streams/{told.id}", headers={"last-event-id": "0"}).status_code == 404
    works(one.url, two.url)


def test_redis_stays_away(store: Redis, provider: ScriptedProvider, impatient: tuple[Uvicorn, Uvicorn]) -> None:
    """No reader is left waiting: the streams break off, and a reader that asks again is told why."""
    one, two = impatient
    readers = [Reader([server.url], "2000 40 0").has(20) for server in (one, two)]
    readers.append(Reader([two.url], id=readers[0].id).has(20))
    hangups = len(provider.server.hangups)
    store.close()
    provider.server.wait_hangup(
        timeout=20.0, count=hangups + 2
    )  # no request goes on, and costs, if its reply can't be kept
    for reader in readers:
        wait_for(lambda reader=reader: 503 in reader.statuses, what="a reader waits, and is told nothing")
    for server in (one, two):
        refused(server.url, "unavailable")
    store.start()
    for reader in readers:
        assert text(2000).startswith(joined(reader.all()))
        assert reader.statuses[-1] == 404
    works(one.url, two.url)


def test_redis_drops_a_stream(store: Redis, workers: Callable[..., list[Serving]]) -> None:
    """As it does where it may evict, or its clock is set far forward: a stream is never gone on with after a gap."""
    one, two = workers()
    reader = Reader([one.url], "2000 40 0").has(20)
    elsewhere = Reader([two.url], id=reader.id).has(20)
    midway = Reader([two.url], id=reader.id, after=10).has(5)
    store.ask("DEL", f"msgmodel:{{{reader.id}}}:log")
    late = Reader([two.url], id=reader.id)
    for each in (reader, elsewhere):
        each.interrupted(2000)
    for each in (midway, late):
        each.all()
        assert each.statuses[-1] == 410
    works(one.url, two.url)


@pytest.mark.long
def test_redis_says_nothing_for_ten_seconds(store: Redis, workers: Callable[..., list[Serving]]) -> None:
    """Streams go on after it, whole; a new one waits, or is refused."""
    one, two = workers()
    readers = [Reader([server.url], "300 40 0").has(20) for server in (one, two)]
    readers.append(Reader([two.url], id=readers[0].id).has(20))
    store.ask("CLIENT", "PAUSE", "10000", "ALL")
    paused = time.monotonic()
    assert request("GET", f"{one.url}/readyz").status_code == 503
    new = Reader([one.url], "5 50 0")
    for reader in readers:
        reader.complete(300)
    assert time.monotonic() - paused > 5.0  # it was paused
    new.complete(5)
    assert set(new.statuses) <= {503, 200}
    works(one.url, two.url)


@pytest.mark.long
def test_redis_is_full_for_a_while(store: Redis, workers: Callable[..., list[Serving]]) -> None:
    """Longer than a lease. New streams are refused, those that run wait, and are then whole."""
    one, two = workers()
    whole = Reader([one.url], "10 100 0")
    whole.complete(10)
    readers = [Reader([server.url], "300 40 0").has(20) for server in (one, two)]
    readers.append(Reader([two.url], id=readers[0].id).has(20))
    store.ask("CONFIG", "SET", "maxmemory", "1")
    begin = time.monotonic()
    refused(one.url, "busy", 5.0)
    assert replayed(two.url, whole.id) == whole.found
    time.sleep(max(0.0, begin + 9.0 - time.monotonic()))
    refused(two.url, "busy", 5.0)
    store.ask("CONFIG", "SET", "maxmemory", "0")
    for reader in readers:
        reader.complete(300)
    works(one.url, two.url)


def test_redis_stays_full(store: Redis, provider: ScriptedProvider, impatient: tuple[Uvicorn, Uvicorn]) -> None:
    """There is always room for an end: the streams are interrupted, and nothing of their text is missing."""
    one, two = impatient
    readers = [Reader([server.url], "2000 40 0").has(20) for server in (one, two)]
    readers.append(Reader([two.url], id=readers[0].id).has(20))
    hangups = len(provider.server.hangups)
    store.ask("CONFIG", "SET", "maxmemory", "1")
    full = time.monotonic()
    ended = [reader.interrupted(2000) for reader in readers]
    assert ended[0] == ended[2]
    assert all(len(found) > 60 for found in ended), "what came while it was full is missing"
    assert time.monotonic() - full < 15.0
    provider.server.wait_hangup(count=hangups + 2)
    refused(one.url, "busy", 5.0)
    store.ask("CONFIG", "SET", "maxmemory", "0")
    for reader in readers:
        assert replayed(two.url, reader.id) == reader.found
    works(one.url, two.url)


def test_a_reader_who_leaves_elsewhere_is_heard_first(store: Redis) -> None:
    """A worker that is told that a stream has no reader knows by then that it had one until now."""

    async def run() -> None:
        one, two = RedisLog(store.url), RedisLog(store.url)
        writer = await one.begin("x", StreamHeader("", ("a",)))
        assert writer is not None
        await writer.append(b'{"event":"panel_delta","panel_id":"a","delta":"Hello"}')
        for _ in range(50):
            reading = two.read("x", 0)
            await anext(reading)
            assert await one.read_elsewhere("x")
            leaving = asyncio.ensure_future(reading.aclose())
            while await one.read_elsewhere("x"):
                pass
            assert writer.commands.get_nowait() == StopCommand("left")
            await leaving
        await writer.end([])
        await one.close()
        await two.close()

    asyncio.run(run())


def test_nobody_is_given_up_because_redis_is_away(store: Redis) -> None:
    async def run() -> None:
        log = RedisLog(store.url)
        store.close()
        assert await log.read_elsewhere("x")
        await log.close()

    asyncio.run(run())


def test_what_is_kept_is_read_together(store: Redis) -> None:
    """The sender waits a moment after each piece if the event loop runs behind: there must be few."""

    async def run() -> None:
        log = RedisLog(store.url)
        writer = await log.begin("x", StreamHeader("", ("a",)))
        assert writer is not None
        for _ in range(30):
            await writer.append(b'{"event":"panel_delta","panel_id":"a","delta":"Hello"}')
            await asyncio.sleep(0.05)  # longer than lines are collected for
        await writer.end([b'{"event":"panel_final","panel_id":"a"}'])
        assert store.ask("XLEN", log.keys_of_stream("x")[1]) > 20
        pieces = [lines async for lines in log.read("x", 0)]
        assert sum(len(lines.lines) for lines in pieces) == 31
        assert len(pieces) < 5
        await log.close()

    asyncio.run(run())


# --- clocks ---

SHIFTED = """
import signal, time

_time, _time_ns = time.time, time.time_ns
_seconds = {seconds}


def _step(*_):
    global _seconds
    _seconds = -_seconds


time.time = lambda: _time() + _seconds
time.time_ns = lambda: _time_ns() + _seconds * 10**9
signal.signal(signal.SIGUSR1, _step)
"""
"""A worker's `sitecustomize`: its clock is wrong, and at SIGUSR1 it steps to as wrong the other way."""
_ELSEWHEN = ("unshare", "--time", "--monotonic", "1000000", "--boottime", "1000000")


def _other_boot() -> tuple[str, ...]:
    """What runs a program as on a machine that was started at another time; nothing where that can't be had."""
    if sys.platform != "linux" or shutil.which("unshare") is None or os.geteuid() != 0:
        return ()
    return _ELSEWHEN if os.spawnvp(os.P_WAIT, "unshare", [*_ELSEWHEN, "true"]) == 0 else ()


def clock(server: Serving) -> float:
    """What time it is there."""
    return parsedate_to_datetime(request("GET", f"{server.url}/healthz").headers["date"]).timestamp()


@pytest.mark.long
def test_clocks_that_disagree(store: Redis, workers: Callable[..., list[Serving]], tmp_path: Path) -> None:
    """By two hours, and they step while streams run: leases and readers are counted by Redis' clock alone."""
    ahead, behind = (tmp_path / name for name in ("ahead", "behind"))
    for folder, seconds in ((ahead, 3600), (behind, -3600)):
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(SHIFTED.format(seconds=seconds))
    (one,) = workers(1, PYTHONPATH=str(ahead))
    (two,) = workers(1, PYTHONPATH=str(behind), prefix=_other_boot())
    both = ((one, two), (two, one))
    assert clock(one) - clock(two) == pytest.approx(7200, abs=20)
    silent = [Reader([there.url], "40 40 8") for there, _ in both]
    crossed = [Reader([other.url], id=reader.has(3).id) for reader, (_, other) in zip(silent, both, strict=True)]
    stopped = [Reader([there.url], "2000 20 0").has(3) for there, _ in both]
    for reader, (_, other) in zip(stopped, both, strict=True):
        assert request("DELETE", f"{other.url}/v1/streams/{reader.id}").status_code == 204
    for server in (one, two):
        server.process.send_signal(signal.SIGUSR1)
    wait_for(lambda: clock(one) - clock(two) == pytest.approx(-7200, abs=20), what="the clocks did not step")
    for reader in stopped:
        assert reader.all()[-1].data["code"] == "cancelled"
    for reader in (*silent, *crossed):  # a provider that is silent for longer than a lease is not dead
        reader.complete(40)
    killed = Reader([one.url], "2000 40 0").has(20)
    reader = Reader([two.url], id=killed.id).has(20)
    one.process.kill()
    begin = time.monotonic()
    reader.interrupted(2000)
    assert time.monotonic() - begin < 15.0
    works(two.url)


# --- nginx ---

_spec = importlib.util.spec_from_file_location(
    "one_machine", Path(__file__).parents[2] / "examples" / "deploy" / "one_machine.py"
)
assert _spec is not None
assert _spec.loader is not None
one_machine: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(one_machine)


@pytest.fixture
def deployed(provider: ScriptedProvider, tmp_path: Path) -> Iterator[Any]:
    """Two workers behind nginx."""
    if one_machine.missing():
        pytest.skip(f"not installed: {', '.join(one_machine.missing())}")
    provider.say(answer)
    with one_machine.Deployment(
        tmp_path, workers=2, options=["--provider", "openai"], environment=provider.environment()
    ) as found:
        yield found


def nginx_processes(deployed: Any) -> list[int]:
    """The master and its workers."""
    master = deployed.nginx.pid
    children = Path(f"/proc/{master}/task/{master}/children").read_text()
    return [master, *map(int, children.split())]


needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="processes are found in /proc")


@needs_proc
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_nginx_is_cut(how: signal.Signals, deployed: Any, provider: ScriptedProvider) -> None:
    """All connections break; a reader that comes back has every piece, and nothing is asked a second time."""
    before = len(provider.requests)
    whole = Reader([deployed.url], "10 100 0")
    whole.complete(10)
    readers = [Reader([deployed.url], "200 40 0").has(20) for _ in range(4)]
    for process in nginx_processes(deployed):
        os.kill(process, how)
    deployed.nginx.wait(10.0)
    with pytest.raises(httpx2.HTTPError):
        request("GET", f"{deployed.url}/healthz", timeout=5.0)
    time.sleep(1.0)
    deployed._start_nginx()
    for reader in readers:
        reader.complete(200)
        assert len(reader.statuses) > 1  # it had to come back
    assert replayed(deployed.url, whole.id) == whole.found
    assert len(provider.requests) == before + 5
    works(deployed.url)


@needs_proc
def test_nginx_is_reloaded(deployed: Any) -> None:
    """Streams that run are not touched by it, and new ones go through the new processes."""
    readers = [Reader([deployed.url], "160 40 0").has(20) for _ in range(4)]
    master, *old = nginx_processes(deployed)
    os.kill(master, signal.SIGHUP)
    wait_for(lambda: set(nginx_processes(deployed)[1:]) - set(old), what="there are no new processes")
    works(deployed.url)
    for reader in readers:
        reader.complete(160)
        assert reader.statuses == [200]
    wait_for(lambda: not set(old) & set(nginx_processes(deployed)), what="the old processes stay")
