"""OpenAI Chat Completions, and everybody who is compatible with it. Pure.

https://platform.openai.com/docs/api-reference/chat-streaming

Rule of success: every choice that was seen has a finish reason, and the body ended by `[DONE]` or cleanly. `[DONE]`
alone proves nothing: vLLM sends it after an error, Ollama ends cleanly after one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from ..question.config import LocalConfig, OpenAIConfig
from ..question.lenient_json import LenientDecoder, as_count, as_mapping, as_text, load_lenient, memory, parse_or_none
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
    ToolFragment,
    UsageSoFar,
    source_delta,
    usage_delta,
)


def chat_request(ask: Question, token: str | None = None) -> HttpRequest:
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
        **without_none(
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
        payload |= without_none(n=config.n)
        store = store if config.store is None else config.store
        include_usage = include_usage if config.include_usage is None else config.include_usage
    payload |= without_none(store=store, stream_options={"include_usage": True} if include_usage else None)
    url = append_path(ask.base_url, "chat/completions")
    return HttpRequest.post(url, ask.headers, merge_body(payload, config.body), ask.attachments)


def _tool(tool: ToolDefinition) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function | without_none(strict=tool.strict)}


def _choice(choice: str | None) -> str | dict[str, Any] | None:
    if choice is None or choice in ("auto", "none", "required"):
        return choice
    return {"type": "function", "function": {"name": choice}}


def _messages(turn: QuestionTurn, dialect: Dialect) -> list[dict[str, Any]]:
    """One message, but one for each result of a tool."""
    if turn.role == "assistant":
        return [_assistant(turn, dialect)]
    if turn.role == "tool":
        return [
            {"role": "tool", "tool_call_id": part.call.id, "content": part.content}
            for part in turn.parts
            if isinstance(part, PastResult)
        ]
    if len(turn.parts) == 1 and isinstance(turn.parts[0], str):
        return [{"role": turn.role, "content": turn.parts[0]}]
    parts = [
        {"type": "text", "text": part} if isinstance(part, str) else _file(part)
        for part in turn.parts
        if isinstance(part, (str, Attachment))
    ]
    return [{"role": turn.role, "content": parts}]


def _assistant(turn: QuestionTurn, dialect: Dialect) -> dict[str, Any]:
    """Text as one string: compatible servers know no parts here, and no refusal. Reasoning goes back only where it
    must."""
    said = "".join(
        part if isinstance(part, str) else part.text
        for part in turn.parts
        if isinstance(part, str | SignedText | PastRefusal)
    )
    calls = [part for part in turn.parts if isinstance(part, PastCall)]
    thoughts = [part for part in turn.parts if isinstance(part, PastReasoning)]
    message: dict[str, Any] = {"role": "assistant", "content": said or (None if calls else "")}
    details = [as_mapping(thought.opaque).get("reasoning_details") for thought in thoughts]
    if joined := [each for detail in details if isinstance(detail, list) for each in detail]:
        message["reasoning_details"] = joined  # OpenRouter
    if dialect.echo_reasoning and calls:  # DeepSeek refuses calls without the reasoning that led to them
        message[dialect.echo_reasoning] = "".join(thought.text for thought in thoughts)
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


def _file(file: Attachment) -> dict[str, Any]:
    if file.text is not None:
        # Files that are not PDF are refused by this API: their text goes in as text.
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


class _Chunk(msgspec.Struct):
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


Nothing = Literal[""] | None


class _PlainDelta(msgspec.Struct, gc=False):
    """What nearly every chunk is. A field that would say more may only be null or empty, or the shape does not fit."""

    content: str
    reasoning_content: Nothing = None
    reasoning: Nothing = None
    reasoning_text: Nothing = None
    refusal: Nothing = None
    reasoning_details: None = None
    tool_calls: None = None
    function_call: None = None
    annotations: None = None


class _PlainChoice(msgspec.Struct, gc=False):
    delta: _PlainDelta
    index: int = 0
    finish_reason: Nothing = None
    native_finish_reason: Nothing = None
    text: Nothing = None
    error: None = None


class _PlainChunk(msgspec.Struct, gc=False):
    choices: tuple[_PlainChoice]
    object: Literal["chat.completion.chunk"] | None = None
    type: None = None
    usage: msgspec.Raw = msgspec.Raw()  # as it came: the last one counts alone
    error: None = None
    errors: None = None
    x_groq: None = None
    citations: None = None
    search_results: None = None


_plain = msgspec.json.Decoder(_PlainChunk).decode
_CHUNK = LenientDecoder(_Chunk)
_CHOICE_BYTES = 128
_OBJECT = LenientDecoder(dict[str, Any])


class ChatParser:
    """Events of one response to deltas. Shows the first choice; watches the end of all of them."""

    def __init__(self, ask: Question, token: str | None = None) -> None:
        self._started = False
        self._shown: int | None = None
        self._reasons: dict[int, str | None] = {}
        self._native = ""
        self._usage = msgspec.Raw()
        self._open: int | None = None  # the choice of which more text may take the short way
        self._spoke = False
        self._went_on = False  # whether text came after a finish reason
        self._half = False  # whether the body ended within an event
        self._calls = _Calls()
        self._cited: set[str] = set()
        self._details = _Details()

    @property
    def held_bytes(self) -> int:
        return _CHOICE_BYTES * len(self._reasons) + self._details.held

    def feed(self, data: bytes, whole: bool = True) -> Iterator[Delta]:
        """The deltas in one event. Raises Malformed."""
        if not whole or not data.strip():
            self._half = not whole and data.lstrip().startswith(b"{")
            return
        if data.startswith(b"[DONE]"):
            yield self._end()
        else:
            chunk = _CHUNK.decode(data)
            groq = as_mapping(chunk.x_groq)
            yield from self._chunk(chunk, chunk.usage or groq.get("usage"))
            if _broke(chunk):
                del chunk  # or a large error would be decoded twice at the same time
                yield provider_errors.read_failure(_OBJECT.decode(data))
            elif groq.get("error"):
                yield provider_errors.read_failure(groq)
            ended = self._shown is not None and self._reasons[self._shown]
            self._open = self._shown if self._started and not self._details and not ended else None

    def plain_text(self, data: bytes) -> str:
        """The text of a chunk like the one before it; "" where it may say more."""
        try:
            chunk = _plain(data)
        except (ValueError, RecursionError):
            return ""
        choice = chunk.choices[0]
        if choice.index != self._open:
            return ""
        if len(chunk.usage) not in (0, 4):  # null says nothing, and takes nothing back
            self._usage = chunk.usage
        return choice.delta.content

    def deferred_deltas(self) -> Iterator[Delta]:
        """The usage, which some servers say in every chunk, and of which the last one counts."""
        usage, self._usage = bytes(self._usage), msgspec.Raw()
        if usage and isinstance(counts := parse_or_none(usage), dict):
            yield _used(counts)

    def _chunk(self, chunk: _Chunk, usage: object) -> Iterator[Delta]:
        if not self._started and (chunk.model or chunk.id):
            self._started = True
            yield ResponseStarted(as_text(chunk.model) or None, as_text(chunk.id) or None)
        for choice in _listed(chunk.choices):
            yield from self._choice(as_mapping(choice))
        if isinstance(usage, dict):
            yield _used(usage)
        # Perplexity repeats the lists in every chunk, and they grow; those with titles come first.
        for source in (*_listed(chunk.search_results), *_listed(chunk.citations)):
            found = {"url": source} if isinstance(source, str) else as_mapping(source)
            url = as_text(found.get("url"))
            if url not in self._cited:
                self._cited.add(url)
                yield from source_delta(url, as_text(found.get("title")))

    def eof(self, clean: bool) -> Finish | Failure:
        """The verdict where the body ended without `[DONE]`."""
        return CUT if self._half or self._went_on or not clean else self._end()

    def _end(self) -> Finish | Failure:
        if self._shown is None or None in self._reasons.values():
            return CUT
        reason = self._reasons[self._shown]
        status = finish_reasons.status_of_reason("openai_chat", reason)
        if status in ("complete", "tool_calls") and self._native in finish_reasons.TRUNCATING_REASONS:
            status = "truncated"  # OpenRouter says `tool_calls` of a call that the limit cut
        return Finish(reason, status)

    def _choice(self, choice: dict[str, Any]) -> Iterator[Delta]:
        index = _index(choice.get("index")) or 0
        if self._shown is None:
            self._shown = index
        said = choice.get("finish_reason")
        reason = str(said) if isinstance(said, str | int) and said else ""  # "" stands for null on some servers
        if reason or index not in self._reasons:
            self._reasons[index] = finish_reasons.stronger_finish_reason(
                "openai_chat", self._reasons.get(index), reason
            )
        if index != self._shown:
            return
        self._native = as_text(choice.get("native_finish_reason")) or self._native
        delta = choice.get("delta")
        if not isinstance(delta, dict) and not self._spoke:
            delta = choice.get("message")  # the whole of it, from a server that does not really stream
        for found in self._delta(as_mapping(delta), choice, bool(reason)):
            self._spoke = True
            self._went_on = self._went_on or (bool(self._reasons[index]) and not reason)
            yield found
        if choice.get("error"):
            yield provider_errors.read_failure(choice)

    def _delta(self, delta: dict[str, Any], choice: dict[str, Any], last: bool) -> Iterator[Delta]:
        content = delta.get("content")
        alone = len(delta) == 1 + ("role" in delta)
        if alone and isinstance(content, str) and not self._details and "text" not in choice:
            if content:  # nearly every chunk is this and nothing else
                yield TextDelta(content)
            return
        calls = _listed(delta.get("tool_calls"))
        if as_text(choice.get("text")) and not content:  # the older Completions API; Together says it twice
            yield TextDelta(choice["text"])
        names = ("reasoning_content", "reasoning", "reasoning_text")  # the last is GitHub Copilot's
        if reasoning := next(filter(None, (_words(delta.get(name)) for name in names)), ""):
            yield ReasoningDelta(reasoning)
        # OpenRouter: signed, and wanted back in the order in which they came.
        for signed in _listed(delta.get("reasoning_details")):
            self._details.add(signed)
        if self._details and (content or calls or last):
            yield OpaqueData("reasoning", {"reasoning_details": self._details.take()})
        yield from _parts(content)
        if refusal := _words(delta.get("refusal")):
            yield RefusalDelta(refusal)
        older = delta.get("function_call")
        for call in (*calls, *([{"index": 0, "function": older}] if older else [])):
            call = as_mapping(call)
            fragment = self._calls.fragment(call)
            if fragment is not None:
                yield fragment
                if isinstance(call.get("extra_content"), dict):  # Gemini's signature in its OpenAI dialect
                    yield OpaqueData("tool_call", {"extra_content": call["extra_content"]}, fragment.key)
        for annotation in _listed(delta.get("annotations")):
            found = as_mapping(annotation)
            found = as_mapping(found.get("url_citation")) or found
            if as_text(found.get("url")):
                yield from source_delta(found["url"], as_text(found.get("title")))


_MARK = re.compile(r'[{}\[\]"\\]')


class _Arguments:
    """The JSON text of a call's arguments, in pieces: each is looked at once, however often is asked how it stands."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._looked = 0  # at how many of them
        self._place = 0  # the characters in those
        self._escaped = -1  # the place of the character after the last backslash
        self._quoted = False
        self._depth = 0
        self._closed = 0  # how often the depth came back to nothing
        self._last = ""  # character that is no white space
        self._object: bool | None = None

    def __bool__(self) -> bool:
        return bool(self._pieces)

    def add(self, piece: str) -> None:
        if piece:
            self._pieces.append(piece)

    @property
    def whole(self) -> bool:
        """Whether nothing more can come: they are an object."""
        for piece in self._pieces[self._looked :]:
            self._look(piece)
        self._looked = len(self._pieces)
        if (self._closed, self._depth, self._quoted, self._last) != (1, 0, False, "}"):
            return False
        if self._object is None:  # its one chance: an object ends where its first bracket is closed
            try:
                self._object = isinstance(load_lenient("".join(self._pieces)), dict)
            except ValueError:
                self._object = False
        return self._object

    def _look(self, piece: str) -> None:
        for found in _MARK.finditer(piece):
            mark, place = found[0], self._place + found.start()
            if place == self._escaped:
                continue
            if mark == "\\":
                self._escaped = place + 1
            elif mark == '"':
                self._quoted = not self._quoted
            elif not self._quoted:
                self._depth += 1 if mark in "{[" else -1
                self._closed += self._depth == 0
        self._place += len(piece)
        self._last = piece.rstrip()[-1:] or self._last


@dataclass(slots=True)
class _Call:
    key: str
    id: str = ""
    name: str = ""
    arguments: _Arguments = field(default_factory=_Arguments)
    named_again: bool = False

    def over(self, id: str, name: str, arguments: str) -> bool:
        """Whether a fragment in the place of this call is the first one of another."""
        more = bool(arguments.strip())
        if not (id or name):
            return self.named_again and more
        if id and self.id and id != self.id:
            return (bool(name) and (not self.arguments or name != self.name)) or self.arguments.whole
        if not (name and self.name and self.arguments.whole):
            return False
        if id and self.id:
            return more
        self.named_again = name == self.name and not more  # another one, if arguments follow
        return not self.named_again


class _Calls:
    """Which call a fragment belongs to.

    By its index; where there is none, by its id; and where servers leave out both, give all calls the same, or a
    new id in every fragment, by whether the call that is open there can have more: see `_Call.over`.
    """

    def __init__(self) -> None:
        self._count = 0
        self._by_id: dict[str, _Call] = {}
        self._open: dict[int | None, _Call] = {}  # by index, None for the last one

    def fragment(self, piece: dict[str, Any]) -> ToolFragment | None:
        """None for a form that a server left empty."""
        function = as_mapping(piece.get("function"))
        index, id, name = _index(piece.get("index")), as_text(piece.get("id")), as_text(function.get("name"))
        arguments = function.get("arguments")
        arguments = msgspec.json.encode(arguments).decode() if isinstance(arguments, dict) else as_text(arguments)
        call = self._open.get(index)
        if index is None and id:
            call = self._by_id.get(id, call)
        if call is None or call.over(id, name, arguments):
            if not (id or name or arguments):
                return None
            call = _Call(str(self._count), name=call.name if call and not name and not id else "")
            self._count += 1
        self._open[index] = self._open[None] = call
        call.id, call.name = call.id or id, call.name or name
        self._by_id.setdefault(call.id, call)
        call.arguments.add(arguments)
        return ToolFragment(call.key, id, call.name, arguments)


def _broke(chunk: _Chunk) -> bool:
    """Whether an event is an error, in one of the shapes that servers have for it."""
    if chunk.error or chunk.errors or "error" in (chunk.object, chunk.type):
        return True
    return not chunk.choices and chunk.usage is None and bool(chunk.detail or as_text(chunk.message))


def _listed(value: object) -> list[Any]:
    """A list that some servers leave out where it has one item, or none."""
    return value if isinstance(value, list) else [value] if isinstance(value, dict | str) and value else []


def _index(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 9:
        return int(value)
    return value if isinstance(value, int) else None


def _words(value: object) -> str:
    """Text, or the text in a list of parts."""
    if isinstance(value, str):
        return value
    return "".join(part if isinstance(part, str) else as_text(as_mapping(part).get("text")) for part in _listed(value))


class _Details:
    """Signed reasoning: pieces of the same text detail as one; each other detail as it came."""

    def __init__(self) -> None:
        self._all: list[Any] = []
        self._grown: dict[str, list[str]] = {}  # fields of the last one, in pieces
        self.held = 0
        """Bytes of memory that they take."""

    def __bool__(self) -> bool:
        return bool(self._all)

    def add(self, detail: Any) -> None:
        self.held += memory(detail)
        last = self._all[-1] if self._all else None
        if not (isinstance(detail, dict) and isinstance(last, dict) and _same(last, detail)):
            self._join()
            self._all.append(detail)
            return
        for name in ("text", "summary"):
            if name in detail:
                self._grown.setdefault(name, [as_text(last.get(name))]).append(as_text(detail.pop(name)))
        last |= without_none(**detail)

    def take(self) -> list[Any]:
        """All there were; from then on there are none."""
        self._join()
        taken, self._all, self.held = self._all, [], 0
        return taken

    def _join(self) -> None:
        for name, pieces in self._grown.items():
            self._all[-1][name] = "".join(pieces)
        self._grown = {}


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    kind = one.get("type")
    texts = ("reasoning.text", "reasoning.summary")
    return (
        kind in texts
        and kind == other.get("type")
        and one.get("index") == other.get("index")
        and not one.get("signature")
    )


def _parts(content: object) -> Iterator[Delta]:
    """Mistral: content as a list of typed chunks; thinking has a list of its own."""
    for part in _listed(content):
        part = {"type": "text", "text": part} if isinstance(part, str) else as_mapping(part)
        if part.get("type") == "text" and as_text(part.get("text")):
            yield TextDelta(part["text"])
        elif part.get("type") == "thinking" and (words := _words(part.get("thinking"))):
            yield ReasoningDelta(words)


def _used(usage: dict[str, Any]) -> UsageSoFar:
    """xAI counts reasoning beside the completion, not in it; the total tells (https://docs.x.ai/docs/guides/reasoning)."""
    inputs = as_mapping(usage.get("prompt_tokens_details"))
    outputs = as_mapping(usage.get("completion_tokens_details"))
    said, came, total = (as_count(usage.get(f"{name}_tokens")) for name in ("prompt", "completion", "total"))
    reasoning = _first(outputs.get("reasoning_tokens"), usage.get("reasoning_tokens"))
    if said is not None and came is not None and reasoning and total == said + came + reasoning:
        came += reasoning
    return usage_delta(
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
    return next((found for said in counts if (found := as_count(said)) is not None), None)
