"""Draw three pictures of the README from results/*.json. The same results give the same bytes.

Each picture has its own background, light or dark as the reader's system is, and says in words what it says in colors.
Another picture, of the chat page, is taken by web/screenshot.py.
"""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

HERE = Path(__file__).parent
RESULTS = HERE / "results"
IMAGES = HERE.parent / "docs" / "images"

_STYLE = """
  .ground { fill: #ffffff; stroke: #d1d9e0; }
  text { fill: #1f2328; font: 13px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; }
  .title { font-size: 16px; font-weight: 600; }
  .small { font-size: 12px; fill: #59636e; }
  .strong { font-weight: 600; }
  .end { text-anchor: end; }
  .middle { text-anchor: middle; }
  .ours { fill: #1a7f37; }
  .theirs { fill: #8c959f; }
  .limit { fill: #d1d9e0; }
  .right { fill: #b4e4c1; }
  .wrong { fill: #ffc1ba; }
  .other { fill: #fbe3a1; }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117; stroke: #3d444d; }
    text { fill: #f0f6fc; }
    .small { fill: #9198a1; }
    .ours { fill: #3fb950; }
    .theirs { fill: #656c76; }
    .limit { fill: #3d444d; }
    .right { fill: #14532d; }
    .wrong { fill: #8e1519; }
    .other { fill: #6b4c00; }
  }
"""

Results = dict[str, Any]


def _svg(width: int, height: int, title: str, description: str, body: list[str]) -> str:
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'role="img" aria-labelledby="title description">',
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="description">{escape(description)}</desc>',
        f"<style>{_STYLE}</style>",
        f'<rect class="ground" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8"/>',
        _text(20, 30, title, "title"),
        *body,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _text(x: float, y: float, words: str, kind: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}"' + (f' class="{kind}"' if kind else "") + f">{escape(words)}</text>"


def _rect(x: float, y: float, width: float, height: float, kind: str, radius: int = 2) -> str:
    return f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:.1f}" height="{height:g}" rx="{radius}"/>'


# --- CPU per chunk ---

_NAMES = {
    "floor": "raw socket + msgspec",
    "aiohttp": "aiohttp + msgspec",
    "msgmodel4": "msgmodel 4.1.1",
}
_LIMITS = ("floor", "aiohttp")
_OURS = ("msgmodel",)
_PANELS = ("a burst of 2,000 chunks", "100 live streams")


def micro(value: float) -> str:
    """Return microseconds with about three digits."""
    return f"{value:,.2f}" if value < 10 else f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def _bursts(results: Results) -> dict[str, float]:
    """Return the figures of each peer on its main wire, which is OpenAI's if the peer has it."""
    wires = ("gemini", "anthropic", "openai")
    loads = [results["loads"][f"burst-{wire}"] for wire in wires]
    return {peer: figures["cpu_us"] for load in loads for peer, figures in load.items()}


def cpu_per_chunk(results: Results) -> str:
    """Draw bars on a logarithmic scale, the lowest cost at the top."""
    burst = _bursts(results)
    live = {peer: figures["cpu_us"] for peer, figures in results["loads"]["live-100"].items()}
    peers = sorted(burst, key=lambda peer: (peer not in _LIMITS, burst[peer]))
    row, top, label, width, gap = 24, 84, 186, 260, 40
    most = max(*burst.values(), *live.values())
    about = "CPU microseconds for each chunk of an async stream, on a logarithmic scale: less is better"
    body = [_text(20, 50, about, "small")]
    for place, peer in enumerate(peers):
        strong = " strong" if peer in _OURS else ""
        body.append(_text(label - 10, top + place * row + 13, _NAMES.get(peer, peer), f"end{strong}"))
    for number, values in enumerate((burst, live)):
        left = label + number * (width + gap)
        body.append(_text(left, top - 10, _PANELS[number], "strong"))
        for place, peer in enumerate(peers):
            if peer in values:
                y = top + place * row
                length = (width - 40) * math.log10(max(values[peer], 1.05)) / math.log10(most)
                kind = "limit" if peer in _LIMITS else "ours" if peer in _OURS else "theirs"
                body.append(_rect(left, y, length, 16, kind))
                strong = "strong" if peer in _OURS else ""
                body.append(_text(left + length + 6, y + 13, micro(values[peer]), strong))
    height = top + len(peers) * row + 34
    facts = results["machine"]
    where = f"{facts['cpu']}, {facts['python']}, {facts['date'][:10]}"
    body.append(_text(20, height - 14, f"{where}. Raw socket and aiohttp alone: for comparison.", "small"))
    told = ", ".join(f"{_NAMES.get(peer, peer)} {micro(burst[peer])}" for peer in peers)
    told = f"Microseconds of CPU for a chunk of a burst: {told}."
    return _svg(label + 2 * width + gap + 20, height, "What a chunk costs", told, body)


# --- who tells the truth ---

_CUTS = {
    "the body ends cleanly mid-text": ("the body ends", "mid-text"),
    "half an event, then a clean end": ("ends in half", "an event"),
    "`[DONE]` mid-text": ("[DONE]", "mid-text"),
    "all of the text, but its last event is lost": ("the last event", "is lost"),
    "FIN without the last chunk": ("connection", "closed"),
    "RST": ("connection", "reset"),
}
_LIES = ("called complete", "silent")
_WORDS = {"called complete": "✗ “complete”", "silent": "✗ silent"}


def truth(faults: Results) -> str:
    """Draw a row for each library and a column for each way to cut a reply."""
    row, top, label, width = 30, 106, 190, 104
    body = [_text(20, 50, "The provider's reply is cut in the middle. What does the library say?", "small")]
    for column, words in enumerate(_CUTS.values()):
        for line, word in enumerate(words):
            body.append(_text(label + (column + 0.5) * width, top - 26 + 15 * line, word, "small middle"))
    for place, (peer, wires) in enumerate(faults["results"].items()):
        y = top + place * row
        name = f"{peer.replace('msgmodel4', 'msgmodel')} {faults['peers'][peer]['version']}"
        body.append(_text(label - 10, y + 18, name, "end strong" if peer == "msgmodel" else "end"))
        for column, fault in enumerate(_CUTS):
            body += _cell(label + column * width + 2, y + 1, width - 4, row - 4, _verdicts(wires, fault))
    y = top + len(faults["results"]) * row + 16
    legend = {
        "right": "reports that it was cut",
        "wrong": "reports a complete reply, or just ends",
        "other": "a foreign error, lost text, or a leaked key",
    }
    x = 20.0
    for kind, words in legend.items():
        body += [_rect(x, y, 16, 16, kind), _text(x + 22, y + 13, words, "small")]
        x += 44 + 6.4 * len(words)
    body.append(
        _text(
            20,
            y + 40,
            "All wires that a library speaks, blocking and async. A number says how many of these replies.",
            "small",
        )
    )
    counts = {
        peer: sum((_verdicts(wires, fault) for fault in _CUTS), Counter()) for peer, wires in faults["results"].items()
    }
    told = ", ".join(f"{peer} {count['right']} of {count.total()}" for peer, count in counts.items())
    told = f"Cut replies whose text was delivered and that were reported as cut: {told}."
    return _svg(label + len(_CUTS) * width + 20, y + 56, "Who tells the truth about a cut stream", told, body)


def _verdicts(wires: Results, fault: str) -> Counter[str]:
    cells = (cell["verdict"] for wire in wires.values() for cell in wire.get(fault, {}).values())
    return Counter(verdict for verdict in cells if verdict != "no verdict")


def _cell(x: float, y: float, width: float, height: float, counts: Counter[str]) -> list[str]:
    total = counts.total()
    if not total:
        return [_text(x + width / 2, y + 17, "–", "small middle")]
    wrong = sum(counts[verdict] for verdict in _LIES)
    shares = {"right": counts["right"], "other": total - counts["right"] - wrong, "wrong": wrong}
    parts, at = [], x
    for kind, share in shares.items():
        if share:
            parts.append(_rect(at, y, width * share / total, height, kind, 0))
            at += width * share / total
    if counts["right"] == total:
        words = "✓"
    elif len(counts) == 1:
        words = next(_WORDS.get(verdict, verdict) for verdict in counts)
    else:
        words = f"{counts['right']} of {total} ✓" if counts["right"] else "✗"
    return [*parts, _text(x + width / 2, y + 17, words, "middle")]


# --- who tells of a lie ---

_TOLD = {"told": "right", "raw": "other", "silent": "wrong"}


def lies(results: Results) -> str:
    """Draw a row for each lie and a column for each library."""
    row, top, label, width = 30, 92, 190, 116
    peers = results["peers"]
    body = [_text(20, 50, "The reply is not what was asked for, and ends well. Does the library say so?", "small")]
    for column, (peer, version) in enumerate(peers.items()):
        middle = label + (column + 0.5) * width
        body.append(_text(middle, top - 20, peer, "strong middle" if peer in _OURS else "middle"))
        body.append(_text(middle, top - 6, version, "small middle"))
    for place, lie in enumerate(results["lies"]):
        y = top + place * row
        body.append(_text(label - 10, y + 18, lie, "end"))
        for column, peer in enumerate(peers):
            counts = Counter(cells[lie] for cells in results["results"][peer].values() if cells.get(lie))
            body += _lie_cell(label + column * width + 2, y + 1, width - 4, row - 4, counts)
    y = top + len(results["lies"]) * row + 16
    legend = {
        "right": "names it",
        "other": "the raw value can be reached, and compared by hand",
        "wrong": "the value can't be reached",
    }
    x = 20.0
    for kind, words in legend.items():
        body += [_rect(x, y, 16, 16, kind), _text(x + 22, y + 13, words, "small")]
        x += 44 + 6.4 * len(words)
    body.append(
        _text(20, y + 40, "All wires that a library speaks. A number says on how many it names the lie.", "small")
    )
    told = ", ".join(f"{peer} {told} of {total}" for peer, (told, total) in _told_counts(results).items())
    told = f"Lies of a server that a library names: {told}."
    return _svg(label + len(peers) * width + 20, y + 56, "Who tells of a reply that was changed on the way", told, body)


def _told_counts(results: Results) -> dict[str, tuple[int, int]]:
    cells = {
        peer: [cell for wire in wires.values() for cell in wire.values() if cell]
        for peer, wires in results["results"].items()
    }
    return {peer: (found.count("told"), len(found)) for peer, found in cells.items()}


def _lie_cell(x: float, y: float, width: float, height: float, counts: Counter[str]) -> list[str]:
    total = counts.total()
    if not total:
        return [_text(x + width / 2, y + 17, "–", "small middle")]
    parts, at = [], x
    for verdict, kind in _TOLD.items():
        if counts[verdict]:
            parts.append(_rect(at, y, width * counts[verdict] / total, height, kind, 0))
            at += width * counts[verdict] / total
    if len(counts) == 1:
        words = {"told": "✓", "raw": "raw", "silent": "✗ silent"}[next(iter(counts))]
    else:
        words = f"{counts['told']} of {total} ✓" if counts["told"] else "raw / silent"
    return [*parts, _text(x + width / 2, y + 17, words, "middle")]


def draw() -> None:
    """Draw the pictures that have results."""
    IMAGES.mkdir(exist_ok=True)
    for source, name, picture in (
        ("speed.json", "cpu-per-chunk.svg", cpu_per_chunk),
        ("faults.json", "truth.svg", truth),
        ("lies.json", "lies.svg", lies),
    ):
        if (file := RESULTS / source).is_file():
            (IMAGES / name).write_text(picture(json.loads(file.read_text("utf-8"))), "utf-8")


if __name__ == "__main__":
    sys.exit(draw())
