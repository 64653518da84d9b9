"""The ways in which the bytes of a correct reply may differ and mean the same. Pure.

A transformation takes a whole reply to another one. They compose; `bom` comes last.
"""

import json
from collections.abc import Callable
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]
Transformation: TypeAlias = Callable[[bytes], bytes]


def _compact(payload: Json) -> bytes:
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


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
    """An event of an unknown type, after the first one."""
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
