"""The reader of JSON that still grows: against `json.loads`, for any JSON, cut anywhere, in any pieces."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msgmodel.output.json_reader import MOST_DIGITS, MOST_LEVELS, JsonReader
from msgmodel.question.lenient_json import mend_all_surrogates

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
INDENTS = st.sampled_from([None, 0, 2])
MISSING = object()


@st.composite
def json_texts(draw: st.DrawFn) -> str:
    """Return JSON as models write it: escaped or not, indented or not, blanks around it."""
    text = json.dumps(draw(VALUES), ensure_ascii=draw(st.booleans()), indent=draw(INDENTS))
    return draw(st.sampled_from(["", " ", "\n\t\r "])) + text + draw(st.sampled_from(["", " \n"]))


@st.composite
def cut_texts(draw: st.DrawFn) -> list[str]:
    """Return such a text in pieces."""
    text = draw(json_texts())
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(text) - 1)), max_size=8)))
    return [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def at_pointer(value: Any, pointer: str) -> Any:
    """Return what a JSON pointer leads to; MISSING if it leads nowhere."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        try:
            value = value[int(name)] if isinstance(value, list) else value[name]
        except (KeyError, IndexError):
            return MISSING
    return value


def closed_values(value: Any, pointer: str | None, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield pointer and value of each value that is shown as closed."""
    if pointer is None or not (pointer == path or pointer.startswith(f"{path}/")):
        yield path, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from closed_values(inner, pointer, f"{path}/{name.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from closed_values(inner, pointer, f"{path}/{index}")


@given(cut_texts())
@settings(max_examples=200)
def test_what_is_shown_as_closed_is_in_the_final_value(pieces: list[str]) -> None:
    final = mend_all_surrogates(json.loads("".join(pieces)))
    reader = JsonReader()
    for piece in pieces:
        reader.feed(piece)
        if reader.has_value:
            shown, pointer = reader.value(), reader.open_path
            for path, value in closed_values(shown, pointer):
                assert repr(at_pointer(final, path)) == repr(value)
            cut = at_pointer(shown, pointer) if pointer is not None else None
            if isinstance(cut, str):
                assert at_pointer(final, pointer or "").startswith(cut)
    reader.finish()
    assert (reader.error, reader.is_closed, reader.open_path) == (None, True, None)
    assert repr(reader.value()) == repr(final)  # 1 is not 1.0, and -0.0 is not 0.0


@given(json_texts(), st.data())
@settings(max_examples=150)
def test_a_cut_text_is_closed_only_if_nothing_is_missing(text: str, data: st.DataObject) -> None:
    end = data.draw(st.integers(0, len(text)))
    reader = JsonReader()
    reader.feed(text[:end])
    if reader.is_closed:
        assert json.loads(text[:end]) == json.loads(text)
    try:
        json.loads(text[:end])
    except ValueError:
        assert not reader.is_closed
        reader.finish()
        assert reader.error
        assert not reader.is_closed
    else:
        reader.finish()  # "-12" of "-123": only the verdict on the reply makes it a value
        assert reader.is_closed


@given(st.text(alphabet='{}[]:,"\\ \n`tfnue0123456789.-+eE/abu', max_size=12))
@settings(max_examples=300)
def test_what_is_no_json_is_refused_as_json_loads_refuses_it(text: str) -> None:
    reader = JsonReader()
    for character in text:
        reader.feed(character)
        reader.value()
    reader.finish()
    try:
        expected = json.loads(text, parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_refuse_duplicates)
    except ValueError:
        assert reader.error
    else:
        if not reader.had_fence:
            assert (reader.error, repr(reader.value())) == (None, repr(mend_all_surrogates(expected)))


def _refuse(word: str) -> None:
    raise ValueError(word)


def _finite(word: str) -> float:
    if math.isinf(float(word)):
        raise ValueError(word)
    return float(word)


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name occurs twice")
    return dict(pairs)


@pytest.mark.parametrize(
    ("text", "value", "open_path"),
    [
        ("", None, ""),
        ("{", {}, ""),
        ('{"na', {}, ""),
        ('{"name"', {}, ""),
        ('{"name": ', {}, ""),
        ('{"name": "Ad', {"name": "Ad"}, "/name"),
        ('{"name": "Ada"', {"name": "Ada"}, ""),
        ('{"a": {"b/c": [1, 2', {"a": {"b/c": [1]}}, "/a/b~1c/1"),
        ('{"a": {"~": [1, {"x": tru', {"a": {"~": [1, {}]}}, "/a/~0/1/x"),
        ('[[1], "a', [[1], "a"], "/1"),
        ("[[1], ", [[1]], ""),
        ('"half \\ud83d', "half ", ""),
        ('"half \\ud83d\\ud', "half ", ""),
        ('"half \\ud83dx', "half \ufffdx", ""),
        ('"whole \\ud83d\\ude00', "whole \U0001f600", ""),
        ("-12345", None, ""),
        ("-12345 ", -12345, None),
        ("[true]", [True], None),
    ],
)
def test_the_value_so_far(text: str, value: Any, open_path: str | None) -> None:
    for size in (1, 2, 100):
        reader = JsonReader()
        for start in range(0, len(text), size):
            reader.feed(text[start : start + size])
        assert (reader.value(), reader.open_path, reader.error) == (value, open_path, None)


@pytest.mark.parametrize(
    ("text", "error", "path"),
    [
        ('{"a": 1, "a": 2}', "the name 'a' occurs twice in an object (character 11)", ""),
        ('{"a": NaN}', "'NaN' is no JSON (character 9)", "/a"),
        ("[-Infinity]", "'-Infinity' is no JSON (character 10)", "/0"),
        ("[1e999]", "'1e999' is too large a number (character 6)", "/0"),
        ("[01]", "'01' is no JSON (character 3)", "/0"),
        ("[1,]", "']' stands in the place of a value (character 3)", ""),
        ("{'a': 1}", '"\'" stands in the place of a name in double quotes (character 1)', ""),
        ('{"a" 1}', "'1' stands in the place of a colon (character 5)", ""),
        ('{"a": 1 "b"', "'\"' stands in the place of a comma (character 8)", ""),
        ('["a\nb"]', "a string has a control character that is not escaped (character 3)", "/0"),
        ('["\\x"]', "a string has the unknown escape '\\\\x' (character 3)", "/0"),
        ('["\\u00g0"]', "an escape has no four hexadecimal digits (character 6)", "/0"),
        ("Sure! {}", "'Sure' is no JSON (character 4)", ""),
        ("{} {}", "more text follows the JSON (character 3)", ""),
        ("```json\n{}\n``` Done.", "more text follows the JSON (character 15)", ""),
        ('{"a": [1, 2', "the text ends before this value is complete (character 11)", "/a/1"),
        (" ", "there is no JSON (character 1)", ""),
        (
            "9" * (MOST_DIGITS + 1),
            f"a number has more than {MOST_DIGITS:,} characters (character {MOST_DIGITS + 1})",
            "",
        ),
    ],
)
def test_an_error_names_the_place(text: str, error: str, path: str) -> None:
    reader = JsonReader()
    reader.feed(text)
    reader.finish()
    assert (reader.error, reader.error_path, reader.is_closed) == (error, path, False)


def test_deep_json_is_refused_in_words() -> None:
    reader = JsonReader()
    reader.feed("[" * 100_000)
    assert reader.error == f"the JSON has more than {MOST_LEVELS} levels (character {MOST_LEVELS})"
    assert json.loads(json.dumps(reader.value())) == reader.value()


@pytest.mark.parametrize(
    "text", ["```json\n{}\n```", "```{}```\n", "\n````JSON\r\n{}\r\n````", "```\n{}\n", "```{}`", "```{}\n``"]
)
def test_a_fence_is_left_out_and_reported(text: str) -> None:
    for size in (1, 3, 100):
        reader = JsonReader()
        for start in range(0, len(text), size):
            reader.feed(text[start : start + size])
        reader.finish()
        assert (reader.value(), reader.had_fence, reader.error, reader.open_path) == ({}, True, None, None)


@pytest.mark.parametrize("text", ["```{}`x", "```{}\n``\n", "```{}```x", "{}`", "{}```"])
def test_what_is_no_closing_fence(text: str) -> None:
    reader = JsonReader()
    for character in text:
        reader.feed(character)
    reader.finish()
    assert (reader.error or "").startswith("more text follows the JSON")


@pytest.mark.parametrize("text", ['[1, {"a": 2}, [3], "b"]', '{"n": 0, "items": [1, {"a": 2}, [3], "b"], "z": [{}]}'])
def test_items_are_taken_once_each_when_they_close(text: str) -> None:
    reader = JsonReader("items")
    taken = []
    for character in text:
        reader.feed(character)
        found = reader.take_items()
        assert len(found) < 2
        taken += found
        assert reader.items_taken == len(taken)
    assert taken == [1, {"a": 2}, [3], "b"]
    taken[1]["a"] = "changed by the caller"
    assert "changed" not in str(reader.value())


def test_a_value_that_was_shown_is_the_callers_own() -> None:
    reader = JsonReader()
    reader.feed('{"a": ["x')
    reader.value()["a"].append("changed")
    reader.feed('y"]}')
    assert reader.value() == {"a": ["xy"]}


def test_each_character_is_read_a_bounded_number_of_times() -> None:
    """A counted cost, not a timed one: a long text takes as many steps a character as a short one."""

    def steps(text: str) -> int:
        count = 0

        class Counted(str):
            __slots__ = ()

            def __getitem__(self, place: Any) -> str:
                nonlocal count
                count += 1
                return super().__getitem__(place)

        reader = JsonReader()
        for start in range(0, len(text), 4):
            reader.feed(Counted(text[start : start + 4]))
        assert reader.is_closed
        return count

    item = {"name": 'A "quoted"\n name', "numbers": [1, -2.5, 3e7], "flag": True}
    small, large = (json.dumps([item] * times) for times in (20, 400))
    assert steps(large) / len(large) < 1.01 * steps(small) / len(small)
