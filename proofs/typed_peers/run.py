"""Asks one peer for typed replies: `python run.py NAME`, in that peer's environment.

The job comes in as JSON on stdin: `url`, `model` and `prompts`. What comes out as JSON: `version`, and `answers`, for
each way of asking that the peer has, what the caller gets for each prompt: `value`, or `error`. A peer is a module
read_<name> with DISTRIBUTION and `ways(url, model)`, functions of a prompt that return a value or raise.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel

KEY = "no-key"


class Item(BaseModel):
    """A line of a bill."""

    name: str
    price: int
    note: str | None = None


class Bill(BaseModel):
    """A bill. Its members may be left out, as models often leave out what they do not know."""

    items: list[Item] = []
    total: int | None = None


class Person(BaseModel):
    """A person. All is required."""

    name: str
    born: int
    works: list[str]


KINDS = {"bill": Bill, "person": Person}


def kind_of(prompt: str) -> type[BaseModel]:
    """Return the type that a prompt asks for."""
    return KINDS[prompt.partition("-")[0]]


def answer(ask: Any, prompt: str) -> dict[str, Any]:
    """Return what the caller gets."""
    try:
        found = ask(prompt)
    except Exception as error:  # how a library tells that there is no value
        return {"error": f"{type(error).__name__}: {str(error)[:120]}"}
    return {"value": found.model_dump(mode="json") if isinstance(found, BaseModel) else found}


def main() -> None:
    """Ask all."""
    job = json.load(sys.stdin)
    channel = os.dup(1)
    os.dup2(2, 1)  # a peer may print
    peer = importlib.import_module(f"read_{sys.argv[1].replace('-', '_')}")
    ways = peer.ways(job["url"], job["model"])
    answers = {way: [answer(ask, prompt) for prompt in job["prompts"]] for way, ask in ways.items()}
    with os.fdopen(channel, "w") as file:
        json.dump({"version": version(peer.DISTRIBUTION), "answers": answers}, file)
    os._exit(0)


if __name__ == "__main__":
    main()
