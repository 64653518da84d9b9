"""Calls that the application must answer and that are not functions: shown, waited for, answered in their own shape."""

from __future__ import annotations

from typing import Any

import pytest

from msgmodel import ConfigurationError, Conversation
from msgmodel.conversation import NOT_RUN
from msgmodel.testing import ScriptedProvider
from msgmodel.testing.server import Script
from pure import play, stream

COMPLETED = {"type": "response.completed", "response": {"status": "completed"}}
CHECK = {"id": "cu_sc_1", "code": "malicious_instructions", "message": "Careful."}
PATCH = {"type": "update_file", "path": "a.py", "diff": "@@\n-a\n+b"}
SHELL = {"commands": ["ls"], "timeout_ms": 1000, "max_output_length": 4096}

ITEMS: dict[str, dict[str, Any]] = {
    "computer": {
        "type": "computer_call",
        "id": "cu_1",
        "call_id": "c1",
        "action": {"type": "click", "x": 1, "y": 2},
        "pending_safety_checks": [CHECK],
    },
    "local_shell": {"type": "local_shell_call", "id": "ls_1", "call_id": "c2", "action": {"command": ["ls"]}},
    "shell": {"type": "shell_call", "id": "sh_1", "call_id": "c3", "action": SHELL, "environment": {"type": "local"}},
    "apply_patch": {"type": "apply_patch_call", "id": "ap_1", "call_id": "c4", "operation": PATCH},
    "tool_search": {
        "type": "tool_search_call",
        "id": "ts_1",
        "call_id": "c5",
        "execution": "client",
        "arguments": {"query": "weather"},
    },
    "approval": {
        "type": "mcp_approval_request",
        "id": "mcpr_1",
        "server_label": "files",
        "name": "delete_all",
        "arguments": '{"path": "/"}',
    },
}
ACTIONS: dict[str, tuple[str, str, Any]] = {
    "computer": ("c1", "computer", {"action": {"type": "click", "x": 1, "y": 2}, "pending_safety_checks": [CHECK]}),
    "local_shell": ("c2", "local_shell", {"command": ["ls"]}),
    "shell": ("c3", "shell", SHELL),
    "apply_patch": ("c4", "apply_patch", PATCH),
    "tool_search": ("c5", "tool_search", {"query": "weather"}),
    "approval": ("mcpr_1", "delete_all", {"server_label": "files", "name": "delete_all", "arguments": '{"path": "/"}'}),
}
SCREEN = {"type": "computer_screenshot", "image_url": "data:image/png;base64,AAAA"}
ANSWERS: list[tuple[str, Any, bool, dict[str, Any]]] = [
    (
        "computer",
        SCREEN,
        False,
        {"type": "computer_call_output", "call_id": "c1", "output": SCREEN, "acknowledged_safety_checks": [CHECK]},
    ),
    ("local_shell", "a\nb", False, {"type": "local_shell_call_output", "id": "c2", "output": "a\nb"}),
    (
        "shell",
        "a\nb",
        False,
        {
            "type": "shell_call_output",
            "call_id": "c3",
            "output": [{"stdout": "a\nb", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}],
            "max_output_length": 4096,
        },
    ),
    (
        "shell",
        "not found",
        True,
        {
            "type": "shell_call_output",
            "call_id": "c3",
            "output": [{"stdout": "", "stderr": "not found", "outcome": {"type": "exit", "exit_code": 1}}],
            "max_output_length": 4096,
        },
    ),
    ("apply_patch", "", False, {"type": "apply_patch_call_output", "call_id": "c4", "status": "completed"}),
    (
        "apply_patch",
        "no such file",
        True,
        {"type": "apply_patch_call_output", "call_id": "c4", "status": "failed", "output": "no such file"},
    ),
    (
        "tool_search",
        [{"type": "function", "name": "weather"}],
        False,
        {
            "type": "tool_search_output",
            "call_id": "c5",
            "execution": "client",
            "status": "completed",
            "tools": [{"type": "function", "name": "weather"}],
        },
    ),
    ("approval", True, False, {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True}),
    (
        "approval",
        {"approve": False, "reason": "not that folder"},
        False,
        {
            "type": "mcp_approval_response",
            "approval_request_id": "mcpr_1",
            "approve": False,
            "reason": "not that folder",
        },
    ),
]


def with_item(item: dict[str, Any]) -> bytes:
    places = ({"type": f"response.output_item.{kind}", "output_index": 0, "item": item} for kind in ("added", "done"))
    return stream(*places, COMPLETED)


@pytest.mark.parametrize("kind", ITEMS)
def test_a_call_of_each_kind_is_shown_and_waited_for(kind: str) -> None:
    *shown, last = play("openai_responses", [with_item(ITEMS[kind])])
    id, name, action = ACTIONS[kind]
    (event,) = shown
    assert (event["event"], event["id"], event["name"], event["kind"]) == ("panel_tool_call", id, name, kind)
    assert (event["arguments_json"], event["complete"]) == (action, True)
    assert (last["status"], last["untold"], [call["kind"] for call in last["tool_calls"]]) == ("tool_calls", [], [kind])


@pytest.mark.parametrize(("kind", "content", "is_error", "expected"), ANSWERS)
def test_an_answer_has_the_shape_of_its_call(
    provider: ScriptedProvider, kind: str, content: Any, is_error: bool, expected: dict[str, Any]
) -> None:
    provider.say(Script.body(with_item(ITEMS[kind])), "ok")
    chat = Conversation("openai", config=provider.config("openai_responses"))
    (call,) = chat.query("hi").tool_calls
    chat.add_tool_result(call["id"], content, is_error=is_error)
    chat.query()
    assert provider.requests[-1].json["input"][1:] == [ITEMS[kind], expected]


def test_an_approval_wants_a_decision(provider: ScriptedProvider) -> None:
    provider.say(Script.body(with_item(ITEMS["approval"])), "ok")
    chat = Conversation("openai", config=provider.config("openai_responses"))
    chat.query("hi")
    chat.add_tool_result("mcpr_1", "go ahead")
    with pytest.raises(ConfigurationError, match="must be true, false"):
        chat.query()


@pytest.mark.parametrize("kind", ITEMS)
def test_another_question_leaves_no_call_without_an_answer(kind: str, provider: ScriptedProvider) -> None:
    """The user asks something else: what waits is answered as not run, in the shape that the API wants."""
    provider.say(Script.body(with_item(ITEMS[kind])), "ok")
    conversation = Conversation("openai", config=provider.config("openai_responses"))
    conversation.query("Go")
    assert conversation.query("Never mind.").text == "ok"
    sent = provider.requests[-1].json["input"]
    (answer,) = [item for item in sent if item["type"].endswith(("_output", "_response"))]
    assert (answer.get("approve"), answer.get("reason")) == ((False, NOT_RUN) if kind == "approval" else (None, None))
    if kind == "computer":
        assert answer["output"]["image_url"].startswith("data:image/png;base64,iVBOR")


@pytest.mark.parametrize("kind", ITEMS)
def test_a_call_is_not_complete_without_its_end(kind: str) -> None:
    """A limit right behind the call cuts it, as it cuts a function call."""
    end = {"type": "response.incomplete", "response": {"status": "incomplete"}}
    done = {"type": "response.output_item.done", "output_index": 0, "item": ITEMS[kind] | {"status": "incomplete"}}
    last = play("openai_responses", [stream(done, end)])[-1]
    assert [call["complete"] for call in last["tool_calls"]] == [False]


@pytest.mark.parametrize(
    "item",
    [
        {"type": "shell_call", "call_id": "c", "action": SHELL, "environment": {"type": "container_reference"}},
        {"type": "tool_search_call", "call_id": "c", "execution": "server", "arguments": {}},
    ],
)
def test_what_the_provider_runs_itself_waits_for_none(item: dict[str, Any]) -> None:
    last = play("openai_responses", [with_item(item)])[-1]
    assert (last["status"], [run["status"] for run in last["tool_runs"]]) == ("complete", ["done"])


@pytest.mark.parametrize("kind", ["telepathy_call", "hologram"])
def test_an_item_of_an_unknown_type_is_named(kind: str) -> None:
    item = {"type": kind, "id": "x"}
    last = play("openai_responses", [with_item(item)])[-1]
    assert (last["status"], last["untold"], last["empty"]) == ("unknown", [kind], True)
    message = {"type": "response.output_text.delta", "output_index": 1, "delta": "Hi"}
    done = {"type": "response.output_item.done", "output_index": 0, "item": item}
    last = play("openai_responses", [stream(done, message, COMPLETED)])[-1]
    assert (last["status"], last["untold"]) == ("complete", [kind])


def test_an_unknown_block_of_anthropic_is_named() -> None:
    start = {"type": "content_block_start", "index": 0, "content_block": {"type": "hologram", "data": "x"}}
    stop = {"type": "content_block_stop", "index": 0}
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}
    last = play("anthropic", [stream(start, stop, end, {"type": "message_stop"})])[-1]
    assert (last["status"], last["untold"]) == ("unknown", ["hologram"])
