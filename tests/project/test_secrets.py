"""A key goes into one header of one request, and appears nowhere else.

Rule: whatever a test here makes, it hands to `Seen`, with every log record of every library at every level; none of it
may hold the planted key, nor the half of it that a clumsy cut would leave. One exception: the HTTP library, at DEBUG,
logs the headers of a response as they came, so where a test's server puts the key there, the logs are left out.
"""

from __future__ import annotations

import contextlib
import json
import logging
import pickle
import socket
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

import msgmodel
from conftest import KEY, PROVIDER, Async, Sync, config
from msgmodel import (
    AnthropicConfig,
    AsyncClient,
    AuthenticationError,
    Client,
    ConfigurationError,
    GeminiConfig,
    OpenAIConfig,
    ReplyError,
)
from msgmodel.testing.errors import error_body, error_event
from msgmodel.testing.server import Cut, Pause, Reset, Script, ScriptedServer, Send, Stall
from msgmodel.testing.wires import WIRES, Wire, events, reply

Colour = Sync | Async

HALF = KEY[:16]
"""The key cut off, as where a long message is."""

HEADER = {
    "openai_chat": "authorization",
    "openai_responses": "authorization",
    "anthropic": "x-api-key",
    "gemini": "x-goog-api-key",
}
CONFIGS = {"openai": OpenAIConfig, "anthropic": AnthropicConfig, "gemini": GeminiConfig}
STATUSES = [307, 400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504, 529]
ECHO = f"Bad key {KEY}. You sent Authorization: Bearer {KEY}, x-api-key: {KEY}, to https://x.test/v1?key={KEY}&a=1 "


class Seen:
    """Everything that came out of the library in a test."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog
        self._secrets = [HALF]

    def secret(self, secret: str) -> None:
        """Another text that may appear nowhere."""
        self._secrets.append(secret)

    def check(self, *values: object) -> None:
        """None of the values, and no log record, shows a secret."""
        self.check_values(*values)
        for record in self._caplog.records:
            self._check(f"{record.name} {record.getMessage()} {record.args} {record.exc_info} {record.__dict__}")
        self._check(self._caplog.text)

    def check_values(self, *values: object) -> None:
        """None of the values shows a secret, in any way in which one looks at a value."""
        for value in values:
            self._check(repr(value))
            self._check(str(value))
            self._check(f"{value}")
            if isinstance(value, dict):
                self._check(json.dumps(value, ensure_ascii=False))
            if isinstance(value, BaseException):
                self._check_exception(value)

    def _check_exception(self, error: BaseException) -> None:
        # A traceback holds the source lines: they are ours, and have no key in them.
        self._check("".join(traceback.format_exception(error)))
        self._check("".join(traceback.TracebackException.from_exception(error, compact=False).format(chain=True)))
        self._check(repr(vars(error)) + repr(error.args))
        for nested in (error.__cause__, error.__context__):
            if nested is not None:
                self._check(repr(nested) + str(nested) + repr(vars(nested)))
                self._check_exception(nested)
        if isinstance(error, ReplyError):
            again = pickle.loads(pickle.dumps(error))
            assert (type(again), again.event) == (type(error), error.event)

    def _check(self, text: str) -> None:
        for secret in self._secrets:
            assert secret not in text


@pytest.fixture
def seen(caplog: pytest.LogCaptureFixture) -> Iterator[Seen]:
    """Listens to all loggers at all levels, also to those that were made with a level of their own."""
    with contextlib.ExitStack() as stack:
        for name in (None, "httpx2", "httpcore2", "httpx", "httpcore", "asyncio", "msgmodel", "msgspec"):
            stack.enter_context(caplog.at_level(logging.NOTSET, name))
        logging.getLogger().setLevel(1)
        yield Seen(caplog)


def outcomes(colour: Colour, wire: Wire, url: str, timeout: float = 5, **fields: Any) -> list[Any]:
    """All that a user can get from one server: events, text, reply, exceptions."""
    found: list[Any] = []
    chosen = config(wire, url, api_key=KEY, headers={"x-extra": KEY}, **fields)
    options: Any = {"config": chosen, "timeout": timeout, "max_retries": 0}
    found += colour.panels(PROVIDER[wire], "hi", **options)
    try:
        found.append(colour.query(PROVIDER[wire], "hi", KEY, **options))
    except ReplyError as error:
        found.append(error)
    return [*found, chosen]


# --- the good case: where the key is, and where it is not ---


@pytest.mark.parametrize("wire", WIRES)
def test_success(seen: Seen, colour: Colour, server: ScriptedServer, wire: Wire) -> None:
    server.say(Script.body(reply(wire, ["Hello"])))
    found = outcomes(colour, wire, server.url)
    seen.check(*found)
    assert found[1]["event"] == "panel_final"
    for request in server.requests:
        assert KEY in request.headers[HEADER[wire]]
        assert HALF not in request.path
        assert HALF.encode() not in request.body
        del request.headers[HEADER[wire]], request.headers["x-extra"]
        assert HALF not in repr(request.headers)


@pytest.mark.parametrize("wire", WIRES)
def test_key_from_the_environment_or_a_file(
    seen: Seen, colour: Colour, server: ScriptedServer, wire: Wire, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    row = msgmodel.providers.PROVIDERS[PROVIDER[wire]]
    server.say(Script.json(401, {"error": {"message": ECHO}}))
    options: Any = {"config": config(wire, server.url), "max_retries": 0}
    (tmp_path / row.key_file).write_text(f"\ufeff{KEY}\n", "utf-8")
    seen.check(*colour.panels(PROVIDER[wire], "hi", **options))
    for name in row.keys:
        monkeypatch.setenv(name, f" {KEY}\n")
        seen.check(*colour.panels(PROVIDER[wire], "hi", **options))
        monkeypatch.delenv(name)
    assert len(server.requests) == 1 + len(row.keys)
    assert all(KEY in repr(request.headers) for request in server.requests)


def test_objects(seen: Seen) -> None:
    """A config shows itself in the log of many a program."""
    for made in CONFIGS.values():
        seen.check(made(api_key=KEY, headers={"authorization": KEY}, body={"key": KEY}))
    seen.check(Client(), AsyncClient(), Client)


def test_the_repr_of_a_reply_shows_no_content(seen: Seen, colour: Colour, server: ScriptedServer) -> None:
    """Not a key, but private all the same: a log or a debugger shows the repr of what it finds."""
    server.say(Script.body(reply("openai_chat", ["My password is swordfish."])))
    response = colour.query("openai", "hi", KEY, config=config("openai_chat", server.url))
    assert response.text == "My password is swordfish."
    seen.secret("swordfish")
    seen.check(repr(response), [response], {response.model: repr(response)}, f"{[response]}")


# --- the server says the key back ---


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("wire", WIRES)
def test_status(seen: Seen, colour: Colour, server: ScriptedServer, wire: Wire, status: int) -> None:
    """In the shape of the provider, in every field that is read or might be."""
    detail = {"@type": "x", "reason": KEY, "error_code": KEY, "violations": [{"quotaId": KEY}], "retryDelay": KEY}
    error = {"message": ECHO, "type": KEY, "code": KEY, "param": KEY, "status": KEY, "details": [detail]}
    body = {"type": "error", "error": error | {"metadata": {"error_type": KEY}}}
    server.say(Script.json(status, body))
    found = outcomes(colour, wire, server.url)
    seen.check(*found)
    assert found[0]["status_code"] == status
    assert "[key]" in found[0]["error"]


@pytest.mark.parametrize("status", [200, 307, 401, 429])
@pytest.mark.parametrize("wire", WIRES)
def test_headers(seen: Seen, colour: Colour, server: ScriptedServer, wire: Wire, status: int) -> None:
    """In every header that is read or might be, and as the id of the request."""
    echoed = ("x-request-id", "request-id", "retry-after", "retry-after-ms", "x-should-retry", "location", "set-cookie")
    body = {"type": "error", "error": {"message": ECHO}, "request_id": f"req {KEY}"}
    server.say(Script.json(status, body, dict.fromkeys(echoed, KEY)))
    found = outcomes(colour, wire, server.url)
    seen.check_values(*found)
    assert found[0]["event"] == "panel_error"


TOKEN = "tok-of-a-gateway-0123456789"


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"headers": {"Authorization": f"Bearer {TOKEN}"}}, TOKEN),
        ({"headers": {"Proxy-Authorization": f"Basic {TOKEN}"}}, TOKEN),
        ({"headers": {"x-a": TOKEN[:12], "x-b": TOKEN}}, TOKEN),  # one begins with the other
        ({"query": f"?key={TOKEN}"}, TOKEN),
    ],
)
def test_what_goes_along_with_the_key(
    seen: Seen, colour: Colour, server: ScriptedServer, how: dict[str, Any], said: str
) -> None:
    """A provider quotes the token alone, without the word before it."""
    server.say(Script.json(401, {"error": {"message": f"Incorrect API key provided: {said}"}}))
    url = f"{server.url}/v1{how.get('query', '')}"
    made = msgmodel.OpenAIConfig(api_key=KEY, base_url=url, model="m", headers=how.get("headers", {}))
    (last,) = colour.panels("openai", "hi", config=made, max_retries=0)
    assert last["error"].startswith("openai (HTTP 401): Incorrect API key provided: [key]")
    seen.secret(TOKEN[12:])
    seen.check(last)


BODIES = {
    "html": f"<html><title>502</title><body>{ECHO}</body></html>".encode(),
    "text": ECHO.encode(),
    "json text": json.dumps(ECHO).encode(),
    "error text": json.dumps({"error": ECHO}).encode(),
    "message": json.dumps({"message": ECHO}).encode(),
    "detail": json.dumps({"detail": [{"msg": ECHO, "input": KEY}]}).encode(),
    "list": json.dumps([{"error": {"message": ECHO}}]).encode(),
    "half": json.dumps({"error": {"message": ECHO}})[:-9].encode(),
    "long": json.dumps({"error": {"message": "x" * 590 + KEY + "x" * 900}}).encode(),
    "in capitals": json.dumps({"error": {"message": f"authorization: BEARER {KEY}"}}).encode(),
}


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("status", [200, 401, 502])
@pytest.mark.parametrize("wire", ["openai_chat", "gemini"])
def test_bodies(seen: Seen, colour: Colour, server: ScriptedServer, wire: Wire, status: int, body: str) -> None:
    server.say(
        Script(status=status, headers={"content-type": "text/html"}, framing="length", steps=(Send(BODIES[body]),))
    )
    found = outcomes(colour, wire, server.url)
    seen.check(*found)
    assert found[0]["event"] == "panel_error"


@pytest.mark.parametrize("before", [True, False], ids=["after text", "first"])
@pytest.mark.parametrize("wire", WIRES)
def test_error_event(seen: Seen, colour: Colour, server: ScriptedServer, wire: Wire, before: bool) -> None:
    first = b"".join(events(wire, ["Hello"])[:4]) if before else b""
    words = json.dumps(error_body(wire, 500)[1]["error"]["message"])[1:-1].encode()
    event = error_event(wire)
    for message in (words, b"Overloaded", b"The model is overloaded. Please try again later."):
        event = event.replace(message, json.dumps(ECHO)[1:-1].encode())
    assert KEY.encode() in event
    server.say(Script.body(first + event))
    found = outcomes(colour, wire, server.url)
    seen.check(*found)
    assert "[key]" in next(event for event in found if event["event"] == "panel_error")["error"]


def test_failed_response(seen: Seen, colour: Colour, server: ScriptedServer) -> None:
    failed = {"type": "response.failed", "response": {"error": {"code": KEY, "message": ECHO}}}
    server.say(Script.body(b"data: %b\n\n" % json.dumps(failed).encode()))
    seen.check(*outcomes(colour, "openai_responses", server.url))


FAULTS = {
    "malformed": Script.body(f"data: {{{ECHO}}}\n\n".encode()),
    "wrong type": Script.body(f'data: {{"choices": "{KEY}", "type": 1, "candidates": "{KEY}"}}\n\n'.encode()),
    "no field": Script.body(f"{KEY}\n\n".encode()),
    "a field": Script.body(f"{KEY}: {KEY}\nevent: {KEY}\nid: {KEY}\n: {KEY}\n\n".encode()),
    "half an event": Script.body(f"data: {ECHO}".encode()),
    "cut": Script(steps=(Send(f": {KEY}\n\n".encode()), Cut())),
    "reset": Script(steps=(Send(f": {KEY}\n\n".encode()), Pause(0.02), Reset())),
    "length": Script(framing="length", steps=(Send(f": {KEY}\n\n".encode()), Cut())),
    "bad encoding": Script(headers={"content-encoding": "gzip"}, framing="close", steps=(Send(KEY.encode()),)),
    "no answer": Script(close_before_headers=True),
}
HTTP_FAULTS = {
    "reset": Script(headers={"content-type": KEY, "x-echo": KEY}, steps=(Reset(),)),
    "bad length": Script(headers={"content-length": KEY}, framing="close"),
    "bad chunks": Script(
        headers={"transfer-encoding": "chunked"}, framing="close", steps=(Send(f"{KEY}\r\n".encode()),)
    ),
    "bad header": Script(headers={f"{KEY} {KEY}": "x"}),
    "bad encoding": Script(headers={"content-encoding": KEY}, steps=(Send(b"x"),)),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("wire", WIRES)
def test_fault(seen: Seen, colour: Colour, server: ScriptedServer, wire: Wire, fault: str) -> None:
    server.say(FAULTS[fault])
    found = outcomes(colour, wire, server.url)
    seen.check(*found)
    assert found[0]["event"] == "panel_error"


@pytest.mark.parametrize("fault", HTTP_FAULTS)
def test_fault_of_http(seen: Seen, colour: Colour, server: ScriptedServer, fault: str) -> None:
    server.say(HTTP_FAULTS[fault])
    found = outcomes(colour, "openai_chat", server.url)
    seen.check_values(*found)
    assert found[0]["event"] == "panel_error"


@pytest.mark.parametrize("script", [Script(stall_before_headers=True), Script(steps=(Stall(),))], ids=["head", "body"])
@pytest.mark.parametrize("wire", WIRES)
def test_stall(seen: Seen, colour: Colour, server: ScriptedServer, wire: Wire, script: Script) -> None:
    server.say(script)
    found = outcomes(colour, wire, server.url, timeout=0.1)
    seen.check(*found)
    assert found[0]["code"] == "timeout"


@pytest.mark.parametrize("wire", WIRES)
def test_connection_refused(seen: Seen, colour: Colour, wire: Wire) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    found = outcomes(colour, wire, f"http://127.0.0.1:{port}")
    seen.check(*found)
    assert found[0]["code"] == "network"


def test_unknown_host(seen: Seen, colour: Colour) -> None:
    found = outcomes(colour, "openai_chat", "http://nowhere.invalid")
    seen.check(*found)
    assert found[0]["code"] == "network"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("wire", WIRES)
def test_redirect(seen: Seen, colour: Colour, server: ScriptedServer, wire: Wire, status: int) -> None:
    """No other host gets the key, and the address that it would have gone to is named without its query."""
    with ScriptedServer() as elsewhere:
        server.say(Script.json(status, {}, {"location": f"{elsewhere.url}/x?key={KEY}"}))
        found = outcomes(colour, wire, server.url)
        assert elsewhere.requests == []
    seen.check_values(*found)
    assert found[0]["status_code"] == status


@pytest.mark.parametrize("wire", WIRES)
def test_retries(seen: Seen, colour: Colour, server: ScriptedServer, wire: Wire) -> None:
    server.say(Script.json(503, {"error": {"message": ECHO}}, {"retry-after-ms": "1"}), Script())
    seen.check(*colour.panels(PROVIDER[wire], "hi", KEY, config=config(wire, server.url), max_retries=1))
    assert len(server.requests) == 2


# --- keys that can't be sent ---

BAD_KEYS = {
    "new line": f"{KEY}\nx",
    "carriage return": f"{KEY}\r\nhost: x",
    "space": f"{KEY} x",
    "tab": f"{KEY}\tx",
    "not ASCII": f"{KEY}é",
    "zero width": f"\u200b{KEY}",
    "NUL": f"{KEY}\x00",
    "quotes": f"\u201c{KEY}\u201d",
    "half a character": f"{KEY}\ud800",
}


@pytest.mark.parametrize("what", BAD_KEYS)
@pytest.mark.parametrize("wire", WIRES)
def test_key_that_no_header_can_hold(
    seen: Seen, colour: Colour, server: ScriptedServer, wire: Wire, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said at the call, where the key is from, and not what it is."""
    row = msgmodel.providers.PROVIDERS[PROVIDER[wire]]
    key = BAD_KEYS[what]
    for arguments in ({"api_key": key}, {"config": config(wire, server.url, api_key=key)}):
        with pytest.raises(AuthenticationError) as refused:
            colour.panels(PROVIDER[wire], "hi", **{"config": config(wire, server.url)} | arguments)
        assert "api_key" in str(refused.value)
        seen.check(refused.value)
    if "\x00" not in key and "\ud800" not in key:
        name = next(iter(row.keys))
        monkeypatch.setenv(name, key)
        with pytest.raises(AuthenticationError) as refused:
            colour.panels(PROVIDER[wire], "hi", config=config(wire, server.url))
        assert name in str(refused.value)
        seen.check(refused.value)
    assert server.requests == []


def test_key_that_is_no_text(seen: Seen, colour: Colour) -> None:
    for key in (KEY.encode(), [KEY], {"key": KEY}):
        with pytest.raises(ConfigurationError) as refused:
            colour.panels("openai", "hi", key)
        seen.check(refused.value)


@pytest.mark.parametrize(
    "headers", [{"x-key": f"{KEY}\n"}, {"x-key": f"{KEY}é"}, {"x-key": KEY.encode()}], ids=["line", "accent", "bytes"]
)
def test_header_that_cannot_be_sent(seen: Seen, colour: Colour, headers: Any) -> None:
    with pytest.raises(ConfigurationError) as refused:
        colour.panels("openai", "hi", KEY, config=OpenAIConfig(headers=headers))
    seen.check(refused.value)


def test_body_that_cannot_be_sent(seen: Seen, colour: Colour) -> None:
    with pytest.raises(ConfigurationError) as refused:
        colour.panels("openai", "hi", KEY, config=OpenAIConfig(body={"x": {KEY}, "y": object()}))
    seen.check(refused.value)


# --- keys in addresses ---


@pytest.mark.parametrize(
    "address",
    [
        "https://user:{}@example.com/v1",
        "https://{}@example.com/v1",
        "https://example.com/v1#{}",
        "ftp://user:{}@example.com/v1",
        "https://user:{}@/v1",
        "{}",
        "https://[{}/v1",
        "https://example.com:{}/v1",
    ],
)
@pytest.mark.parametrize("provider", CONFIGS)
def test_address_with_a_password(seen: Seen, colour: Colour, provider: str, address: str) -> None:
    """Refused at the call, and not shown."""
    with pytest.raises(ConfigurationError) as refused:
        colour.panels(provider, "hi", "x", config=CONFIGS[provider](base_url=address.format(KEY)), max_retries=0)
    seen.check(refused.value)


@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini"])
def test_address_with_a_password_in_the_environment(
    seen: Seen, colour: Colour, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable = msgmodel.providers.PROVIDERS[provider].base_url_variable
    monkeypatch.setenv(variable, f"https://user:{KEY}@example.com/v1")
    with pytest.raises(ConfigurationError) as refused:
        colour.panels(provider, "hi", "x")
    seen.check(refused.value)


@pytest.mark.parametrize("what", ["refused", "status", "stall", "cut", "redirect", "success"])
def test_address_with_a_query(colour: Colour, server: ScriptedServer, what: str) -> None:
    """The query goes to the server (Azure's `api-version`), and into nothing that comes out."""
    url = server.url
    if what == "refused":
        with socket.create_server(("127.0.0.1", 0)) as listener:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    address = f"{url}/v1?code={KEY}"
    server.say(
        {
            "refused": Script(),
            "status": Script.json(404, {"error": {"message": f"nothing at {address}"}}),
            "stall": Script(stall_before_headers=True),
            "cut": Script(steps=(Cut(),)),
            "redirect": Script.json(307, {}, {"location": f"/v2?code={KEY}"}),
            "success": Script.body(reply("openai_chat", ["Hello"])),
        }[what]
    )
    found = colour.panels("openai", "hi", "x", config=OpenAIConfig(base_url=address), timeout=0.3, max_retries=0)
    for event in found:
        assert HALF not in json.dumps(event)
    assert all(request.path.endswith(f"/v1/chat/completions?code={KEY}") for request in server.requests)
    assert len(server.requests) == (what != "refused")
