"""`msgmodel ask`, the command that runs if no other one is named: one question, one reply."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from ... import __version__
from ...errors import ConfigurationError
from .. import approvals, display, exits
from ..question_options import CONTEXT_SETTINGS, KEYS_HELP, add_question_options
from ..tool_options import add_tool_options, open_tools

if TYPE_CHECKING:
    from ...events import PanelEnd
    from ..received_parts import ReceivedParts
    from ..reply import ReplyView

_ASK_HELP: Final = f"""Send PROMPT to a model and print the reply as it arrives.

Words need no quotes unless the shell reads them in its own way, as it does with `?`, `*` and `'`. Without PROMPT, or
with `-`, standard input is the prompt; with `-f -` it is attached as a file. It is not read otherwise.

{KEYS_HELP}"""

_EXAMPLES: Final = """Examples:
  msgmodel "Why is the sea salty?"
  msgmodel -p anthropic -i "Be brief" Name three rivers
  msgmodel -f photo.jpg "What is this?"
  git diff | msgmodel -f - "Write a commit message"
  msgmodel -c "And in French?"                  go on with the last conversation
  msgmodel -x "A Python script that sorts its input" > sort.py
  msgmodel --schema person.json "Who wrote the first program?" | jq .name
  msgmodel compare "Name a color" -p openai -p anthropic"""

_COMMAND_LIST: Final = """Commands (as the first word; `msgmodel COMMAND --help` says more):
  ask         the default; write it for a prompt that is the name of a command: msgmodel ask "chat"
  chat        hold a conversation
  compare     ask several models at once, side by side
  models      list the models of a provider
  providers   list the providers, and where a key was found
  keys        keep the keys of providers: set, list, remove
  config      set defaults, and names for models
  logs        turn the log of replies on, and search it
  completion  print what makes a shell complete the commands: bash, zsh, fish
  local       pull, path, remove: the small model that runs in this process, without a key
  serve       serve a chat page, and panels over server-sent events"""

_START: Final = f"""{_EXAMPLES}

{_COMMAND_LIST}

`msgmodel keys set openai` keeps a key; `msgmodel --help` lists all options."""
"""What is shown if there is no prompt: where to begin, shorter than the help."""

_ASK_EPILOG: Final = f"""
\b
{_EXAMPLES}

\b
{_COMMAND_LIST}

\b
Exit codes:
{exits.format_table()}
"""


@click.command("ask", context_settings=CONTEXT_SETTINGS, epilog=_ASK_EPILOG, help=_ASK_HELP)
@click.argument("prompt", nargs=-1)
@add_question_options
@add_tool_options
@click.option(
    "-f",
    "--file",
    "files",
    multiple=True,
    metavar="FILE",
    type=click.Path(),
    help="Attachment: a path, a pattern in quotes ('src/*.py'), an address (https://...), or - for standard input; may "
    "be repeated.",
)
@click.option("-x", "--extract", is_flag=True, help="Print the first block of code of the reply, and nothing else.")
@click.option(
    "--schema",
    metavar="JSON|FILE|json",
    help="The format of the reply: a JSON schema, a file that holds one, or the word json for any JSON. Print the "
    "object, and nothing if the reply is not valid.",
)
@click.option(
    "--repair",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="With --schema: ask again up to N times for a reply that does not have the format.",
)
@click.option("--plain", is_flag=True, help="On a terminal: print the text as it was sent, without drawing Markdown.")
@click.option("-k", "--api-key", metavar="KEY", hidden=True)
@click.option("-s", "--stream", is_flag=True, hidden=True, expose_value=False)  # of msgmodel 4; it always streams
@click.option("--events", is_flag=True, help="Print every event, one JSON object a line.")
@click.option("--json", "as_json", is_flag=True, help="Print the last event as JSON, with the complete reply.")
@click.version_option(__version__, message="msgmodel %(version)s")
def ask_command(
    prompt: tuple[str, ...],
    files: tuple[str, ...],
    extract: bool,
    plain: bool,
    events: bool,
    as_json: bool,
    save_folder: Path | None,
    verbose: bool,
    go_on: bool,
    log: bool,
    **options: Any,
) -> int:
    from ...reply.cost import leave_out_price_list
    from ..attachments import read_attachments
    from ..last_conversation import read_last_conversation
    from ..prompt import read_prompt
    from ..question import CommandQuestion
    from ..received_parts import ReceivedParts
    from ..reply import CodeView
    from ..turns import ShownConversation

    if extract and options["schema"]:
        raise click.UsageError("--extract and --schema exclude each other.")
    if (events, as_json, extract).count(True) > 1:
        raise click.UsageError("--events, --json and --extract exclude each other.")
    if options["api_key"] is not None:
        display.print_note(
            "the key is now in the shell's history and in the list of processes: use `msgmodel keys set` instead"
        )
    text = read_prompt(prompt, files)
    last_conversation = read_last_conversation() if go_on else None
    asks_again = last_conversation is not None and last_conversation.is_broken
    if go_on and not (text or files or asks_again):
        raise ConfigurationError('write what you want to say next, such as: msgmodel -c "Go on"')
    if not (text or prompt or files or asks_again):
        if display.is_terminal(sys.stdin):
            print(_START)
            return exits.CONFIGURATION
        raise ConfigurationError("there is no prompt: pass it as an argument, or on standard input")
    with open_tools(options) as tools:
        question = CommandQuestion.from_options(options, last_conversation)
        parts = ReceivedParts(save_folder)
        if question.is_demo_model and (verbose or display.is_terminal(sys.stderr)):
            question.check()
            display.print_note(display.DEMO_MODEL)
        if not (verbose or events or as_json or log or question.max_cost is not None):
            leave_out_price_list()  # nothing shows a cost, and the list takes as long to load as all the rest
        has_schema = question.output is not None
        is_for_people = not (events or as_json)
        is_drawn = is_for_people and not (plain or extract or has_schema) and display.is_terminal(sys.stdout)
        views: list[ReplyView] = []

        def make_view() -> ReplyView:
            views.append(_view_class(events, as_json, extract, has_schema, is_drawn)(verbose, parts))
            return views[-1]

        shown = ShownConversation(
            question.start_conversation(progress=is_for_people and display.is_terminal(sys.stderr)),
            question,
            make_view,
            is_drawn=is_drawn,
            asks_user=is_for_people and approvals.can_ask_user(),
            is_kept=go_on or log or (is_for_people and display.is_terminal(sys.stdout)),
            is_logged=log,
            tools=tools,
        )
        if last_conversation is not None:
            shown.log_id = last_conversation.log_id
        last = shown.ask(text, read_attachments(files))
        if is_drawn and shown.is_kept:
            _print_how_to_go_on(last)
        missing = views[-1].exit_code if isinstance(views[-1], CodeView) else exits.OK
        return exits.code_for_event(last) or missing or parts.exit_code


def _print_how_to_go_on(last: PanelEnd) -> None:
    """Print what continues a reply that was cut, or asks for it again."""
    if last["event"] == "panel_error" and last["content"]:
        display.print_note("what arrived is kept: `msgmodel -c` asks again")
    elif last["event"] == "panel_final" and last["status"] == "truncated":
        display.print_note('to go on: msgmodel -c "Go on"')


def _view_class(
    events: bool, as_json: bool, extract: bool, has_schema: bool, is_drawn: bool
) -> Callable[[bool, ReceivedParts], ReplyView]:
    """Return the class that shows a reply as the options say."""
    from .. import reply

    if events:
        return reply.EventsView
    if as_json:
        return reply.LastEventView
    if extract:
        return reply.CodeView
    if has_schema:
        return reply.ObjectView
    return reply.MarkdownView if is_drawn else reply.PlainView
