"""One question from start to finish with the I/O taken out: statuses, retries, waiting, errors, continuation. Pure.

A shell drives it (see `_stream`):

    while (request := exchange.request()) is not None:      # sleep exchange.pause first
        open it, then exchange.head(status, headers)
        while exchange.reading: exchange.feed(what was read within exchange.patience())   # b"" is the end
        or, when the I/O broke: exchange.broken(...)
    exchange.ending()

Rules: the parser's verdict decides how it ended, never the end of the body. What can be asked again is asked again
only before the first event was handed on. No wait without progress is longer than `timeout`, all attempts and pauses
before the first text together; only what becomes an event is progress, so comments and pings are not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from . import _verdict, providers
from ._ask import Ask, Broken, Request
from ._deltas import Continue, Delta, Failure, Finish, Started, ToolFragment
from ._json import Malformed, loads
from ._panel import Panel
from ._sse import Decoder, TooLarge
from .events import PanelEvent
from .wires import WIRES

MAX_ERROR_BODY = 64 * 1024
MAX_CONTINUATIONS = 100
"""Of one reply: at 65,536 tokens each far more than any model says."""
MAX_STALE_CONTINUATIONS = 3
"""Continuations in a row that bring no text before it is called a cut; Google's own client allows as many."""


class Exchange:
    """State of one panel. `clock` returns seconds; `random` a number in 0..1, for the jitter of retries."""

    def __init__(
        self,
        ask: Ask,
        wire: str,
        *,
        panel_id: str,
        timeout: float,
        max_retries: int,
        clock: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self.pause = 0.0
        """Seconds to sleep before the next request."""
        self.reading = False
        """Whether the shell shall read on."""
        self._ask = ask
        self._wire = WIRES[wire]
        self.timeout = timeout
        """Seconds that any wait without progress may take."""
        self._retries = max_retries
        self._clock = clock
        self._random = random
        self._next: Request | None = self._wire.request(ask, None)
        self._panel = Panel(panel_id, ask.provider, ask.model, providers.privacy(ask, self._next), clock)
        self._silent_since: float | None = None
        self._last: Sequence[PanelEvent] = ()
        self._stale = 0
        self._continued = 0
        self._progressed = False

    def request(self) -> Request | None:
        """The request to send now; None when the panel has ended."""
        request, self._next = self._next, None
        if request is not None:
            self._panel.attempts += 1
        return request

    def patience(self) -> float:
        """Seconds that the wait which now begins may take: what is left of `timeout` since the last progress.

        The clock of a silence starts here, not when the event before it was made: a slow reader is no silence.
        """
        if self._silent_since is None:
            self._silent_since = self._clock()
        return max(0.001, self.timeout - self._silence())

    def head(self, status: int, headers: Mapping[str, str]) -> None:
        """The response began. `headers`: names in lower case."""
        self._status, self._headers = status, headers
        self._decoder, self._parser = Decoder(), self._wire.parser(self._ask)
        self._body = b""
        self.reading = True

    def feed(self, chunk: bytes) -> Iterator[PanelEvent]:
        """Events in the next piece of the body; b"" is its end."""
        if not 200 <= self._status < 300:
            self._body += chunk
            if not chunk or len(self._body) > MAX_ERROR_BODY:
                self._end(self._refused(self._body))
            return
        try:
            for frame in self._decoder.feed(chunk) if chunk else self._decoder.eof():
                for delta in self._parser.feed(frame):
                    yield from self._add(delta)
                    if not self.reading:
                        return
        except (Malformed, TooLarge) as error:
            self._end(Failure("protocol", str(error)))
            return
        if not chunk:
            self._end(self._judged(clean=True))
        elif self._silence() >= self.timeout:
            self._end(Failure("timeout", f"no text for {self.timeout:g} seconds", retryable=True))

    def broken(self, broken: Broken) -> None:
        """The request or the response broke. After the verdict that changes nothing."""
        if self._last or self._next is not None:
            return
        failure = Failure(broken.code, broken.message, retryable=_verdict.transient(broken.code))
        if not self.reading:
            self._end(failure)
        elif not 200 <= self._status < 300:
            self._end(self._refused(self._body))
        else:
            verdict = self._judged(clean=False)
            self._end(failure if isinstance(verdict, Failure) and not verdict.answered else verdict)

    def ending(self) -> Sequence[PanelEvent]:
        """The terminal event, after those that it brings to light. To be handed on when the connection is free."""
        return self._last

    def _add(self, delta: Delta) -> Sequence[PanelEvent]:
        if isinstance(delta, (Finish, Failure)):
            self._end(delta)
            return ()
        if isinstance(delta, Started):
            delta = Started(self._safe(delta.model), self._safe(delta.request_id))
        events = self._panel.add(delta)
        # A call becomes an event when it is whole, which may take long.
        if events or (isinstance(delta, ToolFragment) and delta.arguments):
            self._silent_since, self._progressed = None, True
        return events

    def _end(self, delta: Finish | Failure | Continue) -> None:
        """The response is over; the panel is too, unless there is something to ask again."""
        self.reading = False
        if isinstance(delta, Continue):
            self._stale = 0 if self._progressed else self._stale + 1
            self._continued += 1
            if self._stale < MAX_STALE_CONTINUATIONS and self._continued <= MAX_CONTINUATIONS:
                self._panel.go_on()
                self._again(self._wire.request(self._ask, delta.token), 0.0)
                return
            delta = Failure("interrupted", "the provider asks to go on and on, without an end")
        if isinstance(delta, Finish):
            if delta.status == "unknown":
                delta = Finish(self._safe(delta.reason), delta.status)
        else:
            delta = delta._replace(message=self._explained(delta), request_id=self._safe(delta.request_id))
            pause = self._retry_pause(delta)
            if pause is not None:
                self._retries -= 1
                self._panel.start_over()
                self._again(self._wire.request(self._ask, None), pause)
                return
        self._last = self._panel.add(delta)

    def _again(self, request: Request, pause: float) -> None:
        self._next, self.pause, self._progressed = request, pause, False

    def _retry_pause(self, failure: Failure) -> float | None:
        """Seconds to wait before the same is asked again; None when it is not to be."""
        if self._panel.started or self._retries <= 0 or not failure.retryable:
            return None
        pause = failure.retry_after
        if pause is None:
            pause = min(8.0, 0.5 * 2 ** (self._panel.attempts - 1)) * (1 - 0.25 * self._random())
        return pause if self._silence() + pause < self.timeout else None

    def _judged(self, clean: bool) -> Finish | Failure | Continue:
        """The wire's verdict at the end of a body; where it is a cut, a bare error in the body is the better word."""
        verdict = self._parser.eof(clean)
        stray = self._decoder.stray
        if not isinstance(verdict, Failure) or not stray.strip():
            return verdict
        body = _decoded(stray)
        first = body[0] if isinstance(body, list) and body else body
        if isinstance(first, dict) and (first.get("error") or first.get("type") == "error"):
            return _verdict.failure(first, self._status, self._headers)
        if self._panel.started:
            return verdict
        what = "one JSON document" if body is not None else "something else"
        return Failure("protocol", f"the server answered with {what} instead of a stream")

    def _refused(self, body: bytes) -> Failure:
        failure = _verdict.failure(_decoded(body), self._status, self._headers)
        if self._ask.provider == "anthropic" and self._status == 429 and failure.retry_after is None:
            # A spending cap looks like a rate limit, but names no time and does not clear (Anthropic, "Rate limits").
            failure = failure._replace(retryable=False)
        return failure

    def _explained(self, failure: Failure) -> str:
        """The message for people: what happened, in the provider's own words where it has any, and what to do."""
        words = _verdict.presentable(failure.message, self._ask.secrets)
        if failure.answered:
            status = f" (HTTP {failure.status_code})" if failure.status_code else ""
            words = f"{self._ask.provider}{status}: {words or 'no explanation given'}"
        hint = providers.hint(self._ask, failure)
        return f"{words} [{hint}]" if hint else words

    def _safe(self, text: str | None) -> str | None:
        """What a server says of itself, without the key that it may have put there."""
        return text and _verdict.redacted(text, self._ask.secrets)

    def _silence(self) -> float:
        return 0.0 if self._silent_since is None else self._clock() - self._silent_since


def _decoded(body: bytes) -> Any:
    """The JSON in a body; None where it is none."""
    try:
        return loads(body)
    except ValueError:
        return None
