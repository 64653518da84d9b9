"""Deltas to events. The grammar `event* (final | error)` lives here and only here. Pure: the clock is handed in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NotRequired, TypedDict

from ._deltas import (
    Cited,
    Delta,
    Failure,
    Finish,
    Reasoning,
    Refusal,
    Started,
    Text,
    ToolEnd,
    ToolFragment,
    Used,
)
from ._json import loads
from .events import JSON, PanelError, PanelEvent, PanelFinal, Privacy, Source, Timing, ToolCall, Usage


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
    model: str
    usage: Usage | None
    timing: Timing
    request_id: str | None
    reasoning: NotRequired[str]
    refusal: NotRequired[str]
    tool_calls: NotRequired[list[ToolCall]]
    sources: NotRequired[list[Source]]


class Panel:
    """Takes the deltas of one reply, over all the requests that it took; returns the events to hand on."""

    def __init__(self, panel_id: str, provider: str, model: str, privacy: Privacy, clock: Callable[[], float]) -> None:
        self.started = False
        """Whether an event was handed on: from then on nothing may be asked again."""
        self.attempts = 0
        self._id = panel_id
        self._provider = provider
        self._model = model
        self._request_id: str | None = None
        self._privacy = privacy
        self._clock = clock
        self._begin = clock()
        self._first: float | None = None
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._refusal: list[str] = []
        self._calls: dict[str, _Call] = {}
        self._finished: list[ToolCall] = []
        self._sources: list[Source] = []
        self._cited: set[tuple[object, ...]] = set()
        self._usage: Usage | None = None
        self._earlier: Usage | None = None

    def add(self, delta: Delta) -> Sequence[PanelEvent]:
        """The events that a delta makes; none after the terminal one."""
        if isinstance(delta, Text):
            self._text.append(delta.text)
            self._note()
            return ({"event": "panel_delta", "panel_id": self._id, "delta": delta.text},)
        if isinstance(delta, Reasoning):
            self._reasoning.append(delta.text)
            self._note()
            return ({"event": "panel_reasoning", "panel_id": self._id, "delta": delta.text},)
        if isinstance(delta, Refusal):
            self._refusal.append(delta.text)
            self._note()
            return ({"event": "panel_refusal", "panel_id": self._id, "delta": delta.text},)
        if isinstance(delta, ToolFragment):
            call = self._calls.setdefault(delta.key, _Call())
            call.id = call.id or delta.id
            call.name = call.name or delta.name
            if delta.arguments:
                call.arguments.append(delta.arguments)
            return ()
        if isinstance(delta, ToolEnd):
            return self._close(delta)
        if isinstance(delta, Cited):
            mark = tuple(delta.source.values())
            if mark in self._cited:
                return ()
            self._cited.add(mark)
            self._sources.append(delta.source)
            self._note()
            return ({"event": "panel_source", "panel_id": self._id, **delta.source},)
        if isinstance(delta, Used):
            self._usage = delta.usage
            return ()
        if isinstance(delta, Started):
            self._model = delta.model or self._model
            self._request_id = delta.request_id or self._request_id
            return ()
        return self._final(delta) if isinstance(delta, Finish) else self._error(delta)

    def go_on(self) -> None:
        """The reply goes on in another response, whose tool calls and usage count from nothing."""
        self._earlier, self._usage = self._total(), None
        self._calls = {f"{self.attempts}:{key}": call for key, call in self._calls.items()}

    def start_over(self) -> None:
        """The reply is asked for again: what came of it, none of which was handed on, does not count."""
        self._usage = None
        self._calls = {}

    def _note(self) -> None:
        self.started = True
        if self._first is None:
            self._first = self._clock() - self._begin

    def _close(self, end: ToolEnd) -> Sequence[PanelEvent]:
        call = self._calls.get(end.key)
        if call is None or call.done:
            return ()
        if end.arguments is not None:
            call.arguments = [end.arguments]
        return (self._called(call, True),)

    def _called(self, call: _Call, complete: bool) -> PanelEvent:
        call.done = True
        self._note()
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
        return {"event": "panel_tool_call", "panel_id": self._id, **tool_call}

    def _final(self, finish: Finish) -> Sequence[PanelEvent]:
        status = finish.status
        # A limit cuts the last call, so that one never looks executable; the ones before it had ended.
        calls = [call for call in self._calls.values() if not call.done]
        whole = status in ("complete", "tool_calls")
        events = [self._called(call, whole or call is not calls[-1]) for call in calls]
        if status == "complete" and self._refusal:
            status = "filtered"
        elif status == "complete" and self._finished:
            status = "tool_calls"  # Gemini, and others, say the same of a reply with calls as of any other
        final: PanelFinal = {
            "event": "panel_final",
            "panel_id": self._id,
            "privacy": self._privacy,
            "finish_reason": finish.reason,
            "status": status,
            "truncated": status == "truncated",
            **self._ending(),
        }
        return (*events, final)

    def _error(self, failure: Failure) -> Sequence[PanelEvent]:
        events = [self._called(call, False) for call in self._calls.values() if not call.done]
        ending = self._ending()
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

    def _ending(self) -> _Ending:
        ending: _Ending = {
            "content": "".join(self._text),
            "provider": self._provider,
            "model": self._model,
            "usage": self._total(),
            "timing": {
                "first_delta_seconds": self._first,
                "total_seconds": self._clock() - self._begin,
                "attempts": self.attempts,
            },
            "request_id": self._request_id,
        }
        if self._reasoning:
            ending["reasoning"] = "".join(self._reasoning)
        if self._refusal:
            ending["refusal"] = "".join(self._refusal)
        if self._finished:
            ending["tool_calls"] = self._finished
        if self._sources:
            ending["sources"] = self._sources
        return ending

    def _total(self) -> Usage | None:
        if self._usage is None or self._earlier is None:
            return self._usage or self._earlier
        total: dict[str, Any] = dict(self._usage)
        for name, number in self._earlier.items():
            if isinstance(number, int):
                total[name] = number + (total[name] or 0)
        return total  # type: ignore[return-value]
