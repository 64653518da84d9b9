"""`msgmodel chat`: its commands, approvals, the status line and completion; and `--continue`."""

import json
from pathlib import Path

import pytest
from test_cli import KEY, PROMPT_IS_READY, Shell, Terminal, reply, shell, user_text
from test_received_parts import body, done, text

from msgmodel.cli import exits
from msgmodel.testing.server import Script

__all__ = ["shell"]

REQUEST = {
    "type": "mcp_approval_request",
    "id": "mcpr_1",
    "server_label": "files",
    "name": "delete",
    "arguments": '{"path": "/drafts"}',
}


WHERE_IS_THE_CURSOR = "\x1b[6n"


def contents(shell: Shell, number: int = -1) -> list[str]:
    return [message["content"] for message in shell.sent(number)["messages"]]


# --- approvals ---


@pytest.mark.parametrize(("typed", "approved"), [("y\r", True), ("Yes\r", True), ("\r", False), ("n\r", False)])
@pytest.mark.parametrize("command", ["chat", "ask"])
def test_the_user_answers_an_approval(shell: Shell, command: str, typed: str, approved: bool) -> None:
    shell.server.say(body(done(0, REQUEST)), body(text("Done.")))
    with Terminal(shell, command, "--api", "responses", *(["clean up"] if command == "ask" else [])) as terminal:
        if command == "chat":
            terminal.expect(PROMPT_IS_READY)
            terminal.type("clean up\r")
        shown = terminal.expect("Approve? [y/N] ")
        assert "asks to run delete" in shown
        assert "/drafts" in shown, "the action is shown in full"
        terminal.type(typed)
        terminal.expect("Done.")
        if command == "chat":
            terminal.expect(PROMPT_IS_READY)
            terminal.type("\x04")
        assert terminal.ended() == 0
    request, answer = shell.sent()["input"][-2:]
    assert request["id"] == "mcpr_1"
    assert answer == {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": approved}


def test_ctrl_c_denies_all(shell: Shell) -> None:
    shell.server.say(body(done(0, REQUEST), done(1, {**REQUEST, "id": "mcpr_2"})), body(text("As you wish.")))
    with Terminal(shell, "--api", "responses", "clean up") as terminal:
        terminal.expect("Approve? [y/N] ")
        terminal.type("\x03")
        terminal.expect("As you wish.")
        assert terminal.ended() == 0
    answers = [item for item in shell.sent()["input"] if item["type"] == "mcp_approval_response"]
    assert [(answer["approval_request_id"], answer["approve"]) for answer in answers] == [
        ("mcpr_1", False),
        ("mcpr_2", False),
    ]


def test_without_a_terminal_nothing_is_approved(shell: Shell) -> None:
    shell.server.say(body(done(0, REQUEST), text("Shall I?")))
    run = shell.run("--api", "responses", "clean up", stdin=b"y\n")
    assert run.code == 0
    assert "asks for an approval to run: delete" in run.err
    assert len(shell.server.requests) == 1


# --- commands ---


def test_retry_edit_and_model(shell: Shell) -> None:
    shell.env["ANTHROPIC_API_KEY"] = KEY
    shell.say("Red.")
    shell.say("Blue.")
    shell.say("Apple.")
    shell.server.say(Script.body(reply("anthropic", ["Pear."])))
    lines = b"Name a color.\n/retry\n/edit Name a fruit.\n/model anthropic/claude-x\nAnother?\n/model\n"
    run = shell.run("chat", stdin=lines)
    assert (run.code, run.out) == (0, "Red.\nBlue.\nApple.\nPear.\n")
    assert run.err == "msgmodel: anthropic/claude-x answers\n" * 2
    assert [contents(shell, number) for number in range(3)] == [
        ["Name a color."],
        ["Name a color."],
        ["Name a fruit."],
    ]
    assert shell.sent()["model"] == "claude-x"
    assert len(shell.sent()["messages"]) == 3


def test_a_model_of_the_same_provider(shell: Shell) -> None:
    shell.say("One.")
    assert shell.run("chat", stdin=b"/model gpt-4o\nhi\n/retry o/gpt-4.1\n").code == 0
    assert [request.json["model"] for request in shell.server.requests] == ["gpt-4o", "gpt-4.1"]


def test_wrong_commands_cost_nothing(shell: Shell) -> None:
    run = shell.run("chat", stdin=b"/retry\n/edit\n/model anthropic\n/files none.txt\n/save\n/save /no/folder/x.md\n")
    assert (run.code, run.out) == (0, "")
    told = run.err.splitlines()
    assert "there is no question" in told[0]
    assert "no question to change" in told[1]
    assert "ANTHROPIC_API_KEY" in told[2], "the conversation stays with the model that can be asked"
    assert "there is no file none.txt" in told[3]
    assert "name the file" in told[4]
    assert "can't be written" in told[5]
    assert shell.server.requests == []


def test_files_of_one_question(shell: Shell) -> None:
    (shell.folder / "my notes.txt").write_text("Meet at ten.", "utf-8")
    shell.say("At ten.")
    run = shell.run("chat", stdin=b"/files 'my *.txt'\n/files\nWhen?\nSure?\n")
    assert run.err == "msgmodel: attached to the next question: my notes.txt\n" * 2
    first, second = (request.json["messages"] for request in shell.server.requests)
    assert "Meet at ten." in json.dumps(first[-1])
    assert second[-1]["content"] == "Sure?"


def test_save(shell: Shell) -> None:
    shell.say("Paris **is** it.")
    run = shell.run("chat", stdin=b"Capital?\n/save talk.md\n/save talk.json\n/save talk.md\n")
    assert (shell.folder / "talk.md").read_text() == "## You\n\nCapital?\n\n## Assistant\n\nParis **is** it.\n"
    kept = json.loads((shell.folder / "talk.json").read_text())
    assert [message["content"] for message in kept["messages"]] == ["Capital?", "Paris **is** it."]
    assert "talk.md exists already" in run.err


def test_a_path_is_a_question(shell: Shell) -> None:
    shell.say("A folder.")
    assert shell.run("chat", stdin=b"/usr/bin is what?\n").out == "A folder.\n"


def test_the_editor(shell: Shell) -> None:
    """The status line says who answers; Tab completes; /edit opens the last question."""
    del shell.env["PROMPT_TOOLKIT_NO_CPR"]  # the editor draws the line if the terminal says where the cursor is
    shell.say("Red.")
    with Terminal(shell, "chat", "-m", "gpt-4o") as terminal:
        terminal.expect(WHERE_IS_THE_CURSOR)
        terminal.type("\x1b[1;1R")
        terminal.expect("openai/gpt-4o")
        terminal.expect("0 questions")
        terminal.type("Name a colour\r")
        terminal.expect("Red.")
        terminal.expect(WHERE_IS_THE_CURSOR)
        terminal.type("\x1b[1;1R")
        terminal.expect("1 question")
        terminal.type("/ed\t")
        terminal.expect("it")
        terminal.type("\r")
        terminal.expect(WHERE_IS_THE_CURSOR)
        terminal.type("\x1b[1;1R")
        terminal.expect("Name a colour")
        terminal.type("\x7f\x7f\x7f\x7f\x7f\x7ffruit\r")
        terminal.expect("Red.")
        terminal.expect(WHERE_IS_THE_CURSOR)
        terminal.type("\x1b[1;1R")
        terminal.type("/model anth\t")
        terminal.expect("ropic")
        terminal.type("\x03\x04")
        assert terminal.ended() == 0
    assert contents(shell) == ["Name a fruit"]


# --- the last conversation ---


def test_go_on_with_the_last_conversation(shell: Shell) -> None:
    shell.say("It is Zebra.")
    with Terminal(shell, "-i", "Be brief.", "-m", "gpt-4o", "My cat is Zebra") as terminal:
        assert terminal.ended() == 0
    kept = shell.folder / "state" / "msgmodel" / "last-conversation.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert shell.run("-c", "What", "is it called").code == 0
    assert shell.run("chat", "--continue", stdin=b"Sure?\n").code == 0
    assert contents(shell) == [
        *("Be brief.", "My cat is Zebra", "It is Zebra."),
        *("What is it called", "It is Zebra.", "Sure?"),
    ]
    assert shell.sent()["model"] == "gpt-4o"
    shell.env["ANTHROPIC_API_KEY"] = KEY
    shell.server.say(Script.body(reply("anthropic", ["Zebra."])))
    assert shell.run("-c", "-p", "anthropic", "And now?").out == "Zebra.\n"
    assert len(shell.sent()["messages"]) == 7


def test_the_address_of_the_last_conversation_stays(shell: Shell) -> None:
    """Its turns go to no other server."""
    del shell.env["OPENAI_BASE_URL"]
    shell.say("Hello.")
    with Terminal(shell, "--base-url", shell.server.url + "/v1", "hi") as terminal:
        assert terminal.ended() == 0
    assert shell.run("-c", "Sure?").out == "Hello.\n"


@pytest.mark.parametrize(
    "held", [None, "", "{}", '{"conversation": {}, "base_url": null, "api": null, "log_id": "", "is_broken": false}']
)
def test_no_conversation_to_continue(shell: Shell, held: str | None) -> None:
    if held is not None:
        path = shell.folder / "state" / "msgmodel" / "last-conversation.json"
        path.parent.mkdir(parents=True)
        path.write_text(held)
    run = shell.run("-c", "Sure?")
    assert run.code == exits.CONFIGURATION
    assert ("no conversation to continue" if held is None else "last conversation can't be read") in run.err
    assert shell.server.requests == []


def test_the_number_of_continuations_keeps_its_old_name(shell: Shell) -> None:
    shell.say("One", finish="length")
    shell.say(" two.")
    assert shell.run("--continue", "1", "count").out == "One two.\n"
    assert shell.run("--continue=1", "count").code == 0
    assert not Path(shell.folder / "state").exists()
    assert user_text(shell.sent(0)) == "count"


def test_a_cut_reply_says_how_to_go_on(shell: Shell) -> None:
    shell.say("Half a sen", finish="length")
    with Terminal(shell, "A story") as terminal:
        assert terminal.ended() == 0
        assert 'to go on: msgmodel -c "Go on"' in terminal.text
    run = shell.run("-c", "-")
    assert run.code == exits.CONFIGURATION
    shell.stall("Hel", "lo")
    with Terminal(shell, "Greet") as terminal:
        terminal.expect("Hello")
        terminal.type("\x03")
        assert terminal.ended() == exits.INTERRUPTED
        assert "`msgmodel -c` asks again" in terminal.text
    shell.say("Hello there.")
    with Terminal(shell, "-c") as terminal:
        assert terminal.ended() == 0
    assert contents(shell) == ["Greet"], "the question again, without the part of its answer"
    with Terminal(shell, "-c") as terminal:
        assert terminal.ended() == exits.CONFIGURATION
        assert "write what you want to say next" in terminal.text


@pytest.mark.parametrize(
    ("line", "near"),
    [
        ("/export x.md", "/save"),
        ("/sav x", "/save"),
        ("/attach a.png", "/files"),
        ("/again", "/retry"),
        ("/q", "/quit"),
    ],
)
def test_a_command_of_another_program(shell: Shell, line: str, near: str) -> None:
    assert f"did you mean {near}? /help lists the commands" in shell.run("chat", stdin=line.encode()).err


def test_a_model_names_its_provider(shell: Shell) -> None:
    shell.env["ANTHROPIC_API_KEY"] = KEY
    shell.server.say(Script.body(reply("anthropic", ["Claude."])))
    assert shell.run("-m", "claude-x", "hi").out == "Claude.\n"
    assert shell.run("-m", "anthropic/claude-x", "hi").out == "Claude.\n"
    assert shell.run("chat", "-p", "openai", stdin=b"/model claude-x\nhi\n").out == "Claude.\n"
    assert {request.json["model"] for request in shell.server.requests} == {"claude-x"}
