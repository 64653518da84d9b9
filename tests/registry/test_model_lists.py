"""`models` and `amodels`: every form of list that providers have, pages, prices, keys and errors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import msgmodel
from conftest import KEY
from msgmodel import APIError, AuthenticationError, ConfigurationError, ModelInfo, NetworkError, OpenAIConfig
from msgmodel.providers import PROVIDERS
from msgmodel.registry.model_lists import model_list_urls, next_page_url, read_models
from msgmodel.testing import ScriptedProvider, Send, Stall
from msgmodel.testing.server import Script

Lister = Callable[..., list[ModelInfo]]


def list_async(*args: Any, **kwargs: Any) -> list[ModelInfo]:
    async def run() -> list[ModelInfo]:
        return await msgmodel.amodels(*args, **kwargs)

    return asyncio.run(run())


@pytest.fixture(params=[msgmodel.models, list_async], ids=["sync", "async"])
def lister(request: pytest.FixtureRequest) -> Lister:
    found: Lister = request.param
    return found


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    with ScriptedProvider() as running:
        yield running


ANTHROPIC = [
    {"data": [{"type": "model", "id": "claude-a", "display_name": "A", "max_input_tokens": 9, "max_tokens": 3,
               "lifecycle": "active"},
              {"type": "model", "id": "claude-old", "lifecycle": "retired"}],
     "has_more": True, "last_id": "claude-old"},
    {"data": [{"type": "model", "id": "claude-b"}], "has_more": False},
]  # fmt: skip
GEMINI = [
    {"models": [{"name": "models/gemini-a", "displayName": "A", "inputTokenLimit": 9, "outputTokenLimit": 3,
                 "supportedGenerationMethods": ["generateContent"]},
                {"name": "models/embed-a", "supportedGenerationMethods": ["embedContent"]}],
     "nextPageToken": "p 2"},
    {"models": [{"name": "models/gemini-tts", "supportedGenerationMethods": ["generateContent"]}]},
]  # fmt: skip
LISTS: list[tuple[str, str, list[Any], list[str], list[ModelInfo]]] = [
    ("openai", "/v1", [{"object": "list", "data": [{"id": "gpt-a"}, {"id": "text-embedding-3"}, {"id": "whisper-1"},
                                                   {"id": "gpt-image-1"}, {"id": "tts-1"}]}],
     ["/v1/models"], [ModelInfo("gpt-a")]),
    ("anthropic", "/v1", ANTHROPIC, ["/v1/models?limit=1000", "/v1/models?limit=1000&after_id=claude-old"],
     [ModelInfo("claude-a", "A", 9, 3), ModelInfo("claude-b")]),
    ("gemini", "", GEMINI, ["/v1beta/models?pageSize=1000", "/v1beta/models?pageSize=1000&pageToken=p%202"],
     [ModelInfo("gemini-a", "A", 9, 3), ModelInfo("gemini-tts", "models/gemini-tts")]),
    ("vertex", "/v1/projects/p/locations/global/publishers/google",
     [{"publisherModels": [{"name": "publishers/google/models/gemini-a"}]}],
     ["/v1beta1/publishers/google/models?pageSize=1000"],
     [ModelInfo("gemini-a", "publishers/google/models/gemini-a")]),
    ("openrouter", "/api/v1", [{"data": [
        {"id": "o/a", "name": "A", "context_length": 9, "pricing": {"prompt": "0.00000025", "completion": "0.000002"},
         "top_provider": {"max_completion_tokens": 3}},
        {"id": "openrouter/auto", "name": "Auto", "pricing": {"prompt": "-1", "completion": "-1"}}]}],
     ["/api/v1/models"], [ModelInfo("o/a", "A", 9, 3, 0.25, 2.0), ModelInfo("openrouter/auto", "Auto")]),
    ("mistral", "/v1", [{"data": [{"id": "m", "max_context_length": 9, "capabilities": {"completion_chat": True}},
                                  {"id": "n", "capabilities": {"completion_chat": False}}]}],
     ["/v1/models"], [ModelInfo("m", None, 9)]),
    ("groq", "/openai/v1", [{"data": [{"id": "g", "context_window": 9, "max_completion_tokens": 3}]}],
     ["/openai/v1/models"], [ModelInfo("g", None, 9, 3)]),
    ("together", "/v1", [[{"id": "t", "type": "chat", "context_length": 9, "pricing": {"input": 0.2, "output": 0.6}},
                          {"id": "u", "type": "image"}]],
     ["/v1/models"], [ModelInfo("t", None, 9, None, 0.2, 0.6)]),
    ("vllm", "/v1", [{"data": [{"id": "v", "max_model_len": 9}]}], ["/v1/models"], [ModelInfo("v", None, 9)]),
    ("llamacpp", "/v1", [{"data": [{"id": "l", "meta": {"n_ctx_train": 9}}]}], ["/v1/models"],
     [ModelInfo("l", None, 9)]),
    ("lmstudio", "/v1", [{"data": [{"id": "s", "type": "llm", "max_context_length": 9},
                                   {"id": "e", "type": "embeddings"}]}],
     ["/api/v0/models"], [ModelInfo("s", None, 9)]),
    ("azure", "/openai/deployments/dep?api-version=1", [{"data": [{"id": "z"}]}], ["/openai/models?api-version=1"],
     [ModelInfo("z")]),
    ("openai", "/v1/chat/completions", [{"models": [{"key": "k"}, {"model": "m"}, {}, 5]}], ["/v1/models"],
     [ModelInfo("k"), ModelInfo("m")]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "base", "pages", "paths", "found"), LISTS)
def test_a_list(
    name: str, base: str, pages: list[Any], paths: list[str], found: Any, lister: Lister, provider: ScriptedProvider
) -> None:
    provider.say(*(Script.json(200, page) for page in pages))
    config = PROVIDERS[name].config(base_url=provider.url + base, api_key=KEY)
    assert lister(name, config=config) == found
    assert [request.path for request in provider.requests] == paths
    headers = provider.requests[0].headers
    assert provider.requests[0].method == "GET"
    assert KEY in (headers.get("authorization", "") + headers.get("x-api-key", "") + headers.get("x-goog-api-key", "")
                   + headers.get("api-key", ""))  # fmt: skip
    assert ("anthropic-version" in headers) == (name == "anthropic")
    assert "content-length" not in headers


def test_an_older_lm_studio(lister: Lister, provider: ScriptedProvider) -> None:
    provider.say(Script.json(404, {"error": "unexpected endpoint"}), Script.json(200, {"data": [{"id": "s"}]}))
    assert lister("lmstudio", config=provider.config("lmstudio")) == [ModelInfo("s")]
    assert [request.path for request in provider.requests] == ["/api/v0/models", "/v1/models"]


def test_lists_at_other_addresses() -> None:
    cohere, perplexity = PROVIDERS["cohere"], PROVIDERS["perplexity"]
    (url,) = model_list_urls(cohere, cohere.base_url)
    assert url == "https://api.cohere.com/v1/models?endpoint=chat&page_size=1000"
    assert model_list_urls(perplexity, perplexity.base_url) == ["https://api.perplexity.ai/v1/models"]
    assert read_models({"models": [{"name": "command-a", "context_length": 9}], "next_page_token": ""}) == [
        ModelInfo("command-a", "command-a", 9)
    ]


def test_the_price_list(lister: Lister, provider: ScriptedProvider) -> None:
    """If the provider has none. A thousand tokens are priced: a million would have the price of long contexts."""
    pytest.importorskip("genai_prices")
    provider.say(Script.json(200, {"data": [{"id": "gpt-4o"}, {"id": "unheard-of"}]}))
    known, unknown = lister("openai", config=provider.config("openai"))
    assert (known.input_price, known.output_price) == (2.5, 10.0)
    assert (unknown.input_price, unknown.output_price) == (None, None)


@pytest.mark.parametrize(
    ("script", "code", "message"),
    [
        (Script.json(401, {"error": {"message": f"bad key {KEY}"}}), "authentication", "(HTTP 401): bad key [key]"),
        (Script.json(404, {"detail": "Not Found"}), "not_found", "openai (HTTP 404): "),
        (Script.json(200, {"object": "list"}), "protocol", "there is no list of models at this address"),
        (Script.body(b"<html>"), "protocol", "there is no list of models at this address"),
        (Script.json(503, {}), "overloaded", "openai (HTTP 503): there is no list of models"),
    ],
)  # fmt: skip
def test_errors_of_the_provider(
    script: Script, code: str, message: str, lister: Lister, provider: ScriptedProvider
) -> None:
    provider.say(script)
    with pytest.raises(APIError) as caught:
        lister("openai", config=provider.config("openai", api_key=KEY))
    assert caught.value.code == code
    assert message in str(caught.value)
    assert KEY not in str(caught.value)
    assert (caught.value.provider, len(provider.requests)) == ("openai", 1)


def test_a_server_that_is_not_there(lister: Lister) -> None:
    with pytest.raises(NetworkError) as caught:
        lister("openai", KEY, OpenAIConfig(base_url="http://127.0.0.1:9/v1?key=secret-0123456789"))
    assert caught.value.code == "network"
    assert "secret" not in str(caught.value)


def test_a_list_without_an_end(lister: Lister, provider: ScriptedProvider) -> None:
    """A server that always has one more page is not followed for ever."""
    provider.say(Script.json(200, {"data": [{"id": "a"}], "has_more": True, "last_id": "a"}))
    assert len(lister("anthropic", config=provider.config("anthropic"))) == 100


def test_a_function_as_the_key(lister: Lister, provider: ScriptedProvider) -> None:
    provider.say(Script.json(200, {"data": [{"id": "a"}]}))
    lister("openai", lambda: KEY, provider.config("openai", api_key=None))
    assert provider.requests[-1].headers["authorization"] == f"Bearer {KEY}"
    with pytest.raises(NetworkError, match="the function in api_key must return a key") as caught:
        lister("openai", lambda: "", provider.config("openai", api_key=None))
    assert caught.value.code == "authentication"


def test_a_coroutine_function_as_the_key(provider: ScriptedProvider) -> None:
    async def read_key() -> str:
        return KEY

    provider.say(Script.json(200, {"data": [{"id": "a"}]}))
    config = provider.config("openai", api_key=None)
    assert list_async("openai", read_key, config) == [ModelInfo("a")]
    with pytest.raises(ConfigurationError, match="use amodels"):
        msgmodel.models("openai", read_key, config)


def test_a_client_that_was_handed_in(provider: ScriptedProvider) -> None:
    provider.say(Script.json(200, {"data": [{"id": "a"}]}))
    with httpx2.Client(headers={"x-trace": "7"}) as client:
        assert msgmodel.models("openai", config=provider.config("openai"), http_client=client) == [ModelInfo("a")]
        assert not client.is_closed
    assert provider.requests[-1].headers["x-trace"] == "7"
    with pytest.raises(ConfigurationError, match=r"must be an httpx2\.Client"):
        msgmodel.models("openai", config=provider.config("openai"), http_client=5)  # type: ignore[arg-type]


def test_arguments_are_checked_at_the_call() -> None:
    """Of the async function too: nothing is awaited."""
    for function in (msgmodel.models, msgmodel.amodels):
        with pytest.raises(ConfigurationError, match="there is no provider 'nobody'"):
            function("nobody")  # type: ignore[operator]
        with pytest.raises(AuthenticationError, match="no key for openai"):
            function("openai")  # type: ignore[operator]
        with pytest.raises(ConfigurationError, match="timeout must be a number"):
            function("openai", KEY, timeout=0)  # type: ignore[operator]


def test_the_embedded_model(lister: Lister, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("MSGMODEL_CACHE", str(tmp_path))
    assert lister("local") == []


ENTRY_KEYS = st.sampled_from(
    ["data", "models", "id", "name", "key", "pricing", "prompt", "input", "completion", "context_length", "meta",
     "type", "supportedGenerationMethods", "capabilities", "completion_chat", "has_more", "last_id", "nextPageToken"]
)  # fmt: skip
ANY_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "x", "-1", "nan", "0.5", "models/"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ENTRY_KEYS, inner, max_size=5),
    max_leaves=12,
)


@settings(max_examples=300)
@given(ANY_JSON)
def test_any_json_is_a_list_or_none(payload: Any) -> None:
    """A server of the caller's own may answer anything."""
    next_page_url("http://h/models", payload)
    try:
        found = read_models(payload)
    except ValueError as error:
        found = []
        message = str(error)
    else:
        message = "there is no list of models"
    assert message == "there is no list of models"
    for model in found:
        assert model.id
        assert all(price is None or 0 <= price < 1e9 for price in (model.input_price, model.output_price))


def test_the_scripted_provider_has_a_list(lister: Lister, provider: ScriptedProvider) -> None:
    """Whatever it is told to say, so that a program can be tested that lists models first."""
    for name in ("openai", "anthropic", "gemini"):
        (found,) = lister(name, config=provider.config(name))
        assert found.id == "scripted-model"
    assert msgmodel.query("openai", "hi", config=provider.config("openai")).text


def test_a_slow_list(lister: Lister, provider: ScriptedProvider) -> None:
    provider.say(Script(framing="chunked", steps=(Send(b'{"data": ['), Stall())))
    with pytest.raises(NetworkError) as caught:
        lister("openai", config=provider.config("openai"), timeout=0.1)
    assert caught.value.code == "timeout"
