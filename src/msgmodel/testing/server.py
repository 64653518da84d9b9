"""A scripted provider: exact bytes, and exact faults, on a real loopback socket.

Raw sockets and threads, no HTTP library, so that every way in which a reply can end badly is really
on the wire: a reset, a FIN in the middle of a chunked body, a silence, a flood. One thread serves
one connection; none outlives `ScriptedServer.close`.

A hang-up is the client closing its end (FIN or reset) while an answer is owed to it: while the
server sends, pauses or stalls. A client that leaves between two answers has not hung up.
"""

import json
import selectors
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Any, Literal, NoReturn, Self, TypeAlias

BACKLOG = 1024
READ_SIZE = 1 << 18
ENDLESS = 1 << 40
RESET_ON_CLOSE = struct.pack("ii", 1, 0)

# Poll takes no file descriptor of its own: hundreds of connections fit the usual limit of 1024.
_Selector: type[selectors.BaseSelector] = getattr(selectors, "PollSelector", selectors.SelectSelector)


@dataclass(frozen=True)
class Send:
    """Write these bytes at once: one write, and one chunk when the framing is chunked."""

    data: bytes


@dataclass(frozen=True)
class Pause:
    """Be silent for a while, then go on."""

    seconds: float


@dataclass(frozen=True)
class Stall:
    """Hold the connection open, silent, until the client hangs up or the server closes."""


@dataclass(frozen=True)
class Repeat:
    """Send the same bytes at an interval, for ever: a provider that only pings."""

    data: bytes
    every_seconds: float


@dataclass(frozen=True)
class Flood:
    """Send the same bytes for ever, as fast as the client takes them."""

    data: bytes


@dataclass(frozen=True)
class Reset:
    """Close with RST. Linux still delivers what was sent before; elsewhere put a Pause first."""


@dataclass(frozen=True)
class Cut:
    """Close with FIN before the body is whole: no last chunk, or Content-Length not reached."""


@dataclass(frozen=True)
class End:
    """End the body as the framing says. Implied after the last step."""


Step: TypeAlias = Send | Pause | Stall | Repeat | Flood | Reset | Cut | End
Framing: TypeAlias = Literal["chunked", "length", "close"]


def _event_stream() -> dict[str, str]:
    return {"content-type": "text/event-stream"}


@dataclass(frozen=True)
class Script:
    """One answer. Framing "close" means neither chunks nor length: only the FIN ends the body."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=_event_stream)
    framing: Framing = "chunked"
    steps: tuple[Step, ...] = ()
    keep_alive: bool = True
    stall_before_headers: bool = False
    close_before_headers: bool = False

    @classmethod
    def body(
        cls,
        data: bytes,
        pieces: int | list[int] | None = None,
        framing: Framing = "chunked",
    ) -> Self:
        """A good answer: the data whole, in pieces of n bytes, or cut at the given offsets."""
        return cls(framing=framing, steps=tuple(Send(piece) for piece in cut(data, pieces)))

    @classmethod
    def json(cls, status: int, obj: object, headers: Mapping[str, str] | None = None) -> Self:
        """A good answer that is one JSON document, as providers send their errors."""
        return cls(
            status=status,
            headers={"content-type": "application/json", **(headers or {})},
            framing="length",
            steps=(Send(json.dumps(obj, ensure_ascii=False).encode()),),
        )

    def head(self, *, stays: bool) -> bytes:
        """The status line and the headers; a header of the script wins over the computed one."""
        headers = {"connection": "keep-alive" if stays else "close"}
        if self.framing == "chunked":
            headers["transfer-encoding"] = "chunked"
        elif self.framing == "length":
            headers["content-length"] = str(self._promised_length())
        headers.update((name.lower(), value) for name, value in self.headers.items())
        lines = [f"HTTP/1.1 {self.status} {_phrase(self.status)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def frame(self, data: bytes) -> bytes:
        """The data as it goes on the wire."""
        if self.framing == "chunked" and data:
            return b"%x\r\n%b\r\n" % (len(data), data)
        return data  # an empty chunk would end the body

    def last_frame(self) -> bytes:
        """What a proper end puts on the wire."""
        return b"0\r\n\r\n" if self.framing == "chunked" else b""

    def _promised_length(self) -> int:
        """The bytes of all Sends, and more where the steps never keep the promise."""
        length = 0
        for step in self.steps:
            match step:
                case Send(data):
                    length += len(data)
                case Repeat() | Flood():
                    return ENDLESS
                case Stall() | Reset() | Cut():
                    return length + 1
                case End():
                    break
        return length


def cut(data: bytes, pieces: int | Sequence[int] | None) -> list[bytes]:
    """The data whole, in pieces of n bytes, or cut at the given offsets."""
    if pieces is None:
        offsets: Sequence[int] = ()
    elif isinstance(pieces, int):
        offsets = range(pieces, len(data), pieces)
    else:
        offsets = sorted(pieces)
    return [data[a:b] for a, b in zip([0, *offsets], [*offsets, len(data)], strict=True)]


@dataclass(frozen=True)
class Received:
    """A request as it came in. Header names are lower case; `path` includes the query."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class ScriptedServer:
    """Listens on a free port of the loopback and answers request after request as it was told."""

    def __init__(self) -> None:
        self.accepted = 0
        """Connections accepted since the start."""
        self._lock = threading.Condition()
        self._queue: deque[Script | Callable[[Received], Script]] = deque()
        self._last: Script | Callable[[Received], Script] = Script.json(
            500, {"error": {"message": "nothing was scripted"}}
        )
        self._requests: list[Received] = []
        self._hangups: list[float] = []
        self._open = 0
        self._threads: list[threading.Thread] = []
        self._closing = threading.Event()
        # Every thread watches one end; closing the other wakes them all.
        self._stop_watched, self._stop_closed = socket.socketpair()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
        self._listener.setblocking(False)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._acceptor = threading.Thread(target=self._accept, name="scripted", daemon=True)
        self._acceptor.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Drop every connection and wait for every thread. May be called twice."""
        self._closing.set()
        self._stop_closed.close()
        self._acceptor.join()
        for thread in self._threads:
            thread.join()
        self._listener.close()
        self._stop_watched.close()

    def say(self, *scripts: Script | Callable[[Received], Script]) -> None:
        """Queue answers, or what makes one from a request; one for each in turn, the last one for ever."""
        with self._lock:
            self._queue.extend(scripts)

    def forget(self) -> None:
        """Take back what is queued and was not yet said."""
        with self._lock:
            self._queue.clear()

    @property
    def requests(self) -> list[Received]:
        """The requests so far, in the order in which they were complete."""
        with self._lock:
            return list(self._requests)

    @property
    def hangups(self) -> list[float]:
        """`time.monotonic()` of each hang-up so far."""
        with self._lock:
            return list(self._hangups)

    @property
    def open_connections(self) -> int:
        """How many accepted sockets are open now."""
        with self._lock:
            return self._open

    def wait_hangup(self, timeout: float = 5.0, count: int = 1) -> float:
        """Wait for the count-th hang-up since the start; `time.monotonic()` of it."""
        self._wait_until(lambda: len(self._hangups) >= count, timeout, "hang-up")
        return self.hangups[count - 1]

    def wait_open_connections(self, count: int, timeout: float = 5.0) -> None:
        """Wait until exactly this many connections are open."""
        self._wait_until(lambda: self._open == count, timeout, f"{count} open connections")

    def _wait_until(self, holds: Callable[[], bool], timeout: float, what: str) -> None:
        with self._lock:
            if not self._lock.wait_for(holds, timeout):
                raise TimeoutError(f"no {what} within {timeout} s")

    def _accept(self) -> None:
        with _Selector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._stop_watched, selectors.EVENT_READ)
            while not self._closing.is_set():
                selector.select()
                try:
                    connection, _ = self._listener.accept()
                except (BlockingIOError, ConnectionError):
                    continue
                self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        with self._lock:
            self.accepted += 1
            self._open += 1
            self._lock.notify_all()
        served = _Connection(connection, self, self._stop_watched, self._closing)
        thread = threading.Thread(target=served.run, name="scripted connection", daemon=True)
        self._threads = [*(t for t in self._threads if t.is_alive()), thread]
        thread.start()

    def _answer_to(self, received: Received) -> Script:
        """For a connection: note the request and take the next script."""
        with self._lock:
            self._requests.append(received)
            if self._queue:
                self._last = self._queue.popleft()
            answer = self._last
        return answer if isinstance(answer, Script) else answer(received)

    def _note_hangup(self) -> None:
        """For a connection whose client hung up."""
        with self._lock:
            self._hangups.append(time.monotonic())
            self._lock.notify_all()

    def _note_closed(self) -> None:
        """For a connection that has closed its socket."""
        with self._lock:
            self._open -= 1
            self._lock.notify_all()


class _HungUp(Exception):
    """The client closed its end."""


class _Closing(Exception):
    """The server is being closed."""


class _Connection:
    """One socket and its thread. Every wait also watches for the client's hang-up."""

    def __init__(
        self,
        connection: socket.socket,
        server: ScriptedServer,
        stop: socket.socket,
        closing: threading.Event,
    ) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = connection
        self._server = server
        self._closing = closing
        self._incoming = bytearray()
        self._selector = _Selector()
        self._selector.register(connection, selectors.EVENT_READ)
        self._selector.register(stop, selectors.EVENT_READ)

    def run(self) -> None:
        try:
            while True:
                received = self._read_request()
                script = self._server._answer_to(received)
                try:
                    stays = self._answer(received, script)
                except _HungUp:
                    self._server._note_hangup()
                    return
                if not stays:
                    return
        except (_HungUp, _Closing):
            pass
        finally:
            self._selector.close()
            self._socket.close()
            self._server._note_closed()

    def _answer(self, received: Received, script: Script) -> bool:
        """Play the script; tell whether the connection stays open for another request."""
        if script.close_before_headers:
            return False
        if script.stall_before_headers:
            self._stall()
        stays = (
            script.keep_alive
            and script.framing != "close"
            and received.headers.get("connection", "").lower() != "close"
        )
        self._write(script.head(stays=stays))
        for step in script.steps:
            match step:
                case Send(data):
                    self._write(script.frame(data))
                case Pause(seconds):
                    self._pause(seconds)
                case Stall():
                    self._stall()
                case Repeat(data, every_seconds):
                    while True:
                        self._write(script.frame(data))
                        self._pause(every_seconds)
                case Flood(data):
                    frame = script.frame(data)
                    while True:
                        self._write(frame)
                case Reset():
                    self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
                    return False
                case Cut():
                    return False
                case End():
                    break
        self._write(script.last_frame())
        return stays

    def _read_request(self) -> Received:
        while (end := self._incoming.find(b"\r\n\r\n")) < 0:
            self._watch()
        request_line, *lines = self._take(end + 4).decode("latin-1").rstrip("\r\n").split("\r\n")
        method, path, _ = request_line.split(" ")
        headers: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        if "transfer-encoding" in headers:
            raise NotImplementedError("a chunked request: no provider client sends one")
        length = int(headers.get("content-length", "0"))
        while len(self._incoming) < length:
            self._watch()
        return Received(method, path, headers, self._take(length))

    def _take(self, length: int) -> bytes:
        taken = bytes(self._incoming[:length])
        del self._incoming[:length]
        return taken

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            self._look()
            try:
                view = view[self._socket.send(view) :]
            except BlockingIOError:
                self._watch_until_writable()
            except ConnectionError:
                raise _HungUp from None

    def _pause(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._watch(left)

    def _stall(self) -> NoReturn:
        while True:
            self._watch()

    def _watch_until_writable(self) -> None:
        self._selector.modify(self._socket, selectors.EVENT_READ | selectors.EVENT_WRITE)
        self._watch()
        self._selector.modify(self._socket, selectors.EVENT_READ)

    def _watch(self, timeout: float | None = None) -> None:
        """Sleep until something happens on the socket, or the time is over."""
        self._selector.select(timeout)
        self._look()

    def _look(self) -> None:
        """Keep what the client has sent meanwhile; raise if it hung up or the server closes."""
        if self._closing.is_set():
            raise _Closing
        try:
            data = self._socket.recv(READ_SIZE)
        except BlockingIOError:
            return
        except ConnectionError:
            raise _HungUp from None
        if not data:
            raise _HungUp
        self._incoming += data


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:  # 529 is Anthropic's own
        return "Unknown"
