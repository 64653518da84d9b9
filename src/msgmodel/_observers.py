"""Who watches the panels: the caller's `on_end`, the log, and what was registered, such as tracing.

Rule: a fault of theirs is logged, by its type alone, and harms no stream; what ends a program (SystemExit,
KeyboardInterrupt) goes through. The logger `msgmodel` says at DEBUG how each panel ended: provider, model, status or
code, seconds, tokens; never a word of a prompt or a reply.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ._ask import Ask
from ._exchange import Observer
from .events import PanelEnd

_log = logging.getLogger("msgmodel")

FACTORIES: list[Callable[[Ask, str], Observer]] = []
"""Makes an observer for each panel, from the question and the panel's id."""


class _Callback:
    def __init__(self, callback: Callable[[PanelEnd], object]) -> None:
        self._callback = callback

    def begin(self) -> None:
        pass

    def instead(self, ask: Ask) -> None:
        pass

    def first(self) -> None:
        pass

    def end(self, event: PanelEnd) -> None:
        with _harmless("on_end"):
            self._callback(event)


class _Guarded:
    """One that was registered."""

    def __init__(self, factory: Callable[[Ask, str], Observer], ask: Ask, panel_id: str) -> None:
        self._observer: Observer | None = None
        with _harmless():
            self._observer = factory(ask, panel_id)

    def begin(self) -> None:
        with _harmless():
            if self._observer:
                self._observer.begin()

    def instead(self, ask: Ask) -> None:
        with _harmless():
            if self._observer:
                self._observer.instead(ask)

    def first(self) -> None:
        with _harmless():
            if self._observer:
                self._observer.first()

    def end(self, event: PanelEnd) -> None:
        with _harmless():
            if self._observer:
                self._observer.end(event)


@contextmanager
def _harmless(who: str = "an observer") -> Iterator[None]:
    try:
        yield
    except Exception as error:  # not its message, which may quote what it was given
        _log.warning("%s failed: %s", who, type(error).__name__)


class _Log:
    def begin(self) -> None:
        pass

    def instead(self, ask: Ask) -> None:
        pass

    def first(self) -> None:
        pass

    def end(self, event: PanelEnd) -> None:
        usage = event["usage"]
        _log.debug(
            "panel %s: %s %s %s in %.3f s, %s attempts, %s tokens in, %s out",
            event["panel_id"],
            event["provider"],
            event["model"],
            event["status"] if event["event"] == "panel_final" else event["code"],
            event["timing"]["total_seconds"],
            event["timing"]["attempts"],
            usage["input_tokens"],
            usage["output_tokens"],
        )


def of(ask: Ask, panel_id: str, on_end: Callable[[PanelEnd], object] | None) -> list[Observer]:
    """The observers of one panel. The caller's comes last, as it may end the program."""
    observers: list[Observer] = [_Guarded(factory, ask, panel_id) for factory in FACTORIES]
    if _log.isEnabledFor(logging.DEBUG):
        observers.append(_Log())
    if on_end is not None:
        observers.append(_Callback(on_end))
    return observers
