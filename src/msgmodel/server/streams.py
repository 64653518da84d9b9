"""The streams that this process produces: each runs by itself, writes to the log, and outlives its readers as told.

Rules: leaving is not stopping. A stop ends a panel with the code `cancelled`; what becomes of a stream that nobody
reads is said by `grace`. Whatever happens, every panel has its one terminal event in the log, unless that is lost.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ..errors import ConfigurationError
from ..events import BatchEvent, ErrorCode, PanelEvent
from ..many import AsyncBatch
from ..wires.sse import encode_json_line
from . import heartbeat
from .log import Log, StopCommand, StoreFull, StoreLost, StreamFull, StreamHeader, StreamWriter
from .safe_traceback import traceback_without_messages, without_host
from .transcript import Transcript

_log = logging.getLogger("msgmodel.server")


AGAIN_SECONDS = 10.0
"""How often it is asked whether a stream that nobody reads here is still read elsewhere."""

LATE_SECONDS = 0.02
TOGETHER_SECONDS = 0.15
"""How long a panel is left alone after a text where the event loop, or the log, is later than that."""

ENDS = ("panel_final", "panel_error")

STARTING_SECONDS = 0.05
"""How often a server that closes looks for streams that have begun meanwhile."""
SHUT_DOWN = "the server was shut down"
END_SECONDS = 5.0
"""How long a server that ends waits for the last events to be written, and to be read."""


def grace(on_disconnect: str) -> float:
    """Seconds that a stream goes on without a reader: "cancel" is 0, "continue" for ever, "grace:30" half a minute.

    Raises ConfigurationError.
    """
    if on_disconnect == "cancel":
        return 0.0
    if on_disconnect == "continue":
        return math.inf
    word, _, seconds = on_disconnect.partition(":")
    try:
        number = float(seconds) if word == "grace" else math.nan
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise ConfigurationError(
            f'on_disconnect must be "cancel", "continue" or "grace:SECONDS", not {on_disconnect!r}'
        )
    return number


class Streams:
    """Starts streams, knows who reads them, and stops them. `grace_seconds`: how long one goes on without a reader."""

    def __init__(self, log: Log, *, grace_seconds: float) -> None:
        self.log = log
        self.grace_seconds = grace_seconds
        self.closing = False
        self._running: dict[str, _Producer] = {}
        self._starting: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        """Whether what runs is ended."""
        self._ends_now = False
        self._readers = 0
        self._all_read = asyncio.Event()
        self._all_read.set()

    def __len__(self) -> int:
        return len(self._running) + len(self._starting)

    def of(self, client: str) -> int:
        """How many streams of one client run here."""
        running = sum(producer.client == client for producer in self._running.values())
        return running + self._starting.count(client)

    async def start(self, id: str, head: StreamHeader, client: str, batch: AsyncBatch) -> bool:
        """Begins to produce a stream. False, and nothing is asked, where there is one of that id. Raises Full, Lost."""
        self._starting.append(client)  # it counts from now on, not when the log has answered
        try:
            writer = await self.log.begin(id, head)
        finally:
            self._starting.remove(client)
        if writer is None:
            await batch.aclose()
            return False
        if (former := self._running.get(id)) is not None:
            former.stop(None)  # the log has lost what it wrote, and can't be told of it
        producer = self._running[id] = _Producer(self, id, head, client, batch, writer)
        task = producer.begin()
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._closed:
            producer.interrupt(SHUT_DOWN)
        return True

    @contextmanager
    def reading(self, id: str) -> Iterator[None]:
        """Counts as a reader of the stream within the context."""
        producer = self._running.get(id)
        if producer is None:  # it runs elsewhere, or has ended
            yield
            return
        producer.readers += 1
        self._readers += 1
        self._all_read.clear()
        try:
            yield
        finally:
            self._readers -= 1
            if not self._readers:
                self._all_read.set()
            producer.readers -= 1
            producer.left()

    async def stop(self, id: str, panel_id: str | None) -> None:
        """Ends a panel, or all, of a stream that runs here or elsewhere."""
        producer = self._running.get(id)
        if producer is not None:
            producer.stop(panel_id)
        else:
            await self.log.tell(id, StopCommand("stop", panel_id))

    def end_now(self) -> None:
        """Leave what runs no more time, if it was left some."""
        self._ends_now = True

    async def close(self, seconds: float) -> None:
        """Takes no new streams; those that run get so long to finish, and are then ended as interrupted."""
        self.closing = True
        await self._none_runs(seconds, unless_told=True)
        self._closed = True
        for producer in list(self._running.values()):
            producer.interrupt(SHUT_DOWN)
        await self._none_runs(END_SECONDS)
        with suppress(TimeoutError):  # whoever reads what ran here shall have the last events
            async with asyncio.timeout(END_SECONDS):
                await self._all_read.wait()
        await self.log.close()

    async def _none_runs(self, seconds: float, *, unless_told: bool = False) -> None:
        """Waits until no stream runs, nor is about to; no longer than that. unless_told: or until `end_now`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while (self._tasks or self._starting) and not (unless_told and self._ends_now):
                    if self._tasks:
                        await asyncio.wait(self._tasks, timeout=STARTING_SECONDS)
                    else:
                        await asyncio.sleep(STARTING_SECONDS)

    def ended(self, id: str, producer: _Producer) -> None:
        if self._running.get(id) is producer:  # the log may have lost it, and begun another one of that id
            del self._running[id]


class _Producer:
    """One stream: from the panels to the log."""

    def __init__(
        self, streams: Streams, id: str, head: StreamHeader, client: str, batch: AsyncBatch, writer: StreamWriter
    ) -> None:
        self.client = client
        self.readers = 0
        self.task: asyncio.Task[None] | None = None
        self._streams = streams
        self._id = id
        self._batch = batch
        self._writer = writer
        self._panels = Transcript(head.panel_ids)
        self._alone = len(head.panel_ids) == 1
        self._finishing = False
        self._last: list[bytes] = []
        """What the stream's end is written with."""
        self._pulse = heartbeat.pulse()
        self._verdict: tuple[ErrorCode, str] = ("interrupted", "the stream ended before the reply did")
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> asyncio.Task[None]:
        self._listening = asyncio.create_task(self._listen())  # first, as an eager task may end while it is made
        self.task = asyncio.create_task(self._run())
        self.left(at_least=1.0)  # whoever asked is about to read
        return self.task

    def stop(self, panel_id: str | None) -> None:
        with suppress(ConfigurationError):  # no such panel: there is nothing to stop
            self._batch.cancel(panel_id)

    def interrupt(self, words: str) -> None:
        """Ends all panels as interrupted."""
        if self.task is not None and not self._finishing:
            self._verdict = ("interrupted", words)
            # After its first step: what is cancelled before that never runs, and so ends nothing.
            asyncio.get_running_loop().call_soon(self._cancel, self.task)

    def _cancel(self, task: asyncio.Task[None]) -> None:
        if not self._finishing:
            task.cancel()

    def left(self, at_least: float = 0.0) -> None:
        """A reader has left: where it was the last one, the time runs after which nobody is expected to come back."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        seconds = max(at_least, self._streams.grace_seconds)
        if not self.readers and seconds < math.inf:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._abandon)

    def _abandon(self) -> None:
        self._timer = None
        if not self.readers:
            self._leaving = asyncio.create_task(self._leave())

    async def _leave(self) -> None:
        elsewhere = await self._streams.log.read_elsewhere(self._id)
        if self.readers or self._timer is not None:  # somebody came, or left, meanwhile
            return
        if elsewhere:  # whoever leaves there says so, unless it is killed
            self._timer = asyncio.get_running_loop().call_later(AGAIN_SECONDS, self._abandon)
        else:
            self.stop(None)

    async def _listen(self) -> None:
        while True:
            command = await self._writer.commands.get()
            if command.kind == "stop":
                self.stop(command.panel_id)
            else:
                self.left()

    async def _run(self) -> None:
        try:
            summary = await self._produce()
            self._finishing = True
            self._last += map(encode_json_line, self._panels.missing(*self._verdict))
            if not self._alone:
                self._last.append(encode_json_line(summary or self._panels.summary()))
            await self._writer.end(self._last)
        except (StoreFull, StoreLost) as error:
            _log.warning("stream %s can't be written to its end: %s", self._id, type(error).__name__)
        finally:
            self._listening.cancel()
            del self._listening  # how it was cancelled leads back to here
            if self._timer is not None:
                self._timer.cancel()
            self._streams.ended(self._id, self)
            await self._batch.aclose()

    async def _produce(self) -> BatchEvent | None:
        """Writes all events; returns the summary, which comes after whatever is still missing."""
        try:
            return await self._batch.for_each(self._write, together=True)
        except asyncio.CancelledError:
            pass  # we are told to end: the verdict says why
        except StreamFull:
            self._verdict = ("reply_too_large", "the reply is larger than the server keeps of one stream")
        except StoreFull:
            self._verdict = ("interrupted", "the server has no room for more of the reply")
        except StoreLost:
            raise
        except Exception as error:
            _log.warning("stream %s failed: %s", self._id, traceback_without_messages(error))
            self._verdict = ("interrupted", "the server failed in the middle of the reply")
        return None

    async def _write(self, event: PanelEvent) -> None:
        if not self._panels.open(event):
            return
        if event["event"] == "panel_error" or event["event"] == "panel_retry":
            words = without_host(event["error"])
            if words != event["error"]:
                _log.warning("stream %s, panel %s: %s", self._id, event["panel_id"], event["error"])
                event["error"] = words
        said = encode_json_line(event)
        if event["event"] in ENDS:
            self._panels.add(event)
            if self._panels.ended:
                self._last.append(said)
            else:
                await self._writer.append(said, owed=True)
            return
        # Where there is too much to do, what comes meanwhile is read, written and sent together, at half the cost.
        late = event["event"] == "panel_delta" and max(self._pulse.late, self._writer.late) > LATE_SECONDS
        try:
            await self._writer.append(said, at_once=late)
        except asyncio.CancelledError:
            self._panels.add(event)  # it was taken, and will be written
            raise
        self._panels.add(event)
        if late:
            await asyncio.sleep(TOGETHER_SECONDS)
