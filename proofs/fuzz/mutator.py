"""Changes an input as somebody would who knows server-sent events and JSON. Pure: the same seed, the same change.

Bytes that are changed at random are refused by the first check that they meet. So most changes here take one event, or
the body of a request, as the JSON that it is, and change a value, a name, or the order: the rest stays sound, and what
lies behind the first check is reached. The words are those that the code under test itself knows.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

PACKAGE = Path(__file__).parents[2] / "src" / "msgmodel"

Place: TypeAlias = tuple[Any, Any]
"""A container of JSON, and the key or the index in it."""

ENDS = (b"\n\n", b"\r\n\r\n", b"\r\r", b"\n", b"\n\r\n")
STRANGE: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**31, 2**53, 2**63, 2**64, 10**30, 10**400, 1e308, 0.5, "", " ", "0", "9" * 30,
    "\x00", "\ud83d", "\U0001f916", "\u2028", "\r\n", "null", "{}", "[DONE]", '{"a": 1}', "../../etc/passwd", [], {},
    [[]], {"": {}}, "http://127.0.0.1:1/?q", "data:text/plain;base64,aGk=", "data:,x", "sk-planted-c81e0d4b7a52",
)  # fmt: skip


def words(modules: tuple[str, ...]) -> list[str]:
    """Return the short texts in the code of these modules: names of fields, and values with a meaning."""
    found: set[str] = set()
    for module in modules:
        path = PACKAGE.joinpath(*module.split(".")).with_suffix(".py")
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and 0 < len(node.value) <= 48:
                found.add(node.value)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found.add(node.target.id)  # the fields of a struct
    return sorted(word for word in found if " " not in word)


class Mutator:
    """Change inputs. words: the texts that it may insert."""

    def __init__(self, words: list[str]) -> None:
        self._words = words

    def change(self, data: bytes, limit: int, seed: int) -> bytes:
        """Return the input, changed, and no longer than the limit."""
        random = Random(seed)
        for _ in range(random.choice((1, 1, 1, 2, 4))):
            way = random.choice((self._bytes, self._frames, self._document, self._document))
            data = way(data, random)
        return data[:limit]

    def cross(self, one: bytes, other: bytes, limit: int, seed: int) -> bytes:
        """Return the start of an input with the end of another one."""
        random = Random(seed)
        end = random.choice(ENDS[:2])
        first, second = one.split(end), other[1:].split(end)
        return end.join(first[: random.randrange(len(first) + 1)] + second[random.randrange(len(second)) :])[:limit]

    def _bytes(self, data: bytes, random: Random) -> bytes:
        """Delete, repeat, move or replace some bytes."""
        begin = random.randrange(len(data) + 1)
        end = min(len(data), begin + random.choice((0, 1, 1, 2, 4, 16, 200)))
        word = random.choice(
            (random.choice(self._words).encode(), b"\n", b"\r", b"\xff", b'"', bytes([random.randrange(256)]))
        )
        match random.randrange(5):
            case 0:
                return data[:begin] + data[end:]
            case 1:
                return data[:end] + data[begin:end] * random.choice((1, 2, 50)) + data[end:]
            case 2:
                return data[:begin] + word + data[begin:]
            case 3:
                place = random.randrange(len(data) + 1)
                return data[:place] + data[begin:end] + data[place:]
            case _:
                return data[:begin] + word + data[end:]

    def _frames(self, data: bytes, random: Random) -> bytes:
        """Delete, repeat, reorder or cut events, or change their line ends."""
        begin, end = data[:1], random.choice(ENDS)
        frames = [frame for frame in data[1:].replace(b"\r\n", b"\n").split(b"\n\n") if frame]
        if not frames:
            return data + end
        one, other = random.randrange(len(frames)), random.randrange(len(frames))
        match random.randrange(8):
            case 0:
                del frames[one]
            case 1:
                frames.insert(other, frames[one])
            case 2:
                frames[one], frames[other] = frames[other], frames[one]
            case 3:
                frames[one] = frames[one][: random.randrange(len(frames[one]) + 1)]
            case 4:
                frames = frames[: one + 1]
            case 5:
                frames.insert(one, random.choice((b": ping", b"data: [DONE]", b"data", b"data: {}", b"event: error")))
            case 6:
                at = random.randrange(len(frames[one]) + 1)
                frames[one] = frames[one][:at] + b"\ndata: " + frames[one][at:]
            case _:
                begin = bytes([random.randrange(256)])
        return begin + end.join(frames) + random.choice((end, end, end, b""))

    def _document(self, data: bytes, random: Random) -> bytes:
        """Change one JSON document in the input."""
        spans = list(_documents(data))
        if not spans:
            return self._bytes(data, random)
        begin, end, value = random.choice(spans)
        box = [value]
        try:
            self._value(box, random)
            written = json.dumps(box[0], ensure_ascii=random.random() < 0.5, separators=(",", ":"))
        except (ValueError, RecursionError):
            return data
        return data[:begin] + written.encode("utf-8", "surrogatepass") + data[end:]

    def _value(self, box: list[Any], random: Random) -> None:
        """Change a value somewhere in the box."""
        places = list(_places(box))
        container, key = random.choice(places)
        value = container[key]
        match random.randrange(9):
            case 0:
                container[key] = random.choice(STRANGE)
            case 1 | 2:
                container[key] = random.choice(self._words)
            case 3 if isinstance(value, dict):
                value[random.choice(self._words)] = self._some(places, random)
            case 3 if isinstance(value, list):
                value.insert(random.randrange(len(value) + 1), self._some(places, random))
            case 4 if container is not box:
                del container[key]
            case 5:
                other, place = random.choice(places)
                container[key] = json.loads(json.dumps(other[place]))
            case 6 if isinstance(value, dict) and value:
                value[random.choice(self._words)] = value.pop(random.choice(list(value)))
            case 7 if isinstance(value, str):
                container[key] = value * random.choice((0, 2, 40)) + random.choice(self._words)
            case 8:
                for _ in range(random.choice((1, 3, 40, 400))):
                    container[key] = [container[key]] if random.random() < 0.5 else {"a": container[key]}
            case _:
                container[key] = self._some(places, random)

    def _some(self, places: list[Place], random: Random) -> Any:
        """Return a word, something strange, or a value from elsewhere."""
        other, place = random.choice(places)
        return random.choice((random.choice(self._words), random.choice(STRANGE), json.loads(json.dumps(other[place]))))


def _documents(data: bytes) -> Iterator[tuple[int, int, Any]]:
    """Return the JSON objects and lists in an input, at the start of a line or after `data: `."""
    at = 0
    for text in data.splitlines(keepends=True):
        head = len(text) - len(text.removeprefix(b"data:").lstrip(b" "))
        body = text[head:].rstrip(b"\r\n")
        for skipped in (0, 1):  # the first byte of an input may be the seed of its cuts
            if body[skipped : skipped + 1] in (b"{", b"[") and (not skipped or at == 0):
                try:
                    yield at + head + skipped, at + head + len(body), json.loads(body[skipped:])
                except (ValueError, RecursionError):
                    continue
        at += len(text)


def _places(value: Any, depth: int = 0) -> Iterator[Place]:
    """Return every place within a value."""
    if depth > 60:
        return
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from _places(value[key], depth + 1)
