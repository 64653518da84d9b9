"""Advice for the caller on a failure, appended to the provider's own words. The texts are in `wording`. Pure."""

from __future__ import annotations

from ..errors import quoted
from ..question.question import Question
from ..registry.registry import PROVIDERS
from ..wires.deltas import Failure
from .wording import ERROR_ADVICE, FIELD_ADVICE, REDIRECT_ADVICE


def hint_for_failure(question: Question, failure: Failure) -> str:
    """Return what the caller can do about a failure; empty if there is nothing to add to the provider's words."""
    row = PROVIDERS[question.provider]
    advice = ERROR_ADVICE[failure.code]
    if failure.code == "authentication":
        return advice.format(keys=" or ".join(row.keys)) if row.keys else ""
    if failure.code == "not_found":
        custom = "" if row.is_official_host(question.base_url) else "; a base_url usually ends in /v1"
        return advice.format(model=quoted(question.model)) + custom
    if failure.code == "context_length":
        return advice + (", or lower max_tokens" if question.max_tokens else "")
    if failure.status_code is not None and 300 <= failure.status_code < 400:
        return REDIRECT_ADVICE
    if failure.code == "invalid_request":
        field = next((name for name in FIELD_ADVICE if name in failure.message), None)
        if field is None:
            return ""
        return advice.format(model=quoted(question.model), field=field, cure=FIELD_ADVICE[field])
    return advice
