"""What a panel keeps of a reply that is JSON of a wanted shape: the value so far, and the facts of its end. Pure.

Rule: a value is the reply's `object` only if the reply is complete by the verdict on it, its text is one JSON value,
and the value fits. Else what arrived is `partial`, and the errors say why.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypedDict

from ..reply_facts import OutputError
from .json_reader import JsonReader
from .output_format import OutputFormat

LEAST_GROWTH = 8
"""The value so far is shown again when the text has grown by a part of this size: all copies together cost linearly."""


class ValueSoFar(NamedTuple):
    """The value so far, as a `panel_object` shows it."""

    value: Any
    open: str | None
    """The JSON pointer of the value that is still being written; None if everything is closed."""


class ClosedItem(NamedTuple):
    """An element of a list that closed and fits, as a `panel_item` shows it."""

    position: int
    item: Any


class OutputFacts(TypedDict, total=False):
    object: Any
    partial: Any
    errors: list[OutputError]


"""What the end of a reply says of its value. `object` is always there; `partial` only if `object` is None and something
arrived; `errors` only if there are any."""


class TypedReply:
    """Takes the text of one reply; has the value so far, the closed elements, and the facts of the end."""

    __slots__ = ("_has_shown_end", "_item_nulls", "_last_shown", "_next_length", "_nulls", "format", "reader")

    def __init__(self, format: OutputFormat) -> None:
        self.format = format
        self.reader = JsonReader(format.wrapper)
        self._nulls, self._item_nulls = format.null_filter(), format.item_null_filter()
        self._next_length = 1
        """The length of the text from which the value is shown again."""
        self._last_shown: ValueSoFar | None = None
        self._has_shown_end = False

    @property
    def had_fence(self) -> bool:
        """Whether the model put the JSON into a code fence, which was left out."""
        return self.reader.had_fence

    def feed(self, text: str) -> list[ValueSoFar | ClosedItem]:
        """Read the next piece of the text, and return what there is to show."""
        reader = self.reader
        reader.feed(text)
        if reader.error:
            return []
        shown: list[ValueSoFar | ClosedItem] = self._closed_items() if self.format.is_list else []
        if reader.is_closed:
            if not self._has_shown_end:
                self._has_shown_end = True
                shown.append(self._so_far())
        elif reader.length >= self._next_length and reader.has_value:
            self._next_length = reader.length + max(1, reader.length // LEAST_GROWTH)
            so_far = self._so_far()
            if so_far != self._last_shown:  # blanks, names and numbers that are not closed change nothing
                shown.append(so_far)
            self._last_shown = so_far
        return shown

    def end(self, *, complete: bool) -> list[ValueSoFar | ClosedItem]:
        """Return what there is to show once the text has ended: a number that is the whole text closes here.

        Args:
            complete: Whether the verdict on the reply is that the model finished.
        """
        if not complete or self._has_shown_end:
            return []
        ended = self.reader.at_end()
        if not ended.is_closed:
            return []
        self._has_shown_end = True
        return [ValueSoFar(self._value(ended), None)]

    def facts(self, *, complete: bool) -> OutputFacts:
        """Return what the terminal event says of the value.

        Args:
            complete: Whether the verdict on the reply is that the model finished.
        """
        reader = self.reader
        ended = reader.at_end() if complete else reader
        value = self._value(ended if ended.is_closed else reader)
        if complete and ended.is_closed:
            errors = self.format.errors_in(value)
            if not errors:
                return {"object": value}
        else:
            path = self._path_of(reader.error_path if reader.error else reader.open_path)
            message = ended.error or "the reply ended before this value was complete"
            if reader.is_closed and not ended.error:
                message = "the JSON is complete, but the reply is not"
            errors = [
                {"path": path or "", "message": f"{message[:1].upper()}{message[1:]}.", "wanted": "complete JSON"}
            ]
        facts: OutputFacts = {"object": None, "errors": errors}
        if reader.has_value:
            facts["partial"] = value
        return facts

    def _so_far(self) -> ValueSoFar:
        return ValueSoFar(self._value(self.reader), self._path_of(self.reader.open_path))

    def _value(self, reader: JsonReader) -> Any:
        value = reader.value()
        wrapper = self.format.wrapper
        if wrapper is not None and value == {} and not reader.is_closed:
            value = [] if self.format.is_list else None  # the wrapper has begun, its value has not
        return self._nulls.filtered(self.format.unwrap(value))

    def _path_of(self, path: str | None) -> str | None:
        """Return a JSON pointer into the text as one into the caller's value."""
        wrapper = self.format.wrapper
        if path is None or wrapper is None:
            return path
        return path.removeprefix(f"/{wrapper}") if f"{path}/".startswith(f"/{wrapper}/") else path

    def _closed_items(self) -> list[ValueSoFar | ClosedItem]:
        first = self.reader.items_taken
        items = [self._item_nulls.filtered(item) for item in self.reader.take_items()]
        return [ClosedItem(first + at, item) for at, item in enumerate(items) if not self.format.errors_in_item(item)]
