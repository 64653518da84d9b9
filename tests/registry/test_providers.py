"""The registry: every row asks as its server wants to be asked, and other people's rows are as good as ours."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import msgmodel
from conftest import KEY, SHARED, Async, Sync
from msgmodel import AuthenticationError, ConfigurationError, OpenAIConfig, register_provider
from msgmodel.providers import PROVIDERS
from msgmodel.registry import registry
from msgmodel.registry.provider import Provider
from msgmodel.testing import Reply, ScriptedProvider
from msgmodel.testing.server import Script
from pure import play

STREAMS = SHARED / "streams"
REMOTE = [row for row in PROVIDERS.values() if row.name != "local"]
HOSTED = [row for row in REMOTE if row.has_fixed_address and row.base_url.startswith("https")]


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    with ScriptedProvider() as running:
        yield running


@pytest.fixture
def registered() -> Iterator[None]:
    """What a test registers is gone after it."""
    rows, aliases = dict(registry._rows_by_name), dict(registry._names_by_alias)
    yield
    for kept, now in ((rows, registry._rows_by_name), (aliases, registry._names_by_alias)):
        now.clear()
        now.update(kept)  # type: ignore[arg-type]


def model(row: Provider) -> str:
    return row.default_model or "some-model"


@pytest.mark.parametrize("row", REMOTE, ids=lambda row: row.name)
def test_a_row_by_its_variables(row: Provider, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables lead to the path of its API, with the key in its header; the answer comes out under its name."""
    for name, value in provider.environment().items():
        monkeypatch.setenv(name, value)
    reply = msgmodel.query(row.name.upper(), "hi", model=model(row))
    (request,) = provider.requests
    assert (reply.text, reply.provider) == ("Hello from a scripted provider.", row.name)
    base = provider.config(row.name).base_url.removeprefix(provider.url)
    path = {"openai_chat": "/chat/completions", "anthropic": "/v1/messages", "gemini": "/models/"}[row.wire]
    assert request.path.startswith(base)
    assert path in request.path
    header = next(iter(row.keys.values()))
    assert request.headers[header].removeprefix("Bearer ") == "test-key-0123456789"
    assert request.headers[header].startswith("Bearer ") == (header == "authorization")


def test_names_are_one_for_one() -> None:
    words = Counter(word for row in PROVIDERS.values() for word in (row.name, *row.aliases))
    assert set(words.values()) == {1}
    variables = Counter(row.base_url_variable for row in REMOTE)
    assert set(variables.values()) == {1}


@pytest.mark.parametrize("row", REMOTE, ids=lambda row: row.name)
def test_the_smallest_body(row: Provider, provider: ScriptedProvider) -> None:
    """Only what the row is known to take; the limit under its own name."""
    msgmodel.query(row.name, "hi", config=provider.config(row.name), model=model(row), max_tokens=9)
    body = provider.requests[0].json
    if row.wire == "openai_chat":
        counted = {"stream_options"} if row.dialect.include_usage and row.dialect_elsewhere is None else set()
        limit = "max_tokens" if row.dialect_elsewhere else row.dialect.max_tokens
        assert set(body) == {"model", "messages", "stream", limit} | counted
    assert ("store" in body) == (row.name == "gemini")


KNOWN_TO_COUNT = {"azure", "deepseek", "openrouter", "vllm", "ollama", "llamacpp", "alibaba", "openai", "local"}


def test_stream_options_go_only_where_they_are_known() -> None:
    assert {row.name for row in PROVIDERS.values() if row.dialect.include_usage} == KNOWN_TO_COUNT


@pytest.mark.parametrize(
    ("row", "levels"),
    [
        ("deepseek", {"none": {"thinking": {"type": "disabled"}},
                      "high": {"thinking": {"type": "enabled"}, "reasoning_effort": "high"}}),
        ("openrouter", {"low": {"reasoning": {"effort": "low"}}}),
        ("llamacpp", {"none": {"chat_template_kwargs": {"enable_thinking": False}},
                      "low": {"chat_template_kwargs": {"enable_thinking": True}}}),
        ("zai", {"none": {"thinking": {"type": "disabled"}}, "medium": {"thinking": {"type": "enabled"}}}),
        ("alibaba", {"none": {"enable_thinking": False}, "high": {"enable_thinking": True}}),
        ("groq", {"low": {"reasoning_effort": "low"}}),
        ("mistral", {"none": {"reasoning_effort": "none"}, "high": {"reasoning_effort": "high"}}),
    ],
)  # fmt: skip
def test_reasoning(row: str, levels: dict[str, Any], provider: ScriptedProvider) -> None:
    for level, fields in levels.items():
        msgmodel.query(row, "hi", config=provider.config(row), model="m", reasoning=level)  # type: ignore[arg-type]
        body = provider.requests[-1].json
        asked = {name: body[name] for name in body if name not in ("model", "messages", "stream", "stream_options")}
        assert asked == fields


def test_a_level_that_a_provider_does_not_have(provider: ScriptedProvider) -> None:
    with pytest.raises(ConfigurationError, match="can't be asked of mistral: it takes none, high"):
        msgmodel.query("mistral", "hi", config=provider.config("mistral"), reasoning="low")


@pytest.mark.parametrize("row", HOSTED, ids=lambda row: row.name)
def test_a_hosted_one_needs_a_key(row: Provider) -> None:
    with pytest.raises(AuthenticationError) as caught:
        msgmodel.query(row.name, "hi", model=model(row))
    assert all(variable in str(caught.value) for variable in row.keys)


def test_a_server_of_one_s_own_needs_none(monkeypatch: pytest.MonkeyPatch, provider: ScriptedProvider) -> None:
    monkeypatch.setenv("OLLAMA_HOST", provider.url.removeprefix("http://"))
    assert msgmodel.query("ollama", "hi", model="m").provider == "ollama"
    assert provider.requests[0].path == "/v1/chat/completions"
    assert "authorization" not in provider.requests[0].headers


@pytest.mark.parametrize(
    ("row", "said", "whole"),
    [
        ("ollama", "gpu-box", "http://gpu-box:11434/v1"),
        ("ollama", "gpu-box:80", "http://gpu-box:80/v1"),
        ("ollama", "gpu-box/", "http://gpu-box:11434/v1"),
        ("ollama", "https://gpu-box/", "https://gpu-box/v1"),
        ("groq", "https://api.groq.com", "https://api.groq.com/openai/v1"),
        ("groq", "https://api.groq.com/openai/v1/", "https://api.groq.com/openai/v1"),
        ("azure", "https://us.openai.azure.com/", "https://us.openai.azure.com/openai/v1"),
        ("databricks", "https://w.cloud.databricks.com", "https://w.cloud.databricks.com/serving-endpoints"),
        ("openai", "https://proxy.example/v1", "https://proxy.example/v1"),
    ],
)
def test_addresses_in_variables(row: str, said: str, whole: str) -> None:
    assert PROVIDERS[row].complete_url(said) == whole


@pytest.mark.parametrize("row", [row for row in REMOTE if not row.has_fixed_address], ids=lambda row: row.name)
def test_one_without_an_address(row: Provider) -> None:
    with pytest.raises(ConfigurationError) as caught:
        msgmodel.query(row.name, "hi", KEY, model="m")
    assert row.base_url in str(caught.value)
    assert row.base_url_variable in str(caught.value)


def test_one_without_a_model() -> None:
    with pytest.raises(ConfigurationError, match="groq has no default model: pass model="):
        msgmodel.query("groq", "hi", KEY)


def test_privacy_is_unknown_where_nobody_read_the_terms(provider: ScriptedProvider) -> None:
    reply = msgmodel.query("groq", "hi", config=provider.config("groq"), model="m")
    assert reply.privacy["training_retention"] is None
    assert reply.privacy["endpoint"] == "127.0.0.1"
    assert PROVIDERS["groq"].is_official_host("https://api.groq.com/openai/v1")
    assert PROVIDERS["azure"].is_official_host("https://us.openai.azure.com/openai/v1")
    assert not PROVIDERS["azure"].is_official_host("https://openai.azure.com.example/v1")


def test_vertex(provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path with a project, and a token instead of a key."""
    path = "/v1/projects/p/locations/l/publishers/google"
    monkeypatch.setenv("GOOGLE_VERTEX_BASE_URL", provider.url + path)
    monkeypatch.setenv("GOOGLE_VERTEX_ACCESS_TOKEN", "ya29.token-of-google")
    msgmodel.query("vertex", "hi")
    assert provider.requests[0].path == f"{path}/models/gemini-3.5-flash-lite:streamGenerateContent?alt=sse"
    assert provider.requests[0].headers["authorization"] == "Bearer ya29.token-of-google"


# --- the recorded streams ---

UNDER = {
    "google": "gemini",
    "openrouter-via-cline": "openrouter",
    "openai-codex": "openai",
    "llamacpp-or-local": "llamacpp",
    "litellm-proxy": "litellm",
    "unknown": "openai",
    "local": {"openai_responses": "llamacpp", "anthropic": "anthropic", "gemini": "gemini"},
    # Speaks Anthropic's API too, at the same address or another.
    "azure": {"anthropic": "azure-anthropic"},
    "vertex": {"anthropic": "anthropic"},
    "opencode-zen": {"anthropic": "anthropic"},
}


def under(name: str, wire: str) -> str:
    """The row of a recording's provider."""
    found: Any = UNDER.get(name, name)
    return found.get(wire, name) if isinstance(found, dict) else found


@pytest.mark.skipif(not STREAMS.is_dir(), reason="the recorded streams are not here")
@pytest.mark.parametrize("wire", ["openai_chat", "openai_responses", "anthropic", "gemini"])
def test_every_recorded_provider_replays_under_its_row(wire: str, shared_colour: Sync | Async) -> None:
    """Over a socket, by name: the same events as from the wire alone, under the provider's name."""
    with ScriptedProvider() as provider:
        seen = Counter[str]()
        for facts in sorted((STREAMS / wire).glob("*.json")):
            recorded = json.loads(facts.read_bytes())["provider"]
            row = under(recorded, wire)
            if seen[recorded] == 12:  # the rest differ in what the wire reads, which other tests try
                continue
            seen[recorded] += 1
            data = facts.with_suffix(".sse").read_bytes()
            provider.say(Script.body(data))
            fields = {"api": "responses"} if wire == "openai_responses" else {}
            events = shared_colour.panels(
                row, "hi", config=provider.config(row, **fields), model="m", panel_id="p", max_retries=0
            )
            played = play(wire, [data])
            assert [event["event"] for event in events] == [event["event"] for event in played], facts.stem
            last: Any = events[-1]
            assert last["provider"] == row
            expected: Any = played[-1]
            for field in ("content", "tool_calls", "finish_reason", "status", "reasoning"):
                assert last.get(field) == expected.get(field), facts.stem
        assert sum(seen.values()) > 20


# --- other people's rows ---


def test_register(registered: None, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    register_provider(
        "acme",
        base_url=f"{provider.url}/llm/v1",
        keys="ACME_API_KEY",
        default_model="acme-1",
        aliases=["ac"],
        base_url_variable="ACME_BASE_URL",
        max_tokens="max_completion_tokens",
        include_usage=True,
        reasoning={"none": {"think": False}, "high": {"think": True}},
    )
    with pytest.raises(AuthenticationError, match=r"no key for acme: looked at the argument api_key, .*ACME_API_KEY"):
        msgmodel.query("acme", "hi")
    monkeypatch.setenv("ACME_API_KEY", KEY)
    provider.say(Reply("Hi", reasoning="Hm"))
    reply = msgmodel.query("ac", "hi", max_tokens=5, reasoning="high")
    assert (reply.text, reply.provider) == ("Hi", "acme")
    request = provider.requests[0]
    assert request.path == "/llm/v1/chat/completions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.json == {
        "model": "acme-1",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_completion_tokens": 5,
        "think": True,
    }
    register_provider("acme", base_url=f"{provider.url}/v2", replace=True)
    msgmodel.query("acme", "hi", model="m")
    assert provider.requests[-1].path == "/v2/chat/completions"
    assert "authorization" not in provider.requests[-1].headers
    with pytest.raises(ConfigurationError, match="no provider 'ac'"):
        msgmodel.query("ac", "hi")


@pytest.mark.parametrize("wire", ["anthropic", "gemini"])
def test_register_on_other_wires(wire: Any, registered: None, provider: ScriptedProvider) -> None:
    register_provider("acme", base_url=provider.url, keys="ACME_API_KEY", wire=wire, default_model="acme-1")
    reply = msgmodel.query("acme", "hi", KEY)
    assert (reply.text, reply.provider) == ("Hello from a scripted provider.", "acme")
    header = {"anthropic": "x-api-key", "gemini": "x-goog-api-key"}[wire]
    assert provider.requests[0].headers[header] == KEY


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "openai"}, "there is a provider 'openai' already"),
        ({"aliases": ["claude"]}, "there is a provider 'claude' already"),
        ({"aliases": ["claude"], "replace": True}, "there is a provider 'claude' already"),
        ({"name": "Acme Inc"}, "'Acme Inc' can't name a provider"),
        ({"base_url": "acme.example"}, "base_url must be an address"),
        ({"wire": "telnet"}, "wire must be one of openai_chat, anthropic, gemini, not 'telnet'"),
        ({"reasoning": {"huge": {}}}, "the levels of reasoning are none, low, medium, high"),
    ],
)
def test_what_cannot_be_registered(arguments: dict[str, Any], message: str, registered: None) -> None:
    with pytest.raises(ConfigurationError, match=message):
        register_provider(**{"name": "acme", "base_url": "https://acme.example/v1"} | arguments)
    assert "acme" not in PROVIDERS


def test_a_package_brings_a_provider(
    registered: None, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By its entry point, which is loaded only when that name is asked for."""
    (tmp_path / "acme_msgmodel.py").write_text(
        "from msgmodel import register_provider\n"
        "def register():\n"
        f"    register_provider('acme', base_url={provider.url + '/v1'!r}, default_model='acme-1')\n"
        "def broken():\n"
        "    raise RuntimeError('no luck')\n"
    )
    info = tmp_path / "acme_msgmodel-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-msgmodel\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[msgmodel.providers]\nacme = acme_msgmodel:register\nbroken = acme_msgmodel:broken\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert msgmodel.query("openai", "hi", config=OpenAIConfig(base_url=f"{provider.url}/v1")).text
    assert "acme_msgmodel" not in sys.modules
    assert msgmodel.query("Acme", "hi").provider == "acme"
    with pytest.raises(ConfigurationError, match="the package that brings the provider 'broken' failed: RuntimeError"):
        msgmodel.query("broken", "hi")


def test_an_unknown_provider() -> None:
    with pytest.raises(ConfigurationError, match=r"no provider 'opnai'.*mean 'openai'.*OpenAIConfig\(base_url="):
        msgmodel.query("opnai", "hi")
