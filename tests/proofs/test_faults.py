"""The fault matrix: its judge, its tables, and that this library is right about a sample of it on real sockets."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from proofs.faults_cases import PARTIAL, PLAIN, TEXT, Case, Ending, cases, faults  # noqa: E402
from proofs.faults_judge import VERDICTS, Seen, Verdict, detail, judge  # noqa: E402
from proofs.faults_report import BEGIN, END, in_page, markdown, matrix, summary, terminal  # noqa: E402
from proofs.faults_run import OURS, PEERS, PROGRAM, run, wrong  # noqa: E402

ALL = cases()
RESULTS = ROOT / "bench" / "results" / "faults.json"
ERROR = "library.Error: broke"
SAMPLE = (
    PLAIN,
    "a byte order mark",
    "truncated by the limit",
    "refused or filtered",
    "the body ends cleanly mid-text",
    "RST",
    "broken JSON mid-stream, then the rest",
    "an error event mid-stream",
    "200 with HTML",
    "HTTP 401 that quotes the key",
)


# --- the judge ---


@pytest.mark.parametrize(
    ("ending", "seen", "verdict"),
    [
        ("whole", Seen(TEXT, "stop"), "right"),
        ("whole", Seen(TEXT), "silent"),
        ("whole", Seen(TEXT, "length"), "rejects complete"),
        ("whole", Seen(TEXT, raised=ERROR), "rejects complete"),
        ("whole", Seen(TEXT, error="server: broke"), "rejects complete"),
        ("whole", Seen(PARTIAL, "stop"), "loses text"),
        ("whole", Seen(TEXT[3:], "stop"), "loses text"),
        ("whole", Seen(TEXT[:3] + TEXT[5:], "stop"), "loses text"),
        ("whole", Seen(TEXT + TEXT, "stop"), "wrong text"),
        ("whole", Seen(TEXT[5:] + TEXT[:5], "stop"), "wrong text"),
        ("whole", Seen(TEXT, hung=True), "hangs"),
        ("truncated", Seen(TEXT, "max_tokens"), "right"),
        ("truncated", Seen(TEXT, "a word of a later version"), "right"),
        ("truncated", Seen(TEXT, raised=ERROR), "right"),
        ("truncated", Seen(TEXT, "stop"), "called complete"),
        ("truncated", Seen(TEXT), "silent"),
        ("truncated", Seen(PARTIAL, "length"), "loses text"),
        ("filtered", Seen(TEXT, "content_filter"), "right"),
        ("filtered", Seen(TEXT, "end_turn"), "called complete"),
        ("broken", Seen(TEXT, raised=ERROR), "right"),
        ("broken", Seen(TEXT, error="server: broke"), "right"),
        ("broken", Seen(TEXT, "stop", raised=ERROR), "right"),
        ("broken", Seen(TEXT, "incomplete"), "right"),
        ("broken", Seen(TEXT, "STOP"), "called complete"),
        ("broken", Seen(TEXT, "panel_final"), "called complete"),
        ("broken", Seen(TEXT), "silent"),
        ("broken", Seen(PARTIAL), "silent"),
        ("broken", Seen(TEXT, raised=ERROR, own=False), "foreign error"),
        ("broken", Seen(PARTIAL, raised=ERROR, own=False), "foreign error"),
        ("broken", Seen(PARTIAL, raised=ERROR), "loses text"),
        ("broken", Seen("", error="server: broke"), "loses text"),
        ("broken", Seen("Something else", raised=ERROR), "wrong text"),
        ("broken", Seen(TEXT, raised=ERROR, leaks=("the traceback",)), "leaks the key"),
        ("broken", Seen(TEXT, leaks=("the traceback",)), "silent"),
        ("broken", Seen(PARTIAL, raised=ERROR, hung=True), "hangs"),
    ],
)
def test_verdict(ending: Ending, seen: Seen, verdict: Verdict) -> None:
    assert judge(ending, TEXT, seen) == verdict


def test_detail() -> None:
    assert detail(TEXT, Seen(TEXT, "stop")) == "ended, saying 'stop'"
    assert detail("", Seen()) == "ended, saying nothing"
    assert detail("", Seen(error="server: broke")) == "error event: server: broke"
    assert detail("ab", Seen("a", raised=ERROR, leaks=("x",))) == f"raised {ERROR}; text 'a' of 'ab'; the key is in x"
    assert detail("", Seen(hung=True)) == "no end"


# --- the cases ---


def test_a_prompt_names_one_case() -> None:
    assert len({(case.wire, case.prompt) for case in ALL}) == len(ALL)


def test_every_case_is_in_the_table_once() -> None:
    names = [name for group in faults(ALL).values() for name in group]
    assert len(names) == len(set(names))
    assert set(names) == {case.fault for case in ALL}


# --- on real sockets ---


def test_this_library_is_right() -> None:
    found = run([OURS], [case for case in ALL if case.fault in SAMPLE])
    assert wrong(found) == []
    assert set(summary(found)[0]) == {"", "replies", "right"}


def test_what_is_wrong_is_seen() -> None:
    """The same run against what the replies are not."""

    def lie(case: Case) -> Case:
        return case if case.fault == PLAIN else replace(case, ending="whole" if case.ending == "broken" else "broken")

    chosen = [lie(case) for case in ALL if case.wire == "gemini" and case.fault in (PLAIN, "CRLF", "RST")]
    results = run([OURS], chosen)["results"][OURS]["gemini"]
    verdicts = {fault: [cell["verdict"] for cell in both.values()] for fault, both in results.items()}
    assert verdicts == {PLAIN: ["right"] * 2, "CRLF": ["called complete"] * 2, "RST": ["rejects complete"] * 2}


def test_no_verdict_on_who_reads_no_reply_at_all() -> None:
    """The plain whole reply is an error here, so an error where one is due is no merit."""
    broken = next(case for case in ALL if case.wire == "gemini" and case.fault == "RST")
    both = [replace(broken, fault=PLAIN, ending="whole"), broken]
    results = run([OURS], both)["results"][OURS]["gemini"]
    assert [cell["verdict"] for cell in results[PLAIN].values()] == ["rejects complete"] * 2
    assert [cell["verdict"] for cell in results["RST"].values()] == ["no verdict"] * 2


# --- the tables ---


def both(sync: str, other: str) -> Any:
    return {colour: {"verdict": verdict} for colour, verdict in (("sync", sync), ("async", other))}


FOUND = {
    "peers": {"a": {"version": "1"}, "b": {"version": "2"}},
    "groups": {"All": ["cut", "HTTP 400", "HTTP 401", "HTTP 500"]},
    "results": {
        "a": {
            "gemini": {name: both("right", "right") for name in ("cut", "HTTP 400", "HTTP 401", "HTTP 500")},
            "anthropic": {"cut": both("right", "right")},
        },
        "b": {
            "gemini": {
                "cut": both("silent", "hangs"),
                "HTTP 400": both("right", "right"),
                "HTTP 401": both("right", "right"),
                "HTTP 500": both("silent", "silent"),
            }
        },
    },
}


def test_tables() -> None:
    assert summary(FOUND) == [
        ["", "replies", "right", "hangs", "silent"],
        ["a 1", "10", "10", "", ""],
        ["b 2", "8", "4", "1", "3"],
    ]
    assert matrix(FOUND, "gemini") == [
        ["", "a", "b"],
        ["**All**", "", ""],
        ["cut", "✓", "silent / hangs"],
        ["HTTP 400, 401", "✓", "✓"],
        ["HTTP 500", "✓", "silent"],
    ]
    assert matrix(FOUND, "anthropic") == [["", "a"], ["**All**", ""], ["cut", "✓"]]
    assert "HTTP 400, 401  ✓  ✓\n" in terminal(FOUND)


def test_page() -> None:
    page = in_page(f"before {BEGIN} old {END} after", FOUND)
    assert page == f"before {BEGIN}\n\n{markdown(FOUND)}\n\n{END} after"
    assert in_page(page, FOUND) == page
    with pytest.raises(ValueError, match="no marks"):
        in_page("a page", FOUND)


def test_the_page_shows_the_results() -> None:
    page = (ROOT / "docs" / "faults.md").read_text("utf-8")
    assert in_page(page, json.loads(RESULTS.read_text("utf-8"))) == page
    for verdict in VERDICTS:
        assert f"\n| {verdict.replace('right', '✓')} |" in page


def test_the_results_are_those_of_all() -> None:
    """As many as there are cases now, by every peer on each of its wires; and ours are right."""
    found = json.loads(RESULTS.read_text("utf-8"))
    assert wrong(found) == []
    assert list(found["results"]) == list(PEERS)
    assert found["groups"] == faults(ALL)
    for wires in found["results"].values():
        for wire, results in wires.items():
            assert list(results) == [case.fault for case in ALL if case.wire == wire]


def test_there_is_a_program_for_each_peer() -> None:
    programs = {path.stem for path in PROGRAM.parent.glob("ask_*.py")}
    assert programs == {f"ask_{peer.replace('-', '_')}" for peer in PEERS}
