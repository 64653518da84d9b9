"""The arguments of a call that Gemini streams value by value, each with its path. Pure.

https://cloud.google.com/vertex-ai/generative-ai/docs/multimodal/function-calling: `partialArgs`, sent by Vertex.

Rule: while a call is open, its arguments are a tree of dicts; an array is a dict whose keys are numbers, because its
items may arrive in any order. `finish_arguments` makes JSON values of it once.
"""

from __future__ import annotations

import re
from typing import Any

from ..question.lenient_json import MalformedJson, as_text

_PATH_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d{1,9})\]")
_DEEPEST_PATH = 100
"""Steps in the path of an argument. No schema nests deeper, and recursion walks the tree that is built."""


class _GrowingText(list[str]):
    """The pieces of a string: to append each to a string would take quadratic time."""


def set_argument(tree: dict[Any, Any], piece: dict[str, Any]) -> None:
    """Set the value at the path (`$.a.b[0]`) of a streamed argument; a piece of a string is appended."""
    *path, last = [
        int(index) if index else name for name, index in _PATH_STEP.findall(as_text(piece.get("jsonPath")))
    ] or [""]
    if len(path) > _DEEPEST_PATH:
        raise MalformedJson("an argument is nested too deeply")
    for step in path:
        tree = tree.setdefault(step, {})
        if not isinstance(tree, dict):
            return
    for kind in ("stringValue", "numberValue", "boolValue", "nullValue"):
        if kind in piece:
            value = None if kind == "nullValue" else piece[kind]
            earlier = tree.get(last)
            if isinstance(value, str) and isinstance(earlier, _GrowingText):
                earlier.append(value)
            elif isinstance(value, str):
                tree[last] = _GrowingText([earlier, value] if isinstance(earlier, str) else [value])
            else:
                tree[last] = value


def finish_arguments(tree: Any) -> Any:
    """Return the tree with joined strings, and with lists in place of the dicts that have numbers as keys."""
    if isinstance(tree, _GrowingText):
        return "".join(tree)
    if not isinstance(tree, dict):
        return tree
    if tree and all(isinstance(key, int) for key in tree):
        return [finish_arguments(tree[key]) for key in sorted(tree)]
    return {key: finish_arguments(value) for key, value in tree.items()}
