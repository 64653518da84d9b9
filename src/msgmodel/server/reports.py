"""How an unexpected exception is put into the log."""

from __future__ import annotations

from traceback import format_tb


def where(error: BaseException) -> str:
    """Its type and its place, without its words, which may quote a prompt, a reply or a key."""
    return f"{type(error).__name__}\n{''.join(format_tb(error.__traceback__))}"
