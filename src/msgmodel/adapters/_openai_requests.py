"""Read the requests of clients of OpenAI's Chat Completions API.

Rule: each field is sent or refused by its name; see the table in `_openai_fields`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from .. import providers
from ..errors import ConfigurationError, quoted
from . import _reading
from ._openai_fields import FIELDS, REFUSED_FIELDS, FieldWriter, find_target
from ._openai_messages import read_openai_messages
from ._reading import Body, Fields

MAX_MODEL_CHARACTERS: Final = 300
"""Longest name of a model with its provider."""
MAX_CHOICES: Final = 128
"""Most choices of one request, as at OpenAI."""


@dataclass(frozen=True, slots=True)
class Request:
    """The request of a client."""

    provider: str
    model: str
    """As the client wrote it: the response repeats it."""
    arguments: dict[str, Any]
    """For `stream_panels(request.provider, "", **request.arguments)`."""
    stream: bool
    include_usage: bool
    """Whether the stream ends with a chunk for the usage."""
    n: int = 1
    """The number of choices, each of which is a panel."""
    one_call: bool = False
    """For `Chunks` and `completion`: whether the client wants at most one call in a reply."""


OWN_OPTIONS: Final = (
    *("continue_truncated", "resume_interrupted", "fallbacks", "max_retries", "timeout", "first_token_timeout"),
    *("idle_timeout", "deadline", "max_cost", "max_total_tokens", "repair"),
)
"""The options of `stream_panels` that a client may set in the field `options`: this API has no field for them."""

_READ_HERE: Final = (
    *("model", "messages", "stream", "stream_options", "n", "tools", "tool_choice", "max_tokens"),
    *("max_completion_tokens", "temperature", "reasoning_effort", "response_format", "options"),
)
"""The fields that have an argument of ours."""

FIELD_NAMES: Final = frozenset((*_READ_HERE, *FIELDS, *REFUSED_FIELDS))
"""All fields of the API that we know."""


def read(body: Body, *, provider: str | None = None) -> Request:
    """Read the request of a client. A field is sent if the provider has it, else refused by its name.

    Args:
        body: the JSON body that the client posted. Its model is `provider/model` or `provider:model`, or a provider
            alone for its default model, or else a model of `provider`. Its field `options` may hold keywords of
            `stream_panels` that this API has not, such as `fallbacks`.
        provider: the provider of a model that names none.

    Raises:
        ConfigurationError: the request is malformed, or has a field that the provider has not.
    """
    request = _reading.read_body(body)
    _refuse_unknown_fields(request)
    name, model = _read_model(request, provider)
    tools, tool_choice = _read_openai_tools(request)
    found: dict[str, Any] = {
        "messages": read_openai_messages(request),
        "model": model,
        "max_tokens": _read_number(request, "max_completion_tokens", "max_tokens"),
        "temperature": _read_number(request, "temperature"),
        "tools": tools or None,
        "tool_choice": tool_choice if tools else None,
        "tool_deltas": _streams_calls(request, tools) or None,
        "output": _read_output_format(request),
        **_read_fields(request, name, model, tools, tool_choice),
        **_read_own_options(request, tools, tool_choice),
    }
    return Request(
        provider=name,
        model=request.require_text("model"),
        arguments={name: value for name, value in found.items() if value is not None},
        stream=request.read_flag("stream"),
        include_usage=request.read_object("stream_options").read_flag("include_usage"),
        n=_read_choice_count(request),
        one_call=bool(tools) and request.values.get("parallel_tool_calls") is False,
    )


def _streams_calls(request: Fields, tools: list[Any]) -> bool:
    """Return whether calls are sent in pieces.

    A custom tool's input is no JSON, so nothing would tell a piece from the whole. A reply that is continued may begin
    a call anew, and this API can't take back the pieces of the first one.
    """
    options = request.read_object("options").values
    goes_on = options.get("continue_truncated") or options.get("resume_interrupted")
    is_plain = all("custom" not in tool for tool in tools)
    return bool(tools) and is_plain and not goes_on and request.read_flag("stream")


def _refuse_unknown_fields(request: Fields) -> None:
    for name, value in request.values.items():
        if name in REFUSED_FIELDS and value not in (None, [], "none", "auto"):
            request.fail(f"{name} is not taken here: {REFUSED_FIELDS[name]}")
        if name not in FIELDS and name not in _READ_HERE and name not in REFUSED_FIELDS and value is not None:
            request.fail(f"{quoted(name)} is not a field of this API: leave it out")


def _read_model(request: Fields, provider: str | None) -> tuple[str, str | None]:
    asked = request.require_text("model").strip()
    if len(asked) > MAX_MODEL_CHARACTERS:
        request.fail(f"model must have at most {MAX_MODEL_CHARACTERS} characters")
    separators = [place for mark in "/:" if (place := asked.find(mark)) > 0]
    head = asked[: min(separators)] if separators else asked
    with suppress(ConfigurationError):  # raised by a provider whose package is not installed
        if (row := providers.look_up_provider(head)) is not None:
            return row.name, asked[len(head) + 1 :] or None
    if provider is None or not asked:
        request.fail("model must be provider/model, such as openai/gpt-6-luna")
    return provider, asked


def _read_fields(
    request: Fields, name: str, model: str | None, tools: list[Any], tool_choice: str | None
) -> dict[str, Any]:
    """Return the arguments for the fields that go into the provider's config or body."""
    posted = {field: request.values[field] for field in FIELDS if request.values.get(field) is not None}
    if not tools:
        posted.pop("parallel_tool_calls", None)  # there is nothing that could be called
    effort = request.optional_text("reasoning_effort")
    if not posted and effort is None:
        return {}
    row = providers.find_provider(name)
    try:
        writer = FieldWriter(row, find_target(row, model, tools))
        for field, value in posted.items():
            writer.write(field, value)
        reasoning = None if effort is None else writer.write_effort(effort)
        return {"reasoning": reasoning, "config": writer.make_config(tool_choice)}
    except ConfigurationError as error:
        request.fail(error.message)


def _read_own_options(request: Fields, tools: list[Any], tool_choice: str | None) -> dict[str, Any]:
    """Return the keywords in `options`. Each fallback gets the fields of the request as its provider has them."""
    options = request.read_object("options")
    for name in options.values:
        if name not in OWN_OPTIONS:
            options.fail(f"{quoted(name)} can't be set here: the options are {', '.join(OWN_OPTIONS)}")
    if options.values.get("repair") and request.read_flag("stream"):
        options.fail("repair needs stream: false, because this API can't take back the text of the first answer")
    found = dict(options.values)
    if isinstance(fallbacks := found.get("fallbacks"), list):
        found["fallbacks"] = [
            _read_fallback(request, Fields({"": each}, f"{options.place}: fallbacks[{number}]"), tools, tool_choice)
            for number, each in enumerate(fallbacks)
        ]
    return found


def _read_fallback(request: Fields, place: Fields, tools: list[Any], tool_choice: str | None) -> dict[str, Any]:
    """Return a fallback with its own config: a provider, `provider/model`, or a list of both."""
    named = place.values[""]
    pair = list(named) if isinstance(named, list | tuple) else [named]
    if len(pair) not in (1, 2) or not all(isinstance(word, str) for word in pair):
        place.fail("must be a provider, provider/model, or a list of both")
    try:
        row, model = providers.find_provider_and_model(pair[0], pair[1] if len(pair) == 2 else None)
    except ConfigurationError as error:
        place.fail(error.message)
    own = _read_fields(Fields(request.values, place.place), row.name, model, tools, tool_choice)
    config = {} if own.get("config") is None else {"config": own["config"]}
    return {"provider": row.name, "model": model, **config}


def _read_output_format(request: Fields) -> dict[str, Any] | str | None:
    """Return `response_format` as `output=`. The name of the schema is its title, if it has no other."""
    wanted = request.read_object("response_format")
    kind = wanted.optional_text("type")
    if kind in (None, "text"):
        return None
    if kind == "json_object":
        return "json"
    if kind != "json_schema":
        wanted.fail("type must be text, json_object or json_schema")
    described = wanted.read_object("json_schema")
    title = {"title": described.require_text("name")}
    description = described.optional_text("description")
    about = title if description is None else {**title, "description": description}
    return {**about, **described.read_object("schema").values}


def _read_choice_count(request: Fields) -> int:
    count = request.values.get("n")
    if count is None:
        return 1
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MAX_CHOICES:
        request.fail(f"n must be a whole number from 1 to {MAX_CHOICES}")
    return count


def _read_number(request: Fields, *names: str) -> int | float | None:
    for name in names:
        value = request.values.get(name)
        if value is not None:
            if not isinstance(value, (int, float)) or isinstance(value, bool):
                request.fail(f"{name} must be a number")
            return value
    return None


# --- tools ---


def _read_openai_tools(request: Fields) -> tuple[list[Any], str | None]:
    """Return the tools and the choice of one. Of a choice among some tools, only these are sent."""
    tools = [_read_openai_tool(tool) for tool in request.read_objects("tools")]
    choice = request.values.get("tool_choice")
    if choice is not None and not tools and choice not in ("auto", "none"):
        request.fail("tool_choice needs tools")
    if choice == "any":  # Mistral's word
        return tools, "required"
    if choice is None or choice in ("auto", "none", "required"):
        return tools, choice
    chosen = request.read_object("tool_choice")
    if chosen.values.get("type") == "allowed_tools":
        return _allowed_tools(chosen, tools)
    kind = "custom" if chosen.values.get("type") == "custom" else "function"
    return tools, chosen.read_object(kind).require_text("name")


def _allowed_tools(choice: Fields, tools: list[Any]) -> tuple[list[Any], str | None]:
    allowed = choice.read_object("allowed_tools")
    mode = allowed.require_text("mode")
    if mode not in ("auto", "required"):
        allowed.fail("mode must be auto or required")
    names = []
    for tool in allowed.read_objects("tools"):
        kind = "custom" if tool.values.get("type") == "custom" else "function"
        names.append(tool.read_object(kind).require_text("name"))
    kept = [tool for tool in tools if _name_of_tool(tool) in names]
    if not kept:
        allowed.fail("tools must name some of the tools of the request")
    return kept, mode


def _name_of_tool(tool: Mapping[str, Any]) -> object:
    return tool["custom"]["name"] if tool.get("type") == "custom" else tool["name"]


def _read_openai_tool(tool: Fields) -> dict[str, Any]:
    kind = tool.require_text("type")
    if kind == "custom":
        custom = tool.read_object("custom")
        custom.require_text("name")
        return {"type": "custom", "custom": dict(custom.values)}
    if kind != "function":
        tool.fail("type must be function or custom: no tool that the provider runs is taken here")
    function = tool.read_object("function")
    found: dict[str, Any] = {
        "name": function.require_text("name"),
        "description": function.optional_text("description") or "",
    }
    if function.values.get("parameters") is not None:
        found["parameters"] = dict(function.read_object("parameters").values)
    if function.values.get("strict") is not None:
        found["strict"] = function.read_flag("strict")
    return found
