"""What an exchange does at the end of a response: it describes the situation, and applies the decision. Pure.

`next_request` decides; `Exchange` extends this class by what comes before the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..events import PanelEvent
from ..question.transport import HttpRequest
from ..registry import privacy
from ..reply_facts import OutputError
from ..wires.deltas import Checkpoint, Failure, Finish, TextDelta, Untold
from .advice import explain_failure, redact_words
from .attempt import Attempt
from .clock import WaitClock
from .next_request import (
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
from .observers import ObserverGroup
from .panel import PanelBuilder
from .repetition import RepetitionFilter
from .route import QuestionRoute

if TYPE_CHECKING:
    from .budget import BudgetMeter


class ExchangeEnding:
    """The part of an exchange that ends its responses. `Exchange` sets its attributes."""

    __slots__ = (
        *("reading", "seconds_to_pause", "max_requests", "clock"),
        *("_rules", "_random", "_observers", "_route", "_panel", "_attempt", "_next_request", "_counts"),
        *("_announcements", "_meter", "_terminal_events"),
    )

    reading: bool
    seconds_to_pause: float
    max_requests: int | None
    clock: WaitClock
    _rules: RetryRules
    _random: Callable[[], float]
    _observers: ObserverGroup
    _route: QuestionRoute
    _panel: PanelBuilder
    _attempt: Attempt
    _next_request: HttpRequest | None
    _counts: RequestCounts
    _announcements: list[PanelEvent]
    _meter: BudgetMeter | None
    _terminal_events: list[PanelEvent]

    def _end(self, verdict: Finish | Failure | Checkpoint) -> None:
        """End the response. The panel ends too, unless there is something to ask."""
        self.reading = False
        self.clock.end_response()
        self._leave_fast_lane()
        if isinstance(verdict, Failure):
            self._panel.note_failure(verdict.code)
        elif self._attempt.has_unread_event:
            self._panel.add(Untold("outside of events", in_text=True))
        if self._meter is not None:
            self._meter.end_response()
        situation = self._situation(verdict)
        retry = decide_retry(situation)
        if retry is not None:
            self._apply(retry, ())
            return
        # Text that was held back counts from here, unless the verdict before this response stands.
        released = self._release_text() if situation.standing_verdict is None else ()
        if released:
            situation = self._situation(verdict)
        self._apply(decide_next_step(situation), released)

    def _situation(self, verdict: Finish | Failure | Checkpoint) -> Situation:
        panel, clock, attempt, meter = self._panel, self.clock, self._attempt, self._meter
        fallback = self._route.next_fallback()
        return Situation(
            verdict=verdict,
            rules=self._rules,
            counts=self._counts,
            earlier_verdict=attempt.earlier_verdict,
            delivered=attempt.delivered,
            progressed=clock.progressed,
            text_shown=panel.said,
            tool_called=panel.called,
            ends_in_text=self._rules.may_extend_text and panel.ends_in_text,
            output_errors=panel.output_errors(verdict) if isinstance(verdict, Finish) else (),
            has_fallback=fallback is not None and (meter is None or meter.can_pay(fallback)),
            may_pay=meter is None or meter.can_pay(self._route.extended_question, meter.words_of_last),
            limited_by_budget=meter is not None and meter.has_lowered_limit,
            may_send=self.max_requests is None or panel.attempts < self.max_requests,
            seconds_to_timeout=clock.seconds_to_timeout(),
            seconds_to_deadline=clock.seconds_to_deadline(),
            random=self._random(),
        )

    def _apply(self, decision: Decision, released: Sequence[PanelEvent]) -> None:
        match decision:
            case Retry():
                self._announcements = [self._retry(decision)]
            case Continue():
                self._announcements = [*released]
                self._continue(decision)
            case Resume(failure):
                self._announcements = [*released, self._resume(failure)]
            case Repair(finish, errors):
                self._announcements = [*released, self._repair(finish, errors)]
            case FallBack(failure):
                self._announcements = [*released, self._fall_back(failure)]
            case Stop():
                self._stop(decision, released)

    def _retry(self, decision: Retry) -> PanelEvent:
        failure = explain_failure(self._route.question, decision.failure)
        self._counts = self._counts._replace(retries_left=self._counts.retries_left - 1)
        self._lose_response()
        announcement = self._panel.retry(failure, decision.seconds_to_pause)
        repetition = None if self._attempt.repetition is None else self._panel.continuation_filter()
        self.clock.expect_request(after_silence=True)
        self._schedule(self._attempt.earlier_verdict, repetition, decision.seconds_to_pause)
        return announcement

    def _continue(self, decision: Continue) -> None:
        verdict, counts, progressed = decision.verdict, self._counts, self.clock.progressed
        if verdict is not None:
            earlier_verdict: Finish | None = verdict
            counts = counts._replace(retries_left=self._rules.max_retries)
            self._panel.go_on(verdict.status, verdict.reason)
        else:
            earlier_verdict = None if self._attempt.delivered else self._attempt.earlier_verdict
            self._panel.go_on("interrupted", None)
        if decision.token is not None:
            empty = 0 if progressed else counts.empty_checkpoints + 1
            self._counts = counts._replace(checkpoints=counts.checkpoints + 1, empty_checkpoints=empty)
            self._route.token = decision.token
            self.clock.expect_request(after_silence=not progressed)
            self._schedule(earlier_verdict)
        else:
            self._counts = counts._replace(continuations=counts.continuations + 1)
            self._ask_to_go_on(earlier_verdict, paused=verdict is not None and verdict.status == "paused")

    def _resume(self, failure: Failure) -> PanelEvent:
        failure = explain_failure(self._route.question, failure)
        self._counts = self._counts._replace(retries_left=self._counts.retries_left - 1)
        announcement = self._panel.resume(failure)
        self._ask_to_go_on(None, paused=False)
        return announcement

    def _repair(self, finish: Finish, errors: Sequence[OutputError]) -> PanelEvent:
        self._counts = self._counts._replace(repairs=self._counts.repairs + 1, retries_left=self._rules.max_retries)
        self._route.ask_again(self._panel.message(), errors)
        announcement = self._panel.repair(finish, errors)
        self.clock.expect_request(after_silence=False)
        self._schedule(finish)
        return announcement

    def _fall_back(self, failure: Failure) -> PanelEvent:
        failure = explain_failure(self._route.question, failure)
        self._route.take_fallback()
        if not self._panel.started:
            self._lose_response()
        question = self._route.question
        self._counts = self._counts._replace(retries_left=self._rules.max_retries)
        self.clock.expect_request(after_silence=False)
        request = self._schedule(None)
        self._observers.on_fallback(question)
        return self._panel.fall_back(question, privacy.privacy_of_request(question, request), failure)

    def _stop(self, decision: Stop, released: Sequence[PanelEvent]) -> None:
        verdict, question = decision.verdict, self._route.question
        if isinstance(verdict, Failure):
            verdict = explain_failure(question, verdict)
            if decision.standing_verdict is not None:
                self._lose_response()
                self._close_panel(self._panel.settle(verdict, decision.standing_verdict))
                return
        elif verdict.status == "unknown":
            verdict = verdict._replace(reason=redact_words(question, verdict.reason))
        self._close_panel([*released, *self._panel.add(verdict)])

    def _lose_response(self) -> None:
        if self._meter is not None:
            self._meter.lose_response()

    def _ask_to_go_on(self, earlier_verdict: Finish | None, *, paused: bool) -> None:
        """Send the reply so far back, and ask for what follows it."""
        reply, repetition = self._panel.message(), None if paused else self._panel.continuation_filter()
        self._route.extend_question(reply, None if repetition is None else repetition.prompt)
        self.clock.expect_request(after_silence=False)
        self._schedule(earlier_verdict, repetition)

    def _schedule(
        self, earlier_verdict: Finish | None, repetition: RepetitionFilter | None = None, pause: float = 0.0
    ) -> HttpRequest:
        self._next_request, self.seconds_to_pause = self._route.request(), pause
        provider, is_metered = self._route.question.provider, self._meter is not None
        self._attempt = Attempt(provider, earlier_verdict, repetition, self._attempt.is_typed, is_metered)
        return self._next_request

    def _close_panel(self, events: Sequence[PanelEvent]) -> None:
        # With `progress`, the caller may leave on one thread while the connection breaks on another: one of them ends
        # the panel, and the observers hear of one end.
        if self._terminal_events:
            return
        self._terminal_events = [*events]
        last = events[-1]
        assert last["event"] == "panel_final" or last["event"] == "panel_error"
        if self._meter is not None:
            self._meter.settle(last)
        self._observers.on_end(last)

    def _leave_fast_lane(self) -> None:
        for delta in self._attempt.leave_fast_lane():
            self._panel.add(delta)

    def _release_text(self) -> Sequence[PanelEvent]:
        """Return the event of text that was held back as a possible repetition."""
        repetition, self._attempt.repetition = self._attempt.repetition, None
        if repetition is None:
            return ()
        text, self._panel.overlap = repetition.end(), repetition.removed
        self._attempt.delivered = self._attempt.delivered or bool(text)
        return self._panel.add(TextDelta(text)) if text else ()

    def _too_large(self) -> Failure:
        limit = self._rules.max_reply_bytes
        return Failure("reply_too_large", f"the reply takes more memory than the {limit} bytes it may")
