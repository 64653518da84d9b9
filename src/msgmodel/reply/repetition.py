"""What a continuation repeats of the text before it, taken away while it streams. Pure.

A model that is asked to go on often says its last words again. Rule: text is held back only as long as it may still
be such a repetition, and taken away only where it surely is one: whole words of at least three characters, five from
the beginning of a word, or ten from anywhere. A shorter match is chance, and stays. So does what says nothing (digits,
brackets, the line under the head of a table), and what the text before repeats by itself: a list of zeros goes on
with a zero.
"""

from __future__ import annotations

WINDOW = 2_000
"""How many characters of the text before are looked at."""
SURE = 10
SURE_FROM_A_WORD = 5
SURE_IN_WORDS = 3


class RepetitionFilter:
    """Compares the beginning of a text with the end of what was said before it."""

    def __init__(self, said: str) -> None:
        self._tail = said[-WINDOW:]
        self._held = ""
        self._open = bool(self._tail)
        self.removed = 0
        """Characters taken away so far."""

    def feed(self, text: str) -> str:
        """What to hand on of the next piece, and of what was held back before it."""
        if not self._open:
            return text
        self._held += text
        if self._held in self._tail:
            return ""  # it may become a repeat of the end, and what follows tells whether it ends with a word
        return self.end()

    def end(self) -> str:
        """What is left to hand on: nothing more is held back from here."""
        if not self._open:
            return ""
        held, self._held, self._open = self._held, "", False
        self.removed = self._repeated(held)
        return held[self.removed :]

    def _repeated(self, text: str) -> int:
        for length in range(min(len(text), len(self._tail)), SURE_IN_WORDS - 1, -1):
            if self._tail.endswith(text[:length]):
                if self._goes_round(text[:length]):
                    return 0
                if self._sure(length, text[length : length + 1]):
                    return length
        return 0

    def _sure(self, length: int, after: str) -> bool:
        """Whether a match of so many characters, with this one after it, is no chance."""
        overlap, before = self._tail[-length:], self._tail[-length - 1 : -length]
        if not any(map(str.isalpha, overlap)):
            return False
        ends = length >= SURE_FROM_A_WORD or _apart(overlap[-1], after)
        return length >= SURE or (_apart(before, overlap[0]) and ends)

    def _goes_round(self, overlap: str) -> bool:
        """Whether the text had repeated this by itself: it stands right before, or consists of equal pieces."""
        length = len(overlap)
        again = self._tail.find(overlap, max(0, len(self._tail) - 2 * length), len(self._tail) - 1) >= 0
        return again or any(overlap[piece:] == overlap[:-piece] for piece in range(1, length // 2 + 1))


def _apart(one: str, other: str) -> bool:
    """Whether a word may end between two characters. Scripts without spaces have words anywhere."""
    return not (one.isalnum() and other.isalnum()) or ord(other) > 0x2E80
