"""The log of replies: an SQLite file that only the user can read.

Rule: nothing is written unless the user turned the log on. It never holds a key: one that a prompt quotes is replaced.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypedDict

from ..errors import AuthenticationError, ConfigurationError
from ..events import PanelError, PanelFinal
from ..providers import PROVIDERS
from ..registry import environment
from ..registry.user_folders import data_folder
from . import display

_FILE_NAME: Final = "logs.db"
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS replies (
    id INTEGER PRIMARY KEY, conversation TEXT NOT NULL, asked_at TEXT NOT NULL, provider TEXT NOT NULL,
    model TEXT NOT NULL, prompt TEXT NOT NULL, files TEXT NOT NULL, content TEXT NOT NULL, ending TEXT NOT NULL,
    finish_reason TEXT, error TEXT, input_tokens INTEGER, output_tokens INTEGER, cost REAL, cost_source TEXT,
    seconds REAL NOT NULL, request_id TEXT
)"""
_SHORTEST_KEY: Final = 8


class LoggedReply(TypedDict):
    """A row of the log."""

    id: int
    conversation: str
    """The replies of one conversation have the same id."""
    asked_at: str
    """The time in UTC, as ISO 8601 writes it."""
    provider: str
    model: str
    prompt: str
    files: str
    content: str
    ending: str
    """The status of a complete stream, or the code of its error."""
    finish_reason: str | None
    error: str | None
    input_tokens: int | None
    output_tokens: int | None
    cost: float | None
    cost_source: str | None
    seconds: float
    request_id: str | None


def log_path() -> Path:
    """Return the path of the log, even if it does not exist."""
    try:
        return data_folder() / _FILE_NAME
    except RuntimeError as error:
        raise ConfigurationError(f"there is no place for the log: {error}; set MSGMODEL_HOME") from None


def record_reply(conversation: str, prompt: str, files: Sequence[str], last: PanelFinal | PanelError) -> None:
    """Add a reply to the log; print a note if that fails, because the reply itself was shown.

    Args:
        conversation: The id of the conversation.
        prompt: The question.
        files: The names of its files.
        last: The last event of the reply.
    """
    is_final = last["event"] == "panel_final"
    usage = last["usage"]
    row = {
        "conversation": conversation,
        "asked_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "provider": last["provider"],
        "model": last["model"],
        "prompt": _without_keys(prompt),
        "files": ", ".join(files),
        "content": _without_keys(last["content"] or last.get("refusal", "")),
        "ending": last["status"] if last["event"] == "panel_final" else last["code"],
        "finish_reason": last["finish_reason"] if last["event"] == "panel_final" else None,
        "error": None if is_final else _without_keys(last["error"]),  # type: ignore[typeddict-item]
        "input_tokens": usage["input_tokens"],
        "output_tokens": usage["output_tokens"],
        "cost": last["cost"],
        "cost_source": last["cost_source"],
        "seconds": last["timing"]["total_seconds"],
        "request_id": last["request_id"],
    }
    names = ", ".join(row)
    try:
        with _open_log(create=True) as log, log:
            log.execute(f"INSERT INTO replies ({names}) VALUES ({', '.join('?' * len(row))})", [*row.values()])  # noqa: S608
    except (OSError, sqlite3.Error, ConfigurationError) as error:
        display.print_note(f"the reply is not in the log: {getattr(error, 'strerror', None) or error}")


def find_replies(
    words: Sequence[str] = (), *, provider: str | None = None, since: datetime | None = None, limit: int = 20
) -> list[LoggedReply]:
    """Return the replies in the log, the latest first.

    Args:
        words: Words that the prompt or the reply must hold, all of them, in any case.
        provider: The name of the provider. Default: any.
        since: The earliest time.
        limit: The largest number of replies.
    """
    conditions, values = ["1"], list[Any]()
    for word in words:
        conditions.append("instr(casefold(prompt || char(10) || content || char(10) || files), ?)")
        values.append(word.casefold())
    if provider is not None:
        conditions.append("provider = ?")
        values.append(provider)
    if since is not None:
        conditions.append("asked_at >= ?")
        values.append(since.astimezone(UTC).isoformat(timespec="seconds"))
    query = f"SELECT * FROM replies WHERE {' AND '.join(conditions)} ORDER BY id DESC LIMIT ?"  # noqa: S608
    return _select_replies(query, [*values, limit])


def find_reply(number: int | None) -> LoggedReply:
    """Return a reply by its number; the latest one for None.

    Raises:
        ConfigurationError: There is none.
    """
    condition, values = ("1", []) if number is None else ("id = ?", [number])
    found = _select_replies(f"SELECT * FROM replies WHERE {condition} ORDER BY id DESC LIMIT 1", values)  # noqa: S608
    if not found:
        raise ConfigurationError(f"there is no reply {number or ''} in the log: `msgmodel logs` lists them")
    return found[0]


def delete_log() -> bool:
    """Delete the log. Return False if there was none."""
    try:
        log_path().unlink()
    except FileNotFoundError:
        return False
    return True


def _select_replies(query: str, values: Sequence[Any]) -> list[LoggedReply]:
    if not log_path().exists():
        return []
    try:
        with _open_log(create=False) as log:
            return [dict(row) for row in log.execute(query, values)]  # type: ignore[misc]
    except sqlite3.Error as error:
        raise ConfigurationError(f"the log {log_path()} can't be read: {error}") from None


@contextmanager
def _open_log(*, create: bool) -> Iterator[sqlite3.Connection]:
    path = log_path()
    if create:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        path.chmod(0o600)  # `os.open` sets the mode only of a new file
    with closing(sqlite3.connect(path, timeout=10)) as log:
        log.row_factory = sqlite3.Row
        log.create_function("casefold", 1, lambda text: str(text).casefold(), deterministic=True)
        if create:
            log.execute(_SCHEMA)
        yield log


def _without_keys(text: str) -> str:
    for row in PROVIDERS.values():
        try:
            key = environment.find_key(row)
        except AuthenticationError:
            continue
        if key is not None and len(key.value) >= _SHORTEST_KEY:
            text = text.replace(key.value, "[key]")
    return text
