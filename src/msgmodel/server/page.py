"""The chat page: files that were built from `web/`, and the policy under which a browser may run them."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

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


def page() -> list[BaseRoute]:
    """The routes of the page; where it was not built, of a word that says so."""
    if not (FOLDER / "index.html").is_file():
        return [Route("/", _missing, methods=["GET"])]
    return [Route("/", _index, methods=["GET"]), Mount("/assets", _Assets(directory=FOLDER / "assets"))]


async def _index(request: Request) -> Response:
    return FileResponse(FOLDER / "index.html", headers={"content-security-policy": POLICY, "cache-control": "no-cache"})


class _Assets(StaticFiles):
    """Their names change with their contents."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = "public, max-age=31536000, immutable"
        return response


async def _missing(request: Request) -> Response:
    return PlainTextResponse("The chat page is not built: run `make web` (it needs Node.js and npm).\n", 404)
