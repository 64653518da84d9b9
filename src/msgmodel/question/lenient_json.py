"""Decodes JSON as providers really send it: strictly and fast first, and mended once if that fails. Pure.

Rule: the time and memory for a text grow no faster than its bytes. A small text may cost 30 times its size (`[],` takes
80 bytes of memory); in a large text, the values are counted before it is decoded.
"""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import msgspec

T = TypeVar("T")

LARGE = 1024 * 1024
"""Bytes from which the values of a text are counted. A generated image is large, but nearly all of it is one string."""
MOST_VALUES = 1 << 18
"""Maximum values of a large text: about as many as fit into a text below `LARGE`."""
MOST_HALVES = 10_000
"""Maximum half surrogate pairs that are mended in one text. Servers that split an emoji do it a few times."""

_STEP = 64 * 1024
_HALF = re.compile(
    rb"\\u[dD](?:[89aAbB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?<!\\u[dD][89aAbB][0-9a-fA-F]{2}\\u[dD])[c-fC-F][0-9a-fA-F]{2})"
)


class MalformedJson(Exception):
    """An event is not JSON, or does not have the shape that the wire promises."""


class LenientDecoder(Generic[T]):
    """Decodes one type. The type allows for null and missing fields: any field that we read may be absent."""

    def __init__(self, shape: type[T]) -> None:
        self._decoder: msgspec.json.Decoder[T] = msgspec.json.Decoder(shape, strict=False)

    def decode(self, data: bytes) -> T:
        """Decode an event. Raise MalformedJson if it does not fit the type."""
        if len(data) > LARGE and not _has_few_values(data):
            raise MalformedJson("an event has too many values")
        try:
            return self._decoder.decode(data)
        except (ValueError, RecursionError):
            try:
                return self._decoder.decode(mend_json(data))
            except (ValueError, RecursionError):
                raise MalformedJson("an event is not the JSON that this API promises") from None


def load_lenient(data: bytes | str) -> Any:
    """Decode any JSON. Raise ValueError if it is none.

    Invalid UTF-8 and half surrogate pairs (an emoji that a server cut in two) become U+FFFD, as in a browser
    (WHATWG Encoding), so that the result can always be encoded again.
    """
    if isinstance(data, str):
        data = _encode_text(data)
    if len(data) > LARGE and not _has_few_values(data):
        raise ValueError("too many values")
    try:
        try:
            return msgspec.json.decode(data)
        except ValueError:
            return msgspec.json.decode(mend_json(data))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def decode_request(body: bytes | bytearray | str, shape: Any = Any) -> Any:
    """Decode the JSON of a client. Half a surrogate pair, from a text that JavaScript cut, becomes U+FFFD.

    Args:
        body: The body of the request.
        shape: The type to decode.

    Raises:
        msgspec.ValidationError: The JSON does not fit the type.
        ValueError, RecursionError: The body is not JSON in UTF-8, or is nested too deeply.
    """
    if isinstance(body, str):
        body = _encode_text(body)
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        if (mended := _mend_escapes(bytes(body))) == body:
            raise
        return msgspec.json.decode(mended, type=shape)


def parse_or_none(data: bytes) -> Any:
    """Decode any JSON; return None if it is none."""
    try:
        return load_lenient(data)
    except ValueError:
        return None


def memory(value: Any) -> int:
    """Return the bytes of memory that a decoded JSON value takes."""
    total, left = 0, [value]
    while left:
        each = left.pop()
        total += each.__sizeof__() + 16  # the header of the garbage collector
        if isinstance(each, list):
            left += each
        elif isinstance(each, dict):
            left += each
            left += each.values()
    return total


def mend_surrogates(text: str) -> str:
    """Return the text with U+FFFD for each half of a surrogate pair, which JSON in UTF-8 can't hold.

    JavaScript cuts a string within an emoji and leaves such a half, and Python decodes the name of a file that is not
    UTF-8 to them. Two halves that belong together become their character.
    """
    if text.isascii():
        return text
    try:
        for at in range(0, len(text), _STEP):  # in steps, as a copy would double the memory of a large text
            text[at : at + _STEP].encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def mend_all_surrogates(value: Any) -> Any:
    """Return a copy of a value for JSON in which each string is mended, keys too. Raise RecursionError if too deep."""
    if isinstance(value, str):
        return mend_surrogates(value)
    if isinstance(value, dict):
        return {mend_all_surrogates(key): mend_all_surrogates(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [mend_all_surrogates(each) for each in value]
    return value


def loses_surrogates(value: Any) -> bool:
    """Return whether a value has half a surrogate pair, in whose place `mend_all_surrogates` puts U+FFFD."""
    if isinstance(value, str):
        mended = mend_surrogates(value)
        return mended is not value and mended.count("\ufffd") > value.count("\ufffd")
    if isinstance(value, Mapping):
        return any(loses_surrogates(each) for pair in value.items() for each in pair)
    return isinstance(value, (list, tuple)) and any(map(loses_surrogates, value))


def _encode_text(text: str) -> bytes:
    return mend_surrogates(text).encode()


def _has_few_values(data: bytes) -> bool:
    """Return whether a text may be decoded. Values are counted by the commas and brackets outside of strings.

    The text is read in steps, because a copy would double the memory of a large event. The count stops at the limit.
    """
    values = quotes = 0
    escape = b""  # a backslash whose character is in the next step
    for at in range(0, len(data), _STEP):
        step = escape + data[at : at + _STEP]
        escape = b""
        if b"\\" in step:  # a search for one byte is fast, and most steps of an image have no backslash
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
    return len(data) - len(data.translate(None, b",[{"))  # one pass; `count` would take one for each character


def mend_json(data: bytes) -> bytes:
    """Replace invalid UTF-8 and half surrogate pairs. Raise ValueError if there are none to replace."""
    mended = _mend_escapes(_replace_invalid_utf8(data))
    if mended is data or mended == data:
        raise ValueError("not JSON")
    return mended


def _mend_escapes(data: bytes) -> bytes:
    """Replace half surrogate pairs that are written as escapes. Return the text itself if there are none."""
    # A search for one byte is fast, so that a large text without escapes is not searched for two.
    if b"\\" not in data or not (b"\\ud" in data or b"\\uD" in data) or b"\0" in data:
        return data
    # With escaped backslashes out of the way, every backslash that is left begins an escape.
    mended = data.replace(rb"\\", b"\0\0")
    return _HALF.sub(rb"\\ufffd", mended, count=MOST_HALVES).replace(b"\0\0", rb"\\")


def _replace_invalid_utf8(data: bytes) -> bytes:
    """Replace invalid UTF-8 by U+FFFD. Return the text itself, not a copy, if all of it is valid.

    The text is decoded in steps, because one emoji makes every character of a str take four bytes.
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
    """Return `value` if it is a JSON object, else an empty one, for fields in which servers send other types too."""
    return value if isinstance(value, dict) else {}


def as_text(value: object) -> str:
    """Return `value` if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def as_count(value: object) -> int | None:
    """Return `value` if it can be a number of tokens, else None."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 2**53:
        return int(value)
    return None
