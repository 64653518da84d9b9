"""The JavaScript client and the chat page: generated types, goldens, and the npm tests of both."""

from __future__ import annotations

import runpy
import shutil
import subprocess
from pathlib import Path

import pytest

from goldens import make

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "clients" / "js"


def test_the_types_are_up_to_date() -> None:
    generate = runpy.run_path(str(CLIENT / "generate.py"))
    assert generate["TARGET"].read_text("utf-8") == generate["render"](), "run clients/js/generate.py"


@pytest.mark.parametrize("name", make.GOLDENS)
def test_goldens(name: str) -> None:
    found = {file: (make.HERE / file).read_text("utf-8") for file in (f"{name}.jsonl", f"{name}.state.json")}
    assert make.render(name) == found, "run tests/goldens/make.py"


def test_every_golden_is_made() -> None:
    assert {file.stem for file in make.HERE.glob("*.jsonl")} == set(make.GOLDENS)


@pytest.mark.parametrize(
    ("folder", "script"),
    [("clients/js", "test"), ("clients/js", "size"), pytest.param("web", "test", marks=pytest.mark.long)],
)
def test_their_own_tests(folder: str, script: str) -> None:
    if not shutil.which("npm") or not (ROOT / folder / "node_modules").is_dir():
        pytest.skip(f"needs npm ci in {folder}")
    done = subprocess.run(["npm", "run", "--silent", script], cwd=ROOT / folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
