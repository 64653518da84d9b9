"""The two shells: they move bytes between an `Exchange` and the I/O, and decide nothing.

Rule: they are the same line by line; a test strips `async` and `await` from the second and compares. If the caller
leaves a shell in any way (close, break, exception, cancellation, Ctrl-C), the `with` closes the connection at once.
"""

from __future__ import annotations

from asyncio import sleep as async_sleep
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Sequence
from contextlib import aclosing as async_closing
from contextlib import closing
from time import sleep
from typing import Any, TypeVar

from ..errors import exception
from ..events import PanelEvent
from ..question.transport import AsyncTransport, ConnectionBroken, Transport
from ..response import LLMResponse, reply_from_final
from .exchange import Exchange

T = TypeVar("T")
Convert = Callable[[Any], Any] | None
"""Turns the value of `output=` into the caller's type; None without `output=`."""
Show = Callable[[Iterable[PanelEvent]], Iterable[T]]
"""Chooses what the caller sees of some events."""


def run_exchange(exchange: Exchange, transports: Sequence[Transport], show: Show[T]) -> Generator[T, None, None]:
    """Yield what `show` makes of the events of one panel, from blocking I/O.

    Args:
        exchange: The panel, not begun.
        transports: The transport of the provider, then one for each fallback.
        show: Chooses what the caller sees of the events.
    """
    clock = exchange.clock
    try:
        while (request := exchange.next_request()) is not None:
            for shown in show(exchange.pending_events()):
                yield shown
            while pause := exchange.next_pause():
                sleep(pause)
            try:
                transport = transports[exchange.route_index]
                with transport.open(request, clock.seconds_to_wait(), clock.longest_wait) as response:
                    exchange.response_started(response.status, response.headers)
                    while exchange.reading:
                        for shown in show(exchange.feed(response.read(clock.seconds_to_wait()))):
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
    """Do the same as `run_exchange` on asyncio."""
    clock = exchange.clock
    try:
        while (request := exchange.next_request()) is not None:
            for shown in show(exchange.pending_events()):
                yield shown
            while pause := exchange.next_pause():  # noqa: ASYNC110 (another panel may close the gate meanwhile)
                await async_sleep(pause)
            try:
                transport = transports[exchange.route_index]
                async with transport.open(request, clock.seconds_to_wait(), clock.longest_wait) as response:
                    exchange.response_started(response.status, response.headers)
                    while exchange.reading:
                        for shown in show(exchange.feed(await response.read(clock.seconds_to_wait()))):
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
    """`on_chunk` returned False: the caller wants no more."""


def panel_events(events: Iterable[PanelEvent]) -> Iterable[PanelEvent]:
    """Return every event as it is."""
    return events


def text_chunks(on_chunk: Callable[[str], object] | None) -> Show[str]:
    """Return a `show` for the text alone. It raises the error of a `panel_error`, and StoppedByCaller."""

    def text_of_event(event: PanelEvent) -> str | None:
        if event["event"] == "panel_error":
            raise exception(event)
        if event["event"] != "panel_delta":
            return None
        if on_chunk is not None and on_chunk(event["delta"]) is False:
            raise StoppedByCaller
        return event["delta"]

    return lambda events: filter(None, map(text_of_event, events))


def complete_reply(events: Generator[PanelEvent, None, None], convert: Convert) -> LLMResponse:
    """Return the reply of a panel. Raises the error of a `panel_error`. `convert`: see `reply_from_final`."""
    last: PanelEvent | None = None
    with closing(events):
        for event in events:
            last = event
    return reply_from_final(last, convert)


async def async_complete_reply(events: AsyncGenerator[PanelEvent, None], convert: Convert) -> LLMResponse:
    """Do the same as `complete_reply` on asyncio."""
    last: PanelEvent | None = None
    async with async_closing(events):
        async for event in events:
            last = event
    return reply_from_final(last, convert)
