"""Stream panel events to a web page as server-sent events.

    pip install fastapi uvicorn && OPENAI_API_KEY=... uvicorn --app-dir examples fastapi_endpoint:app

When the browser disconnects, the task is cancelled, and so is the request to the provider.
"""

import json
from collections.abc import AsyncIterator

from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from msgmodel import astream_panels

app = FastAPI()


@app.post("/chat/stream")
async def stream_chat(prompt: str, provider: str = "openai") -> StreamingResponse:
    """Return one reply as `text/event-stream`, with one panel event in each `data:` line."""
    events = astream_panels(provider, prompt, max_tokens=1000)  # a wrong provider or a missing key raises here

    async def lines() -> AsyncIterator[str]:
        async for event in events:
            yield f"data: {json.dumps(event)}\n\n"

    return StreamingResponse(lines(), media_type="text/event-stream", headers={"cache-control": "no-cache"})
