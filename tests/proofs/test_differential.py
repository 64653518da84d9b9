"""The differential proof: what is compared, what counts as explained, and the proof itself.

The proof is run where the recorded streams and the SDKs are (`python bench/peers/install.py openai anthropic
google-genai`), and skipped elsewhere.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from proofs.differential_causes import CAUSES, FIELDS, Cause, explained  # noqa: E402
from proofs.differential_outcomes import Case, Outcome, counted, ours, parsed, theirs  # noqa: E402

from proofs import differential  # noqa: E402

PLAIN = Outcome("Hi", "", "", "stop", (), (3, 1), True)
OTHER = Outcome("Ho", "Hm", "No", "end", (("1", "f", {}),), (3, 2), False)


def sse(*payloads: Any) -> bytes:
    return b"".join(b"data: %s\n\n" % json.dumps(payload).encode() for payload in payloads)


def chunk(**fields: Any) -> dict[str, Any]:
    return {"object": "chat.completion.chunk", "choices": [], **fields}


def choice(reason: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"index": 0, "delta": {}, "finish_reason": reason, **fields}


def case(wire: str = "openai_chat", data: bytes = b"", accumulator: str = "", **differing: Any) -> Case:
    """A stream of which the SDK has what is PLAIN but for these fields."""
    return Case(f"{wire}/x", data, PLAIN, replace(PLAIN, **differing), "", accumulator)


def test_equal_outcomes_do_not_differ() -> None:
    assert case().differences() == []
    assert explained([case()]) == ({cause.name: [] for cause in CAUSES}, {})


@pytest.mark.parametrize("field", FIELDS[:-1])
def test_every_field_is_compared(field: str) -> None:
    assert case(**{field: getattr(OTHER, field)}).differences() == [field]


def test_what_its_accumulator_raises_is_a_difference() -> None:
    assert case(accumulator="TypeError: x").differences() == ["accumulator"]


def test_a_broken_reply_has_no_finish_reason_to_compare() -> None:
    broken = replace(PLAIN, whole=False, finish_reason=None)
    assert replace(case(), ours=broken, theirs=replace(PLAIN, whole=False)).differences() == []


def test_our_outcome() -> None:
    usage = {"input_tokens": 3, "output_tokens": 1, "source": "provider"}
    call = {"id": "1", "name": "f", "arguments": '{"a": 1}'}
    last = {"event": "panel_final", "content": "Hi", "finish_reason": "stop", "usage": usage, "tool_calls": [call]}
    assert ours(last) == replace(PLAIN, tool_calls=(("1", "f", {"a": 1}),))
    estimated = {"event": "panel_error", "content": "H", "reasoning": "Hm", "usage": usage | {"source": "estimated"}}
    assert ours(estimated) == Outcome("H", "Hm", "", None, (), None, False)


def test_the_sdk_s_outcome() -> None:
    """A call without an id has ours."""
    folded = {
        "text": "Hi",
        "reasoning": "",
        "refusal": "",
        "finish_reason": "stop",
        "tool_calls": [["", "f", None], ["2", "g", "{"]],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1},
        "failed": None,
    }
    assert theirs("openai_chat", folded, ["call_1"]) == replace(
        PLAIN, tool_calls=(("call_1", "f", {}), ("2", "g", "{"))
    )
    assert not theirs("openai_chat", folded | {"failed": "APIError: x"}).whole


@pytest.mark.parametrize(
    ("wire", "usage", "total"),
    [
        ("openai_chat", {"prompt_tokens": 3, "completion_tokens": 0}, (3, 0)),
        ("openai_responses", {"input_tokens": 3, "output_tokens": 1}, (3, 1)),
        ("anthropic", {"input_tokens": 3, "cache_read_input_tokens": 5, "output_tokens": 1}, (8, 1)),
        ("gemini", {"candidates_token_count": 2, "thoughts_token_count": 4}, (None, 6)),
        ("gemini", {}, None),
    ],
)
def test_counted(wire: str, usage: dict[str, Any], total: Any) -> None:
    assert counted(wire, usage) == total


def test_parsed() -> None:
    assert [parsed(arguments) for arguments in ('{"a": 1}', "", None, "{", {"a": 1})] == [
        {"a": 1},
        {},
        {},
        "{",
        {"a": 1},
    ]


def test_payloads_are_read_by_lines_that_end_as_the_standard_says() -> None:
    data = 'data: {"a": "x\u2028y"}\r\ndata:[1]\rdata: [DONE]\n: {"b": 1}\n'.encode()
    assert case(data=data).payloads == [{"a": "x\u2028y"}, [1]]


# --- causes ---

DULL = {
    "openai_chat": sse(
        chunk(choices=[choice(delta={"content": "Hi"})]),
        chunk(choices=[choice("stop")]),
        chunk(usage={"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}),
    ),
    "openai_responses": sse(
        {"type": "response.created", "response": {"id": "1", "output": []}},
        {"type": "response.output_text.delta", "delta": "Hi"},
        {"type": "response.completed", "response": {"id": "1", "output": [{"type": "message"}]}},
    ),
    "anthropic": sse({"type": "message_start", "message": {}}, {"type": "message_stop"}),
    "gemini": sse({"candidates": [{"content": {"parts": [{"text": "Hi"}]}, "finishReason": "STOP"}]}),
}


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.name)
def test_no_cause_explains_a_stream_in_which_it_is_not(cause: Cause) -> None:
    """Whatever the SDK has of it."""
    for wire, data in DULL.items():
        for other in (OTHER, replace(OTHER, text="", tool_calls=(), usage=None, finish_reason=None)):
            odd = Case(f"{wire}/x", data, PLAIN, other, "APIError: x", "ValueError: x")
            assert not any(cause.explains(odd, field) for field in FIELDS)


def test_a_difference_without_a_cause_is_not_explained() -> None:
    by_cause, unexplained = explained([case(data=DULL["openai_chat"], text="H")])
    assert unexplained == {"openai_chat/x: text": []}
    assert not any(by_cause.values())


def test_a_difference_with_two_causes_is_not_explained() -> None:
    data = sse({"type": "message_start"}, {"type": "message_start"}) + b"data: [DONE]\n\n"
    both = replace(case("anthropic", data, whole=False), raised="JSONDecodeError: x")
    assert explained([both])[1] == {"anthropic/x: whole": ["glued", "done_marker"]}


def test_each_field_may_have_its_own_cause() -> None:
    thought = {"prompt_tokens": 3, "completion_tokens": 1, "reasoning_tokens": 9, "total_tokens": 13}
    data = sse({"choices": [choice("stop")], "usage": thought})
    odd = replace(case(data=data, accumulator="AssertionError: "), ours=replace(PLAIN, usage=(3, 10)))
    by_cause, unexplained = explained([odd])
    assert not unexplained
    assert {name for name, streams in by_cause.items() if streams} == {"reasoning_beside", "object_dropped"}


@pytest.mark.parametrize(
    ("choices", "name"),
    [
        ([choice(), choice("stop", index=1)], "no_finish_reason"),
        ([choice()], "no_finish_reason"),
        ([{"index": 0, "delta": {}}], "never_a_reason"),
    ],
)
def test_a_server_that_gives_no_reply_a_finish_reason_is_told_apart(choices: list[Any], name: str) -> None:
    odd = replace(case(data=sse(chunk(choices=choices))), ours=replace(PLAIN, whole=False, finish_reason=None))
    by_cause, unexplained = explained([odd])
    assert (unexplained, by_cause[name]) == ({}, ["openai_chat/x"])


def test_causes_have_names_of_their_own_and_words() -> None:
    assert len({cause.name for cause in CAUSES}) == len(CAUSES)
    assert all(cause.why.endswith(".") and cause.fields <= set(FIELDS) for cause in CAUSES)


def test_the_documentation_has_every_cause() -> None:
    """As `python proofs/differential.py --docs` writes it; the numbers are of the run in which it was written."""
    rows = [line.split(" | ") for line in differential.PAGE.read_text("utf-8").splitlines() if line.startswith("| `")]
    written = {(row[0].strip("| `"), row[2], row[3].removesuffix(" |")) for row in rows if len(row) == 4}
    assert written == {(cause.name, cause.right, cause.why) for cause in CAUSES}


# --- the proof ---


@pytest.mark.skipif(bool(differential.missing()), reason=differential.missing())
@pytest.mark.timeout(600)
def test_every_difference_from_the_official_sdks_has_one_cause() -> None:
    streams = differential.recordings()
    cases = differential.read(streams)
    by_cause, unexplained = explained(cases)
    assert unexplained == {}
    assert [name for name, found in by_cause.items() if not found] == []
    assert [case.name for case in cases] == list(streams)
    assert len(streams) > 1_000
