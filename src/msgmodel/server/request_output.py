"""Bounds the JSON schema that a request asks for. Pure.

Rule: a schema of a client must not take the server's time, when it is read and when a reply is checked with it.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from .request_bodies import RequestRefused

MAX_SCHEMA_BYTES: Final = 64 * 1024
MAX_SCHEMA_LEVELS: Final = 32

_NO_EXPRESSIONS: Final = "pattern and patternProperties are not taken here: use enum, format or maxLength"
"""The client that writes the expression can also have the model write the text for which it takes hours."""


def check_output(output: Any, place: str) -> None:
    """Raise RequestRefused for a schema that is too large or too deep, or that holds a regular expression.

    Args:
        output: The value of `output` in a request; only a dict is checked here.
        place: Where it stands in the request.
    """
    if not isinstance(output, dict):
        return
    if len(msgspec.json.encode(output)) > MAX_SCHEMA_BYTES:
        raise _refuse(place, f"a JSON schema may have at most {MAX_SCHEMA_BYTES} bytes")
    level, left = 0, [output]
    while left:
        level += 1
        if level > MAX_SCHEMA_LEVELS:
            raise _refuse(place, f"a JSON schema may have at most {MAX_SCHEMA_LEVELS} levels")
        inner: list[Any] = []
        for each in left:
            if isinstance(each, dict):
                if isinstance(each.get("pattern"), str) or each.get("patternProperties"):
                    raise _refuse(place, _NO_EXPRESSIONS)
                inner += each.values()
            elif isinstance(each, list):
                inner += each
        left = inner


def _refuse(place: str, message: str) -> RequestRefused:
    return RequestRefused(422, "invalid_request", f"{place}: {message}")
