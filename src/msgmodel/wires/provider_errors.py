"""A provider's error to a `Failure`: its code, message, and whether and when to retry. Pure.

Rule: our codes are a closed list, the providers' words are not. The first clue that is specific decides: a known word
in the body, a phrase in the message, the HTTP status. To support a new error word, add it to `CODE_BY_ERROR_WORD`.

The functions here accept any JSON, because compatible servers and gateways put errors into many shapes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final

from ..events import ErrorCode
from ..question.lenient_json import as_mapping, as_text, load_lenient
from ..question.redaction import READ_LIMIT
from .deltas import Failure

# Error words of all providers, lower case: the `code`, `type`, `status` or reason in the body of an error. Words that
# are as vague as the HTTP status are mapped to `invalid_request` or `server`; a better clue takes precedence.
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
    # llama.cpp, Perplexity, Azure, DeepSeek, xAI
    "exceed_context_size_error": "context_length",
    "unavailable_error": "overloaded",
    "not_supported_error": "invalid_request",
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
    405: "invalid_request",
    408: "server",
    409: "server",
    413: "too_large",
    415: "invalid_request",
    422: "invalid_request",
    429: "rate_limit",
    498: "rate_limit",  # Groq: capacity of the flex tier
    499: "cancelled",
    500: "server",
    502: "server",
    503: "overloaded",
    504: "server",
    529: "overloaded",
}

# No error word exists for these. The phrases are from Anthropic, Gemini, vLLM, OpenRouter, xAI and billing pages.
_PHRASES: Final[tuple[tuple[re.Pattern[str], ErrorCode], ...]] = (
    (
        re.compile(
            r"prompt is too long|context.?(length|window|size)|input token count|maximum .{0,20}tokens"
            r"|too many (input |prompt )?tokens|token limit reached|all messages is too long"
        ),
        "context_length",
    ),
    (re.compile(r"incorrect api key|invalid api.?key|api key not valid|api.?key is invalid"), "authentication"),
    (re.compile(r"credit balance|insufficient (balance|credits|quota)|billing|spend(ing)? limit"), "quota"),
    (re.compile(r"model .{0,80}(not found|does not exist)|model not found"), "not_found"),
    (re.compile(r"usage policy|content policy|usage guidelines|responsible ai"), "content_policy"),
)

_TRANSIENT: Final[frozenset[ErrorCode]] = frozenset(
    {"rate_limit", "overloaded", "server", "network", "timeout", "interrupted"}
)

LONGEST_RETRY_AFTER = 31 * 86_400.0
"""Seconds. The longest period of a quota is a month; some servers send numbers with 300 digits."""
_DURATION = re.compile(r"(\d+(?:\.\d+)?)s")


_VAGUE_CODES: Final[frozenset[ErrorCode]] = frozenset({"invalid_request", "server"})
_CODES_REFINED_BY_PHRASE: Final = frozenset({None, "invalid_request", "rate_limit", "permission", "too_large"})
_ERROR_FIELDS: Final = ("error", "errors", "detail")
_DEEPEST_WRAPPING: Final = 4
"""Layers of lists, strings and objects around an error that are removed; each gateway may add one."""


def is_transient(code: ErrorCode) -> bool:
    """Return whether the same request may succeed a little later."""
    return code in _TRANSIENT


def read_failure(error: object, status: int | None = None, headers: Mapping[str, str] | None = None) -> Failure:
    """Return the failure that a provider's error describes.

    Args:
        error: The decoded body or event, any JSON; None if it is not JSON.
        status: The HTTP status; None for an error within a stream.
        headers: The HTTP headers, with names in lower case.
    """
    headers = headers or {}
    if isinstance(error, list) and error:
        error = error[0]  # Gemini without `alt=sse`
    body = error if isinstance(error, dict) else {}
    inner = _unwrap_error(next((value for key in _ERROR_FIELDS if (value := body.get(key))), error))
    words = [word.lower() for word in _error_words(inner) if isinstance(word, str)]
    if inner is not body:
        words += [word.lower() for word in (body.get("code"), body.get("type")) if isinstance(word, str)]
    number = status
    if number is None or number < 300:  # some servers answer 200 and put the status into the body
        number = next((int(each) for each in _status_numbers(inner) if 400 <= each < 600), None)
    # Twice what `safe_for_display` reads: a key that this cut splits is beyond what is shown.
    message = (_error_message(inner) or _error_message(body))[: 2 * READ_LIMIT]
    code = _choose_error_code(words, message, number)
    if code == "rate_limit" and any("perday" in word or "per_day" in word for word in words):
        code = "quota"  # Gemini: a daily quota is not restored soon
    retryable = is_transient(code)
    if headers.get("x-should-retry") in ("true", "false"):  # OpenAI, Anthropic: the server knows better
        retryable = headers["x-should-retry"] == "true"
    request_id = _first_header(headers, "x-request-id", "request-id", "x-generation-id")
    return Failure(
        code=code,
        message=message,
        status_code=number,
        retry_after=_seconds_to_wait(inner, headers),
        retryable=retryable,
        answered=True,
        request_id=request_id or as_text(body.get("request_id")) or None,
    )


def _choose_error_code(words: list[str], message: str, number: int | None) -> ErrorCode:
    """Return the code of the first specific clue: an error word, a phrase of the message, the HTTP status."""
    known: list[ErrorCode] = [CODE_BY_ERROR_WORD[word] for word in words if word in CODE_BY_ERROR_WORD]
    for code in known:
        if code not in _VAGUE_CODES:
            return code
    by_status = _code_of_status(number)
    if by_status in _CODES_REFINED_BY_PHRASE and (by_phrase := _code_of_phrase(message)):
        return by_phrase
    if by_status is not None and (not known or by_status not in _VAGUE_CODES):
        return by_status
    return known[0] if known else "server"


def _code_of_status(number: int | None) -> ErrorCode | None:
    if not number:
        return None
    return CODE_BY_HTTP_STATUS.get(number) or ("server" if number >= 500 else "invalid_request")


def _code_of_phrase(message: str) -> ErrorCode | None:
    lower = message.lower()
    return next((code for pattern, code in _PHRASES if pattern.search(lower)), None)


def _unwrap_error(error: object) -> object:
    """Return the error inside a list, a string of JSON, or an object without a message of its own."""
    for _ in range(_DEEPEST_WRAPPING):
        if isinstance(error, list) and error:
            error = error[0]
        elif isinstance(error, str) and error.lstrip().startswith(("{", "[")):
            try:
                error = load_lenient(error)
            except ValueError:
                break
        elif isinstance(error, dict) and not error.get("message") and any(map(error.get, _ERROR_FIELDS)):
            error = next(filter(None, map(error.get, _ERROR_FIELDS)))
        else:
            break
    return error


def _error_words(error: object) -> Iterator[Any]:
    """Yield the words that name the kind of an error, the most specific first."""
    if not isinstance(error, dict):
        return
    details = error.get("details")
    for detail in details if isinstance(details, list) else [details]:
        if isinstance(detail, dict):  # Google's `ErrorInfo` and `QuotaFailure`
            yield detail.get("error_code")
            yield detail.get("reason")
            violations = detail.get("violations")
            for violation in violations if isinstance(violations, list) else []:
                yield as_mapping(violation).get("quotaId")
    yield as_mapping(error.get("metadata")).get("error_type")
    yield from (error.get("code"), error.get("type"), error.get("status"))


def _status_numbers(error: object) -> Iterator[float]:
    """Yield the fields of an error that may be an HTTP status."""
    for key in ("code", "status", "status_code"):
        number = as_mapping(error).get(key)
        if isinstance(number, str) and number.isascii() and number.isdigit() and len(number) == 3:
            number = int(number)
        if isinstance(number, (int, float)) and not isinstance(number, bool):
            yield number


def _error_message(error: object) -> str:
    """Return the message of an error, or "". If a router passes on another provider's error, return that one's."""
    if isinstance(error, str):
        return error
    fields = as_mapping(error)
    upstream = as_text(as_mapping(fields.get("metadata")).get("raw"))
    return _upstream_message(upstream) if upstream else _own_message(fields)


def _upstream_message(raw: str) -> str:
    """Return the message in `metadata.raw`, where OpenRouter puts the body of the provider's response.

    A body may contain another router's error, and so on: each layer escapes the quotes of the next, so layers are few.
    """
    try:
        body = load_lenient(raw)
    except ValueError:
        return raw
    return _error_message(as_mapping(body).get("error")) or _error_message(body) or raw


def _own_message(fields: dict[str, Any]) -> str:
    """Return the first message among the fields of an error; one that is an object has it in one of its own fields."""
    found = next((value for name in ("message", "msg", *_ERROR_FIELDS) if (value := fields.get(name))), None)
    return found if isinstance(found, str) else next(filter(None, map(as_text, as_mapping(found).values())), "")


def _first_header(headers: Mapping[str, str], *names: str) -> str | None:
    return next((headers[name] for name in names if headers.get(name)), None)


def _seconds_to_wait(error: object, headers: Mapping[str, str]) -> float | None:
    """Return the wait before a retry that the server asks for, in seconds; the most precise source is first."""
    seconds = _parse_seconds(headers.get("retry-after-ms"), 0.001)
    if seconds is None:
        seconds = _parse_seconds(headers.get("retry-after"), 1.0)
    if seconds is None:
        seconds = _seconds_until_date(headers)
    if seconds is None:
        seconds = _seconds_in_retry_info(error)
    return None if seconds is None else min(seconds, LONGEST_RETRY_AFTER)


def _seconds_until_date(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to a date in `retry-after` (RFC 9110 10.2.3), by the server's clock: ours may be wrong."""
    if "retry-after" not in headers or "date" not in headers:
        return None
    try:
        wait = parsedate_to_datetime(headers["retry-after"]) - parsedate_to_datetime(headers["date"])
        return max(0.0, wait.total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None


def _seconds_in_retry_info(error: object) -> float | None:
    """Return the last `retryDelay` in the details of an error: Google's `RetryInfo`, such as "12.5s"."""
    seconds, details = None, as_mapping(error).get("details")
    for detail in details if isinstance(details, list) else ():
        if match := _DURATION.fullmatch(as_text(as_mapping(detail).get("retryDelay"))):
            seconds = _parse_seconds(match[1], 1.0)
    return seconds


def _parse_seconds(value: str | None, scale: float) -> float | None:
    """Return a number in seconds; None if it is negative, infinite or not a number."""
    try:
        seconds = float(value or "") * scale
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None
