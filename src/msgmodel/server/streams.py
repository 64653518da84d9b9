"""The streams that this process produces. Each runs on its own, writes to the log, and may outlive its readers.

Rules: a reader that leaves does not stop its stream. A stop ends a panel with the code `cancelled`. `on_disconnect`
decides what happens to a stream without readers. Whatever happens, every panel gets its one terminal event in the log,
unless the log is lost.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol
from weakref import WeakSet

from ..errors import ConfigurationError
from ..events import BatchEvent, ErrorCode, PanelEnd, PanelEvent
from ..wires.sse import encode_json_line
from . import heartbeat
from .framing import unnumbered_frame
from .large_events import encode_large_event
from .log import Log, StopCommand, StoreFull, StoreLost, StreamFull, StreamHeader, StreamWriter
from .memory import ROOM_CHECK_SECONDS, MemoryBudget, MemoryShort
from .panel_source import PanelSource
from .public_events import event_for_client
from .safe_traceback import traceback_without_messages
from .transcript import Transcript

_log = logging.getLogger("msgmodel.server")

ABANDON_AGAIN_SECONDS = 10.0
"""How often a stream without readers in this process is checked for readers in others."""

LATE_SECONDS = 0.02
"""From so much delay of the event loop or of the log on, panels pause after each text."""
MERGE_SECONDS = 0.15
"""That pause. The text that arrives meanwhile is written and sent as one event."""

TERMINAL_EVENTS = ("panel_final", "panel_error")

STARTING_SECONDS = 0.05
"""How often a server that closes looks for streams that are about to start."""
COUNT_BYTES = 64 * 1024
"""Bytes of lines that a stream writes before its memory is counted again."""
COUNT_SECONDS = 0.2
"""How often the memory of all streams is counted, because a tool call may grow without a line."""
MEMORY_TEXT = "the server has no memory left for more of the reply: ask again later, or for less with max_tokens"
LARGE_END_BYTES = 1024 * 1024
"""A stream that takes so much memory encodes its terminal events in pieces."""
SHUTDOWN_TEXT = "the server was shut down"
END_SECONDS = 5.0
"""How long a server that ends waits until the last events are written, and again until they are read."""


def grace_of(on_disconnect: str) -> float:
    """Return the seconds that a stream may run without readers.

    Args:
        on_disconnect: "cancel" is 0 seconds, "continue" forever, "grace:30" half a minute.

    Raises:
        ConfigurationError: The value is none of these.
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


class ProgressReader(Protocol):
    """A response that can send what is in no log."""

    def send_aside(self, frame: bytes) -> None:
        """Send a frame now, or not at all."""


class RunningStreams:
    """Starts streams, counts their readers, and stops them.

    Args:
        log: Where the streams are kept.
        memory: Counts the memory of all replies.
        grace_seconds: How long a stream may run without readers.
    """

    def __init__(self, log: Log, memory: MemoryBudget, *, grace_seconds: float) -> None:
        self.log = log
        self.memory = memory
        self.large_ends = asyncio.Lock()
        """Held while a large terminal event is encoded: the turns of thirty would follow each other directly."""
        self._memory_timer: asyncio.TimerHandle | None = None
        self.grace_seconds = grace_seconds
        self.closing = False
        self._running: dict[str, StreamProducer] = {}
        self._starting: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        """Whether running streams were ended, so that a new one is ended at once."""
        self._ends_now = False
        self._readers = 0
        self._all_read = asyncio.Event()
        self._all_read.set()

    def __len__(self) -> int:
        return len(self._running) + len(self._starting)

    def count_of_client(self, client: str) -> int:
        """Return how many streams of this client run here."""
        running = sum(producer.client == client for producer in self._running.values())
        return running + self._starting.count(client)

    async def start_stream(self, id: str, head: StreamHeader, client: str, batch: PanelSource) -> bool:
        """Start a stream. Return False, without a request to a provider, if the id is taken.

        Args:
            id: The id in the log.
            head: What is known about the stream.
            client: Whose stream it is, for the limits.
            batch: The panels, which have not started.

        Raises:
            StoreFull: The log has no room.
            StoreLost: The log cannot be written.
        """
        self._starting.append(client)  # counts from now on, not from the answer of the log
        try:
            writer = await self.log.begin(id, head)
        finally:
            self._starting.remove(client)
        if writer is None:
            await batch.aclose()
            return False
        if (former := self._running.get(id)) is not None:
            former.stop_panel(None)  # the log has lost its lines
        producer = self._running[id] = StreamProducer(self, id, head, client, batch, writer)
        task = producer.start_tasks()
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._memory_timer is None:
            self._memory_timer = asyncio.get_running_loop().call_later(COUNT_SECONDS, self._count_memory)
        if self._closed:
            producer.interrupt_panels(SHUTDOWN_TEXT)
        return True

    @contextmanager
    def count_reader(self, id: str) -> Iterator[None]:
        """Count a reader of the stream within the context."""
        producer = self._running.get(id)
        if producer is None:  # it runs in another process, or has ended
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
            producer.reader_left()

    def show_progress(self, id: str, reader: ProgressReader) -> None:
        """Send the progress of the stream to this reader while it runs here. In another process, there is none."""
        producer = self._running.get(id)
        if producer is not None:
            producer.progress_readers.add(reader)

    async def stop_stream(self, id: str, panel_id: str | None) -> None:
        """End a panel of a stream, or all if `panel_id` is None, in this or another process."""
        producer = self._running.get(id)
        if producer is not None:
            producer.stop_panel(panel_id)
        else:
            await self.log.tell(id, StopCommand("stop", panel_id))

    def end_grace(self) -> None:
        """Give running streams no more time after `close` has begun."""
        self._ends_now = True

    async def close(self, seconds: float) -> None:
        """Take no new streams. Running streams get `seconds` to finish, and then end as interrupted."""
        self.closing = True
        await self._wait_until_idle(seconds, unless_told=True)
        self._closed = True
        for producer in list(self._running.values()):
            producer.interrupt_panels(SHUTDOWN_TEXT)
        await self._wait_until_idle(END_SECONDS)
        if self._memory_timer is not None:
            self._memory_timer.cancel()
        with suppress(TimeoutError):  # so that readers get the last events
            async with asyncio.timeout(END_SECONDS):
                await self._all_read.wait()
        await self.log.close()

    async def _wait_until_idle(self, seconds: float, *, unless_told: bool = False) -> None:
        """Wait until no stream runs or is about to.

        Args:
            seconds: The longest wait.
            unless_told: Whether `end_now` ends the wait.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while (self._tasks or self._starting) and not (unless_told and self._ends_now):
                    if self._tasks:
                        await asyncio.wait(self._tasks, timeout=STARTING_SECONDS)
                    else:
                        await asyncio.sleep(STARTING_SECONDS)

    def _count_memory(self) -> None:
        """Count the memory of all streams. If there is too much, end the largest one, and count again soon."""
        self._memory_timer = None
        if not self._running:
            return
        producers = [*self._running.values()]
        for producer in producers:
            producer.count_memory()
        is_short = self.memory.used_bytes > self.memory.limit
        seconds = ROOM_CHECK_SECONDS if is_short else COUNT_SECONDS
        self._memory_timer = asyncio.get_running_loop().call_later(seconds, self._count_memory)
        if is_short:
            largest = max(producers, key=lambda each: each.panel_bytes)
            if not self.memory.has_room(largest):
                largest.end_for_memory()

    def forget_producer(self, id: str, producer: StreamProducer) -> None:
        """Drop a producer that has ended."""
        if self._running.get(id) is producer:  # another one may have this id, if the log lost the first
            del self._running[id]


class StreamProducer:
    """Produces one stream: from its panels to the log."""

    def __init__(
        self,
        streams: RunningStreams,
        id: str,
        head: StreamHeader,
        client: str,
        batch: PanelSource,
        writer: StreamWriter,
    ) -> None:
        self.client = client
        self.head = head
        self.readers = 0
        self.task: asyncio.Task[None] | None = None
        self._streams = streams
        self._id = id
        self._batch = batch
        self._writer = writer
        self._panels = Transcript(head.panel_ids)
        self._alone = len(head.panel_ids) == 1
        self.panel_bytes = 0
        self.line_bytes = 0
        self._uncounted_bytes = 0
        """Bytes of lines since its memory was counted."""
        self.progress_readers: WeakSet[ProgressReader] = WeakSet()
        """The responses that progress is sent to."""
        self._waits_for_room = 0
        """How many of its panels wait for room."""
        self._finishing = False
        self._interrupted = False
        """Whether the server ended the panels: a run of tools then ends its calls, and says `cancelled`."""
        self._last: list[bytes] = []
        """Lines that are written together with the end of the stream."""
        self._pulse = heartbeat.loop_pulse()
        self._verdict: tuple[ErrorCode, str] = ("interrupted", "the stream ended before the reply did")
        self._timer: asyncio.TimerHandle | None = None

    def start_tasks(self) -> asyncio.Task[None]:
        self._listening = asyncio.create_task(self._follow_commands())  # first: an eager task may end at once
        self.task = asyncio.create_task(self._write_stream())
        self.reader_left(at_least=1.0)  # the client is about to read
        return self.task

    def stop_panel(self, panel_id: str | None) -> None:
        with suppress(ConfigurationError):  # there is no such panel
            self._batch.cancel(panel_id)

    def interrupt_panels(self, words: str) -> None:
        """End all panels as interrupted, with this error text."""
        if self.task is not None and not self._finishing:
            self._verdict = ("interrupted", words)
            # After the first step of the task: a task that is cancelled before it never runs, and would write no end.
            asyncio.get_running_loop().call_soon(self._cancel_task, self.task)

    def count_memory(self) -> None:
        """Count what the stream takes now."""
        self._uncounted_bytes = 0
        self.panel_bytes = self._batch.kept_bytes()
        self._streams.memory.count_reply(self)

    def end_for_memory(self) -> None:
        """End all panels because the server is short of memory, unless they wait for room already."""
        if not self._waits_for_room:
            self.interrupt_panels(MEMORY_TEXT)

    def _cancel_task(self, task: asyncio.Task[None]) -> None:
        if not self._finishing:
            self._interrupted = True
            task.cancel()

    def reader_left(self, at_least: float = 0.0) -> None:
        """Start the grace period if no readers are left. It lasts `at_least` so many seconds."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        seconds = max(at_least, self._streams.grace_seconds)
        if not self.readers and seconds < math.inf:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._check_abandoned)

    def _check_abandoned(self) -> None:
        self._timer = None
        if not self.readers:
            self._leaving = asyncio.create_task(self._stop_without_readers())

    async def _stop_without_readers(self) -> None:
        elsewhere = await self._streams.log.read_elsewhere(self._id)
        if self.readers or self._timer is not None:  # readers came or left meanwhile
            return
        if elsewhere:  # that process reports when they leave, unless it is killed
            self._timer = asyncio.get_running_loop().call_later(ABANDON_AGAIN_SECONDS, self._check_abandoned)
        else:
            self.stop_panel(None)

    async def _follow_commands(self) -> None:
        while True:
            command = await self._writer.commands.get()
            if command.kind == "stop":
                self.stop_panel(command.panel_id)
            else:
                self.reader_left()

    async def _write_stream(self) -> None:
        try:
            summary = await self._write_events()
            self._finishing = True
            for end in self._panels.missing_ends(*self._verdict):
                self._last.append(await self._encode_end(end))
            if not self._alone:
                self._last.append(encode_json_line(summary or self._panels.make_summary()))
            await self._writer.end(self._last)
        except (StoreFull, StoreLost) as error:
            _log.warning("stream %s can't be written to its end: %s", self._id, type(error).__name__)
        finally:
            self._listening.cancel()
            del self._listening  # how it was cancelled leads back to here
            if self._timer is not None:
                self._timer.cancel()
            self._streams.memory.forget_reply(self)
            self._streams.forget_producer(self._id, self)
            await self._batch.aclose()

    async def _write_events(self) -> BatchEvent | None:
        """Write all events. Return the summary, which follows the terminal events that are missing."""
        try:
            return await self._batch.for_each(self._write_event, together=True)
        except asyncio.CancelledError:
            pass  # the verdict says why
        except MemoryShort:
            self._verdict = ("interrupted", MEMORY_TEXT)
        except StreamFull:
            self._verdict = ("reply_too_large", "the reply is larger than the server keeps for one stream")
        except StoreFull:
            self._verdict = ("interrupted", "the server has no room for more of the reply")
        except StoreLost:
            raise
        except Exception as error:
            _log.warning("stream %s failed: %s", self._id, traceback_without_messages(error))
            self._verdict = ("interrupted", "the server failed in the middle of the reply")
        return None

    async def _write_event(self, event: PanelEvent) -> None:
        if not self._panels.is_open(event):
            return
        event = event_for_client(event, self._id)
        if self._interrupted and event["event"] == "panel_error" and event["code"] == "cancelled":
            code, words = self._verdict
            event = {**event, "code": code, "error": words, "retryable": code == "interrupted"}
        if event["event"] == "panel_progress":  # of this moment, so it is neither kept nor counted
            frame = unnumbered_frame(encode_json_line(event))
            for reader in tuple(self.progress_readers):
                reader.send_aside(frame)
            return
        if event["event"] == "panel_final" or event["event"] == "panel_error":
            said = await self._encode_end(event)
            self._panels.add_event(event)
            if self._panels.all_ended:
                self._last.append(said)
            else:
                await self._writer.append(said, owed=True)
            return
        said = encode_json_line(event)
        # Under load, the text that arrives during a pause is read, written and sent together, at half the cost.
        late = event["event"] == "panel_delta" and max(self._pulse.seconds_late, self._writer.late) > LATE_SECONDS
        try:
            await self._writer.append(said, at_once=late)
        except asyncio.CancelledError:
            self._panels.add_event(event)  # the line was taken and will be written
            raise
        self._panels.add_event(event)
        if late:
            await asyncio.sleep(MERGE_SECONDS)
        self.line_bytes += len(said)
        self._uncounted_bytes += len(said)
        if self._uncounted_bytes >= COUNT_BYTES:
            await self._wait_for_room()

    async def _wait_for_room(self) -> None:
        self.count_memory()
        self._waits_for_room += 1
        try:
            await self._streams.memory.wait_for_room(self)
        finally:
            self._waits_for_room -= 1

    async def _encode_end(self, end: PanelEnd) -> bytes:
        """Encode a terminal event; a large one in pieces, so that other streams have their turn in between."""
        if self.line_bytes + self._batch.kept_bytes() < LARGE_END_BYTES:
            return encode_json_line(end)
        async with self._streams.large_ends:
            return await encode_large_event(end)
