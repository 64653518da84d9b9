"""The limits of every HTTP transport in seconds, bytes and connections.

Rules that all transports keep: every fault is a `ConnectionBroken`, whose message names the host and no other part of
the URL. Leaving a response before the end of its body closes the connection at once; after the end, the connection
returns to the pool. Redirects are not followed, because they would carry the key to another host. A pool keeps no
cookies, because it serves many users.
"""

from __future__ import annotations

import selectors
from typing import Any

CONNECT_SECONDS = 10.0
EYEBALLS_SECONDS = 0.25
"""How long to wait for one address of a host before trying the next one too (RFC 8305, section 8)."""
DRAIN_SECONDS = 0.1
"""How long to wait for the end of a body whose last event has been read, so that the connection can be used again."""
IDLE_SECONDS = 30.0
"""How long an idle connection is kept."""
IDLE_CONNECTIONS = 100
HEAD_BYTES = 256 * 1024
"""Maximum size of the head of an answer, with all interim answers before it."""
FRAMING_BYTES = 64 * 1024
"""How many bytes of framing may follow one another without any of the body: extensions of a chunk, trailers. It bounds
what the parser keeps of a line that never ends, and the time that it needs to put such a line together."""
INTERIM_ANSWERS = 100
"""Maximum number of 1xx answers before the answer. Some servers send one every few seconds while they work."""


def has_input(channel: Any) -> bool:
    """Return whether there is something to read on the socket of an idle connection, which can only be its end."""
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(channel, selectors.EVENT_READ)
            return bool(selector.select(0))
    except (OSError, ValueError):
        return True
