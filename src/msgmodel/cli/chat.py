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
from .prompt import decode_stdin
from .question import CommandQuestion, show_events
from .reply import MarkdownView, PlainView

if TYPE_CHECKING:
    from prompt_toolkit.history import History
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

QUIT, CLEAR, HELP = "/quit", "/clear", "/help"
COMMANDS: Final = {
    QUIT: "end the conversation, as Ctrl-D does",
    CLEAR: "forget the turns so far",
    HELP: "show this list",
}
KEYS: Final = (
    "Alt-Enter, or a backslash at the end of a line, starts a new line; Ctrl-C stops a reply or clears the line."
)

_COMMAND = re.compile(r"/\w+")


class ChatSession:
    """One conversation: takes a line of the user at a time."""

    def __init__(self, question: CommandQuestion, verbose: bool, live: bool) -> None:
        self._verbose = verbose
        self._live = live
        self._conversation = question.start_conversation()
        self.exit_code = exits.OK
        """The exit code of the last reply that failed."""

    def handle_line(self, line: str) -> bool:
        """Run a command or ask a question; return False if the line ends the conversation."""
        line = line.strip()
        if line == QUIT:
            return False
        if line == CLEAR:
            self._conversation.messages.clear()
            display.print_note("the turns so far are forgotten")
        elif line == HELP:
            for command, meaning in COMMANDS.items():
                display.print_message(f"{command:<8}{meaning}")
            display.print_message(KEYS)
        elif _COMMAND.fullmatch(line):
            display.print_warning(f"unknown command {line}: {HELP} lists the commands")
        elif line:
            self._ask_and_show(line)
        return True

    def _ask_and_show(self, prompt: str) -> None:
        conversation = self._conversation
        kept = len(conversation.messages)
        view = MarkdownView(self._verbose) if self._live else PlainView(self._verbose)
        with _without_echo() if self._live else nullcontext():
            try:
                last = show_events(lambda keep: conversation.stream_panels(prompt, on_end=keep), view.show_event)
            finally:
                view.close()
        if not (last["content"] or last.get("refusal")):
            del conversation.messages[kept:]
        elif conversation.pending_calls:
            # This program runs no tools. A partial turn is sent without the calls that have no result, and providers
            # refuse a call without one.
            conversation.messages[-1]["partial"] = True
        view.show_ending(last)
        code = exits.code_for_event(last)
        if code == exits.INTERRUPTED and not self._live:
            raise KeyboardInterrupt
        self.exit_code = code or self.exit_code


def run_chat(question: CommandQuestion, verbose: bool) -> int:
    """Talk until the user ends the conversation; return the exit code."""
    question.check()
    if question.is_demo_model:
        display.print_note(display.DEMO_MODEL)
    if display.is_terminal(sys.stdin) and display.is_terminal(sys.stdout):
        _talk_on_terminal(ChatSession(question, verbose, live=True), _line_editor())
        return exits.OK
    chat = ChatSession(question, verbose, live=False)
    for line in _piped_lines():
        if not chat.handle_line(line):
            break
    return chat.exit_code


def _talk_on_terminal(chat: ChatSession, read: Callable[[], str]) -> None:
    while True:
        try:
            if not chat.handle_line(read()):
                return
        except EOFError:
            return
        except KeyboardInterrupt:  # between a reply and the next prompt
            pass


@contextmanager
def _without_echo() -> Iterator[None]:
    """Hide keys that are typed during a reply. The next prompt reads them; echoed, even ^C would garble the drawing."""
    if sys.platform == "win32":  # its console echoes only while a program reads
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


def _piped_lines() -> Iterator[str]:
    """Yield the lines of standard input; a backslash at the end continues a line."""
    begun = ""
    for data in sys.stdin.buffer if sys.stdin else ():
        line = begun + decode_stdin(data).rstrip("\r\n")
        begun = ""
        if line.endswith("\\"):
            begun = line[:-1] + "\n"
        else:
            yield line
    if begun:
        yield begun


def _line_editor() -> Callable[[], str]:
    """Return a line editor with the lines of earlier conversations."""
    from prompt_toolkit import PromptSession

    session: PromptSession[str] = PromptSession(
        "> ", multiline=True, prompt_continuation="  ", history=_typed_lines(), key_bindings=_key_bindings()
    )
    display.print_message(f"{HELP} shows the commands, Ctrl-D ends.", "dim")
    return session.prompt


def _key_bindings() -> KeyBindings:
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


def _typed_lines() -> History:
    """Return the typed lines: in a file that only the user can read, or in memory if that can't be written."""
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    try:
        path = _state_folder() / "history"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))
        path.chmod(0o600)  # `os.open` sets the mode only of a new file
    except (OSError, RuntimeError) as error:
        display.print_note(
            f"the lines of this conversation will not be remembered: {getattr(error, 'strerror', None) or error}"
        )
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
