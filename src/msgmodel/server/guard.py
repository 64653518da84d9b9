"""Who may ask at all: the checks that go before every request.

Rules: a page of somebody else's, opened in the user's browser, can neither ask nor read: the host that is named must be
ours (against DNS rebinding), the origin the same, and the browser must not call it cross-site. Where there are tokens,
one must be shown. A body is read no further than the limit.
"""

from __future__ import annotations

import asyncio
import hmac
import re
from hashlib import sha256

from starlette.requests import HTTPConnection, Request

from .bodies import Bodies
from .request_bodies import MAX_OBJECTS, RequestRefused
from .settings import Settings

CHECKED_AT_ONCE = 256 * 1024
"""Bytes of a body that is looked at on the event loop; to look at a larger one takes milliseconds."""

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
SAME_SITE = ("same-origin", "none", "")
"""What a browser says of its own pages, of the address bar, and what other clients say: nothing."""


ONCE = frozenset(
    (
        b"authorization",
        b"content-length",
        b"content-type",
        b"host",
        b"idempotency-key",
        b"last-event-id",
        b"origin",
        b"sec-fetch-site",
    )
)
"""Headers that decide something. Of two, whoever is on the way may have looked at the other one."""


class Guard:
    """Checks requests by the settings of one server."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.bodies = Bodies(settings.max_body_bytes)
        self._hosts = {*LOOPBACK, *(host.lower() for host in settings.hosts)}
        self._digests = [(token, _digest(token)) for token in settings.tokens]

    def single(self, connection: HTTPConnection) -> None:
        """Raises Refused for a request with two headers of a name that decides something."""
        names = [name for name, _ in connection.scope["headers"] if name in ONCE]
        if len(names) != len(set(names)):
            twice = next(name for name in names if names.count(name) > 1).decode()
            raise RequestRefused(400, "invalid_request", f"the header {twice} must be given once")

    def host(self, connection: HTTPConnection) -> None:
        """Raises Refused where the request names another host than ours."""
        if "*" in self._hosts:
            return
        said = connection.headers.getlist("host")
        name = _name(said[0]) if len(said) == 1 else ""
        if name not in self._hosts:
            raise RequestRefused(
                421, "unknown_host", "this server has another name: see --host-name, or Settings(hosts=...)"
            )

    def origin(self, connection: HTTPConnection) -> None:
        """Raises Refused for what a page from elsewhere asks in somebody's browser."""
        headers = connection.headers
        origin = headers.get("origin")
        if origin is not None and origin.lower().partition("://")[2] != headers.get("host", "").lower():
            raise RequestRefused(403, "cross_origin", "pages of other sites may not ask this server")
        if headers.get("sec-fetch-site", "") not in SAME_SITE:
            raise RequestRefused(403, "cross_origin", "pages of other sites may not ask this server")

    def owner(self, connection: HTTPConnection) -> str:
        """Whose request it is: a digest of the token; "" where there are none. Raises Refused."""
        if not self._digests:
            return ""
        scheme, _, shown = connection.headers.get("authorization", "").partition(" ")
        digest = _digest(shown.strip()) if scheme.lower() == "bearer" else ""
        for _, known in self._digests:
            if hmac.compare_digest(known, digest):
                return known
        raise RequestRefused(401, "unauthorized", "a valid bearer token is needed", {"www-authenticate": "Bearer"})

    async def body(self, request: Request, media_type: str = "application/json") -> bytearray:
        """Return the body of a request. Raises RequestRefused if it is too large, or of another type.

        A bytearray, because to make bytes of a body takes its memory a second time.
        """
        said = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if said != media_type:  # also what keeps forms of other sites out: they can't send this type
            raise RequestRefused(415, "unsupported_media_type", f"the body must be {media_type}")
        limit = self._settings.max_body_bytes
        declared = request.headers.get("content-length", "")
        if declared.isascii() and declared.isdigit() and int(declared) > limit:
            raise _too_large(limit)
        size = int(declared) if declared.isascii() and declared.isdigit() else limit
        client = self.owner(request) or (request.client.host if request.client else "")
        await self.bodies.enter(request.scope, client, size)
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise _too_large(limit)
        if len(body) <= CHECKED_AT_ONCE:
            self._check_number_of_values(body)
        else:
            await asyncio.to_thread(self._check_number_of_values, body)
        return body

    def _check_number_of_values(self, body: bytearray) -> None:
        """Raise RequestRefused for more values than a conversation has: each takes up to a hundred times its bytes.

        The signs before values are counted. Texts contain them too, and have a limit of their own; base64 does not.
        """
        texts = self._settings.max_prompt_chars
        objects = body.count(b"{") + body.count(b"[")
        if objects > max(MAX_OBJECTS, texts // 4) or body.count(b",") > MAX_OBJECTS + texts:
            raise RequestRefused(413, "too_large", "the body holds too many values")


def _too_large(limit: int) -> RequestRefused:
    return RequestRefused(413, "too_large", f"the body may have at most {limit} bytes", {"connection": "close"})


_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^][:]+)(?::[0-9]{0,5})?")
"""https://www.rfc-editor.org/rfc/rfc9110#section-7.2: a name or an address, and perhaps a port; nothing else."""


def _name(host: str) -> str:
    """The name in a Host header, without its port; "" if it is none."""
    found = _HOST.fullmatch(host.lower())
    return found[1] if found else ""


def _digest(token: str) -> str:
    return sha256(b"msgmodel owner\0" + token.encode()).hexdigest()[:32]
