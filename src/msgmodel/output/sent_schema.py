"""Makes the schema that a provider takes of the caller's. Pure.

Rule: what a provider can't enforce is moved to the description, so that the model reads it, and listed in `unenforced`;
the final value is checked against the caller's schema in any case. What would be another schema (an object with any
names, where a provider wants each name) is refused at the call. `schema_dialects.py` says what a provider enforces.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from .json_pointer import escape_name
from .schema_dialects import DIALECT_RULES, IDENTITY, JSON_SCHEMA_RULES, NOTES, DialectRules, SchemaDialect
from .schema_limits import check_limits
from .schema_parts import SCHEMA_LISTS, recursive_references, resolve_reference
from .value_words import json_type

MOST_SCHEMAS = 20_000
"""Maximum schemas in a schema. A reference with a description beside it is written out, and may hold two more."""
WHOLE_SCHEMA = "#"
"""What stands in `unenforced` if the provider enforces nothing."""


class SentSchema(NamedTuple):
    """A schema as one provider takes it."""

    schema: dict[str, Any]
    unenforced: tuple[str, ...]
    """JSON pointer and keyword of what the provider can't enforce, such as `/properties/age/minimum`."""


def fit_schema(schema: Mapping[str, Any], dialect: SchemaDialect) -> SentSchema:
    """Return a schema as a provider takes it.

    Args:
        schema: The schema of the text of a reply: `OutputFormat.schema`.
        dialect: What the provider takes.

    Raises:
        ValueError: The provider can't express the schema. Names the place, the keyword and the cure.
    """
    if dialect == "plain":
        return SentSchema(dict(schema), (WHOLE_SCHEMA,))
    fitting = _Fitting(schema, DIALECT_RULES[dialect])
    sent = fitting.fit(schema, "")
    check_limits(sent, dialect)
    return SentSchema(sent, tuple(dict.fromkeys(fitting.unenforced)))


class _Fitting:
    """Fits one schema to the rules of a dialect."""

    def __init__(self, root: Mapping[str, Any], rules: DialectRules) -> None:
        self._root, self._rules = root, rules
        self.unenforced: list[str] = []
        self._schemas_left = MOST_SCHEMAS
        self._recursive = recursive_references(root)

    def _count_schema(self) -> None:
        """Count a schema that is read. Raise ValueError for one too many."""
        self._schemas_left -= 1
        if self._schemas_left < 0:
            raise ValueError("the schema is too large once its references are written out: make it smaller")

    def fit(self, schema: Any, path: str) -> dict[str, Any]:
        """Return a schema within the rules."""
        self._count_schema()
        if schema is False:
            raise ValueError(f"at {path or '/'}: a schema that no value fits can't be sent: leave the member out")
        own = dict(schema) if isinstance(schema, dict) else {}
        if "$ref" in own:
            return self._fit_reference(own, path)
        own = self._merged(own, path)
        moved: dict[str, Any] = {}
        sent: dict[str, Any] = {}
        for keyword, value in own.items():
            self._fit_keyword(keyword, value, path, sent, moved)
        _add_type(sent)
        self._fit_types(sent, path)
        if sent.get("type") == "object" or "properties" in sent:
            self._close_object(sent, own, path)
        elif sent.get("type") == "array" and "items" not in sent and not self._rules.takes_anything:
            raise ValueError(f"at {path or '/'}: a list of anything can't be sent: give `items` a type")
        if not self._rules.takes_anything and not sent.keys() & {"type", "anyOf", "enum", "const", "allOf", "$ref"}:
            raise ValueError(f"at {path or '/'}: a value of any type can't be sent: give it a `type`")
        return _described(sent, moved)

    # Keywords.

    def _fit_keyword(self, keyword: str, value: Any, path: str, sent: dict[str, Any], moved: dict[str, Any]) -> None:
        rules, place = self._rules, f"{path}/{keyword}"
        if keyword == "oneOf":
            if not _are_exclusive(value, self._root):
                self.unenforced.append(place)
            sent["anyOf"] = [self.fit(each, f"{place}/{index}") for index, each in enumerate(value)]
        elif keyword == "definitions" or keyword == "$defs":
            sent.setdefault("$defs", {}).update(self._fit_definitions(keyword, value, path))
        elif keyword == "const" and "const" not in rules.keywords:
            self._fit_constant(value, path, sent, moved)
        elif keyword in NOTES or keyword in IDENTITY:
            if keyword in rules.notes:
                sent[keyword] = value
            elif keyword == "examples" or (keyword == "default" and value is not None):
                moved[keyword] = value
        elif (
            keyword not in rules.keywords
            or not rules.values.get(keyword, lambda value: True)(value)
            or (keyword == "format" and value not in rules.formats)
        ):
            self._move(keyword, value, path, sent, moved)
        elif keyword in ("properties", *SCHEMA_LISTS):
            names = value.items() if isinstance(value, dict) else enumerate(value)
            fitted = {name: self.fit(each, f"{place}/{escape_name(str(name))}") for name, each in names}
            sent[keyword] = fitted if isinstance(value, dict) else list(fitted.values())
        elif keyword == "items" and isinstance(value, (dict, bool)):
            if value is not False:
                sent[keyword] = self.fit(value, place)
            elif "prefixItems" in rules.keywords:
                sent[keyword] = False
        elif keyword == "items":
            self._fit_keyword("prefixItems", value, path, sent, moved)
        elif keyword == "additionalProperties" and not rules.is_closed and isinstance(value, dict):
            sent[keyword] = self.fit(value, place)
        else:
            sent[keyword] = value

    def _move(self, keyword: str, value: Any, path: str, sent: dict[str, Any], moved: dict[str, Any]) -> None:
        """Tell the model by the description what the provider can't enforce."""
        if keyword == "uniqueItems" and not value:
            return
        moved[keyword] = value
        if keyword in JSON_SCHEMA_RULES:
            self.unenforced.append(f"{path}/{keyword}")
        if keyword == "prefixItems" and sent.get("items", False) is False:
            sent["items"] = self._items_of_tuple(value, f"{path}/prefixItems")

    def _items_of_tuple(self, first: list[Any], path: str) -> dict[str, Any]:
        forms = [self.fit(each, f"{path}/{index}") for index, each in enumerate(first)]
        unique = [form for index, form in enumerate(forms) if form not in forms[:index]]
        return unique[0] if len(unique) == 1 else {"anyOf": unique}

    def _fit_constant(self, value: Any, path: str, sent: dict[str, Any], moved: dict[str, Any]) -> None:
        if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            sent["enum"] = [value]
        else:
            self._move("const", value, path, sent, moved)

    def _fit_types(self, sent: dict[str, Any], path: str) -> None:
        """Write a list of types as `anyOf` if the provider does not take it."""
        names = sent.get("type")
        if not isinstance(names, list) or self._rules.has_type_lists:
            return
        if len(names) == 1:
            sent["type"] = names[0]
            return
        if "anyOf" in sent:
            raise ValueError(f"at {path}/type: a list of types beside `anyOf` can't be sent: write one `anyOf`")
        shared = {keyword: sent.pop(keyword) for keyword in [*sent] if keyword not in (*NOTES, "$defs")}
        del shared["type"]
        sent["anyOf"] = [
            {"type": name, **{key: each for key, each in shared.items() if _belongs_to(key, each, name)}}
            for name in names
        ]
        for form in sent["anyOf"]:
            if "enum" in form:
                form["enum"] = [each for each in form["enum"] if _is_of_type(each, form["type"])]
        sent["anyOf"] = [form for form in sent["anyOf"] if form.get("enum") != []]
        for form in sent["anyOf"]:
            if form["type"] == "object":
                self._close_object(form, form, path)

    # Objects.

    def _close_object(self, sent: dict[str, Any], own: Mapping[str, Any], path: str) -> None:
        rules = self._rules
        properties = sent.get("properties", {})
        if not rules.is_closed:
            return
        others = own.get("additionalProperties", bool(properties) or "additionalProperties" not in own)
        if isinstance(others, dict) or "patternProperties" in own or (others is True and not properties):
            keyword = "patternProperties" if "patternProperties" in own else "additionalProperties"
            raise ValueError(
                f"at {path}/{keyword}: an object with any names can't be sent to this provider:"
                " use a list of objects that have the name and the value as members"
            )
        sent["type"], sent["additionalProperties"] = "object", False
        sent["properties"] = properties
        if rules.all_required:
            required = own.get("required", ())
            for name in properties:
                if name not in required:
                    properties[name] = _or_null(properties[name])
            sent["required"] = [*properties]

    # References, and schemas of which all hold.

    def _fit_reference(self, own: dict[str, Any], path: str) -> dict[str, Any]:
        reference = own.pop("$ref")
        if not own.keys() - {"$comment"}:
            self._check_recursion(reference, path)
            return {"$ref": _reference_in_definitions(reference, path)}
        target = resolve_reference(self._root, reference)
        if reference not in self._recursive and isinstance(target, dict):
            return self.fit(_all_of(dict(target), own, path), path)
        self._check_recursion(reference, path)
        notes = {keyword: value for keyword, value in own.items() if keyword in self._rules.notes}
        others = own.keys() - {*NOTES, *IDENTITY}
        if others:
            raise ValueError(f"at {path}/$ref: {min(others)!r} beside a reference to itself can't be sent: remove it")
        return {"anyOf": [{"$ref": _reference_in_definitions(reference, path)}], **notes}

    def _check_recursion(self, reference: str, path: str) -> None:
        if reference in self._recursive and self._rules is DIALECT_RULES["anthropic"]:
            raise ValueError(
                f"at {path}/$ref: this provider takes no schema that contains itself ({reference}):"
                " write out as many levels as you need"
            )

    def _fit_definitions(self, keyword: str, value: Mapping[str, Any], path: str) -> dict[str, Any]:
        if path:
            raise ValueError(f"at {path}/{keyword}: definitions must stand at the root of the schema")
        return {name: self.fit(each, f"/{keyword}/{escape_name(name)}") for name, each in value.items()}

    def _merged(self, own: dict[str, Any], path: str) -> dict[str, Any]:
        """Return the schema with the members of `allOf` merged into it, if the provider does not take that keyword."""
        if "allOf" not in own or ("allOf" in self._rules.keywords and len(own["allOf"]) > 1):
            return own
        merged = {keyword: value for keyword, value in own.items() if keyword != "allOf"}
        for each in own["allOf"]:
            self._count_schema()
            inner = dict(each) if isinstance(each, dict) else {}
            if "$ref" in inner:
                reference = inner.pop("$ref")
                if reference in self._recursive:
                    raise ValueError(f"at {path}/allOf: a reference to itself can't be merged: write it out")
                target = resolve_reference(self._root, reference)
                inner = _all_of(dict(target) if isinstance(target, dict) else {}, inner, path)
            merged = _all_of(merged, self._merged(inner, path), path)
        return merged


def _add_type(sent: dict[str, Any]) -> None:
    """Add the type of an enum or a constant: OpenAI wants a `type` beside them."""
    if "type" in sent or not sent.keys() & {"enum", "const"}:
        return
    names = list(dict.fromkeys(map(json_type, sent.get("enum", [sent.get("const")]))))
    if len(names) == 1:
        sent["type"] = names[0]


def _described(sent: dict[str, Any], moved: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema with what was moved in its description."""
    if not moved:
        return sent
    rules = json.dumps(moved, ensure_ascii=False, default=str)
    description = sent.get("description")
    sent["description"] = f"{description}\n\n{rules}" if description else rules
    return sent


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that takes null, too, with its description outside."""
    forms = schema.get("anyOf", [])
    if {"type": "null"} in forms or schema.get("type") == "null" or "null" in _listed(schema.get("type")):
        return schema
    if forms and not schema.keys() - {"anyOf", *NOTES}:
        return schema | {"anyOf": [*forms, {"type": "null"}]}
    notes: dict[str, Any] = {keyword: schema[keyword] for keyword in ("title", "description") if keyword in schema}
    inner = {keyword: value for keyword, value in schema.items() if keyword not in notes}
    return {"anyOf": [inner, {"type": "null"}], **notes}


def _listed(names: Any) -> list[str]:
    return names if isinstance(names, list) else []


def _all_of(one: dict[str, Any], other: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return one schema that says what both say."""
    merged = dict(one)
    for keyword, value in other.items():
        if keyword not in merged or merged[keyword] == value or keyword in NOTES:
            merged[keyword] = value
        elif keyword == "properties" and not merged[keyword].keys() & value.keys():
            merged[keyword] = merged[keyword] | value
        elif keyword == "required":
            merged[keyword] = list(dict.fromkeys([*merged[keyword], *value]))
        elif keyword == "additionalProperties" and True in (merged[keyword], value):
            merged[keyword] = value if merged[keyword] is True else merged[keyword]
        else:
            raise ValueError(f"at {path}/allOf: two schemas with {keyword!r} can't be merged: write one schema")
    return merged


def _reference_in_definitions(reference: str, path: str) -> str:
    """Return a reference as it is after `definitions` became `$defs`."""
    if reference == "#" or reference.startswith("#/$defs/"):
        return reference
    if reference.startswith("#/definitions/"):
        return "#/$defs/" + reference.removeprefix("#/definitions/")
    if reference.startswith("#/properties/"):
        return reference
    raise ValueError(f"at {path}/$ref: put what {reference!r} refers to into $defs")


def _are_exclusive(forms: list[Any], root: Mapping[str, Any]) -> bool:
    """Return whether a value can fit only one of the forms: they differ in type, or in a tag that each requires."""
    resolved = [
        resolve_reference(root, each["$ref"]) if isinstance(each, dict) and "$ref" in each else each for each in forms
    ]
    if not all(isinstance(each, dict) for each in resolved):
        return False
    types = [each.get("type") for each in resolved]
    if (
        all(isinstance(name, str) for name in types)
        and len(set(types)) == len(types)
        and {"integer", "number"} - {*types}
    ):
        return True
    shared = set.intersection(*(set(each.get("required", ())) & set(each.get("properties", ())) for each in resolved))
    return any(_is_tag([each["properties"][name] for each in resolved]) for name in shared)


def _is_tag(schemas: list[Any]) -> bool:
    values: list[str] = []
    for schema in schemas:
        if not isinstance(schema, dict) or not schema.keys() & {"const", "enum"}:
            return False
        values += [json.dumps(each) for each in schema.get("enum", [schema.get("const")])]
    return len(set(values)) == len(values)


def _belongs_to(keyword: str, value: Any, name: str) -> bool:
    """Return whether a keyword says something of a type."""
    owners = {"properties": "object", "required": "object", "additionalProperties": "object", "items": "array"}
    owners |= {
        "minItems": "array",
        "maxItems": "array",
        "prefixItems": "array",
        "pattern": "string",
        "format": "string",
    }
    if keyword in owners:
        return owners[keyword] == name
    if keyword == "const":
        return _is_of_type(value, name)
    return keyword == "enum" or name in ("integer", "number") or keyword not in ("minimum", "maximum", "multipleOf")


def _is_of_type(value: Any, name: str) -> bool:
    own = json_type(value)
    return own == name or (own == "integer" and name == "number")
