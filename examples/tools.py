"""Let a model call a function of this program.

pip install 'msgmodel[tools]' && OPENAI_API_KEY=... python examples/tools.py openai
"""

import sys

from msgmodel import MsgModelError, run_tools


def price(fruit: str, count: int = 1) -> str:
    """The price of some fruit.

    :param fruit: apple or pear
    :param count: how many of them
    """
    return f"{ {'apple': 0.5, 'pear': 0.75}[fruit] * count:.2f} euros"


def main(provider: str) -> None:
    """Print what the model calls, and what it answers."""
    for event in run_tools(provider, "What do four apples and a pear cost?", tools=[price]):
        if event["event"] == "panel_tool_result":
            print(event["name"], event["status"], event["result"] or event["error"])
        elif event["event"] in ("panel_delta", "panel_refusal"):
            print(event["delta"], end="", flush=True)
        elif event["event"] == "panel_final" and event["status"] != "complete":
            print(f"\n[{event['status']}: {event['finish_reason']}]", end="")
        elif event["event"] == "panel_error":
            sys.exit(event["error"])
    print()


if __name__ == "__main__":
    try:
        main(sys.argv[1] if len(sys.argv) > 1 else "openai")
    except MsgModelError as error:
        sys.exit(str(error))
