"""Makes the ids of calls acceptable to a server that did not make them. Pure.

A conversation may go from a server with long ids (vLLM: 46 characters) to one that refuses them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256

from ..question.question import PastCall, QuestionTurn


def fit_call_ids(turns: Iterable[QuestionTurn], pattern: re.Pattern[str], longest: int) -> dict[str, str]:
    """Return the id to send for the id of each call. Two calls never get the same one.

    Args:
        turns: The turns of a question.
        pattern: What an id looks like on this server.
        longest: The most characters that it may have.
    """
    ids = [part.id for turn in turns for part in turn.parts if isinstance(part, PastCall)]
    fitted = {id: id for id in ids if pattern.fullmatch(id) and len(id) <= longest}
    taken = set(fitted)
    for id in ids:
        if id not in fitted:
            clean = re.sub(r"[^a-zA-Z0-9_-]", "_", id)
            is_free = pattern.fullmatch(clean) and len(clean) <= longest and clean not in taken
            fitted[id] = clean if is_free else _digest(id, taken, longest)
            taken.add(fitted[id])
    return fitted


def _digest(id: str, taken: set[str], longest: int) -> str:
    """Return the same new id for the same id in each request, because providers cache the begin of a question."""
    number = 0
    while (made := sha256(f"{id}{number or ''}".encode()).hexdigest()[: min(longest, 32)]) in taken:
        number += 1
    return made
