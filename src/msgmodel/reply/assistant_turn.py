"""The assistant's turn, folded from deltas: what is appended to the conversation and can go back to the provider.

Rule: parts stand in the order in which they came; a call that is not sure to be whole is not in it. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Literal

from ..events import ToolCall
from ..messages import JSON, Message, Opaque

Kind = Literal["text", "reasoning", "tool_call", "opaque"]


class AssistantTurn:
    """Grows with the deltas of one panel."""

    def __init__(self) -> None:
        self._parts: list[dict[str, Any]] = []
        self._open: dict[str, Any] | None = None
        self.open_text: list[str] = []
        """The pieces of the part that was opened last; more of them may be put here until something else comes."""
        self._calls: dict[str, dict[str, Any]] = {}

    def say(self, kind: Literal["text", "reasoning", "refusal"], text: str) -> bool:
        """Append to the open part, or to a new one. Return whether it is a new one."""
        new = self._open is None or self._open["type"] != kind
        if new:
            self.open_text = []
            self._open = {"type": kind, "text": self.open_text}
            self._parts.append(self._open)
        self.open_text.append(text)
        return new

    def boundary(self) -> None:
        """What comes now is a part of its own."""
        self._open = None

    def place(self, key: str) -> None:
        """A call begins here."""
        self._open = None
        self._calls[key] = {"type": "tool_call"}
        self._parts.append(self._calls[key])

    def call(self, key: str, call: ToolCall) -> None:
        """The call is sure to be whole."""
        self._calls[key] |= {"id": call["id"], "name": call["name"], "arguments": call["arguments"]}

    def seal(self, kind: Kind, opaque: Opaque, key: str = "") -> None:
        """The open part of this kind, or a new one without text, has this to be sent back."""
        if kind == "tool_call":
            part = self._calls[key]
        elif self._open is not None and self._open["type"] == kind:
            part = self._open
        else:
            part = {"type": kind} if kind == "opaque" else {"type": kind, "text": []}
            self._parts.append(part)
        part["opaque"] = opaque
        self._open = None

    def copy(self) -> AssistantTurn:
        """Return another one that grows by itself. What is kept for the provider never changes, so both have it."""
        copy = AssistantTurn()
        copies = {id(part): dict(part) for part in self._parts}
        for part in copies.values():
            if "text" in part:
                part["text"] = [*part["text"]]
        copy._parts = [*copies.values()]
        copy._calls = {key: copies[id(part)] for key, part in self._calls.items()}
        if self._open is not None:
            copy._open = copies[id(self._open)]
            copy.open_text = copy._open["text"]
        return copy

    def message(self, text: str, *, partial: bool) -> Message:
        """The turn as a message. Text alone is a string: `text`, which is that of all parts."""
        return self._message(text, partial, lambda part: "".join(part["text"]))

    def last_message(self, joined: Mapping[str, str], *, partial: bool) -> Message:
        """Return the turn as a message, and release its pieces: the turn is not used any more.

        joined: the text of all parts of each kind. A part that is the only one of its kind is not joined again.
        """
        kinds = Counter(part["type"] for part in self._parts)

        def take_text(part: dict[str, Any]) -> str:
            kind, pieces = part["type"], part["text"]
            text = joined[kind] if kinds[kind] == 1 else "".join(pieces)
            pieces.clear()
            return text

        return self._message(joined["text"], partial, take_text)

    def _message(self, text: str, partial: bool, text_of: Callable[[dict[str, Any]], str]) -> Message:
        whole = [part for part in self._parts if part["type"] != "tool_call" or "id" in part]
        plain = all(part["type"] == "text" and "opaque" not in part for part in whole)
        parts = [] if plain else [part | {"text": text_of(part)} if "text" in part else dict(part) for part in whole]
        content: Any = text if plain else parts
        message: Message = {"role": "assistant", "content": content}
        if partial:
            message["partial"] = True
        return message


def opaque_part(provider: str, wire: str, host: str, data: JSON) -> Opaque:
    """`data` with who made it, and where."""
    return {"provider": provider, "wire": wire, "host": host, "data": data}
