"""The tables of words: every finish reason and error type that the providers document has a meaning."""

from __future__ import annotations

import json
import re

import pytest

from conftest import SHARED
from msgmodel.question import redaction
from msgmodel.testing.errors import ERROR_STATUSES, error_body
from msgmodel.wires import error_words, finish_reasons, provider_errors

FACTS = SHARED / "wire" / "WIRE.md"


def words(section: str, marker: str) -> set[str]:
    """The words in code type on the lines with `marker`, in one section of the wire facts."""
    text = FACTS.read_text("utf-8").split(f"\n### {section}", 1)[1].split("\n### ", 1)[0].split("\n## ", 1)[0]
    lines = [line.split(marker, 1)[1] for line in text.splitlines() if marker in line]
    assert lines, (section, marker)
    return {word for line in lines for word in re.findall(r"`([A-Za-z_]+)`", line)}


@pytest.mark.skipif(not FACTS.is_file(), reason="the wire facts are not here")
@pytest.mark.parametrize(
    ("wire", "section", "marker"),
    [
        ("openai_chat", "2.3", "`stop`, `length`"),
        ("openai_chat", "6.2", "| Mistral | message:"),
        ("openai_chat", "6.2", "| Together |"),
        ("openai_chat", "6.2", "| DeepSeek |"),
        ("openai_responses", "3.3", "`incomplete_details.reason`:"),
        ("openai_responses", "3.3", "- `status`:"),
        ("anthropic", "4.6", "`end_turn`,"),
        ("gemini", "5.6", "`finishReason`:"),
        ("gemini", "5.6", "`promptFeedback.blockReason`:"),
    ],
)
def test_every_documented_finish_reason_is_mapped(wire: str, section: str, marker: str) -> None:
    elsewhere = {"failed", "native_finish_reason"}  # a failure, not a finish; a field
    assert words(section, marker) - elsewhere <= finish_reasons.STATUS_BY_REASON[wire].keys()


@pytest.mark.skipif(not FACTS.is_file(), reason="the wire facts are not here")
@pytest.mark.parametrize(
    ("section", "marker"),
    [
        ("3.3", "`response.error.code`:"),
        ("4.7", "SDK list of `error.type` (S):"),
        ("6.4", "OpenRouter error types |"),
    ],
)
def test_every_documented_error_type_is_mapped(section: str, marker: str) -> None:
    codes_of_images = {"image codes"}
    assert words(section, marker) - codes_of_images <= error_words.CODE_BY_ERROR_WORD.keys()


@pytest.mark.skipif(not FACTS.is_file(), reason="the wire facts are not here")
def test_every_documented_status_word_of_gemini_is_mapped() -> None:
    text = FACTS.read_text("utf-8").split("\n### 5.7", 1)[1].split("\n### ", 1)[0]
    found = re.findall(r"^\| \d{3} \| `([A-Z_]+)` \|", text, re.M)
    assert len(found) > 8
    assert {word.lower() for word in found} <= error_words.CODE_BY_ERROR_WORD.keys()


@pytest.mark.parametrize(
    ("wire", "reason", "status"),
    [
        ("openai_chat", "stop", "complete"),
        ("openai_chat", "length", "truncated"),
        ("openai_chat", "insufficient_system_resource", "truncated"),
        ("openai_chat", "content_filter", "filtered"),
        ("openai_chat", "tool_calls", "tool_calls"),
        ("openai_responses", "max_output_tokens", "truncated"),
        ("anthropic", "stop_sequence", "complete"),
        ("anthropic", "model_context_window_exceeded", "truncated"),
        ("anthropic", "pause_turn", "paused"),
        ("anthropic", "refusal", "filtered"),
        ("gemini", "MAX_TOKENS", "truncated"),
        ("gemini", "PROHIBITED_CONTENT", "filtered"),
        ("gemini", "MALFORMED_FUNCTION_CALL", "unknown"),
        ("openai_chat", "a_word_of_tomorrow", "unknown"),
        ("openai_responses", "a_word_of_tomorrow", "unknown"),
        ("anthropic", "a_word_of_tomorrow", "unknown"),
        ("gemini", "A_WORD_OF_TOMORROW", "unknown"),
        ("gemini", None, "unknown"),
    ],
)
def test_finish(wire: str, reason: str | None, status: str) -> None:
    assert finish_reasons.status_of_reason(wire, reason) == status


STATUS_CODES = {
    400: "invalid_request",
    401: "authentication",
    403: "permission",
    404: "not_found",
    413: "too_large",
    429: "rate_limit",
    500: "server",
    502: "server",
    503: "overloaded",
    529: "overloaded",
}


@pytest.mark.parametrize(
    ("wire", "status"), [(wire, status) for wire in ERROR_STATUSES for status in ERROR_STATUSES[wire]]
)
def test_errors_of_every_wire(wire: str, status: int) -> None:
    headers, body = error_body(wire, status)
    failure = provider_errors.read_failure(body, status, {name.lower(): value for name, value in headers.items()})
    assert (failure.code, failure.status_code, failure.answered) == (STATUS_CODES[status], status, True)
    assert failure.message == body["error"]["message"]
    assert failure.retryable == (status in (429, 500, 502, 503, 529))


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (429, {"error": {"code": "insufficient_quota", "type": "insufficient_quota", "message": "Quota."}}, "quota"),
        (400, {"error": {"code": "context_length_exceeded", "message": "Too long."}}, "context_length"),
        (400, {"error": {"type": "invalid_request_error", "message": "prompt is too long: 9 > 8"}}, "context_length"),
        (400, {"error": {"code": 400, "type": "exceed_context_size_error", "message": "x"}}, "context_length"),
        (400, {"error": {"status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}}, "authentication"),
        (400, [{"error": {"status": "INVALID_ARGUMENT", "message": "No."}}], "invalid_request"),
        (429, {"error": {"status": "RESOURCE_EXHAUSTED", "details": [{"violations": [{"quotaId": "RequestsPerDay"}]}]}},
         "quota"),
        (400, {"code": "invalid-argument", "error": "Incorrect API key provided."}, "authentication"),
        (400, {"error": {"code": "content_filter", "message": "Filtered."}}, "content_policy"),
        (404, {"detail": "Not Found"}, "not_found"),
        (402, {"error": {"message": "Insufficient Balance"}}, "quota"),
        (418, None, "invalid_request"),
        (520, None, "server"),
        (429, "just text", "rate_limit"),
        (None, {"error": {"code": 502, "message": "Upstream error"}}, "server"),
        (403, {"error": {"message": "Provider returned error", "metadata": {"raw": "against our content policy"}}},
         "content_policy"),
        (400, {"error": {"metadata": {"raw": '["odd"]'}}}, "invalid_request"),
        (400, {"error": {"details": [{"violations": [None, {}]}, None]}}, "invalid_request"),
        (None, {"error": {"type": "overloaded_error", "message": "Overloaded"}}, "overloaded"),
        (None, {"error": "out of memory"}, "server"),
        (200, {"error": {"message": "?"}}, "server"),
        (403, {"error": {"message": "Provider returned error", "metadata": {
            "raw": '{"error": "Content violates usage guidelines."}'}}}, "content_policy"),
    ],
)  # fmt: skip
def test_errors_by_their_words(status: int | None, body: object, code: str) -> None:
    assert provider_errors.read_failure(body, status).code == code


UPSTREAM: dict[str, object] = {
    "a text": "No such model.",
    "an error": {"error": {"message": "No such model."}},
    "an error that is a text": {"error": "No such model."},
    "a message": {"message": "No such model."},
    "an error without a message, beside one": {"error": {"code": 404}, "message": "No such model."},
    "another router's": {
        "error": {
            "message": "Provider returned error",
            "metadata": {"raw": json.dumps({"error": {"message": "No such model."}})},
        }
    },
}


@pytest.mark.parametrize("what", UPSTREAM)
def test_the_message_of_the_provider_behind_a_router(what: str) -> None:
    """OpenRouter's own message says nothing; `metadata.raw` has the body of the provider's response."""
    upstream = UPSTREAM[what]
    raw = upstream if isinstance(upstream, str) else json.dumps(upstream)
    body = {"error": {"code": 404, "message": "Provider returned error", "metadata": {"raw": raw}}}
    assert provider_errors.read_failure(body, 404).message == "No such model."


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"retry-after-ms": "250", "retry-after": "9"}, None, 0.25),
        ({"retry-after": "1.5"}, None, 1.5),
        ({"retry-after": "Sun, 22 Nov 2026 10:00:30 GMT", "date": "Sun, 22 Nov 2026 10:00:00 GMT"}, None, 30.0),
        ({"retry-after": "Sun, 22 Nov 2026 10:00:30 GMT"}, None, None),
        ({"retry-after": "soon", "date": "today"}, None, None),
        ({"retry-after": "-3"}, None, None),
        ({"retry-after": "inf"}, None, None),
        ({"retry-after": "1e308"}, None, provider_errors.LONGEST_RETRY_AFTER),
        ({"retry-after-ms": "9" * 200}, None, provider_errors.LONGEST_RETRY_AFTER),
        (
            {"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT", "date": "Wed, 21 Oct 2015 07:28:00 GMT"},
            None,
            provider_errors.LONGEST_RETRY_AFTER,
        ),
        ({}, {"error": {"details": [{"retryDelay": "9" * 200 + "s"}]}}, provider_errors.LONGEST_RETRY_AFTER),
        ({"retry-after": "Wed, 21 Oct 99999999999 07:28:00 GMT", "date": "Wed, 21 Oct 2015 07:28:00 GMT"}, None, None),
        ({}, {"error": {"details": [{"retryDelay": "9" * 400 + "s"}]}}, None),
        ({}, {"error": {"details": [{"@type": "x"}, {"retryDelay": "34.5s"}]}}, 34.5),
        ({}, {"error": {"details": [{"retryDelay": "later"}]}}, None),
        ({}, {"error": {"message": "Limit 200, Used 200. Please try again in 7m12s."}}, 432.0),
        ({}, {"error": {"message": "Please try again in 1h2m3.5s. Visit"}}, 3723.5),
        ({}, {"error": {"message": "Please try again in 350ms."}}, 0.35),
        ({}, {"error": {"message": "Rate limit is exceeded. Try again in 14 seconds."}}, 14.0),
        ({}, {"error": {"message": "Please retry after 9 seconds, or ask for more."}}, 9.0),
        ({}, {"error": {"message": "Please retry in 1 minute and 30 seconds."}}, 90.0),
        ({}, {"error": {"message": "Try again in 20 milliseconds"}}, 0.02),
        ({}, {"error": {"message": "Try again in 3 days."}}, 259_200.0),
        ({}, {"error": {"message": "Try again in 99999999999999 s"}}, None),
        ({}, {"error": {"message": "Try again in 3 mornings"}}, None),
        ({}, {"error": {"message": "Try again later: 20s are not enough"}}, None),
        ({"retry-after": "2"}, {"error": {"message": "Please try again in 14 seconds."}}, 2.0),
    ],
)
def test_retry_after(headers: dict[str, str], body: object, seconds: float | None) -> None:
    assert provider_errors.read_failure(body, 429, headers).retry_after == seconds


@pytest.mark.parametrize(("said", "retryable"), [("true", True), ("false", False)])
def test_the_provider_may_say_whether_to_retry(said: str, retryable: bool) -> None:
    assert (
        provider_errors.read_failure(None, 400 if retryable else 503, {"x-should-retry": said}).retryable is retryable
    )


def test_presentable() -> None:
    secret = "sk-1234567890"
    message = f"Bad key {secret}\nsee https://user:pw@example.com/a?key={secret}#x\x00 \u2028 end"
    assert redaction.safe_for_display(message, (secret,)) == "Bad key [key] see https://example.com/a end"
    assert len(redaction.safe_for_display("x" * 5000)) == 600


def test_a_message_of_megabytes_is_not_read_to_its_end() -> None:
    """Looking for phrases in all of it held up everybody else for a second."""
    long = "no " * 10_000_000
    for error in ({"error": {"message": long}}, {"error": long}, long):
        found = provider_errors.read_failure(error, 400)
        assert len(found.message) < 1_000_000
        assert found.code == "invalid_request"


def test_half_a_key_at_the_end_of_what_is_read_is_not_shown() -> None:
    key = "sk-0123456789abcdef0123456789abcdef"
    for spaces in (*range(65_490, 65_540), *range(131_030, 131_080)):
        shown = redaction.safe_for_display(
            provider_errors.read_failure({"error": {"message": " " * spaces + key}}).message, (key,)
        )
        assert "[key]".startswith(shown), spaces
