"""What a running function may know of the call that it runs for."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field

from ..errors import ConfigurationError
from ..events import PendingCall


@dataclass(frozen=True, slots=True)
class CallContext:
    """The call that a function runs for.

    Attributes:
        id: The id of the call.
        name: The name of the tool.
        key: A key for services that take one to run a request only once. The same call has the same key, also after a
            crash, if the run has a `run_id`.
        cancelled: Set when the run no longer waits for the function. A function in a thread can't be canceled: look at
            this event if it takes long.
        report: Sends a piece of text as `panel_tool_progress`.
        ask: Asks the run's `approve` a question while the function runs; None if the run has none or is blocking.
    """

    id: str
    name: str
    key: str
    cancelled: threading.Event = field(default_factory=threading.Event, repr=False, compare=False)
    report: Callable[[str], object] = field(default=lambda piece: None, repr=False, compare=False)
    ask: Callable[[PendingCall], Awaitable[object]] | None = field(default=None, repr=False, compare=False)


CURRENT_CALL: ContextVar[CallContext] = ContextVar("msgmodel_current_call")


def current_call() -> CallContext:
    """Return the call that the calling function runs for, in a run of tools.

    Raises:
        ConfigurationError: No run of tools has called the function.
    """
    try:
        return CURRENT_CALL.get()
    except LookupError:
        raise ConfigurationError("there is no current call: only a function that run_tools calls has one") from None
