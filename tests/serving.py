"""What the tests of the server share: servers on free ports, a strict reader of their streams, and Redis."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2
import pytest
import uvicorn

from msgmodel.testing import ScriptedProvider

TOKENS = ("alice-0123456789abcdef", "bob-0123456789abcdef")
BUSY = 20.0
"""Seconds to wait for what must happen on a machine that does much else."""


def wait_for(holds: Callable[[], Any], seconds: float = BUSY, what: str = "") -> Any:
    """Waits until it holds; returns what it returned."""
    until = time.monotonic() + seconds
    while not (found := holds()):
        if time.monotonic() > until:
            raise TimeoutError(what or "it did not happen in time")
        time.sleep(0.01)
    return found


def retried(attempt: Callable[[], None], times: int = 3) -> None:
    """Runs what measures time; a busy machine may be late, but not always."""
    for left in reversed(range(times)):
        try:
            attempt()
            return
        except AssertionError:
            if not left:
                raise


# --- servers ---


class Uvicorn:
    """An ASGI application on a free port, in a thread of this process. It takes no signals."""

    def __init__(self, app: Any, **config: Any) -> None:
        config = {"host": "127.0.0.1", "port": 0, "log_level": "critical", "timeout_graceful_shutdown": 1} | config
        self.server = uvicorn.Server(uvicorn.Config(app, **config))
        self._thread = threading.Thread(target=self.server.run, name="uvicorn")

    def __enter__(self) -> Self:
        self._thread.start()
        wait_for(lambda: self.server.started or not self._thread.is_alive(), what="uvicorn did not start")
        self.port = self.server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.server.should_exit = True
        self._thread.join()


class Serving:
    """`msgmodel serve` as a process. `said` is all that it wrote."""

    def __init__(
        self, folder: Path, provider: ScriptedProvider | None, *options: str, prefix: tuple[str, ...] = (), **env: str
    ) -> None:
        self._file = folder / f"serve-{time.monotonic_ns()}.log"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MSGMODEL")}
        environment |= (provider.environment() if provider else {}) | env
        options = options if "--port" in options else (*options, "--port", "0")
        with self._file.open("wb") as log:
            self.process = subprocess.Popen(
                [*prefix, sys.executable, "-m", "msgmodel", "serve", *options],
                env=environment,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def __enter__(self) -> Self:
        try:
            address = wait_for(self._address, 60.0, "the server did not start")
        except TimeoutError:
            self.process.kill()
            raise
        assert address, self.said
        self.url = address[1]
        self.port = int(self.url.rpartition(":")[2])
        return self

    def _address(self) -> re.Match[str] | str | None:
        found = re.search(r"serves on (http://\S+:\d+)", self.said)
        return found or (None if self.process.poll() is None else "it ended")

    @property
    def said(self) -> str:
        return self._file.read_text("utf-8", "replace")

    def stop(self, number: int = signal.SIGINT) -> int:
        """Ctrl-C, or another signal; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(60)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def certificate(folder: Path, *more: str) -> tuple[Path, Path]:
    """A certificate of localhost that no authority has signed, and its key."""
    paths = folder / "certificate.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    written = ["-out", str(paths[0]), "-keyout", str(paths[1])]
    subprocess.run([*command.split(), *more, *written], check=True, capture_output=True)
    return paths


class TlsFront:
    """Takes TLS off for a server on this machine, connection by connection, as a load balancer does.

    What breaks TLS on a connection, or ends it, ends the one to the server.
    """

    def __init__(self, port: int, files: tuple[Path, Path]) -> None:
        self._port = port
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*files)
        self.faults: list[Exception] = []
        """What clients did that TLS forbids."""

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tls-front")
        self._thread.start()
        starting = asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=self._context)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result(BUSY)
        self.url = f"https://localhost:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *exc_info: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(BUSY)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._port)
        both = self._pump(reader, to_server), self._pump(from_server, writer)
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*both)

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                target.write(data)
                await target.drain()
        except ssl.SSLError as error:
            self.faults.append(error)
        except OSError:
            pass
        finally:
            target.transport.abort()


# --- readers ---


@dataclass(frozen=True)
class Event:
    """One event: its number, and what it says."""

    id: int
    data: dict[str, Any]

    @property
    def kind(self) -> str:
        return str(self.data["event"])


class Stream:
    """A response, read as strictly as the framing is promised."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        self.raw = b""
        self.comments = 0
        self.last = 0
        """The number of the last event."""
        self.progress: list[dict[str, Any]] = []
        """What came outside the numbering: progress alone."""
        self._chunks = response.iter_raw()
        self._frames = self._framed()

    def __iter__(self) -> Iterator[Event]:
        for frame in self._frames:
            if event := self._event(frame):
                yield event

    def frame(self) -> bytes:
        """The next frame, also where it is a comment."""
        return next(self._frames)

    def take(self, count: int) -> list[Event]:
        """So many events."""
        events = iter(self)
        return [next(events) for _ in range(count)]

    def rest(self) -> list[Event]:
        """All events until the end."""
        return list(self)

    def until(self, kind: str) -> Event:
        """The first event of that kind."""
        return next(event for event in self if event.kind == kind)

    def _framed(self) -> Iterator[bytes]:
        pending = b""
        for chunk in self._chunks:
            self.raw += chunk
            pending += chunk
            while (end := pending.find(b"\n\n")) >= 0:
                frame, pending = pending[:end], pending[end + 2 :]
                if frame.startswith(b":"):
                    self.comments += 1
                yield frame
        assert not pending, f"the body ended in the middle of an event: {pending!r}"

    def _event(self, frame: bytes) -> Event | None:
        assert b"\r" not in frame
        if not any(line.startswith(b"data:") for line in frame.split(b"\n")):
            return None  # a comment, or the number of an event that is still to come
        if frame.startswith(b"data:"):
            self.progress.append(json.loads(frame.removeprefix(b"data: ")))
            assert self.progress[-1]["event"] == "panel_progress"
            return None
        found = re.fullmatch(rb"id: (?:[A-Za-z0-9_-]{24}:)?(0|[1-9][0-9]*)\ndata: (\{[^\n]*\})", frame)
        assert found, frame
        text = found[2].decode()
        assert text.splitlines() == [text], frame
        self.last = int(found[1])
        return Event(self.last, json.loads(text))


_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Making one for each client would take longer than most requests."""


@contextmanager
def opened(method: str, url: str, *, timeout: float = BUSY, **request: Any) -> Iterator[Stream]:
    """A request, and its response as a stream. Leaving the context hangs up."""
    with (
        httpx2.Client(trust_env=False, verify=_NO_TLS, timeout=timeout) as client,
        client.stream(method, url, **request) as response,
    ):
        yield Stream(response)


def request(method: str, url: str, *, timeout: float = BUSY, **request: Any) -> httpx2.Response:
    """A request, and its whole response."""
    with httpx2.Client(trust_env=False, verify=_NO_TLS, timeout=timeout) as client:
        return client.request(method, url, **request)


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def numbers(events: list[Event]) -> list[int]:
    return [event.id for event in events]


def kinds(events: list[Event]) -> list[str]:
    return [event.kind for event in events]


def joined(events: list[Event], panel_id: str | None = None) -> str:
    """The text of all deltas, of one panel or of the only one."""
    return "".join(
        event.data["delta"]
        for event in events
        if event.kind == "panel_delta" and panel_id in (None, event.data["panel_id"])
    )


def exchange(port: int, data: bytes, *, seconds: float = 5.0, address: str = "127.0.0.1") -> bytes:
    """Sends exact bytes; what comes until the server closes, or is silent for so long."""
    with socket.create_connection((address, port), timeout=seconds) as connection:
        answer = b""
        try:
            connection.sendall(data)
            while chunk := connection.recv(65536):
                answer += chunk
        except OSError:
            pass
        return answer


# --- Redis ---


class Redis:
    """A redis-server of our own, on a free port; `pause` and `restart` are its faults."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self, *, keep: bool = False) -> None:
        """keep: with what was there before."""
        if not keep:
            for file in self._folder.glob("*.rdb"):
                file.unlink()
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        command += ["--save", "", "--appendonly", "no", "--daemonize", "no"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self._answers, what="Redis did not start")

    def _answers(self) -> bool:
        try:
            return self.ask("PING") == b"PONG"
        except OSError:
            return False

    def ask(self, *words: str) -> Any:
        """One command, on a connection of its own."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=BUSY) as connection:
            data = f"*{len(words)}\r\n" + "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
            connection.sendall(data.encode())
            with connection.makefile("rb") as file:
                return self._answer(file)

    def _answer(self, file: Any) -> Any:
        line = file.readline()
        kind, rest = line[:1], line[1:].strip()
        if kind == b"$":
            return None if rest == b"-1" else file.read(int(rest) + 2)[:-2]
        if kind in b"*":
            return [self._answer(file) for _ in range(int(rest))]
        if kind == b"-" or not kind:
            raise OSError(rest.decode() or "Redis closed the connection")
        return int(rest) if kind == b":" else rest

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Within, it is there and says nothing."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def restart(self, *, keep: bool) -> None:
        if keep:
            self.ask("SAVE")
        self.close()
        self.start(keep=keep)

    def close(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """One for all tests that don't hurt it."""
    if shutil.which("redis-server") is None:
        pytest.skip("there is no redis-server")
    pytest.importorskip("redis")
    server = Redis(tmp_path_factory.mktemp("redis"))
    yield server
    server.close()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[Redis]:
    """One for a test that hurts it."""
    if shutil.which("redis-server") is None:
        pytest.skip("there is no redis-server")
    pytest.importorskip("redis")
    server = Redis(tmp_path)
    yield server
    server.close()


# --- a client that can vanish ---


class Elsewhere:
    """Another host: a network namespace with a cable to this one, which can be cut."""

    def __init__(self) -> None:
        name = f"mm{os.getpid() % 10000}"
        self.name = name
        self._here, self._there = f"{name}a", f"{name}b"
        net = f"10.{os.getpid() % 200 + 10}.77"
        self.address, self._other = f"{net}.1", f"{net}.2"
        for command in (
            f"netns add {name}",
            f"link add {self._here} type veth peer name {self._there}",
            f"link set {self._there} netns {name}",
            f"addr add {self.address}/24 dev {self._here}",
            f"link set {self._here} up",
            f"-n {name} addr add {self._other}/24 dev {self._there}",
            f"-n {name} link set {self._there} up",
        ):
            self._ip(command)

    def _ip(self, command: str) -> None:
        subprocess.run(["ip", *command.split()], check=True, capture_output=True)

    def run(self, program: str, *arguments: str) -> subprocess.Popen[str]:
        """A Python program over there."""
        return subprocess.Popen(
            ["ip", "netns", "exec", self.name, sys.executable, "-c", program, *arguments],
            stdout=subprocess.PIPE,
            text=True,
        )

    def cut(self) -> None:
        """Nothing comes back from there any more, and no packet says so."""
        self._ip(f"-n {self.name} link set {self._there} down")

    def close(self) -> None:
        subprocess.run(["ip", "link", "del", self._here], capture_output=True)
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True)


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("a network namespace needs root, on Linux")
    try:
        found = Elsewhere()
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no network namespace here: {error.stderr.decode().strip()}")
    yield found
    found.close()


READER = """
import socket, sys, time
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])))
connection.sendall(sys.argv[3].encode())
print(connection.recv(65536).partition(b" ")[2][:3].decode(), flush=True)
time.sleep(60)
"""
"""Asks by exact bytes, says the status, and reads no more."""


# --- providers ---


@pytest.fixture(scope="module")
def module_provider() -> Iterator[ScriptedProvider]:
    with ScriptedProvider() as provider:
        yield provider


@pytest.fixture
def provider(module_provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch) -> ScriptedProvider:
    """A scripted provider in the place of all real ones; one for a module, as starting it costs more than a test."""
    for name, value in module_provider.environment().items():
        monkeypatch.setenv(name, value)
    return module_provider


# --- the server, with either log ---


@pytest.fixture(params=["memory", "redis"])
def serve(request: pytest.FixtureRequest, provider: ScriptedProvider) -> Iterator[Callable[..., Uvicorn]]:
    """Starts a server with these settings."""
    redis: Redis | None = request.getfixturevalue("redis_server") if request.param == "redis" else None
    with ExitStack() as stack:

        def start(**settings: Any) -> Uvicorn:
            from msgmodel.server import MemoryLog, Settings, create_app

            made = Settings(**{"grace_seconds": 1.0} | settings)  # at the end, streams that stall are not waited for
            log: Any = MemoryLog(ttl_seconds=made.ttl_seconds)
            if redis is not None:
                from msgmodel.server.redis_log import RedisLog

                log = RedisLog(redis.url, ttl_seconds=made.ttl_seconds)
            app = create_app(made, log)
            running = stack.enter_context(Uvicorn(app))
            running.log = log  # type: ignore[attr-defined]
            return running

        yield start
