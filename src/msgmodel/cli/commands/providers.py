"""`msgmodel providers`: who can be asked, and where a key was found."""

from __future__ import annotations

import click

from .. import exits
from ..question_options import CONTEXT_SETTINGS


@click.command("providers", context_settings=CONTEXT_SETTINGS)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def providers_command(as_json: bool) -> int:
    """List the providers, and where a key was found. Keys are not shown."""
    from ..table import print_table

    print_table(as_json)
    return exits.OK
