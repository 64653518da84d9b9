"""Continuations of JSON that a limit cut, as models write them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msgmodel.output.json_reader import JsonReader
from msgmodel.reply.json_seam import LONGEST_ANCHOR, JsonSeam, find_anchor


def join(before: str, after: str, size: int = 1) -> tuple[JsonReader, str]:
    """Return the reader after a text and its continuation, and what was delivered of the continuation."""
    reader = JsonReader()
    reader.feed(before)
    seam = JsonSeam(reader, before)
    delivered = ""
    for piece in [*(after[start : start + size] for start in range(0, len(after), size)), None]:
        text = seam.end() if piece is None else seam.feed(piece)
        reader.feed(text)
        delivered += text
    reader.finish()
    assert seam.removed + len(delivered) == len(after)
    return reader, delivered


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@given(
    st.dictionaries(st.text(max_size=4), VALUES, min_size=1, max_size=4),
    st.sampled_from([None, 2]),
    st.booleans(),
    st.sampled_from(["asked", "again", "fence", "fence again"]),
    st.integers(1, 40),
    st.data(),
)
@settings(max_examples=150)
def test_what_the_model_is_asked_for_is_always_joined(
    value: Any, indent: int | None, is_ascii: bool, way: str, size: int, data: st.DataObject
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=is_ascii)
    cut = data.draw(st.integers(1, len(text) - 1))
    reader = JsonReader()
    reader.feed(text[:cut])
    anchor = JsonSeam(reader, text[:cut]).anchor
    assert text[:cut].endswith(anchor)
    answer = text if "again" in way else text[cut - len(anchor) :]
    if "fence" in way:
        answer = f"```json\n{answer}\n```"
    joined, _ = join(text[:cut], answer, size)
    expected = JsonReader()
    expected.feed(text)
    expected.finish()
    assert (joined.error, joined.is_closed, joined.value()) == (None, True, expected.value())


@pytest.mark.parametrize(
    ("before", "after", "value"),
    [
        # Exactly on.
        ('{"a": "The qui', 'ck fox"}', {"a": "The quick fox"}),
        ('{"a": "hel', 'lo"}', {"a": "hello"}),  # one equal character is chance
        ('{"a": [1, ', "22]}", {"a": [1, 22]}),
        ("[0, 0, 0, ", "0, 0]", [0, 0, 0, 0, 0]),
        ('{"a": {"b": {', '"c": 1}}}', {"a": {"b": {"c": 1}}}),
        ('{"a": "x', '"}', {"a": "x"}),
        ('["a"', ', "b"]', ["a", "b"]),
        ('{"a": 1', "2}", {"a": 12}),
        ('{"a": 1', "12}", {"a": 112}),  # the value is what the joined text says
        ('{"a": -', "12.5e3}", {"a": -12500.0}),
        ('{"a": -12.', "5e3}", {"a": -12500.0}),
        ('{"a": -12.5e', "3}", {"a": -12500.0}),
        ('{"a": tr', "ue}", {"a": True}),
        ('{"na', 'me": 1}', {"name": 1}),
        ('{"name', '": 1}', {"name": 1}),
        ('["\\ud83d', '\\ude00"]', ["\U0001f600"]),
        ('["x\\', 'ny"]', ["x\ny"]),
        ('["x\\u00', 'e9"]', ["xé"]),
        # The word that was cut again.
        ('{"a": [1, 2', " 22, 3]}", {"a": [1, 222, 3]}),
        ('{"a": 181', "1815}", {"a": 1815}),
        ('{"a": 181', "81}", {"a": 18181}),
        ('{"a": tr', "true}", {"a": True}),
        ('{"na', '"name": 1}', {"name": 1}),
        ('["\\ud83d', '\\ud83d\\ude00"]', ["\U0001f600"]),
        # Words again.
        ('{"a": "The quick bro', 'quick brown fox"}', {"a": "The quick brown fox"}),
        ('{"a": "The qui', 'quick fox"}', {"a": "The quick fox"}),
        ('{"name": "Ada Lo', '"name": "Ada Lovelace"}', {"name": "Ada Lovelace"}),
        ('{"name": "Ada Lo', '"Ada Lovelace"}', {"name": "Ada Lovelace"}),
        ('{"a": 1, "b"', '"b": 2}', {"a": 1, "b": 2}),
        ('{"a": 1, ', '"a": 1, "b": 2}', {"a": 1, "b": 2}),  # a name does not occur twice
        ('[{"a": 1}, {', '}, {"a": 2}]', [{"a": 1}, {"a": 2}]),
        ("[11, 12, 13, 1", "12, 13, 14]", [11, 12, 13, 14]),
        # A fence, a remark.
        ('{"a": "The qui', '```json\nck fox"}\n```', {"a": "The quick fox"}),
        ('{"a": "The qui', '\nck fox"}', {"a": "The quick fox"}),
        ('{"a": "The qui', 'Here is the rest:\n\n```json\nck fox"}\n```', {"a": "The quick fox"}),
        ('{"a": [', "Here is the rest:\n```\n1]}\n```\n", {"a": [1]}),
        ('{"a": 1', "Sure!\n```json\n2}\n```", {"a": 12}),
        ('```json\n{"a": 1,', '```json\n"b": 2}\n```', {"a": 1, "b": 2}),
        ('```json\n{"a": 1,', '"b": 2}\n```', {"a": 1, "b": 2}),
        # From the start.
        ('{"a": "The qui', '{"a": "The quick fox"}', {"a": "The quick fox"}),
        ('```json\n{"a": [1', '```json\n{"a": [12]}\n```', {"a": [12]}),
        # After the end.
        ('{"a": 1}', "The JSON is complete.", {"a": 1}),
        ('{"a": 1}  ', '{"a": 1}', {"a": 1}),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_ways_in_which_models_go_on(before: str, after: str, value: Any, size: int) -> None:
    reader, _ = join(before, after, size)
    assert (reader.error, reader.value()) == (None, value)


def test_text_flows_on_as_soon_as_the_seam_is_clear() -> None:
    before = '{"a": "The quick brown fox'
    reader = JsonReader()
    reader.feed(before)
    seam = JsonSeam(reader, before)
    held = [seam.feed(piece) for piece in ("The quick", " brown fox", " jumps", " over")]
    assert held == ["", "", " jumps", " over"]
    assert seam.removed == len("The quick brown fox")


def test_what_fits_in_no_way_is_delivered_and_is_an_error() -> None:
    reader, delivered = join('{"a": [1, ', "I can't go on.")
    assert delivered == "I can't go on."
    assert reader.error
    assert reader.value() == {"a": [1]}


def test_a_long_reply_that_begins_again_is_compared_once() -> None:
    text = json.dumps({"items": [{"name": f"number {number}"} for number in range(5_000)]})
    reader, delivered = join(text[:-1000], text, 7)
    assert (reader.error, delivered) == (None, text[-1000:])


def test_an_anchor_occurs_once() -> None:
    assert find_anchor('{"text": "It begins at a word and ends here') == "begins at a word and ends here"
    zeros = '{"zeros": [' + "0, " * 40
    assert zeros.count(find_anchor(zeros)) == 1
    assert len(find_anchor("0, " * 1000)) < LONGEST_ANCHOR + 30
    assert find_anchor("{") == "{"
