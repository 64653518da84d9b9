"""`proofs/typed.py` on two short replies; and its judge notices what is false."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from proofs.typed import check_cuts, join_again, judge_events
from proofs.typed_cases import TypedCase, typed_cases

CASE = TypedCase("case", '{"a": [1, 22]}', {"a": [1, 22]}, "json")


def test_short_replies() -> None:
    cases = [case for case in typed_cases(60) if len(case.text) < 50][:2]
    for number, case in enumerate(cases):
        counts, wrong = check_cuts(case)
        assert (sum(counts.values()), wrong) == (4 * len(case.text), [])
        counts, wrong = join_again(number, case)
        assert wrong == []


@pytest.mark.parametrize(
    ("event", "last"),
    [
        ({"event": "panel_object", "value": {"a": [1, 2]}, "open": "/a"}, {}),
        ({"event": "panel_object", "value": {"a": [1]}, "open": None}, {}),
        ({"event": "panel_item", "index": 0, "item": 1}, {}),
        (None, {"object": {"a": [1, 2]}}),
        (None, {"errors": []}),
    ],
)
def test_the_judge_notices(event: Any, last: dict[str, Any]) -> None:
    honest = {"event": "panel_final", "object": None, "content": '{"a": [1, 2', "errors": [{"path": "/a/1"}]}
    assert list(judge_events([honest], CASE, is_whole=False)) == []
    events = [event] * (event is not None) + [honest | last]
    assert len(list(judge_events(events, CASE, is_whole=False))) == 1
