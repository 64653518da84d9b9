"""`msgmodel chat`: a `Conversation` with a line editor, or with the lines of a pipe.

Rule: the conversation keeps what arrived of a reply, however the reply ended, with the signatures and opaque parts that
the provider wants back. A question that got no text at all is forgotten. On a terminal neither an error nor Ctrl-C ends
the conversation.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..registry import environment
from . import display, exits
from .prompt import decoded
from .question import Question, show_events
from .reply import Drawn, Plain

if TYPE_CHECKING:
    from prompt_toolkit.history import History
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

QUIT, CLEAR, HELP = "/quit", "/clear", "/help"
COMMANDS: Final = {
    QUIT: "ends the conversation, as Ctrl-D does",
    CLEAR: "forgets the turns so far",
    HELP: "shows this",
}
KEYS: Final = (
    "Alt-Enter, or a backslash at the end of a line, goes on in a new line; Ctrl-C stops a reply or clears the line."
)

_COMMAND = re.compile(r"/\w+")


class Chat:
    """The turns of a conversation, and how it goes on."""

    def __init__(self, question: Question, verbose: bool, live: bool) -> None:
        self._verbose = verbose
        self._live = live
        self._conversation = question.start_conversation()
        self.exit = exits.OK
        """The exit code of the last reply that did not come whole."""

    def take(self, line: str) -> bool:
        """Does what a line of the user asks for; False when it ends the conversation."""
        line = line.strip()
        if line == QUIT:
            return False
        if line == CLEAR:
            self._conversation.messages.clear()
            display.note("the turns so far are forgotten")
        elif line == HELP:
            for command, meaning in COMMANDS.items():
                display.say(f"{command:<8}{meaning}")
            display.say(KEYS)
        elif _COMMAND.fullmatch(line):
            display.warning(f"there is no command {line}: {HELP} lists them")
        elif line:
            self._answer(line)
        return True

    def _answer(self, prompt: str) -> None:
        conversation = self._conversation
        kept = len(conversation.messages)
        view = Drawn(self._verbose) if self._live else Plain(self._verbose)
        with _no_echo() if self._live else nullcontext():
            try:
                last = show_events(lambda keep: conversation.stream_panels(prompt, on_end=keep), view.show)
            finally:
                view.close()
        if not (last["content"] or last.get("refusal")):
            del conversation.messages[kept:]
        elif conversation.pending_calls:
            # This program runs no tools. A partial turn is sent without the calls that have no result, and providers
            # refuse a call without one.
            conversation.messages[-1]["partial"] = True
        view.end(last)
        code = exits.of_event(last)
        if code == exits.INTERRUPTED and not self._live:
            raise KeyboardInterrupt
        self.exit = code or self.exit


def run(question: Question, verbose: bool) -> int:
    """Holds a conversation until its end; returns the exit code."""
    question.check()
    if question.demo:
        display.note(display.DEMO_MODEL)
    if display.terminal(sys.stdin) and display.terminal(sys.stdout):
        _hold(Chat(question, verbose, live=True), _editor())
        return exits.OK
    chat = Chat(question, verbose, live=False)
    for line in _piped():
        if not chat.take(line):
            break
    return chat.exit


def _hold(chat: Chat, read: Callable[[], str]) -> None:
    while True:
        try:
            if not chat.take(read()):
                return
        except EOFError:
            return
        except KeyboardInterrupt:  # between a reply and the next prompt
            pass


@contextmanager
def _no_echo() -> Iterator[None]:
    """Keys typed meanwhile wait for the next prompt: where the terminal shows them, even ^C, the drawing goes wrong."""
    if sys.platform == "win32":  # shows nothing while nobody reads
        yield
        return
    import termios

    before = termios.tcgetattr(sys.stdin)
    silent = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
    termios.tcsetattr(sys.stdin, termios.TCSANOW, silent)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSANOW, before)


def _piped() -> Iterator[str]:
    """The lines of standard input; one that ends in a backslash goes on in the next."""
    begun = ""
    for data in sys.stdin.buffer if sys.stdin else ():
        line = begun + decoded(data).rstrip("\r\n")
        begun = ""
        if line.endswith("\\"):
            begun = line[:-1] + "\n"
        else:
            yield line
    if begun:
        yield begun


def _editor() -> Callable[[], str]:
    """A line editor with the history of earlier conversations."""
    from prompt_toolkit import PromptSession

    session: PromptSession[str] = PromptSession(
        "> ", multiline=True, prompt_continuation="  ", history=_history(), key_bindings=_keys()
    )
    display.say(f"{HELP} shows the commands, Ctrl-D ends.", "dim")
    return session.prompt


def _keys() -> KeyBindings:
    from prompt_toolkit.key_binding import KeyBindings

    keys = KeyBindings()

    @keys.add("enter")
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.document.text_before_cursor.endswith("\\"):
            buffer.delete_before_cursor()
            buffer.insert_text("\n")
        else:
            buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @keys.add("c-c")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.reset()

    return keys


def _history() -> History:
    """What was typed, in a file that only the user can read; in memory where that can't be written."""
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    try:
        path = _state_folder() / "history"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))
        path.chmod(0o600)
    except (OSError, RuntimeError) as error:
        display.note(f"this conversation's lines will not be remembered: {getattr(error, 'strerror', None) or error}")
        return InMemoryHistory()
    return FileHistory(path)


def _state_folder() -> Path:
    if sys.platform == "win32":
        base = environment.read_variable("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = environment.read_variable("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "msgmodel"
