"""The ways in which a reply is shown: as plain text, as events, as one JSON object, as markdown on a terminal.

Rule: a view shows what it is handed at once, and `close` leaves the output at the start of a line.
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


class View(Protocol):
    """Takes the events of a reply one by one, the terminal one apart."""

    def show(self, event: PanelEvent) -> None: ...

    def close(self) -> None: ...

    def end(self, last: PanelFinal | PanelError) -> None: ...


class _Aside:
    """What a view for people says on standard error meanwhile, and afterwards."""

    def __init__(self, verbose: bool) -> None:
        self._verbose = verbose
        self._reasoning = False

    def aside(self, event: PanelEvent) -> None:
        if event["event"] == "panel_reasoning":
            if self._verbose:
                display.say(event["delta"], "dim", end="")
                self._reasoning = True
            return
        if self._reasoning:
            display.say("")
            self._reasoning = False
        if event["event"] == "panel_tool_call":
            whole = "" if event["complete"] else " (incomplete)"
            display.note(f"tool call{whole}: {event['name']} {event['arguments']}")
        elif event["event"] == "panel_retry":
            how = "instead" if event["reason"] == "fallback" else "to go on"
            display.note(f"{event['error']} ({event['code']}); asking {event['provider']} {how}")

    def end(self, last: PanelFinal | PanelError) -> None:
        if self._reasoning:
            display.say("")
        display.ending(last)
        if self._verbose:
            display.summary(last)


class Plain(_Aside):
    """Text on standard output as it arrives."""

    def __init__(self, verbose: bool) -> None:
        super().__init__(verbose)
        self._terminal = display.terminal(sys.stdout)
        self._line_open = False

    def show(self, event: PanelEvent) -> None:
        if self._terminal and event["event"] in ("panel_reasoning", "panel_tool_call", "panel_retry"):
            self.close()
        self.aside(event)
        if event["event"] == "panel_delta" or event["event"] == "panel_refusal":
            text = display.safe(event["delta"]) if self._terminal else event["delta"]
            self._line_open = not text.endswith("\n")  # first, as Ctrl-C may come in between
            print(text, end="", flush=True)

    def close(self) -> None:
        if self._line_open:
            print(flush=True)
            self._line_open = False


class Events(_Aside):
    """One JSON object a line: every event."""

    def show(self, event: PanelEvent) -> None:
        print(json.dumps(event) + "\n", end="", flush=True)  # in one piece: Ctrl-C may come at any moment

    def close(self) -> None:
        pass

    def end(self, last: PanelFinal | PanelError) -> None:
        self.show(last)
        super().end(last)


class Whole(Events):
    """One JSON object: the terminal event."""

    def show(self, event: PanelEvent) -> None:
        if event["event"] == "panel_final" or event["event"] == "panel_error":
            super().show(event)


class Drawn(_Aside):
    """Markdown, drawn again and again on a terminal while it grows; whole, and to stay, at the end."""

    def __init__(self, verbose: bool) -> None:
        from rich.console import Console

        super().__init__(verbose)
        self._console = Console()
        self._text = ""
        self._live: Live | None = None

    def show(self, event: PanelEvent) -> None:
        self.aside(event)
        if event["event"] == "panel_delta" or event["event"] == "panel_refusal":
            self._text += display.safe(event["delta"])
            if self._live is None:
                from rich.live import Live

                self._live = Live(self, console=self._console, transient=True, refresh_per_second=10)
                self._live.start()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The last lines, as many as there is room for: what is drawn again must not scroll away."""
        from rich.segment import Segment

        lines = console.render_lines(self._rendered(), options, pad=False)
        for line in lines[-max(1, console.height - 1) :]:
            yield from line
            yield Segment.line()

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
            self._console.print(self._rendered())

    def _rendered(self) -> RenderableType:
        from rich.markdown import Markdown

        return Markdown(self._text, hyperlinks=False)
