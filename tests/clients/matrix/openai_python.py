"""The `openai` package for Python."""

from __future__ import annotations

import json

import openai
import pydantic
from row import ASK, CUT, FAIL, KEY, MODEL, PERSON, STALL, URL, WEATHER, WEATHER_TOOL, error_of, print_row, weather

client = openai.OpenAI(base_url=URL, api_key=KEY)


class Person(pydantic.BaseModel):
    name: str
    age: int


def user(text):
    return [{"role": "user", "content": text}]


def text():
    return client.chat.completions.create(model=MODEL, messages=user(ASK)).choices[0].message.content


def stream():
    chunks = client.chat.completions.create(model=MODEL, messages=user(ASK), stream=True)
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def tools():
    messages = user(WEATHER)
    asked = {"model": MODEL, "tools": [WEATHER_TOOL], "parallel_tool_calls": False}
    with client.chat.completions.stream(**asked, messages=messages) as events:
        message = events.get_final_completion().choices[0].message
    calls = [call.to_dict() for call in message.tool_calls]
    for call in calls:
        call["function"].pop("parsed_arguments", None)
    messages.append({"role": "assistant", "tool_calls": calls})
    for call in message.tool_calls:
        result = weather(**json.loads(call.function.arguments))
        messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
    return client.chat.completions.create(**asked, messages=messages).choices[0].message.content


def structured():
    done = client.chat.completions.parse(model=MODEL, messages=user(PERSON), response_format=Person)
    return done.choices[0].message.parsed.model_dump()


def models():
    return [model.id for model in client.models.list()] + [client.models.retrieve(MODEL).id]


def cut():
    return client.chat.completions.create(model=MODEL, messages=user(CUT)).choices[0].finish_reason


def stop():
    with client.chat.completions.create(model=MODEL, messages=user(STALL), stream=True) as chunks:
        for chunk in chunks:
            if chunk.choices[0].delta.content:
                return chunk.choices[0].delta.content.strip()
    return None


def error():
    return error_of(lambda: client.chat.completions.create(model=MODEL, messages=user(FAIL)))


print_row(text=text, stream=stream, tools=tools, structured=structured, models=models, cut=cut, stop=stop, error=error)
