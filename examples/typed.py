"""Read facts out of a text as objects of a class, one by one as they arrive.

pip install msgmodel && OPENAI_API_KEY=... python examples/typed.py openai
"""

import sys
from dataclasses import dataclass

from msgmodel import MsgModelError, stream_panels

TEXT = "Ada Lovelace (born 1815) wrote the first program. Grace Hopper (born 1906) wrote the first compiler."


@dataclass
class Person:
    """A person that the text names."""

    name: str
    born: int


def main(provider: str) -> None:
    """Print each person as soon as it is complete, and how the reply ended."""
    for event in stream_panels(provider, f"List the persons in this text: {TEXT}", output=list[Person], repair=1):
        if event["event"] == "panel_item":
            print(f"{event['index']}: {event['item']['name']}, born {event['item']['born']}")
        elif event["event"] == "panel_retry" and event["reason"] == "repair":
            print(f"[forget the above: {event['error']}]")
        elif event["event"] == "panel_final":
            print(f"{event['status']}: {event['object']}")
            for error in event.get("errors", []):
                print(f"{error['path']}: {error['message']} Wanted: {error['wanted']}.")
        elif event["event"] == "panel_error":
            sys.exit(event["error"])


if __name__ == "__main__":
    try:
        main(sys.argv[1] if len(sys.argv) > 1 else "openai")
    except MsgModelError as error:
        sys.exit(str(error))
