"""`map_prompts`: every prompt has a result, in order, whatever happens on the way."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any

import pytest

import msgmodel
from msgmodel import ConfigurationError, LLMResponse, amap_prompts, map_prompts
from msgmodel.testing import Reply, ScriptedProvider


@dataclass
class Fruit:
    name: str


Map = Callable[..., list[Any]]


def ask_async(prompts: Any, provider: str | None = None, **settings: Any) -> list[Any]:
    async def ask() -> list[Any]:
        return list(await amap_prompts(prompts, provider, **settings))

    return asyncio.run(ask())


@pytest.fixture(params=[map_prompts, ask_async], ids=["sync", "async"])
def ask(request: pytest.FixtureRequest) -> Any:
    return request.param


def prompt_of(request: Any) -> str:
    return str(request.json["messages"][-1]["content"])


def test_results_in_order(ask: Map, provider: ScriptedProvider) -> None:
    provider.say(lambda request: Reply(f"answer to {prompt_of(request)}"))
    prompts: list[Any] = [f"prompt {number}" for number in range(30)]
    prompts[7] = {"prompt": "another", "max_tokens": 3, "system_instruction": "Be brief."}
    seen: dict[int, Any] = {}
    results = ask(prompts, "openai", concurrency=4, config=provider.config("openai"), on_result=seen.__setitem__)
    texts = [f"answer to {prompt if isinstance(prompt, str) else 'another'}" for prompt in prompts]
    assert [result.text for result in results] == texts
    assert [seen[number] for number in range(30)] == results
    (other,) = [each.json for each in provider.requests if prompt_of(each) == "another"]
    assert (other["max_tokens"], len(other["messages"])) == (3, 2)
    assert all("max_tokens" not in each.json for each in provider.requests if prompt_of(each) != "another")


def test_objects(ask: Map, provider: ScriptedProvider) -> None:
    provider.say(lambda request: Reply('{"name": "' + prompt_of(request) + '"}'))
    results = ask(["fig", "kiwi"], "openai", config=provider.config("openai"), output=Fruit)
    assert [result.object for result in results] == [Fruit("fig"), Fruit("kiwi")]


def test_nothing_to_ask(ask: Map) -> None:
    assert ask([], "openai") == []


def test_concurrency_is_bounded(ask: Map, provider: ScriptedProvider) -> None:
    together, most, lock = 0, 0, threading.Lock()

    def answer(request: Any) -> Reply:
        nonlocal together, most
        with lock:
            together += 1
            most = max(most, together)
        threading.Event().wait(0.02)
        with lock:
            together -= 1
        return Reply("Done")

    provider.say(answer)
    assert len(ask(["x"] * 20, "openai", concurrency=3, config=provider.config("openai"))) == 20
    assert most == 3


FAULTS = (
    Reply(error=500),
    Reply(error=429, retry_after=0.05),
    Reply(error=503),
    Reply("half of the", cut_after=1),
    Reply("half of the", cut_after=2, cut="reset"),
    Reply("half of the", breaks_off_after=1),
)


@pytest.mark.long
def test_two_hundred_prompts_with_faults_lose_none(ask: Map, provider: ScriptedProvider) -> None:
    """Every tenth prompt fails the first time, in each of six ways, before its text and in the middle of it."""
    asked: Counter[str] = Counter()

    def answer(request: Any) -> Reply:
        prompt = prompt_of(request)
        asked[prompt] += 1
        number = int(prompt)
        first = asked[prompt] == 1 and number % 10 == 0
        return FAULTS[number // 10 % len(FAULTS)] if first else Reply(f"answer to {prompt}")

    provider.say(answer)
    results = ask([str(number) for number in range(200)], "openai", config=provider.config("openai"))
    assert [getattr(result, "text", result) for result in results] == [f"answer to {n}" for n in range(200)]
    assert sum(asked.values()) == 220


def test_failures_are_results(ask: Map, provider: ScriptedProvider) -> None:
    def answer(request: Any) -> Reply:
        prompt = prompt_of(request)
        if prompt == "refused":
            return Reply(error=400)
        return Reply("one two three", cut_after=2) if prompt == "cut" else Reply("Done")

    provider.say(answer)
    results = ask(["good", "refused", "cut"], "openai", max_retries=1, config=provider.config("openai"))
    good, refused, cut = results
    assert (good.text, good.status) == ("Done", "complete")
    assert isinstance(refused, msgmodel.APIError)
    assert (refused.code, refused.event["code"]) == ("invalid_request", "invalid_request")
    assert isinstance(cut, msgmodel.StreamingError)
    assert (cut.code, cut.content) == ("interrupted", "one two")
    assert Counter(map(prompt_of, provider.requests)) == {"good": 1, "refused": 1, "cut": 2}


def test_one_is_asked_to_wait_and_all_wait(ask: Map, provider: ScriptedProvider) -> None:
    """Not one request is sent before the time that the provider named is over, and nothing is lost."""
    arrived: list[float] = []
    limited_at: list[float] = []

    def answer(request: Any) -> Reply:
        arrived.append(monotonic())
        if len(arrived) == 6:
            limited_at.append(arrived[-1])
            return Reply(error=429, retry_after=1)
        threading.Event().wait(0.3 if len(arrived) < 6 else 0.0)  # the others are asked before the answer arrives
        return Reply("Done")

    provider.say(answer)
    results = ask(["x"] * 40, "openai", concurrency=6, config=provider.config("openai"))
    assert [result.text for result in results] == ["Done"] * 40
    assert not [each for each in arrived if limited_at[0] < each < limited_at[0] + 0.99]
    assert len(arrived) == 41


def test_a_limit_that_lasts_costs_no_prompt(ask: Map, provider: ScriptedProvider) -> None:
    """More answers of 429 than there are retries."""
    asked: Counter[str] = Counter()

    def answer(request: Any) -> Reply:
        prompt = prompt_of(request)
        asked[prompt] += 1
        return Reply(error=429, retry_after=0.01) if asked[prompt] <= 5 else Reply("Done")

    provider.say(answer)
    results = ask([str(n) for n in range(8)], "openai", config=provider.config("openai"))
    assert [getattr(result, "text", result) for result in results] == ["Done"] * 8


def test_a_wait_that_is_too_long_is_a_result(ask: Map, provider: ScriptedProvider) -> None:
    provider.say(Reply(error=429, retry_after=3_600))
    (result,) = ask(["x"], "openai", config=provider.config("openai"))
    assert isinstance(result, msgmodel.RateLimitError)
    assert result.retry_after == 3_600


def test_a_budget_for_all(ask: Map, provider: ScriptedProvider) -> None:
    provider.say(Reply(" ".join(["word"] * 100), usage=False))
    results = ask(["x"] * 10, "openai", concurrency=1, config=provider.config("openai"), max_total_tokens=300)
    assert all(isinstance(result, LLMResponse) for result in results)
    assert [result.status for result in results] == ["complete"] * 2 + ["truncated"] * 8
    assert [result.truncated_by for result in results[2:]] == ["budget"] * 8
    assert len(provider.requests) == 3
    spent = sum(result.usage["input_tokens"] + result.usage["output_tokens"] for result in results)
    assert 295 <= spent <= 305


# --- arguments ---


@pytest.mark.parametrize(
    ("prompts", "settings", "words"),
    [
        ("one", {}, 'prompts must be a list of prompts, such as ["Translate: cat", "Translate: dog"]'),
        ([""], {}, "prompts[0]: the prompt is empty"),
        (["x", 7], {}, "prompts[1]: must be a string or a dict with prompt, not int"),
        (["x", {"prompt": "y", "max_tokens": 0}], {},
         "prompts[1]: max_tokens must be a whole number of at least 1, not 0"),
        (["x"], {"concurrency": 0}, "concurrency must be a whole number from 1 to 1000"),
        (["x"], {"provider": None}, "prompts[0]: names no provider: pass provider= to the call, or with each prompt"),
        (["x"], {"max_cost": -1}, "max_cost must be a number of at least 0, not -1"),
        (["x"], {"on_result": "f"}, "on_result must be a function, not str"),
    ],
)  # fmt: skip
def test_wrong_arguments(prompts: Any, settings: dict[str, Any], words: str) -> None:
    for function in (map_prompts, amap_prompts):
        with pytest.raises(ConfigurationError) as caught:
            function(prompts, **{"provider": "openai", "api_key": "sk-" + "x" * 20, **settings})
        assert caught.value.message == words


def test_a_wrong_keyword_names_the_prompt() -> None:
    with pytest.raises(TypeError, match=r"^prompts\[1\]: .*max_token"):
        map_prompts(["x", {"prompt": "y", "max_token": 1}], "openai", api_key="sk-" + "x" * 20)
    with pytest.raises(ConfigurationError, match="use amap_prompts to pass an http_client"):
        map_prompts(["x"], "openai", http_client=None)


def test_a_key_does_not_reach_another_provider(provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    other = {"prompt": "x", "provider": "anthropic", "config": provider.config("anthropic", api_key=None)}
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-0123456789")
    map_prompts(["x", other], "openai", api_key="sk-of-openai-0123", config=provider.config("openai", api_key=None))
    keys = {each.headers.get("authorization", each.headers.get("x-api-key")) for each in provider.requests}
    assert keys == {"Bearer sk-of-openai-0123", "sk-ant-0123456789"}


# --- leaving ---


def wait_for_requests(provider: ScriptedProvider) -> None:
    while len(provider.requests) < 2:
        sleep(0.01)


INTERRUPTED = """
import os, signal, sys, threading
import msgmodel
from msgmodel.testing import Reply, ScriptedProvider

with ScriptedProvider() as provider:
    def answer(request):
        prompt = request.json["messages"][-1]["content"]
        return Reply("one two three", stall_after=2) if prompt == "slow" else Reply("Done")

    provider.say(answer)
    ended = []

    def count(number, result):
        ended.append(number)
        if len(ended) == 5:
            threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()

    try:
        msgmodel.map_prompts(["a", "slow", "b", "c", "d", "e"], "openai", concurrency=2,
                             config=provider.config("openai"), on_result=count)
    except KeyboardInterrupt as stop:
        for result in stop.results:
            print(getattr(result, "text", None) or (result.code, result.content))
        print(stop)
    provider.server.wait_open_connections(0)
"""


def test_ctrl_c_keeps_what_is_there() -> None:
    """The slow one has a part of its text; all others are answered meanwhile."""
    ran = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.stderr, ran.returncode) == ("", 0)
    assert ran.stdout.splitlines() == [
        "Done", "('cancelled', 'one two')", "Done", "Done", "Done", "Done",
        "5 of 6 prompts were answered: see `results`",
    ]  # fmt: skip


def test_a_canceled_task_closes_the_connections(provider: ScriptedProvider) -> None:
    provider.say(Reply("one two three", stall_after=2))

    async def leave() -> None:
        task = asyncio.ensure_future(amap_prompts(["x"] * 5, "openai", concurrency=2, config=provider.config("openai")))
        await asyncio.to_thread(provider.server.wait_open_connections, 2)
        await asyncio.to_thread(wait_for_requests, provider)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(leave())
    provider.server.wait_open_connections(0)
    assert len(provider.requests) == 2


def test_a_callback_that_fails_ends_the_call(ask: Map, provider: ScriptedProvider) -> None:
    def fail(number: int, result: Any) -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        ask(["x"] * 5, "openai", concurrency=1, config=provider.config("openai"), on_result=fail)
    provider.server.wait_open_connections(0)


# --- progress ---


def test_no_bar_without_a_terminal(capsys: pytest.CaptureFixture[str], provider: ScriptedProvider) -> None:
    map_prompts(["x"] * 3, "openai", config=provider.config("openai"))
    assert capsys.readouterr().err == ""
    map_prompts(["x"] * 3, "openai", config=provider.config("openai"), progress=True, model="no-such-model")
    assert capsys.readouterr().err == "3/3 prompts\n"


TERMINAL = """
import msgmodel
from msgmodel.testing import Reply, ScriptedProvider
import sys
if sys.argv[1] == "plain":
    import importlib.util
    find = importlib.util.find_spec
    importlib.util.find_spec = lambda name: None if name == "rich" else find(name)
with ScriptedProvider() as provider:
    provider.say(lambda request: Reply(error=400) if request.json["messages"][-1]["content"] == "bad" else "Done")
    msgmodel.map_prompts(["x", "bad", "y"], "openai", config=provider.config("openai"), concurrency=1)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("kind", ["plain", "rich"])
def test_the_bar_on_a_terminal(kind: str) -> None:
    pytest.importorskip("rich")
    main, other = os.openpty()
    ran = subprocess.Popen([sys.executable, "-c", TERMINAL, kind], stderr=other, env={**os.environ, "TERM": "xterm"})
    os.close(other)
    shown = b""
    while True:
        try:
            piece = os.read(main, 65536)
        except OSError:  # Linux reports the end of a pseudo-terminal in this way
            break
        if not piece:
            break
        shown += piece
    os.close(main)
    assert ran.wait() == 0
    assert b"3/3" in shown
    assert b"1 failed" in shown
    assert b"Traceback" not in shown
