"""The user's guide: every Python snippet in it runs unchanged. Skipped where the guide is not there."""

from __future__ import annotations

import ast
import inspect
import io
import json
import re
import textwrap
import threading
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import uvicorn

import msgmodel
from conftest import KEY, SHARED
from msgmodel.testing import wires as replies
from msgmodel.testing.server import Script, ScriptedServer

GUIDE = SHARED / "guide" / "stream_panels_guide.md"

pytestmark = pytest.mark.skipif(not GUIDE.is_file(), reason="the guide is not here")


def snippets() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", GUIDE.read_text("utf-8"), re.S | re.M) if GUIDE.is_file() else []


def containing(text: str) -> str:
    (snippet,) = [snippet for snippet in snippets() if text in snippet]
    return snippet


@pytest.fixture
def providers(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ScriptedServer]]:
    """A scripted server for each provider, found by the official variables."""
    with ScriptedServer() as openai, ScriptedServer() as anthropic:
        openai.say(Script.body(replies.reply("openai_chat", ["Once ", "upon a time"], finish="length")))
        anthropic.say(Script.body(replies.reply("anthropic", ["Very ", "small"], finish="max_tokens")))
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", openai.url + "/v1")
        monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", anthropic.url)
        yield {"openai": openai, "anthropic": anthropic}


def run(snippet: str, **names: Any) -> dict[str, Any]:
    space: dict[str, Any] = {"__name__": "__main__", **names}
    exec(compile(snippet, str(GUIDE), "exec", dont_inherit=True), space)
    return space


def test_all_snippets_are_known() -> None:
    assert len(snippets()) == 11


def test_quick_start(providers: dict[str, ScriptedServer], capsys: pytest.CaptureFixture[str]) -> None:
    run(containing('stream_panels("openai", "Tell me a story")'))
    assert capsys.readouterr().out == "Once upon a time\n\nFinish reason: length\n"


@pytest.mark.parametrize("name", ["panel_delta", "panel_final", "panel_error"])
def test_events_have_the_keys_and_types_of_the_guide(name: str, server: ScriptedServer) -> None:
    literal = containing(f'"event": "{name}"')
    documented: dict[str, Any] = ast.literal_eval(re.sub(r"^\s*\.\.\.$", "", literal, flags=re.M).strip())
    answer = (
        Script.json(401, {"error": {"message": "no"}})
        if name == "panel_error"
        else Script.body(replies.reply("openai_chat", ["Hello"]))
    )
    server.say(answer)
    config = msgmodel.OpenAIConfig(base_url=server.url)
    event: Any = next(e for e in msgmodel.stream_panels("openai", "hi", KEY, config=config) if e["event"] == name)
    assert documented.keys() <= event.keys()
    assert {key: type(event[key]) for key in documented} == {key: type(value) for key, value in documented.items()}
    assert documented.get("privacy", {}).keys() <= event.get("privacy", {}).keys()
    assert re.fullmatch("[0-9a-f]{8}", event["panel_id"])


def test_truncation_warning(providers: dict[str, ScriptedServer], capsys: pytest.CaptureFixture[str]) -> None:
    run(containing("def stream_with_truncation_warning"))
    assert capsys.readouterr().out == (
        "Once upon a time\n\n⚠️ **Response truncated** - the model reached the token limit."
    )
    assert providers["openai"].requests[0].json["max_tokens"] == 100


def test_async(providers: dict[str, ScriptedServer], capsys: pytest.CaptureFixture[str]) -> None:
    run(containing("asyncio.run(chat_response"))
    assert capsys.readouterr().out == "Very small\n[Response was truncated]\n"


def test_full_chat_application(
    providers: dict[str, ScriptedServer], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("Hello\nquit\n"))
    run(containing("def chat_loop"))
    assert "Assistant: Once upon a time\n⚠️  [Response was truncated due to token limit]" in capsys.readouterr().out


def test_fastapi(providers: dict[str, ScriptedServer]) -> None:
    application = run(containing("from fastapi import FastAPI"))["app"]
    server = uvicorn.Server(uvicorn.Config(application, port=0, log_level="critical"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            threading.Event().wait(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        body = httpx2.post(f"http://127.0.0.1:{port}/chat/stream?prompt=Hello", trust_env=False).text
    finally:
        server.should_exit = True
        thread.join()
    events = [json.loads(line.removeprefix("data: ")) for line in body.split("\n\n") if line]
    assert [event["event"] for event in events] == ["panel_delta", "panel_delta", "panel_final"]
    assert events[-1]["finish_reason"] == "length"


def test_custom_panel_ids(providers: dict[str, ScriptedServer]) -> None:
    run(containing("import uuid"), stream_panels=msgmodel.stream_panels, prompt="hi")
    assert len(providers["openai"].requests) == 1


def test_migration(providers: dict[str, ScriptedServer], capsys: pytest.CaptureFixture[str]) -> None:
    run(
        containing("# Before (stream)"),
        stream=msgmodel.stream,
        stream_panels=msgmodel.stream_panels,
        prompt="hi",
    )
    assert capsys.readouterr().out == "Once upon a timeOnce upon a time\n[Truncated]\n"


def test_signature() -> None:
    """The API reference, name by name."""
    documented = ast.parse(textwrap.dedent(containing("def stream_panels(")).rstrip() + ": ...").body[0]
    assert isinstance(documented, ast.FunctionDef)
    names = [argument.arg for argument in documented.args.args]
    defaults = [ast.literal_eval(default) for default in documented.args.defaults]
    for function in (msgmodel.stream_panels, msgmodel.astream_panels):
        ours = list(inspect.signature(function).parameters.values())[:12]
        assert [parameter.name for parameter in ours] == names
        assert [parameter.default for parameter in ours[-len(defaults) :]] == defaults
