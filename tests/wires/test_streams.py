"""One small reply of each wire: `<wire>/text.sse` is what the provider sends, `<wire>/text.json` the events of it.

Read the two files beside each other to see what this library does. Change them only by hand.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from msgmodel.wires import WIRES
from pure import play

FOLDER = Path(__file__).parent


@pytest.mark.parametrize("cut", ["whole", "byte by byte", "with trailing data"])
@pytest.mark.parametrize("wire", WIRES)
def test_a_stream_makes_its_events(wire: str, cut: str) -> None:
    body = (FOLDER / wire / "text.sse").read_bytes()
    pieces = {
        "whole": [body],
        "byte by byte": [bytes([byte]) for byte in body],
        "with trailing data": [body + b": the connection stays open\n\n", b": keep-alive\n\n"],
    }
    expected = json.loads((FOLDER / wire / "text.json").read_text("utf-8"))
    assert play(wire, pieces[cut]) == expected
