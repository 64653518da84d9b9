"""The two iterators over the events of several panels: `Batch` for blocking code, `AsyncBatch` for asyncio."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from ..errors import ConfigurationError
from ..events import BatchEvent, BatchFinal, PanelEvent
from .loop_thread import LoopThread
from .panels_on_loop import PanelsOnLoop


class Batch:
    """A running batch: iterate over it, with or without `with`. Any thread may cancel or close it."""

    def __init__(self, merged: PanelsOnLoop) -> None:
        self._merged = merged
        self._ready: deque[BatchEvent] = deque()
        self._loop: LoopThread[BatchEvent] | None = None
        self._closed = False

    @property
    def panel_ids(self) -> list[str]:
        """The ids of all panels, in the order of the call."""
        return [job.panel_id for job in self._merged.jobs]

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> BatchEvent:
        try:
            if self._loop is None and not self._closed:
                self._loop = LoopThread(self._merged)
                self._loop.start()
            while not self._closed:  # another thread may close the batch, and clear the ready events, at any moment
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
        self.close()  # again, if another thread closed the batch before there was a loop
        if self._loop is not None and self._loop.fault is not None:
            fault, self._loop.fault = self._loop.fault, None
            raise fault
        raise StopIteration

    def cancel(self, panel_id: str | None = None) -> None:
        """End a panel, or all, with a `panel_error` of code `cancelled` that holds the text so far.

        A panel that has ended stays as it is.

        Args:
            panel_id: The panel. Default: all panels.

        Raises:
            ConfigurationError: The batch has no such panel.
        """
        self._merged.cancel_panels(panel_id)

    def close(self) -> None:
        """Close all connections and end the thread, from any thread. The iteration ends without more events."""
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
        self.close()  # even after a close: a second Ctrl-C may have interrupted that one


class AsyncBatch:
    """A running batch for asyncio: iterate over it, with or without `async with`.

    Canceling a wait for an event, as in `asyncio.wait_for(anext(batch), 1)`, loses no event, and the panels go on. The
    panels end at the end of the `async with`, with `aclose`, or when the batch is garbage collected.
    """

    def __init__(self, merged: PanelsOnLoop) -> None:
        self._merged = merged
        self._ready: deque[BatchEvent] = deque()

    @property
    def panel_ids(self) -> list[str]:
        """The ids of all panels, in the order of the call."""
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
        """Await `take` with every event of the panels, and return the summary; None if the batch was closed.

        This costs less than iterating, because `take` runs in each panel's own task: its waits delay that panel alone.
        An exception of `take` ends the batch and is raised here. Canceling the call ends the batch, too.

        Args:
            take: Takes one event.
            together: Whether text that arrived at once may be merged into one delta, which costs less if `take` is
                slower than the provider.

        Returns:
            The `batch_final` event, or None.
        """
        for job in self._merged.jobs:
            job.exchange.merge_text = together
        return await self._merged.for_each(take)

    def text_characters(self) -> int:
        """Return the characters of text in the longest request that a panel or its fallback may send.

        The data of binary files is not counted. Call this before the batch begins.

        Raises:
            ConfigurationError: A fallback can't be asked.
        """
        return max(job.exchange.text_characters() for job in self._merged.jobs)

    def kept_bytes(self) -> int:
        """Return the bytes of memory that the replies of all panels take now, counted as for `max_reply_bytes`."""
        return sum(job.exchange.kept_bytes for job in self._merged.jobs)

    def limit_requests(self, most: int) -> None:
        """Limit the requests of all panels together, with retries, fallbacks and continuations.

        Args:
            most: Maximum number of requests.

        Raises:
            ConfigurationError: The panels may need more.
        """
        jobs = self._merged.jobs
        wanted = [job.exchange.most_requests for job in jobs]
        if sum(wanted) > most:
            raise ConfigurationError(
                f"this may take up to {sum(wanted)} requests to providers, and {most} are allowed: ask fewer "
                "panels, or lower max_retries, fallbacks, continue_truncated or repair"
            )
        for job, own in zip(jobs, wanted, strict=True):
            job.exchange.max_requests = own + (most - sum(wanted)) // len(jobs)

    def cancel(self, panel_id: str | None = None) -> None:
        """End a panel, or all, with a `panel_error` of code `cancelled` that holds the text so far.

        A panel that has ended stays as it is.

        Args:
            panel_id: The panel. Default: all panels.

        Raises:
            ConfigurationError: The batch has no such panel.
        """
        self._merged.cancel_panels(panel_id)

    async def aclose(self) -> None:
        """Close all connections. The iteration ends without more events."""
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
