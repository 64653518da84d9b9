"""The names of streams, and positions in them.

Rules: no two streams have the same name, so a position is valid only in the stream that it was read from. A stream with
an `Idempotency-Key` is kept under a digest of the key, which is the same after a restart; its name has a random part,
too. A position is the number of an event, after `STREAM:` if the address of the request does not name the stream.
"""

from __future__ import annotations

import re
from secrets import token_urlsafe
from typing import NamedTuple

from starlette.requests import Request

from .log import StreamHeader
from .request_bodies import RequestRefused

_POSITION = re.compile(r"(?:([A-Za-z0-9_.-]{1,64}):)?([0-9]{1,16})")


class Position(NamedTuple):
    """The last event that a client has."""

    stream: str
    """The name of its stream; "" if the client sent only a number."""
    number: int


def new_id() -> str:
    """Return 144 random bits as the name of a stream."""
    return token_urlsafe(18)


def stream_name(slot: str, head: StreamHeader) -> str:
    """Return the name of the stream that the log keeps under this id."""
    return f"{slot}.{head.instance}" if head.instance else slot


def slot_of(name: str) -> tuple[str, str]:
    """Return the id under which the log keeps a stream of this name, and its instance there."""
    slot, _, instance = name.partition(".")
    return slot, instance


def read_position(request: Request) -> Position | None:
    """Return the last event that the client has, None if it has none. Raise RequestRefused if it is malformed."""
    given = request.headers.get("last-event-id") or request.query_params.get("last_event_id")
    if not given:
        return None
    found = _POSITION.fullmatch(given)
    if found is None:
        raise RequestRefused(400, "invalid_request", "last-event-id must be the number of an event, or STREAM:NUMBER")
    return Position(found[1] or "", int(found[2]))
