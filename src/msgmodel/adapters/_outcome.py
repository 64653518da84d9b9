"""How a panel ended, in our words. Every adapter sends it beside the client's own words, because those say less."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from ..events import (
    CostSource,
    ErrorCode,
    OutputError,
    PanelEnd,
    PanelToolCall,
    Privacy,
    ReplyWarning,
    Status,
    Timing,
    ToolCall,
    Usage,
)
from ..messages import JSON

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
    truncated_by: NotRequired[Literal["rounds", "budget"]]
    """Only if that ended the reply, not the provider's limit."""
    provider: str | None
    model: str | None
    request_id: str | None
    usage: Usage | None
    cost: float | None
    cost_source: CostSource
    timing: Timing | None
    privacy: NotRequired[Privacy]
    empty: NotRequired[Literal[True]]
    """Set if nothing but reasoning arrived."""
    untold: NotRequired[list[str]]
    """The kinds of what the reply held and no event shows, if there are any."""
    warnings: NotRequired[list[ReplyWarning]]
    """What differs from what was asked for, if anything does."""
    object: NotRequired[JSON]
    """Only with `output`: the value, if the reply is complete and has the format; else None."""
    errors: NotRequired[list[OutputError]]
    """Only with `output`: why the reply does not have the format."""
    dropped_calls: NotRequired[list[ToolCall]]
    """Complete calls that the client did not receive, because it asked for one at a time."""
    waiting_calls: NotRequired[list[ToolCall]]
    """Calls that are not functions, and that this protocol has no word for: the reply waits for their results."""


def is_function(call: ToolCall | PanelToolCall) -> bool:
    """Return whether a call is one of a function. A client that knows no other kinds would run any other as one."""
    return call.get("kind", "function") == "function"


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
        "cost_source": end["cost_source"],
        "timing": end["timing"],
    }
    if untold := end.get("untold"):
        found["untold"] = untold
    if warnings := end.get("warnings"):
        found["warnings"] = warnings
    if "empty" in end:
        found["empty"] = True
    if "object" in end:
        found["object"] = end["object"]
    if errors := end.get("errors"):
        found["errors"] = errors
    if calls := [call for call in end.get("tool_calls", ()) if call["complete"] and not is_function(call)]:
        found["waiting_calls"] = calls
    if end["event"] == "panel_error":
        found["code"], found["error"] = end["code"], end["error"]
        return found
    found["status"], found["finish_reason"] = end["status"], end["finish_reason"]
    found["truncated"], found["truncated_in"] = end["truncated"], end["truncated_in"]
    found["privacy"] = end["privacy"]
    if "truncated_by" in end:
        found["truncated_by"] = end["truncated_by"]
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
        "cost_source": None,
        "timing": None,
    }


def summarize_outcomes(outcomes: list[Outcome]) -> dict[str, object]:
    """Return the outcome of a reply: the status that all its panels share, or `mixed`, and the outcome of each."""
    statuses = {found["status"] for found in outcomes}
    return {"status": statuses.pop() if len(statuses) == 1 else "mixed" if statuses else "error", "panels": outcomes}
