"""The proof of tools in small: the stream cut at some events, the process killed at some steps; and its judge."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from proofs.tool_effects import judge_case, run_proof  # noqa: E402


@pytest.mark.skipif(sys.platform == "win32", reason="it forks")
@pytest.mark.long
def test_each_effect_is_there_once_or_told() -> None:
    """The steps are 97 lines apart, so that the process is killed in 21 places of a run."""
    results = run_proof(97)
    assert {name: row["wrong"] for name, row in results.items() if row["wrong"]} == {}
    assert {name: row["cases"] > 20 for name, row in results.items()} == dict.fromkeys(results, True)
    assert len(results) == 4
    assert sum(row["calls"]["once"] for row in results.values()) > 200


@pytest.mark.parametrize(
    ("lines", "statuses", "verdict"),
    [
        ("one two three", {"c1": "done", "c2": "done", "c3": "done"}, {"once": 3}),
        ("one three", {"c1": "done", "c2": "unknown", "c3": "done"}, {"once": 2, "told": 1}),
        ("one two three", {"c1": "done", "c2": "unknown", "c3": "done"}, {"once": 2, "told": 1}),
        ("one two two three", {"c1": "done", "c2": "unknown", "c3": "done"}, {"once": 2, "twice": 1}),
        ("one three", {"c1": "done", "c2": "done", "c3": "done"}, {"once": 2, "lost": 1}),
        ("one two", {"c1": "done", "c2": "done"}, {"once": 2, "lost": 1}),
        ("one two three", {"c1": "done", "c2": "done", "c3": "failed"}, {"once": 2, "lost": 1, "lied": 1}),
    ],
)
def test_the_judge(tmp_path: Path, lines: str, statuses: dict[str, str], verdict: dict[str, int]) -> None:
    (tmp_path / "effects.txt").write_text("\n".join(lines.split()))
    said: Any = {"events": [{"run": {"calls": [{"id": id, "status": status} for id, status in statuses.items()]}}]}
    assert judge_case(str(tmp_path), said) == verdict
