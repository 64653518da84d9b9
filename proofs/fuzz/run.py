"""Fuzzes the parts that read what strangers send: `python proofs/fuzz/run.py [--seconds N] [TARGET ...]`.

N seconds of CPU for each target (600 without), one after the other. They run with atheris, libFuzzer for Python, in an
environment of its own, build/fuzz/venv. What they learn stays in build/fuzz/<target>, so that the next run goes on from
there. Exits with 1 where something was found: `python proofs/fuzz/run.py --replay FILE TARGET` shows one again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
WORK = ROOT / "build" / "fuzz"
PYTHON = WORK / "venv" / "bin" / "python"
STAMP = WORK / "installed"
TARGETS = (
    *("sse", "body", "openai_chat", "openai_responses", "anthropic", "gemini"),
    *("server", "requests", "messages"),
)

_SEEDS = "from proofs.fuzz.seeds import SEEDS\nfor seed in SEEDS"
_REPLAY = """
import sys
from proofs.fuzz.targets import TARGETS
TARGETS[sys.argv[1]].run(open(sys.argv[2], "rb").read())
"""


def install() -> None:
    """Create the environment if it is missing. Raise SystemExit if atheris is not available."""
    wanted = (ROOT / "pyproject.toml").read_text("utf-8")
    if STAMP.is_file() and STAMP.read_text("utf-8") == wanted:
        return
    venv.create(WORK / "venv", with_pip=True, symlinks=True)
    command = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "atheris", "-e", ".[server]"]
    if subprocess.run(command, cwd=ROOT).returncode:
        raise SystemExit("atheris can't be installed here: tests/proofs/test_fuzz.py runs the same targets without it")
    STAMP.write_text(wanted, "utf-8")


def python(*arguments: str, **how: Any) -> subprocess.CompletedProcess[Any]:
    """Run Python of that environment, with the code of this checkout."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"}
    return subprocess.run([PYTHON, *arguments], cwd=ROOT, env=environment, **how)


def prepare(target: str) -> Path:
    """Return the directory of a target, with the first inputs in it."""
    work = WORK / target
    shutil.rmtree(work / "findings", ignore_errors=True)
    for name in ("corpus", "findings"):
        (work / name).mkdir(parents=True, exist_ok=True)
    for path in (HERE / "corpus" / target).glob("*"):
        shutil.copy(path, work / "corpus")
    seeds = python("-c", f"{_SEEDS}[{target!r}]: print(seed.hex())", check=True, stdout=subprocess.PIPE).stdout
    for seed in map(bytes.fromhex, seeds.decode().split()):
        (work / "corpus" / hashlib.sha1(seed, usedforsecurity=False).hexdigest()).write_bytes(seed)
    return work


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600, help="of CPU for each target (600)")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="runs one input, and shows where it fails")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    chosen = parser.parse_args()
    if unknown := set(chosen.targets) - set(TARGETS):
        parser.error(f"there is no target {min(unknown)}")
    install()
    targets = chosen.targets or TARGETS
    if chosen.replay:
        return max(python("-c", _REPLAY, target, str(chosen.replay.resolve())).returncode for target in targets)
    found = 0
    print(f"{'target':18}{'executions':>12}{'CPU min':>9}{'corpus':>8}  findings", flush=True)
    for target in targets:
        work = prepare(target)
        (work / "result.json").unlink(missing_ok=True)
        with (work / "log").open("wb") as log:
            python("-m", "proofs.fuzz.fuzz", target, f"{chosen.seconds:g}", str(work), stdout=log, stderr=log)
        if not (work / "result.json").is_file():
            raise SystemExit(f"{target} ended without a result: see {work / 'log'}")
        result = json.loads((work / "result.json").read_text("utf-8"))
        kept = [path for path in (work / "findings").iterdir() if path.suffix != ".txt"]
        found += len(kept)
        words = ", ".join(result["findings"]) or "none"
        minutes = result["cpu_seconds"] / 60
        print(f"{target:18}{result['executions']:>12,}{minutes:>9.1f}{result['corpus']:>8}  {words}", flush=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
