"""How a panel ended, in our words: what every adapter puts beside the client's own, because those say less."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from ..events import ErrorCode, PanelEnd, Privacy, Status, Timing, Usage


class Outcome(TypedDict):
    """The terminal event of a panel without its content."""

    panel_id: str
    status: Status | Literal["error"]
    code: ErrorCode | None
    """Of an error."""
    error: str | None
    """Of an error; safe to show in a browser."""
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


def outcome(end: PanelEnd) -> Outcome:
    """What a terminal event says."""
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


def interrupted(panel_id: str) -> Outcome:
    """Of a panel whose events ran out before the terminal one."""
    return {
        "panel_id": panel_id,
        "status": "error",
        "code": "interrupted",
        "error": "the stream ended before its last event",
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


def outcome_summary(truths: list[Outcome]) -> dict[str, object]:
    """Of a whole reply: the status that all its panels have, or `mixed`, and each of them."""
    statuses = {found["status"] for found in truths}
    return {"status": statuses.pop() if len(statuses) == 1 else "mixed" if statuses else "error", "panels": truths}
