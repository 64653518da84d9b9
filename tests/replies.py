"""Correct replies of the four wires as bytes, and the ways in which correct bytes may differ.

Pure: no I/O, no clock; the same arguments give the same bytes. Ids, model names and token counts
are the constants below. A whole reply is `b"".join(events(...))`; a transformation takes a whole
reply to another one with the same meaning. Transformations compose; `bom` comes last.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias, get_args

Wire: TypeAlias = Literal["openai_chat", "openai_responses", "anthropic", "gemini"]
Json: TypeAlias = dict[str, Any]
Transformation: TypeAlias = Callable[[bytes], bytes]

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
REQUEST_ID = "req_scripted0001"
CREATED = 1795000000
INPUT_TOKENS = 12
OUTPUT_TOKENS = 34
CONTINUATION_TOKEN = "Y29udGludWU="


def events(
    wire: Wire,
    text_pieces: Sequence[str],
    *,
    finish: str | None = None,
    usage: bool = True,
) -> list[bytes]:
    """The events of a whole reply, one item each, with the blank line.

    `finish` is the wire's own word; None is its normal one. For openai_responses: "completed",
    "failed", or a reason of an incomplete response. "refusal" is what each wire makes of it: the
    pieces become refusal text on the OpenAI wires, a stop reason on Anthropic's.
    """
    build = _BUILDERS[wire]
    return build(text_pieces, finish or NORMAL_FINISH[wire], usage)


def reply(
    wire: Wire,
    text_pieces: Sequence[str],
    *,
    finish: str | None = None,
    usage: bool = True,
) -> bytes:
    """The events, joined."""
    return b"".join(events(wire, text_pieces, finish=finish, usage=usage))


# --- OpenAI Chat Completions (WIRE.md 2.2) ---


def _openai_chat(text_pieces: Sequence[str], finish: str, usage: bool) -> list[bytes]:
    refusal = finish == "refusal"
    part = "refusal" if refusal else "content"
    first: Json = {"role": "assistant", "content": None if refusal else "", "refusal": None}
    choices = [
        _chat_choice(first | {part: ""}),
        *(_chat_choice({part: piece}) for piece in text_pieces),
        _chat_choice({}, NORMAL_FINISH["openai_chat"] if refusal else finish),
    ]
    chunks = [_chat_chunk([choice], usage) for choice in choices]
    if usage:
        chunks.append(_chat_chunk([], usage) | {"usage": _chat_usage()})
    return [*(_data_event(chunk) for chunk in chunks), b"data: [DONE]\n\n"]


def _chat_chunk(choices: list[Json], usage: bool) -> Json:
    chunk: Json = {
        "id": RESPONSE_ID["openai_chat"],
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": MODEL["openai_chat"],
        "service_tier": "default",
        "system_fingerprint": None,
        "choices": choices,
    }
    if usage:
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


def _openai_responses(text_pieces: Sequence[str], finish: str, usage: bool) -> list[bytes]:
    refusal = finish == "refusal"
    status = "completed" if refusal else finish
    if status not in ("completed", "failed"):
        status = "incomplete"
    text = "".join(text_pieces)
    kind, key = ("refusal", "refusal") if refusal else ("output_text", "text")
    item_place = {"output_index": 0}
    text_place = {"item_id": "msg_scripted0001", "output_index": 0, "content_index": 0}
    whole = _responses_part(kind, text)
    payloads: list[Json] = [
        {"type": "response.created", "response": _response("in_progress")},
        {"type": "response.in_progress", "response": _response("in_progress")},
        {"type": "response.output_item.added", **item_place, "item": _item("in_progress", [])},
        {"type": "response.content_part.added", **text_place, "part": _responses_part(kind, "")},
    ]
    extra: Json = {} if refusal else {"logprobs": []}
    for piece in text_pieces:
        delta = {"delta": piece, **extra, "obfuscation": "k3Yw9QzT"}
        payloads.append({"type": f"response.{kind}.delta", **text_place, **delta})
    last = _response(status)
    if status == "failed":
        last["error"] = {"code": "server_error", "message": "The server had an error."}
    else:
        item = _item(status, [whole])
        payloads += [
            {"type": f"response.{kind}.done", **text_place, key: text, **extra},
            {"type": "response.content_part.done", **text_place, "part": whole},
            {"type": "response.output_item.done", **item_place, "item": item},
        ]
        last["output"] = [item]
        if usage:
            last["usage"] = _responses_usage()
        if status == "incomplete":
            last["incomplete_details"] = {"reason": finish}
    payloads.append({"type": f"response.{status}", "response": last})
    return [_named_event(payload | {"sequence_number": number}) for number, payload in enumerate(payloads)]


def _response(status: str) -> Json:
    return {
        "id": RESPONSE_ID["openai_responses"],
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "model": MODEL["openai_responses"],
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


def _anthropic(text_pieces: Sequence[str], finish: str, usage: bool) -> list[bytes]:
    message: Json = {
        "id": RESPONSE_ID["anthropic"],
        "type": "message",
        "role": "assistant",
        "model": MODEL["anthropic"],
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
    }
    refusal = {"type": "refusal", "category": None, "explanation": "This request was declined."}
    stop: Json = {
        "stop_reason": finish,
        "stop_sequence": "END" if finish == "stop_sequence" else None,
        "stop_details": refusal if finish == "refusal" else None,
    }
    end: Json = {"type": "message_delta", "delta": stop}
    if usage:
        message["usage"] = _anthropic_usage(1) | {"service_tier": "standard"}
        end["usage"] = _anthropic_usage(OUTPUT_TOKENS)
    block = {"index": 0, "content_block": {"type": "text", "text": ""}}
    deltas = [{"index": 0, "delta": {"type": "text_delta", "text": text}} for text in text_pieces]
    payloads: list[Json] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", **block},
        {"type": "ping"},
        *({"type": "content_block_delta", **delta} for delta in deltas),
        {"type": "content_block_stop", "index": 0},
        end,
        {"type": "message_stop"},
    ]
    return [_named_event(payload) for payload in payloads]


def _anthropic_usage(output_tokens: int) -> Json:
    return {
        "input_tokens": INPUT_TOKENS,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": output_tokens,
    }


# --- Gemini (WIRE.md 5.4) ---


def _gemini(text_pieces: Sequence[str], finish: str, usage: bool) -> list[bytes]:
    last: Json = {"finishReason": finish, "index": 0}
    if finish in ("STOP", "MAX_TOKENS", "CONTINUATION"):
        last = {"content": _gemini_text("")} | last
    if finish == "CONTINUATION":
        last["continuationToken"] = CONTINUATION_TOKEN
    if finish == "SAFETY":
        rating = {"category": "HARM_CATEGORY_HARASSMENT", "probability": "HIGH", "blocked": True}
        last["safetyRatings"] = [rating]
    candidates = [*({"content": _gemini_text(text), "index": 0} for text in text_pieces), last]
    found = []
    for number, candidate in enumerate(candidates, start=1):
        chunk: Json = {"candidates": [candidate]}
        if usage:  # a running total
            chunk["usageMetadata"] = _gemini_usage(OUTPUT_TOKENS * number // len(candidates))
        chunk |= {"modelVersion": MODEL["gemini"], "responseId": RESPONSE_ID["gemini"]}
        found.append(_gemini_event(chunk))
    return found


def _gemini_text(text: str) -> Json:
    return {"parts": [{"text": text}], "role": "model"}


def _gemini_usage(output_tokens: int) -> Json:
    return {
        "promptTokenCount": INPUT_TOKENS,
        "candidatesTokenCount": output_tokens,
        "totalTokenCount": INPUT_TOKENS + output_tokens,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": INPUT_TOKENS}],
    }


_BUILDERS: dict[Wire, Callable[[Sequence[str], str, bool], list[bytes]]] = {
    "openai_chat": _openai_chat,
    "openai_responses": _openai_responses,
    "anthropic": _anthropic,
    "gemini": _gemini,
}


# --- one event as bytes ---


def _compact(payload: Json) -> bytes:
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def _data_event(payload: Json) -> bytes:
    return b"data: %b\n\n" % _compact(payload)


def _named_event(payload: Json) -> bytes:
    return b"event: %b\n%b" % (payload["type"].encode(), _data_event(payload))


def _gemini_event(payload: Json) -> bytes:
    return b"data: %b\r\n\r\n" % json.dumps(payload, ensure_ascii=False).encode()


# --- transformations: other bytes, the same meaning ---


def crlf(data: bytes) -> bytes:
    """Every line ends in CRLF."""
    return _join(_split(data), b"\r\n")


def lone_cr(data: bytes) -> bytes:
    """Every line ends in CR alone."""
    return _join(_split(data), b"\r")


def comments(data: bytes) -> bytes:
    """A `: ping` of its own before each event, and one after each line within it."""
    found = []
    for lines in _split(data):
        if lines == [b""]:
            found.append(lines)
        else:
            found.append([b": ping"])
            found.append([shown for line in lines for shown in (line, b": ping")])
    return _join(found, _line_ending(data))


def no_space(data: bytes) -> bytes:
    """No space after the colon of a field."""
    return _map_lines(data, _line_without_space)


def bom(data: bytes) -> bytes:
    """A byte order mark in front."""
    return b"\xef\xbb\xbf" + data


def without_event_lines(data: bytes) -> bytes:
    """No `event:` lines, as behind some proxies. Says nothing new on wires that send none."""
    kept = [[line for line in lines if not line.startswith(b"event:")] for lines in _split(data)]
    return _join(kept, _line_ending(data))


def unknown_event(data: bytes) -> bytes:
    """An event of a type that nobody knows, after the first one."""
    first, *rest = _split(data)
    payload = {"type": "surprise.new", "surprise": {"note": "of a later version", "level": 7}}
    lines = [b"data: " + _compact(payload)]
    if any(line.startswith(b"event:") for line in first):
        lines.insert(0, b"event: surprise.new")
    return _join([first, lines, *rest], _line_ending(data))


def nulls(data: bytes) -> bytes:
    """Every optional field that the wire could have, and that is absent, present as null."""
    return _map_lines(data, _line_with_nulls)


def first_chunk_without_choices(data: bytes) -> bytes:
    """Chat only: in front, the chunk with which Azure reports on the prompt."""
    report = {"prompt_index": 0, "content_filter_results": {}}
    chunk: Json = {
        "choices": [],
        "created": 0,
        "id": "",
        "model": "",
        "object": "",
        "prompt_filter_results": [report],
    }
    return _join([[b"data: " + _compact(chunk)], *_split(data)], _line_ending(data))


TRANSFORMATIONS: dict[str, Transformation] = {
    "crlf": crlf,
    "lone_cr": lone_cr,
    "comments": comments,
    "no_space": no_space,
    "bom": bom,
    "without_event_lines": without_event_lines,
    "unknown_event": unknown_event,
    "nulls": nulls,
}
"""Those that any wire may meet; `first_chunk_without_choices` is for chat alone."""


def _line_ending(data: bytes) -> bytes:
    if b"\r\n" in data:
        return b"\r\n"
    return b"\n" if b"\n" in data else b"\r"


def _split(data: bytes) -> list[list[bytes]]:
    """The lines of each event; the last item is what follows the last blank line."""
    blocks = data.replace(_line_ending(data), b"\n").split(b"\n\n")
    return [block.split(b"\n") for block in blocks]


def _join(blocks: list[list[bytes]], ending: bytes) -> bytes:
    return b"\n\n".join(b"\n".join(lines) for lines in blocks).replace(b"\n", ending)


def _map_lines(data: bytes, change: Transformation) -> bytes:
    blocks = [[change(line) for line in lines] for lines in _split(data)]
    return _join(blocks, _line_ending(data))


def _line_without_space(line: bytes) -> bytes:
    for name in (b"data:", b"event:"):
        if line.startswith(name + b" "):
            return name + line[len(name) + 1 :]
    return line


# --- nulls ---

# The optional fields of an object, each with the optional fields of what it holds.
Shape: TypeAlias = "dict[str, Shape]"


def _fields(names: str) -> Shape:
    return {name: {} for name in names.split()}


_CHAT: Shape = _fields("service_tier system_fingerprint obfuscation moderation error") | {
    "choices": _fields("logprobs finish_reason content_filter_results")
    | {
        "delta": _fields(
            "role content refusal tool_calls function_call audio annotations"
            " reasoning reasoning_content reasoning_details"
        )
    },
    "usage": {
        "prompt_tokens_details": _fields("cached_tokens cache_write_tokens image_tokens"),
        "completion_tokens_details": _fields("reasoning_tokens text_tokens"),
    },
}
_GEMINI: Shape = _fields("promptFeedback modelVersion responseId modelStatus error") | {
    "candidates": _fields(
        "finishReason finishMessage index safetyRatings citationMetadata groundingMetadata"
        " urlContextMetadata avgLogprobs logprobsResult tokenCount continuationToken"
    )
    | {
        "content": _fields("role")
        | {
            "parts": _fields(
                "text thought thoughtSignature functionCall functionResponse inlineData fileData"
                " executableCode codeExecutionResult toolCall toolResponse"
            )
        }
    },
    "usageMetadata": _fields(
        "promptTokenCount candidatesTokenCount thoughtsTokenCount cachedContentTokenCount"
        " toolUsePromptTokenCount totalTokenCount promptTokensDetails candidatesTokensDetails"
    ),
}
_ANTHROPIC_USAGE = _fields(
    "cache_creation_input_tokens cache_read_input_tokens cache_creation output_tokens_details"
    " server_tool_use service_tier inference_geo speed"
)
_ANTHROPIC_STOP = _fields("stop_reason stop_sequence stop_details container")
_RESPONSE: Shape = _fields(
    "background error incomplete_details instructions max_output_tokens max_tool_calls"
    " previous_response_id reasoning safety_identifier service_tier store temperature text"
    " top_p truncation usage user metadata completed_at"
)
_BY_TYPE: dict[str, Shape] = {
    "message_start": {"message": _ANTHROPIC_STOP | {"usage": _ANTHROPIC_USAGE}},
    "content_block_start": {"content_block": _fields("citations")},
    "message_delta": {"delta": _ANTHROPIC_STOP, "usage": _ANTHROPIC_USAGE},
    "response.created": {"response": _RESPONSE},
    "response.in_progress": {"response": _RESPONSE},
    "response.completed": {"response": _RESPONSE},
    "response.incomplete": {"response": _RESPONSE},
    "response.failed": {"response": _RESPONSE},
    "response.output_text.delta": _fields("logprobs obfuscation"),
    "response.output_text.done": _fields("logprobs"),
    "response.content_part.added": {"part": _fields("annotations logprobs")},
    "response.content_part.done": {"part": _fields("annotations logprobs")},
    "response.output_item.added": {"item": _fields("phase status")},
    "response.output_item.done": {"item": _fields("phase status")},
}


def _line_with_nulls(line: bytes) -> bytes:
    if not line.startswith(b"data:"):
        return line
    try:
        payload = json.loads(line[5:])
    except ValueError:  # [DONE], or the tail of a cut reply
        return line
    if "choices" in payload:
        shape = _CHAT
    elif "candidates" in payload:
        shape = _GEMINI
    else:
        shape = _BY_TYPE.get(payload.get("type", ""), {})
    _add_nulls(payload, shape)
    return b"data: " + _compact(payload)


def _add_nulls(value: object, shape: Shape) -> None:
    if isinstance(value, list):
        for item in value:
            _add_nulls(item, shape)
    elif isinstance(value, dict):
        for name, inner in shape.items():
            _add_nulls(value.setdefault(name, None), inner)


# --- errors ---

_OPENAI_ERRORS: dict[int, tuple[str, str | None, str]] = {
    400: ("invalid_request_error", "unsupported_value", "Unsupported value: 'temperature'."),
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    403: ("invalid_request_error", None, "You are not allowed to sample from this model."),
    404: ("invalid_request_error", "model_not_found", "The model `nope` does not exist."),
    413: ("invalid_request_error", None, "The request body is too large."),
    429: ("tokens", "rate_limit_exceeded", "Rate limit reached. Please try again in 2s."),
    500: ("server_error", None, "The server had an error while processing your request."),
    502: ("server_error", None, "Bad gateway."),
    503: ("service_unavailable_error", "server_is_overloaded", "The server is overloaded."),
}
_ANTHROPIC_ERRORS: dict[int, tuple[str, str]] = {
    400: ("invalid_request_error", "messages: at least one message is required"),
    401: ("authentication_error", "invalid x-api-key"),
    403: ("permission_error", "Your API key does not have permission to use this model."),
    404: ("not_found_error", "model: nope"),
    413: ("request_too_large", "Request exceeds the maximum size"),
    429: ("rate_limit_error", "This request would exceed the rate limit of your organization."),
    500: ("api_error", "Internal server error"),
    502: ("api_error", "Bad gateway"),
    503: ("api_error", "Service unavailable"),
    529: ("overloaded_error", "Overloaded"),
}
_GEMINI_ERRORS: dict[int, tuple[str, str]] = {
    400: ("INVALID_ARGUMENT", "Request contains an invalid argument."),
    401: ("UNAUTHENTICATED", "Request had invalid authentication credentials."),
    403: ("PERMISSION_DENIED", "The caller does not have permission."),
    404: ("NOT_FOUND", "models/nope is not found for API version v1."),
    429: ("RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."),
    500: ("INTERNAL", "An internal error has occurred."),
    503: ("UNAVAILABLE", "The model is overloaded. Please try again later."),
}
ERROR_STATUSES: dict[Wire, tuple[int, ...]] = {
    "openai_chat": tuple(_OPENAI_ERRORS),
    "openai_responses": tuple(_OPENAI_ERRORS),
    "anthropic": tuple(_ANTHROPIC_ERRORS),
    "gemini": tuple(_GEMINI_ERRORS),
}
RETRY_AFTER_SECONDS = 2


def error_body(wire: Wire, status: int) -> tuple[dict[str, str], Json]:
    """The headers and the body of an error answer; KeyError where the wire has no such status."""
    if wire == "gemini":
        return {}, {"error": _gemini_error(status)}
    waits = {"retry-after": str(RETRY_AFTER_SECONDS)} if status == 429 else {}
    if wire == "anthropic":
        kind, message = _ANTHROPIC_ERRORS[status]
        error = {"type": kind, "message": message}
        body: Json = {"type": "error", "error": error, "request_id": REQUEST_ID}
        return {"request-id": REQUEST_ID, **waits}, body
    return {"x-request-id": REQUEST_ID, **waits}, {"error": _openai_error(status)}


def error_event(wire: Wire) -> bytes:
    """The event with which the provider breaks off a reply that has begun with status 200."""
    if wire == "openai_chat":
        return _data_event({"error": _openai_error(500)})
    if wire == "openai_responses":
        error = {"code": "server_error", "message": _OPENAI_ERRORS[500][2], "param": None}
        return _named_event({"type": "error", **error, "sequence_number": 7})
    if wire == "anthropic":
        kind, message = _ANTHROPIC_ERRORS[529]
        return _named_event({"type": "error", "error": {"type": kind, "message": message}})
    return _gemini_event({"error": _gemini_error(503)})


def _openai_error(status: int) -> Json:
    kind, code, message = _OPENAI_ERRORS[status]
    param = "temperature" if code == "unsupported_value" else None
    return {"message": message, "type": kind, "param": param, "code": code}


def _gemini_error(status: int) -> Json:
    name, message = _GEMINI_ERRORS[status]
    error: Json = {"code": status, "message": message, "status": name}
    if status == 429:
        retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo"}
        error["details"] = [retry | {"retryDelay": f"{RETRY_AFTER_SECONDS}s"}]
    return error
