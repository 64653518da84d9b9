"""The journal: what it keeps over the end of a process, and that no call runs twice."""

from __future__ import annotations

import json
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from tool_runs import Runs, call, results

from msgmodel import ConfigurationError, Conversation, arun_tools, run_tools
from msgmodel.testing import Reply, ScriptedProvider
from msgmodel.tools.call_journal import CallJournal


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


class Notes:
    """A tool, and what it did."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, line: str) -> str:
        """Note a line."""
        if line == "crash":
            raise KeyboardInterrupt
        self.lines.append(line)
        return f"noted {line}"


def test_a_run_that_has_ended_says_the_same_again(runs: Runs, journal: Path) -> None:
    notes = Notes()
    runs.provider.say(Reply("Wait.", tool_calls=[call("c1", "note", line="a")]), "Done.")
    first = runs.events([notes.note], journal=journal, run_id="one")
    again = runs.events([notes.note], journal=str(journal), run_id="one")
    assert again[-1] == json.loads(json.dumps(first[-1]))
    assert [event["event"] for event in again] == ["panel_tool_result", "panel_delta", "panel_final"]
    assert (notes.lines, len(runs.provider.requests)) == (["a"], 2)
    other = runs.events([notes.note], journal=journal, run_id="two")
    assert other[-1]["status"] == "complete"
    assert len(runs.provider.requests) > 2


def test_a_call_that_began_and_did_not_end_is_unknown(runs: Runs, journal: Path) -> None:
    """The rows are those of a process that ended in the second of three calls."""
    notes = Notes()
    calls = [call("c1", "note", line="a"), call("c2", "note", line="b"), call("c3", "note", line="c")]
    runs.provider.say(Reply(tool_calls=calls), "Done.")
    runs.events([notes.note], approval="ask", journal=journal, run_id="one")
    with sqlite3.connect(journal) as database:
        row = "INSERT INTO calls VALUES ('one', ?, 'note', '{}', 1000.0, ?, ?, ?, NULL)"
        database.execute(row, ("1/c1", 1002.5, "done", '"noted a"'))
        database.execute(row, ("1/c2", None, None, None))
    events = runs.events([notes.note], journal=journal, run_id="one")
    one, two, three = sorted(results(events))
    assert one == ("c1", "done", "noted a", None)
    assert two[1:3] == ("unknown", None)
    assert "not known whether it took effect" in (two[3] or "")
    assert three == ("c3", "done", "noted c", None)
    assert notes.lines == ["c"]
    assert next(event["seconds"] for event in events if event.get("id") == "c1") == 2.5
    sent = [each["content"] for each in runs.provider.requests[-1].json["messages"] if each["role"] == "tool"]
    assert sent == ["noted a", two[3], "noted c"]
    with sqlite3.connect(journal) as database:
        assert database.execute("SELECT status FROM calls ORDER BY call_key").fetchall() == [
            ("done",),
            ("unknown",),
            ("done",),
        ]


def test_two_rounds_with_calls_of_the_same_id_run_both(runs: Runs, journal: Path) -> None:
    """Some servers count the calls of each reply from 0."""
    notes = Notes()
    runs.provider.say(
        *(Reply(tool_calls=[call("call_0", "note", line=line)]) for line in ("a", "b")),
        "Done.",
    )
    events = runs.events([notes.note], journal=journal)
    assert notes.lines == ["a", "b"]
    assert [each[2] for each in results(events)] == ["noted a", "noted b"]


def test_two_processes_with_one_run_call_each_function_once(provider: ScriptedProvider, journal: Path) -> None:
    """Both begin at the same time; threads stand for the processes, because each run has a connection of its own."""
    notes, start, seen = Notes(), threading.Barrier(2), []
    provider.say(Reply(tool_calls=[call("c1", "note", line="a"), call("c2", "note", line="b")]))
    options: Any = {"config": provider.config("openai_chat"), "journal": journal, "run_id": "one"}
    list(run_tools("openai", "Go", tools=[notes.note], approval="ask", **options))
    provider.say("Done.")

    def work() -> None:
        start.wait(20)
        seen.append(list(run_tools("openai", "Go", tools=[notes.note], **options)))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(notes.lines) == ["a", "b"]
    statuses = [[call["status"] for call in events[-1]["run"]["calls"]] for events in seen]
    assert {status for each in statuses for status in each} <= {"done", "unknown"}


def test_a_conversation_continues_from_the_journal(runs: Runs, journal: Path) -> None:
    notes = Notes()
    runs.provider.say(Reply(tool_calls=[call("c1", "note", line="a")]), Reply("Do", cut_after=1), "Done.")
    options: Any = {"tools": [notes.note], "journal": journal, "run_id": "one", "max_retries": 0}
    chat = Conversation("openai", config=runs.provider.config("openai_chat"))
    runs.read(runs.converse(chat, "Go", **options))
    again = Conversation("openai", config=runs.provider.config("openai_chat"))
    assert runs.read(runs.converse(again, "Go", **options))[-1]["status"] == "complete"
    assert [message["role"] for message in again.messages] == ["user", "assistant", "tool", "assistant"]
    assert notes.lines == ["a"]


def test_a_journal_that_can_not_be_opened(provider: ScriptedProvider, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("not a database, and longer than its header" * 50)
    for path in (tmp_path / "absent" / "runs.db", other, tmp_path):
        for function in (run_tools, arun_tools):
            with pytest.raises(ConfigurationError, match="the journal can't be opened"):
                function(
                    "openai",
                    "Go",
                    config=provider.config("openai_chat"),
                    tools=[Notes().note],
                    journal=path,
                    run_id="x",
                )


@pytest.mark.parametrize("table", ["runs", "calls"])
def test_a_journal_that_can_not_be_written_runs_nothing(runs: Runs, journal: Path, table: str) -> None:
    notes = Notes()
    runs.provider.say(Reply("x", tool_calls=[call("c1", "note", line="a")]), "Done.")
    run = runs.start([notes.note], journal=journal, run_id="one", approve=lambda pending: True)
    with sqlite3.connect(journal) as database:
        database.execute(f"DROP TABLE {table}")
    ((_, status, _, error),) = results(runs.read(run))
    assert (status, notes.lines) == ("failed" if table == "calls" else "not_run", [])
    assert (error or "").startswith("the call was not run, because the journal can't be written")


def test_a_run_that_is_not_read_closes_its_journal(runs: Runs, journal: Path) -> None:
    """Closed twice, and also if an argument was wrong: an open database is a warning in Python 3.13."""
    run = runs.start([Notes().note], journal=journal)
    for _ in range(2):
        if runs.is_async:
            runs.colour.run(run.aclose())  # type: ignore[union-attr]
        else:
            run.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        run._journal.load_state()
    with pytest.raises(ConfigurationError, match="prompt is empty"):
        runs.start([Notes().note], "", journal=journal)


def test_a_journal_ends_each_call_once(journal: Path) -> None:
    kept = CallJournal(journal, "one")
    assert kept.begin_call("1/c1", "note", "{}") is None
    again = kept.begin_call("1/c1", "note", "{}")
    assert again is not None
    assert again.status == "unknown"
    kept.end_call("1/c1", "done", {"a": 1}, None)
    kept.end_call("1/c1", "failed", None, "late")
    found = kept.find_record("1/c1")
    assert found is not None
    assert (found.status, found.result, found.error) == ("done", {"a": 1}, None)
    kept.close()
