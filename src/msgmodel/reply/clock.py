"""How long a panel waits: for its first text, in a silence, and until its deadline. Pure: the time is passed in.

Rules: only what becomes an event is progress, so comments and pings are not. No wait without progress is longer than
`WaitLimits` say, all attempts and pauses before the first text together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..wires.deltas import Failure

ERROR_BODY_SECONDS = 5.0
"""Maximum seconds to wait for the body of an error: the status is enough, and some servers never end the body."""

SHORTEST_WAIT_SECONDS = 0.001
"""A timeout of 0 would make a socket non-blocking, and a negative one is an error."""

_FOREVER = float("inf")


class WaitLimits(NamedTuple):
    """Seconds that a panel may wait."""

    first_token: float
    """Until the first text."""
    idle: float
    """Of a silence after it."""
    deadline: float | None = None
    """For all of the panel."""


class WaitClock:
    """Measures the waits of one panel. The silence begins with a wait, so a reader that is slow makes none."""

    __slots__ = ("_error_body_ends", "_limits", "_now", "deadline", "progressed", "silence_limit", "silent_since")

    def __init__(self, limits: WaitLimits, now: Callable[[], float]) -> None:
        self._limits = limits
        self._now = now
        self.deadline = None if limits.deadline is None else now() + limits.deadline
        """The time at which the panel must have ended."""
        self.silent_since: float | None = None
        """When the first wait since the last progress began; None until there is one. Progress sets it to None."""
        self.silence_limit = limits.first_token
        """Maximum seconds of the silence now."""
        self.progressed = False
        """Whether this request made progress."""
        self._error_body_ends = _FOREVER

    @property
    def longest_wait(self) -> float:
        """Seconds that no single wait exceeds."""
        return max(self._limits.first_token, self._limits.idle)

    def seconds_to_wait(self) -> float:
        """Return the maximum seconds of the wait that begins now."""
        if self.silent_since is None:
            self.silent_since = self._now()
            if self.deadline is None:
                return self.silence_limit
        return max(SHORTEST_WAIT_SECONDS, self.seconds_until_too_late())

    def seconds_until_too_late(self) -> float:
        """Return the seconds that the wait for the next piece may still take; 0 or less if it took too long."""
        return min(self.seconds_to_timeout(), self.seconds_to_deadline(), self._error_body_ends - self._now())

    def seconds_to_timeout(self) -> float:
        """Return the seconds until the silence is too long."""
        silence = 0.0 if self.silent_since is None else self._now() - self.silent_since
        return self.silence_limit - silence

    def seconds_to_deadline(self) -> float:
        """Return the seconds until the deadline; infinity without one."""
        return _FOREVER if self.deadline is None else self.deadline - self._now()

    def is_too_late(self) -> bool:
        """Return whether the silence took too long, or the deadline has passed."""
        silent = self.silent_since is not None and self.seconds_to_timeout() <= 0
        return silent or (self.deadline is not None and self.seconds_to_deadline() <= 0)

    def note_progress(self) -> None:
        """End the silence."""
        self.silent_since = None
        self.progressed = True
        self.silence_limit = self._limits.idle

    def excuse_wait(self, seconds: float) -> None:
        """A wait that another reply caused does not count as silence of this one."""
        if self.silent_since is not None:
            self.silent_since += seconds

    def expect_request(self, *, after_silence: bool) -> None:
        """Another request follows.

        Args:
            after_silence: Whether the silence before it counts, as it does before a retry. Before another request, it
                was the wait for another response.
        """
        self.progressed = False
        self.silence_limit = self._limits.first_token
        if not after_silence:
            self.silent_since = None

    def expect_error_body(self) -> None:
        """Wait a few seconds at most for what is left of the response."""
        self._error_body_ends = self._now() + ERROR_BODY_SECONDS

    def end_response(self) -> None:
        """Forget the limit of the response's own."""
        self._error_body_ends = _FOREVER

    def timeout_failure(self) -> Failure:
        """Return the verdict on a wait that took too long."""
        if self.seconds_to_deadline() <= 0:
            message = f"not done within the deadline of {self._limits.deadline:g} seconds"
        else:
            message = f"no text for {self.silence_limit:g} seconds"
        return Failure("timeout", message, retryable=True)
