"""A script: the exact bytes and faults of one HTTP response, step by step. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal, Self, TypeAlias

ENDLESS = 1 << 40
"""The Content-Length of a body that never ends."""


@dataclass(frozen=True)
class Send:
    """Write these bytes at once: one write, and one chunk when the framing is chunked."""

    data: bytes


@dataclass(frozen=True)
class Pause:
    """Stay silent for some seconds, then continue."""

    seconds: float


@dataclass(frozen=True)
class Stall:
    """Hold the connection open and silent until the client hangs up or the server closes."""


@dataclass(frozen=True)
class Repeat:
    """Send the same bytes at an interval forever, as a provider that only pings."""

    data: bytes
    every_seconds: float


@dataclass(frozen=True)
class Flood:
    """Send the same bytes forever, as fast as the client reads them."""

    data: bytes


@dataclass(frozen=True)
class Reset:
    """Close with RST. Linux still delivers what was sent before; on other systems put a Pause first."""


@dataclass(frozen=True)
class Cut:
    """Close with FIN before the body is complete: no last chunk, or Content-Length not reached."""


@dataclass(frozen=True)
class End:
    """End the body as its framing requires. Implied after the last step."""


Step: TypeAlias = Send | Pause | Stall | Repeat | Flood | Reset | Cut | End
Framing: TypeAlias = Literal["chunked", "length", "close"]


def _event_stream() -> dict[str, str]:
    return {"content-type": "text/event-stream"}


@dataclass(frozen=True)
class Script:
    """One response. Framing "close" means neither chunks nor length: only the FIN ends the body."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=_event_stream)
    framing: Framing = "chunked"
    steps: tuple[Step, ...] = ()
    keep_alive: bool = True
    stall_before_headers: bool = False
    close_before_headers: bool = False

    @classmethod
    def body(
        cls,
        data: bytes,
        pieces: int | list[int] | None = None,
        framing: Framing = "chunked",
    ) -> Self:
        """Return a complete response: the data in one piece, in pieces of n bytes, or split at offsets."""
        return cls(framing=framing, steps=tuple(Send(piece) for piece in split_body(data, pieces)))

    @classmethod
    def json(cls, status: int, obj: object, headers: Mapping[str, str] | None = None) -> Self:
        """Return a complete response that is one JSON document, as providers send their errors."""
        return cls(
            status=status,
            headers={"content-type": "application/json", **(headers or {})},
            framing="length",
            steps=(Send(json.dumps(obj, ensure_ascii=False).encode()),),
        )

    def head(self, *, stays: bool) -> bytes:
        """Return the status line and the headers; a header of the script wins over the computed one."""
        headers = {"connection": "keep-alive" if stays else "close"}
        if self.framing == "chunked":
            headers["transfer-encoding"] = "chunked"
        elif self.framing == "length":
            headers["content-length"] = str(self._promised_length())
        headers.update((name.lower(), value) for name, value in self.headers.items())
        lines = [f"HTTP/1.1 {self.status} {_reason_phrase(self.status)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def frame(self, data: bytes) -> bytes:
        """Return the data with the framing of the body."""
        if self.framing == "chunked" and data:
            return b"%x\r\n%b\r\n" % (len(data), data)
        return data  # an empty chunk would end the body

    def last_frame(self) -> bytes:
        """Return the bytes that end the body."""
        return b"0\r\n\r\n" if self.framing == "chunked" else b""

    def _promised_length(self) -> int:
        """Return the length of all Sends; more if the steps end before the body is complete."""
        length = 0
        for step in self.steps:
            match step:
                case Send(data):
                    length += len(data)
                case Repeat() | Flood():
                    return ENDLESS
                case Stall() | Reset() | Cut():
                    return length + 1
                case End():
                    break
        return length


def split_body(data: bytes, pieces: int | Sequence[int] | None) -> list[bytes]:
    """Return the data in one piece, in pieces of n bytes, or split at offsets."""
    if pieces is None:
        offsets: Sequence[int] = ()
    elif isinstance(pieces, int):
        offsets = range(pieces, len(data), pieces)
    else:
        offsets = sorted(pieces)
    return [data[a:b] for a, b in zip([0, *offsets], [*offsets, len(data)], strict=True)]


@dataclass(frozen=True)
class Received:
    """A request as received. Header names are lower case; `path` includes the query."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def _reason_phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:  # 529 is Anthropic's own
        return "Unknown"
