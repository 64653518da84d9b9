"""What the panels of one stream have said so far, and the grammar they are held to. Pure but for the clock.

Rule: whatever the application does, every panel ends in exactly one terminal event, and nothing comes after it.
"""

from __future__ import annotations

from collections.abc import Iterable
from time import monotonic
from typing import Any, Literal, TypedDict

from ..events import BatchEvent, BatchFinal, ErrorCode, PanelEnd, PanelError, Source, ToolCall
from ..many import batch_summary
from ..question.question import estimate_tokens


class PanelState(TypedDict):
    """One panel in a snapshot. `provider` and `model` are None until its terminal event names them."""

    panel_id: str
    content: str
    reasoning: str
    refusal: str
    tool_calls: list[ToolCall]
    sources: list[Source]
    provider: str | None
    model: str | None
    end: PanelEnd | None


class StreamSnapshot(TypedDict):
    """All that was said up to a position, in the place of the events before it."""

    event: Literal["stream_snapshot"]
    panel_id: None
    panels: list[PanelState]
    batch: BatchFinal | None
    """The summary, where all of several panels have ended."""


class _PanelTranscript:
    def __init__(self) -> None:
        self.text: list[str] = []
        self.reasoning: list[str] = []
        self.refusal: list[str] = []
        self.tool_calls: list[ToolCall] = []
        self.sources: list[Source] = []
        self.end: PanelEnd | None = None


class Transcript:
    """Takes the events of a stream in their order. `panel_ids`: the panels that are known beforehand."""

    def __init__(self, panel_ids: Iterable[str] = ()) -> None:
        self._begin = monotonic()
        self._batch: BatchFinal | None = None
        self._panels = {panel_id: _PanelTranscript() for panel_id in panel_ids}

    def open(self, event: BatchEvent) -> bool:
        """Whether the event may be handed on: none of a panel that has ended may."""
        if event["event"] == "batch_final":
            return True
        panel = self._panels.get(event["panel_id"])
        return panel is None or panel.end is None

    def add(self, event: BatchEvent) -> None:
        """The event was handed on. Raises TypeError for text that is none."""
        if event["event"] == "batch_final":
            self._batch = event
            return
        panel = self._panels.get(event["panel_id"])
        if panel is None:
            panel = self._panels[event["panel_id"]] = _PanelTranscript()
        if event["event"] == "panel_delta":
            panel.text.append(_text(event["delta"]))
        elif event["event"] != "panel_tool_delta":
            _take(panel, event)

    def missing(self, code: ErrorCode, message: str) -> list[PanelError]:
        """The terminal events of the panels that have none; of one without a name where no panel is known."""
        if not self._panels:
            self._panels[""] = _PanelTranscript()
        ends = []
        for panel_id, panel in self._panels.items():
            if panel.end is None:
                panel.end = self._error(panel_id, panel, code, message)
                ends.append(panel.end)
        return ends

    @property
    def ended(self) -> bool:
        """Whether every panel has its terminal event."""
        return bool(self._panels) and all(panel.end is not None for panel in self._panels.values())

    def snapshot(self) -> StreamSnapshot:
        """What was said so far."""
        return {
            "event": "stream_snapshot",
            "panel_id": None,
            "panels": [
                {
                    "panel_id": panel_id,
                    "content": "".join(panel.text),
                    "reasoning": "".join(panel.reasoning),
                    "refusal": "".join(panel.refusal),
                    "tool_calls": panel.tool_calls,
                    "sources": panel.sources,
                    "provider": panel.end["provider"] if panel.end else None,
                    "model": panel.end["model"] if panel.end else None,
                    "end": panel.end,
                }
                for panel_id, panel in self._panels.items()
            ],
            "batch": self._batch,
        }

    def summary(self) -> BatchFinal:
        """The summary of panels that have all ended."""
        ends = [(panel_id, panel.end) for panel_id, panel in self._panels.items() if panel.end is not None]
        return batch_summary(ends, monotonic() - self._begin)

    def _error(self, panel_id: str, panel: _PanelTranscript, code: ErrorCode, message: str) -> PanelError:
        content = "".join(panel.text)
        said = "".join((content, *panel.reasoning, *panel.refusal))
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
                "output_tokens": estimate_tokens(said),
                "reasoning_tokens": None,
                "cached_tokens": None,
                "cache_write_tokens": None,
                "source": "estimated",
            },
            "cost": None,
            "timing": {"first_delta_seconds": None, "total_seconds": monotonic() - self._begin, "attempts": 1},
            "request_id": None,
            "message": {"role": "assistant", "content": content, "partial": True},
        }
        if panel.reasoning:
            error["reasoning"] = "".join(panel.reasoning)
        if panel.refusal:
            error["refusal"] = "".join(panel.refusal)
        if panel.tool_calls:
            error["tool_calls"] = panel.tool_calls
        if panel.sources:
            error["sources"] = panel.sources
        return error


def _take(panel: _PanelTranscript, event: Any) -> None:
    kind = event["event"]
    if kind == "panel_final" or kind == "panel_error":
        panel.end = event
    elif kind == "panel_reasoning":
        panel.reasoning.append(_text(event["delta"]))
    elif kind == "panel_refusal":
        panel.refusal.append(_text(event["delta"]))
    elif kind == "panel_tool_call":
        panel.tool_calls.append({key: value for key, value in event.items() if key not in _ADDRESS})  # type: ignore[arg-type]
    elif kind == "panel_source":
        panel.sources.append({key: value for key, value in event.items() if key not in _ADDRESS})  # type: ignore[arg-type]
    elif kind == "panel_retry" and event["reason"] == "fallback":
        panel.reasoning.clear()  # it was another model's


def _text(delta: object) -> str:
    if not isinstance(delta, str):
        raise TypeError("a delta is not a string")
    return delta


_ADDRESS = ("event", "panel_id")
