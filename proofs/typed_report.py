"""The tables of the proofs of typed replies and of tools: from bench/results into the pages of the documentation."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results"
ENDINGS = {
    "whole": "complete",
    "limit": "cut by a limit",
    "filtered": "cut by a filter",
    "broken": "connection broken",
    "ended": "no end told",
    "stop": "cut, and called complete",
    "refused": "refused",
}


def _table(rows: list[list[str]]) -> str:
    lines = [" | ".join(row) for row in rows]
    return "\n".join(f"| {line} |" for line in [lines[0], " | ".join("---" for _ in rows[0]), *lines[1:]])


def _typed(found: dict[str, Any]) -> str:
    asked = [[name, f"{number:,}"] for name, number in found["asked"].items()]
    joined: dict[str, dict[str, int]] = {}
    for name, number in found["joined"].items():
        way, _, outcome = name.rpartition(": ")
        joined.setdefault(way, {})[outcome] = number
    outcomes = ("object", "none", "another")
    ways = [[way, *(str(counts.get(outcome, 0)) for outcome in outcomes)] for way, counts in joined.items()]
    right = sum(counts.get("object", 0) for counts in joined.values())
    share = 100 * right / sum(found["joined"].values())
    return "\n\n".join(
        [
            _table([["how the reply ended", "asked"], *asked, ["**false**", str(len(found["false"]))]]),
            _table([["how the model goes on", "its object", "none", "another"], *ways]),
            f"{share:.2f} % ended in their object.",
        ]
    )


def _peers(found: dict[str, Any]) -> str:
    rows = [["library", *ENDINGS.values()]]
    for peer, ways in found["results"].items():
        for way, endings in ways.items():
            cells = [
                ", ".join(f"{number} {word}" for word, number in sorted(endings[name].items())) for name in ENDINGS
            ]
            rows.append([f"{peer} {found['peers'][peer]}: {way}", *cells])
    return _table(rows)


def _effects(found: dict[str, Any]) -> str:
    rows = [["broken", "cases", "once", "told", "anything else"]]
    for name, row in found.items():
        calls = row["calls"]
        others = sum(number for word, number in calls.items() if word not in ("once", "told"))
        figures = (row["cases"], calls.get("once", 0), calls.get("told", 0), others)
        rows.append([name, *(f"{figure:,}" for figure in figures)])
    return _table(rows)


CALLS = {
    "whole": "whole",
    "limit": "cut by a limit",
    "broken": "connection broken",
    "ended": "no end told",
    "stop": "cut, and called complete",
    "again": "sent again",
    "twice": "two of one id",
}


def _calls(found: dict[str, Any]) -> str:
    rows = [["library", *CALLS.values()]]
    for peer, endings in found["results"].items():
        cells = [", ".join(f"{number} {word}" for word, number in sorted(endings[name].items())) for name in CALLS]
        rows.append([f"{peer} {found['peers'][peer]}", *cells])
    return _table(rows)


TABLES: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    "typed.json": ("typed-replies.md", _typed),
    "typed_peers.json": ("typed-replies.md", _peers),
    "tool_effects.json": ("tools.md", _effects),
    "tools_peers.json": ("tools.md", _calls),
}
"""By the file of results: its page, and what makes its table."""


def in_page(page: str, name: str) -> str:
    """Return the page with the table of a file of results. Raise ValueError if it has no place for it."""
    begin, end = f"<!-- table of bench/results/{name} -->", f"<!-- end of {name} -->"
    if begin not in page or end not in page:
        raise ValueError(f"the page has no place for {name}")
    table = TABLES[name][1](json.loads((RESULTS / name).read_text("utf-8")))
    return f"{page.partition(begin)[0]}{begin}\n\n{table}\n\n{end}{page.partition(end)[2]}"


def write_tables() -> None:
    """Write all tables."""
    for name, (page, _) in TABLES.items():
        path = ROOT / "docs" / page
        path.write_text(in_page(path.read_text("utf-8"), name), "utf-8")
