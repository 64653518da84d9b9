"""Record streams from the wire with their timing, and play them back as a provider.

A recording is JSON lines: for each response a head (`path` without its query, `status`, some headers), its chunks
(`at`: seconds since the request; `text`, or `base64` if the bytes are not text; never compressed) and its `end`.

Rule: a recording holds nothing of the request but its path. If the server echoes a credential of the request (from its
headers, its query or its address), asterisks replace it, in any form that JSON or a URL may write it.
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
"""Headers and fields of a query that hold no secret. Their values may appear in a reply, and must stay readable."""
_SECRET_NAMES = re.compile("auth|cookie|key|pass|secret|session|sig|token", re.IGNORECASE)
"""Words in the name of a field that holds a secret, even a short one."""
_SCHEMES = frozenset({"basic", "bearer", "digest", "token"})


class Recording:
    """Pass `client` or `async_client` as `http_client=`; the recording writes what they receive as it arrives.

    A `with` or an `async with` closes both and the file. Leaving it raises ConfigurationError if the file could not be
    written to its end, for example on a full disk: the replies themselves are complete.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fault: OSError | None = None
        self._file: IO[str] = path.open("w", encoding="utf-8")
        self._lock = threading.Lock()
        self._count = 0
        self.client = httpx2.Client(transport=_RecordingTransport(self), timeout=None)
        self.async_client = httpx2.AsyncClient(transport=_AsyncRecordingTransport(self), timeout=None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.client.close()
        with suppress(StopIteration):  # closing it never waits: see its transport
            self.async_client.aclose().send(None)
        with self._lock:
            try:
                self._file.close()  # this writes what is buffered
            except OSError as fault:
                self._fault = self._fault or fault
        if self._fault is not None and error is None:
            raise ConfigurationError(
                f"the recording {self._path} is incomplete: {self._fault.strerror}. Free some space, or choose another "
                "path, and record again"
            ) from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    def begin_tape(self, request: httpx2.Request, response: httpx2.Response, began: float) -> _RecordingTape:
        """Return the tape of one response, with its head written. `began`: when the request was sent."""
        with self._lock:
            self._count += 1
        secrets = _find_credentials(request)
        tape = _RecordingTape(self, self._count, _Asterisks(secrets), began)
        headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
        path = _cover_secrets(request.url.path.encode(), secrets).decode(errors="replace")
        tape.write_fields(msgmodel=VERSION, path=path, status=response.status_code, headers=headers)
        return tape

    def write_line(self, **fields: Any) -> None:
        """Write a line at once. Do nothing after the file is closed or has failed: a recording never breaks a reply."""
        with self._lock:
            if not self._file.closed and self._fault is None:
                try:
                    self._file.write(json.dumps(fields, ensure_ascii=False) + "\n")
                    self._file.flush()
                except OSError as fault:
                    self._fault = fault


class _RecordingTape:
    def __init__(self, recording: Recording, number: int, asterisks: _Asterisks, began: float) -> None:
        self._recording, self._number, self._asterisks = recording, number, asterisks
        self._begin = began
        self._ended = False

    def write_fields(self, **fields: Any) -> None:
        self._recording.write_line(stream=self._number, **fields)

    def write_chunk(self, data: bytes) -> None:
        for at, clean in self._asterisks.feed(monotonic() - self._begin, data):
            self._write_data(at, clean)

    def write_end(self, how: Literal["clean", "broken"]) -> None:
        if not self._ended:
            self._ended = True
            for at, clean in self._asterisks.feed_end():
                self._write_data(at, clean)
            self.write_fields(at=round(monotonic() - self._begin, 6), end=how)

    def _write_data(self, at: float, data: bytes) -> None:
        try:
            self.write_fields(at=round(at, 6), text=data.decode())
        except UnicodeDecodeError:
            self.write_fields(at=round(at, 6), base64=base64.b64encode(data).decode())


class _Asterisks:
    """Put asterisks over credentials, even if one is split in two: a piece that may begin one waits for the next."""

    def __init__(self, secrets: list[bytes]) -> None:
        self._secrets = secrets
        self._waiting: list[tuple[float, bytes, bytes]] = []
        """When each piece arrived, the piece, and the piece with its asterisks so far."""

    def feed(self, at: float, data: bytes) -> list[tuple[float, bytes]]:
        """Return the pieces in which no unfinished secret can begin."""
        self._waiting.append((at, data, data))
        joined = b"".join(piece for _, piece, _ in self._waiting)
        begun = (
            length
            for secret in self._secrets
            for length in range(1, min(len(secret), len(joined) + 1))
            if joined.endswith(secret[:length])
        )
        return self._release_pieces(joined, len(joined) - max(begun, default=0))

    def feed_end(self) -> list[tuple[float, bytes]]:
        joined = b"".join(piece for _, piece, _ in self._waiting)
        return self._release_pieces(joined, len(joined))

    def _release_pieces(self, joined: bytes, sure: int) -> list[tuple[float, bytes]]:
        """Return the pieces that end within `sure` bytes. Pieces that wait keep the asterisks that they have."""
        covered = _cover_secrets(joined, self._secrets)
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


def _cover_secrets(data: bytes, secrets: list[bytes]) -> bytes:
    """Return the data with asterisks over all secrets. They may overlap: each is sought in the original."""
    covered = bytearray(data)
    for secret in secrets:
        at = data.find(secret)
        while at >= 0:
            covered[at : at + len(secret)] = b"*" * len(secret)
            at = data.find(secret, at + 1)
    return bytes(covered)


class _RecordingTransport(httpx2.HTTPTransport):
    def __init__(self, recording: Recording) -> None:
        super().__init__()
        self._recording = recording

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        began = monotonic()
        response = super().handle_request(request)
        return _with_stream(response, _RecordedStream(response, self._recording.begin_tape(request, response, began)))


class _RecordedStream(httpx2.SyncByteStream):
    def __init__(self, response: httpx2.Response, tape: _RecordingTape) -> None:
        self._response, self._tape = response, tape

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._response.iter_bytes():
            self._tape.write_chunk(chunk)
            yield chunk
        self._tape.write_end("clean")

    def close(self) -> None:
        self._tape.write_end("broken")
        self._response.close()


class _AsyncRecordingTransport(httpx2.AsyncHTTPTransport):
    """Keeps no connection: each closes with its response, so nothing stays open that only an event loop could close."""

    def __init__(self, recording: Recording) -> None:
        super().__init__(limits=httpx2.Limits(max_connections=None, max_keepalive_connections=0))
        self._recording = recording

    async def aclose(self) -> None:
        pass

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        began = monotonic()
        response = await super().handle_async_request(request)
        return _with_stream(
            response, _AsyncRecordedStream(response, self._recording.begin_tape(request, response, began))
        )


class _AsyncRecordedStream(httpx2.AsyncByteStream):
    def __init__(self, response: httpx2.Response, tape: _RecordingTape) -> None:
        self._response, self._tape = response, tape

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._response.aiter_bytes():
            self._tape.write_chunk(chunk)
            yield chunk
        self._tape.write_end("clean")

    async def aclose(self) -> None:
        self._tape.write_end("broken")
        await self._response.aclose()


def _with_stream(response: httpx2.Response, stream: httpx2.SyncByteStream | httpx2.AsyncByteStream) -> httpx2.Response:
    """Return the response with the stream as its body, which is no longer compressed."""
    headers = response.headers.copy()
    if "content-encoding" in headers:
        for name in ("content-encoding", "content-length"):
            headers.pop(name, None)
    return httpx2.Response(response.status_code, headers=headers, stream=stream, extensions=response.extensions)


def _find_credentials(request: httpx2.Request) -> list[bytes]:
    """Return what may be secret in a request, in every form of an echo, longest first; its body is left out."""
    fields = [*request.headers.items(), *request.url.params.multi_items()]
    secrets = {
        secret for name, value in fields if name.lower() not in _HARMLESS for secret in _secrets_in_field(name, value)
    }
    secrets |= {word for word in (request.url.username, request.url.password) if len(word) >= 4}
    forms = {form.encode() for secret in secrets for form in _escaped_forms(secret)}
    return sorted(forms, key=len, reverse=True)


def _secrets_in_field(name: str, value: str) -> Iterator[str]:
    """Yield the value, its words, and its base64 content.

    A field whose name suggests a secret counts from 4 characters on, others from 8: shorter values are not secrets, and
    asterisks over them would damage ordinary words.
    """
    least = 4 if _SECRET_NAMES.search(name) else 8
    words = {value, *value.split(), *re.split(r"[\s,;=]+", value)}
    if value.lower().startswith("basic "):
        with suppress(binascii.Error, UnicodeDecodeError):
            both = base64.b64decode(value[6:]).decode()
            words |= {both, *both.split(":", 1)}
    yield from (word for word in words if len(word) >= least and word.lower() not in _SCHEMES)


def _escaped_forms(secret: str) -> Iterator[str]:
    for escaped in (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]):
        yield from (escaped, escaped.replace("/", "\\/"))
    yield from (secret, quote(secret, safe=""), quote_plus(secret))


def record(path: str | Path) -> Recording:
    """Record what providers answer in a file:

        with record("hello.jsonl") as recording:
            query("openai", "hi", http_client=recording.client)

    For the async functions use `recording.async_client`, in a `with` or an `async with`.

    Args:
        path: the file; an older one is replaced.

    Raises:
        ConfigurationError: the file can't be written. On a full disk, the end of the `with` raises it.
    """
    try:
        return Recording(Path(path))
    except OSError as error:
        raise ConfigurationError(f"{path} can't be written: {error.strerror}") from None


@contextmanager
def replay(
    path: str | Path, speed: float = 1.0, cut_at: int | None = None, cut: Literal["clean", "fin", "reset"] = "fin"
) -> Iterator[ScriptedProvider]:
    """Play a recording back as a provider: one stream for each request; the last one repeats forever.

    Args:
        path: a file that `record` wrote.
        speed: 2.0 is twice as fast; 0 or infinity never waits.
        cut_at: bytes of each body after which it is cut; None does not cut.
        cut: how it is cut: cleanly, by a FIN in the middle, or by a reset.

    Raises:
        ConfigurationError: the file can't be read or is not a recording, or the speed is below 0.
    """
    if not speed >= 0:
        raise ConfigurationError("speed must be a number of at least 0")
    scripts = [_script_of_recording(lines, speed, cut_at, cut) for lines in _read_recording(Path(path))]
    with ScriptedProvider() as provider:
        provider.say(*scripts)
        yield provider


def _read_recording(path: Path) -> list[list[dict[str, Any]]]:
    """Return the lines of each response. A last line that a crash cut off is left out."""
    streams: dict[int, list[dict[str, Any]]] = {}
    try:
        *complete, _ = path.read_text("utf-8").split("\n")
        for line in complete:
            fields = json.loads(line)
            streams.setdefault(fields["stream"], []).append(fields)
    except OSError as error:
        raise ConfigurationError(f"{path} can't be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        streams = {}
    if not streams or any(lines[0].get("msgmodel") != VERSION for lines in streams.values()):
        raise ConfigurationError(f"{path} is not a recording of version {VERSION}")
    return [streams[number] for number in sorted(streams)]


def _script_of_recording(lines: list[dict[str, Any]], speed: float, cut_at: int | None, cut: str) -> Script:
    head, *rest = lines
    steps: list[Step] = []
    clock, sent, ended = 0.0, 0, False
    for line in rest:
        if "end" in line:
            ended = line["end"] == "clean"
            break
        data = line["text"].encode() if "text" in line else base64.b64decode(line["base64"])
        if speed and math.isfinite(speed) and line["at"] > clock:
            steps.append(Pause((line["at"] - clock) / speed))
            clock = line["at"]
        left = len(data) if cut_at is None else max(0, cut_at - sent)
        steps.append(Send(data[:left]))
        sent += len(data)
        if len(data) > left or sent == cut_at:
            # The pause lets the client read the data before the reset, which discards what is unread.
            steps += {"clean": (), "fin": (Cut(),), "reset": (Pause(0.05), Reset())}[cut]
            ended = True
            break
    if not ended:
        steps.append(Cut())
    return Script(status=head["status"], headers=head["headers"], steps=tuple(steps))
