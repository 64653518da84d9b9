"""One request and its response: the bytes of the body to deltas, and the verdict at its end. Pure.

Rule: the parser's verdict decides how the response ended, never the end of the body.

The fast lane
-------------
Nearly every chunk of a live reply is one event with a bit of text after an event with a bit of text. On the general
way, such a chunk is split into lines, decoded with all fields that any event may have, and becomes a delta whose type
`Exchange` and `PanelBuilder` look at in turn. The fast lane takes the text out and appends it, and does nothing else.
Its parts, in the order in which a chunk passes them:

- `Attempt.in_fast_lane`: the last event had text and, besides it, at most usage; and nothing but the panel reads it: no
  repetition filter, and no reader of a value (`output=`).
- `SseDecoder.single_event`: the data of a chunk that is exactly one event. A chunk with several events is split the
  general way, and each event may then take the fast lane.
- `WireParser.plain_text`: decodes the data with a strict type that has the fields of a text and no other; "" means
  that the event is anything else, and that it goes the general way.
- `WireParser.deferred_deltas`: usage that some servers send with every text is kept as bytes, and decoded once, when
  the fast lane is left.
- `PanelBuilder.append_text`: the event of a text after text.

It saves three quarters of our own CPU for a chunk: 2 to 3 us instead of 8 to 16, measured without I/O. It must not
change any event: `test_the_fast_lane_changes_no_event` in `tests/reply/test_properties.py` compares it with the general
way, on streams with fields added, removed and changed at random.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

from ..question.lenient_json import MalformedJson, parse_or_none
from ..wires import WireParser, provider_errors
from ..wires.deltas import CUT, Checkpoint, Delta, Failure, Finish, TextDelta, UsageSoFar
from ..wires.sse import SseDecoder
from ..wires.whole_replies import events_of_document
from .repetition import RepetitionFilter

MOST_JOINED_EVENTS = 4 * 1024 * 1024
"""Bytes of events without a blank line between them that are split, because a copy doubles their memory."""
MAX_ERROR_BODY = 64 * 1024
"""Bytes of an error's body that are read."""


class Attempt:
    """One request and its response."""

    __slots__ = (
        *("_decoder", "_error_body", "_has_events", "_headers", "_is_metered", "_parser", "_provider", "_status"),
        *("delivered", "earlier_verdict", "in_fast_lane", "is_typed", "refused", "repetition"),
    )

    _decoder: SseDecoder
    _parser: WireParser
    _headers: Mapping[str, str]

    def __init__(
        self,
        provider: str,
        earlier_verdict: Finish | None = None,
        repetition: RepetitionFilter | None = None,
        is_typed: bool = False,
        is_metered: bool = False,
    ) -> None:
        self._provider = provider
        self.is_typed = is_typed
        """Whether the text is read as a value, too."""
        self._is_metered = is_metered  # a budget must see each delta, so there is no fast lane
        self.earlier_verdict = earlier_verdict
        """How the reply had ended that this response continues."""
        self.repetition = repetition
        """The filter of its text, if the model was asked to write on and may repeat itself."""
        self.delivered = False
        """Whether an event of this response was delivered."""
        self.in_fast_lane = False
        self.refused = False
        """Whether the status is an error, so that the body is its explanation."""

    def start(self, status: int, headers: Mapping[str, str], parser: WireParser) -> None:
        """The response began. `headers`: names in lower case."""
        self._status, self._headers, self._parser = status, headers, parser
        self._decoder, self._has_events = SseDecoder(), False
        self._error_body = b""
        self.refused = not 200 <= status < 300
        self.in_fast_lane = False

    def plain_text(self, chunk: bytes) -> str:
        """Return the text of a chunk that brings nothing else; "" if `read` must read it. For the fast lane only."""
        data = self._decoder.single_event(chunk)
        return "" if data is None else self._parser.plain_text(data)

    def read(self, chunk: bytes) -> Iterator[list[str] | Iterator[Delta]]:
        """Yield what a piece of the body brings: the texts of events in the fast lane, or the deltas of another event.

        The deltas must be taken before the next item.

        Args:
            chunk: The next piece; b"" is the end of the body.

        Raises:
            EventTooLarge: An event is too large.
            MalformedJson, RecursionError: An event is not the JSON that the API promises. The deltas raise this too.
        """
        plain_text = self._parser.plain_text
        texts: list[str] = []
        found = self._decoder.feed(chunk) if chunk else self._decoder.eof()
        self._has_events = self._has_events or bool(found)
        for data in found:
            # What stands at the end without its blank line may be half an event.
            if self.in_fast_lane and chunk and (text := plain_text(data)):
                texts.append(text)
                continue
            if texts:
                yield texts
                texts = []
            yield self._read_event(data, True) if chunk else self._read_last_event(data)
        if texts:
            yield texts
        if not chunk and not self._has_events and self._decoder.stray_bytes:
            for data in events_of_document(parse_or_none(self._decoder.stray_text)):
                yield self._read_event(data, True)

    def _read_last_event(self, data: bytes) -> Iterator[Delta]:
        """Read what stands at the end without its blank line. Half an event shows a cut, and no fault of the server."""
        failure = provider_errors.read_stated_failure(parse_or_none(data)) if len(data) < MAX_ERROR_BODY else None
        if failure is not None:
            yield failure
            return
        with suppress(MalformedJson):
            yield from self._read_event(data, False)

    def _read_event(self, data: bytes, whole: bool) -> Iterator[Delta]:
        yield from self.leave_fast_lane()
        only_text: bool | None = None
        for delta in self._parse(data, whole):
            only_text = isinstance(delta, TextDelta) if only_text is None else only_text and type(delta) is UsageSoFar
            yield delta
        has_fast_lane = self.repetition is None and not self.is_typed and not self._is_metered
        self.in_fast_lane = bool(only_text) and has_fast_lane

    def _parse(self, data: bytes, whole: bool) -> Iterator[Delta]:
        """Yield the deltas of an event, or the failure that it states if it is none of the wire's."""
        try:
            yield from self._parser.feed(data, whole)
        except MalformedJson as error:
            # A server may end its events with a single line feed.
            if b"\n" in data and data.startswith(b"{") and len(data) <= MOST_JOINED_EVENTS:
                for line in data.split(b"\n"):
                    yield from self._parse(line, whole)
            else:
                yield self._failure_of_other(data, error)

    def _failure_of_other(self, data: bytes, error: MalformedJson) -> Failure:
        """Return the failure in an event that is none of the wire's. Raise MalformedJson if it describes none."""
        failure = provider_errors.read_stated_failure(parse_or_none(data))
        if failure is None:
            words = provider_errors.words_of_text(data)
            raise MalformedJson(f"{error}: {words}" if words else f"{error}") from None
        return failure

    def leave_fast_lane(self) -> Iterable[Delta]:
        """Return the deltas that the fast lane put off."""
        if not self.in_fast_lane:
            return ()
        self.in_fast_lane = False
        return self._parser.deferred_deltas()

    @property
    def kept_bytes(self) -> int:
        """Bytes of memory that the unfinished event and the parser take."""
        return self._parser.held_bytes + self._decoder.pending_bytes

    @property
    def held_bytes(self) -> int:
        """Bytes of memory for data that no delta has brought yet."""
        return self._parser.held_bytes + self._decoder.stray_bytes

    @property
    def has_unread_event(self) -> bool:
        """Whether an event was not read because its `data:` has another character before it."""
        return self._has_events and b"data:" in self._decoder.stray_text

    def read_error_body(self, chunk: bytes) -> bool:
        """Keep a piece of the body of an error. Return whether no more is needed."""
        self._error_body += chunk
        return not chunk or len(self._error_body) > MAX_ERROR_BODY

    def error_verdict(self) -> Failure:
        """Return the verdict on a response whose status is an error."""
        error = parse_or_none(self._error_body)
        error = provider_errors.decode_error_text(self._error_body) if error is None else error
        failure = provider_errors.read_failure(error, self._status, self._headers)
        if self._provider == "anthropic" and self._status == 429 and failure.retry_after is None:
            # A spending cap looks like a rate limit, but names no time and does not clear (Anthropic, "Rate limits").
            failure = failure._replace(retryable=False)
        return failure

    def verdict_at_end(self, clean: bool, reply_begun: bool) -> Finish | Failure | Checkpoint:
        """Return the verdict at the end of the body. If it is a failure, an error in the body explains it better.

        Args:
            clean: Whether the body ended by the rules of HTTP.
            reply_begun: Whether the panel has delivered an event.
        """
        verdict = self._parser.eof(clean)
        if not clean and self._decoder.has_pending_data and isinstance(verdict, Finish):
            verdict = CUT  # something was about to follow
        stray = self._decoder.stray_text
        if not isinstance(verdict, Failure) or not stray.strip():
            return verdict
        error = self._error_outside_events()
        if error is not None or reply_begun:
            return error or verdict
        what = "one JSON document" if parse_or_none(stray) is not None else "something else"
        words = provider_errors.words_of_text(stray)
        return Failure("protocol", f"the server answered with {what} instead of a stream{words and f': {words}'}")

    def explain_cut(self, verdict: Finish | Failure) -> Finish | Failure:
        """Return the error that explains a cut, if there is one; else the verdict itself."""
        return (self._error_outside_events() or verdict) if verdict is CUT else verdict

    def _error_outside_events(self) -> Failure | None:
        """Return the error in the text outside of any event, where some servers put it; None if there is none.

        llama.cpp sent `error: {...}` until 2025, which is a field that no client of server-sent events reads.
        """
        before, named, stray = self._decoder.stray_text.partition(b"error:")
        is_named = bool(named) and not before.strip()
        body = parse_or_none(stray if is_named else self._decoder.stray_text)
        if is_named and isinstance(body, dict):
            return provider_errors.read_failure(body, self._status, self._headers)
        return provider_errors.read_stated_failure(body, self._status, self._headers)
