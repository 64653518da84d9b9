"""The head of a request: its path, and the headers that every HTTP transport sends."""

from __future__ import annotations

from urllib.parse import urlsplit

from .._version import __version__
from ..question.transport import HttpRequest

USER_AGENT = {"user-agent": f"msgmodel/{__version__}"}
REQUEST_HEADERS = {
    "content-type": "application/json",
    "accept": "text/event-stream",
    "accept-encoding": "identity",  # compression would hold events back
}


def path_and_headers(request: HttpRequest) -> tuple[str, dict[str, str]]:
    """Its path, and its headers with ours."""
    parts = urlsplit(request.url)
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    return path, {**USER_AGENT, **REQUEST_HEADERS, **request.headers, **content_length(request)}


def content_length(request: HttpRequest) -> dict[str, str]:
    """The header that says how long a body in pieces is."""
    return {"Content-Length": str(sum(map(len, request.pieces)))}
