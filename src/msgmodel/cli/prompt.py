"""Read the prompt, the instruction and the attachments from arguments, files and standard input.

Rule: standard input is read only on request: without a prompt, as the prompt `-`, or as the file `-`. Otherwise a shell
loop that reads its own lines from there would lose them, and an idle pipe would block. Its text must be UTF-8.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import ConfigurationError, FileError
from . import display

STDIN = "-"
"""The argument that stands for standard input."""


def read_prompt(argument: str | None, files: Sequence[str]) -> str:
    """Return the prompt.

    Args:
        argument: the argument on the command line; None or `-` reads standard input.
        files: the names of the attachments; one of them may be `-` instead.

    Returns:
        The text; empty if there is no argument and standard input is a terminal or an attachment.

    Raises:
        ConfigurationError: standard input is wanted twice, is missing, or is not UTF-8.
    """
    if (argument, *files).count(STDIN) > 1:
        raise ConfigurationError("`-` is standard input, which can be only one thing: the prompt or one file")
    if argument is not None and argument != STDIN:
        return argument
    if argument is None and (STDIN in files or sys.stdin is None or display.is_terminal(sys.stdin)):
        return ""
    return decode_stdin(_read_stdin("the prompt")).rstrip("\r\n")


def read_attachment(name: str) -> Path | tuple[str, bytes]:
    """Return the path of an attachment; for `-` the bytes of standard input, named `stdin.txt` if they are text."""
    if name != STDIN:
        return Path(name)
    data = _read_stdin("a file")
    try:
        decode_stdin(data)
    except ConfigurationError:
        return "stdin", data
    return "stdin.txt", data


def _read_stdin(purpose: str) -> bytes:
    if sys.stdin is None or display.is_terminal(sys.stdin):
        raise ConfigurationError(f"`-` takes {purpose} from standard input, which is a terminal or closed: pipe it in")
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        raise ConfigurationError(f"standard input can't be read: {error.strerror or error}") from None


def decode_stdin(data: bytes) -> str:
    """Return bytes of standard input as text. Raise ConfigurationError if they are not UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"standard input is not UTF-8 (byte 0x{data[error.start]:02x} at offset {error.start}): "
            "attach it with -f - instead"
        ) from None


def read_instruction(value: str | None) -> str | None:
    """Return the text itself, or the text of the file that it names. Raise FileError if that file can't be read."""
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
