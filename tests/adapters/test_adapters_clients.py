"""The adapters against the real clients: each must end in the state that its reader's program would want to see.

They are not the library's: `python tests/clients/install.py` installs them. The bytes come from a real socket.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from clients import install
from clients.scenarios import BOOK, CALL, HALF, MEDIA, ONE, SUN, TURN, TWO, delta, final, retry
from msgmodel.adapters import ag_ui, ai_sdk, openai_chat
from msgmodel.testing import Received, Script, ScriptedServer

if not install.STAMP.is_file() or install.STAMP.read_text("utf-8") != install.installed():
    pytest.skip("the clients are not here: python tests/clients/install.py", allow_module_level=True)

HERE = Path(install.__file__).parent
ALL = ONE | TWO
BROKE = "the stream ended before its last event"


def panels(name: str) -> int:
    return 2 if name in TWO else 1


def run(*command: str | Path) -> Any:
    """What a client prints. The scripts are copied to where their packages are: Node looks for them from there."""
    for script in HERE.glob("*.mjs"):
        (install.CLIENTS / script.name).write_bytes(script.read_bytes())
    ran = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=install.CLIENTS, timeout=100)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def serve(answer: Callable[[Received], bytes | Script]) -> Callable[[Received], Script]:
    def script(request: Received) -> Script:
        said = answer(request)
        return said if isinstance(said, Script) else Script.body(said, pieces=7)

    return script


def test_no_private_registry_in_the_lock() -> None:
    assert "resolved" not in (HERE / "package-lock.json").read_text("utf-8")


# --- the AI SDK ---


class Conversation:
    """Answers as a server would: by the request that the real client posts, which it keeps."""

    def __init__(self, target: Any) -> None:
        self.target = target
        self.read: dict[str, list[ai_sdk.Request]] = {}

    def __call__(self, request: Received) -> bytes:
        name = request.path.strip("/")
        self.read.setdefault(name, []).append(ai_sdk.read(request.body))
        posted = self.read[name]
        if name in ("loop", "again"):
            events = ONE["rich"] if len(posted) == 1 else [delta("21 degrees."), final("21 degrees.")]
        else:
            events = ALL[name]
        chunks = {"message_id": posted[-1].message_id, "call_ids": posted[-1].call_ids, "panels": panels(name)}
        return b"".join(ai_sdk.encode(events, target=self.target, **chunks))


@pytest.fixture(scope="module", params=get_args(ai_sdk.Target))
def chat(request: pytest.FixtureRequest, shared_server: ScriptedServer) -> tuple[str, Any, Conversation]:
    target = request.param
    conversation = Conversation(target)
    shared_server.forget()
    shared_server.say(serve(conversation))
    command = (install.node(), install.CLIENTS / "ai_sdk.mjs", f"ai{target[1:]}", shared_server.url)
    return target, run(*command, *ALL, "loop", "again"), conversation


def short(seen: Any) -> tuple[Any, ...]:
    """Status, finish reason, whether it is an error, what went to onError, and how our metadata names it."""
    (finish,) = seen["onFinish"]
    assert not finish["isAbort"]
    assert not finish["isDisconnect"]
    ours = seen["messages"][-1]["metadata"]["msgmodel"]
    return seen["status"], finish.get("finishReason"), finish["isError"], seen["onError"], ours["status"]


def parts(message: Any) -> list[tuple[Any, ...]]:
    """The parts that a user would see, and whether they are whole."""
    found: list[tuple[Any, ...]] = []
    for part in message["parts"]:
        kind = part["type"]
        if kind in ("text", "reasoning"):
            ours = part["providerMetadata"]["msgmodel"]
            found.append((kind, part["text"], part["state"], ours["panel_id"], *(["refusal"] * ("refusal" in ours))))
        elif kind == "data-panel":
            found.append((kind, part["id"], part["data"]["status"], part["data"]["code"]))
        elif kind == "dynamic-tool":
            found.append((kind, part["toolCallId"], part["state"], part.get("input"), part.get("output")))
        elif kind == "source-url":
            found.append((kind, part["url"], part["title"]))
        elif kind == "source-document":
            found.append((kind, part["title"]))
        else:
            found.append((kind,))
    return found


def test_ai_sdk_endings(chat: tuple[str, Any, Conversation]) -> None:
    target, seen, _ = chat
    broken = "interrupted" if target == "v7" else "other"
    assert {name: short(seen[name]) for name in ALL} == {
        "complete": ("ready", "stop", False, [], "complete"),
        "truncated": ("ready", "length", False, [], "truncated"),
        "filtered": ("ready", "content-filter", False, [], "filtered"),
        "tool_calls": ("ready", "tool-calls", False, [], "tool_calls"),
        "interrupted": ("ready", broken, False, [], "error"),
        "broken_off": ("ready", broken, False, [], "error"),
        "refused": ("error", None, True, ["It was rate_limit."], "error"),
        "failed": ("error", None, True, ["It was overloaded."], "error"),
        # What the client says of an abort is what it says of a stream without an end: only the metadata tells.
        "cancelled": ("ready", None, False, [], "error"),
        "fallback": ("ready", "stop", False, [], "complete"),
        "rich": ("ready", "tool-calls", False, [], "tool_calls"),
        "one_fails": ("ready", "other", False, [], "mixed"),
        "both_fail": ("error", None, True, ["left: It was quota.\nright: It was overloaded."], "error"),
        "both_complete": ("ready", "stop", False, [], "complete"),
    }


def test_ai_sdk_parts(chat: tuple[str, Any, Conversation]) -> None:
    target, seen, _ = chat
    step = ("step-start",)

    def panel(status: str, code: str | None = None, id: str = "p") -> tuple[Any, ...]:
        return ("data-panel", id, status, code)

    hel = ("text", "Hel", "done", "p")
    oslo = ("dynamic-tool", "c1", "input-available", {"city": "Oslo"}, None)
    hm = () if target == "v7" else (("reasoning", "Hm", "done", "p"),)
    assert {name: parts(seen[name]["messages"][-1]) for name in ALL} == {
        "complete": [step, panel("complete"), ("text", "Hello", "done", "p")],
        "truncated": [step, panel("truncated"), hel],
        "filtered": [
            step,
            panel("filtered"),
            ("text", "I will ", "done", "p"),
            ("text", "I can't.", "done", "p", "refusal"),
        ],
        "tool_calls": [step, panel("tool_calls"), oslo],
        "interrupted": [step, panel("error", "interrupted"), hel],
        "broken_off": [step, panel("error", "interrupted"), hel],
        "refused": [step, panel("error", "rate_limit")],
        "failed": [step, panel("error", "overloaded"), hel],
        "cancelled": [step, panel("error", "cancelled"), hel],
        "fallback": [step, panel("complete"), *hm, ("text", "Hello", "done", "p")],
        "rich": [
            step,
            panel("tool_calls"),
            ("reasoning", "Let me see.", "done", "p"),
            ("text", "Sunny.", "done", "p"),
            ("source-url", SUN["url"], SUN["title"]),
            ("source-document", BOOK["text"]),
            oslo,
            ("dynamic-tool", "c2", "output-error", '{"ci', None),
            ("data-turn",),
        ],
        "one_fails": [
            step,
            panel("complete", id="left"),
            ("text", "Left whole", "done", "left"),
            panel("error", "overloaded", id="right"),
            ("text", "Right", "done", "right"),
        ],
        "both_fail": [step, panel("error", "quota", id="left"), panel("error", "overloaded", id="right")],
        "both_complete": [
            step,
            panel("complete", id="left"),
            ("text", "L", "done", "left"),
            panel("complete", id="right"),
            ("text", "R", "done", "right"),
        ],
    }
    assert seen["fallback"]["onData"] == [{key: value for key, value in retry("fallback").items() if key != "event"}]
    assert seen["rich"]["onToolCall"] == [["c1", "weather", {"city": "Oslo"}]]


def test_ai_sdk_the_client_posts_what_tools_gave(chat: tuple[str, Any, Conversation]) -> None:
    """And the reply goes on in the same message; the sealed turn comes back byte for byte."""
    _, seen, conversation = chat
    first, second = conversation.read["loop"]
    hi = {"role": "user", "content": [{"type": "text", "text": "Hi"}]}
    result = {"type": "tool_result", "tool_call_id": "c1", "content": {"degrees": 21}}
    assert (first.chat_id, first.trigger, first.message_id, first.messages) == ("chat-1", "submit-message", None, [hi])
    assert second.messages == [hi, {"role": "assistant", "content": TURN}, {"role": "tool", "content": [result]}]
    (message,) = seen["loop"]["messages"]
    assert second.message_id == message["id"]
    assert [part for part in parts(message) if part[0] in ("dynamic-tool", "text", "step-start")] == [
        ("step-start",),
        ("text", "Sunny.", "done", "p"),
        ("dynamic-tool", "c1", "output-available", {"city": "Oslo"}, {"degrees": 21}),
        ("dynamic-tool", "c2", "output-error", '{"ci', None),
        ("step-start",),
        ("text", "21 degrees.", "done", "p"),
    ]
    assert message["metadata"]["msgmodel"]["status"] == "complete"


def test_ai_sdk_a_question_instead_of_a_result(chat: tuple[str, Any, Conversation]) -> None:
    _, _, conversation = chat
    _, turn, more = conversation.read["again"][-1].messages
    assert turn == {"role": "assistant", "content": TURN, "partial": True}
    assert more == {"role": "user", "content": [{"type": "text", "text": "And?"}]}


def test_why_there_is_a_target(server: ScriptedServer) -> None:
    """A client of v6 takes the word `interrupted` for a broken protocol."""
    server.say(serve(lambda request: b"".join(ai_sdk.encode(ONE["interrupted"], target="v7"))))
    seen = run(install.node(), install.CLIENTS / "ai_sdk.mjs", "ai6", server.url, "interrupted")
    assert seen["interrupted"]["status"] == "error"


@pytest.mark.parametrize("target", get_args(ai_sdk.Target))
def test_ai_sdk_shows_media_and_runs_nothing(target: Any, server: ScriptedServer) -> None:
    read: list[ai_sdk.Request] = []

    def respond(request: Received) -> bytes:
        read.append(ai_sdk.read(request.body))
        events = MEDIA if len(read) == 1 else [delta("Well."), final("Well.")]
        return b"".join(ai_sdk.encode(events, target=target, message_id="m", call_ids=read[-1].call_ids))

    server.say(serve(respond))
    seen = run(install.node(), install.CLIENTS / "ai_sdk.mjs", f"ai{target[1:]}", server.url, "media")["media"]
    assert (seen["onToolCall"], seen["onError"], seen["status"]) == ([], [], "ready")
    found = {part["type"]: part for message in seen["messages"] for part in message["parts"]}
    assert found["file"]["url"] == "data:image/png;base64,AAAA"
    tools = [part for part in seen["messages"][0]["parts"] if part["type"] == "dynamic-tool"]
    assert (tools[0]["state"], tools[0]["output"], tools[0]["providerExecuted"]) == ("output-available", "Salty.", True)
    assert found["data-call"]["data"]["kind"] == ("approval" if target == "v5" else "shell")
    if target != "v5":
        assert read[1].messages[-1]["content"] == [
            {"type": "tool_result", "tool_call_id": "a", "content": {"approve": False, "reason": "no"}}
        ]


# --- AG-UI ---


@pytest.fixture(scope="module")
def agent(shared_server: ScriptedServer) -> tuple[Any, list[ag_ui.Request]]:
    read: list[ag_ui.Request] = []

    def answer(request: Received) -> bytes:
        name = request.path.strip("/")
        found = ag_ui.read(request.body)
        if name == "again":
            read.append(found)
            return b"".join(ag_ui.encode(ONE["rich"], found.thread_id, found.run_id, call_ids=found.call_ids))
        return b"".join(ag_ui.encode(ALL[name], found.thread_id, found.run_id, panels=panels(name)))

    shared_server.forget()
    shared_server.say(serve(answer))
    return run(install.node(), install.CLIENTS / "ag_ui.mjs", shared_server.url, *ALL, "again"), read


def test_ag_ui_endings(agent: tuple[Any, list[ag_ui.Request]]) -> None:
    """The outcome of the run, what onRunErrorEvent got, the statuses in the result, and each msgmodel.finish."""
    seen, _ = agent

    def short(name: str) -> tuple[Any, ...]:
        found = seen[name]
        assert found["rejected"] is None
        assert found["warnings"] == []
        outcomes = [outcome for outcome, _ in found["finished"]]
        finishes = [value["code"] or value["status"] for kind, value in found["custom"] if kind == "msgmodel.finish"]
        result = found["result"] and found["result"]["status"]
        return outcomes, found["errors"], result, finishes, found["subagents"]

    success, waits = {"type": "success"}, {"type": "success", "pendingToolCallIds": ["c1"]}
    assert {name: short(name) for name in ALL} == {
        "complete": ([success], [], "complete", ["complete"], []),
        "truncated": ([success], [], "truncated", ["truncated"], []),
        "filtered": ([success], [], "filtered", ["filtered"], []),
        "tool_calls": ([waits], [], "tool_calls", ["tool_calls"], []),
        "interrupted": ([], [["It was interrupted.", "interrupted"]], None, ["interrupted"], []),
        "broken_off": ([], [[BROKE, "interrupted"]], None, ["interrupted"], []),
        "refused": ([], [["It was rate_limit.", "rate_limit"]], None, ["rate_limit"], []),
        "failed": ([], [["It was overloaded.", "overloaded"]], None, ["overloaded"], []),
        "cancelled": ([{"type": "cancelled"}], [], None, ["cancelled"], []),
        "fallback": ([success], [], "complete", ["complete"], []),
        "rich": ([waits], [], "tool_calls", ["tool_calls"], []),
        "one_fails": (
            [success],
            [],
            "mixed",
            ["overloaded", "complete"],
            [["right", "overloaded"], ["left", "complete"]],
        ),
        "both_fail": (
            [],
            [["It was quota.; It was overloaded.", "quota"]],
            None,
            ["quota", "overloaded"],
            [["left", "quota"], ["right", "overloaded"]],
        ),
        "both_complete": (
            [success],
            [],
            "complete",
            ["complete", "complete"],
            [["right", "complete"], ["left", "complete"]],
        ),
    }


def test_ag_ui_messages(agent: tuple[Any, list[ag_ui.Request]]) -> None:
    seen, _ = agent

    def texts(name: str) -> list[tuple[Any, ...]]:
        found = seen[name]["messages"]
        keys = ("role", "content", "subagentRunId")
        return [tuple(message[key] for key in keys if key in message) for message in found]

    assert {name: texts(name) for name in ALL} == {
        "complete": [("assistant", "Hello")],
        "truncated": [("assistant", "Hel")],
        "filtered": [("assistant", "I will "), ("assistant", "I can't.")],
        "tool_calls": [("assistant",)],
        "interrupted": [("assistant", "Hel")],
        "broken_off": [("assistant", "Hel")],
        "refused": [],
        "failed": [("assistant", "Hel")],
        "cancelled": [("assistant", "Hel")],
        "fallback": [("reasoning", "Hm"), ("assistant", "Hello")],
        "rich": [("reasoning", "Let me see."), ("assistant", "Sunny.")],
        "one_fails": [("assistant", "Left whole", "left"), ("assistant", "Right", "right")],
        "both_fail": [],
        "both_complete": [("assistant", "L", "left"), ("assistant", "R", "right")],
    }
    called = [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": CALL["arguments"]}}]
    assert seen["rich"]["messages"][1]["toolCalls"] == called
    customs = [(name, value) for name, value in seen["rich"]["custom"] if name != "msgmodel.finish"]
    assert customs == [
        (f"msgmodel.{name}", {key: value for key, value in event.items() if key != "event"})
        for name, event in (("source", SUN), ("source", BOOK), ("incomplete_tool_call", HALF))
    ]


def test_ag_ui_the_client_posts_the_sealed_turn(agent: tuple[Any, list[ag_ui.Request]]) -> None:
    _, (first, second) = agent
    hi = {"role": "user", "content": [{"type": "text", "text": "Hi"}]}
    assert (first.thread_id, first.run_id, first.messages, first.tools) == ("t", "r", [hi], [])
    assert second.messages == [hi, {"role": "assistant", "content": TURN, "partial": True}]


def test_ag_ui_the_same_id_of_a_call_in_the_next_run(agent: tuple[Any, list[ag_ui.Request]]) -> None:
    """The client would take it for the first one, and drop it."""
    seen, _ = agent
    calls = [call["id"] for message in seen["again"]["messages"] for call in message.get("toolCalls", [])]
    assert calls == ["c1", "c1_2"]


# --- OpenAI ---

ARGUMENTS: Any = {"id": "chatcmpl-1", "created": 1795000000, "model": "anthropic/claude"}


def answer_openai(request: Received) -> bytes | Script:
    events = ONE[request.headers["x-scenario"]]
    read = openai_chat.read(request.body)
    assert read.arguments["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]
    if read.stream:
        return b"".join(openai_chat.encode(events, **ARGUMENTS, include_usage=read.include_usage))
    end = events[-1]
    if end["event"] == "panel_final":
        return Script.json(200, openai_chat.completion(end, **ARGUMENTS))
    return Script.json(openai_chat.status_of(end), openai_chat.error(end))


def ask_openai(server: ScriptedServer, mode: str, names: list[str]) -> Any:
    server.say(serve(answer_openai))
    return run(install.PYTHON, HERE / "openai_chat.py", server.url, mode, *names)


def came(content: str | None, reason: str | None, status: str, **more: Any) -> dict[str, Any]:
    return {
        "content": content,
        "finish_reason": reason,
        "raised": None,
        "status": status,
        "total_tokens": 46,
        **more,
    }


CALLED = {"calls": [["c1", '{"city": "Oslo"}']]}
PIECES = [["c1", '{"city"'], [None, ': "Oslo"'], [None, "}"], ["c2", '{"c']]
RICH = came("Sunny.", "tool_calls", "tool_calls", reasoning="Let me see.", urls=["https://example.test/sun"], **CALLED)


def test_openai_streams(server: ScriptedServer) -> None:
    def raised(content: str, text: str, code: str) -> dict[str, Any]:
        return {"content": content, "finish_reason": None, "raised": ["APIError", text, code, None]}

    assert ask_openai(server, "stream", list(ONE)) == {
        "complete": came("Hello", "stop", "complete"),
        "truncated": came("Hel", "length", "truncated"),
        "filtered": came("I will \n\nI can't.", "content_filter", "filtered", refusal="I can't."),
        "tool_calls": came("", "tool_calls", "tool_calls", **CALLED),
        "interrupted": raised("Hel", "It was interrupted.", "interrupted"),
        "broken_off": raised("Hel", BROKE, "interrupted"),
        "refused": raised("", "It was rate_limit.", "rate_limit_exceeded"),
        "failed": raised("Hel", "It was overloaded.", "overloaded"),
        "cancelled": raised("Hel", "It was cancelled.", "cancelled"),
        "fallback": came("Hello", "stop", "complete", reasoning="Hm"),
        "rich": RICH | {"finish_reason": "length", "calls": PIECES},  # the second call was cut, and is no JSON
    }


def test_openai_completions(server: ScriptedServer) -> None:
    def raised(kind: str, status: int, text: str, code: str) -> dict[str, Any]:
        return {"content": "", "finish_reason": None, "raised": [kind, f"Error code: {status} - {text}", code, status]}

    assert ask_openai(server, "whole", [name for name in ONE if name != "broken_off"]) == {
        "complete": came("Hello", "stop", "complete"),
        "truncated": came("Hel", "length", "truncated"),
        "filtered": came("I will \n\nI can't.", "content_filter", "filtered", refusal="I can't."),
        "tool_calls": came(None, "tool_calls", "tool_calls", **CALLED),
        "interrupted": raised("InternalServerError", 502, "It was interrupted.", "interrupted"),
        "refused": raised("RateLimitError", 429, "It was rate_limit.", "rate_limit_exceeded"),
        "failed": raised("InternalServerError", 503, "It was overloaded.", "overloaded"),
        "cancelled": raised("APIStatusError", 499, "It was cancelled.", "cancelled"),
        "fallback": came("Hello", "stop", "complete"),
        "rich": RICH,
    }
