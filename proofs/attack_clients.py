"""The hostile clients of the attack program: each function is one attack on the server, told by its docstring.

Prints one line of JSON: how it ended, and how many bytes the server was asked to keep.

    python proofs/attack_clients.py PORT TOKEN NAME
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import resource
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple, TypeAlias

import uvloop

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from proofs.attack_library import DEADLINE_SECONDS, TIMEOUT_SECONDS  # noqa: E402
from proofs.attack_provider import NICE  # noqa: E402
from proofs.soak_http import Answer, Wrong  # noqa: E402

HOLD_SECONDS = 2.0
"""How long an attack goes on that could go on for ever."""
STREAM_CHARS = 12_000_000
FILE_BYTES = 20_000_000
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
    """Read a stream; `kept` is all of it, and the reply in its last event, which the panel holds beside it."""
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
    return Outcome(event.get("code") or event.get("status") or event["event"], read + len(last))


async def flooded(server: Server, name: str) -> Outcome:
    """Ask for a reply that the provider answers with a flood."""
    async with await server.ask("POST", "/v1/panels", panels(name)) as answer:
        return await read_to_end(answer)


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
    """Open a connection for each of these requests and send it; nobody reads what is answered."""
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


# --- readers ---


async def large_stream(server: Server) -> tuple[str, int]:
    """Make the server keep a stream; return its id, and how many bytes it has."""
    async with await server.ask("POST", "/v1/panels", panels(f"say:{STREAM_CHARS}")) as answer:
        outcome = await read_to_end(answer)
        return answer.headers["x-stream-id"], outcome.kept


@attack
async def silent_readers(server: Server) -> Outcome:
    """Open one stream of 12 MB of text with 60 readers, who read nothing."""
    id, kept = await large_stream(server)
    async with connected(server, *[server.head("GET", f"/v1/streams/{id}", "last-event-id: 0")] * 60):
        await asyncio.sleep(HOLD_SECONDS)
    return Outcome("held", kept)


@attack
async def silent_snapshots(server: Server) -> Outcome:
    """Ask 60 times for the snapshot of one stream of 12 MB of text, and read nothing."""
    id, kept = await large_stream(server)
    async with connected(server, *[server.head("GET", f"/v1/streams/{id}")] * 60):
        await asyncio.sleep(HOLD_SECONDS)
    return Outcome("held", kept)


@attack
async def snapshots(server: Server) -> Outcome:
    """Ask for the snapshot of one stream of 12 MB of text again and again, 8 at a time."""
    id, kept = await large_stream(server)

    async def run() -> int:
        async with await server.ask("GET", f"/v1/streams/{id}") as answer:
            await answer.text()
            return answer.status

    return Outcome(await at_once(8, run), kept)


@attack
async def hundreds_of_readers(server: Server) -> Outcome:
    """Read one live stream, which floods, with 300 readers, 4 KB in a tenth of a second."""
    headers = {"idempotency-key": "attack"}
    async with await server.ask("POST", "/v1/panels", panels("text"), **headers) as answer:
        request = server.head("GET", f"/v1/streams/{answer.headers['x-stream-id']}", "last-event-id: 0")
        reading = asyncio.ensure_future(read_to_end(answer))
        loop = asyncio.get_running_loop()
        async with connected(server, *[request] * 300) as connections:

            async def slowly(connection: socket.socket) -> None:
                with suppress(OSError):
                    while True:
                        await loop.sock_recv(connection, 4096)
                        await asyncio.sleep(0.1)

            with suppress(TimeoutError):
                async with asyncio.timeout(HOLD_SECONDS):
                    await asyncio.gather(*map(slowly, connections))
        return await reading


# --- costly requests ---


async def post(server: Server, body: bytes, path: str = "/v1/panels") -> Outcome:
    """Send a body; it is what was asked to be kept."""
    async with await server.ask("POST", path, body) as answer:
        outcome = await read_to_end(answer) if path == "/v1/panels" else Outcome(str(answer.status))
    return outcome._replace(kept=outcome.kept + len(body))


def _pdf(size: int) -> str:
    return base64.b64encode(b"%PDF-1.4\n" + bytes(range(256)) * (size // 256)).decode()


@attack
async def file_for_all(server: Server) -> Outcome:
    """Send a file of 20 MB to 8 panels at once."""
    files = [{"name": "a.pdf", "data": _pdf(FILE_BYTES)}]
    return await post(server, json.dumps(panels("say:10", 8, files=files)).encode())


@attack
async def file_for_fallbacks(server: Server) -> Outcome:
    """Send a file of 20 MB to 8 panels with 7 fallbacks each, all of which fail."""
    body = panels("fail", 8, files=[{"name": "a.pdf", "data": _pdf(FILE_BYTES)}])
    body["options"] = OPTIONS | {"fallbacks": ["openai"] * 7}
    return await post(server, json.dumps(body).encode())


@attack
async def data_urls(server: Server) -> Outcome:
    """Send a picture of 9 MB as a `data:` URL, each byte of it a percent sign and two digits."""
    url = "data:image/png," + "".join(f"%{byte:02x}" for byte in b"\x89PNG\r\n\x1a\n") + "%41" * 9_000_000
    content = [{"type": "text", "text": "attack say:10 end"}, {"type": "image_url", "image_url": {"url": url}}]
    body = {"model": "openai/gpt-6-luna", "messages": [{"role": "user", "content": content}]}
    return await post(server, json.dumps(body).encode(), "/v1/chat/completions")


@attack
async def many_messages(server: Server) -> Outcome:
    """Send 30,000 messages to 8 panels."""
    messages = [{"role": ("user", "assistant")[n % 2], "content": f"message number {n}"} for n in range(30_000)]
    return await post(server, json.dumps(panels("say:10", 8, messages=messages)).encode())


@attack
async def small_values(server: Server) -> Outcome:
    """Send a tool with a million numbers in its parameters, again and again, two at a time."""
    tool = {"name": "f", "description": "d", "parameters": {"type": "object", "x": [1] * 1_000_000}}
    body = json.dumps(panels("say:10") | {"options": OPTIONS | {"tools": [tool]}}, separators=(",", ":")).encode()

    async def run() -> str:
        return (await post(server, body)).ended

    return Outcome(await at_once(2, run), 2 * len(body))


@attack
async def deep_json(server: Server) -> Outcome:
    """Send 200,000 brackets, one in the other, again and again, 8 at a time."""
    body = b'{"prompt": "x", "messages": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"

    async def run() -> str:
        return (await post(server, body)).ended

    return Outcome(await at_once(8, run), 8 * len(body))


@attack
async def provider_requests(server: Server) -> Outcome:
    """Ask 8 panels with 8 fallbacks and 100 retries each of a provider that always fails."""
    body = panels("fail", 8)
    body["options"] = {"deadline": DEADLINE_SECONDS, "max_retries": 100, "fallbacks": ["openai"] * 8}
    return await post(server, json.dumps(body).encode())


# --- connections ---


@attack
async def slow_bodies(server: Server) -> Outcome:
    """Send 2 MB of a body of 20 MB over each of 100 connections, and then a byte now and then."""
    head = server.head("POST", "/v1/panels", "content-type: application/json", "content-length: 20000000")
    loop = asyncio.get_running_loop()
    async with connected(server, *[head + b'{"prompt": "' + b"x" * 2_000_000] * 100) as connections:
        for _ in range(int(HOLD_SECONDS)):
            for connection in connections:
                with suppress(OSError):
                    await loop.sock_sendall(connection, b"x")
            await asyncio.sleep(1.0)
    return Outcome("held")


@attack
async def idle_connections(server: Server) -> Outcome:
    """Open thousands of connections, as many as the system lets one process have, each with half a request."""
    most = min(8000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 100)
    async with connected(server, *[server.head("GET", "/healthz")[:-2]] * most) as connections:
        await asyncio.sleep(HOLD_SECONDS)
    return Outcome(f"{len(connections)} held")


@attack
async def refused_requests(server: Server) -> Outcome:
    """Send requests that are refused, all kinds of them, over 64 connections, and more as soon as they are answered."""
    lengths = "content-type: application/json", "content-length: 2"
    mixed = [
        b"GET /v1/providers HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer x\r\n\r\n",
        b"GET /v1/providers HTTP/1.1\r\nhost: evil.example\r\n\r\n",
        server.head("GET", "/nothing"),
        server.head("GET", "/v1/streams/none"),
        server.head("POST", "/v1/panels", *lengths) + b"[]",
        server.head("POST", "/v1/panels", "content-type: text/plain", "content-length: 2") + b"{}",
    ]
    return await sent(server, b"".join(mixed), 64, len(mixed))


@attack
async def cheap_requests(server: Server) -> Outcome:
    """Ask for what is listed over 64 connections, and for more as soon as it is answered."""
    asked = [server.head("GET", path) for path in ("/v1/providers", "/v1/models", "/openapi.json", "/")]
    return await sent(server, b"".join(asked), 64, len(asked))


@attack
async def pipelined_requests(server: Server) -> Outcome:
    """Send requests over 64 connections at full speed, without a wait for their answers."""
    return await sent(server, server.head("GET", "/healthz") * 1000, 64)


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


@attack
async def request_headers(server: Server) -> Outcome:
    """Send header lines without end over 20 connections."""
    lines = b"".join(b"x-%d: y\r\n" % number for number in range(500))
    return await sent(server, server.head("GET", "/healthz")[:-2] + lines * 100, 20)


@attack
async def many_floods(server: Server) -> Outcome:
    """Ask for 30 replies of text without end at once, and read them all."""
    outcomes = await asyncio.gather(*(flooded(server, "text") for _ in range(30)))
    endings = Counter(outcome.ended for outcome in outcomes)
    return Outcome(
        ", ".join(f"{count} x {ended}" for ended, count in endings.items()), sum(each.kept for each in outcomes)
    )


@attack
async def vanishing_readers(server: Server) -> Outcome:
    """Begin streams that only ping and vanish at once, 16 at a time."""

    async def run() -> int:
        async with await server.ask("POST", "/v1/panels", panels("pings")) as answer:
            answer.reset()
            return answer.status

    return Outcome(await at_once(16, run), 0)


async def main(port: int, token: str, name: str) -> None:
    os.nice(NICE)
    server = Server(port, token)
    begun = monotonic()
    try:
        outcome = await (ATTACKS[name](server) if name in ATTACKS else flooded(server, name))
    except (Wrong, OSError) as error:
        outcome = Outcome(f"{type(error).__name__}: {error}")
    print(json.dumps({**outcome._asdict(), "seconds": monotonic() - begun}), flush=True)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), *sys.argv[2:]))
