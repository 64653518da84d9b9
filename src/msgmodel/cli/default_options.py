"""The options of `ask` and `chat` whose defaults the user may set in `msgmodel.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import click

from ..errors import ConfigurationError
from .settings_file import OPTIONS, read_settings, settings_path

_NOT_SETTABLE: Final = ("provider", "model", "api-key", "file", "schema", "continue", "version", "help", "stream")
"""Options that are settings of their own, that would hold a key, or that make sense for one question only."""


def find_settable_options() -> dict[str, click.Option]:
    """Return the options by their long names without dashes."""
    from .commands.ask import ask_command

    options = [option for option in ask_command.params if isinstance(option, click.Option)]
    named = {_long_name(option): option for option in options}
    return {name: option for name, option in named.items() if name not in _NOT_SETTABLE}


def read_default_options(command: click.Command) -> dict[str, Any]:
    """Return the defaults that the user set, by the names of the parameters of a command.

    Args:
        command: The command; it gets the options that it has.

    Raises:
        ConfigurationError: The file is wrong, or names an option that does not exist.
    """
    given: Mapping[str, Any] = read_settings().options
    if not given:
        return {}
    known = find_settable_options()
    unknown = next((name for name in given if name not in known), None)
    if unknown is not None:
        raise ConfigurationError(f"{settings_path()}: [{OPTIONS}] has {unknown!r}, which is no option that can be set")
    own = {option.name for option in command.params}
    return {name: value for key, value in given.items() if (name := known[key].name) in own and name is not None}


def _long_name(option: click.Option) -> str:
    return max(option.opts, key=len).lstrip("-")
