"""Accumulate Anthropic's streams with the `anthropic` SDK: `client.messages.stream(...).get_final_message()`."""

from __future__ import annotations

import anthropic
from folding import KEY, Folded, dumped, main, said

CLIENT = anthropic.Anthropic(api_key=KEY, max_retries=0)


def fold(wire: str, url: str) -> Folded:
    """Return the final message, or the message so far if the SDK raised."""
    folded = Folded()
    client = CLIENT.with_options(base_url=url)
    asked = client.messages.stream(model="m", max_tokens=9, messages=[{"role": "user", "content": "hi"}])
    with asked as stream:
        try:
            stream.get_final_message()
        except Exception as error:  # what the provider said, or what the SDK can't take
            folded.failed = said(error)
        try:
            message = stream.current_message_snapshot
        except AssertionError:  # not a single event was taken
            return folded
    for block in message.content:
        if block.type == "text":
            folded.text += block.text
        elif block.type == "thinking":
            folded.reasoning += block.thinking
        elif block.type == "tool_use":
            folded.tool_calls.append((block.id, block.name, block.input))
    folded.finish_reason = message.stop_reason
    folded.usage = dumped(message.usage)
    return folded


if __name__ == "__main__":
    main(fold)
