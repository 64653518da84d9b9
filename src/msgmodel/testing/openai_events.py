"""Correct replies on OpenAI's two wires, Chat Completions and Responses. Pure."""

from __future__ import annotations

from .reply_content import (
    CREATED,
    INPUT_TOKENS,
    NORMAL_FINISH,
    OUTPUT_TOKENS,
    RESPONSE_ID,
    Json,
    ReplyContent,
    ScriptedCall,
    data_event,
    named_event,
    split_in_halves,
)

# --- OpenAI Chat Completions (WIRE.md 2.2) ---


def chat_events(scripted: ReplyContent) -> list[bytes]:
    part = "refusal" if scripted.refusal else "content"
    first: Json = {"role": "assistant", "content": None if scripted.refusal else "", "refusal": None}
    deltas: list[Json] = [first | {part: ""}]
    deltas += [{"reasoning_content": piece} for piece in scripted.reasoning]
    deltas += [{part: piece} for piece in scripted.text]
    for source in scripted.sources:
        cited = {"url": source["url"], "title": source.get("title", ""), "start_index": 0, "end_index": 1}
        deltas.append({"annotations": [{"type": "url_citation", "url_citation": cited}]})
    for index, call in enumerate(scripted.tool_calls):
        function = {"name": call["name"], "arguments": ""}
        id = call.get("id", f"call_scripted{index + 1:04}")
        deltas.append({"tool_calls": [{"index": index, "id": id, "type": "function", "function": function}]})
        for piece in split_in_halves(scripted.arguments(call)):
            deltas.append({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    choices = [_chat_choice(delta) for delta in deltas]
    choices.append(_chat_choice({}, NORMAL_FINISH["openai_chat"] if scripted.refusal else scripted.finish))
    chunks = [_chat_chunk(scripted, [choice]) for choice in choices]
    if scripted.usage:
        chunks.append(_chat_chunk(scripted, []) | {"usage": _chat_usage()})
    return [*(data_event(chunk) for chunk in chunks), b"data: [DONE]\n\n"]


def _chat_chunk(scripted: ReplyContent, choices: list[Json]) -> Json:
    chunk: Json = {
        "id": RESPONSE_ID["openai_chat"],
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": scripted.model,
        "service_tier": "default",
        "system_fingerprint": None,
        "choices": choices,
    }
    if scripted.usage:
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


def responses_events(scripted: ReplyContent) -> list[bytes]:
    status = "completed" if scripted.refusal else scripted.finish
    if status not in ("completed", "failed"):
        status = "incomplete"
    payloads: list[Json] = [
        {"type": "response.created", "response": _responses_object(scripted, "in_progress")},
        {"type": "response.in_progress", "response": _responses_object(scripted, "in_progress")},
    ]
    output: list[Json] = []
    if scripted.reasoning or scripted.signature:
        payloads += _responses_reasoning(scripted, output)
    if scripted.text or not scripted.tool_calls:
        payloads += _responses_message(scripted, status, output)
    for number, call in enumerate(scripted.tool_calls, start=1):
        payloads += _responses_call(number, call, scripted.arguments(call), output)
    last = _responses_object(scripted, status)
    if status == "failed":
        last["error"] = {"code": "server_error", "message": "The server had an error."}
    else:
        last["output"] = output
        if scripted.usage:
            last["usage"] = _responses_usage()
        if status == "incomplete":
            last["incomplete_details"] = {"reason": scripted.finish}
    payloads.append({"type": f"response.{status}", "response": last})
    return [named_event(payload | {"sequence_number": number}) for number, payload in enumerate(payloads)]


def _responses_message(scripted: ReplyContent, status: str, output: list[Json]) -> list[Json]:
    text = "".join(scripted.text)
    kind, key = ("refusal", "refusal") if scripted.refusal else ("output_text", "text")
    item_place = {"output_index": len(output)}
    text_place = {"item_id": "msg_scripted0001", **item_place, "content_index": 0}
    done = _responses_part(kind, text)
    payloads: list[Json] = [
        {"type": "response.output_item.added", **item_place, "item": _responses_item("in_progress", [])},
        {"type": "response.content_part.added", **text_place, "part": _responses_part(kind, "")},
    ]
    extra: Json = {} if scripted.refusal else {"logprobs": []}
    for piece in scripted.text:
        delta = {"delta": piece, **extra, "obfuscation": "k3Yw9QzT"}
        payloads.append({"type": f"response.{kind}.delta", **text_place, **delta})
    for number, source in enumerate(scripted.sources):
        cited = {"type": "url_citation", "url": source["url"], "title": source.get("title", "")}
        added = {"annotation_index": number, "annotation": cited | {"start_index": 0, "end_index": 1}}
        payloads.append({"type": "response.output_text.annotation.added", **text_place, **added})
    if status != "failed":
        item = _responses_item(status, [done])
        output.append(item)
        payloads += [
            {"type": f"response.{kind}.done", **text_place, key: text, **extra},
            {"type": "response.content_part.done", **text_place, "part": done},
            {"type": "response.output_item.done", **item_place, "item": item},
        ]
    return payloads


def _responses_reasoning(scripted: ReplyContent, output: list[Json]) -> list[Json]:
    place = {"output_index": len(output)}
    summary_place = {"item_id": "rs_scripted0001", **place, "summary_index": 0}
    item: Json = {"id": "rs_scripted0001", "type": "reasoning", "summary": []}
    payloads: list[Json] = [{"type": "response.output_item.added", **place, "item": item}]
    text = "".join(scripted.reasoning)
    if text:
        part = {"type": "summary_text", "text": text}
        started = {"type": "summary_text", "text": ""}
        payloads.append({"type": "response.reasoning_summary_part.added", **summary_place, "part": started})
        for piece in scripted.reasoning:
            payloads.append({"type": "response.reasoning_summary_text.delta", **summary_place, "delta": piece})
        payloads.append({"type": "response.reasoning_summary_text.done", **summary_place, "text": text})
        payloads.append({"type": "response.reasoning_summary_part.done", **summary_place, "part": part})
        item = item | {"summary": [part]}
    if scripted.signature:
        item = item | {"encrypted_content": scripted.signature}
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
    done = item | {"arguments": arguments, "status": "completed"}
    output.append(done)
    pieces = [
        {"type": "response.function_call_arguments.delta", "delta": piece} for piece in split_in_halves(arguments)
    ]
    return [
        {"type": "response.output_item.added", **place, "item": item},
        *(piece | piece_place for piece in pieces),
        {"type": "response.function_call_arguments.done", **piece_place, "arguments": arguments},
        {"type": "response.output_item.done", **place, "item": done},
    ]


def _responses_object(scripted: ReplyContent, status: str) -> Json:
    return {
        "id": RESPONSE_ID["openai_responses"],
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "model": scripted.model,
        "output": [],
        "store": False,
        "usage": None,
        "metadata": {},
    }


def _responses_item(status: str, content: list[Json]) -> Json:
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
