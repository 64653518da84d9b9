"""Runs of tools: the rounds, how each call ends, the limits, and what the model receives."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import re
import threading
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from tool_runs import Runs, call, results

from conftest import KEY, PROVIDER
from msgmodel import ConfigurationError, Conversation, RunnableTool, arun_tools, current_call, query, run_tools
from msgmodel.testing import Reply, Script, ScriptedProvider

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def price(fruit: str, count: int = 1) -> str:
    """The price of some fruit.

    :param fruit: apple or pear
    :param count: how many of them
    """
    return f"{ {'apple': 0.5, 'pear': 0.75}[fruit] * count:.2f} euros"


def sent_results(runs: Runs, number: int = -1) -> list[tuple[str, Any]]:
    """The ids and contents of the results in a request on the chat wire."""
    messages = runs.provider.requests[number].json["messages"]
    return [(each["tool_call_id"], each["content"]) for each in messages if each["role"] == "tool"]


@pytest.mark.parametrize("wire", list(PROVIDER))
def test_a_run_calls_the_functions_and_asks_again(runs: Runs, wire: str) -> None:
    calls = [call("c1", "price", fruit="apple", count=4), call("c2", "price", fruit="pear")]
    runs.provider.say(Reply("Let me see.", tool_calls=calls), Reply("It costs 2.75 euros."))
    events = runs.events([price], wire=wire)
    names = [event["event"] for event in events if event["event"] not in ("panel_delta", "panel_tool_call")]
    assert names == ["panel_tool_result", "panel_tool_result", "panel_round", "panel_final"]
    ids = {event["arguments"]: event["id"] for event in events if event["event"] == "panel_tool_call"}
    apple, pear = list(ids.values())
    assert sorted(results(events)) == sorted([(apple, "done", "2.00 euros", None), (pear, "done", "0.75 euros", None)])
    assert {"event": "panel_round", "panel_id": "panel", "round": 2} in events
    final = events[-1]
    assert (final["status"], final["content"]) == ("complete", "Let me see.\n\nIt costs 2.75 euros.")
    assert [(each["id"], each["status"]) for each in final["run"]["calls"]] == [(apple, "done"), (pear, "done")]
    assert (final["run"]["rounds"], final["run"]["pending"], final["run"]["state"]) == (2, [], None)
    assert final["timing"]["attempts"] == len(runs.provider.requests) == 2
    assert "2.00 euros" in json.dumps(runs.provider.requests[-1].json)


def test_usage_and_segments_are_those_of_all_rounds(runs: Runs) -> None:
    runs.provider.say(Reply("Wait.", tool_calls=[call("c1", "price", fruit="apple")]), Reply("Done."))
    run = runs.start([price])
    assert (run.spent["usage"]["output_tokens"], run.spent["cost"]) == (0, 0.0)
    final = runs.read(run)[-1]
    first, second = (segment["usage"] for segment in final["segments"])
    assert final["usage"]["output_tokens"] == first["output_tokens"] + second["output_tokens"]
    assert [segment["characters"] for segment in final["segments"]] == [len("Wait."), len("\n\nDone.")]
    assert run.spent["cost"] == final["cost"]
    for name in ("input_tokens", "output_tokens"):
        assert run.spent["usage"][name] == final["usage"][name]


@pytest.mark.parametrize("of", ["run", "conversation"])
def test_a_budget_holds_for_the_run(runs: Runs, of: str) -> None:
    """Each reply has 200 words, and the budget pays for less than two of them."""
    words = "word " * 200
    calls = [call("c1", "price", fruit="apple")]
    runs.provider.say(Reply(words, tool_calls=calls, usage=False), Reply(words, usage=False))
    limits = {"max_total_tokens": 700}
    config = runs.provider.config("openai_chat")
    chat = Conversation("openai", config=config, tools=[price], **(limits if of == "conversation" else {}))
    events = runs.read(runs.converse(chat, "Go", **(limits if of == "run" else {})))
    assert results(events) == [("c1", "done", "0.50 euros", None)]
    final = events[-1]
    assert (final["status"], final["truncated_by"], final["run"]["rounds"]) == ("truncated", "budget", 2)
    assert final["usage"]["input_tokens"] + final["usage"]["output_tokens"] <= 714, "2 % over the limit at most"


def test_functions_of_one_reply_run_at_the_same_time(runs: Runs) -> None:
    """Each waits for the other, so that one after the other would never end."""
    both = threading.Barrier(2)

    def meet(name: str) -> str:
        """Meet."""
        both.wait(20)
        return name

    runs.provider.say(Reply(tool_calls=[call("c1", "meet", name="a"), call("c2", "meet", name="b")]), "Done.")
    assert sorted(results(runs.events([meet]))) == [("c1", "done", "a", None), ("c2", "done", "b", None)]


def test_async_functions_run_at_the_same_time(runs: Runs) -> None:
    here: dict[str, Any] = {}

    async def meet(mine: Literal["a", "b"]) -> str:
        """Meet."""
        loop, met = here.setdefault("both", (asyncio.get_running_loop(), asyncio.Event()))
        assert loop is asyncio.get_running_loop()
        if len(here) == 2:
            met.set()
        here["one waits"] = True
        await met.wait()
        return mine

    runs.provider.say(Reply(tool_calls=[call("c1", "meet", mine="a"), call("c2", "meet", mine="b")]), "Done.")
    assert sorted(results(runs.events([meet]))) == [("c1", "done", "a", None), ("c2", "done", "b", None)]


def test_results_reach_the_model_in_the_order_of_the_calls(runs: Runs) -> None:
    second_ended = threading.Event()

    def first() -> str:
        """End last."""
        second_ended.wait(20)
        return "one"

    def second() -> str:
        """End first."""
        return "two"

    def seen(event: Any) -> None:
        if event["event"] == "panel_tool_result":
            second_ended.set()

    runs.provider.say(Reply(tool_calls=[call("c1", "first"), call("c2", "second")]), "Done.")
    run = runs.start([first, second])
    if runs.is_async:

        async def read() -> list[Any]:
            return [event async for event in run if seen(event) or True]

        events = runs.colour.run(read())  # type: ignore[union-attr]
    else:
        events = [event for event in run if seen(event) or True]
    assert [each[0] for each in results(events)] == ["c2", "c1"]
    assert sent_results(runs) == [("c1", "one"), ("c2", "two")]
    assert [each["id"] for each in events[-1]["run"]["calls"]] == ["c1", "c2"]


# --- calls that do not run ---


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (call("c1", "price", fruit=3), "the arguments do not fit the tool: Expected `str`, got `int` - at `$.fruit`"),
        (call("c1", "price"), "the arguments do not fit the tool: Object missing required field `fruit`"),
        (
            call("c1", "price", fruit="apple", colour="red"),
            "the arguments do not fit the tool: Object contains unknown",
        ),
        ({"id": "c1", "name": "price", "arguments": "[1]"}, "the arguments are not a JSON object"),
        ({"id": "c1", "name": "price", "arguments": '{"fruit": "apple",}'}, "the arguments are not a JSON object"),
        (call("c1", "cost", fruit="apple"), "there is no tool of this name; the tools are: price"),
    ],
)
def test_wrong_calls_are_reported_to_the_model(runs: Runs, made: Any, words: str) -> None:
    runs.provider.say(Reply(tool_calls=[made]), Reply(tool_calls=[call("c2", "price", fruit="apple")]), "Done.")
    events = runs.events([price])
    (_, status, result, error), second = results(events)
    assert (status, result, second[1]) == ("not_run", None, "done")
    assert error is not None
    assert error.startswith(words)
    assert sent_results(runs, 1) == [("c1", error)]


@pytest.mark.parametrize(
    "cut",
    [
        {"truncated": True},
        {"finish": "content_filter"},
        {"finish": "new_word"},
    ],
)
def test_calls_of_a_reply_that_did_not_end_well_never_run(runs: Runs, cut: Any) -> None:
    ran: list[str] = []

    def note(text: str) -> None:
        """Note."""
        ran.append(text)

    calls = [call("c1", "note", text="a"), call("c2", "note", text="b")]
    runs.provider.say(Reply("Hm.", tool_calls=calls, **cut))
    events = runs.events([note])
    assert ran == []
    assert {each[:2] for each in results(events)} == {("c1", "not_run"), ("c2", "not_run")}
    assert events[-1]["event"] == "panel_final"
    assert events[-1]["status"] not in ("complete", "tool_calls")


def test_calls_of_a_reply_that_broke_never_run(runs: Runs) -> None:
    calls = [call("c1", "price", fruit="apple"), call("c2", "price", fruit="pear")]
    whole = Reply("Hm.", tool_calls=calls).script("openai_chat").steps
    end = next(number for number, step in enumerate(whole) if re.search(rb'"finish_reason": ?"', step.data))
    for cut in range(1, end):
        runs.provider.say(Script(steps=whole[:cut]))
        events = runs.events([price])
        assert events[-1]["event"] == "panel_error", cut
        assert {each[1] for each in results(events)} <= {"not_run"}
        announced = {event["id"] for event in events if event["event"] == "panel_tool_call"}
        assert announced <= {each[0] for each in results(events)}
        assert events[-1]["run"]["state"]["rounds"] == 1


def test_a_limit_of_calls(runs: Runs) -> None:
    calls = [call(f"c{number}", "price", fruit="apple") for number in range(3)]
    runs.provider.say(Reply(tool_calls=calls), "Done.")
    events = runs.events([price], max_calls=2)
    assert [each[1] for each in sorted(results(events))] == ["done", "done", "not_run"]
    assert "has used its 2 calls" in sent_results(runs)[2][1]
    assert events[-1]["status"] == "complete"


def test_a_limit_of_rounds(runs: Runs) -> None:
    """The calls of the last round have no effect, because the model would never read their results."""
    runs.provider.say(Reply("Again.", tool_calls=[call("c1", "price", fruit="apple")]))
    events = runs.events([price], max_rounds=3)
    assert [each[1] for each in results(events)] == ["done", "done", "not_run"]
    final = events[-1]
    assert (final["status"], final["truncated"], final["truncated_by"]) == ("truncated", True, "rounds")
    assert len(runs.provider.requests) == final["run"]["rounds"] == 3


def test_a_tool_that_is_required_is_required_once(runs: Runs) -> None:
    runs.provider.say(Reply(tool_calls=[call("c1", "price", fruit="apple")]), "Done.")
    runs.events([price], tool_choice="price")
    choices = [request.json.get("tool_choice") for request in runs.provider.requests]
    assert choices[1] in (None, "auto")
    assert choices[0] not in (None, "auto")


# --- errors and results ---


def test_the_error_of_a_function_is_one_line_without_secrets(runs: Runs) -> None:
    def fetch(path: str) -> str:
        """Fetch."""
        raise OSError(
            f"GET https://user:pass@example.com/{path}?token=abcdefgh failed\n"
            f"Authorization: Bearer {KEY}\nTraceback (most recent call last): ..."
        )

    runs.provider.say(Reply(tool_calls=[call("c1", "fetch", path="a")]), "Done.")
    ((_, status, _, error),) = results(runs.events([fetch], config=runs.provider.config("openai_chat", api_key=KEY)))
    assert status == "failed"
    assert error is not None
    assert error.startswith("OSError: GET https://example.com/a failed Authorization: ")
    for hidden in (KEY, "abcdefgh", "pass@", "\n"):
        assert hidden not in error
    assert sent_results(runs) == [("c1", error)]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (KeyError("kiwi"), "KeyError: 'kiwi'"),
        (ValueError(), "ValueError"),
        (SystemExit(3), "SystemExit: 3"),
        (RuntimeError("x" * 5000), "RuntimeError: " + "x" * 585 + "…"),
        (RuntimeError("sk-proj-0123456789abcdef0123"), "RuntimeError: [secret]"),
        (RuntimeError("password=hunter2hunter2"), "RuntimeError: password=[secret]"),
    ],
)
@pytest.mark.parametrize("is_async", [False, True])
def test_the_words_of_errors(runs: Runs, error: BaseException, words: str, is_async: bool) -> None:
    def plain() -> None:
        """Fail."""
        raise error

    async def coroutine() -> None:
        """Fail."""
        raise error

    coroutine.__name__ = "plain"
    runs.provider.say(Reply(tool_calls=[call("c1", "plain")]), "Done.")
    assert results(runs.events([coroutine if is_async else plain])) == [("c1", "failed", None, words)]


def test_results_of_all_kinds(runs: Runs) -> None:
    @dataclass
    class Offer:
        day: date
        price: Decimal

    made: dict[str, Any] = {
        "text": "a\nb",
        "none": None,
        "data": {"a": [1, 2.5, True]},
        "offer": Offer(date(2026, 11, 30), Decimal("1.50")),
        "half": "\ud83d",
        "bad": object(),
    }

    def give(kind: str) -> Any:
        """Give."""
        return made[kind]

    runs.provider.say(Reply(tool_calls=[call(kind, "give", kind=kind) for kind in made]), "Done.")
    found = {each[0]: each[1:] for each in results(runs.events([give]))}
    assert found == {
        "text": ("done", "a\nb", None),
        "none": ("done", None, None),
        "data": ("done", {"a": [1, 2.5, True]}, None),
        "offer": ("done", {"day": "2026-11-30", "price": "1.50"}, None),
        "half": ("done", "\ufffd", None),
        "bad": ("failed", None, "JSON can't hold what the function returned: a value of type object"),
    }


def test_an_image_reaches_the_model_as_an_image(runs: Runs) -> None:
    def look() -> Any:
        """Look."""
        return {"type": "file", "name": "a.png", "data": PNG}

    runs.provider.say(Reply(tool_calls=[call("c1", "look")]), "A dot.")
    events = runs.events([look], wire="anthropic")
    assert results(events)[0][1] == "done"
    sent = json.dumps(runs.provider.requests[-1].json)
    assert base64.b64encode(PNG).decode() in sent
    assert '"type": "image"' in sent or '"type":"image"' in sent


def test_arguments_arrive_as_the_types_of_the_parameters(runs: Runs) -> None:
    taken: list[Any] = []

    def book(day: date, people: Annotated[int, "how many"] = 2) -> str:
        """Book."""
        taken.append((day, people))
        return "ok"

    runs.provider.say(Reply(tool_calls=[call("c1", "book", day="2026-11-30")]), "Done.")
    runs.events([book])
    assert taken == [(date(2026, 11, 30), 2)]


def test_a_tool_with_a_schema_of_its_own(runs: Runs) -> None:
    async def add(**numbers: float) -> float:
        return sum(numbers.values())

    schema = {"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}}
    tool = RunnableTool("add", "Adds.", schema, add)
    runs.provider.say(Reply(tool_calls=[call("c1", "add", a=1, b=2), call("c2", "add", a="1")]), "Three.")
    assert query("openai", "Hi", config=runs.provider.config("openai_chat"), tools=[tool]).status == "tool_calls"
    runs.provider.say(Reply(tool_calls=[call("c1", "add", a=1, b=2), call("c2", "add", a="1")]), "Three.")
    done, wrong = sorted(results(runs.events([tool])))
    assert done == ("c1", "done", 3, None)
    assert wrong[:3] == ("c2", "not_run", None)
    assert wrong[3] is not None
    assert wrong[3].startswith("the arguments do not fit the tool: /a: ")


# --- progress ---


def test_the_pieces_of_a_generator_are_progress(runs: Runs) -> None:
    def count(to: int) -> Generator[str, None, str]:
        """Count."""
        for number in range(to):
            yield f"{number} "
        return "all"

    async def acount(to: int) -> AsyncGenerator[Any, None]:
        """Count."""
        for number in range(to):
            yield {"at": number}

    runs.provider.say(Reply(tool_calls=[call("c1", "count", to=2), call("c2", "acount", to=2)]), "Done.")
    events = runs.events([count, acount])
    pieces = {
        id: [each["delta"] for each in events if each["event"] == "panel_tool_progress" and each["id"] == id]
        for id in ("c1", "c2")
    }
    assert pieces == {"c1": ["0 ", "1 "], "c2": ['{"at":0}\n', '{"at":1}\n']}
    assert sorted(results(events)) == [
        ("c1", "done", "all", None),
        ("c2", "done", '{"at":0}\n{"at":1}\n', None),
    ]


# --- time limits ---


def test_a_function_that_takes_too_long(runs: Runs) -> None:
    """What can be canceled has failed. What can't is unknown. What looks at `cancelled` may still bring its result."""
    free = threading.Event()

    async def asleep() -> None:
        """Sleep."""
        await asyncio.sleep(60)

    def blocked() -> None:
        """Block."""
        free.wait(60)

    def polite() -> str:
        """Look."""
        current_call().cancelled.wait(60)
        return "half"

    calls = [call("c1", "asleep"), call("c2", "blocked"), call("c3", "polite")]
    runs.provider.say(Reply(tool_calls=calls), "Done.")
    found = sorted(results(runs.events([asleep, blocked, polite], tool_timeout=0.05)))
    free.set()
    assert found == [
        ("c1", "failed", None, "the function did not end within 0.05 seconds"),
        (
            *("c2", "unknown", None),
            "the function did not end within 0.05 seconds, and it may still be running: it is not known whether it "
            "took effect",
        ),
        ("c3", "done", "half", None),
    ]


def test_a_deadline_ends_the_run(runs: Runs) -> None:
    async def asleep() -> None:
        """Sleep."""
        await asyncio.sleep(60)

    runs.provider.say(Reply("Wait.", tool_calls=[call("c1", "asleep")]), "Done.")
    events = runs.events([asleep], deadline=0.5)
    assert results(events) == [("c1", "failed", None, "the run did not end before its deadline")]
    assert (events[-1]["event"], events[-1]["code"], events[-1]["content"]) == ("panel_error", "timeout", "Wait.")
    assert len(runs.provider.requests) == 1


# --- leaving, stopping, saying ---


def test_leaving_cancels_the_functions(runs: Runs) -> None:
    ended: list[str] = []
    last: list[Any] = []
    free = threading.Event()

    async def asleep() -> Any:
        """Sleep."""
        try:
            yield "started"
            await asyncio.sleep(60)
        finally:
            ended.append("asleep")

    def blocked() -> Any:
        """Block."""
        free.wait(60)

    runs.provider.say(Reply(tool_calls=[call("c1", "asleep"), call("c2", "blocked")]), "Done.")
    run = runs.start([asleep, blocked], on_end=last.append)
    if runs.is_async:

        async def leave() -> None:
            async for event in run:
                if event["event"] == "panel_tool_progress":
                    break
            await run.aclose()

        runs.colour.run(leave())  # type: ignore[union-attr]
    else:
        for event in run:
            if event["event"] == "panel_tool_progress":
                break
        run.close()
    free.set()
    assert ended == ["asleep"]
    (end,) = last
    assert (end["event"], end["code"]) == ("panel_error", "cancelled")
    assert [(each["id"], each["status"]) for each in end["run"]["calls"]] == [("c1", "failed"), ("c2", "unknown")]


def test_leaving_while_a_reply_streams(runs: Runs) -> None:
    last: list[Any] = []
    runs.provider.say(Reply("One two three four.", stall_after=2))
    run = runs.start([price], on_end=last.append)
    if runs.is_async:

        async def leave() -> None:
            async for _ in run:
                await run.aclose()

        runs.colour.run(leave())  # type: ignore[union-attr]
    else:
        for _ in run:
            run.close()
    assert [(end["code"], end["content"], end["run"]["rounds"]) for end in last] == [("cancelled", "One", 1)]


def test_a_wait_by_hand_that_is_cancelled_still_tells_the_end(provider: ScriptedProvider) -> None:
    async def asleep() -> Any:
        """Sleep."""
        await asyncio.sleep(60)

    async def read() -> list[Any]:
        run = arun_tools("openai", "Go", config=provider.config("openai_chat"), tools=[asleep])
        events = []
        while True:
            try:
                events.append(await asyncio.wait_for(anext(run), 0.5))
            except TimeoutError:
                pass
            except StopAsyncIteration:
                return events

    provider.say(Reply("Wait.", tool_calls=[call("c1", "asleep")]), "Done.")
    events = asyncio.run(read())
    assert results(events) == [("c1", "failed", None, "the run was stopped")]
    assert (events[-1]["event"], events[-1]["code"]) == ("panel_error", "cancelled")


@pytest.mark.parametrize("place", ["before", "in a reply", "from outside a reply", "in a function"])
def test_stop(runs: Runs, place: str) -> None:
    async def asleep() -> Any:
        """Sleep."""
        if place == "in a function":
            run.stop()
        await asyncio.sleep(60)

    if place in ("in a reply", "from outside a reply"):
        runs.provider.say(Reply("One two three four.", stall_after=2))
    else:
        runs.provider.say(Reply("Wait.", tool_calls=[call("c1", "asleep")]), "Done.")
    run = runs.start([asleep])
    if place == "before":
        run.stop()

    def react(event: Any) -> None:
        if event["event"] == "panel_delta" and place == "in a reply":
            run.stop()
        elif event["event"] == "panel_delta" and event["delta"] == " two" and place == "from outside a reply":
            threading.Timer(0.1, run.stop).start()

    events: list[Any] = []
    if runs.is_async:

        async def read() -> None:
            async for event in run:
                events.append(event)
                react(event)

        runs.colour.run(read())  # type: ignore[union-attr]
    else:
        for event in run:
            events.append(event)
            react(event)
    assert (events[-1]["event"], events[-1]["code"]) == ("panel_error", "cancelled")
    assert [event["event"] for event in events].count("panel_error") == 1
    contents = {"before": "", "in a reply": "One", "from outside a reply": "One two", "in a function": "Wait."}
    assert events[-1]["content"] == contents[place]
    if place == "in a function":
        assert results(events) == [("c1", "failed", None, "the run was stopped")]


def test_say(runs: Runs) -> None:
    """What is said while a function runs goes with its result; what is said to the last answer is asked once more."""

    def work() -> str:
        """Work."""
        run.say("Be quick.")
        return "done"

    def seen(text: str) -> bool:
        if text == "Fine":
            run.say("In French.")
        return True

    runs.provider.say(Reply(tool_calls=[call("c1", "work")]), "Fine .", "Bien.")
    run = runs.start([work])
    if runs.is_async:

        async def read() -> list[Any]:
            return [event async for event in run if event["event"] != "panel_delta" or seen(event["delta"])]

        events = runs.colour.run(read())  # type: ignore[union-attr]
    else:
        events = [event for event in run if event["event"] != "panel_delta" or seen(event["delta"])]
    assert sent_results(runs, 1) == [("c1", "done")]
    assert runs.provider.requests[1].json["messages"][-1] == {"role": "user", "content": "Be quick."}
    assert runs.provider.requests[2].json["messages"][-1]["content"] == "In French."
    assert (events[-1]["status"], events[-1]["content"]) == ("complete", "Fine .\n\nBien.")
    with pytest.raises(ConfigurationError, match="the run has ended"):
        run.say("More.")


# --- conversations, arguments ---


def test_a_conversation_keeps_the_turns_of_a_run(runs: Runs) -> None:
    chat = Conversation("openai", config=runs.provider.config("openai_chat"), tools=[price])
    runs.provider.say(Reply(tool_calls=[call("c1", "price", fruit="apple")]), "Half a euro.", "You are welcome.")
    events = runs.read(runs.converse(chat, "What does an apple cost?"))
    assert [message["role"] for message in chat.messages] == ["user", "assistant", "tool", "assistant"]
    assert events[-1]["message"] == chat.messages[-1]
    assert chat.query("Thanks.").text == "You are welcome."
    assert len(runs.provider.requests[-1].json["messages"]) == 5


def test_the_tools_that_the_application_runs(runs: Runs) -> None:
    schema = {"name": "open_door", "parameters": {"type": "object", "properties": {}}}
    runs.provider.say(Reply(tool_calls=[call("c1", "open_door"), call("c2", "price", fruit="apple")]), "Open.")
    events = runs.events([price, schema])
    final = events[-1]
    assert results(events) == [("c2", "done", "0.50 euros", None)]
    assert final["status"] == "waiting"
    assert [(each["id"], each["reason"]) for each in final["run"]["pending"]] == [("c1", "application")]
    with pytest.raises(ConfigurationError, match="has no function for the call 'c1'"):
        runs.resume(final["run"]["state"], {"c1": True}, [price, schema])
    events = runs.read(runs.resume(final["run"]["state"], {"c1": {"result": {"open": True}}}, [price, schema]))
    assert results(events) == [("c1", "done", {"open": True}, None)]
    assert (events[-1]["status"], events[-1]["content"], events[-1]["run"]["rounds"]) == ("complete", "Open.", 2)
    assert sent_results(runs) == [("c2", "0.50 euros"), ("c1", '{"open":true}')]


def test_on_end_is_called_once(runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    ends: list[Any] = []

    def note(end: Any) -> None:
        ends.append(end)
        raise ValueError(KEY)

    runs.provider.say(Reply(tool_calls=[call("c1", "price", fruit="apple")]), "Done.")
    with caplog.at_level(logging.WARNING, "msgmodel"):
        events = runs.events([price], on_end=note)
    assert ends == [events[-1]]
    assert KEY not in caplog.text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tools": []}, "tools must be a list of functions"),
        ({"tools": [price, price]}, "two tools have the name 'price'"),
        ({"max_rounds": 0}, "max_rounds must be a whole number of at least 1"),
        ({"max_calls": True}, "max_calls must be a whole number"),
        ({"tool_timeout": 0}, "tool_timeout must be a number of seconds above 0"),
        ({"deadline": -1}, "deadline must be a number"),
        ({"approve": 3}, "approve must be a function"),
        ({"approval": "yes"}, 'approval must be "ask" or a list'),
        ({"approval": ["cost"]}, "approval: there is no tool 'cost'"),
        ({"journal": 3}, "journal must be the path of a file"),
        ({"run_id": ""}, "run_id must be a string, and not empty"),
        ({"reasoning": "much"}, "reasoning must be none, low, medium or high"),
        ({"prompt": ""}, "prompt is empty"),
    ],
)
def test_arguments_are_checked_at_the_call(runs: Runs, options: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        runs.start(**{"tools": [price]} | options)
    assert runs.provider.requests == []


def test_a_misspelt_option_is_named(provider: ScriptedProvider) -> None:
    with pytest.raises(TypeError, match="max_round"):
        run_tools("openai", "Go", config=provider.config("openai_chat"), tools=[price], max_round=3)  # type: ignore[call-arg]


def test_a_function_outside_a_run_has_no_call() -> None:
    with pytest.raises(ConfigurationError, match="there is no current call"):
        current_call()


def test_a_function_knows_its_call(runs: Runs) -> None:
    known: list[Any] = []

    def look() -> None:
        """Look."""
        known.append(current_call())

    async def alook() -> None:
        """Look."""
        known.append(current_call())

    runs.provider.say(Reply(tool_calls=[call("c1", "look"), call("c2", "alook")]), "Done.")
    runs.events([look, alook], run_id="order 17")
    assert sorted((each.id, each.name, each.key) for each in known) == [
        ("c1", "look", "order 17/1/c1"),
        ("c2", "alook", "order 17/1/c2"),
    ]


# --- budgets ---

LONG = "word " * 100
"""A question of 115 tokens by our estimate."""


def test_a_budget_holds_for_all_rounds(runs: Runs) -> None:
    """The question of the third round would need more than is left, so it is not sent; the calls before it have run."""
    runs.provider.say(Reply("Again.", tool_calls=[call("c1", "price", fruit="apple")], usage=False))
    final = runs.events([price], system_instruction=LONG, max_total_tokens=380)[-1]
    assert (final["status"], final["truncated_by"]) == ("truncated", "budget")
    assert len(runs.provider.requests) == 2
    assert [each["status"] for each in final["run"]["calls"]] == ["done"] * 2


def test_a_run_of_a_conversation_may_have_a_budget_of_its_own(runs: Runs) -> None:
    again = Reply("Again.", tool_calls=[call("c1", "price", fruit="apple")], usage=False)
    runs.provider.say(again, again, "Done.")
    chat = Conversation("openai", config=runs.provider.config("openai"), system_instruction=LONG)
    final = runs.read(runs.converse(chat, "Go", tools=[price], max_total_tokens=380))[-1]
    assert (final["status"], final["truncated_by"], len(runs.provider.requests)) == ("truncated", "budget", 2)
    assert runs.read(runs.converse(chat, "Go on", tools=[price]))[-1]["status"] == "complete"


# --- a reply with a hole ---


def event_of(delta: Any, finish: str | None = None) -> bytes:
    return b"data: %b\n\n" % json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}).encode()


def fragment(arguments: str, **fields: Any) -> Any:
    return {"tool_calls": [{"index": 0, **fields, "function": {"name": "price", "arguments": arguments}}]}


def test_no_call_of_a_reply_with_a_hole_runs(runs: Runs) -> None:
    """The piece that is missing would have made another number of it."""
    first = fragment('{"fruit": "apple", "count": 1', id="c1")
    pieces = [event_of(delta) for delta in (first, fragment("0"), fragment("}"))]
    end = event_of({}, "tool_calls")
    runs.provider.say(Script.body(b"".join([pieces[0], b"\xef\xbb\xbf" + pieces[1], pieces[2], end])))
    events = runs.events([price])
    assert [found[1] for found in results(events)] == ["not_run"]
    assert (events[-1]["status"], events[-1]["untold"]) == ("unknown", ["outside of events"])
    runs.provider.say(Script.body(b"".join([*pieces, end])), "Fine.")
    assert [found[2] for found in results(runs.events([price]))] == ["5.00 euros"]


def test_a_call_that_arrives_twice_runs_once(runs: Runs) -> None:
    made = event_of(fragment('{"fruit": "apple"}', id="c1"))
    runs.provider.say(Script.body(made + made + event_of({}, "tool_calls")), "Fine.")
    assert [found[2] for found in results(runs.events([price]))] == ["0.50 euros"]
