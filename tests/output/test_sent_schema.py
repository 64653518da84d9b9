"""The schema that each provider is sent, and what it can't enforce."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msgmodel.output.schema_limits import OPENAI_PROPERTIES
from msgmodel.output.schema_parts import all_schemas, check_schema, resolve_reference
from msgmodel.output.sent_schema import SchemaDialect, fit_schema
from msgmodel.output.value_check import check_value

DIALECTS: tuple[SchemaDialect, ...] = ("openai", "anthropic", "gemini", "llamacpp")


def sent(inner: Any, dialect: SchemaDialect, **rest: Any) -> tuple[Any, tuple[str, ...]]:
    """Return how the schema of a required property is sent, and what is not enforced."""
    schema = {"type": "object", "properties": {"p": inner}, "required": ["p"], **rest}
    check_schema(schema)
    before = copy.deepcopy(schema)
    fitted = fit_schema(schema, dialect)
    assert schema == before
    check_schema(fitted.schema)
    return fitted.schema["properties"]["p"], fitted.unenforced


def test_openai_closes_objects_and_requires_each_member() -> None:
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": "string", "description": "A."},
            "b": {"type": ["string", "null"]},
            "c": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
            "d": {"$ref": "#/$defs/D"},
            "e": {"enum": [1, 2]},
        },
        "required": ["e"],
        "$defs": {"D": {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}},
    }
    assert fit_schema(schema, "openai").schema == {
        "type": "object",
        "properties": {
            "a": {"anyOf": [{"type": "string"}, {"type": "null"}], "description": "A."},
            "b": {"type": ["string", "null"]},
            "c": {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]},
            "d": {"anyOf": [{"$ref": "#/$defs/D"}, {"type": "null"}]},
            "e": {"enum": [1, 2], "type": "integer"},
        },
        "required": ["a", "b", "c", "d", "e"],
        "additionalProperties": False,
        "$defs": {
            "D": {
                "type": "object",
                "properties": {"x": {"type": "integer"}},
                "required": ["x"],
                "additionalProperties": False,
            }
        },
    }


@pytest.mark.parametrize(
    ("inner", "dialect", "expected", "unenforced"),
    [
        (
            {"type": "integer", "minimum": 1, "description": "Years."},
            "anthropic",
            {"type": "integer", "description": 'Years.\n\n{"minimum": 1}'},
            ["minimum"],
        ),
        ({"type": "integer", "minimum": 1}, "openai", {"type": "integer", "minimum": 1}, []),
        (
            {"type": ["string", "null"], "minLength": 2},
            "anthropic",
            {"anyOf": [{"type": "string"}, {"type": "null"}], "description": '{"minLength": 2}'},
            ["minLength"],
        ),
        (
            {"type": "string", "format": "regex"},
            "openai",
            {"type": "string", "description": '{"format": "regex"}'},
            ["format"],
        ),
        ({"type": "string", "format": "uri"}, "anthropic", {"type": "string", "format": "uri"}, []),
        (
            {"type": "string", "pattern": "a"},
            "llamacpp",
            {"type": "string", "description": '{"pattern": "a"}'},
            ["pattern"],
        ),
        ({"type": "string", "pattern": "^a$"}, "llamacpp", {"type": "string", "pattern": "^a$"}, []),
        (
            {"type": "string", "format": "email"},
            "llamacpp",
            {"type": "string", "description": '{"format": "email"}'},
            ["format"],
        ),
        (
            {"type": "array", "items": {"type": "integer"}, "uniqueItems": True, "minItems": 2},
            "anthropic",
            {
                "type": "array",
                "items": {"type": "integer"},
                "description": '{"uniqueItems": true, "minItems": 2}',
            },
            ["uniqueItems", "minItems"],
        ),
        ({"type": "array", "items": {"type": "integer"}, "uniqueItems": False}, "openai", None, []),
        ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, "openai", None, []),
        (
            {"oneOf": [{"type": "string"}, {"type": "string", "maxLength": 3}]},
            "gemini",
            {"anyOf": [{"type": "string"}, {"type": "string", "description": '{"maxLength": 3}'}]},
            ["oneOf", "oneOf/1/maxLength"],
        ),
        ({"const": "a"}, "gemini", {"enum": ["a"], "type": "string"}, []),
        ({"const": "a"}, "openai", {"const": "a", "type": "string"}, []),
        ({"enum": ["a", None]}, "openai", {"enum": ["a", None]}, []),
        (
            {"oneOf": [{"const": "a"}, {"const": 1}], "discriminator": {"propertyName": "kind"}},
            "anthropic",
            {"anyOf": [{"const": "a", "type": "string"}, {"const": 1, "type": "integer"}]},
            ["oneOf"],
        ),
        ({"const": True}, "gemini", {"description": '{"const": true}'}, ["const"]),
        (
            {"type": "integer", "not": {"const": 3}, "if": {"minimum": 1}, "then": {"maximum": 2}},
            "llamacpp",
            {
                "type": "integer",
                "description": '{"not": {"const": 3}, "if": {"minimum": 1}, "then": {"maximum": 2}}',
            },
            ["not", "if", "then"],
        ),
        ({"type": "number", "multipleOf": 2}, "llamacpp", None, ["multipleOf"]),
        ({"type": "object", "patternProperties": {"^a": {"type": "string"}}}, "llamacpp", None, ["patternProperties"]),
        (
            {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}]},
            "openai",
            {
                "type": "array",
                "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
                "description": '{"prefixItems": [{"type": "string"}, {"type": "integer"}]}',
            },
            ["prefixItems"],
        ),
        (
            {"type": "array", "items": False, "prefixItems": [{"type": "string"}, {"type": "string"}]},
            "openai",
            {
                "type": "array",
                "items": {"type": "string"},
                "description": '{"prefixItems": [{"type": "string"}, {"type": "string"}]}',
            },
            ["prefixItems"],
        ),
        ({"type": "array", "items": False, "prefixItems": [{"type": "string"}]}, "gemini", None, []),
        (
            {"allOf": [{"type": "object", "properties": {"a": {"type": "string"}}}, {"required": ["a"]}]},
            "openai",
            {
                "type": "object",
                "properties": {"a": {"type": "string"}},
                "required": ["a"],
                "additionalProperties": False,
            },
            [],
        ),
        ({"type": "string", "default": "x"}, "openai", {"type": "string", "description": '{"default": "x"}'}, []),
        ({}, "gemini", {}, []),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "gemini", None, []),
    ],
)
def test_a_keyword(inner: Any, dialect: SchemaDialect, expected: Any, unenforced: list[str]) -> None:
    fitted, missing = sent(inner, dialect)
    assert missing == tuple(f"/properties/p/{place}" for place in unenforced)
    if expected is not None:
        assert fitted == expected


@pytest.mark.parametrize("dialect", DIALECTS)
def test_notes_beside_a_reference_are_kept(dialect: SchemaDialect) -> None:
    definitions = {"N": {"type": "object", "properties": {"next": {"$ref": "#/$defs/L"}}}, "L": {"type": "string"}}
    fitted, _ = sent({"$ref": "#/$defs/L", "description": "One."}, dialect, **{"$defs": definitions})
    assert fitted == {"type": "string", "description": "One."}


def test_a_schema_that_contains_itself() -> None:
    node = {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#/$defs/N"}, {"type": "null"}]}}}
    rest = {"$defs": {"N": node}}
    described = {"$ref": "#/$defs/N", "description": "One."}
    assert sent(described, "openai", **rest)[0] == {"anyOf": [{"$ref": "#/$defs/N"}], "description": "One."}
    with pytest.raises(ValueError, match="this provider takes no schema that contains itself"):
        sent({"$ref": "#/$defs/N"}, "anthropic", **rest)


def test_older_definitions_become_newer_ones() -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": "#/definitions/A"}}, "definitions": {"A": {"const": 1}}}
    for dialect in DIALECTS:
        fitted = fit_schema(schema, dialect).schema
        check_schema(fitted)
        assert "#/$defs/A" in json.dumps(fitted)


@pytest.mark.parametrize(
    ("inner", "dialect", "words"),
    [
        ({"type": "object"}, "openai", "at /properties/p/additionalProperties: an object with any names can't be sent"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "anthropic", "/additionalProperties"),
        ({"type": "object", "patternProperties": {"a": {}}}, "openai", "/patternProperties: an object with any names"),
        ({}, "openai", "at /properties/p: a value of any type can't be sent: give it a `type`"),
        ({"type": "array"}, "openai", "at /properties/p: a list of anything can't be sent"),
        (False, "gemini", "a schema that no value fits"),
        ({"allOf": [{"type": "string"}, {"type": "integer"}]}, "openai", "two schemas with 'type' can't be merged"),
        ({"enum": ["x" * 200] * 1001}, "openai", "1,001 values in enums, and the provider takes 1,000"),
    ],
)
def test_what_can_not_be_sent_is_refused_with_the_place(inner: Any, dialect: SchemaDialect, words: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        sent(inner, dialect)
    assert words in str(caught.value)


def deep(levels: int) -> Any:
    inner: Any = {"type": "integer"}
    for _ in range(levels - 1):
        inner = {"type": "array", "items": inner}
    return inner


@pytest.mark.parametrize(
    ("inner", "dialect", "words"),
    [
        (deep(10), "openai", None),
        (deep(11), "openai", "11 levels"),
        (
            {"type": "object", "properties": {str(n): {"type": "null"} for n in range(OPENAI_PROPERTIES)}},
            "openai",
            "5,001 properties",
        ),
        (
            {"type": "string", "enum": [f"{n:0100}" for n in range(251)]},
            "openai",
            "25,100 characters in an enum of 251 values",
        ),
        (
            {"type": "object", "properties": {str(n): {"type": "null"} for n in range(25)}},
            "anthropic",
            "25 optional properties",
        ),
        (
            {"anyOf": [{"type": ["string", "null"], "maxLength": n} for n in range(16)]},
            "anthropic",
            "17 unions",
        ),
    ],
)
def test_the_limits_of_a_provider(inner: Any, dialect: SchemaDialect, words: str | None) -> None:
    if words is None:
        sent(inner, dialect)
        return
    with pytest.raises(ValueError, match="make it smaller") as caught:
        sent(inner, dialect)
    assert words in str(caught.value)


def test_references_that_double_are_not_written_out_forever() -> None:
    twice = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}", "title": "x"}] * 2} for n in range(40)}
    schema = {
        "type": "object",
        "properties": {"p": {"$ref": "#/$defs/d0"}},
        "$defs": {**twice, "d40": {"type": "null"}},
    }
    with pytest.raises(ValueError, match="too large once its references are written out"):
        fit_schema(schema, "openai")
    plain = json.loads(json.dumps(schema).replace(', "title": "x"', ""))
    assert fit_schema(plain, "openai").unenforced == ()
    many = {f"d{n}": {"type": "null"} for n in range(600)}
    properties = {name: {"$ref": f"#/$defs/{name}"} for name in many}
    with pytest.raises(ValueError, match="more than 500 schemas"):
        fit_schema({"type": "object", "properties": properties, "$defs": many}, "openai")


def test_plain_enforces_nothing() -> None:
    schema = {"type": "object", "properties": {"a": {"not": {}}}}
    assert fit_schema(schema, "plain") == (schema, ("#",))


# Any schema.

NAMES = st.sampled_from(["a", "b", "c"])
LEAVES = st.sampled_from(
    [
        *({"type": name} for name in ("string", "number", "integer", "boolean", "null")),
        {"type": ["string", "null"]},
        {"enum": ["x", "y"]},
        {"const": 3},
        {"type": "string", "minLength": 1, "pattern": "^x"},
        {"type": "integer", "minimum": 0, "multipleOf": 2},
        {"$ref": "#/$defs/leaf"},
    ]
)


@st.composite
def objects(draw: st.DrawFn, inner: st.SearchStrategy[Any]) -> dict[str, Any]:
    """Return the schema of an object some of whose members are optional."""
    properties = draw(st.dictionaries(NAMES, inner, min_size=1, max_size=3))
    required = draw(st.lists(st.sampled_from(sorted(properties)), unique=True))
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: (
        objects(inner)
        | st.fixed_dictionaries({"type": st.just("array"), "items": inner})
        | st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=3)})
    ),
    max_leaves=6,
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 4) | st.sampled_from(["x", "y", "", "xy", 0.5]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


@given(objects(SCHEMAS), st.sampled_from(DIALECTS), st.lists(st.dictionaries(NAMES, VALUES, max_size=3), max_size=8))
@settings(max_examples=100)
def test_what_fits_the_callers_schema_fits_the_sent_one(
    schema: dict[str, Any], dialect: SchemaDialect, values: list[Any]
) -> None:
    """A provider that enforces the sent schema may answer anything that the caller takes (nulls for what is absent)."""
    schema |= {"$defs": {"leaf": {"type": "object", "properties": {"v": {"type": "integer"}}, "required": ["v"]}}}
    try:
        fitted = fit_schema(schema, dialect)
    except ValueError as error:
        if "make it smaller" not in str(error):
            raise
        return
    for value in values:
        if not check_value(schema, value):
            assert not check_value(fitted.schema, with_nulls(fitted.schema, value, fitted.schema)), (fitted, value)
    if dialect == "openai":
        for each in all_schemas(fitted.schema):
            if each.get("type") == "object":
                assert each["additionalProperties"] is False
                assert each["required"] == [*each["properties"]]


def with_nulls(schema: Any, value: Any, root: Any) -> Any:
    """Return a value as a model in OpenAI's strict mode writes it: an object has all the members of its schema."""
    if "$ref" in schema:
        return with_nulls(resolve_reference(root, schema["$ref"]), value, root)
    for form in schema.get("anyOf", ()):
        filled = with_nulls(form, value, root)
        if not check_value(form, filled, root):
            return filled
    if isinstance(value, list) and "items" in schema:
        return [with_nulls(schema["items"], each, root) for each in value]
    if isinstance(value, dict) and "properties" in schema:
        inner = {name: with_nulls(schema["properties"][name], each, root) for name, each in value.items()}
        return inner | {name: None for name in schema.get("required", ()) if name not in value}
    return value
