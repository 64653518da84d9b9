"""The wire of Gemini's `streamGenerateContent?alt=sse`, the Developer API. Pure.

https://ai.google.dev/api/generate-content

Rule of success: candidate 0 has a finish reason other than CONTINUATION, or the prompt was blocked. There is no
terminal marker, so the body is read to its end: late chunks carry signatures, sources and usage. The last event may
lack its blank line. After CONTINUATION, or a cut after a checkpoint token, another request continues the reply.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal
from urllib.parse import quote

import msgspec

from ..question.config import GeminiConfig
from ..question.lenient_json import (
    LenientDecoder,
    MalformedJson,
    as_count,
    as_mapping,
    as_text,
    load_lenient,
    memory,
    parse_or_none,
)
from ..question.question import (
    Attachment,
    Effort,
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
from . import provider_errors
from .deltas import (
    CUT,
    Continue,
    Delta,
    Failure,
    Finish,
    NewPart,
    OpaqueData,
    ReasoningDelta,
    ResponseStarted,
    TextDelta,
    ToolEnd,
    ToolFragment,
    UsageSoFar,
    source_delta,
    usage_delta,
)
from .finish_reasons import status_of_reason, stronger_finish_reason
from .streamed_arguments import finish_arguments, set_argument

SKIP_SIGNATURE_CHECK = "skip_thought_signature_validator"
"""Replaces the signature of a call that Gemini did not make (https://ai.google.dev/gemini-api/docs/thought-signatures)."""
_CALLING_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}
_BUDGET_BY_EFFORT: dict[Effort, int] = {"none": 0, "low": 1_024, "medium": 8_192, "high": 24_576}
_HARM_CATEGORIES = ("HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT")


def gemini_request(question: Question, token: str | None = None) -> HttpRequest:
    """Return the HTTP request for a question.

    The key is in a header, not in the URL: servers and proxies write URLs to their logs.

    Args:
        question: The question.
        token: A continuation token: the response continues the one that ended with it.
    """
    config = question.config
    assert isinstance(config, GeminiConfig)
    generation = without_none(
        maxOutputTokens=question.max_tokens,
        temperature=question.temperature,
        topP=config.top_p,
        topK=config.top_k,
        candidateCount=config.candidate_count,
        stopSequences=config.stop,
        seed=config.seed,
        thinkingConfig=_thinking_config(question),
    )
    declarations = [_function_declaration(tool) for tool in question.tools]
    payload = without_none(
        contents=_gemini_contents(question),
        systemInstruction={"parts": [{"text": question.system}]} if question.system else None,
        generationConfig=generation or None,
        safetySettings=_safety_settings(config.safety_threshold) if config.safety_threshold else None,
        tools=[{"functionDeclarations": declarations}] if declarations else None,
        toolConfig=_tool_config(question.tool_choice) if question.tool_choice else None,
        store=question.dialect.store if config.store is None else config.store,
        continuationToken=token,
    )
    model = question.model.removeprefix("models/")
    base = question.base_url.rstrip("/")
    if config.api_version or not re.search(r"/v\d+\w*(/|$)", base):
        # The `-latest` aliases exist only on v1beta (https://ai.google.dev/gemini-api/docs/models).
        base += "/" + (config.api_version or ("v1beta" if model.endswith("-latest") else "v1"))
    url = f"{base}/models/{quote(model, safe='')}:streamGenerateContent?alt=sse"
    return HttpRequest.post(url, question.headers, merge_body(payload, config.body), question.attachments)


def _function_declaration(tool: ToolDefinition) -> dict[str, Any]:
    declared = {"name": tool.name, "description": tool.description}
    has_parameters = any(value for name, value in tool.parameters.items() if name not in ("type", "title", "$schema"))
    return declared | ({"parametersJsonSchema": tool.parameters} if has_parameters else {})


def _safety_settings(threshold: str) -> list[dict[str, Any]]:
    return [{"category": f"HARM_CATEGORY_{harm}", "threshold": threshold} for harm in _HARM_CATEGORIES]


def _tool_config(choice: str) -> dict[str, Any]:
    mode = _CALLING_MODES.get(choice)
    named = {"mode": "ANY", "allowedFunctionNames": [choice]}
    return {"functionCallingConfig": {"mode": mode} if mode else named}


def _thinking_config(question: Question) -> dict[str, Any] | None:
    """Return how long to think: a budget for the 2.5 models, a level for later ones.

    Later models cannot be told not to think, so `none` is their lowest level.
    """
    effort = question.reasoning
    if effort is None:
        return None
    model = question.model.removeprefix("models/")
    fields = {"includeThoughts": effort != "none"}
    if model.startswith("gemini-2.5"):
        least = 128 if "pro" in model else 0
        return fields | {"thinkingBudget": max(_BUDGET_BY_EFFORT[effort], least)}
    if effort == "none":
        return fields | {"thinkingLevel": "LOW" if re.match(r"gemini-(3\.[78]|4)", model) else "MINIMAL"}
    return fields | {"thinkingLevel": effort.upper()}


def _gemini_contents(question: Question) -> list[dict[str, Any]]:
    contents = []
    for turn in question.turns:
        parts = [made for part in turn.parts for made in _parts_for_gemini(part)]
        first = next((part for part in parts if "functionCall" in part), None)
        foreign = any(isinstance(part, PastCall) and part.opaque is None for part in turn.parts)
        if first is not None and (foreign or not re.search(r"gemini-[12]", question.model)):
            # From Gemini 3 on, the first call of a turn must have a signature. It has none if another model made it, or
            # if the call before it was not run (https://ai.google.dev/gemini-api/docs/thought-signatures, "FAQs").
            first.setdefault("thoughtSignature", SKIP_SIGNATURE_CHECK)
        contents.append({"role": "model" if turn.role == "assistant" else "user", "parts": parts})
    return contents


def _parts_for_gemini(part: TurnPart) -> list[dict[str, Any]]:
    if isinstance(part, str | PastRefusal):
        return [{"text": part if isinstance(part, str) else part.text}]
    if isinstance(part, SignedText):
        return [{"text": part.text, **as_mapping(part.opaque)}]
    if isinstance(part, Attachment):
        return list(_gemini_file_parts(part))
    if isinstance(part, PastCall):
        own = as_mapping(part.opaque)
        call = without_none(id=_gemini_call_id(part), name=part.name, args=part.input)
        return [{"functionCall": call, **without_none(thoughtSignature=own.get("thoughtSignature"))}]
    if isinstance(part, PastResult):
        response = {"error" if part.is_error else "output": _parse_result(part.content)}
        result = without_none(id=_gemini_call_id(part.call), name=part.call.name, response=response)
        return [{"functionResponse": result}]
    if isinstance(part, PastReasoning):
        return [{"text": part.text, "thought": True, **part.opaque}] if isinstance(part.opaque, dict) else []
    return [part.opaque] if isinstance(part.opaque, dict) else []


def _gemini_call_id(call: PastCall) -> str | None:
    """Return the id that this API gave the call, or None if it gave none; another provider's call keeps its id."""
    return call.id if call.opaque is None else as_mapping(call.opaque).get("id")


def _parse_result(content: str) -> Any:
    try:
        return load_lenient(content)
    except ValueError:
        return content


def _gemini_file_parts(file: Attachment) -> Iterator[dict[str, Any]]:
    if file.text is not None:
        yield {"text": f"File {file.name}:"}  # inline data has no field for a file name
    yield {"inlineData": {"mimeType": file.media_type, "data": file.in_base64()}}


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


class _GeminiChunk(msgspec.Struct, rename="camel"):
    candidates: list[_GeminiCandidate | None] | None = None
    prompt_feedback: Any = None
    usage_metadata: Any = None
    model_version: Any = None
    response_id: Any = None
    error: Any = None


class _PlainGeminiPart(msgspec.Struct, gc=False, rename="camel"):
    text: str
    thought: Literal[False] | None = None
    thought_signature: None = None
    function_call: None = None


class _PlainGeminiContent(msgspec.Struct, gc=False):
    parts: tuple[_PlainGeminiPart]


class _PlainGeminiCandidate(msgspec.Struct, gc=False, rename="camel"):
    content: _PlainGeminiContent
    index: Literal[0] | None = None
    finish_reason: None = None
    continuation_token: None = None
    grounding_metadata: None = None
    citation_metadata: None = None
    url_context_metadata: None = None


class _PlainGeminiChunk(msgspec.Struct, gc=False, rename="camel"):
    """Nearly every event. A field that would add to it may only be null, or decoding fails."""

    candidates: tuple[_PlainGeminiCandidate]
    usage_metadata: msgspec.Raw = msgspec.Raw()
    prompt_feedback: None = None
    error: None = None


_decode_plain = msgspec.json.Decoder(_PlainGeminiChunk).decode
_CHUNK_DECODER = LenientDecoder(_GeminiChunk)
_OBJECT_DECODER = LenientDecoder(dict[str, Any])
_PROVIDER_TOOL_FIELDS = {"executableCode", "codeExecutionResult", "toolCall", "toolResponse"}
_MEMORY_FACTOR = 4
"""Memory that a piece of arguments may take in the tree, relative to its own: each name in its path becomes a dict."""


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
        self._calls_begun = 0
        self._arguments: dict[Any, Any] = {}
        self._call_ended = False
        self.held_bytes = 0
        """Bytes of memory for the arguments of an open call."""

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
        self._block_reason = as_text(as_mapping(chunk.prompt_feedback).get("blockReason")) or self._block_reason
        for candidate in chunk.candidates or ():
            if candidate is not None and not candidate.index:
                yield from self._read_candidate(candidate)
        if isinstance(chunk.usage_metadata, dict) and chunk.usage_metadata:
            yield _read_gemini_usage(chunk.usage_metadata)

    def eof(self, clean: bool) -> Finish | Failure | Continue:
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
            return Continue(self._continuation_token, self._finish_reason)
        return Finish(self._finish_reason, "paused") if self._finish_reason else CUT

    def _read_candidate(self, candidate: _GeminiCandidate) -> Iterator[Delta]:
        has_content = False
        for part in (candidate.content.parts or ()) if candidate.content else ():
            if _exceeds_signature(as_mapping(part)):
                has_content = True
                self._continuation_token = None  # to continue from that checkpoint would repeat this part
            yield from self._read_part(as_mapping(part))
        self._continuation_token = candidate.continuation_token or self._continuation_token
        earlier = self._finish_reason
        if has_content and earlier not in (None, "CONTINUATION"):
            self._text_after_reason = True
        if has_content and self._text_after_reason and status_of_reason("gemini", earlier) == "complete":
            earlier = None  # it was early: it counts only if this event repeats it
        reason = str(candidate.finish_reason or "")
        self._finish_reason = stronger_finish_reason("gemini", earlier, reason)
        yield from _candidate_sources(candidate)

    def _read_part(self, part: dict[str, Any]) -> Iterator[Delta]:
        signature = without_none(thoughtSignature=part.get("thoughtSignature"))
        call = part.get("functionCall")
        if isinstance(call, dict):
            yield from self._read_call(call, signature)
        elif "text" in part:
            thought = bool(part.get("thought"))
            if signature:
                yield NewPart()  # signed text must not be joined with other text
            if as_text(part["text"]):
                yield ReasoningDelta(part["text"]) if thought else TextDelta(part["text"])
            if signature:
                yield OpaqueData("reasoning" if thought else "text", signature)
        elif not _PROVIDER_TOOL_FIELDS.isdisjoint(part):
            yield OpaqueData("opaque", part)  # the provider's own tools, to be sent back unchanged

    def _read_call(self, call: dict[str, Any], signature: dict[str, Any]) -> Iterator[Delta]:
        """Yield a call. It is complete, unless the arguments are streamed (Vertex): its later pieces have no name."""
        if call.get("name") or not self._calls_begun:
            self._calls_begun += 1
            self._arguments, self._call_ended = dict(as_mapping(call.get("args"))), False
            self.held_bytes = memory(self._arguments)
            key = f"{self._calls_begun}"
            yield ToolFragment(key, as_text(call.get("id")), as_text(call.get("name")), "")
            yield OpaqueData("tool_call", without_none(id=as_text(call.get("id")) or None) | signature, key)
        pieces = call.get("partialArgs")
        if self._call_ended:
            if pieces:  # more arguments after the end: it was not complete
                yield ToolEnd(f"{self._calls_begun}", None, False)
            return
        for piece in pieces if isinstance(pieces, list) else ():
            set_argument(self._arguments, as_mapping(piece))
            self.held_bytes += _MEMORY_FACTOR * memory(piece)
        if not call.get("willContinue"):
            self._call_ended = True
            arguments = msgspec.json.encode(finish_arguments(self._arguments)).decode()
            self._arguments, self.held_bytes = {}, 0
            yield ToolEnd(f"{self._calls_begun}", arguments)


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


def _candidate_sources(candidate: _GeminiCandidate) -> Iterator[Delta]:
    """Yield the results of a search, a map or a store, the works quoted, and the pages read for the prompt."""
    grounding, citation = as_mapping(candidate.grounding_metadata), as_mapping(candidate.citation_metadata)
    for chunk in _objects_in(grounding, "groundingChunks"):
        for found in chunk.values():  # the key is the kind: web, maps, retrievedContext
            if isinstance(found, dict) and found:
                yield from _gemini_source(found)
    for source in _objects_in(citation, "citationSources") or _objects_in(citation, "citations"):
        yield from _gemini_source(source)
    for page in _objects_in(as_mapping(candidate.url_context_metadata), "urlMetadata"):
        if page.get("urlRetrievalStatus") == "URL_RETRIEVAL_STATUS_SUCCESS":
            yield from _gemini_source({"uri": page.get("retrievedUrl")})


def _objects_in(metadata: dict[str, Any], field: str) -> list[dict[str, Any]]:
    found = metadata.get(field)
    return [as_mapping(each) for each in found] if isinstance(found, list) else []


def _gemini_source(found: dict[str, Any]) -> Iterator[Delta]:
    yield from source_delta(as_text(found.get("uri")), as_text(found.get("title")))


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
