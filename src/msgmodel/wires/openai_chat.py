"""The wire of OpenAI Chat Completions and all compatible servers. Pure.

https://platform.openai.com/docs/api-reference/chat-streaming

Rule of success: every choice that was seen has a finish reason, and the body ended by `[DONE]` or cleanly. `[DONE]`
alone proves nothing: vLLM sends it after an error, and Ollama ends the body cleanly after one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from ..question.config import LocalConfig, OpenAIConfig
from ..question.lenient_json import LenientDecoder, as_count, as_mapping, as_text, parse_or_none
from ..question.question import (
    Attachment,
    Dialect,
    PastCall,
    PastReasoning,
    PastRefusal,
    PastResult,
    Question,
    QuestionTurn,
    SignedText,
    ToolDefinition,
    append_path,
    merge_body,
    without_none,
)
from ..question.transport import HttpRequest
from . import finish_reasons, provider_errors
from .deltas import (
    CUT,
    Delta,
    Failure,
    Finish,
    OpaqueData,
    ReasoningDelta,
    RefusalDelta,
    ResponseStarted,
    TextDelta,
    UsageSoFar,
    source_delta,
    usage_delta,
)
from .reasoning_details import ReasoningDetails
from .tool_call_fragments import ToolCallAssembler, as_index, as_list


def chat_request(question: Question, token: str | None = None) -> HttpRequest:
    """Return the HTTP request for a question, with the smallest body that expresses it.

    Compatible servers refuse fields that they do not know, so no field is sent for its default value.
    """
    config, dialect = question.config, question.dialect
    assert isinstance(config, OpenAIConfig | LocalConfig)
    messages: list[dict[str, Any]] = []
    system = question.system or dialect.system
    if system:
        messages.append({"role": dialect.system_role, "content": system})
    for turn in question.turns:
        messages += _chat_messages(turn, dialect)
    payload = {
        **dialect.sampling,
        **(dialect.reasoning[question.reasoning] if question.reasoning else {}),
        **without_none(
            model=question.model,
            messages=messages,
            stream=True,
            temperature=question.temperature,
            top_p=config.top_p,
            stop=config.stop,
            seed=config.seed,
            tools=[_chat_tool(tool) for tool in question.tools] or None,
            tool_choice=_chat_tool_choice(question.tool_choice),
        ),
    }
    if question.max_tokens is not None:
        payload[dialect.max_tokens] = question.max_tokens
    store, include_usage = dialect.store, dialect.include_usage
    if isinstance(config, OpenAIConfig):
        payload |= without_none(n=config.n)
        store = store if config.store is None else config.store
        include_usage = include_usage if config.include_usage is None else config.include_usage
    payload |= without_none(store=store, stream_options={"include_usage": True} if include_usage else None)
    url = append_path(question.base_url, "chat/completions")
    return HttpRequest.post(url, question.headers, merge_body(payload, config.body), question.attachments)


def _chat_tool(tool: ToolDefinition) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function | without_none(strict=tool.strict)}


def _chat_tool_choice(choice: str | None) -> str | dict[str, Any] | None:
    if choice is None or choice in ("auto", "none", "required"):
        return choice
    return {"type": "function", "function": {"name": choice}}


def _chat_messages(turn: QuestionTurn, dialect: Dialect) -> list[dict[str, Any]]:
    """Return the messages of a turn: one for each tool result, otherwise one."""
    if turn.role == "assistant":
        return [_assistant_message(turn, dialect)]
    if turn.role == "tool":
        return [
            {"role": "tool", "tool_call_id": part.call.id, "content": part.content}
            for part in turn.parts
            if isinstance(part, PastResult)
        ]
    if len(turn.parts) == 1 and isinstance(turn.parts[0], str):
        return [{"role": turn.role, "content": turn.parts[0]}]
    parts = [
        {"type": "text", "text": part} if isinstance(part, str) else _chat_file_part(part)
        for part in turn.parts
        if isinstance(part, (str, Attachment))
    ]
    return [{"role": turn.role, "content": parts}]


def _assistant_message(turn: QuestionTurn, dialect: Dialect) -> dict[str, Any]:
    """Return an assistant's turn as a message.

    All text is one string, because compatible servers accept neither parts nor refusals here. Reasoning is sent back
    only to servers that require it.
    """
    text = "".join(
        part if isinstance(part, str) else part.text
        for part in turn.parts
        if isinstance(part, str | SignedText | PastRefusal)
    )
    calls = [part for part in turn.parts if isinstance(part, PastCall)]
    reasoning = [part for part in turn.parts if isinstance(part, PastReasoning)]
    message: dict[str, Any] = {"role": "assistant", "content": text or (None if calls else "")}
    details = [as_mapping(part.opaque).get("reasoning_details") for part in reasoning]
    if joined := [detail for group in details if isinstance(group, list) for detail in group]:
        message["reasoning_details"] = joined  # OpenRouter wants it back unchanged
    if dialect.echo_reasoning and calls:  # DeepSeek refuses calls without their reasoning
        message[dialect.echo_reasoning] = "".join(part.text for part in reasoning)
    if calls:
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
                **as_mapping(call.opaque),
            }
            for call in calls
        ]
    return message


def _chat_file_part(file: Attachment) -> dict[str, Any]:
    if file.text is not None:
        # This API refuses files other than PDF, so the text of a file is sent as text.
        return {"type": "text", "text": file.as_text(f"File {file.name}:\n\n")}
    if file.media_type.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": file.in_base64(f"data:{file.media_type};base64,")}}
    if file.media_type.startswith("audio/"):
        return {
            "type": "input_audio",
            "input_audio": {"data": file.in_base64(), "format": "mp3" if file.media_type == "audio/mpeg" else "wav"},
        }
    return {
        "type": "file",
        "file": {"filename": file.name, "file_data": file.in_base64(f"data:{file.media_type};base64,")},
    }


class _ChatChunk(msgspec.Struct):
    id: Any = None
    model: Any = None
    object: Any = None
    type: Any = None
    choices: Any = None
    usage: Any = None
    error: Any = None
    errors: Any = None
    detail: Any = None
    message: Any = None
    x_groq: Any = None
    citations: Any = None
    search_results: Any = None


_NothingMore = Literal[""] | None


class _PlainChatDelta(msgspec.Struct, gc=False):
    """The delta of nearly every chunk. A field that would add to it may only be null or empty, or decoding fails."""

    content: str
    reasoning_content: _NothingMore = None
    reasoning: _NothingMore = None
    reasoning_text: _NothingMore = None
    refusal: _NothingMore = None
    reasoning_details: None = None
    tool_calls: None = None
    function_call: None = None
    annotations: None = None


class _PlainChatChoice(msgspec.Struct, gc=False):
    delta: _PlainChatDelta
    index: int = 0
    finish_reason: _NothingMore = None
    native_finish_reason: _NothingMore = None
    text: _NothingMore = None
    error: None = None


class _PlainChatChunk(msgspec.Struct, gc=False):
    choices: tuple[_PlainChatChoice]
    object: Literal["chat.completion.chunk"] | None = None
    type: None = None
    usage: msgspec.Raw = msgspec.Raw()  # not decoded: only the last one counts
    error: None = None
    errors: None = None
    x_groq: None = None
    citations: None = None
    search_results: None = None


_decode_plain = msgspec.json.Decoder(_PlainChatChunk).decode
_CHUNK_DECODER = LenientDecoder(_ChatChunk)
_CHOICE_BYTES = 128  # of memory for the state of one choice, estimated
_OBJECT_DECODER = LenientDecoder(dict[str, Any])


class ChatParser:
    """Turns the events of one response into deltas.

    It shows the first choice only, but watches the end of every choice.
    """

    def __init__(self, question: Question, token: str | None = None) -> None:
        self._response_started = False
        self._shown_index: int | None = None
        self._reasons_by_choice: dict[int, str | None] = {}
        self._native_reason = ""
        self._deferred_usage = msgspec.Raw()
        self._plain_index: int | None = None  # the choice whose next text may take the fast lane
        self._delivered_any = False
        self._text_after_reason = False
        self._ends_within_event = False
        self._calls = ToolCallAssembler()
        self._cited_urls: set[str] = set()
        self._reasoning_details = ReasoningDetails()

    @property
    def held_bytes(self) -> int:
        return _CHOICE_BYTES * len(self._reasons_by_choice) + self._reasoning_details.held_bytes

    def feed(self, data: bytes, whole: bool = True) -> Iterator[Delta]:
        """Yield the deltas of one event. Raises MalformedJson."""
        if not whole or not data.strip():
            self._ends_within_event = not whole and data.lstrip().startswith(b"{")
            return
        if data.startswith(b"[DONE]"):
            yield self._final_verdict()
        else:
            chunk = _CHUNK_DECODER.decode(data)
            groq = as_mapping(chunk.x_groq)  # Groq may send usage and errors only there
            yield from self._read_chunk(chunk, chunk.usage or groq.get("usage"))
            if _is_error(chunk):
                del chunk  # otherwise a large error would be in memory twice, decoded
                yield provider_errors.read_failure(_OBJECT_DECODER.decode(data))
            elif groq.get("error"):
                yield provider_errors.read_failure(groq)
            ended = self._shown_index is not None and self._reasons_by_choice[self._shown_index]
            in_fast_lane = self._response_started and not self._reasoning_details and not ended
            self._plain_index = self._shown_index if in_fast_lane else None

    def plain_text(self, data: bytes) -> str:
        """Return the text of a chunk that only continues the text; "" if `feed` must read the chunk."""
        try:
            chunk = _decode_plain(data)
        except (ValueError, RecursionError):
            return ""
        choice = chunk.choices[0]
        if choice.index != self._plain_index:
            return ""
        if len(chunk.usage) not in (0, 4):  # absent and null leave the earlier usage as it is
            self._deferred_usage = chunk.usage
        return choice.delta.content

    def deferred_deltas(self) -> Iterator[Delta]:
        """Yield the last usage. Some servers send it in every chunk, and decoding each would be wasted."""
        usage, self._deferred_usage = bytes(self._deferred_usage), msgspec.Raw()
        if usage and isinstance(counts := parse_or_none(usage), dict):
            yield _read_chat_usage(counts)

    def eof(self, clean: bool) -> Finish | Failure:
        """Return the verdict on a body that ended without `[DONE]`."""
        return CUT if self._ends_within_event or self._text_after_reason or not clean else self._final_verdict()

    def _final_verdict(self) -> Finish | Failure:
        if self._shown_index is None or None in self._reasons_by_choice.values():
            return CUT
        reason = self._reasons_by_choice[self._shown_index]
        status = finish_reasons.status_of_reason("openai_chat", reason)
        if status in ("complete", "tool_calls") and self._native_reason in finish_reasons.TRUNCATING_REASONS:
            status = "truncated"  # OpenRouter reports `tool_calls` for a call that the limit cut
        return Finish(reason, status)

    def _read_chunk(self, chunk: _ChatChunk, usage: object) -> Iterator[Delta]:
        if not self._response_started and (chunk.model or chunk.id):
            self._response_started = True
            yield ResponseStarted(as_text(chunk.model) or None, as_text(chunk.id) or None)
        for choice in as_list(chunk.choices):
            yield from self._read_choice(as_mapping(choice))
        if isinstance(usage, dict):
            yield _read_chat_usage(usage)
        # Perplexity repeats both lists in every chunk, and they grow. `search_results` has the titles, so it is first.
        for source in (*as_list(chunk.search_results), *as_list(chunk.citations)):
            found = {"url": source} if isinstance(source, str) else as_mapping(source)
            url = as_text(found.get("url"))
            if url not in self._cited_urls:
                self._cited_urls.add(url)
                yield from source_delta(url, as_text(found.get("title")))

    def _read_choice(self, choice: dict[str, Any]) -> Iterator[Delta]:
        index = as_index(choice.get("index")) or 0
        if self._shown_index is None:
            self._shown_index = index
        reason = self._read_finish_reason(choice, index)
        if index != self._shown_index:
            return
        self._native_reason = as_text(choice.get("native_finish_reason")) or self._native_reason
        delta = choice.get("delta")
        if not isinstance(delta, dict) and not self._delivered_any:
            delta = choice.get("message")  # a complete message, from a server that does not really stream
        for found in self._read_delta(as_mapping(delta), choice, bool(reason)):
            self._delivered_any = True
            if self._reasons_by_choice[index] and not reason:
                self._text_after_reason = True
            yield found
        if choice.get("error"):
            yield provider_errors.read_failure(choice)

    def _read_finish_reason(self, choice: dict[str, Any], index: int) -> str:
        """Note and return the finish reason in a choice; "" stands for null, as on some servers."""
        value = choice.get("finish_reason")
        reason = str(value) if isinstance(value, str | int) and value else ""
        if reason or index not in self._reasons_by_choice:
            self._reasons_by_choice[index] = finish_reasons.stronger_finish_reason(
                "openai_chat", self._reasons_by_choice.get(index), reason
            )
        return reason

    def _read_delta(self, delta: dict[str, Any], choice: dict[str, Any], is_last: bool) -> Iterator[Delta]:
        """Yield the deltas of a choice in the order in which a model produces them: reasoning, text, calls, sources."""
        content = delta.get("content")
        is_text_only = len(delta) == 1 + ("role" in delta) and isinstance(content, str) and "text" not in choice
        if is_text_only and not self._reasoning_details:  # nearly every chunk
            if content:
                yield TextDelta(content)
            return
        if as_text(choice.get("text")) and not content:  # the older Completions API; Together sends both fields
            yield TextDelta(choice["text"])
        if reasoning := _reasoning_text(delta):
            yield ReasoningDelta(reasoning)
        for detail in as_list(delta.get("reasoning_details")):
            self._reasoning_details.add(detail)
        calls = as_list(delta.get("tool_calls"))
        if self._reasoning_details and (content or calls or is_last):
            yield OpaqueData("reasoning", {"reasoning_details": self._reasoning_details.take_all()})
        yield from _read_content_parts(content)
        if refusal := _text_of_parts(delta.get("refusal")):
            yield RefusalDelta(refusal)
        older_call = delta.get("function_call")
        for call in (*calls, *([{"index": 0, "function": older_call}] if older_call else [])):
            yield from self._read_tool_call(as_mapping(call))
        for annotation in as_list(delta.get("annotations")):
            yield from _read_annotation(as_mapping(annotation))

    def _read_tool_call(self, call: dict[str, Any]) -> Iterator[Delta]:
        fragment = self._calls.read_fragment(call)
        if fragment is not None:
            yield fragment
            if isinstance(call.get("extra_content"), dict):  # Gemini's signature in its OpenAI dialect
                yield OpaqueData("tool_call", {"extra_content": call["extra_content"]}, fragment.key)


def _is_error(chunk: _ChatChunk) -> bool:
    """Return whether an event is an error, in one of the shapes that servers use."""
    if chunk.error or chunk.errors or "error" in (chunk.object, chunk.type):
        return True
    return not chunk.choices and chunk.usage is None and bool(chunk.detail or as_text(chunk.message))


def _text_of_parts(value: object) -> str:
    """Return a text, or the text of all parts in a list."""
    if isinstance(value, str):
        return value
    return "".join(part if isinstance(part, str) else as_text(as_mapping(part).get("text")) for part in as_list(value))


def _reasoning_text(delta: dict[str, Any]) -> str:
    """Return the text of the first field that has any: servers that send two fields repeat the same text."""
    names = ("reasoning_content", "reasoning", "reasoning_text")  # the last is GitHub Copilot's
    return next(filter(None, (_text_of_parts(delta.get(name)) for name in names)), "")


def _read_content_parts(content: object) -> Iterator[Delta]:
    """Yield the text and reasoning of a delta. Mistral sends a list of typed parts, with a list within a thought."""
    for part in as_list(content):
        part = {"type": "text", "text": part} if isinstance(part, str) else as_mapping(part)
        if part.get("type") == "text" and as_text(part.get("text")):
            yield TextDelta(part["text"])
        elif part.get("type") == "thinking" and (thinking := _text_of_parts(part.get("thinking"))):
            yield ReasoningDelta(thinking)


def _read_annotation(annotation: dict[str, Any]) -> Iterator[Delta]:
    found = as_mapping(annotation.get("url_citation")) or annotation
    if as_text(found.get("url")):
        yield from source_delta(found["url"], as_text(found.get("title")))


def _read_chat_usage(usage: dict[str, Any]) -> UsageSoFar:
    """Return the usage, with reasoning as part of the output.

    xAI counts reasoning beside the completion, not in it; the total shows it (https://docs.x.ai/docs/guides/reasoning).
    """
    inputs = as_mapping(usage.get("prompt_tokens_details"))
    outputs = as_mapping(usage.get("completion_tokens_details"))
    prompt, completion, total = (as_count(usage.get(f"{name}_tokens")) for name in ("prompt", "completion", "total"))
    reasoning = _first_count(outputs.get("reasoning_tokens"), usage.get("reasoning_tokens"))
    if prompt is not None and completion is not None and reasoning and total == prompt + completion + reasoning:
        completion += reasoning
    return usage_delta(
        input=prompt,
        output=completion,
        reasoning=reasoning,
        # The second field is DeepSeek's older one, the third is Mistral's.
        cached=_first_count(
            inputs.get("cached_tokens"), usage.get("prompt_cache_hit_tokens"), usage.get("num_cached_tokens")
        ),
        cache_write=_first_count(inputs.get("cache_write_tokens"), usage.get("cache_creation_input_tokens")),
    )


def _first_count(*values: Any) -> int | None:
    return next((count for value in values if (count := as_count(value)) is not None), None)
