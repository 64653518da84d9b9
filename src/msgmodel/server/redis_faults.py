"""What is wrong with Redis, in words for who runs the server.

Rule: no word of Redis' own is repeated but the code of its error, as an error may quote a command, and an address may
hold a password.
"""

from __future__ import annotations

import asyncio
import logging
from time import monotonic

from redis.exceptions import AuthenticationError, AuthenticationWrongNumberOfArgsError, RedisError, ResponseError

_log = logging.getLogger("msgmodel.server")

FAULTS = (RedisError, OSError, asyncio.TimeoutError)
"""What may come out of a call to Redis."""

AGAIN_SECONDS = 60.0
"""How often the same fault is logged."""

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
"""Of the codes in Redis 7's own source (`shared` in server.c); its documentation has no list of them."""

_PASSING = frozenset(_MEANINGS) - {"MOVED", "CROSSSLOT"}


def fault_code(error: BaseException) -> str:
    """Return the code of what Redis answered; "" if it did not answer."""
    code = getattr(error, "status_code", None)
    if not code and isinstance(error, (AuthenticationError, AuthenticationWrongNumberOfArgsError)):
        code = "NOAUTH" if "without any password" in str(error) or "required" in str(error).lower() else "WRONGPASS"
    if not code and isinstance(error, ResponseError):
        code = str(error).partition(" ")[0]
    return code if isinstance(code, str) and code.isascii() and code.isalpha() and code.isupper() else ""


def may_pass(error: BaseException) -> bool:
    """Whether the same command may succeed a little later."""
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
    """Logs what is wrong, each fault once a minute. `address`: of Redis, without a password."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._said = ""
        self._when = 0.0

    def say(self, error: BaseException) -> None:
        words = fault_words(error, self.address)
        if words != self._said or monotonic() - self._when > AGAIN_SECONDS:
            self._said, self._when = words, monotonic()
            _log.warning("%s", words)

    def over(self) -> None:
        """It works again: the next fault is news."""
        self._said = ""
