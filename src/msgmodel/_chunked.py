"""Takes the chunked transfer coding off a body: RFC 9112, section 7.1. Pure.

Rule: what has arrived of a chunk is handed on at once, whole chunk or not, so that nothing of a body that breaks off is
lost and nothing waits. `http.client` takes several calls and a pass through its buffer for each chunk.
"""

from __future__ import annotations

LINE_BYTES = 64 * 1024
_DIGITS = frozenset(b"0123456789abcdefABCDEF")


class NotChunked(ValueError):
    """The body keeps not to the coding."""


class Dechunker:
    """Feed it the bytes of a body in any pieces; it returns what they carry."""

    def __init__(self) -> None:
        self.ended = False
        self._left = 0
        """Bytes of the chunk that are still to come."""
        self._pending = b""
        """The begin of a line: of one that gives a size, or of the end of a chunk."""
        self._in_chunk = False
        self._in_trailer = False
        self._fault: NotChunked | None = None

    def feed(self, data: bytes) -> bytes:
        """Raises NotChunked, once what had come before the fault is handed on."""
        if self._fault is not None:
            raise self._fault
        if self._left >= len(data):  # more of a large chunk
            self._left -= len(data)
            return data
        found: list[bytes] = []
        if self._pending:
            data, self._pending = self._pending + data, b""
        at = 0
        while not self.ended and self._fault is None:
            if self._left:
                piece = data[at : at + self._left]
                found.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if self._left:
                    break
            end = data.find(b"\n", at)
            if end < 0:
                self._pending = data[at:]
                break
            self._line(data[at:end])
            at = end + 1
        if len(self._pending) > LINE_BYTES:
            self._fault = NotChunked("a line without an end")
        if self._fault is not None and not found:
            raise self._fault
        return found[0] if len(found) == 1 else b"".join(found)

    def _line(self, line: bytes) -> None:
        line = line.removesuffix(b"\r")
        if self._in_chunk:
            if line:
                self._fault = NotChunked("a chunk is longer than it says")
            self._in_chunk = False
        elif self._in_trailer:
            self.ended = not line
        else:
            size = line.partition(b";")[0].strip()
            if not size or len(size) > 16 or not _DIGITS.issuperset(size):
                self._fault = NotChunked("a chunk does not say its size")
                return
            self._left = int(size, 16)
            self._in_chunk, self._in_trailer = self._left > 0, self._left == 0
