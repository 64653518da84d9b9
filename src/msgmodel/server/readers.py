"""Counts the readers of each stream and of each client in this process, and enforces their limits.

Rule: a reader counts from the moment its request is accepted until its response has ended, for whatever reason.
"""

from __future__ import annotations

from collections import Counter

from starlette.types import Scope

from .request_bodies import RequestRefused
from .settings import Settings

ADMITTED_READERS = "msgmodel.admitted"
"""The key in a request's scope for the streams that the request reads, each with its client."""

_WAIT_HEADERS = {"retry-after": "5"}


class StreamReaders:
    """Counts readers, and refuses one that exceeds a limit."""

    def __init__(self, settings: Settings) -> None:
        self._of_stream: Counter[str] = Counter()
        self._of_client: Counter[str] = Counter()
        self._most_of_stream = settings.max_readers_per_stream
        self._most_of_client = settings.readers_per_client

    def admit_reader(self, scope: Scope, slot: str, client: str) -> None:
        """Count the request as a reader of the stream, once.

        Args:
            scope: The scope of the request.
            slot: The id under which the log keeps the stream.
            client: A token's owner, or an address.

        Raises:
            RequestRefused: The stream or the client has too many readers.
        """
        admitted: list[tuple[str, str]] = scope[ADMITTED_READERS]
        if (slot, client) in admitted:
            return
        if self._of_stream[slot] >= self._most_of_stream:
            words = f"a stream may have at most {self._most_of_stream} readers at a time"
            raise RequestRefused(429, "too_many_readers", words, _WAIT_HEADERS)
        if self._most_of_client is not None and self._of_client[client] >= self._most_of_client:
            words = f"a client may read at most {self._most_of_client} streams at a time"
            raise RequestRefused(429, "too_many_readers", words, _WAIT_HEADERS)
        self._of_stream[slot] += 1
        self._of_client[client] += 1
        admitted.append((slot, client))

    def release_reader(self, scope: Scope) -> None:
        """Stop counting the request, which is over."""
        for slot, client in scope.pop(ADMITTED_READERS, ()):
            for counter, name in ((self._of_stream, slot), (self._of_client, client)):
                counter[name] -= 1
                if not counter[name]:
                    del counter[name]
