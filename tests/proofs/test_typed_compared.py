"""Cut replies beside other libraries: this one gives no false value, the judge is fair, the pages have the tables."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from proofs.typed_cases import CUT_REPLIES  # noqa: E402
from proofs.typed_report import TABLES, in_page  # noqa: E402

from proofs import typed_compared as program  # noqa: E402

BILL = json.loads(CUT_REPLIES["bill"])
LIMIT, WHOLE, REFUSED = (program.CutCase("bill", ending, 8) for ending in ("limit", "whole", "refused"))


def test_this_library_gives_no_false_value() -> None:
    found = program.ask_peers([program.OURS])
    assert program.wrong_of_ours(found) == []
    counts = {"whole": {"value": 2}, "refused": {"error": 2}}
    counts |= {ending: {"error": 2 * program.PLACES} for ending in ("limit", "filtered", "broken", "ended", "stop")}
    assert found["results"][program.OURS] == {"query": counts, "stream_panels": counts}


@pytest.mark.parametrize(
    ("case", "answer", "verdict"),
    [
        (WHOLE, {"value": BILL | {"note": None}}, "value"),
        (WHOLE, {"value": BILL | {"total": 1}}, "false"),
        (WHOLE, {"error": "ValidationError"}, "error"),
        (LIMIT, {"value": {"items": [], "total": None}}, "false"),
        (LIMIT, {"value": None}, "error"),
        (REFUSED, {"value": BILL}, "false"),
        (REFUSED, {"value": {}}, "false"),
    ],
)
def test_verdicts(case: program.CutCase, answer: dict[str, Any], verdict: str) -> None:
    assert program.judge(case, answer) == verdict


def test_no_cut_leaves_the_value_complete() -> None:
    for case in program.cut_cases():
        if case.cut:
            rest = CUT_REPLIES[case.kind][case.cut :]
            assert any(character.isalnum() or character == '"' for character in rest), case


def test_the_judge_of_ours_notices() -> None:
    counts = {"whole": {"value": 2}, "limit": {"error": 15, "false": 1}}
    assert len(program.wrong_of_ours({"results": {program.OURS: {"query": counts}}})) == 1
    assert len(program.wrong_of_ours({"results": {program.OURS: {"query": {"whole": {"error": 1}}}}})) == 1


@pytest.mark.parametrize("name", TABLES)
def test_the_pages_have_the_tables(name: str) -> None:
    page = (ROOT / "docs" / TABLES[name][0]).read_text("utf-8")
    assert in_page(page, name) == page
