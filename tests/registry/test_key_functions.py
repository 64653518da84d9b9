"""A function as the key: called for each attempt, in both colours, and never shown."""

from __future__ import annotations

import asyncio
import threading
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

import msgmodel
from conftest import PROVIDER, Async, Sync, SyncByHTTPX2
from msgmodel import (
    AnthropicConfig,
    ConfigurationError,
    Conversation,
    GeminiConfig,
    MsgModelError,
    OpenAIConfig,
    Panel,
    stream_many,
)
from msgmodel.testing import Reply, ScriptedProvider
from msgmodel.testing.server import Script

TOKEN = "token-4f7d1c9e2b8a"


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    with ScriptedProvider() as running:
        yield running


class Keys:
    """Returns another key for each call."""

    def __init__(self, beginning: str = TOKEN) -> None:
        self.calls = 0
        self.threads: set[int] = set()
        self._beginning = beginning

    def __call__(self) -> str:
        self.calls += 1
        self.threads.add(threading.get_ident())
        return f"{self._beginning}-{self.calls}\n"


def sent_keys(provider: ScriptedProvider) -> list[str]:
    names = ("authorization", "x-api-key", "x-goog-api-key", "api-key")
    return [next(request.headers[name] for name in names if name in request.headers) for request in provider.requests]


def without_key(provider: ScriptedProvider, wire: str, **fields: Any) -> Any:
    return provider.config(wire, api_key=None, **fields)


@pytest.mark.parametrize("wire", PROVIDER)
def test_a_function(wire: str, provider: ScriptedProvider, colour: Sync | Async) -> None:
    keys = Keys()
    assert colour.query(PROVIDER[wire], "hi", keys, config=without_key(provider, wire)).text
    assert keys.calls == 1
    bearer = "Bearer " if wire.startswith("openai") else ""
    assert sent_keys(provider) == [f"{bearer}{TOKEN}-1"]


def test_in_the_config(provider: ScriptedProvider, colour: Sync | Async) -> None:
    colour.query("openai", "hi", config=provider.config("openai", api_key=Keys()))
    colour.query("openai", "hi", "a-key-of-the-call", config=provider.config("openai", api_key=Keys()))
    assert sent_keys(provider) == [f"Bearer {TOKEN}-1", "Bearer a-key-of-the-call"]


def test_each_attempt_has_its_own_key(provider: ScriptedProvider, colour: Sync | Async) -> None:
    provider.say(Reply(error=503), Reply(error=503), "at last")
    keys = Keys()
    events = colour.panels("openai", "hi", keys, config=without_key(provider, "openai"), max_retries=2)
    assert events[-1]["event"] == "panel_final"
    assert sent_keys(provider) == [f"Bearer {TOKEN}-{number}" for number in (1, 2, 3)]


def test_each_fallback_has_its_own_function(provider: ScriptedProvider, colour: Sync | Async) -> None:
    provider.say(Reply(error=400), "at last")
    second = {"provider": "anthropic", "api_key": Keys("second"), "config": without_key(provider, "anthropic")}
    colour.query("openai", "hi", Keys(), config=without_key(provider, "openai"), fallbacks=[second])
    assert sent_keys(provider) == [f"Bearer {TOKEN}-1", "second-1"]


def test_over_a_client_that_was_handed_in(provider: ScriptedProvider) -> None:
    colour = SyncByHTTPX2()
    colour.panels("openai", "hi", Keys(), config=without_key(provider, "openai"))
    colour.close()
    assert sent_keys(provider) == [f"Bearer {TOKEN}-1"]


def test_a_coroutine_function(provider: ScriptedProvider) -> None:
    async def read_token() -> str:
        await asyncio.sleep(0)
        return TOKEN

    config = without_key(provider, "openai")
    asyncio.run(msgmodel.aquery("openai", "hi", read_token, config=config))  # type: ignore[arg-type]
    assert sent_keys(provider) == [f"Bearer {TOKEN}"]
    with pytest.raises(ConfigurationError, match=r"api_key is a coroutine function, .*: use aquery"):
        msgmodel.query("openai", "hi", read_token, config=config)
    assert len(provider.requests) == 1


def test_a_plain_function_does_not_stop_the_loop(provider: ScriptedProvider) -> None:
    keys = Keys()
    asyncio.run(msgmodel.aquery("openai", "hi", keys, config=without_key(provider, "openai")))
    assert threading.get_ident() not in keys.threads


def test_a_conversation_and_a_batch(provider: ScriptedProvider) -> None:
    chat = Conversation("openai", api_key=Keys(), config=without_key(provider, "openai"))
    chat.query("hi")
    chat.query("again")
    assert TOKEN not in chat.to_json()
    with stream_many([Panel("openai", api_key=Keys("batch"), config=without_key(provider, "openai"))], "hi") as batch:
        assert [event["event"] for event in batch][-1] == "batch_final"
    assert sent_keys(provider) == [f"Bearer {TOKEN}-1", f"Bearer {TOKEN}-2", "Bearer batch-1"]


@pytest.mark.parametrize(
    ("name", "key", "header"),
    [
        ("azure", "0123456789abcdef", ("api-key", "0123456789abcdef")),
        ("azure", "eyJhbGciOi.x.y", ("authorization", "Bearer eyJhbGciOi.x.y")),
        ("azure-anthropic", "eyJhbGciOi.x.y", ("authorization", "Bearer eyJhbGciOi.x.y")),
        ("vertex", "ya29.abcdefgh", ("authorization", "Bearer ya29.abcdefgh")),
        ("vertex", "AIza01234567", ("x-goog-api-key", "AIza01234567")),
        ("anthropic", "sk-ant-oat01-xyz", ("authorization", "Bearer sk-ant-oat01-xyz")),
        ("anthropic", "sk-ant-api03-xyz", ("x-api-key", "sk-ant-api03-xyz")),
    ],
)
@pytest.mark.parametrize("way", ["text", "function"])
def test_the_header_of_a_token(way: str, name: str, key: str, header: Any, provider: ScriptedProvider) -> None:
    """A key has the provider's header, a token of Entra, Google or Anthropic's login goes as a bearer."""
    given: Any = key if way == "text" else lambda: key
    msgmodel.query(name, "hi", given, config=without_key(provider, name), model="m")
    sent = provider.requests[-1].headers
    assert sent[header[0]] == header[1]
    assert len({"authorization", "x-api-key", "x-goog-api-key", "api-key"} & set(sent)) == 1


def test_a_header_of_the_config_goes_before_the_function(provider: ScriptedProvider, colour: Sync | Async) -> None:
    config = without_key(provider, "openai", headers={"Authorization": "Bearer own-0123456789"})
    colour.query("openai", "hi", Keys(), config=config)
    assert sent_keys(provider) == ["Bearer own-0123456789"]


def raise_secret() -> str:
    raise RuntimeError(TOKEN)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (raise_secret, "the function in api_key raised RuntimeError"),
        (lambda: None, "the function in api_key must return a key, not NoneType"),
        (lambda: "", "must return a key, not a string that no header can carry"),
        (lambda: f"{TOKEN} {TOKEN}", "must return a key, not a string that no header can carry"),
        (lambda: f"{TOKEN}é", "must return a key, not a string that no header can carry"),
    ],
)
def test_a_function_that_fails(function: Any, message: str, provider: ScriptedProvider, colour: Sync | Async) -> None:
    (end,) = colour.panels("openai", "hi", function, config=without_key(provider, "openai"))
    assert (end["event"], end["code"], end["retryable"]) == ("panel_error", "authentication", False)
    assert message in end["error"]
    assert TOKEN not in str(end)
    assert provider.requests == []


def test_a_coroutine_in_disguise(provider: ScriptedProvider) -> None:
    """A plain function that returns a coroutine: only asyncio can await it."""

    async def read_token() -> str:
        return TOKEN

    config = without_key(provider, "openai")
    (end,) = list(msgmodel.stream_panels("openai", "hi", lambda: read_token(), config=config))  # type: ignore[arg-type,return-value]
    assert "must return a key, not coroutine" in str(end["error"])  # type: ignore[typeddict-item]
    asyncio.run(msgmodel.aquery("openai", "hi", lambda: read_token(), config=config))
    assert sent_keys(provider) == [f"Bearer {TOKEN}"]


def test_a_function_that_hangs_for_asyncio(provider: ScriptedProvider) -> None:
    async def never() -> str:
        await asyncio.Event().wait()
        return TOKEN

    colour = Async()
    config = without_key(provider, "openai")
    (end,) = colour.panels("openai", "hi", never, config=config, timeout=0.05, max_retries=0)
    colour.close()
    assert (end["event"], end["code"]) == ("panel_error", "timeout")


def test_the_key_is_redacted(provider: ScriptedProvider, colour: Sync | Async) -> None:
    """Each key that the function returned, also from a text that a provider quotes."""
    provider.say(Script.json(401, {"error": {"message": f"bad key {TOKEN}-1"}}))
    (end,) = colour.panels("openai", "hi", Keys(), config=without_key(provider, "openai"), max_retries=0)
    assert TOKEN not in str(end)
    assert "bad key [key]" in end["error"]


def bad_token() -> str:
    return f"{TOKEN} {TOKEN}"


@pytest.mark.parametrize("way", ["query", "models"])
@pytest.mark.parametrize("function", [lambda: TOKEN, bad_token], ids=["refused", "not sent"])
def test_local_variables_hold_no_key(way: str, function: Any, provider: ScriptedProvider, colour: Sync | Async) -> None:
    """Error reporters show the local variables of every frame."""
    provider.say(Script.json(401, {"error": {"message": "no"}}))
    config = without_key(provider, "openai")

    def ask() -> object:
        if way == "query":
            return colour.query("openai", "hi", function, config=config, max_retries=0)
        if isinstance(colour, Async):
            return colour.run(msgmodel.amodels("openai", function, config))
        return msgmodel.models("openai", function, config)

    with pytest.raises(MsgModelError) as caught:
        ask()
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [frame for frame in all_frames(shown) if "/msgmodel/" in frame.filename]
    assert ours
    assert [frame for frame in ours if TOKEN in repr(frame.locals)] == []


def all_frames(shown: traceback.TracebackException) -> Iterator[traceback.FrameSummary]:
    yield from shown.stack
    for inner in (shown.__cause__, shown.__context__):
        if inner is not None:
            yield from all_frames(inner)


def test_what_shows_no_key() -> None:
    for kind in (OpenAIConfig, AnthropicConfig, GeminiConfig):
        assert "lambda" not in repr(kind(api_key=lambda: TOKEN))
