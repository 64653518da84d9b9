"""Twelve lies of a server on every wire, as bytes for a scripted server, with what shows them. Pure.

A lie is a reply that ends well and is not what was asked for. Its prompt contains its name, so the server knows what to
play; the same question with an honest reply shows what a library says anyway.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from msgmodel.testing.server import Script
from msgmodel.testing.wires import WIRES, Wire, events

Document = dict[str, Any]
Change = Callable[[Document], None]

TEXT = "Hello there, this is a whole reply."
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABh6FO1AAAAABJRU5ErkJggg=="
SERVED: dict[Wire, str] = {
    "openai_chat": "gpt-3.5-turbo",
    "openai_responses": "gpt-3.5-turbo",
    "anthropic": "claude-3-haiku-20240307",
    "gemini": "gemini-1.5-flash-8b",
}
TIERS: dict[Wire, tuple[str, str]] = {
    "openai_chat": ("priority", "default"),
    "openai_responses": ("priority", "default"),
    "anthropic": ("standard_only", "batch"),
    "gemini": ("priority", "standard"),
}
"""The tier that is asked for, and the one that is used."""
OTHER_CHOICE = "Entirely different words"


@dataclass(frozen=True)
class Lie:
    """One lie on one wire."""

    name: str
    wire: Wire
    question: dict[str, Any]
    """What is asked besides the prompt: max_tokens, stop, tier, tool, long."""
    body: bytes
    mark: str
    """A regular expression for the raw value that gives the lie away, in whatever a library hands out."""
    code: str
    """The code of our warning; "part" for a part that is shown."""
    speaks_for_itself: bool = False
    """Whether the raw value names the lie, so that no comparison is needed."""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def prompt(self) -> str:
        return f"lie-{self.name.replace(' ', '-')}"

    def script(self) -> Script:
        """Return what the server plays."""
        script = Script.body(self.body)
        return replace(script, headers={**script.headers, **self.headers})


def lies() -> list[Lie]:
    """Return every lie on every wire on which it can be told."""
    return [lie for wire in WIRES for lie in _lies_of_wire(wire)]


def honest(lie: Lie) -> Script:
    """Return the honest reply to the question of a lie."""
    called = [{"name": "weather", "arguments": {"place": "Rome"}}] if lie.question.get("tool") else []
    asked = TIERS[lie.wire][0]
    change = _set_tier(lie.wire, "standard" if asked == "standard_only" else asked)
    counts = _set_counts(lie.wire, input=20_000) if lie.question.get("long") else _nothing
    text = [] if called else [TEXT]
    return Script.body(_altered(events(lie.wire, text, tool_calls=called), change, counts))  # type: ignore[arg-type]


def _nothing(document: Document) -> None:
    pass


def _lies_of_wire(wire: Wire) -> list[Lie]:
    def lie(name: str, code: str, mark: str, *changes: Change, text: str = TEXT, **options: Any) -> Lie:
        question = options.pop("question", {})
        model = options.pop("model", None)
        body = _altered(events(wire, [text], model=model), *changes)
        return Lie(name, wire, question, body, mark, code, **options)

    asked, used = TIERS[wire]
    long_text = "All work and no play makes Jack a dull boy. " * 1_000
    ignored = "parameter_ignored"
    found = [
        lie("model substituted", "model_substituted", re.escape(SERVED[wire]), model=SERVED[wire]),
        lie(
            "tier changed",
            "tier_changed",
            rf"(?i)service_?tier\W{{1,20}}(\w+\.)?{used}",
            _set_tier(wire, used),
            question={"tier": asked},
        ),
        lie("context cut", "context_cut", r"\b613\b", _set_counts(wire, input=613), question={"long": True}),
        lie("max_tokens ignored", ignored, r"\b977\b", _set_counts(wire, output=977), question={"max_tokens": 20}),
        lie("tool_choice ignored", ignored, "whole reply", question={"tool": True}),
        lie("reasoning hidden", "reasoning_hidden", r"\b733\b", _set_counts(wire, output=790, reasoning=733)),
        lie("count disagrees", "count_disagrees", r"\b211\b", _set_counts(wire, output=211), text=long_text),
        lie(
            "reply from a cache",
            "cached",
            "(?i)cf-aig-cache-status",
            headers={"cf-aig-cache-status": "HIT"},
            speaks_for_itself=True,
        ),
        lie("part dropped", "part", _PART_MARKS[wire], _PARTS[wire], speaks_for_itself=True),
    ]
    if wire != "openai_responses":  # it has no such parameter
        text = "One, two, END and three, four, five."
        found.append(lie("stop ignored", ignored, "END and three", text=text, question={"stop": "END"}))
    if wire in ("openai_chat", "gemini"):  # the others know one reply only
        found.append(lie("choice dropped", "choice_dropped", OTHER_CHOICE, _OTHER_CHOICES[wire]))
    if wire in _EDITS:
        mark, change = _EDITS[wire]
        found.append(lie("context edited", "context_edited", mark, change, speaks_for_itself=True))
    return found


# --- how a reply is altered ---


def _altered(honest_events: list[bytes], *changes: Change) -> bytes:
    """Return the body with each change made to each JSON document. A list under `more` becomes events of its own."""
    pieces = []
    for event in honest_events:
        head, data, payload = event.partition(b"data: ")
        if not payload.startswith(b"{"):
            pieces.append(event)
            continue
        document = json.loads(payload)
        for change in changes:
            change(document)
        more = document.pop("more", ())
        pieces += [_named(extra) for extra in more]
        pieces.append(head + data + json.dumps(document).encode() + b"\n\n")
    return b"".join(pieces)


def _named(document: Document) -> bytes:
    name = f"event: {document['type']}\n" if "type" in document else ""
    return f"{name}data: {json.dumps(document)}\n\n".encode()


def _usage_of(wire: Wire, document: Document) -> Document | None:
    """Return the object of a document that has the counts; None if it has none."""
    if wire == "openai_chat":
        return document.get("usage")
    if wire == "openai_responses":
        return document.get("response", {}).get("usage")
    if wire == "anthropic":
        return document.get("usage") or document.get("message", {}).get("usage")
    return document.get("usageMetadata")


def _set_counts(
    wire: Wire, input: int | None = None, output: int | None = None, reasoning: int | None = None
) -> Change:
    def change(document: Document) -> None:
        usage = _usage_of(wire, document)
        if not usage:
            return
        if wire == "gemini":
            spoken = None if output is None else output - (reasoning or 0)
            named = {"promptTokenCount": input, "candidatesTokenCount": spoken, "thoughtsTokenCount": reasoning}
        elif wire == "openai_chat":
            named = {"prompt_tokens": input, "completion_tokens": output}
        else:
            named = {"input_tokens": input, "output_tokens": output}
        usage |= {name: count for name, count in named.items() if count is not None}
        if reasoning is not None and wire != "gemini":
            place = "completion_tokens_details" if wire == "openai_chat" else "output_tokens_details"
            usage[place] = {("thinking" if wire == "anthropic" else "reasoning") + "_tokens": reasoning}

    return change


def _set_tier(wire: Wire, tier: str) -> Change:
    def change(document: Document) -> None:
        if wire == "openai_chat":
            document["service_tier"] = tier
        elif wire == "openai_responses" and "response" in document:
            document["response"]["service_tier"] = tier
        elif wire == "anthropic" and "message" in document:
            document["message"]["usage"]["service_tier"] = tier
        elif wire == "gemini" and "usageMetadata" in document:
            document["usageMetadata"]["serviceTier"] = tier

    return change


def _other_choice_of_chat(document: Document) -> None:
    if document.get("choices"):
        other = {"index": 1, "delta": {"content": OTHER_CHOICE}, "finish_reason": None}
        document["more"] = [{**document, "choices": [other]}]


def _other_choice_of_gemini(document: Document) -> None:
    other = {"content": {"role": "model", "parts": [{"text": OTHER_CHOICE}]}, "index": 1}
    document.setdefault("candidates", []).append(other)


_OTHER_CHOICES: dict[Wire, Change] = {"openai_chat": _other_choice_of_chat, "gemini": _other_choice_of_gemini}


def _edit_of_anthropic(document: Document) -> None:
    if document["type"] == "message_delta":
        edit = {"type": "clear_tool_uses_20250919", "cleared_tool_uses": 3, "cleared_input_tokens": 9_000}
        document["context_management"] = {"applied_edits": [edit]}


def _edit_of_responses(document: Document) -> None:
    if document["type"] == "response.completed":
        edit = {"id": "rs_1", "action": "removed", "type": "reasoning", "reason": "model_mismatch"}
        document["response"]["input_transformations"] = [edit]


_EDITS: dict[Wire, tuple[str, Change]] = {
    "anthropic": ("clear_tool_uses_20250919", _edit_of_anthropic),
    "openai_responses": ("model_mismatch", _edit_of_responses),
}
"""The two wires on which the provider says that it edited the conversation."""


def _part_of_chat(document: Document) -> None:
    """As OpenRouter sends images."""
    for choice in document.get("choices", ()):
        if choice["delta"].get("content"):
            choice["delta"]["images"] = [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}]


def _part_of_responses(document: Document) -> None:
    if document["type"] == "response.completed":
        item = {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": PNG}
        document["more"] = [
            {"type": "response.output_item.done", "output_index": 7, "sequence_number": 90, "item": item}
        ]
        document["response"]["output"].append(item)


def _part_of_anthropic(document: Document) -> None:
    """As the code execution tool hands over a file."""
    if document["type"] == "message_delta":
        block = {"type": "container_upload", "file_id": "file_011CNha8iCJcU1wXNR6q4V8w"}
        start = {"type": "content_block_start", "index": 7, "content_block": block}
        document["more"] = [start, {"type": "content_block_stop", "index": 7}]


def _part_of_gemini(document: Document) -> None:
    for candidate in document.get("candidates", ()):
        candidate.get("content", {}).get("parts", []).append({"inlineData": {"mimeType": "image/png", "data": PNG}})


_PARTS: dict[Wire, Change] = {
    "openai_chat": _part_of_chat,
    "openai_responses": _part_of_responses,
    "anthropic": _part_of_anthropic,
    "gemini": _part_of_gemini,
}
_PART_MARKS: dict[Wire, str] = dict.fromkeys(WIRES, PNG[:40]) | {"anthropic": "file_011CNha8iCJcU1wXNR6q4V8w"}
WARNED = {
    "model substituted": "(?i)substitut|fallback|(another|different|other) model",
    "tier changed": "(?i)tier",
    "context cut": "(?i)truncat|context",
    "context edited": "(?i)edit|transform|removed",
    "max_tokens ignored": "(?i)max_(output_)?tokens",
    "stop ignored": "(?i)stop",
    "tool_choice ignored": "(?i)tool",
    "choice dropped": "(?i)choice|candidate",
    "reasoning hidden": "(?i)reasoning|thinking|thought",
    "count disagrees": "(?i)disagree|mismatch",
    "reply from a cache": "(?i)cache",
    "part dropped": "(?i)part|image|file",
}
"""The lies in the order of the table, each with the words of a warning that is about it."""
NAMES = tuple(WARNED)
