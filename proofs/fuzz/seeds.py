"""The first inputs: correct replies of every wire in their many forms, and requests as real clients write them."""

# ruff: noqa: E501 (bodies, in the shape of their protocols)

from __future__ import annotations

import gzip
import json
from typing import Any

from msgmodel.testing.errors import error_event
from msgmodel.testing.wires import REFUSED_FINISH, TRUNCATED_FINISH, WIRES, Wire, data_event, events, reply

_CALLS: Any = [{"name": "weather", "arguments": {"town": "Köln", "days": [1, 2]}}, {"name": "clock", "arguments": {}}]
_SOURCES: Any = [{"url": "https://example.com/a", "title": "A"}]

_CHAT = [
    {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hi"}}]},
    {"choices": [{"delta": {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "x"}]}]}}]},
    {"choices": [{"delta": {"reasoning": "r", "reasoning_details": [
        {"type": "reasoning.text", "text": "r", "signature": "s", "index": 0}]}}]},
    {"choices": [{"delta": {"tool_calls": [{"id": "a", "function": {"name": "f", "arguments": '{"a":'}}]}}]},
    {"choices": [{"delta": {"tool_calls": [{"function": {"arguments": "1}"}}, {"id": "b", "function": {"name": "g"}}]}}]},
    {"choices": [{"index": 1, "delta": {"content": "other"}, "finish_reason": "stop"}]},
    {"choices": [{"finish_reason": "tool_calls", "native_finish_reason": "length", "message": {"content": "x"}}]},
    {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 5,
     "completion_tokens_details": {"reasoning_tokens": 2}}, "citations": ["https://example.com"],
     "search_results": [{"url": "https://example.com", "title": "t"}]},
]  # fmt: skip
_GEMINI = [
    {"candidates": [{"content": {"parts": [{"text": "Hi"}, {"text": "t", "thought": True, "thoughtSignature": "s"}]}}],
     "modelVersion": "m", "responseId": "r"},
    {"candidates": [{"content": {"parts": [{"functionCall": {"name": "f", "willContinue": True}}]}}]},
    {"candidates": [{"content": {"parts": [{"functionCall": {"willContinue": True, "partialArgs": [
        {"jsonPath": "$.a.b[0]", "stringValue": "x", "willContinue": True}, {"jsonPath": "$.n", "numberValue": 1}]}}]}}]},
    {"candidates": [{"content": {"parts": [{"functionCall": {"partialArgs": [{"jsonPath": "$.z", "nullValue": None}]}}]}}]},
    {"candidates": [{"finishReason": "STOP", "continuationToken": "Y29u", "groundingMetadata": {"groundingChunks": [
        {"web": {"uri": "https://example.com", "title": "t"}}]}, "citationMetadata": {"citationSources": [{"uri": "u"}]}}],
     "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 2, "thoughtsTokenCount": 3}},
    {"promptFeedback": {"blockReason": "SAFETY"}},
]  # fmt: skip
_ANTHROPIC = [
    {"type": "message_start", "message": {"id": "i", "model": "m", "usage": {"input_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "t"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "s"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "server_tool_use", "id": "x", "input": {}}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"q": 1}'}},
    {"type": "content_block_stop", "index": 1},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "compaction_delta", "content": "c"}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "citations_delta", "citation": {"url": "u"}}},
    {"type": "message_delta", "delta": {"stop_reason": "refusal", "stop_details": {"explanation": "e"}}},
    {"type": "message_delta", "delta": {"stop_reason": "pause_turn"}, "usage": {"output_tokens": 2}},
    {"type": "message_stop"},
]
_RESPONSES = [
    {"type": "response.created", "response": {"id": "r", "model": "m"}},
    {"type": "response.output_item.added", "output_index": 0, "item": {"type": "custom_tool_call", "call_id": "c", "name": "f"}},
    {"type": "response.custom_tool_call_input.delta", "output_index": 0, "delta": "x"},
    {"type": "response.output_item.done", "output_index": 0, "item": {"type": "custom_tool_call", "input": "xy"}},
    {"type": "response.output_item.done", "output_index": 1, "item": {"type": "reasoning", "encrypted_content": "e"}},
    {"type": "response.output_text.delta", "item_id": "m", "content_index": 0, "delta": "Hi"},
    {"type": "response.output_text.done", "item_id": "m", "content_index": 0, "text": "Hi you"},
    {"type": "response.output_text.annotation.added", "annotation": {"url": "u", "title": "t"}},
    {"type": "response.output_item.done", "item_id": "m", "item": {"type": "message", "phase": "final", "content": [
        {"type": "output_text", "text": "Hi you", "annotations": [{"url": "u"}]}]}},
    {"type": "response.incomplete", "response": {"incomplete_details": {"reason": "max_output_tokens"}, "output": [
        {"type": "message", "content": [{"text": "Hi", "refusal": "no"}]}], "usage": {"input_tokens": 1}}},
]  # fmt: skip
_MIXED: dict[Wire, list[dict[str, Any]]] = {
    "openai_chat": _CHAT,
    "openai_responses": _RESPONSES,
    "anthropic": _ANTHROPIC,
    "gemini": _GEMINI,
}


def _wire(wire: Wire) -> list[bytes]:
    found = [
        reply(wire, ["Hello", " wörld \N{ROBOT FACE}"]),
        reply(wire, ["Hello"], finish=TRUNCATED_FINISH[wire]),
        reply(wire, ["No."], finish=REFUSED_FINISH[wire]),
        reply(wire, ["Look."], reasoning=["Well", "..."], signature="c2ln", tool_calls=_CALLS, sources=_SOURCES),
        b"".join([*events(wire, ["Hello"])[:3], error_event(wire)]),
        b"".join(map(data_event, _MIXED[wire])),
        json.dumps({"error": {"message": "Bad key, see https://u:p@example.com/?q=1", "code": "slow_down"}}).encode(),
    ]
    if wire in ("anthropic", "gemini"):
        found.append(reply(wire, ["Hello"], finish="pause_turn" if wire == "anthropic" else "CONTINUATION"))
    return [bytes([seed]) + body for seed in (1, 24, 200) for body in found] + [bytes([7]) + found[6]]


_QUESTION: dict[str, Any] = {
    "prompt": "Hello",
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
    "panels": [{"provider": "openai", "panel_id": "a"}, {"provider": "gemini", "model": "m", "temperature": 0.5}],
    "options": {"max_tokens": 9, "reasoning": "low", "tool_choice": "f", "fallbacks": ["anthropic", ["openai", "m"]],
                "tools": [{"name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}}],
                "timeout": 5, "continue_truncated": 1, "deadline": 60},
    "files": [{"name": "a.txt", "data": "aGVsbG8="}],
}  # fmt: skip
_CONVERSATION: list[dict[str, Any]] = [
    {"role": "developer", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "Look"}, {"type": "file", "name": "a.png",
     "data": "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="}]},
    {"role": "assistant", "content": [{"type": "reasoning", "text": "r", "opaque": {"provider": "openai",
     "wire": "openai_chat", "host": "127.0.0.1", "data": {"reasoning_details": [{"type": "x"}]}}},
     {"type": "tool_call", "id": "c", "name": "f", "arguments": {"a": 1}}, {"type": "refusal", "text": "no"}]},
    {"role": "tool", "tool_call_id": "c", "content": {"found": [1]}, "is_error": True},
    {"role": "assistant", "content": [{"type": "text", "text": "So"}, {"type": "opaque", "opaque": {
     "provider": "anthropic", "wire": "anthropic", "host": "127.0.0.1", "data": {"type": "x"}}}], "partial": True},
    {"role": "user", "content": "Go on"},
]  # fmt: skip
_TOOLS = [{"name": "f", "description": "d", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}},
          {"type": "function", "function": {"name": "g", "parameters": {"type": "object"}, "strict": True}}]  # fmt: skip
_AI_SDK: dict[str, Any] = {
    "id": "chat", "trigger": "submit-message", "messages": [
        {"id": "1", "role": "system", "parts": [{"type": "text", "text": "Be brief."}]},
        {"id": "2", "role": "user", "parts": [{"type": "text", "text": "Hi"}, {"type": "file", "mediaType": "text/plain",
         "filename": "a.txt", "url": "data:text/plain;base64,aGk="}]},
        {"id": "3", "role": "assistant", "parts": [{"type": "step-start"}, {"type": "reasoning", "text": "r"},
         {"type": "tool-f", "toolCallId": "c", "state": "output-available", "input": {"a": 1}, "output": "1"},
         {"type": "dynamic-tool", "toolName": "g", "toolCallId": "d", "state": "output-error", "input": {}, "errorText": "e"},
         {"type": "text", "text": "So"}, {"type": "data-turn", "data": {"message": {"role": "assistant", "content": "So"}}}]},
        {"id": "4", "role": "user", "parts": [{"type": "text", "text": "And?"}]}],
    "provider": "openai", "panels": [{"provider": "openai", "panel_id": "p"}], "options": {"max_tokens": 5},
}  # fmt: skip
_AG_UI: dict[str, Any] = {
    "threadId": "t", "runId": "r", "state": {}, "context": [{"description": "d", "value": "v"}], "forwardedProps": {
        "provider": "gemini", "panels": [{"provider": "openai", "panel_id": "p"}]}, "messages": [
        {"id": "1", "role": "developer", "content": "Be brief."},
        {"id": "2", "role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "image", "source": {
            "type": "data", "value": "aGk=", "mimeType": "image/png"}}]},
        {"id": "3", "role": "assistant", "content": "So", "subagentRunId": "p", "toolCalls": [
            {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"id": "4", "role": "tool", "toolCallId": "c", "content": "1", "error": "e"},
        {"id": "5", "role": "reasoning", "content": "r"},
        {"id": "6", "role": "user", "content": "And?"}],
    "tools": [{"name": "f", "description": "d", "parameters": {"type": "object"}}],
}  # fmt: skip
_OPENAI: dict[str, Any] = {
    "model": "openai/gpt-6-luna", "stream": True, "stream_options": {"include_usage": True}, "n": 1, "temperature": 0.2,
    "max_completion_tokens": 9, "reasoning_effort": "low", "stop": ["x"], "top_p": 0.9, "seed": 3, "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": {
            "url": "data:image/png;base64,aGk="}}, {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk="}}]},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "1"}]},
        {"role": "assistant", "content": "So", "refusal": "no"}, {"role": "user", "content": "And?"}],
    "tools": _TOOLS[1:], "tool_choice": {"type": "function", "function": {"name": "g"}},
}  # fmt: skip


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _posted(path: str, body: Any, *headers: str) -> bytes:
    return "\n".join([f"POST {path}", *headers, "", ""]).encode() + _json(body)


_SERVER = [
    _json(_QUESTION),
    _posted("/v1/panels", _QUESTION, "idempotency-key: k1", "origin: http://127.0.0.1:8000"),
    _posted("/v1/panels", {"messages": _CONVERSATION}, "authorization: Bearer x", "sec-fetch-site: same-origin"),
    _posted("/adapters/ai-sdk/chat?target=v6", _AI_SDK),
    _posted("/adapters/ag-ui", _AG_UI),
    _posted("/v1/chat/completions", _OPENAI),
    _posted("/v1/chat/completions", _OPENAI | {"model": "anthropic", "stream": False}, "content-length: 99"),
    b"GET /chat/stream?prompt=Hi&provider=openai&model=m\nlast-event-id: AbCdEfGhIjKlMnOpQrStUvWx:1\n\n",
    b"POST /chat/stream?prompt=Hi\nhost: localhost\n\n",
    b"GET /v1/streams/AbCdEfGhIjKlMnOpQrStUvWx?last_event_id=2\n\n",
    b"DELETE /v1/streams/x?panel_id=a\n\n",
    b"GET /adapters/ai-sdk/chat/c1/stream\n\n",
    b"GET /v1/providers\nhost: [::1]:8000\n\n",
    b"GET /assets/%2e%2e/%2e%2e/app.py\n\n",
    b"HEAD /openapi.json\norigin: null\n\n",
]

_CHUNKED = b"transfer-encoding: chunked\r\n\r\n"
_CHUNKS = (
    b"3\r\nabc\r\n0\r\n\r\n",
    b"1;x=1\r\na\r\n00A\r\n0123456789\r\n0\r\ntrailer: x\r\n\r\nmore",
    b"4\na\r\nb\n2\r\nabc\r\n",
    b"fffffffff\r\n" + b"x" * 200,
    b"".join(b"%x\r\na\r\n%b\r\n" % (3 + len(text), text) for text in b"some chunks that are alike , \r".split(b" ")),
)

SEEDS: dict[str, list[bytes]] = {
    "sse": [
        bytes([seed]) + body
        for seed in (1, 99)
        for body in (
            b"\xef\xbb\xbf: hi\ndata: a\n\n",
            b"data:a\r\ndata\rdata:  b\n\r\nevent: x\nid: 1\nretry: 2\n\ndata: c",
            b'{"error": "x"}\n\n<html>\ndata:' + b"x" * 320 + b"\n\n",
            "data: \u2028 \u0085\n\n".encode(),
        )
    ],
    "body": [
        bytes([seed]) + b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n" + rest
        for seed in (1, 99)
        for rest in (
            *(_CHUNKED + chunks for chunks in _CHUNKS),
            b"content-length: 5\r\n\r\nabcdefgh",
            b"content-length: 50\r\n\r\nabc",
            b"connection: close\r\n\r\nabc",
            b"content-encoding: gzip\r\nconnection: close\r\n\r\n" + gzip.compress(b"abc" * 40, mtime=0),
            b"content-encoding: br\r\n" + _CHUNKED + _CHUNKS[0],
            b"content-length: 3\n\nabcHTTP/1.1 200 OK\r\n\r\n",
            b"content-length: 3\r\n" + _CHUNKED + _CHUNKS[0],
        )
    ],
    **{wire: _wire(wire) for wire in WIRES},
    "server": _SERVER,
    "requests": [_json(_AI_SDK), _json(_AG_UI), _json(_OPENAI)],
    "messages": [
        _json(_CONVERSATION),
        _json(
            {"messages": _CONVERSATION[:4], "tools": _TOOLS[1:], "tool_choice": "f", "max_tokens": 5, "temperature": 1}
        ),
        _json({"messages": [], "system_instruction": "Be brief.", "reasoning": "low", "prompt": "Hi"}),
    ],
}
"""Of every target."""
