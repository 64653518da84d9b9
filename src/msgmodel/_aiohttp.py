"""HTTP for asyncio straight to a server by aiohttp, where it is installed: a third of httpx2's CPU a chunk.

The only file that knows aiohttp's API.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import aiohttp
from yarl import URL

from . import _transport
from ._ask import Broken, Request
from ._patience import Alarm, Patience
from ._transport import CONNECT_SECONDS, DRAIN_SECONDS, HEADERS, IDLE_SECONDS, USER_AGENT, AsyncResponse
from .events import ErrorCode

HEADER_BYTES = 64 * 1024
READ_BYTES = 32 * 1024
BUFFER_BYTES = 16 * 1024
"""What waits for a slow reader is at most twice this, and what one read of the socket brings."""
_NO_LIMIT = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)

_FAULTS = (
    aiohttp.ClientError,
    OSError,  # and so TimeoutError
    UnicodeError,  # a host name that no resolver takes
    RuntimeError,  # aiohttp's own, when the session was closed meanwhile
)


class Session:
    """A pool without a limit on live streams, for the running event loop."""

    def __init__(self) -> None:
        connector = aiohttp.TCPConnector(limit=0, ssl=_transport.tls(), keepalive_timeout=IDLE_SECONDS)
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=_NO_LIMIT,
            read_bufsize=BUFFER_BYTES,
            max_line_size=HEADER_BYTES,
            max_field_size=HEADER_BYTES,
        )

    async def aclose(self) -> None:
        await self._session.close()

    def open(self, request: Request, patience: float, silence: float) -> _Open:
        """Sends the request; leaves the response open within the context."""
        return _Open(self._session, request, patience)


class _Open:
    """A class, not a generator: a loop that ends closes all generators at once, so one must not wait for another."""

    def __init__(self, session: aiohttp.ClientSession, request: Request, patience: float) -> None:
        self._session = session
        self._request = request
        self._wait = patience

    async def __aenter__(self) -> AsyncResponse:
        limit = Patience()
        try:
            with limit.of(self._wait):
                self._response = await self._session.post(
                    URL(self._request.url),
                    data=self._request.body,
                    headers={**USER_AGENT, **HEADERS, **self._request.headers},
                    allow_redirects=False,
                )
        except _FAULTS as error:
            raise _fault(self._request, error, "network") from None
        finally:
            limit.close()
        self._body = _Body(self._request, self._response)
        return self._body

    async def __aexit__(self, kind: object, *exc_info: object) -> None:
        try:
            if kind is None:
                await self._body.drain()
        finally:
            self._body.alarm.close()
            self._response.close()  # after the whole body this gives the connection back


class _Body:
    def __init__(self, request: Request, response: aiohttp.ClientResponse) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}
        self._request = request
        self._content = response.content
        self.alarm = Alarm(self._too_late)
        self._broken: Broken | None = None

    async def read(self, patience: float) -> bytes:
        if self._broken is not None:
            raise self._broken
        self.alarm.begin(patience)
        try:
            return await self._content.read(READ_BYTES)
        except _FAULTS as error:
            broken = _fault(self._request, error, "interrupted")
            if rest := self._rest():
                self._broken = broken
                return rest
            raise broken from None
        finally:
            self.alarm.end()

    def _too_late(self) -> None:
        self._content.set_exception(TimeoutError())

    async def drain(self) -> None:
        """Reads the rest of a body whose last event has been read; gives up soon, and on any fault."""
        self.alarm.begin(DRAIN_SECONDS)
        with suppress(*_FAULTS):
            while not self._content.at_eof():
                await self._content.readany()

    def _rest(self) -> bytes:
        """What had arrived before the connection broke. The reader hands out nothing more once it has an error."""
        error = self._content.exception()
        if error is None:
            return b""
        self._content.set_exception(None)  # type: ignore[arg-type]
        return self._content.read_nowait()


def _fault(request: Request, error: Exception, code: ErrorCode) -> Broken:
    """The library's exception as ours. `code`: "network" until the response began, then "interrupted"."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return _transport.no_connection_in_time(request)
    if isinstance(error, TimeoutError):
        return _transport.nothing_in_time(request)
    if isinstance(error, aiohttp.ClientConnectorError):
        return _transport.unreachable(request, str(error.os_error))
    if isinstance(error, aiohttp.ServerDisconnectedError):
        reason = "the server closed the connection"
    elif isinstance(error, aiohttp.ClientPayloadError):
        reason = "the body ended before it was whole"
    elif isinstance(error, OSError):
        reason = str(error)
    else:  # what aiohttp says of it quotes what the server sent
        reason = f"that is no HTTP ({type(error).__name__})"
    return _transport.broken(request, code, reason)
