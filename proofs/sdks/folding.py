"""Shared parts of the programs in this directory: streams in, one JSON line for each out.

Each program runs in the environment of one official SDK, which has nothing of this library. It reads one JSON line for
each stream from standard input: its `name`, its `wire`, and the `url` that serves it. It sends a request there with the
SDK, lets it decode and accumulate, and writes what a user of the SDK then has.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

THREADS = 4
"""Enough to hide the waits for the server; what takes the time is the SDK's own work, under one lock."""

KEY = "no-key"


@dataclass
class Folded:
    """One reply as the SDK has it when the stream is over."""

    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    finish_reason: str | None = None
    tool_calls: list[tuple[str, str, Any]] = field(default_factory=list)
    """Id, name, arguments; these parsed where the SDK parses them, else the text."""
    usage: dict[str, Any] | None = None
    """The SDK's own fields, without those that are None."""
    failed: str | None = None
    """What was raised, or said, so that the user knows that the reply is not whole; None where nothing was."""
    accumulator: str | None = None
    """What the SDK's accumulator raised over a stream that its decoder takes; the rest is then the raw stream's."""


def said(error: BaseException) -> str:
    """Return the class of an exception and the start of its message."""
    return f"{type(error).__name__}: {str(error)[:160]}"


def dumped(model: Any) -> dict[str, Any] | None:
    """Return the fields of a pydantic model that were set, as a plain dict."""
    return None if model is None else model.model_dump(mode="json", exclude_none=True, warnings=False)


def main(fold: Callable[[str, str], Folded]) -> None:
    """Accumulate every stream that standard input names with `fold(wire, url)`; what that raises ends the program."""

    def line(asked: str) -> str:
        stream = json.loads(asked)
        return json.dumps({"name": stream["name"], **asdict(fold(stream["wire"], stream["url"]))})

    with ThreadPoolExecutor(THREADS) as pool:
        for written in pool.map(line, sys.stdin.read().splitlines()):
            print(written, flush=True)
