"""A provider that replays: OpenAI's, Anthropic's and Gemini's wires, as fast as they are read or at a true speed.

The model's name carries the load, `replay-CHUNKS-DELAY-TOGETHER`: how many chunks; the microseconds between two of
them, 0 for as fast as they are read; and how many such streams begin to flow at once. Until so many are open each has
sent its first chunk only, so what it takes to open them stays apart from what it takes to read them.

All frames are made before they are asked for, and each is a chunk of HTTP's, as providers send them.

    python bench/replay.py FOLDER      prints its two ports, http and https; FOLDER/certificate.pem is whom to trust
"""

from __future__ import annotations

import asyncio
import json
import re
import resource
import ssl
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import uvloop

WORDS = (" lamp", " tree", " rain", " moon", " bird", " salt", " wind", " fern")
CHUNK_CHARS = 5
"""All words are of one length, so that a number of characters is a number of chunks, whoever joins them."""

_NAME = re.compile(r"replay-(\d+)-(\d+)-(\d+)")
_GROUP = 8
"""Frames of one write where they go as fast as they are read."""


def text(chunks: int) -> str:
    """Return the text of such a reply."""
    return "".join(WORDS) * (chunks // len(WORDS)) + "".join(WORDS[: chunks % len(WORDS)])


def name(chunks: int, delay_us: int = 0, together: int = 1) -> str:
    """Return the model name of a load."""
    return f"replay-{chunks}-{delay_us}-{together}"


class Reply(NamedTuple):
    """A reply in frames. `frames` are the chunks of text; `groups` are the same, joined, for loads without a delay."""

    head: bytes
    frames: list[bytes]
    groups: list[bytes]
    tail: bytes


_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)


def _framed(*events: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(event), event) for event in events)


def _openai(chunks: int, model: str) -> tuple[list[bytes], list[bytes], list[bytes]]:
    base = {"id": "chatcmpl-C1x2", "object": "chat.completion.chunk", "created": 1795000000, "model": model}
    base |= {"service_tier": "default", "system_fingerprint": "fp_44709d6fcb"}

    def event(choices: list[dict[str, Any]], usage: dict[str, int] | None = None) -> bytes:
        data = base | {"choices": choices, "usage": usage, "obfuscation": "aB3xYz9Q"}
        return b"data: %b\n\n" % json.dumps(data, separators=(",", ":")).encode()

    def choice(delta: dict[str, Any], reason: str | None = None) -> list[dict[str, Any]]:
        return [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]

    usage = {"prompt_tokens": 9, "completion_tokens": chunks, "total_tokens": chunks + 9}
    texts = [event(choice({"content": word})) for word in WORDS]
    return (
        [event(choice({"role": "assistant", "content": "", "refusal": None}))],
        texts,
        [event(choice({}, "stop")), event([], usage), b"data: [DONE]\n\n"],
    )


def _anthropic(chunks: int, model: str) -> tuple[list[bytes], list[bytes], list[bytes]]:
    def event(kind: str, **data: Any) -> bytes:
        return f"event: {kind}\ndata: {json.dumps({'type': kind, **data}, separators=(',', ':'))}\n\n".encode()

    message = {"id": "msg_01", "type": "message", "role": "assistant", "model": model, "content": []}
    message |= {"stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 9, "output_tokens": 1}}
    texts = [event("content_block_delta", index=0, delta={"type": "text_delta", "text": word}) for word in WORDS]
    return (
        [
            event("message_start", message=message),
            event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
            event("ping"),
        ],
        texts,
        [
            event("content_block_stop", index=0),
            event(
                "message_delta",
                delta={"stop_reason": "end_turn", "stop_sequence": None},
                usage={"output_tokens": chunks},
            ),
            event("message_stop"),
        ],
    )


def _gemini(chunks: int, model: str) -> tuple[list[bytes], list[bytes], list[bytes]]:
    def event(word: str, **more: Any) -> bytes:
        candidate = {"content": {"parts": [{"text": word}], "role": "model"}, "index": 0, **more}
        usage = {"promptTokenCount": 9, "candidatesTokenCount": chunks, "totalTokenCount": chunks + 9}
        usage |= {"promptTokensDetails": [{"modality": "TEXT", "tokenCount": 9}]}
        data = {"candidates": [candidate], "usageMetadata": usage, "modelVersion": model, "responseId": "r1"}
        return b"data: %b\r\n\r\n" % json.dumps(data, separators=(",", ":")).encode()

    return [], [event(word) for word in WORDS], [event("", finishReason="STOP")]


_WIRES = {"openai": _openai, "anthropic": _anthropic, "gemini": _gemini}


@cache
def reply(wire: str, chunks: int, model: str) -> Reply:
    begin, texts, end = _WIRES[wire](chunks, model)
    words = [_framed(each) for each in texts]
    frames = [words[number % len(words)] for number in range(chunks)]
    groups = [b"".join(frames[at : at + _GROUP]) for at in range(0, chunks, _GROUP)]
    return Reply(_HEAD + _framed(*begin), frames, groups, _framed(*end) + b"0\r\n\r\n")


class Connection(asyncio.Protocol):
    """One connection, with one request after the other."""

    waiting: ClassVar[dict[str, list[Connection]]] = {}
    """By model: the streams that wait until as many as shall flow together are open."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._heard = b""
        self._paused = self._gone = False
        self._model = ""
        self._groups: list[bytes] = []

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self._gone = True
        if self in (waiting := self.waiting.get(self._model, [])):
            waiting.remove(self)

    def data_received(self, data: bytes) -> None:
        self._heard += data
        head, blank, body = self._heard.partition(b"\r\n\r\n")
        if not blank:
            return
        length = re.search(rb"content-length: *(\d+)", head, re.I)
        if length is None:
            raise ValueError(f"a request without a length: {head!r}")
        if len(body) >= int(length[1]):
            self._heard = b""
            self._answer(head.partition(b"\r\n")[0].decode(), body)

    def _answer(self, line: str, body: bytes) -> None:
        if "/messages" in line:
            wire = "anthropic"
        elif "enerateContent" in line:
            wire = "gemini"
        else:
            wire = "openai"
        load = _NAME.search(line if wire == "gemini" else json.loads(body)["model"])
        if load is None:
            raise ValueError(f"not a load: {line}")
        chunks, delay, together = map(int, load.groups())
        self._model = load[0]
        self._reply = reply(wire, chunks, load[0])
        if not delay:
            self._transport.write(self._reply.head)
            self._groups = self._reply.groups[::-1]
            self._pour()
            return
        self._transport.write(self._reply.head + self._reply.frames[0])
        self._said, self._delay = 1, delay / 1e6
        waiting = self.waiting.setdefault(self._model, [])
        waiting.append(self)
        if len(waiting) == together:
            for number, stream in enumerate(waiting):
                # Each at a moment of its own, as real streams know nothing of each other.
                stream.flow(0.1 + (number * 0.618034 % 1.0) * self._delay)
            waiting.clear()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        if self._groups:
            self._pour()

    def _pour(self) -> None:
        while self._groups and not self._paused:
            self._transport.write(self._groups.pop())
        if not self._groups:
            self._transport.write(self._reply.tail)

    def flow(self, after: float) -> None:
        """Send at its speed, starting so many seconds from now."""
        self._start = self._loop.time() + after - self._delay
        self._loop.call_later(after, self._speak)

    def _speak(self) -> None:
        if self._gone:
            return
        frames, now = self._reply.frames, self._loop.time()
        # At least one: the clock of the loop may ring a little early.
        while True:
            self._transport.write(frames[self._said])
            self._said += 1
            if self._said == len(frames):
                self._transport.write(self._reply.tail)
                return
            if (due := self._start + self._said * self._delay) > now:
                self._loop.call_later(due - now, self._speak)
                return


def certificate(folder: Path) -> ssl.SSLContext:
    """Create a self-signed certificate for 127.0.0.1, in directory/certificate.pem."""
    key, pem = folder / "key.pem", folder / "certificate.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    command += " -addext subjectAltName=IP:127.0.0.1,DNS:localhost -keyout"
    subprocess.run([*command.split(), key, "-out", pem], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    return context


async def main(folder: Path) -> None:
    loop = asyncio.get_running_loop()
    plain = await loop.create_server(Connection, "127.0.0.1", 0, backlog=4096)
    secure = await loop.create_server(Connection, "127.0.0.1", 0, backlog=4096, ssl=certificate(folder))
    print(*(server.sockets[0].getsockname()[1] for server in (plain, secure)), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    uvloop.run(main(Path(sys.argv[1])))
