"""Connects to a host that has several addresses, in both colors: "happy eyeballs" (RFC 8305).

An address that does not answer must not use up the time for the others. `socket.create_connection` gives each of them
the whole time, uvloop tries one after the other, and asyncio forgets an open socket if it is cancelled as one connects.
"""

from __future__ import annotations

import asyncio
import errno
import os
import selectors
import socket
from functools import partial
from time import monotonic
from typing import Any, cast

from .connection_limits import EYEBALLS_SECONDS

_UNDER_WAY = (0, errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EINTR)


def connect_first_answering(host: str, port: int, seconds: float) -> socket.socket:
    """Return a connection to the first address of a host that takes one.

    Args:
        host: A name or an address.
        port: The port.
        seconds: The limit for all addresses together.

    Raises:
        OSError: The last fault, if no address takes one; TimeoutError after so many seconds.
    """
    until = monotonic() + seconds
    places = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    fault: OSError | None = None
    with selectors.DefaultSelector() as trying:
        try:
            while places or trying.get_map():
                if places:
                    family, kind, protocol, _, place = places.pop(0)
                    fault = _begin_connecting(trying, (family, kind, protocol), place)
                    if fault is not None:
                        continue
                left = until - monotonic()
                if left <= 0:
                    raise TimeoutError
                channel, fault = _next_connected(trying, min(left, EYEBALLS_SECONDS) if places else left, fault)
                if channel is not None:
                    channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    channel.settimeout(max(0.001, until - monotonic()))
                    return channel
        finally:
            for key in list(trying.get_map().values()):
                cast(socket.socket, key.fileobj).close()
    raise fault or OSError("the host has no address")


def _begin_connecting(
    trying: selectors.BaseSelector, family_kind_protocol: tuple[int, int, int], place: Any
) -> OSError | None:
    """Begin to connect to one address, and let the selector wait for it; return what is wrong with it at once."""
    try:
        channel = socket.socket(*family_kind_protocol)
    except OSError as error:  # this machine has no such family
        return error
    trying.register(channel, selectors.EVENT_WRITE)
    channel.setblocking(False)
    number = channel.connect_ex(place)
    if number in _UNDER_WAY:
        return None
    trying.unregister(channel)
    channel.close()
    return OSError(number, os.strerror(number))


def _next_connected(
    trying: selectors.BaseSelector, seconds: float, fault: OSError | None
) -> tuple[socket.socket | None, OSError | None]:
    """Wait for an attempt to end; return the connection, if there is one, and the last fault."""
    for key, _ in trying.select(seconds):
        channel = cast(socket.socket, key.fileobj)
        trying.unregister(channel)
        number = channel.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if not number:
            return channel, None
        channel.close()
        fault = OSError(number, os.strerror(number))
    return None, fault


async def connect_first_answering_on_loop(host: str, port: int) -> socket.socket:
    """The same for asyncio; the caller sets the limit of time."""
    loop = asyncio.get_running_loop()
    try:
        # A number needs no lookup, and so no thread.
        places = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        places = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    fault: OSError | None = None
    trying: dict[asyncio.Task[OSError | None], socket.socket] = {}
    try:
        while places or trying:
            if places:
                family, kind, protocol, _, place = places.pop(0)
                try:
                    channel = socket.socket(family, kind, protocol)
                except OSError as error:  # this machine has no such family
                    fault = error
                    continue
                channel.setblocking(False)
                trying[loop.create_task(_fault_of_connecting(channel, place))] = channel
            wait = EYEBALLS_SECONDS if places else None
            done, _ = await asyncio.wait(trying, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                fault = task.result()
                channel = trying.pop(task)
                if fault is None:
                    return channel
                channel.close()
    finally:
        for task, channel in trying.items():
            task.add_done_callback(partial(_close_socket, channel))
            task.cancel()
    raise fault or OSError("the host has no address")


async def _fault_of_connecting(channel: socket.socket, place: Any) -> OSError | None:
    try:
        await asyncio.get_running_loop().sock_connect(channel, place)
    except OSError as error:
        return error
    return None


def _close_socket(channel: socket.socket, _: object) -> None:
    channel.close()
