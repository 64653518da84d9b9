"""Bytes to server-sent events and back, by the WHATWG HTML standard, section "Server-sent events". Pure.

https://html.spec.whatwg.org/multipage/server-sent-events.html

Rules: only CR, LF and CRLF end a line, so the decoder splits bytes, never text. A BOM is dropped. A blank line ends an
event. `eof` returns the data after the last blank line: the standard discards it, but Gemini omits the last blank line,
and only the wire can tell a complete event from a cut one.

We write what every reader accepts: one line of JSON, without the characters at which some readers break lines.
"""

from __future__ import annotations

import re

import msgspec

LIMIT = 32 * 1024 * 1024
"""Maximum bytes of one event. A generated image is several MB of base64."""

STRAY_LIMIT = 64 * 1024
"""Bytes of text outside of any field that are kept."""

_BREAKS = ((b"\xe2\x80\xa8", rb"\u2028"), (b"\xe2\x80\xa9", rb"\u2029"), (b"\xc2\x85", rb"\u0085"))
_encoder = msgspec.json.Encoder()

_OTHER_LINE = re.compile(rb"[\n\r][^:\n\r]")
_BOM = b"\xef\xbb\xbf"
_IGNORED = (b"", b"event", b"id", b"retry")  # a comment has an empty name; every wire has the type in its JSON


class EventTooLarge(Exception):
    """An event is larger than the limit."""


class SseDecoder:
    """Splits a body into events, however its bytes are cut. The data of an event is its data lines, joined by LF.

    Three readers share one grammar: `single_event` for a live stream, which brings one event at a time; `_split_burst`
    for many alike that arrive together; `_read_lines` for everything else.
    """

    __slots__ = ("_after_cr", "_at_start", "_fault", "_limit", "_open_data", "_open_line", "_stray", "_stray_limit")

    def __init__(self, limit: int = LIMIT) -> None:
        self._stray = bytearray()
        self._stray_limit = STRAY_LIMIT
        self._limit = limit
        self._open_line = bytearray()
        self._open_data: bytearray | bytes | None = None
        self._at_start = True
        self._after_cr = False
        self._fault: EventTooLarge | None = None

    @property
    def stray_text(self) -> bytes:
        """The text outside of any field, such as a bare error or an HTML page: its first 64 KiB, or as much as an event
        may have if it may be a JSON document."""
        return bytes(self._stray)

    @property
    def stray_bytes(self) -> int:
        """Length of that text."""
        return len(self._stray)

    def single_event(self, chunk: bytes) -> bytes | None:
        """Return the data of a chunk that is exactly one event with one data line, after at most a line with its type.

        None means that `feed` must read the chunk. Nearly every chunk of a live stream has this shape.
        """
        if self._at_start or self._open_line or self._after_cr or self._open_data is not None:
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
        """Return the data of the events whose blank line is in `chunk`.

        Raises:
            EventTooLarge: An event is larger than the limit. If the same chunk completes earlier events, they are
                returned first, and the next call raises.
        """
        if self._fault is not None:
            raise self._fault
        if (data := self.single_event(chunk)) is not None:
            return [data]
        if self._after_cr and chunk:
            self._after_cr = False
            if chunk[0] == 0x0A:
                chunk = chunk[1:]
        if self._at_start and chunk and not self._open_line:
            self._at_start = chunk[0] == _BOM[0]
        if b"\r" in chunk:
            self._after_cr = chunk[-1] == 0x0D
        first, burst, rest = _split_burst(chunk)
        events = self._read_piece(first)
        if burst:
            events += burst
            events += self._read_piece(rest)
        if len(self._open_line) + len(self._open_data or b"") > self._limit:
            self._fault = EventTooLarge(f"one event is larger than {self._limit} bytes")
            if not events:
                raise self._fault
        return events

    def _read_piece(self, piece: bytes) -> list[bytes]:
        if self._open_data is None and not self._at_start and self._has_only_comments(piece):
            self._open_line = bytearray(piece[max(piece.rfind(b"\n"), piece.rfind(b"\r")) + 1 :])
            return []
        head, *lines = _split_lines(piece)
        self._open_line += head
        if not lines:
            return []
        lines.insert(0, bytes(self._open_line))
        # Replaced before the lines are read, so that a large event is never in memory three times.
        self._open_line = bytearray(lines.pop())
        return self._read_lines(lines)

    def _has_only_comments(self, chunk: bytes) -> bool:
        """Return whether all complete lines are comments or blank, so that a flood of pings needs no splitting."""
        is_one = (self._open_line or chunk)[:1] in (b":", b"\n", b"\r")
        return is_one and (b"\n" in chunk or b"\r" in chunk) and not _OTHER_LINE.search(chunk)

    @property
    def pending_bytes(self) -> int:
        """Bytes of the event that has begun and was not returned."""
        return len(self._open_line) + len(self._open_data or b"")

    @property
    def has_pending_data(self) -> bool:
        """Whether an event has begun that was not returned."""
        return self._open_data is not None or bool(self._open_line)

    def eof(self) -> list[bytes]:
        """Return the data of the unterminated event at the end of the body, if there is one. Raises EventTooLarge."""
        if self._fault is not None:
            raise self._fault
        if self._open_line:
            self._read_lines([bytes(self._open_line)])
            self._open_line.clear()
        data, self._open_data = self._open_data, None
        return [] if data is None else [bytes(data)]

    def _read_lines(self, lines: list[bytes]) -> list[bytes]:
        if self._at_start:
            self._at_start = False
            lines[0] = lines[0].removeprefix(_BOM)
        data, events = self._open_data, []
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
                value = self._read_data_field(line)
            if data is None:
                data = value
            elif value is not None:
                data = bytearray(data) if isinstance(data, bytes) else data
                data += b"\n" + value
        self._open_data = data
        return events

    def _read_data_field(self, line: bytes) -> bytes | None:
        """Return the value of a data field; None for any other line, whose text may be kept as stray."""
        name, _, value = line.partition(b":")
        if name == b"data":
            return value
        if name not in _IGNORED and len(self._stray) < self._stray_limit:
            if not self._stray and line.lstrip().startswith((b"{", b"[")):
                self._stray_limit = self._limit  # it may be the whole reply of a server that does not stream
            self._stray += line[: self._stray_limit - len(self._stray)] + b"\n"
        return None


def _split_burst(chunk: bytes) -> tuple[bytes, list[bytes], bytes]:
    """Return the bytes to the first blank line, the data of the events between it and the last one, and what follows.

    Only if these events are alike: each has one data line, and before it the same line with their type, or none. To
    split them at what stands between takes a third of the time of reading their lines. Else the chunk is all first.
    """
    if b"\n" not in chunk:  # a piece of a large event, in which a search for two bytes is slow
        return chunk, [], b""
    line_end = b"\r\n" if b"\r" in chunk else b"\n"
    first, last = chunk.find(2 * line_end) + 2 * len(line_end), chunk.rfind(2 * line_end)
    at = chunk.find(b"data: ", first, last) + 6
    start = chunk[first:at]
    *before, name = start.splitlines() or [b""]
    if first < last and name == b"data: " and (not before or (len(before) == 1 and before[0].startswith(b"event:"))):
        events = chunk[at:last].split(2 * line_end + start)
        text = b"".join(events)
        if b"\n" not in text and b"\r" not in text:
            return chunk[:first], events, chunk[last:]
    return chunk, [], b""


def _split_lines(chunk: bytes) -> list[bytes]:
    """Return the lines of a chunk without their ends. The last one is unfinished, and empty after a line end."""
    if b"\r" not in chunk:
        return chunk.split(b"\n")
    lines = chunk.splitlines()  # bytes are split at CR, LF and CRLF alone, as the standard has it
    return [*lines, b""] if chunk.endswith((b"\n", b"\r")) else lines


def encode_json_line(obj: object) -> bytes:
    """Return an object as one line of JSON, without characters at which some readers break lines."""
    line = _encoder.encode(obj)
    if not line.isascii() and (b"\xe2\x80" in line or b"\xc2\x85" in line):  # U+2028, U+2029, U+0085
        for character, escape in _BREAKS:
            line = line.replace(character, escape)
    return line
