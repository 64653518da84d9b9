"""Streams as they were on the wire, in a file: recorded with their timing, and played back as a provider.

A recording is JSON lines: for each response a head (`path` without its query, `status`, some headers), its chunks
(`at`: seconds since the request; `text`, or `base64` where it is none) and its `end`. Rule: nothing of the request but
its path is written, and where the server echoes a credential of the request, asterisks stand in its place.
"""

from __future__ import annotations

import base64
import json
import math
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import IO, Any, Literal, Self

import httpx2

from ..errors import ConfigurationError
from .provider import ScriptedProvider
from .server import Cut, Pause, Reset, Script, Send, Step

VERSION = 1
_KEPT_HEADERS = ("content-type", "retry-after", "retry-after-ms")
_HARMLESS = ("accept", "accept-encoding", "connection", "content-length", "content-type", "host", "user-agent")


class Recording:
    """`client` and `async_client` go into `http_client=`; what they receive is written as it comes."""

    def __init__(self, path: Path) -> None:
        self._file: IO[str] = path.open("w", encoding="utf-8")
        self._lock = threading.Lock()
        self._count = 0
        self.client = httpx2.Client(transport=_Transport(self), timeout=None)
        self.async_client = httpx2.AsyncClient(transport=_AsyncTransport(self), timeout=None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.client.close()
        with self._lock:
            self._file.close()

    def begin(self, request: httpx2.Request, response: httpx2.Response) -> _Tape:
        """The tape of one response, with its head written."""
        with self._lock:
            self._count += 1
        tape = _Tape(self, self._count, _Asterisks(_credentials(request)))
        headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
        tape.write(msgmodel=VERSION, path=request.url.path, status=response.status_code, headers=headers)
        return tape

    def line(self, **fields: Any) -> None:
        """Writes a line at once; nothing any more once the file is closed."""
        with self._lock:
            if not self._file.closed:
                self._file.write(json.dumps(fields, ensure_ascii=False) + "\n")
                self._file.flush()


class _Tape:
    def __init__(self, recording: Recording, number: int, asterisks: _Asterisks) -> None:
        self._recording, self._number, self._asterisks = recording, number, asterisks
        self._begin = monotonic()
        self._ended = False

    def write(self, **fields: Any) -> None:
        self._recording.line(stream=self._number, **fields)

    def chunk(self, data: bytes) -> None:
        for at, clean in self._asterisks.feed(monotonic() - self._begin, data):
            self._chunk(at, clean)

    def end(self, how: Literal["clean", "broken"]) -> None:
        if not self._ended:
            self._ended = True
            for at, clean in self._asterisks.rest():
                self._chunk(at, clean)
            self.write(at=round(monotonic() - self._begin, 6), end=how)

    def _chunk(self, at: float, data: bytes) -> None:
        try:
            self.write(at=round(at, 6), text=data.decode())
        except UnicodeDecodeError:
            self.write(at=round(at, 6), base64=base64.b64encode(data).decode())


class _Asterisks:
    """Puts asterisks over credentials, also where one is cut in two: what may be the beginning of one waits."""

    def __init__(self, secrets: list[bytes]) -> None:
        self._secrets = secrets
        self._waiting: list[tuple[float, bytes]] = []

    def feed(self, at: float, data: bytes) -> list[tuple[float, bytes]]:
        self._waiting.append((at, data))
        joined = b"".join(piece for _, piece in self._waiting)
        for secret in self._secrets:
            if any(joined.endswith(secret[:length]) for length in range(1, min(len(secret), len(joined) + 1))):
                return []
        return self.rest()

    def rest(self) -> list[tuple[float, bytes]]:
        joined = b"".join(piece for _, piece in self._waiting)
        for secret in self._secrets:
            joined = joined.replace(secret, b"*" * len(secret))
        cleaned, begin = [], 0
        for at, piece in self._waiting:
            cleaned.append((at, joined[begin : begin + len(piece)]))
            begin += len(piece)
        self._waiting = []
        return cleaned


class _Transport(httpx2.HTTPTransport):
    def __init__(self, recording: Recording) -> None:
        super().__init__()
        self._recording = recording

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        response = super().handle_request(request)
        assert isinstance(response.stream, httpx2.SyncByteStream)
        response.stream = _Stream(response.stream, self._recording.begin(request, response))
        return response


class _Stream(httpx2.SyncByteStream):
    def __init__(self, stream: httpx2.SyncByteStream, tape: _Tape) -> None:
        self._stream, self._tape = stream, tape

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            self._tape.chunk(chunk)
            yield chunk
        self._tape.end("clean")

    def close(self) -> None:
        self._tape.end("broken")
        self._stream.close()


class _AsyncTransport(httpx2.AsyncHTTPTransport):
    def __init__(self, recording: Recording) -> None:
        super().__init__()
        self._recording = recording

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await super().handle_async_request(request)
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _AsyncStream(response.stream, self._recording.begin(request, response))
        return response


class _AsyncStream(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, tape: _Tape) -> None:
        self._stream, self._tape = stream, tape

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            self._tape.chunk(chunk)
            yield chunk
        self._tape.end("clean")

    async def aclose(self) -> None:
        self._tape.end("broken")
        await self._stream.aclose()


def _credentials(request: httpx2.Request) -> list[bytes]:
    """The values of all headers that may be secret, without the word before them."""
    values = [value for name, value in request.headers.items() if name.lower() not in _HARMLESS]
    return [value.rpartition(" ")[2].encode() for value in values if len(value.rpartition(" ")[2]) >= 8]


def record(path: str | Path) -> Recording:
    """Records what providers answer, to `path`, which is written anew:

        with record("hello.jsonl") as recording:
            query("openai", "hi", http_client=recording.client)

    For the async functions `recording.async_client`. Raises ConfigurationError when the file can't be written.
    """
    try:
        return Recording(Path(path))
    except OSError as error:
        raise ConfigurationError(f"{path} can't be written: {error.strerror}") from None


@contextmanager
def replay(
    path: str | Path, speed: float = 1.0, cut_at: int | None = None, cut: Literal["clean", "fin", "reset"] = "fin"
) -> Iterator[ScriptedProvider]:
    """A provider that plays a recording back: its streams, one to each request, the last one for ever.

    speed: 2.0 is twice as fast; 0 or infinity waits for nothing. cut_at: bytes of each body after which it is cut, as
    `cut` says. Raises ConfigurationError for what is no recording.
    """
    if not speed >= 0:
        raise ConfigurationError("speed must be a number of at least 0")
    scripts = [_script(lines, speed, cut_at, cut) for lines in _read(Path(path))]
    with ScriptedProvider() as provider:
        provider.say(*scripts)
        yield provider


def _read(path: Path) -> list[list[dict[str, Any]]]:
    """The lines of each response. A line that a crash cut off is left out."""
    streams: dict[int, list[dict[str, Any]]] = {}
    try:
        *whole, _ = path.read_text("utf-8").split("\n")
        for line in whole:
            fields = json.loads(line)
            streams.setdefault(fields["stream"], []).append(fields)
    except OSError as error:
        raise ConfigurationError(f"{path} can't be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        streams = {}
    if not streams or any(lines[0].get("msgmodel") != VERSION for lines in streams.values()):
        raise ConfigurationError(f"{path} is no recording of version {VERSION}")
    return [streams[number] for number in sorted(streams)]


def _script(lines: list[dict[str, Any]], speed: float, cut_at: int | None, cut: str) -> Script:
    head, *rest = lines
    steps: list[Step] = []
    clock, sent, whole = 0.0, 0, False
    for line in rest:
        if "end" in line:
            whole = line["end"] == "clean"
            break
        data = line["text"].encode() if "text" in line else base64.b64decode(line["base64"])
        if speed and math.isfinite(speed) and line["at"] > clock:
            steps.append(Pause((line["at"] - clock) / speed))
            clock = line["at"]
        left = len(data) if cut_at is None else max(0, cut_at - sent)
        steps.append(Send(data[:left]))
        sent += len(data)
        if len(data) > left or sent == cut_at:
            steps += {"clean": (), "fin": (Cut(),), "reset": (Pause(0.05), Reset())}[cut]
            whole = True
            break
    if not whole:
        steps.append(Cut())
    return Script(status=head["status"], headers=head["headers"], steps=tuple(steps))
