"""Servers that keep a wait alive with bytes that mean nothing: `timeout` bounds it all the same, in both colours.

They drip, or they flood: then no timer is punctual, and other tasks of the loop must have their turn. Below HTTP's own
grammar, so on a bare socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

import msgmodel
from conftest import EVERY_WAY, KEY, Async, AsyncByHTTPX2, Sync, config
from msgmodel.http.loop_alarm import WaitLimit


@pytest.fixture(params=EVERY_WAY.values(), ids=EVERY_WAY.keys())
def colour(request: pytest.FixtureRequest) -> Iterator[Sync | Async]:
    chosen = request.param()
    yield chosen
    chosen.close()


TIMEOUT = 0.5
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
TEXT = b'data: {"choices": [{"delta": {"content": "Hi"}}]}\n\n'
EMPTY_CALL = b'data: {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": ""}}]}}]}\n\n'


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@contextlib.contextmanager
def dripping(first: bytes, again: bytes, pause: float = 0.03, most: float = 60.0) -> Iterator[str]:
    """The address of a server that answers with `first`, and then `again` after each pause, for so many seconds."""
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, contextlib.suppress(OSError):
                    connection.settimeout(1.0)  # a client that has gone while its window was shut
                    connection.recv(65536)
                    connection.sendall(first)
                    until = time.monotonic() + most
                    while not ended.wait(pause) and time.monotonic() < until:
                        connection.sendall(again)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


@pytest.mark.parametrize(
    ("first", "again", "content"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nx: ", b"x", "", id="a header without end"),
        pytest.param(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", "", id="early hints for ever"),
        pytest.param(HEAD + chunk(TEXT) + b"5;", b"x", "Hi", id="a chunk header without end"),
        pytest.param(HEAD + chunk(TEXT), chunk(b"d"), "Hi", id="a line without end"),
        pytest.param(HEAD + chunk(TEXT), chunk(EMPTY_CALL), "Hi", id="empty pieces of a tool call"),
    ],
)
def test_timeout_bounds_it(first: bytes, again: bytes, content: str, colour: Sync | Async) -> None:
    with dripping(first, again) as url:
        began = time.monotonic()
        found: list[Any] = colour.panels(
            "openai", "hi", KEY, config=config("openai_chat", url), timeout=TIMEOUT, max_retries=0
        )
        assert time.monotonic() - began < TIMEOUT + 1.5
    assert found[-1]["event"] == "panel_error"
    assert (found[-1]["code"], found[-1]["content"]) == ("timeout", content)


@pytest.mark.parametrize("way", ["sync", "async"])
def test_timeout_bounds_a_handshake(way: str) -> None:
    """A ServerHello of 16 KB, one byte after another: each of them is in time."""
    colour = EVERY_WAY[way]()
    with contextlib.closing(colour), dripping(b"\x16\x03\x03\x3f\xff\x02\x00\x3f\xfb\x03\x03", b"x") as url:
        began = time.monotonic()
        (last,) = colour.panels(
            *("openai", "hi", KEY),
            config=config("openai_chat", url.replace("http://", "https://")),
            timeout=TIMEOUT,
            max_retries=0,
        )
        assert time.monotonic() - began < LATEST
    assert (last["event"], last["code"]) == ("panel_error", "timeout")


def test_no_thread_is_left() -> None:
    before = set(threading.enumerate())
    with dripping(HEAD + chunk(TEXT), chunk(b": ping\n\n")) as url:
        Sync().panels("openai", "hi", KEY, config=config("openai_chat", url), timeout=TIMEOUT, max_retries=0)
    deadline = time.monotonic() + 2
    while set(threading.enumerate()) - before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert set(threading.enumerate()) <= before


# --- floods ---

FLOOD_SECONDS = 8.0
"""What a flood lasts: who waits for its end is too late by any measure."""
LATEST = 5.0
"""Seconds in which a limit of half a second holds on a machine that does much else."""
FLOODS: dict[str, tuple[bytes, bytes]] = {
    "100 Continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2000),
    "early hints": (b"", b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" * 2000),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"x: y\r\n" * 5000),
    "a header": (b"HTTP/1.1 200 OK\r\nx: ", b"x" * 50_000),
    "an extension": (HEAD + chunk(TEXT) + b"5;", b"x" * 50_000),
    "extensions": (HEAD + chunk(TEXT), (b"1;" + b"x" * 1000 + b"\r\n:\r\n") * 50),
    "pings": (HEAD + chunk(TEXT), chunk(b": ping\n\n") * 3000),
    "chunks of one byte": (HEAD + chunk(TEXT), chunk(b":") * 8000),
    "events without text": (HEAD + chunk(TEXT), chunk(b'data: {"choices": []}\n\n') * 1000),
    "trailers": (HEAD + chunk(TEXT) + b"0\r\n", b"a: b\r\n" * 8000),
    "an error": (HEAD.replace(b"200 OK", b"500 No"), chunk(b"x") * 100),
}


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_is_bounded(flood: str, colour: Sync | Async) -> None:
    first, again = FLOODS[flood]
    with dripping(first, again, 0.0, FLOOD_SECONDS) as url:
        began = time.monotonic()
        found: list[Any] = colour.panels(
            "openai", "hi", KEY, config=config("openai_chat", url), timeout=TIMEOUT, max_retries=0
        )
        assert time.monotonic() - began < LATEST
    last = found[-1]
    assert last["event"] == "panel_error"
    assert last["code"] in ("server",) if flood == "an error" else ("timeout", "network", "interrupted")
    assert last["content"] == ("Hi" if TEXT in first else "")


@pytest.mark.parametrize("flood", ["pings", "trailers"])
def test_a_flood_behind_the_end_is_bounded(flood: str, colour: Sync | Async) -> None:
    """The reply is whole; the connection is given up."""
    stop = b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
    _, again = FLOODS[flood]
    first = HEAD + chunk(TEXT + stop) + (b"0\r\n" if flood == "trailers" else b"")
    with dripping(first, again, 0.0, FLOOD_SECONDS) as url:
        began = time.monotonic()
        found: list[Any] = colour.panels("openai", "hi", KEY, config=config("openai_chat", url), max_retries=0)
        assert time.monotonic() - began < LATEST
    assert (found[-1]["event"], found[-1]["content"]) == ("panel_final", "Hi")


@pytest.fixture(scope="module")
def packed() -> bytes:
    """Two million empty events in 20 KB, of which any number can follow one another."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packer.compress(b"data:\n\n" * 2_000_000) + packer.flush()


def test_a_flood_that_was_packed(packed: bytes, colour: Sync | Async) -> None:
    """It is unpacked in pieces, with a look at the clock between them, and not much further than text would be."""
    first = HEAD.replace(b"transfer-encoding: chunked", b"content-encoding: gzip")
    with dripping(first + packed, packed, 0.5, FLOOD_SECONDS) as url:
        began = time.monotonic()
        found: list[Any] = colour.panels(
            "openai", "hi", KEY, config=config("openai_chat", url), timeout=TIMEOUT, max_retries=0
        )
        assert time.monotonic() - began < LATEST
    assert [event["event"] for event in found] == ["panel_error"]
    assert found[0]["code"] in ("timeout", "interrupted")


@pytest.mark.parametrize("way", ["async", "async-httpx2"])
def test_other_tasks_have_their_turn(way: str, packed: bytes) -> None:
    """While a loop unpacks 14 MB of empty events, which is seconds of work."""
    first = HEAD.replace(b"transfer-encoding: chunked", b"content-encoding: gzip")
    colour = EVERY_WAY[way]()
    assert isinstance(colour, Async)
    more = {"http_client": colour._client} if isinstance(colour, AsyncByHTTPX2) else {}

    async def longest_wait(url: str) -> float:
        longest, ended = 0.0, False

        async def wait() -> None:
            nonlocal longest
            while not ended:
                began = time.thread_time()  # a machine that does something else is not at fault
                await asyncio.sleep(0.001)
                longest = max(longest, time.thread_time() - began)

        waiting = asyncio.create_task(wait())
        asking: dict[str, Any] = {"config": config("openai_chat", url), "max_retries": 0, **more}
        async for _ in msgmodel.astream_panels("openai", "hi", KEY, **asking):
            pass
        ended = True
        await waiting
        return longest

    def attempt() -> None:
        with dripping(first + packed, b"", 0.0, 0.0) as url:
            assert colour.run(longest_wait(url)) < 0.5

    with contextlib.closing(colour):
        attempt()


def test_a_loop_that_is_always_late_extends_a_wait_once() -> None:
    async def wait() -> int:
        limit = WaitLimit()
        turns = 0
        with contextlib.suppress(TimeoutError), limit.of(0.2):
            while turns < 60:
                time.sleep(0.06)  # noqa: ASYNC251 - this is what it is about
                await asyncio.sleep(0)
                turns += 1
        return turns

    assert asyncio.run(wait()) < 30
