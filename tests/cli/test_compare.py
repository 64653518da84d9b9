"""`msgmodel compare`: several models at once, in columns on a terminal and one after the other else."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from test_cli import KEY, Shell, Terminal, shell

from msgmodel.cli import exits
from msgmodel.testing import Reply, ScriptedProvider
from msgmodel.testing.server import Received

__all__ = ["shell"]

TEXTS = {
    "one": "The **first** answer.",
    "two": "The second answer,\n\n" + "\n".join(f"* line {number}" for number in range(40)),
}
PANELS = ("-p", "openai/one", "-p", "anthropic/two")


def answer(request: Received) -> Reply:
    body: Any = request.json
    if body["model"] == "cut":
        return Reply("Half a sen", truncated=True)
    if body["model"] == "wrong":
        return Reply(error=401)
    return Reply(TEXTS[body["model"]])


@pytest.fixture
def compared(shell: Shell) -> Iterator[Shell]:
    """The shell with a provider that answers by the name of the model."""
    with ScriptedProvider() as provider:
        provider.say(answer)
        shell.env |= provider.environment()
        yield shell


def test_lines_and_the_table(compared: Shell) -> None:
    (compared.folder / "a.txt").write_text("a file", "utf-8")
    done = compared.run("compare", *PANELS, "-p", "openai/cut", "-f", "a.txt", "Name", "a", "color")
    assert (done.code, done.err) == (0, "")
    assert f"--- openai/one: complete\n{TEXTS['one']}\n\n" in done.out
    assert f"--- anthropic/two: complete\n{TEXTS['two']}\n\n" in done.out
    assert "--- openai/cut: truncated: the reply was cut off at the token limit\nHalf a sen\n\n" in done.out
    *_, titles, one, two, cut = done.out.splitlines()
    assert titles.split() == ["model", "first", "text", "all", "tokens", "in", "out", "cost", "ending"]
    assert re.fullmatch(r"openai/one +\d+\.\d\d s +\d+\.\d\d s +\d+ +\d+ +(unknown|\$\S+) +complete", one)
    assert two.startswith("anthropic/two ")
    assert cut.endswith(" truncated")


def test_a_panel_that_fails(compared: Shell) -> None:
    done = compared.run("compare", "-p", "openai/one", "-p", "openai/wrong", "hi")
    assert done.code == exits.KEY
    assert f"--- openai/one: complete\n{TEXTS['one']}\n" in done.out
    assert "--- openai/wrong: authentication: " in done.out
    assert "`msgmodel keys set`" in done.out, "in words of the command line"


def test_json_of_all_panels(compared: Shell) -> None:
    done = compared.run("compare", *PANELS, "--json", "hi")
    assert [(last["panel_id"], last["content"]) for last in json.loads(done.out)] == [
        ("1", TEXTS["one"]),
        ("2", TEXTS["two"]),
    ]


def test_a_budget_for_all_replies(compared: Shell) -> None:
    """The price of a model must be known; both replies together cost at most the limit and a piece."""
    models = ("-p", "openai/gpt-4.1", "-p", "anthropic/claude-sonnet-4-5")
    with ScriptedProvider() as provider:
        provider.say(Reply("word " * 2000, pieces=["word "] * 2000))
        compared.env |= provider.environment()
        done = compared.run("compare", *models, "--max-cost", "0.004", "--json", "hi")
        ends = json.loads(done.out)
        assert {(last["status"], last["truncated_by"]) for last in ends} == {("truncated", "budget")}
        assert 0.003 < sum(last["cost"] for last in ends) < 0.0041
        refused = compared.run("compare", *PANELS, "--max-cost", "0.004", "hi")
        assert (refused.code, len(provider.requests)) == (exits.CONFIGURATION, 2)
        assert "max_cost needs the price of 'one'" in refused.err


def test_the_same_model_twice_and_the_log(compared: Shell) -> None:
    done = compared.run("compare", "-p", "openai/one", "-p", "openai/one", "--log", "hi")
    assert done.out.count("--- openai/one: complete") == 2
    assert len(json.loads(compared.run("logs", "--json").out)) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-p", "openai", "hi"), "at least two models"),
        (("-p", "openai", "-p", "nobody", "hi"), "there is no provider 'nobody'"),
        (("-p", "openai", "-p", "anthropic"), "there is no prompt"),
        (("-p", "openai", "-p", "anthropic", "-t", "0", "hi"), "--max-tokens must be"),
    ],
)
def test_wrong_comparisons(shell: Shell, arguments: tuple[str, ...], words: str) -> None:
    shell.env["ANTHROPIC_API_KEY"] = KEY
    done = shell.run("compare", *arguments)
    assert (done.code, words in done.err) == (exits.CONFIGURATION, True)
    assert shell.server.requests == []


@pytest.mark.parametrize("columns", [100, 40])
def test_columns_on_a_terminal(compared: Shell, columns: int) -> None:
    """Nothing is lost: the end shows each line, also those that the screen had no room for."""
    with Terminal(compared, "compare", *PANELS, "hi", columns=columns) as terminal:
        assert terminal.ended() == 0
    shown = terminal.text
    assert "The first answer." in shown
    last = shown[shown.rindex("The first answer.") :]
    assert re.findall(r"line \d+", last) == [f"line {number}" for number in range(40)]
    assert ("The second answer," in last.partition("\n")[0]) == (columns == 100)
    assert re.search("complete +│" if columns == 100 else "ending: complete", last)
    assert "…" not in last, "no cell is cut"


def test_ctrl_c_keeps_what_arrived(compared: Shell) -> None:
    with ScriptedProvider() as provider:
        provider.say(lambda request: Reply("Some of it.", stall_after=2) if b"two" in request.body else Reply("All."))
        compared.env |= provider.environment()
        with Terminal(compared, "compare", "-p", "openai/one", "-p", "openai/two", "hi") as terminal:
            terminal.expect("complete")
            terminal.expect("Some")
            terminal.type("\x03")
            assert terminal.ended() == exits.INTERRUPTED
    final = terminal.text[terminal.text.rindex("All.") :]
    assert "Some" in final
    assert "stopped by Ctrl-C" in terminal.text
    assert "cancelled" in final
