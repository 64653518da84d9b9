"""The lines of a stream that a process has read from Redis, and what they lack if their producer is gone."""

from __future__ import annotations

import json

from ...wires.sse import encode_json_line
from ..log import PAGE_BYTES, Lines
from ..transcript import Transcript


class SharedLines:
    """What the readers of one stream in this process have read, in one copy for all of them."""

    def __init__(self, lines: dict[int, bytes] | None = None) -> None:
        self._lines = lines or {}

    def share_lines(self, number: int, lines: list[bytes], whole: bool) -> SharedLines:
        """Replace the lines in place by the equal ones that another reader has as its own.

        number: of the first line. whole: share the small ones, too. Return what the reader goes on with: these shared
        lines, or new ones from the line on that differs from another reader's. Such a line has the number of one that
        Redis lost when it went back to an old copy: the reader who has read the lost one keeps it.
        """
        shared = self
        for index, each in enumerate(lines):
            if whole or len(each) > PAGE_BYTES:
                known = shared._lines.setdefault(number + index, each)
                if known is not each and known != each:
                    shared = shared._copy_until(number + index)
                    known = shared._lines.setdefault(number + index, each)
                lines[index] = known
        return shared

    def _copy_until(self, number: int) -> SharedLines:
        """Return a copy that holds the lines before this number."""
        return SharedLines({known: line for known, line in self._lines.items() if known < number})

    def first_lines(self, count: int) -> list[bytes]:
        """Return the first `count` lines, all of which a reader has shared."""
        return [self._lines[number] for number in range(1, count + 1)]


def is_terminal(lines: Lines) -> bool:
    """Return whether the last of these lines may be the end of its stream."""
    return any(word in lines.lines[-1] for word in (b'"panel_final"', b'"panel_error"', b'"batch_final"'))


def missing_ends(lines: list[bytes], panel_ids: tuple[str, ...] = ()) -> list[bytes]:
    """Return the terminal events, and the summary, that these lines of a stream lack at their end."""
    panels = Transcript(panel_ids)
    summed = False
    for each in lines:
        event = json.loads(each)
        summed = summed or event["event"] == "batch_final"
        panels.add_event(event)
    ends: list[bytes] = [
        encode_json_line(end)
        for end in panels.missing_ends("interrupted", "the worker that produced the reply is gone")
    ]
    if len(panel_ids) > 1 and not summed:
        ends.append(encode_json_line(panels.make_summary()))
    return ends
