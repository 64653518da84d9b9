"""What holds for every reply and for any bytes at all: properties, on the exchange without any I/O.

The rule of success of each wire is written here a second time, from the specification alone, so that a stream that
was cut anywhere can be judged without the code under test.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pure
from conftest import SHARED
from msgmodel.question import history
from msgmodel.question.transport import ConnectionBroken
from msgmodel.testing.errors import error_event
from msgmodel.testing.wires import WIRES, Wire, events, reply
from msgmodel.wires import WIRES as MODULE_WIRES
from msgmodel.wires import anthropic, gemini, openai_chat, openai_responses
from msgmodel.wires.sse import SseDecoder
from transformations import TRANSFORMATIONS

WIRE_MODULES: dict[Wire, Any] = {
    "openai_chat": openai_chat,
    "openai_responses": openai_responses,
    "anthropic": anthropic,
    "gemini": gemini,
}
TERMINAL = ("panel_final", "panel_error")
SAMPLE = 12
"""Recordings a wire that are cut at many places."""


def play(
    wire: str, pieces: list[bytes], end: bytes | ConnectionBroken = b"", status: int = 200, *, together: bool = False
) -> list[Any]:
    """The events of one panel; whatever the bytes, they are sound."""
    found = pure.play(wire, pieces, end, status, together=together)
    check(found)
    return found


def check(found: list[Any]) -> None:
    """Exactly one terminal event, last; the texts joined are its content; everything is JSON and UTF-8."""
    assert [event["event"] in TERMINAL for event in found] == [False] * (len(found) - 1) + [True]
    last = found[-1]
    for kind, field in (("delta", "content"), ("reasoning", "reasoning"), ("refusal", "refusal")):
        pieces = [event["delta"] for event in found if event["event"] == f"panel_{kind}"]
        assert all(pieces)
        assert "".join(pieces) == last.get(field, "")
    for one in found:
        text = json.dumps(one, allow_nan=False, ensure_ascii=False)
        text.encode("utf-8")
        assert json.loads(text) == one


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted(place % (len(data) + 1) for place in places)
    return [data[begin:end] for begin, end in zip([0, *ends], [*ends, len(data)], strict=True)]


# --- replies ---

TEXTS = st.one_of(
    st.text(max_size=20),
    st.text(alphabet='\u2028\u2029\u0085\x00\r\n\t\x0b\x0c\x1c\ufeff\U0001f916\u0301"\\ :{}[]data', max_size=20),
    st.sampled_from(["data: [DONE]\n\n", "\n\ndata: {}\n\n", "\ufeff", "event: message_stop\n\n"]),
)
FINISH: dict[Wire, list[str]] = {
    "openai_chat": ["stop", "length", "content_filter", "refusal", "surprise"],
    "openai_responses": ["completed", "max_output_tokens", "failed", "refusal"],
    "anthropic": ["end_turn", "max_tokens", "refusal", "tool_use"],
    "gemini": ["STOP", "MAX_TOKENS", "SAFETY", "CONTINUATION"],
}


@st.composite
def replies(draw: st.DrawFn, wire: Wire) -> bytes:
    """A reply in one of the forms that a wire allows, sometimes with an error in it."""
    found = events(
        wire,
        draw(st.lists(TEXTS, max_size=4)),
        finish=draw(st.sampled_from(FINISH[wire])),
        usage=draw(st.booleans()),
    )
    if draw(st.integers(0, 4)) == 0:
        found.insert(draw(st.integers(0, len(found))), error_event(wire))
    data = b"".join(found)
    for change in draw(st.lists(st.sampled_from([name for name in TRANSFORMATIONS if name != "bom"]), max_size=3)):
        data = TRANSFORMATIONS[change](data)
    return TRANSFORMATIONS["bom"](data) if draw(st.booleans()) else data


@pytest.mark.parametrize("wire", WIRES)
@given(data=st.data())
@settings(max_examples=150)
def test_any_cut_gives_the_same_events(wire: Wire, data: st.DataObject) -> None:
    body = data.draw(replies(wire))
    whole = play(wire, [body])
    assert play(wire, cut(body, data.draw(st.lists(st.integers(0, 1 << 16), max_size=12)))) == whole
    assert play(wire, [body[at : at + 1] for at in range(len(body))]) == whole


SSE_LINES = [b"data: a", b'data: {"x":1}', b"data:", b"data: ", b"event: t", b"event: u", b"event: data: ", b"", b": c"]
ALIKE = [
    [b"data: a", b""],
    [b"data: ", b""],
    [b"event: t", b"data: a", b""],
    [b"event: u", b"data: b", b""],
    [b"event: data: ", b"data: a", b""],
    [b"xdata: a", b""],
    [b"stray", b"data: a", b""],
    [b"event: t", b"stray", b"data: a", b""],
    [b"data: a", b"data: b", b""],
    [b"data: a", b"stray", b""],
]


@st.composite
def bursts(draw: st.DrawFn) -> list[bytes]:
    """The lines of events that are alike, with another one among them or not."""
    few = draw(st.lists(st.sampled_from(ALIKE), min_size=1, max_size=2))
    return [line for event in draw(st.lists(st.sampled_from(few), max_size=6)) for line in event]


@given(
    lines=st.lists(st.sampled_from(SSE_LINES), max_size=12) | bursts(),
    ends=st.sampled_from([[b"\n"], [b"\r\n"], [b"\r"], [b"\n", b"\r\n"], [b"\n", b"\r\n", b"\r"]]),
    data=st.data(),
)
@settings(max_examples=1000)
def test_events_that_come_at_once_are_those_that_come_byte_by_byte(
    lines: list[bytes], ends: list[bytes], data: st.DataObject
) -> None:
    written = [line + data.draw(st.sampled_from(ends)) for line in lines]
    body = b"".join(written)

    def decoded(pieces: list[bytes]) -> tuple[list[bytes], bytes]:
        decoder = SseDecoder()
        found = [one for piece in pieces for one in decoder.feed(piece)] + decoder.eof()
        return found, decoder.stray_text

    assert decoded([body]) == decoded([body[at : at + 1] for at in range(len(body))])
    assert decoded(cut(body, data.draw(st.lists(st.integers(0, 200), max_size=3)))) == decoded([body])
    between_lines = [sum(map(len, written[:number])) for number in data.draw(st.sets(st.integers(0, len(written))))]
    assert decoded(cut(body, sorted(between_lines))) == decoded([body])


@pytest.mark.parametrize("wire", WIRES)
@given(data=st.data())
@settings(max_examples=150)
def test_text_that_goes_together(wire: Wire, data: st.DataObject) -> None:
    body = data.draw(replies(wire))
    pieces = cut(body, data.draw(st.lists(st.integers(0, 1 << 16), max_size=12)))
    assert joined(play(wire, pieces, together=True)) == joined(play(wire, pieces))
    body = reply(wire, ["one ", "two ", "three ", "four ", "five"])
    assert len(play(wire, [body], together=True)) < len(play(wire, [body]))


def joined(found: list[Any]) -> list[Any]:
    """The events, with deltas in a row made one."""
    made: list[Any] = []
    for one in found:
        if made and one["event"] == made[-1]["event"] == "panel_delta":
            made[-1] = made[-1] | {"delta": made[-1]["delta"] + one["delta"]}
        else:
            made.append(one)
    return made


@pytest.mark.parametrize("wire", WIRES)
@given(texts=st.lists(TEXTS, max_size=5))
@settings(max_examples=150)
def test_any_text_arrives(wire: Wire, texts: list[str]) -> None:
    found = play(wire, [reply(wire, texts)])
    assert [event.get("delta") for event in found] == [*(text for text in texts if text), None]
    assert (found[-1]["event"], found[-1]["content"], found[-1]["status"]) == (
        "panel_final",
        "".join(texts),
        "complete",
    )


# --- a stream cut at any byte ---


def whole_events(data: bytes) -> tuple[list[bytes], bytes]:
    """The data of the events that have their blank line, and what follows the last of them; by the standard, slowly."""
    lines = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    found: list[bytes] = []
    pending: list[bytes] = []
    *ended, rest = lines
    for line in ended:
        name, _, value = line.partition(b":")
        if name == b"data":
            pending.append(value.removeprefix(b" "))
        elif not line:
            if pending:
                found.append(b"\n".join(pending))
            pending = []
    name, _, value = rest.partition(b":")
    if name == b"data":
        pending.append(value.removeprefix(b" "))
    return found, b"\n".join(pending)


def chat_succeeds(found: list[Any], tail: Any) -> bool:
    reasons: dict[int, Any] = {}
    for event in found:
        for choice in (event.get("choices") or ()) if isinstance(event, dict) else ():
            index = choice.get("index") or 0
            reasons[index] = choice.get("finish_reason") or reasons.get(index)
        if event == "[DONE]":
            break
    return bool(reasons) and all(reasons.values())


def with_tail(found: list[Any], tail: Any) -> list[Any]:
    """The events with the one that lacks its blank line: if its JSON is complete, it proves itself."""
    return [*found, tail] if isinstance(tail, dict) else found


def responses_succeeds(found: list[Any], tail: Any) -> bool:
    return any(event.get("type") in ("response.completed", "response.incomplete") for event in with_tail(found, tail))


def anthropic_succeeds(found: list[Any], tail: Any) -> bool:
    reason = None
    for event in with_tail(found, tail):
        if event.get("type") == "message_delta":
            reason = event["delta"].get("stop_reason") or reason
        if event.get("type") == "message_stop":
            return reason is not None
    return False


def gemini_succeeds(found: list[Any], tail: Any) -> bool:
    reasons = []
    for event in with_tail(found, tail):
        reasons += [
            candidate.get("finishReason") for candidate in event.get("candidates") or () if not candidate.get("index")
        ]
        reasons.append((event.get("promptFeedback") or {}).get("blockReason"))
    said = [reason for reason in reasons if reason]
    return bool(said) and said[-1] != "CONTINUATION"


SUCCEEDS: dict[str, Callable[[list[Any], Any], bool]] = {
    "openai_chat": chat_succeeds,
    "openai_responses": responses_succeeds,
    "anthropic": anthropic_succeeds,
    "gemini": gemini_succeeds,
}


def may_be_final(wire: str, data: bytes) -> bool:
    """Whether the rule of success of the wire holds for these bytes (WIRE.md 0.3), and no half event follows (2.5)."""
    frames, rest = whole_events(data)
    found = [parsed(frame) for frame in frames if frame.strip()]
    is_done = wire == "openai_chat" and "[DONE]" in found  # nothing after it is read
    if rest.startswith(b"{") and not is_done and (wire == "openai_chat" or (wire == "gemini" and parsed(rest) is None)):
        return False
    return SUCCEEDS[wire](found, parsed(rest))


def parsed(data: bytes) -> Any:
    if data.startswith(b"[DONE]"):
        return "[DONE]"
    try:
        return json.loads(data)
    except ValueError:
        return None


def check_truncated(wire: str, data: bytes) -> None:
    """A final event only where the rule allows one; and never where the connection broke without one."""
    last = play(wire, [data])[-1]
    if last["event"] == "panel_final" and last["status"] != "paused":
        assert may_be_final(wire, data), data[-100:]
    last = play(wire, [data], ConnectionBroken("interrupted", "reset"))[-1]
    if last["event"] == "panel_final" and last["status"] != "paused":
        assert may_be_final(wire, data), data[-100:]


@pytest.mark.parametrize("wire", WIRES)
@given(data=st.data())
@settings(max_examples=40)
def test_truncated_at_any_byte(wire: Wire, data: st.DataObject) -> None:
    body = data.draw(replies(wire))
    for end in data.draw(st.lists(st.integers(0, len(body)), min_size=1, max_size=60)):
        check_truncated(wire, body[:end])


@pytest.mark.parametrize("form", ["plain", "crlf", "lone_cr", "comments", "without_event_lines"])
@pytest.mark.parametrize("wire", WIRES)
def test_truncated_at_every_byte(wire: Wire, form: str) -> None:
    body = reply(wire, ["Hello", " wörld \N{ROBOT FACE}"])
    body = TRANSFORMATIONS[form](body) if form != "plain" else body
    for end in range(len(body)):
        check_truncated(wire, body[:end])
    assert play(wire, [body])[-1]["status"] == "complete"


@pytest.mark.parametrize("wire", WIRES)
def test_the_rule_is_not_too_strict(wire: Wire) -> None:
    """Where the rule holds, the end is final: the other direction of the property above."""
    body = reply(wire, ["Hello", " wörld"])
    for end in range(len(body)):
        if may_be_final(wire, body[:end]):
            assert play(wire, [body[:end]])[-1]["event"] == "panel_final", body[:end][-60:]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the recorded streams are not here")
@pytest.mark.parametrize("wire", WIRES)
def test_recordings_truncated(wire: Wire) -> None:
    paths = sorted((SHARED / "streams" / wire).glob("*.sse"))
    short = [path for path in paths if path.stat().st_size < 20_000]
    for path in short[:: len(short) // SAMPLE]:
        body = path.read_bytes()
        step = max(1, len(body) // 150)
        for end in {*range(0, len(body), step), *range(max(0, len(body) - 60), len(body))}:
            check_truncated(wire, body[:end])


@pytest.mark.skipif(not SHARED.is_dir(), reason="the recorded streams are not here")
@pytest.mark.parametrize("wire", WIRES)
@given(data=st.data())
@settings(max_examples=60)
def test_recordings_damaged(wire: Wire, data: st.DataObject) -> None:
    """Bytes of a real stream replaced, lost or put in twice."""
    paths = sorted((SHARED / "streams" / wire).glob("*.sse"))
    body = data.draw(st.sampled_from([path for path in paths if path.stat().st_size < 8_000])).read_bytes()
    for _ in range(data.draw(st.integers(1, 4))):
        begin, size = data.draw(st.integers(0, len(body))), data.draw(st.integers(0, 40))
        body = body[:begin] + data.draw(st.binary(max_size=20)) + body[begin + size :]
    assert play(wire, [body[at : at + 700] for at in range(0, len(body), 700)]) == play(wire, [body])


# --- junk ---

JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, 1, -1, 2**31, 2**63, 2**64, 10**30, 1e308, 0.5]),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["\ud800", "x\udc00", "\x00", "stop", "0", "9" * 30, "1e999", "NaN"]),
)
NAMES = {
    "openai_chat": "id model object choices index delta content role text reasoning reasoning_content refusal"
    " tool_calls function name arguments function_call finish_reason usage prompt_tokens completion_tokens"
    " prompt_tokens_details completion_tokens_details cached_tokens reasoning_tokens error message code type status"
    " x_groq citations annotations url_citation url title thinking metadata details violations quotaId retryDelay",
    "openai_responses": "type delta text item_id output_index content_index summary_index item response annotation"
    " error message code status id model usage input_tokens output_tokens input_tokens_details output_tokens_details"
    " incomplete_details reason name arguments input call_id url title filename",
    "anthropic": "type index message content_block delta usage error text thinking partial_json stop_reason"
    " stop_details explanation id name input citation url title cited_text document_title input_tokens output_tokens"
    " cache_read_input_tokens cache_creation_input_tokens output_tokens_details thinking_tokens details error_code",
    "gemini": "candidates content parts text thought functionCall args name id willContinue partialArgs jsonPath"
    " stringValue numberValue nullValue finishReason index continuationToken groundingMetadata groundingChunks web"
    " retrievedContext uri title citationMetadata citationSources promptFeedback blockReason usageMetadata"
    " promptTokenCount candidatesTokenCount thoughtsTokenCount toolUsePromptTokenCount modelVersion responseId error"
    " code message status details retryDelay",
}
KINDS = {
    "openai_chat": ["error", "text", "thinking", "function"],
    "openai_responses": [
        "response.created",
        "response.output_text.delta",
        "response.output_text.done",
        "response.reasoning_summary_text.delta",
        "response.refusal.delta",
        "response.function_call_arguments.delta",
        "response.output_item.added",
        "response.output_item.done",
        "response.output_text.annotation.added",
        "response.completed",
        "response.incomplete",
        "response.failed",
        "function_call",
        "error",
    ],
    "anthropic": [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "text_delta",
        "thinking_delta",
        "input_json_delta",
        "citations_delta",
        "tool_use",
        "text",
        "ping",
        "error",
    ],
    "gemini": ["STOP", "CONTINUATION", "$.a.b", "$.a[0]", "$.a[-1]", "$"],
}


def documents(wire: Wire) -> st.SearchStrategy[Any]:
    """JSON of the right keys with anything for values."""
    names = st.sampled_from(NAMES[wire].split())
    leaves = JUNK | st.sampled_from(KINDS[wire])
    inner = st.recursive(
        leaves, lambda values: st.lists(values, max_size=3) | st.dictionaries(names, values, max_size=6), max_leaves=12
    )
    kinds = st.fixed_dictionaries({"type": st.sampled_from(KINDS[wire])}, optional={"delta": inner, "index": inner})
    return st.dictionaries(names, inner, max_size=6) | st.builds(
        lambda first, more: more | first, kinds, st.dictionaries(names, inner, max_size=4)
    )


@pytest.mark.parametrize("wire", WIRES)
@given(data=st.data())
@settings(max_examples=100)
def test_wrong_types(wire: Wire, data: st.DataObject) -> None:
    """It may be taken or refused; it never raises."""
    payloads = data.draw(st.lists(documents(wire), min_size=1, max_size=5))
    body = b"".join(map(event, payloads))
    if data.draw(st.booleans()):
        body += reply(wire, ["Hello"])
    play(wire, [body])
    play(wire, [json.dumps(payloads[0]).encode()])
    play(wire, [json.dumps(payloads[0]).encode()], status=429)


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """All JSON objects within a value."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects(inner)


@pytest.mark.parametrize("wire", WIRES)
@given(data=st.data())
@settings(max_examples=400)
def test_the_fast_lane_changes_no_event(wire: Wire, data: st.DataObject) -> None:
    """An event that follows text, with a field more, less or changed: what is taken for plain text is nothing else."""
    found = events(wire, ["Hello", " wor", "ld", "!"], usage=data.draw(st.booleans()))
    texts = [at for at, one in enumerate(found) if any(word in one for word in (b'" wor"', b'"ld"', b'"!"'))]
    assert len(texts) >= 3
    for at in data.draw(st.sets(st.sampled_from(texts), min_size=1, max_size=2)):
        payload = json.loads(found[at].partition(b"data: ")[2])
        changed = data.draw(st.sampled_from(list(objects(payload))))
        name = data.draw(st.sampled_from(sorted({*changed, *NAMES[wire].split()})))
        value = data.draw(JUNK | st.sampled_from([*KINDS[wire], "", [], {}, [{}], {"a": 1}, [_CALL], [_CITED], _ERROR]))
        if data.draw(st.integers(0, 9)):
            changed[name] = value
        else:
            changed.pop(name, None)
        found[at] = event(payload)
    body = b"".join(found)
    short = play(wire, [body])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MODULE_WIRES[wire].parser, "plain_text", lambda self, data: "")
        assert play(wire, [body]) == short


def event(payload: Any) -> bytes:
    return b"data: %b\n\n" % json.dumps(payload).encode()


_ERROR = {
    "message": "m",
    "type": "t",
    "code": "c",
    "status": "s",
    "metadata": {"error_type": "x"},
    "details": [{"reason": "r", "error_code": "e", "violations": [{"quotaId": "q"}], "retryDelay": "1s"}],
}
_CALL = {"index": 0, "id": "i", "function": {"name": "n", "arguments": '{"a": 1}'}}
_CITED = {"type": "url_citation", "url": "u", "title": "t", "url_citation": {"url": "u", "title": "t"}}
_ITEM = {"type": "function_call", "id": "i", "call_id": "c", "name": "n", "arguments": "{}"}
_PART_ARGS = [{"jsonPath": "$.a.b[0]", "stringValue": "x", "willContinue": True}, {"jsonPath": "$.c", "numberValue": 1}]
_STREAMED = {"name": "n", "partialArgs": _PART_ARGS, "willContinue": True}
RICH: dict[Wire, list[Any]] = {
    "openai_chat": [
        {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "x", "refusal": "r", "reasoning": "y"}}]},
        {"choices": [{"index": 0, "delta": {"content": [{"type": "text", "text": "x"}], "annotations": [_CITED]}}]},
        {"choices": [{"delta": {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "x"}]}]}}]},
        {"choices": [{"index": 0, "delta": {"tool_calls": [_CALL], "function_call": {"name": "f", "arguments": ""}}}]},
        {"choices": [], "citations": ["u"], "x_groq": {"id": "g", "usage": {"prompt_tokens": 1}, "error": None}},
        {"error": _ERROR, "code": "c", "type": "t"},
        {"object": "error", **_ERROR},
    ],
    "openai_responses": [
        {"type": "response.created", "response": {"id": "i", "model": "m"}},
        {"type": "response.output_item.added", "output_index": 1, "item": _ITEM},
        {"type": "response.function_call_arguments.delta", "output_index": 1, "item_id": "i", "delta": "{"},
        {"type": "response.output_item.done", "output_index": 1, "item": _ITEM},
        {"type": "response.output_item.done", "output_index": 2, "item": _ITEM | {"type": "custom_tool_call"}},
        {"type": "response.output_text.annotation.added", "annotation": _CITED | {"filename": "f"}},
        {"type": "response.reasoning_summary_text.delta", "item_id": "r", "summary_index": 0, "delta": "y"},
        {"type": "response.refusal.delta", "item_id": "r", "content_index": 0, "delta": "y"},
        {"type": "response.output_text.done", "item_id": "s", "content_index": 0, "text": "z"},
        {"type": "response.incomplete", "response": {"incomplete_details": {"reason": "max_output_tokens"}}},
        {"type": "response.failed", "response": {"error": _ERROR, "usage": {"input_tokens": 1}}},
        {"type": "error", "error": _ERROR},
        {"type": "error", **_ERROR},
    ],
    "anthropic": [
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": "x"}},
        {"type": "content_block_start", "index": 2, "content_block": {"type": "thinking", "thinking": "x"}},
        {
            "type": "content_block_start",
            "index": 3,
            "content_block": {"type": "tool_use", "id": "i", "name": "n", "input": {"a": 1}},
        },
        {"type": "content_block_delta", "index": 3, "delta": {"type": "input_json_delta", "partial_json": "{"}},
        {"type": "content_block_delta", "index": 2, "delta": {"type": "thinking_delta", "thinking": "x"}},
        {
            "type": "content_block_delta",
            "index": 1,
            "delta": {
                "type": "citations_delta",
                "citation": {"url": "u", "title": "t", "cited_text": "c", "document_title": "d"},
            },
        },
        {"type": "content_block_stop", "index": 3},
        {"type": "message_delta", "delta": {"stop_reason": "refusal", "stop_details": {"explanation": "e"}}},
        {"type": "message_delta", "usage": {"output_tokens": 1, "output_tokens_details": {"thinking_tokens": 1}}},
        {"type": "error", "error": _ERROR, "request_id": "r"},
    ],
    "gemini": [
        {"candidates": [{"content": {"parts": [{"text": "x", "thought": True}]}, "index": 0}]},
        {"candidates": [{"content": {"parts": [{"functionCall": {"name": "n", "id": "i", "args": {"a": [1]}}}]}}]},
        {"candidates": [{"content": {"parts": [{"functionCall": _STREAMED}]}}]},
        {
            "candidates": [
                {
                    "groundingMetadata": {"groundingChunks": [{"web": {"uri": "u", "title": "t"}}]},
                    "citationMetadata": {"citationSources": [{"uri": "u"}], "citations": [{"uri": "u"}]},
                    "continuationToken": "t",
                }
            ]
        },
        {"promptFeedback": {"blockReason": "SAFETY"}, "modelVersion": "m", "responseId": "i"},
        {"usageMetadata": {"promptTokenCount": 1, "toolUsePromptTokenCount": 1, "thoughtsTokenCount": 1}},
        {"error": _ERROR | {"code": 429}},
    ],
}
WRONG = [None, True, 0, -1, 1.5, 10**30, "", "x", "\ud800", [], [None], ["x"], [[]], {}, {"x": None}]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a JSON value, as its container and its key in it."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from places(value[key])


@pytest.mark.parametrize("wire", WIRES)
def test_one_wrong_value(wire: Wire) -> None:
    """Every place of every kind of event, with every kind of value."""
    plain = [
        json.loads(data.strip().rpartition(b"data: ")[2])
        for finish in FINISH[wire]
        for data in events(wire, ["Hello"], finish=finish)
        if b"[DONE]" not in data
    ]
    rest = reply(wire, ["Hello"])
    for payload in [*RICH[wire], *plain]:
        play(wire, [event(payload) + rest])
        for holder, key in list(places(payload)):
            right = holder[key]
            for wrong in WRONG:
                holder[key] = wrong
                play(wire, [event(payload) + rest])
            holder[key] = right


@pytest.mark.parametrize("wire", WIRES)
def test_one_wrong_value_in_the_body_of_an_error(wire: Wire) -> None:
    for body in ({"error": _ERROR}, {"detail": _ERROR}, _ERROR, [{"error": _ERROR}]):
        for holder, key in list(places(body)):
            right = holder[key]
            for wrong in WRONG:
                holder[key] = wrong
                play(wire, [json.dumps(body).encode()], status=429)
                play(wire, [json.dumps(body).encode()])
            holder[key] = right


@pytest.mark.parametrize("wire", WIRES)
@given(pieces=st.lists(st.binary(max_size=60) | st.sampled_from([b"data:", b"\n", b"\r", b"\n\n", b"{", b"[DONE]"])))
@settings(max_examples=200)
def test_random_bytes(wire: Wire, pieces: list[bytes]) -> None:
    body = b"".join(pieces)
    whole = play(wire, [body])
    assert play(wire, pieces) == whole
    assert whole[-1]["event"] == "panel_error"
    assert play(wire, [body], status=500)[-1]["event"] == "panel_error"


NESTED = [b'{"a":' * 5_000, b"[" * 100_000, b'{"a":' * 5_000 + b"1" + b"}" * 5_000, b"[" * 3_000 + b"]" * 3_000]


@pytest.mark.parametrize("nested", NESTED, ids=["objects", "lists", "closed objects", "closed lists"])
@pytest.mark.parametrize("wire", WIRES)
def test_deep_nesting(wire: Wire, nested: bytes) -> None:
    """As an event, as a field that is read, as a field that is not, as a body, as the body of an error."""
    fields = {"openai_chat": "usage", "openai_responses": "item", "anthropic": "message", "gemini": "promptFeedback"}
    play(wire, [b"data: " + nested + b"\n\n"])
    play(wire, [b'data: {"type": "response.output_item.done", "x": ' + nested + b"}\n\n"])
    for kind in (b"response.output_item.done", b"message_start", b"error"):
        prefix = b'data: {"type": "%b", "%b": ' % (kind, fields[wire].encode())
        play(wire, [prefix + nested + b"}\n\n"])
        play(wire, [b'data: {"type": "%b", "error": ' % kind + nested + b"}\n\n"])
    play(wire, [nested])
    play(wire, [nested], status=500)


def test_deep_arguments_of_a_call() -> None:
    """Arguments that are JSON, but too deep to be decoded or encoded again."""
    arguments = "[" * 3_000 + "]" * 3_000
    function = {"name": "f", "arguments": arguments}
    chunk = {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "c", "function": function}]}}]}
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
    play("openai_chat", [b"data: %b\n\ndata: %b\n\n" % (json.dumps(chunk).encode(), json.dumps(end).encode())])


HALVES = [b'"\\ud83d"', b'"\\udd16"', b'"\\ud83d\\ud83d\\udd16"', b'"\xff\xfe"', b'"\xf0\x9f\xa4"', b'"\xed\xa0\x80"']


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("wire", WIRES)
def test_half_characters(wire: Wire, half: bytes) -> None:
    """Half of a surrogate pair and invalid UTF-8 become U+FFFD, as in a browser; the rest of the reply comes."""
    body = reply(wire, ["Hello", "HALF", "."]).replace(b'"HALF"', half)
    last = play(wire, [body])[-1]
    assert (last["event"], last["status"]) == ("panel_final", "complete")
    assert last["content"].startswith("Hello")
    assert "\ufffd" in last["content"]
    assert last["content"].endswith(".")


@pytest.mark.parametrize("half", HALVES)
def test_half_characters_in_the_arguments_of_a_call(half: bytes) -> None:
    """Both in the JSON of the event and in the JSON within it."""
    within = '{"a": ' + half.decode("utf-8", "replace") + "}"
    for arguments in (half, json.dumps(within).encode()):
        call = b'{"index": 0, "id": "c", "function": {"name": "f", "arguments": %b}}' % arguments
        body = b'data: {"choices": [{"delta": {"tool_calls": [%b]}, "finish_reason": "tool_calls"}]}\n\n' % call
        assert play("openai_chat", [body])[-1]["event"] == "panel_final"


@pytest.mark.parametrize(
    "number", ["1e400", "-1e400", "NaN", "Infinity", "-1", "1.5", "9" * 400, "9" * 5000], ids=lambda number: number[:8]
)
@pytest.mark.parametrize("wire", WIRES)
def test_numbers_that_are_none(wire: Wire, number: str) -> None:
    """In the usage, and in the arguments of a call: what comes out is JSON."""
    body = reply(wire, ["Hello"]).replace(b"34", number.encode()).replace(b"12,", number.encode() + b",")
    play(wire, [body])
    call = b'{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{\\"a\\": %b}"}}' % number.encode()
    play(
        "openai_chat",
        [b'data: {"choices": [{"delta": {"tool_calls": [%b]}, "finish_reason": "tool_calls"}]}\n\n' % call],
    )


# --- what a hostile reply may cost ---


def work(function: Callable[[], object]) -> int:
    """How many functions are called, and generators resumed: the same on every machine."""
    calls = 0

    def called(_frame: object, what: str, _argument: object) -> None:
        nonlocal calls
        calls += what in ("call", "c_call")

    sys.setprofile(called)
    try:
        function()
    finally:
        sys.setprofile(None)
    return calls


def delta(**fields: Any) -> Any:
    return {"choices": [{"index": 0, "delta": fields}]}


def part(**call: Any) -> Any:
    return {"candidates": [{"content": {"parts": [{"functionCall": call}]}}]}


def item(kind: str, place: int, **fields: Any) -> Any:
    return {"type": f"response.{kind}", "output_index": place, **fields}


def block(place: int, kind: str, **fields: Any) -> Any:
    return {"type": "content_block_start", "index": place, "content_block": {"type": kind, **fields}}


ONE_CALL = {"name": "f", "arguments": "{}"}
SPOKEN = {"type": "message", "content": [{"text": "x"}]}
MANY: dict[str, tuple[Wire, Callable[[int], list[Any]]]] = {
    "details that can't be joined": (
        "openai_chat",
        lambda n: [delta(reasoning_details=[{"type": "x", "index": 0}])] * n,
    ),
    "items of text": (
        "openai_responses",
        lambda n: [
            said
            for each in range(n)
            for said in (
                item("output_text.delta", each, delta="x"),
                item("output_item.done", each, item={"type": "message", "phase": "p"}),
            )
        ],
    ),
    "messages in the last event": (
        "openai_responses",
        lambda n: [
            *(item("refusal.delta", each, delta="x") for each in range(n)),
            {"type": "response.completed", "response": {"output": [SPOKEN] * n}},
        ],
    ),
    "a call that ends again and again": (
        "gemini",
        lambda n: [
            part(name="f", willContinue=True),
            *(part(partialArgs=[{"jsonPath": f"$.a{each}", "stringValue": "x"}]) for each in range(n)),
        ],
    ),
    "the same id, of chat": (
        "openai_chat",
        lambda n: [delta(tool_calls=[{"index": each, "id": "a", "function": ONE_CALL}]) for each in range(n)],
    ),
    "the same id, of items": (
        "openai_responses",
        lambda n: [
            item("output_item.done", each, item={"type": "function_call", "call_id": "a", **ONE_CALL})
            for each in range(n)
        ],
    ),
    "the same id, of blocks": (
        "anthropic",
        lambda n: [
            said
            for each in range(n)
            for said in (
                block(each, "tool_use", id="a", name="f", input={}),
                {"type": "content_block_stop", "index": each},
            )
        ],
    ),
    "no id": ("gemini", lambda n: [part(name="f", args={})] * n),
}


@pytest.mark.parametrize("name", MANY)
def test_four_times_as_much_is_four_times_the_work(name: str) -> None:
    wire, payloads = MANY[name]

    def cost(count: int) -> int:
        pieces = [event(payload) for payload in payloads(count)]
        return work(lambda: pure.play(wire, pieces))

    assert cost(1_200) < 5 * cost(300)


FAR = "x" * 16_000_000
"""Beyond what any reply has; a stream may have it in one event."""
LONG: dict[str, tuple[Wire, list[Any], Any]] = {
    "arguments that never end": (
        "openai_chat",
        [delta(tool_calls=[{"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"a": ["' + FAR + '"'}}])],
        lambda n: delta(tool_calls=[{"index": 0, "id": f"b{n}", "function": {"arguments": ", {}"}}]),
    ),
    "details": (
        "openai_chat",
        [delta(reasoning_details=[{"type": "reasoning.text", "text": FAR}])],
        lambda n: delta(reasoning_details=[{"type": "reasoning.text", "text": "x"}]),
    ),
    "thinking": (
        "anthropic",
        [block(0, "thinking", thinking=FAR)],
        lambda n: {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "thinking_delta", "thinking": "x"},
        },
    ),
    "a string in arguments": (
        "gemini",
        [part(name="f", args={"a": FAR}, willContinue=True)],
        lambda n: part(partialArgs=[{"jsonPath": "$.a", "stringValue": "x"}], willContinue=True),
    ),
    "a text that is said to be whole": (
        "openai_responses",
        [item("output_text.delta", 0, delta=FAR), item("output_text.delta", 0, delta="x")],
        lambda n: item("output_text.done", 0, text="x"),
    ),
}


@pytest.mark.parametrize("name", LONG)
def test_little_after_much_costs_little(name: str) -> None:
    """What came before is not copied, or read, for each piece that follows. The limit is many times what that takes."""
    wire, before, after = LONG[name]
    begun = pure.exchange(wire)
    for payload in before:
        list(begun.feed(event(payload)))
    start = process_time()
    for number in range(20_000):
        list(begun.feed(event(after(number))))
        assert process_time() - start < 15
    assert begun.reading


TURNS: dict[str, Callable[[int], list[Any]]] = {
    "the same id": lambda n: [
        {"role": "assistant", "content": [{"type": "tool_call", "id": "a", **ONE_CALL}] * n},
        {"role": "tool", "content": [{"type": "tool_result", "tool_call_id": "a", "content": "x"}] * n},
    ],
    "results in reverse": lambda n: [
        {"role": "assistant", "content": [{"type": "tool_call", "id": f"{id}", **ONE_CALL} for id in range(n)]},
        *({"role": "tool", "tool_call_id": f"{id}", "content": "x"} for id in reversed(range(n))),
    ],
    "turns that broke off": lambda n: (
        [
            {
                "role": "assistant",
                "partial": True,
                "content": [{"type": "text", "text": "x"}, {"type": "tool_call", "id": "a", **ONE_CALL}],
            }
        ]
        * n
    ),
}


@pytest.mark.parametrize("name", TURNS)
def test_a_long_conversation_is_read_once(name: str) -> None:
    """By the work done, and by the clock, many times what it takes: not all that grows are calls of functions."""
    short, long, longest = (TURNS[name](count) for count in (300, 1_200, 40_000))
    receiver = history.Receiver()
    assert work(lambda: history.read_messages(long, receiver)) < 5 * work(
        lambda: history.read_messages(short, receiver)
    )
    start = process_time()
    history.read_messages(longest, receiver)
    assert process_time() - start < 8
