"""What all tests share: no keys from outside, a scripted provider, and one way to ask in both colours."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import pytest
from hypothesis import HealthCheck, settings

import msgmodel
from msgmodel import AnthropicConfig, GeminiConfig, LLMResponse, OpenAIConfig, PanelEvent
from msgmodel.providers import PROVIDERS
from msgmodel.testing import ScriptedProvider
from msgmodel.testing.server import ScriptedServer

T = TypeVar("T")

KEY = "sk-planted-4f7d1c9e2b8a"
"""The key of every test: it must not appear in anything that comes out."""

PROVIDER = {
    "openai_chat": "openai",
    "openai_responses": "openai",
    "anthropic": "anthropic",
    "gemini": "gemini",
}

# The same inputs each time, and no limit of time: a test that fails at random, or on a busy machine, proves nothing.
settings.register_profile(
    "repeatable",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("repeatable")

SHARED = Path(__file__).parents[2] / "shared"


def config(wire: str, url: str, **fields: Any) -> msgmodel.ProviderConfig:
    """The config that sends a wire's requests to a server on loopback."""
    if wire == "openai_chat":
        return OpenAIConfig(base_url=f"{url}/v1", **fields)
    if wire == "openai_responses":
        return OpenAIConfig(base_url=f"{url}/v1", api="responses", **fields)
    if wire == "anthropic":
        return AnthropicConfig(base_url=url, **fields)
    return GeminiConfig(base_url=url, **fields)


class Sync:
    """Asks by the blocking functions."""

    name = "sync"

    def panels(self, *args: Any, **kwargs: Any) -> list[PanelEvent]:
        return list(msgmodel.stream_panels(*args, **kwargs))

    def texts(self, *args: Any, **kwargs: Any) -> list[str]:
        return list(msgmodel.stream(*args, **kwargs))

    def query(self, *args: Any, **kwargs: Any) -> LLMResponse:
        return msgmodel.query(*args, **kwargs)

    def close(self) -> None: ...


class Async:
    """Asks by the async functions, all on one event loop, as a server would."""

    name = "async"

    def __init__(self) -> None:
        self._runner = asyncio.Runner()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def panels(self, *args: Any, **kwargs: Any) -> list[PanelEvent]:
        async def collect() -> list[PanelEvent]:
            return [event async for event in msgmodel.astream_panels(*args, **kwargs)]

        return self.run(collect())

    def texts(self, *args: Any, **kwargs: Any) -> list[str]:
        async def collect() -> list[str]:
            return [text async for text in msgmodel.astream(*args, **kwargs)]

        return self.run(collect())

    def query(self, *args: Any, **kwargs: Any) -> LLMResponse:
        async def ask() -> LLMResponse:
            return await msgmodel.aquery(*args, **kwargs)

        return self.run(ask())

    def close(self) -> None:
        self._runner.close()


class SyncByHTTPX2(Sync):
    """Over a client that was handed in, which is the way through proxies too."""

    name = "sync-httpx2"

    def __init__(self) -> None:
        self._client = httpx2.Client()

    def panels(self, *args: Any, **kwargs: Any) -> list[PanelEvent]:
        return super().panels(*args, http_client=self._client, **kwargs)

    def close(self) -> None:
        self._client.close()


class AsyncByHTTPX2(Async):
    """The same for asyncio."""

    name = "async-httpx2"

    def __init__(self) -> None:
        super().__init__()
        self._client = httpx2.AsyncClient()

    def panels(self, *args: Any, **kwargs: Any) -> list[PanelEvent]:
        return super().panels(*args, http_client=self._client, **kwargs)

    def close(self) -> None:
        self.run(self._client.aclose())
        super().close()


EVERY_WAY = {"sync": Sync, "async": Async, "sync-httpx2": SyncByHTTPX2, "async-httpx2": AsyncByHTTPX2}
"""Colours and transports."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: takes longer than ten seconds, so it begins first")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what httpx2 repeats, as it knows no wires, and let the long tests begin first."""

    def redundant(item: pytest.Item) -> bool:
        called: dict[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
        ways = {name for name in ("colour", "shared_colour") if called.get(name) in (SyncByHTTPX2, AsyncByHTTPX2)}
        return bool(ways) and called.get("wire", "openai_chat") != "openai_chat"

    items[:] = long_tests_first([item for item in items if not redundant(item)])


def pytest_collection_finish() -> None:
    """Spare the garbage collector the modules and the tests: each full collection would visit all of them."""
    gc.collect()
    gc.freeze()


def long_tests_first(items: list[pytest.Item]) -> list[pytest.Item]:
    """Put long tests at the start of each worker's share: if one began last, the other workers would wait for it.

    With `worksteal`, pytest-xdist gives each worker a block of the list (WorkStealingScheduling.check_schedule).
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    long = [item for item in items if item.get_closest_marker("long")]
    others = [item for item in items if not item.get_closest_marker("long")]
    ordered: list[pytest.Item] = []
    for number in range(workers):
        share = (len(items) - len(ordered)) // (workers - number)
        mine = long[number::workers][:share]
        ordered += [*mine, *others[: share - len(mine)]]
        del others[: share - len(mine)]
    left = set(ordered)
    return [*ordered, *(item for item in items if item not in left)]


def make_interruptible() -> None:
    """The programs that are started here would inherit an ignored or a blocked SIGINT.

    A shell starts the background jobs of a script with SIGINT ignored (POSIX, Shell Command Language, 2.11).
    """
    if signal.getsignal(signal.SIGINT) in (signal.SIG_IGN, None):
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


make_interruptible()


@pytest.fixture(autouse=True)
def interruptible() -> None:
    """A test before may have left it so."""
    make_interruptible()


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    with ScriptedProvider() as running:
        yield running


@pytest.fixture(params=[Sync, Async], ids=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> Iterator[Sync | Async]:
    chosen = request.param()
    yield chosen
    chosen.close()


@pytest.fixture
def runs(colour: Sync | Async, provider: ScriptedProvider) -> Any:
    """Runs of tools in both colours; see `tools/tool_runs.py`."""
    from tool_runs import Runs

    return Runs(colour, provider)


@pytest.fixture(scope="module", params=[Sync, Async], ids=["sync", "async"])
def shared_colour(request: pytest.FixtureRequest) -> Iterator[Sync | Async]:
    """`colour` for a whole module, where a loop a test would cost too much."""
    chosen = request.param()
    yield chosen
    chosen.close()


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


@pytest.fixture(scope="module")
def shared_server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No key, address, key file or setting from outside; requests on loopback go past any proxy."""
    for row in PROVIDERS.values():
        for variable in (*row.keys, row.base_url_variable, *row.header_variables.values()):
            if variable:
                monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("MSGMODEL_HOME", str(tmp_path / "kept"))
    monkeypatch.chdir(tmp_path)
