"""Reads messages and parts as OpenAI, Anthropic and MCP write them, and turns them into ours. Pure.

Rule: no field that the caller would miss is dropped: it is read, or the error names it. Fields that a provider writes
into its reply and takes from no one, such as annotations and usage, are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..errors import ConfigurationError, quoted
from .known_keys import refuse_unknown_keys

_REPLY_FIELDS = frozenset(
    (
        *("annotations", "citations", "container", "createdAt", "created_at", "id", "logprobs", "model", "object"),
        *("status", "stop_details", "stop_reason", "stop_sequence", "usage"),
    )
)
"""Fields of a reply that are not part of the conversation."""
_KEYS_BY_ROLE = {
    "system": frozenset(("role", "content", "type", "id")),
    "user": frozenset(("role", "content", "type", "id")),
    "tool": frozenset(("role", "content", "type", "id", "tool_call_id", "is_error", "name")),
    "assistant": _REPLY_FIELDS
    | {
        *("role", "content", "type", "partial", "failed"),
        *("tool_calls", "refusal", "reasoning", "reasoning_content", "reasoning_details"),
    },
}
_FILE_ADVICE = "files stand in content: {'type': 'file', 'name': ..., 'data': ...}"
_CACHE_ADVICE = "pass cache_prompt=True to the call instead"
_MESSAGE_ADVICE = {
    **dict.fromkeys(("file", "files", "image", "images", "attachment", "attachments"), _FILE_ADVICE),
    "parts": "pass them as content",
    "text": "pass it as content",
    "function_call": "pass it as tool_calls, each with an id",
    "name": "providers other than OpenAI have none: write it into the content",
    "cache_control": _CACHE_ADVICE,
    "audio": "pass its transcript as content",
}
_PART_ADVICE = {
    "cache_control": _CACHE_ADVICE,
    "file_id": "a file can't be sent by its id: pass its data or its URL",
    "image": "an image is {'type': 'file', 'name': ..., 'data': ...}",
    "source": _FILE_ADVICE,
}
_KEYS_OF_ANY_PART = frozenset(("type", "annotations", "_meta", "meta"))
"""Keys that any part of MCP, OpenAI or Anthropic may have and that say nothing to a model."""


def read_message_shape(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a message in our form. Raise ConfigurationError for a key that would be lost.

    Args:
        message: A message in our form, or as OpenAI's Chat Completions API and Anthropic's SDK write it.
    """
    role = message.get("role")
    keys = _KEYS_BY_ROLE.get("system" if role == "developer" else role) if isinstance(role, str) else None
    if keys is None:
        return message  # the reader refuses the role
    refuse_unknown_keys(message, keys, f"a message of role {role}", _MESSAGE_ADVICE)
    if message.get("type") not in (None, "message"):
        raise ConfigurationError(f"the type of a message is 'message', not {quoted(message['type'])}: leave it out")
    if role == "tool" and "content" in message and message["content"] is None:
        return {**message, "content": ""}
    return _read_assistant_shape(message) if role == "assistant" else message


def _read_assistant_shape(message: Mapping[str, Any]) -> Mapping[str, Any]:
    before = _read_reasoning_fields(message)
    after: list[Any] = []
    if refusal := message.get("refusal"):
        after.append({"type": "refusal", "text": refusal})
    calls = message.get("tool_calls")
    if calls is not None and not isinstance(calls, (list, tuple)):
        raise ConfigurationError(f"tool_calls must be a list, not {type(calls).__name__}")
    for number, call in enumerate(calls or ()):
        try:
            after.append(_read_openai_call(call))
        except ConfigurationError as error:
            raise ConfigurationError(f"tool_calls[{number}]: {error.message}") from None
    content = message.get("content")
    if content is None and "content" in message:
        content = ""
    if content is None and after:
        content = ""
    if not before and not after:
        return message if content is message.get("content") else {**message, "content": content}
    if isinstance(content, str):
        content = [{"type": "text", "text": content}] if content else []
    if not isinstance(content, (list, tuple)):
        return message  # the reader refuses the content
    return {"role": "assistant", "content": [*before, *content, *after], "partial": message.get("partial")}


def _read_reasoning_fields(message: Mapping[str, Any]) -> list[Any]:
    """Return the reasoning that compatible servers put beside the content, as a part."""
    text = next((value for name in ("reasoning_content", "reasoning") if (value := message.get(name))), "")
    details = message.get("reasoning_details")
    if not text and not details:
        return []
    part: dict[str, Any] = {"type": "reasoning", "text": text}
    if details:  # https://openrouter.ai/docs/guides/best-practices/reasoning-tokens
        data = {"reasoning_details": details}
        part["opaque"] = {"provider": "openrouter", "wire": "openai_chat", "data": data}
    return [part]


def _read_openai_call(call: Any) -> dict[str, Any]:
    if not isinstance(call, Mapping):
        raise ConfigurationError("must be a dict with id, type and function")
    refuse_unknown_keys(call, ("id", "type", "index", "function", "custom"), "a call")
    function, custom = call.get("function"), call.get("custom")
    if isinstance(custom, Mapping):  # a tool that takes free text
        refuse_unknown_keys(custom, ("name", "input"), "custom")
        function = {"name": custom.get("name"), "arguments": {"input": custom.get("input")}}
    if not isinstance(function, Mapping):
        raise ConfigurationError("function must be a dict with name and arguments")
    refuse_unknown_keys(function, ("name", "arguments"), "function")
    arguments = function.get("arguments")
    return {"type": "tool_call", "id": call.get("id"), "name": function.get("name"), "arguments": arguments}


# --- parts ---


class _ForeignShape(NamedTuple):
    """A shape of a part that others write."""

    field: str
    """The field that tells it from a part of ours with the same type."""
    keys: frozenset[str]
    read: Callable[[Mapping[str, Any]], dict[str, Any]]


def read_part_shape(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a part in our form. Raise ConfigurationError for a key that would be lost.

    Args:
        part: A part in our form, or as OpenAI, Anthropic or MCP write it.
    """
    kind = part.get("type")
    for shape in _FOREIGN_SHAPES.get(kind, ()) if isinstance(kind, str) else ():
        if shape.field in part:
            refuse_unknown_keys(part, shape.keys | _KEYS_OF_ANY_PART, f"a part of type {kind}", _PART_ADVICE)
            return shape.read(part)
    return part


def refuse_lost_keys(part: Mapping[str, Any], keys: frozenset[str]) -> None:
    """Raise ConfigurationError for a key that a part in our form does not have."""
    refuse_unknown_keys(part, keys | _KEYS_OF_ANY_PART, f"a part of type {part['type']}", _PART_ADVICE)


def _read_openai_image(part: Mapping[str, Any]) -> dict[str, Any]:
    image = part["image_url"]
    if isinstance(image, Mapping):
        refuse_unknown_keys(image, ("url", "detail"), "image_url")
        part, image = image, image.get("url")
    wanted = {} if part.get("detail") in (None, "auto") else {"detail": part["detail"]}
    return {**_file_at_address(image, "image", "image/*"), **wanted}


def _read_openai_audio(part: Mapping[str, Any]) -> dict[str, Any]:
    audio = part["input_audio"]
    if not isinstance(audio, Mapping):
        raise ConfigurationError("input_audio must be a dict with data and format")
    refuse_unknown_keys(audio, ("data", "format"), "input_audio")
    return {"type": "file", "name": f"audio.{audio.get('format')}", "data": audio.get("data")}


def _read_openai_file_part(part: Mapping[str, Any]) -> dict[str, Any]:
    file = part.get("file", part)
    if not isinstance(file, Mapping):
        raise ConfigurationError("file must be a dict with file_data and filename")
    if file is not part:
        refuse_unknown_keys(file, ("file_data", "filename", "file_url"), "file", _PART_ADVICE)
    name, data = file.get("filename"), file.get("file_data")
    if data is None and file.get("file_url") is not None:
        return _file_at_address(file["file_url"], name, None)
    if isinstance(data, str) and data[:5].lower() == "data:":
        return _file_at_address(data, name, None)
    return {"type": "file", "name": name or "file", "data": data}


def _read_anthropic_file(part: Mapping[str, Any]) -> dict[str, Any]:
    source, kind = part["source"], part["type"]
    if not isinstance(source, Mapping):
        raise ConfigurationError("source must be a dict with a type")
    refuse_unknown_keys(source, ("type", "media_type", "data", "url", "content"), "source", _PART_ADVICE)
    asked = part.get("citations")
    if part.get("context") is not None or (isinstance(asked, Mapping) and asked.get("enabled")):
        raise ConfigurationError("context and citations can't be sent with a document: write them into the text")
    name = part.get("title") or kind
    if source.get("type") == "url":
        return _file_at_address(source.get("url"), part.get("title"), "image/*" if kind == "image" else None)
    if source.get("type") == "text" and isinstance(source.get("data"), str):
        return {"type": "file", "name": name, "data": _as_utf8(source["data"]), "media_type": "text/plain"}
    if source.get("type") == "content" and isinstance(source.get("content"), str):
        return {"type": "file", "name": name, "data": _as_utf8(source["content"]), "media_type": "text/plain"}
    if source.get("type") != "base64":
        raise ConfigurationError("source must be of type base64, url or text")
    return {"type": "file", "name": name, "data": source.get("data"), "media_type": source.get("media_type")}


def _as_utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _read_mcp_file(part: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "file", "name": part["type"], "data": part["data"], "media_type": part.get("mimeType")}


def _read_mcp_resource(part: Mapping[str, Any]) -> dict[str, Any]:
    found = part["resource"]
    if not isinstance(found, Mapping):
        raise ConfigurationError("resource must be a dict")
    name = str(found.get("uri") or "resource").rstrip("/").rpartition("/")[2] or "resource"
    if isinstance(found.get("text"), str):
        return {"type": "text", "text": f"Resource {name}:\n\n{found['text']}"}
    return {"type": "file", "name": name, "data": found.get("blob"), "media_type": found.get("mimeType")}


def _file_at_address(url: Any, name: str | None, media_type: str | None) -> dict[str, Any]:
    """Return the part for a data: URL, or for an address from which the provider fetches the file."""
    if not isinstance(url, str):
        raise ConfigurationError("the URL of a file must be a string")
    if url[:5].lower() != "data:":
        named = {} if name is None else {"name": name}
        return {"type": "file", "url": url, **named, **({} if media_type is None else {"media_type": media_type})}
    comma = url.find(",")
    head = url[5:comma].lower() if comma >= 0 else ""
    if not head.endswith(";base64"):
        raise ConfigurationError("a data: URL must hold base64: data:image/png;base64,...")
    claimed = head.partition(";")[0] or None
    return {"type": "file", "name": name or "file", "data": url[comma + 1 :], "media_type": claimed}


def _read_anthropic_call(part: Mapping[str, Any]) -> dict[str, Any]:
    caller = part.get("caller")
    if isinstance(caller, Mapping) and caller.get("type") != "direct":
        raise ConfigurationError("a call by another caller than the model can't be sent back in this form")
    return {"type": "tool_call", "id": part["id"], "name": part.get("name"), "arguments": part.get("input")}


def _read_anthropic_result(part: Mapping[str, Any]) -> dict[str, Any]:
    content = part.get("content")
    return {
        "type": "tool_result",
        "tool_call_id": part["tool_use_id"],
        "content": "" if content is None else content,
        "is_error": bool(part.get("is_error")),
    }


def _foreign_shape(field: str, keys: str, read: Callable[[Mapping[str, Any]], dict[str, Any]]) -> _ForeignShape:
    return _ForeignShape(field, frozenset((field, *keys.split())), read)


_FOREIGN_SHAPES: dict[str, tuple[_ForeignShape, ...]] = {
    "image_url": (_foreign_shape("image_url", "detail", _read_openai_image),),
    "input_image": (_foreign_shape("image_url", "detail", _read_openai_image),),
    "input_audio": (_foreign_shape("input_audio", "", _read_openai_audio),),
    "input_file": (
        _foreign_shape("file_data", "filename file_url", _read_openai_file_part),
        _foreign_shape("file_url", "filename file_data", _read_openai_file_part),
    ),
    "file": (_foreign_shape("file", "", _read_openai_file_part),),
    "input_text": (_foreign_shape("text", "", lambda part: {"type": "text", "text": part["text"]}),),
    "output_text": (_foreign_shape("text", "logprobs", lambda part: {"type": "text", "text": part["text"]}),),
    "text": (_foreign_shape("citations", "text", lambda part: {"type": "text", "text": part.get("text")}),),
    "refusal": (_foreign_shape("refusal", "", lambda part: {"type": "refusal", "text": part["refusal"]}),),
    "image": (
        _foreign_shape("source", "", _read_anthropic_file),
        _foreign_shape("data", "mimeType", _read_mcp_file),
    ),
    "document": (_foreign_shape("source", "title context citations", _read_anthropic_file),),
    "audio": (_foreign_shape("data", "mimeType", _read_mcp_file),),
    "resource": (_foreign_shape("resource", "", _read_mcp_resource),),
    "tool_use": (_foreign_shape("id", "name input caller", _read_anthropic_call),),
    "tool_result": (_foreign_shape("tool_use_id", "content is_error", _read_anthropic_result),),
}
"""By the type of the part: OpenAI's two APIs, Anthropic's Messages API and the Model Context Protocol."""
