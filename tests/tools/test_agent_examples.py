"""The two example agents with approvals, in a terminal and on the web, run as their headers say."""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tool_runs import call, results

from msgmodel.testing import Reply, ScriptedProvider

EXAMPLES = Path(__file__).parents[2] / "examples"


def terminal(provider: ScriptedProvider, folder: Path, *arguments: str, stdin: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", str(EXAMPLES / "agent_terminal.py"), "openai", str(folder), *arguments]
    env = os.environ | provider.environment()
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, env=env)


def test_the_agent_in_the_terminal(provider: ScriptedProvider, tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "a.txt").write_text("Helo")
    provider.say(
        Reply(tool_calls=[call("c1", "list_files"), call("c2", "read_file", path="../secret.txt")]),
        Reply("I would correct it.", tool_calls=[call("c3", "write_file", path="a.txt", text="Hello")]),
        Reply("Then so.", tool_calls=[call("c4", "write_file", path="a.txt", text="Hello!")]),
        "It is corrected.",
    )
    ran = terminal(provider, folder, "Correct it", "task-1", stdin="Add a mark.\ny\n")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "[list_files: done]" in ran.stdout
    assert "[read_file: failed ValueError: the file is not in the folder]" in ran.stdout
    assert "[write_file: refused the user refused this call: Add a mark.]" in ran.stdout
    assert ran.stdout.endswith("[write_file: done]\n\n\nIt is corrected.\n")
    assert (folder / "a.txt").read_text() == "Hello!"
    (folder / "a.txt").write_text("changed since")
    again = terminal(provider, folder, "Correct it", "task-1", stdin="")
    assert again.returncode == 0
    assert (folder / "a.txt").read_text() == "changed since"
    provider.say(Reply(error=401))
    failed = terminal(provider, folder, "Correct it", stdin="")
    assert (failed.returncode, "check the key" in failed.stderr) == (1, True)


def test_the_agent_on_the_web(provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fastapi")
    pytest.importorskip("starlette")
    monkeypatch.setenv("STATE_KEY", "a secret of the server")
    for name, value in provider.environment().items():
        monkeypatch.setenv(name, value)
    app = runpy.run_path(str(EXAMPLES / "agent_fastapi.py"))["app"]
    mail = call("c1", "send_mail", to="ann@example.com", text="Hi")
    provider.say(Reply("I will write.", tool_calls=[mail]), "It is sent.")

    async def ask() -> list[Any]:
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:

            async def post(path: str, **options: Any) -> Any:
                response = await client.post(path, **options)
                lines = re.findall("^data: (.*)$", response.text, re.M)
                return [json.loads(line) for line in lines] if response.status_code == 200 else response.status_code

            first = await post("/run", params={"prompt": "Write to Ann"})
            state = first[-1]["run"]["state"]
            forged = await post("/decide", json={"state": "A" + state[1:], "decisions": {"c1": True}})
            wrong = await post("/decide", json={"state": state, "decisions": {"c9": True}})
            decided = [await post("/decide", json={"state": state, "decisions": {"c1": True}}) for _ in range(2)]
            return [first, forged, wrong, *decided]

    import asyncio

    first, forged, wrong, second, again = asyncio.run(ask())
    assert (first[-1]["status"], [each["name"] for each in first[-1]["run"]["pending"]]) == ("waiting", ["send_mail"])
    assert (forged, wrong) == (400, 400)
    assert results(second) == results(again) == [("c1", "done", "sent 2 characters to ann@example.com", None)]
    assert (second[-1]["status"], second[-1]["content"]) == ("complete", "It is sent.")
