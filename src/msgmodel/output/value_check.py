"""Checks a JSON value against a JSON schema (2020-12, references within the schema), in words for people. Pure.

An error names the place, what is there, and what was wanted; the model that is asked to repair its reply reads it, too.
Formats are checked (a provider that enforces schemas enforces them), a format that we don't know fits anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ..reply_facts import OutputError
from .evaluated_parts import evaluated_parts
from .json_pointer import pointer_of
from .scalar_checks import SCALAR_CHECKS, counted
from .schema_parts import resolve_reference
from .text_formats import FORMAT_WORDS
from .value_words import TYPE_WORDS, json_type, one_of, show_typed, show_value

MOST_ERRORS = 20
"""Maximum errors that are reported for one value."""


_MOST_LEVELS_IN_WORDS = 3
LEAST_STEPS = 10_000
STEPS_PER_VALUE = 500
"""How often each value may be checked on average. Schemas that refer to each other twice cost twice as much a level."""


class _TooManySteps(Exception):
    """The check costs more than any value is worth."""


class Mismatch(NamedTuple):
    """One place in which a value does not fit."""

    names: tuple[str | int, ...]
    """The names and indexes that lead from the value to the place."""
    keyword: str
    message: str
    wanted: str


def check_value(schema: Mapping[str, Any], value: Any, root: Mapping[str, Any] | None = None) -> list[OutputError]:
    """Return how a value does not fit a schema; an empty list if it fits.

    Args:
        schema: A schema that `check_schema` has passed.
        value: A JSON value, as Python's `json` decodes it.
        root: The schema that references lead into. `schema` itself if None.
    """
    check = SchemaCheck(schema if root is None else root)
    check.steps_left = LEAST_STEPS + STEPS_PER_VALUE * _count_values(value)
    try:
        found = check.mismatches(schema, value)
    except RecursionError:
        return [{"path": "", "message": "The value is nested too deeply to be checked.", "wanted": "fewer levels"}]
    except _TooManySteps:
        return [{"path": "", "message": "The schema takes too long to check.", "wanted": "a simpler schema"}]
    return [
        {"path": pointer_of(each.names), "message": each.message, "wanted": each.wanted} for each in found[:MOST_ERRORS]
    ]


def _count_values(value: Any) -> int:
    """Return how many values a value consists of."""
    count, waiting = 0, [value]
    while waiting:
        each = waiting.pop()
        count += 1
        if isinstance(each, (dict, list)):
            waiting += each.values() if isinstance(each, dict) else each
    return count


class SchemaCheck:
    """Checks values against schemas that refer to one root."""

    __slots__ = ("root", "steps_left")

    def __init__(self, root: Mapping[str, Any]) -> None:
        self.root = root
        self.steps_left = LEAST_STEPS
        """How many more times a value may be checked against a schema."""

    def mismatches(self, schema: Any, value: Any, names: tuple[str | int, ...] = ()) -> list[Mismatch]:
        """Return how a value does not fit a schema."""
        self.steps_left -= 1
        if self.steps_left < 0:
            raise _TooManySteps
        if schema is True or schema == {}:
            return []
        if schema is False:
            return [Mismatch(names, "false", f"The value is {show_value(value)}.", "no value at all")]
        if "type" in schema and not _has_type(schema["type"], value):
            return [Mismatch(names, "type", f"The value is {show_typed(value)}.", self.wanted(schema))]
        found: list[Mismatch] = []
        for keyword, argument in schema.items():
            if len(found) >= MOST_ERRORS:
                break
            if (check := _CHECKS.get(keyword)) is not None:
                found += check(self, schema, argument, value, names)
            elif (scalar := SCALAR_CHECKS.get(keyword)) and (wrong := scalar(argument, value)):
                found.append(Mismatch(names, keyword, *wrong))
        return found

    def fits(self, schema: Any, value: Any) -> bool:
        """Return whether a value fits a schema."""
        return not self.mismatches(schema, value)

    def wanted(self, schema: Any, level: int = 0) -> str:
        """Return in words what a schema wants. `level`: how many schemas refer to it."""
        if not isinstance(schema, dict):
            return "anything" if schema else "no value at all"
        if "const" in schema:
            return show_value(schema["const"])
        if "enum" in schema:
            return one_of([show_value(each) for each in schema["enum"]])
        if "type" in schema:
            names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
            words = [TYPE_WORDS[name] for name in names]
            if names == ["string"] and schema.get("format") in FORMAT_WORDS:
                words = [FORMAT_WORDS[schema["format"]]]
            return one_of(words, "")
        if "$ref" in schema:
            return self.wanted(resolve_reference(self.root, schema["$ref"]), level)
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema and level < _MOST_LEVELS_IN_WORDS:
                words = [self.wanted(each, level + 1) for each in schema[keyword]]
                return one_of(list(dict.fromkeys(words)), "")
        return "a value that fits the schema"


def _has_type(wanted: str | list[str], value: Any) -> bool:
    names = [wanted] if isinstance(wanted, str) else wanted
    own = json_type(value)
    return own in names or (own == "integer" and "number" in names)


Names = tuple[str | int, ...]
Mismatches = Sequence[Mismatch]
_Check = Callable[[SchemaCheck, Mapping[str, Any], Any, Any, Names], Mismatches]


def _check_reference(check: SchemaCheck, schema: Mapping[str, Any], to: Any, value: Any, names: Names) -> Mismatches:
    return check.mismatches(resolve_reference(check.root, to), value, names)


# Lists.


def _check_items(check: SchemaCheck, schema: Mapping[str, Any], items: Any, value: Any, names: Names) -> Mismatches:
    if not isinstance(value, list):
        return ()
    if isinstance(items, list):  # a tuple, as drafts before 2020-12 write it
        return _check_prefix(check, schema, items, value, names)
    found: list[Mismatch] = []
    start = len(schema.get("prefixItems", ()))
    for index in range(start, len(value)):
        found += check.mismatches(items, value[index], (*names, index))
        if len(found) >= MOST_ERRORS:
            break
    return found


def _check_prefix(check: SchemaCheck, schema: Mapping[str, Any], first: Any, value: Any, names: Names) -> Mismatches:
    if not isinstance(value, list):
        return ()
    pairs = enumerate(zip(first, value, strict=False))
    return [each for index, (one, item) in pairs for each in check.mismatches(one, item, (*names, index))]


def _check_additional_items(
    check: SchemaCheck, schema: Mapping[str, Any], rest: Any, value: Any, names: Names
) -> Mismatches:
    """Check what follows a tuple, as drafts before 2020-12 write it."""
    if not isinstance(schema.get("items"), list):
        return ()
    return _check_items(check, {"prefixItems": schema["items"]}, rest, value, names)


def _check_contains(check: SchemaCheck, schema: Mapping[str, Any], one: Any, value: Any, names: Names) -> Mismatches:
    if not isinstance(value, list):
        return ()
    least, most = schema.get("minContains", 1), schema.get("maxContains")
    count = sum(check.fits(one, item) for item in value)
    has = f"The list has {counted(count, 'such element')}."
    if count < least:
        return (Mismatch(names, "contains", has, f"at least {int(least)} that is {check.wanted(one)}"),)
    if most is not None and count > most:
        return (Mismatch(names, "contains", has, f"at most {int(most)} that is {check.wanted(one)}"),)
    return ()


# Objects.


def _check_properties(
    check: SchemaCheck, schema: Mapping[str, Any], inner: Any, value: Any, names: Names
) -> Mismatches:
    if not isinstance(value, dict):
        return ()
    found: list[Mismatch] = []
    for name, each in inner.items():
        if name in value:
            found += check.mismatches(each, value[name], (*names, name))
    return found


def _check_patterns(check: SchemaCheck, schema: Mapping[str, Any], inner: Any, value: Any, names: Names) -> Mismatches:
    if not isinstance(value, dict):
        return ()
    return [
        each
        for pattern, one in inner.items()
        for name, item in value.items()
        if re.search(pattern, name)
        for each in check.mismatches(one, item, (*names, name))
    ]


def _check_additional(check: SchemaCheck, schema: Mapping[str, Any], rest: Any, value: Any, names: Names) -> Mismatches:
    if not isinstance(value, dict) or rest is True:
        return ()
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", ())
    others = [name for name in value if name not in known and not any(re.search(each, name) for each in patterns)]
    if rest is False:
        wanted = f"no other properties than {one_of(list(known), '')}" if known else "no properties"
        return [Mismatch((*names, name), "additionalProperties", "The property is unknown.", wanted) for name in others]
    return [each for name in others for each in check.mismatches(rest, value[name], (*names, name))]


def _check_names(check: SchemaCheck, schema: Mapping[str, Any], one: Any, value: Any, names: Names) -> Mismatches:
    if not isinstance(value, dict):
        return ()
    wrong = [name for name in value if not check.fits(one, name)]
    return [
        Mismatch((*names, name), "propertyNames", "The name of the property does not fit.", check.wanted(one))
        for name in wrong
    ]


def _check_required(check: SchemaCheck, schema: Mapping[str, Any], wanted: Any, value: Any, names: Names) -> Mismatches:
    if not isinstance(value, dict):
        return ()
    inner = schema.get("properties", {})
    return [
        Mismatch((*names, name), "required", "The property is missing.", check.wanted(inner.get(name, True)))
        for name in wanted
        if name not in value
    ]


def _check_dependent(check: SchemaCheck, schema: Mapping[str, Any], inner: Any, value: Any, names: Names) -> Mismatches:
    if not isinstance(value, dict):
        return ()
    found: list[Mismatch] = []
    for name in filter(value.__contains__, inner):
        rule = inner[name]
        found += (
            _check_required(check, schema, rule, value, names)
            if isinstance(rule, list)
            else check.mismatches(rule, value, names)
        )
    return found


# Schemas of schemas.


def _check_all(check: SchemaCheck, schema: Mapping[str, Any], inner: Any, value: Any, names: Names) -> Mismatches:
    return [each for one in inner for each in check.mismatches(one, value, names)]


def _check_any(check: SchemaCheck, schema: Mapping[str, Any], inner: Any, value: Any, names: Names) -> Mismatches:
    attempts = []
    for one in inner:
        if not (found := check.mismatches(one, value, names)):
            return ()
        attempts.append(found)
    return _nearest_attempt(check, inner, attempts, value, names)


def _check_one(check: SchemaCheck, schema: Mapping[str, Any], inner: Any, value: Any, names: Names) -> Mismatches:
    attempts = [check.mismatches(one, value, names) for one in inner]
    fitting = sum(not found for found in attempts)
    if fitting == 1:
        return ()
    if fitting:
        return (Mismatch(names, "oneOf", f"The value fits {fitting} of the forms.", "a value that fits only one"),)
    return _nearest_attempt(check, inner, attempts, value, names)


def _nearest_attempt(
    check: SchemaCheck, inner: Sequence[Any], attempts: Sequence[list[Mismatch]], value: Any, names: Names
) -> Mismatches:
    """Return the errors of the one form that the value was meant to have, if that is plain from its type or its tag."""
    near = [found for found in attempts if not any(_is_other_form(each, names) for each in found)]
    if len(near) == 1:
        return near[0]
    wanted = check.wanted({"anyOf": inner})
    return (Mismatch(names, "anyOf", f"The value, {show_typed(value)}, fits none of the forms.", wanted),)


def _is_other_form(found: Mismatch, names: Names) -> bool:
    """Return whether an error means that another form was meant: another type, or another tag among the properties."""
    depth = len(found.names) - len(names)
    return (depth == 0 and found.keyword in ("type", "const", "enum", "false")) or (
        depth == 1 and found.keyword in ("const", "enum")
    )


def _check_not(check: SchemaCheck, schema: Mapping[str, Any], inner: Any, value: Any, names: Names) -> Mismatches:
    if not check.fits(inner, value):
        return ()
    return (Mismatch(names, "not", f"The value is {show_typed(value)}.", f"not {check.wanted(inner)}"),)


def _check_if(check: SchemaCheck, schema: Mapping[str, Any], inner: Any, value: Any, names: Names) -> Mismatches:
    return check.mismatches(schema.get("then" if check.fits(inner, value) else "else", True), value, names)


def _check_unevaluated(
    check: SchemaCheck, schema: Mapping[str, Any], rest: Any, value: Any, names: Names
) -> Mismatches:
    if not isinstance(value, (dict, list)):
        return ()
    evaluated = evaluated_parts(check.root, schema, value, check.fits)
    parts: list[str | int] = [*value] if isinstance(value, dict) else [*range(len(value))]
    return [
        each
        for part in parts
        if part not in evaluated
        for each in check.mismatches(rest, value[part], (*names, part))  # type: ignore[index]
    ]


def _only_for(kind: type, check_parts: _Check) -> _Check:
    def compare(check: SchemaCheck, schema: Mapping[str, Any], rest: Any, value: Any, names: Names) -> Mismatches:
        return check_parts(check, schema, rest, value, names) if isinstance(value, kind) else ()

    return compare


_CHECKS: dict[str, _Check] = {
    "$ref": _check_reference,
    "items": _check_items,
    "prefixItems": _check_prefix,
    "additionalItems": _check_additional_items,
    "contains": _check_contains,
    "properties": _check_properties,
    "patternProperties": _check_patterns,
    "additionalProperties": _check_additional,
    "propertyNames": _check_names,
    "required": _check_required,
    "dependentRequired": _check_dependent,
    "dependentSchemas": _check_dependent,
    "dependencies": _check_dependent,
    "allOf": _check_all,
    "anyOf": _check_any,
    "oneOf": _check_one,
    "not": _check_not,
    "if": _check_if,
    "unevaluatedProperties": _only_for(dict, _check_unevaluated),
    "unevaluatedItems": _only_for(list, _check_unevaluated),
}
