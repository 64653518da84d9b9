"""Read the requests that `HttpAgent` of AG-UI posts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from ..errors import quoted
from ..messages import JSON, FilePart, Message
from . import _reading, _turns
from ._reading import Body, Fields

REFUSAL_NAME: Final = "refusal"
"""The name of the message that holds a refusal."""


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
    if role == "activity" or (role == "assistant" and message.optional_text("name") == REFUSAL_NAME):
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
