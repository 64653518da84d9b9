"""From the bytes of a connection to those of a response's body: RFC 9112, sections 6 and 7. Pure.

Rule: what has arrived is handed on at once, a whole chunk or not, so that nothing of a body that breaks off is lost and
nothing waits. (`http.client` takes several calls for each chunk, and waits for all of it.)
"""

from __future__ import annotations

import zlib
from contextlib import suppress
from http.client import HTTPResponse
from operator import itemgetter
from typing import Any

LINE_BYTES = 64 * 1024
INFLATED_BYTES = 64 * 1024
"""What is unpacked at a time, of a body that came compressed."""
INFLATED_FREELY = 4 * 1024 * 1024
INFLATED_RATIO = 200
"""What a body may unpack to: so much, and so many times its size. Text does not, bombs do. The ratio is that of Apache
httpd (https://httpd.apache.org/docs/2.4/mod/mod_deflate.html#deflateinflateratiolimit)."""
KEPT_LINES = 4096
KEPT_LINE_BYTES = 16
MANY_BYTES = 4096
"""More than one chunk of a reply, as it is written."""
_DIGITS = frozenset(b"0123456789abcdefABCDEF")


class Truncated(Exception):
    """The connection ended before the body did."""


class Unreadable(ValueError):
    """The body keeps not to its coding."""


class BodyReader:
    """Feed it what is read of the connection, b"" being its end; it returns bytes of the body."""

    __slots__ = ("_chunks", "_framing_ended", "_inflater", "_left", "ended", "excess")

    def __init__(self, head: HTTPResponse) -> None:
        """head: a response whose headers were read. Raises Unreadable for a coding that was not asked for."""
        self._chunks = Dechunker() if head.chunked else None
        self._left: int | None = head.length
        self._framing_ended = False
        self.ended = self._left == 0  # nothing comes, so nothing must be waited for
        self.excess = False
        """Whether more came than belongs to it: nobody knows what that would answer (RFC 9112, section 6.3)."""
        self._inflater = inflater(head.headers.get("content-encoding", ""), head.status)

    @property
    def holds(self) -> bool:
        """Whether there is more of what was fed, or a fault: call `more`, as nothing need come for it."""
        if self._inflater is not None and self._inflater.holds:
            return True
        return self._chunks is not None and self._chunks.fault is not None

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
        if self._inflater is None:
            return found
        self._framing_ended = self.ended
        return self._inflated(found)

    def more(self) -> bytes:
        """Return more of what was fed. Raises Unreadable."""
        if self._inflater is not None and self._inflater.holds:
            return self._inflated(b"")
        return self.feed(b"")  # raises the fault of the chunks

    def _inflated(self, data: bytes) -> bytes:
        assert self._inflater is not None
        found = self._inflater.feed(data)
        self.ended = self._framing_ended and not self._inflater.holds
        return found


class Inflater:
    """Unpacks gzip and deflate. It returns at most INFLATED_BYTES at a time, and `holds` the rest: feed it b"" then.

    Rule: between two pieces the reader looks at the clock, and lets other tasks run.
    """

    __slots__ = ("_came", "_ended", "_held", "_made", "_raw", "_unzip", "holds")

    def __init__(self, raw: bool) -> None:
        """raw: whether it may be deflate without the header of zlib, which servers send too (RFC 9110, 8.4.1.2)."""
        self._raw = raw
        self._unzip: Any = None
        self._ended: bool | None = None
        """Whether what follows is no more of it; None before its first byte."""
        self._held = b""
        self._came = self._made = 0
        self.holds = False

    def feed(self, data: bytes) -> bytes:
        """Raises Unreadable for what is no such coding, and for what grows too much."""
        self._came += len(data)
        data, self._held, self.holds = self._held + data, b"", False
        if self._unzip is None:
            if data and self._ended is not None:
                self._ended = self._ended or data[0] != _GZIP  # padding
            if not data or self._ended:
                return b""
            # By the first byte: of gzip 1F, of zlib the method 8 (RFC 1950, 2.2); neither begins a block of deflate.
            raw = self._raw and data[0] != _GZIP and data[0] & 15 != 8
            self._unzip = zlib.decompressobj(-zlib.MAX_WBITS if raw else zlib.MAX_WBITS | 32)
            self._ended = False
        try:
            found: bytes = self._unzip.decompress(data, INFLATED_BYTES)
        except zlib.error:
            raise Unreadable("it is not compressed as it says") from None
        self._made += len(found)
        if self._made > INFLATED_FREELY + INFLATED_RATIO * self._came:
            raise Unreadable(f"it unpacks to more than {INFLATED_RATIO} times its size")
        if self._unzip.eof:  # one more member may follow (RFC 1952, 2.2)
            self._held, self._unzip = self._unzip.unused_data, None
            self.holds = bool(self._held)
        else:
            self._held = self._unzip.unconsumed_tail
            self.holds = len(found) == INFLATED_BYTES or bool(self._held)
        return found


_GZIP = 0x1F
_CODINGS = frozenset(("br", "zstd", "compress", "x-compress", "dcb", "dcz", "exi", "pack200-gzip"))
"""That can't be read here. Other words in this header (`none`, `utf-8`) are no codings, and change nothing: servers say
them to keep something else from compressing."""


def inflater(encoding: str, status: int) -> Inflater | None:
    """Return what unpacks a body; None if it is not packed.

    Raises Unreadable for a coding that is none of ours. The body of an error in such a coding is taken as it is.
    """
    codings = {each.strip() for each in encoding.lower().split(",")}
    if 200 <= status < 300 and codings & _CODINGS:
        raise Unreadable("it is compressed in a way that was not asked for")
    return Inflater("deflate" in codings) if codings & {"gzip", "x-gzip", "deflate"} else None


class Dechunker:
    """Takes the chunked transfer coding off: feed it the bytes in any pieces, and it returns what they carry."""

    __slots__ = ("_in_chunk", "_in_trailer", "_left", "_pending", "_regular", "ended", "excess", "fault")

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
        self.fault: Unreadable | None = None

    def feed(self, data: bytes) -> bytes:
        """Raises Unreadable, once what had come before the fault is handed on."""
        if self.fault is not None:
            raise self.fault
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
        while not self.ended and self.fault is None:
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
            self.fault = Unreadable("a line without an end")
        if self.fault is not None and not found:
            raise self.fault
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
                self.fault = Unreadable("a chunk is longer than it says")
            self._in_chunk = False
        elif self._in_trailer:
            self.ended = line in (b"", b"\r")
        else:
            try:
                size = _size(line)
            except ValueError:
                self.fault = Unreadable("a chunk does not say its size")
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


class _Sizes(dict[bytes, int]):
    """The size that the line before a chunk says. Short lines are kept, as most sizes come again and again."""

    def __missing__(self, line: bytes) -> int:
        """Raises ValueError."""
        digits = line.partition(b";")[0].strip()
        if b"\n" in line or len(digits) > 16 or not _DIGITS.issuperset(digits):
            raise ValueError
        size = int(digits, 16)
        if len(line) <= KEPT_LINE_BYTES:  # not the extensions of a chunk, which may have 64 KB
            if len(self) >= KEPT_LINES:
                self.clear()
            self[line] = size
        return size


_SIZES = _Sizes()
_size = _SIZES.__getitem__
