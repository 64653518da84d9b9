"""One question from start to finish with the I/O taken out: statuses, retries, errors, continuation, fallbacks. Pure.

A shell drives it (see `shells`):

    while (request := exchange.next_request()) is not None:
        pass on exchange.pending_events(), sleep for exchange.seconds_to_pause
        open the request, then exchange.response_started(status, headers)
        while exchange.reading: exchange.feed(what was read within exchange.seconds_to_wait())   # b"" is the end
        or, if the I/O broke: exchange.connection_broken(...)
    exchange.terminal_events()
    exchange.close()                                        # always, also if the caller leaves early

Rules: the parser's verdict decides how it ended, never the end of the body. A request is made again only while nothing
of its response was handed on, and somebody else is asked only before the first text, unless the caller wants a broken
stream resumed. Where a reply that had ended was to go on, and can't, its verdict stands. No wait without progress is
longer than `WaitLimits` say, all attempts and pauses before the first text together; only what becomes an event is
progress, so comments and pings are not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

from ..events import PanelEnd, PanelEvent
from ..question import history, redaction
from ..question.lenient_json import MalformedJson, parse_or_none
from ..question.question import Question, QuestionTurn
from ..question.transport import ConnectionBroken, HttpRequest
from ..registry import privacy as _privacy
from ..wires import WIRES, finish_reasons, provider_errors
from ..wires.deltas import (
    CUT,
    Continue,
    Delta,
    Failure,
    Finish,
    ReasoningDelta,
    RefusalDelta,
    ResponseStarted,
    TextDelta,
    ToolFragment,
    UsageSoFar,
)
from ..wires.sse import EventTooLarge, SseDecoder
from . import advice
from .panel import PanelBuilder, PriceFunction
from .repetition import RepetitionFilter

MAX_ERROR_BODY = 64 * 1024
ERROR_BODY_SECONDS = 5.0
"""How long the body of an error is waited for: the status says enough, and some servers never end it."""
MAX_CONTINUATIONS = 100
"""Of one reply: at 65,536 tokens each far more than any model says."""
MAX_STALE_CONTINUATIONS = 3
"""Continuations in a row that bring no text before it is called a cut; Google's own client allows as many."""

MAX_REPLY_BYTES = 64 * 1024 * 1024
"""Far more than a model says: ten million characters in pieces of a kilobyte, or a generated image four times as large
as any of today."""

_WORDS = TextDelta, ReasoningDelta, RefusalDelta, ToolFragment
"""What brings words, in its last field, that are not kept if there is no room for them."""

GO_ON = (
    "Your answer above was cut off. Go on exactly where it stopped, in the middle of the word if need be. "
    "Repeat nothing and add no remark."
)


class WaitLimits(NamedTuple):
    """Seconds. `first_token`: until the first text. `idle`: of a silence after it. `deadline`: for all of the panel."""

    first_token: float
    idle: float
    deadline: float | None = None


class RetryRules(NamedTuple):
    """How often what is asked again."""

    max_retries: int = 2
    """Before the first event, with each provider, and of each continuation."""
    continue_truncated: int = 0
    resume_interrupted: bool = False
    max_reply_bytes: int = MAX_REPLY_BYTES
    """Of memory, that a panel may take at a time."""


class Observer(Protocol):
    """Who watches a panel: told when it is asked, when its first event came, and how it ended or was left."""

    def on_start(self) -> None: ...

    def on_fallback(self, ask: Question) -> None:
        """Somebody else is asked from now on."""

    def on_first_event(self) -> None: ...

    def on_end(self, event: PanelEnd) -> None: ...


class Exchange:
    """State of one panel. `clock` returns seconds; `random` a number in 0..1, for the jitter of retries."""

    # A thousand are alive in a server: a dict of so many names would take 1.5 KB of each.
    __slots__ = (
        *(
            "seconds_to_pause",
            "reading",
            "route_index",
            "_clocks",
            "_rules",
            "_clock",
            "_random",
            "_fallbacks",
            "_observers",
        ),
        *("_ask", "_asked", "_wire", "_retries", "_token", "_ended", "_overlap", "_next", "_panel", "_begin"),
        *("_silent_since", "_news", "_last", "_handed", "_stale", "_tokens", "_continued", "_progressed", "_seen"),
        *("merge_text", "max_requests", "_plain", "_status", "_headers", "_decoder", "_parser", "_body", "_refused_at"),
    )

    def __init__(
        self,
        ask: Question,
        *,
        panel_id: str,
        clocks: WaitLimits,
        rules: RetryRules,
        clock: Callable[[], float],
        random: Callable[[], float],
        price: PriceFunction = lambda provider, model, usage: None,
        fallbacks: Sequence[Question] = (),
        observers: Sequence[Observer] = (),
        tool_deltas: bool = False,
    ) -> None:
        self.seconds_to_pause = 0.0
        """Seconds to sleep before the next request."""
        self.reading = False
        """Whether the shell shall read on."""
        self.route_index = 0
        """Whom the next request is for: 0, or which of the fallbacks counted from 1."""
        self.max_requests: int | None = None
        """How many requests all of it may take; None: as many as the rules allow."""
        self.merge_text = False
        """Whether texts that came in one piece of the body make one event, where nothing else is between them."""
        self._clocks = clocks
        self._rules = rules
        self._clock = clock
        self._random = random
        self._fallbacks = list(fallbacks)
        self._observers = observers
        self._asks(ask)
        self._next: HttpRequest | None = self._wire.request(ask, None)
        privacy = _privacy.privacy_of_request(ask, self._next)
        self._panel = PanelBuilder(
            panel_id, ask, privacy, clock, price, max_bytes=rules.max_reply_bytes, tool_deltas=tool_deltas
        )
        self._begin = clock()
        self._silent_since: float | None = None
        self._plain = False
        self._news: list[PanelEvent] = []
        self._last: list[PanelEvent] = []
        self._handed = False  # whether anything of this response was handed on
        self._stale = 0
        self._tokens = 0
        self._continued = 0
        self._progressed = False
        self._seen = False

    def _asks(self, ask: Question) -> None:
        self._ask = self._asked = ask
        self._wire = WIRES[ask.wire]
        self._retries = self._rules.max_retries
        self._token: str | None = None  # of Gemini, with which the next request goes on
        self._ended: Finish | None = None  # how the reply had ended that this response is to continue
        self._overlap: RepetitionFilter | None = None

    @property
    def longest_wait(self) -> float:
        """Seconds that no single wait is longer than."""
        return max(self._clocks.first_token, self._clocks.idle)

    @property
    def most_requests(self) -> int:
        """How many requests the rules allow; a provider that asks to go on by a token can cause more."""
        parts = 1 + len(self._fallbacks) + self._rules.continue_truncated
        return parts * (1 + self._rules.max_retries)

    def text_characters(self) -> int:
        """Count the characters that the caller has put into the longest request: all but the data of files that are
        no text, and what a request has of its own. Raises ConfigurationError for a fallback that can't be asked."""
        assert self._next is not None, "asked before the first request is sent"
        found = _text_characters(self._ask, self._next)
        return max(found, *(_text_characters(ask, None) for ask in self._fallbacks), 0)

    def next_request(self) -> HttpRequest | None:
        """The request to send now; None when the panel has ended."""
        request, self._next = self._next, None
        if request is not None:
            if not self._panel.attempts:
                for observer in self._observers:
                    observer.on_start()
            self._panel.attempts += 1
        return request

    def pending_events(self) -> Sequence[PanelEvent]:
        """What is to be handed on before the request is sent."""
        news, self._news = self._news, []
        return news

    def seconds_to_wait(self) -> float:
        """Seconds that the wait which now begins may take: what is left of the limit since the last progress.

        The clock of a silence starts here, not when the event before it was made: a slow reader is no silence.
        """
        if self._silent_since is None:
            self._silent_since = self._clock()
            if self._clocks.deadline is None:
                return self._limit()
        return max(0.001, self._wait_left())

    def response_started(self, status: int, headers: Mapping[str, str]) -> None:
        """The response began. `headers`: names in lower case."""
        self._status, self._headers = status, headers
        self._decoder, self._parser = SseDecoder(), self._wire.parser(self._ask, self._token)
        self._body = b""
        self._refused_at = None if 200 <= status < 300 else self._clock()
        self._plain = False  # whether text came last and nothing with it but usage: more of it takes the short way
        self.reading = True

    def feed(self, chunk: bytes) -> Iterable[PanelEvent]:
        """Events in the next piece of the body; b"" is its end."""
        if self._plain and (self._clocks.deadline is None or self._left() > 0):
            data = self._decoder.single_event(chunk)  # a live stream brings nearly all of its text like this
            if data is not None and (text := self._parser.plain_text(data)):
                self._silent_since = None
                event = self._panel.more(text)
                if event is not None:
                    return (event,)
                self._end(self._too_large())
                return ()
        return self._fed(chunk)

    def _fed(self, chunk: bytes) -> Iterator[PanelEvent]:
        if self._refused_at is not None:
            self._body += chunk
            if not chunk or len(self._body) > MAX_ERROR_BODY or self._wait_left() <= 0:
                self._end(self._refused(self._body))
            return
        try:
            plainly, more, together = self._parser.plain_text, self._panel.more, self.merge_text
            said: list[str] = []  # and not handed on: what is to go together
            for data in self._decoder.feed(chunk) if chunk else self._decoder.eof():
                if self._plain and chunk and (text := plainly(data)):
                    self._silent_since = None
                    if together:
                        said.append(text)
                        continue
                    event = more(text)
                    if event is None:
                        self._end(self._too_large())
                        return
                    yield event
                    if not self.reading:
                        return
                    continue
                if said:
                    yield from self._merged(said)
                    if not self.reading:
                        return
                    said.clear()
                self._catch_up()
                plain: bool | None = None
                for delta in self._parser.feed(data, bool(chunk)):
                    plain = isinstance(delta, TextDelta) if plain is None else plain and isinstance(delta, UsageSoFar)
                    yield from self._add(delta)
                    if not self.reading:
                        return
                if self._panel.room < self._parser.held_bytes:
                    self._end(self._too_large())
                    return
                self._plain = bool(plain) and self._overlap is None
            if said:
                yield from self._merged(said)
                if not self.reading:
                    return
        except (MalformedJson, EventTooLarge) as error:
            self._end(Failure("protocol", str(error)))
            return
        except RecursionError:
            self._end(Failure("protocol", "an event is nested too deeply"))
            return
        if not chunk:
            self._end(self._judged(clean=True))
        elif (self._silent_since is not None and self._silence() >= self._limit()) or (
            self._clocks.deadline is not None and self._left() <= 0
        ):
            self._end(self._late())

    def _merged(self, texts: Sequence[str]) -> Iterator[PanelEvent]:
        """Yield one event for all texts; if there is no room for it, an event for each text that still fits."""
        event = self._panel.more("".join(texts))
        if event is not None:
            yield event
            return
        # How much a reply may hold must not depend on how much of it one read brings; and one emoji in the merged text
        # takes four bytes for each of its characters.
        for text in texts:
            event = self._panel.more(text)
            if event is None:
                self._end(self._too_large())
                return
            yield event

    def _catch_up(self) -> None:
        """Takes in what the short way put off."""
        if self._plain:
            self._plain = False
            for delta in self._parser.deferred_deltas():
                self._panel.add(delta)

    def connection_broken(self, broken: ConnectionBroken) -> None:
        """The request or the response broke. After the verdict that changes nothing."""
        if self._last or self._next is not None:
            return
        failure = Failure(
            broken.code, broken.message, retryable=broken.retryable and provider_errors.is_transient(broken.code)
        )
        if broken.code == "timeout" and self._left() <= 0:
            failure = self._late()
        if not self.reading:
            self._end(failure)
        elif self._refused_at is not None:
            self._end(self._refused(self._body))
        else:
            verdict = self._judged(clean=False)
            self._end(failure if isinstance(verdict, Failure) and not verdict.answered else verdict)

    def terminal_events(self) -> Sequence[PanelEvent]:
        """The terminal event, after those that it brings to light. To be handed on when the connection is free."""
        return self._last

    def close(self) -> None:
        """The caller takes no more events. A panel that was begun and has not ended is cancelled; its observers hear
        of it."""
        self.reading = False
        if self._observers and self._panel.attempts:
            self.cancel()

    def cancel(self) -> None:
        """Ends a panel that has not ended, in the middle of whatever it was at. What waits to be announced goes before
        the terminal event."""
        self.reading = False
        if not self._last:
            self._catch_up()
            cancelled = Failure("cancelled", "cancelled before the reply had ended")
            self._close([*self.pending_events(), *self._flushed(), *self._panel.add(cancelled)])

    def _add(self, delta: Delta) -> Sequence[PanelEvent]:
        if isinstance(delta, (Finish, Failure)):
            self._end(delta)
            return ()
        if isinstance(delta, ResponseStarted):
            delta = ResponseStarted(self._safe(delta.model), self._safe(delta.request_id))
        if isinstance(delta, TextDelta) and self._overlap is not None:
            self._progress()
            delta = TextDelta(self._overlap.feed(delta.text))
            self._panel.overlap = self._overlap.removed
            if not delta.text:
                return ()
        if isinstance(delta, _WORDS) and 2 * delta[-1].__sizeof__() > self._panel.room:
            self._end(self._too_large())
            return ()
        events = self._panel.add(delta)
        # A call becomes an event when it is whole, which may take long.
        if events or (isinstance(delta, ToolFragment) and delta.arguments):
            self._progress()
        self._handed = self._handed or bool(events)
        if events and not self._seen:
            self._seen = True
            for observer in self._observers:
                observer.on_first_event()
        return events

    def _progress(self) -> None:
        self._silent_since, self._progressed = None, True

    def _end(self, delta: Finish | Failure | Continue) -> None:
        """The response is over; the panel is too, unless there is something to ask again."""
        self.reading = False
        self._catch_up()
        if isinstance(delta, Continue):
            self._stale += 1
            if self._progressed:
                self._stale, self._silent_since = 0, None
            self._tokens += 1
            if self._stale < MAX_STALE_CONTINUATIONS and self._tokens <= MAX_CONTINUATIONS and not self._spent():
                self._news = list(self._flushed())
                self._go_on(Finish(delta.reason, "paused"), delta.token)
                return
            delta = Failure("interrupted", "the provider asks to go on and on, without an end")
        if isinstance(delta, Finish):
            flushed = self._flushed()
            if self._may_go_on(delta):
                self._continued += 1
                self._news = list(flushed)
                self._go_on(delta)
                return
            if delta.status == "unknown":
                delta = Finish(self._safe(delta.reason), delta.status)
            self._close([*flushed, *self._panel.add(delta)])
            return
        delta = delta._replace(message=self._explained(delta), request_id=self._safe(delta.request_id))
        if self._tried_again(delta):
            return
        ended = None if self._handed else self._ended
        flushed = self._flushed() if ended is None else ()
        if (again := self._asked_again(delta)) is not None:
            self._news = [*flushed, again]
        elif ended is not None:
            self._close(self._panel.settle(delta, ended))
        else:
            self._close([*flushed, *self._panel.add(delta)])

    def _flushed(self) -> Sequence[PanelEvent]:
        """What was held back as a possible repetition, now that no more comes."""
        if self._overlap is None:
            return ()
        rest, self._panel.overlap = self._overlap.end(), self._overlap.removed
        self._overlap = None
        self._handed = self._handed or bool(rest)
        return self._panel.add(TextDelta(rest)) if rest else ()

    def _close(self, events: Sequence[PanelEvent]) -> None:
        self._last = list(events)
        last = events[-1]
        assert last["event"] == "panel_final" or last["event"] == "panel_error"
        for observer in self._observers:
            observer.on_end(last)

    def _go_on(self, ended: Finish, token: str | None = None) -> None:
        """Asks for what follows a response that had ended, or, with a token, one that stopped at a checkpoint."""
        if token is None or ended.reason:
            self._ended, self._retries = ended, self._rules.max_retries
        elif self._handed:
            self._ended = None
        self._panel.go_on("interrupted" if token is not None and not ended.reason else ended.status, ended.reason)
        if token is None:
            self._ask_on(paused=ended.status == "paused")
        else:
            self._again(self._wire.request(self._asked, token), 0.0)
            self._token = token

    def _tried_again(self, failure: Failure) -> bool:
        """Makes the same request again, where that may help and nothing of its response was handed on."""
        pause = self._retry_pause(failure)
        if pause is None:
            return False
        self._retries -= 1
        self._panel.start_over()
        if self._overlap is not None:
            self._overlap = RepetitionFilter(self._panel.text)
        self._again(self._wire.request(self._asked, self._token), pause)
        return True

    def _asked_again(self, failure: Failure) -> PanelEvent | None:
        """What to announce where the rest is asked for, or somebody else; None where nobody is."""
        if self._may_resume(failure):
            self._retries -= 1
            self._ended = None
            news = self._panel.resume(failure)
            self._ask_on(paused=False)
            return news
        final = failure.code in ("content_policy", "cancelled")
        if self._fallbacks and not self._panel.said and self._left() > 0 and not final and not self._spent():
            self.route_index += 1
            self._asks(self._fallbacks.pop(0))
            request = self._wire.request(self._ask, None)
            self._silent_since = None
            self._again(request, 0.0)
            for observer in self._observers:
                observer.on_fallback(self._ask)
            return self._panel.fall_back(self._ask, _privacy.privacy_of_request(self._ask, request), failure)
        return None

    def _again(self, request: HttpRequest, pause: float) -> None:
        self._next, self.seconds_to_pause = request, pause
        self._progressed = self._handed = False

    def _ask_on(self, *, paused: bool) -> None:
        """Asks for the rest: with the reply so far as the assistant's turn, and unless it only paused, a word to go on.

        https://platform.claude.com/docs/en/api/handling-stop-reasons: a paused turn is sent back as it is.
        """
        receiver = history.Receiver(self._ask.provider, self._ask.wire, self._ask.target_host)
        _, turns = history.read_messages([self._panel.message()], receiver)
        self._token = None
        if not paused:
            turns.append(QuestionTurn("user", (GO_ON,)))
            self._overlap = RepetitionFilter(self._panel.text)
        self._silent_since = None  # the silence before it was another request's
        self._asked = replace(self._ask, turns=(*self._ask.turns, *turns))
        self._again(self._wire.request(self._asked, None), 0.0)

    def _may_go_on(self, delta: Finish) -> bool:
        """Whether a reply that was truncated or paused is to be continued."""
        if self._continued >= self._rules.continue_truncated or self._left() <= 0 or self._spent():
            return False
        if delta.status == "paused":
            return delta.reason == "pause_turn" and not self._panel.called
        return (
            delta.status == "truncated"
            and delta.reason in finish_reasons.CONTINUABLE_REASONS
            and self._panel.ends_in_text
        )

    def _may_resume(self, failure: Failure) -> bool:
        return (
            self._rules.resume_interrupted
            and self._retries > 0
            and failure.retryable
            and not failure.answered
            and self._panel.ends_in_text
            and self._left() > 0
            and not self._spent()
        )

    def _retry_pause(self, failure: Failure) -> float | None:
        """Seconds to wait before the same is asked again; None when it is not to be."""
        if self._handed or self._retries <= 0 or not failure.retryable or self._spent():
            return None
        pause = failure.retry_after
        if pause is None:
            pause = min(8.0, 0.5 * 2 ** (self._rules.max_retries - self._retries)) * (1 - 0.25 * self._random())
        return pause if self._silence() + pause < self._limit() and pause < self._left() else None

    def _judged(self, clean: bool) -> Finish | Failure | Continue:
        """The wire's verdict at the end of a body; where it is a cut, a bare error in the body is the better word."""
        verdict = self._parser.eof(clean)
        if not clean and self._decoder.has_pending_data and isinstance(verdict, Finish):
            verdict = CUT  # something was about to follow
        stray = self._decoder.stray_text
        if not isinstance(verdict, Failure) or not stray.strip():
            return verdict
        body = parse_or_none(stray)
        first = body[0] if isinstance(body, list) and body else body
        if isinstance(first, dict) and (first.get("error") or first.get("type") == "error"):
            return provider_errors.read_failure(first, self._status, self._headers)
        if self._panel.started:
            return verdict
        what = "one JSON document" if body is not None else "something else"
        return Failure("protocol", f"the server answered with {what} instead of a stream")

    def _refused(self, body: bytes) -> Failure:
        failure = provider_errors.read_failure(parse_or_none(body), self._status, self._headers)
        if self._ask.provider == "anthropic" and self._status == 429 and failure.retry_after is None:
            # A spending cap looks like a rate limit, but names no time and does not clear (Anthropic, "Rate limits").
            failure = failure._replace(retryable=False)
        return failure

    def _too_large(self) -> Failure:
        limit = self._rules.max_reply_bytes
        return Failure("reply_too_large", f"the reply takes more memory than the {limit} bytes it may")

    def _explained(self, failure: Failure) -> str:
        """The message for people: what happened, in the provider's own words where it has any, and what to do."""
        words = redaction.safe_for_display(failure.message, self._ask.secrets)
        if failure.answered:
            status = f" (HTTP {failure.status_code})" if failure.status_code else ""
            words = f"{self._ask.provider}{status}: {words or 'no explanation given'}"
        hint = advice.hint_for_failure(self._ask, failure)
        return f"{words} [{hint}]" if hint else words

    def _safe(self, text: str | None) -> str | None:
        """What a server says of itself, without the key that it may have put there."""
        return text and redaction.redact(text, self._ask.secrets)

    def _limit(self) -> float:
        return self._clocks.idle if self._progressed else self._clocks.first_token

    def _silence(self) -> float:
        return 0.0 if self._silent_since is None else self._clock() - self._silent_since

    def _wait_left(self) -> float:
        """Seconds until a wait for the next piece is too long."""
        left = min(self._limit() - self._silence(), self._left())
        if self.reading and self._refused_at is not None:
            left = min(left, self._refused_at + ERROR_BODY_SECONDS - self._clock())
        return left

    def _spent(self) -> bool:
        """Whether no more requests may be sent."""
        return self.max_requests is not None and self._panel.attempts >= self.max_requests

    def _left(self) -> float:
        """Seconds until the deadline."""
        deadline = self._clocks.deadline
        return float("inf") if deadline is None else self._begin + deadline - self._clock()

    def _late(self) -> Failure:
        if self._left() <= 0:
            return Failure(
                "timeout", f"not done within the deadline of {self._clocks.deadline:g} seconds", retryable=True
            )
        return Failure("timeout", f"no text for {self._limit():g} seconds", retryable=True)


def _text_characters(ask: Question, request: HttpRequest | None) -> int:
    """Count the characters of a question beyond those of the shortest one that could be asked in its place."""
    shortest = replace(
        ask, system=None, turns=_NOTHING, tools=(), tool_choice=None, config=replace(ask.config, stop=None)
    )
    wire = WIRES[ask.wire]
    found = (request or wire.request(ask, None)).text_characters - wire.request(shortest, None).text_characters
    return found + sum(len(file.text) for file in ask.attachments if file.text is not None)


_NOTHING = (QuestionTurn("user", ("",)),)
