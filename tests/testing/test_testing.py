"""The public kit: what a scripted provider says arrives, on every wire and in both colours; recordings play back."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import subprocess
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

import msgmodel
from conftest import Async, Sync
from msgmodel import ConfigurationError
from msgmodel.testing import Pause, Reply, Script, ScriptedProvider, Send, record, replay
from msgmodel.testing.provider import wire_of
from msgmodel.testing.recording import _Asterisks, _find_credentials
from msgmodel.testing.wires import WIRES, Wire

NAME = {"openai_chat": "openai", "openai_responses": "openai", "anthropic": "anthropic", "gemini": "gemini"}


@pytest.fixture
def provider() -> Any:
    with ScriptedProvider() as running:
        yield running


def panel(colour: Sync | Async, provider: ScriptedProvider, wire: str, **options: Any) -> list[Any]:
    options = {"max_retries": 0, "timeout": 5, "panel_id": "p"} | options
    return colour.panels(NAME[wire], "hi", config=provider.config(wire), **options)


@pytest.mark.parametrize("wire", WIRES)
def test_text_comes_in_words(shared_colour: Sync | Async, provider: ScriptedProvider, wire: Wire) -> None:
    provider.say("Hello there,\nyou ")
    *deltas, last = panel(shared_colour, provider, wire)
    assert [event["delta"] for event in deltas] == ["Hello", " there,", "\nyou "]
    assert (last["status"], last["wire"], last["content"]) == ("complete", wire, "Hello there,\nyou ")
    assert last["usage"]["source"] == "provider"


@dataclass
class Comet:
    """A comet."""

    name: str
    returns: date


class Moon(pydantic.BaseModel):
    """A moon."""

    name: str
    found: date


HALLEY, IO = Comet("Halley é", date(2061, 7, 28)), Moon(name="Io", found=date(1610, 1, 8))
FOUND = {"type": "object", "properties": {"found": {"type": "boolean"}}, "required": ["found"]}


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize(
    ("output", "value"),
    [
        (Comet, HALLEY),
        (list[Comet], [HALLEY, HALLEY]),
        (Moon, IO),
        (list[Moon], []),
        (FOUND, {"found": False}),
        ({"type": "integer"}, 0),
        ("json", {"a": [1, None]}),
    ],
)
def test_an_object(
    shared_colour: Sync | Async, provider: ScriptedProvider, wire: Wire, output: Any, value: Any
) -> None:
    provider.say(Reply(object=value))
    found = shared_colour.query(NAME[wire], "hi", config=provider.config(wire), output=output)
    assert (found.object, found.status) == (value, "complete")


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize(
    ("faults", "ending"),
    [
        ({"truncated": True}, "truncated"),
        ({"cut_after": 2}, "interrupted"),
        ({"cut_after": 3, "cut": "reset"}, "interrupted"),
    ],
)
def test_an_object_that_breaks(
    shared_colour: Sync | Async, provider: ScriptedProvider, wire: Wire, faults: Any, ending: str
) -> None:
    provider.say(replace(Reply(object=HALLEY), **faults))
    last = panel(shared_colour, provider, wire, output=Comet)[-1]
    assert (last.get("status") or last["code"], last["object"]) == (ending, None)
    assert last["partial"]["name"].startswith("Halley")


@pytest.mark.parametrize("wire", WIRES)
def test_endings(shared_colour: Sync | Async, provider: ScriptedProvider, wire: Wire) -> None:
    provider.say(
        Reply("Hel lo", truncated=True),
        Reply(refusal="I can't"),
        Reply("a b c", cut_after=2),
        Reply("a b c", cut_after=1, cut="fin"),
        Reply("a b c", cut_after=3, cut="reset"),
        Reply("a b c", breaks_off_after=1),
        Reply("a b c", stall_after=2),
        Reply(error=429, retry_after=7),
        Reply("a b", finish="surprise", usage=False),
        Reply("x y", pieces=["x", " y"], speed=200),
    )
    lasts = [panel(shared_colour, provider, wire, timeout=0.5)[-1] for _ in range(10)]
    kinds = [last.get("code") or last["status"] for last in lasts]
    broken = {"openai_chat": "server", "openai_responses": "server"}.get(wire, "overloaded")
    assert kinds == [
        *("truncated", "filtered", "interrupted", "interrupted", "interrupted", broken, "timeout", "rate_limit"),
        *("unknown", "complete"),
    ]
    assert [last["content"] for last in lasts] == ["Hel lo", "", "a b", "a", "a b c", "a", "a b", "", "a b", "x y"]
    assert lasts[0]["truncated_in"] == "text"
    assert lasts[7]["retry_after"] == 7
    assert lasts[8]["usage"]["source"] == "estimated"


@pytest.mark.parametrize("wire", WIRES)
def test_parts(shared_colour: Sync | Async, provider: ScriptedProvider, wire: Wire) -> None:
    calls: Any = [{"name": "weather", "arguments": {"city": "Köln"}, "id": "c1"}, {"name": "now", "arguments": "{}"}]
    sources: Any = [{"url": "https://example.com/a", "title": "A"}]
    provider.say(Reply("It is", reasoning="Let me think", signature="c2ln", tool_calls=calls, sources=sources))
    events = panel(shared_colour, provider, wire)
    last = events[-1]
    assert last["reasoning"] == "Let me think"
    assert last["content"] == "It is"
    assert last["status"] == "tool_calls"
    assert [(call["name"], call["arguments_json"], call["complete"]) for call in last["tool_calls"]] == [
        ("weather", {"city": "Köln"}, True),
        ("now", {}, True),
    ]
    assert last["tool_calls"][0]["id"] == "c1"
    assert [(source["url"], source["title"]) for source in last["sources"]] == [("https://example.com/a", "A")]
    kinds = {event["event"] for event in events}
    assert kinds == {"panel_reasoning", "panel_delta", "panel_tool_call", "panel_source", "panel_final"}


def test_paused(shared_colour: Sync | Async, provider: ScriptedProvider) -> None:
    provider.say(Reply("a", paused=True))
    assert panel(shared_colour, provider, "anthropic")[-1]["status"] == "paused"
    provider.say(Reply("a", paused=True), "b")
    assert panel(shared_colour, provider, "gemini")[-1]["content"] == "ab"
    with pytest.raises(ConfigurationError, match="has no pause"):
        Reply("a", paused=True).script("openai_chat")
    with pytest.raises(ConfigurationError, match="does not return status 529"):
        Reply(error=529).script("gemini")


@pytest.mark.parametrize("wire", WIRES)
def test_the_model_that_was_asked_for_answers(
    shared_colour: Sync | Async, provider: ScriptedProvider, wire: Wire
) -> None:
    model = {"anthropic": "claude-sonnet-5-5", "gemini": "gemini-4 hydrogen"}.get(wire, "gpt-6-sol")
    reply = shared_colour.query(NAME[wire], "hi", config=provider.config(wire), model=model)
    assert reply.model == model


def test_a_question_that_names_no_model_is_answered_too(provider: ScriptedProvider) -> None:
    for body in (b"no JSON", b"[]", b'{"model": 5}'):
        with urlopen(f"{provider.url}/v1/chat/completions", data=body) as answer:
            assert b'"model":"gpt-6-luna"' in answer.read()


def test_answers_made_from_requests(provider: ScriptedProvider) -> None:
    provider.say(lambda request: "You said " + request.json["messages"][-1]["content"])
    assert msgmodel.query("openai", "hello", config=provider.config("openai")).text == "You said hello"
    assert provider.requests[-1].headers["authorization"] == "Bearer test-key-0123456789"
    provider.say(Script.json(418, {"error": {"message": "teapot"}}))
    with pytest.raises(msgmodel.APIError, match="teapot"):
        msgmodel.query("anthropic", "hello", config=provider.config("anthropic"))


def test_a_path_that_no_wire_has(provider: ScriptedProvider) -> None:
    config = msgmodel.OpenAIConfig(base_url=provider.url + "/v1", body={})
    provider.say("x")
    assert wire_of("/v1/embeddings?x") is None
    import httpx2

    assert httpx2.post(provider.url + "/v1/embeddings", json={}, trust_env=False).status_code == 404
    assert msgmodel.query("openai", "hi", config=config).text == "x"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"refusal": "no", "truncated": True}, "refusal and truncated"),
        ({"text": "a", "cut_after": 0, "error": 429}, "cut_after and error"),
        ({"text": "a", "refusal": "no"}, "takes the place of text"),
        ({"text": "a", "pieces": ["b"]}, "must be the text"),
        ({"text": "a", "object": [1]}, "an object takes the place of text"),
        ({"object": object()}, "object can't be sent as JSON"),
        ({"object": {"a": {1j}}}, "object can't be sent as JSON"),
        ({"text": "a", "speed": 0}, "speed"),
        ({"text": "a b", "cut_after": 3}, "between 0 and the number of pieces, 2"),
        ({"error": 200}, "no supported provider returns status 200"),
    ],
)
def test_what_no_provider_could_say(fields: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        Reply(**fields)


def test_bad_answers(provider: ScriptedProvider) -> None:
    with pytest.raises(ConfigurationError, match="at least one answer"):
        provider.say()
    with pytest.raises(ConfigurationError, match="not int"):
        provider.say(5)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="not reached over a network"):
        provider.config("local")


# --- the fixture, and the sample project ---


def test_the_fixture_stands_in_for_every_provider(scripted_provider: ScriptedProvider) -> None:
    scripted_provider.say("I am here")
    assert [msgmodel.query(name, "hi").text for name in ("openai", "anthropic", "gemini")] == ["I am here"] * 3


def test_the_sample_project() -> None:
    sample = Path(__file__).parents[2] / "examples" / "testing"
    if not sample.is_dir():
        pytest.skip("the examples are not here")
    lines = (sample / "test_chat_app.py").read_text().splitlines()
    assert len([line for line in lines if line.strip()]) < 30
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=sample, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "4 passed" in done.stdout, done.stdout + done.stderr


# --- recordings ---


@pytest.mark.parametrize("wire", WIRES)
def test_what_was_recorded_plays_back(
    colour: Sync | Async, provider: ScriptedProvider, wire: Wire, tmp_path: Path
) -> None:
    path = tmp_path / "hello.jsonl"
    provider.say(Reply("Hello \u2028 wörld", speed=100))
    with record(path) as recording:
        client = recording.client if isinstance(colour, Sync) else recording.async_client
        first = panel(colour, provider, wire, http_client=client)
        if isinstance(colour, Async):
            colour.run(recording.async_client.aclose())
    lines = [json.loads(line) for line in path.read_text("utf-8").split("\n")[:-1]]
    assert lines[0]["status"] == 200
    assert lines[-1]["end"] == "clean"
    assert "?" not in lines[0]["path"]
    assert "test-key" not in path.read_text()
    with replay(path, speed=0) as player:
        assert without_clock(panel(colour, player, wire)) == without_clock(first)
    with replay(path, cut_at=len("".join(line.get("text", "") for line in lines[:3]).encode())) as player:
        last = panel(colour, player, wire)[-1]
        assert (last["event"], last["code"]) == ("panel_error", "interrupted")


def without_clock(events: list[Any]) -> list[Any]:
    return [{k: v for k, v in event.items() if k not in ("timing", "privacy")} for event in events]


def test_streams_in_the_order_in_which_they_began(provider: ScriptedProvider, tmp_path: Path) -> None:
    path = tmp_path / "two.jsonl"
    provider.say("one", Reply("two three", cut_after=1, cut="fin"))
    with record(path) as recording:
        assert (
            msgmodel.query("openai", "hi", config=provider.config("openai"), http_client=recording.client).text == "one"
        )
        with pytest.raises(msgmodel.StreamingError):
            msgmodel.query("openai", "hi", config=provider.config("openai"), http_client=recording.client)
    with path.open("a") as file:
        file.write('{"stream": 2, "at"')  # a crash in the middle of a line
    with replay(path, speed=float("inf")) as player:
        assert msgmodel.query("openai", "hi", config=player.config("openai")).text == "one"
        with pytest.raises(msgmodel.StreamingError) as error:
            msgmodel.query("openai", "hi", config=player.config("openai"))
        assert error.value.content == "two"


def test_an_echoed_key_is_not_recorded(provider: ScriptedProvider, tmp_path: Path) -> None:
    key = "sk-a-very-secret-key"
    path = tmp_path / "echo.jsonl"
    echo = [b": your key is sk-a-very-", b"secret-key, is it\n\n", b"\xff\xfe"]
    provider.say(Script(steps=tuple(step for piece in echo for step in (Send(piece), Pause(0.05)))))
    with record(path) as recording:
        config = provider.config("openai", api_key=key)
        list(msgmodel.stream_panels("openai", "hi", config=config, http_client=recording.client, max_retries=0))
    written = path.read_text()
    assert "secret" not in written
    with replay(path, speed=0) as player:
        import httpx2

        body = httpx2.post(player.url + "/v1/chat/completions", json={}, trust_env=False).content
    assert body == b"".join(echo).replace(key.encode(), b"*" * len(key))


@pytest.mark.parametrize(
    ("secret", "config"),
    [
        ("QUERYSECRET123", {"base_url": "?key=QUERYSECRET123&api-version=2026-01-01"}),
        ("QUERY/SECRET 123", {"base_url": "?key=QUERY%2FSECRET+123"}),
        ("short7x", {"api_key": "short7x"}),
        ('a"quoted\\key/here', {"api_key": 'a"quoted\\key/here'}),
        ("FIRSTSECRET", {"headers": {"x-mine": "FIRSTSECRET SECONDSECRET"}}),
        ("SECONDSECRET", {"headers": {"x-mine": "FIRSTSECRET SECONDSECRET"}}),
        ("FIRSTSECRET SECONDSECRET", {"headers": {"x-mine": "FIRSTSECRET SECONDSECRET"}}),
        ("test-key-0123456789AND-MORE", {"headers": {"x-mine": "test-key-0123456789AND-MORE"}}),
        ("CRUMBLE", {"headers": {"cookie": "lang=en; session=CRUMBLE"}}),
        ("pass-word", {"headers": {"authorization": "Basic dXNlcjpwYXNzLXdvcmQ="}}),
        ("dXNlcjpwYXNzLXdvcmQ=", {"headers": {"authorization": "Basic dXNlcjpwYXNzLXdvcmQ="}}),
    ],
)
def test_no_credential_is_recorded(provider: ScriptedProvider, tmp_path: Path, secret: str, config: Any) -> None:
    """However the server writes it, and in whatever pieces; nothing else is covered."""
    forms = {secret, json.dumps(secret)[1:-1], json.dumps(secret)[1:-1].replace("/", "\\/"), quote(secret, safe="")}
    echo = "".join(f": Bearer 2026-01-01 [{form}]\n\n" for form in sorted(forms))
    asking = provider.config("openai")
    asking = replace(asking, **config | {"base_url": f"{asking.base_url}{config.get('base_url', '')}"})
    for pieces in (None, 1, 7):
        provider.say(Script.body(echo.encode(), pieces=pieces))
        with record(tmp_path / "echo.jsonl") as recording:
            list(msgmodel.stream_panels("openai", "hi", config=asking, http_client=recording.client, max_retries=0))
        lines = [json.loads(line) for line in (tmp_path / "echo.jsonl").read_text("utf-8").split("\n")[:-1]]
        body = "".join(line.get("text", "") for line in lines)
        assert re.sub(r"\*+", "*", body) == ": Bearer 2026-01-01 [*]\n\n" * len(forms)


def test_the_user_in_an_address_is_not_recorded(provider: ScriptedProvider, tmp_path: Path) -> None:
    import httpx2

    provider.say(Script.body(b": bob-the-user and pass-word\n\n"))
    path = tmp_path / "echo.jsonl"
    with record(path) as recording:
        address = provider.url.replace("//", "//bob-the-user:pass-word@") + "/v1/chat/completions"
        recording.client.post(address, json={})
        request = httpx2.Request("GET", address)  # as a client that makes no header of it would send it
        assert {b"bob-the-user", b"pass-word"} <= set(_find_credentials(request))
    assert "************ and *********" in path.read_text()


def test_what_only_looks_like_a_credential(tmp_path: Path) -> None:
    import httpx2

    headers = {"authorization": "Basic ???", "content-type": "application/json", "x-count": "12"}
    found = _find_credentials(httpx2.Request("POST", "https://a.b/c?alt=sse", headers=headers))
    assert set(found) == {b"Basic ???", b"Basic%20%3F%3F%3F", b"Basic+%3F%3F%3F"}


def test_what_is_compressed_is_recorded_decoded(
    colour: Sync | Async, provider: ScriptedProvider, tmp_path: Path
) -> None:
    """A credential would hide in it; and it could not be played back."""
    body = gzip.compress(b"".join(step.data for step in _sent(Reply("test-key-0123456789"))))
    headers = {"content-type": "text/event-stream", "content-encoding": "gzip"}
    provider.say(Script(headers=headers, steps=(Send(body[:30]), Pause(0.05), Send(body[30:]))))
    path = tmp_path / "gzip.jsonl"
    with record(path) as recording:
        client = recording.client if isinstance(colour, Sync) else recording.async_client
        assert panel(colour, provider, "openai_chat", http_client=client)[-1]["content"] == "test-key-0123456789"
    with replay(path, speed=0) as player:
        assert panel(colour, player, "openai_chat")[-1]["content"] == "*" * 19


def _sent(reply: Reply) -> list[Send]:
    return [step for step in reply.script("openai_chat").steps if isinstance(step, Send)]


def test_the_clock_of_a_recording_begins_with_the_request(
    colour: Sync | Async, provider: ScriptedProvider, tmp_path: Path
) -> None:
    def late(request: Any) -> Reply:
        time.sleep(0.4)
        return Reply("late")

    provider.say(late)
    with record(tmp_path / "late.jsonl") as recording:
        client = recording.client if isinstance(colour, Sync) else recording.async_client
        panel(colour, provider, "openai_chat", http_client=client)
    _, first, *_ = (json.loads(line) for line in (tmp_path / "late.jsonl").read_text().splitlines())
    assert first["at"] >= 0.4


@pytest.mark.parametrize("how", ["with", "async with"])
def test_leaving_a_recording_closes_both_clients(provider: ScriptedProvider, tmp_path: Path, how: str) -> None:
    """A plain `with` too, though it can't wait for anything."""
    provider.say("Hello")

    async def main() -> None:
        async with AsyncExitStack() as stack:
            recording = record(tmp_path / "x.jsonl")
            if how == "with":
                stack.enter_context(recording)
            else:
                await stack.enter_async_context(recording)
            config = provider.config("openai")
            await msgmodel.aquery("openai", "hi", config=config, http_client=recording.async_client)
            msgmodel.query("openai", "hi", config=config, http_client=recording.client)
        assert recording.async_client.is_closed
        assert recording.client.is_closed
        await asyncio.to_thread(provider.server.wait_open_connections, 0)

    asyncio.run(main())
    recording = record(tmp_path / "y.jsonl")
    with recording:  # without a loop
        pass
    assert recording.async_client.is_closed


@given(st.lists(st.integers(0, 60)), st.text("abcd-", max_size=30))
def test_no_cut_lets_a_key_through(cuts: list[int], before: str) -> None:
    """Also where one secret lies over another, or within it."""
    secrets = [b"abcabcab", b"abdd", b"cabd"]
    data = before.encode() + secrets[0] + b"--" + secrets[0]
    covered = bytearray(data)
    for secret in secrets:
        for at in range(len(data)):
            if data.startswith(secret, at):
                covered[at : at + len(secret)] = b"*" * len(secret)
    asterisks = _Asterisks(secrets)
    points = [0, *sorted({cut for cut in cuts if cut < len(data)}), len(data)]
    out = [piece for a, b in pairwise(points) for _, piece in asterisks.feed(0.0, data[a:b])]
    out += [piece for _, piece in asterisks.feed_end()]
    assert b"".join(out) == covered


def test_what_is_no_recording(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("hello\n")
    for path, words in ((tmp_path / "x", "not a recording"), (tmp_path / "y", "can't be read")):
        with pytest.raises(ConfigurationError, match=words), replay(path):
            pass
    with pytest.raises(ConfigurationError, match="speed"), replay(tmp_path / "x", speed=-1):
        pass
    with pytest.raises(ConfigurationError, match="can't be written"):
        record(tmp_path / "no" / "folder")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("colour", [Sync, Async], indirect=True, ids=["sync", "async"])
def test_a_recording_on_a_full_disk(colour: Sync | Async, provider: ScriptedProvider) -> None:
    """The reply is whole, and what went wrong is said when the recording ends."""
    provider.say("Hello, world")
    recording = record("/dev/full")
    client = recording.client if isinstance(colour, Sync) else recording.async_client
    for _ in range(2):
        last = panel(colour, provider, "openai_chat", http_client=client)[-1]
        assert (last["event"], last["content"]) == ("panel_final", "Hello, world")
    words = r"the recording /dev/full is incomplete: No space left on device\. Free some space"
    with pytest.raises(ConfigurationError, match=words), recording:
        pass
    assert recording.client.is_closed
    with pytest.raises(LookupError), recording:  # an error of the application's own is not replaced
        raise LookupError


def test_little_waits_for_the_end_of_a_secret() -> None:
    """Of a body that says the beginning of one again and again."""
    asterisks = _Asterisks([b"a" * 50 + b"b"])
    out = sum(len(piece) for _ in range(5_000) for _, piece in asterisks.feed(0.0, b"aaaa"))
    assert 20_000 - out <= 54


def test_leaving_a_recorded_stream_early(provider: ScriptedProvider, tmp_path: Path) -> None:
    provider.say(Reply("a b c", stall_after=1))

    async def leave() -> None:
        with record(tmp_path / "left.jsonl") as recording:
            events = msgmodel.astream_panels(
                "openai", "hi", config=provider.config("openai"), http_client=recording.async_client
            )
            async for _ in events:
                break
            await events.aclose()
            provider.server.wait_hangup()
            await recording.async_client.aclose()

    asyncio.run(leave())
    assert json.loads((tmp_path / "left.jsonl").read_text().split("\n")[-2])["end"] == "broken"
