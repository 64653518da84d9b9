"""A chat in the terminal that remembers the conversation and says when a reply was cut off.

OPENAI_API_KEY=... python examples/chat_loop.py openai
"""

import sys

from msgmodel import Message, stream_panels


def answer(provider: str, history: list[Message]) -> str:
    """Prints one reply as it arrives; returns its text, also when it did not come whole."""
    content = ""
    for event in stream_panels(provider, "", messages=history, max_tokens=1000):
        match event["event"]:
            case "panel_delta" | "panel_refusal":
                print(event["delta"], end="", flush=True)
            case "panel_final":
                content = event["content"]
                if event["truncated"]:
                    print(f"\n[cut off: {event['finish_reason']}]", end="")
            case "panel_error":
                content = event["content"]
                print(f"\n[{event['code']}: {event['error']}]", end="")
    print()
    return content


def main(provider: str) -> None:
    history: list[Message] = []
    print("Type 'quit' to exit.")
    while (line := input("You: ").strip()) != "quit":
        history.append({"role": "user", "content": line})
        print("Assistant: ", end="", flush=True)
        history.append({"role": "assistant", "content": answer(provider, history)})


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "openai")
