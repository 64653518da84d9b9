"""The exit codes: one table, for every way in which the program ends and for its help. Pure."""

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
INTERRUPTED: Final = 130

EXITS: Final[Mapping[int, str]] = MappingProxyType(
    {
        OK: "ok, also for a reply with a warning, and when whoever reads the output goes away",
        CONFIGURATION: "an option, the configuration or the installation is wrong",
        KEY: "no key, or the provider does not accept it",
        FILE: "a file can't be read, or the provider does not take it",
        PROVIDER: "the provider answered with an error",
        STREAM: "the reply broke off: network, timeout, or bytes that make no sense",
        INTERRUPTED: "Ctrl-C; what had arrived was printed",
    }
)


def of_error(error: MsgModelError) -> int:
    """The code for an exception of the library."""
    if isinstance(error, ReplyError):
        if error.code == "authentication":
            return KEY
        if isinstance(error, StreamingError):  # first, as a NetworkError is both
            return INTERRUPTED if error.code == "cancelled" else STREAM
        return PROVIDER
    if isinstance(error, AuthenticationError):
        return KEY
    return FILE if isinstance(error, FileError) else CONFIGURATION


def of_event(last: PanelFinal | PanelError) -> int:
    """The code for a terminal event."""
    return OK if last["event"] == "panel_final" else of_error(exception(last))


def table() -> str:
    """The table as lines of text."""
    return "\n".join(f"  {code:>3}  {meaning}" for code, meaning in EXITS.items())
