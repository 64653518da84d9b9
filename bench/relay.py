"""`msgmodel serve` against other relays of the same stream, each with one worker: who carries how much, at what cost.

    python bench/peers/install.py relay litellm-proxy
    python bench/relay.py

A provider (upstream.py) says 20 pieces a second to each stream, with the time in each; readers (relays/readers.py) see
how late they are. Figures of CPU are those of the server's process alone. They are taken interleaved, round by round,
so that what else the machine does meets all alike. How many streams a core carries needs a core for the server and one
for the rest: what others took meanwhile stands beside it in the results. For Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import machine
from load import Part
from relays.servers import RELAYS, STARTED, Server, Servers, running, versions

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "relay.json"
RATE = 20.0
"""Pieces a second, of one stream."""
COMMON = 30
"""Streams at which all are compared: as many as all of them carry."""
WARMING = 5
"""Streams of the first load, which does not count."""
WARM_SECONDS = 1.0
BEGINNING = 300.0
"""Streams that begin in a second."""
LATE_SECONDS = 0.25
ARRIVED = 0.98
"""Of the pieces said in a window: with less than that, the server falls behind."""
BUSY = 0.25
"""Of a core, taken by others: a load that fails meanwhile is tried once more."""
STEP = 1.25
FULL = 0.9
"""Of a core: what a server may use of one and keep up."""
SEARCH_SECONDS = 28.0
"""After which no new load is tried on a server."""
LONGEST_SECONDS = 3600.0
"""For which the provider would go on."""


class Bench:
    """The readers, for any number of runs."""

    def __init__(self, readers: subprocess.Popen[str]) -> None:
        self._readers = readers

    def run(self, server: Server, streams: int, window: float) -> dict[str, Any]:
        """Run one load on one server, and measure for so many seconds after it has settled."""
        order = {
            "port": server.port,
            "path": server.path,
            "body": server.body,
            "streams": streams,
            "ramp": max(0.25, streams / BEGINNING),
            "warm": WARM_SECONDS,
            "window": window,
        }
        assert self._readers.stdin is not None
        memory = Part("server", [server.pid])
        self._readers.stdin.write(json.dumps(order) + "\n")
        self._readers.stdin.flush()
        self._answer()
        # The provider, the readers and the servers are our children.
        ours, everything = Part("ours", [os.getpid()]), _machine()
        begin, before = time.monotonic(), _used(server.pid)
        seen = self._answer()
        wall, used = time.monotonic() - begin, _used(server.pid) - before
        others = _machine() - everything - sum(ours.seconds())
        memory.look()
        self._answer()
        _settle(server.pid)
        pieces = seen["pieces"]
        return {
            "streams": streams,
            "cpu_us": round(1e6 * used / pieces, 1) if pieces else None,
            "core": round(used / wall, 2),
            "p50_ms": _ms(seen["p50"]),
            "p99_ms": _ms(seen["p99"]),
            "arrived": round(pieces / (streams * RATE * seen["seconds"]), 3),
            "grown_mb": round(memory.rss_most_mb - memory.rss_mb, 2),
            "others": round(others / wall, 2),
            "bad": seen["bad"],
        }

    def _answer(self) -> dict[str, Any]:
        assert self._readers.stdout is not None
        answer: dict[str, Any] = json.loads(self._readers.stdout.readline())
        return answer


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(1000 * seconds, 1)


def _used(pid: int) -> float:
    """Return the CPU seconds that a process has used, to the microsecond; `Part` knows them to the hundredth.

    The clock's number is the one that Linux derives from the process id (clock_getcpuclockid(3)).
    """
    return time.clock_gettime((~pid << 3) | 2)


def _machine() -> float:
    """Return the CPU seconds that all programs of this machine have used."""
    fields = Path("/proc/stat").read_text("utf-8").split("\n")[0].split()[1:]
    user, nice, system, _, _, irq, softirq, *_ = map(int, fields)
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def _settle(pid: int) -> None:
    """Wait until the server has finished its work for the readers that left."""
    for _ in range(100):
        before = _used(pid)
        time.sleep(0.3)
        if _used(pid) - before < 0.03:
            return


def carried(run: Mapping[str, Any]) -> bool:
    """Return whether a server kept up with the load of a run."""
    in_time = run["p99_ms"] is not None and run["p99_ms"] < 1000 * LATE_SECONDS
    return bool(in_time and run["arrived"] >= ARRIVED and not run["bad"])


def most(load: Callable[[int], dict[str, Any]], guess: int) -> list[dict[str, Any]]:
    """Search for the largest load that the server carries: as far as one core would go, in steps of at least a quarter,
    then once between the last two.
    """
    runs: list[dict[str, Any]] = []
    streams, good, bad = guess, 0, 0
    until = time.monotonic() + SEARCH_SECONDS
    while time.monotonic() < until and not (good and bad) and streams > 0:
        runs.append(load(streams))
        if carried(runs[-1]):
            good = streams
            streams = round(streams * max(STEP, FULL / max(0.01, runs[-1]["core"])))
        else:
            bad = streams
            streams = min(streams - 1, round(streams / STEP))
    if good and bad and time.monotonic() < until:
        runs.append(load(round((good * bad) ** 0.5)))
    return runs


def measure(rounds: int, window: float) -> dict[str, Any]:
    """Measure everything."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        saying = [sys.executable, str(HERE / "upstream.py"), str(RATE), str(LONGEST_SECONDS)]
        provider = stack.enter_context(running(saying, folder / "upstream.log", {}))
        reading = [sys.executable, str(HERE / "relays" / "readers.py")]
        bench = Bench(stack.enter_context(running(reading, folder / "readers.log", {})))
        assert provider.stdout is not None
        url = f"http://127.0.0.1:{int(provider.stdout.readline())}/v1"
        servers = stack.enter_context(closing(Servers(folder, url)))
        for name in STARTED:
            servers.start(name)

        def anew(name: str) -> None:
            """Start a server again: an overloaded one may keep its work, as LiteLLM's proxy does."""
            servers.start(name)
            bench.run(servers[name], WARMING, 0.5)

        for name in RELAYS:  # whatever is loaded or made at the first requests is no part of a stream
            bench.run(servers[name], WARMING, 0.5)
        found: dict[str, Any] = {name: {"title": RELAYS[name].title, "common": []} for name in RELAYS}
        for number in range(rounds):
            for name in RELAYS:
                found[name]["common"].append(run := bench.run(servers[name], COMMON, window))
                _tell(f"round {number + 1}", name, run)
                if run["arrived"] < ARRIVED:
                    anew(RELAYS[name].same_as or name)

        def load(name: str, streams: int) -> dict[str, Any]:
            for last in (False, True):
                run = bench.run(servers[name], streams, window)
                _tell("carries", name, run)
                if carried(run):
                    break
                anew(name)
                if last or run["others"] < BUSY:
                    break
            return run

        for name in STARTED:
            guess = FULL * 1e6 / RATE / _cpu(found[name]["common"])
            found[name]["search"] = most(partial(load, name), max(1, round(guess)))
    return {
        "machine": machine.facts(),
        "versions": {name: versions(name) for name in STARTED},
        "rate": RATE,
        "common": COMMON,
        "servers": found,
    }


def _tell(what: str, name: str, run: Mapping[str, Any]) -> None:
    print(what, name, json.dumps(run), file=sys.stderr, flush=True)


def _cpu(runs: list[dict[str, Any]]) -> float:
    """Return the median; a run in which nothing arrived has none."""
    return float(median(run["cpu_us"] for run in runs if run["cpu_us"] is not None))


def figures(results: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the compared figures of each server: medians of the common load, and the largest run that it carried."""
    found = {}
    for name, server in results["servers"].items():
        runs = server["common"]
        good = [run for run in server.get("search", ()) if carried(run)]
        best: dict[str, Any] = max(good, key=lambda run: run["streams"], default={})
        found[name] = {
            "cpu_us": _cpu(runs),
            # Of the streams that the first load had more than the one before it; later ones find what it has left.
            "memory": f"{1000 * runs[0]['grown_mb'] / (results['common'] - WARMING):.0f} KB"
            if "search" in server
            else "",
            "kept_up": all(run["arrived"] >= ARRIVED for run in runs),
            "most": best.get("streams"),
            "most_cpu_us": best.get("cpu_us"),
            "others": max(run["others"] for run in [*runs, *server.get("search", ())]),
        }
    return found


def goals(results: Mapping[str, Any]) -> list[tuple[str, str, bool]]:
    """Return each goal, its result, and whether it is met."""
    found = figures(results)
    ours, bare, litellm = found["msgmodel"], found["starlette"], found["litellm-proxy"]
    rows = [
        _at_most("CPU for a piece, times the bare relay's", ours["cpu_us"], bare["cpu_us"], 1.5),
        _at_least("LiteLLM's CPU for a piece, times ours", litellm["cpu_us"], ours["cpu_us"], 10),
    ]
    if ours["most"] and bare["most"]:
        title = "CPU for a piece at the highest load, times the bare relay's"
        rows.insert(1, _at_most(title, ours["most_cpu_us"], bare["most_cpu_us"], 1.5))
    if ours["most"] and litellm["most"]:
        title = "LiteLLM's CPU for a piece at the highest load, times ours"
        rows.append(_at_least(title, litellm["most_cpu_us"], ours["most_cpu_us"], 10))
        rows.append(_at_least("streams carried, times LiteLLM's", ours["most"], litellm["most"], 10))
    return rows


def _at_most(title: str, mine: float, theirs: float, limit: float) -> tuple[str, str, bool]:
    return f"{title}: at most {limit:g}", f"{mine / theirs:.2f} ({mine:g} / {theirs:g})", mine / theirs <= limit


def _at_least(title: str, larger: float, smaller: float, limit: float) -> tuple[str, str, bool]:
    return (
        f"{title}: at least {limit:g}",
        f"{larger / smaller:.1f} ({larger:g} / {smaller:g})",
        larger / smaller >= limit,
    )


def table(results: Mapping[str, Any]) -> str:
    """Return the results in Markdown, with the goals below."""
    found = figures(results)
    lines = [
        f"| one worker | CPU for a piece, {results['common']} streams | times the bare relay's "
        "| streams carried, p99 < 250 ms | CPU for a piece then | memory of a stream |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, server in results["servers"].items():
        each = found[name]
        cpu = f"{each['cpu_us']:.0f} µs" + ("" if each["kept_up"] else ", falling behind")
        ratio = f"{each['cpu_us'] / found['starlette']['cpu_us']:.1f}"
        then = (f"{each['most']:,}", f"{each['most_cpu_us']:.0f} µs") if each["most"] else ("", "")
        lines.append(f"| {' | '.join((server['title'], cpu, ratio, *then, each['memory']))} |")
    lines += ["", "| goal | measured | |", "|---|---|---|"]
    lines += [f"| {title} | {measured} | {'met' if met else 'not met'} |" for title, measured, met in goals(results)]
    others = max(each["others"] for each in found.values())
    named = ", ".join(f"{RELAYS[name].title}: {_named(each)}" for name, each in results["versions"].items())
    lines += ["", f"Other processes took up to {others:.0%} of a core meanwhile. Versions: {named}."]
    return "\n".join(lines)


def _named(packages: Mapping[str, str]) -> str:
    return " ".join(f"{package} {version}" for package, version in packages.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="of the common load; the medians are shown")
    parser.add_argument("--seconds", type=float, default=2.5, help="of one load, after it has settled")
    options = parser.parse_args()
    results = measure(options.rounds, options.seconds)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    print(table(results))


if __name__ == "__main__":
    main()
