"""Runs of tools that are killed: the program whose processes the proof kills. See `tool_effects.py`.

    python proofs/tool_effects_run.py URL

Each line on standard input is a case: the folder, the color, and the step at which the process kills itself (0: never).
The case runs in a forked process, and its answer is one line of JSON: what the run said, or that it was killed, and the
number of steps. A step is a line of Python that the room `tools` executes, or the tool itself, in any thread.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from msgmodel import OpenAIConfig, arun_tools, run_tools

ROOM = os.sep + os.path.join("msgmodel", "tools") + os.sep


def append_line(folder: str, name: str) -> str:
    """Append a line to a file: the effect of the tool."""
    number = os.open(Path(folder, "effects.txt"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(number, f"{name}\n".encode())
    os.close(number)
    return f"noted {name}"


def count_steps(kill_at: int) -> count[int]:
    """Count the steps of this process from now on, in all threads, and kill it at one of them."""
    steps = count(1)

    def trace(frame: Any, event: str, _: object) -> Any:
        name = frame.f_code.co_filename
        if ROOM not in name and name != __file__:
            return None
        if event == "line" and next(steps) == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    threading.settrace(trace)
    sys.settrace(trace)
    return steps


def run_case(url: str, folder: str, color: str, kill_at: int | None) -> dict[str, Any]:
    """Run the tools of a case, and return what the run said. `kill_at`: None to count no steps."""

    def note(name: str) -> str:
        """Append a line to a file.

        :param name: the line
        """
        return append_line(folder, name)

    async def anote(name: str) -> str:
        """Append a line to a file.

        :param name: the line
        """
        await asyncio.sleep(0)
        return append_line(folder, name)

    anote.__name__ = "note"
    config = OpenAIConfig(base_url=f"{url}/v1", api_key="test-key-0123456789", api="chat")
    options: Any = {"config": config, "journal": f"{folder}/runs.db", "run_id": "proof", "max_retries": 0}
    steps = count_steps(kill_at) if kill_at is not None else count()
    if color == "sync":
        events = [dict(event) for event in run_tools("openai", "Note three lines.", tools=[note], **options)]
    else:

        async def collect() -> list[dict[str, Any]]:
            run = arun_tools("openai", "Note three lines.", tools=[anote], **options)
            return [dict(event) async for event in run]

        events = asyncio.run(collect())
    sys.settrace(None)
    return {"events": events, "steps": next(steps) - 1}


def main(url: str) -> None:
    """Run the cases, each in a forked process."""
    for color in ("sync", "async"):  # import all that a run needs before the processes are forked
        with TemporaryDirectory() as folder:
            run_case(url, folder, color, None)
    for line in sys.stdin:
        case = json.loads(line)
        reader, writer = os.pipe()
        process = os.fork()
        if not process:
            os.close(reader)
            said = json.dumps(run_case(url, case["folder"], case["color"], case["kill_at"]))
            with os.fdopen(writer, "w") as pipe:
                pipe.write(said)
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as pipe:
            said = pipe.read()
        _, status = os.waitpid(process, 0)
        print(said or json.dumps({"killed_by": os.WTERMSIG(status) if os.WIFSIGNALED(status) else status}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
