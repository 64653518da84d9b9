"""The folders in which the user's own files are: settings and keys, what is kept of replies, and what is typed.

Rule: only the user can read a file that the program makes there.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

HOME_VARIABLE: Final = "MSGMODEL_HOME"
"""Names one folder for all of it, such as a volume of a container."""


def config_folder() -> Path:
    """Return the folder of settings and keys, even if it does not exist."""
    return _user_folder("XDG_CONFIG_HOME", ".config", "APPDATA", "Roaming")


def data_folder() -> Path:
    """Return the folder of the log of replies, even if it does not exist."""
    return _user_folder("XDG_DATA_HOME", ".local/share", "LOCALAPPDATA", "Local")


def state_folder() -> Path:
    """Return the folder of typed lines and of the last conversation, even if it does not exist."""
    return _user_folder("XDG_STATE_HOME", ".local/state", "LOCALAPPDATA", "Local")


def _user_folder(variable: str, in_home: str, windows_variable: str, in_app_data: str) -> Path:
    """Return a folder by the XDG Base Directory Specification, or where macOS and Windows have it.

    Raises:
        RuntimeError: The user has no home folder.
    """
    if chosen := os.environ.get(HOME_VARIABLE):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = os.environ.get(windows_variable) or Path.home() / "AppData" / in_app_data
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = os.environ.get(variable) or Path.home() / in_home
    return Path(base) / "msgmodel"


def write_private_file(path: Path, data: bytes) -> None:
    """Write a file that only the user can read, complete or not at all, with its folder if that does not exist.

    Raises:
        OSError: It can't be written.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    with suppress(FileNotFoundError):
        new.unlink()
    file = os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(file, "wb") as stream:
            stream.write(data)
        new.replace(path)
    except OSError:
        with suppress(OSError):
            new.unlink()
        raise
