"""Which parts of a value a schema speaks of: `unevaluatedProperties` and `unevaluatedItems` are for the rest. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .schema_parts import resolve_reference

Fits = Callable[[Any, Any], bool]
"""Whether a schema takes a value."""


def evaluated_parts(root: Mapping[str, Any], schema: Any, value: Any, fits: Fits) -> set[str | int]:
    """Return the names or indexes of a value that a schema speaks of, with all schemas for the same value.

    Args:
        root: The schema that references lead into.
        schema: The schema, whose own `unevaluated...` keywords are left out.
        value: An object or a list.
        fits: Whether a schema takes a value: one that does not fit says nothing.
    """
    if not isinstance(schema, dict):
        return set()
    own = _own_names(schema, value) if isinstance(value, dict) else _own_indexes(schema, value, fits)
    for inner in _schemas_in_force(root, schema, value, fits):
        own |= evaluated_parts(root, inner, value, fits)
        if isinstance(inner, dict):
            keyword = "unevaluatedProperties" if isinstance(value, dict) else "unevaluatedItems"
            own |= set(_all_parts(value)) if keyword in inner else set()
    return own


def _all_parts(value: Any) -> Iterator[str | int]:
    return iter(value if isinstance(value, dict) else range(len(value)))


def _own_names(schema: Mapping[str, Any], value: Mapping[str, Any]) -> set[str | int]:
    if "additionalProperties" in schema:
        return set(value)
    patterns = schema.get("patternProperties", ())
    known = schema.get("properties", ())
    return {name for name in value if name in known or any(re.search(pattern, name) for pattern in patterns)}


def _own_indexes(schema: Mapping[str, Any], value: list[Any], fits: Fits) -> set[str | int]:
    if "items" in schema:
        return set(range(len(value)))
    found: set[str | int] = set(range(min(len(value), len(schema.get("prefixItems", ())))))
    if "contains" in schema:
        found |= {index for index, item in enumerate(value) if fits(schema["contains"], item)}
    return found


def _schemas_in_force(root: Mapping[str, Any], schema: Mapping[str, Any], value: Any, fits: Fits) -> Iterator[Any]:
    """Yield the schemas for the same value that hold."""
    if "$ref" in schema:
        yield resolve_reference(root, schema["$ref"])
    for keyword in ("allOf", "anyOf", "oneOf"):
        yield from (each for each in schema.get(keyword, ()) if fits(each, value))
    if "if" in schema:
        holds = fits(schema["if"], value)
        if holds:
            yield schema["if"]
        yield schema.get("then" if holds else "else", True)
    for name, each in schema.get("dependentSchemas", {}).items():
        if isinstance(value, dict) and name in value:
            yield each
