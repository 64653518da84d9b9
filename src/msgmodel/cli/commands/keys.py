"""`msgmodel keys`: keep the keys of providers for all programs."""

from __future__ import annotations

import sys

import click

from ...errors import AuthenticationError, ConfigurationError
from ...providers import find_provider
from ...question.key_source import is_usable_key
from ...registry import kept_keys
from .. import display, exits
from ..prompt import decode_stdin, read_stdin
from ..question_options import CONTEXT_SETTINGS, complete_provider

_KEYS_EPILOG = """
\b
Examples:
  msgmodel keys set openai
  msgmodel keys set anthropic < key.txt
  msgmodel keys list

\b
A key is looked for in this order:
  1. the provider's variables, such as OPENAI_API_KEY
  2. its key file in the working folder, such as openai-api.key
  3. what `msgmodel keys set` keeps
"""


@click.group("keys", context_settings=CONTEXT_SETTINGS, epilog=_KEYS_EPILOG, no_args_is_help=True)
def keys_command() -> None:
    """Keep the keys of providers: in the system's keyring if the package keyring is installed, else in a file that only
    you can read. No command shows a key."""


@keys_command.command("set")
@click.argument("provider", shell_complete=complete_provider)
def set_key(provider: str) -> int:
    """Keep the key of PROVIDER. It is typed without echo, or read from standard input."""
    row = find_provider(provider)
    if display.is_terminal(sys.stdin):
        key = click.prompt(f"Key for {row.name} (it is not shown)", hide_input=True, err=True)
    else:
        key = decode_stdin(read_stdin("the key"))
    key = key.strip()
    if not key or not is_usable_key(key):
        raise AuthenticationError("that is no key: it is empty, or has white space or other characters that no key has")
    place = kept_keys.keep_key(row.name, key)
    shown = "the system's keyring" if place == "keyring" else f"{kept_keys.kept_keys_path()}, which only you can read"
    display.print_note(f"the key for {row.name} is kept in {shown}")
    return exits.OK


@keys_command.command("list")
def list_keys() -> int:
    """List the providers whose key is kept, and where."""
    found = kept_keys.list_kept_keys()
    for name, place in found.items():
        print(f"{name:<14}{place}")
    if not found:
        display.print_note("no key is kept: `msgmodel keys set PROVIDER` keeps one")
    return exits.OK


@keys_command.command("remove")
@click.argument("provider", shell_complete=complete_provider)
def remove_key(provider: str) -> int:
    """Remove the kept key of PROVIDER."""
    name = find_provider(provider).name
    if not kept_keys.forget_key(name):
        raise ConfigurationError(f"no key is kept for {name}: `msgmodel keys list` lists those that are")
    display.print_note(f"the key for {name} is removed")
    return exits.OK
