"""A panel without any I/O: bytes into an `Exchange`, events out of it."""

from __future__ import annotations

import json
from typing import Any

from conftest import KEY, PROVIDER, config
from msgmodel._arguments import read_question
from msgmodel._options import Arguments
from msgmodel.question.transport import ConnectionBroken
from msgmodel.reply.clock import WaitLimits
from msgmodel.reply.exchange import Exchange
from msgmodel.reply.next_request import RetryRules
from msgmodel.wires import WIRES

QUESTIONS = {
    wire: read_question(
        Arguments(provider=PROVIDER[wire], prompt="hi", api_key=KEY, config=config(wire, "http://127.0.0.1")), {}
    )
    for wire in WIRES
}


ONCE = RetryRules(max_retries=0)


def exchange(wire: str, rules: RetryRules = ONCE) -> Exchange:
    """An exchange whose response has begun."""
    begun = Exchange(
        QUESTIONS[wire],
        panel_id="p",
        limits=WaitLimits(300, 300),
        rules=rules,
        now=lambda: 0.0,
        random=lambda: 0.0,
    )
    begun.next_request()
    begun.response_started(200, {})
    return begun


def stream(*events: Any) -> bytes:
    """Return the body of a stream of these events."""
    return b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in events)


def play(
    wire: str, pieces: list[bytes], end: bytes | ConnectionBroken = b"", status: int = 200, *, together: bool = False
) -> list[Any]:
    """The events of one panel whose body comes in these pieces, and then ends or breaks."""
    begun = exchange(wire)
    begun.merge_text = together
    begun.response_started(status, {})
    found: list[Any] = []
    for piece in pieces:
        if begun.reading and piece:
            found += begun.feed(piece)
    while begun.reading or begun.next_request() is not None:
        if not begun.reading:  # Gemini's CONTINUATION: the next response is empty
            begun.response_started(200, {})
        if isinstance(end, ConnectionBroken):
            begun.connection_broken(end)
        else:
            found += begun.feed(end)
    return [*found, *begun.terminal_events()]
