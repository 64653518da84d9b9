"""LiteLLM, which is told that the server speaks OpenAI's API."""

from __future__ import annotations

import json

import litellm
import pydantic
from row import ASK, CUT, FAIL, KEY, MODEL, PERSON, STALL, URL, WEATHER, WEATHER_TOOL, error_of, print_row, weather


class Person(pydantic.BaseModel):
    name: str
    age: int


def ask(text, **how):
    messages = text if isinstance(text, list) else [{"role": "user", "content": text}]
    return litellm.completion(model=f"openai/{MODEL}", api_base=URL, api_key=KEY, messages=messages, **how)


def text():
    return ask(ASK).choices[0].message.content


def stream():
    return "".join(chunk.choices[0].delta.content or "" for chunk in ask(ASK, stream=True))


def tools():
    messages = [{"role": "user", "content": WEATHER}]
    whole = litellm.stream_chunk_builder(list(ask(messages, tools=[WEATHER_TOOL], stream=True)))
    message = whole.choices[0].message
    messages.append(message.model_dump(exclude_none=True))
    for call in message.tool_calls:
        result = weather(**json.loads(call.function.arguments))
        messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
    return ask(messages, tools=[WEATHER_TOOL]).choices[0].message.content


def structured():
    return json.loads(ask(PERSON, response_format=Person).choices[0].message.content)


def cut():
    return ask(CUT).choices[0].finish_reason


def stop():
    chunks = ask(STALL, stream=True)
    for chunk in chunks:
        if chunk.choices[0].delta.content:
            chunks.completion_stream.close()
            return chunk.choices[0].delta.content.strip()
    return None


def error():
    return error_of(lambda: ask(FAIL))


print_row(text=text, stream=stream, tools=tools, structured=structured, cut=cut, stop=stop, error=error)
