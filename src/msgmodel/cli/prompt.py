"""What a question is made of: prompt, instruction and attachments, from arguments, files and standard input.

Rule: standard input is read only where it is asked for: without a prompt, as the prompt `-`, or as the file `-`. A loop
that reads its lines from there, and a pipe in which nothing ever comes, stay as they are. Its text must be UTF-8.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import ConfigurationError, FileError
from . import display

STDIN = "-"
"""The argument that stands for standard input."""


def prompt(argument: str | None, files: Sequence[str]) -> str:
    """The argument, or what is piped in where there is none; empty where there is neither.

    Raises ConfigurationError.
    """
    if (argument, *files).count(STDIN) > 1:
        raise ConfigurationError("`-` stands for standard input, which can be only one thing: the prompt or one file")
    if argument is not None and argument != STDIN:
        return argument
    if argument is None and (STDIN in files or sys.stdin is None or display.terminal(sys.stdin)):
        return ""
    return decoded(_piped("the prompt")).rstrip("\r\n")


def attachment(name: str) -> Path | tuple[str, bytes]:
    """The file of that name; of `-`, what is piped in, by a name that says no more than that it is text."""
    if name != STDIN:
        return Path(name)
    data = _piped("a file")
    try:
        decoded(data)
    except ConfigurationError:
        return "stdin", data
    return "stdin.txt", data


def _piped(what: str) -> bytes:
    if sys.stdin is None or display.terminal(sys.stdin):
        raise ConfigurationError(f"`-` takes {what} from standard input, where there is nothing: pipe it in")
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        raise ConfigurationError(f"standard input can't be read: {error.strerror or error}") from None


def decoded(data: bytes) -> str:
    """Bytes of standard input as text. Raises ConfigurationError."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"standard input is not UTF-8 (byte 0x{data[error.start]:02x} at offset {error.start}): "
            "attach it with -f - instead"
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
