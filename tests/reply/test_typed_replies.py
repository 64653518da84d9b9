"""Replies with `output=`: what is sent, which events come, and that no reply is an object that is not one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, get_args

import pytest

from conftest import Async, Sync
from msgmodel import ConfigurationError, Conversation, Panel, query, stream_many
from msgmodel.testing import Reply, Script, ScriptedProvider
from msgmodel.testing.reply_content import Wire

WIRES = get_args(Wire)
PROVIDER = {"openai_chat": "openai", "openai_responses": "openai", "anthropic": "anthropic", "gemini": "gemini"}


@dataclass
class Person:
    name: str
    age: int


PERSON = {"name": "Ada", "age": 36}
TEXT = json.dumps(PERSON)
WRONG = '{"name": "Ada", "age": "many"}'


def ask(colour: Sync | Async, provider: ScriptedProvider, wire: str = "openai_chat", **options: Any) -> list[Any]:
    """The events of one panel."""
    options = {"output": Person, "max_retries": 0, "panel_id": "p"} | options
    return colour.panels(PROVIDER[wire], "Who?", config=provider.config(wire), **options)


def kinds(events: list[Any]) -> list[str]:
    return [event["event"] for event in events]


def joined(events: list[Any]) -> str:
    return "".join(event["delta"] for event in events if event["event"] == "panel_delta")


@pytest.mark.parametrize("wire", WIRES)
def test_an_object_arrives_piece_by_piece(colour: Sync | Async, provider: ScriptedProvider, wire: str) -> None:
    provider.say(Reply(TEXT, pieces=('{"na', 'me": "A', 'da", "age"', ": 36", "}")))
    *events, last = ask(colour, provider, wire)
    assert [event for event in events if event["event"] == "panel_object"] == [
        {"event": "panel_object", "panel_id": "p", "value": {}, "open": ""},
        {"event": "panel_object", "panel_id": "p", "value": {"name": "A"}, "open": "/name"},
        {"event": "panel_object", "panel_id": "p", "value": {"name": "Ada"}, "open": ""},
        {"event": "panel_object", "panel_id": "p", "value": {"name": "Ada"}, "open": "/age"},
        {"event": "panel_object", "panel_id": "p", "value": PERSON, "open": None},
    ]
    assert (last["status"], last["object"], joined(events)) == ("complete", PERSON, TEXT)
    assert last.keys().isdisjoint(("partial", "errors"))
    assert last["receipt"]["output"]["method"] == "native"


def test_query_returns_the_type_of_the_caller(colour: Sync | Async, provider: ScriptedProvider) -> None:
    provider.say(TEXT)
    reply = colour.query("openai", "Who?", config=provider.config("openai"), output=Person)
    assert (reply.object, reply.errors, reply.raw_response["object"]) == (Person("Ada", 36), (), PERSON)
    provider.say(f"[{TEXT}]")
    reply = colour.query("openai", "Who?", config=provider.config("openai"), output=list[Person])
    assert reply.object == [Person("Ada", 36)]
    provider.say("Hello")
    assert colour.query("openai", "Who?", config=provider.config("openai")).object is None


def test_a_list_arrives_item_by_item(colour: Sync | Async, provider: ScriptedProvider) -> None:
    """An item that does not fit is no event, and the end names it."""
    items = [PERSON, {"name": "Bob"}, {"name": "Eve", "age": 5}]
    text = json.dumps({"items": items})
    provider.say(Reply(text, pieces=[text[at : at + 5] for at in range(0, len(text), 5)]))
    *events, last = ask(colour, provider, output=list[Person])
    assert [event for event in events if event["event"] == "panel_item"] == [
        {"event": "panel_item", "panel_id": "p", "index": 0, "item": items[0]},
        {"event": "panel_item", "panel_id": "p", "index": 2, "item": items[2]},
    ]
    assert (last["status"], last["object"], last["partial"]) == ("complete", None, items)
    assert [error["path"] for error in last["errors"]] == ["/1/age"]


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (Reply(TEXT, truncated=True), "truncated"),
        (Reply(TEXT[:-8], truncated=True), "truncated"),
        (Reply(refusal="I can't help with that."), "filtered"),
        (Reply(TEXT, tool_calls=[{"name": "look", "arguments": {}}]), "tool_calls"),
        (Reply(WRONG), "complete"),
        (Reply("Here you are: " + TEXT), "complete"),
        (Reply(TEXT[:-1]), "complete"),
        (Reply(TEXT + "}"), "complete"),
    ],
)
def test_no_object_that_is_none(
    colour: Sync | Async, provider: ScriptedProvider, wire: str, reply: Reply, status: str
) -> None:
    provider.say(reply)
    last = ask(colour, provider, wire)[-1]
    assert (last["status"], last["object"]) == (status, None)
    assert last["errors"]


def test_a_cut_reply_is_no_object(colour: Sync | Async, provider: ScriptedProvider) -> None:
    provider.say(Reply(TEXT, pieces=list(TEXT), cut_after=len(TEXT)))
    last = ask(colour, provider)[-1]
    assert (last["code"], last["object"], last["partial"]) == ("interrupted", None, PERSON)


@pytest.mark.parametrize("wire", WIRES)
def test_a_reply_that_a_limit_cut_goes_on_inside_the_json(
    colour: Sync | Async, provider: ScriptedProvider, wire: str
) -> None:
    """The model sees its text without the open number, and writes it anew; no schema forces it to begin again."""
    provider.say(
        Reply('{"name": "Ada", "age": 3', truncated=True),
        Reply('```json\n{"name": "Ada", "age": 36}\n```'),
    )
    *events, last = ask(colour, provider, wire, continue_truncated=1)
    assert (last["status"], last["object"], last["content"]) == ("complete", PERSON, TEXT + "\n```")
    assert joined(events) == last["content"]
    assert [segment["overlap"] for segment in last["segments"]] == [0, len('```json\n{"name": "Ada", "age": 3')]
    first, second = (request.body.decode() for request in provider.requests)
    asked = [json.dumps(text)[1:-1] for text in ('{"name": "Ada", "age": ', "behind them:\n\n", "JSON schema:\n{")]
    assert [text in second for text in asked] == [True] * 3
    assert not any(text in first for text in asked)
    fields = ("response_format", '"format"', "responseJsonSchema")
    assert [any(field in body for field in fields) for body in (first, second)] == [True, False]
    assert last["receipt"]["output"] == {"method": "prompt", "unenforced": ["#"]}, "of the request that ended it"


@pytest.mark.parametrize(
    ("rest", "found"),
    [
        (" 36}", PERSON),
        ('{"name": "Ada", "age": 36}', PERSON),
        ("Sorry, I can not.", None),
        ("", None),
    ],
)
def test_a_continuation_that_fails_or_not(
    shared_colour: Sync | Async, provider: ScriptedProvider, rest: str, found: Any
) -> None:
    provider.say(Reply('{"name": "Ada", "age":', truncated=True), rest)
    last = ask(shared_colour, provider, continue_truncated=1)[-1]
    assert (last["object"], "errors" in last) == (found, found is None)


def test_a_limit_after_the_json_hides_no_object(shared_colour: Sync | Async, provider: ScriptedProvider) -> None:
    """Some models print blanks until the limit. What they add when they are asked to go on is no part of the JSON."""
    provider.say(Reply(TEXT + " " * 9, truncated=True), "That was all.")
    last = ask(shared_colour, provider, continue_truncated=1)[-1]
    assert (last["object"], last["content"].strip()) == (PERSON, TEXT)


def test_a_repair_asks_again_with_the_errors(colour: Sync | Async, provider: ScriptedProvider) -> None:
    provider.say(Reply(WRONG), Reply(TEXT))
    *events, last = ask(colour, provider, repair=1)
    (retry,) = [event for event in events if event["event"] == "panel_retry"]
    assert (retry["reason"], retry["code"], retry["provider"]) == ("repair", "invalid_output", "openai")
    assert "/age" in retry["error"]
    assert last["object"] == PERSON
    assert last["content"] == joined(events) == f"{WRONG}\n\n{TEXT}"
    assert last["message"] == {"role": "assistant", "content": TEXT}
    assert [(each["characters"], each["status"]) for each in last["segments"]] == [
        (len(WRONG), "complete"),
        (len(TEXT) + 2, "complete"),
    ]
    assert last["usage"]["output_tokens"] == 68
    first, second = (request.json["messages"] for request in provider.requests)
    assert second[: len(first)] == first
    assert second[len(first)] == {"role": "assistant", "content": WRONG}
    assert second[-1]["role"] == "user"
    assert "- /age: The value is the string" in second[-1]["content"]
    begins_again = kinds(events)[kinds(events).index("panel_retry") :]
    assert begins_again[:3] == ["panel_retry", "panel_delta", "panel_object"]


def test_the_receipt_says_how_the_last_answer_was_asked_for(colour: Sync | Async, provider: ScriptedProvider) -> None:
    """The rest of a reply is asked for in words, a repetition of all of it as at first."""
    cut = Reply('{"name": "Ada", "ag', truncated=True)
    native = {"method": "native", "unenforced": []}
    for replies, method in (
        ([Reply(TEXT)], native),
        ([cut, Reply('e": 36}')], {"method": "prompt", "unenforced": ["#"]}),
        ([cut, Reply("e"), Reply(TEXT)], native),
    ):
        provider.say(*replies)
        last = ask(colour, provider, continue_truncated=1, repair=1)[-1]
        assert (last["object"], last["receipt"]["output"]) == (PERSON, method)


def test_a_repair_that_fails_leaves_the_reply_as_it_was(colour: Sync | Async, provider: ScriptedProvider) -> None:
    provider.say(Reply(WRONG), Reply(error=400))
    last = ask(colour, provider, repair=2)[-1]
    assert (last["event"], last["status"], last["object"]) == ("panel_final", "complete", None)
    assert [error["path"] for error in last["errors"]] == ["/age"]
    assert (last["content"], last["message"]) == (WRONG, {"role": "assistant", "content": WRONG})
    assert [each["status"] for each in last["segments"]] == ["complete", "invalid_request"]


def test_repairs_end(colour: Sync | Async, provider: ScriptedProvider) -> None:
    provider.say(Reply(WRONG))
    last = ask(colour, provider, repair=2)[-1]
    assert (last["object"], len(provider.requests), len(last["segments"])) == (None, 3, 3)


def test_a_repair_of_an_empty_reply(colour: Sync | Async, provider: ScriptedProvider) -> None:
    provider.say(Reply(""), Reply(TEXT))
    *events, last = ask(colour, provider, repair=1)
    assert (last["object"], last["content"], joined(events)) == (PERSON, TEXT, TEXT)
    assert [message["role"] for message in provider.requests[-1].json["messages"]] == ["user"]


@pytest.mark.parametrize("wire", WIRES)
def test_a_body_that_asks_for_a_format_too(provider: ScriptedProvider, wire: str) -> None:
    bodies: dict[str, dict[str, Any]] = {
        "openai_chat": {"response_format": {"type": "json_object"}},
        "openai_responses": {"text": {"format": {"type": "json_object"}}},
        "anthropic": {"output_config": {"format": {"type": "json_schema", "schema": {}}}},
        "gemini": {"generationConfig": {"responseMimeType": "application/json"}},
    }
    config = provider.config(wire, body=bodies[wire])
    with pytest.raises(ConfigurationError, match="output= and body"):
        Sync().panels(PROVIDER[wire], "Who?", config=config, output=Person)


def test_wrong_arguments(provider: ScriptedProvider) -> None:
    config = provider.config("openai")
    for wrong in (3, "xml", {"type": "person"}, [Person], object()):
        with pytest.raises(ConfigurationError, match="output"):
            Sync().panels("openai", "Who?", config=config, output=wrong)
    with pytest.raises(ConfigurationError, match="repair is for replies with a format"):
        Sync().panels("openai", "Who?", config=config, repair=1)
    with pytest.raises(ConfigurationError, match="repair must be a whole number"):
        Sync().panels("openai", "Who?", config=config, output=Person, repair=-1)


def test_a_value_takes_memory_and_is_bounded(colour: Sync | Async, provider: ScriptedProvider) -> None:
    """Two characters of text are an empty list of sixty bytes: the text alone would fit three hundred times."""
    provider.say(Reply("[" + ",".join(["[]"] * 1000) + "]", pieces=["[", *["[],"] * 999, "[]]"]))
    limit = {"max_reply_bytes": 400_000}
    schema = {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}}
    assert ask(colour, provider, output=schema, **limit)[-1]["code"] == "reply_too_large"
    assert ask(colour, provider, output=None, **limit)[-1]["status"] == "complete"


def test_a_batch_says_which_panels_have_an_object(provider: ScriptedProvider) -> None:
    provider.say(TEXT)
    panels = [Panel("openai", panel_id=name, config=provider.config("openai"), model="m") for name in "ab"]
    panels[1].settings["output"] = {"type": "array", "items": {"type": "string"}}
    *_, last = stream_many(panels, "Who?", output=Person, max_retries=0)
    assert last["event"] == "batch_final"
    assert [panel["has_object"] for panel in last["panels"]] == [True, False]
    *_, last = stream_many(panels[:1], "Who?")
    assert last["event"] == "batch_final"
    assert "has_object" not in last["panels"][0]


def test_a_conversation_keeps_the_last_answer(colour: Sync | Async, provider: ScriptedProvider) -> None:
    """The next question sends the corrected answer, not the wrong one."""
    provider.say(Reply(WRONG), Reply(TEXT), Reply(TEXT))
    chat = Conversation("openai", config=provider.config("openai"), output=Person, repair=1)
    assert chat.query("Who?").object == Person("Ada", 36)
    assert chat.messages[-1] == {"role": "assistant", "content": TEXT}
    chat.query("And now?")
    sent = provider.requests[-1].json["messages"]
    assert [message["content"] for message in sent] == ["Who?", TEXT, "And now?"]


@pytest.mark.parametrize("rest", ["6}", '"age": 36}', ' {"name": "Ada", "age": 36}'])
def test_a_number_that_a_limit_cut_goes_on(colour: Sync | Async, provider: ScriptedProvider, rest: str) -> None:
    """The value is the one that the text says, in `content` and in the next question."""
    provider.say(Reply('{"name": "Ada", "age": 3', truncated=True), Reply(rest))
    *events, last = ask(colour, provider, continue_truncated=1)
    assert (last["object"], last["content"]) == (PERSON, joined(events))
    assert json.loads(last["content"]) == json.loads(last["message"]["content"]) == PERSON


DOCUMENT = '{"name": "Ada \\u00e9", "born": 1815, "ok": true, "tags": ["x", "yy"], "n": -12.5e3}'


@pytest.mark.parametrize("cut", range(1, len(DOCUMENT)))
def test_a_continuation_that_goes_exactly_on(provider: ScriptedProvider, cut: int) -> None:
    provider.say(Reply(DOCUMENT[:cut], truncated=True), Reply(DOCUMENT[cut:]))
    reply = query("openai", "Who?", output="json", continue_truncated=1, config=provider.config("openai"))
    assert (reply.object, reply.text) == (json.loads(DOCUMENT), DOCUMENT)


def test_a_reply_with_a_hole_is_no_object(colour: Sync | Async, provider: ScriptedProvider) -> None:
    """Its text happens to be JSON that fits, but a piece of the name is missing."""
    pieces = ['{"name": "A', "d", 'a", "age": 36}']
    events = [
        b"data: %b\n\n" % json.dumps({"choices": [{"delta": {"content": piece}, "finish_reason": None}]}).encode()
        for piece in pieces
    ]
    end = b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
    provider.say(Script.body(b"".join([events[0], b" " + events[1], events[2], end])))
    last = ask(colour, provider)[-1]
    assert (last["content"], last["status"]) == ('{"name": "Aa", "age": 36}', "unknown")
    assert last["object"] is None
    provider.say(Script.body(b"".join([*events, end])))
    assert ask(colour, provider)[-1]["object"] == PERSON
