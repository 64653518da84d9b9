"""Show a reply: as plain text, as events, as one JSON object, or as Markdown on a terminal.

Rule: a view shows each event at once, and `close` leaves the output at the start of a line.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Protocol

from ..events import PanelError, PanelEvent, PanelFinal
from . import display, exits
from .code_blocks import find_first_code_block
from .progress_line import ProgressLine
from .received_parts import ReceivedParts
from .tool_options import describe_result

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.live import Live


_NOTED_EVENTS = (
    *("panel_reasoning", "panel_tool_call", "panel_tool_run", "panel_tool_result", "panel_part", "panel_retry"),
)
"""Events that put a line on standard error: on a terminal it must not stand inside a line of the reply."""
_RETRY_WORDS = {
    "retry": "again in {seconds:.1f} s",
    "fallback": "instead",
    "resume": "to go on",
    "repair": "again",
}
"""How the provider is asked, by the reason of a `panel_retry`."""
_ERRORS_SHOWN = 5
"""Errors of a reply without an object that are printed."""


class ReplyView(Protocol):
    """Shows the events of a reply one by one, and its last event apart."""

    def show_event(self, event: PanelEvent) -> None: ...

    def close(self) -> None: ...

    def show_ending(self, last: PanelFinal | PanelError) -> None: ...


class _SideNotes:
    """Prints notes on standard error during and after a reply: reasoning, tools, media, retries and the ending."""

    def __init__(self, verbose: bool, parts: ReceivedParts) -> None:
        self._verbose = verbose
        self._parts = parts
        self._reasoning = False
        self._progress = ProgressLine()

    def show_progress(self, event: PanelEvent, *, line_open: bool) -> bool:
        """Show what the reply waits for, unless that would cover an open line. Return whether the event says no more.

        Any other event removes the line.
        """
        if event["event"] != "panel_progress":
            self._progress.erase()
            return False
        if not line_open and not self._reasoning:
            self._progress.draw(event)
        return True

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
            display.print_note(display.describe_call(event))
        elif event["event"] == "panel_tool_result":
            display.print_note(describe_result(event))
        elif event["event"] == "panel_part":
            self._parts.receive(event)
        elif event["event"] == "panel_tool_run" and self._verbose:
            display.print_message(display.describe_run(event), "dim")
        elif event["event"] == "panel_retry":
            how = _RETRY_WORDS[event["reason"]].format(seconds=event.get("seconds_to_wait", 0.0))
            display.print_note(f"{event['error']} ({event['code']}); asking {event['provider']} {how}")

    def show_ending(self, last: PanelFinal | PanelError) -> None:
        if self._reasoning:
            display.print_message("")
        self._parts.close()
        display.print_ending(last)
        if self._verbose:
            display.print_summary(last)


class PlainView(_SideNotes):
    """Prints text on standard output as it arrives."""

    def __init__(self, verbose: bool, parts: ReceivedParts) -> None:
        super().__init__(verbose, parts)
        self._terminal = display.is_terminal(sys.stdout)
        self._line_open = False

    def show_event(self, event: PanelEvent) -> None:
        if self.show_progress(event, line_open=self._terminal and self._line_open):
            return
        if self._terminal and event["event"] in _NOTED_EVENTS:
            self.close()
        self.show_aside(event)
        if event["event"] == "panel_delta" or event["event"] == "panel_refusal":
            text = display.safe_for_terminal(event["delta"]) if self._terminal else event["delta"]
            self._line_open = not text.endswith("\n")  # before the print, as Ctrl-C can interrupt between the two
            print(text, end="", flush=True)

    def close(self) -> None:
        self._progress.erase()
        if self._line_open:
            print(flush=True)
            self._line_open = False


class EventsView(_SideNotes):
    """Prints every event as JSON, one object a line."""

    def show_event(self, event: PanelEvent) -> None:
        print(json.dumps(event) + "\n", end="", flush=True)  # one write: Ctrl-C can come at any moment
        self._save_part(event)

    def _save_part(self, event: PanelEvent) -> None:
        if event["event"] == "panel_part" and self._parts.are_saved:  # else the output has the data
            self._parts.receive(event)

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
        self._save_part(event)


class _ResultView(_SideNotes):
    """Shows side notes on the way; a subclass prints its result when the reply has ended."""

    def show_event(self, event: PanelEvent) -> None:
        if not self.show_progress(event, line_open=False):
            self.show_aside(event)

    def close(self) -> None:
        self._progress.erase()


class CodeView(_ResultView):
    """Prints the first block of code alone, when the reply has ended."""

    def __init__(self, verbose: bool, parts: ReceivedParts) -> None:
        super().__init__(verbose, parts)
        self.exit_code = exits.OK
        """The exit code for a reply without a complete block."""

    def show_ending(self, last: PanelFinal | PanelError) -> None:
        super().show_ending(last)
        block = find_first_code_block(last["content"])
        if block is None:
            display.print_message(last["content"])
            display.print_error("the reply has no block of code; its text is above")
        else:
            text = display.safe_for_terminal(block.text) if display.is_terminal(sys.stdout) else block.text
            print(text, end="" if text.endswith("\n") else "\n", flush=True)
            if not block.is_closed:
                display.print_error("the block of code is not complete: the reply ended within it")
        self.exit_code = exits.OK if block and block.is_closed else exits.NO_CODE


class ObjectView(_ResultView):
    """Prints the object of `--schema` alone, as JSON, when the reply has ended; nothing if it is not valid."""

    def show_ending(self, last: PanelFinal | PanelError) -> None:
        super().show_ending(last)
        if errors := last.get("errors"):
            display.print_message(last.get("refusal") or last["content"])
            for error in errors[:_ERRORS_SHOWN]:
                place = error["path"] or "the reply"
                display.print_error(f"{place}: {error['message']} Wanted: {error['wanted']}.")
            return
        text = json.dumps(last.get("object"), ensure_ascii=False, indent=2)
        print(display.safe_for_terminal(text) if display.is_terminal(sys.stdout) else text, flush=True)


class MarkdownView(_SideNotes):
    """Draws Markdown on a terminal again and again while it grows; at the end prints all of it, to stay."""

    def __init__(self, verbose: bool, parts: ReceivedParts) -> None:
        from rich.console import Console

        super().__init__(verbose, parts)
        self._console = Console()
        self._text = ""
        self._live: Live | None = None

    def show_event(self, event: PanelEvent) -> None:
        if self.show_progress(event, line_open=self._live is not None):
            return
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
        self._progress.erase()
        if self._live is not None:
            self._live.stop()
            self._live = None
            self._console.print(self._render_markdown())
            self._text = ""  # a question to the user may follow, and then more text

    def _render_markdown(self) -> RenderableType:
        from .markdown import TerminalMarkdown

        return TerminalMarkdown(self._text)
