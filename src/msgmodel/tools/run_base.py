"""What the two shells of a run of tools share: the conversation, the state, the journal, and the end."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from secrets import token_hex
from time import monotonic
from typing import Any, ClassVar, Protocol, TypedDict

import msgspec

from .._spending import BUDGET_LIMITS, SpendingTotal
from ..errors import ConfigurationError
from ..events import PanelEnd, PanelEvent, Spent
from ..messages import JSON, Message
from ..reply.observers import call_harmlessly
from . import call_words
from .call_journal import CallJournal
from .run_options import OWN_OPTIONS, read_run_options
from .run_steps import AskModel, Decisions, EndRun, KeepResults, SaveState
from .tool_run_state import ToolRunState

_log = logging.getLogger("msgmodel")

CLOSING_SECONDS = 0.5
"""How long a caller that leaves waits for the functions that were asked to end."""


class RunConversation(Protocol):
    """What a run needs of a conversation, in both colors."""

    provider: str
    messages: list[Message]

    def stream_panels(self, prompt: str = "", *files: Any, **settings: Any) -> Any: ...

    def astream_panels(self, prompt: str = "", *files: Any, **settings: Any) -> Any: ...

    def add_tool_result(self, tool_call_id: str, content: JSON, *, is_error: bool = False) -> None: ...

    def to_json(self) -> str: ...


class RunQuestion(TypedDict):
    """The user's message, for the first request."""

    prompt: str
    file_like: Any
    filename: str | None


class BaseRun:
    """A run, apart from its I/O.

    Args:
        chat: The conversation, which keeps the turns.
        question: The user's message; None for a run that continues.
        panel_id: The id that every event carries.
        settings: All keywords of the call, over those of the conversation.
        given: The keywords of the call alone, which its requests take.
        state: What the run continues from.
        decisions: What was decided about the calls that wait.

    Raises:
        ConfigurationError, AuthenticationError, FileError: An argument is wrong.
    """

    _is_async: ClassVar[bool]

    def __init__(
        self,
        chat: RunConversation,
        question: RunQuestion | None,
        panel_id: str | None,
        settings: Mapping[str, Any],
        given: Mapping[str, Any],
        *,
        state: Mapping[str, Any] | None = None,
        decisions: Decisions | None = None,
    ) -> None:
        self._plan = plan = read_run_options(chat.provider, settings, is_async=self._is_async)
        self._chat, self._given, self._choice = chat, given, settings.get("tool_choice")
        self._spending = SpendingTotal({name: given[name] for name in BUDGET_LIMITS if name in given})
        """What the run may spend, apart from the conversation, and what it has spent."""
        run_id = plan.run_id or (state or {}).get("run_id") or token_hex(16)
        self._journal = None if plan.journal is None else CallJournal(plan.journal, run_id)
        self._replayed: Sequence[PanelEvent] = ()
        """The events of a run that has ended before, by the journal."""
        if self._journal is not None and state is None and (state := self._journal.load_state()) is not None:
            end = self._journal.load_end()
            self._replayed = () if end is None else events_of_ended_run(end)
            chat.messages[:] = state["conversation"]["messages"]
        self._panel_id = panel_id or (state or {}).get("panel_id") or token_hex(4)
        self._state = ToolRunState(
            plan.tools,
            plan.application_tools,
            plan.limits,
            panel_id=self._panel_id,
            run_id=run_id,
            needs_approval=plan.needs_approval,
            has_approver=plan.approve is not None,
            secrets=plan.secrets,
            now=monotonic,
        )
        self._cut_round: PanelEnd | None = None
        """The terminal event of the round that runs, once it has ended, also if its events were not read."""
        self._has_ended = False
        self._first: Any = None
        """The stream of the first round. It is made at the call, to check the arguments there."""
        try:
            self._begin(question, state, decisions or {})
        except BaseException:
            self._close_journal()
            raise

    def _begin(self, question: RunQuestion | None, state: Mapping[str, Any] | None, decisions: Decisions) -> None:
        """Check the arguments of the first request, or take the state of an earlier process."""
        if state is None:
            self._first = self._make_stream(AskModel("", True, None), question)
            return
        self._state.restore(state)
        if state["spent"]["usage"] is not None:
            self._spending.restore(state["spent"])
        self._take_decisions(decisions)

    @property
    def run_id(self) -> str:
        """The id of the run, under which the journal keeps its calls."""
        return self._state.run_id

    @property
    def spent(self) -> Spent:
        """What the rounds that have ended took, also those before a reload."""
        return self._spending.spent

    def say(self, text: str) -> None:
        """Add a message of the user, which the next request sends. If the model has answered, it is asked once more.

        Args:
            text: The message.

        Raises:
            ConfigurationError: The text is empty, or the run has ended.
        """
        if not isinstance(text, str) or not text.strip():
            raise ConfigurationError("say needs a text that is not empty")
        if self._has_ended:
            raise ConfigurationError("the run has ended: ask the conversation again")
        self._state.said.append(text)

    # --- rounds ---

    def _make_stream(self, step: AskModel, question: Mapping[str, Any] | None = None) -> Any:
        """Return the stream of a round."""
        left_out = (*OWN_OPTIONS, *BUDGET_LIMITS)
        settings = {name: value for name, value in self._given.items() if name not in left_out}
        for budget in self._spending.budgets:
            settings["run_budget"] = budget
        settings |= {"tools": self._plan.described, "on_end": self._note_round_end, "panel_id": self._panel_id}
        settings["deadline"] = self._plan.limits.deadline if step.is_first else step.seconds_left
        if not step.is_first and self._choice not in (None, "none"):
            settings["tool_choice"] = "auto"  # a tool that is required in each round would be called forever
        self._cut_round = None
        stream = self._chat.astream_panels if self._is_async else self._chat.stream_panels
        return stream(**{"prompt": step.prompt, **settings, **(question or {})})

    def _stream_for(self, step: AskModel) -> Any:
        stream, self._first = self._first, None
        return self._make_stream(step) if stream is None else stream

    def _note_round_end(self, end: PanelEnd) -> None:
        self._cut_round = end
        self._spending.add_call(end)

    def _add_round_event(self, event: PanelEvent) -> bool:
        """Pass an event of the round to the state. Return whether it was the last one."""
        self._state.add_event(event)
        is_last = event["event"] == "panel_final" or event["event"] == "panel_error"
        if is_last:
            self._cut_round = None
        return is_last

    def _add_cut_round(self) -> None:
        """Pass the terminal event of a round that was left early to the state."""
        end, self._cut_round = self._cut_round, None
        if end is not None:
            self._state.add_event(end)

    # --- calls ---

    def _keep(self, step: KeepResults | SaveState) -> None:
        """Write to the conversation and to the journal."""
        if isinstance(step, KeepResults):
            for call in step.calls:
                self._chat.add_tool_result(call.id, call.content, is_error=call.is_error)
                if self._journal is not None and call.result is not None:
                    result = call.result
                    with self._logged_faults():
                        self._journal.end_call(call.key, result["status"], result["result"], result["error"])
        elif self._journal is not None:
            try:
                self._journal.save_state(self._state_with_turns(self._state.as_json()))
            except sqlite3.Error as error:
                self._state.forbid_calls(call_words.no_journal(error))

    @contextmanager
    def _logged_faults(self) -> Iterator[None]:
        """Log a fault of the journal: what was to be written has happened already."""
        try:
            yield
        except sqlite3.Error as error:
            _log.warning("run %s: the journal can't be written: %s", self.run_id, type(error).__name__)

    def _take_decisions(self, decisions: Decisions) -> None:
        """Take what was decided, and what the journal has of the calls: a call that began is not decided again."""
        recorded = set()
        for call in self._state.open_calls if self._journal is not None else ():
            record = self._journal.find_record(call.key) if self._journal is not None else None
            if record is not None:
                self._state.take_record(call, record)
                recorded.add(call.id)
        self._state.take_decisions({id: made for id, made in decisions.items() if id not in recorded})

    def _safe_words(self, words: str) -> str:
        return call_words.safe_words(words, self._plan.secrets)

    def _close_journal(self) -> None:
        if self._journal is not None:
            self._journal.close()

    # --- the end ---

    def _delivered(self, event: PanelEvent) -> PanelEvent:
        """Return an event of the state. With the terminal event, the run has ended."""
        if event["event"] == "panel_final" or event["event"] == "panel_error":
            self._has_ended = True
            record = event["run"]
            if record["state"] is not None:
                record["state"] = self._state_with_turns(record["state"])
            if self._plan.on_end is not None:
                call_harmlessly("on_end", self._plan.on_end, event)
        return event

    def _write_end(self, event: PanelEvent) -> None:
        """Note the end of the run in the journal, if the event is its terminal event."""
        if self._journal is None or (event["event"] != "panel_final" and event["event"] != "panel_error"):
            return
        state = event["run"]["state"]
        ended = event if state is None else None
        with self._logged_faults():
            self._journal.save_state(state or self._state_with_turns(self._state.as_json()), ended)

    def _state_with_turns(self, state: dict[str, Any]) -> dict[str, Any]:
        return state | {"conversation": msgspec.json.decode(self._chat.to_json())}

    def _events_after_leaving(self) -> Iterator[PanelEvent]:
        """Yield the events that a caller who left has not seen: the ends of the calls, and the terminal event."""
        if self._has_ended:
            return
        state = self._state
        state.halt = state.halt or "cancelled"
        state.abandon_running()
        self._add_cut_round()
        while not isinstance(step := state.next_step(), AskModel | EndRun):
            if isinstance(step, KeepResults | SaveState):
                self._keep(step)
        for event in map(self._delivered, state.take_events()):
            self._write_end(event)
            yield event


def events_of_ended_run(end: PanelEnd) -> Sequence[PanelEvent]:
    """Return the events of a run that has ended before: its calls, its text, and its terminal event."""
    id = end["panel_id"]
    events: list[PanelEvent] = [{"event": "panel_tool_result", "panel_id": id, **call} for call in end["run"]["calls"]]
    if end["content"]:
        events.append({"event": "panel_delta", "panel_id": id, "delta": end["content"]})
    return [*events, end]
