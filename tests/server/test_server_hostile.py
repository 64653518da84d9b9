"""What attackers and careless clients send: no 5xx, no leak, no hang."""

from __future__ import annotations

import json
import logging
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import serving
from msgmodel.server import Settings, create_app
from msgmodel.server.protocol import BoundedProtocol
from msgmodel.testing import KEY, Reply, ScriptedProvider, wires
from msgmodel.testing.server import Cut, Script, ScriptedServer, Send
from serving import TOKENS, Uvicorn, bearer, exchange, opened, request

module_provider, provider = serving.module_provider, serving.provider  # fixtures

SECRET = "a-secret-of-alice"
ALICE, BOB = map(bearer, TOKENS)
HEAD = f"host: localhost\r\nauthorization: {BOB['authorization']}\r\nconnection: close\r\n"


class Target(Uvicorn):
    """A server where Alice has a stream that runs and one that has ended, and Bob is up to something."""

    running: str
    ended: str


@pytest.fixture(scope="module")
def shared(module_provider: ScriptedProvider) -> Iterator[Target]:
    limits: dict[str, Any] = {"max_body_bytes": 200_000, "max_prompt_chars": 100_000}
    settings = Settings(tokens=TOKENS, on_disconnect="continue", grace_seconds=0.0, **limits)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in module_provider.environment().items():
            patch.setenv(name, value)
        with Target(create_app(settings), http=BoundedProtocol) as server:
            for name, reply in (("ended", Reply(SECRET)), ("running", Reply(f"{SECRET} more", stall_after=1))):
                module_provider.say(reply)
                body = {"prompt": SECRET, "panels": [{"provider": "openai", "panel_id": "p"}]}
                with opened("POST", f"{server.url}/v1/panels", json=body, headers=ALICE) as stream:
                    stream.take(2 if name == "ended" else 1)
                    setattr(server, name, stream.response.headers["x-stream-id"])
            yield server


@pytest.fixture
def server(shared: Target, provider: ScriptedProvider, caplog: pytest.LogCaptureFixture) -> Iterator[Target]:
    """It lives, and says nothing that it should not, also after the test."""
    caplog.set_level(logging.DEBUG)
    provider.say("Hello Bob")
    yield shared
    assert request("GET", f"{shared.url}/healthz", timeout=5.0).json()["status"] == "ok"
    url = f"{shared.url}/v1/streams/{shared.running}"
    with opened("GET", url, headers=ALICE | {"last-event-id": "0"}, timeout=5.0) as stream:
        (event,) = stream.take(1)
    assert event.data == {"event": "panel_delta", "panel_id": "p", "delta": SECRET}
    msgmodel_said = "".join(record.getMessage() for record in caplog.records if record.name.startswith("msgmodel"))
    for secret in (SECRET, KEY, *TOKENS):
        assert secret not in msgmodel_said
    assert "failed" not in msgmodel_said


def check(answer: bytes, *, silent: bool = False) -> int:
    """The status of an answer that must be a good one, or a clear no."""
    if silent and not answer:
        return 0
    head = answer.partition(b"\r\n\r\n")[0]
    status = int(head.split(b" ", 2)[1])
    assert status < 500, answer[:300]
    for secret in (SECRET, KEY, TOKENS[0], "Traceback", "/site-packages/", "msgmodel/server"):
        assert secret.encode() not in answer, secret
    assert b"x-evil" not in head.lower()
    return status


def words(text: str) -> list[str]:
    return text.split()


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def bodies() -> Iterator[bytes]:
    values = [*words('null true -1 0 1e999 1.5 "" "x" [] [[]] {} {"a":1} "\\ud800" "\\u0000"'), "1" * 400]
    yield from (
        b"",
        b"null",
        b"[]",
        b'"x"',
        b'{"prompt": "hi"',
        b'{"prompt": "hi"} {"prompt": "hi"}',
        b'{"prompt": "\xff\xfe"}',
        '{"prompt": "hi"}'.encode("utf-16"),
        b'\xef\xbb\xbf{"prompt": "hi"}',
        b'{"prompt": "\x00"}',
        b'{"prompt": "hi", "options": {"temperature": NaN}}',
        b'{"prompt": "hi", "prompt": 1}',
        b'{"prompt": "hi", "__proto__": {}, "__class__": "x"}',
        b'{"prompt": "' + b"x" * 100_001 + b'"}',
        json.dumps({"prompt": "hi", "panels": [{"provider": "openai"}] * 5000}).encode(),
        json.dumps({"messages": [{"role": "user", "content": "x"}] * 4000}).encode(),
        json.dumps({"prompt": "x", "files": [{"name": "a", "data": ""}] * 2000}).encode(),
        b'{"prompt": "x", "files": [{"name": "../../etc/passwd", "data": "aGk="}]}',
        b'{"prompt": "x", "files": [{"name": "a\\r\\nx-evil: 1", "data": "aGk="}]}',
        b'{"prompt": "x", "panels": [{"provider": "openai", "panel_id": "a\\nb"}]}',
        b'{"prompt": "x", "panels": [{"provider": "openai", "model": "a\\r\\nx-evil: 1"}]}',
        b'{"prompt": "x", "panels": [{"provider": "gemini", "model": "../../x?key=1#"}]}',
        b'{"model": "local//etc/passwd", "messages": [{"role": "user", "content": "x"}], "stream": true}',
        b'{"messages": [{"role": "user", "content": [{"type": "file", "path": "/etc/passwd"}]}]}',
        b'{"messages": [{"role": "user", "content": [{"type": "file", "url": "file:///etc/passwd"}]}]}',
        b'{"messages": [{"role": "root", "content": "x"}]}',
        b'{"messages": [{}]}',
        b'{"messages": [{"role": "tool", "tool_call_id": "x", "content": "y"}]}',
        b'{"prompt": "x", "options": {"tools": [{"name": "a b\\n", "parameters": 3}]}}',
    )
    for value in map(str.encode, values):
        for field in map(str.encode, words("prompt messages panels options files model id threadId tools stream")):
            yield b'{"prompt": "hi", "%b": %b}' % (field, value)
        for field in map(str.encode, words("max_tokens temperature tools fallbacks timeout reasoning tool_choice")):
            yield b'{"prompt": "hi", "options": {"%b": %b}}' % (field, value)
            yield b'{"prompt": "hi", "panels": [{"provider": "openai", "%b": %b}]}' % (field, value)
    for depth in (50, 300, 500, 700, 900, 5000):
        yield nested(depth)
        yield b'{"messages": [{"role": "user", "content": %b}]}' % nested(depth)
        yield b'{"prompt": "x", "options": {"tools": [{"name": "f", "parameters": {"a": %b}}]}}' % nested(depth)
        yield (
            b'{"messages": [{"role": "assistant", "tool_calls": [{"id": "1", "name": "f", "arguments": "%b", '
            b'"complete": true, "arguments_json": {"a": %b}}]}, {"role": "user", "content": "x"}]}'
        ) % (nested(depth), nested(depth))


PATHS = ("/v1/panels", "/v1/chat/completions", "/adapters/ai-sdk/chat", "/adapters/ag-ui")


def posted(path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\n{HEAD}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


@pytest.mark.parametrize("path", PATHS)
def test_bodies(server: Target, path: str) -> None:
    """On one connection each, as an attacker would."""
    count = 0
    for body in bodies():
        try:
            status = check(exchange(server.port, posted(path, body), seconds=10.0))
        except AssertionError as error:
            raise AssertionError(f"{body[:120]!r}: {error}") from error
        assert status in (200, 400, 401, 403, 413, 415, 422, 429), (body[:120], status)
        count += 1
    assert count > 200


def test_a_body_without_an_end(server: Target) -> None:
    """It is refused as soon as it is too large, whatever length it said."""
    head = f"POST /v1/panels HTTP/1.1\r\n{HEAD}content-type: application/json\r\n"
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    for data in (
        f"{head}content-length: 1000000000\r\n\r\n".encode(),
        f"{head}transfer-encoding: chunked\r\n\r\n".encode() + chunk * 5,
    ):
        assert check(exchange(server.port, data, seconds=5.0)) == 413


ODD_PATHS = [
    *words(
        """
            /v1/streams/.. /v1/streams/%2e%2e /v1/streams/..%2f..%2fapp.py /v1/streams/%00 /v1/streams/%ff%fe
            /v1/streams/* /v1/streams/{x}:meta /v1/streams/%7Bx%7D%3Alog /v1/streams/%0d%0ax-evil:%201
            /v1/streams/ /v1/streams// /v1/streams/x?last_event_id=%0d%0ax-evil:1 /v1/streams/x?last_event_id=-1
            //v1/panels /v1/../../etc/passwd /..;/etc/passwd /%2e%2e/%2e%2e/etc/passwd /assets/../../app.py
            /assets/..%5c..%5capp.py /assets/%00 /page.py /index.html%00.js /.git/config
            http://evil.example/v1/providers * /v1/providers#x /% /%zz /chat/stream /chat/stream?prompt=
            /chat/stream?prompt=x&prompt=y&provider=%00 /chat/stream?provider=local
            /chat/stream?prompt=x&model=%0d%0ax-evil:%201 /chat/stream?prompt=x&provider=local&model=/etc/passwd
            /chat/stream?prompt=x&api_key=1&base_url=http://evil /adapters/ai-sdk/chat/%00/stream
            /adapters/ai-sdk/chat/..%2f..%2f/stream
        """
    ),
    "/v1/streams/" + "a" * 5000,
    "/adapters/ai-sdk/chat/" + "a" * 5000 + "/stream",
    "/" + "a/" * 2000,
    "/?" + "a=1&" * 5000,
]
ODD_HEADERS = [
    *(f"origin: {origin}" for origin in words("http://[ http://[::1 // \xff http://localhost@evil.example null")),
    *(f"origin: {origin}" for origin in words("http://localhost http://localhost:80:80 javascript:alert(1)")),
    "host: evil.example",
    "sec-fetch-site: \xff",
    "content-length: -1",
    "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-key: x\r\nsec-websocket-version: 13",
    "connection: close, host",
    "x-forwarded-for: 1.2.3.4\r\nx-forwarded-host: evil.example",
    "x y: z",
    ": empty",
    "x: " + "y" * 60_000,
    "cookie: a=\xff",
    "accept-encoding: gzip",
    "range: bytes=0-10",
    "if-none-match: *",
    "x-http-method-override: DELETE",
]
ODD_HOSTS = [
    *words(
        """
            evil.example localhost. localhost:99999 localhost:x localhost@evil.example evil.example@localhost
            [::1 ] [ : 127.0.0.1.nip.io 127.1 2130706433 0.0.0.0 localhost,evil.example \xff %6cocalhost
            localhost/evil localhost# LOCALHOST
        """
    ),
    "a" * 5000,
    "",
    "localhost evil.example",
]
ODD_POSITIONS = [*words("-1 x 1.5 \xb2 \xd9\xa1 0x10 1,2 +1 1_0 None"), "9" * 16, "9" * 17, "9" * 5000]
ODD_METHODS = [*words("PUT PATCH DELETE OPTIONS TRACE HEAD PROPFIND get"), "X" * 300]
ODD_TOKENS = [
    "Bearer",
    "Bearer \xff",
    "bearer " + "x" * 50_000,
    "Bearer ' or 1=1",
    "Basic eDp4",
    f"Bearer {TOKENS[0][:-1]}",
]
ODD_KEYS = ["", "x" * 201, "\xff", "\x01", "a\tb", "{x}", "*", "..", "a" * 200]
ODD_TYPES = [
    "",
    "text/plain",
    "application/json, text/plain",
    "application/jsonx",
    "\xff",
    "application/json;charset=x",
]


def requests() -> Iterator[str]:
    for path in ODD_PATHS:
        yield f"GET {path} HTTP/1.1\r\n{HEAD}\r\n"
    for header in ODD_HEADERS:
        yield f"GET /v1/providers HTTP/1.1\r\n{HEAD}{header}\r\n\r\n"
    for host in ODD_HOSTS:
        yield f"GET /v1/providers HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
    for token in ODD_TOKENS:
        yield f"GET /v1/providers HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: {token}\r\n\r\n"
    for position in ODD_POSITIONS:
        for path in ("/v1/streams/x", "/chat/stream?prompt=hi"):
            yield f"GET {path} HTTP/1.1\r\n{HEAD}last-event-id: {position}\r\n\r\n"
    for method in ODD_METHODS:
        for path in ("/v1/panels", "/v1/streams/x", "/", "/chat/stream?prompt=x", "/adapters/ag-ui"):
            yield f"{method} {path} HTTP/1.1\r\n{HEAD}content-length: 0\r\n\r\n"
    asked = 'content-length: 16\r\n\r\n{"prompt": "hi"}'
    for key in ODD_KEYS:
        yield f"POST /v1/panels HTTP/1.1\r\n{HEAD}content-type: application/json\r\nidempotency-key: {key}\r\n{asked}"
    for media_type in ODD_TYPES:
        yield f"POST /v1/panels HTTP/1.1\r\n{HEAD}content-type: {media_type}\r\n{asked}"


def test_requests(server: Target) -> None:
    for data in requests():
        began = time.monotonic()
        try:
            check(exchange(server.port, data.encode("latin-1"), seconds=10.0))
        except (AssertionError, IndexError, ValueError) as error:
            raise AssertionError(f"{data[:120]!r}: {error}") from error
        assert time.monotonic() - began < 8, data[:120]


def test_what_waits_for_more(server: Target) -> None:
    """What promises a body and sends none is waited for: that is no answer, and no fault."""
    for header in (
        "content-length: 99",
        "content-length: 9" * 30,
        "transfer-encoding: chunked",
        "expect: 100-continue",
    ):
        data = f"POST /v1/panels HTTP/1.1\r\n{HEAD}content-type: application/json\r\n{header}\r\n\r\n"
        check(exchange(server.port, data.encode(), seconds=0.3), silent=True)


def test_what_is_not_http(server: Target) -> None:
    for data in (
        b"\x00" * 1000,
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"SSH-2.0-x\r\n\r\n",
    ):
        check(exchange(server.port, data, seconds=0.5), silent=True)
    many = b"".join(b"a%d: b\r\n" % number for number in range(20_000))
    check(exchange(server.port, f"GET / HTTP/1.1\r\n{HEAD}".encode() + many + b"\r\n", seconds=5.0), silent=True)


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (b"GET / HTTP/1.1\r\n", b"x: y\r\n"),
        (b"GET / HTTP/1.1\r\nx: ", b"y"),
        (b"GET /", b"y"),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n", b"x: y\r\n"),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: ", b"y"),
    ],
    ids=["headers", "header", "path", "trailers", "trailer"],
)
def test_a_head_without_an_end(server: Target, begin: bytes, more: bytes) -> None:
    """The connection is closed after some of it: the server keeps none of the rest."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20.0) as connection:
        connection.sendall(begin)
        with pytest.raises(OSError, match=r"reset|[Bb]roken pipe"):
            connection.sendall(more * (20_000_000 // len(more)))


def test_many_requests_before_an_answer(server: Target) -> None:
    """Some may wait for those before them, thousands may not: a read that brings them all would hold up everybody."""
    asked = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"
    last = asked.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")
    assert exchange(server.port, asked * 9 + last).count(b" 200 OK\r\n") == 10
    answer = exchange(server.port, asked * 4000 + last, seconds=20.0)
    assert answer.count(b" 200 OK\r\n") <= 17
    assert answer.count(b" 400 Bad Request\r\n") <= 1


def test_two_requests_in_one(server: Target) -> None:
    """A body that looks like a request is a body."""
    inner = f"GET /v1/streams/{server.running} HTTP/1.1\r\nhost: localhost\r\n\r\n"
    body = json.dumps({"prompt": inner})
    data = (
        f"POST /v1/panels HTTP/1.1\r\n{HEAD}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}"
    )
    answer = exchange(server.port, data.encode(), seconds=10.0)
    check(answer)
    assert answer.count(b"HTTP/1.1 ") == 1


def test_streams_of_others(server: Target) -> None:
    for id in (server.running, server.ended):
        none = request("GET", f"{server.url}/v1/streams/none", headers=BOB)
        for method in ("GET", "DELETE"):
            for how in ({}, {"last-event-id": "0"}, {"last-event-id": "2"}):
                response = request(method, f"{server.url}/v1/streams/{id}", headers=BOB | how)
                assert (response.status_code, response.text) == (404, none.text)
            for query in ("?panel_id=p", "?panel_id=x", f"?token={TOKENS[0]}", "?owner=", "?last_event_id=0"):
                assert request(method, f"{server.url}/v1/streams/{id}{query}", headers=BOB).status_code == 404
        assert request("GET", f"{server.url}/v1/streams/{id}").status_code == 401


def test_the_chats_of_others(server: Target) -> None:
    body = {
        "id": "chat-of-alice",
        "trigger": "submit-message",
        "messages": [{"id": "1", "role": "user", "parts": [{"type": "text", "text": SECRET}]}],
    }
    assert request("POST", f"{server.url}/adapters/ai-sdk/chat", json=body, headers=ALICE).status_code == 200
    for chat in ("chat-of-alice", "x\0chat-of-alice", "../chat-of-alice"):
        path = f"/adapters/ai-sdk/chat/{chat.replace(chr(0), '%00')}/stream"
        response = request("GET", server.url + path, headers=BOB)
        assert response.status_code in (204, 404)
        assert SECRET not in response.text


def test_positions_that_there_are_not(server: Target) -> None:
    """Nothing but what comes after them, and an end."""
    url = f"{server.url}/v1/streams/{server.ended}"
    for position in ("2", "3", "99", "9" * 16):
        assert request("GET", url, headers=ALICE | {"last-event-id": position}, timeout=5.0).status_code in (204, 400)


def test_guessed_positions_of_an_event_source(server: Target) -> None:
    for position in ("1", str(1 << 40), f"{server.running}:0", f"{server.ended}:0", f"{'x' * 24}:0"):
        headers = BOB | {"last-event-id": position}
        assert request("GET", f"{server.url}/chat/stream?prompt=x", headers=headers, timeout=5.0).status_code == 204


def test_many_connections_that_say_nothing(server: Target) -> None:
    silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(200)]
    for number, connection in enumerate(silent):
        connection.sendall(b"POST /v1/panels HTTP/1.1\r\ncontent-length: 100\r\n"[: number % 50])
    began = time.monotonic()
    assert request("GET", f"{server.url}/healthz").status_code == 200
    assert time.monotonic() - began < 5
    for connection in silent:
        connection.close()


@pytest.mark.long
def test_schemathesis(shared: Target, provider: ScriptedProvider, tmp_path: Path) -> None:
    """All that the description promises, asked in all ways that it allows, and in some that it does not."""
    if find_spec("schemathesis") is None:
        pytest.skip("needs schemathesis")
    provider.say("Hello Bob")
    ran = subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli", "run", f"{shared.url}/openapi.json",
            "--url", shared.url, "--header", f"authorization: {BOB['authorization']}",
            "--checks", "all", "--exclude-checks", "positive_data_acceptance", "--max-examples", "12", "--seed",
            "1", "--request-timeout", "10",
            "--phases", "examples,coverage,fuzzing", "--no-color",
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=110,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        *(("/v1/panels", fault) for fault in ("refused", "cut", "early end", "proxy down", "proxy of no kind")),
        ("/v1/chat/completions", "refused"),
        ("/adapters/ai-sdk/chat", "refused"),
    ],
)
def test_an_internal_host_is_named_in_the_log_alone(
    path: str, fault: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Behind a public server the provider's host, its port, and a proxy are internal names."""
    with ScriptedServer() as inside:
        port = inside.url.rpartition(":")[2]
        address = f"http://127.0.0.1:{port}/v1"
        if fault == "cut":
            inside.say(Script(steps=(Send(b": \n\n"), Cut())))
        elif fault == "early end":
            inside.say(Script(close_before_headers=True))
        else:
            inside.close()
        if fault.startswith("proxy"):
            monkeypatch.setenv("NO_PROXY", "localhost")
            monkeypatch.delenv("no_proxy", raising=False)
            kind = "http" if fault == "proxy down" else "socks"
            monkeypatch.setenv("HTTP_PROXY", f"{kind}://me:secret@127.0.0.1:{port}/")
            address = "http://llm.corp.example/v1"
        monkeypatch.setenv("OPENAI_BASE_URL", address)
        monkeypatch.setenv("OPENAI_API_KEY", "key-1234567890")
        body = {
            "/v1/panels": {"prompt": "hi", "panels": [{"provider": "openai"}]},
            "/v1/chat/completions": {"model": "openai/x", "messages": [{"role": "user", "content": "hi"}]},
            "/adapters/ai-sdk/chat": {
                "id": "c",
                "messages": [{"id": "m", "role": "user", "parts": [{"type": "text", "text": "hi"}]}],
                "panels": [{"provider": "openai"}],
            },
        }[path]
        with Uvicorn(create_app()) as server:
            said = request("POST", f"{server.url}{path}", json=body).text
    error = re.findall(r'"(?:error|errorText|message)": ?"([^"]*)', said)
    assert error, said
    assert not [words for words in error if port in words or "127.0.0.1" in words or "corp" in words]
    assert any(word in caplog.text for word in (port, "llm.corp.example"))
    assert "secret" not in said + caplog.text


ASKED = {"role": "user", "content": "hi"}
ANTHROPIC = [{"provider": "anthropic"}]


def _signed_reply() -> Script:
    """Return a reply with an opaque part: reasoning with its signature."""
    return Script.body(b"".join(wires.events("anthropic", ["Yes"], reasoning=["Well"], signature="s")))


ENTRIES: list[tuple[str, dict[str, Any]]] = [
    ("/v1/panels", {"prompt": "hi", "panels": ANTHROPIC}),
    ("/v1/chat/completions", {"model": "anthropic/x", "messages": [ASKED]}),
    ("/v1/chat/completions", {"model": "anthropic/x", "messages": [ASKED], "stream": True}),
    (
        "/adapters/ai-sdk/chat",
        {
            "id": "c",
            "messages": [{"id": "m", "role": "user", "parts": [{"type": "text", "text": "hi"}]}],
            "panels": ANTHROPIC,
        },
    ),
    (
        "/adapters/ag-ui",
        {
            "threadId": "t",
            "runId": "r",
            "messages": [ASKED | {"id": "m"}],
            "forwardedProps": {"panels": ANTHROPIC},
        },
    ),
]


@pytest.mark.parametrize(("path", "body"), ENTRIES)
def test_no_event_names_an_internal_host(provider: ScriptedProvider, path: str, body: dict[str, Any]) -> None:
    provider.say(_signed_reply())
    with Uvicorn(create_app()) as server:
        answer = request("POST", f"{server.url}{path}", json=body)
        snapshot = ""
        if "x-stream-id" in answer.headers:
            snapshot = request("GET", f"{server.url}/v1/streams/{answer.headers['x-stream-id']}").text
    assert "Yes" in answer.text
    assert "127.0.0.1" not in answer.text + snapshot


def test_an_opaque_part_returns_to_a_server_whose_host_is_hidden(provider: ScriptedProvider) -> None:
    provider.say(_signed_reply())
    with (
        Uvicorn(create_app()) as server,
        opened("POST", f"{server.url}/v1/panels", json={"prompt": "hi", "panels": ANTHROPIC}) as stream,
    ):
        final = stream.rest()[-1].data
        assert final["privacy"]["endpoint"] == "private server"
        opaque = final["message"]["content"][0]["opaque"]
        assert opaque["host"] == "private server"
        body = {"messages": [ASKED, final["message"], ASKED], "panels": ANTHROPIC}
        assert request("POST", f"{server.url}/v1/panels", json=body).status_code == 200
    sent = json.loads(provider.requests[-1].body)["messages"][1]["content"]
    assert sent[0] == opaque["data"] | {"thinking": "Well"}


@pytest.mark.parametrize(("path", "body"), ENTRIES)
def test_a_missing_key_is_explained_in_the_log_alone(
    path: str, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    with Uvicorn(create_app()) as server:
        answer = request("POST", f"{server.url}{path}", json=body)
    assert answer.status_code in (400, 422)
    assert "the server has no key for this provider" in answer.text
    assert "ANTHROPIC_API_KEY" not in answer.text
    assert "ANTHROPIC_API_KEY" in caplog.text
