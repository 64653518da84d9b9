"""How a fault is put into the log, and what of it a client is told."""

from __future__ import annotations

import re
from traceback import format_tb

_NAMES_A_HOST = (
    (r"can't connect to .*: no answer in time", "can't connect to the provider: no answer in time"),
    (
        r"can't connect to .*CERTIFICATE_VERIFY_FAILED.*mismatch.*",
        "can't connect to the provider: its certificate is for another hostname",
    ),
    (
        r"can't connect to .*CERTIFICATE_VERIFY_FAILED.*",
        "can't connect to the provider: its certificate is not trusted",
    ),
    (r"can't connect to .*", "can't connect to the provider"),
    (
        r"the connection to .* broke (before an answer|in the middle of the reply).*",
        r"the connection to the provider broke \1",
    ),
    (r"no text from .* within the time limit.*", "no text from the provider within the time limit"),
    (
        r"the (?:proxy|certificates) .* can't be used.*",
        "the provider can't be reached: the server is not set up for it",
    ),
)
"""What the library says of a connection, and what a client may know of it."""


def traceback_without_messages(error: BaseException) -> str:
    """Its type and its place, without its words, which may quote a prompt, a reply or a key."""
    return f"{type(error).__name__}\n{''.join(format_tb(error.__traceback__))}"


def without_host(message: str) -> str:
    """Return an error for a client: behind a public server a host, a port or a proxy is an internal name."""
    for pattern, words in _NAMES_A_HOST:
        if match := re.fullmatch(pattern, message, re.DOTALL):
            return match.expand(words)
    return message
