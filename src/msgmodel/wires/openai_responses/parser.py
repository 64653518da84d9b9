"""Turn the events of the OpenAI Responses API into deltas. Pure. The rule of success stands in the package."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec

from ...question.lenient_json import LenientDecoder, MalformedJson, as_count, as_mapping, as_text
from ...question.question import (
    Question,
)
from .. import finish_reasons, provider_errors
from ..deltas import (
    CUT,
    CostStated,
    Delta,
    DetailFound,
    Failure,
    Finish,
    NewPart,
    OpaqueData,
    ReasoningDelta,
    ReceiptFact,
    RefusalDelta,
    ResponseStarted,
    TextDelta,
    ToolEnd,
    ToolFragment,
    Untold,
    UsageSoFar,
    WarningFound,
    argument_text,
    usage_delta,
    word_deltas,
)
from ..stated_cost import stated_cost
from .items import read_added_item, read_annotation, read_done_item, read_partial_image, waits_for_client

_WordDelta: TypeAlias = type[TextDelta] | type[ReasoningDelta] | type[RefusalDelta]
_PartKey: TypeAlias = tuple[_WordDelta, object, int]

_PART_BYTES = 512
"""Memory for the list of one part's pieces; the panel counts their text."""


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
    logprobs: Any = None
    partial_image_b64: Any = None
    output_format: Any = None
    error: Any = None


class _PlainTextEvent(msgspec.Struct, gc=False):
    """Nearly every event. A field that would add to it may only be null, or decoding fails."""

    type: Literal["response.output_text.delta"]
    delta: str
    output_index: int
    content_index: int = 0
    summary_index: int | None = None
    item_id: str | None = None
    logprobs: Annotated[list[Any], msgspec.Meta(max_length=0)] | None = None
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
        self._items_came = False
        self._client_calls: set[str] = set()
        self._odd_parts: set[_PartKey] = set()
        """The parts that are known to differ from their pieces."""
        self._only_done: set[_WordDelta] = set()
        """The kinds of words that come in done items alone."""

    @property
    def held_bytes(self) -> int:
        return _PART_BYTES * (len(self._pieces) + len(self._odd_parts))

    def feed(self, data: bytes, whole: bool = True) -> Iterator[Delta]:
        """Yield the deltas of one event. Raises MalformedJson."""
        if not data.strip() or data.startswith(b"[DONE]"):
            return
        event = _EVENT_DECODER.decode(data)
        if not whole and event.type not in _TERMINAL_EVENTS:  # only the last event is proven by its own end
            return
        if event.error or event.type == "error":
            yield provider_errors.read_failure(_OBJECT_DECODER.decode(data))
        elif event.type is None:
            raise MalformedJson("an event has no type")
        elif (read_event := _EVENT_READERS.get(event.type)) is not None:
            yield from read_event(self, event)
        elif event.type.endswith(".delta") and event.type not in _REPEATED_DELTAS:
            yield Untold(event.type)  # other types are frames around the content

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
        yield from self._read_piece(TextDelta, event)
        if isinstance(event.logprobs, list) and event.logprobs:
            yield DetailFound("logprobs", event.logprobs)

    def _read_reasoning(self, event: _ResponsesEvent) -> Iterator[Delta]:
        return self._read_piece(ReasoningDelta, event)

    def _read_refusal(self, event: _ResponsesEvent) -> Iterator[Delta]:
        return self._read_piece(RefusalDelta, event)

    def _read_piece(self, kind: _WordDelta, event: _ResponsesEvent) -> Iterator[Delta]:
        for found in word_deltas(kind, event.delta, as_text(event.type)):
            if not isinstance(found, Untold):
                key = kind, _place_of_item(event), _part_index(event)
                yield from self._part_start(key)
                self._pieces[key].append(found.text)
            yield found

    def _part_start(self, key: _PartKey) -> Iterator[Delta]:
        """Yield the boundary before the first words of a part."""
        kind, place, number = key
        if key not in self._pieces:
            yield NewPart(is_block=kind in self._pieces.kinds, key=f"{place}.{number}")

    def _read_complete_text(self, event: _ResponsesEvent) -> Iterator[Delta]:
        return self._rest_of_part(TextDelta, event, as_text(event.text))

    def _read_complete_reasoning(self, event: _ResponsesEvent) -> Iterator[Delta]:
        return self._rest_of_part(ReasoningDelta, event, as_text(event.text))

    def _read_complete_refusal(self, event: _ResponsesEvent) -> Iterator[Delta]:
        return self._rest_of_part(RefusalDelta, event, as_text(event.refusal))

    def _rest_of_part(self, kind: _WordDelta, event: _ResponsesEvent, complete: str) -> Iterator[Delta]:
        """Yield what of a complete part the deltas did not bring: its end, or all of it.

        If the part is another one than the deltas brought, one of them was lost or came twice: it is named.
        """
        key = kind, _place_of_item(event), _part_index(event)
        key_by_id = kind, event.item_id, _part_index(event)  # deltas of some servers name only the item
        pieces = self._pieces.get(key) or self._pieces.get(key_by_id) or [""]
        if not complete or key in self._odd_parts:
            return
        is_shorter = len(complete) < sum(map(len, pieces))
        if not is_shorter:  # only then is it worth joining: a flood of short events must not join all pieces each time
            pieces[:] = ["".join(pieces)]
        received = pieces[0]
        if not is_shorter and len(complete) > len(received) and complete.startswith(received):
            if not received:
                yield from self._part_start(key)
            self._pieces[key][:] = [complete]
            yield kind(complete[len(received) :])
        elif is_shorter or complete != received:
            self._odd_parts.add(key)
            if complete.split() != "".join(pieces).split():  # a server that only trims it has lost nothing
                yield Untold(as_text(event.type), kind is TextDelta and not _has_half(pieces))

    def _read_arguments(self, event: _ResponsesEvent) -> Iterator[Delta]:
        yield ToolFragment(_place_of_item(event), "", "", argument_text(event.delta))

    def _read_complete_arguments(self, event: _ResponsesEvent) -> Iterator[Delta]:
        yield ToolEnd(_place_of_item(event), argument_text(event.arguments) or None)

    def _read_annotation_event(self, event: _ResponsesEvent) -> Iterator[Delta]:
        return read_annotation(event.annotation, f"{_place_of_item(event)}.{event.content_index or 0}")

    def _read_partial_image(self, event: _ResponsesEvent) -> Iterator[Delta]:
        return read_partial_image(_place_of_item(event), event.partial_image_b64, event.output_format)

    def _read_start(self, event: _ResponsesEvent) -> Iterator[Delta]:
        return self._start_response(as_mapping(event.response))

    def _start_response(self, response: dict[str, Any]) -> Iterator[Delta]:
        model, request_id = as_text(response.get("model")), as_text(response.get("id"))
        if not self._response_started and (model or request_id):
            self._response_started = bool(model)
            yield ResponseStarted(model or None, request_id or None)

    def _read_added_item(self, event: _ResponsesEvent) -> Iterator[Delta]:
        item, key = as_mapping(event.item), _place_of_item(event)
        for delta in read_added_item(key, item):
            if isinstance(delta, ToolFragment):
                self._call_keys.add(key)
                self._client_calls.add(key)
            yield delta

    def _read_done_item(self, event: _ResponsesEvent) -> Iterator[Delta]:
        item, key = as_mapping(event.item), _place_of_item(event)
        kind = item.get("type")
        if kind == "message":
            yield from _message_sources(item, key)
            yield from self._words_of_item(TextDelta, event, _texts_of_message(item))
            if item.get("phase") and self._brought_text(event):
                yield OpaqueData("text", {"phase": item["phase"]})
        elif kind == "reasoning":
            words = _texts_of_message(item, "summary") or _texts_of_message(item)
            yield from self._words_of_item(ReasoningDelta, event, words)
            yield OpaqueData("reasoning", item) if item.get("encrypted_content") else NewPart()
        else:
            self._items_came = True
            if waits_for_client(item):
                self._client_calls.add(key)
            yield from read_done_item(key, item)
            self._call_keys.add(key)

    def _words_of_item(self, kind: _WordDelta, event: _ResponsesEvent, texts: list[str]) -> Iterator[Delta]:
        """Yield the words of a done item from a server that sends no pieces of them."""
        if kind in self._pieces.kinds and kind not in self._only_done:
            return
        self._only_done.add(kind)
        for number, text in enumerate(texts):
            key = kind, _place_of_item(event), number
            if text and key not in self._pieces:
                yield from self._part_start(key)
                self._pieces[key].append(text)
                yield kind(text)

    def _brought_text(self, event: _ResponsesEvent) -> bool:
        return not self._pieces.places.isdisjoint(((TextDelta, _place_of_item(event)), (TextDelta, event.item_id)))

    def _read_end(self, event: _ResponsesEvent) -> Iterator[Delta]:
        response = as_mapping(event.response)
        yield from self._start_response(response)
        output = response.get("output")
        items = [as_mapping(item) for item in output] if isinstance(output, list) else []
        items_came = self._items_came or bool(self._call_keys)
        yield from self._holes_of_response(event, items)
        for number, item in enumerate(items):
            yield from self._rest_of_item(item, str(number), items_came)
        if as_text(response.get("service_tier")):
            yield ReceiptFact("service_tier", response["service_tier"])
        if response.get("input_transformations"):
            yield WarningFound("context_edited", "the provider removed reasoning of earlier turns from the question")
        for field, name in _DETAIL_FIELDS.items():
            if response.get(field):
                yield DetailFound(name, response[field])
        usage = as_mapping(response.get("usage"))
        if usage:
            yield _read_responses_usage(usage)
        if (dollars := stated_cost(usage)) is not None:
            yield CostStated(dollars)
        # The status counts as much as the event's name: some servers send `completed` with a failed response.
        if event.type == "response.failed" or response.get("error") or response.get("status") == "failed":
            yield provider_errors.read_failure(
                {"error": response.get("error") or {"message": "the provider gave no reason"}}
            )
        else:
            yield self._finish_of_response(event.type or "", response, usage)

    def _holes_of_response(self, event: _ResponsesEvent, items: list[dict[str, Any]]) -> Iterator[Delta]:
        """Yield the names of what the complete reply has and the events before it lack, or have twice."""
        messages = [item for item in items if item.get("type") == "message"]
        whole = _letter_count(text for item in messages for text in _texts_of_message(item))
        pieces = [piece for key, found in self._pieces.items() if key[0] is TextDelta for piece in found]
        received = _letter_count(pieces)
        differs = whole != received and not self._odd_parts  # those are told already
        if event.type == "response.completed" and whole and received and differs:
            yield Untold("response.output", in_text=not _has_half(pieces))
        if self._client_calls and sum(map(waits_for_client, items)) > len(self._client_calls):
            yield Untold("call", in_text=True)

    def _rest_of_item(self, item: dict[str, Any], key: str, items_came: bool) -> Iterator[Delta]:
        """Yield what only the terminal event contains.

        Args:
            item: An item of the complete output.
            key: Its place in the output.
            items_came: Whether earlier events brought items that are neither messages nor reasoning.
        """
        kind = item.get("type")
        if kind == "message":
            content = item.get("content")
            for number, part in enumerate(content if isinstance(content, list) else ()):
                part = as_mapping(part)
                for word, field in ((TextDelta, "text"), (RefusalDelta, "refusal")):
                    if as_text(part.get(field)) and word not in self._pieces.kinds:
                        yield NewPart(is_block=True, key=f"{key}.{number}")
                        yield word(part[field])
            yield from _message_sources(item, key)
        elif kind != "reasoning" and not items_came:
            yield from read_done_item(f"unsaid {key}", item)

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


_DETAIL_FIELDS: Final[Mapping[str, Literal["moderation", "filter_results"]]] = {
    "moderation": "moderation",
    "content_filters": "filter_results",  # Azure
}
"""Fields of a response that belong in `details`."""

_REPEATED_DELTAS = frozenset(
    f"response.{name}.delta"
    for name in (
        "mcp_call_arguments",
        "code_interpreter_call_code",
        "apply_patch_call_operation_diff",
        "shell_call_command",
        "shell_call_output_content",
    )
)
"""Pieces of what the done item has complete."""

_EventReader: TypeAlias = Callable[[ResponsesParser, _ResponsesEvent], Iterator[Delta]]
_TERMINAL_EVENTS = ("response.completed", "response.incomplete", "response.failed")
_EVENT_READERS: Final[Mapping[str, _EventReader]] = {
    "response.created": ResponsesParser._read_start,
    "response.in_progress": ResponsesParser._read_start,
    "response.queued": ResponsesParser._read_start,
    "response.output_item.added": ResponsesParser._read_added_item,
    "response.output_text.delta": ResponsesParser._read_text,
    "response.output_text.done": ResponsesParser._read_complete_text,
    "response.output_text.annotation.added": ResponsesParser._read_annotation_event,
    "response.reasoning_text.delta": ResponsesParser._read_reasoning,
    "response.reasoning.delta": ResponsesParser._read_reasoning,  # servers other than OpenAI
    "response.reasoning_text.done": ResponsesParser._read_complete_reasoning,
    "response.reasoning.done": ResponsesParser._read_complete_reasoning,
    "response.reasoning_summary_text.delta": ResponsesParser._read_reasoning,
    "response.reasoning_summary_text.done": ResponsesParser._read_complete_reasoning,
    "response.refusal.delta": ResponsesParser._read_refusal,
    "response.refusal.done": ResponsesParser._read_complete_refusal,
    "response.function_call_arguments.delta": ResponsesParser._read_arguments,
    "response.function_call_arguments.done": ResponsesParser._read_complete_arguments,
    "response.custom_tool_call_input.delta": ResponsesParser._read_arguments,
    "response.output_item.done": ResponsesParser._read_done_item,
    "response.image_generation_call.partial_image": ResponsesParser._read_partial_image,
    "response.completed": ResponsesParser._read_end,
    "response.incomplete": ResponsesParser._read_end,
    "response.failed": ResponsesParser._read_end,
}
"""The method that reads each type of event."""


def _place_of_item(event: _ResponsesEvent) -> str:
    """Return what identifies an item: its index, because GitHub Copilot gives an item a new id in every event."""
    item_id = event.item_id or as_text(as_mapping(event.item).get("id"))
    return str(item_id if event.output_index is None else event.output_index)


def _part_index(event: _ResponsesEvent) -> int:
    return event.content_index or event.summary_index or 0


def _texts_of_message(item: dict[str, Any], field: str = "content") -> list[str]:
    parts = item.get(field)
    return [as_text(as_mapping(part).get("text")) for part in (parts if isinstance(parts, list) else ())]


def _letter_count(texts: Iterable[str]) -> int:
    """Return how many characters the texts have without white space, which some servers trim."""
    return sum(len(word) for text in texts for word in text.split())


def _has_half(pieces: Iterable[str]) -> bool:
    """Return whether a character was cut between two events: each half of a surrogate pair became U+FFFD, no hole."""
    return any("\ufffd" in piece for piece in pieces)


def _message_sources(item: dict[str, Any], key: str) -> Iterator[Delta]:
    """Yield the sources in a complete message: some servers send no event for each."""
    content = item.get("content")
    for number, part in enumerate(content if isinstance(content, list) else ()):
        annotations = as_mapping(part).get("annotations")
        for annotation in annotations if isinstance(annotations, list) else ():
            yield from read_annotation(annotation, f"{key}.{number}")


def _read_responses_usage(usage: dict[str, Any]) -> UsageSoFar:
    inputs, outputs = as_mapping(usage.get("input_tokens_details")), as_mapping(usage.get("output_tokens_details"))
    return usage_delta(
        input=as_count(usage.get("input_tokens")),
        output=as_count(usage.get("output_tokens")),
        reasoning=as_count(outputs.get("reasoning_tokens")),
        cached=as_count(inputs.get("cached_tokens")),
        cache_write=as_count(inputs.get("cache_write_tokens")),
    )
