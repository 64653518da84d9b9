"""The command line, run as a process of its own against the scripted provider: what it prints, and how it ends.

Rules: nothing of the surroundings is inherited (no key, no home), warnings are errors in the process too, and whatever
a process prints is searched for the planted key.
"""

import json
import os
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, Self

import pytest

from msgmodel.cli import display, exits
from msgmodel.testing import Reply, ScriptedProvider
from msgmodel.testing.errors import error_body
from msgmodel.testing.server import Cut, Pause, Script, ScriptedServer, Send, Stall
from msgmodel.testing.wires import INPUT_TOKENS, MODEL, OUTPUT_TOKENS, RESPONSE_ID, Wire, events, reply

KEY = "sk-planted-0123456789"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)
WAIT_SECONDS = 20.0
COMMAND = (sys.executable, "-m", "msgmodel")


class Done(NamedTuple):
    code: int
    out: str
    err: str


class Shell:
    """Runs the command with a server, and an environment of its own."""

    def __init__(self, server: ScriptedServer, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.env = {name: value for name, value in os.environ.items() if name == "PATH" or name.startswith("COVERAGE")}
        self.env |= {
            "HOME": str(folder / "home"),
            "XDG_STATE_HOME": str(folder / "state"),
            "MSGMODEL_CACHE": str(folder / "cache"),
            "PYTHONWARNINGS": "error",
            "PYTHONIOENCODING": "utf-8",
            "TERM": "xterm-256color",
            "PROMPT_TOOLKIT_NO_CPR": "1",
            "OPENAI_BASE_URL": server.url + "/v1",
            "ANTHROPIC_BASE_URL": server.url,
            "GOOGLE_GEMINI_BASE_URL": server.url,
            "OPENAI_API_KEY": KEY,
        }

    def run(self, *args: str, stdin: bytes = b"", command: Sequence[str] = COMMAND) -> Done:
        done = subprocess.run(
            [*command, *args], input=stdin, capture_output=True, cwd=self.folder, env=self.env, timeout=60, check=False
        )
        assert KEY.encode() not in done.stdout + done.stderr
        assert b"Traceback" not in done.stderr
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def start(self, *args: str, stdin: Any = subprocess.DEVNULL) -> "subprocess.Popen[bytes]":
        pipe = subprocess.PIPE
        return subprocess.Popen([*COMMAND, *args], stdin=stdin, stdout=pipe, stderr=pipe, cwd=self.folder, env=self.env)

    def say(self, *pieces: str, wire: Wire = "openai_chat", finish: str | None = None) -> None:
        self.server.say(Script.body(reply(wire, pieces, finish=finish)))

    def stall(self, *pieces: str) -> None:
        """The pieces, then silence."""
        self.server.say(Script(steps=(Send(begun(*pieces)), Stall())))

    def sent(self, number: int = -1) -> Any:
        return self.server.requests[number].json


def begun(*pieces: str) -> bytes:
    return b"".join(events("openai_chat", pieces)[: 1 + len(pieces)])


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    (tmp_path / "home").mkdir()
    with ScriptedServer() as server:
        yield Shell(server, tmp_path)


def user_text(body: Any) -> str:
    message = body["messages"][-1]
    assert message["role"] == "user"
    content = message["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


# --- one reply ---


def test_the_text_goes_to_stdout_and_nothing_else(shell: Shell) -> None:
    shell.say("Hello", ", wörld \N{ROBOT FACE}")
    assert shell.run("hi") == (0, "Hello, wörld \N{ROBOT FACE}\n", "")
    assert user_text(shell.sent()) == "hi"


def test_a_text_that_ends_a_line_gets_no_second_newline(shell: Shell) -> None:
    shell.say("one\n", "two\n")
    assert shell.run("hi") == (0, "one\ntwo\n", "")


def test_options_arrive_in_the_request(shell: Shell) -> None:
    shell.say("ok")
    options = ("-p", "o", "-m", "some-model", "-i", "Be brief.", "--max-tokens", "7", "--temperature", "0.5")
    assert shell.run(*options, "hi").code == 0
    body = shell.sent()
    assert body["model"] == "some-model"
    assert body["temperature"] == 0.5
    assert body["max_tokens"] == 7
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}


def test_the_instruction_may_be_a_file(shell: Shell) -> None:
    (shell.folder / "style.txt").write_text("Answer in rhyme.", "utf-8")
    shell.say("ok")
    assert shell.run("-i", "style.txt", "hi").code == 0
    assert shell.sent()["messages"][0]["content"] == "Answer in rhyme."
    assert shell.run("-i", "long " * 1000, "hi").code == 0, "too long for the name of a file"


def test_files_are_attached(shell: Shell) -> None:
    (shell.folder / "a.txt").write_text("first file", "utf-8")
    (shell.folder / "b.png").write_bytes(PNG)
    shell.say("ok")
    assert shell.run("-f", "a.txt", "-f", "b.png", "look").code == 0
    parts = shell.sent()["messages"][-1]["content"]
    assert [part["type"] for part in parts] == ["text", "image_url", "text"]
    assert "first file" in parts[0]["text"]
    shell.say("ok")
    assert shell.run("-f", "a.txt").code == 0, "a file needs no prompt"


@pytest.mark.parametrize("arguments", [("-p", "openai", "--api", "responses"), ("--api=responses",)])
def test_the_other_api_of_openai(shell: Shell, arguments: tuple[str, ...]) -> None:
    shell.say("Hello", wire="openai_responses")
    assert shell.run(*arguments, "hi") == (0, "Hello\n", "")
    assert shell.server.requests[0].path == "/v1/responses"


def test_events(shell: Shell) -> None:
    shell.say("Hel", "lo\N{LINE SEPARATOR}")
    done = shell.run("--events", "hi")
    assert (done.code, done.err) == (0, "")
    first, second, last = (json.loads(line) for line in done.out.splitlines())
    panel_id = last.pop("panel_id")
    assert first == {"event": "panel_delta", "panel_id": panel_id, "delta": "Hel"}
    assert second == {"event": "panel_delta", "panel_id": panel_id, "delta": "lo\N{LINE SEPARATOR}"}
    assert_final(last, "Hello\N{LINE SEPARATOR}")


def test_json(shell: Shell) -> None:
    shell.say("Hel", "lo")
    done = shell.run("--json", "hi")
    assert (done.code, done.err, done.out.count("\n")) == (0, "", 1)
    last = json.loads(done.out)
    assert last.pop("panel_id")
    assert_final(last, "Hello")


def assert_final(event: dict[str, Any], content: str) -> None:
    """Everything that the terminal event says, but for the panel's id."""
    timing, privacy, receipt = event.pop("timing"), event.pop("privacy"), event.pop("receipt")
    assert receipt["host"] == "127.0.0.1"
    assert 0 < timing["first_delta_seconds"] <= timing["total_seconds"]
    assert timing["attempts"] == 1
    assert privacy["endpoint"] == "127.0.0.1"
    assert privacy["local"] is False
    cost = event.pop("cost")
    assert cost is None or cost > 0
    assert event.pop("cost_source") == (None if cost is None else "price_list")
    assert event == {
        "event": "panel_final",
        "wire": "openai_chat",
        "truncated_in": None,
        "message": {"role": "assistant", "content": content},
        "content": content,
        "finish_reason": "stop",
        "status": "complete",
        "truncated": False,
        "provider": "openai",
        "model": MODEL["openai_chat"],
        "usage": {
            "input_tokens": INPUT_TOKENS,
            "output_tokens": OUTPUT_TOKENS,
            "reasoning_tokens": 0,
            "cached_tokens": 0,
            "cache_write_tokens": None,
            "source": "provider",
        },
        "request_id": RESPONSE_ID["openai_chat"],
        "untold": [],
        "warnings": [],
    }


def test_verbose_says_the_rest_on_stderr(shell: Shell) -> None:
    shell.say("Hello")
    done = shell.run("-v", "hi")
    assert (done.code, done.out) == (0, "Hello\n")
    # The line of the cost is there if the extra [cost] is installed.
    model, end, usage, *cost, privacy, timing, request_id = done.err.splitlines()
    assert all(re.fullmatch(r"cost:    \$[0-9.e-]+ \(by the price list\)", line) for line in cost)
    assert model == f"model:   {MODEL['openai_chat']} (openai)"
    assert end == "end:     complete (finish_reason: stop)"
    assert usage == f"usage:   {INPUT_TOKENS} tokens in, {OUTPUT_TOKENS} tokens out"
    assert privacy.startswith("privacy: sent to 127.0.0.1; training: unknown; retention: unknown")
    assert re.fullmatch(r"timing:  \d\.\d\d s to the first text, \d\.\d\d s in all, 1 request", timing)
    assert request_id == f"id:      {RESPONSE_ID['openai_chat']}"


def test_reasoning_and_tool_calls_go_to_stderr(shell: Shell) -> None:
    function = {"name": "look_up", "arguments": '{"word": "sea"}'}
    call = {"index": 0, "id": "call_1", "type": "function", "function": function}
    deltas = [{"reasoning_content": "Let me think."}, {"content": "Wait."}, {"tool_calls": [call]}]
    chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    body = b"".join(b"data: %b\n\n" % json.dumps(chunk).encode() for chunk in chunks) + b"data: [DONE]\n\n"
    shell.server.say(Script.body(body))
    tool_call = 'msgmodel: tool call: look_up {"word": "sea"}\n'
    assert shell.run("hi") == (0, "Wait.\n", tool_call)
    done = shell.run("-v", "hi")
    assert done.out == "Wait.\n"
    assert done.err.startswith("Let me think.\n" + tool_call)


@pytest.mark.parametrize(
    ("wire", "finish", "warning"),
    [
        ("openai_chat", "length", "the reply was cut off at the token limit (finish_reason: length)"),
        ("openai_chat", "abort", "the reply was cut short (finish_reason: abort)"),
        ("openai_chat", "content_filter", "the reply was refused or filtered (finish_reason: content_filter)"),
        ("anthropic", "pause_turn", "the reply is not finished: the provider paused it (finish_reason: pause_turn)"),
        (
            "gemini",
            "OTHER",
            "the reply may be incomplete: the provider gave an unknown reason for its end (finish_reason: OTHER)",
        ),
        ("openai_chat", "refusal", "the reply was refused or filtered (finish_reason: stop)"),
    ],
)
def test_a_reply_that_is_not_complete_brings_a_warning(shell: Shell, wire: Wire, finish: str, warning: str) -> None:
    shell.env |= {"ANTHROPIC_API_KEY": KEY, "GEMINI_API_KEY": KEY}
    shell.say("I can't", " say.", wire=wire, finish=finish)
    assert shell.run("-p", wire.partition("_")[0], "hi") == (0, "I can't say.\n", f"msgmodel: {warning}\n")


# --- the prompt ---


@pytest.mark.parametrize(
    ("arguments", "stdin", "prompt"),
    [
        ((), "wörld\n", "wörld"),
        (("-",), "one\ntwo\n", "one\ntwo"),
        ((), "\ufeffpiped\r\n", "piped"),
        (("argument",), "not read\n", "argument"),
        (("--", "chat"), "", "chat"),
        (("ask", "chat"), "", "chat"),
        (("Why", "is", "the", "sea", "salty"), "not read\n", "Why is the sea salty"),
        (("help", "me", "to", "write"), "", "help me to write"),
        (("ask", "list", "models"), "", "list models"),
    ],
)
def test_the_prompt(shell: Shell, arguments: tuple[str, ...], stdin: str, prompt: str) -> None:
    shell.say("ok")
    assert shell.run(*arguments, stdin=stdin.encode()).out == "ok\n"
    assert user_text(shell.sent()) == prompt


def test_stdin_must_be_utf_8(shell: Shell) -> None:
    message = "msgmodel: standard input is not UTF-8 (byte 0xfc at offset 3): attach it with -f - instead\n"
    assert shell.run(stdin=b"for\xfc") == (exits.CONFIGURATION, "", message)


def test_no_prompt_at_all(shell: Shell) -> None:
    message = "msgmodel: there is no prompt: pass it as an argument, or on standard input\n"
    assert shell.run() == (exits.CONFIGURATION, "", message)
    assert "prompt is empty" in shell.run("-").err


def test_a_closed_stdin_is_none(shell: Shell) -> None:
    shell.say("ok")
    done = shell.run("-c", 'exec "$@" <&-', "sh", *COMMAND, "hi", command=["sh"])
    assert done == (0, "ok\n", "")


def test_with_a_prompt_standard_input_is_left_alone(shell: Shell) -> None:
    """A pipe in which nothing ever comes is not waited for, and a loop keeps the lines that it reads from there."""
    shell.say("ok")
    process = shell.start("hi", stdin=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.read() == b"ok\n"
    process.communicate(timeout=WAIT_SECONDS)
    loop = 'while read -r line; do "$@" "$line"; done'
    done = shell.run("-c", loop, "sh", *COMMAND, command=["sh"], stdin=b"one\ntwo\n")
    assert done == (0, "ok\n" * 2, "")
    assert [user_text(request.json) for request in shell.server.requests] == ["hi", "one", "two"]


def test_standard_input_as_a_file(shell: Shell) -> None:
    shell.say("ok")
    assert shell.run("-f", "-", "Write a commit message", stdin="+ wörld\n".encode()) == (0, "ok\n", "")
    sent = user_text(shell.sent())
    assert sent.endswith("Write a commit message")
    assert "stdin.txt" in sent
    assert "+ wörld\n" in sent
    assert shell.run("-f", "-", stdin=b"Hello\n").code == 0, "a file needs no prompt"
    assert "Hello\n" in user_text(shell.sent())
    assert shell.run("-f", "-", "Look", stdin=PNG).code == 0, "it need not be text"
    assert [part["type"] for part in shell.sent()["messages"][-1]["content"]] == ["image_url", "text"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("-f", "-", "hi"), exits.FILE, "stdin.txt is empty"),
        (("-f", "-", "-"), exits.CONFIGURATION, "can be only one thing"),
        (("-f", "-", "-f", "-", "hi"), exits.CONFIGURATION, "can be only one thing"),
    ],
)
def test_standard_input_that_can_not_be_a_file(shell: Shell, arguments: tuple[str, ...], code: int, words: str) -> None:
    done = shell.run(*arguments)
    assert (done.code, done.out) == (code, "")
    assert words in done.err
    assert shell.server.requests == []


# --- who is asked ---


def test_the_first_provider_with_a_key(shell: Shell) -> None:
    del shell.env["OPENAI_API_KEY"]
    (shell.folder / "gemini-api.key").write_text(KEY + "\n", "utf-8")
    shell.say("I am Gemini", wire="gemini")
    assert shell.run("hi").out == "I am Gemini\n"
    shell.env["ANTHROPIC_API_KEY"] = KEY
    shell.say("I am Claude", wire="anthropic")
    assert shell.run("hi").out == "I am Claude\n"
    shell.env["MSGMODEL_PROVIDER"] = "g"
    shell.say("I am Gemini", wire="gemini")
    assert shell.run("hi").out == "I am Gemini\n"
    shell.say("I am Claude", wire="anthropic")
    assert shell.run("-p", "claude", "hi").out == "I am Claude\n"


def test_nobody_to_ask(shell: Shell) -> None:
    del shell.env["OPENAI_API_KEY"]
    done = shell.run("hi")
    assert (done.code, done.out) == (exits.KEY, "")
    assert "set OPENAI_API_KEY, ANTHROPIC_API_KEY or GOOGLE_API_KEY" in done.err
    assert "msgmodel local pull" in done.err
    assert ("pip install 'msgmodel[local]'" in done.err) == (find_spec("xllamacpp") is None)


def test_tools_that_the_provider_runs(shell: Shell) -> None:
    shell.say("Hello", wire="openai_responses")
    assert shell.run("--tool", "web_search", "--tool", "code_execution", "news").code == 0
    assert [tool["type"] for tool in shell.sent()["tools"]] == ["web_search", "code_interpreter"]
    done = shell.run("--tool", "websearch", "news")
    assert (done.code, "did you mean 'web_search'?" in done.err) == (exits.CONFIGURATION, True)


def test_provider_and_model_in_one(shell: Shell) -> None:
    """In the option and in the variable, which an option for the model overrules."""
    shell.say("Hello")
    assert shell.run("-p", "openai/gpt-4o", "hi").code == 0
    assert shell.sent()["model"] == "gpt-4o"
    shell.env["MSGMODEL_PROVIDER"] = "openai/gpt-4o"
    assert shell.run("hi").code == 0
    assert shell.sent()["model"] == "gpt-4o"
    assert shell.run("-m", "gpt-5", "hi").code == 0
    assert shell.sent()["model"] == "gpt-5"
    done = shell.run("-p", "openai/gpt-4o", "-m", "gpt-5", "hi")
    assert (done.code, "names the model already" in done.err) == (exits.CONFIGURATION, True)


def test_a_base_url_gets_no_key_of_another_provider(shell: Shell) -> None:
    del shell.env["OPENAI_API_KEY"], shell.env["OPENAI_BASE_URL"]
    shell.env["ANTHROPIC_API_KEY"] = KEY
    shell.say("Hello")
    assert shell.run("--base-url", shell.server.url + "/v1", "hi") == (0, "Hello\n", "")
    request = shell.server.requests[0]
    assert request.path == "/v1/chat/completions"
    assert KEY not in str(request.headers)


# --- exit codes ---


def unauthorized() -> Script:
    headers, body = error_body("openai_chat", 401)
    return Script.json(401, body, headers)


def refused() -> Script:
    headers, body = error_body("openai_chat", 400)
    return Script.json(400, body, headers)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--nope", "hi"), exits.CONFIGURATION, "No such option"),
        (("--max-tokens", "0", "hi"), exits.CONFIGURATION, "--max-tokens must be"),
        (("--events", "--json", "hi"), exits.CONFIGURATION, "exclude each other"),
        (("-p", "nobody", "hi"), exits.CONFIGURATION, "there is no provider 'nobody'"),
        (("-p", "a", "--api", "chat", "hi"), exits.CONFIGURATION, "--api does not apply to the provider anthropic"),
        (("--base-url", "ftp://x", "hi"), exits.CONFIGURATION, "--base-url must be an address"),
        (("local",), exits.CONFIGURATION, "Missing command"),
        (("-p", "anthropic", "hi"), exits.KEY, "ANTHROPIC_API_KEY"),
        (("chat", "-p", "anthropic"), exits.KEY, "ANTHROPIC_API_KEY"),
        (("-f", "absent.txt", "hi"), exits.FILE, "absent.txt"),
        (("-f", ".", "hi"), exits.FILE, "can't be read"),
        (("-i", "bytes.bin", "hi"), exits.FILE, "bytes.bin is not UTF-8 text"),
    ],
)
def test_nothing_is_sent_when_the_call_is_wrong(
    shell: Shell, arguments: tuple[str, ...], code: int, words: str
) -> None:
    (shell.folder / "bytes.bin").write_bytes(b"\xff\xfe\xfd")
    done = shell.run(*arguments)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith("msgmodel: ")
    assert words in done.err
    assert done.err.count("\n") == 1
    assert shell.server.requests == []


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (("model",), "msgmodel models"),
        (("list",), "msgmodel providers"),
        (("history",), "msgmodel logs"),
        (("modles", "openai"), "msgmodel models"),
        (("chatt",), "msgmodel chat"),
        (("caht", "-p", "openai"), "msgmodel chat"),
        (("-p", "openai", "chats"), "msgmodel chat"),
        (("-v", "chat"), "msgmodel chat"),
        (("Serv", "--port", "80"), "msgmodel serve"),
        (("provider",), "msgmodel providers"),
        (("help",), "msgmodel --help"),
        (("version",), "msgmodel --version"),
        (("pull",), "msgmodel local pull"),
    ],
)
def test_a_word_that_is_nearly_a_command_is_not_sent(shell: Shell, arguments: tuple[str, ...], command: str) -> None:
    done = shell.run(*arguments)
    assert (done.code, done.out) == (exits.CONFIGURATION, "")
    assert f"did you mean `{command}`?" in done.err
    assert "`msgmodel ask " in done.err
    assert shell.server.requests == []


@pytest.mark.parametrize(
    "arguments", [("ask", "chatt"), ("--", "models"), ("hello",), ("list the models",), ("chat?",)]
)
def test_other_words_are_sent(shell: Shell, arguments: tuple[str, ...]) -> None:
    shell.say("Hello")
    assert shell.run(*arguments) == (0, "Hello\n", "")
    assert user_text(shell.sent()) == arguments[-1]


@pytest.mark.parametrize(
    ("script", "code", "out", "words"),
    [
        (unauthorized(), exits.KEY, "", "Incorrect API key provided."),
        (refused(), exits.PROVIDER, "", "Unsupported value"),
        (Script(steps=(Send(begun("Hel", "lo")), Cut())), exits.STREAM, "Hello\n", ""),
        (Script(steps=(Send(begun("Hello")), Send(b"data: {broken\n\n"))), exits.STREAM, "Hello\n", ""),
    ],
)
def test_a_reply_that_fails(shell: Shell, script: Script, code: int, out: str, words: str) -> None:
    shell.server.say(script)
    done = shell.run("hi")
    assert (done.code, done.out) == (code, out)
    assert re.fullmatch(f"msgmodel: .*{re.escape(words)}.*\n", done.err)


def test_nobody_listens(shell: Shell) -> None:
    shell.env["OPENAI_BASE_URL"] = "http://127.0.0.1:9/v1"
    done = shell.run("hi")
    assert (done.code, done.out) == (exits.STREAM, "")
    assert done.err.startswith("msgmodel: can't connect to 127.0.0.1:9: ")


def test_json_of_a_reply_that_fails(shell: Shell) -> None:
    shell.server.say(Script(steps=(Send(begun("Hel", "lo")), Cut())))
    done = shell.run("--json", "hi")
    event = json.loads(done.out)
    assert (event["event"], event["code"], event["content"]) == ("panel_error", "interrupted", "Hello")
    assert (done.code, done.err) == (exits.STREAM, f"msgmodel: {event['error']}\n")


def test_silence_ends_with_the_timeout(shell: Shell) -> None:
    shell.stall("Hel", "lo")
    done = shell.run("--timeout", "0.3", "hi")
    assert (done.code, done.out) == (exits.STREAM, "Hello\n")


def test_help_shows_the_exit_codes_and_where_keys_come_from(shell: Shell) -> None:
    done = shell.run("--help")
    assert (done.code, done.err) == (0, "")
    for code, meaning in exits.EXITS.items():
        assert f"  {code:>3}  {meaning}\n" in done.out
    words = " ".join(done.out.split())
    assert "Keys come from the environment (OPENAI_API_KEY, " in words
    assert "Don't put a key on the command line" in words


def test_a_reader_that_goes_away_ends_it_quietly(shell: Shell) -> None:
    line = begun("a line\n").removeprefix(begun())
    shell.server.say(Script(steps=(Send(begun()), *[Send(line)] * 5000, Stall())))
    script = '"$@" 2>err | head -1; cat err >&2'
    done = shell.run("-c", script, "sh", *COMMAND, "hi", command=["sh"])
    assert done == (0, "a line\n", "")
    shell.server.wait_hangup()
    process = shell.start("hi")
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == b"a line\n"
    process.stdout.close()
    assert process.wait(WAIT_SECONDS) == 0
    assert process.stderr.read() == b""
    process.stderr.close()


def test_output_that_can_not_be_written(shell: Shell) -> None:
    if not Path("/dev/full").exists():
        pytest.fail("this system has no /dev/full: take this test out there by name")
    shell.say("Hello")
    done = shell.run("-c", '"$@" >/dev/full', "sh", *COMMAND, "hi", command=["sh"])
    assert done == (exits.CONFIGURATION, "", "msgmodel: the output can't be written: No space left on device\n")


# --- Ctrl-C ---


def interrupted(shell: Shell, *arguments: str, until: bytes) -> Done:
    """A real SIGINT once `until` was printed; the server has to see the hang-up within half a second."""
    process = shell.start(*arguments)
    assert process.stdout is not None
    seen = b""
    while until not in seen:
        seen += os.read(process.stdout.fileno(), 65536)
    process.send_signal(signal.SIGINT)
    sent = time.monotonic()
    assert shell.server.wait_hangup() - sent < 0.5
    out, err = process.communicate(timeout=WAIT_SECONDS)
    return Done(process.returncode, (seen + out).decode(), err.decode())


def test_ctrl_c_keeps_what_arrived(shell: Shell) -> None:
    shell.stall("Hel", "lo")
    done = interrupted(shell, "hi", until=b"Hello")
    assert done == (exits.INTERRUPTED, "Hello\n", "msgmodel: stopped by Ctrl-C\n")


def test_ctrl_c_with_events(shell: Shell) -> None:
    shell.stall("Hel", "lo")
    done = interrupted(shell, "--events", "hi", until=b'"lo"')
    assert done.code == exits.INTERRUPTED
    *deltas, last = (json.loads(line) for line in done.out.splitlines())
    assert [event["delta"] for event in deltas] == ["Hel", "lo"]
    timing, cost, receipt = last.pop("timing"), last.pop("cost"), last.pop("receipt")
    assert receipt["host"] == "127.0.0.1"
    assert last.pop("cost_source") == (None if cost is None else "price_list")
    assert 0 < timing["first_delta_seconds"] <= timing["total_seconds"]
    assert cost is None or cost > 0
    assert last == {
        "event": "panel_error",
        "panel_id": deltas[0]["panel_id"],
        "error": "stopped by Ctrl-C",
        "error_type": "StreamingError",
        "code": "cancelled",
        "content": "Hello",
        "provider": "openai",
        "model": MODEL["openai_chat"],
        "status_code": None,
        "retryable": False,
        "retry_after": None,
        "usage": {
            "input_tokens": 1,
            "output_tokens": 1,
            "reasoning_tokens": None,
            "cached_tokens": None,
            "cache_write_tokens": None,
            "source": "estimated",
        },
        "request_id": RESPONSE_ID["openai_chat"],
        "wire": "openai_chat",
        "message": {"role": "assistant", "content": "Hello", "partial": True},
        "untold": [],
        "warnings": [],
    }


def test_ctrl_c_with_json_and_before_the_first_text(shell: Shell) -> None:
    shell.server.say(Script(stall_before_headers=True))
    process = shell.start("--json", "hi")
    wait_for(lambda: len(shell.server.requests) == 1)
    process.send_signal(signal.SIGINT)
    shell.server.wait_hangup()
    out, _ = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == exits.INTERRUPTED
    event = json.loads(out)
    assert (event["code"], event["content"]) == ("cancelled", "")
    assert event["timing"]["first_delta_seconds"] is None


def wait_for(holds: Any) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# --- chat in a pipe ---


def test_chat_sends_the_turns_back(shell: Shell) -> None:
    shell.say("Paris", ".")
    shell.say("Two million.")
    lines = b"Capital of France?\n\nHow many people\\\nlive there?\n/clear\nAgain?\n/quit\nnever sent\n"
    done = shell.run("chat", "-i", "Be brief.", stdin=lines)
    assert done == (0, "Paris.\nTwo million.\nTwo million.\n", "msgmodel: the turns so far are forgotten\n")
    system = {"role": "system", "content": "Be brief."}
    first = {"role": "user", "content": "Capital of France?"}
    second = {"role": "user", "content": "How many people\nlive there?"}
    assert [request.json["messages"] for request in shell.server.requests] == [
        [system, first],
        [system, first, {"role": "assistant", "content": "Paris."}, second],
        [system, {"role": "user", "content": "Again?"}],
    ]


def test_chat_sends_opaque_parts_back(shell: Shell) -> None:
    """Anthropic refuses a later turn, or thinks anew, without the signature of its reasoning."""
    said = {"reasoning": ["Easy"], "signature": "c2lnbmVk", "redacted": "cmVkYWN0ZWQ="}
    shell.env["ANTHROPIC_API_KEY"] = KEY
    shell.server.say(Script.body(reply("anthropic", ["Paris."], **said)))
    assert shell.run("chat", "-p", "anthropic", stdin=b"Capital of France?\nSure?\n").code == 0
    first, turn, second = shell.sent()["messages"]
    assert [block["type"] for block in turn["content"]] == ["redacted_thinking", "thinking", "text"]
    assert turn["content"][0]["data"] == "cmVkYWN0ZWQ="
    assert (turn["content"][1]["thinking"], turn["content"][1]["signature"]) == ("Easy", "c2lnbmVk")
    assert (first["role"], second["role"]) == ("user", "user")


def test_chat_leaves_out_a_call_that_it_can_t_run(shell: Shell) -> None:
    shell.server.say(
        Script.body(reply("openai_chat", ["Let me look."], tool_calls=[{"name": "look", "arguments": {}}]))
    )
    done = shell.run("chat", stdin=b"one\ntwo\n")
    assert done.code == 0
    assert "tool call: look {}" in done.err
    _, turn, _ = shell.sent()["messages"]
    assert turn == {"role": "assistant", "content": "Let me look."}


def test_chat_goes_on_after_an_error(shell: Shell) -> None:
    shell.server.say(refused(), Script(steps=(Send(begun("Hel", "lo")), Cut())))
    shell.say("I can't.", finish="refusal")
    shell.say("Bye", finish="length")
    done = shell.run("chat", stdin=b"one\ntwo\nthree\nfour\\\n")
    assert (done.code, done.out) == (exits.STREAM, "Hello\nI can't.\nBye\n")
    error, cut, filtered, truncated = done.err.splitlines()
    assert "Unsupported value" in error
    assert cut.startswith("msgmodel: ")
    assert "refused or filtered" in filtered
    assert truncated == "msgmodel: the reply was cut off at the token limit (finish_reason: length)"
    assert [message["content"] for message in shell.sent()["messages"]] == [
        *("two", "Hello"),
        *("three", "I can't."),
        "four",
    ], "a question without any answer is forgotten, a part of an answer is kept"


def test_chat_commands_are_never_sent(shell: Shell) -> None:
    done = shell.run("chat", stdin=b"/help\n/nope\n/clear all\n")
    assert (done.code, done.out) == (0, "")
    assert "/clear  forget the turns so far\n" in done.err
    assert "msgmodel: unknown command /nope: /help lists the commands\n" in done.err
    assert "msgmodel: unknown command /clear all: /help lists the commands\n" in done.err
    assert shell.server.requests == []
    assert "not UTF-8" in shell.run("chat", stdin=b"\xfc\n").err


@pytest.mark.parametrize("word", ["exit", "quit", "Exit", "/exit", "/quit"])
def test_a_word_that_ends_a_shell_ends_the_chat(shell: Shell, word: str) -> None:
    assert shell.run("chat", stdin=f"{word}\nnever sent\n".encode()) == (0, "", "")
    assert shell.server.requests == []


def test_ctrl_c_ends_a_chat_in_a_pipe(shell: Shell) -> None:
    shell.stall("Hello")
    source, sink = os.pipe()
    os.write(sink, b"hi\n")
    process = shell.start("chat", stdin=source)
    os.close(source)
    assert process.stdout is not None
    assert os.read(process.stdout.fileno(), 100) == b"Hello"
    process.send_signal(signal.SIGINT)
    shell.server.wait_hangup()
    out, err = process.communicate(timeout=WAIT_SECONDS)
    os.close(sink)
    assert (process.returncode, out, err) == (exits.INTERRUPTED, b"\n", b"msgmodel: stopped by Ctrl-C\n")


# --- a terminal ---

PROMPT_IS_READY = "\x1b[?2004h"
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07]*\x07|[@-Z\\-_])")


class Terminal:
    """The command on a pseudo-terminal of its own, which turns a typed Ctrl-C into a real SIGINT."""

    def __init__(self, shell: Shell, *arguments: str, columns: int = 100, command: Sequence[str] = COMMAND) -> None:
        self._ours, theirs = os.openpty()
        termios.tcsetwinsize(self._ours, (24, columns))
        take = (
            "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
        )
        self._process = subprocess.Popen(
            [sys.executable, "-c", take, *command, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=shell.folder,
            env=shell.env,
            start_new_session=True,
        )
        os.close(theirs)
        self.raw = ""
        self._seen = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)

    @property
    def text(self) -> str:
        return _ESCAPES.sub("", self.raw).replace("\r", "")

    def type(self, keys: str) -> None:
        if "\x03" in keys:
            time.sleep(0.1)  # as a person would: CPython misses an interrupt in the instant before a blocking call
        os.write(self._ours, keys.encode())

    def expect(self, words: str) -> str:
        """Waits for the words, after those that were expected before; returns what came up to and with them."""
        deadline = time.monotonic() + WAIT_SECONDS
        while (found := self.raw.find(words, self._seen)) < 0:
            assert self._read(deadline - time.monotonic()), f"no {words!r} in {self.raw[self._seen :]!r}"
        before, self._seen = self._seen, found + len(words)
        return self.raw[before : self._seen]

    def ended(self) -> int:
        """The exit code, when everything was read."""
        while self._read(WAIT_SECONDS):
            pass
        assert KEY not in self.raw
        assert "Traceback" not in self.raw
        return self._process.wait(WAIT_SECONDS)

    def _read(self, seconds: float) -> bool:
        if not select.select([self._ours], [], [], max(0.0, seconds))[0]:
            return False
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # Linux's word for the end of a terminal
            return False
        self.raw += data.decode()
        return bool(data)


def test_the_wait_is_shown_and_goes(shell: Shell) -> None:
    """The pauses are longer than a second; a busy machine may show more of the same phase."""
    first, *others = events("openai_chat", ["The capital", " is Paris."])
    shell.server.say(Script(steps=(Send(first), Pause(1.6), Send(others[0]), Pause(1.6), Send(b"".join(others[1:])))))
    with Terminal(shell, "ask", "--plain", "Capital?") as terminal:
        assert terminal.ended() == 0
    shown = terminal.raw.partition("The capital")
    waited = "reading the prompt, 1 s"
    assert waited in shown[0]
    assert shown[0].endswith(f"\r{' ' * len(waited)}\r")
    assert shown[2] == " is Paris.\r\n", "no line covers text that has begun"


@pytest.mark.parametrize("columns", [20, 40])
def test_the_wait_fits_a_narrow_terminal(shell: Shell, columns: int) -> None:
    """A line that wraps could not be removed again."""
    first, *others = events("openai_chat", ["Paris."])
    shell.server.say(Script(steps=(Send(first), Pause(1.3), Send(b"".join(others)))))
    with Terminal(shell, "ask", "--plain", "Capital?", columns=columns) as terminal:
        assert terminal.ended() == 0
    waited = "reading the prompt, 1 s"[: columns - 1]
    assert f"\r{' ' * len(waited)}\r" in terminal.raw
    assert all(len(line) < columns for line in re.split("[\r\n]+", _ESCAPES.sub("", terminal.raw)))


def test_no_wait_is_shown_in_a_file(shell: Shell) -> None:
    first, *others = events("openai_chat", ["Paris."])
    shell.server.say(Script(steps=(Send(first), Pause(1.6), Send(b"".join(others)))))
    assert shell.run("Capital?") == (0, "Paris.\n", "")


def test_chat_on_a_terminal(shell: Shell) -> None:
    with Terminal(shell, "chat") as terminal:
        terminal.expect(PROMPT_IS_READY)
        shell.say("The capital is **Par", "is**.\n\n", "* one\n* two\n\n`a` <b> std::vector<int> \\(x_1\\)")
        terminal.type("Capital of France?\r")
        shown = terminal.expect(PROMPT_IS_READY)
        assert "\x1b[1mParis\x1b[0m" in shown, "markdown"
        assert r" <b> std::vector<int> \(x_1\)" in _ESCAPES.sub("", shown)
        assert " • one" in _ESCAPES.sub("", shown)

        shell.stall("Two mil", "lion")
        terminal.type("How many?\r")
        terminal.expect("Two million")
        terminal.type("\x03")
        shell.server.wait_hangup()
        assert "stopped by Ctrl-C" in terminal.expect(PROMPT_IS_READY)

        terminal.type("discarded\x03")
        shell.say("Yes.", finish="length")
        terminal.type("Is it\\\rreally\x1b\rso?\r")
        terminal.expect("cut off at the token limit")
        terminal.expect(PROMPT_IS_READY)

        shell.server.say(refused())
        terminal.type("/clear\r")
        terminal.expect(PROMPT_IS_READY)
        terminal.type("Wrong\r")
        terminal.expect("Unsupported value")
        terminal.expect(PROMPT_IS_READY)
        terminal.type("\x04")
        assert terminal.ended() == 0
    third, fourth = (request.json["messages"] for request in shell.server.requests[2:])
    assert [message["content"] for message in third] == [
        "Capital of France?",
        "The capital is **Paris**.\n\n* one\n* two\n\n`a` <b> std::vector<int> \\(x_1\\)",
        *("How many?", "Two million"),
        "Is it\nreally\nso?",
    ]
    assert [message["content"] for message in fourth] == ["Wrong"]

    history = shell.folder / "state" / "msgmodel" / "history"
    assert history.stat().st_mode & 0o777 == 0o600
    assert history.parent.stat().st_mode & 0o777 == 0o700
    assert "+Capital of France?\n" in history.read_text("utf-8")
    assert "discarded" not in history.read_text("utf-8")


def test_chat_remembers_the_lines_of_an_earlier_one(shell: Shell) -> None:
    history = shell.folder / "state" / "msgmodel" / "history"
    history.parent.mkdir(parents=True)
    history.write_text("\n# 2026-01-01 00:00:00\n+What was it?\n", "utf-8")
    history.chmod(0o644)
    shell.say("It was this.")
    with Terminal(shell, "chat") as terminal:
        terminal.expect(PROMPT_IS_READY)
        terminal.type("\x1b[A")
        terminal.expect("What was it?")
        terminal.type("\r")
        terminal.expect("It was this.")
        terminal.expect(PROMPT_IS_READY)
        terminal.type("/quit\r")
        assert terminal.ended() == 0
    assert history.stat().st_mode & 0o777 == 0o600


def test_chat_without_a_place_for_the_history(shell: Shell) -> None:
    (shell.folder / "state").write_text("in the way", "utf-8")
    shell.say("Hello.")
    with Terminal(shell, "chat") as terminal:
        terminal.expect("will not be remembered")
        terminal.expect(PROMPT_IS_READY)
        terminal.type("hi\r")
        terminal.expect("Hello.")
        terminal.expect(PROMPT_IS_READY)
        terminal.type("\x04")
        assert terminal.ended() == 0


def test_a_long_reply_is_shown_whole(shell: Shell) -> None:
    """Longer than the screen: its end can be seen while it grows, and at the end each line is there."""
    lines = [f"* line {number}\n" for number in range(60)]
    steps = (Send(begun(*lines)), Stall())
    shell.server.say(Script(steps=steps))
    with Terminal(shell, "chat") as terminal:
        terminal.expect(PROMPT_IS_READY)
        terminal.type("Count.\r")
        terminal.expect("line 59")
        terminal.type("\x03")
        final = _ESCAPES.sub("", terminal.expect("stopped by Ctrl-C"))
        terminal.expect(PROMPT_IS_READY)
        terminal.type("\x04")
        assert terminal.ended() == 0
    assert re.findall(r"line \d+", final)[-60:] == [f"line {number}" for number in range(60)]


def test_one_reply_on_a_terminal(shell: Shell) -> None:
    """Standard input is not read; what could control the terminal does not reach it; an error is red."""
    shell.say("Hel", "lo \x1b]52;c;aGk=\x07\r\nbye \x9b2J")
    with Terminal(shell, "--plain", "hi") as terminal:
        assert terminal.ended() == 0
        assert terminal.raw == "Hello �]52;c;aGk=�\r\nbye �2J\r\n"
    assert user_text(shell.sent()) == "hi"
    shell.say("rm \u202e-x\u2066 fr\u200b-\U000e0041 \u2028/ \U0001f468\u200d\U0001f469 مى\u200cروم")
    with Terminal(shell, "--plain", "hi") as terminal:
        assert terminal.ended() == 0
        assert terminal.raw == "rm �-x� fr�-� �/ \U0001f468\u200d\U0001f469 مى\u200cروم\r\n"
    shell.server.say(refused())
    with Terminal(shell, "hi", columns=40) as terminal:
        assert terminal.ended() == exits.PROVIDER
        assert "\x1b[31mmsgmodel: openai (HTTP 400): Unsupported value" in terminal.raw, "after a wait that was shown"
        assert terminal.raw.count("\n") == 1, "the terminal wraps, so that a copied line is one line"


@pytest.mark.parametrize(
    "character",
    ["\x1b", "\x9b", "\x7f", "\x85", "\u00ad", "\u061c", "\u180e", "\u200b", "\u200e", "\u200f", "\u2028", "\u2029"]
    + [
        chr(code)
        for code in (*range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF, 0xFFF9, 0xE0001, 0xE0041, 0xE007F)
    ],
)
def test_what_reorders_or_hides_is_shown(character: str) -> None:
    assert display.safe_for_terminal(f"a{character}b\r\n\tc") == "a�b\n\tc"


def test_what_writing_needs_stays() -> None:
    text = "\U0001f3f3\ufe0f\u200d\U0001f308 नमस्ते مى\u200cروم e\u0301 אב 한글 \u3000"
    assert display.safe_for_terminal(text) == text


@pytest.mark.parametrize("what", ["model", "error", "file"])
def test_names_and_errors_on_a_terminal(shell: Shell, what: str) -> None:
    """No matter who chose them: a model, an error of the provider, a file."""
    options = {"model": ["-v"], "error": [], "file": ["-f", "no\u202ex.txt"]}[what]
    if what == "error":
        shell.server.say(Script.json(400, {"error": {"message": "no \u202ex", "type": "invalid_request_error"}}))
    elif what == "model":
        choice = {"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}
        data = json.dumps({"id": "x", "model": "no \u202ex", "choices": [choice]})
        shell.server.say(Script(steps=(Send(f"data: {data}\n\ndata: [DONE]\n\n".encode()),)))
    with Terminal(shell, *options, "hi") as terminal:
        terminal.ended()
        assert "\u202e" not in terminal.raw
        assert "�x" in terminal.raw


def test_ctrl_c_on_a_terminal(shell: Shell) -> None:
    shell.stall("Hel", "lo")
    with Terminal(shell, "--plain", "hi") as terminal:
        terminal.expect("Hello")
        terminal.type("\x03")
        shell.server.wait_hangup()
        assert terminal.ended() == exits.INTERRUPTED
        assert terminal.text == "Hello^C\nmsgmodel: stopped by Ctrl-C\n"


def test_no_prompt_on_a_terminal_shows_the_help(shell: Shell) -> None:
    with Terminal(shell) as terminal:
        assert terminal.ended() == exits.CONFIGURATION
        assert "Examples:\n  msgmodel " in terminal.text
        assert "`msgmodel --help` lists all options" in terminal.text
    for arguments in (["-"], ["-f", "-", "hi"]):
        with Terminal(shell, *arguments) as terminal:
            assert terminal.ended() == exits.CONFIGURATION
            assert "pipe it in" in terminal.text
    assert shell.server.requests == []


def test_reasoning_fallback_and_going_on(tmp_path: Path) -> None:
    with ScriptedProvider() as provider:
        provider.say(Reply(error=401), Reply("One two", truncated=True), " three.")
        env = dict(os.environ) | provider.environment()
        options = ["--reasoning", "low", "--fallback", "gemini", "--continue", "2", "-p", "openai"]
        done = subprocess.run(
            [*COMMAND, *options, "hi"], capture_output=True, text=True, env=env, cwd=tmp_path, timeout=60,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        first, second, third = provider.requests
    assert (done.returncode, done.stdout) == (0, "One two three.\n")
    assert done.stderr.startswith("msgmodel: openai (HTTP 401): ")
    assert done.stderr.endswith("(authentication); asking gemini instead\n")
    assert first.json["reasoning_effort"] == "low"
    assert second.json["generationConfig"]["thinkingConfig"]["thinkingLevel"] == "LOW"
    assert len(third.json["contents"]) == 3


def test_a_cost(tmp_path: Path) -> None:
    pytest.importorskip("genai_prices")
    with ScriptedProvider() as provider:
        provider.say(Reply(" ".join(["word"] * 400)))
        command = [*COMMAND, "--max-cost", "0.001", "-p", "openai", "-m", "gpt-4o", "hi"]
        env = dict(os.environ) | provider.environment()
        done = subprocess.run(
            command, capture_output=True, text=True, env=env, cwd=tmp_path, timeout=60, stdin=subprocess.DEVNULL
        )
    assert 50 < len(done.stdout.split()) < 150
    assert done.returncode == exits.OK
    assert done.stderr == "msgmodel: the reply was cut off by the budget: raise max_cost or max_total_tokens\n"


# --- the other commands ---


def test_providers(shell: Shell) -> None:
    shell.env["GEMINI_API_KEY"] = KEY
    (shell.folder / "anthropic-api.key").write_text(KEY, "utf-8")
    engine = "model not pulled" if find_spec("xllamacpp") else "engine not installed"
    done = shell.run("providers")
    assert (done.code, done.err) == (0, "")
    table = [re.split("  +", line) for line in done.out.splitlines()]
    assert table[0] == ["provider", "short", "default model", "key"]
    assert [(row[0], row[-1]) for row in table[1:5]] == [
        ("openai", "OPENAI_API_KEY"),
        ("anthropic", "anthropic-api.key"),
        ("gemini", "GEMINI_API_KEY"),
        ("local", f"no key needed; {engine}"),
    ]
    listed = json.loads(shell.run("providers", "--json").out)
    assert [(row["name"], row["key"]) for row in listed] == [(row[0], row[-1]) for row in table[1:]]
    assert {row["name"] for row in listed if row["ready"]} == {
        *("openai", "anthropic", "gemini"),
        *("gpustack", "litellm", "llamacpp", "lmstudio", "ollama", "vllm"),  # on this machine: they need no key
    }
    assert listed[1]["short_names"] == ["a", "c", "claude"]
    shell.env["CLOUDFLARE_API_TOKEN"] = KEY
    keys = {row["name"]: row["key"] for row in json.loads(shell.run("providers", "--json").out)}
    assert keys["groq"] == "set GROQ_API_KEY"
    assert keys["cloudflare"] == "set CLOUDFLARE_BASE_URL", "a key alone is not enough where the address is one's own"
    azure = "set AZURE_OPENAI_API_KEY or AZURE_OPENAI_AD_TOKEN and AZURE_OPENAI_ENDPOINT"
    assert keys["azure"] == azure


def test_models(shell: Shell) -> None:
    entries = [
        {"id": "a/b", "context_length": 200_000, "pricing": {"prompt": "0.00000025", "completion": "0.000002"}},
        {"id": "evil\x1b[31m"},
    ]
    shell.server.say(Script.json(200, {"data": entries}))
    done = shell.run("models", "openai")
    assert (done.code, done.err) == (0, "")
    table = [re.split("  +", line) for line in done.out.splitlines()]
    assert table[0] == ["model", "context", "reply", "$ per million in", "out"]
    assert table[1] == ["a/b", "200,000", "0.25", "2"]
    assert "\x1b" not in done.out
    listed = json.loads(shell.run("models", "--json").out)
    assert (listed[0]["id"], listed[0]["context_tokens"], listed[0]["input_price"]) == ("a/b", 200_000, 0.25)
    assert {request.method for request in shell.server.requests} == {"GET"}
    shell.server.say(Script.json(401, {"error": {"message": "no"}}))
    assert shell.run("models", "openai").code == exits.KEY
    assert shell.run("models", "nobody").code == exits.CONFIGURATION


def test_providers_with_bad_keys_and_none(shell: Shell) -> None:
    shell.env["OPENAI_API_KEY"] = f"{KEY} {KEY}"
    listed = json.loads(shell.run("providers", "--json").out)
    assert listed[0]["key"].startswith("the key from OPENAI_API_KEY has white space")
    assert [row["ready"] for row in listed[:3]] == [False, False, False]
    assert listed[1]["key"] == "set ANTHROPIC_API_KEY or ANTHROPIC_AUTH_TOKEN"
    assert shell.run("hi").code == exits.KEY


def test_providers_on_a_terminal(shell: Shell) -> None:
    with Terminal(shell, "providers") as terminal:
        assert terminal.ended() == 0
        assert re.search(r"│ openai +│ o +│ gpt-\S+ +│ OPENAI_API_KEY +│", terminal.text)


def test_local_path_and_remove(shell: Shell) -> None:
    done = shell.run("local", "path")
    assert (done.code, done.err) == (0, "msgmodel: it is not there yet: run `msgmodel local pull`\n")
    file = done.out.strip()
    assert Path(file).parent == shell.folder / "cache"
    assert shell.run("local", "remove") == (0, "", f"{file} was not there\n")
    Path(file).parent.mkdir()
    Path(file).write_bytes(b"GGUF")
    assert shell.run("local", "path") == (0, file + "\n", "")
    assert shell.run("local", "remove") == (0, "", f"{file} is deleted\n")
    Path(file).mkdir()
    assert shell.run("local", "remove").code == exits.CONFIGURATION


def test_local_pull_says_what_failed(shell: Shell) -> None:
    shell.env |= {"PIP_NO_INDEX": "1", "PYTHONWARNINGS": "default"}  # pip has warnings of its own
    done = shell.run("local", "pull")
    assert (done.code, done.out) == (exits.CONFIGURATION, "")
    assert done.err.splitlines()[-1].startswith("msgmodel: ")
    assert not list((shell.folder / "cache").iterdir())


def test_local_before_it_is_pulled(shell: Shell) -> None:
    done = shell.run("-v", "-p", "local", "hi")
    assert (done.code, done.out) == (exits.CONFIGURATION, "")
    needed = "msgmodel local pull" if find_spec("xllamacpp") else "pip install 'msgmodel[local]'"
    assert re.fullmatch(f"msgmodel: .*{re.escape(needed)}.*\n", done.err)


def test_local_is_the_last_choice(shell: Shell) -> None:
    """A file that only looks like a model: what the engine says while the reply is waited for ends like any error."""
    del shell.env["OPENAI_API_KEY"]
    file = Path(shell.run("local", "path").out.strip())
    file.parent.mkdir()
    file.write_bytes(b"GGUF")
    done = shell.run("hi")
    if find_spec("xllamacpp"):
        assert (done.code, done.out) == (exits.PROVIDER, "")
        assert re.fullmatch("msgmodel: .* can't be loaded as a GGUF model.*\n", done.err)
    else:
        assert done.code == exits.KEY


# --- the program itself ---


@pytest.mark.parametrize("package", ["click", "rich", "prompt_toolkit"])
def test_without_the_extra(shell: Shell, package: str) -> None:
    program = f"import sys; sys.modules[{package!r}] = None; from msgmodel.__main__ import main; sys.exit(main())"
    message = "the command line needs its extra: pip install 'msgmodel[cli]'\n"
    assert shell.run(command=[sys.executable, "-c", program]) == (1, "", message)


def test_the_version_costs_little(shell: Shell) -> None:
    program = (
        "import sys; from msgmodel.__main__ import main; sys.argv[1:] = ['--version']; code = main(); "
        "print(sorted({'asyncio', 'httpx2', 'rich', 'prompt_toolkit', 'xllamacpp'} & set(sys.modules))); sys.exit(code)"
    )
    done = shell.run(command=[sys.executable, "-c", program])
    assert (done.code, done.err) == (0, "")
    assert re.fullmatch(r"msgmodel \d+\.\d+\.\d+\S*\n\[\]\n", done.out)


def test_an_ask_loads_only_what_it_needs(shell: Shell) -> None:
    """The price list and the drawing each take longer to load than a short reply takes to arrive."""
    heavy = {"genai_prices", "httpx2", "rich", "prompt_toolkit", "xllamacpp", "markdown_it"}

    def loaded_by(*arguments: str) -> str:
        shell.say("Hello")
        program = (
            f"import sys; from msgmodel.__main__ import main; sys.argv[1:] = {[*arguments, 'hi']}; code = main(); "
            f"print(sorted({heavy} & set(sys.modules)), file=sys.stderr); sys.exit(code)"
        )
        done = shell.run(command=[sys.executable, "-c", program])
        assert done.code == 0
        return done.err.splitlines()[-1]

    assert [loaded_by(), loaded_by("--plain"), loaded_by("--reasoning", "low")] == ["[]"] * 3
    if find_spec("genai_prices"):
        for option in ("-v", "--json", "--events", "--log"):
            assert "genai_prices" in loaded_by(option), option


@pytest.mark.parametrize(
    ("arguments", "cure"),
    [
        (("--attach", "a.png", "hi"), "Did you mean -f FILE?"),
        (("chat", "--system", "Be brief."), "Did you mean -i TEXT?"),
        (("--list-models",), "Did you mean `msgmodel models`?"),
        (("-T", "shop:price", "hi"), "Did you mean --tool module:function?"),
        (("--plane", "hi"), "'--plain'"),
    ],
)
def test_an_option_of_another_program(shell: Shell, arguments: tuple[str, ...], cure: str) -> None:
    done = shell.run(*arguments)
    assert (done.code, done.out) == (exits.CONFIGURATION, "")
    assert cure in done.err
    assert shell.server.requests == []


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/v1", "http://no-such-host.invalid/v1"])
def test_a_dead_network_is_told_in_words(shell: Shell, address: str) -> None:
    shell.env["OPENAI_BASE_URL"] = address
    done = shell.run("hi")
    assert done.code == exits.STREAM
    assert done.err.splitlines()[-1].startswith("msgmodel: can't connect to ")
    assert "Errno" not in done.err, "the number says nothing to a reader"
