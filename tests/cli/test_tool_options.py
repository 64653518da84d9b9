"""`--tool module:function` and `--mcp`: what this program runs, and that it asks before it does."""

import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from test_cli import PROMPT_IS_READY, Shell, Terminal, shell

from msgmodel.cli import exits
from msgmodel.testing import Reply

__all__ = ["shell"]

MODULE = '''
"""Tools of the user."""

def delete(path: str) -> str:
    """Delete a file."""
    with open("effects.txt", "a") as file:
        file.write(path + "\\n")
    return f"deleted {path}"

number = 3
'''
SERVER = Path(__file__).parents[1] / "tools" / "mcp_server.py"


@pytest.fixture
def tooled(shell: Shell) -> Shell:
    (shell.folder / "mine.py").write_text(MODULE)
    return shell


def say(shell: Shell, *answers: Any) -> None:
    replies = [answer if isinstance(answer, Reply) else Reply(answer) for answer in answers]
    shell.server.say(*(reply.script("openai_chat") for reply in replies))


def call(name: str, **arguments: Any) -> Reply:
    return Reply("Let me see.", tool_calls=[{"id": "c1", "name": name, "arguments": arguments}])


def effects(shell: Shell) -> str:
    path = shell.folder / "effects.txt"
    return path.read_text() if path.exists() else ""


@pytest.mark.parametrize(("typed", "ran"), [("y\r", True), ("\r", False), ("\x03", False)])
@pytest.mark.parametrize("command", ["chat", "ask"])
def test_the_user_is_asked_before_a_call(tooled: Shell, command: str, typed: str, ran: bool) -> None:
    say(tooled, call("delete", path="/drafts"), "Done.")
    options = ["--api", "chat", "--tool", "mine:delete", *(["clean up"] if command == "ask" else [])]
    with Terminal(tooled, command, *options) as terminal:
        if command == "chat":
            terminal.expect(PROMPT_IS_READY)
            terminal.type("clean up\r")
        shown = terminal.expect("Approve? [y/N] ")
        assert shown.count("Let me see.") == 1 or "Let me see." in shown
        assert "asks to run delete" in shown
        assert effects(tooled) == ""
        terminal.type(typed)
        terminal.expect("Done.")
        if command == "chat":
            terminal.expect(PROMPT_IS_READY)
            terminal.type("\x04")
        assert terminal.ended() == 0
    assert effects(tooled) == ("/drafts\n" if ran else "")
    answer = tooled.sent()["messages"][-1]
    assert answer["role"] == "tool"
    assert answer["content"] == ("deleted /drafts" if ran else "the user refused this call")


def test_without_a_terminal_nothing_runs_unasked(tooled: Shell) -> None:
    say(tooled, call("delete", path="/drafts"), "I may not.")
    run = tooled.run("--api", "chat", "--tool", "mine:delete", "clean up")
    assert run.code == 0
    assert "tool delete: refused: the user refused this call: there is no terminal" in run.err
    assert effects(tooled) == ""


def test_all_calls_may_be_allowed(tooled: Shell) -> None:
    say(tooled, call("delete", path="/drafts"), "Done.")
    run = tooled.run("--api", "chat", "--tool", "mine:delete", "--allow-tools", "clean up")
    assert (run.code, run.out) == (0, "Let me see.\n\nDone.\n")
    assert "tool delete: done" in run.err
    assert effects(tooled) == "/drafts\n"


def test_an_mcp_server(tooled: Shell) -> None:
    pytest.importorskip("mcp")
    say(tooled, call("add", a=1, b=2), "Three.")
    server = shlex.join([sys.executable, str(SERVER), "stdio"])
    run = tooled.run("--api", "chat", "--mcp", server, "--allow-tools", "add", "--json")
    assert run.code == 0
    assert '"result": "3"' in run.out
    assert tooled.sent()["messages"][-1]["content"] == "3"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--tool", "absent:delete"], "--tool absent:delete can't be imported: ModuleNotFoundError"),
        (["--tool", "mine:absent"], "--tool mine:absent can't be imported: AttributeError"),
        (["--tool", "mine.py:delete"], "a module has dots and no ending: --tool mine:delete"),
        (["--tool", "./my/mine.py:delete"], "--tool my.mine:delete"),
        (["--tool", "delete"], "name a function of yours as module:function"),
        (["--tool", "mine:number"], "--tool mine:number must be a function, not 3"),
        (["--mcp", "no-such-command-at-all"], "the MCP server 'no-such-command-at-all' can't be used"),
    ],
)
def test_what_can_not_be_used_is_said(tooled: Shell, options: list[str], words: str) -> None:
    if "--mcp" in options:
        pytest.importorskip("mcp")
    say(tooled, "Hi")
    run = tooled.run(*options, "Hi")
    assert run.code == exits.CONFIGURATION
    assert words in run.err
    assert tooled.server.requests == []
