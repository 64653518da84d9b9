"""Correct replies of the four wires as bytes. Pure: the same arguments give the same bytes.

Ids, model names and token counts are the constants below, unless the model is given. A whole reply is
`b"".join(events(...))`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypeAlias, TypedDict, get_args

Wire: TypeAlias = Literal["openai_chat", "openai_responses", "anthropic", "gemini"]
Json: TypeAlias = dict[str, Any]

WIRES: tuple[Wire, ...] = get_args(Wire)
MODEL: dict[Wire, str] = {
    "openai_chat": "gpt-6-luna",
    "openai_responses": "gpt-6-luna",
    "anthropic": "claude-haiku-5-5",
    "gemini": "gemini-3.8-flash",
}
RESPONSE_ID: dict[Wire, str] = {
    "openai_chat": "chatcmpl-Scripted0001",
    "openai_responses": "resp_scripted0001",
    "anthropic": "msg_scripted0001",
    "gemini": "Scripted0001",
}
NORMAL_FINISH: dict[Wire, str] = {
    "openai_chat": "stop",
    "openai_responses": "completed",
    "anthropic": "end_turn",
    "gemini": "STOP",
}
CALLS_FINISH: dict[Wire, str] = NORMAL_FINISH | {"openai_chat": "tool_calls", "anthropic": "tool_use"}
TRUNCATED_FINISH: dict[Wire, str] = {
    "openai_chat": "length",
    "openai_responses": "max_output_tokens",
    "anthropic": "max_tokens",
    "gemini": "MAX_TOKENS",
}
REFUSED_FINISH: dict[Wire, str] = {
    "openai_chat": "refusal",
    "openai_responses": "refusal",
    "anthropic": "refusal",
    "gemini": "SAFETY",
}
PAUSED_FINISH: dict[Wire, str] = {"anthropic": "pause_turn", "gemini": "CONTINUATION"}
REQUEST_ID = "req_scripted0001"
CREATED = 1795000000
INPUT_TOKENS = 12
OUTPUT_TOKENS = 34
CONTINUATION_TOKEN = "Y29udGludWU="  # noqa: S105 (a place in a reply)


class ScriptedCall(TypedDict):
    """A tool call to be said. `arguments`: an object, or text for what is none; `id`: else made up as the wire does."""

    name: str
    arguments: dict[str, Any] | str
    id: NotRequired[str]


class ScriptedSource(TypedDict):
    """A citation to be said."""

    url: str
    title: NotRequired[str]


@dataclass(frozen=True)
class Saying:
    """What a reply says, whatever the wire. `finish` is the wire's own word."""

    text: Sequence[str]
    finish: str
    usage: bool = True
    reasoning: Sequence[str] = ()
    signature: str = ""
    redacted: str = ""
    tool_calls: Sequence[ScriptedCall] = ()
    sources: Sequence[ScriptedSource] = ()
    model: str = ""

    def arguments(self, call: ScriptedCall) -> str:
        """The JSON text of a call's arguments."""
        given = call["arguments"]
        return given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)

    @property
    def refusal(self) -> bool:
        """Whether the text is a refusal."""
        return self.finish == "refusal"


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
    """The events of a whole reply, one item each, with the blank line.

    `finish` is the wire's own word; None is its normal one. For openai_responses: "completed",
    "failed", or a reason of an incomplete response. "refusal" is what each wire makes of it: the
    pieces become refusal text on the OpenAI wires, a stop reason on Anthropic's. `signature` is what the provider
    wants back with the reasoning, or on Gemini with the first call or the end of the text; `redacted` is the data of
    a block of hidden thinking, which only Anthropic has. `model` is the one that says to answer; None is MODEL's.
    """
    if finish is None:
        finish = CALLS_FINISH[wire] if tool_calls else NORMAL_FINISH[wire]
    model = MODEL[wire] if model is None else model
    said = Saying(text_pieces, finish, usage, reasoning, signature, redacted, tool_calls, sources, model)
    return _BUILDERS[wire](said)


def reply(
    wire: Wire,
    text_pieces: Sequence[str],
    *,
    finish: str | None = None,
    usage: bool = True,
    **more: Any,
) -> bytes:
    """The events, joined."""
    return b"".join(events(wire, text_pieces, finish=finish, usage=usage, **more))


# --- OpenAI Chat Completions (WIRE.md 2.2) ---


def _openai_chat(said: Saying) -> list[bytes]:
    part = "refusal" if said.refusal else "content"
    first: Json = {"role": "assistant", "content": None if said.refusal else "", "refusal": None}
    deltas: list[Json] = [first | {part: ""}]
    deltas += [{"reasoning_content": piece} for piece in said.reasoning]
    deltas += [{part: piece} for piece in said.text]
    for source in said.sources:
        cited = {"url": source["url"], "title": source.get("title", ""), "start_index": 0, "end_index": 1}
        deltas.append({"annotations": [{"type": "url_citation", "url_citation": cited}]})
    for index, call in enumerate(said.tool_calls):
        function = {"name": call["name"], "arguments": ""}
        id = call.get("id", f"call_scripted{index + 1:04}")
        deltas.append({"tool_calls": [{"index": index, "id": id, "type": "function", "function": function}]})
        for piece in _halves(said.arguments(call)):
            deltas.append({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    choices = [_chat_choice(delta) for delta in deltas]
    choices.append(_chat_choice({}, NORMAL_FINISH["openai_chat"] if said.refusal else said.finish))
    chunks = [_chat_chunk(said, [choice]) for choice in choices]
    if said.usage:
        chunks.append(_chat_chunk(said, []) | {"usage": _chat_usage()})
    return [*(data_event(chunk) for chunk in chunks), b"data: [DONE]\n\n"]


def _chat_chunk(said: Saying, choices: list[Json]) -> Json:
    chunk: Json = {
        "id": RESPONSE_ID["openai_chat"],
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": said.model,
        "service_tier": "default",
        "system_fingerprint": None,
        "choices": choices,
    }
    if said.usage:
        chunk["usage"] = None
    return chunk | {"obfuscation": "k3Yw9QzT"}


def _chat_choice(delta: Json, finish_reason: str | None = None) -> Json:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}


def _chat_usage() -> Json:
    return {
        "prompt_tokens": INPUT_TOKENS,
        "completion_tokens": OUTPUT_TOKENS,
        "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


# --- OpenAI Responses (WIRE.md 3.2) ---


def _openai_responses(said: Saying) -> list[bytes]:
    status = "completed" if said.refusal else said.finish
    if status not in ("completed", "failed"):
        status = "incomplete"
    payloads: list[Json] = [
        {"type": "response.created", "response": _response(said, "in_progress")},
        {"type": "response.in_progress", "response": _response(said, "in_progress")},
    ]
    output: list[Json] = []
    if said.reasoning or said.signature:
        payloads += _responses_reasoning(said, output)
    if said.text or not said.tool_calls:
        payloads += _responses_message(said, status, output)
    for number, call in enumerate(said.tool_calls, start=1):
        payloads += _responses_call(number, call, said.arguments(call), output)
    last = _response(said, status)
    if status == "failed":
        last["error"] = {"code": "server_error", "message": "The server had an error."}
    else:
        last["output"] = output
        if said.usage:
            last["usage"] = _responses_usage()
        if status == "incomplete":
            last["incomplete_details"] = {"reason": said.finish}
    payloads.append({"type": f"response.{status}", "response": last})
    return [named_event(payload | {"sequence_number": number}) for number, payload in enumerate(payloads)]


def _responses_message(said: Saying, status: str, output: list[Json]) -> list[Json]:
    text = "".join(said.text)
    kind, key = ("refusal", "refusal") if said.refusal else ("output_text", "text")
    item_place = {"output_index": len(output)}
    text_place = {"item_id": "msg_scripted0001", **item_place, "content_index": 0}
    whole = _responses_part(kind, text)
    payloads: list[Json] = [
        {"type": "response.output_item.added", **item_place, "item": _item("in_progress", [])},
        {"type": "response.content_part.added", **text_place, "part": _responses_part(kind, "")},
    ]
    extra: Json = {} if said.refusal else {"logprobs": []}
    for piece in said.text:
        delta = {"delta": piece, **extra, "obfuscation": "k3Yw9QzT"}
        payloads.append({"type": f"response.{kind}.delta", **text_place, **delta})
    for number, source in enumerate(said.sources):
        cited = {"type": "url_citation", "url": source["url"], "title": source.get("title", "")}
        added = {"annotation_index": number, "annotation": cited | {"start_index": 0, "end_index": 1}}
        payloads.append({"type": "response.output_text.annotation.added", **text_place, **added})
    if status != "failed":
        item = _item(status, [whole])
        output.append(item)
        payloads += [
            {"type": f"response.{kind}.done", **text_place, key: text, **extra},
            {"type": "response.content_part.done", **text_place, "part": whole},
            {"type": "response.output_item.done", **item_place, "item": item},
        ]
    return payloads


def _responses_reasoning(said: Saying, output: list[Json]) -> list[Json]:
    place = {"output_index": len(output)}
    summary_place = {"item_id": "rs_scripted0001", **place, "summary_index": 0}
    item: Json = {"id": "rs_scripted0001", "type": "reasoning", "summary": []}
    payloads: list[Json] = [{"type": "response.output_item.added", **place, "item": item}]
    text = "".join(said.reasoning)
    if text:
        part = {"type": "summary_text", "text": text}
        started = {"type": "summary_text", "text": ""}
        payloads.append({"type": "response.reasoning_summary_part.added", **summary_place, "part": started})
        for piece in said.reasoning:
            payloads.append({"type": "response.reasoning_summary_text.delta", **summary_place, "delta": piece})
        payloads.append({"type": "response.reasoning_summary_text.done", **summary_place, "text": text})
        payloads.append({"type": "response.reasoning_summary_part.done", **summary_place, "part": part})
        item = item | {"summary": [part]}
    if said.signature:
        item = item | {"encrypted_content": said.signature}
    output.append(item)
    return [*payloads, {"type": "response.output_item.done", **place, "item": item}]


def _responses_call(number: int, call: ScriptedCall, arguments: str, output: list[Json]) -> list[Json]:
    id = f"fc_scripted{number:04}"
    place = {"output_index": len(output)}
    piece_place = {"item_id": id, **place}
    item: Json = {
        "id": id,
        "type": "function_call",
        "status": "in_progress",
        "call_id": call.get("id", f"call_scripted{number:04}"),
        "name": call["name"],
        "arguments": "",
    }
    whole = item | {"arguments": arguments, "status": "completed"}
    output.append(whole)
    pieces = [{"type": "response.function_call_arguments.delta", "delta": piece} for piece in _halves(arguments)]
    return [
        {"type": "response.output_item.added", **place, "item": item},
        *(piece | piece_place for piece in pieces),
        {"type": "response.function_call_arguments.done", **piece_place, "arguments": arguments},
        {"type": "response.output_item.done", **place, "item": whole},
    ]


def _response(said: Saying, status: str) -> Json:
    return {
        "id": RESPONSE_ID["openai_responses"],
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "model": said.model,
        "output": [],
        "store": False,
        "usage": None,
        "metadata": {},
    }


def _item(status: str, content: list[Json]) -> Json:
    return {
        "id": "msg_scripted0001",
        "type": "message",
        "status": status,
        "role": "assistant",
        "phase": "final_answer",
        "content": content,
    }


def _responses_part(kind: str, text: str) -> Json:
    if kind == "refusal":
        return {"type": "refusal", "refusal": text}
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def _responses_usage() -> Json:
    return {
        "input_tokens": INPUT_TOKENS,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": OUTPUT_TOKENS,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
    }


# --- Anthropic Messages (WIRE.md 4.5) ---


def _anthropic(said: Saying) -> list[bytes]:
    message: Json = {
        "id": RESPONSE_ID["anthropic"],
        "type": "message",
        "role": "assistant",
        "model": said.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
    }
    refusal = {"type": "refusal", "category": None, "explanation": "This request was declined."}
    stop: Json = {
        "stop_reason": said.finish,
        "stop_sequence": "END" if said.finish == "stop_sequence" else None,
        "stop_details": refusal if said.refusal else None,
    }
    end: Json = {"type": "message_delta", "delta": stop}
    if said.usage:
        message["usage"] = _anthropic_usage(1) | {"service_tier": "standard"}
        end["usage"] = _anthropic_usage(OUTPUT_TOKENS)
    payloads: list[Json] = [{"type": "message_start", "message": message}]
    for index, (block, deltas) in enumerate(_anthropic_blocks(said)):
        payloads.append({"type": "content_block_start", "index": index, "content_block": block})
        if index == 0:
            payloads.append({"type": "ping"})
        payloads += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        payloads.append({"type": "content_block_stop", "index": index})
    return [named_event(payload) for payload in [*payloads, end, {"type": "message_stop"}]]


def _anthropic_blocks(said: Saying) -> list[tuple[Json, list[Json]]]:
    """Each block as it starts, and its deltas."""
    blocks: list[tuple[Json, list[Json]]] = []
    if said.redacted:
        blocks.append(({"type": "redacted_thinking", "data": said.redacted}, []))
    if said.reasoning or said.signature:
        deltas: list[Json] = [{"type": "thinking_delta", "thinking": piece} for piece in said.reasoning]
        if said.signature:
            deltas.append({"type": "signature_delta", "signature": said.signature})
        blocks.append(({"type": "thinking", "thinking": "", "signature": ""}, deltas))
    if said.text or not said.tool_calls:
        deltas = [{"type": "text_delta", "text": text} for text in said.text]
        for source in said.sources:
            cited = {"type": "web_search_result_location", "cited_text": "", "encrypted_index": "Eo8B"}
            deltas.append({"type": "citations_delta", "citation": cited | {"title": None} | source})
        blocks.append(({"type": "text", "text": ""}, deltas))
    for number, call in enumerate(said.tool_calls, start=1):
        id = call.get("id", f"toolu_scripted{number:04}")
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in _halves(said.arguments(call))]
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


def _gemini(said: Saying) -> list[bytes]:
    last: Json = {"finishReason": said.finish, "index": 0}
    signed = {"thoughtSignature": said.signature} if said.signature else {}
    if said.finish in ("STOP", "MAX_TOKENS", "CONTINUATION"):
        last = {"content": _gemini_text("", **({} if said.tool_calls else signed))} | last
    if said.finish == "CONTINUATION":
        last["continuationToken"] = CONTINUATION_TOKEN
    if said.finish == "SAFETY":
        rating = {"category": "HARM_CATEGORY_HARASSMENT", "probability": "HIGH", "blocked": True}
        last["safetyRatings"] = [rating]
    if said.sources:
        chunks = [{"web": {"uri": source["url"], "title": source.get("title", "")}} for source in said.sources]
        last["groundingMetadata"] = {"groundingChunks": chunks}
    contents = [_gemini_text(piece, thought=True) for piece in said.reasoning]
    contents += [_gemini_text(text) for text in said.text]
    for number, call in enumerate(said.tool_calls):
        given = {"id": call["id"]} if "id" in call else {}
        function = given | {"name": call["name"], "args": json.loads(said.arguments(call))}
        part = {"functionCall": function} | ({} if number else signed)
        contents.append({"parts": [part], "role": "model"})
    candidates = [*({"content": content, "index": 0} for content in contents), last]
    found = []
    for number, candidate in enumerate(candidates, start=1):
        chunk: Json = {"candidates": [candidate]}
        if said.usage:  # a running total
            chunk["usageMetadata"] = _gemini_usage(OUTPUT_TOKENS * number // len(candidates))
        chunk |= {"modelVersion": said.model, "responseId": RESPONSE_ID["gemini"]}
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


_BUILDERS: dict[Wire, Callable[[Saying], list[bytes]]] = {
    "openai_chat": _openai_chat,
    "openai_responses": _openai_responses,
    "anthropic": _anthropic,
    "gemini": _gemini,
}


# --- pieces, and one event as bytes ---


def _halves(text: str) -> tuple[str, str]:
    return text[: len(text) // 2], text[len(text) // 2 :]


def compact(payload: Json) -> bytes:
    """JSON without spaces."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def data_event(payload: Json) -> bytes:
    """An event without a name."""
    return b"data: %b\n\n" % compact(payload)


def named_event(payload: Json) -> bytes:
    """An event named by the type in it."""
    return b"event: %b\n%b" % (payload["type"].encode(), data_event(payload))


def gemini_event(payload: Json) -> bytes:
    """An event as Gemini writes it."""
    return b"data: %b\r\n\r\n" % json.dumps(payload, ensure_ascii=False).encode()
