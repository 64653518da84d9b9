"""A process of a proof's own: a program that answers each line on standard input with one line of JSON."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from typing import Any

SILENCE_SECONDS = 60.0
"""A program of ours that says nothing for so long is stuck."""


class Child:
    """A program of ours, started; leaving the context ends it."""

    def __init__(self, *command: str, environment: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def line(self) -> str:
        """Return the next line that it wrote."""
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], SILENCE_SECONDS)[0]:
            raise RuntimeError(f"{self.process.args} says nothing")
        said = self.process.stdout.readline()
        if not said:
            raise RuntimeError(f"{self.process.args} has ended")
        return said

    def tell(self, word: str) -> subprocess.Popen[str]:
        """Send a line; return the process, which will answer it."""
        assert self.process.stdin is not None
        print(word, file=self.process.stdin, flush=True)
        return self.process

    def ask(self, word: str = "?") -> dict[str, Any]:
        """Return what it answers to a line."""
        self.tell(word)
        found: dict[str, Any] = json.loads(self.line())
        return found
