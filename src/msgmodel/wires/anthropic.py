"""The wire of the Anthropic Messages API. Pure.

https://platform.claude.com/docs/en/api/messages-streaming

Rule of success: `message_stop` after a `message_delta` with a stop reason. The `type` in the JSON identifies an event,
so a proxy may strip the `event:` lines. Numbers in `usage` are cumulative: each replaces the earlier one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec

from ..errors import ConfigurationError
from ..question.config import AnthropicConfig
from ..question.lenient_json import LenientDecoder, MalformedJson, as_count, as_mapping, as_text, load_lenient, memory
from ..question.question import (
    Attachment,
    Effort,
    OpaqueBlock,
    PastCall,
    PastReasoning,
    PastRefusal,
    PastResult,
    Question,
    SignedText,
    ToolDefinition,
    TurnPart,
    merge_body,
    without_none,
)
from ..question.transport import HttpRequest
from ..registry.rows import reasoning_traits
from . import finish_reasons, provider_errors
from .deltas import (
    CUT,
    Delta,
    Failure,
    Finish,
    NewPart,
    OpaqueData,
    ReasoningDelta,
    RefusalDelta,
    ResponseStarted,
    TextDelta,
    ToolEnd,
    ToolFragment,
    source_delta,
    usage_delta,
)

DEFAULT_MAX_TOKENS = 16_384
"""Default limit on the output tokens, thinking included. The API requires one."""

SMALLEST_BUDGET = 1_024
BUDGET_BY_EFFORT: dict[Effort, int] = {"low": 1_024, "medium": 4_096, "high": 12_288}
"""Tokens for thinking, for models that take a budget instead of an effort."""

API_VERSION = "2026-10-21"
API_VERSION_WITH_SAMPLING = "2023-06-01"
"""The earlier version, for requests with temperature, top_p or top_k: the newer one refuses them."""


def anthropic_request(question: Question, token: str | None = None) -> HttpRequest:
    """Return the HTTP request for a question: system text at the top level, files as blocks."""
    config = question.config
    assert isinstance(config, AnthropicConfig)
    payload = without_none(
        model=question.model,
        max_tokens=question.max_tokens or DEFAULT_MAX_TOKENS,
        system=question.system,
        messages=_anthropic_messages(question),
        stream=True,
        temperature=_unless_default(1, question.temperature),
        top_p=_unless_default(1, config.top_p),
        top_k=_unless_default(0, config.top_k),
        stop_sequences=config.stop,
        tools=[_anthropic_tool(tool) for tool in question.tools] or None,
        tool_choice=_anthropic_tool_choice(question.tool_choice),
        **_thinking_fields(question),
    )
    payload = merge_body(payload, config.body)
    sampling = not payload.keys().isdisjoint(("temperature", "top_p", "top_k"))
    version = config.api_version or (API_VERSION_WITH_SAMPLING if sampling else API_VERSION)
    base = question.base_url.rstrip("/").removesuffix("/v1")
    return HttpRequest.post(
        f"{base}/v1/messages", {"anthropic-version": version, **question.headers}, payload, question.attachments
    )


def _unless_default(default: float, value: float | None) -> float | None:
    """Return a sampling value unless it is the API's default: the newer version refuses even that."""
    return None if value == default else value


def _anthropic_tool(tool: ToolDefinition) -> dict[str, Any]:
    schema = {"type": "object", **tool.parameters}
    return without_none(name=tool.name, description=tool.description, input_schema=schema, strict=tool.strict)


def _anthropic_tool_choice(choice: str | None) -> dict[str, Any] | None:
    if choice is None or choice in ("auto", "none"):
        return choice and {"type": choice}  # type: ignore[return-value]
    return {"type": "any"} if choice == "required" else {"type": "tool", "name": choice}


def _thinking_fields(question: Question) -> dict[str, Any]:
    """Return the fields that say how long to think: an effort, or a budget for models that take no effort."""
    effort, traits = question.reasoning, reasoning_traits(question.model)
    if effort is None or (effort == "none" and "asked" in traits):
        return {}
    if effort == "none":
        return {"thinking": {"type": "disabled"}}
    if "budget" not in traits:
        return {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": effort}}
    limit = question.max_tokens or DEFAULT_MAX_TOKENS
    if limit <= SMALLEST_BUDGET:
        raise ConfigurationError(
            f"max_tokens must be above {SMALLEST_BUDGET} for {question.model} to reason: reasoning counts towards it"
        )
    return {"thinking": {"type": "enabled", "budget_tokens": min(BUDGET_BY_EFFORT[effort], limit - 1)}}


def _anthropic_messages(question: Question) -> list[dict[str, Any]]:
    """Return the messages of a conversation.

    Consecutive turns of one role become one message, as the API would merge them, so that a user's text follows the
    tool results in the same message: the API refuses results that are not at the start of the next user message.
    """
    messages: list[dict[str, Any]] = []
    for turn in question.turns:
        role = "assistant" if turn.role == "assistant" else "user"
        content: str | list[dict[str, Any]]
        if len(turn.parts) == 1 and isinstance(turn.parts[0], str):
            content = turn.parts[0]
        else:
            content = [block for part in turn.parts for block in _blocks_for_anthropic(part)]
        if messages and messages[-1]["role"] == role:
            earlier = messages[-1]["content"] = _as_blocks(messages[-1]["content"])
            earlier += _as_blocks(content)
        else:
            messages.append({"role": role, "content": content})
    return messages


def _as_blocks(content: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _blocks_for_anthropic(part: TurnPart) -> list[dict[str, Any]]:
    """Return a part as blocks. Reasoning is sent back as the signed block that it was; the API refuses it unsigned."""
    if isinstance(part, str | SignedText | PastRefusal):
        text = part if isinstance(part, str) else part.text
        return [{"type": "text", "text": text}] if text.strip() else []  # the API refuses blank text
    if isinstance(part, Attachment):
        return [_anthropic_file_block(part)]
    if isinstance(part, PastCall):
        return [{"type": "tool_use", "id": _anthropic_call_id(part), "name": part.name, "input": part.input}]
    if isinstance(part, PastResult):
        result = {"type": "tool_result", "tool_use_id": _anthropic_call_id(part.call), "content": part.content}
        return [result | {"is_error": True} if part.is_error else result]
    return [part.opaque] if isinstance(part, PastReasoning | OpaqueBlock) and isinstance(part.opaque, dict) else []


def _anthropic_call_id(call: PastCall) -> str:
    return re.sub(r"[^a-zA-Z0-9_-]", "_", call.id)  # the API refuses other characters in an id


def _anthropic_file_block(file: Attachment) -> dict[str, Any]:
    if file.text is not None:
        return {
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": file.as_text()},
            "title": file.name,
        }
    source = {"type": "base64", "media_type": file.media_type, "data": file.in_base64()}
    if file.media_type.startswith("image/"):
        return {"type": "image", "source": source}
    return {"type": "document", "source": source, "title": file.name}


class _AnthropicEvent(msgspec.Struct):
    type: str | None = None
    index: int | None = None
    message: Any = None
    content_block: Any = None
    delta: Any = None
    usage: Any = None
    error: Any = None


class _PlainAnthropicDelta(msgspec.Struct, gc=False):
    type: Literal["text_delta"]
    text: str


class _PlainAnthropicEvent(msgspec.Struct, gc=False):
    """Nearly every event."""

    type: Literal["content_block_delta"]
    delta: _PlainAnthropicDelta
    index: int | None = None


_decode_plain = msgspec.json.Decoder(_PlainAnthropicEvent).decode
_EVENT_DECODER = LenientDecoder(_AnthropicEvent)
_OBJECT_DECODER = LenientDecoder(dict[str, Any])
_COUNT_FIELDS = "input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens"


class AnthropicParser:
    """Turns the events of one response into deltas."""

    def __init__(self, question: Question, token: str | None = None) -> None:
        self._stop_reason: str | None = None
        self._counts: dict[str, int] = {}
        self._open_calls: dict[int | None, str] = {}
        self._calls_begun = 0
        self._open_block: dict[str, Any] | None = None
        self._thinking_pieces: list[str] = []
        self._input_pieces: list[str] = []
        self.held_bytes = 0
        """Bytes of memory for the open block, unless it is text or a call: the panel counts those."""

    def feed(self, data: bytes, whole: bool = True) -> Iterator[Delta]:
        """Yield the deltas of one event. Raises MalformedJson."""
        if not whole or not data.strip() or data.startswith(b"[DONE]"):
            return
        event = _EVENT_DECODER.decode(data)
        kind = event.type
        if kind == "content_block_delta":
            yield from self._read_delta(event)
        elif kind == "content_block_start":
            yield from self._start_block(event)
        elif kind == "content_block_stop":
            yield from self._end_block(event)
        elif kind == "message_start":
            yield from self._start_message(as_mapping(event.message))
        elif kind == "message_delta":
            yield from self._read_message_delta(event)
        elif kind == "message_stop":
            yield self._final_verdict()
        elif kind == "error" or event.error:
            yield provider_errors.read_failure(_OBJECT_DECODER.decode(data))
        elif kind is None:
            raise MalformedJson("an event has no type")

    def plain_text(self, data: bytes) -> str:
        """Return the text of a text delta; "" for any other event."""
        try:
            return _decode_plain(data).delta.text
        except (ValueError, RecursionError):
            return ""

    def deferred_deltas(self) -> Sequence[Delta]:
        """Return nothing: usage arrives in events of its own."""
        return ()

    def eof(self, clean: bool) -> Failure:
        """Return a cut: after `message_stop`, the body is not read to its end."""
        return CUT

    def _start_message(self, message: dict[str, Any]) -> Iterator[Delta]:
        yield ResponseStarted(as_text(message.get("model")) or None, as_text(message.get("id")) or None)
        yield from self._add_usage(as_mapping(message.get("usage")))

    def _read_message_delta(self, event: _AnthropicEvent) -> Iterator[Delta]:
        delta = as_mapping(event.delta)
        self._stop_reason = finish_reasons.stronger_finish_reason(
            "anthropic", self._stop_reason, as_text(delta.get("stop_reason"))
        )
        explanation = as_text(as_mapping(delta.get("stop_details")).get("explanation"))
        if explanation and self._stop_reason == "refusal":
            yield RefusalDelta(explanation)
        yield from self._add_usage(as_mapping(event.usage))

    def _final_verdict(self) -> Finish | Failure:
        if not self._stop_reason:
            return CUT
        return Finish(self._stop_reason, finish_reasons.status_of_reason("anthropic", self._stop_reason))

    def _start_block(self, event: _AnthropicEvent) -> Iterator[Delta]:
        block = as_mapping(event.content_block)
        kind = block.get("type")
        if kind == "tool_use":
            # Our own count is the key: some servers omit the index or use it twice, which would mix two calls.
            self._calls_begun += 1
            key = self._open_calls[event.index] = str(self._calls_begun)
            given_input = block.get("input")
            arguments = msgspec.json.encode(given_input).decode() if given_input else ""
            yield ToolFragment(key, as_text(block.get("id")), as_text(block.get("name")), arguments)
        elif kind == "text":
            yield NewPart()
            if as_text(block.get("text")):
                yield TextDelta(block["text"])
        elif isinstance(kind, str):  # reasoning and the provider's tools: the API wants such blocks back unchanged
            yield NewPart()
            self._open_block, self._thinking_pieces, self._input_pieces = block, [], []
            self.held_bytes = memory(block)
            if kind == "thinking" and as_text(block.get("thinking")):
                yield ReasoningDelta(block["thinking"])

    def _end_block(self, event: _AnthropicEvent) -> Iterator[Delta]:
        if event.index in self._open_calls:
            yield ToolEnd(self._open_calls.pop(event.index))
            return
        block, self._open_block, self.held_bytes = self._open_block, None, 0
        if block is None:
            return
        if self._input_pieces:
            block["input"] = _parse_input("".join(self._input_pieces))
        if self._thinking_pieces:
            block["thinking"] = as_text(block.get("thinking")) + "".join(self._thinking_pieces)
        if block["type"] == "redacted_thinking" or (block["type"] == "thinking" and block.get("signature")):
            yield OpaqueData("reasoning", block)
        elif block["type"] != "thinking":  # the provider's own tools and their results
            yield OpaqueData("opaque", block)

    def _read_delta(self, event: _AnthropicEvent) -> Iterator[Delta]:
        delta = as_mapping(event.delta)
        kind = delta.get("type")
        if kind == "text_delta":
            if as_text(delta.get("text")):
                yield TextDelta(delta["text"])
        elif kind == "thinking_delta":
            if as_text(delta.get("thinking")):
                if self._open_block is not None:
                    self._thinking_pieces.append(delta["thinking"])  # only a reference: the panel counts the text
                yield ReasoningDelta(delta["thinking"])
        elif kind == "signature_delta":
            if self._open_block is not None:
                self._update_open_block(signature=as_text(delta.get("signature")))
        elif kind == "compaction_delta":
            if self._open_block is not None:
                self._update_open_block(content=delta.get("content"), encrypted_content=delta.get("encrypted_content"))
        elif kind == "input_json_delta":
            if event.index in self._open_calls:
                yield ToolFragment(self._open_calls[event.index], "", "", as_text(delta.get("partial_json")))
            elif self._open_block is not None:
                self._input_pieces.append(as_text(delta.get("partial_json")))
                self.held_bytes += 2 * memory(self._input_pieces[-1])  # twice, because they are decoded at the end
        elif kind == "citations_delta":
            citation = as_mapping(delta.get("citation"))
            yield from source_delta(
                as_text(citation.get("url")) or as_text(citation.get("source")),
                as_text(citation.get("title")) or as_text(citation.get("document_title")),
                as_text(citation.get("cited_text")),
            )

    def _update_open_block(self, **fields: Any) -> None:
        """Set fields of the open block; None keeps the earlier value."""
        assert self._open_block is not None
        for name, value in without_none(**fields).items():
            self.held_bytes += memory(value) - memory(self._open_block.get(name))
            self._open_block[name] = value

    def _add_usage(self, usage: dict[str, Any]) -> Iterator[Delta]:
        if not usage:
            return
        details = as_mapping(usage.get("output_tokens_details"))
        counts = {name: usage.get(name) for name in _COUNT_FIELDS} | {"thinking_tokens": details.get("thinking_tokens")}
        # A count that is absent keeps its earlier value: `message_delta` repeats only some of them.
        self._counts |= without_none(**{name: as_count(number) for name, number in counts.items()})
        fresh, cached, written = map(self._counts.get, _COUNT_FIELDS[:3])
        yield usage_delta(
            # This API counts cached input beside the other input; we report the sum, as the other wires do.
            input=None if fresh is None else fresh + (cached or 0) + (written or 0),
            output=self._counts.get("output_tokens"),
            reasoning=self._counts.get("thinking_tokens"),
            cached=cached,
            cache_write=written,
        )


def _parse_input(arguments: str) -> dict[str, Any]:
    try:
        return as_mapping(load_lenient(arguments or "{}"))
    except ValueError:
        return {}
