"""Places that a provider counts in its own text, to places in the text of the panel. Pure.

The panel's text has the text of earlier responses before it, and blank lines between blocks.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_STEP = 1024
"""Characters between two marks: a place is counted from the last mark before it, not from the beginning."""


class _Mark(NamedTuple):
    """The beginning of some characters of the provider."""

    counted: int
    """What the provider counted before them."""
    place: int
    """Characters of the panel's text before them."""
    piece: int
    offset: int
    """In that piece."""


class TextPlaces:
    """Finds places in the text of one response. It reads each piece once, however many places are asked for."""

    def __init__(self, first_piece: int, place: int, *, in_bytes: bool) -> None:
        """Begin.

        Args:
            first_piece: The number of the first piece of the response.
            place: Characters before it.
            in_bytes: Whether the provider counts the bytes of UTF-8, not characters.
        """
        self._in_bytes = in_bytes
        self._marks: list[_Mark] = [_Mark(0, place, first_piece, 0)]
        self._end = self._marks[0]
        """The end of what was read."""

    def find(
        self, pieces: Sequence[str], inserted: Mapping[int, int], start: int, end: int, quote: str
    ) -> tuple[int, int] | None:
        """Return the place of a citation; None if it is not within the text, or other words stand there.

        Args:
            pieces: The text of the panel. More pieces may have come since the last call, but no others.
            inserted: How many characters at the beginning of a piece are not the provider's.
            start: Where the citation begins, as the provider counts.
            end: Where it ends.
            quote: The words that stand there; "" if the provider does not say.
        """
        self._read_new_pieces(pieces, inserted)
        if not 0 <= start < end <= self._end.counted:
            return None
        first, last = self._locate(pieces, inserted, start), self._locate(pieces, inserted, end, is_end=True)
        if quote and quote != _slice(pieces, first, last):
            return None
        return first.place, last.place

    def _read_new_pieces(self, pieces: Sequence[str], inserted: Mapping[int, int]) -> None:
        end = self._end
        for number in range(end.piece, len(pieces)):
            text, skipped = pieces[number], inserted.get(number, 0)
            for at in range(skipped, len(text), _STEP):
                begin = _Mark(end.counted, end.place + (skipped if at == skipped else 0), number, at)
                if begin.place - self._marks[-1].place >= _STEP:
                    self._marks.append(begin)
                step = text[at : at + _STEP]
                end = _Mark(begin.counted + self._count(step), begin.place + len(step), number, at + len(step))
        self._end = end._replace(piece=len(pieces), offset=0)

    def _locate(
        self, pieces: Sequence[str], inserted: Mapping[int, int], counted: int, *, is_end: bool = False
    ) -> _Mark:
        """Return the mark of a count. Between two blocks a citation ends before the blank line, and begins after it."""
        at = bisect_right(self._marks, counted - is_end, key=lambda mark: mark.counted) - 1
        before, place, number, offset = self._marks[max(at, 0)]
        while True:
            text = pieces[number]
            if offset == 0 and (skipped := inserted.get(number, 0)):
                offset, place = skipped, place + skipped
            step = text[offset : offset + _STEP]
            length = self._count(step)
            if counted < before + length or (is_end and counted == before + length):
                characters = self._characters(step, counted - before)
                return _Mark(counted, place + characters, number, offset + characters)
            before, place, offset = before + length, place + len(step), offset + len(step)
            if offset >= len(text):
                number, offset = number + 1, 0

    def _count(self, text: str) -> int:
        return len(text.encode()) if self._in_bytes and not text.isascii() else len(text)

    def _characters(self, text: str, counted: int) -> int:
        if not self._in_bytes or text.isascii():
            return counted
        return len(text.encode()[:counted].decode("utf-8", "ignore"))


def _slice(pieces: Sequence[str], first: _Mark, last: _Mark) -> str:
    if first.piece == last.piece:
        return pieces[first.piece][first.offset : last.offset]
    between = pieces[first.piece + 1 : last.piece]
    return "".join((pieces[first.piece][first.offset :], *between, pieces[last.piece][: last.offset]))
