"""The keywords of JSON Schema, and which of them each provider enforces. Pure.

Facts of the providers: their SDKs and recorded errors, November 2026.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from .schema_parts import SCHEMA_LISTS, SCHEMA_MAPS, SINGLE_SCHEMAS

SchemaDialect: TypeAlias = Literal["openai", "anthropic", "gemini", "llamacpp", "plain"]
"""Which keywords a provider takes. `openai`: its strict mode. `plain`: the schema is sent as text, if at all."""

NOTES = ("title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment", "$schema")
IDENTITY = ("$id", "$anchor", "$dynamicAnchor", "$vocabulary", "discriminator")
"""What names a schema or its forms, and allows no other values. `discriminator` is OpenAPI's, as classes write it."""
STRUCTURE = (
    "type",
    "enum",
    "const",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "anyOf",
    "$ref",
    "$defs",
)

JSON_SCHEMA_RULES = frozenset(
    {*SCHEMA_MAPS, *SCHEMA_LISTS, *SINGLE_SCHEMAS, *STRUCTURE, "pattern", "format", "multipleOf", "uniqueItems"}
    | {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "minItems", "maxItems"}
    | {"minContains", "maxContains", "minProperties", "maxProperties", "dependentRequired", "dependencies"}
    | {"additionalItems"}
) - {"$defs", "definitions"}
"""The keywords that a value can break."""


@dataclass(frozen=True)
class DialectRules:
    """What a dialect takes."""

    keywords: frozenset[str]
    formats: frozenset[str]
    is_closed: bool = True
    """Whether each object must name all its members."""
    all_required: bool = False
    has_type_lists: bool = True
    takes_anything: bool = False
    """Whether a schema may allow any value."""
    notes: frozenset[str] = frozenset({"title", "description"})
    values: Mapping[str, Callable[[Any], bool]] = field(default_factory=dict)
    """Which values of a keyword are enforced."""


_DATES = ("date-time", "date", "time", "duration", "email", "hostname", "ipv4", "ipv6", "uuid")


def _is_anchored(pattern: Any) -> bool:
    return isinstance(pattern, str) and pattern.startswith("^") and pattern.endswith("$")


def _is_plain_enum(choices: Any) -> bool:
    return all(isinstance(each, (str, int, float)) and not isinstance(each, bool) for each in choices)


DIALECT_RULES: Mapping[str, DialectRules] = {
    "openai": DialectRules(
        keywords=frozenset(
            {*STRUCTURE, "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
            | {"pattern", "format", "minItems", "maxItems"}
        ),
        formats=frozenset(_DATES),
        all_required=True,
    ),
    "anthropic": DialectRules(
        keywords=frozenset({*STRUCTURE, "allOf", "format", "minItems"}),
        formats=frozenset({*_DATES, "uri"}),
        has_type_lists=False,
        values={"minItems": lambda count: count in (0, 1)},
    ),
    "gemini": DialectRules(
        keywords=frozenset(
            {*STRUCTURE, "minimum", "maximum", "format", "minItems", "maxItems", "prefixItems", "propertyOrdering"}
        )
        - {"const"},
        formats=frozenset(_DATES),
        is_closed=False,
        takes_anything=True,
        values={"enum": _is_plain_enum},
    ),
    "llamacpp": DialectRules(
        keywords=frozenset(
            {*STRUCTURE, "allOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength"}
            | {"maxLength", "pattern", "format", "minItems", "maxItems", "prefixItems"}
        ),
        formats=frozenset({"date-time", "date", "time", "uuid"}),
        is_closed=False,
        takes_anything=True,
        values={"pattern": _is_anchored},
    ),
}
