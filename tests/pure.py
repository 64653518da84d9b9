"""A panel without any I/O: bytes into an `Exchange`, events out of it."""

from __future__ import annotations

from typing import Any

from conftest import KEY, PROVIDER, config
from msgmodel._ask import Broken
from msgmodel._exchange import Clocks, Exchange, Rules
from msgmodel._question import ask
from msgmodel.wires import WIRES

QUESTIONS = {
    wire: ask((PROVIDER[wire], "hi", KEY, None, None, None, config(wire, "http://127.0.0.1"), None, None, None), {})
    for wire in WIRES
}


ONCE = Rules(max_retries=0)


def exchange(wire: str, rules: Rules = ONCE) -> Exchange:
    """An exchange whose response has begun."""
    begun = Exchange(
        QUESTIONS[wire],
        panel_id="p",
        clocks=Clocks(300, 300),
        rules=rules,
        clock=lambda: 0.0,
        random=lambda: 0.0,
    )
    begun.request()
    begun.head(200, {})
    return begun


def play(
    wire: str, pieces: list[bytes], end: bytes | Broken = b"", status: int = 200, *, together: bool = False
) -> list[Any]:
    """The events of one panel whose body comes in these pieces, and then ends or breaks."""
    begun = exchange(wire)
    begun.together = together
    begun.head(status, {})
    found: list[Any] = []
    for piece in pieces:
        if begun.reading and piece:
            found += begun.feed(piece)
    while begun.reading or begun.request() is not None:
        if not begun.reading:  # Gemini's CONTINUATION: the next response is empty
            begun.head(200, {})
        if isinstance(end, Broken):
            begun.broken(end)
        else:
            found += begun.feed(end)
    return [*found, *begun.ending()]
