"""Explains the faults of Redis to the operator of the server.

Rule: of an error of Redis, only the code is repeated, because its text may quote a command. Of the address, only host
and port are repeated, because it may contain a password.
"""

from __future__ import annotations

import asyncio
import logging
from time import monotonic

from redis.exceptions import AuthenticationError, AuthenticationWrongNumberOfArgsError, RedisError, ResponseError

_log = logging.getLogger("msgmodel.server")

REDIS_FAULTS = (RedisError, OSError, asyncio.TimeoutError)
"""Exceptions of a call to Redis."""

LOG_AGAIN_SECONDS = 60.0
"""The same fault is logged again after so long."""

_MEANINGS = {
    "WRONGPASS": "it does not accept the user or the password: check --redis, or MSGMODEL_REDIS",
    "NOAUTH": "it wants a password, and the address has none: redis://:PASSWORD@HOST",
    "NOPERM": "its user may not do what streams need (ACL)",
    "READONLY": "it is a read-only replica: name its primary",
    "NOREPLICAS": "it has too few replicas to be written (min-replicas-to-write)",
    "OOM": "it is full (maxmemory): give it more, or keep streams for less time (--ttl)",
    "MISCONF": "it can't save to its disk, and so refuses to be written",
    "LOADING": "it is still loading what it had saved",
    "BUSY": "it is busy with a script",
    "MASTERDOWN": "it is a replica without its primary",
    "CLUSTERDOWN": "it is a cluster that is down",
    "TRYAGAIN": "it is a cluster that moves keys",
    "MOVED": "it is a cluster: name a Redis that is none",
    "CROSSSLOT": "it is a cluster: name a Redis that is none",
}
"""Codes of errors, from the source of Redis 7 (`shared` in server.c); its documentation has no list of them."""

_PASSING = frozenset(_MEANINGS) - {"MOVED", "CROSSSLOT"}


def fault_code(error: BaseException) -> str:
    """Return the code of an error that Redis returned; "" if Redis did not answer."""
    code = getattr(error, "status_code", None)
    if not code and isinstance(error, (AuthenticationError, AuthenticationWrongNumberOfArgsError)):
        code = "NOAUTH" if "without any password" in str(error) or "required" in str(error).lower() else "WRONGPASS"
    if not code and isinstance(error, ResponseError):
        code = str(error).partition(" ")[0]
    return code if isinstance(code, str) and code.isascii() and code.isalpha() and code.isupper() else ""


def is_transient_fault(error: BaseException) -> bool:
    """Return whether the same command may succeed a little later."""
    return not isinstance(error, ResponseError) or fault_code(error) in _PASSING


def fault_words(error: BaseException, address: str) -> str:
    """Return what is wrong, and what to do."""
    code = fault_code(error)
    if code:
        return f"Redis at {address} refuses: {_MEANINGS.get(code, f'it answered with the error {code}')}"
    if isinstance(error, ResponseError):
        return f"Redis at {address} refuses: it answered with an error"
    return f"Redis at {address} can't be reached ({type(error).__name__}): is it running, and is the address right?"


class FaultLog:
    """Logs faults of Redis, each at most once a minute.

    Args:
        address: Host and port of Redis, or the path of its socket.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._said = ""
        self._when = 0.0

    def log_fault(self, error: BaseException) -> None:
        """Log a fault, if it was not logged a moment ago."""
        words = fault_words(error, self.address)
        if words != self._said or monotonic() - self._when > LOG_AGAIN_SECONDS:
            self._said, self._when = words, monotonic()
            _log.warning("%s", words)

    def note_recovery(self) -> None:
        """Note that Redis works again, so that the next fault is logged."""
        self._said = ""
