"""Reads JSON while it still grows. Pure.

Rule: what was shown as closed never changes, and equals what `json.loads` makes of the complete text. Each character is
read once, so the cost is linear. What `json.loads` accepts and JSON in UTF-8 can't hold is an error (NaN, a number that
is infinite) or becomes U+FFFD (half of a surrogate pair). So is a name that occurs twice in an object: its value would
change after it was shown.
"""

from __future__ import annotations

import marshal
import re
from collections.abc import Callable, Iterator
from typing import Any

from .json_pointer import pointer_of
from .json_string import JsonString

MOST_LEVELS = 100
"""Maximum levels of lists and objects. Encoders and clients that recurse handle ten times as many."""
MOST_DIGITS = 4_000
"""Maximum characters of a number: `int` refuses 4,301 digits."""

_BLANKS = re.compile(r"[ \t\n\r]*")
_PLAIN_TEXT = re.compile(r'[^"\\\x00-\x1f]*')
_BARE_WORD = re.compile(r"[-+.0-9A-Za-z_]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_FENCE_MARK = re.compile(r"[`A-Za-z0-9+.-]*")
_OPENING_FENCE = re.compile(r"`{3,}[A-Za-z0-9+.-]*")
_NUMBER_SO_FAR = re.compile(r"-?((0|[1-9][0-9]*)(\.[0-9]*)?((?<=[0-9])[eE][-+]?[0-9]*)?)?")
_LITERALS = {"true": True, "false": False, "null": None}
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")


class JsonReader:
    """Takes the text of one JSON value in pieces; has the value so far at any time.

    Blanks and one pair of code fences (```json) around the value are skipped. The second one may be missing, or cut.

    Args:
        list_name: The member of the root object whose elements `take_items` returns. The elements of a root that is a
            list are items, too.
    """

    __slots__ = (
        "_before",
        "_containers",
        "_in_name",
        "_may_close",
        "_names",
        "_read",
        "_scrap",
        "_string",
        "error",
        "error_path",
        "had_fence",
        "is_closed",
        "items_taken",
        "length",
        "list_name",
    )

    def __init__(self, list_name: str | None = None) -> None:
        self.list_name = list_name
        self.length = 0
        """Characters that were fed."""
        self.is_closed = False
        """Whether the value is complete. A number that is the whole text so far may still grow: `finish` closes it."""
        self.had_fence = False
        self.error: str | None = None
        """Why the text is not JSON. What was read before the error stays."""
        self.error_path = ""
        """The JSON pointer of the value in which the error is."""
        self._containers: list[Any] = [[]]
        """The lists and objects that are open, outermost first. The first one is ours, and holds the root."""
        self._names: list[str] = [""]
        """For each of them, the name of the member that is being read."""
        self._read: Callable[[JsonReader, str, int], int] = JsonReader._read_start
        """Reads at a place of a text what may stand there; returns the place from which to go on."""
        self._string = JsonString()
        """The open string."""
        self._scrap = ""
        """An escape, a number, a literal or a fence that is still incomplete."""
        self._in_name = self._may_close = False
        """Whether the open string is the name of a member; whether a list or an object was just opened."""
        self.items_taken = 0
        """How many elements `take_items` has returned."""
        self._before = 0

    def feed(self, text: str) -> None:
        """Read the next piece of the text."""
        self._before, self.length = self.length, self.length + len(text)
        at, end = 0, len(text)
        while at < end:
            at = self._read(self, text, at)

    def finish(self) -> None:
        """Close a number at the root: the text is complete, by the verdict on the reply. Anything open is an error."""
        if self._read is JsonReader._read_bare_word and len(self._containers) == 1:
            self._before = self.length
            self._close_bare_word(0)
        self._before = self.length
        if self.error or self.is_closed:
            return
        begun = self._containers[0] or self._is_scalar_open
        self._fail(0, "the text ends before this value is complete" if begun else "there is no JSON", self.open_path)

    def at_end(self) -> JsonReader:
        """Return what `finish` would make of this reader, which can still be fed. Its paths have no indexes."""
        if self.error or self.is_closed:
            return self
        other = self.fork()
        other.finish()
        return other

    @property
    def has_value(self) -> bool:
        """Whether `value` has anything to show."""
        return bool(self._containers[0]) or self._read in _IN_STRING

    def value(self) -> Any:
        """Return a copy of the value so far; None if there is none yet.

        Open lists and objects hold what is closed in them, and an open string is there as far as it came. An open
        number, literal or name is absent.
        """
        holder, name = self._containers[-1], self._names[-1]
        is_string = not self._in_name and self._read in _IN_STRING
        if is_string:
            _put(holder, name, self._string.text())
        root = _fresh_copy(self._containers[0])
        if is_string:
            holder.pop() if isinstance(holder, list) else holder.pop(name)
        return root[0] if root else None

    @property
    def open_path(self) -> str | None:
        """The JSON pointer of the innermost value that has begun and is not closed; None if everything is closed."""
        return None if self.is_closed else pointer_of(self._open_names())

    def take_items(self) -> list[Any]:
        """Return copies of the elements of the list that closed since the last call."""
        root = self._containers[0]
        items = root[0] if root else None
        level = 1
        if isinstance(items, dict):
            items, level = items.get(self.list_name), 2
        if not isinstance(items, list):
            return []
        inner = self._containers[level + 1 :]
        if level < len(self._containers) and self._containers[level] is not items:
            inner = []  # the list is closed, and another member is open
        closed = len(items) - bool(inner)
        if closed <= self.items_taken:
            return []
        taken, self.items_taken = self.items_taken, closed
        copies: list[Any] = _fresh_copy(items[taken:closed])
        return copies

    # What a cut text leaves open, for a text that goes on from there.

    @property
    def open_word(self) -> str:
        """The number or literal that the text ends in, as far as it came."""
        return self._scrap if self._read is JsonReader._read_bare_word else ""

    @property
    def in_string(self) -> bool:
        """Whether the text ends within a string."""
        return self._read in _IN_STRING

    @property
    def has_just_opened(self) -> bool:
        """Whether the text ends within a list or an object that is empty so far."""
        return self._may_close and self._read in (JsonReader._read_value, JsonReader._read_name)

    def fork(self) -> JsonReader:
        """Return a reader at the same place of the text that does not know the values before."""
        other = JsonReader(self.list_name)
        other._containers = [dict.fromkeys(each) if isinstance(each, dict) else [] for each in self._containers]
        other._names, other._read, other._scrap = [*self._names], self._read, self._scrap
        other._in_name, other._may_close = self._in_name, self._may_close
        other.length, other.is_closed, other.had_fence = self.length, self.is_closed, self.had_fence
        other.error = self.error
        other._string = self._string.copy(with_text=self._in_name)
        return other

    @property
    def _is_scalar_open(self) -> bool:
        return (self._read in _IN_STRING or self._read is JsonReader._read_bare_word) and not self._in_name

    def _open_names(self) -> Iterator[str]:
        last = len(self._containers) - 1
        for level in range(1, last + self._is_scalar_open):
            holder = self._containers[level]
            if isinstance(holder, dict):
                yield self._names[level]
            else:  # a container that is open is in its list already, an open scalar is not
                yield str(len(holder) - (level < last))

    # What may stand at a place of the text.

    def _read_start(self, text: str, at: int) -> int:
        at = _skip(_BLANKS, text, at)
        if at < len(text):
            self._read = JsonReader._read_fence if text[at] == "`" else JsonReader._read_value
        return at

    def _read_fence(self, text: str, at: int) -> int:
        end = _skip(_FENCE_MARK, text, at)
        self._scrap += text[at:end]
        if end == len(text) and len(self._scrap) < 40:
            return end
        if not _OPENING_FENCE.fullmatch(self._scrap):
            return self._fail(end, "the text begins with no JSON")
        self.had_fence, self._read = True, JsonReader._read_value
        return end

    def _read_value(self, text: str, at: int) -> int:
        at = _skip(_BLANKS, text, at)
        if at == len(text):
            return at
        first = text[at]
        if first == '"':
            self._open_string(in_name=False)
        elif first in "[{":
            self._open_container(at, [] if first == "[" else {})
        elif first == "]" and self._may_close:
            self._close_container()
        elif _skip(_BARE_WORD, text, at) > at:
            self._scrap, self._read = "", JsonReader._read_bare_word
            return at
        else:
            return self._fail(at, f"{_quote(first)} stands in the place of a value")
        return at + 1

    def _read_name(self, text: str, at: int) -> int:
        at = _skip(_BLANKS, text, at)
        if at == len(text):
            return at
        if text[at] == '"':
            self._open_string(in_name=True)
        elif text[at] == "}" and self._may_close:
            self._close_container()
        else:
            return self._fail(at, f"{_quote(text[at])} stands in the place of a name in double quotes")
        return at + 1

    def _read_colon(self, text: str, at: int) -> int:
        at = _skip(_BLANKS, text, at)
        if at == len(text):
            return at
        if text[at] != ":":
            return self._fail(at, f"{_quote(text[at])} stands in the place of a colon")
        self._may_close, self._read = False, JsonReader._read_value
        return at + 1

    def _read_comma(self, text: str, at: int) -> int:
        at = _skip(_BLANKS, text, at)
        if at == len(text):
            return at
        is_list = isinstance(self._containers[-1], list)
        if text[at] == ",":
            self._may_close, self._read = False, JsonReader._read_value if is_list else JsonReader._read_name
        elif text[at] == ("]" if is_list else "}"):
            self._close_container()
        else:
            return self._fail(at, f"{_quote(text[at])} stands in the place of a comma")
        return at + 1

    def _read_string(self, text: str, at: int) -> int:
        end = _skip(_PLAIN_TEXT, text, at)
        if end > at:
            self._string.append(text[at:end])
        if end == len(text):
            return end
        if text[end] == '"':
            self._close_string(end)
        elif text[end] == "\\":
            self._scrap, self._read = "", JsonReader._read_escape
        else:
            return self._fail(end, "a string has a control character that is not escaped")
        return end + 1

    def _read_escape(self, text: str, at: int) -> int:
        self._scrap += text[at]
        if self._scrap[0] != "u":
            if self._scrap not in _ESCAPES:
                return self._fail(at, f"a string has the unknown escape {_quote(chr(92) + self._scrap)}")
            self._end_escape(ord(_ESCAPES[self._scrap]))
        elif len(self._scrap) > 1 and text[at] not in _HEX_DIGITS:
            return self._fail(at, "an escape has no four hexadecimal digits")
        elif len(self._scrap) == 5:
            self._end_escape(int(self._scrap[1:], 16))
        return at + 1

    def _read_bare_word(self, text: str, at: int) -> int:
        end = _skip(_BARE_WORD, text, at)
        self._scrap += text[at:end]
        if len(self._scrap) > MOST_DIGITS:
            return self._fail(end, f"a number has more than {MOST_DIGITS:,} characters")
        if end < len(text):
            self._close_bare_word(end)
        elif not _NUMBER_SO_FAR.fullmatch(self._scrap) and not any(map(str.startswith, _LITERALS, [self._scrap] * 3)):
            return self._fail(end, f"{_quote(self._scrap)} is no JSON")  # the remark of a model, before it ends
        return end

    def _read_rest(self, text: str, at: int) -> int:
        at = _skip(_BLANKS, text, at)
        if at == len(text):
            return at
        if text[at] == "`" and self.had_fence:
            self._scrap, self._read = "", JsonReader._read_closing_fence
            return at
        return self._fail(at, "more text follows the JSON")

    def _read_closing_fence(self, text: str, at: int) -> int:
        end = at
        while end < len(text) and text[end] == "`":
            end += 1
        self._scrap = (self._scrap + text[at:end])[:3]
        if end == len(text):
            return end
        if len(self._scrap) < 3 or _skip(_BLANKS, text, end) == end:
            return self._fail(end, "more text follows the JSON")
        self._read = JsonReader._read_end
        return end

    def _read_end(self, text: str, at: int) -> int:
        at = _skip(_BLANKS, text, at)
        return at if at == len(text) else self._fail(at, "more text follows the JSON")

    def _read_nothing(self, text: str, at: int) -> int:
        return len(text)

    # What is opened and closed.

    def _open_string(self, *, in_name: bool) -> None:
        self._string, self._in_name, self._read = JsonString(), in_name, JsonReader._read_string

    def _end_escape(self, code: int) -> None:
        self._string.append_code(code)
        self._read = JsonReader._read_string

    def _close_string(self, at: int) -> None:
        text = self._string.end()
        if not self._in_name:
            self._add_value(text)
            return
        if text in self._containers[-1]:
            self._fail(at, f"the name {_quote(text)} occurs twice in an object")
            return
        self._in_name, self._names[-1], self._read = False, text, JsonReader._read_colon

    def _close_bare_word(self, at: int) -> None:
        word, self._scrap = self._scrap, ""
        if word in _LITERALS:
            self._add_value(_LITERALS[word])
        elif not (found := _NUMBER.fullmatch(word)):
            self._fail(at, f"{_quote(word)} is no JSON")
        elif found[1] is None and found[2] is None:
            self._add_value(int(word))
        elif (number := float(word)) in (float("inf"), float("-inf")):
            self._fail(at, f"{_quote(word)} is too large a number")
        else:
            self._add_value(number)

    def _add_value(self, value: Any) -> None:
        _put(self._containers[-1], self._names[-1], value)
        self._end_value()

    def _end_value(self) -> None:
        self.is_closed = len(self._containers) == 1
        self._read = JsonReader._read_rest if self.is_closed else JsonReader._read_comma

    def _open_container(self, at: int, container: Any) -> None:
        if len(self._containers) > MOST_LEVELS:
            self._fail(at, f"the JSON has more than {MOST_LEVELS} levels")
            return
        _put(self._containers[-1], self._names[-1], container)
        self._containers.append(container)
        self._names.append("")
        self._may_close, self._read = (
            True,
            JsonReader._read_value if isinstance(container, list) else JsonReader._read_name,
        )

    def _close_container(self) -> None:
        self._containers.pop()
        self._names.pop()
        self._end_value()

    def _fail(self, at: int, message: str, path: str | None = None) -> int:
        """Keep the first error, and read nothing more. Return a place after every text."""
        if not self.error:
            self.error_path = path if path is not None else self.open_path or ""
            self.error = f"{message} (character {self._before + at})"
        self.is_closed, self._read = False, JsonReader._read_nothing
        return 1 << 62


_IN_STRING = (JsonReader._read_string, JsonReader._read_escape)


def _put(holder: Any, name: str, value: Any) -> None:
    if isinstance(holder, list):
        holder.append(value)
    else:
        holder[name] = value


def _fresh_copy(value: Any) -> Any:
    """Copy a JSON value at the speed of C. Strings and numbers of any size stay exactly the same."""
    return marshal.loads(marshal.dumps(value))  # noqa: S302 - the bytes are our own


def _skip(pattern: re.Pattern[str], text: str, at: int) -> int:
    """Return the place after what the pattern matches; all patterns here match an empty text, too."""
    found = pattern.match(text, at)
    assert found is not None
    return found.end()


def _quote(text: str) -> str:
    """Return some text of the reply as an error shows it: short, and without characters that can't be seen."""
    return repr(text if len(text) <= 40 else text[:37] + "...")
