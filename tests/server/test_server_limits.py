"""What one request may cost, in memory, time, money and reach, on every endpoint."""

from __future__ import annotations

import base64
import json
import re
import socket
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import unquote_to_bytes

import httpx2
import pytest

import msgmodel
import serving
from conftest import KEY, SHARED
from msgmodel import AnthropicConfig, ConfigurationError, GeminiConfig, Panel, astream_many
from msgmodel.adapters import openai_chat
from msgmodel.question.question import decode_base64
from msgmodel.registry import registry
from msgmodel.server import Settings, create_app
from msgmodel.server.bodies import MAX_WAITING
from msgmodel.server.opaque import find_foreign
from msgmodel.testing import Reply, ScriptedProvider
from msgmodel.testing.server import Flood, Script, Send, Stall
from msgmodel.wires import WIRES
from pure import play
from serving import BUSY, TOKENS, Serving, Uvicorn, bearer, opened, request, wait_for

module_provider, provider = serving.module_provider, serving.provider  # fixtures

FALLBACKS = ["anthropic", "openai", "gemini", "openai", "anthropic", "openai", "gemini", "openai"]
PNG = b"\x89PNG\r\n\x1a\n" + bytes(2_000_000)


def peak(work: Any) -> int:
    """The bytes that some work takes at most, beyond what there was."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("place", ["file", "message", "text file", "text in a message"])
def test_a_file_is_held_once_for_all_who_are_asked(provider: ScriptedProvider, place: str) -> None:
    """Eight panels with eight fallbacks each are 72 questions; the file is read, decoded and encoded once."""
    data, name = (PNG, "a.png") if "text" not in place else ("wörd ".encode("cp1252") * 400_000, "a.txt")
    settings: dict[str, Any] = {"fallbacks": FALLBACKS}
    if "file" in place:
        settings["files"] = [(name, data)]
    else:
        part = {"type": "file", "name": name, "data": data}
        settings["messages"] = [{"role": "user", "content": [part]}, {"role": "assistant", "content": "Nice."}]
    panels = [Panel("openai", panel_id=str(number)) for number in range(8)]
    batches: list[Any] = []
    assert peak(lambda: batches.append(astream_many(panels, "hi", **settings))) < 6 * len(data)


def test_a_long_conversation_is_read_once_for_all_who_are_asked(provider: ScriptedProvider) -> None:
    messages: Any = [{"role": "user", "content": f"question {number}"} for number in range(1_000)]
    batches: list[Any] = []

    def ask(panels: int, fallbacks: int) -> int:
        chosen = [Panel("openai", panel_id=str(number)) for number in range(panels)]
        settings: dict[str, Any] = {"messages": messages, "fallbacks": FALLBACKS[:fallbacks]}
        return peak(lambda: batches.append(astream_many(chosen, "hi", **settings)))

    ask(1, 0)
    assert ask(8, 4) < 5 * ask(1, 0)


def peak_of_process(pid: int) -> int:
    """The most bytes of memory that a process had."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


EIGHT = [{"provider": "openai", "panel_id": str(number)} for number in range(8)]


def with_files() -> tuple[str, Body]:
    data = base64.b64encode(PNG * 3).decode()
    return "/v1/panels", {"prompt": "hi", "panels": EIGHT, "files": [{"name": "a.png", "data": data}]}


def with_a_picture_of_the_ai_sdk() -> tuple[str, Body]:
    url = "data:image/png;base64," + base64.b64encode(PNG * 3).decode()
    parts = [{"type": "file", "mediaType": "image/png", "url": url, "filename": "a.png"}]
    said = [{"type": "text", "text": "x", "providerMetadata": {"msgmodel": {"panel_id": str(n)}}} for n in range(8)]
    messages = [
        {"id": "1", "role": "user", "parts": parts},
        {"id": "2", "role": "assistant", "parts": said},
        {"id": "3", "role": "user", "parts": [{"type": "text", "text": "hi"}]},
    ]
    return "/adapters/ai-sdk/chat", {"id": "c", "panels": EIGHT, "messages": messages}


def with_percent_signs() -> tuple[str, Body]:
    file = {"type": "file", "file": {"filename": "a.txt", "file_data": "data:text/plain," + "%41" * 2_700_000}}
    return "/v1/chat/completions", {"model": "openai", "messages": [{"role": "user", "content": [file]}]}


def with_a_long_name() -> tuple[str, Body]:
    return "/v1/chat/completions", {"model": "x" * 8_000_000, "messages": [ASKED]}


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
@pytest.mark.parametrize(
    ("costly", "status"),
    [(with_files, 200), (with_a_picture_of_the_ai_sdk, 200), (with_percent_signs, 413), (with_a_long_name, 400)],
)
def test_the_memory_of_a_request(provider: ScriptedProvider, tmp_path: Path, costly: Any, status: int) -> None:
    """It grows with the bytes of the request, not with how many are asked, nor with what the bytes are."""
    provider.say("Hello")
    path, body = costly()
    data = json.dumps(body).encode()
    with Serving(tmp_path, provider) as server:
        assert request("POST", f"{server.url}/v1/panels", json={"prompt": "hi", "panels": EIGHT}).status_code == 200
        before = peak_of_process(server.process.pid)
        headers = {"content-type": "application/json"}
        response = request("POST", server.url + path, content=data, headers=headers, timeout=60)
        assert response.status_code == status
        assert peak_of_process(server.process.pid) - before < 8 * len(data)


def test_others_are_served_while_a_request_is_prepared(provider: ScriptedProvider, tmp_path: Path) -> None:
    path, body = with_percent_signs()
    body["messages"] *= 3
    data, answered, done = json.dumps(body).encode(), [0], threading.Event()
    with Serving(tmp_path, provider) as server:

        def watch() -> None:
            with httpx2.Client(trust_env=False, timeout=60) as client:
                while not done.is_set():
                    answered[0] += client.get(f"{server.url}/healthz").status_code == 200

        watching = threading.Thread(target=watch)
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
            head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nconnection: close\r\n"
            connection.sendall(f"{head}content-length: {len(data)}\r\n\r\n".encode() + data[:-1])
            watching.start()
            wait_for(lambda: answered[0] > 1)
            before = answered[0]
            connection.sendall(data[-1:])
            assert b" 413 " in connection.recv(100)
            between = answered[0] - before
        done.set()
        watching.join()
    assert between >= 8


@pytest.mark.parametrize("letters", ["%4aAfF \n\r\t_=2511zGé", "%=A0"])
def test_percent_signs_are_read_as_the_standard_library_reads_them(
    letters: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("msgmodel.adapters._reading.DATA_URL_PIECE", 5)
    random = Random(1)
    for _ in range(5_000):
        text = "".join(random.choices(letters, k=random.randint(0, 30)))
        file = {"type": "file", "file": {"file_data": f"data:,{text}"}}
        posted = {"model": "openai", "messages": [{"role": "user", "content": [file]}]}
        (part,) = openai_chat.read(posted).arguments["messages"][0]["content"]
        assert base64.b64decode(part["data"]) == unquote_to_bytes(text)


def test_base64_is_read_as_the_standard_library_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("msgmodel.question.question.BASE64_PIECE", 8)
    random = Random(2)

    def tried(decode: Any, text: str) -> Any:
        try:
            return decode(text)
        except ValueError:
            return "refused"

    for _ in range(20_000):
        text = base64.b64encode(random.randbytes(random.randint(0, 30))).decode()
        if random.random() < 0.5:
            at = random.randint(0, len(text))
            text = text[:at] + random.choice("=A \n@é") + text[at + random.randint(0, 1) :]
        assert tried(decode_base64, text) == tried(lambda it: base64.b64decode(it, validate=True), text), text


# --- every limit on every endpoint ---

LONG = "x" * 3_000
Body = dict[str, Any]


def panels(choice: Body, options: Body, text: str) -> tuple[str, str, Body]:
    return "POST", "/v1/panels", {"json": {"prompt": text, "panels": [choice], "options": options}}


def ai_sdk_chat(choice: Body, options: Body, text: str) -> tuple[str, str, Body]:
    message = {"id": "1", "role": "user", "parts": [{"type": "text", "text": text}]}
    body = {"id": "c", "messages": [message], "panels": [choice], "options": options}
    return "POST", "/adapters/ai-sdk/chat", {"json": body}


def ag_ui_run(choice: Body, options: Body, text: str) -> tuple[str, str, Body]:
    body = {"threadId": "t", "runId": "r", "messages": [{"id": "1", "role": "user", "content": text}]}
    return "POST", "/adapters/ag-ui", {"json": body | {"forwardedProps": {"panels": [choice], "options": options}}}


def completions(choice: Body, options: Body, text: str) -> tuple[str, str, Body]:
    model = "/".join(filter(None, (choice["provider"], choice.get("model"))))
    body = {"model": model, "messages": [{"role": "user", "content": text}], "stream": True, **options}
    return "POST", "/v1/chat/completions", {"json": body}


def chat(choice: Body, options: Body, text: str) -> tuple[str, str, Body]:
    return "GET", "/chat/stream", {"params": {"prompt": text, **choice}}


def posted_chat(choice: Body, options: Body, text: str) -> tuple[str, str, Body]:
    return "POST", "/chat/stream", {"params": {"prompt": text, **choice}}


ENTRIES: dict[str, Any] = {
    entry.__name__: entry for entry in (panels, ai_sdk_chat, ag_ui_run, completions, chat, posted_chat)
}
WITH_OPTIONS = ("panels", "ai_sdk_chat", "ag_ui_run")
WITH_TOKENS = (*WITH_OPTIONS, "completions")

LIMITS: dict[str, tuple[Body, Body, Body, str, tuple[int, str], tuple[str, ...]]] = {
    "text": ({"max_prompt_chars": 1_000}, {}, {}, LONG, (413, "prompt_too_long"), tuple(ENTRIES)),
    "text that grows when it is encoded": (
        {"max_prompt_chars": 1_000}, {}, {}, "\n\u0001" * 200, (413, "prompt_too_long"), tuple(ENTRIES),
    ),
    "model": (
        {"models": ("gpt-*",)}, {"model": "o1-pro"}, {}, "hi", (403, "model_not_allowed"), tuple(ENTRIES),
    ),
    "way out of a pattern": (
        {"models": ("gemini-3.5-*",)}, {"provider": "gemini", "model": "gemini-3.5-x/../other"}, {}, "hi",
        (403, "model_not_allowed"), tuple(ENTRIES),
    ),
    "the same in other letters": (
        {}, {"provider": "gemini", "model": "a/%2e%2E/other"}, {}, "hi", (403, "model_not_allowed"), tuple(ENTRIES),
    ),
    "the same with backslashes": (
        {}, {"provider": "openai", "model": "a\\..\\other"}, {}, "hi", (403, "model_not_allowed"), tuple(ENTRIES),
    ),
    "control characters": (
        {}, {"provider": "openai", "model": "gpt\u0000-6"}, {}, "hi", (422, "invalid_request"), tuple(ENTRIES),
    ),
    "a file for the engine": (
        {"models": ("*",)}, {"provider": "local", "model": "/etc/passwd"}, {}, "hi", (403, "model_not_allowed"),
        tuple(ENTRIES),
    ),
    "the same by a short name": (
        {"models": ("/etc/*", "/etc/[p]asswd")}, {"provider": "l", "model": "/etc/passwd"}, {}, "hi",
        (403, "model_not_allowed"), tuple(ENTRIES),
    ),
    "provider": (
        {"providers": ("gemini",)}, {}, {}, "hi", (403, "provider_not_allowed"), tuple(ENTRIES),
    ),
    "tokens": ({"max_tokens": 10}, {}, {"max_tokens": 11}, "hi", (422, "too_many_tokens"), WITH_TOKENS),
    "tokens of all continuations": (
        {"max_tokens": 10}, {}, {"max_tokens": 4, "continue_truncated": 2}, "hi", (422, "too_many_tokens"),
        WITH_OPTIONS,
    ),
    "more continuations than tokens": (
        {"max_tokens": 10}, {}, {"continue_truncated": 20}, "hi", (422, "too_many_tokens"), WITH_OPTIONS,
    ),
    "tokens of what is resumed": (
        {"max_tokens": 10}, {}, {"max_tokens": 10, "resume_interrupted": True}, "hi", (422, "too_many_tokens"),
        WITH_OPTIONS,
    ),
    "cost of a model without a price": (
        {"max_cost": 1.0}, {"model": "no-such-model"}, {}, "hi", (422, "invalid_request"), WITH_OPTIONS,
    ),
    "retries": ({}, {}, {"max_retries": 100}, "hi", (422, "too_many_requests"), WITH_OPTIONS),
    "retries of fallbacks": (
        {"max_provider_requests": 8}, {}, {"fallbacks": ["gemini", "anthropic"]}, "hi", (422, "too_many_requests"),
        WITH_OPTIONS,
    ),
    "continuations": (
        {}, {}, {"continue_truncated": 100, "max_retries": 0}, "hi", (422, "too_many_requests"), WITH_OPTIONS,
    ),
    "model of a fallback": (
        {"models": ("gpt-*",)}, {}, {"fallbacks": [["openai", "o1-pro"]]}, "hi", (403, "model_not_allowed"),
        WITH_OPTIONS,
    ),
    "a file for the engine, as a fallback": (
        {"models": ("*",)}, {}, {"fallbacks": [["local", "/etc/passwd"]]}, "hi", (403, "model_not_allowed"),
        WITH_OPTIONS,
    ),
    "a name of a megabyte": (
        {}, {}, {"fallbacks": [["openai", "x" * 1_000_000]]}, "hi", (422, "invalid_request"), WITH_OPTIONS,
    ),
}  # fmt: skip


@pytest.fixture
def serve() -> Iterator[Any]:
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(Uvicorn(create_app(Settings(**{"grace_seconds": 1.0} | settings))))


@pytest.mark.parametrize(("limit", "entry"), [(limit, entry) for limit in LIMITS for entry in LIMITS[limit][-1]])
def test_every_limit_holds_on_every_endpoint(serve: Any, provider: ScriptedProvider, limit: str, entry: str) -> None:
    settings, choice, options, text, expected, _ = LIMITS[limit]
    server, before = serve(**settings), len(provider.requests)
    method, path, arguments = ENTRIES[entry]({"provider": "openai"} | choice, options, text)
    response = request(method, server.url + path, **arguments)
    error = response.json()["error"]
    status, code = expected
    if entry == "completions" and status == 422:
        status = 400  # OpenAI's API refuses a request by 400, and its clients know no other
    assert (response.status_code, error["code"]) == (status, code)
    assert len(error["message"]) < 500
    assert str(Path.cwd()) not in response.text
    assert len(provider.requests) == before


@pytest.mark.parametrize("entry", ENTRIES)
def test_what_keeps_to_the_limits_is_asked(serve: Any, provider: ScriptedProvider, entry: str) -> None:
    provider.say("Hello")
    server = serve(max_prompt_chars=80, models=("gpt-*", "org/*"), max_tokens=10, max_provider_requests=3)
    for model in ("gpt-6-luna", "org/name"):
        method, path, arguments = ENTRIES[entry]({"provider": "openai", "model": model}, {}, "hi")
        response = request(method, server.url + path, **arguments)
        assert response.status_code == 200, response.text
        assert "Hello" in response.text
        sent: Any = provider.requests[-1].json
        assert (sent["model"], sent["max_tokens"]) == (model, 10)


WORDS = " ".join(["word"] * 400)


@pytest.mark.parametrize(
    ("settings", "options"),
    [({"max_cost": 0.001}, {}), ({}, {"max_cost": 0.001}), ({"max_cost": 0.001}, {"max_cost": 1.0})],
    ids=["the operator's", "the request's", "the smaller one"],
)
def test_the_replies_to_one_request_share_a_budget(
    serve: Any, provider: ScriptedProvider, settings: dict[str, Any], options: dict[str, Any]
) -> None:
    pytest.importorskip("genai_prices")
    provider.say(Reply(WORDS, usage=False))
    panels = [{"provider": "openai", "model": "gpt-4o", "panel_id": id} for id in "ab"]
    body = {"prompt": "hi", "panels": panels, "options": options}
    with opened("POST", serve(**settings).url + "/v1/panels", json=body) as stream:
        ends = [event.data for event in stream.rest() if event.kind == "panel_final"]
    assert [(end["status"], end["truncated_by"]) for end in ends] == [("truncated", "budget")] * 2
    assert 0.00095 < sum(end["cost"] for end in ends) < 0.00106


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_endpoint_keeps_to_the_cost(serve: Any, provider: ScriptedProvider, entry: str) -> None:
    pytest.importorskip("genai_prices")
    provider.say(Reply(WORDS))
    method, path, arguments = ENTRIES[entry]({"provider": "openai", "model": "gpt-4o"}, {}, "hi")
    response = request(method, serve(max_cost=0.001).url + path, **arguments)
    assert 50 < response.text.count("word") < 350  # 400 words without the limit, and some protocols repeat them


# --- how large a reply ---


def chunk(**delta: Any) -> bytes:
    body = {"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta}]}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def fragment(number: int, arguments: str) -> bytes:
    function = {"name": "f", "arguments": arguments}
    return chunk(tool_calls=[{"index": number, "id": f"c{number}", "function": function}])


ENDLESS = {
    "text": (Flood(chunk(content="Hello " * 20)),),
    "reasoning": (Send(chunk(content="Hello")), Flood(chunk(reasoning="because " * 20))),
    "arguments": (Send(chunk(content="Hello") + fragment(0, "{")), Flood(fragment(0, "abc " * 100))),
    "calls": (Send(chunk(content="Hello") + b"".join(fragment(n, "") for n in range(60))), Stall()),
}


@pytest.mark.parametrize("what", ENDLESS)
@pytest.mark.parametrize("entry", ENTRIES)
def test_a_reply_without_an_end_is_bounded_on_every_endpoint(
    serve: Any, provider: ScriptedProvider, entry: str, what: str
) -> None:
    """It ends with the text so far, and the server sends no second request."""
    provider.say(Script(steps=ENDLESS[what]))
    server, before = serve(max_reply_bytes=200_000), len(provider.requests)
    method, path, arguments = ENTRIES[entry]({"provider": "openai"}, {}, "hi")
    response = request(method, server.url + path, **arguments)
    assert "reply_too_large" in response.text
    assert "Hello" in response.text
    assert len(provider.requests) == before + 1


# --- how much text ---

ASKED = {"role": "user", "content": "hi"}
CALL = {"type": "tool_call", "id": "1", "name": "f", "arguments": {}}
TEXT_FILE = base64.b64encode(LONG.encode()).decode()


def schema(**property: Any) -> Body:
    return {"type": "object", "properties": property}


def calls(**call: Any) -> Body:
    call = CALL | call
    result = {"role": "tool", "content": [{"type": "tool_result", "tool_call_id": call["id"], "content": "3"}]}
    return {"messages": [ASKED, {"role": "assistant", "content": [call]}, result]}


def result(content: Any) -> Body:
    return {"messages": [ASKED, {"role": "assistant", "content": [CALL]},
                         {"role": "tool", "tool_call_id": "1", "content": content}]}  # fmt: skip


def with_tool(**tool: Any) -> Body:
    return {"prompt": "hi", "options": {"tools": [{"name": "f", "parameters": schema()} | tool]}}


def in_tools_of_a_panel(**tool: Any) -> Body:
    return {"prompt": "hi", "panels": [{"provider": "openai", "tools": [{"name": "f", **tool}]}]}


WAYS_OF_PANELS: dict[str, Body] = {
    "prompt": {"prompt": LONG},
    "prompt of a panel": {"panels": [{"provider": "openai", "prompt": LONG}]},
    "message": {"messages": [{"role": "user", "content": LONG}]},
    "message of a panel": {"panels": [{"provider": "openai", "messages": [{"role": "user", "content": LONG}]}]},
    "part": {"messages": [{"role": "user", "content": [{"type": "text", "text": LONG}]}]},
    "many small parts": {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}] * 100}]},
    "many small messages": {"messages": [{"role": "user", "content": "x"}] * 100},
    "system message": {"prompt": "hi", "messages": [{"role": "system", "content": LONG}]},
    "system instruction": {"prompt": "hi", "options": {"system_instruction": LONG}},
    "system instruction of a panel": {"prompt": "hi", "panels": [{"provider": "openai", "system_instruction": LONG}]},
    "assistant's text": {"messages": [ASKED, {"role": "assistant", "content": LONG}, ASKED]},
    "refusal": {"messages": [ASKED, {"role": "assistant", "content": [{"type": "refusal", "text": LONG}]}, ASKED]},
    "description of a tool": with_tool(description=LONG),
    "description of a panel's tool": in_tools_of_a_panel(description=LONG),
    "description in a schema": with_tool(parameters=schema(a={"description": LONG})),
    "name of a property": with_tool(parameters=schema(**{LONG: {"type": "string"}})),
    "numbers in a schema": with_tool(parameters=schema(a={"enum": [12345] * 500})),
    "booleans in a schema": with_tool(parameters=schema(a={"enum": [True, None] * 300})),
    "empty lists in a schema": with_tool(parameters=schema(a={"enum": [[], {}] * 500})),
    "fields of a schema": with_tool(parameters=schema() | {LONG: 1}),
    "name of a call": calls(name=LONG),
    "id of a call": calls(id=LONG),
    "arguments of a call": calls(arguments={"a": LONG}),
    "arguments as text": calls(arguments=f'{{"a": "{LONG}"}}'),
    "names of arguments": calls(arguments={LONG: 1}),
    "numbers in arguments": calls(arguments={"a": [12345] * 500}),
    "result": result(LONG),
    "result as an object": result({LONG: 1}),
    "result of numbers": result([12345] * 500),
    "result that looks like a file": result([{"type": "file", "data": LONG}]),
    "text file": {"prompt": "hi", "files": [{"name": "a.txt", "data": TEXT_FILE}]},
    "name of a file": {"messages": [{"role": "user", "content": [{"type": "file", "name": LONG, "data": "aGk="}]}]},
    "text file in a message": {
        "messages": [{"role": "user", "content": [{"type": "file", "name": "a.csv", "data": TEXT_FILE}]}]
    },
}


@pytest.mark.parametrize("asked", ["openai", "anthropic", "gemini"])
@pytest.mark.parametrize("way", WAYS_OF_PANELS)
def test_all_text_counts(serve: Any, provider: ScriptedProvider, way: str, asked: str) -> None:
    """What is refused is more than the limit; half of it, in the same place, is asked."""
    server, before = serve(max_prompt_chars=2_000, default_provider=asked), len(provider.requests)
    body = json.loads(json.dumps(WAYS_OF_PANELS[way]).replace('"openai"', f'"{asked}"'))
    response = request("POST", f"{server.url}/v1/panels", json=body)
    assert (response.status_code, response.json()["error"]["code"]) == (413, "prompt_too_long")
    assert len(provider.requests) == before


FUNCTION = {"name": "f", "description": "", "parameters": schema()}


def function(**fields: Any) -> Body:
    return {"tools": [{"type": "function", "function": FUNCTION | fields}]}


def called(**fields: Any) -> Body:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"} | fields}
    answer = {"role": "tool", "tool_call_id": "1", "content": "3"}
    return {"messages": [ASKED, {"role": "assistant", "tool_calls": [call]}, answer]}


WAYS_OF_OPENAI: dict[str, Body] = {
    "system": {"messages": [{"role": "system", "content": LONG}, ASKED]},
    "part": {"messages": [{"role": "user", "content": [{"type": "text", "text": LONG}]}]},
    "stop": {"stop": [LONG]},
    "many stops": {"stop": ["x"] * 1_000},
    "description": function(description=LONG),
    "schema": function(parameters=schema(**{LONG: {}})),
    "numbers": function(parameters=schema(a={"enum": [12345] * 500})),
    "call": called(name=LONG),
    "arguments": called(arguments=f'{{"{LONG}": 1}}'),
    "text file": {"messages": [{"role": "user", "content": [
        {"type": "file", "file": {"filename": "a.txt", "file_data": TEXT_FILE}}]}]},
    "text file with percent signs": {"messages": [{"role": "user", "content": [
        {"type": "file", "file": {"filename": "a.txt", "file_data": "data:text/plain," + "%78" * 3_000}}]}]},
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS_OF_OPENAI)
def test_all_text_of_openai_s_clients_counts(serve: Any, provider: ScriptedProvider, way: str) -> None:
    server = serve(max_prompt_chars=2_000)
    body = {"model": "openai/gpt-6-luna", "messages": [ASKED]} | WAYS_OF_OPENAI[way]
    response = request("POST", f"{server.url}/v1/chat/completions", json=body)
    assert (response.status_code, response.json()["error"]["code"]) == (413, "prompt_too_long")


def tool_part(**fields: Any) -> Body:
    part = {"type": "tool-f", "toolCallId": "1", "state": "output-available", "input": {}, "output": 3} | fields
    return {"messages": [{"id": "1", "role": "assistant", "parts": [part]}]}


WAYS_OF_THE_AI_SDK: dict[str, Body] = {
    "input": tool_part(input={LONG: 1}),
    "output": tool_part(output=[12345] * 500),
    "error": tool_part(state="output-error", errorText=LONG),
    "name": tool_part(type=f"tool-{LONG}"),
    "id": tool_part(toolCallId=LONG),
    "system": {"messages": [{"id": "1", "role": "system", "parts": [{"type": "text", "text": LONG}]}]},
    "tools": {"options": {"tools": [{"name": "f", "description": LONG}]}},
    "text file": {"messages": [{"id": "1", "role": "user", "parts": [
        {"type": "file", "mediaType": "text/plain", "filename": "a.txt", "url": f"data:text/plain,{LONG}"}]}]},
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS_OF_THE_AI_SDK)
def test_all_text_of_the_ai_sdk_counts(serve: Any, provider: ScriptedProvider, way: str) -> None:
    server = serve(max_prompt_chars=2_000)
    question = {"id": "2", "role": "user", "parts": [{"type": "text", "text": "hi"}]}
    body = {"id": "c", "messages": [], "provider": "openai"} | WAYS_OF_THE_AI_SDK[way]
    body["messages"] = [*body["messages"], question]
    response = request("POST", f"{server.url}/adapters/ai-sdk/chat", json=body)
    assert (response.status_code, response.json()["error"]["code"]) == (413, "prompt_too_long")


def run_call(**fields: Any) -> Body:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"} | fields}
    return {"messages": [{"id": "1", "role": "assistant", "toolCalls": [call]},
                         {"id": "2", "role": "tool", "toolCallId": "1", "content": "3"}]}  # fmt: skip


WAYS_OF_AG_UI: dict[str, Body] = {
    "context": {"context": [{"description": "a", "value": LONG}]},
    "description of context": {"context": [{"description": LONG, "value": "a"}]},
    "tool": {"tools": [{"name": "f", "description": LONG}]},
    "schema": {"tools": [{"name": "f", "parameters": schema(**{LONG: {}})}]},
    "call": run_call(name=LONG),
    "arguments": run_call(arguments=f'{{"{LONG}": 1}}'),
    "result": {"messages": [*run_call()["messages"][:1],
                            {"id": "2", "role": "tool", "toolCallId": "1", "content": LONG}]},
    "text file": {"messages": [{"id": "1", "role": "user", "content": [
        {"type": "document", "source": {"type": "data", "value": TEXT_FILE, "mimeType": "text/plain"}}]}]},
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS_OF_AG_UI)
def test_all_text_of_ag_ui_counts(serve: Any, provider: ScriptedProvider, way: str) -> None:
    server = serve(max_prompt_chars=2_000)
    body = {"threadId": "t", "runId": "r", "messages": [], "forwardedProps": {"provider": "openai"}}
    body |= WAYS_OF_AG_UI[way]
    body["messages"] = [*body["messages"], {"id": "9", "role": "user", "content": "hi"}]  # type: ignore[misc]
    response = request("POST", f"{server.url}/adapters/ag-ui", json=body)
    assert (response.status_code, response.json()["error"]["code"]) == (413, "prompt_too_long")


def test_a_picture_does_not_count_as_text(serve: Any, provider: ScriptedProvider) -> None:
    provider.say("A picture")
    server = serve(max_prompt_chars=200)
    data = base64.b64encode(PNG).decode()
    files = [{"name": "a.png", "data": data}]
    messages = [{"role": "user", "content": [{"type": "file", "name": "b.png", "data": data}]}]
    for asked in ("openai", "anthropic", "gemini"):
        body = {"prompt": "What is it?", "files": files, "panels": [{"provider": asked}]}
        assert request("POST", f"{server.url}/v1/panels", json=body).status_code == 200
        assert data.encode() in provider.requests[-1].body
        body = {"messages": messages, "panels": [{"provider": asked}]}
        assert request("POST", f"{server.url}/v1/panels", json=body).status_code == 200
        assert data.encode() in provider.requests[-1].body


def test_the_text_of_a_fallback_counts(serve: Any, provider: ScriptedProvider) -> None:
    """What the first provider is not sent may go to the second."""
    thought = {"type": "thinking", "thinking": LONG, "signature": "x"}
    opaque = {"provider": "anthropic", "wire": "anthropic", "host": "127.0.0.1", "data": thought}
    turn = {
        "role": "assistant",
        "content": [{"type": "reasoning", "text": "", "opaque": opaque}, {"type": "text", "text": "3"}],
    }
    body = {"messages": [ASKED, turn, ASKED], "panels": [{"provider": "openai", "fallbacks": ["anthropic"]}]}
    server = serve(max_prompt_chars=2_000)
    assert request("POST", f"{server.url}/v1/panels", json=body).status_code == 413


@pytest.mark.parametrize("path", ["/adapters/ai-sdk/chat", "/adapters/ag-ui"])
def test_a_conversation_counts_once_for_all_panels(serve: Any, provider: ScriptedProvider, path: str) -> None:
    provider.say("Hello")
    server = serve(max_prompt_chars=1_000)
    text = "x" * 600
    body: Body = {"id": "c", "panels": EIGHT, "messages": [
        {"id": "1", "role": "user", "parts": [{"type": "text", "text": text}]}]}  # fmt: skip
    if path.endswith("ag-ui"):
        body = {"threadId": "t", "runId": "r", "messages": [{"id": "1", "role": "user", "content": text}]}
        body["forwardedProps"] = {"panels": EIGHT}
    assert request("POST", server.url + path, json=body).status_code == 200


@pytest.mark.parametrize("depth", [20, 200, 600, 2_000])
def test_an_opaque_part_that_is_nested_deeply(serve: Any, provider: ScriptedProvider, depth: int) -> None:
    said = json.dumps({"messages": [turn("opaque", "anthropic", {"type": "compaction", "content": "NESTED"}), ASKED]})
    body = said.replace('"NESTED"', '[{"type": "text", "text": ' * depth + '""' + "}]" * depth)
    response = request("POST", f"{serve().url}/v1/panels", content=body, headers={"content-type": "application/json"})
    assert response.status_code in ((200,) if depth == 20 else (200, 400, 422)), response.text


# --- how many requests ---


def test_requests_to_providers_have_a_budget(serve: Any, provider: ScriptedProvider) -> None:
    """Whatever is asked for, and however the providers answer."""
    provider.say(Reply(error=503))
    server = serve(max_provider_requests=6)
    before = len(provider.requests)
    body = {"prompt": "hi", "panels": [{"provider": "openai"}, {"provider": "gemini"}], "options": {"max_retries": 0}}
    options = body["options"] | {"fallbacks": ["anthropic", "openai"]}  # type: ignore[operator]
    response = request("POST", f"{server.url}/v1/panels", json=body | {"options": options})
    assert response.status_code == 200
    assert len(provider.requests) - before == 6
    options["fallbacks"].append("gemini")
    response = request("POST", f"{server.url}/v1/panels", json=body | {"options": options})
    assert (response.status_code, response.json()["error"]["code"]) == (422, "too_many_requests")
    assert "max_retries" in response.json()["error"]["message"]


def test_the_default_budget_is_enough_for_eight_panels_with_two_fallbacks(
    serve: Any, provider: ScriptedProvider
) -> None:
    provider.say("Hello")
    body = {"prompt": "hi", "panels": [{"provider": "openai"}] * 8, "options": {"fallbacks": ["anthropic", "gemini"]}}
    response = request("POST", f"{serve().url}/v1/panels", json=body)
    assert response.status_code == 200, response.text


def test_a_provider_that_asks_to_go_on_has_the_same_budget(serve: Any, provider: ScriptedProvider) -> None:
    """Gemini's own continuation, which no limit of a client's stops."""
    chunk = {"candidates": [{"content": {"parts": [{"text": "on "}]}, "finishReason": "CONTINUATION",
                             "continuationToken": "t", "index": 0}]}  # fmt: skip
    provider.server.say(Script.body(b"data: %b\r\n\r\n" % json.dumps(chunk).encode()))
    server = serve(max_provider_requests=5)
    before = len(provider.requests)
    response = request("POST", f"{server.url}/v1/panels", json={"prompt": "hi", "panels": [{"provider": "gemini"}]})
    assert '"panel_error"' in response.text
    assert len(provider.requests) - before == 5


# --- models that are files ---


def test_a_model_file_that_the_operator_listed(serve: Any, tmp_path: Path) -> None:
    """It passes the check; that it is not there is said in the client's own words."""
    pytest.importorskip("xllamacpp")
    named = str(tmp_path / "x.gguf")
    server = serve(models=(named,))
    body = {"prompt": "hi", "panels": [{"provider": "local", "model": named}]}
    response = request("POST", f"{server.url}/v1/panels", json=body)
    assert (response.status_code, response.json()["error"]["code"]) == (422, "invalid_request")
    relative = serve(models=("x.gguf",))
    body = {"prompt": "hi", "panels": [{"provider": "local", "model": "x.gguf"}]}
    response = request("POST", f"{relative.url}/v1/panels", json=body)
    assert "'x.gguf'" in response.json()["error"]["message"]
    assert str(Path.cwd()) not in response.text


def test_an_unknown_provider_costs_nothing(serve: Any, provider: ScriptedProvider) -> None:
    """The metadata of all packages are read once, not for each name that there is not."""
    server = serve()
    for number in range(6):
        for entry in (panels, chat):
            method, path, arguments = entry({"provider": f"nobody-{number}"}, {}, "hi")
            response = request(method, server.url + path, **arguments)
            assert (response.status_code, response.json()["error"]["code"]) == (422, "unknown_provider")
        if number == 0:
            read = registry._entry_points.cache_info().misses
    assert registry._entry_points.cache_info().misses == read


def test_a_client_without_room_is_refused_before_its_body_is_read(serve: Any, provider: ScriptedProvider) -> None:
    """All that it could cost would be for nothing."""
    provider.say(Reply("Hello", stall_after=0))
    server = serve(max_streams=1, on_disconnect="cancel")
    with opened("POST", f"{server.url}/v1/panels", json={"prompt": "hi", "panels": [{"provider": "openai"}]}) as stream:
        stream.frame()
        for path in ("/v1/panels", "/adapters/ai-sdk/chat", "/adapters/ag-ui", "/v1/chat/completions"):
            head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
                connection.sendall(f"{head}content-length: 9000000\r\n\r\n{{".encode())  # and no more of it
                assert connection.recv(1000).startswith(b"HTTP/1.1 503 ")


def test_a_budget_that_makes_no_sense() -> None:
    for number in (0, -1):
        with pytest.raises(ConfigurationError, match="max_provider_requests"):
            Settings(max_provider_requests=number)


def test_the_id_of_a_panel_is_one_line(serve: Any, provider: ScriptedProvider) -> None:
    server = serve()
    for id in ("a\n", "a\r\n", "a b", "\u00e4", "a\0"):
        body = {"prompt": "hi", "panels": [{"provider": "openai", "panel_id": id}]}
        response = request("POST", f"{server.url}/v1/panels", json=body)
        assert (response.status_code, response.json()["error"]["code"]) == (422, "invalid_request")


# --- addresses and headers ---


@pytest.mark.parametrize(
    "model", ["a/../b", "..", "a/./b", "../../x?key=1#", "a//b", "a\\..\\b", "models/../b", "/b", "b/"]
)
def test_a_model_does_not_lead_out_of_its_place(model: str) -> None:
    with pytest.raises(ConfigurationError, match="not the name of a model"):
        msgmodel.stream_panels("gemini", "hi", KEY, model=model)


@pytest.mark.parametrize("asked", ["openai", "anthropic", "gemini"])
@pytest.mark.parametrize("model", ["a\r\nx-evil: 1", "a\0b", "a\tb", "a\u2028b", "a\x7fb"])
def test_a_model_has_no_control_characters(model: str, asked: str) -> None:
    with pytest.raises(ConfigurationError, match="model must be"):
        msgmodel.stream_panels(asked, "hi", KEY, model=model)


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("gemini-x", "gemini-x"),
        ("models/gemini-x", "gemini-x"),
        ("org/name", "org%2Fname"),
        ("publishers/google/models/x", "publishers%2Fgoogle%2Fmodels%2Fx"),
        ("a?b#c", "a%3Fb%23c"),
        ("a%2e%2e", "a%252e%252e"),
        ("a:b@c", "a%3Ab%40c"),
        ("ä b", "%C3%A4%20b"),
    ],
)
def test_a_model_is_one_step_of_an_address(provider: ScriptedProvider, model: str, path: str) -> None:
    provider.say("Hello")
    assert msgmodel.query("gemini", "hi", model=model).text == "Hello"
    assert provider.requests[-1].path.partition("?")[0].endswith(f"/models/{path}:streamGenerateContent")


@pytest.mark.parametrize("version", ["../v1", "v1?x=", "v1/../..", "v1#", "v1\r\nx-evil: 1", "v1\\", 3, "v1.."])
@pytest.mark.parametrize(("asked", "config"), [("gemini", GeminiConfig), ("anthropic", AnthropicConfig)])
def test_a_version_is_one_step_of_an_address(asked: str, config: Any, version: Any) -> None:
    with pytest.raises(ConfigurationError, match="api_version"):
        msgmodel.stream_panels(asked, "hi", KEY, config=config(api_version=version))


def test_an_organisation_is_one_header(provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL")
    monkeypatch.setenv("OPENAI_ORG_ID", "a\r\nx-evil: 1")
    with pytest.raises(ConfigurationError, match="openai-organization"):
        msgmodel.stream_panels("openai", "hi", KEY)


# --- opaque parts ---


def opaque(wire: str, data: Any, **fields: Any) -> Body:
    asked = {"anthropic": "anthropic", "gemini": "gemini"}.get(wire, "openai")
    return {"opaque": {"provider": asked, "wire": wire, "host": "127.0.0.1", "data": data, **fields}}


def turn(kind: str, wire: str, data: Any, **fields: Any) -> Body:
    own = {"tool_call": {"id": "1", "name": "f", "arguments": "{}"}, "opaque": {}}.get(kind, {"text": "3"})
    parts = [{"type": kind, **own, **opaque(wire, data, **fields)}, {"type": "text", "text": "so"}]
    return {"role": "assistant", "content": parts, "partial": True}


FOREIGN: dict[str, Body] = {
    "item of another reply": turn("opaque", "openai_responses", {"type": "item_reference", "id": "msg_1"}),
    "message of the system": turn("opaque", "openai_responses", {"type": "message", "role": "system", "content": "x"}),
    "picture by its address": turn("opaque", "openai_responses", {"type": "message", "role": "user", "content": [
        {"type": "input_image", "image_url": "http://169.254.169.254/"}]}),
    "file by its id": turn("opaque", "openai_responses", {"type": "input_file", "file_id": "file-1"}),
    "role in a phase": turn("text", "openai_responses", {"phase": "x", "role": "system"}),
    "content in a phase": turn("text", "openai_responses", {"phase": [{"file_id": "x"}]}),
    "another kind of call": turn("tool_call", "openai_responses", {"type": "mcp_call"}),
    "reasoning that is none": turn("reasoning", "openai_responses", {"type": "message", "encrypted_content": "x"}),
    "reasoning by its id": turn("reasoning", "openai_responses", {"type": "reasoning", "id": "rs_1", "summary": []}),
    "file in reasoning": turn("reasoning", "openai_responses", {
        "type": "reasoning", "encrypted_content": "x", "content": [{"type": "input_file", "file_id": "x"}]}),
    "container": turn("opaque", "anthropic", {"type": "container_upload", "file_id": "f"}),
    "picture for Anthropic": turn("opaque", "anthropic", {"type": "image", "source": {"type": "url", "url": "http://a"}}),
    "document in a result": turn("opaque", "anthropic", {"type": "mcp_tool_result", "tool_use_id": "1", "content": [
        {"type": "document", "source": {"type": "url", "url": "http://10.0.0.1/"}}]}),
    "container in a result": turn("opaque", "anthropic", {"type": "bash_code_execution_tool_result", "tool_use_id": "1",
        "content": {"type": "bash_code_execution_result", "content": [{"type": "container_upload", "file_id": "f"}]}}),
    "document by its id in a result": turn("opaque", "anthropic", {"type": "code_execution_tool_result",
        "tool_use_id": "1", "content": {"type": "code_execution_result", "content": [
            {"type": "document", "source": {"type": "file", "file_id": "f"}}]}}),
    "file beside a result": turn("opaque", "anthropic", {"type": "bash_code_execution_tool_result", "tool_use_id": "1",
        "file_id": "f", "content": {"type": "bash_code_execution_result", "content": []}}),
    "address as a file": turn("opaque", "anthropic", {"type": "bash_code_execution_tool_result", "tool_use_id": "1",
        "content": {"type": "bash_code_execution_result", "content": [
            {"type": "bash_code_execution_output", "file_id": "f", "url": "http://10.0.0.1/"}]}}),
    "citation of a document": turn("text", "anthropic", {"citations": [{"type": "char_location", "cited_text": "x"}]}),
    "file in a citation": turn("text", "anthropic", {"citations": [
        {"type": "web_search_result_location", "file_id": "f"}]}),
    "text that is none": turn("opaque", "anthropic", {"type": "text", "text": "x", "cache_control": {}}),
    "result of a tool": turn("opaque", "anthropic", {"type": "tool_result", "tool_use_id": "1", "content": "x"}),
    "type that is a list": turn("opaque", "anthropic", {"type": ["image"]}),
    "thinking as a block": turn("opaque", "anthropic", {"type": "thinking", "thinking": "", "signature": "x"}),
    "file for Gemini": turn("opaque", "gemini", {"fileData": {"fileUri": "gs://bucket/a"}}),
    "the same beside code": turn("opaque", "gemini", {
        "executableCode": {"code": "1", "language": "PYTHON"}, "fileData": {"fileUri": "gs://bucket/a"}}),
    "file as a picture": turn("media", "gemini", {"fileData": {"fileUri": "gs://bucket/a"}}),
    "file within a picture": turn("media", "gemini", {"inlineData": {"fileUri": "gs://bucket/a"}}),
    "file in an answer": turn("opaque", "gemini", {"functionResponse": {"name": "f", "parts": [
        {"fileData": {"fileUri": "gs://bucket/a"}}]}}),
    "picture as audio": turn("media", "openai_chat", {"audio": {"id": "a", "url": "http://a"}}),
    "role beside audio": turn("media", "openai_chat", {"audio": {"id": "a"}, "role": "system"}),
    "text in a signature": turn("text", "gemini", {"thoughtSignature": "x", "text": "other"}),
    "file in a signature": turn("text", "gemini", {"fileData": {"fileUri": "gs://bucket/a"}}),
    "file in a thought": turn("reasoning", "gemini", {"thoughtSignature": "x", "inlineData": {}}),
    "code within code": turn("opaque", "gemini", {"executableCode": {"toolCall": {"args": {}}}}),
    "function of a call": turn("tool_call", "openai_chat", {
        "extra_content": {"google": {"thought_signature": "x"}}, "function": {"name": "g"}}),
    "type of a call": turn("tool_call", "openai_chat", {"type": "custom"}),
    "picture in details": turn("reasoning", "openai_chat", {"reasoning_details": [
        {"type": "image_url", "image_url": {"url": "http://a"}}]}),
    "role in details": turn("reasoning", "openai_chat", {"reasoning_details": [], "role": "system"}),
    "block of a wire that has none": turn("opaque", "openai_chat", {"type": "text", "text": "x"}),
    "wire that there is not": turn("opaque", "cohere", {"a": 1}),
    "more fields": turn("text", "gemini", {"thoughtSignature": "x"}, more=1),
    "no object": turn("text", "gemini", "x"),
}  # fmt: skip


LINKS: dict[str, Any] = {
    "ours": {"type": "file", "url": "http://10.0.0.1/a.png"},
    "OpenAI": {"type": "image_url", "image_url": {"url": "http://10.0.0.1/a.png"}},
    "Anthropic": {"type": "image", "source": {"type": "url", "url": "http://10.0.0.1/a.png"}},
}


@pytest.mark.parametrize("way", LINKS)
def test_addresses_that_a_provider_would_fetch(serve: Any, provider: ScriptedProvider, way: str) -> None:
    """A server in the operator's network would fetch any address in it."""
    server, before = serve(), len(provider.requests)
    called = {"role": "assistant", "content": [{"type": "tool_call", "id": "c", "name": "f", "arguments": {}}]}
    result = {"type": "tool_result", "tool_call_id": "c", "content": [LINKS[way], {"type": "image", "data": 5, "a": 1}]}
    results = [{"role": "user", "content": [result]}, {"role": "tool", "tool_call_id": "c", "content": [LINKS[way]]}]
    histories = [[{"role": "user", "content": [LINKS[way]]}], *([ASKED, called, each] for each in results)]
    for messages in histories[:1] if way == "ours" else histories:
        response = request("POST", server.url + "/v1/panels", json={"messages": messages, "prompt": "what?"})
        assert response.status_code == 422, response.text
        assert "not by an address" in response.json()["error"]["message"]
    assert len(provider.requests) == before
    if way == "ours":  # in a result, it is data: a tool may list files
        response = request("POST", server.url + "/v1/panels", json={"messages": histories[1], "prompt": "what?"})
        assert response.status_code == 200, response.text


def test_details_of_reasoning_that_no_provider_made(serve: Any, provider: ScriptedProvider) -> None:
    """They are opaque too, in the form of OpenRouter's clients."""
    said = {"role": "assistant", "content": "x", "reasoning_details": [{"type": "image_url", "url": "http://a"}]}
    response = request("POST", serve().url + "/v1/panels", json={"messages": [ASKED, said, ASKED]})
    assert (response.status_code, response.json()["error"]["code"]) == (422, "opaque_not_allowed")


HALF = "half of \ud83d an emoji"
ASKED_BY_HALF: dict[str, Any] = {
    "/v1/panels": {"prompt": HALF},
    "/v1/chat/completions": {"model": "openai", "stream": True, "messages": [{"role": "user", "content": HALF}]},
    "/adapters/ai-sdk/chat": {
        "id": "c",
        "messages": [{"id": "1", "role": "user", "parts": [{"type": "text", "text": HALF}]}],
    },
    "/adapters/ag-ui": {
        "threadId": "t",
        "runId": "r",
        "messages": [{"id": "1", "role": "user", "content": HALF}],
    },
}


@pytest.mark.parametrize("path", ASKED_BY_HALF)
def test_half_an_emoji_from_a_browser(serve: Any, provider: ScriptedProvider, path: str) -> None:
    """JavaScript cuts a string within an emoji, and its JSON has the half as an escape."""
    body = json.dumps(ASKED_BY_HALF[path])
    assert "\\ud83d" in body
    response = request("POST", serve().url + path, content=body, headers={"content-type": "application/json"})
    assert response.status_code == 200, response.text
    assert "half of \ufffd an emoji" in provider.requests[-1].body.decode()


@pytest.mark.parametrize("way", FOREIGN)
def test_opaque_parts_that_no_provider_made(serve: Any, provider: ScriptedProvider, way: str) -> None:
    server, before = serve(), len(provider.requests)
    said = FOREIGN[way]
    kept = {"id": "1", "role": "assistant", "parts": [{"type": "data-turn", "data": {"message": said}}]}
    question = {"id": "2", "role": "user", "parts": [{"type": "text", "text": "hi"}]}
    hidden = {"id": "1", "role": "assistant", "content": "so", "encryptedValue": json.dumps({"msgmodel": said})}
    run = {"threadId": "t", "runId": "r", "messages": [hidden, {"id": "2", "role": "user", "content": "hi"}]}
    for path, body in (
        ("/v1/panels", {"messages": [said, ASKED]}),
        ("/v1/panels", {"panels": [{"provider": "openai", "messages": [said, ASKED]}]}),
        ("/adapters/ai-sdk/chat", {"id": "c", "messages": [kept, question]}),
        ("/adapters/ag-ui", run),
    ):
        response = request("POST", server.url + path, json=body)
        assert (response.status_code, response.json()["error"]["code"]) == (422, "opaque_not_allowed"), response.text
        assert "content[0]" in response.json()["error"]["message"]
    assert len(provider.requests) == before


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "web_search"},
        {"type": "file_search", "vector_store_ids": ["vs_1"]},
        {"type": "mcp", "server_label": "s", "server_url": "https://mcp.example"},
        {"googleSearch": {}},
        {"function_declarations": [{"name": "f"}], "code_execution": {}, "x": 1},
    ],
)
def test_tools_that_the_provider_runs(serve: Any, provider: ScriptedProvider, tool: Any) -> None:
    """They cost money, and one reads the files of the operator's account: a client may pass functions alone."""
    server, before = serve(), len(provider.requests)
    run = {"threadId": "t", "runId": "r", "messages": [{"id": "2", "role": "user", "content": "hi"}]}
    for path, body in (
        ("/v1/panels", {"prompt": "hi", "options": {"tools": [tool]}}),
        ("/v1/panels", {"prompt": "hi", "panels": [{"provider": "openai", "tools": [{"name": "g"}, tool]}]}),
        ("/adapters/ag-ui", {**run, "forwardedProps": {"options": {"tools": [tool]}}}),
    ):
        response = request("POST", server.url + path, json=body)
        assert (response.status_code, response.json()["error"]["code"]) == (403, "tool_not_allowed"), response.text
    assert len(provider.requests) == before


@pytest.mark.skipif(not (SHARED / "streams").is_dir(), reason="the recorded streams are not here")
@pytest.mark.parametrize("wire", WIRES)
def test_what_providers_made_may_come_back(wire: str) -> None:
    """Every turn of every recorded reply, as a client gets it."""
    cases = sorted((SHARED / "streams" / wire).glob("*.sse"))
    turns = [json.loads(json.dumps(play(wire, [path.read_bytes()])[-1]["message"])) for path in cases]
    assert {path.stem: found for path, said in zip(cases, turns, strict=True) if (found := find_foreign([said]))} == {}
    assert sum("opaque" in json.dumps(said) for said in turns) > 10


@pytest.mark.parametrize("kind", ["code_execution", "bash_code_execution"])
def test_a_file_that_code_wrote_may_come_back(kind: str) -> None:
    found = {"type": f"{kind}_result", "return_code": 0, "content": [{"type": f"{kind}_output", "file_id": "file_1"}]}
    block = {"type": f"{kind}_tool_result", "tool_use_id": "1", "content": found}
    assert find_foreign([turn("opaque", "anthropic", block)]) == ""


@pytest.mark.parametrize("asked", ["openai", "anthropic", "gemini"])
def test_a_conversation_goes_on(serve: Any, provider: ScriptedProvider, asked: str) -> None:
    """With what is opaque in it, which the provider gets back as it was."""
    provider.say(Reply("3", reasoning="Let me see.", tool_calls=[{"id": "c1", "name": "f", "arguments": {"a": 1}}]))
    server = serve()
    tools = [{"name": "f", "description": "", "parameters": schema()}]
    body = {"prompt": "hi", "panels": [{"provider": asked, "reasoning": "low"}], "options": {"tools": tools}}
    with opened("POST", f"{server.url}/v1/panels", json=body) as stream:
        said = stream.rest()[-1].data["message"]
    provider.say("4")
    results = {"role": "tool", "tool_call_id": "c1", "content": "2"}
    body["messages"] = [ASKED, said, results, ASKED]  # type: ignore[assignment]
    response = request("POST", f"{server.url}/v1/panels", json=body)
    assert response.status_code == 200, response.text
    assert '"panel_final"' in response.text


def large(server: Uvicorn, token: str, sent: int | None = None) -> tuple[socket.socket, bytes]:
    """A connection with a request of 300,000 bytes, of which some are sent; and the rest."""
    body = json.dumps({"prompt": "hi", "files": [{"name": "a.txt", "data": "QUFB" * 75_000}]}).encode()
    head = f"POST /v1/panels HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\nconnection: close\r\n"
    head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=BUSY)
    connection.sendall(head.encode() + body[:sent])
    return connection, b"" if sent is None else body[sent:]


def test_large_bodies_of_one_client_take_turns(provider: ScriptedProvider) -> None:
    """All that it may have in the server's hands is one body of the largest size; others wait, unread."""
    provider.say("Hello")
    alice, bob = TOKENS
    app = create_app(Settings(tokens=TOKENS, max_body_bytes=400_000))
    bodies = app.state.msgmodel.guard.bodies
    with Uvicorn(app) as server, ExitStack() as stack:
        slow, rest = large(server, alice, 100_000)
        stack.enter_context(slow)
        wait_for(lambda: bodies._taken)
        waiting = [stack.enter_context(large(server, alice, 1000)[0]) for _ in range(MAX_WAITING)]
        wait_for(lambda: sum(map(len, bodies._waiting.values())) == MAX_WAITING)
        refused = stack.enter_context(large(server, alice, 1000)[0])
        assert refused.recv(65536).startswith(b"HTTP/1.1 429 ")
        other = stack.enter_context(large(server, bob)[0])
        assert other.recv(65536).startswith(b"HTTP/1.1 200 ")
        small = request("POST", f"{server.url}/v1/panels", json={"prompt": "hi"}, headers=bearer(alice))
        assert small.status_code == 200
        for connection in waiting:
            connection.setblocking(False)
            with pytest.raises(BlockingIOError):
                connection.recv(1)
            connection.close()
        slow.sendall(rest)
        assert slow.recv(65536).startswith(b"HTTP/1.1 200 ")
        wait_for(lambda: not bodies._waiting)
    assert not bodies._taken
