"""Ask several providers at once. The `panel_id` of every event names its panel.

python examples/side_by_side.py "Why is the sky blue?" openai anthropic gemini
"""

import sys

from msgmodel import MsgModelError, stream_many


def main(prompt: str, providers: list[str]) -> None:
    """Print each reply when it has ended, so that replies don't mix on the terminal; then print a summary."""
    for event in stream_many(providers, prompt, max_tokens=500):
        match event["event"]:
            case "panel_final":
                print(f"--- {event['panel_id']} ({event['model']}): {event['status']}\n{event['content']}\n")
            case "panel_error":
                print(f"--- {event['panel_id']}: {event['code']}: {event['error']}\n{event['content']}\n")
            case "batch_final":
                for panel in event["panels"]:
                    first, total = panel["first_delta_seconds"], panel["total_seconds"]
                    text = "no text" if first is None else f"first text after {first:.1f} s"
                    print(f"{panel['panel_id']}: {panel['status'] or panel['code']}, {text}, all after {total:.1f} s")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(f'usage: python {sys.argv[0]} "Why is the sky blue?" [provider ...]')
    try:
        main(sys.argv[1], sys.argv[2:] or ["openai", "anthropic", "gemini"])
    except MsgModelError as error:  # a missing key raises before anything is sent
        sys.exit(str(error))
