"""The models of one provider, for the picker of the page; and servers of the operator's own, which name no default."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

import serving
from msgmodel.server import Settings, create_app
from msgmodel.testing import ScriptedProvider
from msgmodel.testing.server import Script
from serving import TOKENS, Uvicorn, bearer, request

module_provider, provider = serving.module_provider, serving.provider  # fixtures

OWN = Settings(providers=("ollama",))


@pytest.fixture
def own() -> Iterator[Uvicorn]:
    with Uvicorn(create_app(OWN)) as server:
        yield server


def test_a_server_of_the_operators_own_is_the_default(
    provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after `serve --provider ollama`: no variable says that it is there, and nothing else may be asked."""
    for name in ("OLLAMA_HOST", "VLLM_BASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name)
    cases = {("ollama",): "ollama", ("openai", "vllm"): "vllm", ("ollama", "local"): "local", ("openai",): "openai"}
    for allowed, default in cases.items():
        with Uvicorn(create_app(Settings(providers=allowed))) as server:
            assert request("GET", f"{server.url}/v1/providers").json()["default"] == default


def test_the_models_that_it_lists(own: Uvicorn, provider: ScriptedProvider) -> None:
    listed = {"data": [{"id": "qwen3:8b", "context_length": 40_960}, {"id": "nomic-embed-text"}, {"id": "llama4"}]}
    provider.say(Script.json(200, listed))
    for _ in range(2):
        found = request("GET", f"{own.url}/v1/providers/ollama/models")
        assert found.json() == {"models": [{"id": "qwen3:8b", "context_tokens": 40_960}, {"id": "llama4"}]}
    assert [asked.path for asked in provider.requests[-1:]] == ["/v1/models"]


def test_a_list_is_read_once_for_all(own: Uvicorn, provider: ScriptedProvider) -> None:
    before = len(provider.requests)
    for _ in range(3):
        assert request("GET", f"{own.url}/v1/providers/ollama/models").status_code == 200
    assert len(provider.requests) == before + 1


def test_only_allowed_models_are_listed(provider: ScriptedProvider) -> None:
    provider.say(Script.json(200, {"data": [{"id": "gpt-6-luna"}, {"id": "o9"}]}))
    with Uvicorn(create_app(Settings(providers=("openai",), models=("gpt-*",)))) as server:
        found = request("GET", f"{server.url}/v1/providers/openai/models").json()["models"]
        assert [model["id"] for model in found] == ["gpt-6-luna"]


@pytest.mark.parametrize(
    "answer",
    [Script.json(401, {"error": {"message": "no such key"}}), Script.json(200, {"a": 1})],
    ids=["refused", "no list"],
)
def test_a_provider_that_gives_no_list(
    own: Uvicorn, provider: ScriptedProvider, answer: Script, caplog: pytest.LogCaptureFixture
) -> None:
    """The user is not told what only the operator can change; the log has it."""
    provider.say(answer)
    with caplog.at_level(logging.INFO, "msgmodel.server"):
        found = request("GET", f"{own.url}/v1/providers/ollama/models")
    assert (found.status_code, found.json()["error"]["message"]) == (502, "ollama gave no list of its models")
    assert "the list of models of ollama can't be read" in caplog.text


def test_it_is_for_users_of_the_server_and_for_allowed_providers(provider: ScriptedProvider) -> None:
    provider.say("hi")  # to a request for the list, the scripted one
    before = len(provider.requests)
    with Uvicorn(create_app(Settings(providers=("ollama",), tokens=TOKENS))) as server:
        url = f"{server.url}/v1/providers"
        assert request("GET", f"{url}/ollama/models").status_code == 401
        for name in ("openai", "no-such", "..%2f"):
            assert request("GET", f"{url}/{name}/models", headers=bearer(TOKENS[0])).status_code == 404
        assert len(provider.requests) == before
        assert request("GET", f"{url}/ollama/models", headers=bearer(TOKENS[0])).status_code == 200
