"""The OpenAI Responses API. Pure.

https://platform.openai.com/docs/api-reference/responses-streaming

Rule of success: a `response.completed` event. `response.incomplete` ends the reply too, but short; `response.failed`
and `error` are failures. Events are known by the `type` in their JSON; the `event:` line is not needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec

from ..question.config import OpenAIConfig
from ..question.lenient_json import LenientDecoder, MalformedJson, as_count, as_mapping, as_text
from ..question.question import (
    Attachment,
    OpaqueBlock,
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
    NewPart,
    OpaqueData,
    ReasoningDelta,
    RefusalDelta,
    ResponseStarted,
    TextDelta,
    ToolEnd,
    ToolFragment,
    UsageSoFar,
    source_delta,
    usage_delta,
)

_PLACE_BYTES = 512
"""For the pieces of one part, besides their words, which the panel counts."""
_CALLS = {"function_call": "arguments", "custom_tool_call": "input"}


def responses_request(ask: Question, token: str | None = None) -> HttpRequest:
    """`store` is sent on every server that speaks this API: it is part of it, and its default is to store."""
    config = ask.config
    assert isinstance(config, OpenAIConfig)
    payload = without_none(
        model=ask.model,
        instructions=ask.system,
        input=[item for turn in ask.turns for item in _items(turn)],
        stream=True,
        store=config.store or False,
        max_output_tokens=ask.max_tokens,
        temperature=ask.temperature,
        top_p=config.top_p,
        tools=[_tool(tool) for tool in ask.tools] or None,
        tool_choice=_choice(ask.tool_choice),
    )
    if ask.reasoning == "none":
        payload["reasoning"] = {"effort": "none"}
    elif ask.reasoning:
        payload |= {
            "reasoning": {"effort": ask.reasoning, "summary": "auto"},
            "include": ["reasoning.encrypted_content"],  # what goes back in the next turn, as nothing is stored
        }
    return HttpRequest.post(
        append_path(ask.base_url, "responses"), ask.headers, merge_body(payload, config.body), ask.attachments
    )


def _tool(tool: ToolDefinition) -> dict[str, Any]:
    # `strict` is a required key; true refuses every schema with an optional field.
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": bool(tool.strict),
    }


def _choice(choice: str | None) -> str | dict[str, Any] | None:
    if choice is None or choice in ("auto", "none", "required"):
        return choice
    return {"type": "function", "name": choice}


def _items(turn: QuestionTurn) -> list[dict[str, Any]]:
    """A user's turn is one message; an assistant's is a list of items, in the order in which they came."""
    if turn.role == "user":
        return [{"type": "message", "role": "user", "content": _content(turn)}]
    items: list[dict[str, Any]] = []
    for part in turn.parts:
        if isinstance(part, str | SignedText | PastRefusal):
            said = part if isinstance(part, str) else part.text
            phase = as_mapping(part.opaque) if isinstance(part, SignedText) else {}
            content = [{"type": "output_text", "text": said}]
            if isinstance(part, PastRefusal):
                content = [{"type": "refusal", "refusal": said}]
            item = {"type": "message", "role": "assistant", **phase}
            if items and {**items[-1], "content": None} == {**item, "content": None}:
                items[-1]["content"] += content
            else:
                items.append({**item, "content": content})
        elif isinstance(part, PastCall):
            kind = _kind(part)
            items.append({"type": kind, "call_id": part.id, "name": part.name, _CALLS[kind]: part.arguments})
        elif isinstance(part, PastResult):
            items.append({"type": f"{_kind(part.call)}_output", "call_id": part.call.id, "output": part.content})
        elif isinstance(part, PastReasoning | OpaqueBlock) and isinstance(part.opaque, dict):
            items.append(part.opaque)
    while items and items[-1].get("type") == "reasoning":
        items.pop()  # of a turn that broke off: a reasoning item without the item that it led to is refused
    return items


def _kind(call: PastCall) -> str:
    """A call of a function, or of a tool that takes free text."""
    kind = as_text(as_mapping(call.opaque).get("type"))
    return kind if kind in _CALLS else "function_call"


def _content(turn: QuestionTurn) -> str | list[dict[str, Any]]:
    if len(turn.parts) == 1 and isinstance(turn.parts[0], str):
        return turn.parts[0]
    return [
        {"type": "input_text", "text": part} if isinstance(part, str) else _file(part)
        for part in turn.parts
        if isinstance(part, str | Attachment)
    ]


def _file(file: Attachment) -> dict[str, Any]:
    data = file.in_base64(f"data:{file.media_type};base64,")
    if file.media_type.startswith("image/"):
        return {"type": "input_image", "image_url": data, "detail": "auto"}
    return {"type": "input_file", "filename": file.name, "file_data": data}


class _Event(msgspec.Struct):
    type: str | None = None
    delta: Any = None
    text: Any = None
    refusal: Any = None
    arguments: Any = None
    item_id: str | None = None
    output_index: int | None = None
    content_index: int | None = None
    summary_index: int | None = None
    item: Any = None
    response: Any = None
    annotation: Any = None
    error: Any = None


class _Plain(msgspec.Struct, gc=False):
    """What nearly every event is."""

    type: Literal["response.output_text.delta"]
    delta: str
    output_index: int
    content_index: int = 0
    summary_index: int | None = None
    item_id: str | None = None
    error: None = None


_plain = msgspec.json.Decoder(_Plain).decode
_EVENT = LenientDecoder(_Event)
_OBJECT = LenientDecoder(dict[str, Any])


class _Said(dict[tuple[object, object, int], list[str]]):
    """The pieces of each part: by its kind, its place and its number there."""

    def __init__(self) -> None:
        self.kinds: set[object] = set()
        self.places: set[tuple[object, object]] = set()
        """Kinds and places of the parts: a search through the parts for each item would cost their square."""

    def __missing__(self, key: tuple[object, object, int]) -> list[str]:
        kind, place, _ = key
        self.kinds.add(kind)
        self.places.add((kind, place))
        pieces = self[key] = list[str]()
        return pieces


class ResponsesParser:
    """Events of one response to deltas."""

    def __init__(self, ask: Question, token: str | None = None) -> None:
        # Some servers (llama.cpp) say `completed` of a reply that ran into the limit; only the count shows it.
        self._limit = None if ask.dialect.store is not None else ask.max_tokens
        self._started = False
        self._said = _Said()
        self._calls: set[str] = set()

    @property
    def held_bytes(self) -> int:
        return _PLACE_BYTES * len(self._said)

    def feed(self, data: bytes, whole: bool = True) -> Iterator[Delta]:
        """The deltas in one event. Raises Malformed."""
        if not whole or not data.strip() or data.startswith(b"[DONE]"):
            return
        event = _EVENT.decode(data)
        kind = event.type
        if event.error or kind == "error":
            yield provider_errors.read_failure(_OBJECT.decode(data))
        elif kind == "response.output_text.delta":
            yield from self._piece(TextDelta, event)
        elif kind in ("response.reasoning_summary_text.delta", "response.reasoning_text.delta"):
            yield from self._piece(ReasoningDelta, event)
        elif kind == "response.refusal.delta":
            yield from self._piece(RefusalDelta, event)
        elif kind == "response.output_text.done":
            yield from self._whole(TextDelta, event, as_text(event.text))
        elif kind == "response.refusal.done":
            yield from self._whole(RefusalDelta, event, as_text(event.refusal))
        elif kind == "response.function_call_arguments.done":
            yield ToolEnd(_place(event), as_text(event.arguments) or None)
        elif kind in ("response.function_call_arguments.delta", "response.custom_tool_call_input.delta"):
            yield ToolFragment(_place(event), "", "", as_text(event.delta))
        elif kind == "response.output_item.added":
            yield from self._opened(event)
        elif kind == "response.output_item.done":
            yield from self._closed(event)
        elif kind == "response.output_text.annotation.added":
            yield from _noted(event.annotation)
        elif kind in ("response.created", "response.in_progress", "response.queued"):
            yield from self._start(as_mapping(event.response))
        elif kind in ("response.completed", "response.incomplete", "response.failed"):
            yield from self._end(kind, as_mapping(event.response))
        elif kind is None:
            raise MalformedJson("an event has no type")

    def plain_text(self, data: bytes) -> str:
        """The text of a delta of text; "" of any other event."""
        try:
            event = _plain(data)
        except (ValueError, RecursionError):
            return ""
        pieces = self._said.get((TextDelta, str(event.output_index), event.content_index))
        if pieces is None:  # a part of its own, which is to be counted
            return ""
        if event.delta:
            pieces.append(event.delta)
        return event.delta

    def deferred_deltas(self) -> Sequence[Delta]:
        """Nothing: usage comes in events of its own."""
        return ()

    def eof(self, clean: bool) -> Failure:
        """A terminal event ends the reading before the body does, so an end of the body is always a cut."""
        return CUT

    def _piece(
        self, kind: type[TextDelta] | type[ReasoningDelta] | type[RefusalDelta], event: _Event
    ) -> Iterator[Delta]:
        piece = as_text(event.delta)
        if piece:
            key = kind, _place(event), event.content_index or 0
            self._said[key].append(piece)
            yield kind(piece)

    def _whole(self, kind: type[TextDelta] | type[RefusalDelta], event: _Event, whole: str) -> Iterator[Delta]:
        """What of a whole part did not come in deltas: its end, or all of it."""
        key = kind, _place(event), event.content_index or 0
        other = kind, event.item_id, event.content_index or 0  # deltas of some servers name the item only
        pieces = self._said.get(key) or self._said.get(other) or [""]
        if len(whole) <= len(pieces[0]):  # nothing new, however much came: it need not be joined for each such event
            return
        pieces[:] = ["".join(pieces)]
        said = pieces[0]
        if len(whole) > len(said) and whole.startswith(said):
            self._said[key][:] = [whole]
            yield kind(whole[len(said) :])

    def _start(self, response: dict[str, Any]) -> Iterator[Delta]:
        model, request_id = as_text(response.get("model")), as_text(response.get("id"))
        if not self._started and (model or request_id):
            self._started = bool(model)
            yield ResponseStarted(model or None, request_id or None)

    def _opened(self, event: _Event) -> Iterator[Delta]:
        item = as_mapping(event.item)
        if as_text(item.get("type")) in _CALLS:
            yield from self._begun(_place(event), item)

    def _begun(self, key: str, item: dict[str, Any]) -> Iterator[Delta]:
        self._calls.add(key)
        yield ToolFragment(key, _call_id(item), as_text(item.get("name")), "")
        if item["type"] == "custom_tool_call":
            yield OpaqueData("tool_call", {"type": item["type"]}, key)

    def _closed(self, event: _Event) -> Iterator[Delta]:
        item = as_mapping(event.item)
        field = _CALLS.get(as_text(item.get("type")))
        if field:
            key = _place(event)
            if key not in self._calls:  # its `added` event was lost, or its place has another name by now
                yield from self._begun(key, item)
            yield ToolEnd(key, as_text(item.get(field)) or None, item.get("status") != "incomplete")
        elif item.get("type") == "reasoning" and item.get("encrypted_content"):
            yield OpaqueData("reasoning", item)
        elif item.get("type") == "reasoning":
            yield NewPart()
        elif item.get("type") == "message":
            yield from _annotated(item)
            if item.get("phase") and self._spoke(event):
                yield OpaqueData("text", {"phase": item["phase"]})

    def _spoke(self, event: _Event) -> bool:
        return not self._said.places.isdisjoint(((TextDelta, _place(event)), (TextDelta, event.item_id)))

    def _end(self, kind: str, response: dict[str, Any]) -> Iterator[Delta]:
        yield from self._start(response)
        output = response.get("output")
        called = bool(self._calls)
        for number, item in enumerate(output if isinstance(output, list) else ()):
            yield from self._unsaid(as_mapping(item), None if called else f"unsaid {number}")
        usage = as_mapping(response.get("usage"))
        if usage:
            yield _used(usage)
        # Whatever the event's name says.
        if kind == "response.failed" or response.get("error") or response.get("status") == "failed":
            yield provider_errors.read_failure(
                {"error": response.get("error") or {"message": "the provider gave no reason"}}
            )
        else:
            yield self._finish(kind, response, usage)

    def _unsaid(self, item: dict[str, Any], key: str | None) -> Iterator[Delta]:
        """What stands in the terminal event alone. key: for a call; None where calls had come before."""
        content = item.get("content")
        for part in content if item.get("type") == "message" and isinstance(content, list) else ():
            part = as_mapping(part)
            for kind, field in ((TextDelta, "text"), (RefusalDelta, "refusal")):
                if as_text(part.get(field)) and kind not in self._said.kinds:
                    yield kind(part[field])
        yield from _annotated(item)
        field = _CALLS.get(as_text(item.get("type")), "")
        if field and key is not None:
            yield from self._begun(key, item)
            yield ToolEnd(key, as_text(item.get(field)) or None, item.get("status") != "incomplete")

    def _finish(self, kind: str, response: dict[str, Any], usage: dict[str, Any]) -> Finish:
        reason = kind.removeprefix("response.")
        if response.get("status") in ("incomplete", "cancelled"):
            reason = response["status"]  # whatever the event's name says
        reason = as_text(as_mapping(response.get("incomplete_details")).get("reason")) or reason
        status = finish_reasons.status_of_reason("openai_responses", reason)
        if status == "complete" and self._limit and (as_count(usage.get("output_tokens")) or 0) >= self._limit:
            status = "truncated"
        return Finish(reason, status)


def _place(event: _Event) -> str:
    # GitHub Copilot gives the same item a new id in every event; its index stays.
    item_id = event.item_id or as_text(as_mapping(event.item).get("id"))
    return str(item_id if event.output_index is None else event.output_index)


def _call_id(item: dict[str, Any]) -> str:
    return as_text(item.get("call_id")) or as_text(item.get("id"))


def _annotated(item: dict[str, Any]) -> Iterator[Delta]:
    """The sources in a whole message: some servers have no event for each."""
    content = item.get("content")
    for part in content if item.get("type") == "message" and isinstance(content, list) else ():
        annotations = as_mapping(part).get("annotations")
        for annotation in annotations if isinstance(annotations, list) else ():
            yield from _noted(annotation)


def _noted(annotation: object) -> Iterator[Delta]:
    note = as_mapping(annotation)
    yield from source_delta(as_text(note.get("url")), as_text(note.get("title")) or as_text(note.get("filename")))


def _used(usage: dict[str, Any]) -> UsageSoFar:
    inputs, outputs = as_mapping(usage.get("input_tokens_details")), as_mapping(usage.get("output_tokens_details"))
    return usage_delta(
        input=as_count(usage.get("input_tokens")),
        output=as_count(usage.get("output_tokens")),
        reasoning=as_count(outputs.get("reasoning_tokens")),
        cached=as_count(inputs.get("cached_tokens")),
        cache_write=as_count(inputs.get("cache_write_tokens")),
    )
