"""Answers questions about the messages that a conversation keeps. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import ConfigurationError
from ..messages import Message, ToolCallPart
from .foreign_messages import read_message_shape, read_part_shape


def is_user_question(message: Message) -> bool:
    """Return whether a message is the user's, with more in it than the results of tools."""
    return message.get("role") == "user" and any(part["type"] != "tool_result" for part in _parts_of_message(message))


def calls_without_result(messages: Sequence[Message]) -> list[ToolCallPart]:
    """Return the calls of the last answer that have no result. Calls of a partial answer do not count.

    A message that is wrong counts for nothing here: the question names it.
    """
    answered: list[Any] = []
    for message in reversed(messages):
        shaped = read_message_shape(message) if isinstance(message, Mapping) else {}
        if "tool_call_id" in shaped:
            answered.append(shaped["tool_call_id"])
            continue
        parts = _parts_of_message(shaped)
        if shaped.get("role") == "assistant":
            calls = [] if shaped.get("partial") else [part for part in parts if part["type"] == "tool_call"]
            for id in answered:  # one call for each result: in old conversations, two calls may share an id
                calls = _without_first(calls, id)
            return calls
        answered += [part.get("tool_call_id") for part in parts if part["type"] == "tool_result"]
    return []


def find_file_link(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return the place of the first file that the provider would fetch from an address; "" for none.

    Args:
        messages: Messages in our form, or as OpenAI, Anthropic and MCP write them.

    Raises:
        ConfigurationError: A message has a key that would be lost.
    """
    for number, message in enumerate(messages):
        shaped = read_message_shape(message)
        is_result = "tool_call_id" in shaped
        for at, part in enumerate([{**shaped, "type": "tool_result"}] if is_result else _parts_of_message(shaped)):
            if _has_link(part):
                return f"messages[{number}].content[{at}]"
    return ""


def _has_link(part: Mapping[str, Any]) -> bool:
    content = part.get("content")
    if part["type"] == "tool_result" and isinstance(content, list):
        return any(map(_is_link_in_result, content))
    return part["type"] == "file" and part.get("url") is not None


def _is_link_in_result(item: Any) -> bool:
    """Return whether an item in the result of a tool is a file by its address: in the form of others alone.

    A tool may return a list of files with their addresses, which is data.
    """
    try:
        shaped = read_part_shape(item) if isinstance(item, Mapping) else item
    except ConfigurationError:
        return False  # other data that only looks like a part
    return shaped is not item and shaped.get("url") is not None


def _parts_of_message(message: Mapping[str, Any]) -> list[Any]:
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if not isinstance(content, (list, tuple)):
        return []
    return [read_part_shape(part) for part in content if isinstance(part, Mapping) and "type" in part]


def _without_first(calls: list[Any], id: object) -> list[Any]:
    place = next((place for place, call in enumerate(calls) if call.get("id") == id), len(calls))
    return calls[:place] + calls[place + 1 :]
