"""AG-UI 1.0: the requests that its `HttpAgent` posts, and the events that it reads.

Rule: one request is one run. One panel is one message; several panels are subagents. Everything open is closed before
the run ends. A field without a value is left out, because the client refuses null. A call is sent when it is complete.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from ..events import BatchEvent, PanelEnd, PanelToolCall, PanelToolResult, Usage
from ..messages import JSON
from . import _turns, framing
from ._ag_ui_requests import REFUSAL_NAME
from ._ag_ui_requests import Request as Request
from ._ag_ui_requests import read as read
from ._outcome import (
    INTERRUPTED_MESSAGE,
    Outcome,
    interrupted_outcome,
    is_function,
    read_outcome,
    summarize_outcomes,
)
from ._turns import CallIds
from .framing import HEADERS as HEADERS
from .framing import Chunk

_USAGE_FIELDS: Final = {
    "inputTokens": "input_tokens",
    "outputTokens": "output_tokens",
    "reasoningTokens": "reasoning_tokens",
    "cachedInputTokens": "cached_tokens",
    "cacheWriteInputTokens": "cache_write_tokens",
}


@dataclass(slots=True)
class _AgUiPanel:
    id: str
    message_id: str
    owner: dict[str, str]
    """Fields that mark its events if there are several panels."""
    message_exists: bool = False
    """Whether the client has the message: its first text or call begins it."""
    text_open: bool = False
    """Whether more text may follow in the same message."""
    reasoning_id: str = ""
    """Id of the open reasoning message."""
    refusal_id: str = ""
    """Id of the open refusal message."""
    extras_count: int = 0
    """Number of reasoning and refusal messages so far, for their ids."""
    last_reasoning_id: str = ""
    calls: list[tuple[str, str]] = field(default_factory=list)
    """Complete calls: their own id, and the client's id."""
    step: str = ""
    """The name of the open step; empty in the first round."""
    outcome: Outcome | None = None


class Chunks:
    """Turn the events of one reply, or of its panels, into events of AG-UI.

    Args:
        thread_id: id of the conversation; see `Request`.
        run_id: id of this run; see `Request`.
        call_ids: ids of calls that the client knows; see `Request`.
        panels: number of panels in the reply.
    """

    def __init__(self, thread_id: str, run_id: str, *, call_ids: Iterable[str] = (), panels: int = 1) -> None:
        self.last_frame = b""
        self._run = {"threadId": thread_id, "runId": run_id}
        self._panel_count = panels
        self._panels: dict[str, _AgUiPanel] = {}
        self._ids = CallIds(call_ids)

    def start(self) -> list[Chunk]:
        """Return the chunks before the first event."""
        return [{"type": "RUN_STARTED", **self._run, "protocolVersion": "1.0"}]

    def feed(self, event: BatchEvent) -> list[Chunk]:
        """Return the AG-UI events for an event of ours."""
        if event["event"] == "batch_final" or event["event"] == "panel_progress":
            return []
        panel = self._panels.get(event["panel_id"])
        chunks: list[Chunk] = []
        if panel is None:
            panel = self._panels[event["panel_id"]] = self._new_panel(event["panel_id"])
            if panel.owner:
                chunks.append({"type": "SUBAGENT_STARTED", **panel.owner, "name": panel.id})
        if event["event"] == "panel_delta":
            return chunks + _feed_message_text(panel, event["delta"])
        if event["event"] == "panel_reasoning":
            return chunks + _feed_reasoning(panel, event["delta"])
        if event["event"] == "panel_refusal":
            return chunks + _feed_refusal(panel, event["delta"])
        if event["event"] == "panel_tool_delta":
            return chunks  # not sent: a call that is never completed could not be taken back
        if event["event"] == "panel_object" and not panel.owner:
            return [*chunks, _state_delta(event["value"])]
        chunks += _close_extras(panel)
        if event["event"] == "panel_tool_call":
            return chunks + self._feed_call(panel, event)
        if event["event"] == "panel_final" or event["event"] == "panel_error":
            return chunks + self._finish_panel(panel, event)
        if event["event"] == "panel_tool_result":
            return chunks + _feed_result(panel, event)
        if event["event"] == "panel_round":
            return chunks + self._next_step(panel, event["round"])
        name = _CUSTOM_EVENTS.get(event["event"])
        return [*chunks, _custom_event(panel, name, _event_fields(event))] if name else chunks

    def end(self) -> list[Chunk]:
        """Return the last events. A panel without a terminal event counts as interrupted."""
        chunks: list[Chunk] = []
        for panel in self._panels.values():
            if panel.outcome is None:
                chunks += self._close_panel(panel, interrupted_outcome(panel.id))
        outcomes = [panel.outcome for panel in self._panels.values() if panel.outcome is not None]
        codes = {found["code"] for found in outcomes}
        usage = [counted for found in outcomes if (counted := _ag_ui_usage(found))]
        counts = {"usage": usage} if usage else {}
        finished = {"type": "RUN_FINISHED", **self._run, "result": summarize_outcomes(outcomes), **counts}
        if outcomes and codes == {"cancelled"}:
            return [*chunks, finished | {"outcome": {"type": "cancelled"}}]
        if outcomes and None in codes:
            calls = [client_id for panel in self._panels.values() for _, client_id in panel.calls]
            pending = {"pendingToolCallIds": calls} if calls else {}
            return [*chunks, finished | {"outcome": {"type": "success", **pending}}]
        failed = [found for found in outcomes if found["code"] != "cancelled"]
        message = "; ".join(found["error"] or "" for found in failed) or INTERRUPTED_MESSAGE
        code = failed[0]["code"] if failed else "interrupted"
        return [*chunks, {"type": "RUN_ERROR", "message": message, "code": code, **counts}]

    def _new_panel(self, panel_id: str) -> _AgUiPanel:
        alone = self._panel_count == 1
        message = f"{self._run['runId']}-{panel_id}"
        return _AgUiPanel(panel_id, message, {} if alone else {"subagentRunId": panel_id})

    def _feed_call(self, panel: _AgUiPanel, event: PanelToolCall) -> list[Chunk]:
        if not is_function(event):
            return [_custom_event(panel, "msgmodel.waiting_call", _event_fields(event))]
        if not event["complete"] or not isinstance(event["arguments_json"], dict):
            return [_custom_event(panel, "msgmodel.incomplete_tool_call", _event_fields(event))]
        client_id = self._ids.make_id(event["id"])
        panel.calls.append((event["id"], client_id))
        panel.message_exists = True
        named = {"toolCallName": event["name"], "parentMessageId": panel.message_id}
        # Some servers send nothing or null for a call without arguments; clients parse the text and expect an object.
        arguments = event["arguments"] if event["arguments"] not in ("", "null") else "{}"
        return [
            {"type": "TOOL_CALL_START", "toolCallId": client_id, **named, **panel.owner},
            {"type": "TOOL_CALL_ARGS", "toolCallId": client_id, "delta": arguments, **panel.owner},
            {"type": "TOOL_CALL_END", "toolCallId": client_id, **panel.owner},
        ]

    def _next_step(self, panel: _AgUiPanel, number: int) -> list[Chunk]:
        """Begin another message for the next round of a run, because the results stand before it."""
        chunks = _close_message(panel) + _close_step(panel)
        panel.message_id = f"{self._run['runId']}-{panel.id}-{number}"
        panel.message_exists = False
        panel.calls.clear()
        panel.step = f"round {number}" if not panel.owner else f"{panel.id}: round {number}"
        return [*chunks, {"type": "STEP_STARTED", "stepName": panel.step, **panel.owner}]

    def _finish_panel(self, panel: _AgUiPanel, end: PanelEnd) -> list[Chunk]:
        chunks: list[Chunk] = []
        turn = _turns.seal_turn(end, panel.calls)
        entity = panel.message_id if panel.message_exists else panel.last_reasoning_id
        if turn is not None and entity:
            value = msgspec.json.encode({"msgmodel": turn}).decode()
            about = {"subtype": "message", "entityId": entity, "encryptedValue": value}
            chunks.append({"type": "REASONING_ENCRYPTED_VALUE", **about, **panel.owner})
        return chunks + self._close_panel(panel, read_outcome(end))

    def _close_panel(self, panel: _AgUiPanel, found: Outcome) -> list[Chunk]:
        """Close everything open, and report how the panel ended."""
        panel.outcome = found
        chunks = _close_extras(panel)
        chunks += _close_message(panel) + _close_step(panel)
        if "object" in found and not panel.owner:
            chunks.append(_state_delta(found["object"]))
        chunks.append(_custom_event(panel, "msgmodel.finish", found))
        if panel.owner and found["status"] == "error":
            failure = {"message": found["error"], "code": found["code"]}
            chunks.append({"type": "SUBAGENT_ERROR", **panel.owner, **failure})
        elif panel.owner:
            success = {"result": found, "outcome": {"type": "success"}}
            chunks.append({"type": "SUBAGENT_FINISHED", **panel.owner, **success})
        return chunks


def _close_message(panel: _AgUiPanel) -> list[Chunk]:
    if not panel.text_open:
        return []
    panel.text_open = False
    return [{"type": "TEXT_MESSAGE_END", "messageId": panel.message_id, **panel.owner}]


def _close_step(panel: _AgUiPanel) -> list[Chunk]:
    step, panel.step = panel.step, ""
    return [{"type": "STEP_FINISHED", "stepName": step, **panel.owner}] if step else []


def _feed_result(panel: _AgUiPanel, event: PanelToolResult) -> list[Chunk]:
    """Send the end of a call that a run of tools has executed. A call that was cut was never sent as one."""
    called = next((call for call in reversed(panel.calls) if call[0] == event["id"]), None)
    if called is None:
        return [_custom_event(panel, "msgmodel.tool_result", _event_fields(event))]
    panel.calls.remove(called)
    _, client_id = called
    result = event["result"] if event["status"] == "done" else event["error"]
    content = result if isinstance(result, str) else msgspec.json.encode(result).decode()
    about = {"messageId": f"{client_id}-result", "toolCallId": client_id, "role": "tool"}
    chunk: Chunk = {"type": "TOOL_CALL_RESULT", **about, "content": content, **panel.owner}
    return [*_close_message(panel), chunk, _custom_event(panel, "msgmodel.tool_result", _event_fields(event))]


def _feed_message_text(panel: _AgUiPanel, text: str) -> list[Chunk]:
    if not text:
        return []
    chunks = _close_extras(panel)
    if not panel.text_open:
        panel.text_open = panel.message_exists = True
        chunks.append({"type": "TEXT_MESSAGE_START", "messageId": panel.message_id, "role": "assistant", **panel.owner})
    return [*chunks, {"type": "TEXT_MESSAGE_CONTENT", "messageId": panel.message_id, "delta": text, **panel.owner}]


def _feed_reasoning(panel: _AgUiPanel, text: str) -> list[Chunk]:
    if not text:
        return []
    chunks: list[Chunk] = []
    if not panel.reasoning_id:
        chunks = _close_extras(panel)
        panel.extras_count += 1
        panel.reasoning_id = panel.last_reasoning_id = f"{panel.message_id}-reasoning-{panel.extras_count}"
        about = {"messageId": panel.reasoning_id, **panel.owner}
        chunks.append({"type": "REASONING_START", **about})
        chunks.append({"type": "REASONING_MESSAGE_START", "role": "reasoning", **about})
    return [
        *chunks,
        {"type": "REASONING_MESSAGE_CONTENT", "messageId": panel.reasoning_id, "delta": text, **panel.owner},
    ]


def _feed_refusal(panel: _AgUiPanel, text: str) -> list[Chunk]:
    """Send a refusal as a message of its own, so that the user reads it and it is not taken for the reply."""
    if not text:
        return []
    chunks: list[Chunk] = []
    if not panel.refusal_id:
        chunks = _close_extras(panel)
        panel.extras_count += 1
        panel.refusal_id = f"{panel.message_id}-refusal-{panel.extras_count}"
        about = {"messageId": panel.refusal_id, **panel.owner}
        chunks.append({"type": "TEXT_MESSAGE_START", "role": "assistant", "name": REFUSAL_NAME, **about})
    return [*chunks, {"type": "TEXT_MESSAGE_CONTENT", "messageId": panel.refusal_id, "delta": text, **panel.owner}]


def _close_extras(panel: _AgUiPanel) -> list[Chunk]:
    """Close the reasoning and the refusal. The text stays open: a panel's text is one message."""
    chunks: list[Chunk] = []
    if panel.reasoning_id:
        about = {"messageId": panel.reasoning_id, **panel.owner}
        chunks += [{"type": "REASONING_MESSAGE_END", **about}, {"type": "REASONING_END", **about}]
    if panel.refusal_id:
        chunks.append({"type": "TEXT_MESSAGE_END", "messageId": panel.refusal_id, **panel.owner})
    panel.reasoning_id = panel.refusal_id = ""
    return chunks


_CUSTOM_EVENTS = {
    "panel_source": "msgmodel.source",
    "panel_part": "msgmodel.part",
    "panel_tool_run": "msgmodel.tool_run",
    "panel_retry": "msgmodel.retry",
    "panel_tool_progress": "msgmodel.tool_progress",
    "panel_object": "msgmodel.object",
    "panel_item": "msgmodel.item",
}
"""The names of events that this protocol has no word for."""


def _state_delta(value: JSON) -> Chunk:
    """Return the change of the shared state that shows the value of `output`: its `object`, None if it is not valid.

    Several panels have no such state: each shows its value in an event `msgmodel.object`.
    """
    return {"type": "STATE_DELTA", "delta": [{"op": "add", "path": "/object", "value": value}]}


def _custom_event(panel: _AgUiPanel, name: str, value: object) -> Chunk:
    return {"type": "CUSTOM", "name": name, "value": value, **panel.owner}


def _event_fields(event: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in event.items() if name != "event"}


def _ag_ui_usage(found: Outcome) -> dict[str, object]:
    usage: Usage | None = found["usage"]
    if usage is None:
        return {}
    counts = {name: usage[ours] for name, ours in _USAGE_FIELDS.items() if usage[ours] is not None}  # type: ignore[literal-required]
    about = {"provider": found["provider"], "model": found["model"]}
    return {**{name: value for name, value in about.items() if value}, **counts}


encode, async_encode = framing.make_encoders(Chunks)
"""The body of a streamed response: from an iterable of events, and from an asynchronous one."""
