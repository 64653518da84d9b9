"""`install_error_handlers` in FastAPI and Starlette, over real sockets: statuses, and what a client is told."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

import serving
from msgmodel import APIError, OpenAIConfig, aquery, astream_panels
from msgmodel.errors import ReplyError, StreamingError
from msgmodel.events import ErrorCode
from msgmodel.server import install_error_handlers, panel_response
from msgmodel.server.error_handlers import STATUS_BY_ERROR_CODE
from msgmodel.testing import KEY, Reply, ScriptedProvider
from serving import Uvicorn, request

module_provider, provider = serving.module_provider, serving.provider  # fixtures

CALLS: dict[str, Any] = {}
"""What an endpoint awaits, by the path."""


async def answer(request: Request) -> Response:
    result = await CALLS[request.path_params["name"]]()
    return result if isinstance(result, Response) else PlainTextResponse(str(result))


def fastapi() -> FastAPI:
    app = FastAPI()

    @app.get("/{name}")
    async def endpoint(request: Request) -> Response:
        return await answer(request)

    return app


def starlette() -> Starlette:
    return Starlette(routes=[Route("/{name}", answer)])


@pytest.fixture(scope="module", params=[fastapi, starlette])
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    app = request.param()
    install_error_handlers(app)
    with Uvicorn(app) as served:
        yield served.url


def ask(address: str, call: Any) -> tuple[int, Any, str | None]:
    """The status, the error in the body, and the `Retry-After` header of an endpoint that awaits this call."""
    CALLS["call"] = call
    found = request("GET", f"{address}/call")
    return found.status_code, found.json()["error"], found.headers.get("retry-after")


async def stream(*args: Any, **kwargs: Any) -> Response:
    return panel_response(astream_panels(*args, **kwargs))


def test_a_wrong_provider_is_no_fault_of_the_server(address: str) -> None:
    status, error, _ = ask(address, lambda: stream("nope", "hi"))
    assert (status, error["code"]) == (422, "invalid_request")
    assert "'nope'" in error["message"]


def test_a_missing_key_is_the_operator_s(address: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "msgmodel.server")
    message = "the server has no key for this provider"
    assert ask(address, lambda: stream("anthropic", "hi")) == (503, {"code": "unavailable", "message": message}, None)
    assert "ANTHROPIC_API_KEY" in caplog.text


def test_a_file_of_the_server_is_named_without_its_folder(address: str) -> None:
    missing = Path("/srv/private/report.pdf")
    status, error, _ = ask(address, lambda: stream("openai", "hi", KEY, file_like=missing))
    assert (status, error["code"]) == (422, "invalid_request")
    assert error["message"].startswith("the file report.pdf can't be read")


def test_a_stream_that_fails_in_the_middle_says_no_more(address: str, caplog: pytest.LogCaptureFixture) -> None:
    """The status was sent before the generator called the library, as in an endpoint that streams by hand."""
    caplog.set_level(logging.WARNING, "msgmodel.server")

    async def late() -> Any:
        async for event in astream_panels("anthropic", "hi"):
            yield event

    async def respond() -> Response:
        return panel_response(late())

    CALLS["call"] = respond
    found = request("GET", f"{address}/call")
    assert found.status_code == 200
    assert "the server has no key for this provider" in found.text
    assert "ANTHROPIC_API_KEY" not in found.text
    assert "ANTHROPIC_API_KEY" in caplog.text


def test_the_error_of_a_reply(address: str, provider: ScriptedProvider) -> None:
    config = provider.config("openai")
    provider.say(Reply(error=429, retry_after=2))
    status, error, wait = ask(address, lambda: aquery("openai", "hi", config=config, max_retries=0))
    assert (status, error["code"], wait) == (429, "rate_limit", "2")
    provider.say(Reply(error=401))
    status, error, wait = ask(address, lambda: aquery("openai", "hi", config=config))
    assert (status, error["code"], wait) == (502, "authentication", None)  # no client can log in there
    provider.say("fine")
    CALLS["call"] = lambda: aquery("openai", "hi", config=config)
    assert request("GET", f"{address}/call").text == "fine"


def test_the_host_of_a_provider_is_not_named(address: str, caplog: pytest.LogCaptureFixture) -> None:
    there = OpenAIConfig(base_url="http://127.0.0.1:1/v1", api_key=KEY)
    status, error, _ = ask(address, lambda: aquery("openai", "hi", config=there, max_retries=0))
    assert (status, error) == (502, {"code": "network", "message": "can't connect to the provider"})
    assert "127.0.0.1:1" in caplog.text


def test_an_exception_made_by_hand(address: str) -> None:
    async def fail(error: Exception) -> None:
        raise error

    assert ask(address, lambda: fail(APIError("it failed"))) == (502, {"code": "server", "message": "it failed"}, None)
    lost = StreamingError("it broke")
    assert ask(address, lambda: fail(lost)) == (502, {"code": "interrupted", "message": "it broke"}, None)


def test_every_code_has_a_status() -> None:
    assert STATUS_BY_ERROR_CODE.keys() == set(get_args(ErrorCode))
    assert all(400 <= status < 600 for status in STATUS_BY_ERROR_CODE.values())
    assert {STATUS_BY_ERROR_CODE[code] for code in ("authentication", "permission")} & {401, 403} == set()


def test_a_websocket_is_closed_with_the_reason() -> None:
    app = FastAPI()
    install_error_handlers(app)

    @app.websocket("/ws")
    async def endpoint(websocket: WebSocket) -> None:
        await websocket.accept()
        raise ReplyError("é" * 200)

    with (
        TestClient(app) as client,
        client.websocket_connect("/ws") as websocket,
        pytest.raises(WebSocketDisconnect) as closed,
    ):
        websocket.receive_text()
    assert (closed.value.code, closed.value.reason) == (1011, "é" * 61)
