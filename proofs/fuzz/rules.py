"""Server-sent events, and the rule of success of each wire, written a second time from the specifications alone.

A target uses these rules to judge the results of the library for the same bytes. So they are slow and plain, and share
no code with it. If a server may say something in several ways, they accept every way: they decide what *may* be
complete, and nothing more.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

BOM = b"\xef\xbb\xbf"


class Events(NamedTuple):
    """The events of a body, by the WHATWG HTML standard, section "Server-sent events"."""

    whole: list[bytes]
    """The data of each event that has its blank line."""
    rest: bytes | None
    """The data of what follows the last blank line, its last line taken as ended; None where there is none."""
    largest: int
    """Bytes of the largest event at its largest, as it grew: its data so far, and the line that had not ended."""


def events(body: bytes) -> Events:
    """Read a body byte by byte."""
    whole: list[bytes] = []
    data: list[bytes] = []
    line = bytearray()
    largest = held = 0
    first, after_cr = True, False
    for byte in body:
        if byte == 0x0A and after_cr:
            after_cr = False
            continue
        after_cr = byte == 0x0D
        if byte not in b"\r\n":
            line.append(byte)
            largest = max(largest, held + len(line))
            continue
        said = bytes(line.removeprefix(BOM) if first else line)
        first = False
        line.clear()
        _line(said, data)
        if not said and data:
            whole.append(b"\n".join(data))
            data = []
        held = sum(map(len, data)) + max(0, len(data) - 1)
    if line:
        _line(bytes(line.removeprefix(BOM) if first else line), data)
    return Events(whole, b"\n".join(data) if data else None, largest)


def _line(line: bytes, data: list[bytes]) -> None:
    name, _, value = line.partition(b":")
    if name == b"data":
        data.append(value.removeprefix(b" "))


def may_be_final(wire: str, body: bytes) -> bool:
    """Return whether the bytes of a response, which ended here, may be a reply that ended by the rule of its wire."""
    found = events(body)
    whole = [each for data in found.whole if data.strip() for each in _documents(data)]
    *before, rest = _documents(found.rest or b"")
    return _RULES[wire]([*whole, *before], rest)


def _documents(data: bytes) -> list[Any]:
    """Return the JSON of an event; of each of its lines, if its server ends events with a single line feed."""
    value = _parsed(data)
    if value is None and data.startswith(b"{"):
        return [_parsed(line) for line in data.split(b"\n")]
    return [value]


def _parsed(data: bytes) -> Any:
    if data.startswith(b"[DONE]"):
        return "[DONE]"
    try:
        return json.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def _objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects in a list that may be missing, or may be a single object."""
    return [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, dict)]


def _said(value: Any) -> bool:
    """Return whether this is a word, or a number that means one."""
    return value != "" and isinstance(value, str | int)


def _openai_chat(found: list[Any], rest: Any) -> bool:
    """Each choice has a finish reason, before `[DONE]` if there is one."""
    reasons: dict[Any, bool] = {}
    for event in found:
        if event == "[DONE]":
            break
        for choice in _objects(event.get("choices")) if isinstance(event, dict) else []:
            index = choice.get("index")
            if isinstance(index, str) and index.isdigit() and index.isascii() and len(index) < 9:
                index = int(index)
            index = index if isinstance(index, int) else 0
            reasons[index] = reasons.get(index, False) or _said(choice.get("finish_reason"))
    return bool(reasons) and all(reasons.values())


def _openai_responses(found: list[Any], rest: Any) -> bool:
    """There is a terminal event; the last blank line may be missing."""
    return any(event.get("type") in ("response.completed", "response.incomplete") for event in _objects([*found, rest]))


def _anthropic(found: list[Any], rest: Any) -> bool:
    """There is a stop reason, followed by `message_stop`, whose last blank line may be missing."""
    reason = False
    for event in _objects([*found, rest]):
        delta = event.get("delta")
        if event.get("type") == "message_delta" and isinstance(delta, dict):
            reason = reason or _said(delta.get("stop_reason"))
        if event.get("type") == "message_stop":
            return reason
    return False


def _gemini(found: list[Any], rest: Any) -> bool:
    """The first candidate has a valid finish reason, or the prompt was blocked; the last blank line may be missing."""
    return any(_gemini_reasons(_objects([*found, rest])))


def _gemini_reasons(found: list[dict[str, Any]]) -> Iterator[bool]:
    for event in found:
        for candidate in _objects(event.get("candidates")):
            reason = candidate.get("finishReason")
            yield _said(reason) and reason != "CONTINUATION"
        for feedback in _objects(event.get("promptFeedback")):
            yield _said(feedback.get("blockReason"))


_RULES: dict[str, Callable[[list[Any], Any], bool]] = {
    "openai_chat": _openai_chat,
    "openai_responses": _openai_responses,
    "anthropic": _anthropic,
    "gemini": _gemini,
}
