"""Deltas to events. The grammar `event* (final | error)` lives here and only here. Pure: the clock is handed in.

Rule: a call is handed on as complete only when no verdict can call it cut any more. So the call that ended last waits
for what proves it: something that comes after it, or a reply that ends well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import chain, islice
from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

from ..events import (
    ErrorCode,
    PanelEnd,
    PanelError,
    PanelEvent,
    PanelFinal,
    PanelToolDelta,
    Privacy,
    Segment,
    Source,
    Status,
    Timing,
    ToolCall,
    Usage,
)
from ..messages import JSON, Message
from ..question.lenient_json import load_lenient, memory
from ..question.question import PastCall, Question, estimate_tokens_of
from ..wires.deltas import (
    Delta,
    Failure,
    Finish,
    NewPart,
    OpaqueData,
    ReasoningDelta,
    RefusalDelta,
    ResponseStarted,
    SourceCited,
    TextDelta,
    ToolEnd,
    ToolFragment,
    UsageSoFar,
)
from . import assistant_turn

PriceFunction = Callable[[str, str, Usage], float | None]
"""US dollars for a provider, a model and its usage; None where it is unknown."""


PIECE_BYTES = 32
"""What a piece of text costs besides itself: its places in lists."""
PART_BYTES = 768
CALL_BYTES = 4096
SOURCE_BYTES = 1024
SEGMENT_BYTES = 1024
"""What each of these costs besides its words, whoever keeps some of it: the panel, the wire, a server."""
VALUE_BYTES = 96
"""What a value in a call's arguments costs once they are decoded."""


_WIDE_HEADER = "\xe9".__sizeof__() - 2
"""What a string takes besides its characters, and the one after them, if it is not all ASCII."""

At: TypeAlias = Literal["reasoning", "text", "tool_call"]


class _TextPieces:
    """The pieces of a text, and the memory that it takes in pieces and joined: at the end there are both.

    A joined text has as many bytes for each character as its widest character needs, so one emoji makes it four times
    as large.
    """

    __slots__ = ("most_overhead", "pieces", "width")

    def __init__(self, pieces: Iterable[str] = (), width: int = 1) -> None:
        self.pieces = [*pieces]
        self.width = width
        """Bytes of each character of the joined text: 1, 2 or 4."""
        self.most_overhead = width + _WIDE_HEADER
        """A piece that takes more bytes beyond those of its characters is wider than all before it (PEP 393)."""

    def append(self, text: str) -> int:
        """Return the bytes that it takes."""
        size = text.__sizeof__()
        joined = len(text) * self.width
        self.pieces.append(text)
        if size > joined + self.most_overhead:
            joined += self.widen(text, size)
        return size + joined + PIECE_BYTES

    def widen(self, text: str, size: int) -> int:
        """Return the bytes that all pieces take more, once they are joined with this one of so many bytes."""
        before = self.width
        self.width = 2 if size - _WIDE_HEADER <= 2 * (len(text) + 1) else 4
        self.most_overhead = self.width + _WIDE_HEADER
        return (self.width - before) * sum(map(len, self.pieces))

    def copy(self) -> _TextPieces:
        """Return another one that grows by itself."""
        return _TextPieces(self.pieces, self.width)

    def take(self) -> str:
        """Return the joined text, and keep none of it."""
        text = "".join(self.pieces)
        self.pieces = []
        return text


@dataclass(slots=True)
class _Call:
    id: str = ""
    name: str = ""
    arguments: _TextPieces = field(default_factory=_TextPieces)
    size: int = 0
    """Bytes that the arguments take."""
    given: bool = False
    """Whether its id is final."""
    ended: bool = False
    """Whether the provider said that no more of it comes."""
    done: bool = False
    """Whether it was handed on."""

    def copy(self) -> _Call:
        """Return another one that grows by itself."""
        return replace(self, arguments=self.arguments.copy())


@dataclass(slots=True)
class _ResponseState:
    """What has come, besides text: what must not stay of a response that is asked for again."""

    turn: assistant_turn.AssistantTurn = field(default_factory=assistant_turn.AssistantTurn)
    calls: dict[str, _Call] = field(default_factory=dict)
    ended: str | None = None
    """The key of the call that ended last, while it waits for proof."""
    latest: At | None = None
    usage: Usage | None = None
    since: int = 0
    """How many pieces of text the responses before had."""
    other: list[str] = field(default_factory=list)
    """All words of this response that are no text, for an estimate of its tokens."""

    def copy(self) -> _ResponseState:
        """Return another one that grows by itself."""
        calls = {key: call.copy() for key, call in self.calls.items()}
        return replace(self, turn=self.turn.copy(), calls=calls, other=[*self.other])


_WORDS = TextDelta, ReasoningDelta, RefusalDelta


class _Ending(TypedDict):
    """What both terminal events have."""

    content: str
    provider: str
    wire: str
    model: str
    usage: Usage
    cost: float | None
    timing: Timing
    request_id: str | None
    message: Message
    reasoning: NotRequired[str]
    refusal: NotRequired[str]
    tool_calls: NotRequired[list[ToolCall]]
    sources: NotRequired[list[Source]]
    segments: NotRequired[list[Segment]]


class PanelBuilder:
    """Takes the deltas of one reply, over all the requests that it took; returns the events to hand on."""

    def __init__(
        self,
        panel_id: str,
        ask: Question,
        privacy: Privacy,
        clock: Callable[[], float],
        price: PriceFunction,
        *,
        max_bytes: int,
        tool_deltas: bool = False,
    ) -> None:
        self.room = max_bytes
        """Bytes that may still be kept: of text, of all else that came, and of what it takes to keep each piece."""
        self.started = False
        """Whether an event was handed on: from then on the same may not be asked again."""
        self.said = False
        """Whether more than reasoning was handed on: from then on nobody else may be asked."""
        self.attempts = 0
        self.overlap = 0
        """Characters that this segment repeated, and that were left out."""
        self._id = panel_id
        self._clock = clock
        self._price = price
        self._tool_deltas = tool_deltas
        self._max_bytes = self._room_before = max_bytes
        self._begin = clock()
        self._first: float | None = None
        self._text = _TextPieces()
        self._refusal = _TextPieces()
        self._finished: list[ToolCall] = []
        self._sources: list[Source] = []
        self._cited: set[tuple[object, ...]] = set()
        self._segments: list[Segment] = []
        self._begun = 0
        self._spent: list[tuple[str, str, Usage]] = []
        self._ask_of(ask, privacy)

    def _ask_of(self, ask: Question, privacy: Privacy) -> None:
        self._ask, self._privacy = ask, privacy
        self._model = ask.model
        self._request_id: str | None = None
        self._reasoning = _TextPieces()
        since = len(self._text.pieces)
        self._came, self._before = _ResponseState(since=since), _ResponseState(since=since)
        self._ids = {part.id for turn in ask.turns for part in turn.parts if isinstance(part, PastCall)}
        self._repeated: Counter[str] = Counter()  # ids that were said again, and how many numbers they have used up

    def add(self, delta: Delta) -> Sequence[PanelEvent]:
        """The events that a delta makes."""
        if isinstance(delta, _WORDS):
            return (self._said(delta),) if self._came.ended is None else (*self._proven(), self._said(delta))
        if isinstance(delta, ToolFragment):
            return (*self._proven(delta.key), *self._fragment(delta))
        if isinstance(delta, ToolEnd):
            return (*self._proven(delta.key), *self._close(delta))
        if isinstance(delta, OpaqueData):
            opaque = assistant_turn.opaque_part(self._ask.provider, self._ask.wire, self._ask.target_host, delta.data)
            self._came.turn.seal(delta.kind, opaque, self._key(delta.key))
            self.room -= PART_BYTES + memory(delta.data)
            return ()
        if isinstance(delta, NewPart):
            self._came.turn.boundary()
            return ()
        if isinstance(delta, SourceCited):
            mark = tuple(delta.source.values())
            if mark in self._cited:
                return ()
            self._cited.add(mark)
            self.room -= SOURCE_BYTES + memory([*mark])
            self._sources.append(delta.source)
            self._note("text")
            return ({"event": "panel_source", "panel_id": self._id, **delta.source},)
        if isinstance(delta, UsageSoFar):
            self._came.usage = delta.usage
            return ()
        if isinstance(delta, ResponseStarted):
            before = _size(self._model, self._request_id)
            self._model = delta.model or self._model
            self._request_id = delta.request_id or self._request_id
            self.room += before - _size(self._model, self._request_id)
            return ()
        return self._final(delta) if isinstance(delta, Finish) else self._error(delta)

    def more(self, text: str) -> PanelEvent | None:
        """The event of text that follows text; None, and nothing is kept, if there is no room for it."""
        # As `_TextPieces.append` does it, whose call would be a tenth of what is done here.
        kept = self._text
        size = text.__sizeof__()
        joined = len(text) * kept.width
        room = self.room - size - joined - PIECE_BYTES
        if room < 0:
            return None
        kept.pieces.append(text)
        if size > joined + kept.most_overhead:
            room -= kept.widen(text, size)
        self.room = room
        self._came.turn.open_text.append(text)
        return {"event": "panel_delta", "panel_id": self._id, "delta": text}

    def start_over(self) -> None:
        """The response is asked for again: what came of it, none of which was handed on, does not count."""
        self._came, self._before = self._before, self._before.copy()
        self.room = self._room_before
        self.overlap = 0

    def fall_back(self, ask: Question, privacy: Privacy, failure: Failure) -> PanelEvent:
        """Somebody else is asked, from the start. What an answer that was shown has used stays counted."""
        if self.started:
            self._spend(failure.code, None, broken=True, refused=_refused(failure))
        self._ask_of(ask, privacy)
        self.room = self._room_before = self._max_bytes - SEGMENT_BYTES * len(self._segments)
        self.started = False
        return self._retry("fallback", failure)

    def resume(self, failure: Failure) -> PanelEvent:
        """The same is asked to go on after its stream broke."""
        self._spend(failure.code, None, broken=True, refused=_refused(failure))
        return self._retry("resume", failure)

    def go_on(self, status: Status | ErrorCode, reason: str | None) -> None:
        """The reply goes on in another response, whose tool calls and usage count from nothing."""
        self._spend(status, reason)

    def settle(self, failure: Failure, finish: Finish) -> Sequence[PanelEvent]:
        """The response that was to go on failed before any of it was handed on: the verdict before it holds."""
        self.start_over()
        self._segment(failure.code, None)
        return self._final(finish, listed=True)

    def message(self) -> Message:
        """The assistant's turn so far."""
        return self._came.turn.message(self.text, partial=False)

    @property
    def text(self) -> str:
        """All text so far."""
        return "".join(self._text.pieces)

    @property
    def called(self) -> bool:
        """Whether the model wants a tool called."""
        return any(call.name for call in self._came.calls.values())

    @property
    def ends_in_text(self) -> bool:
        """Whether the last thing that came is text, which a model can be asked to go on with."""
        return self._came.latest == "text" and bool(self.text.strip()) and not self._refusal.pieces and not self.called

    def _key(self, key: str) -> str:
        return f"{len(self._segments)}:{key}"

    def _note(self, kind: At) -> None:
        self.started = True
        self.said = self.said or kind != "reasoning"
        self._came.latest = kind
        if self._first is None:
            self._first = self._clock() - self._begin

    def _retry(self, reason: Literal["fallback", "resume"], failure: Failure) -> PanelEvent:
        return {
            "event": "panel_retry",
            "panel_id": self._id,
            "reason": reason,
            "provider": self._ask.provider,
            "model": self._ask.model,
            "code": failure.code,
            "error": failure.message,
        }

    def _said(self, delta: TextDelta | ReasoningDelta | RefusalDelta) -> PanelEvent:
        if isinstance(delta, TextDelta):
            self.room -= self._text.append(delta.text)
            self._say("text", delta.text)
            self._note("text")
            return {"event": "panel_delta", "panel_id": self._id, "delta": delta.text}
        if isinstance(delta, ReasoningDelta):
            self.room -= self._reasoning.append(delta.text)
            self._came.other.append(delta.text)
            self._say("reasoning", delta.text)
            self._note("reasoning")
            return {"event": "panel_reasoning", "panel_id": self._id, "delta": delta.text}
        self.room -= self._refusal.append(delta.text)
        self._came.other.append(delta.text)
        self._say("refusal", delta.text)
        self._note("text")
        return {"event": "panel_refusal", "panel_id": self._id, "delta": delta.text}

    def _say(self, kind: Literal["text", "reasoning", "refusal"], text: str) -> None:
        if self._came.turn.say(kind, text):
            self.room -= PART_BYTES

    def _fragment(self, delta: ToolFragment) -> Sequence[PanelEvent]:
        key = self._key(delta.key)
        call = self._came.calls.get(key)
        if call is None:
            call = self._came.calls[key] = _Call()
            self._came.turn.place(key)
            self._came.latest = "tool_call"
            self.room -= CALL_BYTES
        if not call.given and not call.id and delta.id:
            call.id = delta.id
            self.room -= 2 * _size(call.id)  # and once more, where another call has the same
        if not call.name and delta.name:
            call.name = delta.name
            self.room -= _size(call.name)
        if not delta.arguments or call.done:
            return ()
        self._resize(call, call.size + call.arguments.append(delta.arguments) + _value_bytes(delta.arguments))
        if not self._tool_deltas or not call.name:
            return ()
        self._note("tool_call")
        piece: PanelToolDelta = {
            "event": "panel_tool_delta",
            "panel_id": self._id,
            "id": self._id_of(call),
            "name": call.name,
            "delta": delta.arguments,
        }
        return (piece,)

    def _close(self, end: ToolEnd) -> Sequence[PanelEvent]:
        key = self._key(end.key)
        call = self._came.calls.get(key)
        if call is None or call.done:
            return ()
        if end.arguments is not None:
            call.arguments = _TextPieces()
            self._resize(call, call.arguments.append(end.arguments) + _value_bytes(end.arguments))
        if end.complete:
            call.ended, self._came.ended = True, key
            return ()
        self._came.ended = None
        return self._called(key, call, False)

    def _resize(self, call: _Call, size: int) -> None:
        self.room += call.size - size
        call.size = size

    def _proven(self, key: str | None = None) -> Sequence[PanelEvent]:
        """The call that ended last is whole: there is more of the reply, and not of this call."""
        ended = self._came.ended
        if ended is None or (key is not None and ended == self._key(key)):
            return ()
        self._came.ended = None
        return self._called(ended, self._came.calls[ended], True)

    def _called(self, key: str, call: _Call, complete: bool) -> Sequence[PanelEvent]:
        """The event of a call. None of one without a name: that was a form that a server left empty."""
        call.done = True
        if not call.name:
            return ()
        self._note("tool_call")
        arguments = call.arguments.take()  # whole now, and no more of it is taken
        tool_call: ToolCall = {
            "id": self._id_of(call),
            "name": call.name,
            "arguments": arguments,
            "arguments_json": _parsed_arguments(arguments) if complete else None,
            "complete": complete,
        }
        self._finished.append(tool_call)
        self._came.other.append(arguments)
        if complete:
            self._came.turn.call(key, tool_call)
        return ({"event": "panel_tool_call", "panel_id": self._id, **tool_call},)

    def _id_of(self, call: _Call) -> str:
        """The id of a call, which no other one of the conversation has, made up where it is not the provider's."""
        if not call.given:
            said = id = call.id
            while not id or id in self._ids:
                self._repeated[said] += 1
                id = f"{said}_{self._repeated[said] + 1}" if said else f"call_{self._repeated[said]}"
            self._ids.add(id)
            call.id, call.given = id, True
        return call.id

    def _final(self, finish: Finish, listed: bool = False) -> Sequence[PanelEvent]:
        status = finish.status
        # A limit cuts the last call, so that one never looks executable.
        calls = [(key, call) for key, call in self._came.calls.items() if call.name and not call.done]
        whole = status in ("complete", "tool_calls")
        events = [
            event
            for key, call in calls
            for event in self._called(key, call, whole or (call is not calls[-1][1] and _whole(call)))
        ]
        if whole and any(not call["complete"] for call in self._finished):
            status = "truncated"  # the provider said so of the call alone
        elif status == "complete" and self._refusal.pieces:
            status = "filtered"
        elif status == "complete" and self._finished:
            status = "tool_calls"  # Gemini, and others, say the same of a reply with calls as of any other
        elif status == "tool_calls" and not self._finished:
            status = "unknown"  # nothing to run, and nothing that would answer an empty question
        truncated = status == "truncated"
        if self._segments and not listed:
            self._segment(status, finish.reason)
        final: PanelFinal = {
            "event": "panel_final",
            "panel_id": self._id,
            "privacy": self._privacy,
            "finish_reason": finish.reason,
            "status": status,
            "truncated": truncated,
            "truncated_in": self._limit() if truncated else None,
            **self._ending(
                [*self._spent] if listed else [*self._spent, self._part()],
                partial=status not in ("complete", "tool_calls"),
            ),
        }
        return (*events, final)

    def _limit(self) -> At:
        """What a limit hit. Where nothing came at all, hidden reasoning took all the tokens, if it was counted."""
        if self._came.latest is not None:
            return self._came.latest
        return "reasoning" if self._came.usage and self._came.usage["reasoning_tokens"] else "text"

    def _error(self, failure: Failure) -> Sequence[PanelEvent]:
        calls = [(key, call) for key, call in self._came.calls.items() if not call.done]
        events = [event for key, call in calls for event in self._called(key, call, False)]
        if self._segments:
            self._segment(failure.code, None)
        part = self._part(broken=True, refused=_refused(failure))
        ending = self._ending([*self._spent, part], partial=True)
        ending["request_id"] = failure.request_id or ending["request_id"]
        error: PanelError = {
            "event": "panel_error",
            "panel_id": self._id,
            "error": failure.message,
            "error_type": "APIError" if failure.answered else "StreamingError",
            "code": failure.code,
            "status_code": failure.status_code,
            "retryable": failure.retryable,
            "retry_after": failure.retry_after,
            **ending,
        }
        return (*events, error)

    def _spend(
        self, status: Status | ErrorCode, reason: str | None, *, broken: bool = False, refused: bool = False
    ) -> None:
        """A response of several is over: its usage is kept, with who is paid for it."""
        self._segment(status, reason)
        self._spent.append(self._part(broken=broken, refused=refused))
        self._came.usage, self._came.since, self._came.other = None, len(self._text.pieces), []
        self._before, self._room_before = self._came.copy(), self.room

    def _segment(self, status: Status | ErrorCode, reason: str | None) -> None:
        length = sum(map(len, self._text.pieces))
        self._segments.append(
            {
                "provider": self._ask.provider,
                "model": self._model,
                "characters": length - self._begun,
                "overlap": self.overlap,
                "status": status,
                "finish_reason": reason,
                "request_id": self._request_id,
                "usage": self._came.usage,
            }
        )
        self._begun, self.overlap = length, 0
        self.room -= SEGMENT_BYTES

    def _ending(self, parts: Sequence[tuple[str, str, Usage]], *, partial: bool) -> _Ending:
        """`parts`: the usage of each response, with its provider and model."""
        prices = [self._price(*part) for part in parts]
        # The pieces are not needed any more: each text is taken as soon as it is joined, so that it is never there
        # more than twice.
        text, reasoning, refusal = self._text.take(), self._reasoning.take(), self._refusal.take()
        self._came.other = []
        ending: _Ending = {
            "content": text,
            "provider": self._ask.provider,
            "wire": self._ask.wire,
            "model": self._model,
            "usage": reduce(_sum, [usage for _, _, usage in parts]),
            "cost": None if None in prices else sum(price for price in prices if price is not None),
            "timing": {
                "first_delta_seconds": self._first,
                "total_seconds": self._clock() - self._begin,
                "attempts": self.attempts,
            },
            "request_id": self._request_id,
            "message": self._came.turn.last_message(
                {"text": text, "reasoning": reasoning, "refusal": refusal}, partial=partial
            ),
        }
        if reasoning:
            ending["reasoning"] = reasoning
        if refusal:
            ending["refusal"] = refusal
        if self._finished:
            ending["tool_calls"] = self._finished
        if self._sources:
            ending["sources"] = self._sources
        if self._segments:
            ending["segments"] = self._segments
        return ending

    def _part(self, *, broken: bool = False, refused: bool = False) -> tuple[str, str, Usage]:
        """The provider's numbers of this response; what they lack is estimated. A refused question used nothing.

        A stream that broke has no last word on its usage: Anthropic's first one says one token of output.
        """
        usage = self._came.usage or {
            "input_tokens": None,
            "output_tokens": None,
            "reasoning_tokens": None,
            "cached_tokens": None,
            "cache_write_tokens": None,
            "source": "provider",
        }
        estimate = estimate_tokens_of(chain(islice(self._text.pieces, self._came.since, None), self._came.other))
        known = usage["output_tokens"]
        if known is None or (broken and known < estimate):
            usage = usage | {"output_tokens": estimate, "source": "estimated"}
        if usage["input_tokens"] is None:
            usage = usage | {"input_tokens": 0 if refused else self._ask.estimated_tokens, "source": "estimated"}
        return self._ask.provider, self._model, usage


def _size(*words: str | None) -> int:
    """Bytes of memory that the words take."""
    return sum(word.__sizeof__() for word in words if word)


def _value_bytes(arguments: str) -> int:
    """Return the bytes that the values in arguments take once they are decoded."""
    return VALUE_BYTES * (arguments.count(",") + arguments.count("[") + arguments.count("{"))


def _parsed_arguments(arguments: str) -> JSON:
    """Return what arguments mean; None if they are no JSON. None at all come as "", and as null on Groq."""
    try:
        found: JSON = {} if arguments in ("", "null") else load_lenient(arguments)
    except ValueError:
        return None
    return found


def _refused(failure: Failure) -> bool:
    """Whether the provider took the question at all."""
    return failure.answered and failure.status_code is not None


def _sum(one: Usage, other: Usage) -> Usage:
    """The usage of two responses together."""
    total: dict[str, Any] = dict(one)
    for name, number in other.items():
        if isinstance(number, int):
            total[name] = number + (total[name] or 0)
    if other["source"] == "estimated":
        total["source"] = "estimated"
    return total  # type: ignore[return-value]


def _whole(call: _Call) -> bool:
    """Whether a call before the last one came whole: the provider said so, or its arguments do."""
    if call.ended:
        return True
    arguments = "".join(call.arguments.pieces)
    return arguments.startswith("{") and isinstance(_parsed_arguments(arguments), dict)


__all__ = ["PanelBuilder", "PanelEnd", "PriceFunction"]
