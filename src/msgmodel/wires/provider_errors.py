"""What the providers' words mean: every finish reason to a `Status`, every error to an `ErrorCode`. Pure.

Rule: closed lists on our side, open ones on theirs. A finish reason that is not in the table is `unknown`, never
`complete`. To teach the library a new word, add it to a table here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final

from ..events import ErrorCode
from ..question.lenient_json import as_mapping, load_lenient
from ..question.redaction import READ_LIMIT
from .deltas import Failure

# Error words of all providers, lower case: the `code`, `type`, `status` or reason in the body of an error. Words that
# say no more than the HTTP status does are mapped to `invalid_request` or `server`, and a better clue goes before them.
ERRORS: Final[dict[str, ErrorCode]] = {
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

STATUS: Final[dict[int, ErrorCode]] = {
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

# No code exists for these; the words are the providers' own (Anthropic, Gemini, vLLM, OpenRouter, xAI, billing pages).
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
"""Seconds. A month is the longest period of a quota; a number above it is no time, and may have 300 digits."""
_DURATION = re.compile(r"(\d+(?:\.\d+)?)s")


def is_transient(code: ErrorCode) -> bool:
    """Whether the same request may succeed a little later."""
    return code in _TRANSIENT


def read_failure(error: object, status: int | None = None, headers: Mapping[str, str] | None = None) -> Failure:
    """What a provider's error says.

    error: the decoded body or event (any JSON), or None where it was not JSON. status: of HTTP, None in mid-stream.
    headers: of HTTP, names in lower case.
    """
    headers = headers or {}
    if isinstance(error, list) and error:
        error = error[0]  # Gemini without alt=sse
    body = error if isinstance(error, dict) else {}
    inner = _unwrap_error(next((value for key in _INSIDE if (value := body.get(key))), error))
    words = [word.lower() for word in _error_codes(inner) if isinstance(word, str)]
    if inner is not body:
        words += [word.lower() for word in (body.get("code"), body.get("type")) if isinstance(word, str)]
    number = status
    if number is None or number < 300:
        number = next((int(word) for word in _numbers(inner) if 400 <= word < 600), None)
    # More than `presentable` reads, so that a key that is cut at the end is never shown.
    message = (_message(inner) or _message(body))[: 2 * READ_LIMIT]
    code = _code(words, message, number)
    if code == "rate_limit" and any("perday" in word or "per_day" in word for word in words):
        code = "quota"  # Gemini: a quota of the day does not clear soon
    wait = _retry_after(inner, headers)
    retryable = is_transient(code)
    if headers.get("x-should-retry") in ("true", "false"):
        retryable = headers["x-should-retry"] == "true"
    return Failure(
        code=code,
        message=message,
        status_code=number,
        retry_after=wait,
        retryable=retryable,
        answered=True,
        request_id=_first(headers, "x-request-id", "request-id", "x-generation-id") or _text(body.get("request_id")),
    )


def _code(words: list[str], message: str, number: int | None) -> ErrorCode:
    known: list[ErrorCode] = [ERRORS[word] for word in words if word in ERRORS]
    vague: tuple[ErrorCode, ...] = ("invalid_request", "server")
    for code in known:
        if code not in vague:
            return code
    by_status = STATUS.get(number) if number else None
    if by_status is None and number:
        by_status = "server" if number >= 500 else "invalid_request"
    if by_status in (None, "invalid_request", "rate_limit", "permission", "too_large"):
        low = message.lower()
        for pattern, code in _PHRASES:
            if pattern.search(low):
                return code
    if by_status is not None and (not known or by_status not in vague):
        return by_status
    return known[0] if known else "server"


_INSIDE: Final = ("error", "errors", "detail")


def _unwrap_error(error: object) -> object:
    """What a list, the text of a JSON document, or an object without a message has inside it."""
    for _ in range(4):
        if isinstance(error, list) and error:
            error = error[0]
        elif isinstance(error, str) and error.lstrip().startswith(("{", "[")):
            try:
                error = load_lenient(error)
            except ValueError:
                break
        elif isinstance(error, dict) and not error.get("message") and any(map(error.get, _INSIDE)):
            error = next(filter(None, map(error.get, _INSIDE)))
        else:
            break
    return error


def _error_codes(value: object) -> Iterator[Any]:
    """The words of an error object that name its kind, the most telling first."""
    if not isinstance(value, dict):
        return
    details = value.get("details")
    for detail in details if isinstance(details, list) else [details]:
        if isinstance(detail, dict):
            yield detail.get("error_code")
            yield detail.get("reason")
            violations = detail.get("violations")
            for violation in violations if isinstance(violations, list) else []:
                if isinstance(violation, dict):
                    yield violation.get("quotaId")
    metadata = value.get("metadata")
    if isinstance(metadata, dict):
        yield metadata.get("error_type")
    yield from (value.get("code"), value.get("type"), value.get("status"))


def _numbers(value: object) -> Iterator[float]:
    if isinstance(value, dict):
        for key in ("code", "status", "status_code"):
            number = value.get(key)
            if isinstance(number, str) and number.isascii() and number.isdigit() and len(number) == 3:
                number = int(number)
            if isinstance(number, (int, float)) and not isinstance(number, bool):
                yield number


def _message(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        metadata = value.get("metadata")
        upstream = metadata.get("raw") if isinstance(metadata, dict) else None
        if isinstance(upstream, str) and upstream:  # OpenRouter: the words of the provider behind it
            try:
                inner = load_lenient(upstream)
            except ValueError:
                return upstream
            return (isinstance(inner, dict) and _message(inner.get("error"))) or _message(inner) or upstream
        said = next((found for name in ("message", "msg", *_INSIDE) if (found := value.get(name))), None)
        return said if isinstance(said, str) else next(filter(None, map(_text, as_mapping(said).values())), "")
    return ""


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _first(headers: Mapping[str, str], *names: str) -> str | None:
    return next((headers[name] for name in names if headers.get(name)), None)


def _retry_after(error: object, headers: Mapping[str, str]) -> float | None:
    """Seconds: `retry-after-ms`, then `retry-after` (RFC 9110 10.2.3), then Gemini's `RetryInfo.retryDelay`."""
    seconds = _number(headers.get("retry-after-ms"), 0.001)
    if seconds is None:
        seconds = _number(headers.get("retry-after"), 1.0)
    if seconds is None and "retry-after" in headers and "date" in headers:
        try:
            wait = parsedate_to_datetime(headers["retry-after"]) - parsedate_to_datetime(headers["date"])
            seconds = max(0.0, wait.total_seconds())
        except (ValueError, TypeError, OverflowError):
            pass
    if seconds is None and isinstance(error, dict) and isinstance(error.get("details"), list):
        for detail in error["details"]:
            delay = detail.get("retryDelay") if isinstance(detail, dict) else None
            if isinstance(delay, str) and (match := _DURATION.fullmatch(delay)):
                seconds = _number(match[1], 1.0)
    return None if seconds is None else min(seconds, LONGEST_RETRY_AFTER)


def _number(value: str | None, scale: float) -> float | None:
    try:
        number = float(value or "") * scale
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None
