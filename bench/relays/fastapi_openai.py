"""FastAPI with the openai SDK, as its users write it: chunks in, each as a server-sent event out.

python bench/relays/fastapi_openai.py BASE_URL
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from openai import AsyncOpenAI

from serving import serve

app = FastAPI()
_client = AsyncOpenAI(base_url=sys.argv[1], api_key="none-is-needed-here")


@app.post("/v1/chat/completions")
async def completions(body: dict[str, Any]) -> StreamingResponse:
    stream = await _client.chat.completions.create(model=body["model"], messages=body["messages"], stream=True)

    async def pieces() -> AsyncIterator[str]:
        async with stream:
            async for chunk in stream:
                yield f"data: {chunk.model_dump_json()}\n\n"
        yield "data: [DONE]\n\n"

    return StreamingResponse(pieces(), media_type="text/event-stream")


if __name__ == "__main__":
    serve(app)
