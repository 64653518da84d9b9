"""Fields that hold another type than the wire promises, or lack the name that says what they are.

What they hold is shown, or named in `untold`: a reply never looks complete without it.
"""

from __future__ import annotations

from typing import Any

import pytest
from chat_streams import chunk, ended

from pure import play, stream

ODD: list[Any] = [["Hi"], {"words": "Hi"}, [{"words": "Hi"}]]


def chat(delta: Any) -> Any:
    return ended(chunk(delta))[-1]


def responses(*events: Any) -> Any:
    return play("openai_responses", [stream(*events, {"type": "response.completed", "response": {}})])[-1]


def claude(*events: Any, reason: str = "end_turn") -> Any:
    ending = [{"type": "message_delta", "delta": {"stop_reason": reason}}, {"type": "message_stop"}]
    return play("anthropic", [stream({"type": "message_start", "message": {}}, *events, *ending)])[-1]


def gemini(*parts: Any) -> Any:
    return play("gemini", [stream({"candidates": [{"content": {"parts": [*parts]}, "finishReason": "STOP"}]})])[-1]


def started(block: Any, delta: Any = None) -> list[Any]:
    """The events of a block of Anthropic's, with one delta."""
    begun = [{"type": "content_block_start", "index": 0, "content_block": block}]
    delta = [{"type": "content_block_delta", "index": 0, "delta": delta}] if delta else []
    return [*begun, *delta, {"type": "content_block_stop", "index": 0}]


def words(field: str, value: Any) -> list[Any]:
    """One reply of each wire whose text, or another field of words, is this value."""
    if field == "text":
        return [
            chat({"content": value}),
            chat({"content": [{"type": "text", "text": value}]}),
            responses({"type": "response.output_text.delta", "output_index": 0, "delta": value}),
            claude(*started({"type": "text", "text": ""}, {"type": "text_delta", "text": value})),
            claude(*started({"type": "text", "text": value})),
            gemini({"text": value}),
        ]
    return [
        responses({"type": "response.reasoning_text.delta", "output_index": 0, "delta": value}),
        claude(*started({"type": "thinking", "thinking": ""}, {"type": "thinking_delta", "thinking": value})),
        claude(*started({"type": "thinking", "thinking": value})),
        gemini({"text": value, "thought": True}),
    ]


@pytest.mark.parametrize("number", [0, 7, 0.5])
def test_a_number_is_the_text_that_it_was(number: float) -> None:
    for last in words("text", number):
        assert (last["status"], last["content"], last["untold"]) == ("complete", str(number), [])
    for last in words("reasoning", number):
        assert (last["status"], last["reasoning"], last["untold"]) == ("complete", str(number), [])


@pytest.mark.parametrize("value", [True, {"words": "Hi"}, [{"words": "Hi"}]])
@pytest.mark.parametrize("field", ["text", "reasoning"])
def test_words_that_are_no_text(field: str, value: Any) -> None:
    for last in words(field, value):
        assert last["untold"]
        assert last["status"] == "unknown"


@pytest.mark.parametrize("value", [{"words": "Hi"}, [{"words": "Hi"}]])
@pytest.mark.parametrize("field", ["reasoning", "reasoning_content", "reasoning_text", "refusal"])
def test_words_beside_the_text_of_a_chat(field: str, value: Any) -> None:
    assert chat({field: value})["untold"] == ["refusal" if field == "refusal" else "reasoning"]
    assert chat({"content": "Hi", field: None})["untold"] == []
    assert chat({"content": "Hi", field: []})["untold"] == []


ARGUMENTS = [
    pytest.param({"x": 1}, '{"x":1}', id="object"),
    pytest.param(["x"], '["x"]', id="list"),
    pytest.param(5, "5", id="number"),
    pytest.param(False, "false", id="false"),
    pytest.param([], "", id="an empty object of PHP"),
    pytest.param(None, "", id="null"),
]


@pytest.mark.parametrize(("value", "arguments"), ARGUMENTS)
def test_arguments_are_never_lost(value: Any, arguments: str) -> None:
    """A call whose arguments look empty would run with none."""
    item = {"type": "function_call", "call_id": "a", "name": "w"}
    delta = {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": value}
    done = {"type": "response.function_call_arguments.done", "output_index": 0, "arguments": value}
    added = {"type": "response.output_item.added", "output_index": 0, "item": item}
    for last in (
        chat({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "w", "arguments": value}}]}),
        chat({"tool_calls": [{"name": "w", "arguments": value}]}),  # flat, as Cloudflare's models
        responses(added, delta),
        responses(added, done),
        claude(*started({"type": "tool_use", "name": "w"}, {"type": "input_json_delta", "partial_json": value})),
        gemini({"functionCall": {"name": "w", "args": value}}),
    ):
        (call,) = last["tool_calls"]
        expected = arguments or ("{}" if last["wire"] == "gemini" else "")
        assert (call["name"], call["arguments"], call["complete"]) == ("w", expected, True)
        assert last["untold"] == []


def test_arguments_under_another_name() -> None:
    for name in ("input", "parameters", "args"):
        last = chat({"tool_calls": [{"id": "a", "function": {"name": "w", name: {"x": "1"}}}]})
        assert last["untold"] == [name]


@pytest.mark.parametrize("name", [None, "", 5, ["w"]])
def test_a_call_without_a_name(name: Any) -> None:
    """It can't be shown as a call, but the reply does not look complete."""
    item = {"type": "function_call", "call_id": "a", "name": name, "arguments": '{"x":1}'}
    for last in (
        chat({"tool_calls": [{"index": 0, "id": "a", "function": {"name": name, "arguments": '{"x":1}'}}]}),
        responses({"type": "response.output_item.done", "output_index": 0, "item": item}),
        claude(*started({"type": "tool_use", "name": name, "input": {"x": 1}})),
        gemini({"functionCall": {"name": name, "args": {"x": 1}}}),
    ):
        assert (last["untold"], last["status"]) == (["tool_call"], "unknown")
        assert "tool_calls" not in last


def test_a_call_that_a_server_left_empty() -> None:
    last = chat({"content": "Hi", "tool_calls": [{"index": 0, "id": "a", "function": {"name": None, "arguments": ""}}]})
    assert (last["untold"], last["status"]) == ([], "complete")


def test_a_name_that_only_the_done_item_has() -> None:
    item = {"type": "function_call", "call_id": "a", "name": "w", "arguments": "{}"}
    added = {"type": "response.output_item.added", "output_index": 0, "item": item | {"name": None}}
    last = responses(added, {"type": "response.output_item.done", "output_index": 0, "item": item})
    assert [(call["id"], call["name"]) for call in last["tool_calls"]] == [("a", "w")]


@pytest.mark.parametrize("kind", [None, 5, ["tool_use"]])
def test_without_the_type(kind: Any) -> None:
    """What is within an object of an unknown kind is not shown, so the object is named."""
    item = {"type": kind, "call_id": "a", "name": "w", "arguments": "{}"}
    assert responses({"type": "response.output_item.done", "output_index": 0, "item": item})["untold"] == ["item"]
    assert claude(*started({"type": kind, "id": "a", "name": "w", "input": {}}))["untold"] == ["content_block"]
    assert claude(*started({"type": "text"}, {"type": kind, "text": "Hi"}))["untold"] == ["delta"]


def test_arguments_of_a_block_that_did_not_begin() -> None:
    delta = {"type": "input_json_delta", "partial_json": '{"x":1}'}
    assert claude({"type": "content_block_delta", "index": 3, "delta": delta})["untold"] == ["input_json_delta"]
