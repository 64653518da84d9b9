"""The table of providers, and where each key was found. It never holds a key."""

from __future__ import annotations

import json
import sys
from typing import TypedDict

from ..errors import AuthenticationError
from ..local import weights
from ..providers import PROVIDERS, Provider
from ..registry import environment
from . import display
from .question import is_engine_installed


class ProviderRow(TypedDict):
    """One provider. `key`: the variable or file that holds its key, or what to set. No default: an empty model."""

    name: str
    short_names: list[str]
    default_model: str
    key: str
    ready: bool


def provider_rows() -> list[ProviderRow]:
    return [_provider_row(provider) for provider in PROVIDERS.values()]


def _provider_row(provider: Provider) -> ProviderRow:
    key, ready = _local_model_status() if provider.name == "local" else _key_status(provider)
    return {
        "name": provider.name,
        "short_names": list(provider.aliases),
        "default_model": provider.default_model,
        "key": key,
        "ready": ready,
    }


def _key_status(provider: Provider) -> tuple[str, bool]:
    try:
        key = environment.find_key(provider)
    except AuthenticationError as error:
        return error.message, False
    missing = [] if key or not provider.needs_key else [" or ".join(provider.keys)]
    if not provider.has_fixed_address and not environment.read_variable(provider.base_url_variable):
        missing.append(provider.base_url_variable)
    if missing:
        return f"set {' and '.join(missing)}", False
    return key.place if key else "no key needed", True


def _local_model_status() -> tuple[str, bool]:
    pulled = weights.path().is_file()
    if not is_engine_installed():
        return "no key needed; engine not installed", False
    return f"no key needed; model {'pulled' if pulled else 'not pulled'}", pulled


def print_table(as_json: bool) -> None:
    """Print the table: as JSON, with rules on a terminal, or as aligned text."""
    if as_json:
        print(json.dumps(provider_rows(), indent=2))
        return
    titles = ("provider", "short", "default model", "key")
    cells = [(row["name"], ", ".join(row["short_names"]), row["default_model"], row["key"]) for row in provider_rows()]
    if display.is_terminal(sys.stdout):
        from rich.console import Console
        from rich.table import Table

        table = Table(*titles)
        for row in cells:
            table.add_row(*map(display.safe_for_terminal, row))
        Console().print(table)
        return
    widths = [max(map(len, column)) for column in zip(titles, *cells, strict=True)]
    for line in (titles, *cells):
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
