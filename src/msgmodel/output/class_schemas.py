"""Makes the JSON schema of a Python type: of the arguments of a tool, or of a typed reply. Pure.

msgspec makes the schema from the types. pydantic makes that of its own classes, and is never imported: a class of it
brings the method.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Any, NotRequired, Required, Union, get_args, get_origin, get_type_hints

import msgspec

_REFERENCE = "#/$defs/{name}"
_TRANSPARENT_TYPES = (Required, NotRequired, Union, UnionType)


def complete_schema(kind: type, hints: Any) -> dict[str, Any]:
    """Return the schema of a class, with the classes that it refers to in `$defs`."""
    (schema,), others = msgspec.json.schema_components([kind], schema_hook=_foreign_schema, ref_template=_REFERENCE)
    for hint in hints:
        _add_notes(hint, others, set())
    own, reference = dict(schema), schema.get("$ref", "")
    if reference:
        definition = others.pop(name := reference.rpartition("/")[2])
        own = {key: value for key, value in definition.items() if key != "title"}
        if reference in repr((definition, others)):  # a class that holds itself
            others[name] = definition
    return _with_definitions(own, others)


def _with_definitions(schema: dict[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema with one `$defs` at its top: a reference of pydantic's leads there, too."""
    definitions = dict(others)
    for found in [*_inner_definitions(schema), *_inner_definitions(others)]:
        for name, definition in found.items():
            definitions.setdefault(name, definition)
    return schema | ({"$defs": definitions} if definitions else {})


def _inner_definitions(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield each `$defs` within a schema, and take it out."""
    if isinstance(schema, dict):
        if isinstance(found := schema.pop("$defs", None), dict):
            yield found
            yield from _inner_definitions(found)
        schema = list(schema.values())
    for inner in schema if isinstance(schema, list) else ():
        yield from _inner_definitions(inner)


def is_of_pydantic(kind: Any) -> bool:
    """Return whether pydantic makes the schema of a type and validates its values."""
    return hasattr(kind, "__pydantic_core_schema__") and "pydantic" in sys.modules


def pydantic_schema(kind: Any) -> dict[str, Any]:
    """Return the schema that pydantic makes of one of its types, the root in place of a reference to it."""
    schema: dict[str, Any] = sys.modules["pydantic"].TypeAdapter(kind).json_schema(ref_template="#/$defs/{model}")
    own = schema
    if "$ref" in schema:  # a class that refers to itself stands among its own definitions
        own = schema["$defs"][schema["$ref"].rpartition("/")[2]] | {"$defs": schema["$defs"]}
    return {name: value for name, value in own.items() if name != "title"}


def _foreign_schema(kind: Any) -> dict[str, Any]:
    """Return the schema of a type that msgspec does not know."""
    if is_of_pydantic(kind):
        return pydantic_schema(kind)
    raise NotImplementedError


def _add_notes(hint: Any, definitions: Mapping[str, Any], seen: set[int]) -> None:
    """Describe the fields of each class within a type: msgspec reads no plain string in `Annotated`."""
    if id(hint) in seen:
        return
    seen.add(id(hint))
    for inner in get_args(hint):
        _add_notes(inner, definitions, seen)
    if not isinstance(hint, type) or hint.__name__ not in definitions:
        return
    fields = definitions[hint.__name__].get("properties", {})
    for name, field_type in get_type_hints(hint, include_extras=True).items():
        note = note_in_type(field_type)
        if note and name in fields:
            fields[name].setdefault("description", note)
        _add_notes(field_type, definitions, seen)


def note_in_type(hint: Any) -> str | None:
    """Return the description in `Annotated[T, "..."]`, also in pydantic's `Field` and in `Doc`."""
    for note in getattr(hint, "__metadata__", ()):
        text = note if isinstance(note, str) else getattr(note, "description", getattr(note, "documentation", None))
        if isinstance(text, str):
            return text
    if get_origin(hint) in _TRANSPARENT_TYPES:  # what is inside describes the field, too
        return next(filter(None, map(note_in_type, get_args(hint))), None)
    return None
