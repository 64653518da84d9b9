"""JSON as providers really send it: decoded strictly and fast, and mended once where that fails. Pure.

Rule: what a text costs in time and memory grows no faster than its bytes. A small one may cost 30 times its size (`[],`
takes 80 bytes of memory); of a large one the values are counted before any is made.
"""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from typing import Any, Generic, TypeVar

import msgspec

T = TypeVar("T")

LARGE = 1024 * 1024
"""Bytes from which the values of a text are counted: of a generated image nearly all is one string."""
MOST_VALUES = 1 << 18
"""That a large text may have. More of them than a text below `LARGE` would hardly fit into it."""
MOST_HALVES = 10_000
"""Half surrogate pairs that are mended in one text: servers that cut an emoji in two do it a few times."""

_STEP = 64 * 1024
_HALF = re.compile(
    rb"\\u[dD](?:[89aAbB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?<!\\u[dD][89aAbB][0-9a-fA-F]{2}\\u[dD])[c-fC-F][0-9a-fA-F]{2})"
)


class MalformedJson(Exception):
    """An event that is not JSON, or not of the shape that the wire promises."""


class LenientDecoder(Generic[T]):
    """Decodes one type. Nulls and unknown fields are the type's business: every field that we read may be absent."""

    def __init__(self, shape: type[T]) -> None:
        self._decoder: msgspec.json.Decoder[T] = msgspec.json.Decoder(shape, strict=False)

    def decode(self, data: bytes) -> T:
        """Raises Malformed."""
        if len(data) > LARGE and not _has_few_values(data):
            raise MalformedJson("an event has too many values")
        try:
            return self._decoder.decode(data)
        except (ValueError, RecursionError):
            try:
                return self._decoder.decode(_mended(data))
            except (ValueError, RecursionError):
                raise MalformedJson("an event is not the JSON that this API promises") from None


def load_lenient(data: bytes | str) -> Any:
    """Any JSON. Raises ValueError.

    Invalid UTF-8 and half surrogate pairs (an emoji that a server cut in two) become U+FFFD, as in a browser
    (WHATWG Encoding): what is made of them can always be encoded.
    """
    if isinstance(data, str):
        data = _encoded(data)
    if len(data) > LARGE and not _has_few_values(data):
        raise ValueError("too many values")
    try:
        try:
            return msgspec.json.decode(data)
        except ValueError:
            return msgspec.json.decode(_mended(data))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def parse_or_none(data: bytes) -> Any:
    """Any JSON; None where it is none."""
    try:
        return load_lenient(data)
    except ValueError:
        return None


def memory(value: Any) -> int:
    """Bytes of memory that a value takes which was decoded from JSON."""
    total, left = 0, [value]
    while left:
        each = left.pop()
        total += each.__sizeof__() + 16  # what the garbage collector keeps of it
        if isinstance(each, list):
            left += each
        elif isinstance(each, dict):
            left += each
            left += each.values()
    return total


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _has_few_values(data: bytes) -> bool:
    """Return whether a text may be decoded. Values are counted by the commas and brackets outside of strings.

    The text is read in steps: a copy of all of it would double what a large event takes, and it ends at the limit.
    """
    values = quotes = 0
    escape = b""  # a backslash whose character is in the next step
    for at in range(0, len(data), _STEP):
        step = escape + data[at : at + _STEP]
        escape = b""
        if b"\\" in step:  # a look at one character is fast, and most steps of an image end here
            step = step.replace(rb"\\", b"")
            if step.endswith(b"\\"):
                step, escape = step[:-1], b"\\"
            step = step.replace(rb"\"", b"")
        if b'"' not in step:
            values += 0 if quotes % 2 else _count_values(step)
        else:
            pieces = step.split(b'"')
            values += _count_values(b"".join(pieces[quotes % 2 :: 2]))
            quotes += len(pieces) - 1
        if values > MOST_VALUES:
            return False
    return True


def _count_values(data: bytes) -> int:
    return len(data) - len(data.translate(None, b",[{"))  # one pass of a steady speed, however many there are


def _mended(data: bytes) -> bytes:
    """Return the text without what can be no character. Raises ValueError if there is nothing of the kind."""
    mended = _replace_invalid_utf8(data)
    # A look at one character is fast: a large text without any escape is not searched for two.
    if b"\\" in mended and (b"\\ud" in mended or b"\\uD" in mended) and b"\0" not in mended:
        # Without the backslashes that are escaped, each one that is left begins an escape.
        mended = mended.replace(rb"\\", b"\0\0")
        mended = _HALF.sub(rb"\\ufffd", mended, count=MOST_HALVES).replace(b"\0\0", rb"\\")
    if mended is data or mended == data:
        raise ValueError("not JSON")
    return mended


def _replace_invalid_utf8(data: bytes) -> bytes:
    """Return the text with U+FFFD for what is no UTF-8: itself, and no copy of it, if all of it is.

    In steps: as a str, all of it would take four bytes a character once there is an emoji in it.
    """
    if data.isascii():
        return data
    decoder = getincrementaldecoder("utf-8")("replace")
    mended = bytearray()
    for at in range(0, len(data), _STEP):
        mended += decoder.decode(data[at : at + _STEP]).encode()
    mended += decoder.decode(b"", True).encode()
    return data if mended == data else bytes(mended)


def as_mapping(value: object) -> dict[str, Any]:
    """`value` if it is a JSON object, else an empty one: for corners that servers fill as they like."""
    return value if isinstance(value, dict) else {}


def as_text(value: object) -> str:
    """`value` if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def as_count(value: object) -> int | None:
    """`value` if it is a number of tokens, else None."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 2**53:
        return int(value)
    return None
