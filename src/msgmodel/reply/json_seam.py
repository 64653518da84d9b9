"""Joins a continuation to JSON that a limit cut, while it streams. Pure.

The model is asked to begin with the last characters of its text, the anchor: an overlap that was asked for is certain,
and no word is cut in two. Models also go exactly on, write some last words again, begin again from the start, or put
the rest into a new code fence, sometimes after a remark. Rule: text is held back only as long as more than one of these
is possible; the grammar of JSON decides, and if it allows two, the certainty of the repetition (see `repetition`). What
is delivered continues the text that was shown, so that the value is always the one that the joined text says.
"""

from __future__ import annotations

import re

from ..output.json_reader import JsonReader
from .repetition import COMPARED_CHARACTERS, RepetitionFilter

GO_ON_IN_JSON = (
    "Your JSON above was cut off by a limit. Write the rest of it, to its end, without a code fence or a remark."
    " Begin with exactly these last characters of it, and go on directly behind them:\n\n"
)
"""What the model is asked; the anchor follows."""
LOOKAHEAD = 64
"""Characters that are read before a short match is taken for chance, and a first line for no remark."""
ANCHOR_CHARACTERS = 24
LONGEST_ANCHOR = 300
"""An anchor grows until it occurs only once, so that a list of zeros does not contain it by chance."""
LONGEST_REMARK = 500
"""Characters before a code fence in which a model announces the rest."""
CERTAIN_IN_JSON = 8
"""Characters of a repetition that is certain in JSON, also without letters: two or three numbers of a list."""

LONG_NUMBER = 3
"""Characters of a number that are not written twice by chance."""

_FENCE = re.compile(r"\s*`{3,}[A-Za-z0-9+.-]*[ \t]*\r?\n")
_FENCE_SO_FAR = re.compile(r"\s*(`{1,2}|`{3,}[A-Za-z0-9+.-]{0,20}[ \t]*\r?)?")
_LATER_FENCE = re.compile(r"(?:^|\n)[ \t]*`{3,}[A-Za-z0-9+.-]*[ \t]*\r?\n")
_BLANKS = " \t\r\n"
_BEFORE_WORDS = ' \t\r\n,:{}[]"'


class JsonSeam(RepetitionFilter):
    """Compares the beginning of a continuation with the JSON before it.

    Args:
        reader: Reads the JSON of the reply, and the text that this filter returns after it.
        text_before: The text of the reply so far.
    """

    __slots__ = ("_after", "_at_start", "_is_over", "_open_number", "_reader", "_start", "anchor")

    def __init__(self, reader: JsonReader, text_before: str) -> None:
        super().__init__(text_before)
        self._reader = reader
        self._after = reader.fork()
        """A reader after the text before: its forks try what may follow."""
        self._is_over = reader.is_closed
        self._open_number = "" if reader.open_word[:1].isalpha() else reader.open_word
        self.anchor = find_anchor(text_before)
        """What the model is to begin with."""
        self._start = _FENCE.sub("", text_before, count=1).lstrip(_BLANKS)
        self._at_start = 0
        """Characters of the held text that are the beginning of the reply; -1 if it is another text."""

    @property
    def prompt(self) -> str:
        """What the model is asked in words."""
        return GO_ON_IN_JSON + self.anchor

    def feed(self, text: str) -> str:
        """Return the text to deliver: what was held back and the next piece, without what joins it to the JSON."""
        if self._is_over:
            self.removed += len(text)
            return ""  # the value was complete before the limit
        if not self._comparing:
            return text
        self._held_text += text
        if self._begins_again(text):
            return ""
        return self._deliver(self._characters_to_drop(is_end=False))

    def end(self) -> str:
        """Return what is left to deliver, and hold back nothing from here."""
        if not self._comparing or self._is_over:
            return ""
        return self._deliver(self._characters_to_drop(is_end=True))

    def _deliver(self, dropped: int | None) -> str:
        if dropped is None:
            return ""
        held, self._held_text, self._comparing = self._held_text, "", False
        self.removed = dropped
        return held[dropped:]

    def _begins_again(self, text: str) -> bool:
        """Return whether the held text, which is long, is still the beginning of the reply. Costs the new text only."""
        if len(self._held_text) <= COMPARED_CHARACTERS:
            return False
        if self._at_start == 0:
            fence = _FENCE.match(self._held_text)
            text = self._held_text[fence.end() if fence else 0 :].lstrip(_BLANKS)
        if self._at_start >= 0 and self._start.startswith(text, self._at_start):
            self._at_start += len(text)
            return True
        self._at_start = -1
        return False

    def _characters_to_drop(self, *, is_end: bool) -> int | None:
        """Return how many characters of the held text repeat what is there; None to wait for more."""
        held = self._held_text
        if not is_end and _FENCE_SO_FAR.fullmatch(held):
            return None
        if fence := _FENCE.match(held):
            self._reader.had_fence = self._after.had_fence = True
        start = fence.end() if fence else 0
        if self._after.in_string or self._after.open_word:
            start += _leading(held[start:], "\r\n" if self._after.in_string else _BLANKS)
        found = self._overlap(held[start:], is_end=is_end)
        if found is None or found >= 0:
            return found if found is None else start + found
        later = _LATER_FENCE.search(held)
        if later is None or later.start() < start:
            return None if not is_end and len(held) < LONGEST_REMARK else start
        self._reader.had_fence = self._after.had_fence = True
        found = self._overlap(held[later.end() :], is_end=is_end)
        return None if found is None else later.end() + max(0, found)

    def _overlap(self, text: str, *, is_end: bool) -> int | None:
        """Return how many characters of a continuation repeat the text before; -1 if it is none, None to wait."""
        if not is_end and (text in self._tail or any(each.startswith(text) for each in (self.anchor, self._start))):
            return None
        for whole in (self.anchor, self._start):
            if text.startswith(whole) and self._may_follow(text[len(whole) :]):
                return len(whole)
        certain = self._count_repeated(text)
        if certain and self._may_follow(text[certain:]):
            return certain
        may_wait = len(text) < LOOKAHEAD and not is_end
        may_be_remark = self._after.in_string and '"' not in text
        goes_on = self._may_follow(text)
        lengths = [length for length in self._matches(text) if self._may_follow(text[length:])]
        if lengths and self._after.has_just_opened and text.lstrip(_BLANKS)[:1] in ("}", "]"):
            return lengths[0]  # an empty object would be valid, but the model has just written "}, {" again
        if goes_on and (lengths or may_be_remark) and may_wait:
            return None
        if goes_on:
            return len(self._open_number) if self._begins_number_again(text) else 0
        return lengths[0] if lengths else -1

    def _begins_number_again(self, text: str) -> bool:
        """Return whether the number that was cut is written from its start. One or two equal digits are chance."""
        number = self._open_number
        return len(number) >= LONG_NUMBER and text.startswith(number) and self._may_follow(text[len(number) :])

    def _matches(self, text: str) -> list[int]:
        """Return the lengths of all overlaps, the longest first."""
        most = min(len(text), len(self._tail))
        return [length for length in range(most, 0, -1) if self._tail.endswith(text[:length])]

    def _may_follow(self, text: str) -> bool:
        """Return whether the JSON so far may go on with a text."""
        reader = self._after.fork()
        reader.feed(text)
        return reader.error is None

    def _is_certain(self, length: int, after: str) -> bool:
        overlap, before = self._tail[-length:], self._tail[-length - 1 : -length]
        begins_word = overlap[0].isalpha() and not before.isalnum()  # a word that was cut, and begun again
        is_long = length >= CERTAIN_IN_JSON and any(map(str.isalnum, overlap))
        return is_long or begins_word or super()._is_certain(length, after)


def find_anchor(text: str) -> str:
    """Return the last characters of a text, from the beginning of a word, that are its only ones of this kind."""
    start = len(text)
    compared = max(0, start - COMPARED_CHARACTERS)
    while start > compared and len(text) - start < LONGEST_ANCHOR:
        start = max(compared, start - ANCHOR_CHARACTERS)
        while start > compared and text[start - 1] not in _BEFORE_WORDS:
            start -= 1
        if text.find(text[start:], compared) == start:
            break
    return text[start:]


def _leading(text: str, characters: str) -> int:
    return len(text) - len(text.lstrip(characters))
