"""Leaving a stream in any way hangs up at once, and a reply that ended gives its connection back.

Acts are timed from just before the act to the hang-up as the scripted server sees it.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

import msgmodel
from conftest import KEY, PROVIDER, Async, Sync, config
from msgmodel import PanelEvent
from msgmodel.testing.server import Repeat, Script, ScriptedServer, Send, Stall
from msgmodel.testing.wires import WIRES, Wire, events, reply

PROMPT = 0.5
"""Seconds within which the server must see the hang-up, and a loop over a reply that ended must end."""
STREAMS = 500
PIECES = ["Hello", " world"]


def begun(wire: Wire = "openai_chat") -> Script:
    """The reply up to its first text, then silence."""
    whole = events(wire, PIECES)
    first = next(number for number, event in enumerate(whole) if b"Hello" in event)
    return Script(steps=(Send(b"".join(whole[: first + 1])), Stall()))


NO_HEADERS = Script(stall_before_headers=True)
TRY_LATER = Script.json(429, {"error": {"message": "Slow down.", "type": "requests"}}, {"retry-after": "60"})


def asking(server: ScriptedServer, wire: Wire = "openai_chat", **more: Any) -> dict[str, Any]:
    """The arguments of a question to the server."""
    return {
        "provider": PROVIDER[wire],
        "prompt": "Hi",
        "api_key": KEY,
        "config": config(wire, server.url),
        **more,
    }


@contextmanager
def hangs_up(server: ScriptedServer) -> Iterator[None]:
    """What happens inside hangs up on the server in time."""
    began = time.monotonic()
    yield
    assert server.wait_hangup() - began < PROMPT


async def hung_up(server: ScriptedServer, began: float) -> None:
    """Waits for the hang-up while the loop runs on."""
    at = await asyncio.to_thread(server.wait_hangup)
    assert at - began < PROMPT


def wait_for(holds: Callable[[], bool], seconds: float = 5.0) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.005)


async def requested(server: ScriptedServer) -> None:
    """Waits until the server has the request, and a moment more for the client to wait for the answer."""
    await asyncio.to_thread(wait_for, lambda: bool(server.requests))
    await asyncio.sleep(0.1)


class Boom(Exception):
    """Raised by a consumer."""


# --- blocking ---


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("function", [msgmodel.stream_panels, msgmodel.stream])
def test_close(server: ScriptedServer, function: Callable[..., Any], wire: Wire) -> None:
    server.say(begun(wire))
    stream = function(**asking(server, wire))
    next(stream)
    with hangs_up(server):
        stream.close()


@pytest.mark.parametrize("function", [msgmodel.stream_panels, msgmodel.stream])
def test_break(server: ScriptedServer, function: Callable[..., Any]) -> None:
    server.say(begun())
    with hangs_up(server):
        for _ in function(**asking(server)):
            break


@pytest.mark.parametrize("function", [msgmodel.stream_panels, msgmodel.stream])
def test_exception_in_the_consumer(server: ScriptedServer, function: Callable[..., Any]) -> None:
    def consume() -> None:
        for _ in function(**asking(server)):
            raise Boom

    server.say(begun())
    with hangs_up(server), pytest.raises(Boom):
        consume()


def test_on_chunk_returns_false(server: ScriptedServer) -> None:
    server.say(begun())
    with hangs_up(server):
        assert list(msgmodel.stream(**asking(server), on_chunk=lambda text: False)) == []


def test_on_chunk_raises(server: ScriptedServer) -> None:
    def on_chunk(text: str) -> None:
        raise Boom

    server.say(begun())
    with hangs_up(server), pytest.raises(Boom):
        list(msgmodel.stream(**asking(server), on_chunk=on_chunk))


def test_only_false_stops(colour: Sync | Async, server: ScriptedServer) -> None:
    server.say(Script.body(reply("openai_chat", PIECES)))
    for kept in (None, True, 0, ""):
        assert colour.texts(**asking(server), on_chunk=lambda text, kept=kept: kept) == PIECES


def test_close_from_another_thread_than_it_began_in(server: ScriptedServer) -> None:
    server.say(begun())
    stream: Any = msgmodel.stream_panels(**asking(server))
    next(stream)
    with hangs_up(server):
        thread = threading.Thread(target=stream.close)
        thread.start()
        thread.join()


def test_never_started_sends_nothing(server: ScriptedServer) -> None:
    server.say(begun())
    unstarted: Any = msgmodel.stream_panels(**asking(server))
    unstarted.close()
    del unstarted
    msgmodel.stream(**asking(server))
    gc.collect()
    assert server.accepted == 0


def test_nothing_after_close(server: ScriptedServer) -> None:
    server.say(begun())
    stream: Any = msgmodel.stream_panels(**asking(server))
    next(stream)
    stream.close()
    assert list(stream) == []
    assert len(server.requests) == 1


# --- asyncio ---


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("function", [msgmodel.astream_panels, msgmodel.astream])
def test_aclose(server: ScriptedServer, function: Callable[..., Any], wire: Wire) -> None:
    async def main() -> None:
        stream = function(**asking(server, wire))
        await anext(stream)
        began = time.monotonic()
        await stream.aclose()
        await hung_up(server, began)

    server.say(begun(wire))
    asyncio.run(main())


@pytest.mark.parametrize("function", [msgmodel.astream_panels, msgmodel.astream])
def test_async_break(server: ScriptedServer, function: Callable[..., Any]) -> None:
    async def main() -> None:
        async for _ in function(**asking(server)):
            began = time.monotonic()
            break
        await hung_up(server, began)

    server.say(begun())
    asyncio.run(main())


@pytest.mark.parametrize("function", [msgmodel.astream_panels, msgmodel.astream])
def test_async_exception_in_the_consumer(server: ScriptedServer, function: Callable[..., Any]) -> None:
    async def main() -> None:
        began = time.monotonic()
        with suppress(Boom):
            async for _ in function(**asking(server)):
                began = time.monotonic()
                raise Boom
        await hung_up(server, began)

    server.say(begun())
    asyncio.run(main())


def test_async_on_chunk_returns_false(server: ScriptedServer) -> None:
    async def main() -> None:
        began = time.monotonic()
        assert [text async for text in msgmodel.astream(**asking(server), on_chunk=lambda text: False)] == []
        await hung_up(server, began)

    server.say(begun())
    asyncio.run(main())


async def _read_panels(arguments: dict[str, Any]) -> None:
    async for _ in msgmodel.astream_panels(**arguments):
        pass


async def _read_texts(arguments: dict[str, Any]) -> None:
    async for _ in msgmodel.astream(**arguments):
        pass


async def _query(arguments: dict[str, Any]) -> None:
    await msgmodel.aquery(**arguments)


READERS = [_read_panels, _read_texts, _query]
Reader = Callable[[dict[str, Any]], Coroutine[Any, Any, None]]


@pytest.mark.parametrize("script", [begun(), NO_HEADERS], ids=["mid-text", "no-headers"])
@pytest.mark.parametrize("reader", READERS)
def test_cancel(server: ScriptedServer, reader: Reader, script: Script) -> None:
    async def main() -> None:
        task = asyncio.create_task(reader(asking(server)))
        await requested(server)
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - began < PROMPT
        await hung_up(server, began)

    server.say(script)
    asyncio.run(main())


@pytest.mark.parametrize("script", [begun(), NO_HEADERS], ids=["mid-text", "no-headers"])
@pytest.mark.parametrize("reader", READERS)
def test_asyncio_timeout(server: ScriptedServer, reader: Reader, script: Script) -> None:
    """The caller's own time limit is no timeout of ours: it comes out as TimeoutError, not as an event."""

    async def main() -> None:
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await reader(asking(server))
        await hung_up(server, began + 0.3)

    server.say(script)
    asyncio.run(main())


def test_cancel_before_a_retry(server: ScriptedServer) -> None:
    async def main() -> None:
        task = asyncio.create_task(_read_panels(asking(server)))
        await requested(server)
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - began < PROMPT

    server.say(TRY_LATER)
    asyncio.run(main())
    assert len(server.requests) == 1


def test_cancel_between_two_events(server: ScriptedServer) -> None:
    """The task is cancelled in the consumer's own await, while the stream is suspended."""

    async def slow() -> None:
        async for _ in msgmodel.astream_panels(**asking(server)):
            await asyncio.sleep(60)

    async def main() -> None:
        task = asyncio.create_task(slow())
        await requested(server)
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await hung_up(server, began)

    server.say(begun())
    asyncio.run(main())


def test_async_never_started_sends_nothing(server: ScriptedServer) -> None:
    async def main() -> None:
        unstarted: Any = msgmodel.astream_panels(**asking(server))
        await unstarted.aclose()
        del unstarted
        msgmodel.astream(**asking(server))
        msgmodel.aquery(**asking(server)).close()
        gc.collect()

    server.say(begun())
    asyncio.run(main())
    assert server.accepted == 0


# --- Ctrl-C ---

SYNC_CHILD = """
import sys
import msgmodel
from msgmodel import OpenAIConfig

def panels(**ask):
    for event in msgmodel.stream_panels(**ask):
        print(event["event"], flush=True)

def texts(**ask):
    for text in msgmodel.stream(**ask):
        print(text, flush=True)

def query(**ask):
    msgmodel.query(**ask)

ask = dict(provider="openai", prompt="Hi", api_key=sys.argv[2], config=OpenAIConfig(base_url=sys.argv[1]))
try:
    globals()[sys.argv[3]](**ask)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.stdin.read()  # stays: the hang-up is not that of a process that ends
"""

ASYNC_CHILD = """
import asyncio
import sys
import msgmodel
from msgmodel import OpenAIConfig

async def panels(**ask):
    async for event in msgmodel.astream_panels(**ask):
        print(event["event"], flush=True)

async def texts(**ask):
    async for text in msgmodel.astream(**ask):
        print(text, flush=True)

async def query(**ask):
    await msgmodel.aquery(**ask)

ask = dict(provider="openai", prompt="Hi", api_key=sys.argv[2], config=OpenAIConfig(base_url=sys.argv[1]))
try:
    asyncio.run(globals()[sys.argv[3]](**ask), debug=False)  # else it complains of slow imports
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.stdin.read()
"""


@contextmanager
def child(code: str, server: ScriptedServer, function: str) -> Iterator[subprocess.Popen[str]]:
    """A process that asks the server, with every warning an error; it must end well and complain of nothing."""
    process = subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", "-c", code, f"{server.url}/v1", KEY, function],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
        _, complaints = process.communicate(timeout=10)
        assert complaints == ""
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()


def interrupt(process: subprocess.Popen[str]) -> float:
    """Sends a SIGINT; returns when."""
    time.sleep(0.2)  # for the process to be blocked in its read
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    return began


def said(process: subprocess.Popen[str]) -> list[str]:
    """What the process printed, up to its being interrupted."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.strip())
        if lines[-1] == "interrupted":
            break
    return lines


@pytest.mark.parametrize("code", [SYNC_CHILD, ASYNC_CHILD], ids=["sync", "async"])
@pytest.mark.parametrize(("function", "before"), [("panels", ["panel_delta"]), ("texts", ["Hello"]), ("query", [])])
def test_ctrl_c_mid_text(server: ScriptedServer, code: str, function: str, before: list[str]) -> None:
    server.say(begun())
    with child(code, server, function) as process:
        wait_for(lambda: bool(server.requests), 20)
        began = interrupt(process)
        assert server.wait_hangup() - began < PROMPT
        assert said(process) == [*before, "interrupted"]
        assert time.monotonic() - began < PROMPT


@pytest.mark.parametrize("code", [SYNC_CHILD, ASYNC_CHILD], ids=["sync", "async"])
def test_ctrl_c_before_the_headers(server: ScriptedServer, code: str) -> None:
    server.say(NO_HEADERS)
    with child(code, server, "panels") as process:
        wait_for(lambda: bool(server.requests), 20)
        began = interrupt(process)
        assert server.wait_hangup() - began < PROMPT
        assert said(process) == ["interrupted"]


@pytest.mark.parametrize("code", [SYNC_CHILD, ASYNC_CHILD], ids=["sync", "async"])
def test_ctrl_c_before_a_retry(server: ScriptedServer, code: str) -> None:
    server.say(TRY_LATER)
    with child(code, server, "panels") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "panel_retry\n"
        began = interrupt(process)
        assert said(process) == ["interrupted"]
        assert time.monotonic() - began < PROMPT
    assert len(server.requests) == 1


def test_ctrl_c_while_only_pings_come(server: ScriptedServer) -> None:
    """After the first ping another clock runs, in another thread."""
    server.say(Script(steps=(Repeat(b": ping\n\n", 0.05),)))
    with child(SYNC_CHILD, server, "panels") as process:
        wait_for(lambda: bool(server.requests), 20)
        began = interrupt(process)
        assert server.wait_hangup() - began < PROMPT
        assert said(process) == ["interrupted"]


# --- nothing is left behind ---


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def threads() -> list[str]:
    """Names of the threads that are not the server's."""
    return [thread.name for thread in threading.enumerate() if not thread.name.startswith("scripted")]


needs_proc = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts open files in /proc")


@needs_proc
def test_500_abandoned_streams(server: ScriptedServer) -> None:
    def abandon() -> None:
        stream = msgmodel.stream_panels(**asking(server))
        assert next(stream)["event"] == "panel_delta"

    server.say(begun())
    abandon()
    server.wait_open_connections(0)
    files, running = open_files(), threads()
    for _ in range(STREAMS):
        abandon()
    server.wait_open_connections(0)
    assert open_files() <= files
    # The one watchdog may have gone in between, and another may have come.
    assert Counter(threads()) <= Counter({*running, "msgmodel-watchdog"})
    assert len(server.requests) == STREAMS + 1


@needs_proc
def test_200_streams_abandoned_at_once(server: ScriptedServer) -> None:
    server.say(begun())
    files, running = open_files(), threads()
    streams = [msgmodel.stream_panels(**asking(server)) for _ in range(200)]
    for stream in streams:
        next(stream)
    assert server.open_connections == 200
    streams.clear()
    del stream
    server.wait_open_connections(0)
    assert open_files() <= files
    assert Counter(threads()) <= Counter({*running, "msgmodel-watchdog"})


@needs_proc
def test_500_abandoned_async_streams(server: ScriptedServer) -> None:
    def ask() -> AsyncIterator[PanelEvent]:
        return msgmodel.astream_panels(**asking(server))

    async def break_out() -> None:
        async for event in ask():
            assert event["event"] == "panel_delta"
            break

    async def settled() -> None:
        """No connection is open, and what the loop does to close them has ended."""
        await asyncio.to_thread(server.wait_open_connections, 0)
        await asyncio.sleep(0.1)

    async def main() -> None:
        await break_out()
        await settled()
        files, running, tasks = open_files(), threads(), asyncio.all_tasks()
        for _ in range(STREAMS // 50):
            await asyncio.gather(*(break_out() for _ in range(50)))
            for _ in range(50):
                ask()  # never started
            await settled()
        assert open_files() <= files
        assert asyncio.all_tasks() == tasks
        executor = "asyncio_"  # of to_thread above
        assert [name for name in threads() if executor not in name] == [
            name for name in running if executor not in name
        ]
        assert len(server.requests) == STREAMS + 1

    server.say(begun())
    asyncio.run(main())


@needs_proc
def test_100_cancelled_async_streams(server: ScriptedServer) -> None:
    async def main() -> None:
        await asyncio.to_thread(int)  # the executor's thread is there before the count
        files, tasks = open_files(), asyncio.all_tasks()
        readers = [asyncio.create_task(_read_panels(asking(server))) for _ in range(100)]
        await asyncio.to_thread(server.wait_open_connections, 100)
        await asyncio.to_thread(wait_for, lambda: len(server.requests) == 100)
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
        await asyncio.to_thread(server.wait_open_connections, 0)
        assert open_files() <= files
        assert asyncio.all_tasks() == tasks

    server.say(begun())
    asyncio.run(main())


# --- a reply that ended ---


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("framing", ["chunked", "length"])
def test_sequential_calls_use_one_connection(
    colour: Sync | Async, server: ScriptedServer, wire: Wire, framing: Any
) -> None:
    server.say(Script.body(reply(wire, PIECES), framing=framing))
    for _ in range(5):
        assert colour.panels(**asking(server, wire))[-1]["event"] == "panel_final"
        assert colour.texts(**asking(server, wire)) == PIECES
        assert colour.query(**asking(server, wire)).text == "".join(PIECES)
    assert len(server.requests) == 15
    assert server.accepted == 1
    assert server.hangups == []


@pytest.mark.parametrize("wire", WIRES)
def test_one_connection_where_the_end_comes_in_its_own_piece(
    colour: Sync | Async, server: ScriptedServer, wire: Wire
) -> None:
    """The end of the body after the terminal event is waited for, or the connection would be lost."""
    server.say(Script(steps=tuple(Send(event) for event in events(wire, PIECES))))
    for _ in range(5):
        assert colour.panels(**asking(server, wire))[-1]["event"] == "panel_final"
    assert server.accepted == 1


def test_an_error_answer_gives_the_connection_back(colour: Sync | Async, server: ScriptedServer) -> None:
    server.say(Script.json(400, {"error": {"message": "No.", "type": "invalid_request_error"}}))
    for _ in range(5):
        assert colour.panels(**asking(server))[-1]["event"] == "panel_error"
    assert server.accepted == 1


TERMINATED: list[Wire] = ["openai_chat", "openai_responses", "anthropic"]
"""The wires with an event that says that nothing more comes. Gemini has none: there the body's end is waited for."""


@pytest.mark.parametrize("wire", TERMINATED)
@pytest.mark.parametrize("after", [Stall(), Repeat(b": ping\n\n", 0.02), Repeat(b'data: {"type": "ping"}\n\n', 0.02)])
def test_a_body_kept_open_does_not_hold_the_caller(
    colour: Sync | Async, server: ScriptedServer, wire: Wire, after: Stall | Repeat
) -> None:
    server.say(Script(steps=(Send(reply(wire, PIECES)), after)))
    for count in (1, 2):
        began = time.monotonic()
        heard = colour.panels(**asking(server, wire))
        assert time.monotonic() - began < PROMPT
        assert heard[-1]["event"] == "panel_final"
        assert server.wait_hangup(count=count) - began < PROMPT


@pytest.mark.parametrize("wire", WIRES)
def test_who_leaves_at_the_final_event_keeps_the_connection(server: ScriptedServer, wire: Wire) -> None:
    """It is handed on when the connection is free again."""
    server.say(Script(steps=tuple(Send(event) for event in events(wire, PIECES))))
    for _ in range(5):
        for event in msgmodel.stream_panels(**asking(server, wire)):
            if event["event"] == "panel_final":
                break
    assert server.accepted == 1
