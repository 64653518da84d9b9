"""`make bench`: this library beside its peers, on this machine, now.

    python bench/speed.py                                    everything (about ten minutes; for Linux)
    python bench/speed.py --quick --only burst-openai,live-100 --peers floor,msgmodel,openai

Installs the peers that are missing, starts the replay server (replay.py) and measures (measure.py), interleaved: in
each round every peer comes once under every load, so that what else the machine does meets all of them. Medians of the
rounds go into the table of goals and, where everything was measured, with the machine and the versions into
results/speed.json. Exit code 1: some peer failed.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import costs
import goals
import machine
import ours
from loads import ENVIRONMENT, LOADS, PEERS, takes
from peers.install import PACKAGES, install, python

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "speed.json"
ROUNDS = 5
GROUPS = (
    ("burst-openai", "burst-anthropic", "burst-gemini", "burst-tls", "first", "live-100"),
    ("sync-burst", "sync-20"),
    ("live-1000",),
    ("linear",),
)
"""Loads that share a process, one of live streams last. Memory is measured in one that has done nothing else."""
IMPORT = "import"
"""The load that is measured by costs.py."""
ALL = (*LOADS, IMPORT)
PATIENCE_SECONDS = 180

Samples = dict[str, dict[str, list[dict[str, float]]]]
"""By load and peer, one for each round."""


@contextmanager
def _replaying() -> Iterator[tuple[list[str], dict[str, str]]]:
    """Start the replay server: its ports, and an environment in which all peers trust it and none uses the internet."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(HERE / "replay.py"), folder]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                ports = process.stdout.readline().split()
                trusted = str(Path(folder) / "certificate.pem")
                mine = ENVIRONMENT | {"SSL_CERT_FILE": trusted, "REQUESTS_CA_BUNDLE": trusted}
                unset = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
                kept = {name: value for name, value in os.environ.items() if name.lower() not in unset}
                yield ports, kept | mine
            finally:
                process.terminate()


def _measured(
    peer: str, groups: list[list[str]], ports: list[str], environment: dict[str, str]
) -> tuple[list[Any], str]:
    """Return what one process reports about a peer, and why it failed if it did."""
    lists = [",".join(group) for group in groups]
    command = [python(costs.ENVIRONMENTS.get(peer, peer)), HERE / "measure.py", peer, *ports, *lists]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdout=pipe, stderr=pipe, text=True, env=environment, start_new_session=True
    ) as process:
        try:
            out, err = process.communicate(timeout=PATIENCE_SECONDS)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)  # it has children
            if isinstance(error, subprocess.TimeoutExpired):
                return [], f"not done in {PATIENCE_SECONDS} s"
            raise
    lines = [json.loads(line) for line in out.splitlines() if line.startswith('{"peer"')]
    if not process.returncode:
        return lines, ""
    missing = {load for group in groups for load in group} - {line["load"] for line in lines}
    errors = [line for line in err.splitlines() if line and not line.startswith(" ")]
    return lines, f"{', '.join(sorted(missing))}: {errors[-1] if errors else process.returncode}"


def run(peers: list[str], loads: list[str], rounds: int) -> dict[str, Any]:
    """Measure everything."""
    samples: Samples = {load: defaultdict(list) for load in loads}
    failures: dict[str, str] = {}
    begin, others = time.monotonic(), machine.Others()
    with _replaying() as (ports, environment):
        for number in range(rounds):
            for peer in peers:
                groups = [[load for load in group if load in loads and takes(peer, load)] for group in GROUPS]
                lines, failure = _measured(peer, [group for group in groups if group], ports, environment)
                for line in lines:
                    samples[line.pop("load")][line.pop("peer")].append(line)
                if failure:
                    failures[peer] = failure
                    print(f"{peer} failed under {failure}", file=sys.stderr, flush=True)
            if IMPORT in loads:
                for peer, seconds in costs.import_seconds(peers, environment).items():
                    samples[IMPORT][peer].append({"import_ms": 1e3 * seconds})
            print(f"round {number + 1} of {rounds}: {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)
    return {
        "machine": machine.facts() | {"others": others.share()},
        "rounds": rounds,
        "seconds": round(time.monotonic() - begin),
        "peers": {peer: costs.installed(peer) for peer in peers},
        "loads": _medians(samples),
        "failures": failures,
    }


def _medians(samples: Samples) -> dict[str, dict[str, Any]]:
    loads = {load: {peer: _middle(lines) for peer, lines in each.items()} for load, each in samples.items()}
    first = loads.get("first", {})
    if "floor" in first:
        for figures in first.values():
            figures["added_ms"] = round(figures["first_ms"] - first["floor"]["first_ms"], 4)
    return loads


def _middle(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the median of each figure, and the lowest and highest of the first, which is the main one."""
    whole = {key: value for key, value in lines[0].items() if isinstance(value, str)}
    figures = [key for key in lines[0] if key not in whole]
    each = {key: [line[key] for line in lines] for key in figures}
    main = each[figures[0]]
    return (
        whole
        | {key: float(f"{statistics.median(values):.4g}") for key, values in each.items()}
        | {"low": float(f"{min(main):.4g}"), "high": float(f"{max(main):.4g}"), "rounds": len(lines)}
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--quick", action="store_true", help="one round")
    parser.add_argument("--peers", default=",".join(PEERS), help="of " + ",".join(PEERS))
    parser.add_argument("--only", default=",".join(ALL), help="of " + ",".join(ALL))
    options = parser.parse_args()
    peers, loads = options.peers.split(","), options.only.split(",")
    if unknown := [*set(peers) - set(PEERS), *set(loads) - set(ALL)]:
        parser.error(f"unknown: {', '.join(unknown)}")
    environments = {costs.ENVIRONMENTS.get(peer, peer) for peer in peers}
    install([name for name in PACKAGES if name in environments])
    ours.install()
    rounds = 1 if options.quick else options.rounds
    results = run(peers, loads, rounds)
    if set(peers) == set(PEERS) and set(loads) == set(ALL) and rounds >= ROUNDS:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    print(goals.overview(results))
    print(goals.table(goals.rows(results)))
    return 1 if results["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
