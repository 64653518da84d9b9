"""Eager tasks (Python 3.12 and later): a task that is made runs at once, up to its first wait, and may end there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from msgmodel import AsyncClient, OpenAIConfig, Panel, astream_many, astream_panels, stream_panels
from msgmodel.server import panel_response
from msgmodel.testing import ScriptedProvider

pytestmark = pytest.mark.skipif(not hasattr(asyncio, "eager_task_factory"), reason="Python 3.12")

REFUSED = OpenAIConfig(base_url="http://127.0.0.1:1/v1", api_key="key-1234567890")


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    with ScriptedProvider() as running:
        yield running


async def _panels(config: Any) -> list[str]:
    return [event["event"] async for event in astream_panels("openai", "hi", config=config, max_retries=0)][-1:]


async def _task_group(config: Any) -> list[str]:
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        tasks = [group.create_task(_panels(config)) for _ in range(5)]
    return [end for task in tasks for end in task.result()][:1]


async def _batch(config: Any) -> list[str]:
    batch = astream_many([Panel("openai", config=config, max_retries=0)] * 3, "hi")
    return [event["event"] async for event in batch if event["event"] in ("panel_final", "panel_error")][:1]


async def _batch_of_callbacks(config: Any) -> list[str]:
    ends: list[str] = []

    async def take(event: Any) -> None:
        ends.append(event["event"])

    await astream_many([Panel("openai", config=config, max_retries=0)] * 3, "hi").for_each(take)
    return [end for end in ends if end in ("panel_final", "panel_error")][:1]


async def _client(config: Any) -> list[str]:
    async with AsyncClient() as client:
        return [event["event"] async for event in client.stream_panels("openai", "hi", config=config, max_retries=0)][
            -1:
        ]


async def _response(config: Any) -> list[str]:
    async def answer(request: Request) -> Response:
        how = stream_panels if request.url.path == "/sync" else astream_panels
        return panel_response(how("openai", "hi", config=config, max_retries=0))

    app = Starlette(routes=[Route("/sync", answer), Route("/async", answer)])
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://127.0.0.1") as client:
        bodies = [(await client.get(path)).text for path in ("/sync", "/async")]
    return [end for end in ("panel_final", "panel_error") if all(end in body for body in bodies)]


@pytest.mark.parametrize("ask", [_panels, _task_group, _batch, _batch_of_callbacks, _client, _response])
def test_each_way_to_ask(ask: Callable[[Any], Awaitable[list[str]]], provider: ScriptedProvider) -> None:
    async def main() -> tuple[list[str], list[str]]:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined]
        return await ask(provider.config("openai")), await ask(REFUSED)

    assert asyncio.run(main()) == (["panel_final"], ["panel_error"])
