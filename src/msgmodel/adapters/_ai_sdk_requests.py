"""Read the requests that `useChat` of Vercel's AI SDK posts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ..errors import quoted
from ..messages import Message, ToolResultPart
from . import _reading, _turns
from ._reading import Body, Fields


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
    tools: list[dict[str, Any]] = field(default_factory=list)
    """For `tools=`: the functions of the browser."""


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
    if system := request.optional_text("system"):
        messages.insert(0, {"role": "system", "content": system})
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
        tools=_read_ai_sdk_tools(request),
    )


def _read_ai_sdk_tools(request: Fields) -> list[dict[str, Any]]:
    """Return the tools in the body, as assistant-ui sends them: an object of them by name. A list is taken, too."""
    value = request.values.get("tools")
    if isinstance(value, Mapping):
        by_name = request.read_object("tools")
        return [_read_ai_sdk_tool(by_name.read_object(name), name) for name in by_name.values]
    return [_read_ai_sdk_tool(tool, tool.require_text("name")) for tool in request.read_objects("tools")]


def _read_ai_sdk_tool(tool: Fields, name: str) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name, "description": tool.optional_text("description") or ""}
    schema = next((word for word in ("inputSchema", "parameters") if tool.values.get(word) is not None), None)
    if schema is not None:
        fields = tool.read_object(schema)
        # `jsonSchema(...)` of the package `ai` keeps the schema in this field.
        inner = fields.read_object("jsonSchema") if "jsonSchema" in fields.values else fields
        found["parameters"] = dict(inner.values)
    return found


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


_DISPLAY_ONLY: Final = ("source-url", "source-document", "file", "reasoning-file")
"""Parts that a provider does not get back, or that stand in the turn that `seal_turn` sent."""


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
    if kind in _DISPLAY_ONLY or kind.startswith("data-") or _is_run(part):
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


def _is_run(part: Fields) -> bool:
    """Return whether a part is a tool that the provider ran: its turn has it, if the provider wants it back."""
    return "toolCallId" in part.values and part.read_flag("providerExecuted") and "approval" not in part.values


def _read_decision(part: Fields, id: str) -> list[ToolResultPart]:
    """Return whether the user allowed a call that the provider will run, if the user has decided."""
    approval = part.read_object("approval")
    if approval.values.get("approved") is None:
        return []
    decision: dict[str, Any] = {"approve": approval.read_flag("approved")}
    if reason := approval.optional_text("reason"):
        decision["reason"] = reason
    return [{"type": "tool_result", "tool_call_id": id, "content": decision}]


def _read_call(part: Fields, kind: str) -> list[Any]:
    """Return the call of a tool part if it is complete."""
    arguments = part.values.get("input")
    if not isinstance(arguments, dict) or part.require_text("state") == "input-streaming":
        return []
    name = part.require_text("toolName") if kind == "dynamic-tool" else kind.removeprefix("tool-")
    call = {"type": "tool_call", "id": part.require_text("toolCallId"), "name": name, "arguments": arguments}
    return [call | {"kind": "approval"} if part.read_flag("providerExecuted") else call]


def _read_result(part: Fields) -> list[ToolResultPart]:
    """Return the result of a call if it ran."""
    state, id = part.require_text("state"), part.require_text("toolCallId")
    if part.read_flag("providerExecuted"):
        return _read_decision(part, id)
    if state == "output-available":
        return [{"type": "tool_result", "tool_call_id": id, "content": part.values.get("output")}]
    if state not in ("output-error", "output-denied"):
        return []
    reason = part.require_text("errorText") if state == "output-error" else "The user denied this call."
    return [{"type": "tool_result", "tool_call_id": id, "content": reason, "is_error": True}]
