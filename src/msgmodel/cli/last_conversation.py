"""The last conversation, kept so that `--continue` goes on with it.

Rule: it is kept only if a person sees the reply on a terminal, or asked for it: by `--continue`, or by the log of
replies. A script leaves nothing behind. The file has mode 600, and holds no key.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Final

from .. import Conversation
from ..errors import ConfigurationError, MsgModelError
from ..registry.user_folders import state_folder, write_private_file
from . import display

_FILE_NAME: Final = "last-conversation.json"


@dataclass(frozen=True, slots=True)
class KeptConversation:
    """A conversation, and what its next question needs to reach the same server."""

    conversation: dict[str, Any]
    """As `Conversation.to_json` writes it."""
    base_url: str | None
    api: str | None
    log_id: str
    """The id of the conversation in the log of replies."""
    is_broken: bool
    """Whether the last reply ended with an error, so that its question can be asked again."""

    @property
    def provider(self) -> str:
        return str(self.conversation["provider"])

    @property
    def model(self) -> str | None:
        model: str | None = self.conversation["model"]
        return model

    @property
    def instruction(self) -> str | None:
        instruction: str | None = self.conversation["system_instruction"]
        return instruction


def read_last_conversation() -> KeptConversation:
    """Return the conversation that was kept last.

    Raises:
        ConfigurationError: There is none, or the file is damaged.
    """
    try:
        path = state_folder() / _FILE_NAME
        kept = KeptConversation(**json.loads(path.read_text("utf-8")))
        Conversation.from_json(json.dumps(kept.conversation))
    except (FileNotFoundError, NotADirectoryError, RuntimeError):
        raise ConfigurationError(
            "there is no conversation to continue: a reply is kept if it was shown on a terminal, or by --log"
        ) from None
    except (OSError, ValueError, TypeError, KeyError, MsgModelError) as error:
        raise ConfigurationError(f"the last conversation can't be read: {getattr(error, 'strerror', error)}") from None
    return kept


def keep_conversation(
    conversation: Conversation, base_url: str | None, api: str | None, log_id: str, *, is_broken: bool
) -> None:
    """Keep a conversation as the last one; print a note if that fails.

    Args:
        conversation: The conversation.
        base_url: The address that `--base-url` named.
        api: The API that `--api` named.
        log_id: The id of the conversation in the log of replies.
        is_broken: Whether the last reply ended with an error.
    """
    try:
        kept = KeptConversation(json.loads(conversation.to_json()), base_url, api, log_id, is_broken)
        write_private_file(state_folder() / _FILE_NAME, json.dumps(asdict(kept)).encode())
    except (OSError, RuntimeError, MsgModelError) as error:
        display.print_note(f"this conversation can't be kept for --continue: {getattr(error, 'strerror', error)}")
