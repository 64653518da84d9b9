"""The line editor of `msgmodel chat`: history, completion of commands, and a line that says who answers."""

from __future__ import annotations

import os
from collections.abc import Iterable

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from ..registry.user_folders import state_folder
from . import display
from .chat_commands import CHAT_COMMANDS, models_of_completion
from .turns import ShownConversation


class LineEditor:
    """Reads the lines that the user types, with the lines of earlier conversations.

    Args:
        shown: the conversation that the status line describes.
    """

    def __init__(self, shown: ShownConversation) -> None:
        self._session: PromptSession[str] = PromptSession(
            "> ",
            multiline=True,
            prompt_continuation="  ",
            history=_typed_lines(),
            key_bindings=_key_bindings(),
            completer=ChatCompleter(),
            complete_while_typing=False,
            bottom_toolbar=lambda: display.safe_for_terminal(shown.describe_status()),
        )
        display.print_message("/help shows the commands, Ctrl-D ends.", "dim")

    def read_line(self) -> str:
        """Return the next line. Raise EOFError after Ctrl-D."""
        return self._session.prompt()

    def edit_text(self, text: str) -> str:
        """Return a text as the user changes it."""
        return self._session.prompt(default=text)


class ChatCompleter(Completer):
    """Completes commands, the names of models after /model, and paths after /files and /save."""

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        text = document.text_before_cursor
        command, space, argument = text.partition(" ")
        if not text.startswith("/"):
            return
        if not space:
            for name, meaning in CHAT_COMMANDS.items():
                if name.startswith(command):
                    yield Completion(name, -len(command), display_meta=meaning)
        elif command in ("/model", "/retry"):
            for name in models_of_completion():
                if name.startswith(argument):
                    yield Completion(name, -len(argument))
        elif command in ("/files", "/save"):
            word = argument.rpartition(" ")[2]
            yield from PathCompleter(expanduser=True).get_completions(Document(word), complete_event)


def _key_bindings() -> KeyBindings:

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

    try:
        path = state_folder() / "history"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))
        path.chmod(0o600)  # `os.open` sets the mode only of a new file
    except (OSError, RuntimeError) as error:
        display.print_note(
            f"the lines of this conversation will not be remembered: {getattr(error, 'strerror', None) or error}"
        )
        return InMemoryHistory()
    return FileHistory(path)
