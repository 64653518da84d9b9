"""The check of a value against a schema: against another implementation, and in words."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from msgmodel.output.json_reader import MOST_LEVELS
from msgmodel.output.schema_parts import check_schema
from msgmodel.output.value_check import MOST_ERRORS, check_value

jsonschema_rs = pytest.importorskip("jsonschema_rs")

NAMES = ("a", "b", "ab", "c")
PATTERNS = ("^a", "b$", "[0-9]", "a|b")
TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
SCALARS = (None, True, False, 0, 1, -3, 2, 0.5, 1.0, -2.0, "a", "ab", "b1", "")


class SchemaMaker:
    """Makes schemas with any keywords, and values, from a seed: strategies of this size take far longer."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def whole(self) -> dict[str, Any]:
        """Return a schema with the two definitions that others refer to."""
        return self.schema(3) | {"$defs": {"one": self.schema(0), "two": self.inner(2)}}

    def inner(self, depth: int) -> Any:
        return self.schema(depth - 1) if depth and self._random.random() < 0.8 else self._random.random() < 0.7

    def schema(self, depth: int) -> dict[str, Any]:
        keywords = self._random.sample(sorted(self._makers), self._random.randint(0, 4))
        return {keyword: self._makers[keyword](self, depth) for keyword in keywords}

    def value(self, depth: int = 3) -> Any:
        chosen = self._random.random()
        if not depth or chosen < 0.4:
            return self._random.choice(SCALARS)
        if chosen < 0.7:
            return [self.value(depth - 1) for _ in range(self._random.randint(0, 3))]
        return {name: self.value(depth - 1) for name in self._random.sample(NAMES, self._random.randint(0, 3))}

    def names(self) -> list[str]:
        return self._random.sample(NAMES, self._random.randint(0, 2))

    def some(self, depth: int) -> list[Any]:
        return [self.inner(depth) for _ in range(self._random.randint(1, 3))]

    def by_name(self, depth: int) -> dict[str, Any]:
        return {name: self.inner(depth) for name in self.names()}

    _makers: ClassVar[dict[str, Callable[[SchemaMaker, int], Any]]] = {
        "type": lambda self, _: self._random.choice([*TYPES, self._random.sample(TYPES, 2)]),
        "enum": lambda self, _: [self.value(1), self.value(2)],
        "const": lambda self, _: self.value(1),
        "multipleOf": lambda self, _: self._random.choice([1, 2, 0.5]),
        **dict.fromkeys(
            ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), lambda self, _: self._random.randint(-2, 2)
        ),
        **dict.fromkeys(
            ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"),
            lambda self, _: self._random.randint(0, 3),
        ),
        **dict.fromkeys(("minContains", "maxContains"), lambda self, _: self._random.randint(0, 3)),
        "pattern": lambda self, _: self._random.choice(PATTERNS),
        "uniqueItems": lambda self, _: self._random.random() < 0.7,
        **dict.fromkeys(
            (
                *("items", "contains", "not", "if", "then", "else", "propertyNames", "additionalProperties"),
                *("unevaluatedItems", "unevaluatedProperties"),
            ),
            inner,
        ),
        **dict.fromkeys(("prefixItems", "allOf", "anyOf", "oneOf"), some),
        **dict.fromkeys(("properties", "dependentSchemas"), by_name),
        "patternProperties": lambda self, depth: {self._random.choice(PATTERNS): self.inner(depth)},
        "required": lambda self, _: self.names(),
        "dependentRequired": lambda self, _: {name: self.names() for name in self.names()},
        "$ref": lambda self, _: self._random.choice(["#/$defs/one", "#/$defs/two"]),
    }


@pytest.mark.parametrize("seed", range(20))
def test_as_another_implementation_decides(seed: int) -> None:
    for number in range(200):
        maker = SchemaMaker(1000 * seed + number)
        schema = maker.whole()
        try:
            check_schema(schema)
        except ValueError as error:
            if "leads to itself" not in str(error):
                raise
            continue
        validator = jsonschema_rs.Draft202012Validator(schema)
        for value in [maker.value() for _ in range(4)]:
            assert (not check_value(schema, value)) == validator.is_valid(value), (schema, value)


PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "age": {"type": "integer", "minimum": 0},
        "mail": {"type": "string", "format": "email"},
        "born": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
        "color": {"enum": ["red", "blue"]},
        "tags": {"type": "array", "items": {"type": "string", "pattern": "^[a-z]+$"}, "uniqueItems": True},
        "pet": {"anyOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}]},
        "a/b": {"const": 1},
    },
    "required": ["name"],
    "additionalProperties": False,
    "$defs": {
        kind: {
            "type": "object",
            "properties": {"kind": {"const": kind.lower()}, word: {"type": "boolean"}},
            "required": ["kind", word],
        }
        for kind, word in (("Cat", "purrs"), ("Dog", "barks"))
    },
}


@pytest.mark.parametrize(
    ("value", "path", "message", "wanted"),
    [
        ([], "", "The value is an empty list.", "an object"),
        ({}, "/name", "The property is missing.", "a string"),
        ({"name": ""}, "/name", "The string has 0 characters.", "at least 1 character"),
        ({"name": "A", "age": "7"}, "/age", 'The value is the string "7".', "an integer"),
        ({"name": "A", "age": -1}, "/age", "The value is -1.", "at least 0"),
        ({"name": "A", "mail": "x"}, "/mail", 'The value is "x".', "an email address"),
        ({"name": "A", "born": "May"}, "/born", 'The value is "May".', "a date such as 2026-11-30"),
        (
            {"name": "A", "born": 7},
            "/born",
            "The value, 7, fits none of the forms.",
            "a date such as 2026-11-30 or null",
        ),
        ({"name": "A", "color": "x"}, "/color", 'The value is the string "x".', 'one of "red" or "blue"'),
        (
            {"name": "A", "tags": ["a", "B"]},
            "/tags/1",
            'The value is "B".',
            "a string that matches the pattern ^[a-z]+$",
        ),
        ({"name": "A", "tags": ["a", "a"]}, "/tags", "The elements 0 and 1 are equal.", "elements that all differ"),
        ({"name": "A", "pet": {"kind": "dog"}}, "/pet/barks", "The property is missing.", "true or false"),
        ({"name": "A", "pet": {}}, "/pet", "The value, an empty object, fits none of the forms.", "an object"),
        ({"name": "A", "a/b": True}, "/a~1b", "The value is true.", "1"),
    ],
)
def test_an_error_is_for_people(value: Any, path: str, message: str, wanted: str) -> None:
    assert check_value(PERSON, value) == [{"path": path, "message": message, "wanted": wanted}]


def test_an_unknown_property_names_the_known_ones() -> None:
    (error,) = check_value(PERSON, {"name": "A", "years": 3})
    assert error["path"] == "/years"
    assert error["wanted"].startswith("no other properties than name, age, mail")


def test_a_long_value_is_shown_short() -> None:
    (error,) = check_value({"const": 1}, "x" * 1000)
    assert len(error["message"]) < 100


def test_many_errors_are_bounded() -> None:
    assert len(check_value({"items": {"type": "string"}}, list(range(10_000)))) == MOST_ERRORS


def doubling(levels: int) -> dict[str, Any]:
    """Return a schema that refers twice to one that refers twice to one: it has two to the power of `levels` forms."""
    twice = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}", "title": "x"}] * 2} for n in range(levels)}
    return {"$ref": "#/$defs/d0", "$defs": {**twice, f"d{levels}": {"type": "string"}}}


def test_a_schema_that_takes_forever_is_given_up() -> None:
    schema = doubling(40)
    check_schema(schema)
    assert check_value(schema, "fits") == []
    (error,) = check_value(schema, 7)
    assert error["message"] == "The schema takes too long to check."


def test_many_references_are_followed_once() -> None:
    chain = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}]} for n in range(3_000)}
    check_schema({"$ref": "#/$defs/d0", "$defs": {**chain, "d3000": {}}})


def test_the_deepest_value_is_checked() -> None:
    schema = {"$defs": {"n": {"anyOf": [{"items": {"$ref": "#/$defs/n"}, "type": "array"}, {"const": 1}]}}}
    value: Any = 1
    for _ in range(MOST_LEVELS):
        value = [value]
    assert check_value(schema | {"$ref": "#/$defs/n"}, value) == []
    for _ in range(5000):
        value = [value]
    (error,) = check_value(schema | {"$ref": "#/$defs/n"}, value)
    assert error["message"] == "The value is nested too deeply to be checked."


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("date", ["2026-02-28"], ["2026-02-30", "28.2.2026", "20260228"]),
        ("time", ["17:30:00Z", "17:30:00.5+01:00", "23:59:60Z"], ["25:00:00Z", "5pm"]),
        ("date-time", ["2026-02-28T17:30:00Z", "2026-02-28 17:30:00.123-08:00"], ["2026-02-28", "now", ""]),
        ("duration", ["P1D", "PT1H30M", "P2W", "PT0.5S"], ["1h", "P", "PT"]),
        ("email", ["a@b.example"], ["a", "a b@c", "@"]),
        ("hostname", ["a.example", "localhost"], ["-a", "a..b", "a_b"]),
        ("ipv4", ["127.0.0.1"], ["256.0.0.1", "1.2.3"]),
        ("ipv6", ["::1"], ["1::2::3", "127.0.0.1"]),
        ("uuid", ["12345678-1234-1234-1234-123456789abc"], ["1234"]),
        ("uri", ["https://a.example/b?c#d", "urn:x:y"], ["//a", "a b", "http://a b"]),
        ("of-another-planet", ["anything"], []),
    ],
)
def test_formats(name: str, right: list[str], wrong: list[str]) -> None:
    schema = {"format": name}
    assert [text for text in right if check_value(schema, text)] == []
    assert [text for text in wrong if not check_value(schema, text)] == []
    assert check_value(schema, 7) == []


def test_decimal_multiples() -> None:
    assert check_value({"multipleOf": 0.1}, 0.3) == []
    assert check_value({"multipleOf": 0.01}, 1e300) == []


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "text"}, "at /type: 'text' is not one of object, array"),
        ({"properties": {"a": {"type": []}}}, "at /properties/a/type"),
        ({"properties": ["a"]}, "at /properties: ['a'] is not an object"),
        ({"items": 7}, "at /items: 7 is no schema"),
        ({"required": "a"}, "at /required: 'a' is not a list of names"),
        ({"minimum": "0"}, "at /minimum: '0' is not a number"),
        ({"multipleOf": 0}, "at /multipleOf: 0 is not a number above 0"),
        ({"pattern": "("}, "at /pattern: '(' is no regular expression"),
        ({"patternProperties": {"(": {}}}, "at /patternProperties: '(' is no regular expression"),
        ({"$ref": "https://example.com/a"}, "leads out of the schema"),
        ({"$ref": "#/$defs/A"}, "leads nowhere"),
        ({"$dynamicRef": "#a"}, "at /$dynamicRef: this keyword is not supported"),
        ({"$ref": "#"}, "leads to itself"),
        ({"anyOf": [{"$ref": "#/$defs/A"}], "$defs": {"A": {"allOf": [{"$ref": "#/$defs/A"}]}}}, "leads to itself"),
    ],
)
def test_what_is_no_schema_is_refused(schema: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        check_schema(schema)
    assert words in str(caught.value)


def test_references_and_names_of_keywords() -> None:
    schema = {
        "$ref": "#/properties/minimum",
        "properties": {"minimum": {"$ref": "#/$defs/a~1b"}, "$ref": {"type": "string"}},
        "$defs": {"a/b": {"$anchor": "here"}, "c": {"$ref": "#here"}},
        "const": {"$ref": "no reference"},
    }
    check_schema(schema)
