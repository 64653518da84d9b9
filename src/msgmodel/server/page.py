"""The chat page: files that were built from `web/`, and the policy under which a browser may run them."""

from __future__ import annotations

from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

FOLDER = Path(__file__).parent / "page"

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""A reply that smuggles markup past everything else still finds nothing that would run it."""


class _Page(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["content-security-policy"] = POLICY
        hashed = path.startswith("assets/")  # their names change with their contents
        response.headers["cache-control"] = "public, max-age=31536000, immutable" if hashed else "no-cache"
        return response


async def _missing(scope: Scope, receive: Receive, send: Send) -> None:
    response = Response(
        "The chat page is not built: run `make web` (it needs Node.js and npm).\n", 404, media_type="text/plain"
    )
    await response(scope, receive, send)


def page() -> ASGIApp:
    """The application that serves it."""
    return _Page(directory=FOLDER, html=True) if (FOLDER / "index.html").is_file() else _missing
