"""A wait for the next event that is cancelled, as by hand-made heartbeats: the end is told, and is never `complete`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from conftest import KEY, config
from msgmodel import Conversation, ReplyError, astream, astream_panels
from msgmodel.testing import Reply, ScriptedProvider
from msgmodel.testing.server import Script, ScriptedServer, Send, Stall

HEARTBEAT = 0.05


def by_function(provider: ScriptedProvider) -> AsyncGenerator[Any, None]:
    return astream_panels("openai", "hi", config=provider.config("openai"))


def by_conversation(provider: ScriptedProvider) -> AsyncGenerator[Any, None]:
    return Conversation("openai", config=provider.config("openai")).astream_panels("hi")


Start = Callable[[ScriptedProvider], AsyncGenerator[Any, None]]
STARTS = pytest.mark.parametrize("start", [by_function, by_conversation])


async def with_heartbeats(events: AsyncGenerator[Any, None]) -> list[Any]:
    """Read as people do who want to send a ping while nothing comes."""
    seen: list[Any] = []
    while True:
        try:
            seen.append(await asyncio.wait_for(anext(events), HEARTBEAT))
        except TimeoutError:
            seen.append({"event": "ping"})
        except StopAsyncIteration:
            return seen


@STARTS
@pytest.mark.parametrize("after", [0, 1])
def test_the_terminal_event_still_comes(provider: ScriptedProvider, start: Start, after: int) -> None:
    provider.say(Reply("a b c", stall_after=after))
    seen = asyncio.run(with_heartbeats(start(provider)))
    assert [event["event"] for event in seen if event["event"] != "panel_delta"] == ["ping", "panel_error"]
    assert seen[-1]["code"] == "cancelled"
    assert "".join(event.get("delta", "") for event in seen) == seen[-1]["content"]


@STARTS
def test_a_reply_without_silence_ends_well(provider: ScriptedProvider, start: Start) -> None:
    provider.say("a b c")

    async def main() -> list[Any]:
        events = start(provider)
        return [await anext(events), *[event async for event in events], *[event async for event in events]]

    seen = asyncio.run(main())
    assert seen[-1]["event"] == "panel_final"
    assert "".join(event.get("delta", "") for event in seen) == "a b c"


def test_a_loop_after_the_cancelled_wait_hears_of_it(provider: ScriptedProvider) -> None:
    provider.say(Reply("a b c", stall_after=0))

    async def main() -> list[Any]:
        events = by_function(provider)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(events), HEARTBEAT)
        return [event async for event in events]

    (event,) = asyncio.run(main())
    assert (event["event"], event["code"]) == ("panel_error", "cancelled")


def test_the_text_alone_raises(provider: ScriptedProvider) -> None:
    provider.say(Reply("a b c", stall_after=0))

    async def main() -> None:
        text = astream("openai", "hi", config=provider.config("openai"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(text), HEARTBEAT)
        with pytest.raises(ReplyError) as raised:
            await anext(text)
        assert raised.value.code == "cancelled"
        with pytest.raises(StopAsyncIteration):
            await anext(text)

    asyncio.run(main())


def test_a_stream_that_was_closed_owes_nothing(provider: ScriptedProvider) -> None:
    provider.say(Reply("a b c", stall_after=0))

    async def main() -> None:
        events = by_function(provider)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(events), HEARTBEAT)
        await events.aclose()
        assert [event async for event in events] == []
        with pytest.raises(StopAsyncIteration):
            await anext(events)

    asyncio.run(main())


def test_the_connection_closes_at_once(server: ScriptedServer) -> None:
    """Also while the stream is held."""
    server.say(Script(steps=(Send(b": ping\n\n"), Stall())))

    async def main() -> None:
        events = astream_panels("openai", "hi", KEY, config=config("openai_chat", server.url))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(events), HEARTBEAT)
        server.wait_hangup()
        assert (await anext(events))["event"] == "panel_error"

    asyncio.run(main())
