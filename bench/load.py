"""How many live streams `msgmodel serve` carries: none lost, and how much later than the provider's the text comes.

    python bench/load.py                            one worker, streams in memory
    python bench/load.py --workers 3 --redis        three workers behind nginx, streams in Redis

For Linux. The provider (upstream.py) and the readers (readers.py) are processes of their own on the same machine, so on
few cores they take from what is measured: the output says what each part used, and what others took.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from array import array
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "examples" / "deploy"))

from one_machine import Deployment  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")


class Part:
    """The processes of one part of the machine, and the CPU time and memory that they use."""

    def __init__(self, name: str, pids: list[int]) -> None:
        self.name = name
        self.pids = [child for pid in pids for child in (pid, *_children(pid))]
        self.rss_mb, self._used = self._rss(), self._cpu()
        self.rss_most_mb = self.rss_mb

    def look(self) -> None:
        self.rss_most_mb = max(self.rss_most_mb, self._rss())

    def seconds(self) -> tuple[float, float]:
        """Return the CPU seconds since the start: in the programs, and in the kernel for them."""
        user, system = self._cpu()
        return user - self._used[0], system - self._used[1]

    def _cpu(self) -> tuple[float, float]:
        # Fields 14 and 15 of proc(5), counted after the name, which may hold blanks.
        each = [_proc(pid, "stat").rpartition(")")[2].split()[11:13] for pid in self.pids]
        return sum(int(user) for user, _ in each) / TICKS, sum(int(system) for _, system in each) / TICKS

    def _rss(self) -> float:
        pages = sum(int(_proc(pid, "statm").split()[1]) for pid in self.pids)
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _proc(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text("utf-8")
    except OSError:  # it has ended
        return ") " + "0 " * 20


def _children(pid: int) -> list[int]:
    return [int(each) for each in _proc(pid, f"task/{pid}/children").split() if each != ")" and each != "0"]


def _machine() -> float:
    """Return the CPU seconds that all programs of this machine have used."""
    user, nice, system, _, _, irq, softirq, *_ = map(
        int, Path("/proc/stat").read_text("utf-8").split("\n")[0].split()[1:]
    )
    return (user + nice + system + irq + softirq) / TICKS


@contextmanager
def _upstream(rate: float, seconds: float) -> Iterator[tuple[int, int]]:
    """Start the provider, and return its process and port."""
    command = [sys.executable, str(HERE / "upstream.py"), str(rate), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.pid, int(process.stdout.readline())
        finally:
            process.terminate()


def _profile(file: str, pid: int, seconds: float) -> None:
    command = [
        "py-spy",
        "record",
        "--rate",
        "200",
        "--format",
        "raw",
        "-o",
        file,
        "-p",
        str(pid),
        "-d",
        str(int(seconds)),
    ]
    subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run it once."""
    pieces = round(options.rate * options.seconds)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        provider, port = stack.enter_context(_upstream(options.rate, options.seconds))
        many = str(10 * options.streams)
        deployed = stack.enter_context(
            Deployment(
                folder,
                workers=options.workers,
                redis=options.redis,
                proxy=options.workers > 1,
                options=["--max-streams", many, "--max-streams-per-client", many, "--provider", "openai"],
                environment={
                    "OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1",
                    "OPENAI_API_KEY": "none-is-needed-here",
                    "NO_PROXY": "127.0.0.1",
                },
            )
        )
        parts = [Part("worker" if options.workers == 1 else "workers", [each.pid for each in deployed.workers])]
        parts += [Part("redis", [deployed.redis.pid])] if deployed.redis else []
        parts += [Part("nginx", [deployed.nginx.pid])] if deployed.nginx else []
        parts += [Part("provider", [provider])]
        host, _, port_text = deployed.url.removeprefix("http://").partition(":")
        command = [sys.executable, str(HERE / "readers.py"), host, port_text, str(options.streams), str(pieces)]
        command += [str(options.ramp), str(options.seconds + options.patience)]
        used, begin = _machine(), time.monotonic()
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as readers:
            assert readers.stdout is not None
            parts.append(Part("readers", [readers.pid]))
            ended = threading.Event()

            def look() -> None:
                while not ended.wait(1.0):
                    for part in parts:
                        part.look()

            looking = threading.Thread(target=look)
            looking.start()
            json.loads(readers.stdout.readline())
            if options.profile:
                _profile(options.profile, deployed.workers[0].pid, options.seconds - 1)
            result = json.loads(readers.stdout.readline())
            # While they still run, waiting for a word of ours: what has ended has no figures.
            wall = time.monotonic() - begin
            split = {part.name: part.seconds() for part in parts}
            seconds = {name: sum(used) for name, used in split.items()}
            everything = _machine() - used
            ended.set()
            looking.join()
        if result["bad"] or options.verbose:
            print(deployed.logs(), file=sys.stderr)
    heads, delays = (array("d", sorted(result[name])) for name in ("heads", "delays"))
    asked = options.streams * pieces
    return {
        "streams": options.streams,
        "lost": len(result["bad"]),
        "why": sorted(set(result["bad"])),
        "pieces": f"{len(delays)} of {asked}",
        "pieces a second": round(len(delays) / result["seconds"]),
        "pieces an event": round(len(delays) / max(1, result["events"]), 1),
        "seconds": round(result["seconds"], 1),
        "first byte ms": _shares(heads),
        "delay ms": _shares(delays),
        "CPU of one core": {name: f"{used / wall:.0%}" for name, used in seconds.items()}
        | {"everybody else": f"{(everything - sum(seconds.values())) / wall:.0%}", "cores": os.cpu_count()},
        "CPU us a piece": {
            name: [round(1e6 * used / max(1, len(delays))) for used in both] for name, both in split.items()
        },
        "RSS MB": {part.name: [round(part.rss_mb), round(part.rss_most_mb)] for part in parts},
        "worker KB a stream": round(1000 * (parts[0].rss_most_mb - parts[0].rss_mb) / options.streams, 1),
    }


SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}


def _shares(ordered: array[float]) -> dict[str, int]:
    """Return percentiles, in milliseconds."""
    last = len(ordered) - 1
    return {name: round(1000 * ordered[min(last, int(share * last))]) for name, share in SHARES.items() if ordered}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=20.0, help="pieces a second, of one stream")
    parser.add_argument("--seconds", type=float, default=60.0, help="that one stream lasts")
    parser.add_argument("--ramp", type=float, default=5.0, help="seconds over which the streams begin")
    parser.add_argument("--patience", type=float, default=60.0, help="seconds after which a stream counts as lost")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--redis", action="store_true")
    parser.add_argument("--profile", metavar="FILE", help="of the first worker, by py-spy, as folded stacks")
    parser.add_argument("--verbose", action="store_true", help="what the parts logged")
    options = parser.parse_args()
    if options.workers > 1 and not options.redis:
        parser.error("several workers need --redis")
    result = measure(options)
    for name, value in result.items():
        print(f"{name + ':':24} {json.dumps(value) if isinstance(value, (dict, list)) else value}")
    return 1 if result["lost"] else 0


if __name__ == "__main__":
    sys.exit(main())
