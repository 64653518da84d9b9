"""The headers by which a browser lets a page of another site use the server (CORS, https://fetch.spec.whatwg.org).

Rule: only an origin that the settings name gets them, and it gets its own name, never `*`. The browser's credentials,
such as cookies, are never allowed: a page sends its token itself.
"""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response

_READABLE = b"x-stream-id, location, retry-after, x-request-id, x-should-retry, x-vercel-ai-ui-message-stream"
"""Headers that the page may read; a browser hides all others but a few."""
_PREFLIGHT_SECONDS = "600"
_HEADER_NAMES = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~, -]{1,2000}")


def headers_for_origin(origin: str | None) -> list[tuple[bytes, bytes]]:
    """Return the headers of a response for the page of an allowed origin; those of any response if there is none."""
    if origin is None:
        return [(b"cross-origin-resource-policy", b"same-origin")]
    return [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-expose-headers", _READABLE),
        (b"cross-origin-resource-policy", b"cross-origin"),
        (b"vary", b"origin"),
    ]


def is_preflight(request: Request) -> bool:
    """Return whether a browser asks what the page may send."""
    return request.method == "OPTIONS" and "access-control-request-method" in request.headers


def answer_preflight(request: Request) -> Response:
    """Return the answer for a page of an allowed origin: it may send any header, because none is believed unchecked."""
    headers = {
        "access-control-allow-methods": "GET, POST, DELETE",
        "access-control-max-age": _PREFLIGHT_SECONDS,
    }
    asked = request.headers.get("access-control-request-headers", "")
    if _HEADER_NAMES.fullmatch(asked):
        headers["access-control-allow-headers"] = asked
    if request.headers.get("access-control-request-private-network") == "true":  # from a public site to this machine
        headers["access-control-allow-private-network"] = "true"
    return Response(status_code=204, headers=headers)
