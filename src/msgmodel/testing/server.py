"""A scripted server: exact bytes, and exact faults, on a real loopback socket.

It uses raw sockets and threads and no HTTP library, so that every way in which a reply can end badly is really on the
wire: a reset, a FIN in the middle of a chunked body, a silence, a flood. One thread serves one connection; no thread
outlives `ScriptedServer.close`.

A hang-up is the client closing its end (FIN or reset) while the server owes it a response: while the server sends,
pauses or stalls. A client that leaves between two responses has not hung up.
"""

import selectors
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import NoReturn, Self

from .script import Cut as Cut
from .script import End as End
from .script import Flood as Flood
from .script import Framing as Framing
from .script import Pause as Pause
from .script import Received as Received
from .script import Repeat as Repeat
from .script import Reset as Reset
from .script import Script as Script
from .script import Send as Send
from .script import Stall as Stall
from .script import Step as Step

BACKLOG = 1024
READ_SIZE = 1 << 18
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER of 0 seconds: `close` then sends RST instead of FIN."""

# Poll takes no file descriptor of its own: hundreds of connections fit the usual limit of 1024.
_Selector: type[selectors.BaseSelector] = getattr(selectors, "PollSelector", selectors.SelectSelector)


class ScriptedServer:
    """Listens on a free port of the loopback, and answers each request with the next script."""

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
        self._listener.setblocking(False)  # a client may reset between `select` and `accept`, which would block then
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._acceptor = threading.Thread(target=self._accept_connections, name="scripted", daemon=True)
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
        """Drop every connection and wait for every thread. A second call does nothing."""
        self._closing.set()
        self._stop_closed.close()
        self._acceptor.join()
        for thread in self._threads:
            thread.join()
        self._listener.close()
        self._stop_watched.close()

    def say(self, *scripts: Script | Callable[[Received], Script]) -> None:
        """Queue scripts, or functions that make one: one for each request; the last one repeats forever."""
        with self._lock:
            self._queue.extend(scripts)

    def forget(self) -> None:
        """Drop the scripts in the queue."""
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
        """The number of accepted sockets that are open now."""
        with self._lock:
            return self._open

    def wait_hangup(self, timeout: float = 5.0, count: int = 1) -> float:
        """Wait for the count-th hang-up since the start, and return its `time.monotonic()`."""
        self._wait_until(lambda: len(self._hangups) >= count, timeout, "hang-up")
        return self.hangups[count - 1]

    def wait_open_connections(self, count: int, timeout: float = 5.0) -> None:
        """Wait until exactly this many connections are open."""
        self._wait_until(lambda: self._open == count, timeout, f"{count} open connections")

    def _wait_until(self, holds: Callable[[], bool], timeout: float, what: str) -> None:
        with self._lock:
            if not self._lock.wait_for(holds, timeout):
                raise TimeoutError(f"no {what} within {timeout} s")

    def _accept_connections(self) -> None:
        with _Selector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._stop_watched, selectors.EVENT_READ)
            while not self._closing.is_set():
                selector.select()
                try:
                    connection, _ = self._listener.accept()
                except (BlockingIOError, ConnectionError):
                    continue
                self._start_connection(connection)

    def _start_connection(self, connection: socket.socket) -> None:
        with self._lock:
            self.accepted += 1
            self._open += 1
            self._lock.notify_all()
        served = _Connection(connection, self, self._stop_watched, self._closing)
        thread = threading.Thread(target=served.serve_requests, name="scripted connection", daemon=True)
        # Drop finished threads: a load test makes many thousand connections.
        self._threads = [*(t for t in self._threads if t.is_alive()), thread]
        thread.start()

    def _next_script(self, received: Received) -> Script:
        """Keep the request, and return the next script for it."""
        with self._lock:
            self._requests.append(received)
            if self._queue:
                self._last = self._queue.popleft()
            answer = self._last
        return answer if isinstance(answer, Script) else answer(received)

    def _note_hangup(self) -> None:
        """Count a connection whose client hung up."""
        with self._lock:
            self._hangups.append(time.monotonic())
            self._lock.notify_all()

    def _note_closed(self) -> None:
        """Count a connection that has closed its socket."""
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
        # Without this, Nagle's algorithm would hold a small piece back until the client acknowledges the one before.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = connection
        self._server = server
        self._closing = closing
        self._incoming = bytearray()
        self._selector = _Selector()
        self._selector.register(connection, selectors.EVENT_READ)
        self._selector.register(stop, selectors.EVENT_READ)

    def serve_requests(self) -> None:
        try:
            while True:
                received = self._read_request()
                script = self._server._next_script(received)
                try:
                    keep_open = self._play_script(received, script)
                except _HungUp:
                    self._server._note_hangup()
                    return
                if not keep_open:
                    return
        except (_HungUp, _Closing):
            pass
        finally:
            self._selector.close()
            self._socket.close()
            self._server._note_closed()

    def _play_script(self, received: Received, script: Script) -> bool:
        """Play the script; return whether the connection stays open for another request."""
        if script.close_before_headers:
            return False
        if script.stall_before_headers:
            self._wait_for_hangup()
        keep_open = (
            script.keep_alive
            and script.framing != "close"
            and received.headers.get("connection", "").lower() != "close"
        )
        self._write_all(script.head(stays=keep_open))
        for step in script.steps:
            match step:
                case Send(data):
                    self._write_all(script.frame(data))
                case Pause(seconds):
                    self._stay_silent(seconds)
                case Stall():
                    self._wait_for_hangup()
                case Repeat(data, every_seconds):
                    while True:
                        self._write_all(script.frame(data))
                        self._stay_silent(every_seconds)
                case Flood(data):
                    frame = script.frame(data)
                    while True:
                        self._write_all(frame)
                case Reset():
                    self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
                    return False
                case Cut():
                    return False
                case End():
                    break
        self._write_all(script.last_frame())
        return keep_open

    def _read_request(self) -> Received:
        while (end := self._incoming.find(b"\r\n\r\n")) < 0:
            self._wait_for_event()
        request_line, *lines = self._take_bytes(end + 4).decode("latin-1").rstrip("\r\n").split("\r\n")
        method, path, _ = request_line.split(" ")
        headers: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        if "transfer-encoding" in headers:
            raise NotImplementedError("a chunked request: no provider client sends one")
        length = int(headers.get("content-length", "0"))
        while len(self._incoming) < length:
            self._wait_for_event()
        return Received(method, path, headers, self._take_bytes(length))

    def _take_bytes(self, length: int) -> bytes:
        taken = bytes(self._incoming[:length])
        del self._incoming[:length]
        return taken

    def _write_all(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            self._check_client()
            try:
                view = view[self._socket.send(view) :]
            except BlockingIOError:
                self._wait_until_writable()
            except ConnectionError:
                raise _HungUp from None

    def _stay_silent(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._wait_for_event(left)

    def _wait_for_hangup(self) -> NoReturn:
        while True:
            self._wait_for_event()

    def _wait_until_writable(self) -> None:
        self._selector.modify(self._socket, selectors.EVENT_READ | selectors.EVENT_WRITE)
        self._wait_for_event()
        self._selector.modify(self._socket, selectors.EVENT_READ)

    def _wait_for_event(self, timeout: float | None = None) -> None:
        """Sleep until something happens on the socket, or the time is over."""
        self._selector.select(timeout)
        self._check_client()

    def _check_client(self) -> None:
        """Keep what the client has sent; raise if it hung up or the server closes."""
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
