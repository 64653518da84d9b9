"""Install this checkout from its wheel into its own environment beside those of the peers, as a user would."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
import venv
from pathlib import Path

from peers.install import MEASURING, PEERS, PIP, ROOT, python

NAME = "msgmodel"


def install() -> None:
    """Create the environment, and install this code if it has changed. Raise SystemExit with the output of pip."""
    project = _fingerprint([ROOT / "pyproject.toml"])
    code = project + _fingerprint(sorted((ROOT / "src").rglob("*.py")))
    if _stamp() == code:
        return
    new = not _stamp().startswith(project)
    if new:
        shutil.rmtree(PEERS / NAME, ignore_errors=True)
        venv.create(PEERS / NAME, with_pip=False, symlinks=True)
    with tempfile.TemporaryDirectory() as folder:
        _pip("wheel", "--no-deps", "--wheel-dir", folder, str(ROOT))
        wheel = str(next(Path(folder).glob("*.whl")))
        if new:
            _pip("install", wheel, *MEASURING)
        else:  # the version is the same, the code is not
            _pip("install", "--force-reinstall", "--no-deps", wheel)
    (PEERS / NAME / "installed").write_text(code, "utf-8")


def _stamp() -> str:
    """Return the fingerprints of the project and the code that the environment has; empty if it has none."""
    file = PEERS / NAME / "installed"
    return file.read_text("utf-8") if file.is_file() else ""


def _pip(*command: str) -> None:
    whole = [*PIP, "--python", str(python(NAME)), *command]
    if (done := subprocess.run(whole, capture_output=True, text=True)).returncode:
        raise SystemExit(f"{NAME} can't be installed:\n{done.stderr}")


def _fingerprint(files: list[Path]) -> str:
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
