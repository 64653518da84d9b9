"""The victim of the attack program that uses the library: asyncio, one hostile stream beside some that are healthy.

Answers each line on standard input with one line of JSON: the name of a flood asks the hostile provider for it and
tells how that ended; "?" tells the longest wait of the healthy streams since the last line.

    python proofs/attack_library.py HEALTHY_PORT HOSTILE_PORT
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from time import monotonic
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from msgmodel import AnthropicConfig, OpenAIConfig, astream_panels  # noqa: E402
from msgmodel.reply.next_request import MAX_REPLY_BYTES  # noqa: E402
from proofs.attack_meter import PAUSE_SECONDS, Waits, lateness  # noqa: E402
from proofs.attack_provider import EVENT_BYTES, LARGE_EVENTS  # noqa: E402

HEALTHY = 5
TIMEOUT_SECONDS, DEADLINE_SECONDS = 2.0, 3.0
"""Of the hostile streams, also on the server."""
KEY = "none-is-needed-here"


async def read_stream(port: int, waits: Waits) -> None:
    """Read a healthy stream for as long as there is one."""
    config = AnthropicConfig(base_url=f"http://127.0.0.1:{port}", api_key=KEY)
    begun = monotonic()
    async for event in astream_panels("anthropic", "Which time is it?", config=config):
        if event["event"] != "panel_delta":
            break
        waits.add("stream", lateness(event["delta"]))
        begun = monotonic() + PAUSE_SECONDS
    waits.wrong.append(f"a healthy stream ended {monotonic() - begun:.1f} s after its last piece")


async def attacked(port: int, name: str) -> dict[str, Any]:
    """Ask for the flood; return how it ended, after how many seconds, and how many bytes were asked to be kept.

    Those are all that a reply may take, if it ends for that reason, else the text of its last event.
    """
    config = OpenAIConfig(base_url=f"http://127.0.0.1:{port}/v1", api_key=KEY, api="chat")
    limits: Any = {"timeout": TIMEOUT_SECONDS, "deadline": DEADLINE_SECONDS, "max_retries": 0}
    begun = monotonic()
    async for event in astream_panels("openai", f"attack {name} end", config=config, **limits):
        last = event
    ended = last.get("code") or last.get("status")
    kept = MAX_REPLY_BYTES if ended == "reply_too_large" else EVENT_BYTES if name in LARGE_EVENTS else size(last)
    return {"ended": ended, "seconds": monotonic() - begun, "kept": kept}


async def tell(port: int, name: str) -> None:
    """Print the figures of a flood."""
    print(json.dumps(await attacked(port, name)), flush=True)


def size(value: object) -> int:
    """Return the characters of all the text in an event, without a copy of it."""
    if isinstance(value, dict):
        return sum(map(size, value)) + sum(map(size, value.values()))
    if isinstance(value, list):
        return sum(map(size, value))
    return len(value) if isinstance(value, str) else 8


async def main(healthy: int, hostile: int) -> None:
    waits = Waits()
    await attacked(hostile, "say:10")  # the first reply that ends loads the table of prices
    tasks = [asyncio.ensure_future(read_stream(healthy, waits)) for _ in range(HEALTHY)]
    loop = asyncio.get_running_loop()
    while word := await loop.run_in_executor(None, sys.stdin.readline):
        if word.strip() == "?":
            print(json.dumps(waits.take()), flush=True)
        else:
            tasks.append(asyncio.ensure_future(tell(hostile, word.strip())))


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
