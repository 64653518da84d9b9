"""The two shells: they move bytes between an `Exchange` and the I/O, and decide nothing.

Rule: they are the same line by line; a test strips `async` and `await` from the second and compares. Leaving one in
any way (close, break, exception, cancellation, Ctrl-C) leaves the `with`, which closes the connection at once.
"""

from __future__ import annotations

from asyncio import sleep as async_sleep
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Sequence
from contextlib import aclosing as async_closing
from contextlib import closing
from time import sleep
from typing import TypeVar

from ..errors import exception
from ..events import PanelEvent
from ..question.transport import AsyncTransport, ConnectionBroken, Transport
from ..response import LLMResponse, reply_from_final
from .exchange import Exchange

T = TypeVar("T")
Show = Callable[[Iterable[PanelEvent]], Iterable[T]]
"""What to hand on of some events."""


def run_exchange(exchange: Exchange, transports: Sequence[Transport], show: Show[T]) -> Generator[T, None, None]:
    """What `show` makes of the events of one panel, from blocking I/O. `transports`: one for each route."""
    try:
        while (request := exchange.next_request()) is not None:
            for shown in show(exchange.pending_events()):
                yield shown
            if exchange.seconds_to_pause:
                sleep(exchange.seconds_to_pause)
            try:
                transport = transports[exchange.route_index]
                with transport.open(request, exchange.seconds_to_wait(), exchange.longest_wait) as response:
                    exchange.response_started(response.status, response.headers)
                    while exchange.reading:
                        for shown in show(exchange.feed(response.read(exchange.seconds_to_wait()))):
                            yield shown
            except ConnectionBroken as broken:
                exchange.connection_broken(broken)
        for shown in show(exchange.terminal_events()):
            yield shown
    except StoppedByCaller:
        return
    finally:
        exchange.close()


async def async_run_exchange(
    exchange: Exchange, transports: Sequence[AsyncTransport], show: Show[T]
) -> AsyncGenerator[T, None]:
    """The same from asyncio."""
    try:
        while (request := exchange.next_request()) is not None:
            for shown in show(exchange.pending_events()):
                yield shown
            if exchange.seconds_to_pause:
                await async_sleep(exchange.seconds_to_pause)
            try:
                transport = transports[exchange.route_index]
                async with transport.open(request, exchange.seconds_to_wait(), exchange.longest_wait) as response:
                    exchange.response_started(response.status, response.headers)
                    while exchange.reading:
                        for shown in show(exchange.feed(await response.read(exchange.seconds_to_wait()))):
                            yield shown
            except ConnectionBroken as broken:
                exchange.connection_broken(broken)
        for shown in show(exchange.terminal_events()):
            yield shown
    except StoppedByCaller:
        return
    finally:
        exchange.close()


class StoppedByCaller(Exception):
    """The caller wants no more."""


def panel_events(events: Iterable[PanelEvent]) -> Iterable[PanelEvent]:
    """Every event as it is."""
    return events


def text_chunks(on_chunk: Callable[[str], object] | None) -> Show[str]:
    """The text alone. Raises what a `panel_error` says, and Stopped when `on_chunk` returns False."""

    def text(event: PanelEvent) -> str | None:
        if event["event"] == "panel_error":
            raise exception(event)
        if event["event"] != "panel_delta":
            return None
        if on_chunk is not None and on_chunk(event["delta"]) is False:
            raise StoppedByCaller
        return event["delta"]

    return lambda events: filter(None, map(text, events))


def whole_reply(events: Generator[PanelEvent, None, None]) -> LLMResponse:
    """The reply of a panel; raises what a `panel_error` says."""
    last: PanelEvent | None = None
    with closing(events):
        for event in events:
            last = event
    return reply_from_final(last)


async def async_whole_reply(events: AsyncGenerator[PanelEvent, None]) -> LLMResponse:
    """The same from asyncio."""
    last: PanelEvent | None = None
    async with async_closing(events):
        async for event in events:
            last = event
    return reply_from_final(last)
