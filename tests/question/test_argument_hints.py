"""Words that callers bring from other libraries: each error says the right place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import msgmodel
from conftest import KEY, Async, Sync
from msgmodel import AnthropicConfig, ConfigurationError, Conversation, FileError, OpenAIConfig, Panel, stream_many
from msgmodel.testing import ScriptedProvider


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    with ScriptedProvider() as running:
        yield running


HINTS: list[tuple[str, str, str]] = [
    ("openai", "top_p", "pass it in the config: config=OpenAIConfig(top_p=...)"),
    ("gemini", "top_k", "config=GeminiConfig(top_k=...)"),
    ("openai", "top_k", "OpenAIConfig has no top_k either; config=OpenAIConfig(body={...}) sends any field"),
    ("openai", "stop", "config=OpenAIConfig(stop=...)"),
    ("anthropic", "stop_sequences", "config=AnthropicConfig(stop=...)"),
    ("openai", "seed", "config=OpenAIConfig(seed=...)"),
    ("anthropic", "seed", "AnthropicConfig has no seed either"),
    ("ollama", "base_url", "config=OpenAIConfig(base_url=...)"),
    ("openai/gpt-5.5", "api_base", "config=OpenAIConfig(base_url=...)"),
    ("local", "num_ctx", "config=LocalConfig(context_tokens=...)"),
    ("openai", "extra_headers", "config=OpenAIConfig(headers=...)"),
    ("openai", "extra_body", "config=OpenAIConfig(body=...)"),
    ("openai", "presence_penalty", "config=OpenAIConfig(body={'presence_penalty': ...}) sends it"),
    ("openai", "system", "use system_instruction="),
    ("openai", "instructions", "use system_instruction="),
    ("openai", "max_completion_tokens", "use max_tokens="),
    ("openai", "reasoning_effort", "use reasoning="),
    ("openai", "response_format", "use output="),
    ("gemini", "response_schema", "use output="),
    ("anthropic", "output_format", "use output="),
    ("openai", "images", "use files=[Path(...)]"),
    ("openai", "history", "use messages="),
    ("openai", "num_retries", "use max_retries="),
    ("openai", "cache_control", "use cache_prompt=True"),
    ("openai", "stream", "stream(...) streams the text, stream_panels(...) the events"),
    ("openai", "n", "stream_many([...]) asks several times at once"),
    ("openai", "promt", "did you mean 'prompt'?"),
    ("openai", "fallback_s", "did you mean 'fallbacks'?"),
    ("openai", "on_ende", "did you mean 'on_end'?"),
    ("nobody", "top_p", "config=OpenAIConfig(top_p=...)"),
    ("openai", "zzzzzz", "the arguments are api_key, cache_prompt, config"),
]


@pytest.mark.parametrize(("name", "word", "hint"), HINTS)
def test_an_argument_that_is_somewhere_else(name: str, word: str, hint: str, colour: Sync | Async) -> None:
    with pytest.raises(TypeError) as caught:
        colour.query(name, "hi", **{word: 1})
    assert f"there is no argument {word!r}: " in str(caught.value)
    assert hint in str(caught.value)


def test_the_same_hints_for_a_conversation_and_a_batch() -> None:
    with pytest.raises(TypeError, match="config=AnthropicConfig"):
        Conversation("anthropic", top_p=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"config=OpenAIConfig\(top_p"):
        stream_many([Panel("openai", top_p=1)], "hi")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gpt-4o", "it looks like a model: write 'openai/gpt-4o', or 'openai' with model='gpt-4o'"),
        ("o3-mini", "write 'openai/o3-mini'"),
        ("claude-haiku-5-5", "write 'anthropic/claude-haiku-5-5'"),
        ("gemini-3.5-flash-lite", "write 'gemini/gemini-3.5-flash-lite'"),
        ("deepseek-chat", "write 'deepseek/deepseek-chat'"),
        ("grok-5", "write 'xai/grok-5'"),
        ("mistral-small-latest", "write 'mistral/mistral-small-latest'"),
        ("llama3.2", "write 'ollama/llama3.2'"),
        ("openai:gpt-4o", "write 'openai/gpt-4o'"),
        ("opanai/gpt-4o", "did you mean 'openai'"),
        ("opanai", "did you mean 'openai'"),
    ],
)
def test_a_model_in_the_place_of_a_provider(name: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        msgmodel.query(name, "hi", KEY)
    assert message in str(caught.value)


def test_provider_and_model_in_one(provider: ScriptedProvider, colour: Sync | Async) -> None:
    reply = colour.query("openai/gpt-4o", "hi", config=provider.config("openai"))
    assert (reply.provider, provider.requests[-1].json["model"]) == ("openai", "gpt-4o")
    colour.query("openrouter/openai/gpt-4o", "hi", config=provider.config("openrouter"))
    assert provider.requests[-1].json["model"] == "openai/gpt-4o"
    broken: Any = {"base_url": "http://127.0.0.1:9/v1"}
    events = colour.panels(
        "openai/gpt-4o", "hi", config=OpenAIConfig(**broken), max_retries=0,
        fallbacks=[{"provider": "c/claude-x", "config": provider.config("anthropic")}],
    )  # fmt: skip
    assert events[-1]["event"] == "panel_final"
    assert provider.requests[-1].json["model"] == "claude-x"


def test_a_conversation_and_a_batch_take_both_in_one(provider: ScriptedProvider) -> None:
    chat = Conversation("openai/gpt-4o", config=provider.config("openai"))
    chat.query("hi")
    assert (chat.provider, provider.requests[-1].json["model"]) == ("openai", "gpt-4o")
    chat.switch("anthropic/claude-x", config=provider.config("anthropic"))
    chat.query("hi")
    assert (chat.provider, provider.requests[-1].json["model"]) == ("anthropic", "claude-x")
    with stream_many([Panel("openai/gpt-4o", config=provider.config("openai"))], "hi") as batch:
        assert [event["panel_id"] for event in batch if event["event"] == "panel_final"] == ["openai"]


def test_a_model_that_is_named_twice() -> None:
    with pytest.raises(ConfigurationError, match="'openai/gpt-4o' names the model already: leave out model='gpt-5'"):
        msgmodel.query("openai/gpt-4o", "hi", KEY, model="gpt-5")
    with pytest.raises(ConfigurationError, match="there is no provider 'openai/'"):
        msgmodel.query("openai/", "hi", KEY)


@pytest.mark.parametrize("place", ["file_like", "files", "files as one"])
def test_a_path_that_is_a_string(place: str, colour: Sync | Async) -> None:
    """Never opened: a program may pass a text of its users."""
    Path("a.txt").write_text("secret")
    given: dict[str, Any] = {"file_like": "a.txt"} if place == "file_like" else {"files": ["a.txt"]}
    if place == "files as one":
        given = {"files": "a.txt"}
    with pytest.raises(FileError, match=r"pathlib\.Path\('a\.txt'\)|such as \[Path\('a\.pdf'\)\]"):
        colour.query("openai", "hi", KEY, **given)


def sent_cache(provider: ScriptedProvider, name: str, value: Any, **fields: Any) -> Any:
    config = provider.config(name, **fields)
    msgmodel.query(name.partition("_")[0], "hi", config=config, cache_prompt=value)
    return provider.requests[-1].json.get("cache_control")


@pytest.mark.parametrize("name", ["anthropic", "openrouter"])
def test_prompt_caching(name: str, provider: ScriptedProvider) -> None:
    assert sent_cache(provider, name, True) == {"type": "ephemeral"}
    assert sent_cache(provider, name, "1h") == {"type": "ephemeral", "ttl": "1h"}
    assert sent_cache(provider, name, False) is None


@pytest.mark.parametrize("name", ["openai", "openai_responses", "gemini", "deepseek", "ollama"])
def test_prompt_caching_by_itself(name: str, provider: ScriptedProvider) -> None:
    fields = {"model": "m"} if name == "ollama" else {}
    assert sent_cache(provider, name, True, **fields) is None
    with pytest.raises(ConfigurationError, match="caches prompts by itself, for a time of its own: use cache_prompt=T"):
        sent_cache(provider, name, "1h", **fields)


def test_a_wrong_duration(provider: ScriptedProvider) -> None:
    with pytest.raises(ConfigurationError, match='cache_prompt must be True, False, "5m" or "1h", not \'2h\''):
        sent_cache(provider, "anthropic", "2h")


def test_the_config_goes_before_the_keyword(provider: ScriptedProvider) -> None:
    config = AnthropicConfig(api_key=KEY, base_url=provider.url, body={"cache_control": {"ttl": "1h"}})
    msgmodel.query("anthropic", "hi", config=config, cache_prompt=True)
    assert provider.requests[-1].json["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
