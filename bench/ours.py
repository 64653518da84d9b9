"""This checkout in environments of its own beside those of the peers, installed as a user would: from its wheel.

`msgmodel` has the extra for busy asyncio programs, `msgmodel-httpx2` has not.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
import venv
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from peers.install import MEASURING, PEERS, ROOT, python

EXTRAS = {"msgmodel": "[aiohttp]", "msgmodel-httpx2": ""}


def install(names: Iterable[str] = EXTRAS) -> None:
    """Makes the environments, and puts this code into them where it has changed. Raises SystemExit with pip's words."""
    project = _fingerprint([ROOT / "pyproject.toml"])
    code = project + _fingerprint(sorted((ROOT / "src").rglob("*.py")))
    old = [name for name in names if _stamp(name) != code]
    if not old:
        return
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        list(pool.map(_environment, [name for name in old if not _stamp(name).startswith(project)]))
        _pip(old[0], "wheel", "--no-deps", "--wheel-dir", folder, str(ROOT))
        wheel = next(Path(folder).glob("*.whl"))

        def update(name: str) -> None:
            if not _stamp(name):
                # What is measured without aiohttp must not find it.
                _pip(name, "install", f"{wheel}{EXTRAS[name]}", *(set(MEASURING) - {"aiohttp"}))
            else:  # the version is the same, the code is not
                _pip(name, "install", "--force-reinstall", "--no-deps", str(wheel))
            (PEERS / name / "installed").write_text(code, "utf-8")

        list(pool.map(update, old))


def _environment(name: str) -> None:
    shutil.rmtree(PEERS / name, ignore_errors=True)
    venv.create(PEERS / name, with_pip=True, symlinks=True)


def _stamp(name: str) -> str:
    """Of the project and the code that an environment has."""
    file = PEERS / name / "installed"
    return file.read_text("utf-8") if file.is_file() else ""


def _pip(name: str, *command: str) -> None:
    whole = [python(name), "-m", "pip", "--quiet", "--disable-pip-version-check", *command]
    if (done := subprocess.run(whole, capture_output=True, text=True)).returncode:
        raise SystemExit(f"{name} can't be installed:\n{done.stderr}")


def _fingerprint(files: list[Path]) -> str:
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
