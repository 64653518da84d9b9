"""Tools: what callers may pass, what each wire is sent, and the loop of `examples/tools.py`."""

from __future__ import annotations

import enum
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

import msgspec
import pytest

pytest.importorskip("docstring_parser")

import msgmodel
from conftest import KEY, PROVIDER
from msgmodel import ConfigurationError
from msgmodel.question.tools import read_tools
from msgmodel.testing import Reply, ScriptedProvider

EXAMPLE = Path(__file__).parents[2] / "examples" / "tools.py"


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    with ScriptedProvider() as running:
        yield running


class Unit(enum.Enum):
    METRIC = "metric"
    IMPERIAL = "imperial"


@dataclass
class Place:
    city: str
    country: str = "DE"


class Box(TypedDict):
    width: int


def weather(
    place: Place,
    days: Annotated[int, msgspec.Meta(ge=1, le=14)],
    unit: Unit = Unit.METRIC,
    detail: Literal["low", "high"] = "low",
    tags: list[str] = [],  # noqa: B006
    box: Box | None = None,
) -> str:
    """The weather in some days.

    As seen from a satellite.

    Args:
        place: where it is
        days: how many days ahead
        unit: of the temperature
    """
    return ""


def test_a_function() -> None:
    ((tool,), choice) = read_tools([weather], "required")
    assert (tool.name, choice) == ("weather", "required")
    assert tool.description == "The weather in some days.\n\nAs seen from a satellite."
    schema = dict(tool.parameters)
    assert schema.pop("$defs").keys() == {"Place", "Unit", "Box"}
    assert schema == {
        "type": "object",
        "properties": {
            "place": {"description": "where it is", "$ref": "#/$defs/Place"},
            "days": {"type": "integer", "minimum": 1, "maximum": 14, "description": "how many days ahead"},
            "unit": {"description": "of the temperature", "$ref": "#/$defs/Unit", "default": "metric"},
            "detail": {"enum": ["high", "low"], "default": "low"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "box": {"anyOf": [{"$ref": "#/$defs/Box"}, {"type": "null"}], "default": None},
        },
        "required": ["place", "days"],
    }


def test_dicts_as_the_providers_write_them() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    for tool in (
        {"name": "f", "description": "d", "parameters": schema},
        {"name": "f", "description": "d", "input_schema": schema},
        {"type": "function", "function": {"name": "f", "description": "d", "parameters": schema}},
    ):
        ((found,), _) = read_tools([tool], None)
        assert (found.name, found.description, found.parameters) == ("f", "d", schema)
    ((found,), _) = read_tools([{"name": "f"}], "f")
    assert (found.description, found.parameters) == ("", {"type": "object", "properties": {}})


def test_dicts_as_gemini_and_mcp_have_them() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    for name in ("parametersJsonSchema", "inputSchema"):
        ((found,), _) = read_tools([{"name": "f", name: schema}], None)
        assert found.parameters == schema


@pytest.mark.parametrize("wire", ["openai_chat", "openai_responses", "anthropic", "gemini"])
def test_strict_goes_where_there_is_such_a_switch(wire: str, provider: ScriptedProvider) -> None:
    tools: Any = [{"type": "function", "function": {"name": "f", "parameters": SCHEMA, "strict": True}}]
    msgmodel.query(PROVIDER[wire], "hi", config=provider.config(wire), tools=tools)
    (sent,) = provider.requests[-1].json["tools"]
    said = {"openai_chat": sent.get("function", {}), "openai_responses": sent, "anthropic": sent}.get(wire, {})
    assert said.get("strict") == (None if wire == "gemini" else True)
    if wire == "gemini":  # a mode for all functions, instead of a key of one
        assert "strict" not in provider.requests[-1].body.decode()
        assert provider.requests[-1].json["toolConfig"] == {"functionCallingConfig": {"mode": "VALIDATED"}}
        msgmodel.query("gemini", "hi", config=provider.config(wire), tools=tools, tool_choice="f")
        assert provider.requests[-1].json["toolConfig"]["functionCallingConfig"]["mode"] == "ANY"


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "additionalProperties": {"type": "string"}},
        {"$ref": "#/$defs/X", "$defs": {"X": {"type": "object", "properties": {"z": {}}}}},
        {"type": "object", "anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
    ],
)
def test_schemas_without_properties(schema: Any, provider: ScriptedProvider) -> None:
    msgmodel.query("gemini", "hi", config=provider.config("gemini"), tools=[{"name": "f", "parameters": schema}])
    (declared,) = provider.requests[-1].json["tools"][0]["functionDeclarations"]
    assert declared["parametersJsonSchema"] == schema
    nothing = {"type": "object", "properties": {}, "title": "F"}
    msgmodel.query("gemini", "hi", config=provider.config("gemini"), tools=[{"name": "f", "parameters": nothing}])
    (declared,) = provider.requests[-1].json["tools"][0]["functionDeclarations"]
    assert "parametersJsonSchema" not in declared


def nameless(*numbers: int) -> None:
    """Can't be called by name."""


def unknown(what: "Nowhere") -> None:  # type: ignore[name-defined]  # noqa: F821, UP037
    """A type that is not there."""


def untyped(what) -> None:  # type: ignore[no-untyped-def]
    """No type: anything goes."""


class Shout:
    """Something that can be called."""

    def __call__(self, word: str) -> str:
        """Says it loudly."""
        return word.upper()

    async def later(self, word: str) -> str:
        """Says it later."""
        return word


def test_other_callables() -> None:
    ((found,), _) = read_tools([untyped], None)
    assert found.parameters == {"type": "object", "properties": {"what": {}}, "required": ["what"]}
    for tool, name, description in ((Shout(), "Shout", "Something that can be called."),
                                    (Shout().later, "later", "Says it later.")):  # fmt: skip
        ((found,), _) = read_tools([tool], None)
        assert (found.name, found.description) == (name, description)
        assert found.parameters["properties"] == {"word": {"type": "string"}}


@pytest.mark.parametrize(
    ("tools", "choice", "message"),
    [
        ("f", None, r"tools must be a list: tools=\[\.\.\.\], not str"),
        ({"name": "f"}, None, r"tools must be a list: tools=\[\.\.\.\], not dict"),
        ([{"name": "f"}], {"type": "function", "name": "g"}, "tool_choice must be auto, none, required or the name"),
        ([{"name": "f"}], {"zzz": 1}, "tool_choice must be auto, none, required or the name"),
        ([{"name": "f"}], ["f"], "tool_choice must be auto, none, required or the name"),
        ([5], None, r"tools\[0\]: a tool must be a dict, a function or a class, not int"),
        ([{"parameters": {}}], None, r"tools\[0\]: name must be"),
        ([{"nmae": "f", "paramters": {}}], None, r"tools\[0\]: there is no key 'nmae': did you mean 'name'\?"),
        (
            [{"name": "f", "paramters": {}}],
            None,
            r"tools\[0\]: there is no key 'paramters': did you mean 'parameters'\?",
        ),
        ([{"type": "function", "function": {"name": "f"}, "stict": True}], None, "'stict': did you mean 'strict'"),
        ([{"name": "f", "inputSchema": {}, "zzzz": 1}], None, "there is no key 'zzzz': the keys are type, name"),
        ([{"name": "f", "description": 5}], None, r"tools\[0\]: description must be a string"),
        ([{"name": "f", "parameters": {"type": "array"}}], None, "must be a JSON schema of type object"),
        ([{"name": "f", "parameters": 5}], None, "must be a JSON schema of type object"),
        ([{"name": "f", "strict": "yes"}], None, r"tools\[0\]: strict must be true or false"),
        ([{"name": "f"}, {"name": "f"}], None, "two tools have the name 'f'"),
        ([{"name": "f"}], "g", "tool_choice must be auto, none, required or the name of one of the tools, not 'g'"),
        ([], "auto", "tool_choice must be"),
        ([nameless], None, "the function nameless can't be described to a model: the parameter numbers"),
        ([unknown], None, "the function unknown can't be described to a model: name 'Nowhere' is not defined"),
    ],
)
def test_what_is_no_tool(tools: Any, choice: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        read_tools(tools, choice)


@pytest.mark.parametrize(
    ("choice", "read"),
    [
        ({"type": "function", "function": {"name": "f"}}, "f"),
        ({"type": "function", "name": "f"}, "f"),
        ({"type": "tool", "name": "f"}, "f"),
        ({"type": "auto"}, "auto"),
        ({"type": "any"}, "required"),
        ({"type": "none"}, "none"),
        (None, None),
    ],
)
def test_a_choice_in_the_form_of_a_provider(choice: Any, read: str | None) -> None:
    assert read_tools([{"name": "f"}], choice)[1] == read


def test_no_tools() -> None:
    assert read_tools(None, None) == read_tools([], None) == ((), None)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "docstring_parser", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'msgmodel\[tools\]'"):
        read_tools([weather], None)


SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
CHOICES: dict[str, dict[str, Any]] = {
    "openai_chat": {
        "auto": "auto", "none": "none", "required": "required", "f": {"type": "function", "function": {"name": "f"}},
    },
    "openai_responses": {
        "auto": "auto", "none": "none", "required": "required", "f": {"type": "function", "name": "f"},
    },
    "anthropic": {
        "auto": {"type": "auto"}, "none": {"type": "none"}, "required": {"type": "any"},
        "f": {"type": "tool", "name": "f"},
    },
    "gemini": {
        "auto": {"functionCallingConfig": {"mode": "AUTO"}}, "none": {"functionCallingConfig": {"mode": "NONE"}},
        "required": {"functionCallingConfig": {"mode": "ANY"}},
        "f": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
    },
}  # fmt: skip
TOOLS: dict[str, Any] = {
    "openai_chat": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": SCHEMA}}],
    "openai_responses": [{"type": "function", "name": "f", "description": "d", "parameters": SCHEMA, "strict": False}],
    "anthropic": [{"name": "f", "description": "d", "input_schema": SCHEMA}],
    "gemini": [{"functionDeclarations": [{"name": "f", "description": "d", "parametersJsonSchema": SCHEMA}]}],
}


@pytest.mark.parametrize("wire", CHOICES)
@pytest.mark.parametrize("choice", ["auto", "none", "required", "f"])
def test_what_is_sent(wire: str, choice: str, provider: ScriptedProvider) -> None:
    tools = [{"name": "f", "description": "d", "parameters": SCHEMA}]
    msgmodel.query(PROVIDER[wire], "hi", config=provider.config(wire), tools=tools, tool_choice=choice)
    body = provider.requests[0].json
    assert body["tools"] == TOOLS[wire]
    assert body["toolConfig" if wire == "gemini" else "tool_choice"] == CHOICES[wire][choice]


@pytest.mark.parametrize(
    ("model", "api", "path"),
    [
        ("gpt-6-luna", None, "/v1/responses"),
        ("gpt-6-luna", "chat", "/v1/chat/completions"),
        ("gpt-5.5", None, "/v1/chat/completions"),
        ("gpt-5.5", "responses", "/v1/responses"),
    ],
)
def test_gpt_6_calls_tools_over_responses(model: str, api: Any, path: str, provider: ScriptedProvider) -> None:
    """Chosen by itself, and said: in the event's `wire`. What the config names is done."""
    config = provider.config("openai", api=api)
    reply = msgmodel.query("openai", "hi", config=config, model=model, tools=[{"name": "f"}])
    assert provider.requests[0].path == path
    assert reply.raw_response["wire"] == ("openai_responses" if path.endswith("responses") else "openai_chat")
    assert msgmodel.query("openai", "hi", config=config, model=model).raw_response["wire"] == (
        "openai_responses" if api == "responses" else "openai_chat"
    )


@pytest.mark.parametrize(
    "model",
    [
        "gpt-5-pro", "gpt-5.5-pro", "gpt-5-pro-2025-10-06", "gpt-5-codex", "gpt-5.1-codex-max", "o1-pro", "o3-pro",
        "o3-deep-research", "computer-use-preview", "gpt-daybreak-1", "gpt-6-sol-cyber",
    ],
)  # fmt: skip
def test_models_that_speak_responses_alone(model: str, provider: ScriptedProvider) -> None:
    reply = msgmodel.query("openai", "hi", config=provider.config("openai"), model=model)
    assert reply.raw_response["wire"] == "openai_responses"
    reply = msgmodel.query("openai", "hi", config=provider.config("openai", api="chat"), model=model)
    assert reply.raw_response["wire"] == "openai_chat"


@pytest.mark.parametrize(("name", "model"), [("vllm", "gpt-6-oss"), ("openrouter", "openai/gpt-5-pro")])
def test_other_providers_are_asked_over_their_own_wire(name: str, model: str, provider: ScriptedProvider) -> None:
    config = provider.config(name)
    reply = msgmodel.query(name, "hi", config=config, model=model, tools=[{"name": "f"}])
    assert reply.raw_response["wire"] == "openai_chat"
    config = provider.config("azure")
    reply = msgmodel.query("azure", "hi", config=config, model="gpt-6-luna", tools=[{"name": "f"}])
    assert reply.raw_response["wire"] == "openai_responses"


@pytest.mark.parametrize("api", [None, "responses"])
@pytest.mark.parametrize("fields", [{"stop": ("x",)}, {"seed": 3}, {"stop": ("x",), "seed": 0}])
def test_what_responses_does_not_have(fields: Any, api: Any, provider: ScriptedProvider) -> None:
    config = provider.config("openai", api=api, **fields)
    words = " and no ".join(name for name in ("stop", "seed") if name in fields)
    with pytest.raises(ConfigurationError, match=f"the Responses API, over which gpt-6-luna is asked, has no {words}:"):
        msgmodel.query("openai", "hi", config=config, tools=[{"name": "f"}])
    msgmodel.query("openai", "hi", config=provider.config("openai_responses", n=1))


@pytest.mark.parametrize("name", ["openai", "anthropic", "gemini"])
def test_the_loop_of_the_example(name: str, provider: ScriptedProvider) -> None:
    """Two calls, of which one fails; the results go back; then the answer."""
    provider.say(
        Reply(
            tool_calls=[
                {"id": "c1", "name": "price", "arguments": {"fruit": "apple", "count": 4}},
                {"id": "c2", "name": "price", "arguments": {"fruit": "plum"}},
            ]
        ),
        "2.75 euros.",
    )
    env = dict(os.environ) | provider.environment()
    ran = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLE), name], capture_output=True, text=True, env=env, timeout=60
    )
    assert ran.stderr == ""
    lines = ran.stdout.splitlines()
    assert [line.partition(" ")[0] for line in lines[:2]] == ["price", "price"]
    assert lines[2] == "2.75 euros."
    sent = provider.requests[-1].body.decode()
    assert "2.00 euros" in sent
    assert "KeyError" in sent
    assert len([line for line in EXAMPLE.read_text("utf-8").splitlines() if line]) <= 35
    assert KEY not in ran.stdout
