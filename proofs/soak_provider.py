"""The provider of the soak: says on each of the four wires what the plan has for the number in the prompt.

Prints its port; then it answers each line on standard input with one line of JSON about itself.

    python proofs/soak_provider.py SEED SHORTEST LONGEST
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import sys
from collections import Counter
from typing import Any

import uvloop
from soak_plan import FLOOD_1XX, Plan

from msgmodel.testing import Cut, End, Flood, Pause, Repeat, Reset, Script, Send, Stall
from msgmodel.testing.provider import wire_of
from msgmodel.testing.server import RESET_ON_CLOSE

_PROMPT = re.compile(rb"soak (\d+) (\w+) end")
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Gone(Exception):
    """The client has hung up."""


class Provider:
    """Answers requests, and counts them."""

    def __init__(self, plan: Plan) -> None:
        self.open = 0
        self.answering = 0
        self.requests = 0
        self.wrong: list[str] = []
        self._plan = plan
        self._asked: Counter[tuple[int, str]] = Counter()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, request after request."""
        self.open += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                body = await reader.readexactly(int(length[1]) if length else 0)
                self.answering += 1
                try:
                    script = self._script(head, body)
                    if script is None:
                        await _flood(FLOOD_1XX, reader, writer)
                        return
                    stays = await _play(script, reader, writer)
                finally:
                    self.answering -= 1
                if not stays:
                    return
        except (Gone, asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self.open -= 1
            writer.close()

    def report(self) -> dict[str, Any]:
        wrong, self.wrong = self.wrong, []
        return {"open": self.open, "answering": self.answering, "requests": self.requests, "wrong": wrong}

    def _script(self, head: bytes, body: bytes) -> Script | None:
        """Return the answer; None for interim answers without end."""
        found = _PROMPT.search(body)
        path = head.split(b" ", 2)[1].decode()
        if found is None:
            self.wrong.append(f"a request without a number: {path}")
            return Script.json(404, {"error": {"message": "no number"}})
        number, name = int(found[1]), found[2].decode()
        (panel,) = (each for each in self._plan.stream(number).panels if each.name == name)
        self.requests += 1
        self._asked[number, name] += 1
        attempt = self._asked[number, name]
        if attempt > panel.asked:
            self.wrong.append(f"{number}{name}: asked {attempt} times, {panel.fault or 'no fault'}")
        if wire_of(path) != panel.wire:
            self.wrong.append(f"{number}{name}: asked by {path}, not over {panel.wire}")
        return None if panel.fault == "endless 1xx" else panel.script(attempt)


async def _flood(data: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send it as fast as it is taken. Raises Gone."""
    while not (reader.at_eof() or writer.is_closing()):
        writer.write(data)
        await writer.drain()
    raise Gone


async def _play(script: Script, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Whether the connection stays open. Raises Gone."""
    if script.close_before_headers:
        return False

    def write(data: bytes) -> None:
        if reader.at_eof() or writer.is_closing():
            raise Gone
        writer.write(data)

    write(script.head(stays=True))
    for step in script.steps:
        match step:
            case Send(data):
                write(script.frame(data))
            case Pause(seconds):
                await asyncio.sleep(seconds)
            case Repeat(data, every_seconds):
                while True:
                    write(script.frame(data))
                    await asyncio.sleep(every_seconds)
            case Flood(data):
                await _flood(script.frame(data), reader, writer)
            case Stall():
                await reader.read(1)
                raise Gone
            case Reset():
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
                writer.transport.abort()
                return False
            case Cut():
                return False
            case End():
                break
    write(script.last_frame())
    return True


async def main(seed: int, shortest: float, longest: float) -> None:
    provider = Provider(Plan(seed, shortest, longest))
    server = await asyncio.start_server(provider.serve, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(provider.report()), flush=True)


if __name__ == "__main__":
    _seed, _shortest, _longest = sys.argv[1:]
    uvloop.run(main(int(_seed), float(_shortest), float(_longest)))
