"""Servers that keep a wait alive with bytes that mean nothing: `timeout` bounds it all the same, in both colours.

Below HTTP's own grammar, so on a bare socket.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from conftest import EVERY_WAY, KEY, Async, Sync, config


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
def dripping(first: bytes, again: bytes) -> Iterator[str]:
    """The address of a server that answers with `first`, and then `again` for ever, every 30 ms."""
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, contextlib.suppress(OSError):
                    connection.recv(65536)
                    connection.sendall(first)
                    while not ended.wait(0.03):
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


def test_no_thread_is_left() -> None:
    before = set(threading.enumerate())
    with dripping(HEAD + chunk(TEXT), chunk(b": ping\n\n")) as url:
        Sync().panels("openai", "hi", KEY, config=config("openai_chat", url), timeout=TIMEOUT, max_retries=0)
    deadline = time.monotonic() + 2
    while set(threading.enumerate()) - before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert set(threading.enumerate()) <= before
