"""Streams of Chat Completions, played without I/O."""

from __future__ import annotations

import json
from typing import Any

from pure import play

COUNTED = {"id": "c", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
DONE = b"data: [DONE]\n\n"


def chunk(delta: Any, finish: str | None = None, /, **choice: Any) -> Any:
    """A chunk with one choice."""
    return {"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish, **choice}]}


def lines(*chunks: Any) -> list[bytes]:
    return [b"data: %b\n\n" % json.dumps(each).encode() for each in chunks]


def ended(*chunks: Any, finish: str = "stop") -> list[Any]:
    """The events of a stream that ends well."""
    return play("openai_chat", [*lines(*chunks, chunk({}, finish)), DONE])


def of_kind(events: list[Any], kind: str) -> list[Any]:
    """The events of one kind, without their names."""
    return [
        {name: value for name, value in event.items() if name not in ("event", "panel_id")}
        for event in events
        if event["event"] == kind
    ]
