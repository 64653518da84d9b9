"""The embedded model: a transport over llama.cpp in this process, which answers in the format of OpenAI's chat API.

Rule: leaving a response, in any way, cancels its generation and does not wait for it. Each engine has one thread, which
loads the model and serves one request after another (on a CPU, two at once take as long as one after the other). It
never waits for a reader: the size of the context bounds what a slow reader leaves in memory.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakSet

import msgspec

from ..errors import ConfigurationError, quoted
from ..http.forks import INHERITED
from ..question.transport import ConnectionBroken, HttpRequest
from . import weights

if TYPE_CHECKING:
    import asyncio

Item: TypeAlias = dict[str, Any] | ConfigurationError | ConnectionBroken | None
"""A dict of the engine, the error if the model can't be loaded, the fault that ended it, or None at the end."""

_EVENT_STREAM = {"content-type": "text/event-stream"}
_JSON = {"content-type": "application/json"}
_DONE = b"data: [DONE]\n\n"

# The engine notices a cancellation only after each batch of the prompt. One core reads 64 tokens in about 0.6 s, and
# larger batches are no faster there.
_BATCH = 64

# Outside of these ranges, the engine aborts the process, or takes memory until the system kills it.
_CONTEXT = range(16, 10_000_001)
_THREADS = range(1, 513)

# How long the interpreter's exit waits for the engine to stop.
_EXIT_SECONDS = 5.0


def check_model_path(model: str | None) -> Path:
    """Return the path of the model file.

    Args:
        model: The path of a GGUF file; None is the demo model.

    Raises:
        ConfigurationError: The engine is not installed, or the file is missing, unreadable or not a GGUF file.
    """
    _check_engine_installed()
    path = weights.path() if model is None else Path(model)
    try:
        path = path.expanduser().resolve()
        with path.open("rb") as file:
            magic = file.read(4)
    except FileNotFoundError:
        if model is None:
            raise ConfigurationError("the local model is not installed yet: run `msgmodel local pull`") from None
        raise ConfigurationError(
            f"there is no model file {quoted(model)}: the model of provider local is the path of a GGUF file"
        ) from None
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(f"the model file {quoted(path.name)} can't be read: {reason}") from None
    if magic != b"GGUF":
        raise ConfigurationError(f"{quoted(path.name)} is not a GGUF model file")
    return path


def _check_ranges(context: int, threads: int | None) -> None:
    if context not in _CONTEXT:
        raise ConfigurationError(
            f"context_tokens must be from {_CONTEXT[0]} to {_CONTEXT[-1]:,}, not {quoted(context)}"
        )
    if threads is not None and threads not in _THREADS:
        raise ConfigurationError(f"threads must be from {_THREADS[0]} to {_THREADS[-1]}, not {quoted(threads)}")


def _check_engine_installed() -> None:
    from importlib.util import find_spec

    if find_spec("xllamacpp") is None:
        raise ConfigurationError("the local model needs its engine: pip install 'msgmodel[local]'")


class Generation:
    """One request to an engine. `put` receives every Item on the engine's thread, and must not block."""

    def __init__(self, request: HttpRequest, put: Callable[[Item], object]) -> None:
        self.body: dict[str, Any] = msgspec.json.decode(request.body)
        self.cancelled = False
        self._put = put
        _generations.add(self)

    def deliver(self, item: Item) -> None:
        try:
            self._put(item)
        except RuntimeError:  # the reader's event loop is closed
            self.cancelled = True


_generations: WeakSet[Generation] = WeakSet()


class Engine:
    """A model file with its settings, and the thread that loads it on first use and generates."""

    def __init__(self, path: Path, context: int, threads: int | None) -> None:
        self.path = path
        self.context = context
        self.threads = threads or max(1, (os.cpu_count() or 1) // 2)
        self._waiting: SimpleQueue[Generation | None] = SimpleQueue()
        self._closing = False
        self._settled = False
        self._at_rest = threading.Event()
        self._thread = threading.Thread(target=self._serve_generations, name="msgmodel-local", daemon=True)

    def submit_generation(self, generation: Generation) -> None:
        # Not in the constructor: after a Ctrl-C there, the thread would serve an engine that was never stored.
        if not self._thread.is_alive():
            with suppress(RuntimeError):  # another thread has started it
                self._thread.start()
        self._waiting.put(generation)

    def close(self) -> None:
        """Cancel all requests and drop the server: a process that exits while its threads run sometimes crashes."""
        self._closing = True
        self._waiting.put(None)
        if self._thread.is_alive():
            self._at_rest.wait(_EXIT_SECONDS)

    def _serve_generations(self) -> None:
        # Referenced by this frame only, because its destructor can wait forever while it holds the GIL.
        server = None
        while (generation := self._waiting.get()) is not None:
            if not (self._closing or generation.cancelled):
                try:
                    server = server or self._load_model()
                    self._run_generation(server, generation)
                except ConfigurationError as error:
                    generation.deliver(error)
            del generation  # an idle engine must not keep it in memory
        if self._settled and not _forked:
            del server
        self._at_rest.set()
        threading.Event().wait()  # forever, so that a server that can't be dropped is kept

    def _load_model(self) -> Any:
        try:
            import xllamacpp
        except ImportError as error:
            raise ConfigurationError(f"the engine of the local model can't be imported: {error}") from None

        try:
            params = xllamacpp.CommonParams()
            params.model.path = str(self.path)
            params.model_alias = {weights.NAME if self.path.name == weights.FILE else self.path.stem}
            params.n_ctx = self.context
            params.n_batch = params.n_ubatch = _BATCH
            params.cpuparams.n_threads = params.cpuparams_batch.n_threads = self.threads
            params.verbosity = -1
            params.cache_ram_mib = 0  # by default it may grow to 8 GiB
            # The constructor holds the GIL. Without these two steps, it takes 0.4 s for the demo model instead of 0.9.
            params.warmup = params.fit_params = False
            # The server opens a loopback port, which any web page can reach: a random key locks it.
            params.ui = False
            params.n_threads_http = 1
            params.api_keys = [os.urandom(24).hex()]
            server = xllamacpp.Server(params)
        except Exception:  # any type may be raised from C++, and its text explains nothing
            raise ConfigurationError(
                f"{quoted(self.path.name)} can't be loaded as a GGUF model with a context of {self.context} tokens: "
                "it is damaged, of a kind that the engine does not support, or too large for the memory"
            ) from None
        self._settled = _server_responds(server.listening_address)
        return server

    def _run_generation(self, server: Any, generation: Generation) -> None:
        started = False

        def callback(chunk: dict[str, Any]) -> bool:
            nonlocal started
            if generation.cancelled or self._closing:
                return True
            if "prompt_progress" in chunk:
                if generation.body.get("return_progress"):  # the caller wants to see it
                    generation.deliver(chunk)
                return generation.cancelled
            started = True
            generation.deliver(chunk)
            return generation.cancelled

        # With `return_progress`, the engine calls back while it reads the prompt, and notices a cancellation.
        body = {**generation.body, "stream": True, "return_progress": True}
        try:
            server.handle_chat_completions(body, callback)
        except Exception as error:  # of any type: this thread must go on to serve other requests
            # Before the first chunk, the fault is in the request.
            kind, code = ("server_error", 500) if started else ("invalid_request_error", 400)
            callback({"error": {"code": code, "type": kind, "message": str(error)}})
        if not generation.cancelled:
            generation.deliver(None)


def _server_responds(address: str) -> bool:
    """Return whether the server's HTTP thread runs. Dropping the server before that would hang forever."""
    from http.client import HTTPConnection, HTTPException

    connection = HTTPConnection(address.removeprefix("http://"), timeout=_EXIT_SECONDS)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


_engines: dict[tuple[Path, int, int | None], Engine] = {}
_lock = threading.Lock()
_forked = False
"""Whether this process was forked from a process that had loaded a model."""


def _engine_for(path: Path, context: int, threads: int | None) -> Engine:
    key = (path, context, threads)
    with _lock:
        if key not in _engines:
            _engines[key] = Engine(path, context, threads)
        return _engines[key]


@atexit.register
def _close_all_engines() -> None:
    if _engines:
        with suppress(ValueError):  # not the main thread
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C would crash the process at its exit
    for engine in list(_engines.values()):
        engine.close()


def _reset_after_fork() -> None:
    """Start afresh in a forked child, which has no threads, and perhaps a lock that is taken."""
    global _lock, _forked
    _lock = threading.Lock()
    for generation in list(_generations):
        generation.deliver(
            ConnectionBroken("interrupted", f"the local model has no more for this process: {INHERITED}")
        )
    if _engines and not _forked:
        _forked = True
        _exit_without_destructors()
    _engines.clear()


def _exit_without_destructors() -> None:
    """Skip the destructors of llama.cpp at exit: with glibc, they wait forever for a thread of the parent."""
    if sys.platform == "linux":
        import ctypes

        libc = ctypes.CDLL(None)
        libc.on_exit(libc._exit, None)  # runs first, with the exit status, after Python's own exit


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)


class _LocalReply:
    """A generation as an HTTP response: turns Items into a status and bytes. Pure."""

    status: int
    headers: Mapping[str, str]

    def __init__(self, first: Item) -> None:
        self._ended = False
        if isinstance(first, ConfigurationError):  # the file could not be loaded
            first = {"error": {"code": 400, "message": first.message, "type": "invalid_request_error"}}
        if isinstance(first, dict) and "error" in first:
            code = first["error"].get("code")
            self.status, self.headers = code if isinstance(code, int) else 500, _JSON
            self._ready: bytes | None = msgspec.json.encode(first)
            self._ended = True
        else:
            self.status, self.headers = 200, _EVENT_STREAM
            self._ready = self._event_bytes(first)

    def _event_bytes(self, item: Item) -> bytes:
        assert not isinstance(item, ConfigurationError), "a model is loaded before it generates"
        if isinstance(item, ConnectionBroken):
            raise item
        if item is None:
            self._ended = True
            return _DONE
        return b"data: %b\n\n" % msgspec.json.encode(item)

    def _take_ready(self) -> bytes | None:
        """Return the bytes that are ready (b"" after the end), or None if a read must wait."""
        ready, self._ready = self._ready, None
        return b"" if ready is None and self._ended else ready


def _timeout_error(seconds_to_wait: float) -> ConnectionBroken:
    return ConnectionBroken("timeout", f"the local model was silent for {seconds_to_wait:g} s")


class LocalResponse(_LocalReply):
    def __init__(self, items: SimpleQueue[Item], seconds_to_wait: float) -> None:
        self._items = items
        super().__init__(self._next_item(seconds_to_wait))

    def _next_item(self, seconds_to_wait: float) -> Item:
        try:
            return self._items.get(timeout=seconds_to_wait)
        except Empty:
            raise _timeout_error(seconds_to_wait) from None

    def read(self, seconds_to_wait: float) -> bytes:
        """Return the next bytes of the body; b"" at its end. Wait at most `seconds_to_wait` seconds."""
        ready = self._take_ready()
        return self._event_bytes(self._next_item(seconds_to_wait)) if ready is None else ready


class LocalTransport:
    """A transport to an engine, for blocking code."""

    def __init__(self, path: Path, context: int, threads: int | None) -> None:
        self._settings = path, context, threads

    @contextmanager
    def open(self, request: HttpRequest, seconds_to_wait: float, longest_wait: float) -> Iterator[LocalResponse]:
        items: SimpleQueue[Item] = SimpleQueue()
        generation = Generation(request, items.put)
        try:
            _engine_for(*self._settings).submit_generation(generation)
            yield LocalResponse(items, seconds_to_wait)
        finally:
            generation.cancelled = True


class AsyncLocalResponse(_LocalReply):
    def __init__(self, items: asyncio.Queue[Item], first: Item) -> None:
        self._items = items
        super().__init__(first)

    async def read(self, seconds_to_wait: float) -> bytes:
        """Return the next bytes of the body; b"" at its end. Wait at most `seconds_to_wait` seconds."""
        ready = self._take_ready()
        return self._event_bytes(await _async_next_item(self._items, seconds_to_wait)) if ready is None else ready


async def _async_next_item(items: asyncio.Queue[Item], seconds_to_wait: float) -> Item:
    import asyncio

    try:
        async with asyncio.timeout(seconds_to_wait):
            return await items.get()
    except TimeoutError:
        raise _timeout_error(seconds_to_wait) from None


class AsyncLocalTransport:
    """A transport to an engine, for asyncio. Loading the model blocks the loop, because it holds the GIL."""

    def __init__(self, path: Path, context: int, threads: int | None) -> None:
        self._settings = path, context, threads

    @asynccontextmanager
    async def open(
        self, request: HttpRequest, seconds_to_wait: float, longest_wait: float
    ) -> AsyncIterator[AsyncLocalResponse]:
        import asyncio

        items: asyncio.Queue[Item] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        generation = Generation(request, lambda item: loop.call_soon_threadsafe(items.put_nowait, item))
        try:
            _engine_for(*self._settings).submit_generation(generation)
            yield AsyncLocalResponse(items, await _async_next_item(items, seconds_to_wait))
        finally:
            generation.cancelled = True


def local_transport(path: Path, context: int, threads: int | None) -> LocalTransport:
    """Return a transport to the model. The first request loads it, once for each combination of settings.

    Args:
        path: The file, as `check_model_path` returned it.
        context: Size of the context in tokens.
        threads: Number of threads; None is half the cores.

    Raises:
        ConfigurationError: The context or the threads are out of range.
    """
    _check_ranges(context, threads)
    return LocalTransport(path, context, threads)


def async_local_transport(path: Path, context: int, threads: int | None) -> AsyncLocalTransport:
    """Return a transport to the model for asyncio; otherwise as `local_transport`."""
    _check_ranges(context, threads)
    return AsyncLocalTransport(path, context, threads)
