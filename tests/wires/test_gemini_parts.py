"""Gemini: media, the provider's own tools, places of sources, ratings and scores; and what goes back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from chat_streams import of_kind

from msgmodel import query, stream_panels
from msgmodel.testing import Script, ScriptedProvider
from pure import play, stream

PNG = "iVBORw0KGgo="


def event(*parts: Any, **candidate: Any) -> Any:
    return {
        "candidates": [{"content": {"parts": list(parts), "role": "model"}, "index": 0, **candidate}],
        "modelVersion": "g",
    }


def played(*events: Any) -> list[Any]:
    return play("gemini", [b"data: %b\n\n" % json.dumps(each).encode() for each in events])


def ended(*events: Any, **candidate: Any) -> list[Any]:
    return played(*events, event(finishReason="STOP", **candidate))


def text(words: str) -> Any:
    return event({"text": words})


def image(data: str = PNG, **part: Any) -> Any:
    return event({"inlineData": {"mimeType": "image/png", "data": data}, **part})


def sent_back(message: Any) -> Any:
    """The parts of the model's turn in the next request."""
    with ScriptedProvider() as provider:
        provider.say("ok")
        for part in message["content"]:
            if "opaque" in part:
                part["opaque"]["host"] = "127.0.0.1"
        asked: Any = [{"role": "user", "content": "hi"}, message]
        query("gemini", "again", messages=asked, config=provider.config("gemini"))
        return provider.requests[-1].json["contents"][1]["parts"]


# --- media ---


def test_an_image_is_shown_kept_and_sent_back() -> None:
    events = ended(text("Here:"), image(thoughtSignature="c2ln"), text("Nice?"))
    (part,) = of_kind(events, "panel_part")
    assert part == {
        "id": "0:part1",
        "kind": "image",
        "media_type": "image/png",
        "size": 8,
        "complete": True,
        "data": PNG,
    }
    last = events[-1]
    assert (last["content"], last["status"], last["untold"]) == ("Here:\n\nNice?", "complete", [])
    assert sent_back(last["message"]) == [
        {"text": "Here:"},
        {"inlineData": {"mimeType": "image/png", "data": PNG}, "thoughtSignature": "c2ln"},
        {"text": "Nice?"},
    ]


def test_a_drafted_image_is_replaced() -> None:
    events = ended(image("AAEC", thought=True), image())
    shown = [(part["id"], part["data"], part["complete"]) for part in of_kind(events, "panel_part")]
    assert shown == [("0:part1", "AAEC", False), ("0:part1", PNG, True)]
    assert [part["data"] for part in events[-1]["message"]["content"]] == [PNG]


def test_pieces_of_audio_are_one_part() -> None:
    pieces = [event({"inlineData": {"mimeType": "audio/L16;rate=24000", "data": data}}) for data in ("AAEC", "AwQF")]
    (part,) = of_kind(ended(*pieces), "panel_part")
    assert (part["kind"], part["data"], part["size"], part["complete"]) == ("audio", "AAECAwQF", 6, True)
    (cut,) = of_kind(played(*pieces), "panel_part")
    assert (cut["data"], cut["complete"]) == ("AAECAwQF", False)


@pytest.mark.parametrize(
    ("media_type", "kind"),
    [("application/pdf", "document"), ("audio/wav", "audio"), ("video/mp4", "video"), ("text/csv", "file")],
)
def test_files_by_address(media_type: str, kind: str) -> None:
    part = {"fileData": {"mimeType": media_type, "fileUri": "https://example.test/f"}}
    last = ended(event(part))[-1]
    (kept,) = last["message"]["content"]
    assert (kept["kind"], kept["url"], kept["media_type"]) == (kind, "https://example.test/f", media_type)
    assert sent_back(last["message"]) == [part]


def test_an_unknown_part_is_named() -> None:
    alone = ended(event({"hologram": {"shape": "cube"}}))[-1]
    assert (alone["untold"], alone["status"]) == (["hologram"], "unknown")
    assert ended(event({"text": "Hi", "partMetadata": {"a": "b"}, "videoMetadata": {"fps": 1}}))[-1]["untold"] == []
    assert ended(text("Hi"), event({"text": "Ho"}, index=1))[-1]["untold"] == ["candidate"]


# --- the provider's own tools ---


def runs(events: list[Any]) -> list[Any]:
    return [(run["id"], run["name"], run["status"], run["input"], run["output"]) for run in
            of_kind(events, "panel_tool_run")]  # fmt: skip


@pytest.mark.parametrize(("outcome", "status"), [("OUTCOME_OK", "done"), ("OUTCOME_FAILED", "failed")])
def test_code(outcome: str, status: str) -> None:
    parts = [
        {"executableCode": {"language": "PYTHON", "code": "print(1)"}},
        {"codeExecutionResult": {"outcome": outcome, "output": "1\n"}},
    ]
    events = ended(text("I compute"), *map(event, parts), text("One."))
    assert runs(events) == [
        ("code1", "code_execution", "started", "print(1)", None),
        ("code1", "code_execution", status, "print(1)", "1\n"),
    ]
    last = events[-1]
    assert last["content"] == "I compute\n\nOne."
    assert sent_back(last["message"]) == [{"text": "I compute"}, *parts, {"text": "One."}]


def test_server_side_tools() -> None:
    parts = [
        {"toolCall": {"id": "t1", "toolType": "SEARCH", "args": {"queries": ["tides"]}}, "thoughtSignature": "c"},
        {"toolResponse": {"id": "t1", "toolType": "SEARCH", "response": {"search_suggestions": "<b>"}}},
    ]
    events = ended(*map(event, parts), text("Twice."))
    assert runs(events) == [
        ("t1", "SEARCH", "started", {"queries": ["tides"]}, None),
        ("t1", "SEARCH", "done", {"queries": ["tides"]}, None),
    ]
    assert sent_back(events[-1]["message"])[:2] == parts


def test_a_call_that_the_provider_ran_is_not_for_the_caller() -> None:
    """Its own MCP client: the call comes with STOP, then the answer, then the text."""
    call = {"functionCall": {"name": "weather", "args": {"city": "Rome"}}}
    answer = {"functionResponse": {"name": "weather", "response": {"result": "sunny"}}}
    events = ended(event(call, finishReason="STOP"), event(answer), text("It is sunny."))
    assert of_kind(events, "panel_tool_call") == []
    assert runs(events) == [("call1", "weather", "done", {"city": "Rome"}, "sunny")]
    last = events[-1]
    assert (last["status"], last["content"], "tool_calls" in last) == ("complete", "It is sunny.", False)
    assert sent_back(last["message"]) == [call, answer, {"text": "It is sunny."}]


def run_by_server(number: int, **fields: Any) -> tuple[Any, Any]:
    """A call, and what the provider's own MCP client got for it."""
    call = {"functionCall": {"name": "weather", "args": {"day": number}, **fields}}
    return call, {"functionResponse": {"name": "weather", "response": {"result": f"sun {number}"}, **fields}}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
@pytest.mark.parametrize("together", [False, True])
def test_parallel_calls_that_the_provider_ran_are_not_for_the_caller(together: bool, order: tuple[int, ...]) -> None:
    """The calls come before all answers, which may come in another order."""
    pairs = [run_by_server(number, id=f"c{number}") for number in range(3)]
    calls, answers = [call for call, _ in pairs], [pairs[number][1] for number in order]
    bodies = [event(*calls), event(*answers)] if together else [*map(event, calls), *map(event, answers)]
    events = ended(text("Let me see."), *bodies, text("Sun."))
    assert of_kind(events, "panel_tool_call") == []
    assert runs(events) == [(f"c{number}", "weather", "done", {"day": number}, f"sun {number}") for number in order]
    last = events[-1]
    assert (last["status"], last["content"]) == ("complete", "Let me see.\n\nSun.")
    assert sent_back(last["message"]) == [{"text": "Let me see."}, *calls, *answers, {"text": "Sun."}]


def test_answers_without_an_id_belong_to_the_calls_in_their_order() -> None:
    pairs = [run_by_server(number) for number in range(2)]
    events = ended(event(pairs[0][0]), event(pairs[1][0]), event(pairs[0][1]), event(pairs[1][1]))
    assert runs(events) == [
        (f"call{number + 1}", "weather", "done", {"day": number}, f"sun {number}") for number in range(2)
    ]
    assert of_kind(events, "panel_tool_call") == []


def test_a_call_that_the_server_did_not_run_is_announced_at_the_end() -> None:
    call, answer = run_by_server(1)
    own = {"functionCall": {"name": "alarm", "args": {}}}
    events = ended(event(call), event(own), event(answer), text("Sun."))
    assert [found["name"] for found in of_kind(events, "panel_tool_call")] == ["alarm"]
    assert (events[-2]["event"], events[-1]["status"]) == ("panel_tool_call", "tool_calls")
    turn = events[-1]["message"]["content"]
    assert [part["type"] for part in turn] == ["opaque", "tool_call", "opaque", "text"]
    assert [turn[0]["opaque"]["data"], turn[2]["opaque"]["data"]] == [call, answer]


def test_a_call_whose_answer_may_be_lost_is_not_executable() -> None:
    """The stream breaks behind two calls: the server may have run both."""
    events = played(event(run_by_server(1)[0]), event(run_by_server(2)[0]))
    assert [found["complete"] for found in of_kind(events, "panel_tool_call")] == [False, False]
    assert events[-1]["code"] == "interrupted"


@pytest.mark.parametrize(("others", "at"), [([], 0), ([{"google_search": {}}], 1)])
def test_a_function_of_the_caller_is_announced_when_it_is_proven(others: list[Any], at: int) -> None:
    """Unless the request has another tool: a server of MCP may have a function with the same name."""
    with ScriptedProvider() as provider:
        provider.say(Script.body(stream(event(run_by_server(1)[0]), text("And now?"), event(finishReason="STOP"))))
        tools = [{"name": "weather", "description": "", "parameters": {"type": "object"}}, *others]
        events = [*stream_panels("gemini", "hi", tools=tools, config=provider.config("gemini"))]
    assert [found["event"] for found in events].index("panel_tool_call") == at
    assert [found["event"] for found in events if found["event"] != "panel_tool_call"] == ["panel_delta", "panel_final"]


def test_a_call_without_an_answer_is_for_the_caller() -> None:
    last = ended(event({"functionCall": {"name": "weather", "args": {"city": "Rome"}}}))[-1]
    assert (last["status"], [call["name"] for call in last["tool_calls"]]) == ("tool_calls", ["weather"])


def test_searches_and_pages() -> None:
    page = {"retrievedUrl": "https://example.test/p", "urlRetrievalStatus": "URL_RETRIEVAL_STATUS_ERROR"}
    events = ended(
        text("Hi"), groundingMetadata={"webSearchQueries": ["tides"]}, urlContextMetadata={"urlMetadata": [page]}
    )
    assert runs(events) == [
        ("url_context", "url_context", "failed", ["https://example.test/p"], None),
        ("google_search", "google_search", "done", ["tides"], None),
    ]
    assert "sources" not in events[-1]


# --- sources ---

SEA, TIDES = ({"web": {"uri": f"https://example.test/{name}", "title": name}} for name in ("sea", "tides"))


def support(start: int, end: int, words: str, *numbers: int) -> Any:
    return {"segment": {"startIndex": start, "endIndex": end, "text": words}, "groundingChunkIndices": list(numbers)}


def placed(last: Any) -> list[Any]:
    return [
        (source["title"], last["content"][source["start"] : source["end"]] if "start" in source else None)
        for source in last["sources"]
    ]


def test_what_gemini_says_of_a_source() -> None:
    """How sure it is of each place, and what is known of a stored file."""
    fields = {"fileSearchStore": "stores/a", "customMetadata": [{"key": "page", "numericValue": 3}]}
    stored = {"retrievedContext": {"title": "sea", "text": "Salt.", **fields}}
    grounding = {
        "groundingChunks": [stored, TIDES],
        "groundingSupports": [
            {**support(0, 4, "Salt", 0, 1), "confidenceScores": [0.5, 0.25]},
            {**support(5, 8, "sea", 1), "confidenceScores": []},
        ],
    }
    events = ended(text("Salt sea"), groundingMetadata=grounding)
    sources = events[-1]["sources"]
    assert [(source["title"], source.get("score"), source.get("metadata")) for source in sources] == [
        ("sea", 0.5, fields),
        ("tides", 0.25, None),
        ("tides", None, None),
    ]
    shown = [{**event, "event": "panel_source", "panel_id": "p"} for event in sources]
    assert [event for event in events if event["event"] == "panel_source"] == shown


@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_places_count_bytes_of_the_visible_text(size: int) -> None:
    words = "Ünï 🌊 sea. And tides."
    pieces = [text(words[at : at + size]) for at in range(0, len(words), size)]
    first, second = len("Ünï 🌊 sea.".encode()), len(words.encode())
    grounding = {
        "groundingChunks": [SEA, TIDES, {"web": {"uri": "https://example.test/more", "title": "more"}}],
        "groundingSupports": [
            {"segment": {"endIndex": first, "text": "Ünï 🌊 sea."}, "groundingChunkIndices": [0, 1]},
            support(first + 1, second, "And tides.", 1),
        ],
    }
    thought = event({"text": "Hm, ünï.", "thought": True})
    last = ended(thought, *pieces, groundingMetadata=grounding)[-1]
    assert placed(last) == [
        ("sea", "Ünï 🌊 sea."),
        ("tides", "Ünï 🌊 sea."),
        ("tides", "And tides."),
        ("more", None),
    ]


def test_places_around_a_blank_line_that_we_drew() -> None:
    grounding = {
        "groundingChunks": [SEA],
        "groundingSupports": [support(0, 3, "Sea", 0), support(3, 8, "Tides", 0), support(0, 8, "SeaTides", 0)],
    }
    last = ended(text("Sea"), image(), text("Tides"), groundingMetadata=grounding)[-1]
    assert last["content"] == "Sea\n\nTides"
    assert placed(last)[:2] == [("sea", "Sea"), ("sea", "Tides")]


def test_a_place_of_other_words_is_left_out() -> None:
    grounding = {"groundingChunks": [SEA], "groundingSupports": [support(0, 3, "Lie", 0), support(2, 99, "", 0)]}
    last = ended(text("Sea"), groundingMetadata=grounding)[-1]
    assert placed(last) == [("sea", None)]


def test_many_places_in_a_long_text() -> None:
    """Each is found from a mark near it. Between the marks stand long pieces and short ones."""
    words = "".join(f"é{number:05} " for number in range(2_000))
    pieces = [text(words[:9_000]), *(text(words[at : at + 3]) for at in range(9_000, len(words), 3))]
    supports = [support(8 * n, 8 * n + 7, f"é{n:05}", 0) for n in (*range(0, 2_000, 7), 3, 1_999)]
    last = ended(*pieces, groundingMetadata={"groundingChunks": [SEA], "groundingSupports": supports})[-1]
    assert [found for _, found in placed(last)] == [each["segment"]["text"] for each in supports]


def test_quoted_works() -> None:
    citations = [
        {"startIndex": 3, "endIndex": 8, "uri": "https://example.test/a", "license": "mit"},
        {"title": "A", "publicationDate": {"year": 2014, "month": 3, "day": 30}, "endIndex": 2},
    ]
    last = ended(text("Ü is quoted"), citationMetadata={"citationSources": citations})[-1]
    assert last["sources"] == [
        {"url": "https://example.test/a", "title": "mit", "text": None, "start": 2, "end": 7},
        {"url": None, "title": "A", "text": None, "date": "2014-03-30", "start": 0, "end": 1},
    ]


# --- ratings and scores ---


def test_details() -> None:
    def rated(probability: str) -> Any:
        return [{"category": "HARM_CATEGORY_HARASSMENT", "probability": probability}]

    chosen = [{"token": "Hi", "logProbability": -0.5, "tokenId": 3}]
    last = ended(
        event({"text": "Hi"}, safetyRatings=rated("NEGLIGIBLE")),
        event({"text": " you"}, safetyRatings=rated("LOW"), avgLogprobs=-0.5),
        event({"text": "."}, safetyRatings=rated("NEGLIGIBLE")),
        logprobsResult={"chosenCandidates": chosen, "topCandidates": [{"candidates": chosen}]},
        finishMessage="Done.",
        groundingMetadata={"searchEntryPoint": {"renderedContent": "<b>more</b>"}},
    )[-1]
    assert last["details"] == {
        "filter_results": {"safetyRatings": rated("LOW")},
        "logprobs": [{**chosen[0], "topCandidates": chosen}],
        "finish_message": "Done.",
        "search_suggestions": "<b>more</b>",
    }
    assert last["content"] == "Hi you."


def test_a_blocked_prompt() -> None:
    feedback = {"blockReason": "SAFETY", "safetyRatings": [{"category": "X", "blocked": True}]}
    last = played({"promptFeedback": feedback})[-1]
    assert (last["status"], last["details"]) == ("filtered", {"filter_results": {"promptFeedback": feedback}})


@pytest.mark.parametrize(
    ("where", "name", "value"),
    [
        ("part", "hologram", {"shape": "cube"}),
        ("part", "inlineData", {"mimeType": "image/png", "data": PNG}),
        ("candidate", "safetyRatings", [{"category": "X", "probability": "LOW"}]),
        ("candidate", "logprobsResult", {"chosenCandidates": [{"token": "x"}]}),
        ("candidate", "finishMessage", "So."),
    ],
)
def test_the_fast_lane_swallows_nothing(where: str, name: str, value: Any) -> None:
    special = text("x")
    candidate = special["candidates"][0]
    {"part": candidate["content"]["parts"][0], "candidate": candidate}[where][name] = value

    def seen(*events: Any) -> Any:
        *shown, last = ended(*events)
        return of_kind(shown, "panel_part"), last["untold"], last.get("details")

    assert seen(*map(text, "abc"), special) == seen(special) != seen(text("x"))
