"""Reads the result of a tool: text, JSON, or parts with files in it. Pure.

Rule: a list is read as parts only if it holds a file or nothing but text. A tool may return any list, also one whose
items have a `type`, such as the files of a folder: such a list is JSON.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ..errors import ConfigurationError, FileError
from .files import read_file_part
from .foreign_messages import read_part_shape
from .lenient_json import mend_all_surrogates, mend_surrogates
from .question import Attachment, FileLink
from .sendable_files import describe_file

ResultPart = str | Attachment | FileLink


def read_result_content(content: Any) -> tuple[str, tuple[ResultPart, ...]]:
    """Return the text of a result, and its texts and files in their order if it has a file.

    Args:
        content: What the caller passed as the result.

    Raises:
        ConfigurationError: JSON can't hold it.
    """
    if isinstance(content, str):
        return mend_surrogates(content), ()
    items = [*content] if isinstance(content, (list, tuple)) else []
    parts = [_read_item(item) for item in items]
    if any(isinstance(part, Attachment | FileLink) for part in parts):
        read = tuple(json_text(item) if part is None else part for item, part in zip(items, parts, strict=True))
        return words_of_parts(read), read
    texts = [part for part in parts if isinstance(part, str)]
    if texts and len(texts) == len(parts):
        return "\n".join(texts), ()
    return json_text(content), ()


def words_of_parts(parts: Sequence[ResultPart]) -> str:
    """Return the text of the parts, with a file named in words."""
    return "\n".join(part if isinstance(part, str) else describe_file(part) for part in parts)


def json_text(value: object) -> str:
    """Return a value as JSON. Raise ConfigurationError if JSON can't hold it."""
    try:
        try:
            return msgspec.json.encode(value).decode()
        except UnicodeEncodeError:
            return msgspec.json.encode(mend_all_surrogates(value)).decode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"can't be written as JSON: {error}") from None


def _read_item(item: Any) -> ResultPart | None:
    """Return an item that is a part; None if it is other data."""
    if not isinstance(item, Mapping):
        return None
    try:
        part = read_part_shape(item)
        if part.get("type") == "text" and part.keys() <= {"type", "text", "annotations", "_meta"}:
            text = part["text"]
            return mend_surrogates(text) if isinstance(text, str) else None
        is_link = "url" in part and part is not item  # a list of files has addresses too
        return read_file_part(part) if part.get("type") == "file" and ("data" in part or is_link) else None
    except (ConfigurationError, FileError, KeyError):
        return None
