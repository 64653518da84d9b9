"""`msgmodel completion`: what makes a shell complete the commands."""

from __future__ import annotations

import click

from ..question_options import CONTEXT_SETTINGS

_COMPLETION_EPILOG = """
\b
Once for each user:
  bash  msgmodel completion bash > ~/.local/share/bash-completion/completions/msgmodel
  zsh   msgmodel completion zsh > ~/.zfunc/_msgmodel      (a folder of $fpath)
  fish  msgmodel completion fish > ~/.config/fish/completions/msgmodel.fish
"""


@click.command("completion", context_settings=CONTEXT_SETTINGS, epilog=_COMPLETION_EPILOG)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion_command(shell: str) -> int:
    """Print the script that makes SHELL complete commands, options, providers and files."""
    from ..completion import print_completions

    return print_completions(f"{shell}_source")
