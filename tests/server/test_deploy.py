"""Several workers behind nginx, with Redis, as examples/deploy has them: real processes and real kills."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx2
import pytest

from msgmodel.testing import Reply, ScriptedProvider
from msgmodel.testing.server import Pause, Received, Script

pytest.importorskip("redis")
pytest.importorskip("uvicorn")

_spec = importlib.util.spec_from_file_location(
    "one_machine", Path(__file__).parents[2] / "examples" / "deploy" / "one_machine.py"
)
assert _spec is not None
assert _spec.loader is not None
one_machine: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(one_machine)

pytestmark = [
    pytest.mark.skipif(bool(one_machine.missing()), reason=f"not installed: {', '.join(one_machine.missing())}"),
    pytest.mark.timeout(180),
]

GRACE_SECONDS = 3
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
Event = tuple[int, dict[str, Any]]

# The example's configuration on a faster clock, as the worker's heartbeat here is 1 s and not 15; with what some put
# into theirs: all types compressed.
NGINX = {
    "proxy_read_timeout 60s;": "proxy_read_timeout 3s;",
    "gzip_types application/json text/css text/javascript;": "gzip_types *;",
}


def text(pieces: int) -> str:
    return "".join(f"{number} " for number in range(pieces))


def answer(request: Received) -> Reply | Script:
    """As the prompt says: pieces, pieces a second, and how long the provider is silent before half of them."""
    pieces, speed, silence = map(float, request.json["messages"][-1]["content"].split())
    said = [f"{number} " for number in range(int(pieces))]
    script = Reply("".join(said), pieces=said, speed=speed).script("openai_chat")
    half = len(script.steps) // 2
    return Script(steps=(*script.steps[:half], Pause(silence), *script.steps[half:]))


@pytest.fixture(scope="module")
def provider() -> Iterator[ScriptedProvider]:
    with ScriptedProvider() as provider:
        provider.say(answer)
        yield provider


@contextmanager
def deployment(
    folder: Path, provider: ScriptedProvider, nginx: dict[str, str], options: Sequence[str] = ()
) -> Iterator[Any]:
    common = ["--provider", "openai", "--grace", str(GRACE_SECONDS)]
    with one_machine.Deployment(
        folder, nginx=nginx, options=[*common, *options], environment=provider.environment()
    ) as deployed:
        yield deployed


@pytest.fixture(scope="module")
def deployed(provider: ScriptedProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with deployment(
        tmp_path_factory.mktemp("deployed"), provider, nginx=NGINX, options=["--heartbeat", "1"]
    ) as deployed:
        yield deployed


@pytest.fixture(scope="module")
def client() -> Iterator[httpx2.Client]:
    with httpx2.Client(trust_env=False, timeout=httpx2.Timeout(10.0, read=90.0)) as client:
        yield client


@pytest.fixture(autouse=True)
def _every_worker_is_up(deployed: Any) -> Iterator[None]:
    yield
    for number, worker in enumerate(deployed.workers):
        if worker.poll() is not None:
            deployed.start_worker(number)
            deployed.wait(deployed.url_of(number))


def ask(client: httpx2.Client, url: str, pieces: int, speed: float, silence: float = 0, **headers: str) -> Any:
    return client.stream("POST", f"{url}/v1/panels", json={"prompt": f"{pieces} {speed} {silence}"}, headers=headers)


def rest(client: httpx2.Client, url: str, id: str, after: int) -> Any:
    return client.stream("GET", f"{url}/v1/streams/{id}", headers={"last-event-id": str(after)})


def events(response: httpx2.Response) -> Iterator[Event]:
    """What a response says until its end, however it ends."""
    assert response.status_code == 200, response.read()
    number = 0
    try:
        for line in response.iter_lines():
            if line.startswith("id: "):
                number = int(line[4:])
            elif line.startswith("data: "):
                yield number, json.loads(line[6:])
    except httpx2.HTTPError:
        pass


def joined(found: list[Event]) -> str:
    """The deltas, which must be numbered without a gap, and end in a terminal event that has the same text."""
    assert [number for number, _ in found] == list(range(1, len(found) + 1))
    *deltas, (_, last) = found
    assert {event["event"] for _, event in deltas} == {"panel_delta"}
    said = "".join(event["delta"] for _, event in deltas)
    assert last["content"] == said
    return said


class Reading(threading.Thread):
    """Reads a stream to its end while something else is done; with `again`, also after a broken connection."""

    def __init__(self, client: httpx2.Client, url: str, id: str, again: bool = False) -> None:
        super().__init__(daemon=True)
        self.found: list[Event] = []
        self.connections = 0
        self._client, self._url, self._id, self._again = client, url, id, again
        self.start()

    def run(self) -> None:
        while not self.connections or (self._again and not self.ended and self.connections < 50):
            self.connections += 1
            after = self.found[-1][0] if self.found else 0
            try:
                with rest(self._client, self._url, self._id, after) as response:
                    if response.status_code == 200:
                        self.found.extend(events(response))
            except httpx2.HTTPError:
                pass
            time.sleep(0.1)

    @property
    def ended(self) -> bool:
        return bool(self.found) and self.found[-1][1]["event"] in ("panel_final", "panel_error")

    def wait_for(self, count: int) -> None:
        until = time.monotonic() + 20.0
        while len(self.found) < count:
            assert time.monotonic() < until, f"{len(self.found)} events of {count}"
            time.sleep(0.02)

    def all(self) -> list[Event]:
        self.join(40.0)
        assert self.ended, self.found[-1:]
        return self.found


def busy(client: httpx2.Client, deployed: Any, streams: int = 1) -> tuple[int, int, int]:
    """The worker that produces the only streams there are, and the two others."""
    until = time.monotonic() + 10.0
    while True:
        counts = [client.get(f"{deployed.url_of(number)}/healthz").json()["streams"] for number in range(3)]
        if sorted(counts) == [0, 0, streams]:
            producer = counts.index(streams)
            others = [number for number in range(3) if number != producer]
            return producer, others[0], others[1]
        assert time.monotonic() < until, counts
        time.sleep(0.05)


def test_a_killed_producer(deployed: Any, client: httpx2.Client) -> None:
    """A reader elsewhere, or one that comes back, has every piece that had arrived, and reads of the interruption."""
    with ask(client, deployed.url, 2000, 40.0) as response:
        id = response.headers["x-stream-id"]
        said = events(response)
        own = [next(said) for _ in range(20)]
        producer, other, _ = busy(client, deployed)
        elsewhere = Reading(client, deployed.url_of(other), id)
        through_nginx = Reading(client, deployed.url, id, again=True)
        elsewhere.wait_for(60)
        deployed.workers[producer].send_signal(signal.SIGKILL)
        seen = len(elsewhere.found)
        killed = time.monotonic()
        own += said
    found = elsewhere.all()
    assert time.monotonic() - killed < 15.0
    assert found[-1][1]["event"] == "panel_error"
    assert (found[-1][1]["code"], found[-1][1]["retryable"]) == ("interrupted", True)
    assert joined(found) == text(len(found) - 1)
    assert len(found) > seen >= 60
    assert through_nginx.all() == found
    assert own == found[: len(own)]
    with rest(client, deployed.url, id, len(own)) as response:
        assert own + list(events(response)) == found


def test_a_reader_whose_connection_breaks_twenty_times(deployed: Any, client: httpx2.Client) -> None:
    found: list[Event] = []
    with ask(client, deployed.url, 400, 60.0) as response:
        id = response.headers["x-stream-id"]
        said = events(response)
        found += [next(said) for _ in range(3)]
    for number in range(20):
        with rest(client, deployed.url, id, len(found)) as response:
            said = events(response)
            found += [next(said) for _ in range(10 + number % 5)]
            if number % 2:
                stream = response.extensions["network_stream"].get_extra_info("socket")
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    with rest(client, deployed.url, id, len(found)) as response:
        found += events(response)
    assert joined(found) == text(400)
    assert found[-1][1]["event"] == "panel_final"


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_silent_provider_behind_nginx(encoding: str, deployed: Any, client: httpx2.Client) -> None:
    """The first bytes and every piece come at once, and a silence longer than nginx's limit ends nothing."""
    asked = time.monotonic()
    headers = {"accept-encoding": encoding}
    with ask(client, deployed.url, 20, 10.0, 5.0, **headers) as response:
        assert response.headers.get("content-encoding", "identity") == encoding
        lines = response.iter_lines()
        assert next(lines) == ": msgmodel"
        assert time.monotonic() - asked < 1.0
        came = [(time.monotonic() - asked, line[6:]) for line in lines if line.startswith("data: ")]
    assert "".join(json.loads(line)["delta"] for _, line in came[:-1]) == text(20)
    assert json.loads(came[-1][1])["event"] == "panel_final"
    gaps = [after - before for (before, _), (after, _) in pairwise(came)]
    assert came[0][0] < 1.5
    assert max(gaps) == pytest.approx(5.0, abs=1.0)
    assert sorted(gaps)[-2] < 1.0  # none was held back with the next


def test_a_stop_through_another_worker(deployed: Any, client: httpx2.Client, provider: ScriptedProvider) -> None:
    hangups = len(provider.server.hangups)
    with ask(client, deployed.url, 2000, 20.0) as response:
        said = events(response)
        found = [next(said) for _ in range(10)]
        _, other, _ = busy(client, deployed)
        stopped = time.monotonic()
        address = f"{deployed.url_of(other)}/v1/streams/{response.headers['x-stream-id']}"
        assert client.delete(address).status_code == 204
        found += said
    assert time.monotonic() - stopped < 3.0
    assert (found[-1][1]["event"], found[-1][1]["code"]) == ("panel_error", "cancelled")
    assert joined(found) == text(len(found) - 1)
    provider.server.wait_hangup(count=hangups + 1)


def test_a_worker_that_is_told_to_end(deployed: Any, client: httpx2.Client) -> None:
    """What ends within the grace is complete, the rest is interrupted; new streams go to the others at once."""
    first = deployed.url_of(0)
    with (
        ask(client, first, 30, 20.0) as short,
        ask(client, first, 2000, 20.0) as long,
        ask(client, deployed.url_of(1), 180, 20.0) as elsewhere,
    ):
        reading = Reading(client, first, elsewhere.headers["x-stream-id"])  # through the one that ends
        reading.wait_for(5)
        told = time.monotonic()
        deployed.workers[0].send_signal(signal.SIGTERM)
        for _ in range(3):
            with ask(client, deployed.url, 2, 20.0) as response:
                assert joined(list(events(response))) == text(2)
        short_found, long_found = list(events(short)), list(events(long))
        ended = time.monotonic() - told
        assert deployed.workers[0].wait(20.0) in (0, -signal.SIGTERM)  # uvicorn's way to say why
        left = time.monotonic() - told
        assert (short_found[-1][1]["event"], joined(short_found)) == ("panel_final", text(30))
        last = long_found[-1][1]
        assert (last["event"], last["code"], last["error"]) == (
            "panel_error",
            "interrupted",
            "the server was shut down",
        )
        assert joined(long_found) == text(len(long_found) - 1)
        assert GRACE_SECONDS - 0.5 < ended < GRACE_SECONDS + 4
        assert left < GRACE_SECONDS + 5  # and not only when uvicorn's patience ends
        reading.join(10.0)
        with rest(client, deployed.url, elsewhere.headers["x-stream-id"], len(reading.found)) as response:
            assert joined([*reading.found, *events(response)]) == text(180)


@pytest.mark.skipif("MSGMODEL_SLOW_TESTS" not in os.environ, reason="takes more than a minute: MSGMODEL_SLOW_TESTS=1")
def test_a_minute_of_silence_at_full_scale(tmp_path: Path, provider: ScriptedProvider, client: httpx2.Client) -> None:
    """The worker as it is, behind a proxy that gives up after half a minute."""
    edits = {"proxy_read_timeout 60s;": "proxy_read_timeout 30s;"}
    with deployment(tmp_path, provider, nginx=edits) as real, ask(client, real.url, 20, 10.0, 61.0) as response:
        assert joined(list(events(response))) == text(20)
