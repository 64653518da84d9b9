"""Read the prompt, the instruction and the schema from arguments, files and standard input.

Rule: standard input is read only on request: without a prompt, as the prompt `-`, or as the file `-`. Otherwise a shell
loop that reads its own lines from there would lose them, and an idle pipe would block. Its text must be UTF-8.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import ConfigurationError, FileError, quoted
from . import display

STDIN = "-"
"""The argument that stands for standard input."""


def read_prompt(words: Sequence[str], files: Sequence[str]) -> str:
    """Return the prompt.

    Args:
        words: The words on the command line, which need no quotes; none, or `-` alone, read standard input.
        files: The names of the attachments; one of them may be `-` instead.

    Returns:
        The text; empty if there are no words and standard input is a terminal or an attachment.

    Raises:
        ConfigurationError: Standard input is wanted twice, is missing, or is not UTF-8; or a word is the name of a file
            that a shell made of a pattern such as *.py.
    """
    if (*words, *files).count(STDIN) > 1 or (STDIN in files and words == (STDIN,)):
        raise ConfigurationError("`-` is standard input, which can be only one thing: the prompt or one file")
    if words and tuple(words) != (STDIN,):
        _refuse_expanded_pattern(words, files)
        if not files and len(words) > 1 and (name := next((word for word in words if _is_named_file(word)), "")):
            display.print_note(f"{name} is sent as a word: -f {name} attaches the file")
        return " ".join(words)
    if not words and (STDIN in files or sys.stdin is None or display.is_terminal(sys.stdin)):
        return ""
    return decode_stdin(read_stdin("the prompt")).rstrip("\r\n")


def _refuse_expanded_pattern(words: Sequence[str], files: Sequence[str]) -> None:
    """Raise if the shell made several names of `-f *.py`, of which only the first would be attached."""
    name = next((word for word in words[:-1] if files and Path(word).suffix == Path(files[-1]).suffix != ""), "")
    if name and _is_file(name) and _is_file(files[-1]):
        raise ConfigurationError(
            f"{name} would be a word of the prompt, not a file: quote a pattern, as in -f '*{Path(name).suffix}', or "
            "write -f before each file"
        )


def _is_named_file(word: str) -> bool:
    """Return whether a word can only mean a file: it has an ending, no space, and the file exists."""
    return Path(word).suffix != "" and " " not in word and _is_file(word)


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except OSError:  # too long for a name
        return False


def read_stdin(purpose: str) -> bytes:
    """Return all of standard input. Raise ConfigurationError if it is a terminal, closed or unreadable."""
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


def read_schema(value: str | None) -> Any:
    """Return the JSON schema in the text or in the file that it names; "json" for any JSON; None without a value.

    Args:
        value: the value of `--schema`.

    Raises:
        FileError: The file can't be read.
        ConfigurationError: It is not a JSON object.
    """
    if value is None or value == "json":
        return value
    text = value
    if not value.lstrip().startswith("{"):
        try:
            text = Path(value).read_text("utf-8-sig")
        except (OSError, ValueError) as error:
            raise FileError(f"the schema file {value} can't be read: {getattr(error, 'strerror', error)}") from None
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"--schema is not JSON: {error}") from None
    if not isinstance(schema, dict):
        raise ConfigurationError(f'--schema must be a JSON schema, which is an object, or "json": {quoted(text)}')
    return schema


def read_instruction(value: str | None) -> str | None:
    """Return the text itself, or the text of the file that it names. Raise FileError if that file can't be read."""
    if value is None:
        return None
    if not _is_file(value):
        return value
    path = Path(value)
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise FileError(f"the instruction file {path.name} is not UTF-8 text") from None
    except OSError as error:
        raise FileError(f"the instruction file {path.name} can't be read: {error.strerror or error}") from None
