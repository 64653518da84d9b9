"""The adapters without any client: every chunk of every ending, any sequence of events, requests good and hostile."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import copy
import json
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import msgmodel
from clients.scenarios import (
    BOOK,
    HALF,
    ONE,
    PRIVACY,
    SUN,
    TIMING,
    TURN,
    TWO,
    USAGE,
    call,
    delta,
    error,
    final,
    retry,
    source,
    tool_delta,
)
from conftest import KEY
from msgmodel import AnthropicConfig, ConfigurationError, MsgModelError, OpenAIConfig
from msgmodel.adapters import ag_ui, ai_sdk, openai_chat
from msgmodel.adapters.framing import encode_chunk
from msgmodel.testing import Reply, ScriptedProvider

TARGETS = get_args(ai_sdk.Target)


def truth(status: str = "complete", panel: str = "p", **more: Any) -> dict[str, Any]:
    """How a panel ended, as the adapters say it."""
    words = {"complete": "end_turn", "truncated": "max_tokens", "filtered": "refusal", "tool_calls": "tool_use"}
    return {
        "panel_id": panel,
        "status": status,
        "code": None,
        "error": None,
        "finish_reason": words.get(status),
        "truncated": status == "truncated",
        "truncated_in": "text" if status == "truncated" else None,
        "provider": "anthropic",
        "model": "claude-haiku-5-5",
        "request_id": "req_1",
        "usage": USAGE,
        "cost": 0.001,
        "cost_source": "price_list",
        "timing": TIMING,
        **({} if status == "error" else {"privacy": PRIVACY}),
        **more,
    }


def failure(code: str, panel: str = "p") -> dict[str, Any]:
    return truth("error", panel, code=code, error=f"It was {code}.")


BROKEN_OFF = truth(
    "error",
    code="interrupted",
    error="the stream ended before its last event",
    **dict.fromkeys(("provider", "model", "request_id", "usage", "cost", "cost_source", "timing")),
)
ENDS = {
    "complete": truth(),
    "truncated": truth("truncated"),
    "filtered": truth("filtered"),
    "tool_calls": truth("tool_calls"),
    "interrupted": failure("interrupted"),
    "refused": failure("rate_limit"),
    "failed": failure("overloaded"),
    "cancelled": failure("cancelled"),
    "broken_off": BROKEN_OFF,
    "fallback": truth(),
    "rich": truth("tool_calls"),
}


def chunks(adapter: Any, events: list[Any]) -> list[dict[str, Any]]:
    return [*adapter.start(), *(chunk for event in events for chunk in adapter.feed(event)), *adapter.end()]


def decoded(body: bytes) -> list[Any]:
    """What a client reads from the bytes, whose framing is checked."""
    assert body.endswith(b"\n\n")
    assert b"\r" not in body
    lines = body.decode().split("\n\n")[:-1]
    assert all(line.startswith("data: ") and len(line.splitlines()) == 1 for line in lines)
    return [line[6:] if line == "data: [DONE]" else json.loads(line[6:]) for line in lines]


# --- the AI SDK ---


def mine(panel: str = "p", **more: Any) -> dict[str, Any]:
    return {"msgmodel": {"panel_id": panel, **more}}


def begun(panel: str = "p") -> dict[str, Any]:
    return {"type": "data-panel", "id": panel, "data": {"panel_id": panel, "status": "streaming"}}


def ended(found: dict[str, Any]) -> dict[str, Any]:
    return {"type": "data-panel", "id": found["panel_id"], "data": found}


def part(text: str, number: int = 0, kind: str = "text", panel: str = "p", **more: Any) -> list[dict[str, Any]]:
    about = {"id": f"{panel}-{number}"}
    return [
        {"type": f"{kind}-start", **about, "providerMetadata": mine(panel, **more)},
        {"type": f"{kind}-delta", **about, "delta": text},
        {"type": f"{kind}-end", **about},
    ]


def metadata(status: str, *panels: dict[str, Any]) -> dict[str, Any]:
    return {"messageMetadata": {"msgmodel": {"status": status, "panels": list(panels)}}}


def finish(reason: str, status: str, *panels: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"type": "finish-step"}, {"type": "finish", "finishReason": reason, **metadata(status, *panels)}]


def failed(text: str, *panels: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"type": "message-metadata", **metadata("error", *panels)}, {"type": "error", "errorText": text}]


START = [{"type": "start", "messageId": "m"}, {"type": "start-step"}]
HELLO = part("Hel")
HELLO[2:2] = [{"type": "text-delta", "id": "p-0", "delta": "lo"}]
WEATHER = {"toolName": "weather", "dynamic": True}
AVAILABLE = {
    "type": "tool-input-available",
    "toolCallId": "c1",
    **WEATHER,
    "input": {"city": "Oslo"},
    "providerMetadata": mine(),
}
NOT_WHOLE = {"type": "tool-input-error", **WEATHER, "errorText": "The tool call is incomplete."}
RETRIED = {
    "type": "data-retry",
    "transient": True,
    "data": {name: value for name, value in retry("fallback").items() if name != "event"},
}
FELL_BACK = {
    "v7": [{"type": "reset-step"}, begun(), RETRIED],
    "v6": [RETRIED],
    "v5": [RETRIED],
}


def sdk(name: str, target: str) -> list[dict[str, Any]]:
    """Everything between the start and the end of the scenario."""
    if name == "complete":
        return HELLO
    if name == "filtered":
        return [*part("I will "), *part("I can't.", 1, refusal=True)]
    if name == "tool_calls":
        return [AVAILABLE]
    if name == "refused":
        return []
    if name == "fallback":
        return [*part("Hm", kind="reasoning"), *FELL_BACK[target], *part("Hello", 1)]
    if name == "rich":
        thought = part("Let me ", kind="reasoning")
        thought[2:2] = [{"type": "reasoning-delta", "id": "p-0", "delta": "see."}]
        return [
            *thought,
            *part("Sunny.", 1),
            {
                "type": "source-url",
                "sourceId": "p-2-source",
                "url": "https://example.test/sun",
                "title": "The sun",
                "providerMetadata": mine(text="It shines."),
            },
            {
                "type": "source-document",
                "sourceId": "p-3-source",
                "mediaType": "text/plain",
                "title": "A book",
                "providerMetadata": mine(text="A book"),
            },
            {"type": "tool-input-start", "toolCallId": "c1", **WEATHER},
            {"type": "tool-input-delta", "toolCallId": "c1", "inputTextDelta": '{"city": '},
            {"type": "tool-input-delta", "toolCallId": "c1", "inputTextDelta": '"Oslo"}'},
            AVAILABLE,
            {"type": "tool-input-start", "toolCallId": "c2", **WEATHER},
            {"type": "tool-input-delta", "toolCallId": "c2", "inputTextDelta": '{"ci'},
            {**NOT_WHOLE, "toolCallId": "c2", "input": '{"ci'},
            {"type": "data-turn", "data": {"panel_id": "p", "message": {"role": "assistant", "content": TURN}}},
        ]
    return part("Hel")


SDK_ENDS: dict[str, Callable[[str], list[dict[str, Any]]]] = {
    "complete": lambda target: finish("stop", "complete", ENDS["complete"]),
    "truncated": lambda target: finish("length", "truncated", ENDS["truncated"]),
    "filtered": lambda target: finish("content-filter", "filtered", ENDS["filtered"]),
    "tool_calls": lambda target: finish("tool-calls", "tool_calls", ENDS["tool_calls"]),
    "interrupted": lambda target: finish("interrupted" if target == "v7" else "other", "error", ENDS["interrupted"]),
    "refused": lambda target: failed("It was rate_limit.", ENDS["refused"]),
    "failed": lambda target: failed("It was overloaded.", ENDS["failed"]),
    "cancelled": lambda target: [
        {"type": "message-metadata", **metadata("error", ENDS["cancelled"])},
        {"type": "abort", "reason": "cancelled"},
    ],
    "broken_off": lambda target: finish("interrupted" if target == "v7" else "other", "error", ENDS["broken_off"]),
    "fallback": lambda target: finish("stop", "complete", ENDS["fallback"]),
    "rich": lambda target: finish("tool-calls", "tool_calls", ENDS["rich"]),
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", ONE)
def test_ai_sdk(name: str, target: Any) -> None:
    expected = [*START, begun(), *sdk(name, target), ended(ENDS[name]), *SDK_ENDS[name](target)]
    assert chunks(ai_sdk.Chunks(target=target, message_id="m"), ONE[name]) == expected
    assert decoded(b"".join(ai_sdk.encode(ONE[name], target=target, message_id="m"))) == [*expected, "[DONE]"]


def test_ai_sdk_two_panels_of_which_one_fails() -> None:
    left, right = part("Left ", panel="left"), part("Right", panel="right")
    lost, whole = failure("overloaded", "right"), truth(panel="left")
    assert chunks(ai_sdk.Chunks(panels=2), TWO["one_fails"]) == [
        {"type": "start"},
        {"type": "start-step"},
        begun("left"),
        *left[:2],
        begun("right"),
        *right,
        ended(lost),
        {"type": "text-delta", "id": "left-0", "delta": "whole"},
        left[2],
        ended(whole),
        *finish("other", "mixed", whole, lost),
    ]


def test_ai_sdk_two_panels_that_fail() -> None:
    left, right = failure("quota", "left"), failure("overloaded", "right")
    assert chunks(ai_sdk.Chunks(panels=2), TWO["both_fail"])[2:] == [
        begun("left"),
        ended(left),
        begun("right"),
        ended(right),
        *failed("left: It was quota.\nright: It was overloaded.", left, right),
    ]


def test_ai_sdk_two_panels_that_end_alike() -> None:
    assert chunks(ai_sdk.Chunks(panels=2), TWO["both_complete"])[-1] == finish(
        "stop", "complete", truth(panel="left"), truth(panel="right")
    )[-1]  # fmt: skip


def test_ai_sdk_a_panel_that_never_spoke() -> None:
    assert chunks(ai_sdk.Chunks(panels=2), [delta("L", "left"), final("L", panel="left")])[-1] == finish(
        "other", "complete", truth(panel="left")
    )[-1]  # fmt: skip
    assert chunks(ai_sdk.Chunks(), [])[-2:] == failed("The stream ended before its last event.")


@pytest.mark.parametrize(
    ("code", "content", "last"),
    [
        *((code, "Hel", "finish") for code in ("interrupted", "network", "timeout", "protocol", "reply_too_large")),
        *((code, "", "error") for code in ("interrupted", "network", "timeout", "protocol", "reply_too_large")),
        *((code, "Hel", "error") for code in ("server", "overloaded", "quota", "rate_limit", "content_policy")),
        ("cancelled", "", "abort"),
    ],
)
def test_ai_sdk_errors(code: str, content: str, last: str) -> None:
    events = [*([delta(content)] if content else []), error(code, content)]
    assert chunks(ai_sdk.Chunks(), events)[-1]["type"] == last


@pytest.mark.parametrize("status", ["paused", "unknown"])
def test_what_is_neither_whole_nor_cut(status: str) -> None:
    assert chunks(ai_sdk.Chunks(), [final("", status)])[-1]["finishReason"] == "other"
    whole = openai_chat.Chunks(id="i", created=1, model="m")
    assert chunks(whole, [final("", status)])[-1]["choices"][0]["finish_reason"] == "length"


def test_ai_sdk_ids_of_calls_are_unique() -> None:
    """Some servers say the same id twice, or none; the sealed turn names them as the client does."""
    turn = [{"type": "tool_call", "id": id, "name": "weather", "arguments": "{}"} for id in ("c", "c", "", "")]
    turn[0]["opaque"] = TURN[0]["opaque"]
    events = [*(call(id, "{}", {}) for id in ("c", "c", "", "")), call("d", "3", 3)]
    events.append(final("", "tool_calls", message={"role": "assistant", "content": turn}))
    found = chunks(ai_sdk.Chunks(), events)
    available = [chunk["toolCallId"] for chunk in found if chunk["type"] == "tool-input-available"]
    assert available == ["c", "c_2", "call", "call_2"]
    (sealed,) = [chunk["data"]["message"]["content"] for chunk in found if chunk["type"] == "data-turn"]
    assert [part["id"] for part in sealed] == available
    (wrong,) = [chunk for chunk in found if chunk["type"] == "tool-input-error"]
    assert wrong == {
        **NOT_WHOLE, "toolCallId": "d", "input": "3", "errorText": "The arguments of the call are not a JSON object.",
    }  # fmt: skip


def test_ai_sdk_a_call_that_only_began() -> None:
    found = chunks(ai_sdk.Chunks(), [tool_delta("c", "{"), error("network")])
    assert [chunk["type"] for chunk in found[3:5]] == ["tool-input-start", "tool-input-delta"]
    assert found[5] == {**NOT_WHOLE, "toolCallId": "c", "input": ""}


@pytest.mark.parametrize(
    "adapter",
    [ai_sdk.Chunks, partial(ag_ui.Chunks, "t", "r"), partial(openai_chat.Chunks, id="i", created=1, model="m")],
)
def test_progress_is_not_sent_and_closes_nothing(adapter: Any) -> None:
    text = {"event": "panel_delta", "panel_id": "p", "delta": "a"}
    thought = {"event": "panel_reasoning", "panel_id": "p", "delta": "b"}
    wait = {"event": "panel_progress", "panel_id": "p", "phase": "silent", "seconds": 4.0}
    assert chunks(adapter(), [wait, text, wait, text, thought, wait, thought]) == chunks(
        adapter(), [text, text, thought, thought]
    )


def test_values_of_a_typed_reply() -> None:
    """They come within the text; at the end stands what was checked, also after a value that was not valid."""
    text = [delta('{"a"'), delta(": 1}")]
    so_far: dict[str, Any] = {"event": "panel_object", "panel_id": "p", "value": {}, "open": "/a"}
    item: dict[str, Any] = {"event": "panel_item", "panel_id": "p", "index": 0, "item": {"a": 1}}
    errors = [{"path": "/a", "message": "The value is 1.", "wanted": "a string"}]
    for found, mistakes in ({"a": 1}, {}), (None, {"errors": errors}):
        last = final('{"a": 1}', object=found, **mistakes)
        made = chunks(ai_sdk.Chunks(), [text[0], so_far, text[1], item, last])
        data = [chunk for chunk in made if chunk["type"] in ("data-object", "data-item")]
        value = {"panel_id": "p", "value": {}, "open": "/a", "checked": False}
        assert data == [
            {"type": "data-object", "id": "p", "data": value},
            {"type": "data-item", "transient": True, "data": {"panel_id": "p", "index": 0, "item": {"a": 1}}},
            {"type": "data-object", "id": "p", "data": value | {"value": found, "open": None, "checked": True}},
        ]
        assert [chunk["type"] for chunk in made].count("text-start") == 1
        (outcome,) = [chunk["data"] for chunk in made if chunk["type"] == "data-panel" and "usage" in chunk["data"]]
        assert (outcome["object"], outcome.get("errors", [])) == (found, mistakes.get("errors", []))
        made = chunks(ag_ui.Chunks("t", "r"), [text[0], so_far, text[1], item, last])
        states = [chunk["delta"] for chunk in made if chunk["type"] == "STATE_DELTA"]
        assert states == [[{"op": "add", "path": "/object", "value": value}] for value in ({}, found)]
        assert [chunk["name"] for chunk in made if chunk["type"] == "CUSTOM"] == ["msgmodel.item", "msgmodel.finish"]
        made = chunks(openai_chat.Chunks(id="i", created=1, model="m"), [text[0], so_far, text[1], item, last])
        assert len(made) == 4
    two = [{**event, "panel_id": panel} for panel in ("p", "q") for event in (so_far, last)]
    made = chunks(ag_ui.Chunks("t", "r", panels=2), two)
    assert [chunk["name"] for chunk in made if chunk["type"] == "CUSTOM"][::2] == ["msgmodel.object"] * 2


def test_a_repaired_reply_is_one_answer_in_a_completion() -> None:
    answer = {"role": "assistant", "content": [{"type": "reasoning", "text": "Hm"}, {"type": "text", "text": "{}"}]}
    for message in (answer, {"role": "assistant", "content": "{}"}):
        last = final("[]\n\n{}", object={}, message=message)
        made = openai_chat.completion(last, id="i", created=1, model="m")
        assert made["choices"][0]["message"]["content"] == "{}"
    made = chunks(ai_sdk.Chunks(target="v7"), [delta("[]"), retry("repair"), delta("{}"), final("[]{}", object={})])
    assert [chunk["type"] for chunk in made].count("reset-step") == 1


def test_ai_sdk_unknown_target() -> None:
    with pytest.raises(ConfigurationError, match="target must be v5, v6, v7, not 'v4'"):
        ai_sdk.Chunks(target="v4")  # type: ignore[arg-type]


# --- AG-UI ---

AG_START = [{"type": "RUN_STARTED", "threadId": "t", "runId": "r", "protocolVersion": "1.0"}]
AG_USAGE = {
    "provider": "anthropic",
    "model": "claude-haiku-5-5",
    "inputTokens": 12,
    "outputTokens": 34,
    "cachedInputTokens": 4,
}


def said(*texts: str, id: str = "r-p", **owner: str) -> list[dict[str, Any]]:
    return [
        {"type": "TEXT_MESSAGE_START", "messageId": id, "role": "assistant", **owner},
        *({"type": "TEXT_MESSAGE_CONTENT", "messageId": id, "delta": text, **owner} for text in texts),
        {"type": "TEXT_MESSAGE_END", "messageId": id, **owner},
    ]


def custom(name: str, value: Any, **owner: str) -> dict[str, Any]:
    if "event" in value:
        value = {key: item for key, item in value.items() if key != "event"}
    return {"type": "CUSTOM", "name": f"msgmodel.{name}", "value": value, **owner}


def run_finished(status: str, *panels: dict[str, Any], **outcome: Any) -> dict[str, Any]:
    return {
        "type": "RUN_FINISHED",
        "threadId": "t",
        "runId": "r",
        "result": {"status": status, "panels": list(panels)},
        "usage": [AG_USAGE] * len(panels),
        "outcome": outcome or {"type": "success"},
    }


def run_error(code: str, message: str | None = None, count: int = 1) -> dict[str, Any]:
    usage = {"usage": [AG_USAGE] * count} if count else {}
    return {"type": "RUN_ERROR", "message": message or f"It was {code}.", "code": code, **usage}


REASONED = {"messageId": "r-p-reasoning-1"}
AG_REASONING = [
    {"type": "REASONING_START", **REASONED},
    {"type": "REASONING_MESSAGE_START", "role": "reasoning", **REASONED},
    {"type": "REASONING_MESSAGE_CONTENT", "delta": "Let me ", **REASONED},
    {"type": "REASONING_MESSAGE_CONTENT", "delta": "see.", **REASONED},
    {"type": "REASONING_MESSAGE_END", **REASONED},
    {"type": "REASONING_END", **REASONED},
]
AG_CALL = [
    {"type": "TOOL_CALL_START", "toolCallId": "c1", "toolCallName": "weather", "parentMessageId": "r-p"},
    {"type": "TOOL_CALL_ARGS", "toolCallId": "c1", "delta": '{"city": "Oslo"}'},
    {"type": "TOOL_CALL_END", "toolCallId": "c1"},
]
REFUSAL = said("I can't.", id="r-p-refusal-1")
REFUSAL[0]["name"] = "refusal"
WAITS = {"type": "success", "pendingToolCallIds": ["c1"]}
AG: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "complete": (said("Hel", "lo"), run_finished("complete", ENDS["complete"])),
    "truncated": (said("Hel"), run_finished("truncated", ENDS["truncated"])),
    "filtered": (
        [*said("I will ")[:2], *REFUSAL, said()[-1]],
        run_finished("filtered", ENDS["filtered"]),
    ),
    "tool_calls": (AG_CALL, run_finished("tool_calls", ENDS["tool_calls"], **WAITS)),
    "interrupted": (said("Hel"), run_error("interrupted")),
    "refused": ([], run_error("rate_limit")),
    "failed": (said("Hel"), run_error("overloaded")),
    "cancelled": (said("Hel"), run_finished("error", ENDS["cancelled"], type="cancelled")),
    "broken_off": (said("Hel"), run_error("interrupted", "the stream ended before its last event", 0)),
    "fallback": (
        [
            *AG_REASONING[:2],
            {"type": "REASONING_MESSAGE_CONTENT", "delta": "Hm", **REASONED},
            *AG_REASONING[4:],
            custom("retry", retry("fallback")),
            *said("Hello"),
        ],
        run_finished("complete", ENDS["fallback"]),
    ),
    "rich": (
        [
            *AG_REASONING,
            *said("Sunny.")[:2],
            custom("source", SUN),
            custom("source", BOOK),
            *AG_CALL,
            custom("incomplete_tool_call", HALF),
            {
                "type": "REASONING_ENCRYPTED_VALUE",
                "subtype": "message",
                "entityId": "r-p",
                "encryptedValue": json.dumps(
                    {"msgmodel": {"role": "assistant", "content": TURN}}, separators=(",", ":")
                ),
            },
            said()[-1],
        ],
        run_finished("tool_calls", ENDS["rich"], **WAITS),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ONE)
def test_ag_ui(name: str) -> None:
    between, last = AG[name]
    expected = [*AG_START, *between, custom("finish", ENDS[name]), last]
    assert chunks(ag_ui.Chunks("t", "r"), ONE[name]) == expected
    assert decoded(b"".join(ag_ui.encode(ONE[name], "t", "r"))) == expected


def test_ag_ui_two_panels_of_which_one_fails() -> None:
    left, right = {"subagentRunId": "left"}, {"subagentRunId": "right"}
    of_left = said("Left ", "whole", id="r-left", **left)
    lost, whole = failure("overloaded", "right"), truth(panel="left")
    assert chunks(ag_ui.Chunks("t", "r", panels=2), TWO["one_fails"]) == [
        *AG_START,
        {"type": "SUBAGENT_STARTED", "name": "left", **left},
        *of_left[:2],
        {"type": "SUBAGENT_STARTED", "name": "right", **right},
        *said("Right", id="r-right", **right),
        custom("finish", lost, **right),
        {"type": "SUBAGENT_ERROR", "message": "It was overloaded.", "code": "overloaded", **right},
        *of_left[2:],
        custom("finish", whole, **left),
        {"type": "SUBAGENT_FINISHED", "result": whole, "outcome": {"type": "success"}, **left},
        run_finished("mixed", whole, lost),
    ]


def test_ag_ui_two_panels_that_fail() -> None:
    last = chunks(ag_ui.Chunks("t", "r", panels=2), TWO["both_fail"])[-1]
    assert last == run_error("quota", "It was quota.; It was overloaded.", 2)
    cancelled = [error("cancelled", panel="left"), error("cancelled", panel="right")]
    assert chunks(ag_ui.Chunks("t", "r", panels=2), cancelled)[-1]["outcome"] == {"type": "cancelled"}
    assert chunks(ag_ui.Chunks("t", "r"), [])[-1] == run_error(
        "interrupted", "the stream ended before its last event", 0
    )


def test_ag_ui_a_turn_of_reasoning_alone_is_sealed_too() -> None:
    events = [delta("Hm", kind="reasoning"), final(message={"role": "assistant", "content": TURN[:1]})]
    (sealed,) = [chunk for chunk in chunks(ag_ui.Chunks("t", "r"), events) if "encryptedValue" in chunk]
    assert sealed["entityId"] == "r-p-reasoning-1"


# --- OpenAI ---

HEAD = {"id": "i", "object": "chat.completion.chunk", "created": 1, "model": "m"}
OPENAI_USAGE = {
    "prompt_tokens": 12,
    "completion_tokens": 34,
    "total_tokens": 46,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 0},
}
ARGUMENTS: Any = {"id": "i", "created": 1, "model": "m"}
FUNCTION = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}


def cited(place: int) -> list[dict[str, Any]]:
    found = {"url": "https://example.test/sun", "title": "The sun", "start_index": place, "end_index": place}
    return [{"type": "url_citation", "url_citation": found}]


def choice(finish_reason: str | None = None, **part: Any) -> dict[str, Any]:
    return {**HEAD, "choices": [{"index": 0, "delta": part, "finish_reason": finish_reason}]}


def piece_of_call(arguments: str, name: str | None = None, **head: str) -> dict[str, Any]:
    return {**head, "function": {"arguments": arguments} | ({"name": name} if name else {})}


def openai_error(kind: str, code: str, found: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"message": found["error"], "type": kind, "param": None, "code": code}, "msgmodel": found}


def openai_end(reason: str, found: dict[str, Any]) -> list[Any]:
    return [choice(reason) | {"msgmodel": found}, {**HEAD, "choices": [], "usage": OPENAI_USAGE}, "[DONE]"]


OPENAI: dict[str, list[Any]] = {
    "complete": [choice(content="Hel"), choice(content="lo"), *openai_end("stop", ENDS["complete"])],
    "truncated": [choice(content="Hel"), *openai_end("length", ENDS["truncated"])],
    "filtered": [
        choice(content="I will "),
        choice(content="\n\nI can't.", refusal="I can't."),
        *openai_end("content_filter", ENDS["filtered"]),
    ],
    "tool_calls": [choice(tool_calls=[{"index": 0, **FUNCTION}]), *openai_end("tool_calls", ENDS["tool_calls"])],
    "interrupted": [choice(content="Hel"), openai_error("server_error", "interrupted", ENDS["interrupted"])],
    "refused": [openai_error("rate_limit_error", "rate_limit_exceeded", ENDS["refused"])],
    "failed": [choice(content="Hel"), openai_error("server_error", "overloaded", ENDS["failed"])],
    "cancelled": [choice(content="Hel"), openai_error("cancelled", "cancelled", ENDS["cancelled"])],
    "broken_off": [
        choice(content="Hel"),
        openai_error("server_error", "interrupted", BROKEN_OFF | {"panel_id": ""}),
    ],
    "fallback": [
        choice(reasoning_content="Hm"),
        choice(content="Hello"),
        *openai_end("stop", ENDS["fallback"]),
    ],
    "rich": [
        choice(reasoning_content="Let me "),
        choice(reasoning_content="see."),
        choice(content="Sunny."),
        choice(annotations=cited(6)),
        choice(tool_calls=[{"index": 0, **piece_of_call('{"city"', id="c1", type="function", name="weather")}]),
        choice(tool_calls=[{"index": 0, **piece_of_call(': "Oslo"')}]),
        choice(tool_calls=[{"index": 0, **piece_of_call("}")}]),
        choice(tool_calls=[{"index": 1, **piece_of_call('{"c', id="c2", type="function", name="weather")}]),
        *openai_end("length", ENDS["rich"]),  # the second call was cut
    ],
}


@pytest.mark.parametrize("name", ONE)
def test_openai(name: str) -> None:
    body = b"".join(openai_chat.encode(ONE[name], **ARGUMENTS, include_usage=True))
    assert decoded(body) == [choice(role="assistant", content=""), *OPENAI[name]]


def test_openai_without_usage() -> None:
    *_, last = chunks(openai_chat.Chunks(**ARGUMENTS), ONE["complete"])
    assert last == choice("stop") | {"msgmodel": ENDS["complete"]}


@pytest.mark.parametrize(
    ("name", "message", "reason"),
    [
        ("complete", {"content": "Hello", "refusal": None}, "stop"),
        ("truncated", {"content": "Hel", "refusal": None}, "length"),
        ("filtered", {"content": "I will \n\nI can't.", "refusal": "I can't."}, "content_filter"),
        ("tool_calls", {"content": None, "refusal": None, "tool_calls": [FUNCTION]}, "tool_calls"),
        (
            "rich",
            {
                "content": "Sunny.",
                "refusal": None,
                "reasoning_content": "Let me see.",
                "tool_calls": [FUNCTION],
                "annotations": cited(6),
            },
            "tool_calls",
        ),
    ],
)
def test_openai_completion(name: str, message: dict[str, Any], reason: str) -> None:
    assert openai_chat.completion(ONE[name][-1], **ARGUMENTS) == {
        "id": "i",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {"index": 0, "message": {"role": "assistant", **message}, "logprobs": None, "finish_reason": reason}
        ],
        "usage": OPENAI_USAGE,
        "msgmodel": ENDS[name],
    }


@pytest.mark.parametrize(("arguments", "value"), [("[1]", [1]), ('"x"', "x"), ("{city", None)])
def test_openai_passes_on_a_complete_call_without_an_object(arguments: str, value: Any) -> None:
    sent = call("c1", arguments, value)
    function = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": arguments}}
    assert chunks(openai_chat.Chunks(**ARGUMENTS), [sent])[1] == choice(tool_calls=[{"index": 0, **function}])
    bare = {name: item for name, item in sent.items() if name not in ("event", "panel_id")}
    done = openai_chat.completion(final("", "tool_calls", "tool_use", tool_calls=[bare]), **ARGUMENTS)
    assert done["choices"][0]["message"] == {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "tool_calls": [function],
    }


def test_openai_a_refusal_alone_is_text() -> None:
    pieces = [delta("I ", kind="refusal"), delta("can't.", kind="refusal")]
    found = chunks(openai_chat.Chunks(**ARGUMENTS), pieces)[1:3]
    assert found == [choice(content="I ", refusal="I "), choice(content="can't.", refusal="can't.")]
    end = final("", "filtered", "refusal", refusal="I can't.")
    message = openai_chat.completion(end, **ARGUMENTS)["choices"][0]["message"]
    assert message == {"role": "assistant", "content": "I can't.", "refusal": "I can't."}


def test_openai_every_error_has_a_status() -> None:
    statuses = {code: openai_chat.status_of(error(code)) for code in get_args(msgmodel.ErrorCode)}
    assert statuses == {
        "authentication": 401,
        "permission": 403,
        "not_found": 404,
        "rate_limit": 429,
        "quota": 429,
        "context_length": 400,
        "too_large": 413,
        "invalid_request": 400,
        "content_policy": 400,
        "overloaded": 503,
        "server": 502,
        "network": 502,
        "timeout": 504,
        "interrupted": 502,
        "protocol": 502,
        "reply_too_large": 502,
        "cancelled": 499,
    }


def test_openai_what_is_wrong_with_a_request() -> None:
    assert openai_chat.bad_request(ConfigurationError("n: no")) == {
        "error": {"message": "n: no", "type": "invalid_request_error", "param": "n", "code": "invalid_request"}
    }


# --- framing ---


def test_no_line_breaks_within_a_frame() -> None:
    text = "a\u2028b\u2029c\u0085d\r\ne"
    assert encode_chunk({"delta": text}) == rb'data: {"delta":"a\u2028b\u2029c\u0085d\r\ne"}' + b"\n\n"
    assert json.loads(encode_chunk({"delta": text})[6:]) == {"delta": text}


ENCODERS: list[tuple[Any, Any]] = [
    (
        lambda events: ai_sdk.encode(events, message_id="m"),
        lambda events: ai_sdk.async_encode(events, message_id="m"),
    ),
    (lambda events: ag_ui.encode(events, "t", "r"), lambda events: ag_ui.async_encode(events, "t", "r")),
    (
        lambda events: openai_chat.encode(events, **ARGUMENTS),
        lambda events: openai_chat.async_encode(events, **ARGUMENTS),
    ),
]


@pytest.mark.parametrize(("encode", "async_encode"), ENCODERS, ids=["ai_sdk", "ag_ui", "openai_chat"])
def test_a_source_that_raises_ends_as_one_that_broke_off(encode: Any, async_encode: Any) -> None:
    """And is closed, as is one of which the reader wants no more."""
    closed = []

    def source() -> Iterator[Any]:
        try:
            yield delta("Hel")
            raise OSError("gone")
        finally:
            closed.append("sync")

    async def async_source() -> AsyncIterator[Any]:
        try:
            yield delta("Hel")
            raise OSError("gone")
        finally:
            closed.append("async")

    broken_off = b"".join(encode(ONE["broken_off"]))
    found: list[bytes] = []
    with pytest.raises(OSError, match="gone"):
        found.extend(encode(source()))
    assert b"".join(found) == broken_off

    async def collect() -> None:
        encoded = async_encode(async_source())
        found[:] = [await anext(encoded) for _ in range(3)]
        with pytest.raises(OSError, match="gone"):
            await anext(encoded)
        assert b"".join(found) == broken_off
        assert b"".join([frames async for frames in async_encode(Asynchronous(ONE["rich"]))]) == b"".join(
            encode(ONE["rich"])
        )
        left = async_encode(async_source())
        await anext(left)
        await anext(left)
        await left.aclose()

    asyncio.run(collect())
    left = encode(source())
    next(left), next(left)
    left.close()
    assert closed == ["sync", "async", "async", "sync"]


class Asynchronous:
    """Events for `async for`, and no more than that needs."""

    def __init__(self, events: list[Any]) -> None:
        self._events = iter(events)

    def __aiter__(self) -> Asynchronous:
        return self

    async def __anext__(self) -> Any:
        try:
            return next(self._events)
        except StopIteration:
            raise StopAsyncIteration from None


# --- any sequence of events ---

TEXT = st.text(alphabet="ab \u2028\U0001f916", max_size=4)
TOOL_IDS = st.sampled_from(["", "c1", "c2"])
CALLS: list[Any] = [("{}", {}, True), ("3", 3, True), ("{", None, False)]
PIECES = st.one_of(
    st.builds(lambda text, kind: delta(text, kind=kind), TEXT, st.sampled_from(["delta", "reasoning", "refusal"])),
    st.builds(tool_delta, TOOL_IDS, TEXT),
    st.builds(lambda id, how: call(id, *how), TOOL_IDS, st.sampled_from(CALLS)),
    st.builds(source, st.sampled_from([None, "https://a.test"]), st.none() | TEXT, st.none() | TEXT),
    st.just(retry("resume")),
    st.just({"event": "panel_object", "panel_id": "p", "value": {}, "open": ""}),
    st.just({"event": "panel_item", "panel_id": "p", "index": 0, "item": 1}),
)


@st.composite
def panels(draw: st.DrawFn, most: int) -> tuple[int, list[Any], dict[str, str]]:
    """How many panels, their events in any order between them, and the text of each."""
    left: list[list[Any]] = []
    contents = {}
    for number in range(draw(st.integers(1, most))):
        events = draw(st.lists(PIECES, max_size=8))
        if draw(st.booleans()):
            events[:0] = [delta("Hm", kind="reasoning"), retry("fallback")]
        content = "".join(event["delta"] for event in events if event["event"] == "panel_delta")
        calls = [
            {"type": "tool_call", "id": event["id"], "name": "weather", "arguments": "{}"}
            for event in events
            if event["event"] == "panel_tool_call" and event["arguments_json"] == {}
        ]
        turn: dict[str, Any] = {"message": {"role": "assistant", "content": [*TURN[: draw(st.integers(0, 1))], *calls]}}
        status = draw(st.sampled_from(get_args(msgmodel.Status)))
        code = draw(st.sampled_from(get_args(msgmodel.ErrorCode)))
        ends = [[final(content, status, **turn)], [error(code, content, **turn)], []]
        events += draw(st.sampled_from(ends))
        left.append([{**event, "panel_id": f"p{number}"} for event in events])
        contents[f"p{number}"] = content
    mixed: list[Any] = []
    count = len(left)
    while left := [events for events in left if events]:
        mixed.append(draw(st.sampled_from(left)).pop(0))
    return count, mixed, contents


SDK_FINISH = {"stop", "length", "content-filter", "tool-calls", "error", "other"}


@given(drawn=panels(3), target=st.sampled_from(TARGETS))
@settings(max_examples=300)
def test_ai_sdk_any_events(drawn: tuple[int, list[Any], dict[str, str]], target: Any) -> None:
    count, events, contents = drawn
    found = chunks(ai_sdk.Chunks(target=target, panels=count), events)
    assert [chunk["type"] for chunk in found[:2]] == ["start", "start-step"]
    last = found[-1]
    assert [chunk["type"] for chunk in found if chunk["type"] in ("finish", "error", "abort")] == [last["type"]]
    said = last if last["type"] == "finish" else found[-2]
    assert said["messageMetadata"]["msgmodel"]["panels"] is not None
    assert last.get("finishReason", "other") in SDK_FINISH | ({"interrupted"} if target == "v7" else set())
    open_parts: dict[str, tuple[str, bool]] = {}
    streaming: set[str] = set()
    told: set[str] = set()
    texts = dict.fromkeys(contents, "")
    for chunk in found:
        name, _, step = chunk["type"].rpartition("-")
        if name in ("text", "reasoning"):
            panel = chunk["id"].partition("-")[0]
            if step == "start":
                assert panel not in open_parts
                open_parts[panel] = chunk["id"], "refusal" in chunk["providerMetadata"]["msgmodel"]
            elif step == "delta":
                id, refused = open_parts[panel]
                assert id == chunk["id"]
                texts[panel] += "" if refused or name == "reasoning" else chunk["delta"]
            else:
                assert open_parts.pop(panel)[0] == chunk["id"]
        elif chunk["type"] == "tool-input-start":
            assert chunk["toolCallId"] not in told
            streaming.add(chunk["toolCallId"])
            told.add(chunk["toolCallId"])
        elif chunk["type"] == "tool-input-delta":
            assert chunk["toolCallId"] in streaming
        elif chunk["type"] in ("tool-input-available", "tool-input-error"):
            assert chunk["toolCallId"] in streaming or chunk["toolCallId"] not in told
            streaming.discard(chunk["toolCallId"])
            told.add(chunk["toolCallId"])
        elif chunk["type"] == "reset-step":
            assert target == "v7"
            assert count == 1
    assert not open_parts
    assert not streaming
    assert texts == contents
    spoke = {event["panel_id"] for event in events}
    assert {chunk["id"] for chunk in found if chunk["type"] == "data-panel"} == spoke


@given(drawn=panels(3))
@settings(max_examples=300)
def test_ag_ui_any_events(drawn: tuple[int, list[Any], dict[str, str]]) -> None:
    count, events, contents = drawn
    found = chunks(ag_ui.Chunks("t", "r", panels=count), events)
    assert found[0]["type"] == "RUN_STARTED"
    assert [chunk["type"] for chunk in found if chunk["type"] in ("RUN_FINISHED", "RUN_ERROR")] == [found[-1]["type"]]
    open_things: set[tuple[str, str]] = set()
    agents: set[str] = set()
    calls: set[str] = set()
    texts = dict.fromkeys(contents, "")
    for chunk in found:
        assert None not in chunk.values()
        kind, _, step = chunk["type"].rpartition("_")
        about = (kind, chunk.get("messageId") or chunk.get("toolCallId", ""))
        if kind == "SUBAGENT":
            (agents.add if step == "STARTED" else agents.remove)(chunk["subagentRunId"])
        elif kind not in ("RUN", ""):
            assert ("subagentRunId" in chunk) == (count > 1)
            assert count == 1 or chunk["subagentRunId"] in agents
            if step == "START":
                assert about not in open_things
                open_things.add(about)
                if kind == "TOOL_CALL":
                    assert chunk["toolCallId"] not in calls
                    calls.add(chunk["toolCallId"])
            elif step == "END":
                open_things.remove(about)
            elif step in ("CONTENT", "ARGS"):
                assert about in open_things
        panel = chunk.get("messageId", "").removeprefix("r-")
        if step == "CONTENT" and panel in texts:
            texts[panel] += chunk["delta"]
    assert not open_things
    assert not agents
    assert texts == contents


@given(drawn=panels(1), include_usage=st.booleans())
@settings(max_examples=200)
def test_openai_any_events(drawn: tuple[int, list[Any], dict[str, str]], include_usage: bool) -> None:
    _, events, contents = drawn
    *found, last = decoded(b"".join(openai_chat.encode(events, **ARGUMENTS, include_usage=include_usage)))
    reasons = [choice["finish_reason"] for chunk in found for choice in chunk.get("choices", [])]
    finished = [reason for reason in reasons if reason is not None]
    if last == "[DONE]":
        assert len(finished) == 1
        assert (found[-1]["choices"] == []) == include_usage
    else:
        assert not finished
        assert last["error"]["message"]
    deltas = [choice["delta"] for chunk in found for choice in chunk.get("choices", [])]
    assert "".join(part.get("content", "") for part in deltas if "refusal" not in part) == contents["p0"]
    refused = [part for part in deltas if "refusal" in part]
    assert all(part["content"].removeprefix("\n\n" * (part is refused[0])) == part["refusal"] for part in refused)


# --- requests ---

PNG = base64.b64encode(
    base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
).decode()
PICTURE = f"data:image/png;base64,{PNG}"
SEALED = {"role": "assistant", "content": TURN}
RESULT = {"role": "tool", "content": [{"type": "tool_result", "tool_call_id": "c1", "content": {"degrees": 21}}]}
THANKS = {"role": "user", "content": [{"type": "text", "text": "Thanks"}]}


def tool_part(state: str, id: str = "c1", **more: Any) -> dict[str, Any]:
    about = {"type": "dynamic-tool", "toolName": "weather", "toolCallId": id, "state": state}
    return {**about, "input": {"city": "Oslo"}, **more}


CHAT: dict[str, Any] = {
    "id": "chat-1",
    "trigger": "submit-message",
    "messages": [
        {"id": "1", "role": "system", "parts": [{"type": "text", "text": "Be brief."}]},
        {
            "id": "2",
            "role": "user",
            "parts": [
                {"type": "text", "text": "Weather?"},
                {"type": "file", "mediaType": "image/png", "filename": "sky.png", "url": PICTURE},
                {"type": "file", "mediaType": "text/plain", "url": "data:,it%20rains"},
                {"type": "data-note", "data": 1},
            ],
        },
        {
            "id": "3",
            "role": "assistant",
            "metadata": {"any": "thing"},
            "parts": [
                {"type": "step-start"},
                {"type": "data-panel", "id": "p", "data": {"panel_id": "p"}},
                {"type": "reasoning", "text": "Let me see.", "providerMetadata": mine()},
                {"type": "text", "text": "Sunny.", "providerMetadata": mine()},
                {"type": "source-url", "sourceId": "s", "url": "https://example.test"},
                tool_part("output-available", output={"degrees": 21}, callProviderMetadata=mine()),
                tool_part("output-error", "c2", input='{"ci', errorText="The tool call is incomplete."),
                {"type": "data-turn", "data": {"panel_id": "p", "message": SEALED}},
                {"type": "step-start"},
                {"type": "text", "text": "21 degrees.", "providerMetadata": mine()},
                {"type": "text", "text": "No.", "providerMetadata": mine(refusal=True)},
            ],
        },
        {"id": "4", "role": "user", "parts": [{"type": "text", "text": "Thanks"}]},
    ],
}


def test_ai_sdk_reads() -> None:
    assert ai_sdk.read(json.dumps(CHAT).encode()) == ai_sdk.Request(
        chat_id="chat-1",
        messages=[
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Weather?"},
                    {"type": "file", "name": "sky.png", "data": PNG},
                    {"type": "file", "name": "file", "data": base64.b64encode(b"it rains").decode()},
                ],
            },
            SEALED,
            RESULT,
            {"role": "assistant", "content": [{"type": "text", "text": "21 degrees."}]},
            THANKS,
        ],  # type: ignore[list-item]
        trigger="submit-message",
        message_id=None,
        call_ids=frozenset({"c1", "c2"}),
    )


def sdk_messages(*parts: dict[str, Any], **arguments: Any) -> list[Any]:
    """What is read of one message of the assistant."""
    messages = [{"id": "a", "role": "assistant", "parts": list(parts)}]
    request = ai_sdk.read({"id": "c", "messages": messages}, **arguments)
    assert request.message_id == "a"
    return request.messages


def test_ai_sdk_reads_tools() -> None:
    static = {**tool_part("output-error", "c2", errorText="No such city."), "type": "tool-weather"}
    denied = tool_part("output-denied", "c3")
    waiting = tool_part("input-available", "c4")
    streaming = tool_part("input-streaming", "c5")
    turn, results = sdk_messages(static, denied, waiting, streaming)
    assert turn["partial"]
    assert [(part["id"], part["name"]) for part in turn["content"]] == [(f"c{n}", "weather") for n in (2, 3, 4)]
    assert results["content"] == [
        {"type": "tool_result", "tool_call_id": "c2", "content": "No such city.", "is_error": True},
        {"type": "tool_result", "tool_call_id": "c3", "content": "The user denied this call.", "is_error": True},
    ]


def test_ai_sdk_reads_one_panel() -> None:
    parts = [
        {"type": "text", "text": "Left.", "providerMetadata": mine("left")},
        {"type": "text", "text": "Right.", "providerMetadata": mine("right")},
        {"type": "data-turn", "data": {"panel_id": "right", "message": SEALED}},
        tool_part("input-available", "c9", callProviderMetadata=mine("left")),
    ]
    left = [{"type": "text", "text": "Left."}]
    left.append({"type": "tool_call", "id": "c9", "name": "weather", "arguments": {"city": "Oslo"}})  # type: ignore[dict-item]
    unanswered = {"role": "assistant", "content": left, "partial": True}
    assert sdk_messages(*parts) == [unanswered]
    assert sdk_messages(*parts, panel_id="left") == [unanswered]
    assert sdk_messages(*parts, panel_id="right") == [SEALED | {"partial": True}]
    assert sdk_messages(*parts, panel_id="nobody") == [unanswered]


def test_a_sealed_turn_that_did_not_come_whole() -> None:
    turn = {"role": "assistant", "content": TURN[:2], "partial": True}
    assert sdk_messages({"type": "data-turn", "data": {"panel_id": "p", "message": turn}}) == [turn]


BAD_CHATS: list[tuple[Any, str]] = [
    (b"{", "body: must be JSON"),
    (b"\xff", "body: must be JSON"),
    ("[" * 100_000, "body: must be JSON"),
    (b"[]", "body: must be an object"),
    ({}, "body: messages must not be empty"),
    ({"messages": {}}, "body: messages must be a list"),
    ({"messages": ["Hi"]}, r"body: messages\[0\]: must be an object"),
    ({"messages": [{"role": "tool"}]}, r"messages\[0\]: role must be system, user or assistant"),
    ({"messages": [{"role": 3}]}, r"messages\[0\]: role must be a string"),
    ({"messages": [{"role": "user", "parts": "Hi"}]}, r"messages\[0\]: parts must be a list"),
    ({"messages": [{"role": "user", "parts": [{"type": "text"}]}]}, r"parts\[0\]: text must be a string"),
    ({"messages": [{"role": "user", "parts": [{"type": "video"}]}]}, "can't hold 'video'"),
    ({"messages": [{"role": "assistant", "parts": [{"type": "hologram"}]}]}, "can't hold 'hologram'"),
    ({"messages": [{"role": "user", "parts": []}]}, "body: id must be a string"),
    *(
        ({"messages": [{"role": "user", "parts": [{"type": "file", "url": url}]}]}, message)
        for url, message in [
            ("https://example.test/cat.png", "must be a data: URL; nothing is fetched"),
            ("http://169.254.169.254/", "must be a data: URL; nothing is fetched"),
            ("file:///etc/passwd", "must be a data: URL"),
            ("data:image/png;base64", "has no data"),
            ("data:image/png;base64,@@@", "must be base64 text"),
            ("data:,\ud83d", "is not text"),
            (3, "url must be a string"),
        ]
    ),
    *(
        ({"messages": [{"role": "assistant", "parts": [{"type": "data-turn", "data": {"message": turn}}]}]}, message)
        for turn, message in [
            ({"role": "user", "content": "Hi"}, "must be a turn of the assistant"),
            ({"role": "assistant", "content": 3}, "must be a turn of the assistant"),
            ({"role": "assistant", "content": [{"type": "file"}]}, "its parts must be of type"),
            ({"role": "assistant", "content": [{"type": "tool_call"}]}, "its calls must have an id"),
            ({"role": "assistant", "content": "Hi", "partial": 3}, "partial must be true or false"),
        ]
    ),
]


@pytest.mark.parametrize(("body", "message"), BAD_CHATS, ids=[message for _, message in BAD_CHATS])
def test_ai_sdk_bad_requests(body: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ai_sdk.read(body)


RUN: dict[str, Any] = {
    "threadId": "t",
    "runId": "r",
    "state": {},
    "messages": [
        {"id": "1", "role": "developer", "content": "Be brief."},
        {
            "id": "2",
            "role": "user",
            "content": [
                {"type": "text", "text": "Weather?"},
                {"type": "image", "source": {"type": "data", "value": PNG, "mimeType": "image/png"}},
                {
                    "type": "document",
                    "source": {"type": "url", "value": "data:,it%20rains"},
                    "metadata": {"filename": "rain.txt"},
                },
            ],
        },
        {"id": "3", "role": "reasoning", "content": "Let me see."},
        {
            "id": "4",
            "role": "assistant",
            "content": "Sunny.",
            "encryptedValue": json.dumps({"msgmodel": SEALED}),
            "toolCalls": [FUNCTION],
        },
        {"id": "5", "role": "tool", "toolCallId": "c1", "content": '{"degrees":21}'},
        {"id": "6", "role": "activity", "activityType": "x", "content": {}},
        {"id": "7", "role": "assistant", "content": "I can't.", "name": "refusal"},
        {"id": "8", "role": "user", "content": "Thanks"},
    ],
    "tools": [
        {"name": "weather", "description": "Of a city.", "parameters": {"type": "object", "properties": {}}},
        {"name": "now"},
    ],
    "context": [{"description": "Place", "value": "Oslo"}],
    "forwardedProps": {},
}


def test_ag_ui_reads() -> None:
    assert ag_ui.read(json.dumps(RUN)) == ag_ui.Request(
        thread_id="t",
        run_id="r",
        messages=[
            {"role": "system", "content": "Place: Oslo"},
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Weather?"},
                    {"type": "file", "name": "file", "data": PNG},
                    {"type": "file", "name": "rain.txt", "data": base64.b64encode(b"it rains").decode()},
                ],
            },
            SEALED,
            {"role": "tool", "tool_call_id": "c1", "content": '{"degrees":21}'},
            THANKS,
        ],  # type: ignore[list-item]
        tools=[RUN["tools"][0], {"name": "now", "description": ""}],
        call_ids=frozenset({"c1"}),
    )


def ag_messages(*messages: dict[str, Any], **arguments: Any) -> list[Any]:
    return ag_ui.read({"threadId": "t", "runId": "r", "messages": list(messages)}, **arguments).messages


def test_ag_ui_reads_calls() -> None:
    turn = {"role": "assistant", "content": None, "toolCalls": [FUNCTION], "encryptedValue": "somebody else's"}
    called = [TURN[2]]
    assert ag_messages(turn) == [{"role": "assistant", "content": called, "partial": True}]
    failed = {"role": "tool", "toolCallId": "c1", "content": [{"type": "text", "text": ""}], "error": "No city."}
    assert ag_messages(turn, failed) == [
        {"role": "assistant", "content": called},
        {"role": "tool", "tool_call_id": "c1", "content": "No city.", "is_error": True},
    ]


def test_ag_ui_reads_one_panel() -> None:
    question = {"role": "user", "content": "Hi"}
    left = {"role": "assistant", "content": "Left.", "subagentRunId": "left"}
    right = {"role": "assistant", "content": "Right.", "subagentRunId": "right"}
    alone = {"role": "assistant", "content": "Alone."}

    def texts(**arguments: Any) -> list[str]:
        found = ag_messages(question, left, right, question, right, question, alone, **arguments)
        return [message["content"][0]["text"] for message in found if message["role"] == "assistant"]

    assert texts() == ["Left.", "Right.", "Alone."]
    assert texts(panel_id="right") == ["Right.", "Right.", "Alone."]
    assert texts(panel_id="left") == ["Left.", "Right.", "Alone."]


BAD_RUNS: list[tuple[Any, str]] = [
    (b"nothing", "body: must be JSON"),
    ({"messages": []}, "body: threadId must be a string"),
    ({"threadId": "t", "runId": 3}, "body: runId must be a string"),
    ({"resume": [{}]}, "no run was interrupted"),
    ({"messages": [{"role": "robot"}]}, "role must be developer, system, user"),
    ({"messages": [{"role": "user", "content": [{"type": "poem"}]}]}, "can't hold 'poem'"),
    ({"messages": [{"role": "user", "content": 3}]}, "content must be a list"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "toolCallId must be a string"),
    ({"messages": [{"role": "assistant", "toolCalls": [{"id": "c"}]}]}, "name must be a string"),
    ({"messages": [{"role": "assistant", "encryptedValue": '{"msgmodel": 3}'}]}, "encryptedValue: must be an object"),
    ({"threadId": "t", "runId": "r", "tools": [{"name": 3}]}, r"tools\[0\]: name must be a string"),
    *(
        ({"messages": [{"role": "user", "content": [{"type": "image", "source": source}]}]}, message)
        for source, message in [
            ({"type": "url", "value": "https://example.test/cat.png"}, "nothing is fetched"),
            ({"type": "file", "value": "file-1"}, "must come as data"),
            ({"type": "data", "value": "@"}, "must be base64"),
        ]
    ),
]


@pytest.mark.parametrize(("body", "message"), BAD_RUNS, ids=[message for _, message in BAD_RUNS])
def test_ag_ui_bad_requests(body: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ag_ui.read(body)


COMPLETION: dict[str, Any] = {
    "model": "anthropic/claude-haiku-5-5",
    "messages": [
        {"role": "developer", "content": [{"type": "text", "text": "Be "}, {"type": "text", "text": "brief."}]},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Weather?"},
                {"type": "image_url", "image_url": {"url": PICTURE, "detail": "auto"}},
                {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
                {"type": "file", "file": {"filename": "a.txt", "file_data": "data:text/plain;base64,aGk="}},
                {"type": "file", "file": {"file_data": "aGk="}},
            ],
        },
        {"role": "assistant", "content": None, "reasoning_content": "Let me see.", "tool_calls": [FUNCTION]},
        {"role": "tool", "tool_call_id": "c1", "content": "21"},
        {"role": "assistant", "content": [{"type": "text", "text": "21."}, {"type": "refusal", "refusal": "No."}]},
        {"role": "user", "content": "Thanks"},
    ],
    "tools": [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}],
    "tool_choice": {"type": "function", "function": {"name": "weather"}},
    "max_completion_tokens": 100,
    "temperature": 0.5,
    "top_p": 0.9,
    "stop": "END",
    "reasoning_effort": "low",
    "stream": True,
    "stream_options": {"include_usage": True},
    "n": 1,
    "user": "me",
    "metadata": {},
    "response_format": {"type": "text"},
}


def test_openai_reads() -> None:
    assert openai_chat.read(json.dumps(COMPLETION)) == openai_chat.Request(
        provider="anthropic",
        model="anthropic/claude-haiku-5-5",
        arguments={
            "messages": [
                {"role": "system", "content": "Be brief."},
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "Weather?"},
                        {"type": "file", "name": "image", "data": PNG},
                        {"type": "file", "name": "audio.wav", "data": "aGk="},
                        {"type": "file", "name": "a.txt", "data": "aGk="},
                        {"type": "file", "name": "file", "data": "aGk="},
                    ],
                },
                {"role": "assistant", "content": [{"type": "reasoning", "text": "Let me see."}, TURN[2]]},
                {"role": "tool", "tool_call_id": "c1", "content": "21"},
                {"role": "assistant", "content": [{"type": "text", "text": "21."}]},
                THANKS,
            ],
            "model": "claude-haiku-5-5",
            "max_tokens": 100,
            "temperature": 0.5,
            "reasoning": "low",
            "tools": [{"name": "weather", "description": "", "parameters": {"type": "object"}}],
            "tool_choice": "weather",
            "tool_deltas": True,
            "config": AnthropicConfig(stop=("END",), top_p=0.9, body={"metadata": {"user_id": "me"}}),
        },
        stream=True,
        include_usage=True,
    )


@pytest.mark.parametrize(
    ("model", "default", "provider", "name"),
    [
        ("anthropic/claude", None, "anthropic", "claude"),
        ("claude", None, "anthropic", None),
        ("openai:gpt-6-luna", "gemini", "openai", "gpt-6-luna"),
        ("openrouter/meta-llama/llama-4:free", None, "openrouter", "meta-llama/llama-4:free"),
        ("ollama/qwen3:8b", None, "ollama", "qwen3:8b"),
        ("ollama:library/qwen3", None, "ollama", "library/qwen3"),
        ("meta-llama/llama-4", "vllm", "vllm", "meta-llama/llama-4"),
        ("gpt-6-luna", "openai", "openai", "gpt-6-luna"),
    ],
)
def test_openai_models(model: str, default: str | None, provider: str, name: str | None) -> None:
    body = {"model": model, "messages": [{"role": "user", "content": "Hi"}]}
    request = openai_chat.read(body, provider=default)
    hi = {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]}
    assert (request.provider, request.model) == (provider, model)
    assert request.arguments == (hi if name is None else {**hi, "model": name})
    assert (request.stream, request.include_usage) == (False, False)


HI = {"model": "openai/gpt", "messages": [{"role": "user", "content": "Hi"}]}
BAD_COMPLETIONS: list[tuple[Any, str]] = [
    (b"", "body: must be JSON"),
    ({"messages": []}, "model must be a string"),
    ({**HI, "model": "gpt-6-luna"}, "model must be provider/model"),
    ({**HI, "model": " "}, "model must be provider/model"),
    ({**HI, "messages": []}, "messages must not be empty"),
    ({**HI, "n": 0}, "n must be a whole number from 1 to 128"),
    ({**HI, "n": True}, "n must be a whole number"),
    ({**HI, "logprobs": 1}, "logprobs must be true or false"),
    ({**HI, "functions": [{}]}, "functions is not taken here: use tools"),
    ({**HI, "web_search_options": {}}, "web_search_options is not taken here"),
    ({**HI, "frequency_penalty": 3}, "frequency_penalty must be a number from -2 to 2"),
    ({**HI, "temperature": "hot"}, "temperature must be a number"),
    ({**HI, "temprature": 1}, "'temprature' is not a field of this API"),
    ({**HI, "max_tokens": True}, "max_tokens must be a number"),
    ({**HI, "stop": [3]}, "stop must be a string or a list of strings"),
    ({**HI, "top_p": 3}, "top_p must be a number from 0 to 1"),
    ({**HI, "reasoning_effort": "vast"}, "reasoning_effort must be none"),
    ({**HI, "stream": "yes"}, "stream must be true or false"),
    ({**HI, "stream_options": 3}, "stream_options: must be an object"),
    ({**HI, "tools": [{"type": "web_search"}]}, "type must be function or custom"),
    ({**HI, "tool_choice": "required"}, "tool_choice needs tools"),
    ({**HI, "options": {"tools": []}}, "options: 'tools' can't be set here"),
    ({**HI, "options": {"fallbacks": ["nobody"]}}, r"fallbacks\[0\]: there is no provider 'nobody'"),
    ({**HI, "seed": 1, "options": {"fallbacks": ["anthropic"]}}, r"fallbacks\[0\]: seed=1 can't be sent to anthropic"),
    (
        {**HI, "tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": 3},
        "tool_choice: must be an object",
    ),
    *(
        ({**HI, "messages": [message]}, wrong)
        for message, wrong in [
            ({"role": "function", "content": "x"}, "role must be developer, system, user, assistant or tool"),
            ({"role": "tool", "content": "x"}, "tool_call_id must be a string"),
            ({"role": "system", "content": [{"type": "image_url"}]}, "must be of type text"),
            ({"role": "user", "content": [{"type": "poem"}]}, "can't hold 'poem'"),
            ({"role": "assistant", "tool_calls": [{"id": "c"}]}, "name must be a string"),
            ({"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}, "must come as file_data"),
            (
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a.test/b.png"}}]},
                "nothing is fetched",
            ),
        ]
    ),
]


@pytest.mark.parametrize(("body", "message"), BAD_COMPLETIONS, ids=[message for _, message in BAD_COMPLETIONS])
def test_openai_bad_requests(body: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        openai_chat.read(body)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.just("\ud83d"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if place:
        yield place
    if isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(item, (*place, key))


READERS = [(ai_sdk, CHAT), (ag_ui, RUN), (openai_chat, COMPLETION)]


@pytest.mark.parametrize(("adapter", "good"), READERS, ids=["ai_sdk", "ag_ui", "openai_chat"])
@given(drawn=st.data())
@settings(max_examples=300)
def test_hostile_requests(adapter: Any, good: dict[str, Any], drawn: st.DataObject) -> None:
    """Wrong types anywhere: ConfigurationError, or what `stream_panels` takes, or refuses at the call."""
    body = copy.deepcopy(good)
    for place in drawn.draw(st.lists(st.sampled_from(list(places(good))), min_size=1, max_size=3)):
        with contextlib.suppress(KeyError, IndexError, TypeError):
            target = body
            for key in place[:-1]:
                target = target[key]
            if drawn.draw(st.booleans()):
                target[place[-1]] = drawn.draw(JUNK)
            else:
                del target[place[-1]]
    with contextlib.suppress(ConfigurationError):
        request = adapter.read(body)
        arguments = request.arguments if adapter is openai_chat else {"messages": request.messages}
        with contextlib.suppress(MsgModelError):
            msgmodel.stream_panels(getattr(request, "provider", "anthropic"), "", KEY, **arguments).close()


# --- all the way, with the library between ---


def test_a_signature_goes_to_the_client_and_back() -> None:
    """Anthropic refuses a turn with tools whose thinking comes back without its signature."""
    with ScriptedProvider() as provider:
        reply = Reply(reasoning="Let me see.", signature="c2ln", tool_calls=[{"name": "weather", "arguments": {}}])
        provider.say(reply, "21 degrees.")
        tools = [{"name": "weather", "parameters": {"type": "object", "properties": {}}}]
        options: Any = {"config": provider.config("anthropic"), "tools": tools, "reasoning": "low"}
        events = list(msgmodel.stream_panels("anthropic", "Weather?", **options))
        question = {"role": "user", "content": [{"type": "text", "text": "Weather?"}]}

        found = chunks(ai_sdk.Chunks(), list(events))
        (turn,) = [chunk for chunk in found if chunk["type"] == "data-turn"]
        (told,) = [chunk["toolCallId"] for chunk in found if chunk["type"] == "tool-input-available"]
        parts = [turn, tool_part("output-available", told, output="21")]
        posted = [{"role": "user", "parts": question["content"]}, {"id": "a", "role": "assistant", "parts": parts}]
        list(msgmodel.stream_panels(
            "anthropic", "", **options, messages=ai_sdk.read({"id": "c", "messages": posted}).messages
        ))  # fmt: skip
        first = provider.requests[-1].json["messages"]

        found = chunks(ag_ui.Chunks("t", "r"), list(events))
        (value,) = [chunk["encryptedValue"] for chunk in found if chunk["type"] == "REASONING_ENCRYPTED_VALUE"]
        posted = [question, {"role": "assistant", "encryptedValue": value}]
        posted.append({"role": "tool", "toolCallId": told, "content": "21"})
        list(msgmodel.stream_panels("anthropic", "", **options, messages=ag_messages(*posted)))
        second = provider.requests[-1].json["messages"]
    assert first == second
    assert first[1]["content"][0] == {"type": "thinking", "thinking": "Let me see.", "signature": "c2ln"}
    assert [block["type"] for block in first[2]["content"]] == ["tool_result"]


def test_openai_arguments_are_those_of_stream_panels() -> None:
    body = {"model": "openai/gpt-6-luna", "messages": [{"role": "user", "content": "Hi"}], "stop": ["END"]}
    with ScriptedProvider() as provider:
        provider.say("Hello")
        request = openai_chat.read(body)
        config = request.arguments.pop("config")
        assert config == OpenAIConfig(stop=("END",))
        config.base_url = f"{provider.url}/v1"
        config.api_key = KEY
        *_, last = msgmodel.stream_panels(request.provider, "", config=config, **request.arguments)
    assert last["event"] == "panel_final"
    assert openai_chat.completion(last, **ARGUMENTS)["choices"][0]["message"]["content"] == "Hello"
