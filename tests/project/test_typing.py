"""What the type checkers see of the library: a caller's code passes, and each deliberate mistake is reported."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CALLER = ROOT / "tests" / "typing" / "caller.py"
MISTAKES = ROOT / "tests" / "typing" / "mistakes.py"

pytestmark = pytest.mark.timeout(300)
"""The checkers read the whole HTTP library the first time."""


def lines_marked(path: Path) -> set[int]:
    lines = path.read_text("utf-8").splitlines()
    return {number for number, line in enumerate(lines, start=1) if line.endswith("  # error")}


@cache
def mypy(path: Path) -> dict[int, str]:
    """Line to what mypy says of it."""
    if find_spec("mypy") is None:
        pytest.skip("mypy is not installed")
    command = [sys.executable, "-m", "mypy", "--strict", "--no-pretty", "--hide-error-context", "--no-error-summary"]
    ran = subprocess.run([*command, str(path)], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode in (0, 1), ran.stdout + ran.stderr
    found = {}
    for line in ran.stdout.splitlines():
        said = re.fullmatch(r"(.+?):(\d+): error: (.*)", line)
        if said:
            assert Path(ROOT, said[1]) == path, line
            found[int(said[2])] = said[3]
    assert bool(found) == bool(ran.returncode), ran.stdout
    return found


@cache
def pyright(path: Path) -> dict[int, str]:
    """Line to what pyright says of it."""
    if find_spec("pyright") is None:
        pytest.skip("pyright is not installed")
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, str(path)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    try:
        report: dict[str, Any] = json.loads(ran.stdout)
    except ValueError:
        pytest.skip(f"pyright does not run here: {(ran.stdout + ran.stderr)[-300:]}")
    assert report["summary"]["filesAnalyzed"] == 1
    return {
        said["range"]["start"]["line"] + 1: said["message"]
        for said in report["generalDiagnostics"]
        if said["severity"] == "error"
    }


CHECKERS = pytest.mark.parametrize("check", [mypy, pyright])


@CHECKERS
def test_a_caller_s_code_passes(check: Any) -> None:
    assert check(CALLER) == {}


@CHECKERS
def test_exactly_the_mistakes_are_reported(check: Any) -> None:
    found = check(MISTAKES)
    assert found.keys() == lines_marked(MISTAKES), found


@CHECKERS
def test_the_words_say_what_is_wrong(check: Any) -> None:
    """A misspelt keyword is reported as that, with its name, and not as something else on the same line."""
    found = check(MISTAKES)
    lines = MISTAKES.read_text("utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        keyword = re.search(r"(max_token|on_chunks|temprature|sytem_instruction)=", line)
        if keyword:
            assert f'"{keyword[1]}"' in found[number]
        if 'event["delta"]' in line:
            assert "delta" in found[number]
