"""The replies of `proofs/typed.py`: JSON of many shapes with its schema, and the ways in which models go on. Seeded."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

from proofs.untold_replay import question, replay

SEED = 20261130
LONGEST_RECORDED = 600
"""Characters of a recorded reply: each is cut everywhere, on each wire."""

Way: TypeAlias = Literal[
    "asked", "exactly on", "words again", "fence", "fence, words again", "remark", "from the start"
]
WAYS: tuple[Way, ...] = (
    *("asked", "exactly on", "words again", "fence", "fence, words again", "remark", "from the start"),
)
"""How a model goes on after a limit: as it was asked to, or else."""

_NAMES = ("id", "name", "title", "price", "tags", "address", "is_open", "notes", "kind", "items", "created", "größe")
_TEXT = (
    "the of and to a in is it you that he was for on are with as I his they be at one have this from or "
    "had by hot but some what there we can out other were all your when up use word how said an each she "
    "which do their time if will way about many then them would write like so these her long make thing "
    "see him two has look more day could go come did my sound no most number who over know water than "
    "call first people may down side been now find any new work part take get place made live where "
    'after back little only round man year came show every good me give our under naïve café "quoted" '
    "back\\slash line\nbreak emoji😀 tab\there 東京 d'accord 3.5% <b>bold</b> {braces} [brackets] comma, "
    "colon: semi; slash/ percent% plus+ ```code``` null true"
)
_WORDS = tuple(_TEXT.split(" "))


class TypedCase(NamedTuple):
    """A reply, and what is asked for."""

    name: str
    text: str
    """The JSON as the model writes it."""
    value: Any
    """What `object` must be."""
    output: Any
    """A schema, or "json"."""


class _Maker:
    """Makes schemas, and values that fit them."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def object_schema(self, depth: int = 0) -> dict[str, Any]:
        """Return the schema of an object."""
        names = self._random.sample(_NAMES, self._random.randint(1, 4 - min(depth, 2)))
        return {
            "type": "object",
            "properties": {name: self._schema(depth + 1) for name in names},
            "required": names[: self._random.randint(1, len(names))],
            "additionalProperties": False,
        }

    def value(self, schema: dict[str, Any]) -> Any:
        """Return a value that fits a schema."""
        chosen = self._random
        if "anyOf" in schema:
            return self.value(chosen.choice(schema["anyOf"]))
        if "const" in schema or "enum" in schema:
            return schema["const"] if "const" in schema else chosen.choice(schema["enum"])
        match schema["type"]:
            case "object":
                return {name: self.value(inner) for name, inner in schema["properties"].items()}
            case "array":
                most = 8 if schema["items"].get("type") == "integer" else 3
                return [self.value(schema["items"]) for _ in range(chosen.randint(0, most))]
            case "string":
                return " ".join(chosen.choices(_WORDS, k=chosen.randint(0, 12)))
            case "integer":
                return chosen.choice([0, -7, chosen.randint(0, 10**9), chosen.randint(0, 999), chosen.randint(0, 999)])
            case "number":
                return chosen.choice([0.5, -1e-9, round(chosen.uniform(-1e4, 1e4), 2)])
            case "boolean":
                return chosen.random() < 0.5
        return None

    def text(self, value: Any) -> str:
        """Return JSON as models write it."""
        indent = self._random.choice([None, None, 2])
        return json.dumps(value, indent=indent, ensure_ascii=self._random.random() < 0.3)

    def _schema(self, depth: int) -> dict[str, Any]:
        kinds = ("string", "string", "integer", "number", "boolean", "enum", "optional", "numbers")
        match self._random.choice((*kinds, "list", "object", "union") if depth < 3 else kinds):
            case "enum":
                return {"enum": ["red", "green", "dark red"]}
            case "optional":
                return {"anyOf": [{"type": "string"}, {"type": "null"}]}
            case "numbers":
                return {"type": "array", "items": {"type": "integer"}}
            case "list":
                return {"type": "array", "items": self.object_schema(depth)}
            case "object":
                return self.object_schema(depth)
            case "union":
                return {"anyOf": [self._tagged(kind) for kind in ("cat", "dog")]}
            case kind:
                return {"type": kind}

    def _tagged(self, kind: str) -> dict[str, Any]:
        properties = {"kind": {"const": kind}, f"{kind}_name": {"type": "string"}}
        return {"type": "object", "properties": properties, "required": [*properties]}


def typed_cases(count: int, streams: Path | None = None) -> Iterator[TypedCase]:
    """Yield so many replies: recorded ones as far as there are any, at most a quarter, the rest made.

    Args:
        count: How many.
        streams: The folder with recorded streams, in a folder for each wire.
    """
    recorded = list(_recorded(count // 4, streams)) if streams is not None else []
    yield from recorded
    for number in range(count - len(recorded)):
        maker = _Maker(SEED + number)
        schema = maker.object_schema()
        if number % 4 == 3:  # a list of the caller's
            values = [maker.value(schema) for _ in range(1 + number % 3)]
            yield TypedCase(f"list {number}", maker.text({"items": values}), values, {"type": "array", "items": schema})
        else:
            value = maker.value(schema)
            text = maker.text(value)
            yield TypedCase(f"object {number}", f"```json\n{text}\n```" if number % 16 == 2 else text, value, schema)


def _recorded(most: int, streams: Path) -> Iterator[TypedCase]:
    """Yield recorded replies that are a JSON object, each text once."""
    seen: set[str] = set()
    for wire in ("openai_chat", "openai_responses", "anthropic", "gemini"):
        for path in sorted((streams / wire).glob("*.sse")):
            if len(seen) >= most:
                return
            body = path.read_bytes()
            if b"{" not in body or len(body) > 200_000:
                continue
            text = replay(question(wire), body)[-1].get("content") or ""
            if text.lstrip()[:1] != "{" or len(text) > LONGEST_RECORDED or text in seen:
                continue
            try:
                value = json.loads(text)
            except ValueError:
                continue
            seen.add(text)
            yield TypedCase(f"recorded {wire} {path.stem[-30:]}", text, value, "json")


def go_on(way: Way, text: str, seen: int, anchor: str, seed: int) -> str:
    """Return what a model writes after a limit.

    Args:
        way: How it goes on.
        text: The complete reply that it has in mind.
        seen: The characters of it that it sees in the request.
        anchor: The characters that it is asked to begin with.
        seed: Of what is random.
    """
    rest = text[seen:].removesuffix("\n```")
    chosen = random.Random(seed)
    again = max(0, seen - chosen.randint(12, 60))
    while again > 0 and text[again - 1] not in ' ,:{["\n':
        again -= 1
    words = text[again:seen]
    match way:
        case "asked":
            return anchor + rest
        case "exactly on":
            return rest
        case "words again":
            return words + rest
        case "fence":
            return f"```json\n{rest}\n```"
        case "fence, words again":
            return f"```json\n{words}{rest}\n```"
        case "remark":
            return f"Here is the rest of the JSON:\n\n```json\n{rest}\n```"
        case "from the start":
            return text


CUT_REPLIES = {
    "bill": '{"items": [{"name": "oak table", "price": 12000, "note": "the first"}, {"name": "chair", "price": 550}], '
    '"total": 12550}',
    "person": '{"name": "Ada Lovelace", "born": 1815, "works": ["Notes", "Letters to Babbage"]}',
}
"""The replies that `typed_compared.py` cuts, by what they are."""
_LINE = {"name": {"type": "string"}, "price": {"type": "integer"}, "note": {"type": "string"}}
CUT_SCHEMAS: dict[str, dict[str, Any]] = {
    "bill": {
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": {"type": "object", "properties": _LINE, "required": ["name", "price"]}},
            "total": {"type": "integer"},
        },
    },
    "person": {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "born": {"type": "integer"},
            "works": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["name", "born", "works"],
    },
}
"""Their schemas, for a peer that has no pydantic; the others have them as classes in `typed_peers/run.py`."""
