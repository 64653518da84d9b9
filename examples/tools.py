"""Let a model call a function of this program.

pip install 'msgmodel[tools]' && OPENAI_API_KEY=... python examples/tools.py openai
"""

import sys

from msgmodel import Conversation, MsgModelError


def price(fruit: str, count: int = 1) -> str:
    """The price of some fruit.

    :param fruit: apple or pear
    :param count: how many of them
    """
    return f"{ {'apple': 0.5, 'pear': 0.75}[fruit] * count:.2f} euros"


def main(provider: str) -> None:
    """Run the tools that the model calls until it answers."""
    chat = Conversation(provider, tools=[price])
    reply = chat.query("What do four apples and a pear cost?")
    while reply.status == "tool_calls":
        for call in reply.tool_calls:
            print(f"{call['name']} {call['arguments']}")
            try:
                chat.add_tool_result(call["id"], price(**call["arguments_json"]))
            except Exception as error:  # wrong arguments, or no valid JSON: the model may correct them
                chat.add_tool_result(call["id"], repr(error), is_error=True)
        reply = chat.query()
    print(reply.text or reply.refusal)
    if reply.status != "complete":
        print(f"[{reply.status}: {reply.finish_reason}]")


if __name__ == "__main__":
    try:
        main(sys.argv[1] if len(sys.argv) > 1 else "openai")
    except MsgModelError as error:
        sys.exit(str(error))
