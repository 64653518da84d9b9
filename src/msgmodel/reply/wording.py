"""How a reply ended, and what the caller can do about it, in English: the one table in Python. Pure.

Rule: each status and each error code has an entry, empty if there is nothing to add: a complete reply needs no words,
and an error has the text of the provider or of the transport already. `tests/reply/test_wording.py` checks it.
The page's words are in `clients/js/src/wording.ts`: they address a reader of a page, these a programmer.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ..events import ErrorCode, PanelFinal, Status

STATUS_WORDS: Final[Mapping[Status, str]] = MappingProxyType(
    {
        "complete": "",
        "truncated": "the reply was cut short",
        "filtered": "the reply was refused or filtered",
        "tool_calls": "",
        "waiting": "the run waits for a decision on a call, or for its result",
        "paused": "the reply is not finished: the provider paused it",
        "unknown": "the reply may be incomplete: the provider gave an unknown reason for its end",
    }
)
"""The words for each verdict on a reply that ended with `panel_final`."""

EMPTY_WORDS: Final = "the reply is empty: the model ended it without any text"
"""For a reply with the status `complete` and the mark `empty`."""

TOKEN_LIMIT_WORDS: Final = "the reply was cut off at the token limit"  # noqa: S105 (not a secret)
BUDGET_WORDS: Final = "the reply was cut off by the budget: raise max_cost or max_total_tokens"

TOKEN_LIMIT_REASONS: Final = ("length", "max_tokens", "max_output_tokens", "2")
"""Finish reasons that name the token limit, in lower case; `2` is the number of Gemini's MAX_TOKENS."""

ERROR_ADVICE: Final[Mapping[ErrorCode, str]] = MappingProxyType(
    {
        "authentication": "check the key in {keys}, or the one passed as api_key",
        "permission": "",
        "not_found": "the model asked for is {model}: name another one with model=",
        "rate_limit": "",
        "quota": "a short wait does not help: see the plan, the limits and the billing of the account",
        "context_length": "shorten the prompt, the history or the file",
        "too_large": "shorten the prompt, the history or the file",
        "invalid_request": "{model} does not take this {field}: {cure}",
        "content_policy": "",
        "overloaded": "",
        "server": "",
        "network": "",
        "timeout": "",
        "interrupted": "",
        "protocol": "",
        "reply_too_large": "ask for less with max_tokens, or allow more with max_reply_bytes",
        "cancelled": "",
    }
)
"""What the caller can do about an error, by its code. `reply.advice` fills in the names in braces."""

LOWER_MAX_TOKENS: Final = ", or lower max_tokens"
"""Added to the advice if the caller asked for that many tokens: a reply has its place in the context, too."""

REDIRECT_ADVICE: Final = "the server redirects, which is not followed with a key: set base_url to the final address"
PROXY_ADVICE: Final = (
    "a proxy wants a user and a password: put them into its URL, HTTPS_PROXY=http://user:password@host"
)

BASE_URL_ADVICE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "openai_chat": "a base_url usually ends in /v1",
        "openai_responses": "a base_url usually ends in /v1",
        "anthropic": "a base_url usually ends before /v1/messages",
        "gemini": "a base_url usually ends before /v1 or /v1beta",
    }
)
"""What to check, by the wire, if a server that is not the provider's own finds nothing at the address."""

FIELD_ADVICE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "temperature": "leave temperature out",
        "top_p": "leave top_p out",
        "top_k": "leave top_k out",
        "max_tokens": "change max_tokens",
        "store": "leave store out of the config",
        "stream_options": "pass include_usage=False in the config",
        "developer": "this server knows no developer role: name its address with base_url",
    }
)
"""The cure if a provider refuses a field of the request, by the argument that sets it."""

OTHER_FIELD_ADVICE: Final = "pass body={{'{other}': {limit}}} in the config instead of max_tokens"


def words_for_ending(final: PanelFinal) -> str:
    """Return the words for the end of a reply; empty if it is complete or waits for a tool."""
    if final.get("truncated_by") == "budget":
        return BUDGET_WORDS
    if final["status"] == "truncated" and (final["finish_reason"] or "").lower() in TOKEN_LIMIT_REASONS:
        return TOKEN_LIMIT_WORDS
    return STATUS_WORDS[final["status"]]
