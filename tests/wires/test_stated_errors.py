"""Errors in the place of a reply, or of an event, with HTTP status 200: the provider's words come out on every wire."""

from __future__ import annotations

import json
from typing import Any

import pytest
from chat_streams import DONE, chunk, lines

from conftest import KEY, PROVIDER, Async, Sync, config
from msgmodel.testing.server import Script, ScriptedServer
from msgmodel.wires import WIRES
from pure import play, stream

BEGUN: dict[str, list[Any]] = {
    "openai_chat": [chunk({"content": "Hi"})],
    "openai_responses": [{"type": "response.output_text.delta", "output_index": 0, "delta": "Hi"}],
    "anthropic": [
        {"type": "message_start", "message": {}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
    ],
    "gemini": [{"candidates": [{"content": {"parts": [{"text": "Hi"}]}}]}],
}

ERRORS = [
    pytest.param({"error": {"message": "No luck"}}, "server", id="an object"),
    pytest.param({"error": "No luck"}, "server", id="a text"),
    pytest.param([{"error": {"message": "No luck", "status": "UNAVAILABLE"}}], "overloaded", id="a list"),
    pytest.param({"errors": [{"message": "No luck"}], "success": False}, "server", id="Cloudflare"),
    pytest.param({"detail": "No luck"}, "server", id="FastAPI"),
    pytest.param({"message": "No luck", "code": "429"}, "rate_limit", id="a message"),
    pytest.param({"msg": "No luck", "code": 503}, "overloaded", id="msg"),
    pytest.param({"error_code": 17, "error_msg": "No luck"}, "server", id="Baidu"),
    pytest.param({"base_resp": {"status_code": 1002, "status_msg": "No luck: rate limit"}}, "rate_limit", id="MiniMax"),
    pytest.param({"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}, "quota", id="balance"),
    pytest.param({"base_resp": {"status_code": 1004, "status_msg": "login fail"}}, "authentication", id="login"),
    pytest.param(
        {"base_resp": {"status_code": 1026, "status_msg": "input new_sensitive"}}, "content_policy", id="sensitive"
    ),
]


def words_of(error: Any) -> str:
    return next(word for word in ("No luck", "insufficient balance", "login fail", "sensitive") if word in str(error))


@pytest.mark.parametrize(("error", "code"), ERRORS)
@pytest.mark.parametrize("wire", WIRES)
def test_words_and_code(wire: str, error: Any, code: str) -> None:
    body = json.dumps(error, indent=1).encode()
    for pieces in (
        [body],
        [stream(*BEGUN[wire], error)],
        [stream(*BEGUN[wire]), b"data: " + json.dumps(error).encode()],
        [stream(*BEGUN[wire]), body + b"\n\n"],
    ):
        last = play(wire, pieces)[-1]
        assert (last["event"], last["code"], last["error_type"]) == ("panel_error", code, "APIError")
        assert words_of(error) in last["error"]
        assert last["content"] == ("" if pieces == [body] else "Hi")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"Internal Server Error", "Internal Server Error"),
        (b"upstream connect error\nreset before headers", "upstream connect error"),
        (b"<html>\n<head><title>502 Bad Gateway</title></head></html>", "502 Bad Gateway"),
        (b'"No luck"', '"No luck"'),
    ],
)
@pytest.mark.parametrize("wire", WIRES)
def test_text_in_the_place_of_json(wire: str, text: bytes, words: str) -> None:
    event = b"event: error\n" + b"".join(b"data: %b\n" % line for line in text.split(b"\n")) + b"\n"
    for pieces in ([text], [stream(*BEGUN[wire]), event]):
        last = play(wire, pieces)[-1]
        assert (last["code"], last["error_type"]) == ("protocol", "StreamingError")
        assert words in last["error"]


@pytest.mark.parametrize("wire", WIRES)
def test_the_key_in_such_words_is_not_shown(
    wire: str, shared_colour: Sync | Async, shared_server: ScriptedServer
) -> None:
    for body in (f"No luck with {KEY}", json.dumps({"detail": f"No luck with {KEY}"}), f"data: No luck with {KEY}\n\n"):
        shared_server.say(Script.body(body.encode()))
        last: Any = shared_colour.panels(
            PROVIDER[wire], "hi", KEY, config=config(wire, shared_server.url), max_retries=0
        )[-1]
        assert "No luck with [key]" in last["error"]
        assert KEY not in str(last)


@pytest.mark.parametrize(
    "beside",
    [
        {"code": 0, "message": "Success", "sid": "s"},
        {"code": "200", "msg": "ok"},
        {"base_resp": {"status_code": 0, "status_msg": "success"}},
        {"base_resp": None, "message": ""},
    ],
)
def test_a_message_of_success_is_no_error(beside: Any) -> None:
    for chunks in ([beside, *BEGUN["openai_chat"]], [BEGUN["openai_chat"][0] | beside]):
        last = play("openai_chat", [*lines(*chunks, chunk({}, "stop") | beside), DONE])[-1]
        assert (last["status"], last["content"]) == ("complete", "Hi")
    last = play("gemini", [stream(beside, *BEGUN["gemini"], {"candidates": [{"finishReason": "STOP"}]})])[-1]
    assert (last["status"], last["content"]) == ("complete", "Hi")


def test_an_error_beside_the_last_text() -> None:
    flagged = {"base_resp": {"status_code": 1027, "status_msg": "output new_sensitive"}}
    last = play("openai_chat", lines(chunk({"content": "Hi"}), chunk({"content": "!"}) | flagged, chunk({}, "stop")))[
        -1
    ]
    assert (last["code"], last["content"]) == ("content_policy", "Hi!")


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_events_that_end_with_a_single_line_end(end: bytes) -> None:
    events = [*BEGUN["openai_chat"], chunk({"content": "!"}), chunk({}, "stop")]
    data = end.join([*(b"data: " + json.dumps(event).encode() for event in events), b"data: [DONE]", b"", b""])
    last = play("openai_chat", [data])[-1]
    assert (last["status"], last["content"]) == ("complete", "Hi!")
    cut = play("openai_chat", [data.replace(b'"stop"', b"null")])[-1]
    assert (cut["code"], cut["content"]) == ("interrupted", "Hi!")
    broken = play("openai_chat", [data.replace(b'"stop"', b"sto")])[-1]
    assert (broken["code"], broken["content"]) == ("protocol", "Hi!")


@pytest.mark.parametrize(
    ("reason", "status"),
    [("sensitive", "filtered"), ("network_error", "truncated"), ("model_context_window_exceeded", "truncated")],
)
def test_reasons_of_zai(reason: str, status: str) -> None:
    last = play("openai_chat", [*lines(chunk({"content": "Hi"}), chunk({}, reason)), DONE])[-1]
    assert (last["status"], last["finish_reason"]) == (status, reason)
