"""The head of a request: its path, and the headers that every HTTP transport sends."""

from __future__ import annotations

from typing import TypeAlias
from urllib.parse import urlsplit

from .._version import __version__
from ..question.transport import ConnectionBroken, HttpRequest

USER_AGENT = {"user-agent": f"msgmodel/{__version__}"}
REQUEST_HEADERS = {
    "content-type": "application/json",
    "accept": "text/event-stream",
    "accept-encoding": "identity",  # compression would hold events back
}
JOINED_BYTES = 32 * 1024
"""Pieces are joined up to this size, so that a short request leaves in one packet. A longer piece is not copied."""

Origin: TypeAlias = tuple[str, str, int]
"""Scheme, host and port: connections to the same one can take each other's requests."""


def origin_of(request: HttpRequest) -> Origin:
    """Return where a request goes."""
    parts = urlsplit(request.url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def pieces_to_send(request: HttpRequest) -> list[bytes]:
    """Return the request as it goes over the wire, head and body.

    Raises:
        ConnectionBroken: The head holds a character that could end a line, or that is not ASCII.
    """
    parts = urlsplit(request.url)
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    headers = {"host": _host_header(request), **USER_AGENT, **REQUEST_HEADERS, **request.headers}
    lines = [
        f"{request.method} {path} HTTP/1.1",
        *(f"{name}: {value}" for name, value in (headers | content_length(request)).items()),
    ]
    # The arguments of a call are checked before. This is the last place where a line break could become a header.
    if " " in path or not all(line.isascii() and line.isprintable() for line in lines):
        del headers, lines, path  # tools that show the variables of a traceback would show the key
        raise ConnectionBroken("network", "the URL or a header holds a character that HTTP forbids", retryable=False)
    pieces = ["\r\n".join([*lines, "", ""]).encode()]
    for piece in request.pieces:
        if len(pieces[-1]) + len(piece) <= JOINED_BYTES:
            pieces[-1] += piece
        else:
            pieces.append(piece)
    return pieces


def _host_header(request: HttpRequest) -> str:
    scheme, host, port = origin_of(request)
    if ":" in host:  # the zone of an IPv6 address means nothing to the server (RFC 6874, section 1)
        host = f"[{host.partition('%')[0]}]"
    elif not host.isascii():
        host = host.encode("idna").decode()
    return host if port == (443 if scheme == "https" else 80) else f"{host}:{port}"


def content_length(request: HttpRequest) -> dict[str, str]:
    """Return the header that says how long the body is; none for a GET, which has no body."""
    return {"content-length": str(sum(map(len, request.pieces)))} if request.pieces else {}
