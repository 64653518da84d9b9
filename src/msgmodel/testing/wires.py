"""Correct replies of the four wires as bytes. Pure: the same arguments give the same bytes.

Ids, model names and token counts are the constants of `reply_content`, unless the model is given. A complete reply is
`b"".join(events(...))`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from .openai_events import chat_events, responses_events
from .reply_content import CALLS_FINISH as CALLS_FINISH
from .reply_content import CONTINUATION_TOKEN as CONTINUATION_TOKEN
from .reply_content import CREATED as CREATED
from .reply_content import INPUT_TOKENS as INPUT_TOKENS
from .reply_content import MODEL as MODEL
from .reply_content import NORMAL_FINISH as NORMAL_FINISH
from .reply_content import OUTPUT_TOKENS as OUTPUT_TOKENS
from .reply_content import PAUSED_FINISH as PAUSED_FINISH
from .reply_content import REFUSED_FINISH as REFUSED_FINISH
from .reply_content import REQUEST_ID as REQUEST_ID
from .reply_content import RESPONSE_ID as RESPONSE_ID
from .reply_content import TRUNCATED_FINISH as TRUNCATED_FINISH
from .reply_content import WIRES as WIRES
from .reply_content import Json as Json
from .reply_content import ReplyContent as ReplyContent
from .reply_content import ScriptedCall as ScriptedCall
from .reply_content import ScriptedSource as ScriptedSource
from .reply_content import Wire as Wire
from .reply_content import compact as compact
from .reply_content import data_event as data_event
from .reply_content import gemini_event as gemini_event
from .reply_content import named_event as named_event
from .reply_content import split_in_halves


def events(
    wire: Wire,
    text_pieces: Sequence[str],
    *,
    finish: str | None = None,
    usage: bool = True,
    reasoning: Sequence[str] = (),
    signature: str = "",
    redacted: str = "",
    tool_calls: Sequence[ScriptedCall] = (),
    sources: Sequence[ScriptedSource] = (),
    model: str | None = None,
) -> list[bytes]:
    """Return the events of a complete reply, each with its blank line.

    Args:
        wire: the wire to speak.
        text_pieces: the text, one event for each piece.
        finish: the wire's own finish reason; None is its normal one. For openai_responses: "completed", "failed", or
            the reason of an incomplete response. With "refusal", the pieces become refusal text on the OpenAI wires,
            and a stop reason on Anthropic's.
        usage: whether the reply counts its tokens.
        reasoning: the reasoning, one event for each piece.
        signature: what the provider wants back with the reasoning, or on Gemini with the first call or the end of the
            text.
        redacted: the data of a block of hidden thinking, which only Anthropic has.
        tool_calls: tool calls after the text.
        sources: citations of the text.
        model: the model that the reply names; None is the one in `MODEL`.
    """
    if finish is None:
        finish = CALLS_FINISH[wire] if tool_calls else NORMAL_FINISH[wire]
    model = MODEL[wire] if model is None else model
    scripted = ReplyContent(text_pieces, finish, usage, reasoning, signature, redacted, tool_calls, sources, model)
    return _BUILDERS[wire](scripted)


def reply(
    wire: Wire,
    text_pieces: Sequence[str],
    *,
    finish: str | None = None,
    usage: bool = True,
    **more: Any,
) -> bytes:
    """Return the events of a complete reply as one body. For the arguments see `events`."""
    return b"".join(events(wire, text_pieces, finish=finish, usage=usage, **more))


# --- Anthropic Messages (WIRE.md 4.5) ---


def _anthropic_events(scripted: ReplyContent) -> list[bytes]:
    message: Json = {
        "id": RESPONSE_ID["anthropic"],
        "type": "message",
        "role": "assistant",
        "model": scripted.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
    }
    refusal = {"type": "refusal", "category": None, "explanation": "This request was declined."}
    stop: Json = {
        "stop_reason": scripted.finish,
        "stop_sequence": "END" if scripted.finish == "stop_sequence" else None,
        "stop_details": refusal if scripted.refusal else None,
    }
    end: Json = {"type": "message_delta", "delta": stop}
    if scripted.usage:
        message["usage"] = _anthropic_usage(1) | {"service_tier": "standard"}
        end["usage"] = _anthropic_usage(OUTPUT_TOKENS)
    payloads: list[Json] = [{"type": "message_start", "message": message}]
    for index, (block, deltas) in enumerate(_anthropic_blocks(scripted)):
        payloads.append({"type": "content_block_start", "index": index, "content_block": block})
        if index == 0:
            payloads.append({"type": "ping"})
        payloads += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        payloads.append({"type": "content_block_stop", "index": index})
    return [named_event(payload) for payload in [*payloads, end, {"type": "message_stop"}]]


def _anthropic_blocks(scripted: ReplyContent) -> list[tuple[Json, list[Json]]]:
    """Return each block as it starts, with its deltas."""
    blocks: list[tuple[Json, list[Json]]] = []
    if scripted.redacted:
        blocks.append(({"type": "redacted_thinking", "data": scripted.redacted}, []))
    if scripted.reasoning or scripted.signature:
        deltas: list[Json] = [{"type": "thinking_delta", "thinking": piece} for piece in scripted.reasoning]
        if scripted.signature:
            deltas.append({"type": "signature_delta", "signature": scripted.signature})
        blocks.append(({"type": "thinking", "thinking": "", "signature": ""}, deltas))
    if scripted.text or not scripted.tool_calls:
        deltas = [{"type": "text_delta", "text": text} for text in scripted.text]
        for source in scripted.sources:
            cited = {"type": "web_search_result_location", "cited_text": "", "encrypted_index": "Eo8B"}
            deltas.append({"type": "citations_delta", "citation": cited | {"title": None} | source})
        blocks.append(({"type": "text", "text": ""}, deltas))
    for number, call in enumerate(scripted.tool_calls, start=1):
        id = call.get("id", f"toolu_scripted{number:04}")
        deltas = [
            {"type": "input_json_delta", "partial_json": piece} for piece in split_in_halves(scripted.arguments(call))
        ]
        blocks.append(({"type": "tool_use", "id": id, "name": call["name"], "input": {}}, deltas))
    return blocks


def _anthropic_usage(output_tokens: int) -> Json:
    return {
        "input_tokens": INPUT_TOKENS,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": output_tokens,
    }


# --- Gemini (WIRE.md 5.4) ---


def _gemini_events(scripted: ReplyContent) -> list[bytes]:
    last: Json = {"finishReason": scripted.finish, "index": 0}
    signed = {"thoughtSignature": scripted.signature} if scripted.signature else {}
    if scripted.finish in ("STOP", "MAX_TOKENS", "CONTINUATION"):
        last = {"content": _gemini_text("", **({} if scripted.tool_calls else signed))} | last
    if scripted.finish == "CONTINUATION":
        last["continuationToken"] = CONTINUATION_TOKEN
    if scripted.finish == "SAFETY":
        rating = {"category": "HARM_CATEGORY_HARASSMENT", "probability": "HIGH", "blocked": True}
        last["safetyRatings"] = [rating]
    if scripted.sources:
        chunks = [{"web": {"uri": source["url"], "title": source.get("title", "")}} for source in scripted.sources]
        last["groundingMetadata"] = {"groundingChunks": chunks}
    contents = [_gemini_text(piece, thought=True) for piece in scripted.reasoning]
    contents += [_gemini_text(text) for text in scripted.text]
    for number, call in enumerate(scripted.tool_calls):
        given = {"id": call["id"]} if "id" in call else {}
        function = given | {"name": call["name"], "args": json.loads(scripted.arguments(call))}
        part = {"functionCall": function} | ({} if number else signed)
        contents.append({"parts": [part], "role": "model"})
    candidates = [*({"content": content, "index": 0} for content in contents), last]
    found = []
    for number, candidate in enumerate(candidates, start=1):
        chunk: Json = {"candidates": [candidate]}
        if scripted.usage:  # a running total
            chunk["usageMetadata"] = _gemini_usage(OUTPUT_TOKENS * number // len(candidates))
        chunk |= {"modelVersion": scripted.model, "responseId": RESPONSE_ID["gemini"]}
        found.append(gemini_event(chunk))
    return found


def _gemini_text(text: str, **more: Any) -> Json:
    return {"parts": [{"text": text, **more}], "role": "model"}


def _gemini_usage(output_tokens: int) -> Json:
    return {
        "promptTokenCount": INPUT_TOKENS,
        "candidatesTokenCount": output_tokens,
        "totalTokenCount": INPUT_TOKENS + output_tokens,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": INPUT_TOKENS}],
    }


_BUILDERS: dict[Wire, Callable[[ReplyContent], list[bytes]]] = {
    "openai_chat": chat_events,
    "openai_responses": responses_events,
    "anthropic": _anthropic_events,
    "gemini": _gemini_events,
}
