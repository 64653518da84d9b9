"""How a reply can end, on a real socket, in both colours: every ending has one terminal event, and it is the true one.

Rule: events are compared whole. Left out are only the words of an error, which are checked on their own, the seconds
in `timing`, and `privacy`, which has tests of its own.
"""

from __future__ import annotations

import collections
import itertools
import json
import socket
import time
import tracemalloc
from collections.abc import Callable, Iterator
from email.utils import formatdate
from typing import Any

import pytest

import msgmodel
from conftest import EVERY_WAY, KEY, PROVIDER, Async, Sync, config
from msgmodel.events import ErrorCode, Status
from msgmodel.question.token_estimate import estimate_tokens
from msgmodel.reply import clock
from msgmodel.testing.errors import ERROR_STATUSES, RETRY_AFTER_SECONDS, error_body, error_event
from msgmodel.testing.server import Cut, Flood, Framing, Pause, Repeat, Reset, Script, ScriptedServer, Send, Stall, Step
from msgmodel.testing.wires import (
    CONTINUATION_TOKEN,
    MODEL,
    NORMAL_FINISH,
    REQUEST_ID,
    RESPONSE_ID,
    WIRES,
    Wire,
    events,
    reply,
)
from msgmodel.wires.sse import EventTooLarge, SseDecoder
from transformations import TRANSFORMATIONS, first_chunk_without_choices

Colour = Sync | Async

TIMEOUT = 0.3
PATIENT = 1.0
"""Where no silence may be taken for a longer one, however busy the machine is."""
SLACK = 1.0
"""Seconds that a busy machine may add."""


@pytest.fixture(scope="module", params=EVERY_WAY.values(), ids=EVERY_WAY.keys())
def shared_colour(request: pytest.FixtureRequest) -> Iterator[Colour]:
    chosen = request.param()
    yield chosen
    chosen.close()


PIECES = ["Hello", ", wörld", " of text."]
TEXT = "".join(PIECES)
PARTIAL = "".join(PIECES[:2])
FIRST = {"openai_chat": 1, "openai_responses": 4, "anthropic": 3, "gemini": 0}
"""Where the first piece of text is among the events of a reply."""

TRUNCATED = {
    "openai_chat": "length",
    "openai_responses": "max_output_tokens",
    "anthropic": "max_tokens",
    "gemini": "MAX_TOKENS",
}
DONE = b"data: [DONE]\n\n"
HTML = b"<!DOCTYPE html>\n<html><head><title>Bad</title></head>\n<body>data: gone<br>\n\nsorry</body></html>\n"
PING = b": ping\n\n"


def usage(wire: Wire, output: int = 34, input: int = 12) -> Any:
    """What a wire says about the tokens of a scripted reply."""
    names = ("reasoning_tokens", "cached_tokens", "cache_write_tokens")
    numbers = {
        "openai_chat": (0, 0, None),
        "openai_responses": (0, 0, 0),
        "anthropic": (None, 0, 0),
        "gemini": (None, None, None),
    }
    return {
        "input_tokens": input,
        "output_tokens": output,
        **dict(zip(names, numbers[wire], strict=True)),
        "source": "provider",
    }


PARTIAL_USAGE = {
    "openai_chat": None,
    "openai_responses": None,
    "anthropic": usage("anthropic", 1),
    "gemini": usage("gemini", 17),
}


def begun(wire: Wire) -> bytes:
    """A reply up to its second piece of text."""
    return b"".join(events(wire, PIECES)[: FIRST[wire] + 2])


def ask(
    colour: Colour, wire: Wire, server: ScriptedServer | str, *, timeout: float = 5, max_retries: int = 0, **fields: Any
) -> list[Any]:
    """The events of one panel; whatever they are, the grammar holds, in time."""
    address = server if isinstance(server, str) else server.url
    began = time.monotonic()
    found = colour.panels(
        PROVIDER[wire],
        "hi",
        KEY,
        config=config(wire, address, **fields),
        model=MODEL[wire],
        timeout=timeout,
        panel_id="p",
        max_retries=max_retries,
    )
    assert time.monotonic() - began < timeout + SLACK
    assert [event["event"] in ("panel_final", "panel_error") for event in found] == [False] * (len(found) - 1) + [True]
    assert "".join(event["delta"] for event in found if event["event"] == "panel_delta") == found[-1]["content"]
    return found


def settled(event: Any) -> Any:
    """A terminal event without what depends on the clock and on price lists, and the words of an error."""
    event = dict(event)
    cost = event.pop("cost")
    assert cost is None or cost >= 0
    assert event.pop("cost_source") == (None if cost is None else "price_list")
    timing = event.pop("timing")
    receipt = event.pop("receipt")
    assert (receipt["model_served"], len(receipt["requests"])) == (event["model"], timing["attempts"])
    assert receipt["host"] in ("127.0.0.1", "nowhere.invalid")
    assert "stream" in receipt["fields"] or event["wire"] == "gemini"
    assert event.pop("warnings") == []
    assert 0 <= (timing["first_delta_seconds"] or 0) <= timing["total_seconds"]
    segments = event.pop("segments", None)
    if segments is not None:
        assert sum(segment["characters"] for segment in segments) == len(event["content"])
        assert 1 < len(segments) <= timing["attempts"]
    message = event["message"]
    if event["wire"] == "openai_responses" and isinstance(message["content"], list):
        (part,) = message["content"]  # the phase goes back with the text: see test_messages
        event["message"] = message | {"content": part["text"]}
    if event["event"] == "panel_final":
        assert event.pop("privacy")["endpoint"] == "127.0.0.1"
    else:
        words = event.pop("error")
        assert words.isprintable()
        assert 0 < len(words) < 1000
        assert "?" not in words
        assert "<" not in words
    return event | {"attempts": timing["attempts"]}


def delta(text: str) -> Any:
    return {"event": "panel_delta", "panel_id": "p", "delta": text}


def final(wire: Wire, reason: str | None = None, status: Status = "complete", **changes: Any) -> Any:
    """The last event of a reply that ended by the rule of its wire, settled."""
    event = {
        "event": "panel_final",
        "panel_id": "p",
        "content": TEXT,
        "finish_reason": reason or NORMAL_FINISH[wire],
        "status": status,
        "truncated": status == "truncated",
        "truncated_in": "text" if status == "truncated" else None,
        "provider": PROVIDER[wire],
        "wire": wire,
        "model": MODEL[wire],
        "usage": usage(wire),
        "request_id": RESPONSE_ID[wire],
        "attempts": 1,
    } | changes
    return spoken(event, partial=status not in ("complete", "tool_calls"))


def error(wire: Wire, code: ErrorCode, retryable: bool, error_type: str = "StreamingError", **changes: Any) -> Any:
    """The last event of a reply of which nothing had arrived, settled."""
    event = {
        "event": "panel_error",
        "panel_id": "p",
        "error_type": error_type,
        "code": code,
        "content": "",
        "provider": PROVIDER[wire],
        "wire": wire,
        "model": MODEL[wire],
        "status_code": None,
        "retryable": retryable,
        "retry_after": None,
        "usage": None,
        "request_id": None,
        "attempts": 1,
    } | changes
    return spoken(event, partial=True)


def spoken(event: Any, partial: bool) -> Any:
    """The event with the assistant's turn, and with what is estimated where the provider did not count."""
    text = event["content"]
    message = {"role": "assistant", "content": text} | ({"partial": True} if partial else {})
    used = event["usage"] or dict.fromkeys(usage(event["wire"]), None)
    output = estimate_tokens(text)
    if used["output_tokens"] is None or (event["event"] == "panel_error" and used["output_tokens"] < output):
        used = used | {"output_tokens": output, "source": "estimated"}
    if used["input_tokens"] is None:
        refused = event["event"] == "panel_error" and event["error_type"] == "APIError" and event["status_code"]
        used = used | {"input_tokens": 0 if refused else 1, "source": "estimated"}
    is_empty = event["event"] == "panel_final" and not (text or event.get("refusal") or event.get("tool_calls"))
    return {"message": message, "untold": []} | ({"empty": True} if is_empty else {}) | event | {"usage": used}


def broken(wire: Wire, code: ErrorCode, retryable: bool, error_type: str = "StreamingError", **changes: Any) -> Any:
    """The last event of a reply that broke after its second piece of text, settled."""
    arrived = {"content": PARTIAL, "usage": PARTIAL_USAGE[wire], "request_id": RESPONSE_ID[wire]}
    return error(wire, code, retryable, error_type, **arrived | changes)


def changed(event: bytes, change: Callable[[Any], None]) -> bytes:
    """An event of Gemini or of Chat with something in its JSON changed."""
    payload = json.loads(event.strip().removeprefix(b"data: "))
    change(payload)
    return b"data: %b\n\n" % json.dumps(payload).encode()


# --- a reply that is whole, in every form that the standard allows ---


@pytest.mark.parametrize("form", ["plain", *TRANSFORMATIONS])
@pytest.mark.parametrize("truncated", [False, True], ids=["whole", "truncated"])
@pytest.mark.parametrize("wire", WIRES)
def test_whole(shared_colour: Colour, server: ScriptedServer, wire: Wire, form: str, truncated: bool) -> None:
    reason, status = (TRUNCATED[wire], "truncated") if truncated else (NORMAL_FINISH[wire], "complete")
    data = reply(wire, PIECES, finish=reason)
    server.say(Script.body(TRANSFORMATIONS[form](data) if form != "plain" else data, 29))
    *rest, last = ask(shared_colour, wire, server)
    assert rest == [delta(piece) for piece in PIECES]
    assert settled(last) == final(wire, reason, status)


@pytest.mark.parametrize("wire", WIRES)
def test_single_bytes(shared_colour: Colour, server: ScriptedServer, wire: Wire) -> None:
    server.say(Script.body(TRANSFORMATIONS["crlf"](reply(wire, PIECES, usage=False)), 1))
    *rest, last = ask(shared_colour, wire, server)
    assert rest == [delta(piece) for piece in PIECES]
    assert settled(last) == final(wire, usage=None)


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
@pytest.mark.parametrize("wire", WIRES)
def test_framing(shared_colour: Colour, server: ScriptedServer, wire: Wire, framing: Framing) -> None:
    server.say(Script.body(reply(wire, PIECES), 50, framing))
    assert settled(ask(shared_colour, wire, server)[-1]) == final(wire)


@pytest.mark.parametrize("pieces", [None, 5], ids=["whole", "pieces"])
@pytest.mark.parametrize("wire", WIRES)
def test_characters_that_end_no_line(
    shared_colour: Colour, server: ScriptedServer, wire: Wire, pieces: int | None
) -> None:
    texts = ["a\u2028b\u2029", "\u0085c\x0b\x0c\x1c\x1d\x1e", "\N{ROBOT FACE}\x00\r\n\r", "\ufeffdata: x\n\n"]
    server.say(Script.body(reply(wire, texts), pieces))
    *rest, last = ask(shared_colour, wire, server)
    assert rest == [delta(text) for text in texts]
    assert settled(last) == final(wire, content="".join(texts))


@pytest.mark.parametrize("wire", WIRES)
def test_everything_at_once(shared_colour: Colour, server: ScriptedServer, wire: Wire) -> None:
    data = reply(wire, PIECES)
    for name in ("nulls", "unknown_event", "comments", "no_space", "without_event_lines", "crlf", "bom"):
        data = TRANSFORMATIONS[name](data)
    server.say(Script.body(data, 13, "close"))
    *rest, last = ask(shared_colour, wire, server)
    assert rest == [delta(piece) for piece in PIECES]
    assert settled(last) == final(wire)


@pytest.mark.parametrize("wire", WIRES)
def test_without_usage(shared_colour: Colour, server: ScriptedServer, wire: Wire) -> None:
    server.say(Script.body(reply(wire, PIECES, usage=False)))
    assert settled(ask(shared_colour, wire, server)[-1]) == final(wire, usage=None)


def test_first_chunk_without_choices(shared_colour: Colour, server: ScriptedServer) -> None:
    server.say(Script.body(first_chunk_without_choices(reply("openai_chat", PIECES))))
    *rest, last = ask(shared_colour, "openai_chat", server)
    assert rest == [delta(piece) for piece in PIECES]
    found: Any = {"prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}]}
    assert settled(last) == final("openai_chat", details={"filter_results": found})


@pytest.mark.parametrize("missing", [1, 2, 3, 4])
@pytest.mark.parametrize("framing", ["chunked", "close"])
def test_gemini_omits_the_last_blank_line(
    shared_colour: Colour, server: ScriptedServer, missing: int, framing: Framing
) -> None:
    server.say(Script.body(reply("gemini", PIECES)[:-missing], None, framing))
    assert settled(ask(shared_colour, "gemini", server)[-1]) == final("gemini")


def test_chat_without_done(shared_colour: Colour, server: ScriptedServer) -> None:
    """Every choice has its reason and the body ended cleanly: that is an end."""
    server.say(Script.body(reply("openai_chat", PIECES).removesuffix(DONE)))
    assert settled(ask(shared_colour, "openai_chat", server)[-1]) == final("openai_chat")


@pytest.mark.parametrize("end", [(Reset(),), (Cut(),), (Send(b"\xff{<garbage\n\n"),)], ids=["RST", "FIN", "garbage"])
@pytest.mark.parametrize("wire", WIRES)
def test_what_comes_after_the_end_does_not_matter(
    shared_colour: Colour, server: ScriptedServer, wire: Wire, end: tuple[Step, ...]
) -> None:
    server.say(Script(steps=(Send(reply(wire, PIECES)), Pause(0.03), *end)))
    assert settled(ask(shared_colour, wire, server)[-1]) == final(wire)


@pytest.mark.parametrize("wire", WIRES)
def test_a_connection_that_stays_open_after_the_end(shared_colour: Colour, server: ScriptedServer, wire: Wire) -> None:
    """The reply is whole, whatever the server does then; a wire without a terminal marker waits for the timeout."""
    server.say(Script(steps=(Send(reply(wire, PIECES)), Stall())))
    assert settled(ask(shared_colour, wire, server, timeout=TIMEOUT)[-1]) == final(wire)


@pytest.mark.parametrize("wire", WIRES)
def test_a_stream_that_keeps_flowing_is_never_killed(shared_colour: Colour, server: ScriptedServer, wire: Wire) -> None:
    """It takes longer than the timeout, but no silence does."""
    steps: list[Step] = []
    for event in events(wire, list("slow")):
        steps.append(Send(event))
        if any(f'"{piece}"'.encode() in event for piece in "slow"):
            steps.append(Pause(PATIENT / 3))
    server.say(Script(steps=tuple(steps)))
    began = time.monotonic()
    events_found = shared_colour.panels(
        PROVIDER[wire], "hi", KEY, config=config(wire, server.url), model=MODEL[wire], timeout=PATIENT, panel_id="p"
    )
    assert time.monotonic() - began > PATIENT
    assert settled(events_found[-1]) == final(wire, content="slow")


def test_long_arguments_of_a_tool_call_are_a_flow_too(shared_colour: Colour, server: ScriptedServer) -> None:
    """A model that writes a long file into a tool call sends no text for minutes."""
    fragments = [_chat_call("call_1", "write", '{"text": "'), *(_chat_call("", "", "x") for _ in range(8))]
    fragments += [_chat_call("", "", '"}'), _chat({}, "tool_calls"), DONE]
    server.say(Script(steps=tuple(step for event in fragments for step in (Send(event), Pause(PATIENT / 4)))))
    found: Any = shared_colour.panels(
        "openai", "hi", KEY, config=config("openai_chat", server.url), timeout=PATIENT, panel_id="p", max_retries=0
    )
    call = {
        "id": "call_1",
        "name": "write",
        "arguments": '{"text": "xxxxxxxx"}',
        "arguments_json": {"text": "xxxxxxxx"},
        "complete": True,
    }
    assert [event["event"] for event in found] == ["panel_tool_call", "panel_final"]
    assert found[-1]["tool_calls"] == [call]


def _chat(delta: Any, reason: str | None = None, index: int = 0) -> bytes:
    choice = {"index": index, "delta": delta, "finish_reason": reason}
    chunk = {"id": RESPONSE_ID["openai_chat"], "model": MODEL["openai_chat"], "choices": [choice]}
    return b"data: %b\n\n" % json.dumps(chunk).encode()


def _chat_call(id: str, name: str, arguments: str) -> bytes:
    given = {"index": 0, **({"id": id} if id else {}), "function": {"arguments": arguments}}
    if name:
        given["function"]["name"] = name
    return _chat({"tool_calls": [given]})


@pytest.mark.parametrize("both", [True, False], ids=["both end", "one never ends"])
def test_all_choices_must_end(shared_colour: Colour, server: ScriptedServer, both: bool) -> None:
    body = _chat({"content": "one"}) + _chat({"content": "other"}, index=1) + _chat({}, "stop")
    body += _chat({}, "length", index=1) if both else b""
    server.say(Script.body(body + DONE))
    first, last = ask(shared_colour, "openai_chat", server)
    assert first == delta("one")
    assert [warning["code"] for warning in last["warnings"]] == ["choice_dropped"]
    last["warnings"] = []
    if both:
        assert settled(last) == final("openai_chat", content="one", usage=None, untold=["choice"])
    else:
        assert settled(last) == broken("openai_chat", "interrupted", True, content="one", untold=["choice"])


# --- the words for the end, and what they mean ---

REASONS: dict[Wire, dict[str, Status]] = {
    "openai_chat": {
        "stop": "complete",
        "length": "truncated",
        "content_filter": "filtered",
        "tool_calls": "unknown",  # without a call there is nothing to do
        "function_call": "unknown",
        "model_length": "truncated",
        "error": "truncated",
        "abort": "truncated",
        "insufficient_system_resource": "truncated",
        "STOP": "unknown",
        "surprise": "unknown",
    },
    "openai_responses": {
        "completed": "complete",
        "max_output_tokens": "truncated",
        "max_messages": "truncated",
        "content_filter": "filtered",
        "steered": "paused",
        "surprise": "unknown",
    },
    "anthropic": {
        "end_turn": "complete",
        "stop_sequence": "complete",
        "max_tokens": "truncated",
        "model_context_window_exceeded": "truncated",
        "tool_use": "unknown",
        "pause_turn": "paused",
        "compaction": "paused",
        "surprise": "unknown",
    },
    "gemini": {
        "STOP": "complete",
        "MAX_TOKENS": "truncated",
        "SAFETY": "filtered",
        "RECITATION": "filtered",
        "LANGUAGE": "filtered",
        "BLOCKLIST": "filtered",
        "PROHIBITED_CONTENT": "filtered",
        "SPII": "filtered",
        "IMAGE_SAFETY": "filtered",
        "MODEL_ARMOR": "filtered",
        "OTHER": "unknown",
        "FINISH_REASON_UNSPECIFIED": "unknown",
        "MALFORMED_FUNCTION_CALL": "unknown",
        "SURPRISE": "unknown",
    },
}


SAFETY_RATING = {"category": "HARM_CATEGORY_HARASSMENT", "probability": "HIGH", "blocked": True}
DETAILS: dict[str, Any] = {
    "stop_sequence": {"details": {"stop_sequence": "END"}},
    "SAFETY": {"details": {"filter_results": {"safetyRatings": [SAFETY_RATING]}}},
}
"""What the reply adds to the word."""


@pytest.mark.parametrize(("wire", "reason"), [(wire, reason) for wire in WIRES for reason in REASONS[wire]])
def test_finish_reason(shared_colour: Colour, server: ScriptedServer, wire: Wire, reason: str) -> None:
    """The provider's word untouched, our verdict from the table, and the text whatever the word."""
    server.say(Script.body(reply(wire, PIECES, finish=reason)))
    *rest, last = ask(shared_colour, wire, server)
    assert rest == [delta(piece) for piece in PIECES]
    assert settled(last) == final(wire, reason, REASONS[wire][reason], **DETAILS.get(reason, {}))


@pytest.mark.parametrize("wire", ["openai_chat", "openai_responses"])
def test_refusal(shared_colour: Colour, server: ScriptedServer, wire: Wire) -> None:
    """The words of a refusal are no text, and the reply is not complete."""
    server.say(Script.body(reply(wire, PIECES, finish="refusal")))
    *rest, last = ask(shared_colour, wire, server)
    assert rest == [{"event": "panel_refusal", "panel_id": "p", "delta": piece} for piece in PIECES]
    said = TEXT if wire == "openai_responses" else [{"type": "refusal", "text": TEXT}]  # settled() takes the text out
    message = {"role": "assistant", "content": said, "partial": True}
    assert settled(last) == final(wire, None, "filtered", content="", refusal=TEXT, message=message)


def test_anthropic_refusal(shared_colour: Colour, server: ScriptedServer) -> None:
    """It can come after text."""
    server.say(Script.body(reply("anthropic", PIECES, finish="refusal")))
    *rest, last = ask(shared_colour, "anthropic", server)
    words = "This request was declined."
    assert rest == [*map(delta, PIECES), {"event": "panel_refusal", "panel_id": "p", "delta": words}]
    parts = [{"type": "text", "text": TEXT}, {"type": "refusal", "text": words}]
    message = {"role": "assistant", "content": parts, "partial": True}
    assert settled(last) == final("anthropic", "refusal", "filtered", refusal=words, message=message)


@pytest.mark.parametrize("reason", ["SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY", "SURPRISE"])
@pytest.mark.parametrize("candidates", [{}, {"candidates": []}, {"candidates": None}], ids=["absent", "none", "null"])
def test_gemini_prompt_block(shared_colour: Colour, server: ScriptedServer, reason: str, candidates: Any) -> None:
    """There is no candidate at all, and the reason is that of the block."""
    chunk = candidates | {
        "promptFeedback": {"blockReason": reason},
        "modelVersion": MODEL["gemini"],
        "usageMetadata": {"promptTokenCount": 12, "totalTokenCount": 12},
        "responseId": RESPONSE_ID["gemini"],
    }
    server.say(Script.body(b"data: %b\r\n\r\n" % json.dumps(chunk).encode()))
    (last,) = ask(shared_colour, "gemini", server)
    # Whatever "other" and words yet unknown stand for: the prompt was blocked.
    used = usage("gemini") | {"output_tokens": None}
    details = {"filter_results": {"promptFeedback": {"blockReason": reason}}}
    assert settled(last) == final("gemini", reason, "filtered", content="", usage=used, details=details)


# --- a reply that breaks off ---

HALF = b'data: {"choices": [{"index": 0, "delta": {"content": "never'
CUTS: dict[str, Callable[[bytes], Script]] = {
    "ends cleanly": lambda data: Script.body(data),
    "ends cleanly, in pieces": lambda data: Script.body(data, 9),
    "length reached": lambda data: Script.body(data, framing="length"),
    "closed": lambda data: Script.body(data, framing="close"),
    "no last chunk": lambda data: Script(steps=(Send(data), Cut())),
    "length not reached": lambda data: Script(framing="length", steps=(Send(data), Cut())),
    "reset": lambda data: Script(steps=(Send(data), Pause(0.03), Reset())),
    "reset, length": lambda data: Script(framing="length", steps=(Send(data), Pause(0.03), Reset())),
    "reset, close": lambda data: Script(framing="close", steps=(Send(data), Pause(0.03), Reset())),
    "half an event": lambda data: Script.body(data + HALF),
    "half an event, closed": lambda data: Script.body(data + HALF, framing="close"),
    "half an event, reset": lambda data: Script(steps=(Send(data + HALF), Pause(0.03), Reset())),
    "half a line": lambda data: Script.body(data + b"dat"),
    "comments": lambda data: Script.body(data + PING),
    "done": lambda data: Script.body(data + DONE),
}


# `[DONE]` is no word of Gemini's: it is broken JSON there.
@pytest.mark.parametrize(("wire", "how"), sorted({(w, how) for w in WIRES for how in CUTS} - {("gemini", "done")}))
def test_cut(shared_colour: Colour, server: ScriptedServer, wire: Wire, how: str) -> None:
    server.say(CUTS[how](begun(wire)))
    *rest, last = ask(shared_colour, wire, server, max_retries=2)
    assert rest == [delta(piece) for piece in PIECES[:2]]
    assert settled(last) == broken(wire, "interrupted", True)
    assert len(server.requests) == 1  # text had been handed on


@pytest.mark.parametrize("wire", WIRES)
def test_empty(shared_colour: Colour, server: ScriptedServer, wire: Wire) -> None:
    server.say(Script())
    (last,) = ask(shared_colour, wire, server)
    assert settled(last) == error(wire, "interrupted", True)


@pytest.mark.parametrize("wire", WIRES)
def test_cut_before_any_text(shared_colour: Colour, server: ScriptedServer, wire: Wire) -> None:
    first = events(wire, PIECES)[: FIRST[wire]]
    server.say(Script.body(b"".join(first)))
    (last,) = ask(shared_colour, wire, server)
    seen = {"usage": PARTIAL_USAGE[wire], "request_id": RESPONSE_ID[wire]} if first else {}
    assert settled(last) == error(wire, "interrupted", True, **seen)


def without(wire: Wire, *lost: bytes) -> bytes:
    """A whole reply without the events that hold these words."""
    return b"".join(event for event in events(wire, PIECES) if not any(word in event for word in lost))


# The whole text came, and then: how it breaks off, and the usage that had arrived.
LOST: dict[str, tuple[Wire, bytes, Any]] = {
    "chat, no reason": ("openai_chat", without("openai_chat", b'"stop"', b"[DONE]"), usage("openai_chat")),
    "chat, half the reason": ("openai_chat", reply("openai_chat", PIECES).partition(b'"stop"')[0], None),
    "responses, completed lost": ("openai_responses", without("openai_responses", b"response.completed"), None),
    "responses, half the last event": ("openai_responses", reply("openai_responses", PIECES)[:-3], None),
    "anthropic, message_stop lost": ("anthropic", without("anthropic", b"message_stop"), usage("anthropic")),
    "anthropic, half the last event": ("anthropic", reply("anthropic", PIECES)[:-3], usage("anthropic")),
    "anthropic, no reason": ("anthropic", without("anthropic", b"message_delta"), usage("anthropic", 1)),
    "gemini, no reason": ("gemini", without("gemini", b"STOP"), usage("gemini", 25)),
    "gemini, half the reason": ("gemini", reply("gemini", PIECES).partition(b'"STOP')[0], usage("gemini", 25)),
}


@pytest.mark.parametrize("what", LOST)
def test_the_end_is_lost(shared_colour: Colour, server: ScriptedServer, what: str) -> None:
    wire, data, used = LOST[what]
    server.say(Script.body(data))
    *rest, last = ask(shared_colour, wire, server)
    assert rest == [delta(piece) for piece in PIECES]
    assert settled(last) == broken(wire, "interrupted", True, content=TEXT, usage=used)


@pytest.mark.parametrize("missing", [1, 2])
@pytest.mark.parametrize("wire", ["openai_responses", "anthropic"])
def test_the_last_event_lacks_its_blank_line(
    shared_colour: Colour, server: ScriptedServer, wire: Wire, missing: int
) -> None:
    """Its JSON is complete, so it proves itself."""
    server.say(Script.body(reply(wire, PIECES)[:-missing]))
    *rest, last = ask(shared_colour, wire, server)
    assert rest == [delta(piece) for piece in PIECES]
    assert settled(last) == final(wire)


def test_done_without_a_reason(shared_colour: Colour, server: ScriptedServer) -> None:
    """OpenAI's audio models and others end so; the counted tokens prove that nothing is missing."""
    server.say(Script.body(without("openai_chat", b'"stop"')))
    *rest, last = ask(shared_colour, "openai_chat", server)
    assert rest == [delta(piece) for piece in PIECES]
    assert settled(last) == final("openai_chat", status="unknown") | {"finish_reason": None}


@pytest.mark.parametrize("end", [(Reset(),), (Cut(),)], ids=["RST", "FIN"])
def test_chat_needs_done_where_the_body_does_not_end_cleanly(
    shared_colour: Colour, server: ScriptedServer, end: tuple[Step, ...]
) -> None:
    server.say(Script(steps=(Send(reply("openai_chat", PIECES).removesuffix(DONE)), Pause(0.03), *end)))
    last = ask(shared_colour, "openai_chat", server)[-1]
    assert settled(last) == broken("openai_chat", "interrupted", True, content=TEXT, usage=usage("openai_chat"))


BROKEN_JSON = {
    "cut off": b'data: {"choices": [{"delta": {"content": "x\n\n',
    "no JSON": b"data: <html>\n\n",
    "a list": b"data: [1, 2]\n\n",
    "a number": b"data: 7\n\n",
    "two documents": b"data: {} {}\n\n",
    "too deep": b"data: " + b'{"a":' * 20_000 + b"\n\n",
}


@pytest.mark.parametrize("what", BROKEN_JSON)
@pytest.mark.parametrize("wire", WIRES)
def test_broken_json(shared_colour: Colour, server: ScriptedServer, wire: Wire, what: str) -> None:
    rest_of_it = b"".join(events(wire, PIECES)[FIRST[wire] + 2 :])
    server.say(Script.body(begun(wire) + BROKEN_JSON[what] + rest_of_it))
    *rest, last = ask(shared_colour, wire, server)
    assert rest == [delta(piece) for piece in PIECES[:2]]
    assert settled(last) == broken(wire, "protocol", False)


# --- errors in the stream ---

SAID: dict[Wire, Any] = {
    "openai_chat": {"code": "server", "error_type": "APIError"},
    "openai_responses": {"code": "server", "error_type": "APIError"},
    "anthropic": {"code": "overloaded", "error_type": "APIError"},
    "gemini": {"code": "overloaded", "error_type": "APIError", "status_code": 503},
}
WORDS = {
    "openai_chat": "The server had an error while processing your request.",
    "openai_responses": "The server had an error while processing your request.",
    "anthropic": "Overloaded",
    "gemini": "The model is overloaded. Please try again later.",
}


@pytest.mark.parametrize("after", [b"", DONE, PING], ids=["end", "done", "comment"])
@pytest.mark.parametrize("wire", WIRES)
def test_error_event_in_the_middle(shared_colour: Colour, server: ScriptedServer, wire: Wire, after: bytes) -> None:
    server.say(Script.body(begun(wire) + error_event(wire) + after))
    *rest, last = ask(shared_colour, wire, server, max_retries=2)
    assert rest == [delta(piece) for piece in PIECES[:2]]
    assert WORDS[wire] in last["error"]
    assert settled(last) == broken(wire, retryable=True, **SAID[wire])
    assert len(server.requests) == 1


@pytest.mark.parametrize("after", [b"", DONE], ids=["end", "done"])
@pytest.mark.parametrize("wire", WIRES)
def test_error_event_first(shared_colour: Colour, server: ScriptedServer, wire: Wire, after: bytes) -> None:
    server.say(Script.body(error_event(wire) + after))
    (last,) = ask(shared_colour, wire, server)
    assert WORDS[wire] in last["error"]
    assert settled(last) == error(wire, retryable=True, **SAID[wire])


@pytest.mark.parametrize("wire", WIRES)
def test_error_event_after_the_finish_reason(shared_colour: Colour, server: ScriptedServer, wire: Wire) -> None:
    """An error that was seen is an error, also where all of the text had come."""
    *whole, last_event = events(wire, PIECES)
    before = b"".join([*whole, last_event] if wire == "gemini" else whole)
    server.say(Script.body(before + error_event(wire)))
    last = ask(shared_colour, wire, server)[-1]
    arrived = {"content": TEXT, "usage": None if wire == "openai_responses" else usage(wire)}
    assert settled(last) == broken(wire, retryable=True, **SAID[wire] | arrived)


@pytest.mark.parametrize("wire", WIRES)
def test_bare_json_error_in_the_middle(shared_colour: Colour, server: ScriptedServer, wire: Wire) -> None:
    """Pretty-printed, without `data:`, as Gemini and some gateways put it into the stream."""
    _, body = error_body(wire, 500)
    server.say(Script.body(begun(wire) + json.dumps(body, indent=2).encode() + b"\n"))
    last = ask(shared_colour, wire, server)[-1]
    assert body["error"]["message"] in last["error"]
    expected = broken(wire, "server", True, "APIError", status_code=500 if wire == "gemini" else None)
    assert settled(last) == expected | ({"request_id": REQUEST_ID} if wire == "anthropic" else {})


@pytest.mark.parametrize(
    "payload",
    [
        {"type": "error", "error": {"code": "rate_limit_exceeded", "message": "Slow down."}},
        {"type": "error", "code": "rate_limit_exceeded", "message": "Slow down.", "param": None},
        {
            "type": "response.failed",
            "response": {"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "Slow down."}},
        },
    ],
    ids=["nested", "flat", "failed"],
)
def test_responses_errors(shared_colour: Colour, server: ScriptedServer, payload: Any) -> None:
    server.say(Script.body(begun("openai_responses") + b"data: %b\n\n" % json.dumps(payload).encode()))
    last = ask(shared_colour, "openai_responses", server)[-1]
    assert "Slow down." in last["error"]
    assert settled(last) == broken("openai_responses", "rate_limit", True, "APIError")


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"error": "boom"}, "server"),
        ({"error": {"message": "boom", "code": 502}}, "server"),
        ({"object": "error", "message": "boom", "type": "BadRequestError", "code": 400}, "invalid_request"),
        ({"error": {"message": "boom", "type": "x", "code": "context_length_exceeded"}}, "context_length"),
    ],
    ids=["text", "OpenRouter", "vLLM", "code"],
)
def test_chat_errors(shared_colour: Colour, server: ScriptedServer, payload: Any, code: str) -> None:
    server.say(Script.body(begun("openai_chat") + b"data: %b\n\n" % json.dumps(payload).encode() + DONE))
    last = ask(shared_colour, "openai_chat", server)[-1]
    assert "boom" in last["error"]
    assert (last["error_type"], last["code"], last["content"]) == ("APIError", code, PARTIAL)


# --- no stream at all ---


@pytest.mark.parametrize("wire", WIRES)
def test_json_error_under_200(shared_colour: Colour, server: ScriptedServer, wire: Wire) -> None:
    _, body = error_body(wire, 429)
    server.say(Script.json(200, body))
    (last,) = ask(shared_colour, wire, server)
    assert body["error"]["message"] in last["error"]
    expected = error(wire, "rate_limit", True, "APIError", status_code=429 if wire == "gemini" else None)
    # Gemini has a field for the wait, and OpenAI names it in its message.
    expected |= {"retry_after": RETRY_AFTER_SECONDS} if wire != "anthropic" else {}
    assert settled(last) == expected | ({"request_id": REQUEST_ID} if wire == "anthropic" else {})


def test_gemini_error_in_a_list_under_200(shared_colour: Colour, server: ScriptedServer) -> None:
    _, body = error_body("gemini", 503)
    server.say(Script.json(200, [body]))
    (last,) = ask(shared_colour, "gemini", server)
    assert settled(last) == error("gemini", "overloaded", True, "APIError", status_code=503)


NOT_STREAMED: dict[Wire, Any] = {
    "openai_chat": {
        "id": "x",
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}],
    },
    "openai_responses": {
        "id": "x",
        "object": "response",
        "status": "completed",
        "error": None,
        "output": [{"type": "message", "content": [{"type": "output_text", "text": TEXT}]}],
    },
    "anthropic": {
        "id": "x",
        "type": "message",
        "content": [{"type": "text", "text": TEXT}],
        "stop_reason": "end_turn",
    },
    "gemini": {"candidates": [{"content": {"parts": [{"text": TEXT}]}, "finishReason": "STOP"}]},
}


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("wire", WIRES)
def test_whole_json_reply_under_200(
    shared_colour: Colour, server: ScriptedServer, wire: Wire, indent: int | None
) -> None:
    """A server that ignores `stream`."""
    body = json.dumps(NOT_STREAMED[wire], indent=indent).encode()
    server.say(Script(headers={"content-type": "application/json"}, framing="length", steps=(Send(body),)))
    text, last = ask(shared_colour, wire, server)
    assert text == delta(TEXT)
    identity = None if wire == "gemini" else "x"
    assert settled(last) == final(wire, usage=None, request_id=identity)


@pytest.mark.parametrize("wire", WIRES)
def test_html_under_200(shared_colour: Colour, server: ScriptedServer, wire: Wire) -> None:
    server.say(Script(headers={"content-type": "text/html"}, framing="length", steps=(Send(HTML),)))
    (last,) = ask(shared_colour, wire, server)
    assert settled(last) == error(wire, "protocol", False)


CODES: dict[int, tuple[ErrorCode, bool]] = {
    400: ("invalid_request", False),
    401: ("authentication", False),
    403: ("permission", False),
    404: ("not_found", False),
    413: ("too_large", False),
    429: ("rate_limit", True),
    500: ("server", True),
    502: ("server", True),
    503: ("overloaded", True),
    529: ("overloaded", True),
}


@pytest.mark.parametrize(("wire", "status"), [(wire, status) for wire in WIRES for status in ERROR_STATUSES[wire]])
def test_status(shared_colour: Colour, server: ScriptedServer, wire: Wire, status: int) -> None:
    """In the provider's own shape."""
    headers, body = error_body(wire, status)
    server.say(Script.json(status, body, headers))
    (last,) = ask(shared_colour, wire, server)
    assert body["error"]["message"] in last["error"]
    assert settled(last) == error(
        wire,
        *CODES[status],
        "APIError",
        status_code=status,
        retry_after=RETRY_AFTER_SECONDS if status == 429 else None,
        request_id=None if wire == "gemini" else REQUEST_ID,
    )


@pytest.mark.parametrize("body", [HTML, b""], ids=["html", "empty"])
@pytest.mark.parametrize("status", CODES)
@pytest.mark.parametrize("wire", WIRES)
def test_status_of_a_proxy(shared_colour: Colour, server: ScriptedServer, wire: Wire, status: int, body: bytes) -> None:
    """In no shape: the status alone says what it is, and no page gets into the message."""
    server.say(Script(status=status, headers={"content-type": "text/html"}, framing="length", steps=(Send(body),)))
    (last,) = ask(shared_colour, wire, server)
    code, retryable = CODES[status]
    if (wire, status) == ("anthropic", 429):
        retryable = False  # it names no time: a spending cap (WIRE.md 4.7)
    assert settled(last) == error(wire, code, retryable, "APIError", status_code=status)


@pytest.mark.parametrize("body", [b"{", b"upstream connect error", b'"oops"', b"[]", b"null", b"\xff"])
def test_error_body_that_says_nothing(shared_colour: Colour, server: ScriptedServer, body: bytes) -> None:
    server.say(Script(status=500, framing="close", steps=(Send(body),)))
    (last,) = ask(shared_colour, "gemini", server)
    assert settled(last) == error("gemini", "server", True, "APIError", status_code=500)


@pytest.mark.parametrize("end", [Cut(), Reset(), Stall(), Flood(b" " * 4096)], ids=["FIN", "RST", "stall", "flood"])
def test_error_body_that_breaks(shared_colour: Colour, server: ScriptedServer, end: Step) -> None:
    """The status was there; that is enough."""
    server.say(Script(status=503, framing="length", steps=(Send(b'{"error": {"mess'), end)))
    (last,) = ask(shared_colour, "openai_chat", server, timeout=TIMEOUT)
    assert settled(last) == error("openai_chat", "overloaded", True, "APIError", status_code=503)


@pytest.mark.parametrize("end", [Stall(), Repeat(b" ", 0.05)], ids=["stall", "drip"])
def test_error_body_that_does_not_end(
    shared_colour: Colour, server: ScriptedServer, end: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not waited for as long as a reply is: the status says what it is."""
    assert clock.ERROR_BODY_SECONDS < 10
    monkeypatch.setattr(clock, "ERROR_BODY_SECONDS", TIMEOUT)
    _, body = error_body("openai_chat", 401)
    server.say(Script(status=401, framing="close", steps=(Send(json.dumps(body).encode()), end)))
    begin = time.monotonic()
    (last,) = ask(shared_colour, "openai_chat", server, timeout=60)
    assert time.monotonic() - begin < 10
    assert body["error"]["message"] in last["error"]
    assert settled(last) == error("openai_chat", "authentication", False, "APIError", status_code=401)


def test_gemini_error_in_a_list(shared_colour: Colour, server: ScriptedServer) -> None:
    _, body = error_body("gemini", 400)
    server.say(Script.json(400, [body]))
    (last,) = ask(shared_colour, "gemini", server)
    assert body["error"]["message"] in last["error"]
    assert settled(last) == error("gemini", "invalid_request", False, "APIError", status_code=400)


# --- silence ---


@pytest.mark.parametrize("wire", WIRES)
def test_stall_in_the_middle(shared_colour: Colour, server: ScriptedServer, wire: Wire) -> None:
    server.say(Script(steps=(Send(begun(wire)), Stall())))
    *rest, last = ask(shared_colour, wire, server, timeout=TIMEOUT, max_retries=2)
    assert rest == [delta(piece) for piece in PIECES[:2]]
    assert settled(last) == broken(wire, "timeout", True)
    server.wait_hangup(1)


@pytest.mark.parametrize("wire", WIRES)
def test_stall_before_the_headers(shared_colour: Colour, server: ScriptedServer, wire: Wire) -> None:
    server.say(Script(stall_before_headers=True))
    (last,) = ask(shared_colour, wire, server, timeout=TIMEOUT, max_retries=2)
    assert settled(last) == error(wire, "timeout", True)
    assert len(server.requests) == 1
    server.wait_hangup(1)


@pytest.mark.parametrize("before", [b"", b"data: {"], ids=["before the body", "in the first event"])
def test_stall_after_the_headers(shared_colour: Colour, server: ScriptedServer, before: bytes) -> None:
    server.say(Script(steps=(*([Send(before)] if before else []), Stall())))
    (last,) = ask(shared_colour, "openai_chat", server, timeout=TIMEOUT, max_retries=2)
    assert settled(last) == error("openai_chat", "timeout", True)
    assert len(server.requests) == 1
    server.wait_hangup(1)


EMPTY: dict[Wire, bytes] = {
    "openai_chat": _chat({"content": ""}),
    "openai_responses": b'data: {"type": "response.in_progress", "response": {}}\n\n',
    "anthropic": b'event: ping\ndata: {"type": "ping"}\n\n',
    "gemini": b'data: {"candidates": [{"content": {"parts": [{"text": ""}]}}]}\n\n',
}


@pytest.mark.parametrize("what", ["comments", "empty events"])
@pytest.mark.parametrize("wire", WIRES)
def test_pings_for_ever(shared_colour: Colour, server: ScriptedServer, wire: Wire, what: str) -> None:
    ping = PING if what == "comments" else EMPTY[wire]
    server.say(Script(steps=(Send(begun(wire)), Repeat(ping, 0.04))))
    *rest, last = ask(shared_colour, wire, server, timeout=TIMEOUT, max_retries=2)
    assert rest == [delta(piece) for piece in PIECES[:2]]
    assert settled(last) == broken(wire, "timeout", True)
    server.wait_hangup(1)


@pytest.mark.parametrize("what", [PING, b"x"], ids=["comments", "one byte at a time"])
def test_pings_before_any_text(shared_colour: Colour, server: ScriptedServer, what: bytes) -> None:
    server.say(Script(steps=(Repeat(what, 0.04),)))
    (last,) = ask(shared_colour, "openai_chat", server, timeout=TIMEOUT, max_retries=2)
    assert settled(last) == error("openai_chat", "timeout", True)


def test_pings_as_fast_as_they_can(shared_colour: Colour, server: ScriptedServer) -> None:
    """The time that it takes to read them counts, not only the time without any."""
    server.say(Script(steps=(Send(begun("openai_chat")), Flood(PING * 1000))))
    last = ask(shared_colour, "openai_chat", server, timeout=TIMEOUT)[-1]
    assert settled(last) == broken("openai_chat", "timeout", True)


# --- too much ---


@pytest.mark.parametrize("start", [b"data: ", b": "], ids=["data", "comment"])
def test_an_endless_line(colour: Colour, server: ScriptedServer, start: bytes) -> None:
    """32 MiB is the limit of an event; what is kept of it is not much more."""
    server.say(Script(steps=(Send(begun("openai_chat") + start), Flood(b"x" * 65536))))
    tracemalloc.start()
    try:
        last = ask(colour, "openai_chat", server)[-1]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert settled(last) == broken("openai_chat", "protocol", False)
    assert peak < 150e6


def test_endless_lines(colour: Colour, server: ScriptedServer) -> None:
    """An event without an end is too large, however short its lines."""
    server.say(Script(steps=(Send(begun("openai_chat")), Flood(b"data: %b\n" % (b"x" * 500) * 128))))
    last = ask(colour, "openai_chat", server, timeout=10)[-1]
    assert settled(last) == broken("openai_chat", "protocol", False)


@pytest.mark.parametrize("line", [b"data: xy\n", b"data:\n", b"data: 0123456789\n"])
def test_memory_of_endless_lines(line: bytes) -> None:
    """Small lines take no more than large ones do, as far as the limit goes."""
    decoder = SseDecoder(limit=1 << 18)
    tracemalloc.start()
    try:
        with pytest.raises(EventTooLarge):
            collections.deque(map(decoder.feed, itertools.repeat(line * 1024, 2 << 10)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5 << 18


# --- no answer ---


@pytest.mark.parametrize("wire", WIRES)
def test_connection_refused(shared_colour: Colour, wire: Wire) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    (last,) = ask(shared_colour, wire, f"http://127.0.0.1:{port}")
    assert settled(last) == error(wire, "network", True)


@pytest.mark.parametrize("wire", WIRES)
def test_closed_before_the_headers(shared_colour: Colour, server: ScriptedServer, wire: Wire) -> None:
    server.say(Script(close_before_headers=True))
    (last,) = ask(shared_colour, wire, server)
    assert settled(last) == error(wire, "network", True)


def test_host_that_is_none(shared_colour: Colour) -> None:
    (last,) = ask(shared_colour, "openai_chat", "http://nowhere.invalid")
    assert settled(last) == error("openai_chat", "network", True)


@pytest.mark.parametrize(
    "head",
    [
        Script(headers={"<b>": "x"}),
        Script(headers={"content-length": "<b>"}, framing="close"),
        Script(headers={"transfer-encoding": "chunked"}, framing="close", steps=(Send(b"<html>\r\n"),)),
    ],
    ids=["header", "length", "chunk"],
)
def test_answer_that_is_no_http(shared_colour: Colour, server: ScriptedServer, head: Script) -> None:
    """The words of the error hold no raw bytes of the answer: `settled` looks."""
    server.say(head)
    (last,) = ask(shared_colour, "openai_chat", server)
    code: ErrorCode = "interrupted" if head.steps else "network"
    assert settled(last) == error("openai_chat", code, True)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("wire", WIRES)
def test_redirect(shared_colour: Colour, server: ScriptedServer, wire: Wire, status: int) -> None:
    """It is not followed: the key would go to the host that it names."""
    with ScriptedServer() as elsewhere:
        elsewhere.say(Script.body(reply(wire, PIECES)))
        server.say(Script.json(status, {}, {"location": f"{elsewhere.url}/take?this=1"}))
        (last,) = ask(shared_colour, wire, server, max_retries=2)
        assert elsewhere.requests == []
    assert settled(last) == error(wire, "invalid_request", False, "APIError", status_code=status)
    assert len(server.requests) == 1


# --- Gemini goes on ---


def with_token(event: bytes, token: str) -> bytes:
    """The event as a checkpoint."""

    def add(chunk: Any) -> None:
        chunk["candidates"][0]["continuationToken"] = token

    return changed(event, add)


def segment(text: str, token: str) -> bytes:
    """A response that goes on in another one."""
    *rest, last = events("gemini", [text], finish="CONTINUATION")
    return b"".join(rest) + with_token(last, token)


@pytest.mark.parametrize("texts", [["one ", "two"], ["one ", "two ", "three"]], ids=["two", "three"])
def test_continuation(shared_colour: Colour, server: ScriptedServer, texts: list[str]) -> None:
    *tokens, _ = [f"{CONTINUATION_TOKEN}{number}" for number in range(len(texts))]
    segments = [segment(text, token) for text, token in zip(texts[:-1], tokens, strict=True)]
    server.say(*map(Script.body, segments), Script.body(reply("gemini", texts[-1:])))
    *rest, last = ask(shared_colour, "gemini", server)
    assert rest == [delta(text) for text in texts]
    count = len(texts)
    summed = usage("gemini", 34 * count, 12 * count)
    assert settled(last) == final("gemini", content="".join(texts), usage=summed, attempts=count)
    first, *others = [request.json for request in server.requests]
    assert others == [first | {"continuationToken": token} for token in tokens]


def test_continuation_without_a_token(shared_colour: Colour, server: ScriptedServer) -> None:
    """There is nothing to ask with: it is not complete, and that is said."""

    def drop(chunk: Any) -> None:
        del chunk["candidates"][0]["continuationToken"]

    *rest, last_event = events("gemini", PIECES, finish="CONTINUATION")
    server.say(Script.body(b"".join(rest) + changed(last_event, drop)))
    last = ask(shared_colour, "gemini", server)[-1]
    assert settled(last) == final("gemini", "CONTINUATION", "paused")


def test_continuation_that_brings_nothing(shared_colour: Colour, server: ScriptedServer) -> None:
    nothing = segment("", "again")
    server.say(Script.body(segment(TEXT, "on")), Script.body(nothing))
    first, last = ask(shared_colour, "gemini", server)
    assert first == delta(TEXT)
    count = len(server.requests)
    assert 1 < count <= 5
    summed = usage("gemini", 34 * (count - 1), 12 * (count - 1))  # what brought nothing and led nowhere is not counted
    assert settled(last) == final("gemini", "CONTINUATION", "paused", usage=summed, attempts=count)


def test_continuation_that_fails(shared_colour: Colour, server: ScriptedServer) -> None:
    """What had arrived stays, and so does how it had ended."""
    headers, body = error_body("gemini", 503)
    server.say(Script.body(segment("one ", "on")), Script.json(503, body, headers))
    first, last = ask(shared_colour, "gemini", server)
    assert first == delta("one ")
    arrived = {"content": "one ", "usage": usage("gemini"), "attempts": 2}
    assert [segment["status"] for segment in last["segments"]] == ["paused", "overloaded"]
    assert settled(last) == final("gemini", "CONTINUATION", "paused", **arrived)


@pytest.mark.parametrize("end", [(), (Cut(),), (Reset(),)], ids=["ends cleanly", "FIN", "RST"])
def test_checkpoint_then_cut(shared_colour: Colour, server: ScriptedServer, end: tuple[Step, ...]) -> None:
    """The provider gave a token to go on with: no text is lost and none comes twice."""
    checkpoint = with_token(events("gemini", ["one "])[0], "resume")
    server.say(Script(steps=(Send(checkpoint), Pause(0.03), *end)), Script.body(reply("gemini", ["two"])))
    *rest, last = ask(shared_colour, "gemini", server)
    assert rest == [delta("one "), delta("two")]
    summed = usage("gemini", 17 + 34, 24)
    assert settled(last) == final("gemini", content="one two", usage=summed, attempts=2)
    first, second = [request.json for request in server.requests]
    assert second == first | {"continuationToken": "resume"}


def test_text_after_the_checkpoint_then_cut(shared_colour: Colour, server: ScriptedServer) -> None:
    """Going on from the checkpoint would bring that text twice."""
    one, two, _ = events("gemini", ["one ", "two"])
    server.say(Script.body(with_token(one, "resume") + two))
    *rest, last = ask(shared_colour, "gemini", server)
    assert rest == [delta("one "), delta("two")]
    assert settled(last) == broken("gemini", "interrupted", True, content="one two", usage=usage("gemini", 22))


# --- asking again ---


@pytest.mark.parametrize("wire", WIRES)
def test_unavailable_twice_then_a_reply(shared_colour: Colour, server: ScriptedServer, wire: Wire) -> None:
    headers, body = error_body(wire, 503)
    refused = Script.json(503, body, headers | {"retry-after-ms": "10"})
    server.say(refused, refused, Script.body(reply(wire, PIECES)))
    *rest, last = ask(shared_colour, wire, server, max_retries=2)
    assert [(event["reason"], event["attempt"]) for event in rest[:2]] == [("retry", 2), ("retry", 3)]
    assert rest[2:] == [delta(piece) for piece in PIECES]
    assert settled(last) == final(wire, attempts=3)
    first, *others = [(request.path, request.json) for request in server.requests]
    assert others == [first, first]


@pytest.mark.parametrize("wire", WIRES)
def test_retries_have_an_end(shared_colour: Colour, server: ScriptedServer, wire: Wire) -> None:
    headers, body = error_body(wire, 503)
    server.say(Script.json(503, body, headers | {"retry-after-ms": "10"}))
    *announced, last = ask(shared_colour, wire, server, max_retries=2)
    assert [(event["event"], event["seconds_to_wait"]) for event in announced] == [("panel_retry", 0.01)] * 2
    said = {"status_code": 503, "retry_after": 0.01, "attempts": 3}
    assert settled(last) == error(
        wire, "overloaded", True, "APIError", **said, request_id=None if wire == "gemini" else REQUEST_ID
    )
    assert len(server.requests) == 3


@pytest.mark.parametrize("wire", WIRES)
def test_no_retries(shared_colour: Colour, server: ScriptedServer, wire: Wire) -> None:
    server.say(Script.json(503, error_body(wire, 503)[1], {"retry-after-ms": "1"}))
    ask(shared_colour, wire, server, max_retries=0)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "fault",
    [
        Script(close_before_headers=True),
        Script(),
        Script(steps=(Reset(),)),
        Script(steps=(Send(events("openai_chat", PIECES)[0]), Cut())),
        Script.body(error_event("openai_chat")),
    ],
    ids=["no answer", "empty", "reset", "cut before any text", "error event"],
)
def test_what_is_tried_again(shared_colour: Colour, server: ScriptedServer, fault: Script) -> None:
    """Without a word from the server about when: half a second, less some jitter."""
    server.say(fault, Script.body(reply("openai_chat", PIECES)))
    began = time.monotonic()
    last = ask(shared_colour, "openai_chat", server, max_retries=2)[-1]
    assert time.monotonic() - began > 0.35
    assert settled(last) == final("openai_chat", attempts=2)


def test_a_failed_attempt_leaves_nothing_behind(shared_colour: Colour, server: ScriptedServer) -> None:
    """Half a tool call of an attempt that broke is no part of the reply that came then."""
    half = _chat_call("call_1", "write", '{"te')
    server.say(Script.body(half), Script.body(reply("openai_chat", PIECES)))
    announced, *rest, last = ask(shared_colour, "openai_chat", server, max_retries=1)
    assert (announced["event"], announced["code"], announced["attempt"]) == ("panel_retry", "interrupted", 2)
    assert rest == [delta(piece) for piece in PIECES]
    assert settled(last) == final("openai_chat", attempts=2)


PAUSES: dict[str, tuple[Wire, dict[str, str], float]] = {
    "retry-after-ms": ("openai_chat", {"retry-after-ms": "400"}, 0.4),
    "both": ("openai_responses", {"retry-after-ms": "400", "retry-after": "30"}, 0.4),
    "retry-after": ("anthropic", {"retry-after": "0.4"}, 0.4),
    "date": (
        "openai_chat",
        {"date": formatdate(1795000000, usegmt=True), "retry-after": formatdate(1795000001, usegmt=True)},
        1.0,
    ),
}


@pytest.mark.parametrize("how", PAUSES)
def test_the_server_says_when(shared_colour: Colour, server: ScriptedServer, how: str) -> None:
    wire, headers, seconds = PAUSES[how]
    server.say(Script.json(429, error_body(wire, 429)[1], headers), Script.body(reply(wire, PIECES)))
    began = time.monotonic()
    last = ask(shared_colour, wire, server, max_retries=1)[-1]
    assert time.monotonic() - began >= seconds
    assert settled(last) == final(wire, attempts=2)


def test_gemini_says_when(shared_colour: Colour, server: ScriptedServer) -> None:
    body = error_body("gemini", 429)[1]
    body["error"]["details"][0]["retryDelay"] = "0.4s"
    server.say(Script.json(429, body), Script.body(reply("gemini", PIECES)))
    began = time.monotonic()
    last = ask(shared_colour, "gemini", server, max_retries=1)[-1]
    assert time.monotonic() - began >= 0.4
    assert settled(last) == final("gemini", attempts=2)


@pytest.mark.parametrize("wire", WIRES)
def test_longer_than_the_caller_waits(shared_colour: Colour, server: ScriptedServer, wire: Wire) -> None:
    """Waiting could not help: it is said at once, with the time that the server asks for."""
    headers, body = error_body(wire, 429)
    server.say(Script.json(429, body, headers))
    began = time.monotonic()
    (last,) = ask(shared_colour, wire, server, timeout=RETRY_AFTER_SECONDS, max_retries=2)
    assert time.monotonic() - began < RETRY_AFTER_SECONDS / 2
    said = {"status_code": 429, "retry_after": RETRY_AFTER_SECONDS}
    assert settled(last) == error(
        wire, "rate_limit", True, "APIError", **said, request_id=None if wire == "gemini" else REQUEST_ID
    )
    assert len(server.requests) == 1


def _openai(type: str, code: str) -> Any:
    return {"error": {"message": "No money.", "type": type, "param": None, "code": code}}


_DAY = {"@type": "x/google.rpc.QuotaFailure", "violations": [{"quotaId": "GenerateRequestsPerDayPerProject-FreeTier"}]}
_RETRY = {"@type": "x/google.rpc.RetryInfo", "retryDelay": "0.01s"}
QUOTAS: dict[str, tuple[Wire, int, Any, ErrorCode]] = {
    "insufficient_quota": ("openai_chat", 429, _openai("insufficient_quota", "insufficient_quota"), "quota"),
    "credit": ("openai_responses", 429, _openai("billing", "credit_balance_exhausted"), "quota"),
    "hard limit": ("openai_chat", 400, _openai("invalid_request_error", "billing_hard_limit_reached"), "quota"),
    "anthropic billing": (
        "anthropic",
        402,
        {"type": "error", "error": {"type": "billing_error", "message": "No money."}},
        "quota",
    ),
    "anthropic spending cap": ("anthropic", 429, error_body("anthropic", 429)[1], "rate_limit"),
    "anthropic spending limit": (
        "anthropic",
        429,
        {
            "type": "error",
            "error": {
                "type": "rate_limit_error",
                "message": "No money.",
                "details": {"error_code": "enforced_spend_limit_reached"},
            },
        },
        "quota",
    ),
    "gemini day": (
        "gemini",
        429,
        {"error": {"code": 429, "message": "Quota.", "status": "RESOURCE_EXHAUSTED", "details": [_DAY, _RETRY]}},
        "quota",
    ),
    "gemini credits": ("gemini", 402, {"error": {"code": 402, "message": "No money.", "status": "X"}}, "quota"),
}


@pytest.mark.parametrize("what", QUOTAS)
def test_money_is_not_tried_again(shared_colour: Colour, server: ScriptedServer, what: str) -> None:
    wire, status, body, code = QUOTAS[what]
    server.say(Script.json(status, body))
    (last,) = ask(shared_colour, wire, server, max_retries=2)
    assert (last["code"], last["retryable"], last["status_code"]) == (code, False, status)
    assert len(server.requests) == 1


@pytest.mark.parametrize(("status", "word", "requests"), [(503, "false", 1), (400, "true", 2)])
def test_the_server_says_whether(
    shared_colour: Colour, server: ScriptedServer, status: int, word: str, requests: int
) -> None:
    body = error_body("openai_chat", status)[1]
    refused = Script.json(status, body, {"x-should-retry": word, "retry-after-ms": "1"})
    server.say(refused, Script.body(reply("openai_chat", PIECES)))
    ask(shared_colour, "openai_chat", server, max_retries=2)
    assert len(server.requests) == requests


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413])
@pytest.mark.parametrize("wire", WIRES)
def test_what_is_not_tried_again(shared_colour: Colour, server: ScriptedServer, wire: Wire, status: int) -> None:
    server.say(Script.json(status, {}))
    ask(shared_colour, wire, server, max_retries=2)
    assert len(server.requests) == 1


# --- the same as exceptions ---


@pytest.mark.parametrize("wire", WIRES)
def test_exceptions(shared_colour: Colour, server: ScriptedServer, wire: Wire) -> None:
    """`stream` and `query` raise what the event says, with the text so far."""
    server.say(Script.body(begun(wire)))
    arguments = (PROVIDER[wire], "hi", KEY)
    with pytest.raises(msgmodel.StreamingError) as cut:
        shared_colour.query(*arguments, config=config(wire, server.url), max_retries=0)
    assert (cut.value.code, cut.value.content, cut.value.status_code) == ("interrupted", PARTIAL, None)
    with pytest.raises(msgmodel.StreamingError) as cut:
        shared_colour.texts(*arguments, config=config(wire, server.url), max_retries=0)
    assert (cut.value.code, cut.value.content) == ("interrupted", PARTIAL)
    server.say(Script.json(401, error_body(wire, 401)[1]))
    with pytest.raises(msgmodel.APIError) as refused:
        shared_colour.query(*arguments, config=config(wire, server.url), max_retries=0)
    assert (refused.value.code, refused.value.content, refused.value.status_code) == ("authentication", "", 401)
