"""Any run, driven without I/O: each call has one end, the terminal event is the last one, and texts add up."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tool_runs import check_grammar

from clients.scenarios import final
from msgmodel import RunnableTool
from msgmodel.tools.run_steps import (
    AskApproval,
    AskModel,
    AwaitReport,
    CancelCalls,
    EndRun,
    Report,
    RunLimits,
    StartCalls,
)
from msgmodel.tools.tool_run_state import ToolRunState

NAMES = ("plain", "asked", "absent", "application")
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
ENDS = ("tool_calls", "complete", "truncated", "filtered", "error")
KINDS = ("returned", "raised", "cancelled", "progress", "silent")


def drive(data: st.DataObject, limits: RunLimits, has_approver: bool) -> list[Any]:
    """Drive a run with whatever can happen, and return its events."""
    clock = [0.0]
    tools = {name: RunnableTool(name, "", SCHEMA, lambda **_: None) for name in ("plain", "asked")}
    state = ToolRunState(
        tools,
        {"application"},
        limits,
        panel_id="p",
        run_id="r",
        needs_approval=lambda name: name == "asked",
        has_approver=has_approver,
        secrets=(),
        now=lambda: clock[0],
    )
    events: list[Any] = []
    running: set[str] = set()
    started: set[str] = set()
    for _ in range(200):
        clock[0] += data.draw(st.sampled_from((0.0, 0.1, 2.0)))
        if data.draw(st.integers(0, 30)) == 0:
            state.halt = state.halt or "cancelled"
        if data.draw(st.integers(0, 10)) == 0:
            state.said.append("More.")
        step = state.next_step()
        events += state.take_events()
        if isinstance(step, EndRun):
            assert not running, "no call runs when the run has ended"
            return events
        if isinstance(step, AskModel):
            for event in reply(data, state.rounds):
                state.add_event(event)
        elif isinstance(step, AskApproval):
            state.add_decision(step.call, data.draw(st.sampled_from((True, False, "no", None, {"arguments": {}}))))
        elif isinstance(step, StartCalls):
            for call in step.calls:
                assert call.name in tools
                assert call.key not in started, "no call starts twice"
                running.add(call.key)
                started.add(call.key)
        elif isinstance(step, CancelCalls):
            assert {call.key for call in step.calls} <= running
        elif isinstance(step, AwaitReport):
            state.add_report(report(data, sorted(started)))
        running &= {call.key for call in state.running_calls}
        events += state.take_events()
    raise AssertionError("the run does not end")


def reply(data: st.DataObject, number: int) -> list[Any]:
    """The events of one round."""
    how = data.draw(st.sampled_from(ENDS))
    count = data.draw(st.integers(1 if how == "tool_calls" else 0, 3))
    calls = [
        {
            "id": f"c{number}.{place}",
            "name": data.draw(st.sampled_from(NAMES)),
            "arguments": "{}",
            "arguments_json": data.draw(st.sampled_from(({}, {"a": 1}, {"a": "x"}, None))),
            "complete": how == "tool_calls",
        }
        for place in range(count)
    ]
    texts = data.draw(st.lists(st.sampled_from(("word ", "\n", "end")), max_size=3))
    events: list[Any] = [{"event": "panel_delta", "panel_id": "p", "delta": text} for text in texts]
    announced = calls[: data.draw(st.integers(0, len(calls)))]
    events += [{"event": "panel_tool_call", "panel_id": "p", **call} for call in announced]
    more: dict[str, Any] = {"warnings": [], "untold": [], "receipt": {"requests": []}}
    if calls and data.draw(st.booleans() if how != "tool_calls" else st.just(True)):
        more["tool_calls"] = calls
    if how == "error":
        broken = final("".join(texts), **more) | {"event": "panel_error", "code": "network", "error": "x"}
        return [*events, broken]
    return [*events, final("".join(texts), how, **more)]


def report(data: st.DataObject, started: list[str]) -> Report | None:
    """What a function says, also one that has ended for the run."""
    kind: Any = data.draw(st.sampled_from(KINDS))
    key = data.draw(st.sampled_from([*started, "c9/unknown"]))
    return None if kind == "silent" else Report(key, kind, "text" if kind != "cancelled" else None)


@settings(max_examples=300)
@given(
    st.data(),
    st.integers(1, 4),
    st.none() | st.integers(1, 3),
    st.none() | st.sampled_from((1.0, 30.0)),
    st.booleans(),
)
def test_any_run_keeps_the_grammar(
    data: st.DataObject, max_rounds: int, max_calls: int | None, deadline: float | None, has_approver: bool
) -> None:
    limits = RunLimits(max_rounds=max_rounds, max_calls=max_calls, tool_timeout=5.0, deadline=deadline)
    events = drive(data, limits, has_approver)
    check_grammar(events)
    end = events[-1]
    ended = Counter(event["id"] for event in events if event["event"] == "panel_tool_result")
    assert set(ended.values()) <= {1}, "each call ends once"
    pending = {call["id"] for call in end["run"]["pending"]}
    assert not pending & ended.keys()
    announced = {event["id"] for event in events if event["event"] == "panel_tool_call"}
    assert announced <= ended.keys() | pending
    assert end["run"]["rounds"] <= max_rounds
    if pending and end["event"] == "panel_final":
        assert end["status"] == "waiting"
    if end["event"] == "panel_final" and end["status"] == "complete":
        assert not pending
