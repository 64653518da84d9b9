"""The errors of each provider: before a stream, and in the middle of one. Pure."""

from __future__ import annotations

from .wires import REQUEST_ID, Json, Wire, data_event, gemini_event, named_event

_OPENAI_ERRORS: dict[int, tuple[str, str | None, str]] = {
    400: ("invalid_request_error", "unsupported_value", "Unsupported value: 'temperature'."),
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    403: ("invalid_request_error", None, "You are not allowed to sample from this model."),
    404: ("invalid_request_error", "model_not_found", "The model `nope` does not exist."),
    413: ("invalid_request_error", None, "The request body is too large."),
    429: ("tokens", "rate_limit_exceeded", "Rate limit reached. Please try again in 2s."),
    500: ("server_error", None, "The server had an error while processing your request."),
    502: ("server_error", None, "Bad gateway."),
    503: ("service_unavailable_error", "server_is_overloaded", "The server is overloaded."),
}
_ANTHROPIC_ERRORS: dict[int, tuple[str, str]] = {
    400: ("invalid_request_error", "messages: at least one message is required"),
    401: ("authentication_error", "invalid x-api-key"),
    403: ("permission_error", "Your API key does not have permission to use this model."),
    404: ("not_found_error", "model: nope"),
    413: ("request_too_large", "Request exceeds the maximum size"),
    429: ("rate_limit_error", "This request would exceed the rate limit of your organization."),
    500: ("api_error", "Internal server error"),
    502: ("api_error", "Bad gateway"),
    503: ("api_error", "Service unavailable"),
    529: ("overloaded_error", "Overloaded"),
}
_GEMINI_ERRORS: dict[int, tuple[str, str]] = {
    400: ("INVALID_ARGUMENT", "Request contains an invalid argument."),
    401: ("UNAUTHENTICATED", "Request had invalid authentication credentials."),
    403: ("PERMISSION_DENIED", "The caller does not have permission."),
    404: ("NOT_FOUND", "models/nope is not found for API version v1."),
    429: ("RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."),
    500: ("INTERNAL", "An internal error has occurred."),
    503: ("UNAVAILABLE", "The model is overloaded. Please try again later."),
}
ERROR_STATUSES: dict[Wire, tuple[int, ...]] = {
    "openai_chat": tuple(_OPENAI_ERRORS),
    "openai_responses": tuple(_OPENAI_ERRORS),
    "anthropic": tuple(_ANTHROPIC_ERRORS),
    "gemini": tuple(_GEMINI_ERRORS),
}
RETRY_AFTER_SECONDS = 2


def error_body(wire: Wire, status: int) -> tuple[dict[str, str], Json]:
    """Return the headers and the body of an error response. Raise KeyError if the wire has no such status."""
    if wire == "gemini":
        return {}, {"error": _gemini_error(status)}
    waits = {"retry-after": str(RETRY_AFTER_SECONDS)} if status == 429 else {}
    if wire == "anthropic":
        kind, message = _ANTHROPIC_ERRORS[status]
        error = {"type": kind, "message": message}
        body: Json = {"type": "error", "error": error, "request_id": REQUEST_ID}
        return {"request-id": REQUEST_ID, **waits}, body
    return {"x-request-id": REQUEST_ID, **waits}, {"error": _openai_error(status)}


def error_event(wire: Wire) -> bytes:
    """Return the event with which the provider interrupts a reply that began with status 200."""
    if wire == "openai_chat":
        return data_event({"error": _openai_error(500)})
    if wire == "openai_responses":
        error = {"code": "server_error", "message": _OPENAI_ERRORS[500][2], "param": None}
        return named_event({"type": "error", **error, "sequence_number": 7})
    if wire == "anthropic":
        kind, message = _ANTHROPIC_ERRORS[529]
        return named_event({"type": "error", "error": {"type": kind, "message": message}})
    return gemini_event({"error": _gemini_error(503)})


def _openai_error(status: int) -> Json:
    kind, code, message = _OPENAI_ERRORS[status]
    param = "temperature" if code == "unsupported_value" else None
    return {"message": message, "type": kind, "param": param, "code": code}


def _gemini_error(status: int) -> Json:
    name, message = _GEMINI_ERRORS[status]
    error: Json = {"code": status, "message": message, "status": name}
    if status == 429:
        retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo"}
        error["details"] = [retry | {"retryDelay": f"{RETRY_AFTER_SECONDS}s"}]
    return error
