"""What a shell asks the program for when the user presses Tab. click speaks the language of each shell."""

from __future__ import annotations

import click
from click.shell_completion import shell_complete

from .command_table import COMMAND_NAMES, COMPLETE_VARIABLE, load_command


class CompletedProgram(click.Group):
    """All commands, and the options of `ask` before any of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMAND_NAMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return load_command(cmd_name) if cmd_name in COMMAND_NAMES else None


def print_completions(instruction: str) -> int:
    """Print what the shell asks for, and return the exit code.

    Args:
        instruction: What it asks for, such as `bash_complete`; for `bash_source`, the function that asks.
    """
    options = [option for option in load_command("ask").params if isinstance(option, click.Option)]
    return shell_complete(
        CompletedProgram("msgmodel", params=list(options)), {}, "msgmodel", COMPLETE_VARIABLE, instruction
    )
