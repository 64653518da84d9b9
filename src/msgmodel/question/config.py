"""The configs of the providers. A call copies the caller's config: it neither changes nor keeps it.

Rule: None means "not sent", so that the provider's own default applies. Arguments of a call take precedence.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

KeyFunction: TypeAlias = Callable[[], str] | Callable[[], Awaitable[str]]
"""A function that returns a key or a token, called for each attempt. A coroutine function is for asyncio."""

KeyLike: TypeAlias = str | KeyFunction
"""A key, or a function that returns it."""


@dataclass(slots=True)
class OpenAIConfig:
    """For provider `openai` and every server that speaks its API."""

    model: str | None = None
    """Name of the model; None is the provider's default model, see `msgmodel providers`."""
    temperature: float | None = None
    """Sampling temperature, from 0."""
    top_p: float | None = None
    """Nucleus sampling: probability mass, 0 to 1."""
    max_tokens: int | None = None
    """Maximum tokens of the reply, reasoning included."""
    n: int | None = None
    """Number of replies: 1 or None. For several, ask several times with `stream_many`."""
    api_key: KeyLike | None = field(default=None, repr=False)
    """The key, or a function that returns it; None reads it from the environment or the key file."""
    stop: tuple[str, ...] | None = field(default=None, kw_only=True)
    """Texts that end the reply."""
    seed: int | None = field(default=None, kw_only=True)
    """Seed of the sampling: the same seed and question give the same reply, as far as the server supports it."""
    api: Literal["chat", "responses"] | None = field(default=None, kw_only=True)
    """Chat Completions or the Responses API. None is chat, except for models that exist only in Responses, and GPT-6
    models with tools, which they call only there. Responses has no `stop` and `seed`: they raise an error."""
    thinking_tags: Literal["read", "opened", "keep"] | None = field(default=None, kw_only=True)
    """What to do with reasoning that a model writes into its text, between tags such as `<think>`. `read` moves it to
    the reasoning; `opened` too, if the prompt ends in the opening tag; `keep` leaves the text as it is. None reads the
    tags of the models that are known to write them."""
    base_url: str | None = field(default=None, kw_only=True)
    """Address of another server, including `/v1`; None is the provider's environment variable, else its own address."""
    store: bool | None = field(default=None, kw_only=True)
    """Whether the provider may store the reply; None sends `false` to OpenAI and nothing to other servers."""
    include_usage: bool | None = field(default=None, kw_only=True)
    """Whether to ask for the usage in a chat stream; None asks servers that are known to support it."""
    headers: Mapping[str, str] = field(default_factory=dict, kw_only=True, repr=False)
    """Headers to add to the request. They replace ours of the same name."""
    body: Mapping[str, Any] = field(default_factory=dict, kw_only=True, repr=False)
    """Fields to add to the body. They replace ours, but objects are merged, one level deep, and `tools` are added."""


@dataclass(slots=True)
class AnthropicConfig:
    """For provider `anthropic` and servers that speak its API."""

    model: str | None = None
    """Name of the model; None is the provider's default model, see `msgmodel providers`."""
    temperature: float | None = None
    """Sampling temperature, 0 to 1. The API's own default, 1, is not sent. See `api_version`."""
    top_p: float | None = None
    """Nucleus sampling: probability mass, 0 to 1. See `api_version`."""
    top_k: int | None = None
    """Number of most likely tokens to choose from. See `api_version`."""
    max_tokens: int | None = None
    """Maximum tokens of the reply, thinking included. This API requires a limit, so None sends 16,384."""
    api_key: KeyLike | None = field(default=None, repr=False)
    """The key, or a function that returns it; None reads it from the environment or the key file."""
    stop: tuple[str, ...] | None = field(default=None, kw_only=True)
    """Texts that end the reply."""
    api_version: str | None = field(default=None, kw_only=True)
    """Value of the `anthropic-version` header; None is 2026-10-21, or 2023-06-01 when a sampling field (temperature,
    top_p, top_k) is sent, because the newer one refuses those on every model
    (https://platform.claude.com/docs/en/api/migration-2026-10-21)."""
    base_url: str | None = field(default=None, kw_only=True)
    """Address of another server; None is the provider's environment variable, else its own address."""
    headers: Mapping[str, str] = field(default_factory=dict, kw_only=True, repr=False)
    """Headers to add to the request. They replace ours of the same name."""
    body: Mapping[str, Any] = field(default_factory=dict, kw_only=True, repr=False)
    """Fields to add to the body. They replace ours, but objects are merged, one level deep, and `tools` are added."""


@dataclass(slots=True)
class GeminiConfig:
    """For provider `gemini` (the Developer API)."""

    model: str | None = None
    """Name of the model; None is the provider's default model, see `msgmodel providers`."""
    temperature: float | None = None
    """Sampling temperature, 0 to 2."""
    top_p: float | None = None
    """Nucleus sampling: probability mass, 0 to 1."""
    top_k: int | None = None
    """Number of most likely tokens to choose from."""
    max_tokens: int | None = None
    """Maximum tokens of the reply, thinking included."""
    candidate_count: int | None = None
    """Number of replies: 1 or None. For several, ask several times with `stream_many`."""
    safety_threshold: str | None = None
    """Threshold for every adjustable category, such as `BLOCK_NONE`."""
    api_version: str | None = None
    """Version in the address; None is v1, or v1beta for previews, experiments and the `*-latest` names."""
    cache_control: bool = False
    """No effect, because Gemini caches automatically. Kept for programs of msgmodel 4."""
    api_key: KeyLike | None = field(default=None, repr=False)
    """The key, or a function that returns it; None reads it from the environment or the key file."""
    stop: tuple[str, ...] | None = field(default=None, kw_only=True)
    """Texts that end the reply."""
    seed: int | None = field(default=None, kw_only=True)
    """Seed of the sampling: the same seed and question give the same reply, as far as the server supports it."""
    base_url: str | None = field(default=None, kw_only=True)
    """Address of another server; None is the provider's environment variable, else its own address."""
    store: bool | None = field(default=None, kw_only=True)
    """Whether the provider may log prompt and reply; None sends `false`."""
    headers: Mapping[str, str] = field(default_factory=dict, kw_only=True, repr=False)
    """Headers to add to the request. They replace ours of the same name."""
    body: Mapping[str, Any] = field(default_factory=dict, kw_only=True, repr=False)
    """Fields to add to the body. They replace ours, but objects are merged, one level deep, and `tools` are added."""


@dataclass(slots=True)
class LocalConfig:
    """For provider `local`, the model inside this process."""

    model: str | None = None
    """Path of any GGUF file with a chat template; None is the small demo model of `msgmodel local pull`."""
    temperature: float | None = None
    """Sampling temperature; None is 0.2."""
    top_p: float | None = None
    """Nucleus sampling: probability mass, 0 to 1; None is 0.9."""
    max_tokens: int | None = None
    """Maximum tokens of the reply."""
    stop: tuple[str, ...] | None = field(default=None, kw_only=True)
    """Texts that end the reply."""
    seed: int | None = field(default=None, kw_only=True)
    """Seed of the sampling: the same seed and question give the same reply."""
    context_tokens: int = field(default=4096, kw_only=True)
    """Size of the context: question and reply together."""
    threads: int | None = field(default=None, kw_only=True)
    """Number of threads; None is half the cores."""
    body: Mapping[str, Any] = field(default_factory=dict, kw_only=True, repr=False)
    """Fields for the engine. They replace ours."""


ProviderConfig: TypeAlias = OpenAIConfig | AnthropicConfig | GeminiConfig | LocalConfig
