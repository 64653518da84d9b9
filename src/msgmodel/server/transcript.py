"""The contents of the panels of one stream, and the grammar that their events must follow. Pure but for the clock.

Rule: whatever the application does, every panel ends in exactly one terminal event, and no event follows it.
"""

from __future__ import annotations

from collections.abc import Iterable
from time import monotonic
from typing import Any, Literal, NamedTuple, NotRequired, TypedDict

from ..events import (
    BatchEvent,
    BatchFinal,
    ErrorCode,
    PanelEnd,
    PanelError,
    PanelItem,
    PanelObject,
    PanelPart,
    PanelRetry,
    PanelRound,
    PanelToolProgress,
    PanelToolResult,
    Receipt,
    Source,
    ToolCall,
    ToolResult,
    ToolRun,
)
from ..many import batch_summary
from ..messages import Part
from ..question.token_estimate import estimate_tokens_of


class ToolProgress(TypedDict):
    """What a function in a run of tools has said. It is left out as soon as its call has ended."""

    id: str
    name: str
    text: str


class PanelState(TypedDict):
    """One panel in a snapshot. `provider` and `model` are None until its terminal event names them."""

    panel_id: str
    content: str
    reasoning: str
    refusal: str
    tool_calls: list[ToolCall]
    sources: list[Source]
    parts: list[PanelPart]
    """The parts that are not text, each as its latest event."""
    tool_runs: list[ToolRun]
    provider: str | None
    model: str | None
    end: PanelEnd | None
    object: NotRequired[PanelObject]
    """Only with `output`: the value so far, as its latest event."""
    items: NotRequired[list[PanelItem]]
    """Only with `output`: the elements of the list so far, as their events."""
    tool_results: NotRequired[list[ToolResult]]
    """Only in a run of tools: the ends of the calls so far."""
    tool_progress: NotRequired[list[ToolProgress]]
    """Only in a run of tools: what the functions say that still run."""
    round: NotRequired[int]
    """Only in a run of tools, from its second request on: the number of the request."""


class StreamSnapshot(TypedDict):
    """The contents up to a position. It replaces all events before that position."""

    event: Literal["stream_snapshot"]
    panel_id: None
    panels: list[PanelState]
    batch: BatchFinal | None
    """The summary, if all of several panels have ended."""


class _SaidByTool(NamedTuple):
    name: str
    pieces: list[str]


class _PanelTranscript:
    def __init__(self) -> None:
        self.text: list[str] = []
        self.reasoning: list[str] = []
        self.refusal: list[str] = []
        self.tool_calls: list[ToolCall] = []
        self.sources: list[Source] = []
        self.parts: dict[str, PanelPart] = {}
        self.tool_runs: dict[str, ToolRun] = {}
        self.object: PanelObject | None = None
        self.items: list[PanelItem] = []
        self.tool_results: list[ToolResult] = []
        self.tool_progress: dict[str, _SaidByTool] = {}
        self.round: int | None = None
        self.end: PanelEnd | None = None


class Transcript:
    """Collects the events of a stream in their order.

    Args:
        panel_ids: The panels that are known from the start. Others are added by their first event.
    """

    def __init__(self, panel_ids: Iterable[str] = ()) -> None:
        self._begin = monotonic()
        self._batch: BatchFinal | None = None
        self._panels = {panel_id: _PanelTranscript() for panel_id in panel_ids}

    def is_open(self, event: BatchEvent) -> bool:
        """Return whether the event may be sent: its panel has not ended."""
        if event["event"] == "batch_final":
            return True
        panel = self._panels.get(event["panel_id"])
        return panel is None or panel.end is None

    def add_event(self, event: BatchEvent) -> None:
        """Add an event that was sent. Raise TypeError if its text is not a string."""
        if event["event"] == "batch_final":
            self._batch = event
            return
        panel = self._panels.get(event["panel_id"])
        if panel is None:
            panel = self._panels[event["panel_id"]] = _PanelTranscript()
        if event["event"] == "panel_delta":
            panel.text.append(_checked_text(event["delta"]))
        elif event["event"] not in ("panel_tool_delta", "panel_part_delta"):
            _take_event(panel, event)

    def missing_ends(self, code: ErrorCode, message: str) -> list[PanelError]:
        """Add the terminal events of the panels that have none, and return them.

        If no panel is known, the event belongs to a panel without a name.

        Args:
            code: The error code of the events.
            message: Their error text.
        """
        if not self._panels:
            self._panels[""] = _PanelTranscript()
        ends = []
        for panel_id, panel in self._panels.items():
            if panel.end is None:
                panel.end = self._terminal_error(panel_id, panel, code, message)
                ends.append(panel.end)
        return ends

    @property
    def all_ended(self) -> bool:
        """Whether every panel has its terminal event, and there is at least one panel."""
        return bool(self._panels) and all(panel.end is not None for panel in self._panels.values())

    def make_snapshot(self) -> StreamSnapshot:
        """Return the contents so far as one event."""
        return {
            "event": "stream_snapshot",
            "panel_id": None,
            "panels": [_panel_state(panel_id, panel) for panel_id, panel in self._panels.items()],
            "batch": self._batch,
        }

    def make_summary(self) -> BatchFinal:
        """Return the summary. All panels must have ended."""
        ends = [(panel_id, panel.end) for panel_id, panel in self._panels.items() if panel.end is not None]
        return batch_summary(ends, monotonic() - self._begin)

    def _terminal_error(self, panel_id: str, panel: _PanelTranscript, code: ErrorCode, message: str) -> PanelError:
        content = "".join(panel.text)
        error: PanelError = {
            "event": "panel_error",
            "panel_id": panel_id,
            "error": message,
            "error_type": "StreamingError",
            "code": code,
            "content": content,
            "provider": "",
            "wire": "",
            "model": "",
            "status_code": None,
            "retryable": code == "interrupted",
            "retry_after": None,
            "usage": {
                "input_tokens": None,
                "output_tokens": estimate_tokens_of((content, *panel.reasoning, *panel.refusal)),
                "reasoning_tokens": None,
                "cached_tokens": None,
                "cache_write_tokens": None,
                "source": "estimated",
            },
            "cost": None,
            "cost_source": None,
            "timing": {"first_delta_seconds": None, "total_seconds": monotonic() - self._begin, "attempts": 1},
            "request_id": None,
            "message": {"role": "assistant", "content": _message_content(content, panel), "partial": True},
            "untold": [],
            "receipt": _NO_RECEIPT,
            "warnings": [],
        }
        if panel.reasoning:
            error["reasoning"] = "".join(panel.reasoning)
        if panel.refusal:
            error["refusal"] = "".join(panel.refusal)
        if panel.tool_calls:
            error["tool_calls"] = panel.tool_calls
        if panel.sources:
            error["sources"] = panel.sources
        if panel.tool_runs:
            error["tool_runs"] = [*panel.tool_runs.values()]
        if panel.object is not None:
            error["object"], error["partial"] = None, panel.object["value"]
        return error


def _panel_state(panel_id: str, panel: _PanelTranscript) -> PanelState:
    state: PanelState = {
        "panel_id": panel_id,
        "content": "".join(panel.text),
        "reasoning": "".join(panel.reasoning),
        "refusal": "".join(panel.refusal),
        "tool_calls": panel.tool_calls,
        "sources": panel.sources,
        "parts": [*panel.parts.values()],
        "tool_runs": [*panel.tool_runs.values()],
        "provider": panel.end["provider"] if panel.end else None,
        "model": panel.end["model"] if panel.end else None,
        "end": panel.end,
    }
    if panel.object is not None:
        state["object"] = panel.object
    if panel.items:
        state["items"] = panel.items
    if panel.tool_results:
        state["tool_results"] = panel.tool_results
    if panel.tool_progress:
        state["tool_progress"] = [
            {"id": id, "name": said.name, "text": "".join(said.pieces)} for id, said in panel.tool_progress.items()
        ]
    if panel.round is not None:
        state["round"] = panel.round
    return state


def _message_content(text: str, panel: _PanelTranscript) -> str | list[Part]:
    """Return what arrived as the content of a message: the text, and the parts that arrived complete."""
    media = [part for part in panel.parts.values() if part["complete"]]
    if not media:
        return text
    content: list[Any] = [{"type": "text", "text": text}] if text else []
    for part in media:
        fields = {key: value for key, value in part.items() if key not in ("event", "panel_id", "size", "complete")}
        content.append({"type": "media", **fields})
    return content


def _take_event(panel: _PanelTranscript, event: Any) -> None:
    kind = event["event"]
    if kind == "panel_final" or kind == "panel_error":
        panel.end = event
    elif kind == "panel_reasoning":
        panel.reasoning.append(_checked_text(event["delta"]))
    elif kind == "panel_refusal":
        panel.refusal.append(_checked_text(event["delta"]))
    elif kind == "panel_tool_call":
        panel.tool_calls.append({key: value for key, value in event.items() if key not in _ADDRESS_FIELDS})  # type: ignore[arg-type]
    elif kind == "panel_source":
        panel.sources.append({key: value for key, value in event.items() if key not in _ADDRESS_FIELDS})  # type: ignore[arg-type]
    elif kind == "panel_part":
        panel.parts[event["id"]] = event
    elif kind == "panel_tool_run":
        panel.tool_runs[event["id"]] = {key: value for key, value in event.items() if key not in _ADDRESS_FIELDS}  # type: ignore[assignment]
    elif kind == "panel_object":
        panel.object = event
    elif kind == "panel_item":
        panel.items.append(event)
    elif kind in ("panel_tool_progress", "panel_tool_result", "panel_round"):
        _take_run_event(panel, event)
    elif kind == "panel_retry":
        _take_retry(panel, event)


def _take_run_event(panel: _PanelTranscript, event: PanelToolProgress | PanelToolResult | PanelRound) -> None:
    if event["event"] == "panel_round":
        panel.round = event["round"]
    elif event["event"] == "panel_tool_progress":
        said = panel.tool_progress.setdefault(event["id"], _SaidByTool(event["name"], []))
        said.pieces.append(_checked_text(event["delta"]))
    else:
        panel.tool_progress.pop(event["id"], None)
        panel.tool_results.append({key: value for key, value in event.items() if key not in _ADDRESS_FIELDS})  # type: ignore[arg-type]


def _take_retry(panel: _PanelTranscript, event: PanelRetry) -> None:
    if event["reason"] == "fallback":
        panel.reasoning.clear()  # it came from another model
    elif event["reason"] == "repair":
        panel.object, panel.items = None, []  # the next answer begins another value; the text stays in `content`


def _checked_text(delta: object) -> str:
    if not isinstance(delta, str):
        raise TypeError("a delta is not a string")
    return delta


_ADDRESS_FIELDS = ("event", "panel_id")
_NO_RECEIPT: Receipt = {
    "provider_asked": "",
    "provider_served": None,
    "model_asked": "",
    "model_served": "",
    "service_tier_asked": None,
    "service_tier": None,
    "host": "",
    "fields": [],
    "requests": [],
    "estimated_input_tokens": None,
    "input_tokens": None,
    "stated_cost": None,
}
"""The receipt of a panel whose application broke off."""
