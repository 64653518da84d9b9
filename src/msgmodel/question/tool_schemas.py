"""Makes a tool of a Python function or class. Pure.

docstring_parser (extra `[tools]`) reads the descriptions in the docstring of a function.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, get_type_hints

import msgspec

from ..errors import ConfigurationError
from ..output.class_schemas import complete_schema, is_of_pydantic, note_in_type, pydantic_schema
from .question import ToolDefinition


def tool_from_function(function: Callable[..., Any]) -> ToolDefinition:
    """Return the tool that a function's name, docstring and signature describe.

    Raises:
        ConfigurationError: A parameter has no JSON form, or the extra is missing.
    """
    try:
        from docstring_parser import parse
    except ImportError:
        raise ConfigurationError(
            "functions as tools need the extra: pip install 'msgmodel[tools]'; or pass a dict with a JSON schema"
        ) from None
    name = function_name(function)
    documented = parse(inspect.getdoc(function) or "")
    notes = {param.arg_name: param.description for param in documented.params if param.description}
    try:
        hints = _parameter_hints(function)
        fields = _parameter_fields(function, hints, notes)
        schema = complete_schema(msgspec.defstruct(name, fields, kw_only=True), hints.values())
    except (TypeError, ValueError, NameError) as error:
        raise ConfigurationError(f"the function {name} can't be described to a model: {error}") from None
    description = "\n\n".join(filter(None, (documented.short_description, documented.long_description)))
    return ToolDefinition(name, description, schema)


def function_name(function: Callable[..., Any]) -> str:
    """Return the name of the tool that a function is."""
    return str(getattr(function, "__name__", type(function).__name__))


def parameter_class(function: Callable[..., Any]) -> type[msgspec.Struct]:
    """Return a class whose fields are the parameters of a function, and that refuses any other field.

    `msgspec.convert` makes the arguments of a call to one. The function was described by `tool_from_function` before.
    """
    fields = _parameter_fields(function, _parameter_hints(function), {})
    return msgspec.defstruct(function_name(function), fields, kw_only=True, forbid_unknown_fields=True)


def _parameter_hints(function: Callable[..., Any]) -> dict[str, Any]:
    plain = function if inspect.isroutine(function) else type(function).__call__
    return get_type_hints(plain, include_extras=True)


def _parameter_fields(
    function: Callable[..., Any], hints: Mapping[str, Any], notes: Mapping[str, str]
) -> list[tuple[Any, ...]]:
    return [
        _parameter_field(parameter, hints.get(parameter.name, Any), notes.get(parameter.name))
        for parameter in inspect.signature(function).parameters.values()
    ]


def tool_from_class(kind: type) -> ToolDefinition:
    """Return the tool whose arguments are the fields of a class, and whose description is its docstring.

    Args:
        kind: A pydantic model, a dataclass, a TypedDict, a NamedTuple or a msgspec Struct.

    Raises:
        ConfigurationError: The class has no fields with types, or one has no JSON form.
    """
    try:
        schema = pydantic_schema(kind) if is_of_pydantic(kind) else complete_schema(kind, (kind,))
    except (TypeError, ValueError, NameError) as error:
        raise ConfigurationError(f"the class {kind.__name__} can't be described to a model: {error}") from None
    if schema.get("type") != "object":
        raise ConfigurationError(
            f"the class {kind.__name__} is no tool: pass a pydantic model, a dataclass, a TypedDict or a msgspec Struct"
        )
    return ToolDefinition(kind.__name__, schema.pop("description", ""), schema)


def _parameter_field(parameter: Any, hint: Any, note: str | None) -> tuple[Any, ...]:
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
        raise TypeError(f"the parameter {parameter.name} can't be given by name")
    if note := note or note_in_type(hint):
        hint = Annotated[hint, msgspec.Meta(description=note)]
    if parameter.default is parameter.empty:
        return parameter.name, hint
    default = parameter.default
    if isinstance(default, (list, dict, set)):
        default = msgspec.field(default_factory=lambda: parameter.default)
    return parameter.name, hint, default
