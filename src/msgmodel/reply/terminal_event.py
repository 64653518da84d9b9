"""The terminal event of a panel, made of all that has arrived. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NotRequired, TypedDict

from ..events import (
    CostSource,
    PanelError,
    PanelEvent,
    PanelFinal,
    Receipt,
    ReplyDetails,
    ReplyWarning,
    RunRecord,
    Segment,
    Source,
    Status,
    Timing,
    ToolCall,
    ToolRun,
    Usage,
)
from ..messages import JSON, Message
from ..reply_facts import OutputError
from ..wires.deltas import DetailFound, Failure, Finish
from .receipt import build_receipt, find_warnings
from .reply_state import LatestKind, ReplyState
from .usage_ledger import UsageOfResponse


class _Ending(TypedDict):
    """What both terminal events have."""

    content: str
    provider: str
    wire: str
    model: str
    usage: Usage
    cost: float | None
    cost_source: CostSource
    timing: Timing
    request_id: str | None
    message: Message
    untold: list[str]
    receipt: Receipt
    warnings: list[ReplyWarning]
    reasoning: NotRequired[str]
    refusal: NotRequired[str]
    tool_calls: NotRequired[list[ToolCall]]
    sources: NotRequired[list[Source]]
    tool_runs: NotRequired[list[ToolRun]]
    details: NotRequired[ReplyDetails]
    segments: NotRequired[list[Segment]]
    run: NotRequired[RunRecord]  # a run of tools adds it
    object: NotRequired[JSON]
    partial: NotRequired[JSON]
    errors: NotRequired[list[OutputError]]


def final_events(reply: ReplyState, finish: Finish, *, is_listed: bool = False) -> Sequence[PanelEvent]:
    """Return the terminal event of a reply that ended by the rule of its wire, after the calls that it proves.

    Args:
        reply: What has arrived.
        finish: The verdict of the wire.
        is_listed: Whether the ledger has the last response already.
    """
    has_hole = reply.response.findings.has_hole
    ended_well = (finish.status in ("complete", "tool_calls") or finish.calls_are_whole) and not has_hole
    calls = [reply.call_event(*found) for found in reply.response.calls.finish_all(well=ended_well)]
    events = [*calls, *reply.flush_media()]
    _note_nameless_call(reply)
    status = _verdict(reply, finish.status)
    if reply.ledger.segments and not is_listed:
        reply.add_segment(status, finish.reason)
    spent, is_empty = reply.ledger.spent, reply.is_empty()
    final: PanelFinal = {
        "event": "panel_final",
        "panel_id": reply.panel_id,
        "privacy": reply.receiver.privacy,
        "finish_reason": finish.reason,
        "status": status,
        "truncated": status == "truncated",
        "truncated_in": _truncated_kind(reply) if status == "truncated" else None,
        **_ending(
            reply,
            spent if is_listed else [*spent, reply.usage_of_response(broken=finish.by_budget and not finish.reason)],
            partial=status not in ("complete", "tool_calls"),
        ),  # type: ignore[typeddict-item]  # `empty` is not among them
    }
    if is_empty:
        final["empty"] = True
    if reply.options.typed is not None:
        left, facts = reply.options.typed.end(is_complete=status == "complete")
        events += left
        final |= facts  # type: ignore[typeddict-item]
    if finish.by_budget and status == "truncated":
        final["truncated_by"] = "budget"
    return (*events, final)


def error_events(reply: ReplyState, failure: Failure) -> Sequence[PanelEvent]:
    """Return the terminal event of a reply that broke, after the calls that it cuts."""
    if failure.provider_served:
        reply.response.findings.add_fact("provider_served", failure.provider_served)
    if failure.failed_generation:
        reply.response.findings.add_detail(DetailFound("failed_generation", failure.failed_generation))
    events = [*(reply.call_event(*found) for found in reply.response.calls.cut_all()), *reply.flush_media()]
    _note_nameless_call(reply)
    if reply.ledger.segments:
        reply.add_segment(failure.code, None)
    used = reply.usage_of_response(broken=True, refused=was_refused(failure))
    ending = _ending(reply, [*reply.ledger.spent, used], partial=True)
    ending["request_id"] = failure.request_id or ending["request_id"]
    if reply.options.typed is not None:
        ending |= reply.options.typed.end(is_complete=False)[1]  # type: ignore[typeddict-item]
    error: PanelError = {
        "event": "panel_error",
        "panel_id": reply.panel_id,
        "error": failure.message,
        "error_type": "APIError" if failure.answered else "StreamingError",
        "code": failure.code,
        "status_code": failure.status_code,
        "retryable": failure.retryable,
        "retry_after": failure.retry_after,
        **ending,
    }
    return (*events, error)


def _note_nameless_call(reply: ReplyState) -> None:
    if reply.response.calls.any_nameless:
        reply.response.findings.add_untold("tool_call")


def was_refused(failure: Failure) -> bool:
    """Return whether the provider did not take the question at all."""
    return failure.answered and failure.status_code is not None


def _verdict(reply: ReplyState, status: Status) -> Status:
    """Return the status of a reply whose wire reports this one: what arrived may show more."""
    calls = reply.response.calls.finished
    if status in ("complete", "tool_calls") and reply.response.findings.has_hole:
        return "unknown"
    if status in ("complete", "tool_calls") and any(not call["complete"] for call in calls):
        return "truncated"  # the provider reported it of the call alone
    if status == "tool_calls":
        # Without a call there is nothing to run, and nothing that would answer an empty question.
        return "tool_calls" if calls else "unknown"
    if status != "complete":
        return status
    if reply.refusal.pieces:
        return "filtered"
    if calls:
        return "tool_calls"  # Gemini, and others, report the same for a reply with calls as for any other
    return "unknown" if reply.response.findings.untold and reply.is_empty() else "complete"


def _truncated_kind(reply: ReplyState) -> LatestKind:
    """Return what a limit cut. If nothing arrived, hidden reasoning took all the tokens, if it was counted."""
    response = reply.response
    if response.latest is not None:
        return response.latest
    return "reasoning" if response.usage and response.usage["reasoning_tokens"] else "text"


def _ending(reply: ReplyState, parts: Sequence[UsageOfResponse], *, partial: bool) -> _Ending:
    """Return what both terminal events have. `parts`: the usage of each response."""
    usage, cost, cost_source = reply.ledger.total(parts)
    others = [other._asdict() | {"model": other.model or part.model} for part in parts for other in part.others]
    receiver, response = reply.receiver, reply.response
    receipt = build_receipt(
        receiver.question,
        reply.requests,
        response.findings.facts,
        output=(reply.asked or receiver.question).output,
        model=receiver.model,
        usage=usage,
        stated_cost=cost if cost_source == "provider" else None,
    )
    again = reply.message(partial=partial) if reply.answered_again else None
    # The pieces are not needed any more: each text is taken as soon as it is joined, so that it is never in memory
    # more than twice.
    text, reasoning, refusal = reply.text.take(), receiver.reasoning.take(), reply.refusal.take()
    response.other_words = []
    warnings = dict(response.findings.warnings)
    for code, message in find_warnings(
        receiver.question,
        receipt,
        usage,
        content=text,
        reasoning_shown=bool(reasoning),
        calls=response.calls.finished,
        ended_well=not partial,
        responses=len(parts) + len(others),
        loses_text=reply.requests.loses_text,
    ):
        warnings.setdefault(code, message)
    ending: _Ending = {
        "content": text,
        "provider": receiver.question.provider,
        "wire": receiver.question.wire,
        "model": receiver.model,
        "usage": usage,
        "cost": cost,
        "cost_source": cost_source,
        "timing": reply.timer.timing(),
        "request_id": receiver.request_id,
        "message": again
        or response.turn.last_message({"text": text, "reasoning": reasoning, "refusal": refusal}, partial=partial),
        "untold": [*response.findings.untold],
        "receipt": receipt,
        "warnings": [{"code": code, "message": message} for code, message in warnings.items()],
    }
    optional: dict[str, Any] = {
        "reasoning": reasoning,
        "refusal": refusal,
        "tool_calls": response.calls.finished,
        "sources": response.findings.sources,
        "tool_runs": [*response.findings.runs.values()],
        "details": {**response.findings.details, **({"other_requests": others} if others else {})},
        "segments": reply.ledger.segments,
    }
    ending |= {name: value for name, value in optional.items() if value}  # type: ignore[typeddict-item]
    return ending
