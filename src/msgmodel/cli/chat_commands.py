"""The commands that a line of `msgmodel chat` may be: they begin with a slash, and are never sent.

Rule: a line that begins with a slash and a word of letters is a command, or is refused. A path such as /usr/bin in the
front of a question is a question.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Final

from ..errors import ConfigurationError
from ..providers import MAIN, PROVIDERS, find_provider_and_model, owner_of_model
from ..question.past_turns import is_user_question
from . import display
from .attachments import AttachedFile, describe_attachment, read_attachments
from .export import export_conversation, text_of_message
from .question import names_provider
from .settings_file import read_settings
from .turns import ShownConversation

CHAT_COMMANDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "/model": "say who answers; /model NAME asks another from now on: PROVIDER, PROVIDER/MODEL or MODEL",
        "/retry": "ask the last question again; /retry MODEL asks another model",
        "/edit": "change the last question and ask it; /edit TEXT replaces it",
        "/files": "attach files to the next question: /files a.pdf 'src/*.py'; /files none drops them",
        "/save": "write the conversation to a file: /save talk.md, or talk.json",
        "/clear": "forget the turns so far",
        "/help": "show this list",
        "/quit": "end the conversation, as Ctrl-D, exit and quit do",
    }
)
KEYS_OF_CHAT: Final = (
    "Alt-Enter, or a backslash at the end of a line, starts a new line; Ctrl-C stops a reply or clears the line."
)
_COMMAND: Final = re.compile(r"(/[A-Za-z]+)(?:\s+(.*))?", re.DOTALL)
_COMMANDS_BY_OTHER_WORD: Final = {
    **dict.fromkeys(("/export", "/write", "/download"), "/save"),
    **dict.fromkeys(("/attach", "/image", "/load", "/add"), "/files"),
    **dict.fromkeys(("/regenerate", "/again", "/redo"), "/retry"),
    **dict.fromkeys(("/switch", "/provider", "/use"), "/model"),
    **dict.fromkeys(("/reset", "/new", "/forget"), "/clear"),
    **dict.fromkeys(("/commands", "/h"), "/help"),
    **dict.fromkeys(("/bye", "/q"), "/quit"),
}
"""Commands of similar programs, and what comes closest to each here."""
_WITHOUT_ARGUMENT: Final = ("/clear", "/help", "/quit")


class ChatCommands:
    """Runs the commands of one conversation.

    Args:
        shown: the conversation.
        edit_text: lets the user change the last question, for `/edit`; None in a pipe.
    """

    def __init__(self, shown: ShownConversation, edit_text: Callable[[str], str] | None) -> None:
        self._shown = shown
        self._edit_text = edit_text
        self._files: list[AttachedFile] = []

    def run(self, line: str) -> str | None:
        """Run a command; return the prompt to ask now, or None. A line that is not a command is the prompt.

        Raises:
            MsgModelError: The argument of the command is wrong.
        """
        found = _COMMAND.fullmatch(line)
        if found is None:
            return line
        command, argument = found[1].lower(), (found[2] or "").strip()
        if command not in CHAT_COMMANDS or (argument and command in _WITHOUT_ARGUMENT):
            near = _COMMANDS_BY_OTHER_WORD.get(command) or next(iter(get_close_matches(command, CHAT_COMMANDS, 1)), "")
            hint = f"did you mean {near}? " if near and near != command else ""
            display.print_warning(f"unknown command {line}: {hint}/help lists the commands")
            return None
        return _ACTIONS[command](self, argument)

    def take_files(self) -> list[AttachedFile]:
        """Return the files for the question that is asked now. The next one has none."""
        files, self._files = self._files, []
        return files

    def _show_help(self, _: str) -> None:
        for command, meaning in CHAT_COMMANDS.items():
            display.print_message(f"{command:<8}{meaning}")
        display.print_message(KEYS_OF_CHAT)

    def _clear_turns(self, _: str) -> None:
        self._shown.conversation.messages.clear()
        display.print_note("the turns so far are forgotten")

    def _choose_model(self, name: str) -> None:
        if name:
            self._switch_model(name)
        display.print_note(f"{self._shown.answering} answers")

    def _switch_model(self, name: str) -> None:
        """Ask another model from now on: of the same provider, unless the name begins with another one."""
        provider, model = read_settings().resolve_alias(None, name)
        head = (provider or name).partition("/")[0].lower()
        if provider is None and not names_provider(head):
            current = self._shown.conversation.provider
            owner = owner_of_model(name)
            provider, model = owner if owner in MAIN and current in MAIN else current, name
        else:
            row, model = find_provider_and_model(provider or name, model if provider else None)
            provider = row.name
        self._shown.switch(provider, model)

    def _retry_question(self, name: str) -> str:
        if name:
            self._switch_model(name)
        self._shown.conversation.regenerate()
        return ""

    def _edit_question(self, text: str) -> str | None:
        conversation = self._shown.conversation
        places = [number for number, turn in enumerate(conversation.messages) if is_user_question(turn)]
        if not places:
            raise ConfigurationError("there is no question to change yet: write one")
        if not text and self._edit_text is not None:
            text = self._edit_text(text_of_message(conversation.messages[places[-1]])).strip()
        if not text:
            raise ConfigurationError("write the new question after the command: /edit TEXT")
        conversation.edit(places[-1], text)
        return ""

    def _attach_files(self, names: str) -> None:
        import shlex

        if names.lower() == "none":
            self._files.clear()
        elif names:
            try:
                self._files += read_attachments(shlex.split(names))
            except ValueError as error:
                raise ConfigurationError(f"/files: {error}") from None
            missing = next((file for file in self._files if isinstance(file, Path) and not file.is_file()), None)
            if missing is not None:
                self._files.remove(missing)
                raise ConfigurationError(f"/files: there is no file {missing}")
        listed = ", ".join(map(describe_attachment, self._files))
        display.print_note(f"attached to the next question: {listed}" if listed else "no file is attached")

    def _save_conversation(self, name: str) -> None:
        if not name:
            raise ConfigurationError("name the file: /save talk.md, or /save talk.json")
        path = Path(name).expanduser()
        export_conversation(self._shown.conversation, path)
        display.print_note(f"saved as {path}")


_ACTIONS: Final = MappingProxyType(
    {
        "/model": ChatCommands._choose_model,
        "/retry": ChatCommands._retry_question,
        "/edit": ChatCommands._edit_question,
        "/files": ChatCommands._attach_files,
        "/save": ChatCommands._save_conversation,
        "/clear": ChatCommands._clear_turns,
        "/help": ChatCommands._show_help,
    }
)


def models_of_completion() -> list[str]:
    """Return what may stand after /model and /retry: aliases, and the names of providers."""
    return [*read_settings().aliases, *PROVIDERS]
