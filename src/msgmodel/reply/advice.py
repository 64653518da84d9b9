"""TODO"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from ..errors import quoted
from ..question.question import Question
from ..registry.provider import Policy as Policy
from ..registry.provider import Provider as Provider
from ..registry.registry import PROVIDERS
from ..wires.deltas import Failure

if TYPE_CHECKING:
    pass


def hint_for_failure(ask: Question, failure: Failure) -> str:
    """What the caller can do about a failure; empty where there is nothing to add to the provider's words."""
    row = PROVIDERS[ask.provider]
    if failure.code == "authentication":
        return f"check the key in {' or '.join(row.keys)}, or the one passed as api_key" if row.keys else ""
    if failure.code == "not_found":
        custom = "" if row.is_official_host(ask.base_url) else "; a base_url usually ends in /v1"
        return f"the model asked for is {quoted(ask.model)}: name another one with model={custom}"
    if failure.code == "context_length":
        return "shorten the prompt, the history or the file" + (", or lower max_tokens" if ask.max_tokens else "")
    if failure.status_code is not None and 300 <= failure.status_code < 400:
        return "the server redirects, which is not followed with a key: set base_url to where it really is"
    if failure.code == "quota":
        return "this does not clear by waiting: see the plan and the billing of the account"
    if failure.code == "reply_too_large":
        return "ask for less with max_tokens, or allow more with max_reply_bytes"
    if failure.code == "invalid_request":
        named = next((word for word in _FIELDS if word in failure.message), None)
        if named:
            return f"{quoted(ask.model)} does not take this value of {named}: {_FIELDS[named]}"
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
