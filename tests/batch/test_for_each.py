"""`AsyncBatch.for_each`: what iterating gives, handed on from each panel's own task."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from msgmodel import ConfigurationError, Panel, astream_many
from msgmodel.testing import Reply, ScriptedProvider
from msgmodel.testing.wires import WIRES

NAME = {"openai_chat": "openai", "openai_responses": "openai", "anthropic": "anthropic", "gemini": "gemini"}


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    with ScriptedProvider() as running:
        yield running


def said(events: list[Any]) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for event in events:
        text = event.get("delta") or event.get("content") or ""
        found.setdefault(event["panel_id"], []).append((event["event"], text))
    return found


def test_the_same_as_iterating(provider: ScriptedProvider) -> None:
    provider.say(Reply("one two three"))
    panels = [Panel(NAME[wire], config=provider.config(wire), panel_id=wire) for wire in WIRES]

    async def both() -> tuple[list[Any], list[Any], Any]:
        taken: list[Any] = []

        async def take(event: Any) -> None:
            taken.append(event)

        summary = await astream_many(panels, "hi").for_each(take)
        return [event async for event in astream_many(panels, "hi")], taken, summary

    iterated, taken, summary = asyncio.run(both())
    assert said(iterated[:-1]) == said(taken)
    assert [panel["panel_id"] for panel in summary["panels"]] == list(WIRES)
    assert {panel["status"] for panel in summary["panels"]} == {"complete"}


def test_what_take_waits_for_holds_up_one_panel_alone(provider: ScriptedProvider) -> None:
    provider.say(Reply("one two three"))
    panels = [Panel("openai", config=provider.config("openai"), panel_id=name) for name in ("slow", "fast")]

    async def ends() -> list[str]:
        gone_on, found = asyncio.Event(), []

        async def take(event: Any) -> None:
            if event["panel_id"] == "slow":
                await gone_on.wait()
            if event["event"] == "panel_final":
                found.append(event["panel_id"])
                gone_on.set()

        await asyncio.wait_for(astream_many(panels, "hi").for_each(take), 10)
        return found

    assert asyncio.run(ends()) == ["fast", "slow"]


def test_a_panel_that_is_cancelled_meanwhile(provider: ScriptedProvider) -> None:
    provider.say(Reply("one two", stall_after=1))
    panels = [Panel("openai", config=provider.config("openai"), panel_id=name) for name in ("left", "right")]

    async def run() -> tuple[list[Any], Any]:
        batch, taken = astream_many(panels, "hi"), []

        async def take(event: Any) -> None:
            taken.append(event)
            if event["event"] == "panel_delta":
                batch.cancel(event["panel_id"])

        return taken, await asyncio.wait_for(batch.for_each(take), 10)

    taken, summary = asyncio.run(run())
    assert said(taken) == {name: [("panel_delta", "one"), ("panel_error", "one")] for name in ("left", "right")}
    assert [panel["code"] for panel in summary["panels"]] == ["cancelled", "cancelled"]


def test_panels_that_are_cancelled_one_after_the_other(provider: ScriptedProvider) -> None:
    """Each task ends one turn of the loop later, so the last is done while the end of the one before is told."""
    provider.say(Reply("one two", stall_after=1))
    names = [f"panel {number}" for number in range(8)]
    panels = [Panel("openai", config=provider.config("openai"), panel_id=name) for name in names]

    async def run() -> tuple[list[Any], Any]:
        batch, taken = astream_many(panels, "hi"), []
        begun = asyncio.Event()

        async def take(event: Any) -> None:
            taken.append(event)
            if len([event for event in taken if event["event"] == "panel_delta"]) == len(names):
                begun.set()

        async def cancel_all() -> None:
            await begun.wait()
            for name in names:
                batch.cancel(name)
                await asyncio.sleep(0)

        _, summary = await asyncio.wait_for(asyncio.gather(cancel_all(), batch.for_each(take)), 10)
        return taken, summary

    taken, summary = asyncio.run(run())
    assert said(taken) == {name: [("panel_delta", "one"), ("panel_error", "one")] for name in names}
    assert [panel["code"] for panel in summary["panels"]] == ["cancelled"] * len(names)


def test_what_take_raises_ends_the_batch(provider: ScriptedProvider) -> None:
    provider.say(Reply("one two", stall_after=1))
    panels = [Panel("openai", config=provider.config("openai")) for _ in range(3)]

    async def run() -> int:
        batch, taken = astream_many(panels, "hi"), []

        async def take(event: Any) -> None:
            taken.append(event)
            if len(taken) == 2:
                raise LookupError("no room")

        with pytest.raises(LookupError, match="no room"):
            await asyncio.wait_for(batch.for_each(take), 10)
        await batch.aclose()
        assert len(asyncio.all_tasks()) == 1
        return len(taken)

    assert asyncio.run(run()) in (2, 3)
    provider.server.wait_open_connections(0)


@pytest.mark.parametrize("how", ["cancel", "close"])
def test_left_in_the_middle(provider: ScriptedProvider, how: str) -> None:
    provider.say(Reply("one two", stall_after=1))
    panels = [Panel("openai", config=provider.config("openai")) for _ in range(3)]

    async def run() -> list[str]:
        batch, taken, begun = astream_many(panels, "hi"), [], asyncio.Event()

        async def take(event: Any) -> None:
            taken.append(event["event"])
            if len(taken) == 3:
                begun.set()

        running = asyncio.create_task(batch.for_each(take))
        await asyncio.wait_for(begun.wait(), 10)
        if how == "cancel":
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
        await batch.aclose()
        assert how == "cancel" or await running is None
        assert len(asyncio.all_tasks()) == 1
        return taken

    assert asyncio.run(run()) == ["panel_delta"] * 3
    provider.server.wait_hangup(timeout=2, count=3)


def test_closed_or_cancelled_before_it_began(provider: ScriptedProvider) -> None:
    panels = [Panel("openai", config=provider.config("openai"), panel_id="only")]

    async def run() -> None:
        taken: list[Any] = []

        async def take(event: Any) -> None:
            taken.append(event)

        closed = astream_many(panels, "hi")
        await closed.aclose()
        assert await closed.for_each(take) is None
        assert taken == []
        cancelled = astream_many(panels, "hi")
        cancelled.cancel("only")
        with pytest.raises(ConfigurationError):
            cancelled.cancel("other")
        summary = await cancelled.for_each(take)
        assert summary is not None
        assert summary["panels"][0]["code"] == "cancelled"
        assert [event["event"] for event in taken] == ["panel_error"]

    asyncio.run(run())
    assert provider.requests == []
