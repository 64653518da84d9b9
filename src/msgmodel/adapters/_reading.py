"""Requests of clients, checked. What is wrong raises ConfigurationError, which says where it stands.

Rule: nothing is fetched. A file comes as a data: URL or not at all.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn, TypeAlias, cast

import msgspec

from ..errors import ConfigurationError
from ..messages import FilePart, Message
from ..question.question import decode_base64

Body: TypeAlias = "bytes | str | Mapping[str, Any] | Fields"
"""The body of a request: JSON, or what was read from it. With `Fields`, files are read once, however often it is."""

PIECE = 64 * 1024
"""Characters of a data: URL that are decoded at a time."""

ID_CHARACTERS = 1000
_TURN_PARTS = ("text", "refusal", "reasoning", "tool_call", "opaque")


class Fields:
    """A JSON object of a request, and its place. Each reader returns a value of its type or raises."""

    def __init__(self, value: object, place: str, files: dict[tuple[int, str], FilePart] | None = None) -> None:
        self.place = place
        self._files = {} if files is None else files
        """What was read of files, by the ids of their texts and their names."""
        if not isinstance(value, Mapping):
            self.fail("must be an object")
        self.values: Mapping[str, Any] = value

    def fail(self, what: str) -> NoReturn:
        """Raises ConfigurationError."""
        raise ConfigurationError(f"{self.place}: {what}")

    def text(self, name: str) -> str:
        """A string that must be there."""
        value = self.values.get(name)
        if not isinstance(value, str):
            self.fail(f"{name} must be a string")
        return value

    def maybe_text(self, name: str) -> str | None:
        """A string, or None where it is missing or null."""
        return None if self.values.get(name) is None else self.text(name)

    def id_text(self, name: str) -> str:
        """A string that must be there, and comes back in many events: so it may not be long."""
        value = self.text(name)
        if len(value) > ID_CHARACTERS:
            self.fail(f"{name} must have at most {ID_CHARACTERS} characters")
        return value

    def flag(self, name: str) -> bool:
        """A boolean; false where it is missing or null."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, bool):
            self.fail(f"{name} must be true or false")
        return bool(value)

    def object(self, name: str) -> Fields:
        """An object; an empty one where it is missing or null."""
        value = self.values.get(name)
        return Fields({} if value is None else value, f"{self.place}: {name}", self._files)

    def objects(self, name: str) -> list[Fields]:
        """A list of objects; an empty one where it is missing or null."""
        value = self.values.get(name)
        if value is None:
            return []
        if not isinstance(value, Sequence) or isinstance(value, (str, bytes)):
            self.fail(f"{name} must be a list")
        return [Fields(item, f"{self.place}: {name}[{number}]", self._files) for number, item in enumerate(value)]

    def file(self, name: str, url: str) -> FilePart:
        """The part for a file that came as a data: URL. The same URL of the same request makes the same part."""
        if (id(url), name) not in self._files:
            self._files[id(url), name] = self._file(name, url)
        return self._files[id(url), name]

    def _file(self, name: str, url: str) -> FilePart:
        if url[:5].lower() != "data:":
            self.fail("a file must be a data: URL; nothing is fetched from other addresses")
        comma = url.find(",")
        if comma < 0:
            self.fail("the data: URL has no data")
        payload = url[comma + 1 :]
        if url[5:comma].lower().endswith(";base64"):
            return self.file_of_base64(name, payload)
        try:
            data = b"".join(map(_unquoted, _cut(payload)))
        except ValueError:  # half an emoji
            self.fail("the data: URL is not text")
        return {"type": "file", "name": name, "data": base64.b64encode(data).decode()}

    def file_of_base64(self, name: str, payload: str) -> FilePart:
        """The part for a file's base64 text."""
        if (id(payload), name) not in self._files:
            try:
                decode_base64(payload)
            except ValueError:
                self.fail("the data of the file must be base64 text")
            self._files[id(payload), name] = {"type": "file", "name": name, "data": payload}
        return self._files[id(payload), name]

    def turn(self) -> Message:
        """A turn that an adapter sent sealed, so far as it can be told here; what asks a provider checks the rest."""
        content = self.values.get("content")
        parts = [{"type": "text"}] if isinstance(content, str) else content
        if self.values.get("role") != "assistant" or not isinstance(parts, list):
            self.fail("must be a turn of the assistant")
        if not all(isinstance(part, Mapping) and part.get("type") in _TURN_PARTS for part in parts):
            self.fail(f"its parts must be of type {', '.join(_TURN_PARTS)}")
        if not all(isinstance(part.get("id"), str) for part in parts if part["type"] == "tool_call"):
            self.fail("its calls must have an id")
        turn: Message = {"role": "assistant", "content": cast(Any, content)}
        if self.flag("partial"):
            turn["partial"] = True
        return turn


def _cut(text: str) -> Iterator[str]:
    """The text in pieces, none of which ends within an escape."""
    begin = 0
    while begin < len(text):
        end = begin + PIECE
        if (percent := text.rfind("%", end - 2, end)) >= 0:
            end = percent
        yield text[begin:end]
        begin = end


def _unquoted(text: str) -> bytes:
    """What `urllib.parse.unquote_to_bytes` returns, without its list of all escapes: that takes fifty times the memory
    of the text, and a microsecond for each. As quoted-printable, which is the same with another sign, C decodes it."""
    data = _LONE_PERCENT.sub(b"%25", text.encode()).replace(b"=", b"%3D")
    return binascii.a2b_qp(data.replace(b"%", b"="))


_LONE_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def read(body: Body) -> Fields:
    """The outermost object of a request."""
    if isinstance(body, Fields):
        return body
    if isinstance(body, (bytes, str)):
        try:
            body = msgspec.json.decode(body)
        except (ValueError, RecursionError) as error:
            raise ConfigurationError(f"body: must be JSON: {error}") from None
    return Fields(body, "body")
