"""A server that answers a streaming request with one JSON document: the reply is read, on every wire."""

from __future__ import annotations

import json
from typing import Any

import pytest

from msgmodel.reply.exchange import RetryRules
from pure import exchange, play

CHAT = {
    "id": "c",
    "object": "chat.completion",
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello there"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2},
}
GEMINI = {
    "candidates": [{"content": {"parts": [{"text": "Hello there"}], "role": "model"}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2},
}
HALF = {"candidates": [{"content": {"parts": [{"text": "Hello "}]}}]}
REST = {
    "candidates": [{"content": {"parts": [{"text": "there"}]}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2},
}
ANTHROPIC = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "Hello there"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 3, "output_tokens": 2},
}
RESPONSES = {
    "id": "resp_1",
    "object": "response",
    "model": "m",
    "status": "completed",
    "output": [
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "Hello there", "annotations": []}],
        }
    ],
    "usage": {"input_tokens": 3, "output_tokens": 2},
}
WHOLE = [
    pytest.param("openai_chat", CHAT, id="chat"),
    pytest.param("gemini", GEMINI, id="gemini"),
    pytest.param("gemini", [HALF, REST], id="gemini in a list"),
    pytest.param("anthropic", ANTHROPIC, id="anthropic"),
    pytest.param("openai_responses", RESPONSES, id="responses"),
]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("size", [1, 100, 10_000])
@pytest.mark.parametrize(("wire", "document"), WHOLE)
def test_a_whole_reply(wire: str, document: Any, size: int, indent: int | None) -> None:
    body = json.dumps(document, indent=indent).encode()
    last = play(wire, [body[at : at + size] for at in range(0, len(body), size)])[-1]
    assert (last["event"], last.get("status"), last["content"]) == ("panel_final", "complete", "Hello there")
    assert (last["usage"]["input_tokens"], last["usage"]["output_tokens"]) == (3, 2)


@pytest.mark.parametrize(("wire", "document"), WHOLE)
def test_a_part_of_one_is_no_reply(wire: str, document: Any) -> None:
    body = json.dumps(document).encode()
    for at in range(1, len(body), 7):
        assert play(wire, [body[:at]])[-1]["event"] == "panel_error"


def test_other_documents_are_no_replies() -> None:
    for document in ({"hello": 1}, [], [1], {"choices": None}, {"error": {"message": "no"}, "choices": []}):
        last = play("openai_chat", [json.dumps(document).encode()])[-1]
        assert last["event"] == "panel_error", document
    assert play("openai_chat", [b'{"error": {"message": "no", "code": 429}}'])[-1]["error_type"] == "APIError"


def test_a_document_after_a_stream_is_ignored() -> None:
    chunk = {"choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}]}
    body = b"data: %b\n\n%b\n" % (json.dumps(chunk).encode(), json.dumps(CHAT).encode())
    assert play("openai_chat", [body])[-1]["content"] == "Hi"


def test_a_document_counts_as_memory_of_the_reply() -> None:
    begun = exchange("openai_chat", RetryRules(max_retries=0, max_reply_bytes=1_000_000))
    events = [*begun.feed(b'{"a": "' + b"x" * 500_000), *begun.feed(b"x" * 900_000 + b'"}\n')]
    assert (events, begun.reading) == ([], False)
    assert begun.terminal_events()[-1]["code"] == "reply_too_large"  # type: ignore[typeddict-item]
