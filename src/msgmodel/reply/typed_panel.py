"""The value of a reply with `output=`, over the responses that the reply takes. Pure.

Rule: a value is the reply's only if the reply is complete and the value has the format. Only a panel with `output=`
imports this module.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..events import PanelEvent
from ..output.output_format import OutputFormat
from ..output.typed_reply import ClosedItem, OutputFacts, TypedReply, ValueSoFar
from ..reply_facts import OutputError
from .json_seam import JsonSeam

VALUE_BYTES = 200
"""Memory for each value of the text, in the reader and in the terminal event: an empty object takes 64 bytes, one with
a member more than 200."""
_VALUE_MARKS = "[{,:"
"""One of these stands before each value, but for the outermost."""


class TypedPanel:
    """Reads the text of a panel as a value."""

    __slots__ = ("_begins_again", "_facts", "_format", "_panel_id", "_reply", "bytes_held")

    def __init__(self, format: OutputFormat, panel_id: str) -> None:
        self._format, self._panel_id = format, panel_id
        self._reply = TypedReply(format)
        self._begins_again = False
        self._facts: OutputFacts | None = None
        self.bytes_held = 0
        """At most so many bytes of memory does the value take besides the text."""

    def feed(self, text: str) -> Sequence[PanelEvent]:
        """Read the next piece of text, and return the events of the value."""
        self.end_answer()
        self._facts = None
        self.bytes_held += text.__sizeof__() + VALUE_BYTES * sum(map(text.count, _VALUE_MARKS))
        return self._events(self._reply.feed(text))

    def seam(self, text: str) -> JsonSeam:
        """Return what joins a continuation to the answer so far, which is the end of the text of the panel."""
        reader = self._reply.reader
        return JsonSeam(reader, text[len(text) - reader.length :])

    def begin_again(self) -> None:
        """The reply is asked for again: its first text begins another value. Until then, the old one stands."""
        self._begins_again = True

    def end_answer(self) -> None:
        """Let the new answer count, even if it is empty."""
        if self._begins_again:
            self._begins_again, self._reply, self._facts, self.bytes_held = False, TypedReply(self._format), None, 0

    def errors(self) -> Sequence[OutputError]:
        """Return why the reply, which is complete, does not have the format; nothing if it has."""
        return self._complete_facts().get("errors", ())

    def end(self, *, is_complete: bool) -> tuple[Sequence[PanelEvent], OutputFacts]:
        """Return the events that are left, and what the terminal event says of the value.

        Args:
            is_complete: Whether the status of the reply is `complete`.
        """
        events = self._events(self._reply.end(complete=is_complete))
        return events, self._complete_facts() if is_complete else self._reply.facts(complete=False)

    def convert(self, value: Any) -> Any:
        """Return the value of the terminal event as the caller's type."""
        return self._format.convert(value)

    def _complete_facts(self) -> OutputFacts:
        if self._facts is None:
            self._facts = self._reply.facts(complete=True)
        return self._facts

    def _events(self, shown: Iterable[ValueSoFar | ClosedItem]) -> Sequence[PanelEvent]:
        return [self._event(each) for each in shown]

    def _event(self, shown: ValueSoFar | ClosedItem) -> PanelEvent:
        if isinstance(shown, ClosedItem):
            return {"event": "panel_item", "panel_id": self._panel_id, "index": shown.position, "item": shown.item}
        return {"event": "panel_object", "panel_id": self._panel_id, "value": shown.value, "open": shown.open}
