"""Progress: sent to those who read at the moment, without a number; neither kept nor counted."""

from __future__ import annotations

from typing import Any

import pytest

import serving
from msgmodel.testing import Pause, Script, ScriptedProvider, Send
from msgmodel.testing.wires import events
from serving import joined, kinds, numbers, opened, request

module_provider, provider = serving.module_provider, serving.provider  # fixtures
redis_server, serve = serving.redis_server, serving.serve

_BEGIN, _ONE, _TWO, *_REST = events("openai_chat", ["one", " two", " three"])
SLOW = Script(
    steps=(Send(_BEGIN + _ONE), Pause(1.7), Send(_TWO), Pause(1.7), Send(b"".join(_REST))),
)
"""Two pauses of 1.7 seconds: one progress event in each. Others would only add to the time of the tests."""
KINDS = ["panel_delta"] * 3 + ["panel_final"]


def body(**options: Any) -> dict[str, Any]:
    return {"prompt": "hi", "panels": [{"provider": "openai", "panel_id": "p"}], "options": options}


def test_a_live_reader_sees_progress(serve: Any, provider: ScriptedProvider) -> None:
    """The events are those without progress, also for a reader who comes later."""
    provider.say(SLOW)
    server = serve()
    with opened("POST", f"{server.url}/v1/panels", json=body(progress=True)) as stream:
        found = stream.rest()
    assert (kinds(found), numbers(found), joined(found)) == (KINDS, [1, 2, 3, 4], "one two three")
    assert stream.progress
    assert {(each["panel_id"], each["phase"]) for each in stream.progress} <= {("p", "text"), ("p", "prompt")}
    with opened("GET", server.url + stream.response.headers["location"], headers={"last-event-id": "0"}) as again:
        assert again.rest() == found
    assert again.progress == []


def test_a_reader_who_comes_back_goes_on(serve: Any, provider: ScriptedProvider) -> None:
    """After the last numbered event: one without a number moves no reader's position."""
    provider.say(SLOW)
    server = serve()
    with opened("POST", f"{server.url}/v1/panels", json=body(progress=True)) as stream:
        first = stream.take(1)
        while not stream.progress:
            next_frame(stream)
        url, headers = server.url + stream.response.headers["location"], {"last-event-id": str(stream.last)}
    assert stream.last == 1
    with opened("GET", url, headers=headers) as again:
        rest = again.rest()
    assert (kinds([*first, *rest]), numbers([*first, *rest])) == (KINDS, [1, 2, 3, 4])


def next_frame(stream: Any) -> None:
    """Read one frame that is no event of the log."""
    assert stream._event(stream.frame()) is None


def test_a_snapshot_has_no_progress(serve: Any, provider: ScriptedProvider) -> None:
    """It is made of the log. The reader gets what follows, with the progress of its time."""
    provider.say(SLOW)
    server = serve()
    with opened("POST", f"{server.url}/v1/panels", json=body(progress=True)) as stream:
        stream.take(1)
        with opened("GET", server.url + stream.response.headers["location"]) as other:
            found = other.rest()
    assert kinds(found)[0] == "stream_snapshot"
    assert "progress" not in found[0].data["panels"][0]
    assert kinds(found)[-1] == "panel_final"
    assert other.progress


def test_none_without_the_wish(serve: Any, provider: ScriptedProvider) -> None:
    provider.say(SLOW)
    with opened("POST", f"{serve().url}/v1/panels", json=body()) as stream:
        assert kinds(stream.rest()) == KINDS
    assert stream.progress == []


@pytest.mark.parametrize("value", [True, "1h", "2h"])
def test_the_cache_of_the_prompt(serve: Any, provider: ScriptedProvider, value: Any) -> None:
    provider.say("Done")
    asked = {"prompt": "hi", "panels": [{"provider": "anthropic"}], "options": {"cache_prompt": value}}
    response = request("POST", f"{serve().url}/v1/panels", json=asked)
    if value == "2h":
        assert (response.status_code, response.json()["error"]["code"]) == (422, "invalid_request")
        return
    assert response.status_code == 200
    expected = {"type": "ephemeral"} | ({"ttl": "1h"} if value == "1h" else {})
    assert provider.requests[-1].json["cache_control"] == expected
