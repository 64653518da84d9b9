"""The compared servers: how to start and use each, and in which versions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.request import ProxyHandler, build_opener

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "examples" / "deploy"))

from one_machine import free_port  # noqa: E402
from peers.install import python  # noqa: E402

STARTING_SECONDS = 180.0
ENDING_SECONDS = 5.0

_open = build_opener(ProxyHandler({})).open  # never by a proxy
_CHAT = json.dumps({"model": "gpt-6-luna", "messages": [{"role": "user", "content": "go"}], "stream": True})
_PANELS = json.dumps({"prompt": "go", "panels": [{"provider": "openai"}]})


class Relay(NamedTuple):
    """How to start and use a server. `command` takes a directory for its files, the provider's base URL, and a port."""

    title: str
    command: Callable[[Path, str, int], list[str]]
    environment: str
    packages: tuple[str, ...]
    """Of that environment in build/peers, or of ours, whose versions matter."""
    path: str = "/v1/chat/completions"
    body: str = _CHAT
    prints_port: bool = False
    health: str = "/"
    same_as: str = ""
    """The server whose other endpoint this is."""


def _serve(folder: Path, url: str, port: int) -> list[str]:
    options = ["--max-streams", "100000", "--on-disconnect", "cancel", "--provider", "openai"]
    return [sys.executable, "-m", "msgmodel", "serve", "--port", str(port), *options]


def _litellm(folder: Path, url: str, port: int) -> list[str]:
    config = folder / "litellm.json"  # JSON is YAML
    model = {"model": "openai/gpt-6-luna", "api_base": url, "api_key": "none-is-needed-here"}
    written = {
        "model_list": [{"model_name": "gpt-6-luna", "litellm_params": model}],
        "litellm_settings": {"set_verbose": False, "telemetry": False},
    }
    config.write_text(json.dumps(written), "utf-8")
    command = [str(python("litellm-proxy").with_name("litellm")), "--config", str(config)]
    return [*command, "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]


def _small(name: str) -> Callable[[Path, str, int], list[str]]:
    return lambda folder, url, port: [str(python("relay")), str(HERE / f"{name}.py"), url]


_SERVER = ("uvicorn", "uvloop", "starlette")
_OURS = ("msgmodel", *_SERVER)
RELAYS = {
    "msgmodel": Relay("`msgmodel serve`", _serve, "", _OURS, "/v1/panels", _PANELS, health="/readyz"),
    "msgmodel-openai": Relay(
        "`msgmodel serve`, as OpenAI's API",
        _serve,
        "",
        _OURS,
        body=_CHAT.replace("gpt-6-luna", "openai/gpt-6-luna"),
        same_as="msgmodel",
    ),
    "starlette": Relay(
        "Starlette, bytes passed through", _small("starlette_bytes"), "relay", ("aiohttp", *_SERVER), prints_port=True
    ),
    "fastapi-openai": Relay(
        "FastAPI and the openai SDK",
        _small("fastapi_openai"),
        "relay",
        ("fastapi", "openai", *_SERVER),
        prints_port=True,
    ),
    "litellm-proxy": Relay(
        "LiteLLM's proxy", _litellm, "litellm-proxy", ("litellm", "aiohttp", *_SERVER), health="/health/liveliness"
    ),
}
STARTED = [name for name, relay in RELAYS.items() if not relay.same_as]


class Server(NamedTuple):
    """A running server: its process, and how to use it."""

    pid: int
    port: int
    path: str
    body: str


class Servers:
    """The running servers, each until it is started again."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder, self._url = folder, url
        self._stacks: dict[str, ExitStack] = {}
        self._servers: dict[str, Server] = {}

    def __getitem__(self, name: str) -> Server:
        relay = RELAYS[name]
        return self._servers[relay.same_as or name]._replace(path=relay.path, body=relay.body)

    def start(self, name: str) -> None:
        """Start a server, and end the one that ran before."""
        if name in self._stacks:
            self._stacks[name].close()
        stack = self._stacks[name] = ExitStack()
        self._servers[name] = stack.enter_context(_running(RELAYS[name], self._folder, self._url))

    def close(self) -> None:
        for stack in self._stacks.values():
            stack.close()


@contextmanager
def running(command: list[str], log: Path, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run a process with pipes, and end it afterwards."""
    with log.open("w") as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, **environment},
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(ENDING_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def _running(relay: Relay, folder: Path, url: str) -> Iterator[Server]:
    port = free_port()
    environment = {
        "OPENAI_BASE_URL": url,
        "OPENAI_API_KEY": "none-is-needed-here",
        "NO_PROXY": "127.0.0.1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # it asks the internet for prices otherwise
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_LOG": "ERROR",
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",  # as ours: on loopback, for whoever asks
    }
    log = folder / "server.log"
    with running(relay.command(folder, url, port), log, environment) as process:
        assert process.stdout is not None
        if relay.prints_port:
            port = int(process.stdout.readline() or 0)
        if not _answers(f"http://127.0.0.1:{port}{relay.health}"):
            raise SystemExit(f"{relay.title} does not come up:\n{log.read_text('utf-8')[-2000:]}")
        yield Server(process.pid, port, relay.path, relay.body)


def _answers(url: str) -> bool:
    """Wait until there is any response; return False if there is none for too long."""
    until = time.monotonic() + STARTING_SECONDS
    while time.monotonic() < until:
        try:
            _open(url, timeout=5.0).close()
            return True
        except OSError as error:
            if hasattr(error, "code"):  # an HTTPError
                return True
            time.sleep(0.1)
    return False


def versions(name: str) -> dict[str, str]:
    """Return the versions of the packages of a relay."""
    relay = RELAYS[name]
    interpreter = python(relay.environment) if relay.environment else sys.executable
    code = "import sys, importlib.metadata as m; print(*map(m.version, sys.argv[1:]))"
    command = [str(interpreter), "-c", code, *relay.packages]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return dict(zip(relay.packages, said.split(), strict=True))
