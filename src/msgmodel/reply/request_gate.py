"""Holds the requests of several panels back while a provider asks one of them to wait. Pure: the time is passed in."""

from __future__ import annotations

from collections.abc import Callable


class RequestGate:
    """Closed while a provider wants no requests.

    Args:
        now: Returns the time in seconds.
    """

    __slots__ = ("_now", "_opens_at")

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._opens_at = now()

    def close_for(self, seconds: float) -> None:
        """Let no request pass for so many seconds from now, or for longer if it is closed for longer already."""
        self._opens_at = max(self._opens_at, self._now() + seconds)

    def seconds_until_open(self) -> float:
        """Return the seconds until requests may pass; 0 if they may now."""
        return max(0.0, self._opens_at - self._now())
