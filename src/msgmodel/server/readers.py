"""Who reads which stream in this process, and how many may.

Rule: a reader counts from the moment its request is accepted until its answer has ended, however that happens.
"""

from __future__ import annotations

from collections import Counter

from starlette.types import Scope

from .request_bodies import RequestRefused
from .settings import Settings

ADMITTED = "msgmodel.admitted"
"""In the scope of a request: the streams that it was admitted to read, and for whom."""

_WAIT = {"retry-after": "5"}


class Readers:
    """Counts readers, and refuses one too many."""

    def __init__(self, settings: Settings) -> None:
        self._of_stream: Counter[str] = Counter()
        self._of_client: Counter[str] = Counter()
        self._most_of_stream = settings.max_readers_per_stream
        self._most_of_client = settings.readers_per_client

    def admit(self, scope: Scope, slot: str, client: str) -> None:
        """Count the request as a reader of the stream, once. Raises Refused."""
        admitted: list[tuple[str, str]] = scope[ADMITTED]
        if (slot, client) in admitted:
            return
        if self._of_stream[slot] >= self._most_of_stream:
            words = f"at most {self._most_of_stream} may read one stream at a time"
            raise RequestRefused(429, "too_many_readers", words, _WAIT)
        if self._most_of_client is not None and self._of_client[client] >= self._most_of_client:
            words = f"at most {self._most_of_client} streams may be read at a time"
            raise RequestRefused(429, "too_many_readers", words, _WAIT)
        self._of_stream[slot] += 1
        self._of_client[client] += 1
        admitted.append((slot, client))

    def release(self, scope: Scope) -> None:
        """Count the request no more: it is over."""
        for slot, client in scope.pop(ADMITTED, ()):
            for counter, name in ((self._of_stream, slot), (self._of_client, client)):
                counter[name] -= 1
                if not counter[name]:
                    del counter[name]
