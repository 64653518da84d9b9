"""What schemas may measure, as providers document it. Pure.

OpenAI: the guide to structured outputs. Anthropic: errors of the API ("too many optional parameters"). Both of 2026.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .schema_parts import all_schemas, inner_schemas, resolve_reference

OPENAI_PROPERTIES = 5_000
OPENAI_LEVELS = 10
OPENAI_CHARACTERS = 120_000
"""Characters of all names, enums and constants."""
OPENAI_CHOICES = 1_000
OPENAI_LARGE_ENUM = 250
OPENAI_LARGE_ENUM_CHARACTERS = 15_000
ANTHROPIC_OPTIONAL = 24
ANTHROPIC_UNIONS = 16


def check_limits(sent: Mapping[str, Any], dialect: str) -> None:
    """Check that a schema is within the limits of its provider.

    Raises:
        ValueError: It is not. Names the limit and what the schema has.
    """
    if dialect == "openai":
        _check_openai(sent)
    elif dialect == "anthropic":
        _check_anthropic(sent)


def _check_openai(sent: Mapping[str, Any]) -> None:
    schemas = list(all_schemas(sent))
    properties = [name for schema in schemas for name in schema.get("properties", ())]
    choices = [str(each) for schema in schemas for each in schema.get("enum", ())]
    constants = [str(schema["const"]) for schema in schemas if "const" in schema]
    definitions = [name for schema in schemas for name in schema.get("$defs", ())]
    characters = sum(map(len, properties + choices + constants + definitions))
    _check_count("properties", len(properties), OPENAI_PROPERTIES)
    _check_count("values in enums", len(choices), OPENAI_CHOICES)
    _check_count("characters in names and enums", characters, OPENAI_CHARACTERS)
    _check_count("levels", _levels(sent, sent, (), {}), OPENAI_LEVELS)
    for schema in schemas:
        enum = schema.get("enum", ())
        if len(enum) > OPENAI_LARGE_ENUM:
            size = sum(len(str(each)) for each in enum)
            _check_count(f"characters in an enum of {len(enum)} values", size, OPENAI_LARGE_ENUM_CHARACTERS)


def _check_anthropic(sent: Mapping[str, Any]) -> None:
    optional = unions = 0
    for schema in all_schemas(sent):
        required = schema.get("required", ())
        optional += sum(name not in required for name in schema.get("properties", ()))
        unions += "anyOf" in schema
    _check_count("optional properties", optional, ANTHROPIC_OPTIONAL)
    _check_count("unions (anyOf)", unions, ANTHROPIC_UNIONS)


def _check_count(what: str, count: int, most: int) -> None:
    if count > most:
        raise ValueError(f"the schema has {count:,} {what}, and the provider takes {most:,}: make it smaller")


def _levels(root: Mapping[str, Any], schema: Any, references: tuple[str, ...], known: dict[str, int]) -> int:
    """Return how many objects and lists contain each other. A reference to itself counts once."""
    if not isinstance(schema, dict):
        return 0
    reference = schema.get("$ref")
    if isinstance(reference, str):
        if reference in references:
            return 0
        if reference not in known:
            target = resolve_reference(root, reference)
            known[reference] = _levels(root, target, (*references, reference), known)
        return known[reference]
    inner = [_levels(root, each, references, known) for keyword, _, each in inner_schemas(schema) if keyword != "$defs"]
    own = schema.get("type") in ("object", "array") or "properties" in schema
    return own + max(inner, default=0)
