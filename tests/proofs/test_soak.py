"""The soak in small: `proofs/soak.py` for half a minute, and that it would see what it looks for."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("redis")
pytest.importorskip("uvloop")

PROOFS = Path(__file__).parents[2] / "proofs"


@pytest.fixture
def proofs(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports a module of the proofs."""
    monkeypatch.syspath_prepend(str(PROOFS))
    return importlib.import_module


@pytest.mark.skipif(sys.platform != "linux", reason="the soak looks into /proc")
@pytest.mark.skipif(shutil.which("redis-server") is None, reason="there is no redis-server")
@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_short_soak(proofs: Any, tmp_path: Path) -> None:
    """Forty streams at a time: all faults, all kinds of readers, and nothing left in the end."""
    results = tmp_path / "soak.json"
    command = [sys.executable, str(PROOFS / "soak.py"), "--results", str(results)]
    command += ["--minutes", "0.6", "--streams", "40", "--shortest", "1", "--longest", "5", "--ramp", "3"]
    command += ["--grace", "6", "--ttl", "22.5", "--tombstone", "9", "--warm-up", "20"]
    soak = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert results.exists(), soak.stderr
    result = json.loads(results.read_text("utf-8"))
    grows = [row["name"] for row in result["growth"] if not row["within"]]
    # What grows in seconds is the warm-up; that is judged in the long run alone.
    assert [wrong for wrong in result["wrong"] if not any(wrong.startswith(name) for name in grows)] == []
    assert result["streams"] > 100
    faults = {fault for fault, _, _ in result["endings of panels"]}
    assert len(faults) > 9, faults
    assert faults >= {"endless text", "endless arguments", "endless 1xx"}
    assert set(result["readers"]) == set(proofs("soak_plan").BEHAVIOURS)
    assert "streams in" in soak.stdout


def delta(text: str) -> bytes:
    return json.dumps({"event": "panel_delta", "panel_id": "a", "delta": text}).encode()


def end(kind: str, content: str, **fields: str) -> bytes:
    return json.dumps({"event": kind, "panel_id": "a", "content": content, **fields}).encode()


def final(content: str) -> bytes:
    return end("panel_final", content, status="complete")


ENDLESS = "0 1 " + "again " * 5_000


def one_panel(proofs: Any, fault: str) -> Any:
    """The plan of a stream that says "0 1 2 ", with this fault after two pieces."""
    plan = proofs("soak_plan")
    panel = plan.Panel("a", "openai_chat", ("0 ", "1 ", "2 "), fault, 2, False)
    return replace(plan.Plan(1, 1.0, 2.0).stream(1), panels=(panel,))


@pytest.mark.parametrize(
    ("fault", "events", "wrong"),
    [
        ("", [delta("0 "), delta("1 2 "), final("0 1 2 ")], ""),
        ("", [delta("0 "), delta("2 ")], "in the place of"),
        ("", [delta("0 "), delta("0 ")], "in the place of"),
        ("", [delta("0 1 "), final("0 1 ")], "2 characters missing"),
        ("", [delta("0 1 2 "), final("0 1 ")], "not the text of its deltas"),
        ("", [delta("0 1 2 ")], "without a terminal event"),
        ("", [delta("0 1 2 "), final("0 1 2 "), final("0 1 2 ")], "after the end"),
        ("", [delta("0 1 2 "), end("panel_error", "0 1 2 ", code="interrupted")], "not complete"),
        ("clean cut", [delta("0 1 "), end("panel_error", "0 1 ", code="interrupted")], ""),
        ("clean cut", [delta("0 1 "), final("0 1 ")], "ended as complete, not interrupted"),
        ("clean cut", [delta("0 "), end("panel_error", "0 ", code="interrupted")], "2 characters missing"),
        ("500", [end("panel_error", "", code="server")], ""),
        ("500", [end("panel_retry", "", reason="retry"), end("panel_error", "", code="server")], ""),
        ("500", [end("panel_retry", "", reason="fallback"), end("panel_error", "", code="server")], "no panel_retry"),
        ("endless text", [delta("0 1 "), end("panel_error", "0 1 ", code="reply_too_large")], "characters missing"),
        ("endless text", [delta(ENDLESS), end("panel_error", ENDLESS, code="reply_too_large")], ""),
        ("stall", [delta("0 1 "), end("panel_error", "0 1 ", code="cancelled")], "not timeout"),
    ],
)
def test_a_reader_sees_what_is_wrong(proofs: Any, fault: str, events: list[bytes], wrong: str) -> None:
    record = proofs("soak_record").Record(one_panel(proofs, fault))
    said = ""
    try:
        for number, event in enumerate(events, 1):
            record.add(number, event)
        record.check()
    except proofs("soak_http").Wrong as error:
        said = str(error)
    assert wrong in said
    assert bool(said) == bool(wrong)


def test_a_reader_sees_a_gap(proofs: Any) -> None:
    record = proofs("soak_record").Record(one_panel(proofs, ""))
    record.add(1, delta("0 "))
    with pytest.raises(proofs("soak_http").Wrong, match="event 3 after 1"):
        record.add(3, delta("1 "))


def snapshot(content: str) -> bytes:
    panel = {"panel_id": "a", "content": content, "end": None}
    return json.dumps({"event": "stream_snapshot", "panels": [panel], "batch": None}).encode()


def test_a_reader_takes_an_older_snapshot_and_what_comes_after_it(proofs: Any) -> None:
    record = proofs("soak_record").Record(one_panel(proofs, ""))
    record.add(1, delta("0 "))
    record.add(2, delta("1 "))
    record.add(1, snapshot("0 "))
    for number, event in enumerate([delta("1 "), delta("2 "), final("0 1 2 ")], 2):
        record.add(number, event)
    record.check()
    record = proofs("soak_record").Record(one_panel(proofs, ""))
    record.add(1, delta("0 "))
    with pytest.raises(proofs("soak_http").Wrong, match="lacks what was read"):
        record.add(2, snapshot(""))


@pytest.mark.parametrize(("an_hour", "within"), [(0.0, True), (10.0, True), (100.0, False)])
def test_growth_is_seen(proofs: Any, an_hour: float, within: bool) -> None:
    """Of a worker of 150 MB that is watched for a quarter of an hour."""
    samples = [
        {"seconds": second, "workers: RSS MB": 150.0 + an_hour * second / 3600 + second % 3, "live": 500.0}
        for second in range(0, 900, 2)
    ]
    (row,) = proofs("soak_samples").growth(samples)
    assert row.within == within
    assert row.an_hour == pytest.approx(an_hour, abs=1.0)
