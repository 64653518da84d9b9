"""The providers: one row each. A provider that speaks a known wire is a row here, and nothing else. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from ._ask import Ask, Dialect, Request
from ._deltas import Failure
from .config import AnthropicConfig, GeminiConfig, LocalConfig, OpenAIConfig, ProviderConfig
from .errors import ConfigurationError
from .events import Privacy


@dataclass(frozen=True, slots=True)
class Policy:
    """What a provider says that it does with the data of its API, and when we read it."""

    training_retention: bool | None
    data_retention: str
    provider_policy: str
    special_conditions: str
    reference: str
    checked: str
    retention_when_stored: str = ""


@dataclass(frozen=True, slots=True)
class Provider:
    """A row. `keys`: environment variables to the header that carries the key, in the order in which they are tried."""

    name: str
    wire: str
    config: type[ProviderConfig]
    default_model: str
    base_url: str
    policy: Policy
    base_url_variable: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)
    key_file: str = ""
    header_variables: Mapping[str, str] = field(default_factory=dict)
    dialect: Dialect = field(default_factory=Dialect)
    sends_to: str = ""
    """End of the host names that are the provider's own."""

    def official(self, base_url: str) -> bool:
        """Whether a base URL is the provider's own, not somebody's who is compatible with it."""
        host = urlsplit(base_url).hostname or ""
        return bool(self.sends_to) and (host == self.sends_to or host.endswith("." + self.sends_to))


COMPATIBLE: Final = Dialect()
"""What is safe to send to a server that is only compatible with OpenAI: the smallest body."""

_BEARER = "authorization"

PROVIDERS: Final[Mapping[str, Provider]] = MappingProxyType(
    {
        row.name: row
        for row in (
            Provider(
                name="openai",
                wire="openai_chat",
                config=OpenAIConfig,
                default_model="gpt-6-luna",
                base_url="https://api.openai.com/v1",
                base_url_variable="OPENAI_BASE_URL",
                keys={"OPENAI_API_KEY": _BEARER},
                key_file="openai-api.key",
                header_variables={"openai-organization": "OPENAI_ORG_ID", "openai-project": "OPENAI_PROJECT_ID"},
                dialect=Dialect(
                    max_tokens="max_completion_tokens", system_role="developer", store=False, include_usage=True
                ),
                sends_to="api.openai.com",
                policy=Policy(
                    training_retention=False,
                    data_retention="not stored as a completion; abuse monitoring logs are kept up to 30 days",
                    retention_when_stored="stored by the provider at least 30 days, because store=true was sent",
                    provider_policy="API data is not used for training unless the organisation opts in.",
                    special_conditions="Under Zero Data Retention, granted by OpenAI to an organisation or project, "
                    "nothing is kept.",
                    reference="https://developers.openai.com/api/docs/guides/your-data",
                    checked="2026-11-22",
                ),
            ),
            Provider(
                name="anthropic",
                wire="anthropic",
                config=AnthropicConfig,
                default_model="claude-haiku-5-5",
                base_url="https://api.anthropic.com",
                base_url_variable="ANTHROPIC_BASE_URL",
                keys={"ANTHROPIC_API_KEY": "x-api-key", "ANTHROPIC_AUTH_TOKEN": _BEARER},
                key_file="anthropic-api.key",
                sends_to="api.anthropic.com",
                policy=Policy(
                    training_retention=False,
                    data_retention="not kept by default; 30 days for the covered models (Fable, Mythos)",
                    provider_policy="Retained data is never used for training without permission.",
                    special_conditions="The API has no storage switch for a request; Zero Data Retention is a "
                    "contract with the organisation.",
                    reference="https://platform.claude.com/docs/en/manage-claude/api-and-data-retention",
                    checked="2026-11-22",
                ),
            ),
            Provider(
                name="gemini",
                wire="gemini",
                config=GeminiConfig,
                default_model="gemini-3.5-flash-lite",
                base_url="https://generativelanguage.googleapis.com",
                base_url_variable="GOOGLE_GEMINI_BASE_URL",
                keys={"GOOGLE_API_KEY": "x-goog-api-key", "GEMINI_API_KEY": "x-goog-api-key"},
                key_file="gemini-api.key",
                sends_to="generativelanguage.googleapis.com",
                policy=Policy(
                    training_retention=None,
                    data_retention="not logged, as store=false was sent; kept for a limited time to detect misuse",
                    retention_when_stored="logged up to 55 days in billed projects, because store=true was sent",
                    provider_policy="Paid tier: not used to improve products. Unpaid tier: may be used to improve "
                    "products and be read by people.",
                    special_conditions="Depends on the account: the API does not say whether the key belongs to the "
                    "paid or the unpaid tier, so training_retention is unknown. Search grounding keeps data 30 days.",
                    reference="https://ai.google.dev/gemini-api/terms",
                    checked="2026-11-22",
                ),
            ),
            Provider(
                name="local",
                wire="openai_chat",
                config=LocalConfig,
                default_model="smollm2-135m-instruct",
                base_url="local://",
                # The settings with which the demo model is most often right and never loops.
                dialect=Dialect(
                    include_usage=True,
                    system="You are a helpful assistant.",
                    sampling={"temperature": 0.2, "top_p": 0.9, "repeat_penalty": 1.1},
                ),
                policy=Policy(
                    training_retention=False,
                    data_retention="none: the model runs inside this process",
                    provider_policy="Nothing leaves this machine.",
                    special_conditions="",
                    reference="https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct",
                    checked="2026-11-22",
                ),
            ),
        )
    }
)

ALIASES: Final = MappingProxyType(
    {"o": "openai", "a": "anthropic", "c": "anthropic", "claude": "anthropic", "g": "gemini", "l": "local"}
)

_ELSEWHERE = Policy(
    training_retention=None,
    data_retention="unknown: depends on whoever runs the server",
    provider_policy="Unknown: the request went to a server that is not the provider's own.",
    special_conditions="",
    reference="",
    checked="2026-11-22",
)


def find(name: str) -> Provider:
    """The row of a name or short name. Raises ConfigurationError."""
    if not isinstance(name, str):
        raise ConfigurationError(f"provider must be a name such as 'openai', not {type(name).__name__}")
    key = str(getattr(name, "value", name)).strip().lower()
    row = PROVIDERS.get(ALIASES.get(key, key))
    if row is None:
        known = ", ".join(PROVIDERS)
        raise ConfigurationError(f"there is no provider {name!r}; known are {known} (short: {', '.join(ALIASES)})")
    return row


def privacy(ask: Ask, request: Request) -> Privacy:
    """What happens to the data of this request, read off the request itself."""
    row = PROVIDERS[ask.provider]
    local = ask.provider == "local"
    policy = row.policy if local or row.official(request.url) else _ELSEWHERE
    return {
        "provider": ask.provider,
        "training_retention": policy.training_retention,
        "data_retention": policy.retention_when_stored
        if request.stored and policy.retention_when_stored
        else policy.data_retention,
        "stored": request.stored,
        "endpoint": "in-process" if local else urlsplit(request.url).hostname or "",
        "inline_file": bool(ask.files),
        "local": local,
        "provider_policy": policy.provider_policy,
        "special_conditions": policy.special_conditions,
        "reference": policy.reference,
        "checked": policy.checked,
    }


def hint(ask: Ask, failure: Failure) -> str:
    """What the caller can do about a failure; empty where there is nothing to add to the provider's words."""
    row = PROVIDERS[ask.provider]
    if failure.code == "authentication":
        return f"check the key in {' or '.join(row.keys)}, or the one passed as api_key" if row.keys else ""
    if failure.code == "not_found":
        custom = "" if row.official(ask.base_url) else "; a base_url usually ends in /v1"
        return f"the model asked for is {ask.model!r}: name another one with model={custom}"
    if failure.code == "context_length":
        return "shorten the prompt, the history or the file" + (", or lower max_tokens" if ask.max_tokens else "")
    if failure.status_code is not None and 300 <= failure.status_code < 400:
        return "the server redirects, which is not followed with a key: set base_url to where it really is"
    if failure.code == "quota":
        return "this does not clear by waiting: see the plan and the billing of the account"
    if failure.code == "invalid_request":
        named = next((word for word in _FIELDS if word in failure.message), None)
        if named:
            return f"{ask.model!r} does not take this value of {named}: {_FIELDS[named]}"
    return ""


_FIELDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "temperature": "leave temperature out",
        "top_p": "leave top_p out",
        "top_k": "leave top_k out",
        "max_completion_tokens": "pass body={'max_tokens': ...} in the config instead of max_tokens",
        "max_tokens": "change max_tokens, or pass the field that the server wants in the config's body",
        "maxOutputTokens": "change max_tokens",
        "max_output_tokens": "change max_tokens",
        "store": "pass store in the config, or another field in the config's body",
        "stream_options": "pass include_usage=False in the config",
        "developer": "this server knows no developer role: name its address with base_url",
    }
)
