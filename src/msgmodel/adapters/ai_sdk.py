"""The UI message stream of Vercel's AI SDK: the requests that `useChat` posts, and the chunks that it reads.

Rule: a part opens at its first text, and closes before a part of another kind; panels interleave by their ids. A panel
that fails does not end the message; `error` and `abort` are the last chunk, after our own outcome.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias, get_args

from ..errors import ConfigurationError, quoted
from ..events import BatchEvent, PanelEnd, PanelRetry, PanelSource, PanelToolCall, PanelToolDelta, Status
from ..messages import Message, ToolResultPart
from . import _reading, _turns, framing
from ._outcome import Outcome, interrupted_outcome, read_outcome, summarize_outcomes
from ._reading import Body, Fields
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
    calls: list[tuple[str, str]] = field(default_factory=list)
    """Calls that may be executed: their own id, and the client's id."""
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
        if event["event"] == "batch_final":
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
        chunks += _close_part(panel)
        if event["event"] == "panel_source":
            return [*chunks, self._source_chunk(panel, event)]
        if event["event"] == "panel_tool_delta":
            return chunks + self._feed_arguments(panel, event)
        if event["event"] == "panel_tool_call":
            return [*chunks, self._call_chunk(panel, event)]
        if event["event"] == "panel_retry":
            return chunks + self._feed_retry(panel, event)
        return chunks + self._finish_panel(panel, event)

    def end(self) -> list[Chunk]:
        """Return the last chunks. A panel without a terminal event counts as interrupted."""
        chunks: list[Chunk] = []
        for panel in self._panels.values():
            if panel.outcome is None:
                chunks += _close_part(panel) + _fail_open_calls(panel)
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
        text = {} if event["text"] is None else {"text": event["text"]}
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

    def _call_chunk(self, panel: _AiSdkPanel, event: PanelToolCall) -> Chunk:
        client_id = panel.open_calls.pop((event["id"], event["name"]), None) or self._ids.make_id(event["id"])
        tool = _tool_fields(client_id, event["name"])
        if not event["complete"]:
            return {"type": "tool-input-error", **tool, "input": event["arguments"], "errorText": _INCOMPLETE_CALL}
        if not isinstance(event["arguments_json"], dict):
            return {"type": "tool-input-error", **tool, "input": event["arguments"], "errorText": _ARGUMENTS_NO_OBJECT}
        panel.calls.append((event["id"], client_id))
        metadata = {"providerMetadata": panel.provider_metadata()}
        return {"type": "tool-input-available", **tool, "input": event["arguments_json"], **metadata}

    def _feed_retry(self, panel: _AiSdkPanel, event: PanelRetry) -> list[Chunk]:
        chunks: list[Chunk] = []
        if event["reason"] == "fallback" and self._target == "v7" and self._panel_count == 1:
            # The text of the first provider no longer counts. Other targets keep it, in a part of its own.
            chunks = [{"type": "reset-step"}, _streaming_chunk(panel)]
        retry = {name: value for name, value in event.items() if name != "event"}
        return [*chunks, {"type": "data-retry", "transient": True, "data": retry}]

    def _finish_panel(self, panel: _AiSdkPanel, end: PanelEnd) -> list[Chunk]:
        chunks = _fail_open_calls(panel)
        turn = _turns.seal_turn(end, panel.calls)
        if turn is not None:
            chunks.append({"type": "data-turn", "data": {"panel_id": panel.id, "message": turn}})
        panel.outcome = read_outcome(end)
        if end["event"] == "panel_final":
            panel.finish = _FINISH_REASONS[end["status"]]
        elif end["code"] == "cancelled":
            panel.finish = "abort"
        elif end["code"] in _INTERRUPTING_CODES and panel.has_text:
            panel.finish = "interrupted"
        return [*chunks, {"type": "data-panel", "id": panel.id, "data": panel.outcome}]


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


def _tool_fields(client_id: str, name: str) -> Chunk:
    return {"toolCallId": client_id, "toolName": name, "dynamic": True}


def _error_text(outcomes: list[Outcome]) -> str:
    if len(outcomes) == 1:
        return outcomes[0]["error"] or _NO_LAST_EVENT
    return "\n".join(f"{found['panel_id']}: {found['error']}" for found in outcomes) or _NO_LAST_EVENT


_NO_LAST_EVENT: Final = "The stream ended before its last event."


encode, async_encode = framing.make_encoders(Chunks)
"""The body of a streamed response: from an iterable of events, and from an asynchronous one."""


@dataclass(frozen=True, slots=True)
class Request:
    """The request of `useChat`."""

    chat_id: str
    messages: list[Message]
    """For `messages=`; the reply answers the last one."""
    trigger: str
    """`submit-message` or `regenerate-message`."""
    message_id: str | None
    """For `Chunks`: id of the message that the reply continues after a tool call; None for a new message."""
    call_ids: frozenset[str]
    """For `Chunks`: ids of the calls that the client knows, so that no new call gets one of them."""


def read(body: Body, *, panel_id: str | None = None) -> Request:
    """Read the request of `useChat`.

    Args:
        body: the JSON body that the client posted.
        panel_id: the panel whose parts count in a message of several panels; the first panel's count if it wrote none.

    Raises:
        ConfigurationError: the request is malformed, or holds something that providers can't receive.
    """
    request = _reading.read_body(body)
    found = request.read_objects("messages")
    if not found:
        request.fail("messages must not be empty")
    messages = [turn for message in found for turn in _read_ai_sdk_message(message, panel_id)]
    last = found[-1]
    return Request(
        chat_id=request.require_text("id"),
        messages=messages,
        trigger=request.optional_text("trigger") or "submit-message",
        message_id=last.require_text("id") if last.require_text("role") == "assistant" else None,
        call_ids=frozenset(
            part.require_text("toolCallId")
            for message in found
            for part in message.read_objects("parts")
            if "toolCallId" in part.values
        ),
    )


def _read_ai_sdk_message(message: Fields, panel_id: str | None) -> list[Message]:
    role = message.require_text("role")
    if role == "assistant":
        return [turn for step in _split_steps(message) for turn in _read_assistant_step(step, panel_id)]
    if role == "user":
        return _read_user_message(message)
    if role != "system":
        message.fail("role must be system, user or assistant")
    texts = [part.require_text("text") for part in message.read_objects("parts") if part.require_text("type") == "text"]
    return [{"role": "system", "content": "".join(texts)}]


def _read_user_message(message: Fields) -> list[Message]:
    content: list[Any] = []
    for part in message.read_objects("parts"):
        kind = part.require_text("type")
        if kind == "text":
            content.append({"type": "text", "text": part.require_text("text")})
        elif kind == "file":
            content.append(part.read_data_url(part.optional_text("filename") or "file", part.require_text("url")))
        elif not kind.startswith("data-"):
            part.fail(f"a message of the user can't hold {quoted(kind)}")
    return [{"role": "user", "content": content}] if content else []


def _split_steps(message: Fields) -> list[list[Fields]]:
    """Return the parts of each reply in a message: a message goes on with a new reply after tool calls."""
    steps: list[list[Fields]] = [[]]
    for part in message.read_objects("parts"):
        if part.require_text("type") == "step-start":
            steps.append([])
        else:
            steps[-1].append(part)
    return steps


_DISPLAY_ONLY: Final = ("source-url", "source-document")


def _read_assistant_step(step: list[Fields], panel_id: str | None) -> list[Message]:
    """Return the turn of the one panel that counts, and the results of its calls."""
    owners = [_owner_of_part(part) for part in step]
    wrote = [owner for owner in owners if owner is not None]
    mine = panel_id if panel_id in wrote else next(iter(wrote), None)
    turn: Message | None = None
    content: list[Any] = []
    results: list[ToolResultPart] = []
    for part, owner in zip(step, owners, strict=True):
        if owner not in (None, mine):
            continue
        if part.require_text("type") == "data-turn":
            turn = part.read_object("data").read_object("message").read_turn()
            continue
        content += _read_assistant_part(part)
        if _is_tool_part(part):
            results += _read_result(part)
    if turn is None:
        turn = {"role": "assistant", "content": content}
    if not turn["content"]:
        return []
    calls = _turns.called_ids(turn)
    known = frozenset(calls)
    results = [result for result in results if result["tool_call_id"] in known]
    if len(results) < len(calls):
        turn["partial"] = True  # the other calls were not run: the question leaves them out, as providers refuse them
    return [turn, {"role": "tool", "content": results}] if results else [turn]


def _read_assistant_part(part: Fields) -> list[Any]:
    """Return what one part adds to the turn: nothing for what we only show."""
    kind = part.require_text("type")
    if kind in _DISPLAY_ONLY or kind.startswith("data-"):
        return []
    if kind == "text":
        refused = _our_metadata(part, "providerMetadata").read_flag("refusal")
        return [] if refused else [{"type": "text", "text": part.require_text("text")}]
    if kind == "reasoning":
        return [{"type": "reasoning", "text": part.require_text("text")}]
    if not _is_tool_part(part):
        part.fail(f"a message of the assistant can't hold {quoted(kind)}")
    return _read_call(part, kind)


def _is_tool_part(part: Fields) -> bool:
    kind = part.require_text("type")
    return kind == "dynamic-tool" or kind.startswith("tool-")


def _our_metadata(part: Fields, name: str) -> Fields:
    return part.read_object(name).read_object("msgmodel")


def _owner_of_part(part: Fields) -> str | None:
    """Return the panel that wrote a part; None for parts of no panel."""
    if part.require_text("type").startswith("data-"):
        data = part.values.get("data")
        return Fields(data, part.place).optional_text("panel_id") if part.require_text("type") == "data-turn" else None
    name = "callProviderMetadata" if "toolCallId" in part.values else "providerMetadata"
    return _our_metadata(part, name).optional_text("panel_id")


def _read_call(part: Fields, kind: str) -> list[Any]:
    """Return the call of a tool part if it is complete."""
    arguments = part.values.get("input")
    if not isinstance(arguments, dict) or part.require_text("state") == "input-streaming":
        return []
    name = part.require_text("toolName") if kind == "dynamic-tool" else kind.removeprefix("tool-")
    return [{"type": "tool_call", "id": part.require_text("toolCallId"), "name": name, "arguments": arguments}]


def _read_result(part: Fields) -> list[ToolResultPart]:
    """Return the result of a call if it ran."""
    state, id = part.require_text("state"), part.require_text("toolCallId")
    if state == "output-available":
        return [{"type": "tool_result", "tool_call_id": id, "content": part.values.get("output")}]
    if state not in ("output-error", "output-denied"):
        return []
    reason = part.require_text("errorText") if state == "output-error" else "The user denied this call."
    return [{"type": "tool_result", "tool_call_id": id, "content": reason, "is_error": True}]
