"""Turn the events of OpenAI Chat Completions into deltas. Pure. The rule of success stands in the package."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from ...question.lenient_json import LenientDecoder, as_mapping, as_text, parse_or_none
from ...question.question import Question
from .. import finish_reasons, provider_errors
from ..deltas import (
    CHOICE_DROPPED,
    CUT,
    Delta,
    DetailFound,
    Failure,
    Finish,
    MediaReceived,
    NewPart,
    ReasoningDelta,
    ReceiptFact,
    ResponseStarted,
    TextDelta,
    ToolEnd,
    ToolRunChanged,
    Untold,
    UsageSoFar,
)
from ..tool_call_fragments import as_index, as_list
from .chat_chunk import ChatChunk, FilteredChoice, FilteredChunk, PlainChoice, PlainChunk, untold_fields
from .chat_findings import FilterResults, SourceLists, read_logprobs
from .chat_message import MESSAGE_FIELDS, ChatMessageReader
from .chat_usage import read_prompt_progress, read_usage_and_cost
from .thinking_tags import ThinkingTagReader, writes_thinking_tags

_decode_plain = msgspec.json.Decoder(PlainChunk).decode
_decode_filtered = msgspec.json.Decoder(FilteredChunk).decode
_CHUNK_DECODER = LenientDecoder(ChatChunk)
_CHOICE_BYTES = 128  # of memory for the state of one choice, estimated
_OBJECT_DECODER = LenientDecoder(dict[str, Any])
_CHOICE_FIELDS = frozenset(
    (
        "index",
        "delta",
        "message",
        "text",
        "finish_reason",
        "native_finish_reason",
        "error",
        "logprobs",
        "content_filter_results",
        "content_filter_result",
        "stop_reason",
        "matched_stop",
    )
)


class ChatParser:
    """Turns the events of one response into deltas.

    It shows the first choice only, but watches the end of every choice.
    """

    def __init__(self, question: Question, token: str | None = None) -> None:
        self._response_started = False
        self._named = "", ""
        self._shown_index: int | None = None
        self._reasons_by_choice: dict[int, str | None] = {}
        self._native_reason = ""
        self._deferred_usage = msgspec.Raw()
        self._plain_index: int | None = None  # the choice whose next text may take the fast lane
        self._decode_plain: Callable[[bytes], PlainChunk] = _decode_plain
        self._is_filtered = False  # whether the chunks have the scores of a filter
        self._plain_filter = self._next_filter = b""  # those that `feed` has read, and those of the latest chunk
        self._delivered_any = False
        self._whole_message: dict[str, Any] = {}
        self._text_after_reason = False
        self._ends_within_event = False
        self._counted_output = False
        self._message = ChatMessageReader(question)
        self._tags = _thinking_tags(question)
        self._sources = SourceLists()
        self._filter = FilterResults()
        self._phase = ""
        self._is_new_block = False
        self._suggested_questions = False

    @property
    def held_bytes(self) -> int:
        return _CHOICE_BYTES * len(self._reasons_by_choice) + self._message.held_bytes

    def feed(self, data: bytes, whole: bool = True) -> Iterator[Delta]:
        """Yield the deltas of one event. Raises MalformedJson."""
        if not whole or not data.strip():
            self._ends_within_event = not whole and data.lstrip().startswith(b"{")
            return
        if data.startswith(b"[DONE]"):
            yield from self._read_done()
        else:
            chunk = _CHUNK_DECODER.decode(data)
            groq = as_mapping(chunk.x_groq)  # Groq may send usage and errors only there
            yield from self._read_chunk(chunk, chunk.usage or groq.get("usage"))
            if _may_be_error(chunk):
                del chunk  # otherwise a large error would be in memory twice, decoded
                failure = provider_errors.read_stated_failure(_OBJECT_DECODER.decode(data))
                if failure is not None:
                    yield failure
            elif groq.get("error"):
                yield provider_errors.read_failure(groq)
            self._plain_index = self._shown_index if self._may_take_fast_lane() else None

    def _may_take_fast_lane(self) -> bool:
        ended = self._shown_index is not None and self._reasons_by_choice[self._shown_index]
        has_pending_words = self._message.has_pending_words or (self._tags is not None and not self._tags.is_done)
        return self._response_started and not has_pending_words and not ended

    def plain_text(self, data: bytes) -> str:
        """Return the text of a chunk that only continues the text; "" if `feed` must read the chunk."""
        try:
            chunk = self._decode_plain(data)
        except (ValueError, RecursionError):
            return ""
        choice = chunk.choices[0]
        if choice.index != self._plain_index or (self._is_filtered and self._filters_anew(choice)):
            return ""
        if len(chunk.usage) not in (0, 4):  # absent and null leave the earlier usage as it is
            self._deferred_usage = chunk.usage
        return choice.delta.content

    def _filters_anew(self, choice: PlainChoice) -> bool:
        """Return whether Azure's filter says something else than in the chunk that `feed` read last."""
        assert isinstance(choice, FilteredChoice)
        self._next_filter = bytes(choice.content_filter_results)
        return self._next_filter != self._plain_filter

    def deferred_deltas(self) -> Iterator[Delta]:
        """Yield the last usage. Some servers send it in every chunk, and decoding each would be wasted."""
        usage, self._deferred_usage = bytes(self._deferred_usage), msgspec.Raw()
        if usage and isinstance(counts := parse_or_none(usage), dict):
            yield from self._read_usage(counts, None)

    def _read_usage(self, counts: dict[str, Any], cost: object) -> Iterator[Delta]:
        for delta in read_usage_and_cost(counts, cost):
            if isinstance(delta, UsageSoFar):
                self._counted_output = bool(delta.usage["output_tokens"])
            yield delta

    def eof(self, clean: bool) -> Finish | Failure:
        """Return the verdict on a body that ended without `[DONE]`."""
        return CUT if self._ends_within_event or self._text_after_reason or not clean else self._final_verdict()

    def _final_verdict(self) -> Finish | Failure:
        if self._shown_index is None or None in self._reasons_by_choice.values():
            return CUT
        reason = self._reasons_by_choice[self._shown_index]
        status = finish_reasons.status_of_reason("openai_chat", reason)
        if status in ("complete", "tool_calls"):  # OpenRouter reports `tool_calls` for a call that the limit cut
            status = finish_reasons.STATUS_BY_NATIVE_REASON.get(self._native_reason, status)
        return Finish(reason, status)

    def _read_done(self) -> Iterator[Delta]:
        """Yield the end of a reply whose server says that it is done.

        Without a finish reason that proves nothing, unless the server has counted the output: OpenAI's audio models,
        Snowflake and others end every reply so. Then a call is complete if its arguments are.
        """
        verdict = self._final_verdict()
        is_open = self._shown_index is not None and self._reasons_by_choice[self._shown_index] is None
        if is_open and self._counted_output:
            yield from self._take_held_text()
            for key, is_whole in self._message.calls_without_end():
                if not is_whole:
                    yield ToolEnd(key, complete=False)
            verdict = Finish(None, "unknown", calls_are_whole=True)
        yield verdict

    def _read_chunk(self, chunk: ChatChunk, usage: object) -> Iterator[Delta]:
        if not self._response_started and (chunk.model or chunk.id):
            self._response_started = True
            yield ResponseStarted(as_text(chunk.model) or None, as_text(chunk.id) or None)
        yield from self._read_receipt(chunk, as_mapping(usage))
        if chunk.prompt_progress is not None:
            yield from read_prompt_progress(as_mapping(chunk.prompt_progress))
        for choice in as_list(chunk.choices):
            yield from self._read_choice(as_mapping(choice))
        yield from self._read_usage(as_mapping(usage), chunk.cost)
        yield from self._sources.read_lists(chunk.search_results, chunk.citations)
        yield from self._message.media.read_images(chunk.images)
        yield from self._filter.read_results(chunk.prompt_filter_results, None)
        if isinstance(chunk.moderation, dict):
            yield DetailFound("moderation", chunk.moderation)
        if isinstance(chunk.related_questions, list) and chunk.related_questions and not self._suggested_questions:
            self._suggested_questions = True
            yield DetailFound("related_questions", chunk.related_questions)

    def _read_receipt(self, chunk: ChatChunk, usage: dict[str, Any]) -> Iterator[Delta]:
        """Yield whom a router asked, and the service tier. Most servers that name them do so in every chunk."""
        tier = as_text(chunk.service_tier) or as_text(usage.get("service_tier"))  # the second is Mistral's
        named = as_text(chunk.provider), tier
        if named != self._named and any(named):
            self._named = named
            if named[0]:
                yield ReceiptFact("provider_served", named[0])
            if named[1]:
                yield ReceiptFact("service_tier", named[1])

    def _read_choice(self, choice: dict[str, Any]) -> Iterator[Delta]:
        index = as_index(choice.get("index")) or 0
        if self._shown_index is None:
            self._shown_index = index
        reason = self._read_finish_reason(choice, index)
        delta = choice.get("delta")
        if index != self._shown_index:
            if choice.get("text") or any(
                as_mapping(delta or choice.get("message")).get(name) for name in MESSAGE_FIELDS
            ):
                yield Untold("choice")
                yield CHOICE_DROPPED
            return
        self._native_reason = as_text(choice.get("native_finish_reason")) or self._native_reason
        message = choice.get("message")
        if not delta and isinstance(message, dict):
            if not self._delivered_any:
                delta = self._whole_message = message  # from a server that does not really stream
            elif self._whole_message and message.get("content") and message != self._whole_message:
                yield Untold("message", in_text=True)  # it may repeat the one before, or go on after it
        for found in self._read_delta(as_mapping(delta), choice, bool(reason)):
            self._delivered_any = True
            if self._reasons_by_choice[index] and not reason:
                self._text_after_reason = True
            yield found
        if len(choice) > 3:
            yield from self._read_choice_details(choice, as_text(as_mapping(delta).get("content")))
        if choice.get("error"):
            yield provider_errors.read_failure(choice)

    def _read_choice_details(self, choice: dict[str, Any], text: str) -> Iterator[Delta]:
        """Yield what a choice reports beside its delta."""
        yield from read_logprobs(choice.get("logprobs"), text)
        filtered = choice.get("content_filter_results") or choice.get("content_filter_result")
        if filtered:
            self._is_filtered, self._decode_plain = True, _decode_filtered
            self._plain_filter = self._next_filter
            yield from self._filter.read_results(None, filtered)
        # vLLM's name and SGLang's: a number is the token that ends every reply.
        for stop in (choice.get("stop_reason"), choice.get("matched_stop")):
            if isinstance(stop, str) and stop:
                yield DetailFound("stop_sequence", stop)
        yield from untold_fields(choice, _CHOICE_FIELDS)

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
        content = delta.get("content")
        is_text_only = len(delta) == 1 + ("role" in delta) and isinstance(content, str) and "text" not in choice
        if is_text_only and not self._message.has_pending_words:  # nearly every chunk
            if content:
                yield from self._read_text(content)
        else:
            yield from self._read_phase(as_text(delta.get("phase")))
            if as_text(choice.get("text")) and not content:  # the older Completions API; Together sends both fields
                yield from self._read_text(choice["text"])
            for found in self._message.read_delta(delta, is_last):
                self._is_new_block = self._is_new_block or isinstance(found, MediaReceived | ToolRunChanged)
                if isinstance(found, TextDelta):
                    yield from self._read_text(found.text)
                elif self._tags is None:
                    yield found
                else:
                    yield from self._take_held_text()
                    yield found
        if is_last:
            yield from self._take_held_text()

    def _read_text(self, text: str) -> Iterator[TextDelta | ReasoningDelta | NewPart]:
        if self._is_new_block:  # an image, or a tool of the server, stood before it
            self._is_new_block = False
            yield NewPart(is_block=True)
        if self._tags is None:
            yield TextDelta(text)
        else:
            yield from self._tags.read_text(text)

    def _take_held_text(self) -> Iterator[TextDelta | ReasoningDelta]:
        if self._tags is not None:
            yield from self._tags.take_rest()

    def _read_phase(self, phase: str) -> Iterator[NewPart]:
        """Yield a boundary if a text of another kind begins: a commentary, or the final answer."""
        if phase and self._phase and phase != self._phase:
            yield NewPart(is_block=True)
        self._phase = phase or self._phase


def _may_be_error(chunk: ChatChunk) -> bool:
    """Return whether an event may be an error, in one of the shapes that servers use."""
    if chunk.error or chunk.errors or chunk.base_resp or "error" in (chunk.object, chunk.type):
        return True
    words = chunk.detail or as_text(chunk.message) or as_text(chunk.msg) or as_text(chunk.error_msg)
    return not chunk.choices and chunk.usage is None and bool(words)


def _thinking_tags(question: Question) -> ThinkingTagReader | None:
    """Return what reads reasoning in the text of this model; None if all of the text is text."""
    how = getattr(question.config, "thinking_tags", None)
    if how == "keep" or (how is None and not writes_thinking_tags(question.model)):
        return None
    return ThinkingTagReader(opened=how == "opened")
