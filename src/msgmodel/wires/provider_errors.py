"""A provider's error to a `Failure`: its code, message, and whether and when to retry. Pure.

Rule: our codes are a closed list, the providers' words are not. The first clue that is specific decides: a known word
in the body, the HTTP status, and only for what both leave vague a phrase of the message. The tables are in
`error_words`.

The functions here accept any JSON and any text, because compatible servers and gateways put errors into many shapes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from ..events import ErrorCode
from ..question.lenient_json import as_mapping, as_text, load_lenient
from ..question.redaction import READ_LIMIT
from .deltas import Failure
from .error_words import CODE_BY_HTTP_STATUS, PHRASES, code_of_word, plain_word

_TRANSIENT: Final[frozenset[ErrorCode]] = frozenset(
    {"rate_limit", "overloaded", "server", "network", "timeout", "interrupted"}
)

LONGEST_RETRY_AFTER = 31 * 86_400.0
"""Seconds. The longest period of a quota is a month; some servers send numbers with 300 digits."""
_DURATION = re.compile(r"(\d+(?:\.\d+)?)s")
_DURATION_PART = r"(\d{1,9}(?:\.\d{1,9})?) ?(ms|(?:milli)?s|m|h|d)(?:ec(?:ond)?s?|in(?:ute)?s?|ours?|ays?)?(?![a-z])"
_WAIT_IN_WORDS = rf"(?i)(?:again|retry(?:ing)?) (?:in|after) ((?:{_DURATION_PART}[ ,]{{0,2}}(?:and )?)+)"
_SECONDS_BY_UNIT: Final = {"ms": 0.001, "millis": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}

_VAGUE_CODES: Final[frozenset[ErrorCode]] = frozenset({"invalid_request", "server"})
_ERROR_FIELDS: Final = ("error", "errors", "detail")
_MESSAGE_FIELDS: Final = (
    *("message", "Message", "msg", "error_msg", "status_msg", "error_description", "description", "text"),
    *(*_ERROR_FIELDS, "title"),
)
_STATES_AN_ERROR: Final = (*_ERROR_FIELDS, "message", "Message", "msg", "error_msg")
"""Fields that no part of a reply has, on any wire, and that errors have."""
_SUCCESS: Final = (0, 200, "0", "200")
"""Codes beside a message that is no error, from servers that send both with everything."""
_DEEPEST_WRAPPING: Final = 10
"""Layers around an error that are removed, such as lists, strings of JSON and objects; each gateway adds one or two."""

PHRASE_CHARACTERS = 4000
"""Characters of a message in which phrases are looked for."""
_ADDRESS = re.compile(r"://\S+")
_TOKENS_PER_MINUTE = re.compile(r"\blimit:? ([\d,]{1,20})\b.{0,60}\brequested:? ([\d,]{1,20})\b")
"""OpenAI and Groq: "Limit 30000, Used 0, Requested 45000"."""

_PAGE = re.compile(r"^\s*<[a-z!?]|<(?:!doctype|html|head|body)\b", re.IGNORECASE)
_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{1,200})<", re.IGNORECASE)


def is_transient(code: ErrorCode) -> bool:
    """Return whether the same request may succeed a little later."""
    return code in _TRANSIENT


def read_failure(error: object, status: int | None = None, headers: Mapping[str, str] | None = None) -> Failure:
    """Return the failure that a provider's error describes.

    Args:
        error: The decoded body or event, any JSON; the text of a body that is not JSON; None if there is none.
        status: The HTTP status; None for an error within a stream.
        headers: The HTTP headers, with names in lower case.
    """
    headers = headers or {}
    layers, message = _unwrap_error(error)
    words = [word for layer in layers for word in _error_words(layer) if isinstance(word, str)]
    words.append(headers.get("x-amzn-errortype", "").partition(":")[0])  # Amazon Bedrock
    number = status
    if number is None or number < 300:  # some servers answer 200 and put the status into the body
        number = next((int(each) for layer in layers for each in _status_numbers(layer) if 400 <= each < 600), None)
    code = _choose_error_code(words, message, number)
    retryable = is_transient(code)
    if headers.get("x-should-retry") in ("true", "false"):  # OpenAI, Anthropic: the server knows better
        retryable = headers["x-should-retry"] == "true"
    request_id = _first_header(headers, "x-request-id", "request-id", "x-generation-id")
    return Failure(
        code=code,
        # Twice what `safe_for_display` reads: a key that this cut splits is beyond what is shown.
        message=message[: 2 * READ_LIMIT],
        status_code=number,
        retry_after=_seconds_to_wait(layers, message, headers),
        retryable=retryable,
        answered=True,
        request_id=request_id or _first_text(layers, "request_id"),
        provider_served=_first_text([as_mapping(layer.get("metadata")) for layer in layers], "provider_name"),
        failed_generation=_first_text(layers, "failed_generation"),
    )


def read_stated_failure(
    document: object, status: int | None = None, headers: Mapping[str, str] | None = None
) -> Failure | None:
    """Return the failure that a document describes which stands in the place of a reply, or of a part of it.

    Args:
        document: Any decoded JSON.
        status: The HTTP status; None for an error within a stream.
        headers: The HTTP headers, with names in lower case.

    Returns:
        The failure; None if the document describes none.
    """
    document = as_mapping(_without_wrapping(document))
    outcome = as_mapping(document.get("base_resp"))
    if outcome.get("status_code"):  # MiniMax: https://platform.minimax.io/docs/api-reference/errorcode
        return read_failure(outcome, status, headers)
    is_error = "error" in (document.get("object"), document.get("type")) or document.get("error")
    may_be_error = document.get("code") not in _SUCCESS and any(map(document.get, _STATES_AN_ERROR))
    return read_failure(document, status, headers) if is_error or may_be_error else None


def words_of_text(body: bytes) -> str:
    """Return what people can read of a body that is not JSON, such as the title of a proxy's page."""
    return _readable_text(decode_error_text(body[:READ_LIMIT]))


def _first_text(layers: Iterable[Mapping[str, Any]], name: str) -> str | None:
    return next(filter(None, (as_text(layer.get(name)) for layer in layers)), None)


def decode_error_text(body: bytes) -> str:
    """Return the text of a body that is not JSON, for `read_failure`; "" if people can't read it."""
    text = body.decode("utf-8-sig", "replace")
    return "" if "\0" in text or text.count("\ufffd") > 3 or text.lstrip()[:1] in ("{", "[") else text


def _choose_error_code(words: Iterable[str], message: str, number: int | None) -> ErrorCode:
    """Return the code of the first specific clue: an error word, the HTTP status, a phrase of the message."""
    known = [code for word in words if (code := code_of_word(word))]
    code = next((code for code in known if code not in _VAGUE_CODES), None)
    code = code or _code_of_status(number) or next(iter(known), None)
    if code == "rate_limit" and any("perday" in plain_word(word) for word in words):
        return "quota"  # Gemini: a daily quota is not restored soon
    text = " ".join(_ADDRESS.sub(" ", message[:PHRASE_CHARACTERS].lower()).split())
    if code == "rate_limit" and _exceeds_limit_alone(text):
        return "too_large"
    by_phrase = next((row.code for row in PHRASES if code in row.replaces and re.search(row.pattern, text)), None)
    return by_phrase or code or "server"


def _exceeds_limit_alone(text: str) -> bool:
    """Return whether a request is larger than the limit for a minute, so that no wait makes room for it."""
    found = _TOKENS_PER_MINUTE.search(text)
    return found is not None and int(found[2].replace(",", "") or 0) > int(found[1].replace(",", "") or 0)


def _code_of_status(number: int | None) -> ErrorCode | None:
    if not number:
        return None
    return CODE_BY_HTTP_STATUS.get(number) or ("server" if number >= 500 else "invalid_request")


def _unwrap_error(error: object) -> tuple[list[dict[str, Any]], str]:
    """Return the objects that describe an error, the outermost first, and the message of the innermost one.

    A router passes on another provider's error, and a gateway wraps an error once more.
    """
    layers: list[dict[str, Any]] = []
    for _ in range(_DEEPEST_WRAPPING):
        error = _without_wrapping(error)
        if not isinstance(error, dict):
            break
        layers.append(error)
        error = _inner_error(error)
    message = _readable_text(error) if isinstance(error, str) else ""
    outer = (as_text(layer.get(name)) for layer in reversed(layers) for name in _MESSAGE_FIELDS)
    return layers, message or next(filter(None, map(_readable_text, outer)), "")


def _without_wrapping(error: object) -> object:
    """Return the first of a list, and what a string of JSON contains. Gemini without `alt=sse` sends a list."""
    if isinstance(error, str) and error.lstrip()[:1] in ("{", "["):
        try:
            error = load_lenient(error)
        except ValueError:
            return error
    return error[0] if isinstance(error, list) and error else error


def _inner_error(error: dict[str, Any]) -> object:
    """Return the error within an error, or its message; None if it has neither.

    OpenRouter puts the body of the provider's response into `metadata.raw`.
    """
    inner = [as_mapping(error.get("metadata")).get("raw"), *map(error.get, _ERROR_FIELDS)]
    nested = next((each for each in inner if each and isinstance(_without_wrapping(each), dict)), None)
    texts = (inner[0], *map(error.get, _MESSAGE_FIELDS))
    found = nested or next((each for each in texts if each and isinstance(each, str | list | dict)), None)
    location = error.get("loc")
    if isinstance(found, str) and isinstance(location, list):  # FastAPI and pydantic: where in the body
        return f"{'.'.join(str(each)[:40] for each in location[:8])}: {found}"
    return found


def _readable_text(text: str) -> str:
    """Return a text for people. Of a page, such as that of a proxy, it keeps what is before the page and the title."""
    page = _PAGE.search(text, 0, 2 * READ_LIMIT)
    if page is None:
        return text
    from html import unescape  # few errors are pages

    title = _TITLE.search(text, page.start(), page.start() + PHRASE_CHARACTERS)
    return f"{text[: page.start()]} {unescape(title[1]) if title else ''}".strip()


def _error_words(error: dict[str, Any]) -> Iterator[Any]:
    """Yield the words that name the kind of an error, the most specific first."""
    details = error.get("details")
    for detail in details if isinstance(details, list) else [details]:
        if isinstance(detail, dict):  # Google's `ErrorInfo` and `QuotaFailure`
            yield detail.get("error_code")
            yield detail.get("reason")
            violations = detail.get("violations")
            for violation in violations if isinstance(violations, list) else []:
                yield as_mapping(violation).get("quotaId")
    metadata = as_mapping(error.get("metadata"))  # OpenRouter
    yield from (metadata.get("error_type"), metadata.get("reason"))
    if "flagged_input" in metadata:
        yield "content_filter"
    yield as_mapping(error.get("innererror")).get("code")  # Azure
    yield from map(error.get, ("code", "type", "error_type", "status", "__type"))


def _status_numbers(error: dict[str, Any]) -> Iterator[float]:
    """Yield the fields of an error that may be an HTTP status."""
    for key in ("code", "status", "status_code", "statusCode"):
        number = error.get(key)
        if isinstance(number, str) and number.isascii() and number.isdigit() and len(number) == 3:
            number = int(number)
        if isinstance(number, (int, float)) and not isinstance(number, bool):
            yield number


def _first_header(headers: Mapping[str, str], *names: str) -> str | None:
    return next((headers[name] for name in names if headers.get(name)), None)


def _seconds_to_wait(layers: Iterable[dict[str, Any]], message: str, headers: Mapping[str, str]) -> float | None:
    """Return the wait before a retry that the server asks for, in seconds; the most precise source is first."""
    seconds = _parse_seconds(headers.get("retry-after-ms"), 0.001)
    if seconds is None:
        seconds = _parse_seconds(headers.get("retry-after"), 1.0)
    if seconds is None:
        seconds = _seconds_until_date(headers)
    if seconds is None:
        seconds = _seconds_in_retry_info(layers)
    if seconds is None:
        seconds = _seconds_in_words(message[:PHRASE_CHARACTERS])
    return None if seconds is None else min(seconds, LONGEST_RETRY_AFTER)


def _seconds_until_date(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to a date in `retry-after` (RFC 9110 10.2.3), by the server's clock: ours may be wrong."""
    if "retry-after" not in headers or "date" not in headers:
        return None
    from email.utils import parsedate_to_datetime  # takes 7 ms, and few headers hold a date

    try:
        wait = parsedate_to_datetime(headers["retry-after"]) - parsedate_to_datetime(headers["date"])
        return max(0.0, wait.total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None


def _seconds_in_retry_info(layers: Iterable[dict[str, Any]]) -> float | None:
    """Return the last `retryDelay` in the details of an error: Google's `RetryInfo`, such as "12.5s"."""
    seconds = None
    for layer in layers:
        details = layer.get("details")
        for detail in details if isinstance(details, list) else ():
            if match := _DURATION.fullmatch(as_text(as_mapping(detail).get("retryDelay"))):
                seconds = _parse_seconds(match[1], 1.0)
    return seconds


def _seconds_in_words(message: str) -> float | None:
    """Return the wait that a message names, such as "try again in 7m12s" (Groq) or "retry after 9 seconds" (Azure)."""
    found = re.search(_WAIT_IN_WORDS, message)
    if found is None:
        return None
    parts = re.findall(_DURATION_PART, found[1].lower())
    return round(sum(float(number) * _SECONDS_BY_UNIT[unit] for number, unit in parts), 3)


def _parse_seconds(value: str | None, scale: float) -> float | None:
    """Return a number in seconds; None if it is negative, infinite or not a number."""
    try:
        seconds = float(value or "") * scale
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None
