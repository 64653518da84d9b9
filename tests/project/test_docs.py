"""The documents: every Python example in the README runs, and its tables say what the code does."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import httpx2
import pytest

import msgmodel
from conftest import KEY
from msgmodel.providers import MAIN, PROVIDERS
from msgmodel.testing import Reply, ScriptedProvider, Send, Stall
from msgmodel.testing import wires as replies
from msgmodel.testing.server import Script, ScriptedServer
from msgmodel.wires import finish_reasons

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```", README, re.S | re.M)


@pytest.fixture
def providers(monkeypatch: pytest.MonkeyPatch, server: ScriptedServer) -> ScriptedServer:
    """One scripted server behind every provider's variables, and in the place of a local one."""
    for name in MAIN:
        row = PROVIDERS[name]
        if row.keys:
            monkeypatch.setenv(next(iter(row.keys)), KEY)
            monkeypatch.setenv(row.base_url_variable, server.url + ("/v1" if row.name == "openai" else ""))
    return server


@pytest.mark.parametrize(
    ("begins", "wire", "finish", "printed"),
    [
        ("from msgmodel import stream_panels", "openai_chat", "stop", "Hello\n\ncomplete (finish reason: stop)\n"),
        ("from msgmodel import query\n\nreply = query(\"anthropic\"", "anthropic", "max_tokens",
         "Hello\n[cut off: max_tokens]\n"),
        ("import asyncio", "gemini", "STOP", "Hello"),
    ],
)  # fmt: skip
def test_examples_of_the_readme(
    begins: str, wire: str, finish: str, printed: str, providers: ScriptedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = [example for example in EXAMPLES if example.startswith(begins)]
    providers.say(Script.body(replies.reply(wire, ["Hel", "lo"], finish=finish)))
    exec(compile(example, "README.md", "exec", dont_inherit=True), {"__name__": "__main__"})
    assert capsys.readouterr().out == printed


def test_example_of_a_typed_reply(providers: ScriptedServer, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = [example for example in EXAMPLES if "output=Comet" in example]
    providers.say(Script.body(replies.reply("openai_chat", ['{"name": "Halley", ', '"magnitude": 4.5}'])))
    exec(compile(example, "README.md", "exec", dont_inherit=True), {"__name__": "__main__"})
    assert capsys.readouterr().out == "Comet(name='Halley', magnitude=4.5)\n"


def test_example_of_tools_that_run(
    provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = [example for example in EXAMPLES if "run_tools" in example]
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", provider.config("openai").base_url or "")
    provider.say(Reply(tool_calls=[{"name": "price", "arguments": '{"fruit": "apple"}'}]), Reply("50 cents."))
    exec(compile(example, "README.md", "exec", dont_inherit=True), {"__name__": "__main__"})
    assert capsys.readouterr().out == "done 0.50\ncomplete 50 cents.\n"


def test_example_of_many_prompts(providers: ScriptedServer, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = [example for example in EXAMPLES if "map_prompts" in example]
    providers.say(Script.body(replies.reply("openai_chat", ["Sa", "lut."])))
    exec(compile(example, "README.md", "exec", dont_inherit=True), {"__name__": "__main__"})
    assert capsys.readouterr().out == "Salut.\nSalut.\n"


def test_example_of_the_server(providers: ScriptedServer) -> None:
    (example,) = [example for example in EXAMPLES if example.startswith("from fastapi")]
    providers.say(Script.body(replies.reply("openai_chat", ["Hel", "lo"])))
    namespace: dict[str, Any] = {}
    exec(compile(example, "README.md", "exec", dont_inherit=True), namespace)

    async def ask() -> str:
        transport = httpx2.ASGITransport(namespace["app"])
        async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as client:
            return (await client.post("/chat", params={"prompt": "Hi"})).text

    frames = asyncio.run(ask()).split("\n\n")
    assert frames[0] == ": msgmodel"
    assert [frame.split("\n")[0] for frame in frames[1:-1]] == ["id: 1", "id: 2", "id: 3"]
    assert '"content":"Hello"' in frames[-2]


def test_all_examples_are_run() -> None:
    assert len(EXAMPLES) == 7


def test_the_readme_is_short() -> None:
    """What does not fit belongs into docs/."""
    assert README.count("\n") <= 200


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "examples/deploy/README.md"])
def test_links_lead_somewhere(name: str) -> None:
    """A link to a file of the repository, and to a heading in it."""
    page = ROOT / name
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text("utf-8"), re.M)
            assert anchor in {re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-") for heading in headings}, link


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading."""
    table = README.split(f"## {heading}\n", 1)[1].split("\n|", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def code(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_table_of_providers() -> None:
    documented = {code(cells[0])[0]: cells for cells in rows("Providers")}
    assert list(documented) == list(MAIN)
    for name in MAIN:
        row = PROVIDERS[name]
        _, short, _, keys, base_url, model = documented[name]
        assert code(short) == sorted(row.aliases)
        assert code(keys) == [*row.keys, *filter(None, [row.key_file])]
        assert code(base_url) == list(filter(None, [row.base_url_variable]))
        assert code(model) == [row.default_model]


def test_table_of_endings() -> None:
    documented = rows("How streams end")
    assert [code(cells[0])[0] for cells in documented] == list(get_args(msgmodel.Status))
    for cells in documented:
        for wire, cell in zip(finish_reasons.STATUS_BY_REASON, cells[2:], strict=True):
            for reason in code(cell):
                assert finish_reasons.status_of_reason(wire, reason) == code(cells[0])[0]


def test_all_error_codes_are_documented() -> None:
    documented = (ROOT / "docs/endings.md").read_text("utf-8").split("`error_type` | `code`", 1)[1].split("\n\n", 1)[0]
    for name in get_args(msgmodel.ErrorCode):
        assert f"`{name}`" in documented


def run(name: str, *arguments: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """A program in `examples/`, as its header says."""
    command = [sys.executable, "-W", "error", str(ROOT / "examples" / name), *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, env={**os.environ, **env})


def test_the_chat_and_the_side_by_side_example(providers: ScriptedServer) -> None:
    providers.say(Script.body(replies.reply("openai_chat", ["Hi ", "there"], finish="length")))
    chat = run("chat_loop.py", stdin="Hello\n\n  \nAnd?\n")
    assert (chat.returncode, chat.stderr) == (0, "")
    assert chat.stdout == (
        "Type 'quit' to exit.\n" + "You: Assistant: Hi there\n[cut off: length]\n" + "You: You: "
        "You: Assistant: Hi there\n[cut off: length]\nYou: \n"
    ), "an empty line is no question, the end of the input no error"
    second: Any = providers.requests[-1].json
    assert [message["content"] for message in second["messages"]] == ["Hello", "Hi there", "And?"]
    beside = run("side_by_side.py", "Hello", "openai").stdout
    assert "--- openai (gpt-6-luna): truncated\nHi there" in beside
    assert re.search(r"^openai: truncated, first text after \d\.\d s, all after \d\.\d s$", beside, re.M)
    providers.say(Script.body(replies.reply("openai_chat", ["No."], finish="content_filter")))
    assert "No.\n[filtered: content_filter]" in run("chat_loop.py", stdin="Hello\nquit\n").stdout


def test_the_example_of_typed_replies(providers: ScriptedServer) -> None:
    wrong, right = ('{"items": [{"name": "Ada", "born": %s}]}' % born for born in ('"?"', "1815"))  # noqa: UP031
    providers.say(*(Script.body(replies.reply("openai_chat", [text])) for text in (wrong, right)))
    ran = run("typed.py")
    assert (ran.returncode, ran.stderr) == (0, "")
    forget, item, last = ran.stdout.splitlines()
    assert forget.startswith("[forget the above: ")
    assert (item, last) == ("0: Ada, born 1815", "complete: [{'name': 'Ada', 'born': 1815}]")


def test_ctrl_c_in_the_chat_example(providers: ScriptedServer) -> None:
    """It stops a reply, and what had arrived of it is kept; between replies it ends the chat."""
    begun = b"".join(replies.events("openai_chat", ["Hi ", "there"])[:3])
    providers.say(Script(steps=(Send(begun), Stall())), Script.body(replies.reply("openai_chat", ["Yes."])))
    command = [sys.executable, "-u", str(ROOT / "examples" / "chat_loop.py")]
    chat = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert chat.stdin is not None
    assert chat.stdout is not None
    chat.stdin.write("Hello\n")
    chat.stdin.flush()
    seen = ""
    while "there" not in seen:
        seen += chat.stdout.read(1)
    chat.send_signal(signal.SIGINT)
    out, _ = chat.communicate("Go on\n", timeout=30)
    assert (chat.returncode, out) == (0, "\n[stopped]\nYou: Assistant: Yes.\nYou: \n")
    second: Any = providers.requests[-1].json
    assert [message["content"] for message in second["messages"]] == ["Hello", "Hi there", "Go on"]


@pytest.mark.parametrize("name", ["chat_loop.py", "tools.py", "typed.py", "side_by_side.py"])
def test_what_is_wrong_is_said_in_one_line(name: str) -> None:
    """No key, and no argument where one is needed."""
    arguments = ["Hi", "openai"] if name == "side_by_side.py" else []
    ran = run(name, *arguments, stdin="Hi\n")
    assert (ran.returncode, ran.stderr.count("\n")) == (1, 1)
    assert "no key for openai: looked at" in ran.stderr
    if arguments:
        assert run(name).stderr.startswith("usage: ")


def test_a_failed_panel_of_the_side_by_side_example(providers: ScriptedServer) -> None:
    providers.say(Script.json(401, {"error": {"message": "no"}}))
    ran = run("side_by_side.py", "Hello", "openai")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "--- openai: authentication: openai (HTTP 401): no" in ran.stdout
    assert re.search(r"^openai: authentication, no text, all after \d\.\d s$", ran.stdout, re.M)


def test_the_example_of_tools() -> None:
    def calls(**arguments: Any) -> Reply:
        return Reply(tool_calls=[{"id": "c1", "name": "price", "arguments": arguments}])

    with ScriptedProvider() as provider:
        provider.say(calls(fruit="kiwi"), calls(fruit="apple", count=4), Reply("Two eur", truncated=True))
        ran = run("tools.py", "anthropic", **provider.environment())
        first, *_, last = provider.requests
        assert (ran.returncode, ran.stderr) == (0, "")
        assert [line.partition(" ")[0] for line in ran.stdout.splitlines()[:2]] == ["price", "price"]
        assert ran.stdout.endswith("Two eur\n[truncated: max_tokens]\n")
        assert b"KeyError" in last.body
        assert b"2.00 euros" in last.body
        assert b"apple or pear" in first.body
        provider.say(Reply(refusal="I will not."))
        assert run("tools.py", **provider.environment()).stdout == "I will not.\n[filtered: completed]\n"
        provider.say(Reply(error=401))
        assert "check the key" in run("tools.py", **provider.environment()).stderr


def test_the_example_of_many_prompts() -> None:
    pytest.importorskip("genai_prices")
    with ScriptedProvider() as provider:
        provider.say(lambda request: Reply(error=400) if b"bad" in request.body else Reply("chat"))
        ran = run("many_prompts.py", "1", "openai", stdin="cat\n\nbad\n", **provider.environment())
        assert (ran.returncode, ran.stderr) == (1, "")
        assert [json.loads(line) for line in ran.stdout.splitlines()] == [
            {"line": "cat", "text": "chat", "end": "complete"},
            {"line": "bad", "text": "", "end": "invalid_request"},
        ]
        ran = run("many_prompts.py", "0.0000001", "openai", stdin="cat\n", **provider.environment())
        assert json.loads(ran.stdout) == {"line": "cat", "text": "", "end": "budget"}
    assert run("many_prompts.py").stderr.startswith("usage: ")


def test_the_endpoint_streams_events(providers: ScriptedServer) -> None:
    import asyncio
    import json
    import runpy

    providers.say(Script.body(replies.reply("openai_chat", ["Hi"])))
    endpoint = runpy.run_path(str(ROOT / "examples" / "fastapi_endpoint.py"))["stream_chat"]

    async def lines() -> list[str]:
        response = await endpoint("Hello")
        return [line async for line in response.body_iterator]

    events = [json.loads(line.removeprefix("data: ")) for line in asyncio.run(lines())]
    assert [event["event"] for event in events] == ["panel_delta", "panel_final"]
