"""Send one HTTP request, as text, to the server's application, up to the moment at which it would ask a provider.

The request is written as on the wire: the first line, headers, a blank line, the body; what an HTTP parser would have
refused before the application saw it is left out. Without a first line, all of it is the body of `POST /v1/panels`.
"""

from __future__ import annotations

import asyncio
import functools
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import unquote

from starlette.requests import Request
from starlette.types import ASGIApp

from msgmodel.many import AsyncBatch
from msgmodel.providers import PROVIDERS
from msgmodel.server.app import Application
from msgmodel.server.log import StreamHeader
from msgmodel.server.request_bodies import RequestRefused
from msgmodel.server.service import Service
from msgmodel.server.settings import Settings

KEYS = {"OPENAI_API_KEY": "sk-planted-1f", "ANTHROPIC_API_KEY": "sk-planted-2f", "GEMINI_API_KEY": "sk-planted-3f"}

_FIRST = re.compile(rb"(GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH) (/[\x21-\x7e]*)")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)")
_DEFAULTS = {b"host": b"127.0.0.1:8000", b"content-type": b"application/json"}


class Reply(NamedTuple):
    """The response."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    head: bool
    """Whether it was asked by HEAD, which has no body."""
    host: bytes
    """The host that the request named."""

    @property
    def accepted(self) -> bool:
        """Return whether a provider would have been asked."""
        return self.status == 503 and b'"code":"asked"' in self.body

    @property
    def planted(self) -> list[bytes]:
        """Return the texts that no response may contain."""
        return [value.encode() for value in KEYS.values()]


class _RefusingService(Service):
    """Refuse, at the last moment, the request to a provider."""

    async def _start_stream(self, request: Request, slot: str, head: StreamHeader, panels: AsyncBatch) -> bool:
        assert 1 <= len(panels.panel_ids) <= self.settings.max_panels
        await panels.aclose()
        raise RequestRefused(503, "asked", "it would be asked now")


@functools.cache
def _application() -> ASGIApp:
    settings = Settings(max_body_bytes=1 << 16, max_prompt_chars=20_000, max_panels=4)
    return Application(_RefusingService(settings)).asgi_app()


@contextmanager
def keys() -> Iterator[None]:
    """Set an environment with these keys and no others."""
    before = dict(os.environ)
    for row in PROVIDERS.values():
        for name in (*row.keys, row.base_url_variable):
            os.environ.pop(name, None)
    os.environ.update(KEYS)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


async def answer(request: bytes) -> Reply:
    """Send the request."""
    method, target, headers, body = _read(request)
    path, _, query = target.partition(b"?")
    scope: dict[str, Any] = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "root_path": "",
        "method": method.decode(), "path": unquote(path.decode()), "raw_path": path, "query_string": query,
        "headers": headers, "client": ("127.0.0.1", 50_000), "server": ("127.0.0.1", 8000),
    }  # fmt: skip
    half = len(body) // 2
    messages = [
        {"type": "http.request", "body": body[:half], "more_body": True},
        {"type": "http.request", "body": body[half:], "more_body": False},
    ]
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0) if messages else await asyncio.Event().wait()  # the client waits for its answer

    async def send(message: Any) -> None:
        sent.append(message)

    with keys():
        await _application()(scope, receive, send)
    starts = [message for message in sent if message["type"] == "http.response.start"]
    assert len(starts) == 1, "more than one answer, or none"
    bodies = [message for message in sent if message["type"] == "http.response.body"]
    assert [message.get("more_body", False) for message in bodies].count(False) == 1
    content = b"".join(message.get("body", b"") for message in bodies)
    return Reply(starts[0]["status"], list(starts[0]["headers"]), content, method == b"HEAD", dict(headers)[b"host"])


def _read(request: bytes) -> tuple[bytes, bytes, list[tuple[bytes, bytes]], bytes]:
    top, _, body = request.partition(b"\n\n")
    first, *rest = top.split(b"\n")
    if not (found := _FIRST.fullmatch(first)):
        return b"POST", b"/v1/panels", list(_DEFAULTS.items()), request
    headers = [(match[1].lower(), match[2].strip()) for each in rest if (match := _HEADER.fullmatch(each))]
    said = {name for name, _ in headers}
    headers += [(name, value) for name, value in _DEFAULTS.items() if name not in said]
    return found[1], found[2], headers, body
