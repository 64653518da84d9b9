"""The tables of the attack program, from bench/results/attack.json: for a terminal, and in Markdown. Pure."""

from __future__ import annotations

from typing import Any

from proofs.attack_clients import ATTACKS
from proofs.attack_provider import FLOODS

BEGIN, END = "<!-- table of bench/results/attack.json -->", "<!-- end of the table -->"
NONE = "no attack"
GOALS = {"ms": 250.0, "MB": 64.0}
"""The longest wait of a bystander, and the growth over what was asked to be kept."""
TITLES = ["attack", "on", "MB more", "in 5.0.0", "asked to be kept", "longest wait, ms", "how it ended"]


def more(row: dict[str, Any]) -> float:
    """Return the growth in MB over what was asked to be kept."""
    return max(0.0, float(row["grown MB"]) - float(row["kept MB"]))


def longest(row: dict[str, Any]) -> float:
    """Return the longest wait of a bystander, in milliseconds, as it was measured."""
    return max((float(ms) for kind, ms in row["ms"].items() if kind != "meter"), default=0.0)


def missed(found: dict[str, Any]) -> list[str]:
    """Return which goals were missed. Of a wait, what there is without an attack does not count."""
    wrong = []
    for victim, rows in found["attacks"].items():
        calm = longest(rows[NONE]) if NONE in rows else 0.0
        for name, row in rows.items():
            if more(row) > GOALS["MB"]:
                wrong.append(f"{name} on {victim}: {more(row):.0f} MB more than asked to be kept")
            if name != NONE and longest(row) - calm > GOALS["ms"]:
                wrong.append(f"{name} on {victim}: a bystander waited for {longest(row):.0f} ms")
            wrong += [f"{name} on {victim}: {what}" for what in row["wrong"]]
            if row["ended"] in ("not over", "the attacker died"):
                wrong.append(f"{name} on {victim}: {row['ended']} after {row['seconds']} s")
    return wrong


def described() -> dict[str, str]:
    """Return the names of all attacks with what they do."""
    return {name: (run.__doc__ or "").rstrip(".") for name, run in [*FLOODS.items(), *ATTACKS.items()]}


def rows_of(found: dict[str, Any]) -> list[list[str]]:
    """Return the cells of the table, a row for each attack on each victim; the first row has the titles."""
    return [
        TITLES,
        *(
            [name, victim.removeprefix("the "), *figures(rows[name], found["before"][victim].get(name))]
            for name in [NONE, *described()]
            for victim, rows in found["attacks"].items()
            if name in rows
        ),
    ]


def figures(row: dict[str, Any], before: float | None) -> list[str]:
    """Return the figures of one attack as cells. before: the growth that it had in version 5.0.0."""
    waits = ", ".join(f"{kind} {ms:.0f}" for kind, ms in sorted(row["ms"].items()) if kind != "meter")
    ended = f"{row['ended']} after {row['seconds']} s" if row["ended"] else ""
    return [f"{more(row):.0f}", "" if before is None else f"{before:.0f}", f"{row['kept MB']:.0f}", waits, ended]


def terminal(found: dict[str, Any]) -> str:
    """Return the table with columns of one width, and the goals that were missed."""
    table = rows_of(found)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    meter = [row["ms"].get("meter", 0.0) for rows in found["attacks"].values() for row in rows.values()]
    lines += ["", f"the meter itself was late by at most {max(meter):.0f} ms; others took {found['others']:.0%}"]
    return "\n".join([*lines, *(f"MISSED: {each}" for each in missed(found))])


def markdown(found: dict[str, Any]) -> str:
    """Return the table as the page has it, and what each attack does."""
    titles, *rows = rows_of(found)
    lines = [titles, ["---"] * len(titles), *rows]
    does = described()
    done = {name for attacks in found["attacks"].values() for name in attacks}
    table = [f"| {' | '.join(line)} |" for line in lines]
    told = [f"| {name} | {what} |" for name, what in does.items() if name in done]
    return "\n".join([*table, "", "| attack | what it does |", "|---|---|", *told])


def in_page(page: str, found: dict[str, Any]) -> str:
    """Return the page with the table between its marks. Raises ValueError if it has none."""
    if BEGIN not in page or END not in page:
        raise ValueError(f"the page has no marks {BEGIN} and {END}")
    before, after = page.partition(BEGIN)[0], page.partition(END)[2]
    return f"{before}{BEGIN}\n\n{markdown(found)}\n\n{END}{after}"
