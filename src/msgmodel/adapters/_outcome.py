"""How a panel ended, in our words. Every adapter sends it beside the client's own words, because those say less."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from ..events import ErrorCode, PanelEnd, Privacy, Status, Timing, Usage

INTERRUPTED_MESSAGE = "the stream ended before its last event"


class Outcome(TypedDict):
    """The terminal event of a panel without its content."""

    panel_id: str
    status: Status | Literal["error"]
    code: ErrorCode | None
    """Only of an error."""
    error: str | None
    """Only of an error; safe to show in a browser."""
    finish_reason: str | None
    """The provider's own word."""
    truncated: bool
    truncated_in: Literal["reasoning", "text", "tool_call"] | None
    provider: str | None
    model: str | None
    request_id: str | None
    usage: Usage | None
    cost: float | None
    timing: Timing | None
    privacy: NotRequired[Privacy]


def read_outcome(end: PanelEnd) -> Outcome:
    """Return the outcome that a terminal event reports."""
    found: Outcome = {
        "panel_id": end["panel_id"],
        "status": "error",
        "code": None,
        "error": None,
        "finish_reason": None,
        "truncated": False,
        "truncated_in": None,
        "provider": end["provider"],
        "model": end["model"],
        "request_id": end["request_id"],
        "usage": end["usage"],
        "cost": end["cost"],
        "timing": end["timing"],
    }
    if end["event"] == "panel_error":
        found["code"], found["error"] = end["code"], end["error"]
        return found
    found["status"], found["finish_reason"] = end["status"], end["finish_reason"]
    found["truncated"], found["truncated_in"] = end["truncated"], end["truncated_in"]
    found["privacy"] = end["privacy"]
    return found


def interrupted_outcome(panel_id: str) -> Outcome:
    """Return the outcome of a panel whose events stopped before the terminal one."""
    return {
        "panel_id": panel_id,
        "status": "error",
        "code": "interrupted",
        "error": INTERRUPTED_MESSAGE,
        "finish_reason": None,
        "truncated": False,
        "truncated_in": None,
        "provider": None,
        "model": None,
        "request_id": None,
        "usage": None,
        "cost": None,
        "timing": None,
    }


def summarize_outcomes(outcomes: list[Outcome]) -> dict[str, object]:
    """Return the outcome of a reply: the status that all its panels share, or `mixed`, and the outcome of each."""
    statuses = {found["status"] for found in outcomes}
    return {"status": statuses.pop() if len(statuses) == 1 else "mixed" if statuses else "error", "panels": outcomes}
