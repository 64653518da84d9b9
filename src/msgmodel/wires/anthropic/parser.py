"""Turn the events of the Anthropic Messages API into deltas. Pure. The rule of success stands in the package."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec

from ...events import Source
from ...question.lenient_json import LenientDecoder, MalformedJson, as_count, as_mapping, as_text, load_lenient, memory
from ...question.question import (
    Question,
    without_none,
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
    WarningFound,
    argument_text,
    usage_delta,
    word_deltas,
)
from ..stated_cost import stated_cost
from .anthropic_usage import read_other_requests, total_input
from .blocks import citation_delta, citation_source, citation_to_return, read_block_end, read_block_start


class _AnthropicEvent(msgspec.Struct):
    type: str | None = None
    index: int | None = None
    message: Any = None
    content_block: Any = None
    delta: Any = None
    usage: Any = None
    context_management: Any = None
    error: Any = None


class _PlainAnthropicDelta(msgspec.Struct, gc=False):
    type: Literal["text_delta"]
    text: str


class _PlainAnthropicEvent(msgspec.Struct, gc=False):
    """Nearly every event."""

    type: Literal["content_block_delta"]
    delta: _PlainAnthropicDelta
    index: int | None = None


_decode_plain = msgspec.json.Decoder(_PlainAnthropicEvent).decode
_EVENT_DECODER = LenientDecoder(_AnthropicEvent)
_OBJECT_DECODER = LenientDecoder(dict[str, Any])
KEPT_OF_CALL = "caller", "toolset_name"
"""Fields of a call that its result or the next request must repeat."""
_DIRECT_CALLER = {"type": "direct"}
_COUNT_FIELDS = "input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens"


class AnthropicParser:
    """Turns the events of one response into deltas."""

    def __init__(self, question: Question, token: str | None = None) -> None:
        self._stop_reason: str | None = None
        self._counts: dict[str, int] = {}
        self._open_calls: dict[int | None, str] = {}
        self._calls_begun = 0
        self._last_begun: tuple[int | None, Any] = None, None
        """The index and the id of the latest call."""
        self._open_block: dict[str, Any] | None = None
        self._texts_begun = 0
        self._after_text = True
        """Whether the block before was text, or there was none: then text continues its sentence."""
        self._citations: list[Source] = []
        self._citations_to_return: list[dict[str, Any]] = []
        self._thinking_pieces: list[str] = []
        self._input_pieces: list[str] = []
        self.held_bytes = 0
        """Bytes of memory for the open block, unless it is text or a call: the panel counts those."""

    def feed(self, data: bytes, whole: bool = True) -> Iterator[Delta]:
        """Yield the deltas of one event. Raises MalformedJson."""
        if not data.strip() or data.startswith(b"[DONE]"):
            return
        event = _EVENT_DECODER.decode(data)
        kind = event.type
        if not whole and kind != "message_stop":  # only the last event is proven by its own end
            return
        if kind == "content_block_delta":
            yield from self._read_delta(event)
        elif kind == "content_block_start":
            yield from self._start_block(event)
        elif kind == "content_block_stop":
            yield from self._end_block(event)
        elif kind == "message_start":
            yield from self._start_message(as_mapping(event.message))
        elif kind == "message_delta":
            yield from self._read_message_delta(event)
        elif kind == "message_stop":
            yield self._final_verdict()
        elif kind == "error" or event.error:
            yield provider_errors.read_failure(_OBJECT_DECODER.decode(data))
        elif kind is None:
            raise MalformedJson("an event has no type")

    def plain_text(self, data: bytes) -> str:
        """Return the text of a text delta; "" for any other event."""
        try:
            return _decode_plain(data).delta.text
        except (ValueError, RecursionError):
            return ""

    def deferred_deltas(self) -> Sequence[Delta]:
        """Return nothing: usage arrives in events of its own."""
        return ()

    def eof(self, clean: bool) -> Failure:
        """Return a cut: after `message_stop`, the body is not read to its end."""
        return CUT

    def _start_message(self, message: dict[str, Any]) -> Iterator[Delta]:
        yield ResponseStarted(as_text(message.get("model")) or None, as_text(message.get("id")) or None)
        if as_text(message.get("provider")):  # OpenRouter and other routers
            yield ReceiptFact("provider_served", message["provider"])
        if as_text(message.get("service_tier")):  # MiniMax; Anthropic has it among the counts
            yield ReceiptFact("service_tier", message["service_tier"])
        yield from self._add_usage(as_mapping(message.get("usage")))
        # After a call from a program, the whole turn may be in this event.
        content = message.get("content")
        for number, block in enumerate(content if isinstance(content, list) else ()):
            event = _AnthropicEvent(index=-1 - number, content_block=block)
            yield from self._start_block(event)
            yield from self._end_block(event)
        yield from self._read_stop(message)

    def _read_message_delta(self, event: _AnthropicEvent) -> Iterator[Delta]:
        yield from self._end_text()
        yield from self._read_stop(as_mapping(event.delta))
        yield from self._read_edits(event)
        yield from self._add_usage(as_mapping(event.usage))

    def _read_edits(self, event: _AnthropicEvent) -> Iterator[Delta]:
        edits = as_mapping(event.context_management).get("applied_edits")
        if isinstance(edits, list) and edits:
            names = ", ".join(dict.fromkeys(as_text(as_mapping(edit).get("type")) for edit in edits))
            yield WarningFound("context_edited", f"the provider edited the conversation: {names}")

    def _read_stop(self, found: dict[str, Any]) -> Iterator[Delta]:
        """Yield what the end of the turn says of it: why it ended, and which container has its files."""
        self._stop_reason = finish_reasons.stronger_finish_reason(
            "anthropic", self._stop_reason, as_text(found.get("stop_reason"))
        )
        details = as_mapping(found.get("stop_details"))
        if as_text(details.get("explanation")) and self._stop_reason == "refusal":
            yield RefusalDelta(details["explanation"])
        if as_text(details.get("category")):
            yield DetailFound("refusal_category", details["category"])
        if as_text(found.get("stop_sequence")):
            yield DetailFound("stop_sequence", found["stop_sequence"])
        container = as_mapping(found.get("container"))
        if as_text(container.get("id")):
            yield OpaqueData("opaque", {"type": "container", "id": container["id"]})

    def _final_verdict(self) -> Finish | Failure:
        if not self._stop_reason:
            return CUT
        return Finish(self._stop_reason, finish_reasons.status_of_reason("anthropic", self._stop_reason))

    def _start_block(self, event: _AnthropicEvent) -> Iterator[Delta]:
        yield from self._end_text()
        block = as_mapping(event.content_block)
        kind = block.get("type")
        if kind == "tool_use":
            begun = event.index, block.get("id")
            if event.index in self._open_calls and block.get("id") and begun == self._last_begun:
                return  # the event came twice, and the call must not run twice
            self._last_begun = begun
            # Our own count is the key: some servers omit the index or use it twice, which would mix two calls.
            self._calls_begun += 1
            key = self._open_calls[event.index] = str(self._calls_begun)
            given_input = block.get("input")
            arguments = msgspec.json.encode(given_input).decode() if given_input else ""
            yield ToolFragment(key, as_text(block.get("id")), as_text(block.get("name")), arguments)
            kept = {name: block[name] for name in KEPT_OF_CALL if block.get(name) not in (None, _DIRECT_CALLER)}
            if kept:
                yield OpaqueData("tool_call", kept, key)
            self._after_text = False
        elif kind == "text":
            self._texts_begun += 1
            yield NewPart(is_block=not self._after_text, key=str(self._texts_begun))
            self._after_text = True
            yield from word_deltas(TextDelta, block.get("text"), kind)
            for citation in block.get("citations") or ():
                self._add_citation(citation)
        elif isinstance(kind, str):  # reasoning and the provider's tools: the API wants such blocks back unchanged
            yield NewPart(is_block=kind in ("thinking", "redacted_thinking"))
            self._after_text = False
            self._open_block, self._thinking_pieces, self._input_pieces = block, [], []
            self.held_bytes = memory(block)
            yield from read_block_start(block)
            if kind == "thinking":
                yield from word_deltas(ReasoningDelta, block.get("thinking"), kind)
        elif block:
            yield Untold("content_block")

    def _end_block(self, event: _AnthropicEvent) -> Iterator[Delta]:
        if event.index in self._open_calls:
            yield ToolEnd(self._open_calls.pop(event.index))
            return
        block, self._open_block, self.held_bytes = self._open_block, None, 0
        yield from self._end_text()
        if block is None:
            return
        if self._input_pieces:
            block["input"] = _parse_input("".join(self._input_pieces))
        if self._thinking_pieces:
            block["thinking"] = as_text(block.get("thinking")) + "".join(self._thinking_pieces)
        if block["type"] == "redacted_thinking" or (block["type"] == "thinking" and block.get("signature")):
            yield OpaqueData("reasoning", block)
        elif block["type"] != "thinking":  # the provider's own tools and their results
            yield OpaqueData("opaque", block)
            yield from read_block_end(block)

    def _read_delta(self, event: _AnthropicEvent) -> Iterator[Delta]:
        delta = as_mapping(event.delta)
        kind = delta.get("type")
        if kind == "text_delta":
            yield from word_deltas(TextDelta, delta.get("text"), kind)
        elif kind == "thinking_delta":
            for found in word_deltas(ReasoningDelta, delta.get("thinking"), kind):
                if self._open_block is not None and isinstance(found, ReasoningDelta):
                    self._thinking_pieces.append(found.text)  # only a reference: the panel counts the text
                yield found
        elif kind == "signature_delta":
            if self._open_block is not None:
                self._update_open_block(signature=as_text(delta.get("signature")))
        elif kind == "compaction_delta":
            if self._open_block is not None:
                self._update_open_block(content=delta.get("content"), encrypted_content=delta.get("encrypted_content"))
        elif kind == "input_json_delta":
            yield from self._read_input(event.index, argument_text(delta.get("partial_json")))
        elif kind == "citations_delta":
            self._add_citation(delta.get("citation"))
        elif delta:
            yield Untold(as_text(kind) or "delta", in_text=not as_text(kind))

    def _read_input(self, index: int | None, piece: str) -> Iterator[Delta]:
        """Read a piece of the arguments of a call, or of the input of a tool of the provider."""
        if index in self._open_calls:
            yield ToolFragment(self._open_calls[index], "", "", piece)
        elif self._open_block is not None:
            self._input_pieces.append(piece)
            self.held_bytes += 2 * memory(piece)  # twice, because they are decoded at the end
        elif piece:
            yield Untold("input_json_delta", in_text=True)

    def _end_text(self) -> Iterator[Delta]:
        """Yield the citations of the text block that is over. Some servers leave out its stop event."""
        citations, self._citations = self._citations, []
        for source in citations:
            yield citation_delta(source, str(self._texts_begun))
        returned, self._citations_to_return = self._citations_to_return, []
        if returned:
            yield OpaqueData("text", {"citations": returned})

    def _add_citation(self, citation: object) -> None:
        """Keep a citation until its block ends, because it covers all the text of the block."""
        source = citation_source(as_mapping(citation))
        if source is not None:
            self._citations.append(source)
            self.held_bytes += memory([*source.values()])
        if (returned := citation_to_return(as_mapping(citation))) is not None:
            self._citations_to_return.append(returned)
            self.held_bytes += memory(returned)

    def _update_open_block(self, **fields: Any) -> None:
        """Set fields of the open block; None keeps the earlier value."""
        assert self._open_block is not None
        for name, value in without_none(**fields).items():
            self.held_bytes += memory(value) - memory(self._open_block.get(name))
            self._open_block[name] = value

    def _add_usage(self, usage: dict[str, Any]) -> Iterator[Delta]:
        if not usage:
            return
        if as_text(usage.get("service_tier")):
            yield ReceiptFact("service_tier", usage["service_tier"])
        if (dollars := stated_cost(usage)) is not None:
            yield CostStated(dollars)
        details = as_mapping(usage.get("output_tokens_details"))
        counts = {name: usage.get(name) for name in _COUNT_FIELDS} | {"thinking_tokens": details.get("thinking_tokens")}
        # A count that is absent keeps its earlier value: `message_delta` repeats only some of them.
        self._counts |= without_none(**{name: as_count(number) for name, number in counts.items()})
        fresh, cached, written = map(self._counts.get, _COUNT_FIELDS[:3])
        yield usage_delta(
            input=total_input(fresh, cached, written),
            output=self._counts.get("output_tokens"),
            reasoning=self._counts.get("thinking_tokens"),
            cached=cached,
            cache_write=written,
            others=tuple(read_other_requests(usage)),
        )


def _parse_input(arguments: str) -> dict[str, Any]:
    try:
        return as_mapping(load_lenient(arguments or "{}"))
    except ValueError:
        return {}
