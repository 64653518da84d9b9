"""Live Markdown of a stream in a notebook: `show(stream_panels(...))`, and how it ended.

Rule: what is displayed is HTML that we make of the events: the text of a model is escaped, and loads nothing from the
network. A reply that did not end, such as after an interrupt of the kernel, is shown as incomplete.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import AsyncIterable, Iterable
from html import escape
from typing import Any, Final

from .cli import display
from .cli.progress_line import describe_wait
from .errors import ConfigurationError
from .events import BatchEvent, PanelEnd, PanelEvent, PanelPart
from .reply.wording import EMPTY_WORDS, words_for_ending

try:
    from IPython import display as ipython_display
    from markdown_it import MarkdownIt

    from .cli.markdown_rules import make_markdown_parser
except ImportError as error:
    raise ConfigurationError(
        f"msgmodel.notebook needs IPython and the extra: pip install ipython 'msgmodel[cli]' ({error.name} is missing)"
    ) from None

show_in_cell: Any = ipython_display.display  # IPython has no types for it

_SECONDS_BETWEEN_UPDATES: Final = 0.1
_SHOWN_IMAGES: Final = ("image/png", "image/jpeg", "image/webp", "image/gif")
"""Pictures that a browser draws without running anything in them."""
_ENDED_WELL: Final = "complete"
_NEVER_ENDED: Final = "the stream was left before its end: the reply may be incomplete"


def show(events: Iterable[PanelEvent | BatchEvent]) -> dict[str, PanelEnd]:
    """Display a stream while it runs, and return the last event of each panel by the panel's id.

    Args:
        events: What `stream_panels` or `stream_many` returns.

    Returns:
        The last events. For `stream_panels`, there is one: `[last] = show(stream_panels(...)).values()`.
    """
    reply = NotebookReply()
    try:
        for event in events:
            reply.add_event(event)
    finally:
        reply.close()
    return reply.ends


async def ashow(events: AsyncIterable[PanelEvent | BatchEvent]) -> dict[str, PanelEnd]:
    """Display an async stream while it runs: `show` for `astream_panels` and `astream_many`. Await it in a cell.

    Args:
        events: What `astream_panels` or `astream_many` returns.
    """
    reply = NotebookReply()
    try:
        async for event in events:
            reply.add_event(event)
    finally:
        reply.close()
    return reply.ends


class NotebookReply:
    """The panels of a stream, as one display of a notebook that changes in its place.

    Attributes:
        ends: The last event of each panel that has ended, by the panel's id.
    """

    def __init__(self) -> None:
        self.ends: dict[str, PanelEnd] = {}
        self._panels: dict[str, _NotebookPanel] = {}
        self._handle: Any = None
        self._next_update = 0.0

    def add_event(self, event: PanelEvent | BatchEvent) -> None:
        """Take an event, and update the display at most ten times a second."""
        if event["event"] == "batch_final":
            return
        panel_id = event["panel_id"]
        self._panels.setdefault(panel_id, _NotebookPanel()).add_event(event)
        if event["event"] == "panel_final" or event["event"] == "panel_error":
            self.ends[panel_id] = event
        now = time.monotonic()
        if now >= self._next_update:
            self._next_update = now + _SECONDS_BETWEEN_UPDATES
            self._update()

    def close(self) -> None:
        """Display what arrived, and how each panel ended."""
        for panel in self._panels.values():
            panel.stop()
        self._update()

    def _update(self) -> None:
        if self._handle is None:
            self._handle = show_in_cell(self, display_id=True)
        else:
            self._handle.update(self)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        shown = [*self._panels.values()]
        width = f"{100 // max(1, len(shown))}%"
        cells = [f'<div style="flex:1 1 {width};min-width:16em">{panel.to_html()}</div>' for panel in shown]
        columns = f'<div style="display:flex;gap:1.5em;flex-wrap:wrap;align-items:flex-start">{"".join(cells)}</div>'
        return {"text/html": columns, "text/plain": "\n\n".join(panel.to_text() for panel in shown)}


class _NotebookPanel:
    """What is displayed of one panel."""

    def __init__(self) -> None:
        self._text = ""
        self._reasoning = ""
        self._notes: list[str] = []
        self._images: dict[str, str] = {}
        self._state = "connecting"
        self._is_running = True
        self._is_complete = False

    def add_event(self, event: PanelEvent) -> None:
        if event["event"] == "panel_delta" or event["event"] == "panel_refusal":
            self._text += event["delta"]
            self._state = "writing"
        elif event["event"] == "panel_reasoning":
            self._reasoning += event["delta"]
            self._state = "thinking"
        elif event["event"] == "panel_progress":
            self._state = describe_wait(event)
        elif event["event"] == "panel_tool_call":
            self._notes.append(display.describe_call(event))
        elif event["event"] == "panel_tool_run":
            self._notes.append(display.describe_run(event))
        elif event["event"] == "panel_retry":
            self._notes.append(f"{event['error']}; asking {event['provider']} again")
        elif event["event"] == "panel_part":
            self._add_part(event)
        elif event["event"] == "panel_final" or event["event"] == "panel_error":
            self._end(event)

    def stop(self) -> None:
        """Say that no more comes, unless the panel has ended."""
        if self._is_running:
            self._is_running = False
            self._state = _NEVER_ENDED

    def to_text(self) -> str:
        """Return the reply as plain text, for a console."""
        return f"{self._text}\n[{self._state}]"

    def to_html(self) -> str:
        """Return the reply as HTML."""
        mark = "#8886" if self._is_running else "#2a9d5c" if self._is_complete else "#d1495b"
        reasoning = (
            f"<details><summary>reasoning</summary><pre>{_safe_html(self._reasoning)}</pre></details>"
            if self._reasoning
            else ""
        )
        notes = "".join(f"<div><small>{_safe_html(note)}</small></div>" for note in self._notes)
        body = _make_html_parser().render(display.safe_for_terminal(self._text))
        return (
            f'<div style="border-left:3px solid {mark};padding-left:.8em">{reasoning}{notes}{body}'
            f"{''.join(self._images.values())}<div><small>{_safe_html(self._state)}</small></div></div>"
        )

    def _add_part(self, part: PanelPart) -> None:
        data = part.get("data", "")
        if part["media_type"] in _SHOWN_IMAGES and _is_base64(data):
            self._images[part["id"]] = (
                f'<img alt="{part["kind"]}" style="max-width:100%" src="data:{part["media_type"]};base64,{data}">'
            )
        elif part["complete"]:
            self._notes.append(f"{part['kind']} ({part['media_type'] or 'unknown type'}), not shown here")

    def _end(self, last: PanelEnd) -> None:
        self._is_running = False
        words = [last["model"], f"{last['timing']['total_seconds']:.1f} s", display.describe_cost(last)]
        if last["event"] == "panel_error":
            ending = f"{last['code']}: {last['error']}"
        else:
            self._is_complete = last["status"] == _ENDED_WELL and "empty" not in last
            told = words_for_ending(last) or (EMPTY_WORDS if "empty" in last else "")
            ending = f"{told} (finish_reason: {last['finish_reason']})" if told else last["status"]
        warnings = [f"{warning['message']} ({warning['code']})" for warning in last["warnings"]]
        self._state = " · ".join([ending, *words, *warnings])


def _make_html_parser() -> MarkdownIt:
    """Return a parser whose HTML holds no image of an address: to load one would tell a server that it was read."""
    parser = make_markdown_parser()
    for kind, render in _HTML_RULES.items():
        parser.add_render_rule(kind, render)
    return parser


def _render_plain_block(_: Any, tokens: Any, number: int, *__: Any) -> str:
    return f"<pre>{escape(tokens[number].content)}</pre>\n"


def _render_image(_: Any, tokens: Any, number: int, *__: Any) -> str:
    token = tokens[number]
    address = escape(str(token.attrs.get("src", "")), quote=True)
    words = "".join(child.content for child in token.children or ()) or "image"
    return f'<a href="{address}" rel="noopener noreferrer" target="_blank">{escape(words)}</a>'


_HTML_RULES: Final = {"plain_block": _render_plain_block, "image": _render_image}


def _safe_html(text: str) -> str:
    return escape(display.safe_for_terminal(text))


def _is_base64(data: str) -> bool:
    try:
        base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return False
    return bool(data)
