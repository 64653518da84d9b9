"""What follows the end of a response: the decision, as a value. Pure.

`Exchange` describes the situation, these functions decide, and `Exchange` applies the decision:

    Retry      send the same request again, after a pause
    Continue   ask for what follows a reply that a limit cut, that paused, or that stopped at a checkpoint
    Resume     ask for the rest of a reply whose stream broke
    Repair     ask again for a complete reply that does not have the format of `output=`
    FallBack   ask the next provider, from the start
    Stop       end the panel

Rules: the same request is sent again only if nothing of its response was delivered. The next provider is asked only
before the first text. If a reply had ended and its continuation fails before it brings anything, the earlier verdict
stands. What the budget can't pay is not sent. `tests/reply/test_next_request.py` has a row for each situation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from ..reply_facts import OutputError
from ..wires.deltas import Checkpoint, Failure, Finish
from ..wires.finish_reasons import CONTINUABLE_REASONS

MAX_CHECKPOINTS = 100
"""Checkpoints of one reply: at 65,536 tokens each, far more than any model writes."""
MAX_EMPTY_CHECKPOINTS = 3
"""Checkpoints in a row without any text before the reply counts as cut; Google's own client allows as many."""
MAX_REPLY_BYTES = 64 * 1024 * 1024
"""Ten million characters in pieces of a kilobyte, or a generated image four times as large as any of today."""

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 8.0
"""The pauses before retries double from the first to the longest, unless the provider names a time."""
JITTER = 0.25
"""The part of a pause that is random, so that clients that failed together don't retry together."""

ENDLESS = Failure("interrupted", "the provider asks to go on and on, without an end")
"""The verdict on a reply that stops at one checkpoint after another."""


BUDGET_CUT = Finish(None, "truncated", by_budget=True)
"""The verdict on a reply that uses up its budget."""


class RetryRules(NamedTuple):
    """How often a panel may ask again, and how much memory it may take."""

    max_retries: int = 2
    """Before the first event, with each provider, and of each continuation."""
    continue_truncated: int = 0
    """Maximum automatic continuations of a reply that was truncated or paused."""
    resume_interrupted: bool = False
    max_reply_bytes: int = MAX_REPLY_BYTES
    """Maximum bytes of memory that the panel takes at a time."""
    repair: int = 0
    """Maximum repetitions of a complete reply that does not have the format of `output=`."""

    @property
    def may_extend_text(self) -> bool:
        """Whether the model may be asked to write on after its text."""
        return self.resume_interrupted or self.continue_truncated > 0


class RequestCounts(NamedTuple):
    """What the panel has used of its rules."""

    retries_left: int
    continuations: int = 0
    checkpoints: int = 0
    empty_checkpoints: int = 0
    """Checkpoints in a row before which there was no progress."""
    repairs: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that decides what follows the end of a response."""

    verdict: Finish | Failure | Checkpoint
    """How the response ended."""
    rules: RetryRules
    counts: RequestCounts
    earlier_verdict: Finish | None = None
    """How the reply had ended that this response was to continue."""
    delivered: bool = False
    """Whether an event of this response was delivered."""
    progressed: bool = False
    """Whether this response made progress."""
    text_shown: bool = False
    """Whether the panel has shown more than reasoning."""
    tool_called: bool = False
    """Whether the model wants a tool called."""
    ends_in_text: bool = False
    """Whether text came last. It may be False, at no cost, if the rules don't allow to ask for more of it."""
    output_errors: Sequence[OutputError] = ()
    """Why a complete reply does not have the format of `output=`; empty if it has, or if there is none."""
    has_fallback: bool = False
    """Whether there is another provider to ask, and the budget pays for it."""
    may_send: bool = True
    """Whether the panel may send one more request."""
    may_pay: bool = True
    """Whether the budget pays for the same request again, and for a request to continue."""
    limited_by_budget: bool = False
    """Whether the budget, not the caller, set the token limit of this request."""
    seconds_to_timeout: float = float("inf")
    """Until the silence since the last progress is too long."""
    seconds_to_deadline: float = float("inf")
    random: float = 0.0
    """A number from 0 to 1, for the jitter of a pause."""

    @property
    def may_ask(self) -> bool:
        """Whether there is time for another request, and whether it is allowed."""
        return self.may_send and self.seconds_to_deadline > 0

    @property
    def failure(self) -> Failure | None:
        """The failure to act on; None if the reply ended, or can go on from its checkpoint."""
        if isinstance(self.verdict, Checkpoint):
            return None if self._may_follow_checkpoint() else ENDLESS
        return self.verdict if isinstance(self.verdict, Failure) else None

    @property
    def standing_verdict(self) -> Finish | None:
        """The earlier verdict, if the response failed before it brought anything."""
        return None if self.delivered or self.failure is None else self.earlier_verdict

    def _may_follow_checkpoint(self) -> bool:
        empty = 0 if self.progressed else self.counts.empty_checkpoints + 1
        return empty < MAX_EMPTY_CHECKPOINTS and self.counts.checkpoints < MAX_CHECKPOINTS and self.may_send


class Retry(NamedTuple):
    """Send the same request again."""

    failure: Failure
    seconds_to_pause: float


class Continue(NamedTuple):
    """Ask for what follows the response."""

    verdict: Finish | None
    """How the response ended; None after a cut behind a checkpoint."""
    token: str | None = None
    """The checkpoint's; None to ask the model in words."""


class Resume(NamedTuple):
    """Ask for the rest of a reply whose stream broke."""

    failure: Failure


class Repair(NamedTuple):
    """Ask again for a complete reply that does not have the format of `output=`."""

    verdict: Finish
    """How the reply ended, which stands if the repetition fails."""
    errors: Sequence[OutputError]


class FallBack(NamedTuple):
    """Ask the next provider, from the start."""

    failure: Failure


class Stop(NamedTuple):
    """End the panel."""

    verdict: Finish | Failure
    standing_verdict: Finish | None = None
    """The verdict on the reply before a continuation that failed; it stands."""


NextStep: TypeAlias = Continue | Resume | Repair | FallBack | Stop
Decision: TypeAlias = Retry | NextStep


def decide_retry(situation: Situation) -> Retry | None:
    """Return whether to send the same request again. Decide this first: a retry discards what the response brought."""
    failure, counts, rules = situation.failure, situation.counts, situation.rules
    if failure is None or not failure.retryable or situation.delivered:
        return None
    if counts.retries_left <= 0 or not situation.may_send or not situation.may_pay:
        return None
    pause = failure.retry_after
    if pause is None:
        doubled = FIRST_PAUSE_SECONDS * 2 ** (rules.max_retries - counts.retries_left)
        pause = min(LONGEST_PAUSE_SECONDS, doubled) * (1 - JITTER * situation.random)
    in_time = pause < situation.seconds_to_timeout and pause < situation.seconds_to_deadline
    return Retry(failure, pause) if in_time else None


def decide_next_step(situation: Situation) -> NextStep:
    """Return what follows a response that is not asked for again."""
    verdict, failure = situation.verdict, situation.failure
    if failure is not None:
        if _may_resume(situation, failure):
            return Resume(failure)
        if _may_fall_back(situation, failure):
            return FallBack(failure)
        return Stop(failure, situation.standing_verdict)
    if isinstance(verdict, Checkpoint):
        if not situation.may_pay:
            return Stop(BUDGET_CUT)
        return Continue(Finish(verdict.reason, "paused") if verdict.reason else None, verdict.token)
    assert isinstance(verdict, Finish)
    if situation.limited_by_budget and verdict.reason in CONTINUABLE_REASONS:
        return Stop(verdict._replace(by_budget=True))
    if _may_continue(situation, verdict):
        return Continue(verdict) if situation.may_pay else Stop(verdict._replace(by_budget=True))
    return Repair(verdict, situation.output_errors) if _may_repair(situation, verdict) else Stop(verdict)


def _may_continue(situation: Situation, finish: Finish) -> bool:
    if situation.counts.continuations >= situation.rules.continue_truncated or not situation.may_ask:
        return False
    if finish.status == "paused":
        # Only Anthropic's pause goes on by itself, and not while a tool waits for its result:
        # https://platform.claude.com/docs/en/api/handling-stop-reasons
        return finish.reason == "pause_turn" and not situation.tool_called
    return finish.status == "truncated" and finish.reason in CONTINUABLE_REASONS and situation.ends_in_text


def _may_repair(situation: Situation, finish: Finish) -> bool:
    # A reply that a limit cut, that was refused or that calls a tool is not a wrong answer: it is none.
    is_wrong = finish.status == "complete" and bool(situation.output_errors)
    may_ask = situation.may_ask and situation.may_pay
    return is_wrong and situation.counts.repairs < situation.rules.repair and may_ask


def _may_resume(situation: Situation, failure: Failure) -> bool:
    return (
        situation.rules.resume_interrupted
        and situation.counts.retries_left > 0
        and failure.retryable
        and not failure.answered
        and situation.ends_in_text
        and situation.may_ask
        and situation.may_pay
    )


def _may_fall_back(situation: Situation, failure: Failure) -> bool:
    # Another provider must not be asked what this one's policy refused, nor what the caller gave up.
    final = failure.code in ("content_policy", "cancelled")
    return situation.has_fallback and not situation.text_shown and situation.may_ask and not final
