"""Put the results of the benches into docs/benchmarks.md and draw its pictures: `python bench/report.py`.

The page is written by hand, except for the blocks between its marks, which come from results/*.json.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import goals
import pictures
import relay

HERE = Path(__file__).parent
RESULTS = HERE / "results"
PAGE = HERE.parent / "docs" / "benchmarks.md"
TITLES = {
    "floor": "*raw socket and msgspec*",
    "aiohttp": "*aiohttp and msgspec*",
    "msgmodel": "**msgmodel**",
    "msgmodel4": "msgmodel 4.1.1",
}
BEHIND = 0.95
"""Who reads a smaller part of what comes in the same time can't keep up."""


def _piped(titles: list[str], rows: list[list[str]]) -> str:
    rule = ["---", *("---:" for _ in titles[1:])]
    return "\n".join("| " + " | ".join(row) + " |" for row in [titles, rule, *rows])


def _title(peer: str) -> str:
    return TITLES.get(peer, peer)


def _speed(results: dict[str, Any]) -> dict[str, str]:
    """Return the tables of results/speed.json."""
    return {
        "machine": _machine(results),
        "goals": _goals(results),
        "chunks": _chunks(results),
        "costs": _costs(results),
    }


def _machine(results: dict[str, Any]) -> str:
    facts, versions = results["machine"], results["peers"]
    transports = ("aiohttp", "httpx2", "msgspec")
    shared = versions["msgmodel"]["versions"]
    names = [f"{peer} {each['version']}" for peer, each in versions.items() if each and peer not in transports]
    names += [f"{name} {shared[name]}" for name in transports if name in shared]
    return "\n".join(
        [
            f"- {facts['date']}, {results['rounds']} rounds in {results['seconds'] / 60:.0f} minutes; everything else "
            f"took {facts['others']:.1%} of the machine's CPU",
            f"- {facts['cpu']}, {facts['cores']} cores ({facts['machine']}), {facts['system']}",
            f"- {facts['python']}, {facts['openssl']}",
            f"- {', '.join(names)}",
        ]
    )


def _goals(results: dict[str, Any]) -> str:
    lines = ["| goal | wanted | measured | |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {row.name} | {row.wanted} | {row.measured} | {'met' if row.met else '**not met**'} |"
        for row in goals.rows(results)
    ]
    return "\n".join(lines)


_COLUMNS = {
    "burst-openai": "burst, OpenAI",
    "burst-anthropic": "Anthropic",
    "burst-gemini": "Gemini",
    "burst-tls": "TLS",
    "live-100": "100 live",
    "live-1000": "1,000 live",
    "sync-burst": "sync burst",
    "sync-20": "20 threads",
}


def _chunks(results: dict[str, Any]) -> str:
    rows = []
    for peer in results["peers"]:
        row = [_title(peer)]
        for load in _COLUMNS:
            figures = results["loads"].get(load, {}).get(peer)
            behind = figures and figures.get("kept_up", 1) < BEHIND
            row.append(f"{pictures.micro(figures['cpu_us'])}{' †' if behind else ''}" if figures else "")
        rows.append(row)
    return _piped(["µs a chunk", *_COLUMNS.values()], rows)


def _costs(results: dict[str, Any]) -> str:
    loads, rows = results["loads"], []
    for peer, installed in results["peers"].items():
        asked, held = loads.get("first", {}).get(peer), loads.get("live-1000", {}).get(peer)
        imported = loads.get("import", {}).get(peer)
        rows.append(
            [
                _title(peer),
                f"{asked['added_ms']:.2f} ms" if asked and peer != "floor" else "",
                f"{asked['request_cpu_us'] / 1000:.2f} ms" if asked else "",
                f"{held['kb']:.0f} KB" if held else "",
                f"{imported['import_ms']:.0f} ms" if imported else "",
                f"{installed['mb']:.1f} MB" if installed else "",
                str(installed["packages"]) if installed else "",
            ]
        )
    titles = [
        "",
        "first delta, added",
        "CPU of a request",
        "memory of a stream",
        "import",
        "installed, not compiled",
        "packages",
    ]
    return _piped(titles, rows)


def _relay(results: dict[str, Any]) -> dict[str, str]:
    return {"relay": relay.table(results)}


SOURCES: dict[str, Callable[[dict[str, Any]], dict[str, str]]] = {"speed.json": _speed, "relay.json": _relay}


def fill(page: str, blocks: dict[str, str]) -> str:
    """Return the page with the blocks between their marks. Raise ValueError if the page has no place for a block."""
    for name, block in blocks.items():
        begin, end = f"<!-- {name}: made by bench/report.py -->", f"<!-- end of {name} -->"
        if begin not in page or end not in page:
            raise ValueError(f"the page has no place for {name}")
        page = f"{page.partition(begin)[0]}{begin}\n\n{block}\n\n{end}{page.partition(end)[2]}"
    return page


def main() -> int:
    page = PAGE.read_text("utf-8")
    for name, tables in SOURCES.items():
        if (file := RESULTS / name).is_file():
            page = fill(page, tables(json.loads(file.read_text("utf-8"))))
    PAGE.write_text(page, "utf-8")
    pictures.draw()
    return 0


if __name__ == "__main__":
    sys.exit(main())
