"""What a continuation repeats of the text before it, taken away while it streams. Pure.

A model that is asked to go on often says its last words again. Rule: text is held back only as long as it may still
be such a repetition, and taken away only where it surely is one: at least three characters from the beginning of a
word, or ten from anywhere. A shorter match is chance, and stays.
"""

from __future__ import annotations

WINDOW = 2_000
"""How many characters of the text before are looked at."""
SURE = 10
SURE_AT_A_WORD = 3


class Overlap:
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
        if len(self._held) < len(self._tail) and self._held in self._tail:
            return ""  # it may become a repeat of the end
        return self.end()

    def end(self) -> str:
        """What is left to hand on: nothing more is held back from here."""
        if not self._open:
            return ""
        held, self._held, self._open = self._held, "", False
        self.removed = self._repeated(held)
        return held[self.removed :]

    def _repeated(self, text: str) -> int:
        for length in range(min(len(text), len(self._tail)), SURE_AT_A_WORD - 1, -1):
            if self._tail.endswith(text[:length]) and (length >= SURE or self._at_a_word(length)):
                return length
        return 0

    def _at_a_word(self, length: int) -> bool:
        """Whether the last so many characters begin where a word does. Scripts without spaces have words anywhere."""
        overlap = self._tail[-length:]
        if not overlap.strip():
            return False
        before = self._tail[-length - 1 : -length]
        return not (before.isalnum() and overlap[0].isalnum()) or ord(overlap[0]) > 0x2E80
