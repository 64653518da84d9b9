"""A real server, not one of ours: llama.cpp on loopback speaks three of the four wires. Skipped without its model."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import KEY, PROVIDER, Async, Sync, config
from msgmodel.local import weights

pytest.importorskip("xllamacpp")

pytestmark = pytest.mark.skipif(
    not weights.path().is_file(), reason="the weights are not here: run `msgmodel local pull`"
)

WIRES = ["openai_chat", "openai_responses", "anthropic"]
ENDS = {"openai_chat": "stop", "openai_responses": "completed", "anthropic": "end_turn"}
LIMITS = {"openai_chat": "length", "openai_responses": "completed", "anthropic": "max_tokens"}


@pytest.fixture(scope="module")
def llama() -> Iterator[str]:
    """The address of a running llama.cpp server."""
    script = Path(__file__).parents[1] / "llama_server.py"
    command = [sys.executable, str(script), str(weights.path()), KEY]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


def ask(colour: Sync | Async, wire: str, url: str, prompt: str, **kwargs: Any) -> list[Any]:
    fields = {"include_usage": True} if wire == "openai_chat" else {}
    key = kwargs.pop("key", KEY)
    return colour.panels(
        PROVIDER[wire], prompt, key, config=config(wire, url, **fields), timeout=60, temperature=0, **kwargs
    )


@pytest.mark.parametrize("wire", WIRES)
def test_a_whole_reply(wire: str, llama: str, colour: Sync | Async) -> None:
    *found, last = ask(colour, wire, llama, "Count from one to fifty in words.", max_tokens=200)
    # It may close the idle connection of the test before at the moment when we use it.
    deltas = [event for event in found if event["event"] != "panel_retry"]
    assert {event["code"] for event in found if event not in deltas} <= {"network"}
    assert {event["event"] for event in deltas} == {"panel_delta"}
    assert last["content"] == "".join(event["delta"] for event in deltas) != ""
    assert (last["event"], last["status"], last["finish_reason"]) == ("panel_final", "complete", ENDS[wire])
    assert last["usage"]["input_tokens"] > 0
    assert 0 < last["usage"]["output_tokens"] < 200
    assert last["model"] == "smollm2"


@pytest.mark.parametrize("wire", WIRES)
def test_a_truncated_reply(wire: str, llama: str, colour: Sync | Async) -> None:
    """Its Responses API says `completed` of a reply that ran into the limit: the count of tokens shows it."""
    last = ask(colour, wire, llama, "Count from one to fifty in words.", max_tokens=8)[-1]
    assert last["event"] == "panel_final"
    assert (last["status"], last["truncated"], last["finish_reason"]) == ("truncated", True, LIMITS[wire])
    assert last["usage"]["output_tokens"] == 8


@pytest.mark.parametrize("wire", WIRES)
def test_a_prompt_that_is_too_long(wire: str, llama: str, colour: Sync | Async) -> None:
    (error,) = ask(colour, wire, llama, "word " * 3000)
    assert (error["event"], error["error_type"]) == ("panel_error", "APIError")
    assert (error["code"], error["status_code"], error["retryable"]) == ("context_length", 400, False)


@pytest.mark.parametrize("wire", WIRES)
def test_a_wrong_key(wire: str, llama: str, colour: Sync | Async) -> None:
    (error,) = ask(colour, wire, llama, "hi", key="wrong")
    assert (error["event"], error["code"], error["status_code"]) == ("panel_error", "authentication", 401)


@pytest.mark.parametrize("wire", WIRES)
def test_a_conversation(wire: str, llama: str, colour: Sync | Async) -> None:
    history = [{"role": "user", "content": "My name is Ada."}, {"role": "assistant", "content": "Hello, Ada!"}]
    alone = ask(colour, wire, llama, "What is my name?", max_tokens=4)[-1]
    together = ask(colour, wire, llama, "What is my name?", messages=history, max_tokens=4)[-1]
    assert together["event"] == "panel_final"
    assert together["usage"]["input_tokens"] > alone["usage"]["input_tokens"] + 8
