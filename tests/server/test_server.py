"""What `msgmodel serve` runs, over real sockets: streams that are asked for once and read from anywhere, and limits.

With the log in this process, and in Redis.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

import msgmodel
import serving
from msgmodel import ConfigurationError, Panel, astream_many
from msgmodel.server import MemoryLog, Settings, create_app
from msgmodel.server.log import StreamHeader
from msgmodel.server.memory import MemoryBudget
from msgmodel.server.streams import RunningStreams, grace_of
from msgmodel.testing import KEY, Reply, Script, ScriptedProvider
from serving import (
    READER,
    TOKENS,
    Elsewhere,
    Event,
    Redis,
    Serving,
    Uvicorn,
    bearer,
    exchange,
    joined,
    kinds,
    numbers,
    opened,
    request,
    wait_for,
)

module_provider, provider, elsewhere = serving.module_provider, serving.provider, serving.elsewhere  # fixtures
redis_server, serve = serving.redis_server, serving.serve

TEXT = "".join(f"word{number} " for number in range(60))
ALICE, BOB = map(bearer, TOKENS)


@pytest.fixture(scope="module")
def started() -> Iterator[Callable[..., Uvicorn]]:
    """Starts a server with these settings, one for all tests that want the same: starting costs more than a test."""
    with ExitStack() as stack:
        known: dict[str, Uvicorn] = {}

        def start(**settings: Any) -> Uvicorn:
            name = repr(settings)
            if name not in known:
                known[name] = stack.enter_context(Uvicorn(create_app(Settings(**settings | {"grace_seconds": 0.0}))))
            return known[name]

        yield start


@pytest.fixture
def memory(started: Callable[..., Uvicorn], provider: ScriptedProvider) -> Callable[..., Uvicorn]:
    """Gives a server with these settings, for what no log has a part in."""
    return started


def ask(server: Any, body: Any = None, **how: Any) -> Any:
    return opened("POST", f"{server.url}/v1/panels", json=body or {"prompt": "hi"}, **how)


def refused(response: httpx2.Response) -> tuple[int, str]:
    """The status, and the code of a well-formed error."""
    assert response.headers["content-type"] == "application/json"
    error = response.json()["error"]
    assert set(response.json()) == {"error"}
    assert set(error) in ({"code", "message"}, {"code", "message", "type", "param"})  # ours, and as OpenAI's API
    assert error["message"]
    return response.status_code, error["code"]


def post(server: Any, body: Any = None, **how: Any) -> httpx2.Response:
    return request("POST", f"{server.url}/v1/panels", json={"prompt": "hi"} if body is None else body, **how)


# --- reading ---


def test_a_stream(serve: Any, provider: ScriptedProvider) -> None:
    provider.say(Reply("Hello there\u2028you", pieces=["Hello", " there\u2028you"]))
    server = serve()
    with ask(server) as stream:
        got = stream.rest()
    assert stream.raw.startswith(b": msgmodel\n\n")
    assert kinds(got) == ["panel_delta", "panel_delta", "panel_final"]
    assert numbers(got) == [1, 2, 3]
    assert joined(got) == got[-1].data["content"] == "Hello there\u2028you"
    headers = stream.response.headers
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert headers["cache-control"] == "no-cache, no-transform"
    assert headers["x-accel-buffering"] == "no"
    assert headers["location"] == f"/v1/streams/{headers['x-stream-id']}"


def test_several_panels(serve: Any, provider: ScriptedProvider) -> None:
    provider.say("Hello there")
    panels = [{"provider": name, "panel_id": name} for name in ("openai", "anthropic", "gemini")]
    panels[1] |= {"prompt": "another", "max_tokens": 7}  # type: ignore[dict-item]
    before = len(provider.requests)
    with ask(serve(), {"prompt": "one", "panels": panels, "options": {"max_tokens": 99}}) as stream:
        got = stream.rest()
    assert numbers(got) == list(range(1, len(got) + 1))
    assert kinds(got)[-1] == "batch_final"
    assert sorted(event.data["panel_id"] for event in got if event.kind == "panel_final") == [
        "anthropic", "gemini", "openai",
    ]  # fmt: skip
    assert {name: joined(got, name) for name in ("openai", "anthropic", "gemini")} == dict.fromkeys(
        ("openai", "anthropic", "gemini"), "Hello there"
    )
    (asked,) = [found.json for found in provider.requests[before:] if found.path.endswith("/messages")]
    assert asked["max_tokens"] == 7
    assert "another" in json.dumps(asked)


def test_files_and_history(serve: Any, provider: ScriptedProvider) -> None:
    provider.say("Hello")
    body = {
        "prompt": "What is this?",
        "messages": [{"role": "user", "content": "My name is Ada"}, {"role": "assistant", "content": "Hello Ada"}],
        "files": [{"name": "a.txt", "data": "aGVsbG8gZmlsZQ=="}],
    }
    with ask(serve(), body) as stream:
        assert kinds(stream.rest())[-1] == "panel_final"
    asked = provider.requests[-1].body.decode()
    assert "My name is Ada" in asked
    assert "hello file" in asked or "aGVsbG8gZmlsZQ" in asked


@pytest.mark.parametrize("count", [1, 2])
def test_reading_from_anywhere(serve: Any, provider: ScriptedProvider, count: int) -> None:
    provider.say("One two three")
    server = serve()
    panels = [{"provider": "openai", "panel_id": f"p{number}"} for number in range(count)]
    with ask(server, {"prompt": "hi", "panels": panels}) as stream:
        got = stream.rest()
    url = server.url + stream.response.headers["location"]
    for position in range(len(got)):
        with opened("GET", url, headers={"last-event-id": str(position)}) as again:
            assert again.rest() == got[position:]
        with opened("GET", url, params={"last_event_id": position}) as again:
            assert again.rest() == got[position:]
    assert request("GET", url, headers={"last-event-id": str(len(got))}).status_code == 204
    with opened("GET", url) as again:
        (snapshot,) = again.rest()
    assert snapshot.id == len(got)
    ends = {event.data["panel_id"]: event.data for event in got if event.kind == "panel_final"}
    assert snapshot.data == {
        "event": "stream_snapshot",
        "panel_id": None,
        "batch": got[-1].data if count > 1 else None,
        "panels": [
            {
                "panel_id": panel["panel_id"],
                "content": "One two three",
                "reasoning": "",
                "refusal": "",
                "tool_calls": [],
                "sources": [],
                "parts": [],
                "tool_runs": [],
                "provider": "openai",
                "model": ends[panel["panel_id"]]["model"],
                "end": ends[panel["panel_id"]],
            }
            for panel in panels
        ],
    }


def test_a_snapshot_in_the_middle(serve: Any, provider: ScriptedProvider) -> None:
    provider.say(Reply("One two three", reasoning="Well", stall_after=2))
    server = serve(on_disconnect="continue")
    with ask(server) as stream:
        stream.until("panel_delta")
        seen = stream.take(1)[0].id
        url = server.url + stream.response.headers["location"]
        with opened("GET", url) as other:
            (snapshot,) = other.take(1)
            assert snapshot.id == seen
            (panel,) = snapshot.data["panels"]
            assert (panel["content"], panel["reasoning"], panel["end"]) == ("One two", "Well", None)
            assert request("DELETE", url).status_code == 204
            tail = other.rest()
        assert stream.rest() == tail
    assert numbers(tail) == [seen + 1]
    assert (tail[0].data["code"], tail[0].data["content"]) == ("cancelled", "One two")


def test_a_snapshot_before_the_first_event(serve: Any, provider: ScriptedProvider) -> None:
    provider.say(Reply("Hello", stall_after=0))
    server = serve(on_disconnect="continue")
    with ask(server, {"prompt": "hi", "panels": [{"provider": "openai", "panel_id": "mine"}]}) as stream:
        url = server.url + stream.response.headers["location"]
        with opened("GET", url) as other:
            (snapshot,) = other.take(1)
            assert snapshot.id == 0
            assert [panel["panel_id"] for panel in snapshot.data["panels"]] == ["mine"]
            request("DELETE", url)
            assert kinds(other.rest()) == ["panel_error"]


def test_a_connection_that_breaks_twenty_times(serve: Any, provider: ScriptedProvider) -> None:
    long = TEXT * 4  # so that there is more to come also where pieces that came together are one event
    provider.say(Reply(long, speed=120.0))
    server = serve()
    before = len(provider.requests)
    got: list[Event] = []
    with ask(server) as stream:
        url = server.url + stream.response.headers["location"]
        got += stream.take(1)
    for _ in range(20):
        with opened("GET", url, headers={"last-event-id": str(got[-1].id)}) as stream:
            got += stream.take(2)
    with opened("GET", url, headers={"last-event-id": str(got[-1].id)}) as stream:
        got += stream.rest()
    assert numbers(got) == list(range(1, len(got) + 1))
    assert joined(got) == got[-1].data["content"] == long
    assert len(provider.requests) == before + 1


def test_many_readers_see_the_same(serve: Any, provider: ScriptedProvider) -> None:
    provider.say(Reply(TEXT, speed=200.0))
    server = serve()
    results: list[list[Event]] = []
    with ask(server) as stream:
        url = server.url + stream.response.headers["location"]

        def read() -> None:
            with opened("GET", url, headers={"last-event-id": "0"}) as other:
                results.append(other.rest())

        threads = [threading.Thread(target=read) for _ in range(10)]
        for thread in threads:
            thread.start()
        got = stream.rest()
        for thread in threads:
            thread.join()
    assert results == [got] * 10
    assert joined(got) == TEXT


# --- EventSource ---


class EventSource:
    """A browser's, as far as positions go: https://html.spec.whatwg.org/multipage/server-sent-events.html"""

    def __init__(self, url: str) -> None:
        self.url = url
        self.position = ""
        self.messages: list[dict[str, Any]] = []

    def connect(self, events: int | None = None) -> int:
        """Reads so many events, or until the end; the status."""
        headers = {"last-event-id": self.position} if self.position else {}
        with opened("GET", self.url, headers=headers) as stream:
            if stream.response.status_code != 200:
                return stream.response.status_code
            data, position, count = "", self.position, 0
            if events == 0:
                stream.frame()
            pending = stream.raw.decode()
            for chunk in stream._chunks if events != 0 else ():
                pending += chunk.decode()
                while "\n" in pending:
                    line, _, pending = pending.partition("\n")
                    data, position, count = self._line(line, data, position, count)
                    if events is not None and count >= events:
                        return 200
            for line in pending.split("\n")[:-1]:
                data, position, count = self._line(line, data, position, count)
        return 200

    def _line(self, line: str, data: str, position: str, count: int) -> tuple[str, str, int]:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            self.position = position
            if data:
                self.messages.append(json.loads(data))
                count += 1
            data = ""
        elif name == "id":
            position = value
        elif name == "data":
            data += value
        return data, position, count


def test_an_event_source_comes_back(serve: Any, provider: ScriptedProvider) -> None:
    provider.say(Reply(TEXT, speed=200.0))
    server = serve()
    before = len(provider.requests)
    source = EventSource(f"{server.url}/chat/stream?prompt=Hello")
    for count in (1, 2, 5, 1):
        assert source.connect(count) == 200
    assert source.connect() == 200
    assert source.connect() == 204  # and never asks again
    assert "".join(event["delta"] for event in source.messages if event["event"] == "panel_delta") == TEXT
    assert source.messages[-1]["event"] == "panel_final"
    assert len(provider.requests) == before + 1


def test_an_event_source_that_breaks_before_the_first_event(serve: Any, provider: ScriptedProvider) -> None:
    provider.say(Reply("Hello there", speed=6.0))
    server = serve()
    before = len(provider.requests)
    source = EventSource(f"{server.url}/chat/stream?prompt=Hello")
    assert source.connect(0) == 200
    assert source.connect() == 200
    assert [event["event"] for event in source.messages] == ["panel_delta", "panel_delta", "panel_final"]
    assert len(provider.requests) == before + 1


def test_an_event_source_that_comes_back_too_late(serve: Any, provider: ScriptedProvider) -> None:
    provider.say("Hello there")
    server = serve(ttl_seconds=0.2)
    before = len(provider.requests)
    source = EventSource(f"{server.url}/chat/stream?prompt=Hello")
    assert source.connect(1) == 200
    time.sleep(0.6)
    assert source.connect() == 204
    for position in ("A" * 24 + ":1", str(2**40)):  # of a server that was there before, and of version 5.0
        source.position = position
        assert source.connect() == 204
    assert len(provider.requests) == before + 1


def test_the_guides_post(serve: Any, provider: ScriptedProvider) -> None:
    provider.say("Hello there")
    with opened("POST", f"{serve().url}/chat/stream?prompt=Hello&provider=anthropic") as stream:
        got = stream.rest()
    assert kinds(got) == ["panel_delta", "panel_delta", "panel_final"]
    assert (got[-1].data["provider"], got[-1].data["content"]) == ("anthropic", "Hello there")


@pytest.mark.parametrize("path", ["/v1/panels", "/chat/stream?prompt=hi"])
def test_a_post_that_comes_back_does_not_ask_again(memory: Any, provider: ScriptedProvider, path: str) -> None:
    """Libraries that post and read events send the position at a retry."""
    before = len(provider.requests)
    response = request("POST", memory().url + path, json={"prompt": "hi"}, headers={"last-event-id": "3"})
    assert 400 <= refused(response)[0] < 500
    assert len(provider.requests) == before


@pytest.mark.parametrize("path", ["/chat/stream?prompt=hi", "/v1/streams/x"])
def test_head_asks_no_provider(memory: Any, provider: ScriptedProvider, path: str) -> None:
    before = len(provider.requests)
    assert 400 <= request("HEAD", memory().url + path).status_code < 500
    time.sleep(0.1)
    assert len(provider.requests) == before


# --- asked once ---


def test_the_same_key_joins_the_stream(serve: Any, provider: ScriptedProvider) -> None:
    provider.say(Reply(TEXT, speed=300.0))
    server = serve()
    before = len(provider.requests)
    results: list[list[Event]] = []

    def read() -> None:
        with ask(server, headers={"idempotency-key": "one"}) as stream:
            results.append(stream.rest())

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [results[0]] * 8
    assert joined(results[0]) == TEXT
    assert len(provider.requests) == before + 1
    with ask(server, headers={"idempotency-key": "one"}) as stream:
        name = stream.response.headers["x-stream-id"]
    with ask(server, headers={"idempotency-key": "one", "last-event-id": f"{name}:3"}) as stream:
        assert stream.rest() == results[0][3:]


def test_the_same_key_for_another_request(serve: Any, provider: ScriptedProvider) -> None:
    provider.say("Hello")
    server = serve(tokens=TOKENS)
    key = {"idempotency-key": "two"}
    assert post(server, headers=ALICE | key).status_code == 200
    assert refused(post(server, {"prompt": "another"}, headers=ALICE | key)) == (409, "conflict")
    provider.say("For Bob")
    response = post(server, {"prompt": "another"}, headers=BOB | key)
    assert "For Bob" in response.text


@pytest.mark.parametrize("key", ["", "x" * 201, "\u00e9", "a\tb"])
def test_a_key_that_is_none(memory: Any, key: str) -> None:
    headers = {"idempotency-key": key.encode("latin-1")}
    assert refused(post(memory(), headers=headers)) == (400, "invalid_request")


# --- stopping and leaving ---


def test_stopping_one_panel(serve: Any, provider: ScriptedProvider) -> None:
    provider.say(Reply("Hello there", stall_after=1))
    server = serve()
    panels = [{"provider": "openai", "panel_id": name} for name in ("a", "b", "c")]
    with ask(server, {"prompt": "hi", "panels": panels}) as stream:
        stream.take(3)
        url = server.url + stream.response.headers["location"]
        assert refused(request("DELETE", url, params={"panel_id": "nobody"})) == (404, "not_found")
        assert request("DELETE", url, params={"panel_id": "b"}).status_code == 204
        (end,) = stream.take(1)
        assert (end.kind, end.data["panel_id"], end.data["code"]) == ("panel_error", "b", "cancelled")
        assert request("DELETE", url).status_code == 204
        rest = stream.rest()
    assert [(event.kind, event.data["panel_id"]) for event in rest[:2]] in (
        [("panel_error", "a"), ("panel_error", "c")],
        [("panel_error", "c"), ("panel_error", "a")],
    )
    assert kinds(rest)[2:] == ["batch_final"]
    assert request("DELETE", url).status_code == 204  # it has ended


def test_whoever_leaves_cancels(serve: Any, provider: ScriptedProvider) -> None:
    provider.say(Reply("Hello there", stall_after=1))
    server = serve(on_disconnect="cancel")
    hangups = len(provider.server.hangups)
    with ask(server) as stream:
        stream.take(1)
        location = stream.response.headers["location"]
        left = time.monotonic()
    assert provider.server.wait_hangup(count=hangups + 1) - left < 1.5  # a reader has a second to come back
    with opened("GET", server.url + location, headers={"last-event-id": "0"}) as stream:
        got = stream.rest()
    assert (got[-1].data["code"], got[-1].data["content"]) == ("cancelled", "Hello")


def test_whoever_leaves_cancels_before_the_first_token(serve: Any, provider: ScriptedProvider) -> None:
    provider.say(Script(stall_before_headers=True))
    server = serve(on_disconnect="cancel")
    seen, hangups = len(provider.requests), len(provider.server.hangups)
    with ask(server) as stream:
        stream.frame()
        wait_for(lambda: len(provider.requests) > seen)
        time.sleep(1.1)
        left = time.monotonic()
    assert provider.server.wait_hangup(count=hangups + 1) - left < 1.5


def test_whoever_comes_back_in_time_finds_it_running(serve: Any, provider: ScriptedProvider) -> None:
    provider.say(Reply(TEXT, speed=10.0))
    server = serve(on_disconnect="grace:1")
    hangups = len(provider.server.hangups)
    with ask(server) as stream:
        stream.take(1)
        url = server.url + stream.response.headers["location"]
    time.sleep(0.3)
    with opened("GET", url, headers={"last-event-id": "1"}) as stream:
        stream.take(1)
        time.sleep(1.0)  # the time of the first leaving is over
        stream.take(10)
    assert len(provider.server.hangups) == hangups
    provider.server.wait_hangup(count=hangups + 1)
    with opened("GET", url, headers={"last-event-id": "0"}) as stream:
        assert stream.rest()[-1].data["code"] == "cancelled"


def test_it_goes_on_without_a_reader(serve: Any, provider: ScriptedProvider) -> None:
    provider.say(Reply(TEXT, speed=120.0))
    server = serve(on_disconnect="continue")
    with ask(server) as stream:
        url = server.url + stream.response.headers["location"]
        stream.take(1)
    wait_for(lambda: request("GET", f"{server.url}/healthz").json()["streams"] == 0)
    with opened("GET", url, headers={"last-event-id": "0"}) as stream:
        assert joined(stream.rest()) == TEXT


@pytest.mark.parametrize("said", ["", "never", "grace", "grace:", "grace:-1", "grace:x", "grace:inf", "grace:nan"])
def test_what_becomes_of_a_stream_must_be_said_clearly(said: str) -> None:
    with pytest.raises(ConfigurationError, match="on_disconnect"):
        grace_of(said)


# --- how long, and how much ---


def test_nothing_is_kept_after_its_time(serve: Any, provider: ScriptedProvider, redis_server: Redis) -> None:
    provider.say("A secret word")
    server = serve(tokens=TOKENS, ttl_seconds=0.3)
    with ask(server, headers=ALICE) as stream:
        stream.rest()
    url = server.url + stream.response.headers["location"]
    assert request("GET", url, headers=ALICE | {"last-event-id": "1"}).status_code == 200
    time.sleep(1.0)
    kept = server.log
    if isinstance(kept, MemoryLog):
        assert kept.size == 0
        assert not kept._streams
    else:
        id = url.rpartition("/")[2]
        assert redis_server.ask("KEYS", f"*{id}*") == [f"msgmodel:{{{id}}}:meta".encode()]
        assert b"secret" not in b"".join(redis_server.ask("HVALS", f"msgmodel:{{{id}}}:meta"))
    assert refused(request("GET", url, headers=ALICE)) == (410, "expired")
    assert refused(request("DELETE", url, headers=ALICE)) == (410, "expired")
    assert refused(request("GET", url, headers=BOB)) == (404, "not_found")
    assert refused(request("GET", f"{server.url}/v1/streams/none", headers=ALICE)) == (404, "not_found")


def test_what_is_named_is_forgotten_too(provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("msgmodel.server.log.TOMBSTONE_SECONDS", 0.2)
    provider.say("wordfromreply")
    log = MemoryLog(ttl_seconds=0.1)
    with Uvicorn(create_app(log=log)) as server:
        for number in range(3):
            said = {"id": "1", "role": "user", "parts": [{"type": "text", "text": "wordfromprompt"}]}
            body = {"id": f"chat{number}", "trigger": "submit-message", "messages": [said]}
            assert request("POST", f"{server.url}/adapters/ai-sdk/chat", json=body).is_success
        assert "wordfrom" not in repr(log._names)
        time.sleep(0.5)
        post(server)
        assert "chat" not in repr(log._names)


def test_what_comes_while_a_server_is_late_goes_together(
    serve: Any, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("msgmodel.server.streams.LATE_SECONDS", -1.0)
    provider.say(Reply(TEXT, speed=100))
    server = serve()
    with ask(server) as stream:
        got = stream.rest()
    assert 3 <= kinds(got).count("panel_delta") <= 20
    assert numbers(got) == list(range(1, len(got) + 1))
    assert joined(got) == got[-1].data["content"] == TEXT
    assert (kinds(got)[-1], got[-1].data["status"]) == ("panel_final", "complete")


def test_a_stop_while_a_server_is_late(serve: Any, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("msgmodel.server.streams.LATE_SECONDS", -1.0)
    monkeypatch.setattr("msgmodel.server.streams.MERGE_SECONDS", 60.0)
    provider.say(Reply(TEXT, speed=100))
    server = serve()
    with ask(server) as stream:
        got = stream.take(1)
        assert request("DELETE", server.url + stream.response.headers["location"]).status_code == 204
        got += stream.rest()
    assert (kinds(got)[-1], got[-1].data["code"]) == ("panel_error", "cancelled")
    assert joined(got) == got[-1].data["content"]
    provider.server.wait_open_connections(0)


@pytest.mark.parametrize("reply", [Reply("Hello there", speed=100), Reply("Hello there", cut_after=1, cut="reset")])
def test_a_stream_that_ended_is_gone_without_the_garbage_collector(
    serve: Any, provider: ScriptedProvider, reply: Reply
) -> None:
    """`msgmodel serve` seldom runs it, as it holds up all streams: cycles would wait for it, and take memory."""
    provider.say(reply)
    server = serve()

    def whole() -> None:
        with ask(server) as stream:
            stream.rest()
        assert request("DELETE", server.url + stream.response.headers["location"]).status_code == 204

    whole()
    time.sleep(0.2)  # the server has done with it a little later than we have read it
    gc.collect()
    gc.disable()
    try:
        for _ in range(10):
            whole()
        time.sleep(0.2)
        assert gc.collect() < 10 * 5  # a cycle of one request is some 20 objects and more
    finally:
        gc.enable()


@pytest.mark.parametrize("size", [60, 900, 1200, 3000])
def test_a_reply_that_is_too_large_to_keep(provider: ScriptedProvider, size: int) -> None:
    provider.say("word " * 200 if size == 3000 else "word " * 10)
    with (
        Uvicorn(create_app(log=MemoryLog(max_stream_bytes=size))) as server,
        ask(server, timeout=5.0) as stream,
    ):
        got = stream.rest()
    assert got[-1].data["content"] == joined(got)
    assert kinds(got)[-1] in ("panel_final", "panel_error")
    if size == 60:  # less than an event
        assert (got[-1].data["code"], got[-1].data["retryable"]) == ("reply_too_large", False)


REFUSED: dict[str, tuple[dict[str, Any], Any, int, str]] = {
    "panels": ({"max_panels": 2}, {"prompt": "hi", "panels": [{"provider": "openai"}] * 3}, 422, "too_many_panels"),
    "prompt": ({"max_prompt_chars": 10}, {"prompt": "x" * 11}, 413, "prompt_too_long"),
    "prompts": (
        {"max_prompt_chars": 10},
        {"prompt": "x" * 6, "panels": [{"provider": "openai", "prompt": "x" * 6}]},
        413,
        "prompt_too_long",
    ),
    "history": (
        {"max_prompt_chars": 10},
        {"prompt": "x", "messages": [{"role": "user", "content": [{"type": "text", "text": "x" * 11}]}]},
        413,
        "prompt_too_long",
    ),
    "instruction": (
        {"max_prompt_chars": 10},
        {"prompt": "x", "options": {"system_instruction": "x" * 11}},
        413,
        "prompt_too_long",
    ),
    "body": ({"max_body_bytes": 100}, {"prompt": "x" * 100}, 413, "too_large"),
    "objects": ({}, {"prompt": "hi", "messages": [{}] * 250_001}, 413, "too_large"),
    "values": ({}, {"prompt": "hi", "options": {"tools": [{"a": [0] * 1_300_000}]}}, 413, "too_large"),
    "messages for all who are asked": (
        {},
        {
            "messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}] * 2_000,
            "panels": [{"provider": "openai"}] * 8,
            "options": {"fallbacks": ["openai"] * 8},
        },
        413,
        "prompt_too_long",
    ),
    "tokens": ({"max_tokens": 10}, {"prompt": "hi", "options": {"max_tokens": 11}}, 422, "too_many_tokens"),
    "tokens of a panel": (
        {"max_tokens": 10},
        {"prompt": "hi", "panels": [{"provider": "openai", "max_tokens": 11}]},
        422,
        "too_many_tokens",
    ),
    "provider": (
        {"providers": ("openai",)},
        {"prompt": "hi", "panels": [{"provider": "anthropic"}]},
        403,
        "provider_not_allowed",
    ),
    "fallback": (
        {"providers": ("openai",)},
        {"prompt": "hi", "options": {"fallbacks": ["anthropic"]}},
        403,
        "provider_not_allowed",
    ),
    "model": (
        {"models": ("gpt-*",)},
        {"prompt": "hi", "panels": [{"provider": "openai", "model": "o1-pro"}]},
        403,
        "model_not_allowed",
    ),
    "model of a fallback": (
        {"models": ("gpt-*",)},
        {"prompt": "hi", "panels": [{"provider": "openai"}], "options": {"fallbacks": [["openai", "o1-pro"]]}},
        403,
        "model_not_allowed",
    ),
    "path of a model": (
        {},
        {"prompt": "hi", "panels": [{"provider": "local", "model": "/etc/passwd"}]},
        403,
        "model_not_allowed",
    ),
    "unknown provider": ({}, {"prompt": "hi", "panels": [{"provider": "nobody"}]}, 422, "unknown_provider"),
    "unknown field": ({}, {"prompt": "hi", "api_key": "x"}, 422, "invalid_request"),
    "a key": ({}, {"prompt": "hi", "panels": [{"provider": "openai", "api_key": "x"}]}, 422, "invalid_request"),
    "an address": (
        {},
        {"prompt": "hi", "panels": [{"provider": "openai", "config": {"base_url": "http://evil"}}]},
        422,
        "invalid_request",
    ),
    "no prompt": ({}, {"prompt": ""}, 422, "invalid_request"),
    "same panels": (
        {},
        {"prompt": "hi", "panels": [{"provider": "openai", "panel_id": "a"}] * 2},
        422,
        "invalid_request",
    ),
    "base64": ({}, {"prompt": "hi", "files": [{"name": "a", "data": "%%"}]}, 422, "invalid_request"),
}


@pytest.mark.parametrize("case", list(REFUSED))
def test_limits(memory: Any, provider: ScriptedProvider, case: str) -> None:
    settings, body, status, code = REFUSED[case]
    before = len(provider.requests)
    assert refused(post(memory(**settings), body)) == (status, code)
    assert len(provider.requests) == before


def test_a_limit_is_set_where_nobody_asks(memory: Any, provider: ScriptedProvider) -> None:
    provider.say("Hello")
    server = memory(max_tokens=10, max_prompt_chars=5)
    assert post(server).status_code == 200
    assert provider.requests[-1].json["max_tokens"] == 10
    assert refused(request("GET", f"{server.url}/chat/stream?prompt=toolong"))[0] == 413


def test_a_reply_takes_only_so_long(memory: Any, provider: ScriptedProvider) -> None:
    provider.say(Reply("Hello", stall_after=0))
    server = memory(max_seconds=0.5)
    with ask(server, {"prompt": "hi", "options": {"deadline": 100}}) as stream:
        (end,) = stream.rest()
    assert end.data["code"] == "timeout"


def test_streams_of_one_client(serve: Any, provider: ScriptedProvider) -> None:
    provider.say(Reply("Hello", stall_after=0))
    server = serve(max_streams_per_client=2, tokens=TOKENS, on_disconnect="cancel")
    with ask(server, headers=ALICE) as first, ask(server, headers=ALICE) as second:
        first.frame(), second.frame()
        response = post(server, headers=ALICE)
        assert refused(response) == (429, "too_many_streams")
        assert int(response.headers["retry-after"]) > 0
        with ask(server, headers=BOB) as other:
            assert other.response.status_code == 200


def test_streams_of_all(serve: Any, provider: ScriptedProvider) -> None:
    """Also where many ask at the same moment."""
    provider.say(Reply("Hello", stall_after=0))
    server = serve(max_streams=3, on_disconnect="cancel")
    before = len(provider.requests)
    statuses: list[int] = []
    ready = threading.Barrier(12)

    def one() -> None:
        ready.wait()
        with ask(server) as stream:
            statuses.append(stream.response.status_code)
            if stream.response.status_code == 200:
                stream.frame()
                wait_for(lambda: len(statuses) == 12)

    threads = [threading.Thread(target=one) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] * 3 + [503] * 9
    assert len(provider.requests) <= before + 3


def test_many_at_once(serve: Any, provider: ScriptedProvider) -> None:
    """More than any pool of connections holds."""
    provider.say("Hello there")
    server = serve(max_streams_per_client=1000)
    results: list[Any] = []

    def one() -> None:
        response = post(server)
        results.append((response.status_code, response.text.count("panel_final")))

    threads = [threading.Thread(target=one) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [(200, 1)] * 100


# --- who may ask ---


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/panels"),
        ("GET", "/v1/streams/x"),
        ("DELETE", "/v1/streams/x"),
        ("GET", "/v1/providers"),
        ("GET", "/v1/models"),
        ("GET", "/chat/stream?prompt=hi"),
        ("POST", "/chat/stream?prompt=hi"),
        ("POST", "/adapters/ai-sdk/chat"),
        ("GET", "/adapters/ai-sdk/chat/x/stream"),
        ("POST", "/adapters/ag-ui"),
        ("POST", "/v1/chat/completions"),
    ],
)
@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer wrong-0123456789abcdef", f"Basic {TOKENS[0]}", TOKENS[0]]
)
def test_a_token_is_needed(shared: Uvicorn, method: str, path: str, authorization: str | None) -> None:
    headers = {} if authorization is None else {"authorization": authorization}
    response = request(method, shared.url + path, headers=headers, json={"prompt": "hi"})
    assert refused(response) == (401, "unauthorized")
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.fixture(scope="module")
def shared() -> Iterator[Uvicorn]:
    with Uvicorn(create_app(Settings(tokens=TOKENS))) as server:
        yield server


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json", "/"])
def test_what_needs_no_token(shared: Uvicorn, path: str) -> None:
    assert request("GET", shared.url + path).status_code in (200, 404 if path == "/" else 200)


def test_the_list_of_running_streams_is_the_owners(serve: Any, provider: ScriptedProvider) -> None:
    provider.say(Reply("Hello there", stall_after=1))
    server = serve(tokens=TOKENS)
    url = f"{server.url}/v1/streams"
    with ask(server, headers=ALICE) as stream:
        stream.take(1)
        id = stream.response.headers["x-stream-id"]
        assert request("GET", url, headers=ALICE).json() == {"streams": [{"id": id, "panels": ["openai"]}]}
        assert request("GET", url, headers=BOB).json() == {"streams": []}
        assert request("DELETE", f"{url}/{id}", headers=ALICE).status_code == 204
        stream.rest()
    wait_for(lambda: not request("GET", url, headers=ALICE).json()["streams"], 5.0)


def test_streams_are_their_owners(serve: Any, provider: ScriptedProvider) -> None:
    provider.say(Reply("Hello there", stall_after=1))
    server = serve(tokens=TOKENS)
    with ask(server, headers=ALICE) as stream:
        stream.take(1)
        url = server.url + stream.response.headers["location"]
        assert refused(request("GET", url, headers=BOB)) == (404, "not_found")
        assert refused(request("GET", url, headers=BOB | {"last-event-id": "0"})) == (404, "not_found")
        assert refused(request("DELETE", url, headers=BOB)) == (404, "not_found")
        assert request("DELETE", url, headers=ALICE).status_code == 204
        assert kinds(stream.rest()) == ["panel_error"]


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.evil.example", "", "[::2]", "127.0.0.2"],
)
def test_another_host(shared: Uvicorn, host: str) -> None:
    """A page elsewhere whose name suddenly is 127.0.0.1."""
    assert refused(request("GET", f"{shared.url}/v1/providers", headers=ALICE | {"host": host}))[0] == 421
    assert request("GET", f"{shared.url}/healthz", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:99", "[::1]", "[::1]:80"])
def test_our_own_hosts(shared: Uvicorn, host: str) -> None:
    assert request("GET", f"{shared.url}/v1/providers", headers=ALICE | {"host": host}).status_code == 200


def test_a_host_by_its_name(memory: Any) -> None:
    server = memory(hosts=("chat.example",))
    url = f"{server.url}/v1/providers"
    assert request("GET", url, headers={"host": "Chat.example:443"}).status_code == 200
    assert request("GET", url, headers={"host": "evil.example"}).status_code == 421
    anybody = memory(hosts=("*",))
    assert request("GET", f"{anybody.url}/v1/providers", headers={"host": "evil.example"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://127.0.0.1"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "http://["},
        {"origin": "http://[::1"},
        {"origin": "nonsense"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "nonsense"},
        {"sec-fetch-site": "Same-Origin", "origin": "http://localhost:5173"},
    ],
)
@pytest.mark.parametrize(("method", "path"), [("GET", "/chat/stream?prompt=hi"), ("POST", "/v1/panels")])
def test_pages_of_others(
    shared: Uvicorn, provider: ScriptedProvider, headers: dict[str, str], method: str, path: str
) -> None:
    before = len(provider.requests)
    response = request(method, shared.url + path, headers=ALICE | headers, json={"prompt": "hi"})
    assert refused(response) == (403, "cross_origin")
    assert not [name for name in response.headers if name.startswith("access-control")]
    assert len(provider.requests) == before


@pytest.mark.parametrize("origin", [None, "http://localhost:5173"])
def test_our_own_page(shared: Uvicorn, provider: ScriptedProvider, origin: str | None) -> None:
    """Also behind a development proxy, whose page has another origin than the server."""
    provider.say("Hello")
    headers = ALICE | {"origin": origin or shared.url, "sec-fetch-site": "same-origin"}
    response = request("POST", f"{shared.url}/v1/panels", headers=headers, json={"prompt": "hi"})
    assert response.status_code == 200
    assert not [name for name in response.headers if name.startswith("access-control")]


def test_no_preflight_succeeds(shared: Uvicorn) -> None:
    headers = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    response = request("OPTIONS", f"{shared.url}/v1/panels", headers=headers)
    assert response.status_code == 405
    assert not [name for name in response.headers if name.startswith("access-control")]


@pytest.mark.parametrize("media_type", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_forms_of_other_pages(shared: Uvicorn, media_type: str | None) -> None:
    headers = ALICE | ({"content-type": media_type} if media_type else {})
    response = request("POST", f"{shared.url}/v1/panels", headers=headers, content=b'{"prompt": "hi"}')
    assert refused(response) == (415, "unsupported_media_type")


# --- the rest ---


def test_the_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from msgmodel.server import page

    folder = tmp_path / "page"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<p>hello")
    (folder / "assets" / "a-1.js").write_text("1")
    (tmp_path / "secret").write_text("a secret")
    monkeypatch.setattr(page, "PAGE_FOLDER", folder)
    with Uvicorn(create_app(Settings(tokens=TOKENS))) as server:
        response = request("GET", server.url, headers={"sec-fetch-site": "cross-site"})  # a link may lead here
        assert response.text == "<p>hello"
        policy = response.headers["content-security-policy"]
        assert "unsafe" not in policy
        for part in ("default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'"):
            assert part in policy
        assert "frame-ancestors 'none'" in policy
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "immutable" in request("GET", f"{server.url}/assets/a-1.js").headers["cache-control"]
        for path in (
            "/nothing",
            "/../secret",
            "/%2e%2e/secret",
            "/..%2fsecret",
            "/assets",
            "/%00",
            "/a%00b",
            "/" + "a" * 3000,
        ):
            answer = exchange(
                server.port, f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode()
            )
            assert b"secret" not in answer
            assert answer[:12] in (b"HTTP/1.1 404", b"HTTP/1.1 400", b"HTTP/1.1 307"), (path, answer)


def test_without_a_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from msgmodel.server import page

    monkeypatch.setattr(page, "PAGE_FOLDER", tmp_path)
    with Uvicorn(create_app()) as server:
        assert request("GET", server.url).status_code == 404


def test_local_servers_need_no_variable(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """They can be chosen, though no variable says that they are there; the server's default stays another."""
    for name in ("OLLAMA_HOST", "VLLM_BASE_URL"):
        monkeypatch.delenv(name)
    found = request("GET", f"{memory(providers=('ollama', 'vllm', 'openai')).url}/v1/providers").json()
    assert {row["name"]: (row["ready"], row["needs_key"]) for row in found["providers"]} == {
        "openai": (True, True), "ollama": (False, False), "vllm": (False, False),
    }  # fmt: skip
    assert found["default"] == "openai"


def test_providers(memory: Any, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    server = memory(providers=("openai", "anthropic"), models=("gpt-*",), max_tokens=5)
    response = request("GET", f"{server.url}/v1/providers")
    found = response.json()
    assert KEY not in response.text
    assert [(row["name"], row["ready"], row["local"]) for row in found["providers"]] == [
        ("openai", True, False),
        ("anthropic", False, False),
    ]
    assert set(found["providers"][0]) == {"name", "default_model", "wire", "ready", "needs_key", "local"}
    assert (found["default"], found["models"]) == ("openai", ["gpt-*"])
    assert {row["wire"] for row in found["providers"]} <= set(found["files"])
    assert "video/mp4" in found["files"]["gemini"]["types"]
    assert found["files"]["local"] == {"text": 10_000_000, "types": {}}
    assert set(found["limits"]) == {"max_panels", "max_prompt_chars", "max_body_bytes", "max_tokens"}
    assert found["limits"]["max_tokens"] == 5


def test_models(memory: Any, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each can be asked by the name that is listed."""
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    server = memory(providers=("openai", "anthropic", "gemini"), models=("gpt-*", "claude-*"))
    found = request("GET", f"{server.url}/v1/models").json()
    id = f"openai/{msgmodel.providers.find_provider('openai').default_model}"
    assert found == {"object": "list", "data": [{"id": id, "object": "model", "created": 0, "owned_by": "openai"}]}
    body = {"model": id, "messages": [{"role": "user", "content": "hi"}]}
    answer = request("POST", f"{server.url}/v1/chat/completions", json=body)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("name", ["tokens", "hosts", "providers", "models"])
@pytest.mark.parametrize("value", ["local", (1,)])
def test_settings_that_are_no_tuple_of_strings(name: str, value: Any) -> None:
    """Each letter of a string may be a provider's short name."""
    with pytest.raises(ConfigurationError, match=f"{name} must be a tuple of strings"):
        Settings(**{name: value})


def test_health(serve: Any) -> None:
    server = serve()
    assert request("GET", f"{server.url}/healthz").json()["status"] == "ok"
    assert request("GET", f"{server.url}/readyz").json() == {"status": "ok"}


def test_no_such_path(memory: Any) -> None:
    server = memory()
    assert refused(request("GET", f"{server.url}/v1/nothing"))[0] == 404
    assert refused(request("PUT", f"{server.url}/v1/panels"))[0] == 405


def test_keys_never_leave(memory: Any, provider: ScriptedProvider, caplog: pytest.LogCaptureFixture) -> None:
    """Not even where a provider quotes one."""
    provider.say(
        Script.json(401, {"error": {"message": f"Incorrect API key provided: {KEY}", "code": "invalid_api_key"}})
    )
    response = post(memory())
    assert "panel_error" in response.text
    assert KEY not in response.text
    assert KEY not in caplog.text


def test_nothing_of_what_is_said_is_logged(
    serve: Any, provider: ScriptedProvider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "msgmodel")
    server = serve()
    for reply in (Reply("wordfromreply"), Reply("wordfromreply " * 3, cut_after=1), Reply(error=400)):
        provider.say(reply)
        post(server, {"prompt": "wordfromprompt", "options": {"max_retries": 0}})
    post(server, {"prompt": "wordfromprompt", "panels": 3})
    request("POST", f"{server.url}/v1/panels", content=b'"wordfromprompt', headers={"content-type": "application/json"})
    assert "wordfrom" not in caplog.text


@pytest.mark.parametrize(
    "settings",
    [
        {"tokens": ("short",)},
        {"tokens": ("a token with blanks in it",)},
        {"max_panels": 0},
        {"max_body_bytes": -1},
        {"ttl_seconds": 0},
        {"ttl_seconds": float("nan")},
        {"grace_seconds": -1},
        {"grace_seconds": float("nan")},
        {"grace_seconds": float("inf")},
        {"max_seconds": float("inf")},
        {"max_reply_bytes": 1000},
        {"max_reply_bytes": 1e9},
        {"max_memory_bytes": 1_000_000},
        {"max_memory_bytes": 1e9},
        {"ttl_seconds": float("inf")},
        {"max_tokens": 0},
        {"providers": ("nobody",)},
        {"default_provider": "nobody"},
        {"providers": ("openai",), "default_provider": "anthropic"},
        {"on_disconnect": "never"},
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, Any]) -> None:
    with pytest.raises((ConfigurationError, msgmodel.MsgModelError)):
        Settings(**settings)


# --- the command ---


def test_serve(tmp_path: Path, provider: ScriptedProvider) -> None:
    provider.say(Reply("wordfromreply there"))
    with Serving(tmp_path, provider) as server:
        assert server.url.startswith("http://127.0.0.1:")
        with ask(server, {"prompt": "wordfromprompt"}) as stream:
            assert joined(stream.rest()) == "wordfromreply there"
        with opened("GET", f"{server.url}/chat/stream?prompt=wordfromprompt") as stream:
            assert kinds(stream.rest())[-1] == "panel_final"
        assert exchange(server.port, b"nonsense wordfromprompt\r\n\r\n").startswith(b"HTTP/1.1 400")
        server.stop()
        assert "wordfrom" not in server.said
        assert "Traceback" not in server.said
        assert KEY not in server.said


def test_sigterm_gives_running_streams_their_time(tmp_path: Path, provider: ScriptedProvider) -> None:
    with Serving(tmp_path, provider, "--grace", "1.5") as server:
        provider.say(Reply("One two three", speed=4.0))
        with ask(server) as short:
            short.take(1)
            provider.say(Reply("Hello there", stall_after=1))
            with ask(server) as long:
                long.take(1)
                with httpx2.Client(trust_env=False) as idle:
                    assert idle.get(f"{server.url}/readyz").status_code == 200
                    began = time.monotonic()
                    server.process.send_signal(signal.SIGTERM)
                    wait_for(lambda: not accepts(server, idle))
                assert kinds(short.rest())[-1] == "panel_final"
                (end,) = long.rest()
                assert 1.0 < time.monotonic() - began < 10
        assert (end.kind, end.data["code"], end.data["content"]) == ("panel_error", "interrupted", "Hello")
        server.process.wait(20)
        assert time.monotonic() - began < 15
        assert "Traceback" not in server.said


@pytest.mark.parametrize("late", [0.0, 0.3])
def test_a_stream_that_begins_while_the_server_closes_is_ended(provider: ScriptedProvider, late: float) -> None:
    written: list[list[bytes]] = []

    class Late(MemoryLog):
        async def begin(self, id: str, head: StreamHeader) -> Any:
            await asyncio.sleep(late)
            return await super().begin(id, head)

        async def close(self) -> None:
            written.extend(stream.lines for stream in self._streams.values())
            await super().close()

    async def run() -> None:
        streams = RunningStreams(Late(), MemoryBudget(1 << 30), grace_seconds=60.0)
        batch = astream_many([Panel("openai", config=provider.config("openai_chat"), panel_id="a")], "hi")
        starting = asyncio.create_task(streams.start_stream("x", StreamHeader("", ("a",)), "client", batch))
        await asyncio.sleep(0)  # it is under way
        await streams.close(0.0)
        assert await starting

    provider.say(Reply("Hello", stall_after=0))
    asyncio.run(run())
    ((end,),) = written
    assert (json.loads(end)["event"], json.loads(end)["code"]) == ("panel_error", "interrupted")


def accepts(server: Serving, client: httpx2.Client) -> bool:
    """Whether a stream can still be begun, on an old connection or a new one."""
    try:
        return client.post(f"{server.url}/v1/panels", json={}).status_code != 503
    except httpx2.HTTPError:
        return False


def test_ctrl_c_waits_for_nobody(tmp_path: Path, provider: ScriptedProvider) -> None:
    provider.say(Reply("Hello there", stall_after=1))
    with Serving(tmp_path, provider) as server, ask(server) as stream:
        stream.take(1)
        began = time.monotonic()
        server.process.send_signal(signal.SIGINT)
        (end,) = stream.rest()
        assert end.data["code"] == "interrupted"
        server.process.wait(20)
        assert time.monotonic() - began < 8
        assert "Traceback" not in server.said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--host", "0.0.0.0"), "MSGMODEL_TOKEN"),
        (("--host", "127.0.0.2"), "MSGMODEL_TOKEN"),
        (("--host", ""), "MSGMODEL_TOKEN"),
        (("--token", "short"), "token"),
        (("--on-disconnect", "never"), "on_disconnect"),
        (("--grace", "nan"), "grace"),
        (("--grace", "inf"), "grace"),
        (("--ttl", "nan"), "ttl"),
        (("--max-panels", "0"), "max_panels"),
        (("--provider", "nobody"), "nobody"),
        (("--redis", "http://x"), "redis"),
        (("--port", "70000"), "port"),
    ],
)
def test_options_that_make_no_sense(
    options: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from msgmodel.cli import exits
    from msgmodel.cli.app import main

    monkeypatch.delenv("MSGMODEL_TOKEN", raising=False)
    assert main(["serve", "--port", "0", *options]) == exits.CONFIGURATION
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said


def test_a_port_that_is_taken(tmp_path: Path, provider: ScriptedProvider) -> None:
    port = re.search(r":(\d+)$", provider.url)
    assert port
    server = Serving(tmp_path, provider, "--port", port[1])
    assert server.process.wait(60) != 0
    assert "Traceback" not in server.said
    assert "in use" in server.said


def test_beyond_loopback(tmp_path: Path, provider: ScriptedProvider, elsewhere: Elsewhere) -> None:
    """With a token; and a client that vanishes is left after two seconds."""
    provider.say(Reply("Hello there", stall_after=1))
    token = TOKENS[0]
    options = ("--host", elsewhere.address, "--on-disconnect", "cancel")
    with Serving(tmp_path, provider, *options, MSGMODEL_TOKEN=token) as server:
        assert refused(request("GET", f"{server.url}/v1/providers")) == (401, "unauthorized")
        assert request("GET", f"{server.url}/v1/providers", headers=bearer(token)).status_code == 200
        hangups, seen = len(provider.server.hangups), len(provider.requests)
        asked = (
            f"GET /chat/stream?prompt=hi HTTP/1.1\r\nhost: {elsewhere.address}:{server.port}\r\n"
            f"authorization: Bearer {token}\r\n\r\n"
        )
        reader = elsewhere.run(READER, elsewhere.address, str(server.port), asked)
        assert reader.stdout is not None
        assert reader.stdout.readline() == "200\n"
        wait_for(lambda: len(provider.requests) > seen)
        elsewhere.cut()
        cut = time.monotonic()
        assert provider.server.wait_hangup(count=hangups + 1, timeout=10.0) - cut < 4.5
        reader.kill()
        reader.communicate()
