"""Streams as they were on the wire, in a file: recorded with their timing, and played back as a provider.

A recording is JSON lines: for each response a head (`path` without its query, `status`, some headers), its chunks
(`at`: seconds since the request; `text`, or `base64` where it is none; never compressed) and its `end`. Rule: nothing
of the request but its path is written, and where the server echoes a credential of the request (from its headers, its
query or its address), asterisks stand in its place, however JSON or a URL may write it.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import IO, Any, Literal, Self
from urllib.parse import quote, quote_plus

import httpx2

from ..errors import ConfigurationError
from .provider import ScriptedProvider
from .server import Cut, Pause, Reset, Script, Send, Step

VERSION = 1
_KEPT_HEADERS = ("content-type", "retry-after", "retry-after-ms")
_HARMLESS = frozenset(
    {
        *("accept", "accept-encoding", "connection", "content-length", "content-type", "host", "user-agent"),
        *("anthropic-version", "api-version", "alt"),
    }
)
"""Headers and fields of a query that hold no secret, though their values may well stand in a reply."""
_TELLING = re.compile("auth|cookie|key|pass|secret|session|sig|token", re.IGNORECASE)
"""In the name of what holds a secret, also a short one."""
_SCHEMES = frozenset({"basic", "bearer", "digest", "token"})


class Recording:
    """`client` and `async_client` go into `http_client=`; what they receive is written as it comes.

    A `with` or an `async with` closes both and the file. Leaving it raises ConfigurationError if the file could not be
    written to its end, as on a full disk: the replies themselves are whole.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fault: OSError | None = None
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
        with suppress(StopIteration):  # what closes it never waits: see its transport
            self.async_client.aclose().send(None)
        with self._lock:
            try:
                self._file.close()  # which writes what is left
            except OSError as fault:
                self._fault = self._fault or fault
        if self._fault is not None and error is None:
            raise ConfigurationError(
                f"the recording {self._path} is not whole: {self._fault.strerror}. Make room, or choose another place, "
                "and record again"
            ) from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    def begin(self, request: httpx2.Request, response: httpx2.Response, began: float) -> _Tape:
        """The tape of one response to a request of that time, with its head written."""
        with self._lock:
            self._count += 1
        secrets = _credentials(request)
        tape = _Tape(self, self._count, _Asterisks(secrets), began)
        headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
        path = _covered(request.url.path.encode(), secrets).decode(errors="replace")
        tape.write(msgmodel=VERSION, path=path, status=response.status_code, headers=headers)
        return tape

    def line(self, **fields: Any) -> None:
        """Write a line at once; nothing once the file is closed, or can't be written: no reply suffers from that."""
        with self._lock:
            if not self._file.closed and self._fault is None:
                try:
                    self._file.write(json.dumps(fields, ensure_ascii=False) + "\n")
                    self._file.flush()
                except OSError as fault:
                    self._fault = fault


class _Tape:
    def __init__(self, recording: Recording, number: int, asterisks: _Asterisks, began: float) -> None:
        self._recording, self._number, self._asterisks = recording, number, asterisks
        self._begin = began
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
    """Put asterisks over credentials, also if one is cut in two: what may be the beginning of one waits."""

    def __init__(self, secrets: list[bytes]) -> None:
        self._secrets = secrets
        self._waiting: list[tuple[float, bytes, bytes]] = []
        """When a piece came, what it is, and the same with the asterisks so far."""

    def feed(self, at: float, data: bytes) -> list[tuple[float, bytes]]:
        """The pieces in which no secret can begin that ends later."""
        self._waiting.append((at, data, data))
        joined = b"".join(piece for _, piece, _ in self._waiting)
        begun = (
            length
            for secret in self._secrets
            for length in range(1, min(len(secret), len(joined) + 1))
            if joined.endswith(secret[:length])
        )
        return self._release(joined, len(joined) - max(begun, default=0))

    def rest(self) -> list[tuple[float, bytes]]:
        joined = b"".join(piece for _, piece, _ in self._waiting)
        return self._release(joined, len(joined))

    def _release(self, joined: bytes, sure: int) -> list[tuple[float, bytes]]:
        """The pieces that end within so many bytes. Those that wait keep the asterisks that they have."""
        covered = _covered(joined, self._secrets)
        waiting, self._waiting, cleaned, begin = self._waiting, [], [], 0
        for at, piece, before in waiting:
            end = begin + len(piece)
            shown = covered[begin:end]
            if before != piece:
                shown = bytes(0x2A if 0x2A in pair else pair[0] for pair in zip(before, shown, strict=True))
            if end <= sure:
                cleaned.append((at, shown))
            else:
                self._waiting.append((at, piece, shown))
            begin = end
        return cleaned


def _covered(data: bytes, secrets: list[bytes]) -> bytes:
    """With asterisks over all of them: each is sought in the data as it came, also where one lies over another."""
    covered = bytearray(data)
    for secret in secrets:
        at = data.find(secret)
        while at >= 0:
            covered[at : at + len(secret)] = b"*" * len(secret)
            at = data.find(secret, at + 1)
    return bytes(covered)


class _Transport(httpx2.HTTPTransport):
    def __init__(self, recording: Recording) -> None:
        super().__init__()
        self._recording = recording

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        began = monotonic()
        response = super().handle_request(request)
        return _decoded(response, _Stream(response, self._recording.begin(request, response, began)))


class _Stream(httpx2.SyncByteStream):
    def __init__(self, response: httpx2.Response, tape: _Tape) -> None:
        self._response, self._tape = response, tape

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._response.iter_bytes():
            self._tape.chunk(chunk)
            yield chunk
        self._tape.end("clean")

    def close(self) -> None:
        self._tape.end("broken")
        self._response.close()


class _AsyncTransport(httpx2.AsyncHTTPTransport):
    """Keeps no connection: each is closed with its response. So nothing is open that only an event loop could close."""

    def __init__(self, recording: Recording) -> None:
        super().__init__(limits=httpx2.Limits(max_connections=None, max_keepalive_connections=0))
        self._recording = recording

    async def aclose(self) -> None:
        pass

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        began = monotonic()
        response = await super().handle_async_request(request)
        return _decoded(response, _AsyncStream(response, self._recording.begin(request, response, began)))


class _AsyncStream(httpx2.AsyncByteStream):
    def __init__(self, response: httpx2.Response, tape: _Tape) -> None:
        self._response, self._tape = response, tape

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._response.aiter_bytes():
            self._tape.chunk(chunk)
            yield chunk
        self._tape.end("clean")

    async def aclose(self) -> None:
        self._tape.end("broken")
        await self._response.aclose()


def _decoded(response: httpx2.Response, stream: httpx2.SyncByteStream | httpx2.AsyncByteStream) -> httpx2.Response:
    """The response whose body is the stream, which is no longer compressed."""
    headers = response.headers.copy()
    if "content-encoding" in headers:
        for name in ("content-encoding", "content-length"):
            headers.pop(name, None)
    return httpx2.Response(response.status_code, headers=headers, stream=stream, extensions=response.extensions)


def _credentials(request: httpx2.Request) -> list[bytes]:
    """All that may be secret in a request but its body, as it is and as others may write it; the longest first."""
    fields = [*request.headers.items(), *request.url.params.multi_items()]
    secrets = {secret for name, value in fields if name.lower() not in _HARMLESS for secret in _secrets(name, value)}
    secrets |= {word for word in (request.url.username, request.url.password) if len(word) >= 4}
    forms = {form.encode() for secret in secrets for form in _forms(secret)}
    return sorted(forms, key=len, reverse=True)


def _secrets(name: str, value: str) -> Iterator[str]:
    """The value, its words, and what it says in base64. Others than keys count from 8 characters on: shorter ones are
    no secrets, and would tear words apart."""
    least = 4 if _TELLING.search(name) else 8
    words = {value, *value.split(), *re.split(r"[\s,;=]+", value)}
    if value.lower().startswith("basic "):
        with suppress(binascii.Error, UnicodeDecodeError):
            both = base64.b64decode(value[6:]).decode()
            words |= {both, *both.split(":", 1)}
    yield from (word for word in words if len(word) >= least and word.lower() not in _SCHEMES)


def _forms(secret: str) -> Iterator[str]:
    for escaped in (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]):
        yield from (escaped, escaped.replace("/", "\\/"))
    yield from (secret, quote(secret, safe=""), quote_plus(secret))


def record(path: str | Path) -> Recording:
    """Records what providers answer, to `path`, which is written anew:

        with record("hello.jsonl") as recording:
            query("openai", "hi", http_client=recording.client)

    For the async functions `recording.async_client`, in a `with` or an `async with`. Raises ConfigurationError when the
    file can't be written; on a full disk, when the `with` is left.
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
