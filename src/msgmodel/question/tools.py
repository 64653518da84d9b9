"""Checks `tools=`: functions of the caller, as dicts or in Python, and tools that the provider runs itself. Pure.

Rule: each key of a function is sent or refused. A dict of another type is the provider's own tool and is sent
unchanged; `registry/provider_tools` knows which provider has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol, TypeAlias, runtime_checkable

from ..errors import ConfigurationError, quoted
from .nearest_names import unknown_name
from .question import ProviderTool, Tool, ToolDefinition
from .tool_schemas import tool_from_class, tool_from_function


@runtime_checkable
class DescribedTool(Protocol):
    """An object that describes a function as a dict, as a tool of an MCP server does."""

    def definition(self) -> dict[str, Any]:
        """Return `name`, `description` and `parameters`."""


ToolLike: TypeAlias = Mapping[str, Any] | Callable[..., Any] | DescribedTool | type | str
"""A function or a class; a dict with `name`, `description` and `parameters` (a JSON schema), or in a provider's form;
a tool of the provider: "web_search", "code_execution", "url_context", or a dict as its API has it."""

_SCHEMAS: Final = ("parameters", "input_schema", "parametersJsonSchema", "parameters_json_schema", "inputSchema")
"""The key of the schema: in OpenAI's form, Anthropic's, Gemini's, and in MCP's list of tools."""
_DECLARATIONS: Final = ("functionDeclarations", "function_declarations")
_CHOICES: Final[tuple[object, ...]] = ("auto", "none", "required")

FUNCTION_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "openai_chat": ("strict", "cache_control"),
    "openai_responses": ("strict", "defer_loading", "allowed_callers", "output_schema", "async"),
    "anthropic": (
        *("strict", "cache_control", "defer_loading", "allowed_callers", "input_examples"),
        "eager_input_streaming",
    ),
    "gemini": ("behavior", "response", "responseJsonSchema"),
}
"""More keys of a function, by wire, from the types of the providers' SDKs. In chat, `cache_control` is OpenRouter's."""
_MCP_FIELDS: Final = ("title", "annotations", "outputSchema", "icons", "execution", "_meta")
"""What an MCP server says about its tool to the client, not to the model."""
_EXTRA_FIELDS: Final = tuple(dict.fromkeys(name for names in FUNCTION_FIELDS.values() for name in names))
_KNOWN_FIELDS: Final = ("type", "name", "description", *_SCHEMAS, *_EXTRA_FIELDS)


def read_tools(tools: Sequence[ToolLike] | None, choice: object) -> tuple[tuple[Tool, ...], str | None]:
    """Return the tools and the checked choice. Raise ConfigurationError for a wrong one."""
    if tools is None:
        tools = ()
    if not isinstance(tools, Sequence) or isinstance(tools, (str, bytes)):
        raise ConfigurationError(f"tools must be a list: tools=[...], not {type(tools).__name__}")
    read: list[Tool] = []
    for number, tool in enumerate(tools):
        try:
            read += map(_checked_tool, _read_tool(tool))
        except ConfigurationError as error:
            raise ConfigurationError(f"tools[{number}]: {error.message}") from None
    names = [tool.name for tool in read]
    if len(set(names)) < len(names):
        raise ConfigurationError(f"two tools have the name {quoted(max(names, key=names.count))}")
    chosen = _read_choice(choice)
    if chosen is not None and (not read or chosen not in (*_CHOICES, *names)):
        raise ConfigurationError(
            f"tool_choice must be auto, none, required or the name of one of the tools, not {quoted(choice)}"
        )
    return tuple(read), chosen  # type: ignore[return-value]


def _read_choice(choice: object) -> object:
    """Return a choice by our own words. The objects of the providers' APIs say the same."""
    if not isinstance(choice, Mapping):
        return choice
    inner = choice.get("function", choice.get("custom"))
    name = inner.get("name") if isinstance(inner, Mapping) else choice.get("name")
    kind = choice.get("type")
    return name or ("required" if kind == "any" else kind) or choice


def has_provider_tools(tools: Sequence[ToolLike]) -> bool:
    """Return whether the provider runs one of the tools. Raise ConfigurationError for a wrong one."""
    return any(isinstance(tool, ProviderTool) for tool in read_tools(tools, None)[0])


def _is_function_tool(tool: Mapping[str, Any]) -> bool:
    """Return whether a dict describes a function of the caller, not a tool that the provider runs."""
    kind = tool.get("type")
    has_schema = any(tool.get(name) is not None for name in _SCHEMAS)
    if kind is None:  # Gemini's own have no type, but only objects: {"googleSearch": {}}
        return "name" in tool or has_schema or not all(isinstance(value, Mapping | list) for value in tool.values())
    return kind == "function" or (kind == "custom" and has_schema)  # Anthropic's word for a function


def _read_tool(tool: object) -> Iterator[Tool]:
    if isinstance(tool, str):
        yield ProviderTool(tool)
    elif isinstance(tool, Mapping):
        yield from _tools_from_dict(tool)
    elif isinstance(tool, type):
        yield tool_from_class(tool)
    elif isinstance(tool, DescribedTool):
        yield from _tools_from_dict(tool.definition())
    elif callable(tool):
        yield tool_from_function(tool)
    else:
        raise ConfigurationError(f"a tool must be a dict, a function or a class, not {type(tool).__name__}")


def _checked_tool(tool: Tool) -> Tool:
    if isinstance(tool, ProviderTool):
        return tool
    if not isinstance(tool.name, str) or not tool.name:
        raise ConfigurationError(f"name must be a string, not {quoted(tool.name)}")
    if not isinstance(tool.description, str):
        raise ConfigurationError("description must be a string")
    if not isinstance(tool.parameters, Mapping) or tool.parameters.get("type", "object") != "object":
        raise ConfigurationError("parameters must be a JSON schema of type object")
    if tool.strict is not None and not isinstance(tool.strict, bool):
        raise ConfigurationError("strict must be true or false")
    return tool


def _tools_from_dict(tool: Mapping[str, Any]) -> Iterator[Tool]:
    if isinstance(inner := tool.get("function"), Mapping):  # the form of OpenAI's Chat Completions API
        around = {name: value for name, value in tool.items() if name not in ("type", "function")}
        yield _function_from_dict({**around, **inner})
    elif declared := [name for name in _DECLARATIONS if name in tool]:  # Gemini's
        for declaration in (each for name in declared for each in _read_declarations(tool[name])):
            yield _function_from_dict(declaration)
        if others := {name: value for name, value in tool.items() if name not in declared}:
            yield _provider_tool(others)
    elif _is_function_tool(tool):
        yield _function_from_dict(tool)
    else:
        yield _provider_tool(tool)


def _read_declarations(value: object) -> list[Mapping[str, Any]]:
    if not value or not isinstance(value, list | tuple) or not all(isinstance(each, Mapping) for each in value):
        raise ConfigurationError(f"{_DECLARATIONS[0]} must be a list of functions as dicts")
    return list(value)


def _function_from_dict(tool: Mapping[str, Any]) -> ToolDefinition:
    known = (*_KNOWN_FIELDS, *_MCP_FIELDS) if "inputSchema" in tool else _KNOWN_FIELDS
    for name in tool:
        if name not in known:
            raise ConfigurationError(unknown_name("key", name, known))
    schema = next((tool[name] for name in _SCHEMAS if tool.get(name) is not None), None)
    if schema is None:
        schema = {"type": "object", "properties": {}}
    extra = {name: tool[name] for name in _EXTRA_FIELDS if name != "strict" and tool.get(name) is not None}
    return ToolDefinition(tool.get("name", ""), tool.get("description") or "", schema, tool.get("strict"), extra)


def _provider_tool(tool: Mapping[str, Any]) -> ProviderTool:
    """Return a tool of the provider. Its name: its own, else its server's, its type, or Gemini's key."""
    inner = tool.get("custom")
    named = inner if isinstance(inner, Mapping) else tool
    names = (named.get("name"), tool.get("server_label"), tool.get("mcp_server_name"), tool.get("type"), *tool)
    return ProviderTool(str(next((name for name in names if name), "")), dict(tool))
