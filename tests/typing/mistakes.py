"""Deliberate mistakes, for the type checkers alone. A line that ends in `# error` must be reported, and no other."""

from __future__ import annotations

import httpx2

from msgmodel import (
    AnthropicConfig,
    AsyncClient,
    Client,
    LLMResponse,
    OpenAIConfig,
    aquery,
    astream,
    astream_panels,
    query,
    stream,
    stream_panels,
)


def misspelt_keywords() -> None:
    stream_panels("openai", "Hi", max_token=5)  # error
    stream("openai", "Hi", on_chunks=print)  # error
    query("openai", "Hi", message=[])  # error
    query("openai", "Hi", panel_id="left")  # error
    astream_panels("openai", "Hi", temprature=1)  # error
    astream("openai", "Hi", sytem_instruction="Be brief.")  # error
    Client().query("openai", "Hi", max_token=5)  # error
    AsyncClient().stream("openai", "Hi", max_token=5)  # error


def without_narrowing() -> None:
    for event in stream_panels("openai", "Hi"):
        print(event["delta"])  # error
        if event["event"] == "panel_final":
            print(event["delta"])  # error


def wrong_types() -> None:
    query("openai", "Hi", config={"model": "gpt"})  # error
    query("openai", "Hi", config=OpenAIConfig)  # error
    query("openai", "Hi", max_tokens="5")  # error
    query("openai", None)  # error
    query("openai", "Hi", messages=[{"role": "robot", "content": "Hi"}])  # error
    stream("openai", "Hi", on_chunk="print")  # error
    Client().query("openai", "Hi", max_tokens="5")  # error


def wrong_colour() -> None:
    query("openai", "Hi", http_client=httpx2.AsyncClient())  # error
    Client(httpx2.AsyncClient())  # error
    for _ in astream("openai", "Hi"):  # error
        pass


async def not_awaited() -> LLMResponse:
    return aquery("openai", "Hi")  # error


def configs() -> None:
    OpenAIConfig(api="assistants")  # error
    AnthropicConfig(max_token=5)  # error
    OpenAIConfig().modle = "gpt"  # error


def fields(response: LLMResponse) -> None:
    print(response.content)  # error
    response.text = ""  # error


def objects() -> None:
    query("openai", "Hi", output=3)  # error
    stream_panels("openai", "Hi", outptu="json")  # error
    print(query("openai", "Hi", output=OpenAIConfig).object.api)  # error
