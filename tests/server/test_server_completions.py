"""`/v1/chat/completions` and `/v1/models`: what clients of OpenAI's API send, and what they read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from msgmodel.server import create_app
from msgmodel.server.settings import Settings
from msgmodel.testing import Reply, ScriptedProvider
from msgmodel.testing.script import Script
from serving import Uvicorn, request

HI = [{"role": "user", "content": "Hi"}]
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


@pytest.fixture
def provider(scripted_provider: ScriptedProvider) -> ScriptedProvider:
    return scripted_provider


@pytest.fixture
def server(provider: ScriptedProvider) -> Iterator[Uvicorn]:
    with Uvicorn(create_app()) as running:
        yield running


def ask(server: Uvicorn, model: str = "openai/gpt-4.1", **fields: Any) -> Any:
    return request("POST", f"{server.url}/v1/chat/completions", json={"model": model, "messages": HI, **fields})


def streamed(answer: Any) -> list[Any]:
    said = [line.removeprefix("data: ") for line in answer.text.split("\n") if line.startswith("data: ")]
    return [json.loads(line) if line != "[DONE]" else line for line in said]


@pytest.mark.parametrize("stream", [False, True])
def test_n_asks_as_many_panels(stream: bool, server: Uvicorn, provider: ScriptedProvider) -> None:
    provider.say(Reply("one"), Reply("two"), Reply("three"))
    answer = ask(server, n=3, stream=stream, stream_options={"include_usage": True})
    assert len(provider.requests) == 3
    if not stream:
        body = answer.json()
        assert [choice["index"] for choice in body["choices"]] == [0, 1, 2]
        assert {choice["message"]["content"] for choice in body["choices"]} == {"one", "two", "three"}
        assert (body["msgmodel"]["status"], len(body["msgmodel"]["panels"])) == ("complete", 3)
        return
    *chunks, usage, done = streamed(answer)
    texts = dict.fromkeys(range(3), "")
    for chunk in chunks:
        (choice,) = chunk["choices"]
        texts[choice["index"]] += choice["delta"].get("content", "")
    assert set(texts.values()) == {"one", "two", "three"}
    assert sum(chunk["choices"][0]["finish_reason"] == "stop" for chunk in chunks) == 3
    assert (usage["choices"], usage["usage"]["total_tokens"] > 0, done) == ([], True, "[DONE]")


def test_one_of_several_choices_fails(server: Uvicorn, provider: ScriptedProvider) -> None:
    provider.say(Reply("Hello there"), Reply("Hello there", breaks_off_after=1))
    answer = ask(server, n=2, stream=True, options={"max_retries": 0})
    *chunks, last = streamed(answer)
    assert last["error"]["type"] == "server_error"
    assert "stop" in [chunk["choices"][0]["finish_reason"] for chunk in chunks]


@pytest.mark.parametrize("stream", [False, True])
def test_the_headers_of_a_reply_and_of_a_failure(stream: bool, server: Uvicorn, provider: ScriptedProvider) -> None:
    answer = ask(server, stream=stream)
    assert answer.headers["x-request-id"]
    provider.say(Reply(error=503))
    failed = ask(server, stream=stream, options={"max_retries": 1})
    assert (failed.status_code, failed.headers["x-should-retry"]) == (503, "false")
    assert failed.headers["x-request-id"] != answer.headers["x-request-id"]
    assert len(provider.requests) == 1 + 2
    own = ask(server, stream=stream, options={"max_retries": 0})
    assert "x-should-retry" not in own.headers  # so the client asks again


def test_options_of_ours(server: Uvicorn, provider: ScriptedProvider) -> None:
    provider.say(Reply(error=401), Reply("Hel", truncated=True), Reply("lo"))
    options = {"fallbacks": [["anthropic", "claude-haiku-5-5"]], "continue_truncated": 1}
    body = ask(server, top_p=0.5, options=options).json()
    assert body["choices"][0]["message"]["content"] == "Hello"
    assert body["msgmodel"]["provider"] == "anthropic"
    assert provider.requests[1].json["top_p"] == 0.5


@pytest.mark.parametrize("stream", [False, True])
def test_a_budget_cuts_the_reply_and_is_named(stream: bool, server: Uvicorn, provider: ScriptedProvider) -> None:
    provider.say(Reply("word " * 400))
    answer = ask(server, stream=stream, options={"max_total_tokens": 100})
    end = streamed(answer)[-2] if stream else answer.json()
    assert end["choices"][0]["finish_reason"] == "length"
    assert (end["msgmodel"]["status"], end["msgmodel"]["truncated_by"]) == ("truncated", "budget")


@pytest.mark.parametrize(
    ("fields", "message", "code", "param"),
    [
        ({"n": 99}, "n may be at most 8 here", "too_many_panels", "n"),
        ({"seed": "x"}, "seed must be a whole number", "invalid_request", "seed"),
        ({"max_tokens": 0.5}, "max_tokens must be a whole number", "invalid_request", "max_tokens"),
        ({"messages": [*HI, {"role": "tool", "tool_call_id": "c", "content": ""}]},
         "messages[1]", "invalid_request", "messages"),
        ({"reasoning_effort": "none", "model": "openai/gpt-6.1-sol"},
         "reasoning_effort='none' can't", "invalid_request", "reasoning_effort"),
        ({"model": " "}, "model", "invalid_request", "model"),
        ({"options": {"max_retries": 1000}}, "options: Expected `int` <= 100", "invalid_request", "options"),
        ({"options": {"fallbacks": ["local//etc/passwd"]}}, "options.fallbacks[0]", "model_not_allowed", "options"),
    ],
)  # fmt: skip
def test_errors_in_words_of_this_api(
    fields: Any, message: str, code: str, param: str, server: Uvicorn, provider: ScriptedProvider
) -> None:
    answer = ask(server, **fields)
    assert answer.status_code in (400, 403)
    error = answer.json()["error"]
    assert error["message"].startswith(message)
    assert "panels[" not in error["message"]
    assert (error["code"], error["param"]) == (code, param)
    assert provider.requests == []


def test_a_call_streams_as_it_comes(server: Uvicorn, provider: ScriptedProvider) -> None:
    """And what the client has of it is no JSON before the call is complete."""
    arguments = json.dumps({"path": "a.txt", "content": "word " * 40})
    pieces = [arguments[at : at + 8] for at in range(0, len(arguments), 8)]
    calls = [{"index": 0, "id": "c1", "type": "function", "function": {"name": "weather", "arguments": ""}}]
    chunks: list[Any] = [{"tool_calls": calls}]
    chunks += [{"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} for piece in pieces]
    provider.say(openai_stream(*chunks))
    found = streamed(ask(server, stream=True, tools=[TOOL]))
    sent = [
        call for chunk in found[:-1] for choice in chunk["choices"] for call in choice["delta"].get("tool_calls", [])
    ]
    assert len(sent) >= len(pieces)
    assert sent[0]["id"] == "c1"
    assert [call["index"] for call in sent] == [0] * len(sent)
    so_far = ""
    for call in sent[:-1]:
        so_far += call["function"]["arguments"]
        with pytest.raises(json.JSONDecodeError):
            json.loads(so_far)
    assert so_far + sent[-1]["function"]["arguments"] == arguments


@pytest.mark.parametrize("stream", [False, True])
def test_no_parallel_calls_is_one_call_from_any_provider(
    stream: bool, server: Uvicorn, provider: ScriptedProvider
) -> None:
    provider.say(Reply(tool_calls=[{"name": "weather", "arguments": {"city": name}} for name in ("Oslo", "Rome")]))
    asked = {"tools": [TOOL], "parallel_tool_calls": False, "stream": stream}
    answer = ask(server, model="gemini/gemini-3.8-flash", **asked)
    if stream:
        *chunks, end, _ = streamed(answer)
        calls = [call for chunk in chunks for call in chunk["choices"][0]["delta"].get("tool_calls", [])]
        arguments, outcome = "".join(call["function"]["arguments"] for call in calls), end["msgmodel"]
    else:
        (call,) = answer.json()["choices"][0]["message"]["tool_calls"]
        arguments, outcome = call["function"]["arguments"], answer.json()["msgmodel"]
    assert json.loads(arguments) == {"city": "Oslo"}
    assert [call["arguments_json"] for call in outcome["dropped_calls"]] == [{"city": "Rome"}]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", ["openai/gpt-4.1", "anthropic", "gemini", "openai/gpt-5-pro"])
def test_response_format(model: str, stream: bool, server: Uvicorn, provider: ScriptedProvider) -> None:
    schema = {"type": "object", "properties": {"age": {"type": "integer", "minimum": 0}}, "required": ["age"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": schema}}
    provider.say(Reply('{"age": 7}'), Reply('{"age": -7}'))
    for text, value in (('{"age": 7}', {"age": 7}), ('{"age": -7}', None)):
        answer = ask(server, model=model, response_format=wanted, stream=stream)
        if stream:
            *chunks, end, _ = streamed(answer)
            found = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
        else:
            end = answer.json()
            found = end["choices"][0]["message"]["content"]
        assert (found, end["msgmodel"]["object"]) == (text, value)
    assert "person" in provider.requests[0].body.decode() or "/v1/messages" in provider.requests[0].path
    anything = ask(server, model=model, response_format={"type": "json_object"})
    assert anything.json()["msgmodel"]["object"] == {"age": -7}


def openai_stream(*deltas: Any, finish: str = "tool_calls") -> Script:
    head = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4.1"}
    chunks = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    lines = [b"data: %b\n\n" % json.dumps(chunk).encode() for chunk in chunks]
    return Script.body(b"".join(lines) + b"data: [DONE]\n\n")


def test_a_call_that_was_cut_is_no_json(server: Uvicorn, provider: ScriptedProvider) -> None:
    call = {
        "index": 0,
        "id": "c1",
        "type": "function",
        "function": {"name": "weather", "arguments": '{"city": "Oslo"}'},
    }
    provider.say(openai_stream({"tool_calls": [call]}, finish="length"))
    found = streamed(ask(server, stream=True, tools=[TOOL]))
    sent = [
        call for chunk in found[:-1] for choice in chunk["choices"] for call in choice["delta"].get("tool_calls", [])
    ]
    text = "".join(call["function"]["arguments"] for call in sent)
    with pytest.raises(json.JSONDecodeError):
        json.loads(text)
    assert found[-2]["choices"][0]["finish_reason"] == "length"


def test_logprobs_come_back(server: Uvicorn, provider: ScriptedProvider) -> None:
    head = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4.1"}
    token = {"token": "Hello", "logprob": -0.1, "bytes": None, "top_logprobs": []}
    choice = {"index": 0, "delta": {"content": "Hello"}, "finish_reason": None, "logprobs": {"content": [token]}}
    last = {"index": 0, "delta": {}, "finish_reason": "stop"}
    lines = [b"data: %b\n\n" % json.dumps({**head, "choices": [each]}).encode() for each in (choice, last)]
    provider.say(Script.body(b"".join(lines) + b"data: [DONE]\n\n"))
    whole = ask(server, logprobs=True, top_logprobs=2).json()
    assert whole["choices"][0]["logprobs"] == {"content": [token], "refusal": None}
    *_, end, _ = streamed(ask(server, logprobs=True, stream=True))
    assert end["choices"][0]["logprobs"] == {"content": [token], "refusal": None}


# --- models ---


def models_of(settings: Settings, *, path: str = "") -> Any:
    with Uvicorn(create_app(settings)) as running:
        return request("GET", f"{running.url}/v1/models{path}").json()


def test_a_model_that_the_settings_name_is_listed(provider: ScriptedProvider) -> None:
    found = models_of(Settings(models=("gpt-4.1", "claude-haiku-5-5", "gpt-*")))["data"]
    ids = [model["id"] for model in found]
    assert ids[:2] == ["openai/gpt-4.1", "anthropic/claude-haiku-5-5"]
    assert found[0] == {"id": "openai/gpt-4.1", "object": "model", "created": 0, "owned_by": "openai"}


def test_a_server_of_the_operators_own_lists_what_it_has(
    provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", provider.url)
    found = models_of(Settings(providers=("ollama",)))["data"]
    assert [model["id"] for model in found] == ["ollama/scripted-model"]


@pytest.mark.parametrize("id", ["openai/gpt-4.1", "gpt-4.1"])
def test_one_model(id: str, provider: ScriptedProvider) -> None:
    found = models_of(Settings(models=("gpt-4.1",)), path=f"/{id}")
    assert found == {"id": id, "object": "model", "created": 0, "owned_by": "openai"}


def test_a_model_that_is_not_there(provider: ScriptedProvider) -> None:
    error = models_of(Settings(), path="/openai/gpt-9")["error"]
    assert (error["code"], error["param"]) == ("model_not_found", "model")


def test_a_server_that_does_not_answer_is_left_out(provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:9")
    assert "ollama" not in {model["owned_by"] for model in models_of(Settings())["data"]}
