"""A large event as one line of JSON, encoded in pieces, so that other streams have their turn in between.

Rule: the line equals the one of `encode_json_line`, byte by byte.
"""

from __future__ import annotations

import asyncio
import re
from secrets import token_hex
from typing import Any

from ..events import BatchEvent
from ..wires.sse import encode_json_line

LARGE_TEXT_CHARS = 64 * 1024
"""Characters from which a text is encoded by itself. A text that an event contains twice is encoded once."""

PIECE_CHARS = 256 * 1024
"""Characters of a text that are encoded at a time, in less than a millisecond."""

MAX_WALKED_VALUES = 1000
"""A longer list or dict is encoded as it is: it has many small values, and a walk over them would take longer."""


async def encode_large_event(event: BatchEvent) -> bytes:
    """Return the event as one line of JSON."""
    mark = token_hex(16)  # no text contains it
    texts: dict[str, str] = {}
    skeleton = encode_json_line(_with_marks(event, mark, texts))
    first, *others = re.split(b'"%b:([0-9]+)"' % re.escape(mark.encode()), skeleton)
    parts: list[bytes] = [first]
    encoded: dict[bytes, list[bytes]] = {}
    for number, text in enumerate(texts.values()):
        encoded[b"%d" % number] = pieces = []
        for begin in range(0, len(text), PIECE_CHARS):
            pieces.append(encode_json_line(text[begin : begin + PIECE_CHARS])[1:-1])
            await asyncio.sleep(0)
    for number_of_text, after in zip(others[::2], others[1::2], strict=True):
        parts += [b'"', *encoded[number_of_text], b'"', after]
    return b"".join(parts)


def _with_marks(value: Any, mark: str, texts: dict[str, str]) -> Any:
    """Return a value with a mark in the place of each large text, and add those texts to `texts` by their marks."""
    if isinstance(value, str):
        if len(value) < LARGE_TEXT_CHARS:
            return value
        known = next((name for name, text in texts.items() if text is value), None)
        name = known or f"{mark}:{len(texts)}"
        texts[name] = value
        return name
    if isinstance(value, dict) and len(value) <= MAX_WALKED_VALUES:
        return {key: _with_marks(each, mark, texts) for key, each in value.items()}
    if isinstance(value, list) and len(value) <= MAX_WALKED_VALUES:
        return [_with_marks(each, mark, texts) for each in value]
    return value
