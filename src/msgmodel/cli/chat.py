"""`msgmodel chat`: a `Conversation` with a line editor, or with the lines of a pipe.

Rule: the conversation keeps what arrived of a reply, however the reply ended, with the signatures and opaque parts that
the provider wants back. A question that got neither text nor a part is forgotten. On a terminal neither an error nor
Ctrl-C ends the conversation.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

from ..errors import MsgModelError
from . import chat_commands, display, exits
from .option_words import words_for_options
from .prompt import decode_stdin
from .turns import ShownConversation

LEAVING_WORDS = ("/quit", "/exit", "quit", "exit")
"""Lines that end the conversation. The bare words end a shell, too, and are no question."""


class ChatSession:
    """One conversation: takes a line of the user at a time.

    Args:
        shown: the conversation.
        edit_text: lets the user change a text; None for the lines of a pipe.
    """

    def __init__(self, shown: ShownConversation, edit_text: Callable[[str], str] | None) -> None:
        self._shown = shown
        self._commands = chat_commands.ChatCommands(shown, edit_text)
        self._is_live = edit_text is not None
        self.exit_code = exits.OK
        """The exit code of the last reply that failed."""

    def handle_line(self, line: str) -> bool:
        """Run a command or ask a question; return False if the line ends the conversation."""
        line = line.strip()
        if line.lower() in LEAVING_WORDS:
            return False
        try:
            prompt = self._commands.run(line) if line.startswith("/") else line or None
            if prompt is not None:
                self._ask_and_show(prompt)
        except MsgModelError as error:  # a wrong file or model: the conversation goes on
            if not self._is_live and not line.startswith("/"):
                raise
            display.print_error(words_for_options(error.message))
        return True

    def _ask_and_show(self, prompt: str) -> None:
        last = self._shown.ask(prompt, self._commands.take_files())
        code = exits.code_for_event(last)
        if code == exits.INTERRUPTED and not self._is_live:
            raise KeyboardInterrupt
        self.exit_code = code or self.exit_code


def run_chat(shown: ShownConversation) -> int:
    """Talk until the user ends the conversation; return the exit code."""
    shown.question.check()
    if shown.question.is_demo_model:
        display.print_note(display.DEMO_MODEL)
    if shown.is_drawn:
        from .line_editor import LineEditor

        editor = LineEditor(shown)
        _talk_on_terminal(ChatSession(shown, editor.edit_text), editor.read_line)
        return exits.OK
    chat = ChatSession(shown, None)
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
