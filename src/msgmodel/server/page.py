"""The chat page: the files built from `web/`, and the content security policy for them."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

PAGE_FOLDER = Path(__file__).parent / "page"

CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "media-src data:",  # the audio of a reply
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""If a reply smuggled markup past everything else, the browser still would not run it."""


def is_page_built() -> bool:
    """Return whether the page is there: a wheel has it, a checkout only after `make web`."""
    return (PAGE_FOLDER / "index.html").is_file()


def page_routes() -> list[BaseRoute]:
    """Return the routes of the page; if it was not built, a route that says so."""
    if not is_page_built():
        return [Route("/", _answer_missing, methods=["GET"])]
    return [Route("/", _answer_index, methods=["GET"]), Mount("/assets", _AssetFiles(directory=PAGE_FOLDER / "assets"))]


async def _answer_index(request: Request) -> Response:
    return FileResponse(
        PAGE_FOLDER / "index.html", headers={"content-security-policy": CONTENT_POLICY, "cache-control": "no-cache"}
    )


class _AssetFiles(StaticFiles):
    """Files whose names change with their contents."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = "public, max-age=31536000, immutable"
        return response


async def _answer_missing(request: Request) -> Response:
    return PlainTextResponse("The chat page is not built: run `make web` (it needs Node.js and npm).\n", 404)
