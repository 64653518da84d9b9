"""Retries any function of yours after a transient failure.

The functions of this library already retry each request (`max_retries`). This module is for several calls together, or
for longer waits.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, wraps
from inspect import isawaitable, iscoroutinefunction
from typing import Any, Final, TypeVar, cast

from ..errors import TRANSIENT_STATUSES, APIError, RateLimitError, ReplyError, ServiceUnavailableError

__all__ = [
    "DEFAULT_RETRYABLE_EXCEPTIONS",
    "RETRY_AGGRESSIVE",
    "RETRY_CONSERVATIVE",
    "RETRY_DEFAULT",
    "APIError",
    "RateLimitError",
    "RetryConfig",
    "ServiceUnavailableError",
    "calculate_backoff",
    "is_retryable_status_code",
    "retry_on_transient_error",
]

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_RETRYABLE_EXCEPTIONS: Final[tuple[type[Exception], ...]] = (
    ConnectionError,
    TimeoutError,
    RateLimitError,
    ServiceUnavailableError,
)
OnRetry = Callable[[Exception, int, float], object]


def is_retryable_status_code(status_code: int | None) -> bool:
    """Return whether the same request may succeed a little later, judged by the HTTP status of its response."""
    return status_code in TRANSIENT_STATUSES


def calculate_backoff(
    attempt: int, backoff_factor: float = 1.0, max_backoff: float = 60.0, jitter: bool = True
) -> float:
    """Return the seconds to wait after the attempt with this number, from 0. `jitter` scatters them by half."""
    seconds = float(min(backoff_factor * 2**attempt, max_backoff))
    return seconds * (0.5 + random.random()) if jitter else seconds  # noqa: S311 (no secret)


def retry_on_transient_error(
    max_retries: int = 3,
    backoff_factor: float = 1.0,
    max_backoff: float = 60.0,
    retryable_exceptions: tuple[type[Exception], ...] = DEFAULT_RETRYABLE_EXCEPTIONS,
    on_retry: OnRetry | None = None,
) -> Callable[[F], F]:
    """Return a decorator that calls a function again after a transient failure, and raises the last failure unchanged.

    The function may be plain, async, or plain and return an awaitable, as `aquery` does.

    Args:
        max_retries: Maximum retries after the first call.
        backoff_factor: Seconds before the first retry. They double each time, and are scattered by half. A longer
            `retry_after` of the failure takes precedence.
        max_backoff: Maximum seconds before a retry, before they are scattered.
        retryable_exceptions: Exceptions after which to try again, besides a ReplyError that is `retryable`.
        on_retry: Called before each pause with the exception, the number of the attempt from 0, and the seconds.
    """
    retries = _Retries(max_retries, backoff_factor, max_backoff, retryable_exceptions, on_retry)

    def decorate(function: F) -> F:
        @wraps(function)
        def with_retries(*args: Any, **kwargs: Any) -> Any:
            return retries.call_repeatedly(partial(function, *args, **kwargs))

        @wraps(function)
        async def async_with_retries(*args: Any, **kwargs: Any) -> Any:
            call = partial(function, *args, **kwargs)
            return await retries.await_repeatedly(call, call(), 0)

        return cast(F, async_with_retries if iscoroutinefunction(function) else with_retries)

    return decorate


@dataclass(frozen=True, slots=True)
class _Retries:
    max_retries: int
    backoff_factor: float
    max_backoff: float
    retryable_exceptions: tuple[type[Exception], ...]
    on_retry: OnRetry | None

    def seconds_to_pause(self, error: Exception, attempt: int) -> float:
        """Return the seconds before the next attempt. Raise the error itself if there is none."""
        reply_error = error if isinstance(error, ReplyError) else None
        transient = isinstance(error, self.retryable_exceptions) or (reply_error is not None and reply_error.retryable)
        if not transient or attempt >= self.max_retries:
            raise error
        seconds = calculate_backoff(attempt, self.backoff_factor, self.max_backoff)
        if reply_error is not None and reply_error.retry_after:
            seconds = max(seconds, reply_error.retry_after)
        if self.on_retry is not None:
            self.on_retry(error, attempt, seconds)
        return seconds

    def call_repeatedly(self, call: Callable[[], Any]) -> Any:
        """Return the result of the first call that succeeds. An awaitable result is retried when it is awaited."""
        attempt = 0
        while True:
            try:
                result = call()
            except Exception as error:
                seconds = self.seconds_to_pause(error, attempt)
            else:
                return self.await_repeatedly(call, result, attempt) if isawaitable(result) else result
            time.sleep(seconds)
            attempt += 1

    async def await_repeatedly(self, call: Callable[[], Any], awaitable: Any, attempt: int) -> Any:
        """Await what the first call returned. After a transient failure, call and await again."""
        while True:
            try:
                return await (call() if awaitable is None else awaitable)
            except Exception as error:
                seconds = self.seconds_to_pause(error, attempt)
            await asyncio.sleep(seconds)
            awaitable, attempt = None, attempt + 1


class RetryConfig:
    """The arguments of `retry_on_transient_error`, to use them several times."""

    def __init__(
        self,
        max_retries: int = 3,
        backoff_factor: float = 1.0,
        max_backoff: float = 60.0,
        retryable_exceptions: tuple[type[Exception], ...] = DEFAULT_RETRYABLE_EXCEPTIONS,
    ) -> None:
        self.max_retries = max_retries
        self.backoff_factor = backoff_factor
        self.max_backoff = max_backoff
        self.retryable_exceptions = retryable_exceptions

    def decorator(self) -> Callable[[F], F]:
        """Return the decorator with these arguments."""
        return retry_on_transient_error(
            self.max_retries, self.backoff_factor, self.max_backoff, self.retryable_exceptions
        )


RETRY_DEFAULT: Final = RetryConfig()
RETRY_AGGRESSIVE: Final = RetryConfig(max_retries=5, backoff_factor=0.5, max_backoff=30.0)
RETRY_CONSERVATIVE: Final = RetryConfig(max_retries=3, backoff_factor=2.0, max_backoff=120.0)
