"""What SECURITY.md says against each threat is tested: the tests that it names are there, and the ones below.

Each way of asking has connections of its own, so what must hold for a key is tried on all three.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import shutil
import socket
import ssl
import sys
import threading
import traceback
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx2
import pytest

import msgmodel.testing
import serving
from conftest import KEY, Async, Sync
from msgmodel import AsyncClient, AuthenticationError, Client, ReplyError
from msgmodel.http import tls_and_proxies
from msgmodel.server import Settings, create_app
from msgmodel.testing import ScriptedProvider
from msgmodel.testing.server import Cut, Script, ScriptedServer, Send
from msgmodel.testing.wires import reply
from serving import TOKENS, Serving, Uvicorn, bearer, certificate, opened, request

provider, module_provider = serving.provider, serving.module_provider  # fixtures
redis_server = serving.redis_server

HERE = Path(__file__).parents[1]
WAYS = ("sync", "async", "server")
MEGABYTE = 1 << 20


def test_the_page_names_tests_that_there_are() -> None:
    """Every test that SECURITY.md names is a test of this folder, and each of its threats names one."""
    page = (HERE.parent / "SECURITY.md").read_text("utf-8")
    code = "".join(path.read_text("utf-8") for path in HERE.rglob("test_*.py"))
    there = set(re.findall(r"^ *(?:async )?def (test_\w+)", code, re.MULTILINE))
    named = set(re.findall(r"`(test_\w+)`", page))
    assert len(named) > 40
    assert named <= there, named - there
    rows = [
        line for line in page.splitlines() if line.startswith("| ") and not line.startswith(("| threat", "| version"))
    ]
    threats = [row for row in rows if row.count("|") == 4]
    assert len(threats) > 25
    for row in threats:
        assert re.search(r"`test_\w+`", row), row


# --- who gets a key ---


def last(how: str, name: str) -> Any:
    """The terminal event of a reply whose provider, address and key are in the environment."""
    options: Any = {"max_retries": 0, "timeout": 5}
    if how == "sync":
        with Client() as client:
            return list(client.stream_panels(name, "hi", **options))[-1]
    if how == "async":

        async def ask() -> Any:
            async with AsyncClient() as client:
                return [event async for event in client.stream_panels(name, "hi", **options)][-1]

        return asyncio.run(ask())
    with Uvicorn(create_app()) as server:
        body = {"prompt": "hi", "panels": [{"provider": name}], "options": options}
        with opened("POST", f"{server.url}/v1/panels", json=body) as stream:
            return stream.rest()[-1].data


@pytest.fixture
def keyed(monkeypatch: pytest.MonkeyPatch, server: ScriptedServer) -> ScriptedServer:
    """A server to which the environment sends the questions of three providers, with a key."""
    for name in ("OPENAI", "ANTHROPIC", "GEMINI"):
        monkeypatch.setenv(f"{name}_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", server.url)
    return server


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("how", WAYS)
def test_a_redirect_is_not_followed(keyed: ScriptedServer, how: str, status: int) -> None:
    with ScriptedServer() as elsewhere:
        keyed.say(Script.json(status, {}, {"location": f"{elsewhere.url}/v1/chat/completions"}))
        assert last(how, "openai")["event"] == "panel_error"
        assert elsewhere.accepted == 0
    assert len(keyed.requests) == 1


@pytest.mark.parametrize("how", WAYS)
def test_a_password_for_the_same_host_stays_at_home(
    keyed: ScriptedServer, how: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Other programs' passwords, in ~/.netrc, are none of a provider's business."""
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password planted-password\n", "utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    for name, wire in (("openai", "openai_chat"), ("anthropic", "anthropic"), ("gemini", "gemini")):
        keyed.say(Script.body(reply(wire, ["Hello"])))  # type: ignore[arg-type]
        assert last(how, name)["event"] == "panel_final"
    said = [request.headers.get("authorization", "") for request in keyed.requests]
    assert [header for header in said if header.startswith("Basic")] == []


@pytest.mark.parametrize("how", WAYS)
def test_a_cookie_is_not_sent_back(keyed: ScriptedServer, how: str) -> None:
    """A pool serves many users; what a provider sets for one does not come back from another."""
    set_cookie = {"set-cookie": "session=of-the-first; path=/", "content-type": "text/event-stream"}
    keyed.say(Script(headers=set_cookie, steps=(Send(reply("openai_chat", ["Hello"])),)))
    if how == "server":
        with Uvicorn(create_app()) as server:
            for _ in range(2):
                with opened("POST", f"{server.url}/v1/panels", json={"prompt": "hi"}) as stream:
                    stream.rest()
    else:
        colour = Sync() if how == "sync" else Async()
        for _ in range(2):
            colour.panels("openai", "hi", max_retries=0)
        colour.close()
    assert len(keyed.requests) == 2
    assert all("cookie" not in request.headers for request in keyed.requests)


class Listener:
    """Takes one connection, and keeps what is said on it. certificate: of TLS; without, as a proxy that says yes."""

    def __init__(self, certificate: tuple[Path, Path] | None = None) -> None:
        self.heard = b""
        self.handshake = ""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(20)
        self._certificate = certificate
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._listen)

    def __enter__(self) -> Listener:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._thread.join()
        self._socket.close()

    def _listen(self) -> None:
        with suppress(TimeoutError):
            connection, _ = self._socket.accept()
            connection.settimeout(5)
            with connection, suppress(OSError):
                if self._certificate is None:
                    self.heard = connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                    self.heard += connection.recv(65536)
                    return
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(*self._certificate)
                try:
                    with context.wrap_socket(connection, server_side=True) as secured:
                        self.heard = secured.recv(65536)
                except ssl.SSLError as error:
                    self.handshake = str(error)


@pytest.mark.skipif(not shutil.which("openssl"), reason="makes the certificate")
@pytest.mark.parametrize("how", WAYS)
def test_a_certificate_of_an_unknown_authority(
    keyed: ScriptedServer, how: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The connection is refused before anything is said on it."""
    with Listener(certificate(tmp_path, "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")) as listener:
        monkeypatch.setenv("OPENAI_BASE_URL", f"https://127.0.0.1:{listener.port}/v1")
        event = last(how, "openai")
    assert (event["event"], event["code"]) == ("panel_error", "network")
    assert listener.heard == b""
    assert "certificate" in event["error"].lower()


@pytest.mark.skipif(not shutil.which("openssl"), reason="makes the certificate")
@pytest.mark.parametrize("how", WAYS)
def test_a_certificate_whose_host_is_in_its_common_name_alone(
    keyed: ScriptedServer, how: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An authority answers for the subjectAltName only, as browsers have it too (RFC 9525, section 2)."""
    paths = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(paths[0]))
    tls_and_proxies.shared_tls_context.cache_clear()
    try:
        with Listener(paths) as listener:
            monkeypatch.setenv("OPENAI_BASE_URL", f"https://localhost:{listener.port}/v1")
            event = last(how, "openai")
    finally:
        tls_and_proxies.shared_tls_context.cache_clear()
    assert (event["event"], event["code"]) == ("panel_error", "network")
    assert listener.heard == b""
    assert "hostname" in event["error"].lower()


@pytest.mark.parametrize("how", WAYS)
def test_a_proxy_sees_no_key(keyed: ScriptedServer, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told the host; all else goes through it encrypted."""
    for name in ("NO_PROXY", "no_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with Listener() as listener:
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{listener.port}")
        monkeypatch.setenv("OPENAI_BASE_URL", "https://provider.example/v1")
        assert last(how, "openai")["event"] == "panel_error"
    assert listener.heard.startswith(b"CONNECT provider.example:443 ")
    assert KEY.encode() not in listener.heard
    assert b"authorization" not in listener.heard.lower()


@pytest.mark.parametrize("key", [KEY, f"{KEY}\n x"], ids=["good", "bad"])
def test_local_variables_hold_no_key(keyed: ScriptedServer, colour: Sync | Async, key: str, monkeypatch: Any) -> None:
    """Error reporters show the local variables of every frame: with a key from the environment, none of ours has it."""
    monkeypatch.setenv("OPENAI_API_KEY", key)
    del key
    errors: list[BaseException] = []
    for script in (Script.json(401, {"error": {"message": "no"}}), Script(steps=(Send(b": \n\n"), Cut()))):
        keyed.say(script)
        try:
            colour.query("openai", "hi", max_retries=0)
        except (ReplyError, AuthenticationError) as error:
            errors.append(error)
    assert len(errors) == 2
    for error in errors:
        frames = traceback.TracebackException.from_exception(error, capture_locals=True)
        ours = [frame for frame in _frames(frames) if "/msgmodel/" in frame.filename.replace("\\", "/")]
        assert ours
        assert [frame for frame in ours if KEY in repr(frame.locals)] == []


def test_the_debug_switch_of_http_client_shows_no_key(
    keyed: ScriptedServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Many turn it on for other libraries; it prints every header to standard output."""
    monkeypatch.setattr(HTTPConnection, "debuglevel", 1)
    keyed.say(Script.body(reply("openai_chat", ["Hello"])))
    for how in WAYS:
        last(how, "openai")
    shown = capsys.readouterr()
    assert KEY not in shown.out + shown.err


def _frames(shown: traceback.TracebackException) -> Iterator[traceback.FrameSummary]:
    yield from shown.stack
    for inner in (shown.__cause__, shown.__context__):
        if inner is not None:
            yield from _frames(inner)


# --- what a reply may cost ---


LONG = "x" * 300_000
TOOL = {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}}
ASKED: dict[str, dict[str, Any]] = {
    "/v1/panels": {
        "prompt": "hi",
        "messages": [
            {"role": "user", "content": [{"type": "file", "name": "a.txt", "data": "aGk="}]},
            {"role": "assistant", "content": [{"type": "tool_call", "id": "c", "name": "f", "arguments": "{}"}]},
            {"role": "tool", "content": [{"type": "tool_result", "tool_call_id": "c", "content": "x"}]},
        ],
        "panels": [{"panel_id": "p", "provider": "openai", "model": "gpt-5"}],
        "files": [{"name": "a.txt", "data": "aGk="}],
        "options": {"reasoning": "low", "tools": [TOOL], "tool_choice": "auto", "fallbacks": ["anthropic"]},
    },
    "/adapters/ai-sdk/chat": {
        "id": "chat",
        "trigger": "submit-message",
        "messages": [{"id": "m", "role": "user", "parts": [{"type": "text", "text": "hi"}]}],
        "provider": "openai",
        "panels": [{"panel_id": "p"}],
    },
    "/adapters/ag-ui": {
        "threadId": "t",
        "runId": "r",
        "messages": [{"id": "m", "role": "user", "content": "hi"}],
        "tools": [TOOL],
        "forwardedProps": {"provider": "openai"},
    },
    "/v1/chat/completions": {
        "model": "openai/gpt-5",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        "tools": [{"type": "function", "function": TOOL}],
        "tool_choice": "auto",
        "response_format": {"type": "text"},
        "stream": True,
    },
}


def lengthened(value: Any) -> Iterator[Any]:
    """The value with one string, one name of a field or one item in it that is long."""
    if isinstance(value, dict):
        for name in value:
            yield from (value | {name: each} for each in (*lengthened(value[name]), [LONG], {LONG: 1}))
        yield value | {LONG: 1}
    elif isinstance(value, list):
        for at in range(len(value)):
            yield from ([*value[:at], each, *value[at + 1 :]] for each in lengthened(value[at]))
        yield [*value, LONG]
    else:
        yield LONG


@pytest.mark.parametrize("path", ASKED)
def test_answers_quote_little_of_a_request(
    provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Neither in an error nor in each event of a stream."""
    for name, value in provider.environment().items():
        monkeypatch.setenv(name, value)
    with Uvicorn(create_app()) as server:
        for body in (ASKED[path], *lengthened(ASKED[path])):
            answer = httpx2.post(server.url + path, json=body, timeout=60)
            assert answer.status_code < 500
            assert len(answer.content) < 20_000, answer.text[:200]
        assert httpx2.post(server.url + path, json=ASKED[path], timeout=60).status_code == 200


@pytest.mark.parametrize(
    "more",
    [
        *(
            {name: LONG}
            for name in ("provider", "model", "reasoning", "tool_choice", "temperature", "max_tokens", "timeout")
        ),
        *({name: LONG} for name in ("files", "tools", "fallbacks", "messages", "max_retries", "deadline", LONG)),
        *({"tools": each} for each in ([{"name": LONG}], [LONG], [{"name": [LONG] * 100}])),
        *({"files": each} for each in ([(LONG, b"\0")], [(LONG + ".exe", b"MZ\0")], [(LONG, LONG)])),
        {"fallbacks": [("openai", LONG)]},
        {"fallbacks": [LONG]},
        {"messages": [{"role": LONG, "content": "x"}]},
        {"messages": [{"role": "user", "content": [{"type": LONG}]}]},
        {"messages": [{"role": "tool", "tool_call_id": LONG, "content": "x"}]},
        {"config": msgmodel.OpenAIConfig(headers={LONG + " ": "x"})},
        {"config": msgmodel.OpenAIConfig(stop=LONG)},  # type: ignore[arg-type]
        {"config": msgmodel.OpenAIConfig(base_url=LONG)},
        {"config": msgmodel.OpenAIConfig(api=LONG)},  # type: ignore[arg-type]
        {"temperature": 10**100_000},  # more digits than Python writes
        {"panel_id": LONG.encode()},
    ],
)
def test_errors_at_the_call_quote_little(keyed: ScriptedServer, colour: Sync | Async, more: dict[str, Any]) -> None:
    with pytest.raises((msgmodel.MsgModelError, TypeError)) as raised:
        colour.panels(**{"provider": "openai", "prompt": "hi"} | more)
    assert len(str(raised.value)) < 5000


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """150 MB of one line, in 150 kB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packer.compress(b"x" * MEGABYTE) for _ in range(150)) + packer.flush()


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("how", WAYS)
def test_what_unpacks_to_a_thousand_times_its_size(keyed: ScriptedServer, how: str, status: int, bomb: bytes) -> None:
    """It was not asked for; it is unpacked in pieces, and no further than the limit of an event."""
    headers = {"content-type": "text/event-stream", "content-encoding": "gzip"}
    keyed.say(Script(status=status, headers=headers, framing="close", steps=(Send(bomb),)))
    tracemalloc.start()
    try:
        event = last(how, "openai")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert event["event"] == "panel_error"
    assert event["code"] in (("protocol", "interrupted") if status == 200 else ("server",))
    assert peak < 110 * MEGABYTE


# --- what a request may cost, and say ---


def memory(server: Serving, name: str) -> int:
    """MB that a server's process has (`VmRSS`), or had at most (`VmHWM`)."""
    status = Path(f"/proc/{server.process.pid}/status").read_text("utf-8")
    found = re.search(rf"{name}:\s+(\d+) kB", status)
    assert found
    return int(found[1]) // 1024


def text_parts(count: int) -> list[Any]:
    return [
        {"id": f"{n}", "role": "user", "content": "x", "parts": [{"type": "text", "text": "x"}]} for n in range(count)
    ]


def costly() -> Iterator[tuple[str, bytes]]:
    """Requests whose cost grew faster than they do."""
    panels = [{"panel_id": f"p{number}"} for number in range(10_000)]
    body = {"id": "c", "threadId": "t", "runId": "r", "messages": text_parts(200), "panels": panels}
    yield "/adapters/ai-sdk/chat", json.dumps(body).encode()
    yield "/adapters/ag-ui", json.dumps(body | {"forwardedProps": {"panels": panels}}).encode()
    same: list[Any] = [{"type": "tool_call", "id": "a", "name": "f", "arguments": "{}"}] * 8_000
    yield "/v1/panels", json.dumps({"messages": [{"role": "assistant", "content": same}]}).encode()
    calls = [{"type": "tool_call", "id": f"{n}", "name": "f", "arguments": "{}"} for n in range(20_000)]
    results = [{"type": "tool_result", "tool_call_id": f"{n}", "content": "x"} for n in reversed(range(20_000))]
    conversation = [{"role": "assistant", "content": calls}, {"role": "tool", "content": results}]
    yield "/v1/panels", json.dumps({"messages": conversation, "prompt": "x"}).encode()
    yield "/v1/panels", b'{"prompt": "x", "panels": [' + b"{}," * 10 * MEGABYTE + b"{}]}"
    yield "/v1/panels", b'{"messages": [{"role": "user", "content": [' + b"[]," * 10 * MEGABYTE + b"1]}]}"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_one_request_may_cost(provider: ScriptedProvider, tmp_path: Path) -> None:
    """Each is answered soon, and none takes the memory of thirty others."""
    with Serving(tmp_path, provider) as server:
        for path, body in costly():
            head = {"content-type": "application/json"}
            answer = request("POST", server.url + path, content=body, headers=head, timeout=10.0)
            assert answer.status_code in (200, 400, 413, 422), (path, body[:60])
        assert memory(server, "VmHWM") < 700


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_is_kept_of_a_request(provider: ScriptedProvider, tmp_path: Path) -> None:
    """The name of a chat may be as long as its request; what is kept for its resumption is not."""
    provider.say("Hello")
    with Serving(tmp_path, provider) as server:
        before = 0
        for number in range(5):
            body = {"id": f"{number}" + "c" * 20 * MEGABYTE, "messages": text_parts(1)}
            request("POST", f"{server.url}/adapters/ai-sdk/chat", json=body)
            before = before or memory(server, "VmRSS")
        assert memory(server, "VmRSS") < before + 50


def test_nothing_in_a_request_says_where_to_ask(provider: ScriptedProvider) -> None:
    """A client chooses among what the server offers: it brings no address, no key, no header and no path of a file."""
    provider.say("Hello")
    with (
        ScriptedServer() as elsewhere,
        pytest.MonkeyPatch.context() as patch,
        Uvicorn(create_app()) as server,
    ):
        for name, value in provider.environment().items():
            patch.setenv(name, value)
        config = {"base_url": elsewhere.url, "api_key": "x"}
        brought = [
            config,
            {"config": config},
            {"headers": {"x": "y"}},
            {"http_client": "x"},
            {"file_like": "/etc/passwd"},
        ]
        message = {"id": "1", "role": "user", "content": "hi", "parts": [{"type": "text", "text": "hi"}]}
        base = {"id": "c", "threadId": "t", "runId": "r", "model": "openai", "messages": [message]}
        for more, path in itertools.product(
            brought, ("/v1/panels", "/v1/chat/completions", "/adapters/ai-sdk/chat", "/adapters/ag-ui")
        ):
            own = {"prompt": "hi"} if path == "/v1/panels" else base
            for body in (own | more, own | {"options": more}, own | {"panels": [{"provider": "openai"} | more]}):
                request("POST", server.url + path, json=body)
                request("POST", server.url + path, json=own | {"forwardedProps": body})
        link = f"{elsewhere.url}/secret.png"
        for part in (
            {"type": "image_url", "image_url": {"url": link}},
            {"type": "file", "url": link, "mediaType": "image/png"},
            {"type": "image", "source": {"type": "url", "value": link}},
            {"type": "file", "name": "a", "data": link},
            {"type": "file", "name": "a", "path": "/etc/passwd"},
        ):
            for path in ("/v1/panels", "/v1/chat/completions", "/adapters/ai-sdk/chat", "/adapters/ag-ui"):
                asked = base | {"messages": [message | {"content": [part], "parts": [part]}]}
                own = {"messages": [{"role": "user", "content": [part]}]} if path == "/v1/panels" else asked
                assert request("POST", server.url + path, json=own).status_code in (400, 422), (path, part)
        assert elsewhere.accepted == 0
    assert not any(b"root:" in each.body for each in provider.requests)


def test_a_key_of_idempotency_is_its_owner_s(provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that guesses another user's gets a stream of its own."""
    provider.say("a secret of Alice", "Hello Bob")
    for name, value in provider.environment().items():
        monkeypatch.setenv(name, value)
    with Uvicorn(create_app(Settings(tokens=TOKENS))) as server:
        found = []
        for token in TOKENS:
            headers = bearer(token) | {"idempotency-key": "1"}
            with opened("POST", f"{server.url}/v1/panels", json={"prompt": "hi"}, headers=headers) as stream:
                found.append((stream.response.headers["x-stream-id"], stream.rest()[-1].data["content"]))
    assert found[0][0] != found[1][0]
    assert [content for _, content in found] == ["a secret of Alice", "Hello Bob"]


def test_numbers_of_streams_can_not_be_guessed(provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are long, and none has to do with another."""
    provider.say("Hello")
    for name, value in provider.environment().items():
        monkeypatch.setenv(name, value)
    with Uvicorn(create_app()) as server:
        ids = []
        for _ in range(20):
            with opened("POST", f"{server.url}/v1/panels", json={"prompt": "hi"}) as stream:
                ids.append(stream.response.headers["x-stream-id"])
    assert len(set(ids)) == 20
    assert min(map(len, ids)) >= 24
    assert (
        max(sum(a == b for a, b in zip(one, other, strict=True)) for one, other in itertools.combinations(ids, 2)) < 8
    )


def test_the_library_runs_nothing(keyed: ScriptedServer, colour: Sync | Async) -> None:
    """A model that calls a tool gets it called by the application, or not at all."""
    ran: list[str] = []

    def delete(path: str) -> None:
        """Deletes a file."""
        ran.append(path)

    keyed.say(Script.body(reply("openai_chat", [], tool_calls=[{"name": "delete", "arguments": {"path": "/"}}])))
    found = colour.panels("openai", "hi", tools=[delete], max_retries=0, config=msgmodel.OpenAIConfig(api="chat"))
    assert found[-1]["event"] == "panel_final"
    assert found[-1]["status"] == "tool_calls"
    assert ran == []


def test_redis_holds_no_key_and_no_token(
    redis_server: Any, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor the prompt: what is there is what the model says, and a digest of the token."""
    from msgmodel.server.redis_log import RedisLog

    provider.say("said by the model")
    for name, value in provider.environment().items():
        monkeypatch.setenv(name, value)
    with Uvicorn(create_app(Settings(tokens=TOKENS), RedisLog(redis_server.url))) as server:
        body = {"prompt": "a planted prompt", "id": "c", "messages": text_parts(1)}
        for path in ("/v1/panels", "/adapters/ai-sdk/chat"):
            own = {"prompt": "a planted prompt"} if path == "/v1/panels" else body
            assert request("POST", server.url + path, json=own, headers=bearer(TOKENS[0])).status_code == 200
        kept = []
        reading = {
            b"hash": ["HGETALL"],
            b"list": ["LRANGE", "0", "-1"],
            b"set": ["SMEMBERS"],
            b"stream": ["XRANGE", "-", "+"],
            b"string": ["GET"],
            b"zset": ["ZRANGE", "0", "-1", "WITHSCORES"],
        }
        for name in redis_server.ask("KEYS", "*"):
            kind = redis_server.ask("TYPE", name.decode())
            if kind != b"none":  # some keys live for a second only, or as long as a reader
                command, *more = reading[kind]
                kept.append(repr((name, redis_server.ask(command, name.decode(), *more))))
    assert "said by the model" in "".join(kept)
    for secret in (*TOKENS, msgmodel.testing.KEY, "planted prompt"):
        assert secret not in "".join(kept)
