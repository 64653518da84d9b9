"""JSON as providers really send it: decoded strictly and fast, and once more with patience where that fails. Pure."""

from __future__ import annotations

import json
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
            # Invalid UTF-8 and half surrogate pairs (an emoji cut in two by a careless server) are replaced by U+FFFD
            # as a browser does (WHATWG Encoding); everything else fails again.
            try:
                return msgspec.convert(_mended(json.loads(data.decode("utf-8", "replace"))), self._shape, strict=False)
            except (ValueError, RecursionError):
                raise Malformed("an event is not the JSON that this API promises") from None


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
    return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
