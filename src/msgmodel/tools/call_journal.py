"""The journal of a run of tools, in SQLite: what began and what ended, so that nothing runs twice after a crash.

Rules: a call is begun in the journal before its function is called, and by one process only: the key of the row
decides. A call that began and did not end is `unknown`, and no process runs it again. The state of the run is written
before the first call of a round, because another request to the model would bring other calls.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from time import time
from typing import Any, NamedTuple

import msgspec

from ..errors import ConfigurationError
from ..events import ToolOutcome
from ..messages import JSON

_TABLES = """
CREATE TABLE IF NOT EXISTS runs (
    run_id TEXT PRIMARY KEY,
    state TEXT NOT NULL,      -- plain JSON, from which the run continues
    ended TEXT                -- the terminal event of a run that has ended
);
CREATE TABLE IF NOT EXISTS calls (
    run_id TEXT NOT NULL,
    call_key TEXT NOT NULL,   -- the round and the id of the call
    name TEXT NOT NULL,
    arguments TEXT NOT NULL,
    begun REAL NOT NULL,      -- seconds since 1970
    ended REAL,
    status TEXT,
    result TEXT,              -- JSON
    error TEXT,
    PRIMARY KEY (run_id, call_key)
);
"""
SECONDS_FOR_LOCK = 30.0
"""How long a write waits for another process that writes."""


class CallRecord(NamedTuple):
    """What the journal has of a call. A call that began and did not end has no status there, and is `unknown`."""

    status: ToolOutcome
    result: JSON
    error: str | None
    seconds: float


class CallJournal:
    """A journal, which several threads and processes may use. It belongs to one run.

    Args:
        path: The file. It is made if it does not exist; its folder must exist.
        run_id: The id of the run.

    Raises:
        ConfigurationError: The file can't be opened, or is no journal.
    """

    def __init__(self, path: str | Path, run_id: str) -> None:
        self._run_id = run_id
        self._lock = threading.Lock()
        try:
            self._database = sqlite3.connect(
                path, timeout=SECONDS_FOR_LOCK, isolation_level=None, check_same_thread=False
            )
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=FULL")  # a row that was written survives a loss of power
            self._database.executescript(_TABLES)
        except (sqlite3.Error, TypeError) as error:
            raise ConfigurationError(f"the journal can't be opened: {error}") from None

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    def load_state(self) -> dict[str, Any] | None:
        """Return the state of the run; None if the journal has none."""
        rows = self._execute("SELECT state FROM runs WHERE run_id = ?", self._run_id)
        return msgspec.json.decode(rows[0][0]) if rows else None

    def load_end(self) -> Any:
        """Return the terminal event of the run; None if it has not ended."""
        rows = self._execute("SELECT ended FROM runs WHERE run_id = ?", self._run_id)
        return msgspec.json.decode(rows[0][0]) if rows and rows[0][0] is not None else None

    def save_state(self, state: dict[str, Any], ended: Any = None) -> None:
        """Write the state of the run, and its terminal event if it has ended."""
        end = None if ended is None else msgspec.json.encode(ended).decode()
        self._execute(
            "INSERT INTO runs VALUES (?, ?, ?) "
            "ON CONFLICT (run_id) DO UPDATE SET state = excluded.state, ended = excluded.ended",
            *(self._run_id, msgspec.json.encode(state).decode(), end),
        )

    def find_record(self, call_key: str) -> CallRecord | None:
        """Return what the journal has of a call; None if it did not begin."""
        rows = self._execute(
            "SELECT status, result, error, ended - begun FROM calls WHERE run_id = ? AND call_key = ?",
            *(self._run_id, call_key),
        )
        if not rows:
            return None
        status, result, error, seconds = rows[0]
        if status is None:
            return CallRecord("unknown", None, BEGUN_ELSEWHERE, 0.0)
        return CallRecord(status, None if result is None else msgspec.json.decode(result), error, seconds)

    def begin_call(self, call_key: str, name: str, arguments: str) -> CallRecord | None:
        """Note that a call begins. Return None if it may run, or the record of it if it began before."""
        with self._lock:
            row = (self._run_id, call_key, name, arguments, time())
            cursor = self._database.execute(
                "INSERT OR IGNORE INTO calls (run_id, call_key, name, arguments, begun) VALUES (?, ?, ?, ?, ?)", row
            )
            has_begun = cursor.rowcount == 1
        return None if has_begun else self.find_record(call_key)

    def end_call(self, call_key: str, status: ToolOutcome, result: JSON, error: str | None) -> None:
        """Note how a call ended. What was noted before stands."""
        encoded = None if result is None else msgspec.json.encode(result).decode()
        self._execute(
            "UPDATE calls SET ended = ?, status = ?, result = ?, error = ? "
            "WHERE run_id = ? AND call_key = ? AND status IS NULL",
            *(time(), status, encoded, error, self._run_id, call_key),
        )

    def _execute(self, statement: str, *values: object) -> list[Any]:
        with self._lock:
            return self._database.execute(statement, values).fetchall()


BEGUN_ELSEWHERE = (
    "this call began, and the program ended before the call did: it is not known whether it took effect, and it was "
    "not run again"
)
"""What the model receives instead of the result of such a call."""

JournalFactory = Callable[[str], CallJournal]
