"""One config a provider: what the caller wants sent. A call never changes the caller's config, nor keeps it.

Rule: None means "not sent", so that the provider's own default holds. Arguments of a call go before these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias


@dataclass(slots=True)
class OpenAIConfig:
    """For provider `openai` and every server that speaks its API."""

    model: str | None = None
    """None is the provider's default model; see `msgmodel providers`."""
    temperature: float | None = None
    """How freely the model chooses its words, from 0."""
    top_p: float | None = None
    """From how much of the probability it chooses, 0 to 1."""
    max_tokens: int | None = None
    """Most tokens of the reply, reasoning included."""
    n: int | None = None
    """How many replies to make; the first is the one that is read."""
    api_key: str | None = field(default=None, repr=False)
    """The key; None is that of the surroundings."""
    stop: tuple[str, ...] | None = field(default=None, kw_only=True)
    """Texts at which the reply ends."""
    seed: int | None = field(default=None, kw_only=True)
    """The same seed and question give the same reply, as far as the server can."""
    api: Literal["chat", "responses"] | None = field(default=None, kw_only=True)
    """Chat Completions or the Responses API; None is chat, but Responses for models that are only there, and where a
    GPT-6 model is to call tools, which it does only there. Responses has no `stop`, `seed` and `n`: they raise."""
    base_url: str | None = field(default=None, kw_only=True)
    """Another server, up to and including `/v1`; None is the provider's variable, else its own address."""
    store: bool | None = field(default=None, kw_only=True)
    """Whether the provider may store the reply; None sends `false` to OpenAI and nothing to other servers."""
    include_usage: bool | None = field(default=None, kw_only=True)
    """Whether to ask for the usage in a chat stream; None asks the servers that are known to take it."""
    headers: Mapping[str, str] = field(default_factory=dict, kw_only=True, repr=False)
    """Added to the request, over whatever is there."""
    body: Mapping[str, Any] = field(default_factory=dict, kw_only=True, repr=False)
    """Fields added to the body, over whatever is there; what is an object in both is merged, one level deep."""


@dataclass(slots=True)
class AnthropicConfig:
    """For provider `anthropic` and servers that speak its API."""

    model: str | None = None
    """None is the provider's default model; see `msgmodel providers`."""
    temperature: float | None = None
    """How freely the model chooses its words, 0 to 1; 1, the API's own default, is not sent. See `api_version`."""
    top_p: float | None = None
    """From how much of the probability it chooses, 0 to 1; see `api_version`."""
    top_k: int | None = None
    """From how many words it chooses; see `api_version`."""
    max_tokens: int | None = None
    """Most tokens of the reply, thinking included. This API requires one, so None sends 16,384."""
    api_key: str | None = field(default=None, repr=False)
    """The key; None is that of the surroundings."""
    stop: tuple[str, ...] | None = field(default=None, kw_only=True)
    """Texts at which the reply ends."""
    api_version: str | None = field(default=None, kw_only=True)
    """Value of the `anthropic-version` header; None is 2026-10-21, or 2023-06-01 when a sampling field (temperature,
    top_p, top_k) is sent, because the newer one refuses those on every model
    (https://platform.claude.com/docs/en/api/migration-2026-10-21)."""
    base_url: str | None = field(default=None, kw_only=True)
    """Another server; None is the provider's variable, else its own address."""
    headers: Mapping[str, str] = field(default_factory=dict, kw_only=True, repr=False)
    """Added to the request, over whatever is there."""
    body: Mapping[str, Any] = field(default_factory=dict, kw_only=True, repr=False)
    """Fields added to the body, over whatever is there; what is an object in both is merged, one level deep."""


@dataclass(slots=True)
class GeminiConfig:
    """For provider `gemini` (the Developer API)."""

    model: str | None = None
    """None is the provider's default model; see `msgmodel providers`."""
    temperature: float | None = None
    """How freely the model chooses its words, 0 to 2."""
    top_p: float | None = None
    """From how much of the probability it chooses, 0 to 1."""
    top_k: int | None = None
    """From how many words it chooses."""
    max_tokens: int | None = None
    """Most tokens of the reply, thinking included."""
    candidate_count: int | None = None
    """How many replies to make; the first is the one that is read."""
    safety_threshold: str | None = None
    """Sent for every adjustable category, such as `BLOCK_NONE`."""
    api_version: str | None = None
    """Part of the address; None is v1, or v1beta for the `*-latest` models, which exist only there."""
    cache_control: bool = False
    """Sends nothing, as Gemini caches by itself; it stands here for programs of msgmodel 4."""
    api_key: str | None = field(default=None, repr=False)
    """The key; None is that of the surroundings."""
    stop: tuple[str, ...] | None = field(default=None, kw_only=True)
    """Texts at which the reply ends."""
    seed: int | None = field(default=None, kw_only=True)
    """The same seed and question give the same reply, as far as the server can."""
    base_url: str | None = field(default=None, kw_only=True)
    """Another server; None is the provider's variable, else its own address."""
    store: bool | None = field(default=None, kw_only=True)
    """Whether the provider may log prompt and reply; None sends `false`."""
    headers: Mapping[str, str] = field(default_factory=dict, kw_only=True, repr=False)
    """Added to the request, over whatever is there."""
    body: Mapping[str, Any] = field(default_factory=dict, kw_only=True, repr=False)
    """Fields added to the body, over whatever is there; what is an object in both is merged, one level deep."""


@dataclass(slots=True)
class LocalConfig:
    """For provider `local`, the model inside this process."""

    model: str | None = None
    """Path of any GGUF file with a chat template; None is the small demo model of `msgmodel local pull`."""
    temperature: float | None = None
    """How freely the model chooses its words; None is 0.2."""
    top_p: float | None = None
    """From how much of the probability it chooses, 0 to 1; None is 0.9."""
    max_tokens: int | None = None
    """Most tokens of the reply."""
    stop: tuple[str, ...] | None = field(default=None, kw_only=True)
    """Texts at which the reply ends."""
    seed: int | None = field(default=None, kw_only=True)
    """The same seed and question give the same reply."""
    context_tokens: int = field(default=4096, kw_only=True)
    """Size of the context: question and reply together."""
    threads: int | None = field(default=None, kw_only=True)
    """None is half the cores."""
    body: Mapping[str, Any] = field(default_factory=dict, kw_only=True, repr=False)
    """Fields for the engine, over whatever is there."""


ProviderConfig: TypeAlias = OpenAIConfig | AnthropicConfig | GeminiConfig | LocalConfig
