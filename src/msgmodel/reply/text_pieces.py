"""The pieces of a growing text, and the memory that they take. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

PIECE_BYTES = 32
"""What a piece of text costs besides itself: its places in lists."""

_WIDE_HEADER = "\xe9".__sizeof__() - 2
"""What a string takes besides its characters, and the one after them, if it is not all ASCII."""


class TextPieces:
    """The pieces of a text, and the memory that it takes in pieces and joined: at the end there are both.

    A joined text has as many bytes for each character as its widest character needs, so one emoji makes it four times
    as large.
    """

    __slots__ = ("_counted", "most_overhead", "pieces", "width")

    def __init__(self, pieces: Iterable[str] = (), width: int = 1) -> None:
        self.pieces = [*pieces]
        self._counted = 0, 0
        """A number of pieces, and how many characters they have together."""
        self.width = width
        """Bytes of each character of the joined text: 1, 2 or 4."""
        self.most_overhead = width + _WIDE_HEADER
        """A piece that takes more bytes beyond those of its characters is wider than all before it (PEP 393)."""

    def append(self, text: str) -> int:
        """Keep a piece, and return the bytes that it takes."""
        size = text.__sizeof__()
        joined = len(text) * self.width
        self.pieces.append(text)
        if size > joined + self.most_overhead:
            joined += self.widen(text, size)
        return size + joined + PIECE_BYTES

    def widen(self, text: str, size: int) -> int:
        """Return the bytes that all pieces take more, once they are joined with this one of so many bytes."""
        before = self.width
        self.width = 2 if size - _WIDE_HEADER <= 2 * (len(text) + 1) else 4
        self.most_overhead = self.width + _WIDE_HEADER
        return (self.width - before) * sum(map(len, self.pieces))

    def copy(self) -> TextPieces:
        """Return another one that grows by itself."""
        return TextPieces(self.pieces, self.width)

    def count_characters(self, pieces: int) -> int:
        """Return how many characters so many pieces have together. To ask for ever more costs the text once."""
        counted, characters = self._counted if self._counted[0] <= pieces else (0, 0)
        characters += sum(map(len, islice(self.pieces, counted, pieces)))
        self._counted = pieces, characters
        return characters

    def ends_in_space(self) -> bool:
        """Return whether the text is empty or ends in white space."""
        return not self.pieces or self.pieces[-1][-1:].isspace()

    def take(self) -> str:
        """Return the joined text, and keep none of it."""
        text = "".join(self.pieces)
        self.pieces = []
        return text
