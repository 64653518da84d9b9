"""The parts of a JSON schema: its references, the schemas within it, and whether it is one at all. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from .json_pointer import escape_name, unescape_name

SCHEMA_MAPS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
"""Keywords whose value has a schema for each name."""
SCHEMA_LISTS = ("prefixItems", "allOf", "anyOf", "oneOf")
SINGLE_SCHEMAS = (
    *("items", "contains", "unevaluatedItems", "additionalProperties", "unevaluatedProperties", "propertyNames"),
    *("not", "if", "then", "else"),
)
SAME_VALUE = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas")
"""Keywords whose schemas are for the value itself, not for a part of it."""
JSON_TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
MOST_REFERENCES = 500
"""Maximum schemas that a schema refers to. Each is compared with all others."""

_COUNTS = (
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "minContains",
    "maxContains",
)
_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_UNSUPPORTED = ("$dynamicRef", "$recursiveRef")


def inner_schemas(schema: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Yield keyword, JSON pointer within the schema, and value of each schema directly within a schema."""
    for keyword, value in schema.items():
        if keyword in SCHEMA_MAPS and isinstance(value, dict):
            for name, inner in value.items():
                yield keyword, f"/{keyword}/{escape_name(name)}", inner
        elif (keyword in SCHEMA_LISTS or keyword == "items") and isinstance(value, list):
            for index, inner in enumerate(value):
                yield keyword, f"/{keyword}/{index}", inner
        elif keyword in SINGLE_SCHEMAS:
            yield keyword, f"/{keyword}", value


def all_schemas(root: Any) -> Iterator[dict[str, Any]]:
    """Yield a schema and all schemas within it."""
    waiting = [root]
    while waiting:
        schema = waiting.pop()
        if isinstance(schema, dict):
            yield schema
            waiting += [inner for _, _, inner in inner_schemas(schema)]


def resolve_reference(root: Mapping[str, Any], reference: str) -> Any:
    """Return the schema that a reference within the same schema leads to.

    Raises:
        ValueError: It leads out of the schema, or nowhere.
    """
    if not reference.startswith("#"):
        raise ValueError(f"the reference {reference!r} leads out of the schema: put what it refers to into $defs")
    found: Any = root
    if reference[1:2] not in ("", "/"):
        return _anchored(root, reference)
    for part in unquote(reference[1:]).split("/")[1:]:
        name = unescape_name(part)
        if isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        elif isinstance(found, dict) and name in found:
            found = found[name]
        else:
            raise ValueError(f"the reference {reference!r} leads nowhere in the schema")
    return found


def _anchored(root: Mapping[str, Any], reference: str) -> Any:
    waiting: list[Any] = [root]
    while waiting:
        schema = waiting.pop()
        if isinstance(schema, dict):
            if reference[1:] in (schema.get("$anchor"), schema.get("$dynamicAnchor")):
                return schema
            waiting += [inner for _, _, inner in inner_schemas(schema)]
    raise ValueError(f"the reference {reference!r} leads nowhere in the schema")


def check_schema(root: Mapping[str, Any]) -> None:
    """Check that a schema is one against which a value can be checked.

    Raises:
        ValueError: A keyword has a value that it can't have, or a reference leads nowhere. Names the place.
    """
    waiting: list[tuple[str, Any]] = [("", root)]
    while waiting:
        path, schema = waiting.pop()
        if isinstance(schema, bool):
            continue
        if not isinstance(schema, dict):
            raise ValueError(f"at {path or '/'}: {schema!r:.80} is no schema (an object, true or false)")
        for keyword, value in schema.items():
            if problem := _problem_of(keyword, value):
                raise ValueError(f"at {path}/{keyword}: {problem}")
        if isinstance(reference := schema.get("$ref"), str):
            resolve_reference(root, reference)
        waiting += [(path + inner_path, inner) for _, inner_path, inner in inner_schemas(schema)]
    _check_circles(root)


def _problem_of(keyword: str, value: Any) -> str | None:
    """Return what is wrong with the value of a keyword."""
    wanted = None
    if keyword == "type":
        names = value if isinstance(value, list) else [value]
        if not names or any(name not in JSON_TYPES for name in names):
            wanted = f"one of {', '.join(JSON_TYPES)}, or a list of them"
    elif keyword in SCHEMA_MAPS or keyword == "dependentRequired":
        wanted = None if isinstance(value, dict) else "an object"
    elif keyword in SCHEMA_LISTS or keyword == "enum":
        wanted = None if isinstance(value, list) and value else "a list that is not empty"
    elif keyword == "required":
        wanted = None if isinstance(value, list) and all(isinstance(name, str) for name in value) else "a list of names"
    elif keyword in _COUNTS:
        wanted = None if _is_number(value) and value >= 0 and value == int(value) else "a count"
    elif keyword in _NUMBERS:
        wanted = None if _is_number(value) else "a number"
    elif keyword == "multipleOf":
        wanted = None if _is_number(value) and value > 0 else "a number above 0"
    elif keyword == "$ref":
        wanted = None if isinstance(value, str) else "a reference such as #/$defs/Name"
    elif keyword == "pattern":
        return _problem_of_pattern(value)
    elif keyword in _UNSUPPORTED:
        return "this keyword is not supported: use $ref"
    if keyword == "patternProperties" and isinstance(value, dict):
        return next(filter(None, map(_problem_of_pattern, value)), None)
    return f"{value!r:.80} is not {wanted}" if wanted else None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) != float("inf")


def _problem_of_pattern(value: Any) -> str | None:
    try:
        re.compile(value)
    except (re.error, TypeError, RecursionError, OverflowError) as error:
        return f"{value!r:.80} is no regular expression: {error}"
    return None


def _check_circles(root: Mapping[str, Any]) -> None:
    """Raise ValueError if a schema refers to itself for the same value: checking it would not end."""
    done: set[int] = set()
    for start in all_schemas(root):
        path: list[tuple[dict[str, Any], Iterator[Any]]] = [(start, _same_value_schemas(root, start))]
        open_schemas = {id(start)}
        while path and id(start) not in done:
            schema, others = path[-1]
            other = next(others, None)
            if other is None:
                path.pop()
                open_schemas.discard(id(schema))
                done.add(id(schema))
            elif id(other) in open_schemas:
                raise ValueError(f"the reference {schema.get('$ref', other.get('$ref'))!r} leads to itself")
            elif id(other) not in done:
                path.append((other, _same_value_schemas(root, other)))
                open_schemas.add(id(other))


def _same_value_schemas(root: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the schemas that a value must be checked against if it is checked against this one."""
    for keyword, _, inner in inner_schemas(schema):
        if keyword in SAME_VALUE and isinstance(inner, dict):
            yield inner
    if "$ref" in schema and isinstance(target := resolve_reference(root, schema["$ref"]), dict):
        yield target


def recursive_references(root: Mapping[str, Any]) -> frozenset[str]:
    """Return the references that lead to a schema that contains them."""
    targets: dict[str, set[str]] = {}
    waiting = sorted(_references_in(root))
    while waiting:
        reference = waiting.pop()
        if reference not in targets:
            targets[reference] = _references_in(resolve_reference(root, reference))
            waiting += targets[reference]
        if len(targets) > MOST_REFERENCES:
            raise ValueError(f"the schema refers to more than {MOST_REFERENCES} schemas: make it smaller")
    return frozenset(reference for reference in targets if _reaches(targets, reference))


def _reaches(targets: Mapping[str, set[str]], start: str) -> bool:
    waiting, seen = [*targets[start]], set()
    while waiting:
        reference = waiting.pop()
        if reference == start:
            return True
        if reference not in seen:
            seen.add(reference)
            waiting += targets[reference]
    return False


def _references_in(schema: Any) -> set[str]:
    return {each["$ref"] for each in all_schemas(schema) if "$ref" in each}
