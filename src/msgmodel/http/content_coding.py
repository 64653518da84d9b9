"""Unpacks a body that was compressed although the request asked for no compression. Pure.

Rule: at most INFLATED_BYTES are unpacked at a time, so that between two pieces the caller can look at the clock and let
other tasks run.
"""

from __future__ import annotations

import zlib
from typing import Any

from .faults import UnreadableResponse

INFLATED_BYTES = 64 * 1024
"""How much is unpacked at a time."""
INFLATED_FREELY = 4 * 1024 * 1024
INFLATED_RATIO = 200
"""A body may unpack to INFLATED_FREELY, plus this many times its size. Text does not reach that, bombs do. The ratio is
that of Apache httpd (https://httpd.apache.org/docs/2.4/mod/mod_deflate.html#deflateinflateratiolimit)."""
_GZIP = 0x1F
_UNKNOWN_CODINGS = frozenset(("br", "zstd", "compress", "x-compress", "dcb", "dcz", "exi", "pack200-gzip"))
"""Codings that we can't unpack. Other words in the header (`none`, `utf-8`) are not codings and change nothing: servers
send them to keep a proxy from compressing."""


class Inflater:
    """Unpacks gzip and deflate. If `has_more` is true after a call, call `feed(b"")` for the rest."""

    __slots__ = ("_bytes_in", "_bytes_out", "_held", "_may_be_raw", "_members_ended", "_unzip", "has_more")

    def __init__(self, may_be_raw: bool) -> None:
        """Args:
        may_be_raw: Whether it may be deflate without the header of zlib, which servers send too (RFC 9110, 8.4.1.2).
        """
        self._may_be_raw = may_be_raw
        self._unzip: Any = None
        self._members_ended: bool | None = None
        """Whether the rest is padding behind the last member; None before the first byte."""
        self._held = b""
        self._bytes_in = self._bytes_out = 0
        self.has_more = False

    def feed(self, data: bytes) -> bytes:
        """Unpack the next piece.

        Args:
            data: The next compressed bytes; b"" to get more of those before.

        Raises:
            UnreadableResponse: The bytes are not in this coding, or they unpack to too much.
        """
        self._bytes_in += len(data)
        data, self._held, self.has_more = self._held + data, b"", False
        if self._unzip is None:
            if data and self._members_ended is not None:
                self._members_ended = self._members_ended or data[0] != _GZIP
            if not data or self._members_ended:
                return b""
            # The first byte tells: gzip begins with 1F, zlib with the method 8 (RFC 1950, 2.2), and no block of raw
            # deflate begins with either.
            is_raw = self._may_be_raw and data[0] != _GZIP and data[0] & 15 != 8
            self._unzip = zlib.decompressobj(-zlib.MAX_WBITS if is_raw else zlib.MAX_WBITS | 32)
            self._members_ended = False
        try:
            found: bytes = self._unzip.decompress(data, INFLATED_BYTES)
        except zlib.error:
            raise UnreadableResponse("the body is not compressed as its headers say") from None
        self._bytes_out += len(found)
        if self._bytes_out > INFLATED_FREELY + INFLATED_RATIO * self._bytes_in:
            raise UnreadableResponse(f"the body unpacks to more than {INFLATED_RATIO} times its size")
        if self._unzip.eof:  # another member may follow (RFC 1952, 2.2)
            self._held, self._unzip = self._unzip.unused_data, None
            self.has_more = bool(self._held)
        else:
            self._held = self._unzip.unconsumed_tail
            self.has_more = len(found) == INFLATED_BYTES or bool(self._held)
        return found


def inflater_for(encoding: str, status: int) -> Inflater | None:
    """Return what unpacks a body, or None if it is not compressed.

    The body of an error in an unknown coding is returned as it is: the status says enough.

    Args:
        encoding: The header `content-encoding`.
        status: The status of the response.

    Raises:
        UnreadableResponse: The body of a success is in a coding that we can't unpack.
    """
    codings = {each.strip() for each in encoding.lower().split(",")}
    if 200 <= status < 300 and codings & _UNKNOWN_CODINGS:
        raise UnreadableResponse("the body is compressed in a way that was not asked for")
    return Inflater("deflate" in codings) if codings & {"gzip", "x-gzip", "deflate"} else None
