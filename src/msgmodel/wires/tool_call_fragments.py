"""Fragments of tool calls in Chat Completions to calls, however a server numbers them. Pure.

https://platform.openai.com/docs/api-reference/chat-streaming: each fragment has the index of its call, and the first
one has the id and the name. Compatible servers leave out the index or the id, give all calls index 0, repeat the name
in every fragment, or invent an id for each.

Rule: the index finds the open call; without an index, the id does; without both, it is the last call. Whether a
fragment continues that call or begins the next one, the table `_HABITS` decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

from ..question.lenient_json import as_mapping, as_text, load_lenient
from .deltas import ToolFragment, argument_text

_MARK = re.compile(r'[{}\[\]"\\]')


class CallArguments:
    """The JSON text of a call's arguments, in pieces.

    `complete` scans each piece once: to parse the text again for every fragment would take quadratic time.
    """

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._scanned_pieces = 0
        self._scanned_characters = 0
        self._escaped_at = -1  # position of the character after the last backslash
        self._in_string = False
        self._depth = 0
        self._times_closed = 0  # how often the depth returned to zero
        self._last_character = ""  # that is not white space
        self._is_object: bool | None = None  # None until the text was parsed

    def __bool__(self) -> bool:
        return bool(self._pieces)

    def add(self, piece: str) -> None:
        """Append a piece of the text."""
        if piece:
            self._pieces.append(piece)

    @property
    def complete(self) -> bool:
        """Whether the text is a JSON object, so that nothing can follow."""
        for piece in self._pieces[self._scanned_pieces :]:
            self._scan_piece(piece)
        self._scanned_pieces = len(self._pieces)
        if (self._times_closed, self._depth, self._in_string, self._last_character) != (1, 0, False, "}"):
            return False
        if self._is_object is None:  # parsed once: an object ends where its first bracket is closed
            try:
                self._is_object = isinstance(load_lenient("".join(self._pieces)), dict)
            except ValueError:
                self._is_object = False
        return self._is_object

    def are_all_of(self, text: str) -> bool:
        """Return whether the arguments are complete, and this text."""
        return self.complete and self._scanned_characters == len(text) and "".join(self._pieces) == text

    def _scan_piece(self, piece: str) -> None:
        for found in _MARK.finditer(piece):
            mark, position = found[0], self._scanned_characters + found.start()
            if position == self._escaped_at:
                continue
            if mark == "\\":
                self._escaped_at = position + 1
            elif mark == '"':
                self._in_string = not self._in_string
            elif not self._in_string:
                self._depth += 1 if mark in "{[" else -1
                self._times_closed += self._depth == 0
        self._scanned_characters += len(piece)
        self._last_character = piece.rstrip()[-1:] or self._last_character


@dataclass(slots=True)
class _OpenCall:
    """A call that may get more fragments."""

    key: str
    id: str = ""
    name: str = ""
    arguments: CallArguments = field(default_factory=CallArguments)
    name_repeated: bool = False
    """Whether a fragment repeated the name after complete arguments, and so announced another call of that name."""

    def is_repeated_by(self, call_id: str, name: str, arguments: str) -> bool:
        """Return whether a fragment is all of this call once more, with its id: it must not run twice."""
        is_same = bool(call_id and arguments) and (call_id, name) == (self.id, self.name)
        return is_same and self.arguments.are_all_of(arguments)

    def ends_before(self, call_id: str, name: str, arguments: str) -> bool:
        """Return whether a fragment found by this call's index or id is the first one of another call."""
        brings_arguments = bool(arguments.strip())
        ids, names = _compare(call_id, self.id), _compare(name, self.name)
        for habit in _HABITS:
            if (
                ids in habit.ids
                and names in habit.names
                and habit.brings_arguments in (None, brings_arguments)
                and habit.holds_for(self)
            ):
                if habit.name_repeated is not None:
                    self.name_repeated = habit.name_repeated
                return habit.begins_another
        return False


_Likeness: TypeAlias = Literal["absent", "first", "same", "new"]


def _compare(value: str, known: str) -> _Likeness:
    """Compare an id or name in a fragment with that of its call; "first" if the call has none yet."""
    if not value:
        return "absent"
    if not known:
        return "first"
    return "same" if value == known else "new"


def _has_complete_arguments(call: _OpenCall) -> bool:
    return call.arguments.complete


def _has_no_arguments(call: _OpenCall) -> bool:
    return not call.arguments


def _has_repeated_name(call: _OpenCall) -> bool:
    return call.name_repeated


def _any_call(call: _OpenCall) -> bool:
    return True


class _Habit(NamedTuple):
    """How servers begin another call in the place of one that is open."""

    ids: tuple[_Likeness, ...]
    names: tuple[_Likeness, ...]
    brings_arguments: bool | None
    """Whether the fragment has arguments; None for either."""
    holds_for: Callable[[_OpenCall], bool]
    """A condition on the open call. Checked last, because it may parse the arguments."""
    begins_another: bool = True
    name_repeated: bool | None = None
    """What to note on the open call; None for no change."""


_ANY: tuple[_Likeness, ...] = ("absent", "first", "same", "new")
_NO_TWO_IDS: tuple[_Likeness, ...] = ("absent", "first")

# The first habit that fits decides; if none does, the fragment continues the open call. A new id alone is no sign,
# because some servers invent one for each fragment.
_HABITS: tuple[_Habit, ...] = (
    # Without ids: the fragment before repeated the name, and this one brings the arguments.
    _Habit(("absent",), ("absent",), True, _has_repeated_name),
    # With ids: another id and another name, or another id before the call had any arguments.
    _Habit(("new",), ("first", "new"), None, _any_call),
    _Habit(("new",), ("same",), None, _has_no_arguments),
    _Habit(("new",), _ANY, None, _has_complete_arguments),
    # The same id for two calls: the name and arguments again, after complete ones.
    _Habit(("same",), ("same", "new"), True, _has_complete_arguments),
    # Without ids: a name after complete arguments. The name alone, if it is the same, may also be an echo that some
    # servers put into every fragment: what follows it decides.
    _Habit(_NO_TWO_IDS, ("new",), None, _has_complete_arguments, name_repeated=False),
    _Habit(_NO_TWO_IDS, ("same",), True, _has_complete_arguments, name_repeated=False),
    _Habit(_NO_TWO_IDS, ("same",), False, _has_complete_arguments, begins_another=False, name_repeated=True),
)


class ToolCallAssembler:
    """Finds the call of each fragment."""

    def __init__(self) -> None:
        self.all_calls: list[_OpenCall] = []
        """All calls, in the order in which they began."""
        self._calls_by_id: dict[str, _OpenCall] = {}
        self._open_calls: dict[int | None, _OpenCall] = {}  # by index; None for the last one

    def read_fragment(self, piece: dict[str, Any]) -> ToolFragment | None:
        """Return the fragment with the key of its call, or None for a form that a server left empty."""
        # Cloudflare's calls are flat: `{"name": ..., "arguments": ...}`.
        function = as_mapping(piece.get("function") or piece)
        index, call_id, name = as_index(piece.get("index")), as_text(piece.get("id")), as_text(function.get("name"))
        arguments = argument_text(function.get("arguments"))
        call = self._open_calls.get(index)
        if index is None and call_id:
            call = self._calls_by_id.get(call_id, call)
        if call is not None and call.is_repeated_by(call_id, name, arguments):
            return None
        if call is None or call.ends_before(call_id, name, arguments):
            if not (call_id or name or arguments):
                return None
            # Without id and name, the call before announced this one by its name.
            call = _OpenCall(str(len(self.all_calls)), name=call.name if call and not name and not call_id else "")
            self.all_calls.append(call)
        self._open_calls[index] = self._open_calls[None] = call
        call.id, call.name = call.id or call_id, call.name or name
        self._calls_by_id.setdefault(call.id, call)
        call.arguments.add(arguments)
        return ToolFragment(call.key, call_id, call.name, arguments)


def as_index(value: object) -> int | None:
    """Return `value` if it is a number, or a short string of digits as a number; else None."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 9:
        return int(value)
    return value if isinstance(value, int) else None


def as_list(value: object) -> list[Any]:
    """Return `value` as a list: some servers send a single item without its list, or null."""
    return value if isinstance(value, list) else [value] if isinstance(value, dict | str) and value else []
