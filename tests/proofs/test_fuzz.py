"""The inputs of the fuzzer, run again: what to begin with, what it kept, and all that it ever found.

Fuzzing itself is `make fuzz` (proofs/fuzz/run.py), which needs atheris and minutes; this needs neither. A target that
could not fail would prove nothing, so each is also given code that does not keep its promise.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from msgmodel.reply import panel
from msgmodel.server import request_batches, request_bodies
from msgmodel.server.guard import Guard
from msgmodel.wires import WIRES, sse
from msgmodel.wires.deltas import Finish

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from proofs.fuzz import mutator, rules, run, targets  # noqa: E402 (the root of the repository is no package's)
from proofs.fuzz.seeds import SEEDS  # noqa: E402

CORPUS = ROOT / "proofs" / "fuzz" / "corpus"
LARGEST = 300_000
"""Bytes of all inputs in the repository together."""


def kept(target: str) -> list[Path]:
    return sorted((CORPUS / target).glob("*"))


def test_every_target_has_inputs() -> None:
    assert set(run.TARGETS) == set(targets.TARGETS) == set(SEEDS)
    assert {path.name for path in CORPUS.iterdir()} <= set(run.TARGETS)
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()) < LARGEST


@pytest.mark.parametrize("target", run.TARGETS)
def test_inputs(target: str) -> None:
    """Nothing that was found once comes back, and the inputs to begin with are sound."""
    for data in (*SEEDS[target], *(path.read_bytes() for path in kept(target))):
        try:
            targets.TARGETS[target].run(data)
        except Exception as error:
            raise AssertionError(f"{target}: {data[:200]!r}") from error


@pytest.mark.parametrize("target", run.TARGETS)
def test_changed_inputs(target: str) -> None:
    """A few of the changes that the fuzzer would make, the same in every run."""
    change = mutator.Mutator(mutator.words(targets.TARGETS[target].modules))
    longest = targets.TARGETS[target].longest
    for number, seed in enumerate(SEEDS[target] * (60 // len(SEEDS[target]))):
        data = change.change(change.cross(seed, SEEDS[target][0], longest, number), longest, number)
        assert data == change.change(change.cross(seed, SEEDS[target][0], longest, number), longest, number)
        assert len(data) <= longest
        targets.TARGETS[target].run(data)


def test_the_mutator_reaches_what_lies_deep() -> None:
    """Most of what it makes of a stream is still a stream of JSON, with something else in it."""
    change = mutator.Mutator(mutator.words(("wires.anthropic.parser",)))
    (seed, *_) = SEEDS["anthropic"]
    made = [change.change(seed, 8192, number) for number in range(200)]
    assert len(set(made)) > 150
    sound = [data for data in made if all(rules._parsed(event) for event in rules.events(data[1:]).whole)]
    assert len(sound) > 100
    assert any(b"stop_reason" not in data for data in sound)


# --- targets that see what is wrong ---


def _lost(feed: Callable[..., Any]) -> Callable[..., Any]:
    """A decoder that loses what comes in a piece of one byte after CR."""

    def broken(self: Any, chunk: bytes) -> Any:
        return [] if chunk == b"\r" else feed(self, chunk)

    return broken


def test_a_decoder_that_loses_a_byte_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse.SseDecoder, "feed", _lost(sse.SseDecoder.feed))
    with pytest.raises(AssertionError):
        targets.sse(b"\x01data: a\r\rdata: b\n\n")


def test_a_decoder_without_a_limit_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = sse.SseDecoder.__init__
    monkeypatch.setattr(sse.SseDecoder, "__init__", lambda self, limit=0: begin(self, 1 << 30))
    with pytest.raises(AssertionError, match="beyond the limit"):
        targets.sse(b"\x01data: " + b"x" * 400)


@pytest.mark.parametrize("wire", targets.PROVIDERS)
def test_a_cut_that_is_called_complete_is_seen(wire: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a parser takes the end of the body for the end of the reply."""
    parser = WIRES[wire].parser
    monkeypatch.setattr(parser, "eof", lambda self, clean: Finish("stop", "complete"))
    with pytest.raises(AssertionError, match="though it was cut"):
        targets.wire(wire, b"\x01" + SEEDS[wire][0][1 : len(SEEDS[wire][0]) // 3])


def test_a_text_that_is_lost_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    add = panel.PanelBuilder.add
    monkeypatch.setattr(
        panel.PanelBuilder, "add", lambda self, delta: [{**event, "content": "other"} for event in add(self, delta)]
    )
    with pytest.raises(AssertionError, match="content"):
        targets.wire("gemini", SEEDS["gemini"][0])


def test_an_exception_of_somebody_else_s_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise KeyError("x")

    monkeypatch.setattr(request_batches, "_make_panel", fail)
    with pytest.raises(AssertionError, match="status 500"):
        targets.server(SEEDS["server"][0])


def test_a_key_in_an_answer_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def leak(self: Guard, connection: Any) -> str:
        raise request_bodies.RequestRefused(401, "unauthorized", "sk-planted-1f")

    monkeypatch.setattr(Guard, "find_owner", leak)
    with pytest.raises(AssertionError, match="a key in an answer"):
        targets.server(SEEDS["server"][0])


# --- the second reading of the standard, by which targets judge ---


@pytest.mark.parametrize(
    ("body", "whole", "rest"),
    [
        (b"data: a\n\ndata:b\r\n\r\ndata: c\r\rdata: d", [b"a", b"b", b"c"], b"d"),
        (b"\xef\xbb\xbfdata: a\ndata\ndata:  b\n\n", [b"a\n\n b"], None),
        (b": x\n\nid: 1\n\nevent: y\ndata:\n\n", [b""], None),
        (b"data: a\n", [], b"a"),
        (b"", [], None),
    ],
)
def test_events_by_the_standard(body: bytes, whole: list[bytes], rest: bytes | None) -> None:
    found = rules.events(body)
    assert (found.whole, found.rest) == (whole, rest)


@pytest.mark.parametrize("wire", targets.PROVIDERS)
def test_the_rule_of_success(wire: str) -> None:
    """A whole reply may be final; without its end it may not, wherever it is cut."""
    body = SEEDS[wire][0][1:]
    assert rules.may_be_final(wire, body)
    for place in random.Random(1).sample(range(len(body) // 2), 40):
        assert not rules.may_be_final(wire, body[:place])
