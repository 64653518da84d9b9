"""How each provider is asked for the format of `output=`. Pure.

Rule: a field is sent only to a server that is known to take it: others ignore it silently, or refuse the request. All
others are asked in words, and every reply is checked in any case.

The facts are from the providers' documents and SDKs (groq, together, fireworks, mistralai 3.7, openrouter), from the
sources of vLLM, llama.cpp and Ollama, and from recorded requests.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from ..reply_facts import OutputMethod
from .provider import Provider

SchemaDialect: TypeAlias = Literal["openai", "anthropic", "gemini", "llamacpp", "plain"]
"""Whose rules a JSON schema follows."""


class OutputChoice(NamedTuple):
    """How a server is asked for a format."""

    method: OutputMethod
    dialect: SchemaDialect = "plain"
    takes_tools: bool = True
    """Whether the model can call tools although the request has a schema."""
    more_fields: Mapping[str, Any] = MappingProxyType({})
    """Fields that make the server keep to the schema."""


_PROMPT: Final = OutputChoice("prompt")
_STRICT: Final = OutputChoice("native", "openai")
_ANY_JSON: Final = OutputChoice("json_object")
_LLAMA: Final = OutputChoice("native", "llamacpp", takes_tools=False)
"""Servers on llama.cpp: the grammar of the schema leaves no room for a call."""

_BY_PROVIDER: Final[Mapping[str, OutputChoice]] = MappingProxyType(
    {
        **dict.fromkeys(("openai", "azure", "cerebras", "fireworks", "huggingface", "mistral"), _STRICT),
        **dict.fromkeys(("litellm", "perplexity", "together", "vercel-gateway", "vllm", "xai"), _STRICT),
        # https://openrouter.ai/docs/structured-outputs: else it may choose a provider that ignores the schema.
        "openrouter": _STRICT._replace(more_fields={"provider": {"require_parameters": True}}),
        **dict.fromkeys(("llamacpp", "lmstudio", "local", "ollama"), _LLAMA),
        # Only some of Groq's models take a schema (https://console.groq.com/docs/structured-outputs).
        **dict.fromkeys(("alibaba", "deepseek", "groq"), _ANY_JSON),
    }
)
"""Providers of OpenAI's Chat Completions. Others are asked in words."""

_OLD_CLAUDE: Final = re.compile(r"claude-(\d|instant|(opus|sonnet)-4([-@]0|[-@]20|$))")
"""Models before structured outputs (https://platform.claude.com/docs/en/build-with-claude/structured-outputs)."""
_NO_JSON_MODE: Final = re.compile(r"gemma|-image|-tts")
"""Models of Google's API that refuse `responseMimeType`: "JSON mode is not enabled"."""


def choose_output_method(row: Provider, wire: str, model: str, *, has_schema: bool, has_tools: bool) -> OutputChoice:
    """Return how a server is asked for a format.

    Args:
        row: The provider.
        wire: The wire of the question.
        model: The name of the model.
        has_schema: Whether the format is a schema, not any JSON.
        has_tools: Whether the model may call tools.
    """
    choice = _choose_for_schema(row, wire, model.lower())
    if has_tools and not choice.takes_tools:
        return _PROMPT
    if choice.method != "native" or has_schema:
        return choice
    return _PROMPT if wire == "anthropic" else _ANY_JSON


def _choose_for_schema(row: Provider, wire: str, model: str) -> OutputChoice:
    if wire == "anthropic":
        # Other servers on this wire, such as DeepSeek's, have models of their own.
        return OutputChoice("native", "anthropic") if "claude" in model and not _OLD_CLAUDE.search(model) else _PROMPT
    if wire == "gemini":
        if _NO_JSON_MODE.search(model):
            return _PROMPT
        # Before Gemini 3, the API refuses functions beside a schema.
        return OutputChoice("native", "gemini", takes_tools=not re.search(r"gemini-[12]", model))
    if wire == "openai_responses":
        return _STRICT  # the field is a part of this API
    return _BY_PROVIDER.get(row.name, _PROMPT)
