"""Write a conversation to a file: as Markdown for people, or as the JSON that `Conversation.from_json` reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .. import Conversation
from ..errors import FileError
from ..messages import Message


def export_conversation(conversation: Conversation, path: Path) -> None:
    """Write a conversation to a new file: JSON if the name ends in `.json`, else Markdown.

    Args:
        conversation: The conversation.
        path: The file, which must not exist.

    Raises:
        FileError: The file exists, or can't be written.
    """
    is_json = path.suffix.lower() == ".json"
    text = conversation.to_json() if is_json else "\n\n".join(_markdown_turns(conversation))
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text.rstrip("\n") + "\n")
    except FileExistsError:
        raise FileError(f"{path} exists already: choose another name") from None
    except OSError as error:
        raise FileError(f"{path} can't be written: {error.strerror or error}") from None


def _markdown_turns(conversation: Conversation) -> Iterator[str]:
    for message in conversation.messages:
        if message["role"] in ("user", "assistant"):
            partial = " (incomplete)" if message.get("partial") else ""
            yield f"## {'You' if message['role'] == 'user' else 'Assistant'}{partial}"
            yield text_of_message(message)


def text_of_message(message: Message) -> str:
    """Return the text of a message, with files and other parts named in brackets."""
    content = message["content"]
    if isinstance(content, str):
        return content
    shown = []
    for part in content:
        if part["type"] in ("text", "refusal"):
            shown.append(str(part.get("text", "")))
        elif part["type"] in ("file", "media"):
            shown.append(f"[{part.get('name') or part['type']}]")
        elif part["type"] == "tool_call":
            shown.append(f"[tool call: {part.get('name')} {part.get('arguments')}]")
    return "\n\n".join(filter(None, shown))
