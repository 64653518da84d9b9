"""LangChain's `ChatOpenAI`."""

from __future__ import annotations

import pydantic
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from row import ASK, CUT, FAIL, KEY, MODEL, PERSON, STALL, URL, WEATHER, error_of, print_row, weather

chat = ChatOpenAI(model=MODEL, base_url=URL, api_key=KEY)


class Person(pydantic.BaseModel):
    """A person."""

    name: str
    age: int


def text():
    return chat.invoke(ASK).content


def stream():
    return "".join(chunk.content for chunk in chat.stream(ASK))


def tools():
    bound = chat.bind_tools([tool(weather)], parallel_tool_calls=False)
    messages = [HumanMessage(WEATHER)]
    whole = None
    for chunk in bound.stream(messages):
        whole = chunk if whole is None else whole + chunk
    messages.append(whole)
    messages += [ToolMessage(weather(**call["args"]), tool_call_id=call["id"]) for call in whole.tool_calls]
    return bound.invoke(messages).content


def structured():
    ways = [
        chat.with_structured_output(Person, method=how).invoke(PERSON).model_dump()
        for how in ("json_schema", "function_calling")
    ]
    return ways[0] if ways[0] == ways[1] else ways


def cut():
    return chat.invoke(CUT).response_metadata["finish_reason"]


def stop():
    for chunk in chat.stream(STALL):
        if chunk.content:
            return chunk.content.strip()
    return None


def error():
    return error_of(lambda: chat.invoke(FAIL))


print_row(text=text, stream=stream, tools=tools, structured=structured, cut=cut, stop=stop, error=error)
