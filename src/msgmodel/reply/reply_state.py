"""What has arrived of one reply, over all the requests that it took, and the memory that it takes. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from ..events import ErrorCode, PanelEvent, Privacy, Source, Status, Timing, ToolCall, Usage
from ..messages import Message
from ..question.lenient_json import memory
from ..question.question import PastCall, Question
from ..wires.deltas import CallWasRun, MediaReceived, OtherRequest, SourceCited, UsageSoFar
from . import assistant_turn
from .findings import Findings
from .receipt import RequestLog
from .text_pieces import TextPieces
from .text_places import TextPlaces
from .tool_calls import CallIds, ToolCalls
from .usage_ledger import PriceFunction, UsageLedger, UsageOfResponse, complete_usage

if TYPE_CHECKING:
    from .typed_panel import TypedPanel

PART_BYTES = 768
SEGMENT_BYTES = 1024
"""What each of these costs besides its words, in the panel, in the wire and in a server."""

LatestKind: TypeAlias = Literal["reasoning", "text", "tool_call"]


class PanelOptions(NamedTuple):
    """What a caller wants of a panel."""

    max_bytes: int
    """Of memory that the reply may take."""
    tool_deltas: bool = False
    part_deltas: bool = False
    typed: TypedPanel | None = None
    """The value of a reply with `output=`."""


class Receiver:
    """Who is asked now, and the words that do not stay if another provider is asked instead."""

    __slots__ = ("model", "privacy", "question", "reasoning", "request_id")

    def __init__(self, question: Question, privacy: Privacy) -> None:
        self.question, self.privacy = question, privacy
        self.model = question.model
        self.request_id: str | None = None
        self.reasoning = TextPieces()


@dataclass(slots=True)
class ResponseState:
    """What has arrived, besides text: what must not stay of a response that is asked for again."""

    calls: ToolCalls
    turn: assistant_turn.AssistantTurn = field(default_factory=assistant_turn.AssistantTurn)
    findings: Findings = field(default_factory=Findings)
    latest: LatestKind | None = None
    usage: Usage | None = None
    other_requests: tuple[OtherRequest, ...] = ()
    """What the provider asked a model besides the reply."""
    words_counted: tuple[int, int] | None = None
    """How many pieces of text and of other words had arrived when `usage` did."""
    stated_cost: float | None = None
    prompt_percent: float | None = None
    pieces_before: int = 0
    """How many pieces of text the responses before had."""
    other_words: list[str] = field(default_factory=list)
    """All words of this response that are not text, for an estimate of its tokens."""
    calls_begun: int = 0
    """How many tool calls this response has shown, for the same."""
    broken_off: frozenset[str] = frozenset()
    """The kinds of words that the provider keeps apart from the next ones."""
    block: int = 0
    next_part: str = ""
    """The key of the text part that begins with the next text."""
    part_starts: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Where each text part begins: how many pieces are before it, and how many characters of its piece."""

    inserted_characters: dict[int, int] = field(default_factory=dict)
    """By the number of a piece of text: how many characters at its beginning are not the provider's."""
    places: dict[bool, TextPlaces] = field(default_factory=dict)
    """Where citations stand, by whether their places count bytes."""

    @property
    def bytes_held(self) -> int:
        """Bytes of memory that the calls and the findings take. `PanelBuilder.add` takes their growth off the room."""
        return self.calls.bytes_held + self.findings.bytes_held

    def copy(self) -> ResponseState:
        """Return another one that grows by itself."""
        return replace(
            self,
            calls=self.calls.copy(),
            turn=self.turn.copy(),
            findings=self.findings.copy(),
            other_words=[*self.other_words],
            part_starts=dict(self.part_starts),
            inserted_characters=dict(self.inserted_characters),
            places={},
        )


class ReplyTimer:
    """When the panel began, when its first event was passed on, and how many requests were sent."""

    __slots__ = ("_clock", "_first_seconds", "_started_at", "attempts")

    def __init__(self, clock: Callable[[], float]) -> None:
        self.attempts = 0
        self._clock = clock
        self._started_at = clock()
        self._first_seconds: float | None = None

    def note_event(self) -> None:
        """An event is passed on."""
        if self._first_seconds is None:
            self._first_seconds = self._clock() - self._started_at

    def timing(self) -> Timing:
        """Return the times for the terminal event."""
        total = self._clock() - self._started_at
        return {"first_delta_seconds": self._first_seconds, "total_seconds": total, "attempts": self.attempts}


class ReplyState:
    """What has arrived of one reply.

    Attributes:
        room: Bytes that may still be kept: of text, of all else, and of what it takes to keep each piece.
        started: Whether an event was passed on: from then on the same request may not be made again.
        said: Whether more than reasoning was passed on: from then on no other provider may be asked.
        receiver: Who is asked now.
        response: What the current response brought, besides text.
        answered_again: Whether a reply was asked for again, so that `content` holds more than the message.
    """

    # A thousand are alive in a server.
    __slots__ = (
        *("ledger", "options", "panel_id", "receiver", "refusal", "requests", "response", "room", "said", "started"),
        *("answered_again", "asked", "text", "timer"),
        *("_ids", "_response_before", "_room_before", "_turn_before"),
    )

    def __init__(
        self,
        panel_id: str,
        question: Question,
        privacy: Privacy,
        clock: Callable[[], float],
        price: PriceFunction,
        options: PanelOptions,
    ) -> None:
        self.panel_id, self.options = panel_id, options
        self.room = self._room_before = options.max_bytes
        self.started = self.said = False
        self.answered_again = False
        self.timer = ReplyTimer(clock)
        self.text, self.refusal = TextPieces(), TextPieces()
        self.ledger = UsageLedger(price)
        self.requests = RequestLog()
        self.asked: Question | None = None
        """The question of the latest request, with the reply so far; None before the first."""
        self._ask(question, privacy)

    def _ask(self, question: Question, privacy: Privacy) -> None:
        self.receiver = Receiver(question, privacy)
        self._ids = CallIds(part.id for turn in question.turns for part in turn.parts if isinstance(part, PastCall))
        self.response = self._empty_response()
        self._response_before: ResponseState | None = None
        self._turn_before: tuple[assistant_turn.AssistantTurn, bool] | None = None

    def _empty_response(self) -> ResponseState:
        return ResponseState(ToolCalls(self._ids, []), pieces_before=len(self.text.pieces))

    def ask_other(self, question: Question, privacy: Privacy) -> None:
        """Begin again with another provider. What an answer that was shown has used stays counted."""
        self._ask(question, privacy)
        self.room = self._room_before = self.options.max_bytes - SEGMENT_BYTES * len(self.ledger.segments)
        self.started = False

    def start_over(self) -> None:
        """Forget the response, none of which was passed on: it is asked for again."""
        before = self._response_before
        self.response = self._empty_response() if before is None else before.copy()
        self.room = self._room_before
        self.ledger.overlap = 0

    def end_response(
        self, status: Status | ErrorCode, reason: str | None, *, broken: bool = False, refused: bool = False
    ) -> None:
        """A response of several is over: its usage is kept, with who is paid for it."""
        self._turn_before = None
        self.add_segment(status, reason)
        self.ledger.spent.append(self.usage_of_response(broken=broken, refused=refused))
        response = self.response
        response.usage, response.pieces_before, response.other_words = None, len(self.text.pieces), []
        response.other_requests, response.words_counted = (), None
        response.stated_cost, response.calls_begun = None, 0
        response.places = {}
        self._response_before, self._room_before = response.copy(), self.room

    def answer_again(self, reason: str | None) -> None:
        """The complete reply is asked for again. Its text stays in `content`, but not in the message."""
        self.end_response("complete", reason)
        self._turn_before = self.response.turn, self.answered_again
        self.answered_again, self.response.turn = True, assistant_turn.AssistantTurn()
        findings = self.response.findings
        findings.untold = dict.fromkeys(findings.untold, False)  # the next answer has no hole yet
        self.response.broken_off |= {"text"}  # a reader of the text alone sees a blank line between both
        self._response_before = self.response.copy()

    def keep_earlier_answer(self) -> None:
        """The repetition of the reply failed before it brought anything: the reply before it is the message."""
        if self._turn_before is not None:
            self.response.turn, self.answered_again = self._turn_before

    def message(self, *, partial: bool) -> Message:
        """Return the assistant's turn so far."""
        turn = self.response.turn
        text = turn.own_text() if self.answered_again else "".join(self.text.pieces)
        return turn.message(text, partial=partial)

    def add_segment(self, status: Status | ErrorCode, reason: str | None) -> None:
        """Note what the response brought, and how it ended."""
        self.ledger.add_segment(
            self.receiver.question,
            model=self.receiver.model,
            request_id=self.receiver.request_id,
            characters=sum(map(len, self.text.pieces)),
            status=status,
            reason=reason,
            usage=self.response.usage,
        )
        self.room -= SEGMENT_BYTES

    def usage_of_response(self, *, broken: bool = False, refused: bool = False) -> UsageOfResponse:
        """Return what the current response used; estimated if the provider does not report it."""
        response, receiver = self.response, self.receiver
        words = chain(islice(self.text.pieces, response.pieces_before, None), response.other_words)
        question, calls = self.asked or receiver.question, response.calls_begun
        # Anthropic's first count says one token; a count behind all words is no early one.
        is_early = broken and response.words_counted != self._words_so_far()
        usage = complete_usage(response.usage, question, words, calls, is_early=is_early, refused=refused)
        provider, others = receiver.question.provider, response.other_requests
        return UsageOfResponse(provider, receiver.model, usage, response.stated_cost, others)

    def note_usage(self, found: UsageSoFar) -> None:
        """Keep the provider's counts so far."""
        self.response.usage, self.response.other_requests = found
        self.response.words_counted = self._words_so_far()

    def _words_so_far(self) -> tuple[int, int]:
        return len(self.text.pieces), len(self.response.other_words)

    def key(self, key: str) -> str:
        """Return a key of the current response as one of the panel."""
        return f"{len(self.ledger.segments)}:{key}"

    def note(self, kind: LatestKind) -> None:
        """An event of this kind is passed on."""
        self.started = True
        self.said = self.said or kind != "reasoning"
        self.response.latest = kind
        self.timer.note_event()

    def add_to_turn(self, kind: Literal["text", "reasoning", "refusal"], text: str) -> None:
        """Keep words for the message."""
        if self.response.turn.append_words(kind, text):
            self.room -= PART_BYTES

    def opaque(self, data: Any) -> Any:
        """Return data that this provider wants back, with who made it."""
        asked = self.receiver.question
        return assistant_turn.opaque_part(asked.provider, asked.wire, asked.target_host, data)

    def flush_proven(self, key: str | None = None) -> tuple[PanelEvent, ...]:
        """Return the event of the call that ended last: more of the reply has arrived, and not of this call."""
        calls = self.response.calls
        if not calls.awaits_proof:
            return ()
        return tuple(self.call_event(*proven) for proven in calls.take_proven(key))

    def call_event(self, key: str, call: ToolCall) -> PanelEvent:
        """Return the event of a call. A complete one enters the message."""
        self.note("tool_call")
        self.response.other_words.append(call["arguments"])
        self.response.calls_begun += 1
        if call["complete"]:
            self.response.turn.complete_call(key, call)
        return {"event": "panel_tool_call", "panel_id": self.panel_id, **call}

    def drop_call(self, run: CallWasRun) -> None:
        """Forget a call that the provider has run itself."""
        key, response = self.key(run.key), self.response
        if response.calls.drop(key):
            response.turn.replace_call(key, self.opaque(run.opaque))
            self.room -= memory(run.opaque)

    def place_source(self, cited: SourceCited) -> Source:
        """Return a source with its place in the whole text, or without a place if that is not known.

        A source without an `end` cites its part up to here.
        """
        source = cited.source
        if "start" not in source:
            return source
        place = None
        if not self.ledger.overlap:  # what was left out as a repetition would shift the place
            place = self._place_in_part(cited.part, source) if cited.part else self._place_in_response(cited, source)
        if place is None:
            return {name: value for name, value in source.items() if name not in ("start", "end")}  # type: ignore[return-value]
        return {**source, "start": place[0], "end": place[1]}

    def _place_in_part(self, part: str, source: Source) -> tuple[int, int] | None:
        start = self.response.part_starts.get(part)
        if start is None:
            return None
        pieces, skipped = start
        offset = self.text.count_characters(pieces) + skipped
        end = source["end"] + offset if "end" in source else self.text.count_characters(len(self.text.pieces))
        return source["start"] + offset, end

    def _place_in_response(self, cited: SourceCited, source: Source) -> tuple[int, int] | None:
        response = self.response
        places = response.places.get(cited.in_bytes)
        if places is None:
            before = self.text.count_characters(response.pieces_before)
            places = TextPlaces(response.pieces_before, before, in_bytes=cited.in_bytes)
            response.places[cited.in_bytes] = places
        inserted = response.inserted_characters
        return places.find(self.text.pieces, inserted, source["start"], source["end"], cited.quote)

    def add_media(self, id: str, received: MediaReceived) -> PanelEvent:
        """Keep a part that is not text, and return its event."""
        event, part = self.response.findings.add_media(self.panel_id, id, received)
        if received.opaque is not None:
            part["opaque"] = self.opaque(received.opaque)
            self.room -= memory(received.opaque)
        self.response.turn.add_media(id, part)
        self.note("text")
        return event

    def flush_media(self) -> list[PanelEvent]:
        """Return the events of the parts whose end has not arrived: what came of them is not lost."""
        found = self.response.findings.open_media()
        self.response.findings.media_count += len(found)
        return [self.add_media(*each) for each in found]

    def is_empty(self) -> bool:
        """Return whether nothing but reasoning arrived."""
        response = self.response
        return not (self.text.pieces or self.refusal.pieces or response.calls.finished or response.findings.media_count)
