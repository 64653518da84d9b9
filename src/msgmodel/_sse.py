"""Bytes to server-sent events and back, by the WHATWG HTML standard, section "Server-sent events".

Rules: lines end at CR, LF or CRLF and nowhere else, so bytes are split, never text. A BOM is dropped. An event is
handed on at its blank line. What stands after the last blank line is handed on at the end with `whole` false: the
standard discards it, one provider (Gemini) omits the last blank line, and only the wire knows which. Pure.

What we write keeps to what every reader takes: one line of JSON, without the characters at which some break lines.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

LIMIT = 32 * 1024 * 1024
"""Bytes that one event may have. Generated images come as several MB of base64."""

STRAY_LIMIT = 64 * 1024

_BREAKS = ((b"\xe2\x80\xa8", rb"\u2028"), (b"\xe2\x80\xa9", rb"\u2029"), (b"\xc2\x85", rb"\u0085"))
_encoder = msgspec.json.Encoder()

_BOM = b"\xef\xbb\xbf"
_IGNORED = (b"", b"event", b"id", b"retry")  # comments start with the colon; the type is in the JSON of every wire


class Frame(NamedTuple):
    """One event. `data` is its data lines joined by LF."""

    data: bytes
    whole: bool = True


class TooLarge(Exception):
    """An event is larger than the limit."""


class Decoder:
    """Feed it bytes in any pieces; it returns the events that became whole."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.stray = b""
        """Text that belongs to no field, such as a bare JSON error or an HTML page; the first 64 KiB of it."""
        self._limit = limit
        self._line = bytearray()
        self._data: bytearray | None = None
        self._start = True
        self._after_cr = False

    def feed(self, chunk: bytes) -> list[Frame]:
        """Returns the events whose blank line is in `chunk`. Raises TooLarge."""
        if self._after_cr and chunk:
            self._after_cr = False
            if chunk[0] == 0x0A:
                chunk = chunk[1:]
        if b"\r" in chunk:
            self._after_cr = chunk[-1] == 0x0D
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        head, *rest = chunk.split(b"\n")
        self._line += head
        frames: list[Frame] = []
        if rest:
            tail = rest.pop()
            self._take(bytes(self._line), frames)
            for line in rest:
                self._take(line, frames)
            self._line = bytearray(tail)
        if len(self._line) + len(self._data or b"") > self._limit:
            raise TooLarge(f"one event is larger than {self._limit} bytes")
        return frames

    def eof(self) -> list[Frame]:
        """Returns the unterminated event at the end of the body, if there is one."""
        frames: list[Frame] = []
        if self._line:
            self._take(bytes(self._line), frames)
            self._line.clear()
        if self._data is not None:
            frames.append(Frame(bytes(self._data), whole=False))
            self._data = None
        return frames

    def _take(self, line: bytes, frames: list[Frame]) -> None:
        if self._start:
            self._start = False
            line = line.removeprefix(_BOM)
        if line.startswith(b"data:"):
            self._add(line[6:] if line[5:6] == b" " else line[5:])
        elif not line:
            if self._data is not None:
                frames.append(Frame(bytes(self._data)))
                self._data = None
        elif line == b"data":
            self._add(b"")
        elif line.partition(b":")[0] not in _IGNORED and len(self.stray) < STRAY_LIMIT:
            self.stray += line[: STRAY_LIMIT - len(self.stray)] + b"\n"

    def _add(self, data: bytes) -> None:
        if self._data is None:
            self._data = bytearray(data)
        else:
            self._data += b"\n" + data


def line(obj: object) -> bytes:
    """An object as one line of JSON."""
    written = _encoder.encode(obj)
    if b"\xe2\x80" in written or b"\xc2\x85" in written:
        for character, escape in _BREAKS:
            written = written.replace(character, escape)
    return written
