"""pydantic-ai with its model for OpenAI's chat completions."""

from __future__ import annotations

import pydantic
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from row import ASK, CUT, FAIL, KEY, MODEL, PERSON, STALL, URL, WEATHER, error_of, print_row, weather

model = OpenAIChatModel(MODEL, provider=OpenAIProvider(base_url=URL, api_key=KEY))


class Person(pydantic.BaseModel):
    name: str
    age: int


def text():
    return Agent(model).run_sync(ASK).output


async def stream():
    async with Agent(model).run_stream(ASK) as result:
        return "".join([piece async for piece in result.stream_text(delta=True)])


async def tools():
    return (await Agent(model, tools=[weather]).run(WEATHER)).output


async def structured():
    ways = [
        (await Agent(model, output_type=how).run(PERSON)).output.model_dump() for how in (Person, NativeOutput(Person))
    ]
    return ways[0] if ways[0] == ways[1] else ways


async def cut():
    return (await Agent(model).run(CUT)).all_messages()[-1].finish_reason


async def stop():
    async with Agent(model).run_stream(STALL) as result:
        async for piece in result.stream_text(delta=True, debounce_by=None):
            return piece.strip()
    return None


def error():
    return error_of(lambda: Agent(model).run(FAIL))


print_row(text=text, stream=stream, tools=tools, structured=structured, cut=cut, stop=stop, error=error)
