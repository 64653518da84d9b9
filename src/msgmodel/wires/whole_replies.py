"""A whole reply in one JSON document, from a server that does not stream, to the events of its wire. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from ..question.lenient_json import as_mapping, as_text


def events_of_document(document: Any) -> Iterator[bytes]:
    """Yield the data of the events that a stream would have brought; none if the document is no reply.

    Args:
        document: The decoded document. Gemini sends a list of them if it is not asked for server-sent events.
    """
    for each in document if isinstance(document, list) else [document]:
        for event in _events_of_reply(as_mapping(each)):
            yield msgspec.json.encode(event)


def _events_of_reply(reply: dict[str, Any]) -> list[dict[str, Any]]:
    if reply.get("error"):
        return []  # it is read as an error
    if isinstance(reply.get("choices"), list) or isinstance(reply.get("candidates"), list) or "promptFeedback" in reply:
        return [reply]  # Chat Completions and Gemini: the chunks have the shape of a whole reply
    if reply.get("object") == "response":
        return [{"type": f"response.{as_text(reply.get('status')) or 'completed'}", "response": reply}]
    if reply.get("type") == "message":
        end = {name: reply.get(name) for name in ("stop_reason", "stop_sequence", "stop_details", "container")}
        return [
            {"type": "message_start", "message": reply},
            {"type": "message_delta", "delta": end, "usage": as_mapping(reply.get("usage"))},
            {"type": "message_stop"},
        ]
    return []
