"""One question from start to finish with the I/O taken out: statuses, retries, errors, continuation, fallbacks. Pure.

A shell drives it (see `shells`):

    while (request := exchange.next_request()) is not None:
        pass on exchange.pending_events(), sleep for each exchange.next_pause() that is not 0
        open the request, then exchange.response_started(status, headers)
        while exchange.reading: exchange.feed(what was read within exchange.clock.seconds_to_wait())   # b"" is the end
        or, if the I/O broke: exchange.connection_broken(...)
    exchange.terminal_events()
    exchange.close()                                        # always, also if the caller leaves early

`clock` measures the waits, `attempt` reads a response, `next_request` decides what follows it, `route` makes the
requests, and `panel` makes the events. `exchange_ending` applies the decisions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..events import PanelEvent
from ..question.lenient_json import MalformedJson
from ..question.question import Question
from ..question.transport import ConnectionBroken, HttpRequest
from ..registry import privacy
from ..wires import provider_errors
from ..wires.deltas import (
    Delta,
    Failure,
    Finish,
    ReasoningDelta,
    ReceiptFact,
    RefusalDelta,
    ResponseStarted,
    TextDelta,
    ToolFragment,
    Untold,
    WarningFound,
)
from ..wires.sse import EventTooLarge
from .advice import redact_fields
from .attempt import Attempt
from .clock import WaitClock, WaitLimits
from .exchange_ending import ExchangeEnding
from .next_request import BUDGET_CUT, RequestCounts, RetryRules
from .observers import Observer, ObserverGroup
from .panel import PanelBuilder, PanelOptions, PriceFunction
from .receipt import read_head
from .route import QuestionRoute

if TYPE_CHECKING:
    from .budget import BudgetMeter
    from .request_gate import RequestGate
    from .typed_panel import TypedPanel

_SELF_DESCRIPTIONS = ResponseStarted, ReceiptFact, WarningFound, Untold
"""Deltas in which a server speaks of itself. It may quote the key, which must not reach a reader."""
_WORDS = TextDelta, ReasoningDelta, RefusalDelta, ToolFragment
"""Deltas that bring words, in their last field. The panel does not keep words if there is no room for them."""


class Exchange(ExchangeEnding):
    """State of one panel."""

    # A thousand are alive in a server: a dict of so many names would take 1.5 KB of each.
    __slots__ = ("_pause_left", "gate", "merge_text")

    def __init__(
        self,
        question: Question,
        *,
        panel_id: str,
        limits: WaitLimits,
        rules: RetryRules,
        now: Callable[[], float],
        random: Callable[[], float],
        price: PriceFunction = lambda provider, model, usage: None,
        fallbacks: Sequence[Question] = (),
        observers: Sequence[Observer] = (),
        meter: BudgetMeter | None = None,
        tool_deltas: bool = False,
        part_deltas: bool = False,
        typed: TypedPanel | None = None,
    ) -> None:
        """Begin a panel; nothing is sent.

        Args:
            question: What to ask, and of which provider.
            panel_id: The id that every event carries.
            limits: How long the panel may wait.
            rules: How often it may ask again, and how much memory it may take.
            now: Returns the time in seconds.
            random: Returns a number from 0 to 1, for the jitter of retries.
            price: Returns what a reply costs.
            fallbacks: What to ask if that fails before any text.
            observers: The observers of the panel.
            meter: Measures what it takes from its budgets; None without a budget.
            tool_deltas: Whether the caller wants the arguments of tool calls in pieces.
            part_deltas: Whether the caller wants parts that are not text in pieces.
            typed: The value of a reply with `output=`.
        """
        self.reading = False
        """Whether the shell must read on."""
        self.seconds_to_pause = 0.0
        """Seconds to sleep before the next request, as this panel's own provider wants it."""
        self._pause_left = 0.0
        self.gate: RequestGate | None = None
        """Holds requests back while the provider asks another panel to wait; None if there is no other."""
        self.merge_text = False
        """Whether texts that arrive in one piece of the body make one event, if nothing else is between them."""
        self.max_requests: int | None = None
        """How many requests the panel may take; None for as many as the rules allow."""
        self.clock = WaitClock(limits, now)
        self._rules = rules
        self._random = random
        self._observers = ObserverGroup(observers)
        self._meter = meter
        self._route = QuestionRoute(question, fallbacks)
        self._attempt = Attempt(question.provider, is_typed=typed is not None, is_metered=meter is not None)
        self._next_request: HttpRequest | None = self._route.request()
        self._panel = PanelBuilder(
            panel_id,
            question,
            privacy.privacy_of_request(question, self._next_request),
            now,
            price,
            PanelOptions(rules.max_reply_bytes, tool_deltas, part_deltas, typed),
        )
        self._counts = RequestCounts(rules.max_retries)
        self._announcements: list[PanelEvent] = []
        self._terminal_events: list[PanelEvent] = []

    @property
    def route_index(self) -> int:
        """Which transport the next request takes: 0, or the number of the fallback, counted from 1."""
        return self._route.index

    @property
    def most_requests(self) -> int:
        """How many requests the rules allow; a provider that stops at checkpoints can cause more."""
        parts = 1 + self._route.fallbacks_left + self._rules.continue_truncated + self._rules.repair
        return parts * (1 + self._rules.max_retries)

    @property
    def convert_object(self) -> Callable[[Any], Any] | None:
        """Turns the value of `output=` into the caller's type; None without `output=`."""
        return self._panel.convert_object

    def text_characters(self) -> int:
        """Return the characters that the caller has put into the longest request. See `QuestionRoute`."""
        assert self._next_request is not None, "asked before the first request is sent"
        return self._route.text_characters(self._next_request)

    # --- what the shell calls, in this order ---

    @property
    def kept_bytes(self) -> int:
        """Bytes of memory that the reply takes now, and that its texts will take when they are joined."""
        return self._panel.kept_bytes + (self._attempt.kept_bytes if self.reading else 0)

    def next_request(self) -> HttpRequest | None:
        """Return the request to send now; None when the panel has ended."""
        request, self._next_request = self._next_request, None
        if request is not None:
            if not self._panel.attempts:
                self._observers.on_start()
            if self._meter is not None:
                question = self._route.extended_question
                if not self._meter.can_pay(question):
                    self._close_panel(self._panel.stop_unsent(BUDGET_CUT))
                    return None
                request = self._route.request(self._meter.limit_output(question))
                self._meter.begin_response(question)
            self._panel.begin_request(self._route.extended_question, request, self.seconds_to_pause)
            self._pause_left = self.seconds_to_pause
        return request

    def next_pause(self) -> float:
        """Return the seconds to sleep now; 0 if the request may be sent. Ask again after each sleep."""
        pause, self._pause_left = self._pause_left, 0.0
        if self.gate is not None and (more := self.gate.seconds_until_open() - pause) > 0:
            self.clock.excuse_wait(more)
            pause += more
        return pause

    def pending_events(self) -> Sequence[PanelEvent]:
        """Return the events to deliver before the request is sent."""
        events, self._announcements = self._announcements, []
        return events

    def response_started(self, status: int, headers: Mapping[str, str]) -> None:
        """Take the head of the response. `headers`: names in lower case."""
        self._attempt.start(status, headers, self._route.parser())
        if self._meter is not None and not self._attempt.refused:
            self._meter.note_response()
        for delta in read_head(headers):
            self._add(delta)
        if self._attempt.refused:
            self.clock.expect_error_body()
        self.reading = True

    def feed(self, chunk: bytes) -> Iterable[PanelEvent]:
        """Return the events in the next piece of the body; b"" is its end."""
        # The fast lane: see `attempt`.
        clock = self.clock
        if self._attempt.in_fast_lane and (clock.deadline is None or clock.seconds_to_deadline() > 0):
            text = self._attempt.plain_text(chunk)
            if text:
                clock.silent_since = None
                event = self._panel.append_text(text)
                if event is not None:
                    return (event,)
                self._end(self._too_large())
                return ()
        return self._feed_events(chunk)

    def _feed_events(self, chunk: bytes) -> Iterator[PanelEvent]:
        attempt, panel = self._attempt, self._panel
        if attempt.refused:
            if attempt.read_error_body(chunk) or self.clock.seconds_until_too_late() <= 0:
                self._end(attempt.error_verdict())
            return
        try:
            for piece in attempt.read(chunk):
                if isinstance(piece, list):
                    yield from self._add_texts(piece)
                else:
                    for delta in piece:
                        yield from self._add(delta)
                        if not self._goes_on_after(delta):
                            return
                    if panel.room < attempt.held_bytes:
                        self._end(self._too_large())
                if not self.reading:
                    return
        except (MalformedJson, EventTooLarge) as error:
            self._end(Failure("protocol", str(error)))
            return
        except RecursionError:
            self._end(Failure("protocol", "an event is nested too deeply"))
            return
        if not chunk:
            self._end(attempt.verdict_at_end(True, panel.started))
        elif self.clock.is_too_late():
            self._end(self.clock.timeout_failure())
        elif panel.room < attempt.held_bytes:
            self._end(self._too_large())

    def _goes_on_after(self, delta: Delta) -> bool:
        """Return whether the response goes on. It does not if it has ended, or if the budget is used up."""
        if self._meter is not None and self.reading and self._meter.add(delta):
            self._end(BUDGET_CUT)
        return self.reading

    def connection_broken(self, broken: ConnectionBroken) -> None:
        """Take the fault of a request or of a response. After the verdict it changes nothing."""
        if self._terminal_events or self._next_request is not None:
            return
        retryable = broken.retryable and provider_errors.is_transient(broken.code)
        failure = Failure(broken.code, broken.message, retryable=retryable)
        if broken.code == "timeout" and self.clock.seconds_to_deadline() <= 0:
            failure = self.clock.timeout_failure()
        if not self.reading:
            self._end(failure)
        elif self._attempt.refused:
            self._end(self._attempt.error_verdict())
        else:
            verdict = self._attempt.verdict_at_end(False, self._panel.started)
            self._end(failure if isinstance(verdict, Failure) and not verdict.answered else verdict)

    def terminal_events(self) -> Sequence[PanelEvent]:
        """Return the terminal event, after the events that it proves. Deliver them when the connection is free."""
        return self._terminal_events

    def close(self) -> None:
        """Take no more events. A panel that was begun and has not ended is cancelled, and its observers hear of it."""
        self.reading = False
        if self._observers and self._panel.attempts:
            self.cancel()

    def cancel(self) -> None:
        """End a panel that has not ended, whatever it is doing."""
        self.reading = False
        if not self._terminal_events:
            self._leave_fast_lane()
            cancelled = Failure("cancelled", "cancelled before the reply had ended")
            self._close_panel([*self.pending_events(), *self._release_text(), *self._panel.add(cancelled)])

    # --- from deltas to events ---

    def _add(self, delta: Delta) -> Sequence[PanelEvent]:
        attempt = self._attempt
        if isinstance(delta, (Finish, Failure)):
            self._end(attempt.explain_cut(delta))
            return ()
        if isinstance(delta, _SELF_DESCRIPTIONS):
            delta = type(delta)(*redact_fields(self._route.question, delta))
        if isinstance(delta, TextDelta) and attempt.repetition is not None:
            self.clock.note_progress()
            delta = TextDelta(attempt.repetition.feed(delta.text))
            self._panel.overlap = attempt.repetition.removed
            if not delta.text:
                return ()
        if isinstance(delta, _WORDS) and 2 * delta[-1].__sizeof__() > self._panel.room:
            self._end(self._too_large())
            return ()
        events = self._panel.add(delta)
        # A call becomes an event when it is complete, which may take long.
        if events or (isinstance(delta, ToolFragment) and delta.arguments):
            self.clock.note_progress()
        if events:
            attempt.delivered = True
            if not self._observers.saw_event:
                self._observers.on_first_event()
        return events

    def _add_texts(self, texts: Sequence[str]) -> Iterator[PanelEvent]:
        """Yield the events of texts in the fast lane, until there is no more room."""
        self.clock.silent_since = None
        append_text = self._panel.append_text
        if self.merge_text:
            event = append_text("".join(texts))
            if event is not None:
                yield event
                return
            # How much a reply may hold must not depend on how much of it one read brings; and one emoji in the merged
            # text takes four bytes for each of its characters.
        for text in texts:
            event = append_text(text)
            if event is None:
                self._end(self._too_large())
                return
            yield event
            if not self.reading:
                return
