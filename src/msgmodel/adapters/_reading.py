"""Read and check the requests of clients. A mistake raises ConfigurationError, which names its place in the request.

Rule: nothing is fetched. A file must be a data: URL, because a server that fetches addresses for strangers can be made
to read its own network.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from typing import Any, NoReturn, TypeAlias, cast

from ..errors import ConfigurationError
from ..messages import FilePart, Message
from ..question.lenient_json import decode_request
from ..question.question import decode_base64

Body: TypeAlias = "bytes | bytearray | str | Mapping[str, Any] | Fields"
"""The body of a request: JSON, a mapping, or `Fields`, which reads each file once, however often you read the body."""

DATA_URL_PIECE = 64 * 1024
"""Characters of a data: URL that are decoded at a time, so that a large one needs little memory beside itself."""

ID_CHARACTERS = 1000
"""Longest id that a request may bring: many events repeat it."""
_TURN_PARTS = ("text", "refusal", "reasoning", "tool_call", "media", "opaque")


class Fields:
    """A JSON object of a request, and its place. Each method returns its type, or raises ConfigurationError."""

    def __init__(self, value: object, place: str, files: dict[tuple[int, str], FilePart] | None = None) -> None:
        self.place = place
        self._files = {} if files is None else files
        """The files read so far, by the id of their text and by their name."""
        if not isinstance(value, Mapping):
            self.fail("must be an object")
        self.values: Mapping[str, Any] = value

    def fail(self, mistake: str) -> NoReturn:
        """Raise ConfigurationError with this place and a mistake."""
        raise ConfigurationError(f"{self.place}: {mistake}")

    def require_text(self, name: str) -> str:
        """Return a string that must be present."""
        value = self.values.get(name)
        if not isinstance(value, str):
            self.fail(f"{name} must be a string")
        return value

    def optional_text(self, name: str) -> str | None:
        """Return a string, or None if it is missing or null."""
        return None if self.values.get(name) is None else self.require_text(name)

    def require_id(self, name: str) -> str:
        """Return a string that must be present and not too long, because many events repeat it."""
        value = self.require_text(name)
        if len(value) > ID_CHARACTERS:
            self.fail(f"{name} must have at most {ID_CHARACTERS} characters")
        return value

    def read_flag(self, name: str) -> bool:
        """Return a boolean; False if it is missing or null."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, bool):
            self.fail(f"{name} must be true or false")
        return bool(value)

    def read_object(self, name: str) -> Fields:
        """Return an object; an empty one if it is missing or null."""
        value = self.values.get(name)
        return Fields({} if value is None else value, f"{self.place}: {name}", self._files)

    def read_objects(self, name: str) -> list[Fields]:
        """Return a list of objects; an empty one if it is missing or null."""
        value = self.values.get(name)
        if value is None:
            return []
        if not isinstance(value, Sequence) or isinstance(value, (str, bytes)):
            self.fail(f"{name} must be a list")
        return [Fields(item, f"{self.place}: {name}[{number}]", self._files) for number, item in enumerate(value)]

    def read_data_url(self, name: str, url: str) -> FilePart:
        """Return the part for a file that is a data: URL. The same URL in the same request makes the same part."""
        if (id(url), name) not in self._files:
            self._files[id(url), name] = self._decode_data_url(name, url)
        return self._files[id(url), name]

    def _decode_data_url(self, name: str, url: str) -> FilePart:
        if url[:5].lower() != "data:":
            self.fail("a file must be a data: URL; nothing is fetched from other addresses")
        comma = url.find(",")
        if comma < 0:
            self.fail("the data: URL has no data")
        if url[5:comma].lower().endswith(";base64"):
            return self.read_base64_file(name, url[comma + 1 :])
        data = BytesIO()
        try:
            for piece in _split_outside_escapes(url, comma + 1):
                data.write(_percent_decode(piece))
        except ValueError:  # a lone surrogate, such as half of an emoji
            self.fail("the data: URL is not text")
        return {"type": "file", "name": name, "data": base64.b64encode(data.getvalue()).decode()}

    def read_base64_file(self, name: str, payload: str) -> FilePart:
        """Return the part for a file that is base64 text."""
        if (id(payload), name) not in self._files:
            try:
                decode_base64(payload)
            except ValueError:
                self.fail("the data of the file must be base64 text")
            self._files[id(payload), name] = {"type": "file", "name": name, "data": payload}
        return self._files[id(payload), name]

    def read_turn(self) -> Message:
        """Return a turn that `seal_turn` sent. This checks what adapters rely on; the question checks the rest."""
        content = self.values.get("content")
        parts = [{"type": "text"}] if isinstance(content, str) else content
        if self.values.get("role") != "assistant" or not isinstance(parts, list):
            self.fail("must be a turn of the assistant")
        if not all(isinstance(part, Mapping) and part.get("type") in _TURN_PARTS for part in parts):
            self.fail(f"its parts must be of type {', '.join(_TURN_PARTS)}")
        if not all(isinstance(part.get("id"), str) for part in parts if part["type"] == "tool_call"):
            self.fail("its calls must have an id")
        turn: Message = {"role": "assistant", "content": cast(Any, content)}
        if self.read_flag("partial"):
            turn["partial"] = True
        return turn


def _split_outside_escapes(text: str, begin: int) -> Iterator[str]:
    """Yield the text from an index on, in pieces that end outside an escape."""
    while begin < len(text):
        end = begin + DATA_URL_PIECE
        if (percent := text.rfind("%", end - 2, end)) >= 0:
            end = percent
        yield text[begin:end]
        begin = end


def _percent_decode(text: str) -> bytes:
    """Return what `urllib.parse.unquote_to_bytes` returns, but in C.

    That function lists all escapes, which takes fifty times the memory of the text, and a microsecond an escape.
    Quoted-printable is the same code with another sign, and `binascii` decodes it.
    """
    data = _LONE_PERCENT.sub(b"%25", text.encode()).replace(b"=", b"%3D")
    return binascii.a2b_qp(data.replace(b"%", b"="))


_LONE_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def read_body(body: Body) -> Fields:
    """Return the outermost object of a request. Raise ConfigurationError if it is not a JSON object."""
    if isinstance(body, Fields):
        return body
    if isinstance(body, (bytes, bytearray, str)):
        try:
            body = decode_request(body)
        except (ValueError, RecursionError) as error:
            raise ConfigurationError(f"body: must be JSON: {error}") from None
    return Fields(body, "body")
