"""JSON pointers (RFC 6901): where in a JSON value something is. Pure."""

from __future__ import annotations

from collections.abc import Iterable


def escape_name(name: str) -> str:
    """Return a name or an index as a part of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1") if "~" in name or "/" in name else name


def unescape_name(part: str) -> str:
    """Return the name or the index that a part of a JSON pointer stands for."""
    return part.replace("~1", "/").replace("~0", "~")


def pointer_of(names: Iterable[str | int]) -> str:
    """Return the pointer that names and indexes lead along, from the outermost on."""
    return "".join(f"/{escape_name(str(name))}" for name in names)
