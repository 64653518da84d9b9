"""Deltas to events. The grammar `event* (final | error)` lives here and only here. Pure: the clock is handed in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NotRequired, TypedDict

from . import _turn
from ._ask import Ask, tokens
from ._deltas import (
    Boundary,
    Cited,
    Delta,
    Failure,
    Finish,
    Reasoning,
    Refusal,
    Sealed,
    Started,
    Text,
    ToolEnd,
    ToolFragment,
    Used,
)
from ._json import loads
from .events import (
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
from .messages import JSON, Message

Price = Callable[[str, str, Usage], float | None]
"""US dollars for a provider, a model and its usage; None where it is unknown."""


@dataclass(slots=True)
class _Call:
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)
    done: bool = False


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


class Panel:
    """Takes the deltas of one reply, over all the requests that it took; returns the events to hand on."""

    def __init__(
        self,
        panel_id: str,
        ask: Ask,
        privacy: Privacy,
        clock: Callable[[], float],
        price: Price,
        *,
        tool_deltas: bool = False,
    ) -> None:
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
        self._begin = clock()
        self._first: float | None = None
        self._text: list[str] = []
        self._refusal: list[str] = []
        self._finished: list[ToolCall] = []
        self._sources: list[Source] = []
        self._cited: set[tuple[object, ...]] = set()
        self._segments: list[Segment] = []
        self._begun = 0
        self._earlier: Usage | None = None
        self._ask_of(ask, privacy)
        self._forget()

    def _ask_of(self, ask: Ask, privacy: Privacy) -> None:
        self._ask, self._privacy = ask, privacy
        self._model = ask.model
        self._request_id: str | None = None
        self._reasoning: list[str] = []

    def _forget(self) -> None:
        self._usage: Usage | None = None
        self._calls: dict[str, _Call] = {}
        self._turn = _turn.Turn()
        self._latest: Literal["reasoning", "text", "tool_call"] | None = None

    def add(self, delta: Delta) -> Sequence[PanelEvent]:
        """The events that a delta makes."""
        if isinstance(delta, Text):
            self._text.append(delta.text)
            self._turn.say("text", delta.text)
            self._note("text")
            return ({"event": "panel_delta", "panel_id": self._id, "delta": delta.text},)
        if isinstance(delta, Reasoning):
            self._reasoning.append(delta.text)
            self._turn.say("reasoning", delta.text)
            self._note("reasoning")
            return ({"event": "panel_reasoning", "panel_id": self._id, "delta": delta.text},)
        if isinstance(delta, Refusal):
            self._refusal.append(delta.text)
            self._note("text")
            return ({"event": "panel_refusal", "panel_id": self._id, "delta": delta.text},)
        if isinstance(delta, ToolFragment):
            return self._fragment(delta)
        if isinstance(delta, ToolEnd):
            return self._close(delta)
        if isinstance(delta, Sealed):
            opaque = _turn.opaque(self._ask.provider, self._ask.wire, delta.data)
            self._turn.seal(delta.kind, opaque, self._key(delta.key))
            return ()
        if isinstance(delta, Boundary):
            self._turn.boundary()
            return ()
        if isinstance(delta, Cited):
            mark = tuple(delta.source.values())
            if mark in self._cited:
                return ()
            self._cited.add(mark)
            self._sources.append(delta.source)
            self._note("text")
            return ({"event": "panel_source", "panel_id": self._id, **delta.source},)
        if isinstance(delta, Used):
            self._usage = delta.usage
            return ()
        if isinstance(delta, Started):
            self._model = delta.model or self._model
            self._request_id = delta.request_id or self._request_id
            return ()
        return self._final(delta) if isinstance(delta, Finish) else self._error(delta)

    def start_over(self) -> None:
        """The reply is asked for again: what came of it, none of which was handed on, does not count."""
        self._forget()

    def fall_back(self, ask: Ask, privacy: Privacy, failure: Failure) -> PanelEvent:
        """Somebody else is asked, from the start."""
        self._ask_of(ask, privacy)
        self._forget()
        self.started = False
        return self._retry("fallback", failure)

    def resume(self, failure: Failure) -> PanelEvent:
        """The same is asked to go on after its stream broke."""
        self.go_on(failure.code, None)
        return self._retry("resume", failure)

    def go_on(self, status: Status | ErrorCode, reason: str | None) -> None:
        """The reply goes on in another response, whose tool calls and usage count from nothing."""
        self._segment(status, reason)
        self._earlier, self._usage = self._total(), None

    def message(self) -> Message:
        """The assistant's turn so far."""
        return self._turn.message(partial=False)

    @property
    def text(self) -> str:
        """All text so far."""
        return "".join(self._text)

    @property
    def called(self) -> bool:
        """Whether the model wants a tool called."""
        return bool(self._calls)

    @property
    def ends_in_text(self) -> bool:
        """Whether the last thing that came is text, which a model can be asked to go on with."""
        return self._latest == "text" and bool(self._text) and not self._refusal and not self._calls

    def _key(self, key: str) -> str:
        return f"{len(self._segments)}:{key}"

    def _note(self, kind: Literal["reasoning", "text", "tool_call"]) -> None:
        self.started = True
        self.said = self.said or kind != "reasoning"
        self._latest = kind
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

    def _fragment(self, delta: ToolFragment) -> Sequence[PanelEvent]:
        key = self._key(delta.key)
        call = self._calls.get(key)
        if call is None:
            call = self._calls[key] = _Call()
            self._turn.place(key)
            self._latest = "tool_call"
        call.id = call.id or delta.id
        call.name = call.name or delta.name
        if not delta.arguments:
            return ()
        call.arguments.append(delta.arguments)
        if not self._tool_deltas or call.done:
            return ()
        self._note("tool_call")
        piece: PanelToolDelta = {
            "event": "panel_tool_delta",
            "panel_id": self._id,
            "id": call.id,
            "name": call.name,
            "delta": delta.arguments,
        }
        return (piece,)

    def _close(self, end: ToolEnd) -> Sequence[PanelEvent]:
        key = self._key(end.key)
        call = self._calls.get(key)
        if call is None or call.done:
            return ()
        if end.arguments is not None:
            call.arguments = [end.arguments]
        return (self._called(key, call, True),)

    def _called(self, key: str, call: _Call, complete: bool) -> PanelEvent:
        call.done = True
        self._note("tool_call")
        arguments = "".join(call.arguments)
        parsed: JSON = None
        if complete:
            try:
                # No argument at all comes as an empty text on every wire, and as null on Groq.
                parsed = {} if arguments in ("", "null") else loads(arguments)
            except ValueError:
                pass
        tool_call: ToolCall = {
            "id": call.id,
            "name": call.name,
            "arguments": arguments,
            "arguments_json": parsed,
            "complete": complete,
        }
        self._finished.append(tool_call)
        if complete and isinstance(parsed, dict):
            self._turn.call(key, tool_call)
        return {"event": "panel_tool_call", "panel_id": self._id, **tool_call}

    def _final(self, finish: Finish) -> Sequence[PanelEvent]:
        status = finish.status
        # A limit cuts the last call, so that one never looks executable; the ones before it had ended.
        calls = [(key, call) for key, call in self._calls.items() if not call.done]
        whole = status in ("complete", "tool_calls")
        events = [self._called(key, call, whole or call is not calls[-1][1]) for key, call in calls]
        if status == "complete" and self._refusal:
            status = "filtered"
        elif status == "complete" and self._finished:
            status = "tool_calls"  # Gemini, and others, say the same of a reply with calls as of any other
        truncated = status == "truncated"
        if self._segments:
            self._segment(status, finish.reason)
        final: PanelFinal = {
            "event": "panel_final",
            "panel_id": self._id,
            "privacy": self._privacy,
            "finish_reason": finish.reason,
            "status": status,
            "truncated": truncated,
            "truncated_in": self._limit() if truncated else None,
            **self._ending(partial=status not in ("complete", "tool_calls"), broken=False),
        }
        return (*events, final)

    def _limit(self) -> Literal["reasoning", "text", "tool_call"]:
        """What a limit hit. Where nothing came at all, hidden reasoning took all the tokens, if it was counted."""
        if self._latest is not None:
            return self._latest
        return "reasoning" if self._usage and self._usage["reasoning_tokens"] else "text"

    def _error(self, failure: Failure) -> Sequence[PanelEvent]:
        events = [self._called(key, call, False) for key, call in self._calls.items() if not call.done]
        if self._segments:
            self._segment(failure.code, None)
        ending = self._ending(partial=True, broken=True, refused=bool(failure.answered and failure.status_code))
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

    def _segment(self, status: Status | ErrorCode, reason: str | None) -> None:
        length = len(self.text)
        self._segments.append(
            {
                "provider": self._ask.provider,
                "model": self._model,
                "characters": length - self._begun,
                "overlap": self.overlap,
                "status": status,
                "finish_reason": reason,
                "request_id": self._request_id,
                "usage": self._usage,
            }
        )
        self._begun, self.overlap = length, 0

    def _ending(self, *, partial: bool, broken: bool, refused: bool = False) -> _Ending:
        usage = self._counted(broken, refused)
        ending: _Ending = {
            "content": self.text,
            "provider": self._ask.provider,
            "wire": self._ask.wire,
            "model": self._model,
            "usage": usage,
            "cost": self._price(self._ask.provider, self._model, usage),
            "timing": {
                "first_delta_seconds": self._first,
                "total_seconds": self._clock() - self._begin,
                "attempts": self.attempts,
            },
            "request_id": self._request_id,
            "message": self._turn.message(partial=partial),
        }
        if self._reasoning:
            ending["reasoning"] = "".join(self._reasoning)
        if self._refusal:
            ending["refusal"] = "".join(self._refusal)
        if self._finished:
            ending["tool_calls"] = self._finished
        if self._sources:
            ending["sources"] = self._sources
        if self._segments:
            ending["segments"] = self._segments
        return ending

    def _counted(self, broken: bool, refused: bool) -> Usage:
        """The provider's numbers; what they lack is estimated. A question that was refused used nothing.

        A stream that broke has no last word on its usage: Anthropic's first one says one token of output.
        """
        usage = self._total() or {
            "input_tokens": None,
            "output_tokens": None,
            "reasoning_tokens": None,
            "cached_tokens": None,
            "cache_write_tokens": None,
            "source": "provider",
        }
        came = "".join((*self._text, *self._reasoning, *self._refusal, *(call["arguments"] for call in self._finished)))
        estimate = tokens(came)
        known = usage["output_tokens"]
        if known is None or (broken and known < estimate):
            usage = usage | {"output_tokens": estimate, "source": "estimated"}
        if usage["input_tokens"] is None:
            usage = usage | {"input_tokens": 0 if refused else self._ask.estimated_tokens, "source": "estimated"}
        return usage

    def _total(self) -> Usage | None:
        if self._usage is None or self._earlier is None:
            return self._usage or self._earlier
        total: dict[str, Any] = dict(self._usage)
        for name, number in self._earlier.items():
            if isinstance(number, int):
                total[name] = number + (total[name] or 0)
        return total  # type: ignore[return-value]


__all__ = ["Panel", "PanelEnd", "Price"]
