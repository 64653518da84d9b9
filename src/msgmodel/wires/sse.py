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
LONG_LINE = 64 * 1024
"""Bytes from which an unfinished line is only appended to: to copy it for each chunk would take quadratic time."""

_BREAKS = ((b"\xe2\x80\xa8", rb"\u2028"), (b"\xe2\x80\xa9", rb"\u2029"), (b"\xc2\x85", rb"\u0085"))
_encoder = msgspec.json.Encoder()

_OTHER_LINE = re.compile(rb"\n[^:\n]")
_BOM = b"\xef\xbb\xbf"
_IGNORED = (b"", b"event", b"id", b"retry")  # a comment has an empty name; every wire has the type in its JSON


class EventTooLarge(Exception):
    """An event is larger than the limit."""


class SseDecoder:
    """Splits a body into events, however its bytes are cut. The data of an event is its data lines, joined by LF.

    Three readers share one grammar, each for a shape of input: `single_event` for a live stream, which brings one event
    at a time; `_split_uniform_events` for a burst of similar events; `_read_lines` for everything else.
    """

    __slots__ = ("_after_cr", "_at_start", "_fault", "_limit", "_open_data", "_open_line", "stray_text")

    def __init__(self, limit: int = LIMIT) -> None:
        self.stray_text = b""
        """The first 64 KiB of text outside of any field, such as a bare JSON error or an HTML page."""
        self._limit = limit
        self._open_line = bytearray()
        self._open_data: bytearray | bytes | None = None
        self._at_start = True
        self._after_cr = False
        self._fault: EventTooLarge | None = None

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
        events, chunk = self._take_uniform_events(chunk)
        if events and not chunk:
            return events
        if b"\r" in chunk:
            self._after_cr = chunk[-1] == 0x0D
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if self._open_data is None and not self._at_start and self._has_only_comments(chunk):
            self._open_line = bytearray(chunk[chunk.rfind(b"\n") + 1 :])
            return events
        head, *lines = chunk.split(b"\n")
        self._open_line += head
        if lines:
            lines.insert(0, bytes(self._open_line))
            # Replaced before the lines are read, so that a large event is never in memory three times.
            self._open_line = bytearray(lines.pop())
            events += self._read_lines(lines)
        if len(self._open_line) + len(self._open_data or b"") > self._limit:
            self._fault = EventTooLarge(f"one event is larger than {self._limit} bytes")
            if not events:
                raise self._fault
        return events

    def _take_uniform_events(self, chunk: bytes) -> tuple[list[bytes], bytes]:
        """Return the events at the start of a chunk if all have one shape, and the bytes after them; else no events."""
        end = b"\r\n" if b"\r" in chunk else b"\n"
        if self._open_data is None and not self._at_start and len(self._open_line) < LONG_LINE and end + end in chunk:
            head, _, tail = (bytes(self._open_line) + chunk).rpartition(end + end)
            if found := _split_uniform_events(head, end):
                self._open_line = bytearray()
                return found, tail
        return [], chunk

    def _has_only_comments(self, chunk: bytes) -> bool:
        """Return whether all complete lines are comments or blank, so that a flood of pings needs no splitting."""
        return (self._open_line or chunk)[:1] in (b":", b"\n") and b"\n" in chunk and not _OTHER_LINE.search(chunk)

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
        if name not in _IGNORED and len(self.stray_text) < STRAY_LIMIT:
            self.stray_text += line[: STRAY_LIMIT - len(self.stray_text)] + b"\n"
        return None


def _split_uniform_events(text: bytes, end: bytes) -> list[bytes] | None:
    """Return the data of events that have one data line each, and either all or none a line with their type before it.

    None means that the text has another shape. Most bursts have this one, and to split at the separator is faster
    than to read each line.

    Args:
        text: Complete events, without the last blank line.
        end: The line end, LF or CRLF.
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
    if breaks != 3 * len(found) - 2:  # the events have several types
        found = [block.partition(end + b"data: ")[2] for block in text.split(end + end) if block[:7] == b"event: "]
    return found if breaks == 3 * len(found) - 2 and all(found) else None


def encode_json_line(obj: object) -> bytes:
    """Return an object as one line of JSON, without characters at which some readers break lines."""
    line = _encoder.encode(obj)
    if not line.isascii() and (b"\xe2\x80" in line or b"\xc2\x85" in line):  # U+2028, U+2029, U+0085
        for character, escape in _BREAKS:
            line = line.replace(character, escape)
    return line
