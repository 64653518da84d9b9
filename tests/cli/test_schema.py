"""`--schema`: the object alone on standard output, only if it is valid, with an exit code that says so."""

import json
from pathlib import Path
from typing import Any

import pytest
from test_cli import Shell, shell

from msgmodel.cli import exits
from msgmodel.testing import wires as replies
from msgmodel.testing.server import Script

__all__ = ["shell"]

PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "born": {"type": "integer"}},
    "required": ["name", "born"],
}
SCHEMA = json.dumps(PERSON)
TEXT = '{"name": "Ada Lovelace", "born": 1815}'
WRONG = '{"name": "Ada Lovelace", "born": "long ago"}'


def test_an_object(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "person.json"
    file.write_text(SCHEMA, "utf-8")
    for schema in (SCHEMA, str(file), "json"):
        shell.say(TEXT)
        done = shell.run("--schema", schema, "Who?")
        assert (done.code, json.loads(done.out), done.err) == (exits.OK, json.loads(TEXT), "")
        assert "response_format" in shell.server.requests[-1].json
    shell.say(TEXT)
    done = shell.run("--schema", SCHEMA, "--json", "Who?")
    assert (done.code, json.loads(done.out)["object"]) == (exits.OK, json.loads(TEXT))


def test_a_reply_that_does_not_fit(shell: Shell) -> None:
    shell.say(WRONG)
    done = shell.run("--schema", SCHEMA, "Who?")
    words = 'msgmodel: /born: The value is the string "long ago". Wanted: an integer.'
    assert done == (exits.NO_OBJECT, "", f"{WRONG}\n{words}\n")
    done = shell.run("--schema", SCHEMA, "--json", "Who?")
    assert (done.code, json.loads(done.out)["object"]) == (exits.NO_OBJECT, None)


def test_a_reply_that_was_cut_is_no_object(shell: Shell) -> None:
    """Its text is valid JSON, and the model might have gone on."""
    shell.say(TEXT, finish="length")
    done = shell.run("--schema", SCHEMA, "Who?")
    assert (done.code, done.out) == (exits.NO_OBJECT, "")
    assert "cut off at the token limit" in done.err


def test_a_repair(shell: Shell) -> None:
    shell.server.say(*(Script.body(replies.reply("openai_chat", [text])) for text in (WRONG, TEXT)))
    done = shell.run("--schema", SCHEMA, "--repair", "1", "Who?")
    assert (done.code, json.loads(done.out)) == (exits.OK, json.loads(TEXT))
    assert "asking openai again" in done.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--schema", "absent.json"), exits.FILE, "the schema file absent.json can't be read"),
        (("--schema", "{"), exits.CONFIGURATION, "--schema is not JSON"),
        (("--schema", '{"type": "person"}'), exits.CONFIGURATION, "--schema: the JSON schema can't be used: at /type"),
        (("--repair", "1"), exits.CONFIGURATION, "use --schema"),
        (("--schema", "json", "-x"), exits.CONFIGURATION, "--extract and --schema exclude each other"),
    ],
)
def test_wrong_options(shell: Shell, arguments: tuple[str, ...], code: int, words: str) -> None:
    asked = len(shell.server.requests)
    done = shell.run(*arguments, "Who?")
    assert (done.code, done.out, len(shell.server.requests)) == (code, "", asked)
    assert words in done.err
