"""Show a reply: as plain text, as events, as one JSON object, or as Markdown on a terminal.

Rule: a view shows each event at once, and `close` leaves the output at the start of a line.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Protocol

from ..events import PanelError, PanelEvent, PanelFinal
from . import display

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.live import Live


class ReplyView(Protocol):
    """Shows the events of a reply one by one, and its last event apart."""

    def show_event(self, event: PanelEvent) -> None: ...

    def close(self) -> None: ...

    def show_ending(self, last: PanelFinal | PanelError) -> None: ...


class _SideNotes:
    """Prints notes on standard error during and after a reply: reasoning, tool calls, retries and the ending."""

    def __init__(self, verbose: bool) -> None:
        self._verbose = verbose
        self._reasoning = False

    def show_aside(self, event: PanelEvent) -> None:
        if event["event"] == "panel_reasoning":
            if self._verbose:
                display.print_message(event["delta"], "dim", end="")
                self._reasoning = True
            return
        if self._reasoning:
            display.print_message("")
            self._reasoning = False
        if event["event"] == "panel_tool_call":
            whole = "" if event["complete"] else " (incomplete)"
            display.print_note(f"tool call{whole}: {event['name']} {event['arguments']}")
        elif event["event"] == "panel_retry":
            how = "instead" if event["reason"] == "fallback" else "to go on"
            display.print_note(f"{event['error']} ({event['code']}); asking {event['provider']} {how}")

    def show_ending(self, last: PanelFinal | PanelError) -> None:
        if self._reasoning:
            display.print_message("")
        display.print_ending(last)
        if self._verbose:
            display.print_summary(last)


class PlainView(_SideNotes):
    """Prints text on standard output as it arrives."""

    def __init__(self, verbose: bool) -> None:
        super().__init__(verbose)
        self._terminal = display.is_terminal(sys.stdout)
        self._line_open = False

    def show_event(self, event: PanelEvent) -> None:
        if self._terminal and event["event"] in ("panel_reasoning", "panel_tool_call", "panel_retry"):
            self.close()
        self.show_aside(event)
        if event["event"] == "panel_delta" or event["event"] == "panel_refusal":
            text = display.safe_for_terminal(event["delta"]) if self._terminal else event["delta"]
            self._line_open = not text.endswith("\n")  # before the print, as Ctrl-C can interrupt between the two
            print(text, end="", flush=True)

    def close(self) -> None:
        if self._line_open:
            print(flush=True)
            self._line_open = False


class EventsView(_SideNotes):
    """Prints every event as JSON, one object a line."""

    def show_event(self, event: PanelEvent) -> None:
        print(json.dumps(event) + "\n", end="", flush=True)  # one write: Ctrl-C can come at any moment

    def close(self) -> None:
        pass

    def show_ending(self, last: PanelFinal | PanelError) -> None:
        self.show_event(last)
        super().show_ending(last)


class LastEventView(EventsView):
    """Prints only the terminal event, as one JSON object."""

    def show_event(self, event: PanelEvent) -> None:
        if event["event"] == "panel_final" or event["event"] == "panel_error":
            super().show_event(event)


class MarkdownView(_SideNotes):
    """Draws Markdown on a terminal again and again while it grows; at the end prints all of it, to stay."""

    def __init__(self, verbose: bool) -> None:
        from rich.console import Console

        super().__init__(verbose)
        self._console = Console()
        self._text = ""
        self._live: Live | None = None

    def show_event(self, event: PanelEvent) -> None:
        self.show_aside(event)
        if event["event"] == "panel_delta" or event["event"] == "panel_refusal":
            self._text += display.safe_for_terminal(event["delta"])
            if self._live is None:
                from rich.live import Live

                self._live = Live(self, console=self._console, transient=True, refresh_per_second=10)
                self._live.start()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the last lines that fit the screen: rich can't draw again what has scrolled away."""
        from rich.segment import Segment

        lines = console.render_lines(self._render_markdown(), options, pad=False)
        for line in lines[-max(1, console.height - 1) :]:
            yield from line
            yield Segment.line()

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
            self._console.print(self._render_markdown())

    def _render_markdown(self) -> RenderableType:
        from rich.markdown import Markdown

        return Markdown(self._text, hyperlinks=False)
