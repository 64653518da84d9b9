"""Each command on a pseudo-terminal, as a user sees it: tables, code alone, files, tools, the Tab key of a shell."""

import json
import os
import shlex
import shutil
import sys

import pytest
from test_cli import COMMAND, PNG, PROMPT_IS_READY, Shell, Terminal, shell
from test_tool_options import SERVER, call, say

from msgmodel.cli import exits
from msgmodel.testing.server import Script

__all__ = ["shell"]

CODE = "Here it is:\n\n```python\nprint('hi')\n```\n\nRun it."


def shown(shell: Shell, *arguments: str, columns: int = 100, code: int = 0) -> str:
    """What a command shows on a terminal, after it has ended as expected."""
    with Terminal(shell, *arguments, columns=columns) as terminal:
        assert terminal.ended() == code, terminal.text
        return terminal.text


@pytest.mark.parametrize("columns", [40, 100])
def test_models(shell: Shell, columns: int) -> None:
    entries = [{"id": "a/b", "context_length": 200_000}, {"id": "evil\x1b]0;title\x07"}]
    shell.server.say(Script.json(200, {"data": entries}))
    with Terminal(shell, "models", "openai", columns=columns) as terminal:
        assert terminal.ended() == 0
    assert "a/b" in terminal.text
    assert "evil" in terminal.text
    assert "\x1b]0;" not in terminal.raw, "a model's name sets no title"


def test_keys_config_and_logs(shell: Shell) -> None:
    with Terminal(shell, "keys", "set", "anthropic") as terminal:
        terminal.expect("not shown): ")
        terminal.type("sk-other-0123456789\r")
        assert terminal.ended() == 0
        assert "sk-other" not in terminal.raw
    assert "anthropic" in shown(shell, "keys", "list")
    assert shown(shell, "config", "set", "max-tokens", "77")
    assert "77" in shown(shell, "config", columns=40)
    shown(shell, "logs", "on")
    shell.say("The sea is salty.")
    shown(shell, "Why?")
    assert "Why?" in shown(shell, "logs", "salty", columns=40)
    assert "The sea is salty." in shown(shell, "logs", "show")
    with Terminal(shell, "logs", "delete") as terminal:
        terminal.expect("[y/N]: ")
        terminal.type("y\r")
        assert terminal.ended() == 0
    assert "the log is on, and empty" in shown(shell, "logs")
    shown(shell, "keys", "remove", "anthropic")
    assert "anthropic" not in shown(shell, "keys", "list")


def test_code_alone(shell: Shell) -> None:
    shell.say(CODE)
    assert shown(shell, "-x", "greet") == "print('hi')\n"
    shell.say("No code \x1b[2J here.")
    told = shown(shell, "-x", "greet", code=exits.NO_CODE)
    assert "the reply has no block of code" in told
    assert "\x1b[2J" not in told


def test_an_object(shell: Shell) -> None:
    shell.say('{"name": "Ada"}')
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    assert json.loads(shown(shell, "--schema", json.dumps(schema), "Who?")) == {"name": "Ada"}
    shell.say('{"name": 3}')
    assert "name" in shown(shell, "--schema", json.dumps(schema), "Who?", code=exits.NO_OBJECT)


def test_a_pattern_of_files(shell: Shell) -> None:
    for name in ("a.png", "b.png"):
        (shell.folder / name).write_bytes(PNG)
    shell.say("Two dots.")
    assert "Two dots." in shown(shell, "-f", "*.png", "What are these?")
    kinds = [part["type"] for part in shell.sent()["messages"][-1]["content"]]
    assert kinds == ["image_url", "image_url", "text"]


def test_a_tool_of_an_mcp_server_is_approved(shell: Shell) -> None:
    pytest.importorskip("mcp")
    say(shell, call("add", a=1, b=2), "Three.")
    server = shlex.join([sys.executable, str(SERVER), "stdio"])
    with Terminal(shell, "--api", "chat", "--mcp", server, "add") as terminal:
        assert '"a": 1' in terminal.expect("Approve? [y/N] ")
        terminal.type("y\r")
        terminal.expect("Three.")
        assert terminal.ended() == 0
    assert shell.sent()["messages"][-1]["content"] == "3"


def test_no_color(shell: Shell) -> None:
    """NO_COLOR takes the colors away, and nothing of the text."""
    shell.env["NO_COLOR"] = "1"
    shell.say(CODE)
    with Terminal(shell, "greet") as terminal:
        assert terminal.ended() == 0
    assert "print('hi')" in terminal.text
    assert "\x1b[3" not in terminal.raw, "no color of the foreground"
    assert "\x1b[4" not in terminal.raw.replace("\x1b[4m", ""), "nor of the background"


def test_a_long_paste_is_one_question(shell: Shell) -> None:
    """Bracketed paste: the lines do not become turns."""
    lines = [f"line {number}" for number in range(300)]
    shell.say("Read.")
    with Terminal(shell, "chat") as terminal:
        terminal.expect(PROMPT_IS_READY)
        terminal.type("\x1b[200~" + "\r".join(lines) + "\x1b[201~")
        terminal.expect("line 299")
        terminal.type("\r")
        terminal.expect("Read.")
        terminal.expect(PROMPT_IS_READY)
        terminal.type("\x04")
        assert terminal.ended() == 0
    assert [request.json["messages"][-1]["content"] for request in shell.server.requests] == ["\n".join(lines)]


@pytest.mark.parametrize(
    ("name", "load"),
    [
        ("bash", ". ./script"),
        ("zsh", "autoload -Uz compinit; compinit -u; . ./script"),
        ("fish", "source ./script"),
    ],
)
def test_the_tab_key_of_a_shell(shell: Shell, name: str, load: str) -> None:
    """The real shell on a terminal, with the program under its name."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"there is no {name}")
    program = shell.folder / "msgmodel"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(COMMAND)} "$@"\n')
    program.chmod(0o755)
    (shell.folder / "script").write_text(shell.run("completion", name).out)
    shell.env |= {"PATH": f"{shell.folder}{os.pathsep}{shell.env['PATH']}", "PS1": "$ ", "INPUTRC": "/dev/null"}
    bare = {"bash": ["--norc", "--noprofile", "-i"], "zsh": ["-f", "-i"], "fish": ["--no-config", "-i"]}[name]
    with Terminal(shell, *bare, command=[found]) as terminal:
        terminal.type(f"{load}; echo rea''dy\r")
        terminal.expect("ready")
        for typed, completed in (("msgmodel comple\t", "tion"), (" ba\t", "sh")):
            terminal.type(typed)
            terminal.expect(typed.rstrip("\t") + completed)
