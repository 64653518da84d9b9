"""The keys that the user keeps for all programs, by `msgmodel keys set`: in the system's keyring, or in a file.

Rule: the file has mode 600 and lists the providers. It holds a key only if there is no keyring. The keyring is read
only for a provider that the file lists, because a keyring may ask the user to unlock it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from ..errors import AuthenticationError, ConfigurationError
from .user_folders import config_folder, write_private_file

KeptIn: TypeAlias = Literal["keyring", "file"]

SERVICE: Final = "msgmodel"
"""The name under which the keyring has the keys. The user name is the provider's."""


def kept_keys_path() -> Path:
    """Return the path of the file, even if it does not exist."""
    return config_folder() / "keys.json"


def list_kept_keys() -> dict[str, KeptIn]:
    """Return the providers with a kept key, each with the place of the key.

    Raises:
        AuthenticationError: The file can't be read.
    """
    return {name: "file" if "key" in entry else "keyring" for name, entry in _read_entries().items()}


def read_kept_key(name: str) -> str:
    """Return the key that is kept for a provider; "" if there is none.

    Args:
        name: The provider's name.

    Raises:
        AuthenticationError: The file or the keyring can't be read.
    """
    entry = _read_entries().get(name)
    if entry is None:
        return ""
    if "key" in entry:
        return str(entry["key"])
    keyring = _open_keyring()
    if keyring is None:
        raise AuthenticationError(
            f"the key for {name} is in the system's keyring, which this program can't open: install the package "
            f"keyring, or run `msgmodel keys set {name}` again"
        )
    try:
        return keyring.get_password(SERVICE, name) or ""
    except Exception as error:  # a backend may raise anything
        raise AuthenticationError(
            f"the key for {name} is in the system's keyring, which can't be read now: unlock it ({_name_of(error)})"
        ) from None


def keep_key(name: str, key: str) -> KeptIn:
    """Keep a key in the keyring, or in the file if there is no keyring; return where it is.

    Args:
        name: The provider's name.
        key: The key.

    Raises:
        ConfigurationError: It can't be written.
    """
    entries = _read_entries()
    entries[name] = {} if _keep_in_keyring(name, key) else {"key": key}
    _write_entries(entries)
    return "file" if entries[name] else "keyring"


def forget_key(name: str) -> bool:
    """Remove the key of a provider. Return False if none was kept.

    Raises:
        ConfigurationError: The file can't be written.
    """
    entries = _read_entries()
    entry = entries.pop(name, None)
    if entry is None:
        return False
    keyring = None if "key" in entry else _open_keyring()
    if keyring is not None:
        try:
            keyring.delete_password(SERVICE, name)
        except Exception as error:  # a backend may raise anything
            raise ConfigurationError(f"the keyring does not remove the key for {name} ({_name_of(error)})") from None
    _write_entries(entries)
    return True


def _read_entries() -> dict[str, dict[str, Any]]:
    try:
        entries = _load_entries(kept_keys_path())
    except (FileNotFoundError, NotADirectoryError, RuntimeError):  # RuntimeError: the user has no home folder
        return {}
    except OSError as error:
        raise AuthenticationError(f"the file of kept keys can't be read: {_name_of(error)}") from None
    if entries is None:
        raise AuthenticationError(
            f"{kept_keys_path()} is damaged: delete it, and keep the keys again with `msgmodel keys set`"
        )
    return entries


def _load_entries(path: Path) -> dict[str, dict[str, Any]] | None:
    """Return the entries of the file; None if it is damaged.

    It raises nothing for that, because a traceback that prints local variables would print the keys of its frame.
    """
    try:
        entries = json.loads(path.read_text("utf-8"))
    except ValueError:
        return None
    is_right = isinstance(entries, dict) and all(isinstance(entry, dict) for entry in entries.values())
    return entries if is_right else None


def _write_entries(entries: Mapping[str, Mapping[str, Any]]) -> None:
    try:
        write_private_file(kept_keys_path(), json.dumps(entries, indent=2).encode() + b"\n")
    except (OSError, RuntimeError) as error:
        raise ConfigurationError(f"the file of kept keys can't be written: {_name_of(error)}") from None


def _keep_in_keyring(name: str, key: str) -> bool:
    keyring = _open_keyring()
    if keyring is None:
        return False
    try:
        keyring.set_password(SERVICE, name, key)
    except Exception:  # no keyring on this machine, or a locked one: the file takes the key
        return False
    return True


def _open_keyring() -> Any:
    """Return the package keyring if it is installed and has a place for keys, else None."""
    if find_spec("keyring") is None:
        return None
    import keyring

    return keyring if keyring.get_keyring().priority >= 1 else None


def _name_of(error: Exception) -> str:
    """Return what an error is, without its text if that is a backend's: it may quote a key."""
    return getattr(error, "strerror", None) or type(error).__name__
