"""The wire of the OpenAI Responses API. Pure.

https://platform.openai.com/docs/api-reference/responses-streaming

Rule of success: a `response.completed` event. `response.incomplete` ends the reply too, but cut short;
`response.failed` and `error` are failures. The `type` in the JSON identifies an event; the `event:` line is not read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

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

_PART_BYTES = 512
"""Memory for the list of one part's pieces; the panel counts their text."""
_ARGUMENT_FIELDS = {"function_call": "arguments", "custom_tool_call": "input"}
"""Type of a call to the field with its arguments."""


def responses_request(question: Question, token: str | None = None) -> HttpRequest:
    """Return the HTTP request for a question.

    `store` is sent to every server: it is part of this API, and the default is to store the response.
    """
    config = question.config
    assert isinstance(config, OpenAIConfig)
    payload = without_none(
        model=question.model,
        instructions=question.system,
        input=[item for turn in question.turns for item in _input_items(turn)],
        stream=True,
        store=config.store or False,
        max_output_tokens=question.max_tokens,
        temperature=question.temperature,
        top_p=config.top_p,
        tools=[_responses_tool(tool) for tool in question.tools] or None,
        tool_choice=_responses_tool_choice(question.tool_choice),
    )
    if question.reasoning == "none":
        payload["reasoning"] = {"effort": "none"}
    elif question.reasoning:
        payload |= {
            "reasoning": {"effort": question.reasoning, "summary": "auto"},
            "include": ["reasoning.encrypted_content"],  # the next turn must send it back, because nothing is stored
        }
    url = append_path(question.base_url, "responses")
    return HttpRequest.post(url, question.headers, merge_body(payload, config.body), question.attachments)


def _responses_tool(tool: ToolDefinition) -> dict[str, Any]:
    # `strict` is a required key. True would make the API refuse every schema with an optional field.
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": bool(tool.strict),
    }


def _responses_tool_choice(choice: str | None) -> str | dict[str, Any] | None:
    if choice is None or choice in ("auto", "none", "required"):
        return choice
    return {"type": "function", "name": choice}


def _input_items(turn: QuestionTurn) -> list[dict[str, Any]]:
    """Return the input items of a turn: one message for a user's turn, every part in its order for an assistant's."""
    if turn.role == "user":
        return [{"type": "message", "role": "user", "content": _input_content(turn)}]
    items: list[dict[str, Any]] = []
    for part in turn.parts:
        if isinstance(part, str | SignedText | PastRefusal):
            text = part if isinstance(part, str) else part.text
            phase = as_mapping(part.opaque) if isinstance(part, SignedText) else {}
            content = [{"type": "output_text", "text": text}]
            if isinstance(part, PastRefusal):
                content = [{"type": "refusal", "refusal": text}]
            item = {"type": "message", "role": "assistant", **phase}
            if items and {**items[-1], "content": None} == {**item, "content": None}:
                items[-1]["content"] += content
            else:
                items.append({**item, "content": content})
        elif isinstance(part, PastCall):
            call_type = _call_type(part)
            field = _ARGUMENT_FIELDS[call_type]
            items.append({"type": call_type, "call_id": part.id, "name": part.name, field: part.arguments})
        elif isinstance(part, PastResult):
            items.append({"type": f"{_call_type(part.call)}_output", "call_id": part.call.id, "output": part.content})
        elif isinstance(part, PastReasoning | OpaqueBlock) and isinstance(part.opaque, dict):
            items.append(part.opaque)
    while items and items[-1].get("type") == "reasoning":
        items.pop()  # from an interrupted turn: the API refuses reasoning without the item after it
    return items


def _call_type(call: PastCall) -> str:
    """Return the item type of a call: `custom_tool_call` for a tool that takes free text, else `function_call`."""
    kind = as_text(as_mapping(call.opaque).get("type"))
    return kind if kind in _ARGUMENT_FIELDS else "function_call"


def _input_content(turn: QuestionTurn) -> str | list[dict[str, Any]]:
    if len(turn.parts) == 1 and isinstance(turn.parts[0], str):
        return turn.parts[0]
    return [
        {"type": "input_text", "text": part} if isinstance(part, str) else _input_file(part)
        for part in turn.parts
        if isinstance(part, str | Attachment)
    ]


def _input_file(file: Attachment) -> dict[str, Any]:
    data = file.in_base64(f"data:{file.media_type};base64,")
    if file.media_type.startswith("image/"):
        return {"type": "input_image", "image_url": data, "detail": "auto"}
    return {"type": "input_file", "filename": file.name, "file_data": data}


class _ResponsesEvent(msgspec.Struct):
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


class _PlainTextEvent(msgspec.Struct, gc=False):
    """Nearly every event. A field that would add to it may only be null, or decoding fails."""

    type: Literal["response.output_text.delta"]
    delta: str
    output_index: int
    content_index: int = 0
    summary_index: int | None = None
    item_id: str | None = None
    error: None = None


_decode_plain = msgspec.json.Decoder(_PlainTextEvent).decode
_EVENT_DECODER = LenientDecoder(_ResponsesEvent)
_OBJECT_DECODER = LenientDecoder(dict[str, Any])


class _PiecesByPart(dict[tuple[object, object, int], list[str]]):
    """The text pieces of each part, by the class of its deltas, its item and its number in the item."""

    def __init__(self) -> None:
        self.kinds: set[object] = set()
        self.places: set[tuple[object, object]] = set()
        """Kind and item of each part. To search all parts for each item would take quadratic time."""

    def __missing__(self, key: tuple[object, object, int]) -> list[str]:
        kind, place, _ = key
        self.kinds.add(kind)
        self.places.add((kind, place))
        pieces = self[key] = list[str]()
        return pieces


class ResponsesParser:
    """Turns the events of one response into deltas."""

    def __init__(self, question: Question, token: str | None = None) -> None:
        # llama.cpp and others report `completed` for a reply that reached the limit; only the count shows it.
        self._token_limit = None if question.dialect.store is not None else question.max_tokens
        self._response_started = False
        self._pieces = _PiecesByPart()
        self._call_keys: set[str] = set()

    @property
    def held_bytes(self) -> int:
        return _PART_BYTES * len(self._pieces)

    def feed(self, data: bytes, whole: bool = True) -> Iterator[Delta]:
        """Yield the deltas of one event. Raises MalformedJson."""
        if not whole or not data.strip() or data.startswith(b"[DONE]"):
            return
        event = _EVENT_DECODER.decode(data)
        if event.error or event.type == "error":
            yield provider_errors.read_failure(_OBJECT_DECODER.decode(data))
        elif event.type is None:
            raise MalformedJson("an event has no type")
        elif (read_event := _EVENT_READERS.get(event.type)) is not None:  # other types are frames around the content
            yield from read_event(self, event)

    def plain_text(self, data: bytes) -> str:
        """Return the text of an event that only continues a text part; "" for any other event."""
        try:
            event = _decode_plain(data)
        except (ValueError, RecursionError):
            return ""
        pieces = self._pieces.get((TextDelta, str(event.output_index), event.content_index))
        if pieces is None:  # a new part: `feed` must note it
            return ""
        if event.delta:
            pieces.append(event.delta)
        return event.delta

    def deferred_deltas(self) -> Sequence[Delta]:
        """Return nothing: usage is in the terminal event."""
        return ()

    def eof(self, clean: bool) -> Failure:
        """Return a cut: after a terminal event, the body is not read to its end."""
        return CUT

    def _read_text(self, event: _ResponsesEvent) -> Iterator[Delta]:
        return self._read_piece(TextDelta, event)

    def _read_reasoning(self, event: _ResponsesEvent) -> Iterator[Delta]:
        return self._read_piece(ReasoningDelta, event)

    def _read_refusal(self, event: _ResponsesEvent) -> Iterator[Delta]:
        return self._read_piece(RefusalDelta, event)

    def _read_piece(
        self, kind: type[TextDelta] | type[ReasoningDelta] | type[RefusalDelta], event: _ResponsesEvent
    ) -> Iterator[Delta]:
        piece = as_text(event.delta)
        if piece:
            key = kind, _place_of_item(event), event.content_index or 0
            self._pieces[key].append(piece)
            yield kind(piece)

    def _read_complete_text(self, event: _ResponsesEvent) -> Iterator[Delta]:
        return self._rest_of_part(TextDelta, event, as_text(event.text))

    def _read_complete_refusal(self, event: _ResponsesEvent) -> Iterator[Delta]:
        return self._rest_of_part(RefusalDelta, event, as_text(event.refusal))

    def _rest_of_part(
        self, kind: type[TextDelta] | type[RefusalDelta], event: _ResponsesEvent, complete: str
    ) -> Iterator[Delta]:
        """Yield what of a complete part the deltas did not bring: its end, or all of it."""
        key = kind, _place_of_item(event), event.content_index or 0
        key_by_id = kind, event.item_id, event.content_index or 0  # deltas of some servers name only the item
        pieces = self._pieces.get(key) or self._pieces.get(key_by_id) or [""]
        if len(complete) <= len(pieces[0]):  # nothing new, so an event that is repeated does not join the pieces again
            return
        pieces[:] = ["".join(pieces)]
        received = pieces[0]
        if len(complete) > len(received) and complete.startswith(received):
            self._pieces[key][:] = [complete]
            yield kind(complete[len(received) :])

    def _read_arguments(self, event: _ResponsesEvent) -> Iterator[Delta]:
        yield ToolFragment(_place_of_item(event), "", "", as_text(event.delta))

    def _read_complete_arguments(self, event: _ResponsesEvent) -> Iterator[Delta]:
        yield ToolEnd(_place_of_item(event), as_text(event.arguments) or None)

    def _read_annotation_event(self, event: _ResponsesEvent) -> Iterator[Delta]:
        return _annotation_source(event.annotation)

    def _read_start(self, event: _ResponsesEvent) -> Iterator[Delta]:
        return self._start_response(as_mapping(event.response))

    def _start_response(self, response: dict[str, Any]) -> Iterator[Delta]:
        model, request_id = as_text(response.get("model")), as_text(response.get("id"))
        if not self._response_started and (model or request_id):
            self._response_started = bool(model)
            yield ResponseStarted(model or None, request_id or None)

    def _read_added_item(self, event: _ResponsesEvent) -> Iterator[Delta]:
        item = as_mapping(event.item)
        if as_text(item.get("type")) in _ARGUMENT_FIELDS:
            yield from self._begin_call(_place_of_item(event), item)

    def _begin_call(self, key: str, item: dict[str, Any]) -> Iterator[Delta]:
        self._call_keys.add(key)
        yield ToolFragment(key, _call_id(item), as_text(item.get("name")), "")
        if item["type"] == "custom_tool_call":
            yield OpaqueData("tool_call", {"type": item["type"]}, key)

    def _read_done_item(self, event: _ResponsesEvent) -> Iterator[Delta]:
        item = as_mapping(event.item)
        field = _ARGUMENT_FIELDS.get(as_text(item.get("type")))
        if field:
            key = _place_of_item(event)
            if key not in self._call_keys:  # its `added` event was lost, or named another index
                yield from self._begin_call(key, item)
            yield ToolEnd(key, as_text(item.get(field)) or None, item.get("status") != "incomplete")
        elif item.get("type") == "reasoning" and item.get("encrypted_content"):
            yield OpaqueData("reasoning", item)
        elif item.get("type") == "reasoning":
            yield NewPart()
        elif item.get("type") == "message":
            yield from _message_sources(item)
            if item.get("phase") and self._brought_text(event):
                yield OpaqueData("text", {"phase": item["phase"]})

    def _brought_text(self, event: _ResponsesEvent) -> bool:
        return not self._pieces.places.isdisjoint(((TextDelta, _place_of_item(event)), (TextDelta, event.item_id)))

    def _read_end(self, event: _ResponsesEvent) -> Iterator[Delta]:
        response = as_mapping(event.response)
        yield from self._start_response(response)
        output = response.get("output")
        calls_came = bool(self._call_keys)
        for number, item in enumerate(output if isinstance(output, list) else ()):
            yield from self._rest_of_item(as_mapping(item), None if calls_came else f"unsaid {number}")
        usage = as_mapping(response.get("usage"))
        if usage:
            yield _read_responses_usage(usage)
        # The status counts as much as the event's name: some servers send `completed` with a failed response.
        if event.type == "response.failed" or response.get("error") or response.get("status") == "failed":
            yield provider_errors.read_failure(
                {"error": response.get("error") or {"message": "the provider gave no reason"}}
            )
        else:
            yield self._finish_of_response(event.type or "", response, usage)

    def _rest_of_item(self, item: dict[str, Any], key: str | None) -> Iterator[Delta]:
        """Yield what only the terminal event contains.

        Args:
            item: An item of the complete output.
            key: The key of the item's call; None if earlier events brought calls.
        """
        content = item.get("content")
        for part in content if item.get("type") == "message" and isinstance(content, list) else ():
            part = as_mapping(part)
            for kind, field in ((TextDelta, "text"), (RefusalDelta, "refusal")):
                if as_text(part.get(field)) and kind not in self._pieces.kinds:
                    yield kind(part[field])
        yield from _message_sources(item)
        field = _ARGUMENT_FIELDS.get(as_text(item.get("type")), "")
        if field and key is not None:
            yield from self._begin_call(key, item)
            yield ToolEnd(key, as_text(item.get(field)) or None, item.get("status") != "incomplete")

    def _finish_of_response(self, event_type: str, response: dict[str, Any], usage: dict[str, Any]) -> Finish:
        reason = event_type.removeprefix("response.")
        if response.get("status") in ("incomplete", "cancelled"):
            reason = response["status"]  # the event may still be named `completed`
        reason = as_text(as_mapping(response.get("incomplete_details")).get("reason")) or reason
        status = finish_reasons.status_of_reason("openai_responses", reason)
        used = as_count(usage.get("output_tokens")) or 0
        if status == "complete" and self._token_limit and used >= self._token_limit:
            status = "truncated"
        return Finish(reason, status)


_EventReader: TypeAlias = Callable[[ResponsesParser, _ResponsesEvent], Iterator[Delta]]
_EVENT_READERS: Final[Mapping[str, _EventReader]] = {
    "response.created": ResponsesParser._read_start,
    "response.in_progress": ResponsesParser._read_start,
    "response.queued": ResponsesParser._read_start,
    "response.output_item.added": ResponsesParser._read_added_item,
    "response.output_text.delta": ResponsesParser._read_text,
    "response.output_text.done": ResponsesParser._read_complete_text,
    "response.output_text.annotation.added": ResponsesParser._read_annotation_event,
    "response.reasoning_text.delta": ResponsesParser._read_reasoning,
    "response.reasoning_summary_text.delta": ResponsesParser._read_reasoning,
    "response.refusal.delta": ResponsesParser._read_refusal,
    "response.refusal.done": ResponsesParser._read_complete_refusal,
    "response.function_call_arguments.delta": ResponsesParser._read_arguments,
    "response.function_call_arguments.done": ResponsesParser._read_complete_arguments,
    "response.custom_tool_call_input.delta": ResponsesParser._read_arguments,
    "response.output_item.done": ResponsesParser._read_done_item,
    "response.completed": ResponsesParser._read_end,
    "response.incomplete": ResponsesParser._read_end,
    "response.failed": ResponsesParser._read_end,
}
"""The method that reads each type of event."""


def _place_of_item(event: _ResponsesEvent) -> str:
    """Return what identifies an item: its index, because GitHub Copilot gives an item a new id in every event."""
    item_id = event.item_id or as_text(as_mapping(event.item).get("id"))
    return str(item_id if event.output_index is None else event.output_index)


def _call_id(item: dict[str, Any]) -> str:
    return as_text(item.get("call_id")) or as_text(item.get("id"))


def _message_sources(item: dict[str, Any]) -> Iterator[Delta]:
    """Yield the sources in a complete message: some servers send no event for each."""
    content = item.get("content")
    for part in content if item.get("type") == "message" and isinstance(content, list) else ():
        annotations = as_mapping(part).get("annotations")
        for annotation in annotations if isinstance(annotations, list) else ():
            yield from _annotation_source(annotation)


def _annotation_source(annotation: object) -> Iterator[Delta]:
    note = as_mapping(annotation)
    yield from source_delta(as_text(note.get("url")), as_text(note.get("title")) or as_text(note.get("filename")))


def _read_responses_usage(usage: dict[str, Any]) -> UsageSoFar:
    inputs, outputs = as_mapping(usage.get("input_tokens_details")), as_mapping(usage.get("output_tokens_details"))
    return usage_delta(
        input=as_count(usage.get("input_tokens")),
        output=as_count(usage.get("output_tokens")),
        reasoning=as_count(outputs.get("reasoning_tokens")),
        cached=as_count(inputs.get("cached_tokens")),
        cache_write=as_count(inputs.get("cache_write_tokens")),
    )
