"""Print messages on standard error, and make foreign text safe for a terminal.

Rule: color only on a terminal. The text of a model or a provider reaches a terminal without control characters, which
could move the cursor, set the clipboard or hide a line, and without characters that reorder or hide text. U+FFFD
replaces each of them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TextIO

from ..events import PanelError, PanelFinal, Privacy, Usage
from ..reply.wording import words_for_ending

DEMO_MODEL = "the local model is SmolLM2-135M: a small model to try things out, which is often wrong"

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


def print_ending(last: PanelFinal | PanelError) -> None:
    """Print how a reply ended, unless it is complete or waits for a tool."""
    if last["event"] == "panel_error":
        if last["code"] == "cancelled":
            print_note(last["error"])
        else:
            print_error(last["error"])
    elif words := words_for_ending(last):
        print_warning(f"{words} (finish_reason: {last['finish_reason']})")


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
    yield "usage", _describe_usage(last["usage"])
    if last["event"] == "panel_final":
        yield "privacy", _describe_privacy(last["privacy"])
    timing = last["timing"]
    first = timing["first_delta_seconds"]
    to_first = "" if first is None else f"{first:.2f} s to the first text, "
    requests = "1 request" if timing["attempts"] == 1 else f"{timing['attempts']} requests"
    yield "timing", f"{to_first}{timing['total_seconds']:.2f} s in all, {requests}"
    if last["request_id"]:
        yield "id", last["request_id"]


def _describe_usage(usage: Usage) -> str:
    counts = (
        (usage["input_tokens"], "tokens in"),
        (usage["cached_tokens"], "of them cached"),
        (usage["output_tokens"], "tokens out"),
        (usage["reasoning_tokens"], "of them reasoning"),
    )
    counted = ", ".join(f"{count} {what}" for count, what in counts if count) or "0 tokens"
    return f"about {counted}" if usage["source"] == "estimated" else counted


def _describe_privacy(privacy: Privacy) -> str:
    if privacy["local"]:
        return privacy["provider_policy"]
    training = {True: "may be used for training", False: "not used for training", None: "training: unknown"}
    stored = {True: "; sent with store=true", False: "; sent with store=false", None: ""}
    return (
        f"sent to {privacy['endpoint']}; {training[privacy['training_retention']]}; "
        f"retention: {privacy['data_retention']}{stored[privacy['stored']]}"
    )
