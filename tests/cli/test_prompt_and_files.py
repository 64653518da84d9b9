"""What a user writes after `msgmodel`: words without quotes, files, options; and the words of the errors."""

import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from test_cli import KEY, PNG, Shell, Terminal, shell, user_text

from msgmodel.cli import exits
from msgmodel.cli.code_blocks import find_first_code_block
from msgmodel.cli.option_words import words_for_failure, words_for_options

__all__ = ["shell"]


# --- options, not arguments of Python ---


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--max-tokens", "0"), "--max-tokens must be a whole number of at least 1, not 0"),
        (("--temperature", "-1"), "--temperature must be a number of at least 0"),
        (("--timeout", "0"), "--timeout must be"),
        (("--base-url", "ftp://x"), "--base-url must be an address such as"),
        (("-p", "openai/gpt-4o", "-m", "gpt-5"), "leave out --model gpt-5"),
        (("-p", "openai", "--fallback", "anthropic"), "--fallback: no key for anthropic: looked at the environment ("),
        (("-p", "nobody"), "use --base-url URL"),
        (("-p", "gpt-5"), "with --model gpt-5"),
        (("-f", "absent.txt"), "msgmodel: the file absent.txt can't be read"),
        (("-p", "groq/llama"), "the kept keys (`msgmodel keys set groq`)"),
    ],
)
def test_errors_speak_of_options(shell: Shell, arguments: tuple[str, ...], words: str) -> None:
    done = shell.run(*arguments, "hi")
    assert done.code in (exits.CONFIGURATION, exits.KEY, exits.FILE)
    assert words in done.err
    for argument in ("max_tokens", "base_url", "model=", "api_key", "OpenAIConfig", "fallbacks[", "files["):
        assert argument not in done.err
    assert shell.server.requests == []


def test_quoted_values_and_the_words_of_a_provider_stay() -> None:
    assert words_for_options("there is no provider 'max_tokens'") == "there is no provider 'max_tokens'"
    failure = "openai (HTTP 400): max_tokens is too large [gpt-5 does not take this max_tokens: change max_tokens]"
    assert words_for_failure(failure) == (
        "openai (HTTP 400): max_tokens is too large [gpt-5 does not take this --max-tokens: change --max-tokens]"
    )
    assert words_for_failure("base_url [as sent] is wrong") == "base_url [as sent] is wrong"


def test_help_has_examples(shell: Shell) -> None:
    for command in ((), ("chat",), ("compare",), ("keys",), ("config",), ("logs",)):
        assert re.search(r"Examples:\n +msgmodel ", shell.run(*command, "--help").out)


def test_the_cost_is_told_also_if_it_is_unknown(shell: Shell) -> None:
    shell.say("Hi")
    cost = next(line for line in shell.run("-v", "hi").err.splitlines() if line.startswith("cost:"))
    assert "price" in cost or "$" in cost


# --- attachments ---


class _Files(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.startswith("/absent"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/plain" if "notes" in self.path else "image/png")
        self.end_headers()
        self.wfile.write(b"Meet at ten." if "notes" in self.path else PNG)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def file_server() -> object:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Files)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_files_of_addresses(shell: Shell, file_server: str) -> None:
    shell.say("ok")
    done = shell.run("-f", f"{file_server}/picture?token={KEY}", "-f", f"{file_server}/notes", "look")
    assert done == (0, "ok\n", "")
    image, text, prompt = shell.sent()["messages"][-1]["content"]
    assert image["image_url"]["url"].startswith("data:image/png;base64,")
    assert "notes.txt" in text["text"]
    assert "Meet at ten." in text["text"]
    assert prompt["text"] == "look"


def test_an_address_that_can_t_be_fetched(shell: Shell, file_server: str) -> None:
    done = shell.run("-f", f"{file_server}/absent?token={KEY}", "look")
    assert done == (exits.FILE, "", f"msgmodel: {file_server.rpartition(':')[0]}/absent can't be fetched: HTTP 404\n")
    assert shell.run("-f", "http://127.0.0.1:9/x.png", "look").code == exits.FILE
    assert shell.server.requests == []


def test_patterns_of_names(shell: Shell) -> None:
    for name in ("b.py", "a.py", "deep/c.py"):
        path = shell.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"print('{name}')", "utf-8")
    shell.say("ok")
    assert shell.run("-f", "**/*.py", "Explain").code == 0
    sent = user_text(shell.sent())
    assert sent.index("'a.py'") < sent.index("'b.py'") < sent.index("'deep/c.py'")
    assert "--file *.rs: no file has such a name" in shell.run("-f", "*.rs", "Explain").err
    done = shell.run("-f", "a.py", "b.py", "Explain")
    assert (done.code, "quote a pattern, as in -f '*.py'" in done.err) == (exits.CONFIGURATION, True)
    assert len(shell.server.requests) == 1


# --- the first block of code ---

SCRIPT = "Here:\n\n```python\nprint('a')\nprint('b')\n```\n\nAnd:\n\n```sh\nls\n```\n"


def test_extract(shell: Shell) -> None:
    shell.say(SCRIPT)
    assert shell.run("-x", "a script") == (0, "print('a')\nprint('b')\n", "")
    shell.say("No code here.")
    done = shell.run("-x", "a script")
    assert done == (exits.NO_CODE, "", "No code here.\nmsgmodel: the reply has no block of code; its text is above\n")
    shell.say("```\nprint('a')\nprin", finish="length")
    done = shell.run("-x", "a script")
    assert (done.code, done.out) == (exits.NO_CODE, "print('a')\nprin\n")
    assert "cut off at the token limit" in done.err
    assert "not complete" in done.err
    assert shell.run("-x", "--json", "hi").code == exits.CONFIGURATION


@pytest.mark.parametrize(
    ("markdown", "text", "is_closed"),
    [
        ("* one\n\n  ~~~py\n  x = 1\n  ~~~\n", "x = 1\n", True),
        ("> ```\n> quoted\n> ```", "quoted\n", True),
        ("````md\n```\ninner\n```\n````", "```\ninner\n```\n", True),
        ("```\nopen", "open", False),
        ("```", "", False),
        ("    indented", None, False),
    ],
)
def test_blocks_of_code(markdown: str, text: str | None, is_closed: bool) -> None:
    found = find_first_code_block(markdown)
    assert (found and found.text, bool(found and found.is_closed)) == (text, is_closed)


# --- a terminal ---


def test_markdown_on_a_terminal(shell: Shell) -> None:
    shell.say("The capital is **Par", "is**.\n\n* `<div>`\n")
    with Terminal(shell, "Capital?") as terminal:
        assert terminal.ended() == 0
        assert "\x1b[1mParis\x1b[0m" in terminal.raw
        assert " • <div>" in terminal.text
    kept = json.loads((shell.folder / "state" / "msgmodel" / "last-conversation.json").read_text())
    assert kept["conversation"]["messages"][-1]["content"] == "The capital is **Paris**.\n\n* `<div>`\n"
    assert KEY not in json.dumps(kept)


def test_the_program_keeps_nothing_of_a_script(shell: Shell) -> None:
    shell.say("Hi")
    shell.run("hi")
    assert not [path for path in Path(shell.folder / "state").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("arguments", "is_told"),
    [
        (("What is in", "notes.txt"), True),
        (("notes.txt", "in short"), True),
        (("What is in notes.txt",), False),  # one quoted prompt
        (("-f", "notes.txt", "What", "is", "this"), False),
        (("What is in", "absent.txt"), False),
    ],
)
def test_a_file_among_the_words_is_told(shell: Shell, arguments: tuple[str, ...], is_told: bool) -> None:
    (shell.folder / "notes.txt").write_text("Meet at ten.", "utf-8")
    shell.say("ok")
    done = shell.run(*arguments)
    assert (done.code, done.out) == (0, "ok\n")
    assert done.err == ("msgmodel: notes.txt is sent as a word: -f notes.txt attaches the file\n" if is_told else "")
