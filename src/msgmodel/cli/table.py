"""The tables of providers, with the place where each key was found, and of models. They never hold a key."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TypedDict

from .. import models
from ..errors import AuthenticationError
from ..local import weights
from ..providers import PROVIDERS, Provider
from ..registry import environment
from . import display
from .question import choose_provider, is_engine_installed

_LEAST_CELL_WIDTH = 10
"""Cells of the screen for each column, below which a row is easier to read as lines."""


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
    print_cells(
        titles,
        [(row["name"], ", ".join(row["short_names"]), row["default_model"], row["key"]) for row in provider_rows()],
    )


def print_models(name: str | None, as_json: bool) -> None:
    """Print the models of a provider, in the same ways.

    Args:
        name: The provider's name. Default: the one that `msgmodel ask` would ask.
        as_json: Whether to print JSON.

    Raises what `msgmodel.models` raises.
    """
    found = models(choose_provider(name, has_base_url=False).name)
    if as_json:
        print(json.dumps([asdict(model) for model in found], indent=2))
        return
    titles = ("model", "context", "reply", "$ per million in", "out")
    numbers = ("context_tokens", "max_output_tokens", "input_price", "output_price")
    print_cells(titles, [(model.id, *(_number_cell(getattr(model, name)) for name in numbers)) for model in found])


def _number_cell(number: float | None) -> str:
    return "" if number is None else f"{number:,}" if isinstance(number, int) else f"{number:g}"


def print_cells(titles: tuple[str, ...], cells: Sequence[tuple[str, ...]]) -> None:
    if display.is_terminal(sys.stdout):
        from rich.console import Console
        from rich.table import Table

        console = Console()
        if console.width < _LEAST_CELL_WIDTH * len(titles):
            for row in cells:
                lines = [f"{title}: {cell}" for title, cell in zip(titles, row, strict=True)]
                print(display.safe_for_terminal("\n".join(lines)) + "\n")
            return
        table = Table()
        for title in titles:
            table.add_column(title, overflow="fold")  # else rich cuts what does not fit
        for row in cells:
            table.add_row(*map(display.safe_for_terminal, row))
        console.print(table)
        return
    widths = [max(map(len, column)) for column in zip(titles, *cells, strict=True)]
    for line in (titles, *cells):
        shown = map(display.safe_for_terminal, line)
        print("  ".join(cell.ljust(width) for cell, width in zip(shown, widths, strict=True)).rstrip())
