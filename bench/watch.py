"""Measure CPU time, chunks and memory while streams flow.

This is a separate thread, because the timers of a busy event loop run late, and the speed of a peer must not decide how
long it is measured.
"""

from __future__ import annotations

import itertools
import os
import resource
import threading
import time
import traceback
from collections.abc import Callable

import replay
from loads import Load

OPENING_SECONDS = 100.0
SETTLE_SECONDS = 0.3
"""From when all streams are open; the server lets them flow after 0.1 s."""

LONGEST_SECONDS = 10.0

Figures = dict[str, float]


def check(pieces: list[str], chunks: int) -> None:
    """Raise RuntimeError if a text is not exactly what was sent."""
    said, sent = "".join(pieces), replay.text(chunks)
    if said != sent:
        raise RuntimeError(f"the text is not what was sent: {len(said)} characters of {len(sent)}, ...{said[-40:]!r}")


class Clock:
    """The resources that this process has used since the start."""

    def __init__(self) -> None:
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def cpu(self) -> float:
        return time.process_time() - self._cpu

    def wall(self) -> float:
        return time.perf_counter() - self._wall


class Watch:
    """Watch streams whose pieces of text arrive in `held`. It ends the process, because nothing else would end the
    streams.
    """

    def __init__(self, load: Load, report: Callable[[Figures], None]) -> None:
        self.held: list[list[str]] = [[] for _ in range(load.streams)]
        self.failures: list[Exception] = []
        self._load = load
        self._report = report

    def begin(self) -> None:
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            self._report(self._look())
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)

    def _look(self) -> Figures:
        before, opening = _rss(), Clock()
        while not all(self.held):
            time.sleep(0.01)
            if self.failures or opening.wall() > OPENING_SECONDS:
                begun = sum(map(bool, self.held))
                raise RuntimeError(f"{begun} of {self._load.streams} streams began; {self.failures[:1]}")
        opened = opening.cpu()
        time.sleep(SETTLE_SECONDS)
        clock, first = Clock(), [len(pieces) for pieces in self.held]
        time.sleep(self._load.seconds)
        while sum(map(len, self.held)) - sum(first) < self._load.streams and clock.wall() < LONGEST_SECONDS:
            time.sleep(0.1)  # who has said next to nothing by now has been busy with something else
        cpu, wall, last = clock.cpu(), clock.wall(), [len(pieces) for pieces in self.held]
        rss = _rss()
        if self.failures:
            raise self.failures[0]
        chars = 0
        for pieces, begin, end in zip(self.held, first, last, strict=True):
            chars += sum(map(len, itertools.islice(pieces, begin, end)))
            said = "".join(itertools.islice(pieces, end))
            check([said], len(said) // replay.CHUNK_CHARS)
        chunks = chars / replay.CHUNK_CHARS
        if not chunks:
            raise RuntimeError("no stream said anything")
        streams = self._load.streams
        return {
            "cpu_us": 1e6 * cpu / chunks,
            "kept_up": chunks * self._load.delay_us / 1e6 / streams / wall,
            "busy": cpu / wall,
            "open_cpu_us": 1e6 * opened / streams,
            "streams": streams,
            "kb": (rss - before) / 1e3 / streams,
            "chunks": chunks,
        }


def _rss() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
