"""The assistant's turn on its way to a client and back: what only its provider can read goes with it, sealed.

Rule: the calls in it have the ids that the client was told, each its own.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from typing import Any

from ..events import PanelEnd
from ..messages import Message


class CallIds:
    """The ids that a client is told of the calls in one reply, whatever the panel. taken: those that it has already.

    Some servers say the same id twice, or number the calls of each reply from nothing. AG-UI's client takes the second
    for the first, and drops it.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._told = set(taken)

    def new(self, known: str) -> str:
        """The call's own id where it has one that was not told before."""
        told, number = known or "call", 2
        while told in self._told:
            told, number = f"{known or 'call'}_{number}", number + 1
        self._told.add(told)
        return told


def sealed(end: PanelEnd, calls: list[tuple[str, str]]) -> Message | None:
    """The turn, where it holds what is opaque; None where what the client was shown says it all.

    calls: for each whole call its own id, and the one that the client was told.
    """
    turn = end["message"]
    if isinstance(turn["content"], str) or not any("opaque" in part for part in turn["content"]):
        return None
    left: defaultdict[str, deque[str]] = defaultdict(deque)
    for known, told in calls:
        left[known].append(told)
    content: list[Any] = []
    for part in turn["content"]:
        if part["type"] == "tool_call":
            content.append({**part, "id": left[part["id"]].popleft()})
        else:
            content.append(part)
    return {**turn, "content": content}


def called(turn: Message) -> list[str]:
    """The ids of the calls in a turn."""
    return [part["id"] for part in turn["content"] if not isinstance(part, str) and part["type"] == "tool_call"]
