"""Checks `tools=`: dicts with a JSON schema, or Python functions. Pure.

msgspec makes the schema of a function from its signature, and docstring_parser (extra `[tools]`) reads the
descriptions in its docstring.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeAlias, get_type_hints

import msgspec

from ..errors import ConfigurationError, quoted
from .question import ToolDefinition

ToolLike: TypeAlias = Mapping[str, Any] | Callable[..., Any]
"""A function, or a dict with `name`, `description` and `parameters` (a JSON schema), or a dict in a provider's form."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SCHEMAS = ("parameters", "input_schema", "parametersJsonSchema", "inputSchema")
"""The key of the schema: in OpenAI's form, Anthropic's, Gemini's, and in MCP's list of tools."""
_CHOICES = ("auto", "none", "required")


def read_tools(tools: Sequence[ToolLike], choice: str | None) -> tuple[tuple[ToolDefinition, ...], str | None]:
    """Return the tools and the checked choice. Raise ConfigurationError for a wrong one."""
    if not isinstance(tools, Sequence) or isinstance(tools, (str, bytes)):
        raise ConfigurationError(f"tools must be a list of dicts or functions, not {type(tools).__name__}")
    read = tuple(_read_tool(number, tool) for number, tool in enumerate(tools))
    names = [tool.name for tool in read]
    if len(set(names)) < len(names):
        raise ConfigurationError(f"two tools have the name {quoted(max(names, key=names.count))}")
    if choice is not None and (not read or choice not in (*_CHOICES, *names)):
        raise ConfigurationError(
            f"tool_choice must be auto, none, required or the name of one of the tools, not {quoted(choice)}"
        )
    return read, choice


def _read_tool(number: int, tool: ToolLike) -> ToolDefinition:
    if isinstance(tool, Mapping):
        read = _tool_from_dict(tool)
    elif callable(tool):
        read = _tool_from_function(tool)
    else:
        raise ConfigurationError(f"tools[{number}] must be a dict or a function, not {type(tool).__name__}")
    if not isinstance(read.name, str) or not _NAME.fullmatch(read.name):
        raise ConfigurationError(
            f"tools[{number}]: name must be 1 to 64 letters, digits, _ or -, not {quoted(read.name)}"
        )
    if not isinstance(read.description, str):
        raise ConfigurationError(f"tools[{number}]: description must be a string")
    if not isinstance(read.parameters, Mapping) or read.parameters.get("type", "object") != "object":
        raise ConfigurationError(f"tools[{number}]: parameters must be a JSON schema of type object")
    if read.strict is not None and not isinstance(read.strict, bool):
        raise ConfigurationError(f"tools[{number}]: strict must be true or false")
    return read


def _tool_from_dict(tool: Mapping[str, Any]) -> ToolDefinition:
    inner = tool.get("function")
    if isinstance(inner, Mapping):  # the form of OpenAI's Chat Completions API
        tool = inner
    schema = next((tool[name] for name in _SCHEMAS if tool.get(name) is not None), None)
    if schema is None:
        schema = {"type": "object", "properties": {}}
    return ToolDefinition(tool.get("name", ""), tool.get("description") or "", schema, tool.get("strict"))


def _tool_from_function(function: Callable[..., Any]) -> ToolDefinition:
    import inspect

    try:
        from docstring_parser import parse
    except ImportError:
        raise ConfigurationError(
            "functions as tools need the extra: pip install 'msgmodel[tools]'; or pass a dict with a JSON schema"
        ) from None
    name = getattr(function, "__name__", type(function).__name__)
    documented = parse(inspect.getdoc(function) or "")
    notes = {param.arg_name: param.description for param in documented.params if param.description}
    try:
        plain = function if inspect.isroutine(function) else type(function).__call__
        hints = get_type_hints(plain, include_extras=True)
        fields = [
            _parameter_field(parameter, hints.get(parameter.name, Any), notes.get(parameter.name))
            for parameter in inspect.signature(function).parameters.values()
        ]
        shape = msgspec.defstruct(name, fields, kw_only=True)
        (schema,), others = msgspec.json.schema_components([shape], ref_template="#/$defs/{name}")
    except (TypeError, ValueError, NameError) as error:
        raise ConfigurationError(f"the function {name} can't be described to a model: {error}") from None
    own = dict(others.pop(schema["$ref"].rpartition("/")[2]))
    own.pop("title", None)
    if others:
        own["$defs"] = others
    description = "\n\n".join(filter(None, (documented.short_description, documented.long_description)))
    return ToolDefinition(name, description, own)


def _parameter_field(parameter: Any, hint: Any, note: str | None) -> tuple[Any, ...]:
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
        raise TypeError(f"the parameter {parameter.name} can't be given by name")
    if note:
        hint = Annotated[hint, msgspec.Meta(description=note)]
    if parameter.default is parameter.empty:
        return parameter.name, hint
    default = parameter.default
    if isinstance(default, (list, dict, set)):
        default = msgspec.field(default_factory=lambda: parameter.default)
    return parameter.name, hint, default
