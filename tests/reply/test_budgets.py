"""Budgets: what is checked before asking, while a reply streams, and before each further request."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import msgmodel
import pure
from conftest import Async, Sync
from msgmodel import ConfigurationError, Conversation, Panel, stream_many
from msgmodel.question import token_estimate
from msgmodel.question.token_estimate import RunningEstimate
from msgmodel.reply import cost
from msgmodel.reply.budget import Budget, BudgetMeter
from msgmodel.reply.usage_ledger import CALL_TOKENS
from msgmodel.testing import Reply, ScriptedProvider
from msgmodel.testing.wires import INPUT_TOKENS, OUTPUT_TOKENS, TRUNCATED_FINISH, WIRES, Wire
from msgmodel.wires.deltas import TextDelta, ToolFragment, UsageSoFar

NAME = {"openai_chat": "openai", "openai_responses": "openai", "anthropic": "anthropic", "gemini": "gemini"}
MODEL = {
    "openai_chat": "gpt-4o",
    "openai_responses": "gpt-4o",
    "anthropic": "claude-opus-4-5",
    "gemini": "gemini-2.5-pro",
}
LONG = " ".join(["word"] * 400)
"""460 tokens by our estimate: each word and the space before it is one piece."""


def ask(colour: Sync | Async, provider: ScriptedProvider, wire: str, **options: Any) -> list[Any]:
    options = {"max_retries": 0, "timeout": 5, "panel_id": "p", "model": MODEL[wire]} | options
    found = colour.panels(NAME[wire], "A story", config=provider.config(wire), **options)
    assert "".join(event["delta"] for event in found if event["event"] == "panel_delta") == found[-1]["content"]
    assert [event["event"] in ("panel_final", "panel_error") for event in found] == [False] * (len(found) - 1) + [True]
    return found


def ending(last: Any) -> tuple[Any, ...]:
    return last["status"], last.get("truncated_by"), last["finish_reason"]


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("part", ["text", "reasoning"])
def test_a_reply_is_cut_at_the_piece_that_uses_the_budget_up(
    shared_colour: Sync | Async, provider: ScriptedProvider, wire: Wire, part: str
) -> None:
    provider.say(Reply(LONG) if part == "text" else Reply("Done", reasoning=LONG))
    last = ask(shared_colour, provider, wire, max_total_tokens=100)[-1]
    assert ending(last) == ("truncated", "budget", None)
    assert (last["truncated"], last["truncated_in"]) == (True, part)
    shown = last["content"] if part == "text" else last["reasoning"]
    assert 50 < len(shown.split()) < 100
    spent = last["usage"]["input_tokens"] + last["usage"]["output_tokens"]
    assert 98 <= spent <= 103
    assert last["usage"]["source"] == "estimated"
    assert len(provider.requests) == 1


def test_the_connection_closes_at_once(shared_colour: Sync | Async, provider: ScriptedProvider) -> None:
    provider.say(Reply(LONG, stall_after=150))
    assert ending(ask(shared_colour, provider, "openai_chat", max_total_tokens=100)[-1])[1] == "budget"
    provider.server.wait_hangup()


@pytest.mark.parametrize("wire", WIRES)
def test_a_cost(shared_colour: Sync | Async, provider: ScriptedProvider, wire: Wire) -> None:
    pytest.importorskip("genai_prices")
    provider.say(Reply(LONG))
    last = ask(shared_colour, provider, wire, max_cost=0.002)[-1]
    assert ending(last) == ("truncated", "budget", None)
    assert 0.00196 <= last["cost"] <= 0.00204


@pytest.mark.parametrize("wire", WIRES)
def test_enough_for_the_reply(shared_colour: Sync | Async, provider: ScriptedProvider, wire: Wire) -> None:
    """The reply is the one without a budget."""
    provider.say(Reply("Once upon a time", reasoning="hm"))
    limited = ask(shared_colour, provider, wire, max_total_tokens=100_000)
    free = ask(shared_colour, provider, wire)
    limited[-1]["timing"] = free[-1]["timing"]
    assert limited == free


@pytest.mark.parametrize("wire", WIRES)
def test_the_question_alone_is_too_dear(shared_colour: Sync | Async, provider: ScriptedProvider, wire: Wire) -> None:
    ends: list[Any] = []
    found = ask(shared_colour, provider, wire, max_total_tokens=1, on_end=ends.append)
    assert ending(found[-1]) == ("truncated", "budget", None)
    assert (found[-1]["content"], found[-1]["empty"], found[-1]["timing"]["attempts"]) == ("", True, 0)
    assert (found[-1]["usage"]["input_tokens"], found[-1]["usage"]["output_tokens"]) == (0, 0)
    assert ends == found
    assert provider.requests == []


@pytest.mark.parametrize("wire", WIRES)
def test_the_provider_stops_at_the_limit_that_the_budget_sets(
    shared_colour: Sync | Async, provider: ScriptedProvider, wire: Wire
) -> None:
    provider.say(Reply("Once upon a time", truncated=True))
    last = ask(shared_colour, provider, wire, max_total_tokens=1_000, continue_truncated=3)[-1]
    assert ending(last) == ("truncated", "budget", TRUNCATED_FINISH[wire])
    assert last["usage"]["source"] == "provider"
    assert len(provider.requests) == 1
    assert 990 < sent_limit(provider.requests[0].json) < 1_000
    last = ask(shared_colour, provider, wire, max_total_tokens=1_000, max_tokens=50)[-1]
    assert ending(last) == ("truncated", None, TRUNCATED_FINISH[wire])
    assert sent_limit(provider.requests[1].json) == 50


def sent_limit(body: dict[str, Any]) -> int:
    limits = {**body, **body.get("generationConfig", {})}
    names = ("max_tokens", "max_completion_tokens", "max_output_tokens", "maxOutputTokens")
    return next(limits[name] for name in names if name in limits)


def test_a_limit_that_a_model_may_refuse_is_not_sent(provider: ScriptedProvider) -> None:
    ask(Sync(), provider, "openai_chat", max_total_tokens=1_000_000)
    assert "max_tokens" not in provider.requests[-1].json
    own = provider.config("openai_chat", body={"max_tokens": 7})
    list(msgmodel.stream_panels("openai", "A story", config=own, max_total_tokens=1_000))
    assert provider.requests[-1].json["max_tokens"] == 7


def test_a_reply_within_the_budget_is_not_continued_beyond_it(
    shared_colour: Sync | Async, provider: ScriptedProvider
) -> None:
    """The caller's own limit cut it. A continuation would send the question and the reply again."""
    provider.say(Reply(LONG, truncated=True, usage=False))
    options: dict[str, Any] = {"continue_truncated": 3, "max_tokens": 500, "timeout": 5}
    last = ask(shared_colour, provider, "openai_chat", max_total_tokens=900, **options)[-1]
    assert (ending(last), len(provider.requests)) == (("truncated", "budget", "length"), 1)
    last = ask(shared_colour, provider, "openai_chat", max_total_tokens=1_400, **options)[-1]
    assert (ending(last), last["segments"][0]["status"]) == (("truncated", "budget", None), "truncated")
    assert (len(last["segments"]), len(provider.requests)) == (2, 3)
    assert 1_400 <= last["usage"]["input_tokens"] + last["usage"]["output_tokens"] <= 1_410


def test_a_refused_request_costs_nothing_and_a_broken_one_does(
    shared_colour: Sync | Async, provider: ScriptedProvider
) -> None:
    question = {"system_instruction": LONG, "max_retries": 1}
    provider.say(Reply(error=503), Reply("Done"))
    assert ask(shared_colour, provider, "openai_chat", max_total_tokens=600, **question)[-1]["status"] == "complete"
    provider.say(Reply("Done", cut_after=0), Reply("Done"))
    last = ask(shared_colour, provider, "openai_chat", max_total_tokens=600, **question)[-1]
    assert (last["event"], last["code"], len(provider.requests)) == ("panel_error", "interrupted", 3)


def test_a_fallback_has_its_own_price(shared_colour: Sync | Async, provider: ScriptedProvider) -> None:
    pytest.importorskip("genai_prices")
    dear: Any = {"provider": "openai", "model": "gpt-4", "config": provider.config("openai")}
    cheap: Any = {"provider": "openai", "model": "gpt-4o-mini", "config": provider.config("openai")}
    options: dict[str, Any] = {"max_cost": 0.005, "system_instruction": LONG, "model": "gpt-4o-mini"}
    provider.say(Reply(error=500), "Done")
    last = ask(shared_colour, provider, "openai_chat", fallbacks=[dear], **options)[-1]
    assert (last["event"], len(provider.requests)) == ("panel_error", 1)
    provider.say(Reply(error=500), "Done")
    assert ask(shared_colour, provider, "openai_chat", fallbacks=[cheap], **options)[-1]["status"] == "complete"


def test_arguments(provider: ScriptedProvider) -> None:
    def refuse(**options: Any) -> str:
        with pytest.raises(ConfigurationError) as caught:
            msgmodel.query("openai", "hi", config=provider.config("openai"), **options)
        return caught.value.message

    assert refuse(max_cost=0) == "max_cost must be a number of US dollars above 0, or left out"
    assert refuse(max_cost="1") == "max_cost must be a number of at least 0, not '1'"
    assert refuse(max_total_tokens=0) == "max_total_tokens must be a whole number of at least 1, not 0"
    assert refuse(model="no-such-model", max_cost=1).startswith(
        "max_cost needs the price of 'no-such-model' at openai, which is unknown: "
    )
    assert provider.requests == []


def test_an_unknown_price_of_a_fallback(provider: ScriptedProvider) -> None:
    pytest.importorskip("genai_prices")
    back: Any = {"provider": "openai", "model": "no-such-model", "config": provider.config("openai")}
    with pytest.raises(ConfigurationError) as caught:
        msgmodel.query("openai", "hi", config=provider.config("openai"), model="gpt-4o", max_cost=1, fallbacks=[back])
    assert caught.value.message == (
        "fallbacks[0]: max_cost needs the price of 'no-such-model' at openai, which is unknown: use max_total_tokens"
    )


def test_query_says_what_cut_the_reply(shared_colour: Sync | Async, provider: ScriptedProvider) -> None:
    provider.say(Reply(LONG))
    reply = shared_colour.query("openai", "hi", config=provider.config("openai"), max_total_tokens=100)
    assert (reply.status, reply.truncated, reply.truncated_by) == ("truncated", True, "budget")
    provider.say("Done")
    assert shared_colour.query("openai", "hi", config=provider.config("openai")).truncated_by is None


# --- several panels ---


def test_a_conversation_spends_over_its_turns(provider: ScriptedProvider) -> None:
    provider.say(Reply("Done"))
    chat = Conversation("openai", config=provider.config("openai"), max_total_tokens=3 * (INPUT_TOKENS + OUTPUT_TOKENS))
    each = INPUT_TOKENS + OUTPUT_TOKENS
    while (reply := chat.query("Next")).status == "complete":
        assert len(chat.messages) < 12
    assert reply.truncated_by == "budget"
    spent = chat.spent
    assert spent["usage"]["input_tokens"] is not None
    assert spent["usage"]["output_tokens"] is not None
    total = spent["usage"]["input_tokens"] + spent["usage"]["output_tokens"]
    assert (total, len(provider.requests)) == (2 * each if total == 2 * each else 3 * each, total // each)
    asked = len(provider.requests)
    assert chat.query("Again").truncated_by == "budget"
    again = Conversation.from_json(chat.to_json(), config=provider.config("openai"), max_total_tokens=3 * each)
    assert again.spent == chat.spent
    assert again.query("Again").truncated_by == "budget"
    assert len(provider.requests) == asked
    assert chat.branch().query("Again").status == "complete"


def test_a_conversation_without_a_budget_knows_what_it_spent(provider: ScriptedProvider) -> None:
    chat = Conversation("openai", config=provider.config("openai"), model="gpt-4o", max_retries=0)
    assert chat.spent["cost"] == 0.0
    provider.say("Done", Reply(error=500))
    first = chat.query("One")
    with pytest.raises(msgmodel.APIError):
        chat.query("Two")
    assert chat.spent["usage"]["input_tokens"] == first.usage["input_tokens"]
    assert chat.spent["cost"] == first.cost


@pytest.mark.parametrize("text", ['{"cost": 1}', '{"usage": {"input_tokens": []}}', "7"])
def test_what_is_no_spent(text: str) -> None:
    kept = {"version": 1, "provider": "openai", "messages": [], "spent": json.loads(text)}
    with pytest.raises(ConfigurationError, match=r"^spent must be what a conversation had spent"):
        Conversation.from_json(json.dumps(kept))


def test_the_panels_of_a_batch_share_its_budget(provider: ScriptedProvider) -> None:
    provider.say(Reply(LONG))
    panels = [Panel("openai", config=provider.config("openai")) for _ in range(3)]
    panels.append(Panel("openai", config=provider.config("openai"), max_total_tokens=50))
    with stream_many(panels, "A story", max_total_tokens=300) as batch:
        ends: list[Any] = [event for event in batch if event["event"] == "panel_final"]
    assert [ending(end) for end in ends] == [("truncated", "budget", None)] * 4
    spent = [end["usage"]["input_tokens"] + end["usage"]["output_tokens"] for end in ends]
    assert 300 <= sum(spent) <= 312
    assert min(spent) <= 53


# --- the running estimate ---


@given(st.lists(st.text(alphabet="aZé9 .-\n世😀", max_size=40)))
def test_the_running_estimate_is_that_of_the_joined_text(pieces: list[str]) -> None:
    running = RunningEstimate()
    for number, piece in enumerate(pieces, 1):
        running.append(piece)
        assert running.tokens == pytest.approx(token_estimate._count("".join(pieces[:number])))


@pytest.mark.parametrize("piece", ["a", "9", ".", "\n", " ", "word ", "世", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"])
def test_the_running_estimate_keeps_little(piece: str) -> None:
    running = RunningEstimate()
    for _ in range(1_000):
        running.append(piece)
        assert len(running._tail) < 24
    assert running.tokens == pytest.approx(token_estimate._count(piece * 1_000))


@pytest.mark.parametrize("wire", WIRES)
def test_a_call_takes_more_than_its_arguments(
    shared_colour: Sync | Async, provider: ScriptedProvider, wire: Wire
) -> None:
    """In the terminal event as in the budget, which ends the reply at the second call."""
    call: Any = {"id": "c1", "name": "f", "arguments": {"a": "b"}}
    provider.say(Reply("", tool_calls=[call], usage=False))
    last = ask(shared_colour, provider, wire)[-1]
    arguments = token_estimate.estimate_tokens(last["tool_calls"][0]["arguments"])
    assert (last["usage"]["source"], last["usage"]["output_tokens"]) == ("estimated", arguments + CALL_TOKENS[wire])
    question: Any = pure.QUESTIONS[wire]
    budget = Budget(max_total_tokens=1_000_000)
    meter = BudgetMeter([budget], cost.price_in_dollars)
    meter.begin_response(question)
    before = budget.tokens
    for key in ("1", "2"):
        meter.add(ToolFragment(key, key, "f", ""))
        meter.add(ToolFragment(key, key, "", "word"))
    assert budget.tokens - before == pytest.approx(2 * CALL_TOKENS[wire] + token_estimate._count("wordword"))


def test_a_broken_count_does_not_hide_words() -> None:
    """Some servers count nothing, or 1, until the end; a count that moves is taken."""
    budget = Budget(max_total_tokens=1_000)
    meter = BudgetMeter([budget], cost.price_in_dollars)
    question: Any = Conversation("openai", api_key="sk-" + "x" * 20)._begin_turn("hi", None, None, {})[0][0]
    meter.begin_response(question)
    before = budget.tokens
    assert not meter.add(TextDelta(LONG))
    words = budget.tokens - before
    meter.add(UsageSoFar(cost.NO_TOKENS))
    assert budget.tokens - before == pytest.approx(words)
    meter.add(UsageSoFar({**cost.NO_TOKENS, "input_tokens": 10, "output_tokens": 400}))
    assert budget.tokens == pytest.approx(410)
    assert not meter.add(UsageSoFar({**cost.NO_TOKENS, "input_tokens": 10, "output_tokens": 2_000}))
    assert meter.add(TextDelta("!"))
