"""What the hostile clients of the attack program send their requests with, and how they count what comes back."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple, TypeAlias

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from msgmodel.server import Settings  # noqa: E402
from proofs.attack_library import DEADLINE_SECONDS, TIMEOUT_SECONDS  # noqa: E402
from proofs.attack_provider import EVENT_BYTES, LARGE_EVENTS  # noqa: E402
from proofs.soak_http import Answer  # noqa: E402

HOLD_SECONDS = 2.0
"""How long an attack goes on that could go on for ever."""
OPTIONS = {"timeout": TIMEOUT_SECONDS, "deadline": DEADLINE_SECONDS, "max_retries": 0}


class Server(NamedTuple):
    """The server that is attacked."""

    port: int
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send a request of a user's."""
        return await Answer.to(self.port, method, path, body, **self.headers, **headers)

    def head(self, method: str, path: str, *lines: str) -> bytes:
        """Return the head of a request of a user's, for those who write it themselves."""
        told = [f"{method} {path} HTTP/1.1", "host: localhost", f"authorization: Bearer {self.token}", *lines]
        return "\r\n".join([*told, "", ""]).encode()


class Outcome(NamedTuple):
    """How an attack ended. `kept`: bytes that the server was asked to keep."""

    ended: str
    kept: int = 0


Attack: TypeAlias = Callable[[Server], Awaitable[Outcome]]
ATTACKS: dict[str, Attack] = {}


def attack(run: Attack) -> Attack:
    """Add an attack, by the name of its function."""
    ATTACKS[run.__name__.replace("_", "-")] = run
    return run


def panels(prompt: str, number: int = 1, **more: Any) -> dict[str, Any]:
    """Return the body of a request whose prompt names the flood that the provider answers with."""
    panel = {"provider": "openai", "model": "gpt-6-luna"}
    return {"prompt": f"attack {prompt} end", "panels": [panel] * number, "options": OPTIONS, **more}


async def read_to_end(answer: Answer) -> Outcome:
    """Read a stream; `kept` is all of it and the panel beside it: its last event, or all that a reply may take."""
    if answer.status != 200:
        return Outcome(f"{answer.status} {json.loads(await answer.text())['error']['code']}")
    read, last = 0, bytearray()
    async for piece in answer.pieces():
        read += len(piece)
        last += piece
        end = last.rfind(b"\n\n", max(0, len(last) - len(piece) - 2), -2)
        if end >= 0:
            del last[: end + 2]
    event = json.loads(last.partition(b"data: ")[2])
    ended = event.get("code") or event.get("status") or event["event"]
    return Outcome(ended, read + (Settings().max_reply_bytes if ended == "reply_too_large" else len(last)))


async def flooded(server: Server, name: str) -> Outcome:
    """Ask for a reply that the provider answers with a flood."""
    async with await server.ask("POST", "/v1/panels", panels(name)) as answer:
        outcome = await read_to_end(answer)
    return outcome._replace(kept=outcome.kept + EVENT_BYTES) if name in LARGE_EVENTS else outcome


async def at_once(number: int, run: Callable[[], Awaitable[Any]], seconds: float = HOLD_SECONDS) -> str:
    """Repeat what it does in so many tasks for a while; tell how often each result came."""
    results: Counter[str] = Counter()
    until = monotonic() + seconds

    async def again() -> None:
        while monotonic() < until:
            results[str(await run())] += 1

    with suppress(TimeoutError):
        async with asyncio.timeout(seconds + 5.0):
            await asyncio.gather(*(again() for _ in range(number)))
    return ", ".join(f"{count} x {result}" for result, count in results.most_common(3))


@asynccontextmanager
async def connected(server: Server, *requests: bytes) -> AsyncIterator[list[socket.socket]]:
    """Open a connection for each of these requests and send it; the answers are not read."""
    loop, stack = asyncio.get_running_loop(), AsyncExitStack()
    async with stack:
        opened = []
        for request in requests:
            connection = socket.socket()
            stack.callback(connection.close)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.setblocking(False)
            with suppress(OSError):
                await loop.sock_connect(connection, ("127.0.0.1", server.port))
                await loop.sock_sendall(connection, request)
            opened.append(connection)
        yield opened


async def post(server: Server, body: bytes, path: str = "/v1/panels") -> Outcome:
    """Send a body; it is what was asked to be kept."""
    async with await server.ask("POST", path, body) as answer:
        outcome = await read_to_end(answer) if path == "/v1/panels" else Outcome(str(answer.status))
    return outcome._replace(kept=outcome.kept + len(body))


async def sent(server: Server, data: bytes, connections: int, answers: int = 0) -> Outcome:
    """Send the same over so many connections for a while, again after so many answers, or without a wait for any."""
    answered = 0
    until = asyncio.get_running_loop().time() + HOLD_SECONDS

    async def read(reader: asyncio.StreamReader, count: int) -> bool:
        nonlocal answered
        while count > 0:
            if not (found := await reader.read(1 << 18)):
                return False
            answered += (heads := found.count(b"HTTP/1.1 "))
            count -= heads
        return True

    async def run() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        reading = asyncio.ensure_future(read(reader, 1 << 40)) if not answers else None
        try:
            while reading is None or not reading.done():
                writer.write(data)
                await writer.drain()
                if reading is None and not await read(reader, answers):
                    return
        finally:
            if reading is not None:
                reading.cancel()
            writer.close()

    async def again() -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                while True:
                    with suppress(OSError):
                        await run()

    await asyncio.gather(*(again() for _ in range(connections)))
    return Outcome(f"{answered} answers")
