"""Words that callers know from other libraries, and the place that each has here. Only errors read this module."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Final

from .errors import ConfigurationError, quoted
from .question.config import OpenAIConfig
from .question.nearest_names import nearest_names
from .registry import registry

_ARGUMENT_BY_WORD: Final = {
    **dict.fromkeys(
        ("system", "system_prompt", "system_message", "instructions", "instruction"), "system_instruction="
    ),
    **dict.fromkeys(("max_output_tokens", "max_completion_tokens", "max_new_tokens", "num_predict"), "max_tokens="),
    **dict.fromkeys(("reasoning_effort", "effort", "thinking", "think", "thinking_budget"), "reasoning="),
    **dict.fromkeys(("file", "image", "images", "attachment", "attachments", "documents", "path"), "files=[Path(...)]"),
    **dict.fromkeys(("functions", "functionDeclarations"), "tools="),
    **dict.fromkeys(("function_call", "tool_config"), "tool_choice="),
    **dict.fromkeys(("history", "message", "chat_history", "contents", "input"), "messages="),
    **dict.fromkeys(("response_format", "response_model", "response_schema", "text_format"), "output="),
    **dict.fromkeys(("output_type", "output_format", "result_type", "schema", "json_schema"), "output="),
    **dict.fromkeys(("retries", "num_retries", "max_attempts"), "max_retries="),
    **dict.fromkeys(("key", "token", "apikey", "openai_api_key", "anthropic_api_key"), "api_key="),
    **dict.fromkeys(("client", "session", "transport"), "http_client="),
    **dict.fromkeys(("cache", "caching", "prompt_caching", "cache_control", "cached_content"), "cache_prompt=True"),
    **dict.fromkeys(("request_timeout", "read_timeout"), "timeout="),
    **dict.fromkeys(("callback", "callbacks", "on_final"), "on_end="),
    **dict.fromkeys(("fallback", "models"), "fallbacks="),
    **dict.fromkeys(("budget", "max_budget", "max_budget_usd", "cost_limit", "max_dollars"), "max_cost="),
    **dict.fromkeys(("total_tokens_limit", "token_budget", "max_total"), "max_total_tokens="),
    "model_name": "model=",
    "model_id": "model=",
}
_FIELD_BY_WORD: Final = {
    "stop_sequences": "stop",
    "stop_words": "stop",
    "random_seed": "seed",
    "api_base": "base_url",
    "endpoint": "base_url",
    "azure_endpoint": "base_url",
    "host": "base_url",
    "extra_headers": "headers",
    "default_headers": "headers",
    "extra_body": "body",
    "extra_query": "base_url",
    "num_ctx": "context_tokens",
}
_STREAM_WORDS: Final = ("stream", "streaming")
_SEVERAL_WORDS: Final = ("n", "candidate_count", "num_replies", "best_of")
_BODY_WORDS: Final = frozenset(
    (
        *("frequency_penalty", "presence_penalty", "repetition_penalty", "min_p", "logit_bias", "logprobs"),
        *("top_logprobs", "metadata", "user", "service_tier", "verbosity", "parallel_tool_calls", "prompt_cache_key"),
        *("safety_settings", "safety_identifier", "modalities", "web_search_options", "truncation", "betas"),
    )
)


def unknown_argument(word: str, provider: object, known: Iterable[str]) -> str:
    """Return the sentence that refuses an argument, and says where its value goes.

    Args:
        word: The name of the argument.
        provider: The provider of the call, whose config may have a field for it.
        known: The names of all arguments.
    """
    return f"there is no argument {quoted(word)}: {_cure(word, provider, known)}"


def _cure(word: str, provider: object, known: Iterable[str]) -> str:
    if word in _STREAM_WORDS:
        return "stream(...) streams the text, stream_panels(...) the events, and query(...) returns the complete reply"
    if word in _SEVERAL_WORDS:
        return "stream_many([...]) asks several times at once"
    if word in _ARGUMENT_BY_WORD:
        return f"use {_ARGUMENT_BY_WORD[word]}"
    config = _config_of_provider(provider)
    names = [field.name for field in fields(config)]
    name = _FIELD_BY_WORD.get(word, word)
    if name in names:
        return f"pass it in the config: config={config.__name__}({name}=...)"
    if name in _FIELD_BY_WORD.values() or name in ("top_p", "top_k", "seed", "store", "api_version"):
        return f"{config.__name__} has no {name} either; config={config.__name__}(body={{...}}) sends any field"
    if word in _BODY_WORDS:
        return f"config={config.__name__}(body={{{word!r}: ...}}) sends it"
    near = nearest_names(word, known)
    return f"did you mean {quoted(near[0])}?" if near else f"the arguments are {', '.join(sorted(known))}"


def _config_of_provider(provider: object) -> type:
    try:
        return registry.find_provider(str(provider).partition("/")[0]).config
    except ConfigurationError:
        return OpenAIConfig
