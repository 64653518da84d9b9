"""Fetches a document by GET, over httpx2: what is asked once, such as a list of models, needs no pool.

Rule: as with a reply, no redirect is followed, and neither the wait nor the document is without a limit.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from ..question.transport import AsyncTransport, ConnectionBroken, HttpRequest, Transport
from .keyed_transport import AsyncKeyedTransport, KeyedTransport
from .tls_and_proxies import Proxies

if TYPE_CHECKING:
    import httpx2

    from ..question.key_source import KeySource

MAX_DOCUMENT_BYTES = 32 * 1024 * 1024


class Document(NamedTuple):
    """A complete response."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def fetch_document(
    request: HttpRequest, seconds: float, client: httpx2.Client | None = None, keys: KeySource | None = None
) -> Document:
    """Return what a server answers to a request. Raise ConnectionBroken.

    Args:
        request: The request; its method is GET.
        seconds: Maximum seconds for the complete document.
        client: The caller's own client. Default: a new one, through the proxy that the environment names.
        keys: The function that returns the key. Default: the request has it.
    """
    until, body = monotonic() + seconds, bytearray()
    with _transport(request, client) as plain:
        transport = plain if keys is None else KeyedTransport(plain, keys)
        with transport.open(request, seconds, seconds) as response:
            while chunk := response.read(_seconds_left(until)):
                _append_limited(body, chunk)
            return Document(response.status, response.headers, bytes(body))


async def async_fetch_document(
    request: HttpRequest, seconds: float, client: httpx2.AsyncClient | None = None, keys: KeySource | None = None
) -> Document:
    """Do the same for asyncio."""
    until, body = monotonic() + seconds, bytearray()
    async with _async_transport(request, client) as plain:
        transport = plain if keys is None else AsyncKeyedTransport(plain, keys)
        async with transport.open(request, seconds, seconds) as response:
            while chunk := await response.read(_seconds_left(until)):
                _append_limited(body, chunk)
            return Document(response.status, response.headers, bytes(body))


@contextmanager
def _transport(request: HttpRequest, client: httpx2.Client | None) -> Generator[Transport, None, None]:
    from . import by_httpx2, pools

    if client is not None:
        yield pools.transport_for_client(client)
        return
    proxy = Proxies().of(request.url)
    with by_httpx2.new_client(proxy) as own:
        yield by_httpx2.Httpx2Transport(own, proxy)


@asynccontextmanager
async def _async_transport(
    request: HttpRequest, client: httpx2.AsyncClient | None
) -> AsyncGenerator[AsyncTransport, None]:
    from . import by_httpx2, pools

    if client is not None:
        yield pools.async_transport_for_client(client)
        return
    proxy = Proxies().of(request.url)
    async with by_httpx2.new_async_client(proxy) as own:
        yield by_httpx2.AsyncHttpx2Transport(own, proxy)


def _seconds_left(until: float) -> float:
    return max(0.001, until - monotonic())


def _append_limited(body: bytearray, chunk: bytes) -> None:
    if len(body) + len(chunk) > MAX_DOCUMENT_BYTES:
        raise ConnectionBroken("protocol", f"the document has more than {MAX_DOCUMENT_BYTES} bytes", retryable=False)
    body += chunk
