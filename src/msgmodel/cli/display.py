"""Print messages on standard error, and make foreign text safe for a terminal.

Rule: color only on a terminal. The text of a model or a provider reaches a terminal without control characters, which
could move the cursor, set the clipboard or hide a line, and without characters that reorder or hide text. U+FFFD
replaces each of them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TextIO

from ..events import PanelError, PanelFinal, PanelToolCall, PanelToolRun, Privacy, Source, Usage
from ..reply.wording import EMPTY_WORDS, words_for_ending
from .option_words import words_for_failure

DEMO_MODEL = "the local model is SmolLM2-135M: a small model to try things out, which is often wrong"

_LINE_CHARACTERS = 300
"""Longest input or result of a provider's tool on a line."""

_RUN_WORDS = {"started": "began", "done": "ended", "failed": "failed"}

_KEPT = "\t\n"
_CONTROLS = (*range(0x20), *range(0x7F, 0xA0))
_REORDERING = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""The controls of the bidirectional algorithm (UAX #9, 2): a reply could show a command that it does not hold."""
_INVISIBLE = (
    *(0x00AD, 0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFEFF, 0xFFA0),
    *(*range(0x180B, 0x1810), 0x200B, 0x2028, 0x2029, *range(0x2060, 0x2066), *range(0x206A, 0x2070)),
    *(*range(0xFFF0, 0xFFFC), *range(0x1BCA0, 0x1BCA4), *range(0x1D173, 0x1D17B), *range(0xE0000, 0xE1000)),
)
"""Invisible characters and line separators (Unicode: Default_Ignorable_Code_Point, Zl, Zp). The joiners U+200C and
U+200D and the variation selectors U+FE00 to U+FE0F stay: Persian and emoji need them."""
_REPLACED = {
    code: None if code == 0x0D else 0xFFFD for code in (*_CONTROLS, *_REORDERING, *_INVISIBLE) if chr(code) not in _KEPT
}


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether a standard stream is open and is a terminal. Under pythonw it is None."""
    return stream is not None and not stream.closed and stream.isatty()


def safe_for_terminal(text: str) -> str:
    """Replace what controls a terminal, reorders or hides, except tab and newline; drop carriage returns."""
    return text if text.isascii() and text.isprintable() else text.translate(_REPLACED)


def print_message(message: str, style: str = "", end: str = "\n") -> None:
    """Print on standard error, styled if that is a terminal."""
    if not is_terminal(sys.stderr):
        print(message, end=end, file=sys.stderr, flush=True)
        return
    from rich.console import Console
    from rich.text import Text

    Console(stderr=True).print(Text(safe_for_terminal(message), style), end=end, soft_wrap=True)


def print_error(message: str) -> None:
    print_message(f"msgmodel: {message}", "red")


def print_warning(message: str) -> None:
    print_message(f"msgmodel: {message}", "yellow")


def print_note(message: str) -> None:
    print_message(f"msgmodel: {message}", "dim")


def describe_call(call: PanelToolCall) -> str:
    """Return a line for a call: what is to be run, or whether it may run, and with which arguments."""
    kind = call.get("kind", "function")
    if kind == "approval":
        words = "asks for an approval to run"
    else:
        words = "tool call" if kind == "function" else f"{kind} call"
    whole = "" if call["complete"] else " (incomplete)"
    return f"{words}{whole}: {call['name']} {call['arguments']}"


def describe_run(run: PanelToolRun) -> str:
    """Return a line for a tool that the provider runs itself: its input when it begins, else how it ended."""
    line = f"tool {run['name']} {_RUN_WORDS[run['status']]}"
    shown = run["output"] if run["status"] == "failed" else run["input"]
    if shown in (None, "", [], {}):
        return line
    text = shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False)
    return f"{line}: {_one_line(text)}"


def _one_line(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _LINE_CHARACTERS else words[: _LINE_CHARACTERS - 1] + "…"


def print_ending(last: PanelFinal | PanelError) -> None:
    """Print how a reply ended, unless it is complete or waits for a tool, and what was changed on the way."""
    for warning in last["warnings"]:
        print_warning(f"{warning['message']} ({warning['code']})")
    if last["event"] == "panel_error":
        if last["code"] == "cancelled":
            print_note(last["error"])
        else:
            print_error(words_for_failure(last["error"]))
    elif words := words_for_ending(last):
        reason = f" (finish_reason: {last['finish_reason']})" if "truncated_by" not in last else ""
        print_warning(words + reason)
    elif "empty" in last:
        print_warning(EMPTY_WORDS)


def print_summary(last: PanelFinal | PanelError) -> None:
    """Print the lines of `--verbose`."""
    for name, value in _summary_lines(last):
        print_message(f"{name + ':':<9}{value}", "dim")


def _summary_lines(last: PanelFinal | PanelError) -> Iterator[tuple[str, str]]:
    yield "model", f"{last['model']} ({last['provider']})"
    if last["event"] == "panel_final":
        yield "end", f"{last['status']} (finish_reason: {last['finish_reason']})"
    else:
        yield "end", f"{last['error_type']}: {last['code']}"
    for source in last.get("sources", ()):
        yield "source", _describe_source(source)
    if last["untold"]:
        yield "untold", f"{', '.join(last['untold'])}: in the reply, but shown by no event"
    yield "usage", _describe_usage(last["usage"])
    yield "cost", describe_cost(last)
    if last["event"] == "panel_final":
        yield "privacy", _describe_privacy(last["privacy"])
    timing = last["timing"]
    first = timing["first_delta_seconds"]
    to_first = "" if first is None else f"{first:.2f} s to the first text, "
    requests = "1 request" if timing["attempts"] == 1 else f"{timing['attempts']} requests"
    yield "timing", f"{to_first}{timing['total_seconds']:.2f} s in all, {requests}"
    if last["request_id"]:
        yield "id", last["request_id"]


def describe_cost(last: PanelFinal | PanelError) -> str:
    """Return the price of a reply and who states it, or why it is unknown."""
    if last["cost"] is None:
        missing = find_spec("genai_prices") is None
        return f"unknown ({'for a price list: pip install msgmodel[cost]' if missing else 'no list has its price'})"
    stated = {"provider": "the provider says so", "price_list": "by the price list", None: "estimated"}
    return f"{describe_dollars(last['cost'])} ({stated[last['cost_source']]})"


def describe_dollars(amount: float | None) -> str:
    """Return an amount with three digits that count, such as $0.0000182."""
    if amount is None:
        return "unknown"
    from decimal import Decimal

    return f"${Decimal(f'{amount:.3g}'):f}"


def _describe_usage(usage: Usage) -> str:
    counts = (
        (usage["input_tokens"], "tokens in"),
        (usage["cached_tokens"], "of them cached"),
        (usage["output_tokens"], "tokens out"),
        (usage["reasoning_tokens"], "of them reasoning"),
    )
    counted = ", ".join(f"{count} {what}" for count, what in counts if count) or "0 tokens"
    return f"about {counted}" if usage["source"] == "estimated" else counted


def _describe_source(source: Source) -> str:
    named = [word for word in (source["title"], source["url"]) if word] or [source["text"] or "without a name"]
    place = f" (for characters {source['start']} to {source['end']})" if "start" in source and "end" in source else ""
    return _one_line(" ".join(named)) + place


def _describe_privacy(privacy: Privacy) -> str:
    if privacy["local"]:
        return privacy["provider_policy"]
    training = {True: "may be used for training", False: "not used for training", None: "training: unknown"}
    stored = {True: "; sent with store=true", False: "; sent with store=false", None: ""}
    return (
        f"sent to {privacy['endpoint']}; {training[privacy['training_retention']]}; "
        f"retention: {privacy['data_retention']}{stored[privacy['stored']]}"
    )
