"""OpenAI's Agents SDK with its model for chat completions."""

from __future__ import annotations

import openai
import pydantic
from agents import Agent, OpenAIChatCompletionsModel, Runner, function_tool, set_tracing_disabled
from row import ASK, FAIL, KEY, MODEL, PERSON, STALL, URL, WEATHER, error_of, print_row, weather

set_tracing_disabled(True)


class Person(pydantic.BaseModel):
    name: str
    age: int


def agent(**how):
    client = openai.AsyncOpenAI(base_url=URL, api_key=KEY)
    return Agent(name="a", model=OpenAIChatCompletionsModel(MODEL, client), **how)


async def text():
    return (await Runner.run(agent(), ASK)).final_output


async def stream():
    result = Runner.run_streamed(agent(), ASK)
    return "".join(
        [
            event.data.delta
            async for event in result.stream_events()
            if event.type == "raw_response_event" and event.data.type == "response.output_text.delta"
        ]
    )


async def tools():
    result = Runner.run_streamed(agent(tools=[function_tool(weather)]), WEATHER)
    async for _ in result.stream_events():
        pass
    return result.final_output


async def structured():
    return (await Runner.run(agent(output_type=Person), PERSON)).final_output.model_dump()


async def stop():
    result = Runner.run_streamed(agent(), STALL)
    async for event in result.stream_events():
        if event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
            result.cancel()
            return event.data.delta.strip()
    return None


def error():
    return error_of(lambda: Runner.run(agent(), FAIL))


print_row(text=text, stream=stream, tools=tools, structured=structured, stop=stop, error=error)
