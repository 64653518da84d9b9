"""Remove what a continuation repeats of the text before it, while it streams. Pure.

A model that is asked to go on often writes its last words again. Rule: text is held back only as long as it may still
be such a repetition, and removed only if it certainly is one: complete words of at least three characters, five from
the beginning of a word, or ten from anywhere. A shorter match may be chance, and stays. So does text without letters
(digits, brackets, the line under the head of a table), and text that repeats itself: a list of zeros continues with
a zero.
"""

from __future__ import annotations

GO_ON = (
    "Your answer above was cut off. Go on exactly where it stopped, in the middle of the word if need be. "
    "Repeat nothing and add no remark."
)
COMPARED_CHARACTERS = 2_000
"""How much of the text before is compared."""
CERTAIN_LENGTH = 10
CERTAIN_FROM_WORD_START = 5
CERTAIN_AS_WORDS = 3


class RepetitionFilter:
    """Compares the beginning of a text with the end of the text before it."""

    __slots__ = ("_comparing", "_held_text", "_tail", "removed")

    def __init__(self, text_before: str) -> None:
        self._tail = text_before[-COMPARED_CHARACTERS:]
        self._held_text = ""
        self._comparing = bool(self._tail)
        self.removed = 0
        """Characters removed so far."""

    @property
    def prompt(self) -> str:
        """What the model is asked in words."""
        return GO_ON

    def feed(self, text: str) -> str:
        """Return the text to deliver: what was held back and the next piece, without the repetition."""
        if not self._comparing:
            return text
        self._held_text += text
        if self._held_text in self._tail:
            return ""  # it may become a repeat of the end, and what follows shows whether it ends with a word
        return self.end()

    def end(self) -> str:
        """Return what is left to deliver, and hold back nothing from here."""
        if not self._comparing:
            return ""
        held, self._held_text, self._comparing = self._held_text, "", False
        self.removed = self._count_repeated(held)
        return held[self.removed :]

    def _count_repeated(self, text: str) -> int:
        for length in range(min(len(text), len(self._tail)), CERTAIN_AS_WORDS - 1, -1):
            if self._tail.endswith(text[:length]):
                if self._was_repeated_before(text[:length]):
                    return 0
                if self._is_certain(length, text[length : length + 1]):
                    return length
        return 0

    def _is_certain(self, length: int, after: str) -> bool:
        """Return whether a match of so many characters, followed by `after`, can't be chance."""
        overlap, before = self._tail[-length:], self._tail[-length - 1 : -length]
        if not any(map(str.isalpha, overlap)):
            return False
        ends = length >= CERTAIN_FROM_WORD_START or _may_separate_words(overlap[-1], after)
        return length >= CERTAIN_LENGTH or (_may_separate_words(before, overlap[0]) and ends)

    def _was_repeated_before(self, overlap: str) -> bool:
        """Return whether the text before repeats the overlap: twice at its end, or as equal pieces of the overlap."""
        length = len(overlap)
        again = self._tail.find(overlap, max(0, len(self._tail) - 2 * length), len(self._tail) - 1) >= 0
        return again or any(overlap[piece:] == overlap[:-piece] for piece in range(1, length // 2 + 1))


def _may_separate_words(one: str, other: str) -> bool:
    """Return whether a word may end between two characters. Scripts without spaces have words anywhere."""
    return not (one.isalnum() and other.isalnum()) or ord(other) > 0x2E80
