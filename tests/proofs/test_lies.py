"""The lie matrix: this library names every lie on every wire, and the verdicts on other libraries are fair."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from proofs.lies_cases import NAMES, lies  # noqa: E402

from proofs import lies as program  # noqa: E402


def test_every_lie_is_told_on_some_wire() -> None:
    told = [(lie.wire, lie.name) for lie in lies()]
    assert len(set(told)) == len(told) == 43
    assert {name for _, name in told} == set(NAMES)
    assert len(NAMES) == 12


def test_this_library_names_every_lie() -> None:
    found = program.ask_peers([program.OURS], lies())
    assert {cell for cells in found["results"][program.OURS].values() for cell in cells.values()} == {"told"}
    assert program.untold_by_us(found) == []
    assert "model substituted" in program.terminal(found)


def answer(dump: str = "", warnings: tuple[str, ...] = (), raised: str | None = None) -> dict[str, Any]:
    return {"dump": dump, "warnings": list(warnings), "raised": raised}


MODEL_LIE = next(lie for lie in lies() if (lie.wire, lie.name) == ("openai_chat", "model substituted"))


@pytest.mark.parametrize(
    ("said", "honestly", "verdict"),
    [
        (answer(), answer(), "silent"),
        (answer('"model":"gpt-3.5-turbo"'), answer(), "raw"),
        (answer(warnings=("another model answered",)), answer(), "told"),
        (answer(warnings=("another model answered",)), answer(warnings=("another model answered",)), "silent"),
        (answer(warnings=("unclosed transport",)), answer(), "silent"),
        (answer(raised="ModelMismatch"), answer(), "told"),
        (answer(raised="it can't ask this"), answer(raised="it can't ask this"), ""),
    ],
)
def test_verdicts_on_a_peer(said: dict[str, Any], honestly: dict[str, Any], verdict: str) -> None:
    assert program.judge(MODEL_LIE, said, honestly, ours=False) == verdict


def test_a_field_that_names_the_lie_needs_no_comparison() -> None:
    lie = replace(MODEL_LIE, speaks_for_itself=True)
    assert program.judge(lie, answer("gpt-3.5-turbo"), answer(), ours=False) == "told"


def test_a_warning_of_ours_about_something_else_does_not_count() -> None:
    last = {"event": "panel_final", "model": "gpt-3.5-turbo", "warnings": [{"code": "cached", "message": ""}]}
    assert program.judge(MODEL_LIE, answer(json.dumps(last)), answer(), ours=True) == "raw"


def test_the_results_have_all_peers_and_lies() -> None:
    found = json.loads(program.RESULTS.read_text("utf-8"))
    assert tuple(found["peers"]) == program.PEERS
    assert tuple(found["lies"]) == NAMES
    assert program.untold_by_us(found) == []
