"""What is left in the middle, broken off, requested again or given to a fallback: it is kept, once, and counted."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
import time
from typing import Any

import pytest

import msgmodel
from conftest import Async, Sync
from msgmodel import ConfigurationError, Conversation
from msgmodel.testing import Pause, Reply, Script, ScriptedProvider, Send
from msgmodel.testing.wires import INPUT_TOKENS, OUTPUT_TOKENS, WIRES, Wire, events

NAME = {"openai_chat": "openai", "openai_responses": "openai", "anthropic": "anthropic", "gemini": "gemini"}
ONE = {"role": "user", "content": "one"}
BROKEN = {"role": "assistant", "content": "a", "partial": True}
TWO = {"role": "user", "content": "two"}


def last_of(colour: Sync | Async, conversation: Conversation, *args: Any, **kwargs: Any) -> Any:
    """The terminal event of the next turn."""
    if isinstance(colour, Sync):
        return list(conversation.stream_panels(*args, **kwargs))[-1]

    async def collect() -> list[Any]:
        return [event async for event in conversation.astream_panels(*args, **kwargs)]

    return colour.run(collect())[-1]


# --- leaving a conversation's stream ---


@pytest.mark.parametrize("how", ["break", "exception", "held", "wrapped"])
@pytest.mark.parametrize("function", ["stream_panels", "stream"])
def test_the_next_question_knows_what_was_shown(
    colour: Sync | Async, provider: ScriptedProvider, function: str, how: str
) -> None:
    """Also where the iterator was not closed: let go of, or still held."""
    provider.say(Reply("a b c", stall_after=1), "second")
    heard: list[Any] = []
    chat = Conversation("openai", config=provider.config("openai"), on_end=heard.append)
    if isinstance(colour, Sync):
        leave(chat, function, how)
        assert chat.query("two").text == "second"
    else:
        colour.run(aleave(chat, function, how))
    assert provider.requests[-1].json["messages"] == [ONE, {"role": "assistant", "content": "a"}, TWO]
    gc.collect()
    assert chat.messages == [ONE, BROKEN, TWO, {"role": "assistant", "content": "second"}]
    assert [event.get("code") for event in heard] == ["cancelled", None]


HELD: list[Any] = []


def leave(chat: Conversation, function: str, how: str) -> None:
    shown = getattr(chat, function)("one")
    if how in ("held", "wrapped"):
        HELD.append(shown)
    if how == "wrapped":
        shown = (event for event in shown)
    try:
        for _ in shown:
            if how == "exception":
                raise RuntimeError
            break
    except RuntimeError:
        del shown
        assert chat.messages == [ONE, BROKEN]


async def aleave(chat: Conversation, function: str, how: str) -> None:
    async def wrapper(inner: Any) -> Any:
        async for event in inner:
            yield event

    if how in ("held", "wrapped"):
        shown = getattr(chat, f"a{function}")("one")
        if how == "wrapped":
            shown = wrapper(shown)
        async for _ in shown:
            break
    else:
        try:
            async for _ in getattr(chat, f"a{function}")("one"):
                if how == "exception":
                    raise RuntimeError
                break
        except RuntimeError:
            pass
        assert chat.messages == [ONE, BROKEN]
    assert (await chat.aquery("two")).text == "second"


def test_a_stream_that_was_ended_by_the_next_question_ends(provider: ScriptedProvider) -> None:
    """It is not left hanging: a caller that comes back to it is told."""
    provider.say(Reply("a b c", stall_after=1), "second")
    chat = Conversation("openai", config=provider.config("openai"))

    async def main() -> None:
        shown = chat.astream_panels("one")
        await anext(shown)
        await chat.aquery("two")
        assert [event.get("code") async for event in shown] == ["cancelled"]
        assert len(chat.messages) == 4

    asyncio.run(main())


def test_two_that_are_read_at_once(colour: Sync | Async, provider: ScriptedProvider) -> None:
    """Neither ends the other; they are kept in the order in which they ended."""
    provider.say(lambda request: Reply("a b c", speed=4 if "slow" in str(request.json) else None))
    chat = Conversation("openai", config=provider.config("openai"))
    if isinstance(colour, Sync):
        thread = threading.Thread(target=lambda: list(chat.stream_panels("slow")))
        thread.start()
        while not provider.requests:
            time.sleep(0.01)
        time.sleep(0.1)
        chat.query("quick")
        thread.join()
    else:

        async def main() -> None:
            async def slow() -> None:
                async for _ in chat.astream_panels("slow"):
                    pass

            task = asyncio.create_task(slow())
            await asyncio.sleep(0.3)
            await chat.aquery("quick")
            await task

        colour.run(main())
    assert [(turn["content"], "partial" in turn) for turn in chat.messages] == [
        ("quick", False), ("a b c", False), ("slow", False), ("a b c", False),
    ]  # fmt: skip


def test_one_that_was_never_begun_is_not_kept(provider: ScriptedProvider) -> None:
    heard: list[Any] = []
    chat = Conversation("openai", config=provider.config("openai"), on_end=heard.append)

    async def main() -> None:
        chat.astream_panels("never")
        held = chat.astream("never")
        await chat.aquery("one")
        await held.aclose()

    asyncio.run(main())
    assert [turn["role"] for turn in chat.messages] == ["user", "assistant"]
    assert len(heard) == 1


# --- an empty prompt after a failure ---


@pytest.mark.parametrize("wire", WIRES)
def test_asking_again_after_a_cut(colour: Sync | Async, provider: ScriptedProvider, wire: Wire) -> None:
    """The question is asked once more, without the half answer, which the new one replaces."""
    provider.say(Reply("a b c", cut_after=1), "whole")
    chat = Conversation(NAME[wire], config=provider.config(wire), max_retries=0)
    assert last_of(colour, chat, "one")["code"] == "interrupted"
    assert chat.messages == [ONE, BROKEN | {"content": chat.messages[1]["content"]}]
    assert last_of(colour, chat)["content"] == "whole"
    first, second = (request.json for request in provider.requests)
    assert first == second
    assert chat.messages[:-1] == [ONE]
    assert "partial" not in chat.messages[-1]


def test_nothing_is_lost_where_asking_again_fails_too(colour: Sync | Async, provider: ScriptedProvider) -> None:
    provider.say(Reply("a b c", cut_after=1), Reply(error=400), Reply("x y", cut_after=1), "whole")
    chat = Conversation("openai", config=provider.config("openai"), max_retries=0)
    last_of(colour, chat, "one")
    last_of(colour, chat)
    # The refusal said nothing that could take its place.
    assert chat.messages == [ONE, BROKEN | {"failed": "invalid_request"}]
    last_of(colour, chat)
    assert chat.messages == [ONE, BROKEN | {"content": "x"}]
    last_of(colour, chat)
    assert chat.messages == [ONE, {"role": "assistant", "content": "whole"}]
    with pytest.raises(ConfigurationError, match="prompt is empty"):
        last_of(colour, chat)


def test_a_question_after_a_cut_sends_what_was_said(provider: ScriptedProvider) -> None:
    provider.say(Reply("a b c", cut_after=1), "second")
    chat = Conversation("openai", config=provider.config("openai"), max_retries=0)
    last_of(Sync(), chat, "one")
    chat.query("two")
    assert provider.requests[-1].json["messages"] == [ONE, {"role": "assistant", "content": "a"}, TWO]
    assert chat.messages[:2] == [ONE, BROKEN]


def test_asking_again_after_results(provider: ScriptedProvider) -> None:
    """What stands before the half answer is a tool's result."""
    provider.say(Reply("", tool_calls=[{"name": "f", "arguments": {}, "id": "c"}]), Reply("a b", cut_after=1), "whole")
    chat = Conversation("openai", config=provider.config("openai"), max_retries=0)
    last_of(Sync(), chat, "one")
    chat.add_tool_result("c", 5)
    last_of(Sync(), chat)
    last_of(Sync(), chat)
    assert provider.requests[-1].json == provider.requests[-2].json
    assert [turn["role"] for turn in chat.messages] == ["user", "assistant", "tool", "assistant"]
    assert chat.messages[-1]["content"] == "whole"


def test_a_turn_left_at_its_call_has_no_pending_calls(provider: ScriptedProvider) -> None:
    calls: Any = [{"name": "f", "arguments": {}, "id": id} for id in ("c", "d")]
    provider.say(Reply("", tool_calls=calls))
    chat = Conversation("anthropic", config=provider.config("anthropic"))
    for event in chat.stream_panels("one"):
        if event["event"] == "panel_tool_call":
            break
    assert chat.messages[-1]["partial"]
    assert chat.pending_calls == []


@pytest.mark.parametrize("name", ["model", "system_instruction"])
def test_a_kept_conversation_is_checked(name: str) -> None:
    kept = json.dumps({"version": 1, "provider": "openai", "messages": [], name: 5})
    with pytest.raises(ConfigurationError, match=f"not a conversation: {name} must be a string, not int"):
        Conversation.from_json(kept)


# --- reasoning that led to nothing ---


def test_reasoning_of_a_turn_that_broke_off_is_not_sent(colour: Sync | Async, provider: ScriptedProvider) -> None:
    """The Responses API refuses a reasoning item without the item that it led to."""
    provider.say(
        Reply("a b", reasoning="Hm", signature="SIG", cut_after=0), "ok",
        Reply("", reasoning="Hm", signature="SIG", tool_calls=[{"name": "f", "arguments": {}, "id": "c"}]), "done",
    )  # fmt: skip
    chat = Conversation("openai", config=provider.config("openai_responses"), max_retries=0)
    last_of(colour, chat, "one")
    assert "SIG" in str(chat.messages)
    last_of(colour, chat, "two")
    assert [item["role"] for item in provider.requests[-1].json["input"]] == ["user"], (
        "servers want roles that alternate"
    )
    last_of(colour, chat, "three")
    chat.add_tool_result("c", 5)
    last_of(colour, chat)
    assert [item["type"] for item in provider.requests[-1].json["input"]] == [
        *("message", "message", "message", "reasoning", "function_call", "function_call_output")
    ]


def test_reasoning_at_the_end_of_a_broken_turn_is_not_sent(provider: ScriptedProvider) -> None:
    """Where text stands before it."""
    provider.say(Reply("a b", reasoning="Hm", signature="SIG"), "ok")
    chat = Conversation("openai", config=provider.config("openai_responses"))
    chat.query("one")
    turn: Any = chat.messages[-1]
    turn["content"].reverse()
    turn["partial"] = True
    chat.query("two")
    assert [item["role"] for item in provider.requests[-1].json["input"]] == ["user", "assistant", "user"]


# --- the clock of a resumed or continued reply ---


@pytest.mark.parametrize("wire", WIRES)
def test_a_resumed_reply_has_its_whole_limit(
    shared_colour: Sync | Async, provider: ScriptedProvider, wire: Wire
) -> None:
    """The silence that broke the stream is not counted again."""
    rest = Reply(" three").script(wire).steps
    provider.say(Reply("one two three", stall_after=2), Script(steps=(Pause(0.3), *rest)))
    found = shared_colour.panels(
        NAME[wire], "hi", config=provider.config(wire), timeout=0.6, resume_interrupted=True, max_retries=1
    )
    last: Any = found[-1]
    assert (last.get("status"), last["content"]) == ("complete", "one two three")
    assert [event["code"] for event in found if event["event"] == "panel_retry"] == ["timeout"]


@pytest.mark.parametrize("wire", WIRES)
def test_a_continued_reply_has_its_whole_limit(
    shared_colour: Sync | Async, provider: ScriptedProvider, wire: Wire
) -> None:
    *before, end = Reply("one two", truncated=True).script(wire).steps
    cut = next(number for number, step in enumerate(before) if isinstance(step, Send) and b"two" in step.data) + 1
    steps = [*before, end]
    rest = Reply(" three").script(wire).steps
    provider.say(
        Script(steps=(*steps[:cut], Pause(0.4), *steps[cut:])),
        Script(steps=(Pause(0.4), *rest)),
    )
    last: Any = shared_colour.panels(
        NAME[wire], "hi", config=provider.config(wire), timeout=0.6, continue_truncated=1, max_retries=0
    )[-1]
    assert (last.get("status"), last["content"]) == ("complete", "one two three")


def test_a_reply_that_goes_on_from_a_checkpoint_has_its_whole_limit(
    shared_colour: Sync | Async, provider: ScriptedProvider
) -> None:
    *before, end = events("gemini", ["one two"], finish="CONTINUATION")
    checkpoint = end.replace(b'"finishReason"', b'"continuationToken":"t","finishReason"')
    rest = Reply(" three").script("gemini").steps
    provider.say(
        Script(steps=(*map(Send, before), Pause(0.4), Send(checkpoint))),
        Script(steps=(Pause(0.4), *rest)),
    )
    last: Any = shared_colour.panels("gemini", "hi", config=provider.config("gemini"), timeout=0.6, max_retries=0)[-1]
    assert (last.get("status"), last["content"]) == ("complete", "one two three")


# --- what everybody has used ---


@pytest.mark.parametrize("wire", ["openai_responses", "anthropic", "gemini"])
def test_who_was_given_up_after_reasoning_is_counted(
    colour: Sync | Async, provider: ScriptedProvider, wire: Wire
) -> None:
    """Its usage is in the sum, and a segment says whose it was."""
    provider.say(Reply("x", reasoning="think " * 40, cut_after=0), Reply("ok"))
    found: list[Any] = list(
        colour.panels(
            NAME[wire], "hi", config=provider.config(wire), max_retries=0,
            fallbacks=[{"provider": "openai", "model": "m", "config": provider.config("openai")}],
        )
    )  # fmt: skip
    last = found[-1]
    given_up, answered = last["segments"]
    assert (given_up["provider"], given_up["characters"], given_up["status"]) == (NAME[wire], 0, "interrupted")
    assert (answered["provider"], answered["characters"], answered["status"]) == ("openai", 2, "complete")
    # Gemini counts with each event (WIRE.md), so what it counted last is what it has used.
    assert last["usage"]["source"] == ("provider" if wire == "gemini" else "estimated")
    assert last["usage"]["output_tokens"] >= OUTPUT_TOKENS + (20 if wire == "gemini" else 40)
    assert last["usage"]["input_tokens"] > INPUT_TOKENS
    assert "reasoning" not in last
    assert (last["content"], last["provider"]) == ("ok", "openai")


def test_who_was_given_up_without_a_word_is_not(provider: ScriptedProvider) -> None:
    provider.say(Reply(error=503), Reply("ok"))
    config = provider.config("anthropic")
    back: Any = {"provider": "openai", "config": provider.config("openai")}
    last: Any = list(msgmodel.stream_panels("anthropic", "hi", config=config, max_retries=0, fallbacks=[back]))[-1]
    assert "segments" not in last
    assert (last["usage"]["input_tokens"], last["usage"]["source"]) == (INPUT_TOKENS, "provider")


@pytest.mark.parametrize("wire", WIRES)
def test_a_broken_part_of_a_reply_is_counted(
    shared_colour: Sync | Async, provider: ScriptedProvider, wire: Wire
) -> None:
    """If the provider did not come to say it, by what came. Gemini says it with each event."""
    words = "word " * 40
    provider.say(Reply(words + "end", cut_after=40), Reply(" more"))
    last: Any = shared_colour.panels(
        NAME[wire], "hi", config=provider.config(wire), resume_interrupted=True, max_retries=1
    )[-1]
    assert (last["status"], last["usage"]["source"]) == ("complete", "provider" if wire == "gemini" else "estimated")
    assert last["usage"]["output_tokens"] >= OUTPUT_TOKENS + (20 if wire == "gemini" else 40)
    assert last["usage"]["input_tokens"] > INPUT_TOKENS


def test_a_fallback_begins_from_nothing(provider: ScriptedProvider) -> None:
    """What the first provider had paused at is not the verdict on the second."""
    provider.say(Reply("", reasoning="Hm", paused=True), Reply(error=400), Reply(error=503))
    config = provider.config("anthropic")
    back: Any = {"provider": "openai", "config": provider.config("openai")}
    asking: Any = {"config": config, "max_retries": 0, "continue_truncated": 1, "fallbacks": [back]}
    last: Any = list(msgmodel.stream_panels("anthropic", "hi", **asking))[-1]
    assert (last["event"], last["provider"], last["code"]) == ("panel_error", "openai", "overloaded")
