"""TODO"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ..errors import ConfigurationError
from ..events import BatchEvent, BatchFinal, PanelEvent
from .loop_thread import LoopThread
from .panels_on_loop import PanelsOnLoop

if TYPE_CHECKING:
    pass


class Batch:
    """A running batch: iterate over it, in a `with` or not. It can be cancelled from any thread."""

    def __init__(self, merged: PanelsOnLoop) -> None:
        self._merged = merged
        self._ready: deque[BatchEvent] = deque()
        self._loop: LoopThread | None = None
        self._closed = False

    @property
    def panel_ids(self) -> list[str]:
        """Of all panels, in the order in which they were given."""
        return [job.panel_id for job in self._merged.jobs]

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> BatchEvent:
        try:
            if self._loop is None and not self._closed:
                self._loop = LoopThread(self._merged)
                self._loop.start()
            while not self._closed:  # another thread may close it at any moment, and empty what is ready
                with suppress(IndexError):
                    return self._ready.popleft()
                assert self._loop is not None
                taken = self._loop.next_events()
                if not taken:
                    break
                self._ready += taken
        except BaseException:  # Ctrl-C too
            self.close()
            raise
        self.close()  # also where another thread did so before there was a loop to be closed
        if self._loop is not None and self._loop.fault is not None:
            fault, self._loop.fault = self._loop.fault, None
            raise fault
        raise StopIteration

    def cancel(self, panel_id: str | None = None) -> None:
        """Ends a panel, or all, with a `panel_error` of code `cancelled` that holds the text so far.

        Raises ConfigurationError for a panel that there is not; one that has ended is left as it is.
        """
        self._merged.cancel_panels(panel_id)

    def close(self) -> None:
        """Closes all connections and the thread; no more events come. From any thread: the iteration ends."""
        self._closed = True
        self._ready.clear()
        if self._loop is not None:
            self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()  # also if it was closed: a second Ctrl-C may have interrupted that


class AsyncBatch:
    """A running batch for asyncio: iterate over it, in an `async with` or not.

    Waiting for an event can be cancelled, as by `asyncio.wait_for(anext(batch), 1)`: that loses none, and the panels go
    on. They end when the `async with` is left, by `aclose`, or when nobody has the batch any more.
    """

    def __init__(self, merged: PanelsOnLoop) -> None:
        self._merged = merged
        self._ready: deque[BatchEvent] = deque()

    @property
    def panel_ids(self) -> list[str]:
        """Of all panels, in the order in which they were given."""
        return [job.panel_id for job in self._merged.jobs]

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> BatchEvent:
        if not self._ready:
            self._ready += await self._merged.next_events()
            if not self._ready:
                raise StopAsyncIteration
        return self._ready.popleft()

    async def for_each(
        self, take: Callable[[PanelEvent], Awaitable[None]], *, together: bool = False
    ) -> BatchFinal | None:
        """Awaits `take` with every event of the panels, and returns the summary; None where the batch was closed.

        In the place of iterating, which costs more: `take` is called in each panel's own task, so what it waits for
        holds up that panel alone. What it raises ends the batch, and is raised here; to be cancelled ends it too.
        together: text that arrived at once may come as one delta, which costs less where `take` is often late.
        """
        for job in self._merged.jobs:
            job.exchange.merge_text = together
        return await self._merged.for_each(take)

    def text_characters(self) -> int:
        """Count the characters of text in the longest request that a panel may send, of a fallback too: all that the
        caller has put into its body, but for the data of files that are no text. Before the batch is begun.

        Raises ConfigurationError for a fallback that can't be asked.
        """
        return max(job.exchange.text_characters() for job in self._merged.jobs)

    def limit_requests(self, most: int) -> None:
        """Let the panels send no more requests together, with all retries, fallbacks and continuations.

        Raises ConfigurationError where they may want more.
        """
        jobs = self._merged.jobs
        wanted = [job.exchange.most_requests for job in jobs]
        if sum(wanted) > most:
            raise ConfigurationError(
                f"up to {sum(wanted)} requests to providers could come of this, and {most} are allowed: ask fewer "
                "panels, or lower max_retries, fallbacks or continue_truncated"
            )
        for job, own in zip(jobs, wanted, strict=True):
            job.exchange.max_requests = own + (most - sum(wanted)) // len(jobs)

    def cancel(self, panel_id: str | None = None) -> None:
        """Ends a panel, or all, with a `panel_error` of code `cancelled` that holds the text so far.

        Raises ConfigurationError for a panel that there is not; one that has ended is left as it is.
        """
        self._merged.cancel_panels(panel_id)

    async def aclose(self) -> None:
        """Closes all connections; no more events come."""
        self._ready.clear()
        await self._merged.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        self._merged.abandon()
