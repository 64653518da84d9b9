"""`msgmodel models`: the models of a provider."""

from __future__ import annotations

import click

from .. import exits
from ..question_options import CONTEXT_SETTINGS, complete_provider


@click.command("models", context_settings=CONTEXT_SETTINGS)
@click.argument("provider", required=False, shell_complete=complete_provider)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def models_command(provider: str | None, as_json: bool) -> int:
    """List the models of PROVIDER, from its own list; without PROVIDER, of the one that `ask` would ask."""
    from ..table import print_models

    print_models(provider, as_json)
    return exits.OK
