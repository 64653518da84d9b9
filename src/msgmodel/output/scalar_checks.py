"""The keywords of a JSON schema that look at a value alone, not at other schemas. Pure.

A check returns None if the value fits, else what is there and what was wanted. A keyword for another type fits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, TypeAlias

from .text_formats import FORMAT_CHECKS, FORMAT_WORDS
from .value_words import comparable, one_of, show_typed, show_value

ScalarCheck: TypeAlias = Callable[[Any, Any], tuple[str, str] | None]
"""Takes the value of the keyword and the value to check."""


def _check_enum(choices: Any, value: Any) -> tuple[str, str] | None:
    if comparable(value) in set(map(comparable, choices)):
        return None
    return f"The value is {show_typed(value)}.", one_of([show_value(each) for each in choices])


def _check_const(only: Any, value: Any) -> tuple[str, str] | None:
    return None if comparable(value) == comparable(only) else (f"The value is {show_typed(value)}.", show_value(only))


def _number_check(words: str, fits: Callable[[Any, Any], bool]) -> ScalarCheck:
    def check(limit: Any, value: Any) -> tuple[str, str] | None:
        if not isinstance(value, (int, float)) or isinstance(value, bool) or fits(value, limit):
            return None
        return f"The value is {show_value(value)}.", f"{words} {show_value(limit)}"

    return check


def _is_multiple(value: Any, step: Any) -> bool:
    """Return whether a number is a multiple, as decimals: 0.3 is one of 0.1, which binary fractions deny."""
    return (Fraction(repr(value)) / Fraction(repr(step))).denominator == 1


def _size_check(kind: type[str | list[Any] | dict[str, Any]], unit: str, *, least: bool) -> ScalarCheck:
    def check(limit: Any, value: Any) -> tuple[str, str] | None:
        if not isinstance(value, kind) or (len(value) >= limit if least else len(value) <= limit):
            return None
        wanted = f"at {'least' if least else 'most'} {counted(limit, unit)}"
        return f"The {_SIZED[unit]} has {counted(len(value), unit)}.", wanted

    return check


_SIZED = {"character": "string", "element": "list", "property": "object"}


def counted(count: Any, unit: str) -> str:
    """Return a number of things in words."""
    if count == 1:
        return f"1 {unit}"
    return f"{int(count)} {'properties' if unit == 'property' else unit + 's'}"


def _check_pattern(pattern: Any, value: Any) -> tuple[str, str] | None:
    if not isinstance(value, str) or re.search(pattern, value):
        return None
    return f"The value is {show_value(value)}.", f"a string that matches the pattern {pattern}"


def _check_format(name: Any, value: Any) -> tuple[str, str] | None:
    fits = FORMAT_CHECKS.get(name) if isinstance(name, str) else None
    if fits is None or not isinstance(value, str) or fits(value):
        return None
    return f"The value is {show_value(value)}.", FORMAT_WORDS[name]


def _check_unique(wanted: Any, value: Any) -> tuple[str, str] | None:
    if not wanted or not isinstance(value, list):
        return None
    seen: dict[Any, int] = {}
    for index, item in enumerate(value):
        first = seen.setdefault(comparable(item), index)
        if first != index:
            return f"The elements {first} and {index} are equal.", "elements that all differ"
    return None


SCALAR_CHECKS: Mapping[str, ScalarCheck] = {
    "enum": _check_enum,
    "const": _check_const,
    "minimum": _number_check("at least", lambda value, limit: bool(value >= limit)),
    "maximum": _number_check("at most", lambda value, limit: bool(value <= limit)),
    "exclusiveMinimum": _number_check("more than", lambda value, limit: bool(value > limit)),
    "exclusiveMaximum": _number_check("less than", lambda value, limit: bool(value < limit)),
    "multipleOf": _number_check("a multiple of", _is_multiple),
    "minLength": _size_check(str, "character", least=True),
    "maxLength": _size_check(str, "character", least=False),
    "minItems": _size_check(list, "element", least=True),
    "maxItems": _size_check(list, "element", least=False),
    "minProperties": _size_check(dict, "property", least=True),
    "maxProperties": _size_check(dict, "property", least=False),
    "pattern": _check_pattern,
    "format": _check_format,
    "uniqueItems": _check_unique,
}
