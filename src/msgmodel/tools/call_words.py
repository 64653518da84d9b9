"""What the model and the caller read about calls in a run of tools that brought no result. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from ..question.redaction import safe_for_display

HALTED: Final[Mapping[str, str]] = {
    "cancelled": "the run was stopped",
    "timeout": "the run did not end before its deadline",
}
"""Why a run ended early, by the code of its error."""

CUT_REPLY: Final = "the reply was cut off or failed before it ended, so its calls were not run"
CANCELLED_ITSELF: Final = "the function was canceled"
REFUSED: Final = "the user refused this call"
CHANGED: Final = "Before the call ran, the user changed its arguments to {arguments}."
NO_OBJECT: Final = "the arguments are not a JSON object: call the tool again"
ROUNDS_USED: Final = "the run has used its {limit} requests to the model, so the call was not run"
CALLS_USED: Final = "the run has used its {limit} calls, so the call was not run: answer without more calls"

_SECRET = re.compile(
    r"((?:api[-_]?key|access[-_]?key|authorization|bearer|password|passwd|secret|token)[\"']?\s*[:=]?\s*[\"']?(?:bearer\s+)?)"
    r"[^\s\"',;)]{8,}",
    re.IGNORECASE,
)
"""A word for a secret, and what stands after it: an exception of an HTTP library may quote a header."""
_KEY = re.compile(r"\b(?:sk|pk|rk|ghp|gho|xox[abp]|AKIA|AIza|hf)[-_A-Za-z0-9]{16,}")
"""Keys of well-known services, by their first letters."""


def time_limit(seconds: float) -> str:
    """Return the words for a function that took too long."""
    return f"the function did not end within {seconds:g} seconds"


def still_running(reason: str) -> str:
    """Return the words for a function that was asked to end, and did not."""
    return f"{reason or HALTED['cancelled']}, and it may still be running: it is not known whether it took effect"


def no_such_tool(names: Collection[str]) -> str:
    """Return the words for a call of a tool that does not exist."""
    return f"there is no tool of this name; the tools are: {', '.join(names)}"


def wrong_arguments(error: object) -> str:
    """Return the words for arguments that do not fit the schema of the tool."""
    return f"the arguments do not fit the tool: {error}; call it again with other arguments"


def words_of_error(error: BaseException) -> str:
    """Return the type and the message of an exception. Its traceback, its cause and its notes are not shown."""
    try:
        message = str(error)
    except Exception:
        message = ""
    name = type(error).__name__
    return f"{name}: {message}" if message else name


def no_journal(error: Exception) -> str:
    """Return the words for a call that does not run because the journal can't note it."""
    return f"the call was not run, because the journal can't be written: {error}"


def failed_approval(error: Exception) -> str:
    """Return the reason of the refusal if the function that approves raised an exception."""
    return f"the approval failed with {type(error).__name__}"


def safe_words(words: str, secrets: Sequence[str]) -> str:
    """Return words on one line, short, and without what looks like a secret."""
    words = _SECRET.sub(r"\1[secret]", _KEY.sub("[secret]", words[:4096]))
    return safe_for_display(words, secrets)
