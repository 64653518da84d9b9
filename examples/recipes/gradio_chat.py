"""A chat in Gradio: `pip install gradio msgmodel`, then `python gradio_chat.py`."""

import os
from collections.abc import Iterator
from typing import Any

import gradio

from msgmodel import stream_panels

PROVIDER = os.environ.get("MSGMODEL_PROVIDER", "openai")


def answer(prompt: str, history: list[Any]) -> Iterator[str]:
    """Yield the text so far. Gradio shows what was yielded last, so the ending stays below the text."""
    turns = [{"role": turn["role"], "content": text_of(turn["content"])} for turn in history]
    text = ""
    for event in stream_panels(PROVIDER, prompt, messages=turns):
        if event["event"] == "panel_delta":
            text += event["delta"]
            yield text
        elif event["event"] == "panel_error":
            yield f"{text}\n\n**{event['code']}**: {event['error']}"
        elif event["event"] == "panel_final" and event["status"] != "complete":
            yield f"{text}\n\n**{event['status']}**: {event['finish_reason']}"


def text_of(content: Any) -> str:
    """Return the text of a turn: Gradio keeps a string, or a list of parts."""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


if __name__ == "__main__":
    gradio.ChatInterface(answer).launch()
