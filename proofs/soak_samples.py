"""What the processes of the soak hold, looked at from outside, and whether it grows."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import redis

PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1e6
Sample = dict[str, float]


class Limit(NamedTuple):
    """How much larger the last quarter may be than the first: by this ratio, or by so much. of: makes one of many."""

    ratio: float
    slack: float
    of: Callable[[Iterable[float]], float] = median


LIMITS = {
    "RSS MB": Limit(1.05, 5.0),
    "Python blocks": Limit(1.05, 10_000.0, min),  # right after a collection of garbage
    "file handles": Limit(1.05, 20.0),
    "threads": Limit(1.0, 1.0),
    "tasks": Limit(1.1, 50.0),
    "Redis keys per stream": Limit(1.1, 0.2),
    "Redis KB per stream": Limit(1.1, 0.5),
}
"""Of all workers together, and of Redis. Live streams vary around their number, so none of it is exactly still."""


class Growth(NamedTuple):
    """One row of the table."""

    name: str
    first: float
    last: float
    most: float
    an_hour: float
    within: bool


def worker(number: int, pid: int, counted: Path) -> Sample:
    """One worker's figures: memory, sockets and threads by the system, tasks by itself."""
    process = Path(f"/proc/{pid}")
    own = json.loads(counted.read_text("utf-8")) if counted.exists() else {"tasks": 0, "blocks": 0, "late": 0}
    figures = {
        "RSS MB": int((process / "statm").read_text().split()[1]) * PAGE_MB,
        "Python blocks": own["blocks"],
        "file handles": len(os.listdir(process / "fd")),
        "threads": len(os.listdir(process / "task")),
        "tasks": own["tasks"],
        "ms late": 1000 * own["late"],
    }
    return {f"worker {number}: {name}": float(value) for name, value in figures.items()}


def together(found: Sample, workers: int) -> Sample:
    """Of all workers, as which of them carries how many streams is chance."""
    names = [name.partition(": ")[2] for name in found if name.startswith("worker 1: ")]
    return {f"workers: {name}": sum(found[f"worker {n + 1}: {name}"] for n in range(workers)) for name in names}


def store(client: redis.Redis) -> Sample:
    """Redis' figures. Keys by what they are for, too."""
    # What follows the hash tag of a stream; a log's key has the stream's instance behind that.
    kinds = Counter(
        key.partition(b"}:")[2].partition(b":")[0].decode() for key in client.scan_iter(count=5000) if b"}" in key
    )
    memory: Any = client.info("memory")
    found = {"Redis keys": float(client.dbsize()), "Redis MB": memory["used_memory"] / 1e6}  # type: ignore[arg-type]
    return found | {f"Redis keys, {kind}": float(count) for kind, count in sorted(kinds.items())}


def a_stream(sample: Sample, before: Sequence[Sample], kept_seconds: float) -> Sample:
    """Redis' figures for each stream that it may know of: those that live, and those begun since it keeps them."""
    since = sample["seconds"] - kept_seconds
    begun = next((each["begun"] for each in reversed(before) if each["seconds"] <= since), 0.0)
    streams = max(1.0, sample["begun"] - begun)
    return {
        "Redis keys per stream": sample["Redis keys"] / streams,
        "Redis KB per stream": 1000 * sample["Redis MB"] / streams,
    }


def cpu(pid: int) -> float:
    """Seconds that a process has used, by fields 14 and 15 of proc(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def growth(samples: Sequence[Sample]) -> list[Growth]:
    """Of everything that has a limit, in samples since the warm-up. Each has its `seconds`."""
    quarter = max(1, len(samples) // 4)
    first, last = samples[:quarter], samples[-quarter:]
    hours = (median(each["seconds"] for each in last) - median(each["seconds"] for each in first)) / 3600
    rows = []
    for name in samples[0]:
        limit = LIMITS.get(name.removeprefix("workers: "))
        if limit is None:
            continue
        before, after = (limit.of(each[name] for each in part) for part in (first, last))
        within = after <= max(before * limit.ratio, before + limit.slack)
        most = max(each[name] for each in samples)
        rows.append(Growth(name, before, after, most, (after - before) / hours if hours else 0.0, within))
    return rows
