"""Headers that decide something: given twice, after the body, by a proxy that is none; and bodies that end too soon."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

import serving
from msgmodel.server import Settings, create_app
from msgmodel.testing import Reply, ScriptedProvider
from serving import TOKENS, Serving, Uvicorn, bearer, exchange, opened, request, wait_for

module_provider, provider = serving.module_provider, serving.provider  # fixtures

BODY = '{"prompt": "hi"}'


@pytest.fixture(scope="module")
def server(module_provider: ScriptedProvider) -> Iterator[Uvicorn]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in module_provider.environment().items():
            patch.setenv(name, value)
        with Uvicorn(create_app(Settings(tokens=TOKENS[:1]))) as running:
            yield running


@pytest.fixture(scope="module")
def served(module_provider: ScriptedProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("served"), module_provider, MSGMODEL_TOKEN=TOKENS[0]) as running:
        yield running


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def post(port: int, *headers: str, body: str = BODY, path: str = "/v1/panels") -> bytes:
    """A request with these headers after its host, its token and its type."""
    head = ["host: localhost", f"authorization: Bearer {TOKENS[0]}", "content-type: application/json", *headers]
    if not any(each.startswith(("content-length", "transfer-encoding")) for each in headers):
        head.append(f"content-length: {len(body)}")
    lines = [f"POST {path} HTTP/1.1", *head, "connection: close", "", body]
    return exchange(port, "\r\n".join(lines).encode())


@pytest.mark.parametrize(
    "header",
    [
        "host: localhost",
        "host: evil.example",
        f"authorization: Bearer {TOKENS[0]}",
        "authorization: Bearer another",
        "content-type: application/json",
        "content-type: text/plain",
        "CONTENT-TYPE: application/json",
        "origin: http://localhost\r\norigin: https://evil.example",
        "origin: https://evil.example\r\norigin: http://localhost",
        "sec-fetch-site: same-origin\r\nsec-fetch-site: cross-site",
        "idempotency-key: one\r\nidempotency-key: two",
        "last-event-id: 1\r\nlast-event-id: 2",
        f"content-length: {len(BODY)}\r\ncontent-length: 3",
    ],
)
def test_a_header_that_decides_is_given_once(server: Uvicorn, provider: ScriptedProvider, header: str) -> None:
    """Of two, a proxy on the way may have checked the other one."""
    provider.say("Hello")
    before = len(provider.requests)
    assert status(post(server.port, header)) in (400, 421)
    assert len(provider.requests) == before
    assert status(post(server.port, "accept: a", "accept: b", "cookie: a=1", "cookie: b=2")) == 200


HOSTS = ["[::1].evil.example", "[::1]evil", "localhost:evil.example", "localhost:80:80", "localhost:8000@evil.example",
         "localhost#evil", "localhost/evil", "[::1", "::1", "[]", "localhost:123456", "127.0.0.1.evil.example",
         "127.0.0.1:80.evil.example", "evil.example:localhost", "localhost ,evil.example"]  # fmt: skip


@pytest.mark.parametrize("host", HOSTS)
def test_hosts_that_begin_like_ours(server: Uvicorn, host: str) -> None:
    answer = exchange(server.port, f"GET /v1/providers HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n".encode())
    assert status(answer) == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "[::1]", "[::1]:80", "127.0.0.1:65535", "localhost:"])
def test_hosts_that_are_ours(server: Uvicorn, host: str) -> None:
    answer = exchange(server.port, f"GET /v1/providers HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n".encode())
    assert status(answer) == 401  # the host is known, the client is not


# --- trailers ---


def chunked(*headers: str, trailers: str) -> tuple[bytes, bytes]:
    """A request in chunks: all but its trailers, and those."""
    head = ["POST /v1/panels HTTP/1.1", "transfer-encoding: chunked", "content-type: application/json",
            "connection: close", *headers, "", ""]  # fmt: skip
    body = f"{len(BODY):x}\r\n{BODY}\r\n"
    return ("\r\n".join(head) + body).encode(), f"0\r\n{trailers}\r\n\r\n".encode()


def test_trailers_are_no_headers(served: Serving, provider: ScriptedProvider) -> None:
    """They come after all checks; uvicorn adds them to the headers."""
    provider.say("Hello")
    token, host = f"authorization: Bearer {TOKENS[0]}", "host: localhost"
    for headers, trailers, expected in (
        ([token], host, 421),
        ([host], token, 401),
        ([host, token], "host: evil.example", 200),
        ([host, token], "idempotency-key: one", 200),
        ([host, token], "x: y", 200),
    ):
        assert status(exchange(served.port, b"".join(chunked(*headers, trailers=trailers)))) == expected
    # The next request on the same connection has its own headers.
    first = b"".join(chunked(host, token, trailers="x: y")).replace(b"connection: close\r\n", b"")
    second = f"GET /v1/providers HTTP/1.1\r\n{host}\r\n{token}\r\nconnection: close\r\n\r\n".encode()
    answer = exchange(served.port, first + second)
    assert answer.count(b"HTTP/1.1 200") == 2


def test_a_late_trailer_is_no_header(server: Uvicorn, provider: ScriptedProvider) -> None:
    """Also in an application of one's own, where the server's own list of headers grows while it waits for the body."""
    provider.say("Hello")
    headers = ["host: localhost", f"authorization: Bearer {TOKENS[0]}"]
    first, rest = chunked(*headers, trailers="idempotency-key: one")
    with socket.create_connection(("127.0.0.1", server.port), timeout=10.0) as connection:
        connection.sendall(first)
        time.sleep(0.3)
        connection.sendall(rest)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    assert status(answer) == 200
    name = answer.partition(b"x-stream-id: ")[2].partition(b"\r\n")[0]
    assert b"." not in name  # it is not the stream of a key


# --- who the client is ---


@pytest.mark.parametrize("trusted", [False, True])
def test_a_client_can_not_say_to_be_another(tmp_path: Path, provider: ScriptedProvider, trusted: bool) -> None:
    """Not even one on this machine, unless the operator said that a proxy is there."""
    provider.say(Reply("Hello there", stall_after=1))
    environment = {"FORWARDED_ALLOW_IPS": "127.0.0.1"} if trusted else {}
    with Serving(tmp_path, provider, "--max-streams-per-client", "1", **environment) as server:
        url = f"{server.url}/v1/panels"
        with opened("POST", url, json={"prompt": "hi"}, headers={"x-forwarded-for": "10.0.0.1"}) as stream:
            stream.take(1)
            with opened("POST", url, json={"prompt": "hi"}, headers={"x-forwarded-for": "10.0.0.2"}) as other:
                assert other.response.status_code == (200 if trusted else 429)


# --- bodies ---


@pytest.mark.parametrize("path", ["/v1/panels", "/v1/chat/completions", "/adapters/ag-ui", "/adapters/ai-sdk/chat"])
@pytest.mark.parametrize("length", ["content-length: 1000", "transfer-encoding: chunked"])
def test_who_leaves_in_the_middle_of_a_body_is_not_logged(
    served: Serving, provider: ScriptedProvider, path: str, length: str
) -> None:
    said = served.said
    head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {TOKENS[0]}\r\n"
    for begin in ("", "5\r\n{"):
        with socket.create_connection(("127.0.0.1", served.port)) as connection:
            connection.sendall(f"{head}content-type: application/json\r\n{length}\r\n\r\n{begin}".encode())
            time.sleep(0.05)
    assert request("GET", f"{served.url}/v1/providers", headers=bearer(TOKENS[0])).status_code == 200
    time.sleep(0.2)
    assert served.said == said


def test_who_leaves_is_not_logged_by_an_application_of_one_s_own(
    server: Uvicorn, caplog: pytest.LogCaptureFixture, provider: Any
) -> None:
    head = f"POST /v1/panels HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {TOKENS[0]}\r\n"
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(f"{head}content-type: application/json\r\ncontent-length: 9\r\n\r\n{{".encode())
        time.sleep(0.1)
    wait_for(lambda: request("GET", f"{server.url}/healthz").status_code == 200)
    time.sleep(0.2)
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


def test_a_page_that_is_not_built_is_told_at_the_start(tmp_path: Path) -> None:
    with Serving(tmp_path, None) as served:
        is_there = httpx2.get(f"{served.url}/").status_code == 200
        assert ("the chat page is not built" in served.said) is not is_there
