"""The tables of the fault matrix, from what bench/results/faults.json holds: for a terminal, and in Markdown. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeAlias

from proofs.faults_judge import VERDICTS

Found: TypeAlias = dict[str, Any]
Table: TypeAlias = list[list[str]]
"""Rows of cells; the first row has the titles."""

BEGIN, END = "<!-- tables of bench/results/faults.json -->", "<!-- end of the tables -->"
WIRE_TITLES = {
    "openai_chat": "OpenAI Chat Completions",
    "openai_responses": "OpenAI Responses",
    "anthropic": "Anthropic Messages",
    "gemini": "Gemini",
}
RIGHT = "✓"


def summary(found: Found) -> Table:
    """Count how often each verdict was given."""
    counts = {peer: Counter(_verdicts(wires)) for peer, wires in found["results"].items()}
    given = [verdict for verdict in VERDICTS if any(verdict in count for count in counts.values())]
    rows = []
    for peer, count in counts.items():
        version = found["peers"][peer]["version"]
        rows.append([f"{peer} {version}", str(count.total()), *(str(count[verdict] or "") for verdict in given)])
    return [["", "replies", *given], *rows]


def _verdicts(wires: dict[str, Any]) -> list[str]:
    return [cell["verdict"] for wire in wires.values() for both in wire.values() for cell in both.values()]


def matrix(found: Found, wire: str) -> Table:
    """Return a row for each fault and a column for each peer. Statuses with the same results as the one before share
    its row.
    """
    results = {peer: wires[wire] for peer, wires in found["results"].items() if wire in wires}
    rows: Table = [["", *results]]
    for group, faults in found["groups"].items():
        rows.append([f"**{group}**", *("" for _ in results)])
        for fault in faults:
            cells = [_cell(result[fault]) for result in results.values() if fault in result]
            status = re.fullmatch(r"HTTP (\d+)", fault)
            if status and rows[-1][0].startswith("HTTP") and rows[-1][1:] == cells:
                rows[-1][0] += f", {status[1]}"
            elif cells:
                rows.append([fault, *cells])
    return rows


def _cell(both: dict[str, Any]) -> str:
    """Return the verdicts of both colors: one word if they are equal, else sync before async."""
    words = [RIGHT if cell["verdict"] == "right" else cell["verdict"] for cell in both.values()]
    return words[0] if len(set(words)) == 1 else " / ".join(words)


def terminal(found: Found) -> str:
    """Return all tables with columns of equal width."""
    return _all(found, lambda title: title, _padded).replace("**", "")


def markdown(found: Found) -> str:
    """Return all tables for a page of the documentation."""
    return _all(found, lambda title: f"### {title}", _piped)


def _all(found: Found, heading: Callable[[str], str], shown: Callable[[Table], str]) -> str:
    parts = [heading("Verdicts"), shown(summary(found))]
    for wire, title in WIRE_TITLES.items():
        if any(wire in wires for wires in found["results"].values()):
            parts += [heading(title), shown(matrix(found, wire))]
    return "\n\n".join(parts)


def _padded(table: Table) -> str:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in table]
    return "\n".join(line.rstrip() for line in lines)


def _piped(table: Table) -> str:
    titles, *rows = table
    return "\n".join("| " + " | ".join(row) + " |" for row in [titles, ["---"] * len(titles), *rows])


def in_page(page: str, found: Found) -> str:
    """Return the page with the tables between its marks. Raise ValueError if it has none."""
    if BEGIN not in page or END not in page:
        raise ValueError(f"the page has no marks {BEGIN} and {END}")
    before, after = page.partition(BEGIN)[0], page.partition(END)[2]
    return f"{before}{BEGIN}\n\n{markdown(found)}\n\n{END}{after}"
