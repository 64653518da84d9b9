"""Compare what a caller learned about a reply with what the reply was. Pure.

The rule: only what the caller of the library's streaming API gets counts: the text, and the sign at the end. An
exception is a sign, and so is an error event, or a finish reason other than that of a complete reply.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from proofs.faults_cases import Ending

Verdict: TypeAlias = Literal[
    "right",
    "hangs",
    "called complete",
    "silent",
    "foreign error",
    "loses text",
    "wrong text",
    "rejects complete",
    "leaks the key",
    "no verdict",
]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
"""If several fit, a cell shows the first; `right` only if none does."""

WHOLE_WORDS = frozenset({"stop", "completed", "complete", "end_turn", "stop_sequence", "STOP", "panel_final"})
"""Words that mean a complete reply, as the libraries report them."""


@dataclass(frozen=True)
class Seen:
    """What a caller received. `word`: the last finish reason or status; `error`: an error event in the stream."""

    text: str = ""
    word: str | None = None
    error: str | None = None
    raised: str | None = None
    """The exception, as its type and message."""
    own: bool = True
    """Whether the exception is one that the library documents as its own."""
    hung: bool = False
    leaks: tuple[str, ...] = ()
    """Where the key appeared."""

    @classmethod
    def of(cls, found: dict[str, Any]) -> Seen:
        """As a peer's program reports it."""
        return cls(**found | {"leaks": tuple(found["leaks"])})


def judge(ending: Ending, text: str, seen: Seen) -> Verdict:
    """Return the verdict on one reply with this ending, after this text had arrived."""
    found = _faults(ending, text, seen)
    return min(found, key=VERDICTS.index, default="right")


def _faults(ending: Ending, text: str, seen: Seen) -> set[Verdict]:
    found: set[Verdict] = set()
    if seen.leaks:
        found.add("leaks the key")
    if seen.hung:
        return found | {"hangs"}
    failed = seen.raised is not None or seen.error is not None
    if ending == "whole":
        if failed or seen.word not in (None, *WHOLE_WORDS):
            return found | {"rejects complete"}
        if seen.word is None:
            found.add("silent")
    elif not failed and seen.word is None:
        found.add("silent")
    elif not failed and seen.word in WHOLE_WORDS:
        found.add("called complete")
    if seen.raised is not None and not seen.own:
        found.add("foreign error")
    if seen.text != text:
        found.add("loses text" if _has_holes(seen.text, text) else "wrong text")
    return found


def _has_holes(seen: str, text: str) -> bool:
    """Return whether it is the text with parts left out, and nothing else."""
    rest = iter(text)
    return all(character in rest for character in seen)


def detail(text: str, seen: Seen) -> str:
    """Return the same in words."""
    if seen.hung:
        said = "no end"
    elif seen.raised is not None:
        said = f"raised {seen.raised}"
    elif seen.error is not None:
        said = f"error event: {seen.error}"
    else:
        said = f"ended, saying {seen.word!r}" if seen.word is not None else "ended, saying nothing"
    if seen.text != text:
        said += f"; text {seen.text!r} of {text!r}"
    return said + "".join(f"; the key is in {place}" for place in seen.leaks)
