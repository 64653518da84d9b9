"""Images and the provider's tools on their way through the server: its logs, resume, snapshots and limits."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from test_server import ask

import serving
from msgmodel import stream_panels
from msgmodel.server import MemoryLog
from msgmodel.server.transcript import Transcript
from msgmodel.testing import ScriptedProvider
from msgmodel.testing.server import Script, Send, Stall
from serving import kinds, opened, request

module_provider, serve, redis_server = serving.module_provider, serving.serve, serving.redis_server  # fixtures

COMPLETED = {"type": "response.completed", "response": {"status": "completed"}}
SEARCH = {"type": "web_search_call", "id": "ws", "action": {"type": "search", "query": "tides"}}
SHOWN = ["panel_part", "panel_tool_run", "panel_part", "panel_tool_run", "panel_delta"]


@pytest.fixture
def provider(module_provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch) -> ScriptedProvider:
    """OpenAI, asked by the Responses API."""
    for name, value in module_provider.environment().items():
        monkeypatch.setenv(name, value + "/responses" if name == "OPENAI_BASE_URL" else value)
    return module_provider


def stream(*events: Any) -> bytes:
    return b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in events)


def shown(size: int = 12) -> bytes:
    """A preview, the image, a search and some text."""
    data = base64.b64encode(bytes(size)).decode()
    partial = {"type": "response.image_generation_call.partial_image", "output_index": 0, "partial_image_b64": data}
    image = {"type": "image_generation_call", "id": "ig", "result": data, "output_format": "png"}
    text = {"type": "response.output_text.delta", "output_index": 2, "content_index": 0, "delta": "High water."}
    items = (
        {"type": "response.output_item.done", "output_index": at, "item": it} for at, it in ((0, image), (1, SEARCH))
    )
    return stream({**partial, "output_format": "png"}, *items, text)


@pytest.mark.parametrize("size", [12, 300_000])
def test_parts_and_runs_are_read_from_anywhere(serve: Any, provider: ScriptedProvider, size: int) -> None:
    """A large one is longer than a page of the log."""
    provider.say(Script.body(shown(size) + stream(COMPLETED)))
    with ask(serve()) as reading:
        got = reading.rest()
        url = reading.response.headers["location"]
        server = str(reading.response.url).removesuffix("/v1/panels")
    assert kinds(got) == [*SHOWN, "panel_final"]
    for position in range(len(got)):
        with opened("GET", server + url, headers={"last-event-id": str(position)}) as again:
            assert again.rest() == got[position:]
    with opened("GET", server + url) as again:
        (snapshot,) = again.rest()
    (panel,) = snapshot.data["panels"]
    assert panel["parts"] == [got[2].data], "the image in the place of its preview"
    assert [run["name"] for run in panel["tool_runs"]] == ["image_generation", "web_search"]
    assert panel["tool_runs"] == panel["end"]["tool_runs"]
    assert panel["end"] == got[-1].data


def test_a_stream_that_is_stopped_keeps_its_parts(serve: Any, provider: ScriptedProvider) -> None:
    provider.say(Script(steps=(Send(shown()), Stall())))
    server = serve(on_disconnect="continue")
    with ask(server) as reading:
        got = reading.until("panel_delta")
        url = server.url + reading.response.headers["location"]
        with opened("GET", url) as other:
            (snapshot,) = other.take(1)
            assert [part["complete"] for part in snapshot.data["panels"][0]["parts"]] == [True]
            assert request("DELETE", url).status_code == 204
            end = other.rest()[-1].data
    assert got is not None
    assert (end["code"], end["content"]) == ("cancelled", "High water.")
    assert [part["type"] for part in end["message"]["content"]] == ["media", "opaque", "text"]


def test_the_reply_is_bounded_in_bytes(serve: Any, provider: ScriptedProvider) -> None:
    provider.say(Script.body(shown(60_000) + stream(COMPLETED)))
    with ask(serve(max_reply_bytes=100_000)) as reading:
        end = reading.rest()[-1].data
    assert (end["event"], end["code"]) == ("panel_error", "reply_too_large")


def test_the_log_is_bounded_in_bytes(provider: ScriptedProvider) -> None:
    """The previews of an image are lines of the log, too."""
    from msgmodel.server import Settings, create_app
    from serving import Uvicorn

    provider.say(Script.body(shown(60_000) + stream(COMPLETED)))
    log = MemoryLog(max_stream_bytes=100_000)
    with Uvicorn(create_app(Settings(grace_seconds=1.0), log)) as server, ask(server) as reading:
        end = reading.rest()[-1].data
    assert (end["event"], end["code"]) == ("panel_error", "reply_too_large")


def test_an_error_of_the_server_keeps_complete_parts(provider: ScriptedProvider) -> None:
    """Its message had the text alone."""
    provider.say(Script.body(shown() + stream(COMPLETED)))
    transcript = Transcript()
    for event in [*stream_panels("openai", "hi", panel_id="p")][:-1]:
        transcript.add_event(event)
    (end,) = transcript.missing_ends("interrupted", "The server failed.")
    text, media = end["message"]["content"]
    assert text == {"type": "text", "text": "High water."}
    assert (media["type"], media["kind"], "size" in media) == ("media", "image", False)
