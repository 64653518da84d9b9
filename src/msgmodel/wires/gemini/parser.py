"""Turn the events of Gemini into deltas. Pure. The rule of success stands in the package."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from ...question.lenient_json import (
    LenientDecoder,
    MalformedJson,
    as_count,
    as_mapping,
    as_text,
    load_lenient,
    parse_or_none,
)
from ...question.question import (
    Question,
)
from .. import provider_errors
from ..deltas import (
    CHOICE_DROPPED,
    CUT,
    Checkpoint,
    Delta,
    DetailFound,
    Failure,
    Finish,
    ReceiptFact,
    ResponseStarted,
    Untold,
    UsageSoFar,
    usage_delta,
)
from ..finish_reasons import status_of_reason, stronger_finish_reason
from .gemini_findings import SafetyRatings, read_citations, read_grounding, read_logprobs_result, read_url_context
from .gemini_parts import GeminiPartReader


class _GeminiContent(msgspec.Struct):
    parts: list[Any] | None = None


class _GeminiCandidate(msgspec.Struct, rename="camel"):
    content: _GeminiContent | None = None
    finish_reason: str | int | None = None
    index: int | None = None
    continuation_token: str | None = None
    grounding_metadata: Any = None
    citation_metadata: Any = None
    url_context_metadata: Any = None
    safety_ratings: Any = None
    logprobs_result: Any = None
    finish_message: Any = None


class _GeminiChunk(msgspec.Struct, rename="camel"):
    candidates: list[_GeminiCandidate | None] | None = None
    prompt_feedback: Any = None
    usage_metadata: Any = None
    model_version: Any = None
    response_id: Any = None
    error: Any = None


_NOTHING = _GeminiChunk()


class _PlainGeminiPart(msgspec.Struct, gc=False, rename="camel", forbid_unknown_fields=True):
    """The part of nearly every event. Any other field makes decoding fail, so that none is lost."""

    text: str
    thought: Literal[False] | None = None
    thought_signature: None = None


class _PlainGeminiContent(msgspec.Struct, gc=False):
    parts: tuple[_PlainGeminiPart]


class _PlainGeminiCandidate(msgspec.Struct, gc=False, rename="camel", forbid_unknown_fields=True):
    content: _PlainGeminiContent
    index: Literal[0] | None = None
    finish_reason: None = None
    continuation_token: None = None
    grounding_metadata: None = None
    citation_metadata: None = None
    url_context_metadata: None = None
    safety_ratings: None = None
    logprobs_result: None = None
    finish_message: None = None
    avg_logprobs: float | None = None
    token_count: int | None = None


class _PlainGeminiChunk(msgspec.Struct, gc=False, rename="camel"):
    """Nearly every event. A field that would add to it may only be null, or decoding fails."""

    candidates: tuple[_PlainGeminiCandidate]
    usage_metadata: msgspec.Raw = msgspec.Raw()
    prompt_feedback: None = None
    error: None = None


_decode_plain = msgspec.json.Decoder(_PlainGeminiChunk).decode
_CHUNK_DECODER = LenientDecoder(_GeminiChunk)
_OBJECT_DECODER = LenientDecoder(dict[str, Any])


class GeminiParser:
    """Turns the events of one response into deltas."""

    def __init__(self, question: Question, token: str | None = None) -> None:
        self._response_started = False
        self._finish_reason: str | None = None
        self._text_after_reason = False  # some servers send a reason in every event
        self._ends_within_event = False
        self._block_reason: str | None = None
        self._continuation_token = token  # if nothing arrives, the next request uses it again
        self._deferred_usage = msgspec.Raw()
        self._parts = GeminiPartReader(question)
        self._ratings = SafetyRatings()

    @property
    def held_bytes(self) -> int:
        return self._parts.held_bytes

    def feed(self, data: bytes, whole: bool = True) -> Iterator[Delta]:
        """Yield the deltas of one event. Raises MalformedJson."""
        if not data.strip():
            return
        error = None
        try:
            chunk = _CHUNK_DECODER.decode(data)
        except MalformedJson:
            if not whole:
                self._ends_within_event = True
                return
            chunk, error = _GeminiChunk(), _error_in_list(data)
            if error is None:
                raise
        if error or chunk.error:
            yield provider_errors.read_failure(error or _OBJECT_DECODER.decode(data))
        elif chunk == _NOTHING and (failure := provider_errors.read_stated_failure(_OBJECT_DECODER.decode(data))):
            yield failure
        else:
            yield from self._read_chunk(chunk)

    def plain_text(self, data: bytes) -> str:
        """Return the text of an event that has only text and the usage so far; "" for any other event."""
        try:
            chunk = _decode_plain(data)
        except (ValueError, RecursionError):
            return ""
        text = chunk.candidates[0].content.parts[0].text
        if not text or not self._response_started or self._finish_reason:
            return ""
        self._continuation_token = None
        self._deferred_usage = chunk.usage_metadata or self._deferred_usage
        return text

    def deferred_deltas(self) -> Iterator[Delta]:
        """Yield the last usage. Every event has one, and decoding each would be wasted."""
        usage, self._deferred_usage = bytes(self._deferred_usage), msgspec.Raw()
        if usage and (counts := as_mapping(parse_or_none(usage))):
            yield _read_gemini_usage(counts)

    def _read_chunk(self, chunk: _GeminiChunk) -> Iterator[Delta]:
        if not self._response_started and (chunk.model_version or chunk.response_id):
            self._response_started = True
            yield ResponseStarted(as_text(chunk.model_version) or None, as_text(chunk.response_id) or None)
        feedback = as_mapping(chunk.prompt_feedback)
        self._block_reason = as_text(feedback.get("blockReason")) or self._block_reason
        yield from self._ratings.read_feedback(feedback)
        for candidate in chunk.candidates or ():
            if candidate is not None and not candidate.index:
                yield from self._read_candidate(candidate)
            elif candidate is not None and candidate.content and candidate.content.parts:
                yield Untold("candidate")
                yield CHOICE_DROPPED
        if isinstance(chunk.usage_metadata, dict) and chunk.usage_metadata:
            tier = as_text(chunk.usage_metadata.get("serviceTier")) or as_text(chunk.usage_metadata.get("trafficType"))
            if tier:
                yield ReceiptFact("service_tier", tier)
            yield _read_gemini_usage(chunk.usage_metadata)

    def eof(self, clean: bool) -> Finish | Failure | Checkpoint:
        """Return the verdict at the end of the body.

        A finish reason that came last proves that the reply is complete, even if the connection broke after it. A
        reason that text followed proves nothing: more text may have been lost.
        """
        if self._finish_reason and self._finish_reason != "CONTINUATION":
            if self._ends_within_event or (self._text_after_reason and not clean):
                return CUT
            return Finish(self._finish_reason, status_of_reason("gemini", self._finish_reason))
        if self._block_reason:
            status = status_of_reason("gemini", self._block_reason)
            return Finish(self._block_reason, "filtered" if status == "unknown" else status)
        if self._continuation_token:
            return Checkpoint(self._continuation_token, self._finish_reason)
        return Finish(self._finish_reason, "paused") if self._finish_reason else CUT

    def _read_candidate(self, candidate: _GeminiCandidate) -> Iterator[Delta]:
        has_content = False
        for part in (candidate.content.parts or ()) if candidate.content else ():
            if isinstance(part, str):
                part = {"text": part}
            elif part and not isinstance(part, dict):
                yield Untold("part", in_text=True)
            if _exceeds_signature(as_mapping(part)):
                has_content = True
                self._continuation_token = None  # to continue from that checkpoint would repeat this part
            yield from self._parts.read_part(as_mapping(part))
        self._continuation_token = candidate.continuation_token or self._continuation_token
        earlier = self._finish_reason
        if has_content and earlier not in (None, "CONTINUATION"):
            self._text_after_reason = True
        if has_content and self._text_after_reason and status_of_reason("gemini", earlier) == "complete":
            earlier = None  # it was early: it counts only if this event repeats it
        reason = str(candidate.finish_reason or "")
        self._finish_reason = stronger_finish_reason("gemini", earlier, reason)
        if reason:
            yield from self._parts.end_audio()
        yield from read_url_context(as_mapping(candidate.url_context_metadata))
        yield from read_grounding(as_mapping(candidate.grounding_metadata))
        yield from read_citations(as_mapping(candidate.citation_metadata))
        yield from self._ratings.read_ratings(candidate.safety_ratings)
        yield from read_logprobs_result(as_mapping(candidate.logprobs_result))
        if message := as_text(candidate.finish_message):
            yield DetailFound("finish_message", message)


def _error_in_list(data: bytes) -> dict[str, Any] | None:
    """Return the error in a list, which is how this API sends it without `alt=sse`; else None."""
    try:
        found = load_lenient(data)
    except ValueError:
        return None
    first = as_mapping(found[0]) if isinstance(found, list) and found else {}
    return first if first.get("error") else None


def _exceeds_signature(part: dict[str, Any]) -> bool:
    """Return whether a part has more than a signature."""
    return any(value for name, value in part.items() if name not in ("thought", "thoughtSignature"))


def _read_gemini_usage(usage: dict[str, Any]) -> UsageSoFar:
    spoken, thought = as_count(usage.get("candidatesTokenCount")), as_count(usage.get("thoughtsTokenCount"))
    prompt, tools = as_count(usage.get("promptTokenCount")), as_count(usage.get("toolUsePromptTokenCount"))
    return usage_delta(
        input=None if prompt is None else prompt + (tools or 0),
        output=None if spoken is None and thought is None else (spoken or 0) + (thought or 0),
        reasoning=thought,
        cached=as_count(usage.get("cachedContentTokenCount")),
        cache_write=None,
    )
