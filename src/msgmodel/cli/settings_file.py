"""The user's `msgmodel.toml`: the default provider and model, names for models, and defaults of options.

Rule: what a command line says, and the variable MSGMODEL_PROVIDER, go before the file. The program changes single lines
of it, so that the user's own comments stay.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ..errors import ConfigurationError
from ..providers import PROVIDERS, find_provider_and_model
from ..registry.user_folders import config_folder, write_private_file

SETTINGS_NAME: Final = "msgmodel.toml"
ALIASES, OPTIONS = "aliases", "options"
_TOP_KEYS: Final = ("provider", "model")


@dataclass(frozen=True, slots=True)
class UserSettings:
    """What the file says."""

    provider: str | None = None
    model: str | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    """The values by the long names of the options, without the dashes in front."""

    def resolve_alias(self, provider: str | None, model: str | None) -> tuple[str | None, str | None]:
        """Return the provider and the model of a command line, with an alias replaced by what it stands for.

        Raises:
            ConfigurationError: The alias stands for a model of another provider than the one that is named.
        """
        if provider is not None and provider in self.aliases:
            return self.aliases[provider], model
        if model is None or model not in self.aliases:
            return provider, model
        meant = self.aliases[model]
        head, _, rest = meant.partition("/")
        if head not in PROVIDERS or not rest:
            return provider, meant
        if provider is None or find_provider_and_model(provider, None)[0].name == head:
            return head, rest
        raise ConfigurationError(f"the alias {model!r} stands for {meant}: leave out --provider {provider}")


def settings_path() -> Path:
    """Return the path of the file, even if it does not exist."""
    try:
        return config_folder() / SETTINGS_NAME
    except RuntimeError as error:
        raise ConfigurationError(f"there is no place for {SETTINGS_NAME}: {error}; set MSGMODEL_HOME") from None


def read_settings() -> UserSettings:
    """Read the file.

    Raises:
        ConfigurationError: It is no TOML, or has a key that means nothing.
    """
    return _check_settings(_parse_settings(_read_text()))


def change_setting(name: str, value: Any) -> None:
    """Set a value in the file, or remove it.

    Args:
        name: `provider`, `model`, `alias.NAME`, or the long name of an option without dashes.
        value: The value; None removes it.

    Raises:
        ConfigurationError: The file can't be changed.
    """
    table, key = ("", name) if name in _TOP_KEYS else (OPTIONS, name)
    if name.startswith("alias."):
        table, key = ALIASES, name.removeprefix("alias.")
    text = _read_text()
    wanted = _parse_settings(text)
    place = wanted.setdefault(table, {}) if table else wanted
    place.pop(key, None)
    if value is not None:
        place[key] = value
    changed = _change_line(text, table, key, value)
    import tomllib

    try:
        is_right = _without_empty_tables(tomllib.loads(changed)) == _without_empty_tables(wanted)
    except tomllib.TOMLDecodeError:
        is_right = False
    if not is_right:
        raise ConfigurationError(f"{name} can't be changed in {settings_path()} line by line: edit the file")
    _check_settings(tomllib.loads(changed))
    try:
        write_private_file(settings_path().resolve(), changed.encode())
    except OSError as error:
        raise ConfigurationError(f"{settings_path()} can't be written: {error.strerror or error}") from None


def _read_text() -> str:
    try:
        return settings_path().read_text("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{settings_path()} can't be read: {getattr(error, 'strerror', error)}") from None


def _parse_settings(text: str) -> dict[str, Any]:
    if not text:
        return {}
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{settings_path()} is no valid TOML: {error}") from None


def _check_settings(found: Mapping[str, Any]) -> UserSettings:
    unknown = [name for name in found if name not in (*_TOP_KEYS, ALIASES, OPTIONS)]
    if unknown:
        raise ConfigurationError(
            f"{settings_path()}: there is no key {unknown[0]!r}: it holds {', '.join(_TOP_KEYS)}, and the tables "
            f"[{ALIASES}] and [{OPTIONS}]"
        )
    for name in _TOP_KEYS:
        if not isinstance(found.get(name, ""), str):
            raise ConfigurationError(f"{settings_path()}: {name} must be a string")
    aliases, options = found.get(ALIASES, {}), found.get(OPTIONS, {})
    if not isinstance(aliases, dict) or not all(isinstance(meant, str) for meant in aliases.values()):
        raise ConfigurationError(f"{settings_path()}: [{ALIASES}] must be a table of strings")
    if not isinstance(options, dict):
        raise ConfigurationError(f"{settings_path()}: [{OPTIONS}] must be a table")
    return UserSettings(found.get("provider"), found.get("model"), aliases, options)


def _without_empty_tables(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if value != {}}


def _change_line(text: str, table: str, key: str, value: Any) -> str:
    """Return the text with the line of a key replaced, added or removed."""
    lines = text.splitlines()
    heads = [number for number, line in enumerate(lines) if re.match(r"\s*\[", line)]
    if table:
        start = next((number for number in heads if re.match(rf"\s*\[\s*{table}\s*\]", lines[number])), None)
    else:
        start = -1
    shown = key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _toml_value(key)
    new = [] if value is None else [f"{shown} = {_toml_value(value)}"]
    if start is None:
        return "\n".join([*lines, *([""] if lines else []), f"[{table}]", *new]) + "\n" if new else text
    end = next((number for number in heads if number > start), len(lines))
    names = "|".join(re.escape(each) for each in (key, _toml_value(key)))
    for number in range(start + 1, end):
        if re.match(rf"\s*(?:{names})\s*=", lines[number]):
            return "\n".join([*lines[:number], *new, *lines[number + 1 :]]) + "\n"
    while end > start + 1 and not lines[end - 1].strip():
        end -= 1
    return "\n".join([*lines[:end], *new, *lines[end:]]) + "\n"


def _toml_value(value: Any) -> str:
    """Return a string, number, bool or list of strings as TOML, which writes them as JSON does, but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
