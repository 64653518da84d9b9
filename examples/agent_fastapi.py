"""An agent on the web that waits for the user's approval before each call.

    pip install 'msgmodel[server,tools]' fastapi uvicorn
    STATE_KEY=... OPENAI_API_KEY=... uvicorn --app-dir examples agent_fastapi:app

The last event of a run that waits has the calls in `run.pending`, and the signed state in `run.state`. The browser
keeps it, and posts it with the decisions: {"state": "...", "decisions": {"call_1": true}}. The journal makes sure that
a call runs once, even if the same decision is posted twice.
"""

import os
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, HTTPException

from msgmodel import ConfigurationError, PanelEvent, aresume_tools, arun_tools, read_signed_state, sign_state
from msgmodel.server import panel_response

app = FastAPI()
KEY = os.environ["STATE_KEY"]
OPTIONS: dict[str, Any] = {"approval": "ask", "journal": "agent.db"}


async def send_mail(to: str, text: str) -> str:
    """Send a mail.

    :param to: the address
    :param text: the text
    """
    return f"sent {len(text)} characters to {to}"


TOOLS = [send_mail]


async def with_signed_state(events: AsyncIterator[PanelEvent]) -> AsyncIterator[PanelEvent]:
    """Sign the state in the last event: a browser must not change the calls."""
    async for event in events:
        if "run" in event and event["run"]["state"] is not None:
            event["run"]["state"] = sign_state(event["run"]["state"], KEY)
        yield event


@app.post("/run")
async def run(prompt: str, provider: str = "openai"):
    return panel_response(with_signed_state(arun_tools(provider, prompt, tools=TOOLS, **OPTIONS)))


@app.post("/decide")
async def decide(body: dict[str, Any]):
    try:
        state = read_signed_state(body["state"], KEY, max_age=86_400)
        events = aresume_tools(state, body["decisions"], tools=TOOLS, **OPTIONS)
    except (ConfigurationError, KeyError) as error:
        raise HTTPException(400, str(error)) from None
    return panel_response(with_signed_state(events))
