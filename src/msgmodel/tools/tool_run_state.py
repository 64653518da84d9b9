"""A run of tools with the I/O taken out: which request is next, which calls run, and how the run ends. Pure.

A shell drives it:

    while True:
        step = state.next_step()
        pass on state.take_events()                 # the terminal event is the last one
        if isinstance(step, EndRun): break
        do what the step says, and report it: add_event, add_decision, add_report

Rules: each call ends in exactly one `panel_tool_result`. Only calls of a reply that ended with the status `tool_calls`
run. The results reach the model in the order of the calls. `next_step` decides everything, in this order: calls that
run, calls that wait for a decision, calls that may start, the end of the run, the next request.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from math import inf
from typing import Any

from ..errors import ConfigurationError, quoted
from ..events import (
    PanelEnd,
    PanelEvent,
    PanelToolCall,
    RunRecord,
    ToolCall,
    ToolOutcome,
    ToolResult,
)
from ..messages import JSON
from ..question.lenient_json import parse_or_none
from ..question.result_content import read_result_content
from . import call_words
from .run_reply import RunReply
from .run_steps import (
    AskApproval,
    AskModel,
    AwaitReport,
    CancelCalls,
    Decisions,
    EndRun,
    Halt,
    KeepResults,
    Report,
    RunCall,
    RunLimits,
    SaveState,
    StartCalls,
    Step,
)
from .runnable_tool import RunnableTool, result_as_json

SECONDS_TO_CANCEL = 1.0
"""How long the run waits for a function that it has asked to end."""

LEAST_SECONDS = 0.001
"""What is left for a request when the deadline has passed: it ends with a timeout at once."""

STATE_VERSION = 1


class ToolRunState:
    """State of one run.

    Args:
        tools: The functions by their names.
        application_tools: The names of tools that the application runs.
        limits: The limits of the run.
        panel_id: The id that every event carries.
        run_id: The id of the run.
        needs_approval: Returns whether a call of a tool, by its name, must be approved.
        has_approver: Whether the shell can ask for an approval; if not, the run waits.
        secrets: Keys that no text may contain.
        now: Returns the time in seconds.
    """

    def __init__(
        self,
        tools: Mapping[str, RunnableTool],
        application_tools: Collection[str],
        limits: RunLimits,
        *,
        panel_id: str,
        run_id: str,
        needs_approval: Callable[[str], bool],
        has_approver: bool,
        secrets: Sequence[str],
        now: Callable[[], float],
    ) -> None:
        self.run_id = run_id
        self.rounds = 0
        self.said: deque[str] = deque()
        """What the caller said, and no request has sent yet."""
        self.halt: Halt | None = None
        self.reply = RunReply(now)
        self._tools, self._application_tools = tools, application_tools
        self._limits, self._panel_id = limits, panel_id
        self._needs_approval, self._has_approver = needs_approval, has_approver
        self._secrets, self._now = secrets, now
        self._deadline = inf if limits.deadline is None else now() + limits.deadline
        self._calls: list[RunCall] = []
        """The calls of the open round, without those whose results are kept."""
        self._results: list[ToolResult] = []
        """The ends of the calls before."""
        self._counted = 0
        """The calls that count for `max_calls`."""
        self._announced: dict[str, PanelToolCall] = {}
        self._events: list[PanelEvent] = []
        self._unsaved = False
        """Whether the open round is not in the journal yet."""
        self._answered = False
        """Whether the last reply leaves nothing to ask."""
        self._ended = False

    # --- what the shell calls ---

    def take_events(self) -> list[PanelEvent]:
        """Return the events to pass on."""
        events, self._events = self._events, []
        return events

    def next_step(self) -> Step:
        """Return what to do next."""
        if self._ended:
            return EndRun()
        if self._now() >= self._deadline and self.halt is None:
            self.halt = "timeout"
        step = self._step_for_running() or self._step_for_waiting()
        if step is not None:
            return step
        return self._step_after_calls()

    def add_event(self, event: PanelEvent) -> None:
        """Take an event of the round's reply."""
        if event["event"] == "panel_final" or event["event"] == "panel_error":
            self._end_round(event)
            return
        if event["event"] == "panel_delta":
            event = self.reply.add_text(event)
        elif event["event"] == "panel_source":
            event = self.reply.place_source(event)
        elif event["event"] == "panel_tool_call":
            self._announced[event["id"]] = event
        self._events.append(event)

    def add_decision(self, call: RunCall, decision: object) -> None:
        """Take the answer of the caller's function about a call. An answer that is no decision refuses it."""
        try:
            self._decide(call, decision)
        except ConfigurationError as error:
            self._end_call(call, "refused", error=f"{call_words.REFUSED}: {error.message}")

    def add_report(self, report: Report | None) -> None:
        """Take the report of a running function. Reports of calls that have ended change nothing."""
        call = next((call for call in self._calls if report is not None and call.key == report.call_key), None)
        if report is None or call is None or call.phase not in ("running", "cancelling"):
            return
        if report.kind == "progress":
            self._events.append(call.progress_event(self._panel_id, report.value))
        elif report.kind == "returned":
            self._end_call(call, "done", report.value)
        elif report.kind == "raised":
            self._end_call(call, "failed", error=report.value)
        elif report.kind == "cancelled":
            self._end_call(call, "failed", error=call.cancelled_because or call_words.CANCELLED_ITSELF)
        else:
            record = report.value
            self._end_call(call, record.status, record.result, record.error, record.seconds)

    def forbid_calls(self, words: str) -> None:
        """End the calls that have not begun."""
        for call in self._calls:
            if call.phase in ("new", "approved"):
                self._end_call(call, "not_run", error=words)

    def halt_calls(self) -> list[RunCall]:
        """Note that the caller has left. Return the calls whose functions must be asked to end."""
        if self.running_calls:
            self.halt = self.halt or "cancelled"
        for call in self.running_calls:
            call.phase = "cancelling"
            call.cancelled_because = call.cancelled_because or call_words.HALTED[self.halt or "cancelled"]
        return self.running_calls

    def abandon_running(self) -> None:
        """End the calls that still run: it is not known what becomes of them."""
        for call in self.running_calls:
            self._end_call(call, "unknown", error=call_words.still_running(call.cancelled_because))

    @property
    def running_calls(self) -> list[RunCall]:
        """The calls whose functions run."""
        return [call for call in self._calls if call.phase in ("running", "cancelling")]

    # --- what waits for a decision ---

    def take_decisions(self, decisions: Decisions) -> None:
        """Take what was decided about the calls that wait. The others go on waiting.

        Raises:
            ConfigurationError: No call with such an id waits, or a decision is wrong.
        """
        waiting = {call.id: call for call in self._calls if call.phase in ("new", "waiting")}
        for id, decision in decisions.items():
            if id not in waiting:
                known = ", ".join(waiting) or "none"
                raise ConfigurationError(f"no call with the id {quoted(id)} waits for a decision (waiting: {known})")
            self._decide(waiting[id], decision)

    def take_record(self, call: RunCall, record: Any) -> None:
        """Take what the journal has of a call of an earlier process."""
        call.phase = "running"
        self.add_report(Report(call.key, "recorded", record))

    @property
    def open_calls(self) -> list[RunCall]:
        """The calls of the open round that have not ended."""
        return [call for call in self._calls if call.phase != "ended"]

    # --- the state as JSON ---

    def as_json(self) -> dict[str, Any]:
        """Return the state as plain JSON, without the conversation."""
        return {
            "version": STATE_VERSION,
            "run_id": self.run_id,
            "panel_id": self._panel_id,
            "rounds": self.rounds,
            "counted": self._counted,
            "results": self._results,
            "calls": [
                {"id": call.id, "name": call.name, "arguments": call.arguments, "kind": call.kind}
                for call in self._calls
            ],
            "said": [*self.said],
            "last": self.reply.last,
            "spent": {"usage": self.reply.usage, "cost": self.reply.cost},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `as_json` returned. Raise ConfigurationError if it is wrong."""
        try:
            self.rounds, self._counted = state["rounds"], state["counted"]
            self._results = list(state["results"])
            self.said.extend(state["said"])
            self.reply = RunReply(self._now, state["last"], state["spent"])
            for call in state["calls"]:
                self._open_call(call | {"arguments_json": parse_or_none(call["arguments"])}, counts=False)
        except (KeyError, TypeError, AttributeError) as error:
            raise ConfigurationError(f"state is not the state of a run: {type(error).__name__} {error}") from None

    # --- what is next ---

    def _step_for_running(self) -> Step | None:
        """Return the step if functions run."""
        running = self.running_calls
        late: list[RunCall] = []
        for call in running:
            if call.phase == "running" and (self.halt or self._now() >= call.due):
                limit = call_words.time_limit(self._limits.tool_timeout)
                call.cancelled_because = call_words.HALTED[self.halt] if self.halt else limit
                call.phase, call.due = "cancelling", self._now() + SECONDS_TO_CANCEL
                late.append(call)
            elif call.phase == "cancelling" and self._now() >= call.due:
                self._end_call(call, "unknown", error=call_words.still_running(call.cancelled_because))
        if late:
            return CancelCalls(late)
        dues = [call.due for call in running if call.phase != "ended"]
        if not dues:
            return None
        due = min(dues) if self.halt else min(*dues, self._deadline)
        return AwaitReport(max(0.0, due - self._now()))

    def _step_for_waiting(self) -> Step | None:
        """Return the step if calls wait for a decision or for their start."""
        for call in self._calls:
            if call.phase == "new" and self.halt is None:
                asks = call.kind == "approval" or (call.tool is not None and self._needs_approval(call.name))
                if asks and self._has_approver:
                    return AskApproval(call)
                call.phase = "waiting" if asks or call.tool is None else "approved"
            elif call.phase in ("new", "approved") and self.halt is not None:
                self._end_call(call, "not_run", error=call_words.HALTED[self.halt])
        approved = [call for call in self._calls if call.phase == "approved"]
        if self._unsaved and self._calls:
            self._unsaved = False
            return SaveState()
        for call in approved:
            call.phase, call.began = "running", self._now()
            call.due = call.began + self._limits.tool_timeout
        return StartCalls(approved) if approved else None

    def _step_after_calls(self) -> Step:
        """Return the step if no function runs and none can start."""
        ended = [call for call in self._calls if call.phase == "ended"]
        if ended:
            self._results += [call.result for call in ended if call.result is not None]
            self._calls = [call for call in self._calls if call.phase != "ended"]
            return KeepResults(ended)
        last = self.reply.last
        is_full = self.rounds >= self._limits.max_rounds
        if last is not None and last["event"] == "panel_error" and (self._answered or (is_full and not self._calls)):
            return self._end_run(self.reply.error_event(), can_continue=True)
        if self.halt is not None and last is not None:
            words = call_words.HALTED[self.halt]
            return self._end_run(self.reply.error_event(self.halt, words), can_continue=True)
        if self._calls:
            waiting = self.reply.final_event(status="waiting", truncated=False, truncated_in=None)
            return self._end_run(waiting, can_continue=True)
        if self._answered and not self.said:
            return self._end_run(self.reply.final_event(), can_continue=False)
        if is_full:
            limited = {"status": "truncated", "truncated": True, "truncated_in": "tool_call", "truncated_by": "rounds"}
            return self._end_run(self.reply.final_event(**limited), can_continue=True)
        return self._begin_round()

    def _begin_round(self) -> Step:
        self.rounds += 1
        if self.rounds > 1:
            self._events.append({"event": "panel_round", "panel_id": self._panel_id, "round": self.rounds})
        prompt = "\n\n".join(self.said)
        self.said.clear()
        self.reply.begin_round()
        seconds_left = None if self._deadline == inf else max(LEAST_SECONDS, self._deadline - self._now())
        return AskModel(prompt, self.rounds == 1, seconds_left)

    def _end_run(self, end: PanelEnd, *, can_continue: bool) -> Step:
        self._ended = True
        record: RunRecord = {
            "id": self.run_id,
            "rounds": self.rounds,
            "calls": self._results,
            "pending": [call.as_pending() for call in self._calls],
            "state": self.as_json() if can_continue else None,
        }
        end["run"] = record
        self._events.append(end)
        return EndRun()

    # --- the calls of a round ---

    def _end_round(self, end: PanelEnd) -> None:
        self.reply.end_round(end)
        self._answered = end["event"] == "panel_error" or end["status"] != "tool_calls"
        calls = end.get("tool_calls", [])
        wanted = [] if self._answered else calls
        ids = {call["id"] for call in wanted}
        others: list[ToolCall | PanelToolCall] = [*self._announced.values(), *calls]
        self._announced = {}
        for call in {call["id"]: call for call in others if call["id"] not in ids}.values():
            unsent = RunCall(call["id"], call["name"], call["arguments"], call["arguments_json"], key="")
            self._end_call(unsent, "not_run", error=call_words.CUT_REPLY)
            self._results += [unsent.result] if unsent.result is not None else []
        for wanted_call in wanted:
            self._open_call(wanted_call)
        self._unsaved = bool(wanted)

    def _open_call(self, call: Mapping[str, Any], *, counts: bool = True) -> None:
        """Take a call of a reply. One that can't run ends here."""
        kind = call.get("kind", "function")
        opened = RunCall(
            call["id"], call["name"], call["arguments"], call["arguments_json"], f"{self.rounds}/{call['id']}", kind
        )
        self._calls.append(opened)
        if kind == "function":
            opened.tool = self._tools.get(opened.name)
        fault = self._fault_of_call(opened, counts)
        if fault:
            self._end_call(opened, "not_run", error=fault)

    def _fault_of_call(self, call: RunCall, counts: bool) -> str:
        """Return why a call can't run; empty if it can, or if that is not ours to say."""
        if self.rounds >= self._limits.max_rounds:
            return call_words.ROUNDS_USED.format(limit=self._limits.max_rounds)
        if call.kind != "function" or call.name in self._application_tools:
            return ""
        if counts:
            if self._limits.max_calls is not None and self._counted >= self._limits.max_calls:
                return call_words.CALLS_USED.format(limit=self._limits.max_calls)
            self._counted += 1
        if call.tool is None:
            return call_words.no_such_tool([*self._tools, *self._application_tools])
        if not isinstance(call.arguments_json, dict):
            return call_words.NO_OBJECT
        try:
            call.passed = call.tool.read_arguments(call.arguments_json)
        except ValueError as error:
            return call_words.wrong_arguments(error)
        return ""

    def _decide(self, call: RunCall, decision: object) -> None:
        """Take a decision about a call. Raise ConfigurationError if it is wrong."""
        is_refused = decision is False or isinstance(decision, str)
        if isinstance(decision, Mapping) and decision.keys() <= {"result", "is_error"} and "result" in decision:
            content = result_as_json(decision["result"])
            status: ToolOutcome = "failed" if decision.get("is_error") else "done"
            if status == "done":
                self._end_call(call, status, content)
            else:
                self._end_call(call, status, error=read_result_content(content)[0])
        elif is_refused:
            reason = f": {decision}" if decision else ""
            self._end_call(call, "refused", error=call_words.REFUSED + reason)
            if call.kind == "approval":
                call.content = {"approve": False, **({"reason": decision} if decision else {})}
        elif decision is True and call.kind == "approval":
            self._end_call(call, "done", True)
        elif call.tool is None:
            raise ConfigurationError(
                f"the run has no function for the call {quoted(call.id)}: decide with False, or pass {{'result': ...}}"
            )
        elif decision is True:
            call.phase = "approved"
        elif isinstance(decision, Mapping) and decision.keys() == {"arguments"}:
            self._change_arguments(call, call.tool, decision["arguments"])
        else:
            raise ConfigurationError(
                "a decision must be True, False, a reason, {'arguments': {...}} or {'result': ...}, "
                f"not {quoted(decision)}"
            )

    def _change_arguments(self, call: RunCall, tool: RunnableTool, arguments: object) -> None:
        try:
            if not isinstance(arguments, Mapping):
                raise ValueError("they must be a dict")
            call.passed = tool.read_arguments(arguments)
        except ValueError as error:
            raise ConfigurationError(f"the changed arguments do not fit the tool: {error}") from None
        call.phase, call.changed_arguments = "approved", dict(arguments)

    def _end_call(
        self,
        call: RunCall,
        status: ToolOutcome,
        result: JSON = None,
        error: str | None = None,
        seconds: float | None = None,
    ) -> None:
        if error is not None:
            error = call_words.safe_words(error, self._secrets)
        if seconds is None:
            seconds = self._now() - call.began if call.began else 0.0
        call.phase = "ended"
        call.result = ToolResult(id=call.id, name=call.name, status=status, result=result, error=error, seconds=seconds)
        call.content = call.content_for_model()
        self._events.append({"event": "panel_tool_result", "panel_id": self._panel_id, **call.result})
