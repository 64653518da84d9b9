"""Fuzzes one target with coverage: run by run.py, in an environment that has atheris.

`python -m proofs.fuzz.fuzz TARGET SECONDS WORK`: SECONDS of CPU; the growing corpus is in WORK/corpus, each finding in
WORK/findings with its traceback beside it, and at the end the figures are in WORK/result.json. A finding does not end
the run: one that fails at the same place is counted, and not kept again.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import sys
import traceback
from collections import Counter
from pathlib import Path
from time import process_time

import atheris

with atheris.instrument_imports(include=["msgmodel"], enable_loader_override=False):
    from proofs.fuzz.targets import TARGETS
from proofs.fuzz.mutator import Mutator, words

SLOW_SECONDS = 2.0
"""CPU that no input may take; about one is what an honest one takes at this length, with all the counting."""
CHECK = 64
"""Runs between two looks at the clock."""


class Run:
    """One target, its time, and its findings."""

    def __init__(self, name: str, seconds: float, work: Path) -> None:
        self._target = TARGETS[name]
        self._seconds = seconds
        self._work = work
        self._begin = process_time()
        self._executions = 0
        self._found: Counter[str] = Counter()

    def one(self, data: bytes) -> None:
        """Run one input."""
        begin = process_time()
        try:
            self._target.run(data)
        except Exception as error:  # whatever it is, it is a finding
            self._keep(data, error)
        if process_time() - begin > SLOW_SECONDS:
            self._keep(data, TimeoutError(f"{process_time() - begin:.1f} s of CPU for {len(data)} bytes"))
        self._executions += 1
        if self._executions % CHECK == 0 and process_time() - self._begin > self._seconds:
            self.end()

    def end(self) -> None:
        """Write the figures and exit: libFuzzer has no limit in CPU time, and no end that is not a failure."""
        result = {
            "executions": self._executions,
            "cpu_seconds": round(process_time() - self._begin, 1),
            "findings": dict(self._found),
            "corpus": len(list((self._work / "corpus").iterdir())),
        }
        (self._work / "result.json").write_text(json.dumps(result), "utf-8")
        sys.stdout.flush()
        os._exit(0)

    def _keep(self, data: bytes, error: Exception) -> None:
        frames = traceback.extract_tb(error.__traceback__)
        place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "slow"
        mark = f"{type(error).__name__} {place}"
        self._found[mark] += 1
        if self._found[mark] == 1:
            path = self._work / "findings" / hashlib.sha256(mark.encode()).hexdigest()[:12]
            path.write_bytes(data)
            words = "".join(traceback.format_exception(error, limit=-8))
            path.with_suffix(".txt").write_text(f"{mark}\n\n{words}", "utf-8")
            print(f"finding: {mark}: {error!s:.200}", flush=True)


def main() -> None:
    name, seconds, work = sys.argv[1], float(sys.argv[2]), Path(sys.argv[3])
    run = Run(name, seconds, work)
    mutator = Mutator(words(TARGETS[name].modules))
    options = [f"-max_len={TARGETS[name].longest}", "-timeout=120", "-rss_limit_mb=2000", "-verbosity=0"]
    artifacts = f"-artifact_prefix={work / 'findings'}/"
    atexit.register(run.end)
    atheris.Setup(
        [sys.argv[0], *options, artifacts, str(work / "corpus")],
        run.one,
        custom_mutator=mutator.change,
        custom_crossover=mutator.cross,
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
