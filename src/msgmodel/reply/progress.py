"""What a panel waits for, as `panel_progress` events. Pure: the time is passed in.

Rule: only a panel that was asked for progress pays for it. Its exchange is a `WatchedExchange`, which notes the times
that a phase is made of; `_progress_streams` asks it for an event after each second without one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..events import PanelEvent, PanelProgress, ProgressPhase
from ..question.token_estimate import estimate_tokens
from ..question.transport import HttpRequest
from .exchange import Exchange
from .reply_state import LatestKind

SILENT_SECONDS = 3.0
"""After so many seconds without a byte, the phase is `silent`. Most servers that have nothing to say send pings."""

_PHASES: Mapping[LatestKind | None, ProgressPhase] = {
    "reasoning": "thinking",
    "text": "text",
    "tool_call": "tool",
    None: "prompt",
}


class WaitSituation(NamedTuple):
    """All that decides which phase a panel is in. The times are in seconds, of one clock."""

    now: float
    requested_at: float | None = None
    """When the request was made; None before the first one."""
    seconds_to_pause: float = 0.0
    """The pause before it is sent."""
    responded_at: float | None = None
    """When its response began; None before that."""
    last_byte_at: float | None = None
    progressed: bool = False
    """Whether the response has brought a part of the reply."""
    latest: LatestKind | None = None
    """The kind of the latest part."""
    runs_tool: bool = False
    """Whether a tool of the provider has begun and not ended."""
    latest_since: float | None = None
    """When parts of that kind began to arrive."""
    percent: float | None = None
    """How much of the prompt was read."""
    reasoning_tokens: int | None = None
    text_tokens: int = 0
    """The estimated tokens of the text since it began to arrive."""


def describe_progress(situation: WaitSituation) -> dict[str, Any]:
    """Return the phase and its fields: those of a `panel_progress` event besides `event` and `panel_id`."""
    now, requested_at, responded_at = situation.now, situation.requested_at, situation.responded_at
    if requested_at is None:
        return {"phase": "queued", "seconds": 0.0}
    if now < requested_at + situation.seconds_to_pause:
        return {"phase": "queued", "seconds": now - requested_at}
    if responded_at is None:
        return {"phase": "connecting", "seconds": now - requested_at - situation.seconds_to_pause}
    last_byte_at = responded_at if situation.last_byte_at is None else situation.last_byte_at
    if now - last_byte_at >= SILENT_SECONDS:
        return {"phase": "silent", "seconds": now - last_byte_at}
    if not situation.progressed:
        percent = {} if situation.percent is None else {"percent": situation.percent}
        return {"phase": "prompt", "seconds": now - responded_at} | percent
    phase: ProgressPhase = "tool" if situation.runs_tool else _PHASES[situation.latest]
    seconds = now - (responded_at if situation.latest_since is None else situation.latest_since)
    progress: dict[str, Any] = {"phase": phase, "seconds": seconds}
    if phase == "thinking" and situation.reasoning_tokens is not None:
        progress["tokens"] = situation.reasoning_tokens
    if phase == "text" and seconds > 0:
        progress["tokens_per_second"] = situation.text_tokens / seconds
    return progress


class WatchedExchange(Exchange):
    """An exchange that can say at any time what it waits for. Another thread may ask it."""

    __slots__ = (
        *("_id", "_now", "_requested_at", "_responded_at", "_last_byte_at"),
        *("_latest", "_latest_since", "_runs", "_text_tokens", "_last_shown", "_left_over"),
    )

    def __init__(self, *arguments: Any, panel_id: str, now: Callable[[], float], **options: Any) -> None:
        """Begin a panel with the arguments of `Exchange`."""
        super().__init__(*arguments, panel_id=panel_id, now=now, **options)
        self._id, self._now = panel_id, now
        self._requested_at: float | None = None
        self._responded_at: float | None = None
        self._last_byte_at: float | None = None
        self._latest: LatestKind | None = None
        self._latest_since: float | None = None
        self._runs: set[str] = set()
        self._text_tokens = 0
        self._last_shown: PanelEvent | None = None
        self._left_over: list[PanelEvent] | None = None

    def next_request(self) -> HttpRequest | None:
        self._responded_at = self._last_byte_at = None
        self._requested_at = self._now()
        self._note_kind(None)
        self._runs.clear()
        return super().next_request()

    def response_started(self, status: int, headers: Mapping[str, str]) -> None:
        self._responded_at = self._now()
        super().response_started(status, headers)

    def feed(self, chunk: bytes) -> Iterable[PanelEvent]:
        self._last_byte_at = self._now()
        return super().feed(chunk)

    def note_shown(self, event: PanelEvent) -> None:
        """The caller receives this event."""
        self._last_shown = event
        if event["event"] == "panel_tool_run":
            if event["status"] == "started":
                self._runs.add(event["id"])
            else:
                self._runs.discard(event["id"])
        self._note_kind(self._panel.latest)
        if event["event"] == "panel_delta":
            self._text_tokens += estimate_tokens(event["delta"])

    def _note_kind(self, latest: LatestKind | None) -> None:
        if latest != self._latest:
            self._latest, self._latest_since, self._text_tokens = latest, self._now(), 0

    def progress_event(self) -> PanelProgress:
        """Return what the panel waits for now."""
        self._note_kind(self._panel.latest)  # a call makes no event before it is complete
        situation = WaitSituation(
            now=self._now(),
            requested_at=self._requested_at,
            seconds_to_pause=self.seconds_to_pause,
            responded_at=self._responded_at,
            last_byte_at=self._last_byte_at,
            progressed=self.clock.progressed,
            latest=self._latest,
            runs_tool=bool(self._runs),
            latest_since=self._latest_since,
            percent=self._panel.prompt_percent,
            reasoning_tokens=self._panel.reasoning_tokens,
            text_tokens=self._text_tokens,
        )
        progress: Any = {"event": "panel_progress", "panel_id": self._id, **describe_progress(situation)}
        return progress  # type: ignore[no-any-return]

    def leave_unshown(self, events: Sequence[PanelEvent]) -> None:
        """The stream was left: what it had ready comes before the terminal events, and those shown do not come again.

        Without this, the text so far would hold a piece that no event has shown.
        """
        self._left_over = [*events]

    def terminal_events(self) -> Sequence[PanelEvent]:
        events = super().terminal_events()
        if self._left_over is None:
            return events
        missing = [*(each for each in self._left_over if not any(each is other for other in events)), *events]
        shown = next((number for number, each in enumerate(missing) if each is self._last_shown), -1)
        return missing[shown + 1 :]
