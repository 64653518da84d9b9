"""The names of the commands, and the way to load one."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import click

COMMAND_NAMES: Final = (
    *("ask", "chat", "compare", "models", "providers", "keys", "config", "logs", "completion", "local", "serve"),
)
"""The commands, in the order of the help. Each is a module of `commands`."""

COMPLETE_VARIABLE: Final = "_MSGMODEL_COMPLETE"
"""Set by the functions that `msgmodel completion` prints for a shell."""


def load_command(name: str) -> click.Command:
    """Return a command; its module is imported only now."""
    command: click.Command = getattr(import_module(f".commands.{name}", __package__), f"{name}_command")
    return command
