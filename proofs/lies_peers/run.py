"""Asks one peer the questions of the lies: `python run.py NAME`, in that peer's environment.

It imports the peer and the standard library, nothing else. The job comes in as JSON on stdin: `url`, `models` by wire,
and `cases`, each with `wire`, `prompt` and `question`. What comes out as JSON, for each case that the peer can ask:
`dump`, all that the caller can reach as text; `warnings`, what the library says of its own accord; `raised`.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
import warnings
from contextlib import suppress
from importlib.metadata import version
from typing import Any

KEY = "no-key"
LONG = "The quick brown fox jumps over the lazy dog. " * 1_600
"""About 16,000 tokens."""
TOOL = {
    "name": "weather",
    "description": "Tells the weather.",
    "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
}


class Heard(logging.Handler):
    """Collect what a library logs at the level of a warning."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(f"{record.name}: {record.getMessage()[:200]}")


def as_text(value: Any) -> str:
    """Return all that a caller can read in an object of a peer: its fields, also those that have no type."""
    for method in ("model_dump_json", "to_json"):
        dump = getattr(value, method, None)
        if callable(dump):
            with suppress(Exception):  # some can't be dumped, and then their text must do
                return str(dump())
    return json.dumps(value, default=repr) if isinstance(value, dict | list) else repr(value)


def answer_case(peer: Any, case: dict[str, Any], heard: Heard) -> dict[str, Any]:
    """Return what a peer hands out for one case."""
    heard.said = []
    prompt = f"{case['prompt']} {LONG}" if case["question"].get("long") else case["prompt"]
    raised, dump = None, ""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            dump = "\n".join(peer.ask(case["wire"], prompt, case["question"]))
        except Exception as error:  # it may be how a library reports the lie
            raised = f"{type(error).__name__}: {str(error)[:200]}"
    said = [*heard.said, *(str(each.message)[:200] for each in caught if issubclass(each.category, UserWarning))]
    return {"dump": dump, "warnings": said, "raised": raised}


def main() -> None:
    job = json.load(sys.stdin)
    channel = os.dup(1)
    os.dup2(2, 1)  # a peer may print
    module = importlib.import_module(f"tell_{sys.argv[1].replace('-', '_')}")
    peer = module.Asker(job["url"], KEY, job["models"])
    heard = Heard()
    logging.getLogger().addHandler(heard)
    found = [
        {**case, **answer_case(peer, case, heard)} if case["wire"] in module.WIRES else None for case in job["cases"]
    ]
    with os.fdopen(channel, "w") as file:
        json.dump({"version": version(module.DISTRIBUTION), "answers": found}, file)
    os._exit(0)


if __name__ == "__main__":
    main()
