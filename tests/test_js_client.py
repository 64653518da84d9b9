"""The JavaScript client: its types are ours, its goldens are what we say, and its own tests pass."""

from __future__ import annotations

import runpy
import shutil
import subprocess
from pathlib import Path

import pytest

from goldens import make

CLIENT = Path(__file__).parents[1] / "clients" / "js"


def test_the_types_are_up_to_date() -> None:
    generate = runpy.run_path(str(CLIENT / "generate.py"))
    assert generate["TARGET"].read_text("utf-8") == generate["render"](), "run clients/js/generate.py"


@pytest.mark.parametrize("name", make.GOLDENS)
def test_goldens(name: str) -> None:
    found = {file: (make.HERE / file).read_text("utf-8") for file in (f"{name}.jsonl", f"{name}.state.json")}
    assert make.render(name) == found, "run tests/goldens/make.py"


def test_every_golden_is_made() -> None:
    assert {file.stem for file in make.HERE.glob("*.jsonl")} == set(make.GOLDENS)


@pytest.mark.skipif(
    not shutil.which("npm") or not (CLIENT / "node_modules").is_dir(), reason="needs npm ci in clients/js"
)
@pytest.mark.parametrize("script", ["test", "size"])
def test_its_own_tests(script: str) -> None:
    done = subprocess.run(["npm", "run", "--silent", script], cwd=CLIENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
