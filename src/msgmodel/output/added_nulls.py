"""Drops the nulls that stand for optional members. Pure.

OpenAI's strict mode knows no optional member: each is required, and may be null instead. Models also write null for a
member that they leave out without being made to. Rule: a null is dropped if the caller's schema has the member, does
not require it, and does not take null for it in any of the forms that the value may have.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from .schema_parts import resolve_reference
from .value_check import SchemaCheck

_FORM_LISTS = ("anyOf", "oneOf", "allOf")


class NullFilter:
    """Drops such nulls from values of one schema. What it finds out about the schema it keeps for the next value.

    Args:
        schema: The caller's schema for the value.
        root: The schema that references lead into.
    """

    def __init__(self, schema: Any, root: Mapping[str, Any]) -> None:
        self._root = root
        self._places: dict[frozenset[int], _Place] = {}
        self._start = self._place([schema])

    def filtered(self, value: Any) -> Any:
        """Return the value without such nulls; the value itself if there are none."""
        return self._filtered(self._start, value)

    def _filtered(self, place: _Place, value: Any) -> Any:
        if not place.forms:
            return value
        if isinstance(value, list):
            items = [
                self._filtered(self._item(place, index), item) if isinstance(item, (dict, list)) else item
                for index, item in enumerate(value)
            ]
            return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
        if not isinstance(value, dict):
            return value
        members, is_same = {}, True
        for name, member in value.items():
            inner = place.members.get(name) or self._member(place, name)
            if member is None and inner.drops_null:
                is_same = False
                continue
            new = self._filtered(inner.place, member) if isinstance(member, (dict, list)) else member
            is_same = is_same and new is member
            members[name] = new
        return value if is_same else members

    def _place(self, schemas: Sequence[Any]) -> _Place:
        forms = self._forms(schemas)
        key = frozenset(map(id, forms))
        if key not in self._places:
            self._places[key] = _Place(forms)
        return self._places[key]

    def _forms(self, schemas: Iterable[Any]) -> list[Mapping[str, Any]]:
        """Return the schemas, and all that they consist of for the same value."""
        forms: list[Mapping[str, Any]] = []
        waiting, seen = [*schemas], set()
        while waiting:
            schema = waiting.pop()
            if not isinstance(schema, dict) or id(schema) in seen:
                continue
            seen.add(id(schema))
            forms.append(schema)
            if "$ref" in schema:
                waiting.append(resolve_reference(self._root, schema["$ref"]))
            for keyword in _FORM_LISTS:
                waiting += schema.get(keyword, ())
            waiting += [schema[keyword] for keyword in ("then", "else") if keyword in schema]
        return forms

    def _member(self, place: _Place, name: str) -> _Member:
        if not any(name in form.get("properties", ()) for form in place.forms):
            if place.rest is None:
                place.rest = _Member(self._place(_schemas_of_member(place.forms, name)), False)
            return place.rest  # not kept by its name, because a map may have any number of names
        inner = _schemas_of_member(place.forms, name)
        is_required = any(name in form.get("required", ()) for form in place.forms)
        drops_null = not is_required and not any(SchemaCheck(self._root).fits(schema, None) for schema in inner)
        member = place.members[name] = _Member(self._place(inner), drops_null)
        return member

    def _item(self, place: _Place, index: int) -> _Place:
        index = min(index, place.tuple_length)
        if index not in place.items:
            place.items[index] = self._place(_schemas_of_item(place.forms, index))
        return place.items[index]


class _Place:
    """A place in values of the schema, with all schemas for it."""

    __slots__ = ("forms", "items", "members", "rest", "tuple_length")

    def __init__(self, forms: Sequence[Mapping[str, Any]]) -> None:
        self.forms = forms
        self.members: dict[str, _Member] = {}
        self.rest: _Member | None = None
        """The members that no schema names."""
        self.items: dict[int, _Place] = {}
        """The elements with a place of their own, and, behind them, all others."""
        self.tuple_length = max((len(_tuple_of(form)) for form in forms), default=0)


class _Member(NamedTuple):
    place: _Place
    drops_null: bool


def _tuple_of(form: Mapping[str, Any]) -> Sequence[Any]:
    items = form.get("items")
    first: Sequence[Any] = form.get("prefixItems") or (items if isinstance(items, list) else ())
    return first


def _schemas_of_item(forms: Sequence[Mapping[str, Any]], index: int) -> list[Any]:
    found = []
    for form in forms:
        if index < len(first := _tuple_of(form)):
            found.append(first[index])
        elif isinstance(form.get("items"), dict):
            found.append(form["items"])
    return found


def _schemas_of_member(forms: Sequence[Mapping[str, Any]], name: str) -> list[Any]:
    found = []
    for form in forms:
        if name in (properties := form.get("properties", {})):
            found.append(properties[name])
        elif isinstance(form.get("additionalProperties"), dict):
            found.append(form["additionalProperties"])
    return found
