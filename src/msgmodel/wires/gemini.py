"""Gemini `streamGenerateContent?alt=sse`, the Developer API. Pure.

https://ai.google.dev/api/generate-content

Rule of success: candidate 0 has a finish reason that is not CONTINUATION, or the prompt was blocked. There is no
terminal marker: the body is read to its end, because late chunks carry signatures, sources and usage. The last event
may lack its blank line. CONTINUATION, and a cut after a checkpoint token, go on in another request.
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
from . import finish_reasons, provider_errors
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

NO_SIGNATURE = "skip_thought_signature_validator"
_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}
_BUDGETS: dict[Effort, int] = {"none": 0, "low": 1_024, "medium": 8_192, "high": 24_576}
_HARMS = ("HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT")


def gemini_request(ask: Question, token: str | None = None) -> HttpRequest:
    """The key goes in a header: in the URL it would end up in logs. `token` goes on where another response ended."""
    config = ask.config
    assert isinstance(config, GeminiConfig)
    generation = without_none(
        maxOutputTokens=ask.max_tokens,
        temperature=ask.temperature,
        topP=config.top_p,
        topK=config.top_k,
        candidateCount=config.candidate_count,
        stopSequences=config.stop,
        seed=config.seed,
        thinkingConfig=_thinking(ask),
    )
    payload = without_none(
        contents=_contents(ask),
        systemInstruction={"parts": [{"text": ask.system}]} if ask.system else None,
        generationConfig=generation or None,
        safetySettings=[{"category": f"HARM_CATEGORY_{harm}", "threshold": config.safety_threshold} for harm in _HARMS]
        if config.safety_threshold
        else None,
        tools=[{"functionDeclarations": [_tool(tool) for tool in ask.tools]}] if ask.tools else None,
        toolConfig={"functionCallingConfig": _choice(ask.tool_choice)} if ask.tool_choice else None,
        store=ask.dialect.store if config.store is None else config.store,
        continuationToken=token,
    )
    model = ask.model.removeprefix("models/")
    base = ask.base_url.rstrip("/")
    if config.api_version or not re.search(r"/v\d+\w*(/|$)", base):
        # The moving aliases exist only on v1beta (https://ai.google.dev/gemini-api/docs/models).
        base += "/" + (config.api_version or ("v1beta" if model.endswith("-latest") else "v1"))
    url = f"{base}/models/{quote(model, safe='')}:streamGenerateContent?alt=sse"
    return HttpRequest.post(url, ask.headers, merge_body(payload, config.body), ask.attachments)


def _tool(tool: ToolDefinition) -> dict[str, Any]:
    declared = {"name": tool.name, "description": tool.description}
    says = any(value for name, value in tool.parameters.items() if name not in ("type", "title", "$schema"))
    return declared | ({"parametersJsonSchema": tool.parameters} if says else {})


def _choice(choice: str) -> dict[str, Any]:
    if choice in _MODES:
        return {"mode": _MODES[choice]}
    return {"mode": "ANY", "allowedFunctionNames": [choice]}


def _thinking(ask: Question) -> dict[str, Any] | None:
    """By level, and by a budget for the 2.5 models. Later ones can't be told not to think: `none` is their least."""
    effort = ask.reasoning
    if effort is None:
        return None
    model = ask.model.removeprefix("models/")
    shown = {"includeThoughts": effort != "none"}
    if model.startswith("gemini-2.5"):
        least = 128 if "pro" in model else 0
        return shown | {"thinkingBudget": max(_BUDGETS[effort], least)}
    if effort == "none":
        return shown | {"thinkingLevel": "LOW" if re.match(r"gemini-(3\.[78]|4)", model) else "MINIMAL"}
    return shown | {"thinkingLevel": effort.upper()}


def _contents(ask: Question) -> list[dict[str, Any]]:
    contents = []
    for turn in ask.turns:
        parts = [made for part in turn.parts for made in _part(part)]
        first = next((part for part in parts if "functionCall" in part), None)
        foreign = any(isinstance(part, PastCall) and part.opaque is None for part in turn.parts)
        if first is not None and (foreign or not re.search(r"gemini-[12]", ask.model)):
            # The first call of a turn must be signed from Gemini 3 on. It is not where another model made it, or where
            # the one before it was not run (https://ai.google.dev/gemini-api/docs/thought-signatures, "FAQs").
            first.setdefault("thoughtSignature", NO_SIGNATURE)
        contents.append({"role": "model" if turn.role == "assistant" else "user", "parts": parts})
    return contents


def _part(part: TurnPart) -> list[dict[str, Any]]:
    if isinstance(part, str | PastRefusal):
        return [{"text": part if isinstance(part, str) else part.text}]
    if isinstance(part, SignedText):
        return [{"text": part.text, **as_mapping(part.opaque)}]
    if isinstance(part, Attachment):
        return list(_file(part))
    if isinstance(part, PastCall):
        own = as_mapping(part.opaque)
        call = without_none(id=_id(part), name=part.name, args=part.input)
        return [{"functionCall": call, **without_none(thoughtSignature=own.get("thoughtSignature"))}]
    if isinstance(part, PastResult):
        response = {"error" if part.is_error else "output": _value(part.content)}
        return [{"functionResponse": without_none(id=_id(part.call), name=part.call.name, response=response)}]
    if isinstance(part, PastReasoning):
        return [{"text": part.text, "thought": True, **part.opaque}] if isinstance(part.opaque, dict) else []
    return [part.opaque] if isinstance(part.opaque, dict) else []


def _id(call: PastCall) -> str | None:
    """The id that this API gave; none where it gave none. Calls that another provider made keep theirs."""
    return call.id if call.opaque is None else as_mapping(call.opaque).get("id")


def _value(content: str) -> Any:
    try:
        return load_lenient(content)
    except ValueError:
        return content


def _file(file: Attachment) -> Iterator[dict[str, Any]]:
    if file.text is not None:
        yield {"text": f"File {file.name}:"}  # inline data has no field for a name on this API
    yield {"inlineData": {"mimeType": file.media_type, "data": file.in_base64()}}


class _Content(msgspec.Struct):
    parts: list[Any] | None = None


class _Candidate(msgspec.Struct, rename="camel"):
    content: _Content | None = None
    finish_reason: str | int | None = None
    index: int | None = None
    continuation_token: str | None = None
    grounding_metadata: Any = None
    citation_metadata: Any = None
    url_context_metadata: Any = None


class _Chunk(msgspec.Struct, rename="camel"):
    candidates: list[_Candidate | None] | None = None
    prompt_feedback: Any = None
    usage_metadata: Any = None
    model_version: Any = None
    response_id: Any = None
    error: Any = None


class _PlainPart(msgspec.Struct, gc=False, rename="camel"):
    text: str
    thought: Literal[False] | None = None
    thought_signature: None = None
    function_call: None = None


class _PlainContent(msgspec.Struct, gc=False):
    parts: tuple[_PlainPart]


class _PlainCandidate(msgspec.Struct, gc=False, rename="camel"):
    content: _PlainContent
    index: Literal[0] | None = None
    finish_reason: None = None
    continuation_token: None = None
    grounding_metadata: None = None
    citation_metadata: None = None
    url_context_metadata: None = None


class _PlainChunk(msgspec.Struct, gc=False, rename="camel"):
    """What nearly every event is. A field that would say more may only be null, or the shape does not fit."""

    candidates: tuple[_PlainCandidate]
    usage_metadata: msgspec.Raw = msgspec.Raw()
    prompt_feedback: None = None
    error: None = None


_plain = msgspec.json.Decoder(_PlainChunk).decode
_CHUNK = LenientDecoder(_Chunk)
_OBJECT = LenientDecoder(dict[str, Any])
_BY_REFERENCE = {"executableCode", "codeExecutionResult", "toolCall", "toolResponse"}
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d{1,9})\]")
_GROWTH = 4
"""How many times the memory of a piece what it makes of the tree may take: a dict for each name of its path."""
_DEEPEST = 100
"""Steps of a path: no schema of arguments nests deeper, and what is built from it is walked by recursion."""


class GeminiParser:
    """Events of one response to deltas."""

    def __init__(self, ask: Question, token: str | None = None) -> None:
        self._started = False
        self._reason: str | None = None
        self._went_on = False  # whether text came after a reason: some servers say one in every event
        self._half = False  # whether the body ended within an event
        self._blocked: str | None = None
        self._token = token  # where nothing comes, the same one goes on again
        self._usage = msgspec.Raw()
        self._calls = 0
        self._arguments: dict[Any, Any] = {}
        self._ended = False  # whether the last call did
        self.held_bytes = 0
        """Bytes of memory for the arguments of a call that is open."""

    def feed(self, data: bytes, whole: bool = True) -> Iterator[Delta]:
        """The deltas in one event. Raises Malformed."""
        if not data.strip():
            return
        error = None
        try:
            chunk = _CHUNK.decode(data)
        except MalformedJson:
            if not whole:
                self._half = True
                return
            chunk, error = _Chunk(), _listed_error(data)
            if error is None:
                raise
        if error or chunk.error:
            yield provider_errors.read_failure(error or _OBJECT.decode(data))
        else:
            yield from self._chunk(chunk)

    def plain_text(self, data: bytes) -> str:
        """The text of an event that says nothing else but the usage so far; "" of any other."""
        try:
            chunk = _plain(data)
        except (ValueError, RecursionError):
            return ""
        text = chunk.candidates[0].content.parts[0].text
        if not text or not self._started or self._reason:
            return ""
        self._token = None
        self._usage = chunk.usage_metadata or self._usage
        return text

    def deferred_deltas(self) -> Iterator[Delta]:
        """The usage, which every event has, and of which the last one counts."""
        usage, self._usage = bytes(self._usage), msgspec.Raw()
        if usage and (counts := as_mapping(parse_or_none(usage))):
            yield _used(counts)

    def _chunk(self, chunk: _Chunk) -> Iterator[Delta]:
        if not self._started and (chunk.model_version or chunk.response_id):
            self._started = True
            yield ResponseStarted(as_text(chunk.model_version) or None, as_text(chunk.response_id) or None)
        self._blocked = as_text(as_mapping(chunk.prompt_feedback).get("blockReason")) or self._blocked
        for candidate in chunk.candidates or ():
            if candidate is not None and not candidate.index:
                yield from self._candidate(candidate)
        if isinstance(chunk.usage_metadata, dict) and chunk.usage_metadata:
            yield _used(chunk.usage_metadata)

    def eof(self, clean: bool) -> Finish | Failure | Continue:
        """The verdict at the end of the body. It needs no clean end where the finish reason came last, and so says it
        all: one that was followed by text may be followed by more."""
        if self._reason and self._reason != "CONTINUATION":
            if self._half or (self._went_on and not clean):
                return CUT
            return Finish(self._reason, finish_reasons.status_of_reason("gemini", self._reason))
        if self._blocked:
            status = finish_reasons.status_of_reason("gemini", self._blocked)
            return Finish(self._blocked, "filtered" if status == "unknown" else status)
        if self._token:
            return Continue(self._token, self._reason)
        return Finish(self._reason, "paused") if self._reason else CUT

    def _candidate(self, candidate: _Candidate) -> Iterator[Delta]:
        said = False
        for part in (candidate.content.parts or ()) if candidate.content else ():
            if _says(as_mapping(part)):
                said = True
                self._token = None  # what came after a checkpoint would come again
            yield from self._part(as_mapping(part))
        self._token = candidate.continuation_token or self._token
        self._went_on = self._went_on or (said and self._reason not in (None, "CONTINUATION"))
        if said and self._went_on and finish_reasons.status_of_reason("gemini", self._reason) == "complete":
            self._reason = None  # it was early, and holds where this event repeats it
        self._reason = finish_reasons.stronger_finish_reason("gemini", self._reason, str(candidate.finish_reason or ""))
        yield from _cited(candidate)

    def _part(self, part: dict[str, Any]) -> Iterator[Delta]:
        signature = without_none(thoughtSignature=part.get("thoughtSignature"))
        call = part.get("functionCall")
        if isinstance(call, dict):
            yield from self._call(call, signature)
        elif "text" in part:
            thought = bool(part.get("thought"))
            if signature:
                yield NewPart()  # what is signed may not be joined with what is not
            if as_text(part["text"]):
                yield ReasoningDelta(part["text"]) if thought else TextDelta(part["text"])
            if signature:
                yield OpaqueData("reasoning" if thought else "text", signature)
        elif not _BY_REFERENCE.isdisjoint(part):
            yield OpaqueData("opaque", part)  # the provider's own tools, to be echoed

    def _call(self, call: dict[str, Any], signature: dict[str, Any]) -> Iterator[Delta]:
        """A call comes whole; where arguments are streamed (Vertex), its later pieces have no name."""
        if call.get("name") or not self._calls:
            self._calls += 1
            self._arguments, self._ended = dict(as_mapping(call.get("args"))), False
            self.held_bytes = memory(self._arguments)
            key = f"{self._calls}"
            yield ToolFragment(key, as_text(call.get("id")), as_text(call.get("name")), "")
            yield OpaqueData("tool_call", without_none(id=as_text(call.get("id")) or None) | signature, key)
        pieces = call.get("partialArgs")
        if self._ended:
            if pieces:  # it went on after its end, so it was not whole
                yield ToolEnd(f"{self._calls}", None, False)
            return
        for piece in pieces if isinstance(pieces, list) else ():
            _grow(self._arguments, as_mapping(piece))
            self.held_bytes += _GROWTH * memory(piece)
        if not call.get("willContinue"):
            self._ended = True
            arguments = msgspec.json.encode(_listed(self._arguments)).decode()
            self._arguments, self.held_bytes = {}, 0
            yield ToolEnd(f"{self._calls}", arguments)


def _listed_error(data: bytes) -> dict[str, Any] | None:
    """The error in a list, in which the API without `alt=sse` has it."""
    try:
        found = load_lenient(data)
    except ValueError:
        return None
    first = as_mapping(found[0]) if isinstance(found, list) and found else {}
    return first if first.get("error") else None


def _says(part: dict[str, Any]) -> bool:
    """Whether there is more in a part than a signature."""
    return any(value for name, value in part.items() if name not in ("thought", "thoughtSignature"))


class _Pieces(list[str]):
    """A string that grows."""


def _grow(tree: dict[Any, Any], piece: dict[str, Any]) -> None:
    """Puts a piece of a streamed argument where its path (`$.a.b[0]`) says; strings are appended to."""
    *path, last = [int(index) if index else name for name, index in _STEP.findall(as_text(piece.get("jsonPath")))] or [
        ""
    ]
    if len(path) > _DEEPEST:
        raise MalformedJson("an argument is nested too deeply")
    for step in path:
        tree = tree.setdefault(step, {})
        if not isinstance(tree, dict):
            return
    for kind in ("stringValue", "numberValue", "boolValue", "nullValue"):
        if kind in piece:
            value = None if kind == "nullValue" else piece[kind]
            earlier = tree.get(last)
            if isinstance(value, str) and isinstance(earlier, _Pieces):
                earlier.append(value)
            elif isinstance(value, str):
                tree[last] = _Pieces([earlier, value] if isinstance(earlier, str) else [value])
            else:
                tree[last] = value


def _listed(tree: Any) -> Any:
    """The tree with its arrays, which grew as mappings of numbers, as lists, and its strings whole."""
    if isinstance(tree, _Pieces):
        return "".join(tree)
    if not isinstance(tree, dict):
        return tree
    if tree and all(isinstance(key, int) for key in tree):
        return [_listed(tree[key]) for key in sorted(tree)]
    return {key: _listed(value) for key, value in tree.items()}


def _cited(candidate: _Candidate) -> Iterator[Delta]:
    """What a search, a map or a store found, what is quoted, and the pages of the prompt that were read."""
    grounding, citation = as_mapping(candidate.grounding_metadata), as_mapping(candidate.citation_metadata)
    for chunk in _listed_in(grounding, "groundingChunks"):
        for found in chunk.values():  # by its kind: web, maps, retrievedContext
            if isinstance(found, dict) and found:
                yield from _source(found)
    for source in _listed_in(citation, "citationSources") or _listed_in(citation, "citations"):
        yield from _source(source)
    for page in _listed_in(as_mapping(candidate.url_context_metadata), "urlMetadata"):
        if page.get("urlRetrievalStatus") == "URL_RETRIEVAL_STATUS_SUCCESS":
            yield from _source({"uri": page.get("retrievedUrl")})


def _listed_in(metadata: dict[str, Any], field: str) -> list[dict[str, Any]]:
    found = metadata.get(field)
    return [as_mapping(each) for each in found] if isinstance(found, list) else []


def _source(found: dict[str, Any]) -> Iterator[Delta]:
    yield from source_delta(as_text(found.get("uri")), as_text(found.get("title")))


def _used(usage: dict[str, Any]) -> UsageSoFar:
    spoken, thought = as_count(usage.get("candidatesTokenCount")), as_count(usage.get("thoughtsTokenCount"))
    prompt, tools = as_count(usage.get("promptTokenCount")), as_count(usage.get("toolUsePromptTokenCount"))
    return usage_delta(
        input=None if prompt is None else prompt + (tools or 0),
        output=None if spoken is None and thought is None else (spoken or 0) + (thought or 0),
        reasoning=thought,
        cached=as_count(usage.get("cachedContentTokenCount")),
        cache_write=None,
    )
