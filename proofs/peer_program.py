"""A program that runs a peer in the peer's environment: a job goes in as JSON, and its answer comes out as JSON."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

PROCESS_SECONDS = 300.0
_FOREIGN = re.compile(r".*(_API_KEY|_AUTH_TOKEN|_BASE_URL|_API_BASE|_PROXY)", re.I)


def ask_program(command: list[str], folder: Path, job: dict[str, Any]) -> Any:
    """Return the answer of a program, which sees no key and no proxy of this machine.

    Args:
        command: The program.
        folder: Where it runs.
        job: What it is to do.

    Raises:
        RuntimeError: It fails.
    """
    environment = {name: value for name, value in os.environ.items() if not _FOREIGN.fullmatch(name)}
    done = subprocess.run(
        command,
        input=json.dumps(job),
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment | {"NO_PROXY": "*"},
        timeout=PROCESS_SECONDS,
    )
    if done.returncode:
        raise RuntimeError(f"{command} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout)
