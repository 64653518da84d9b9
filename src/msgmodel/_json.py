"""JSON as providers really send it: decoded strictly and fast, and once more with patience where that fails. Pure."""

from __future__ import annotations

import json
import math
from typing import Any, Generic, TypeVar

import msgspec

T = TypeVar("T")


class Malformed(Exception):
    """An event that is not JSON, or not of the shape that the wire promises."""


class Decoder(Generic[T]):
    """Decodes one type. Nulls and unknown fields are the type's business: every field that we read may be absent."""

    def __init__(self, shape: type[T]) -> None:
        self._shape = shape
        self._decoder: msgspec.json.Decoder[T] = msgspec.json.Decoder(shape, strict=False)

    def decode(self, data: bytes) -> T:
        """Raises Malformed."""
        try:
            return self._decoder.decode(data)
        except (ValueError, RecursionError):
            try:
                return msgspec.convert(loads(data), self._shape, strict=False)
            except (ValueError, RecursionError):
                raise Malformed("an event is not the JSON that this API promises") from None


def loads(data: bytes | str) -> Any:
    """Any JSON. Raises ValueError.

    Invalid UTF-8 and half surrogate pairs (an emoji that a server cut in two) become U+FFFD, as in a browser
    (WHATWG Encoding): what is made of them can always be encoded.
    """
    text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
    try:
        return _mended(json.loads(text, parse_constant=_finite, parse_float=_finite))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def parsed(data: bytes) -> Any:
    """Any JSON; None where it is none."""
    try:
        return loads(data)
    except ValueError:
        return None


def _finite(number: str) -> float:
    """NaN and infinities are not JSON, though the parser takes them, and a number of 400 digits for one of them."""
    value = float(number)
    if not math.isfinite(value):
        raise ValueError("not a finite number")
    return value


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_mended(item) for item in value]
    if isinstance(value, dict):
        return {_mended(key): _mended(item) for key, item in value.items()}
    return value


def mapping(value: object) -> dict[str, Any]:
    """`value` if it is a JSON object, else an empty one: for corners that servers fill as they like."""
    return value if isinstance(value, dict) else {}


def text(value: object) -> str:
    """`value` if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def count(value: object) -> int | None:
    """`value` if it is a number of tokens, else None."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 2**53:
        return int(value)
    return None
