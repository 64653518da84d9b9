"""OpenAI Chat Completions, and everybody who is compatible with it. Pure.

https://platform.openai.com/docs/api-reference/chat-streaming

Rule of success: every choice that was seen has a finish reason, and the body ended by `[DONE]` or cleanly. `[DONE]`
alone proves nothing: vLLM sends it after an error, Ollama ends cleanly after one.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import msgspec

from .. import _verdict
from .._ask import Ask, Call, Dialect, File, Marked, Request, Result, Thought, Tool, Turn, endpoint, given
from .._deltas import (
    CUT,
    Cited,
    Delta,
    Failure,
    Finish,
    Reasoning,
    Refusal,
    Sealed,
    Started,
    Text,
    ToolFragment,
    Used,
    used,
)
from .._json import Decoder, count, mapping, text
from .._sse import Frame
from ..config import LocalConfig, OpenAIConfig


def request(ask: Ask, token: str | None = None) -> Request:
    """The smallest body that says what the caller asked: compatible servers refuse fields that they don't know."""
    config, dialect = ask.config, ask.dialect
    assert isinstance(config, OpenAIConfig | LocalConfig)
    messages: list[dict[str, Any]] = []
    system = ask.system or dialect.system
    if system:
        messages.append({"role": dialect.system_role, "content": system})
    for turn in ask.turns:
        messages += _messages(turn, dialect)
    payload = {
        **dialect.sampling,
        **(dialect.reasoning[ask.reasoning] if ask.reasoning else {}),
        **given(
            model=ask.model,
            messages=messages,
            stream=True,
            temperature=ask.temperature,
            top_p=config.top_p,
            stop=config.stop,
            seed=config.seed,
            tools=[_tool(tool) for tool in ask.tools] or None,
            tool_choice=_choice(ask.tool_choice),
        ),
    }
    if ask.max_tokens is not None:
        payload[dialect.max_tokens] = ask.max_tokens
    store, include_usage = dialect.store, dialect.include_usage
    if isinstance(config, OpenAIConfig):
        payload |= given(n=config.n)
        store = store if config.store is None else config.store
        include_usage = include_usage if config.include_usage is None else config.include_usage
    payload |= given(store=store, stream_options={"include_usage": True} if include_usage else None)
    return Request.post(endpoint(ask.base_url, "chat/completions"), ask.headers, payload | dict(config.body))


def _tool(tool: Tool) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}


def _choice(choice: str | None) -> str | dict[str, Any] | None:
    if choice is None or choice in ("auto", "none", "required"):
        return choice
    return {"type": "function", "function": {"name": choice}}


def _messages(turn: Turn, dialect: Dialect) -> list[dict[str, Any]]:
    """One message, but one for each result of a tool."""
    if turn.role == "assistant":
        return [_assistant(turn, dialect)]
    if turn.role == "tool":
        return [
            {"role": "tool", "tool_call_id": part.call.id, "content": part.content}
            for part in turn.parts
            if isinstance(part, Result)
        ]
    if len(turn.parts) == 1 and isinstance(turn.parts[0], str):
        return [{"role": turn.role, "content": turn.parts[0]}]
    parts = [
        {"type": "text", "text": part} if isinstance(part, str) else _file(part)
        for part in turn.parts
        if isinstance(part, (str, File))
    ]
    return [{"role": turn.role, "content": parts}]


def _assistant(turn: Turn, dialect: Dialect) -> dict[str, Any]:
    """Text as one string: compatible servers know no parts here. Reasoning goes back only where it must."""
    said = "".join(
        part.text if isinstance(part, Marked) else part for part in turn.parts if isinstance(part, str | Marked)
    )
    calls = [part for part in turn.parts if isinstance(part, Call)]
    thoughts = [part for part in turn.parts if isinstance(part, Thought)]
    message: dict[str, Any] = {"role": "assistant", "content": said or (None if calls else "")}
    for thought in thoughts:
        message |= mapping(thought.opaque)
    if dialect.echo_reasoning and calls:  # DeepSeek refuses calls without the reasoning that led to them
        message[dialect.echo_reasoning] = "".join(thought.text for thought in thoughts)
    if calls:
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
                **mapping(call.opaque),
            }
            for call in calls
        ]
    return message


def _file(file: File) -> dict[str, Any]:
    if file.text is not None:
        # Files that are not PDF are refused by this API: their text goes in as text.
        return {"type": "text", "text": f"File {file.name}:\n\n{file.text}"}
    data = base64.b64encode(file.data).decode()
    if file.media_type.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": f"data:{file.media_type};base64,{data}"}}
    if file.media_type.startswith("audio/"):
        return {
            "type": "input_audio",
            "input_audio": {"data": data, "format": "mp3" if file.media_type == "audio/mpeg" else "wav"},
        }
    return {
        "type": "file",
        "file": {"filename": file.name, "file_data": f"data:{file.media_type};base64,{data}"},
    }


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: Any = None


class _ToolCall(msgspec.Struct):
    index: int | None = None
    id: Any = None
    function: _Function | None = None
    extra_content: Any = None


class _Delta(msgspec.Struct):
    content: str | list[Any] | None = None
    reasoning_content: str | None = None
    reasoning: Any = None
    reasoning_details: Any = None
    refusal: str | None = None
    tool_calls: list[_ToolCall | None] | None = None
    function_call: _Function | None = None
    annotations: Any = None


class _Choice(msgspec.Struct):
    index: int | None = None
    delta: _Delta | None = None
    text: str | None = None
    finish_reason: str | int | None = None


class _Chunk(msgspec.Struct):
    id: Any = None
    model: Any = None
    object: Any = None
    choices: list[_Choice | None] | None = None
    usage: Any = None
    error: Any = None
    x_groq: Any = None
    citations: Any = None


_CHUNK = Decoder(_Chunk)
_OBJECT = Decoder(dict[str, Any])


class Parser:
    """Frames of one response to deltas. Shows the first choice; watches the end of all of them."""

    def __init__(self, ask: Ask) -> None:
        self._started = False
        self._shown: int | None = None
        self._reasons: dict[int, str | None] = {}
        self._open: dict[int | None, str] = {}  # index, None for the last one, to the call that is open there
        self._ids: dict[str, str] = {}
        self._cited = False
        self._details: list[Any] = []

    def feed(self, frame: Frame) -> Iterator[Delta]:
        """The deltas in one event. Raises Malformed."""
        data = frame.data
        if not frame.whole or not data.strip():
            return
        if data.startswith(b"[DONE]"):
            yield self._end()
        else:
            chunk = _CHUNK.decode(data)
            groq = mapping(chunk.x_groq)
            yield from self._chunk(chunk, chunk.usage or groq.get("usage"))
            if chunk.error or chunk.object == "error":
                yield _verdict.failure(_OBJECT.decode(data))
            elif groq.get("error"):
                yield _verdict.failure(groq)

    def _chunk(self, chunk: _Chunk, usage: object) -> Iterator[Delta]:
        if not self._started and (chunk.model or chunk.id):
            self._started = True
            yield Started(text(chunk.model) or None, text(chunk.id) or None)
        if chunk.choices:
            for choice in chunk.choices:
                if choice is not None:
                    yield from self._choice(choice)
        if isinstance(usage, dict):
            yield _used(usage)
        if chunk.citations and not self._cited:
            self._cited = True  # Perplexity repeats the list in every chunk
            for url in chunk.citations if isinstance(chunk.citations, list) else []:
                yield Cited({"url": text(url) or None, "title": None, "text": None})

    def eof(self, clean: bool) -> Finish | Failure:
        """The verdict where the body ended without `[DONE]`."""
        return self._end() if clean else CUT

    def _end(self) -> Finish | Failure:
        if self._shown is None or None in self._reasons.values():
            return CUT
        reason = self._reasons[self._shown]
        return Finish(reason, _verdict.finish("openai_chat", reason))

    def _choice(self, choice: _Choice) -> Iterator[Delta]:
        index = choice.index or 0
        if self._shown is None:
            self._shown = index
        # "" stands for null on some servers; a reason, once given, stays.
        self._reasons[index] = str(choice.finish_reason or "") or self._reasons.get(index)
        if index != self._shown:
            return
        delta = choice.delta
        if choice.text and not (delta and delta.content):  # the older Completions API; Together says it twice
            yield Text(choice.text)
        if delta is None:
            return
        reasoning = delta.reasoning_content or text(delta.reasoning)
        if reasoning:
            yield Reasoning(reasoning)
        if isinstance(delta.reasoning_details, list) and delta.reasoning_details:
            # OpenRouter: signed, and wanted back in the order in which they came.
            self._details = _joined(self._details + delta.reasoning_details)
        if self._details and (delta.content or delta.tool_calls or choice.finish_reason):
            yield Sealed("reasoning", {"reasoning_details": self._details})
            self._details = []
        if delta.content:
            if isinstance(delta.content, str):
                yield Text(delta.content)
            else:
                yield from _parts(delta.content)
        if delta.refusal:
            yield Refusal(delta.refusal)
        for call in delta.tool_calls or ():
            if call is not None:
                fragment = self._tool(call)
                yield fragment
                if isinstance(call.extra_content, dict):  # Gemini's signature in its OpenAI dialect
                    yield Sealed("tool_call", {"extra_content": call.extra_content}, fragment.key)
        if delta.function_call is not None:
            yield self._tool(_ToolCall(0, None, delta.function_call))
        for annotation in delta.annotations if isinstance(delta.annotations, list) else ():
            cited = mapping(mapping(annotation).get("url_citation"))
            if cited.get("url"):
                yield Cited({"url": text(cited["url"]), "title": text(cited.get("title")) or None, "text": None})

    def _tool(self, call: _ToolCall) -> ToolFragment:
        """Which call a fragment belongs to: by its index; where there is none, or another call took it, by its id."""
        function = call.function or _Function()
        id = text(call.id)
        key = self._open.get(call.index)
        if key is None or (id and id != self._ids[key] and (function.name or call.index is None)):
            known = (key for key, its_id in self._ids.items() if id and its_id == id)
            key = next(known, str(len(self._ids)))
        self._open[call.index] = self._open[None] = key
        self._ids[key] = self._ids.get(key) or id
        arguments = function.arguments
        if isinstance(arguments, dict):
            arguments = msgspec.json.encode(arguments).decode()
        return ToolFragment(key, id, function.name or "", text(arguments))


def _joined(details: list[Any]) -> list[Any]:
    """Pieces of the same text detail as one; each other detail as it came."""
    joined: list[Any] = []
    for detail in details:
        last = joined[-1] if joined else None
        if isinstance(detail, dict) and isinstance(last, dict) and _same(last, detail):
            grown = {
                name: text(last.get(name)) + text(detail.get(name)) for name in ("text", "summary") if name in detail
            }
            joined[-1] = last | given(**detail) | grown
        else:
            joined.append(detail)
    return joined


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    kind = one.get("type")
    texts = ("reasoning.text", "reasoning.summary")
    return (
        kind in texts
        and kind == other.get("type")
        and one.get("index") == other.get("index")
        and not one.get("signature")
    )


def _parts(content: list[Any]) -> Iterator[Delta]:
    """Mistral: content as a list of typed chunks; thinking has a list of its own."""
    for part in content:
        part = {"type": "text", "text": part} if isinstance(part, str) else mapping(part)
        if part.get("type") == "text" and text(part.get("text")):
            yield Text(part["text"])
        elif part.get("type") == "thinking":
            inner = part.get("thinking")
            pieces = inner if isinstance(inner, list) else [{"text": inner}]
            joined = "".join(text(mapping(piece).get("text")) for piece in pieces)
            if joined:
                yield Reasoning(joined)


def _used(usage: dict[str, Any]) -> Used:
    """xAI counts reasoning beside the completion, not in it; the total tells (https://docs.x.ai/docs/guides/reasoning)."""
    inputs = mapping(usage.get("prompt_tokens_details"))
    outputs = mapping(usage.get("completion_tokens_details"))
    said, came, total = (count(usage.get(f"{name}_tokens")) for name in ("prompt", "completion", "total"))
    reasoning = _first(outputs.get("reasoning_tokens"), usage.get("reasoning_tokens"))
    if said is not None and came is not None and reasoning and total == said + came + reasoning:
        came += reasoning
    return used(
        input=said,
        output=came,
        reasoning=reasoning,
        # The later names are DeepSeek's older one, and Mistral's.
        cached=_first(
            inputs.get("cached_tokens"), usage.get("prompt_cache_hit_tokens"), usage.get("num_cached_tokens")
        ),
        cache_write=_first(inputs.get("cache_write_tokens"), usage.get("cache_creation_input_tokens")),
    )


def _first(*counts: Any) -> int | None:
    return next((found for said in counts if (found := count(said)) is not None), None)
