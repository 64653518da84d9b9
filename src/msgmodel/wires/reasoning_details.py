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


class ReasoningDetails:
    """The details that have arrived since the last `take_all`."""

    def __init__(self) -> None:
        self._details: list[Any] = []
        # Text of the last detail, in pieces: to append each piece to a string would take quadratic time.
        self._text_pieces: dict[str, list[str]] = {}
        self.held_bytes = 0
        """Bytes of memory that the details take."""

    def __bool__(self) -> bool:
        return bool(self._details)

    def add(self, detail: Any) -> None:
        """Append a detail, or its text to the last detail if it continues that one."""
        self.held_bytes += memory(detail)
        last = self._details[-1] if self._details else None
        if not (isinstance(detail, dict) and isinstance(last, dict) and _continues_detail(last, detail)):
            self._join_text_pieces()
            self._details.append(detail)
            return
        for name in _TEXT_FIELDS:
            if name in detail:
                self._text_pieces.setdefault(name, [as_text(last.get(name))]).append(as_text(detail.pop(name)))
        last |= without_none(**detail)

    def take_all(self) -> list[Any]:
        """Return all details and forget them."""
        self._join_text_pieces()
        taken, self._details, self.held_bytes = self._details, [], 0
        return taken

    def _join_text_pieces(self) -> None:
        for name, pieces in self._text_pieces.items():
            self._details[-1][name] = "".join(pieces)
        self._text_pieces = {}


def _continues_detail(last: dict[str, Any], detail: dict[str, Any]) -> bool:
    """Return whether a detail is more text of the last one. A signature ends a text."""
    kind = last.get("type")
    return (
        kind in _TEXT_TYPES
        and kind == detail.get("type")
        and last.get("index") == detail.get("index")
        and not last.get("signature")
    )
