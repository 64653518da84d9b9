"""MCP servers, each a process of the official SDK: over standard input and output, and over HTTP."""

from __future__ import annotations

import asyncio
import json
import shlex
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tool_runs import Event, call, check_grammar, results

from msgmodel import ConfigurationError, RunnableTool, arun_tools, mcp_tools, run_tools
from msgmodel.testing import Reply, ScriptedProvider
from serving import wait_for

pytest.importorskip("mcp")

SERVER = Path(__file__).parent / "mcp_server.py"
COMMAND = shlex.join([sys.executable, str(SERVER), "stdio"])


async def read(run: Any) -> list[Event]:
    events = [dict(event) async for event in run]
    check_grammar(events)
    return events


def start(provider: ScriptedProvider, tools: list[RunnableTool], wire: str = "openai_chat", **options: Any) -> Any:
    name = "anthropic" if wire == "anthropic" else "openai"
    return arun_tools(name, "Go", config=provider.config(wire), tools=tools, max_retries=0, **options)


def start_http_server(port: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(SERVER), "http", str(port)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@asynccontextmanager
async def connect(way: str, **options: Any) -> AsyncGenerator[list[RunnableTool], None]:
    """The tools of a server, started for this test."""
    if way == "stdio":
        async with mcp_tools(COMMAND, **options) as tools:
            yield tools
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = start_http_server(port)

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        await asyncio.to_thread(wait_for, listens, 60)
        async with mcp_tools(f"http://127.0.0.1:{port}/mcp", **options) as tools:
            yield tools
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("way", ["stdio", "http"])
def test_the_tools_of_a_server_run(provider: ScriptedProvider, way: str) -> None:
    """Results, an image that the model sees, progress, an error, and wrong arguments; names that providers take."""
    calls = [
        call("c1", "t_add", a=1, b=2),
        call("c2", "t_files_picture_get"),
        call("c3", "t_count"),
        call("c4", "t_fail"),
        call("c5", "t_add", a="one"),
    ]
    provider.say(Reply(tool_calls=calls), "Done.")

    async def run() -> list[Event]:
        async with connect(way, prefix="t_") as tools:
            return await read(start(provider, tools, "anthropic"))

    events = asyncio.run(run())
    found = {each[0]: each[1:] for each in results(events)}
    assert found["c1"] == ("done", "3", None)
    assert found["c2"][:1] == ("done",)
    assert [part["type"] for part in found["c2"][1]] == ["text", "image"]
    assert found["c3"] == ("done", "counted", None)
    assert [each["delta"] for each in events if each["event"] == "panel_tool_progress"] == ["1 of 2\n", "2 of 2\n"]
    assert found["c4"][0] == "failed"
    assert "Error executing tool fail" in (found["c4"][2] or "")
    assert found["c5"][0] == "not_run"
    sent = json.dumps(provider.requests[-1].json)
    assert '"media_type": "image/png"' in sent
    names = [tool["name"] for tool in provider.requests[0].json["tools"]]  # type: ignore[index,call-overload]
    assert {"t_add", "t_files_picture_get"} <= set(names)


def test_leaving_cancels_the_call_on_the_server(provider: ScriptedProvider, tmp_path: Path) -> None:
    path = tmp_path / "wait.txt"
    provider.say(Reply(tool_calls=[call("c1", "wait", path=str(path))]), "Done.")

    async def run() -> list[Event]:
        async with connect("stdio") as tools:
            events = await read(start(provider, tools, tool_timeout=3))
            await asyncio.to_thread(wait_for, lambda: path.exists() and path.read_text() == "canceled", 20)
            return events

    assert results(asyncio.run(run())) == [("c1", "failed", None, "the function did not end within 3 seconds")]


@pytest.mark.parametrize("way", ["stdio", "http"])
def test_a_server_that_dies_ends_its_calls_as_failed(provider: ScriptedProvider, way: str, tmp_path: Path) -> None:
    """The run goes on, and so does the task that made the connection."""
    calls = [call("c1", "wait", path=str(tmp_path / "w")), call("c2", "die")]
    provider.say(Reply(tool_calls=calls), Reply(tool_calls=[call("c3", "add", a=1, b=2)]), "Done.")

    async def run() -> list[Event]:
        async with connect(way) as tools:
            events = await read(start(provider, tools, tool_timeout=20))
            await asyncio.sleep(0)
            return events

    events = asyncio.run(run())
    assert {each[:2] for each in results(events)} == {("c1", "failed"), ("c2", "failed"), ("c3", "failed")}
    assert events[-1]["status"] == "complete"


@pytest.mark.parametrize(
    ("decision", "result"),
    [
        ({"arguments": {"name": "Ann"}}, "Hello Ann"),
        (False, "no name: decline"),
        (True, "no name: decline"),
        (None, "no name: cancel"),
    ],
)
def test_a_question_of_the_server_is_an_approval(provider: ScriptedProvider, decision: Any, result: str) -> None:
    asked: list[Any] = []

    async def approve(pending: Any) -> Any:
        if pending["reason"] == "approval":
            return True
        asked.append(pending)
        return decision

    provider.say(Reply(tool_calls=[call("c1", "greet")]), "Done.")

    async def run() -> list[Event]:
        async with connect("stdio") as tools:
            return await read(start(provider, tools, approve=None if decision is None else approve))

    assert results(asyncio.run(run())) == [("c1", "done", result, None)]
    if decision is not None:
        (question,) = asked
        assert (question["id"], question["reason"], question["message"]) == ("c1", "question", "What is your name?")
        assert "name" in question["answer_schema"]["properties"]


def test_a_server_sees_no_key(provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    calls = [call("c1", "variable", name="OPENAI_API_KEY"), call("c2", "variable", name="MINE")]
    provider.say(Reply(tool_calls=calls), "Done.")

    async def run() -> list[Event]:
        async with connect("stdio", environment={"MINE": "yes"}, only=["variable"]) as tools:
            assert [tool.name for tool in tools] == ["variable"]
            return await read(start(provider, tools))

    assert sorted(results(asyncio.run(run()))) == [("c1", "done", "not set", None), ("c2", "done", "yes", None)]


@pytest.mark.parametrize(
    ("server", "options", "words"),
    [
        ("no-such-command-at-all", {}, "can't be used: FileNotFoundError"),
        ([sys.executable, "-c", "pass"], {}, "can't be used"),
        ([sys.executable, "-c", "import time; time.sleep(60)"], {"timeout": 0.5}, "no answer within 0.5 seconds"),
        ("http://127.0.0.1:9/mcp", {}, "can't be used"),
        (COMMAND, {"only": ["absent"]}, "only: the server has no tool 'absent'"),
        ("", {}, "server must be a command"),
        ("http://127.0.0.1:9/mcp", {"environment": {}}, "environment is for a command"),
        (COMMAND, {"headers": {}}, "environment is for a command, and headers are for a URL"),
    ],
)
def test_a_server_that_can_not_be_used(server: Any, options: Any, words: str) -> None:
    async def use() -> None:
        async with mcp_tools(server, **options):
            pass

    with pytest.raises(ConfigurationError, match=words):
        asyncio.run(use())


def test_a_blocking_run_calls_a_server(provider: ScriptedProvider) -> None:
    provider.say(Reply(tool_calls=[call("c1", "add", a=1, b=2), call("c2", "count")]), "Done.")
    with mcp_tools(COMMAND) as tools:
        events: list[Any] = list(run_tools("openai", "Go", config=provider.config("openai_chat"), tools=tools))
    check_grammar(events)
    assert sorted(results(events)) == [("c1", "done", "3", None), ("c2", "done", "counted", None)]
    assert [each["delta"] for each in events if each["event"] == "panel_tool_progress"] == ["1 of 2\n", "2 of 2\n"]


def test_a_blocking_connection_that_fails_is_said() -> None:
    with pytest.raises(ConfigurationError, match="can't be used"), mcp_tools("no-such-command-at-all"):
        pass
