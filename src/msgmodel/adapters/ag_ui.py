"""AG-UI 1.0: the requests that its `HttpAgent` posts, and the events that it reads.

Rule: one request is one run. One panel is one message; several panels are subagents. Everything open is closed before
the run ends. A field without a value is left out, because the client refuses null. A call is sent when it is complete.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from ..errors import quoted
from ..events import BatchEvent, PanelEnd, PanelToolCall, Usage
from ..messages import JSON, FilePart, Message
from . import _reading, _turns, framing
from ._outcome import INTERRUPTED_MESSAGE, Outcome, interrupted_outcome, read_outcome, summarize_outcomes
from ._reading import Body, Fields
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
        if event["event"] == "batch_final":
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
        chunks += _close_extras(panel)
        if event["event"] == "panel_tool_call":
            return chunks + self._feed_call(panel, event)
        if event["event"] == "panel_source":
            return [*chunks, _custom_event(panel, "msgmodel.source", _event_fields(event))]
        if event["event"] == "panel_retry":
            return [*chunks, _custom_event(panel, "msgmodel.retry", _event_fields(event))]
        return chunks + self._finish_panel(panel, event)

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
        if panel.text_open:
            chunks.append({"type": "TEXT_MESSAGE_END", "messageId": panel.message_id, **panel.owner})
            panel.text_open = False
        chunks.append(_custom_event(panel, "msgmodel.finish", found))
        if panel.owner and found["status"] == "error":
            failure = {"message": found["error"], "code": found["code"]}
            chunks.append({"type": "SUBAGENT_ERROR", **panel.owner, **failure})
        elif panel.owner:
            success = {"result": found, "outcome": {"type": "success"}}
            chunks.append({"type": "SUBAGENT_FINISHED", **panel.owner, **success})
        return chunks


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
        chunks.append({"type": "TEXT_MESSAGE_START", "role": "assistant", "name": _REFUSAL_NAME, **about})
    return [*chunks, {"type": "TEXT_MESSAGE_CONTENT", "messageId": panel.refusal_id, "delta": text, **panel.owner}]


_REFUSAL_NAME: Final = "refusal"


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


@dataclass(frozen=True, slots=True)
class Request:
    """The request of an agent's client."""

    thread_id: str
    run_id: str
    messages: list[Message]
    """For `messages=`; the reply answers the last one."""
    tools: list[dict[str, Any]]
    """For `tools=`; the browser runs them."""
    call_ids: frozenset[str]
    """For `Chunks`: ids of the calls that the client knows, so that no new call gets one of them."""


def read(body: Body, *, panel_id: str | None = None) -> Request:
    """Read the request of an agent's client.

    Args:
        body: the JSON body that the client posted.
        panel_id: the panel whose messages count if several panels answered; the first panel's count if it wrote none.

    Raises:
        ConfigurationError: the request is malformed, or holds something that providers can't receive.
    """
    request = _reading.read_body(body)
    if request.read_objects("resume"):
        request.fail("resume answers an interrupt, and no run was interrupted")
    found = request.read_objects("messages")
    answered = {message.require_text("toolCallId") for message in found if message.require_text("role") == "tool"}
    owners = _owners_of_messages(found, panel_id)
    messages: list[Message] = []
    context = [
        f"{item.require_text('description')}: {item.require_text('value')}" for item in request.read_objects("context")
    ]
    if context:
        messages.append({"role": "system", "content": "\n".join(context)})
    for message, mine in zip(found, owners, strict=True):
        if message.optional_text("subagentRunId") in (None, mine):
            messages += _read_ag_ui_message(message, answered)
    tools = [_read_ag_ui_tool(tool) for tool in request.read_objects("tools")]
    call_ids = frozenset(call.require_text("id") for message in found for call in message.read_objects("toolCalls"))
    return Request(request.require_id("threadId"), request.require_id("runId"), messages, tools, call_ids)


def _owners_of_messages(found: list[Fields], panel_id: str | None) -> list[str | None]:
    """Return for each message the panel that counts there: the same for all messages after one question."""
    owners: list[str | None] = []
    begin = 0
    for number, message in enumerate([*found, None]):
        if message is None or message.require_text("role") == "user":
            wrote = [owner for before in found[begin:number] if (owner := before.optional_text("subagentRunId"))]
            mine = panel_id if panel_id in wrote else next(iter(wrote), None)
            owners += [mine] * (number - begin)
            begin = number
    return owners


def _read_ag_ui_message(message: Fields, answered: set[str]) -> list[Message]:
    role = message.require_text("role")
    if role in ("system", "developer"):
        return [{"role": "system", "content": message.require_text("content")}]
    if role == "user":
        content = _read_user_content(message)
        return [{"role": "user", "content": content}] if content else []
    if role == "tool":
        return [_read_tool_message(message)]
    if role == "reasoning":
        sealed = _read_sealed_turn(message)
        return [sealed] if sealed is not None else []
    if role == "activity" or (role == "assistant" and message.optional_text("name") == _REFUSAL_NAME):
        return []
    if role != "assistant":
        message.fail("role must be developer, system, user, assistant, tool, reasoning or activity")
    turn = _read_sealed_turn(message) or _read_assistant_message(message)
    if not set(_turns.called_ids(turn)) <= answered:
        turn["partial"] = True  # the other calls were not run: the question leaves them out, as providers refuse them
    return [turn] if turn["content"] else []


def _read_assistant_message(message: Fields) -> Message:
    text = message.optional_text("content")
    content: list[Any] = [{"type": "text", "text": text}] if text else []
    for call in message.read_objects("toolCalls"):
        function = call.read_object("function")
        named = {"name": function.require_text("name"), "arguments": function.require_text("arguments")}
        content.append({"type": "tool_call", "id": call.require_text("id"), **named})
    return {"role": "assistant", "content": content}


def _read_sealed_turn(message: Fields) -> Message | None:
    """Return the turn that `seal_turn` attached to this message; None if there is none."""
    try:
        value = msgspec.json.decode(message.optional_text("encryptedValue") or "null")
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or "msgmodel" not in value:
        return None  # another program attached this value
    return Fields(value["msgmodel"], f"{message.place}: encryptedValue").read_turn()


def _read_user_content(message: Fields) -> list[Any]:
    text = message.values.get("content")
    if isinstance(text, str):
        return [{"type": "text", "text": text}] if text else []
    return [_read_user_part(part) for part in message.read_objects("content")]


def _read_user_part(part: Fields) -> Any:
    kind = part.require_text("type")
    if kind == "text":
        return {"type": "text", "text": part.require_text("text")}
    if kind not in ("image", "audio", "video", "document"):
        part.fail(f"a message can't hold {quoted(kind)}")
    return _read_file_part(part)


def _read_file_part(part: Fields) -> FilePart:
    source = part.read_object("source")
    name = part.read_object("metadata").optional_text("filename") or "file"
    kind, value = source.require_text("type"), source.require_text("value")
    if kind not in ("data", "url"):
        source.fail("a file must come as data, or as a data: URL")
    return source.read_base64_file(name, value) if kind == "data" else source.read_data_url(name, value)


def _read_tool_message(message: Fields) -> Message:
    content: JSON = message.values.get("content")
    if not isinstance(content, str):
        content = "".join(
            part.require_text("text") for part in message.read_objects("content") if part.require_text("type") == "text"
        )
    error = message.optional_text("error")
    result: Message = {
        "role": "tool",
        "tool_call_id": message.require_text("toolCallId"),
        "content": content if error is None else content or error,
    }
    if error is not None:
        result["is_error"] = True
    return result


def _read_ag_ui_tool(tool: Fields) -> dict[str, Any]:
    found: dict[str, Any] = {"name": tool.require_text("name"), "description": tool.optional_text("description") or ""}
    if tool.values.get("parameters") is not None:
        found["parameters"] = dict(tool.read_object("parameters").values)
    return found
