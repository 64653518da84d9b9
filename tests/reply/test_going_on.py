"""Continuation, resumption, fallback, and the clocks: what is asked again, of whom, and what comes of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import aclosing, closing
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import msgmodel
from conftest import Async, Sync
from msgmodel import ConfigurationError
from msgmodel.reply.repetition import GO_ON, RepetitionFilter
from msgmodel.testing import Pause, Repeat, Reply, Script, ScriptedProvider, Send, Stall
from msgmodel.testing.wires import (
    CONTINUATION_TOKEN,
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    TRUNCATED_FINISH,
    WIRES,
    Wire,
    events,
)

NAME = {"openai_chat": "openai", "openai_responses": "openai", "anthropic": "anthropic", "gemini": "gemini"}
WHOLE = "Once upon a time there was a small fox, and it was the quickest of them all."


@pytest.fixture
def other() -> Iterator[ScriptedProvider]:
    with ScriptedProvider() as running:
        yield running


def ask(colour: Sync | Async, provider: ScriptedProvider, wire: str, **options: Any) -> list[Any]:
    options = {"max_retries": 0, "timeout": 5, "panel_id": "p"} | options
    found = colour.panels(NAME[wire], "A story", config=provider.config(wire), **options)
    assert "".join(event["delta"] for event in found if event["event"] == "panel_delta") == found[-1]["content"]
    assert [event["event"] in ("panel_final", "panel_error") for event in found] == [False] * (len(found) - 1) + [True]
    return found


# --- continuation ---


@pytest.mark.parametrize("wire", WIRES)
def test_a_truncated_reply_goes_on(colour: Sync | Async, provider: ScriptedProvider, wire: Wire) -> None:
    """Twice, each time with an overlap: the joined text is exact, and each segment is listed."""
    provider.say(
        Reply("Once upon a time there was a sm", truncated=True),
        Reply("there was a small fox, and it was the quick", truncated=True),
        Reply("quickest of them all."),
    )
    last = ask(colour, provider, wire, continue_truncated=3)[-1]
    assert (last["status"], last["content"], last["timing"]["attempts"]) == ("complete", WHOLE, 3)
    listed = [(seg["characters"], seg["overlap"], seg["status"], seg["finish_reason"]) for seg in last["segments"]]
    end = {"openai_chat": "stop", "openai_responses": "completed", "anthropic": "end_turn", "gemini": "STOP"}[wire]
    assert listed == [
        (31, 0, "truncated", TRUNCATED_FINISH[wire]),
        (29, 14, "truncated", TRUNCATED_FINISH[wire]),
        (16, 5, "complete", end),
    ]
    assert last["usage"]["output_tokens"] == 3 * OUTPUT_TOKENS
    assert last["usage"]["input_tokens"] == 3 * INPUT_TOKENS
    assert said_last(provider, wire) == ("Once upon a time there was a small fox, and it was the quick", GO_ON)


def said_last(provider: ScriptedProvider, wire: Wire) -> tuple[str, str]:
    """The texts of the last two turns that were sent."""
    body = provider.requests[-1].json
    turns = body.get("messages") or body.get("input") or body["contents"]
    return text_of(turns[-2]), text_of(turns[-1])


def text_of(turn: Any) -> str:
    content = turn.get("content", turn.get("parts"))
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


@pytest.mark.parametrize("wire", WIRES)
def test_off_by_default_and_bounded(shared_colour: Sync | Async, provider: ScriptedProvider, wire: Wire) -> None:
    provider.say(Reply("Once upon", truncated=True))
    last = ask(shared_colour, provider, wire)[-1]
    assert (last["status"], last["content"], "segments" in last) == ("truncated", "Once upon", False)
    provider.say(Reply("one", truncated=True), Reply(" two", truncated=True), Reply(" three", truncated=True))
    last = ask(shared_colour, provider, wire, continue_truncated=2)[-1]
    assert (last["status"], last["content"], len(last["segments"])) == ("truncated", "one two three", 3)


@pytest.mark.parametrize("wire", WIRES)
def test_what_can_not_be_continued(shared_colour: Sync | Async, provider: ScriptedProvider, wire: Wire) -> None:
    """Reasoning that took all the tokens, a call that was cut, a full context: asking on would not help."""
    provider.say(Reply("", reasoning="Let me think", truncated=True))
    last = ask(shared_colour, provider, wire, continue_truncated=2)[-1]
    assert (last["status"], last["truncated_in"], len(provider.requests)) == ("truncated", "reasoning", 1)
    provider.say(Reply("Let me", tool_calls=[{"name": "f", "arguments": {"a": 1}}], truncated=True))
    last = ask(shared_colour, provider, wire, continue_truncated=2)[-1]
    assert (last["status"], last["truncated_in"], len(provider.requests)) == ("truncated", "tool_call", 2)
    full = {"openai_chat": "model_length", "anthropic": "model_context_window_exceeded"}.get(wire)
    if full:
        provider.say(Reply("Let me", finish=full))
        assert ask(shared_colour, provider, wire, continue_truncated=2)[-1]["truncated_in"] == "text"
        assert len(provider.requests) == 3


def test_hidden_reasoning_that_took_everything(provider: ScriptedProvider) -> None:
    *_, end = events("openai_chat", [], finish="length")
    found = b"".join(events("openai_chat", [], finish="length")).replace(
        b'"reasoning_tokens":0', b'"reasoning_tokens":9'
    )
    provider.say(Script.body(found))
    assert ask(Sync(), provider, "openai_chat")[-1]["truncated_in"] == "reasoning"
    assert end == b"data: [DONE]\n\n"


def test_a_pause_goes_back_as_it_came(colour: Sync | Async, provider: ScriptedProvider) -> None:
    """With the blocks of the provider's own tools, and without a word of ours."""
    block = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
    result = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"url": "u", "x": "e30="}]}
    blocks: list[Any] = [
        {"type": "content_block_start", "index": 0, "content_block": block},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": piece}}
            for piece in ('{"query":', '"fox"}')
        ),
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": result},
        {"type": "content_block_stop", "index": 1},
    ]
    data = b"".join(events("anthropic", ["Look: "], finish="pause_turn"))
    at = data.index(b"event: content_block_start")
    inserted = b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in blocks)
    provider.say(Script.body(data[:at] + inserted + data[at:].replace(b'"index":0', b'"index":2')), "a fox.")
    last = ask(colour, provider, "anthropic", continue_truncated=1)[-1]
    assert (last["status"], last["content"]) == ("complete", "Look: a fox.")
    assert [segment["status"] for segment in last["segments"]] == ["paused", "complete"]
    assert provider.requests[-1].json["messages"][-1] == {
        "role": "assistant",
        "content": [block | {"input": {"query": "fox"}}, result, {"type": "text", "text": "Look: "}],
    }


@pytest.mark.parametrize("wire", WIRES)
def test_a_hiccup_does_not_spoil_a_good_reply(colour: Sync | Async, provider: ScriptedProvider, wire: Wire) -> None:
    """A continuation that brought nothing yet is asked for again, with what was held back of it forgotten."""
    provider.say(
        Reply("Once upon a time there was a sm", truncated=True),
        Reply(error=503),
        Reply("there was", pieces=["there was"], cut_after=1),
        Reply("there was a small fox."),
    )
    last = ask(colour, provider, wire, continue_truncated=1, max_retries=2)[-1]
    assert (last["status"], last["content"]) == ("complete", "Once upon a time there was a small fox.")
    assert [segment["status"] for segment in last["segments"]] == ["truncated", "complete"]
    assert [segment["overlap"] for segment in last["segments"]] == [0, 14]
    assert len({request.body for request in provider.requests[1:]}) == 1


@pytest.mark.parametrize("wire", WIRES)
def test_a_continuation_that_fails_for_good(colour: Sync | Async, provider: ScriptedProvider, wire: Wire) -> None:
    """The reply stays what it was before it: truncated, and no error."""
    provider.say(Reply("Once upon a time", truncated=True), Reply(error=503))
    last = ask(colour, provider, wire, continue_truncated=3, max_retries=1)[-1]
    assert (last["event"], last["status"], last["content"]) == ("panel_final", "truncated", "Once upon a time")
    assert (last["finish_reason"], last["truncated_in"]) == (TRUNCATED_FINISH[wire], "text")
    assert [segment["status"] for segment in last["segments"]] == ["truncated", "overloaded"]
    assert (last["timing"]["attempts"], last["message"]["partial"]) == (3, True)
    assert last["usage"]["output_tokens"] == OUTPUT_TOKENS
    provider.say(Reply("Once upon a time", truncated=True), Reply(" there was", cut_after=1))
    last = ask(colour, provider, wire, continue_truncated=3, max_retries=1)[-1]
    assert (last["code"], last["content"]) == ("interrupted", "Once upon a time there")  # what was shown broke off


def test_gemini_s_token_is_asked_with_again(colour: Sync | Async, provider: ScriptedProvider) -> None:
    """After an error, and after a response that ended before it said anything."""
    for hiccup in (Reply(error=503), Script.body(b"")):
        provider.say(Reply("one ", finish="CONTINUATION"), hiccup, "two")
        before = len(provider.requests)
        last = ask(colour, provider, "gemini", max_retries=1)[-1]
        assert (last["status"], last["content"]) == ("complete", "one two")
        tokens = [request.json.get("continuationToken") for request in provider.requests[before:]]
        assert tokens == [None, CONTINUATION_TOKEN, CONTINUATION_TOKEN]


@pytest.mark.parametrize("late", [{"text": ""}, {"text": "", "thoughtSignature": "U0lH"}])
def test_an_empty_part_does_not_take_the_token_away(provider: ScriptedProvider, late: Any) -> None:
    end = {"candidates": [{"content": {"parts": [late]}}]}
    paused = b"".join(events("gemini", ["one "], finish="CONTINUATION"))
    provider.say(Script.body(paused + b"data: %b\r\n\r\n" % json.dumps(end).encode()), "two")
    assert ask(Sync(), provider, "gemini")[-1]["content"] == "one two"


def test_white_space_is_not_gone_on_with(provider: ScriptedProvider) -> None:
    provider.say(Reply("\n\n", truncated=True))
    assert ask(Sync(), provider, "anthropic", continue_truncated=1)[-1]["status"] == "truncated"
    assert len(provider.requests) == 1


def test_fallback_after_a_pause_that_said_nothing(
    colour: Sync | Async, provider: ScriptedProvider, other: ScriptedProvider
) -> None:
    provider.say(Reply("", finish="CONTINUATION"), Reply(error=503))
    other.say("here")
    back: Any = {"provider": "anthropic", "config": other.config("anthropic")}
    last = ask(colour, provider, "gemini", fallbacks=[back])[-1]
    assert (last["provider"], last["status"], last["content"]) == ("anthropic", "complete", "here")


def test_a_pause_without_leave_is_reported(provider: ScriptedProvider) -> None:
    provider.say(Reply("Look", paused=True))
    assert ask(Sync(), provider, "anthropic")[-1]["status"] == "paused"


# --- overlap ---


@pytest.mark.parametrize(
    ("said", "more", "joined"),
    [
        ("the quick brown", "brown fox", "the quick brown fox"),
        ("the quick bro", "quick brown fox", "the quick brown fox"),
        ("He said hel", "lo there", "He said hello there"),  # one letter is chance
        ("Othel", "hello", "Othelhello"),  # not where a word begins
        ("in the", "the end", "in the end"),
        ("abcdefghijkl", "cdefghijklm", "abcdefghijklm"),  # ten from anywhere
        ("one\n\n", "\n\ntwo", "one\n\n\n\ntwo"),  # white space alone is no sign
        ("床前明月光", "明月光，疑是", "床前明月光，疑是"),
        ("all of it", "all of it", "all of it"),
        ("", "fresh", "fresh"),
        ("return a\n    return b\n", "    return b\n    return c", "return a\n    return b\n    return c"),
        # A short match must consist of whole words.
        ("it was the quick", "quickest of all", "it was the quickest of all"),
        ("unbelieva", "unbelievable", "unbelievable"),
        ("I like the", "theatre.", "I like thetheatre."),
        ("He walked over the", "theatre was closed.", "He walked over thetheatre was closed."),
        ("a b c d", "d e", "a b c dd e"),
        # What repeats itself goes on with the same.
        ("[0, 0, 0, ", "0, 0, 0]", "[0, 0, 0, 0, 0, 0]"),
        ("1, 1, 1, ", "1, 1, 1, 2", "1, 1, 1, 1, 1, 1, 2"),
        ("very, very, ", "very, very good", "very, very, very, very good"),
        ("ha ha ha", "ha ha! funny", "ha ha haha ha! funny"),
        ("no no no ", "no no.", "no no no no no."),
        ("SELECT 1;\nSELECT 1;\n", "SELECT 1;\n", "SELECT 1;\nSELECT 1;\nSELECT 1;\n"),
        ("abcdefgh" * 400, "abcdefgh" * 3, "abcdefgh" * 403),
        ("</div></div>", "</div></div></body>", "</div></div></div></div></body>"),
        # So may what says nothing.
        ("  if a:\n    }\n}\n", "}\n}\nend", "  if a:\n    }\n}\n}\n}\nend"),
        ("| a | b |\n|---|---|", "---|---|", "| a | b |\n|---|---|---|---|"),
        ("=====", "=====\n", "==========\n"),
        ("100 200 300", "300 400", "100 200 300300 400"),
        ("🎉🎉🎉", "🎉🎉🎉 party", "🎉🎉🎉🎉🎉🎉 party"),
    ],
)
def test_overlap(said: str, more: str, joined: str) -> None:
    for size in (1, 2, 3, 100):
        overlap = RepetitionFilter(said)
        kept = [overlap.feed(more[at : at + size]) for at in range(0, len(more), size)]
        kept.append(overlap.end())
        assert said + "".join(kept) == joined
        assert len(said) + len(more) - overlap.removed == len(joined)


@given(st.text("ab c", max_size=30), st.text("ab c", max_size=30), st.data())
def test_overlap_in_any_pieces(said: str, more: str, data: st.DataObject) -> None:
    whole = RepetitionFilter(said)
    expected = whole.feed(more) + whole.end() if more else ""
    cuts = sorted(data.draw(st.sets(st.integers(0, len(more)), max_size=5)))
    overlap = RepetitionFilter(said)
    points = [0, *cuts, len(more)]
    kept = "".join(overlap.feed(more[a:b]) for a, b in pairwise(points) if a < b) + overlap.end()
    assert kept == expected
    assert more.endswith(kept)


# --- retries ---


@pytest.mark.parametrize("wire", WIRES)
def test_a_retry_is_announced(colour: Sync | Async, provider: ScriptedProvider, wire: Wire) -> None:
    """With the pause that the provider asks for, and with our own; as often as it happens."""
    provider.say(Reply(error=503, retry_after=0.01), Reply("one two", cut_after=0), Reply("here"))
    found = ask(colour, provider, wire, max_retries=2, model="m-1")
    assert [event["event"] for event in found] == ["panel_retry", "panel_retry", "panel_delta", "panel_final"]
    first, second, *_ = found
    assert first | {"error": ""} == {
        "event": "panel_retry",
        "panel_id": "p",
        "reason": "retry",
        "provider": NAME[wire],
        "model": "m-1",
        "code": "overloaded",
        "error": "",
        "attempt": 2,
        "seconds_to_wait": 0.01,
    }
    assert "503" in first["error"]
    assert (second["reason"], second["code"], second["attempt"]) == ("retry", "interrupted", 3)
    assert 0.75 <= second["seconds_to_wait"] <= 1
    assert found[-1]["timing"]["attempts"] == 3


def test_a_retry_is_announced_before_its_pause(colour: Sync | Async, provider: ScriptedProvider) -> None:
    provider.say(Reply(error=503, retry_after=4), "here")
    options: dict[str, Any] = {"config": provider.config("openai"), "timeout": 9}

    async def first() -> Any:
        async with aclosing(msgmodel.astream_panels("openai", "hi", **options)) as stream:
            return await anext(stream)

    if isinstance(colour, Async):
        event = colour.run(first())
    else:
        with closing(msgmodel.stream_panels("openai", "hi", **options)) as blocking:
            event = next(blocking)
    assert (event["event"], event["reason"], event["seconds_to_wait"]) == ("panel_retry", "retry", 4)
    assert len(provider.requests) == 1


def test_a_retry_that_is_not_made_is_not_announced(provider: ScriptedProvider) -> None:
    provider.say(Reply(error=503, retry_after=60))
    assert [event["event"] for event in ask(Sync(), provider, "openai_chat", max_retries=2)] == ["panel_error"]


# --- resumption ---


@pytest.mark.parametrize("wire", WIRES)
def test_a_broken_stream_is_resumed(colour: Sync | Async, provider: ScriptedProvider, wire: Wire) -> None:
    provider.say(
        Reply("Once upon a time there was", cut_after=4),
        Reply("a time there was a small fox", cut_after=6, cut="fin"),
        Reply(" fox."),
    )
    found = ask(colour, provider, wire, resume_interrupted=True, max_retries=2)
    last = found[-1]
    assert (last["status"], last["content"]) == ("complete", "Once upon a time there was a small fox.")
    retries = [event for event in found if event["event"] == "panel_retry"]
    assert [(event["reason"], event["code"], event["provider"]) for event in retries] == [
        ("resume", "interrupted", NAME[wire])
    ] * 2
    assert [segment["status"] for segment in last["segments"]] == ["interrupted", "interrupted", "complete"]
    assert len(last["segments"]) == 3


def test_resumption_has_an_end(provider: ScriptedProvider) -> None:
    provider.say(Reply("one two", cut_after=1), Reply("one three", cut_after=1))
    last = ask(Sync(), provider, "openai_chat", resume_interrupted=True, max_retries=1)[-1]
    assert (last["code"], last["content"], len(last["segments"])) == ("interrupted", "one", 2)
    provider.say(Reply("one two", breaks_off_after=1))  # an answer, not a cut
    assert ask(Sync(), provider, "openai_chat", resume_interrupted=True, max_retries=1)[-1]["code"] == "server"
    assert len(provider.requests) == 3


def test_held_text_comes_out_before_the_error(provider: ScriptedProvider) -> None:
    """What was held back as a possible repetition is not lost when the stream breaks again."""
    provider.say(Reply("one two three four", cut_after=3), Reply("one tw", pieces=["one tw"], cut_after=1))
    last = ask(Sync(), provider, "openai_chat", resume_interrupted=True, max_retries=1)[-1]
    assert (last["code"], last["content"]) == ("interrupted", "one two threeone tw")


def test_a_silence_while_text_is_held(provider: ScriptedProvider) -> None:
    provider.say(Reply("one two three", truncated=True), Reply("one tw", pieces=["one tw"], stall_after=1))
    heard: list[Any] = []
    asking = {"config": provider.config("openai"), "continue_truncated": 1, "on_end": heard.append, "timeout": 0.3}
    last = list(msgmodel.stream_panels("openai", "hi", max_retries=0, **asking))[-1]
    assert (last["event"], last["content"], heard) == ("panel_final", "one two three", [last])


@pytest.mark.parametrize("wire", ["openai_chat", "anthropic"])
def test_the_usage_of_a_broken_part_is_estimated(provider: ScriptedProvider, wire: Wire) -> None:
    """What the provider counted before the break is no last word: Anthropic begins with one token of output."""
    broken = Reply("Once upon a time there was a small fox", cut_after=8)
    provider.say(broken, broken, Reply(", and it was quick."))
    alone = ask(Sync(), provider, wire)[-1]["usage"]
    assert (alone["source"], alone["output_tokens"] > 5) == ("estimated", True)
    last = ask(Sync(), provider, wire, resume_interrupted=True, max_retries=1)[-1]
    assert (last["status"], last["timing"]["attempts"]) == ("complete", 2)
    assert last["usage"]["output_tokens"] == alone["output_tokens"] + OUTPUT_TOKENS
    assert last["usage"]["source"] == "estimated"


def test_the_usage_of_shown_reasoning_is_estimated_before_a_fallback(
    provider: ScriptedProvider, other: ScriptedProvider
) -> None:
    body = b"".join(events("anthropic", ["one"], reasoning="Once upon a time there was a small fox"))
    broken = Script.body(body[: body.index(b'"one"')])
    provider.say(broken, broken)
    other.say("here")
    alone = ask(Sync(), provider, "anthropic")[-1]["usage"]
    assert (alone["source"], alone["output_tokens"] > 5) == ("estimated", True)
    back: Any = {"provider": "openai", "config": other.config("openai")}
    last = ask(Sync(), provider, "anthropic", fallbacks=[back])[-1]
    assert (last["provider"], last["status"], last["content"]) == ("openai", "complete", "here")
    assert last["usage"]["output_tokens"] == alone["output_tokens"] + OUTPUT_TOKENS
    assert last["usage"]["source"] == "estimated"


# --- fallback ---


@pytest.mark.parametrize("wire", WIRES)
def test_fallback_before_the_first_text(
    colour: Sync | Async, provider: ScriptedProvider, other: ScriptedProvider, wire: Wire
) -> None:
    provider.say(Reply(error=503))
    other.say("I can")
    back: Any = {"provider": "anthropic", "model": "claude-sonnet-5-5", "config": other.config("anthropic")}
    announced, *deltas, last = ask(colour, provider, wire, fallbacks=[back])
    assert announced | {"error": ""} == {
        "event": "panel_retry",
        "panel_id": "p",
        "reason": "fallback",
        "provider": "anthropic",
        "model": "claude-sonnet-5-5",
        "code": "overloaded",
        "error": "",
    }
    assert [event["delta"] for event in deltas] == ["I", " can"]
    assert (last["provider"], last["wire"], last["status"]) == ("anthropic", "anthropic", "complete")
    assert last["privacy"]["provider"] == "anthropic"
    assert last["timing"]["attempts"] == 2
    assert other.requests[-1].json["model"] == "claude-sonnet-5-5"


def test_fallbacks_in_turn_and_their_end(
    colour: Sync | Async, provider: ScriptedProvider, other: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in other.environment().items():
        monkeypatch.setenv(name, value)
    provider.say(Reply(error=401))
    other.say(Reply("", reasoning="Hm, let me", cut_after=0), Reply(error=400), "at last")
    fallbacks = ["gemini", ("anthropic", "claude-opus-5"), "openai"]
    found = ask(colour, provider, "openai_chat", fallbacks=fallbacks)
    assert [event["event"] for event in found if event["event"] != "panel_reasoning"] == [
        *("panel_retry", "panel_retry", "panel_retry", "panel_delta", "panel_delta", "panel_final")
    ]
    assert "reasoning" not in found[-1]  # of the one that failed
    other.say(Reply(error=400))
    assert ask(colour, provider, "openai_chat", fallbacks=fallbacks)[-1]["code"] == "invalid_request"


def test_no_fallback_after_text(provider: ScriptedProvider, other: ScriptedProvider) -> None:
    provider.say(Reply("one two", cut_after=1))
    back: Any = {"provider": "openai", "config": other.config("openai")}
    found = ask(Sync(), provider, "openai_chat", fallbacks=[back])
    assert (found[-1]["code"], len(other.requests)) == ("interrupted", 0)


def test_a_slow_provider_is_given_up(colour: Sync | Async, provider: ScriptedProvider, other: ScriptedProvider) -> None:
    """Each provider has its own time for the first text."""
    provider.say(Script(stall_before_headers=True))
    other.say("here")
    back: Any = {"provider": "gemini", "config": other.config("gemini")}
    found = ask(colour, provider, "openai_chat", first_token_timeout=0.2, fallbacks=[back])
    assert (found[0]["code"], found[-1]["content"]) == ("timeout", "here")


def test_the_local_model_as_a_fallback(colour: Sync | Async, provider: ScriptedProvider) -> None:
    from msgmodel.local import weights

    if not weights.path().is_file():
        pytest.skip("the weights are not here")
    provider.say(Reply(error=503))
    found = ask(colour, provider, "openai_chat", fallbacks=["local"], max_tokens=8, timeout=60)
    assert (found[0]["provider"], found[-1]["provider"], found[-1]["cost"]) == ("local", "local", 0.0)


@pytest.mark.parametrize(
    ("fallbacks", "words"),
    [
        ("openai", "must be a list"),
        ([5], r"fallbacks\[0\]: must be a provider"),
        (["nobody"], r"fallbacks\[0\]: there is no provider"),
        ([{"provider": "openai", "key": "x"}], r"fallbacks\[0\]: must be a dict with"),
        ([{"model": "x"}], r"fallbacks\[0\]: must be a dict with"),
    ],
)
def test_bad_fallbacks(provider: ScriptedProvider, fallbacks: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        ask(Sync(), provider, "openai_chat", fallbacks=fallbacks)
    with pytest.raises(msgmodel.AuthenticationError, match=r"fallbacks\[0\]: no key for anthropic"):
        ask(Sync(), provider, "openai_chat", fallbacks=["anthropic"])


# --- clocks ---


@pytest.mark.parametrize("wire", WIRES)
def test_idle_and_deadline(shared_colour: Sync | Async, provider: ScriptedProvider, wire: Wire) -> None:
    provider.say(Reply("one two", stall_after=1))
    last = ask(shared_colour, provider, wire, idle_timeout=0.2)[-1]
    assert (last["code"], last["content"]) == ("timeout", "one")
    last = ask(shared_colour, provider, wire, deadline=0.3)[-1]
    assert (last["code"], last["content"], last["retryable"]) == ("timeout", "one", True)
    assert "deadline of 0.3 seconds" in last["error"]


def test_a_deadline_ends_a_stream_that_flows(shared_colour: Sync | Async, provider: ScriptedProvider) -> None:
    piece = events("openai_chat", ["word "])[1]
    provider.say(Script(steps=(Repeat(piece, 0.02),)))
    last = ask(shared_colour, provider, "openai_chat", deadline=0.4, idle_timeout=0.2)[-1]
    assert (last["code"], "deadline" in last["error"], last["content"].startswith("word word ")) == (
        "timeout",
        True,
        True,
    )


def test_pings_do_not_feed_the_clocks(shared_colour: Sync | Async, provider: ScriptedProvider) -> None:
    first = events("openai_chat", ["word "])[1]
    provider.say(Script(steps=(Send(first), Repeat(b": ping\n\n", 0.02))))
    last = ask(shared_colour, provider, "openai_chat", idle_timeout=0.3)[-1]
    assert (last["code"], last["content"]) == ("timeout", "word ")
    provider.say(Script(steps=(Repeat(b": ping\n\n", 0.02),)))
    assert ask(shared_colour, provider, "openai_chat", first_token_timeout=0.3)[-1]["code"] == "timeout"


def test_the_first_text_may_take_longer_than_a_silence(shared_colour: Sync | Async, provider: ScriptedProvider) -> None:
    whole = events("openai_chat", ["late"])
    provider.say(Script(steps=(Pause(0.5), *(Send(event) for event in whole))))
    assert ask(shared_colour, provider, "openai_chat", idle_timeout=0.2)[-1]["content"] == "late"
    provider.say(Script(steps=(Send(whole[1]), Stall())))
    assert ask(shared_colour, provider, "openai_chat", first_token_timeout=5, idle_timeout=0.2)[-1]["code"] == "timeout"


@pytest.mark.parametrize("name", ["first_token_timeout", "idle_timeout", "deadline"])
def test_bad_clocks(provider: ScriptedProvider, name: str) -> None:
    for value in (0, -1, "x", float("nan")):
        with pytest.raises(ConfigurationError, match=f"{name} must be"):
            ask(Sync(), provider, "openai_chat", **{name: value})
    with pytest.raises(ConfigurationError, match="continue_truncated must be"):
        ask(Sync(), provider, "openai_chat", continue_truncated=-1)


# --- pieces of calls ---


@pytest.mark.parametrize("wire", WIRES)
def test_tool_deltas(shared_colour: Sync | Async, provider: ScriptedProvider, wire: Wire) -> None:
    provider.say(Reply("", tool_calls=[{"name": "f", "arguments": {"a": 1}, "id": "c"}]))
    assert "panel_tool_delta" not in {event["event"] for event in ask(shared_colour, provider, wire)}
    found = ask(shared_colour, provider, wire, tool_deltas=True)
    pieces = [event for event in found if event["event"] == "panel_tool_delta"]
    assert "".join(event["delta"] for event in pieces) == ("" if wire == "gemini" else '{"a": 1}')
    assert {(event["id"], event["name"]) for event in pieces} <= {("c", "f")}
