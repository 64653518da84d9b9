"""The program: chooses the command by the first word, and turns each way in which it ends into an exit code.

Rule: the first word decides. If it names a command, that command runs; anything else is an argument of `ask`. So
`msgmodel ask chat` and `msgmodel -- chat` send the prompt "chat". One or two words of which the first is nearly a
command are refused as a prompt without `ask` or `--`: they would cost money and answer nothing.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from io import TextIOWrapper
from types import MappingProxyType
from typing import Final

import click

from ..errors import ConfigurationError, MsgModelError
from ..registry import environment
from . import display, exits
from .command_table import COMMAND_NAMES, COMPLETE_VARIABLE, load_command
from .default_options import read_default_options
from .option_words import words_for_options

_COMMANDS_BY_WORD: Final[Mapping[str, str]] = MappingProxyType(
    dict.fromkeys(("help", "commands", "usage"), "msgmodel --help")
    | dict.fromkeys(("version",), "msgmodel --version")
    | dict.fromkeys(("list", "ls"), "msgmodel providers")
    | dict.fromkeys(("auth", "login", "key"), "msgmodel keys")
    | dict.fromkeys(("settings", "set", "alias", "aliases"), "msgmodel config")
    | dict.fromkeys(("run", "prompt", "query"), "msgmodel ask")
    | dict.fromkeys(("log", "history"), "msgmodel logs")
    | dict.fromkeys(("repl", "interactive"), "msgmodel chat")
    | dict.fromkeys(("pull", "download", "install"), "msgmodel local pull")
)
"""Commands of similar programs (llm, ollama, aichat), and what comes closest to each here."""

_OPTIONS_BY_WORD: Final[Mapping[str, str]] = MappingProxyType(
    dict.fromkeys(("a", "attach", "attachment", "image", "at"), "-f FILE")
    | dict.fromkeys(("system", "sf", "role", "instructions"), "-i TEXT")
    | dict.fromkeys(("resume", "cont", "cid", "session"), "-c, which goes on with the last conversation")
    | dict.fromkeys(("key",), "`msgmodel keys set`")
    | dict.fromkeys(("export", "output", "save"), "/save in `msgmodel chat`, or `> file`")
    | dict.fromkeys(("list-models",), "`msgmodel models`")
    | dict.fromkeys(("functions", "T"), "--tool module:function")
    | dict.fromkeys(("code", "xl"), "-x")
    | dict.fromkeys(("no-stream", "raw"), "--plain")
    | dict.fromkeys(("interactive", "repl"), "`msgmodel chat`")
)
"""Options of similar programs (llm, aichat, mods), and what comes closest to each here."""


def _refuse_near_command(word: str) -> None:
    """Raise if the first word of a prompt was probably meant to be a command."""
    name = word.lower()
    if not name.isascii() or not name.isalpha():
        return
    from difflib import get_close_matches

    swapped = [command for command in COMMAND_NAMES if sorted(command) == sorted(name)]
    near = swapped or get_close_matches(name, COMMAND_NAMES, n=1, cutoff=0.8)
    meant = _COMMANDS_BY_WORD.get(name, f"msgmodel {near[0]}" if near else "")
    if meant:
        raise ConfigurationError(
            f"{word!r} looks like a command, so it was not sent: did you mean `{meant}`? "
            f"To send it as a prompt, write `msgmodel ask {word}`"
        )


def main(arguments: Sequence[str]) -> int:
    """Run a command line, and return the exit code."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # else an emoji ends the reply if the terminal's encoding is ASCII
    try:
        code = _run_command(arguments)
        if sys.stdout is not None:
            sys.stdout.flush()
    except click.exceptions.Exit as exit:
        return exit.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message())
        return exits.CONFIGURATION
    except click.ClickException as error:
        where = getattr(error, "ctx", None)
        help_command = where.command_path if where else "msgmodel"
        cure = "; a prompt that begins with a dash stands behind --" if help_command == "msgmodel" else ""
        message = error.format_message()
        if isinstance(error, click.NoSuchOption) and (near := _OPTIONS_BY_WORD.get(error.option_name.lstrip("-"))):
            message = f"No such option '{error.option_name}'. Did you mean {near}?"
        display.print_error(f"{message} ({help_command} --help lists the options{cure})")
        return exits.CONFIGURATION
    except MsgModelError as error:
        display.print_error(words_for_options(error.message))
        return exits.code_for_error(error)
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except BrokenPipeError:
        _abandon_stdout()
        return exits.OK
    except OSError as error:  # the output can't be written, or the model not deleted
        _abandon_stdout()
        what = "the output can't be written" if error.filename is None else f"{error.filename} can't be used"
        display.print_error(f"{what}: {error.strerror or error}")
        return exits.CONFIGURATION
    return code


def _run_command(arguments: Sequence[str]) -> int:
    if instruction := environment.read_variable(COMPLETE_VARIABLE):
        from .completion import print_completions

        return print_completions(instruction)
    arguments = list(_with_long_continue(arguments))
    is_named = bool(arguments) and arguments[0] in COMMAND_NAMES
    name, rest = (arguments[0], arguments[1:]) if is_named else ("ask", arguments)
    if arguments and not is_named and (len(arguments) < 3 or arguments[1].startswith("-")):
        _refuse_near_command(arguments[0])
    command = load_command(name)
    defaults = read_default_options(command) if name in ("ask", "chat", "compare") else None
    shown_name = "msgmodel" if name == "ask" else f"msgmodel {name}"
    with command.make_context(shown_name, list(rest), default_map=defaults) as context:
        if not is_named and "--" not in arguments and len(context.params["prompt"]) in (1, 2):
            _refuse_near_command(context.params["prompt"][0])
        return int(command.invoke(context) or exits.OK)


def _with_long_continue(arguments: Sequence[str]) -> Iterator[str]:
    """Yield the arguments with `--continue N` of version 5.0 as `--continue-truncated N`."""
    for number, argument in enumerate(arguments):
        if argument == "--":
            yield from arguments[number:]
            return
        following = arguments[number + 1] if number + 1 < len(arguments) else ""
        if argument == "--continue" and following.isdecimal():
            yield "--continue-truncated"
        elif re.fullmatch(r"--continue=\d+", argument):
            yield argument.replace("--continue", "--continue-truncated")
        else:
            yield argument


def _abandon_stdout() -> None:
    """Point standard output at nothing: at its exit, the interpreter would try again to write what is left."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
