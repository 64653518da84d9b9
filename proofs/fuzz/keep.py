"""Keeps in the repository what of a run's corpus reaches further: `python -m proofs.fuzz.keep [TARGET ...]`.

The small ones first: each that takes a branch of the code which none before it took, the inputs to begin with included,
goes to corpus/<target>, up to `MOST` bytes a target. Runs in the environment of the tests, with coverage.py.
"""

from __future__ import annotations

import argparse
import hashlib
import warnings
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from coverage import Coverage
from coverage.exceptions import CoverageWarning
from proofs.fuzz.run import HERE, TARGETS, WORK
from proofs.fuzz.seeds import SEEDS
from proofs.fuzz.targets import TARGETS as FUNCTIONS

MOST = 12_000
LARGEST = 2_000
"""Bytes of one input."""


def branches(target: str, data: bytes) -> set[tuple[str, int, int]]:
    """Return the branches that an input takes."""
    counter = Coverage(branch=True, source_pkgs=["msgmodel"], data_file=None, config_file=False, messages=False)
    with counter.collect(), suppress(Exception):
        FUNCTIONS[target].run(data)
    found = counter.get_data()
    return {(file, *arc) for file in found.measured_files() for arc in found.arcs(file) or ()}


def keep(target: str, folder: Path) -> tuple[int, int]:
    """Copy the inputs that reach further; return how many, and how many there were."""
    own = HERE / "corpus" / target
    known: set[tuple[str, int, int]] = set()
    for data in (*SEEDS[target], *_read(own.glob("*"))):
        known |= branches(target, data)
    room = MOST - sum(path.stat().st_size for path in own.glob("*") if _learned(path))
    there = sorted((data for data in _read(folder.iterdir()) if 0 < len(data) <= LARGEST), key=len)
    kept = 0
    for data in there:
        if len(data) <= room and (found := branches(target, data)) - known:
            known |= found
            room -= len(data)
            kept += 1
            own.mkdir(parents=True, exist_ok=True)
            (own / hashlib.sha256(data).hexdigest()[:12]).write_bytes(data)
    return kept, len(there)


def _read(paths: Iterable[Path]) -> Iterable[bytes]:
    return (path.read_bytes() for path in sorted(paths))


def _learned(path: Path) -> bool:
    """Return whether this program kept an input: inputs that found something have names."""
    return len(path.name) == 12 and set(path.name) <= set("0123456789abcdef")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="folder", type=Path, default=WORK, metavar="FOLDER", help="build/fuzz")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    chosen = parser.parse_args()
    warnings.simplefilter("ignore", CoverageWarning)  # that the package was imported before it was measured
    for target in chosen.targets or TARGETS:
        kept, there = keep(target, chosen.folder / target / "corpus")
        print(f"{target}: {kept} of {there}")


if __name__ == "__main__":
    main()
