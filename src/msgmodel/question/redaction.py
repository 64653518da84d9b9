"""Text that may be shown: without keys, passwords in URLs and control characters, and short. Pure.

Rule: every text of a provider or server passes through here before it becomes an error message.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

READ_LIMIT = 64 * 1024
_MESSAGE_LIMIT = 600
_URL = re.compile(r"([a-z][a-z0-9+.-]{0,31}://)(?:[^\s/@]*@)?([^\s?#\"'<>]*)(?:[?#][^\s\"'<>]*)?", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def redact(text: str, secrets: Sequence[str]) -> str:
    """`text` without keys."""
    for secret in secrets:
        text = text.replace(secret, "[key]")
    return text


def safe_for_display(message: str, secrets: Sequence[str] = ()) -> str:
    """`message` on one line, short, without control characters, keys, and queries or passwords in URLs."""
    message = redact(message, secrets)[:READ_LIMIT]
    message = _URL.sub(r"\1\2", message)
    message = " ".join(_CONTROL.sub(" ", message).split())
    return message if len(message) <= _MESSAGE_LIMIT else message[: _MESSAGE_LIMIT - 1] + "…"
