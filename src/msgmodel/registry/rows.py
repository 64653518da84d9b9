"""The rows of the providers that the library knows. Data only.

The facts of the main providers are from their own pages (`Policy.reference`); those of compatible providers are from
their clients and documents (`website`). A field is sent only to a server that is known to accept it.
"""

from __future__ import annotations

import re
from typing import Any, Final

from ..question.config import AnthropicConfig, GeminiConfig, LocalConfig
from ..question.question import EFFORT_FIELDS, Dialect
from .provider import Policy, Provider

_BEARER_HEADER: Final = "authorization"
_SENDS_USAGE: Final = Dialect(include_usage=True)
"""The dialect of servers that are known to accept `stream_options`. Others send the usage unasked, or never."""


def _on_off_levels(**fields: tuple[Any, Any]) -> dict[Any, dict[str, Any]]:
    """Return the body fields of each level for a model whose thinking is only on or off.

    Args:
        fields: For each field, its value for `none` and its value for every other level.
    """
    return {level: {name: value[level != "none"] for name, value in fields.items()} for level in EFFORT_FIELDS}


_DISABLED_ENABLED: Final = {"type": "disabled"}, {"type": "enabled"}
_TEMPLATE_LEVELS: Final = _on_off_levels(chat_template_kwargs=({"enable_thinking": False}, {"enable_thinking": True}))

_TRAITS_BY_MODEL: Final = (
    # From the pages of the models, such as https://platform.claude.com/docs/en/models/haiku-5-5/overview
    (re.compile(r"claude-(fable|mythos)-5|claude-opus-5[-.]5"), frozenset({"always"})),
    (re.compile(r"claude-opus-4[-.][678](?!\d)|claude-sonnet-4[-.]6(?!\d)"), frozenset({"asked"})),
    (re.compile(r"claude-(opus|sonnet|haiku)-4[-.@](20\d{6}|[015](?!\d))"), frozenset({"asked", "budget"})),
    # https://help.openai.com/en/articles/20001600-migrating-from-gpt-4x-to-gpt-6-luna and the answers of its API
    (re.compile(r"gpt-6(\.\d+)?-astra|gpt-6\.1-sol"), frozenset({"always"})),
)

_RESPONSES_ONLY: Final = re.compile(
    r"(^|/)(gpt-5(\.\d+)?-(pro|codex)|o[13]-pro|computer-use-preview|gpt-daybreak)|-(deep-research|cyber|rosalind|law)"
)
"""Models that OpenAI serves only by its Responses API: `ResponsesOnlyModel` in its Python SDK."""


def reasoning_traits(model: str) -> frozenset[str]:
    """Return what is special in how a model thinks, on any server.

    `always`: it cannot be told not to think. `asked`: it thinks only on request. `budget`: it accepts a number of
    tokens instead of an effort. Empty: none of these.

    Args:
        model: The name of the model, with or without a prefix.
    """
    return next((traits for pattern, traits in _TRAITS_BY_MODEL if pattern.search(model.lower())), frozenset())


def speaks_responses(model: str, tools: bool) -> bool:
    """Return whether a request to OpenAI must use the Responses API.

    https://developers.openai.com/api/docs/guides/migrate-to-responses: Chat Completions refuses tools with GPT-6.
    """
    return bool(_RESPONSES_ONLY.search(model)) or (tools and model.startswith("gpt-6"))


MAIN_ROWS: Final = (
    Provider(
        name="openai",
        aliases=("o",),
        default_model="gpt-6-luna",
        base_url="https://api.openai.com/v1",
        base_url_variable="OPENAI_BASE_URL",
        keys={"OPENAI_API_KEY": _BEARER_HEADER},
        key_file="openai-api.key",
        header_variables={"openai-organization": "OPENAI_ORG_ID", "openai-project": "OPENAI_PROJECT_ID"},
        dialect=Dialect(
            max_tokens="max_completion_tokens",
            system_role="developer",
            store=False,
            include_usage=True,
            result_files_follow=True,
        ),
        dialect_elsewhere=Dialect(alternates=True),
        website="https://developers.openai.com",
        policy=Policy(
            training_retention=False,
            data_retention="not stored as a completion; abuse monitoring logs are kept up to 30 days",
            retention_when_stored="stored by the provider at least 30 days, because store=true was sent",
            provider_policy="API data is not used for training unless the organization opts in.",
            special_conditions="Under Zero Data Retention, granted by OpenAI to an organization or project, nothing "
            "is kept.",
            reference="https://developers.openai.com/api/docs/guides/your-data",
            checked="2026-11-22",
        ),
    ),
    Provider(
        name="anthropic",
        aliases=("a", "c", "claude"),
        wire="anthropic",
        config=AnthropicConfig,
        default_model="claude-haiku-5-5",
        base_url="https://api.anthropic.com",
        base_url_variable="ANTHROPIC_BASE_URL",
        keys={"ANTHROPIC_API_KEY": "x-api-key", "ANTHROPIC_AUTH_TOKEN": _BEARER_HEADER},
        key_file="anthropic-api.key",
        website="https://platform.claude.com",
        policy=Policy(
            training_retention=False,
            data_retention="not kept by default; 30 days for the covered models (Fable, Mythos)",
            provider_policy="Retained data is never used for training without permission.",
            special_conditions="The API has no storage switch for a request; Zero Data Retention is a contract with "
            "the organization.",
            reference="https://platform.claude.com/docs/en/manage-claude/api-and-data-retention",
            checked="2026-11-22",
        ),
    ),
    Provider(
        name="gemini",
        aliases=("g", "google"),
        wire="gemini",
        config=GeminiConfig,
        default_model="gemini-3.5-flash-lite",
        base_url="https://generativelanguage.googleapis.com",
        base_url_variable="GOOGLE_GEMINI_BASE_URL",
        keys={"GOOGLE_API_KEY": "x-goog-api-key", "GEMINI_API_KEY": "x-goog-api-key"},
        key_file="gemini-api.key",
        dialect=Dialect(store=False),
        website="https://ai.google.dev",
        policy=Policy(
            training_retention=None,
            data_retention="not logged, as store=false was sent; kept for a limited time to detect misuse",
            retention_when_stored="logged up to 55 days in billed projects, because store=true was sent",
            provider_policy="Paid tier: not used to improve products. Unpaid tier: may be used to improve products "
            "and be read by people.",
            special_conditions="Depends on the account: the API does not say whether the key belongs to the paid or "
            "the unpaid tier, so training_retention is unknown. Search grounding keeps data 30 days.",
            reference="https://ai.google.dev/gemini-api/terms",
            checked="2026-11-22",
        ),
    ),
    Provider(
        name="local",
        aliases=("l",),
        config=LocalConfig,
        default_model="smollm2-135m-instruct",
        base_url="local://",
        needs_key=False,
        # With these settings, the demo model is correct most often and never loops.
        dialect=Dialect(
            include_usage=True,
            system="You are a helpful assistant.",
            sampling={"temperature": 0.2, "top_p": 0.9, "repeat_penalty": 1.1},
            reasoning=_TEMPLATE_LEVELS,
            alternates=True,
            prompt_progress=True,
        ),
        website="https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct",
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
"""The providers that own a wire, and the embedded model."""


def _compatible_provider(name: str, base_url: str, *keys: str, **fields: Any) -> Provider:
    """Return the row of a provider that speaks OpenAI's API, with a bearer token and the variable `<NAME>_BASE_URL`."""
    variable = name.upper().replace("-", "_").replace(".", "_") + "_BASE_URL"
    return Provider(
        **{
            "base_url_variable": variable,
            "keys": dict.fromkeys(keys, _BEARER_HEADER),
            "name": name,
            "base_url": base_url,
        }
        | fields
    )


HOSTED: Final = (
    _compatible_provider("ai21", "https://api.ai21.com/studio/v1", "AI21_API_KEY", website="https://docs.ai21.com"),
    _compatible_provider(
        "alibaba",
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        "DASHSCOPE_API_KEY",
        aliases=("dashscope", "qwen"),
        base_url_variable="DASHSCOPE_BASE_URL",
        host="aliyuncs.com",
        dialect=Dialect(include_usage=True, reasoning=_on_off_levels(enable_thinking=(False, True))),
        website="https://www.alibabacloud.com/help/en/model-studio",
    ),
    _compatible_provider("avian", "https://api.avian.io/v1", "AVIAN_API_KEY", website="https://avian.io"),
    _compatible_provider(
        "azure",
        "https://{resource}.openai.azure.com/openai/v1",
        keys={"AZURE_OPENAI_API_KEY": "api-key", "AZURE_OPENAI_AD_TOKEN": _BEARER_HEADER},
        base_url_variable="AZURE_OPENAI_ENDPOINT",
        base_url_path="/openai/v1",
        host="openai.azure.com",
        dialect=Dialect(max_tokens="max_completion_tokens", include_usage=True, result_files_follow=True),
        website="https://learn.microsoft.com/azure/ai-foundry/openai",
    ),
    Provider(
        name="azure-anthropic",
        wire="anthropic",
        config=AnthropicConfig,
        base_url="https://{resource}.services.ai.azure.com/anthropic",
        base_url_variable="ANTHROPIC_FOUNDRY_BASE_URL",
        keys={"ANTHROPIC_FOUNDRY_API_KEY": "x-api-key"},
        host="services.ai.azure.com",
        website="https://learn.microsoft.com/azure/ai-foundry",
    ),
    _compatible_provider(
        "bedrock",
        "https://bedrock-runtime.{region}.amazonaws.com/openai/v1",
        "AWS_BEARER_TOKEN_BEDROCK",
        host="amazonaws.com",
        website="https://docs.aws.amazon.com/bedrock",
    ),
    _compatible_provider(
        "cerebras", "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY", website="https://inference-docs.cerebras.ai"
    ),
    _compatible_provider(
        "cloudflare",
        "https://api.cloudflare.com/client/v4/accounts/{account}/ai/v1",
        "CLOUDFLARE_API_TOKEN",
        host="api.cloudflare.com",
        website="https://developers.cloudflare.com/workers-ai",
    ),
    _compatible_provider(
        "cohere",
        "https://api.cohere.ai/compatibility/v1",
        "CO_API_KEY",
        "COHERE_API_KEY",
        website="https://docs.cohere.com/docs/compatibility-api",
    ),
    _compatible_provider(
        "crusoe",
        "https://managed-inference-api-proxy.crusoecloud.com/v1",
        "CRUSOE_API_KEY",
        website="https://docs.crusoecloud.com",
    ),
    _compatible_provider(
        "databricks",
        "https://{workspace}/serving-endpoints",
        "DATABRICKS_TOKEN",
        base_url_variable="DATABRICKS_HOST",
        base_url_path="/serving-endpoints",
        website="https://docs.databricks.com",
    ),
    _compatible_provider(
        "deepseek",
        "https://api.deepseek.com",
        "DEEPSEEK_API_KEY",
        default_model="deepseek-v4-flash",
        # Refuses an assistant's calls without their reasoning.
        dialect=Dialect(
            include_usage=True,
            echo_reasoning="reasoning_content",
            # Its efforts are off, high and max.
            reasoning={
                "none": {"thinking": _DISABLED_ENABLED[0]},
                "high": {"thinking": _DISABLED_ENABLED[1], **EFFORT_FIELDS["high"]},
            },
        ),
        website="https://api-docs.deepseek.com",
    ),
    _compatible_provider(
        "doubleword", "https://api.doubleword.ai/v1", "DOUBLEWORD_API_KEY", website="https://docs.doubleword.ai"
    ),
    _compatible_provider(
        "fireworks", "https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY", website="https://docs.fireworks.ai"
    ),
    _compatible_provider(
        "github-copilot",
        "https://api.githubcopilot.com",
        "GITHUB_COPILOT_TOKEN",
        website="https://docs.github.com/copilot",
    ),
    _compatible_provider(
        "groq",
        "https://api.groq.com/openai/v1",
        "GROQ_API_KEY",
        base_url_path="/openai/v1",
        website="https://console.groq.com/docs",
    ),
    _compatible_provider(
        "huggingface",
        "https://router.huggingface.co/v1",
        "HF_TOKEN",
        aliases=("hf",),
        website="https://huggingface.co/docs/inference-providers",
    ),
    _compatible_provider(
        "mistral",
        "https://api.mistral.ai/v1",
        "MISTRAL_API_KEY",
        default_model="mistral-small-latest",
        dialect=Dialect(
            reasoning={level: EFFORT_FIELDS[level] for level in ("none", "high")}, alternates=True, short_call_ids=True
        ),
        website="https://docs.mistral.ai",
    ),
    _compatible_provider(
        "moonshot",
        "https://api.moonshot.ai/v1",
        "MOONSHOT_API_KEY",
        aliases=("kimi",),
        dialect=Dialect(echo_reasoning="reasoning_content", reasoning=_on_off_levels(thinking=_DISABLED_ENABLED)),
        website="https://platform.moonshot.ai/docs",
    ),
    _compatible_provider(
        "opencode-zen", "https://opencode.ai/zen/v1", "OPENCODE_API_KEY", website="https://opencode.ai/docs/zen"
    ),
    _compatible_provider(
        "openrouter",
        "https://openrouter.ai/api/v1",
        "OPENROUTER_API_KEY",
        default_model="openrouter/auto",
        dialect=Dialect(
            include_usage=True,
            result_files_follow=True,
            cache_control=True,
            reasoning={level: {"reasoning": {"effort": level}} for level in EFFORT_FIELDS},
        ),
        website="https://openrouter.ai/docs",
    ),
    _compatible_provider(
        "perplexity",
        "https://api.perplexity.ai",
        "PERPLEXITY_API_KEY",
        default_model="sonar",
        dialect=Dialect(alternates=True),
        website="https://docs.perplexity.ai",
    ),
    _compatible_provider(
        "snowflake",
        "https://{account}.snowflakecomputing.com/api/v2/cortex/v1",
        "SNOWFLAKE_TOKEN",
        host="snowflakecomputing.com",
        website="https://docs.snowflake.com",
    ),
    _compatible_provider(
        "together", "https://api.together.ai/v1", "TOGETHER_API_KEY", website="https://docs.together.ai"
    ),
    _compatible_provider("venice", "https://api.venice.ai/api/v1", "VENICE_API_KEY", website="https://docs.venice.ai"),
    _compatible_provider(
        "vercel-gateway",
        "https://ai-gateway.vercel.sh/v1",
        "AI_GATEWAY_API_KEY",
        base_url_variable="AI_GATEWAY_BASE_URL",
        website="https://vercel.com/docs/ai-gateway",
    ),
    Provider(
        name="vertex",
        wire="gemini",
        config=GeminiConfig,
        default_model="gemini-3.5-flash-lite",
        base_url="https://aiplatform.googleapis.com/v1/publishers/google",
        base_url_variable="GOOGLE_VERTEX_BASE_URL",
        keys={"GOOGLE_VERTEX_API_KEY": "x-goog-api-key", "GOOGLE_VERTEX_ACCESS_TOKEN": _BEARER_HEADER},
        host="googleapis.com",
        website="https://cloud.google.com/vertex-ai/generative-ai/docs",
    ),
    _compatible_provider("writer", "https://api.writer.com/v1", "WRITER_API_KEY", website="https://dev.writer.com"),
    _compatible_provider("xai", "https://api.x.ai/v1", "XAI_API_KEY", aliases=("grok",), website="https://docs.x.ai"),
    _compatible_provider(
        "zai",
        "https://api.z.ai/api/paas/v4",
        "ZAI_API_KEY",
        aliases=("zhipu", "glm"),
        dialect=Dialect(reasoning=_on_off_levels(thinking=_DISABLED_ENABLED)),
        website="https://docs.z.ai",
    ),
)
"""Services that speak OpenAI's, Anthropic's or Gemini's API."""

SERVERS: Final = (
    _compatible_provider(
        "gpustack", "http://localhost/v1", "GPUSTACK_API_KEY", needs_key=False, website="https://docs.gpustack.ai"
    ),
    _compatible_provider(
        "litellm",
        "http://localhost:4000/v1",
        "LITELLM_PROXY_API_KEY",
        base_url_variable="LITELLM_PROXY_API_BASE",
        needs_key=False,
        website="https://docs.litellm.ai/docs/simple_proxy",
    ),
    _compatible_provider(
        "llamacpp",
        "http://localhost:8080/v1",
        "LLAMA_API_KEY",
        aliases=("llama.cpp", "llama-cpp"),
        needs_key=False,
        dialect=Dialect(include_usage=True, reasoning=_TEMPLATE_LEVELS, alternates=True, prompt_progress=True),
        website="https://github.com/ggml-org/llama.cpp/tree/master/tools/server",
    ),
    _compatible_provider(
        "lmstudio",
        "http://localhost:1234/v1",
        "LMSTUDIO_API_KEY",
        aliases=("lm-studio",),
        needs_key=False,
        dialect=Dialect(alternates=True),
        website="https://lmstudio.ai/docs",
    ),
    _compatible_provider(
        "ollama",
        "http://localhost:11434/v1",
        "OLLAMA_API_KEY",
        base_url_variable="OLLAMA_HOST",
        base_url_path="/v1",
        needs_key=False,
        # Its OpenAI endpoint refuses the URL of an image, unless it is a data: URL.
        dialect=Dialect(include_usage=True, fetches_files=False, alternates=True),
        website="https://docs.ollama.com",
    ),
    _compatible_provider(
        "vllm",
        "http://localhost:8000/v1",
        "VLLM_API_KEY",
        needs_key=False,
        dialect=Dialect(include_usage=True, reasoning=_TEMPLATE_LEVELS, alternates=True),
        website="https://docs.vllm.ai",
    ),
)
"""Servers that users run themselves, so no policy is known."""

ROWS: Final = (*MAIN_ROWS, *HOSTED, *SERVERS)
