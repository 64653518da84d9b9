"""A stream has one owner and a name that no second stream ever gets; a position counts in that stream alone."""

from __future__ import annotations

import time
from typing import Any

import pytest

import serving
from msgmodel.server import Settings, create_app
from msgmodel.testing import Reply, ScriptedProvider
from serving import TOKENS, Uvicorn, bearer, joined, opened, request

module_provider, provider = serving.module_provider, serving.provider  # fixtures
redis_server, own_redis, serve = serving.redis_server, serving.own_redis, serving.serve

ALICE, BOB = map(bearer, TOKENS)
KEY = {"idempotency-key": "one"}
SAID = {"id": "1", "role": "user", "parts": [{"type": "text", "text": "hi"}]}
AG_UI = {
    "threadId": "t", "runId": "r", "state": {}, "tools": [], "context": [], "forwardedProps": {},
    "messages": [{"id": "1", "role": "user", "content": "hi"}],
}  # fmt: skip
OPENAI = {"model": "openai/gpt-6", "messages": [{"role": "user", "content": "hi"}]}
WAYS: dict[str, tuple[str, str, Any]] = {
    "panels": ("POST", "/v1/panels", {"prompt": "hi"}),
    "chat-get": ("GET", "/chat/stream?prompt=hi", None),
    "chat-post": ("POST", "/chat/stream?prompt=hi", None),
    "ai-sdk": ("POST", "/adapters/ai-sdk/chat", {"id": "c", "trigger": "submit-message", "messages": [SAID]}),
    "ag-ui": ("POST", "/adapters/ag-ui", AG_UI),
    "openai": ("POST", "/v1/chat/completions", OPENAI),
    "openai-stream": ("POST", "/v1/chat/completions", OPENAI | {"stream": True}),
}
"""Every way to begin a stream."""


def post(server: Any, prompt: str = "hi", **headers: str) -> Any:
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return request("POST", f"{server.url}/v1/panels", json={"prompt": prompt}, headers=headers)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("owner", [ALICE, BOB], ids=["another's", "own"])
def test_a_name_that_is_drawn_a_second_time(
    serve: Any, provider: ScriptedProvider, way: str, owner: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request never gets the reply to another one, not even to one of the same user."""
    name = f"drawn{time.monotonic_ns()}"
    method, path, body = WAYS[way]
    server = serve(tokens=TOKENS)
    provider.say("wordsofanother")
    monkeypatch.setattr("msgmodel.server.service.new_id", lambda: name)
    assert "wordsofanother" in request("POST", f"{server.url}/v1/panels", json={"prompt": "x"}, headers=owner).text
    provider.say("mine")
    response = request(method, server.url + path, headers=BOB, json=body)
    assert response.status_code == 503
    assert "wordsofanother" not in response.text


def test_names_are_not_guessed(serve: Any, provider: ScriptedProvider) -> None:
    """144 random bits in each, also of the stream of an `EventSource` and of an `Idempotency-Key`."""
    provider.say("Hello")
    server = serve()
    names = set()
    for _ in range(3):
        for method, path in (("GET", "/chat/stream?prompt=hi"), ("POST", "/chat/stream?prompt=hi")):
            names.add(request(method, server.url + path).headers["x-stream-id"])
        names.add(post(server).headers["x-stream-id"])
        names.add(post(server, idempotency_key=f"key{len(names)}").headers["x-stream-id"].partition(".")[2])
    assert len(names) == 12
    assert {len(name) for name in names} == {24}
    slot = post(server, idempotency_key="key").headers["x-stream-id"].partition(".")[0]
    assert request("GET", f"{server.url}/v1/streams/{slot}").status_code == 404  # what can be computed opens nothing


def test_an_event_source_of_another(serve: Any, provider: ScriptedProvider) -> None:
    """A position opens nothing to another user, nor to another question."""
    provider.say(Reply("words of Alice", stall_after=2))
    server = serve(tokens=TOKENS, on_disconnect="continue")
    before = len(provider.requests)
    url = f"{server.url}/chat/stream?prompt="
    with opened("GET", f"{url}a", headers=ALICE) as stream:
        stream.take(1)
        place = {"last-event-id": f"{stream.response.headers['x-stream-id']}:1"}
        assert f"id: {place['last-event-id']}\n".encode() in stream.raw
        assert request("GET", f"{url}a", headers=BOB | place).status_code == 204
        assert request("GET", f"{url}b", headers=ALICE | place).status_code == 204
        assert request("GET", f"{url}a&model=m", headers=ALICE | place).status_code == 204
        with opened("GET", f"{url}a", headers=ALICE | place) as again:
            assert again.take(1) == stream.take(1)
        name = stream.response.headers["x-stream-id"]
        assert request("DELETE", f"{server.url}/v1/streams/{name}", headers=BOB).status_code == 404
        assert request("DELETE", f"{server.url}/v1/streams/{name}", headers=ALICE).status_code == 204
    assert len(provider.requests) == before + 1


def test_a_chat_whose_stream_is_another_s(provider: ScriptedProvider) -> None:
    """The owner is asked of the stream itself, not only of the name that leads to it."""
    provider.say("words of Alice")
    with Uvicorn(create_app(Settings(tokens=TOKENS))) as server:
        log = server.server.config.app.state.msgmodel.log
        name = post(server, **ALICE).headers["x-stream-id"]
        body = WAYS["ai-sdk"][2]
        request("POST", f"{server.url}/adapters/ai-sdk/chat", json=body, headers=BOB)
        for alias, (until, kept) in list(log._names.items()):
            log._names[alias] = (
                until,
                kept or f'{{"id":"{name}","target":"v7","message_id":"m","call_ids":[],"panels":1}}',
            )
        response = request("GET", f"{server.url}/adapters/ai-sdk/chat/c/stream", headers=BOB)
        assert "words" not in response.text


# --- after a restart ---


@pytest.fixture
def restarted(provider: ScriptedProvider) -> Any:
    """A server, what was there before it, and the reply that comes now."""
    with Uvicorn(create_app()) as server:
        provider.say("One two three")
        first = post(server, **KEY)
    with Uvicorn(create_app()) as server:
        provider.say("Four five six")
        yield server, first


def test_a_position_of_before_begins_nothing(restarted: Any, provider: ScriptedProvider) -> None:
    server, first = restarted
    before = len(provider.requests)
    name = first.headers["x-stream-id"]
    for place, status in ((f"{name}:1", 410), ("1", 400), (f"{'x' * 24}:1", 410), (f"{name}:", 400), (":1", 400)):
        assert post(server, last_event_id=place, **KEY).status_code == status
    assert len(provider.requests) == before


def test_a_position_of_before_is_none_of_the_new_stream(restarted: Any) -> None:
    """Another client has begun the new stream with the same key meanwhile."""
    server, first = restarted
    with opened("POST", f"{server.url}/v1/panels", json={"prompt": "hi"}, headers=KEY) as stream:
        got = stream.rest()
    assert joined(got) == "Four five six"
    old, new = first.headers["x-stream-id"], stream.response.headers["x-stream-id"]
    assert old != new
    for place, status in ((f"{old}:1", 410), ("1", 400)):
        assert post(server, last_event_id=place, **KEY).status_code == status
    with opened("POST", f"{server.url}/v1/panels", json={"prompt": "hi"},
                headers=KEY | {"last-event-id": f"{new}:1"}) as stream:  # fmt: skip
        assert stream.rest() == got[1:]
    for headers in ({}, {"last-event-id": "1"}):
        assert request("GET", f"{server.url}/v1/streams/{old}", headers=headers).status_code == 404
    url = f"{server.url}/v1/streams/{new}"
    with opened("GET", url, headers={"last-event-id": f"{new}:1"}) as stream:
        assert stream.rest() == got[1:]
    assert request("GET", url, headers={"last-event-id": f"{old}:1"}).status_code == 400


def test_a_key_whose_stream_redis_lost(serve: Any, redis_server: Any, provider: ScriptedProvider) -> None:
    """As after a restart, with the log in Redis."""
    server = serve()
    if type(server.log).__name__ == "MemoryLog":
        pytest.skip("in memory it is lost with the process")
    provider.say("One two three")
    key = {"idempotency-key": "lost"}
    old = post(server, **key).headers["x-stream-id"]
    for found in redis_server.ask("KEYS", f"*{old.partition('.')[0]}*"):
        redis_server.ask("DEL", found.decode())
    provider.say("Four five six")
    assert post(server, last_event_id=f"{old}:1", **key).status_code == 410
    new = post(server, **key).headers["x-stream-id"]
    assert old != new
    assert post(server, last_event_id=f"{old}:1", **key).status_code == 410
    assert request("GET", f"{server.url}/v1/streams/{old}", headers={"last-event-id": "1"}).status_code == 404


def test_a_reader_of_before_reads_nothing_of_a_new_stream(own_redis: Any, provider: ScriptedProvider) -> None:
    """Redis lost all it had, and the same key began another reply, while a reader still reads the first one."""
    from msgmodel.server.redis_log import RedisLog

    with Uvicorn(create_app(Settings(grace_seconds=0.0), RedisLog(own_redis.url))) as server:
        ask: dict[str, Any] = {"json": {"prompt": "hi"}, "headers": KEY}
        provider.say(Reply("One two three four", stall_after=2))
        with opened("POST", f"{server.url}/v1/panels", **ask) as stream:
            stream.take(2)
            own_redis.ask("FLUSHALL")
            provider.say("Five six seven eight nine")
            with opened("POST", f"{server.url}/v1/panels", **ask) as again:
                new = again.rest()
            assert joined(new) == "Five six seven eight nine"
            rest = stream.rest()
        assert [(event.id, event.kind) for event in rest] == [(3, "panel_error")]
        assert (rest[0].data["code"], rest[0].data["content"]) == ("interrupted", "One two")
        with opened("POST", f"{server.url}/v1/panels", **ask) as again:
            assert again.rest() == new
