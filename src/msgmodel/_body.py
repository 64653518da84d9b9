"""From the bytes of a connection to those of a response's body: RFC 9112, sections 6 and 7. Pure.

Rule: what has arrived is handed on at once, a whole chunk or not, so that nothing of a body that breaks off is lost and
nothing waits. (`http.client` takes several calls for each chunk, and waits for all of it.)
"""

from __future__ import annotations

import zlib
from contextlib import suppress
from functools import lru_cache
from http.client import HTTPResponse
from operator import itemgetter
from typing import Any

LINE_BYTES = 64 * 1024
INFLATED_BYTES = 16 * 1024 * 1024
"""What one read may unfold to, of a body that came compressed: text does not, bombs do."""
MANY_BYTES = 4096
"""More than one chunk of a reply, as it is written."""
_DIGITS = frozenset(b"0123456789abcdefABCDEF")


class Truncated(Exception):
    """The connection ended before the body did."""


class Unreadable(ValueError):
    """The body keeps not to its coding."""


class Body:
    """Feed it what is read of the connection, b"" being its end; it returns bytes of the body."""

    __slots__ = ("_chunks", "_inflate", "_left", "ended", "excess")

    def __init__(self, head: HTTPResponse) -> None:
        """head: a response whose headers were read. Raises Unreadable for a coding that was not asked for."""
        self._chunks = Dechunker() if head.chunked else None
        self._left: int | None = head.length
        self.ended = self._left == 0  # nothing comes, so nothing must be waited for
        self.excess = False
        """Whether more came than belongs to it: nobody knows what that would answer (RFC 9112, section 6.3)."""
        self._inflate = _inflater(head.headers.get("content-encoding", "").lower(), 200 <= head.status < 300)

    @property
    def broken(self) -> bool:
        """Whether there is a fault to be raised, for which no more bytes need come."""
        return self._chunks is not None and self._chunks.broken

    def feed(self, data: bytes) -> bytes:
        """May return nothing before the body has ended. Raises Truncated, Unreadable."""
        if self._chunks is not None:
            found = self._chunks.feed(data)
            self.ended, self.excess = self._chunks.ended, self._chunks.excess
        elif self._left is not None:
            found = data[: self._left]
            self.excess = len(data) > self._left
            self._left -= len(found)
            self.ended = not self._left
        else:
            found = data
            self.ended = not data
        if not data and not self.ended:
            raise Truncated
        return found if self._inflate is None else self._inflated(found)

    def _inflated(self, data: bytes) -> bytes:
        """From a server that compressed its answer though it was asked not to."""
        try:
            found: bytes = self._inflate.decompress(data, INFLATED_BYTES)
            while self._inflate.eof and self._inflate.unused_data[:1] == _GZIP:  # one more member (RFC 1952, 2.2)
                data, self._inflate = self._inflate.unused_data, _unzip()
                found += self._inflate.decompress(data, max(1, INFLATED_BYTES - len(found)))
        except zlib.error:
            raise Unreadable("it is not compressed as it says") from None
        if self._inflate.unconsumed_tail:
            raise Unreadable("it is compressed a thousandfold")
        return found


_GZIP = b"\x1f"
_CODINGS = frozenset(("br", "zstd", "compress", "x-compress", "dcb", "dcz", "exi", "pack200-gzip"))
"""That can't be read here. Other words in this header (`none`, `utf-8`) are no codings, and change nothing: servers say
them to keep something else from compressing."""


def _unzip() -> Any:
    return zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or deflate, by its first bytes


def _inflater(encoding: str, wanted: bool) -> Any:
    """wanted: raises Unreadable for a coding that is none of ours; else what is coded is taken as it is."""
    codings = {each.strip() for each in encoding.split(",")}
    if wanted and codings & _CODINGS:
        raise Unreadable("it is compressed in a way that was not asked for")
    return _unzip() if codings & {"gzip", "x-gzip", "deflate"} else None


class Dechunker:
    """Takes the chunked transfer coding off: feed it the bytes in any pieces, and it returns what they carry."""

    __slots__ = ("_fault", "_in_chunk", "_in_trailer", "_left", "_pending", "_regular", "ended", "excess")

    def __init__(self) -> None:
        self.ended = self.excess = False
        self._left = 0
        """Bytes of the chunk that are still to come."""
        self._pending = b""
        """The begin of a line: of one that gives a size, or of the end of a chunk."""
        self._in_chunk = False
        self._in_trailer = False
        self._regular = True
        """Whether chunks that came many at once had as many CR each."""
        self._fault: Unreadable | None = None

    @property
    def broken(self) -> bool:
        return self._fault is not None

    def feed(self, data: bytes) -> bytes:
        """Raises Unreadable, once what had come before the fault is handed on."""
        if self._fault is not None:
            raise self._fault
        left = self._left
        if left >= len(data):  # more of a large chunk
            self._left = left - len(data)
            return data
        if self._pending:
            data, self._pending = self._pending + data, b""
        elif not (left or self._in_chunk or self._in_trailer):
            end = data.find(b"\r\n")
            if end > 0 and data.endswith(b"\r\n") and data[:end] == _HEADS[len(data) - end - 3][1:]:
                return data[end + 2 : -2]  # one chunk and nothing else, as a stream that is slow brings it
        at, found, many = 0, [], True
        while not self.ended and self._fault is None:
            if left:
                piece = data[at : at + left]
                found.append(piece)
                at += len(piece)
                left -= len(piece)
                if data.startswith(b"\r\n", at) and not left:  # nearly always, and spares a look at a line
                    self._in_chunk = False
                    at += 2
            if many and not (self._in_chunk or self._in_trailer):
                many = False
                whole, at = self._whole(data, at)
                found += whole
            end = data.find(b"\n", at)
            if end < 0 or left:
                self._pending = data[at:]
                break
            left = self._line(data[at:end])
            at = end + 1
        self._left = left
        self.excess = self.ended and at < len(data)
        if len(self._pending) > LINE_BYTES:
            self._fault = Unreadable("a line without an end")
        if self._fault is not None and not found:
            raise self._fault
        return found[0] if len(found) == 1 else b"".join(found)

    def _whole(self, data: bytes, at: int) -> tuple[list[bytes], int]:
        """What the chunks from there on carry that are whole, and where they end. It looks at nothing else."""
        carried: list[bytes] = []
        with suppress(ValueError):
            while (end := data.find(b"\r\n", at)) >= 0 and (size := _size(data[at:end])):
                after = end + 2 + size
                if data[after : after + 2] != b"\r\n":
                    break
                carried.append(data[end + 2 : after])
                at = after + 2
                if self._regular and len(data) - at > MANY_BYTES:
                    found, at = _like(carried[-1], data, at)
                    self._regular = bool(found)
                    carried += found
        return carried, at

    def _line(self, line: bytes) -> int:
        """The size of the chunk that begins; 0 where none does."""
        if self._in_chunk:
            if line not in (b"", b"\r"):
                self._fault = Unreadable("a chunk is longer than it says")
            self._in_chunk = False
        elif self._in_trailer:
            self.ended = line in (b"", b"\r")
        else:
            try:
                size = _size(line)
            except ValueError:
                self._fault = Unreadable("a chunk does not say its size")
                return 0
            self._in_chunk, self._in_trailer = size > 0, size == 0
            return size
        return 0


class _Heads(dict[int, bytes]):
    """How a chunk is announced, by its length; both with the LF before them."""

    def __missing__(self, length: int) -> bytes:
        head = b"\n%x" % (length - 1) if length > 1 else b"\r"  # which none is: the last chunk is not like the others
        if length < MANY_BYTES:
            self[length] = head
        return head


_HEADS = _Heads()
_first = itemgetter(0)


def _like(first: bytes, data: bytes, at: int) -> tuple[list[bytes], int]:
    """What the chunks from there on carry that are whole, and where they end, if all have as many CR within them as the
    first one; nothing if one has not, or if its size is not written as by nearly all.

    Nearly all that comes at once is like this. It is split at the CR: to split at two bytes takes twice as long.
    """
    lines = data[at:].split(b"\r")
    lines[0] = b"\n" + lines[0]
    step = 2 + first.count(b"\r")
    whole = (len(lines) - 1) // step * step
    while whole and (lines[whole][:1] != b"\n" or lines[whole - step] == b"\n0"):  # cut before LF; the last chunk
        whole -= step
    carried = lines[1:whole:step]
    if step > 2:
        carried = [*map(b"\r".join, zip(*(lines[line:whole:step] for line in range(1, step)), strict=True))]
    if lines[:whole:step] != [*map(_HEADS.__getitem__, map(len, carried))] or {*map(_first, carried)} - {0x0A}:
        return [], at
    return [piece[1:] for piece in carried], len(data) + 1 - len(b"\r".join(lines[whole:]))


@lru_cache(1024)
def _size(line: bytes) -> int:
    """Raises ValueError."""
    digits = line.partition(b";")[0].strip()
    if b"\n" in line or len(digits) > 16 or not _DIGITS.issuperset(digits):
        raise ValueError
    return int(digits, 16)
