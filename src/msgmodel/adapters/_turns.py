"""The assistant's turn on its way to a client and back, with the opaque parts that only its provider can read.

Rule: each call in it has an id of its own, the one that the client received.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from typing import Any

from ..events import PanelEnd
from ..messages import Message


class CallIds:
    """Make the ids under which a client receives the calls of one reply, across its panels.

    Some servers repeat an id, or number the calls of each reply from zero. AG-UI's client takes the second call for the
    first one, and drops it.

    Args:
        taken: ids that the client has already.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._used = set(taken)

    def make_id(self, call_id: str) -> str:
        """Return the call's own id if it is not in use, else that id with a number."""
        client_id, number = call_id or "call", 2
        while client_id in self._used:
            client_id, number = f"{call_id or 'call'}_{number}", number + 1
        self._used.add(client_id)
        return client_id


def seal_turn(end: PanelEnd, calls: list[tuple[str, str]]) -> Message | None:
    """Return the turn to send along, or None if it holds nothing opaque: then the client can rebuild it.

    Args:
        end: the panel's terminal event.
        calls: for each complete call its own id, and the id that the client received.
    """
    turn = end["message"]
    if isinstance(turn["content"], str) or not any("opaque" in part for part in turn["content"]):
        return None
    left: defaultdict[str, deque[str]] = defaultdict(deque)
    for call_id, client_id in calls:
        left[call_id].append(client_id)
    content: list[Any] = []
    for part in turn["content"]:
        if part["type"] == "tool_call":
            ids = left[part["id"]]  # empty for a call that the client can't run: it has the provider's own id
            content.append({**part, "id": ids.popleft() if ids else part["id"]})
        else:
            content.append(part)
    return {**turn, "content": content}


def called_ids(turn: Message) -> list[str]:
    """Return the ids of the calls in a turn."""
    return [part["id"] for part in turn["content"] if not isinstance(part, str) and part["type"] == "tool_call"]
