"""The one framing of native streams. Pure.

Rules: every event has an `id:`, and they count up by one. What only keeps a connection alive is a comment.
"""

from __future__ import annotations

OPENING = b": msgmodel\n\n"
"""Goes first: a proxy that waits for bytes sees some at once."""

COMMENT = b": \n\n"

MEDIA_TYPE = "text/event-stream"

HEADERS = {
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",  # nginx: hand on what comes as it comes
}


def frame(number: int, line: bytes, prefix: bytes = b"") -> bytes:
    """Return an event as server-sent bytes. `line`: its JSON by `encode_json_line`; `prefix` goes before its number."""
    return b"id: %b%d\ndata: %b\n\n" % (prefix, number, line)


def parts(number: int, *line: bytes, prefix: bytes = b"") -> tuple[bytes, ...]:
    """The same in parts, for a line that is too large to be copied for each reader."""
    return b"id: %b%d\ndata: " % (prefix, number), *line, b"\n\n"
