"""The two shells: they move bytes between an `Exchange` and the I/O, and decide nothing.

Rule: they are the same line by line; a test strips `async` and `await` from the second and compares. Leaving one in
any way (close, break, exception, cancellation, Ctrl-C) leaves the `with`, which closes the connection at once.
"""

from __future__ import annotations

from asyncio import sleep as async_sleep
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing as async_closing
from contextlib import closing
from time import sleep

from ._ask import Broken
from ._exchange import Exchange
from ._http import AsyncTransport, Transport
from .errors import exception
from .events import PanelEvent
from .response import LLMResponse, reply

OnChunk = Callable[[str], object]


def run(exchange: Exchange, transport: Transport) -> Generator[PanelEvent, None, None]:
    """The events of one panel, from blocking I/O."""
    while (request := exchange.request()) is not None:
        if exchange.pause:
            sleep(exchange.pause)
        try:
            with transport.open(request, exchange.patience(), exchange.timeout) as response:
                exchange.head(response.status, response.headers)
                while exchange.reading:
                    for event in exchange.feed(response.read(exchange.patience())):
                        yield event
        except Broken as broken:
            for event in exchange.broken(broken):
                yield event


async def async_run(exchange: Exchange, transport: AsyncTransport) -> AsyncGenerator[PanelEvent, None]:
    """The events of one panel, from asyncio."""
    while (request := exchange.request()) is not None:
        if exchange.pause:
            await async_sleep(exchange.pause)
        try:
            async with transport.open(request, exchange.patience(), exchange.timeout) as response:
                exchange.head(response.status, response.headers)
                while exchange.reading:
                    for event in exchange.feed(await response.read(exchange.patience())):
                        yield event
        except Broken as broken:
            for event in exchange.broken(broken):
                yield event


def texts(events: Generator[PanelEvent, None, None], on_chunk: OnChunk | None) -> Generator[str, None, None]:
    """The text of a panel; raises what a `panel_error` says. Ends when `on_chunk` returns False."""
    with closing(events):
        for event in events:
            if event["event"] == "panel_delta":
                if on_chunk is not None and on_chunk(event["delta"]) is False:
                    return
                yield event["delta"]
            elif event["event"] == "panel_error":
                raise exception(event)


async def async_texts(events: AsyncGenerator[PanelEvent, None], on_chunk: OnChunk | None) -> AsyncGenerator[str, None]:
    """The same from asyncio."""
    async with async_closing(events):
        async for event in events:
            if event["event"] == "panel_delta":
                if on_chunk is not None and on_chunk(event["delta"]) is False:
                    return
                yield event["delta"]
            elif event["event"] == "panel_error":
                raise exception(event)


def whole(events: Generator[PanelEvent, None, None]) -> LLMResponse:
    """The reply of a panel; raises what a `panel_error` says."""
    last: PanelEvent | None = None
    with closing(events):
        for event in events:
            last = event
    return reply(last)


async def async_whole(events: AsyncGenerator[PanelEvent, None]) -> LLMResponse:
    """The same from asyncio."""
    last: PanelEvent | None = None
    async with async_closing(events):
        async for event in events:
            last = event
    return reply(last)
