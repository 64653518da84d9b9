"""What a reader of the soak has of its stream, held against the plan event by event."""

from __future__ import annotations

from typing import Any

import msgspec
from soak_http import Wrong
from soak_plan import Panel, Stream

_decode = msgspec.json.Decoder().decode


class _Panel:
    """The text so far is the planned one's beginning, `length` characters of it."""

    def __init__(self, plan: Panel) -> None:
        self.plan = plan
        self.whole = plan.longest
        self.length = 0
        self.end: dict[str, Any] | None = None

    def more(self, text: str) -> None:
        if self.end is not None:
            raise Wrong(f"text of {self.plan.name} after its end")
        if not self.whole.startswith(text, self.length):
            raise Wrong(f"{self.plan.name}: {text!r} in the place of {self.whole[self.length :][: len(text)]!r}")
        self.length += len(text)

    def ended(self, event: dict[str, Any]) -> None:
        if self.end is not None:
            raise Wrong(f"{self.plan.name} has two terminal events")
        self.end = event
        if event["content"] != self.whole[: self.length]:
            raise Wrong(f"{self.plan.name}: its content is not the text of its deltas")

    def check(self, may_be_cancelled: bool) -> tuple[str, str]:
        """Its fault, and how it ended. Raises Wrong where that is not how it had to."""
        if self.end is None:
            raise Wrong(f"{self.plan.name} has no terminal event")
        ending = str(self.end["status"] if self.end["event"] == "panel_final" else self.end["code"])
        if ending == "cancelled" and may_be_cancelled:
            return self.plan.fault, ending
        if ending != self.plan.ending:
            why = self.end.get("error", "")
            raise Wrong(f"{self.plan.name} ({self.plan.fault}) ended as {ending}, not {self.plan.ending}: {why}")
        if not self.plan.is_whole(self.end["content"]):
            missing = len(self.plan.text) - len(self.end["content"])
            raise Wrong(f"{self.plan.name} ({self.plan.fault}) ended as {ending} with {missing} characters missing")
        return self.plan.fault, ending


class Record:
    """All that came of one stream, over however many connections."""

    def __init__(self, stream: Stream) -> None:
        self.last = 0
        """The number of the last event."""
        self.over = False
        self.data: list[bytes] | None = []
        """The events as they came; None if a snapshot stood for some of them."""
        self._panels = {plan.name: _Panel(plan) for plan in stream.panels}

    def add(self, number: int, data: bytes) -> None:
        """The next event. Raises Wrong."""
        event = _decode(data)
        kind = event["event"]
        if self.over:
            raise Wrong(f"{kind} after the end of the stream")
        if kind == "stream_snapshot":
            self._leap(number, event)
            return
        if number != self.last + 1:
            raise Wrong(f"event {number} after {self.last}")
        self.last = number
        if self.data is not None:
            self.data.append(data)
        if kind == "panel_delta":
            self._panels[event["panel_id"]].more(event["delta"])
        elif kind in ("panel_final", "panel_error"):
            self._panels[event["panel_id"]].ended(event)
            self.over = len(self._panels) == 1
        elif kind == "batch_final":
            self.over = True
        elif kind == "panel_retry" and event["reason"] == "retry":
            pass  # any panel may wait and try again before its first text
        elif kind != "panel_tool_call" or self._panels[event["panel_id"]].plan.fault != "endless arguments":
            raise Wrong(f"the plan has no {kind}")

    def check(self, may_be_cancelled: bool = False) -> list[tuple[str, str]]:
        """Of each panel its fault, and how it ended. Raises Wrong."""
        if not self.over:
            raise Wrong(f"the body ended after event {self.last}, without a terminal event")
        return [panel.check(may_be_cancelled) for panel in self._panels.values()]

    def _leap(self, number: int, snapshot: dict[str, Any]) -> None:
        # It may be older than what was read: readers who come while a snapshot is being sent share it. Whoever asks for
        # one begins again with it, and then receives all events after it.
        older = number < self.last
        for state in snapshot["panels"]:
            panel = self._panels[state["panel_id"]]
            begun, end = panel.whole[: panel.length], panel.end
            if not older and not state["content"].startswith(begun):
                raise Wrong(f"{panel.plan.name}: the snapshot lacks what was read before")
            panel.length, panel.end = 0, None
            panel.more(state["content"])
            if state["end"] is not None:
                panel.ended(state["end"])
            if not older and end is not None and end != state["end"]:
                raise Wrong(f"{panel.plan.name}: the snapshot has another end")
        ended = all(panel.end is not None for panel in self._panels.values())
        self.over = ended and (len(self._panels) == 1 or snapshot["batch"] is not None)
        self.last, self.data = number, None
