"""Anthropic Messages. Pure.

https://platform.claude.com/docs/en/api/messages-streaming

Rule of success: `message_stop` after a `message_delta` with a stop reason. Events are known by the `type` in their
JSON, so a proxy that strips `event:` lines does no harm. Numbers in `usage` are cumulative: they replace.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import msgspec

from .. import _verdict
from .._ask import Ask, File, Request, Turn, given
from .._deltas import (
    CUT,
    Cited,
    Delta,
    Failure,
    Finish,
    Reasoning,
    Refusal,
    Started,
    Text,
    ToolEnd,
    ToolFragment,
    used,
)
from .._json import Decoder, Malformed, count, mapping, text
from .._sse import Frame
from ..config import AnthropicConfig

MAX_TOKENS = 16_384
"""Sent where the caller sets none: the API requires one, and thinking counts towards it."""

VERSION = "2026-10-21"
VERSION_WITH_SAMPLING = "2023-06-01"


def request(ask: Ask, token: str | None = None) -> Request:
    """System text at the top level, files as blocks."""
    config = ask.config
    assert isinstance(config, AnthropicConfig)
    payload = given(
        model=ask.model,
        max_tokens=ask.max_tokens or MAX_TOKENS,
        system=ask.system,
        messages=[{"role": turn.role, "content": _content(turn)} for turn in ask.turns],
        stream=True,
        temperature=ask.temperature,
        top_p=config.top_p,
        top_k=config.top_k,
        stop_sequences=config.stop,
    )
    sampling = not payload.keys().isdisjoint(("temperature", "top_p", "top_k"))
    version = config.api_version or (VERSION_WITH_SAMPLING if sampling else VERSION)
    base = ask.base_url.rstrip("/").removesuffix("/v1")
    return Request.post(
        f"{base}/v1/messages", {"anthropic-version": version, **ask.headers}, payload | dict(config.body)
    )


def _content(turn: Turn) -> str | list[dict[str, Any]]:
    if len(turn.parts) == 1 and isinstance(turn.parts[0], str):
        return turn.parts[0]
    return [{"type": "text", "text": part} if isinstance(part, str) else _file(part) for part in turn.parts]


def _file(file: File) -> dict[str, Any]:
    if file.text is not None:
        return {
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": file.text},
            "title": file.name,
        }
    source = {"type": "base64", "media_type": file.media_type, "data": base64.b64encode(file.data).decode()}
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


_EVENT = Decoder(_Event)
_OBJECT = Decoder(dict[str, Any])


class Parser:
    """Frames of one response to deltas."""

    def __init__(self, ask: Ask) -> None:
        self._reason: str | None = None
        self._usage: dict[str, Any] = {}
        self._calls: dict[int | None, str] = {}
        self._blocks = 0

    def feed(self, frame: Frame) -> Iterator[Delta]:
        """The deltas in one event. Raises Malformed."""
        if not frame.whole or not frame.data.strip() or frame.data.startswith(b"[DONE]"):
            return
        event = _EVENT.decode(frame.data)
        kind = event.type
        if kind == "content_block_delta":
            yield from self._delta(event)
        elif kind == "content_block_start":
            yield from self._block(event)
        elif kind == "content_block_stop":
            if event.index in self._calls:
                yield ToolEnd(self._calls.pop(event.index))
        elif kind == "message_start":
            message = mapping(event.message)
            yield Started(text(message.get("model")) or None, text(message.get("id")) or None)
            yield from self._used(mapping(message.get("usage")))
        elif kind == "message_delta":
            delta = mapping(event.delta)
            self._reason = text(delta.get("stop_reason")) or self._reason
            explanation = text(mapping(delta.get("stop_details")).get("explanation"))
            if explanation and self._reason == "refusal":
                yield Refusal(explanation)
            yield from self._used(mapping(event.usage))
        elif kind == "message_stop":
            yield Finish(self._reason, _verdict.finish("anthropic", self._reason)) if self._reason else CUT
        elif kind == "error" or event.error:
            yield _verdict.failure(_OBJECT.decode(frame.data))
        elif kind is None:
            raise Malformed("an event has no type")

    def eof(self, clean: bool) -> Failure:
        """`message_stop` ends the reading before the body does, so an end of the body is always a cut."""
        return CUT

    def _block(self, event: _Event) -> Iterator[Delta]:
        block = mapping(event.content_block)
        kind = block.get("type")
        if kind == "tool_use":
            # Counted here: a server that leaves the index out, or says it twice, must not mix two calls.
            self._blocks += 1
            key = self._calls[event.index] = str(self._blocks)
            given_input = block.get("input")
            arguments = msgspec.json.encode(given_input).decode() if given_input else ""
            yield ToolFragment(key, text(block.get("id")), text(block.get("name")), arguments)
        elif kind == "text" and text(block.get("text")):
            yield Text(block["text"])
        elif kind == "thinking" and text(block.get("thinking")):
            yield Reasoning(block["thinking"])

    def _delta(self, event: _Event) -> Iterator[Delta]:
        delta = mapping(event.delta)
        kind = delta.get("type")
        if kind == "text_delta":
            if text(delta.get("text")):
                yield Text(delta["text"])
        elif kind == "thinking_delta":
            if text(delta.get("thinking")):
                yield Reasoning(delta["thinking"])
        elif kind == "input_json_delta":
            if event.index in self._calls:
                yield ToolFragment(self._calls[event.index], "", "", text(delta.get("partial_json")))
        elif kind == "citations_delta":
            citation = mapping(delta.get("citation"))
            yield Cited(
                {
                    "url": text(citation.get("url")) or None,
                    "title": text(citation.get("title")) or text(citation.get("document_title")) or None,
                    "text": text(citation.get("cited_text")) or None,
                }
            )

    def _used(self, usage: dict[str, Any]) -> Iterator[Delta]:
        if not usage:
            return
        self._usage |= given(**usage)  # an absent count keeps its earlier value
        usage = self._usage
        fresh = count(usage.get("input_tokens"))
        cached = count(usage.get("cache_read_input_tokens"))
        written = count(usage.get("cache_creation_input_tokens"))
        yield used(
            input=None if fresh is None else fresh + (cached or 0) + (written or 0),
            output=count(usage.get("output_tokens")),
            reasoning=count(mapping(usage.get("output_tokens_details")).get("thinking_tokens")),
            cached=cached,
            cache_write=written,
        )
