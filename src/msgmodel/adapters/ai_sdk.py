"""The UI message stream of Vercel's AI SDK: what `useChat` posts and reads.

Rule: a part is opened when its first text comes, and closed before a part of another kind; panels interleave by their
ids. One panel that fails does not end the message; `error` and `abort` are the last chunk, after our own truth.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias, get_args

from ..errors import ConfigurationError, quoted
from ..events import BatchEvent, PanelEnd, PanelRetry, PanelSource, PanelToolCall, PanelToolDelta, Status
from ..messages import Message, ToolResultPart
from . import _reading, _turns, framing
from ._outcome import Outcome, interrupted, outcome, outcome_summary
from ._reading import Body, Fields
from ._turns import CallIds
from .framing import DONE, Chunk

Target: TypeAlias = Literal["v5", "v6", "v7"]
"""The major version of the package `ai` in the browser. One breaks on a word that only a newer one knows."""

HEADERS: Final = {**framing.HEADERS, "x-vercel-ai-ui-message-stream": "v1"}

_FINISH: Final[dict[Status, str]] = {
    "complete": "stop",
    "truncated": "length",
    "filtered": "content-filter",
    "tool_calls": "tool-calls",
    "paused": "other",
    "unknown": "other",
}
_BROKE: Final = ("interrupted", "network", "timeout", "protocol", "reply_too_large")
_Kind: TypeAlias = Literal["text", "reasoning", "refusal"]


@dataclass(slots=True)
class _Panel:
    id: str
    kind: _Kind | None = None
    """Of the open part."""
    parts: int = 0
    said: bool = False
    """Whether the user has seen text."""
    streaming: dict[tuple[str, str], str] = field(default_factory=dict)
    """Calls whose arguments are coming: their own id and name, and the id that the client was told."""
    calls: list[tuple[str, str]] = field(default_factory=list)
    """Calls that may be executed: their own id, and the one that the client was told."""
    truth: Outcome | None = None
    outcome: str = "error"
    """A finish reason of v7, or `abort`."""

    @property
    def part(self) -> str:
        return f"{self.id}-{self.parts}"

    def metadata(self, **more: object) -> dict[str, dict[str, object]]:
        return {"msgmodel": {"panel_id": self.id, **more}}


class Chunks:
    """The events of one reply, or of the panels of one, to chunks.

    message_id, call_ids: see `Request`. panels: how many there will be.
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
        self._target, self._message_id, self._expected = target, message_id, panels
        self._panels: dict[str, _Panel] = {}
        self._ids = CallIds(call_ids)

    def start(self) -> list[Chunk]:
        """What comes first."""
        named = {} if self._message_id is None else {"messageId": self._message_id}
        return [{"type": "start", **named}, {"type": "start-step"}]

    def feed(self, event: BatchEvent) -> list[Chunk]:
        """The chunks of an event."""
        if event["event"] == "batch_final":
            return []
        chunks: list[Chunk] = []
        panel = self._panels.get(event["panel_id"])
        if panel is None:
            panel = self._panels[event["panel_id"]] = _Panel(event["panel_id"])
            chunks.append(_progress(panel))
        if event["event"] == "panel_delta":
            panel.said = panel.said or bool(event["delta"])
            return chunks + _say(panel, "text", event["delta"])
        if event["event"] == "panel_reasoning":
            return chunks + _say(panel, "reasoning", event["delta"])
        if event["event"] == "panel_refusal":
            return chunks + _say(panel, "refusal", event["delta"])
        chunks += _close(panel)
        if event["event"] == "panel_source":
            return [*chunks, self._source(panel, event)]
        if event["event"] == "panel_tool_delta":
            return chunks + self._fragment(panel, event)
        if event["event"] == "panel_tool_call":
            return [*chunks, self._call(panel, event)]
        if event["event"] == "panel_retry":
            return chunks + self._retry(panel, event)
        return chunks + self._ended(panel, event)

    def end(self) -> list[Chunk]:
        """What comes last. A panel whose terminal event has not come broke off."""
        chunks: list[Chunk] = []
        for panel in self._panels.values():
            if panel.truth is None:
                chunks += _close(panel) + _unfinished(panel)
                panel.truth, panel.outcome = interrupted(panel.id), "interrupted" if panel.said else "error"
                chunks.append({"type": "data-panel", "id": panel.id, "data": panel.truth})
        truths = [panel.truth for panel in self._panels.values() if panel.truth is not None]
        metadata = {"messageMetadata": {"msgmodel": outcome_summary(truths)}}
        outcome = self._outcome()
        if outcome == "error":
            return [*chunks, {"type": "message-metadata", **metadata}, {"type": "error", "errorText": _error(truths)}]
        if outcome == "abort":
            return [*chunks, {"type": "message-metadata", **metadata}, {"type": "abort", "reason": "cancelled"}]
        if outcome == "interrupted" and self._target != "v7":
            # What the providers of these versions say themselves of a stream without a last word. The enum lacks
            # `interrupted`, and `error` there is a word of the model's provider.
            outcome = "other"
        return [*chunks, {"type": "finish-step"}, {"type": "finish", "finishReason": outcome, **metadata}]

    def _outcome(self) -> str:
        outcomes = {panel.outcome for panel in self._panels.values()}
        if len(self._panels) < self._expected:
            outcomes.add("error")
        if len(outcomes) == 1:
            return outcomes.pop()
        return "error" if outcomes <= {"error", "abort"} else "other"

    def _source(self, panel: _Panel, event: PanelSource) -> Chunk:
        source_id = f"{panel.part}-source"
        panel.parts += 1
        said = {} if event["text"] is None else {"text": event["text"]}
        if event["url"] is None:
            return {
                "type": "source-document",
                "sourceId": source_id,
                "mediaType": "text/plain",
                "title": event["title"] or event["text"] or "source",
                "providerMetadata": panel.metadata(**said),
            }
        titled = {} if event["title"] is None else {"title": event["title"]}
        metadata = {"providerMetadata": panel.metadata(**said)}
        return {"type": "source-url", "sourceId": source_id, "url": event["url"], **titled, **metadata}

    def _fragment(self, panel: _Panel, event: PanelToolDelta) -> list[Chunk]:
        chunks: list[Chunk] = []
        told = panel.streaming.get((event["id"], event["name"]))
        if told is None:
            told = panel.streaming[event["id"], event["name"]] = self._ids.new(event["id"])
            chunks.append({"type": "tool-input-start", **_tool(told, event["name"])})
        return [*chunks, {"type": "tool-input-delta", "toolCallId": told, "inputTextDelta": event["delta"]}]

    def _call(self, panel: _Panel, event: PanelToolCall) -> Chunk:
        told = panel.streaming.pop((event["id"], event["name"]), None) or self._ids.new(event["id"])
        tool = _tool(told, event["name"])
        if not event["complete"]:
            return {"type": "tool-input-error", **tool, "input": event["arguments"], "errorText": _NOT_WHOLE}
        if not isinstance(event["arguments_json"], dict):
            return {"type": "tool-input-error", **tool, "input": event["arguments"], "errorText": _NO_OBJECT}
        panel.calls.append((event["id"], told))
        metadata = {"providerMetadata": panel.metadata()}
        return {"type": "tool-input-available", **tool, "input": event["arguments_json"], **metadata}

    def _retry(self, panel: _Panel, event: PanelRetry) -> list[Chunk]:
        chunks: list[Chunk] = []
        if event["reason"] == "fallback" and self._target == "v7" and self._expected == 1:
            # What was shown does not count any more. Elsewhere it stands, in a part of its own.
            chunks = [{"type": "reset-step"}, _progress(panel)]
        said = {name: value for name, value in event.items() if name != "event"}
        return [*chunks, {"type": "data-retry", "transient": True, "data": said}]

    def _ended(self, panel: _Panel, end: PanelEnd) -> list[Chunk]:
        chunks = _unfinished(panel)
        turn = _turns.sealed(end, panel.calls)
        if turn is not None:
            chunks.append({"type": "data-turn", "data": {"panel_id": panel.id, "message": turn}})
        panel.truth = outcome(end)
        if end["event"] == "panel_final":
            panel.outcome = _FINISH[end["status"]]
        elif end["code"] == "cancelled":
            panel.outcome = "abort"
        elif end["code"] in _BROKE and panel.said:
            panel.outcome = "interrupted"
        return [*chunks, {"type": "data-panel", "id": panel.id, "data": panel.truth}]


_NOT_WHOLE: Final = "The call did not come whole."
_NO_OBJECT: Final = "The arguments of the call are not a JSON object."


def _progress(panel: _Panel) -> Chunk:
    return {"type": "data-panel", "id": panel.id, "data": {"panel_id": panel.id, "status": "streaming"}}


def _say(panel: _Panel, kind: _Kind, text: str) -> list[Chunk]:
    if not text:
        return []
    chunks: list[Chunk] = []
    name = "reasoning" if kind == "reasoning" else "text"
    if panel.kind != kind:
        chunks = _close(panel)
        panel.kind = kind
        metadata = panel.metadata(**({"refusal": True} if kind == "refusal" else {}))
        chunks.append({"type": f"{name}-start", "id": panel.part, "providerMetadata": metadata})
    return [*chunks, {"type": f"{name}-delta", "id": panel.part, "delta": text}]


def _close(panel: _Panel) -> list[Chunk]:
    if panel.kind is None:
        return []
    name = "reasoning" if panel.kind == "reasoning" else "text"
    chunk: Chunk = {"type": f"{name}-end", "id": panel.part}
    panel.kind = None
    panel.parts += 1
    return [chunk]


def _unfinished(panel: _Panel) -> list[Chunk]:
    """Calls that were begun, and of which no more is known."""
    chunks: list[Chunk] = [
        {"type": "tool-input-error", **_tool(told, name), "input": "", "errorText": _NOT_WHOLE}
        for (_, name), told in panel.streaming.items()
    ]
    panel.streaming.clear()
    return chunks


def _tool(told: str, name: str) -> Chunk:
    return {"toolCallId": told, "toolName": name, "dynamic": True}


def _error(truths: list[Outcome]) -> str:
    if len(truths) == 1:
        return truths[0]["error"] or _NO_ANSWER
    return "\n".join(f"{found['panel_id']}: {found['error']}" for found in truths) or _NO_ANSWER


_NO_ANSWER: Final = "The stream ended before its last event."


encode, async_encode = framing.make_encoders(Chunks)
"""The body of a streamed response: from an iterable of events, and from an asynchronous one."""


@dataclass(frozen=True, slots=True)
class Request:
    """What `useChat` posted."""

    chat_id: str
    messages: list[Message]
    """For `messages=`; the last one is what is to be answered."""
    trigger: str
    """`submit-message` or `regenerate-message`."""
    message_id: str | None
    """For `Chunks`: of the message that the reply goes on with, after its tools were called; None for a new one."""
    call_ids: frozenset[str]
    """For `Chunks`: of the calls that the client knows, so that no other gets such an id."""


def read(body: Body, *, panel_id: str | None = None) -> Request:
    """What was posted. Raises ConfigurationError.

    panel_id: whose parts are read of a message that several panels wrote; the first one's where it wrote none.
    """
    request = _reading.read(body)
    messages: list[Message] = []
    found = request.objects("messages")
    if not found:
        request.fail("messages must not be empty")
    for message in found:
        role = message.text("role")
        if role == "assistant":
            for step in _steps(message):
                messages += _assistant(step, panel_id)
        elif role == "user":
            messages += _user(message)
        elif role == "system":
            texts = [part.text("text") for part in message.objects("parts") if part.text("type") == "text"]
            messages.append({"role": "system", "content": "".join(texts)})
        else:
            message.fail("role must be system, user or assistant")
    last = found[-1]
    return Request(
        chat_id=request.text("id"),
        messages=messages,
        trigger=request.maybe_text("trigger") or "submit-message",
        message_id=last.text("id") if last.text("role") == "assistant" else None,
        call_ids=frozenset(
            part.text("toolCallId")
            for message in found
            for part in message.objects("parts")
            if "toolCallId" in part.values
        ),
    )


def _user(message: Fields) -> list[Message]:
    content: list[Any] = []
    for part in message.objects("parts"):
        kind = part.text("type")
        if kind == "text":
            content.append({"type": "text", "text": part.text("text")})
        elif kind == "file":
            content.append(part.file(part.maybe_text("filename") or "file", part.text("url")))
        elif not kind.startswith("data-"):
            part.fail(f"a message of the user can't hold {quoted(kind)}")
    return [{"role": "user", "content": content}] if content else []


def _steps(message: Fields) -> list[list[Fields]]:
    """The parts of each reply of which the message is made: between them, tools were called."""
    steps: list[list[Fields]] = [[]]
    for part in message.objects("parts"):
        if part.text("type") == "step-start":
            steps.append([])
        else:
            steps[-1].append(part)
    return steps


_SHOWN: Final = ("source-url", "source-document")


def _assistant(step: list[Fields], panel_id: str | None) -> list[Message]:
    owners = [_owner(part) for part in step]
    wrote = [owner for owner in owners if owner is not None]
    mine = panel_id if panel_id in wrote else next(iter(wrote), None)
    turn: Message | None = None
    content: list[Any] = []
    results: list[ToolResultPart] = []
    for part, owner in zip(step, owners, strict=True):
        kind = part.text("type")
        if owner not in (None, mine) or kind in _SHOWN:
            continue
        if kind == "text" and not _ours(part, "providerMetadata").flag("refusal"):
            content.append({"type": "text", "text": part.text("text")})
        elif kind == "reasoning":
            content.append({"type": "reasoning", "text": part.text("text")})
        elif kind == "data-turn":
            turn = part.object("data").object("message").turn()
        elif kind == "dynamic-tool" or kind.startswith("tool-"):
            content += _call(part, kind)
            results += _result(part)
        elif kind != "text" and not kind.startswith("data-"):
            part.fail(f"a message of the assistant can't hold {quoted(kind)}")
    if turn is None:
        turn = {"role": "assistant", "content": content}
    if not turn["content"]:
        return []
    calls = _turns.called(turn)
    known = frozenset(calls)
    results = [result for result in results if result["tool_call_id"] in known]
    if len(results) < len(calls):
        turn["partial"] = True  # nobody ran the others: they are left out when it is sent
    return [turn, {"role": "tool", "content": results}] if results else [turn]


def _ours(part: Fields, name: str) -> Fields:
    return part.object(name).object("msgmodel")


def _owner(part: Fields) -> str | None:
    """The panel that wrote a part."""
    if part.text("type").startswith("data-"):
        data = part.values.get("data")
        return Fields(data, part.place).maybe_text("panel_id") if part.text("type") == "data-turn" else None
    name = "callProviderMetadata" if "toolCallId" in part.values else "providerMetadata"
    return _ours(part, name).maybe_text("panel_id")


def _call(part: Fields, kind: str) -> list[Any]:
    """The call of a tool's part, if it came whole."""
    arguments = part.values.get("input")
    if not isinstance(arguments, dict) or part.text("state") == "input-streaming":
        return []
    name = part.text("toolName") if kind == "dynamic-tool" else kind.removeprefix("tool-")
    return [{"type": "tool_call", "id": part.text("toolCallId"), "name": name, "arguments": arguments}]


def _result(part: Fields) -> list[ToolResultPart]:
    """What the call gave, if it was made."""
    state, id = part.text("state"), part.text("toolCallId")
    if state == "output-available":
        return [{"type": "tool_result", "tool_call_id": id, "content": part.values.get("output")}]
    if state == "output-error":
        return [{"type": "tool_result", "tool_call_id": id, "content": part.text("errorText"), "is_error": True}]
    if state == "output-denied":
        return [{"type": "tool_result", "tool_call_id": id, "content": "The user did not allow it.", "is_error": True}]
    return []
