"""TODO"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from ..errors import ConfigurationError
from ..events import ErrorCode
from .question import _MARK, Attachment


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One HTTP POST of JSON. The key is in the headers, so its repr shows neither them nor the body."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    pieces: tuple[bytes, ...] = field(repr=False)
    """The body. Every second piece is a file's, and belongs to all requests that carry it."""
    stored: bool | None = None
    """The value of the provider's storage switch in the body; None where it has none."""

    @classmethod
    def post(
        cls, url: str, headers: Mapping[str, str], payload: Mapping[str, Any], files: Sequence[Attachment] = ()
    ) -> HttpRequest:
        """Return the request. files: those whose places are in the payload.

        Raises ConfigurationError for what JSON can't hold.
        """
        try:
            body = msgspec.json.encode(payload)
        except (TypeError, ValueError, RecursionError) as error:
            raise ConfigurationError(f"the request can't be written as JSON: {error}") from None
        pieces = body.split(_MARK) if files else [body]
        by_id = {b"%x" % id(file): file for file in files}
        for number in range(1, len(pieces), 2):
            id_of_file, _, way = pieces[number].partition(b" ")
            pieces[number] = by_id[id_of_file].encoded(way.decode())
        return cls(url, headers, tuple(pieces), payload.get("store"))

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def text_characters(self) -> int:
        """How many characters the body has without what it has of files."""
        return sum(len(piece.decode()) for piece in self.pieces[::2])


class ConnectionBroken(Exception):
    """What an I/O layer raises when a request or a response breaks. The message is safe to show."""

    def __init__(self, code: ErrorCode, message: str, *, retryable: bool = True) -> None:
        super().__init__(message)
        self.code: ErrorCode = code
        self.message = message
        self.retryable = retryable
        """False if the same request would fail again, although its code is one that often passes."""


class OpenResponse(Protocol):
    """An open response. `read` waits at most so many seconds for bytes; b"" is the end of the body."""

    status: int
    headers: Mapping[str, str]

    def read(self, patience: float) -> bytes: ...


class AsyncOpenResponse(Protocol):
    """The same for asyncio."""

    status: int
    headers: Mapping[str, str]

    async def read(self, patience: float) -> bytes: ...


class Transport(Protocol):
    """`patience`: seconds until the response must begin; `silence`: the longest that any later read may be asked to
    wait. Raises Broken, also from `read`."""

    def open(self, request: HttpRequest, patience: float, silence: float) -> AbstractContextManager[OpenResponse]: ...


class AsyncTransport(Protocol):
    """The same for asyncio."""

    def open(
        self, request: HttpRequest, patience: float, silence: float
    ) -> AbstractAsyncContextManager[AsyncOpenResponse]: ...


class ConnectionPool(Transport):
    """Connections for blocking calls that are ours to close."""

    def close(self) -> None:
        """Closes all of them, also those that a reply is being read from."""
