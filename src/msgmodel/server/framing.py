"""The framing of native streams as server-sent events. Pure.

Rules: every event of the log has an `id:`, and the ids count up by one. Progress is in no log, and has none. A
heartbeat is a comment.
"""

from __future__ import annotations

OPENING = b": msgmodel\n\n"
"""The first bytes of a stream, because some proxies wait for bytes."""

COMMENT = b": \n\n"
"""A heartbeat."""

MEDIA_TYPE = "text/event-stream"

HEADERS = {
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",  # nginx then passes on each piece at once
}


def sse_frame(number: int, line: bytes, prefix: bytes = b"") -> bytes:
    """Return an event as server-sent bytes. `line`: its JSON by `encode_json_line`; `prefix` goes before its number."""
    return b"id: %b%d\ndata: %b\n\n" % (prefix, number, line)


def unnumbered_frame(line: bytes) -> bytes:
    """Return an event that is in no log. It has no id, so a client that comes back asks for what follows the last one.

    `line`: its JSON by `encode_json_line`.
    """
    return b"data: %b\n\n" % line


def sse_frame_parts(number: int, *line: bytes, prefix: bytes = b"") -> tuple[bytes, ...]:
    """Return the same in parts, for a line that is too large to copy for each reader."""
    return b"id: %b%d\ndata: " % (prefix, number), *line, b"\n\n"
