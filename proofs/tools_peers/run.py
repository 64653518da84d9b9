"""Lets one peer run a tool: `python run.py NAME`, in that peer's environment.

The job comes in as JSON on stdin: `url`, `model` and `prompts`. What comes out as JSON: `version`, and `answers`, for
each prompt the arguments of each run of the tool (`ran`), and what was raised. A peer is a module call_<name> with
DISTRIBUTION and `run_agent(url, model, prompt, tool)`, which streams.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from importlib.metadata import version
from typing import Any

KEY = "no-key"


def answer(peer: Any, job: dict[str, Any], prompt: str) -> dict[str, Any]:
    """Return how often the tool ran, and with what."""
    ran: list[list[str]] = []

    def write_line(path: str, text: str = "", mode: str = "overwrite") -> str:
        """Write a line to a file."""
        ran.append([path, text, mode])
        return "written"

    try:
        peer.run_agent(job["url"], job["model"], prompt, write_line)
    except Exception as error:  # how a library tells that the call is no call
        return {"ran": ran, "raised": f"{type(error).__name__}: {str(error)[:120]}"}
    return {"ran": ran, "raised": None}


def main() -> None:
    """Ask all."""
    job = json.load(sys.stdin)
    channel = os.dup(1)
    os.dup2(2, 1)  # a peer may print
    peer = importlib.import_module(f"call_{sys.argv[1].replace('-', '_')}")
    answers = [answer(peer, job, prompt) for prompt in job["prompts"]]
    with os.fdopen(channel, "w") as file:
        json.dump({"version": version(peer.DISTRIBUTION), "answers": answers}, file)
    os._exit(0)


if __name__ == "__main__":
    main()
