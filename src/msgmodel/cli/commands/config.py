"""`msgmodel config`: defaults of the command line, in the user's `msgmodel.toml`."""

from __future__ import annotations

import difflib
from typing import Any

import click

from ...errors import ConfigurationError
from ...providers import find_provider_and_model
from .. import display, exits
from ..default_options import find_settable_options
from ..question_options import CONTEXT_SETTINGS
from ..settings_file import change_setting, read_settings, settings_path

_CONFIG_EPILOG = """
\b
Examples:
  msgmodel config set provider anthropic
  msgmodel config set model openai/gpt-5.5
  msgmodel config set alias.fast groq/llama-3.3-70b-versatile    then: msgmodel -m fast "Hi"
  msgmodel config set max-tokens 500                             any option of `ask`, without its dashes
  msgmodel config unset max-tokens
"""


@click.group("config", context_settings=CONTEXT_SETTINGS, epilog=_CONFIG_EPILOG, invoke_without_command=True)
@click.pass_context
def config_command(context: click.Context) -> int:
    """Set defaults: the provider, the model, names for models, and options. Alone, show what is set."""
    if context.invoked_subcommand is None:
        _print_settings()
    return exits.OK


@config_command.command("set", context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.argument("value", nargs=-1, required=True)
def set_value(name: str, value: tuple[str, ...]) -> int:
    """Set NAME: provider, model, alias.NAME, or an option of `ask` without its dashes, such as max-tokens."""
    name = _setting_name(name)
    change_setting(name, _check_value(name, value))
    display.print_note(f"{name} is set in {settings_path()}")
    return exits.OK


@config_command.command("unset", context_settings={"ignore_unknown_options": True})
@click.argument("name")
def unset_value(name: str) -> int:
    """Remove NAME, so that the default of the program applies."""
    name = _setting_name(name)
    change_setting(name, None)
    display.print_note(f"{name} is not set in {settings_path()}")
    return exits.OK


@config_command.command("path")
def print_settings_path() -> int:
    """Print where the file is, or would be."""
    print(settings_path())
    return exits.OK


def _setting_name(given: str) -> str:
    """Return the name of a setting as the file has it: --max-tokens and max_tokens are max-tokens."""
    name = given.removeprefix("--")
    return name if name.startswith("alias.") else name.replace("_", "-")


def _print_settings() -> None:
    settings = read_settings()
    rows = [("provider", settings.provider), ("model", settings.model)]
    rows += [(f"alias.{name}", meant) for name, meant in settings.aliases.items()]
    rows += [(name, str(value)) for name, value in settings.options.items()]
    for name, shown in rows:
        if shown is not None:
            print(f"{name:<20}{display.safe_for_terminal(shown)}")
    if not any(shown for _, shown in rows):
        display.print_note("nothing is set: `msgmodel config set provider NAME` sets the default provider")


def _check_value(name: str, words: tuple[str, ...]) -> Any:
    """Return the value for a name, converted as the option converts it.

    Raises:
        ConfigurationError: The name or the value is wrong.
    """
    text = " ".join(words)
    if name == "provider":
        find_provider_and_model(text, None)
        return text
    if name == "model" or name.startswith("alias."):
        return text
    options = find_settable_options()
    if name not in options:
        near = difflib.get_close_matches(name, ["provider", "model", *options], n=1)
        hint = f"did you mean {near[0]}?" if near else f"use provider, model, alias.NAME or one of {', '.join(options)}"
        raise ConfigurationError(f"there is no setting {name!r}: {hint}")
    option = options[name]
    if option.multiple:
        return list(words)
    if option.is_flag:
        if text.lower() not in ("true", "false", "on", "off", "yes", "no"):
            raise ConfigurationError(f"{name} is on or off, not {text!r}")
        return text.lower() in ("true", "on", "yes")
    try:
        value = option.type.convert(text, option, None)
    except click.BadParameter as error:
        raise ConfigurationError(f"{name}: {error.message}") from None
    return value if isinstance(value, str | int | float) else text
