"""What the value of a typed reply costs while it streams: CPU seconds for 100 KB and for 1 MB of JSON.

    python bench/typed.py    half a minute

Each text is fed in pieces of a few characters, and all that a panel shows of the value is made: the value so far, the
elements as they close, their checks, and the check at the end. Ends with status 1 if 1 MB costs more than 11 times as
much as 100 KB: a parser that begins anew with each piece takes a hundred times as much.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from msgmodel.output.output_format import read_output
from msgmodel.output.typed_reply import TypedReply

PIECES = (4, 16, 1_000)
"""Characters of a piece: a token, a few of them, what a proxy that buffers sends at once."""
MOST_TIMES = 11.0
ROUNDS = 3

_ITEM = {
    "name": 'Ada "Countess" Lovelace',
    "born": 1815,
    "fields": ["mathematics", "poetry"],
    "score": 0.75,
    "note": None,
}
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 100},
        "born": {"type": "integer", "minimum": 0},
        "fields": {"type": "array", "items": {"type": "string"}},
        "score": {"type": "number"},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    },
    "required": ["name", "born", "fields"],
    "additionalProperties": False,
}


def texts(size: int) -> dict[str, tuple[str, Any]]:
    """Return JSON of about so many characters, with what is asked for: many elements, and one long string."""
    items = [_ITEM] * (size // len(json.dumps(_ITEM)))
    return {
        "elements": (json.dumps({"items": items}), {"type": "array", "items": _SCHEMA}),
        "a string": (json.dumps({"text": 'A "word" é\n' * (size // 18)}), "json"),
    }


def cpu_seconds(text: str, output: Any, piece: int) -> float:
    """Return the CPU seconds that a reply of this text takes, of the fastest of some rounds."""
    wanted = read_output(output)
    found = []
    for _ in range(ROUNDS):
        reply = TypedReply(wanted)
        begun = time.process_time()
        for start in range(0, len(text), piece):
            reply.feed(text[start : start + piece])
        facts = reply.facts(complete=True)
        found.append(time.process_time() - begun)
        if facts["object"] is None:
            raise RuntimeError(f"the reply has no object: {facts['errors']}")
    return min(found)


def main() -> int:
    worst = 0.0
    print(f"{'':12}{'piece':>8}{'100 KB':>10}{'1 MB':>10}{'times':>8}{'us a piece':>12}")
    for (name, (small, output)), (large, _) in zip(texts(100_000).items(), texts(1_000_000).values(), strict=True):
        for piece in PIECES:
            costs = [cpu_seconds(text, output, piece) for text in (small, large)]
            times = costs[1] / costs[0] / (len(large) / len(small) / 10)
            worst = max(worst, times)
            each = 1e6 * costs[1] / (len(large) / piece)
            print(f"{name:12}{piece:8}{costs[0]:10.3f}{costs[1]:10.3f}{times:8.1f}{each:12.2f}")
    return int(worst > MOST_TIMES)


if __name__ == "__main__":
    sys.exit(main())
