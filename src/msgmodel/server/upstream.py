"""The connections to the providers that a server uses: aiohttp's, which cost a third of httpx2's.

What has arrived together is also read together, so a server with too much to do falls behind by less.
"""

from __future__ import annotations

import aiohttp
import httpx2
from httpx_aiohttp.httpx2 import AiohttpTransport

from .. import __version__

Client = httpx2.AsyncClient

KEEP_ALIVE_SECONDS = 30.0


def client() -> Client:
    """A pool without a limit, on the running event loop. It takes no cookies: it serves many users."""
    context = httpx2.create_ssl_context()

    def session() -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=0, ssl=context, keepalive_timeout=KEEP_ALIVE_SECONDS)
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=True)

    return Client(transport=_Transport(client=session), headers={"user-agent": f"msgmodel/{__version__}"})


class _Transport(AiohttpTransport):
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        try:
            return await super().handle_async_request(request)
        except httpx2.ConnectTimeout as error:
            cause = error.__cause__
            if isinstance(cause, TimeoutError):
                raise
            # The bridge calls every fault of a connection a timeout, also one that broke before an answer.
            raise httpx2.ReadError(str(cause) or "the server closed the connection") from cause
