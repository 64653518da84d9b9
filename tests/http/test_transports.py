"""What every way to a server has in common, whichever library moves the bytes."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import gzip
import os
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

import msgmodel
from conftest import EVERY_WAY, KEY, Async, Sync, config
from msgmodel.http.connecting import connect_first_answering
from msgmodel.http.loop_connection import new_connection
from msgmodel.testing.server import Script, ScriptedServer
from msgmodel.testing.wires import events, reply

Colour = Sync | Async
PIECES = ["one ", "two ", "three ", "four"]
GOOD = reply("openai_chat", PIECES)


@pytest.fixture(params=EVERY_WAY.values(), ids=EVERY_WAY.keys())
def colour(request: pytest.FixtureRequest) -> Iterator[Colour]:
    chosen = request.param()
    yield chosen
    chosen.close()


def ask(colour: Colour, url: str, **more: Any) -> list[Any]:
    asking: dict[str, Any] = {"config": config("openai_chat", url), "timeout": 5, "max_retries": 0, **more}
    return colour.panels("openai", "hi", KEY, **asking)


@contextlib.contextmanager
def answering(say: Callable[[socket.socket], None]) -> Iterator[str]:
    """The address of a server for one request, below HTTP's own grammar."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                say(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


TEXTS = [one for one in events("openai_chat", PIECES) if any(piece.encode() in one for piece in PIECES)]


@pytest.mark.parametrize("end", ["FIN", "RST", "in a chunk"])
@pytest.mark.parametrize("by", [None, "httpx2"])
@pytest.mark.parametrize("colour_name", ["sync", "async"])
def test_what_had_arrived_when_the_connection_broke(colour_name: str, by: str | None, end: str) -> None:
    """While the reader was busy with something else: all of it is handed on."""

    def say(connection: socket.socket) -> None:
        connection.sendall(CHUNKED)
        for text in TEXTS:
            time.sleep(0.02)  # each in a read of its own
            last = end == "in a chunk" and text is TEXTS[-1]
            connection.sendall(b"fff\r\n" + text if last else chunk(text))
        time.sleep(0.1)
        if end == "RST":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def busy(found: list[Any]) -> float:
        return 0.5 if len(found) == 1 else 0.0

    async def by_asyncio(url: str) -> list[Any]:
        found: list[Any] = []
        async with httpx2.AsyncClient() as client:
            arguments: dict[str, Any] = {} if by is None else {"http_client": client}
            stream = msgmodel.astream_panels(
                "openai", "hi", KEY, config=config("openai_chat", url), max_retries=0, **arguments
            )
            async for event in stream:
                found.append(event)
                await asyncio.sleep(busy(found))
        return found

    def by_blocking(url: str) -> list[Any]:
        found: list[Any] = []
        with httpx2.Client() as client:
            arguments: dict[str, Any] = {} if by is None else {"http_client": client}
            for event in msgmodel.stream_panels(
                "openai", "hi", KEY, config=config("openai_chat", url), max_retries=0, **arguments
            ):
                found.append(event)
                time.sleep(busy(found))
        return found

    with answering(say) as url:
        found = asyncio.run(by_asyncio(url)) if colour_name == "async" else by_blocking(url)
    assert [event.get("delta") for event in found] == [*PIECES, None]
    assert (found[-1]["event"], found[-1]["code"], found[-1]["content"]) == (
        "panel_error",
        "interrupted",
        "".join(PIECES),
    )


def _deflated(data: bytes) -> bytes:
    return zlib.compress(data)


def _deflated_raw(data: bytes) -> bytes:
    """Without the header of zlib (RFC 9110, section 8.4.1.2: some do this)."""
    return zlib.compress(data, wbits=-zlib.MAX_WBITS)


@pytest.mark.parametrize(
    ("encoding", "compress"), [("gzip", gzip.compress), ("deflate", _deflated), ("deflate", _deflated_raw)]
)
@pytest.mark.parametrize("pieces", [None, 1, 7])
def test_a_server_that_compresses_though_it_was_asked_not_to(
    colour: Colour, server: ScriptedServer, encoding: str, compress: Callable[[bytes], bytes], pieces: int | None
) -> None:
    server.say(replace(Script.body(compress(GOOD), pieces), headers={"content-encoding": encoding}))
    last = ask(colour, server.url)[-1]
    assert (last["event"], last["content"], last["status"]) == ("panel_final", "".join(PIECES), "complete")


@pytest.mark.parametrize("said", ["none", "utf-8", "identity, identity", "x-unknown"])
def test_a_coding_that_is_none(colour: Colour, server: ScriptedServer, said: str) -> None:
    """Servers say such words to keep a proxy from compressing."""
    server.say(replace(Script.body(GOOD), headers={"content-encoding": said}))
    last = ask(colour, server.url)[-1]
    assert (last["event"], last["content"], last["status"]) == ("panel_final", "".join(PIECES), "complete")


@pytest.mark.parametrize("said", ["none", "br", "gzip, br"])
def test_an_error_in_a_coding_that_can_not_be_read(colour: Colour, server: ScriptedServer, said: str) -> None:
    """The status was there; that is enough."""
    server.say(Script.json(401, {"error": {"message": "bad key"}}, {"content-encoding": said}))
    last = ask(colour, server.url, max_retries=2)[-1]
    assert (last["event"], last["code"], last["status_code"]) == ("panel_error", "authentication", 401)
    assert len(server.requests) == 1


@pytest.mark.parametrize("cut", [None, 7])
def test_gzip_of_several_members(shared_colour: Colour, server: ScriptedServer, cut: int | None) -> None:
    """RFC 1952, section 2.2."""
    middle = len(GOOD) // 2
    body = gzip.compress(GOOD[:middle]) + gzip.compress(GOOD[middle:])
    server.say(replace(Script.body(body, cut), headers={"content-encoding": "gzip"}))
    last = ask(shared_colour, server.url)[-1]
    assert (last["event"], last["content"], last["status"]) == ("panel_final", "".join(PIECES), "complete")


def test_a_compressed_body_that_is_cut(colour: Colour, server: ScriptedServer) -> None:
    """Ended by its framing, in the middle of what it carries."""
    server.say(replace(Script.body(gzip.compress(GOOD)[:150]), headers={"content-encoding": "gzip"}))
    last = ask(colour, server.url)[-1]
    assert last["event"] == "panel_error"
    assert last["code"] in ("interrupted", "protocol")


def test_early_hints_are_no_answer(colour: Colour) -> None:
    """RFC 9110, section 15.2: any number of 1xx answers may come before the real one."""

    def say(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n")
        time.sleep(0.02)
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n" + CHUNKED + chunk(GOOD) + b"0\r\n\r\n")

    with answering(say) as url:
        last = ask(colour, url)[-1]
    assert (last["event"], last["content"]) == ("panel_final", "".join(PIECES))


def test_a_body_shorter_than_it_says(colour: Colour) -> None:
    def say(connection: socket.socket) -> None:
        connection.sendall(HEAD + b"content-length: 100000\r\n\r\n" + b"".join(TEXTS))

    with answering(say) as url:
        last = ask(colour, url)[-1]
    assert (last["event"], last["code"], last["content"]) == ("panel_error", "interrupted", "".join(PIECES))


def test_a_fault_that_has_come_is_not_waited_for(colour: Colour) -> None:
    """In the same piece as good text, from a server that then says nothing."""

    def say(connection: socket.socket) -> None:
        connection.sendall(CHUNKED + b"".join(map(chunk, TEXTS)) + b"zz\r\n")
        connection.recv(1)  # until the client hangs up

    with answering(say) as url:
        last = ask(colour, url)[-1]
    assert (last["event"], last["code"], last["content"]) == ("panel_error", "interrupted", "".join(PIECES))


REFUSED = b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n"
LONG = "x" * 8_000_000
"""More than what fits into the buffers of a connection."""


@pytest.mark.parametrize("way", ["sync", "async", "sync-httpx2"])
def test_a_server_that_refuses_before_it_has_read_all(way: str) -> None:
    """It says why, and closes: that is the answer, and nothing that is tried again."""
    asked = 0

    def say(connection: socket.socket) -> None:
        nonlocal asked
        asked += 1
        connection.sendall(REFUSED)

    colour = EVERY_WAY[way]()
    with contextlib.closing(colour), answering(say) as url:
        (last,) = colour.panels("openai", LONG, KEY, config=config("openai_chat", url), timeout=10, max_retries=0)
    assert (last["event"], last["code"], asked) == ("panel_error", "too_large", 1)


@contextlib.contextmanager
def answering_once_each(*answers: bytes) -> Iterator[str]:
    """The address of a server that says one of these on each connection, and keeps it open; all must be asked for."""
    listener = socket.create_server(("127.0.0.1", 0))
    held: list[socket.socket] = []

    def serve() -> None:
        for answer in answers:
            connection, _ = listener.accept()
            held.append(connection)
            connection.recv(4096)
            connection.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    thread.join(5)
    assert not thread.is_alive()
    for each in (*held, listener):
        each.close()


def test_a_connection_with_something_to_send_is_not_used_again() -> None:
    """A server that has answered may never read the rest of what it was asked."""
    good = CHUNKED + chunk(GOOD) + b"0\r\n\r\n"
    with answering_once_each(REFUSED, good) as url, contextlib.closing(Async()) as colour:
        asking: dict[str, Any] = {"config": config("openai_chat", url), "timeout": 10, "max_retries": 0}
        assert colour.panels("openai", LONG, KEY, **asking)[-1]["code"] == "too_large"
        assert colour.panels("openai", "hi", KEY, **asking)[-1]["event"] == "panel_final"


@pytest.mark.parametrize("head", [REFUSED, b"HTTP/1.1 204 No Content\r\n\r\n"])
def test_more_than_an_answer_without_a_body_answers_nothing(shared_colour: Colour, head: bytes) -> None:
    stray = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nNo"
    with answering_once_each(head + stray, CHUNKED + chunk(GOOD) + b"0\r\n\r\n") as url:
        assert ask(shared_colour, url)[-1]["event"] == "panel_error"
        assert ask(shared_colour, url)[-1]["event"] == "panel_final"


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_more_than_a_body_answers_nothing(shared_colour: Colour, framing: str) -> None:
    """RFC 9112, section 6.3: what comes behind a body may not be taken for the next response."""
    other = reply("openai_chat", ["somebody else's"])
    plain = b"content-length: %d\r\n\r\n%b"
    stray = HEAD + plain % (len(other), other)
    whole = HEAD + plain % (len(GOOD), GOOD) if framing == "length" else CHUNKED + chunk(GOOD) + b"0\r\n\r\n"
    with answering_once_each(whole + b"\n\n" + stray, whole) as url:
        for _ in range(2):
            last = ask(shared_colour, url)[-1]
            assert (last["event"], last["content"]) == ("panel_final", "".join(PIECES))


@contextlib.contextmanager
def dead(host: str, port: int = 0) -> Iterator[socket.socket]:
    """An address that does not answer: its queue of waiting connections is full."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind((host, port))
        listener.listen(0)
        for _ in range(2):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener


@pytest.fixture
def places() -> Iterator[list[Any]]:
    """Two addresses of a host: the first one does not answer, the second one does."""
    with dead("127.0.0.1") as none, socket.create_server(("127.0.0.1", 0)) as good:
        yield [(socket.AF_INET, socket.SOCK_STREAM, 0, "", each.getsockname()) for each in (none, good)]


REFUSES = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 1))
UNKNOWN = (socket.AF_INET6, socket.SOCK_STREAM, 0, "", ("2001:db8::1", 1, 0, 0))
"""An address that can't even be tried if there is no IPv6; or one that does not answer."""


def loop_class(name: str) -> Any:
    return asyncio.SelectorEventLoop if name == "asyncio" else pytest.importorskip("uvloop").Loop


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_async_and_a_host_whose_first_address_is_dead(loop: str) -> None:
    """The next one is tried soon, and what was tried is not left open."""
    hosts = ["127.0.0.2", "127.0.0.3", "127.0.0.4"]  # refuses, is dead, answers

    async def lookup(self: Any, host: str, port: int, **how: Any) -> Any:
        found = hosts if host == "host.test" else [host]
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (each, port)) for each in found]

    class Loop(loop_class(loop)):  # type: ignore[misc]
        getaddrinfo = lookup

    async def run(port: int) -> None:
        found = await new_connection(("http", "host.test", port), memoryview(bytearray(1)))
        assert found.socket.getpeername()[0] == "127.0.0.4"
        assert found.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        found.close()
        hosts[1:] = ["127.0.0.2"]
        with pytest.raises(ConnectionRefusedError):
            await new_connection(("http", "host.test", port), memoryview(bytearray(1)))
        hosts[1:] = ["127.0.0.3", "127.0.0.3"]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.0):
                await new_connection(("http", "host.test", port), memoryview(bytearray(1)))

    with (
        socket.create_server(("127.0.0.4", 0)) as good,
        dead("127.0.0.3", good.getsockname()[1]),
        asyncio.Runner(loop_factory=Loop) as runner,
    ):
        before = open_files()
        runner.run(run(good.getsockname()[1]))
        assert open_files() <= before + 2  # of the loop itself


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts files as Linux does")
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_connect_that_is_cancelled_leaves_no_socket(loop: str, scheme: str) -> None:
    """Whatever it was at: not until the garbage collector comes, as it may come late."""

    async def run(url: str) -> tuple[int, int]:
        async def ask_and_leave(turns: int) -> None:
            stream = msgmodel.astream_panels("openai", "hi", KEY, config=config("openai_chat", url), timeout=5)
            asking = asyncio.create_task(anext(aiter(stream)))  # type: ignore[arg-type]
            for _ in range(turns):
                await asyncio.sleep(0)
            asking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asking

        await ask_and_leave(1)
        before = open_files()
        for turns in range(1, 40):
            await ask_and_leave(turns)
        await asyncio.sleep(0.2)
        return before, open_files()

    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        asyncio.Runner(loop_factory=loop_class(loop)) as runner,
    ):
        gc.collect()
        gc.disable()
        try:
            before, after = runner.run(run(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"))
        finally:
            gc.enable()
            gc.collect()
    assert after <= before + 3  # of the loop itself


def test_blocking_and_a_host_whose_first_address_is_dead(places: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one is tried soon, as asyncio does."""

    def found(*found: Any) -> None:
        monkeypatch.setattr(socket, "getaddrinfo", lambda *asked, **how: list(found))

    found(UNKNOWN, REFUSES, *places)
    with connect_first_answering("host", 1, 5.0) as channel:
        assert channel.getpeername() == places[1][4]
        assert 0.0 < (channel.gettimeout() or 0.0) < 5.0
    found(REFUSES, REFUSES)
    with pytest.raises(ConnectionRefusedError):
        connect_first_answering("host", 1, 5.0)
    found(places[0], REFUSES, places[0])
    begin = time.monotonic()
    with pytest.raises(TimeoutError):  # one limit for all
        connect_first_answering("host", 1, 1.0)
    assert time.monotonic() - begin < 1.9


@pytest.mark.parametrize(("status", "code"), [(200, "interrupted"), (204, "interrupted"), (401, "authentication")])
def test_a_body_of_no_bytes_is_not_waited_for(colour: Colour, server: ScriptedServer, status: int, code: str) -> None:
    """What says that it is empty has ended with its head, and the connection serves again."""
    server.say(Script(status=status, framing="length"))
    for _ in range(2):
        (last,) = ask(colour, server.url)
        assert (last["event"], last["code"]) == ("panel_error", code)
    assert server.accepted == 1


def test_many_headers_and_long_ones(colour: Colour) -> None:
    """As providers behind several proxies send them."""

    def say(connection: socket.socket) -> None:
        more = b"".join(b"x-%d: %b\r\n" % (number, b"v" * 100) for number in range(80)) + b"x-policy: %b\r\n" % (
            b"p" * 20_000
        )
        connection.sendall(HEAD + more + b"transfer-encoding: chunked\r\n\r\n" + chunk(GOOD) + b"0\r\n\r\n")

    with answering(say) as url:
        last = ask(colour, url)[-1]
    assert (last["event"], last["content"]) == ("panel_final", "".join(PIECES))
