"""uvicorn's HTTP protocol with bounds on what a connection costs before its requests are checked.

Rule: what a stranger sends is kept only up to a bound. llhttp, the parser, counts neither headers nor their bytes, and
uvicorn parses at once all requests that one read brings: 256 KB hold thousands of them, which hold up everybody else.
"""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 * 1024
"""Of a request but for its body. h11, uvicorn's other parser, has the same limit."""
MAX_HEADERS = 256
MAX_WAITING_REQUESTS = 16
"""That come before the one before them is answered: clients of today wait, but HTTP/1.1 does not demand it."""


class BoundedProtocol(HttpToolsProtocol):
    """Answers 400 and closes the connection if a request goes beyond a bound."""

    _head_bytes = 0
    """That came since the last byte of a body, or since a request began."""
    _in_head = True

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The head of the request is too large.")

    def on_message_begin(self) -> None:
        """Note that a request begins. What is raised here or in `on_header` ends the connection with 400."""
        if len(self.pipeline) >= MAX_WAITING_REQUESTS:
            raise ValueError("too many requests wait")
        self._in_head = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; drop a trailer, as RFC 9110 (6.5.1) allows: uvicorn adds it to the headers."""
        if not self._in_head:
            return
        if len(self.headers) >= MAX_HEADERS:
            raise ValueError("too many headers")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Note that the head of a request is whole."""
        self._head_bytes = 0
        self._in_head = False
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        self._head_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that a request is whole."""
        self._head_bytes = 0
        super().on_message_complete()
