"""The options that `ask` and `chat` share, and the words of their help."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

CONTEXT_SETTINGS: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

KEYS_HELP: Final = """Keys come from the environment (OPENAI_API_KEY, ANTHROPIC_API_KEY, GOOGLE_API_KEY or
GEMINI_API_KEY), from a file in the working folder (openai-api.key, anthropic-api.key, gemini-api.key), or from what you
keep with `msgmodel keys set PROVIDER`. Don't put a key on the command line: it ends up in the shell's history and in
the list of processes. `msgmodel providers` lists the keys that were found by their places."""


def add_question_options(command: Decorated) -> Decorated:
    """Add the options of `ask` and `chat` to a command."""
    for option in reversed(_QUESTION_OPTIONS):
        command = option(command)
    return command


def complete_provider(_context: click.Context, _option: click.Parameter, begin: str) -> list[str]:
    """Return the names of providers that begin so, for the completion of a shell."""
    from ..providers import PROVIDERS

    return [name for name in PROVIDERS if name.startswith(begin)]


def complete_model(_context: click.Context, _option: click.Parameter, begin: str) -> list[str]:
    """Return the aliases that begin so, for the completion of a shell: a list of models would take a request."""
    from .settings_file import read_settings

    return [name for name in read_settings().aliases if name.startswith(begin)]


_QUESTION_OPTIONS: Final = (
    click.option(
        "-p",
        "--provider",
        metavar="NAME",
        shell_complete=complete_provider,
        help="openai, anthropic, gemini or local, a short name (o, a, c, g, l), any name that `msgmodel providers` "
        "lists, or PROVIDER/MODEL. Default: the variable MSGMODEL_PROVIDER, else that of `msgmodel config`, else the "
        "first with a key, else local if it is installed.",
    ),
    click.option(
        "-m",
        "--model",
        metavar="NAME",
        shell_complete=complete_model,
        help="Model, or its alias; for local, also the path of a GGUF file.",
    ),
    click.option("-i", "--instruction", metavar="TEXT|FILE", help="System instruction, or a file that holds it."),
    click.option("-t", "--max-tokens", type=int, metavar="N", help="Maximum tokens of the reply."),
    click.option("--reasoning", type=click.Choice(["none", "low", "medium", "high"]), help="How much to reason."),
    click.option(
        "--tool",
        "tools",
        multiple=True,
        metavar="NAME|MODULE:FUNCTION",
        help="A tool that the provider runs: web_search, code_execution or url_context; or a Python function that this "
        "program runs, after it has asked you; may be repeated.",
    ),
    click.option(
        "--fallback",
        "fallbacks",
        multiple=True,
        metavar="NAME",
        help="Provider to ask if one fails before its first text; may be repeated.",
    ),
    click.option("-c", "--continue", "go_on", is_flag=True, help="Go on with the last conversation."),
    click.option(
        "--log/--no-log",
        default=False,
        help="Keep the question and the reply in the log, see `msgmodel logs`. Default: as `msgmodel logs on` says.",
    ),
    click.option(
        "--continue-truncated",
        type=int,
        default=0,
        metavar="N",
        help="Continue automatically, up to N times, if a limit cuts the reply.",
    ),
    click.option(
        "--max-cost",
        type=float,
        metavar="DOLLARS",
        help="Cut the reply at this cost; in a chat, of all replies together. It needs the extra [cost].",
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
        "--save-to",
        "save_folder",
        type=click.Path(file_okay=False, path_type=Path),
        metavar="FOLDER",
        help="Save images, audio and files of the reply here, under names of its own.",
    ),
    click.option(
        "-v",
        "--verbose",
        is_flag=True,
        help="Reasoning, the provider's tools, sources, model, usage, cost, privacy and timing, on standard error.",
    ),
)
