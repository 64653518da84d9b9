"""The endpoints for other people's clients: our own stream in their words, and the real clients against them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from clients import install
from msgmodel.adapters import ag_ui, ai_sdk, openai_chat
from msgmodel.server import create_app
from msgmodel.testing import Reply, ScriptedProvider
from serving import Uvicorn, opened, request, wait_for

ENDINGS = {
    "complete": Reply("The sea is salty."),
    "truncated": Reply("The sea is", truncated=True),
    "refused": Reply(refusal="I can't help with that."),
    "interrupted": Reply("The sea is salty.", cut_after=2),
    "error before text": Reply(error=401),
    "error after text": Reply("The sea is salty.", breaks_off_after=2),
    "reasoning": Reply("Salt.", reasoning="Rivers, rocks."),
}
QUESTION = {"role": "user", "id": "1", "parts": [{"type": "text", "text": "Why?"}]}
POSTED = {"id": "chat-1", "messages": [QUESTION], "trigger": "submit-message"}


@pytest.fixture
def provider(scripted_provider: ScriptedProvider) -> ScriptedProvider:
    return scripted_provider


@pytest.fixture
def server(provider: ScriptedProvider) -> Iterator[Uvicorn]:
    with Uvicorn(create_app()) as running:
        yield running


def native(server: Uvicorn, id: str) -> list[dict[str, Any]]:
    """The events of a stream, as our own clients read them."""
    with opened("GET", f"{server.url}/v1/streams/{id}", headers={"last-event-id": "0"}) as stream:
        return [event.data for event in stream]


def chunks(body: str) -> list[Any]:
    """What a client reads: the JSON of each event, and what else stands in a data line."""
    said = [line.removeprefix("data: ") for line in body.split("\n") if line.startswith("data: ")]
    return [json.loads(line) if line.startswith("{") else line for line in said]


def worded(adapter: Any, events: list[Any]) -> list[Any]:
    """The same events, by the pure functions."""
    made = [*adapter.start(), *(chunk for event in events for chunk in adapter.feed(event)), *adapter.end()]
    last = [adapter.last_frame.decode().removeprefix("data: ").strip()] if adapter.last_frame else []
    return json.loads(json.dumps(made)) + last  # type: ignore[no-any-return]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("panels", [1, 2])
def test_the_ai_sdk_reads_the_same_stream(
    ending: str, panels: int, server: Uvicorn, provider: ScriptedProvider
) -> None:
    provider.say(ENDINGS[ending])
    asked = [{"provider": "openai"}, {"provider": "anthropic", "panel_id": "second"}][:panels]
    body = POSTED | {"panels": asked, "options": {"max_retries": 0}}
    answer = request("POST", f"{server.url}/adapters/ai-sdk/chat", params={"target": "v6"}, json=body)
    assert answer.headers["x-vercel-ai-ui-message-stream"] == "v1"
    id = answer.headers["x-stream-id"]
    words = ai_sdk.Chunks(target="v6", message_id=id, panels=panels)
    assert chunks(answer.text) == worded(words, native(server, id))


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("panels", [1, 2])
def test_ag_ui_reads_the_same_stream(ending: str, panels: int, server: Uvicorn, provider: ScriptedProvider) -> None:
    provider.say(ENDINGS[ending])
    props = {"panels": [{"provider": "gemini"}, {"provider": "openai"}][:panels], "options": {"max_retries": 0}}
    body = {"threadId": "t", "runId": "r", "messages": [{"id": "1", "role": "user", "content": "Why?"}]}
    answer = request("POST", f"{server.url}/adapters/ag-ui", json=body | {"forwardedProps": props})
    words = ag_ui.Chunks("t", "r", panels=panels)
    assert chunks(answer.text) == worded(words, native(server, answer.headers["x-stream-id"]))


def test_a_reply_of_the_ai_sdk_is_resumed_from_its_first_chunk_until_it_was_read(
    server: Uvicorn, provider: ScriptedProvider
) -> None:
    provider.say(Reply("one two three four five", speed=20))
    again = f"{server.url}/adapters/ai-sdk/chat/chat-1/stream"
    assert request("GET", again).status_code == 204
    with opened("POST", f"{server.url}/adapters/ai-sdk/chat", json=POSTED) as stream:
        first = [stream.frame() for _ in range(3)]
    whole = request("GET", again)
    assert whole.text.encode().startswith(b"\n\n".join(first))
    text = "".join(chunk["delta"] for chunk in chunks(whole.text)[:-1] if chunk["type"] == "text-delta")
    assert text == "one two three four five"
    assert chunks(whole.text)[-1] == "[DONE]"
    assert request("GET", again).status_code == 204
    assert len(provider.requests) == 1


def test_a_reply_whose_chat_is_too_much_to_be_kept(server: Uvicorn, provider: ScriptedProvider) -> None:
    """It comes all the same; it can't be resumed, and neither can the one before it, which answers another question."""
    provider.say(Reply("one two three four five", speed=20))
    chat, again = f"{server.url}/adapters/ai-sdk/chat", f"{server.url}/adapters/ai-sdk/chat/chat-1/stream"
    call = {"type": "tool-f", "toolCallId": "c" * 20_000, "state": "output-available", "input": {}, "output": "x"}
    long = POSTED | {"messages": [QUESTION, {"role": "assistant", "id": "2", "parts": [call]}]}
    with opened("POST", chat, json=POSTED) as before:
        before.frame()
        with opened("POST", chat, json=long) as stream:
            stream.frame()
            assert request("GET", again).status_code == 204
            while (frame := stream.frame()) != b"data: [DONE]":
                assert b'"type":"error"' not in frame
    assert len(provider.requests) == 2


@pytest.mark.parametrize("ending", ["complete", "truncated", "refused", "interrupted", "error after text"])
def test_a_client_of_openai_reads_the_same_stream(ending: str, server: Uvicorn, provider: ScriptedProvider) -> None:
    provider.say(ENDINGS[ending])
    body = {"model": "anthropic/claude", "messages": [{"role": "user", "content": "Why?"}], "stream": True}
    answer = request("POST", f"{server.url}/v1/chat/completions", json=body)
    assert answer.status_code == 200
    first, *_ = found = chunks(answer.text)
    id = first["id"].removeprefix("chatcmpl-")
    words = openai_chat.Chunks(id=first["id"], created=first["created"], model="anthropic/claude")
    assert found == worded(words, native(server, id))


@pytest.mark.parametrize("stream", [False, True])
def test_what_fails_before_its_first_event_is_a_status(
    stream: bool, server: Uvicorn, provider: ScriptedProvider
) -> None:
    provider.say(ENDINGS["error before text"])
    body = {"model": "anthropic", "messages": [{"role": "user", "content": "Why?"}], "stream": stream}
    answer = request("POST", f"{server.url}/v1/chat/completions", json=body)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "invalid_api_key"


def test_a_completion(server: Uvicorn, provider: ScriptedProvider) -> None:
    provider.say(ENDINGS["truncated"])
    body = {"model": "gemini/gemini-4", "messages": [{"role": "user", "content": "Why?"}]}
    answer = request("POST", f"{server.url}/v1/chat/completions", json=body)
    (choice,) = answer.json()["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("The sea is", "length")
    assert answer.json()["msgmodel"]["status"] == "truncated"


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_of_openai_that_leaves_stops_its_reply(
    stream: bool, server: Uvicorn, provider: ScriptedProvider
) -> None:
    provider.say(Reply("The sea is salty.", stall_after=0))
    body = {"model": "openai", "messages": [{"role": "user", "content": "Why?"}], "stream": stream}
    with pytest.raises(Exception, match="timed out"):
        request("POST", f"{server.url}/v1/chat/completions", json=body, timeout=0.5)
    wait_for(lambda: provider.server.hangups, 5.0)  # sooner than it is made a response for want of a first event


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/adapters/ai-sdk/chat", {"id": "c", "messages": []}),
        ("/adapters/ai-sdk/chat", POSTED | {"panels": [{"provider": "nobody"}]}),
        ("/adapters/ai-sdk/chat?target=v4", POSTED),
        ("/adapters/ag-ui", {"threadId": "t"}),
        ("/adapters/ag-ui", {"threadId": "t", "runId": "r", "messages": [], "forwardedProps": {"panels": 3}}),
        ("/v1/chat/completions", {"model": "openai", "messages": []}),
        ("/v1/chat/completions", {"model": "openai", "messages": [{"role": "user", "content": "x"}], "n": 9}),
        ("/v1/chat/completions", {"model": "local//etc/passwd", "messages": [{"role": "user", "content": "x"}]}),
    ],
)
def test_what_makes_no_sense_is_said(path: str, body: Any, server: Uvicorn, provider: ScriptedProvider) -> None:
    answer = request("POST", server.url + path, json=body)
    assert 400 <= answer.status_code < 500
    assert answer.json()["error"]["message"]
    assert provider.requests == []


TOOLS = {"weather": {"description": "The weather.", "parameters": {"type": "object", "properties": {"city": {}}}}}


def test_the_ai_sdk_brings_its_tools_and_its_system_text(server: Uvicorn, provider: ScriptedProvider) -> None:
    body = POSTED | {"provider": "gemini", "system": "Be brief.", "tools": TOOLS}
    assert request("POST", f"{server.url}/adapters/ai-sdk/chat", json=body).status_code == 200
    sent = provider.requests[-1].json
    (declared,) = sent["tools"][0]["functionDeclarations"]
    assert (declared["name"], declared["description"]) == ("weather", "The weather.")
    assert declared["parametersJsonSchema"] == TOOLS["weather"]["parameters"]
    assert sent["systemInstruction"] == {"parts": [{"text": "Be brief."}]}


def test_a_stopped_chat_stays_stopped(server: Uvicorn, provider: ScriptedProvider) -> None:
    """`stop()` of `useChat` leaves, and this request stops the provider: a reload finds nothing to resume."""
    provider.say(Reply("one two three", stall_after=1))
    again = f"{server.url}/adapters/ai-sdk/chat/chat-1/stream"
    with opened("POST", f"{server.url}/adapters/ai-sdk/chat", json=POSTED) as stream:
        while b"text-delta" not in stream.frame():
            pass
    assert request("DELETE", again).status_code == 204
    wait_for(lambda: provider.server.hangups, 5.0)
    assert request("GET", again).status_code == 204
    assert request("DELETE", again).status_code == 204
    assert len(provider.requests) == 1


def test_a_chat_that_is_not_resumed_stops_when_its_client_leaves(server: Uvicorn, provider: ScriptedProvider) -> None:
    provider.say(Reply("one two three", stall_after=1))
    url = f"{server.url}/adapters/ai-sdk/chat"
    with opened("POST", url, params={"resume": "false"}, json=POSTED) as stream:
        while b"text-delta" not in stream.frame():
            pass
    wait_for(lambda: provider.server.hangups, 5.0)  # long before the grace period ends
    assert request("GET", f"{url}/chat-1/stream").status_code == 204


# --- the real clients ---


@pytest.fixture
def clients() -> None:
    if not install.STAMP.is_file() or install.STAMP.read_text("utf-8") != install.installed():
        pytest.skip("the clients are not here: make clients")


@pytest.mark.usefixtures("clients")
@pytest.mark.parametrize("version", ["ai5", "ai6", "ai7"])
@pytest.mark.parametrize("ending", ["complete", "interrupted"])
def test_use_chat(version: str, ending: str, server: Uvicorn, provider: ScriptedProvider) -> None:
    from test_adapters_clients import run

    provider.say(ENDINGS[ending])
    target = version.replace("ai", "v")
    script = install.CLIENTS / "ai_sdk.mjs"
    seen = run(install.node(), script, version, f"{server.url}/adapters/ai-sdk", f"chat?target={target}")
    (found,) = seen.values()
    (finish,) = found["onFinish"]
    expected = {"complete": "stop", "interrupted": "interrupted" if version == "ai7" else "other"}[ending]
    assert (found["status"], finish.get("finishReason"), found["onError"]) == ("ready", expected, [])
    assert found["messages"][-1]["metadata"]["msgmodel"]["status"] == ("complete" if ending == "complete" else "error")


@pytest.mark.usefixtures("clients")
def test_the_agent_of_ag_ui(server: Uvicorn, provider: ScriptedProvider) -> None:
    from test_adapters_clients import run

    provider.say(ENDINGS["complete"])
    seen = run(install.node(), install.CLIENTS / "ag_ui.mjs", f"{server.url}/adapters", "ag-ui")["ag-ui"]
    assert (seen["rejected"], seen["errors"], seen["result"]["status"]) == (None, [], "complete")
    assert seen["messages"][-1]["content"] == "The sea is salty."


@pytest.mark.usefixtures("clients")
@pytest.mark.parametrize("mode", ["stream", "whole"])
def test_the_package_of_openai(mode: str, server: Uvicorn, provider: ScriptedProvider) -> None:
    from test_adapters_clients import HERE, run

    provider.say(ENDINGS["complete"])
    seen = run(install.CLIENTS / "venv" / "bin" / "python", HERE / "openai_chat.py", server.url, mode, "any")["any"]
    assert (seen["content"], seen["finish_reason"], seen["raised"]) == ("The sea is salty.", "stop", None)
