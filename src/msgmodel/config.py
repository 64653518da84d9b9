"""One config a provider: what the caller wants sent. A call never changes the caller's config, nor keeps it.

Rule: None means "not sent", so that the provider's own default holds. Arguments of a call go before these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias


@dataclass(slots=True)
class OpenAIConfig:
    """For provider `openai` and every server that speaks its API.

    api: "chat" is Chat Completions, "responses" the Responses API; None is chat, but Responses where a GPT-6 model is
    to call tools, which it does only there. base_url: up to and including `/v1`; without one
    `OPENAI_BASE_URL` or OpenAI itself. store: None sends `false` to OpenAI (never stored) and nothing to other
    servers. include_usage: asks for the usage chunk of a chat stream; None asks OpenAI and not other servers.
    headers, body: added to the request, over whatever is there.
    """

    model: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    n: int | None = None
    api_key: str | None = field(default=None, repr=False)
    stop: tuple[str, ...] | None = field(default=None, kw_only=True)
    seed: int | None = field(default=None, kw_only=True)
    api: Literal["chat", "responses"] | None = field(default=None, kw_only=True)
    base_url: str | None = field(default=None, kw_only=True)
    store: bool | None = field(default=None, kw_only=True)
    include_usage: bool | None = field(default=None, kw_only=True)
    headers: Mapping[str, str] = field(default_factory=dict, kw_only=True, repr=False)
    body: Mapping[str, Any] = field(default_factory=dict, kw_only=True, repr=False)


@dataclass(slots=True)
class AnthropicConfig:
    """For provider `anthropic`.

    max_tokens: this API requires one, so None sends 16,384. api_version: value of the `anthropic-version` header;
    None is 2026-10-21, or 2023-06-01 when a sampling field (temperature, top_p, top_k) is set, because the newer one
    refuses those on every model (https://platform.claude.com/docs/en/api/migration-2026-10-21).
    """

    model: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    api_key: str | None = field(default=None, repr=False)
    stop: tuple[str, ...] | None = field(default=None, kw_only=True)
    api_version: str | None = field(default=None, kw_only=True)
    base_url: str | None = field(default=None, kw_only=True)
    headers: Mapping[str, str] = field(default_factory=dict, kw_only=True, repr=False)
    body: Mapping[str, Any] = field(default_factory=dict, kw_only=True, repr=False)


@dataclass(slots=True)
class GeminiConfig:
    """For provider `gemini` (the Developer API).

    safety_threshold: sent for every adjustable category, such as "BLOCK_NONE". api_version: None is v1, or v1beta for
    the `*-latest` models, which exist only there. cache_control: sends nothing, as Gemini caches by itself; it stands
    here for programs of msgmodel 4. store: None sends `false`: prompts and replies are not logged.
    """

    model: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    candidate_count: int | None = None
    safety_threshold: str | None = None
    api_version: str | None = None
    cache_control: bool = False
    api_key: str | None = field(default=None, repr=False)
    stop: tuple[str, ...] | None = field(default=None, kw_only=True)
    seed: int | None = field(default=None, kw_only=True)
    base_url: str | None = field(default=None, kw_only=True)
    store: bool | None = field(default=None, kw_only=True)
    headers: Mapping[str, str] = field(default_factory=dict, kw_only=True, repr=False)
    body: Mapping[str, Any] = field(default_factory=dict, kw_only=True, repr=False)


@dataclass(slots=True)
class LocalConfig:
    """For provider `local`, the model inside this process.

    model: path of any GGUF file with a chat template; None is the small demo model of `msgmodel local pull`.
    context_tokens: size of the context. threads: None is half the cores.
    """

    model: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] | None = field(default=None, kw_only=True)
    seed: int | None = field(default=None, kw_only=True)
    context_tokens: int = field(default=4096, kw_only=True)
    threads: int | None = field(default=None, kw_only=True)
    body: Mapping[str, Any] = field(default_factory=dict, kw_only=True, repr=False)


ProviderConfig: TypeAlias = OpenAIConfig | AnthropicConfig | GeminiConfig | LocalConfig
