"""The application within another one, and how it ends: by the signals that a process gets."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

import serving
from msgmodel.server import Settings, create_app, mounted_lifespan
from msgmodel.testing import Reply, ScriptedProvider
from serving import Serving, Uvicorn, exchange, kinds, opened, request, wait_for

module_provider, provider = serving.module_provider, serving.provider  # fixtures

PARENTS = {
    "alone": """
from msgmodel.server import Settings, create_app
app = create_app(Settings(grace_seconds=1.0))
prefix = ""
""",
    "fastapi": """
from fastapi import FastAPI
from msgmodel.server import Settings, create_app, mounted_lifespan
llm = create_app(Settings(grace_seconds=1.0))
app = FastAPI(lifespan=mounted_lifespan(llm))
app.mount("/llm", llm)
""",
    "own-lifespan": """
from contextlib import asynccontextmanager
from fastapi import FastAPI
from msgmodel.server import Settings, create_app, mounted_lifespan
llm = create_app(Settings(grace_seconds=1.0))
@asynccontextmanager
async def lifespan(app):
    async with mounted_lifespan(llm)(app):
        yield
app = FastAPI(lifespan=lifespan)
app.mount("/llm", llm)
""",
}


def ask(url: str, **how: Any) -> Any:
    return opened("POST", f"{url}/v1/panels", json={"prompt": "hi"}, **how)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("parent", PARENTS)
def test_streams_of_a_mounted_application_end(
    tmp_path: Path, provider: ScriptedProvider, parent: str, number: int
) -> None:
    """With uvicorn's defaults, which wait for open answers without end."""
    if parent != "alone":
        pytest.importorskip("fastapi")
    (tmp_path / "parent.py").write_text(PARENTS[parent])
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}" + ("" if parent == "alone" else "/llm")
    provider.say(Reply("Hello there", stall_after=1))
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "parent:app", "--port", str(port)],
        cwd=tmp_path,
        env=os.environ | provider.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: answers(url), 60.0)
        with ask(url) as stream:
            stream.take(1)
            process.send_signal(number)
            (end,) = stream.rest()
        assert (end.kind, end.data["code"], end.data["content"]) == ("panel_error", "interrupted", "Hello")
        process.wait(20)
    finally:
        process.kill()
        process.wait()


def answers(url: str) -> bool:
    try:
        return request("GET", f"{url}/healthz").status_code == 200
    except httpx2.HTTPError:
        return False


def test_a_lifespan_that_does_not_run_is_said_once(
    provider: ScriptedProvider, caplog: pytest.LogCaptureFixture
) -> None:
    provider.say("Hello")
    llm = create_app()
    for lifespan, said in ((mounted_lifespan(llm), 0), (None, 1)):
        llm.state.msgmodel._in_lifespan = False
        llm.state.msgmodel.streams.closing = False
        with Uvicorn(Starlette(routes=[Mount("/llm", llm)], lifespan=lifespan)) as server:
            for _ in range(2):
                with ask(f"{server.url}/llm") as stream:
                    stream.rest()
        found = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
        assert len([each for each in found if "mounted_lifespan" in each]) == said


@pytest.mark.parametrize(
    "signals",
    [
        (signal.SIGTERM, signal.SIGINT),
        (signal.SIGTERM, signal.SIGTERM),
        (signal.SIGINT, signal.SIGTERM),
        (signal.SIGINT, signal.SIGINT),
    ],
    ids=str,
)
def test_a_second_signal_ends_every_stream_with_its_terminal_event(
    tmp_path: Path, provider: ScriptedProvider, signals: tuple[int, ...]
) -> None:
    """At once, however long the grace is."""
    provider.say(Reply("Hello there", stall_after=1))
    with Serving(tmp_path, provider, "--grace", "60") as server, ExitStack() as stack:
        streams = [stack.enter_context(ask(server.url)) for _ in range(20)]
        for stream in streams:
            stream.take(1)
        began = time.monotonic()
        for number in signals:
            server.process.send_signal(number)
            time.sleep(0.05)
        for stream in streams:
            (end,) = stream.rest()
            assert (end.kind, end.data["code"]) == ("panel_error", "interrupted")
        server.process.wait(20)
        assert time.monotonic() - began < 20
        assert "Traceback" not in server.said


def test_a_reader_that_does_not_read_holds_up_no_end(tmp_path: Path, provider: ScriptedProvider) -> None:
    """Longer than it takes to tell it, however long the grace is."""
    provider.say(Reply("x" * 6_000_000, pieces=["x" * 6_000_000]))
    with Serving(tmp_path, provider, "--grace", "60") as server, socket.socket() as silent:
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        silent.connect(("127.0.0.1", server.port))
        silent.sendall(b"GET /chat/stream?prompt=hi HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert silent.recv(12) == b"HTTP/1.1 200"
        time.sleep(0.5)
        began = time.monotonic()
        for _ in range(2):
            server.process.send_signal(signal.SIGINT)
            time.sleep(0.2)
        server.process.wait(30)
        assert time.monotonic() - began < 30
        assert "Traceback" not in server.said


# --- where it is mounted ---


@pytest.fixture(params=["", "/llm", "/a/b", "/{tenant}"])
def mounted(request: pytest.FixtureRequest, provider: ScriptedProvider) -> Iterator[str]:
    """The address of an application, mounted there or not."""
    llm = create_app(Settings(grace_seconds=0.0))
    app = llm
    if request.param:
        app = Starlette(routes=[Mount(request.param, llm)], lifespan=mounted_lifespan(llm))
    with Uvicorn(app) as server:
        yield server.url + request.param.replace("{tenant}", "%E2%82%AC%0D%0Ax-evil:%20%22%C3%A9%25")


ELSEWHERE = {"origin": "https://elsewhere.example", "sec-fetch-site": "cross-site"}


def test_a_link_to_the_page_may_come_from_anywhere(mounted: str) -> None:
    assert request("GET", f"{mounted}/", headers=ELSEWHERE).status_code in (200, 404)  # 404: it is not built
    for path in ("/v1/providers", "/chat/stream?prompt=hi", "//", "/openapi.json"):
        assert request("GET", f"{mounted}{path}", headers=ELSEWHERE).status_code == 403, path


def test_health_is_asked_by_any_name(mounted: str) -> None:
    for path in ("/healthz", "/readyz"):
        assert request("GET", f"{mounted}{path}", headers={"host": "10.0.0.7:8000"}).status_code == 200
    assert request("GET", f"{mounted}/v1/providers", headers={"host": "10.0.0.7:8000"}).status_code == 421


def test_a_stream_says_where_it_is(mounted: str, provider: ScriptedProvider) -> None:
    provider.say("Hello")
    with ask(mounted) as stream:
        assert kinds(stream.rest()) == ["panel_delta", "panel_final"]
        location = stream.response.headers["location"]
    assert "x-evil" not in stream.response.headers
    assert location.startswith("/")
    port = int(mounted.split(":")[2].split("/")[0])
    answer = exchange(port, f"GET {location} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode())
    assert b" 200 OK" in answer.partition(b"\r\n")[0]
    assert b"Hello" in answer
