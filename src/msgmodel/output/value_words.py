"""Words for JSON values: how errors show them, and what is equal. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

_MOST_SHOWN = 60
"""Characters of a value that an error shows."""

TYPE_WORDS = {
    "object": "an object",
    "array": "a list",
    "string": "a string",
    "number": "a number",
    "integer": "an integer",
    "boolean": "true or false",
    "null": "null",
}


def show_value(value: Any) -> str:
    """Return a value as an error shows it: as JSON, and short."""
    text = json.dumps(value, ensure_ascii=False, default=str) if not isinstance(value, (dict, list)) else ""
    if isinstance(value, dict):
        return "an object" if value else "an empty object"
    if isinstance(value, list):
        return f"a list of {len(value)}" if value else "an empty list"
    return text if len(text) <= _MOST_SHOWN else text[: _MOST_SHOWN - 3] + "..."


def json_type(value: Any) -> str:
    """Return the name that JSON schemas have for the type of a value. A whole number is an `integer`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "integer" if value == value // 1 else "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def one_of(words: Sequence[str], lead: str = "one of ") -> str:
    """Return a choice in words, at most twenty of them."""
    shown = [*words[:20], *(["..."] if len(words) > 20 else [])]
    if len(shown) == 1:
        return shown[0]
    return f"{lead}{', '.join(shown[:-1])} or {shown[-1]}"


def show_typed(value: Any) -> str:
    """Return a value as an error shows it if its type may be what is wrong."""
    shown = show_value(value)
    return f"the string {shown}" if isinstance(value, str) else shown


def comparable(value: Any) -> Any:
    """Return what is equal for equal JSON values alone: 1 equals 1.0, and not true."""
    if isinstance(value, list):
        return ("list", tuple(map(comparable, value)))
    if isinstance(value, dict):
        return ("object", frozenset((name, comparable(each)) for name, each in value.items()))
    return ("boolean", value) if isinstance(value, bool) else value
