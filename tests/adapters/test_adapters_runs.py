"""Runs of tools through the adapters: what their protocols say of results, progress, rounds and approvals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from clients import install
from msgmodel import run_tools
from msgmodel.adapters import ag_ui, ai_sdk
from msgmodel.testing import Reply, Script, ScriptedProvider, ScriptedServer

MADE = [
    {"id": "c1", "name": "count", "arguments": {"to": 2}},
    {"id": "c2", "name": "look", "arguments": {"place": 3}},
]


def count(to: int) -> Iterator[str]:
    """Count."""
    yield from (f"{number} " for number in range(to))


def look(place: str) -> dict[str, Any]:
    """Look."""
    return {"place": place, "sunny": True}


def events_of_run(**options: Any) -> list[Any]:
    """Two rounds with calls, one of which repeats the id of another, and an answer."""
    with ScriptedProvider() as provider:
        again = [{"id": "c1", "name": "look", "arguments": {"place": "Oslo"}}]
        provider.say(Reply("Let me see.", tool_calls=MADE), Reply(tool_calls=again), "It is sunny.")
        config = provider.config("openai_chat")
        return list(run_tools("openai", "Hi", config=config, tools=[count, look], panel_id="p", **options))


def chunks(maker: Any, events: list[Any]) -> list[Any]:
    return [*maker.start(), *(chunk for event in events for chunk in maker.feed(event)), *maker.end()]


def test_the_ai_sdk_has_a_step_for_each_round() -> None:
    sent = chunks(ai_sdk.Chunks(), events_of_run())
    words = [
        (chunk["type"], chunk.get("toolCallId"), chunk.get("output", chunk.get("errorText")))
        for chunk in sent
        if chunk["type"].startswith("tool-output")
    ]
    assert sorted(words[:4], key=str) == sorted(
        [
            ("tool-output-available", "c1", "0 "),
            ("tool-output-available", "c1", "0 1 "),
            ("tool-output-available", "c1", "0 1 "),
            (
                "tool-output-error",
                "c2",
                "the arguments do not fit the tool: Expected `str`, got `int` - at `$.place`; call it again with other "
                "arguments",
            ),
        ],
        key=str,
    )
    assert words[4:] == [("tool-output-available", "c1_2", {"place": "Oslo", "sunny": True})]
    assert [chunk.get("preliminary") for chunk in sent if chunk.get("toolCallId") == "c1" and "output" in chunk] == [
        True,
        True,
        None,
    ]
    types = [chunk["type"] for chunk in sent]
    assert types.count("start-step") == types.count("finish-step") == 3


@pytest.mark.parametrize(("target", "count"), [("v5", 0), ("v6", 1), ("v7", 1)])
def test_the_ai_sdk_asks_for_an_approval(target: Any, count: int) -> None:
    sent = chunks(ai_sdk.Chunks(target=target), events_of_run(approval=["count"]))
    asked = [chunk for chunk in sent if chunk["type"] == "tool-approval-request"]
    assert asked == [{"type": "tool-approval-request", "approvalId": "c1", "toolCallId": "c1"}] * count
    assert sent[-1]["finishReason"] == "tool-calls"


def test_ag_ui_has_a_message_and_a_step_for_each_round() -> None:
    sent = chunks(ag_ui.Chunks("t", "r"), events_of_run())
    results = [(chunk["toolCallId"], chunk["content"]) for chunk in sent if chunk["type"] == "TOOL_CALL_RESULT"]
    assert ("c1", "0 1 ") in results
    assert results[-1] == ("c1_2", '{"place":"Oslo","sunny":true}')
    steps = [(chunk["type"], chunk["stepName"]) for chunk in sent if "stepName" in chunk]
    assert steps == [
        ("STEP_STARTED", "round 2"),
        ("STEP_FINISHED", "round 2"),
        ("STEP_STARTED", "round 3"),
        ("STEP_FINISHED", "round 3"),
    ]
    starts = [chunk["messageId"] for chunk in sent if chunk["type"] == "TEXT_MESSAGE_START"]
    assert starts == ["r-p", "r-p-3"]
    assert sent[-1]["outcome"] == {"type": "success"}


def test_ag_ui_names_the_calls_that_wait() -> None:
    sent = chunks(ag_ui.Chunks("t", "r"), events_of_run(approval=["count"]))
    assert sent[-1]["outcome"] == {"type": "success", "pendingToolCallIds": ["c1"]}


# --- the real clients ---

needs_clients = pytest.mark.skipif(
    not install.STAMP.is_file() or install.STAMP.read_text("utf-8") != install.installed(),
    reason="the clients are not here: python tests/clients/install.py",
)


def seen_by(server: ScriptedServer, body: bytes, *command: str) -> Any:
    from test_adapters_clients import run

    server.say(Script.body(body, pieces=7))
    return run(install.node(), *command, server.url, "run")["run"]


@needs_clients
@pytest.mark.parametrize(("package", "target"), [("ai5", "v5"), ("ai6", "v6"), ("ai7", "v7")])
def test_use_chat_shows_the_results_and_posts_all_rounds(server: ScriptedServer, package: str, target: Any) -> None:
    seen = seen_by(server, b"".join(ai_sdk.encode(events_of_run(), target=target)), "ai_sdk.mjs", package)
    assert (seen["status"], seen["onError"]) == ("ready", [])
    (message,) = seen["messages"]
    tools = [part for part in message["parts"] if part["type"] == "dynamic-tool"]
    assert [(part["toolCallId"], part["state"]) for part in tools] == [
        ("c1", "output-available"),
        ("c2", "output-error"),
        ("c1_2", "output-available"),
    ]
    assert tools[0]["output"] == "0 1 "
    question = {"id": "q", "role": "user", "parts": [{"type": "text", "text": "And?"}]}
    read = ai_sdk.read(json.dumps({"id": "chat", "messages": [question, message, question]}).encode())
    assert [turn["role"] for turn in read.messages] == [
        "user",
        "assistant",
        "tool",
        "assistant",
        "tool",
        "assistant",
        "user",
    ]


@needs_clients
def test_http_agent_shows_the_results_and_posts_all_rounds(server: ScriptedServer) -> None:
    seen = seen_by(server, b"".join(ag_ui.encode(events_of_run(), "t", "r")), "ag_ui.mjs")
    assert (seen["errors"], seen["rejected"], seen["warnings"]) == ([], None, [])
    assert [message["role"] for message in seen["messages"]] == [
        "assistant",
        "tool",
        "tool",
        "assistant",
        "tool",
        "assistant",
    ]
    asked = {"threadId": "t", "runId": "r2", "messages": seen["messages"], "tools": [], "context": []}
    read = ag_ui.read(json.dumps(asked).encode())
    assert [turn["role"] for turn in read.messages] == [message["role"] for message in seen["messages"]]
