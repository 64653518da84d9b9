"""A bot that edits its own message while the reply grows, as on Discord and Telegram.

Those services allow about one edit a second, and a message has a greatest length (Discord 2,000 characters, Telegram
4,096). So this bot edits at most once a second, and begins a new message when one is full. `Channel` is what your
library has: `channel.send(text)` and `message.edit(text)`.
"""

import asyncio
import os
import time
from typing import Any, Protocol

from msgmodel import Conversation

PROVIDER = os.environ.get("MSGMODEL_PROVIDER", "openai")
MESSAGE_CHARACTERS = 2000
SECONDS_BETWEEN_EDITS = 1.0


class SentMessage(Protocol):
    async def edit(self, text: str) -> Any: ...


class Channel(Protocol):
    async def send(self, text: str) -> SentMessage: ...


class ChatBot:
    """Answers in any number of channels, and remembers the conversation of each."""

    def __init__(self) -> None:
        self._chats: dict[str, Conversation] = {}

    async def answer(self, channel_id: str, channel: Channel, prompt: str) -> None:
        """Stream the answer to a prompt into a channel. Call it from your library's handler of messages."""
        chat = self._chats.setdefault(channel_id, Conversation(PROVIDER))
        message, shown, text, next_edit = await channel.send("…"), "", "", 0.0
        async for event in chat.astream_panels(prompt):
            if event["event"] == "panel_delta":
                text += event["delta"]
                while len(text) > MESSAGE_CHARACTERS:
                    await message.edit(text[:MESSAGE_CHARACTERS])
                    text, shown = text[MESSAGE_CHARACTERS:], ""
                    message = await channel.send("…")
            elif event["event"] == "panel_error":
                text = f"{text}\n({event['code']}: {event['error']})".strip()
            elif event["event"] == "panel_final" and event["status"] != "complete":
                text = f"{text}\n(not complete: {event['status']})".strip()
            is_last = event["event"] in ("panel_final", "panel_error")
            if text != shown and (is_last or time.monotonic() >= next_edit):
                await message.edit(text)
                shown, next_edit = text, time.monotonic() + SECONDS_BETWEEN_EDITS


class _PrintedMessage:
    async def edit(self, text: str) -> None:
        print(text)


class PrintedChannel:
    """Stands for a channel of Discord or Telegram, to try the bot in a terminal."""

    async def send(self, text: str) -> SentMessage:
        print(text)
        return _PrintedMessage()


if __name__ == "__main__":
    asyncio.run(ChatBot().answer("terminal", PrintedChannel(), "Why is the sea salty?"))
