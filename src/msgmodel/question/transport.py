"""The seam between the pure core and I/O: an HTTP request as data, and the protocols that a transport implements.

Rule: a transport moves bytes and reports faults as `ConnectionBroken`. It decides nothing: retries and endings are the
exchange's decisions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from ..errors import ConfigurationError
from ..events import ErrorCode
from .lenient_json import loses_surrogates, mend_all_surrogates
from .question import _MARK, Attachment


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One HTTP request, nearly always a POST of JSON. The key is in the headers, so its repr shows neither them nor the
    body."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    pieces: tuple[bytes, ...] = field(repr=False)
    """The body. Every second piece is the data of a file, which all requests that carry the file share."""
    stored: bool | None = None
    """The value of the provider's storage switch in the body; None where it has none."""
    method: str = "POST"
    """Only the transports over httpx2 send another one."""
    fields: tuple[str, ...] = ()
    """The names of the fields of the body."""
    loses_text: bool = False
    """Whether half a surrogate pair was replaced in the body, because JSON in UTF-8 can't hold it."""

    @classmethod
    def post(
        cls, url: str, headers: Mapping[str, str], payload: Mapping[str, Any], files: Sequence[Attachment] = ()
    ) -> HttpRequest:
        """Return the request with its body encoded.

        Args:
            url: The address.
            headers: The headers of this request, with the key.
            payload: The body before it is encoded as JSON.
            files: The files whose placeholders are in the payload.

        Raises:
            ConfigurationError: JSON can't hold a value of the payload.
        """
        loses_text = False
        try:
            try:
                body = msgspec.json.encode(payload)
            except UnicodeEncodeError:
                loses_text = loses_surrogates(payload)
                body = msgspec.json.encode(mend_all_surrogates(payload))
        except (TypeError, ValueError, RecursionError) as error:
            raise ConfigurationError(f"the request can't be written as JSON: {error}") from None
        pieces = body.split(_MARK) if files else [body]
        by_id = {b"%x" % id(file): file for file in files}
        for number in range(1, len(pieces), 2):
            id_of_file, _, way = pieces[number].partition(b" ")
            pieces[number] = by_id[id_of_file].encode_for_json(way.decode())
        return cls(url, headers, tuple(pieces), payload.get("store"), fields=tuple(payload), loses_text=loses_text)

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def text_characters(self) -> int:
        """The number of characters in the body, without the data of files."""
        return sum(len(piece.decode()) for piece in self.pieces[::2])


class ConnectionBroken(Exception):
    """A request or a response broke; raised by a transport. The message is safe to show."""

    def __init__(self, code: ErrorCode, message: str, *, retryable: bool = True) -> None:
        super().__init__(message)
        self.code: ErrorCode = code
        self.message = message
        self.retryable = retryable
        """False if the same request would fail again, although failures with this code often pass."""


class OpenResponse(Protocol):
    """An open response. `read` waits at most so many seconds for bytes; it returns b"" at the end of the body."""

    status: int
    headers: Mapping[str, str]

    def read(self, seconds_to_wait: float) -> bytes: ...


class AsyncOpenResponse(Protocol):
    """The same for asyncio."""

    status: int
    headers: Mapping[str, str]

    async def read(self, seconds_to_wait: float) -> bytes: ...


class Transport(Protocol):
    """Opens responses. `open`, and `read` of the response, raise ConnectionBroken.

    `seconds_to_wait`: maximum seconds until the response begins. `longest_wait`: the longest wait of a later `read`, in
    seconds.
    """

    def open(
        self, request: HttpRequest, seconds_to_wait: float, longest_wait: float
    ) -> AbstractContextManager[OpenResponse]: ...


class AsyncTransport(Protocol):
    """The same for asyncio."""

    def open(
        self, request: HttpRequest, seconds_to_wait: float, longest_wait: float
    ) -> AbstractAsyncContextManager[AsyncOpenResponse]: ...


class ConnectionPool(Transport):
    """A pool of connections for blocking calls, which its owner closes."""

    def close(self) -> None:
        """Close all connections, also those from which a reply is being read."""
