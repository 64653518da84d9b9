"""Read the message of a choice, or a piece of one, in the shapes of all compatible servers. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...question.lenient_json import as_mapping, as_text
from ...question.question import Question
from ..deltas import (
    Delta,
    MediaReceived,
    OpaqueData,
    ReasoningDelta,
    RefusalDelta,
    SourceCited,
    TextDelta,
    ToolEnd,
    Untold,
    source_delta,
    word_deltas,
)
from ..reasoning_details import ReasoningDetails
from ..tool_call_fragments import ToolCallAssembler, as_list
from .chat_chunk import holds_text, untold_fields
from .chat_findings import read_annotation, read_executed_tools, read_reasoning_steps
from .chat_media import ChatMediaReader

MESSAGE_FIELDS = frozenset(
    (
        "content",
        "reasoning_content",
        "reasoning",
        "reasoning_text",
        "reasoning_details",
        "reasoning_opaque",
        "refusal",
        "tool_calls",
        "function_call",
        "annotations",
        "audio",
        "images",
        "executed_tools",
        "reasoning_steps",
    )
)
"""The fields that hold something of the reply."""
_CALL_FIELDS = frozenset(("index", "type", "function", "arguments", "extra_content"))


class ChatMessageReader:
    """Reads the deltas of one choice, in the order in which a model produces them.

    Attributes:
        media: Reads the parts that are not text.
    """

    def __init__(self, question: Question) -> None:
        self.media = ChatMediaReader(question)
        self._calls = ToolCallAssembler()
        self._custom_calls: dict[str, None] = {}
        """The keys of the calls of custom tools that have not ended."""
        self._details = ReasoningDetails()
        self._has_reasoning_field = False
        self._steps = 0

    @property
    def held_bytes(self) -> int:
        """Bytes of memory for data that no delta has brought yet."""
        return self._details.held_bytes

    @property
    def has_pending_words(self) -> bool:
        """Whether the next text must be read together with what came before."""
        return bool(self._details)

    def calls_without_end(self) -> Iterator[tuple[str, bool]]:
        """Yield the key of each call, and whether its arguments are complete."""
        for call in self._calls.all_calls:
            yield call.key, call.arguments.complete

    def read_delta(self, delta: dict[str, Any], is_last: bool) -> Iterator[Delta]:
        """Yield what a delta brings: reasoning, the server's tools, text, calls, citations.

        Args:
            delta: The delta, or a whole message.
            is_last: Whether its choice has a finish reason.
        """
        content, calls = delta.get("content"), as_list(delta.get("tool_calls"))
        yield from self._read_reasoning(delta)
        if "reasoning_steps" in delta:
            steps = as_list(delta["reasoning_steps"])
            yield from read_reasoning_steps(steps, self._steps)
            self._steps += len(steps)
        yield from read_executed_tools(delta.get("executed_tools"))
        if self._details and (content or calls or is_last):
            yield OpaqueData("reasoning", {"reasoning_details": self._details.take_all()})
        if opaque := as_text(delta.get("reasoning_opaque")):  # GitHub Copilot's
            yield OpaqueData("reasoning", {"reasoning_opaque": opaque})
        yield from self._read_content(content)
        refusal = delta.get("refusal")
        yield from word_deltas(RefusalDelta, _text_of_parts(refusal) or refusal, "refusal")
        older_call = delta.get("function_call")
        for call in (*calls, *([{"index": 0, "function": older_call}] if older_call else [])):
            yield from self._read_tool_call(as_mapping(call))
        if is_last and self._custom_calls:
            yield from self._end_custom_calls()
        if isinstance(delta.get("audio"), dict):
            yield from self.media.read_audio(delta["audio"])
        yield from self.media.read_images(delta.get("images"))
        for annotation in as_list(delta.get("annotations")):
            yield from read_annotation(as_mapping(annotation))
        yield from untold_fields(delta, MESSAGE_FIELDS)

    def _read_reasoning(self, delta: dict[str, Any]) -> Iterator[Delta]:
        """Yield the reasoning: of a field of its own, or else of the details, which repeat it otherwise."""
        # The last one is GitHub Copilot's.
        fields = [delta.get(name) for name in ("reasoning_content", "reasoning", "reasoning_text")]
        for found in _reasoning_deltas(fields, "reasoning"):
            self._has_reasoning_field = True
            yield found
        if len(set(filter(None, map(_text_of_parts, fields)))) > 1:
            yield Untold("reasoning")
        words = [self._details.add(detail) for detail in as_list(delta.get("reasoning_details"))]
        if (text := "".join(words)) and not self._has_reasoning_field:
            yield ReasoningDelta(text)

    def _read_content(self, content: object) -> Iterator[Delta]:
        """Yield what the content is: a text, or typed parts. Mistral sends a list within a thought."""
        if not isinstance(content, (list, dict)):
            yield from word_deltas(TextDelta, content, "content")
            return
        for part in as_list(content):
            yield from self._read_part({"type": "text", "text": part} if isinstance(part, str) else as_mapping(part))

    def _read_part(self, part: dict[str, Any]) -> Iterator[Delta]:
        kind = as_text(part.get("type"))
        if kind in ("text", "output_text", "") and "text" in part:
            yield from word_deltas(TextDelta, part["text"], "text")
            for annotation in as_list(part.get("annotations")):
                yield from read_annotation(as_mapping(annotation))
        elif kind in ("thinking", "reasoning"):
            words = [part.get(name) for name in ("thinking", "summary", "content", "text", "reasoning")]
            yield from _reasoning_deltas(words, kind)
        elif kind == "refusal":
            yield from word_deltas(RefusalDelta, part.get("refusal"), kind)
        elif kind == "reference":  # Mistral: to a result of a tool, which has no address
            for number in as_list(part.get("reference_ids")) or []:
                yield SourceCited({"url": None, "title": f"{number}", "text": None})
        elif kind == "tool_reference":
            yield from source_delta(
                as_text(part.get("url")), as_text(part.get("title")), as_text(part.get("description"))
            )
        else:
            media = list(self.media.read_part(part))
            yield from media if any(isinstance(found, MediaReceived) for found in media) else [Untold(kind or "part")]

    def _read_tool_call(self, call: dict[str, Any]) -> Iterator[Delta]:
        custom = as_mapping(call.get("custom"))
        if custom:
            call = {**call, "function": {"name": custom.get("name"), "arguments": custom.get("input")}}
        fragment = self._calls.read_fragment(call)
        if fragment is None:
            return
        if custom and fragment.key not in self._custom_calls:
            yield from self._end_custom_calls()
            self._custom_calls[fragment.key] = None
        yield fragment
        if not custom:
            yield from untold_fields(call, _CALL_FIELDS)
            yield from untold_fields(as_mapping(call.get("function")), _CALL_FIELDS)
        if custom:
            yield OpaqueData("tool_call", {"custom": True}, fragment.key)
        if isinstance(call.get("extra_content"), dict):  # Gemini's signature in its OpenAI dialect
            yield OpaqueData("tool_call", {"extra_content": call["extra_content"]}, fragment.key)

    def _end_custom_calls(self) -> Iterator[Delta]:
        """Yield the ends of the calls whose argument is free text, so that only what follows shows it."""
        for key in self._custom_calls:
            yield ToolEnd(key, kind="custom")
        self._custom_calls = {}


def _text_of_parts(value: object) -> str:
    """Return a text, or the text of all parts in a list."""
    if isinstance(value, str):
        return value
    return "".join(part if isinstance(part, str) else as_text(as_mapping(part).get("text")) for part in as_list(value))


def _reasoning_deltas(fields: list[Any], kind: str) -> Iterator[ReasoningDelta | Untold]:
    """Yield the text of the first field that has any: servers that send two fields repeat the same text."""
    if thinking := next(filter(None, map(_text_of_parts, fields)), ""):
        yield ReasoningDelta(thinking)
    elif holds_text(fields):
        yield Untold(kind)
