"""The functions that a run may execute: their names, the check of their arguments, and their results as JSON.

Rule: the arguments of a call are checked before anything runs, and no argument is dropped.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ..errors import ConfigurationError, quoted
from ..messages import JSON
from ..output.output_format import convert_foreign
from ..output.value_check import check_value
from ..question import tool_schemas
from ..question.lenient_json import mend_all_surrogates
from ..question.result_content import read_result_content
from ..question.tools import ToolLike
from ..reply_facts import OutputError


@dataclass(frozen=True, slots=True)
class RunnableTool:
    """A function for a run of tools that is described by a JSON schema instead of its signature.

    Args:
        name: The name that the model calls.
        description: What it does, for the model.
        parameters: The JSON schema of its arguments, of type object.
        function: The function, plain or async; a generator sends its pieces as progress. The arguments are passed by
            name.
    """

    name: str
    description: str
    parameters: Mapping[str, Any] = field(repr=False)
    function: Callable[..., Any] = field(repr=False)
    _parameter_class: type[msgspec.Struct] | None = field(default=None, repr=False)
    """For a function with a signature: what its arguments are converted to."""

    @property
    def is_async(self) -> bool:
        """Whether the function must run on an event loop."""
        plain = self.function if inspect.isroutine(self.function) else getattr(self.function, "__call__", None)  # noqa: B004
        kinds = inspect.iscoroutinefunction, inspect.isasyncgenfunction
        return any(is_kind(each) for is_kind in kinds for each in (self.function, plain))

    def definition(self) -> dict[str, Any]:
        """Return the tool as `tools=` of a question takes it."""
        return {"name": self.name, "description": self.description, "parameters": self.parameters}

    def read_arguments(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments as the function takes them. Raise ValueError if they do not fit."""
        if self._parameter_class is None:
            if errors := check_value(self.parameters, arguments):
                raise ValueError("; ".join(map(_words_of_mismatch, errors[:3])))
            return dict(arguments)
        try:
            read = msgspec.convert(dict(arguments), self._parameter_class, dec_hook=convert_foreign)
        except (TypeError, ValueError, RecursionError) as error:  # a ValidationError is a ValueError
            raise ValueError(str(error)) from None
        return {name: getattr(read, name) for name in arguments}


def _words_of_mismatch(error: OutputError) -> str:
    return f"{error['path'] or 'they'}: {error['message']}, but wanted is {error['wanted']}"


def read_run_tools(tools: Sequence[ToolLike | RunnableTool] | None) -> tuple[list[Any], dict[str, RunnableTool]]:
    """Return the tools for the question, and the functions among them by their names.

    A dict, a class and a tool of the provider have no function: the application or the provider runs them.

    Raises:
        ConfigurationError: A function can't be described to a model.
    """
    if not isinstance(tools, Sequence) or isinstance(tools, (str, bytes)) or not tools:
        raise ConfigurationError("tools must be a list of functions, and not empty: tools=[...]")
    described: list[Any] = []
    runnable: dict[str, RunnableTool] = {}
    for number, tool in enumerate(tools):
        if callable(tool) and not isinstance(tool, type | RunnableTool):
            try:
                tool = _tool_of_function(tool)
            except ConfigurationError as error:
                raise ConfigurationError(f"tools[{number}]: {error.message}") from None
        if not isinstance(tool, RunnableTool):
            described.append(tool)
            continue
        if tool.name in runnable:
            raise ConfigurationError(f"two tools have the name {quoted(tool.name)}")
        runnable[tool.name] = tool
        described.append(tool.definition())
    return described, runnable


def _tool_of_function(function: Callable[..., Any]) -> RunnableTool:
    found = tool_schemas.tool_from_function(function)
    return RunnableTool(
        found.name, found.description, found.parameters, function, tool_schemas.parameter_class(function)
    )


def result_as_json(value: Any) -> JSON:
    """Return what a function returned as JSON: text, data, or parts with files in them.

    Raises:
        ConfigurationError: JSON can't hold it.
    """
    try:
        content = msgspec.to_builtins(value, enc_hook=_foreign_as_builtins, str_keys=True)
        content = mend_all_surrogates(content)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"JSON can't hold what the function returned: {error}") from None
    if isinstance(content, dict) and read_result_content([content])[1]:  # one file
        content = [content]
    read_result_content(content)
    return content  # type: ignore[no-any-return]


def _foreign_as_builtins(value: Any) -> Any:
    """Return a value of a type that msgspec does not know: an `enc_hook`."""
    dump = getattr(value, "model_dump", None)  # pydantic's
    if callable(dump) and not isinstance(value, type):
        return dump(mode="json")
    raise TypeError(f"a value of type {type(value).__name__}")
