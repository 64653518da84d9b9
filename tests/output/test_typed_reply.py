"""What a panel shows of a typed reply on the way, and what it says at the end."""

from __future__ import annotations

import json
from typing import Any

import pytest

from msgmodel.output.output_format import read_output
from msgmodel.output.typed_reply import ClosedItem, TypedReply, ValueSoFar

PEOPLE = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
        "required": ["name"],
    },
}
PERSON: dict[str, Any] = PEOPLE["items"]  # type: ignore[assignment]


def play(output: Any, text: str, *, size: int = 1, complete: bool = True) -> tuple[list[Any], Any]:
    """Return what a reply of this text shows, and the facts of its end."""
    reply = TypedReply(read_output(output))
    shown = [event for start in range(0, len(text), size) for event in reply.feed(text[start : start + size])]
    shown += reply.end(complete=complete)
    return shown, reply.facts(complete=complete)


def test_a_complete_reply() -> None:
    shown, facts = play(PERSON, '{"name": "Ada", "age": 36}', size=11)
    assert shown == [
        ValueSoFar({"name": "A"}, "/name"),
        ValueSoFar({"name": "Ada"}, ""),
        ValueSoFar({"name": "Ada", "age": 36}, None),
    ]
    assert facts == {"object": {"name": "Ada", "age": 36}}


def test_elements_are_shown_when_they_close_if_they_fit() -> None:
    text = '{"items": [{"name": "Ada"}, {"age": 3}, {"name": "Bo", "age": null}]}'
    shown, facts = play(PEOPLE, text)
    items = [event for event in shown if isinstance(event, ClosedItem)]
    assert items == [ClosedItem(0, {"name": "Ada"}), ClosedItem(2, {"name": "Bo"})]
    assert shown[-1] == ValueSoFar([{"name": "Ada"}, {"age": 3}, {"name": "Bo"}], None)
    assert facts == {
        "object": None,
        "partial": [{"name": "Ada"}, {"age": 3}, {"name": "Bo"}],
        "errors": [{"path": "/1/name", "message": "The property is missing.", "wanted": "a string"}],
    }


def test_what_changes_nothing_is_not_shown_again() -> None:
    """Blanks, the name of a property and a number that is not closed make no event."""
    typed = TypedReply(read_output(PERSON))
    assert typed.feed("{") == [ValueSoFar({}, "")]
    assert [shown for piece in ("  ", '"a', 'ge"', " :", " 1", "2") for shown in typed.feed(piece)][:-2] == []


def test_the_wrapper_is_never_shown() -> None:
    shown, _ = play(PEOPLE, '{"items": [{"name": "Ada"}]}')
    assert [event.open for event in shown if isinstance(event, ValueSoFar)][:2] == ["", "/0"]
    assert all(isinstance(event.value, list) for event in shown if isinstance(event, ValueSoFar))


@pytest.mark.parametrize("text", ['[{"name": "Ada"}]', '```json\n{"items": [{"name": "Ada"}]}\n```'])
def test_a_model_that_sees_no_schema_may_leave_the_wrapper_out(text: str) -> None:
    shown, facts = play(PEOPLE, text)
    assert [event for event in shown if isinstance(event, ClosedItem)] == [ClosedItem(0, {"name": "Ada"})]
    assert facts == {"object": [{"name": "Ada"}]}


@pytest.mark.parametrize("complete", [True, False])
@pytest.mark.parametrize("output", [PEOPLE, PERSON, "json"])
def test_an_empty_reply_has_no_object(output: Any, complete: bool) -> None:
    assert "partial" not in play(output, "", complete=complete)[1]
    assert play(output, " ", complete=complete)[1]["object"] is None


def test_an_object_without_the_list_is_no_empty_list() -> None:
    facts = play(PEOPLE, "{}")[1]
    assert facts["object"] is None
    assert facts["errors"][0]["wanted"] == "a list"


@pytest.mark.parametrize("text", ['{"name": "Ada"}', '{"name": "Ada", "age": 1', "{", '{"name": "Ad'])
def test_a_reply_that_was_cut_has_no_object(text: str) -> None:
    facts = play(PERSON, text, complete=False)[1]
    assert facts["object"] is None
    assert len(facts["errors"]) == 1


def test_a_number_is_complete_by_the_verdict_alone() -> None:
    schema = {"type": "integer"}
    assert play(schema, '{"value": -12', complete=False)[1]["object"] is None
    shown, facts = play("json", "-12345", size=3)
    assert (shown, facts) == ([ValueSoFar(-12345, None)], {"object": -12345})
    assert play("json", "-12345", complete=False) == (
        [],
        {
            "object": None,
            "errors": [
                {
                    "path": "",
                    "message": "The reply ended before this value was complete.",
                    "wanted": "complete JSON",
                }
            ],
        },
    )


def test_an_error_names_the_place_in_the_callers_value() -> None:
    facts = play(PEOPLE, '{"items": [{"name": "Ada"}, {"name": Bo}]}')[1]
    assert facts["partial"] == [{"name": "Ada"}, {}]
    assert facts["errors"] == [
        {"path": "/1/name", "message": "'B' is no JSON (character 38).", "wanted": "complete JSON"}
    ]


def test_the_facts_may_be_asked_for_on_the_way() -> None:
    """Whether a complete answer fits is asked before the text that was held back is read."""
    reply = TypedReply(read_output(PEOPLE))
    for text in ('{"items": [{"name": "A', 'da"}, {"name": "B"}], "', "more"):
        reply.feed(text)
        assert reply.facts(complete=True)["object"] is None
    (error,) = TypedReply(read_output(PEOPLE)).facts(complete=True)["errors"]
    assert error["message"] == "There is no JSON (character 0)."
    reply = TypedReply(read_output("json"))
    for digits in ("-1", "23", "45"):
        reply.feed(digits)
        reply.facts(complete=True)
    assert reply.facts(complete=True) == {"object": -12345}


@pytest.mark.parametrize("size", [1, 50, 4_000])
def test_the_values_that_are_shown_cost_linearly(size: int) -> None:
    """Counted in characters: all values that are shown together have at most nine times those of the text."""
    for count in (100, 1_000):
        text = json.dumps([{"name": "Ada Lovelace", "age": 36}] * count)
        shown, _ = play("json", text, size=size)
        assert sum(len(json.dumps(event.value)) for event in shown) < 10 * len(text)
        assert sum(event.open is None for event in shown) == 1
