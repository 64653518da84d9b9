"""Show the replies of several panels: side by side while they grow, or one after the other; and a table of the ends.

Rule: while the columns are drawn, each shows the end of its text; when all have ended, the complete texts are printed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from ..events import PanelEnd, PanelEvent
from ..reply.wording import EMPTY_WORDS, words_for_ending
from . import display
from .option_words import words_for_failure
from .progress_line import describe_wait
from .table import print_cells

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.live import Live
    from rich.segment import Segment

_LEAST_COLUMN_WIDTH: Final = 24
"""Cells of the screen below which columns are harder to read than one text below the other."""
_GAP: Final = 3


class PanelText:
    """What is shown of one panel."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.state = "connecting"
        self.text = ""
        self.is_ended = False

    def add_event(self, event: PanelEvent) -> None:
        if event["event"] == "panel_delta" or event["event"] == "panel_refusal":
            self.text += display.safe_for_terminal(event["delta"])
            self.state = "writing"
        elif event["event"] == "panel_progress":
            self.state = describe_wait(event)
        elif event["event"] == "panel_reasoning":
            self.state = "thinking"
        elif event["event"] == "panel_retry":
            self.state = "asking again"
        elif event["event"] == "panel_final" or event["event"] == "panel_error":
            self.state = display.safe_for_terminal(describe_end(event))
            self.is_ended = True


class ColumnsView:
    """Draws the panels side by side on a terminal.

    Args:
        labels: the names of the panels by their ids.
    """

    def __init__(self, labels: Mapping[str, str]) -> None:
        from rich.console import Console
        from rich.live import Live

        self._panels = {panel_id: PanelText(label) for panel_id, label in labels.items()}
        self._console = Console()
        self._is_growing = True
        self._live: Live | None = Live(self, console=self._console, transient=True, refresh_per_second=8)
        self._live.start()

    def show_event(self, event: PanelEvent) -> None:
        self._panels[event["panel_id"]].add_event(event)

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
            self._is_growing = False
            self._console.print(self)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.segment import Segment

        count = len(self._panels)
        width = (options.max_width - _GAP * (count - 1)) // count
        if width < _LEAST_COLUMN_WIDTH:
            height = max(3, (console.height - 1) // count)
            for panel in self._panels.values():
                for line in self._panel_lines(panel, console, options, options.max_width, height):
                    yield from line
                    yield Segment.line()
            return
        columns = [
            self._panel_lines(panel, console, options, width, console.height - 1) for panel in self._panels.values()
        ]
        for lines in zip_longest(*columns):
            for number, line in enumerate(lines):
                yield from line or [Segment(" " * width)]
                yield Segment(" " * _GAP if number < count - 1 else "")
            yield Segment.line()

    def _panel_lines(
        self, panel: PanelText, console: Console, options: ConsoleOptions, width: int, height: int
    ) -> list[list[Segment]]:
        """Return the head of a panel and its text; the end of the text while it grows, so that it fits the screen."""
        from rich.text import Text

        from .markdown import TerminalMarkdown

        inner = options.update(width=width, height=None)
        head = [Text(panel.label, "bold"), Text(panel.state, "dim")]
        lines = [line for text in head for line in console.render_lines(text, inner)]
        text_lines = console.render_lines(TerminalMarkdown(panel.text), inner)
        if self._is_growing:
            text_lines = text_lines[-max(1, height - len(lines)) :]
        return [*lines, *text_lines]


class LinesView:
    """Prints each reply when it has ended.

    Args:
        labels: the names of the panels by their ids.
        is_silent: whether the replies are printed elsewhere, as JSON.
    """

    def __init__(self, labels: Mapping[str, str], *, is_silent: bool) -> None:
        self._labels = labels
        self._is_silent = is_silent

    def show_event(self, event: PanelEvent) -> None:
        if self._is_silent or not (event["event"] == "panel_final" or event["event"] == "panel_error"):
            return
        text = event["content"] or event.get("refusal", "")
        print(f"--- {self._labels[event['panel_id']]}: {describe_end(event)}\n{text}\n", flush=True)

    def close(self) -> None:
        pass


def describe_end(last: PanelEnd) -> str:
    """Return how a reply ended: its status, or its error."""
    if last["event"] == "panel_error":
        return f"{last['code']}: {words_for_failure(last['error'])}"
    words = words_for_ending(last) or (EMPTY_WORDS if "empty" in last else "")
    return f"{last['status']}: {words}" if words else last["status"]


def print_outcome_table(labels: Mapping[str, str], ends: Mapping[str, PanelEnd]) -> None:
    """Print the time, the tokens, the cost and the ending of each panel.

    Args:
        labels: The names of the panels by their ids.
        ends: The last event of each panel by its id.
    """
    titles = ("model", "first text", "all", "tokens in", "out", "cost", "ending")
    print_cells(titles, [tuple(_outcome_cells(labels[panel_id], last)) for panel_id, last in ends.items()])


def _outcome_cells(label: str, last: PanelEnd) -> Iterator[str]:
    timing, usage = last["timing"], last["usage"]
    first = timing["first_delta_seconds"]
    about = "~" if usage["source"] == "estimated" else ""
    yield label
    yield "-" if first is None else f"{first:.2f} s"
    yield f"{timing['total_seconds']:.2f} s"
    yield f"{about}{usage['input_tokens']}"
    yield f"{about}{usage['output_tokens']}"
    yield display.describe_dollars(last["cost"])
    yield last["status"] if last["event"] == "panel_final" else last["code"]
