"""The checks before every request: who may use the server.

Rules: a page of another site in the user's browser can neither send requests nor read responses, unless the settings
name its origin. The `Host` must name
this server (against DNS rebinding), the `Origin` must be the same, and the browser must not call the request
cross-site. If there are tokens, a request needs one. A body is never read beyond its limit.
"""

from __future__ import annotations

import asyncio
import hmac
import re
from hashlib import sha256

from starlette.requests import HTTPConnection, Request

from .bodies import LargeBodies
from .request_bodies import MAX_OBJECTS, RequestRefused
from .settings import Settings

CHECKED_AT_ONCE = 256 * 1024
"""Bytes of a body up to which its values are counted on the event loop; for a larger one that takes milliseconds."""

LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")
SAME_SITE_VALUES = ("same-origin", "none", "")
"""Values of Sec-Fetch-Site: of our own pages, of the address bar, and of clients that are not browsers."""

SINGLE_HEADERS = frozenset(
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
"""Headers that decide something. Of two, a proxy on the way may have checked the other one."""


class Guard:
    """Checks requests by the settings of one server."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.bodies = LargeBodies(settings.max_body_bytes)
        self._hosts = {*LOOPBACK_HOSTS, *(host.lower() for host in settings.hosts)}
        self._origins = {origin.lower() for origin in settings.origins}
        self._digests = [(token, _owner_digest(token)) for token in settings.tokens]

    def check_single_headers(self, connection: HTTPConnection) -> None:
        """Raise RequestRefused if a header that decides something is there twice."""
        names = [name for name, _ in connection.scope["headers"] if name in SINGLE_HEADERS]
        if len(names) != len(set(names)):
            twice = next(name for name in names if names.count(name) > 1).decode()
            raise RequestRefused(400, "invalid_request", f"the header {twice} must be given once")

    def check_host(self, connection: HTTPConnection) -> None:
        """Raise RequestRefused if the request names another host."""
        if "*" in self._hosts:
            return
        said = connection.headers.getlist("host")
        name = _host_name(said[0]) if len(said) == 1 else ""
        if name not in self._hosts:
            raise RequestRefused(
                421, "unknown_host", "the Host header is not allowed: add it with --host-name, or Settings(hosts=...)"
            )

    def check_origin(self, connection: HTTPConnection) -> None:
        """Raise RequestRefused for a request of another site's page."""
        headers = connection.headers
        # A browser sets this header itself. Behind a development proxy (Vite), `Host` is not the page's; a name that
        # was rebound to this machine is refused by `check_host`.
        if headers.get("sec-fetch-site") == "same-origin":
            return
        origin = headers.get("origin")
        is_other = origin is not None and origin.lower().partition("://")[2] != headers.get("host", "").lower()
        if self.allowed_origin(connection) is not None:
            return
        if is_other or headers.get("sec-fetch-site", "") not in SAME_SITE_VALUES:
            cure = "allow this one with --allow-origin, or Settings(origins=...)"
            raise RequestRefused(403, "cross_origin", f"pages of other sites may not use this server: {cure}")

    def allowed_origin(self, connection: HTTPConnection) -> str | None:
        """Return the origin of the page that sent the request if the settings allow it to read the answer."""
        origin = connection.headers.get("origin")
        return origin if origin is not None and origin.lower() in self._origins else None

    def find_owner(self, connection: HTTPConnection) -> str:
        """Return the owner of a request: a digest of its token, "" if no tokens are set. Raise RequestRefused."""
        if not self._digests:
            return ""
        scheme, _, shown = connection.headers.get("authorization", "").partition(" ")
        digest = _owner_digest(shown.strip()) if scheme.lower() == "bearer" else ""
        for _, known in self._digests:
            if hmac.compare_digest(known, digest):
                return known
        raise RequestRefused(401, "unauthorized", "a valid bearer token is needed", {"www-authenticate": "Bearer"})

    async def read_body(self, request: Request, media_type: str = "application/json") -> bytearray:
        """Return the body of a request. Raises RequestRefused if it is too large, or of another type.

        A bytearray, because to make bytes of a body takes its memory a second time.
        """
        said = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if said != media_type:  # this also refuses the forms of other sites, which cannot send this type
            raise RequestRefused(415, "unsupported_media_type", f"the body must be {media_type}")
        limit = self._settings.max_body_bytes
        declared = request.headers.get("content-length", "")
        if declared.isascii() and declared.isdigit() and int(declared) > limit:
            raise _too_large(limit)
        size = int(declared) if declared.isascii() and declared.isdigit() else limit
        client = self.find_owner(request) or (request.client.host if request.client else "")
        await self.bodies.wait_for_turn(request.scope, client, size)
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
        """Raise RequestRefused for more values than a conversation has. A value takes up to a hundred times its bytes.

        We count the characters before values. Texts contain them too, but have a limit of their own; base64 does not.
        """
        texts = self._settings.max_prompt_chars
        objects = body.count(b"{") + body.count(b"[")
        if objects > max(MAX_OBJECTS, texts // 4) or body.count(b",") > MAX_OBJECTS + texts:
            raise RequestRefused(413, "too_large", "the body contains too many values")


def _too_large(limit: int) -> RequestRefused:
    return RequestRefused(413, "too_large", f"the body may have at most {limit} bytes", {"connection": "close"})


_HOST_HEADER = re.compile(r"(\[[0-9a-f:.]+\]|[^][:]+)(?::[0-9]{0,5})?")
"""A name or an address, and perhaps a port: https://www.rfc-editor.org/rfc/rfc9110#section-7.2"""


def _host_name(host: str) -> str:
    """Return the name in a Host header, without its port; "" if the header is malformed."""
    found = _HOST_HEADER.fullmatch(host.lower())
    return found[1] if found else ""


def _owner_digest(token: str) -> str:
    return sha256(b"msgmodel owner\0" + token.encode()).hexdigest()[:32]
