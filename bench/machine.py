"""Facts about the machine of a measurement."""

from __future__ import annotations

import os
import platform
import resource
import ssl
import time
from datetime import UTC, datetime
from pathlib import Path


def facts() -> dict[str, str | int]:
    """Return the facts that the figures depend on."""
    return {
        "machine": platform.machine(),
        "cpu": _cpu(),
        "cores": os.cpu_count() or 0,
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "openssl": ssl.OPENSSL_VERSION,
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


class Others:
    """The share of the machine that other processes take while we measure: a few per cent at most, if it is quiet."""

    def __init__(self) -> None:
        self._begin, self._used, self._mine = time.monotonic(), _used(), _mine()

    def share(self) -> float:
        """Return their share of all cores since the start. Our own part, which is subtracted, is what this process and
        the children that it waited for used.
        """
        spent = _used() - self._used - (_mine() - self._mine)
        return round(max(0.0, spent / (time.monotonic() - self._begin) / (os.cpu_count() or 1)), 3)


def _used() -> float:
    user, nice, system, _, _, irq, softirq, *_ = map(
        int, Path("/proc/stat").read_text("utf-8").split("\n")[0].split()[1:]
    )
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def _mine() -> float:
    each = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in each)


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor()
    )
