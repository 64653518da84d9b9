"""Pass the provider's bytes through Starlette's StreamingResponse, read with bare aiohttp: the least that a relay must
do.

It parses nothing, keeps nothing, and doesn't know how a stream ended.

    python bench/relays/starlette_bytes.py BASE_URL
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from serving import serve

_URL = sys.argv[1] + "/chat/completions"


async def _relay(request: Request) -> Response:
    session: aiohttp.ClientSession = request.state.session
    answer = await session.post(_URL, data=await request.body(), headers={"content-type": "application/json"})

    async def pieces() -> AsyncIterator[bytes]:
        async with answer:
            async for chunk in answer.content.iter_any():
                yield chunk

    return StreamingResponse(pieces(), media_type="text/event-stream")


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[dict[str, aiohttp.ClientSession]]:
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
        yield {"session": session}


if __name__ == "__main__":
    serve(Starlette(routes=[Route("/v1/chat/completions", _relay, methods=["POST"])], lifespan=_lifespan))
