"""AG-UI 1.0: what its `HttpAgent` posts and reads.

Rule: one request is one run. One panel is one message; several are subagents. Whatever is open is closed before the run
ends; a field without a value is left out, because the client refuses null. A call is told when it is whole.
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
from ._outcome import Outcome, interrupted, outcome, outcome_summary
from ._reading import Body, Fields
from ._turns import CallIds
from .framing import HEADERS as HEADERS
from .framing import Chunk

_COUNTS: Final = {
    "inputTokens": "input_tokens",
    "outputTokens": "output_tokens",
    "reasoningTokens": "reasoning_tokens",
    "cachedInputTokens": "cached_tokens",
    "cacheWriteInputTokens": "cache_write_tokens",
}


@dataclass(slots=True)
class _Panel:
    id: str
    message: str
    """Id of the message."""
    owner: dict[str, str]
    """What marks its events where there are several panels."""
    began: bool = False
    """Whether the client has the message: text or a call began it."""
    open: bool = False
    """Whether the text may go on."""
    reasoning: str = ""
    """Id of the reasoning that may go on."""
    refusal: str = ""
    """Id of the refusal that may go on."""
    extras: int = 0
    """Of these two there were so many."""
    last_reasoning: str = ""
    calls: list[tuple[str, str]] = field(default_factory=list)
    """Whole calls: their own id, and the one that the client was told."""
    truth: Outcome | None = None


class Chunks:
    """The events of one reply, or of the panels of one, to events of AG-UI.

    thread_id, run_id, call_ids: see `Request`. panels: how many there will be.
    """

    def __init__(self, thread_id: str, run_id: str, *, call_ids: Iterable[str] = (), panels: int = 1) -> None:
        self.last_frame = b""
        self._run = {"threadId": thread_id, "runId": run_id}
        self._expected = panels
        self._panels: dict[str, _Panel] = {}
        self._ids = CallIds(call_ids)

    def start(self) -> list[Chunk]:
        """What comes first."""
        return [{"type": "RUN_STARTED", **self._run, "protocolVersion": "1.0"}]

    def feed(self, event: BatchEvent) -> list[Chunk]:
        """The events of an event."""
        if event["event"] == "batch_final":
            return []
        panel = self._panels.get(event["panel_id"])
        chunks: list[Chunk] = []
        if panel is None:
            panel = self._panels[event["panel_id"]] = self._new(event["panel_id"])
            if panel.owner:
                chunks.append({"type": "SUBAGENT_STARTED", **panel.owner, "name": panel.id})
        if event["event"] == "panel_delta":
            return chunks + _text(panel, event["delta"])
        if event["event"] == "panel_reasoning":
            return chunks + _reason(panel, event["delta"])
        if event["event"] == "panel_refusal":
            return chunks + _refuse(panel, event["delta"])
        if event["event"] == "panel_tool_delta":
            return chunks
        chunks += _close_extras(panel)
        if event["event"] == "panel_tool_call":
            return chunks + self._call(panel, event)
        if event["event"] == "panel_source":
            return [*chunks, _custom(panel, "msgmodel.source", _without_kind(event))]
        if event["event"] == "panel_retry":
            return [*chunks, _custom(panel, "msgmodel.retry", _without_kind(event))]
        return chunks + self._ended(panel, event)

    def end(self) -> list[Chunk]:
        """What comes last. A panel whose terminal event has not come broke off."""
        chunks: list[Chunk] = []
        for panel in self._panels.values():
            if panel.truth is None:
                chunks += self._close(panel, interrupted(panel.id))
        truths = [panel.truth for panel in self._panels.values() if panel.truth is not None]
        codes = {found["code"] for found in truths}
        usage = [counted for found in truths if (counted := _usage(found))]
        counts = {"usage": usage} if usage else {}
        finished = {"type": "RUN_FINISHED", **self._run, "result": outcome_summary(truths), **counts}
        if truths and codes == {"cancelled"}:
            return [*chunks, finished | {"outcome": {"type": "cancelled"}}]
        if truths and None in codes:
            calls = [told for panel in self._panels.values() for _, told in panel.calls]
            pending = {"pendingToolCallIds": calls} if calls else {}
            return [*chunks, finished | {"outcome": {"type": "success", **pending}}]
        failed = [found for found in truths if found["code"] != "cancelled"]
        message = "; ".join(found["error"] or "" for found in failed) or "the stream ended before its last event"
        code = failed[0]["code"] if failed else "interrupted"
        return [*chunks, {"type": "RUN_ERROR", "message": message, "code": code, **counts}]

    def _new(self, panel_id: str) -> _Panel:
        alone = self._expected == 1
        message = f"{self._run['runId']}-{panel_id}"
        return _Panel(panel_id, message, {} if alone else {"subagentRunId": panel_id})

    def _call(self, panel: _Panel, event: PanelToolCall) -> list[Chunk]:
        if not event["complete"] or not isinstance(event["arguments_json"], dict):
            return [_custom(panel, "msgmodel.incomplete_tool_call", _without_kind(event))]
        told = self._ids.new(event["id"])
        panel.calls.append((event["id"], told))
        panel.began = True
        named = {"toolCallName": event["name"], "parentMessageId": panel.message}
        arguments = event["arguments"] if event["arguments"] not in ("", "null") else "{}"
        return [
            {"type": "TOOL_CALL_START", "toolCallId": told, **named, **panel.owner},
            {"type": "TOOL_CALL_ARGS", "toolCallId": told, "delta": arguments, **panel.owner},
            {"type": "TOOL_CALL_END", "toolCallId": told, **panel.owner},
        ]

    def _ended(self, panel: _Panel, end: PanelEnd) -> list[Chunk]:
        chunks: list[Chunk] = []
        turn = _turns.sealed(end, panel.calls)
        entity = panel.message if panel.began else panel.last_reasoning
        if turn is not None and entity:
            value = msgspec.json.encode({"msgmodel": turn}).decode()
            about = {"subtype": "message", "entityId": entity, "encryptedValue": value}
            chunks.append({"type": "REASONING_ENCRYPTED_VALUE", **about, **panel.owner})
        return chunks + self._close(panel, outcome(end))

    def _close(self, panel: _Panel, found: Outcome) -> list[Chunk]:
        """Ends whatever is open, and says how the panel ended."""
        panel.truth = found
        chunks = _close_extras(panel)
        if panel.open:
            chunks.append({"type": "TEXT_MESSAGE_END", "messageId": panel.message, **panel.owner})
            panel.open = False
        chunks.append(_custom(panel, "msgmodel.finish", found))
        if panel.owner and found["status"] == "error":
            said = {"message": found["error"], "code": found["code"]}
            chunks.append({"type": "SUBAGENT_ERROR", **panel.owner, **said})
        elif panel.owner:
            success = {"result": found, "outcome": {"type": "success"}}
            chunks.append({"type": "SUBAGENT_FINISHED", **panel.owner, **success})
        return chunks


def _text(panel: _Panel, text: str) -> list[Chunk]:
    if not text:
        return []
    chunks = _close_extras(panel)
    if not panel.open:
        panel.open = panel.began = True
        chunks.append({"type": "TEXT_MESSAGE_START", "messageId": panel.message, "role": "assistant", **panel.owner})
    return [*chunks, {"type": "TEXT_MESSAGE_CONTENT", "messageId": panel.message, "delta": text, **panel.owner}]


def _reason(panel: _Panel, text: str) -> list[Chunk]:
    if not text:
        return []
    chunks: list[Chunk] = []
    if not panel.reasoning:
        chunks = _close_extras(panel)
        panel.extras += 1
        panel.reasoning = panel.last_reasoning = f"{panel.message}-reasoning-{panel.extras}"
        about = {"messageId": panel.reasoning, **panel.owner}
        chunks.append({"type": "REASONING_START", **about})
        chunks.append({"type": "REASONING_MESSAGE_START", "role": "reasoning", **about})
    return [*chunks, {"type": "REASONING_MESSAGE_CONTENT", "messageId": panel.reasoning, "delta": text, **panel.owner}]


def _refuse(panel: _Panel, text: str) -> list[Chunk]:
    """The user reads it, in a message of its own: it is no part of the reply."""
    if not text:
        return []
    chunks: list[Chunk] = []
    if not panel.refusal:
        chunks = _close_extras(panel)
        panel.extras += 1
        panel.refusal = f"{panel.message}-refusal-{panel.extras}"
        about = {"messageId": panel.refusal, **panel.owner}
        chunks.append({"type": "TEXT_MESSAGE_START", "role": "assistant", "name": _REFUSAL, **about})
    return [*chunks, {"type": "TEXT_MESSAGE_CONTENT", "messageId": panel.refusal, "delta": text, **panel.owner}]


_REFUSAL: Final = "refusal"


def _close_extras(panel: _Panel) -> list[Chunk]:
    """Ends the reasoning and the refusal. The text may go on: it is one message."""
    chunks: list[Chunk] = []
    if panel.reasoning:
        about = {"messageId": panel.reasoning, **panel.owner}
        chunks += [{"type": "REASONING_MESSAGE_END", **about}, {"type": "REASONING_END", **about}]
    if panel.refusal:
        chunks.append({"type": "TEXT_MESSAGE_END", "messageId": panel.refusal, **panel.owner})
    panel.reasoning = panel.refusal = ""
    return chunks


def _custom(panel: _Panel, name: str, value: object) -> Chunk:
    return {"type": "CUSTOM", "name": name, "value": value, **panel.owner}


def _without_kind(event: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in event.items() if name != "event"}


def _usage(found: Outcome) -> dict[str, object]:
    usage: Usage | None = found["usage"]
    if usage is None:
        return {}
    counts = {name: usage[ours] for name, ours in _COUNTS.items() if usage[ours] is not None}  # type: ignore[literal-required]
    about = {"provider": found["provider"], "model": found["model"]}
    return {**{name: value for name, value in about.items() if value}, **counts}


encode, async_encode = framing.make_encoders(Chunks)
"""The body of a streamed response: from an iterable of events, and from an asynchronous one."""


@dataclass(frozen=True, slots=True)
class Request:
    """What an agent's client posted."""

    thread_id: str
    run_id: str
    messages: list[Message]
    """For `messages=`; the last one is what is to be answered."""
    tools: list[dict[str, Any]]
    """For `tools=`: the browser will run them."""
    call_ids: frozenset[str]
    """For `Chunks`: of the calls that the client knows, so that no other gets such an id."""


def read(body: Body, *, panel_id: str | None = None) -> Request:
    """What was posted. Raises ConfigurationError.

    panel_id: whose messages are read where several panels answered; the first one's without, or where it wrote none.
    """
    request = _reading.read(body)
    if request.objects("resume"):
        request.fail("resume answers an interrupt, and no run was interrupted")
    found = request.objects("messages")
    answered = {message.text("toolCallId") for message in found if message.text("role") == "tool"}
    owners = _owners(found, panel_id)
    messages: list[Message] = []
    context = [f"{item.text('description')}: {item.text('value')}" for item in request.objects("context")]
    if context:
        messages.append({"role": "system", "content": "\n".join(context)})
    for message, mine in zip(found, owners, strict=True):
        if message.maybe_text("subagentRunId") in (None, mine):
            messages += _message(message, answered)
    tools = [_tool(tool) for tool in request.objects("tools")]
    call_ids = frozenset(call.text("id") for message in found for call in message.objects("toolCalls"))
    return Request(request.id_text("threadId"), request.id_text("runId"), messages, tools, call_ids)


def _owners(found: list[Fields], panel_id: str | None) -> list[str | None]:
    """For each message the panel that counts there: one for all that follow a question."""
    owners: list[str | None] = []
    begin = 0
    for number, message in enumerate([*found, None]):
        if message is None or message.text("role") == "user":
            wrote = [owner for before in found[begin:number] if (owner := before.maybe_text("subagentRunId"))]
            mine = panel_id if panel_id in wrote else next(iter(wrote), None)
            owners += [mine] * (number - begin)
            begin = number
    return owners


def _message(message: Fields, answered: set[str]) -> list[Message]:
    role = message.text("role")
    if role in ("system", "developer"):
        return [{"role": "system", "content": message.text("content")}]
    if role == "user":
        content = _content(message)
        return [{"role": "user", "content": content}] if content else []
    if role == "tool":
        return [_result(message)]
    if role == "reasoning":
        sealed = _sealed(message)
        return [sealed] if sealed is not None else []
    if role == "activity" or (role == "assistant" and message.maybe_text("name") == _REFUSAL):
        return []
    if role != "assistant":
        message.fail("role must be developer, system, user, assistant, tool, reasoning or activity")
    turn = _sealed(message) or _turn(message)
    if not set(_turns.called(turn)) <= answered:
        turn["partial"] = True  # nobody ran the others: they are left out when it is sent
    return [turn] if turn["content"] else []


def _turn(message: Fields) -> Message:
    text = message.maybe_text("content")
    content: list[Any] = [{"type": "text", "text": text}] if text else []
    for call in message.objects("toolCalls"):
        function = call.object("function")
        named = {"name": function.text("name"), "arguments": function.text("arguments")}
        content.append({"type": "tool_call", "id": call.text("id"), **named})
    return {"role": "assistant", "content": content}


def _sealed(message: Fields) -> Message | None:
    """The turn as the panel ended with it, where this is the message that it was attached to."""
    try:
        value = msgspec.json.decode(message.maybe_text("encryptedValue") or "null")
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or "msgmodel" not in value:
        return None  # somebody else's
    return Fields(value["msgmodel"], f"{message.place}: encryptedValue").turn()


def _content(message: Fields) -> list[Any]:
    text = message.values.get("content")
    if isinstance(text, str):
        return [{"type": "text", "text": text}] if text else []
    parts: list[Any] = []
    for part in message.objects("content"):
        kind = part.text("type")
        if kind == "text":
            parts.append({"type": "text", "text": part.text("text")})
        elif kind in ("image", "audio", "video", "document"):
            parts.append(_file(part))
        else:
            part.fail(f"a message can't hold {quoted(kind)}")
    return parts


def _file(part: Fields) -> FilePart:
    source = part.object("source")
    name = part.object("metadata").maybe_text("filename") or "file"
    kind, value = source.text("type"), source.text("value")
    if kind not in ("data", "url"):
        source.fail("a file must come as data, or as a data: URL")
    return source.file_of_base64(name, value) if kind == "data" else source.file(name, value)


def _result(message: Fields) -> Message:
    content: JSON = message.values.get("content")
    if not isinstance(content, str):
        content = "".join(part.text("text") for part in message.objects("content") if part.text("type") == "text")
    error = message.maybe_text("error")
    result: Message = {
        "role": "tool",
        "tool_call_id": message.text("toolCallId"),
        "content": content if error is None else content or error,
    }
    if error is not None:
        result["is_error"] = True
    return result


def _tool(tool: Fields) -> dict[str, Any]:
    found: dict[str, Any] = {"name": tool.text("name"), "description": tool.maybe_text("description") or ""}
    if tool.values.get("parameters") is not None:
        found["parameters"] = dict(tool.object("parameters").values)
    return found
