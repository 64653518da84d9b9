"""Reads `output=`: which JSON is wanted, and how it becomes the caller's type. Pure.

Rule: the schema has an object at its root, because every provider takes that. A list is sent as `{"items": [...]}`,
anything else that is no object as `{"value": ...}`; what the caller sees is without the wrapper.
"""

from __future__ import annotations

import copy
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args, get_origin

import msgspec

from ..reply_facts import OutputError
from .added_nulls import NullFilter
from .class_schemas import complete_schema, is_of_pydantic
from .json_pointer import pointer_of
from .schema_parts import all_schemas, check_schema
from .value_check import check_value
from .value_words import show_value

LIST_WRAPPER = "items"
VALUE_WRAPPER = "value"

_FORMS = (
    'a JSON schema (a dict), a pydantic model, a dataclass, a TypedDict, a msgspec Struct, a list of one, or "json"'
)
_UNFIT_FOR_NAMES = re.compile(r"[^A-Za-z0-9_-]+")
_PYDANTIC_SAYS = re.compile(r"^(Value error|Assertion failed), ")
_MSGSPEC_PATH = re.compile(r"(?P<message>.*?)(?: - at `(?P<path>.*)`)?", re.DOTALL)
_PATH_PART = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")


class OutputMismatch(ValueError):
    """A value does not fit the wanted output.

    Args:
        errors: What does not fit, each with its place.
    """

    def __init__(self, errors: list[OutputError]) -> None:
        super().__init__("; ".join(f"{error['path'] or '/'}: {error['message']}" for error in errors))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """The JSON that is wanted of a reply."""

    name: str
    """At most 64 of letters, digits, `_` and `-`."""
    schema: dict[str, Any] | None = field(repr=False)
    """The JSON schema of the text of the reply, with an object at its root; None for any JSON object."""
    wrapper: str | None = None
    """The member of the object that holds the caller's value; None if the object is the value."""
    value_schema: dict[str, Any] | None = field(default=None, repr=False)
    """The JSON schema of the caller's value."""
    kind: Any = field(default=None, repr=False)
    """The caller's type; None for a dict or "json"."""
    item_kind: Any = field(default=None, repr=False)

    @property
    def is_list(self) -> bool:
        """Whether the caller wants a list, whose elements are passed on as they close."""
        return self.wrapper == LIST_WRAPPER

    def unwrap(self, value: Any) -> Any:
        """Return the caller's value in the value of the text. Models that see no schema may leave the wrapper out."""
        if self.wrapper is not None and isinstance(value, dict) and self.wrapper in value:
            return value[self.wrapper]
        return value

    def null_filter(self) -> NullFilter:
        """Return what drops the nulls that stand for optional members of the caller's value.

        OpenAI's strict mode makes each member required, so an optional one that is left out comes as null.
        """
        return NullFilter(self.value_schema, self.value_schema or {})

    def item_null_filter(self) -> NullFilter:
        """Return what drops such nulls in an element of the caller's list."""
        return NullFilter((self.value_schema or {}).get("items"), self.value_schema or {})

    def errors_in(self, value: Any) -> list[OutputError]:
        """Return how the caller's value does not fit the schema or the caller's type; an empty list if it fits."""
        return self._errors(self.value_schema, value, self.kind)

    def errors_in_item(self, item: Any) -> list[OutputError]:
        """Return how an element of the caller's list does not fit."""
        schema = None if self.value_schema is None else self.value_schema.get("items")
        return self._errors(schema, item, self.item_kind)

    def convert(self, value: Any) -> Any:
        """Return the caller's value as the caller's type.

        Raises:
            OutputMismatch: The type refuses the value.
        """
        return value if self.kind is None else _convert(value, self.kind)

    def _errors(self, schema: Any, value: Any, kind: Any) -> list[OutputError]:
        if schema is not None and (errors := check_value(schema, value, self.value_schema)):
            return errors
        try:
            if kind is not None:
                _convert(value, kind)
        except OutputMismatch as error:
            return error.errors
        return []


def read_output(output: Any) -> OutputFormat:
    """Return the format that a caller's `output=` asks for.

    Args:
        output: A JSON schema as a dict, a type that has one, or "json" for any JSON object.

    Raises:
        ValueError: It is none of these, or its schema can't be used.
    """
    if output == "json":
        return OutputFormat("json", None)
    if isinstance(output, Mapping):
        schema, kind, item_kind = copy.deepcopy(dict(output)), None, None
        name = schema.get("title")
    elif output is None or isinstance(output, (str, bytes, list, tuple, int, float)):
        raise ValueError(f"output must be {_FORMS}, not {output!r:.80}")
    else:
        schema, kind, name = _schema_of(output), output, _name_of(output)
        item_kind = next(iter(get_args(output)), None) if get_origin(output) is list else None
        if item_kind is not None:
            name = f"{_name_of(item_kind) or 'item'}_list"
    try:
        check_schema(schema)
        return _wrapped(_fit_name(name), schema, kind, item_kind)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"output: the JSON schema can't be used: {error}") from None


def _name_of(kind: Any) -> str | None:
    return kind.__name__ if isinstance(kind, type) else None


def _fit_name(name: object) -> str:
    fit = _UNFIT_FOR_NAMES.sub("_", name if isinstance(name, str) else "").strip("_")[:64]
    return fit or "output"


def _wrapped(name: str, schema: dict[str, Any], kind: Any, item_kind: Any) -> OutputFormat:
    if schema.get("type") == "object" and not schema.keys() & {"anyOf", "oneOf", "$ref"}:
        return OutputFormat(name, schema, None, schema, kind, item_kind)
    wrapper = LIST_WRAPPER if schema.get("type") == "array" else VALUE_WRAPPER
    inner = _moved_below(schema, f"#/properties/{wrapper}")
    shared = {keyword: inner.pop(keyword) for keyword in ("$defs", "definitions") if keyword in inner}
    root = {"type": "object", "properties": {wrapper: inner}, "required": [wrapper], "additionalProperties": False}
    return OutputFormat(name, root | shared, wrapper, schema, kind, item_kind)


def _moved_below(schema: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return a schema whose references are right after it moved to another place, its definitions left at the root."""
    moved: dict[str, Any] = copy.deepcopy(dict(schema))
    for each in all_schemas(moved):
        reference = each.get("$ref", "")
        if (reference + "/").startswith("#/") and not reference.startswith(("#/$defs/", "#/definitions/")):
            each["$ref"] = place + reference[1:]
    return moved


def _schema_of(kind: Any) -> dict[str, Any]:
    try:
        return complete_schema(kind, (kind,))
    except (TypeError, ValueError, NameError, RecursionError) as error:
        raise ValueError(f"output must be {_FORMS}; {kind!r:.80} has no JSON schema: {error}") from None


# From JSON to the caller's type.


def _convert(value: Any, kind: Any) -> Any:
    try:
        return msgspec.convert(value, kind, dec_hook=convert_foreign)
    except OutputMismatch:
        raise
    except (ValueError, TypeError, RecursionError) as error:
        raise OutputMismatch(_conversion_errors(error, value)) from None


def convert_foreign(kind: type, value: Any) -> Any:
    """Convert a value to a type that msgspec does not know."""
    if is_of_pydantic(kind):
        # As JSON, not as Python values: a strict model takes a date from a string in JSON alone.
        return sys.modules["pydantic"].TypeAdapter(kind).validate_json(msgspec.json.encode(value))
    raise NotImplementedError(f"{kind!r} has no JSON form")


def _conversion_errors(error: BaseException, value: Any) -> list[OutputError]:
    """Return what msgspec or pydantic says, with JSON pointers."""
    found = _MSGSPEC_PATH.fullmatch(str(error))
    assert found is not None
    names = _names_in(found["path"] or "")
    cause = error.__cause__ or error
    list_errors: Callable[..., Any] | None = getattr(cause, "errors", None)
    if callable(list_errors):
        inner = _value_at(value, names)
        return [_pydantic_error(each, names, inner) for each in list_errors(include_url=False, include_context=False)]
    message = f"{found['message'] or type(error).__name__}"
    return [{"path": pointer_of(names), "message": _sentence(message), "wanted": "a value that the type accepts"}]


def _names_in(path: str) -> list[str | int]:
    """Return the names and indexes in a path of msgspec's, such as `$.a[0].b`."""
    names: list[str | int] = []
    for name, index in _PATH_PART.findall(path):
        names.append(name or (int(index) if index != "..." else "..."))
    return names


def _value_at(value: Any, names: list[str | int]) -> Any:
    for name in names:
        try:
            value = value[name]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _pydantic_error(error: Mapping[str, Any], names: list[str | int], value: Any) -> OutputError:
    """Return one error of pydantic's. Its place also names the members of unions, which are no part of the value."""
    place: list[str | int] = [*names]
    for part in error["loc"]:
        is_there = isinstance(value, dict) and part in value
        if is_there or (isinstance(value, list) and isinstance(part, int) and part < len(value)):
            place.append(part)
            value = value[part]
    if error["type"] == "missing" and error["loc"]:
        place.append(error["loc"][-1])
        return {"path": pointer_of(place), "message": "The property is missing.", "wanted": "a value"}
    message = _PYDANTIC_SAYS.sub("", error["msg"])
    if isinstance(error.get("input"), (str, int, float, bool)):
        message = f"{message.rstrip('.')}: the value is {show_value(error['input'])}"
    return {"path": pointer_of(place), "message": _sentence(message), "wanted": "a value that the type accepts"}


def _sentence(message: str) -> str:
    return message[:1].upper() + message[1:].rstrip(".") + "."
