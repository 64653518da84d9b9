"""Ask the user about calls that wait for an approval, such as those of a remote MCP server that the provider would run.

Rule: the action is shown in full before the question. Only a "y" or "yes" approves; anything else, the end of the
input and Ctrl-C deny.
"""

from __future__ import annotations

import json
import sys

from .. import Conversation
from . import display
from .terminal_echo import with_echo

_YES = ("y", "yes")


def can_ask_user() -> bool:
    """Return whether there is a user to ask: on a terminal, in both directions."""
    return display.is_terminal(sys.stdin) and display.is_terminal(sys.stderr)


def answer_approvals(conversation: Conversation) -> bool:
    """Ask the user about each call that waits for an approval, and keep the answers.

    Returns:
        Whether the conversation goes on with them. False if nothing waits, or if another kind of call waits too, which
        this program does not run.
    """
    calls = conversation.pending_calls
    if not calls or any(call.get("kind") != "approval" for call in calls):
        return False
    is_denied = False
    for call in calls:
        approved = not is_denied and ask_user(call["name"], call["arguments"])
        is_denied = is_denied or approved is None
        conversation.add_tool_result(call["id"], {"approve": bool(approved)})
    return True


def ask_user(name: str, arguments: object) -> bool | None:
    """Show an action and return whether the user approves it; None after Ctrl-C."""
    display.print_message(f"The model asks to run {name} with:", "bold")
    display.print_message(_readable_arguments(arguments))
    display.print_message("Approve? [y/N] ", "bold", end="")
    try:
        with with_echo():
            answer = sys.stdin.readline()
    except KeyboardInterrupt:
        display.print_message("")
        return None
    return answer.strip().lower() in _YES


def _readable_arguments(arguments: object) -> str:
    """Return the arguments as indented JSON, or unchanged if they are not JSON."""
    try:
        value = json.loads(arguments) if isinstance(arguments, str) else arguments
    except ValueError:
        return str(arguments)
    return json.dumps(value, indent=2, ensure_ascii=False)
