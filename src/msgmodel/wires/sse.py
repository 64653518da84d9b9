"""Bytes to server-sent events and back, by the WHATWG HTML standard, section "Server-sent events".

Rules: lines end at CR, LF or CRLF and nowhere else, so bytes are split, never text. A BOM is dropped. An event is
handed on at its blank line. What stands after the last blank line is handed on at the end, by `eof`: the standard
discards it, one provider (Gemini) omits the last blank line, and only the wire knows which. Pure.

What we write keeps to what every reader takes: one line of JSON, without the characters at which some break lines.
"""

from __future__ import annotations

import re

import msgspec

LIMIT = 32 * 1024 * 1024
"""Bytes that one event may have. Generated images come as several MB of base64."""

STRAY_LIMIT = 64 * 1024
LONG_LINE = 64 * 1024
"""Bytes of a line that has begun from which it is not copied more often than it must be."""

_BREAKS = ((b"\xe2\x80\xa8", rb"\u2028"), (b"\xe2\x80\xa9", rb"\u2029"), (b"\xc2\x85", rb"\u0085"))
_encoder = msgspec.json.Encoder()

_OTHER_LINE = re.compile(rb"\n[^:\n]")
_BOM = b"\xef\xbb\xbf"
_IGNORED = (b"", b"event", b"id", b"retry")  # comments start with the colon; the type is in the JSON of every wire


class EventTooLarge(Exception):
    """An event is larger than the limit."""


class SseDecoder:
    """Feed it bytes in any pieces; it returns the events that became whole: of each its data lines, joined by LF."""

    __slots__ = ("_after_cr", "_data", "_fault", "_limit", "_line", "_start", "stray")

    def __init__(self, limit: int = LIMIT) -> None:
        self.stray = b""
        """Text that belongs to no field, such as a bare JSON error or an HTML page; the first 64 KiB of it."""
        self._limit = limit
        self._line = bytearray()
        self._data: bytearray | bytes | None = None
        self._start = True
        self._after_cr = False
        self._fault: EventTooLarge | None = None

    def one(self, chunk: bytes) -> bytes | None:
        """The data of a chunk that is one event, with one line of it and at most a line with its type before. None for
        any other chunk, which `feed` takes.

        What a stream that is slow brings at once is like this.
        """
        if self._start or self._line or self._after_cr or self._data is not None:
            return None
        at = 6
        if not chunk.startswith(b"data: "):
            at = chunk.find(b"\n") + 7
            if not (chunk.startswith(b"event: ") and chunk.startswith(b"data: ", at - 6)):
                return None
        end = chunk.find(b"\n", at)
        if end + 2 == len(chunk):
            return chunk[at:end] if chunk.endswith(b"\n\n") and b"\r" not in chunk else None
        crlf = end + 3 == len(chunk) and chunk.endswith(b"\r\n\r\n") and chunk.find(b"\r") == end - 1
        return chunk[at : end - 1] if crlf else None

    def feed(self, chunk: bytes) -> list[bytes]:
        """Returns the data of the events whose blank line is in `chunk`.

        Raises TooLarge, once the events before the one that is too large are handed on.
        """
        if self._fault is not None:
            raise self._fault
        if (data := self.one(chunk)) is not None:
            return [data]
        if self._after_cr and chunk:
            self._after_cr = False
            if chunk[0] == 0x0A:
                chunk = chunk[1:]
        if self._start and chunk and not self._line:
            self._start = chunk[0] == _BOM[0]
        events: list[bytes] = []
        end = b"\r\n" if b"\r" in chunk else b"\n"
        if self._data is None and not self._start and len(self._line) < LONG_LINE and end + end in chunk:
            head, _, tail = (bytes(self._line) + chunk).rpartition(end + end)
            if found := _alike(head, end):
                self._line = bytearray()
                if not tail:
                    return found
                events, chunk = found, tail
        if b"\r" in chunk:
            self._after_cr = chunk[-1] == 0x0D
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if self._data is None and not self._start and self._says_nothing(chunk):
            self._line = bytearray(chunk[chunk.rfind(b"\n") + 1 :])
            return events
        head, *lines = chunk.split(b"\n")
        self._line += head
        if lines:
            lines.insert(0, bytes(self._line))
            self._line = bytearray(lines.pop())  # at once: a large event is never there three times
            events += self._events(lines)
        if len(self._line) + len(self._data or b"") > self._limit:
            self._fault = EventTooLarge(f"one event is larger than {self._limit} bytes")
            if not events:
                raise self._fault
        return events

    def _says_nothing(self, chunk: bytes) -> bool:
        """Tell whether all lines that end in it are comments or blank: a flood of pings costs no look at each."""
        return (self._line or chunk)[:1] in (b":", b"\n") and b"\n" in chunk and not _OTHER_LINE.search(chunk)

    @property
    def pending(self) -> bool:
        """Whether an event has begun that is not handed on."""
        return self._data is not None or bool(self._line)

    def eof(self) -> list[bytes]:
        """Returns the data of the unterminated event at the end of the body, if there is one. Raises TooLarge."""
        if self._fault is not None:
            raise self._fault
        if self._line:
            self._events([bytes(self._line)])
            self._line.clear()
        data, self._data = self._data, None
        return [] if data is None else [bytes(data)]

    def _events(self, lines: list[bytes]) -> list[bytes]:
        if self._start:
            self._start = False
            lines[0] = lines[0].removeprefix(_BOM)
        data, events = self._data, []
        for line in lines:
            if line.startswith(b"data: "):  # nearly every line is this one, or blank
                value: bytes | None = line[6:]
            elif not line:
                if data is not None:
                    events.append(bytes(data))
                    data = None
                continue
            elif line.startswith(b"event:"):
                continue
            else:
                value = self._value(line)
            if data is None:
                data = value
            elif value is not None:
                data = bytearray(data) if isinstance(data, bytes) else data
                data += b"\n" + value
        self._data = data
        return events

    def _value(self, line: bytes) -> bytes | None:
        """Of a data field; None of any other."""
        name, _, value = line.partition(b":")
        if name == b"data":
            return value
        if name not in _IGNORED and len(self.stray) < STRAY_LIMIT:
            self.stray += line[: STRAY_LIMIT - len(self.stray)] + b"\n"
        return None


def _alike(text: bytes, end: bytes) -> list[bytes] | None:
    """The data of events that have one line of it each, and before it all a line with their type or all none. None for
    any other text. `end`: of a line.

    Nearly all that comes at once is like this, and then no line needs to be looked at.
    """
    at = text.find(b"data: ") + 6
    start = text[:at]
    if at != 6 and not (start.startswith(b"event: ") and start.endswith(end + b"data: ")):
        return None
    breaks = text.count(b"\n")
    if len(end) > 1 and text.count(b"\r") != breaks:
        return None
    found = text[at:].split(end + end + start)
    if at == 6:
        return found if breaks == 2 * len(found) - 2 else None
    if breaks != 3 * len(found) - 2:  # of several types
        found = [block.partition(end + b"data: ")[2] for block in text.split(end + end) if block[:7] == b"event: "]
    return found if breaks == 3 * len(found) - 2 and all(found) else None


def encode_json_line(obj: object) -> bytes:
    """An object as one line of JSON."""
    written = _encoder.encode(obj)
    if not written.isascii() and (b"\xe2\x80" in written or b"\xc2\x85" in written):
        for character, escape in _BREAKS:
            written = written.replace(character, escape)
    return written
