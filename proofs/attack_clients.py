"""The hostile clients of the attack program: each function is one attack on the server; its docstring describes it.

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
from contextlib import suppress
from pathlib import Path
from time import monotonic

import uvloop

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from proofs.attack_provider import NICE  # noqa: E402
from proofs.attack_requests import (  # noqa: E402
    ATTACKS,
    HOLD_SECONDS,
    OPTIONS,
    Outcome,
    Server,
    at_once,
    attack,
    connected,
    flooded,
    panels,
    post,
    read_to_end,
    sent,
)
from proofs.soak_http import Wrong  # noqa: E402

STREAM_CHARS = 12_000_000
FILE_BYTES = 20_000_000


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
    body["options"] = OPTIONS | {"max_retries": 100, "fallbacks": ["openai"] * 8}
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
