"""The content of a scripted reply, the constants in it, and the bytes of one event on each wire. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypeAlias, TypedDict, get_args

Wire: TypeAlias = Literal["openai_chat", "openai_responses", "anthropic", "gemini"]
Json: TypeAlias = dict[str, Any]

WIRES: tuple[Wire, ...] = get_args(Wire)
MODEL: dict[Wire, str] = {
    "openai_chat": "gpt-6-luna",
    "openai_responses": "gpt-6-luna",
    "anthropic": "claude-haiku-5-5",
    "gemini": "gemini-3.5-flash-lite",
}
RESPONSE_ID: dict[Wire, str] = {
    "openai_chat": "chatcmpl-Scripted0001",
    "openai_responses": "resp_scripted0001",
    "anthropic": "msg_scripted0001",
    "gemini": "Scripted0001",
}
NORMAL_FINISH: dict[Wire, str] = {
    "openai_chat": "stop",
    "openai_responses": "completed",
    "anthropic": "end_turn",
    "gemini": "STOP",
}
CALLS_FINISH: dict[Wire, str] = NORMAL_FINISH | {"openai_chat": "tool_calls", "anthropic": "tool_use"}
TRUNCATED_FINISH: dict[Wire, str] = {
    "openai_chat": "length",
    "openai_responses": "max_output_tokens",
    "anthropic": "max_tokens",
    "gemini": "MAX_TOKENS",
}
REFUSED_FINISH: dict[Wire, str] = {
    "openai_chat": "refusal",
    "openai_responses": "refusal",
    "anthropic": "refusal",
    "gemini": "SAFETY",
}
PAUSED_FINISH: dict[Wire, str] = {"anthropic": "pause_turn", "gemini": "CONTINUATION"}
REQUEST_ID = "req_scripted0001"
CREATED = 1795000000
INPUT_TOKENS = 12
OUTPUT_TOKENS = 34
CONTINUATION_TOKEN = "Y29udGludWU="  # noqa: S105 (a position in a reply, not a secret)


class ScriptedCall(TypedDict):
    """A tool call in a reply. `arguments`: an object, or any text. Without `id`, the wire makes one up."""

    name: str
    arguments: dict[str, Any] | str
    id: NotRequired[str]


class ScriptedSource(TypedDict):
    """A citation in a reply."""

    url: str
    title: NotRequired[str]


@dataclass(frozen=True)
class ReplyContent:
    """The content of a reply on any wire. `finish` is the wire's own word."""

    text: Sequence[str]
    finish: str
    usage: bool = True
    reasoning: Sequence[str] = ()
    signature: str = ""
    redacted: str = ""
    tool_calls: Sequence[ScriptedCall] = ()
    sources: Sequence[ScriptedSource] = ()
    model: str = ""

    def arguments(self, call: ScriptedCall) -> str:
        """Return the JSON text of a call's arguments."""
        given = call["arguments"]
        return given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)

    @property
    def refusal(self) -> bool:
        """Return whether the text is a refusal."""
        return self.finish == "refusal"


def split_in_halves(text: str) -> tuple[str, str]:
    return text[: len(text) // 2], text[len(text) // 2 :]


def compact(payload: Json) -> bytes:
    """Return JSON without spaces, as OpenAI and Anthropic write it."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def data_event(payload: Json) -> bytes:
    """Return an event without a name."""
    return b"data: %b\n\n" % compact(payload)


def named_event(payload: Json) -> bytes:
    """Return an event whose name is the type in its payload."""
    return b"event: %b\n%b" % (payload["type"].encode(), data_event(payload))


def gemini_event(payload: Json) -> bytes:
    """Return an event as Gemini writes it: CRLF, and JSON with spaces."""
    return b"data: %b\r\n\r\n" % json.dumps(payload, ensure_ascii=False).encode()
