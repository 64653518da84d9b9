"""This library: `query`, and the terminal event of `stream_panels`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from run import KEY, kind_of

from msgmodel import OpenAIConfig, query, stream_panels

DISTRIBUTION = "msgmodel"


def ways(url: str, model: str) -> dict[str, Callable[[str], Any]]:
    """Return the ways of asking."""
    options: Any = {"config": OpenAIConfig(base_url=f"{url}/v1", api_key=KEY), "model": model, "max_retries": 0}

    def ask(prompt: str) -> Any:
        reply: Any = query("openai", prompt, output=kind_of(prompt), **options)
        if reply.object is None:
            raise ValueError(f"{reply.status}: {reply.errors}")
        return reply.object

    def stream(prompt: str) -> Any:
        *_, last = stream_panels("openai", prompt, output=kind_of(prompt), **options)
        if last["event"] != "panel_final" or last["object"] is None:
            raise ValueError(last.get("errors"))
        return last["object"]

    return {"query": ask, "stream_panels": stream}
