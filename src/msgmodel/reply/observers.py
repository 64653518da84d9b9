"""Who watches the panels: the caller's `on_end`, the log, and what was registered, such as tracing.

Rule: a fault of theirs is logged, by its type alone, and harms no stream; what ends a program (SystemExit,
KeyboardInterrupt) goes through. The logger `msgmodel` says at DEBUG how each panel ended: provider, model, status or
code, seconds, tokens; never a word of a prompt or a reply.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..events import PanelEnd
from ..question.question import Question
from .exchange import Observer

_log = logging.getLogger("msgmodel")

OBSERVER_FACTORIES: list[Callable[[Question, str], Observer]] = []
"""Makes an observer for each panel, from the question and the panel's id."""


class _Callback:
    def __init__(self, callback: Callable[[PanelEnd], object]) -> None:
        self._callback = callback

    def on_start(self) -> None:
        pass

    def on_fallback(self, ask: Question) -> None:
        pass

    def on_first_event(self) -> None:
        pass

    def on_end(self, event: PanelEnd) -> None:
        with _harmless("on_end"):
            self._callback(event)


class _Guarded:
    """One that was registered."""

    def __init__(self, factory: Callable[[Question, str], Observer], ask: Question, panel_id: str) -> None:
        self._observer: Observer | None = None
        with _harmless():
            self._observer = factory(ask, panel_id)

    def on_start(self) -> None:
        with _harmless():
            if self._observer:
                self._observer.on_start()

    def on_fallback(self, ask: Question) -> None:
        with _harmless():
            if self._observer:
                self._observer.on_fallback(ask)

    def on_first_event(self) -> None:
        with _harmless():
            if self._observer:
                self._observer.on_first_event()

    def on_end(self, event: PanelEnd) -> None:
        with _harmless():
            if self._observer:
                self._observer.on_end(event)


@contextmanager
def _harmless(who: str = "an observer") -> Iterator[None]:
    try:
        yield
    except Exception as error:  # not its message, which may quote what it was given
        _log.warning("%s failed: %s", who, type(error).__name__)


class _Log:
    def on_start(self) -> None:
        pass

    def on_fallback(self, ask: Question) -> None:
        pass

    def on_first_event(self) -> None:
        pass

    def on_end(self, event: PanelEnd) -> None:
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


def observers_for(ask: Question, panel_id: str, on_end: Callable[[PanelEnd], object] | None) -> list[Observer]:
    """The observers of one panel. The caller's comes last, as it may end the program."""
    observers: list[Observer] = [_Guarded(factory, ask, panel_id) for factory in OBSERVER_FACTORIES]
    if _log.isEnabledFor(logging.DEBUG):
        observers.append(_Log())
    if on_end is not None:
        observers.append(_Callback(on_end))
    return observers
