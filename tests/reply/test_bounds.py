"""One bound on all that a panel holds, and costs that grow with what came and no faster."""

from __future__ import annotations

import itertools
import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

import msgmodel
from conftest import KEY, PROVIDER, Async, Sync, config
from msgmodel.question import lenient_json
from msgmodel.reply.exchange import Exchange
from msgmodel.reply.next_request import RetryRules
from msgmodel.reply.reply_state import ResponseState
from msgmodel.reply.tool_calls import CallIds, ToolCalls
from msgmodel.testing import Flood, Script, ScriptedServer, Send
from pure import exchange, play

Colour = Sync | Async

MB = 1 << 20
BOUND = MB // 4
BOUNDED = RetryRules(max_retries=0, max_reply_bytes=BOUND)
LONG = "x" * 1000


def event(said: Any) -> bytes:
    return b"data: " + json.dumps(said, separators=(",", ":")).encode() + b"\n\n"


def chunk(**delta: Any) -> bytes:
    return event({"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta}]})


def call(number: int, id: str, arguments: str) -> bytes:
    function = {"name": "f", "arguments": arguments}
    return chunk(tool_calls=[{"index": number, "id": id, "function": function}])


def start(block: dict[str, Any], number: int = 0) -> bytes:
    return event({"type": "content_block_start", "index": number, "content_block": block})


def delta(said: dict[str, Any], number: int = 0) -> bytes:
    return event({"type": "content_block_delta", "index": number, "delta": said})


def stop(number: int = 0) -> bytes:
    return event({"type": "content_block_stop", "index": number})


def response(kind: str, **fields: Any) -> bytes:
    return event({"type": f"response.{kind}", **fields})


def candidate(*parts: Any, **fields: Any) -> bytes:
    return event({"candidates": [{"content": {"parts": parts}, **fields}], "modelVersion": "g", "responseId": "r"})


def growing(number: int, piece: dict[str, Any]) -> bytes:
    """A call of Gemini's whose arguments come in pieces."""
    function = {"name": "" if number else "f", "willContinue": True, "partialArgs": [piece]}
    return candidate({"functionCall": function})


FLOODS: dict[str, Callable[[int], bytes]] = {
    "openai_chat text": lambda n: chunk(content=f"{n % 10}abc"),
    "openai_chat long text": lambda n: chunk(content=f"{n}{LONG}"),
    "openai_chat emoji": lambda n: chunk(content="\U0001f600" * 100),
    "openai_chat reasoning": lambda n: chunk(reasoning_content="abc"),
    "openai_chat refusal": lambda n: chunk(refusal="abc"),
    "openai_chat kinds in turn": lambda n: chunk(content="a") if n % 2 else chunk(reasoning="b"),
    "openai_chat arguments": lambda n: call(0, "" if n else "a", "abcd"),
    "openai_chat many values": lambda n: call(n, f"id{n}", '{"a":[' + "[]," * 999 + "0]}"),
    "openai_chat calls": lambda n: call(n, f"id{n}", "{}"),
    "openai_chat calls of one id": lambda n: call(n, "id", "{}"),
    "openai_chat empty calls": lambda n: call(n, f"id{n}", ""),
    "openai_chat choices": lambda n: event({"model": "m", "choices": [{"index": n, "delta": {"content": "x"}}]}),
    "openai_chat pieces of details": lambda n: chunk(reasoning_details=[{"type": "reasoning.text", "text": "abcd"}]),
    "openai_chat details": lambda n: chunk(reasoning_details=[{"type": "reasoning.encrypted", "data": LONG}]),
    "openai_chat signed": lambda n: chunk(content="x", reasoning_details=[{"type": "reasoning.encrypted", "index": n}]),
    "openai_chat sources": lambda n: chunk(annotations=[{"url_citation": {"url": f"http://x/{n}"}}]),
    "openai_chat citations": lambda n: event({"model": "m", "choices": [], "citations": [f"http://x/{n}"]}),
    "openai_responses text": lambda n: response("output_text.delta", delta="abcd", output_index=0),
    "openai_responses places": lambda n: response("output_text.delta", delta="a", output_index=n, content_index=n),
    "openai_responses whole": lambda n: response("output_text.done", text="abc", output_index=n),
    "openai_responses reasoning": lambda n: response("reasoning_text.delta", delta="abcd", output_index=0),
    "openai_responses calls": lambda n: response(
        "output_item.done", output_index=n, item={"type": "function_call", "name": "f", "arguments": "{}"}
    ),
    "openai_responses open calls": lambda n: response(
        "output_item.added", output_index=n, item={"type": "custom_tool_call", "name": "f"}
    ),
    "openai_responses arguments of no call": lambda n: response("function_call_arguments.delta", output_index=n),
    "openai_responses items": lambda n: response(
        "output_item.done", item={"type": "reasoning", "encrypted_content": LONG, "summary": [{"a": 1}] * 50}
    ),
    "openai_responses notes": lambda n: response("output_text.annotation.added", annotation={"url": f"http://x/{n}"}),
    "anthropic text": lambda n: delta({"type": "text_delta", "text": "abcd"}),
    "anthropic blocks": lambda n: start({"type": "text", "text": "a"}, n) + stop(n),
    "anthropic thinking": lambda n: (
        delta({"type": "thinking_delta", "thinking": "abcd"}) if n else start({"type": "thinking", "thinking": ""})
    ),
    "anthropic redacted": lambda n: start({"type": "redacted_thinking", "data": "a"}) + stop(),
    "anthropic input of a server's tool": lambda n: (
        delta({"type": "input_json_delta", "partial_json": "abcd"}) if n else start({"type": "server_tool_use"})
    ),
    "anthropic results of a server's tool": lambda n: (
        start({"type": "web_search_tool_result", "content": [{"url": "x"}] * 20}) + stop()
    ),
    "anthropic calls": lambda n: start({"type": "tool_use", "id": f"a{n}", "name": "f", "input": {}}, n) + stop(n),
    "anthropic open calls": lambda n: start({"type": "tool_use", "id": f"a{n}", "name": "f", "input": {}}, n),
    "anthropic citations": lambda n: delta({"type": "citations_delta", "citation": {"cited_text": f"{n}"}}),
    "gemini text": lambda n: candidate({"text": "abcd"}),
    "gemini thoughts": lambda n: candidate({"text": "abcd", "thought": True}),
    "gemini signatures": lambda n: candidate({"text": "abc", "thoughtSignature": "s"}),
    "gemini calls": lambda n: candidate({"functionCall": {"name": "f", "args": {"a": [[]] * 1000}}}),
    "gemini pieces of arguments": lambda n: growing(n, {"jsonPath": "$.a", "stringValue": "abcd"}),
    "gemini a tree of arguments": lambda n: growing(n, {"jsonPath": f"$.a{n}.b.c.d.e.f", "numberValue": 1}),
    "gemini code": lambda n: candidate({"executableCode": {"code": "a"}}),
    "gemini sources": lambda n: candidate(groundingMetadata={"groundingChunks": [{"web": {"uri": f"u{n}"}}]}),
}
"""What a provider may send without end, of all that some part of a panel keeps: the event of each number."""

KEPT_ONCE: dict[str, Callable[[int], bytes]] = {
    "openai_chat usage": lambda n: event({"model": "m", "choices": [], "usage": {f"k{n}": n}}),
    "openai_responses ids": lambda n: response("created", response={"id": f"r{n}"}),
    "anthropic usage": lambda n: event({"type": "message_delta", "usage": {f"k{n}": n}}),
    "anthropic input of no block": lambda n: delta({"type": "input_json_delta", "partial_json": "abcd"}),
    "gemini usage": lambda n: event({"candidates": [], "usageMetadata": {f"k{n}": n}}),
}
"""What changes nothing, or takes the place of what came before it."""


def flood(name: str, make: Callable[[int], bytes], events: int) -> tuple[Exchange, int]:
    """An exchange after so many events, or fewer if it has ended, and the memory that it had taken by then."""
    begun = exchange(name.split()[0], BOUNDED)
    tracemalloc.start()
    try:
        number = 0
        while begun.reading and number < events:
            for _ in begun.feed(make(number)):
                pass
            number += 1
        return begun, tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", FLOODS)
def test_all_that_a_panel_holds_is_bounded(name: str) -> None:
    """At the end the text is there twice: in pieces, and joined."""
    begun, held = flood(name, FLOODS[name], 10_000)
    assert not begun.reading
    *_, last = begun.terminal_events()
    assert last["event"] == "panel_error"
    assert (last["code"], last["error_type"], last["retryable"]) == ("reply_too_large", "StreamingError", False)
    assert held < 1.3 * BOUND


WIDE = "\N{WATER WAVE}"
ENDS: dict[str, Callable[[int], bytes]] = {
    "text": lambda n: chunk(content=LONG),
    "letters": lambda n: chunk(content="x"),
    "an emoji, and text": lambda n: chunk(content=LONG if n else WIDE),
    "text, and an emoji": lambda n: chunk(content=WIDE if n == 200 else LONG),
    "Greek": lambda n: chunk(content="\N{GREEK SMALL LETTER ALPHA}" * 500),
    "reasoning": lambda n: chunk(reasoning_content=LONG if n else WIDE),
    "reasoning and text": lambda n: chunk(content=LONG) if n % 2 else chunk(reasoning_content=LONG),
    "refusal": lambda n: chunk(refusal=LONG if n else WIDE),
    "arguments": lambda n: call(0, "" if n else "a", LONG),
    "arguments with an emoji": lambda n: call(0, "" if n else "a", LONG if n else WIDE),
}


@pytest.mark.parametrize("what", ENDS)
def test_the_end_takes_no_more_than_the_bound(what: str) -> None:
    """The highest memory, with that of the terminal event: joined texts, the message and the estimate of the tokens."""
    begun = exchange("openai_chat", RetryRules(max_retries=0, max_reply_bytes=MB))  # what is small counts less

    def read() -> None:
        number = 0
        while begun.reading:
            for _ in begun.feed(ENDS[what](number)):
                pass
            number += 1

    assert peak(read) < 1.2 * MB
    *_, last = begun.terminal_events()
    assert last["event"] == "panel_error"
    assert last["code"] == "reply_too_large"


@pytest.mark.parametrize("name", KEPT_ONCE)
def test_what_is_not_kept_does_not_count(name: str) -> None:
    begun, held = flood(name, KEPT_ONCE[name], 5_000)
    assert begun.reading
    assert held < BOUND / 4


@pytest.mark.parametrize("together", [False, True], ids=["apart", "together"])
@pytest.mark.parametrize("wire", PROVIDER)
def test_the_text_so_far_is_what_was_handed_on(wire: str, together: bool) -> None:
    """Text for which there is no room is not kept, however large the piece in which it comes."""
    make = FLOODS[f"{wire} text"]
    begun = exchange(wire, BOUNDED)
    begun.merge_text = together
    events: list[Any] = []
    while begun.reading:
        events += begun.feed(b"".join(map(make, range(500))))
    *_, last = begun.terminal_events()
    assert last["code"] == "reply_too_large"
    assert last["content"] == "".join(each["delta"] for each in events) == last["message"]["content"]
    assert len(last["content"]) > BOUND / 40


@pytest.mark.parametrize("together", [False, True], ids=["apart", "together"])
def test_one_read_that_holds_more_than_there_is_room_for(together: bool) -> None:
    """The texts that still fit are kept, whether or not the texts of one read make one event."""
    begun = exchange("openai_chat", BOUNDED)
    begun.merge_text = together
    events = [*begun.feed(chunk(content="a"))]
    events += begun.feed(b"".join(chunk(content=f"{number:1000}") for number in range(2 * BOUND // 1000)))
    *_, last = begun.terminal_events()
    assert last["code"] == "reply_too_large"
    assert last["content"] == "".join(each["delta"] for each in events)
    assert BOUND / 3 < len(last["content"]) < BOUND


def test_texts_that_fit_one_by_one_are_no_flood() -> None:
    """Merged with an emoji they take four times the memory."""
    begun = exchange("openai_chat", BOUNDED)
    begun.merge_text = True
    texts = ["a", *(f"{number:1000}" for number in range(BOUND // 8000)), "\N{WATER WAVE}"]
    events = [each for said in (texts[:1], texts[1:]) for each in begun.feed(b"".join(chunk(content=t) for t in said))]
    assert begun.reading
    assert "".join(each["delta"] for each in events) == "".join(texts)


@pytest.mark.parametrize("kind", ["content", "reasoning", "refusal"])
def test_one_piece_that_is_too_large(kind: str) -> None:
    begun = exchange("openai_chat", BOUNDED)
    assert [each["delta"] for each in begun.feed(chunk(content="a"))] == ["a"]
    assert [*begun.feed(chunk(**{kind: "x" * 2 * MB}))] == []
    assert [(each["code"], each["content"]) for each in begun.terminal_events()] == [("reply_too_large", "a")]


def test_a_whole_call_is_not_counted_twice() -> None:
    """Responses says the arguments three times: in pieces, at their end, and with the item."""
    said = json.dumps({"text": "x" * (BOUND // 3)})
    item = {"type": "function_call", "name": "f", "call_id": "c"}
    begun = exchange("openai_responses", BOUNDED)
    for sent in (
        response("output_item.added", output_index=0, item=item),
        *(response("function_call_arguments.delta", output_index=0, delta=said[at : at + 1000])
          for at in range(0, len(said), 1000)),
        response("function_call_arguments.done", output_index=0, arguments=said),
        response("output_item.done", output_index=0, item=item | {"arguments": said}),
        response("completed", response={"status": "completed"}),
    ):  # fmt: skip
        assert [*begun.feed(sent)] == []
    (*_, last) = begun.terminal_events()
    assert (last["event"], last["status"]) == ("panel_final", "tool_calls")
    assert last["tool_calls"][0]["arguments"] == said


# --- over the requests of one panel ---


CUT = Script(steps=(Send(chunk(content="x" * 30_000)),))


def ask(colour: Colour, server: ScriptedServer, **options: Any) -> list[Any]:
    given = {"config": config("openai_chat", server.url), "max_reply_bytes": 100_000} | options
    return colour.panels("openai", "hi", KEY, **given)


def test_what_a_retry_drops_does_not_count(colour: Colour, server: ScriptedServer) -> None:
    lost = Script(
        steps=(Send(b"".join(call(n, f"i{n}", "") for n in range(15))), Send(event({"error": {"code": 503}})))
    )
    server.say(lost, lost, CUT)
    (*_, last) = ask(colour, server, max_retries=2)
    assert (last["code"], last["timing"]["attempts"]) == ("interrupted", 3)


def test_what_a_fallback_drops_does_not_count(colour: Colour, server: ScriptedServer) -> None:
    lost = Script(steps=(Send(chunk(reasoning="x" * 40_000)), Send(event({"error": {"code": 400}}))))
    server.say(lost, CUT)
    events = ask(
        colour, server, fallbacks=[{"provider": "openai", "config": config("openai_chat", server.url), "api_key": KEY}]
    )
    assert [each["event"] for each in events] == ["panel_reasoning", "panel_retry", "panel_delta", "panel_error"]
    assert events[-1]["code"] == "interrupted"


def test_what_is_resumed_counts(colour: Colour, server: ScriptedServer) -> None:
    server.say(*[CUT] * 9)
    events = ask(colour, server, max_retries=9, resume_interrupted=True, max_reply_bytes=200_000)
    assert [each["event"] for each in events][-2:] == ["panel_retry", "panel_error"]
    last = events[-1]
    assert (last["code"], len(last["content"])) == ("reply_too_large", 90_000)
    assert last["segments"][-1]["status"] == "reply_too_large"


def test_a_continuation_that_is_too_large_leaves_the_verdict(colour: Colour, server: ScriptedServer) -> None:
    ended = event({"model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]})
    server.say(
        Script(steps=(Send(chunk(content="x" * 30_000)), Send(ended))), Script(steps=(Flood(call(0, "a", "abcd")),))
    )
    last = ask(colour, server, continue_truncated=1)[-1]
    assert (last["event"], last["status"]) == ("panel_final", "truncated")
    assert len(last["content"]) == 30_000


# --- every way to ask ---

ENDLESS = {
    "text": Script(steps=(Flood(chunk(content="abcd" * 100)),)),
    "arguments": Script(steps=(Send(call(0, "a", "")), Flood(call(0, "", "abcd" * 100)))),
    "calls": Script(steps=(*(Send(call(n, f"i{n}", "{}")) for n in range(60)), Flood(b": ping\n\n"))),
}


@pytest.mark.parametrize("what", ENDLESS)
def test_an_endless_reply_ends_at_the_bound(colour: Colour, server: ScriptedServer, what: str) -> None:
    """And its connection is closed at once."""
    server.say(*[ENDLESS[what]] * 3)
    given = {"config": config("openai_chat", server.url), "max_reply_bytes": 200_000}
    last = colour.panels("openai", "hi", KEY, **given)[-1]
    assert (last["event"], last["code"]) == ("panel_error", "reply_too_large")
    for whole in (colour.texts, colour.query):
        with pytest.raises(msgmodel.StreamingError) as raised:
            whole("openai", "hi", KEY, **given)
        assert (raised.value.code, raised.value.retryable) == ("reply_too_large", False)
        assert raised.value.content == last["content"]
    server.wait_hangup(count=3)


def test_an_endless_reply_to_many(server: ScriptedServer) -> None:
    server.say(*[ENDLESS["text"]] * 2)
    panels = [msgmodel.Panel("openai", api_key=KEY, config=config("openai_chat", server.url)) for _ in range(2)]
    with msgmodel.stream_many(panels, "hi", max_reply_bytes=200_000) as batch:
        (*_, last) = batch
    assert last["event"] == "batch_final"
    assert [panel["code"] for panel in last["panels"]] == ["reply_too_large"] * 2


def test_an_endless_reply_in_a_conversation(server: ScriptedServer) -> None:
    server.say(ENDLESS["text"])
    conversation = msgmodel.Conversation(
        "openai", api_key=KEY, config=config("openai_chat", server.url), max_reply_bytes=200_000
    )
    (*_, last) = conversation.stream_panels("hi")
    assert (last["event"], last["code"]) == ("panel_error", "reply_too_large")
    assert len(last["content"]) < 200_000


@pytest.mark.parametrize("wrong", [0, 1023, -1, True, 1e6, "64", None])
def test_a_bound_that_is_none(colour: Colour, wrong: Any) -> None:
    with pytest.raises(msgmodel.ConfigurationError, match="max_reply_bytes must be a whole number of at least 1024"):
        colour.panels("openai", "hi", KEY, max_reply_bytes=wrong)


# --- one large event ---

LARGE = 4 * MB
"""Large enough for more than `MOST_VALUES` values of each kind."""
VALUES = {
    "lists": b"[]," * (LARGE // 3) + b"0",
    "objects": b'{"a":0},' * (LARGE // 8) + b"0",
    "numbers": b"1000," * (LARGE // 5) + b"0",
    "strings": b'"",' * (LARGE // 3) + b"0",
    "escaped quotes": rb'"\"[[[\\",' * (LARGE // 10) + b"0",
}
AROUND = {
    "openai_chat": b'{"id":"x","model":"m","choices":[{"index":0,"delta":%b}]}',
    "openai_responses": b'{"type":"response.output_item.done","item":%b}',
    "anthropic": b'{"type":"content_block_start","content_block":%b}',
    "gemini": b'{"candidates":[{"content":{"parts":[%b]}}]}',
}


def peak(work: Callable[[], object]) -> int:
    """The memory that it takes at most."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("end", [b"]}", b"]", b'], "b": "\\ud83d"}'], ids=["whole", "broken", "to be mended"])
@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("wire", AROUND)
def test_values_of_one_event(wire: str, values: str, end: bytes) -> None:
    data = b"data: " + AROUND[wire] % (b'{"a": [' + VALUES[values] + end) + b"\n\n"
    found: list[Any] = []
    taken = peak(lambda: found.extend(play(wire, [data[at : at + 65536] for at in range(0, len(data), 65536)])))
    assert taken < 5 * LARGE
    assert (found[-1]["code"], found[-1]["error"]) == ("protocol", "an event has too many values")


LARGE_TEXTS = {
    "base64": b"aGVsbG8=" * (LARGE // 8),
    "what looks like values": b"[{,\\\\," * (LARGE // 7),
    "no UTF-8": b"abcdefg\xff" * (LARGE // 8),
    "half an emoji": b"\\ud83d" + b"a" * LARGE,
}


@pytest.mark.parametrize("text", LARGE_TEXTS)
def test_a_large_text_in_one_event(text: str) -> None:
    data = b"data: " + AROUND["openai_chat"] % (b'{"content": "' + LARGE_TEXTS[text] + b'"}') + b"\n\n"
    found: list[Any] = []
    taken = peak(
        lambda: found.extend(play("openai_chat", [data[at : at + 65536] for at in range(0, len(data), 65536)]))
    )
    assert len(found[-1]["content"]) >= LARGE * 2 // 3
    assert taken < 8 * LARGE  # the text itself takes twice its bytes once there is a U+FFFD in it, and is joined


ONE_LARGE_EVENT = {
    "values that are not read": b'{"choices":[{"delta":{"content":"x"}}],"x":[' + b"[1.5,{}]," * (LARGE // 9) + b"1]}",
    "no JSON in its last byte": b'{"choices":[{"delta":{"content":"' + b"x" * LARGE + b'"}}]]',
    "escapes": b'{"choices":[{"delta":{"content":"' + rb"\"[,\\" * (LARGE // 6) + b'"}}]}]',
    "error": b'{"error": {"message": "' + b"no " * (LARGE // 3) + b'"}}',
}


@pytest.mark.parametrize("what", ONE_LARGE_EVENT)
def test_one_large_event_is_there_twice_at_most(what: str) -> None:
    """As bytes, and as what is made of them: as a line, a copy, or decoded."""
    data = b"data: " + ONE_LARGE_EVENT[what] + b"\n\n"
    begun = exchange("openai_chat", RetryRules(max_retries=0))

    def read() -> None:
        for at in range(0, len(data), 65536):
            if begun.reading:
                assert [*begun.feed(data[at : at + 65536])] == []

    assert peak(read) < 2.8 * LARGE  # msgspec grows a buffer for a string with escapes
    assert begun.terminal_events()[-1]["event"] == "panel_error"


def test_values_are_counted_alike_however_a_text_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step may end within a string, and after a backslash."""
    texts = [
        (rb'["\"[,\\",{"\\\"":[1]}]', 4),
        (rb'"\\",[,"\\\\\","[', 4),
        (b'[[,"' + b"," * 50 + b'",{', 5),
        (b'{"a":"b","a":"b","a":"b"}', 3),
    ]
    for step, (text, values) in itertools.product(range(1, 9), texts):
        monkeypatch.setattr(lenient_json, "_STEP", step)
        monkeypatch.setattr(lenient_json, "MOST_VALUES", values)
        assert lenient_json._has_few_values(text)
        monkeypatch.setattr(lenient_json, "MOST_VALUES", values - 1)
        assert not lenient_json._has_few_values(text)


def test_an_image_of_16_mb_passes() -> None:
    block = {"type": "image", "source": {"type": "base64", "data": "A" * 16 * MB}}
    ended = event({"type": "message_delta", "delta": {"stop_reason": "end_turn"}})
    found = play("anthropic", [start(block), stop(), ended, event({"type": "message_stop"})])
    assert found[-1]["event"] == "panel_final"
    assert found[-1]["message"]["content"][0]["opaque"]["data"] == block


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'["\\ud83d"]', ["�"]),
        (b'["\\ude00\\ud83d\\ude00\\ude00"]', ["�\U0001f600�"]),
        (b'["\\\\ud83d"]', ["\\ud83d"]),
        (b'["\\\\\\ud83d\\\\"]', ["\\�\\"]),
        (b'["a\xffb\xf0\x9f"]', ["a�b�"]),
        ('["\ud83d"]', ["�"]),
        ('["\ud83d\ude00"]', ["\U0001f600"]),
        (b"[123456789012345678901234567890]", [123456789012345678901234567890]),
    ],
)
def test_what_is_mended(data: bytes | str, value: Any) -> None:
    assert lenient_json.load_lenient(data) == value


@pytest.mark.parametrize(
    "data", [b"", b"[", b"[1e999]", b"[NaN]", b'["\0"]', b'["\\ud83d\0"]', b"[1]x", b"\xff", b"[" * 10**5]
)
def test_what_is_no_json(data: bytes) -> None:
    assert lenient_json.parse_or_none(data) is None


# --- a reply that goes on ---


def test_what_came_before_is_not_copied_in_depth() -> None:
    """A continuation keeps what the response before had in two lists of the same pieces."""
    came = ResponseState(ToolCalls(CallIds(()), []))
    for number in range(50_000):
        came.turn.append_words("text", f"{number}")
    assert peak(came.copy) < 50_000 * 12
