"""Suggests the right name for a wrong one. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import quoted

_COMPARED_CHARACTERS = 64


def nearest_names(name: object, known: Iterable[str], cutoff: float = 0.6) -> list[str]:
    """Return up to three known names that are like a wrong one, the likest first."""
    from difflib import get_close_matches  # imported late: only an error needs it

    return get_close_matches(str(name).lower()[:_COMPARED_CHARACTERS], sorted(known), cutoff=cutoff)


def unknown_name(kind: str, name: object, known: Iterable[str]) -> str:
    """Return the sentence that refuses a wrong name: the nearest known name, or all if none is near.

    Args:
        kind: What the name is, such as "key".
        name: The wrong name.
        known: The names that would be right.
    """
    known = list(known)
    near = nearest_names(name, known)
    cure = f"did you mean {quoted(near[0])}?" if near else f"the {kind}s are {', '.join(known)}"
    return f"there is no {kind} {quoted(name)}: {cure}"
