"""Base64 text in pieces to pieces that can be joined. Pure."""

from __future__ import annotations

import base64
import binascii


class Base64Pieces:
    """Makes each piece whole groups of four characters without padding, so that the joined pieces are one base64 text.

    Servers cut the text anywhere, or encode each piece of the data by itself.
    """

    def __init__(self) -> None:
        self._text = ""  # the beginning of a group
        self._bytes = b""  # less than a group of three

    def add(self, piece: str) -> str:
        """Return the text for a piece, as it was if it is no base64."""
        text = self._text + piece
        cut = len(text) - len(text) % 4
        text, self._text = text[:cut], text[cut:]
        if not self._bytes and not text.endswith("="):
            return text
        try:
            data = self._bytes + base64.b64decode(text)
        except binascii.Error:
            return text
        cut = len(data) - len(data) % 3
        self._bytes = data[cut:]
        return base64.b64encode(data[:cut]).decode()

    def take_rest(self) -> str:
        """Return the last group."""
        rest, self._bytes, self._text = self._bytes, b"", ""
        return base64.b64encode(rest).decode()
