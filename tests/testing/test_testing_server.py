"""The scripted provider and the replies do what the other tests take on trust.

Clients here are raw sockets and http.client, so that nothing of the library is involved.
"""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from msgmodel.testing.errors import ERROR_STATUSES, error_body, error_event
from msgmodel.testing.script import split_body
from msgmodel.testing.server import (
    Cut,
    End,
    Flood,
    Framing,
    Pause,
    Repeat,
    Reset,
    Script,
    ScriptedServer,
    Send,
    Stall,
    Step,
)
from msgmodel.testing.wires import CONTINUATION_TOKEN, OUTPUT_TOKENS, WIRES, Wire, events, reply
from transformations import TRANSFORMATIONS, comments, first_chunk_without_choices, lone_cr, nulls, without_event_lines

PROMPT_SECONDS = 0.02
SLACK_SECONDS = 0.2  # for a busy machine; the detection itself is one wake-up from poll
PIECES = ["Hello", " wörld \N{LINE SEPARATOR}", '"quoted"\r\n', "\N{ROBOT FACE}"]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as scripted:
        yield scripted


def address(server: ScriptedServer) -> tuple[str, int]:
    host, _, port = server.url.removeprefix("http://").partition(":")
    return host, int(port)


def dial(server: ScriptedServer) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(*address(server), timeout=5)


def ask(server: ScriptedServer) -> socket.socket:
    """A raw connection with one request sent."""
    connection = socket.create_connection(address(server), timeout=5)
    connection.sendall(b"POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
    return connection


def read_to_end(connection: socket.socket) -> bytes:
    found = b""
    while data := connection.recv(65536):
        found += data
    return found


def read_until(connection: socket.socket, mark: bytes) -> bytes:
    found = b""
    while mark not in found:
        data = connection.recv(65536)
        assert data, found
        found += data
    return found


# --- good answers ---


@pytest.mark.parametrize("framing", ["chunked", "length"])
def test_keep_alive_serves_many_requests_on_one_connection(server: ScriptedServer, framing: Framing) -> None:
    server.say(Script.body(b"one", 1, framing), Script.body(b"two", [0, 2], framing))
    client = dial(server)
    answers = []
    for number in range(3):
        client.request("POST", f"/v1/chat?n={number}", b'{"n": %d}' % number, {"X-Key": "k"})
        answers.append(client.getresponse().read())
    assert server.open_connections == 1
    assert answers == [b"one", b"two", b"two"]
    assert [request.path for request in server.requests] == [f"/v1/chat?n={n}" for n in range(3)]
    assert [request.json for request in server.requests] == [{"n": n} for n in range(3)]
    assert server.requests[0].method == "POST"
    assert server.requests[0].headers["x-key"] == "k"
    client.close()
    server.wait_open_connections(0)
    assert server.hangups == []  # leaving between two answers is no hang-up


def test_a_large_request_body_is_read_whole(server: ScriptedServer) -> None:
    server.say(Script.json(200, {"ok": True}))
    client = dial(server)
    client.request("POST", "/", b"x" * 5_000_000)
    assert json.load(client.getresponse()) == {"ok": True}
    assert len(server.requests[0].body) == 5_000_000
    client.close()


def test_each_send_is_one_chunk(server: ScriptedServer) -> None:
    server.say(Script(steps=(Send(b"ab"), Send(b""), Send(b"c"), End(), Send(b"never"))))
    with ask(server) as connection:
        answer = read_until(connection, b"0\r\n\r\n")
    assert answer.partition(b"\r\n\r\n")[2] == b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    "script",
    [Script.body(b"abc", framing="close"), Script.body(b"abc", framing="length")],
)
def test_the_last_answer_ends_the_connection(server: ScriptedServer, script: Script) -> None:
    server.say(Script(framing=script.framing, steps=script.steps, keep_alive=False))
    with ask(server) as connection:
        head, _, body = read_to_end(connection).partition(b"\r\n\r\n")
    assert body == b"abc"
    assert b"connection: close" in head
    assert (b"content-length: 3" in head) == (script.framing == "length")


def test_an_error_answer(server: ScriptedServer) -> None:
    headers, body = error_body("anthropic", 529)
    server.say(Script.json(529, body, headers))
    client = dial(server)
    client.request("GET", "/")
    answer = client.getresponse()
    assert answer.status == 529
    assert answer.headers["request-id"] == headers["request-id"]
    assert answer.headers["content-type"] == "application/json"
    assert json.load(answer) == body
    client.close()


def test_a_pause_is_silence(server: ScriptedServer) -> None:
    server.say(Script(steps=(Send(b"a"), Pause(0.1), Send(b"b"))))
    with ask(server) as connection:
        read_until(connection, b"a\r\n")
        start = time.monotonic()
        read_until(connection, b"b\r\n")
    assert 0.08 < time.monotonic() - start < 1


def test_cut_by_size_and_by_offset() -> None:
    assert split_body(b"abcde", None) == [b"abcde"]
    assert split_body(b"abcde", 2) == [b"ab", b"cd", b"e"]
    assert split_body(b"abcde", [1, 3]) == [b"a", b"bc", b"de"]


# --- faults ---


def test_a_cut_chunked_body_has_no_last_chunk(server: ScriptedServer) -> None:
    server.say(Script(steps=(Send(b"ab"), Cut())))
    client = dial(server)
    client.request("GET", "/")
    with pytest.raises(http.client.IncompleteRead) as caught:
        client.getresponse().read()
    assert caught.value.partial == b"ab"
    client.close()


def test_a_cut_body_with_a_length_falls_short(server: ScriptedServer) -> None:
    server.say(Script(framing="length", steps=(Send(b"ab"), Cut())))
    client = dial(server)
    client.request("GET", "/")
    answer = client.getresponse()
    with pytest.raises(http.client.IncompleteRead) as caught:
        answer.read()
    assert caught.value.partial == b"ab"
    client.close()


def test_a_reset_is_a_reset(server: ScriptedServer) -> None:
    server.say(Script(steps=(Send(b"ab"), Pause(0.05), Reset())))
    with ask(server) as connection:
        read_until(connection, b"ab\r\n")
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    assert server.hangups == []


def test_closed_before_the_headers(server: ScriptedServer) -> None:
    server.say(Script(close_before_headers=True))
    with ask(server) as connection:
        assert read_to_end(connection) == b""
    assert len(server.requests) == 1


# --- hang-ups ---

HELD: dict[str, Script] = {
    "stall": Script(steps=(Send(b"a"), Stall())),
    "pause": Script(steps=(Send(b"a"), Pause(30))),
    "repeat": Script(steps=(Repeat(b"a", 30),)),
    "length": Script(framing="length", steps=(Send(b"a"), Stall())),
    "close": Script(framing="close", steps=(Send(b"a"), Stall())),
}


@pytest.mark.parametrize("name", HELD)
def test_a_hang_up_is_seen_at_once(server: ScriptedServer, name: str) -> None:
    server.say(HELD[name])
    delays = []
    for count in range(1, 6):
        with ask(server) as connection:
            read_until(connection, b"\r\n\r\n")
            time.sleep(0.01)
            left = time.monotonic()
        delays.append(server.wait_hangup(timeout=2, count=count) - left)
    assert min(delays) < PROMPT_SECONDS
    assert max(delays) < SLACK_SECONDS
    server.wait_open_connections(0)
    assert len(server.hangups) == 5


def test_a_hang_up_before_the_headers(server: ScriptedServer) -> None:
    server.say(Script(stall_before_headers=True))
    with ask(server) as connection:
        connection.settimeout(0.05)
        with pytest.raises(TimeoutError):
            connection.recv(1)
    assert server.wait_hangup(timeout=2)


def test_repeat_goes_on(server: ScriptedServer) -> None:
    server.say(Script(framing="close", steps=(Repeat(b": ping\n\n", 0.01),)))
    with ask(server) as connection:
        read_until(connection, b": ping\n\n" * 5)
    assert server.wait_hangup(timeout=2)


@pytest.mark.parametrize("reads", [True, False], ids=["read", "unread"])
def test_a_flood_stops_at_the_hang_up(server: ScriptedServer, reads: bool) -> None:
    server.say(Script(steps=(Flood(b"x" * 65536),)))
    with ask(server) as connection:
        if reads:
            total = 0
            while total < 20_000_000:
                total += len(connection.recv(1 << 20))
        else:
            time.sleep(0.1)  # until the buffers are full and the server waits
        left = time.monotonic()
    assert server.wait_hangup(timeout=2) - left < SLACK_SECONDS


def test_no_hang_up_is_a_timeout(server: ScriptedServer) -> None:
    with pytest.raises(TimeoutError):
        server.wait_hangup(timeout=0.01)


# --- closing ---


@pytest.mark.parametrize("step", [Stall(), Pause(30), Repeat(b"a", 0.001), Flood(b"x" * 65536)])
def test_close_ends_every_thread(step: Step) -> None:
    before = threading.active_count()
    with ScriptedServer() as server:
        server.say(Script(steps=(Send(b"a"), step)))
        connections = [ask(server) for _ in range(5)]
        for connection in connections:
            read_until(connection, b"a\r\n")
        assert server.open_connections == 5
    assert threading.active_count() == before
    assert server.open_connections == 0
    assert server.hangups == []
    server.close()
    for connection in connections:
        connection.close()


def test_hundreds_of_connections_at_once(server: ScriptedServer) -> None:
    server.say(Script(steps=(Send(b"a"), Stall())))
    connections = [ask(server) for _ in range(400)]
    for connection in connections:
        read_until(connection, b"a\r\n")
    assert server.open_connections == 400
    for connection in connections:
        connection.close()
    server.wait_hangup(count=400)
    server.wait_open_connections(0)


# --- replies ---


def payloads(data: bytes) -> list[dict[str, object]]:
    """A few lines of SSE reading: enough for the bytes that the builders make."""
    text = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    lines = [line for line in text.split(b"\n") if line.startswith(b"data:")]
    return [json.loads(line[5:]) for line in lines if b"[DONE]" not in line]


def text_of(wire: Wire, data: bytes) -> str:
    return "".join(_TEXT[wire](payload) for payload in payloads(data))


def _chat_text(chunk: dict[str, object]) -> str:
    match chunk:
        case {"choices": [{"delta": {"content": str(text)}}]}:
            return text
    return ""


def _responses_text(event: dict[str, object]) -> str:
    match event:
        case {"type": "response.output_text.delta", "delta": str(text)}:
            return text
    return ""


def _anthropic_text(event: dict[str, object]) -> str:
    match event:
        case {"type": "content_block_delta", "delta": {"type": "text_delta", "text": str(text)}}:
            return text
    return ""


def _gemini_text(chunk: dict[str, object]) -> str:
    match chunk:
        case {"candidates": [{"content": {"parts": [{"text": str(text)}]}}]}:
            return text
    return ""


_TEXT: dict[Wire, Callable[[dict[str, object]], str]] = {
    "openai_chat": _chat_text,
    "openai_responses": _responses_text,
    "anthropic": _anthropic_text,
    "gemini": _gemini_text,
}


@pytest.mark.parametrize("wire", WIRES)
def test_a_reply_carries_the_text_raw(wire: Wire) -> None:
    data = reply(wire, PIECES)
    assert text_of(wire, data) == "".join(PIECES)
    assert "\N{LINE SEPARATOR}".encode() in data
    assert "ö".encode() in data
    ending = b"\r\n\r\n" if wire == "gemini" else b"\n\n"
    for event in events(wire, PIECES):
        assert event.endswith(ending)
        assert event.count(ending) == 1


@pytest.mark.parametrize(
    ("wire", "counted"),
    [
        ("openai_chat", b'"completion_tokens":%d'),
        ("openai_responses", b'"output_tokens":%d'),
        ("anthropic", b'"output_tokens":%d'),
        ("gemini", b'"candidatesTokenCount": %d'),
    ],
)
def test_usage_can_be_left_out(wire: Wire, counted: bytes) -> None:
    assert counted % OUTPUT_TOKENS in reply(wire, PIECES)
    without = reply(wire, PIECES, usage=False)
    assert counted.partition(b"%")[0] not in without
    assert text_of(wire, without) == "".join(PIECES)


@pytest.mark.parametrize(
    ("wire", "finish", "shown"),
    [
        ("openai_chat", None, b'"finish_reason":"stop"'),
        ("openai_chat", "length", b'"finish_reason":"length"'),
        ("openai_chat", "refusal", b'"delta":{"refusal":"a"}'),
        ("openai_responses", None, b'"type":"response.completed"'),
        ("openai_responses", "max_output_tokens", b'"reason":"max_output_tokens"'),
        ("openai_responses", "content_filter", b'"type":"response.incomplete"'),
        ("openai_responses", "failed", b'"type":"response.failed"'),
        ("openai_responses", "refusal", b'"type":"response.refusal.delta"'),
        ("anthropic", None, b'"stop_reason":"end_turn"'),
        ("anthropic", "max_tokens", b'"stop_reason":"max_tokens"'),
        ("anthropic", "refusal", b'"stop_details":{"type":"refusal"'),
        ("gemini", None, b'"finishReason": "STOP"'),
        ("gemini", "SAFETY", b'"blocked": true'),
        ("gemini", "CONTINUATION", CONTINUATION_TOKEN.encode()),
    ],
)
def test_the_finish_is_in_the_words_of_the_wire(wire: Wire, finish: str | None, shown: bytes) -> None:
    assert shown in reply(wire, ["a"], finish=finish)


def test_the_names_of_events_are_their_types() -> None:
    for wire in ("openai_responses", "anthropic"):
        for event in events(wire, PIECES):
            name, data = event.rstrip().split(b"\n")
            assert name.removeprefix(b"event: ").decode() == json.loads(data[5:])["type"]


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_a_transformation_keeps_the_meaning(wire: Wire, name: str) -> None:
    data = reply(wire, PIECES)
    changed = TRANSFORMATIONS[name](data)
    assert text_of(wire, changed) == "".join(PIECES)
    same = (name == "crlf" and wire == "gemini") or (
        name == "without_event_lines" and wire in ("openai_chat", "gemini")
    )
    assert (changed == data) == same
    assert lone_cr(changed).count(b"\n") == 0
    ending = changed[-4:] if changed.endswith(b"\r\n") else changed[-2:]
    assert ending in (b"\n\n", b"\r\r", b"\r\n\r\n")


def test_comments_are_between_events_and_inside_them() -> None:
    assert comments(b"event: a\ndata: 1\n\ndata: 2\n\n") == (
        b": ping\n\nevent: a\n: ping\ndata: 1\n: ping\n\n: ping\n\ndata: 2\n: ping\n\n"
    )


def test_event_lines_are_dropped() -> None:
    assert without_event_lines(b"event: a\ndata: 1\n\n") == b"data: 1\n\n"


@pytest.mark.parametrize("wire", WIRES)
def test_nulls_only_adds(wire: Wire) -> None:
    def without_nulls(value: object) -> object:
        if isinstance(value, dict):
            return {k: without_nulls(v) for k, v in value.items() if v is not None}
        return [without_nulls(v) for v in value] if isinstance(value, list) else value

    data = reply(wire, PIECES)
    assert nulls(data).count(b"null") > data.count(b"null")
    assert without_nulls(payloads(nulls(data))) == without_nulls(payloads(data))


def test_the_first_chunk_has_no_choices() -> None:
    data = first_chunk_without_choices(reply("openai_chat", PIECES))
    assert payloads(data)[0]["choices"] == []
    assert text_of("openai_chat", data) == "".join(PIECES)


@pytest.mark.parametrize("wire", WIRES)
def test_every_error_body_has_the_shape_of_its_wire(wire: Wire) -> None:
    assert {400, 401, 403, 404, 429, 500, 503} <= set(ERROR_STATUSES[wire])
    for status in ERROR_STATUSES[wire]:
        headers, body = error_body(wire, status)
        assert json.loads(json.dumps(body)) == body
        assert body["error"]["message"]
        assert ("retry-after" in headers) == (status == 429 and wire != "gemini")
    with pytest.raises(KeyError):
        error_body(wire, 418)


@pytest.mark.parametrize("wire", WIRES)
def test_an_error_event_is_one_event(wire: Wire) -> None:
    (payload,) = payloads(error_event(wire))
    if wire == "openai_responses":
        assert payload["type"] == "error"
        assert payload["message"]
    else:
        assert "error" in payload
