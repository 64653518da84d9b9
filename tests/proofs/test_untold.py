"""The proof that nothing with a meaning stands in no event: what it finds, and that it notices a field that is lost."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from msgmodel.wires.anthropic.parser import AnthropicParser

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from proofs.untold_reasons import COUNT, FRAME, PARSER, REASONS, patterns_of  # noqa: E402
from proofs.untold_replay import CONFIGS, KeyPath, Recording  # noqa: E402

from proofs import untold  # noqa: E402


def sse(*payloads: Any) -> bytes:
    return b"".join(b"data: %s\n\n" % json.dumps(payload).encode() for payload in payloads)


def chat_stream(**fields: Any) -> bytes:
    choice = {"index": 0, "delta": {"role": "assistant", "content": "Hello there"}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 31, "completion_tokens": 12, "total_tokens": 43}
    return sse({"object": "chat.completion.chunk", "choices": [choice], "usage": usage, **fields})


MESSAGE = sse(
    {"type": "message_start", "message": {"id": "m1", "model": "claude-x", "usage": {"input_tokens": 3}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "Hello there"}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn"},
        "usage": {"output_tokens": 12},
        "context_management": {"applied_edits": [{"type": "clear_thinking_20251015"}]},
    },
    {"type": "message_stop"},
)
RESPONSE = sse(
    {"type": "response.output_text.delta", "output_index": 0, "delta": "Hello there"},
    {"type": "response.output_text.done", "output_index": 0, "text": "Hello there"},
    {"type": "response.completed", "response": {"status": "completed", "moderation": {"flagged": True}, "top_p": 0.5}},
)


def outcomes(wire: str, data: bytes) -> dict[str, str]:
    return {finding.path: finding.outcome for finding in untold.untold_of(wire, data)}


def test_what_becomes_of_each_path() -> None:
    assert outcomes("openai_chat", chat_stream(mood={"now": "cheerful", "before": None}, service_tier=None)) == {
        "object": FRAME,
        "choices": "shown",
        "choices.index": "empty",
        "choices.delta": "shown",
        "choices.delta.role": PARSER,
        "choices.delta.content": "shown",
        "choices.finish_reason": "shown",
        "usage": "shown",
        "usage.prompt_tokens": "shown",
        "usage.completion_tokens": "shown",
        "usage.total_tokens": COUNT,
        "mood.now": "unexplained",
        "mood.before": "empty",
        "service_tier": "empty",
    }


def test_a_text_that_another_event_has_is_a_repetition() -> None:
    found = outcomes("openai_responses", RESPONSE)
    assert found["response.output_text.delta: delta"] == "repeated"  # each would be enough
    assert found["response.output_text.done: text"] == "repeated"
    assert found["response.completed: response.moderation.flagged"] == "shown"


def ignore(*_: Any) -> Iterator[Any]:
    return iter(())


def test_a_field_that_a_changed_parser_ignores_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    path = "message_delta: context_management.applied_edits(clear_thinking_20251015).type"
    assert outcomes("anthropic", MESSAGE)[path] == "shown"
    monkeypatch.setattr(AnthropicParser, "_read_edits", ignore)
    assert outcomes("anthropic", MESSAGE)[path] == "unexplained"


def test_a_lost_field_fails_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.sse").write_bytes(RESPONSE)
    monkeypatch.setattr(sys, "argv", ["untold.py", str(tmp_path)])
    assert untold.main() == 0
    (tmp_path / "other.sse").write_bytes(RESPONSE.replace(b"moderation", b"sentiment"))
    assert untold.main() == 1
    assert "response.sentiment.flagged (1 streams, as in other.sse: True)" in capsys.readouterr().err


def test_an_empty_folder_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["untold.py", str(tmp_path)])
    assert untold.main() == 0


def test_the_order_of_keys_is_kept() -> None:
    recording = Recording("openai_chat", chat_stream())
    keys = [[*each] for each in recording.values(KeyPath("", ("usage",)))]
    assert [recording.shows(path) for path in recording.paths][1]
    assert [[*each] for each in recording.values(KeyPath("", ("usage",)))] == keys


def test_only_the_first_reply_of_a_recording_is_read() -> None:
    assert outcomes("anthropic", MESSAGE + MESSAGE.replace(b"end_turn", b"refusal")) == outcomes("anthropic", MESSAGE)


@pytest.mark.parametrize(
    ("wire", "data"),
    [
        ("openai_chat", chat_stream()),
        ("openai_responses", RESPONSE),
        ("anthropic", MESSAGE),
        ("gemini", sse({"candidates": [{"finishReason": "STOP"}]})),
    ],
)
def test_the_wire_of_a_recording_is_guessed(wire: str, data: bytes) -> None:
    assert untold.wire_of(data) == wire


def test_each_reason_covers_a_whole_path_and_what_is_below() -> None:
    assert set(REASONS) == set(CONFIGS)
    patterns = [pattern for reason, pattern in patterns_of("openai_chat") if reason == COUNT]
    assert any(pattern.fullmatch("x_groq.usage_breakdown.models.usage") for pattern in patterns)
    assert not any(pattern.fullmatch("my_usage.total_tokens") for pattern in patterns)
    assert untold.unexplained([untold.Found("a", "gemini", [untold.Finding("x", "shown")])])


SMALLEST = 40
"""Recordings of each wire, the shortest first: a sample that takes a few seconds."""


@pytest.mark.skipif(not untold.STREAMS.is_dir(), reason=f"no recorded streams in {untold.STREAMS}")
@pytest.mark.parametrize("wire", ["openai_responses", "anthropic"])
def test_nothing_with_a_meaning_is_lost_in_a_sample(wire: str) -> None:
    listed = sorted(untold.recordings(untold.STREAMS / wire), key=lambda each: len(each[2]))[:SMALLEST]
    found = [untold.Found(path.name, wire, untold.untold_of(wire, data)) for path, _, data in listed]
    assert list(untold.unexplained(found)) == []
