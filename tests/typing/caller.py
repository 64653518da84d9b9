"""The library as a caller uses it, for the type checkers alone, which `tests/project/test_typing.py` runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from io import BytesIO
from pathlib import Path
from typing import Literal, TypedDict, assert_never, assert_type

import httpx2

from msgmodel import (
    AnthropicConfig,
    APIError,
    AsyncClient,
    Client,
    ConfigurationError,
    Conversation,
    ErrorCode,
    GeminiConfig,
    LLMResponse,
    LocalConfig,
    Message,
    ModelInfo,
    MsgModelError,
    NetworkError,
    OpenAIConfig,
    PanelDelta,
    PanelError,
    PanelEvent,
    PanelFinal,
    PendingCall,
    Privacy,
    ProviderConfig,
    ReplyError,
    RunnableTool,
    RunStream,
    Status,
    StreamingError,
    ToolCall,
    Usage,
    amodels,
    aquery,
    arun_tools,
    astream,
    astream_panels,
    mcp_tools,
    models,
    query,
    run_tools,
    stream,
    stream_panels,
)


def narrows_by_if() -> str:
    text = ""
    for event in stream_panels("openai", "Tell me a story"):
        assert_type(event, PanelEvent)
        assert_type(event["panel_id"], str)
        if event["event"] == "panel_delta":
            assert_type(event, PanelDelta)
            assert_type(event["delta"], str)
            text += event["delta"]
        elif event["event"] == "panel_final":
            assert_type(event, PanelFinal)
            assert_type(event["content"], str)
            assert_type(event["finish_reason"], str | None)
            assert_type(event["status"], Status)
            assert_type(event["truncated"], bool)
            assert_type(event["usage"], Usage)
            assert_type(event["privacy"], Privacy)
            assert_type(event["timing"]["total_seconds"], float)
            assert_type(event["privacy"]["provider"], str)
        elif event["event"] == "panel_error":
            assert_type(event, PanelError)
            assert_type(event["error"], str)
            assert_type(event["error_type"], Literal["APIError", "StreamingError"])
            assert_type(event["code"], ErrorCode)
            assert_type(event["content"], str)
            assert_type(event["status_code"], int | None)
            assert_type(event["retryable"], bool)
            assert_type(event["retry_after"], float | None)
    return text


def narrows_by_match(event: PanelEvent) -> str:
    """Every event has its case: what is left over is nothing."""
    match event["event"]:
        case "panel_delta":
            assert_type(event["event"], Literal["panel_delta"])
            return event["delta"]
        case "panel_reasoning":
            return event["delta"]
        case "panel_refusal":
            return event["delta"]
        case "panel_tool_call":
            return event["name"]
        case "panel_tool_delta":
            return event["delta"]
        case "panel_retry":
            return event["error"]
        case "panel_progress":
            return event["phase"]
        case "panel_part":
            return event["media_type"] or ""
        case "panel_part_delta":
            return event["data"]
        case "panel_tool_run":
            return event["name"]
        case "panel_tool_progress":
            return event["delta"]
        case "panel_tool_result":
            return event["error"] or str(event["result"])
        case "panel_round":
            return str(event["round"])
        case "panel_source":
            return event["url"] or ""
        case "panel_object":
            return event["open"] or ""
        case "panel_item":
            return str(event["index"])
        case "panel_final":
            return event["content"]
        case "panel_error":
            return event["error"]
        case _:
            assert_never(event)


def statuses(status: Status) -> bool:
    match status:
        case "complete" | "tool_calls":
            return True
        case "truncated" | "filtered" | "waiting" | "paused" | "unknown":
            return False
        case _:
            assert_never(status)


async def narrows_in_async() -> None:
    events: AsyncIterator[PanelEvent] = astream_panels("anthropic", "Tell me a story", timeout=30)
    async for event in events:
        if event["event"] == "panel_delta":
            assert_type(event["delta"], str)


def texts() -> None:
    pieces: Iterator[str] = stream("gemini", "Hi", on_chunk=lambda text: len(text) < 100)
    for piece in pieces:
        assert_type(piece, str)
    stream("gemini", "Hi", on_chunk=print)


async def async_texts() -> None:
    pieces: AsyncIterator[str] = astream("gemini", "Hi", on_chunk=print)
    async for piece in pieces:
        assert_type(piece, str)


def whole(response: LLMResponse) -> None:
    assert_type(response.text, str)
    assert_type(response.raw_response, PanelFinal)
    assert_type(response.model, str)
    assert_type(response.provider, str)
    assert_type(response.usage, Usage)
    if response.usage is not None:
        assert_type(response.usage["input_tokens"], int | None)
    assert_type(response.privacy, Privacy)
    assert_type(response.finish_reason, str | None)
    assert_type(response.status, Status)
    assert_type(response.truncated, bool)
    assert_type(response.tool_calls, tuple[ToolCall, ...])


async def both_colours() -> None:
    assert_type(query("openai", "Hi"), LLMResponse)
    assert_type(await aquery("openai", "Hi"), LLMResponse)


def clients() -> None:
    with Client() as client:
        assert_type(client, Client)
        for event in client.stream_panels("openai", "Hi"):
            assert_type(event, PanelEvent)
        for text in client.stream("openai", "Hi"):
            assert_type(text, str)
        assert_type(client.query("openai", "Hi", max_tokens=5), LLMResponse)
    with httpx2.Client() as mine:
        Client(mine).query("openai", "Hi")
        query("openai", "Hi", http_client=mine)


async def async_clients() -> None:
    async with AsyncClient() as client:
        assert_type(client, AsyncClient)
        async for event in client.stream_panels("openai", "Hi"):
            assert_type(event, PanelEvent)
        async for text in client.stream("openai", "Hi"):
            assert_type(text, str)
        assert_type(await client.query("openai", "Hi", max_tokens=5), LLMResponse)
    async with httpx2.AsyncClient() as mine:
        await AsyncClient(mine).query("openai", "Hi")
        await aquery("openai", "Hi", http_client=mine)


def every_argument(history: list[Message], config: ProviderConfig) -> None:
    stream_panels(
        provider="openai",
        prompt="Hi",
        api_key="key",
        system_instruction="Be brief.",
        file_like=BytesIO(b""),
        filename="a.png",
        config=config,
        max_tokens=5,
        model="gpt",
        temperature=0,
        timeout=30,
        panel_id="left",
        messages=[*history, {"role": "user", "content": "Hello"}],
        files=[Path("b.pdf"), ("c.txt", b"text"), b"text"],
        max_retries=0,
    )
    stream_panels("o", "Hi", None, None, None, None, OpenAIConfig("gpt", 0.5), 5, "gpt", 0.5, 30, "left")
    with open("a.png", "rb") as file:
        query("openai", "Hi", file_like=file)


def configs() -> None:
    query("openai", "Hi", config=OpenAIConfig(model="m", api="responses", base_url="http://127.0.0.1/v1"))
    query("anthropic", "Hi", config=AnthropicConfig(model="m", top_k=5))
    query("gemini", "Hi", config=GeminiConfig(model="m", safety_threshold="BLOCK_NONE"))
    query("local", "Hi", config=LocalConfig(threads=2))


def errors() -> None:
    try:
        query("openai", "Hi")
    except ConfigurationError as error:
        assert_type(error.message, str)
    except NetworkError as error:
        assert_type(error.status_code, int | None)
        assert_type(error.chunks_received, int | None)
    except (APIError, StreamingError) as error:
        assert_type(error.code, ErrorCode)
        assert_type(error.content, str)
        assert_type(error.status_code, int | None)
    except ReplyError as error:
        assert_type(error.event, PanelError)
    except MsgModelError as error:
        assert_type(error.message, str)


async def token() -> str:
    return "a token"


class Place(TypedDict):
    city: str


async def takes_functions_as_keys() -> None:
    query("openai", "hi", lambda: "a key")
    await aquery("openai", "hi", token)
    OpenAIConfig(api_key=token)
    AnthropicConfig(api_key=lambda: "a key")


async def takes_tools_of_every_kind() -> None:
    query("openai/gpt-5.5", "hi", tools=["web_search", Place, token, {"type": "web_search"}], cache_prompt="1h")


async def lists_models() -> None:
    assert_type(models("openai"), list[ModelInfo])
    assert_type(await amodels("openai", token), list[ModelInfo])
    assert_type(models("openai")[0].context_tokens, int | None)


async def objects_of_a_class() -> None:
    assert_type(query("openai", "hi", output=Place), LLMResponse[Place])
    assert_type(query("openai", "hi", output=Place).object, Place | None)
    assert_type(query("openai", "hi", output=list[Place]).object, list[Place] | None)
    assert_type((await aquery("openai", "hi", output=Place, repair=1)).object, Place | None)
    assert_type(Client().query("openai", "hi", output=Place).object, Place | None)
    assert_type((await AsyncClient().query("openai", "hi", output=Place)).object, Place | None)
    assert_type(Conversation("openai").query("hi", output=Place).object, Place | None)
    assert_type((await Conversation("openai").aquery("hi", output=Place)).object, Place | None)
    assert_type(query("openai", "hi", output="json"), LLMResponse)
    assert_type(query("openai", "hi", output={"type": "object"}), LLMResponse)
    whole(query("openai", "hi", output=Place))
    for event in stream_panels("openai", "hi", output=list[Place]):
        if event["event"] == "panel_item":
            assert_type(event["index"], int)
        if event["event"] == "panel_object":
            assert_type(event["open"], str | None)


def runs() -> None:
    def price(fruit: str) -> str:
        return fruit

    run = run_tools("openai", "Hi", tools=[price], max_rounds=3, approve=lambda call: call["name"] == "price")
    assert_type(run, RunStream)
    for event in run:
        if event["event"] == "panel_tool_result":
            assert_type(event["error"], str | None)
        elif event["event"] == "panel_final" and "run" in event:
            assert_type(event["run"]["pending"], list[PendingCall])
    assert_type(Conversation("openai").run("Hi", tools=[price]), RunStream)


async def async_runs() -> None:
    async def approve(call: PendingCall) -> bool | str:
        return call["name"] == "price" or "no"

    async with mcp_tools("uvx server") as tools:
        assert_type(tools, list[RunnableTool])
        async for event in arun_tools("openai", "Hi", tools=tools, approve=approve):
            assert_type(event, PanelEvent)
