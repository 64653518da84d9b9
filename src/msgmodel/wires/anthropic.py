"""Anthropic Messages. Pure.

https://platform.claude.com/docs/en/api/messages-streaming

Rule of success: `message_stop` after a `message_delta` with a stop reason. Events are known by the `type` in their
JSON, so a proxy that strips `event:` lines does no harm. Numbers in `usage` are cumulative: they replace.
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

MAX_TOKENS = 16_384
"""Sent where the caller sets none: the API requires one, and thinking counts towards it."""

LEAST_BUDGET = 1_024
BUDGETS: dict[Effort, int] = {"low": 1_024, "medium": 4_096, "high": 12_288}
"""Tokens to think, for the models that take a budget and not an effort."""

VERSION = "2026-10-21"
VERSION_WITH_SAMPLING = "2023-06-01"


def anthropic_request(ask: Question, token: str | None = None) -> HttpRequest:
    """System text at the top level, files as blocks."""
    config = ask.config
    assert isinstance(config, AnthropicConfig)
    payload = without_none(
        model=ask.model,
        max_tokens=ask.max_tokens or MAX_TOKENS,
        system=ask.system,
        messages=_messages(ask),
        stream=True,
        temperature=_unless(1, ask.temperature),
        top_p=_unless(1, config.top_p),
        top_k=_unless(0, config.top_k),
        stop_sequences=config.stop,
        tools=[_tool(tool) for tool in ask.tools] or None,
        tool_choice=_choice(ask.tool_choice),
        **_thinking(ask),
    )
    payload = merge_body(payload, config.body)
    sampling = not payload.keys().isdisjoint(("temperature", "top_p", "top_k"))
    version = config.api_version or (VERSION_WITH_SAMPLING if sampling else VERSION)
    base = ask.base_url.rstrip("/").removesuffix("/v1")
    return HttpRequest.post(
        f"{base}/v1/messages", {"anthropic-version": version, **ask.headers}, payload, ask.attachments
    )


def _unless(default: float, value: float | None) -> float | None:
    """A sampling value that is not the API's own default, which the newer version refuses even so."""
    return None if value == default else value


def _tool(tool: ToolDefinition) -> dict[str, Any]:
    schema = {"type": "object", **tool.parameters}
    return without_none(name=tool.name, description=tool.description, input_schema=schema, strict=tool.strict)


def _choice(choice: str | None) -> dict[str, Any] | None:
    if choice is None or choice in ("auto", "none"):
        return choice and {"type": choice}  # type: ignore[return-value]
    return {"type": "any"} if choice == "required" else {"type": "tool", "name": choice}


def _thinking(ask: Question) -> dict[str, Any]:
    """How long to think: by effort, and by a budget for the models which know no other way."""
    effort, ways = ask.reasoning, reasoning_traits(ask.model)
    if effort is None or (effort == "none" and "asked" in ways):
        return {}
    if effort == "none":
        return {"thinking": {"type": "disabled"}}
    if "budget" not in ways:
        return {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": effort}}
    most = ask.max_tokens or MAX_TOKENS
    if most <= LEAST_BUDGET:
        raise ConfigurationError(f"max_tokens must be above {LEAST_BUDGET} for {ask.model} to reason: it counts both")
    return {"thinking": {"type": "enabled", "budget_tokens": min(BUDGETS[effort], most - 1)}}


def _messages(ask: Question) -> list[dict[str, Any]]:
    """Results of tools go first into the user's message; two messages of one role would be merged anyway."""
    messages: list[dict[str, Any]] = []
    for turn in ask.turns:
        role = "assistant" if turn.role == "assistant" else "user"
        content: str | list[dict[str, Any]]
        if len(turn.parts) == 1 and isinstance(turn.parts[0], str):
            content = turn.parts[0]
        else:
            content = [block for part in turn.parts for block in _blocks(part)]
        if messages and messages[-1]["role"] == role:
            before = messages[-1]["content"] = _listed(messages[-1]["content"])
            before += _listed(content)
        else:
            messages.append({"role": role, "content": content})
    return messages


def _listed(content: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _blocks(part: TurnPart) -> list[dict[str, Any]]:
    """Reasoning goes back as the block that it came in; without its signature it can't."""
    if isinstance(part, str | SignedText | PastRefusal):
        said = part if isinstance(part, str) else part.text
        return [{"type": "text", "text": said}] if said.strip() else []
    if isinstance(part, Attachment):
        return [_file(part)]
    if isinstance(part, PastCall):
        return [{"type": "tool_use", "id": _id(part), "name": part.name, "input": part.input}]
    if isinstance(part, PastResult):
        result = {"type": "tool_result", "tool_use_id": _id(part.call), "content": part.content}
        return [result | {"is_error": True} if part.is_error else result]
    return [part.opaque] if isinstance(part, PastReasoning | OpaqueBlock) and isinstance(part.opaque, dict) else []


def _id(call: PastCall) -> str:
    return re.sub(r"[^a-zA-Z0-9_-]", "_", call.id)  # the only characters that this API takes there


def _file(file: Attachment) -> dict[str, Any]:
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


class _Event(msgspec.Struct):
    type: str | None = None
    index: int | None = None
    message: Any = None
    content_block: Any = None
    delta: Any = None
    usage: Any = None
    error: Any = None


class _PlainDelta(msgspec.Struct, gc=False):
    type: Literal["text_delta"]
    text: str


class _Plain(msgspec.Struct, gc=False):
    """What nearly every event is."""

    type: Literal["content_block_delta"]
    delta: _PlainDelta
    index: int | None = None


_plain = msgspec.json.Decoder(_Plain).decode
_EVENT = LenientDecoder(_Event)
_OBJECT = LenientDecoder(dict[str, Any])
_COUNTS = "input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens"


class AnthropicParser:
    """Events of one response to deltas."""

    def __init__(self, ask: Question, token: str | None = None) -> None:
        self._reason: str | None = None
        self._usage: dict[str, int] = {}
        self._calls: dict[int | None, str] = {}
        self._blocks = 0
        self._kept: dict[str, Any] | None = None
        self._thinking: list[str] = []
        self._input: list[str] = []
        self.held_bytes = 0
        """Bytes of memory for the block that is open, unless it is text or a call."""

    def feed(self, data: bytes, whole: bool = True) -> Iterator[Delta]:
        """The deltas in one event. Raises Malformed."""
        if not whole or not data.strip() or data.startswith(b"[DONE]"):
            return
        event = _EVENT.decode(data)
        kind = event.type
        if kind == "content_block_delta":
            yield from self._delta(event)
        elif kind == "content_block_start":
            yield from self._block(event)
        elif kind == "content_block_stop":
            yield from self._stop(event)
        elif kind == "message_start":
            message = as_mapping(event.message)
            yield ResponseStarted(as_text(message.get("model")) or None, as_text(message.get("id")) or None)
            yield from self._used(as_mapping(message.get("usage")))
        elif kind == "message_delta":
            delta = as_mapping(event.delta)
            self._reason = finish_reasons.stronger_finish_reason(
                "anthropic", self._reason, as_text(delta.get("stop_reason"))
            )
            explanation = as_text(as_mapping(delta.get("stop_details")).get("explanation"))
            if explanation and self._reason == "refusal":
                yield RefusalDelta(explanation)
            yield from self._used(as_mapping(event.usage))
        elif kind == "message_stop":
            yield (
                Finish(self._reason, finish_reasons.status_of_reason("anthropic", self._reason))
                if self._reason
                else CUT
            )
        elif kind == "error" or event.error:
            yield provider_errors.read_failure(_OBJECT.decode(data))
        elif kind is None:
            raise MalformedJson("an event has no type")

    def plain_text(self, data: bytes) -> str:
        """The text of a delta of text; "" of any other event."""
        try:
            return _plain(data).delta.text
        except (ValueError, RecursionError):
            return ""

    def deferred_deltas(self) -> Sequence[Delta]:
        """Nothing: usage comes in events of its own."""
        return ()

    def eof(self, clean: bool) -> Failure:
        """`message_stop` ends the reading before the body does, so an end of the body is always a cut."""
        return CUT

    def _block(self, event: _Event) -> Iterator[Delta]:
        block = as_mapping(event.content_block)
        kind = block.get("type")
        if kind == "tool_use":
            # Counted here: a server that leaves the index out, or says it twice, must not mix two calls.
            self._blocks += 1
            key = self._calls[event.index] = str(self._blocks)
            given_input = block.get("input")
            arguments = msgspec.json.encode(given_input).decode() if given_input else ""
            yield ToolFragment(key, as_text(block.get("id")), as_text(block.get("name")), arguments)
        elif kind == "text":
            yield NewPart()
            if as_text(block.get("text")):
                yield TextDelta(block["text"])
        elif isinstance(kind, str):  # wanted back as it came
            yield NewPart()
            self._kept, self._thinking, self._input = block, [], []
            self.held_bytes = memory(block)
            if kind == "thinking" and as_text(block.get("thinking")):
                yield ReasoningDelta(block["thinking"])

    def _stop(self, event: _Event) -> Iterator[Delta]:
        if event.index in self._calls:
            yield ToolEnd(self._calls.pop(event.index))
            return
        block, self._kept, self.held_bytes = self._kept, None, 0
        if block is None:
            return
        if self._input:
            block["input"] = _object("".join(self._input))
        if self._thinking:
            block["thinking"] = as_text(block.get("thinking")) + "".join(self._thinking)
        if block["type"] == "redacted_thinking" or (block["type"] == "thinking" and block.get("signature")):
            yield OpaqueData("reasoning", block)
        elif block["type"] != "thinking":  # the provider's own tools and what they found
            yield OpaqueData("opaque", block)

    def _delta(self, event: _Event) -> Iterator[Delta]:
        delta = as_mapping(event.delta)
        kind = delta.get("type")
        if kind == "text_delta":
            if as_text(delta.get("text")):
                yield TextDelta(delta["text"])
        elif kind == "thinking_delta":
            if as_text(delta.get("thinking")):
                if self._kept is not None:
                    self._thinking.append(delta["thinking"])  # a place in one more list, which the panel's has room for
                yield ReasoningDelta(delta["thinking"])
        elif kind == "signature_delta":
            if self._kept is not None:
                self._keep(signature=as_text(delta.get("signature")))
        elif kind == "compaction_delta":
            if self._kept is not None:
                self._keep(content=delta.get("content"), encrypted_content=delta.get("encrypted_content"))
        elif kind == "input_json_delta":
            if event.index in self._calls:
                yield ToolFragment(self._calls[event.index], "", "", as_text(delta.get("partial_json")))
            elif self._kept is not None:
                self._input.append(as_text(delta.get("partial_json")))
                self.held_bytes += 2 * memory(self._input[-1])  # and once more, when they are decoded
        elif kind == "citations_delta":
            citation = as_mapping(delta.get("citation"))
            yield from source_delta(
                as_text(citation.get("url")) or as_text(citation.get("source")),
                as_text(citation.get("title")) or as_text(citation.get("document_title")),
                as_text(citation.get("cited_text")),
            )

    def _keep(self, **fields: Any) -> None:
        """Fields of the block that is open; what is None keeps its earlier value."""
        assert self._kept is not None
        for name, value in without_none(**fields).items():
            self.held_bytes += memory(value) - memory(self._kept.get(name))
            self._kept[name] = value

    def _used(self, usage: dict[str, Any]) -> Iterator[Delta]:
        if not usage:
            return
        details = as_mapping(usage.get("output_tokens_details"))
        said = {name: usage.get(name) for name in _COUNTS} | {"thinking_tokens": details.get("thinking_tokens")}
        self._usage |= without_none(
            **{name: as_count(number) for name, number in said.items()}
        )  # an absent one stays as it was
        counts = self._usage.get
        fresh, cached, written = map(counts, _COUNTS[:3])
        yield usage_delta(
            input=None if fresh is None else fresh + (cached or 0) + (written or 0),
            output=counts("output_tokens"),
            reasoning=counts("thinking_tokens"),
            cached=cached,
            cache_write=written,
        )


def _object(arguments: str) -> dict[str, Any]:
    try:
        return as_mapping(load_lenient(arguments or "{}"))
    except ValueError:
        return {}
