"""Many panels at once: one terminal event each, whatever happens to the others, and nothing left behind."""

from __future__ import annotations

import asyncio
import gc
import io
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import msgmodel
from conftest import Async, Sync
from msgmodel import AuthenticationError, ConfigurationError, FileError, Panel, astream_many, stream_many
from msgmodel.testing import Pause, Reply, Script, ScriptedProvider
from msgmodel.testing.wires import WIRES

NAME = {"openai_chat": "openai", "openai_responses": "openai", "anthropic": "anthropic", "gemini": "gemini"}


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    with ScriptedProvider() as running:
        yield running


Act = Callable[[Any, Any], Any]


def gather(
    colour: Sync | Async, panels: Any, *args: Any, act: Act = lambda batch, event: None, **kwargs: Any
) -> list[Any]:
    """The events of a batch. `act` is told of each, with the batch."""
    if isinstance(colour, Sync):
        found = []
        with stream_many(panels, *args, **kwargs) as batch:
            for event in batch:
                found.append(event)
                act(batch, event)
        return found

    async def collect() -> list[Any]:
        found = []
        async with astream_many(panels, *args, **kwargs) as batch:
            async for event in batch:
                found.append(event)
                act(batch, event)
        return found

    return colour.run(collect())


def by_panel(events: list[Any]) -> dict[str, list[Any]]:
    """The events of each panel; the grammar holds for every one."""
    *rest, last = events
    assert last["event"] == "batch_final"
    found: dict[str, list[Any]] = {summary["panel_id"]: [] for summary in last["panels"]}
    for event in rest:
        found[event["panel_id"]].append(event)
    for own, summary in zip(found.values(), last["panels"], strict=True):
        ends = [event["event"] in ("panel_final", "panel_error") for event in own]
        assert ends == [False] * (len(own) - 1) + [True]
        deltas = "".join(event["delta"] for event in own if event["event"] == "panel_delta")
        assert deltas == own[-1]["content"]
        assert summary == {
            "panel_id": own[-1]["panel_id"],
            "provider": own[-1]["provider"],
            "model": own[-1]["model"],
            "status": own[-1].get("status"),
            "code": own[-1].get("code"),
            "first_delta_seconds": own[-1]["timing"]["first_delta_seconds"],
            "total_seconds": own[-1]["timing"]["total_seconds"],
            "usage": own[-1]["usage"],
            "cost": own[-1]["cost"],
        }
    return found


def test_every_wire_at_once(colour: Sync | Async, provider: ScriptedProvider) -> None:
    provider.say("Hello there")
    panels = [Panel(NAME[wire], panel_id=wire, config=provider.config(wire)) for wire in WIRES]
    found = by_panel(gather(colour, panels, "hi", system_instruction="Be brief."))
    assert {name: own[-1]["content"] for name, own in found.items()} == dict.fromkeys(WIRES, "Hello there")
    assert [own[-1]["wire"] for own in found.values()] == list(WIRES)


def test_eight_panels_of_which_four_fail(colour: Sync | Async, provider: ScriptedProvider) -> None:
    """The others do not wait for the stalled one: it ends last, by its own clock."""
    replies = {
        "stalled": Reply("one two", stall_after=1),
        "cut": Reply("one two", cut_after=1),
        "refused": Reply(error=429),
        "cancelled": Reply("one two", stall_after=1),
    }
    provider.say(lambda request: replies.get(request.json["model"], "Hello there"))
    names = ["a", "stalled", "b", "cut", "c", "refused", "d", "cancelled"]
    config = provider.config("openai")
    panels = [Panel("openai", panel_id=name, model=name, config=config, max_retries=0) for name in names]
    panels[1].settings["idle_timeout"] = 1.5

    def act(batch: Any, event: Any) -> None:
        if event["panel_id"] == "cancelled" and event["event"] == "panel_delta":
            batch.cancel("cancelled")

    events = gather(colour, panels, "hi", act=act)
    ends = {name: own[-1] for name, own in by_panel(events).items()}
    assert {name: end.get("code") or end["status"] for name, end in ends.items()} == {
        "a": "complete", "b": "complete", "c": "complete", "d": "complete",
        "stalled": "timeout", "cut": "interrupted", "refused": "rate_limit", "cancelled": "cancelled",
    }  # fmt: skip
    assert ends["cancelled"]["content"] == ends["cut"]["content"] == ends["stalled"]["content"] == "one"
    order = [event["panel_id"] for event in events if event["event"] in ("panel_final", "panel_error")]
    assert order[-1] == "stalled"
    assert events[-1]["total_seconds"] >= 1.5
    provider.server.wait_hangup(count=2)


MEMORY = """
import sys, time, asyncio
from msgmodel import Panel, stream_many, astream_many, OpenAIConfig
colour, url = sys.argv[1:]
config = OpenAIConfig(base_url=url + "/v1")
panels = [Panel("openai", config=config) for _ in range(100)]
def highest():  # not ru_maxrss: that begins with what the parent had
    return next(int(line.split()[1]) // 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
def seen(count, event):
    if event["event"] == "panel_final":
        assert len(event["content"]) == 2000 * 200, len(event["content"])
    if count % 2000 == 0:
        time.sleep(0.02)
if colour == "sync":
    for count, event in enumerate(stream_many(panels, "hi")):
        if count == 2000:
            time.sleep(2)  # long enough for everything to come, if nothing held it back
            import gc; gc.collect()
            print(highest())
        seen(count, event)
else:
    async def main():
        global event
        count = 0
        async for event in astream_many(panels, "hi"):
            if count == 2000:
                await asyncio.sleep(2)
                print(highest())
            seen(count, event)
            count += 1
    asyncio.run(main())
assert event["event"] == "batch_final" and {panel["status"] for panel in event["panels"]} == {"complete"}
"""


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="no /proc")
@pytest.mark.parametrize("colour_name", ["sync", "async"])
def test_a_reader_that_sleeps(provider: ScriptedProvider, colour_name: str) -> None:
    """100 panels of 2,000 chunks of 200 characters are 40 million characters; what waits for the reader is far less."""
    piece = "x" * 200
    reply = Reply(piece * 2000, pieces=[piece] * 2000)
    whole = reply.script("openai_chat")
    provider.say(whole)
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, colour_name, provider.url],
        capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    # 2,000 events of 20 panels that were read, 64 waiting a panel, and what lies in the buffers of the sockets.
    assert int(done.stdout) < 90


@pytest.mark.parametrize("when", ["before", "during"])
def test_cancel_all(colour: Sync | Async, provider: ScriptedProvider, when: str) -> None:
    provider.say(Reply("one two", stall_after=1))
    panels = [Panel("openai", config=provider.config("openai")) for _ in range(5)]

    def act(batch: Any, event: Any) -> None:
        batch.cancel()

    if when == "during":
        found = by_panel(gather(colour, panels, "hi", act=act))
    elif isinstance(colour, Sync):
        batch = stream_many(panels, "hi")
        batch.cancel()
        found = by_panel(list(batch))
    else:

        async def collect() -> list[Any]:
            batch = astream_many(panels, "hi")
            batch.cancel()
            return [event async for event in batch]

        found = by_panel(colour.run(collect()))
    assert list(found) == ["openai", "openai-2", "openai-3", "openai-4", "openai-5"]
    assert {own[-1]["code"] for own in found.values()} == {"cancelled"}
    assert when == "during" or provider.requests == []


def test_cancel_from_another_thread(provider: ScriptedProvider) -> None:
    provider.say(Reply("one two", stall_after=1))
    batch = stream_many([Panel("openai", config=provider.config("openai"), panel_id="left")], "hi")
    assert batch.panel_ids == ["left"]
    assert next(batch)["event"] == "panel_delta"
    threading.Timer(0.1, batch.cancel, ["left"]).start()
    assert [event["event"] for event in batch] == ["panel_error", "batch_final"]
    batch.cancel("left")  # it has ended: nothing happens
    with pytest.raises(ConfigurationError, match="no panel 'right' \\(panels: left\\)"):
        batch.cancel("right")
    assert list(batch) == []


@pytest.mark.parametrize("pause", [0, 1, 2, 3, 5])
def test_cancelling_twice(colour: Sync | Async, provider: ScriptedProvider, pause: int) -> None:
    """While the first one is under way, with the buffer full and without."""
    provider.say(Reply("w " * 3000))
    config = provider.config("openai")
    panels = [Panel("openai", panel_id=name, config=config) for name in ("one", "two")]

    if isinstance(colour, Sync):
        batch = stream_many(panels, "hi", max_retries=0)
        next(batch)
        time.sleep(0.01 * pause)
        for panel_id in ("one", None, None):
            batch.cancel(panel_id)
        found = within(5, lambda: list(batch))
    else:

        async def main() -> list[Any]:
            batch = astream_many(panels, "hi", max_retries=0)
            await anext(batch)
            await asyncio.sleep(0.05)
            batch.cancel("one")
            for _ in range(pause):
                await asyncio.sleep(0)
            batch.cancel()
            return await asyncio.wait_for(rest(batch), 5)

        found = colour.run(main())
    *_, one, two = (event for event in found if event["event"] == "panel_error")
    assert {(end["panel_id"], end["code"]) for end in (one, two)} == {("one", "cancelled"), ("two", "cancelled")}
    assert found[-1]["event"] == "batch_final"


def within(seconds: float, work: Callable[[], list[Any]]) -> list[Any]:
    """What it returns, or raises; it must not take longer."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            results.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert results, "it hangs"
    if isinstance(results[0], BaseException):
        raise results[0]
    found: list[Any] = results[0]
    return found


async def rest(batch: Any) -> list[Any]:
    return [event async for event in batch]


def test_cancelled_before_its_task_begins(provider: ScriptedProvider) -> None:
    """Between the making of the tasks and their first step there is time for another thread, or task."""
    provider.say("Hello")
    panels = [Panel("openai", config=provider.config("openai"))] * 3

    async def main() -> list[Any]:
        batch = astream_many(panels, "hi")
        first = asyncio.ensure_future(anext(batch))
        await asyncio.sleep(0)  # the tasks are there, and none has run
        batch.cancel()
        for job in batch._merged.jobs:
            assert job.task is not None
            job.task.cancel()
        return [await asyncio.wait_for(first, 5), *await asyncio.wait_for(rest(batch), 5)]

    found = by_panel(asyncio.run(main()))
    assert {own[-1]["code"] for own in found.values()} == {"cancelled"}
    assert provider.requests == []


def test_an_on_end_that_raises_when_it_is_cancelled(colour: Sync | Async, provider: ScriptedProvider) -> None:
    def fault(event: Any) -> None:
        raise RuntimeError("of the caller")

    provider.say(Reply("one two", stall_after=1))
    panels = [Panel("openai", config=provider.config("openai"), on_end=fault)] * 2

    def act(batch: Any, event: Any) -> None:
        batch.cancel()

    found = by_panel(within(5, lambda: gather(colour, panels, "hi", act=act)))
    assert {own[-1]["code"] for own in found.values()} == {"cancelled"}


@pytest.mark.parametrize("when", ["ended", "cancelled"])
def test_an_on_end_that_exits(colour: Sync | Async, provider: ScriptedProvider, when: str) -> None:
    """It ends who reads, as it does with one panel; no caller waits for a thread that is gone."""

    def leave(event: Any) -> None:
        sys.exit(3)

    provider.say(Reply("one two", stall_after=1) if when == "cancelled" else "one")
    panels = [Panel("openai", config=provider.config("openai"), on_end=leave)]
    if isinstance(colour, Sync):
        batch = stream_many(panels, "hi")
        if when == "cancelled":
            next(batch)
            batch.cancel()
        with pytest.raises(SystemExit):
            within(5, lambda: list(batch))
        assert list(batch) == []
    else:

        async def main() -> None:
            batch = astream_many(panels, "hi")
            async for _ in batch:
                if when == "cancelled":
                    batch.cancel()

        with pytest.raises(SystemExit):
            asyncio.run(main())


def test_no_loop_can_be_made(provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OSError(24, "Too many open files")

    batch = stream_many([Panel("openai", config=provider.config("openai"))], "hi")
    monkeypatch.setattr(asyncio, "new_event_loop", fail)
    monkeypatch.setattr(asyncio.events, "new_event_loop", fail)
    with pytest.raises(OSError, match="Too many open files"):
        within(5, lambda: list(batch))


def test_the_loop_ends_while_somebody_reads(provider: ScriptedProvider) -> None:
    """A loop that was stopped before it saw what it was asked."""
    provider.say(Reply("one two", stall_after=1))
    batch = stream_many([Panel("openai", config=provider.config("openai"))], "hi")
    next(batch)
    assert batch._loop is not None
    batch._loop.close()
    assert within(5, lambda: list(batch)) == []


def test_a_fault_of_nobody_s_is_logged_by_its_type(
    colour: Sync | Async, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither its message nor a line of the code that raised it: either may hold what was said."""
    from msgmodel.reply import exchange

    def fail(self: Any, chunk: bytes) -> Any:
        raise LookupError("SECRET words")

    monkeypatch.setattr(exchange.Exchange, "feed", fail)
    heard: list[Any] = []
    panels = [Panel("openai", config=provider.config("openai"), panel_id="left", on_end=heard.append)]
    error, _ = gather(colour, panels, "hi")
    assert (error["code"], error["error"], heard) == ("protocol", "unexpected LookupError", [error])
    assert caplog.messages == ["panel left: unexpected LookupError"]
    assert "SECRET" not in caplog.text


def test_closing_from_another_thread(provider: ScriptedProvider) -> None:
    """The iteration ends, as if there were no more."""
    provider.say(Reply("one two", stall_after=1))
    batch = stream_many([Panel("openai", config=provider.config("openai"))] * 3, "hi")

    def read() -> list[str]:
        found = [next(batch)["event"] for _ in range(3)]
        threading.Timer(0.1, batch.close).start()
        return [*found, *(event["event"] for event in batch)]

    assert within(10, read) == ["panel_delta"] * 3
    provider.server.wait_hangup(timeout=2, count=3)
    wait_for(lambda: not any(thread.name == "msgmodel batch" for thread in threading.enumerate()))


@pytest.mark.parametrize("how", ["close", "end"])
def test_a_name_that_is_being_looked_up(provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """A call waits for it no longer than for a silence; what it finds later is dropped."""
    found = threading.Event()
    looked = threading.Event()

    look_up = socket.getaddrinfo

    def slow(*asked: Any, flags: int = 0, **options: Any) -> Any:
        if flags & socket.AI_NUMERICHOST:  # no name server is asked
            return look_up(*asked, flags=flags, **options)
        looked.set()
        found.wait(20)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    config = msgmodel.OpenAIConfig(base_url="http://provider.test/v1", api_key="sk-test")
    begin = time.monotonic()
    with stream_many([Panel("openai", config=config)], "hi", timeout=0.5 if how == "end" else 60) as batch:
        if how == "close":
            threading.Thread(target=lambda: looked.wait(5) and batch.close()).start()
        ends = [event["event"] for event in batch]
    assert time.monotonic() - begin < 10
    assert ends == ([] if how == "close" else ["panel_error", "batch_final"])
    found.set()
    wait_for(lambda: not any(thread.name.startswith("ThreadPoolExecutor") for thread in threading.enumerate()))


def test_closing_from_another_thread_before_there_is_a_loop(
    provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    from msgmodel.batch import batch as batch_module
    from msgmodel.batch.loop_thread import LoopThread

    class Slow(LoopThread):
        def __init__(self, merged: Any) -> None:
            super().__init__(merged)
            batch.close()

    monkeypatch.setattr(batch_module, "LoopThread", Slow)
    batch = stream_many([Panel("openai", config=provider.config("openai"))], "hi")
    assert within(5, lambda: list(batch)) == []
    wait_for(lambda: not any(thread.name == "msgmodel batch" for thread in threading.enumerate()))
    assert provider.requests == []


def test_closing_an_async_batch_that_somebody_waits_for(provider: ScriptedProvider) -> None:
    provider.say(Reply("one two", stall_after=1))

    async def main() -> None:
        batch = astream_many([Panel("openai", config=provider.config("openai"))], "hi")
        await anext(batch)
        waiting = asyncio.ensure_future(rest(batch))
        await asyncio.sleep(0.05)
        await batch.aclose()
        assert await asyncio.wait_for(waiting, 5) == []

    asyncio.run(main())
    provider.server.wait_hangup()


def test_a_time_limit_on_one_event(provider: ScriptedProvider) -> None:
    """It loses no event and closes nothing."""
    begin = Reply("one two").script("openai_chat").steps
    provider.say(Script(steps=(*begin[:2], Pause(0.6), *begin[2:])))

    async def main() -> list[Any]:
        found: list[Any] = []
        late = 0
        async with astream_many([Panel("openai", config=provider.config("openai"))], "hi") as batch:
            while not found or found[-1]["event"] != "batch_final":
                try:
                    found.append(await asyncio.wait_for(anext(batch), 0.1))
                except TimeoutError:
                    late += 1
        assert late >= 3
        return found

    assert by_panel(asyncio.run(main()))["openai"][-1]["content"] == "one two"


def test_another_loop_goes_on(provider: ScriptedProvider) -> None:
    """The loop of its panels is gone: they were cancelled, and say so."""
    provider.say(Reply("one two", stall_after=1))
    batch = astream_many([Panel("openai", config=provider.config("openai"))], "hi")

    async def one() -> Any:
        return await anext(batch)

    async def others() -> list[Any]:
        return [event async for event in batch]

    assert asyncio.run(one())["event"] == "panel_delta"
    error, last = asyncio.run(asyncio.wait_for(others(), 5))
    assert (error["code"], error["content"], last["event"]) == ("cancelled", "one", "batch_final")


def test_files_are_read_once(colour: Sync | Async, provider: ScriptedProvider) -> None:
    """A pipe has its content only once; a panel's own files come in the place of the others."""

    class Pipe(io.RawIOBase):
        def __init__(self, data: bytes) -> None:
            self._data = io.BytesIO(data)

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            return self._data.readinto(buffer)

    provider.say("Hello")
    config = provider.config("openai")
    panels = [Panel("openai", config=config), Panel("openai", config=config, files=[("c.txt", b"third file")])]
    files: Any = [("b.txt", Pipe(b"second file"))]
    by_panel(gather(colour, panels, "hi", Pipe(b"first file"), "a.txt", files=files))
    words = ("first file", "second file", "third file")
    sent = {tuple(word in str(request.json["messages"]) for word in words) for request in provider.requests}
    assert sent == {(True, True, False), (True, False, True)}
    with pytest.raises(FileError, match="without file_like"):
        gather(colour, panels, "hi", filename="a.txt")


def test_the_summary_of_any_ends(provider: ScriptedProvider) -> None:
    from msgmodel.many import batch_summary

    provider.say("Hello", Reply(error=401))
    config = provider.config("openai")
    events: list[list[Any]] = [
        list(msgmodel.stream_panels("openai", "hi", config=config, panel_id=name)) for name in ("a", "b")
    ]
    found = batch_summary([(own[-1]["panel_id"], own[-1]) for own in events], 1.5)
    by_panel([*events[0], *events[1], found])
    assert (found["total_seconds"], [panel["code"] for panel in found["panels"]]) == (1.5, [None, "authentication"])
    assert batch_summary([], 0.0)["cost"] == 0


def test_a_cancelled_panel_says_what_it_had(provider: ScriptedProvider) -> None:
    """A call that was cut by it comes out as incomplete."""
    provider.say(Reply("one", tool_calls=[{"name": "f", "arguments": {"a": 1}}]))
    script = Reply("one", tool_calls=[{"name": "f", "arguments": {"a": 1}}]).script("openai_chat")
    from msgmodel.testing import Stall

    provider.say(Script(steps=(*script.steps[:4], Stall())))
    batch = stream_many([Panel("openai", config=provider.config("openai"))], "hi")
    assert next(batch)["event"] == "panel_delta"
    time.sleep(0.2)
    batch.cancel()
    call, error, _ = list(batch)
    assert (call["event"], call["complete"], error["code"]) == ("panel_tool_call", False, "cancelled")


@pytest.mark.parametrize("how", ["break", "close", "exception", "let go"])
def test_leaving_closes_all_connections(colour: Sync | Async, provider: ScriptedProvider, how: str) -> None:
    provider.say(Reply("one two", stall_after=1))
    panels = [Panel(NAME[wire], config=provider.config(wire)) for wire in WIRES]
    threads = threading.active_count()
    if isinstance(colour, Sync):
        leave(how, panels)
    else:
        colour.run(aleave(how, panels, provider))
    provider.server.wait_hangup(timeout=2, count=4)
    gc.collect()
    provider.server.wait_open_connections(0)
    if isinstance(colour, Sync):
        wait_for(lambda: threading.active_count() - len(server_threads()) <= threads)


def server_threads() -> list[Any]:
    return [thread for thread in threading.enumerate() if "scripted" in thread.name]


def leave(how: str, panels: Any) -> None:
    batch = stream_many(panels, "hi")
    for _ in range(4):
        next(batch)
    if how == "exception":
        with pytest.raises(RuntimeError), batch:
            raise RuntimeError
    elif how == "close":
        batch.close()
        assert list(batch) == []
    elif how == "break":
        with batch:
            pass


async def aleave(how: str, panels: Any, provider: ScriptedProvider) -> None:
    batch = astream_many(panels, "hi")
    for _ in range(4):
        await anext(batch)
    if how == "exception":
        with pytest.raises(RuntimeError):
            async with batch:
                raise RuntimeError
    elif how == "close":
        await batch.aclose()
        assert [event async for event in batch] == []
    elif how == "break":
        async with batch:
            pass
    else:
        del batch
        gc.collect()
        await asyncio.sleep(0.1)
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == 1


def wait_for(holds: Callable[[], bool], seconds: float = 5) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.01)


INTERRUPTED = """
import gc, os, signal, sys, time
import msgmodel
from msgmodel import OpenAIConfig, Panel, stream_many

panels = [Panel("openai", config=OpenAIConfig(base_url=sys.argv[1] + "/v1"), api_key="key-1234567890")]

def interrupt(number, frame):
    if armed:  # not after the code under test, at the same time
        raise KeyboardInterrupt

def held():
    return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))

def settled():
    until = time.monotonic() + 5
    while (now := held()) != before and time.monotonic() < until:
        gc.collect()
        time.sleep(0.001)
    return now

armed = False
signal.signal(signal.SIGALRM, interrupt)
list(stream_many(panels, "hi"))
time.sleep(0.5)
before = held()
assert before[0] == 1, before
interrupted = 0
for number in range(60):
    batch = stream_many(panels, "hi")
    armed = True
    try:
        signal.setitimer(signal.ITIMER_REAL, (number + 1) * 50e-6)
        next(batch)
        armed = False
    except KeyboardInterrupt:
        armed = False
        interrupted += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
    if sys.argv[2] == "close":
        batch.close()
    del batch
    assert settled() == before, (number, settled(), before)
assert interrupted > 10, interrupted
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts handles in /proc")
@pytest.mark.parametrize("then", ["close", "drop"])
def test_an_interrupt_while_a_batch_begins(provider: ScriptedProvider, then: str) -> None:
    """Ctrl-C leaves no thread, and none of the handles of an event loop, whatever step it comes between.

    Python itself has a window: an interrupt in `Condition.__enter__`, which `Thread.start` runs through, leaves its
    lock taken for good. So one run of three must be clean; a fault of ours shows in each.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    command = [sys.executable, "-c", INTERRUPTED, provider.url, then]
    complaints = []
    for _ in range(3):
        try:
            done = subprocess.run(command, env=environment, timeout=60, check=False, capture_output=True, text=True)
        except subprocess.TimeoutExpired:
            complaints.append("it hangs")
            continue
        if done.returncode == 0:
            return
        complaints.append(done.stderr)
    raise AssertionError(complaints)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_after_a_fork(provider: ScriptedProvider) -> None:
    provider.say("Hello")
    panels = [Panel("openai", config=provider.config("openai"))] * 2
    code = (
        "import os, sys\n"
        "from msgmodel import Panel, stream_many, OpenAIConfig\n"
        "panels = [Panel('openai', config=OpenAIConfig(base_url=sys.argv[1] + '/v1'))] * 2\n"
        "assert len(list(stream_many(panels, 'hi'))) == 5\n"
        "pid = os.fork()\n"
        "assert len(list(stream_many(panels, 'hi'))) == 5\n"
        "os._exit(0) if pid == 0 else sys.exit(os.waitpid(pid, 0)[1])\n"
    )
    done = subprocess.run([sys.executable, "-c", code, provider.url], timeout=60, check=False)
    assert done.returncode == 0
    assert len(panels) == 2


@pytest.mark.parametrize(
    ("panels", "settings", "words"),
    [
        ([], {}, "at least one"),
        ("openai", {}, "a list of panels"),
        ([5], {}, r"panels\[0\] must be a Panel"),
        (["nobody"], {}, r"panels\[0\]: there is no provider"),
        ([Panel("openai", panel_id="a"), Panel("openai", panel_id="a")], {}, r"panels\[1\]: panel_id"),
        ([Panel("openai", panel_id="")], {}, r"panels\[0\]: panel_id must be .* not empty"),
        ([Panel("openai", api_key="k", max_tokens=-1)], {}, r"panels\[0\]: max_tokens"),
        (["openai"], {"model": "x"}, "model belongs to one panel"),
        (["openai"], {"http_client": None}, "use astream_many"),
    ],
)
def test_bad_batches(panels: Any, settings: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        stream_many(panels, "hi", **settings)
    with pytest.raises(ConfigurationError, match="panel_id must be a string, and not empty"):
        msgmodel.stream_panels("openai", "hi", "key", panel_id="")
    with pytest.raises(AuthenticationError, match=r"panels\[1\]: no key for anthropic"):
        stream_many([Panel("openai", api_key="sk-secret"), "anthropic"], "hi")
    assert "sk-secret" not in repr(Panel("openai", api_key="sk-secret", prompt="private"))


def test_a_client_of_one_s_own(provider: ScriptedProvider) -> None:
    import httpx2

    provider.say("Hello")

    async def main() -> list[Any]:
        async with httpx2.AsyncClient(trust_env=False, headers={"x-mine": "yes"}) as client:
            panels = [Panel("openai", config=provider.config("openai"))]
            return [event async for event in astream_many(panels, "hi", http_client=client)]

    assert asyncio.run(main())[-1]["panels"][0]["status"] == "complete"
    assert provider.requests[-1].headers["x-mine"] == "yes"


def test_lazy_names() -> None:
    assert "stream_many" in dir(msgmodel)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        msgmodel.nothing  # noqa: B018
