"""`msgmodel compare`: one question to several models at once."""

from __future__ import annotations

import json
import sys
from typing import Any, Final

import click

from ...errors import ConfigurationError
from .. import display, exits
from ..question_options import CONTEXT_SETTINGS, complete_provider

_COMPARE_EPILOG: Final = """
\b
Examples:
  msgmodel compare "Name a color" -p openai -p anthropic
  msgmodel compare -p openai/gpt-5.5 -p openai/gpt-5-mini -f report.pdf "Sum it up"
  msgmodel compare -p o -p a "Why is the sea salty?" > answers.txt
"""


@click.command("compare", context_settings=CONTEXT_SETTINGS, epilog=_COMPARE_EPILOG)
@click.argument("prompt", nargs=-1)
@click.option(
    "-p",
    "--provider",
    "names",
    multiple=True,
    metavar="NAME",
    shell_complete=complete_provider,
    help="A provider, PROVIDER/MODEL or an alias; at least two. The same one may stand twice.",
)
@click.option("-i", "--instruction", metavar="TEXT|FILE", help="System instruction, or a file that holds it.")
@click.option(
    "-f", "--file", "files", multiple=True, metavar="FILE", type=click.Path(), help="Attachment, as in `ask`."
)
@click.option("-t", "--max-tokens", type=int, metavar="N", help="Maximum tokens of each reply.")
@click.option(
    "--max-cost",
    type=float,
    metavar="DOLLARS",
    help="Cut all replies when they cost this together. It needs the extra [cost].",
)
@click.option("--temperature", type=float, metavar="X", help="From 0. Default: each model's own.")
@click.option("--reasoning", type=click.Choice(["none", "low", "medium", "high"]), help="How much to reason.")
@click.option("--timeout", type=float, default=300.0, show_default=True, metavar="SECONDS", help="The longest silence.")
@click.option("--log/--no-log", default=False, help="Keep the replies in the log, see `msgmodel logs`.")
@click.option("--json", "as_json", is_flag=True, help="Print the last event of each reply, as a JSON list.")
def compare_command(
    prompt: tuple[str, ...], names: tuple[str, ...], files: tuple[str, ...], log: bool, as_json: bool, **options: Any
) -> int:
    """Ask several models at once, and show their replies side by side, with their time, tokens, cost and ending.

    Without a terminal, each reply is printed when it has ended.
    """
    from ..attachments import describe_attachment, read_attachments
    from ..comparison import Comparison, run_comparison
    from ..comparison_view import ColumnsView, LinesView, print_outcome_table
    from ..prompt import read_instruction, read_prompt

    if len(names) < 2:
        raise ConfigurationError("name at least two models to compare: -p openai -p anthropic")
    text = read_prompt(prompt, files)
    if not text and not files:
        raise ConfigurationError("there is no prompt: pass it as an argument, or on standard input")
    attached = read_attachments(files)
    options["instruction"] = read_instruction(options["instruction"])
    comparison = Comparison.from_names(names, text, attached, options)
    is_drawn = display.is_terminal(sys.stdout) and not as_json
    view = ColumnsView(comparison.labels) if is_drawn else LinesView(comparison.labels, is_silent=as_json)
    ends = run_comparison(comparison, view)
    if as_json:
        print(json.dumps([*ends.values()], indent=2))
    else:
        print_outcome_table(comparison.labels, ends)
    if log:
        from ..reply_log import record_reply

        for panel_id, last in ends.items():
            record_reply(f"{comparison.batch_id}-{panel_id}", text, [*map(describe_attachment, attached)], last)
    return max((exits.code_for_event(last) for last in ends.values()), default=exits.INTERRUPTED)
