"""Images, audio, files, the provider's tools and calls that are no functions, in the words of each client."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from test_adapters import ARGUMENTS, chunks, mine

from clients.scenarios import MEDIA, MEDIA_TURN, TURN, call, delta, final, other_call, picture, tool_run
from msgmodel.adapters import ag_ui, ai_sdk, openai_chat

RUN = {"toolCallId": "s", "providerExecuted": True, "dynamic": True}


def sdk(events: list[Any], target: Any = "v7") -> list[Any]:
    shown = chunks(ai_sdk.Chunks(target=target), events)
    return [chunk for chunk in shown if chunk["type"] not in ("start", "start-step", "finish-step", "data-panel")]


def deltas(events: list[Any]) -> list[Any]:
    found = chunks(openai_chat.Chunks(**ARGUMENTS), events)[1:]
    return [chunk["choices"][0]["delta"] for chunk in found if "choices" in chunk and chunk["choices"][0]["delta"]]


@pytest.mark.parametrize(
    ("status", "last"),
    [
        ("done", {"type": "tool-output-available", **RUN, "output": "Salty."}),
        ("failed", {"type": "tool-output-error", **RUN, "errorText": "Salty."}),
    ],
)
def test_ai_sdk_a_tool_of_the_provider(status: str, last: Any) -> None:
    events = [tool_run("started"), tool_run(status, {"query": "sea"}, "Salty.")]
    asked = {"type": "tool-input-available", **RUN, "toolName": "web_search", "providerMetadata": mine()}
    assert sdk(events)[:3] == [{**asked, "input": {}}, {**asked, "input": {"query": "sea"}}, last]


@pytest.mark.parametrize("end", [[final()], []])
def test_ai_sdk_shows_no_tool_as_running_after_the_end(end: list[Any]) -> None:
    _, failed, *_ = sdk([tool_run("started", "x"), *end])
    assert (failed["type"], failed["toolCallId"]) == ("tool-output-error", "s")


def test_ai_sdk_an_approval() -> None:
    *_, call, request, turn, _ = sdk(MEDIA)
    assert (call["type"], call["providerExecuted"], call["toolCallId"]) == ("tool-input-available", True, "a")
    assert request == {"type": "tool-approval-request", "approvalId": "a", "toolCallId": "a"}
    assert turn["data"]["message"]["content"] == MEDIA_TURN


def test_ai_sdk_of_an_older_version_gets_no_word_that_it_does_not_know() -> None:
    assert [chunk["type"] for chunk in sdk(MEDIA, "v5")].count("data-call") == 2
    assert "tool-approval-request" not in {chunk["type"] for chunk in sdk(MEDIA, "v5")}


@pytest.mark.parametrize("kind", ["shell", "computer", "apply_patch", "custom", "tool_search", "local_shell"])
def test_no_other_kind_of_call_is_one_of_a_function(kind: str) -> None:
    events = [other_call(kind, {"x": 1}), other_call(kind, "text", "t")]
    for target in get_args(ai_sdk.Target):
        assert {chunk["type"] for chunk in sdk(events, target)} & {"tool-input-available", "tool-input-error"} == set()
    names = {chunk["type"] for chunk in chunks(ag_ui.Chunks("t", "r"), events)}
    assert not any(name.startswith("TOOL_CALL") for name in names)
    calls = [found for delta in deltas(events) for found in delta.get("tool_calls", [])]
    assert [found["type"] for found in calls] == (["custom", "custom"] if kind == "custom" else [])
    assert not any("function" in found for found in calls)


def answer(**approval: Any) -> Any:
    """What the client posts after the user's decision."""
    part = {"type": "dynamic-tool", "toolName": "approval", "toolCallId": "a", "state": "approval-responded"}
    parts = [
        {"type": "step-start"},
        {"type": "dynamic-tool", "toolName": "web_search", "toolCallId": "s", "state": "output-available"}
        | {"input": {}, "output": "Salty.", "providerExecuted": True},
        {"type": "text", "text": "Here."},
        {"type": "file", "url": "data:image/png;base64,AAAA", "mediaType": "image/png"},
        {**part, "input": {}, "providerExecuted": True, "approval": {"id": "a", **approval}},
        {"type": "data-turn", "data": {"panel_id": "p", "message": {"role": "assistant", "content": MEDIA_TURN}}},
    ]
    return {"id": "c", "messages": [{"id": "m", "role": "assistant", "parts": parts}]}


@pytest.mark.parametrize(
    ("approval", "decision"),
    [
        ({"approved": True}, {"approve": True}),
        ({"approved": False, "reason": "no"}, {"approve": False, "reason": "no"}),
    ],
)
def test_ai_sdk_the_answer_to_an_approval(approval: Any, decision: Any) -> None:
    turn, results = ai_sdk.read(answer(**approval)).messages
    assert turn == {"role": "assistant", "content": MEDIA_TURN, "partial": True}, "the shell call has no result"
    assert results["content"] == [{"type": "tool_result", "tool_call_id": "a", "content": decision}]


def test_ai_sdk_an_approval_that_waits() -> None:
    (turn,) = ai_sdk.read(answer()).messages
    assert turn["partial"] is True


def test_ai_sdk_files() -> None:
    found = [picture(), picture(None, url="https://a/b.png"), picture(media_type="text/html"), picture(None, "x")]
    files = [chunk for chunk in sdk(found) if chunk["type"] == "file"]
    assert [(file["url"], file["mediaType"]) for file in files] == [
        ("data:image/png;base64,AAAA", "image/png"),
        ("https://a/b.png", "image/png"),
        ("data:application/octet-stream;base64,AAAA", "application/octet-stream"),
    ]
    assert files[0]["providerMetadata"] == mine(kind="image", size=3)


@pytest.mark.parametrize("url", ["javascript:alert(1)", "file:///etc/passwd", "data:text/html,<script>", "//a"])
def test_no_other_address_reaches_a_client(url: str) -> None:
    part = picture(None, url=url)
    assert "file" not in {chunk["type"] for chunk in sdk([part])}
    assert deltas([part]) == []


def test_openai_parts_and_places() -> None:
    audio = picture(kind="audio", media_type="audio/wav", text="Hello", id="s")
    paper = picture(kind="file", media_type="application/pdf", name="a.pdf")
    events = [delta("Here."), picture(complete=False), picture(), picture(), audio, paper]
    images = [
        {"images": [{"type": "image_url", "index": number, "image_url": {"url": "data:image/png;base64,AAAA"}}]}
        for number in (0, 1)
    ]
    sound = {"audio": {"id": "s", "data": "AAAA", "transcript": "Hello", "expires_at": 0}}
    file = {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}
    assert deltas(events)[1:] == [*images, sound, {"files": [{"type": "file", "file": file}]}]


def test_openai_a_whole_reply_with_parts() -> None:
    made = openai_chat.completion(MEDIA[-1], **ARGUMENTS)
    message = made["choices"][0]["message"]
    assert message["images"][0]["image_url"]["url"] == "data:image/png;base64,AAAA"
    place = message["annotations"][0]["url_citation"]
    assert (place["start_index"], place["end_index"]) == (0, 4)
    assert "tool_calls" not in message
    assert made["choices"][0]["finish_reason"] == "length", "it waits for calls that this client can't see"
    assert [found["kind"] for found in made["msgmodel"]["waiting_calls"]] == ["shell", "approval"]
    assert made["msgmodel"]["untold"] == ["hologram"]


def test_ag_ui_has_events_of_our_own() -> None:
    found = chunks(ag_ui.Chunks("t", "r"), MEDIA)
    names = [chunk["name"] for chunk in found if chunk["type"] == "CUSTOM"]
    assert names == [
        *("msgmodel.tool_run",) * 2,
        *("msgmodel.part", "msgmodel.source"),
        *("msgmodel.waiting_call",) * 2,
        "msgmodel.finish",
    ]
    assert found[-1]["outcome"] == {"type": "success"}


@pytest.mark.parametrize("arguments", ["[1]", "{ci"])
def test_a_turn_with_a_call_that_no_client_can_run_is_sealed(arguments: str) -> None:
    """It raised IndexError: the turn has the call, but the client was told that it can't run it."""
    broken = call("c1", arguments, None)
    turn = [TURN[0], {**TURN[2], "arguments": arguments}]
    events = [broken, final("", "tool_calls", message={"role": "assistant", "content": turn})]
    (sealed,) = [chunk for chunk in sdk(events) if chunk["type"] == "data-turn"]
    assert sealed["data"]["message"]["content"] == turn
    chunks(ag_ui.Chunks("t", "r"), events)


def test_warnings_are_in_the_outcome() -> None:
    warnings = [{"code": "model_substituted", "message": "Another model answered."}]
    for adapter in (ai_sdk.Chunks(), ag_ui.Chunks("t", "r"), openai_chat.Chunks(**ARGUMENTS)):
        shown = json.dumps(chunks(adapter, [final("Hi", warnings=warnings)]))
        assert json.dumps(warnings) in shown
