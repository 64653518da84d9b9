"""How far `map_prompts` is, on standard error: a bar by rich (extra `[cli]`), or a line without it."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from time import monotonic
from typing import Any, Protocol

from .prompts_on_loop import PromptsOnLoop

SECONDS_BETWEEN_LINES = 10.0
"""How often a line is written to what is no terminal, such as a log."""


class ProgressBar(Protocol):
    """Shows how many prompts have ended."""

    def show(self, running: PromptsOnLoop) -> None:
        """Show the state now."""

    def close(self) -> None:
        """Leave the last state on the screen."""


def open_progress_bar(wanted: bool | None, total: int) -> ProgressBar:
    """Return the bar for a call.

    Args:
        wanted: Whether to show one; None for on a terminal only.
        total: How many prompts there are.
    """
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    if not (is_terminal if wanted is None else wanted) or sys.stderr is None:
        return _NoBar()
    return _RichBar(total) if is_terminal and find_spec("rich") else _PlainLine(is_terminal)


class _NoBar:
    def show(self, running: PromptsOnLoop) -> None:
        pass

    def close(self) -> None:
        pass


class _PlainLine:
    """One line that is written again and again on a terminal, and a new one now and then elsewhere."""

    def __init__(self, is_terminal: bool) -> None:
        self._is_terminal = is_terminal
        self._last = ""
        self._shown_at = monotonic()

    def show(self, running: PromptsOnLoop) -> None:
        self._last = f"{running.answered + running.failed}/{len(running.calls)} prompts{_describe(running)}"
        if self._is_terminal:
            sys.stderr.write(f"\r{self._last}\x1b[K")
            sys.stderr.flush()
        elif monotonic() - self._shown_at >= SECONDS_BETWEEN_LINES:
            self._shown_at = monotonic()
            print(self._last, file=sys.stderr)

    def close(self) -> None:
        if self._last:
            print("" if self._is_terminal else self._last, file=sys.stderr)


class _RichBar:
    def __init__(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns: list[Any] = [
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
        ]
        self._progress = Progress(*columns, console=Console(stderr=True))
        self._task = self._progress.add_task("", total=total)
        self._progress.start()

    def show(self, running: PromptsOnLoop) -> None:
        ended, words = running.answered + running.failed, _describe(running).removeprefix(", ")
        self._progress.update(self._task, completed=ended, description=words)

    def close(self) -> None:
        self._progress.stop()


def _describe(running: PromptsOnLoop) -> str:
    words = f", {running.failed} failed" if running.failed else ""
    if running.cost:
        words += f", ${running.cost:.4f}"
    if seconds := running.seconds_to_wait:
        words += f", the provider asks to wait {seconds:.0f} s"
    return words
