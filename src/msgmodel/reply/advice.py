"""The message of a failure: the provider's own words and advice for the caller. The texts are in `wording`. Pure.

Rule: advice names only what this question sent, in the words of its wire.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from ..errors import quoted
from ..question import redaction
from ..question.question import Question
from ..registry.registry import PROVIDERS
from ..wires.deltas import Failure
from .wording import (
    BASE_URL_ADVICE,
    ERROR_ADVICE,
    FIELD_ADVICE,
    LOWER_MAX_TOKENS,
    OTHER_FIELD_ADVICE,
    PROXY_ADVICE,
    REDIRECT_ADVICE,
)

_LIMIT_FIELDS: Final = {"openai_responses": "max_output_tokens", "anthropic": "max_tokens", "gemini": "maxOutputTokens"}
"""The field for `max_tokens`, by the wire; in a chat, the dialect names it."""
_OTHER_LIMIT_FIELD: Final = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
_PLAIN_WORDS: Final = ("store", "developer")
"""Fields that are words of plain English: a message names one only in quotes."""
_ABOUT_THE_VALUE = re.compile(
    r"too (?:large|small|high|low)|at (?:most|least)|below|above|exceed|m(?:in|ax)imum|greater|less|range|between|[<>]"
)


def explain_failure(question: Question, failure: Failure) -> Failure:
    """Return a failure with a message for people, without the keys that the server may have quoted.

    The message says what happened, in the provider's own words if it has any, and what to do.
    """
    words = redaction.safe_for_display(failure.message, question.secrets)
    if failure.answered:
        status = f" (HTTP {failure.status_code})" if failure.status_code else ""
        words = f"{question.provider}{status}: {words or 'no explanation given'}"
    hint = hint_for_failure(question, failure)
    message = f"{words} [{hint}]" if hint else words
    return failure._replace(
        message=message,
        request_id=redact_words(question, failure.request_id),
        provider_served=redact_words(question, failure.provider_served),
        failed_generation=redact_words(question, failure.failed_generation),
    )


def redact_words(question: Question, words: str | None) -> str | None:
    """Return what a server reports of itself, without the key that it may have put there."""
    return words and redaction.redact(words, question.secrets)


def redact_fields(question: Question, fields: Iterable[Any]) -> list[Any]:
    """Return the fields of a delta in which a server speaks of itself, without the key."""
    return [redact_words(question, each) if isinstance(each, str) else each for each in fields]


def hint_for_failure(question: Question, failure: Failure) -> str:
    """Return what the caller can do about a failure; empty if there is nothing to add to the provider's words."""
    advice = ERROR_ADVICE[failure.code]
    if failure.status_code == 407:
        return PROXY_ADVICE
    if failure.status_code is not None and 300 <= failure.status_code < 400:
        return REDIRECT_ADVICE
    if failure.code == "authentication":
        keys = PROVIDERS[question.provider].keys
        return advice.format(keys=" or ".join(keys)) if keys else ""
    if failure.code == "not_found":
        return "; ".join(_advice_on_address(question, failure, advice))
    if failure.code in ("context_length", "too_large"):
        return advice + (LOWER_MAX_TOKENS if question.max_tokens else "")
    if failure.code == "invalid_request":
        return _advice_on_field(question, failure.message, advice)
    return advice


def _advice_on_address(question: Question, failure: Failure, advice: str) -> Iterator[str]:
    """Yield advice on the model, unless the provider misses something else, and on the address of another server."""
    message = failure.message.lower()
    if not message or question.model.lower() in message or any(word in message for word in ("model", "deployment")):
        yield advice.format(model=quoted(question.model))
    if not PROVIDERS[question.provider].is_official_host(question.base_url):
        yield BASE_URL_ADVICE[question.wire]


def _advice_on_field(question: Question, message: str, advice: str) -> str:
    """Return the cure if the message names a field that the question sent."""
    field, cure = next((sent for sent in _sent_fields(question) if _is_named(sent[0], message)), ("", ""))
    if not field:
        return ""
    other = _OTHER_LIMIT_FIELD.get(field) if question.wire == "openai_chat" else None
    if other and not _ABOUT_THE_VALUE.search(message):
        cure = OTHER_FIELD_ADVICE.format(other=other, limit=question.max_tokens)
    return advice.format(model=quoted(question.model), field=field, cure=cure)


def _sent_fields(question: Question) -> Iterator[tuple[str, str]]:
    """Yield the fields of the request that a server may refuse, each with its cure."""
    wire, config, dialect = question.wire, question.config, question.dialect
    if question.temperature is not None:
        yield "temperature", FIELD_ADVICE["temperature"]
    for name, in_gemini in (("top_p", "topP"), ("top_k", "topK")):
        if getattr(config, name, None) is not None:
            yield in_gemini if wire == "gemini" else name, FIELD_ADVICE[name]
    if question.max_tokens is not None or wire == "anthropic":
        yield _LIMIT_FIELDS.get(wire, dialect.max_tokens), FIELD_ADVICE["max_tokens"]
    if getattr(config, "store", None) is not None:
        yield "store", FIELD_ADVICE["store"]
    if wire == "openai_chat":
        yield "stream_options", FIELD_ADVICE["stream_options"]
        if dialect.system_role == "developer":
            yield "developer", FIELD_ADVICE["developer"]


def _is_named(field: str, message: str) -> bool:
    """Return whether a message names a field."""
    pattern = rf"['\"`]{field}['\"`]" if field in _PLAIN_WORDS else rf"\b{field}\b"
    return re.search(pattern, message) is not None
