"""`panel_progress`: what a panel waits for, and that it comes only when asked for, and only in a silence."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import closing
from itertools import islice
from typing import Any

import pytest

import msgmodel
from conftest import Async, Sync
from msgmodel import Conversation
from msgmodel.reply.progress import WaitSituation, describe_progress
from msgmodel.testing import Pause, Repeat, Reply, Script, ScriptedProvider, Send, Stall
from msgmodel.testing.wires import events
from serving import BUSY, wait_for

REQUESTED = WaitSituation(now=10.0, requested_at=4.0)
RESPONDED = REQUESTED._replace(responded_at=5.0, last_byte_at=9.5)
PROGRESSED = RESPONDED._replace(progressed=True, latest_since=8.0)


@pytest.mark.parametrize(
    ("situation", "progress"),
    [
        (WaitSituation(now=10.0), {"phase": "queued", "seconds": 0.0}),
        (REQUESTED._replace(seconds_to_pause=6.5), {"phase": "queued", "seconds": 6.0}),
        (REQUESTED._replace(seconds_to_pause=2.0), {"phase": "connecting", "seconds": 4.0}),
        (REQUESTED, {"phase": "connecting", "seconds": 6.0}),
        (RESPONDED, {"phase": "prompt", "seconds": 5.0}),
        (RESPONDED._replace(percent=25.0), {"phase": "prompt", "seconds": 5.0, "percent": 25.0}),
        (RESPONDED._replace(last_byte_at=None), {"phase": "silent", "seconds": 5.0}),
        (RESPONDED._replace(responded_at=8.0, last_byte_at=None), {"phase": "prompt", "seconds": 2.0}),
        (RESPONDED._replace(last_byte_at=6.0), {"phase": "silent", "seconds": 4.0}),
        (PROGRESSED._replace(latest="reasoning"), {"phase": "thinking", "seconds": 2.0}),
        (
            PROGRESSED._replace(latest="reasoning", reasoning_tokens=7),
            {"phase": "thinking", "seconds": 2.0, "tokens": 7},
        ),
        (PROGRESSED._replace(latest="tool_call"), {"phase": "tool", "seconds": 2.0}),
        (PROGRESSED._replace(latest="text", runs_tool=True), {"phase": "tool", "seconds": 2.0}),
        (
            PROGRESSED._replace(latest="text", text_tokens=30),
            {"phase": "text", "seconds": 2.0, "tokens_per_second": 15.0},
        ),
        (PROGRESSED._replace(latest="text", last_byte_at=7.0), {"phase": "silent", "seconds": 3.0}),
    ],
)
def test_the_phase_of_each_situation(situation: WaitSituation, progress: dict[str, Any]) -> None:
    assert describe_progress(situation) == progress


def ask(colour: Sync | Async, provider: ScriptedProvider, name: str = "openai", **options: Any) -> list[Any]:
    options = {"panel_id": "p", "progress": True, "max_retries": 1} | options
    return colour.panels(name, "hi", config=provider.config(name), **options)


def phases(found: list[Any]) -> list[str]:
    """Return the kinds of the events, or their phases, each once if it comes several times in a row."""
    names = [event.get("phase", event["event"]) for event in found]
    return [name for number, name in enumerate(names) if [name] != names[number - 1 : number]]


REASONED = events("openai_chat", ["one"], reasoning=["hm"])
PING = b": ping\n\n"


def pauses(*steps: bytes | float) -> Script:
    return Script(steps=tuple(Pause(step) if isinstance(step, float) else Send(step) for step in steps))


def test_each_wait_is_shown(colour: Sync | Async, provider: ScriptedProvider) -> None:
    """The pauses are far longer than a second, so that a busy machine only adds events of the same phase."""
    thought = next(number for number, each in enumerate(REASONED) if b'"hm"' in each) + 1
    said = next(number for number, each in enumerate(REASONED) if b'"one"' in each) + 1
    provider.say(
        Reply(error=503, retry_after=1.6),
        pauses(
            b": begin\n\n",
            1.6,
            b"".join(REASONED[:thought]),
            1.6,
            b"".join(REASONED[thought:said]),
            4.2,
            b"".join(REASONED[said:]),
        ),
    )
    found = ask(colour, provider)
    wanted = ["panel_retry", "queued", "prompt", "panel_reasoning", "thinking", "panel_delta", "text", "silent"]
    assert [name for name in phases(found) if name != "connecting"] == [*wanted, "panel_final"]
    silent = [event for event in found if event.get("phase") == "silent"]
    assert silent[0].keys() == {"event", "panel_id", "phase", "seconds"}
    assert {event["panel_id"] for event in found} == {"p"}
    assert silent[0]["seconds"] >= 3
    speeds = [event["tokens_per_second"] for event in found if event.get("phase") == "text"]
    assert all(0 < speed <= 1 for speed in speeds)


def test_nothing_between_fast_events_nor_after_the_end(colour: Sync | Async, provider: ScriptedProvider) -> None:
    provider.say(Reply("a b c d e f"))
    found = ask(colour, provider)
    without = ask(colour, provider, progress=False)
    assert [event for event in found if event["event"] == "panel_progress"] == []
    assert [event["event"] for event in found] == [event["event"] for event in without]
    assert json.loads(provider.requests[0].body) == json.loads(provider.requests[1].body)


def test_pings_are_no_silence(colour: Sync | Async, provider: ScriptedProvider) -> None:
    provider.say(Script(steps=(Send(REASONED[0]), Repeat(PING, 0.1))))
    found = ask(colour, provider, timeout=5, max_retries=0)
    assert set(phases(found)[:-1]) <= {"connecting", "prompt"}
    assert (found[-1]["event"], found[-1]["code"]) == ("panel_error", "timeout")


def test_the_server_says_how_much_of_the_prompt_it_has_read(colour: Sync | Async, provider: ScriptedProvider) -> None:
    told = {"total": 200, "cache": 20, "processed": 150, "time_ms": 40}
    chunk = {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"role": "assistant", "content": None}}]}
    data = b"data: " + json.dumps(chunk | {"prompt_progress": told}).encode() + b"\n\n"
    provider.say(pauses(data, 2.2, b"".join(REASONED)))
    found = ask(colour, provider, "llamacpp", model="m")
    waits = [event for event in found if event.get("phase") == "prompt"]
    assert {event["percent"] for event in waits} == {75.0}
    assert json.loads(provider.requests[0].body)["return_progress"] is True
    ask(colour, provider, "llamacpp", model="m", progress=False)
    assert "return_progress" not in json.loads(provider.requests[1].body)


@pytest.mark.parametrize("read", [0, 1, 2])
def test_leaving_ends_the_reply_once(provider: ScriptedProvider, read: int) -> None:
    ends: list[Any] = []
    provider.say(Reply("a b c", stall_after=1))
    options: Any = {"config": provider.config("openai"), "progress": True, "on_end": ends.append}
    before = threading.active_count()
    with closing(msgmodel.stream_panels("openai", "hi", **options)) as stream:
        shown = [*islice(stream, read)]
    assert [event["code"] for event in ends] == (["cancelled"] if read else [])
    if read:
        assert ends[0]["content"] == "".join(event.get("delta", "") for event in shown) == "a"
    wait_for(lambda: threading.active_count() <= before + 1, what="the thread goes on")  # the watchdog's may live

    async def leave() -> None:
        stream = msgmodel.astream_panels("openai", "hi", **options)
        for _ in range(read):
            await anext(stream)
        await stream.aclose()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    ends.clear()
    asyncio.run(leave())
    assert [event["code"] for event in ends] == (["cancelled"] if read else [])


def test_leaving_in_the_pause_before_a_retry_asks_no_more(provider: ScriptedProvider) -> None:
    ends: list[Any] = []
    provider.say(Reply(error=503, retry_after=2.5), Reply("late"))
    options: Any = {"config": provider.config("openai"), "progress": True, "on_end": ends.append}
    before = {thread.ident for thread in threading.enumerate()}
    with closing(msgmodel.stream_panels("openai", "hi", **options)) as stream:
        assert "panel_retry" in [event["event"] for event in islice(stream, 2)]
    assert [event["code"] for event in ends] == ["cancelled"]
    own = [each for each in threading.enumerate() if each.ident not in before and each.name == "msgmodel progress"]
    for thread in own:  # its sleep can't be ended
        thread.join(BUSY)
        assert not thread.is_alive()
    assert len(provider.requests) == 1
    assert [event["code"] for event in ends] == ["cancelled"]


def by_function(provider: ScriptedProvider) -> AsyncGenerator[Any, None]:
    return msgmodel.astream_panels("openai", "hi", config=provider.config("openai"), progress=True)


def by_conversation(provider: ScriptedProvider) -> AsyncGenerator[Any, None]:
    return Conversation("openai", config=provider.config("openai"), progress=True).astream_panels("hi")


@pytest.mark.parametrize("start", [by_function, by_conversation])
@pytest.mark.parametrize("pieces", range(4))
def test_a_cancelled_wait_loses_no_piece(
    provider: ScriptedProvider, start: Callable[[ScriptedProvider], AsyncGenerator[Any, None]], pieces: int
) -> None:
    provider.say(Reply("a b c", stall_after=pieces))

    async def read() -> list[Any]:
        stream, seen = start(provider), []
        while True:
            try:
                seen.append(await asyncio.wait_for(anext(stream), 0.05))
            except TimeoutError:
                continue
            except StopAsyncIteration:
                return seen

    seen = asyncio.run(read())
    assert (seen[-1]["event"], seen[-1]["code"]) == ("panel_error", "cancelled")
    assert "".join(event.get("delta", "") for event in seen) == seen[-1]["content"]


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_piece_that_was_ready_at_the_cancel_is_shown(provider: ScriptedProvider, cut: int) -> None:
    """The cancellation comes after so many turns of the event loop, so also between an event and its reader."""
    provider.say(Reply("a b c", stall_after=3))

    async def read() -> list[Any]:
        stream = by_function(provider)
        seen = [await anext(stream)]
        reading = asyncio.ensure_future(anext(stream))
        for _ in range(cut):
            await asyncio.sleep(0)
        if reading.cancel():
            await asyncio.wait({reading})
        else:
            seen.append(reading.result())
        if reading.cancelled():
            return [*seen, *[event async for event in stream]]
        await stream.aclose()
        return []

    seen = asyncio.run(read())
    assert not seen or "".join(event.get("delta", "") for event in seen) == seen[-1]["content"]


def test_a_turn_is_kept(provider: ScriptedProvider) -> None:
    provider.say(pauses(REASONED[0], 1.6, b"".join(REASONED[1:])))
    conversation = Conversation("openai", config=provider.config("openai"), progress=True)
    found = list(conversation.stream_panels("hi"))
    assert "panel_progress" in [event["event"] for event in found]
    assert conversation.messages == [{"role": "user", "content": "hi"}, found[-1]["message"]]  # type: ignore[typeddict-item]


def test_each_panel_of_a_batch(provider: ScriptedProvider) -> None:
    provider.say(pauses(REASONED[0], 1.6, b"".join(REASONED[1:])))
    panels = [msgmodel.Panel("openai", panel_id=id, config=provider.config("openai")) for id in "ab"]
    found: list[Any] = list(msgmodel.stream_many(panels, "hi", progress=True))
    for id in "ab":
        own = [event["event"] for event in found if event["panel_id"] == id]
        assert "panel_progress" in own
        assert own[-1] == "panel_final"
    assert found[-1]["event"] == "batch_final"


def test_a_batch_cancels_a_panel(provider: ScriptedProvider) -> None:
    provider.say(Reply("a b c", stall_after=2))
    panels = [msgmodel.Panel("openai", panel_id="p", config=provider.config("openai"))]
    seen: list[Any] = []
    with msgmodel.stream_many(panels, "hi", progress=True) as batch:
        for event in batch:
            seen.append(event)
            if event["event"] == "panel_progress":
                batch.cancel()
    assert [event["event"] for event in seen[-2:]] == ["panel_error", "batch_final"]
    assert (seen[-2]["code"], seen[-2]["content"]) == ("cancelled", "a b")


@pytest.mark.parametrize("name", ["stream", "query"])
def test_functions_without_events_ignore_it(provider: ScriptedProvider, name: str) -> None:
    provider.say("a b")
    found = getattr(msgmodel, name)("openai", "hi", config=provider.config("openai"), progress=True)
    assert ("".join(found) if name == "stream" else found.text) == "a b"


def test_what_a_callback_raises_reaches_the_caller(colour: Sync | Async, provider: ScriptedProvider) -> None:
    def leave(event: Any) -> None:
        raise SystemExit(3)

    provider.say("a b")
    with pytest.raises(SystemExit):
        ask(colour, provider, on_end=leave)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_reports_the_end(provider: ScriptedProvider) -> None:
    provider.say(Script(steps=(Send(b"".join(REASONED[:2])), Stall())))
    with closing(msgmodel.stream_panels("openai", "hi", config=provider.config("openai"), progress=True)) as stream:
        next(stream)
        child = os.fork()
        if not child:
            last: Any = list(stream)[-1]
            os._exit(0 if (last["event"], last["code"]) == ("panel_error", "interrupted") else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
