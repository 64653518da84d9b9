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
"""When the next address of a host is tried beside one that does not answer (RFC 8305, section 8)."""
DRAIN_SECONDS = 0.1
"""How long to wait for the end of a body whose last event has been read, so that the connection can be used again."""
IDLE_SECONDS = 30.0
"""How long a connection that nobody uses is kept."""
IDLE_CONNECTIONS = 100
HEAD_BYTES = 256 * 1024
"""What the head of an answer may have, with all interim answers before it."""
INTERIM_ANSWERS = 100
"""How many 1xx answers may come before the answer. Some servers send one every few seconds while they work."""


def has_input(channel: Any) -> bool:
    """Whether there is something to read on the socket of an idle connection: its end."""
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(channel, selectors.EVENT_READ)
            return bool(selector.select(0))
    except (OSError, ValueError):
        return True
