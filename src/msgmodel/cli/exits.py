"""The exit codes: one table for every way in which the program ends, and for its help. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ..errors import AuthenticationError, FileError, MsgModelError, ReplyError, StreamingError, exception
from ..events import PanelError, PanelFinal

OK: Final = 0
CONFIGURATION: Final = 1
KEY: Final = 2
FILE: Final = 3
PROVIDER: Final = 4
STREAM: Final = 5
NO_CODE: Final = 6
NO_OBJECT: Final = 7
INTERRUPTED: Final = 130

EXITS: Final[Mapping[int, str]] = MappingProxyType(
    {
        OK: "ok, also for a reply with a warning, or if the reader of the output leaves",
        CONFIGURATION: "an option, the configuration or the installation is wrong",
        KEY: "no key, or the provider does not accept it",
        FILE: "a file can't be read, or the provider does not take it",
        PROVIDER: "the provider answered with an error",
        STREAM: "the reply was interrupted: network, timeout, or an unreadable stream",
        NO_CODE: "--extract: the reply has no complete block of code",
        NO_OBJECT: "--schema: the reply does not have the format, or is not complete",
        INTERRUPTED: "Ctrl-C; the text so far was printed",
    }
)


def code_for_error(error: MsgModelError) -> int:
    """Return the exit code for an exception of the library."""
    if isinstance(error, ReplyError):
        if error.code == "authentication":
            return KEY
        if isinstance(error, StreamingError):  # first, because a NetworkError is a ReplyError too
            return INTERRUPTED if error.code == "cancelled" else STREAM
        return PROVIDER
    if isinstance(error, AuthenticationError):
        return KEY
    return FILE if isinstance(error, FileError) else CONFIGURATION


def code_for_event(last: PanelFinal | PanelError) -> int:
    """Return the exit code for a terminal event."""
    if last["event"] == "panel_error":
        return code_for_error(exception(last))
    return NO_OBJECT if last.get("errors") else OK


def format_table() -> str:
    """Return the table as lines of text."""
    return "\n".join(f"  {code:>3}  {meaning}" for code, meaning in EXITS.items())
