"""The schema of a tool that is a class, and descriptions in types."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple, NotRequired, Required, TypedDict

import msgspec
import pytest

import msgmodel
from conftest import PROVIDER
from msgmodel import ConfigurationError
from msgmodel.question.tools import read_tools
from msgmodel.testing import ScriptedProvider

pydantic = pytest.importorskip("pydantic")


@dataclass
class Place:
    """Where it is."""

    city: Annotated[str, "its own name for it"]
    country: str = "DE"


@dataclass
class WeatherOfDataclass:
    """The weather in some days."""

    place: Place
    days: Annotated[int, "how many days ahead"] = 1
    tags: list[str] = field(default_factory=list)


class WeatherOfTypedDict(TypedDict):
    """The weather in some days."""

    place: Place
    days: Annotated[int, "how many days ahead"]


class WeatherOfMarkedTypedDict(TypedDict, total=False):
    """The weather in some days."""

    place: Required[Place]
    days: NotRequired[Annotated[int, "how many days ahead"]]


@dataclass
class WeatherOfOptionalField:
    """The weather in some days."""

    place: Place
    days: Annotated[int, "how many days ahead"] | None = None


class WeatherOfStruct(msgspec.Struct):
    """The weather in some days."""

    place: Place
    days: Annotated[int, msgspec.Meta(description="how many days ahead")] = 1


class WeatherOfTuple(NamedTuple):
    """The weather in some days."""

    place: Place


class PlaceModel(pydantic.BaseModel):  # type: ignore[name-defined,misc]
    """Where it is."""

    city: str = pydantic.Field(description="its own name for it")
    country: str = "DE"


class WeatherOfPydantic(pydantic.BaseModel):  # type: ignore[name-defined,misc]
    """The weather in some days."""

    place: PlaceModel
    days: int = pydantic.Field(1, description="how many days ahead")


@pydantic.dataclasses.dataclass
class WeatherOfPydanticDataclass:
    """The weather in some days."""

    place: PlaceModel
    days: int = pydantic.Field(1, description="how many days ahead")


@dataclass
class WeatherOfBoth:
    """The weather in some days."""

    place: PlaceModel
    days: Annotated[int, pydantic.Field(description="how many days ahead")] = 1


def schema_of(tool: Any) -> dict[str, Any]:
    ((read,), _) = read_tools([tool], None)
    assert read.description == "The weather in some days."
    return dict(read.parameters)  # type: ignore[union-attr]


def resolved(schema: Any, top: dict[str, Any] | None = None) -> Any:
    """A schema with its references replaced by what they lead to."""
    top = schema if top is None else top
    if isinstance(schema, list):
        return [resolved(each, top) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        head, name = schema["$ref"].rsplit("/", 1)
        assert head == "#/$defs"
        schema = {**top["$defs"][name], **{key: value for key, value in schema.items() if key != "$ref"}}
    return {key: resolved(value, top) for key, value in schema.items() if key not in ("$defs", "title")}


PLACE = {
    "type": "object",
    "description": "Where it is.",
    "properties": {
        "city": {"type": "string", "description": "its own name for it"},
        "country": {"type": "string", "default": "DE"},
    },
    "required": ["city"],
}


@pytest.mark.parametrize(
    "tool",
    [WeatherOfDataclass, WeatherOfTypedDict, WeatherOfMarkedTypedDict, WeatherOfStruct, WeatherOfPydantic,
     WeatherOfPydanticDataclass, WeatherOfBoth],
)  # fmt: skip
def test_a_class(tool: Any) -> None:
    schema = resolved(schema_of(tool))
    days = schema["properties"]["days"]
    assert (days["type"], days["description"]) == ("integer", "how many days ahead")
    assert schema["properties"]["place"] == PLACE
    assert schema["type"] == "object"
    assert sorted(schema["required"]) == (["days", "place"] if tool is WeatherOfTypedDict else ["place"])


def test_a_description_within_a_union() -> None:
    days = schema_of(WeatherOfOptionalField)["properties"]["days"]
    assert days["description"] == "how many days ahead"


@pytest.mark.parametrize("wire", PROVIDER)
@pytest.mark.parametrize("tool", [WeatherOfDataclass, WeatherOfPydantic, WeatherOfBoth])
def test_a_class_is_sent(tool: Any, wire: str) -> None:
    """Its fields with their types: 5.0 sent a function without any."""
    with ScriptedProvider() as provider:
        msgmodel.query(PROVIDER[wire], "hi", config=provider.config(wire), tools=[tool], tool_choice=tool.__name__)
        sent = provider.requests[-1].body.decode()
    for words in (tool.__name__, "The weather in some days.", "its own name for it", "how many days ahead"):
        assert words in sent


class Tree(pydantic.BaseModel):  # type: ignore[name-defined,misc]
    """The weather in some days."""

    children: list[Tree] = pydantic.Field(default_factory=list)


@dataclass
class Chain:
    """The weather in some days."""

    next: Chain | None = None


@pytest.mark.parametrize("tool", [Tree, Chain])
def test_a_class_that_holds_itself(tool: Any) -> None:
    schema = schema_of(tool)
    assert schema["type"] == "object"
    assert f"#/$defs/{tool.__name__}" in str(schema["properties"])
    assert tool.__name__ in schema["$defs"]


def test_descriptions_in_the_types_of_a_function() -> None:
    pytest.importorskip("docstring_parser")

    def weather(
        place: PlaceModel,
        days: Annotated[int, "how many days ahead"],
        unit: Annotated[str, pydantic.Field(description="C or F")] = "C",
        note: Annotated[str, "overruled"] = "",
    ) -> None:
        """The weather in some days.

        Args:
            note: from the docstring
        """

    schema = resolved(schema_of(weather))
    found = {name: field.get("description") for name, field in schema["properties"].items()}
    assert found == {
        "place": "Where it is.", "days": "how many days ahead", "unit": "C or F", "note": "from the docstring",
    }  # fmt: skip
    assert schema["properties"]["place"] == PLACE


class Untyped:
    """Fields that no type describes."""


class Odd(msgspec.Struct):
    inner: Untyped


@pytest.mark.parametrize(
    ("tool", "message"),
    [
        (Untyped, r"tools\\[0\\]: the class Untyped can't be described to a model"),
        (Odd, r"tools\\[0\\]: the class Odd can't be described to a model"),
        (int, r"tools\\[0\\]: the class int is no tool: pass a pydantic model, a dataclass, a TypedDict or a msgspec"),
        (WeatherOfTuple, r"tools\\[0\\]: the class WeatherOfTuple is no tool"),
    ],
)
def test_a_class_that_is_no_tool(tool: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message.replace("\\\\", "\\")):
        read_tools([tool], None)


def test_pydantic_is_not_imported() -> None:
    program = (
        "import sys, dataclasses, msgmodel\n"
        "from msgmodel.question.tools import read_tools\n"
        "Place = dataclasses.make_dataclass('Place', [('city', str)])\n"
        "read_tools([Place], None)\n"
        "print('pydantic' in sys.modules)\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (ran.stdout, ran.stderr) == ("False\n", "")
