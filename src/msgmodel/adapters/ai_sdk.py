"""The UI message stream of Vercel's AI SDK: the requests that `useChat` posts, and the chunks that it reads.

Rule: a part opens at its first text, and closes before a part of another kind; panels interleave by their ids. A panel
that fails does not end the message; `error` and `abort` are the last chunk, after our own outcome.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, get_args

from ..errors import ConfigurationError
from ..events import (
    BatchEvent,
    PanelEnd,
    PanelItem,
    PanelObject,
    PanelPart,
    PanelRetry,
    PanelSource,
    PanelToolCall,
    PanelToolDelta,
    PanelToolProgress,
    PanelToolResult,
    PanelToolRun,
    PendingCall,
    Status,
)
from ..messages import JSON
from . import _turns, framing
from ._ai_sdk_requests import Request as Request
from ._ai_sdk_requests import read as read
from ._media import address_and_type
from ._outcome import Outcome, interrupted_outcome, is_function, read_outcome, summarize_outcomes
from ._turns import CallIds
from .framing import DONE, Chunk

Target: TypeAlias = Literal["v5", "v6", "v7"]
"""The major version of the package `ai` in the browser: an older one fails on a word that only a newer one knows."""

HEADERS: Final = {**framing.HEADERS, "x-vercel-ai-ui-message-stream": "v1"}

_FINISH_REASONS: Final[dict[Status, str]] = {
    "complete": "stop",
    "truncated": "length",
    "filtered": "content-filter",
    "tool_calls": "tool-calls",
    "waiting": "tool-calls",
    "paused": "other",
    "unknown": "other",
}
_INTERRUPTING_CODES: Final = ("interrupted", "network", "timeout", "protocol", "reply_too_large")
_PartKind: TypeAlias = Literal["text", "reasoning", "refusal"]


@dataclass(slots=True)
class _AiSdkPanel:
    id: str
    kind: _PartKind | None = None
    """Kind of the open part."""
    parts: int = 0
    has_text: bool = False
    """Whether the user has seen text."""
    open_calls: dict[tuple[str, str], str] = field(default_factory=dict)
    """Calls whose arguments are arriving: the client's id by the call's own id and name."""
    runs: dict[str, tuple[str, JSON]] = field(default_factory=dict)
    """Tools of the provider: the client's id and the input that it shows, by the run's own id."""
    open_runs: set[str] = field(default_factory=set)
    """The client's ids of those that have not ended."""
    calls: list[tuple[str, str]] = field(default_factory=list)
    """Calls of this round that may be executed: their own id, and the client's id."""
    progress: dict[str, str] = field(default_factory=dict)
    """The output so far of functions that run, by the client's id of the call."""
    outcome: Outcome | None = None
    finish: str = "error"
    """A finish reason of v7, or `abort`."""

    @property
    def part_id(self) -> str:
        return f"{self.id}-{self.parts}"

    def provider_metadata(self, **more: object) -> dict[str, dict[str, object]]:
        return {"msgmodel": {"panel_id": self.id, **more}}


class Chunks:
    """Turn the events of one reply, or of its panels, into chunks.

    Args:
        target: major version of the package `ai` in the browser.
        message_id: id of the message to continue; see `Request`.
        call_ids: ids of calls that the client knows; see `Request`.
        panels: number of panels in the reply.

    Raises:
        ConfigurationError: the target is not one of the three.
    """

    def __init__(
        self,
        *,
        target: Target = "v7",
        message_id: str | None = None,
        call_ids: Iterable[str] = (),
        panels: int = 1,
    ) -> None:
        if target not in get_args(Target):
            raise ConfigurationError(f"target must be {', '.join(get_args(Target))}, not {target!r}")
        self.last_frame = DONE
        self._target, self._message_id, self._panel_count = target, message_id, panels
        self._panels: dict[str, _AiSdkPanel] = {}
        self._ids = CallIds(call_ids)

    def start(self) -> list[Chunk]:
        """Return the chunks before the first event."""
        named = {} if self._message_id is None else {"messageId": self._message_id}
        return [{"type": "start", **named}, {"type": "start-step"}]

    def feed(self, event: BatchEvent) -> list[Chunk]:
        """Return the chunks for an event."""
        if event["event"] == "batch_final" or event["event"] == "panel_progress":
            return []
        chunks: list[Chunk] = []
        panel = self._panels.get(event["panel_id"])
        if panel is None:
            panel = self._panels[event["panel_id"]] = _AiSdkPanel(event["panel_id"])
            chunks.append(_streaming_chunk(panel))
        if event["event"] == "panel_delta":
            panel.has_text = panel.has_text or bool(event["delta"])
            return chunks + _feed_text(panel, "text", event["delta"])
        if event["event"] == "panel_reasoning":
            return chunks + _feed_text(panel, "reasoning", event["delta"])
        if event["event"] == "panel_refusal":
            return chunks + _feed_text(panel, "refusal", event["delta"])
        if event["event"] == "panel_object" or event["event"] == "panel_item":  # within the text, which goes on
            return [*chunks, _value_chunk(panel, event)]
        chunks += _close_part(panel)
        if event["event"] == "panel_source":
            return [*chunks, self._source_chunk(panel, event)]
        if event["event"] == "panel_tool_delta":
            return chunks + self._feed_arguments(panel, event)
        if event["event"] == "panel_tool_call":
            return chunks + (self._feed_call(panel, event) if is_function(event) else self._feed_other(panel, event))
        if event["event"] == "panel_retry":
            return chunks + self._feed_retry(panel, event)
        if event["event"] == "panel_final" or event["event"] == "panel_error":
            return chunks + _fail_open_runs(panel) + self._finish_panel(panel, event)
        if event["event"] == "panel_part":
            return [*chunks, _media_chunk(panel, event)]
        if event["event"] == "panel_tool_run":
            return chunks + self._feed_run(panel, event)
        if event["event"] == "panel_tool_progress" or event["event"] == "panel_tool_result":
            return chunks + _result_chunks(panel, event)
        if event["event"] == "panel_round":
            return chunks + _next_step(panel, alone=self._panel_count == 1)
        return chunks

    def end(self) -> list[Chunk]:
        """Return the last chunks. A panel without a terminal event counts as interrupted."""
        chunks: list[Chunk] = []
        for panel in self._panels.values():
            if panel.outcome is None:
                chunks += _close_part(panel) + _fail_open_runs(panel) + _fail_open_calls(panel)
                panel.outcome = interrupted_outcome(panel.id)
                panel.finish = "interrupted" if panel.has_text else "error"
                chunks.append({"type": "data-panel", "id": panel.id, "data": panel.outcome})
        outcomes = [panel.outcome for panel in self._panels.values() if panel.outcome is not None]
        metadata = {"messageMetadata": {"msgmodel": summarize_outcomes(outcomes)}}
        finish = self._finish_reason()
        if finish == "error":
            failed = {"type": "error", "errorText": _error_text(outcomes)}
            return [*chunks, {"type": "message-metadata", **metadata}, failed]
        if finish == "abort":
            return [*chunks, {"type": "message-metadata", **metadata}, {"type": "abort", "reason": "cancelled"}]
        if finish == "interrupted" and self._target != "v7":
            # These versions know no `interrupted`, and `error` is a finish reason of the model there. Their own
            # providers report `other` for a stream without a last event.
            finish = "other"
        return [*chunks, {"type": "finish-step"}, {"type": "finish", "finishReason": finish, **metadata}]

    def _finish_reason(self) -> str:
        finishes = {panel.finish for panel in self._panels.values()}
        if len(self._panels) < self._panel_count:
            finishes.add("error")
        if len(finishes) == 1:
            return finishes.pop()
        return "error" if finishes <= {"error", "abort"} else "other"

    def _source_chunk(self, panel: _AiSdkPanel, event: PanelSource) -> Chunk:
        source_id = f"{panel.part_id}-source"
        panel.parts += 1
        names = ("text", "start", "end", "date")
        text = {name: event[name] for name in names if event.get(name) is not None}  # type: ignore[literal-required]
        if event["url"] is None:
            return {
                "type": "source-document",
                "sourceId": source_id,
                "mediaType": "text/plain",
                "title": event["title"] or event["text"] or "source",
                "providerMetadata": panel.provider_metadata(**text),
            }
        titled = {} if event["title"] is None else {"title": event["title"]}
        metadata = {"providerMetadata": panel.provider_metadata(**text)}
        return {"type": "source-url", "sourceId": source_id, "url": event["url"], **titled, **metadata}

    def _feed_arguments(self, panel: _AiSdkPanel, event: PanelToolDelta) -> list[Chunk]:
        chunks: list[Chunk] = []
        client_id = panel.open_calls.get((event["id"], event["name"]))
        if client_id is None:
            client_id = panel.open_calls[event["id"], event["name"]] = self._ids.make_id(event["id"])
            chunks.append({"type": "tool-input-start", **_tool_fields(client_id, event["name"])})
        return [*chunks, {"type": "tool-input-delta", "toolCallId": client_id, "inputTextDelta": event["delta"]}]

    def _feed_run(self, panel: _AiSdkPanel, run: PanelToolRun) -> list[Chunk]:
        """Send a tool of the provider as one that it has executed, so that no client runs it."""
        metadata = {"providerMetadata": panel.provider_metadata()}
        chunks: list[Chunk] = []
        client_id, shown = panel.runs.get(run["id"], ("", None))
        if not client_id or (run["input"] is not None and run["input"] != shown):
            client_id = client_id or self._ids.make_id(run["id"])
            tool = _tool_fields(client_id, run["name"])
            asked = {} if run["input"] is None else run["input"]
            chunks.append(
                {"type": "tool-input-available", **tool, "providerExecuted": True, "input": asked, **metadata}
            )
        panel.runs[run["id"]] = client_id, run["input"]
        ended = {"toolCallId": client_id, "providerExecuted": True, "dynamic": True}
        if run["status"] == "done":
            chunks.append({"type": "tool-output-available", **ended, "output": run["output"]})
        elif run["status"] == "failed":
            chunks.append({"type": "tool-output-error", **ended, "errorText": run["output"] or _FAILED_RUN})
        panel.open_runs.discard(client_id)
        if run["status"] == "started":
            panel.open_runs.add(client_id)
        return chunks

    def _feed_other(self, panel: _AiSdkPanel, event: PanelToolCall) -> list[Chunk]:
        """Send a call that is not a function: as a request for an approval, or as data. No client runs either."""
        if event["kind"] != "approval" or self._target == "v5" or not event["complete"]:
            fields = {name: value for name, value in event.items() if name != "event"}
            return [{"type": "data-call", "id": self._ids.make_id(event["id"]), "data": fields}]
        client_id = self._ids.make_id(event["id"])
        panel.calls.append((event["id"], client_id))
        tool = {**_tool_fields(client_id, event["name"]), "providerExecuted": True}
        metadata = {"providerMetadata": panel.provider_metadata(kind="approval")}
        return [
            {"type": "tool-input-available", **tool, "input": event["arguments_json"], **metadata},
            {"type": "tool-approval-request", "approvalId": client_id, "toolCallId": client_id},
        ]

    def _feed_call(self, panel: _AiSdkPanel, event: PanelToolCall) -> list[Chunk]:
        client_id = panel.open_calls.pop((event["id"], event["name"]), None) or self._ids.make_id(event["id"])
        tool = _tool_fields(client_id, event["name"])
        if not event["complete"]:
            return [{"type": "tool-input-error", **tool, "input": event["arguments"], "errorText": _INCOMPLETE_CALL}]
        if not isinstance(event["arguments_json"], dict):
            return [
                {"type": "tool-input-error", **tool, "input": event["arguments"], "errorText": _ARGUMENTS_NO_OBJECT}
            ]
        panel.calls.append((event["id"], client_id))
        metadata = {"providerMetadata": panel.provider_metadata()}
        return [{"type": "tool-input-available", **tool, "input": event["arguments_json"], **metadata}]

    def _feed_retry(self, panel: _AiSdkPanel, event: PanelRetry) -> list[Chunk]:
        chunks: list[Chunk] = []
        if event["reason"] in ("fallback", "repair") and self._target == "v7" and self._panel_count == 1:
            # The text of the first answer no longer counts. Other targets keep it, in a part of its own.
            chunks = [{"type": "reset-step"}, _streaming_chunk(panel)]
        retry = {name: value for name, value in event.items() if name != "event"}
        return [*chunks, {"type": "data-retry", "transient": True, "data": retry}]

    def _finish_panel(self, panel: _AiSdkPanel, end: PanelEnd) -> list[Chunk]:
        chunks = _fail_open_calls(panel)
        if self._target != "v5":
            waiting = {call["id"] for call in _pending_calls(end) if call["reason"] == "approval"}
            chunks += [
                {"type": "tool-approval-request", "approvalId": client_id, "toolCallId": client_id}
                for id, client_id in panel.calls
                if id in waiting
            ]
        turn = _turns.seal_turn(end, panel.calls)
        if turn is not None:
            chunks.append({"type": "data-turn", "data": {"panel_id": panel.id, "message": turn}})
        panel.outcome = read_outcome(end)
        if "object" in panel.outcome:
            value = {"panel_id": panel.id, "value": panel.outcome["object"], "open": None, "checked": True}
            chunks.append({"type": "data-object", "id": panel.id, "data": value})
        if end["event"] == "panel_final":
            panel.finish = _FINISH_REASONS[end["status"]]
        elif end["code"] == "cancelled":
            panel.finish = "abort"
        elif end["code"] in _INTERRUPTING_CODES and panel.has_text:
            panel.finish = "interrupted"
        return [*chunks, {"type": "data-panel", "id": panel.id, "data": panel.outcome}]


_FAILED_RUN: Final = "The provider's tool failed."
_OPEN_RUN: Final = "The reply ended before this tool of the provider did."
_INCOMPLETE_CALL: Final = "The tool call is incomplete."
_ARGUMENTS_NO_OBJECT: Final = "The arguments of the call are not a JSON object."


def _streaming_chunk(panel: _AiSdkPanel) -> Chunk:
    return {"type": "data-panel", "id": panel.id, "data": {"panel_id": panel.id, "status": "streaming"}}


def _feed_text(panel: _AiSdkPanel, kind: _PartKind, text: str) -> list[Chunk]:
    if not text:
        return []
    chunks: list[Chunk] = []
    name = "reasoning" if kind == "reasoning" else "text"
    if panel.kind != kind:
        chunks = _close_part(panel)
        panel.kind = kind
        metadata = panel.provider_metadata(**({"refusal": True} if kind == "refusal" else {}))
        chunks.append({"type": f"{name}-start", "id": panel.part_id, "providerMetadata": metadata})
    return [*chunks, {"type": f"{name}-delta", "id": panel.part_id, "delta": text}]


def _close_part(panel: _AiSdkPanel) -> list[Chunk]:
    if panel.kind is None:
        return []
    name = "reasoning" if panel.kind == "reasoning" else "text"
    chunk: Chunk = {"type": f"{name}-end", "id": panel.part_id}
    panel.kind = None
    panel.parts += 1
    return [chunk]


def _fail_open_calls(panel: _AiSdkPanel) -> list[Chunk]:
    """Report each call whose arguments have begun and not ended as an error, so that the client never runs it."""
    chunks: list[Chunk] = [
        {"type": "tool-input-error", **_tool_fields(client_id, name), "input": "", "errorText": _INCOMPLETE_CALL}
        for (_, name), client_id in panel.open_calls.items()
    ]
    panel.open_calls.clear()
    return chunks


def _result_chunks(panel: _AiSdkPanel, event: PanelToolProgress | PanelToolResult) -> list[Chunk]:
    """Return the chunk for the end of a call that a run of tools has executed, or for its output so far.

    A call that was cut has one already, and so has none here.
    """
    client_id = next((client_id for id, client_id in reversed(panel.calls) if id == event["id"]), None)
    if client_id is None:
        return []
    about = {"toolCallId": client_id, "dynamic": True}
    if event["event"] == "panel_tool_progress":
        panel.progress[client_id] = panel.progress.get(client_id, "") + event["delta"]
        return [{"type": "tool-output-available", **about, "output": panel.progress[client_id], "preliminary": True}]
    if event["status"] == "done":
        return [{"type": "tool-output-available", **about, "output": event["result"]}]
    return [{"type": "tool-output-error", **about, "errorText": event["error"] or event["status"]}]


def _next_step(panel: _AiSdkPanel, *, alone: bool) -> list[Chunk]:
    """Return the chunks before the next request of a run. Several panels share the steps of one message."""
    panel.calls.clear()
    return [{"type": "finish-step"}, {"type": "start-step"}] if alone else []


def _pending_calls(end: PanelEnd) -> list[PendingCall]:
    return end["run"]["pending"] if "run" in end else []


def _fail_open_runs(panel: _AiSdkPanel) -> list[Chunk]:
    """Report each tool of the provider that has no end as an error, so that the client shows none as running."""
    ended = {"providerExecuted": True, "dynamic": True, "errorText": _OPEN_RUN}
    chunks: list[Chunk] = [{"type": "tool-output-error", "toolCallId": id, **ended} for id in sorted(panel.open_runs)]
    panel.open_runs.clear()
    return chunks


def _media_chunk(panel: _AiSdkPanel, part: PanelPart) -> Chunk:
    """Return a part that is not text: a file if the client can show it, else a data part that names it.

    A data part with the id of an earlier one replaces it (AI SDK, "Streaming Custom Data").
    """
    found = address_and_type(part) if part["complete"] else None
    if found is not None:
        more = {name: part[name] for name in ("kind", "size", "name", "text") if part.get(name) is not None}
        url, media_type = found
        metadata = panel.provider_metadata(**more)
        return {"type": "file", "url": url, "mediaType": media_type, "providerMetadata": metadata}
    fields = {name: value for name, value in part.items() if name not in ("event", "data")}
    return {"type": "data-part", "id": part["id"], "data": fields}


def _value_chunk(panel: _AiSdkPanel, event: PanelObject | PanelItem) -> Chunk:
    """Return the value so far, in the place of the one before, or an item for `onData`, which is not kept."""
    if event["event"] == "panel_item":
        item = {"panel_id": panel.id, "index": event["index"], "item": event["item"]}
        return {"type": "data-item", "transient": True, "data": item}
    value = {"panel_id": panel.id, "value": event["value"], "open": event["open"], "checked": False}
    return {"type": "data-object", "id": panel.id, "data": value}


def _tool_fields(client_id: str, name: str) -> Chunk:
    return {"toolCallId": client_id, "toolName": name, "dynamic": True}


def _error_text(outcomes: list[Outcome]) -> str:
    if len(outcomes) == 1:
        return outcomes[0]["error"] or _NO_LAST_EVENT
    return "\n".join(f"{found['panel_id']}: {found['error']}" for found in outcomes) or _NO_LAST_EVENT


_NO_LAST_EVENT: Final = "The stream ended before its last event."


encode, async_encode = framing.make_encoders(Chunks)
"""The body of a streamed response: from an iterable of events, and from an asynchronous one."""
