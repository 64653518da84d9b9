"""`msgmodel logs`: the log of replies."""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime, timedelta

import click

from ...errors import ConfigurationError
from ...providers import find_provider
from .. import display, exits, reply_log
from ..question_options import CONTEXT_SETTINGS
from ..settings_file import change_setting, read_settings
from ..table import print_cells

_LOGS_EPILOG = """
\b
Examples:
  msgmodel logs on
  msgmodel logs salty sea            the replies in which both words stand, also in the question
  msgmodel logs --since 7d
  msgmodel logs show                 the latest reply, complete
  msgmodel logs show 12
"""
_LINE_CHARACTERS_OF_PROMPT = 60


class LogCommands(click.Group):
    """Takes words that are no command as what to search for."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        is_named = bool(args) and args[0] in (*self.commands, "-h", "--help")
        if not is_named and not ctx.resilient_parsing:  # completion lists the commands
            args = ["find", *args]
        return super().parse_args(ctx, args)


@click.group("logs", cls=LogCommands, context_settings=CONTEXT_SETTINGS, epilog=_LOGS_EPILOG)
def logs_command() -> None:
    """Search the log of replies: an SQLite file that only you can read.

    It is off until `msgmodel logs on`; `--log` keeps one reply. It holds questions, replies, endings and costs, and
    never a key.
    """


@logs_command.command("find")
@click.argument("words", nargs=-1)
@click.option("-n", "--count", type=click.IntRange(1), default=20, show_default=True, help="The largest number.")
@click.option("-p", "--provider", metavar="NAME", help="Only replies of this provider.")
@click.option("--since", metavar="WHEN", help="A date (2026-11-20), or a time ago: 12h, 7d, 3w.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, complete.")
def find_in_log(words: tuple[str, ...], count: int, provider: str | None, since: str | None, as_json: bool) -> int:
    """List the latest replies, or those with all WORDS. It runs if no other command is named."""
    name = find_provider(provider).name if provider else None
    found = reply_log.find_replies(words, provider=name, since=_read_time(since) if since else None, limit=count)
    if as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return exits.OK
    if not found:
        _explain_empty_list(words, is_search=bool(words or provider or since))
        return exits.OK
    print_cells(("no.", "asked at (UTC)", "model", "ending", "cost", "question"), [_row_of(reply) for reply in found])
    return exits.OK


@logs_command.command("show")
@click.argument("number", type=int, required=False)
def show_reply(number: int | None) -> int:
    """Print the reply with this NUMBER; the latest one without."""
    reply = reply_log.find_reply(number)
    files = f" with {reply['files']}" if reply["files"] else ""
    display.print_message(f"no. {reply['id']}, {reply['asked_at']}, {reply['provider']}/{reply['model']}{files}", "dim")
    display.print_message(f"> {reply['prompt']}\n", "bold")
    is_terminal = display.is_terminal(sys.stdout)
    print(display.safe_for_terminal(reply["content"]) if is_terminal else reply["content"])
    ending = f"{reply['ending']}: {reply['error']}" if reply["error"] else reply["ending"]
    cost = display.describe_dollars(reply["cost"])
    display.print_message(f"\nended: {ending}; {reply['seconds']:.1f} s; cost {cost}", "dim")
    return exits.OK


@logs_command.command("on")
def turn_on() -> int:
    """Keep every question and reply from now on."""
    change_setting("log", True)
    display.print_note(f"the log is on: {reply_log.log_path()}")
    return exits.OK


@logs_command.command("off")
def turn_off() -> int:
    """Keep nothing from now on. What was kept stays: `msgmodel logs delete` removes it."""
    change_setting("log", None)
    display.print_note("the log is off")
    return exits.OK


@logs_command.command("path")
def print_log_path() -> int:
    """Print where the log is, or would be."""
    print(reply_log.log_path())
    return exits.OK


@logs_command.command("delete")
@click.confirmation_option(prompt="Delete all replies in the log?")
def delete_replies() -> int:
    """Delete the log."""
    display.print_note("the log is deleted" if reply_log.delete_log() else "there is no log")
    return exits.OK


def _row_of(reply: reply_log.LoggedReply) -> tuple[str, ...]:
    prompt = " ".join(reply["prompt"].split())
    shown = prompt if len(prompt) <= _LINE_CHARACTERS_OF_PROMPT else prompt[: _LINE_CHARACTERS_OF_PROMPT - 1] + "…"
    when = reply["asked_at"][:16].replace("T", " ")
    return str(reply["id"]), when, reply["model"], reply["ending"], display.describe_dollars(reply["cost"]), shown


def _explain_empty_list(words: tuple[str, ...], *, is_search: bool) -> None:
    is_on = bool(read_settings().options.get("log"))
    if is_search:
        is_verb = bool(words) and words[0] in ("search", "list", "ls", "grep")
        rest = " ".join(("msgmodel logs", *words[1:]))
        display.print_note("no reply in the log fits" + (f": did you mean `{rest}`?" if is_verb else ""))
    else:
        display.print_note("the log is on, and empty" if is_on else "the log is off: `msgmodel logs on` turns it on")


def _read_time(text: str) -> datetime:
    ago = re.fullmatch(r"(\d{1,5})([hdw])", text)
    if ago is not None:
        unit = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}[ago[2]]
        return datetime.now(UTC) - int(ago[1]) * unit
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"--since takes a date (2026-11-20) or a time ago (12h, 7d, 3w), not {text!r}"
        ) from None
