"""Refuses keys that would be lost. Pure.

Rule: a key that holds something is read, or the error names it and the key that was probably meant.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ..errors import ConfigurationError, quoted
from .nearest_names import unknown_name

NO_ADVICE: Mapping[str, str] = {}


def refuse_unknown_keys(
    given: Mapping[str, Any], known: Collection[str], kind: str, advice: Mapping[str, str] = NO_ADVICE
) -> None:
    """Raise ConfigurationError for a key that is not known, unless its value is None.

    Args:
        given: The dict of the caller.
        known: The keys that it may have.
        kind: What the dict is, such as "a message".
        advice: For keys that people use elsewhere, what to do instead.
    """
    unknown = [key for key, value in given.items() if key not in known and value is not None]
    if unknown:
        key = unknown[0]
        cure = advice.get(key) if isinstance(key, str) else None
        wrong = f"there is no key {quoted(key)}: {cure}" if cure else unknown_name("key", key, sorted(known))
        raise ConfigurationError(f"{kind}: {wrong}")
