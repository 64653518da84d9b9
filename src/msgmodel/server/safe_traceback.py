"""How an error of the application is written to the log."""

from __future__ import annotations

from traceback import format_tb


def traceback_without_messages(error: BaseException) -> str:
    """Return the type and the traceback of an error without its message, which may quote a prompt, a reply or a key."""
    return f"{type(error).__name__}\n{''.join(format_tb(error.__traceback__))}"
