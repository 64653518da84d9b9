"""What providers say when they refuse or fail: error words, HTTP statuses and phrases, with our codes. Data only.

Rule: a clue that a program can read decides, a phrase never overrules it. A known error word comes first, then the HTTP
status. A phrase only makes a vague clue more precise: each row of `PHRASES` names the codes that it may replace.

The bodies behind these rows are in `tests/wires/test_error_words.py`, each with its source.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from ..events import ErrorCode

# Error words of all providers, lower case: the `code`, `type`, `status` or reason in the body of an error. `plain_word`
# ignores how a provider writes a word. Words that are as vague as the HTTP status are mapped to `invalid_request` or
# `server`; a better clue takes precedence.
CODE_BY_ERROR_WORD: Final[dict[str, ErrorCode]] = {
    # OpenAI, both APIs
    "invalid_api_key": "authentication",
    "model_not_found": "not_found",
    "rate_limit_exceeded": "rate_limit",
    "slow_down": "rate_limit",
    "rate_limit_error": "rate_limit",
    "tokens": "rate_limit",
    "requests": "rate_limit",
    "insufficient_quota": "quota",
    "credit_balance_exhausted": "quota",
    "billing_hard_limit_reached": "quota",
    "context_length_exceeded": "context_length",
    "string_above_max_length": "too_large",
    "invalid_request_error": "invalid_request",
    "unsupported_value": "invalid_request",
    "unsupported_parameter": "invalid_request",
    "invalid_prompt": "content_policy",
    "content_policy_violation": "content_policy",
    "content_filter": "content_policy",
    "bio_policy": "content_policy",
    "misalignment_policy_violation": "content_policy",
    "image_content_policy_violation": "content_policy",
    "data_residency_mismatch": "permission",
    "unsupported_country_region_territory": "permission",
    "billing_not_active": "quota",
    "server_error": "server",
    "server_is_overloaded": "overloaded",
    "service_unavailable_error": "overloaded",
    "vector_store_timeout": "server",
    "invalid_image": "invalid_request",
    "invalid_image_format": "invalid_request",
    "invalid_base64_image": "invalid_request",
    "invalid_image_url": "invalid_request",
    "image_too_large": "too_large",
    "image_too_small": "invalid_request",
    "image_parse_error": "invalid_request",
    "invalid_image_mode": "invalid_request",
    "image_file_too_large": "too_large",
    "unsupported_image_media_type": "invalid_request",
    "empty_image_file": "invalid_request",
    "failed_to_download_image": "invalid_request",
    "image_file_not_found": "invalid_request",
    # Anthropic
    "authentication_error": "authentication",
    "billing_error": "quota",
    "permission_error": "permission",
    "not_found_error": "not_found",
    "request_too_large": "too_large",
    "request_body_too_large_after_decoding": "too_large",
    "image_dimensions_too_large": "too_large",
    "contract_spend_limit_reached": "quota",
    "enforced_spend_limit_reached": "quota",
    "ramp_limit_exceeded": "rate_limit",
    "organization_on_hold": "permission",
    "timeout_error": "server",
    "api_error": "server",
    "overloaded_error": "overloaded",
    "conflict_error": "server",
    "memory_precondition_failed_error": "invalid_request",
    "memory_path_conflict_error": "invalid_request",
    "tool_name_conflict": "invalid_request",
    "tool_reference_unresolved": "invalid_request",
    "available_tools_limit_exceeded": "invalid_request",
    "request_body_encoding_invalid": "invalid_request",
    "request_body_encoding_unsupported": "invalid_request",
    # Gemini
    "api_key_invalid": "authentication",
    "unauthenticated": "authentication",
    "permission_denied": "permission",
    "not_found": "not_found",
    "resource_exhausted": "rate_limit",
    "invalid_argument": "invalid_request",
    "failed_precondition": "invalid_request",
    "cancelled": "cancelled",
    "internal": "server",
    "unavailable": "overloaded",
    "deadline_exceeded": "server",
    "billing_disabled": "quota",
    # OpenRouter
    "max_tokens_exceeded": "context_length",
    "token_limit_exceeded": "context_length",
    "string_too_long": "too_large",
    "authentication": "authentication",
    "payment_required": "quota",
    "provider_overloaded": "overloaded",
    "provider_unavailable": "overloaded",
    "invalid_request": "invalid_request",
    "precondition_failed": "invalid_request",
    "payload_too_large": "too_large",
    "unprocessable": "invalid_request",
    "refusal": "content_policy",
    "server": "server",
    "timeout": "server",
    "unmapped": "server",
    "in_flight_budget_exhausted": "rate_limit",
    "weight_exceeds_budget": "quota",
    # llama.cpp, vLLM, text-generation-inference
    "exceed_context_size_error": "context_length",
    "unavailable_error": "overloaded",
    "not_supported_error": "invalid_request",
    "bad_request_error": "invalid_request",
    "internal_server_error": "server",
    "validation": "invalid_request",
    "generation": "server",
    "overloaded": "overloaded",
    # Groq, Mistral, Together, Moonshot, Alibaba, Cerebras
    "model_decommissioned": "not_found",
    "model_terms_required": "permission",
    "invalid_model": "not_found",
    "model_not_available": "not_found",
    "service_tier_capacity_exceeded": "rate_limit",
    "rate_limit_reached_error": "rate_limit",
    "exceeded_current_quota_error": "quota",
    "engine_overloaded_error": "overloaded",
    "invalid_authentication_error": "authentication",
    "data_inspection_failed": "content_policy",
    "arrearage": "quota",
    "limit_requests": "rate_limit",
    "limit_burst_rate": "rate_limit",
    "too_many_tokens_error": "rate_limit",
    "queue_exceeded": "rate_limit",
    # Gateways: GitHub Models and Copilot, LiteLLM, new-api, OpenCode Zen
    "unknown_model": "not_found",
    "model_not_supported": "not_found",
    "tokens_limit_reached": "context_length",
    "model_max_prompt_tokens_exceeded": "context_length",
    "throttling_error": "rate_limit",
    "budget_exceeded": "quota",
    "insufficient_user_quota": "quota",
    "sensitive_words_detected": "content_policy",
    "credits_error": "quota",
    # Amazon Bedrock: the names of its exceptions
    "throttling_exception": "rate_limit",
    "service_quota_exceeded_exception": "rate_limit",
    "access_denied_exception": "permission",
    "resource_not_found_exception": "not_found",
    "model_timeout_exception": "server",
    "model_not_ready_exception": "overloaded",
    "service_unavailable_exception": "overloaded",
    "validation_exception": "invalid_request",
    # Perplexity, Azure, DeepSeek, xAI
    "responsible_ai_policy_violation": "content_policy",
    "too_many_prompt_tokens": "context_length",
    "deploymentnotfound": "not_found",
    "ratelimitreached": "rate_limit",
    "insufficient_balance": "quota",
    "unauthenticated:bad-credentials": "authentication",
}

CODE_BY_HTTP_STATUS: Final[dict[int, ErrorCode]] = {
    400: "invalid_request",
    401: "authentication",
    402: "quota",
    403: "permission",
    404: "not_found",
    410: "not_found",
    405: "invalid_request",
    407: "authentication",  # a proxy, never the provider (RFC 9110 15.5.8)
    408: "server",
    409: "server",
    413: "too_large",
    414: "too_large",
    415: "invalid_request",
    422: "invalid_request",
    424: "server",  # Bedrock: ModelErrorException
    429: "rate_limit",
    431: "too_large",
    498: "rate_limit",  # Groq: capacity of the flex tier
    499: "cancelled",
    500: "server",
    502: "server",
    503: "overloaded",
    504: "server",
    529: "overloaded",
}

_NO_LETTER = re.compile(r"[^a-z0-9]+")
LONGEST_WORD = 100
"""Characters of an error word that are read."""


def plain_word(word: str) -> str:
    """Return an error word without case, separators and the endings "error" and "exception".

    `RateLimitError`, `rate_limit_error` and `rate-limit` are one word, because gateways rewrite what they pass on.
    """
    plain = _NO_LETTER.sub("", word[:LONGEST_WORD].lower())
    return plain.removesuffix("error").removesuffix("exception")


_CODE_BY_PLAIN_WORD: Final = {plain_word(word): code for word, code in CODE_BY_ERROR_WORD.items()}


def code_of_word(word: str) -> ErrorCode | None:
    """Return the code of an error word; None if the word is unknown."""
    return _CODE_BY_PLAIN_WORD.get(plain_word(word))


class Phrase(NamedTuple):
    """Words of a message that no error word stands for, in lower case and without URLs."""

    code: ErrorCode
    replaces: frozenset[ErrorCode | None]
    """The vague codes that the phrase makes more precise; None stands for an error without a word and a status."""
    pattern: str
    """A regular expression. `re` compiles it when it is first used, because few programs see all of these errors."""


def _phrase(code: ErrorCode, replaces: str, *patterns: str) -> Phrase:
    codes: frozenset[ErrorCode | None] = frozenset(None if name == "none" else name for name in replaces.split())  # type: ignore[misc]
    return Phrase(code, codes, "|".join(patterns))


_CONTEXT = r"context[ _-]?(?:length|window|size|limit)"
_EXCESS = r"exceed|maximum|\bmax\b|longer|larger|greater|too (?:long|large)|\bis \d"
_GONE = (
    r"not found|not exist|doesn't exist|no longer|not available|(?:been|was|is) (?:decommissioned|deprecated|retired)"
)

PHRASES: Final[tuple[Phrase, ...]] = (
    _phrase("rate_limit", "none", r"rate.?limit", r"too many requests", r"throttl", r"wait before trying"),
    _phrase(
        "quota",
        "none invalid_request rate_limit permission server",
        r"credit balance|credit limit|key limit exceeded|spend(?:ing)? limit|api usage limit",
        r"insufficient (?:\w+ )?(?:balance|credits?|quota|funds)",
        r"(?:balance|credits?|quota|funds) (?:(?:is|are|has been) )?(?:insufficient|exhausted|used up|too low)",
        r"(?:have any|out of|not enough|all available|more|included) credits",
        r"budget has been exceeded|exceeded ?budget|over budget",
        r"requires? (?:\w+ )?billing|billing (?:is )?not active|arrear|overdue|余额不足|欠费",
    ),
    # A limit of zero never has room. A limit for a day or a month has room again in a day or a month, unless the
    # provider names a shorter wait.
    _phrase("quota", "rate_limit", r"\blimit: 0\b", r"^(?!.*(?:again|retry) in)(?=.*(?:per|/)[ -]?(?:day|month)\b)"),
    _phrase(
        "context_length",
        "none invalid_request too_large server",
        rf"^(?=.*{_CONTEXT})(?=.*(?:{_EXCESS}))",
        r"(?:prompt|input|messages?|conversation)(?: \([^)]{1,40}\))?(?: is| are)? too long\b",
        r"prompt exceeds max|exceeds? n_ctx|maximum prompt length|context ?window ?exceeded",
        r"(?:input|prompt) token count",
        r"exceed(?:s|ed)? (?:the )?(?:model(?:'s)? )?(?:token limit|max(?:imum)? (?:allowed )?input)",
        r"longer than the (?:model'?s? |maximum )+(?:model |input )?length",
        r"reduce (?:the length of the |your )(?:messages|prompt|input)",
        r"range of input length should be|`inputs` (?:tokens \+ `max_new_tokens`|must have less than)",
        r"too many (?:input |prompt )?tokens|token limit (?:reached|exceeded)",
    ),
    _phrase(
        "content_policy",
        "none invalid_request permission",
        r"content (?:management )?(?:policy|filter)|contentpolicyviolation|content exists risk",
        r"usage (?:policy|guidelines)|responsible ai|safety (?:system|guidelines)",
        r"(?:inappropriate|prohibited|sensitive) content|(?:was|been) flagged|\bnew_sensitive\b",
    ),
    _phrase(
        "authentication",
        "none invalid_request permission",
        r"(?:incorrect|invalid|expired) (?:x-)?api.?(?:key|token)|authentication (?:failed|fails)|login fail",
        r"api.?key (?:is |has )?(?:not valid|invalid|expired|been revoked)",
    ),
    _phrase(
        "permission",
        "none invalid_request",
        r"location is not supported|country, region, or territory not supported|organization must be verified",
    ),
    _phrase(
        "not_found",
        "none invalid_request",
        rf"\bmodel\b.{{0,80}}(?:{_GONE})",
        r"not a valid model|model identifier is invalid|no such model|requested model is not supported",
        r"(?:invalid|unknown) model\b|supported api model names are|unable to access (?:non-serverless )?model",
    ),
    _phrase("overloaded", "none", r"overloaded|at capacity|high demand|temporarily unavailable"),
    # llama.cpp answers 500 to what it never accepts.
    _phrase("invalid_request", "server", r"not supported|unsupported|does ?n[o']t support|requires --|cannot use"),
)
"""The first row that fits decides."""
