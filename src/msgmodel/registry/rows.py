"""The rows of the providers that are known from the start. Data only.

Facts of the four main providers are read from their own pages (`Policy.reference`); those of the compatible ones from
their clients and documents, which `website` names. A field is sent only to a server that is known to take it.
"""

from __future__ import annotations

import re
from typing import Any, Final

from ..question.config import AnthropicConfig, GeminiConfig, LocalConfig
from ..question.question import EFFORT_FIELDS, Dialect
from .provider import Policy, Provider

_BEARER: Final = "authorization"
_COUNTED: Final = Dialect(include_usage=True)
"""Servers that are known to take `stream_options`. The others send the usage unasked, or never."""


def _switched(**fields: tuple[Any, Any]) -> dict[Any, dict[str, Any]]:
    """For models that think or don't: the fields' values for `none`, and for every other level."""
    return {level: {name: value[level != "none"] for name, value in fields.items()} for level in EFFORT_FIELDS}


_TYPED: Final = {"type": "disabled"}, {"type": "enabled"}
_TEMPLATED: Final = _switched(chat_template_kwargs=({"enable_thinking": False}, {"enable_thinking": True}))

_THINKS: Final = (
    # The pages of the models, such as https://platform.claude.com/docs/en/models/haiku-5-5/overview
    (re.compile(r"claude-(fable|mythos)-5|claude-opus-5[-.]5"), frozenset({"always"})),
    (re.compile(r"claude-opus-4[-.][678](?!\d)|claude-sonnet-4[-.]6(?!\d)"), frozenset({"asked"})),
    (re.compile(r"claude-(opus|sonnet|haiku)-4[-.@](20\d{6}|[015](?!\d))"), frozenset({"asked", "budget"})),
    # https://help.openai.com/en/articles/20001600-migrating-from-gpt-4x-to-gpt-6-luna and what its API answers
    (re.compile(r"gpt-6(\.\d+)?-astra|gpt-6\.1-sol"), frozenset({"always"})),
)

_RESPONSES_ONLY: Final = re.compile(
    r"(^|/)(gpt-5(\.\d+)?-(pro|codex)|o[13]-pro|computer-use-preview|gpt-daybreak)|-(deep-research|cyber|rosalind|law)"
)
"""Models that OpenAI has on its Responses API alone: `ResponsesOnlyModel` in its Python SDK."""


def reasoning_traits(model: str) -> frozenset[str]:
    """What is special in how a model thinks, whoever runs it; the name may have a prefix.

    always: it can't be told not to. asked: it does only when it is asked to. budget: it takes a number of tokens, and
    no effort. Empty: none of these.
    """
    return next((ways for pattern, ways in _THINKS if pattern.search(model.lower())), frozenset())


def speaks_responses(model: str, tools: bool) -> bool:
    """Whether OpenAI wants a model asked over its Responses API.

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
        keys={"OPENAI_API_KEY": _BEARER},
        key_file="openai-api.key",
        header_variables={"openai-organization": "OPENAI_ORG_ID", "openai-project": "OPENAI_PROJECT_ID"},
        dialect=Dialect(max_tokens="max_completion_tokens", system_role="developer", store=False, include_usage=True),
        dialect_elsewhere=Dialect(),
        website="https://developers.openai.com",
        policy=Policy(
            training_retention=False,
            data_retention="not stored as a completion; abuse monitoring logs are kept up to 30 days",
            retention_when_stored="stored by the provider at least 30 days, because store=true was sent",
            provider_policy="API data is not used for training unless the organisation opts in.",
            special_conditions="Under Zero Data Retention, granted by OpenAI to an organisation or project, nothing "
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
        keys={"ANTHROPIC_API_KEY": "x-api-key", "ANTHROPIC_AUTH_TOKEN": _BEARER},
        key_file="anthropic-api.key",
        website="https://platform.claude.com",
        policy=Policy(
            training_retention=False,
            data_retention="not kept by default; 30 days for the covered models (Fable, Mythos)",
            provider_policy="Retained data is never used for training without permission.",
            special_conditions="The API has no storage switch for a request; Zero Data Retention is a contract with "
            "the organisation.",
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
        # The settings with which the demo model is most often right and never loops.
        dialect=Dialect(
            include_usage=True,
            system="You are a helpful assistant.",
            sampling={"temperature": 0.2, "top_p": 0.9, "repeat_penalty": 1.1},
            reasoning=_TEMPLATED,
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
"""The providers that a wire was written for, and the embedded model."""


def _row(name: str, base_url: str, *keys: str, **fields: Any) -> Provider:
    """A provider that speaks OpenAI's API, with its key as a bearer token, and `<NAME>_BASE_URL`."""
    variable = name.upper().replace("-", "_").replace(".", "_") + "_BASE_URL"
    return Provider(
        **{"base_url_variable": variable, "keys": dict.fromkeys(keys, _BEARER), "name": name, "base_url": base_url}
        | fields
    )


HOSTED: Final = (
    _row("ai21", "https://api.ai21.com/studio/v1", "AI21_API_KEY", website="https://docs.ai21.com"),
    _row(
        "alibaba",
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        "DASHSCOPE_API_KEY",
        aliases=("dashscope", "qwen"),
        base_url_variable="DASHSCOPE_BASE_URL",
        host="aliyuncs.com",
        dialect=Dialect(include_usage=True, reasoning=_switched(enable_thinking=(False, True))),
        website="https://www.alibabacloud.com/help/en/model-studio",
    ),
    _row("avian", "https://api.avian.io/v1", "AVIAN_API_KEY", website="https://avian.io"),
    _row(
        "azure",
        "https://{resource}.openai.azure.com/openai/v1",
        keys={"AZURE_OPENAI_API_KEY": "api-key", "AZURE_OPENAI_AD_TOKEN": _BEARER},
        base_url_variable="AZURE_OPENAI_ENDPOINT",
        base_url_path="/openai/v1",
        host="openai.azure.com",
        dialect=Dialect(max_tokens="max_completion_tokens", include_usage=True),
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
    _row(
        "bedrock",
        "https://bedrock-runtime.{region}.amazonaws.com/openai/v1",
        "AWS_BEARER_TOKEN_BEDROCK",
        host="amazonaws.com",
        website="https://docs.aws.amazon.com/bedrock",
    ),
    _row("cerebras", "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY", website="https://inference-docs.cerebras.ai"),
    _row(
        "cloudflare",
        "https://api.cloudflare.com/client/v4/accounts/{account}/ai/v1",
        "CLOUDFLARE_API_TOKEN",
        host="api.cloudflare.com",
        website="https://developers.cloudflare.com/workers-ai",
    ),
    _row(
        "cohere",
        "https://api.cohere.ai/compatibility/v1",
        "CO_API_KEY",
        "COHERE_API_KEY",
        website="https://docs.cohere.com/docs/compatibility-api",
    ),
    _row(
        "crusoe",
        "https://managed-inference-api-proxy.crusoecloud.com/v1",
        "CRUSOE_API_KEY",
        website="https://docs.crusoecloud.com",
    ),
    _row(
        "databricks",
        "https://{workspace}/serving-endpoints",
        "DATABRICKS_TOKEN",
        base_url_variable="DATABRICKS_HOST",
        base_url_path="/serving-endpoints",
        website="https://docs.databricks.com",
    ),
    _row(
        "deepseek",
        "https://api.deepseek.com",
        "DEEPSEEK_API_KEY",
        default_model="deepseek-v4-flash",
        # Refuses an assistant's calls without the reasoning that led to them.
        dialect=Dialect(
            include_usage=True,
            echo_reasoning="reasoning_content",
            # Its efforts are off, high and max.
            reasoning={"none": {"thinking": _TYPED[0]}, "high": {"thinking": _TYPED[1], **EFFORT_FIELDS["high"]}},
        ),
        website="https://api-docs.deepseek.com",
    ),
    _row("doubleword", "https://api.doubleword.ai/v1", "DOUBLEWORD_API_KEY", website="https://docs.doubleword.ai"),
    _row(
        "fireworks", "https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY", website="https://docs.fireworks.ai"
    ),
    _row(
        "github-copilot",
        "https://api.githubcopilot.com",
        "GITHUB_COPILOT_TOKEN",
        website="https://docs.github.com/copilot",
    ),
    _row(
        "groq",
        "https://api.groq.com/openai/v1",
        "GROQ_API_KEY",
        base_url_path="/openai/v1",
        website="https://console.groq.com/docs",
    ),
    _row(
        "huggingface",
        "https://router.huggingface.co/v1",
        "HF_TOKEN",
        aliases=("hf",),
        website="https://huggingface.co/docs/inference-providers",
    ),
    _row(
        "mistral",
        "https://api.mistral.ai/v1",
        "MISTRAL_API_KEY",
        default_model="mistral-small-latest",
        dialect=Dialect(reasoning={level: EFFORT_FIELDS[level] for level in ("none", "high")}),
        website="https://docs.mistral.ai",
    ),
    _row(
        "moonshot",
        "https://api.moonshot.ai/v1",
        "MOONSHOT_API_KEY",
        aliases=("kimi",),
        dialect=Dialect(echo_reasoning="reasoning_content", reasoning=_switched(thinking=_TYPED)),
        website="https://platform.moonshot.ai/docs",
    ),
    _row("opencode-zen", "https://opencode.ai/zen/v1", "OPENCODE_API_KEY", website="https://opencode.ai/docs/zen"),
    _row(
        "openrouter",
        "https://openrouter.ai/api/v1",
        "OPENROUTER_API_KEY",
        default_model="openrouter/auto",
        dialect=Dialect(
            include_usage=True, reasoning={level: {"reasoning": {"effort": level}} for level in EFFORT_FIELDS}
        ),
        website="https://openrouter.ai/docs",
    ),
    _row(
        "perplexity",
        "https://api.perplexity.ai",
        "PERPLEXITY_API_KEY",
        default_model="sonar",
        website="https://docs.perplexity.ai",
    ),
    _row(
        "snowflake",
        "https://{account}.snowflakecomputing.com/api/v2/cortex/v1",
        "SNOWFLAKE_TOKEN",
        host="snowflakecomputing.com",
        website="https://docs.snowflake.com",
    ),
    _row("together", "https://api.together.ai/v1", "TOGETHER_API_KEY", website="https://docs.together.ai"),
    _row("venice", "https://api.venice.ai/api/v1", "VENICE_API_KEY", website="https://docs.venice.ai"),
    _row(
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
        keys={"GOOGLE_VERTEX_API_KEY": "x-goog-api-key", "GOOGLE_VERTEX_ACCESS_TOKEN": _BEARER},
        host="googleapis.com",
        website="https://cloud.google.com/vertex-ai/generative-ai/docs",
    ),
    _row("writer", "https://api.writer.com/v1", "WRITER_API_KEY", website="https://dev.writer.com"),
    _row("xai", "https://api.x.ai/v1", "XAI_API_KEY", aliases=("grok",), website="https://docs.x.ai"),
    _row(
        "zai",
        "https://api.z.ai/api/paas/v4",
        "ZAI_API_KEY",
        aliases=("zhipu", "glm"),
        dialect=Dialect(reasoning=_switched(thinking=_TYPED)),
        website="https://docs.z.ai",
    ),
)
"""Services that speak OpenAI's, Anthropic's or Gemini's API."""

SERVERS: Final = (
    _row("gpustack", "http://localhost/v1", "GPUSTACK_API_KEY", needs_key=False, website="https://docs.gpustack.ai"),
    _row(
        "litellm",
        "http://localhost:4000/v1",
        "LITELLM_PROXY_API_KEY",
        base_url_variable="LITELLM_PROXY_API_BASE",
        needs_key=False,
        website="https://docs.litellm.ai/docs/simple_proxy",
    ),
    _row(
        "llamacpp",
        "http://localhost:8080/v1",
        "LLAMA_API_KEY",
        aliases=("llama.cpp", "llama-cpp"),
        needs_key=False,
        dialect=Dialect(include_usage=True, reasoning=_TEMPLATED),
        website="https://github.com/ggml-org/llama.cpp/tree/master/tools/server",
    ),
    _row(
        "lmstudio",
        "http://localhost:1234/v1",
        "LMSTUDIO_API_KEY",
        aliases=("lm-studio",),
        needs_key=False,
        website="https://lmstudio.ai/docs",
    ),
    _row(
        "ollama",
        "http://localhost:11434/v1",
        "OLLAMA_API_KEY",
        base_url_variable="OLLAMA_HOST",
        base_url_path="/v1",
        needs_key=False,
        dialect=_COUNTED,
        website="https://docs.ollama.com",
    ),
    _row(
        "vllm",
        "http://localhost:8000/v1",
        "VLLM_API_KEY",
        needs_key=False,
        dialect=Dialect(include_usage=True, reasoning=_TEMPLATED),
        website="https://docs.vllm.ai",
    ),
)
"""Servers that people run themselves. What they do with the data is their owner's business."""

ROWS: Final = (*MAIN_ROWS, *HOSTED, *SERVERS)
