"""The line on standard error that says what a reply waits for, and that goes when something comes.

Rule: it stands only at the start of an empty line of a terminal, so that it never covers text.
"""

from __future__ import annotations

import sys
from shutil import get_terminal_size

from ..events import PanelProgress
from . import display

_PHASE_WORDS = {
    "queued": "waiting to ask",
    "connecting": "connecting",
    "prompt": "reading the prompt",
    "thinking": "thinking",
    "tool": "working with a tool",
    "text": "writing",
    "silent": "no sign of the provider",
}


class ProgressLine:
    """One line, drawn again in its place."""

    def __init__(self) -> None:
        self._width = 0

    def draw(self, progress: PanelProgress) -> None:
        """Show what the reply waits for, if standard error is a terminal."""
        if not display.is_terminal(sys.stderr):
            return
        self.erase()
        words = describe_wait(progress)[: get_terminal_size().columns - 1]  # a line that wraps can't be removed
        self._width = len(words)  # before the print, as Ctrl-C can interrupt between the two
        display.print_message(words, "dim", end="")

    def erase(self) -> None:
        """Remove the line."""
        if self._width:
            print(f"\r{' ' * self._width}\r", end="", file=sys.stderr, flush=True)
            self._width = 0


def describe_wait(progress: PanelProgress) -> str:
    """Return the words for a phase, such as "reading the prompt, 45 %, 12 s"."""
    details = [_PHASE_WORDS[progress["phase"]]]
    if "percent" in progress:
        details.append(f"{progress['percent']:.0f} %")
    if "tokens" in progress:
        details.append(f"{progress['tokens']} tokens")
    if "tokens_per_second" in progress:
        details.append(f"{progress['tokens_per_second']:.1f} tokens/s")
    return ", ".join([*details, f"{progress['seconds']:.0f} s"])
