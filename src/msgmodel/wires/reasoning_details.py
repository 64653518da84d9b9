"""OpenRouter's `reasoning_details`: signed reasoning that the next request must carry back unchanged. Pure.

https://openrouter.ai/docs/use-cases/reasoning-tokens#preserving-reasoning-blocks

Rule: consecutive pieces of one text detail become one detail; every other detail stays as it arrived, in its order.
"""

from __future__ import annotations

from typing import Any

from ..question.lenient_json import as_text, memory
from ..question.question import without_none

_TEXT_TYPES = ("reasoning.text", "reasoning.summary")
_TEXT_FIELDS = ("text", "summary")
_LEAST_REPEATED = 12
"""Characters that a piece must repeat from the beginning, and all so far, to show that pieces are cumulative. Fewer may
be chance: "ha", and then "haha"."""


class ReasoningDetails:
    """The details that have arrived since the last `take_all`."""

    def __init__(self) -> None:
        self._details: list[Any] = []
        # Text of the last detail, in pieces: to append each piece to a string would take quadratic time.
        self._text_pieces: dict[str, list[str]] = {}
        self._length = 0
        """Characters of the text of the last detail."""
        self._is_cumulative = False
        """Whether each piece is all of the text so far, as MiniMax sends it."""
        self.held_bytes = 0
        """Bytes of memory that the details take."""

    def __bool__(self) -> bool:
        return bool(self._details)

    def add(self, detail: Any) -> str:
        """Append a detail, or its text to the last detail if it continues that one. Return the new text."""
        self.held_bytes += memory(detail)
        last = self._details[-1] if self._details else None
        text = _text_of_detail(detail)
        if not (isinstance(detail, dict) and isinstance(last, dict) and _continues_detail(last, detail)):
            self._join_text_pieces()
            self._details.append(detail)
            self._length = len(text)
            return text
        if self._repeats(last, detail, text):
            news = text[self._length :]
            self._text_pieces = {}
        else:
            news = text
            for name in _TEXT_FIELDS:
                if name in detail:
                    self._text_pieces.setdefault(name, [as_text(last.get(name))]).append(as_text(detail.pop(name)))
        self._length += len(news)
        last |= without_none(**detail)
        return news

    def take_all(self) -> list[Any]:
        """Return all details and forget them."""
        self._join_text_pieces()
        taken, self._details, self.held_bytes = self._details, [], 0
        return taken

    def _repeats(self, last: dict[str, Any], detail: dict[str, Any], text: str) -> bool:
        """Return whether a piece begins with all of the text so far."""
        is_minimax = as_text(detail.get("format")).startswith("MiniMax")
        if not self._length or len(text) < self._length:
            return False
        if not (self._is_cumulative or is_minimax or self._length >= _LEAST_REPEATED):
            return False
        self._join_text_pieces()
        found = text.startswith(_text_of_detail(last))
        self._is_cumulative = self._is_cumulative or found
        return found

    def _join_text_pieces(self) -> None:
        for name, pieces in self._text_pieces.items():
            self._details[-1][name] = "".join(pieces)
        self._text_pieces = {}


def _text_of_detail(detail: Any) -> str:
    """Return the words of a detail, which it has in one of two fields."""
    if not isinstance(detail, dict) or detail.get("type") not in _TEXT_TYPES:
        return ""
    return "".join(as_text(detail.get(name)) for name in _TEXT_FIELDS)


def _continues_detail(last: dict[str, Any], detail: dict[str, Any]) -> bool:
    """Return whether a detail is more text of the last one. A signature ends a text."""
    kind = last.get("type")
    return (
        kind in _TEXT_TYPES
        and kind == detail.get("type")
        and last.get("index") == detail.get("index")
        and not last.get("signature")
    )
