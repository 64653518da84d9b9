"""Tool calls that were cut, that servers number badly, or whose arguments are no JSON: nothing that was cut looks
executable, and every call that is reported can be answered."""

from __future__ import annotations

import json
from typing import Any

import pytest
from test_parts import anthropic, call, chat, fragment, gemini, responses, sse

import msgmodel
from conftest import PROVIDER, Async, Sync
from msgmodel import ConfigurationError, Conversation
from msgmodel.testing import Reply, Script, ScriptedProvider
from msgmodel.testing.wires import WIRES, Wire
from pure import play

HI = {"role": "user", "content": "hi"}


def checked(events: list[Any]) -> Any:
    """The last event, when no call that was said to be complete is in a reply that was cut in a call."""
    last = events[-1]
    shown = [
        {name: value for name, value in event.items() if name not in ("event", "panel_id")}
        for event in events
        if event["event"] == "panel_tool_call"
    ]
    assert shown == last.get("tool_calls", [])
    assert all(made["name"] for made in shown)
    assert len({made["id"] for made in shown}) == len(shown)
    parts = last["message"]["content"]
    kept = [part["id"] for part in parts if part["type"] == "tool_call"] if isinstance(parts, list) else []
    assert kept == [made["id"] for made in shown if made["complete"]]
    if last.get("truncated_in") == "tool_call":
        assert not shown[-1]["complete"]
    return last


# --- calls that a limit cut ---


def block(number: int, *pieces: str, ended: bool = True) -> list[Any]:
    begun = {"type": "tool_use", "id": f"t{number}", "name": "f", "input": {}}
    deltas = [
        {"type": "content_block_delta", "index": number, "delta": {"type": "input_json_delta", "partial_json": piece}}
        for piece in pieces
    ]
    stop = [{"type": "content_block_stop", "index": number}] if ended else []
    return [{"type": "content_block_start", "index": number, "content_block": begun}, *deltas, *stop]


@pytest.mark.parametrize("reason", ["max_tokens", "model_context_window_exceeded"])
@pytest.mark.parametrize("arguments", ["", '{"x": "ab', '{"x": 1}'])
def test_the_last_block_of_anthropic_before_a_limit(arguments: str, reason: str) -> None:
    """Its end is said, but so it is of one that the limit cut."""
    last = checked(anthropic(*block(0), *block(1, arguments), reason=reason))
    assert last["tool_calls"] == [call("t0", "f", "", {}), call("t1", "f", arguments, None, False)]
    assert (last["status"], last["truncated_in"]) == ("truncated", "tool_call")


def test_a_block_with_more_after_it_is_whole() -> None:
    text = {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "So"}}
    *events, last = anthropic(*block(0), text, reason="max_tokens")
    assert [event["event"] for event in events] == ["panel_tool_call", "panel_delta"]
    assert last["tool_calls"] == [call("t0", "f", "", {})]
    assert last["truncated_in"] == "text"


def test_a_block_that_ended_before_a_cut_is_not_proven() -> None:
    last = checked(play("anthropic", sse(*block(0, "{}"))))
    assert (last["event"], last["tool_calls"]) == ("panel_error", [call("t0", "f", "{}", None, False)])


def item(kind: str, index: int = 0, **fields: Any) -> Any:
    made = {"type": "function_call", "id": f"fc{index}", "call_id": f"c{index}", "name": "f", "arguments": ""}
    return {"type": f"response.output_item.{kind}", "output_index": index, "item": made | fields}


@pytest.mark.parametrize("arguments", ["", '{"x": "'])
@pytest.mark.parametrize("done", [True, False])
def test_an_item_of_responses_that_is_incomplete(arguments: str, done: bool) -> None:
    """`arguments.done` comes of it all the same."""
    ended = {"type": "response.function_call_arguments.done", "output_index": 1, "arguments": arguments}
    found = responses(
        item("added"),
        item("done", arguments="{}", status="completed"),
        item("added", 1),
        *([ended] if done else []),
        item("done", 1, arguments=arguments, status="incomplete"),
        status="incomplete",
        incomplete_details={"reason": "max_output_tokens"},
    )
    last = checked(found)
    assert last["tool_calls"] == [call("c0", "f", "{}", {}), call("c1", "f", arguments, None, False)]
    assert (last["status"], last["truncated_in"]) == ("truncated", "tool_call")


def test_an_item_that_is_incomplete_in_a_response_that_is_not() -> None:
    last = checked(responses(item("added"), item("done", arguments="{", status="incomplete")))
    assert (last["status"], last["tool_calls"]) == ("truncated", [call("c0", "f", "{", None, False)])
    last = checked(responses(output=[item("done", arguments="{", status="incomplete")["item"]]))
    assert (last["status"], last["tool_calls"]) == ("truncated", [call("c0", "f", "{", None, False)])


def test_the_last_item_of_a_response_that_a_limit_ended() -> None:
    """Some servers say `completed` of it."""
    limit = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    last = checked(responses(item("added"), item("done", arguments="", status="completed"), **limit))
    assert last["tool_calls"] == [call("c0", "f", "", None, False)]


@pytest.mark.parametrize(
    ("fragments", "calls"),
    [
        ([fragment("", "a", "f", 0), fragment("", "b", "g", 1)], [("a", "", False), ("b", "", False)]),
        (
            [fragment("", "a", "f", 0), fragment("", "b", "g", 1), fragment('{"x": "ab', index=0)],
            [("a", '{"x": "ab', False), ("b", "", False)],
        ),
        (
            [fragment("{}", "a", "f", 0), fragment('{"x"', "b", "g", 1), fragment("", "c", "", 2)],
            [("a", "{}", True), ("b", '{"x"', False)],
        ),
        ([fragment("null", "a", "f", 0), fragment("", "b", "g", 1)], [("a", "null", False), ("b", "", False)]),
    ],
)
def test_several_open_calls_of_chat_at_a_limit(fragments: list[Any], calls: list[Any]) -> None:
    """Whole are those whose arguments are; an empty text says nothing."""
    last = checked(chat({"tool_calls": fragments}, finish="length"))
    assert [(made["id"], made["arguments"], made["complete"]) for made in last["tool_calls"]] == calls


@pytest.mark.parametrize("native", ["length", "max_output_tokens", "MAX_TOKENS", "max_tokens", "model_length"])
@pytest.mark.parametrize("reason", ["tool_calls", "stop"])
def test_the_limit_behind_a_router(native: str, reason: str) -> None:
    """OpenRouter says `tool_calls` of a call that was cut."""
    begun = {"choices": [{"delta": {"tool_calls": [fragment("", "a", "f", 0)]}}]}
    end = {"choices": [{"delta": {}, "finish_reason": reason, "native_finish_reason": native}]}
    last = checked(play("openai_chat", sse(begun, end, b"[DONE]")))
    assert (last["status"], last["finish_reason"]) == ("truncated", reason)
    assert last["tool_calls"] == [call("a", "f", "", None, False)]


def test_calls_of_gemini_at_a_limit() -> None:
    made = [{"functionCall": {"name": "f", "args": {"x": 1}}}, {"functionCall": {"name": "g"}}]
    last = checked(gemini(*made, finishReason="MAX_TOKENS"))
    assert last["tool_calls"] == [call("call_1", "f", '{"x":1}', {"x": 1}), call("call_2", "g", "{}", None, False)]


def test_a_call_of_gemini_that_goes_on_after_its_end() -> None:
    """Its end contradicts its pieces, and the complete call is unknown: it must not look executable."""
    pieces = [{"partialArgs": [{"jsonPath": "$.path", "stringValue": text}]} for text in ("/var", "/old")]
    last = checked(
        gemini({"functionCall": {"name": "f", "willContinue": True}}, *({"functionCall": p} for p in pieces))
    )
    assert last["tool_calls"] == [call("call_1", "f", '{"path":"/var"}', None, False)]
    assert last["status"] == "truncated"
    last = checked(gemini({"functionCall": {"name": "f"}}, {"functionCall": {}}))
    assert (last["status"], last["tool_calls"]) == ("tool_calls", [call("call_1", "f", "{}", {})])


# --- which call a fragment belongs to ---


@pytest.mark.parametrize(
    ("fragments", "calls"),
    [
        pytest.param(
            [fragment('{"x":1}', None, "f"), fragment('{"y":1}', None, "g")],
            [("call_1", "f", '{"x":1}'), ("call_2", "g", '{"y":1}')],
            id="neither index nor id",
        ),
        pytest.param(
            [fragment('{"x":', None, "f", 0), fragment("1}", None, None, 0), fragment("{}", None, "g", 0)],
            [("call_1", "f", '{"x":1}'), ("call_2", "g", "{}")],
            id="all with index 0, no id",
        ),
        pytest.param(
            [fragment('{"x":1}', None, "f", 0), fragment("", None, "f", 0), fragment('{"x":2}', None, None, 0)],
            [("call_1", "f", '{"x":1}'), ("call_2", "f", '{"x":2}')],
            id="the same name again, then arguments",
        ),
        pytest.param(
            [fragment("{", None, "f", 0), fragment("}", None, "f", 0), fragment("", None, "f", 0)],
            [("call_1", "f", "{}")],
            id="the name in every fragment, no id",
        ),
        pytest.param(
            [fragment('{"x":1}', "z", "f", 0), fragment("{}", "z", "g", 1)],
            [("z", "f", '{"x":1}'), ("z_2", "g", "{}")],
            id="the same id twice",
        ),
        pytest.param(
            [fragment('{"x":1}', "z", "f", 0), fragment('{"x":2}', "z", "f", 0)],
            [("z", "f", '{"x":1}'), ("z_2", "f", '{"x":2}')],
            id="the same id and index twice",
        ),
        pytest.param(
            [fragment("{", "z", "f", 0), fragment("}", "z", "f", 0), fragment("", "z", "f", 0)],
            [("z", "f", "{}")],
            id="id and name in every fragment",
        ),
        pytest.param(
            [fragment('{"x"', "a1", "f", 0), fragment(":1}", "a2", "f", 0), fragment("", "a3", None, 0)],
            [("a1", "f", '{"x":1}')],
            id="another id in every fragment",
        ),
        pytest.param(
            [fragment('{"x"', "a1", "f"), fragment(":1", "a2"), fragment("}", "a3")],
            [("a1", "f", '{"x":1}')],
            id="another id in every fragment, no index",
        ),
        pytest.param(
            [fragment("{", "a", "f"), fragment("{", "b", "g"), fragment("}", "a"), fragment("}", "b")],
            [("a", "f", "{}"), ("b", "g", "{}")],
            id="interleaved by id",
        ),
        pytest.param(
            [fragment("", None, "f", 0), fragment("{}", "a", None, 0)], [("a", "f", "{}")], id="the id comes later"
        ),
        pytest.param(
            [fragment('{"a":"}', "a", "f", 0), fragment('"}', "a", "f", 0)], [("a", "f", '{"a":"}"}')], id="}"
        ),
    ],
)
def test_fragments(fragments: list[Any], calls: list[Any]) -> None:
    """All in one event, and each in its own."""
    for deltas in ([{"tool_calls": fragments}], [{"tool_calls": [piece]} for piece in fragments]):
        last = checked(chat(*deltas, finish="tool_calls"))
        assert [(made["id"], made["name"], made["arguments"]) for made in last["tool_calls"]] == calls


@pytest.mark.parametrize(
    "empty",
    [
        {"function_call": {}},
        {"function_call": {"name": "", "arguments": ""}},
        {"function_call": {"name": None, "arguments": None}},
        {"tool_calls": [{}]},
        {"tool_calls": [{"index": 0, "id": None, "type": None, "function": {"name": None, "arguments": None}}]},
        {"tool_calls": [{"index": 0, "id": "a", "function": None}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]},
    ],
)
def test_a_form_that_was_left_empty_is_no_call(empty: Any) -> None:
    *events, last = chat({"content": "Hi"} | empty)
    assert [event["event"] for event in events] == ["panel_delta"]
    assert (last["status"], "tool_calls" in last, last["message"]["content"]) == ("complete", False, "Hi")
    last = chat(empty, finish="tool_calls")[-1]
    assert (last["status"], "tool_calls" in last) == ("unknown", False)  # there is nothing that could be run


def test_a_call_without_a_name_in_a_reply_that_broke_off() -> None:
    last = checked(chat({"tool_calls": [fragment("{}", "a", None, 0)]}, finish=None))
    assert (last["event"], "tool_calls" in last) == ("panel_error", False)


def test_an_empty_form_does_not_hide_that_the_last_call_was_cut() -> None:
    fragments = [fragment('{"x": 1}', "a", "f", 0), {"index": 1, "id": "b", "function": {}}]
    last = checked(chat({"tool_calls": fragments}, finish="length"))
    assert last["tool_calls"] == [call("a", "f", '{"x": 1}', None, False)]


def test_items_of_responses_without_a_place() -> None:
    made = {"id": "fc1", "type": "function_call", "call_id": "c1", "name": "f", "arguments": ""}
    last = checked(
        responses(
            {"type": "response.output_item.added", "item": made},
            {"type": "response.function_call_arguments.delta", "item_id": "fc1", "delta": '{"x":1}'},
            {"type": "response.function_call_arguments.done", "item_id": "fc1", "arguments": '{"x":1}'},
            {"type": "response.output_item.done", "item": made | {"arguments": '{"x":1}'}},
        )
    )
    assert last["tool_calls"] == [call("c1", "f", '{"x":1}', {"x": 1})]


def test_an_item_whose_end_comes_late() -> None:
    """Its arguments had ended, and something else had begun: the event of the whole item changes nothing."""
    ended = {"type": "response.function_call_arguments.done", "output_index": 0, "arguments": "{}"}
    last = checked(responses(item("added"), ended, item("added", 1), item("done"), item("done", 1, arguments="{}")))
    assert last["tool_calls"] == [call("c0", "f", "{}", {}), call("c1", "f", "{}", {})]


def test_calls_that_only_the_terminal_event_has() -> None:
    made = [item("done", number, arguments="{}")["item"] for number in (0, 1)]
    assert [made["id"] for made in checked(responses(output=made))["tool_calls"]] == ["c0", "c1"]


# --- every call can be answered ---


@pytest.mark.parametrize("wire", ["openai_chat", "openai_responses", "anthropic"])
@pytest.mark.parametrize("arguments", ['{"x": 1,}', "[1]", "null", "no JSON"])
def test_arguments_that_are_no_object(
    colour: Sync | Async, provider: ScriptedProvider, wire: Wire, arguments: str
) -> None:
    """The loop of the documentation goes on: the model hears that it made a mistake."""
    provider.say(Reply("", tool_calls=[{"name": "f", "arguments": arguments}]), "Sorry.")
    chat = Conversation(PROVIDER[wire], config=provider.config(wire), tools=[{"name": "f"}], max_retries=0)
    reply = chat.query("hi") if isinstance(colour, Sync) else colour.run(chat.aquery("hi"))
    (made,) = reply.tool_calls
    assert (reply.status, made["arguments"], made["complete"]) == ("tool_calls", arguments, True)
    assert made["arguments_json"] == {"[1]": [1], "null": {}}.get(arguments)
    assert [part["id"] for part in chat.pending_calls] == [made["id"]]
    chat.add_tool_result(made["id"], "not a JSON object", is_error=True)
    assert (chat.query() if isinstance(colour, Sync) else colour.run(chat.aquery())).text == "Sorry."
    sent = provider.requests[-1].json
    expected = {} if arguments == "null" else {"INVALID_JSON": arguments}
    if wire == "anthropic":
        assert sent["messages"][1]["content"][0]["input"] == expected
    elif wire == "openai_chat":
        assert json.loads(sent["messages"][1]["tool_calls"][0]["function"]["arguments"]) == expected
    else:
        assert json.loads(sent["input"][1]["arguments"]) == expected
    elsewhere = [HI, reply.message, {"role": "tool", "tool_call_id": made["id"], "content": "no"}]
    msgmodel.query("gemini", "and?", config=provider.config("gemini"), messages=elsewhere)  # type: ignore[arg-type]
    assert provider.requests[-1].json["contents"][1]["parts"][0]["functionCall"]["args"] == expected


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("id", ["dup", ""])
def test_ids_that_are_no_ids(colour: Sync | Async, provider: ScriptedProvider, wire: Wire, id: str) -> None:
    """The same one twice, or none: event, message and request agree on one of their own, also in the next turn."""
    calls: Any = [{"name": "f", "arguments": {"n": number}, "id": id} for number in (1, 2)]
    provider.say(Reply("", tool_calls=calls), Reply("", tool_calls=calls), "Done.")
    chat = Conversation(PROVIDER[wire], config=provider.config(wire), tools=[{"name": "f"}], max_retries=0)
    ids: list[str] = []
    for _ in range(2):
        reply = chat.query("hi" if not ids else "") if isinstance(colour, Sync) else colour.run(
            chat.aquery("hi" if not ids else "")
        )  # fmt: skip
        assert [part["id"] for part in chat.pending_calls] == [made["id"] for made in reply.tool_calls]
        for made in reply.tool_calls:
            ids.append(made["id"])
            chat.add_tool_result(made["id"], made["id"])
    assert chat.query().text == "Done."
    assert len(set(ids)) == 4
    if id:
        assert ids == ["dup", "dup_2", "dup_3", "dup_4"]
    elif wire != "openai_responses":  # whose items have an id of their own
        assert ids == ["call_1", "call_2", "call_3", "call_4"]
    sent = provider.requests[-1].body.decode()
    if wire != "gemini":  # whose results are told apart by their order, and by the id that it gave
        assert all(sent.count(f'"{made}"') >= 2 for made in ids)


def test_an_id_that_comes_late_is_not_taken(provider: ScriptedProvider) -> None:
    """What was shown with one id is not shown with another."""
    pieces = [fragment('{"x"', None, "f", 0), fragment(":1}", "late", None, 0)]
    chunks = [{"choices": [{"delta": {"tool_calls": [piece]}}]} for piece in pieces]
    end = {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}
    provider.say(Script.body(b"".join(sse(*chunks, end, b"[DONE]"))))
    events: Any = list(
        msgmodel.stream_panels("openai", "hi", config=provider.config("openai"), tools=[{"name": "f"}],
                               model="gpt-5.5", tool_deltas=True)
    )  # fmt: skip
    assert {event["id"] for event in events[:-1]} == {"call_1"}


def test_results_of_an_older_conversation_with_the_same_id_twice(provider: ScriptedProvider) -> None:
    made = {"type": "tool_call", "id": "dup", "name": "f", "arguments": {}}
    messages: Any = [HI, {"role": "assistant", "content": [made, made]}]
    chat = Conversation("openai", config=provider.config("openai"), messages=messages)
    chat.add_tool_result("dup", "one")
    assert len(chat.pending_calls) == 1
    chat.add_tool_result("dup", "two")
    with pytest.raises(ConfigurationError, match="no pending tool call has the id 'dup' "):
        chat.add_tool_result("dup", "three")
    chat.query()
    sent = provider.requests[-1].json["messages"]
    assert [(turn["tool_call_id"], turn["content"]) for turn in sent[2:]] == [("dup", "one"), ("dup_2", "two")]


def test_a_tool_of_responses_that_takes_free_text(provider: ScriptedProvider) -> None:
    made = {"type": "custom_tool_call", "id": "ct", "call_id": "c", "name": "shell", "input": "ls -l"}
    added, done = (
        {"type": f"response.output_item.{kind}", "output_index": 0, "item": made} for kind in ("added", "done")
    )
    end = {"type": "response.completed", "response": {"status": "completed"}}
    provider.say(Script.body(b"".join(sse(added | {"item": made | {"input": ""}}, done, end))), "ok")
    chat = Conversation("openai", config=provider.config("openai_responses"))
    reply = chat.query("hi")
    assert reply.tool_calls == (call("c", "shell", "ls -l") | {"kind": "custom"},)
    chat.add_tool_result("c", "total 0")
    chat.query()
    assert provider.requests[-1].json["input"][1:] == [
        {"type": "custom_tool_call", "call_id": "c", "name": "shell", "input": "ls -l"},
        {"type": "custom_tool_call_output", "call_id": "c", "output": "total 0"},
    ]
