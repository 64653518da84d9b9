"""The goals for speed, and whether a run meets them. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

NOT_PEERS = ("floor", "aiohttp", "msgmodel")
"""The limits, and ourselves."""

MAIN = {"first": "first_ms", "linear": "ratio", "import": "import_ms"}
"""The figure that a load is about, where it is not the CPU of a chunk."""

_UNITS = {"cpu_us": "µs", "first_ms": "ms", "added_ms": "ms", "import_ms": "ms", "kb": "KB", "ratio": "times"}

Results = dict[str, Any]


class Goal(NamedTuple):
    """A limit for `figure` of `peer` under `load`: at most `most`, or at most `most` times the figure of `than`.
    Without `most`, it must be below that of `than`, or of every peer.
    """

    name: str
    load: str
    than: str = ""
    most: float | None = None
    figure: str = "cpu_us"
    peer: str = "msgmodel"


GOALS = (
    Goal("async burst, OpenAI's wire, times the floor", "burst-openai", "floor", 2.0),
    Goal("async burst, Anthropic's wire, times the floor", "burst-anthropic", "floor", 2.0),
    Goal("async burst, Gemini's wire, times the floor", "burst-gemini", "floor", 2.0),
    Goal("async burst, TLS, times the floor", "burst-tls", "floor", 2.0),
    Goal("async, 100 live streams, times the floor", "live-100", "floor", 1.4),
    Goal("async, 100 live streams", "live-100", "msgmodel4"),
    Goal("sync, burst", "sync-burst"),
    Goal("sync, 20 threads at 100 chunks/s", "sync-20"),
    Goal("first delta, added over a raw socket", "first", most=1.0, figure="added_ms"),
    Goal("first delta", "first", figure="first_ms"),
    Goal("import, times LiteLLM's", "import", "litellm", 0.1, "import_ms"),
    Goal("import, times openai's", "import", "openai", 0.2, "import_ms"),
    Goal("import", "import", "msgmodel4", figure="import_ms"),
    Goal("memory of a live stream, times bare aiohttp's", "live-1000", "aiohttp", 1.5, "kb"),
    Goal("CPU for ten times the chunks, content kept", "linear", most=11.0, figure="ratio"),
)


class Row(NamedTuple):
    """A goal and its result, as text."""

    name: str
    wanted: str
    measured: str
    met: bool


def rows(results: Results) -> list[Row]:
    """Return the goals for which everything was measured."""
    return [row for goal in GOALS if (row := _row(goal, results["loads"].get(goal.load, {})))]


def _row(goal: Goal, peers: Results) -> Row | None:
    others = {peer: each[goal.figure] for peer, each in peers.items() if goal.figure in each}
    mine, unit = others.get(goal.peer), _UNITS[goal.figure]
    if mine is None:
        return None
    if not goal.than and goal.most is not None:
        return Row(goal.name, f"at most {goal.most:g} {unit}", f"{mine:.3g} {unit}", mine <= goal.most)
    if goal.than:
        whose, theirs = goal.than, others.get(goal.than)
    else:
        rivals = {peer: value for peer, value in others.items() if peer not in NOT_PEERS}
        best = min(rivals, key=rivals.__getitem__, default="")
        whose, theirs = f"every peer (the best: {best})", rivals.get(best)
    if theirs is None:
        return None
    if goal.most is None:
        return Row(goal.name, f"below {whose}, {theirs:.4g} {unit}", f"{mine:.4g} {unit}", mine < theirs)
    measured = f"{mine / theirs:.3g} ({mine:.4g} / {theirs:.4g} {unit})"
    return Row(goal.name, f"at most {goal.most:g}", measured, mine / theirs <= goal.most)


def table(found: list[Row]) -> str:
    """Return the table for a terminal."""
    lines = [(row.name, row.wanted, row.measured, "met" if row.met else "NOT MET") for row in found]
    return _columns([("goal", "wanted", "measured", ""), *lines])


def overview(results: Results) -> str:
    """Return the main figure of each peer under each load, for a terminal."""
    loads = results["loads"]
    lines = [("peer", *(f"{load} {_UNITS[MAIN.get(load, 'cpu_us')]}" for load in loads), "KB a stream", "MB")]
    for peer, installed in results["peers"].items():
        cells = [each.get(peer, {}).get(MAIN.get(load, "cpu_us")) for load, each in loads.items()]
        cells += [loads.get("live-1000", {}).get(peer, {}).get("kb"), installed.get("mb")]
        lines.append((peer, *("" if cell is None else f"{cell:.4g}" for cell in cells)))
    return _columns(lines)


def _columns(lines: list[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "\n".join(line.rstrip() for line in padded) + "\n"
