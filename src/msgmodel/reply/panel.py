"""Deltas to events. The grammar `event* (final | error)` lives here and only here. Pure: the clock is passed in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from ..events import ErrorCode, PanelDelta, PanelEvent, PanelRetry, Privacy, Status
from ..messages import Message
from ..question.lenient_json import memory
from ..question.question import Question
from ..question.transport import HttpRequest
from ..reply_facts import OutputError
from ..wires.deltas import (
    CallWasRun,
    CostStated,
    Delta,
    DetailFound,
    Failure,
    Finish,
    MediaPiece,
    MediaReceived,
    NewPart,
    OpaqueData,
    PromptProgress,
    ReasoningDelta,
    ReceiptFact,
    RefusalDelta,
    ResponseStarted,
    SourceCited,
    TextDelta,
    ToolEnd,
    ToolFragment,
    ToolRunChanged,
    Untold,
    UsageSoFar,
    WarningFound,
)
from .repetition import RepetitionFilter
from .reply_state import PART_BYTES, LatestKind, PanelOptions, ReplyState
from .terminal_event import error_events, final_events, was_refused
from .text_pieces import PIECE_BYTES
from .usage_ledger import PriceFunction, empty_usage

if TYPE_CHECKING:
    from .typed_panel import TypedPanel

_ERRORS_SHOWN = 3
"""Errors of a reply that `panel_retry` names."""
_BLOCK_BREAK = "\n\n"
"""What stands between two texts that a provider keeps apart and that would be one word together."""


class PanelBuilder:
    """Takes the deltas of one reply, over all the requests that it took; returns the events to pass on."""

    def __init__(
        self,
        panel_id: str,
        question: Question,
        privacy: Privacy,
        clock: Callable[[], float],
        price: PriceFunction,
        options: PanelOptions,
    ) -> None:
        self._id = panel_id
        self._reply = ReplyState(panel_id, question, privacy, clock, price, options)

    @property
    def room(self) -> int:
        """Bytes of memory that may still be kept."""
        return self._reply.room

    @property
    def started(self) -> bool:
        """Whether an event was passed on: from then on the same request may not be made again."""
        return self._reply.started

    @property
    def said(self) -> bool:
        """Whether more than reasoning was passed on: from then on no other provider may be asked."""
        return self._reply.said

    @property
    def attempts(self) -> int:
        """The requests that were sent."""
        return self._reply.timer.attempts

    @property
    def overlap(self) -> int:
        """Characters that this segment repeated, and that were left out."""
        return self._reply.ledger.overlap

    @overlap.setter
    def overlap(self, characters: int) -> None:
        self._reply.ledger.overlap = characters

    def add(self, delta: Delta) -> Sequence[PanelEvent]:
        """Return the events that a delta makes."""
        reply, response = self._reply, self._reply.response
        held = response.bytes_held
        events = _READERS[type(delta)](self, delta)
        reply.room -= response.bytes_held - held
        return events

    def append_text(self, text: str) -> PanelEvent | None:
        """Return the event of text that follows text; None, and nothing is kept, if there is no room for it."""
        # As `TextPieces.append` does it, whose call would be a tenth of what is done here.
        reply = self._reply
        kept = reply.text
        size = text.__sizeof__()
        joined = len(text) * kept.width
        room = reply.room - size - joined - PIECE_BYTES
        if room < 0:
            return None
        kept.pieces.append(text)
        if size > joined + kept.most_overhead:
            room -= kept.widen(text, size)
        reply.room = room
        response = reply.response
        response.turn.current_text.append(text)
        if response.block:
            return {"event": "panel_delta", "panel_id": self._id, "delta": text, "block": response.block}
        return {"event": "panel_delta", "panel_id": self._id, "delta": text}

    def begin_request(self, question: Question, request: HttpRequest, seconds_waited: float) -> None:
        """A request is sent after a pause of so many seconds."""
        self._reply.timer.attempts += 1
        self._reply.asked = question
        self._reply.requests.add_request(question, request, seconds_waited)

    def note_failure(self, code: ErrorCode) -> None:
        """The latest request failed."""
        self._reply.requests.add_failure(code)

    def start_over(self) -> None:
        """Forget the response, none of which was passed on: it is asked for again."""
        self._reply.start_over()

    def fall_back(self, question: Question, privacy: Privacy, failure: Failure) -> PanelEvent:
        """Another provider is asked, from the start. What an answer that was shown has used stays counted."""
        if self._reply.started:
            self._reply.end_response(failure.code, None, broken=True, refused=was_refused(failure))
        self._reply.ask_other(question, privacy)
        return self._retry_event("fallback", failure)

    def resume(self, failure: Failure) -> PanelEvent:
        """The same provider is asked to continue after its stream broke."""
        self._reply.end_response(failure.code, None, broken=True, refused=was_refused(failure))
        return self._retry_event("resume", failure)

    def repair(self, finish: Finish, errors: Sequence[OutputError]) -> PanelEvent:
        """The same provider is asked again, because its complete reply does not have the format."""
        reply = self._reply
        reply.answer_again(finish.reason)
        assert reply.options.typed is not None
        reply.options.typed.begin_again()
        places = "; ".join(f"{error['path'] or 'the value'}: {error['message']}" for error in errors[:_ERRORS_SHOWN])
        return {
            "event": "panel_retry",
            "panel_id": self._id,
            "reason": "repair",
            "provider": reply.receiver.question.provider,
            "model": reply.receiver.question.model,
            "code": "invalid_output",
            "error": f"the reply does not have the format of output=: {places}",
        }

    @property
    def convert_object(self) -> Callable[[Any], Any] | None:
        """Turns the value of `output=` into the caller's type; None without `output=`."""
        typed = self._reply.options.typed
        return None if typed is None else typed.convert

    def output_errors(self, finish: Finish) -> Sequence[OutputError]:
        """Return why a complete reply does not have the format of `output=`; nothing for any other reply."""
        typed = self._reply.options.typed
        if typed is None or finish.status != "complete" or self.called or self._reply.refusal.pieces:
            return ()
        typed.end_answer()
        return typed.errors()

    def continuation_filter(self) -> RepetitionFilter:
        """Return what leaves out of a continuation what joins it to the text so far, such as words that it repeats."""
        typed = self._reply.options.typed
        return RepetitionFilter(self.text) if typed is None else typed.seam(self.text)

    def go_on(self, status: Status | ErrorCode, reason: str | None) -> None:
        """The reply continues in another response, whose tool calls and usage count from nothing."""
        self._reply.end_response(status, reason)

    def retry(self, failure: Failure, seconds_to_wait: float) -> PanelEvent:
        """Discard what the response brought, none of which was shown, and announce that the same is asked again."""
        self.start_over()
        event = self._retry_event("retry", failure)
        event["attempt"], event["seconds_to_wait"] = self.attempts + 1, seconds_to_wait
        return event

    def settle(self, failure: Failure, finish: Finish) -> Sequence[PanelEvent]:
        """The response that was to continue failed before any of it was passed on: the verdict before it holds."""
        self._reply.start_over()
        self._reply.keep_earlier_answer()
        self._reply.add_segment(failure.code, None)
        return final_events(self._reply, finish, is_listed=True)

    def stop_unsent(self, finish: Finish) -> Sequence[PanelEvent]:
        """The next request is not sent, so it used nothing."""
        self._reply.response.usage = empty_usage() | {"input_tokens": 0, "output_tokens": 0}
        return final_events(self._reply, finish)

    def message(self) -> Message:
        """Return the assistant's turn so far."""
        return self._reply.message(partial=False)

    @property
    def kept_bytes(self) -> int:
        """Bytes that the reply takes: of `max_bytes`, what is not in `room`."""
        return self._reply.options.max_bytes - self.room

    @property
    def text(self) -> str:
        """All text so far."""
        return "".join(self._reply.text.pieces)

    @property
    def called(self) -> bool:
        """Whether the model wants a tool called."""
        return self._reply.response.calls.any_named

    @property
    def latest(self) -> LatestKind | None:
        """The kind of the last part that arrived."""
        return self._reply.response.latest

    @property
    def prompt_percent(self) -> float | None:
        """How much of the prompt the server has read; None if it does not say it."""
        return self._reply.response.prompt_percent

    @property
    def reasoning_tokens(self) -> int | None:
        """The tokens of the reasoning, as the provider counts them on the way; None if it does not."""
        usage = self._reply.response.usage
        return None if usage is None else usage["reasoning_tokens"]

    @property
    def ends_in_text(self) -> bool:
        """Whether the last thing that arrived is text, which a model can be asked to continue."""
        if self._reply.response.latest != "text" or self._reply.refusal.pieces or self.called:
            return False
        return bool(self.text.strip())

    def _retry_event(self, reason: Literal["retry", "fallback", "resume"], failure: Failure) -> PanelRetry:
        return {
            "event": "panel_retry",
            "panel_id": self._id,
            "reason": reason,
            "provider": self._reply.receiver.question.provider,
            "model": self._reply.receiver.question.model,
            "code": failure.code,
            "error": failure.message,
        }

    def _add_text(self, delta: TextDelta) -> Sequence[PanelEvent]:
        proven, text, state = self._reply.flush_proven(), delta.text, self._reply.response
        # The part of the turn is sent back, so it has no blank line that the provider did not draw.
        self._reply.add_to_turn("text", text)
        if "text" in state.broken_off:
            state.broken_off -= {"text"}
            if self._reply.text.pieces:
                state.block += 1
                if not self._reply.text.ends_in_space() and not text[:1].isspace():
                    state.inserted_characters[len(self._reply.text.pieces)] = len(_BLOCK_BREAK)
                    text = _BLOCK_BREAK + text
        if state.next_part:
            place = len(self._reply.text.pieces), len(text) - len(delta.text)
            state.part_starts[state.next_part], state.next_part = place, ""
        self._reply.room -= self._reply.text.append(text)
        self._reply.note("text")
        event: PanelDelta = {"event": "panel_delta", "panel_id": self._id, "delta": text}
        if state.block:
            event["block"] = state.block
        typed = self._reply.options.typed
        return (*proven, event) if typed is None else (*proven, event, *self._feed_typed(typed, text))

    def _feed_typed(self, typed: TypedPanel, text: str) -> Sequence[PanelEvent]:
        """Return the events of the value that the text is."""
        held = typed.bytes_held
        events = typed.feed(text)
        self._reply.room -= typed.bytes_held - held
        return events

    def _add_reasoning(self, delta: ReasoningDelta) -> Sequence[PanelEvent]:
        proven, text = self._reply.flush_proven(), delta.text
        self._reply.add_to_turn("reasoning", text)
        if "reasoning" in self._reply.response.broken_off:
            self._reply.response.broken_off -= {"reasoning"}
            if not self._reply.receiver.reasoning.ends_in_space() and not text[:1].isspace():
                text = _BLOCK_BREAK + text
        self._reply.room -= self._reply.receiver.reasoning.append(text)
        self._reply.response.other_words.append(text)
        self._reply.note("reasoning")
        return (*proven, {"event": "panel_reasoning", "panel_id": self._id, "delta": text})

    def _add_refusal(self, delta: RefusalDelta) -> Sequence[PanelEvent]:
        proven = self._reply.flush_proven()
        self._reply.add_to_turn("refusal", delta.text)
        self._reply.room -= self._reply.refusal.append(delta.text)
        self._reply.response.other_words.append(delta.text)
        self._reply.note("text")
        return (*proven, {"event": "panel_refusal", "panel_id": self._id, "delta": delta.text})

    def _add_fragment(self, delta: ToolFragment) -> Sequence[PanelEvent]:
        key, calls = self._reply.key(delta.key), self._reply.response.calls
        events = self._reply.flush_proven(key)
        if not calls.has_begun(key):
            self._reply.response.turn.place_call(key)
            self._reply.response.latest = "tool_call"
        named = calls.add_fragment(key, delta)
        if not self._reply.options.tool_deltas or named is None:
            return events
        self._reply.note("tool_call")
        id, name = named
        return (
            *events,
            {"event": "panel_tool_delta", "panel_id": self._id, "id": id, "name": name, "delta": delta.arguments},
        )

    def _end_call(self, delta: ToolEnd) -> Sequence[PanelEvent]:
        key, calls = self._reply.key(delta.key), self._reply.response.calls
        events = self._reply.flush_proven(key)
        cut = calls.end_call(key, delta)
        return (*events, self._reply.call_event(key, cut)) if cut else events

    def _drop_call(self, delta: CallWasRun) -> Sequence[PanelEvent]:
        self._reply.drop_call(delta)
        return ()

    def _add_opaque(self, delta: OpaqueData) -> Sequence[PanelEvent]:
        self._reply.response.turn.attach_opaque(delta.kind, self._reply.opaque(delta.data), self._reply.key(delta.key))
        self._reply.room -= PART_BYTES + memory(delta.data)
        return ()

    def _begin_part(self, delta: NewPart) -> Sequence[PanelEvent]:
        self._reply.response.turn.end_part()
        self._reply.response.next_part = delta.key
        if delta.is_block:
            self._reply.response.broken_off |= {"text", "reasoning"}
        return ()

    def _add_media_piece(self, delta: MediaPiece) -> Sequence[PanelEvent]:
        events = self._reply.flush_proven()
        piece = self._reply.response.findings.add_piece(self._id, self._reply.key(delta.key), delta)
        self._reply.note("text")
        return (*events, piece) if self._reply.options.part_deltas else events

    def _add_media(self, delta: MediaReceived) -> Sequence[PanelEvent]:
        return (*self._reply.flush_proven(), self._reply.add_media(self._reply.key(delta.key), delta))

    def _add_run(self, delta: ToolRunChanged) -> Sequence[PanelEvent]:
        events = self._reply.flush_proven()
        run = self._reply.response.findings.add_run(delta.run)
        if run is None:
            return events
        self._reply.note("text")
        return (*events, {"event": "panel_tool_run", "panel_id": self._id, **run})

    def _add_source(self, delta: SourceCited) -> Sequence[PanelEvent]:
        source = self._reply.place_source(delta)
        if not self._reply.response.findings.add_source(source):
            return ()
        self._reply.note("text")
        return ({"event": "panel_source", "panel_id": self._id, **source},)

    def _add_detail(self, delta: DetailFound) -> Sequence[PanelEvent]:
        self._reply.response.findings.add_detail(delta)
        return ()

    def _add_fact(self, delta: ReceiptFact) -> Sequence[PanelEvent]:
        self._reply.response.findings.add_fact(delta.name, delta.value)
        return ()

    def _add_warning(self, delta: WarningFound) -> Sequence[PanelEvent]:
        self._reply.response.findings.add_warning(delta.code, delta.message)
        return ()

    def _add_untold(self, delta: Untold) -> Sequence[PanelEvent]:
        self._reply.response.findings.add_untold(delta.kind, delta.in_text)
        return ()

    def _add_usage(self, delta: UsageSoFar) -> Sequence[PanelEvent]:
        self._reply.note_usage(delta)
        return ()

    def _note_cost(self, delta: CostStated) -> Sequence[PanelEvent]:
        self._reply.response.stated_cost = delta.dollars
        return ()

    def _note_prompt(self, delta: PromptProgress) -> Sequence[PanelEvent]:
        self._reply.response.prompt_percent = delta.percent
        return ()

    def _start_response(self, delta: ResponseStarted) -> Sequence[PanelEvent]:
        to = self._reply.receiver
        before = _text_bytes(to.model, to.request_id)
        to.model = delta.model or to.model
        to.request_id = delta.request_id or to.request_id
        self._reply.room += before - _text_bytes(to.model, to.request_id)
        return ()

    def _end_well(self, finish: Finish) -> Sequence[PanelEvent]:
        return final_events(self._reply, finish)

    def _end_badly(self, failure: Failure) -> Sequence[PanelEvent]:
        return error_events(self._reply, failure)


_READERS: Mapping[type[Any], Callable[[PanelBuilder, Any], Sequence[PanelEvent]]] = {
    TextDelta: PanelBuilder._add_text,
    ReasoningDelta: PanelBuilder._add_reasoning,
    RefusalDelta: PanelBuilder._add_refusal,
    ToolFragment: PanelBuilder._add_fragment,
    ToolEnd: PanelBuilder._end_call,
    CallWasRun: PanelBuilder._drop_call,
    OpaqueData: PanelBuilder._add_opaque,
    NewPart: PanelBuilder._begin_part,
    MediaPiece: PanelBuilder._add_media_piece,
    MediaReceived: PanelBuilder._add_media,
    ToolRunChanged: PanelBuilder._add_run,
    SourceCited: PanelBuilder._add_source,
    DetailFound: PanelBuilder._add_detail,
    Untold: PanelBuilder._add_untold,
    ReceiptFact: PanelBuilder._add_fact,
    WarningFound: PanelBuilder._add_warning,
    UsageSoFar: PanelBuilder._add_usage,
    CostStated: PanelBuilder._note_cost,
    PromptProgress: PanelBuilder._note_prompt,
    ResponseStarted: PanelBuilder._start_response,
    Finish: PanelBuilder._end_well,
    Failure: PanelBuilder._end_badly,
}
"""The method that reads each kind of delta."""


def _text_bytes(*words: str | None) -> int:
    """Return the bytes of memory that the words take."""
    return sum(word.__sizeof__() for word in words if word)


__all__ = ["PanelBuilder", "PanelOptions", "PriceFunction"]
