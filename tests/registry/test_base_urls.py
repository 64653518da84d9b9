"""Addresses as people copy them: they work, or are refused with a word."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import msgmodel
from conftest import KEY, PROVIDER
from msgmodel import AnthropicConfig, ConfigurationError, GeminiConfig, OpenAIConfig
from msgmodel.providers import PROVIDERS
from msgmodel.registry import base_urls
from msgmodel.testing import ScriptedProvider

TARGET = "/openai/deployments/dep/chat/completions?api-version=2025-01-01-preview"


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    with ScriptedProvider() as running:
        yield running


def path_asked(provider: ScriptedProvider, name: str, base: str, model: str | None = "m", **fields: Any) -> str:
    """The path of the request for this base URL in the config."""
    config = PROVIDERS[name].config(base_url=provider.url + base, **fields)
    msgmodel.query(name, "hi", KEY, config=config, model=model, max_retries=0)
    return provider.requests[-1].path


@pytest.mark.parametrize(
    ("name", "base", "path"),
    [
        ("openai", "/v1/chat/completions", "/v1/chat/completions"),
        ("openai", "/v1/chat/completions/", "/v1/chat/completions"),
        ("openai", "/v1/chat/completions?a=b", "/v1/chat/completions?a=b"),
        ("openai", "/v1/responses", "/v1/responses"),
        ("azure", TARGET, TARGET),
        ("azure", "/openai/deployments/dep?api-version=1", "/openai/deployments/dep/chat/completions?api-version=1"),
        ("azure", "/openai/responses?api-version=2025", "/openai/responses?api-version=2025"),
        ("azure", "/models/chat/completions?api-version=1", "/models/chat/completions?api-version=1"),
        ("azure", "", "/openai/v1/chat/completions"),
        ("azure", "/", "/openai/v1/chat/completions"),
        ("ollama", "", "/v1/chat/completions"),
        ("ollama", "/v1", "/v1/chat/completions"),
        ("openai", "/proxy?tenant=7", "/proxy/chat/completions?tenant=7"),
        ("anthropic", "/v1/messages", "/v1/messages"),
        ("anthropic", "/proxy/v1?tenant=7", "/proxy/v1/messages?tenant=7"),
        ("anthropic", "?tenant=7", "/v1/messages?tenant=7"),
        ("gemini", "?tenant=7", "/v1/models/m:streamGenerateContent?tenant=7&alt=sse"),
        ("gemini", "/v1beta/models/x:generateContent", "/v1beta/models/m:streamGenerateContent?alt=sse"),
        ("gemini", "/v1beta/models/x:streamGenerateContent?alt=sse", "/v1beta/models/m:streamGenerateContent?alt=sse"),
    ],
)  # fmt: skip
def test_a_base_url(name: str, base: str, path: str, provider: ScriptedProvider) -> None:
    assert path_asked(provider, name, base) == path


@pytest.mark.parametrize(
    ("name", "value", "path"),
    [
        ("azure", f"URL{TARGET}", TARGET),
        ("azure", "URL", "/openai/v1/chat/completions"),
        ("azure", "URL/openai/v1/", "/openai/v1/chat/completions"),
        ("azure", "URL?api-version=preview", "/openai/v1/chat/completions?api-version=preview"),
        ("ollama", "HOST:PORT", "/v1/chat/completions"),
        ("ollama", ":PORT", "/v1/chat/completions"),
        ("ollama", "0.0.0.0:PORT", "/v1/chat/completions"),
        ("ollama", "http://0.0.0.0:PORT/", "/v1/chat/completions"),
        ("ollama", "URL/v1/chat/completions", "/v1/chat/completions"),
        ("vllm", "URL/v1", "/v1/chat/completions"),
    ],
)
def test_a_variable(
    name: str, value: str, path: str, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, _, port = provider.url.removeprefix("http://").partition(":")
    value = value.replace("URL", provider.url).replace("HOST", host).replace("PORT", port)
    monkeypatch.setenv(PROVIDERS[name].base_url_variable, value)
    msgmodel.query(name, "hi", KEY, model="m", max_retries=0)
    assert provider.requests[-1].path == path


@pytest.mark.parametrize(
    ("address", "complete"),
    [
        (":11434", "http://localhost:11434"),
        ("0.0.0.0", "http://localhost:11434"),
        ("[::]:1", "http://localhost:1"),
        ("http://[::]:1/x?y", "http://localhost:1/x?y"),
        ("[::1]", "http://[::1]:11434"),
        ("gpu", "http://gpu:11434"),
        ("gpu/a:b", "http://gpu:11434/a:b"),
        ("https://gpu", "https://gpu"),
        ("http://[::1/v1", "http://[::1/v1"),
    ],
)
def test_an_address_of_a_local_server(address: str, complete: str) -> None:
    assert base_urls.complete_local_address(address, 11434) == complete


@pytest.mark.parametrize(
    ("name", "config", "message"),
    [
        ("openai", OpenAIConfig(base_url="http://h/v1/responses", api="chat"), 'the call asks Chat Completions ('),
        ("openai", OpenAIConfig(base_url="http://h/v1/chat/completions", api="responses"), "the address before '/chat"),
        ("openai", OpenAIConfig(base_url="https://api.anthropic.com/v1/messages"), "Anthropic's API (provider"),
        ("anthropic", AnthropicConfig(base_url="https://h/v1/chat/completions"), "is the address of Chat Completions"),
        ("gemini", GeminiConfig(base_url="https://h/v1beta/openai/chat/completions"), "and the call asks Gemini's API"),
        ("azure", OpenAIConfig(base_url="https://{resource}.openai.azure.com/openai/v1"), "base_url is a template"),
        ("azure", OpenAIConfig(base_url="https://<resource>.openai.azure.com/openai/v1"), "base_url is a template"),
        ("azure", OpenAIConfig(base_url="https://r.openai.azure.com/openai/deployments/d"), "without an API version"),
        ("openai", OpenAIConfig(base_url="localhost:8000/v1"), "must be an address such as https://example.com/v1"),
    ],
)  # fmt: skip
def test_what_can_not_be_asked(name: str, config: Any, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        msgmodel.query(name, "hi", KEY, config=config, model="m")
    assert message in str(caught.value)


@pytest.mark.parametrize(("name", "base"), [("openai", "https://api.openai.com"), ("groq", "https://api.groq.com/")])
def test_the_host_of_a_provider_gets_its_path(name: str, base: str) -> None:
    assert PROVIDERS[name].with_own_path(base) == PROVIDERS[name].base_url
    assert PROVIDERS["openai"].with_own_path("http://h") == "http://h"


@pytest.mark.parametrize(
    ("model", "version"),
    [
        ("gemini-3.8-flash", "v1"),
        ("gemini-flash-latest", "v1beta"),
        ("gemini-3-flash-preview", "v1beta"),
        ("gemini-2.5-flash-preview-tts", "v1beta"),
        ("gemini-2.0-flash-exp", "v1beta"),
        ("models/gemini-3.1-pro-preview-0409", "v1beta"),
        ("my-expert-model", "v1"),
    ],
)
def test_previews_of_gemini(model: str, version: str, provider: ScriptedProvider) -> None:
    msgmodel.query("gemini", "hi", config=provider.config("gemini"), model=model)
    assert provider.requests[-1].path.startswith(f"/{version}/models/")
    msgmodel.query("gemini", "hi", config=provider.config("gemini", api_version="v9"), model=model)
    assert provider.requests[-1].path.startswith("/v9/models/")


@pytest.mark.parametrize("name", ["ollama", "llamacpp", "vllm", "lmstudio", "gpustack", "litellm"])
def test_a_local_server_needs_no_variable(name: str) -> None:
    """Neither of a key nor of an address: the call is accepted. Nothing is sent before the stream is read."""
    msgmodel.stream_panels(name, "hi", model="m").close()


def test_every_wire_has_a_main_provider() -> None:
    assert set(base_urls._API_NAMES) == set(PROVIDER)
