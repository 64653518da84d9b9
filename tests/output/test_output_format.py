"""`output=`: what callers may pass, and how JSON becomes their type."""

from __future__ import annotations

import datetime
import enum
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import msgspec
import pytest

from msgmodel.output.output_format import OutputMismatch, read_output

pydantic = pytest.importorskip("pydantic")


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Address(TypedDict):
    city: Annotated[str, "Without the country."]
    code: NotRequired[str]


@dataclass
class Person:
    """A person."""

    name: str
    home: Address
    color: Color = Color.RED
    born: datetime.date | None = None
    tags: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.name == "Nobody":
            raise ValueError("a person has a name")


class Invoice(msgspec.Struct, rename="camel"):
    total_sum: Decimal
    paid_at: datetime.datetime
    kind: Literal["bill", "credit"] = "bill"


class Node(msgspec.Struct):
    value: int
    children: list[Node] = []


class Pet(pydantic.BaseModel):
    """A pet."""

    model_config = pydantic.ConfigDict(strict=True)
    name: str = pydantic.Field(alias="petName", description="What it is called.")
    born: datetime.date
    legs: int = pydantic.Field(default=4, ge=0)
    friends: list[Pet] = pydantic.Field(default_factory=list)

    @pydantic.field_validator("name")
    @classmethod
    def check_name(cls, name: str) -> str:
        if name == "Dog":
            raise ValueError("a dog has a name")
        return name


class Owner(pydantic.BaseModel):
    pet: Pet | None = None


@dataclass
class Shelter:
    pets: list[Pet]


def test_json_has_no_schema() -> None:
    wanted = read_output("json")
    assert (wanted.name, wanted.schema, wanted.is_list) == ("json", None, False)
    assert wanted.errors_in({"any": [1]}) == []
    assert wanted.convert({"any": [1]}) == {"any": [1]}


def test_a_dict_is_a_schema() -> None:
    schema = {"title": "A person!", "type": "object", "properties": {"name": {"type": "string"}}}
    wanted = read_output(schema)
    assert (wanted.name, wanted.schema, wanted.wrapper) == ("A_person", schema, None)
    schema["properties"] = 7  # the caller's own dict may change
    assert wanted.errors_in({"name": 7})[0]["path"] == "/name"
    assert wanted.convert({"name": "A"}) == {"name": "A"}


@pytest.mark.parametrize(
    ("kind", "value", "converted"),
    [
        (
            Person,
            {"name": "Ada", "home": {"city": "Rome"}, "color": "blue", "born": "1815-12-10"},
            Person("Ada", {"city": "Rome"}, Color.BLUE, datetime.date(1815, 12, 10)),
        ),
        (Address, {"city": "Rome", "code": "1"}, {"city": "Rome", "code": "1"}),
        (
            Invoice,
            {"totalSum": "12.30", "paidAt": "2026-11-30T17:30:00Z"},
            Invoice(Decimal("12.30"), datetime.datetime(2026, 11, 30, 17, 30, tzinfo=datetime.UTC)),
        ),
        (Node, {"value": 1, "children": [{"value": 2}]}, Node(1, [Node(2)])),
        (Pet, {"petName": "Rex", "born": "2020-01-02"}, Pet(petName="Rex", born=datetime.date(2020, 1, 2))),
        (Owner, {"pet": None}, Owner()),
        (
            Shelter,
            {"pets": [{"petName": "Rex", "born": "2020-01-02"}]},
            Shelter([Pet(petName="Rex", born=datetime.date(2020, 1, 2))]),
        ),
    ],
)
def test_a_class_is_a_schema_and_a_type(kind: Any, value: Any, converted: Any) -> None:
    wanted = read_output(kind)
    assert wanted.name == kind.__name__
    assert wanted.schema is not None
    assert wanted.schema["type"] == "object"
    assert wanted.errors_in(value) == []
    assert wanted.convert(value) == converted


def test_descriptions_reach_the_schema() -> None:
    schema = read_output(Person).schema
    assert schema is not None
    assert schema["description"] == "A person."
    assert schema["$defs"]["Address"]["properties"]["city"]["description"] == "Without the country."
    schema = read_output(list[Pet]).schema
    assert schema is not None
    assert schema["$defs"]["Pet"]["properties"]["petName"]["description"] == "What it is called."


@pytest.mark.parametrize(
    ("output", "wrapper", "name", "text_value", "value", "converted"),
    [
        (list[Node], "items", "Node_list", {"items": [{"value": 1}]}, [{"value": 1}], [Node(1)]),
        (list[int], "items", "int_list", {"items": [1, 2]}, [1, 2], [1, 2]),
        (Node | Invoice, None, None, None, None, None),
        (Literal["a", "b"], "value", "output", {"value": "b"}, "b", "b"),
        (Color, "value", "Color", {"value": "red"}, "red", Color.RED),
        (int | None, "value", "output", {"value": None}, None, None),
        ({"type": "array", "items": {"type": "integer"}}, "items", "output", {"items": [1]}, [1], [1]),
        ({"anyOf": [{"type": "object"}, {"type": "null"}]}, "value", "output", {"value": {}}, {}, {}),
    ],
)
def test_what_is_no_object_is_wrapped(
    output: Any, wrapper: str | None, name: str, text_value: Any, value: Any, converted: Any
) -> None:
    if wrapper is None:
        with pytest.raises(ValueError, match="has no JSON schema"):
            read_output(output)  # two untagged Structs
        return
    wanted = read_output(output)
    assert (wanted.wrapper, wanted.name, wanted.is_list) == (wrapper, name, wrapper == "items")
    assert wanted.schema is not None
    assert wanted.schema["required"] == [wrapper]
    assert wanted.unwrap(text_value) == value
    assert wanted.unwrap(value) == value
    assert wanted.errors_in(value) == []
    assert wanted.convert(value) == converted


def test_references_are_right_in_a_wrapper() -> None:
    schema = {
        "type": "array",
        "items": {"anyOf": [{"$ref": "#"}, {"$ref": "#/$defs/leaf"}]},
        "$defs": {"leaf": {"const": 1}},
    }
    wanted = read_output(schema)
    assert wanted.schema == {
        "type": "object",
        "properties": {
            "items": {
                "type": "array",
                "items": {"anyOf": [{"$ref": "#/properties/items"}, {"$ref": "#/$defs/leaf"}]},
            }
        },
        "required": ["items"],
        "additionalProperties": False,
        "$defs": {"leaf": {"const": 1}},
    }
    assert wanted.errors_in([1, [1, []]]) == []
    assert wanted.errors_in_item([[2]])[0]["path"] == "/0/0"


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("yaml", "output must be a JSON schema (a dict), a pydantic model"),
        (None, "output must be"),
        ([Person], "output must be"),
        (7, "output must be"),
        (print, "has no JSON schema"),
        (object, "has no JSON schema"),
        ({"type": "text"}, "output: the JSON schema can't be used: at /type"),
        ({"$ref": "#"}, "leads to itself"),
    ],
)
def test_another_output_is_refused_in_words(output: Any, words: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        read_output(output)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "value", "path", "message"),
    [
        (Person, {"name": "Nobody", "home": {"city": "R"}}, "", "A person has a name."),
        (list[Person], [{"name": "Nobody", "home": {"city": "R"}}], "/0", "A person has a name."),
        (Pet, {"petName": "Dog", "born": "2020-01-02"}, "/petName", 'A dog has a name: the value is "Dog".'),
        (
            Shelter,
            {"pets": [{"petName": "Rex", "born": "2020-01-02"}, {"petName": "Dog", "born": "2020-01-02"}]},
            "/pets/1/petName",
            'A dog has a name: the value is "Dog".',
        ),
        (
            Owner,
            {"pet": {"petName": "Rex", "born": "2020-01-02", "friends": [{"petName": "Dog", "born": "2020-01-02"}]}},
            "/pet/friends/0/petName",
            'A dog has a name: the value is "Dog".',
        ),
    ],
)
def test_what_only_the_type_refuses_is_an_error_with_its_place(kind: Any, value: Any, path: str, message: str) -> None:
    wanted = read_output(kind)
    (error,) = wanted.errors_in(value)
    assert (error["path"], error["message"]) == (path, message)
    with pytest.raises(OutputMismatch) as caught:
        wanted.convert(value)
    assert caught.value.errors == [error]


def test_nulls_for_optional_members_are_dropped() -> None:
    wanted = read_output(list[Person])
    value = [{"name": "A", "home": {"city": "R", "code": None}, "color": None, "born": None, "tags": None}]
    assert wanted.null_filter().filtered(value) == [{"name": "A", "home": {"city": "R"}, "born": None}]
    assert wanted.item_null_filter().filtered(value[0]) == {"name": "A", "home": {"city": "R"}, "born": None}
    for name in ("A", "B"):
        (other,) = wanted.null_filter().filtered([{**value[0], "name": name}])
        assert other == {"name": name, "home": {"city": "R"}, "born": None}
    kept = [{"name": None, "home": {"city": "R"}, "other": None}]  # required, or unknown: an error, not a default
    assert wanted.null_filter().filtered(kept) is kept


def test_a_null_is_kept_if_one_of_the_forms_takes_it() -> None:
    forms = [
        {"type": "object", "properties": {"kind": {"const": "a"}, "x": {"type": "string"}, "y": {"type": "string"}}},
        {"type": "object", "properties": {"kind": {"const": "b"}, "x": {"type": ["string", "null"]}}},
    ]
    pairs = {"type": "array", "prefixItems": [{"$ref": "#/$defs/either"}, {"type": "integer"}], "items": forms[0]}
    schema = {
        "type": "object",
        "properties": {"one": {"$ref": "#/$defs/either"}, "pairs": {"type": "array", "items": pairs}},
        "additionalProperties": forms[0],
        "$defs": {"either": {"anyOf": forms}},
    }
    nulls = {"kind": "a", "x": None, "y": None, "z": None}
    value = {"one": nulls, "pairs": [[nulls, 1, nulls], []], "more": nulls, "others": nulls}
    either, first = {"kind": "a", "x": None, "z": None}, {"kind": "a", "z": None}
    filtered = read_output(schema).null_filter().filtered(value)
    assert filtered == {"one": either, "pairs": [[either, 1, first], []], "more": first, "others": first}
