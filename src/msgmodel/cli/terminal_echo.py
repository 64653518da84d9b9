"""Hide what is typed while a reply is drawn."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from . import display


@contextmanager
def without_echo() -> Iterator[None]:
    """Hide keys that are typed during a reply. The next prompt reads them; echoed, even ^C would garble the drawing.

    Standard input that is no terminal stays as it is, and so does a console of Windows, which echoes only while a
    program reads.
    """
    with _set_echo(False):
        yield


@contextmanager
def with_echo() -> Iterator[None]:
    """Show the keys that are typed, for a question to the user in the middle of a reply."""
    with _set_echo(True):
        yield


@contextmanager
def _set_echo(is_on: bool) -> Iterator[None]:
    if sys.platform == "win32" or not display.is_terminal(sys.stdin):
        yield
        return
    import termios

    before = termios.tcgetattr(sys.stdin)
    flags = before[3] | termios.ECHO if is_on else before[3] & ~termios.ECHO
    termios.tcsetattr(sys.stdin, termios.TCSANOW, [*before[:3], flags, *before[4:]])
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSANOW, before)
