"""Transports that call the caller's function for a key before each request.

Rule: no local variable holds a key while an exception may leave its frame, because error reporters show them.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import replace
from inspect import isawaitable, iscoroutine
from time import monotonic
from typing import Any

from ..question.key_source import KeySource
from ..question.transport import (
    AsyncOpenResponse,
    AsyncTransport,
    ConnectionBroken,
    HttpRequest,
    OpenResponse,
    Transport,
)

_LEAST_SECONDS_TO_WAIT = 0.001


class KeyedTransport:
    """Asks for a key, then opens the response over another transport."""

    def __init__(self, transport: Transport, keys: KeySource) -> None:
        self._transport, self._keys = transport, keys

    def open(
        self, request: HttpRequest, seconds_to_wait: float, longest_wait: float
    ) -> AbstractContextManager[OpenResponse]:
        """Ask for the key, and open the response. The function's time counts as waiting."""
        begin = monotonic()
        try:
            request = _request_with_key(request, self._keys, _call_function(self._keys))
        except ConnectionBroken:
            raise
        except Exception as error:
            raise _function_failed(error) from error
        return self._transport.open(
            request, max(_LEAST_SECONDS_TO_WAIT, seconds_to_wait - (monotonic() - begin)), longest_wait
        )


class AsyncKeyedTransport:
    """The same for asyncio. A plain function runs in a thread, because it may wait for a token server."""

    def __init__(self, transport: AsyncTransport, keys: KeySource) -> None:
        self._transport, self._keys = transport, keys

    def open(
        self, request: HttpRequest, seconds_to_wait: float, longest_wait: float
    ) -> AbstractAsyncContextManager[AsyncOpenResponse]:
        """Return the context that asks for the key and opens the response."""
        return _KeyedOpen(self._transport, self._keys, request, seconds_to_wait, longest_wait)


class _KeyedOpen:
    """A class, not a generator: a loop that ends closes all generators at once, so one must not wait for another."""

    def __init__(
        self,
        transport: AsyncTransport,
        keys: KeySource,
        request: HttpRequest,
        seconds_to_wait: float,
        longest_wait: float,
    ) -> None:
        self._transport, self._keys = transport, keys
        self._request, self._seconds_to_wait, self._longest_wait = request, seconds_to_wait, longest_wait

    async def __aenter__(self) -> AsyncOpenResponse:
        begin = monotonic()
        reading = asyncio.timeout(self._seconds_to_wait)
        try:
            async with reading:
                request = _request_with_key(self._request, self._keys, await _await_function(self._keys))
        except ConnectionBroken:
            raise
        except Exception as error:
            if reading.expired():
                raise ConnectionBroken("timeout", f"no key within {self._seconds_to_wait:g} seconds") from None
            raise _function_failed(error) from error
        seconds_to_wait = max(_LEAST_SECONDS_TO_WAIT, self._seconds_to_wait - (monotonic() - begin))
        self._opened = self._transport.open(request, seconds_to_wait, self._longest_wait)
        return await self._opened.__aenter__()

    async def __aexit__(self, *exc_info: Any) -> None:
        await self._opened.__aexit__(*exc_info)


def _call_function(keys: KeySource) -> object:
    returned: Any = keys.function()
    if iscoroutine(returned):
        returned.close()  # otherwise Python warns that it was never awaited
    return returned


async def _await_function(keys: KeySource) -> object:
    function: Any = keys.function
    returned = function() if keys.is_async else await asyncio.to_thread(function)
    return await returned if isawaitable(returned) else returned


def _request_with_key(request: HttpRequest, keys: KeySource, returned: object) -> HttpRequest:
    header = keys.read_header(returned)
    if not header:
        kind = type(returned).__name__
        del returned
        what = "a string that no header can carry" if kind == "str" else kind
        message = f"the function in api_key must return a key, not {what}"
        raise ConnectionBroken("authentication", message, retryable=False)
    return replace(request, headers={**header, **request.headers})  # a header in the config takes precedence


def _function_failed(error: Exception) -> ConnectionBroken:
    """Return the fault to report for an exception of the function. Its message may hold a secret."""
    return ConnectionBroken("authentication", f"the function in api_key raised {type(error).__name__}", retryable=False)
