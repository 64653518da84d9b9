"""A JSON string that still grows. Pure."""

from __future__ import annotations

_REPLACEMENT = "\ufffd"


class JsonString:
    """The pieces of a string, in which both halves of a surrogate pair become one character."""

    __slots__ = ("_half", "_pieces")

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._half = 0
        """The code of the first half of a surrogate pair, whose other half may follow; 0 if there is none."""

    def append(self, text: str) -> None:
        """Add text."""
        if self._half:
            self._pieces.append(_REPLACEMENT)
            self._half = 0
        self._pieces.append(text)

    def append_code(self, code: int) -> None:
        """Add what an escape stands for: a character of the BMP, or half of a surrogate pair."""
        if 0xDC00 <= code <= 0xDFFF:
            half, self._half = self._half, 0
            self._pieces.append(chr(0x10000 + ((half - 0xD800) << 10) + code - 0xDC00) if half else _REPLACEMENT)
        elif 0xD800 <= code <= 0xDBFF:
            if self._half:
                self._pieces.append(_REPLACEMENT)
            self._half = code
        else:
            self.append(chr(code))

    def text(self) -> str:
        """Return the text so far. All calls together cost the text once if each comes after it has grown by a part."""
        self._pieces = ["".join(self._pieces)]
        return self._pieces[0]

    def end(self) -> str:
        """Return the text of the complete string."""
        if self._half:
            self.append("")
        return self.text()

    def copy(self, *, with_text: bool) -> JsonString:
        """Return another one that grows by itself, with the text so far or with none."""
        other = JsonString()
        other._pieces = [self.text()] if with_text else []
        other._half = self._half
        return other
