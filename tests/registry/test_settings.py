"""Keys and addresses: where they are looked for, in which order, and what is said when there is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx2
import pytest

import msgmodel
from conftest import KEY, PROVIDER, Async, Sync, config
from msgmodel import AnthropicConfig, AuthenticationError, ConfigurationError, GeminiConfig, OpenAIConfig
from msgmodel.http import tls_and_proxies
from msgmodel.providers import PROVIDERS
from msgmodel.registry.privacy import host_for_clients
from msgmodel.testing import wires as replies
from msgmodel.testing.server import Script, ScriptedServer


def key_of(server: ScriptedServer, wire: str = "openai_chat", **kwargs: Any) -> str:
    """The key that a call sends."""
    server.say(Script.body(replies.reply(wire, ["ok"])))
    fields = {"api_key": kwargs.pop("config_key")} if "config_key" in kwargs else {}
    msgmodel.query(PROVIDER[wire], "hi", config=config(wire, server.url, **fields), **kwargs)
    headers = server.requests[-1].headers
    return headers.get("authorization") or headers.get("x-goog-api-key") or headers.get("x-api-key") or ""


def test_order(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert key_of(server) == ""  # a server of one's own may need no key
    Path("openai-api.key").write_text("\ufefffrom-file\n", "utf-8")
    assert key_of(server) == "Bearer from-file"
    monkeypatch.setenv("OPENAI_API_KEY", "  from-variable\n")
    assert key_of(server) == "Bearer from-variable"
    assert key_of(server, config_key=" from-config ") == "Bearer from-config"
    assert key_of(server, config_key="from-config", api_key="\tfrom-argument ") == "Bearer from-argument"
    assert key_of(server, api_key="  ") == "Bearer from-variable"


def test_google_variable_goes_first(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "second")
    assert key_of(server, "gemini") == "second"
    monkeypatch.setenv("GOOGLE_API_KEY", "first")
    assert key_of(server, "gemini") == "first"


@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini"])
def test_a_missing_key_names_every_place(provider: str) -> None:
    row = PROVIDERS[provider]
    with pytest.raises(AuthenticationError) as caught:
        msgmodel.stream_panels(provider, "hi")
    for place in ("api_key", "config", *row.keys, row.key_file):
        assert place in str(caught.value)


@pytest.mark.parametrize("key", ["sk-a b", "sk-a\nb", "sk-é", "sk-\x00"])
def test_a_key_that_cannot_be_sent(key: str) -> None:
    with pytest.raises(AuthenticationError, match="the argument api_key") as caught:
        msgmodel.stream_panels("openai", "hi", key)
    assert "sk-" not in str(caught.value)


def test_a_key_of_the_wrong_type() -> None:
    with pytest.raises(ConfigurationError, match="must be a string or a function, not int"):
        msgmodel.stream_panels("openai", "hi", 5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wire", "variable", "suffix"),
    [
        ("openai_chat", "OPENAI_BASE_URL", "/v1"),
        ("openai_responses", "OPENAI_BASE_URL", "/v1/"),
        ("anthropic", "ANTHROPIC_BASE_URL", ""),
        ("gemini", "GOOGLE_GEMINI_BASE_URL", "/"),
    ],
)
def test_official_base_url_variables(
    wire: str, variable: str, suffix: str, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, server.url + suffix)
    server.say(Script.body(replies.reply(wire, ["ok"])))
    chosen = OpenAIConfig(api="responses") if wire == "openai_responses" else None
    assert msgmodel.query(PROVIDER[wire], "hi", KEY, config=chosen).text == "ok"


@pytest.mark.parametrize(
    ("name", "provider"),
    [("o", "openai"), ("a", "anthropic"), ("c", "anthropic"), ("claude", "anthropic"), ("g", "gemini"),
     (" OpenAI ", "openai")],
)  # fmt: skip
def test_names(name: str, provider: str) -> None:
    with pytest.raises(AuthenticationError, match=f"no key for {provider}:"):
        msgmodel.stream_panels(name, "hi")


def test_privacy_is_read_off_the_request(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what was really sent: to whom, with which switch, with a file or without."""
    server.say(Script.body(replies.reply("gemini", ["ok"])))
    elsewhere = msgmodel.query("gemini", "hi", KEY, file_like=b"x", config=config("gemini", server.url)).privacy
    assert elsewhere["provider"] == "gemini"
    assert (elsewhere["endpoint"], elsewhere["stored"], elsewhere["inline_file"]) == ("127.0.0.1", False, True)
    assert elsewhere["training_retention"] is None
    assert elsewhere["provider_policy"].startswith("Unknown")


def official_privacy(provider: str, **kwargs: Any) -> Any:
    from msgmodel import providers
    from msgmodel._arguments import read_question
    from msgmodel._options import Arguments
    from msgmodel.wires import WIRES

    question = read_question(Arguments(provider=provider, prompt="hi", api_key=KEY, **kwargs), {})
    return providers.privacy_of_request(question, WIRES[question.wire].request(question, None))


def test_privacy_of_the_providers_themselves() -> None:
    openai = official_privacy("openai", config=None)
    assert (openai["training_retention"], openai["stored"], openai["local"]) == (False, False, False)
    assert "30 days" in openai["data_retention"]
    stored = official_privacy("openai", config=OpenAIConfig(store=True))
    assert (stored["stored"], "store=true" in stored["data_retention"]) == (True, True)
    overridden = official_privacy("openai", config=OpenAIConfig(api="responses", body={"store": True}))
    assert overridden["stored"] is True
    anthropic = official_privacy("anthropic", config=AnthropicConfig())
    assert (anthropic["training_retention"], anthropic["stored"]) == (False, None)
    gemini = official_privacy("gemini", config=GeminiConfig())
    assert gemini["training_retention"] is None
    assert "account" in gemini["special_conditions"]
    for facts in (openai, anthropic, gemini):
        assert facts["reference"].startswith("https://")
        assert facts["checked"] == "2026-11-22"


def test_a_reply_that_somebody_has_read_already(colour: Sync | Async) -> None:
    """A transport of the caller's own, or a hook that logs bodies."""
    data = replies.reply("openai_chat", ["Hello"])
    transport = httpx2.MockTransport(lambda request: httpx2.Response(200, content=data))
    client: Any = (httpx2.Client if isinstance(colour, Sync) else httpx2.AsyncClient)(transport=transport)
    address = OpenAIConfig(base_url="http://localhost")
    assert colour.query("openai", "hi", config=address, http_client=client).text == "Hello"


def test_a_client_that_was_closed_meanwhile(server: ScriptedServer) -> None:
    with msgmodel.Client() as client:
        events = client.stream_panels("openai", "hi", KEY, config=config("openai_chat", server.url), max_retries=0)
    (error,) = events
    assert (error["event"], error["code"], error["error"]) == ("panel_error", "network", "the client was closed")


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("https://bücher.example/v1", "must be ASCII"),
        ("https://example.com/modèles", "must be ASCII"),
        ("https://example.com/v1?é=1", "must be ASCII"),
        (f"https://{'a' * 64}.example/v1", "an address such as"),
        ("https://a..example/v1", "an address such as"),
    ],
)
def test_addresses_that_no_request_can_hold(address: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused at the call, as to try again would not help."""
    with pytest.raises(ConfigurationError, match=words):
        msgmodel.stream_panels("openai", "hi", KEY, config=OpenAIConfig(base_url=address))
    monkeypatch.setenv("OPENAI_BASE_URL", address)
    with pytest.raises(ConfigurationError, match=words):
        msgmodel.stream_panels("openai", "hi", KEY)


@pytest.mark.parametrize("colour", ["sync", "async", "many"])
@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        (
            "ALL_PROXY",
            "socks://me:secret@127.0.0.1:1/",
            "the proxy 127.0.0.1:1 (ALL_PROXY) can't be used: its URL begins",
        ),
        (
            "HTTPS_PROXY",
            "socks5://me:secret@127.0.0.1:1",
            "the proxy 127.0.0.1:1 (HTTPS_PROXY) can't be used: a SOCKS proxy needs",
        ),
        ("HTTPS_PROXY", "http://me:secret@[::1", "the proxy [::1 (HTTPS_PROXY) can't be used: its URL is not valid"),
        ("HTTPS_PROXY", "http://me:secret@127.0.0.1:x", "the proxy 127.0.0.1:x (HTTPS_PROXY) can't be used"),
        ("SSL_CERT_FILE", "/nonexistent", "the certificates that SSL_CERT_FILE or SSL_CERT_DIR names can't be used"),
    ],
)
def test_an_environment_that_can_not_be_used(
    colour: str, variable: str, value: str, words: str, server: ScriptedServer
) -> None:
    """One error, at once, or the fallback. In a process of its own: what the environment says is read once."""
    if variable == "HTTPS_PROXY" and value.startswith("socks5") and find_spec("socksio"):
        pytest.skip("SOCKS works here")
    code = """
import asyncio, json, sys, time
import msgmodel
from msgmodel import OpenAIConfig
there = dict(config=OpenAIConfig(base_url="https://api.example.test/v1"), api_key="key-1234567890")
here = {"provider": "openai", "config": OpenAIConfig(base_url=sys.argv[2]), "api_key": "key-1234567890"}
def ask(**more):
    if sys.argv[1] == "sync":
        return list(msgmodel.stream_panels("openai", "hi", **there, **more))
    if sys.argv[1] == "many":
        return list(msgmodel.stream_many([msgmodel.Panel("openai", **there, **more)], "hi"))[:-1]
    async def read():
        return [event async for event in msgmodel.astream_panels("openai", "hi", **there, **more)]
    return asyncio.run(read())
print(json.dumps([ask(), ask(fallbacks=[here])]))
"""
    server.say(Script.body(replies.reply("openai_chat", ["Hello"])))
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment |= {"NO_PROXY": "localhost,127.0.0.0/8,::1", variable: value}
    ran = subprocess.run(
        [sys.executable, "-c", code, colour, f"{server.url}/v1"], env=environment, capture_output=True, text=True
    )
    assert "secret" not in ran.stdout + ran.stderr
    (error,), second = json.loads(ran.stdout)
    assert (error["event"], error["code"], error["retryable"]) == ("panel_error", "network", False)
    assert error["error"].startswith(words)
    assert error["timing"]["attempts"] == 1
    assert [event["event"] for event in second] == ["panel_retry", "panel_delta", "panel_final"]


@pytest.mark.parametrize(
    ("past", "url", "direct"),
    [
        ("*", "https://a.example", True),
        ("example", "https://a.example", True),
        (".example", "https://a.example", True),
        ("*.example", "https://a.example", True),
        ("A.Example", "https://a.example.", True),
        ("ample", "https://a.example", False),
        ("other, a.example", "https://a.example", True),
        ("a.example:443", "https://a.example", True),
        ("a.example:8443", "https://a.example", False),
        ("a.example:8443", "https://a.example:8443/v1", True),
        ("http://a.example", "https://a.example", False),
        ("https://a.example", "https://a.example", True),
        ("127.0.0.0/8", "http://127.3.4.5:80", True),
        ("10.0.0.0/8", "http://127.3.4.5", False),
        ("0.0.1", "http://127.0.0.1", False),
        ("127.0.0.1", "http://127.0.0.1:8080", True),
        ("::1", "http://[::1]:8080", True),
        ("[::1]", "http://[::1]", True),
        ("fd00::/8", "http://[fd00::2]", True),
        ("[::1]:8080", "http://[::1]:8081", False),
        ("", "https://a.example", False),
        (",, ./*", "https://a.example", False),
    ],
)
def test_hosts_that_are_asked_past_the_proxy(
    past: str, url: str, direct: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("NO_PROXY", past)
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    assert (tls_and_proxies.Proxies().of(url) is None) is direct


@pytest.mark.parametrize("name", ["Content-Length", "host", "bad name", ""])
def test_headers_that_are_not_the_callers(name: str) -> None:
    with pytest.raises(ConfigurationError, match="header"):
        msgmodel.stream_panels("openai", "hi", KEY, config=OpenAIConfig(headers={name: "1"}))


@pytest.mark.parametrize(
    "fields",
    [{"headers": None}, {"headers": [("a", "b")]}, {"base_url": 5}, {"body": None}, {"stop": "END"}],
)
def test_config_fields_of_the_wrong_type(fields: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="must be a"):
        msgmodel.stream_panels("openai", "hi", KEY, config=OpenAIConfig(**fields))


class Whole(int):
    """A whole number as numpy has them: no `int` for a JSON encoder."""


def test_numbers_of_other_libraries(server: ScriptedServer) -> None:
    server.say(Script.body(replies.reply("openai_chat", ["ok"])))
    address = config("openai_chat", server.url)
    assert msgmodel.query("openai", "hi", config=address, max_tokens=Whole(5), timeout=1e12).text == "ok"
    assert server.requests[0].json["max_tokens"] == 5


def test_a_coroutine_function_is_no_callback() -> None:
    async def on_chunk(text: str) -> None: ...

    with pytest.raises(ConfigurationError, match="plain function"):
        msgmodel.stream("openai", "hi", KEY, on_chunk=on_chunk)


@pytest.mark.parametrize(
    ("provider", "host", "public_host"),
    [
        ("openai", "api.openai.com", "api.openai.com"),
        ("openai", "eu.api.openai.com", "eu.api.openai.com"),
        ("openai", "llm.corp.example", "private server"),
        ("openai", "api.openai.com.corp.example", "private server"),
        ("openai", "::1", "private server"),
        ("azure", "our-company.openai.azure.com", "openai.azure.com"),
        ("azure", "azure.corp.example", "private server"),
        ("alibaba", "dashscope-intl.aliyuncs.com", "dashscope-intl.aliyuncs.com"),
        ("alibaba", "our-company.aliyuncs.com", "aliyuncs.com"),
        ("ollama", "localhost", "private server"),
        ("a registered one", "api.openai.com", "private server"),
        ("local", "", ""),
    ],
)
def test_the_host_that_a_client_may_see(provider: str, host: str, public_host: str) -> None:
    assert host_for_clients(provider, host) == public_host
