"""The steps of a run of tools, as values: what a shell must do next. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

from ..events import PanelToolProgress, PendingCall, ToolResult
from ..messages import JSON, ToolCallKind
from ..question.result_content import json_text, read_result_content
from . import call_words
from .runnable_tool import RunnableTool

Halt: TypeAlias = Literal["cancelled", "timeout"]
"""Why a run ends early: the caller stopped it, or its deadline passed. Both are error codes."""

CallPhase: TypeAlias = Literal["new", "approved", "running", "cancelling", "waiting", "ended"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLimits:
    """The limits of a run."""

    max_rounds: int = 10
    max_calls: int | None = None
    tool_timeout: float = 60.0
    deadline: float | None = None


@dataclass(slots=True)
class RunCall:
    """A call of the open round, and how far it is."""

    id: str
    name: str
    arguments: str = field(repr=False)
    arguments_json: Any = field(repr=False)
    key: str
    """Unique in the run: two rounds may have calls of the same id."""
    kind: ToolCallKind = "function"
    tool: RunnableTool | None = None
    passed: dict[str, Any] = field(default_factory=dict, repr=False)
    """The arguments as the function takes them."""
    phase: CallPhase = "new"
    due: float = 0.0
    """When the function must have ended."""
    began: float = 0.0
    cancelled_because: str = ""
    changed_arguments: JSON = None
    """The arguments that the approval put in place of the model's; None if it changed none."""
    result: ToolResult | None = None
    content: JSON = None
    """What the model receives."""

    @property
    def is_error(self) -> bool:
        """Whether the model receives an error."""
        return self.result is not None and self.result["status"] != "done" and self.kind != "approval"

    def progress_event(self, panel_id: str, piece: str) -> PanelToolProgress:
        """Return the event of a piece that the function yields."""
        return {
            "event": "panel_tool_progress",
            "panel_id": panel_id,
            "id": self.id,
            "name": self.name,
            "delta": piece,
        }

    def content_for_model(self) -> JSON:
        """Return what the model receives, with a note if the approval changed the arguments."""
        assert self.result is not None
        content = self.result["result"] if self.result["status"] == "done" else self.result["error"]
        if self.changed_arguments is None:
            return content
        note = call_words.CHANGED.format(arguments=json_text(self.changed_arguments))
        text, parts = read_result_content(content)
        if parts and isinstance(content, list):
            return [{"type": "text", "text": note}, *content]
        return f"{note}\n\n{text}"

    def as_pending(self) -> PendingCall:
        """Return the call for the caller, who decides or brings its result."""
        pending: PendingCall = {
            "id": self.id,
            "name": self.name,
            "arguments": self.arguments,
            "arguments_json": self.arguments_json,
            "reason": "application" if self.tool is None and self.kind != "approval" else "approval",
        }
        if self.kind != "function":
            pending["kind"] = self.kind
        return pending


class AskModel(NamedTuple):
    """Send a request to the model, and pass its events to `add_event`."""

    prompt: str
    """What the caller said meanwhile; empty for the first request, whose prompt the shell has."""
    is_first: bool
    seconds_left: float | None
    """Seconds until the deadline of the run; None for no deadline."""


class AskApproval(NamedTuple):
    """Ask the caller's function whether the call may run, and pass its answer to `add_decision`."""

    call: RunCall


class StartCalls(NamedTuple):
    """Start the functions of these calls."""

    calls: Sequence[RunCall]


class CancelCalls(NamedTuple):
    """Ask the functions of these calls to end."""

    calls: Sequence[RunCall]


class AwaitReport(NamedTuple):
    """Wait for the next report of a function, and pass it to `add_report`; None after so many seconds."""

    seconds: float


class KeepResults(NamedTuple):
    """Add the contents of these calls to the conversation, in this order."""

    calls: Sequence[RunCall]


class SaveState(NamedTuple):
    """Write the state of the run to the journal, if there is one."""


class EndRun(NamedTuple):
    """The run has ended; its terminal event was the last one."""


Step: TypeAlias = AskModel | AskApproval | StartCalls | CancelCalls | AwaitReport | KeepResults | SaveState | EndRun


class Report(NamedTuple):
    """What a running function says.

    `progress`: `value` is a piece of text. `returned`: its result as JSON. `raised`: the words of its error.
    `cancelled`: it ended because it was canceled. `recorded`: a `CallRecord` of the journal, instead of a run.
    """

    call_key: str
    kind: Literal["progress", "returned", "raised", "cancelled", "recorded"]
    value: Any


Decisions: TypeAlias = Mapping[str, bool | str | Mapping[str, Any]]
"""By the id of the call: True to run it, False or a reason to refuse it, `{"arguments": {...}}` to run it with other
arguments, `{"result": ..., "is_error": bool}` for what the application ran itself."""
