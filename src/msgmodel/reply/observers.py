"""The observers of a panel: the caller's `on_end`, the log, and registered ones such as tracing.

Rule: an exception of an observer harms no stream. It is logged, by its type alone, because its message may quote a
prompt or a reply. What ends a program (SystemExit, KeyboardInterrupt) is not caught. At DEBUG, the logger `msgmodel`
reports how each panel ended: provider, model, status or code, seconds, tokens, but no word of a prompt or a reply.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import ParamSpec, Protocol, TypeVar

from ..events import PanelEnd
from ..question.question import Question

P = ParamSpec("P")
R = TypeVar("R")

_log = logging.getLogger("msgmodel")


class Observer(Protocol):
    """Watches one panel."""

    def on_start(self) -> None:
        """The first request is about to be sent."""

    def on_fallback(self, question: Question) -> None:
        """The panel asks another provider from now on."""

    def on_first_event(self) -> None:
        """The panel delivers its first event."""

    def on_end(self, event: PanelEnd) -> None:
        """The panel ended, or the caller left it. `event` is its terminal event."""


class ObserverGroup:
    """The observers of one panel, in their order."""

    __slots__ = ("_observers", "saw_event")

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = observers
        self.saw_event = False
        """Whether the first event was reported."""

    def __bool__(self) -> bool:
        return bool(self._observers)

    def on_start(self) -> None:
        for observer in self._observers:
            observer.on_start()

    def on_fallback(self, question: Question) -> None:
        for observer in self._observers:
            observer.on_fallback(question)

    def on_first_event(self) -> None:
        self.saw_event = True
        for observer in self._observers:
            observer.on_first_event()

    def on_end(self, event: PanelEnd) -> None:
        for observer in self._observers:
            observer.on_end(event)


OBSERVER_FACTORIES: list[Callable[[Question, str], Observer]] = []
"""Each makes an observer for a panel, from the question and the panel's id."""


def call_harmlessly(role: str, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R | None:
    """Call a function of an observer. If it raises an exception, log that and return None."""
    try:
        return function(*args, **kwargs)
    except Exception as error:
        _log.warning("%s failed: %s", role, type(error).__name__)
        return None


class _SilentObserver:
    """An observer that ignores everything. Its subclasses take what interests them."""

    def on_start(self) -> None:
        pass

    def on_fallback(self, question: Question) -> None:
        pass

    def on_first_event(self) -> None:
        pass

    def on_end(self, event: PanelEnd) -> None:
        pass


class _CallbackObserver(_SilentObserver):
    """The caller's `on_end`."""

    def __init__(self, callback: Callable[[PanelEnd], object]) -> None:
        self._callback = callback

    def on_end(self, event: PanelEnd) -> None:
        call_harmlessly("on_end", self._callback, event)


class _GuardedObserver:
    """A registered observer, whose exceptions harm no stream."""

    def __init__(self, factory: Callable[[Question, str], Observer], question: Question, panel_id: str) -> None:
        made = call_harmlessly("an observer", factory, question, panel_id)
        self._observer: Observer = _SilentObserver() if made is None else made

    def on_start(self) -> None:
        call_harmlessly("an observer", self._observer.on_start)

    def on_fallback(self, question: Question) -> None:
        call_harmlessly("an observer", self._observer.on_fallback, question)

    def on_first_event(self) -> None:
        call_harmlessly("an observer", self._observer.on_first_event)

    def on_end(self, event: PanelEnd) -> None:
        call_harmlessly("an observer", self._observer.on_end, event)


class _LoggingObserver(_SilentObserver):
    """The line at DEBUG that reports how a panel ended."""

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


def observers_for(question: Question, panel_id: str, on_end: Callable[[PanelEnd], object] | None) -> list[Observer]:
    """Return the observers of one panel. The caller's is the last one, because it may end the program."""
    observers: list[Observer] = [_GuardedObserver(factory, question, panel_id) for factory in OBSERVER_FACTORIES]
    if _log.isEnabledFor(logging.DEBUG):
        observers.append(_LoggingObserver())
    if on_end is not None:
        observers.append(_CallbackObserver(on_end))
    return observers
