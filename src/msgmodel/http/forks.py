"""What a forked process does with the connections that it inherited: it drops its copies, and tells the peer nothing.

Rule: a connection belongs to the process that opened it. A second process that writes to it, reads from it, or shuts
it down takes part in the conversation of the first one.
"""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from typing import Any, Protocol
from weakref import WeakSet

INHERITED = "the process was forked meanwhile, and the reply continues in the parent"


class Holder(Protocol):
    """Something that holds connections, or locks that a thread of the parent may have held."""

    def forget(self) -> None:
        """Drop what was inherited. Called once, in the forked process, before it uses the holder."""


_holders: WeakSet[Any] = WeakSet()
_process = os.getpid()
_lock = threading.Lock()


def register(holder: Holder) -> None:
    """Tell the holder to forget when the process is forked. It is not kept alive."""
    _holders.add(holder)


def forget_inherited() -> None:
    """Drop what was inherited, if this process is not the one that opened it.

    Python calls this in the child of `os.fork`. A server in C may fork without telling Python (uWSGI does by default),
    so pools call it too before they are used.
    """
    global _process
    if _process == os.getpid():
        return
    with _lock:
        if _process != os.getpid():
            for holder in list(_holders):
                holder.forget()
            _process = os.getpid()


def cut_off(channel: Any) -> None:
    """Close this process's copy of a socket, and put one in its place whose other end is closed.

    After a close alone another file could get its number, and TLS, an event loop or an HTTP library would use that one.
    What they do with the replacement fails at once, and nothing of it reaches the peer: no shutdown, no close_notify of
    TLS. (A socket that was never connected won't do: after ENOTCONN, OpenSSL tries again.)
    """
    with suppress(AttributeError, OSError, ValueError):  # there is no socket, or it is closed
        number = channel.fileno()
        if number >= 0:
            ended, other = socket.socketpair()
            with ended, other:
                os.dup2(ended.fileno(), number, inheritable=False)


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()  # a thread that does not exist here may have held it
    forget_inherited()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
