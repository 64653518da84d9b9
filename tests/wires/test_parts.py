"""What a reply consists of besides text, in the shapes and with the quirks of each wire: whole events."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conftest import KEY, Async, Sync, config
from msgmodel.question.transport import ConnectionBroken
from msgmodel.reply.next_request import RetryRules
from msgmodel.reply.reply_state import ResponseState
from msgmodel.reply.tool_calls import CallIds, ToolCalls
from msgmodel.testing.server import Script, ScriptedServer
from msgmodel.testing.wires import data_event, gemini_event, named_event
from pure import exchange, play


def sse(*payloads: Any) -> list[bytes]:
    return [b"data: %b\n\n" % (p if isinstance(p, bytes) else json.dumps(p).encode()) for p in payloads]


def chat(*deltas: Any, finish: str | None = "stop") -> list[Any]:
    """The events of a chat stream with these deltas."""
    chunks: list[Any] = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    end = [{"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}] if finish else []
    return play("openai_chat", sse(*chunks, *end, b"[DONE]"))


def anthropic(*payloads: Any, reason: str = "end_turn") -> list[Any]:
    end = [{"type": "message_delta", "delta": {"stop_reason": reason}}, {"type": "message_stop"}]
    return play("anthropic", sse(*payloads, *end))


def gemini(*parts: Any, **candidate: Any) -> list[Any]:
    return play(
        "gemini", sse({"candidates": [{"content": {"parts": list(parts)}, "finishReason": "STOP", **candidate}]})
    )


def responses(*payloads: Any, **response: Any) -> list[Any]:
    return play("openai_responses", sse(*payloads, {"type": "response.completed", "response": response}))


def call(id: str, name: str, arguments: str, parsed: Any = None, complete: bool = True) -> dict[str, Any]:
    return {"id": id, "name": name, "arguments": arguments, "arguments_json": parsed, "complete": complete}


def fragment(arguments: Any, id: str | None = None, name: str | None = None, index: int | None = None) -> Any:
    """A piece of a tool call in a chat delta; None stands for a field that is not there."""
    function = {"arguments": arguments} | ({"name": name} if name else {})
    return {"function": function} | ({"id": id} if id else {}) | ({} if index is None else {"index": index})


# --- tool calls ---


@pytest.mark.parametrize(
    ("fragments", "calls"),
    [
        pytest.param(
            [[fragment("", "a", "f", 0)], [fragment('{"x":', None, None, 0)], [fragment("1}", None, None, 0)]],
            [call("a", "f", '{"x":1}', {"x": 1})],
            id="in pieces",
        ),
        pytest.param(
            [
                [fragment("{", "a", "f", 0), fragment("{", "b", "g", 1)],
                [fragment("}", index=1), fragment("}", index=0)],
            ],
            [call("a", "f", "{}", {}), call("b", "g", "{}", {})],
            id="interleaved by index",
        ),
        pytest.param(
            [[fragment("{}", "a", "f")], [fragment("{", "b", "g")], [fragment("}")]],
            [call("a", "f", "{}", {}), call("b", "g", "{}", {})],
            id="without index",
        ),
        pytest.param(
            [[fragment("{}", "a", "f", 0)], [fragment("{}", "b", "g", 0)], [fragment("", "b", "g", 0)]],
            [call("a", "f", "{}", {}), call("b", "g", "{}", {})],
            id="all with index 0",
        ),
        pytest.param(
            [[fragment("", "a", "f", 0)], [fragment("", "b", "g", 0)], [fragment("{}", index=0)]],
            [call("a", "f", "", {}), call("b", "g", "{}", {})],
            id="all with index 0, arguments without id",
        ),
        pytest.param(
            [[fragment("{", "a", "f", 0)], [fragment("}", "a", None, 0)]],
            [call("a", "f", "{}", {})],
            id="id repeated",
        ),
        pytest.param(
            [[fragment({"x": 1}, "a", "f", 0)]], [call("a", "f", '{"x":1}', {"x": 1})], id="arguments as an object"
        ),
        pytest.param([[fragment("null", "a", "f", 0)]], [call("a", "f", "null", {})], id="no arguments as null"),
        pytest.param([[fragment("{x", "a", "f", 0)]], [call("a", "f", "{x", None)], id="arguments that are no JSON"),
        pytest.param([[None, fragment("", "a", "f", 0)]], [call("a", "f", "", {})], id="null among them"),
    ],
)
def test_tool_calls_of_chat(fragments: list[Any], calls: list[Any]) -> None:
    *found, last = chat(*({"tool_calls": fragment} for fragment in fragments), finish="tool_calls")
    assert found == [{"event": "panel_tool_call", "panel_id": "p", **made} for made in calls]
    assert (last["tool_calls"], last["status"]) == (calls, "tool_calls")


def test_the_older_function_call() -> None:
    last = chat({"function_call": {"name": "f", "arguments": "{}"}}, finish="function_call")[-1]
    assert last["tool_calls"] == [call("call_1", "f", "{}", {})]


def test_a_limit_cuts_the_last_call_only() -> None:
    fragments = [fragment("{}", "a", "f", 0), fragment('{"x"', "b", "g", 1)]
    last = chat({"tool_calls": fragments}, finish="length")[-1]
    assert last["tool_calls"] == [call("a", "f", "{}", {}), call("b", "g", '{"x"', None, False)]
    assert last["status"] == "truncated"


def test_a_cut_leaves_no_call_that_looks_executable() -> None:
    found = chat({"tool_calls": [fragment("{}", "a", "f", 0)]}, finish=None)
    assert found[0] == {"event": "panel_tool_call", "panel_id": "p", **call("a", "f", "{}", None, False)}
    assert found[1]["event"] == "panel_error"


def test_tool_calls_of_anthropic() -> None:
    def block(index: int, **fields: Any) -> Any:
        return {"type": "content_block_start", "index": index, "content_block": {"type": "tool_use", **fields}}

    def piece(index: int, json: Any) -> Any:
        delta = {"type": "input_json_delta", "partial_json": json}
        return {"type": "content_block_delta", "index": index, "delta": delta}

    found = anthropic(
        block(0, id="a", name="f", input={}),
        piece(0, ""),
        piece(0, '{"x": 1}'),
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_stop", "index": 0},
        block(1, id="b", name="g", input={"y": 2}),
        {"type": "content_block_stop", "index": 1},
        {"type": "content_block_start", "index": 2, "content_block": {"type": "server_tool_use", "name": "search"}},
        piece(2, '{"query": "x"}'),
        {"type": "content_block_stop", "index": 2},
        reason="tool_use",
    )
    calls = [call("a", "f", '{"x": 1}', {"x": 1}), call("b", "g", '{"y":2}', {"y": 2})]
    started = {"id": "", "name": "search", "status": "started", "input": None, "output": None}
    runs = [{"event": "panel_tool_run", "panel_id": "p", **started, "input": asked} for asked in (None, {"query": "x"})]
    assert found[:-1] == [*({"event": "panel_tool_call", "panel_id": "p", **made} for made in calls), *runs]
    assert found[-1]["tool_calls"] == calls


@pytest.mark.parametrize("index", [0, None])
def test_calls_of_anthropic_without_a_number_of_their_own(index: int | None) -> None:
    def block(id: str) -> list[Any]:
        delta = {"type": "input_json_delta", "partial_json": "{}"}
        return [
            {
                "type": "content_block_start",
                "index": index,
                "content_block": {"type": "tool_use", "id": id, "name": id},
            },
            {"type": "content_block_delta", "index": index, "delta": delta},
            {"type": "content_block_stop", "index": index},
        ]

    last = anthropic(*block("a"), *block("b"), reason="tool_use")[-1]
    assert last["tool_calls"] == [call("a", "a", "{}", {}), call("b", "b", "{}", {})]


def test_arguments_that_come_in_one_event_only() -> None:
    item = {"type": "function_call", "call_id": "a", "name": "f", "arguments": ""}
    done = {"type": "response.function_call_arguments.done", "output_index": 0, "arguments": '{"x": 1}'}
    added, ended = "response.output_item.added", "response.output_item.done"
    found = responses(
        {"type": added, "output_index": 0, "item": item}, done, {"type": ended, "output_index": 0, "item": item}
    )
    assert found[-1]["tool_calls"] == [call("a", "f", '{"x": 1}', {"x": 1})]
    found = responses(output=[item | {"arguments": '{"x": 1}'}, {"type": "reasoning"}, None])
    assert found[-1]["tool_calls"] == [call("a", "f", '{"x": 1}', {"x": 1})]


def test_what_the_terminal_event_of_responses_alone_says() -> None:
    def message(**part: Any) -> list[Any]:
        return [{"type": "message", "content": [part, None]}, {"type": "message", "content": None}]

    last = responses(output=message(type="output_text", text="Hi"))[-1]
    assert (last["content"], last["status"]) == ("Hi", "complete")
    last = responses(output=message(type="refusal", refusal="No."))[-1]
    assert (last["refusal"], last["status"]) == ("No.", "filtered")
    said = {"type": "response.output_text.delta", "delta": "Hi"}
    assert responses(said, output=message(type="output_text", text="Hi"))[-1]["content"] == "Hi"
    last = responses(status="incomplete", incomplete_details={"reason": "max_output_tokens"})[-1]
    assert (last["finish_reason"], last["status"]) == ("max_output_tokens", "truncated")


def test_deltas_that_were_lost_come_with_the_whole() -> None:
    def delta(**fields: Any) -> Any:
        return {"type": "response.output_text.delta", "delta": "Full", **fields}

    def done(**fields: Any) -> Any:
        return {"type": "response.output_text.done", "text": "Full text", **fields}

    place = {"item_id": "i", "output_index": 0, "content_index": 0}
    for first, second in ((place, place), ({"item_id": "i"}, place), ({}, {})):
        assert responses(delta(**first), done(**second))[-1]["content"] == "Full text"
    assert responses(delta(delta="Other"), done())[-1]["content"] == "Other"
    found = responses({"type": "response.refusal.done", "refusal": "No."})
    assert (found[0]["delta"], found[-1]["status"]) == ("No.", "filtered")


def test_tool_calls_of_responses() -> None:
    def item(kind: str, index: int | None, **fields: Any) -> Any:
        return {"type": f"response.output_item.{kind}", "output_index": index, "item": fields}

    found = responses(
        item("added", 0, type="function_call", call_id="a", name="f", arguments=""),
        {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": '{"x"'},
        {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": ": 1}"},
        item("done", 0, type="function_call", call_id="a", name="f", arguments='{"x": 1}'),
        item("done", 1, type="custom_tool_call", id="b", name="g", input="free text"),
        item("done", 2, type="web_search_call", id="c"),
        item("added", None, type="message"),
        model="m",
        id="r",
    )
    calls = [call("a", "f", '{"x": 1}', {"x": 1}), call("b", "g", "free text", None) | {"kind": "custom"}]
    assert found[-1]["tool_calls"] == calls
    assert (found[-1]["status"], found[-1]["model"], found[-1]["request_id"]) == ("tool_calls", "m", "r")


def test_tool_calls_of_gemini() -> None:
    last = gemini({"functionCall": {"name": "f", "args": {"x": 1}}}, {"functionCall": {"id": "b", "name": "g"}})[-1]
    assert last["tool_calls"] == [call("call_1", "f", '{"x":1}', {"x": 1}), call("b", "g", "{}", {})]
    assert (last["finish_reason"], last["status"]) == ("STOP", "tool_calls")


def test_streamed_arguments_of_gemini() -> None:
    def pieces(*pieces: Any, more: bool = True) -> Any:
        return {"functionCall": {"partialArgs": list(pieces), "willContinue": more}}

    last = gemini(
        {"functionCall": {"name": "f", "willContinue": True}},
        pieces({"jsonPath": "$.who", "stringValue": "A", "willContinue": True}),
        pieces({"jsonPath": "$.who", "stringValue": "da"}, {"jsonPath": "$.list[0].n", "numberValue": 1}),
        pieces({"jsonPath": "$.list[1].ok", "boolValue": True}, {"jsonPath": "$.none", "nullValue": "NULL_VALUE"}),
        pieces({"jsonPath": "$.who.deeper", "stringValue": "lost"}, {"stringValue": "no path"}, {"jsonPath": "$.x"}),
        {"functionCall": {}},
    )[-1]
    (made,) = last["tool_calls"]
    assert made["arguments_json"] == {"who": "Ada", "list": [{"n": 1}, {"ok": True}], "none": None, "": "no path"}


# --- reasoning, refusal, sources ---


def test_reasoning() -> None:
    expected = [{"event": "panel_reasoning", "panel_id": "p", "delta": "Hm."}]
    thought = [{"type": "thinking", "thinking": [{"type": "text", "text": "H"}, {"type": "text", "text": "m."}]}]
    found = {
        "reasoning_content": chat({"reasoning_content": "Hm.", "reasoning": "Hm."}),
        "reasoning": chat({"reasoning": "Hm."}),
        "a list": chat({"content": thought}, {"content": [{"type": "thinking", "thinking": []}]}),
        "thinking": anthropic(
            {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "H"}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "m."}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": None}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "s"}},
        ),
        "thought": gemini({"text": "Hm.", "thought": True}),
        "summary": responses({"type": "response.reasoning_summary_text.delta", "delta": "Hm."}),
        "raw": responses({"type": "response.reasoning_text.delta", "delta": "Hm."}),
    }
    for name, (*events, last) in found.items():
        assert "".join(event["delta"] for event in events) == "Hm.", name
        assert {event["event"] for event in events} == {"panel_reasoning"}, name
        assert (last["reasoning"], last["content"], last["status"]) == ("Hm.", "", "complete"), name
    assert found["thought"][:-1] == expected


def test_refusals_are_not_the_text_and_not_complete() -> None:
    found = {
        "chat": chat({"refusal": "No."}),
        "responses": responses({"type": "response.refusal.delta", "delta": "No."}),
        "anthropic": play(
            "anthropic",
            sse(
                {"type": "message_delta", "delta": {"stop_reason": "refusal", "stop_details": {"explanation": "No."}}},
                {"type": "message_stop"},
            ),
        ),
    }
    for name, (event, last) in found.items():
        assert event == {"event": "panel_refusal", "panel_id": "p", "delta": "No."}, name
        assert (last["refusal"], last["content"], last["status"]) == ("No.", "", "filtered"), name


def cited_item(url: str, title: str) -> dict[str, Any]:
    annotations = [{"type": "url_citation", "url": url, "title": title}, {"type": "file_citation", "file_id": "f"}]
    content = [{"type": "output_text", "text": "", "annotations": annotations}, {"type": "output_text"}]
    return {"type": "message", "content": content}


def source(url: str | None, title: str | None = None, text: str | None = None) -> dict[str, Any]:
    return {"url": url, "title": title, "text": text}


def test_sources() -> None:
    cited = {"type": "url_citation", "url_citation": {"url": "https://a", "title": "A"}}
    grounding = {"groundingChunks": [{"web": {"uri": "https://a", "title": "A"}}, {"maps": {}}]}
    annotation = {"type": "response.output_text.annotation.added"}
    found = {
        "annotations": (chat({"annotations": [cited, cited, "junk"]}), [source("https://a", "A")]),
        "citations": (
            play("openai_chat", sse(*[{"citations": ["https://a", 5], "choices": []}] * 2)),
            [source("https://a")],
        ),
        "growing citations": (
            play(
                "openai_chat",
                sse(
                    {"citations": ["https://a"], "choices": []},
                    {"citations": ["https://a", {"url": "https://b", "title": "B"}], "choices": []},
                ),
            ),
            [source("https://a"), source("https://b", "B")],
        ),
        "search results": (
            play(
                "openai_chat",
                sse({"citations": ["https://a"], "search_results": [{"url": "https://a", "title": "A"}]}),
            ),
            [source("https://a", "A")],
        ),
        "odd citations": (play("openai_chat", sse({"citations": "https://a"})), [source("https://a")]),
        "no citations": (play("openai_chat", sse({"citations": 5, "search_results": {}})), []),
        "flat annotations": (
            chat({"annotations": [{"type": "url_citation", "url": "https://a", "title": "A"}]}),
            [source("https://a", "A")],
        ),
        "grounding": (gemini(groundingMetadata=grounding), [source("https://a", "A")]),
        "citation metadata": (
            gemini(citationMetadata={"citationSources": [{"uri": "https://a"}]}),
            [source("https://a")],
        ),
        "responses": (
            responses(
                annotation | {"annotation": {"url": "https://a", "title": "A"}},
                annotation | {"annotation": {"filename": "a.pdf"}},
                annotation | {"annotation": None},
            ),
            [source("https://a", "A"), source(None, "a.pdf")],
        ),
        "responses, in the item": (
            responses(
                {"type": "response.output_text.delta", "output_index": 0, "delta": ""},
                {"type": "response.output_item.done", "output_index": 0, "item": cited_item("https://a", "A")},
            ),
            [source("https://a", "A")],
        ),
        "responses, at the end": (responses(output=[cited_item("https://a", "A")]), [source("https://a", "A")]),
        "anthropic, a result of the caller's search": (
            anthropic(
                {
                    "type": "content_block_delta",
                    "delta": {
                        "type": "citations_delta",
                        "citation": {"type": "search_result_location", "source": "https://a", "title": "A"},
                    },
                }
            ),
            [source("https://a", "A")],
        ),
        "anthropic": (
            anthropic(
                {
                    "type": "content_block_delta",
                    "delta": {
                        "type": "citations_delta",
                        "citation": {"document_title": "D", "cited_text": "words", "url": None},
                    },
                }
            ),
            [source(None, "D", "words")],
        ),
    }
    for name, ((*events, last), sources) in found.items():
        assert events == [{"event": "panel_source", "panel_id": "p", **made} for made in sources], name
        assert last.get("sources", []) == sources, name


# --- text in odd places ---


def test_text_in_odd_places() -> None:
    said = {"delta": {"content": "Hi"}}
    found = {
        "list": chat({"content": ["H", {"type": "text", "text": "i"}, {"type": "reference"}, {"type": "text"}]}),
        "older API": play("openai_chat", sse({"choices": [{"text": "Hi", "finish_reason": "stop"}]})),
        "twice": play("openai_chat", sse({"choices": [{"text": "Hi", **said, "finish_reason": "stop"}]})),
        "block start": anthropic({"type": "content_block_start", "content_block": {"type": "text", "text": "Hi"}}),
        "done only": responses({"type": "response.output_text.done", "text": "Hi"}),
        "done too": responses(
            {"type": "response.output_text.delta", "delta": "Hi"}, {"type": "response.output_text.done", "text": "Hi"}
        ),
        "padded": play("openai_chat", [b"data:   \n\n", *sse({"choices": [{**said, "finish_reason": 1}]})]),
    }
    for name, events in found.items():
        assert events[-1]["event"] == "panel_final", name
        assert events[-1]["content"] == "Hi", name
    assert found["padded"][-1]["finish_reason"] == "1"


@pytest.mark.parametrize("wire", ["openai_responses", "anthropic"])
def test_done_means_nothing_where_the_wire_has_no_such_word(wire: str) -> None:
    assert play(wire, sse(b"[DONE]", b""))[-1]["code"] == "interrupted"


def test_the_first_candidate_is_shown() -> None:
    """And not the one that speaks first."""
    other = {"candidates": [{"index": 1, "content": {"parts": [{"text": "no"}]}}]}
    one = {"candidates": [{"index": 0, "content": {"parts": [{"text": "Hi"}]}, "finishReason": "STOP"}]}
    cut = {"candidates": [{"index": 1, "finishReason": "MAX_TOKENS"}]}
    assert play("gemini", sse(other, one, cut))[-1]["content"] == "Hi"


def test_what_is_odd_in_one_field_costs_the_others_nothing() -> None:
    for odd in (
        {"reasoning_content": 5},
        {"reasoning_content": {"a": 1}},
        {"content": False},
        {"refusal": []},
        {"tool_calls": 5},
        {"tool_calls": [5, {"index": "x", "function": 5}]},
        {"function_call": "x"},
        {"annotations": "x"},
    ):
        last = chat(odd, {"content": "Hi"})[-1]
        assert (last["event"], last["content"], last["status"]) == ("panel_final", "Hi", "complete"), odd
    last = play("openai_chat", sse({"choices": 5}, {"choices": [5]}, {"choices": [{"index": {}, "delta": []}]}))[-1]
    assert last["code"] == "interrupted"
    assert chat({"reasoning_content": [{"type": "text", "text": "H"}, "m."]})[-1]["reasoning"] == "Hm."
    assert chat({"content": {"type": "text", "text": "Hi"}})[-1]["content"] == "Hi"
    made = {"index": "0", "id": "a", "function": {"name": "f", "arguments": "{}"}}
    assert chat({"tool_calls": made}, finish="tool_calls")[-1]["tool_calls"] == [call("a", "f", "{}", {})]


def test_a_whole_message_in_the_place_of_a_delta() -> None:
    made = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": "Hi", "tool_calls": [made]}
    chunk = {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    last = play("openai_chat", sse(chunk, b"[DONE]"))[-1]
    assert (last["content"], last["tool_calls"]) == ("Hi", [call("a", "f", "{}", {})])
    begun = {"choices": [{"index": 0, "delta": {"content": "Hi"}}]}
    assert play("openai_chat", sse(begun, chunk, b"[DONE]"))[-1]["content"] == "Hi"  # some say it all once more


@pytest.mark.parametrize(
    ("reasons", "held"),
    [
        (["length", "stop"], "length"),
        (["tool_calls", "stop"], "tool_calls"),
        (["stop", "length"], "length"),
        (["stop", "what"], "stop"),
        (["load", "stop"], "stop"),
        (["stop", None], "stop"),
    ],
)
def test_which_of_two_finish_reasons_holds(reasons: list[str | None], held: str) -> None:
    chunks = [{"choices": [{"delta": {"content": "Hi"}, "finish_reason": reason}]} for reason in reasons]
    assert play("openai_chat", sse(*chunks, b"[DONE]"))[-1]["finish_reason"] == held


def test_no_finish_reason_takes_gemini_s_away() -> None:
    ends = [{"candidates": [{"finishReason": reason}]} for reason in ("STOP", "FINISH_REASON_UNSPECIFIED")]
    assert play("gemini", sse(*ends))[-1]["status"] == "complete"


def test_text_beside_an_error_is_kept() -> None:
    last = play("openai_chat", sse({"choices": [{"delta": {"content": "Hi"}}], "error": {"message": "no"}}))[-1]
    assert (last["event"], last["content"]) == ("panel_error", "Hi")


def test_continuations_have_an_end() -> None:
    more = {"content": {"parts": [{"text": "x"}]}, "finishReason": "CONTINUATION", "continuationToken": "t"}
    begun = exchange("gemini")
    while begun.reading:
        list(begun.feed(sse({"candidates": [more]})[0]))
        list(begun.feed(b""))
        if begun.next_request() is not None:
            begun.response_started(200, {})
    (error,) = begun.terminal_events()
    assert (error["code"], error["content"], error["timing"]["attempts"]) == ("interrupted", "x" * 101, 101)


# --- errors in the stream, usage ---


@pytest.mark.parametrize(
    ("wire", "payload", "code"),
    [
        ("openai_chat", {"error": {"message": "no", "code": "429"}}, "rate_limit"),
        ("openai_chat", {"object": "error", "message": "too long: context length", "code": 400}, "context_length"),
        ("openai_chat", {"x_groq": {"error": "over capacity"}}, "server"),
        ("openai_chat", {"error": {"error": {"message": "no", "type": "rate_limit_error"}}}, "rate_limit"),
        ("openai_chat", {"error": [{"message": "no", "code": 429}]}, "rate_limit"),
        ("openai_chat", {"errors": [{"message": "no", "code": 429}]}, "rate_limit"),
        ("openai_chat", {"error": '{"message": "no", "code": 429}'}, "rate_limit"),
        ("openai_chat", {"error": "{no JSON"}, "server"),
        ("openai_chat", {"error": [[[[[[{"message": "deep", "code": 429}]]]]]]}, "server"),
        ("openai_chat", {"error": {"message": {"text": "context length exceeded"}}}, "context_length"),
        ("openai_chat", {"type": "error", "message": "no", "code": 503}, "overloaded"),
        ("openai_chat", {"detail": "rate limit"}, "rate_limit"),
        ("openai_chat", {"detail": [{"msg": "maximum context length"}]}, "context_length"),
        ("openai_chat", {"code": 503, "message": "no"}, "overloaded"),
        ("openai_chat", {"choices": [{"delta": {}, "error": {"code": 503}, "finish_reason": "error"}]}, "overloaded"),
        ("gemini", [{"error": {"code": 503, "status": "UNAVAILABLE"}}], "overloaded"),
        ("gemini", [{"candidates": []}], "protocol"),
        ("gemini", b"{", "protocol"),
        ("openai_responses", {"type": "error", "code": "rate_limit_exceeded", "message": "slow"}, "rate_limit"),
        ("openai_responses", {"type": "response.failed", "response": {"error": {"code": "server_error"}}}, "server"),
        ("openai_responses", {"type": "response.failed"}, "server"),
        ("openai_responses", {"sequence_number": 1}, "protocol"),
        ("anthropic", {"type": "error", "error": {"type": "overloaded_error"}}, "overloaded"),
        ("anthropic", {"error": {"message": "no"}}, "server"),
        ("anthropic", {"index": 1}, "protocol"),
        ("gemini", {"error": {"code": 503, "status": "UNAVAILABLE", "message": "busy"}}, "overloaded"),
    ],
)
def test_errors_in_the_stream(wire: str, payload: Any, code: str) -> None:
    (error,) = play(wire, sse(payload))
    assert (error["event"], error["code"]) == ("panel_error", code)
    if wire == "openai_chat":  # what comes after a good ending is an error even so
        end = {"choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}]}
        assert play(wire, sse(end, payload, b"[DONE]"))[-1]["code"] == code


def test_usage_of_every_wire() -> None:
    def usage(input: int, output: int, **more: Any) -> dict[str, Any]:
        rest = {"reasoning_tokens": None, "cached_tokens": None, "cache_write_tokens": None}
        return {"input_tokens": input, "output_tokens": output, **rest, "source": "provider", **more}

    def chat_usage(**fields: Any) -> Any:
        return play("openai_chat", sse({"choices": [{"delta": {}, "finish_reason": "stop"}]}, fields))[-1]["usage"]

    base = {"prompt_tokens": 5, "completion_tokens": 7}
    assert chat_usage(usage=base) == usage(5, 7)
    assert chat_usage(x_groq={"usage": base}) == usage(5, 7)
    assert chat_usage(usage=base | {"prompt_cache_hit_tokens": 2}) == usage(5, 7, cached_tokens=2)
    details = {"prompt_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 2}}
    outputs = {"completion_tokens_details": {"reasoning_tokens": 3}}
    assert chat_usage(usage=base | details | outputs) == usage(
        5, 7, cached_tokens=1, cache_write_tokens=2, reasoning_tokens=3
    )
    counted = {"input_tokens": 5, "output_tokens": 7, "output_tokens_details": {"reasoning_tokens": 3}}
    assert responses(usage=counted)[-1]["usage"] == usage(5, 7, reasoning_tokens=3)
    start = {"input_tokens": 1, "cache_read_input_tokens": 2, "cache_creation_input_tokens": 3, "output_tokens": 1}
    last = anthropic(
        {"type": "message_start", "message": {"model": "m", "id": "i", "usage": start}},
        {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 7, "input_tokens": None}},
    )[-1]
    assert last["usage"] == usage(6, 7, cached_tokens=2, cache_write_tokens=3)
    metadata = {"promptTokenCount": 4, "toolUsePromptTokenCount": 1, "candidatesTokenCount": 5, "thoughtsTokenCount": 2}
    (final,) = play("gemini", sse({"candidates": [{"finishReason": "STOP"}], "usageMetadata": metadata}))
    assert final["usage"] == usage(5, 7, reasoning_tokens=2)
    (final,) = play("gemini", sse({"candidates": [{"finishReason": "STOP"}], "usageMetadata": {"totalTokenCount": 1}}))
    assert final["usage"] == usage(1, 0, source="estimated")


def test_what_is_no_text_is_not_streamed_as_text(colour: Sync | Async, server: ScriptedServer) -> None:
    deltas = [{"reasoning_content": "Hm."}, {"content": "Hi"}, {"tool_calls": [fragment("{}", "a", "f", 0)]}]
    end = {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}
    server.say(Script.body(b"".join(sse(*({"choices": [{"delta": delta}]} for delta in deltas), end, b"[DONE]"))))
    assert colour.texts("openai", "hi", KEY, config=config("openai_chat", server.url)) == ["Hi"]
    reply = colour.query("openai", "hi", KEY, config=config("openai_chat", server.url))
    assert (reply.text, reply.reasoning, reply.status) == ("Hi", "Hm.", "tool_calls")
    assert reply.tool_calls == (call("a", "f", "{}", {}),)
    assert reply.raw_response["content"] == "Hi"
    assert (str(reply), "Hi" in repr(reply), "Hm." in repr(reply)) == ("Hi", False, False)


def test_a_fault_after_the_verdict_changes_nothing() -> None:
    begun = exchange("openai_chat")
    list(begun.feed(b"".join(sse({"choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}]}, b"[DONE]"))))
    begun.connection_broken(ConnectionBroken("network", "too late"))
    (final,) = begun.terminal_events()
    assert final["event"] == "panel_final"


# --- what goes back to the provider that made it ---


def test_openrouter_s_details_go_back_in_their_order_with_pieces_joined() -> None:
    def detail(**fields: Any) -> dict[str, Any]:
        return {"type": "reasoning.text", "index": 0, **fields}

    *_, last = chat(
        {"reasoning": "Let ", "reasoning_details": [detail(text="Let ")]},
        {"reasoning": "me.", "reasoning_details": [detail(text="me.")]},
        {"reasoning_details": [detail(signature="s"), {"type": "reasoning.encrypted", "data": "e"}]},
        {"content": "Yes."},
    )
    thought, said = last["message"]["content"]
    assert (thought["type"], thought["text"], said["text"]) == ("reasoning", "Let me.", "Yes.")
    assert thought["opaque"]["data"] == {
        "reasoning_details": [detail(text="Let me.", signature="s"), {"type": "reasoning.encrypted", "data": "e"}]
    }


def test_gemini_s_signature_in_its_openai_dialect() -> None:
    sealed = {"google": {"thought_signature": "s"}}
    *_, last = chat({"tool_calls": [fragment("{}", "a", "f", 0) | {"extra_content": sealed}]}, finish="tool_calls")
    (part,) = last["message"]["content"]
    assert part["opaque"]["data"] == {"extra_content": sealed}


def test_mistral_s_content_is_a_list_of_parts() -> None:
    *events, last = chat(
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}]},
        {"content": [{"type": "text", "text": "Yes."}]},
    )
    assert [(event["event"], event["delta"]) for event in events] == [
        ("panel_reasoning", "Hm."),
        ("panel_delta", "Yes."),
    ]
    assert (last["reasoning"], last["content"]) == ("Hm.", "Yes.")


def test_blocks_of_gemini_s_own_tools_and_pages_that_it_read() -> None:
    code = {"executableCode": {"language": "PYTHON", "code": "1+1"}}
    pages = [
        {"retrievedUrl": "https://a", "urlRetrievalStatus": "URL_RETRIEVAL_STATUS_SUCCESS"},
        {"retrievedUrl": "https://b", "urlRetrievalStatus": "URL_RETRIEVAL_STATUS_ERROR"},
    ]
    *events, last = gemini(code, {"text": "Two."}, urlContextMetadata={"urlMetadata": pages})
    assert [event["url"] for event in events if event["event"] == "panel_source"] == ["https://a"]
    assert last["message"]["content"][0]["opaque"]["data"] == code


def test_input_of_anthropic_s_own_tool_that_is_no_json() -> None:
    block = {"type": "server_tool_use", "id": "s", "name": "search", "input": {}}
    piece = {"type": "input_json_delta", "partial_json": '{"query'}
    last = anthropic(
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": piece},
        {"type": "content_block_stop", "index": 0},
    )[-1]
    assert last["message"]["content"][0]["opaque"]["data"] == block


def test_reasoning_that_is_counted_beside_the_completion() -> None:
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 35,
        "completion_tokens_details": {"reasoning_tokens": 20},
        "num_cached_tokens": 4,
        "cache_creation_input_tokens": 3,
    }
    chunk = {"choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}], "usage": usage}
    *_, last = play("openai_chat", sse(chunk, b"[DONE]"))
    assert last["usage"] == {
        "input_tokens": 10,
        "output_tokens": 25,
        "reasoning_tokens": 20,
        "cached_tokens": 4,
        "cache_write_tokens": 3,
        "source": "provider",
    }


# --- ends that contradict themselves ---


def said_by_gemini(text: str, reason: str | None = None) -> bytes:
    candidate: dict[str, Any] = {"content": {"parts": [{"text": text}] if text else [], "role": "model"}, "index": 0}
    return gemini_event({"candidates": [candidate | ({"finishReason": reason} if reason else {})]})


RESET = ConnectionBroken("interrupted", "reset")


@pytest.mark.parametrize(
    ("body", "end", "ending"),
    [
        (said_by_gemini("a") + said_by_gemini("b", "STOP"), RESET, "complete"),  # what came last says that it is all
        (said_by_gemini("", "STOP") + said_by_gemini("a") + said_by_gemini("b"), b"", "interrupted"),
        (said_by_gemini("", "STOP") + said_by_gemini("a") + said_by_gemini("b"), RESET, "interrupted"),
        (said_by_gemini("", "STOP") + said_by_gemini("a") + said_by_gemini("", "STOP"), b"", "complete"),
        (
            said_by_gemini("a", "STOP") + said_by_gemini("b", "STOP"),
            b"",
            "complete",
        ),  # some servers say it in every event
        (said_by_gemini("a", "STOP") + said_by_gemini("b", "STOP"), RESET, "interrupted"),
        (said_by_gemini("a", "MAX_TOKENS") + said_by_gemini("b"), b"", "truncated"),
        (said_by_gemini("a", "STOP") + said_by_gemini("bcd")[:-40], b"", "interrupted"),
        (said_by_gemini("a", "STOP") + said_by_gemini("bcd")[:-40], RESET, "interrupted"),
    ],
)
def test_gemini_text_after_a_finish_reason(body: bytes, end: bytes | ConnectionBroken, ending: str) -> None:
    *rest, last = play("gemini", [body], end)
    assert last.get("status", last.get("code")) == ending
    assert last["content"] == "".join(event["delta"] for event in rest)


def test_gemini_half_an_event_after_a_checkpoint() -> None:
    """It comes again with what follows the checkpoint."""
    candidate = {"content": {"parts": [{"text": "a"}]}, "finishReason": "CONTINUATION", "continuationToken": "t"}
    asked = exchange("gemini")
    list(asked.feed(gemini_event({"candidates": [candidate]}) + said_by_gemini("bcd")[:-40]))
    assert list(asked.feed(b"")) == []
    assert asked.next_request() is not None


def said_in_chat(delta: dict[str, Any], reason: str | None = None) -> bytes:
    return data_event({"id": "1", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})


@pytest.mark.parametrize(
    ("body", "ending"),
    [
        (said_in_chat({"content": "a"}, "stop"), "complete"),
        (said_in_chat({}, "stop") + said_in_chat({"content": "a"}), "interrupted"),
        (
            said_in_chat({"content": "x"}) + said_in_chat({"content": "a"}, "stop") + said_in_chat({"content": "b"}),
            "interrupted",
        ),
        (said_in_chat({}, "stop") + said_in_chat({"content": "a"}) + b"data: [DONE]\n\n", "complete"),
        (said_in_chat({"content": "a"}, "stop") + said_in_chat({"content": "bcd"})[:-50], "interrupted"),
        (said_in_chat({"content": "a"}, "stop") + b"data: [DO", "complete"),
    ],
)
def test_chat_text_after_a_finish_reason(body: bytes, ending: str) -> None:
    *rest, last = play("openai_chat", [body])
    assert last.get("status", last.get("code")) == ending
    assert last["content"] == "".join(event["delta"] for event in rest)


@pytest.mark.parametrize(
    ("said", "ending"),
    [
        ({"status": "completed"}, "complete"),
        ({"status": "in_progress"}, "complete"),  # a copy of the response as it was before
        ({"status": "failed", "error": {"code": "server_error", "message": "boom"}}, "server"),
        ({"status": "completed", "error": {"code": "server_error", "message": "boom"}}, "server"),
        ({"status": "cancelled"}, "truncated"),
        ({"status": "incomplete"}, "truncated"),
        ({"status": "completed", "incomplete_details": {"reason": "max_output_tokens"}}, "truncated"),
        ({"status": "completed", "incomplete_details": {"reason": "content_filter"}}, "filtered"),
    ],
)
def test_what_a_completed_response_says_of_itself(said: dict[str, Any], ending: str) -> None:
    begun = {"type": "response.created", "response": {"id": "1", "model": "m"}}
    text = {"type": "response.output_text.delta", "item_id": "i", "output_index": 0, "content_index": 0, "delta": "a"}
    whole = {"type": "response.completed", "response": {"id": "1", "model": "m", "output": [], **said}}
    last = play("openai_responses", [b"".join(map(named_event, (begun, text, whole)))])[-1]
    assert (last.get("status", last.get("code")), last["content"]) == (ending, "a")


# --- JSON that is nested deeply ---


def nested(levels: int) -> Any:
    found: Any = "x"
    for _ in range(levels):
        found = {"a": found}
    return found


def test_arguments_that_are_nested_too_deeply() -> None:
    call = {"functionCall": {"name": "f", "args": "HERE"}}
    event = gemini_event({"candidates": [{"content": {"parts": [call]}, "finishReason": "STOP"}]})
    deep = b'{"a":' * 100_000 + b"1" + b"}" * 100_000  # too deep for each Python: 3.12 has another limit than 3.11
    last = play("gemini", [said_by_gemini("a") + event.replace(b'"HERE"', deep)])[-1]
    assert (last["event"], last["code"], last["content"]) == ("panel_error", "protocol", "a")


def test_what_is_kept_for_the_provider_may_be_nested_deeply() -> None:
    """It is not looked into where a response goes on in another."""
    came = ResponseState(ToolCalls(CallIds(()), []))
    came.turn.append_words("text", "a")
    came.turn.attach_opaque("text", {"provider": "p", "wire": "w", "host": "h", "data": nested(900)})
    copy = came.copy()
    copy.turn.append_words("text", "b")
    assert [len(each.turn.message("", partial=False)["content"]) for each in (came, copy)] == [1, 2]


# --- what is held back as a possible repetition ---


def test_what_was_held_back_is_not_lost_by_a_cancellation() -> None:
    asked = exchange("openai_chat", RetryRules(max_retries=0, continue_truncated=1))
    list(
        asked.feed(said_in_chat({"content": "The quick brown fox"}) + said_in_chat({}, "length") + b"data: [DONE]\n\n")
    )
    assert asked.next_request() is not None
    asked.response_started(200, {})
    assert list(asked.feed(said_in_chat({"content": "The quick"}))) == []
    asked.cancel()
    assert [(event["event"], event.get("delta", event.get("content"))) for event in asked.terminal_events()] == [
        ("panel_delta", "The quick"),
        ("panel_error", "The quick brown foxThe quick"),
    ]
