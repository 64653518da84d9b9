"""Connection pools: who shares one, who owns one, and what forks, threads, loops and proxies do to them.

What could warn or deadlock runs in a process of its own, with every warning an error, and must print nothing to
stderr.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

import msgmodel
from conftest import KEY, PROVIDER, Async, Sync, config
from msgmodel import AsyncClient, Client, OpenAIConfig
from msgmodel.http import asynchronous
from msgmodel.testing.server import Cut, Framing, Pause, Received, Script, ScriptedServer, Send, Stall
from msgmodel.testing.wires import WIRES, Wire, events, reply
from serving import TlsFront, certificate

PIECES = ["Hello", " world"]
TEXT = "".join(PIECES)
GOOD = Script.body(reply("openai_chat", PIECES))


def slow(seconds: float) -> Script:
    """The first text, a pause, the rest."""
    whole = events("openai_chat", PIECES)
    first = next(number for number, event in enumerate(whole) if b"Hello" in event) + 1
    return Script(steps=(Send(b"".join(whole[:first])), Pause(seconds), Send(b"".join(whole[first:]))))


def asking(server: ScriptedServer, wire: Wire = "openai_chat", **more: Any) -> dict[str, Any]:
    """The arguments of a question to the server."""
    return {
        "provider": PROVIDER[wire],
        "prompt": "Hi",
        "api_key": KEY,
        "config": config(wire, server.url),
        **more,
    }


def call(function: Callable[..., Any], **arguments: Any) -> None:
    """Calls, and throws away what comes out: it must not be needed to see a mistake."""
    made = function(**arguments)
    if asyncio.iscoroutine(made):
        made.close()


BEFORE = """
import asyncio, gc, multiprocessing, os, selectors, signal, sys, threading, time
import msgmodel
from msgmodel import OpenAIConfig

ask = dict(provider="openai", prompt="Hi", api_key=sys.argv[2], config=OpenAIConfig(base_url=sys.argv[1]))

def check(text):
    assert text == "Hello world", text

def query(_=None):
    text = msgmodel.query(**ask).text
    check(text)
    return text

async def aquery():
    check((await msgmodel.aquery(**ask)).text)

def run(coroutine):
    asyncio.run(coroutine, debug=False)  # else it complains of slow imports

def join(child):
    until = time.monotonic() + 60
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
        if time.monotonic() > until:
            os.kill(child, signal.SIGABRT)  # says where it hangs
            ended = os.waitpid(child, 0)
            break
        time.sleep(0.002)
    assert ended[1] == 0, ended
"""


def process(code: str, server: ScriptedServer | TlsFront, *, quiet: bool = True, covered: bool = True) -> str:
    """What the code complains of in a process of its own, which must end well, and of nothing where `quiet`.

    `covered`: whether coverage may measure it. It takes a lock of its own, which a fork beside threads leaves taken.
    """
    environment = {name: os.environ[name] for name in os.environ if covered or not name.startswith("COVERAGE")}
    ran = subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", "-c", BEFORE + textwrap.dedent(code), f"{server.url}/v1", KEY],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _, complaints = ran.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        ran.send_signal(signal.SIGABRT)  # says where it hangs
        faulthandler.dump_traceback()  # and what the server does
        _, complaints = ran.communicate(timeout=20)
    assert ran.returncode == 0, complaints
    assert complaints == "" or not quiet
    return complaints


# --- the pools of the bare functions ---


def test_one_pool_a_process(server: ScriptedServer) -> None:
    server.say(GOOD)
    for _ in range(3):
        list(msgmodel.stream_panels(**asking(server)))
        list(msgmodel.stream(**asking(server)))
        msgmodel.query(**asking(server))
    with ThreadPoolExecutor(1) as other_thread:
        other_thread.submit(msgmodel.query, **asking(server)).result()
    assert server.accepted == 1


def test_httpx2_takes_over_without_httptools(server: ScriptedServer) -> None:
    """It has no wheel for a machine, or someone left it out. A forked process shares no connection then either."""
    server.say(GOOD)
    process(
        """
        sys.modules["httptools"] = None  # an import raises, as if it were not there
        query()
        query()
        run(aquery())
        with msgmodel.Client() as client:
            check(client.query(**ask).text)
            if hasattr(os, "fork"):
                child = os.fork()
                if child == 0:
                    check(client.query(**ask).text)
                    os._exit(0)
                join(child)
            check(client.query(**ask).text)
        assert "msgmodel.http.by_httpx2" in sys.modules
        assert "msgmodel.http.blocking" not in sys.modules
        """,
        server,
        covered=False,
    )
    assert server.accepted == (4 if hasattr(os, "fork") else 3)


def test_one_pool_an_event_loop(server: ScriptedServer) -> None:
    async def ask() -> None:
        async for _ in msgmodel.astream_panels(**asking(server)):
            pass
        async for _ in msgmodel.astream(**asking(server)):
            pass
        await msgmodel.aquery(**asking(server))
        await asyncio.create_task(msgmodel.aquery(**asking(server)))

    server.say(GOOD)
    for loop in (1, 2, 3):
        asyncio.run(ask())
        assert server.accepted == loop


def test_first_calls_at_once_make_one_pool(server: ScriptedServer) -> None:
    """The pool is made within a call: calls that begin together must not make two, one of them never closed."""

    async def main() -> None:
        await asyncio.gather(*(msgmodel.aquery(**asking(server)) for _ in range(20)))
        accepted = server.accepted
        await asyncio.gather(*(msgmodel.aquery(**asking(server)) for _ in range(accepted)))
        assert server.accepted == accepted

    server.say(slow(0.1))
    asyncio.run(main())


def test_the_loop_s_end_closes_its_pool(server: ScriptedServer) -> None:
    server.say(GOOD)
    asyncio.run(_ask(server))
    server.wait_open_connections(0, 1)


async def _ask(server: ScriptedServer) -> None:
    await msgmodel.aquery(**asking(server))


def test_a_second_loop(server: ScriptedServer) -> None:
    server.say(GOOD)
    process(
        """
        for _ in range(3):
            run(aquery())
        query()
        """,
        server,
    )
    assert len(server.requests) == 4


@pytest.mark.parametrize("function", ["astream_panels", "astream"])
@pytest.mark.parametrize("way", ["break", "raise KeyError", "return"])
def test_a_loop_that_ends_as_a_stream_is_left(server: ScriptedServer, function: str, way: str) -> None:
    """The last that `main` does is to leave a stream: its closing and the end of the loop meet."""
    server.say(Script(steps=(*slow(0).steps[:1], Stall())))
    process(
        f"""
        async def main():
            async for event in msgmodel.{function}(**ask):
                {way}

        for _ in range(5):
            try:
                run(main())
            except KeyError:
                pass
        """,
        server,
    )
    server.wait_open_connections(0, 1)


def test_a_loop_that_ends_with_streams_open(server: ScriptedServer) -> None:
    """Kept by a global, and never started: the loop's end closes what is open.

    It closes all generators at once, at which those within httpx2 get into each other's way; ours must not.
    """
    server.say(Script(steps=(*slow(0).steps[:1], Stall())))
    complaints = process(
        """
        kept = []

        async def main():
            for function in (msgmodel.astream_panels, msgmodel.astream):
                stream = function(**ask)
                await anext(stream)
                kept.append(stream)
                kept.append(function(**ask))
            task = asyncio.create_task(msgmodel.aquery(**ask))
            await asyncio.sleep(0.1)  # asyncio.run cancels it

        for _ in range(2):
            run(main())
        """,
        server,
        quiet=False,
    )
    assert "unclosed" not in complaints
    assert "never" not in complaints
    assert "msgmodel/_" not in complaints
    assert "AsyncHttpx2Transport" not in complaints
    server.wait_open_connections(0, 1)


def test_a_loop_of_the_old_kind(server: ScriptedServer) -> None:
    """Run and shut down by hand, as servers and test tools do."""
    server.say(GOOD)
    process(
        """
        for _ in range(2):
            loop = asyncio.SelectorEventLoop(selectors.SelectSelector())  # the kernel shares an epoll with a child
            loop.set_debug(False)
            loop.set_debug(False)
            loop.run_until_complete(aquery())
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()
        """,
        server,
    )


def test_loops_are_not_kept(server: ScriptedServer) -> None:
    server.say(GOOD)
    process(
        """
        import weakref
        loops = []

        async def main():
            loops.append(weakref.ref(asyncio.get_running_loop()))
            await aquery()

        for _ in range(5):
            run(main())
        gc.collect()
        assert [loop() for loop in loops] == [None] * 5, loops
        """,
        server,
    )


def test_a_loop_in_each_of_ten_threads(server: ScriptedServer) -> None:
    server.say(GOOD)
    process(
        """
        def work():
            run(aquery())
            run(aquery())
            done.append(True)

        done = []
        threads = [threading.Thread(target=work) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(done) == 10
        """,
        server,
    )


def test_the_process_ends_with_streams_open(server: ScriptedServer) -> None:
    server.say(Script(steps=(*slow(0).steps[:1], Stall())))
    process(
        """
        stream = msgmodel.stream_panels(**ask)
        next(stream)
        texts = msgmodel.stream(**ask)
        next(texts)
        """,
        server,
    )


def test_the_process_ends_while_threads_stream(server: ScriptedServer) -> None:
    """Daemon threads in a blocked read: the pool that is closed at exit must not wait for them."""
    server.say(Script(steps=(*slow(0).steps[:1], Stall())))
    process(
        """
        import time

        def work():
            for event in msgmodel.stream_panels(**ask):
                begun.append(event)

        begun = []
        for _ in range(5):
            threading.Thread(target=work, daemon=True).start()
        while len(begun) < 5:
            time.sleep(0.01)
        """,
        server,
    )


# --- many at once ---


def test_20_threads_5_streams_each(server: ScriptedServer) -> None:
    def work(_: int) -> list[str]:
        return ["".join(msgmodel.stream(**asking(server))) for _ in range(5)]

    server.say(slow(0.01))
    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(work, range(20))) == [[TEXT] * 5] * 20
    assert len(server.requests) == 100
    assert server.accepted <= 20


def test_200_async_streams_at_once(server: ScriptedServer) -> None:
    """Each waits after its first text until all have theirs: a limit of the pool would end in a timeout."""

    async def main() -> None:
        begun = 0
        all_begun = asyncio.Event()

        async def one() -> str:
            nonlocal begun
            text = ""
            async for piece in msgmodel.astream(**asking(server)):
                if not text:
                    begun += 1
                    if begun == 200:
                        all_begun.set()
                    await all_begun.wait()
                text += piece
            return text

        async with asyncio.timeout(30):
            assert await asyncio.gather(*(one() for _ in range(200))) == [TEXT] * 200

    server.say(slow(0.05))
    asyncio.run(main())
    assert server.accepted == 200


def test_200_streams_at_once_in_one_thread(server: ScriptedServer) -> None:
    server.say(slow(0.05))
    streams = [msgmodel.stream(**asking(server)) for _ in range(200)]
    assert [next(stream) for stream in streams] == ["Hello"] * 200
    assert ["".join(stream) for stream in streams] == [" world"] * 200
    assert server.accepted == 200


# --- fork ---


def test_an_abandoned_stream_that_the_garbage_collector_ends_inside_the_pool(server: ScriptedServer) -> None:
    """It may do so at any line, also where the same thread holds the lock of the pool that the stream gives back to."""
    server.say(GOOD)
    process(
        """
        from msgmodel.http import blocking, watchdog

        def collect_at(line):
            '''Collects at this line of those that a question runs through; whether there are so many.'''
            def trace(frame, event, _):
                nonlocal line
                if frame.f_code.co_filename in (blocking.__file__, watchdog.__file__):
                    line -= event == "line"
                    if line == 0 and event == "line":
                        gc.collect()
                    return trace
            sys.settrace(trace)
            query()
            sys.settrace(None)
            return line <= 0

        def abandon():
            streams = [msgmodel.stream(**ask), msgmodel.stream(**ask)]
            for stream in streams:
                next(stream)
            streams.append(streams)

        gc.disable()
        lines = 0
        while True:
            abandon()
            if not collect_at(lines := lines + 1):
                break
        assert lines > 50, lines
        """,
        server,
        covered=False,  # it traces too
    )


def test_a_silence_where_no_more_threads_can_be_started(server: ScriptedServer) -> None:
    """Without the watchdog's thread the limit of the socket must do."""
    server.say(slow(60))
    process(
        """
        threading.stack_size(1 << 46)  # more than there is
        began = time.monotonic()
        *_, last = msgmodel.stream_panels(**ask, timeout=0.5)
        assert last["event"] == "panel_error" and last["code"] == "timeout", last
        assert time.monotonic() - began < 5
        """,
        server,
    )


def test_exit_with_a_stream_open_where_the_watchdog_was_stopped_in_the_middle(server: ScriptedServer) -> None:
    """A thread that is a daemon may hold its lock when the interpreter stops it, and for ever from then on."""
    server.say(GOOD)
    process(
        """
        from msgmodel.http import watchdog

        def hold():
            with watchdog._watchdog._changed:
                held.set()
                time.sleep(60)

        streams = [msgmodel.stream(**ask)]
        next(streams[0])
        streams.append(streams)
        del streams
        held = threading.Event()
        threading.Thread(target=hold, daemon=True).start()
        held.wait()
        """,
        server,
        quiet=False,  # a socket that only the end of the process closes
    )


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")


@needs_fork
def test_fork(server: ScriptedServer) -> None:
    """In the middle of a stream, with an idle connection in the pool: both sides go on, and share no connection."""
    server.say(GOOD, slow(0.5), GOOD)
    process(
        """
        query()
        stream = msgmodel.stream(**ask)
        text = next(stream)
        query()
        child = os.fork()
        if child == 0:
            query()
            query()
            sys.exit()  # finalizes the interpreter, as any program that ends
        join(child)
        check(text + "".join(stream))
        query()
        """,
        server,
    )
    assert server.hangups == []
    assert len(server.requests) == 6
    assert server.accepted == 3  # two of the parent, one of the child


@needs_fork
def test_fork_and_the_stream_is_dropped_in_the_child(server: ScriptedServer) -> None:
    """The child closes its copy of the socket; the parent's stream lives on."""
    server.say(slow(0.5), GOOD)
    process(
        """
        stream = msgmodel.stream(**ask)
        text = next(stream)
        child = os.fork()
        if child == 0:
            stream.close()
            query()
            sys.exit()
        join(child)
        check(text + "".join(stream))
        """,
        server,
    )
    assert server.hangups == []


@needs_fork
def test_fork_before_the_first_call(server: ScriptedServer) -> None:
    server.say(GOOD)
    process(
        """
        child = os.fork()
        query()
        if child:
            join(child)
        """,
        server,
    )
    assert server.accepted == 2


@needs_fork
def test_fork_in_a_running_loop(server: ScriptedServer) -> None:
    server.say(GOOD, slow(0.5), GOOD)
    process(
        """
        async def main():
            await aquery()
            stream = msgmodel.astream(**ask)
            text = await anext(stream)
            child = os.fork()
            if child == 0:
                status = 1
                try:
                    run(aquery())
                    query()
                    status = 0
                finally:
                    os._exit(status)
            await asyncio.to_thread(join, child)
            check(text + "".join([piece async for piece in stream]))
            await aquery()

        run(main())
        """,
        server,
    )
    assert server.hangups == []


@needs_fork
def test_fork_after_a_loop(server: ScriptedServer) -> None:
    """As in a server that forks its workers after a start-up check."""
    server.say(GOOD)
    process(
        """
        run(aquery())
        child = os.fork()
        run(aquery())
        if child:
            join(child)
        """,
        server,
    )
    assert server.accepted == 3


@needs_fork
@pytest.mark.parametrize("colour", ["query()", "run(aquery())"], ids=["sync", "async"])
def test_fork_while_threads_stream(server: ScriptedServer, colour: str) -> None:
    """A lock that another thread holds at the fork is held for ever in the child."""
    server.say(GOOD)
    process(
        f"""
        def work():
            while not over.is_set():
                {colour}

        query()  # what is imported with the first call is there
        run(aquery())
        over = threading.Event()
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(20):
                child = os.fork()
                if child == 0:
                    status = 1
                    try:
                        query()
                        status = 0
                    finally:
                        os._exit(status)
                join(child)
        finally:
            over.set()
            for thread in threads:
                thread.join()
        """,
        server,
        covered=False,
    )


@needs_fork
def test_multiprocessing_with_fork(server: ScriptedServer) -> None:
    server.say(GOOD)
    process(
        """
        query()
        context = multiprocessing.get_context("fork")
        with context.Pool(4) as pool:
            assert pool.map(query, range(12)) == ["Hello world"] * 12
            pool.close()
            pool.join()
        worker = context.Process(target=query)
        worker.start()
        worker.join()
        assert worker.exitcode == 0
        query()
        """,
        server,
    )
    assert len(server.requests) == 15


def echo(request: Received) -> Script:
    """A reply that repeats the question."""
    return Script.body(reply("openai_chat", [request.json["messages"][-1]["content"]]))


HOLDERS = {
    "client": """
        client = msgmodel.Client()
        def say(word):
            return client.query(**ask | {"prompt": word}).text
        close = client.close
    """,
    "conversation": """
        client = msgmodel.Client()
        talk = msgmodel.Conversation("openai", api_key=ask["api_key"], config=ask["config"])
        def say(word):
            return talk.query(word).text
        close = client.close
    """,
    "proxied": """
        os.environ["HTTP_PROXY"], os.environ["NO_PROXY"] = sys.argv[1].removesuffix("/v1"), ""
        ask["config"] = OpenAIConfig(base_url="http://api.example.test/v1")
        client = msgmodel.Client()
        def say(word):
            return client.query(**ask | {"prompt": word}).text
        close = client.close
    """,
    "async client": """
        loop = asyncio.SelectorEventLoop(selectors.SelectSelector())  # the kernel shares an epoll with a child
        loop.set_debug(False)
        client = msgmodel.AsyncClient()
        def say(word):
            return loop.run_until_complete(client.query(**ask | {"prompt": word})).text
        def close():
            loop.run_until_complete(client.aclose())
            loop.close()
    """,
    "async proxied": """
        os.environ["HTTP_PROXY"], os.environ["NO_PROXY"] = sys.argv[1].removesuffix("/v1"), ""
        ask["config"] = OpenAIConfig(base_url="http://api.example.test/v1")
        loop = asyncio.SelectorEventLoop(selectors.SelectSelector())  # the kernel shares an epoll with a child
        loop.set_debug(False)
        client = msgmodel.AsyncClient()
        def say(word):
            return loop.run_until_complete(client.query(**ask | {"prompt": word})).text
        def close():
            loop.run_until_complete(client.aclose())
            loop.close()
    """,
}
HELD = pytest.mark.parametrize("holder", HOLDERS)


def holding(holder: str, code: str) -> str:
    return textwrap.dedent(HOLDERS[holder]) + textwrap.dedent(code)


@needs_fork
@HELD
@pytest.mark.parametrize("fork", ["os.fork", "ctypes.PyDLL(None).fork"], ids=["python", "c"])
def test_fork_of_what_has_idle_connections(server: ScriptedServer, holder: str, fork: str) -> None:
    """Each process gets the answers to its own questions. A server in C forks without telling Python."""
    server.say(echo)
    process(
        holding(
            holder,
            f"""
            import ctypes

            def work(name):
                for number in range(15):
                    word = f"question {{number}} of {{name}}"
                    assert (said := say(word)) == word, (word, said)

            work("the parent")
            while threading.active_count() > 1:  # a fork in C beside threads leaves Python's own locks taken
                time.sleep(0.01)
            children = []
            for number in range(3):
                child = {fork}()
                if child == 0:
                    status = 1
                    try:
                        work(f"child {{number}}")
                        close()
                        status = 0
                    finally:
                        os._exit(status)
                children.append(child)
            work("the parent")
            for child in children:
                join(child)
            work("the parent")
            close()
            """,
        ),
        server,
        covered=False,
    )
    assert len(server.requests) == 90


@needs_fork
@HELD
@pytest.mark.parametrize("what", ["close()", "del client", "sys.exit()"])
def test_what_a_child_lets_go_of_the_parent_reads_on(server: ScriptedServer, holder: str, what: str) -> None:
    """A shutdown by the child would end the connection, and not only the child's copy of it."""
    server.say(GOOD, slow(1.0), GOOD)
    read = (
        """
        stream = client.stream_panels(**ask)
        first = next(stream)
        """
        if "async" not in holder
        else """
        stream = client.stream_panels(**ask)
        first = loop.run_until_complete(anext(stream))
        """
    )
    rest = (
        "rest = list(stream)"
        if "async" not in holder
        else """
        async def whole():
            return [event async for event in stream]
        rest = loop.run_until_complete(whole())
        """
    )
    process(
        holding(holder, "say('Hi')")
        + textwrap.dedent(read)
        + textwrap.dedent(
            f"""
            child = os.fork()
            if child == 0:
                status = 1
                try:
                    {what}
                    status = 0
                except SystemExit:
                    status = 0
                    raise
                finally:
                    if {what!r} != "sys.exit()":
                        os._exit(status)
            join(child)
            """
        )
        + textwrap.dedent(rest)
        + textwrap.dedent(
            """
            assert (rest[-1]["event"], rest[-1]["content"]) == ("panel_final", "Hello world"), rest[-1]
            check(say("Hi"))
            close()
            """
        ),
        server,
        quiet="async" not in holder,  # a loop of the parent's that the child leaves open
    )
    assert server.hangups == []


@pytest.fixture
def tls_front(server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TlsFront]:
    """The server over TLS, with a certificate that processes started from here trust."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    files = certificate(tmp_path, "-addext", "subjectAltName=IP:127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(files[0]))
    with TlsFront(int(server.url.rpartition(":")[2]), files) as front:
        # A name would be looked up in a thread of the loop's executor, and a fork leaves its threads behind.
        front.url = front.url.replace("localhost", "127.0.0.1")
        yield front


@needs_fork
@pytest.mark.parametrize("holder", ["client", "async client"])
def test_fork_over_tls(server: ScriptedServer, tls_front: TlsFront, holder: str) -> None:
    """TLS counts what is sent: a word of the child's, also the alert of a close, would break the parent's connection.

    One connection is idle at the fork, and from another one the parent reads a reply.
    """
    server.say(slow(1.0), GOOD)
    by_loop = "async" in holder
    process(
        holding(
            holder,
            f"""
            by_loop = {by_loop}

            def begin():
                stream = client.stream_panels(**ask)
                return stream, (loop.run_until_complete(anext(stream)) if by_loop else next(stream))

            async def read_on(stream):
                return [event async for event in stream]

            def rest_of(stream):
                return loop.run_until_complete(read_on(stream)) if by_loop else list(stream)

            stream, first = begin()
            check(say("Hi"))
            children = []
            for way in ("ask", "close", "read on", "exit"):
                child = os.fork()
                if child == 0:
                    if way == "exit":
                        sys.exit()
                    status = 1
                    try:
                        if way == "ask":
                            check(say("Hi"))
                            check(say("Hi"))
                        if way == "close":
                            close()
                        if way == "read on":
                            (last,) = rest_of(stream)
                            assert (last["code"], last["content"]) == ("interrupted", "Hello"), last
                            assert "forked" in last["error"], last
                        status = 0
                    finally:
                        os._exit(status)
                children.append(child)
            for child in children:
                join(child)
            rest = rest_of(stream)
            assert (rest[-1]["event"], rest[-1]["content"]) == ("panel_final", "Hello world"), rest[-1]
            for _ in range(3):
                check(say("Hi"))
            close()
            """,
        ),
        tls_front,
        quiet=not by_loop,  # a loop of the parent's that a child leaves open
        covered=False,
    )
    assert tls_front.faults == []
    assert server.hangups == []
    assert server.accepted == 3  # two of the parent, one of the child that asks


@needs_fork
@pytest.mark.parametrize("how", ["bare", "client", "proxied", "async", "async proxied", "many"])
def test_an_iterator_that_is_half_read_at_the_fork(server: ScriptedServer, how: str) -> None:
    """The child gets an error that says why, and the parent every byte."""
    server.say(slow(1.5), GOOD)
    process(
        f"""
        how = {how!r}
        if "proxied" in how:
            os.environ["HTTP_PROXY"], os.environ["NO_PROXY"] = sys.argv[1].removesuffix("/v1"), ""
            ask["config"] = OpenAIConfig(base_url="http://api.example.test/v1")
        loop = asyncio.SelectorEventLoop(selectors.SelectSelector())  # the kernel shares an epoll with a child
        loop.set_debug(False)
        ask["max_retries"] = 0
        if how == "bare":
            stream = msgmodel.stream_panels(**ask)
        elif how == "many":
            stream = msgmodel.stream_many([msgmodel.Panel(**ask)])
        elif how in ("client", "proxied"):
            client = msgmodel.Client()
            stream = client.stream_panels(**ask)
        else:
            client = msgmodel.AsyncClient()
            reading = client.stream_panels(**ask)
            def by_loop():
                while True:
                    try:
                        yield loop.run_until_complete(anext(reading))
                    except StopAsyncIteration:
                        return
            stream = by_loop()
        assert next(stream)["delta"] == "Hello"
        child = os.fork()
        if child == 0:
            status = 1
            try:
                rest = [event for event in stream if event["event"] != "batch_final"]
                assert len(rest) == 1, rest
                assert (rest[0]["event"], rest[0]["code"]) == ("panel_error", "interrupted"), rest
                assert "forked" in rest[0]["error"] and rest[0]["content"] == "Hello", rest
                query()
                status = 0
            finally:
                os._exit(status)
        rest = [event for event in stream if event["event"] != "batch_final"]
        assert (rest[-1]["event"], rest[-1]["content"]) == ("panel_final", "Hello world"), rest
        join(child)
        loop.close()
        """,
        server,
        quiet=False,  # the loop that the child leaves open
        covered=False,
    )


@needs_fork
@pytest.mark.parametrize("colour", ["sync", "async"])
def test_leaving_ends_the_connection_while_a_child_lives(server: ScriptedServer, colour: str) -> None:
    """A child that kept its copy of the socket would keep the provider at work, which costs money."""
    server.say(GOOD, slow(60))
    killed = process(
        f"""
        loop = asyncio.SelectorEventLoop(selectors.SelectSelector())  # the kernel shares an epoll with a child
        loop.set_debug(False)
        if {colour!r} == "sync":
            query()
            stream = msgmodel.stream(**ask)
            next(stream)
        else:
            loop.run_until_complete(aquery())
            stream = msgmodel.astream(**ask)
            loop.run_until_complete(anext(stream))
        child = os.fork()
        if child == 0:
            time.sleep(30)
            os._exit(0)
        if {colour!r} == "sync":
            stream.close()
        else:
            loop.run_until_complete(stream.aclose())
            loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
        time.sleep(2)
        print(time.monotonic(), file=sys.stderr)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        """,
        server,
        quiet=False,
    )
    assert server.wait_hangup() < float(killed)


# --- clients ---


def test_client(server: ScriptedServer) -> None:
    server.say(GOOD)
    with Client() as client:
        assert [event["event"] for event in client.stream_panels(**asking(server))][-1] == "panel_final"
        assert list(client.stream(**asking(server))) == PIECES
        assert client.query(**asking(server)).text == TEXT
        assert server.accepted == 1
        assert server.open_connections == 1
        with Client() as other:
            other.query(**asking(server))
            assert server.accepted == 2
    server.wait_open_connections(0, 1)


def test_async_client(server: ScriptedServer) -> None:
    async def main() -> None:
        async with AsyncClient() as client:
            panels = [event["event"] async for event in client.stream_panels(**asking(server))]
            assert panels[-1] == "panel_final"
            assert [text async for text in client.stream(**asking(server))] == PIECES
            assert (await client.query(**asking(server))).text == TEXT
            assert server.accepted == 1
            assert server.open_connections == 1
        await asyncio.to_thread(server.wait_open_connections, 0, 1)

    server.say(GOOD)
    asyncio.run(main())


def test_a_client_shared_by_threads_makes_one_pool(server: ScriptedServer) -> None:
    """The first calls come together: a second pool would never be closed."""
    server.say(slow(0.05))
    with Client() as client:
        barrier = threading.Barrier(20)

        def work(_: int) -> str:
            barrier.wait()
            return client.query(**asking(server)).text

        with ThreadPoolExecutor(20) as pool:
            assert list(pool.map(work, range(20))) == [TEXT] * 20
    server.wait_open_connections(0, 1)


def test_clients_leave_nothing(server: ScriptedServer) -> None:
    """Also those that never asked."""
    server.say(GOOD)
    process(
        """
        with msgmodel.Client() as client:
            client.query(**ask)
        msgmodel.Client().close()

        async def main():
            async with msgmodel.AsyncClient() as client:
                await client.query(**ask)
            async with msgmodel.AsyncClient():
                pass

        run(main())
        run(main())
        """,
        server,
    )


def test_a_client_handed_in_is_used_and_left_open(server: ScriptedServer) -> None:
    server.say(GOOD)
    with httpx2.Client(headers={"x-trace": "mine"}) as mine:
        with Client(mine) as client:
            client.query(**asking(server))
        assert not mine.is_closed
        msgmodel.query(**asking(server), http_client=mine)
        list(msgmodel.stream(**asking(server), http_client=mine))
        list(msgmodel.stream_panels(**asking(server), http_client=mine))
        with Client() as client:
            client.query(**asking(server), http_client=mine)
        assert not mine.is_closed
    assert server.accepted == 1
    assert [request.headers["x-trace"] for request in server.requests] == ["mine"] * 5


def test_an_async_client_handed_in_is_used_and_left_open(server: ScriptedServer) -> None:
    async def main() -> None:
        async with httpx2.AsyncClient(headers={"x-trace": "mine"}) as mine:
            async with AsyncClient(mine) as client:
                await client.query(**asking(server))
            assert not mine.is_closed
            await msgmodel.aquery(**asking(server), http_client=mine)
            assert [text async for text in msgmodel.astream(**asking(server), http_client=mine)] == PIECES
            async for _ in msgmodel.astream_panels(**asking(server), http_client=mine):
                pass
            async with AsyncClient() as client:
                await client.query(**asking(server), http_client=mine)
            assert not mine.is_closed

    server.say(GOOD)
    asyncio.run(main())
    assert server.accepted == 1
    assert [request.headers["x-trace"] for request in server.requests] == ["mine"] * 5


@pytest.mark.parametrize("wire", WIRES)
def test_redirects_are_not_followed_by_a_client_that_would(server: ScriptedServer, wire: Wire) -> None:
    with ScriptedServer() as elsewhere:
        elsewhere.say(Script.body(reply(wire, PIECES)))
        server.say(Script.json(307, {}, {"location": elsewhere.url}))
        with httpx2.Client(follow_redirects=True) as mine:
            heard = list(msgmodel.stream_panels(**asking(server, wire), http_client=mine))
        assert heard[-1]["event"] == "panel_error"
        assert elsewhere.requests == []


METHODS = ["stream_panels", "stream", "query"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("used", [True, False], ids=["used", "unused"])
def test_a_closed_client_says_so(server: ScriptedServer, method: str, used: bool) -> None:
    server.say(GOOD)
    client = Client()
    if used:
        client.query(**asking(server))
    client.close()
    asked = len(server.requests)
    with pytest.raises(msgmodel.ConfigurationError, match="closed"):
        getattr(client, method)(**asking(server))
    client.close()
    assert len(server.requests) == asked


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("used", [True, False], ids=["used", "unused"])
def test_a_closed_async_client_says_so(server: ScriptedServer, method: str, used: bool) -> None:
    async def main() -> None:
        client = AsyncClient()
        if used:
            await client.query(**asking(server))
        await client.aclose()
        with pytest.raises(msgmodel.ConfigurationError, match="closed"):
            call(getattr(client, method), **asking(server))
        await client.aclose()

    server.say(GOOD)
    asyncio.run(main())


@pytest.mark.parametrize("method", METHODS)
def test_a_closed_client_handed_in_is_refused_at_the_call(server: ScriptedServer, method: str) -> None:
    mine = httpx2.Client()
    mine.close()
    with pytest.raises(msgmodel.ConfigurationError, match="closed"):
        getattr(msgmodel, method)(**asking(server), http_client=mine)


@pytest.mark.parametrize("method", METHODS)
def test_a_closed_async_client_handed_in_is_refused_at_the_call(server: ScriptedServer, method: str) -> None:
    mine = httpx2.AsyncClient()
    asyncio.run(mine.aclose())
    with pytest.raises(msgmodel.ConfigurationError, match="closed"):
        call(getattr(msgmodel, f"a{method}"), **asking(server), http_client=mine)


@pytest.mark.parametrize("function", [*METHODS, "astream_panels", "astream", "aquery"])
def test_a_client_of_the_other_colour_is_refused_at_the_call(server: ScriptedServer, function: str) -> None:
    wrong: Any = httpx2.Client() if function.startswith("a") else httpx2.AsyncClient()
    with pytest.raises(msgmodel.ConfigurationError, match="http_client"):
        call(getattr(msgmodel, function), **asking(server), http_client=wrong)


@pytest.mark.parametrize("framing", ["chunked", "close"])
def test_a_client_closed_in_the_middle_of_a_stream(server: ScriptedServer, framing: Framing) -> None:
    """Not a hang, and never a reply that looks whole."""
    server.say(Script(framing=framing, steps=(*slow(0).steps[:1], Stall())))
    client = Client()
    stream = client.stream_panels(**asking(server))
    next(stream)
    client.close()
    server.wait_hangup(1)
    (last,) = stream
    assert last["event"] == "panel_error"
    assert last["content"] == "Hello"


@pytest.mark.parametrize("framing", ["chunked", "close"])
def test_an_async_client_closed_in_the_middle_of_a_stream(server: ScriptedServer, framing: Framing) -> None:
    async def main() -> None:
        client = AsyncClient()
        stream = client.stream_panels(**asking(server))
        await anext(stream)
        await client.aclose()
        await asyncio.to_thread(server.wait_hangup, 1)
        (last,) = [event async for event in stream]
        assert last["event"] == "panel_error"
        assert last["content"] == "Hello"

    server.say(Script(framing=framing, steps=(*slow(0).steps[:1], Stall())))
    asyncio.run(main())


# --- a connection that the server closed while it was idle ---

CLOSES_SILENTLY = Script(
    headers={"content-type": "text/event-stream", "connection": "keep-alive"},
    steps=GOOD.steps,
    keep_alive=False,
)
"""Promises to keep the connection open, and closes it after the reply."""


def test_a_stale_connection_is_survived(colour: Sync | Async, server: ScriptedServer) -> None:
    server.say(CLOSES_SILENTLY)
    for _ in range(4):
        assert colour.query(**asking(server), max_retries=0).text == TEXT
        server.wait_open_connections(0)
        time.sleep(0.02)
    assert server.accepted == 4


def test_a_connection_that_closes_as_the_request_arrives(colour: Sync | Async, server: ScriptedServer) -> None:
    """The other order: the request is on its way already. That is a retry, and the reply comes all the same."""
    server.say(GOOD, Script(close_before_headers=True), GOOD)
    assert colour.query(**asking(server)).text == TEXT
    last = colour.panels(**asking(server))[-1]
    assert last["event"] == "panel_final"
    assert last["timing"]["attempts"] == 2


def test_idle_connections_of_a_loop_are_closed_after_a_while(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if no further request is sent."""
    monkeypatch.setattr(asynchronous, "IDLE_SECONDS", 0.2)
    server.say(GOOD)

    async def main() -> None:
        await asyncio.gather(*(msgmodel.aquery(**asking(server)) for _ in range(3)))
        await asyncio.to_thread(server.wait_open_connections, 0)

    asyncio.run(main())
    assert server.accepted == 3


# --- proxies ---

ELSEWHERE = OpenAIConfig(base_url="http://api.example.test/v1")


@pytest.fixture
def proxied(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> ScriptedServer:
    """The server is the proxy that the environment names."""
    for name in ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("HTTP_PROXY", server.url)
    monkeypatch.setenv("HTTPS_PROXY", server.url)
    return server


def _ask_by_client(**arguments: Any) -> str:
    with Client() as client:
        return client.query(**arguments).text


def _ask_by_async_client(**arguments: Any) -> str:
    async def main() -> str:
        async with AsyncClient() as client:
            return (await client.query(**arguments)).text

    return asyncio.run(main())


def _ask_bare(**arguments: Any) -> str:
    """On a new loop, so on a new pool."""

    async def main() -> str:
        return (await msgmodel.aquery(**arguments)).text

    return asyncio.run(main())


BY = pytest.mark.parametrize("ask", [_ask_by_client, _ask_by_async_client, _ask_bare])
Asks = Callable[..., str]


@BY
def test_a_proxy_is_used(proxied: ScriptedServer, ask: Asks) -> None:
    proxied.say(GOOD)
    assert ask(provider="openai", prompt="Hi", api_key=KEY, config=ELSEWHERE) == TEXT
    (request,) = proxied.requests
    assert request.path == "http://api.example.test/v1/chat/completions"
    assert request.headers["host"] == "api.example.test"


@BY
def test_no_proxy_goes_past_it(proxied: ScriptedServer, ask: Asks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,example.org")
    with ScriptedServer() as direct:
        direct.say(GOOD)
        assert ask(**asking(direct)) == TEXT
        assert [request.path for request in direct.requests] == ["/v1/chat/completions"]
    assert proxied.requests == []


@BY
def test_https_goes_through_a_tunnel(proxied: ScriptedServer, ask: Asks) -> None:
    """The proxy sees the name of the host, never the request or its key."""
    ask_there = {"provider": "openai", "prompt": "Hi", "api_key": KEY, "max_retries": 0}
    proxied.say(Script.json(502, {}))
    with pytest.raises(msgmodel.StreamingError) as raised:
        ask(**ask_there, config=OpenAIConfig(base_url="https://api.example.test/v1"))
    assert raised.value.code == "network"
    (request,) = proxied.requests
    assert (request.method, request.path) == ("CONNECT", "api.example.test:443")
    assert KEY not in str(request)


@BY
def test_the_proxy_s_password_is_not_told(proxied: ScriptedServer, ask: Asks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxied.url.replace("//", "//me:proxy-secret@"))
    proxied.say(Script.json(407, {}))
    with pytest.raises(msgmodel.MsgModelError) as raised:
        ask(
            provider="openai",
            prompt="Hi",
            api_key=KEY,
            max_retries=0,
            config=OpenAIConfig(base_url="https://api.example.test/v1"),
        )
    assert "proxy-secret" not in f"{raised.value!r} {vars(raised.value)}"


@BY
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_does_not_answer_is_named(
    proxied: ScriptedServer, ask: Asks, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv(f"{scheme.upper()}_PROXY", f"http://me:proxy-secret@127.0.0.1:{port}/?token=1")
    there = OpenAIConfig(base_url=f"{scheme}://api.example.test/v1")
    with pytest.raises(msgmodel.StreamingError) as raised:
        ask(provider="openai", prompt="Hi", api_key=KEY, max_retries=0, config=there)
    begin = f"can't connect to api.example.test through the proxy 127.0.0.1:{port} ({scheme.upper()}_PROXY): "
    assert raised.value.message.startswith(begin)
    assert "secret" not in raised.value.message
    assert "token" not in raised.value.message


@BY
@pytest.mark.parametrize(
    ("script", "when"),
    [
        (Script(close_before_headers=True), "before an answer"),
        (
            Script(steps=(Send(b'data: {"choices": [{"index": 0, "delta": {"content": "Hi"}}]}\n\n'), Cut())),
            "in the middle of the reply",
        ),
    ],
)
def test_the_proxy_of_a_connection_that_breaks_is_named(
    proxied: ScriptedServer, ask: Asks, script: Script, when: str
) -> None:
    """It may be the proxy that broke it."""
    proxied.say(script)
    with pytest.raises(msgmodel.StreamingError) as raised:
        ask(provider="openai", prompt="Hi", api_key=KEY, max_retries=0, config=ELSEWHERE)
    place = proxied.url.removeprefix("http://")
    begin = f"the connection to api.example.test through the proxy {place} (HTTP_PROXY) broke {when}: "
    assert raised.value.message.startswith(begin)


def test_the_blocking_functions_use_the_proxy(proxied: ScriptedServer) -> None:
    proxied.say(GOOD)
    process(
        """
        ask["config"] = OpenAIConfig(base_url="http://api.example.test/v1")
        query()
        """,
        proxied,
    )
    (request,) = proxied.requests
    assert request.path == "http://api.example.test/v1/chat/completions"
