"""Cut calls beside other libraries: this one runs no half of a call, and the judge is fair."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from proofs import tools_compared as program  # noqa: E402

HALF = ["notes.txt", "one two three", "overwrite"]


def test_this_library_runs_whole_calls_alone() -> None:
    found = program.ask_peers([program.OURS])
    assert program.wrong_of_ours(found) == []
    ended = {ending: {"not run": len(program.CUTS)} for ending in program.ENDINGS}
    assert found["results"][program.OURS] == {
        "whole": {"ran": 1},
        "again": {"ran": 1},
        "twice": {"twice": 1},
        **ended,
    }


@pytest.mark.parametrize(
    ("ran", "verdict"),
    [
        ([], "not run"),
        ([program.WHOLE], "ran"),
        ([program.WHOLE] * 2, "twice"),
        ([HALF], "halved"),
        ([program.WHOLE, HALF], "halved"),
    ],
)
def test_verdicts(ran: list[list[str]], verdict: str) -> None:
    assert program.judge(ran) == verdict


@pytest.mark.parametrize(("ending", "verdict"), [("limit", "halved"), ("whole", "not run"), ("again", "twice")])
def test_the_judge_of_ours_notices(ending: str, verdict: str) -> None:
    assert len(program.wrong_of_ours({"results": {program.OURS: {ending: {verdict: 1}}}})) == 1


def test_each_cut_leaves_the_required_argument_and_takes_the_last() -> None:
    for cut in program.CUTS:
        assert '"notes.txt"' in program.ARGUMENTS[:cut]
        assert '"append"' not in program.ARGUMENTS[:cut]
