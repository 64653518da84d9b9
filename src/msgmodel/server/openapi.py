"""The OpenAPI document of the server. The shapes of the requests come from the code."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from .. import __version__
from .request_bodies import PanelsRequest

_REF = "#/components/schemas/{name}"


@cache
def openapi_document() -> dict[str, Any]:
    """Return the document. https://spec.openapis.org/oas/v3.1.0"""
    (panels,), components = msgspec.json.schema_components([PanelsRequest], ref_template=_REF)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "msgmodel",
            "version": __version__,
            "description": "Replies of any LLM provider as panel events over SSE, resumable.",
        },
        "components": {
            "schemas": components | {"Error": _ERROR},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
        "paths": {
            "/v1/panels": {
                "post": {
                    "operationId": "askPanels",
                    "summary": "Asks one or several panels; streams their events.",
                    "parameters": [_header_parameter("idempotency-key", _KEY), _POSITION],
                    "requestBody": {"required": True, "content": {"application/json": {"schema": panels}}},
                    "responses": _response_table(200, 400, 401, 403, 409, 410, 413, 415, 421, 422, 429, 503),
                }
            },
            "/v1/streams": {
                "get": _simple_operation("listStreams", "The caller's streams that run.", 401, 403, 421, 503)
            },
            "/v1/streams/{id}": {
                "parameters": [_ID],
                "get": {
                    "operationId": "readStream",
                    "summary": "The events after a position; without one a snapshot, then the rest.",
                    "parameters": [_POSITION, _query_parameter("last_event_id", _NUMBER)],
                    "responses": _response_table(200, 204, 400, 401, 403, 404, 410, 421, 503),
                },
                "delete": {
                    "operationId": "stopStream",
                    "summary": "Stops all panels, or one.",
                    "parameters": [_query_parameter("panel_id", {"type": "string"})],
                    "responses": _response_table(204, 400, 401, 403, 404, 410, 421, 503),
                },
            },
            "/chat/stream": {
                method: {
                    "operationId": f"{method}Chat",
                    "summary": "Asks one panel; for `EventSource`.",
                    "parameters": [_query_parameter("prompt", {"type": "string"}), *_CHOICE, _POSITION],
                    "responses": _response_table(200, *((204,) if method == "get" else ()), *_CHAT_ERRORS),
                }
                for method in ("get", "post")
            },
            "/v1/providers": {
                "get": _simple_operation("listProviders", "The providers, and the limits.", 401, 403, 421)
            },
            "/v1/providers/{name}/models": {
                "parameters": [{"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}],
                "get": _simple_operation("listProviderModels", "The models of a provider.", 401, 403, 404, 421, 502),
            },
            "/v1/models": {
                "get": _simple_operation("listModels", "Models, as OpenAI's API lists them.", 401, 403, 421)
            },
            "/v1/models/{id}": {
                "parameters": [_ID],
                "get": _simple_operation("getModel", "One of these models.", 401, 403, 404, 421),
            },
            "/healthz": {"get": _simple_operation("health", "The process lives.")},
            "/readyz": {"get": _simple_operation("ready", "It can take streams.", 503)},
        },
    }


_NUMBER = {"type": "string", "pattern": "^([A-Za-z0-9_.-]{1,64}:)?[0-9]{1,16}$"}
_KEY = {"type": "string", "pattern": "^[ -~]{1,200}$"}
_CHAT_ERRORS = (400, 401, 403, 410, 413, 421, 422, 429, 503)
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
        }
    },
}
_STATUS_WORDS = {
    200: "The events",
    204: "Nothing more",
    400: "The request can't be read",
    401: "No valid token",
    403: "Not allowed",
    404: "There is no such thing",
    409: "The idempotency-key was used for another request",
    410: "The stream has expired",
    413: "Too large",
    415: "Not JSON",
    421: "Another host was meant",
    422: "The request makes no sense",
    429: "Too many streams",
    502: "The provider gave no usable answer",
    503: "Not now",
}


_FRAME = {"type": "object", "properties": {"id": {"type": "string"}, "data": {"type": "string"}}}
"""One server-sent event; `data` is an event as JSON."""


def _header_parameter(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "schema": schema}


def _query_parameter(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema}


_POSITION = _header_parameter("last-event-id", _NUMBER)
_ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
_CHOICE = [
    _query_parameter("provider", {"type": "string", "minLength": 1, "maxLength": 64}),
    _query_parameter("model", {"type": "string", "minLength": 1, "maxLength": 200}),
]


def _response_table(*statuses: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for status in statuses:
        found[str(status)] = {"description": _STATUS_WORDS[status]}
        if status == 200:
            found["200"]["content"] = {"text/event-stream": {"schema": _FRAME}}
        elif status >= 400:
            found[str(status)]["content"] = {"application/json": {"schema": {"$ref": _REF.format(name="Error")}}}
    return found


def _simple_operation(operation: str, summary: str, *errors: int) -> dict[str, Any]:
    answer = {"description": "The answer", "content": {"application/json": {"schema": {"type": "object"}}}}
    return {"operationId": operation, "summary": summary, "responses": {"200": answer, **_response_table(*errors)}}
