"""LlamaIndex's `OpenAILike`."""

from __future__ import annotations

import pydantic
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike
from row import ASK, CUT, FAIL, KEY, MODEL, PERSON, STALL, URL, WEATHER, error_of, print_row, weather

llm = OpenAILike(
    model=MODEL, api_base=URL, api_key=KEY, is_chat_model=True, is_function_calling_model=True,
    should_use_structured_outputs=True, context_window=100_000,
)  # fmt: skip


class Person(pydantic.BaseModel):
    name: str
    age: int


def user(text):
    return [ChatMessage(role="user", content=text)]


def text():
    return llm.chat(user(ASK)).message.content


def stream():
    return "".join(piece.delta or "" for piece in llm.stream_chat(user(ASK)))


def tools():
    done = llm.predict_and_call([FunctionTool.from_defaults(weather)], WEATHER)
    assert str(done) == "sunny", done
    called = llm.chat_with_tools([FunctionTool.from_defaults(weather)], WEATHER)
    calls = llm.get_tool_calls_from_response(called)
    messages = [*user(WEATHER), called.message]
    for call in calls:
        more = {"tool_call_id": call.tool_id}
        messages.append(ChatMessage(role="tool", content=weather(**call.tool_kwargs), additional_kwargs=more))
    return llm.chat(messages).message.content


def structured():
    return llm.as_structured_llm(Person).chat(user(PERSON)).raw.model_dump()


def cut():
    return llm.chat(user(CUT)).raw.choices[0].finish_reason


def stop():
    for piece in llm.stream_chat(user(STALL)):
        if piece.delta:
            return piece.delta.strip()
    return None


def error():
    return error_of(lambda: llm.chat(user(FAIL)))


print_row(text=text, stream=stream, tools=tools, structured=structured, cut=cut, stop=stop, error=error)
