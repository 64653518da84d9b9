"""The texts that a question is made of: the prompt, from the argument and from standard input, and the instruction.

Rule: standard input is read only where it is not a terminal, and its bytes must be UTF-8.
"""

from __future__ import annotations

import sys
from pathlib import Path
from threading import Timer

from ..errors import ConfigurationError, FileError
from . import display

STDIN = "-"
"""The argument that stands for standard input."""

_PATIENCE_SECONDS = 2.0


def prompt(argument: str | None) -> str:
    """The argument, then what is piped in, with a blank line between; empty where there is neither.

    Raises ConfigurationError.
    """
    if argument == STDIN and display.terminal(sys.stdin):
        raise ConfigurationError("`-` takes the prompt from standard input, which is a terminal: pipe it in")
    given = "" if argument is None or argument == STDIN else argument
    return "\n\n".join(text for text in (given, _piped(bool(given))) if text)


def _piped(optional: bool) -> str:
    if sys.stdin is None or display.terminal(sys.stdin):
        return ""
    # A script or a scheduler may hand down a pipe in which nothing ever comes: this says what is waited for.
    patience = Timer(_PATIENCE_SECONDS, display.note, ["reading standard input (</dev/null if there is none)"])
    patience.daemon = True
    if optional:
        patience.start()
    try:
        data = sys.stdin.buffer.read()
    except OSError as error:
        raise ConfigurationError(f"standard input can't be read: {error.strerror or error}") from None
    finally:
        patience.cancel()
    return decoded(data).rstrip("\r\n")


def decoded(data: bytes) -> str:
    """Bytes of standard input as text. Raises ConfigurationError."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"standard input is not UTF-8 (byte 0x{data[error.start]:02x} at offset {error.start}): "
            "attach a file with -f instead"
        ) from None


def instruction(value: str | None) -> str | None:
    """The text itself, or that of the file which it names. Raises FileError."""
    if value is None:
        return None
    path = Path(value)
    try:
        if not path.is_file():
            return value
    except OSError:  # too long for a name
        return value
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise FileError(f"the instruction file {path.name} is not UTF-8 text") from None
    except OSError as error:
        raise FileError(f"the instruction file {path.name} can't be read: {error.strerror or error}") from None
