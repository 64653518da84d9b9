"""`msgmodel chat`: a conversation on a terminal, or with the lines of a pipe."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import click

from .. import display
from ..question_options import CONTEXT_SETTINGS, KEYS_HELP, add_question_options
from ..tool_options import add_tool_options, open_tools

_CHAT_HELP: Final = f"""Hold a conversation with a model, with line editing and history.

In a pipe, each line of standard input is a turn, and the replies are plain text. On a terminal, the lines that you type
are remembered in a file that only you can read.

{KEYS_HELP}"""


_CHAT_EPILOG: Final = """
\b
Examples:
  msgmodel chat -p anthropic
  msgmodel chat -c                    go on with the last conversation
  printf 'Hi\\nAnd in French?\\n' | msgmodel chat
"""


@click.command("chat", context_settings=CONTEXT_SETTINGS, epilog=_CHAT_EPILOG, help=_CHAT_HELP)
@add_question_options
@add_tool_options
def chat_command(verbose: bool, save_folder: Path | None, go_on: bool, log: bool, **options: Any) -> int:
    from ..chat import run_chat
    from ..last_conversation import read_last_conversation
    from ..question import CommandQuestion
    from ..received_parts import ReceivedParts
    from ..reply import MarkdownView, PlainView
    from ..turns import ShownConversation

    last = read_last_conversation() if go_on else None
    with open_tools(options) as tools:
        question = CommandQuestion.from_options(options, last)
        parts = ReceivedParts(save_folder)
        is_live = display.is_terminal(sys.stdin) and display.is_terminal(sys.stdout)
        shown = ShownConversation(
            question.start_conversation(progress=display.is_terminal(sys.stderr)),
            question,
            lambda: (MarkdownView if is_live else PlainView)(verbose, parts),
            is_drawn=is_live,
            asks_user=is_live,
            is_kept=is_live or go_on or log,
            is_logged=log,
            tools=tools,
        )
        if last is not None:
            shown.log_id = last.log_id
        return run_chat(shown) or parts.exit_code
