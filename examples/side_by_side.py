"""One question to several providers at once; every event says by its `panel_id` whose it is.

python examples/side_by_side.py "Why is the sky blue?" openai anthropic gemini
"""

import asyncio
import sys

from msgmodel import astream_panels


async def show(provider: str, prompt: str) -> None:
    """Collects one panel and prints it whole, so that replies don't mix on the terminal."""
    async for event in astream_panels(provider, prompt, max_tokens=500, panel_id=provider):
        match event["event"]:
            case "panel_final":
                print(f"--- {event['panel_id']} ({event['model']}): {event['status']}\n{event['content']}\n")
            case "panel_error":
                print(f"--- {event['panel_id']}: {event['code']}: {event['error']}\n{event['content']}\n")


async def main(prompt: str, providers: list[str]) -> None:
    await asyncio.gather(*(show(provider, prompt) for provider in providers))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2:] or ["openai", "anthropic", "gemini"]))
