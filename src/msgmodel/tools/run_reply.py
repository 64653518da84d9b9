"""The reply of a run of tools, made of the replies of its rounds. Pure.

Rule: the text of all `panel_delta` events joined is the `content` of the terminal event, as for one reply. Texts of two
rounds have a blank line between them, and places in the text count from the start of the run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from ..events import ErrorCode, PanelDelta, PanelEnd, PanelError, PanelFinal, PanelSource, Segment, Source, Usage
from ..reply.usage_ledger import sum_usage

_BLANK_LINE = "\n\n"


class RunReply:
    """What the rounds of a run have brought.

    Args:
        now: Returns the time in seconds.
        spent: The usage and the cost of the rounds before a reload; None for a new run.

    Attributes:
        last: The terminal event of the last round; None before it.
        usage: The tokens of all rounds; None before the first has ended.
        cost: US dollars for all rounds; None if the price of one is unknown.
    """

    def __init__(self, now: Callable[[], float], last: PanelEnd | None = None, spent: Any = None) -> None:
        self.last = last
        self.usage: Usage | None = spent and spent["usage"]
        self.cost: float | None = spent and spent["cost"]
        self._now = now
        self._began = now()
        self._first_delta: float | None = None
        self._pieces: list[str] = []
        self._characters = 0
        self._before_round = 0
        """Characters of the rounds before this one, with the blank line after them."""
        self._attempts = 0
        self._joined: dict[str, list[Any]] = {
            "sources": [],
            "tool_runs": [],
            "warnings": [],
            "untold": [],
            "requests": [],
        }
        self._reasoning: list[str] = []
        self._segments: list[Segment] = []
        self._rounds = 0

    def begin_round(self) -> None:
        """Note that another reply begins."""
        self._before_round = self._characters

    def add_text(self, event: PanelDelta) -> PanelDelta:
        """Keep a piece of text. Return its event, with a blank line before it if it follows another round."""
        if self._first_delta is None:
            self._first_delta = self._now() - self._began
        text = event["delta"]
        is_joint = text and self._characters and self._characters == self._before_round
        if is_joint and not self._pieces[-1].endswith("\n"):
            text = _BLANK_LINE + text
            event = {**event, "delta": text}
            self._before_round += len(_BLANK_LINE)
        self._pieces.append(text)
        self._characters += len(text)
        return event

    def place_source(self, event: PanelSource) -> PanelSource:
        """Return the event of a source with its place in the text of the run."""
        return cast(PanelSource, self._placed(cast(Source, event)))

    def end_round(self, end: PanelEnd) -> None:
        """Keep what the terminal event of a round says."""
        self.last = end
        self._rounds += 1
        self.cost = end["cost"] if self.usage is None else _sum_cost(self.cost, end["cost"])
        self.usage = end["usage"] if self.usage is None else sum_usage(self.usage, end["usage"])
        self._attempts += end["timing"]["attempts"]
        self._joined["sources"] += [self._placed(source) for source in end.get("sources", ())]
        self._joined["tool_runs"] += end.get("tool_runs", ())
        self._joined["warnings"] += end["warnings"]
        self._joined["untold"] += [kind for kind in end["untold"] if kind not in self._joined["untold"]]
        self._joined["requests"] += end["receipt"]["requests"]
        if end.get("reasoning"):
            self._reasoning.append(end["reasoning"])
        self._segments += self._segments_of_round(end)

    def final_event(self, **changes: Any) -> PanelFinal:
        """Return the terminal event of a run whose last round ended well, with some fields changed."""
        assert self.last is not None
        assert self.last["event"] == "panel_final"
        return cast(PanelFinal, self._ending() | changes)

    def error_event(self, code: ErrorCode | None = None, words: str = "", **changes: Any) -> PanelError:
        """Return the terminal event of a run that broke: in its last round, or between two rounds.

        Args:
            code: The code of an error between two rounds; None if the last round has an error of its own.
            words: The words of that error.
            **changes: Fields to change.
        """
        assert self.last is not None
        event = self._ending() | changes
        if code is not None:
            for name in ("privacy", "finish_reason", "status", "truncated", "truncated_in", "empty", "object"):
                event.pop(name, None)
            event |= {"event": "panel_error", "error": words, "error_type": "StreamingError", "code": code}
            event |= {"status_code": None, "retryable": False, "retry_after": None}
        return cast(PanelError, event)

    def _ending(self) -> dict[str, Any]:
        """Return the terminal event of the last round with the fields of all rounds."""
        assert self.last is not None
        ending: dict[str, Any] = {**self.last}
        if not self._rounds:  # after a reload, that text is not part of this stream
            for name in ("sources", "segments", "reasoning", "tool_runs"):
                ending.pop(name, None)
        return ending | self._fields_of_run()

    def _fields_of_run(self) -> dict[str, Any]:
        assert self.last is not None
        receipt = {**self.last["receipt"], "requests": self._joined["requests"]}
        fields: dict[str, Any] = {
            "content": "".join(self._pieces),
            "usage": self.usage,
            "cost": self.cost,
            "timing": {
                "first_delta_seconds": self._first_delta,
                "total_seconds": self._now() - self._began,
                "attempts": self._attempts,
            },
            "warnings": self._joined["warnings"],
            "untold": self._joined["untold"],
            "receipt": receipt,
        }
        if self.cost is None:
            fields["cost_source"] = None
        if self._reasoning:
            fields["reasoning"] = _BLANK_LINE.join(self._reasoning)
        for name in ("sources", "tool_runs"):
            if self._joined[name]:
                fields[name] = self._joined[name]
        if self._rounds > 1:
            fields["segments"] = self._segments
        return fields

    def _placed(self, source: Source) -> Source:
        places = {name: source[name] + self._before_round for name in ("start", "end") if name in source}
        return cast(Source, {**source, **places})

    def _segments_of_round(self, end: PanelEnd) -> list[Segment]:
        """Return what the responses of a round brought. The first has the blank line before the round, too."""
        blank = self._characters - sum(segment["characters"] for segment in self._segments) - len(end["content"])
        segments = end.get("segments") or [
            Segment(
                provider=end["provider"],
                model=end["model"],
                characters=len(end["content"]),
                overlap=0,
                status=end["status"] if end["event"] == "panel_final" else end["code"],
                finish_reason=end["finish_reason"] if end["event"] == "panel_final" else None,
                request_id=end["request_id"],
                usage=end["usage"],
            )
        ]
        first: Segment = {**segments[0], "characters": segments[0]["characters"] + blank}
        return [first, *segments[1:]]


def _sum_cost(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other
