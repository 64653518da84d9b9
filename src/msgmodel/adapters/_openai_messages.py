"""Read the messages of OpenAI's Chat Completions API as messages of ours.

Rule: a conversation that OpenAI takes is taken. Other providers refuse one without a question of the user, or with a
blank one, so such a conversation gets the words below; nothing else is added.
"""

from __future__ import annotations

from typing import Any, Final

from ..errors import quoted
from ..messages import FilePart, Message
from ._reading import Fields

EMPTY_MESSAGE: Final = "(empty message)"
"""What the user says in a message without any content."""
CONTINUE_MESSAGE: Final = "Continue."
"""What the user says after a conversation that ends with the assistant."""

_DETAILS: Final = ("low", "high", "original")


def read_openai_messages(request: Fields) -> list[Message]:
    """Return the messages of a request. Raise ConfigurationError if one is wrong, or there are none."""
    messages = [read for message in request.read_objects("messages") for read in _read_openai_message(message)]
    if not messages:
        request.fail("messages must not be empty")
    spoken = [message for message in messages if message["role"] != "system"]
    if not spoken:
        messages[-1] = {"role": "user", "content": messages[-1]["content"]}
    elif spoken[-1]["role"] == "assistant":
        messages.append({"role": "user", "content": CONTINUE_MESSAGE})
    return messages


def _read_openai_message(message: Fields) -> list[Message]:
    role = message.require_text("role")
    if role in ("system", "developer"):
        return [{"role": "system", "content": _speaker_of(message) + _joined_text(message)}]
    if role == "user":
        content = [_read_openai_part(part) for part in _content_parts(message)]
        if speaker := _speaker_of(message):
            content.insert(0, {"type": "text", "text": speaker})
        if all(part["type"] == "text" and not part["text"].strip() for part in content):
            return [{"role": "user", "content": EMPTY_MESSAGE}]
        return [{"role": "user", "content": content}]
    if role == "tool":
        return [
            {"role": "tool", "tool_call_id": message.require_text("tool_call_id"), "content": _joined_text(message)}
        ]
    if role != "assistant":
        message.fail("role must be developer, system, user, assistant or tool")
    if message.values.get("audio") is not None:
        message.fail("audio of an earlier reply can't be sent back here: send its transcript as content")
    turn = _read_assistant_turn(message)
    return [{"role": "assistant", "content": turn}] if turn else []


def _speaker_of(message: Fields) -> str:
    """Return the name of the speaker, as words before the content: only OpenAI's API has a field for it."""
    name = message.optional_text("name")
    return f"{name}: " if name else ""


def _read_assistant_turn(message: Fields) -> list[Any]:
    turn: list[Any] = []
    if speaker := _speaker_of(message):
        turn.append({"type": "text", "text": speaker})
    reasoning = message.values.get("reasoning_content")
    if isinstance(reasoning, str) and reasoning:
        turn.append({"type": "reasoning", "text": reasoning})
    turn += [_read_openai_part(part) for part in _content_parts(message) if part.require_text("type") != "refusal"]
    return [*turn, *map(_read_past_call, message.read_objects("tool_calls"))]


def _read_past_call(call: Fields) -> dict[str, Any]:
    id = call.require_text("id")
    if call.values.get("type") == "custom":
        custom = call.read_object("custom")
        named = {"name": custom.require_text("name"), "arguments": custom.require_text("input")}
        return {"type": "tool_call", "id": id, **named, "kind": "custom"}
    function = call.read_object("function")
    named = {"name": function.require_text("name"), "arguments": function.require_text("arguments")}
    return {"type": "tool_call", "id": id, **named}


def _content_parts(message: Fields) -> list[Fields]:
    content = message.values.get("content")
    if isinstance(content, str):
        return [Fields({"type": "text", "text": content}, message.place)] if content else []
    return message.read_objects("content")


def _joined_text(message: Fields) -> str:
    for part in _content_parts(message):
        if part.require_text("type") != "text":
            part.fail("must be of type text")
    return "".join(part.require_text("text") for part in _content_parts(message))


def _read_openai_part(part: Fields) -> Any:
    kind = part.require_text("type")
    if kind == "text":
        return {"type": "text", "text": part.require_text("text")}
    if kind == "image_url":
        return _read_openai_image(part, part.read_object("image_url"))
    if kind == "input_audio":
        audio = part.read_object("input_audio")
        return audio.read_base64_file(f"audio.{audio.require_text('format')}", audio.require_text("data"))
    if kind != "file":
        part.fail(f"a message can't hold {quoted(kind)}")
    return _read_openai_file(part.read_object("file"))


def _read_openai_image(part: Fields, image: Fields) -> FilePart:
    found = part.read_data_url("image", image.require_text("url"))
    detail = image.optional_text("detail")
    if detail in (None, "auto"):
        return found
    if detail not in _DETAILS:
        image.fail(f"detail must be auto, {', '.join(_DETAILS)}, not {quoted(detail)}")
    return {**found, "detail": detail}  # type: ignore[typeddict-item]


def _read_openai_file(file: Fields) -> FilePart:
    if file.values.get("file_id") is not None:
        file.fail("a file must come as file_data; nothing is stored here")
    name, data = file.optional_text("filename") or "file", file.require_text("file_data")
    return file.read_data_url(name, data) if data[:5].lower() == "data:" else file.read_base64_file(name, data)
