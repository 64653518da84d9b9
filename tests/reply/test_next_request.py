"""What follows the end of a response: a row for each situation, and the complete decision that it calls for."""

from __future__ import annotations

from typing import Any

import pytest

from msgmodel.reply.next_request import (
    BUDGET_CUT,
    ENDLESS,
    MAX_CHECKPOINTS,
    MAX_EMPTY_CHECKPOINTS,
    Continue,
    Decision,
    FallBack,
    Repair,
    RequestCounts,
    Resume,
    Retry,
    RetryRules,
    Situation,
    Stop,
    decide_next_step,
    decide_retry,
)
from msgmodel.wires.deltas import CUT, Checkpoint, Failure, Finish

DONE = Finish("stop", "complete")
LIMIT = Finish("length", "truncated")
PAUSED = Finish("pause_turn", "paused")
BUSY = Failure("overloaded", "busy", status_code=503, retryable=True, answered=True)
LATER = BUSY._replace(retry_after=7.0)
WRONG = Failure("invalid_request", "no such field", status_code=400, answered=True)
BLOCKED = Failure("content_policy", "no", answered=True)
CANCELLED = Failure("cancelled", "cancelled before the reply had ended")
TOKEN = Checkpoint("t")

ASK_ON = RetryRules(continue_truncated=2, resume_interrupted=True)
ASKED_ON = {"rules": ASK_ON, "ends_in_text": True}
MISFITS = [{"path": "/age", "message": "The value is null.", "wanted": "a number"}]
MAY_REPAIR = {"rules": RetryRules(continue_truncated=1, repair=1), "output_errors": MISFITS, "ends_in_text": True}
SHOWN = {"delivered": True, "progressed": True, "text_shown": True}


def situation(verdict: Finish | Failure | Checkpoint, **other: Any) -> Situation:
    """The first response of a panel with the default rules, of which nothing was delivered, and no fallback."""
    return Situation(verdict=verdict, **{"rules": RetryRules(), "counts": RequestCounts(2)} | other)


def decision(given: Situation) -> Decision:
    return decide_retry(given) or decide_next_step(given)


def counts(retries_left: int = 2, **used: int) -> dict[str, RequestCounts]:
    return {"counts": RequestCounts(retries_left, **used)}


DECISIONS: dict[str, tuple[Situation, Decision]] = {
    # --- a reply that ended ---
    "complete": (situation(DONE, **SHOWN), Stop(DONE)),
    "complete, though more may be asked": (situation(DONE, **SHOWN, **ASKED_ON), Stop(DONE)),
    "complete, with a fallback": (situation(DONE, has_fallback=True), Stop(DONE)),
    "a continuation ends": (situation(DONE, earlier_verdict=LIMIT), Stop(DONE)),
    "an unknown reason": (situation(Finish("?", "unknown"), **ASKED_ON), Stop(Finish("?", "unknown"))),
    # --- a complete reply that does not have the format ---
    "a wrong format": (situation(DONE, **SHOWN, output_errors=MISFITS), Stop(DONE)),
    "a wrong format, to be repaired": (situation(DONE, **SHOWN, **MAY_REPAIR), Repair(DONE, MISFITS)),
    "a wrong format of nothing": (situation(DONE, **MAY_REPAIR), Repair(DONE, MISFITS)),
    "the right format": (situation(DONE, **SHOWN, **MAY_REPAIR | {"output_errors": ()}), Stop(DONE)),
    "a wrong format, and no budget": (situation(DONE, **SHOWN, **MAY_REPAIR, may_pay=False), Stop(DONE)),
    "a wrong format, too often": (situation(DONE, **SHOWN, **MAY_REPAIR, **counts(repairs=1)), Stop(DONE)),
    "a wrong format, retries used up": (situation(DONE, **SHOWN, **MAY_REPAIR, **counts(0)), Repair(DONE, MISFITS)),
    "a wrong format, no more requests": (situation(DONE, **SHOWN, **MAY_REPAIR, may_send=False), Stop(DONE)),
    "a wrong format, at the deadline": (
        situation(DONE, **SHOWN, **MAY_REPAIR, seconds_to_deadline=0.0),
        Stop(DONE),
    ),
    "a limit in a wrong format": (situation(LIMIT, **SHOWN, **MAY_REPAIR), Continue(LIMIT)),
    "a limit in a wrong format, too often": (
        situation(LIMIT, **SHOWN, **MAY_REPAIR, **counts(continuations=1)),
        Stop(LIMIT),
    ),
    "a repair that fails": (situation(WRONG, **MAY_REPAIR, earlier_verdict=DONE, text_shown=True), Stop(WRONG, DONE)),
    "a repair that breaks off": (situation(CUT, **SHOWN, **MAY_REPAIR, earlier_verdict=DONE), Stop(CUT)),
    # --- a limit ---
    "a limit": (situation(LIMIT, **SHOWN, ends_in_text=True), Stop(LIMIT)),
    "a limit, to be continued": (situation(LIMIT, **SHOWN, **ASKED_ON), Continue(LIMIT)),
    "a limit, the second time": (situation(LIMIT, **SHOWN, **ASKED_ON, **counts(continuations=1)), Continue(LIMIT)),
    "a limit, too often": (situation(LIMIT, **SHOWN, **ASKED_ON, **counts(continuations=2)), Stop(LIMIT)),
    "a limit, no text last": (situation(LIMIT, **SHOWN, rules=ASK_ON), Stop(LIMIT)),
    "a limit, no more requests": (situation(LIMIT, **SHOWN, **ASKED_ON, may_send=False), Stop(LIMIT)),
    "a limit, at the deadline": (situation(LIMIT, **SHOWN, **ASKED_ON, seconds_to_deadline=0.0), Stop(LIMIT)),
    "a limit, retries used up": (situation(LIMIT, **SHOWN, **ASKED_ON, **counts(0)), Continue(LIMIT)),
    "another limit": (
        situation(Finish("model_context_window_exceeded", "truncated"), **SHOWN, **ASKED_ON),
        Stop(Finish("model_context_window_exceeded", "truncated")),
    ),
    # --- a budget ---
    "the budget is used up": (situation(BUDGET_CUT, **SHOWN, **ASKED_ON), Stop(BUDGET_CUT)),
    "complete, with the last of the budget": (situation(DONE, **SHOWN, may_pay=False), Stop(DONE)),
    "a limit, and no budget to continue": (
        situation(LIMIT, **SHOWN, **ASKED_ON, may_pay=False),
        Stop(LIMIT._replace(by_budget=True)),
    ),
    "a limit that is not to be continued, and no budget": (situation(LIMIT, **SHOWN, may_pay=False), Stop(LIMIT)),
    "a limit that the budget sets": (
        situation(LIMIT, **SHOWN, **ASKED_ON, limited_by_budget=True),
        Stop(LIMIT._replace(by_budget=True)),
    ),
    "another limit, under one that the budget sets": (
        situation(Finish("model_length", "truncated"), **SHOWN, limited_by_budget=True),
        Stop(Finish("model_length", "truncated")),
    ),
    "complete, under a limit that the budget sets": (situation(DONE, **SHOWN, limited_by_budget=True), Stop(DONE)),
    "a checkpoint, and no budget to continue": (situation(TOKEN, **SHOWN, may_pay=False), Stop(BUDGET_CUT)),
    "one checkpoint too many, and no budget": (
        situation(TOKEN, **SHOWN, **counts(checkpoints=MAX_CHECKPOINTS), may_pay=False),
        Stop(ENDLESS),
    ),
    "busy, and no budget to ask again": (situation(BUSY, may_pay=False), Stop(BUSY)),
    "busy, no budget to ask again, and a cheaper fallback": (
        situation(BUSY, may_pay=False, has_fallback=True),
        FallBack(BUSY),
    ),
    "cut in the middle, and no budget for the rest": (
        situation(CUT, **SHOWN, **ASKED_ON, may_pay=False),
        Stop(CUT),
    ),
    # --- a pause ---
    "a pause": (situation(PAUSED, **SHOWN), Stop(PAUSED)),
    "a pause, to be continued": (situation(PAUSED, **SHOWN, rules=ASK_ON), Continue(PAUSED)),
    "a pause for a tool": (situation(PAUSED, **SHOWN, rules=ASK_ON, tool_called=True), Stop(PAUSED)),
    "a pause of another kind": (
        situation(Finish("CONTINUATION", "paused"), **SHOWN, **ASKED_ON),
        Stop(Finish("CONTINUATION", "paused")),
    ),
    # --- a checkpoint ---
    "a checkpoint": (situation(TOKEN, **SHOWN), Continue(None, "t")),
    "a checkpoint with a reason": (
        situation(Checkpoint("t", "CONTINUATION"), **SHOWN),
        Continue(Finish("CONTINUATION", "paused"), "t"),
    ),
    "a checkpoint after nothing": (
        situation(TOKEN, **counts(empty_checkpoints=MAX_EMPTY_CHECKPOINTS - 2)),
        Continue(None, "t"),
    ),
    "a checkpoint after nothing, again and again": (
        situation(TOKEN, **counts(empty_checkpoints=MAX_EMPTY_CHECKPOINTS - 1)),
        Stop(ENDLESS),
    ),
    "a checkpoint after text": (
        situation(TOKEN, **SHOWN, **counts(empty_checkpoints=MAX_EMPTY_CHECKPOINTS - 1)),
        Continue(None, "t"),
    ),
    "the last checkpoint": (
        situation(TOKEN, **SHOWN, **counts(checkpoints=MAX_CHECKPOINTS - 1)),
        Continue(None, "t"),
    ),
    "one checkpoint too many": (situation(TOKEN, **SHOWN, **counts(checkpoints=MAX_CHECKPOINTS)), Stop(ENDLESS)),
    "a checkpoint, no more requests": (situation(TOKEN, **SHOWN, may_send=False), Stop(ENDLESS)),
    "too many checkpoints, nothing new": (
        situation(TOKEN, earlier_verdict=PAUSED, **counts(checkpoints=MAX_CHECKPOINTS)),
        Stop(ENDLESS, PAUSED),
    ),
    # --- a failure before anything was delivered ---
    "busy": (situation(BUSY), Retry(BUSY, 0.5)),
    "busy, with jitter": (situation(BUSY, random=1.0), Retry(BUSY, 0.375)),
    "busy, the second time": (situation(BUSY, **counts(1)), Retry(BUSY, 1.0)),
    "busy, the sixth time": (situation(BUSY, rules=RetryRules(9), **counts(4)), Retry(BUSY, 8.0)),
    "busy for a time": (situation(LATER, random=1.0), Retry(LATER, 7.0)),
    "busy for longer than the silence may take": (situation(LATER, seconds_to_timeout=7.0), Stop(LATER)),
    "busy until the deadline": (situation(LATER, seconds_to_deadline=7.0), Stop(LATER)),
    "busy too often": (situation(BUSY, **counts(0)), Stop(BUSY)),
    "busy, no more requests": (situation(BUSY, may_send=False), Stop(BUSY)),
    "wrong": (situation(WRONG), Stop(WRONG)),
    "cut before anything": (situation(CUT, **ASKED_ON), Retry(CUT, 0.5)),
    "cut after part of a call": (situation(CUT, progressed=True), Retry(CUT, 0.5)),
    "cut, a continuation": (situation(CUT, text_shown=True, earlier_verdict=LIMIT), Retry(CUT, 0.5)),
    # --- a failure with a fallback ---
    "busy, with a fallback": (situation(BUSY, has_fallback=True), Retry(BUSY, 0.5)),
    "busy too often, with a fallback": (situation(BUSY, has_fallback=True, **counts(0)), FallBack(BUSY)),
    "wrong, with a fallback": (situation(WRONG, has_fallback=True), FallBack(WRONG)),
    "cut in reasoning, with a fallback": (situation(CUT, delivered=True, has_fallback=True), FallBack(CUT)),
    "cut in text, with a fallback": (situation(CUT, **SHOWN, has_fallback=True), Stop(CUT)),
    "endless, with a fallback": (
        situation(TOKEN, has_fallback=True, **counts(checkpoints=MAX_CHECKPOINTS)),
        FallBack(ENDLESS),
    ),
    "blocked, with a fallback": (situation(BLOCKED, has_fallback=True), Stop(BLOCKED)),
    "cancelled, with a fallback": (situation(CANCELLED, has_fallback=True), Stop(CANCELLED)),
    "wrong, no more requests": (situation(WRONG, has_fallback=True, may_send=False), Stop(WRONG)),
    "wrong, at the deadline": (situation(WRONG, has_fallback=True, seconds_to_deadline=0.0), Stop(WRONG)),
    # --- a stream that broke ---
    "cut in text": (situation(CUT, **SHOWN, ends_in_text=True), Stop(CUT)),
    "cut in text, to be resumed": (situation(CUT, **SHOWN, **ASKED_ON), Resume(CUT)),
    "cut in text, resumed too often": (situation(CUT, **SHOWN, **ASKED_ON, **counts(0)), Stop(CUT)),
    "cut after a call": (situation(CUT, **SHOWN, rules=ASK_ON), Stop(CUT)),
    "cut, no more requests": (situation(CUT, **SHOWN, **ASKED_ON, may_send=False), Stop(CUT)),
    "cut at the deadline": (situation(CUT, **SHOWN, **ASKED_ON, seconds_to_deadline=0.0), Stop(CUT)),
    "an error in the stream": (situation(BUSY, **SHOWN, **ASKED_ON), Stop(BUSY)),
    "a failure that would come again": (
        situation(CUT._replace(retryable=False), **SHOWN, **ASKED_ON),
        Stop(CUT._replace(retryable=False)),
    ),
    # --- a continuation that failed: the verdict before it stands ---
    "a continuation is refused": (
        situation(WRONG, text_shown=True, earlier_verdict=LIMIT, **ASKED_ON),
        Stop(WRONG, LIMIT),
    ),
    "a continuation is cut before it brings anything": (
        situation(CUT, text_shown=True, earlier_verdict=LIMIT, **ASKED_ON, seconds_to_timeout=0.2),
        Resume(CUT),
    ),
    "a continuation is cut after it": (
        situation(CUT, **SHOWN, earlier_verdict=LIMIT, **counts(0)),
        Stop(CUT),
    ),
    "the continuation of a thought is refused, with a fallback": (
        situation(WRONG, earlier_verdict=PAUSED, has_fallback=True),
        FallBack(WRONG),
    ),
}


@pytest.mark.parametrize("name", DECISIONS)
def test_decisions(name: str) -> None:
    given, expected = DECISIONS[name]
    found = decision(given)
    assert (type(found), found) == (type(expected), expected)


@pytest.mark.parametrize("name", DECISIONS)
def test_a_failure_of_which_something_was_delivered_is_not_retried(name: str) -> None:
    """However little; the caller would see it twice."""
    given, _ = DECISIONS[name]
    changed = Situation(**{field: getattr(given, field) for field in given.__slots__} | {"delivered": True})
    assert decide_retry(changed) is None
