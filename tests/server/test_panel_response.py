"""`panel_response` in FastAPI and Starlette, over real sockets: framing, leaving, and one terminal event a panel."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import socket
import struct
import textwrap
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

import msgmodel
import serving
from msgmodel.errors import StreamingError
from msgmodel.http import watchdog
from msgmodel.server import heartbeat, panel_response
from msgmodel.server.blocking_iterator import MAX_ITEMS_AHEAD, _IteratorThread
from msgmodel.testing import KEY, Flood, Reply, Script, ScriptedProvider, wires
from serving import (
    READER,
    Elsewhere,
    Event,
    Stream,
    Uvicorn,
    bearer,
    joined,
    kinds,
    numbers,
    opened,
    request,
    retried,
    wait_for,
)

module_provider, provider, elsewhere = serving.module_provider, serving.provider, serving.elsewhere  # fixtures

Make = Callable[[], Any]
MAKERS: dict[str, tuple[Make, dict[str, Any]]] = {}
"""What an endpoint's path makes its events of."""

ANSWERED = threading.Event()


async def events(request: Request) -> Response:
    make, how = MAKERS[request.path_params["name"]]
    return panel_response(make(), **how)


async def ping(request: Request) -> Response:
    ANSWERED.set()
    return PlainTextResponse("pong")


async def hand_on(request: Request, call_next: Any) -> Response:
    response: Response = await call_next(request)
    return response


ROUTES = [Route("/ping", ping), Route("/{name}", events, methods=["GET", "POST"])]
FASTAPI = FastAPI()
FASTAPI.router.routes += ROUTES
APPLICATIONS = {
    "fastapi": FASTAPI,
    "starlette": Starlette(routes=ROUTES),
    "middleware": Starlette(routes=ROUTES, middleware=[Middleware(BaseHTTPMiddleware, dispatch=hand_on)]),
    "gzip": Starlette(routes=ROUTES, middleware=[Middleware(GZipMiddleware, minimum_size=1)]),
}


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, Uvicorn]]:
    """The same endpoints in different surroundings; fastapi also under uvicorn's other HTTP parser and loop."""
    with (
        Uvicorn(APPLICATIONS["fastapi"]) as fastapi,
        Uvicorn(APPLICATIONS["fastapi"], http="h11", loop="asyncio") as h11,
        Uvicorn(APPLICATIONS["starlette"]) as starlette,
        Uvicorn(APPLICATIONS["middleware"]) as middleware,
        Uvicorn(APPLICATIONS["gzip"]) as gzip,
    ):
        yield {"fastapi": fastapi, "h11": h11, "starlette": starlette, "middleware": middleware, "gzip": gzip}


@pytest.fixture
def serve(servers: dict[str, Uvicorn]) -> Iterator[Callable[..., str]]:
    """Gives an endpoint's address, for what makes its events."""
    count = itertools.count()

    def add(make: Make, server: str = "fastapi", **how: Any) -> str:
        name = f"events{next(count)}"
        MAKERS[name] = make, how
        return f"{servers[server].url}/{name}"

    yield add
    MAKERS.clear()


def delta(text: Any, panel_id: Any = "a") -> dict[str, Any]:
    return {"event": "panel_delta", "panel_id": panel_id, "delta": text}


def final(panel_id: str = "a") -> dict[str, Any]:
    return {"event": "panel_final", "panel_id": panel_id, "content": "Hello", "finish_reason": "stop"}


def asynchronous(*items: Any) -> Make:
    async def made() -> AsyncIterator[Any]:
        for item in items:
            if isinstance(item, BaseException):
                raise item
            yield item

    return made


def blocking(*items: Any) -> Make:
    def made() -> Iterator[Any]:
        for item in items:
            if isinstance(item, BaseException):
                raise item
            yield item

    return made


BOTH = pytest.mark.parametrize("of", [asynchronous, blocking])
ASK: dict[str, Callable[[str], Any]] = {
    "async": lambda name: msgmodel.astream_panels(name, "hi"),
    "sync": lambda name: msgmodel.stream_panels(name, "hi"),
    "many": lambda name: msgmodel.astream_many([name], "hi"),
    "blocking many": lambda name: msgmodel.stream_many([name], "hi"),
}
ASKED = pytest.mark.parametrize("ask", list(ASK))


def read(url: str) -> list[Event]:
    with opened("GET", url) as stream:
        return stream.rest()


# --- framing ---


@pytest.mark.parametrize("name", ["openai", "anthropic", "gemini"])
@ASKED
def test_what_goes_on_the_wire(serve: Any, provider: ScriptedProvider, ask: str, name: str) -> None:
    provider.say(Reply("One two\u2028three \u2029\u0085 \r\n\r four 🙂", reasoning="Well"))
    with opened("GET", serve(lambda: ASK[ask](name))) as stream:
        got = stream.rest()
    headers = stream.response.headers
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert headers["cache-control"] == "no-cache, no-transform"
    assert headers["x-accel-buffering"] == "no"
    assert "content-encoding" not in headers
    assert stream.raw.startswith(b": msgmodel\n\n")
    assert stream.comments == 1
    assert not any(character in stream.raw for character in (b"\r", b"\xe2\x80\xa8", b"\xe2\x80\xa9", b"\xc2\x85"))
    assert numbers(got) == list(range(1, len(got) + 1))
    expected: list[Any] = list(msgmodel.stream_panels(name, "hi"))
    told = [event for event in got if event.kind != "batch_final"]
    expected[-1]["privacy"]["endpoint"] = expected[-1]["receipt"]["host"] = "private server"  # no internal host
    assert [comparable(event.data) for event in told] == [comparable(event) for event in expected]
    assert joined(got) == told[-1].data["content"] == "One two\u2028three \u2029\u0085 \r\n\r four 🙂"


def comparable(event: Any) -> dict[str, Any]:
    """An event without what is another one each time."""
    return {key: value for key, value in event.items() if key not in ("panel_id", "timing")}


@pytest.mark.parametrize("server", ["fastapi", "h11", "starlette", "middleware", "gzip"])
def test_in_different_surroundings(serve: Any, provider: ScriptedProvider, server: str) -> None:
    provider.say(Reply("Hello there, you", stall_after=2))
    url = serve(lambda: msgmodel.astream_panels("openai", "hi"), server)
    with opened("GET", url, headers={"accept-encoding": "gzip, br"}) as stream:
        assert stream.frame() == b": msgmodel"
        assert joined(stream.take(2)) == "Hello there,"  # each event is sent when it is there
        assert "content-encoding" not in stream.response.headers


def test_the_first_comment_comes_before_the_provider_answers(serve: Any, provider: ScriptedProvider) -> None:
    provider.say(Script(stall_before_headers=True))
    with opened("GET", serve(lambda: msgmodel.astream_panels("openai", "hi"))) as stream:
        assert stream.frame() == b": msgmodel"


def test_a_comment_after_a_silence(serve: Any, provider: ScriptedProvider) -> None:
    provider.say(Reply("Hello", stall_after=1))
    with opened("GET", serve(lambda: msgmodel.astream_panels("openai", "hi"), heartbeat_seconds=1.0)) as stream:
        assert stream.frame() == b": msgmodel"
        assert stream.frame().startswith(b"id: 1\n")
        began = time.monotonic()
        assert [stream.frame(), stream.frame()] == [b": ", b": "]
        assert time.monotonic() - began > 0.5


def test_no_silence_is_longer_than_fifteen_seconds(
    serve: Any, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.say(Reply("Hello", stall_after=1))
    passed = 0.0
    clock = time.monotonic
    monkeypatch.setattr(heartbeat, "monotonic", lambda: clock() + passed)
    url = serve(lambda: msgmodel.astream_panels("openai", "hi"), heartbeat_seconds=60.0)
    with opened("GET", url) as stream:
        assert len(stream.take(1)) == 1
        passed = 15.0 - heartbeat.WALK_SECONDS  # what is sent at the next walk over all responses is not late
        assert stream.frame() == b": "


def test_more_headers(serve: Any) -> None:
    url = serve(asynchronous(final()), headers={"x-mine": "1", "cache-control": "no-store"})
    with opened("GET", url) as stream:
        assert kinds(stream.rest()) == ["panel_final"]
        assert stream.response.headers["x-mine"] == "1"


def test_what_the_docstring_shows(servers: dict[str, Uvicorn], provider: ScriptedProvider) -> None:
    provider.say("Hello")
    documented = inspect.getdoc(panel_response) or ""
    app = FastAPI()
    space = {"app": app, "panel_response": panel_response, "astream_panels": msgmodel.astream_panels}
    code = textwrap.dedent(documented.partition("```python\n")[2].partition("```")[0])
    exec(compile(code, "<docstring>", "exec", dont_inherit=True), space)
    with Uvicorn(app) as server, opened("POST", f"{server.url}/chat?prompt=hi") as stream:
        assert joined(stream.rest()) == "Hello"


# --- leaving ---


def reset(stream: Stream) -> None:
    """Leaves as a process that is killed: by RST."""
    connection = stream.response.extensions["network_stream"].get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize("pieces", [0, 1], ids=["before the first token", "after"])
@ASKED
def test_whoever_leaves_closes_the_upstream(serve: Any, provider: ScriptedProvider, ask: str, pieces: int) -> None:
    provider.say(Reply("Hello there", stall_after=pieces))
    url = serve(lambda: ASK[ask]("openai"))

    def attempt() -> None:
        seen, hangups = len(provider.requests), len(provider.server.hangups)
        with opened("GET", url) as stream:
            stream.frame()
            wait_for(lambda: len(provider.requests) > seen)
            stream.take(pieces)
            left = time.monotonic()
        assert provider.server.wait_hangup(count=hangups + 1) - left < 0.5

    retried(attempt)


@pytest.mark.parametrize("server", ["h11", "starlette", "middleware", "gzip"])
@pytest.mark.parametrize("leave", [reset, lambda stream: None], ids=["reset", "closed"])
def test_leaving_in_different_surroundings(serve: Any, provider: ScriptedProvider, server: str, leave: Any) -> None:
    provider.say(Reply("Hello", stall_after=0))
    url = serve(lambda: msgmodel.astream_panels("openai", "hi"), server)

    def attempt() -> None:
        seen, hangups = len(provider.requests), len(provider.server.hangups)
        with opened("POST", url, content=b"x" * 100_000) as stream:
            stream.frame()
            wait_for(lambda: len(provider.requests) > seen)
            leave(stream)
            left = time.monotonic()
        assert provider.server.wait_hangup(count=hangups + 1) - left < 0.5

    retried(attempt)


def test_leaving_while_the_answer_is_not_read(serve: Any, provider: ScriptedProvider) -> None:
    """The upstream floods, the buffers are full, and the one who never read leaves."""
    hangups = len(provider.server.hangups)
    provider.say(Script(steps=(Flood(wires.events("openai_chat", ["word " * 1000])[1]),)))
    with opened("GET", serve(lambda: msgmodel.astream_panels("openai", "hi"))) as stream:
        stream.frame()
        time.sleep(0.3)
    provider.server.wait_hangup(count=hangups + 1)


@pytest.mark.parametrize("pieces", [0, 1], ids=["before the first token", "after"])
@pytest.mark.parametrize("http", ["httptools", "h11"])
def test_a_client_that_vanished_is_left(
    provider: ScriptedProvider, elsewhere: Elsewhere, pieces: int, http: str
) -> None:
    """Its connection stays open for minutes: the client that could close it is gone."""
    # A word ten times a second, or nothing at all: with something on its way, and without.
    provider.say(Reply("word " * 300, speed=10.0) if pieces else Reply("Hello", stall_after=0))
    app = FastAPI()

    @app.get("/chat")
    async def chat() -> Response:
        return panel_response(msgmodel.astream_panels("openai", "hi"))

    with Uvicorn(app, host=elsewhere.address, http=http) as server:
        server.url = f"http://{elsewhere.address}:{server.port}"
        seen, hangups = len(provider.requests), len(provider.server.hangups)
        asked = f"GET /chat HTTP/1.1\r\nhost: {elsewhere.address}\r\n\r\n"
        reader = elsewhere.run(READER, elsewhere.address, str(server.port), asked)
        try:
            assert reader.stdout is not None
            assert reader.stdout.readline() == "200\n"
            wait_for(lambda: len(provider.requests) > seen)
            time.sleep(0.3)
            elsewhere.cut()
            cut = time.monotonic()
            assert provider.server.wait_hangup(count=hangups + 1, timeout=10.0) - cut < 3.5
        finally:
            reader.kill()
            reader.communicate()


# --- blocking iterators ---


def test_a_blocking_iterator_does_not_block_the_event_loop(serve: Any, servers: dict[str, Uvicorn]) -> None:
    ANSWERED.clear()

    def made() -> Iterator[Any]:
        yield delta("Hello")
        assert ANSWERED.wait(10)  # it is answered on the event loop
        yield final()

    with opened("GET", serve(made)) as stream:
        stream.take(1)
        assert request("GET", f"{servers['fastapi'].url}/ping", timeout=5).text == "pong"
        assert kinds(stream.rest()) == ["panel_final"]


def test_a_blocking_iterator_is_closed_on_its_own_thread(serve: Any) -> None:
    threads: list[int] = []

    def made() -> Iterator[Any]:
        threads.append(threading.get_ident())
        try:
            while True:
                time.sleep(0.02)
                yield delta("Hello")
        finally:
            threads.append(threading.get_ident())

    with opened("GET", serve(made)) as stream:
        stream.take(2)
    wait_for(lambda: len(threads) == 2)
    assert threads[0] == threads[1] != threading.get_ident()


@pytest.mark.parametrize("colour", ["async", "sync"])
def test_nothing_is_read_far_ahead_of_a_slow_reader(serve: Any, colour: str) -> None:
    said = 0

    def made() -> Iterator[Any]:
        nonlocal said
        while True:
            said += 1
            yield delta("x" * 65536)

    async def made_async() -> AsyncIterator[Any]:
        for event in made():
            await asyncio.sleep(0)
            yield event

    with opened("GET", serve(made if colour == "sync" else made_async)) as stream:
        stream.take(1)
        time.sleep(0.5)
        before = said
        time.sleep(0.5)
        assert said == before < 4 * MAX_ITEMS_AHEAD + 200  # what sockets hold, and what the thread may be ahead


def test_a_generator_that_never_waits(serve: Any) -> None:
    """As in the guide, where a blocking iterator runs in an async generator: that the client left is noticed."""
    said = 0
    closed = threading.Event()

    async def made() -> AsyncIterator[Any]:
        nonlocal said
        try:
            while said < 1000:
                said += 1
                time.sleep(0.002)  # noqa: ASYNC251 (that is the point)
                yield delta("Hello")
        finally:
            closed.set()

    with opened("GET", serve(made)) as stream:
        stream.take(1)
    assert closed.wait(10)
    assert said < 900


def test_a_thread_that_has_ended_is_not_stopped() -> None:
    """Its number comes again: the next reply in a thread of that number would be cancelled."""

    async def leave() -> None:
        pump = _IteratorThread(iter([final()]))
        pump._thread.join()  # and the event loop has not heard of it yet
        await pump.close()

    before = set(watchdog._watchdog._stopped)
    asyncio.run(leave())
    assert set(watchdog._watchdog._stopped) == before


def test_many_blocking_iterators(serve: Any) -> None:
    """Each has a thread: those of a shared pool would wait for each other."""
    ready = threading.Barrier(40)

    def made() -> Iterator[Any]:
        ready.wait(20)
        yield final()

    url = serve(made)
    got: list[list[str]] = []
    threads = [threading.Thread(target=lambda: got.append(kinds(read(url)))) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [["panel_final"]] * 40


# --- one terminal event a panel, whatever happens ---

FAULTS: dict[str, tuple[Any, ...]] = {
    "forgets it": (),
    "raises": (RuntimeError("a secret"),),
    "raises what ends loops": (StopIteration("a secret"),),
    "raises GeneratorExit": (GeneratorExit("a secret"),),
    "is cancelled by itself": (asyncio.CancelledError("a secret"),),
    "yields nonsense": (42,),
    "yields None": (None,),
    "yields an event without a kind": ({"panel_id": "a"},),
    "yields an event without a panel": ({"event": "panel_delta", "delta": "x"},),
    "yields a delta without a text": ({"event": "panel_delta", "panel_id": "a"},),
    "yields a text that is none": (delta(None),),
    "yields half a character": (delta("\ud83d"),),
    "yields what is no JSON": (delta("x") | {"more": object()},),
    "yields a panel of no name": (delta("x", ["a"]),),
}


@pytest.mark.parametrize("fault", list(FAULTS))
@BOTH
def test_an_application_that_fails(serve: Any, of: Any, fault: str, caplog: pytest.LogCaptureFixture) -> None:
    with opened("GET", serve(of(delta("Hello"), *FAULTS[fault]))) as stream:
        got = stream.rest()
    assert kinds(got) == ["panel_delta", "panel_error"]
    assert numbers(got) == [1, 2]
    end = got[-1].data
    assert (end["panel_id"], end["content"], end["code"]) == ("a", "Hello", "interrupted")
    assert end["message"] == {"role": "assistant", "content": "Hello", "partial": True}
    assert set(end) <= set(msgmodel.PanelError.__annotations__)
    assert b"a secret" not in stream.raw


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_an_iterator_that_would_end_the_process(serve: Any, error: Any, servers: dict[str, Uvicorn]) -> None:
    """It ends its own thread; the server is everybody's."""
    with Uvicorn(APPLICATIONS["fastapi"]) as server:  # its own, lest it really ends
        path = serve(blocking(delta("Hello"), error("a secret"))).rpartition("/")[2]
        assert kinds(read(f"{server.url}/{path}")) == ["panel_delta", "panel_error"]
        assert request("GET", f"{server.url}/ping").text == "pong"


@BOTH
def test_an_error_of_the_library_is_shown(serve: Any, of: Any) -> None:
    got = read(serve(of(StreamingError("words for people"))))
    assert [(event.data["panel_id"], event.data["error"]) for event in got] == [("", "words for people")]


@BOTH
def test_an_application_that_says_nothing(serve: Any, of: Any) -> None:
    got = read(serve(of()))
    assert [(event.kind, event.data["panel_id"]) for event in got] == [("panel_error", "")]


@BOTH
def test_nothing_comes_after_a_terminal_event(serve: Any, of: Any) -> None:
    got = read(serve(of(delta("Hello"), final(), delta("more"), final(), delta("other", "b"), final("b"))))
    assert [(event.kind, event.data["panel_id"]) for event in got] == [
        ("panel_delta", "a"),
        ("panel_final", "a"),
        ("panel_delta", "b"),
        ("panel_final", "b"),
    ]
    assert numbers(got) == [1, 2, 3, 4]


@BOTH
def test_a_summary_comes_last(serve: Any, of: Any) -> None:
    summary = {"event": "batch_final", "panel_id": None}
    got = read(serve(of(delta("x", "a"), delta("y", "b"), final("a"), summary)))
    assert [(event.kind, event.data["panel_id"]) for event in got][2:] == [
        ("panel_final", "a"),
        ("panel_error", "b"),
        ("batch_final", None),
    ]


def test_errors_are_fit_for_a_browser(serve: Any, provider: ScriptedProvider) -> None:
    provider.say(Reply(error=401))
    with opened("GET", serve(lambda: msgmodel.astream_panels("openai", "hi"))) as stream:
        (end,) = stream.rest()
    assert (end.kind, end.data["code"]) == ("panel_error", "authentication")
    assert KEY.encode() not in stream.raw


@BOTH
def test_no_internal_name_reaches_a_browser(serve: Any, of: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The same rule as the server's, for events and for what an iterator raises."""
    text = "the connection to llm.corp.example:8080 broke in the middle of the reply: reset"
    privacy = {"provider": "openai", "endpoint": "llm.corp.example", "local": False}
    opaque = {"provider": "openai", "wire": "openai_responses", "host": "llm.corp.example", "data": {}}
    error = {"event": "panel_error", "panel_id": "b", "error": text}
    message = {"role": "assistant", "content": [{"type": "reasoning", "text": "", "opaque": opaque}]}
    got = read(serve(of(final() | {"privacy": privacy, "message": message}, error, StreamingError(text))))
    public_text = "the connection to the provider broke in the middle of the reply"
    public_message = {
        "role": "assistant",
        "content": [{"type": "reasoning", "text": "", "opaque": opaque | {"host": "private server"}}],
    }
    public_final = final() | {"privacy": privacy | {"endpoint": "private server"}, "message": public_message}
    assert [event.data for event in got] == [public_final, error | {"error": public_text}]
    assert caplog.text.count(text) == 2
    raised = read(serve(of(delta("x"), StreamingError(text))))
    assert raised[-1].data["error"] == public_text


# --- an EventSource that comes back ---


@pytest.mark.parametrize("position", ["1", "17", "nonsense", "-1", "9" * 5000])
@pytest.mark.parametrize("ask", ["async", "sync"])
def test_coming_back_asks_nobody(serve: Any, provider: ScriptedProvider, ask: str, position: str) -> None:
    provider.say("Hello")
    before = len(provider.requests)
    with opened("GET", serve(lambda: ASK[ask]("openai")), headers={"last-event-id": position}) as stream:
        (end,) = stream.rest()
    assert (end.kind, end.data["code"]) == ("panel_error", "interrupted")
    if position in ("1", "17"):
        assert end.id == int(position) + 1
    assert len(provider.requests) == before


def test_tokens_are_the_applications_own(serve: Any) -> None:
    """What is in a request is not looked at, but for the position."""
    with opened("GET", serve(asynchronous(final())), headers=bearer("x") | {"origin": "http://elsewhere"}) as stream:
        assert kinds(stream.rest()) == ["panel_final"]
