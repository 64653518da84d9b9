"""From the bytes of a connection to a response: its status, its headers and the bytes of its body. Pure.

Rules:
- What has arrived is returned at once, a complete chunk or not, so that a body that breaks off loses nothing.
- Bytes that arrived before a fault are returned first. The next call raises the fault.
- Bytes behind the end belong to no request of ours (RFC 9112, section 6.3). They set `excess`, and the connection must
  not be used again.

The grammar is that of llhttp, through httptools. The official JavaScript clients of OpenAI, Anthropic and Google read
with llhttp too (Node's `fetch`), so a provider whose answers it refuses would lose half of its users. It refuses what
`http.client` lets pass: folded headers, control characters in values, two Content-Length headers, spaces before a
colon, LF without CR around chunks. We ask it for three leniencies, which RFC 9112 allows to a recipient and which h11
and aiohttp have too: a head with LF alone (section 2.2; scripts send it), spaces after the size of a chunk (old servers
pad it), and Transfer-Encoding that overrides Content-Length (section 6.3).
"""

from __future__ import annotations

from collections.abc import Callable

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from .connection_limits import FRAMING_BYTES, HEAD_BYTES, INTERIM_ANSWERS
from .content_coding import Inflater, inflater_for
from .faults import UnreadableResponse


class ResponseReader:
    """Reads one response. Feed it what is read of the connection until `status` is set, and then until `ended`.

    The methods that begin with `on_` are for the parser.
    """

    __slots__ = (
        "_fault",
        "_framing_bytes",
        "_framing_ended",
        "_head_bytes",
        "_inflater",
        "_interim_answers",
        "_is_plain",
        "_line",
        "_own_pieces",
        "_parse",
        "_parser",
        "_pieces",
        "ended",
        "excess",
        "has_more",
        "headers",
        "keeps_alive",
        "on_body",
        "status",
    )

    def __init__(self) -> None:
        self.status = 0
        """0 until the head is complete."""
        self.headers: dict[str, str] = {}
        """By their names in lower case."""
        self.ended = False
        """Whether all of the body was returned."""
        self.excess = False
        """Whether bytes came behind the end."""
        self.keeps_alive = False
        """Whether the connection outlives the response, so that it pays to read the body to its end."""
        self.has_more = False
        """Whether `read_more` has bytes or a fault, so that there is nothing to wait for."""
        self._fault: UnreadableResponse | None = None
        self._head_bytes = self._interim_answers = self._framing_bytes = 0
        self._line: bytearray | None = bytearray()
        """The beginning of a line of the head; None behind the head."""
        self._framing_ended = False
        self._is_plain = True
        """Whether the body goes on as far as we know, and is not compressed."""
        self._inflater: Inflater | None = None
        self._pieces: list[bytes] = []
        self._own_pieces = 0
        """How many of the pieces came before the end."""
        # The parser calls this for each chunk: a list's own method costs no frame of Python.
        self.on_body = self._pieces.append
        parser = HttpResponseParser(self)
        parser.set_dangerous_leniencies(
            lenient_chunked_length=True, lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )
        self._parser: HttpResponseParser | None = parser
        self._parse: Callable[[bytes | bytearray], None] = parser.feed_data

    @property
    def reusable(self) -> bool:
        """Whether the connection can take another request."""
        return self.ended and self.keeps_alive and not self.excess

    def feed(self, data: bytes) -> bytes:
        """Return the bytes of the body in `data`; b"" if there are none, and while the head is being read.

        Args:
            data: What was read of the connection; b"" if the server has closed it.

        Raises:
            UnreadableResponse: The answer is not HTTP, breaks off, or exceeds a limit.
        """
        if self._line is not None:
            self._read_head(data)
            return b""
        if not data:
            return self._end_with_connection()
        try:
            self._parse(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self._refused(error)
        pieces = self._pieces
        if pieces and self._is_plain:  # nearly always
            self._framing_bytes = 0
            found = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            pieces.clear()
            return found
        self._framing_bytes = 0 if pieces else self._framing_bytes + len(data)
        if self._framing_bytes > FRAMING_BYTES:
            self._stop(f"more than {FRAMING_BYTES // 1024} KB came without any of the body")
        return self.read_more()

    def read_more(self) -> bytes:
        """Return bytes of the body that were fed before.

        Raises:
            UnreadableResponse: As `feed`.
        """
        pieces, inflater = self._pieces, self._inflater
        if self._framing_ended:
            del pieces[self._own_pieces :]
        found = b"".join(pieces)
        pieces.clear()
        if inflater is not None and (found or inflater.has_more):
            found = inflater.feed(found)
        elif not found and self._fault is not None:
            raise self._fault
        is_held = inflater is not None and inflater.has_more
        self.has_more = is_held or self._fault is not None
        self.ended = self._framing_ended and not is_held
        return found

    def close(self) -> None:
        """Let go of the parser, which refers back to this object. No more calls of `feed` may follow."""
        self._parser = None
        self._parse = _no_parser

    def _read_head(self, data: bytes) -> None:
        """Give the parser complete lines: it needs quadratic time for a line that comes byte by byte."""
        line = self._line
        assert line is not None
        if not data:
            place = " in the middle of the head" if self._head_bytes else ""
            raise UnreadableResponse(f"the server closed the connection{place}")
        self._head_bytes += len(data)
        end = data.rfind(b"\n") + 1
        line += data[:end] if end else data
        if end:
            try:
                self._parse(line)
            except (HttpParserError, HttpParserUpgrade) as error:
                self._refused(error)
            if self.status:
                self._line = None
                self._begin_body(data[end:])
                return
            if self._fault is not None:
                raise self._fault
            line[:] = data[end:]
        if self._head_bytes > HEAD_BYTES:
            raise UnreadableResponse(f"the head of the answer is longer than {HEAD_BYTES // 1024} KB")

    def _begin_body(self, rest: bytes) -> None:
        """Keep for `read_more` what came along with the head."""
        self._inflater = inflater_for(self.headers.get("content-encoding", ""), self.status)
        self._is_plain = self._is_plain and self._inflater is None
        if rest and self._framing_ended:
            self.excess = True
        elif rest:
            try:
                self._parse(rest)
            except (HttpParserError, HttpParserUpgrade) as error:
                self._refused(error)
        self.has_more = self._own_pieces > 0 if self._framing_ended else bool(self._pieces or self._fault)
        self.ended = self._framing_ended and not self.has_more

    def _end_with_connection(self) -> bytes:
        # A body with neither a length nor chunks ends with its connection, so it can't be seen to break off (RFC 9112,
        # section 6.3). Only the wire can tell then.
        coding = self.headers.get("transfer-encoding")
        if "content-length" in self.headers if coding is None else "chunked" in coding.lower():
            raise UnreadableResponse("the body ended before it was complete")
        self.ended = self._framing_ended = True
        return b""

    def _refused(self, error: Exception) -> None:
        """Note that the parser takes no more: for a fault, or because more came than the response."""
        if self._framing_ended:
            self.excess = True
        else:
            self._stop(f"the answer is not HTTP: {error}")  # fixed texts of llhttp, which quote nothing

    def _stop(self, reason: str) -> None:
        if self._fault is None:
            self._fault = UnreadableResponse(reason)
            self.has_more = True

    def on_message_begin(self) -> None:
        """Notice a second response."""
        self.excess = self._framing_ended

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header of the head; those of a trailer are none of ours (RFC 9110, section 6.5.1)."""
        if not self.status:
            # Not UTF-8: a value may hold any bytes above ASCII (obs-text in RFC 9110, section 5.5).
            self.headers[name.decode("latin-1").lower()] = value.decode("latin-1").rstrip()

    def on_headers_complete(self) -> None:
        """Keep the status, unless it is an interim answer, such as 103 Early Hints (RFC 9110, section 15.2)."""
        parser = self._parser
        if self.status or parser is None:
            return
        status, headers = parser.get_status_code(), self.headers
        if 100 <= status < 200 and status != 101:
            self._interim_answers += 1
            if self._interim_answers > INTERIM_ANSWERS:
                self._stop(f"more than {INTERIM_ANSWERS} interim answers (1xx)")
            headers.clear()
            return
        self.status = status
        # With both, a proxy on the way may have misread one of them (RFC 9112, section 6.3).
        self.keeps_alive = parser.should_keep_alive() and not headers.keys() >= {"transfer-encoding", "content-length"}

    def on_message_complete(self) -> None:
        """Remember the end: what the parser finds from here on is not of this response."""
        if self.status and not self._framing_ended:
            self._framing_ended = True
            self._is_plain = False
            self._own_pieces = len(self._pieces)


def _no_parser(data: bytes | bytearray) -> None:
    raise UnreadableResponse("the response was closed")
