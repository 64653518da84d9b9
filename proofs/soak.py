"""Twenty minutes of what a server meets: 500 streams at a time, a fifth of them with a fault, readers that come and go.

    python proofs/soak.py --minutes 20 --streams 500

Two workers of `msgmodel serve`, a Redis of their own, a provider that speaks the four wires, and the readers: five
processes on loopback. Every panel must end in exactly one terminal event, the right one for its fault, with the text
right to the last delta; and after a warm-up nothing may grow. Writes bench/results/soak.json; the exit code is 1 where
anything was wrong. For Linux, with redis-server.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "examples" / "deploy")]

import redis  # noqa: E402
from child import Child  # noqa: E402
from one_machine import Deployment  # noqa: E402
from soak_plan import REPLY_BYTES  # noqa: E402
from soak_readers import EXPIRED_SECONDS, LATE_SECONDS  # noqa: E402
from soak_samples import LIMITS, Growth, Sample, a_stream, cpu, growth, store, together, worker  # noqa: E402

from msgmodel.http.connection_limits import IDLE_CONNECTIONS  # noqa: E402

RESULTS = HERE.parent / "bench" / "results" / "soak.json"
WORKERS = 2
EVERY_SECONDS = 2.0
POOL = 64
"""Connections to Redis that a worker keeps at most: they are no leak, and neither are its idle ones to the provider."""
SHOWN = 20
"""Of what was wrong, on the screen."""


class Workers(Deployment):
    """The example's deployment without nginx; its workers count what they have."""

    tombstone = 0.0

    def counted(self, number: int) -> Path:
        return self.folder / f"worker-{number}.json"

    def start_worker(self, number: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, str(HERE / "soak_worker.py"), str(self.counted(number)), str(self.tombstone)]
        command += ["--port", str(self.ports[number]), "--redis", self.redis_url, *self._options]
        process = self._run(f"worker-{number + 1}", command)
        self.workers[number : number + 1] = [process]
        return process


class Soak:
    """One run."""

    def __init__(self, options: argparse.Namespace, stack: ExitStack) -> None:
        self.options = options
        self.wrong: list[str] = []
        self.samples: list[Sample] = []
        spread = [str(options.seed), str(options.shortest), str(options.longest)]
        self.provider = stack.enter_context(Child(str(HERE / "soak_provider.py"), *spread))
        address = f"http://127.0.0.1:{int(self.provider.line())}"
        self.workers = Workers(
            Path(stack.enter_context(tempfile.TemporaryDirectory())),
            workers=WORKERS,
            proxy=False,
            options=[
                *("--ttl", str(options.ttl), "--on-disconnect", f"grace:{options.grace:g}"),
                *("--max-reply-bytes", str(REPLY_BYTES)),
            ],
            environment={
                "OPENAI_BASE_URL": f"{address}/v1",
                "ANTHROPIC_BASE_URL": address,
                "GOOGLE_GEMINI_BASE_URL": address,
                **dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY"), "none-is-needed-here"),
                "NO_PROXY": "127.0.0.1",
            },
        )
        self.workers.tombstone = options.tombstone
        stack.enter_context(self.workers)
        self.redis = stack.enter_context(redis.Redis.from_url(self.workers.redis_url))
        time.sleep(EVERY_SECONDS)  # until the workers have counted
        self.begin = time.monotonic()
        self.idle = self.look()
        told = {name: value for name, value in vars(options).items() if name != "results"}
        told["ports"] = self.workers.ports
        self.readers = stack.enter_context(Child(str(HERE / "soak_readers.py"), json.dumps(told)))
        self.report: dict[str, Any] = {}
        self.asked: dict[str, Any] = {}

    def look(self) -> Sample:
        """Everything that is watched."""
        found: Sample = {"seconds": time.monotonic() - self.begin}
        for number, process in enumerate(self.workers.workers):
            if process.poll() is not None:
                raise RuntimeError(f"worker {number + 1} has ended:\n{self.workers.logs()}")
            found |= worker(number + 1, process.pid, self.workers.counted(number))
        return found | together(found, WORKERS) | store(self.redis)

    def ask(self, word: str = "?") -> None:
        """What readers and provider have seen."""
        self.report, self.asked = self.readers.ask(word), self.provider.ask()
        self.wrong += [*self.report["wrong"], *self.asked["wrong"]]

    def run(self) -> None:
        """Keeps the streams going, and looks at what they cost."""
        until = self.begin + 60 * self.options.minutes
        shown = 0.0
        while (now := time.monotonic()) < until:
            time.sleep(max(0.0, min(EVERY_SECONDS, until - now)))
            self.ask()
            seen = {name: float(self.report[name]) for name in ("live", "begun")}
            sample = self.look() | seen | {"to the provider": self.asked["open"]}
            self.samples.append(sample | a_stream(sample, self.samples, self.options.ttl + self.options.tombstone))
            if time.monotonic() - shown > 10.0:
                shown = time.monotonic()
                self.show()

    def show(self) -> None:
        """A line about now."""
        last, report = self.samples[-1], self.report
        figures = [last[f"worker {number + 1}: RSS MB"] for number in range(WORKERS)]
        tasks = sum(last[f"worker {number + 1}: tasks"] for number in range(WORKERS))
        print(
            f"{last['seconds']:5.0f} s  {report['live']} live, {report['begun']} begun, {len(self.wrong)} wrong;  "
            f"RSS {' + '.join(f'{each:.0f}' for each in figures)} MB, {tasks:.0f} tasks, "
            f"{last['Redis keys']:.0f} keys, {last['Redis MB']:.1f} MB in Redis",
            flush=True,
        )

    def drain(self) -> Sample:
        """No new streams; waits until all have ended, and then for as long as anything may be kept. What is left."""
        self.ask("end")
        longest = self.options.longest + 90.0
        self._until("streams that never ended", longest, lambda: not self.report["live"])
        self._until("streams that were not looked at again", 2 * longest, lambda: not self.report["later"])
        self._until("replies that the provider still sends", 10.0, lambda: not self.asked["answering"])
        self._until("connections to the provider", 10.0, lambda: self.asked["open"] <= WORKERS * IDLE_CONNECTIONS)
        kept = self.options.ttl + self.options.tombstone + 15.0
        self._until("keys in Redis", kept, lambda: not any("keys, " in name for name in self.look()))
        return self.look()

    def _until(self, what: str, seconds: float, holds: Any) -> None:
        until = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > until:
                self.wrong.append(f"{what}, {seconds:.0f} s after the end: {self.report['live']} live, {self.asked}")
                return
            time.sleep(0.5)
            self.ask()

    def left(self, after: Sample) -> dict[str, tuple[float, float]]:
        """What the workers had before the first stream and have after the last; adds what should be gone to `wrong`."""
        found = {}
        for number in range(1, WORKERS + 1):
            for name, more in (("file handles", POOL + IDLE_CONNECTIONS), ("tasks", 10)):
                key = f"worker {number}: {name}"
                found[key] = self.idle[key], after[key]
                if after[key] > self.idle[key] + more:
                    self.wrong.append(f"{key}: {self.idle[key]:.0f} before, {after[key]:.0f} after all streams")
        return found


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Runs it once."""
    with ExitStack() as stack:
        soak = Soak(options, stack)
        pids = {f"worker {number + 1}": each.pid for number, each in enumerate(soak.workers.workers)}
        assert soak.workers.redis is not None
        pids |= {"redis": soak.workers.redis.pid, "provider": soak.provider.process.pid}
        pids |= {"readers": soak.readers.process.pid}
        used = {name: cpu(pid) for name, pid in pids.items()}
        soak.run()
        wall = time.monotonic() - soak.begin
        share = {name: round((cpu(pid) - used[name]) / wall, 3) for name, pid in pids.items()}
        warm = [each for each in soak.samples if each["seconds"] >= options.warm_up]
        rows = growth(warm)
        after = soak.drain()
        left = soak.left(after)
        logged = soak.workers.logs()
    grown = [f"{row.name} grew from {row.first:.0f} to {row.last:.0f}" for row in rows if not row.within]
    late = {name: [round(median(found)), round(max(found))] for name, found in _late(warm).items()}
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("msgmodel", "uvicorn", "redis")},
        "options": {name: value for name, value in vars(options).items() if name != "results"},
        "seconds": round(wall, 1),
        "streams": soak.report["begun"],
        "requests to the provider": soak.asked["requests"],
        "endings of panels": soak.report["endings"],
        "readers": soak.report["behaviours"],
        "wrong": [*soak.wrong, *grown],
        "CPU of one core": share,
        "ms late": late,
        "growth": [row._asdict() for row in rows],
        "before and after": left,
        "limits": {name: [limit.ratio, limit.slack] for name, limit in LIMITS.items()},
        "samples": soak.samples[:: max(1, len(soak.samples) // 100)],
        "logged": logged[-4000:] if soak.wrong else "",
    }


def _late(samples: list[Sample]) -> dict[str, list[float]]:
    """By how many milliseconds the workers' event loops ran behind."""
    names = [name for name in samples[0] if name.endswith("ms late")]
    return {name.partition(":")[0]: [each[name] for each in samples] for name in names}


def table(result: dict[str, Any]) -> str:
    """The summary, in Markdown."""
    rows = [Growth(**row) for row in result["growth"]]
    lines = [
        "| after the warm-up | first quarter | last quarter | highest | growth per hour | |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.name} | {_shown(row.first)} | {_shown(row.last)} | {_shown(row.most)} | {_shown(row.an_hour, '+')} | "
        f"{'ok' if row.within else 'grows'} |"
        for row in rows
    ]
    lines += ["", "| fault | panels, and how they ended |", "|---|---|"]
    faults: dict[str, list[str]] = {}
    for fault, ending, count in result["endings of panels"]:
        faults.setdefault(fault or "none", []).append(f"{count:,} {ending}")
    lines += [f"| {fault} | {', '.join(found)} |" for fault, found in faults.items()]
    readers = ", ".join(f"{count} {name}" for name, count in result["readers"].items())
    used = ", ".join(f"{name} {share:.0%}" for name, share in result["CPU of one core"].items())
    lines += ["", f"{result['streams']:,} streams in {result['seconds']:.0f} s; wrong: {len(result['wrong'])}."]
    late = ", ".join(f"{name} {usual} ms, at most {most} ms" for name, (usual, most) in result["ms late"].items())
    lines += [f"Readers: {readers}.", f"CPU of one core: {used}.", f"Event loops late: {late}."]
    return "\n".join(lines)


def _shown(number: float, sign: str = "") -> str:
    return f"{number:{sign},.0f}" if abs(number) >= 100 else f"{number:{sign},.1f}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--streams", type=int, default=500, help="at a time")
    parser.add_argument("--shortest", type=float, default=5.0, help="seconds of the shortest reply")
    parser.add_argument("--longest", type=float, default=30.0, help="seconds of the longest")
    parser.add_argument("--ramp", type=float, default=15.0, help="seconds over which the first streams begin")
    parser.add_argument("--grace", type=float, default=10.0, help="seconds that a stream goes on unread")
    parser.add_argument("--ttl", type=float, default=40.0, help="seconds for which a stream is kept after its end")
    parser.add_argument("--tombstone", type=float, default=40.0, help="seconds for which it is known after that")
    parser.add_argument("--warm-up", type=float, default=180.0, help="seconds from which on nothing may grow")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    if shutil.which("redis-server") is None:
        parser.error("there is no redis-server")
    if options.warm_up + 4 * EVERY_SECONDS > 60 * options.minutes:
        parser.error("the warm-up is as long as the run")
    if options.ttl < options.grace + 2 * LATE_SECONDS:
        parser.error("a stream without readers is checked after its grace: the ttl must be longer than that")
    if options.tombstone < EXPIRED_SECONDS + LATE_SECONDS:
        parser.error("a stream that has expired is asked for once more, and would be forgotten by then")
    result = measure(options)
    options.results.parent.mkdir(parents=True, exist_ok=True)
    options.results.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print(f"\n{table(result)}")
    for wrong in result["wrong"][:SHOWN]:
        print(f"WRONG: {wrong}")
    return 1 if result["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
