"""Chat in the terminal: remember the conversation, and report replies that were cut off.

OPENAI_API_KEY=... python examples/chat_loop.py openai

Ctrl-C stops a reply and keeps its text so far. Ctrl-D or "quit" ends the chat.
"""

import sys

from msgmodel import Conversation, MsgModelError


def answer(chat: Conversation, prompt: str) -> None:
    """Print one reply as it arrives, and how it ended unless it is complete."""
    for event in chat.stream_panels(prompt, max_tokens=1000):
        match event["event"]:
            case "panel_delta" | "panel_refusal":
                print(event["delta"], end="", flush=True)
            case "panel_final" if event["truncated"]:
                print(f"\n[cut off: {event['finish_reason']}]", end="")
            case "panel_final" if event["status"] != "complete":
                print(f"\n[{event['status']}: {event['finish_reason']}]", end="")
            case "panel_error":
                print(f"\n[{event['code']}: {event['error']}]", end="")


def main(provider: str) -> None:
    """Read questions until the user ends the chat."""
    chat = Conversation(provider)
    print("Type 'quit' to exit.")
    while True:
        try:
            prompt = input("You: ").strip()
        except (EOFError, KeyboardInterrupt):
            print()
            return
        if prompt == "quit":
            return
        if not prompt:
            continue
        print("Assistant: ", end="", flush=True)
        try:
            answer(chat, prompt)
        except KeyboardInterrupt:
            print("\n[stopped]", end="")
        print()


if __name__ == "__main__":
    try:
        main(sys.argv[1] if len(sys.argv) > 1 else "openai")
    except MsgModelError as error:  # a wrong provider or a missing key raises at the call
        sys.exit(str(error))
