"""A model that calls a function of this program: OPENAI_API_KEY=... python examples/tools.py openai"""

import sys

from msgmodel import Conversation


def price(fruit: str, count: int = 1) -> str:
    """The price of some fruit.

    :param fruit: apple or pear
    :param count: how many of them
    """
    return f"{ {'apple': 0.5, 'pear': 0.75}[fruit] * count:.2f} euros"


tools = {"price": price}
chat = Conversation(sys.argv[1] if len(sys.argv) > 1 else "openai", tools=list(tools.values()))
reply = chat.query("What do four apples and a pear cost?")
while reply.status == "tool_calls":
    for call in reply.tool_calls:
        print(f"{call['name']} {call['arguments']}")
        try:
            chat.add_tool_result(call["id"], tools[call["name"]](**call["arguments_json"]))
        except Exception as error:  # no such tool, or arguments that don't fit: the model may mend it
            chat.add_tool_result(call["id"], repr(error), is_error=True)
    reply = chat.query()
print(reply.text)
