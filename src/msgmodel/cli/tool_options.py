"""The functions of `--tool module:function` and the servers of `--mcp`: the tools that the command line runs itself.

Rule: nothing runs unasked. Each call is shown and approved before it runs, unless `--allow-tools` is given; without a
terminal, none is.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any

import click

from ..errors import ConfigurationError, quoted
from ..events import PendingCall
from . import approvals

NO_TERMINAL = "there is no terminal to ask the user: --allow-tools allows all calls"


@dataclass(frozen=True, slots=True)
class CommandTools:
    """The tools of a command that this program runs.

    Attributes:
        tools: The functions, and the tools of the provider, as `tools=` takes them.
        is_allowed: Whether each call may run without a question.
    """

    tools: Sequence[Any]
    is_allowed: bool

    def run_settings(self, before_question: Callable[[], object]) -> dict[str, Any]:
        """Return the keywords of `Conversation.run`.

        Args:
            before_question: Called before the user is asked, to end the line of the reply.
        """

        def approve(call: PendingCall) -> bool | str:
            if not approvals.can_ask_user():
                return NO_TERMINAL
            before_question()
            return bool(approvals.ask_user(call["name"], call["arguments"]))

        return {"tools": self.tools} | ({} if self.is_allowed else {"approve": approve})


def add_tool_options(command: Any) -> Any:
    """Add the options to a command."""
    command = click.option(
        "--allow-tools", is_flag=True, help="Run the calls of --tool and --mcp without asking before each of them."
    )(command)
    return click.option(
        "--mcp",
        "mcp_servers",
        multiple=True,
        metavar="COMMAND|URL",
        help="An MCP server whose tools the model may call, such as 'uvx mcp-server-time'; may be repeated. You are "
        "asked before each call. It needs the extra [mcp].",
    )(command)


@contextmanager
def open_tools(options: dict[str, Any]) -> Iterator[CommandTools | None]:
    """Take the tools out of the options of a command, and connect to the MCP servers; None if there are none.

    Args:
        options: The options. What the provider runs itself stays in `tools`.

    Raises:
        ConfigurationError: A function can't be imported, or a server can't be used.
    """
    servers, is_allowed = options.pop("mcp_servers"), options.pop("allow_tools")
    named = [name for name in options["tools"] if ":" in name]
    options["tools"] = tuple(name for name in options["tools"] if ":" not in name)
    if not named and not servers:
        yield None
        return
    with ExitStack() as stack:
        tools = [*options["tools"], *map(import_function, named)]
        for server in servers:
            from .. import mcp_tools

            tools += stack.enter_context(mcp_tools(server))
        yield CommandTools(tools, is_allowed)


def import_function(name: str) -> Callable[..., Any]:
    """Return the function that `module:function` names; a module of the working folder, too.

    Raises:
        ConfigurationError: There is no such module or function.
    """
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found: Any = resolve_name(name)
    except Exception as error:  # the module is the user's, and may raise anything
        path = re.fullmatch(r"(?:\./)?(.+)\.py:(.+)", name)
        cure = f"; a module has dots and no ending: --tool {path[1].replace('/', '.')}:{path[2]}" if path else ""
        raise ConfigurationError(f"--tool {name} can't be imported: {type(error).__name__}: {error}{cure}") from None
    if not callable(found):
        raise ConfigurationError(f"--tool {name} must be a function, not {quoted(found)}")
    return found  # type: ignore[no-any-return]


def describe_result(event: Mapping[str, Any]) -> str:
    """Return a line for the end of a call."""
    return f"tool {event['name']}: {event['status']}" + (f": {event['error']}" if event["error"] else "")
