"""Tries a function of yours again after a transient failure. What it calls may be any of ours, or somebody else's.

The functions of this library try again by themselves (`max_retries`); this is for more than one call, or more patience.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from functools import wraps
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
    """Whether the same request may succeed a little later, by the HTTP status of its answer."""
    return status_code in TRANSIENT_STATUSES


def calculate_backoff(
    attempt: int, backoff_factor: float = 1.0, max_backoff: float = 60.0, jitter: bool = True
) -> float:
    """Seconds to wait after the attempt of this number, from 0; `jitter` scatters them by half."""
    seconds = float(min(backoff_factor * 2**attempt, max_backoff))
    return seconds * (0.5 + random.random()) if jitter else seconds  # noqa: S311 (no secret)


def retry_on_transient_error(
    max_retries: int = 3,
    backoff_factor: float = 1.0,
    max_backoff: float = 60.0,
    retryable_exceptions: tuple[type[Exception], ...] = DEFAULT_RETRYABLE_EXCEPTIONS,
    on_retry: OnRetry | None = None,
) -> Callable[[F], F]:
    """A decorator for functions: plain, async, or plain and returning what is to be awaited, as `aquery` is.

    The last failure is raised as it came.

    Tried again is after one of `retryable_exceptions`, and after a ReplyError that says `retryable`.
    backoff_factor: seconds before the first retry, doubled each time up to `max_backoff`, and scattered by half of it;
    at least `retry_after` where the failure says so. on_retry: called before each pause with the exception, the number
    of the attempt from 0, and the seconds.
    """

    def pause(error: Exception, attempt: int) -> float:
        """Seconds; raises the error itself where it is not to be tried again."""
        transient = isinstance(error, retryable_exceptions) or (isinstance(error, ReplyError) and error.retryable)
        if not transient or attempt >= max_retries:
            raise error
        seconds = calculate_backoff(attempt, backoff_factor, max_backoff)
        if isinstance(error, ReplyError) and error.retry_after:
            seconds = max(seconds, error.retry_after)
        if on_retry is not None:
            on_retry(error, attempt, seconds)
        return seconds

    def decorator(function: F) -> F:
        @wraps(function)
        def again(*args: Any, **kwargs: Any) -> Any:
            attempt = 0
            while True:
                try:
                    made = function(*args, **kwargs)
                except Exception as error:
                    seconds = pause(error, attempt)
                else:
                    return awaited(made, attempt, args, kwargs) if isawaitable(made) else made
                time.sleep(seconds)
                attempt += 1

        @wraps(function)
        async def async_again(*args: Any, **kwargs: Any) -> Any:
            return await awaited(function(*args, **kwargs), 0, args, kwargs)

        async def awaited(made: Any, attempt: int, args: Any, kwargs: Any) -> Any:
            """The result of what a call returned, or of what the next call returns."""
            while True:
                try:
                    return await (function(*args, **kwargs) if made is None else made)
                except Exception as error:
                    seconds = pause(error, attempt)
                await asyncio.sleep(seconds)
                made, attempt = None, attempt + 1

        return cast(F, async_again if iscoroutinefunction(function) else again)

    return decorator


class RetryConfig:
    """The arguments of `retry_on_transient_error`, to be kept and used many times."""

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
        """The decorator with these arguments."""
        return retry_on_transient_error(
            self.max_retries, self.backoff_factor, self.max_backoff, self.retryable_exceptions
        )


RETRY_DEFAULT: Final = RetryConfig()
RETRY_AGGRESSIVE: Final = RetryConfig(max_retries=5, backoff_factor=0.5, max_backoff=30.0)
RETRY_CONSERVATIVE: Final = RetryConfig(max_retries=3, backoff_factor=2.0, max_backoff=120.0)
