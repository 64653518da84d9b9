"""The bystander of the attack program: another user of the server, who measures how long it has to wait.

It is the provider of its own live stream, too: one that is healthy, and says each 20 ms which time it is. So a piece
tells how late it came, whatever held it up. Beside that it asks for `/healthz`, each time over a new connection. Prints
the port of the provider; then it answers each line on standard input with one line of JSON: "PORT TOKEN" measures the
server on that port from now on, any other line only tells what was measured since the last one.

    python proofs/attack_meter.py
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

import uvloop

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from msgmodel.testing.wires import events  # noqa: E402
from proofs.soak_http import Answer, Wrong  # noqa: E402

PAUSE_SECONDS = 0.02
HEALTH_SECONDS = 0.05
"""Between an answer of `/healthz` and the next question."""


class Waits:
    """The longest wait of each kind in seconds. `begun`: when the wait began that is not over."""

    def __init__(self) -> None:
        self.longest: dict[str, float] = {}
        self.begun: dict[str, float] = {}
        self.wrong: list[str] = []

    def add(self, kind: str, seconds: float) -> None:
        """Note a wait that is over."""
        self.longest[kind] = max(self.longest.get(kind, 0.0), seconds)

    def take(self) -> dict[str, Any]:
        """Return the figures in milliseconds, those of waits that are not over included, and begin anew."""
        now = monotonic()
        for kind, begun in self.begun.items():
            self.add(kind, now - begun)
        found = {kind: round(1000 * seconds, 1) for kind, seconds in self.longest.items()}
        self.longest = {}
        wrong, self.wrong = self.wrong, []
        return {"ms": found, "wrong": wrong}


def lateness(text: str) -> float:
    """Return how many seconds ago the first of these pieces was sent."""
    return monotonic() - float(text.split(" ", 1)[0])


async def healthy_provider() -> asyncio.Server:
    """Start a provider that says on Anthropic's wire which time it is, until its client leaves."""
    *opening, piece, _, _, _ = events("anthropic", ["TIME "])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + b"".join(opening))
            while not writer.is_closing():
                writer.write(piece.replace(b"TIME", b"%.4f" % monotonic()))
                await writer.drain()
                await asyncio.sleep(PAUSE_SECONDS)
        writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", 0)


async def ask_health(port: int, waits: Waits) -> None:
    """Ask for `/healthz` again and again."""
    while True:
        waits.begun["healthz"] = begun = monotonic()
        async with await Answer.to(port, "GET", "/healthz") as answer:
            await answer.text()
        if answer.status != 200:
            raise Wrong(f"/healthz answered {answer.status}")
        waits.add("healthz", monotonic() - begun)
        del waits.begun["healthz"]
        await asyncio.sleep(HEALTH_SECONDS)


async def read_stream(port: int, token: str, waits: Waits) -> None:
    """Read a live stream."""
    body = {"prompt": "Which time is it?", "panels": [{"provider": "anthropic"}]}
    headers = {"authorization": f"Bearer {token}"}
    waits.begun["stream"] = monotonic()
    async with await Answer.to(port, "POST", "/v1/panels", body, **headers) as answer:
        async for text in pieces(answer):
            waits.add("stream", lateness(text))
            waits.begun["stream"] = monotonic() + PAUSE_SECONDS


async def pieces(answer: Answer) -> AsyncIterator[str]:
    """Read the text of the deltas. Raises Wrong when the stream ends."""
    async for _, data in answer.events:
        event = json.loads(data)
        if event["event"] != "panel_delta":
            raise Wrong(f"the bystander's stream ended: {data[:200]!r}")
        yield event["delta"]
    raise Wrong("the bystander's stream ended without a terminal event")


async def watch_itself(waits: Waits) -> None:
    """Measure by how much this process is late: the measurement is no better than that."""
    while True:
        due = monotonic() + PAUSE_SECONDS
        await asyncio.sleep(PAUSE_SECONDS)
        waits.add("meter", monotonic() - due)


async def noted(work: Any, waits: Waits) -> None:
    """Run the work; what goes wrong for the bystander is a finding."""
    try:
        await work
    except (Wrong, OSError) as error:
        waits.wrong.append(str(error) or type(error).__name__)


async def main() -> None:
    gc.disable()
    waits, tasks = Waits(), [asyncio.current_task()]
    server = await healthy_provider()
    print(server.sockets[0].getsockname()[1], flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        found = waits.take()
        if " " in line:
            for task in tasks[1:]:
                task.cancel()
            waits = Waits()
            port, token = line.split()
            work = ask_health(int(port), waits), read_stream(int(port), token, waits)
            tasks[1:] = [asyncio.ensure_future(noted(each, waits)) for each in work]
            tasks.append(asyncio.ensure_future(watch_itself(waits)))
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
