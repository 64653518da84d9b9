"""What a provider sends twice, in pieces and complete: a piece that was lost, repeated or moved on the way shows."""

from __future__ import annotations

from typing import Any

import pytest
from chat_streams import DONE, chunk, lines

from pure import play, stream

FIELDS = [
    pytest.param("response.output_text", "text", "content", id="text"),
    pytest.param("response.refusal", "refusal", "refusal", id="refusal"),
    pytest.param("response.reasoning_text", "text", "reasoning", id="reasoning"),
    pytest.param("response.reasoning_summary_text", "text", "reasoning", id="summary"),
]
COMPLETED = {"type": "response.completed", "response": {}}


def replied(kind: str, field: str, pieces: list[str], complete: str, *, place: dict[str, Any]) -> Any:
    deltas = [{"type": f"{kind}.delta", "delta": piece, **place} for piece in pieces]
    done = {"type": f"{kind}.done", field: complete, **place}
    return play("openai_responses", [stream(*deltas, done, done, COMPLETED)])[-1]


@pytest.mark.parametrize("place", [{"output_index": 0, "content_index": 0}, {"item_id": "m"}])
@pytest.mark.parametrize(("kind", "field", "name"), FIELDS)
def test_a_part_that_is_not_what_its_pieces_were(kind: str, field: str, name: str, place: dict[str, Any]) -> None:
    for pieces in (["One ", "three"], ["One ", "two ", "two ", "three"], ["two ", "One ", "three"], ["two "]):
        last = replied(kind, field, pieces, "One two three", place=place)
        assert (last[name], last["untold"]) == ("".join(pieces), [f"{kind}.done"])
        assert last["status"] == ("filtered" if name == "refusal" else "unknown")


def test_a_part_that_is_only_trimmed_at_its_end_has_no_hole() -> None:
    place = {"output_index": 0, "content_index": 0}
    for pieces, complete in ((["\n One", " two \n"], "One two"), (["One ", " two"], "One two")):
        last = replied("response.output_text", "text", pieces, complete, place=place)
        assert (last["content"], last["status"], last["untold"]) == ("".join(pieces), "complete", [])


def test_a_character_that_is_cut_between_two_events_is_no_hole() -> None:
    place = {"output_index": 0, "content_index": 0}
    last = replied("response.output_text", "text", ["One \ud83e", "\udd16 two"], "One \U0001f916 two", place=place)
    assert (last["content"], last["status"]) == ("One \ufffd\ufffd two", "complete")
    assert last["untold"] == ["response.output_text.done"]


def test_a_hole_in_the_reasoning_is_none_in_the_text() -> None:
    place = {"output_index": 0}
    done = {"type": "response.reasoning_text.done", "text": "Hm.", **place}
    events = [
        {"type": "response.reasoning_text.delta", "delta": "Oh.", **place},
        done,
        {"type": "response.output_text.delta", "delta": "Hi", "output_index": 1},
    ]
    last = play("openai_responses", [stream(*events, COMPLETED)])[-1]
    assert (last["status"], last["untold"]) == ("complete", ["response.reasoning_text.done"])


@pytest.mark.parametrize(("kind", "field", "name"), FIELDS)
def test_the_end_of_a_part_is_not_lost(kind: str, field: str, name: str) -> None:
    for pieces in ([], ["One "], ["One ", "two "], ["One ", "two ", "three"]):
        last = replied(kind, field, pieces, "One two three", place={"output_index": 0})
        assert (last[name], last["untold"]) == ("One two three", [])


@pytest.mark.parametrize(("kind", "field", "name"), FIELDS)
def test_a_server_that_leaves_the_complete_part_empty(kind: str, field: str, name: str) -> None:
    last = replied(kind, field, ["One ", "two"], "", place={"output_index": 0})
    assert (last[name], last["untold"]) == ("One two", [])


def test_two_summaries_of_one_item() -> None:
    events = []
    for number, text in enumerate(("One", "Two")):
        place = {"output_index": 0, "summary_index": number}
        events += [
            {"type": "response.reasoning_summary_text.delta", "delta": text, **place},
            {"type": "response.reasoning_summary_text.done", "text": text, **place},
        ]
    last = play("openai_responses", [stream(*events, COMPLETED)])[-1]
    assert (last["reasoning"], last["untold"]) == ("One\n\nTwo", [])


# --- a chat whose chunks have messages ---


def whole(text: str, finish: str | None = None, delta: Any = None) -> Any:
    """A chunk that has a message in place of a delta."""
    return chunk(delta, finish, message={"role": "assistant", "content": text})


@pytest.mark.parametrize("delta", [None, {}])
def test_a_message_in_place_of_the_delta(delta: Any) -> None:
    last = play("openai_chat", [*lines(whole("Hi", "stop", delta)), DONE])[-1]
    assert (last["content"], last["status"], last["untold"]) == ("Hi", "complete", [])


def test_several_messages() -> None:
    """One may repeat the text before or go on after it, so what is left out is named."""
    last = play("openai_chat", [*lines(whole("Hi"), whole(" there", "stop")), DONE])[-1]
    assert (last["content"], last["untold"]) == ("Hi", ["message"])
    last = play("openai_chat", [*lines(whole("Hi"), whole("Hi"), whole("Hi", "stop")), DONE])[-1]
    assert (last["content"], last["untold"]) == ("Hi", [])


def test_a_message_that_repeats_the_deltas() -> None:
    said = [whole("Hi", None, {"content": "Hi"}), whole("Hi there", None, {"content": " there"})]
    last = play("openai_chat", [*lines(*said, whole("Hi there", "stop", {})), DONE])[-1]
    assert (last["content"], last["untold"]) == ("Hi there", [])


# --- an event that is none ---


@pytest.mark.parametrize("before", [b"\0", b" ", b"\xef\xbb\xbf", b"x", b"meta"])
def test_an_event_whose_first_character_is_wrong(before: bytes) -> None:
    first, *rest = lines(chunk({"content": "One "}), chunk({"content": "two "}), chunk({"content": "three"}, "stop"))
    last = play("openai_chat", [first, before + rest[0], rest[1], DONE])[-1]
    assert (last["content"], last["status"], last["untold"]) == ("One three", "unknown", ["outside of events"])
    assert play("openai_chat", [first, *rest, DONE])[-1]["untold"] == []


def test_fields_that_every_reader_ignores() -> None:
    pings = b": ping {}\n\nid: {1}\nretry: 5\nevent: {x}\n\nkeepalive\n\nheartbeat: 1\n\n"
    last = play("openai_chat", [pings, *lines(chunk({"content": "Hi"}, "stop")), pings, DONE])[-1]
    assert (last["content"], last["status"], last["untold"]) == ("Hi", "complete", [])


# --- a call that comes twice ---


def calling(call_id: str | None, arguments: str, finish: str | None = None, **fields: Any) -> Any:
    function = {"name": "w", "arguments": arguments}
    return chunk({"tool_calls": [{"index": 0, "id": call_id, "function": function, **fields}]}, finish)


@pytest.mark.parametrize("finish", [None, "tool_calls"])
@pytest.mark.parametrize("index", [0, None])
def test_a_call_that_is_repeated_with_its_id(finish: str | None, index: int | None) -> None:
    """It would run twice."""
    again = calling("a", '{"x":1}', finish, index=index)
    last = play("openai_chat", [*lines(calling("a", '{"x":1}', index=index), again, chunk({}, "tool_calls")), DONE])[-1]
    assert [(call["id"], call["arguments"]) for call in last["tool_calls"]] == [("a", '{"x":1}')]
    pieces = [calling("a", '{"x"', index=index), calling("a", ":1}", index=index)]
    last = play("openai_chat", [*lines(*pieces, again, chunk({}, "tool_calls")), DONE])[-1]
    assert [(call["id"], call["arguments"]) for call in last["tool_calls"]] == [("a", '{"x":1}')]


@pytest.mark.parametrize(
    ("other", "ids"),
    [
        (calling("a", '{"x":2}'), ["a", "a_2"]),
        (calling("b", '{"x":1}'), ["a", "b"]),
        (calling("a", '{"x":1}', index=1), ["a", "a_2"]),
    ],
)
def test_two_calls_that_are_alike(other: Any, ids: list[str]) -> None:
    last = play("openai_chat", [*lines(calling("a", '{"x":1}'), other, chunk({}, "tool_calls")), DONE])[-1]
    assert [call["id"] for call in last["tool_calls"]] == ids


def test_a_block_that_begins_twice() -> None:
    block = {"type": "tool_use", "id": "a", "name": "w", "input": {}}
    begin = {"type": "content_block_start", "index": 0, "content_block": block}
    delta = {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "input_json_delta", "partial_json": '{"x":1}'},
    }
    stop = {"type": "content_block_stop", "index": 0}
    end = [{"type": "message_delta", "delta": {"stop_reason": "tool_use"}}, {"type": "message_stop"}]
    for events in ([begin, begin, delta, stop], [begin, delta, stop, stop]):
        last = play("anthropic", [stream(*events, *end)])[-1]
        assert [(call["id"], call["arguments"]) for call in last["tool_calls"]] == [("a", '{"x":1}')]
    other = begin | {"content_block": block | {"id": "b"}}
    for second in (other, begin):  # another call, and one that a server without ids of its own began again
        last = play("anthropic", [stream(begin, delta, stop, second, delta, stop, *end)])[-1]
        assert len(last["tool_calls"]) == 2


def test_a_call_of_gemini_that_comes_twice() -> None:
    def calls(*found: Any) -> list[Any]:
        chunks = [{"candidates": [{"content": {"parts": [{"functionCall": call}]}}]} for call in found]
        last = play("gemini", [stream(*chunks, {"candidates": [{"finishReason": "STOP"}]})])[-1]
        return [call["arguments_json"] for call in last["tool_calls"]]

    one = {"id": "a", "name": "w", "args": {"x": 1}}
    assert calls(one, one) == [{"x": 1}]
    assert calls(one, one | {"args": {"x": 2}}) == [{"x": 1}, {"x": 2}]
    assert calls(one, one | {"id": "b"}) == [{"x": 1}, {"x": 1}]
    assert calls(one | {"id": None}, one | {"id": None}) == [{"x": 1}, {"x": 1}]


# --- fields of a chat that contradict each other ---


def test_two_fields_with_different_reasoning() -> None:
    for other, untold in (("Hm.", []), ("Oh.", ["reasoning"]), ("", []), (None, [])):
        said = chunk({"reasoning_content": "Hm.", "reasoning": other})
        last = play("openai_chat", [*lines(said, chunk({"content": "Hi"}, "stop")), DONE])[-1]
        assert (last["reasoning"], last["content"], last["untold"]) == ("Hm.", "Hi", untold)


@pytest.mark.parametrize(
    ("native", "status"),
    [
        ("SAFETY", "filtered"),
        ("refusal", "filtered"),
        ("content_filter", "filtered"),
        ("MAX_TOKENS", "truncated"),
        ("max_output_tokens", "truncated"),
        ("pause_turn", "paused"),
        ("STOP", "complete"),
        ("end_turn", "complete"),
        ("2", "complete"),
        ("something new", "complete"),
    ],
)
def test_the_reason_that_a_router_translates(native: str, status: str) -> None:
    said = [chunk({"content": "Hi"}), chunk({}, "stop", native_finish_reason=native)]
    last = play("openai_chat", [*lines(*said), DONE])[-1]
    assert (last["status"], last["finish_reason"]) == (status, "stop")


def test_counts_that_a_server_left_at_zero() -> None:
    zero = {"usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}}
    counted = {"usage": {"prompt_tokens": 5, "completion_tokens": 9, "total_tokens": 14}}
    for first, second, usage in (
        (zero, zero, (1, 1, "estimated")),
        (zero, counted, (5, 9, "provider")),
        (counted, zero, (5, 9, "provider")),
    ):
        said = [chunk({"content": "Hi"}) | first, chunk({}, "stop") | second]
        found = play("openai_chat", [*lines(*said), DONE])[-1]["usage"]
        assert (found["input_tokens"], found["output_tokens"], found["source"]) == usage


# --- what only a part of the events of the Responses API has ---


def message(*texts: str) -> Any:
    return {"type": "message", "content": [{"type": "output_text", "text": text} for text in texts]}


def text_delta(text: str, output_index: int = 0) -> Any:
    return {"type": "response.output_text.delta", "output_index": output_index, "delta": text}


def done_item(item: Any, output_index: int = 0) -> Any:
    return {"type": "response.output_item.done", "output_index": output_index, "item": item}


def completed(*output: Any) -> Any:
    return {"type": "response.completed", "response": {"status": "completed", "output": [*output]}}


def responses(*events: Any) -> Any:
    return play("openai_responses", [stream(*events)])[-1]


@pytest.mark.parametrize("output", [(), (message("One"), message("Two", "Three"))])
def test_text_that_only_done_items_have(output: Any) -> None:
    items = [done_item(message("One")), done_item(message("Two", "Three"), 1)]
    for events in (items, [items[0], *items], [*items, items[1]]):
        last = responses(*events, completed(*output))
        assert (last["content"], last["status"], last["untold"]) == ("One\n\nTwo\n\nThree", "complete", [])


def test_reasoning_that_only_done_items_have() -> None:
    for field in ("summary", "content"):
        item = {"type": "reasoning", field: [{"text": "Hm."}, {"text": "So."}]}
        last = responses(done_item(item), text_delta("Hi", 1), completed(item, message("Hi")))
        assert (last["reasoning"], last["content"], last["untold"]) == ("Hm.\n\nSo.", "Hi", [])


@pytest.mark.parametrize(
    ("events", "output"),
    [
        pytest.param([text_delta("One")], [message("One two")], id="the end"),
        pytest.param([text_delta("One"), text_delta("One")], [message("One")], id="twice"),
        pytest.param([text_delta("One")], [message("One"), message("Two")], id="a message"),
        pytest.param([text_delta("One"), done_item(message("Two"), 1)], [message("One"), message("Two")], id="an item"),
    ],
)
def test_a_complete_reply_with_more_text_than_came(events: list[Any], output: list[Any]) -> None:
    last = responses(*events, completed(*output))
    assert (last["status"], last["untold"]) == ("unknown", ["response.output"])
    last = responses(*events, completed(message("".join(event.get("delta", "") for event in events))))
    assert (last["status"], last["untold"]) == ("complete", [])


def test_a_complete_reply_with_more_calls_than_came() -> None:
    one, two = ({"type": "function_call", "call_id": name, "name": name, "arguments": "{}"} for name in "ab")
    last = responses(done_item(one), completed(one, two))
    assert (last["status"], last["untold"]) == ("unknown", ["call"])
    last = responses(done_item(one), done_item(two, 1), completed(one, two))
    assert (last["status"], last["untold"]) == ("tool_calls", [])
    last = responses(completed(one, two))
    assert (last["status"], [call["name"] for call in last["tool_calls"]]) == ("tool_calls", ["a", "b"])


# --- parts of Gemini's that hold more than one thing ---


@pytest.mark.parametrize(
    ("part", "text", "status", "untold"),
    [
        ("Hi", "Hi", "complete", []),
        ({"text": "Hi", "hologram": {"data": "w"}}, "Hi", "complete", ["hologram"]),
        ({"text": "Hi", "functionCall": {"name": "w", "args": {}}}, "Hi", "tool_calls", []),
        ({"text": "Hi", "executableCode": {"code": "1"}}, "Hi", "complete", []),
        (["Hi"], "", "unknown", ["part"]),
        (5, "", "unknown", ["part"]),
        (None, "", "complete", []),
        ({}, "", "complete", []),
    ],
)
def test_a_part_of_gemini(part: Any, text: str, status: str, untold: list[str]) -> None:
    last = play("gemini", [stream({"candidates": [{"content": {"parts": [part]}, "finishReason": "STOP"}]})])[-1]
    assert (last["content"], last["status"], last["untold"]) == (text, status, untold)
