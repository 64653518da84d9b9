"""MCP servers that others wrote: mcp-server-time of PyPI, and @modelcontextprotocol/server-everything of npm."""

from __future__ import annotations

import asyncio
import shlex
import sys
from importlib.util import find_spec
from typing import Any

import pytest
from tool_runs import Event, call, check_grammar, results

from clients import install
from msgmodel import arun_tools, mcp_tools
from msgmodel.testing import Reply, ScriptedProvider

EVERYTHING = install.CLIENTS / "node_modules" / "@modelcontextprotocol" / "server-everything" / "dist" / "index.js"


def run(provider: ScriptedProvider, server: str, calls: list[Any], **options: Any) -> list[Event]:
    provider.say(Reply(tool_calls=calls), "Done.")

    async def read() -> list[Event]:
        async with mcp_tools(server, timeout=100) as tools:
            stream = arun_tools("anthropic", "Go", config=provider.config("anthropic"), tools=tools, **options)
            return [dict(event) async for event in stream]

    events = asyncio.run(read())
    check_grammar(events)
    assert events[-1]["status"] == "complete"
    return events


@pytest.mark.skipif(find_spec("mcp_server_time") is None, reason="mcp-server-time is not installed")
def test_the_time_server(provider: ScriptedProvider) -> None:
    calls = [
        call("c1", "get_current_time", timezone="Europe/Lisbon"),
        call("c2", "get_current_time", timezone="Mars"),
        call("c3", "get_current_time"),
    ]
    found = {each[0]: each[1:] for each in results(run(provider, f"{sys.executable} -m mcp_server_time", calls))}
    assert found["c1"][0] == "done"
    assert '"timezone": "Europe/Lisbon"' in found["c1"][1]
    assert found["c2"][0] == "failed"
    assert "Mars" in (found["c2"][2] or "")
    assert found["c3"][0] == "not_run"


@pytest.mark.skipif(not EVERYTHING.is_file(), reason="the package of npm is not in build/clients")
def test_the_server_with_everything(provider: ScriptedProvider) -> None:
    """An image, progress, and a question to the user, by the protocol of 2025."""

    async def approve(pending: Any) -> Any:
        return {"arguments": {"name": "Ann"}} if pending["reason"] == "question" else True

    calls = [
        call("c1", "get-sum", a=1, b=2),
        call("c2", "get-tiny-image"),
        call("c3", "trigger-long-running-operation", duration=1, steps=2),
        call("c4", "trigger-elicitation-request"),
    ]
    events = run(provider, shlex.join([str(install.node()), str(EVERYTHING), "stdio"]), calls, approve=approve)
    found = {each[0]: each[1:] for each in results(events)}
    assert found["c1"] == ("done", "The sum of 1 and 2 is 3.", None)
    assert "image" in [part["type"] for part in found["c2"][1]]
    assert b'"type":"image"' in provider.requests[-1].body.replace(b": ", b":")
    assert [each["delta"] for each in events if each["event"] == "panel_tool_progress"] == ["1 of 2\n", "2 of 2\n"]
    assert "Name: Ann" in found["c4"][1]
