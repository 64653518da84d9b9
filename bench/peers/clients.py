"""How each peer is used: as its own documentation shows, with one client and no tuning.

Each function here imports its peer, and so runs only in that peer's environment. It returns a function that sends a
question; the name of the async one ends in `_async`. If a peer has two ways, the cheaper one is used.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from . import bare
from .asking import KEY, MAX_TOKENS, MESSAGES, PROMPT, Ask, AsyncAsk, Take


def _based(base: str, wire: str) -> str:
    """Return the base URL as most peers expect it: with the version of the API on OpenAI's wire, without it on the
    others.
    """
    return f"{base}/v1" if wire == "openai" else base


def _ended(end: dict[str, Any] | None) -> None:
    if end is None or end["event"] != "panel_final":
        raise RuntimeError(f"the reply did not end well: {end}")


def msgmodel_async(base: str, wire: str) -> AsyncAsk:
    from msgmodel import astream_panels

    config = _config(base, wire)

    async def ask(model: str, take: Take) -> None:
        end = None
        async for event in astream_panels(wire, PROMPT, api_key=KEY, model=model, config=config):
            if event["event"] == "panel_delta":
                take(event["delta"])
            else:
                end = event
        _ended(end)

    return ask


def msgmodel(base: str, wire: str) -> Ask:
    from msgmodel import stream_panels

    config = _config(base, wire)

    def ask(model: str, take: Take) -> None:
        end = None
        for event in stream_panels(wire, PROMPT, api_key=KEY, model=model, config=config):
            if event["event"] == "panel_delta":
                take(event["delta"])
            else:
                end = event
        _ended(end)

    return ask


def _config(base: str, wire: str) -> Any:
    from msgmodel import AnthropicConfig, GeminiConfig, OpenAIConfig

    kinds = {"openai": OpenAIConfig, "anthropic": AnthropicConfig, "gemini": GeminiConfig}
    return kinds[wire](base_url=_based(base, wire))


def msgmodel4_async(base: str, wire: str) -> AsyncAsk:
    """Its addresses are constants, and are set again for each question, because the earlier one may have used another
    base URL. Its async Gemini function works with no server, neither ours nor Google's.
    """
    import msgmodel.async_core as core

    async def ask(model: str, take: Take) -> None:
        core.OPENAI_URL = base + bare.PATHS["openai"]
        core.ANTHROPIC_URL = base + bare.PATHS["anthropic"]
        end = None
        async for event in core.astream_panels(wire, PROMPT, api_key=KEY, model=model):
            if event["event"] == "panel_delta":
                take(event["delta"])
            else:
                end = event
        _ended(end)

    return ask


def msgmodel4(base: str, wire: str) -> Ask:
    import msgmodel.providers.anthropic
    import msgmodel.providers.gemini
    import msgmodel.providers.openai

    import msgmodel

    def ask(model: str, take: Take) -> None:
        msgmodel.providers.openai.OPENAI_URL = base + bare.PATHS["openai"]
        msgmodel.providers.anthropic.ANTHROPIC_URL = base + bare.PATHS["anthropic"]
        msgmodel.providers.gemini.GEMINI_URL = base
        end = None
        for event in msgmodel.stream_panels(wire, PROMPT, api_key=KEY, model=model):
            if event["event"] == "panel_delta":
                take(event["delta"])
            else:
                end = event
        _ended(end)

    return ask


def openai_async(base: str, wire: str) -> AsyncAsk:
    from openai import AsyncOpenAI

    client = AsyncOpenAI(base_url=_based(base, wire), api_key=KEY)

    async def ask(model: str, take: Take) -> None:
        async for chunk in await client.chat.completions.create(model=model, messages=MESSAGES, stream=True):
            if chunk.choices and (text := chunk.choices[0].delta.content):
                take(text)

    return ask


def openai(base: str, wire: str) -> Ask:
    from openai import OpenAI

    client = OpenAI(base_url=_based(base, wire), api_key=KEY)

    def ask(model: str, take: Take) -> None:
        for chunk in client.chat.completions.create(model=model, messages=MESSAGES, stream=True):
            if chunk.choices and (text := chunk.choices[0].delta.content):
                take(text)

    return ask


def anthropic_async(base: str, wire: str) -> AsyncAsk:
    from anthropic import AsyncAnthropic

    client = AsyncAnthropic(base_url=base, api_key=KEY)

    async def ask(model: str, take: Take) -> None:
        stream = await client.messages.create(model=model, messages=MESSAGES, max_tokens=MAX_TOKENS, stream=True)
        async for event in stream:
            if event.type == "content_block_delta":
                take(event.delta.text)

    return ask


def anthropic(base: str, wire: str) -> Ask:
    from anthropic import Anthropic

    client = Anthropic(base_url=base, api_key=KEY)

    def ask(model: str, take: Take) -> None:
        for event in client.messages.create(model=model, messages=MESSAGES, max_tokens=MAX_TOKENS, stream=True):
            if event.type == "content_block_delta":
                take(event.delta.text)

    return ask


def google_genai_async(base: str, wire: str) -> AsyncAsk:
    """It uses aiohttp automatically if it is installed, as it is here."""
    from google import genai

    client = genai.Client(api_key=KEY, http_options={"base_url": base})

    async def ask(model: str, take: Take) -> None:
        async for chunk in await client.aio.models.generate_content_stream(model=model, contents=PROMPT):
            if chunk.text:
                take(chunk.text)

    return ask


def google_genai(base: str, wire: str) -> Ask:
    from google import genai

    client = genai.Client(api_key=KEY, http_options={"base_url": base})

    def ask(model: str, take: Take) -> None:
        for chunk in client.models.generate_content_stream(model=model, contents=PROMPT):
            if chunk.text:
                take(chunk.text)

    return ask


def litellm_async(base: str, wire: str) -> AsyncAsk:
    import litellm

    where = {"api_base": _based(base, wire), "api_key": KEY}

    async def ask(model: str, take: Take) -> None:
        stream = await litellm.acompletion(model=f"{wire}/{model}", messages=MESSAGES, stream=True, **where)
        async for chunk in stream:
            if chunk.choices and (text := chunk.choices[0].delta.content):
                take(text)

    return ask


def litellm(base: str, wire: str) -> Ask:
    import litellm

    where = {"api_base": _based(base, wire), "api_key": KEY}

    def ask(model: str, take: Take) -> None:
        for chunk in litellm.completion(model=f"{wire}/{model}", messages=MESSAGES, stream=True, **where):
            if chunk.choices and (text := chunk.choices[0].delta.content):
                take(text)

    return ask


def _pydantic_model(base: str, wire: str, model: str) -> Any:
    if wire == "openai":
        from pydantic_ai.models.openai import OpenAIChatModel
        from pydantic_ai.providers.openai import OpenAIProvider

        return OpenAIChatModel(model, provider=OpenAIProvider(base_url=_based(base, wire), api_key=KEY))
    if wire == "anthropic":
        from pydantic_ai.models.anthropic import AnthropicModel
        from pydantic_ai.providers.anthropic import AnthropicProvider

        return AnthropicModel(model, provider=AnthropicProvider(base_url=base, api_key=KEY))
    from pydantic_ai.models.google import GoogleModel
    from pydantic_ai.providers.google import GoogleProvider

    return GoogleModel(model, provider=GoogleProvider(base_url=base, api_key=KEY))


def pydantic_ai_async(base: str, wire: str) -> AsyncAsk:
    """Its direct requests cost less than its agents."""
    from pydantic_ai import ModelRequest
    from pydantic_ai.direct import model_request_stream
    from pydantic_ai.messages import PartDeltaEvent, PartStartEvent, TextPart, TextPartDelta

    made = cache(lambda model: _pydantic_model(base, wire, model))

    async def ask(model: str, take: Take) -> None:
        async with model_request_stream(made(model), [ModelRequest.user_text_prompt(PROMPT)]) as stream:
            async for event in stream:
                if isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
                    take(event.delta.content_delta)
                elif isinstance(event, PartStartEvent) and isinstance(event.part, TextPart):
                    take(event.part.content)

    return ask


def pydantic_ai(base: str, wire: str) -> Ask:
    from pydantic_ai import ModelRequest
    from pydantic_ai.direct import model_request_stream_sync
    from pydantic_ai.messages import PartDeltaEvent, PartStartEvent, TextPart, TextPartDelta

    made = cache(lambda model: _pydantic_model(base, wire, model))

    def ask(model: str, take: Take) -> None:
        with model_request_stream_sync(made(model), [ModelRequest.user_text_prompt(PROMPT)]) as stream:
            for event in stream:
                if isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
                    take(event.delta.content_delta)
                elif isinstance(event, PartStartEvent) and isinstance(event.part, TextPart):
                    take(event.part.content)

    return ask


def any_llm_async(base: str, wire: str) -> AsyncAsk:
    from any_llm import AnyLLM

    client = AnyLLM.create(wire, api_key=KEY, api_base=_based(base, wire))

    async def ask(model: str, take: Take) -> None:
        async for chunk in await client.acompletion(model=model, messages=MESSAGES, stream=True):
            if chunk.choices and (text := chunk.choices[0].delta.content):
                take(text)

    return ask


def any_llm(base: str, wire: str) -> Ask:
    from any_llm import AnyLLM

    client = AnyLLM.create(wire, api_key=KEY, api_base=_based(base, wire))

    def ask(model: str, take: Take) -> None:
        for chunk in client.completion(model=model, messages=MESSAGES, stream=True):
            if chunk.choices and (text := chunk.choices[0].delta.content):
                take(text)

    return ask


def langchain_openai_async(base: str, wire: str) -> AsyncAsk:
    from langchain_openai import ChatOpenAI

    made = cache(lambda model: ChatOpenAI(model=model, base_url=_based(base, wire), api_key=KEY))

    async def ask(model: str, take: Take) -> None:
        async for message in made(model).astream(PROMPT):
            if message.content:
                take(message.content)

    return ask


def langchain_openai(base: str, wire: str) -> Ask:
    from langchain_openai import ChatOpenAI

    made = cache(lambda model: ChatOpenAI(model=model, base_url=_based(base, wire), api_key=KEY))

    def ask(model: str, take: Take) -> None:
        for message in made(model).stream(PROMPT):
            if message.content:
                take(message.content)

    return ask
