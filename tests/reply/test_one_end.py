"""A panel that is left on one thread while its connection breaks on another ends once."""

from __future__ import annotations

from typing import Any

import pytest

from msgmodel.question.transport import ConnectionBroken
from msgmodel.reply.clock import WaitLimits
from msgmodel.reply.exchange import Exchange
from msgmodel.reply.observers import observers_for
from msgmodel.testing.wires import WIRES, events
from pure import ONCE, QUESTIONS


@pytest.mark.parametrize("wire", WIRES)
def test_a_panel_ends_once(wire: Any) -> None:
    """The exchange asks for a random number while it decides what follows a fault: there, the caller leaves."""
    ends: list[Any] = []

    def leave() -> float:
        panel.close()
        return 0.0

    panel = Exchange(
        QUESTIONS[wire],
        panel_id="p",
        limits=WaitLimits(300, 300),
        rules=ONCE,
        now=lambda: 0.0,
        random=leave,
        observers=observers_for(QUESTIONS[wire], "p", ends.append),
    )
    panel.next_request()
    panel.response_started(200, {})
    panel.feed(b"".join(events(wire, ["Hel", "lo"])[:3]))
    panel.connection_broken(ConnectionBroken("interrupted", "the connection broke", retryable=True))
    assert [end["code"] for end in ends] == ["cancelled"]
    assert [*panel.terminal_events()][-1] is ends[0]
